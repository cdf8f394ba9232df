/* SPDX-License-Identifier: MIT */
/* Goal: sessions begin, change hands, wait for their apps and end as protocol.md 1.2 to 1.5 says.
 * Method: one fact of the edge after the other; what the registry says to it is compared as a
 * whole. Gateways that come and go: test_registry_gateways.c.
 */
#include <stdio.h>

#include "tests/lib/registry_bench.h"

#define U "u@x"

static enum notice notice(void)
{
	return (enum notice)bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 0)
		->registry_glasses_notice.notice;
}

static void grace_over(const char *user)
{
	timer(TIMER_SESSION_GRACE, user, "", the_user(user)->link_seq);
}

/* Adoption --------------------------------------------------------------------------------- */

Test(registry_sessions, a_new_user_is_acknowledged_at_once, .init = bench_setup)
{
	glasses_up(U, 11);
	expect_said("session.opened link.changed registry.glasses_notice");
	cr_assert_not(bench_fx(EVENT_SESSION_OPENED, 0)->session_opened.waiting);
	cr_assert_eq(notice(), NOTICE_CONNECTION_ACK);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 0)->registry_glasses_notice.link, 11);
	cr_assert_eq(bench_peer(EVENT_REGISTRY_GLASSES_NOTICE, 0).incarnation, GATEWAY_A);
	cr_assert_eq(the_user(U)->session, SESSION_OPEN);
	cr_assert_eq(bench_fx(EVENT_LINK_CHANGED, 0)->cause,
		     bench_fx(EVENT_SESSION_OPENED, 0)->seq);
}

Test(registry_sessions, a_second_socket_replaces_the_first_without_a_word_to_it,
     .init = bench_setup)
{
	glasses_up(U, 11);
	glasses_up(U, 12);
	expect_said("link.changed registry.glasses_notice registry.relay_filter");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 0)->registry_glasses_notice.link, 12);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_RELAY_FILTER, 0)->registry_relay_filter.link, 12);
	cr_assert_eq(the_user(U)->link, 12);
	glasses_down(U, 11);
	expect_said(""); /* the close of the old one means nothing */
	cr_assert_eq(bench.registry.stats.ignored, 1);
	cr_assert_eq(the_user(U)->link_state, LINK_UP);
	glasses_down(U, 12);
	expect_said("link.changed");
	cr_assert_eq(the_user(U)->link_state, LINK_DOWN);
	cr_assert_eq(bench_fx(EVENT_LINK_CHANGED, 0)->link_changed.code, 1006);
	glasses_down(U, 12);
	expect_said("");
}

Test(registry_sessions, a_socket_of_another_gateway_with_the_same_number, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	glasses_up(U, 11);
	event.edge_link_opened.link = 11;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	cr_assert_eq(the_user(U)->gateway, GATEWAY_B);
	glasses_down(U, 11); /* the one on GATEWAY_A */
	expect_said("");
	cr_assert_eq(the_user(U)->link_state, LINK_UP);
}

Test(registry_sessions, a_return_within_grace_keeps_the_session, .init = bench_setup)
{
	glasses_up(U, 11);
	glasses_down(U, 11);
	uint64_t down = the_user(U)->link_seq;

	glasses_up(U, 12);
	expect_said("link.changed registry.glasses_notice registry.relay_filter");
	timer(TIMER_SESSION_GRACE, U, "", down);
	expect_said(""); /* it was armed by a loss that is over */
	glasses_down(U, 12);
	timer(TIMER_SESSION_GRACE, U, "", down);
	expect_said("");
	timer(TIMER_SESSION_GRACE, "stranger@x", "", down);
	expect_said("");
	cr_assert_eq(bench.registry.stats.ignored, 3);
	grace_over(U);
	expect_said("session.ending session.closed");
	cr_assert_null(the_user(U));
	bench_empty();
}

Test(registry_sessions, told_again_is_not_opened_again, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = 11;
	event.edge_link_opened.resumed = true;
	event.edge_link_opened.dashboard = TEXT("dash");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	expect_said("session.opened link.changed"); /* it has its connection_ack, its apps run */
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	expect_said("registry.relay_filter"); /* nothing has changed */
}

Test(registry_sessions, users_with_hyphens_are_users, .init = bench_setup)
{
	glasses_up("a-b@x-y.example", 11);
	app_up("a-b@x-y.example", "com.ex-ample.cam", 21);
	cr_assert_eq(the_app("a-b@x-y.example", "com.ex-ample.cam")->state, APP_RUNNING);
}

Test(registry_sessions, a_socket_without_a_user_is_not_taken, .init = bench_setup)
{
	glasses_up("", 11);
	expect_said("registry.unknown_link");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_UNKNOWN_LINK, 0)->registry_unknown_link.link, 11);
}

Test(registry_sessions, nor_one_of_a_gateway_that_is_not_there, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = 11;
	bench_say((struct peer){ ROLE_GATEWAY, 99 }, &event);
	expect_said("registry.unknown_link");
	cr_assert_eq(bench_peer(EVENT_REGISTRY_UNKNOWN_LINK, 0).incarnation, 99);
	cr_assert_null(the_user(U));
}

Test(registry_sessions, one_user_past_the_limit)
{
	struct registry_options options = bench_options();
	struct stream_event event = about("", EVENT_EDGE_APP_OPENED);

	options.state.users_max = 2;
	bench_open(&options);
	glasses_up("u1", 1);
	glasses_up("u2", 2);
	glasses_up("u3", 3);
	expect_said("registry.unknown_link");
	cr_assert(text_is(bench_fx(EVENT_REGISTRY_UNKNOWN_LINK, 0)->user_id, "u3"));
	cr_assert_eq(bench.registry.stats.full, 1);
	event.user_id = TEXT("u3");
	event.edge_app_opened.package = TEXT("pa");
	event.edge_app_opened.key_ok = event.edge_app_opened.resumed = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	expect_said("registry.app_result");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.result,
		     RESULT_NO_SESSION);
	glasses_up("u1", 4);
	expect_said("link.changed registry.glasses_notice registry.relay_filter");
	glasses_down("u2", 2);
	grace_over("u2");
	glasses_up("u3", 5);
	expect_said("session.opened link.changed registry.glasses_notice");
}

/* Glasses ---------------------------------------------------------------------------------- */

static void say_glasses(bool has_state, bool connected, const char *model, enum wifi wifi)
{
	struct stream_event event = about(U, EVENT_EDGE_GLASSES);

	event.edge_glasses.has_state = has_state;
	event.edge_glasses.connected = connected;
	event.edge_glasses.model = text_of(model);
	event.edge_glasses.wifi = wifi;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}

Test(registry_sessions, the_state_of_the_glasses, .init = bench_setup)
{
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_start(U, "pb", APP_TYPE_BACKGROUND);
	say_glasses(true, true, "Mentra Live", WIFI_ON);
	expect_said("glasses.changed registry.capabilities");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_CAPABILITIES, 0)->registry_capabilities.link, 21);
	cr_assert(text_is(bench_fx(EVENT_REGISTRY_CAPABILITIES, 0)->registry_capabilities.model,
			  "Mentra Live"));
	say_glasses(true, true, "Mentra Live", WIFI_UNKNOWN);
	expect_said("registry.capabilities"); /* 1.6: on each connected state */
	cr_assert_eq(the_user(U)->wifi, WIFI_ON, "not said is not off");
	say_glasses(false, false, "", WIFI_OFF);
	expect_said("glasses.changed");
	cr_assert(the_user(U)->connected, "told by REST: only of the WiFi");
	say_glasses(true, false, "Mentra Live", WIFI_UNKNOWN);
	expect_said("glasses.changed");
	cr_assert_eq(bench_fx(EVENT_GLASSES_CHANGED, 0)->glasses_changed.model.length, 0,
		     "not connected clears the model");
	say_glasses(true, false, "", WIFI_UNKNOWN);
	expect_said("");
}

Test(registry_sessions, glasses_of_nobody, .init = bench_setup)
{
	say_glasses(true, true, "Mentra Live", WIFI_ON);
	expect_said("");
	cr_assert_eq(bench.registry.stats.ignored, 1);
}

/* No state of the glasses may be the one text too many. */
Test(registry_sessions, when_texts_run_out_the_glasses_lose_their_model)
{
	struct registry_options options = bench_options();
	static char names[24000][8];
	unsigned count = 0;

	options.state.users_max = 24000;
	options.state.apps_max = 64;
	options.state.text_bytes = 20 * POOL_PAGE_SIZE + 4096;
	bench_open(&options);
	bench.check_every = 20000;
	/* Names fill five pages, and leave those that must stay; models would take twenty. */
	for (; count < 24000; count++) {
		(void)snprintf(names[count], sizeof names[0], "u%u", count);
		glasses_up(names[count], count + 1);
		if (!the_user(names[count]))
			break;
	}
	cr_assert(count > 16000 && count < 24000, "texts run out first");
	cr_assert_eq(bench.registry.stats.full, 1);
	for (unsigned i = 0; i < count; i++) {
		glasses_state(names[i], "A model with quite a long name, for a block of 64 bytes");
		cr_assert(the_user(names[i])->connected);
	}
	cr_assert_gt(bench.registry.stats.full, 1000);
}

/* Apps that connection_ack waits for --------------------------------------------------------- */

static void glasses_up_with_dashboard(uint64_t link)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = link;
	event.edge_link_opened.dashboard = TEXT("dash");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}

Test(registry_sessions, the_ack_waits_for_the_dashboard, .init = bench_setup)
{
	glasses_up_with_dashboard(11);
	expect_said("session.opened link.changed app.changed registry.hook");
	cr_assert(bench_fx(EVENT_SESSION_OPENED, 0)->session_opened.waiting);
	cr_assert_eq(the_user(U)->session, SESSION_WAITING);
	cr_assert_eq(the_app(U, "dash")->type, APP_TYPE_DASHBOARD);
	glasses_up_with_dashboard(12); /* another socket meanwhile */
	expect_said("link.changed registry.relay_filter");
	app_opened(U, "dash", 21);
	cr_assert_eq(the_user(U)->session, SESSION_OPEN);
	expect_said("registry.app_result app.changed registry.glasses_notice session.ready "
		    "registry.glasses_notice");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 1)->registry_glasses_notice.notice,
		     NOTICE_CONNECTION_ACK);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 1)->registry_glasses_notice.link, 12);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.seen_seq,
		     bench.registry.seq, "the app is judged on all of this");
}

Test(registry_sessions, the_ack_does_not_wait_for_an_app_that_fails, .init = bench_setup)
{
	glasses_up_with_dashboard(11);
	timer(TIMER_APP_CONNECT, U, "dash", the_app(U, "dash")->seq);
	expect_said("app.changed session.ready registry.glasses_notice");
	cr_assert_eq(notice(), NOTICE_CONNECTION_ACK);
	cr_assert_null(the_app(U, "dash"));
}

Test(registry_sessions, the_ack_does_not_wait_for_an_app_that_is_stopped, .init = bench_setup)
{
	glasses_up_with_dashboard(11);
	app_stop(U, "dash");
	cr_assert_eq(the_user(U)->session, SESSION_WAITING);
	hook_done(U, "dash", HOOK_STOP);
	cr_assert_eq(the_user(U)->session, SESSION_OPEN);
}

static void leave_with_apps(void)
{
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_up(U, "pb", 22);
	app_stop(U, "pb");
	app_up(U, "pc", 23);
	glasses_down(U, 11);
	grace_over(U);
}

Test(registry_sessions, apps_that_ran_are_started_when_the_user_returns, .init = bench_setup)
{
	leave_with_apps();
	cr_assert_eq(bench.registry.state.sessions_count, 0);
	glasses_up_with_dashboard(12);
	expect_said("session.opened link.changed app.changed registry.hook app.changed "
		    "registry.hook app.changed registry.hook");
	cr_assert_eq(the_user(U)->session, SESSION_WAITING);
	cr_assert_null(the_app(U, "pb"), "it was being stopped");
	app_opened(U, "pa", 31);
	app_opened(U, "pc", 32);
	cr_assert_eq(the_user(U)->session, SESSION_WAITING);
	app_opened(U, "dash", 33);
	cr_assert_eq(the_user(U)->session, SESSION_OPEN);
}

Test(registry_sessions, remembered_apps_of_a_resumed_session_are_not_started, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	leave_with_apps();
	event.edge_link_opened.link = 12;
	event.edge_link_opened.resumed = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	expect_said("session.opened link.changed");
	app_opened(U, "pa", 31);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.result,
		     RESULT_APP_NOT_STARTED);
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	expect_said("app.changed registry.hook");
}

Test(registry_sessions, no_more_apps_than_a_user_may_have, .init = bench_setup)
{
	static char package[APPS_PER_USER_MAX][8];

	glasses_up(U, 11);
	for (unsigned i = 0; i < APPS_PER_USER_MAX; i++) {
		(void)snprintf(package[i], sizeof package[i], "p%u", i);
		app_up(U, package[i], 100 + i);
	}
	glasses_down(U, 11);
	grace_over(U);
	glasses_up_with_dashboard(12);
	cr_assert_null(the_app(U, "dash"), "there is no room for it beside the others");
	cr_assert_eq(bench.registry.state.apps_count, APPS_PER_USER_MAX);
}

/* An app told again after our restart, before the glasses are ---------------------------------- */

Test(registry_sessions, an_app_may_come_back_before_its_glasses, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_OPENED);

	event.edge_app_opened.link = 21;
	event.edge_app_opened.package = TEXT("pa");
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.app_type = APP_TYPE_BACKGROUND;
	event.edge_app_opened.resumed = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	expect_said("session.opened link.changed registry.app_result app.changed");
	cr_assert_eq(the_user(U)->link_state, LINK_DOWN);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING);
	struct stream_event link = about(U, EVENT_EDGE_LINK_OPENED);

	link.edge_link_opened.link = 11;
	link.edge_link_opened.resumed = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &link);
	expect_said("link.changed registry.relay_filter");
	glasses_down(U, 11);
	grace_over(U);
	expect_said("session.ending registry.link_close session.closed");
}

Test(registry_sessions, glasses_that_never_come_back_end_that_session, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_OPENED);

	event.edge_app_opened.package = TEXT("pa");
	event.edge_app_opened.link = 21;
	event.edge_app_opened.resumed = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.result,
		     RESULT_NO_SESSION, "its key is not good any more");
	expect_said("registry.app_result");
	event.edge_app_opened.key_ok = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	grace_over(U);
	expect_said("session.ending registry.link_close session.closed");
}
