/* SPDX-License-Identifier: MIT */
/* Goal: an app's request becomes one start, its words and its end, as the transcripts of
 * protocol.md section 10 have it.  Method: registry and adapter back to back (tests/lib/cores.h),
 * the gateways of tests/lib/fake_edge.h in front; what device and apps hear is compared as text.
 * Restarts of the adapter: test_unmanaged_restart.c; requests that wait: test_unmanaged_requests.c.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/fake_edge.h"

#define URL "rtmp://ingest.example.com/live/key"

static struct cores cores;
static struct fake_edge edge;

static void setup(void)
{
	cores_open(&cores);
	fake_edge_open(&edge, &cores);
	fake_edge_glasses_up(&edge, 11);
	fake_edge_app_up(&edge, "pa", 21);
	fake_edge_app_up(&edge, "pb", 22);
	fake_edge_forget(&edge);
}

static void teardown(void)
{
	cores_close(&cores);
}

static void start(const char *package, uint64_t request)
{
	cores_start(&cores, package, request, URL);
	fake_edge_pump(&edge);
}

static void stop(const char *package, uint64_t request, const char *id)
{
	cores_stop(&cores, package, request, id);
	fake_edge_pump(&edge);
}

static void status(enum device_status status)
{
	cores_status(&cores, status);
	fake_edge_pump(&edge);
}

static void subscribe(const char *package, uint64_t link, const char *types)
{
	cores_subscribe(&cores, package, link, types);
	fake_edge_pump(&edge);
}

static void tick(int64_t ms)
{
	cores_tick(&cores, ms);
	fake_edge_pump(&edge);
}

/* Compare what was heard since the last time; both logs are empty afterwards. */
#define expect_device(expected) \
	do { \
		cr_assert_str_eq(edge.device, expected, "device: \"%s\" instead of \"%s\"", \
				 edge.device, expected); \
		edge.device[0] = '\0'; \
	} while (0)

#define expect_app(package, expected) \
	do { \
		char *heard = fake_edge_app(&edge, package)->heard; \
\
		cr_assert_str_eq(heard, expected, package ": \"%s\" instead of \"%s\"", heard, \
				 expected); \
		heard[0] = '\0'; \
	} while (0)

#define expect_done(expected) \
	do { \
		cr_assert_str_eq(edge.done, expected, "done: \"%s\" instead of \"%s\"", edge.done, \
				 expected); \
		edge.done[0] = '\0'; \
	} while (0)

/* Nothing is left that anybody is owed, and nothing more is said. */
static void expect_quiet(void)
{
	tick(20000);
	expect_device("");
	expect_app("pa", "");
	expect_app("pb", "");
	cr_assert_eq(cores.registry->state.streams_count, 0);
	cr_assert_eq(cores.unmanaged->state.streams_count, 0);
	cr_assert_eq(state_hash(&cores.registry->state), state_hash(&cores.unmanaged->state));
	cr_assert_eq(cores.unmanaged->asks.high, 0);
}

/* Transcripts -------------------------------------------------------------------------------- */

Test(unmanaged_flow, g1_start_and_stop_owner_subscribed, .init = setup, .fini = teardown)
{
	subscribe("pa", 21, "rtmp_stream_status");
	start("pa", 1);
	expect_device("start S1 pa");
	expect_app("pa", "S1:initializing +S1:initializing");
	expect_done("1:ok");
	status(DEVICE_INITIALIZING);
	expect_app("pa", "S1:initializing +S1:initializing");
	status(DEVICE_STREAMING);
	expect_app("pa", "S1:active +S1:active");
	const char *id = cores_id(&cores);

	stop("pa", 2, id);
	expect_app("pa", "S1:stopped +S1:stopped");
	expect_device("stop S1 pa");
	expect_done("2:ok");
	expect_app("pb", "");
	expect_quiet();
}

Test(unmanaged_flow, what_the_device_is_started_with, .init = setup, .fini = teardown)
{
	cores_start(&cores, "pa", 1, URL);
	const struct stream_event *order = cores_sent(&cores, EVENT_DELIVER_START, 0);

	cr_assert(order);
	cr_assert(text_is(order->deliver_start.rtmp_url, URL));
	cr_assert(text_is(order->deliver_start.app_id, "pa"));
	cr_assert(text_is(order->deliver_start.video, "{}"));
	cr_assert(text_is(order->deliver_start.audio, "{}"));
	cr_assert(text_is(order->deliver_start.options, "{}"));
	cr_assert_eq(order->deliver_start.link, 11);
	cr_assert_eq(order->stream_id.length, 11);
	cr_assert_eq(order->stream_id.bytes[0], 's');
	/* For weir why: what led to it is the event of the story that it follows from. */
	cr_assert_eq(order->cause, cores_told(&cores, EVENT_STREAM_OPENED, 0)->seq);
	cores_stop(&cores, "pa", 2, "");
	cr_assert_eq(cores_sent(&cores, EVENT_DELIVER_STOP, 0)->cause,
		     cores_told(&cores, EVENT_STREAM_CLOSED, 0)->seq);
}

Test(unmanaged_flow, the_order_to_each_party, .init = setup, .fini = teardown)
{
	/* Direct before copies, a start before the word of it. */
	cores_subscribe(&cores, "pa", 21, "rtmp_stream_status");
	cores_subscribe(&cores, "pb", 22, "all");
	cores_forget(&cores);
	cores_start(&cores, "pa", 1, URL);
	cr_assert_eq(cores.sent_count, 5);
	cr_assert_eq(cores.sent[0].event.type, EVENT_DELIVER_START);
	cr_assert_not(cores.sent[1].event.deliver_status.copy);
	cr_assert(text_is(cores.sent[1].event.deliver_status.package, "pa"));
	cr_assert(cores.sent[2].event.deliver_status.copy);
	cr_assert(cores.sent[3].event.deliver_status.copy);
	cr_assert_eq(cores.sent[4].event.type, EVENT_REQUEST_DONE);
	for (unsigned i = 1; i < 4; i++)
		cr_assert(text_is(cores.sent[i].event.deliver_status.owner, "pa"));
}

/* G3, G5: the app is told, the device is not, its socket being open. */
Test(unmanaged_flow, g3_keep_alive_timeout, .init = setup, .fini = teardown)
{
	subscribe("pb", 22, "*");
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_forget(&edge);
	cores_expired(&cores);
	fake_edge_pump(&edge);
	expect_app("pa", "S1:timeout");
	expect_app("pb", "+S1:timeout");
	expect_quiet();
}

Test(unmanaged_flow, g4_glasses_return_within_grace, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_forget(&edge);
	fake_edge_glasses_down(&edge);
	tick(10000);
	fake_edge_glasses_up(&edge, 12);
	tick(10000);
	expect_device(""); /* nothing is replayed */
	expect_app("pa", "");
	stop("pa", 2, cores_id(&cores));
	expect_app("pa", "S1:stopped");
	expect_device("stop S1 pa");
	expect_quiet();
}

Test(unmanaged_flow, g5_glasses_drop_for_good, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_glasses_down(&edge);
	fake_edge_forget(&edge);
	cores_expired(&cores);
	fake_edge_pump(&edge);
	expect_app("pa", "S1:timeout");
	expect_device("");
	tick(30000);
	expect_device("");
	fake_edge_glasses_up(&edge, 12); /* D2 */
	expect_device("stop S1 pa");
	fake_edge_glasses_down(&edge);
	fake_edge_glasses_up(&edge, 13);
	expect_quiet(); /* once */
}

Test(unmanaged_flow, d2_a_stream_started_since_needs_no_stop, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_glasses_down(&edge);
	stop("pa", 2, "");
	expect_app("pa", "S1:initializing S1:active S1:stopped");
	edge.silent = true; /* the stop on return is not confirmed */
	fake_edge_glasses_up(&edge, 12);
	expect_device("start S1 pa stop - pa");
	edge.silent = false;
	start("pb", 3);
	expect_device("start S2 pb");
	tick(20000);
	expect_device(""); /* nothing hurts the new one */
	status(DEVICE_STREAMING);
	expect_app("pb", "S2:initializing S2:active");
}

Test(unmanaged_flow, g11_takeover_by_another_app, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	subscribe("pb", 22, "rtmp_stream_status");
	fake_edge_forget(&edge);
	start("pb", 2);
	expect_app("pa", "S1:stopped");
	expect_app("pb", "+S1:stopped S2:initializing +S2:initializing");
	expect_device("start S2 pb"); /* no stop before it */
	status(DEVICE_STREAMING);
	expect_app("pb", "S2:active +S2:active");
	expect_app("pa", "");
}

Test(unmanaged_flow, takeover_by_the_same_app, .init = setup, .fini = teardown)
{
	start("pa", 1);
	start("pa", 2);
	expect_app("pa", "S1:initializing S1:stopped S2:initializing");
	expect_device("start S1 pa start S2 pa");
	expect_done("1:ok 2:ok");
}

Test(unmanaged_flow, g12_glasses_error, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_forget(&edge);
	status(DEVICE_ERROR);
	expect_app("pa", "S1:stopped");
	expect_quiet();
}

Test(unmanaged_flow, g13a_app_returns_within_grace, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_app_down(&edge, "pa");
	fake_edge_forget(&edge);
	fake_edge_app(&edge, "pa")->link = 31;
	fake_edge_app(&edge, "pa")->direct_epoch = 0;
	cores_app_opened(&cores, "pa", 31);
	tick(6000);
	expect_app("pa", ""); /* nothing is replayed */
	status(DEVICE_STREAMING);
	expect_app("pa", "S1:active");
	stop("pa", 2, "");
	expect_app("pa", "S1:stopped");
	expect_device("stop - pa");
	expect_quiet();
}

Test(unmanaged_flow, g13b_words_to_an_app_that_is_away_are_dropped, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_app_down(&edge, "pa");
	fake_edge_forget(&edge);
	status(DEVICE_RECONNECTING);
	status(DEVICE_STOPPED);
	tick(3000);
	expect_app("pa", "");
	fake_edge_app(&edge, "pa")->link = 31;
	fake_edge_app(&edge, "pa")->direct_epoch = 0;
	cores_app_opened(&cores, "pa", 31);
	expect_quiet(); /* also later: it is not told unasked */
}

/* Who hears what ----------------------------------------------------------------------------- */

Test(unmanaged_flow, copies_go_to_all_who_want_them, .init = setup, .fini = teardown)
{
	fake_edge_app_up(&edge, "pc", 23);
	subscribe("pa", 21, "managed_stream_status button_press");
	subscribe("pb", 22, "all");
	subscribe("pc", 23, "*");
	start("pa", 1);
	expect_app("pa", "S1:initializing");
	expect_app("pb", "+S1:initializing");
	expect_app("pc", "+S1:initializing");
	subscribe("pb", 22, "");
	fake_edge_app_down(&edge, "pc");
	status(DEVICE_STREAMING);
	expect_app("pb", "");
	expect_app("pc", "");
}

Test(unmanaged_flow, nothing_is_said_to_an_owner_that_is_stopping, .init = setup, .fini = teardown)
{
	struct stream_event event = { .type = EVENT_EDGE_APP_STOP, .user_id = TEXT("u@x") };

	subscribe("pb", 22, "all");
	start("pa", 1);
	fake_edge_forget(&edge);
	event.edge_app_stop.package = TEXT("pa");
	cores_say(&cores, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	status(DEVICE_STREAMING);
	expect_app("pa", "");
	expect_app("pb", "+S1:active");
	status(DEVICE_STOPPED);
	expect_app("pa", "");
	expect_app("pb", "+S1:stopped");
	tick(20000);
	expect_app("pa", "");
}

/* A sign of life without a word is none for the apps. */
Test(unmanaged_flow, a_status_without_a_word_is_not_passed_on, .init = setup, .fini = teardown)
{
	subscribe("pb", 22, "all");
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_forget(&edge);
	status(DEVICE_NONE);
	expect_app("pa", "");
	expect_app("pb", "");
}

/* Stops -------------------------------------------------------------------------------------- */

Test(unmanaged_flow, g15_a_foreign_stop_is_refused, .init = setup, .fini = teardown)
{
	start("pa", 1);
	fake_edge_forget(&edge);
	cores_stop(&cores, "pb", 2, cores_id(&cores));
	const struct stream_event *done = cores_sent(&cores, EVENT_REQUEST_DONE, 0);
	char expected[128];

	(void)snprintf(expected, sizeof expected, "App pb cannot stop stream %s owned by pa",
		       cores_id(&cores));
	cr_assert(text_is(done->request_done.code, "INTERNAL_ERROR"));
	cr_assert(text_is(done->request_done.reason, expected));
	fake_edge_pump(&edge);
	expect_device("");
	expect_app("pa", "");
	cr_assert(cores_active(&cores));
}

/* D11: what would stop somebody else's stream, or nobody's that is known, is not passed on. */
Test(unmanaged_flow, stops_that_hit_nothing_of_ones_own, .init = setup, .fini = teardown)
{
	start("pa", 1);
	fake_edge_forget(&edge);
	stop("pb", 2, "");
	stop("pb", 3, "s0000000000");
	stop("pa", 4, "s0000000000");
	expect_device("");
	expect_done("2:ok 3:ok 4:ok");
	expect_app("pa", "");
	cr_assert(cores_active(&cores));
}

Test(unmanaged_flow, d11_with_nothing_running_a_stop_is_passed_on, .init = setup, .fini = teardown)
{
	stop("pa", 1, "");
	expect_device("stop - pa");
	stop("pb", 2, "s0000000000");
	expect_device("stop S1 pb");
	expect_done("1:ok 2:ok");
	fake_edge_glasses_down(&edge);
	stop("pa", 3, "");
	expect_done("3:ok");
	fake_edge_glasses_up(&edge, 12);
	expect_quiet();
}

/* The SDK takes its leave with a stop; it may come when that of the app's end is on its way. */
Test(unmanaged_flow, a_stop_of_an_app_that_stops_is_said_once, .init = setup, .fini = teardown)
{
	struct stream_event event = { .type = EVENT_EDGE_APP_STOP, .user_id = TEXT("u@x") };

	start("pa", 1);
	fake_edge_forget(&edge);
	event.edge_app_stop.package = TEXT("pa");
	cores_say(&cores, (struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	status(DEVICE_STOPPED);
	stop("pa", 2, "s0000000000");
	expect_device("");
	expect_done("2:ok");
}

/* After a timeout the device runs on (G3): the app's late stop must reach it. */
Test(unmanaged_flow, d11_a_stop_after_the_timeout, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	cores_expired(&cores);
	fake_edge_pump(&edge);
	expect_device("start S1 pa");
	fake_edge_forget(&edge);
	stop("pa", 2, "");
	expect_device("stop - pa");
	expect_quiet();
}

Test(unmanaged_flow, a_stop_of_a_stream_that_was_never_delivered, .init = setup, .fini = teardown)
{
	edge.link = 99; /* the order does not find the socket */
	start("pa", 1);
	expect_device("");
	edge.link = 11;
	stop("pa", 2, "");
	expect_device("stop - pa"); /* whatever it runs: nothing of anybody's */
	expect_app("pa", "S1:initializing S1:stopped");
	expect_quiet();
}

/* Owed --------------------------------------------------------------------------------------- */

Test(unmanaged_flow, a_start_is_repeated_until_it_is_confirmed, .init = setup, .fini = teardown)
{
	edge.silent = true;
	start("pa", 1);
	tick(12000);
	expect_device("start S1 pa"); /* the gateway knows that it has said it */
	cr_assert_not(cores_active(&cores)->start_delivered);
	edge.silent = false;
	tick(5000);
	cr_assert(cores_active(&cores)->start_delivered);
	expect_device("");
}

Test(unmanaged_flow, a_start_whose_socket_was_replaced_goes_to_the_new_one, .init = setup,
     .fini = teardown)
{
	edge.link = 99;
	start("pa", 1);
	expect_device("");
	fake_edge_glasses_up(&edge, 12);
	expect_device("start S1 pa");
	tick(10000);
	expect_device("");
}

Test(unmanaged_flow, an_end_is_repeated_until_it_is_confirmed, .init = setup, .fini = teardown)
{
	start("pa", 1);
	status(DEVICE_STREAMING);
	fake_edge_forget(&edge);
	edge.silent = true;
	stop("pa", 2, "");
	tick(12000);
	expect_app("pa", "S1:stopped");
	expect_device("stop - pa");
	cr_assert_eq(cores.registry->state.streams_count, 1);
	cr_assert_geq(cores.unmanaged->stats.said_again, 4);
	edge.silent = false;
	expect_quiet();
}

/* A gateway that comes back is told what it may have missed at once, not with the next round. */
Test(unmanaged_flow, a_hello_repeats_what_is_owed, .init = setup, .fini = teardown)
{
	start("pa", 1);
	edge.silent = true;
	status(DEVICE_STOPPED);
	edge.silent = false;
	tick(1000);
	cr_assert_eq(cores.registry->state.streams_count, 1);
	cores_adapter_hear(&cores, &(struct input){ .type = INPUT_PEER_UP,
						    .peer = { ROLE_GATEWAY, GATEWAY_B },
						    .peer_name = "gateway-2" });
	tick(0);
	cr_assert_eq(cores.registry->state.streams_count, 0);
	expect_app("pa", "S1:initializing S1:stopped");
}

/* After its own restart the adapter has a mirror before the gateways are back. */
Test(unmanaged_flow, a_hello_repeats_the_last_word, .init = setup, .fini = teardown)
{
	start("pa", 1);
	cores_status(&cores, DEVICE_STREAMING);
	cores_forget(&cores); /* no gateway was there to take it */
	tick(0);
	expect_app("pa", "S1:initializing");
	cores_adapter_hear(&cores, &(struct input){ .type = INPUT_PEER_UP,
						    .peer = { ROLE_GATEWAY, GATEWAY_B },
						    .peer_name = "gateway-2" });
	tick(0);
	expect_app("pa", "S1:active");
	tick(20000);
	expect_app("pa", "");
}

Test(unmanaged_flow, other_streams_are_not_its_business, .init = setup, .fini = teardown)
{
	struct stream_event event = { .type = EVENT_STREAM_OPEN,
				      .user_id = TEXT("u@x"),
				      .origin = GATEWAY_B,
				      .request = 50 };

	event.stream_open.kind = KIND_MANAGED;
	event.stream_open.package = TEXT("pa");
	event.stream_open.video = event.stream_open.audio = event.stream_open.options = TEXT("{}");
	cores_hear(&cores, &(struct input){ .type = INPUT_MESSAGE,
					    .peer = { ROLE_MANAGED, 8 },
					    .event = &event });
	cr_assert(cores_active(&cores));
	stop("pa", 1, "");
	expect_done("1:ok");
	tick(20000);
	expect_device("");
	expect_app("pa", "");
	cr_assert(cores_active(&cores));
	start("pb", 2);
	cr_assert_eq(cores_active(&cores)->kind, KIND_UNMANAGED);
	expect_device("start S1 pb");
}
