/* SPDX-License-Identifier: MIT */
/* Goal: a client's side of one connection.  Hello and its repetition, dense numbers, what is kept
 * and repeated and for how long, announcements in front of what was kept, the refusals, and every
 * limit and one past it.  Method: the server is written by hand, frame by frame.
 */
#include <criterion/criterion.h>

#include "common/uplink.h"
#include "tests/lib/bus.h"

#define US UINT64_C(0xc11e47)
#define THEM UINT64_C(0x5e17e1)
#define ENTRIES_MAX 64

static struct uplink uplink;
static struct bus_line line;
static struct {
	enum input_type type;
	bool known;
	enum stream_event_type event;
	uint64_t request, incarnation;
} inputs[256];
static size_t input_count, announcements, settled;
static bool clogged;
static const char *noted;

static struct stream_event request_of(uint64_t id)
{
	return (struct stream_event){ .type = EVENT_EDGE_LINK_CLOSED,
				      .source = TEXT("gateway-1"),
				      .incarnation = US,
				      .request = id };
}

static bool port_send(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	if (clogged)
		return false;
	bus_put(&line, frame, length);
	return true;
}

static void port_input(void *context, const struct input *input)
{
	(void)context;
	inputs[input_count].type = input->type;
	inputs[input_count].known = input->known;
	inputs[input_count].incarnation = input->peer.incarnation;
	if (input->event) {
		inputs[input_count].event = input->event->type;
		inputs[input_count].request = input->event->request;
	}
	input_count++;
	for (size_t i = 0; input->type == INPUT_PEER_UP && !input->known && i < announcements;
	     i++) {
		struct stream_event event = request_of(9000 + i);

		uplink_request(&uplink, &event);
	}
}

static void port_settle(void *context)
{
	(void)context;
	settled++;
}

static void port_note(void *context, const char *what, const char *detail)
{
	(void)context;
	(void)detail;
	noted = what;
}

static void setup(void)
{
	const struct uplink_options options = {
		.role = ROLE_GATEWAY,
		.name = "gateway-1",
		.incarnation = US,
		.server = ROLE_REGISTRY,
		.entries_max = ENTRIES_MAX,
		.bytes_max = 64 * 1024,
		.port = { NULL, port_send, port_settle, port_input, port_note },
	};

	cr_assert_eq(uplink_init(&uplink, &options), 0);
}

static void teardown(void)
{
	uplink_fini(&uplink);
	bus_drop(&line);
}

TestSuite(uplink, .init = setup, .fini = teardown);

static void request(uint64_t id)
{
	struct stream_event event = request_of(id);

	cr_assert(uplink_request(&uplink, &event));
}

/* Events of the next frame that left, and the number of the first one. */
struct left {
	uint64_t first;
	size_t count;
	struct stream_event events[128];
	struct bus_frame frame;
};

static struct left *next_left(void)
{
	static struct left left;
	struct frame_head head;
	struct wire wire;

	free(left.frame.bytes);
	left = (struct left){ .frame = bus_take(&line) };
	if (left.frame.length == 0)
		return &left;
	cr_assert(frame_read(left.frame.bytes, left.frame.length, &head, &wire));
	cr_assert_eq(head.incarnation, US);
	cr_assert_eq(memcmp(head.topic, TOPIC_DIRECT, FRAME_TOPIC_SIZE), 0);
	left.first = head.first_seq;
	left.count = head.count;
	for (size_t i = 0; i < head.count; i++)
		cr_assert_eq(stream_event_read(&wire, &left.events[i]), 0);
	cr_assert_eq(wire.at, wire.end);
	return &left;
}

static void expect_nothing(void)
{
	cr_assert_eq(bus_count(&line), 0);
}

/* A frame of consecutive requests with these ids. */
static void expect_numbered(uint64_t first, size_t count, const uint64_t *ids)
{
	struct left *left = next_left();

	cr_assert_eq(left->first, first, "first number %lu, not %lu", (unsigned long)left->first,
		     (unsigned long)first);
	cr_assert_eq(left->count, count);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(left->events[i].request, ids[i]);
}

#define EXPECT(first, ...) \
	expect_numbered((first), sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), \
			(const uint64_t[]){ __VA_ARGS__ })

static void say_from(uint64_t incarnation, const char *source, struct stream_event event,
		     int64_t now_ms)
{
	static uint8_t bytes[FRAME_MAX];
	size_t length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, source, incarnation, 0, &event, 1);

	uplink_frame(&uplink, bytes, length);
	while (uplink_step(&uplink, now_ms))
		;
}

static void say(struct stream_event event, int64_t now_ms)
{
	say_from(THEM, "registry", event, now_ms);
}

static void welcome_from(uint64_t incarnation, bool known, uint64_t next, int64_t now_ms)
{
	say_from(incarnation, "registry",
		 (struct stream_event){ .type = EVENT_PEER_WELCOME,
					.peer_welcome = { .role = ROLE_REGISTRY,
							  .name = TEXT("registry"),
							  .known = known,
							  .next_request = next } },
		 now_ms);
}

static void ack(uint64_t upto, int64_t now_ms)
{
	say((struct stream_event){ .type = EVENT_PEER_ACK, .peer_ack.upto = upto }, now_ms);
}

static void connect_and_welcome(bool known, uint64_t next, int64_t now_ms)
{
	uplink_connected(&uplink, now_ms);
	cr_assert_eq(next_left()->events[0].type, EVENT_PEER_HELLO);
	welcome_from(THEM, known, next, now_ms);
}

Test(uplink, says_hello_first_and_nothing_else)
{
	struct left *left;

	request(1);
	uplink_flush(&uplink, 0);
	expect_nothing();
	uplink_connected(&uplink, 0);
	uplink_flush(&uplink, 0);
	left = next_left();
	cr_assert_eq(left->count, 1);
	cr_assert_eq(left->first, 0);
	cr_assert_eq(left->events[0].type, EVENT_PEER_HELLO);
	cr_assert_eq(left->events[0].peer_hello.role, ROLE_GATEWAY);
	cr_assert(text_is(left->events[0].peer_hello.name, "gateway-1"));
	cr_assert_eq(left->events[0].peer_hello.protocol, STREAM_PROTOCOL_VERSION);
	cr_assert_eq(left->events[0].peer_hello.first_request, 1);
	expect_nothing();
}

Test(uplink, an_unanswered_hello_is_repeated_after_a_second)
{
	uplink_connected(&uplink, 100);
	cr_assert_eq(uplink_deadline(&uplink), 1100);
	uplink_tick(&uplink, 1099);
	cr_assert_eq(bus_count(&line), 1);
	uplink_tick(&uplink, 1100);
	cr_assert_eq(bus_count(&line), 2);
	cr_assert_eq(uplink.stats.hellos, 2);
}

Test(uplink, a_hello_that_could_not_leave_is_tried_again_soon)
{
	clogged = true;
	uplink_connected(&uplink, 0);
	expect_nothing();
	clogged = false;
	cr_assert_eq(uplink_deadline(&uplink), UPLINK_HELLO_RETRY_MS);
	uplink_tick(&uplink, UPLINK_HELLO_RETRY_MS);
	cr_assert_eq(bus_count(&line), 1);
}

Test(uplink, numbers_are_dense_and_one_pass_is_one_frame)
{
	connect_and_welcome(false, 1, 0);
	cr_assert_eq(inputs[0].type, INPUT_PEER_UP);
	cr_assert_not(inputs[0].known);
	cr_assert_eq(inputs[0].incarnation, THEM);
	request(1);
	request(2);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1, 2);
	request(3);
	uplink_flush(&uplink, 0);
	EXPECT(3, 3);
	uplink_flush(&uplink, 0);
	expect_nothing();
}

Test(uplink, an_acknowledged_request_is_forgotten)
{
	connect_and_welcome(false, 1, 0);
	request(1);
	request(2);
	uplink_flush(&uplink, 0);
	(void)next_left();
	ack(1, 5);
	cr_assert_not(uplink_is_settled(&uplink));
	cr_assert_eq(uplink.first_number, 2);
	ack(1, 5); /* again: nothing */
	ack(0, 5); /* older: nothing */
	ack(7, 5); /* never sent: nothing */
	cr_assert_eq(uplink.first_number, 2);
	ack(2, 5);
	cr_assert(uplink_is_settled(&uplink));
	cr_assert_eq(uplink_deadline(&uplink), INT64_MAX);
}

Test(uplink, order_between_numbered_and_not_is_kept)
{
	struct stream_event beat = request_of(77);

	connect_and_welcome(false, 1, 0);
	request(1);
	uplink_send(&uplink, &beat);
	uplink_send(&uplink, &beat);
	request(2);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1);
	EXPECT(0, 77, 77);
	EXPECT(2, 2);
	expect_nothing();
}

Test(uplink, what_is_merely_sent_is_lost_while_not_welcomed)
{
	struct stream_event beat = request_of(77);

	uplink_send(&uplink, &beat);
	uplink_connected(&uplink, 0);
	uplink_send(&uplink, &beat);
	cr_assert_eq(uplink.stats.sends_dropped, 2);
	(void)next_left();
	welcome_from(THEM, false, 1, 0);
	uplink_send(&uplink, &beat);
	uplink_flush(&uplink, 0);
	EXPECT(0, 77);
}

Test(uplink, a_reconnect_to_the_same_life_repeats_what_it_has_not_seen)
{
	connect_and_welcome(false, 1, 0);
	for (uint64_t id = 1; id <= 4; id++)
		request(id);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1, 2, 3, 4);
	uplink_disconnected(&uplink);
	cr_assert_eq(inputs[input_count - 1].type, INPUT_PEER_DOWN);
	connect_and_welcome(true, 3, 50); /* it had seen 1 and 2; the ack was lost */
	cr_assert_eq(inputs[input_count - 1].type, INPUT_PEER_UP);
	cr_assert(inputs[input_count - 1].known);
	uplink_flush(&uplink, 50);
	EXPECT(3, 3, 4);
	cr_assert_eq(uplink.stats.requests_resent, 2);
	cr_assert_eq(uplink.stats.requests_acked, 2);
}

Test(uplink, announcements_go_in_front_of_what_was_kept)
{
	announcements = 2;
	request(1);
	request(2);
	connect_and_welcome(false, 1, 0);
	cr_assert_eq(settled, 1);
	uplink_flush(&uplink, 0);
	EXPECT(1, 9000, 9001, 1, 2);
	ack(3, 0);
	uplink_disconnected(&uplink);
	request(3);

	/* Another life: it knows nothing, and numbers go on from the first one kept. */
	announcements = 1;
	uplink_connected(&uplink, 10);
	cr_assert_eq(next_left()->events[0].peer_hello.first_request, 4);
	welcome_from(THEM + 1, false, 4, 10);
	uplink_flush(&uplink, 10);
	EXPECT(4, 9000, 2, 3);
}

Test(uplink, announcements_that_were_never_acknowledged_are_not_repeated_to_the_next_life)
{
	announcements = 3;
	request(1);
	connect_and_welcome(false, 1, 0);
	uplink_flush(&uplink, 0);
	EXPECT(1, 9000, 9001, 9002, 1);
	uplink_disconnected(&uplink);
	connect_and_welcome(true, 2, 0); /* same life: they are */
	uplink_flush(&uplink, 0);
	EXPECT(2, 9001, 9002, 1);
	uplink_disconnected(&uplink);
	announcements = 1;
	uplink_connected(&uplink, 10);
	(void)next_left();
	welcome_from(THEM + 1, false, 2, 10);
	uplink_flush(&uplink, 10);
	EXPECT(2, 9000, 1);
}

Test(uplink, a_second_welcome_of_the_same_life_only_rewinds)
{
	connect_and_welcome(false, 1, 0);
	request(1);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1);
	welcome_from(THEM, true, 1, 0);
	cr_assert_eq(input_count, 1);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1);
}

Test(uplink, a_welcome_from_another_life_tells_of_both)
{
	connect_and_welcome(false, 1, 0);
	welcome_from(THEM + 1, false, 1, 0);
	cr_assert_eq(input_count, 3);
	cr_assert_eq(inputs[1].type, INPUT_PEER_DOWN);
	cr_assert_eq(inputs[1].incarnation, THEM);
	cr_assert_eq(inputs[2].type, INPUT_PEER_UP);
	cr_assert_eq(inputs[2].incarnation, THEM + 1);
}

/* Its welcome to an earlier connection was lost, and our announcements were never made. */
Test(uplink, a_new_life_that_says_it_knows_us_is_announced_to_all_the_same)
{
	announcements = 1;
	request(1);
	connect_and_welcome(false, 1, 0);
	uplink_disconnected(&uplink);
	uplink_connected(&uplink, 10);
	(void)next_left();
	welcome_from(THEM + 1, true, 1, 10);
	cr_assert_eq(inputs[input_count - 1].type, INPUT_PEER_UP);
	cr_assert_not(inputs[input_count - 1].known);
	uplink_flush(&uplink, 10);
	EXPECT(1, 9000, 1);
}

Test(uplink, numbers_begin_where_a_server_that_does_not_know_us_expects_them)
{
	request(1);
	request(2);
	connect_and_welcome(false, 40, 0);
	uplink_flush(&uplink, 0);
	EXPECT(40, 1, 2);
	ack(41, 0);
	cr_assert(uplink_is_settled(&uplink));
}

Test(uplink, only_the_welcomed_life_is_heard)
{
	const struct stream_event event = { .type = EVENT_REGISTRY_CAPABILITIES, .request = 5 };

	connect_and_welcome(false, 1, 0);
	say(event, 0);
	cr_assert_eq(input_count, 2);
	cr_assert_eq(inputs[1].type, INPUT_MESSAGE);
	cr_assert_eq(inputs[1].request, 5);
	say_from(THEM + 1, "registry", event, 0); /* another life */
	say_from(THEM, "impostor", event, 0); /* another source */
	say((struct stream_event){ .type = EVENT_DELIVER_STOP }, 0); /* not for a registry */
	say((struct stream_event){ .type = EVENT_REGISTRY_CAPABILITIES, .expires_ms = 9 }, 9);
	cr_assert_eq(input_count, 2);
	cr_assert_eq(uplink.stats.received_dropped, 4);
}

Test(uplink, a_server_of_another_role_is_not_taken)
{
	uplink_connected(&uplink, 0);
	say((struct stream_event){ .type = EVENT_PEER_WELCOME,
				   .peer_welcome = { .role = ROLE_SCHEDULER,
						     .name = TEXT("registry"),
						     .next_request = 1 } },
	    0);
	cr_assert_eq(uplink.state, UPLINK_GREETING);
	cr_assert_str_eq(noted, "uplink.wrong_server");
}

Test(uplink, a_refusal_leads_to_another_hello)
{
	connect_and_welcome(false, 1, 0);
	request(1);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1);
	say((struct stream_event){ .type = EVENT_PEER_REFUSED,
				   .peer_refused.reason = TEXT("say hello first") },
	    3);
	cr_assert_eq(inputs[input_count - 1].type, INPUT_PEER_DOWN);
	cr_assert_eq(next_left()->events[0].type, EVENT_PEER_HELLO);
	cr_assert_str_eq(noted, "uplink.refused");

	/* A refused hello is not repeated at once. */
	say((struct stream_event){ .type = EVENT_PEER_REFUSED }, 3);
	expect_nothing();
	cr_assert_eq(uplink_deadline(&uplink), 3 + UPLINK_HELLO_MS);
	welcome_from(THEM, true, 1, 5);
	uplink_flush(&uplink, 5);
	EXPECT(1, 1);
}

Test(uplink, without_an_acknowledgement_one_frame_is_repeated_ever_more_rarely)
{
	static const int64_t waits[] = { 1000, 2000, 4000, 8000, 8000 };
	int64_t now = 0;

	connect_and_welcome(false, 1, now);
	request(1);
	uplink_flush(&uplink, now);
	EXPECT(1, 1);
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		cr_assert_eq(uplink_deadline(&uplink), now + waits[i]);
		uplink_tick(&uplink, now + waits[i] - 1);
		expect_nothing();
		now += waits[i];
		uplink_tick(&uplink, now);
		EXPECT(1, 1);
	}
	ack(1, now);
	cr_assert_eq(uplink_deadline(&uplink), INT64_MAX);
}

Test(uplink, the_answer_to_a_repetition_shows_what_else_was_lost)
{
	connect_and_welcome(false, 1, 0);
	request(1);
	uplink_flush(&uplink, 0);
	request(2);
	uplink_flush(&uplink, 0);
	request(3);
	uplink_flush(&uplink, 0);
	for (int i = 0; i < 3; i++)
		(void)next_left(); /* lost */
	uplink_tick(&uplink, 1000);
	EXPECT(1, 1, 2, 3);
	ack(1, 1001); /* of the repeated frame it kept one, say */
	uplink_flush(&uplink, 1001);
	EXPECT(2, 2, 3);
	ack(3, 1002);
	cr_assert(uplink_is_settled(&uplink));
}

Test(uplink, a_full_ring_refuses_the_newest_and_says_so)
{
	struct stream_event event = request_of(1);

	for (uint64_t i = 0; i < ENTRIES_MAX; i++)
		request(i);
	cr_assert_not(uplink_request(&uplink, &event));
	cr_assert_eq(uplink.stats.requests_refused, 1);
	cr_assert_str_eq(noted, "uplink.full");
	connect_and_welcome(false, 1, 0);
	uplink_flush(&uplink, 0);
	cr_assert_eq(next_left()->count, ENTRIES_MAX);
	ack(1, 0);
	cr_assert(uplink_request(&uplink, &event));
}

Test(uplink, bytes_are_limited_too)
{
	static char detail[DETAIL_MAX];
	struct stream_event event = { .type = EVENT_EDGE_STATUS,
				      .edge_status.detail = { detail, DETAIL_MAX } };
	size_t taken = 0;

	memset(detail, 'x', sizeof detail);
	while (uplink_request(&uplink, &event))
		taken++;
	/* 64 KiB hold about 113 of them, but only 64 entries are allowed. */
	cr_assert_eq(taken, ENTRIES_MAX);
	teardown();
	uplink_init(&uplink, &(struct uplink_options){ .role = ROLE_GATEWAY,
						       .name = "gateway-1",
						       .incarnation = US,
						       .server = ROLE_REGISTRY,
						       .bytes_max = 64 * 1024,
						       .port = uplink.options.port });
	taken = 0;
	while (uplink_request(&uplink, &event))
		taken++;
	cr_assert_geq(taken, 64 * 1024 / STREAM_EVENT_WIRE_MAX);
	cr_assert_leq(taken, 64 * 1024 / DETAIL_MAX);
}

Test(uplink, announcements_may_push_the_newest_out)
{
	for (uint64_t i = 1; i <= ENTRIES_MAX; i++)
		request(i);
	announcements = 2;
	connect_and_welcome(false, 1, 0);
	cr_assert_eq(uplink.stats.requests_refused, 2);
	uplink_flush(&uplink, 0);
	struct left *left = next_left();

	cr_assert_eq(left->count, ENTRIES_MAX);
	cr_assert_eq(left->events[0].request, 9000);
	cr_assert_eq(left->events[ENTRIES_MAX - 1].request, ENTRIES_MAX - 2);
}

Test(uplink, a_clogged_connection_is_tried_again_and_nothing_numbered_is_lost)
{
	struct stream_event beat = request_of(77);

	connect_and_welcome(false, 1, 0);
	clogged = true;
	request(1);
	uplink_send(&uplink, &beat);
	uplink_flush(&uplink, 0);
	cr_assert_eq(uplink.stats.sends_dropped, 1);
	cr_assert_eq(uplink_deadline(&uplink), UPLINK_RETRY_MS);
	clogged = false;
	uplink_tick(&uplink, UPLINK_RETRY_MS);
	EXPECT(1, 1);
	expect_nothing();
}

Test(uplink, long_runs_are_split_into_frames)
{
	static char message[RELAY_MAX];
	struct stream_event big = { .type = EVENT_EDGE_RELAY,
				    .source = TEXT("gateway-1"),
				    .incarnation = US,
				    .edge_relay.message = { message, 50000 } };

	teardown();
	uplink_init(&uplink, &(struct uplink_options){ .role = ROLE_GATEWAY,
						       .name = "gateway-1",
						       .incarnation = US,
						       .server = ROLE_REGISTRY,
						       .port = uplink.options.port });
	memset(message, 'm', sizeof message);
	connect_and_welcome(false, 1, 0);
	for (int i = 0; i < 3; i++)
		cr_assert(uplink_request(&uplink, &big));
	big.edge_relay.message.length = RELAY_MAX; /* alone longer than frames are shared */
	cr_assert(uplink_request(&uplink, &big));
	request(5);
	uplink_flush(&uplink, 0);
	for (uint64_t number = 1; number <= 5; number++) {
		struct left *left = next_left();

		cr_assert_eq(left->first, number);
		cr_assert_eq(left->count, 1);
	}
	expect_nothing();
}

Test(uplink, bytes_that_are_no_frame_are_counted)
{
	uint8_t bytes[100] = "direct  ";

	connect_and_welcome(false, 1, 0);
	uplink_frame(&uplink, bytes, 10);
	cr_assert_not(uplink_step(&uplink, 0));
	bytes[FRAME_HEAD_SIZE - 1] = 2; /* count */
	bytes[FRAME_HEAD_SIZE] = 0xc1; /* never used in msgpack */
	uplink_frame(&uplink, bytes, sizeof bytes);
	cr_assert_not(uplink_step(&uplink, 0));
	cr_assert_eq(uplink.stats.received_dropped, 2);
	cr_assert_str_eq(noted, "uplink.malformed");
}
