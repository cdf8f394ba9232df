/* SPDX-License-Identifier: MIT */
/* Goal: a client's side of one connection.  Hello and its repetition, dense numbers, what is kept
 * and repeated and for how long, announcements in front of what was kept, the refusals, and every
 * limit and one past it.  Method: the server is written by hand, frame by frame.
 */
#include "tests/lib/uplink_stage.h"

TestSuite(uplink, .init = setup, .fini = teardown);

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

Test(uplink, a_hello_is_repeated_soon_if_it_could_not_leave_and_each_second_without_an_answer)
{
	clogged = true;
	uplink_connected(&uplink, 100);
	expect_nothing();
	clogged = false;
	cr_assert_eq(uplink_deadline(&uplink), 100 + UPLINK_HELLO_RETRY_MS);
	uplink_tick(&uplink, 110);
	cr_assert_eq(bus_count(&line), 1);
	uplink_tick(&uplink, 1109);
	cr_assert_eq(bus_count(&line), 1);
	uplink_tick(&uplink, 1110);
	cr_assert_eq(bus_count(&line), 2);
	cr_assert_eq(uplink.stats.hellos, 2);
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
	cr_assert_eq(uplink.stats.received_dropped, 2);
	cr_assert_eq(uplink.stats.violations, 2);
	cr_assert_str_eq(noted, "audit.violation");
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

/* The next life has the marks of the one before: what that one handled is not asked for again. */
Test(uplink, a_new_life_that_goes_on_counting)
{
	connect_and_welcome(false, 1, 0);
	for (uint64_t id = 1; id <= 4; id++)
		request(id);
	uplink_flush(&uplink, 0);
	EXPECT(1, 1, 2, 3, 4);
	uplink_disconnected(&uplink);
	announcements = 1;
	uplink_connected(&uplink, 10);
	(void)next_left();
	welcome_counted(THEM + 1, 3, 10);
	cr_assert_not(inputs[input_count - 1].known);
	uplink_flush(&uplink, 10);
	EXPECT(3, 9000, 3, 4);
	cr_assert_eq(uplink.stats.requests_acked, 2);
}
