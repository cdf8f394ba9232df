/* SPDX-License-Identifier: MIT */
/* state_internal.h - shared by the files of state; nobody else includes it. */
#pragma once

#include "common/state.h"

void state_reset_slots(struct state *self);
uint32_t state_user_slot(const struct state *self, struct text id);
uint32_t state_stream_slot(const struct state *self, struct text id);
struct state_user *state_user_need(struct state *self, struct text id);
void state_user_release(struct state *self, uint32_t slot);
/* The user who has been away longest, and the apps remembered for it. */
void state_forget_oldest(struct state *self);

/* state_apply_stream() - the part of state_apply() that is about streams. */
int state_apply_stream(struct state *self, const struct stream_event *event);
