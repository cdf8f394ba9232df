/* SPDX-License-Identifier: MIT */
/* The bus and the registry's records. */
#include "tests/torture/torture.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actors/registry/registry_store.h"
#include "common/inbox.h"
#include "common/node.h"
#include "common/outbox.h"
#include "common/uplink.h"
#include "tests/lib/fakes.h"

#define US UINT64_C(9)
#define THEM UINT64_C(7)
#define EVENTS 400 /* enough for every table and queue to grow */
#define USERS 300 /* more than a commit has room for at first */

static enum inbox_sent send_routed(void *context, const uint8_t *route, size_t route_length,
				   const uint8_t *frame, size_t length)
{
	(void)context;
	(void)route;
	(void)route_length;
	(void)frame;
	(void)length;
	return INBOX_BUSY;
}

static bool send_plain(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	(void)frame;
	(void)length;
	return false;
}

static void take(void *context, const struct input *input)
{
	(void)context;
	(void)input;
}

static void note(void *context, const struct inbox_note *noted)
{
	(void)context;
	(void)noted;
}

static void hello(struct inbox *inbox)
{
	static uint8_t frame[FRAME_MAX];
	uint8_t route[ROUTE_LENGTH_MAX];
	struct frame_writer writer;
	struct stream_event event = { .type = EVENT_PEER_HELLO,
				      .source = TEXT("gateway-1"),
				      .incarnation = THEM };

	event.peer_hello.role = ROLE_GATEWAY;
	event.peer_hello.name = TEXT("gateway-1");
	event.peer_hello.protocol = STREAM_PROTOCOL_VERSION;
	event.peer_hello.first_request = 1;
	frame_begin(&writer, frame, sizeof frame, TOPIC_DIRECT, THEM, 0);
	assert(frame_add(&writer, &event, STREAM_EVENT_ADDRESSED));
	frame_end(&writer);
	route_write(&(struct route){ ROLE_GATEWAY, THEM, 1 }, route);
	inbox_frame(inbox, route, sizeof route, NULL, frame, writer.length, 1000);
	while (inbox_step(inbox, 1000))
		;
}

int scene_inbox(void)
{
	static struct inbox inbox;
	const struct inbox_options options = {
		.role = ROLE_REGISTRY,
		.name = "registry",
		.incarnation = US,
		.port = { .send = send_routed, .input = take, .note = note },
	};
	struct stream_event event = { .type = EVENT_REGISTRY_LINK_CLOSE };
	int r = inbox_init(&inbox, &options);

	for (unsigned i = 0; r == 0 && i < EVENTS; i++) {
		if (i % 100 == 0)
			hello(&inbox);
		event.user_id = TEXT("u@x");
		inbox_send(&inbox, &(struct peer){ ROLE_GATEWAY, THEM }, &event,
			   STREAM_EVENT_ADDRESSED);
		if (i % 20 == 0)
			inbox_flush(&inbox, 1000 + i);
	}
	inbox_fini(&inbox);
	return r;
}

static int commit_nothing(void *context, const struct stream_event *const *events, size_t count,
			  const struct peer_mark *marks, size_t mark_count)
{
	(void)context;
	(void)events;
	(void)count;
	(void)marks;
	(void)mark_count;
	return 0;
}

static void publish(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	assert(frame && length > 0);
}

static bool no_row(void *context, const struct stream_event *get, uint64_t *cursor,
		   struct stream_event *out)
{
	(void)context;
	(void)get;
	(void)cursor;
	(void)out;
	return false;
}

int scene_outbox(void)
{
	static struct outbox outbox;
	static const struct store_port store = { .commit = commit_nothing };
	const struct outbox_options options = {
		.incarnation = US, .store = &store, .beacons = true, .publish = publish
	};
	int r = outbox_init(&outbox, &options);

	for (uint64_t seq = 1; r == 0 && seq <= EVENTS; seq++) {
		struct stream_event event = { .type = EVENT_STREAM_TOLD,
					      .seq = seq,
					      .user_id = TEXT("u@x") };
		struct stream_event ops = { .type = EVENT_PROBE_MISSED };

		assert(outbox_has_room(&outbox));
		outbox_story(&outbox, &event);
		outbox_ops(&outbox, &ops);
		assert(outbox_commit(&outbox, NULL, 0) == 0);
		outbox_flush(&outbox, 1000);
	}
	outbox_fini(&outbox);
	return r;
}

/* A request that finds no memory is refused, and the core told so; the next one is taken. */
int scene_uplink(void)
{
	static struct uplink uplink;
	struct stream_event event = { .type = EVENT_EDGE_LINK_CLOSED };
	int r = uplink_init(
		&uplink, &(struct uplink_options){ .role = ROLE_GATEWAY,
						   .name = "gateway-1",
						   .incarnation = US,
						   .server = ROLE_REGISTRY,
						   .entries_max = 2 * EVENTS,
						   .port = { .send = send_plain, .input = take } });
	bool refused = false;

	if (r == 0)
		uplink_connected(&uplink, 1000);
	for (uint64_t i = 1; r == 0 && i <= EVENTS; i++) {
		event.request = i;
		refused = !uplink_request(&uplink, &event) || refused;
		uplink_flush(&uplink, 1000);
	}
	torture_calm();
	event.request = EVENTS + 1;
	assert(r < 0 || uplink_request(&uplink, &event));
	uplink_fini(&uplink);
	return r < 0 ? r : refused;
}

/* All there is in one node: whichever part has no memory, the others are given back. */
int scene_node(void)
{
	static struct node node;
	int r = node_init(
		&node, &(struct node_options){ .role = ROLE_REGISTRY,
					       .name = "registry",
					       .incarnation = US,
					       .servers = 1u << ROLE_SCHEDULER | 1u << ROLE_GATEWAY,
					       .store = { .commit = commit_nothing },
					       .snapshot = { .row = no_row } });

	node_fini(&node);
	return r;
}

/* ---- records ---- */

static const struct registry_options options = {
	.state = { .users_max = 2 * USERS,
		   .apps_max = 64,
		   .streams_max = 64,
		   .text_bytes = 8u << 20,
		   .remember_apps = true },
	.incarnation = 1,
	.first_epoch = 100,
	.stop_owed_ms = 600000,
	.ending_max_ms = 2000,
	.blind_max_ms = 120000,
};

static void make(struct registry *registry, void **memory, const struct store *store)
{
	struct registry_options from = options;

	from.first_seq = store ? store_head(store).seq : 0;
	*memory = fake_memory(registry_bytes(&from));
	registry_init(registry, &from, *memory);
}

/* Sessions, told as the registry tells them: all in one commit. */
static int open_sessions(struct registry *registry, struct registry_store *records)
{
	static struct stream_event events[USERS];
	static char names[USERS][16];
	const struct stream_event *list[USERS];
	int r;

	for (unsigned i = 0; i < USERS; i++) {
		(void)snprintf(names[i], sizeof names[i], "user-%u", i);
		events[i] = (struct stream_event){ .type = EVENT_SESSION_OPENED,
						   .seq = i + 1,
						   .user_id = text_of(names[i]) };
		list[i] = &events[i];
		if (state_user_find(&registry->state, events[i].user_id))
			continue;
		assert(state_apply(&registry->state, &events[i]) == 0);
		state_settle(&registry->state);
	}
	/* As long as there is no memory it is asked for again and again, whole. */
	r = registry_store_commit(records, list, USERS, NULL, 0);
	if (r == 0 || r == -EIO) /* the store itself is at its end, and says so for ever */
		return r;
	torture_calm();
	assert(registry_store_commit(records, list, USERS, NULL, 0) == 0);
	return r;
}

/* Whatever was refused on the way: what is kept in the end is everything. */
static void check_kept(const struct registry *registry, struct store *store)
{
	static struct registry_store records;
	static struct registry later;
	struct store_fault fault;
	void *memory;

	make(&later, &memory, store);
	assert(registry_store_init(&records, store) == 0);
	assert(registry_store_load(&records, &later, 1000, &fault) == 0);
	assert(later.state.users_count == USERS);
	assert(state_hash(&later.state) == state_hash(&registry->state));
	registry_store_fini(&records);
	fake_free(memory, registry_bytes(&options));
}

int scene_record(void)
{
	static struct registry_store records;
	static struct registry registry;
	const struct store_limits limits = { .history_rows_max = 1000,
					     .history_age_ms = INT64_MAX / 2 };
	struct store_fault fault;
	struct store *store = NULL;
	void *memory;
	int r = store_open(&store, STORE_MEMORY, &limits, &fault);

	if (r < 0)
		return r;
	make(&registry, &memory, NULL);
	r = registry_store_init(&records, store);
	if (r == 0)
		r = registry_store_load(&records, &registry, 1000, &fault);
	if (r == 0) {
		r = open_sessions(&registry, &records);
		torture_calm();
		if (r != -EIO)
			check_kept(&registry, store);
	}
	registry_store_fini(&records);
	store_close(store);
	fake_free(memory, registry_bytes(&options));
	return r;
}

int scene_store_memory(void)
{
	const struct store_limits limits = { .history_rows_max = 16,
					     .history_age_ms = INT64_MAX / 2 };
	const struct store_put puts[] = { { TEXT("u/a"), TEXT("1") }, { TEXT("u/b"), TEXT("2") } };
	struct store_fault fault = { .reason = "" };
	struct store_event done;
	struct store *store;
	int r = store_open(&store, STORE_MEMORY, &limits, &fault);

	if (r < 0) {
		assert(*fault.reason);
		return r;
	}
	r = store_commit(store, &(struct store_batch){ .puts = puts, .put_count = 2 });
	assert(r == 0 && store_drive(store, 0, &done) == 0);
	r = done.type == STORE_COMMITTED ? 0 : (int)done.type;
	store_close(store);
	return r;
}
