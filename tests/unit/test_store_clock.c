/* SPDX-License-Identifier: MIT */
/* Goal: a wall clock that lies makes no history too old, and one that is right is believed.
 * Method: housekeeping by times that are handed in; the oldest row that is left says it.
 */
#include <criterion/criterion.h>

#include "common/store.h"
#include "tests/lib/store_stage.h"

#define DAY_MS 86400000

static const struct store_limits week = { 10, 7 * DAY_MS, STAGE_RESERVE };

/* The body after it is a test of each engine. */
#define EACH_ENGINE(name) \
	static void name(void); \
	Test(store_clock_memory, name, .init = stage_begin, .fini = stage_end) \
	{ \
		stage_open("memory", &week); \
		name(); \
	} \
	Test(store_clock_sqlite, name, .init = stage_begin, .fini = stage_end) \
	{ \
		stage_open("sqlite", &week); \
		name(); \
	} \
	static void name(void)

static uint64_t oldest_at(int64_t wall_ms, int64_t now_ms)
{
	const struct store_time time = { wall_ms, now_ms };

	for (int steps = 0; store_tend(stage_store, &time); steps++)
		cr_assert_lt(steps, 10000, "housekeeping never ends");
	return store_oldest(stage_store);
}

EACH_ENGINE(a_wall_clock_that_jumps_ahead_makes_nothing_too_old)
{
	stage_rows(1, 1, 1000);
	cr_assert_eq(oldest_at(1000, 50), 1);
	cr_assert_not(store_clock_doubted(stage_store));
	cr_assert_eq(oldest_at(1100 + 10 * DAY_MS, 150), 1, "ten days within 100 ms");
	cr_assert(store_clock_doubted(stage_store));
	stage_rows(2, 2, 1100 + 10 * DAY_MS);
	cr_assert_eq(oldest_at(1150 + 10 * DAY_MS, 200), 1,
		     "not by the stamp of a newer row either");
	/* Somebody mends the clock. */
	cr_assert_eq(oldest_at(1200, 250), 1);
	cr_assert_not(store_clock_doubted(stage_store));
	/* What is old by both clocks goes. */
	cr_assert_eq(oldest_at(1001 + 7 * DAY_MS, 50 + 7 * DAY_MS), 2);
}

EACH_ENGINE(a_wall_clock_is_believed_once_it_has_stood_by_its_time)
{
	stage_rows(1, 1, 1000);
	(void)oldest_at(1000, 0);
	cr_assert_eq(oldest_at(1000 + STORE_CLOCK_STEP_MS, 0), 1);
	cr_assert_not(store_clock_doubted(stage_store), "so far it may step");
	cr_assert_eq(oldest_at(1001 + 2 * STORE_CLOCK_STEP_MS, 0), 1);
	cr_assert(store_clock_doubted(stage_store), "one past it");
	cr_assert_eq(oldest_at(1000 + 10 * DAY_MS, 10), 1);
	cr_assert_eq(oldest_at(1000 + 20 * DAY_MS, 20), 1, "another step: from here it counts");
	cr_assert_eq(oldest_at(999 + 20 * DAY_MS + STORE_CLOCK_TRUST_MS, 19 + STORE_CLOCK_TRUST_MS),
		     1);
	cr_assert(store_clock_doubted(stage_store));
	cr_assert_eq(
		oldest_at(1000 + 20 * DAY_MS + STORE_CLOCK_TRUST_MS, 20 + STORE_CLOCK_TRUST_MS), 0);
	cr_assert_not(store_clock_doubted(stage_store));
}

EACH_ENGINE(a_wall_clock_that_is_set_back_keeps_everything)
{
	stage_rows(1, 1, 10 * DAY_MS);
	(void)oldest_at(10 * DAY_MS, 0);
	cr_assert_eq(oldest_at(1000, 10), 1);
	cr_assert(store_clock_doubted(stage_store));
	stage_rows(2, 2, 1000);
	cr_assert_eq(oldest_at(10 * DAY_MS + 20, 20), 1, "and right again");
	cr_assert_not(store_clock_doubted(stage_store));
}

Test(store_clock_sqlite, a_clock_far_ahead_of_the_newest_row_is_doubted_after_a_restart,
     .init = stage_begin, .fini = stage_end)
{
	stage_open("sqlite", &week);
	stage_rows(1, 2, 1000);
	stage_reopen();
	/* A reboot: the monotonic clock begins again, the wall clock is ten days ahead. */
	cr_assert_eq(oldest_at(1000 + 10 * DAY_MS, 3), 1);
	cr_assert(store_clock_doubted(stage_store));
	cr_assert_eq(oldest_at(1000 + 11 * DAY_MS, 3 + DAY_MS), 0, "it was off for so long");
	cr_assert_not(store_clock_doubted(stage_store));
	stage_rows(3, 3, 1000 + 11 * DAY_MS);
	stage_reopen();
	cr_assert_eq(oldest_at(2000 + 11 * DAY_MS, 5), 3);
	cr_assert_not(store_clock_doubted(stage_store));
}

/* The newest row has the new time already: it must not speak for it. */
Test(store_clock_sqlite, a_restart_does_not_end_the_doubt, .init = stage_begin, .fini = stage_end)
{
	stage_open("sqlite", &week);
	stage_rows(1, 1, 1000);
	(void)oldest_at(1000, 0);
	(void)oldest_at(1000 + 10 * DAY_MS, 0);
	stage_rows(2, 2, 1000 + 10 * DAY_MS);
	stage_reopen();
	cr_assert(store_clock_doubted(stage_store));
	cr_assert_eq(oldest_at(1001 + 10 * DAY_MS, 1), 1);
	cr_assert_eq(oldest_at(1001 + 11 * DAY_MS, 1 + DAY_MS), 2, "it has stood by its time");
	stage_reopen();
	cr_assert_not(store_clock_doubted(stage_store));
}
