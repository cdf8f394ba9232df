/* SPDX-License-Identifier: MIT */
/* Goal: frame heads alone tell exactly what was missed, seen twice or said by another start of the
 * process.  Method: heads in every order, and a random walk against a plain count.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_gaps.h"
#include "tests/lib/fakes.h"

static struct gap_track track;
static struct gap_report report;

static void setup(void)
{
	track = (struct gap_track){ 0 };
	report = (struct gap_report){ 0 };
}

static bool see(uint64_t incarnation, uint64_t first_seq, uint16_t count, bool lasting)
{
	const struct frame_head head = { .incarnation = incarnation,
					 .first_seq = first_seq,
					 .count = count };

	return gap_see(&track, &head, lasting, &report);
}

Test(gaps, what_was_before_the_first_head_is_not_missed, .init = setup)
{
	cr_assert(see(1, 500, 2, true));
	cr_assert(report.first);
	cr_assert_eq(report.missed, 0);
	cr_assert_eq(track.next_seq, 502);
	cr_assert(see(1, 502, 1, true));
	cr_assert(!report.first);
	cr_assert_eq(report.missed, 0);
	cr_assert_eq(report.skip, 0);
}

Test(gaps, a_hole_is_counted_exactly, .init = setup)
{
	cr_assert(see(1, 1, 1, true));
	cr_assert(see(1, 7, 3, true));
	cr_assert_eq(report.from_seq, 2);
	cr_assert_eq(report.missed, 5);
	cr_assert(see(1, 10, 1, true));
	cr_assert_eq(report.missed, 0, "told once");
}

Test(gaps, a_beacon_reveals_the_tail_and_an_old_one_nothing, .init = setup)
{
	cr_assert(see(1, 1, 4, false));
	cr_assert(see(1, 5, 0, false));
	cr_assert_eq(report.missed, 0);
	cr_assert(see(1, 9, 0, false));
	cr_assert_eq(report.from_seq, 5);
	cr_assert_eq(report.missed, 4);
	cr_assert(see(1, 3, 0, false));
	cr_assert_eq(report.missed, 0);
	cr_assert_eq(report.skip, 0);
	cr_assert_eq(track.next_seq, 9);
}

Test(gaps, doubles_are_skipped, .init = setup)
{
	cr_assert(see(1, 1, 10, true));
	cr_assert(see(1, 8, 5, true));
	cr_assert_eq(report.skip, 3);
	cr_assert_eq(track.next_seq, 13);
	cr_assert(see(1, 2, 4, true));
	cr_assert_eq(report.skip, 4);
	cr_assert_eq(track.next_seq, 13);
}

Test(gaps, a_restart_of_the_registry_goes_on_counting, .init = setup)
{
	cr_assert(see(1, 1, 10, true));
	cr_assert(see(2, 14, 0, true));
	cr_assert(report.restarted);
	cr_assert_eq(report.previous, 1);
	cr_assert_eq(report.from_seq, 11);
	cr_assert_eq(report.missed, 3);
	cr_assert(see(2, 14, 1, true));
	cr_assert(!report.restarted);
	cr_assert_eq(report.missed, 0);
}

Test(gaps, a_new_store_begins_at_one, .init = setup)
{
	cr_assert(see(1, 100, 1, true));
	cr_assert(see(2, 4, 2, true));
	cr_assert(report.restarted);
	cr_assert_eq(report.from_seq, 1);
	cr_assert_eq(report.missed, 3);
	cr_assert_eq(report.skip, 0, "other events, not doubles");
	cr_assert_eq(track.next_seq, 6);
}

Test(gaps, what_another_daemon_said_before_we_came_is_no_gap, .init = setup)
{
	cr_assert(see(1, 1, 1, false));
	cr_assert(see(2, 40, 1, false));
	cr_assert(report.restarted);
	cr_assert_eq(report.missed, 0);
	cr_assert_eq(track.next_seq, 41);
}

Test(gaps, impossible_heads_change_nothing, .init = setup)
{
	cr_assert(see(1, 1, 1, true));
	const struct gap_track before = track;

	cr_assert(!see(1, 0, 1, true));
	cr_assert(!see(1, 0, 0, true));
	cr_assert(!see(2, UINT64_MAX, 1, true));
	cr_assert_eq(track.next_seq, before.next_seq);
	cr_assert_eq(track.incarnation, before.incarnation);
	cr_assert(see(1, UINT64_MAX, 0, true), "one before the limit");
}

/* Every event is either delivered, doubled or counted as missed: the sums agree at the end. */
Test(gaps, random_loss_and_doubling_add_up, .init = setup)
{
	struct prng prng = { 20261123 };
	uint64_t sent = 1, seen = 0, missed = 0;

	cr_assert(see(1, 1, 0, true));
	for (int i = 0; i < 100000; i++) {
		uint16_t count = (uint16_t)prng_below(&prng, 5);
		uint64_t first = sent;

		sent += count;
		if (prng_one_in(&prng, 3))
			continue;
		if (prng_one_in(&prng, 5) && first > 3) {
			first -= 3;
			count = (uint16_t)(count + 3);
		}
		cr_assert(see(1, first, count, true));
		missed += report.missed;
		seen += count - report.skip;
		cr_assert_eq(seen + missed, track.next_seq - 1, "i=%d", i);
	}
	cr_assert(see(1, sent, 0, true));
	cr_assert_eq(seen + missed + report.missed, sent - 1);
}
