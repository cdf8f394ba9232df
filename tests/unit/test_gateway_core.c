/* SPDX-License-Identifier: MIT */
/* Goal: links are told of once, after every loss of the registry anew, and given up in order; what
 * has a limit has an answer one past it.
 */
#include "actors/gateway/gateway_rate.h"
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_core, .init = stage_open, .fini = stage_close);

static size_t count_effects(enum stream_event_type type)
{
	size_t count = 0;

	while (stage_effect(type, count))
		count++;
	return count;
}

/* ---- announcements ---- */

Test(gateway_core, nothing_is_told_before_the_registry_was_there)
{
	stage_close();
	stage_open_with(stage_options());
	uint64_t link = stage_glasses_of(USER);

	cr_assert_eq(stage.fx.count, 0);
	stage_registry(false);
	cr_assert_not(stage_told(EVENT_EDGE_LINK_OPENED)->edge_link_opened.resumed);
	cr_assert_eq(stage_told(EVENT_EDGE_LINK_OPENED)->edge_link_opened.link, link);
	cr_assert_eq(stage_told(EVENT_EDGE_ANNOUNCED)->edge_announced.links, 1);
}

/* What it said while the connection was away is said again in answer to this. */
Test(gateway_core, a_registry_that_knows_us_is_told_again)
{
	uint64_t link = stage_glasses();

	stage_registry(true);
	cr_assert_eq(count_effects(EVENT_EDGE_LINK_OPENED), 1);
	cr_assert(stage_told(EVENT_EDGE_LINK_OPENED)->edge_link_opened.resumed);
	cr_assert_eq(stage_told(EVENT_EDGE_LINK_OPENED)->edge_link_opened.link, link);
	cr_assert_eq(stage_told(EVENT_EDGE_ANNOUNCED)->edge_announced.links, 1);
}

Test(gateway_core, a_registry_that_gave_us_up_asks_for_everything)
{
	stage_glasses();
	stage_bus(&(struct stream_event){ .type = EVENT_REGISTRY_UNKNOWN_LINK });
	cr_assert_eq(count_effects(EVENT_EDGE_LINK_OPENED), 1);
	cr_assert_eq(stage_told(EVENT_EDGE_ANNOUNCED)->edge_announced.links, 1);
}

Test(gateway_core, a_registry_that_forgot_is_told_everything)
{
	uint64_t glasses = stage_glasses();
	uint64_t app = stage_app(PACKAGE);
	uint64_t waiting = stage_glasses_of("w@example.com");

	stage_app_say(app, "{\"type\":\"subscription_update\",\"subscriptions\":[\"x\"]}");
	(void)stage_app_socket(); /* nobody yet */
	stage_registry(false);
	cr_assert_eq(count_effects(EVENT_EDGE_LINK_OPENED), 2);
	cr_assert_eq(stage_effect(EVENT_EDGE_LINK_OPENED, 0)->event.edge_link_opened.link, glasses);
	cr_assert(stage_effect(EVENT_EDGE_LINK_OPENED, 0)->event.edge_link_opened.resumed);
	/* One that still waits for its connection_ack asks for it again. */
	cr_assert_eq(stage_effect(EVENT_EDGE_LINK_OPENED, 1)->event.edge_link_opened.link, waiting);
	cr_assert_not(stage_effect(EVENT_EDGE_LINK_OPENED, 1)->event.edge_link_opened.resumed);
	cr_assert_eq(count_effects(EVENT_EDGE_APP_OPENED), 1);
	cr_assert(stage_told(EVENT_EDGE_APP_OPENED)->edge_app_opened.resumed);
	cr_assert(stage_told(EVENT_EDGE_APP_OPENED)->edge_app_opened.key_ok);
	cr_assert(stage_told(EVENT_EDGE_APP_SUBSCRIBED)->edge_app_subscribed.resumed);
	cr_assert_eq(stage_told(EVENT_EDGE_ANNOUNCED)->edge_announced.links, 2);
	cr_assert_eq(stage_told(EVENT_EDGE_ANNOUNCED)->edge_announced.apps, 1);
	cr_assert_eq(stage.fx.items[stage.fx.count - 1].event.type, EVENT_EDGE_ANNOUNCED);
}

Test(gateway_core, announcements_come_in_slices_and_before_the_facts_of_their_link)
{
	struct gateway_options options = stage_options();
	uint64_t last = 0;
	size_t told = 0, slices = 0;

	stage_close();
	options.connections_max = 1000;
	stage_open_with(options);
	for (int i = 0; i < 1000; i++) {
		char user[32];

		snprintf(user, sizeof user, "u%d@x", i);
		last = stage_glasses_of(user);
	}
	stage_registry(false);
	told = count_effects(EVENT_EDGE_LINK_OPENED);
	cr_assert_lt(told, 1000);
	cr_assert_eq(gateway_deadline(stage.core), stage.now_ms);
	/* In between somebody speaks. */
	stage_glasses_say(last, "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s\"}");
	cr_assert_eq(stage.fx.items[0].event.type, EVENT_EDGE_LINK_OPENED);
	cr_assert_eq(stage.fx.items[1].event.type, EVENT_EDGE_STATUS);
	told++;
	do {
		stage_tick();
		told += count_effects(EVENT_EDGE_LINK_OPENED);
		slices++;
	} while (!stage_told(EVENT_EDGE_ANNOUNCED));
	cr_assert_eq(told, 1000);
	cr_assert_gt(slices, 1);
	cr_assert_eq(stage_told(EVENT_EDGE_ANNOUNCED)->edge_announced.links, 1000);
	cr_assert_gt(gateway_deadline(stage.core), stage.now_ms);
}

Test(gateway_core, a_link_the_registry_does_not_take_is_closed)
{
	uint64_t link = stage_glasses();
	const struct stream_event unknown = { .type = EVENT_REGISTRY_UNKNOWN_LINK,
					      .registry_unknown_link.link = link };

	stage_bus(&unknown);
	stage_expect_close(0, link, 1012, "Service restart");
	cr_assert_eq(stage.fx.count, 0);
	stage_bus(&unknown);
	cr_assert_eq(stage_out_count(), 0);
}

/* ---- links ---- */

Test(gateway_core, a_closed_link_is_told_once)
{
	uint64_t link = stage_glasses();

	stage_edge((struct gateway_edge){ .type = GATEWAY_LOST, .link = link, .code = 1001 });
	cr_assert_eq(stage_told(EVENT_EDGE_LINK_CLOSED)->edge_link_closed.code, 1001);
	stage_glasses_say(link, "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s\"}");
	cr_assert_eq(stage.fx.count, 0);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1006 });
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(gateway_totals(stage.core).users, 0);
}

Test(gateway_core, ids_are_not_used_again_though_slots_are)
{
	uint64_t first = stage_glasses();

	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = first, .code = 1006 });
	uint64_t second = stage_glasses();

	cr_assert_neq(first, second);
	cr_assert_eq(gateway_slot(first), gateway_slot(second));
	stage_notice(first, NOTICE_APP_STATE_CHANGE);
	cr_assert_eq(stage_out_count(), 0);
}

Test(gateway_core, one_connection_too_many_gets_no_slot)
{
	uint64_t first = gateway_reserve(stage.core);

	for (int i = 1; i < 64; i++)
		cr_assert_neq(gateway_reserve(stage.core), 0);
	cr_assert_eq(gateway_reserve(stage.core), 0);
	gateway_release(stage.core, first);
	cr_assert_neq(gateway_reserve(stage.core), 0);
	gateway_release(stage.core, first); /* long gone */
	cr_assert_eq(gateway_reserve(stage.core), 0);
}

Test(gateway_core, users_are_counted_once)
{
	(void)stage_glasses();
	(void)stage_app(PACKAGE);
	(void)stage_app(PLAIN);
	uint64_t other = stage_glasses_of("other@example.com");
	struct gateway_totals totals = gateway_totals(stage.core);

	cr_assert_eq(totals.glasses, 2);
	cr_assert_eq(totals.apps, 2);
	cr_assert_eq(totals.users, 2);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = other, .code = 1006 });
	cr_assert_eq(gateway_totals(stage.core).users, 1);
}

/* Every user leaves a start behind that is not forgotten: the oldest makes room. */
Test(gateway_core, users_remembered_for_their_limit_make_room_for_users_who_are_here)
{
	for (int i = 0; i < 200; i++) {
		char session[64];
		uint64_t link = stage_app_socket();

		snprintf(session, sizeof session, "u%d@x-" PACKAGE, i);
		stage_init(link, session, PACKAGE);
		stage_verdict(link, RESULT_OK, 1);
		stage_app_say(link, "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://x\"}");
		cr_assert_not_null(stage_told(EVENT_REQUEST_START));
		stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link });
	}
	cr_assert_eq(gateway_counts(stage.core)->limit_memory, 0);
}

/* ---- going away ---- */

Test(gateway_core, drain_closes_in_slices)
{
	struct gateway_options options = stage_options();
	size_t closed, rounds = 1;

	stage_close();
	options.connections_max = 200;
	stage_open_with(options);
	stage_registry(false);
	stage_tick();
	for (int i = 0; i < 150; i++) {
		char user[32];

		snprintf(user, sizeof user, "u%d@x", i);
		(void)stage_glasses_of(user);
	}
	stage_edge((struct gateway_edge){ .type = GATEWAY_DRAIN });
	cr_assert(gateway_draining(stage.core));
	closed = stage_out_count();
	cr_assert_eq(closed, GATEWAY_DRAIN_SLICE);
	cr_assert_eq(count_effects(EVENT_EDGE_LINK_CLOSED), GATEWAY_DRAIN_SLICE);
	stage_expect_close(0, stage_out(0)->link, 1001, "Server draining");
	while (closed < 150) {
		cr_assert_eq(gateway_deadline(stage.core), stage.now_ms + GATEWAY_DRAIN_PAUSE_MS);
		stage.now_ms += GATEWAY_DRAIN_PAUSE_MS;
		stage_tick();
		closed += stage_out_count();
		rounds++;
	}
	cr_assert_eq(rounds, 3);
	cr_assert_eq(gateway_totals(stage.core).users, 0);
}

Test(gateway_core, shutting_down_tells_one_fact_and_closes_all)
{
	uint64_t glasses = stage_glasses();
	uint64_t app = stage_app(PACKAGE);

	stage_tick();
	stage_edge((struct gateway_edge){ .type = GATEWAY_SHUT });
	cr_assert_eq(stage.fx.count, 1);
	cr_assert_not_null(stage_told(EVENT_EDGE_LEAVING));
	stage_expect_close(0, glasses, 1001, "Server shutting down");
	/* The SDK takes 1001 for the end of its session. */
	stage_expect_close(1, app, 1012, "Server shutting down");
	stage_registry(false);
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(gateway_deadline(stage.core), INT64_MAX);
}

/* ---- rates ---- */

Test(gateway_core, rate_allows_its_burst_and_then_its_pace)
{
	const struct gateway_rate rate = { .cost = 100, .burst = 3 };
	int64_t state = 0;

	for (int i = 0; i < 3; i++)
		cr_assert_eq(gateway_rate_take(rate, &state, 1000), 0);
	cr_assert_eq(gateway_rate_take(rate, &state, 1000), 100);
	cr_assert_eq(gateway_rate_take(rate, &state, 1099), 1);
	cr_assert_eq(gateway_rate_take(rate, &state, 1100), 0);
	cr_assert_eq(gateway_rate_take(rate, &state, 1100), 100);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(gateway_rate_take(rate, &state, 5000), 0);
	cr_assert_gt(gateway_rate_take(rate, &state, 5000), 0);
}
