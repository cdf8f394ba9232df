/* SPDX-License-Identifier: MIT */
/* What an earlier life has left. */
#include "actors/registry/registry_internal.h"

int registry_load_row(struct registry *self, const struct stream_event *row)
{
	/* Remembering apps is a courtesy: it ends where there is no room. */
	if (row->type == EVENT_SNAPSHOT_REMEMBERED && !state_has_room(&self->state))
		return 0;
	int r = state_apply(&self->state, row);

	state_settle(&self->state);
	return r == STATE_E_FULL ? r : 0;
}

static void load_ending(struct registry *self, uint32_t slot, int64_t now_ms)
{
	/* There were never more: one past the limit is ended at once. */
	if (self->endings_count == REGISTRY_ENDINGS_MAX)
		return;
	self->endings[self->endings_count++] = (struct registry_ending){
		.user = slot,
		.session_seq = self->state.users[slot].session_seq,
		.until_ms = now_ms + self->options.ending_max_ms,
	};
}

void registry_loaded(struct registry *self, int64_t now_ms)
{
	for (uint32_t slot = 0; slot < self->state.streams_fresh; slot++)
		self->closed_at_ms[slot] = now_ms;
	for (uint32_t slot = 0; slot < self->state.users_fresh; slot++)
		if (self->state.users[slot].used &&
		    self->state.users[slot].session == SESSION_ENDING)
			load_ending(self, slot, now_ms);
	for (unsigned i = 0; i < GATEWAYS_MAX; i++)
		self->remembered[i] = self->state.gateways[i].incarnation;
	/* A gateway may have gone while its links were still being taken down. */
	if (self->state.users_count > 0)
		registry_sweep(self, self->options.incarnation, false);
}

void registry_storage(struct registry *self, bool has_room)
{
	self->no_storage = !has_room;
}
