/* SPDX-License-Identifier: MIT */
/* audit_slots.c - I1, I2, I5: who holds a user's one slot, what is too old, what was asked twice.
 * Also I13 of the numbers that each stream has of its own.
 */
#include "actors/audit/audit_internal.h"

#include <stdio.h>

/* The phase that the stream is in after @event; PHASE_NONE: it says nothing of that. */
static enum phase phase_after(const struct stream_event *event)
{
	switch ((int)event->type) {
	case EVENT_STREAM_OPENED:
		return PHASE_REQUESTED;
	case EVENT_STREAM_STATUS:
		return (enum phase)event->stream_status.phase;
	case EVENT_STREAM_MOVED:
		return (enum phase)event->stream_moved.phase;
	case EVENT_STREAM_PROVISIONED:
		return (enum phase)event->stream_provisioned.phase;
	default:
		return PHASE_NONE;
	}
}

/* I1: whatever shows that a stream runs shows that no other one of the user does. */
static void look_at_slot(struct audit *audit, const struct audit_stream *stream, enum phase phase)
{
	const struct audit_stream *live = stream->user->live;

	if (phase == PHASE_NONE || phase == PHASE_CLOSED)
		return;
	audit_judge(audit, RULE_I1, !live || live == stream, stream, live ? live->phase_seq : 0,
		    "%s is %s while %s has not ended", stream->id, words_name(&phase_words, phase),
		    live ? live->id : "");
}

static void look_at_age(struct audit *audit, const struct audit_stream *stream,
			const struct stream_event *event, enum phase phase)
{
	const struct audit_user *user = stream->user;

	if (event->type == EVENT_STREAM_OPENED) {
		audit_judge(audit, RULE_I2, event->epoch > user->epoch, stream, 0,
			    "epoch %llu after %llu", (unsigned long long)event->epoch,
			    (unsigned long long)user->epoch);
		return;
	}
	audit_judge(audit, RULE_I2, event->epoch == stream->epoch, stream, stream->opened_seq,
		    "an event of epoch %llu, the stream has %llu", (unsigned long long)event->epoch,
		    (unsigned long long)stream->epoch);
	if (phase != PHASE_NONE && stream->phase == PHASE_CLOSED)
		audit_judge(audit, RULE_I2, phase == PHASE_CLOSED, stream, stream->closed_seq,
			    "%s after its end", words_name(&phase_words, phase));
	if (event->type == EVENT_STREAM_CLOSED)
		audit_judge(audit, RULE_I2, stream->phase != PHASE_CLOSED, stream,
			    stream->closed_seq, "it ends a second time");
}

static void look_at_number(struct audit *audit, const struct audit_stream *stream,
			   const struct stream_event *event)
{
	if (event->type == EVENT_STREAM_OPENED)
		audit_judge(audit, RULE_I13, event->stream_seq == 1, stream, 0,
			    "its events begin with %llu", (unsigned long long)event->stream_seq);
	else if (stream->stream_seq != 0)
		audit_judge(audit, RULE_I13, event->stream_seq == stream->stream_seq + 1, stream,
			    stream->phase_seq, "its event %llu comes after %llu",
			    (unsigned long long)event->stream_seq,
			    (unsigned long long)stream->stream_seq);
}

struct effect {
	char key[64];
	uint64_t seq;
};

/* I5: an opening and a join are what a request for a stream can cause, and it causes one. */
static void look_at_request(struct audit *audit, const struct audit_stream *stream,
			    const struct stream_event *event)
{
	struct effect *effect;
	char key[sizeof effect->key];

	if (event->request == 0 ||
	    (event->type != EVENT_STREAM_OPENED && event->type != EVENT_STREAM_JOINED))
		return;
	(void)snprintf(key, sizeof key, "%llu/%llu", (unsigned long long)event->origin,
		       (unsigned long long)event->request);
	effect = audit_index_find(&audit->requests, text_of(key));
	audit_judge(audit, RULE_I5, !effect, stream, effect ? effect->seq : 0,
		    "request %llu of %llu has had its effect before",
		    (unsigned long long)event->request, (unsigned long long)event->origin);
	if (effect)
		return;
	effect = audit_index_add(&audit->requests, text_of(key), sizeof *effect);
	effect->seq = event->seq;
}

void audit_slots(struct audit *audit, const struct stream_event *event)
{
	enum phase phase = phase_after(event);
	struct audit_stream *stream;

	if (event->stream_id.length == 0)
		return;
	if (event->type == EVENT_STREAM_OPENED) { /* made by audit_stream(), so asked for first */
		stream = audit_stream_find(audit, event->stream_id);
		audit_judge(audit, RULE_I2, !stream, stream, stream ? stream->opened_seq : 0,
			    "a second stream of that name is opened");
	}
	stream = audit_stream(audit, event);
	look_at_slot(audit, stream, phase);
	look_at_age(audit, stream, event, phase);
	look_at_number(audit, stream, event);
	look_at_request(audit, stream, event);
}
