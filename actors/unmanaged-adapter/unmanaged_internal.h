/* SPDX-License-Identifier: MIT */
/* unmanaged_internal.h - shared by the files of the unmanaged adapter's core. */
#pragma once

#include "actors/unmanaged-adapter/unmanaged_core.h"
#include "common/phase.h"

static inline struct text unmanaged_text(const struct unmanaged *self, struct pooled kept)
{
	return state_text(&self->state, kept);
}

/* unmanaged_judge.c: protocol.md 3.2 */
struct refusal {
	const char *code; /* NULL: not refused */
	char reason[REASON_MAX];
};

void unmanaged_judge_start(const struct unmanaged *self, const struct unmanaged_pending *pending,
			   struct refusal *out);
void unmanaged_judge_result(const struct unmanaged *self, const struct unmanaged_pending *pending,
			    enum result result, enum kind running, struct refusal *out);

/* unmanaged_requests.c */
void unmanaged_on_request(struct unmanaged *self, const struct input *input);
void unmanaged_on_result(struct unmanaged *self, const struct stream_event *event);
struct unmanaged_pending *unmanaged_pending_find(const struct unmanaged *self, uint64_t origin,
						 uint64_t request);
void unmanaged_on_story_of(struct unmanaged *self, struct unmanaged_pending *pending);
void unmanaged_parked_step(struct unmanaged *self);
void unmanaged_answered_step(struct unmanaged *self);
void unmanaged_ask_again(struct unmanaged *self);
/* When a request is answered with an error for want of any other; INT64_MAX: never. */
int64_t unmanaged_gives_up_ms(const struct unmanaged_pending *pending);
void unmanaged_expire(struct unmanaged *self);

/* unmanaged_deliver.c */
void unmanaged_deliver_start(struct unmanaged *self, const struct state_stream *stream);
void unmanaged_deliver_stop(struct unmanaged *self, const struct state_stream *stream);
void unmanaged_deliver_orphan_stop(struct unmanaged *self, const struct state_user *user,
				   struct text package, struct text told_id);
void unmanaged_notify(struct unmanaged *self, const struct state_stream *stream, const char *word,
		      bool terminal, bool direct, bool copies);
void unmanaged_settle_user(struct unmanaged *self, const struct state_user *user);
void unmanaged_reconcile_step(struct unmanaged *self);
