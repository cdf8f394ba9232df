/* SPDX-License-Identifier: MIT */
/* Goal: whatever a client says or does wrong is counted, costs it at most its own numbers, and
 * nobody else anything; who is gone is told of once.  Method: frames byte by byte.
 */
#include "tests/lib/inbox_stage.h"

TestSuite(inbox_frames, .init = setup, .fini = teardown);

/* A frame that says it has @count events, which are the bytes of @events. */
static void raw(struct client client, uint64_t first, uint16_t count, const char *events)
{
	uint8_t bytes[256];

	bytes_from(client, bytes,
		   bus_frame_raw(bytes, sizeof bytes, TOPIC_DIRECT, client.route.incarnation, first,
				 count, events),
		   0);
}

/* One event whose head says another incarnation than its frame. */
static void forged(struct client client, struct stream_event event)
{
	uint8_t bytes[1024];
	struct frame_writer frame;

	frame_begin(&frame, bytes, sizeof bytes, TOPIC_DIRECT, client.route.incarnation, 0);
	event.source = text_of(client.name);
	event.incarnation = client.route.incarnation + 1;
	cr_assert(frame_add(&frame, &event, STREAM_EVENT_ADDRESSED));
	frame_end(&frame);
	bytes_from(client, bytes, frame.length, 0);
}

Test(inbox_frames, what_is_no_frame_is_counted)
{
	uint8_t bytes[256];
	struct client client = gateway(GATEWAY, 1);

	greet(client);
	bytes_from(client, bytes, 3, 0);
	bytes_from(client, bytes,
		   bus_frame_raw(bytes, sizeof bytes, TOPIC_STORY, GATEWAY, 1, 0, ""), 0);
	cr_assert_eq(inbox.stats.malformed, 2);
	cr_assert_str_eq(noted, "inbox.malformed");
	cr_assert_eq(input_count, 0);
	inbox.options.port.note = NULL; /* nobody listens */
	bytes_from(client, bytes, 3, 0);
	cr_assert_eq(inbox.stats.malformed, 3);
	requests(client, 1, 1, 0);
	cr_assert_eq(input_count, 1);
}

Test(inbox_frames, an_event_of_a_newer_build_counts_as_handled)
{
	struct client client = gateway(GATEWAY, 1);

	raw(client, 1, 1, BUS_UNKNOWN);
	expect_one(EVENT_PEER_REFUSED); /* even those say hello first */
	cr_assert_eq(inbox.stats.unknown, 0);
	greet(client);
	raw(client, 1, 2, BUS_UNKNOWN BUS_UNKNOWN);
	raw(client, 2, 1, BUS_UNKNOWN); /* seen */
	raw(client, 4, 1, BUS_UNKNOWN); /* 3 is missing */
	cr_assert_eq(inbox.stats.unknown, 2);
	cr_assert_eq(inbox.stats.duplicates, 1);
	cr_assert_eq(inbox.stats.gaps, 1);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 2);
	cr_assert_eq(input_count, 0);
}

Test(inbox_frames, more_bytes_than_events_are_malformed)
{
	struct client client = gateway(GATEWAY, 1);

	greet(client);
	raw(client, 1, 1, BUS_UNKNOWN BUS_UNKNOWN);
	cr_assert_eq(inbox.stats.malformed, 1);
	cr_assert_eq(inbox.stats.unknown, 1);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 1);
}

/* What cannot be read counts as handled, but only whose turn it is. */
Test(inbox_frames, numbers_are_used_up_by_their_turn_alone)
{
	struct client client = gateway(GATEWAY, 2), old = gateway(GATEWAY, 1);

	greet(client);
	requests(client, 1, 4, 0);
	raw(client, 0, 9, BUS_GARBAGE); /* not numbered */
	raw(client, 6, 1, BUS_GARBAGE); /* 5 is missing */
	raw(client, 2, 2, BUS_GARBAGE); /* seen */
	raw(old, 5, 1, BUS_GARBAGE); /* late, from an earlier connection */
	raw(gateway(GATEWAY + 1, 1), 5, 1, BUS_GARBAGE); /* a stranger */
	cr_assert_eq(inbox.stats.malformed, 5);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 4);
	raw(client, 4, 3, BUS_GARBAGE); /* one seen, two due */
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_ACK);
	cr_assert_eq(left.events[0].peer_ack.upto, 6);
}

Test(inbox_frames, who_is_down_uses_up_nothing)
{
	struct client client = gateway(GATEWAY, 1);

	greet(client);
	hello(gateway(GATEWAY + 1, 1), 1, 0); /* has the name now */
	raw(client, 1, 1, BUS_GARBAGE);
	cr_assert_eq(inbox.stats.malformed, 1);
	cr_assert_eq(inbox_peers_find(&inbox.peers, ROLE_GATEWAY, GATEWAY)->next, 1);
	cr_assert_eq(inbox_waiting(&inbox, &(struct peer){ ROLE_GATEWAY, GATEWAY }), SIZE_MAX);
	cr_assert_eq(inbox_waiting(&inbox, &(struct peer){ ROLE_GATEWAY, 99 }), SIZE_MAX);
}

Test(inbox_frames, nobody_speaks_for_another_life)
{
	struct client client = gateway(GATEWAY, 1);

	forged(client, (struct stream_event){ .type = EVENT_PEER_HELLO,
					      .peer_hello = { .role = ROLE_GATEWAY,
							      .name = TEXT("gateway-1"),
							      .protocol = STREAM_PROTOCOL_VERSION,
							      .first_request = 1 } });
	expect_one(EVENT_PEER_REFUSED);
	cr_assert(text_is(left.events[0].peer_refused.reason,
			  "role or incarnation differs from the routing id"));
	greet(client);
	forged(client, (struct stream_event){ .type = EVENT_EDGE_CHECK });
	cr_assert_eq(inbox.stats.violations, 1);
	cr_assert_eq(input_count, 0);
}

Test(inbox_frames, one_life_has_one_name)
{
	struct client client = gateway(GATEWAY, 1);

	greet(client);
	client.name = "gateway-2";
	hello(client, 1, 0);
	expect_one(EVENT_PEER_REFUSED);
	cr_assert(text_is(left.events[0].peer_refused.reason, "this incarnation had another name"));
	client.name = "gateway\x7f";
	client.route.incarnation++;
	hello(client, 1, 0);
	expect_one(EVENT_PEER_REFUSED);
	cr_assert(text_is(left.events[0].peer_refused.reason, "bad name"));
	cr_assert_eq(inbox.peers.count, 1);
	cr_assert_eq(input_count, 0);
}

/* who is gone */

static const struct peer first = { ROLE_GATEWAY, GATEWAY };

/* Too much for any queue. */
static void overflow(const struct peer *peer)
{
	static char message[60000];
	const struct stream_event event = { .type = EVENT_REGISTRY_RELAY,
					    .registry_relay.message = { message, sizeof message } };

	memset(message, 'm', sizeof message);
	for (size_t i = 0; i <= INBOX_QUEUE_MAX / sizeof message; i++)
		inbox_send(&inbox, peer, &event, STREAM_EVENT_ADDRESSED);
}

Test(inbox_frames, who_is_given_up_is_acknowledged_no_more)
{
	greet(gateway(GATEWAY, 1));
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	overflow(&first);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_REFUSED);
	cr_assert_not(next_left());
}

Test(inbox_frames, who_is_gone_twice_goes_down_once)
{
	greet(gateway(GATEWAY, 1));
	overflow(&first);
	answer = INBOX_GONE;
	input_count = 0;
	inbox_flush(&inbox, 0);
	inbox_tick(&inbox, 0);
	cr_assert_eq(input_count, 1);
	cr_assert_eq(inputs[0].type, INPUT_PEER_DOWN);
	cr_assert_eq(inbox_deadline(&inbox), INT64_MAX);
}

static void overflow_first(const struct input *input)
{
	if (input->type == INPUT_PEER_DOWN && input->peer.incarnation != GATEWAY)
		overflow(&first);
}

Test(inbox_frames, whom_the_core_overwhelms_meanwhile_goes_down_next)
{
	const struct client second = { { ROLE_GATEWAY, GATEWAY + 1, 1 }, "gateway-2" };

	greet(gateway(GATEWAY, 1));
	greet(second);
	overflow(&(struct peer){ ROLE_GATEWAY, GATEWAY + 1 });
	on_input = overflow_first;
	inbox_tick(&inbox, 0);
	cr_assert_eq(input_count, 1);
	cr_assert_eq(inputs[0].peer.incarnation, GATEWAY + 1);
	cr_assert_eq(inbox_deadline(&inbox), 0);
	inbox_tick(&inbox, 0);
	cr_assert_eq(input_count, 2);
	cr_assert_eq(inputs[1].peer.incarnation, GATEWAY);
	cr_assert_neq(inbox_deadline(&inbox), 0);
}

/* Before anybody was told that it is gone. */
Test(inbox_frames, a_name_is_free_as_soon_as_its_owner_is_gone)
{
	hello(gateway(GATEWAY + 1, 1), 1, 0);
	hello(gateway(GATEWAY, 1), 1, 0); /* said long ago, and fences the one that lives */
	answer = INBOX_GONE;
	inbox_flush(&inbox, 0);
	bus_drop(&line);
	answer = INBOX_SENT;
	input_count = 0;
	hello(gateway(GATEWAY + 1, 2), 1, 0);
	cr_assert_eq(input_count, 2);
	cr_assert_eq(inputs[0].type, INPUT_PEER_DOWN);
	cr_assert_eq(inputs[0].peer.incarnation, GATEWAY);
	cr_assert_eq(inputs[1].type, INPUT_PEER_UP);
	cr_assert_eq(inputs[1].peer.incarnation, GATEWAY + 1);
	inbox_tick(&inbox, 0);
	cr_assert_eq(input_count, 2);
	cr_assert_eq(inbox.gone_count, 0);
}

Test(inbox_frames, who_is_forgotten_waits_for_nothing)
{
	const struct client alice = { { ROLE_OPERATOR, 1, 0 }, "alice" },
			    bob = { { ROLE_OPERATOR, 2, 0 }, "bob" };

	answer = INBOX_BUSY;
	hello(bob, 1, 0);
	hello(alice, 1, 0);
	inbox_flush(&inbox, 0);
	requests(bob, 0, 1, INBOX_FORGET_MS - 1); /* is heard of */
	inbox_tick(&inbox, INBOX_FORGET_MS);
	cr_assert_eq(inbox.peers.count, 1);
	answer = INBOX_SENT;
	inbox_flush(&inbox, INBOX_FORGET_MS);
	expect_one(EVENT_PEER_WELCOME);
	cr_assert_eq(left.to.incarnation, 2);
	cr_assert_not(next_left());
}

Test(inbox_frames, marks_are_as_many_as_are_asked_for_and_none_of_operators)
{
	struct peer_mark marks[3];

	greet((struct client){ { ROLE_OPERATOR, 1, 0 }, "alice" });
	greet(gateway(GATEWAY, 1));
	greet((struct client){ { ROLE_GATEWAY, GATEWAY + 1, 1 }, "gateway-2" });
	frame((struct client){ { ROLE_OPERATOR, 1, 0 }, "alice" }, 1,
	      &(struct stream_event){ .type = EVENT_OPERATOR_STOP }, 1, 0);
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	requests((struct client){ { ROLE_GATEWAY, GATEWAY + 1, 1 }, "gateway-2" }, 1, 1, 0);
	cr_assert_eq(inbox.stats.received, 3);
	cr_assert_eq(inbox_marks(&inbox, marks, 3), 2);
	cr_assert_eq(marks[0].incarnation, GATEWAY);
	cr_assert_eq(marks[1].incarnation, GATEWAY + 1);
	cr_assert_eq(inbox_marks(&inbox, marks, 1), 1);
}
