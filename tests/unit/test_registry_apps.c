/* SPDX-License-Identifier: MIT */
/* Goal: an app starts, connects, is lost, brought back and stopped as protocol.md 2.3 to 2.7 says,
 * with D5, D14 and D16 of its section 11.  Method: one fact after the other; everything said is
 * compared.  Callers that wait by REST: test_registry_rest.c; relay: test_registry_relay.c.
 */
#include <stdio.h>

#include "tests/lib/registry_bench.h"

#define U "u@x"

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
}

static enum app_state state_of(const char *package)
{
	return the_app(U, package) ? (enum app_state)the_app(U, package)->state : APP_STOPPED;
}

static enum result verdict(void)
{
	return (enum result)bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.result;
}

static enum hook hook(void)
{
	return (enum hook)bench_fx(EVENT_REGISTRY_HOOK, 0)->registry_hook.hook;
}

static void grace_over(const char *package)
{
	timer(TIMER_APP_GRACE, U, package, the_app(U, package)->seq);
}

static void connect_over(const char *package)
{
	timer(TIMER_APP_CONNECT, U, package, the_app(U, package)->seq);
}

/* Start ------------------------------------------------------------------------------------- */

Test(registry_apps, start_posts_the_webhook_and_init_makes_it_run, .init = setup)
{
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	expect_said("app.changed registry.hook");
	cr_assert_eq(hook(), HOOK_SESSION);
	cr_assert_eq(bench_peer(EVENT_REGISTRY_HOOK, 0).incarnation, GATEWAY_A);
	cr_assert(text_is(bench_fx(EVENT_REGISTRY_HOOK, 0)->registry_hook.package, "pa"));
	cr_assert_eq(state_of("pa"), APP_LOADING);
	hook_done(U, "pa", HOOK_SESSION);
	expect_said(""); /* the init decides */
	app_opened(U, "pa", 21);
	expect_said("registry.app_result app.changed registry.glasses_notice");
	cr_assert_eq(verdict(), RESULT_OK);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.link, 21);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.seen_seq,
		     bench.registry.seq);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 0)->registry_glasses_notice.notice,
		     NOTICE_APP_STATE_CHANGE);
	cr_assert_eq(state_of("pa"), APP_RUNNING);
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	expect_said("");
	app_start(U, "pb", APP_TYPE_BACKGROUND);
	app_start(U, "pb", APP_TYPE_BACKGROUND);
	expect_said(""); /* already loading */
}

Test(registry_apps, the_ack_knows_the_model, .init = setup)
{
	glasses_state(U, "Mentra Live");
	app_up(U, "pa", 21);
	cr_assert(text_is(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.model,
			  "Mentra Live"));
	glasses_state(U, "");
	app_up(U, "pb", 22);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.model.length, 0);
}

Test(registry_apps, without_a_gateway_no_webhook_but_the_deadline, .init = setup)
{
	gateway_lease(GATEWAY_A, 5000);
	gateway_lease(GATEWAY_B, 5000);
	gateway_lease(GATEWAY_A, 120000);
	bench_tick(0);
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	expect_said("app.changed");
	connect_over("pa");
	expect_said("app.changed");
	cr_assert_null(the_app(U, "pa"));
}

Test(registry_apps, during_grace_any_gateway_posts, .init = setup)
{
	glasses_down(U, 11);
	gateway_lease(GATEWAY_A, 5000);
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	cr_assert_eq(bench_peer(EVENT_REGISTRY_HOOK, 0).incarnation, GATEWAY_B);
}

Test(registry_apps, one_standard_app_at_a_time, .init = setup)
{
	app_start(U, "std1", APP_TYPE_STANDARD);
	app_opened(U, "std1", 21);
	app_up(U, "bg", 22);
	app_start(U, "std2", APP_TYPE_STANDARD);
	expect_said("app.changed registry.hook app.changed registry.hook");
	cr_assert_eq(hook(), HOOK_STOP);
	cr_assert_eq(state_of("std1"), APP_STOPPING);
	cr_assert_eq(state_of("std2"), APP_LOADING);
	cr_assert_eq(state_of("bg"), APP_RUNNING);
	app_start(U, "bg2", APP_TYPE_BACKGROUND);
	cr_assert_eq(state_of("std2"), APP_LOADING);
	app_opened(U, "std2", 23);
	app_closed(U, "std2", 23);
	app_start(U, "std3", APP_TYPE_STANDARD);
	cr_assert_eq(state_of("std2"), APP_STOPPING, "also one in grace");
}

Test(registry_apps, of_two_standard_apps_the_one_asked_for_last_runs, .init = setup)
{
	app_start(U, "std1", APP_TYPE_STANDARD);
	app_opened(U, "std1", 21);
	app_start(U, "std2", APP_TYPE_STANDARD); /* stops std1 */
	app_opened(U, "std2", 22);
	app_start(U, "std1", APP_TYPE_STANDARD); /* again, once it has stopped */
	hook_done(U, "std1", HOOK_STOP);
	cr_assert_eq(state_of("std1"), APP_LOADING);
	cr_assert_eq(state_of("std2"), APP_STOPPING);
}

Test(registry_apps, a_standard_app_asked_for_calls_off_a_restart, .init = setup)
{
	app_start(U, "std1", APP_TYPE_STANDARD);
	app_opened(U, "std1", 21);
	app_stop(U, "std1");
	app_start(U, "std1", APP_TYPE_STANDARD);
	app_start(U, "std2", APP_TYPE_STANDARD);
	hook_done(U, "std1", HOOK_STOP);
	cr_assert_eq(state_of("std1"), APP_STOPPED);
	cr_assert_eq(state_of("std2"), APP_LOADING);
}

Test(registry_apps, what_cannot_be_started_is_ignored, .init = setup)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_START);

	event.edge_app_start.package = TEXT("unheard.of");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	expect_said("");
	app_start("stranger@x", "pa", APP_TYPE_BACKGROUND);
	expect_said("");
	cr_assert_eq(bench.registry.stats.ignored, 2);
}

Test(registry_apps, one_app_past_the_limit, .init = setup)
{
	static char names[APPS_PER_USER_MAX + 1][8];

	for (unsigned i = 0; i <= APPS_PER_USER_MAX; i++) {
		struct stream_event event = about(U, EVENT_EDGE_APP_OPENED);

		(void)snprintf(names[i], sizeof names[i], "p%u", i);
		app_start(U, names[i], APP_TYPE_BACKGROUND);
		cr_assert_eq(state_of(names[i]), i < APPS_PER_USER_MAX ? APP_LOADING : APP_STOPPED);
		event.edge_app_opened.package = text_of(names[i]);
		event.edge_app_opened.link = 100 + i;
		event.edge_app_opened.key_ok = event.edge_app_opened.resumed = true;
		bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
		cr_assert_eq(verdict(), i < APPS_PER_USER_MAX ? RESULT_OK : RESULT_FULL);
	}
	app_start(U, "p3", APP_TYPE_BACKGROUND);
	cr_assert_eq(state_of("p3"), APP_RUNNING);
	app_stop(U, "p3");
	hook_done(U, "p3", HOOK_STOP);
	app_start(U, names[APPS_PER_USER_MAX], APP_TYPE_BACKGROUND);
	cr_assert_eq(state_of(names[APPS_PER_USER_MAX]), APP_LOADING);
}

/* Init -------------------------------------------------------------------------------------- */

struct init_row {
	enum app_state state;
	bool resumed;
	enum result result;
};

static void bring_to(const char *package, enum app_state state)
{
	if (state == APP_STOPPED)
		return;
	app_start(U, package, APP_TYPE_BACKGROUND);
	if (state == APP_LOADING)
		return;
	app_opened(U, package, 21);
	if (state == APP_STOPPING)
		app_stop(U, package);
	if (state == APP_GRACE || state == APP_RESURRECTING)
		app_closed(U, package, 21);
	if (state == APP_RESURRECTING)
		grace_over(package);
	cr_assert_eq(state_of(package), state);
}

Test(registry_apps, who_may_connect)
{
	static const struct init_row rows[] = {
		{ APP_STOPPED, false, RESULT_APP_NOT_STARTED },
		{ APP_LOADING, false, RESULT_OK },
		{ APP_RUNNING, false, RESULT_OK },
		{ APP_GRACE, false, RESULT_OK },
		{ APP_RESURRECTING, false, RESULT_APP_NOT_STARTED },
		{ APP_STOPPING, false, RESULT_APP_NOT_STARTED },
		{ APP_STOPPED, true, RESULT_OK },
		{ APP_LOADING, true, RESULT_OK },
		{ APP_RUNNING, true, RESULT_OK },
		{ APP_GRACE, true, RESULT_OK },
		{ APP_RESURRECTING, true, RESULT_OK },
		{ APP_STOPPING, true, RESULT_APP_NOT_STARTED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stream_event event = about(U, EVENT_EDGE_APP_OPENED);

		setup();
		bring_to("pa", rows[i].state);
		event.edge_app_opened.package = TEXT("pa");
		event.edge_app_opened.link = 31;
		event.edge_app_opened.app_type = APP_TYPE_BACKGROUND;
		event.edge_app_opened.resumed = rows[i].resumed;
		bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
		cr_expect_eq(verdict(), RESULT_BAD_KEY, "row %zu: the key comes first", i);
		event.edge_app_opened.key_ok = true;
		bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
		cr_expect_eq(verdict(), rows[i].result, "row %zu", i);
		cr_expect_eq(state_of("pa"),
			     rows[i].result == RESULT_OK ? APP_RUNNING : rows[i].state);
		event.user_id = TEXT("stranger@x");
		event.edge_app_opened.resumed = false;
		bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
		cr_expect_eq(verdict(), RESULT_NO_SESSION);
		bench_close();
	}
}

Test(registry_apps, a_resumed_socket_is_not_announced_to_the_glasses, .init = setup)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_OPENED);

	event.edge_app_opened.package = TEXT("pa");
	event.edge_app_opened.link = 31;
	event.edge_app_opened.key_ok = event.edge_app_opened.resumed = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	expect_said("registry.app_result app.changed");
}

/* Loss and return --------------------------------------------------------------------------- */

/* G13 a */
Test(registry_apps, back_within_grace, .init = setup)
{
	app_up(U, "pa", 21);
	app_closed(U, "pa", 21);
	expect_said("app.changed");
	cr_assert_eq(state_of("pa"), APP_GRACE);
	cr_assert_eq(the_app(U, "pa")->link, 0);
	uint64_t lost = the_app(U, "pa")->seq;

	app_opened(U, "pa", 22);
	expect_said("registry.app_result app.changed registry.glasses_notice");
	timer(TIMER_APP_GRACE, U, "pa", lost);
	expect_said("");
	timer(TIMER_APP_GRACE, U, "pa", the_app(U, "pa")->seq);
	expect_said(""); /* it runs */
	cr_assert_eq(state_of("pa"), APP_RUNNING);
}

/* G13 b */
Test(registry_apps, resurrection, .init = setup)
{
	app_up(U, "pa", 21);
	app_closed(U, "pa", 21);
	grace_over("pa");
	expect_said("app.changed registry.hook");
	cr_assert_eq(hook(), HOOK_STOP);
	cr_assert_eq(state_of("pa"), APP_RESURRECTING);
	hook_done(U, "pa", HOOK_STOP);
	expect_said("app.changed registry.hook");
	cr_assert_eq(hook(), HOOK_SESSION);
	cr_assert_eq(state_of("pa"), APP_LOADING);
	app_opened(U, "pa", 22);
	cr_assert_eq(state_of("pa"), APP_RUNNING);
}

Test(registry_apps, resurrection_whose_stop_webhook_got_lost, .init = setup)
{
	bring_to("pa", APP_RESURRECTING);
	connect_over("pa");
	expect_said("app.changed registry.hook");
	cr_assert_eq(hook(), HOOK_SESSION);
	connect_over("pa");
	expect_said("app.changed");
	cr_assert_null(the_app(U, "pa"));
}

/* D6: nobody stops the stream of an app that does not come back. */
Test(registry_apps, a_stream_outlives_its_lost_app, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	stream_open(U, "pa", 0);
	app_closed(U, "pa", 21);
	grace_over("pa");
	hook_done(U, "pa", HOOK_STOP);
	connect_over("pa");
	expect_said("app.changed");
	cr_assert(the_stream(U));
}

Test(registry_apps, hooks_are_known_by_their_number, .init = setup)
{
	struct stream_event event = about(U, EVENT_EDGE_HOOK_DONE);

	bring_to("pa", APP_STOPPING);
	event.edge_hook_done.package = TEXT("pa");
	event.edge_hook_done.hook = HOOK_STOP;
	event.edge_hook_done.hook_id = 1; /* of the session webhook */
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	expect_said("");
	event.edge_hook_done.hook_id = 77;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	event.edge_hook_done.package = TEXT("pb");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	cr_assert_eq(bench.registry.stats.ignored, 3);
	cr_assert_eq(state_of("pa"), APP_STOPPING);
	app_up(U, "pb", 22);
	hook_done(U, "pb", HOOK_STOP); /* its number, but it is not being stopped */
	expect_said("");
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_eq(state_of("pa"), APP_STOPPED);
}

/* Stop -------------------------------------------------------------------------------------- */

Test(registry_apps, stop_in_order, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	app_stop(U, "pa");
	expect_said("app.changed registry.hook");
	cr_assert_eq(hook(), HOOK_STOP);
	cr_assert_eq(the_app(U, "pa")->link, 21,
		     "it keeps its socket until the webhook is answered");
	app_stop(U, "pa");
	expect_said("");
	hook_done(U, "pa", HOOK_STOP);
	expect_said(
		"registry.glasses_notice registry.link_close app.changed registry.relay_filter");
	const struct stream_event *close = bench_fx(EVENT_REGISTRY_LINK_CLOSE, 0);

	cr_assert(close->registry_link_close.app_stopped);
	cr_assert_eq(close->registry_link_close.link, 21);
	cr_assert_eq(close->registry_link_close.code, 1000);
	cr_assert(text_is(close->registry_link_close.reason, "App stopped"));
	cr_assert_eq(bench_peer(EVENT_REGISTRY_LINK_CLOSE, 0).incarnation, GATEWAY_B);
	app_stop(U, "pa");
	expect_said("");
	app_stop("stranger@x", "pa");
	expect_said("");
}

Test(registry_apps, a_stop_webhook_that_is_not_answered, .init = setup)
{
	bring_to("pa", APP_STOPPING);
	connect_over("pa");
	expect_said(
		"registry.glasses_notice registry.link_close app.changed registry.relay_filter");
	cr_assert_null(the_app(U, "pa"));
}

Test(registry_apps, stop_from_every_state)
{
	for (enum app_state state = APP_LOADING; state < APP_STATE_COUNT; state++) {
		setup();
		bring_to("pa", state);
		app_stop(U, "pa");
		cr_expect_eq(state_of("pa"), APP_STOPPING);
		hook_done(U, "pa", HOOK_STOP);
		cr_expect_null(the_app(U, "pa"), "from %s", words_name(&app_state_words, state));
		bench_close();
	}
}

Test(registry_apps, started_again_while_it_stops, .init = setup)
{
	bring_to("pa", APP_STOPPING);
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	expect_said("");
	hook_done(U, "pa", HOOK_STOP);
	expect_said("registry.glasses_notice registry.link_close app.changed registry.relay_filter "
		    "app.changed registry.hook");
	cr_assert_eq(state_of("pa"), APP_LOADING);
	app_opened(U, "pa", 22);
	app_stop(U, "pa");
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	app_stop(U, "pa"); /* after all not */
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_null(the_app(U, "pa"));
}

Test(registry_apps, a_socket_lost_while_it_stops, .init = setup)
{
	bring_to("pa", APP_STOPPING);
	app_closed(U, "pa", 21); /* as the SDK does on the stop webhook */
	expect_said("");
	cr_assert_eq(state_of("pa"), APP_STOPPING);
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_null(the_app(U, "pa"));
}

/* D5 */
Test(registry_apps, its_stream_ends_with_the_stop_after_the_webhook, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	app_up(U, "pb", 22);
	stream_open(U, "pa", 0);
	app_stop(U, "pb");
	hook_done(U, "pb", HOOK_STOP);
	cr_assert(the_stream(U), "not another's");
	app_stop(U, "pa");
	cr_assert(the_stream(U), "the webhook first: the app may stop it itself");
	hook_done(U, "pa", HOOK_STOP);
	expect_said("stream.closed registry.glasses_notice registry.link_close app.changed "
		    "registry.relay_filter");
	const struct stream_event *closed = bench_fx(EVENT_STREAM_CLOSED, 0);

	cr_assert_eq(closed->stream_closed.end_cause, END_APP_CLOSED);
	cr_assert(text_is(closed->stream_closed.by, "pa"));
	cr_assert_not(closed->stream_closed.told_owed,
		      "2.7: nothing is said to one that is stopping");
	cr_assert(closed->stream_closed.stop_owed);
	cr_assert(text_is(closed->stream_closed.stop_app_id, "pa"));
}

/* D16: replaced sockets ---------------------------------------------------------------------- */

Test(registry_apps, a_replaced_socket_stays_open_until_the_stop, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	app_opened(U, "pa", 22);
	expect_said("registry.app_result app.changed registry.glasses_notice");
	app_closed(U, "pa", 21);
	expect_said(""); /* its close does not evict the newer one */
	cr_assert_eq(state_of("pa"), APP_RUNNING);
	app_opened(U, "pa", 23);
	app_stop(U, "pa");
	hook_done(U, "pa", HOOK_STOP);
	expect_said("registry.glasses_notice registry.link_close registry.link_close app.changed "
		    "registry.relay_filter");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_LINK_CLOSE, 0)->registry_link_close.link, 22);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_LINK_CLOSE, 1)->registry_link_close.link, 23);
}

Test(registry_apps, the_close_of_the_new_one_is_a_loss_though_the_old_is_open, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	app_opened(U, "pa", 22);
	app_closed(U, "pa", 22);
	cr_assert_eq(state_of("pa"), APP_GRACE);
	app_closed(U, "pa", 21);
	expect_said("");
	app_closed(U, "pa", 21);
	cr_assert_eq(bench.registry.stats.ignored, 1, "it is known no more");
}

Test(registry_apps, one_replaced_socket_past_the_limit, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	for (uint64_t link = 22; link < 22 + APP_OLD_LINKS_MAX; link++) {
		app_opened(U, "pa", link);
		expect_said("registry.app_result app.changed registry.glasses_notice");
	}
	app_opened(U, "pa", 50);
	expect_said("registry.app_result registry.link_close app.changed registry.glasses_notice");
	const struct stream_event *close = bench_fx(EVENT_REGISTRY_LINK_CLOSE, 0);

	cr_assert_eq(close->registry_link_close.link, 21, "the oldest goes");
	cr_assert_not(close->registry_link_close.app_stopped);
	app_closed(U, "pa", 23); /* one from the middle */
	app_opened(U, "pa", 51);
	expect_said("registry.app_result app.changed registry.glasses_notice");
	app_opened(U, "pa", 52);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_LINK_CLOSE, 0)->registry_link_close.link, 22,
		     "still the oldest");
}

Test(registry_apps, the_same_socket_told_twice_is_not_replaced, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	app_opened(U, "pa", 21);
	app_stop(U, "pa");
	hook_done(U, "pa", HOOK_STOP);
	expect_said(
		"registry.glasses_notice registry.link_close app.changed registry.relay_filter");
}

/* A socket that was left open must not stay so for ever when the app is given up. */
Test(registry_apps, replaced_sockets_are_closed_when_resurrection_fails, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	app_opened(U, "pa", 22);
	app_closed(U, "pa", 22);
	grace_over("pa");
	hook_done(U, "pa", HOOK_STOP);
	connect_over("pa");
	expect_said("registry.link_close app.changed");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_LINK_CLOSE, 0)->registry_link_close.link, 21);
}

Test(registry_apps, everything_is_closed_at_the_end_of_the_session, .init = setup)
{
	bring_to("pa", APP_RUNNING);
	app_opened(U, "pa", 22);
	app_up(U, "pb", 23);
	app_start(U, "pc", APP_TYPE_BACKGROUND);
	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	expect_said("session.ending registry.link_close registry.link_close registry.link_close "
		    "session.closed");
}
