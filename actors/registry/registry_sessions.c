/* SPDX-License-Identifier: MIT */
/* User sessions, glasses links, and the gateways that hold them (protocol.md 1.2 to 1.6). */
#include "actors/registry/registry_internal.h"

static struct registry_way way_of(const struct state_user *user)
{
	return (struct registry_way){ user->gateway, user->link, user->link_opened_ms };
}

static void notice_on(struct registry *self, const struct state_user *user, struct registry_way way,
		      enum notice notice, struct text package)
{
	struct stream_event *event = registry_send(self, (struct peer){ ROLE_GATEWAY, way.gateway },
						   EVENT_REGISTRY_GLASSES_NOTICE, user);

	event->registry_glasses_notice.link = way.link;
	event->registry_glasses_notice.notice = notice;
	event->registry_glasses_notice.package = package;
}

void registry_notice(struct registry *self, const struct state_user *user, enum notice notice,
		     struct text package)
{
	if (user->link_state == LINK_UP)
		notice_on(self, user, way_of(user), notice, package);
}

/* Gateways --------------------------------------------------------------------------------- */

void registry_gateway_move(struct registry *self, uint64_t incarnation, enum link_state state,
			   const char *reason)
{
	struct state_gateway *gateway = state_gateway_find(&self->state, incarnation);

	if (!gateway || gateway->state == state) {
		self->stats.ignored++;
		return;
	}
	struct stream_event *event = registry_story(self, EVENT_GATEWAY_CHANGED, NULL);

	event->gateway_changed.gateway = incarnation;
	event->gateway_changed.name = effects_keep(self->fx, text_of(gateway->name));
	event->gateway_changed.state = state;
	event->gateway_changed.clock = gateway->clock;
	event->gateway_changed.reason = text_of(reason);
	registry_tell(self, event);
}

void registry_gateway_gone(struct registry *self, uint64_t incarnation, const char *reason)
{
	if (!state_gateway_find(&self->state, incarnation)) {
		self->stats.ignored++;
		return;
	}
	registry_gateway_move(self, incarnation, LINK_DOWN, reason);
	registry_sweep(self, incarnation, false);
}

void registry_on_gateway_up(struct registry *self, const struct input *input)
{
	unsigned known = 0;

	for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
		const struct state_gateway *gateway = &self->state.gateways[i];

		if (gateway->incarnation == 0)
			continue;
		known++;
		if (gateway->incarnation != input->peer.incarnation &&
		    strcmp(gateway->name, input->peer_name) == 0) {
			registry_gateway_gone(self, gateway->incarnation, "replaced");
			known--;
		}
	}
	if (state_gateway_find(&self->state, input->peer.incarnation)) {
		registry_gateway_move(self, input->peer.incarnation, LINK_UP, "back");
		return;
	}
	if (known == GATEWAYS_MAX) {
		self->stats.full++;
		return;
	}
	struct stream_event *event = registry_story(self, EVENT_GATEWAY_CHANGED, NULL);

	event->gateway_changed.gateway = input->peer.incarnation;
	event->gateway_changed.name = text_of(input->peer_name);
	event->gateway_changed.state = LINK_UP;
	event->gateway_changed.clock = input->clock;
	event->gateway_changed.reason = TEXT("hello");
	registry_tell(self, event);
}

/* One that was given up and yet has news was never gone: what else it holds is down by now, so it
 * tells of all that again.
 */
bool registry_gateway_knows(struct registry *self, const struct input *input)
{
	if (state_gateway_find(&self->state, input->peer.incarnation))
		return true;
	if (!input->peer_name)
		return false;
	registry_on_gateway_up(self, input);
	if (!state_gateway_find(&self->state, input->peer.incarnation))
		return false;
	registry_refuse_link(self, input->peer, (struct text){ 0 }, 0);
	return true;
}

/* Links ------------------------------------------------------------------------------------ */

static void link_change(struct registry *self, struct state_user *user, struct registry_way way,
			enum link_state state, uint64_t code)
{
	/* The stop of a stream that was taken over was for the socket it ran on: on another one it
	 * could only hit the new stream, which may have been started there already.  So it is
	 * settled before anybody knows of the other one.
	 */
	if (user->active != STATE_NONE)
		registry_overtake_stops(self, user);
	struct stream_event *event = registry_story(self, EVENT_LINK_CHANGED, user);

	self->link_confirmed[user - self->state.users] = true;
	event->link_changed.link = way.link;
	event->link_changed.gateway = way.gateway;
	event->link_changed.opened_ms = way.opened_ms;
	event->link_changed.state = state;
	event->link_changed.code = code;
	registry_tell(self, event);
}

/* The apps that ran when the user's last session ended, and the dashboard: all are started, and
 * connection_ack waits for them (protocol.md 1.2).
 */
static void launch_remembered(struct registry *self, struct state_user *user, struct text dashboard)
{
	for (uint32_t slot = user->apps; slot != STATE_NONE;) {
		struct state_app *app = state_app_at(&self->state, slot);

		slot = app->next;
		if (app->state != APP_STOPPED)
			continue;
		registry_app_launch(self, user, registry_text(self, app->package), app->type);
	}
	if (dashboard.length > 0 && !state_app_find(&self->state, user, dashboard) &&
	    registry_apps_of(self, user) < APPS_PER_USER_MAX)
		registry_app_launch(self, user, dashboard, APP_TYPE_DASHBOARD);
}

static struct state_user *session_open(struct registry *self, struct text user_id, bool waiting)
{
	struct stream_event *event = registry_story(self, EVENT_SESSION_OPENED, NULL);

	event->user_id = user_id;
	event->session_opened.waiting = waiting;
	registry_tell(self, event);
	return state_user_find(&self->state, user_id);
}

struct state_user *registry_session_adopt(struct registry *self, struct text user_id)
{
	if (user_id.length == 0 || !state_has_room(&self->state))
		return NULL;
	struct state_user *user = session_open(self, user_id, false);

	link_change(self, user, (struct registry_way){ 0 }, LINK_DOWN, 0);
	return user;
}

void registry_refuse_link(struct registry *self, struct peer gateway, struct text user_id,
			  uint64_t link)
{
	struct stream_event *event =
		registry_send(self, gateway, EVENT_REGISTRY_UNKNOWN_LINK, NULL);

	event->user_id = user_id;
	event->registry_unknown_link.link = link;
}

static uint64_t clock_of(const struct registry *self, uint64_t incarnation)
{
	const struct state_gateway *gateway = state_gateway_find(&self->state, incarnation);

	return gateway ? gateway->clock : 0;
}

bool registry_is_older(const struct registry *self, struct registry_way way,
		       struct registry_way known, bool resumed)
{
	const uint64_t clock = clock_of(self, way.gateway);

	if (way.opened_ms == 0 || clock != clock_of(self, known.gateway))
		return resumed;
	/* What our own clock has not reached is of a time before the machine was started. */
	return known.opened_ms != 0 && way.opened_ms < known.opened_ms &&
	       (clock != self->options.clock || known.opened_ms <= self->now_ms);
}

static bool is_same(const struct state_user *user, struct registry_way way)
{
	return user->link == way.link && user->gateway == way.gateway;
}

/* Told late, or again after a restart, though the user has another socket by now that is newer;
 * also while the gateway of that one is silent, for a phone has one socket.
 */
static bool is_replaced(const struct registry *self, const struct state_user *user,
			struct registry_way way, bool resumed)
{
	if (user->link_state != LINK_UP || is_same(user, way))
		return false;
	/* What is told again by the same gateway, or instead of a silent one, is what it has. */
	if (user->gateway == way.gateway || state_link(&self->state, user) != LINK_UP)
		resumed = false;
	return registry_is_older(self, way, way_of(user), resumed);
}

/* A socket of a user who is here: true if nothing but our notes changes. */
static bool is_no_news(struct registry *self, struct state_user *user, struct registry_way way,
		       bool resumed)
{
	if (is_replaced(self, user, way, resumed)) {
		self->stats.ignored++;
		if (!resumed && user->session == SESSION_OPEN)
			notice_on(self, user, way, NOTICE_CONNECTION_ACK, (struct text){ 0 });
		return true;
	}
	if (resumed && user->link_state == LINK_UP && is_same(user, way)) {
		self->link_confirmed[user - self->state.users] = true;
		registry_relay_filter(self, user);
		return true;
	}
	return false;
}

void registry_on_link_opened(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	const uint64_t link = event->edge_link_opened.link;
	const bool resumed = event->edge_link_opened.resumed;
	const struct registry_way way = { input->peer.incarnation, link,
					  event->edge_link_opened.opened_ms };
	struct state_user *user = state_user_find(&self->state, event->user_id);
	bool fresh = !user || user->session == SESSION_NONE;

	if (event->user_id.length == 0 || (fresh && !state_has_room(&self->state)) ||
	    !registry_gateway_knows(self, input)) {
		registry_refuse_link(self, input->peer, event->user_id, link);
		self->stats.full++;
		return;
	}
	if (!fresh && is_no_news(self, user, way, resumed))
		return;
	if (fresh) {
		bool waiting = !resumed && ((user && user->apps != STATE_NONE) ||
					    event->edge_link_opened.dashboard.length > 0);

		user = session_open(self, event->user_id, waiting);
	}
	link_change(self, user, way, LINK_UP, 0);
	if (fresh && !resumed)
		launch_remembered(self, user, event->edge_link_opened.dashboard);
	if (user->session == SESSION_WAITING)
		registry_session_check_ready(self, user);
	else if (!resumed && user->session == SESSION_OPEN)
		registry_notice(self, user, NOTICE_CONNECTION_ACK, (struct text){ 0 });
	if (!fresh)
		registry_relay_filter(self, user);
}

void registry_session_check_ready(struct registry *self, struct state_user *user)
{
	if (user->session != SESSION_WAITING)
		return;
	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->state.apps[slot].next)
		if (self->state.apps[slot].state == APP_LOADING)
			return;
	registry_tell(self, registry_story(self, EVENT_SESSION_READY, user));
	registry_notice(self, user, NOTICE_CONNECTION_ACK, (struct text){ 0 });
}

void registry_on_link_closed(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);

	/* A socket that another has replaced may close as it likes (D16's rule, for glasses). */
	if (!user || user->link_state != LINK_UP || user->link != event->edge_link_closed.link ||
	    user->gateway != input->peer.incarnation) {
		self->stats.ignored++;
		return;
	}
	link_change(self, user, way_of(user), LINK_DOWN, event->edge_link_closed.code);
}

void registry_on_glasses(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);

	if (!user || user->session == SESSION_NONE) {
		self->stats.ignored++;
		return;
	}
	bool connected = user->connected;
	struct text model = registry_text(self, user->model);
	enum wifi wifi = user->wifi;

	if (event->edge_glasses.has_state) {
		connected = event->edge_glasses.connected;
		model = connected ? event->edge_glasses.model : (struct text){ 0 };
	}
	if (event->edge_glasses.wifi != WIFI_UNKNOWN)
		wifi = event->edge_glasses.wifi;
	if (!text_equal(model, registry_text(self, user->model)) &&
	    !pool_has_room(&self->state.pool, model.length)) {
		self->stats.full++;
		model = (struct text){
			0
		}; /* that they are there matters more than what they are */
	}
	if (connected != user->connected || wifi != user->wifi || user->glasses_seq == 0 ||
	    !text_equal(model, registry_text(self, user->model))) {
		struct stream_event *change = registry_story(self, EVENT_GLASSES_CHANGED, user);

		change->glasses_changed.model = model;
		change->glasses_changed.connected = connected;
		change->glasses_changed.wifi = wifi;
		registry_tell(self, change);
	}
	if (event->edge_glasses.has_state && connected && !event->edge_glasses.resumed)
		registry_capabilities(self, user);
}

/* The end of a session --------------------------------------------------------------------- */

/* D7: statuses first; the app sockets are closed once the owners have been told, or late. */
void registry_on_session_grace(struct registry *self, struct state_user *user)
{
	struct state_stream *active = state_active(&self->state, user);

	if (user->session == SESSION_NONE || user->session == SESSION_ENDING)
		return;
	if (active)
		registry_close(
			self, active,
			&(struct closing){ .cause = END_SESSION_ENDED, .last_ack_age_ms = -1 });
	registry_tell(self, registry_story(self, EVENT_SESSION_ENDING, user));
	registry_session_check_end(self, user, self->endings_count == REGISTRY_ENDINGS_MAX);
	if (user->session != SESSION_ENDING)
		return;
	self->endings[self->endings_count++] = (struct registry_ending){
		.user = (uint32_t)(user - self->state.users),
		.session_seq = user->session_seq,
		.until_ms = self->now_ms + self->options.ending_max_ms,
	};
}

void registry_session_check_end(struct registry *self, struct state_user *user, bool overdue)
{
	if (user->session != SESSION_ENDING)
		return;
	for (uint32_t slot = user->liabilities; slot != STATE_NONE && !overdue;
	     slot = self->state.streams[slot].next)
		if (self->state.streams[slot].told_owed)
			return;
	struct text user_id = effects_keep(self->fx, registry_text(self, user->id));
	const struct peer gateway = { ROLE_GATEWAY, user->gateway };
	const struct registry_way way = way_of(user);
	const bool returned = user->link_state == LINK_UP;

	registry_apps_end(self, user);
	struct stream_event *event = registry_story(self, EVENT_SESSION_CLOSED, user);

	event->session_closed.reason = TEXT("grace expired");
	registry_tell(self, event);
	if (!returned)
		return;
	if (!state_has_room(&self->state)) {
		registry_refuse_link(self, gateway, user_id, way.link);
		self->stats.full++;
		return;
	}
	/* The glasses came back while the old session was closing: they get a fresh one. */
	user = state_user_find(&self->state, user_id);
	user = session_open(self, user_id, user && user->apps != STATE_NONE);
	link_change(self, user, way, LINK_UP, 0);
	launch_remembered(self, user, (struct text){ 0 });
	if (user->session == SESSION_OPEN)
		registry_notice(self, user, NOTICE_CONNECTION_ACK, (struct text){ 0 });
	registry_session_check_ready(self, user);
}

/* Gateways that are gone ------------------------------------------------------------------- */

void registry_sweep(struct registry *self, uint64_t gateway, bool unconfirmed)
{
	struct registry_sweep *sweep = &self->sweeps[0];

	for (unsigned i = 0; i < REGISTRY_SWEEPS_MAX && sweep->gateway != 0; i++)
		sweep = &self->sweeps[i];
	/* More at once than we keep track of: any sweep takes down what no living gateway
	 * holds, so starting one over covers it.
	 */
	if (sweep->gateway != 0)
		sweep->next_user = 0;
	else
		*sweep = (struct registry_sweep){ .gateway = gateway, .unconfirmed = unconfirmed };
}

/* A gateway that an earlier life knew has told of all it holds: the rest is no more. */
void registry_on_announced(struct registry *self, const struct input *input)
{
	for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
		if (self->remembered[i] != input->peer.incarnation)
			continue;
		self->remembered[i] = 0;
		registry_sweep(self, input->peer.incarnation, true);
	}
}

static bool is_gone(const struct registry *self, const struct registry_sweep *sweep,
		    uint64_t gateway, bool confirmed)
{
	return !state_gateway_find(&self->state, gateway) ||
	       (sweep->unconfirmed && gateway == sweep->gateway && !confirmed);
}

static void sweep_user(struct registry *self, const struct registry_sweep *sweep,
		       struct state_user *user)
{
	if (user->link_state == LINK_UP &&
	    is_gone(self, sweep, user->gateway, self->link_confirmed[user - self->state.users]))
		link_change(self, user, way_of(user), LINK_DOWN, 0);
	for (uint32_t slot = user->apps; slot != STATE_NONE;) {
		struct state_app *app = &self->state.apps[slot];

		if (app->link != 0 &&
		    is_gone(self, sweep, app->gateway, self->apps[slot].confirmed))
			registry_app_lost(self, user, app);
		slot = app->next;
	}
}

/* One slice.  Users are walked in slot order: a link that
 * a dead gateway announced cannot appear behind the cursor, for it can announce no more.
 */
void registry_sweep_step(struct registry *self)
{
	struct registry_sweep *sweep = NULL;

	for (unsigned i = 0; i < REGISTRY_SWEEPS_MAX && !sweep; i++)
		if (self->sweeps[i].gateway != 0)
			sweep = &self->sweeps[i];
	if (!sweep)
		return;
	for (unsigned looked = 0; looked < REGISTRY_SWEEP_USERS; looked++) {
		if (sweep->next_user == self->state.users_fresh) {
			sweep->gateway = 0;
			return;
		}
		/* An app that goes may cost a few effects; leave room for all of one user's. */
		if (effects_room(self->fx) < 4 * APPS_PER_USER_MAX)
			return;
		struct state_user *user = state_user_of(&self->state, sweep->next_user++);

		if (user)
			sweep_user(self, sweep, user);
	}
}
