/* SPDX-License-Identifier: MIT */
/* Goal: what an adapter's node makes of its connections to the registry, of what its core wants
 * done, and when it calls itself ready, busy and settled.  Method: registry and core by hand.
 */
#include <criterion/criterion.h>

#include "common/node.h"
#include "tests/lib/bus.h"

#define US UINT64_C(77)
#define THEM UINT64_C(0x5e17)
#define REGISTRY_WIRE ((enum node_wire)(NODE_UPLINK + ROLE_REGISTRY))

static struct node node;
static int64_t now_ms = 1000;
static struct bus_line sent, asked, published;
static const char *noted;
static enum node_wire noted_at;
static struct {
	int64_t due_ms;
	unsigned ticks, told, followed, calls;
	enum input_type last;
	void (*then)(const struct input *input, struct effects *fx);
} core = { .due_ms = INT64_MAX };

static void handle(void *context, const struct input *input, int64_t now, struct effects *fx)
{
	(void)context;
	(void)now;
	effects_clear(fx);
	core.last = input->type;
	if (input->type == INPUT_TICK) {
		core.ticks++;
		core.due_ms = INT64_MAX;
	}
	if (core.then)
		core.then(input, fx);
}

static int64_t deadline(const void *context)
{
	(void)context;
	return core.due_ms;
}

static void after(void *context)
{
	(void)context;
	core.followed++;
}

static void call(void *context, const struct stream_event *event)
{
	(void)context;
	cr_assert_eq(event->type, EVENT_PROVIDER_LIST);
	core.calls++;
}

static int64_t port_now(void *context)
{
	(void)context;
	return now_ms;
}

static bool port_send(void *context, enum node_wire wire, const uint8_t *frame, size_t length)
{
	(void)context;
	bus_put(wire == NODE_ROWS ? &asked : &sent, frame, length);
	return true;
}

static enum inbox_sent port_send_to(void *context, enum node_wire wire, const uint8_t *route,
				    size_t route_length, const uint8_t *frame, size_t length)
{
	(void)context;
	(void)wire;
	(void)route;
	(void)route_length;
	(void)frame;
	(void)length;
	return INBOX_SENT;
}

static void port_publish(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	bus_put(&published, frame, length);
}

static void port_nothing(void *context)
{
	(void)context;
}

static void port_note(void *context, const struct node_note *note)
{
	(void)context;
	noted = note->what;
	noted_at = note->wire;
}

static void port_tells(void *context, const struct input *input)
{
	(void)context;
	(void)input;
	core.told++;
}

static void setup(void)
{
	const struct node_options options = {
		.role = ROLE_MANAGED,
		.name = "managed-adapter",
		.incarnation = US,
		.servers = 1u << ROLE_REGISTRY,
		.follows = true,
		.core = { .handle = handle, .deadline = deadline, .after = after, .call = call },
		.port = { .now_ms = port_now,
			  .wall_ms = port_now,
			  .send = port_send,
			  .send_to = port_send_to,
			  .publish = port_publish,
			  .open = port_nothing,
			  .close = port_nothing,
			  .note = port_note,
			  .tells = port_tells },
	};

	cr_assert_eq(node_init(&node, &options), 0);
	node_begin(&node); /* it has no rows of its own */
}

static void teardown(void)
{
	node_fini(&node);
	bus_drop(&sent);
	bus_drop(&asked);
	bus_drop(&published);
}

TestSuite(node_client, .init = setup, .fini = teardown);

static void walk(enum node_wire wire, const uint8_t *bytes, size_t length)
{
	cr_assert(node_has(&node, wire));
	cr_assert(node_wants(&node, wire));
	node_take(&node, wire, &(struct node_frame){ .bytes = bytes, .length = length });
	while (node_step(&node, wire))
		;
}

static void say(enum node_wire wire, const struct stream_event *event)
{
	static uint8_t bytes[4096];

	walk(wire, bytes,
	     bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, "registry", THEM, 0, event, 1));
}

static void be_welcome(enum role role)
{
	node_connected(&node, REGISTRY_WIRE);
	say(REGISTRY_WIRE, &(struct stream_event){ .type = EVENT_PEER_WELCOME,
						   .peer_welcome = { .role = role,
								     .name = TEXT("registry"),
								     .next_request = 1 } });
}

static void acknowledge(uint64_t upto)
{
	say(REGISTRY_WIRE, &(struct stream_event){ .type = EVENT_PEER_ACK, .peer_ack.upto = upto });
}

static void answer(struct stream_event event)
{
	event.request = node.follower.request;
	say(NODE_ROWS, &event);
}

/* A snapshot without rows. */
static void take_snapshot(void)
{
	walk(NODE_STORY, (const uint8_t *)TOPIC_WELCOME, FRAME_TOPIC_SIZE);
	node_connected(&node, NODE_ROWS);
	answer((struct stream_event){ .type = EVENT_SNAPSHOT_BEGIN });
	answer((struct stream_event){ .type = EVENT_SNAPSHOT_END });
}

Test(node_client, is_ready_when_it_is_welcome_and_has_the_story)
{
	cr_assert_not(node_is_ready(&node));
	be_welcome(ROLE_REGISTRY);
	cr_assert_not(node_is_ready(&node));
	cr_assert_not(node_is_busy(&node));
	take_snapshot();
	cr_assert_not(node_is_ready(&node));
	cr_assert(node_is_busy(&node), "what was kept is yet to be walked");
	cr_assert_not(node_wants(&node, NODE_STORY));
	cr_assert_not(node_step(&node, NODE_STORY));
	cr_assert(node_wants(&node, NODE_STORY));
	cr_assert_not(node_is_busy(&node));
	cr_assert(node_is_ready(&node));
	cr_assert_eq(core.last, INPUT_SYNCED);
	node_disconnected(&node, REGISTRY_WIRE);
	cr_assert_not(node_is_ready(&node));
}

Test(node_client, whoever_looks_sees_each_input_and_each_is_followed_up)
{
	be_welcome(ROLE_REGISTRY);
	cr_assert_eq(core.last, INPUT_PEER_UP);
	cr_assert_eq(core.told, 1);
	cr_assert_eq(core.followed, 1);
	node_feed(&node, &(struct input){ .type = INPUT_TICK }); /* not from the bus */
	cr_assert_eq(core.told, 1);
	cr_assert_eq(core.followed, 1);
}

Test(node_client, what_the_uplink_finds_is_noted_with_its_wire)
{
	be_welcome(ROLE_SCHEDULER);
	cr_assert_str_eq(noted, "uplink.wrong_server");
	cr_assert_eq(noted_at, REGISTRY_WIRE);
	cr_assert_neq(core.last, INPUT_PEER_UP);
}

static void two_rounds(const struct input *input, struct effects *fx)
{
	effects_add(fx, EFFECT_REQUEST, (struct peer){ ROLE_REGISTRY, 0 }, EVENT_INPUT_GONE);
	if (input->type == INPUT_PEER_UP)
		core.due_ms = now_ms;
}

/* More than one list of effects holds: the core is due at once, and goes on. */
Test(node_client, announcements_may_be_longer_than_one_list)
{
	core.then = two_rounds;
	core.due_ms = now_ms; /* and what was due before is done before */
	be_welcome(ROLE_REGISTRY);
	cr_assert_eq(core.ticks, 2);
	cr_assert_eq(node.servers[ROLE_REGISTRY].uplink.ring.count, 3);
	cr_assert_not(node_is_settled(&node));
	acknowledge(0);
	bus_drop(&sent);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(bus_count(&sent), 1, "one frame");
	acknowledge(3);
	cr_assert(node_is_settled(&node));
}

static void every_kind(const struct input *input, struct effects *fx)
{
	(void)input;
	effects_add(fx, EFFECT_SEND, (struct peer){ ROLE_REGISTRY, THEM - 1 }, EVENT_INPUT_GONE);
	effects_add(fx, EFFECT_SEND, (struct peer){ ROLE_REGISTRY, THEM }, EVENT_INPUT_GONE);
	effects_add(fx, EFFECT_SEND, (struct peer){ ROLE_REGISTRY, 0 }, EVENT_INPUT_GONE);
	effects_add(fx, EFFECT_OPS, (struct peer){ 0 }, EVENT_PROVIDER_LEAK)->sent_ms = 5;
	effects_add(fx, EFFECT_CALL, (struct peer){ ROLE_PROVIDER, 0 }, EVENT_PROVIDER_LIST);
}

Test(node_client, every_kind_of_effect_finds_its_way)
{
	struct stream_event events[8];
	struct stream_event own = { .type = EVENT_PROVIDER_QUOTA };
	struct frame_head head;
	struct bus_frame frame;

	be_welcome(ROLE_REGISTRY);
	bus_drop(&sent);
	core.then = every_kind;
	node_feed(&node, &(struct input){ .type = INPUT_TICK });
	node_publish(&node, &own);
	cr_assert_eq(core.calls, 1);
	cr_assert_eq(node.servers[ROLE_REGISTRY].uplink.stats.sends_dropped, 1, "of another life");
	cr_assert_eq(node_finish(&node), 0);
	frame = bus_take(&sent);
	cr_assert_eq(bus_read(&frame, &head, events, 8), 2);
	free(frame.bytes);
	frame = bus_take(&published);
	cr_assert_eq(bus_read(&frame, &head, events, 8), 3);
	cr_assert_eq(events[0].type, EVENT_PROVIDER_LEAK);
	cr_assert_eq(events[0].sent_ms, 5, "who knows better when it was is believed");
	cr_assert_eq(events[1].type, EVENT_PROVIDER_LIST);
	cr_assert_eq(events[1].sent_ms, now_ms);
	cr_assert_eq(events[2].type, EVENT_PROVIDER_QUOTA);
	cr_assert(text_is(events[2].source, "managed-adapter"));
	free(frame.bytes);
}

Test(node_client, nothing_operational_is_said_to_nobody)
{
	struct stream_event own = { .type = EVENT_PROVIDER_QUOTA };

	node_deafen(&node, true);
	node_publish(&node, &own);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(bus_count(&published), 0);
	cr_assert(node_effects(&node)->deaf);
	node_carry(&node);
	node_deafen(&node, false);
	node_publish(&node, &own);
	cr_assert_eq(node_finish(&node), 0);
	cr_assert_eq(bus_count(&published), 1);
}
