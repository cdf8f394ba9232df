/* SPDX-License-Identifier: MIT */
/* Goal: a server that says what it cannot know is believed no further than does no harm, and what
 * is not for us is dropped and counted.  Method: as test_uplink.c.
 */
#include "tests/lib/uplink_stage.h"

TestSuite(uplink_faults, .init = setup, .fini = teardown);

Test(uplink_faults, nobody_is_welcome_who_was_not_greeted)
{
	welcome_from(THEM, false, 1, 0);
	cr_assert_eq(uplink.state, UPLINK_DOWN);
	cr_assert_eq(input_count, 0);
}

Test(uplink_faults, a_server_has_a_name)
{
	uplink_connected(&uplink, 0);
	say((struct stream_event){ .type = EVENT_PEER_WELCOME,
				   .peer_welcome = { .role = ROLE_REGISTRY, .next_request = 1 } },
	    0);
	cr_assert_eq(uplink.state, UPLINK_GREETING);
	cr_assert_str_eq(noted, "uplink.wrong_server");
}

Test(uplink_faults, what_is_said_before_the_welcome_is_dropped)
{
	uplink_connected(&uplink, 0);
	say((struct stream_event){ .type = EVENT_REGISTRY_CAPABILITIES }, 0);
	cr_assert_eq(input_count, 0);
	cr_assert_eq(uplink.stats.received_dropped, 1);
}

Test(uplink_faults, nobody_speaks_for_another_life)
{
	static uint8_t bytes[1024];
	const struct stream_event event = { .type = EVENT_REGISTRY_CAPABILITIES,
					    .source = TEXT("registry"),
					    .incarnation = THEM + 1 };
	struct frame_writer frame;

	connect_and_welcome(false, 1, 0);
	frame_begin(&frame, bytes, sizeof bytes, TOPIC_DIRECT, THEM, 0);
	cr_assert(frame_add(&frame, &event, STREAM_EVENT_ADDRESSED));
	frame_end(&frame);
	uplink_frame(&uplink, bytes, frame.length);
	while (uplink_step(&uplink, 0))
		;
	cr_assert_eq(input_count, 1);
	cr_assert_eq(uplink.stats.violations, 1);
}

Test(uplink_faults, an_event_of_a_newer_build_is_passed_over)
{
	static uint8_t bytes[256];
	size_t length = bus_frame_raw(bytes, sizeof bytes, TOPIC_DIRECT, THEM, 0, 2,
				      BUS_UNKNOWN BUS_UNKNOWN);

	connect_and_welcome(false, 1, 0);
	uplink_frame(&uplink, bytes, length);
	cr_assert(uplink_step(&uplink, 0));
	cr_assert(uplink_step(&uplink, 0));
	cr_assert_not(uplink_step(&uplink, 0));
	cr_assert_eq(uplink.stats.received_dropped, 2);
	say((struct stream_event){ .type = EVENT_REGISTRY_CAPABILITIES, .expires_ms = 1 }, 0);
	cr_assert_eq(inputs[input_count - 1].type, INPUT_MESSAGE, "not yet expired");
}

Test(uplink_faults, nothing_is_forgotten_that_was_never_said)
{
	connect_and_welcome(false, 1, 0);
	request(1);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1);
	welcome_from(THEM, true, 3, 0); /* there is no 2 */
	uplink_flush(&uplink, 0);
	EXPECT(1, 1);
	ack(1, 0);
	cr_assert(uplink_is_settled(&uplink));
}

Test(uplink_faults, without_a_number_the_count_goes_on)
{
	request(1);
	connect_and_welcome(false, 0, 0);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1);
}

/* Its marks are of another time: numbering begins where it expects us. */
Test(uplink_faults, a_life_that_has_counted_otherwise_is_told_anew)
{
	static const uint64_t counts[] = { 2, 6 }; /* 3 and 4 are kept */

	for (size_t i = 0; i < 2; i++) {
		connect_and_welcome(false, 3, 0);
		request(3);
		request(4);
		uplink_disconnected(&uplink);
		uplink_connected(&uplink, 0);
		bus_drop(&line);
		welcome_counted(THEM + 1, counts[i], 0);
		uplink_flush(&uplink, 0);
		EXPECT(counts[i], 3, 4);
		teardown();
		setup();
	}
}

Test(uplink_faults, nothing_leaves_in_the_middle_of_announcements)
{
	hasty = true;
	announcements = 2;
	request(1);
	connect_and_welcome(false, 1, 0);
	expect_nothing();
	uplink_flush(&uplink, 0);
	EXPECT(1, 9000, 9001, 1);
}
