/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_core.h"

#include <assert.h>

#include "actors/gateway/gateway_internal.h"

#define ALIGNMENT 64
#define POOL_BYTES_PER_LINK 1024 /* user, package, model, filter; most need a quarter */
#define POOL_BYTES_MIN (4u << 20)

static const struct peer registry = { .role = ROLE_REGISTRY };
static const struct peer scheduler = { .role = ROLE_SCHEDULER };

struct gateway_out *gateway_out_add(struct gateway *self, enum gateway_out_type type, uint64_t link)
{
	assert(self->out_count < GATEWAY_OUTS_MAX);
	struct gateway_out *out = &self->outs[self->out_count++];

	memset(out, 0, sizeof *out);
	out->type = type;
	out->link = link;
	return out;
}

struct edge_message *gateway_send(struct gateway *self, const struct link *link,
				  enum edge_type type)
{
	struct gateway_out *out = gateway_out_add(self, GATEWAY_SEND, link->id);

	out->message.type = type;
	return &out->message;
}

struct text gateway_session_id(struct gateway *self, struct text user, struct text package)
{
	char *made = self->arena + self->arena_used;
	uint32_t length = user.length + 1 + package.length;

	assert(length <= GATEWAY_OUTS_ARENA - self->arena_used);
	memcpy(made, user.bytes, user.length);
	made[user.length] = '-';
	memcpy(made + user.length + 1, package.bytes, package.length);
	self->arena_used += length;
	return (struct text){ made, length };
}

struct stream_event *gateway_tell(struct gateway *self, struct link *link,
				  enum stream_event_type type, struct effects *fx)
{
	if (link)
		gateway_link_announce(self, link, fx);
	struct stream_event *event = effects_add(fx, EFFECT_REQUEST, registry, type);

	if (link)
		event->user_id = gateway_link_user(self, link);
	return event;
}

/* ---- memory ---- */

struct layout {
	size_t links, users, waitings, user_index, app_index, pool, pool_bytes, bytes;
};

static size_t place(size_t *end, size_t bytes)
{
	size_t at = (*end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	*end = at + bytes;
	return at;
}

static struct layout layout_of(const struct gateway_options *options)
{
	size_t links = options->connections_max;
	struct layout layout = { .pool_bytes = links * POOL_BYTES_PER_LINK };
	size_t end = sizeof(struct gateway);

	if (layout.pool_bytes < POOL_BYTES_MIN)
		layout.pool_bytes = POOL_BYTES_MIN;
	layout.links = place(&end, links * sizeof(struct link));
	layout.users = place(&end, links * sizeof(struct user));
	layout.waitings = place(&end, links * sizeof(struct waiting));
	layout.user_index = place(&end, table_bytes(options->connections_max));
	layout.app_index = place(&end, table_bytes(options->connections_max));
	layout.pool = place(&end, layout.pool_bytes);
	layout.bytes = place(&end, 0);
	return layout;
}

size_t gateway_bytes(const struct gateway_options *options)
{
	return layout_of(options).bytes;
}

static bool user_match(const void *context, uint32_t slot, struct text key)
{
	const struct gateway *self = context;

	return text_equal(pool_text(&self->pool, self->users[slot].id), key);
}

static bool app_match(const void *context, uint32_t slot, struct text key)
{
	const struct gateway *self = context;
	const struct link *link = &self->links[slot];
	uint32_t user;

	memcpy(&user, key.bytes, sizeof user);
	return user == link->user &&
	       text_equal(pool_text(&self->pool, link->app.package),
			  (struct text){ key.bytes + sizeof user, key.length - sizeof user });
}

struct gateway *gateway_init(void *memory, const struct gateway_options *options)
{
	assert(options->connections_max > 0 && options->connections_max <= GATEWAY_LINKS_MAX);
	assert(options->beat_ms > 0 && options->init_ms > 0);
	assert(options->request_timeout_ms > 0 && options->watch_timeout_ms > 0);
	assert(options->starts_per_min > 0 && options->starts_burst > 0);
	struct layout layout = layout_of(options);
	uint8_t *bytes = memory;
	struct gateway *self = memory;

	self->options = *options;
	self->links = (struct link *)(bytes + layout.links);
	self->users = (struct user *)(bytes + layout.users);
	self->waitings = (struct waiting *)(bytes + layout.waitings);
	self->link_free = self->user_free = self->waiting_free = GATEWAY_NONE;
	self->user_idle = (struct queue){ GATEWAY_NONE, GATEWAY_NONE };
	for (int i = 0; i < CLOCK_COUNT; i++)
		self->clocks[i] = (struct queue){ GATEWAY_NONE, GATEWAY_NONE };
	table_init(&self->user_index, bytes + layout.user_index, options->connections_max,
		   (struct table_keys){ user_match, self, options->seed });
	table_init(&self->app_index, bytes + layout.app_index, options->connections_max,
		   (struct table_keys){ app_match, self, options->seed });
	pool_init(&self->pool, bytes + layout.pool, layout.pool_bytes);
	list_begin(&self->acks, self->acks_bytes[0], sizeof self->acks_bytes[0]);
	return self;
}

void gateway_set_directory(struct gateway *self, const struct gateway_directory *directory)
{
	self->directory = directory;
	self->dashboard = (struct text){ 0 };
	for (size_t i = 0; i < directory->count && self->dashboard.length == 0; i++)
		if (directory->apps[i].type == APP_TYPE_DASHBOARD)
			self->dashboard = directory->apps[i].package;
}

/* ---- slices of work over all links ---- */

static void announce(struct gateway *self, struct effects *fx)
{
	while (self->announce_next < self->link_next && effects_room(fx) > EFFECTS_PER_LINK) {
		struct link *link = &self->links[self->announce_next++];

		if (link->kind == LINK_GLASSES || link->kind == LINK_APP)
			gateway_link_announce(self, link, fx);
	}
	if (self->announce_next < self->link_next)
		return;
	self->announcing = false;
	struct stream_event *event = gateway_tell(self, NULL, EVENT_EDGE_ANNOUNCED, fx);

	event->edge_announced.links = self->announced_links;
	event->edge_announced.apps = self->announced_apps;
}

/* The SDK takes 1001 for the end of the session and comes back by itself after 1012; a phone comes
 * back after anything.
 */
static void send_away(struct gateway *self, struct link *link, struct effects *fx)
{
	struct text reason = self->shut ? TEXT("Server shutting down") : TEXT("Server draining");

	if (link->kind == LINK_GLASSES)
		gateway_link_close(self, link, 1001, reason, fx);
	else if (link->kind == LINK_APP)
		gateway_link_close(self, link, 1012, reason, fx);
}

static void drain(struct gateway *self, int64_t now_ms, struct effects *fx)
{
	uint32_t closed = 0;

	while (self->drain_next < self->link_next && closed < GATEWAY_DRAIN_SLICE &&
	       effects_room(fx) > EFFECTS_PER_LINK) {
		struct link *link = &self->links[self->drain_next++];

		closed += link->kind == LINK_GLASSES || link->kind == LINK_APP;
		send_away(self, link, fx);
	}
	if (self->drain_next >= self->link_next)
		self->drain_ms = INT64_MAX;
	else
		self->drain_ms = self->shut ? now_ms : now_ms + GATEWAY_DRAIN_PAUSE_MS;
}

static void drain_begin(struct gateway *self, bool shut, int64_t now_ms, struct effects *fx)
{
	if (shut && !self->shut) {
		/* One fact for all links, and the last one; the beats stop as well. */
		(void)gateway_tell(self, NULL, EVENT_EDGE_LEAVING, fx);
		self->shut = true;
		self->announcing = false;
		self->beat_ms = INT64_MAX;
	}
	self->draining = true;
	self->drain_next = 0;
	drain(self, now_ms, fx);
}

static void expire(struct gateway *self, int64_t now_ms, struct effects *fx)
{
	for (enum gateway_clock clock = 0; clock < CLOCK_COUNT; clock++) {
		uint32_t slot;

		enum gateway_due due = gateway_clock_due(clock);

		while ((slot = self->clocks[clock].first) != GATEWAY_NONE &&
		       self->links[slot].dues[due].ms <= now_ms &&
		       effects_room(fx) > EFFECTS_PER_LINK &&
		       self->out_count + 2 < GATEWAY_OUTS_MAX) {
			gateway_clock_stop(self, &self->links[slot], due);
			if (clock != CLOCK_ARRIVAL)
				gateway_app_expired(self, &self->links[slot], clock, fx);
		}
	}
}

static void beat(struct gateway *self, int64_t now_ms, struct effects *fx)
{
	struct stream_event *event = effects_add(fx, EFFECT_SEND, scheduler, EVENT_GATEWAY_BEAT);

	event->gateway_beat.links = self->glasses_open;
	event->gateway_beat.batch = self->probe_batch;
	/* From now: after a stall one beat says what ten would. */
	self->beat_ms = now_ms + self->options.beat_ms;
}

static void on_tick(struct gateway *self, int64_t now_ms, struct effects *fx)
{
	if (self->beat_ms <= now_ms)
		beat(self, now_ms, fx);
	if (self->acks.count > 0 && self->acks_ms <= now_ms)
		gateway_acks_flush(self, fx);
	gateway_rest_expire(self, now_ms);
	expire(self, now_ms, fx);
	if (self->draining && self->drain_ms <= now_ms)
		drain(self, now_ms, fx);
	if (self->announcing)
		announce(self, fx);
	gateway_request_again(self, fx);
	gateway_request_admit(self, now_ms, fx);
}

/* ---- inputs ---- */

void gateway_announce_all(struct gateway *self, struct effects *fx)
{
	self->round++;
	self->announce_next = 0;
	self->announcing = true;
	self->announced_links = self->announced_apps = 0;
	announce(self, fx);
}

/* Every link is told of again, also to a registry that still knows us: what it said of one while
 * nobody heard is said again in answer.  One that does not know us gives out new numbers.
 */
static void on_registry_up(struct gateway *self, const struct input *input, struct effects *fx)
{
	self->registry_up = true;
	if (self->shut)
		return;
	if (!input->known)
		self->seen_seq = 0;
	gateway_announce_all(self, fx);
}

static void on_event(struct gateway *self, const struct stream_event *event, int64_t now_ms,
		     struct effects *fx)
{
	switch (event->type) {
	case EVENT_PROBE_BATCH:
		self->probe_batch = event->probe_batch.batch;
		gateway_glasses_probes(self, event->probe_batch.probes);
		return;
	case EVENT_DELIVER_START:
	case EVENT_DELIVER_STOP:
	case EVENT_REGISTRY_GLASSES_NOTICE:
	case EVENT_REGISTRY_RELAY_FILTER:
		gateway_glasses_event(self, event, fx);
		return;
	case EVENT_REGISTRY_APP_RESULT:
		if (event->registry_app_result.seen_seq > self->seen_seq)
			self->seen_seq = event->registry_app_result.seen_seq;
		if (event->registry_app_result.link == 0) {
			gateway_rest_result(self, event);
			return;
		}
		gateway_app_event(self, event, now_ms, fx);
		return;
	case EVENT_DELIVER_MANAGED:
		gateway_managed_deliver(self, event, fx);
		return;
	case EVENT_DELIVER_STATUS:
	case EVENT_REGISTRY_CAPABILITIES:
	case EVENT_REGISTRY_RELAY:
	case EVENT_REGISTRY_LINK_CLOSE:
	case EVENT_REGISTRY_UNKNOWN_LINK:
		gateway_app_event(self, event, now_ms, fx);
		return;
	case EVENT_REQUEST_DONE:
	case EVENT_REGISTRY_CHECKED:
		gateway_request_event(self, event, now_ms, fx);
		return;
	case EVENT_REQUEST_OUTPUTS:
		gateway_output_result(self, event);
		return;
	case EVENT_REGISTRY_HOOK:
		gateway_hook_asked(self, event, fx);
		return;
	default: /* the schema lets nobody send us anything else */
		self->counts.messages_ignored++;
	}
}

static void begin(struct gateway *self, int64_t now_ms, struct effects *fx)
{
	effects_clear(fx);
	pool_settle(&self->pool);
	self->out_count = 0;
	self->arena_used = 0;
	self->now_ms = now_ms;
}

void gateway_handle(struct gateway *self, const struct input *input, int64_t now_ms,
		    struct effects *fx)
{
	begin(self, now_ms, fx);
	switch (input->type) {
	case INPUT_TICK:
		on_tick(self, now_ms, fx);
		return;
	case INPUT_MESSAGE:
		on_event(self, input->event, now_ms, fx);
		return;
	case INPUT_PEER_UP:
		if (input->peer.role == ROLE_REGISTRY)
			on_registry_up(self, input, fx);
		else if (input->peer.role == ROLE_SCHEDULER && !input->known)
			self->probe_batch = 0; /* another life counts anew */
		else if (!input->known)
			gateway_request_ask_again(self, input->peer.role, fx);
		return;
	case INPUT_PEER_DOWN: /* what is outstanding waits for the next life, or its timeout */
		if (input->peer.role == ROLE_REGISTRY)
			self->registry_up = false;
		return;
	case INPUT_STORY:
	case INPUT_RESYNC:
	case INPUT_SYNCED:
	case INPUT_BLIND:
		return; /* a gateway does not follow the story */
	}
}

static void on_message(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms,
		       struct effects *fx)
{
	struct link *link = gateway_link_find(self, edge->link, LINK_GLASSES);

	if (link) {
		gateway_glasses_message(self, link, edge->message, now_ms, fx);
		return;
	}
	link = gateway_link_find(self, edge->link, LINK_APP);
	if (link)
		gateway_app_message(self, link, edge, now_ms, fx);
}

static void on_not_json(struct gateway *self, const struct gateway_edge *edge, struct effects *fx)
{
	struct link *link = gateway_link_find(self, edge->link, LINK_APP);

	self->counts.messages_not_json++;
	if (link)
		gateway_app_not_json(self, link, fx);
}

static void on_closed(struct gateway *self, const struct gateway_edge *edge, struct effects *fx)
{
	struct link *link = &self->links[gateway_slot(edge->link)];

	if (link->id != edge->link || link->kind == LINK_FREE)
		return;
	if (link->kind == LINK_GLASSES || link->kind == LINK_APP)
		gateway_link_leave(self, link, edge->code, fx);
	if (edge->type == GATEWAY_CLOSED)
		gateway_link_free(self, link);
}

void gateway_edge(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms,
		  struct effects *fx)
{
	begin(self, now_ms, fx);
	switch (edge->type) {
	case GATEWAY_GLASSES_OPENED:
		gateway_glasses_open(self, edge, fx);
		return;
	case GATEWAY_APP_OPENED:
		gateway_app_open(self, edge, now_ms);
		return;
	case GATEWAY_MESSAGE:
		if (!self->shut)
			on_message(self, edge, now_ms, fx);
		return;
	case GATEWAY_NOT_JSON:
		on_not_json(self, edge, fx);
		return;
	case GATEWAY_LOST:
	case GATEWAY_CLOSED:
		on_closed(self, edge, fx);
		return;
	case GATEWAY_REST:
		gateway_rest_called(self, edge, now_ms, fx);
		return;
	case GATEWAY_REST_GONE:
		gateway_rest_gone(self, edge->call);
		return;
	case GATEWAY_POSTED:
		gateway_hook_posted(self, edge, fx);
		return;
	case GATEWAY_DRAIN:
	case GATEWAY_SHUT:
		drain_begin(self, edge->type == GATEWAY_SHUT, now_ms, fx);
		return;
	}
}

int64_t gateway_deadline(const struct gateway *self)
{
	int64_t due = self->beat_ms;

	if (self->announcing || gateway_request_is_asking(self) ||
	    gateway_request_is_admitting(self))
		return self->now_ms;
	if (self->acks.count > 0 && self->acks_ms < due)
		due = self->acks_ms;
	if (self->draining && self->drain_ms < due)
		due = self->drain_ms;
	if (gateway_rest_deadline(self) < due)
		due = gateway_rest_deadline(self);
	for (int i = 0; i < CLOCK_COUNT; i++) {
		uint32_t slot = self->clocks[i].first;
		enum gateway_due which = gateway_clock_due((enum gateway_clock)i);

		if (slot != GATEWAY_NONE && self->links[slot].dues[which].ms < due)
			due = self->links[slot].dues[which].ms;
	}
	return due;
}

const struct gateway_out *gateway_outs(const struct gateway *self, size_t *count)
{
	*count = self->out_count;
	return self->outs;
}

const struct gateway_counts *gateway_counts(const struct gateway *self)
{
	return &self->counts;
}

struct gateway_totals gateway_totals(const struct gateway *self)
{
	return (struct gateway_totals){ self->glasses_open, self->apps_open, self->users_here,
					gateway_arriving(self) };
}

bool gateway_draining(const struct gateway *self)
{
	return self->draining;
}

bool gateway_admits(const struct gateway *self, bool glasses)
{
	return !self->draining && gateway_link_is_free(self) &&
	       (!glasses || gateway_link_may_arrive(self));
}
