/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "actors/tap/tap_why_internal.h"
#include "actors/tap/tap_words.h"
#include "proto/list.h"

static bool has_failed(const struct stream_event *event)
{
	return event->stream_output.state == OUTPUT_ERROR ||
	       event->stream_output.state == OUTPUT_REFUSED;
}

/* The failure of an output is forgotten once the same one does well again, or is removed. */
static void take_output(struct why_managed *managed, const struct stream_event *event)
{
	if (has_failed(event))
		managed->output = event;
	else if (managed->output && event->stream_output.state != OUTPUT_REMOVING &&
		 managed->output->stream_output.output == event->stream_output.output)
		managed->output = NULL;
}

void why_managed_take(struct why_known *known, const struct stream_event *event)
{
	struct why_managed *managed = &known->managed;

	switch ((int)event->type) {
	case EVENT_STREAM_LEFT:
		managed->left = event;
		break;
	case EVENT_STREAM_PROVISIONED:
		managed->provisioned = event;
		if (!known->closed)
			known->activity = event;
		break;
	case EVENT_STREAM_INGEST:
		managed->ingest = event;
		if (!managed->live && event->stream_ingest.ingest == INGEST_LIVE)
			managed->live = event;
		break;
	case EVENT_STREAM_PLAYBACK:
		if (!managed->playback ||
		    managed->playback->stream_playback.playback != PLAYBACK_LIVE)
			managed->playback = event;
		break;
	case EVENT_STREAM_OUTPUT:
		if (!known->closed)
			take_output(managed, event);
		break;
	case EVENT_STREAM_INPUT_SETTLED:
		managed->settled = event;
		break;
	case EVENT_SNAPSHOT_MANAGED:
		managed->row = event;
		break;
	default:
		break;
	}
}

static void put_after(struct phrase *phrase, const struct stream_event *event,
		      const struct stream_event *since)
{
	if (!since)
		return;
	phrase_put(phrase, " after ");
	phrase_put_span(phrase, event->sent_ms - since->sent_ms);
}

static struct text watcher(const struct stream_event *event)
{
	switch ((int)event->type) {
	case EVENT_STREAM_OPENED:
		return event->stream_opened.package;
	case EVENT_STREAM_JOINED:
		return event->stream_joined.package;
	default:
		return TEXT("");
	}
}

/* Some event in front of @upto says already that @package watches. */
static bool is_named(const struct why_known *known, size_t upto, struct text package)
{
	for (size_t i = 0; i < upto; i++)
		if (text_equal(known->story->events[i].stream_id, known->first->stream_id) &&
		    text_equal(watcher(&known->story->events[i]), package))
			return true;
	return false;
}

/* "watched by A, B": who asked for it and who joined, each once. */
static void say_viewers(struct phrase *phrase, const struct why_known *known)
{
	const char *between = "; watched by ";

	for (size_t i = 0; i < known->story->count; i++) {
		const struct stream_event *event = &known->story->events[i];

		if (!text_equal(event->stream_id, known->first->stream_id) ||
		    watcher(event).length == 0 || is_named(known, i, watcher(event)))
			continue;
		phrase_put(phrase, "%s", between);
		phrase_put_text(phrase, watcher(event));
		between = ", ";
	}
}

static enum provider_kind provider_of(const struct why_known *known)
{
	if (known->opened)
		return (enum provider_kind)known->opened->stream_opened.provider;
	return known->managed.row
		       ? (enum provider_kind)known->managed.row->snapshot_managed.provider
		       : PROVIDER_NONE;
}

static void say_input(struct phrase *phrase, const struct why_known *known)
{
	const struct stream_event *made = known->managed.provisioned;
	const struct stream_event *row = known->managed.row;

	if (provider_of(known) != PROVIDER_NONE)
		phrase_put(phrase, "%s, ", words_name(&provider_words, provider_of(known)));
	if (made) {
		phrase_put(phrase, "input ");
		phrase_put_text(phrase, made->stream_provisioned.input_id);
		phrase_put(phrase, " made");
		put_after(phrase, made, known->opened);
	} else if (row && row->snapshot_managed.input_id.length > 0) {
		phrase_put(phrase, "input ");
		phrase_put_text(phrase, row->snapshot_managed.input_id);
	} else {
		phrase_put(phrase, known->opened ? "no input is known" : "its input is not kept");
	}
}

static void say_picture(struct phrase *phrase, const struct why_known *known)
{
	const struct why_managed *managed = &known->managed;

	if (managed->live) {
		phrase_put(phrase, "; picture there");
		put_after(phrase, managed->live, known->opened);
	} else if (managed->provisioned && known->delivered) {
		phrase_put(phrase, "; no picture came there");
	}
	if (!managed->playback)
		return;
	if (managed->playback->stream_playback.playback == PLAYBACK_LIVE) {
		phrase_put(phrase, "; to be watched");
		put_after(phrase, managed->playback, known->opened);
	} else if (managed->playback->stream_playback.playback == PLAYBACK_OVERDUE) {
		phrase_put(phrase, "; not to be watched in its time");
	}
}

static void say_settled(struct phrase *phrase, const struct why_known *known)
{
	const struct stream_event *settled = known->managed.settled;

	if (!settled)
		return;
	phrase_put(phrase, settled->stream_input_settled.input_id.length > 0 ? "; gone"
									     : "; there is none");
	phrase_put_reason(phrase, settled->stream_input_settled.detail);
	if (!known->closed || settled->seq < known->closed->seq)
		return;
	phrase_put(phrase, " ");
	phrase_put_span(phrase, settled->sent_ms - known->closed->sent_ms);
	phrase_put(phrase, " after the end");
}

void why_managed_line(const struct why_known *known, struct why *out)
{
	struct phrase phrase;

	if (out->kind != KIND_MANAGED)
		return;
	phrase_begin(&phrase, out->managed, sizeof out->managed);
	say_input(&phrase, known);
	say_picture(&phrase, known);
	say_viewers(&phrase, known);
	if (known->managed.output) {
		phrase_put(&phrase, "; ");
		event_words(&phrase, known->managed.output);
	}
	say_settled(&phrase, known);
}

bool why_managed_owed(const struct why_known *known)
{
	const struct why_managed *managed = &known->managed;

	if (managed->settled)
		return false;
	if (managed->provisioned && managed->provisioned->stream_provisioned.phase == PHASE_CLOSED)
		return true;
	if (known->closed)
		return known->closed->stream_closed.input_owed;
	return managed->row && managed->row->snapshot_managed.input == INPUT_OWED;
}

struct text why_managed_owes(const struct why_known *known, size_t index)
{
	const struct stream_event *row = known->managed.row;
	struct text package;
	struct wire wire;
	uint32_t rows, columns;
	uint64_t state;

	if (!row || !list_read(row->snapshot_managed.viewers, &wire, &rows))
		return TEXT("");
	for (; rows > 0; rows--) {
		if (!wire_array(&wire, &columns) || columns != 2 || !wire_text(&wire, &package) ||
		    !wire_u64(&wire, &state))
			return TEXT("");
		if (state == VIEWER_OWED && index-- == 0)
			return package;
	}
	return TEXT("");
}

enum hop why_managed_worst(const struct why_known *known, struct phrase *phrase)
{
	const struct why_managed *managed = &known->managed;

	if (managed->ingest && managed->ingest->stream_ingest.ingest != INGEST_LIVE &&
	    managed->ingest->stream_ingest.ingest != INGEST_UNKNOWN) {
		event_words(phrase, managed->ingest);
		return HOP_PROVIDER;
	}
	if (managed->playback && managed->playback->stream_playback.playback == PLAYBACK_OVERDUE) {
		event_words(phrase, managed->playback);
		return HOP_PROVIDER;
	}
	if (managed->output) {
		event_words(phrase, managed->output);
		return HOP_OUTPUT;
	}
	return HOP_NONE;
}
