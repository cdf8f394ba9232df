/* SPDX-License-Identifier: MIT */
/* Goal: what a closed stream still owes is settled, overtaken or given up, and then nothing is left
 * of it (design.md 5).  How streams end: test_registry_ends.c.
 */
#include "tests/lib/registry_bench.h"

#define U "u@x"

static const struct peer scheduler = { ROLE_SCHEDULER, 3 };

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
	glasses_state(U, "Mentra Live");
	app_up(U, "pa", 21);
	stream_open(U, "pa", 0);
}

static struct stream_event of_stream(enum stream_event_type type)
{
	struct stream_event event = about(U, type);

	event.stream_id = text_of(the_id(the_stream(U)));
	event.epoch = the_stream(U)->epoch;
	return event;
}

static void app_told(struct stream_event event, const char *package, enum outcome outcome)
{
	event.type = EVENT_EDGE_APP_TOLD;
	memset(&event.edge_app_told, 0, sizeof event.edge_app_told);
	event.edge_app_told.package = text_of(package);
	event.edge_app_told.outcome = outcome;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

static struct stream_event missed_report(uint64_t missed, bool expired)
{
	struct stream_event event = of_stream(EVENT_STREAM_MISSED);

	event.cause = the_stream(U)->activity_seq;
	event.stream_missed.missed = missed;
	event.stream_missed.expired = expired;
	event.stream_missed.last_ack_age_ms = 40000;
	return event;
}

static void missed(uint64_t count, bool expired)
{
	struct stream_event event = missed_report(count, expired);

	bench_say(scheduler, &event);
}

static enum end_cause closed_by(void)
{
	return (enum end_cause)bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause;
}

/* What is owed ------------------------------------------------------------------------------- */

static void close_owing_a_stop(void)
{
	struct stream_event event = of_stream(EVENT_STREAM_CLOSE);

	event.stream_close.end_cause = END_APP_STOP;
	bench_say((struct peer){ ROLE_UNMANAGED, 7 }, &event);
	cr_assert(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.stop_owed);
}

Test(registry_owed, a_new_stream_overtakes_the_stop_of_the_old, .init = setup)
{
	close_owing_a_stop();
	stream_open(U, "pa", 0);
	expect_said("stream.stop_settled stream.opened stream.result");
	cr_assert_eq(bench_fx(EVENT_STREAM_STOP_SETTLED, 0)->stream_stop_settled.outcome,
		     OUTCOME_OVERTAKEN);
	cr_assert_eq(bench.registry.state.streams_count, 2,
		     "the old one's owner is still to be told");
}

Test(registry_owed, only_the_newest_end_owes_a_stop, .init = setup)
{
	close_owing_a_stop();
	stream_open(U, "pa", 0);
	close_owing_a_stop();
	unsigned owed = 0;

	for (uint32_t i = 0; i < bench.registry.state.streams_fresh; i++)
		owed += bench.registry.state.streams[i].stop_owed;
	cr_assert_eq(owed, 1);
}

Test(registry_owed, what_is_owed_too_long_is_given_up, .init = setup)
{
	close_owing_a_stop();
	bench_tick(599000);
	cr_assert_eq(bench.registry.state.streams_count, 1);
	bench_tick(2000);
	cr_assert_eq(bench.registry.state.streams_count, 0);
	stream_open(U, "pa", 0);
	bench_tick(700000);
	cr_assert(the_stream(U), "what is active is not looked at");
}

Test(registry_owed, both_debts_are_given_up_with_a_word, .init = setup)
{
	close_owing_a_stop();
	for (unsigned i = 0; bench.registry.state.streams_count > 0; i++) {
		cr_assert(i < 700);
		bench_tick(1000);
	}
	expect_said("stream.told stream.stop_settled");
	cr_assert_eq(bench_fx(EVENT_STREAM_TOLD, 0)->stream_told.outcome, OUTCOME_GIVEN_UP);
	cr_assert_eq(bench_fx(EVENT_STREAM_STOP_SETTLED, 0)->stream_stop_settled.outcome,
		     OUTCOME_GIVEN_UP);
}

Test(registry_owed, one_liability_past_the_limit, .init = setup)
{
	const char *first = the_id(the_stream(U));

	for (unsigned i = 1; i < LIABILITIES_PER_USER_MAX; i++)
		stream_open(U, "pa", 0);
	expect_said("stream.closed stream.opened stream.result");
	cr_assert_eq(bench.registry.state.streams_count, LIABILITIES_PER_USER_MAX);
	stream_open(U, "pa", 0);
	expect_said("stream.closed stream.opened stream.result");
	stream_open(U, "pa", 0);
	expect_said("stream.told stream.closed stream.opened stream.result");
	cr_assert(text_is(bench_fx(EVENT_STREAM_TOLD, 0)->stream_id, first), "the oldest");
	cr_assert_eq(bench.registry.state.streams_count, LIABILITIES_PER_USER_MAX + 1);
}

/* The dead leave nothing: user, stream, app, text. */
Test(registry_owed, nothing_is_left_behind)
{
	struct registry_options options = bench_options();
	struct stream_event event;

	options.state.remember_apps = false;
	bench_open(&options);
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	stream_open(U, "pa", 0);
	event = of_stream(EVENT_EDGE_APP_TOLD);
	stream_status(U, DEVICE_STREAMING);
	glasses_down(U, 11);
	missed(3, true);
	cr_assert_eq(closed_by(), END_PHONE_LOST);
	app_told(event, "pa", OUTCOME_SENT);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	expect_said("session.ending registry.link_close session.closed");
	cr_assert(the_user(U), "D2: a stop is owed to the device");
	bench_tick(602000);
	bench_empty();
}
