/* SPDX-License-Identifier: MIT */
#include "tests/lib/cores.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/stream_event_table.h"
#include "tests/lib/fakes.h"
#include "tests/lib/story.h"

static const struct state_options few = {
	.users_max = 64, .apps_max = 256, .streams_max = 128, .text_bytes = 8u << 20
};

static void adapter_open(struct cores *self)
{
	struct unmanaged_options options = { .state = self->registry->options.state };

	options.state.remember_apps = false;
	self->unmanaged = fake_memory(sizeof *self->unmanaged);
	self->unmanaged_memory = fake_memory(unmanaged_bytes(&options));
	unmanaged_init(self->unmanaged, &options, self->unmanaged_memory);
}

static void adapter_close(struct cores *self)
{
	if (!self->unmanaged)
		return;
	fake_free(self->unmanaged_memory, unmanaged_bytes(&self->unmanaged->options));
	fake_free(self->unmanaged, sizeof *self->unmanaged);
	self->unmanaged = NULL;
}

void cores_open(struct cores *self)
{
	cores_open_with(self, &few);
}

void cores_open_with(struct cores *self, const struct state_options *limits)
{
	struct registry_options options = { .state = *limits,
					    .incarnation = 1,
					    .first_epoch = 100,
					    .stop_owed_ms = 600000,
					    .ending_max_ms = 2000,
					    .blind_max_ms = 120000 };

	memset(self, 0, sizeof *self);
	options.state.remember_apps = true;
	self->now_ms = 1000000;
	self->registry = fake_memory(sizeof *self->registry);
	self->registry_memory = fake_memory(registry_bytes(&options));
	registry_init(self->registry, &options, self->registry_memory);
	cores_restart_adapter(self);
	for (uint64_t gateway = GATEWAY_A; gateway <= GATEWAY_B; gateway++)
		cores_hear(self,
			   &(struct input){ .type = INPUT_PEER_UP,
					    .peer = { ROLE_GATEWAY, gateway },
					    .peer_name = gateway == GATEWAY_A ? "gateway-1"
									      : "gateway-2" });
	cores_forget(self);
}

static void drop_held(struct cores *self)
{
	while (self->held_count > 0)
		free((char *)self->held[--self->held_count].bytes);
}

void cores_close(struct cores *self)
{
	cores_forget(self);
	drop_held(self);
	adapter_close(self);
	fake_free(self->registry_memory, registry_bytes(&self->registry->options));
	fake_free(self->registry, sizeof *self->registry);
}

void cores_forget(struct cores *self)
{
	while (self->text_count > 0)
		free(self->texts[--self->text_count]);
	self->sent_count = self->story_count = 0;
}

/* Deep copy: what an effect borrows is gone at the next call into its core. */
static struct stream_event copy_of(struct cores *self, const struct stream_event *event)
{
	const struct schema *schema = stream_event_schema((uint64_t)event->type);
	struct stream_event copy = *event;

	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		struct text *text = (struct text *)((char *)&copy + field->offset);

		if (field->kind > FIELD_LIST || text->length == 0)
			continue;
		assert(self->text_count < sizeof self->texts / sizeof self->texts[0]);
		char *bytes = malloc(text->length);

		memcpy(bytes, text->bytes, text->length);
		self->texts[self->text_count++] = bytes;
		text->bytes = bytes;
	}
	return copy;
}

/* What one input has caused, to be carried out once the core has returned. */
struct batch {
	size_t count;
	struct effect items[];
};

static struct batch *batch_of(struct cores *self, const struct effects *fx)
{
	struct batch *batch = malloc(sizeof *batch + fx->count * sizeof batch->items[0]);

	batch->count = fx->count;
	for (size_t i = 0; i < fx->count; i++) {
		batch->items[i] = fx->items[i];
		batch->items[i].event = copy_of(self, &fx->items[i].event);
	}
	return batch;
}

static void record(struct cores *self, const struct effect *effect)
{
	assert(self->sent_count < SENT_MAX);
	self->sent[self->sent_count++] = (struct sent){ effect->peer, effect->event };
	if (self->on_sent)
		self->on_sent(self, &self->sent[self->sent_count - 1]);
}

static void hear_wire(struct cores *self, struct text wire)
{
	const uint8_t *bytes = (const uint8_t *)wire.bytes;
	struct wire reader = { bytes, bytes + wire.length };
	struct stream_event event;
	int r = stream_event_read(&reader, &event);

	assert(r == 0);
	(void)r;
	cores_adapter_hear(self, &(struct input){ .type = INPUT_STORY, .event = &event });
}

static void publish(struct cores *self, const struct stream_event *event)
{
	uint8_t wire[STREAM_EVENT_WIRE_MAX];
	ssize_t length = stream_event_encode(event, STREAM_EVENT_PUBLIC, wire, sizeof wire);
	char *bytes;

	assert(length > 0 && self->story_count < SENT_MAX);
	self->story[self->story_count++] = *event;
	if (!self->holding) {
		hear_wire(self, (struct text){ (char *)wire, (uint32_t)length });
		return;
	}
	assert(self->held_count < HELD_MAX);
	bytes = malloc((size_t)length);
	memcpy(bytes, wire, (size_t)length);
	self->held[self->held_count++] = (struct text){ bytes, (uint32_t)length };
}

static void answer(struct cores *self, const struct effect *effect)
{
	cores_adapter_hear(self, &(struct input){ .type = INPUT_MESSAGE,
						  .peer = { ROLE_REGISTRY, 1 },
						  .event = &effect->event });
}

void cores_hear(struct cores *self, const struct input *input)
{
	static struct effects fx;
	struct batch *batch;

	registry_handle(self->registry, input, self->now_ms, &fx);
	batch = batch_of(self, &fx);
	for (size_t i = 0; i < batch->count && self->result_first; i++)
		if (batch->items[i].peer.role == ROLE_UNMANAGED)
			answer(self, &batch->items[i]);
	for (size_t i = 0; i < batch->count; i++) {
		const struct effect *effect = &batch->items[i];

		if (effect->type == EFFECT_STORY)
			publish(self, &effect->event);
		else if (effect->peer.role != ROLE_UNMANAGED)
			record(self, effect);
		else if (!self->result_first)
			answer(self, effect);
	}
	free(batch);
}

/* One more thing that the adapter has done; true: it was the last. */
static bool dies(struct cores *self)
{
	self->positions++;
	if (self->crash_in == 0 || --self->crash_in > 0)
		return self->adapter_down;
	self->adapter_down = true;
	return true;
}

void cores_adapter_hear(struct cores *self, const struct input *input)
{
	static struct effects fx;
	struct batch *batch;

	if (self->adapter_down || dies(self))
		return;
	unmanaged_handle(self->unmanaged, input, self->now_ms, &fx);
	batch = batch_of(self, &fx);
	for (size_t i = 0; i < batch->count && !dies(self); i++) {
		const struct effect *effect = &batch->items[i];

		if (effect->type == EFFECT_REQUEST)
			cores_hear(self, &(struct input){ .type = INPUT_MESSAGE,
							  .peer = { ROLE_UNMANAGED, 7 },
							  .wall_ms = self->now_ms,
							  .event = &effect->event });
		else
			record(self, effect);
	}
	free(batch);
}

void cores_release(struct cores *self)
{
	/* What it causes on the way is held too, and heard in its turn. */
	self->holding = true;
	for (size_t i = 0; i < self->held_count; i++)
		hear_wire(self, self->held[i]);
	self->holding = false;
	drop_held(self);
}

void cores_restart_adapter(struct cores *self)
{
	struct stream_event row;
	uint64_t cursor = 0;

	adapter_close(self);
	adapter_open(self);
	self->adapter_down = self->holding = false;
	drop_held(self);
	cores_adapter_hear(self, &(struct input){ .type = INPUT_RESYNC });
	while (state_row(&self->registry->state, &cursor, &row))
		cores_adapter_hear(self, &(struct input){ .type = INPUT_STORY, .event = &row });
	cores_adapter_hear(self,
			   &(struct input){ .type = INPUT_SYNCED, .seq = self->registry->seq });
	cores_tick(self, 0);
}

void cores_say(struct cores *self, struct peer peer, const struct stream_event *event)
{
	const struct input input = {
		.type = INPUT_MESSAGE, .peer = peer, .wall_ms = self->now_ms, .event = event
	};

	if (event->type == EVENT_REQUEST_START || event->type == EVENT_REQUEST_STOP)
		cores_adapter_hear(self, &input);
	else
		cores_hear(self, &input);
}

void cores_tick(struct cores *self, int64_t ms)
{
	const int64_t end_ms = self->now_ms + ms;

	for (unsigned guard = 0; guard < 100000; guard++) {
		int64_t registry_ms = registry_deadline(self->registry);
		int64_t adapter_ms =
			self->adapter_down ? INT64_MAX : unmanaged_deadline(self->unmanaged);
		int64_t next_ms = registry_ms < adapter_ms ? registry_ms : adapter_ms;

		if (next_ms > end_ms)
			break;
		if (next_ms > self->now_ms)
			self->now_ms = next_ms;
		struct input tick = { .type = INPUT_TICK, .wall_ms = self->now_ms };

		if (registry_ms <= self->now_ms)
			cores_hear(self, &tick);
		if (adapter_ms <= self->now_ms)
			cores_adapter_hear(self, &tick);
	}
	self->now_ms = end_ms;
}

const struct stream_event *cores_sent(const struct cores *self, enum stream_event_type type,
				      size_t nth)
{
	for (size_t i = 0; i < self->sent_count; i++)
		if (self->sent[i].event.type == type && nth-- == 0)
			return &self->sent[i].event;
	return NULL;
}

const struct stream_event *cores_told(const struct cores *self, enum stream_event_type type,
				      size_t nth)
{
	for (size_t i = 0; i < self->story_count; i++)
		if (self->story[i].type == type && nth-- == 0)
			return &self->story[i];
	return NULL;
}

/* Scenes ----------------------------------------------------------------------------------- */

void cores_glasses_up(struct cores *self, uint64_t link)
{
	struct stream_event event = { .type = EVENT_EDGE_LINK_OPENED, .user_id = TEXT("u@x") };

	event.edge_link_opened.link = link;
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	event = (struct stream_event){ .type = EVENT_EDGE_GLASSES, .user_id = TEXT("u@x") };
	event.edge_glasses.link = link;
	event.edge_glasses.has_state = event.edge_glasses.connected = true;
	event.edge_glasses.model = TEXT("Mentra Live");
	event.edge_glasses.wifi = WIFI_ON;
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}

void cores_glasses_down(struct cores *self, uint64_t link)
{
	struct stream_event event = { .type = EVENT_EDGE_LINK_CLOSED, .user_id = TEXT("u@x") };

	event.edge_link_closed.link = link;
	event.edge_link_closed.code = 1006;
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}

void cores_app_up(struct cores *self, const char *package, uint64_t link)
{
	struct stream_event event = { .type = EVENT_EDGE_APP_START, .user_id = TEXT("u@x") };

	event.edge_app_start.package = text_of(package);
	event.edge_app_start.known = true;
	event.edge_app_start.app_type = APP_TYPE_BACKGROUND;
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	cores_app_opened(self, package, link);
}

void cores_app_opened(struct cores *self, const char *package, uint64_t link)
{
	struct stream_event event = { .type = EVENT_EDGE_APP_OPENED, .user_id = TEXT("u@x") };

	event.edge_app_opened.link = link;
	event.edge_app_opened.package = text_of(package);
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.app_type = APP_TYPE_BACKGROUND;
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

void cores_app_closed(struct cores *self, const char *package, uint64_t link)
{
	struct stream_event event = { .type = EVENT_EDGE_APP_CLOSED, .user_id = TEXT("u@x") };

	event.edge_app_closed.link = link;
	event.edge_app_closed.package = text_of(package);
	event.edge_app_closed.code = 1006;
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

void cores_subscribe(struct cores *self, const char *package, uint64_t link, const char *types)
{
	struct stream_event event = { .type = EVENT_EDGE_APP_SUBSCRIBED, .user_id = TEXT("u@x") };

	event.edge_app_subscribed.link = link;
	event.edge_app_subscribed.package = text_of(package);
	event.edge_app_subscribed.types = list_of(types);
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

void cores_start(struct cores *self, const char *package, uint64_t request, const char *url)
{
	struct stream_event event = { .type = EVENT_REQUEST_START,
				      .user_id = TEXT("u@x"),
				      .origin = GATEWAY_B,
				      .request = request,
				      .expires_ms = self->now_ms + 10000 };

	event.request_start.package = text_of(package);
	event.request_start.permitted = true;
	event.request_start.rtmp_url = text_of(url);
	event.request_start.video = event.request_start.audio = event.request_start.options =
		TEXT("{}");
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

void cores_stop(struct cores *self, const char *package, uint64_t request, const char *stream_id)
{
	struct stream_event event = { .type = EVENT_REQUEST_STOP,
				      .user_id = TEXT("u@x"),
				      .stream_id = text_of(stream_id),
				      .origin = GATEWAY_B,
				      .request = request };

	event.request_stop.package = text_of(package);
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

const struct state_stream *cores_active(const struct cores *self)
{
	return state_active(&self->registry->state,
			    state_user_find(&self->registry->state, TEXT("u@x")));
}

const char *cores_id(const struct cores *self)
{
	static char ids[4][STREAM_ID_MAX + 1];
	static unsigned next;
	const struct state_stream *active = cores_active(self);

	if (!active)
		return "";
	next = (next + 1) % 4;
	return text_put(state_text(&self->registry->state, active->id), ids[next], sizeof ids[0]);
}

void cores_status(struct cores *self, enum device_status status)
{
	struct stream_event event = { .type = EVENT_EDGE_STATUS,
				      .user_id = TEXT("u@x"),
				      .stream_id = text_of(cores_id(self)) };

	assert(event.stream_id.length > 0);
	event.edge_status.status = status;
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}

void cores_expired(struct cores *self)
{
	const struct state_stream *active = cores_active(self);
	struct stream_event event = { .type = EVENT_STREAM_MISSED,
				      .user_id = TEXT("u@x"),
				      .stream_id = text_of(cores_id(self)) };

	assert(active);
	event.epoch = active->epoch;
	event.cause = active->activity_seq;
	event.stream_missed.missed = 3;
	event.stream_missed.expired = true;
	event.stream_missed.last_ack_age_ms = 40000;
	cores_say(self, (struct peer){ ROLE_SCHEDULER, 3 }, &event);
}
