/* SPDX-License-Identifier: MIT */
/* audit_ends.c - I12, I11 of viewers, I14, I15: how streams end, who watches, how much there is. */
#include "actors/audit/audit_words.h"

#include "proto/stream_event_table.h"

/* Ends that somebody has decided upon because of a fact of the story, and what facts. */
static bool is_evidence(enum end_cause cause, uint32_t type)
{
	switch ((int)cause) {
	case END_PHONE_LOST:
	case END_SESSION_ENDED:
	case END_GATEWAY_LOST:
		return type == EVENT_LINK_CHANGED || type == EVENT_GATEWAY_CHANGED;
	case END_GLASSES_LOST:
		return type == EVENT_GLASSES_CHANGED;
	case END_RECORD_LOST:
		return type == EVENT_RECORD_REBUILT;
	case END_ACKS_MISSED:
	case END_NEVER_STARTED:
	case END_STALLED:
		return type >= EVENT_STREAM_OPENED && type <= EVENT_STREAM_PLAYBACK;
	default:
		return true;
	}
}

static bool needs_evidence(enum end_cause cause)
{
	return !is_evidence(cause, EVENT_NONE);
}

static void look_at_evidence(struct audit *audit, const struct audit_stream *stream,
			     const struct stream_event *event)
{
	enum end_cause cause = (enum end_cause)event->stream_closed.end_cause;
	const struct audit_trace *trace = audit_traced(audit, event->cause);
	const char *name = words_name(&end_cause_words, cause);
	bool by_device = cause >= END_DEVICE_STOPPED && cause <= END_DEVICE_TIMEOUT;

	audit_judge(audit, RULE_I12, event->cause < event->seq, stream, event->cause,
		    "the evidence of its end comes after it");
	if (needs_evidence(cause))
		audit_judge(audit, RULE_I12, event->cause != 0, stream, 0,
			    "it ends as %s, and no event shows why", name);
	if (by_device)
		audit_judge(audit, RULE_I12, event->stream_closed.status != DEVICE_NONE, stream, 0,
			    "it ends as %s, and the device's word is not given", name);
	if (!trace)
		return;
	audit_judge(audit, RULE_I12,
		    is_evidence(cause, trace->type) &&
			    (trace->user == 0 || trace->user == audit_hash(event->user_id)),
		    stream, event->cause, "it ends as %s, and its evidence is %s%s", name,
		    stream_event_name((enum stream_event_type)trace->type),
		    trace->user == audit_hash(event->user_id) ? "" : " of somebody else");
}

void audit_ends(struct audit *audit, const struct stream_event *event)
{
	const struct end_words *words;
	const struct audit_stream *stream;

	if (event->type != EVENT_STREAM_CLOSED)
		return;
	stream = audit_stream(audit, event);
	words = audit_end_words(event->stream_closed.end_cause);
	if (!audit_judge(audit, RULE_I12, words != NULL, stream, 0, "it ends without a cause"))
		return;
	audit_judge(audit, RULE_I12, event->stream_closed.hop == words->hop, stream, 0,
		    "it ends as %s, and the hop is '%s' instead of '%s'",
		    words_name(&end_cause_words, event->stream_closed.end_cause),
		    words_name(&hop_words, event->stream_closed.hop),
		    words_name(&hop_words, words->hop));
	look_at_evidence(audit, stream, event);
	audit_judge(audit, RULE_I14, stream->user->liabilities < LIABILITIES_LIMIT, stream, 0,
		    "%u ended streams of its user owe something, at most %d may",
		    stream->user->liabilities + 1, LIABILITIES_LIMIT);
}

/* Viewers -------------------------------------------------------------------------------------- */

static unsigned watching(const struct audit_stream *stream)
{
	unsigned count = 0;

	for (unsigned i = 0; i < stream->viewer_count; i++)
		count += stream->viewers[i].state == WATCH_YES;
	return count;
}

static void look_at_last(struct audit *audit, const struct audit_stream *stream,
			 const struct stream_event *event)
{
	uint32_t cause = event->stream_closed.end_cause;

	if (cause == END_APP_STOP || cause == END_APP_CLOSED)
		audit_judge(audit, RULE_I11, watching(stream) == 0, stream, stream->phase_seq,
			    "its viewers have left it, and %u of them have not", watching(stream));
}

void audit_viewers(struct audit *audit, const struct stream_event *event)
{
	struct audit_stream *stream;
	struct text package;

	if (event->stream_id.length == 0 || event->type == EVENT_STREAM_OPENED)
		return;
	stream = audit_stream(audit, event);
	if (!stream->whole || stream->kind != KIND_MANAGED)
		return;
	if (event->type == EVENT_STREAM_CLOSED) {
		look_at_last(audit, stream, event);
	} else if (event->type == EVENT_STREAM_LEFT) {
		package = event->stream_left.package;
		enum watching state = audit_viewer(stream, package)->state;

		audit_judge(audit, RULE_I11, state == WATCH_YES || state == WATCH_OWED, stream,
			    stream->opened_seq, "%.*s leaves it and has not watched",
			    (int)package.length, package.bytes);
	} else if (event->type == EVENT_STREAM_JOINED) {
		package = event->stream_joined.package;
		bool more = audit_viewer(stream, package)->state != WATCH_YES;

		audit_judge(audit, RULE_I14, watching(stream) + more <= VIEWERS_LIMIT, stream, 0,
			    "%u watch it, at most %d may", watching(stream) + more, VIEWERS_LIMIT);
	} else if (event->type == EVENT_STREAM_OUTPUT && event->stream_output.output < 32 &&
		   event->stream_output.state == OUTPUT_NEW) {
		uint32_t outputs = stream->outputs | 1u << event->stream_output.output;

		audit_judge(audit, RULE_I14, __builtin_popcount(outputs) <= OUTPUTS_LIMIT, stream,
			    0, "it has %d outputs, at most %d may be", __builtin_popcount(outputs),
			    OUTPUTS_LIMIT);
	}
}

/* Secrets -------------------------------------------------------------------------------------- */

/* A tap shows a secret redacted, but what was published has to be empty. */
void audit_secrets(struct audit *audit, const struct stream_event *event)
{
	const struct schema *schema = stream_event_schema(event->type);

	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		const struct text *text =
			(const struct text *)((const char *)event + field->offset);

		if (field->secret)
			audit_judge(audit, RULE_I15, text->length == 0 || field->kind == FIELD_LIST,
				    NULL, 0, "%s is published with its secret '%s'", schema->name,
				    field->name);
	}
}

void audit_line(struct audit *audit, struct text line)
{
	for (size_t i = 0; i < audit->secret_count; i++) {
		const char *secret = audit->secrets[i];

		if (!audit_judge(audit, RULE_I15,
				 !memmem(line.bytes, line.length, secret, strlen(secret)), NULL, 0,
				 "a recorded line has a secret of the clients' recording in it: "
				 "'%.3s...', line begins '%.40s'",
				 secret, line.bytes))
			return;
	}
}
