/* SPDX-License-Identifier: MIT */
/* Goal: phase deadlines, session grace and app timers fire at their time, carry the event that
 * armed them, are reported again while nothing changes, and leave with what they belong to.
 */
#include "tests/lib/scheduler_world.h"

#include <criterion/parameterized.h>

#define USER "u@example.com"
#define PACKAGE "com.example.a"

static void setup(void)
{
	world_start(world_options());
}

static const struct record *expired(int64_t at_ms, enum timer timer, uint64_t cause)
{
	const struct record *record = expect(at_ms, EVENT_TIMER_EXPIRED);

	cr_assert_eq(record->timer, timer);
	cr_assert_eq(record->cause, cause);
	cr_assert_str_eq(record->user_id, USER);
	return record;
}

/* --- phases ------------------------------------------------------------------------------------
 */

struct phase_row {
	enum kind kind;
	enum phase phase;
	enum timer timer;
};

ParameterizedTestParameters(phase, deadline)
{
	static struct phase_row rows[] = {
		{ KIND_UNMANAGED, PHASE_REQUESTED, TIMER_START_DEADLINE },
		{ KIND_UNMANAGED, PHASE_STARTING, TIMER_START_DEADLINE },
		{ KIND_UNMANAGED, PHASE_LIVE, TIMER_NONE },
		{ KIND_UNMANAGED, PHASE_SUSPECT, TIMER_NONE },
		{ KIND_UNMANAGED, PHASE_STOPPING, TIMER_STOP_DEADLINE },
		{ KIND_MANAGED, PHASE_REQUESTED, TIMER_START_DEADLINE },
		{ KIND_MANAGED, PHASE_PROVISIONING, TIMER_START_DEADLINE },
		{ KIND_MANAGED, PHASE_STARTING, TIMER_START_DEADLINE },
		{ KIND_MANAGED, PHASE_LIVE, TIMER_NONE },
		{ KIND_MANAGED, PHASE_SUSPECT, TIMER_NONE },
		{ KIND_MANAGED, PHASE_STOPPING, TIMER_STOP_DEADLINE },
	};
	return cr_make_param_array(struct phase_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct phase_row *row, phase, deadline)
{
	struct scheduler_options options = world_options();

	options.kinds[row->kind].start_deadline_ms = 7000;
	options.kinds[row->kind].stop_deadline_ms = 8000;
	options.kinds[row->kind].probe_phases = 0;
	world_start(options);
	int64_t after_ms = row->timer == TIMER_STOP_DEADLINE ? 8000 : 7000;

	tell(opened(USER, "s1", 6, row->kind));
	at(1000);
	uint64_t cause = tell(moved(USER, "s1", 6, row->phase));

	at(1000 + after_ms - 10);
	quiet();
	at(1000 + 2 * after_ms);
	if (row->timer != TIMER_NONE) {
		const struct record *first = expired(1000 + after_ms, row->timer, cause);

		cr_assert_eq(first->after_ms, after_ms);
		cr_assert_str_eq(first->stream_id, "s1");
		cr_assert_eq(first->epoch, 6);
		/* Not ended: again after another full duration. */
		const struct record *second = expired(1000 + 2 * after_ms, row->timer, cause);

		cr_assert_eq(second->after_ms, 2 * after_ms);
	}
	quiet();
	tell(closed(USER, "s1", 6));
	cr_assert_eq(scheduler_timers(&world.core), 0);
}

Test(phase, opened_is_requested, .init = setup)
{
	uint64_t cause = tell(opened(USER, "s1", 1, KIND_MANAGED));

	at(60000);
	expired(60000, TIMER_START_DEADLINE, cause);
}

Test(phase, activity_arms_the_deadline_anew, .init = setup)
{
	tell(opened(USER, "s1", 1, KIND_UNMANAGED));
	at(50000);
	tell(moved(USER, "s1", 1, PHASE_STARTING));
	at(100000);
	uint64_t cause = tell(status(USER, "s1", 1, PHASE_STARTING));

	at(159990);
	quiet();
	at(160000);
	cr_assert_eq(expired(160000, TIMER_START_DEADLINE, cause)->after_ms, 60000);
}

Test(phase, a_managed_start_has_both_probes_and_a_deadline, .init = setup)
{
	connect_gateway(GATEWAY_A);
	tell(link_up(USER, 1, GATEWAY_A));
	tell(opened(USER, "s1", 1, KIND_MANAGED));
	uint64_t cause = tell(moved(USER, "s1", 1, PHASE_STARTING));

	for (int64_t now_ms = 15000; now_ms <= 45000; now_ms += 15000) {
		at(now_ms);
		answer(expect(now_ms, EVENT_PROBE_BATCH));
	}
	at(60000);
	expired(60000, TIMER_START_DEADLINE, cause); /* acks are no sign of a start */
	tell(status(USER, "s1", 1, PHASE_LIVE));
	at(74000);
	expect(60000, EVENT_PROBE_BATCH);
	cr_assert_eq(world.core.armed[SCHEDULER_TIMER_PHASE], 0);
}

Test(phase, what_makes_no_sense_changes_nothing, .init = setup)
{
	tell(opened(USER, "s1", 1, KIND_NONE));
	tell(opened(USER, "s1", 1, KIND_COUNT));
	tell(opened("", "s1", 1, KIND_MANAGED));
	tell(opened(USER, "", 1, KIND_MANAGED));
	tell(opened(USER, "0123456789abcdef", 1, KIND_MANAGED));
	tell(row(USER, "s1", 1, KIND_NONE, PHASE_LIVE));
	tell(row(USER, "s1", 1, KIND_MANAGED, PHASE_NONE));
	tell(row(USER, "s1", 1, KIND_MANAGED, PHASE_COUNT));
	tell(moved(USER, "s1", 1, PHASE_LIVE)); /* of a stream that is not there */
	tell(status(USER, "s1", 1, PHASE_LIVE));
	tell(closed(USER, "s1", 1));
	tell((struct stream_event){ .type = EVENT_STREAM_TOLD });
	cr_assert_eq(world.core.stats.malformed, 5);
	cr_assert_eq(world.core.stats.ids_refused, 2);
	cr_assert_eq(world.core.stats.users_refused, 1);
	cr_assert_eq(world.core.user_slots.count, 0);
	cr_assert_eq(world.core.stream_slots.count, 0);
	cr_assert_eq(scheduler_timers(&world.core), 0);
	tell(opened(USER, "0123456789abcde", 1, KIND_MANAGED));
	cr_assert_eq(world.core.stream_slots.count, 1);
	tell(moved(USER, "0123456789abcde", 1, PHASE_CLOSED)); /* stream.closed follows */
	cr_assert_eq(world.core.stream_slots.count, 1);
}

/* --- sessions ----------------------------------------------------------------------------------
 */

Test(session, grace_ends_a_minute_after_the_loss, .init = setup)
{
	tell(session(USER, EVENT_SESSION_OPENED));
	tell(link_up(USER, 1, GATEWAY_A));
	at(30000);
	uint64_t cause = tell(link_down(USER));

	at(89990);
	quiet();
	at(150000);
	cr_assert_eq(expired(90000, TIMER_SESSION_GRACE, cause)->after_ms, 60000);
	cr_assert_eq(expired(150000, TIMER_SESSION_GRACE, cause)->after_ms, 120000);
	tell(session(USER, EVENT_SESSION_ENDING));
	tell(session(USER, EVENT_SESSION_CLOSED));
	cr_assert_eq(scheduler_timers(&world.core), 0);
	cr_assert_eq(world.core.user_slots.count, 0);
}

Test(session, a_link_that_comes_back_cancels_it, .init = setup)
{
	tell(session(USER, EVENT_SESSION_OPENED));
	tell(link_down(USER));
	at(59990);
	tell(link_up(USER, 2, GATEWAY_A));
	at(200000);
	quiet();
	uint64_t cause = tell(link_down(USER));

	at(260000);
	expired(260000, TIMER_SESSION_GRACE, cause);
}

Test(session, a_stream_outlives_it_until_it_is_closed, .init = setup)
{
	tell(session(USER, EVENT_SESSION_OPENED));
	uint64_t cause = tell(opened(USER, "s1", 1, KIND_MANAGED));

	tell(app(USER, PACKAGE, APP_GRACE));
	tell(session(USER, EVENT_SESSION_CLOSED));
	at(60000);
	expired(60000, TIMER_START_DEADLINE, cause);
	quiet();
	tell(closed(USER, "s1", 1));
	cr_assert_eq(world.core.user_slots.count, 0);
}

Test(session, the_end_of_one_that_is_not_there_or_was_reopened_is_no_end, .init = setup)
{
	tell(session(USER, EVENT_SESSION_CLOSED));
	tell(app(USER, PACKAGE, APP_RUNNING));
	cr_assert_eq(world.core.user_slots.count, 0);
	tell(session(USER, EVENT_SESSION_OPENED));
	tell(link_down(USER));
	tell_row(session(USER, EVENT_SESSION_CLOSED), world.seq);
	cr_assert_eq(world.core.stats.stale, 1);
	cr_assert_eq(scheduler_timers(&world.core), 1);
}

Test(session, links_that_are_neither_up_nor_down_change_nothing, .init = setup)
{
	struct stream_event event = link_up(USER, 0, GATEWAY_A);

	tell(event);
	event.link_changed.state = LINK_LOST;
	tell(event);
	cr_assert_eq(world.core.stats.malformed, 2);
	cr_assert_eq(world.core.user_slots.count, 0);
}

Test(session, long_user_ids_are_kept_whole, .init = setup)
{
	char longest[USER_ID_MAX + 1], other[USER_ID_MAX + 1], beyond[USER_ID_MAX + 2];

	memset(longest, 'u', sizeof longest - 1);
	longest[USER_ID_MAX] = '\0';
	memcpy(other, longest, sizeof other);
	other[USER_ID_MAX - 1] = 'v';
	memset(beyond, 'u', sizeof beyond - 1);
	beyond[USER_ID_MAX + 1] = '\0';
	tell(link_down(longest));
	tell(link_down(other));
	tell(link_down("u47uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"));
	tell(link_down(beyond));
	cr_assert_eq(world.core.stats.users_refused, 1);
	cr_assert_eq(world.core.user_slots.count, 3);
	cr_assert_eq(world.core.long_id_slots.count, 2);
	tell(link_up(other, 1, GATEWAY_A));
	at(60000);
	cr_assert_eq(world.count, 2);
	cr_assert_eq(strncmp(world.records[0].user_id, longest, 63), 0);
	tell(session(longest, EVENT_SESSION_CLOSED));
	tell(session(other, EVENT_SESSION_CLOSED));
	cr_assert_eq(world.core.long_id_slots.count, 0);
}

/* --- apps ----------------------------------------------------------------------------------------
 */

struct app_row {
	enum app_state state;
	enum timer timer;
	int64_t after_ms;
};

ParameterizedTestParameters(app, waits)
{
	static struct app_row rows[] = {
		{ APP_STOPPED, TIMER_NONE, 0 },
		{ APP_LOADING, TIMER_APP_CONNECT, 5000 },
		{ APP_RUNNING, TIMER_NONE, 0 },
		{ APP_GRACE, TIMER_APP_GRACE, 5500 },
		{ APP_RESURRECTING, TIMER_APP_CONNECT, 12000 },
		{ APP_STOPPING, TIMER_APP_CONNECT, 12000 },
	};
	_Static_assert(sizeof rows / sizeof rows[0] == APP_STATE_COUNT, "one row per state");
	return cr_make_param_array(struct app_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct app_row *row, app, waits)
{
	struct scheduler_options options = world_options();

	options.app_grace_ms = 5500;
	world_start(options);
	tell(session(USER, EVENT_SESSION_OPENED));
	tell(app(USER, PACKAGE, APP_LOADING));
	at(1000);
	uint64_t cause = tell(app(USER, PACKAGE, row->state));

	if (row->timer == TIMER_NONE) {
		at(100000);
		quiet();
		cr_assert_eq(world.core.app_slots.count, 0);
		return;
	}
	at(1000 + row->after_ms - 10);
	quiet();
	at(1000 + 2 * row->after_ms);
	const struct record *first = expired(1000 + row->after_ms, row->timer, cause);

	cr_assert_str_eq(first->package, PACKAGE);
	cr_assert_eq(first->after_ms, row->after_ms);
	expired(1000 + 2 * row->after_ms, row->timer, cause);
	quiet();
	tell(app(USER, PACKAGE, APP_RUNNING));
	cr_assert_eq(scheduler_timers(&world.core), 0);
	cr_assert_eq(world.core.app_slots.count, 0);
}

Test(app, those_of_one_user_and_of_others_are_kept_apart, .init = setup)
{
	tell(session(USER, EVENT_SESSION_OPENED));
	tell(session("v", EVENT_SESSION_OPENED));
	tell(app(USER, "com.example.a", APP_GRACE));
	tell(app(USER, "com.example.b", APP_GRACE));
	tell(app(USER, "com.example.c", APP_GRACE));
	tell(app("v", "com.example.a", APP_GRACE));
	at(1000);
	tell(app(USER, "com.example.b", APP_RUNNING));
	cr_assert_eq(world.core.app_slots.count, 3);
	at(5000);
	cr_assert_str_eq(expect(5000, EVENT_TIMER_EXPIRED)->package, "com.example.a");
	cr_assert_str_eq(expect(5000, EVENT_TIMER_EXPIRED)->package, "com.example.c");
	cr_assert_str_eq(expect(5000, EVENT_TIMER_EXPIRED)->user_id, "v");
	quiet();
	tell(session(USER, EVENT_SESSION_CLOSED));
	cr_assert_eq(world.core.app_slots.count, 1);
	tell(session("v", EVENT_SESSION_CLOSED));
	cr_assert_eq(scheduler_timers(&world.core), 0);
}

Test(app, what_makes_no_sense_changes_nothing, .init = setup)
{
	char package[PACKAGE_MAX + 2];

	memset(package, 'a', sizeof package - 1);
	package[PACKAGE_MAX + 1] = '\0';
	tell(app(USER, package, APP_GRACE));
	tell(app(USER, "", APP_GRACE));
	tell(app(USER, PACKAGE, APP_STATE_COUNT));
	cr_assert_eq(world.core.stats.malformed, 3);
	package[PACKAGE_MAX] = '\0';
	tell(app(USER, package, APP_GRACE));
	tell_row(app(USER, package, APP_RUNNING), world.seq);
	cr_assert_eq(world.core.stats.stale, 1);
	cr_assert_eq(scheduler_timers(&world.core), 1);
	tell(app(USER, package, APP_STOPPED));
	cr_assert_eq(world.core.user_slots.count, 0); /* there was no session */
}

/* Whether it lives or not; a snapshot does not give it more. */
Test(timers, a_stream_has_its_time)
{
	struct scheduler_options options = world_options();

	options.kinds[KIND_UNMANAGED].duration_max_ms = 9000;
	options.kinds[KIND_UNMANAGED].probe_phases = 0;
	world_start(options);
	uint64_t cause = tell(opened(USER, "s1", 6, KIND_UNMANAGED));

	tell(moved(USER, "s1", 6, PHASE_LIVE));
	at(5000);
	struct stream_event again = row(USER, "s1", 6, KIND_UNMANAGED, PHASE_LIVE);

	again.snapshot_stream.opened_seq = cause;
	resync();
	tell_row(again, world.seq);
	synced();
	at(8990);
	quiet();
	at(9000);
	cr_assert_eq(expired(9000, TIMER_DURATION, cause)->after_ms, 9000);
	tell(closed(USER, "s1", 6));
	at(40000);
	quiet();
	cr_assert_eq(scheduler_timers(&world.core), 0);
}
