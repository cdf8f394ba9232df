/* SPDX-License-Identifier: MIT */
/* Goal: of every name there is one life, the one that lives; and what an earlier life of the server
 * has counted is not counted again.  Method: lives of one name that say hello in any order, and
 * marks.
 */
#include "tests/lib/inbox_stage.h"

TestSuite(inbox_names, .init = setup, .fini = teardown);

Test(inbox_names, a_new_life_of_the_same_name_fences_the_old_one)
{
	greet(gateway(GATEWAY, 1));
	hello(gateway(GATEWAY + 1, 1), 1, 0);
	cr_assert_eq(input_count, 2);
	cr_assert_eq(inputs[0].type, INPUT_PEER_DOWN);
	cr_assert_eq(inputs[0].peer.incarnation, GATEWAY);
	cr_assert_eq(inputs[1].type, INPUT_PEER_UP);
	cr_assert_eq(inputs[1].peer.incarnation, GATEWAY + 1);
	cr_assert_str_eq(noted, "inbox.fenced");
	expect_one(EVENT_PEER_REFUSED); /* it hears of it, in case it lives */
	cr_assert_eq(left.to.incarnation, GATEWAY);
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	expect_one(EVENT_PEER_REFUSED);
	hello(gateway(GATEWAY, 2), 1, 0);
	expect_one(EVENT_PEER_REFUSED);
	cr_assert_eq(input_count, 2);
}

Test(inbox_names, who_is_fenced_is_fenced_once)
{
	for (uint64_t life = 0; life < 3; life++)
		hello(gateway(GATEWAY + life, 1), 1, 0);
	cr_assert_eq(inbox.stats.fenced, 2);
	cr_assert_eq(bus_count(&line), 2, "each life that had the name hears of it once");
	expect_one(EVENT_PEER_REFUSED);
	cr_assert_eq(left.to.incarnation, GATEWAY);
	expect_one(EVENT_PEER_REFUSED);
	cr_assert_eq(left.to.incarnation, GATEWAY + 1);
}

Test(inbox_names, operators_may_share_a_name)
{
	struct client one = { { ROLE_OPERATOR, 1, 0 }, "weir" },
		      two = { { ROLE_OPERATOR, 2, 0 }, "weir" };

	hello(one, 1, 0);
	hello(two, 1, 0);
	cr_assert_eq(input_count, 2);
	cr_assert_eq(inputs[0].type, INPUT_PEER_UP);
	cr_assert_eq(inputs[1].type, INPUT_PEER_UP);
	cr_assert_eq(inbox.peers.count, 2);
}

/* What was committed with a mark is not handled again by our next life. */
Test(inbox_names, a_marked_peer_goes_on_counting)
{
	const struct peer_mark mark = { ROLE_GATEWAY, GATEWAY, TEXT("gateway-1"), 5 };
	struct peer_mark marks[2];

	inbox_restore(&inbox, &mark);
	hello(gateway(GATEWAY, 1), 3, 0);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_WELCOME);
	cr_assert_not(left.events[0].peer_welcome.known);
	cr_assert(left.events[0].peer_welcome.counted);
	cr_assert_eq(left.events[0].peer_welcome.next_request, 5);
	cr_assert_eq(inbox_marks(&inbox, marks, 2), 0);
	requests(gateway(GATEWAY, 1), 4, 2, 0); /* one of them is handled */
	cr_assert_eq(inbox_marks(&inbox, marks, 2), 1);
	cr_assert_eq(marks[0].next, 6);
	inbox_flush(&inbox, 0);
	cr_assert_eq(inbox_marks(&inbox, marks, 2), 0);
}

Test(inbox_names, a_mark_may_be_older_than_what_was_acknowledged)
{
	const struct peer_mark mark = { ROLE_GATEWAY, GATEWAY, TEXT("gateway-1"), 5 };

	inbox_restore(&inbox, &mark);
	hello(gateway(GATEWAY, 1), 9, 0);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_WELCOME);
	cr_assert_eq(left.events[0].peer_welcome.next_request, 9);
}

/* Connections are read in any order: the hello of a life that is over may come last. */
Test(inbox_names, who_was_fenced_by_the_dead_takes_its_name_back)
{
	hello(gateway(GATEWAY + 1, 1), 1, 0);
	requests(gateway(GATEWAY + 1, 1), 1, 2, 0);
	hello(gateway(GATEWAY, 1), 1, 0); /* said long ago */
	inbox_flush(&inbox, 0);
	bus_drop(&line);
	hello(gateway(GATEWAY + 1, 1), 3, 0);
	expect_one(EVENT_PEER_REFUSED); /* as far as anybody knows, the other one lives */
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	answer = INBOX_GONE;
	inbox_flush(&inbox, 0);
	inbox_tick(&inbox, 0);
	answer = INBOX_SENT;
	input_count = 0;
	hello(gateway(GATEWAY + 1, 1), 3, 0);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_WELCOME);
	cr_assert_not(left.events[0].peer_welcome.known, "what it told counts no more");
	cr_assert_eq(left.events[0].peer_welcome.next_request, 3);
	cr_assert_eq(input_count, 1);
	cr_assert_eq(inputs[0].type, INPUT_PEER_UP);
	cr_assert_not(inputs[0].known);
}
