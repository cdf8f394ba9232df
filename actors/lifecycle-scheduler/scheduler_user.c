/* SPDX-License-Identifier: MIT */
/* scheduler_user.c - users: their session, their glasses link, the grace after its loss. */
#include "actors/lifecycle-scheduler/scheduler_state.h"

#include <assert.h>

static uint32_t long_slot(const struct user *user)
{
	uint32_t slot;

	memcpy(&slot, user->id, sizeof slot);
	return slot;
}

struct text scheduler_user_id(const struct scheduler *self, uint32_t user)
{
	const struct user *entry = &self->users[user];

	if (entry->id_length <= USER_INLINE_MAX)
		return (struct text){ entry->id, entry->id_length };
	return (struct text){ self->long_ids[long_slot(entry)].id, entry->id_length };
}

bool scheduler_user_match(const void *self, uint32_t slot, struct text key)
{
	return text_equal(scheduler_user_id(self, slot), key);
}

static bool put_id(struct scheduler *self, struct user *user, struct text id)
{
	char *at = user->id;

	if (id.length > USER_INLINE_MAX) {
		uint32_t slot = scheduler_slot_take(&self->long_id_slots);

		if (slot == NO_SLOT)
			return false;
		memcpy(user->id, &slot, sizeof slot);
		at = self->long_ids[slot].id;
	}
	memcpy(at, id.bytes, id.length);
	user->id_length = (uint8_t)id.length;
	return true;
}

static uint32_t make(struct scheduler *self, struct text id)
{
	uint32_t slot = NO_SLOT;

	if (id.length > 0 && id.length <= USER_ID_MAX)
		slot = scheduler_slot_take(&self->user_slots);
	if (slot == NO_SLOT) {
		self->stats.users_refused++;
		return NO_SLOT;
	}
	struct user *user = &self->users[slot];

	*user = (struct user){
		.stream = NO_SLOT,
		.apps = NO_SLOT,
		.generation = self->generation,
		.gateway = NO_GATEWAY,
	};
	if (!put_id(self, user, id)) {
		scheduler_slot_give(&self->user_slots, slot);
		self->stats.users_refused++;
		return NO_SLOT;
	}
	(void)table_insert(&self->user_index, id, slot); /* as many cells as slots */
	return slot;
}

uint32_t scheduler_user_find(struct scheduler *self, struct text id)
{
	uint32_t slot = table_find(&self->user_index, id);

	if (slot == NO_SLOT || !self->sweeping)
		return slot;
	scheduler_user_sweep(self, slot);
	return scheduler_slot_used(&self->user_slots, slot) ? slot : NO_SLOT;
}

uint32_t scheduler_user_touch(struct scheduler *self, struct text id)
{
	uint32_t slot = scheduler_user_find(self, id);

	if (slot == NO_SLOT)
		return make(self, id);
	struct user *user = &self->users[slot];

	if (user->generation != self->generation) {
		/* Named by this snapshot for the first time: older seqs mean nothing now.  What
		 * hangs on the user waits to be named too.
		 */
		user->generation = self->generation;
		user->link_seq = 0;
		user->closed_epoch = 0;
		user->flags &= (uint8_t) ~(USER_SESSION | USER_CLOSED | USER_LINK_TOLD);
	}
	return slot;
}

static void set_link(struct scheduler *self, uint32_t slot, enum link_state state, uint64_t link,
		     uint16_t gateway)
{
	struct user *user = &self->users[slot];
	uint16_t before = user->gateway;

	user->link_state = (uint8_t)state;
	user->link = link;
	user->gateway = gateway;
	if (user->stream != NO_SLOT)
		scheduler_probe_relink(self, user->stream, link, gateway);
	scheduler_gateway_hold(self, gateway); /* first: the two may be the same */
	scheduler_gateway_let_go(self, before);
}

static void drop_apps(struct scheduler *self, uint32_t slot)
{
	while (self->users[slot].apps != NO_SLOT)
		scheduler_app_drop(self, self->users[slot].apps);
}

static void drop(struct scheduler *self, uint32_t slot)
{
	struct user *user = &self->users[slot];

	if (user->stream != NO_SLOT)
		scheduler_stream_drop(self, user->stream);
	drop_apps(self, slot);
	set_link(self, slot, LINK_NONE, 0, NO_GATEWAY);
	scheduler_disarm(self, SCHEDULER_TIMER_SESSION, slot);
	(void)table_remove(&self->user_index, scheduler_user_id(self, slot));
	if (user->id_length > USER_INLINE_MAX)
		scheduler_slot_give(&self->long_id_slots, long_slot(user));
	scheduler_slot_give(&self->user_slots, slot);
}

void scheduler_user_release(struct scheduler *self, uint32_t slot)
{
	const struct user *user = &self->users[slot];

	/* While a snapshot comes in slices, what has ended must be known not to begin again. */
	if (!self->syncing && !(user->flags & USER_SESSION) && user->stream == NO_SLOT &&
	    user->apps == NO_SLOT)
		drop(self, slot);
}

/* App entries without a timer only guard against old rows. */
static bool app_is_idle(const struct scheduler *self, uint32_t app)
{
	return self->apps[app].generation != self->generation ||
	       !wheel_armed(&self->wheel, self->timer_base[SCHEDULER_TIMER_APP] + app);
}

void scheduler_user_sweep(struct scheduler *self, uint32_t slot)
{
	struct user *user = &self->users[slot];

	if (user->generation != self->generation) {
		drop(self, slot);
		return;
	}
	if (!(user->flags & USER_LINK_TOLD)) {
		set_link(self, slot, LINK_NONE, 0, NO_GATEWAY);
		scheduler_disarm(self, SCHEDULER_TIMER_SESSION, slot);
	}
	if (user->stream != NO_SLOT) {
		const struct watch *watch = &self->watches[user->stream];

		if (watch->generation != self->generation ||
		    self->probes[user->stream].kind == KIND_NONE)
			scheduler_stream_drop(self, user->stream);
	}
	for (uint32_t app = user->apps, next; app != NO_SLOT; app = next) {
		next = self->apps[app].next;
		if (app_is_idle(self, app))
			scheduler_app_drop(self, app);
	}
	scheduler_user_release(self, slot);
}

void scheduler_on_session(struct scheduler *self, const struct stream_event *event)
{
	uint32_t slot = scheduler_user_touch(self, event->user_id);

	if (slot == NO_SLOT)
		return;
	struct user *user = &self->users[slot];

	if ((user->flags & USER_CLOSED) && event->seq <= user->link_seq) {
		self->stats.stale++;
		return;
	}
	user->flags &= (uint8_t)~USER_CLOSED;
	user->flags |= USER_SESSION;
}

void scheduler_on_session_closed(struct scheduler *self, const struct stream_event *event)
{
	uint32_t slot = self->syncing ? scheduler_user_touch(self, event->user_id)
				      : scheduler_user_find(self, event->user_id);

	if (slot == NO_SLOT)
		return;
	struct user *user = &self->users[slot];

	if (event->seq <= user->link_seq) {
		self->stats.stale++;
		return;
	}
	user->link_seq = event->seq;
	user->flags = USER_CLOSED | USER_LINK_TOLD;
	set_link(self, slot, LINK_NONE, 0, NO_GATEWAY);
	scheduler_disarm(self, SCHEDULER_TIMER_SESSION, slot);
	drop_apps(self, slot);
	scheduler_user_release(self, slot); /* a stream outlives its session until it is closed */
}

void scheduler_on_link_changed(struct scheduler *self, const struct stream_event *event)
{
	uint32_t state = event->link_changed.state;
	bool up = state == LINK_UP && event->link_changed.link != 0;

	if (!up && state != LINK_DOWN) {
		self->stats.malformed++;
		return;
	}
	uint32_t slot = scheduler_user_touch(self, event->user_id);

	if (slot == NO_SLOT)
		return;
	struct user *user = &self->users[slot];

	if (event->seq <= user->link_seq) {
		self->stats.stale++;
		return;
	}
	user->link_seq = event->seq;
	user->flags &= (uint8_t) ~(USER_CLOSED | USER_HELD);
	user->flags |= USER_SESSION | USER_LINK_TOLD;
	if (up) {
		set_link(self, slot, LINK_UP, event->link_changed.link,
			 scheduler_gateway_touch(self, event->link_changed.gateway));
		scheduler_disarm(self, SCHEDULER_TIMER_SESSION, slot);
	} else {
		set_link(self, slot, LINK_DOWN, 0, NO_GATEWAY);
		user->link_ms = self->now_ms;
		scheduler_arm(self, SCHEDULER_TIMER_SESSION, slot,
			      self->now_ms + self->options.session_grace_ms);
	}
}

void scheduler_on_session_timer(struct scheduler *self, uint32_t slot, struct effects *fx)
{
	int64_t grace_ms = self->options.session_grace_ms;
	struct user *user = &self->users[slot];
	int64_t due_ms = wheel_due(&self->wheel, self->timer_base[SCHEDULER_TIMER_SESSION] + slot);
	bool held = user->flags & USER_HELD;

	if (self->sweeping) {
		scheduler_user_sweep(self, slot);
		if (!scheduler_slot_used(&self->user_slots, slot) || user->link_state != LINK_DOWN)
			return;
	}
	int64_t again_ms = scheduler_put_off(self, scheduler_sight(self), &held, due_ms,
					     scheduler_window(grace_ms));

	user->flags &= (uint8_t)~USER_HELD;
	user->flags |= held ? USER_HELD : 0;
	if (again_ms == 0) {
		struct stream_event *event = scheduler_expired(self, TIMER_SESSION_GRACE,
							       user->link_seq, user->link_ms, fx);

		event->user_id = scheduler_user_id(self, slot);
		again_ms = self->now_ms + grace_ms; /* if the registry did not agree */
	}
	scheduler_arm(self, SCHEDULER_TIMER_SESSION, slot, again_ms);
}
