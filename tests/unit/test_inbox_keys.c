/* SPDX-License-Identifier: MIT */
/* Goal: on tcp a peer is what its key says, whatever its routing id and its events say.  Method:
 * frames under the user id that the key's connection has.
 */
#include "tests/lib/inbox_stage.h"

TestSuite(inbox_keys, .init = setup, .fini = teardown);

Test(inbox_keys, the_right_key_is_welcome)
{
	user = "gateway:gateway-1";
	greet(gateway(GATEWAY, 1));
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	cr_assert_eq(inbox.stats.received, 1);
	cr_assert_eq(inbox.stats.violations, 0);
}

static void expect_impostor(void)
{
	cr_assert_eq(inbox.stats.violations, 1);
	cr_assert_str_eq(noted, "audit.impostor");
	cr_assert_eq(input_count, 0);
	inbox_flush(&inbox, 0);
	cr_assert_not(next_left(), "it is not answered");
}

Test(inbox_keys, a_routing_id_of_another_role_is_dropped)
{
	user = "unmanaged-adapter:unmanaged-adapter";
	hello(gateway(GATEWAY, 1), 1, 0);
	expect_impostor();
}

/* Operators name themselves; so much the more their role must be theirs. */
Test(inbox_keys, an_operator_cannot_be_a_gateway)
{
	user = "operator:alice";
	hello(gateway(GATEWAY, 1), 1, 0);
	expect_impostor();
}

Test(inbox_keys, the_right_name_in_another_role_is_dropped)
{
	user = "unmanaged-adapter:gateway-1";
	hello(gateway(GATEWAY, 1), 1, 0);
	expect_impostor();
}

Test(inbox_keys, a_hello_under_another_name_is_dropped)
{
	user = "gateway:gateway-2";
	hello(gateway(GATEWAY, 1), 1, 0);
	expect_impostor();
}

Test(inbox_keys, a_connection_without_an_owner_is_dropped)
{
	user = "";
	hello(gateway(GATEWAY, 1), 1, 0);
	expect_impostor();
}

/* Its own key, but the routing id of a peer that was there before it. */
Test(inbox_keys, requests_in_the_name_of_another_are_dropped)
{
	user = "gateway:gateway-1";
	greet(gateway(GATEWAY, 1));
	user = "gateway:gateway-2";
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	expect_impostor();
	cr_assert_eq(inbox.stats.received, 0);
	user = "gateway:gateway-1";
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	cr_assert_eq(inbox.stats.received, 1, "its number was not used up");
}

/* What cannot be read counts as handled, but only if it is the peer's own. */
Test(inbox_keys, nobody_can_use_up_the_numbers_of_another)
{
	uint8_t bytes[256], route[ROUTE_LENGTH_MAX];
	struct stream_event event = { .type = EVENT_EDGE_LINK_CLOSED };
	size_t length;

	user = "gateway:gateway-1";
	greet(gateway(GATEWAY, 1));
	length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, "gateway-1", GATEWAY, 1, &event, 1);
	bytes[FRAME_HEAD_SIZE] = 0xc1; /* never used in msgpack */
	route_write(&(struct route){ ROLE_GATEWAY, GATEWAY, 1 }, route);
	inbox_frame(&inbox, route, sizeof route, "gateway:gateway-2", bytes, length, 0);
	while (inbox_step(&inbox, 0))
		;
	cr_assert_eq(inbox.stats.malformed, 1);
	requests(gateway(GATEWAY, 1), 1, 1, 0);
	cr_assert_eq(inbox.stats.received, 1);
}

Test(inbox_keys, operators_name_themselves)
{
	user = "operator:alice";
	hello((struct client){ { ROLE_OPERATOR, 1, 0 }, "weir-4711" }, 1, 0);
	cr_assert_eq(input_count, 1);
	cr_assert_eq(inbox.stats.violations, 0);
}
