/* SPDX-License-Identifier: MIT */
#include "tests/bench/micro_crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/lib/fakes.h"

#define GATEWAY_A UINT64_C(0xa) /* holds the glasses */
#define GATEWAY_B UINT64_C(0xb) /* holds the apps */
#define APP "com.example.livestream"
#define COMMIT_EVENTS 4096
#define COMMIT_BYTES (COMMIT_EVENTS * 1024)
#define EVENT_BYTES 65536 /* more than any of ours */
#define SPARE 1024 /* the registry refuses work before it is quite full */
#define TEXT_BYTES 1024 /* per user, in the pool */

static const struct peer gateway_a = { ROLE_GATEWAY, GATEWAY_A };
static const struct peer gateway_b = { ROLE_GATEWAY, GATEWAY_B };

/* Events of one commit, copied: their texts live only until the core's next input. */
struct batch {
	struct stream_event events[COMMIT_EVENTS];
	const struct stream_event *list[COMMIT_EVENTS];
	size_t count, used;
	uint8_t bytes[COMMIT_BYTES + EVENT_BYTES];
};

static struct crowd {
	const struct tool *tool;
	struct registry registry;
	struct registry_store records;
	struct store *store;
	struct effects fx;
	struct batch batch;
	int64_t now_ms, wall_ms;
	uint64_t next_request;
	char user[48]; /* whom it is about */
} crowd;

static _Noreturn void fail(const char *what)
{
	tool_fail(crowd.tool, what, crowd.user);
}

static void commit(void)
{
	struct batch *batch = &crowd.batch;

	if (registry_store_commit(&crowd.records, batch->list, batch->count, NULL, 0) != 0)
		fail("the store cannot be written");
	batch->count = batch->used = 0;
	while (store_tend(crowd.store, &(struct store_time){ .wall_ms = crowd.wall_ms }))
		;
}

static void keep(const struct stream_event *event)
{
	struct batch *batch = &crowd.batch;
	ssize_t length = stream_event_encode(event, STREAM_EVENT_ADDRESSED,
					     batch->bytes + batch->used, EVENT_BYTES);
	struct wire wire = { batch->bytes + batch->used, batch->bytes + batch->used + length };

	if (length < 0 || stream_event_read(&wire, &batch->events[batch->count]) != 0)
		fail("an event that does not fit");
	batch->list[batch->count] = &batch->events[batch->count];
	batch->count++;
	batch->used += (size_t)length;
}

static void give(struct input input)
{
	input.wall_ms = crowd.wall_ms;
	registry_handle(&crowd.registry, &input, crowd.now_ms, &crowd.fx);
	if (crowd.batch.count + crowd.fx.count > COMMIT_EVENTS || crowd.batch.used > COMMIT_BYTES)
		fail("a commit is too small");
	for (size_t i = 0; i < crowd.fx.count; i++)
		if (crowd.fx.items[i].type == EFFECT_STORY)
			keep(&crowd.fx.items[i].event);
}

static void say(struct peer peer, struct stream_event event)
{
	event.user_id = text_of(crowd.user);
	give((struct input){ .type = INPUT_MESSAGE, .peer = peer, .event = &event });
}

/* --- one user ----------------------------------------------------------------------------- */

static struct stream_event about_stream(enum stream_event_type type)
{
	const struct state *state = &crowd.registry.state;
	struct state_user *user = state_user_find(state, text_of(crowd.user));
	struct state_stream *stream = user ? state_active(state, user) : NULL;

	if (!stream)
		fail("the registry has begun no stream");
	return (struct stream_event){ .type = type,
				      .stream_id = state_text(state, stream->id),
				      .epoch = stream->epoch };
}

static void connect_user(uint32_t number)
{
	struct stream_event event = { .type = EVENT_EDGE_LINK_OPENED };

	event.edge_link_opened.link = number + 1;
	say(gateway_a, event);
	event = (struct stream_event){ .type = EVENT_EDGE_GLASSES };
	event.edge_glasses.has_state = event.edge_glasses.connected = true;
	event.edge_glasses.model = TEXT("Mentra Live");
	event.edge_glasses.wifi = WIFI_ON;
	say(gateway_a, event);
	event = (struct stream_event){ .type = EVENT_EDGE_APP_START };
	event.edge_app_start.package = TEXT(APP);
	event.edge_app_start.known = true;
	event.edge_app_start.app_type = APP_TYPE_BACKGROUND;
	say(gateway_a, event);
	event = (struct stream_event){ .type = EVENT_EDGE_APP_OPENED };
	event.edge_app_opened.link = number + 1;
	event.edge_app_opened.package = TEXT(APP);
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.app_type = APP_TYPE_BACKGROUND;
	say(gateway_b, event);
}

static void open_stream(uint32_t number, bool managed)
{
	struct peer adapter = { managed ? ROLE_MANAGED : ROLE_UNMANAGED, 7 };
	struct stream_event event = { .type = EVENT_STREAM_OPEN };
	char url[80];

	(void)snprintf(url, sizeof url, "rtmp://ingest.example.com/live/key-%07u-0123456789",
		       number);
	event.origin = GATEWAY_B;
	event.request = ++crowd.next_request;
	event.stream_open.kind = managed ? KIND_MANAGED : KIND_UNMANAGED;
	event.stream_open.provider = managed ? PROVIDER_LOCAL : PROVIDER_NONE;
	event.stream_open.package = TEXT(APP);
	event.stream_open.rtmp_url = managed ? (struct text){ 0 } : text_of(url);
	event.stream_open.video = TEXT("{\"width\":1280,\"height\":720,\"bitrate\":2000000}");
	event.stream_open.audio = TEXT("{\"bitrate\":128000}");
	event.stream_open.options = TEXT("{}");
	say(adapter, event);
	if (!managed)
		return;
	event = about_stream(EVENT_INPUT_MADE);
	event.input_made.input_id = text_of(url + sizeof "rtmp://ingest.example.com/live/" - 1);
	event.input_made.ingest = text_of(url);
	event.input_made.hls = TEXT("https://media.example.com/hls/0123456789abcdef.m3u8");
	event.input_made.dash = TEXT("https://media.example.com/dash/0123456789abcdef.mpd");
	event.input_made.preview = TEXT("https://media.example.com/watch/0123456789abcdef");
	say(adapter, event);
}

static void go_live(uint32_t number)
{
	struct stream_event event = about_stream(EVENT_EDGE_DEVICE_TOLD);

	event.edge_device_told.link = number + 1;
	event.edge_device_told.outcome = OUTCOME_SENT;
	say(gateway_a, event);
	event = about_stream(EVENT_EDGE_STATUS);
	event.edge_status.link = number + 1;
	event.edge_status.status = DEVICE_ACTIVE;
	say(gateway_a, event);
}

static void add_user(const struct micro_crowd_options *options, uint32_t number)
{
	/* In an order that is not that of the records' keys: 7919 divides no power of ten. */
	(void)snprintf(crowd.user, sizeof crowd.user, "user-%07u@example.com",
		       (unsigned)((uint64_t)number * 7919 % 10000000));
	connect_user(number);
	open_stream(number, options->managed_every && number % options->managed_every == 0);
	go_live(number);
}

/* --- all of them -------------------------------------------------------------------------- */

struct registry_options micro_crowd_registry(const struct micro_crowd_options *options,
					     const struct store_head *head)
{
	uint32_t users = options->users + SPARE;

	return (struct registry_options){
		.state = { .users_max = users,
			   .apps_max = 2 * users,
			   .streams_max = users,
			   .text_bytes = (size_t)users * TEXT_BYTES + 64 * POOL_PAGE_SIZE,
			   .hash_seed = 11,
			   .remember_apps = true },
		.incarnation = 5,
		.first_seq = head->seq,
		.first_epoch = head->next_epoch ? head->next_epoch : 1,
		.stop_owed_ms = 60000,
		.ending_max_ms = 2000,
		.blind_max_ms = 120000,
		.mark = "bench",
	};
}

uint64_t micro_crowd_fill(const struct tool *tool, struct store *store,
			  const struct micro_crowd_options *options)
{
	const struct store_head empty = { 0 };
	struct registry_options registry = micro_crowd_registry(options, &empty);
	struct store_fault fault;

	crowd.tool = tool;
	crowd.store = store;
	crowd.now_ms = 1000;
	crowd.wall_ms = time(NULL) * INT64_C(1000);
	registry_init(&crowd.registry, &registry, fake_memory(registry_bytes(&registry)));
	if (registry_store_init(&crowd.records, store) != 0 ||
	    registry_store_load(&crowd.records, &crowd.registry, crowd.now_ms, &fault) != 0)
		fail("the store cannot be used");
	give((struct input){ .type = INPUT_PEER_UP, .peer = gateway_a, .peer_name = "gateway-1" });
	give((struct input){ .type = INPUT_PEER_UP, .peer = gateway_b, .peer_name = "gateway-2" });
	for (uint32_t i = 0; i < options->users; i++) {
		add_user(options, i);
		/* One user is far from filling what is left. */
		if (crowd.batch.count > COMMIT_EVENTS - 512)
			commit();
	}
	commit();
	if (crowd.registry.state.active_count != options->users)
		fail("not every user streams");
	registry_store_fini(&crowd.records);
	return state_hash(&crowd.registry.state);
}
