/* SPDX-License-Identifier: MIT */
/* Goal: a stream is stuck one millisecond past its bound and not before, by the rule of its phase;
 * and check's thresholds turn at their number.  Method: rows by hand.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_check.h"
#include "actors/tap/tap_stuck.h"

#define NOW_MS INT64_C(1764000000000)

static const struct stuck_bounds bounds = {
	.start_ms = 1000, .stop_ms = 2000, .silent_ms = 3000, .owed_ms = 4000
};
static struct mirror mirror;

static void setup(void)
{
	mirror_init(&mirror);
}

static void teardown(void)
{
	mirror_fini(&mirror);
}

TestSuite(stuck, .init = setup, .fini = teardown);

static void apply(struct stream_event event)
{
	bool complete;

	(void)mirror_apply(&mirror, &event, &complete);
}

static void begin(void)
{
	apply((struct stream_event){ .type = EVENT_SNAPSHOT_BEGIN });
}

static void add_stream(enum phase phase, int64_t age_ms, bool owes)
{
	apply((struct stream_event){ .type = EVENT_SNAPSHOT_STREAM,
				     .user_id = TEXT("alice"),
				     .stream_id = TEXT("s-1"),
				     .snapshot_stream.phase = phase,
				     .snapshot_stream.created_ms = NOW_MS - 100000,
				     .snapshot_stream.activity_ms = NOW_MS - age_ms,
				     .snapshot_stream.told_owed = owes });
}

static size_t stuck_at(enum phase phase, int64_t age_ms, bool owes)
{
	begin();
	add_stream(phase, age_ms, owes);
	return stuck_mark(&mirror, &bounds, NOW_MS);
}

Test(stuck, one_past_each_bound)
{
	static const struct {
		enum phase phase;
		int64_t bound_ms;
	} rows[] = {
		{ PHASE_REQUESTED, 1000 }, { PHASE_PROVISIONING, 1000 }, { PHASE_STARTING, 1000 },
		{ PHASE_STOPPING, 2000 },  { PHASE_SUSPECT, 3000 },	 { PHASE_CLOSED, 4000 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		cr_expect_eq(stuck_at(rows[i].phase, rows[i].bound_ms, true), 0, "row %zu", i);
		cr_expect_null(mirror.streams[0].stuck);
		cr_expect_eq(stuck_at(rows[i].phase, rows[i].bound_ms + 1, true), 1, "row %zu", i);
		cr_expect_not_null(mirror.streams[0].stuck);
	}
}

Test(stuck, a_live_one_is_not_and_a_closed_one_that_owes_nothing)
{
	cr_assert_eq(stuck_at(PHASE_LIVE, 1000000, false), 0);
	cr_assert_eq(stuck_at(PHASE_CLOSED, 1000000, false), 0);
}

/* The phone, or the glasses, have been away for so long. */
static size_t cut_off(bool phone, int64_t age_ms, bool dated)
{
	struct stream_event fact = { .type = EVENT_LINK_CHANGED,
				     .user_id = TEXT("alice"),
				     .seq = 5,
				     .link_changed.state = LINK_DOWN };

	if (!phone)
		fact = (struct stream_event){ .type = EVENT_GLASSES_CHANGED,
					      .user_id = TEXT("alice"),
					      .seq = 5 };
	begin();
	apply(fact);
	add_stream(PHASE_LIVE, 100, false);
	fact.sent_ms = NOW_MS - age_ms;
	if (dated)
		mirror_date(&mirror, &fact);
	return stuck_mark(&mirror, &bounds, NOW_MS);
}

Test(stuck, a_live_one_without_a_way_to_its_device)
{
	for (int phone = 0; phone <= 1; phone++) {
		cr_expect_eq(cut_off(phone, 3000, true), 0);
		cr_expect_eq(cut_off(phone, 3001, true), 1);
		cr_expect_eq(cut_off(phone, 3001, false), 0, "its time is not known");
	}
}

Test(stuck, a_date_of_another_event_is_none)
{
	struct stream_event fact = { .type = EVENT_LINK_CHANGED,
				     .user_id = TEXT("alice"),
				     .seq = 5,
				     .link_changed.state = LINK_DOWN };

	begin();
	apply(fact);
	fact.seq = 4;
	fact.sent_ms = NOW_MS - 50000;
	fact.link_changed.code = 1001;
	mirror_date(&mirror, &fact);
	cr_assert_eq(mirror_user(&mirror, TEXT("alice"))->link_at_ms, 0);
	fact.seq = 5;
	mirror_date(&mirror, &fact);
	cr_assert_eq(mirror_user(&mirror, TEXT("alice"))->link_at_ms, NOW_MS - 50000);
	cr_assert_eq(mirror_user(&mirror, TEXT("alice"))->link_code, 1001);
}

/* check ------------------------------------------------------------------------------------- */

Test(stuck, check_counts_what_the_snapshot_says)
{
	struct check check = { 0 };

	begin();
	add_stream(PHASE_SUSPECT, 100, false);
	add_stream(PHASE_LIVE, 100, false);
	add_stream(PHASE_STARTING, 5000, false);
	add_stream(PHASE_CLOSED, 9000, true);
	apply((struct stream_event){ .type = EVENT_GATEWAY_CHANGED,
				     .gateway_changed.gateway = 1,
				     .gateway_changed.state = LINK_UP });
	apply((struct stream_event){ .type = EVENT_GATEWAY_CHANGED,
				     .gateway_changed.gateway = 2,
				     .gateway_changed.state = LINK_LOST });
	(void)stuck_mark(&mirror, &bounds, NOW_MS);
	check_count(&check, &mirror, NOW_MS);
	cr_assert_eq(check.facts[CHECK_ACTIVE], 3);
	cr_assert_eq(check.facts[CHECK_SUSPECT], 1);
	cr_assert_eq(check.facts[CHECK_STUCK], 2);
	cr_assert_eq(check.facts[CHECK_OWED], 1);
	cr_assert_eq(check.facts[CHECK_OWED_AGE], 9);
	cr_assert_eq(check.facts[CHECK_GATEWAYS_UP], 1);
	cr_assert_eq(check.facts[CHECK_GATEWAYS_LOST], 1);
	cr_assert_eq(check.phases[PHASE_LIVE], 1);
}

Test(stuck, thresholds_turn_at_their_number)
{
	struct check_limits limits = { .warning = { [CHECK_SUSPECT] = 2, [CHECK_HISTORY] = 60 },
				       .critical = { [CHECK_SUSPECT] = 4, [CHECK_HISTORY] = 30 } };
	const struct {
		enum check_fact fact;
		int64_t value;
		enum check_level level;
	} rows[] = {
		{ CHECK_SUSPECT, 1, CHECK_OK },	       { CHECK_SUSPECT, 2, CHECK_WARNING },
		{ CHECK_SUSPECT, 3, CHECK_WARNING },   { CHECK_SUSPECT, 4, CHECK_CRITICAL },
		{ CHECK_HISTORY, 60, CHECK_OK },       { CHECK_HISTORY, 59, CHECK_WARNING },
		{ CHECK_HISTORY, 29, CHECK_CRITICAL }, { CHECK_HISTORY, -1, CHECK_OK },
		{ CHECK_STUCK, 1000, CHECK_OK },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct check check;

		for (size_t j = 0; j < CHECK_FACT_COUNT; j++)
			check.facts[j] = -1;
		check.facts[rows[i].fact] = rows[i].value;
		cr_expect_eq(check_level(&check, &limits, rows[i].fact), rows[i].level, "row %zu",
			     i);
		cr_expect_eq(check_worst(&check, &limits), rows[i].level, "row %zu", i);
	}
}
