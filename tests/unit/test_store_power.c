/* SPDX-License-Identifier: MIT */
/* Goal: what was acknowledged survives a power cut, also when a failed sync came before it.
 * Method: a VFS that knows what was synced (tests/lib/store_power.h); lives of random length, each
 * ended by a cut, a broken medium or a close; an audit at the start of each.
 */
#include <criterion/criterion.h>

#include "common/store.h"
#include "tests/lib/fakes.h"
#include "tests/lib/store_power.h"
#include "tests/lib/store_stage.h"

#define LIVES 150
#define BATCHES_MAX 60 /* in one life: some hundred pages, a checkpoint or two */

static const struct store_limits limits = { .history_rows_max = 400,
					    .history_age_ms = INT64_C(1) << 40,
					    .reserve_bytes = STAGE_RESERVE };
static struct prng prng;
static uint64_t acknowledged;

static void setup(void)
{
	stage_begin();
	store_power_install();
}

TestSuite(store_power, .init = setup, .fini = stage_end);

/* Nothing of it is missing; what was tried and not acknowledged may be there. */
static void open_and_audit(uint64_t tried)
{
	uint64_t found;

	stage_open("sqlite", &limits);
	found = stage_audit();
	cr_assert_geq(found, acknowledged, "%llu of %llu acknowledged batches",
		      (unsigned long long)found, (unsigned long long)acknowledged);
	cr_assert_leq(found, tried);
	acknowledged = found; /* it was shown to somebody: it must stay */
}

/* Commit until it breaks or the life is over.  The number of the last batch that was tried. */
static uint64_t commit_some(void)
{
	for (uint32_t left = prng_below(&prng, BATCHES_MAX); left > 0; left--) {
		if (stage_try_number(acknowledged + 1) != STORE_COMMITTED)
			return acknowledged + 1;
		acknowledged++;
		if (prng_one_in(&prng, 10))
			(void)store_tend(stage_store, &(struct store_time){ .wall_ms = 1 });
	}
	return acknowledged;
}

static void cut(void)
{
	store_power_off();
	stage_close();
	store_power_cut(&prng);
}

Test(store_power, acknowledged_batches_survive_power_cuts)
{
	uint64_t tried = 0;

	prng.state = 11;
	for (int life = 0; life < LIVES; life++) {
		open_and_audit(tried);
		tried = commit_some();
		if (prng_one_in(&prng, 6))
			stage_close(); /* a clean end, and the power goes later */
		cut();
	}
	cr_assert_gt(acknowledged, (uint64_t)LIVES * BATCHES_MAX / 4);
}

/* The process ends after a failed sync, the next one reads what the kernel still has in memory;
 * what it finds and what it adds must survive the cut that comes then.
 */
Test(store_power, batches_after_a_failed_sync_survive_a_power_cut)
{
	uint64_t tried = 0;
	int broken = 0;

	prng.state = 12;
	for (int life = 0; life < LIVES; life++) {
		open_and_audit(tried);
		store_power_fail_sync(prng_below(&prng, 40));
		tried = commit_some();
		broken += tried > acknowledged;
		stage_close();
		store_power_fail_sync(UINT32_MAX);
		open_and_audit(tried);
		tried = commit_some();
		cut();
	}
	cr_assert_gt(broken, LIVES / 10);
}
