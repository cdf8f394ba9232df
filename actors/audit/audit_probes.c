/* SPDX-License-Identifier: MIT */
/* audit_probes.c - I8, I9: what the scheduler says of the probes it sends. */
#include "actors/audit/audit_internal.h"

static void look_at_sent(struct audit *audit, struct audit_stream *stream,
			 const struct stream_event *event)
{
	struct audit_probes *probes = &stream->probes;
	int64_t least_ms = audit->options.interval_ms * 2 / 3;
	int64_t fade_ms = audit->options.interval_ms * 2;

	if (probes->sent_ms != NEVER)
		audit_judge(audit, RULE_I8,
			    audit_waited(probes->sent_ms, event->sent_ms, least_ms - JITTER_MS),
			    stream, 0, "a probe %lld ms after the last one, the least is %lld",
			    (long long)(event->sent_ms - probes->sent_ms), (long long)least_ms);
	if (stream->era == audit->era && stream->phase == PHASE_CLOSED)
		audit_judge(audit, RULE_I8, event->sent_ms - stream->closed_ms <= fade_ms, stream,
			    stream->closed_seq, "a probe %lld ms after its end",
			    (long long)(event->sent_ms - stream->closed_ms));
	probes->sent_ms = event->sent_ms;
	probes->waits = true;
	text_put(event->probe_sent.ack_id, probes->ack_id, sizeof probes->ack_id);
}

static void look_at_acked(struct audit *audit, struct audit_stream *stream,
			  const struct stream_event *event)
{
	struct audit_probes *probes = &stream->probes;

	if (!event->probe_acked.counted)
		return;
	if (probes->sent_ms != NEVER)
		audit_judge(audit, RULE_I9,
			    probes->waits && text_is(event->probe_acked.ack_id, probes->ack_id),
			    stream, 0, "the ack of %.*s counts, and it is not waited for",
			    (int)event->probe_acked.ack_id.length, event->probe_acked.ack_id.bytes);
	probes->waits = false;
	probes->counted = true;
	probes->missed = 0;
}

static void look_at_missed(struct audit *audit, struct audit_stream *stream,
			   const struct stream_event *event)
{
	struct audit_probes *probes = &stream->probes;
	uint64_t missed = event->probe_missed.missed;
	int64_t least_ms = audit->options.ack_timeout_ms;

	if (probes->sent_ms != NEVER) {
		audit_judge(audit, RULE_I9,
			    probes->waits && text_is(event->probe_missed.ack_id, probes->ack_id),
			    stream, 0, "%.*s counts as missed, and it was not waited for",
			    (int)event->probe_missed.ack_id.length,
			    event->probe_missed.ack_id.bytes);
		audit_judge(audit, RULE_I9,
			    audit_waited(probes->sent_ms, event->sent_ms, least_ms - JITTER_MS),
			    stream, 0, "missed %lld ms after it was sent, its window is %lld",
			    (long long)(event->sent_ms - probes->sent_ms), (long long)least_ms);
	}
	/* An activity that sets it back to nothing shows in the story, not here. */
	if (probes->counted)
		audit_judge(audit, RULE_I9, missed == 1 || missed == probes->missed + 1, stream, 0,
			    "%llu misses, %llu were known", (unsigned long long)missed,
			    (unsigned long long)probes->missed);
	probes->counted = true;
	probes->waits = false;
	probes->missed = missed;
}

void audit_probes(struct audit *audit, const struct stream_event *event)
{
	struct audit_stream *stream;

	if (event->type != EVENT_PROBE_SENT && event->type != EVENT_PROBE_ACKED &&
	    event->type != EVENT_PROBE_MISSED)
		return;
	audit->seen |= NEED_PROBES;
	stream = audit_stream_find(audit, event->stream_id);
	if (!stream)
		return; /* opened before the recording begins, and nothing was said of it since */
	if (stream->probes.era != audit->probe_era)
		stream->probes = (struct audit_probes){ .era = audit->probe_era, .sent_ms = NEVER };
	if (event->type == EVENT_PROBE_SENT)
		look_at_sent(audit, stream, event);
	else if (event->type == EVENT_PROBE_ACKED)
		look_at_acked(audit, stream, event);
	else
		look_at_missed(audit, stream, event);
}
