/* SPDX-License-Identifier: MIT */
/* Goal: a session ends as protocol.md 1.5 and D7 say: the owners are told, then the app sockets are
 * closed, whatever comes back meanwhile.  How sessions begin: test_registry_sessions.c.
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

static void glasses_up_with_dashboard(uint64_t link)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = link;
	event.edge_link_opened.dashboard = TEXT("dash");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}

/* The end ---------------------------------------------------------------------------------- */

static void stream_and_loss(void)
{
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	stream_open(U, "pa", 0);
	glasses_down(U, 11);
}

static void tell_app(const char *id, uint64_t epoch)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_TOLD);

	event.stream_id = text_of(id);
	event.epoch = epoch;
	event.edge_app_told.package = TEXT("pa");
	event.edge_app_told.outcome = OUTCOME_SENT;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

/* D7: the status first, then the sockets. */
Test(registry_session_end, the_owner_is_told_before_its_socket_is_closed, .init = bench_setup)
{
	stream_and_loss();
	const char *id = the_id(the_stream(U));

	grace_over(U);
	expect_said("stream.closed session.ending");
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause, END_SESSION_ENDED);
	cr_assert(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.told_owed);
	cr_assert_eq(the_user(U)->session, SESSION_ENDING);
	tell_app(id, 100);
	expect_said("stream.told registry.link_close session.closed");
	const struct stream_event *close = bench_fx(EVENT_REGISTRY_LINK_CLOSE, 0);

	cr_assert(close->registry_link_close.app_stopped);
	cr_assert_eq(close->registry_link_close.code, 1000);
	cr_assert(text_is(close->registry_link_close.reason, "User session ended"));
	cr_assert(the_user(U), "the device is still owed a stop");
	glasses_up(U, 12);
	cr_assert_eq(the_user(U)->session, SESSION_WAITING,
		     "a fresh session, with the apps of the old");
}

Test(registry_session_end, an_owner_that_cannot_be_told_holds_it_up_for_two_seconds,
     .init = bench_setup)
{
	stream_and_loss();
	grace_over(U);
	bench_tick(1999);
	cr_assert_eq(the_user(U)->session, SESSION_ENDING);
	bench_tick(1);
	expect_said("registry.link_close session.closed");
	cr_assert_eq(bench.registry.endings_count, 0);
	cr_assert_eq(the_user(U)->session, SESSION_NONE);
}

Test(registry_session_end, a_second_grace_does_not_end_it_twice, .init = bench_setup)
{
	stream_and_loss();
	grace_over(U);
	grace_over(U);
	expect_said("");
	cr_assert_eq(bench.registry.endings_count, 1);
}

Test(registry_session_end, nothing_starts_while_it_ends, .init = bench_setup)
{
	stream_and_loss();
	grace_over(U);
	app_opened(U, "pa", 22);
	expect_said("registry.app_result");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.result,
		     RESULT_NO_SESSION);
	app_start(U, "pb", APP_TYPE_BACKGROUND);
	expect_said("");
	stream_open(U, "pa", 0);
	cr_assert_eq(bench_answer(), RESULT_NO_SESSION);
}

/* The glasses return while the session ends: it ends all the same, and they get a fresh one. */
Test(registry_session_end, a_return_during_the_end, .init = bench_setup)
{
	stream_and_loss();
	const char *id = the_id(the_stream(U));

	grace_over(U);
	glasses_up(U, 12);
	cr_assert_eq(the_user(U)->session, SESSION_ENDING);
	expect_said("link.changed registry.relay_filter"); /* the ack is the new session's */
	tell_app(id, 100);
	expect_said("stream.told registry.link_close session.closed session.opened link.changed "
		    "app.changed registry.hook");
	cr_assert_eq(the_user(U)->session, SESSION_WAITING);
	cr_assert_eq(the_user(U)->link, 12);
	cr_assert_eq(the_user(U)->link_state, LINK_UP);
	app_opened(U, "pa", 22);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 1)->registry_glasses_notice.notice,
		     NOTICE_CONNECTION_ACK);
	cr_assert_eq(the_user(U)->session, SESSION_OPEN);
}

Test(registry_session_end, a_return_during_the_end_without_apps, .init = bench_setup)
{
	stream_and_loss();
	app_stop(U, "pa");
	grace_over(U);
	cr_assert_eq(the_user(U)->session, SESSION_NONE,
		     "an owner that is stopping is not waited for");
	glasses_up(U, 12);
	expect_said("session.opened link.changed registry.glasses_notice");
}

Test(registry_session_end, a_return_during_the_end_of_which_no_app_is_left, .init = bench_setup)
{
	stream_and_loss();
	const char *id = the_id(the_stream(U));

	grace_over(U);
	glasses_up(U, 12);
	app_stop(U, "pa");
	hook_done(U, "pa", HOOK_STOP);
	tell_app(id, 100);
	expect_said("stream.told session.closed session.opened link.changed "
		    "registry.glasses_notice");
	cr_assert_eq(notice(), NOTICE_CONNECTION_ACK);
}

/* Its place has gone to somebody who is there. */
Test(registry_session_end, a_return_during_the_end_without_room)
{
	struct registry_options options = bench_options();

	options.state.streams_max = 2;
	bench_open(&options);
	stream_and_loss();
	const char *id = the_id(the_stream(U));

	grace_over(U);
	glasses_up(U, 12);
	glasses_up("v@x", 13);
	app_up("v@x", "pa", 31);
	stream_open("v@x", "pa", 0); /* with the stop that is owed to U, all places are taken */
	tell_app(id, 100);
	expect_said("stream.told registry.link_close session.closed registry.unknown_link");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_UNKNOWN_LINK, 0)->registry_unknown_link.link, 12);
	cr_assert_eq(the_user(U)->session, SESSION_NONE);
}

Test(registry_session_end, a_return_and_loss_during_the_end, .init = bench_setup)
{
	stream_and_loss();
	grace_over(U);
	glasses_up(U, 12);
	glasses_down(U, 12);
	bench_tick(2000);
	cr_assert_eq(the_user(U)->session, SESSION_NONE);
	cr_assert_eq(bench.registry.state.sessions_count, 0);
}

Test(registry_session_end, a_waiting_session_ends_too, .init = bench_setup)
{
	glasses_up_with_dashboard(11);
	glasses_down(U, 11);
	grace_over(U);
	expect_said("session.ending session.closed");
	cr_assert_eq(the_app(U, "dash")->state, APP_STOPPED);
}

/* One past the sessions that may wait for their last statuses: it ends at once, none is lost. */
Test(registry_session_end, as_many_endings_as_there_are_places)
{
	struct registry_options options = bench_options();
	static char names[REGISTRY_ENDINGS_MAX + 1][8];

	options.state.users_max = options.state.streams_max = 2 * REGISTRY_ENDINGS_MAX;
	options.state.apps_max = 40 * REGISTRY_ENDINGS_MAX;
	options.state.text_bytes = 16u << 20;
	bench_open(&options);
	for (unsigned i = 0; i <= REGISTRY_ENDINGS_MAX; i++)
		(void)snprintf(names[i], sizeof names[i], "u%u", i);
	/* Sessions that have nothing to wait for take no place. */
	for (unsigned i = 0; i < 20; i++) {
		glasses_up(names[i], 1);
		glasses_down(names[i], 1);
		grace_over(names[i]);
		cr_assert_eq(bench.registry.endings_count, 0);
	}
	bench.check_every = 500;
	for (unsigned i = 0; i <= REGISTRY_ENDINGS_MAX; i++) {
		glasses_up(names[i], 1);
		app_up(names[i], "pa", 2);
		stream_open(names[i], "pa", 0);
		glasses_down(names[i], 1);
		grace_over(names[i]);
		cr_assert_eq(the_user(names[i])->session,
			     i < REGISTRY_ENDINGS_MAX ? SESSION_ENDING : SESSION_NONE, "%u", i);
	}
	cr_assert_eq(bench.registry.endings_count, REGISTRY_ENDINGS_MAX);
	bench_tick(2000);
	cr_assert_eq(bench.registry.endings_count, 0);
	cr_assert_eq(bench.registry.state.sessions_count, 0);
}

/* The busiest end of all, and many at a time, fit into what one input may cause. */
Test(registry_session_end, many_busy_sessions_end_in_one_tick)
{
	struct registry_options options = bench_options();
	static char names[40][USER_ID_MAX + 1], packages[APPS_PER_USER_MAX][8];

	options.state.users_max = 64;
	options.state.apps_max = 64 * 2 * APPS_PER_USER_MAX;
	bench_open(&options);
	for (unsigned i = 0; i < 40; i++) {
		memset(names[i], 'n', USER_ID_MAX);
		(void)snprintf(names[i], 4, "u%02u", i);
		names[i][3] = 'n';
		glasses_up(names[i], 1);
		for (unsigned k = 0; k < APPS_PER_USER_MAX && i < 3; k++) {
			(void)snprintf(packages[k], sizeof packages[k], "p%u", k);
			app_up(names[i], packages[k], 100 * (k + 1));
			for (unsigned link = 1; link <= APP_OLD_LINKS_MAX; link++)
				app_opened(names[i], packages[k], 100 * (k + 1) + link);
		}
		if (i >= 3)
			app_up(names[i], "p0", 7);
		stream_open(names[i], "p0", 0);
		glasses_down(names[i], 1);
		grace_over(names[i]);
		glasses_up(names[i], 2);
		cr_assert_eq(the_user(names[i])->session, SESSION_ENDING);
	}
	bench_tick(2000);
	cr_assert_eq(bench.registry.endings_count, 0);
	for (unsigned i = 0; i < 40; i++)
		cr_assert_eq(the_user(names[i])->session, SESSION_WAITING, "%u", i);
}
