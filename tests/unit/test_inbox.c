/* SPDX-License-Identifier: MIT */
/* Goal: a server's side of many connections.  Who may speak and under which name, which number
 * comes next, one acknowledgement per pass, what happens to the slow, the gone and the too many.
 * Method: clients are written by hand, frame by frame.
 */
#include "tests/lib/inbox_stage.h"

TestSuite(inbox, .init = setup, .fini = teardown);

Test(inbox, a_hello_is_welcomed)
{
	hello(gateway(GATEWAY, 1), 7, 0);
	cr_assert_eq(bus_count(&line), 0, "only a flush sends");
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_WELCOME);
	cr_assert_eq(left.to.connection, 1);
	cr_assert_eq(left.events[0].peer_welcome.role, ROLE_REGISTRY);
	cr_assert(text_is(left.events[0].peer_welcome.name, "registry"));
	cr_assert_not(left.events[0].peer_welcome.known);
	cr_assert_eq(left.events[0].peer_welcome.next_request, 7);
	cr_assert_eq(input_count, 1);
	cr_assert_eq(inputs[0].type, INPUT_PEER_UP);
	cr_assert_eq(inputs[0].peer.role, ROLE_GATEWAY);
	cr_assert_eq(inputs[0].peer.incarnation, GATEWAY);
}

Test(inbox, who_has_not_said_hello_is_told_so_once_per_frame)
{
	requests(gateway(GATEWAY, 1), 1, 3, 0);
	expect_one(EVENT_PEER_REFUSED);
	cr_assert(text_is(left.events[0].peer_refused.reason, "say hello first"));
	cr_assert_not(next_left());
	cr_assert_eq(input_count, 0);
	cr_assert_eq(inbox.stats.strangers, 1);
}

struct fault {
	struct stream_event hello;
	struct client client;
	const char *reason;
};

Test(inbox, a_hello_with_a_fault_is_refused)
{
	const struct fault faults[] = {
		{ { .peer_hello = { .role = ROLE_GATEWAY,
				    .name = TEXT("gateway-1"),
				    .protocol = 99,
				    .first_request = 1 } },
		  gateway(GATEWAY, 1),
		  "protocol version not supported" },
		{ { .peer_hello = { .role = ROLE_MANAGED,
				    .name = TEXT("gateway-1"),
				    .protocol = STREAM_PROTOCOL_VERSION,
				    .first_request = 1 } },
		  gateway(GATEWAY, 1),
		  "role or incarnation differs from the routing id" },
		{ { .peer_hello = { .role = ROLE_GATEWAY,
				    .name = TEXT("other"),
				    .protocol = STREAM_PROTOCOL_VERSION,
				    .first_request = 1 } },
		  gateway(GATEWAY, 1),
		  "bad name" },
		{ { .peer_hello = { .role = ROLE_GATEWAY,
				    .name = TEXT("a\nb"),
				    .protocol = STREAM_PROTOCOL_VERSION,
				    .first_request = 1 } },
		  { { ROLE_GATEWAY, GATEWAY, 1 }, "a\nb" },
		  "bad name" },
		{ { .peer_hello = { .role = ROLE_GATEWAY,
				    .name = TEXT(""),
				    .protocol = STREAM_PROTOCOL_VERSION,
				    .first_request = 1 } },
		  { { ROLE_GATEWAY, GATEWAY, 1 }, "" },
		  "bad name" },
		{ { .peer_hello = { .role = ROLE_REGISTRY,
				    .name = TEXT("r"),
				    .protocol = STREAM_PROTOCOL_VERSION,
				    .first_request = 1 } },
		  { { ROLE_REGISTRY, GATEWAY, 1 }, "r" },
		  "this role is not served here" },
	};

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		hello_as(faults[i].client, faults[i].hello, 0);
		expect_one(EVENT_PEER_REFUSED);
		cr_assert(text_is(left.events[0].peer_refused.reason, faults[i].reason), "%zu", i);
		cr_assert_eq(inbox.peers.count, 0);
	}
	cr_assert_eq(input_count, 0);
	cr_assert_str_eq(noted, "inbox.hello_refused");
}

Test(inbox, requests_count_in_order_and_once_each)
{
	struct client client = gateway(GATEWAY, 1);

	greet(client);
	requests(client, 1, 3, 0);
	requests(client, 2, 2, 0); /* seen */
	requests(client, 5, 2, 0); /* 4 is missing */
	requests(client, 3, 2, 0); /* seen, and new */
	cr_assert_eq(input_count, 4);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(inputs[i].request, i + 1);
	cr_assert_eq(inbox.stats.duplicates, 3);
	cr_assert_eq(inbox.stats.gaps, 1);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 4);
	inbox_flush(&inbox, 0);
	cr_assert_not(next_left());
	requests(client, 6, 1, 0); /* a gap is answered with what was taken last */
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 4);
}

Test(inbox, answers_and_acknowledgement_share_a_frame)
{
	struct client client = gateway(GATEWAY, 1);
	struct stream_event event = { .type = EVENT_REGISTRY_CAPABILITIES,
				      .source = TEXT("registry"),
				      .incarnation = US };

	greet(client);
	requests(client, 1, 1, 0);
	inbox_send(&inbox, &(struct peer){ ROLE_GATEWAY, GATEWAY }, &event, STREAM_EVENT_ADDRESSED);
	inbox_send(&inbox, &(struct peer){ ROLE_GATEWAY, GATEWAY }, &event, STREAM_EVENT_ADDRESSED);
	inbox_flush(&inbox, 0);
	cr_assert(next_left());
	cr_assert_eq(left.count, 3);
	cr_assert_eq(left.events[0].type, EVENT_REGISTRY_CAPABILITIES);
	cr_assert_eq(left.events[2].type, EVENT_PEER_ACK);
	cr_assert_not(next_left());
	inbox_send(&inbox, &(struct peer){ ROLE_GATEWAY, 99 }, &event, STREAM_EVENT_ADDRESSED);
	cr_assert_eq(inbox.stats.sends_dropped, 1);
}

Test(inbox, an_acknowledgement_waits_a_little_for_company)
{
	struct client client = gateway(GATEWAY, 1);
	struct stream_event event = { .type = EVENT_REGISTRY_CAPABILITIES,
				      .source = TEXT("registry"),
				      .incarnation = US };
	struct peer_mark mark;

	inbox.options.ack_age_ms = INBOX_ACK_AGE_MS;
	greet(client);
	requests(client, 1, 1, 100);
	cr_assert_eq(inbox_marks(&inbox, &mark, 1), 1);
	inbox_flush(&inbox, 100);
	cr_assert_eq(inbox_marks(&inbox, &mark, 1), 0, "marked with its own pass only");
	cr_assert_eq(inbox_deadline(&inbox), 100 + INBOX_ACK_AGE_MS);
	requests(client, 2, 1, 110);
	inbox_flush(&inbox, 99 + INBOX_ACK_AGE_MS);
	cr_assert_not(next_left());
	inbox_flush(&inbox, 100 + INBOX_ACK_AGE_MS);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 2);
	cr_assert_eq(inbox_deadline(&inbox), INT64_MAX);
	requests(client, 3, 1, 200);
	inbox_flush(&inbox, 200);
	inbox_send(&inbox, &(struct peer){ ROLE_GATEWAY, GATEWAY }, &event, STREAM_EVENT_ADDRESSED);
	inbox_flush(&inbox, 201);
	cr_assert(next_left());
	cr_assert_eq(left.count, 2, "what goes anyway takes it along");
	cr_assert_eq(left.events[1].type, EVENT_PEER_ACK);
	cr_assert_eq(inbox_deadline(&inbox), INT64_MAX);
	requests(client, 4, 1, 300);
	inbox_flush(&inbox, 300);
	cr_assert_not(next_left());
	inbox.options.ack_age_ms = 0;
	inbox_flush(&inbox, 301);
	expect_one(EVENT_PEER_ACK);
}

Test(inbox, what_a_role_may_not_send_is_dropped_but_counts_as_handled)
{
	struct client client = gateway(GATEWAY, 1);
	const struct stream_event wrong[] = {
		{ .type = EVENT_STREAM_CLOSE }, /* for adapters to say */
		{ .type = EVENT_ACTOR_STOPPED }, /* published, never sent */
		{ .type = EVENT_PEER_ACK }, /* for servers to say */
		{ .type = EVENT_EDGE_CHECK, .request = 4 },
	};

	greet(client);
	frame(client, 1, wrong, 4, 0);
	cr_assert_eq(inbox.stats.violations, 3);
	cr_assert_str_eq(noted, "audit.violation");
	cr_assert_eq(input_count, 1);
	cr_assert_eq(inputs[0].request, 4);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 4);
}

Test(inbox, nobody_speaks_under_anothers_name)
{
	struct client client = gateway(GATEWAY, 1);
	struct client forger = { client.route, "gateway-2" };

	greet(client);
	requests(forger, 0, 1, 0);
	cr_assert_eq(inbox.stats.violations, 1);
	cr_assert_eq(input_count, 0);
}

Test(inbox, head_and_routing_id_must_agree)
{
	struct client client = gateway(GATEWAY, 1);
	uint8_t bytes[1024], route[ROUTE_LENGTH_MAX];
	struct stream_event event = { .type = EVENT_EDGE_CHECK };
	size_t length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, "gateway-1", 77, 0, &event, 1);

	greet(client);
	route_write(&client.route, route);
	inbox_frame(&inbox, route, sizeof route, NULL, bytes, length, 0);
	cr_assert_not(inbox_step(&inbox, 0));
	inbox_frame(&inbox, route, 5, NULL, bytes, length, 0);
	cr_assert_not(inbox_step(&inbox, 0));
	route[0] = ROLE_COUNT;
	inbox_frame(&inbox, route, sizeof route, NULL, bytes, length, 0);
	cr_assert_not(inbox_step(&inbox, 0));
	cr_assert_eq(inbox.stats.malformed, 3);
}

Test(inbox, an_expired_request_is_taken_and_not_done)
{
	struct client client = gateway(GATEWAY, 1);
	struct stream_event event = { .type = EVENT_EDGE_CHECK, .expires_ms = 100 };

	greet(client);
	frame(client, 1, &event, 1, 100);
	cr_assert_eq(input_count, 0);
	cr_assert_eq(inbox.stats.expired, 1);
	frame(client, 2, &event, 1, 99);
	cr_assert_eq(input_count, 1);
}

static void hello_by(uint64_t clock, int64_t its_ms, int64_t now_ms)
{
	struct stream_event hello = { .peer_hello = { .role = ROLE_GATEWAY,
						      .name = TEXT("gateway-1"),
						      .protocol = STREAM_PROTOCOL_VERSION,
						      .first_request = 1,
						      .clock = clock,
						      .now_ms = its_ms } };

	hello_as(gateway(GATEWAY, 1), hello, now_ms);
}

static void ask_until(uint64_t number, int64_t expires_ms, int64_t now_ms)
{
	struct stream_event event = { .type = EVENT_EDGE_CHECK, .expires_ms = expires_ms };

	frame(gateway(GATEWAY, 1), number, &event, 1, now_ms);
}

/* A machine that was started later or earlier: its times are smaller or larger than ours. */
Test(inbox, a_deadline_of_another_clock_is_told_by_ours)
{
	inbox.options.clock = 8;
	hello_by(7, 90, 50000);
	cr_assert_eq(inputs[0].type, INPUT_PEER_UP);
	cr_assert_eq(inputs[0].clock, 7);
	ask_until(1, 100, 50009);
	cr_assert_eq(inputs[1].expires_ms, 50010);
	cr_assert_eq(inputs[1].clock, 7);
	ask_until(2, 0, 50009);
	cr_assert_eq(inputs[2].expires_ms, 0, "never is never");
	ask_until(3, 100, 50010);
	cr_assert_eq(inbox.stats.expired, 1);
	ask_until(4, INT64_MAX, 50010);
	cr_assert_eq(inputs[3].expires_ms, INT64_MAX);
	cr_assert_eq(input_count, 4);
}

Test(inbox, a_deadline_of_a_machine_that_is_up_for_longer)
{
	inbox.options.clock = 8;
	hello_by(7, 50000, 1000);
	ask_until(1, 49000, 1);
	cr_assert_eq(inbox.stats.expired, 1, "now by our clock, as it happens at 0");
	ask_until(2, 49500, 499);
	cr_assert_eq(inputs[1].expires_ms, 500);
	ask_until(3, INT64_MIN, 499);
	cr_assert_eq(inbox.stats.expired, 2);
}

Test(inbox, a_deadline_of_our_clock_is_as_it_is)
{
	inbox.options.clock = 7;
	hello_by(7, 90, 50000);
	ask_until(1, 50001, 50000);
	cr_assert_eq(inputs[1].expires_ms, 50001);
}

/* More than there are numbers: it is not a clock at all. */
Test(inbox, a_time_that_cannot_be_is_not_reckoned_with)
{
	inbox.options.clock = 8;
	hello_by(7, INT64_MIN, 50000);
	ask_until(1, 50001, 50000);
	cr_assert_eq(inputs[1].expires_ms, 50001);
}

Test(inbox, a_request_that_cannot_be_read_is_not_waited_for)
{
	struct client client = gateway(GATEWAY, 1);
	uint8_t bytes[1024], route[ROUTE_LENGTH_MAX];
	const struct stream_event events[] = { { .type = EVENT_EDGE_CHECK, .request = 1 },
					       { .type = EVENT_EDGE_CHECK, .request = 2 },
					       { .type = EVENT_EDGE_CHECK, .request = 3 } };
	size_t length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, "gateway-1", GATEWAY, 1, events, 3);

	greet(client);
	route_write(&client.route, route);
	bytes[FRAME_HEAD_SIZE + (length - FRAME_HEAD_SIZE) / 3] = 0xc1; /* first byte of the 2nd */
	inbox_frame(&inbox, route, sizeof route, NULL, bytes, length, 0);
	while (inbox_step(&inbox, 0))
		;
	cr_assert_eq(input_count, 1);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 3);
	cr_assert_eq(inbox.stats.malformed, 1);
}

Test(inbox, a_new_connection_keeps_the_numbers_and_drops_the_old_connection)
{
	greet(gateway(GATEWAY, 1));
	requests(gateway(GATEWAY, 1), 1, 2, 0);
	hello(gateway(GATEWAY, 2), 1, 0);
	cr_assert_eq(inputs[input_count - 1].type, INPUT_PEER_UP);
	cr_assert(inputs[input_count - 1].known);
	requests(gateway(GATEWAY, 1), 3, 1, 0); /* late, from the old one */
	hello(gateway(GATEWAY, 1), 1, 0); /* so is this */
	cr_assert_eq(inbox.stats.stale, 2);
	inbox_flush(&inbox, 0);
	cr_assert(next_left());
	cr_assert_eq(left.to.connection, 2);
	cr_assert_eq(left.events[0].type, EVENT_PEER_WELCOME);
	cr_assert(left.events[0].peer_welcome.known);
	cr_assert_eq(left.events[0].peer_welcome.next_request, 3);
	/* A newer connection without a hello is a stranger. */
	requests(gateway(GATEWAY, 3), 3, 1, 0);
	expect_one(EVENT_PEER_REFUSED);
}

Test(inbox, a_repeated_hello_is_answered_and_not_told)
{
	greet(gateway(GATEWAY, 1));
	hello(gateway(GATEWAY, 1), 1, 0);
	cr_assert_eq(input_count, 0);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_WELCOME);
	cr_assert_not(left.events[0].peer_welcome.known, "the first welcome may have been lost");
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	hello(gateway(GATEWAY, 1), 1, 0);
	inbox_flush(&inbox, 0);
	cr_assert(next_left());
	cr_assert(left.events[0].peer_welcome.known);
}

Test(inbox, silent_operators_are_forgotten_and_daemons_are_not)
{
	hello((struct client){ { ROLE_OPERATOR, 1, 0 }, "weir" }, 1, 1000);
	hello(gateway(GATEWAY, 1), 1, 1000);
	inbox_flush(&inbox, 1000);
	input_count = 0;
	for (int64_t now = 1000; now < 1000 + INBOX_FORGET_MS; now = inbox_deadline(&inbox))
		inbox_tick(&inbox, now);
	cr_assert_eq(inbox.peers.count, 2);
	inbox_tick(&inbox, 1000 + INBOX_FORGET_MS);
	cr_assert_eq(inbox.peers.count, 1);
	cr_assert_eq(input_count, 1);
	cr_assert_eq(inputs[0].type, INPUT_PEER_DOWN);
	cr_assert_eq(inputs[0].peer.role, ROLE_OPERATOR);
	cr_assert_eq(inbox_deadline(&inbox), INT64_MAX);
}

Test(inbox, whoever_is_gone_is_told_of_outside_the_flush)
{
	greet(gateway(GATEWAY, 1));
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	answer = INBOX_GONE;
	input_count = 0;
	inbox_flush(&inbox, 0);
	cr_assert_eq(input_count, 0);
	cr_assert_eq(inbox_deadline(&inbox), 0);
	inbox_tick(&inbox, 0);
	cr_assert_eq(input_count, 1);
	cr_assert_eq(inputs[0].type, INPUT_PEER_DOWN);
	answer = INBOX_SENT;
	requests(gateway(GATEWAY, 1), 2, 1, 0);
	expect_one(EVENT_PEER_REFUSED);
	hello(gateway(GATEWAY, 2), 1, 0);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_WELCOME);
	cr_assert(left.events[0].peer_welcome.known);
	cr_assert_eq(left.events[0].peer_welcome.next_request, 2);
}

Test(inbox, a_busy_peer_is_tried_again_in_order)
{
	struct stream_event event = { .type = EVENT_REGISTRY_CAPABILITIES,
				      .source = TEXT("registry"),
				      .incarnation = US };

	greet(gateway(GATEWAY, 1));
	answer = INBOX_BUSY;
	for (uint64_t i = 1; i <= 3; i++) {
		event.request = i;
		inbox_send(&inbox, &(struct peer){ ROLE_GATEWAY, GATEWAY }, &event,
			   STREAM_EVENT_ADDRESSED);
		inbox_flush(&inbox, (int64_t)i);
	}
	cr_assert_eq(inbox_deadline(&inbox), 1 + INBOX_RETRY_MS);
	answer = INBOX_SENT;
	inbox_flush(&inbox, INBOX_RETRY_MS);
	cr_assert_not(next_left(), "not before its time");
	inbox_flush(&inbox, 1 + INBOX_RETRY_MS);
	for (uint64_t i = 1; i <= 3;) {
		cr_assert(next_left());
		for (size_t j = 0; j < left.count; j++)
			cr_assert_eq(left.events[j].request, i++);
	}
	cr_assert_eq(inbox_deadline(&inbox), INT64_MAX);
}

Test(inbox, too_much_waiting_for_a_peer_takes_it_down)
{
	static char message[RELAY_MAX];
	struct stream_event event = { .type = EVENT_REGISTRY_RELAY,
				      .registry_relay.message = { message, 60000 } };
	const struct peer peer = { ROLE_GATEWAY, GATEWAY };
	size_t taken = 0;

	memset(message, 'm', sizeof message);
	greet(gateway(GATEWAY, 1));
	answer = INBOX_BUSY;
	while (inbox.stats.overflows == 0 && taken < 100) {
		inbox_send(&inbox, &peer, &event, STREAM_EVENT_ADDRESSED);
		inbox_flush(&inbox, 0);
		cr_assert_leq(inbox.peers.items[0].queue.size, 2 * INBOX_QUEUE_MAX);
		taken++;
	}
	cr_assert_geq(taken, INBOX_QUEUE_MAX / 60000 - 1);
	cr_assert_leq(taken, INBOX_QUEUE_MAX / 60000 + 1);
	cr_assert_str_eq(noted, "inbox.overflow");
	cr_assert_eq(inbox_waiting(&inbox, &peer), SIZE_MAX);
	inbox_tick(&inbox, 0);
	cr_assert_eq(inputs[input_count - 1].type, INPUT_PEER_DOWN);

	/* It is told as soon as it takes something, and may come back. */
	answer = INBOX_SENT;
	inbox_flush(&inbox, 50);
	expect_one(EVENT_PEER_REFUSED);
	hello(gateway(GATEWAY, 1), 1, 60);
	cr_assert_eq(inputs[input_count - 1].type, INPUT_PEER_UP);
	cr_assert_eq(inbox_waiting(&inbox, &peer) > 0, true);
}

Test(inbox, places_are_limited_and_those_not_there_make_room)
{
	char name[16];
	struct client client = { { ROLE_GATEWAY, 0, 1 }, name };

	for (uint64_t i = 1; i <= PEERS_MAX; i++) {
		snprintf(name, sizeof name, "gateway-%d", (int)i);
		client.route.incarnation = i;
		hello(client, 1, (int64_t)i);
	}
	inbox_flush(&inbox, 5000);
	bus_drop(&line);
	cr_assert_eq(inbox.peers.count, PEERS_MAX);
	client = (struct client){ { ROLE_GATEWAY, 5000, 1 }, "gateway-5000" };
	hello(client, 1, 5000);
	expect_one(EVENT_PEER_REFUSED);
	cr_assert(text_is(left.events[0].peer_refused.reason, "too many peers"));

	/* Two go down; the one heard of longest ago makes room. */
	answer = INBOX_GONE;
	for (uint64_t i = 11; i >= 10; i--)
		inbox_send(&inbox, &(struct peer){ ROLE_GATEWAY, i },
			   &(struct stream_event){ .type = EVENT_REGISTRY_CAPABILITIES },
			   STREAM_EVENT_ADDRESSED);
	inbox_flush(&inbox, 5000);
	inbox_tick(&inbox, 5000);
	answer = INBOX_SENT;
	hello(client, 1, 5000);
	cr_assert_eq(inbox.peers.count, PEERS_MAX);
	cr_assert_null(inbox_peers_find(&inbox.peers, ROLE_GATEWAY, 10));
	cr_assert(inbox_peers_find(&inbox.peers, ROLE_GATEWAY, 11));
	for (uint64_t i = 11; i <= PEERS_MAX; i++)
		cr_assert(inbox_peers_find(&inbox.peers, ROLE_GATEWAY, i));
}
