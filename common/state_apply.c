/* SPDX-License-Identifier: MIT */
/* One function per story event; each sets absolute values, so that seq alone orders them. */
#include <assert.h>

#include "common/phase.h"
#include "common/state_internal.h"

/* Free slots ------------------------------------------------------------------------------- */

void state_reset_slots(struct state *self)
{
	/* Slots are handed out in order, and memory beyond them stays untouched until then. */
	self->users_free = self->apps_free = self->streams_free = STATE_NONE;
	self->users_fresh = self->apps_fresh = self->streams_fresh = 0;
	self->dormant_oldest = self->dormant_newest = STATE_NONE;
}

static void dormant_leave(struct state *self, uint32_t slot)
{
	struct state_user *user = &self->users[slot];

	if (user->older != STATE_NONE)
		self->users[user->older].newer = user->newer;
	else
		self->dormant_oldest = user->newer;
	if (user->newer != STATE_NONE)
		self->users[user->newer].older = user->older;
	else
		self->dormant_newest = user->older;
	user->dormant = false;
	self->dormant_count--;
}

static void dormant_enter(struct state *self, uint32_t slot)
{
	struct state_user *user = &self->users[slot];

	user->dormant = true;
	user->newer = STATE_NONE;
	user->older = self->dormant_newest;
	if (self->dormant_newest != STATE_NONE)
		self->users[self->dormant_newest].newer = slot;
	else
		self->dormant_oldest = slot;
	self->dormant_newest = slot;
	self->dormant_count++;
}

static void app_free(struct state *self, struct state_user *user, struct state_app *app)
{
	uint32_t slot = (uint32_t)(app - self->apps);
	uint32_t *link = &user->apps;

	while (*link != slot)
		link = &self->apps[*link].next;
	*link = app->next;
	pool_drop(&self->pool, &app->package);
	pool_drop(&self->pool, &app->types);
	*app = (struct state_app){ .next = self->apps_free };
	self->apps_free = slot;
	self->apps_count--;
}

static void user_free(struct state *self, uint32_t slot)
{
	struct state_user *user = &self->users[slot];

	if (user->dormant)
		dormant_leave(self, slot);
	while (user->apps != STATE_NONE)
		app_free(self, user, &self->apps[user->apps]);
	(void)table_remove(&self->user_index, state_text(self, user->id));
	pool_drop(&self->pool, &user->id);
	pool_drop(&self->pool, &user->model);
	*user = (struct state_user){ .older = self->users_free };
	self->users_free = slot;
	self->users_count--;
}

/* A user without session, stream and remembered apps is nobody. */
static void user_release(struct state *self, uint32_t slot)
{
	struct state_user *user = &self->users[slot];

	if (user->session != SESSION_NONE || user->streams > 0)
		return;
	if (user->apps == STATE_NONE)
		user_free(self, slot);
	else if (self->options.remember_apps && !user->dormant)
		dormant_enter(self, slot);
}

/* An event that changes nothing leaves no user behind whom it made or woke. */
static int leave(struct state *self, const struct state_user *user, int outcome)
{
	user_release(self, (uint32_t)(user - self->users));
	return outcome;
}

void state_forget_oldest(struct state *self)
{
	uint32_t slot = self->dormant_oldest;

	if (self->forgets)
		self->forgets(self->forgets_context, state_text(self, self->users[slot].id));
	user_free(self, slot);
}

static uint32_t take_slot(uint32_t *free_head, uint32_t next_free, uint32_t *fresh, uint32_t max)
{
	uint32_t slot = *free_head;

	if (slot != STATE_NONE) {
		*free_head = next_free;
		return slot;
	}
	return *fresh < max ? (*fresh)++ : STATE_NONE;
}

static uint32_t user_take(struct state *self)
{
	uint32_t head = self->users_free;
	uint32_t next = head != STATE_NONE ? self->users[head].older : STATE_NONE;

	return take_slot(&self->users_free, next, &self->users_fresh, self->options.users_max);
}

static struct state_user *user_need(struct state *self, struct text id)
{
	uint32_t slot = state_user_slot(self, id);

	if (slot != STATE_NONE) {
		if (self->users[slot].dormant)
			dormant_leave(self, slot);
		return &self->users[slot];
	}
	if (id.length == 0)
		return NULL;
	slot = user_take(self);
	if (slot == STATE_NONE && self->dormant_oldest != STATE_NONE) {
		state_forget_oldest(self);
		slot = user_take(self);
	}
	if (slot == STATE_NONE)
		return NULL;
	struct state_user *user = &self->users[slot];

	*user = (struct state_user){
		.used = true, .apps = STATE_NONE, .active = STATE_NONE, .liabilities = STATE_NONE
	};
	if (!pool_keep(&self->pool, id, &user->id)) {
		*user = (struct state_user){ .older = self->users_free };
		self->users_free = slot;
		return NULL;
	}
	bool indexed = table_insert(&self->user_index, id, slot);

	assert(indexed); /* it has as many places as there are slots */
	self->users_count++;
	return user;
}

/* Sessions, links, glasses ----------------------------------------------------------------- */

static int on_gateway_changed(struct state *self, const struct stream_event *event)
{
	struct state_gateway *gateway = state_gateway_find(self, event->gateway_changed.gateway);

	if (gateway && event->seq <= gateway->seq)
		return STATE_E_OLD;
	if (event->gateway_changed.state == LINK_DOWN) {
		if (gateway)
			*gateway = (struct state_gateway){ 0 };
		return 0;
	}
	for (unsigned i = 0; i < GATEWAYS_MAX && !gateway; i++)
		if (self->gateways[i].incarnation == 0)
			gateway = &self->gateways[i];
	if (!gateway)
		return STATE_E_FULL;
	gateway->incarnation = event->gateway_changed.gateway;
	gateway->state = event->gateway_changed.state;
	gateway->seq = event->seq;
	gateway->clock = event->gateway_changed.clock;
	text_put(event->gateway_changed.name, gateway->name, sizeof gateway->name);
	return 0;
}

static int on_marked(struct state *self, const struct stream_event *event)
{
	if (event->seq <= self->mark_seq || event->deployment_marked.mark.length == 0)
		return STATE_E_OLD;
	self->mark_seq = event->seq;
	text_put(event->deployment_marked.mark, self->mark, sizeof self->mark);
	return 0;
}

static int session_move(struct state *self, const struct stream_event *event,
			enum session_state session)
{
	struct state_user *user = user_need(self, event->user_id);

	if (!user)
		return STATE_E_FULL;
	if (event->seq <= user->session_seq)
		return leave(self, user, STATE_E_OLD);
	user->session_seq = event->seq;
	if (event->epoch > user->last_epoch)
		user->last_epoch = event->epoch; /* a row says what the story has said before */
	if (user->session == SESSION_NONE)
		self->sessions_count++;
	user->session = (uint8_t)session;
	return 0;
}

/* What is older than the end of the session ended with it.  A follower may hear of the end late,
 * between rows that are newer: those stay.
 */
static void end_apps(struct state *self, struct state_user *user, uint64_t seq)
{
	for (uint32_t i = user->apps; i != STATE_NONE;) {
		struct state_app *app = &self->apps[i];

		i = app->next;
		if (app->seq > seq)
			continue;
		if (!self->options.remember_apps || app->state == APP_STOPPING) {
			app_free(self, user, app);
			continue;
		}
		app->state = APP_STOPPED;
		app->link = app->gateway = 0;
		app->wants = 0;
		pool_drop(&self->pool, &app->types);
	}
}

static int on_session_closed(struct state *self, const struct stream_event *event)
{
	uint32_t slot = state_user_slot(self, event->user_id);

	if (slot == STATE_NONE)
		return STATE_E_OLD;
	struct state_user *user = &self->users[slot];
	bool old = event->seq <= user->session_seq;

	if (!old) {
		user->session_seq = event->seq;
		self->sessions_count -= user->session != SESSION_NONE;
		user->session = SESSION_NONE;
	}
	if (user->link_seq < event->seq)
		user->link_state = LINK_NONE;
	if (user->glasses_seq < event->seq) {
		user->connected = false;
		user->wifi = WIFI_UNKNOWN;
		pool_drop(&self->pool, &user->model);
	}
	end_apps(self, user, event->seq);
	return leave(self, user, old ? STATE_E_OLD : 0);
}

static int on_link_changed(struct state *self, const struct stream_event *event)
{
	struct state_user *user = user_need(self, event->user_id);

	if (!user)
		return STATE_E_FULL;
	if (event->seq <= user->link_seq)
		return leave(self, user, STATE_E_OLD);
	user->link_seq = event->seq;
	user->link = event->link_changed.link;
	user->gateway = event->link_changed.gateway;
	user->link_state = (uint8_t)event->link_changed.state;
	user->link_opened_ms = event->link_changed.opened_ms;
	return 0;
}

static int on_glasses_changed(struct state *self, const struct stream_event *event)
{
	struct state_user *user = user_need(self, event->user_id);

	if (!user)
		return STATE_E_FULL;
	if (event->seq <= user->glasses_seq)
		return leave(self, user, STATE_E_OLD);
	if (!pool_replace(&self->pool, event->glasses_changed.model, &user->model))
		return leave(self, user, STATE_E_FULL);
	user->glasses_seq = event->seq;
	user->connected = event->glasses_changed.connected;
	user->wifi = (uint8_t)event->glasses_changed.wifi;
	return 0;
}

/* Apps ------------------------------------------------------------------------------------- */

static uint32_t app_take(struct state *self)
{
	uint32_t head = self->apps_free;
	uint32_t next = head != STATE_NONE ? self->apps[head].next : STATE_NONE;

	return take_slot(&self->apps_free, next, &self->apps_fresh, self->options.apps_max);
}

static struct state_app *app_need(struct state *self, struct state_user *user, struct text package)
{
	struct state_app *app = state_app_find(self, user, package);
	uint32_t slot;

	if (app)
		return app;
	/* Apps that run go before apps that are remembered. */
	while ((slot = app_take(self)) == STATE_NONE && self->dormant_count > 0)
		state_forget_oldest(self);
	if (slot == STATE_NONE)
		return NULL;
	app = &self->apps[slot];
	*app = (struct state_app){ .next = self->apps_free };
	if (!pool_keep(&self->pool, package, &app->package)) {
		self->apps_free = slot;
		return NULL;
	}
	app->user = (uint32_t)(user - self->users);
	app->next = user->apps;
	user->apps = slot;
	self->apps_count++;
	return app;
}

static int on_app_stopped(struct state *self, const struct stream_event *event)
{
	struct state_user *user = state_user_find(self, event->user_id);
	struct state_app *app = state_app_find(self, user, event->app_changed.package);

	if (!app)
		return 0;
	if (event->seq <= app->seq)
		return STATE_E_OLD;
	app_free(self, user, app);
	return leave(self, user, 0);
}

static int on_app_changed(struct state *self, const struct stream_event *event)
{
	if (event->app_changed.package.length == 0)
		return STATE_E_OLD; /* nobody */
	if (event->app_changed.state == APP_STOPPED)
		return on_app_stopped(self, event);
	struct state_user *user = user_need(self, event->user_id);

	if (!user)
		return STATE_E_FULL;
	struct state_app *app = app_need(self, user, event->app_changed.package);

	if (!app || event->seq <= app->seq)
		return leave(self, user, app ? STATE_E_OLD : STATE_E_FULL);
	if (app->link != event->app_changed.link || app->gateway != event->app_changed.gateway)
		app->opened_seq = event->seq;
	app->seq = event->seq;
	/* Subscriptions of an earlier life are not its own. */
	if (app->subscribed_seq < event->seq)
		app->subscribed_seq = event->seq;
	app->state = (uint8_t)event->app_changed.state;
	app->type = (uint8_t)event->app_changed.app_type;
	app->link = event->app_changed.link;
	app->gateway = event->app_changed.gateway;
	app->opened_ms = event->app_changed.opened_ms;
	return 0;
}

/* Only in records: nothing else brings back an app that does not run. */
static int on_remembered(struct state *self, const struct stream_event *event)
{
	if (event->snapshot_remembered.package.length == 0 || !self->options.remember_apps)
		return STATE_E_OLD;
	struct state_user *user = user_need(self, event->user_id);

	if (!user)
		return STATE_E_FULL;
	bool known = state_app_find(self, user, event->snapshot_remembered.package);
	struct state_app *app =
		known ? NULL : app_need(self, user, event->snapshot_remembered.package);

	if (!app)
		return leave(self, user, known ? STATE_E_OLD : STATE_E_FULL);
	app->seq = app->subscribed_seq = event->seq;
	app->state = APP_STOPPED;
	app->type = (uint8_t)event->snapshot_remembered.app_type;
	return leave(self, user, 0);
}

static int on_app_subscribed(struct state *self, const struct stream_event *event)
{
	struct state_user *user = state_user_find(self, event->user_id);
	struct state_app *app = state_app_find(self, user, event->app_subscribed.package);

	/* A row may carry the seq of the app: no other event has that one. */
	if (!app || event->seq < app->subscribed_seq)
		return STATE_E_OLD;
	if (!pool_replace(&self->pool, event->app_subscribed.types, &app->types))
		return STATE_E_FULL;
	app->subscribed_seq = event->seq;
	app->wants = state_wants_of(event->app_subscribed.types);
	return 0;
}

int state_apply(struct state *self, const struct stream_event *event)
{
	switch (event->type) {
	case EVENT_DEPLOYMENT_MARKED:
		return on_marked(self, event);
	case EVENT_RECORD_QUARANTINED: /* what follows from it is told by itself */
	case EVENT_RECORD_REBUILT:
		return 0;
	case EVENT_GATEWAY_CHANGED:
		return on_gateway_changed(self, event);
	case EVENT_SESSION_OPENED:
		return session_move(self, event,
				    event->session_opened.waiting ? SESSION_WAITING : SESSION_OPEN);
	case EVENT_SESSION_READY:
		return session_move(self, event, SESSION_OPEN);
	case EVENT_SESSION_ENDING:
		return session_move(self, event, SESSION_ENDING);
	case EVENT_SESSION_CLOSED:
		return on_session_closed(self, event);
	case EVENT_LINK_CHANGED:
		return on_link_changed(self, event);
	case EVENT_GLASSES_CHANGED:
		return on_glasses_changed(self, event);
	case EVENT_APP_CHANGED:
		return on_app_changed(self, event);
	case EVENT_APP_SUBSCRIBED:
		return on_app_subscribed(self, event);
	case EVENT_SNAPSHOT_REMEMBERED:
		return on_remembered(self, event);
	default:
		return state_apply_stream(self, event);
	}
}

/* For the streams' half. */
struct state_user *state_user_need(struct state *self, struct text id)
{
	return user_need(self, id);
}

void state_user_release(struct state *self, uint32_t slot)
{
	user_release(self, slot);
}
