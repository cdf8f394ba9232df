/* SPDX-License-Identifier: MIT */
/* Goal: a gateway says early what it cannot do: how many sockets it can hold, how many may wait for
 * the registry, how many requests may be under way; and whoever was let in notices nothing of it.
 */
#include "actors/gateway/gateway_limits.h"
#include "actors/gateway/gateway_rate.h"
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_scale, .init = stage_open, .fini = stage_close);

#define START "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://h/a/k\"}"
#define STOP "{\"type\":\"rtmp_stream_stop\",\"streamId\":\"s1\"}"
#define CHECK "{\"type\":\"stream_status_check\"}"
#define WATCH "{\"type\":\"managed_stream_request\"}"
#define LEAVE "{\"type\":\"managed_stream_stop\"}"
#define OVERLOADED "Overloaded - please try again in a few seconds"

static void reopen(struct gateway_options options)
{
	stage_close();
	stage_open_with(options);
	stage_registry(false);
}

/* ---- descriptors ---- */

Test(gateway_scale, connections_are_what_the_descriptors_are_enough_for)
{
	static const struct {
		int64_t wanted;
		uint64_t descriptors;
		uint32_t connections;
	} rows[] = {
		{ 20000, UINT64_MAX, 20000 },
		{ 20000, 20000 + GATEWAY_FDS_RESERVED, 20000 },
		{ 20000, 20000 + GATEWAY_FDS_RESERVED - 1, 19999 },
		{ 20000, GATEWAY_FDS_RESERVED + 2, 2 },
		{ 20000, GATEWAY_FDS_RESERVED, 1 },
		{ 20000, 0, 1 },
		{ 1, 1024, 1 },
		{ GATEWAY_LINKS_MAX, UINT64_MAX, GATEWAY_LINKS_MAX },
		{ (int64_t)GATEWAY_LINKS_MAX + 1, UINT64_MAX, GATEWAY_LINKS_MAX },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_assert_eq(gateway_connections_for(rows[i].wanted, rows[i].descriptors),
			     rows[i].connections, "row %zu", i);
	cr_assert_eq(gateway_connections_for(5000, gateway_descriptors_for(5000)), 5000);
	cr_assert_eq(gateway_connections_for(5000, gateway_descriptors_for(5000) - 1), 4999);
}

Test(gateway_scale, one_socket_too_many_is_not_admitted_until_one_has_gone)
{
	uint64_t links[3];
	struct gateway_options options = stage_options();

	options.connections_max = 3;
	reopen(options);
	for (int i = 0; i < 3; i++) {
		cr_assert(gateway_admits(stage.core, i > 0));
		links[i] = gateway_reserve(stage.core);
		cr_assert_neq(links[i], 0);
	}
	cr_assert_not(gateway_admits(stage.core, true));
	cr_assert_not(gateway_admits(stage.core, false));
	cr_assert_eq(gateway_reserve(stage.core), 0);
	gateway_release(stage.core, links[1]);
	cr_assert(gateway_admits(stage.core, true));
	cr_assert(gateway_admits(stage.core, false));
}

Test(gateway_scale, nobody_is_admitted_while_everybody_is_sent_away)
{
	cr_assert(gateway_admits(stage.core, true));
	stage_edge((struct gateway_edge){ .type = GATEWAY_DRAIN });
	cr_assert_not(gateway_admits(stage.core, true));
	cr_assert_not(gateway_admits(stage.core, false));
}

/* ---- arrivals ---- */

#define ARRIVALS 3

static uint64_t arrive(int number)
{
	char user[32];

	snprintf(user, sizeof user, "u%d@x", number);
	return stage_glasses_of(user);
}

static void open_crowded(uint64_t links[ARRIVALS])
{
	struct gateway_options options = stage_options();

	options.arrivals_max = ARRIVALS;
	reopen(options);
	for (int i = 0; i < ARRIVALS; i++) {
		cr_assert(gateway_admits(stage.core, true));
		links[i] = arrive(i);
	}
	cr_assert_eq(gateway_totals(stage.core).arriving, ARRIVALS);
	cr_assert_not(gateway_admits(stage.core, true));
}

Test(gateway_scale, one_arrival_too_many_waits_for_the_registry_to_answer_another)
{
	uint64_t links[ARRIVALS];

	open_crowded(links);
	stage_notice(links[1], NOTICE_CONNECTION_ACK);
	cr_assert(gateway_admits(stage.core, true));
	stage_notice(links[1], NOTICE_CONNECTION_ACK); /* said again it frees no other place */
	cr_assert_eq(gateway_totals(stage.core).arriving, ARRIVALS - 1);
}

Test(gateway_scale, an_arrival_that_leaves_gives_its_place_away)
{
	uint64_t links[ARRIVALS];

	open_crowded(links);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = links[0], .code = 1006 });
	cr_assert(gateway_admits(stage.core, true));
	stage_notice(links[2], NOTICE_CONNECTION_ACK);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = links[2], .code = 1006 });
	cr_assert_eq(gateway_totals(stage.core).arriving, ARRIVALS - 2);
}

/* Whatever keeps the registry from answering: nobody is locked out for ever, nobody is closed. */
Test(gateway_scale, an_arrival_without_an_answer_counts_for_so_long)
{
	uint64_t links[ARRIVALS];

	open_crowded(links);
	stage.now_ms += GATEWAY_ARRIVAL_MS - 1;
	stage_tick();
	cr_assert_not(gateway_admits(stage.core, true));
	cr_assert_eq(gateway_deadline(stage.core), stage.now_ms + 1);
	stage.now_ms++;
	stage_tick();
	cr_assert_eq(stage_out_count(), 0);
	cr_assert(gateway_admits(stage.core, true));
	stage_notice(links[0], NOTICE_CONNECTION_ACK);
	cr_assert_eq(stage_out_count(), 1);
	cr_assert_eq(gateway_totals(stage.core).arriving, 0);
}

Test(gateway_scale, an_app_among_too_many_arrivals_is_asked_to_come_again)
{
	uint64_t links[ARRIVALS], app;

	open_crowded(links);
	cr_assert(gateway_admits(stage.core, false)); /* it may have nothing to ask for long */
	app = stage_app_socket();
	stage_init(app, SESSION, PACKAGE);
	cr_assert_eq(stage_out_count(), 1);
	stage_expect_close(0, app, 1013, "Try again later");
	cr_assert_null(stage_told(EVENT_EDGE_APP_OPENED));
	cr_assert_eq(gateway_counts(stage.core)->limit_arrivals, 1);
	stage_notice(links[0], NOTICE_CONNECTION_ACK);
	app = stage_app_socket();
	stage_init(app, SESSION, PACKAGE);
	cr_assert_not_null(stage_told(EVENT_EDGE_APP_OPENED));
	cr_assert_not(gateway_admits(stage.core, true)); /* it waits for its verdict */
	stage_verdict(app, RESULT_OK, 9);
	cr_assert(gateway_admits(stage.core, true));
}

/* ---- requests ---- */

#define REQUESTS 2 /* under way */
#define WAITING 2 /* in line */

static uint64_t app_of(int number)
{
	uint64_t link = stage_app_socket();
	char session[64];

	snprintf(session, sizeof session, "u%d@x-" PACKAGE, number);
	stage_init(link, session, PACKAGE);
	stage_verdict(link, RESULT_OK, 9);
	return link;
}

static void done(uint64_t link, uint64_t request)
{
	stage_bus(&(struct stream_event){ .type = EVENT_REQUEST_DONE,
					  .request = request,
					  .request_done = { .link = link, .result = RESULT_OK } });
}

static void expect_overloaded(uint64_t link)
{
	cr_assert_eq(stage_out_count(), 2);
	stage_expect_sent(0, link, APP_ERROR("INTERNAL_ERROR", OVERLOADED));
	stage_expect_close(1, link, 1008, OVERLOADED);
}

/* As many starts are under way as may be, and as many wait as may: apps[REQUESTS] is the first of
 * those.
 */
struct busy {
	uint64_t apps[REQUESTS + WAITING];
	uint64_t requests[REQUESTS];
};

static struct busy open_busy(void)
{
	struct gateway_options options = stage_options();
	struct busy busy;

	options.requests_max = REQUESTS;
	options.requests_waiting_max = WAITING;
	options.beat_ms = 3600000; /* only what is asked for is said */
	reopen(options);
	stage_tick();
	for (int i = 0; i < REQUESTS + WAITING; i++) {
		busy.apps[i] = app_of(i);
		stage_app_say(busy.apps[i], START);
		cr_assert_eq(stage_out_count(), 0);
		cr_assert_eq(stage.fx.count, i < REQUESTS ? 1 : 0);
		if (i < REQUESTS)
			busy.requests[i] = stage_told(EVENT_REQUEST_START)->request;
		cr_assert_gt(gateway_deadline(stage.core), stage.now_ms);
	}
	return busy;
}

/* The request of @link leaves now, and no other. */
static uint64_t expect_start(uint64_t link)
{
	cr_assert_leq(gateway_deadline(stage.core), stage.now_ms);
	stage_tick();
	cr_assert_eq(stage.fx.count, 1);
	const struct stream_event *start = stage_told(EVENT_REQUEST_START);

	cr_assert_eq(start->request_start.link, link);
	cr_assert_gt(gateway_deadline(stage.core), stage.now_ms);
	return start->request;
}

Test(gateway_scale, starts_wait_in_line_and_leave_in_order)
{
	struct busy busy = open_busy();

	cr_assert_eq(gateway_counts(stage.core)->requests_queued, WAITING);
	stage.now_ms += 1000;
	done(busy.apps[1], busy.requests[1]);
	expect_start(busy.apps[REQUESTS]);
	/* Its time to be answered begins now: waiting in line was ours. */
	cr_assert_eq(stage_told(EVENT_REQUEST_START)->expires_ms,
		     stage.now_ms + stage_options().request_timeout_ms);
	done(busy.apps[0], busy.requests[0]);
	expect_start(busy.apps[REQUESTS + 1]);
}

Test(gateway_scale, who_comes_late_does_not_overtake_the_line)
{
	struct busy busy = open_busy();
	uint64_t late = app_of(10);

	done(busy.apps[0], busy.requests[0]);
	uint64_t request = expect_start(busy.apps[REQUESTS]);

	/* There is a place, but it is meant for somebody else. */
	done(busy.apps[REQUESTS], request);
	stage_app_say(late, START);
	cr_assert_eq(stage.fx.count, 0);
	request = expect_start(busy.apps[REQUESTS + 1]);
	done(busy.apps[REQUESTS + 1], request);
	(void)expect_start(late);
}

Test(gateway_scale, one_start_too_many_in_line_is_refused_in_words)
{
	struct busy busy = open_busy();
	uint64_t late = app_of(10);

	stage_app_say(late, START);
	cr_assert_null(stage_told(EVENT_REQUEST_START));
	expect_overloaded(late);
	cr_assert_eq(gateway_counts(stage.core)->limit_requests, 1);
	done(busy.apps[0], busy.requests[0]);
	(void)expect_start(busy.apps[REQUESTS]);
	late = app_of(10);
	stage_app_say(late, START);
	cr_assert_eq(stage_out_count(), 0);
}

Test(gateway_scale, a_start_waits_so_long_and_is_refused)
{
	struct busy busy = open_busy();

	stage.now_ms += GATEWAY_QUEUE_MS - 1;
	stage_tick();
	cr_assert_eq(stage_out_count(), 0);
	cr_assert_eq(gateway_deadline(stage.core), stage.now_ms + 1);
	stage.now_ms++;
	stage_tick();
	cr_assert_eq(stage_out_count(), 2 * WAITING);
	stage_expect_sent(0, busy.apps[REQUESTS], APP_ERROR("INTERNAL_ERROR", OVERLOADED));
	stage_expect_close(1, busy.apps[REQUESTS], 1008, OVERLOADED);
	cr_assert_eq(gateway_counts(stage.core)->limit_requests, WAITING);
	done(busy.apps[0], busy.requests[0]);
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_gt(gateway_deadline(stage.core), stage.now_ms);
}

Test(gateway_scale, what_ends_a_stream_or_only_asks_passes_under_load)
{
	(void)open_busy();
	stage_app_say(app_of(10), STOP);
	cr_assert_not_null(stage_told(EVENT_REQUEST_STOP));
	stage_app_say(app_of(11), CHECK);
	cr_assert_not_null(stage_told(EVENT_EDGE_CHECK));
	stage_app_say(app_of(12), LEAVE);
	cr_assert_not_null(stage_told(EVENT_REQUEST_STOP));
	/* Its own governor and the provider bound what is made of it. */
	stage_app_say(app_of(13), WATCH);
	cr_assert_not_null(stage_told(EVENT_REQUEST_WATCH));
	cr_assert_eq(stage_out_count(), 0);
}

/* Whatever keeps another process from answering does not keep direct streams from starting. */
Test(gateway_scale, only_starts_take_the_place_of_starts)
{
	struct gateway_options options = stage_options();

	options.requests_max = 1;
	options.requests_waiting_max = 1;
	reopen(options);
	stage_app_say(app_of(0), LEAVE);
	stage_app_say(app_of(1), CHECK);
	stage_app_say(app_of(2), WATCH);
	stage_app_say(app_of(3), START);
	cr_assert_not_null(stage_told(EVENT_REQUEST_START));
}

Test(gateway_scale, what_an_app_asks_behind_its_start_waits_for_it)
{
	struct busy busy = open_busy();

	stage_app_say(busy.apps[REQUESTS], STOP);
	stage_app_say(busy.apps[REQUESTS], CHECK);
	cr_assert_eq(stage.fx.count, 0);
	done(busy.apps[0], busy.requests[0]);
	uint64_t request = expect_start(busy.apps[REQUESTS]);

	done(busy.apps[REQUESTS], request);
	cr_assert_not_null(stage_told(EVENT_REQUEST_STOP));
}

Test(gateway_scale, who_leaves_the_line_makes_room)
{
	struct busy busy = open_busy();

	stage_edge((struct gateway_edge){
		.type = GATEWAY_CLOSED, .link = busy.apps[REQUESTS], .code = 1006 });
	stage_app_say(app_of(10), START);
	cr_assert_eq(stage_out_count(), 0);
	/* So does whoever leaves while it is under way. */
	stage_edge((struct gateway_edge){
		.type = GATEWAY_CLOSED, .link = busy.apps[0], .code = 1006 });
	(void)expect_start(busy.apps[REQUESTS + 1]);
}

Test(gateway_scale, a_start_without_an_answer_makes_room_in_the_end)
{
	struct busy busy = open_busy();
	uint64_t late;

	stage.now_ms += stage_options().request_timeout_ms;
	stage_tick(); /* those that wait are given up as well */
	cr_assert_eq(gateway_counts(stage.core)->requests_timed_out, REQUESTS);
	for (int i = 0; i < REQUESTS + 1; i++) {
		late = app_of(20 + i);
		stage_app_say(late, START);
		cr_assert_eq(stage.fx.count, i < REQUESTS ? 1 : 0);
	}
	done(busy.apps[0], busy.requests[0]); /* too late to count once more */
	cr_assert_gt(gateway_deadline(stage.core), stage.now_ms);
}

/* A replaced socket is told nothing: what it asked in vain is dropped, what it asked next acts. */
Test(gateway_scale, a_replaced_socket_leaves_the_line_in_silence)
{
	struct busy busy = open_busy();
	uint64_t replaced = busy.apps[REQUESTS];

	stage_app_say(replaced, CHECK);
	(void)app_of(REQUESTS);
	stage.now_ms += GATEWAY_QUEUE_MS;
	stage_tick();
	cr_assert_eq(stage_out_count(), 2 * (WAITING - 1));
	cr_assert_eq(stage_told(EVENT_EDGE_CHECK)->edge_check.link, replaced);
}

/* Keep-alives are no requests: they go out however many of those wait. */
Test(gateway_scale, probes_go_out_under_load)
{
	uint8_t bytes[256];
	struct list_writer list;
	uint64_t link;

	(void)open_busy();
	link = stage_glasses();
	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 4);
	list_put_u64(&list, link);
	list_put_text(&list, TEXT("s1"));
	list_put_u64(&list, 1);
	list_put_text(&list, TEXT("a00001"));
	cr_assert(list_close_member(&list));
	stage_bus(&(struct stream_event){ .type = EVENT_PROBE_BATCH,
					  .probe_batch = { .probes = list_end(&list) } });
	cr_assert_eq(stage_out_count(), 1);
	cr_assert_eq(stage_out(0)->type, GATEWAY_PROBE);
}

/* ---- pace ---- */

Test(gateway_scale, looking_at_a_rate_accounts_for_nothing)
{
	const struct gateway_rate rate = { .cost = 100, .burst = 2 };
	int64_t state = 0;

	for (int i = 0; i < 5; i++)
		cr_assert_eq(gateway_rate_wait(rate, state, 1000), 0);
	cr_assert_eq(gateway_rate_take(rate, &state, 1000), 0);
	cr_assert_eq(gateway_rate_wait(rate, state, 1000), 0);
	cr_assert_eq(gateway_rate_take(rate, &state, 1000), 0);
	cr_assert_eq(gateway_rate_wait(rate, state, 1000), 100);
	cr_assert_eq(gateway_rate_wait(rate, state, 1099), 1);
	cr_assert_eq(gateway_rate_wait(rate, state, 1100), 0);
}
