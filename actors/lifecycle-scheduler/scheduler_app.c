/* SPDX-License-Identifier: MIT */
/* scheduler_app.c - apps that have to do something within a time. */
#include "actors/lifecycle-scheduler/scheduler_state.h"

#include <assert.h>

#define KEY_MAX (sizeof(uint32_t) + PACKAGE_MAX)

/* Which timer an app's state asks for. */
static const struct {
	enum timer timer;
	size_t duration; /* offset in struct scheduler_options */
} waits[APP_STATE_COUNT] = {
	[APP_LOADING] = { TIMER_APP_CONNECT, offsetof(struct scheduler_options, app_connect_ms) },
	[APP_GRACE] = { TIMER_APP_GRACE, offsetof(struct scheduler_options, app_grace_ms) },
	[APP_RESURRECTING] = { TIMER_APP_CONNECT,
			       offsetof(struct scheduler_options, app_hook_max_ms) },
	[APP_STOPPING] = { TIMER_APP_CONNECT, offsetof(struct scheduler_options, app_hook_max_ms) },
};

static int64_t duration_ms(const struct scheduler *self, uint32_t state)
{
	int64_t duration;

	memcpy(&duration, (const char *)&self->options + waits[state].duration, sizeof duration);
	return duration;
}

/* An app's key is its user's slot, then its package. */
static struct text make_key(uint32_t user, struct text package, char *buffer)
{
	memcpy(buffer, &user, sizeof user);
	memcpy(buffer + sizeof user, package.bytes, package.length);
	return (struct text){ buffer, (uint32_t)sizeof user + package.length };
}

static struct text package_of(const struct app *app)
{
	return (struct text){ app->package, app->package_length };
}

bool scheduler_app_match(const void *self, uint32_t slot, struct text key)
{
	const struct app *app = &((const struct scheduler *)self)->apps[slot];

	return key.length == sizeof app->user + app->package_length &&
	       memcmp(key.bytes, &app->user, sizeof app->user) == 0 &&
	       memcmp(key.bytes + sizeof app->user, app->package, app->package_length) == 0;
}

static uint32_t find(const struct scheduler *self, uint32_t user, struct text package)
{
	char key[KEY_MAX];

	return table_find(&self->app_index, make_key(user, package, key));
}

static uint32_t make(struct scheduler *self, uint32_t user, struct text package)
{
	uint32_t slot = scheduler_slot_take(&self->app_slots);
	char key[KEY_MAX];

	if (slot == NO_SLOT)
		return NO_SLOT;
	struct app *app = &self->apps[slot];

	app->user = user;
	app->next = self->users[user].apps;
	app->generation = 0;
	app->package_length = (uint8_t)package.length;
	memcpy(app->package, package.bytes, package.length);
	self->users[user].apps = slot;
	(void)table_insert(&self->app_index, make_key(user, package, key), slot);
	return slot;
}

void scheduler_app_drop(struct scheduler *self, uint32_t slot)
{
	const struct app *app = &self->apps[slot];
	uint32_t *link = &self->users[app->user].apps;
	char key[KEY_MAX];

	while (*link != slot)
		link = &self->apps[*link].next;
	*link = app->next;
	scheduler_disarm(self, SCHEDULER_TIMER_APP, slot);
	(void)table_remove(&self->app_index, make_key(app->user, package_of(app), key));
	scheduler_slot_give(&self->app_slots, slot);
}

/* Take in the app's new state; its timer, if any, runs in full from now. */
static void tell(struct scheduler *self, uint32_t slot, const struct stream_event *event)
{
	struct app *app = &self->apps[slot];

	app->generation = self->generation;
	app->seq = event->seq;
	app->state = (uint8_t)event->app_changed.state;
	app->armed_ms = self->now_ms;
	app->held = false;
	if (waits[app->state].timer != TIMER_NONE)
		scheduler_arm(self, SCHEDULER_TIMER_APP, slot,
			      self->now_ms + duration_ms(self, app->state));
	else
		scheduler_disarm(self, SCHEDULER_TIMER_APP, slot);
}

static bool is_stale(const struct scheduler *self, uint32_t user, uint32_t app, uint64_t seq)
{
	if ((self->users[user].flags & USER_CLOSED) && seq <= self->users[user].link_seq)
		return true;
	return app != NO_SLOT && self->apps[app].generation == self->generation &&
	       seq <= self->apps[app].seq;
}

void scheduler_on_app_changed(struct scheduler *self, const struct stream_event *event)
{
	struct text package = event->app_changed.package;

	if (event->app_changed.state >= APP_STATE_COUNT || package.length == 0 ||
	    package.length > PACKAGE_MAX) {
		self->stats.malformed++;
		return;
	}
	/* While syncing any state is kept: a row that is older may follow it. */
	bool waiting = waits[event->app_changed.state].timer != TIMER_NONE;
	bool needed = waiting || self->syncing;
	uint32_t user = needed ? scheduler_user_touch(self, event->user_id)
			       : scheduler_user_find(self, event->user_id);

	if (user == NO_SLOT)
		return;
	uint32_t slot = find(self, user, package);

	if (is_stale(self, user, slot, event->seq)) {
		self->stats.stale++;
		return;
	}
	if (slot == NO_SLOT && needed) {
		slot = make(self, user, package);
		self->stats.apps_refused += slot == NO_SLOT && waiting;
	}
	if (slot != NO_SLOT)
		tell(self, slot, event);
	if (slot != NO_SLOT && !needed)
		scheduler_app_drop(self, slot);
	scheduler_user_release(self, user);
}

void scheduler_on_app_timer(struct scheduler *self, uint32_t slot, struct effects *fx)
{
	struct app *app = &self->apps[slot];
	int64_t due_ms = wheel_due(&self->wheel, self->timer_base[SCHEDULER_TIMER_APP] + slot);

	/* The sweep drops apps without a timer, and this one has just lost its own. */
	if (self->sweeping && app->generation != self->generation) {
		scheduler_app_drop(self, slot);
		return;
	}
	int64_t duration = duration_ms(self, app->state);
	int64_t again_ms = scheduler_put_off(self, scheduler_sight(self), &app->held, due_ms,
					     scheduler_window(duration));

	if (again_ms == 0) {
		struct stream_event *event = scheduler_expired(self, waits[app->state].timer,
							       app->seq, app->armed_ms, fx);

		event->user_id = scheduler_user_id(self, app->user);
		event->timer_expired.package = package_of(app);
		again_ms = self->now_ms + duration; /* if the registry did not agree */
	}
	scheduler_arm(self, SCHEDULER_TIMER_APP, slot, again_ms);
}
