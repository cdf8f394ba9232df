/* SPDX-License-Identifier: MIT */
/* Goal: store, then speak; and what a node does while the store says "not now", and once it has
 * failed.  Method: a registry's node around a core that tells a story for every request, its store
 * and wires played by the test.
 */
#include <errno.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "common/node.h"
#include "tests/lib/bus.h"

#define US UINT64_C(77)
#define THEM UINT64_C(0x5e17)

static struct node node;
static int64_t now_ms;
static struct bus_line sent, rows, published;
static struct {
	int result;
	unsigned calls, committed;
	size_t events, marks;
	uint64_t next;
	char name[NAME_MAX_BYTES + 1];
} store;
static struct {
	uint64_t seq;
	unsigned heard, ticks;
	int64_t due_ms;
	enum stream_event_type story;
	bool mourns; /* tells of who is gone */
} core;
static enum inbox_sent takes; /* what the wire says to a frame */

/* Every message is an event of the story, and an answer. */
static void handle(void *context, const struct input *input, int64_t now, struct effects *fx)
{
	(void)context;
	(void)now;
	effects_clear(fx);
	if (input->type == INPUT_TICK) {
		core.ticks++;
		core.due_ms = INT64_MAX;
	}
	if (input->type == INPUT_PEER_DOWN && core.mourns)
		effects_add(fx, EFFECT_STORY, (struct peer){ 0 }, core.story)->seq = ++core.seq;
	if (input->type != INPUT_MESSAGE)
		return;
	core.heard++;
	effects_add(fx, EFFECT_STORY, (struct peer){ 0 }, core.story)->seq = ++core.seq;
	effects_add(fx, EFFECT_SEND, input->peer, EVENT_REGISTRY_UNKNOWN_LINK);
}

static int64_t deadline(const void *context)
{
	(void)context;
	return core.due_ms;
}

static int port_commit(void *context, const struct stream_event *const *events, size_t count,
		       const struct peer_mark *marks, size_t mark_count)
{
	(void)context;
	(void)events;
	store.calls++;
	cr_assert_eq(bus_count(&sent), 0, "spoken before it is stored");
	store.events = count;
	store.marks = mark_count;
	if (mark_count > 0) {
		store.next = marks[0].next;
		text_put(marks[0].name, store.name, sizeof store.name);
	}
	if (store.result == 0)
		store.committed++;
	return store.result;
}

static int64_t port_now(void *context)
{
	(void)context;
	return now_ms;
}

static enum inbox_sent port_send_to(void *context, enum node_wire wire, const uint8_t *route,
				    size_t route_length, const uint8_t *frame, size_t length)
{
	(void)context;
	(void)route;
	(void)route_length;
	if (takes == INBOX_SENT)
		bus_put(wire == NODE_INBOX ? &sent : &rows, frame, length);
	return takes;
}

static void port_publish(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	bus_put(&published, frame, length);
}

static void open_node(struct snapshot_port snapshot)
{
	const struct node_options options = {
		.role = ROLE_REGISTRY,
		.name = "registry",
		.incarnation = US,
		.store = { .commit = port_commit },
		.snapshot = snapshot,
		.core = { .handle = handle, .deadline = deadline },
		.port = { .now_ms = port_now,
			  .wall_ms = port_now,
			  .send_to = port_send_to,
			  .publish = port_publish },
	};

	now_ms = 1000;
	core.due_ms = INT64_MAX;
	core.story = EVENT_GATEWAY_CHANGED;
	cr_assert_eq(node_init(&node, &options), 0);
}

static void setup(void)
{
	open_node((struct snapshot_port){ 0 });
}

static void teardown(void)
{
	node_fini(&node);
	bus_drop(&sent);
	bus_drop(&rows);
	bus_drop(&published);
}

TestSuite(node, .init = setup, .fini = teardown);

/* A frame of a client with @events, walked to its end. */
static void take_on(enum node_wire wire, enum role role, const char *name,
		    const struct stream_event *events, size_t count, uint64_t first)
{
	static uint8_t bytes[65536];
	uint8_t route[ROUTE_LENGTH_MAX];
	size_t length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, name, THEM, first, events, count);

	route_write(&(struct route){ role, THEM, 1 }, route);
	cr_assert(node_wants(&node, wire));
	node_take(&node, wire, &(struct node_frame){ route, sizeof route, NULL, bytes, length });
	while (node_step(&node, wire))
		;
}

static void take(const struct stream_event *events, size_t count, uint64_t first)
{
	take_on(NODE_INBOX, ROLE_GATEWAY, "gateway-1", events, count, first);
}

static struct stream_event hello_of(enum role role, struct text name)
{
	return (struct stream_event){ .type = EVENT_PEER_HELLO,
				      .peer_hello = { .role = role,
						      .name = name,
						      .protocol = STREAM_PROTOCOL_VERSION,
						      .first_request = 1 } };
}

static void say_hello(void)
{
	const struct stream_event hello = hello_of(ROLE_GATEWAY, TEXT("gateway-1"));

	take(&hello, 1, 0);
	cr_assert_eq(node_finish(&node), 0);
	bus_drop(&sent);
}

static void ask(uint64_t number)
{
	take(&(struct stream_event){ .type = EVENT_EDGE_LINK_CLOSED }, 1, number);
}

Test(node, a_pass_is_stored_with_the_marks_of_who_asked_and_then_spoken)
{
	say_hello();
	cr_assert_eq(store.calls, 0, "a pass without a story needs no commit");
	ask(1);
	ask(2);
	cr_assert_eq(bus_count(&sent), 0);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 1);
	cr_assert_eq(store.events, 2);
	cr_assert_eq(store.marks, 1);
	cr_assert_eq(store.next, 3);
	cr_assert_str_eq(store.name, "gateway-1");
	cr_assert_eq(bus_count(&sent), 1, "answers and acknowledgement");
	cr_assert_eq(bus_count(&published), 2, "the story, and a beacon");
}

Test(node, what_the_store_puts_off_is_held_and_nothing_goes_on)
{
	say_hello();
	store.result = -EAGAIN;
	ask(1);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert(node_held(&node));
	cr_assert_not(node_is_ready(&node));
	cr_assert_not(node_is_busy(&node));
	cr_assert_not(node_wants(&node, NODE_INBOX));
	cr_assert_not(node_step(&node, NODE_INBOX));
	cr_assert_eq(node_deadline(&node), now_ms + NODE_HELD_MS);
	core.due_ms = now_ms;
	now_ms += NODE_HELD_MS - 1;
	node_tick(&node);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(core.ticks, 0);
	cr_assert_eq(store.calls, 1, "not before its time");
	cr_assert_eq(bus_count(&sent) + bus_count(&published), 0);
	now_ms++;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.calls, 2);
	cr_assert_eq(store.events, 1, "the same again");
	cr_assert_eq(store.marks, 1);
	cr_assert(node_held(&node));
	store.result = 0;
	now_ms += NODE_HELD_MS;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_not(node_held(&node));
	cr_assert(node_is_ready(&node));
	cr_assert_eq(store.committed, 1);
	cr_assert_eq(bus_count(&sent), 1);
	node_tick(&node);
	cr_assert_eq(core.ticks, 1);
}

Test(node, a_failed_commit_is_the_end_and_nothing_is_said)
{
	say_hello();
	store.result = -EIO;
	ask(1);
	cr_assert_eq(node_finish(&node), -EIO);
	store.result = 0;
	cr_assert_eq(node_finish(&node), -EIO, "and stays so");
	cr_assert_eq(store.calls, 1);
	cr_assert_not(node_held(&node));
	cr_assert_not(node_wants(&node, NODE_INBOX));
	cr_assert_eq(bus_count(&sent) + bus_count(&published), 0);
}

/* The rest of a frame waits with it. */
Test(node, a_frame_is_walked_on_when_the_store_goes_on)
{
	enum { EVENTS = 1000 };
	static struct stream_event events[EVENTS];

	say_hello();
	store.result = -EAGAIN;
	for (size_t i = 0; i < EVENTS; i++)
		events[i].type = EVENT_EDGE_LINK_CLOSED;
	take(events, EVENTS, 1);
	cr_assert_eq(core.heard, EVENTS);
	/* More than one pass has room for: the last one that fits ends it. */
	for (uint64_t first = EVENTS + 1; !node_held(&node); first += EVENTS)
		take(events, EVENTS, first);
	cr_assert_gt(core.heard, OUTBOX_KEPT_MAX - EFFECTS_MAX - 1);
	cr_assert_lt(core.heard, OUTBOX_KEPT_MAX);
	cr_assert_neq(core.heard % EVENTS, 0, "in the middle of a frame");
	store.result = 0;
	now_ms += NODE_HELD_MS;
	cr_assert_eq(node_finish(&node), 0);
	while (node_step(&node, NODE_INBOX))
		;
	cr_assert_eq(core.heard % EVENTS, 0);
}

/* Past the first story and its beacon; then one fact that nobody waits for. */
static void put_on_record(void)
{
	say_hello();
	ask(1);
	cr_assert_eq(node_finish(&node), 0);
	bus_drop(&sent);
	bus_drop(&published);
	core.story = EVENT_STREAM_TOLD;
	ask(2);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 1);
	cr_assert_eq(node_deadline(&node), now_ms + NODE_LINGER_MS);
}

Test(node, what_nobody_waits_for_is_stored_together_and_nothing_is_said_before)
{
	put_on_record();
	now_ms += NODE_LINGER_MS - 1;
	ask(3);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 1);
	cr_assert_eq(bus_count(&sent) + bus_count(&published), 0);
	now_ms++;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2);
	cr_assert_eq(store.events, 2);
	cr_assert_eq(store.next, 4);
	cr_assert_eq(bus_count(&published), 1);
	cr_assert_gt(node_deadline(&node), now_ms + NODE_LINGER_MS);
}

Test(node, what_is_waited_for_takes_along_what_is_not)
{
	put_on_record();
	core.story = EVENT_STREAM_CLOSED;
	ask(3);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2);
	cr_assert_eq(store.events, 2);
	core.story = EVENT_STREAM_TOLD;
	ask(4);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2, "and does not press for what comes later");
}

Test(node, a_beacon_is_not_late_for_what_lingers)
{
	put_on_record();
	node.outbox.beacon_ms = now_ms + 1;
	now_ms++;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2);
	cr_assert_eq(bus_count(&published), 2);
}

Test(node, nothing_lingers_in_a_process_that_ends)
{
	put_on_record();
	node_close(&node);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2);
}

Test(node, what_lingers_is_put_off_by_a_store_like_anything)
{
	put_on_record();
	store.result = -EAGAIN;
	now_ms += NODE_LINGER_MS;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert(node_held(&node));
	cr_assert_eq(node_deadline(&node), now_ms + NODE_HELD_MS);
	store.result = 0;
	now_ms += NODE_HELD_MS;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2);
}

Test(node, what_is_wrong_is_counted_though_nobody_listens)
{
	node_take(&node, NODE_INBOX, &(struct node_frame){ .route = (const uint8_t *)"" });
	cr_assert_not(node_step(&node, NODE_INBOX));
	cr_assert_eq(node.inbox.stats.malformed, 1);
}

/* Who is gone is told of first; what that causes has no room, and is held. */
Test(node, a_tick_in_which_the_store_puts_off_leaves_the_core_alone)
{
	const struct stream_event event = { .type = EVENT_EDGE_LINK_CLOSED };

	say_hello();
	takes = INBOX_GONE;
	ask(1);
	cr_assert_eq(node_finish(&node), 0);
	for (uint64_t i = 2; i <= OUTBOX_KEPT_MAX - EFFECTS_MAX + 1; i++)
		take(&event, 1, i);
	cr_assert_not(node_held(&node));
	store.result = -EAGAIN;
	core.mourns = true;
	core.due_ms = now_ms;
	node_tick(&node);
	cr_assert(node_held(&node));
	cr_assert_eq(core.ticks, 0);
	store.result = 0;
	now_ms += NODE_HELD_MS;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.events, OUTBOX_KEPT_MAX - EFFECTS_MAX + 1);
	node_tick(&node);
	cr_assert_eq(core.ticks, 1);
}

/* rows */

static bool begun;

static bool port_begin(void *context, uint64_t *upto)
{
	(void)context;
	*upto = 41;
	return begun;
}

static bool port_row(void *context, const struct stream_event *get, uint64_t *cursor,
		     struct stream_event *out)
{
	(void)context;
	(void)get;
	*out = (struct stream_event){ .type = EVENT_SNAPSHOT_STREAM };
	return (*cursor)++ < 1000;
}

static void setup_rows(void)
{
	open_node((struct snapshot_port){ .begin = port_begin, .row = port_row });
}

TestSuite(node_rows, .init = setup_rows, .fini = teardown);

Test(node_rows, the_story_begins_behind_the_rows_once_they_are_there)
{
	node_begin(&node);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(bus_count(&published), 0, "nobody knows what comes next");
	begun = true;
	node_begin(&node);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(bus_count(&published), 1, "a beacon says it");
	cr_assert_eq(node.outbox.story_next, 42);
}

static void ask_for_rows(void)
{
	const struct stream_event get[] = { hello_of(ROLE_OPERATOR, TEXT("weir")),
					    { .type = EVENT_SNAPSHOT_GET } };

	take_on(NODE_SNAPSHOTS, ROLE_OPERATOR, "weir", get, 2, 0);
}

Test(node_rows, nothing_lingers_while_rows_are_owed)
{
	begun = true;
	put_on_record();
	ask_for_rows();
	cr_assert(node_is_busy(&node));
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2);
	cr_assert_eq(bus_count(&rows), 1, "it has begun");
	bus_drop(&sent);
	while (node_is_busy(&node))
		cr_assert(node_serve(&node));
	ask(3);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2, "lingers");
	now_ms += NODE_LINGER_MS;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_gt(bus_count(&rows), 1);
}

Test(node_rows, nothing_lingers_while_somebody_is_to_be_forgotten)
{
	put_on_record();
	ask_for_rows(); /* which are not there yet */
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 1, "lingers");
	now_ms += INBOX_FORGET_MS;
	node.outbox.beacon_ms = node.linger_ms = NODE_NEVER;
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(store.committed, 2);
}
