/* SPDX-License-Identifier: MIT */
/* unmanaged_internal.h - shared by the files of the unmanaged adapter's core. */
#pragma once

#include "actors/unmanaged-adapter/unmanaged_core.h"
#include "common/phase.h"

static inline struct text unmanaged_text(const struct unmanaged *self, struct pooled kept)
{
	return state_text(&self->state, kept);
}

/* unmanaged_requests.c */
void unmanaged_act(void *context, struct ask *ask);
void unmanaged_on_result(struct unmanaged *self, const struct stream_event *event);
/* The rows of a snapshot are complete; what finds no room for its answer has it from the next step.
 */
void unmanaged_asks_synced(struct unmanaged *self);
void unmanaged_answered_step(struct unmanaged *self);

/* unmanaged_deliver.c */
void unmanaged_deliver_start(struct unmanaged *self, const struct state_stream *stream);
void unmanaged_deliver_orphan_stop(struct unmanaged *self, const struct state_user *user,
				   struct text package, struct text told_id);
void unmanaged_notify(struct unmanaged *self, const struct state_stream *stream, const char *word,
		      bool terminal, bool direct, bool copies);
void unmanaged_settle_user(struct unmanaged *self, const struct state_user *user);
void unmanaged_reconcile_step(struct unmanaged *self);
