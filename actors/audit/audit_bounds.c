/* SPDX-License-Identifier: MIT */
/* audit_bounds.c - I9 of verdicts, L1, L2: nobody is judged too early, and nothing lasts too long.
 */
#include "actors/audit/audit_internal.h"

static bool is_silence(enum end_cause cause)
{
	return cause == END_ACKS_MISSED || cause == END_PHONE_LOST || cause == END_GLASSES_LOST ||
	       cause == END_GATEWAY_LOST;
}

static int64_t least_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Each miss takes a window of its own, and only the first may come at once after a status. */
static void look_at_silence(struct audit *audit, const struct audit_stream *stream,
			    const struct stream_event *event)
{
	const struct audit_options *options = &audit->options;
	int64_t least_ms = (options->missed_max - 1) * options->interval_ms;
	uint64_t missed = event->stream_closed.missed;

	audit_judge(audit, RULE_I9, missed >= (uint64_t)options->missed_max, stream, 0,
		    "it ends for silence after %llu misses of %lld", (unsigned long long)missed,
		    (long long)options->missed_max);
	if (stream->phase != PHASE_NONE && stream->activity_ms != NEVER)
		audit_judge(audit, RULE_I9, missed == stream->missed + 1, stream, stream->phase_seq,
			    "it ends with %llu misses, the story knows of %llu",
			    (unsigned long long)missed, (unsigned long long)stream->missed);
	audit_judge(audit, RULE_I9,
		    audit_waited(stream->status_ms, event->sent_ms, least_ms - JITTER_MS), stream,
		    stream->phase_seq,
		    "it ends for silence %lld ms after a sign of life, the least is %lld",
		    (long long)(event->sent_ms - stream->status_ms), (long long)least_ms);
}

void audit_silence(struct audit *audit, const struct stream_event *event)
{
	const struct audit_options *options = &audit->options;
	int64_t least_ms = least_of(options->start_deadline_ms, options->stop_deadline_ms);
	const struct audit_stream *stream;
	enum end_cause cause;

	if (event->type != EVENT_STREAM_CLOSED)
		return;
	stream = audit_stream(audit, event);
	cause = (enum end_cause)event->stream_closed.end_cause;
	if (is_silence(cause))
		look_at_silence(audit, stream, event);
	else if (cause == END_NEVER_STARTED || cause == END_STALLED)
		audit_judge(audit, RULE_I9,
			    audit_waited(stream->activity_ms, event->sent_ms, least_ms - JITTER_MS),
			    stream, stream->phase_seq,
			    "it ends as %s %lld ms after its last event, the deadline is %lld",
			    words_name(&end_cause_words, cause),
			    (long long)(event->sent_ms - stream->activity_ms), (long long)least_ms);
}

/* Bounds --------------------------------------------------------------------------------------- */

/* How long the stream may go on as it is; counted from @since_ms, or when the last disturbance was
 * over.  0: for ever.  A deadline that passed while somebody was blind gets one window more.
 */
static int64_t bound_of(const struct audit *audit, const struct audit_stream *stream,
			int64_t *since_ms)
{
	const struct audit_options *options = &audit->options;
	int64_t bound_ms = 0;

	*since_ms = stream->activity_ms;
	switch ((int)stream->phase) {
	case PHASE_REQUESTED:
	case PHASE_PROVISIONING:
	case PHASE_STARTING:
		bound_ms = options->start_deadline_ms;
		break;
	case PHASE_STOPPING:
		bound_ms = options->stop_deadline_ms;
		break;
	case PHASE_SUSPECT:
		*since_ms = stream->suspect_ms;
		bound_ms = options->missed_max * options->interval_ms;
		break;
	default:
		return 0;
	}
	return bound_ms + options->ack_timeout_ms + options->interval_ms + SLACK_MS;
}

/* How much longer than it may it has been like this; not positive: it may. */
static int64_t excess(const struct audit *audit, const struct audit_stream *stream, int64_t now_ms)
{
	int64_t calm_ms = audit_calm(audit), since_ms;
	int64_t bound_ms = bound_of(audit, stream, &since_ms);

	if (!(audit->seen & NEED_OPS) || bound_ms == 0 || since_ms == NEVER || calm_ms == INT64_MAX)
		return 0;
	return now_ms - later_of(since_ms, calm_ms) - bound_ms;
}

static enum audit_rule rule_of(const struct audit_stream *stream)
{
	return stream->phase == PHASE_SUSPECT ? RULE_L1 : RULE_L2;
}

void audit_bounds(struct audit *audit, const struct stream_event *event)
{
	const struct audit_stream *stream;
	int64_t since_ms, excess_ms;

	if (event->type != EVENT_STREAM_STATUS && event->type != EVENT_STREAM_MOVED &&
	    event->type != EVENT_STREAM_CLOSED)
		return;
	stream = audit_stream(audit, event);
	if (!(audit->seen & NEED_OPS) || bound_of(audit, stream, &since_ms) == 0)
		return;
	excess_ms = excess(audit, stream, event->sent_ms);
	audit_judge(audit, rule_of(stream), excess_ms <= 0, stream, stream->phase_seq,
		    "it was %s for %lld ms longer than it may",
		    words_name(&phase_words, stream->phase), (long long)excess_ms);
}

void audit_bounds_end(struct audit *audit)
{
	for (size_t i = 0; i < audit->streams.count; i++) {
		const struct audit_stream *stream = audit->streams.things[i];
		int64_t since_ms, excess_ms;

		if (stream->era != audit->era || bound_of(audit, stream, &since_ms) == 0 ||
		    !(audit->seen & NEED_OPS))
			continue;
		excess_ms = excess(audit, stream, audit->now_ms);
		audit_stuck(audit, rule_of(stream), excess_ms > 0, stream,
			    "stuck: at the end it is %s, for %lld ms longer than it may",
			    words_name(&phase_words, stream->phase), (long long)excess_ms);
	}
}
