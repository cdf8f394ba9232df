/* SPDX-License-Identifier: MIT */
/* Goal: what an uplink keeps is repeated ever more rarely, bounded, and refused with a word when
 * there is no room.  Method: as test_uplink.c.
 */
#include "tests/lib/uplink_stage.h"

TestSuite(uplink_limits, .init = setup, .fini = teardown);

Test(uplink_limits, without_an_acknowledgement_one_frame_is_repeated_ever_more_rarely)
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

Test(uplink_limits, the_answer_to_a_repetition_shows_what_else_was_lost)
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

Test(uplink_limits, a_full_ring_refuses_the_newest_and_says_so)
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

Test(uplink_limits, bytes_are_limited_too)
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
	open_uplink(0, 64 * 1024);
	taken = 0;
	while (uplink_request(&uplink, &event))
		taken++;
	cr_assert_geq(taken, 64 * 1024 / STREAM_EVENT_WIRE_MAX);
	cr_assert_leq(taken, 64 * 1024 / DETAIL_MAX);
}

Test(uplink_limits, announcements_may_push_the_newest_out)
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

Test(uplink_limits, a_clogged_connection_is_tried_again_and_nothing_numbered_is_lost)
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

Test(uplink_limits, long_runs_are_split_into_frames)
{
	static char message[RELAY_MAX];
	struct stream_event big = { .type = EVENT_EDGE_RELAY,
				    .source = TEXT("gateway-1"),
				    .incarnation = US,
				    .edge_relay.message = { message, 50000 } };

	teardown();
	open_uplink(0, 0);
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

Test(uplink_limits, bytes_that_are_no_frame_are_counted)
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
	uplink.options.port.note = NULL; /* nobody listens */
	uplink_frame(&uplink, bytes, 10);
	cr_assert_eq(uplink.stats.received_dropped, 3);
}

/* Only what is numbered is worth keeping. */
Test(uplink_limits, what_is_merely_sent_is_lost_beyond_its_room)
{
	static char message[RELAY_MAX];
	const struct stream_event big = { .type = EVENT_EDGE_RELAY,
					  .source = TEXT("gateway-1"),
					  .incarnation = US,
					  .edge_relay.message = { message, 60000 } };
	uint64_t sent = 0;

	memset(message, 'm', sizeof message);
	connect_and_welcome(false, 1, 0);
	for (; uplink.stats.sends_dropped == 0 && sent < 100; sent++)
		uplink_send(&uplink, &big);
	cr_assert_geq(sent, UPLINK_UNNUMBERED_MAX / sizeof message);
	cr_assert_leq(sent, UPLINK_UNNUMBERED_MAX / 60000 + 1);
	clogged = true;
	uplink_flush(&uplink, 0);
	clogged = false;
	cr_assert_eq(uplink_deadline(&uplink), UPLINK_RETRY_MS);
	uplink_tick(&uplink, UPLINK_RETRY_MS);
	expect_nothing();
}
