/* SPDX-License-Identifier: MIT */
/* audit_numbers.c - I13, and of I4 that a restart takes nothing back: numbers of events, holes in
 * the recording, and what disturbs the system.
 */
#include "actors/audit/audit_internal.h"

#include "actors/tap/tap_filter.h"

void audit_disturb(struct audit *audit)
{
	if (audit->now_ms > audit->calm_ms)
		audit->calm_ms = audit->now_ms;
}

/* A daemon that is not gone and says nothing is stopped, or dead, at this moment. */
int64_t audit_calm(const struct audit *audit)
{
	for (size_t i = 0; i < audit->sources.count; i++) {
		const struct audit_source *source = audit->sources.things[i];

		if (source->lost)
			return INT64_MAX;
		if (!source->story && !source->gone && source->ms != NEVER &&
		    audit->now_ms - source->ms > SILENCE_MS)
			return INT64_MAX;
	}
	return audit->calm_ms;
}

/* What was known before a hole is worth nothing behind it. */
static void forget(struct audit *audit, const struct audit_source *source)
{
	if (source->story)
		audit->era++;
	else if (text_is(audit->event->source, "lifecycle-scheduler"))
		audit->probe_era++;
	else if (text_is(audit->event->source, "managed-adapter"))
		audit->call_era++;
}

/* What it said before is not in the recording.  But who speaks up soon after the first of all has
 * been there all the while: daemons publish their metrics now and then.
 */
static void begin(struct audit *audit, struct audit_source *source,
		  const struct stream_event *event)
{
	bool was_there = !source->story && audit->live_ms != NEVER &&
			 event->sent_ms - audit->live_ms <= SILENCE_MS;

	if (!source->story && audit->live_ms == NEVER)
		audit->live_ms = event->sent_ms;
	source->seq = event->seq - 1;
	if (event->seq == 1)
		return;
	forget(audit, source);
	if (!was_there)
		audit_disturb(audit);
}

static void look_at_hole(struct audit *audit, struct audit_source *source,
			 const struct stream_event *event)
{
	uint64_t missed = event->seq - source->seq - 1;
	bool announced = source->announced >= missed;

	audit_judge(audit, RULE_I13, announced, NULL, source->story ? source->seq : 0,
		    "%s of %.*s: after %llu comes %llu, and nothing says that %llu are missing",
		    source->story ? "the story" : "events", (int)event->source.length,
		    event->source.bytes, (unsigned long long)source->seq,
		    (unsigned long long)event->seq, (unsigned long long)missed);
	if (announced)
		source->announced -= missed;
	audit->summary.holes++;
	forget(audit, source);
	audit_disturb(audit);
}

/* The story goes on where the last life has committed it, or is that of a new store. */
static void look_at_restart(struct audit *audit, struct audit_source *source,
			    const struct stream_event *event)
{
	audit_disturb(audit);
	if (!source->story) {
		source->seq = event->seq - 1;
		forget(audit, source);
		return;
	}
	if (event->seq == 1 && source->seq > 0) {
		audit->era++;
		source->seq = source->top = 0;
		return;
	}
	audit_judge(audit, RULE_I4, event->seq > source->top, NULL, source->top,
		    "a new life of the registry says %llu, its last one had published up to %llu",
		    (unsigned long long)event->seq, (unsigned long long)source->top);
	if (event->seq <= source->seq) {
		audit->era++;
		source->seq = event->seq - 1;
	}
}

static void note(struct audit *audit, const struct audit_source *source,
		 const struct stream_event *event)
{
	struct audit_summary *summary = &audit->summary;

	if (!source->story)
		return;
	if (summary->first_seq == 0) {
		summary->first_seq = event->seq;
		summary->first_ms = event->sent_ms;
	}
	summary->last_seq = event->seq;
	summary->last_ms = event->sent_ms;
}

static void look_at_clock(struct audit *audit, struct audit_source *source,
			  const struct stream_event *event)
{
	if (source->ms != NEVER && event->sent_ms < source->ms - CLOCK_SLACK_MS) {
		audit->summary.clock_steps++;
		audit->now_ms = audit->calm_ms = event->sent_ms;
	} else if (source->ms != NEVER && !source->story &&
		   event->sent_ms - source->ms > SILENCE_MS) {
		audit_disturb(audit); /* it was stopped, and goes on */
	}
	source->ms = event->sent_ms;
}

/* What a lost gateway holds cannot be seen: deadlines wait for it. */
static void note_gateway(struct audit *audit, const struct stream_event *event)
{
	struct stream_event said = { .type = EVENT_ACTOR_METRICS,
				     .source = event->gateway_changed.name };
	struct audit_source *gateway = audit_source_of(audit, &said);

	if (gateway->ms == NEVER) /* its own events are not in the recording */
		gateway->ms = event->sent_ms;
	gateway->lost = event->gateway_changed.state == LINK_LOST;
	gateway->gone = event->gateway_changed.state == LINK_DOWN;
}

void audit_numbers(struct audit *audit, const struct stream_event *event)
{
	struct audit_source *source = audit_source_of(audit, event);

	look_at_clock(audit, source, event);
	if (event->type == EVENT_ACTOR_STARTED || event->type == EVENT_ACTOR_STOPPED)
		audit_disturb(audit);
	source->gone = event->type == EVENT_ACTOR_STOPPED;
	note(audit, source, event);
	if (source->incarnation == 0)
		begin(audit, source, event);
	else if (source->incarnation != event->incarnation)
		look_at_restart(audit, source, event);
	source->incarnation = event->incarnation;
	if (event->seq > source->seq + 1)
		look_at_hole(audit, source, event);
	else
		audit_judge(audit, RULE_I13, event->seq == source->seq + 1, NULL,
			    source->story ? source->seq : 0, "%.*s says %llu after %llu",
			    (int)event->source.length, event->source.bytes,
			    (unsigned long long)event->seq, (unsigned long long)source->seq);
	source->seq = event->seq;
	if (event->seq > source->top)
		source->top = event->seq;
	if (event->type == EVENT_GATEWAY_CHANGED)
		note_gateway(audit, event);
}
