/* SPDX-License-Identifier: MIT */
#include "tests/lib/cores.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/stream_event_table.h"

static const struct state_options limits = { .users_max = 64, .apps_max = 256,
					     .streams_max = 128, .text_bytes = 8u << 20 };

static void *room(size_t bytes)
{
	void *memory = NULL;
	int r = posix_memalign(&memory, 64, bytes);

	assert(r == 0);
	(void)r;
	return memset(memory, 0, bytes);
}

static void adapter_open(struct cores *self)
{
	struct unmanaged_options options = { .state = limits };

	self->unmanaged = room(sizeof *self->unmanaged);
	self->unmanaged_memory = room(unmanaged_bytes(&options));
	unmanaged_init(self->unmanaged, &options, self->unmanaged_memory);
}

void cores_open(struct cores *self)
{
	struct registry_options options = { .state = limits, .incarnation = 1, .first_epoch = 100,
					    .stop_owed_ms = 600000, .ending_max_ms = 2000,
					    .blind_max_ms = 120000 };

	memset(self, 0, sizeof *self);
	options.state.remember_apps = true;
	self->now_ms = 1000000;
	self->registry = room(sizeof *self->registry);
	self->registry_memory = room(registry_bytes(&options));
	registry_init(self->registry, &options, self->registry_memory);
	adapter_open(self);
	cores_restart_adapter(self);
	for (uint64_t gateway = GATEWAY_A; gateway <= GATEWAY_B; gateway++) {
		static struct effects fx;

		registry_handle(self->registry,
				&(struct input){ .type = INPUT_PEER_UP,
						 .peer = { ROLE_GATEWAY, gateway },
						 .peer_name = gateway == GATEWAY_A ? "gateway-1"
										   : "gateway-2" },
				self->now_ms, &fx);
		for (size_t i = 0; i < fx.count; i++)
			unmanaged_handle(self->unmanaged,
					 &(struct input){ .type = INPUT_STORY,
							  .event = &fx.items[i].event },
					 self->now_ms, &(struct effects){ 0 });
	}
}

void cores_close(struct cores *self)
{
	cores_forget(self);
	free(self->registry);
	free(self->registry_memory);
	free(self->unmanaged);
	free(self->unmanaged_memory);
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

static void to_adapter(struct cores *self, const struct input *input);

static void to_registry(struct cores *self, const struct input *input)
{
	struct effects *fx = malloc(sizeof *fx);
	struct stream_event *events = calloc(EFFECTS_MAX, sizeof *events);

	registry_handle(self->registry, input, self->now_ms, fx);
	for (size_t i = 0; i < fx->count; i++)
		events[i] = copy_of(self, &fx->items[i].event);
	for (size_t i = 0; i < fx->count; i++) {
		const struct effect *effect = &fx->items[i];

		if (effect->type == EFFECT_STORY) {
			struct stream_event published = events[i];
			uint8_t wire[STREAM_EVENT_WIRE_MAX];
			ssize_t length = stream_event_encode(&published, STREAM_EVENT_PUBLIC, wire,
							     sizeof wire);
			struct wire reader = { wire, wire + length };

			assert(self->story_count < SENT_MAX);
			self->story[self->story_count++] = events[i];
			assert(stream_event_read(&reader, &published) == 0);
			to_adapter(self, &(struct input){ .type = INPUT_STORY, .event = &published });
		} else if (effect->peer.role == ROLE_UNMANAGED) {
			to_adapter(self, &(struct input){ .type = INPUT_MESSAGE,
							  .peer = { ROLE_REGISTRY, 1 },
							  .event = &events[i] });
		} else {
			assert(self->sent_count < SENT_MAX);
			self->sent[self->sent_count++] =
				(struct sent){ effect->peer, events[i] };
		}
	}
	free(events);
	free(fx);
}

static void to_adapter(struct cores *self, const struct input *input)
{
	struct effects *fx = malloc(sizeof *fx);
	struct stream_event *events = calloc(EFFECTS_MAX, sizeof *events);

	if (self->adapter_down) {
		free(events);
		free(fx);
		return;
	}
	unmanaged_handle(self->unmanaged, input, self->now_ms, fx);
	for (size_t i = 0; i < fx->count; i++)
		events[i] = copy_of(self, &fx->items[i].event);
	for (size_t i = 0; i < fx->count; i++) {
		if (fx->items[i].type == EFFECT_REQUEST) {
			to_registry(self, &(struct input){ .type = INPUT_MESSAGE,
							   .peer = { ROLE_UNMANAGED, 7 },
							   .wall_ms = self->now_ms,
							   .event = &events[i] });
		} else {
			assert(self->sent_count < SENT_MAX);
			self->sent[self->sent_count++] =
				(struct sent){ fx->items[i].peer, events[i] };
		}
	}
	free(events);
	free(fx);
}

void cores_restart_adapter(struct cores *self)
{
	struct stream_event row;
	uint64_t cursor = 0;

	free(self->unmanaged);
	free(self->unmanaged_memory);
	adapter_open(self);
	to_adapter(self, &(struct input){ .type = INPUT_RESYNC });
	while (state_row(&self->registry->state, &cursor, &row))
		to_adapter(self, &(struct input){ .type = INPUT_STORY, .event = &row });
	to_adapter(self, &(struct input){ .type = INPUT_SYNCED, .seq = self->registry->seq });
	cores_tick(self, 0);
}

void cores_say(struct cores *self, struct peer peer, const struct stream_event *event)
{
	const struct input input = { .type = INPUT_MESSAGE,
				     .peer = peer,
				     .wall_ms = self->now_ms,
				     .event = event };

	if (event->type == EVENT_REQUEST_START || event->type == EVENT_REQUEST_STOP)
		to_adapter(self, &input);
	else
		to_registry(self, &input);
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
			to_registry(self, &tick);
		if (adapter_ms <= self->now_ms)
			to_adapter(self, &tick);
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
	event = (struct stream_event){ .type = EVENT_EDGE_APP_OPENED, .user_id = TEXT("u@x") };
	event.edge_app_opened.link = link;
	event.edge_app_opened.package = text_of(package);
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.app_type = APP_TYPE_BACKGROUND;
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

void cores_status(struct cores *self, enum device_status status)
{
	const struct state_stream *active = cores_active(self);
	struct stream_event event = { .type = EVENT_EDGE_STATUS, .user_id = TEXT("u@x") };
	char id[STREAM_ID_MAX + 1];

	assert(active);
	(void)text_put(state_text(&self->registry->state, active->id), id, sizeof id);
	event.stream_id = text_of(id);
	event.edge_status.status = status;
	cores_say(self, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}
