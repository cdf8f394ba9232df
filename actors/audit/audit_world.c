/* SPDX-License-Identifier: MIT */
/* audit_world.c - what the story has told so far: streams, users, and what became of its events. */
#include "actors/audit/audit_internal.h"

#include <stdlib.h>

#include "actors/tap/tap_arena.h"

struct audit_user *audit_user(struct audit *audit, struct text id)
{
	struct audit_user *user = audit_index_find(&audit->users, id);

	if (!user)
		user = audit_index_add(&audit->users, id, sizeof *user);
	if (user->era != audit->era) {
		user->era = audit->era;
		user->live = NULL;
		user->whole = false;
		user->liabilities = 0;
	}
	return user;
}

/* What a hole leaves of a stream: its name, its epoch, who owns it. */
static void forget(struct audit *audit, struct audit_stream *stream)
{
	stream->era = audit->era;
	stream->whole = false;
	stream->phase = PHASE_NONE;
	stream->phases = 0;
	stream->stream_seq = stream->phase_seq = stream->missed = 0;
	stream->activity_ms = stream->status_ms = stream->suspect_ms = NEVER;
	stream->told_owed = stream->stop_owed = stream->input_owed = false;
	stream->viewer_count = 0;
	stream->outputs = 0;
	stream->user = audit_user(audit, text_of(stream->user->id));
}

struct audit_stream *audit_stream_find(const struct audit *audit, struct text id)
{
	return audit_index_find(&audit->streams, id);
}

struct audit_stream *audit_stream(struct audit *audit, const struct stream_event *event)
{
	struct audit_stream *stream = audit_stream_find(audit, event->stream_id);

	if (!stream) {
		stream = audit_index_add(&audit->streams, event->stream_id, sizeof *stream);
		stream->user = audit_user(audit, event->user_id);
		stream->epoch = event->epoch;
		stream->opened_ms = stream->closed_ms = NEVER;
		stream->probes.sent_ms = NEVER;
		forget(audit, stream);
	}
	if (stream->era != audit->era)
		forget(audit, stream);
	return stream;
}

struct audit_viewer *audit_viewer(struct audit_stream *stream, struct text package)
{
	for (unsigned i = 0; i < stream->viewer_count; i++)
		if (text_is(package, stream->viewers[i].package))
			return &stream->viewers[i];
	stream->viewers =
		memory_grow(stream->viewers, stream->viewer_count + 1, sizeof *stream->viewers);
	struct audit_viewer *viewer = &stream->viewers[stream->viewer_count++];

	*viewer = (struct audit_viewer){ .state = WATCH_UNKNOWN };
	text_put(package, viewer->package, sizeof viewer->package);
	return viewer;
}

/* Traces --------------------------------------------------------------------------------------- */

uint32_t audit_hash(struct text text)
{
	return text.length == 0 ? 0 : (uint32_t)table_hash(text, 0) | 1;
}

void audit_trace(struct audit *audit, const struct stream_event *event)
{
	/* It begins anew with a store that does, and behind a hole that nothing reaches across. */
	if (!audit->traces || event->seq < audit->trace_first ||
	    event->seq - audit->trace_first > audit->trace_room + TRACE_JUMP_MAX) {
		free(audit->traces);
		audit->traces = NULL;
		audit->trace_room = 0;
		audit->trace_first = event->seq;
	}
	size_t at = event->seq - audit->trace_first;

	if (at >= audit->trace_room) {
		size_t room = 2 * at + 1024;

		audit->traces = memory_grow(audit->traces, room, sizeof *audit->traces);
		memset(audit->traces + audit->trace_room, 0,
		       (room - audit->trace_room) * sizeof *audit->traces);
		audit->trace_room = room;
	}
	audit->traces[at] = (struct audit_trace){ .type = (uint16_t)event->type,
						  .user = audit_hash(event->user_id) };
}

const struct audit_trace *audit_traced(const struct audit *audit, uint64_t seq)
{
	if (seq < audit->trace_first || seq - audit->trace_first >= audit->trace_room ||
	    audit->traces[seq - audit->trace_first].type == EVENT_NONE)
		return NULL;
	return &audit->traces[seq - audit->trace_first];
}

/* Learning ------------------------------------------------------------------------------------- */

static void moves(struct audit_stream *stream, const struct stream_event *event, enum phase phase)
{
	if (phase == PHASE_SUSPECT && stream->phase != PHASE_SUSPECT)
		stream->suspect_ms = event->sent_ms;
	if (phase != PHASE_SUSPECT)
		stream->suspect_ms = NEVER;
	stream->phase = phase;
	stream->phases |= 1u << phase;
	if (event->type != EVENT_STREAM_PROVISIONED) /* it says nothing of the device */
		stream->activity_ms = event->sent_ms;
	stream->phase_seq = event->seq;
	if (phase != PHASE_CLOSED)
		stream->user->live = stream;
	else if (stream->user->live == stream)
		stream->user->live = NULL;
}

static void opened(struct audit_stream *stream, const struct stream_event *event)
{
	stream->whole = true;
	stream->kind = (enum kind)event->stream_opened.kind;
	stream->origin = event->origin;
	stream->request = event->request;
	stream->opened_seq = event->seq;
	stream->opened_ms = event->sent_ms;
	stream->epoch = event->epoch;
	text_put(event->stream_opened.package, stream->package, sizeof stream->package);
	if (stream->kind == KIND_MANAGED)
		audit_viewer(stream, event->stream_opened.package)->state = WATCH_YES;
	moves(stream, event, PHASE_REQUESTED);
}

static void closed(struct audit_stream *stream, const struct stream_event *event)
{
	stream->cause = (enum end_cause)event->stream_closed.end_cause;
	stream->closed_seq = event->seq;
	stream->closed_ms = event->sent_ms;
	stream->told_owed = event->stream_closed.told_owed;
	stream->stop_owed = event->stream_closed.stop_owed;
	stream->input_owed = event->stream_closed.input_owed;
	for (unsigned i = 0; i < stream->viewer_count; i++) /* who could be reached is not said */
		if (stream->viewers[i].state == WATCH_YES)
			stream->viewers[i].state = stream->told_owed ? WATCH_OWED : WATCH_TOLD;
	stream->outputs = 0;
	moves(stream, event, PHASE_CLOSED);
}

/* Which of several viewers are owed the end is not said: their debt alone does not count. */
static bool is_liable(const struct audit_stream *stream)
{
	return stream->phase == PHASE_CLOSED &&
	       (stream->stop_owed || stream->input_owed ||
		(stream->told_owed && stream->kind == KIND_UNMANAGED));
}

/* Of a managed stream every viewer who was owed it has to be told. */
static void told(struct audit_stream *stream, const struct stream_event *event)
{
	bool owed = false;

	if (stream->kind == KIND_MANAGED)
		audit_viewer(stream, event->stream_told.package)->state = WATCH_TOLD;
	for (unsigned i = 0; i < stream->viewer_count; i++)
		owed = owed || stream->viewers[i].state == WATCH_OWED;
	stream->told_owed = owed;
}

static void learn_stream(struct audit *audit, const struct stream_event *event)
{
	struct audit_stream *stream = audit_stream(audit, event);
	bool was_liable = is_liable(stream);

	stream->stream_seq = event->stream_seq;
	if (event->type == EVENT_STREAM_OPENED) {
		opened(stream, event);
		stream->probes = (struct audit_probes){ .era = audit->probe_era,
							.sent_ms = NEVER,
							.counted = true };
	} else if (event->type == EVENT_STREAM_CLOSED)
		closed(stream, event);
	else if (event->type == EVENT_STREAM_TOLD)
		told(stream, event);
	else if (event->type == EVENT_STREAM_STOP_SETTLED)
		stream->stop_owed = false;
	else if (event->type == EVENT_STREAM_INPUT_SETTLED)
		stream->input_owed = false;
	else if (event->type == EVENT_STREAM_JOINED)
		audit_viewer(stream, event->stream_joined.package)->state = WATCH_YES;
	else if (event->type == EVENT_STREAM_LEFT)
		audit_viewer(stream, event->stream_left.package)->state =
			event->stream_left.told_owed ? WATCH_OWED : WATCH_LEFT;
	if (event->type == EVENT_STREAM_STATUS) {
		stream->status_ms = event->sent_ms;
		stream->missed = 0;
		moves(stream, event, (enum phase)event->stream_status.phase);
	} else if (event->type == EVENT_STREAM_MOVED) {
		stream->missed = event->stream_moved.missed;
		moves(stream, event, (enum phase)event->stream_moved.phase);
	} else if (event->type == EVENT_STREAM_PROVISIONED) {
		text_put(event->stream_provisioned.input_id, stream->input_id,
			 sizeof stream->input_id);
		if (stream->phase != PHASE_CLOSED)
			moves(stream, event, (enum phase)event->stream_provisioned.phase);
	} else if (event->type == EVENT_STREAM_OUTPUT && event->stream_output.output < 32) {
		uint32_t bit = 1u << event->stream_output.output;

		stream->outputs = event->stream_output.state == OUTPUT_REMOVED
					  ? stream->outputs & ~bit
					  : stream->outputs | bit;
	}
	stream->user->liabilities += is_liable(stream);
	stream->user->liabilities -= was_liable && stream->user->liabilities > 0;
	if (event->epoch > stream->user->epoch)
		stream->user->epoch = event->epoch;
}

void audit_learn(struct audit *audit, const struct stream_event *event)
{
	if (event->type == EVENT_SESSION_OPENED)
		audit_user(audit, event->user_id)->whole = true;
	else if (event->type == EVENT_DEPLOYMENT_MARKED)
		text_put(event->deployment_marked.mark, audit->mark, sizeof audit->mark);
	else if (event->type == EVENT_GATEWAY_CHANGED)
		audit_disturb(audit);
	else if (event->stream_id.length > 0)
		learn_stream(audit, event);
}
