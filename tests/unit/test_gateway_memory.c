/* SPDX-License-Identifier: MIT */
/* Goal: whatever a gateway has no memory for is refused in words and counted, and keeps none of it.
 * Method: the pool is full but for no block, one, two ... until all that the input keeps fit;
 * every text here takes one block.
 */
#include "actors/gateway/gateway_internal.h"
#include "tests/lib/full_pool.h"
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_memory, .init = stage_open, .fini = stage_close);

#define START "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://h/a/k\"}"
#define SUBSCRIBE "{\"type\":\"subscription_update\",\"subscriptions\":[\"all\"]}"

static void leave_room(unsigned texts)
{
	full_pool_take(&stage.core->pool);
	full_pool_give(texts);
}

static uint64_t used(void)
{
	stage_tick(); /* what was dropped is free */
	return stage.core->pool.used_bytes;
}

static void close_link(uint64_t link)
{
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1013 });
}

static uint64_t memory_limits(void)
{
	return gateway_counts(stage.core)->limit_memory;
}

Test(gateway_memory, glasses)
{
	uint64_t before = used();

	leave_room(0);
	uint64_t link = stage_glasses_of("u");

	stage_expect_close(0, link, 1013, "Try again later");
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(gateway_totals(stage.core).glasses + gateway_totals(stage.core).users, 0);
	cr_assert_eq(memory_limits(), 1);
	close_link(link);
	full_pool_give_all();
	cr_assert_eq(used(), before);
	link = stage_glasses_of("u");
	cr_assert_eq(stage_told(EVENT_EDGE_LINK_OPENED)->edge_link_opened.link, link);
}

/* Glasses whose model, or filter, finds no room come again: they would be there for nobody. */
Test(gateway_memory, what_glasses_are)
{
	uint64_t link = stage_glasses();

	leave_room(0);
	stage_glasses_say(link, "{\"type\":\"glasses_connection_state\",\"modelName\":\"m\","
				"\"status\":\"CONNECTED\"}");
	cr_assert_null(stage_told(EVENT_EDGE_GLASSES));
	cr_assert_eq(memory_limits(), 1);
	stage_expect_close(0, link, 1013, "Try again later");
}

Test(gateway_memory, what_apps_want_of_glasses)
{
	uint64_t link = stage_glasses();

	leave_room(0);
	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_RELAY_FILTER,
		.registry_relay_filter = { .link = link, .types = TEXT("\x91\xa1t") } });
	cr_assert_eq(memory_limits(), 1);
	stage_expect_close(0, link, 1013, "Try again later");
}

Test(gateway_memory, an_init)
{
	for (unsigned room = 0; room <= 3; room++) {
		uint64_t before = used(), link = stage_app_socket();

		leave_room(room);
		stage_init(link, "u-p", "p");
		cr_assert_eq(memory_limits(), room < 3 ? room + 1 : 3);
		if (room < 3)
			stage_expect_close(0, link, 1013, "Try again later");
		else
			cr_assert(text_is(stage_told(EVENT_EDGE_APP_OPENED)->user_id, "u"));
		close_link(link);
		full_pool_give_all();
		cr_assert_eq(used(), before, "room for %u", room);
		cr_assert_eq(gateway_totals(stage.core).apps, 0);
	}
}

Test(gateway_memory, subscriptions)
{
	uint64_t link = stage_app(PACKAGE);

	leave_room(0);
	stage_app_say(link, SUBSCRIBE);
	stage_expect_close(0, link, 1013, "Try again later");
	cr_assert_null(stage_told(EVENT_EDGE_APP_SUBSCRIBED));
	cr_assert_eq(memory_limits(), 1);
}

/* Who waits for its connection_ack is held its orders; without room the adapter hears so. */
Test(gateway_memory, an_order_that_waits)
{
	const struct stream_event start = { .type = EVENT_DELIVER_START,
					    .user_id = TEXT(USER),
					    .stream_id = TEXT("s1"),
					    .epoch = 5,
					    .deliver_start = { .app_id = TEXT("p"),
							       .rtmp_url = TEXT("rtmp://h/a/k"),
							       .video = TEXT("{}"),
							       .audio = TEXT("{}"),
							       .options = TEXT("{}") } };

	for (unsigned room = 0; room <= 6; room++) {
		uint64_t link = stage_glasses_of(USER);
		struct stream_event order = start;

		order.deliver_start.link = link;
		leave_room(room);
		stage_bus(&order);
		const struct stream_event *told = stage_told(EVENT_EDGE_DEVICE_TOLD);

		if (room < 6)
			cr_assert_eq(told->edge_device_told.outcome, OUTCOME_NO_LINK);
		else
			cr_assert_null(told);
		full_pool_give_all();
		stage_notice(link, NOTICE_CONNECTION_ACK);
		cr_assert_eq(stage_told(EVENT_EDGE_DEVICE_TOLD) != NULL, room == 6);
		close_link(link);
	}
	cr_assert_eq(used(), 0);
}

/* A request that cannot wait is refused; one that need not wait is asked all the same. */
Test(gateway_memory, requests)
{
	uint64_t link = stage_app(PACKAGE);

	leave_room(0);
	stage_app_say(link, START);
	cr_assert_not_null(stage_told(EVENT_REQUEST_START));
	stage_app_say(link, START);
	stage_expect_sent(0, link, APP_ERROR("INTERNAL_ERROR", "Too many requests at a time"));
	stage_expect_close(1, link, 1008, "Too many requests at a time");
	cr_assert_eq(gateway_counts(stage.core)->limit_waiting, 1);
}

Test(gateway_memory, a_rest_call)
{
	leave_room(0);
	stage_edge((struct gateway_edge){ .type = GATEWAY_REST,
					  .call = ++stage.calls,
					  .action = GATEWAY_APP_START,
					  .user = TEXT(USER),
					  .package = TEXT(PACKAGE) });
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(stage_out(0)->type, GATEWAY_ANSWER);
	cr_assert_eq(stage_out(0)->code, 503);
	cr_assert_eq(gateway_counts(stage.core)->limit_rest, 1);
	full_pool_give_all();
	cr_assert_eq(used(), 0);
}
