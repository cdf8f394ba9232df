/* SPDX-License-Identifier: MIT */
#include "tests/lib/random_edge.h"

#include <stdio.h>

#include "proto/list.h"

static const char *const users[RANDOM_USERS] = { "a@x", "b-c@x-y", "d@x", "e@x" };
static const char *const packages[RANDOM_PACKAGES] = { "pa", "p-b", "pc", "pd", "system.dash" };
static const enum app_type types[RANDOM_PACKAGES] = { APP_TYPE_STANDARD, APP_TYPE_STANDARD,
						      APP_TYPE_BACKGROUND, APP_TYPE_BACKGROUND,
						      APP_TYPE_DASHBOARD };

struct text random_user(unsigned index)
{
	return text_of(users[index]);
}

void random_edge_init(struct random_edge *self, const struct registry *registry, uint64_t seed)
{
	*self = (struct random_edge){ .prng = { seed },
				      .registry = registry,
				      .next_incarnation = 10,
				      .next_link = 100,
				      .next_request = 1 };
	for (unsigned i = 0; i < RANDOM_GATEWAYS; i++)
		self->incarnations[i] = self->next_incarnation++;
}

/* Picks ------------------------------------------------------------------------------------ */

static uint32_t below(struct random_edge *self, uint32_t limit)
{
	return prng_below(&self->prng, limit);
}

static bool one_in(struct random_edge *self, uint32_t n)
{
	return prng_one_in(&self->prng, n);
}

static unsigned pick_package(struct random_edge *self)
{
	return below(self, RANDOM_PACKAGES);
}

static struct text pick_text(struct random_edge *self, const char *const *texts, uint32_t count)
{
	return text_of(texts[below(self, count)]);
}

static const struct state_user *user_of(const struct random_edge *self,
					const struct stream_event *event)
{
	return state_user_find(&self->registry->state, event->user_id);
}

/* Who holds the glasses of the event's user; now and then somebody else. */
static struct peer pick_holder(struct random_edge *self, const struct stream_event *event)
{
	const struct state_user *user = user_of(self, event);
	uint64_t gateway = self->incarnations[below(self, RANDOM_GATEWAYS)];

	if (user && user->link_state == LINK_UP && !one_in(self, 20))
		gateway = user->gateway;
	return (struct peer){ ROLE_GATEWAY, gateway };
}

static const struct state_app *pick_app(struct random_edge *self, const struct stream_event *event)
{
	const struct state_user *user = user_of(self, event);
	uint32_t slot = user ? user->apps : STATE_NONE;

	for (uint32_t steps = below(self, 4); steps > 0 && slot != STATE_NONE; steps--)
		slot = self->registry->state.apps[slot].next;
	return slot != STATE_NONE ? &self->registry->state.apps[slot] : NULL;
}

static struct text keep(struct text text, char *buffer)
{
	memcpy(buffer, text.bytes, text.length);
	return (struct text){ buffer, text.length };
}

/* The name of an app of the user, or of any; its type into @type. */
static struct text package_of(struct random_edge *self, const struct state_app *app,
			      struct random_input *out, uint32_t *type)
{
	unsigned index = pick_package(self);

	*type = types[index];
	if (!app || one_in(self, 20))
		return text_of(packages[index]);
	*type = app->type;
	return keep(state_text(&self->registry->state, app->package), out->package);
}

/* Some stream: the active one of the user as a rule. */
static const struct state_stream *name_stream(struct random_edge *self, struct random_input *out)
{
	const struct state *state = &self->registry->state;
	const struct state_user *user = user_of(self, &out->event);
	const struct state_stream *stream = state_active(state, user);

	if (user && user->liabilities != STATE_NONE && (!stream || one_in(self, 3)))
		stream = state_stream_at(state, user->liabilities);
	if (one_in(self, 30) && state->streams_fresh > 0)
		stream = state_stream_at(state, below(self, state->streams_fresh));
	if (!stream || one_in(self, 40)) {
		out->event.stream_id = TEXT("s0000000000");
		out->event.epoch = below(self, 200);
		return stream;
	}
	out->event.stream_id = keep(state_text(state, stream->id), out->stream_id);
	out->event.epoch = one_in(self, 30) ? stream->epoch - 1 : stream->epoch;
	return stream;
}

static void request_of(struct random_edge *self, struct random_input *out)
{
	out->event.origin = self->incarnations[0];
	out->event.request = self->next_request++;
	if (one_in(self, 8)) /* asked again */
		out->event.request = 1 + below(self, (uint32_t)self->next_request);
	if (one_in(self, 10)) {
		int64_t now_ms = self->registry->now_ms;

		out->event.expires_ms = now_ms + below(self, 2000) - 500;
		if (out->event.expires_ms <= 0)
			out->event.expires_ms = 1;
	}
}

/* Facts of the edge ------------------------------------------------------------------------ */

static void on_glasses_link(struct random_edge *self, struct random_input *out)
{
	const struct state_user *user = user_of(self, &out->event);

	if (user && user->link_state == LINK_UP && !one_in(self, 3)) {
		out->event.type = EVENT_EDGE_LINK_CLOSED;
		out->event.edge_link_closed.link = one_in(self, 8) ? user->link - 1 : user->link;
		out->event.edge_link_closed.code = 1006;
		out->input.peer = pick_holder(self, &out->event);
		return;
	}
	out->event.type = EVENT_EDGE_LINK_OPENED;
	out->event.edge_link_opened.link = self->next_link++;
	out->event.edge_link_opened.resumed = one_in(self, 6);
	if (one_in(self, 3))
		out->event.edge_link_opened.dashboard = text_of(packages[4]);
}

static void on_glasses_state(struct random_edge *self, struct random_input *out)
{
	static const char *const models[] = { "Mentra Live", "Mentra Live", "Simulated Glasses",
					      "Vuzix Z100", "Unheard Of" };

	out->event.type = EVENT_EDGE_GLASSES;
	out->event.edge_glasses.has_state = !one_in(self, 4);
	out->event.edge_glasses.connected = !one_in(self, 6);
	out->event.edge_glasses.wifi = below(self, 4) ? WIFI_ON : below(self, WIFI_COUNT);
	if (out->event.edge_glasses.connected)
		out->event.edge_glasses.model = pick_text(self, models, 5);
	out->input.peer = pick_holder(self, &out->event);
}

static void on_status(struct random_edge *self, struct random_input *out)
{
	static const char *const details[] = { "", "", "no route", "battery low" };

	out->event.type = EVENT_EDGE_STATUS;
	(void)name_stream(self, out);
	out->event.edge_status.status = 1 + below(self, 7);
	if (one_in(self, 6))
		out->event.edge_status.status = below(self, DEVICE_STATUS_COUNT);
	out->event.edge_status.detail = pick_text(self, details, 4);
	out->input.peer = pick_holder(self, &out->event);
}

static void on_told(struct random_edge *self, struct random_input *out)
{
	const struct state_stream *stream = name_stream(self, out);
	uint32_t outcome = one_in(self, 4) ? below(self, OUTCOME_COUNT) : OUTCOME_SENT;

	out->input.peer = pick_holder(self, &out->event);
	if (one_in(self, 2)) {
		out->event.type = EVENT_EDGE_DEVICE_TOLD;
		out->event.edge_device_told.stop = stream && stream->phase == PHASE_CLOSED;
		if (one_in(self, 8))
			out->event.edge_device_told.stop ^= true;
		out->event.edge_device_told.outcome = outcome;
		return;
	}
	out->event.type = EVENT_EDGE_APP_TOLD;
	out->event.edge_app_told.outcome = outcome;
	out->event.edge_app_told.package =
		stream && !one_in(self, 10)
			? keep(state_text(&self->registry->state, stream->package), out->package)
			: text_of(packages[pick_package(self)]);
}

static void on_app_socket(struct random_edge *self, struct random_input *out)
{
	const struct state_app *app = pick_app(self, &out->event);
	uint32_t type;
	struct text package = package_of(self, app, out, &type);

	if (app && app->link != 0 && one_in(self, 2)) {
		out->event.type = EVENT_EDGE_APP_CLOSED;
		out->event.edge_app_closed.link = one_in(self, 6) ? app->link - 1 : app->link;
		out->event.edge_app_closed.package = package;
		out->input.peer.incarnation = app->gateway;
		return;
	}
	out->event.type = EVENT_EDGE_APP_OPENED;
	out->event.edge_app_opened.link = self->next_link++;
	out->event.edge_app_opened.package = package;
	out->event.edge_app_opened.key_ok = !one_in(self, 20);
	out->event.edge_app_opened.app_type = type;
	out->event.edge_app_opened.resumed = one_in(self, 10);
}

static void on_subscribed(struct random_edge *self, struct random_input *out)
{
	static const char *const names[] = {
		"rtmp_stream_status", "managed_stream_status", "all", "*",
		"button_press",	      "location_stream"
	};
	const struct state_app *app = pick_app(self, &out->event);
	struct list_writer list;
	uint32_t type;

	list_begin(&list, out->list, sizeof out->list);
	for (uint32_t i = below(self, 4); i > 0; i--)
		(void)list_add_text(&list, pick_text(self, names, 6));
	out->event.type = EVENT_EDGE_APP_SUBSCRIBED;
	out->event.edge_app_subscribed.package = package_of(self, app, out, &type);
	out->event.edge_app_subscribed.types = list_end(&list);
	if (!app)
		return;
	out->event.edge_app_subscribed.link = one_in(self, 10) ? 3 : app->link;
	out->input.peer.incarnation = app->gateway;
}

static void on_app_wish(struct random_edge *self, struct random_input *out)
{
	unsigned index = pick_package(self);
	bool rest = one_in(self, 3);

	request_of(self, out);
	out->event.expires_ms = 0;
	out->input.peer = pick_holder(self, &out->event);
	if (!one_in(self, 3)) {
		out->event.type = EVENT_EDGE_APP_START;
		out->event.edge_app_start.package = text_of(packages[index]);
		out->event.edge_app_start.app_type = types[index];
		out->event.edge_app_start.rest = rest;
		out->event.edge_app_start.known = !one_in(self, 20);
		return;
	}
	out->event.type = EVENT_EDGE_APP_STOP;
	out->event.edge_app_stop.package = text_of(packages[index]);
	out->event.edge_app_stop.rest = rest;
	out->event.edge_app_stop.known = !one_in(self, 20);
}

static void on_hook(struct random_edge *self, struct random_input *out)
{
	const struct state_app *app = pick_app(self, &out->event);
	uint32_t type;

	out->event.type = EVENT_EDGE_HOOK_DONE;
	out->event.edge_hook_done.package = package_of(self, app, out, &type);
	out->event.edge_hook_done.hook = one_in(self, 4) ? HOOK_SESSION : HOOK_STOP;
	out->event.edge_hook_done.hook_id = below(self, 50);
	out->event.edge_hook_done.ok = one_in(self, 2);
	if (app && !one_in(self, 6))
		out->event.edge_hook_done.hook_id =
			self->registry->apps[app - self->registry->state.apps].hook_id;
}

static void on_other(struct random_edge *self, struct random_input *out)
{
	static const char *const names[] = { "button_press", "location_stream", "unheard_of" };

	if (one_in(self, 2)) {
		out->event.type = EVENT_EDGE_RELAY;
		out->event.edge_relay.type_name = pick_text(self, names, 3);
		out->event.edge_relay.message = TEXT("{\"type\":\"button_press\"}");
		return;
	}
	out->event.type = EVENT_EDGE_CHECK;
	out->event.edge_check.link = 1 + below(self, 300);
	out->event.edge_check.package = text_of(packages[pick_package(self)]);
}

/* Time, and what adapters and operators want ------------------------------------------------ */

static void on_gateway(struct random_edge *self, struct random_input *out)
{
	uint64_t gateway = self->incarnations[below(self, RANDOM_GATEWAYS)];

	out->input.peer = (struct peer){ ROLE_SCHEDULER, 1 };
	switch (below(self, 8)) {
	case 0:
	case 1:
	case 2:
	case 3:
		out->event.type = EVENT_GATEWAY_SEEN;
		out->event.gateway_seen.gateway = gateway;
		return;
	case 4:
		if (!one_in(self, 6)) {
			out->input.type = INPUT_TICK;
			return;
		}
		out->event.type = EVENT_EDGE_LEAVING;
		out->input.peer = (struct peer){ ROLE_GATEWAY, gateway };
		return;
	default:
		out->event.type = EVENT_TIMER_EXPIRED;
		out->event.timer_expired.timer = TIMER_GATEWAY_LEASE;
		out->event.timer_expired.gateway = gateway;
		out->event.timer_expired.after_ms = one_in(self, 8) ? 120000 : 5000;
		return;
	}
}

static void on_timer(struct random_edge *self, struct random_input *out)
{
	const struct state_user *user = user_of(self, &out->event);
	const struct state_app *app = pick_app(self, &out->event);
	uint32_t type;

	out->event.type = EVENT_TIMER_EXPIRED;
	out->input.peer = (struct peer){ ROLE_SCHEDULER, 1 };
	out->event.timer_expired.timer =
		one_in(self, 8) ? TIMER_SESSION_GRACE : TIMER_APP_GRACE + below(self, 4);
	out->event.timer_expired.after_ms = 5000;
	switch (out->event.timer_expired.timer) {
	case TIMER_SESSION_GRACE:
		out->event.cause = user ? user->link_seq : 0;
		break;
	case TIMER_START_DEADLINE:
	case TIMER_STOP_DEADLINE: {
		const struct state_stream *stream = name_stream(self, out);

		out->event.cause = stream ? stream->activity_seq : 0;
		break;
	}
	default:
		out->event.cause = app ? app->seq : 0;
		out->event.timer_expired.package = package_of(self, app, out, &type);
	}
	if (one_in(self, 5))
		out->event.cause = below(self, (uint32_t)self->registry->seq + 1);
}

static void on_probe(struct random_edge *self, struct random_input *out)
{
	const struct state_stream *stream = name_stream(self, out);

	out->event.type = EVENT_STREAM_MISSED;
	out->input.peer = (struct peer){ ROLE_SCHEDULER, 1 };
	out->event.cause = stream && !one_in(self, 8) ? stream->activity_seq : 0;
	out->event.stream_missed.missed = below(self, 4);
	out->event.stream_missed.expired = out->event.stream_missed.missed == 3;
	out->event.stream_missed.last_ack_age_ms = (int64_t)below(self, 60000) - 1;
}

static void on_operator(struct random_edge *self, struct random_input *out)
{
	out->event.type = EVENT_OPERATOR_STOP;
	out->input.peer = (struct peer){ ROLE_OPERATOR, 5 };
	out->event.operator_stop.by = TEXT("op");
	if (one_in(self, 2))
		(void)name_stream(self, out);
}

static void on_command(struct random_edge *self, struct random_input *out)
{
	bool managed = one_in(self, 3);

	request_of(self, out);
	out->input.peer = (struct peer){ managed ? ROLE_MANAGED : ROLE_UNMANAGED, 7 };
	if (one_in(self, 3)) {
		out->event.type = EVENT_STREAM_CLOSE;
		(void)name_stream(self, out);
		out->event.stream_close.end_cause = END_APP_STOP;
		if (one_in(self, 8))
			out->event.stream_close.end_cause = below(self, END_CAUSE_COUNT);
		out->event.stream_close.by = text_of(packages[pick_package(self)]);
		out->event.stream_close.told_id = out->event.stream_id;
		return;
	}
	out->event.type = EVENT_STREAM_OPEN;
	out->event.stream_open.kind = managed ? KIND_MANAGED : KIND_UNMANAGED;
	out->event.stream_open.package = text_of(packages[pick_package(self)]);
	out->event.stream_open.rtmp_url = TEXT("rtmp://h/a/key");
	out->event.stream_open.video = TEXT("{\"width\":1280}");
	out->event.stream_open.audio = out->event.stream_open.options = TEXT("{}");
}

/* What a provider has and says; ids and destinations are few, so that some are known. */
static struct text perhaps(struct random_edge *self, const char *word)
{
	return text_of(one_in(self, 2) ? word : "");
}

static void on_input(struct random_edge *self, struct random_input *out)
{
	const struct state_stream *stream = name_stream(self, out);
	const struct text id = perhaps(self, one_in(self, 4) ? "in2" : "in1");

	if (one_in(self, 4)) {
		out->event.type = EVENT_INPUT_SEEN;
		out->event.input_seen.ingest = below(self, INGEST_COUNT);
		out->event.input_seen.playback = below(self, PLAYBACK_COUNT);
		out->event.input_seen.hls = perhaps(self, "https://h/2");
	} else if (stream && stream->phase == PHASE_CLOSED && one_in(self, 2)) {
		out->event.type = EVENT_INPUT_GONE;
		out->event.input_gone.input_id = id;
	} else {
		out->event.type = EVENT_INPUT_MADE;
		out->event.input_made.input_id = id;
		out->event.input_made.ingest = TEXT("rtmp://h/live/key");
	}
}

static void on_output(struct random_edge *self, struct random_input *out)
{
	const struct text package = text_of(packages[pick_package(self)]);

	(void)name_stream(self, out);
	if (one_in(self, 3)) {
		out->event.type = EVENT_OUTPUT_SEEN;
		out->event.output_seen.output = below(self, 5);
		out->event.output_seen.state = below(self, OUTPUT_STATE_COUNT);
		out->event.output_seen.remote_id = perhaps(self, "r1");
	} else if (one_in(self, 3)) {
		out->event.type = EVENT_OUTPUT_REMOVE;
		out->event.output_remove.output = below(self, 5);
		out->event.output_remove.package = package;
	} else {
		out->event.type = EVENT_OUTPUT_ADD;
		out->event.output_add.url =
			perhaps(self, one_in(self, 2) ? "rtmp://a/1" : "rtmp://b/2");
		out->event.output_add.error = perhaps(self, "no");
		out->event.output_add.package = package;
	}
}

static void on_managed(struct random_edge *self, struct random_input *out)
{
	request_of(self, out);
	out->input.peer = (struct peer){ ROLE_MANAGED, 7 };
	if (one_in(self, 3)) {
		on_output(self, out);
	} else if (!one_in(self, 3)) {
		on_input(self, out);
	} else {
		(void)name_stream(self, out);
		out->event.type = EVENT_STREAM_LEAVE;
		out->event.stream_leave.package = text_of(packages[pick_package(self)]);
	}
}

bool random_edge_settle(struct random_edge *self, struct random_input *out)
{
	const struct state *state = &self->registry->state;
	const struct state_stream *stream = NULL;

	for (uint32_t slot = 0; slot < state->streams_fresh && !stream; slot++)
		if (state->streams[slot].phase != PHASE_NONE && state->streams[slot].input_owed)
			stream = &state->streams[slot];
	if (!stream)
		return false;
	out->input = (struct input){ INPUT_MESSAGE, { ROLE_MANAGED, 7 }, .event = &out->event };
	out->event = (struct stream_event){ .type = EVENT_INPUT_GONE, .epoch = stream->epoch };
	out->event.stream_id = state_text(state, stream->id);
	out->event.input_gone.input_id =
		state_text(state, state_managed_of(state, stream)->input_id);
	return true;
}

static void on_request(struct random_edge *self, struct random_input *out)
{
	const struct state_app *app = pick_app(self, &out->event);
	uint64_t seen_seq = self->registry->seq - below(self, 2) * below(self, 40);
	struct text package;
	uint32_t type;

	request_of(self, out);
	if (!out->event.expires_ms)
		out->event.expires_ms = self->registry->now_ms + 10000;
	package = package_of(self, app, out, &type);
	if (one_in(self, 3)) {
		out->event.type = EVENT_REQUEST_STOP;
		if (one_in(self, 2))
			(void)name_stream(self, out);
		out->event.epoch = 0;
		out->event.request_stop.link = app ? app->link : 1;
		out->event.request_stop.package = package;
		out->event.request_stop.seen_seq = seen_seq;
		return;
	}
	out->event.type = EVENT_REQUEST_START;
	out->event.request_start.link = app ? app->link : 1;
	out->event.request_start.package = package;
	out->event.request_start.seen_seq = seen_seq;
	out->event.request_start.permitted = !one_in(self, 20);
	out->event.request_start.oversized = one_in(self, 40);
	out->event.request_start.rtmp_url =
		one_in(self, 20) ? TEXT("http://x") : TEXT("rtmp://h/a/key");
	out->event.request_start.video = out->event.request_start.audio =
		out->event.request_start.options = TEXT("{}");
}

/* ------------------------------------------------------------------------------------------ */

void random_edge_hello(struct random_edge *self, unsigned index, struct random_input *out)
{
	(void)snprintf(out->name, sizeof out->name, "gateway-%u", index + 1);
	out->input = (struct input){ .type = INPUT_PEER_UP,
				     .peer = { ROLE_GATEWAY, self->incarnations[index] },
				     .peer_name = out->name };
}

/* What brings a user one step further: glasses, apps, a stream, its life.  NULL: nothing would. */
typedef void (*random_kind)(struct random_edge *self, struct random_input *out);

static unsigned count_apps(const struct random_edge *self, const struct state_user *user,
			   enum app_state state)
{
	const struct state *registry = &self->registry->state;
	unsigned count = 0;

	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = registry->apps[slot].next)
		count += registry->apps[slot].state == state;
	return count;
}

static random_kind progress(struct random_edge *self, const struct random_input *out)
{
	const struct state_user *user = user_of(self, &out->event);

	if (!user || state_link(&self->registry->state, user) != LINK_UP)
		return on_glasses_link;
	if (!user->connected || user->wifi != WIFI_ON)
		return on_glasses_state;
	if (count_apps(self, user, APP_RUNNING) < 2)
		return count_apps(self, user, APP_LOADING) > 0 ? on_app_socket : on_app_wish;
	if (user->active == STATE_NONE)
		return one_in(self, 4) ? on_subscribed : on_request;
	if (self->registry->state.streams[user->active].kind == KIND_MANAGED && one_in(self, 2))
		return on_managed;
	return one_in(self, 3) ? on_told : on_status;
}

static bool is_known(const struct random_edge *self, unsigned gateway)
{
	return state_gateway_find(&self->registry->state, self->incarnations[gateway]);
}

void random_edge_next(struct random_edge *self, struct random_input *out)
{
	/* As often as they stand here. */
	static const random_kind kinds[] = {
		on_glasses_link, on_glasses_state, on_status,	  on_status,   on_told,
		on_told,	 on_app_socket,	   on_app_socket, on_app_wish, on_app_wish,
		on_hook,	 on_hook,	   on_other,	  on_gateway,  on_timer,
		on_timer,	 on_probe,	   on_probe,	  on_request,  on_request,
		on_request,	 on_subscribed,	   on_subscribed, on_managed,
	};
	random_kind kind = kinds[below(self, sizeof kinds / sizeof kinds[0])];
	unsigned gateway = below(self, RANDOM_GATEWAYS);

	memset(out, 0, offsetof(struct random_input, list));
	if (one_in(self, 100))
		self->incarnations[gateway] = self->next_incarnation++;
	if (one_in(self, 100) || (!is_known(self, gateway) && !one_in(self, 4))) {
		random_edge_hello(self, gateway, out);
		return;
	}
	out->input.type = INPUT_MESSAGE;
	out->input.peer = (struct peer){ ROLE_GATEWAY, self->incarnations[gateway] };
	out->input.event = &out->event;
	out->event.user_id = text_of(users[below(self, RANDOM_USERS)]);
	if (one_in(self, 100))
		kind = on_operator;
	else if (one_in(self, 2))
		kind = progress(self, out);
	if (kind == on_request && (self->commands || one_in(self, 8)))
		kind = on_command;
	kind(self, out);
	out->event.cause = out->event.cause ? out->event.cause : below(self, 3);
	if (out->input.type == INPUT_TICK)
		out->input.event = NULL;
}
