/* SPDX-License-Identifier: MIT */
/* Goal: whoever starts or stops an app by REST gets one answer, its own, whatever becomes of the
 * app (protocol.md 1.6), and the registry one check gets what it may know (D19).  Method: every
 * fate of an app with callers waiting; one caller past each limit.
 */
#include <stdio.h>

#include "tests/lib/registry_bench.h"

#define U "u@x"

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
}

static void rest(enum stream_event_type type, const char *user, const char *package,
		 uint64_t request)
{
	struct stream_event event = about(user, type);

	event.origin = GATEWAY_A;
	event.request = request;
	if (type == EVENT_EDGE_APP_START) {
		event.edge_app_start.package = text_of(package);
		event.edge_app_start.rest = event.edge_app_start.known = true;
		event.edge_app_start.app_type = APP_TYPE_BACKGROUND;
	} else {
		event.edge_app_stop.package = text_of(package);
		event.edge_app_stop.rest = event.edge_app_stop.known = true;
	}
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}

static void rest_start(const char *package, uint64_t request)
{
	rest(EVENT_EDGE_APP_START, U, package, request);
}

static void rest_stop(const char *package, uint64_t request)
{
	rest(EVENT_EDGE_APP_STOP, U, package, request);
}

/* The answer to @request among what was just said; RESULT_NONE if there is none. */
static enum result answer_to(uint64_t request)
{
	for (size_t i = 0; i < bench.fx.count; i++) {
		const struct stream_event *event = &bench.fx.items[i].event;

		if (event->type != EVENT_REGISTRY_APP_RESULT || event->request != request)
			continue;
		cr_assert_eq(event->origin, GATEWAY_A);
		cr_assert_eq(event->registry_app_result.link, 0);
		cr_assert_eq(bench.fx.items[i].peer.incarnation, GATEWAY_A);
		cr_assert_gt(event->registry_app_result.package.length, 0);
		cr_assert_leq(event->registry_app_result.seen_seq, bench.registry.seq);
		return (enum result)event->registry_app_result.result;
	}
	return RESULT_NONE;
}

static unsigned waiting(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < REGISTRY_WAITERS_MAX; i++)
		count += bench.registry.waiters[i].app != STATE_NONE;
	return count;
}

Test(registry_rest, start_is_answered_when_the_app_runs, .init = setup)
{
	rest_start("pa", 1);
	expect_said("app.changed registry.hook");
	rest_start("pa", 2);
	expect_said("");
	cr_assert_eq(waiting(), 2);
	app_opened(U, "pa", 21);
	expect_said("registry.app_result app.changed registry.glasses_notice registry.app_result "
		    "registry.glasses_notice registry.app_result registry.glasses_notice");
	cr_assert_eq(answer_to(1), RESULT_OK);
	cr_assert_eq(answer_to(2), RESULT_OK);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 1)->registry_glasses_notice.notice,
		     NOTICE_APP_STARTED);
	cr_assert_eq(waiting(), 0);
	rest_start("pa", 3);
	expect_said("registry.app_result");
	cr_assert_eq(answer_to(3), RESULT_OK);
}

Test(registry_rest, start_is_answered_when_the_app_fails, .init = setup)
{
	rest_start("pa", 1);
	timer(TIMER_APP_CONNECT, U, "pa", the_app(U, "pa")->seq);
	cr_assert_eq(answer_to(1), RESULT_FAILED);
	rest_start("pa", 2);
	app_stop(U, "pa");
	cr_assert_eq(waiting(), 1);
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_eq(answer_to(2), RESULT_FAILED);
	rest_start("pa", 3);
	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	cr_assert_eq(answer_to(3), RESULT_FAILED);
	cr_assert_eq(waiting(), 0);
}

Test(registry_rest, start_of_an_app_in_grace_or_resurrecting, .init = setup)
{
	app_up(U, "pa", 21);
	app_closed(U, "pa", 21);
	rest_start("pa", 1);
	cr_assert_eq(answer_to(1), RESULT_OK, "it counts as running");
	timer(TIMER_APP_GRACE, U, "pa", the_app(U, "pa")->seq);
	rest_start("pa", 2);
	expect_said("");
	hook_done(U, "pa", HOOK_STOP);
	app_opened(U, "pa", 22);
	cr_assert_eq(answer_to(2), RESULT_OK);
}

Test(registry_rest, stop_is_answered_when_it_is_done, .init = setup)
{
	app_up(U, "pa", 21);
	rest_stop("pa", 1);
	expect_said("app.changed registry.hook");
	rest_stop("pa", 2);
	expect_said("");
	hook_done(U, "pa", HOOK_STOP);
	expect_said(
		"registry.glasses_notice registry.link_close registry.app_result "
		"registry.glasses_notice registry.app_result registry.glasses_notice app.changed "
		"registry.relay_filter");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 0)->registry_app_result.result, RESULT_OK);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_APP_RESULT, 1)->registry_app_result.result, RESULT_OK);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 1)->registry_glasses_notice.notice,
		     NOTICE_APP_STOPPED);
	cr_assert_eq(waiting(), 0);
	rest_stop("pa", 3);
	cr_assert_eq(answer_to(3), RESULT_OK, "it does not run: that is what was asked for");
}

Test(registry_rest, stop_and_start_wait_for_their_own, .init = setup)
{
	app_up(U, "pa", 21);
	rest_stop("pa", 1);
	rest_start("pa", 2); /* again, once it has stopped */
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_eq(waiting(), 1);
	cr_assert_eq(the_app(U, "pa")->state, APP_LOADING);
	cr_assert_eq(answer_to(2), RESULT_NONE);
	app_opened(U, "pa", 22);
	cr_assert_eq(answer_to(2), RESULT_OK);
	rest_stop("pa", 3);
	rest_start("pa", 4);
	rest_stop("pa", 5); /* after all not */
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_eq(waiting(), 0);
	cr_assert_null(the_app(U, "pa"));
}

Test(registry_rest, who_cannot_be_served_is_told_at_once, .init = setup)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_START);

	rest(EVENT_EDGE_APP_START, "stranger@x", "pa", 1);
	cr_assert_eq(answer_to(1), RESULT_NO_SESSION);
	rest(EVENT_EDGE_APP_STOP, "stranger@x", "pa", 2);
	cr_assert_eq(answer_to(2), RESULT_NO_SESSION);
	event.origin = GATEWAY_A;
	event.request = 3;
	event.edge_app_start.package = TEXT("unheard.of");
	event.edge_app_start.rest = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	cr_assert_eq(answer_to(3), RESULT_NOT_FOUND);
	event = about(U, EVENT_EDGE_APP_STOP);
	event.origin = GATEWAY_A;
	event.request = 4;
	event.edge_app_stop.package = TEXT("unheard.of");
	event.edge_app_stop.rest = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	cr_assert_eq(answer_to(4), RESULT_NOT_FOUND);
	cr_assert_eq(waiting(), 0);
}

Test(registry_rest, a_user_may_not_have_more_than_so_many_waiting, .init = setup)
{
	rest_start("pa", 1);
	for (uint64_t request = 2; request <= WAITERS_PER_USER_MAX; request++) {
		rest_start("pa", request);
		expect_said("");
	}
	rest_start("pa", 90);
	cr_assert_eq(answer_to(90), RESULT_FULL);
	rest_start("pb", 91);
	cr_assert_eq(answer_to(91), RESULT_FULL, "all of one user's, whatever the app");
	glasses_up("v@x", 12);
	rest(EVENT_EDGE_APP_START, "v@x", "pa", 92);
	expect_said("app.changed registry.hook");
	app_opened(U, "pa", 21);
	for (uint64_t request = 1; request <= WAITERS_PER_USER_MAX; request++)
		cr_assert_eq(answer_to(request), RESULT_OK);
	cr_assert_eq(waiting(), 1);
}

/* All that may wait, of one app each, then one more; everybody gets an answer in the end. */
Test(registry_rest, one_caller_past_the_limit)
{
	enum { USERS = REGISTRY_WAITERS_MAX / WAITERS_PER_USER_MAX };
	struct registry_options options = bench_options();
	static char users[USERS + 1][8];
	unsigned answered = 0;

	options.state.apps_max = 1024;
	bench_open(&options);
	for (unsigned i = 0; i <= USERS; i++) {
		(void)snprintf(users[i], sizeof users[i], "u%u", i);
		glasses_up(users[i], 100 + i);
		for (unsigned k = 0; k < WAITERS_PER_USER_MAX; k++) {
			rest(EVENT_EDGE_APP_START, users[i], "pa", 1000 + 100 * i + k);
			cr_assert_eq(answer_to(1000 + 100 * i + k),
				     i < USERS ? RESULT_NONE : RESULT_FULL);
		}
	}
	cr_assert_eq(waiting(), REGISTRY_WAITERS_MAX);
	cr_assert_eq(bench.registry.stats.full, WAITERS_PER_USER_MAX);
	for (unsigned i = 0; i < USERS; i++) {
		app_opened(users[i], "pa", 500 + i);
		for (unsigned k = 0; k < WAITERS_PER_USER_MAX; k++)
			answered += answer_to(1000 + 100 * i + k) == RESULT_OK;
	}
	cr_assert_eq(answered, REGISTRY_WAITERS_MAX);
	cr_assert_eq(waiting(), 0);
}

/* Every kind of waiter at once, when the session ends. */
Test(registry_rest, the_end_of_a_session_answers_everybody, .init = setup)
{
	app_up(U, "pa", 21);
	rest_start("pb", 1);
	rest_stop("pa", 2);
	rest_start("pa", 3);
	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	cr_assert_eq(answer_to(1), RESULT_FAILED);
	cr_assert_eq(answer_to(3), RESULT_FAILED);
	bool stopped = false;

	for (size_t i = 0; i < bench.fx.count; i++)
		stopped |= bench.fx.items[i].event.request == 2 &&
			   bench.fx.items[i].event.registry_app_result.result == RESULT_OK;
	cr_assert(stopped);
	cr_assert_eq(waiting(), 0);
}

/* Status check ------------------------------------------------------------------------------- */

static const struct stream_event *check(const char *user, const char *package)
{
	struct stream_event event = about(user, EVENT_EDGE_CHECK);

	event.origin = GATEWAY_B;
	event.request = 5;
	event.edge_check.link = 21;
	event.edge_check.package = text_of(package);
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	expect_said("registry.checked");
	const struct stream_event *reply = bench_fx(EVENT_REGISTRY_CHECKED, 0);

	cr_assert_eq(reply->registry_checked.link, 21);
	cr_assert_eq(reply->request, 5);
	return reply;
}

Test(registry_rest, a_check_says_what_runs, .init = setup)
{
	app_up(U, "pa", 21);
	app_up(U, "pb", 22);
	cr_assert_eq(check(U, "pa")->registry_checked.kind, KIND_NONE);
	cr_assert_eq(check("stranger@x", "pa")->registry_checked.kind, KIND_NONE);
	stream_open(U, "pa", 0);
	const struct stream_event *reply = check(U, "pa");

	cr_assert_eq(reply->registry_checked.kind, KIND_UNMANAGED);
	cr_assert(text_is(reply->registry_checked.package, "pa"));
	cr_assert(text_is(reply->registry_checked.rtmp_url, "rtmp://h/app/key"));
	cr_assert_eq(reply->registry_checked.created_ms, bench.now_ms);
	cr_assert(text_is(reply->stream_id, the_id(the_stream(U))));
	reply = check(U, "pb");
	cr_assert_eq(reply->registry_checked.kind, KIND_UNMANAGED);
	cr_assert_eq(reply->registry_checked.rtmp_url.length, 0, "D19: the key is its owner's");
	stream_status(U, DEVICE_STREAMING);
	cr_assert(text_is(check(U, "pa")->registry_checked.rtmp_url, "rtmp://h/app/key"));
	stream_status(U, DEVICE_STOPPED);
	cr_assert_eq(check(U, "pa")->registry_checked.kind, KIND_NONE);
}
