/* SPDX-License-Identifier: MIT */
/* Apps of a user: start, init, loss, resurrection, stop (protocol.md 2.2 to 2.7). */
#include "actors/registry/registry_internal.h"

static struct registry_app *extra_of(struct registry *self, const struct state_app *app)
{
	return &self->apps[app - self->state.apps];
}

static struct state_user *user_of(struct registry *self, const struct state_app *app)
{
	return state_user_of(&self->state, app->user);
}

static void app_move(struct registry *self, struct state_app *app, enum app_state state,
		     const char *reason)
{
	struct stream_event *event = registry_story(self, EVENT_APP_CHANGED, user_of(self, app));

	event->app_changed.package = registry_text(self, app->package);
	event->app_changed.state = state;
	event->app_changed.app_type = app->type;
	/* A stopping app keeps its socket until the end; a lost one has none. */
	if (state == APP_STOPPING) {
		event->app_changed.link = app->link;
		event->app_changed.gateway = app->gateway;
		event->app_changed.opened_ms = app->opened_ms;
	}
	event->app_changed.reason = text_of(reason);
	registry_tell(self, event);
}

/* Webhooks go out where the glasses are, else anywhere: an app may be posted to during grace. */
static bool hook_gateway(const struct registry *self, const struct state_user *user,
			 struct peer *out)
{
	*out = (struct peer){ ROLE_GATEWAY, user->gateway };
	if (user->link_state == LINK_UP && state_gateway_find(&self->state, user->gateway))
		return true;
	for (unsigned i = 0; i < GATEWAYS_MAX; i++)
		if (self->state.gateways[i].incarnation != 0 &&
		    self->state.gateways[i].state == LINK_UP) {
			out->incarnation = self->state.gateways[i].incarnation;
			return true;
		}
	return false;
}

static void hook_post(struct registry *self, struct state_app *app, enum hook hook)
{
	struct state_user *user = user_of(self, app);
	struct peer gateway;

	extra_of(self, app)->hook_id = self->next_hook;
	if (!hook_gateway(self, user, &gateway))
		return; /* the connect deadline will say so */
	struct stream_event *event = registry_send(self, gateway, EVENT_REGISTRY_HOOK, user);

	event->registry_hook.package = registry_text(self, app->package);
	event->registry_hook.hook = hook;
	event->registry_hook.hook_id = self->next_hook++;
}

/* Who waits for an app by REST ------------------------------------------------------------- */

static void answer(struct registry *self, const struct registry_waiter *waiter,
		   const struct state_user *user, struct text package, enum result result)
{
	struct stream_event *event =
		effects_add(self->fx, EFFECT_SEND, waiter->peer, EVENT_REGISTRY_APP_RESULT);

	event->origin = waiter->origin;
	event->request = waiter->request;
	event->cause = self->cause;
	if (user)
		event->user_id = registry_text(self, user->id);
	event->registry_app_result.package = package;
	event->registry_app_result.result = result;
	event->registry_app_result.seen_seq = self->seq;
}

static void answer_now(struct registry *self, const struct input *input,
		       const struct state_user *user, struct text package, enum result result)
{
	answer(self,
	       &(struct registry_waiter){ .peer = input->peer,
					  .origin = input->event->origin,
					  .request = input->event->request },
	       user, package, result);
}

static struct registry_waiter *waiter_take(struct registry *self, uint32_t user)
{
	struct registry_waiter *place = NULL;
	unsigned waiting = 0;

	for (unsigned i = 0; i < REGISTRY_WAITERS_MAX; i++)
		if (self->waiters[i].app == STATE_NONE)
			place = place ? place : &self->waiters[i];
		else
			waiting += self->state.apps[self->waiters[i].app].user == user;
	return waiting < WAITERS_PER_USER_MAX ? place : NULL;
}

static void wait_for(struct registry *self, const struct input *input, const struct state_app *app,
		     bool stop)
{
	struct registry_waiter *waiter = waiter_take(self, app->user);

	if (!waiter) {
		self->stats.full++;
		answer_now(self, input, user_of(self, app), registry_text(self, app->package),
			   RESULT_FULL);
		return;
	}
	*waiter = (struct registry_waiter){
		.app = (uint32_t)(app - self->state.apps),
		.peer = input->peer,
		.origin = input->event->origin,
		.request = input->event->request,
		.stop = stop,
	};
}

/* @app's fate is known: tell those who waited for its start, or for its stop. */
static void answer_waiters(struct registry *self, const struct state_app *app, bool stop,
			   enum result result)
{
	const uint32_t slot = (uint32_t)(app - self->state.apps);
	const struct state_user *user = user_of(self, app);

	for (unsigned i = 0; i < REGISTRY_WAITERS_MAX; i++) {
		if (self->waiters[i].app != slot || self->waiters[i].stop != stop)
			continue;
		answer(self, &self->waiters[i], user, registry_text(self, app->package), result);
		self->waiters[i].app = STATE_NONE;
		if (result == RESULT_OK)
			registry_notice(self, user, stop ? NOTICE_APP_STOPPED : NOTICE_APP_STARTED,
					registry_text(self, app->package));
	}
}

/* Start ------------------------------------------------------------------------------------ */

void registry_app_launch(struct registry *self, struct state_user *user, struct text package,
			 enum app_type type)
{
	struct stream_event *event = registry_story(self, EVENT_APP_CHANGED, user);

	event->app_changed.package = package;
	event->app_changed.state = APP_LOADING;
	event->app_changed.app_type = type;
	event->app_changed.reason = TEXT("start");
	registry_tell(self, event);
	hook_post(self, state_app_find(&self->state, user, package), HOOK_SESSION);
}

static void app_stop(struct registry *self, struct state_app *app, const char *reason)
{
	app_move(self, app, APP_STOPPING, reason);
	hook_post(self, app, HOOK_STOP);
}

unsigned registry_apps_of(const struct registry *self, const struct state_user *user)
{
	unsigned count = 0;

	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next)
		count++;
	return count;
}

/* Who is started now does not run yet. */
static void stop_standard(struct registry *self, struct state_user *user)
{
	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next) {
		struct state_app *other = &self->state.apps[slot];

		if (other->type != APP_TYPE_STANDARD)
			continue;
		extra_of(self, other)->restart = false; /* who was asked for last comes */
		if (state_app_running(other))
			app_stop(self, other, "another standard app starts");
	}
}

static void start_known(struct registry *self, const struct input *input, struct state_user *user,
			struct state_app *app)
{
	const struct stream_event *event = input->event;
	const bool rest = event->edge_app_start.rest;

	if (app && state_app_running(app)) {
		if (rest)
			answer_now(self, input, user, event->edge_app_start.package, RESULT_OK);
		return;
	}
	if (!app || app->state == APP_STOPPED) {
		if (event->edge_app_start.app_type == APP_TYPE_STANDARD)
			stop_standard(self, user);
		registry_app_launch(self, user, event->edge_app_start.package,
				    event->edge_app_start.app_type);
		app = state_app_find(&self->state, user, event->edge_app_start.package);
	} else if (app->state == APP_STOPPING) {
		extra_of(self, app)->restart = true;
	}
	if (rest)
		wait_for(self, input, app, false);
}

void registry_on_app_start(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	enum result result = RESULT_OK;

	if (!user || user->session == SESSION_NONE || user->session == SESSION_ENDING)
		result = RESULT_NO_SESSION;
	else if (!event->edge_app_start.known || event->edge_app_start.package.length == 0)
		result = RESULT_NOT_FOUND;
	else if (!state_app_find(&self->state, user, event->edge_app_start.package) &&
		 (!state_has_room(&self->state) ||
		  registry_apps_of(self, user) >= APPS_PER_USER_MAX))
		result = RESULT_FULL;
	if (result == RESULT_OK) {
		start_known(self, input, user,
			    state_app_find(&self->state, user, event->edge_app_start.package));
		return;
	}
	self->stats.ignored++;
	if (event->edge_app_start.rest)
		answer_now(self, input, user, event->edge_app_start.package, result);
}

/* Init and loss of the socket -------------------------------------------------------------- */

static void remember_old(struct registry *self, struct state_app *app, uint64_t gateway,
			 uint64_t link)
{
	struct registry_app *extra = extra_of(self, app);

	if (link == 0)
		return;
	for (unsigned i = 0; i < APP_OLD_LINKS_MAX; i++)
		if (extra->old[i].link == 0) {
			extra->old[i].gateway = gateway;
			extra->old[i].link = link;
			return;
		}
	/* One past what an app may keep open: the oldest goes. */
	struct stream_event *event =
		registry_send(self, (struct peer){ ROLE_GATEWAY, extra->old[0].gateway },
			      EVENT_REGISTRY_LINK_CLOSE, user_of(self, app));

	event->registry_link_close.link = extra->old[0].link;
	event->registry_link_close.code = 1000;
	event->registry_link_close.reason = TEXT("Replaced");
	memmove(&extra->old[0], &extra->old[1], (APP_OLD_LINKS_MAX - 1) * sizeof extra->old[0]);
	extra->old[APP_OLD_LINKS_MAX - 1].gateway = gateway;
	extra->old[APP_OLD_LINKS_MAX - 1].link = link;
}

static enum result judge_init(const struct registry *self, const struct state_user *user,
			      const struct state_app *app, const struct stream_event *event)
{
	(void)self;
	if (!user || user->session == SESSION_NONE || user->session == SESSION_ENDING)
		return RESULT_NO_SESSION;
	if (!event->edge_app_opened.key_ok || event->edge_app_opened.package.length == 0)
		return RESULT_BAD_KEY;
	if (event->edge_app_opened.resumed && !(app && app->state == APP_STOPPING))
		return RESULT_OK;
	if (!app || !(state_app_running(app) || app->state == APP_LOADING))
		return RESULT_APP_NOT_STARTED;
	return RESULT_OK;
}

/* Told late, or again after a restart, though the app has a newer socket by now. */
static bool is_replaced(const struct registry *self, const struct state_app *app,
			const struct input *input)
{
	const struct stream_event *event = input->event;
	const struct registry_way way = { input->peer.incarnation, event->edge_app_opened.link,
					  event->edge_app_opened.opened_ms };
	const struct registry_way known = { app->gateway, app->link, app->opened_ms };

	return state_app_reachable(&self->state, app) &&
	       registry_is_older(self, way, known, event->edge_app_opened.resumed);
}

static void app_accept(struct registry *self, const struct input *input, struct state_user *user,
		       struct state_app *app)
{
	const struct stream_event *event = input->event;
	const bool resumed = event->edge_app_opened.resumed;
	bool same = app && app->link == event->edge_app_opened.link &&
		    app->gateway == input->peer.incarnation;
	struct stream_event *change;

	if (same && resumed && app->state == APP_RUNNING) {
		extra_of(self, app)->confirmed = true;
		return;
	}
	if (app && !same && is_replaced(self, app, input)) {
		remember_old(self, app, input->peer.incarnation, event->edge_app_opened.link);
		return;
	}
	if (app && !same)
		remember_old(self, app, app->gateway, app->link);
	change = registry_story(self, EVENT_APP_CHANGED, user);
	change->app_changed.package = event->edge_app_opened.package;
	change->app_changed.state = APP_RUNNING;
	change->app_changed.app_type = event->edge_app_opened.app_type;
	change->app_changed.link = event->edge_app_opened.link;
	change->app_changed.gateway = input->peer.incarnation;
	change->app_changed.opened_ms = event->edge_app_opened.opened_ms;
	change->app_changed.reason = resumed ? TEXT("resumed") : TEXT("init");
	registry_tell(self, change);
	app = state_app_find(&self->state, user, event->edge_app_opened.package);
	extra_of(self, app)->confirmed = true;
	if (!resumed)
		registry_notice(self, user, NOTICE_APP_STATE_CHANGE, (struct text){ 0 });
	answer_waiters(self, app, false, RESULT_OK);
	registry_session_check_ready(self, user);
}

void registry_on_app_opened(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_app *app = state_app_find(&self->state, user, event->edge_app_opened.package);
	enum result result;

	if (!registry_gateway_knows(self, input)) {
		registry_refuse_link(self, input->peer, event->user_id,
				     event->edge_app_opened.link);
		self->stats.ignored++;
		return;
	}
	/* Told again after our restart, before the gateway of the glasses told of them. */
	if (event->edge_app_opened.resumed && event->edge_app_opened.key_ok &&
	    (!user || user->session == SESSION_NONE))
		user = registry_session_adopt(self, event->user_id);
	result = judge_init(self, user, app, event);
	if (result == RESULT_OK && !app &&
	    (!state_has_room(&self->state) || registry_apps_of(self, user) >= APPS_PER_USER_MAX))
		result = RESULT_FULL;
	/* The answer first, so that the app has its ack before anything else is said to it. */
	struct stream_event *reply =
		registry_send(self, input->peer, EVENT_REGISTRY_APP_RESULT, NULL);

	reply->user_id = event->user_id;
	reply->registry_app_result.link = event->edge_app_opened.link;
	reply->registry_app_result.package = event->edge_app_opened.package;
	reply->registry_app_result.result = result;
	if (result != RESULT_OK)
		return;
	if (user->connected)
		reply->registry_app_result.model = registry_text(self, user->model);
	app_accept(self, input, user, app);
	reply->registry_app_result.seen_seq = self->seq;
}

void registry_app_lost(struct registry *self, struct state_user *user, struct state_app *app)
{
	(void)user;
	/* One that is being stopped loses it in the course of that. */
	if (app->state == APP_RUNNING)
		app_move(self, app, APP_GRACE, "socket lost");
}

static bool forget_old(struct registry_app *extra, uint64_t gateway, uint64_t link)
{
	for (unsigned i = 0; i < APP_OLD_LINKS_MAX; i++) {
		if (extra->old[i].link != link || extra->old[i].gateway != gateway)
			continue;
		/* The others move up: the oldest stays first. */
		memmove(&extra->old[i], &extra->old[i + 1],
			(APP_OLD_LINKS_MAX - 1 - i) * sizeof extra->old[0]);
		extra->old[APP_OLD_LINKS_MAX - 1].link = 0;
		return true;
	}
	return false;
}

void registry_on_app_closed(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_app *app = state_app_find(&self->state, user, event->edge_app_closed.package);
	const uint64_t link = event->edge_app_closed.link;

	if (!app || (app->link != link || app->gateway != input->peer.incarnation)) {
		if (!app || !forget_old(extra_of(self, app), input->peer.incarnation, link))
			self->stats.ignored++;
		return;
	}
	registry_app_lost(self, user, app);
}

/* Stop ------------------------------------------------------------------------------------- */

static void close_sockets(struct registry *self, struct state_app *app, struct text reason)
{
	struct registry_app *extra = extra_of(self, app);
	const struct state_user *user = user_of(self, app);

	for (unsigned i = 0; i <= APP_OLD_LINKS_MAX; i++) {
		uint64_t link = i < APP_OLD_LINKS_MAX ? extra->old[i].link : app->link;
		uint64_t gateway = i < APP_OLD_LINKS_MAX ? extra->old[i].gateway : app->gateway;

		if (link == 0)
			continue;
		struct stream_event *event =
			registry_send(self, (struct peer){ ROLE_GATEWAY, gateway },
				      EVENT_REGISTRY_LINK_CLOSE, user);

		event->registry_link_close.link = link;
		event->registry_link_close.app_stopped = true;
		event->registry_link_close.code = 1000;
		event->registry_link_close.reason = reason;
	}
}

bool registry_app_reachable(const struct registry *self, const struct state_user *user,
			    struct text package)
{
	const struct state_app *app = state_app_find(&self->state, user, package);

	return app && state_app_reachable(&self->state, app);
}

static void end_own_stream(struct registry *self, const struct state_user *user,
			   const struct state_app *app)
{
	struct state_stream *active = state_active(&self->state, user);

	registry_app_leaves(self, user, registry_text(self, app->package));

	if (active && active->kind == KIND_UNMANAGED &&
	    text_equal(registry_text(self, active->package), registry_text(self, app->package)))
		registry_close(self, active,
			       &(struct closing){ .cause = END_APP_CLOSED,
						  .by = registry_text(self, app->package),
						  .stop_app_id = registry_text(self, app->package),
						  .last_ack_age_ms = -1 });
}

/* After the stop webhook, in this order (protocol.md 2.7, D5). */
static void app_finish(struct registry *self, struct state_app *app, const char *reason)
{
	struct state_user *user = user_of(self, app);
	struct text package = registry_text(self, app->package);
	enum app_type type = app->type;
	bool restart = extra_of(self, app)->restart;

	end_own_stream(self, user, app);
	registry_notice(self, user, NOTICE_APP_STATE_CHANGE, (struct text){ 0 });
	close_sockets(self, app, TEXT("App stopped"));
	answer_waiters(self, app, true, RESULT_OK);
	if (!restart)
		answer_waiters(self, app, false, RESULT_FAILED);
	*extra_of(self, app) = (struct registry_app){ 0 };
	app_move(self, app, APP_STOPPED, reason);
	registry_relay_filter(self, user);
	if (restart && type == APP_TYPE_STANDARD)
		stop_standard(self, user);
	if (restart)
		registry_app_launch(self, user, package, type);
	registry_session_check_ready(self, user);
}

void registry_on_app_stop(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_app *app = state_app_find(&self->state, user, event->edge_app_stop.package);
	const bool rest = event->edge_app_stop.rest;

	if (!user || user->session == SESSION_NONE || !app || app->state == APP_STOPPED) {
		self->stats.ignored++;
		if (rest)
			answer_now(self, input, user, event->edge_app_stop.package,
				   !user || user->session == SESSION_NONE ? RESULT_NO_SESSION
				   : event->edge_app_stop.known		  ? RESULT_OK
									  : RESULT_NOT_FOUND);
		return;
	}
	extra_of(self, app)->restart = false;
	if (app->state != APP_STOPPING)
		app_stop(self, app, rest ? "stopped by REST" : "stopped by the user");
	if (rest)
		wait_for(self, input, app, true);
}

/* The session is over: every app is told and closed; those that ran are remembered. */
void registry_apps_end(struct registry *self, struct state_user *user)
{
	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next) {
		struct state_app *app = &self->state.apps[slot];

		close_sockets(self, app, TEXT("User session ended"));
		answer_waiters(self, app, true, RESULT_OK);
		answer_waiters(self, app, false, RESULT_FAILED);
		*extra_of(self, app) = (struct registry_app){ 0 };
	}
}

/* Webhooks and timers ---------------------------------------------------------------------- */

static void app_reload(struct registry *self, struct state_app *app)
{
	app_move(self, app, APP_LOADING, "resurrected");
	hook_post(self, app, HOOK_SESSION);
}

void registry_on_hook_done(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_app *app = state_app_find(&self->state, user, event->edge_hook_done.package);

	/* One that an earlier life has asked for is as good: this one has asked for none since. */
	if (!app || (extra_of(self, app)->hook_id != 0 &&
		     extra_of(self, app)->hook_id != event->edge_hook_done.hook_id)) {
		self->stats.ignored++;
		return;
	}
	if (event->edge_hook_done.hook != HOOK_STOP)
		return; /* the init decides, or the connect deadline */
	if (app->state == APP_STOPPING)
		app_finish(self, app, "stopped");
	else if (app->state == APP_RESURRECTING)
		app_reload(self, app);
}

static void app_give_up(struct registry *self, struct state_user *user, struct state_app *app)
{
	bool subscribed = app->types.length > 0;

	close_sockets(self, app, TEXT("App stopped"));
	answer_waiters(self, app, false, RESULT_FAILED);
	*extra_of(self, app) = (struct registry_app){ 0 };
	app_move(self, app, APP_STOPPED, "did not connect");
	if (subscribed)
		registry_relay_filter(self, user);
	registry_session_check_ready(self, user);
}

void registry_on_app_timer(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_app *app = state_app_find(&self->state, user, event->timer_expired.package);

	if (!app || app->seq != event->cause) {
		self->stats.ignored++;
		return;
	}
	switch ((enum app_state)app->state) {
	case APP_GRACE:
		app_move(self, app, APP_RESURRECTING, "did not come back");
		hook_post(self, app, HOOK_STOP);
		return;
	case APP_RESURRECTING: /* the stop webhook got lost with its gateway */
		app_reload(self, app);
		return;
	case APP_STOPPING:
		app_finish(self, app, "stopped, webhook unanswered");
		return;
	case APP_LOADING:
		app_give_up(self, user, app);
		return;
	case APP_STOPPED:
	case APP_RUNNING:
		self->stats.ignored++;
		return;
	}
}
