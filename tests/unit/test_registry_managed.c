/* SPDX-License-Identifier: MIT */
/* Goal: who watches a managed stream is known, each of them is told of its end or was never told of
 * its beginning, and the last one to leave ends it (protocol.md 5.4, 5.6, D5, D7).  Method: one
 * input at a time on the bench, which checks the state and a follower after each.
 */
#include <stdio.h>

#include "tests/lib/registry_bench.h"

#define U "u@x"

static const struct peer managed = { ROLE_MANAGED, 8 };
static const struct peer gateway_b = { ROLE_GATEWAY, GATEWAY_B };

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_up(U, "pb", 22);
	app_up(U, "pc", 23);
}

/* A and B watch; the input is there. */
static void setup_watched(void)
{
	setup();
	watch(U, "pa");
	input_made(U, "in1");
	watch(U, "pb");
}

/* "pa pb(owed)": in the order they joined. */
static const char *viewers_of(const struct state_stream *stream)
{
	static char names[512];
	const struct state *state = &bench.registry.state;
	const struct state_managed *of = state_managed_of(state, stream);
	size_t used = 0;

	names[0] = '\0';
	for (unsigned i = 0; i < VIEWERS_MAX && of->viewers[i].state != VIEWER_NONE; i++) {
		struct text name = state_text(state, of->viewers[i].package);

		used += (size_t)snprintf(names + used, sizeof names - used, "%s%.*s%s",
					 i ? " " : "", (int)name.length, name.bytes,
					 of->viewers[i].state == VIEWER_OWED ? "(owed)" : "");
	}
	return names;
}

#define expect_viewers(stream, names) cr_assert_str_eq(viewers_of(stream), names)

static struct state_stream *record(const char *id)
{
	return state_stream_find(&bench.registry.state, text_of(id));
}

static void app_told(const char *id, const char *package)
{
	struct state_stream *stream = record(id);
	struct stream_event event = about(U, EVENT_EDGE_APP_TOLD);

	event.stream_id = text_of(id);
	event.epoch = stream ? stream->epoch : 100;
	event.edge_app_told.package = text_of(package);
	event.edge_app_told.outcome = OUTCOME_SENT;
	bench_say(gateway_b, &event);
}

/* Joining ---------------------------------------------------------------------------------- */

Test(registry_managed, the_first_one_opens_and_watches, .init = setup)
{
	watch(U, "pa");
	expect_said("stream.opened stream.result");
	cr_assert_eq(bench_fx(EVENT_STREAM_OPENED, 0)->stream_opened.provider, PROVIDER_LOCAL);
	expect_viewers(the_stream(U), "pa");
	cr_assert_eq(the_stream(U)->phase, PHASE_REQUESTED);
	cr_assert_eq(state_managed_of(&bench.registry.state, the_stream(U))->input, INPUT_WANTED);
}

Test(registry_managed, the_url_of_a_request_is_not_an_ingest, .init = setup)
{
	struct stream_event event = about(U, EVENT_STREAM_OPEN);

	event.request = 5;
	event.stream_open.kind = KIND_MANAGED;
	event.stream_open.package = TEXT("pa");
	event.stream_open.rtmp_url = TEXT("rtmp://h/a/b");
	bench_say(managed, &event);
	cr_assert_eq(the_stream(U)->rtmp_url.length, 0);
}

Test(registry_managed, others_join, .init = setup)
{
	watch(U, "pa");
	const uint64_t activity = the_stream(U)->activity_seq;

	watch(U, "pb");
	expect_said("stream.joined stream.result");
	cr_assert_eq(bench_answer(), RESULT_OK);
	cr_assert(text_is(bench_fx(EVENT_STREAM_RESULT, 0)->stream_id, the_id(the_stream(U))));
	cr_assert_eq(bench_fx(EVENT_STREAM_RESULT, 0)->epoch, the_stream(U)->epoch);
	expect_viewers(the_stream(U), "pa pb");
	cr_assert_eq(the_stream(U)->activity_seq, activity, "no sign of life of the device");
}

Test(registry_managed, who_asks_again_is_answered_again, .init = setup_watched)
{
	watch(U, "pa");
	expect_said("stream.joined stream.result");
	expect_viewers(the_stream(U), "pa pb");
}

Test(registry_managed, a_join_needs_what_an_open_needs, .init = setup_watched)
{
	watch("nobody@x", "pa");
	cr_assert_eq(bench_answer(), RESULT_NO_SESSION);
	watch(U, "px");
	cr_assert_eq(bench_answer(), RESULT_APP_NOT_RUNNING);
	glasses_down(U, 11);
	watch(U, "pc");
	cr_assert_eq(bench_answer(), RESULT_NO_LINK);
	expect_viewers(the_stream(U), "pa pb");
}

Test(registry_managed, a_join_needs_no_room_in_the_store, .init = setup)
{
	registry_storage(&bench.registry, false);
	watch(U, "pa");
	cr_assert_eq(bench_answer(), RESULT_NO_STORAGE);
	registry_storage(&bench.registry, true);
	watch(U, "pa");
	registry_storage(&bench.registry, false);
	watch(U, "pb");
	cr_assert_eq(bench_answer(), RESULT_OK);
	unwatch(U, "pb");
	cr_assert_eq(bench_answer(), RESULT_OK);
}

/* Apps that are gone for good still watch (D6), so more may than run. */
Test(registry_managed, one_viewer_too_many)
{
	struct registry_options options = bench_options();

	options.state.text_bytes = 16u << 20;
	bench_open(&options);
	glasses_up(U, 11);
	app_up(U, "first", 20);
	watch(U, "first");
	struct state_stream *stream = the_stream(U);

	for (unsigned i = 1; i <= VIEWERS_MAX; i++) {
		char package[16];

		(void)snprintf(package, sizeof package, "p%u", i);
		app_up(U, package, 100 + i);
		watch(U, package);
		cr_assert_eq(bench_answer(), i < VIEWERS_MAX ? RESULT_OK : RESULT_FULL, "%u", i);
		if (i > 1)
			continue;
		/* So that one more may run. */
		app_closed(U, "first", 20);
		timer(TIMER_APP_GRACE, U, "first", the_app(U, "first")->seq);
		hook_done(U, "first", HOOK_STOP);
		timer(TIMER_APP_CONNECT, U, "first", the_app(U, "first")->seq);
		cr_assert_null(the_app(U, "first"));
	}
	cr_assert_eq(state_viewers_watching(&bench.registry.state, stream), VIEWERS_MAX);
	cr_assert_eq(bench.registry.stats.full, 1);
	/* Who watches already needs no place, and who has left makes one. */
	watch(U, "p1");
	cr_assert_eq(bench_answer(), RESULT_OK);
	unwatch(U, "p1");
	watch(U, "p16");
	expect_said("stream.told stream.joined stream.result");
	cr_assert_eq(bench_fx(EVENT_STREAM_TOLD, 0)->stream_told.outcome, OUTCOME_GIVEN_UP);
	cr_assert_eq(bench_answer(), RESULT_OK);
}

/* Leaving ---------------------------------------------------------------------------------- */

Test(registry_managed, one_of_two_leaves, .init = setup_watched)
{
	const char *id = the_id(the_stream(U));

	unwatch(U, "pa");
	expect_said("stream.result stream.left");
	cr_assert(bench_fx(EVENT_STREAM_LEFT, 0)->stream_left.told_owed);
	expect_viewers(the_stream(U), "pa(owed) pb");
	cr_assert(the_stream(U)->told_owed);
	app_told(id, "pa");
	expect_said("stream.told");
	expect_viewers(the_stream(U), "pb");
	cr_assert_not(the_stream(U)->told_owed);
	app_told(id, "pa");
	expect_said("");
}

Test(registry_managed, who_cannot_be_reached_is_not_owed, .init = setup_watched)
{
	app_closed(U, "pa", 21);
	unwatch(U, "pa");
	cr_assert_not(bench_fx(EVENT_STREAM_LEFT, 0)->stream_left.told_owed);
	expect_viewers(the_stream(U), "pb");
}

Test(registry_managed, who_comes_back_comes_last, .init = setup_watched)
{
	unwatch(U, "pa");
	watch(U, "pa");
	expect_viewers(the_stream(U), "pb pa");
	cr_assert_not(the_stream(U)->told_owed);
	app_told(the_id(the_stream(U)), "pa"); /* of the time it had left */
	expect_said("");
	expect_viewers(the_stream(U), "pb pa");
}

Test(registry_managed, the_last_to_leave_ends_it, .init = setup_watched)
{
	const char *id = the_id(the_stream(U));

	unwatch(U, "pa");
	app_told(id, "pa");
	unwatch(U, "pb");
	expect_said("stream.result stream.left stream.closed");
	const struct stream_event *closed = bench_fx(EVENT_STREAM_CLOSED, 0);

	cr_assert_eq(closed->stream_closed.end_cause, END_APP_STOP);
	cr_assert(text_is(closed->stream_closed.by, "pb"));
	cr_assert_eq(closed->cause, bench_fx(EVENT_STREAM_LEFT, 0)->seq);
	cr_assert(closed->stream_closed.stop_owed && closed->stream_closed.told_owed &&
		  closed->stream_closed.input_owed);
	cr_assert(text_is(closed->stream_closed.told_id, id), "G6: its own id");
	cr_assert(text_is(closed->stream_closed.stop_app_id, "MANAGED_STREAM"));
	cr_assert_null(the_stream(U));
	expect_viewers(record(id), "pb(owed)");
}

Test(registry_managed, only_viewers_can_leave, .init = setup_watched)
{
	struct stream_event event = about(U, EVENT_STREAM_LEAVE);

	unwatch(U, "pc");
	expect_said("stream.result");
	cr_assert_eq(bench_answer(), RESULT_NOT_VIEWER);
	unwatch(U, "pa");
	unwatch(U, "pa");
	cr_assert_eq(bench_answer(), RESULT_NOT_VIEWER, "it has left already");
	event.request = 6000;
	event.stream_leave.package = TEXT("pb");
	event.stream_id = text_of(the_id(the_stream(U)));
	event.epoch = the_stream(U)->epoch - 1;
	bench_say(managed, &event);
	cr_assert_eq(bench_answer(), RESULT_STALE);
	event.request = 6001;
	event.stream_id = TEXT("m0000000000");
	bench_say(managed, &event);
	cr_assert_eq(bench_answer(), RESULT_NOT_FOUND);
	expect_viewers(the_stream(U), "pa(owed) pb");
}

Test(registry_managed, an_unmanaged_stream_has_no_viewers, .init = setup)
{
	stream_open(U, "pa", 0);
	unwatch(U, "pa");
	cr_assert_eq(bench_answer(), RESULT_NOT_VIEWER);
	cr_assert(the_stream(U));
}

Test(registry_managed, the_last_leaves_while_it_is_being_made, .init = setup)
{
	watch(U, "pa");
	unwatch(U, "pa");
	const struct stream_event *closed = bench_fx(EVENT_STREAM_CLOSED, 0);

	cr_assert_not(closed->stream_closed.stop_owed, "nothing could start the device");
	cr_assert(closed->stream_closed.told_owed);
	cr_assert(closed->stream_closed.input_owed, "it may be made at this moment");
}

/* Ends ------------------------------------------------------------------------------------- */

Test(registry_managed, every_viewer_is_told_of_the_end, .init = setup_watched)
{
	const char *id = the_id(the_stream(U));

	watch(U, "pc");
	app_closed(U, "pc", 23);
	stream_status(U, DEVICE_ERROR);
	expect_said("stream.closed");
	expect_viewers(record(id), "pa(owed) pb(owed)");
	app_told(id, "pa");
	cr_assert(record(id)->told_owed);
	app_told(id, "pc");
	expect_said("");
	app_told(id, "pb");
	cr_assert_not(record(id)->told_owed);
	cr_assert(record(id)->input_owed && record(id)->stop_owed);
}

static void close_it(enum end_cause cause, const char *detail)
{
	struct stream_event event = about(U, EVENT_STREAM_CLOSE);

	event.request = bench.next_request++;
	event.stream_id = text_of(the_id(the_stream(U)));
	event.epoch = the_stream(U)->epoch;
	event.stream_close.end_cause = cause;
	event.stream_close.detail = text_of(detail);
	bench_say(managed, &event);
}

/* Every cause, before and after the input is there. */
Test(registry_managed, what_never_began_is_refused_and_not_ended)
{
	for (unsigned made = 0; made < 2; made++)
		for (enum end_cause cause = END_NONE + 1; cause < END_CAUSE_COUNT; cause++) {
			bool refused = cause == END_PROVIDER_ERROR && !made;

			setup();
			watch(U, "pa");
			watch(U, "pb");
			unwatch(U, "pb");
			const char *id = the_id(the_stream(U));

			if (made)
				input_made(U, "in1");
			close_it(cause, "no room there");
			/* Who left before was told that it is stopped, whatever became of it. */
			expect_viewers(record(id), refused ? "pb(owed)" : "pa(owed) pb(owed)");
			cr_assert(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.input_owed);
			cr_assert(text_is(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.detail,
					  "no room there"));
			bench_close();
		}
}

Test(registry_managed, a_takeover_tells_all_and_owes_the_stop, .init = setup_watched)
{
	const char *id = the_id(the_stream(U));

	stream_open(U, "pc", 0);
	expect_said("stream.closed stream.opened stream.result");
	expect_viewers(record(id), "pa(owed) pb(owed)");
	cr_assert(record(id)->stop_owed && record(id)->input_owed);
	cr_assert_eq(record(id)->end_cause, END_TAKEOVER);
}

/* It could only hit the new one. */
Test(registry_managed, the_stop_of_a_takeover_is_for_that_socket_and_that_moment)
{
	for (unsigned how = 0; how < 4; how++) {
		struct stream_event event;

		setup_watched();
		struct state_stream *taken = the_stream(U);

		stream_open(U, "pc", 0);
		cr_assert(taken->stop_owed);
		event = about(U, EVENT_EDGE_DEVICE_TOLD);
		event.stream_id = text_of(the_id(the_stream(U)));
		event.epoch = the_stream(U)->epoch;
		event.edge_device_told.outcome = OUTCOME_SENT;
		if (how == 0)
			bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
		else if (how == 1)
			stream_status(U, DEVICE_STREAMING);
		else if (how == 2)
			glasses_down(U, 11);
		else
			glasses_up(U, 12);
		cr_expect_not(taken->stop_owed, "%u", how);
		cr_expect_eq(bench_fx(EVENT_STREAM_STOP_SETTLED, 0)->stream_stop_settled.outcome,
			     OUTCOME_OVERTAKEN);
		if (how == 3) /* before anybody could act on the new link */
			cr_expect_lt(bench_fx(EVENT_STREAM_STOP_SETTLED, 0)->seq,
				     bench_fx(EVENT_LINK_CHANGED, 0)->seq);
		cr_expect(the_stream(U));
		bench_close();
	}
}

Test(registry_managed, an_app_that_is_stopped_leaves, .init = setup_watched)
{
	const char *id = the_id(the_stream(U));

	app_stop(U, "pa");
	expect_viewers(the_stream(U), "pa pb");
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_not(bench_fx(EVENT_STREAM_LEFT, 0)->stream_left.told_owed);
	expect_viewers(the_stream(U), "pb");
	app_stop(U, "pb");
	hook_done(U, "pb", HOOK_STOP);
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause, END_APP_CLOSED);
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->cause, bench_fx(EVENT_STREAM_LEFT, 0)->seq);
	cr_assert_not(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.told_owed);
	cr_assert(record(id)->input_owed);
}

Test(registry_managed, an_app_that_is_stopped_is_waited_for_no_more, .init = setup_watched)
{
	unwatch(U, "pa");
	app_stop(U, "pa");
	hook_done(U, "pa", HOOK_STOP);
	expect_viewers(the_stream(U), "pb");
	cr_assert_not(the_stream(U)->told_owed);
}

/* D7: statuses first, then the apps' sockets; the input is nobody's who waits. */
Test(registry_managed, a_session_ends_and_the_input_stays_owed, .init = setup_watched)
{
	const char *id = the_id(the_stream(U));

	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	expect_said("stream.closed session.ending");
	app_told(id, "pa");
	cr_assert_eq(the_user(U)->session, SESSION_ENDING);
	app_told(id, "pb");
	cr_assert_eq(the_user(U)->session, SESSION_NONE);
	cr_assert_not(the_user(U)->dormant, "its record owes an input");
	/* Neither time nor anything else gives that up. */
	bench_tick(10 * bench.registry.options.stop_owed_ms);
	cr_assert(record(id)->input_owed);
	cr_assert_not(record(id)->stop_owed, "the stop is given up");
	input_gone(record(id), "in1");
	expect_said("stream.input_settled");
	cr_assert_null(record(id));
	cr_assert(the_user(U)->dormant, "its apps are remembered");
}

Test(registry_managed, a_session_that_is_overdue_does_not_wait, .init = setup_watched)
{
	const char *id = the_id(the_stream(U));

	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	bench_tick(bench.registry.options.ending_max_ms);
	cr_assert_eq(the_user(U)->session, SESSION_NONE);
	expect_viewers(record(id), "pa(owed) pb(owed)");
	bench_tick(bench.registry.options.stop_owed_ms + 2000);
	expect_viewers(record(id), "");
	/* The user comes back meanwhile: nothing stands in the way of a new one. */
	glasses_up(U, 12);
	app_up(U, "pa", 31);
	watch(U, "pa");
	cr_assert_eq(bench_answer(), RESULT_OK);
	cr_assert(record(id));
}

/* Liabilities ------------------------------------------------------------------------------ */

Test(registry_managed, one_owed_input_too_many)
{
	struct registry_options options = bench_options();

	options.state.text_bytes = 16u << 20;
	bench_open(&options);
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	for (unsigned i = 0; i < INPUTS_OWED_PER_USER_MAX; i++) {
		watch(U, "pa");
		cr_assert_eq(bench_answer(), RESULT_OK, "%u", i);
		unwatch(U, "pa");
	}
	cr_assert_eq(bench.registry.state.streams_count, INPUTS_OWED_PER_USER_MAX,
		     "none was given up");
	watch(U, "pa");
	cr_assert_eq(bench_answer(), RESULT_FULL);
	stream_open(U, "pa", 0);
	cr_assert_eq(bench_answer(), RESULT_OK, "others need no input");
	stream_status(U, DEVICE_STOPPED);
	input_gone(&bench.registry.state.streams[0], "");
	watch(U, "pa");
	cr_assert_eq(bench_answer(), RESULT_OK);
}

/* Those that owe no input are as many as ever: the words of the oldest are given up. */
Test(registry_managed, one_liability_too_many)
{
	struct registry_options options = bench_options();

	options.state.text_bytes = 16u << 20;
	bench_open(&options);
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_up(U, "pb", 22);
	for (unsigned i = 0; i < LIABILITIES_PER_USER_MAX; i++) {
		watch(U, "pa");
		watch(U, "pb");
		struct state_stream *stream = the_stream(U);

		stream_status(U, DEVICE_STOPPED);
		cr_assert_null(the_stream(U));
		input_gone(stream, "");
	}
	cr_assert_eq(bench.registry.state.streams_count, LIABILITIES_PER_USER_MAX);
	watch(U, "pa");
	stream_status(U, DEVICE_STOPPED);
	cr_assert_eq(bench_fx(EVENT_STREAM_TOLD, 1)->stream_told.outcome, OUTCOME_GIVEN_UP);
	cr_assert_eq(bench.registry.state.streams_count, LIABILITIES_PER_USER_MAX);
}

/* Questions -------------------------------------------------------------------------------- */

static const struct stream_event *check(const char *package)
{
	struct stream_event event = about(U, EVENT_EDGE_CHECK);

	event.edge_check.link = 21;
	event.edge_check.package = text_of(package);
	bench_say(gateway_b, &event);
	return bench_fx(EVENT_REGISTRY_CHECKED, 0);
}

Test(registry_managed, a_check_tells_what_can_be_watched, .init = setup)
{
	watch(U, "pa");
	cr_assert_eq(check("pa")->registry_checked.kind, KIND_NONE, "there is nothing to open yet");
	input_made(U, "in1");
	watch(U, "pb");
	watch(U, "pc");
	unwatch(U, "pc");
	const struct stream_event *checked = check("pa");

	cr_assert_eq(checked->registry_checked.kind, KIND_MANAGED);
	cr_assert(text_is(checked->registry_checked.hls, "https://h/1.m3u8"));
	cr_assert(text_is(checked->registry_checked.dash, "https://h/1.mpd"));
	cr_assert(text_is(checked->registry_checked.preview, "https://h/p"));
	cr_assert_eq(checked->registry_checked.viewers, 2, "who left does not count");
	cr_assert_eq(checked->registry_checked.rtmp_url.length, 0, "not even for its owner");
	cr_assert_gt(checked->registry_checked.created_ms, 0);
}

/* The mark --------------------------------------------------------------------------------- */

Test(registry_managed, the_mark_is_told_first_and_once)
{
	struct registry_options options = bench_options();

	options.mark = "abc123";
	bench_open(&options);
	cr_assert_str_eq(bench.registry.state.mark, "abc123");
	cr_assert_eq(bench.registry.state.mark_seq, 1);
	bench.registry.options.mark = "another";
	glasses_up(U, 11);
	cr_assert_str_eq(bench.registry.state.mark, "abc123", "what is out there carries that");
}

Test(registry_managed, no_mark_is_told_without_one)
{
	struct registry_options options = bench_options();

	options.mark = "";
	bench_open(&options);
	cr_assert_str_eq(bench.registry.state.mark, "");
	cr_assert_eq(bench.registry.seq, 2, "the two gateways");
}
