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

/* What the history has forgotten: a session was there if anything of it is.  A user of whom only
 * sockets are known is told of by its gateways again.
 */
static void settle_user(struct registry *self, const struct state_user *user)
{
	struct stream_event row = { .user_id = registry_text(self, user->id) };
	bool ran = user->active != STATE_NONE;

	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next)
		ran = ran || self->state.apps[slot].state != APP_STOPPED;
	if (user->session != SESSION_NONE)
		return;
	row.type = ran ? EVENT_SESSION_OPENED : EVENT_SESSION_CLOSED;
	row.seq = self->seq;
	(void)registry_load_row(self, &row); /* it is there: that needs no room */
}

/* Nobody who is remembered has to go for somebody who was forgotten. */
static bool has_room_to_remember(const struct state *state)
{
	return state_has_room(state) && state->users_count < state->options.users_max &&
	       state->options.apps_max - state->apps_count >= APPS_PER_USER_MAX;
}

static void take_user(struct registry *self, const struct state *past, uint32_t slot, uint32_t rows)
{
	const struct state_user *lost = &past->users[slot], *user;
	struct state_record record;
	struct stream_event row;

	if (state_user_find(&self->state, state_text(past, lost->id)))
		return; /* its record says it all */
	if (lost->dormant && !has_room_to_remember(&self->state))
		return;
	state_record_begin(past, lost, &record);
	while (state_record_next(past, &record, &row))
		(void)registry_load_row(self, &row); /* as far as there is room */
	user = state_user_find(&self->state, state_text(past, lost->id));
	if (user)
		self->rebuilt[user - self->state.users] = rows;
}

static void take_users(struct registry *self, const struct state *past, const uint32_t *rows)
{
	for (unsigned dormant = 0; dormant < 2; dormant++)
		for (uint32_t slot = 0; slot < past->users_fresh; slot++)
			if (past->users[slot].used && past->users[slot].dormant == dormant)
				take_user(self, past, slot, rows[slot]);
}

void registry_load_past(struct registry *self, const struct state *past, const uint32_t *rows)
{
	struct stream_event row;

	/* What has a sound record has seen these events. */
	if (state_mark_row(past, &row))
		(void)registry_load_row(self, &row);
	for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
		if (past->gateways[i].incarnation == 0)
			continue;
		state_gateway_row(&past->gateways[i], &row);
		(void)registry_load_row(self, &row);
	}
	take_users(self, past, rows);
	for (uint32_t slot = 0; slot < self->state.users_fresh; slot++) {
		if (self->rebuilt[slot] == 0)
			continue;
		if (self->state.users[slot].used)
			settle_user(self, &self->state.users[slot]);
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
