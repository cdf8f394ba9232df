/* SPDX-License-Identifier: MIT */
/* Records of an earlier life that were lost: they are told of, and what ran by them ends. */
#include "actors/registry/registry_internal.h"

/* In struct registry's rebuilt[]: a damaged record has its name, and is told of together with it.
 */
#define NAMED (UINT32_C(1) << 31)

void registry_load_damage(struct registry *self, const struct registry_damage *damage,
			  uint32_t count)
{
	self->damage = damage;
	self->damage_count = count;
}

int registry_load_past(struct registry *self, const struct stream_event *event)
{
	struct state_user *user = state_user_find(&self->state, event->user_id);
	int r;

	if (user && self->rebuilt[user - self->state.users] == 0)
		return 0; /* its record says it all */
	r = registry_load_row(self, event);
	user = state_user_find(&self->state, event->user_id);
	if (user)
		self->rebuilt[user - self->state.users]++;
	return r;
}

/* What the history has forgotten: a session was there if anything of it is.  A user of whom only
 * sockets are known is told of by its gateways again.
 */
static int settle_user(struct registry *self, const struct state_user *user)
{
	struct stream_event row = { .user_id = registry_text(self, user->id) };
	bool ran = user->active != STATE_NONE;

	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next)
		ran = ran || self->state.apps[slot].state != APP_STOPPED;
	if (user->session != SESSION_NONE)
		return 0;
	row.type = ran ? EVENT_SESSION_OPENED : EVENT_SESSION_CLOSED;
	row.seq = self->seq;
	return registry_load_row(self, &row);
}

int registry_load_past_end(struct registry *self)
{
	int r = 0;

	for (uint32_t slot = 0; slot < self->state.users_fresh && r == 0; slot++) {
		if (self->rebuilt[slot] == 0)
			continue;
		if (self->state.users[slot].used)
			r = settle_user(self, &self->state.users[slot]);
		if (self->state.users[slot].used)
			self->rebuilt_count++;
		else
			self->rebuilt[slot] = 0;
	}
	for (uint32_t i = 0; i < self->damage_count; i++) {
		const struct state_user *user =
			state_user_find(&self->state, self->damage[i].user_id);

		if (user && self->rebuilt[user - self->state.users] != 0)
			self->rebuilt[user - self->state.users] |= NAMED;
	}
	return r;
}

/* A stream cannot go on by what the history knows of it: where it publishes is not in there. */
static void tell_rebuilt(struct registry *self, uint32_t slot)
{
	const struct state_user *user = state_user_of(&self->state, slot);
	struct state_stream *active = user ? state_active(&self->state, user) : NULL;
	const uint32_t rows = self->rebuilt[slot] & ~NAMED;
	struct stream_event *event;

	self->rebuilt[slot] = 0;
	self->rebuilt_count--;
	if (!user)
		return; /* gone in the meantime */
	event = registry_story(self, EVENT_RECORD_REBUILT, user);
	event->record_rebuilt.rows = rows;
	registry_tell(self, event);
	if (active && active->opened_seq <= self->options.first_seq)
		registry_close(self, active,
			       &(struct closing){ .cause = END_RECORD_LOST,
						  .evidence = self->seq,
						  .last_ack_age_ms = -1 });
}

/* In one list of effects, so in one commit: once the record is put aside nothing but its user's new
 * one says that there was anything.
 */
static void tell_damage(struct registry *self, const struct registry_damage *damage)
{
	const struct state_user *user = state_user_find(&self->state, damage->user_id);
	struct stream_event *event = registry_story(self, EVENT_RECORD_QUARANTINED, user);

	event->record_quarantined.bucket = damage->bucket;
	event->record_quarantined.reason = damage->reason;
	event->record_quarantined.key_hash = damage->key_hash;
	registry_tell(self, event);
	if (user && self->rebuilt[user - self->state.users] != 0)
		tell_rebuilt(self, (uint32_t)(user - self->state.users));
}

static bool has_room(const struct registry *self)
{
	return effects_room(self->fx) >= EFFECTS_MAX / 2 &&
	       self->state.pool.dropped_count <= POOL_DROPPED_MAX / 2;
}

/* First those of whom no key tells: as long as a damaged record is there they can be found again.
 */
void registry_damage_step(struct registry *self)
{
	for (; self->rebuilt_cursor < self->state.users_fresh; self->rebuilt_cursor++) {
		uint32_t rebuilt = self->rebuilt[self->rebuilt_cursor];

		if (rebuilt == 0 || rebuilt & NAMED)
			continue;
		if (!has_room(self))
			return;
		self->cause = 0;
		tell_rebuilt(self, self->rebuilt_cursor);
	}
	for (; self->damage_next < self->damage_count; self->damage_next++) {
		if (!has_room(self))
			return;
		self->cause = 0;
		tell_damage(self, &self->damage[self->damage_next]);
	}
}

bool registry_is_settled(const struct registry *self)
{
	return self->damage_next == self->damage_count;
}
