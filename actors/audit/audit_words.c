/* SPDX-License-Identifier: MIT */
/* audit_words.c - I7 and I6 as the story shows them: what a device's word does to a phase, and who
 * is told of an end.  The tables are those of protocol 5.3 and 5.4, written down here once more.
 */
#include "actors/audit/audit_words.h"

/* clang-format off */
static const enum phase by_word[DEVICE_STATUS_COUNT][KIND_COUNT] = {
	/* PHASE_CLOSED: the word ends the stream, so it is never a status of it */
	[DEVICE_INITIALIZING] = { [KIND_UNMANAGED] = PHASE_STARTING, [KIND_MANAGED] = PHASE_STARTING },
	[DEVICE_CONNECTING] = { [KIND_UNMANAGED] = PHASE_STARTING, [KIND_MANAGED] = PHASE_STARTING },
	[DEVICE_RECONNECTING] = { [KIND_UNMANAGED] = PHASE_STARTING, [KIND_MANAGED] = PHASE_LIVE },
	[DEVICE_STREAMING] = { [KIND_UNMANAGED] = PHASE_LIVE, [KIND_MANAGED] = PHASE_LIVE },
	[DEVICE_ACTIVE] = { [KIND_UNMANAGED] = PHASE_LIVE, [KIND_MANAGED] = PHASE_LIVE },
	[DEVICE_RECONNECTED] = { [KIND_UNMANAGED] = PHASE_LIVE, [KIND_MANAGED] = PHASE_LIVE },
	[DEVICE_STOPPING] = { [KIND_UNMANAGED] = PHASE_STOPPING, [KIND_MANAGED] = PHASE_STOPPING },
	[DEVICE_STOPPED] = { [KIND_UNMANAGED] = PHASE_CLOSED, [KIND_MANAGED] = PHASE_CLOSED },
	[DEVICE_DISCONNECTED] = { [KIND_UNMANAGED] = PHASE_CLOSED, [KIND_MANAGED] = PHASE_LIVE },
	[DEVICE_TIMEOUT] = { [KIND_UNMANAGED] = PHASE_CLOSED, [KIND_MANAGED] = PHASE_LIVE },
	[DEVICE_ERROR] = { [KIND_UNMANAGED] = PHASE_CLOSED, [KIND_MANAGED] = PHASE_CLOSED },
	[DEVICE_RECONNECT_FAILED] = { [KIND_UNMANAGED] = PHASE_CLOSED, [KIND_MANAGED] = PHASE_LIVE },
	[DEVICE_OTHER] = { [KIND_UNMANAGED] = PHASE_CLOSED, [KIND_MANAGED] = PHASE_LIVE },
	[DEVICE_NONE] = { [KIND_MANAGED] = PHASE_LIVE },
};

/* The end of a stream as its apps read it, and where it is to blame. */
static const struct end_words ends[END_CAUSE_COUNT] = {
	[END_APP_STOP] = { { "stopped", "stopped" }, HOP_APP },
	[END_TAKEOVER] = { { "stopped", "stopped" }, HOP_APP },
	[END_OPERATOR_STOP] = { { "stopped", "stopped" }, HOP_CLOUD },
	[END_APP_CLOSED] = { { "stopped", "stopped" }, HOP_APP },
	[END_DEVICE_STOPPED] = { { "stopped", "stopped" }, HOP_GLASSES },
	[END_DEVICE_ERROR] = { { "stopped", "error" }, HOP_GLASSES },
	[END_RECONNECT_FAILED] = { { "stopped", "error" }, HOP_GLASSES },
	[END_DEVICE_TIMEOUT] = { { "timeout", "error" }, HOP_GLASSES },
	[END_PHONE_LOST] = { { "timeout", "error" }, HOP_PHONE_LINK },
	[END_GLASSES_LOST] = { { "timeout", "error" }, HOP_GLASSES },
	[END_ACKS_MISSED] = { { "timeout", "error" }, HOP_GLASSES },
	[END_NEVER_STARTED] = { { "timeout", "error" }, HOP_GLASSES },
	[END_STALLED] = { { "timeout", "error" }, HOP_GLASSES },
	[END_SESSION_ENDED] = { { "timeout", "error" }, HOP_PHONE_LINK },
	[END_GATEWAY_LOST] = { { "timeout", "error" }, HOP_CLOUD },
	[END_DURATION_LIMIT] = { { "stopped", "stopped" }, HOP_CLOUD },
	[END_PROVIDER_ERROR] = { { "stopped", "error" }, HOP_PROVIDER },
	[END_RECORD_LOST] = { { "stopped", "error" }, HOP_CLOUD },
};

/* Phases that stream.moved may lead to. */
static const uint32_t moves[PHASE_COUNT] = {
	[PHASE_REQUESTED] = 1u << PHASE_STARTING,
	[PHASE_PROVISIONING] = 1u << PHASE_STARTING,
	[PHASE_STARTING] = 1u << PHASE_SUSPECT,
	[PHASE_LIVE] = 1u << PHASE_SUSPECT,
	[PHASE_SUSPECT] = 1u << PHASE_SUSPECT | 1u << PHASE_LIVE,
};
/* clang-format on */

const struct end_words *audit_end_words(uint32_t cause)
{
	return cause < END_CAUSE_COUNT && ends[cause].hop != HOP_NONE ? &ends[cause] : NULL;
}

static const char *phase_name(uint32_t phase)
{
	return words_name(&phase_words, phase);
}

/* A status without a word is a sign of life of an unmanaged stream: it has got its start, or is
 * suspect no more.
 */
static bool is_sign(enum phase from, enum phase to)
{
	return to == from || (from == PHASE_REQUESTED && to == PHASE_STARTING) ||
	       (from == PHASE_SUSPECT && to == PHASE_LIVE);
}

static void look_at_status(struct audit *audit, const struct audit_stream *stream,
			   const struct stream_event *event)
{
	enum device_status word = (enum device_status)event->stream_status.status;
	enum phase to = (enum phase)event->stream_status.phase;
	const char *name = words_name(&device_status_words, word);

	if (stream->kind == KIND_NONE || stream->phase == PHASE_NONE || word >= DEVICE_STATUS_COUNT)
		return;
	if (stream->kind == KIND_UNMANAGED && word == DEVICE_NONE)
		audit_judge(audit, RULE_I7, is_sign(stream->phase, to), stream, stream->phase_seq,
			    "a sign of life turns %s into %s", phase_name(stream->phase),
			    phase_name(to));
	else
		audit_judge(audit, RULE_I7, by_word[word][stream->kind] == to, stream,
			    stream->phase_seq, "'%s' of a stream that was %s makes it %s, not %s",
			    name, phase_name(stream->phase), phase_name(to),
			    phase_name(by_word[word][stream->kind]));
	if (stream->kind == KIND_MANAGED)
		audit_judge(audit, RULE_I7, stream->phase != PHASE_REQUESTED, stream,
			    stream->phase_seq, "'%s' of a stream that has no input yet", name);
}

static void look_at_move(struct audit *audit, const struct audit_stream *stream,
			 const struct stream_event *event)
{
	uint32_t to = event->stream_moved.phase;
	bool holds = to < PHASE_COUNT && (moves[stream->phase] & 1u << to) != 0;

	if (stream->phase == PHASE_NONE || stream->kind == KIND_NONE)
		return;
	if (stream->phase == PHASE_REQUESTED && stream->kind == KIND_MANAGED)
		holds = false;
	if (stream->phase == PHASE_STARTING && stream->kind == KIND_UNMANAGED)
		holds = false;
	audit_judge(audit, RULE_I7, holds, stream, stream->phase_seq, "it moves from %s to %s",
		    phase_name(stream->phase), phase_name(to));
}

void audit_words(struct audit *audit, const struct stream_event *event)
{
	const struct audit_stream *stream;

	if (event->stream_id.length == 0 || event->type == EVENT_STREAM_OPENED)
		return;
	stream = audit_stream(audit, event);
	if (stream->phase == PHASE_CLOSED)
		return; /* I2 */
	if (event->type == EVENT_STREAM_STATUS)
		look_at_status(audit, stream, event);
	else if (event->type == EVENT_STREAM_MOVED)
		look_at_move(audit, stream, event);
	else if (event->type == EVENT_STREAM_PROVISIONED && stream->phase != PHASE_NONE)
		audit_judge(audit, RULE_I7,
			    stream->phase == PHASE_REQUESTED &&
				    event->stream_provisioned.phase == PHASE_PROVISIONING,
			    stream, stream->phase_seq, "its input turns %s into %s",
			    phase_name(stream->phase), phase_name(event->stream_provisioned.phase));
}

/* I6: who is owed the end is told once, the owner of an unmanaged stream and nobody else. */
void audit_tellings(struct audit *audit, const struct stream_event *event)
{
	struct audit_stream *stream;
	struct text package;

	if (event->type != EVENT_STREAM_TOLD)
		return;
	stream = audit_stream(audit, event);
	package = event->stream_told.package;
	if (!stream->whole)
		return;
	if (stream->kind == KIND_UNMANAGED) {
		audit_judge(audit, RULE_I6, text_is(package, stream->package), stream,
			    stream->opened_seq, "%.*s is told of its end, its owner is %s",
			    (int)package.length, package.bytes, stream->package);
		audit_judge(audit, RULE_I6, stream->told_owed, stream,
			    stream->closed_seq ? stream->closed_seq : stream->phase_seq,
			    "%.*s is told of its end, which was not owed", (int)package.length,
			    package.bytes);
	} else {
		audit_judge(audit, RULE_I6, audit_viewer(stream, package)->state == WATCH_OWED,
			    stream, stream->closed_seq,
			    "%.*s is told of its end, which was not owed", (int)package.length,
			    package.bytes);
	}
}
