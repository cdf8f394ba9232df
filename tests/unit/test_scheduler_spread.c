/* SPDX-License-Identifier: MIT */
/* Goal: ten thousand streams are never probed all at once, whatever happened to all of them at
 * once: a restart of ours, one of the registry, the loss of a gateway with the storm that follows.
 * Method: count the probes of each 10 ms tick over one interval.
 */
#include <stdio.h>

#include "common/stream_id.h"
#include "tests/lib/scheduler_world.h"

#define STREAMS 10000
#define INTERVAL_MS 15000
#define TICK_MS 10
#define TICKS (INTERVAL_MS / TICK_MS)
/* 10,000 in 1,500 ticks are 6.7 each; thrown at random the fullest has 18 or 19 of them. */
#define PER_TICK_MAX 24

static char users[STREAMS][8], streams[STREAMS][STREAM_ID_SIZE];

static void start_world(void)
{
	struct scheduler_options options = world_options();

	options.streams_max = options.users_max = STREAMS;
	world_start(options);
	for (uint64_t i = 0; i < STREAMS; i++) {
		snprintf(users[i], sizeof users[i], "u%lu", (unsigned long)i);
		stream_id_make('s', i + 1, streams[i]);
	}
}

/* A snapshot of them all, every row in the same millisecond. */
static void take_snapshot(void)
{
	resync();
	tell_row(gateway(GATEWAY_A, LINK_UP), 1);
	for (uint64_t i = 0; i < STREAMS; i++) {
		tell_row(session(users[i], EVENT_SESSION_OPENED), 2);
		tell_row(link_up(users[i], i + 1, GATEWAY_A), 3);
		tell_row(row(users[i], streams[i], i + 1, KIND_UNMANAGED, PHASE_LIVE), 4);
	}
	synced();
}

/* Each stream once in the interval from now on, and no tick with too many, for whomever. */
static void expect_even_interval(void)
{
	static uint16_t ticks[TICKS + 1];
	static bool probed[STREAMS];
	int64_t from_ms = world.now_ms;
	size_t streams_probed = 0;

	memset(ticks, 0, sizeof ticks);
	memset(probed, 0, sizeof probed);
	forget();
	at(from_ms + INTERVAL_MS);
	for (size_t i = 0; i < world.count; i++) {
		const struct record *record = &world.records[i];
		size_t tick = (size_t)(record->at_ms - from_ms) / TICK_MS;

		if (record->type != EVENT_PROBE_BATCH)
			continue;
		cr_assert_leq(++ticks[tick], PER_TICK_MAX, "tick %zu", tick);
		streams_probed += !probed[record->epoch - 1];
		probed[record->epoch - 1] = true;
	}
	cr_assert_eq(streams_probed, STREAMS);
}

/* Nobody shall expire meanwhile. */
static void answer_all(void)
{
	size_t count = world.count;

	for (size_t i = 0; i < count; i++)
		if (world.records[i].type == EVENT_PROBE_BATCH)
			answer(&world.records[i]);
}

/* A new life of ours, that hears of everything at once. */
static void probe_for_an_interval(void)
{
	start_world();
	at(5000);
	take_snapshot();
	peer(GATEWAY_A, INPUT_PEER_UP);
	expect_even_interval();
}

Test(spread, after_our_own_restart)
{
	probe_for_an_interval();
}

Test(spread, after_a_restart_of_the_registry)
{
	probe_for_an_interval();
	answer_all();
	take_snapshot();
	expect_even_interval();
}

/* All come back to another gateway in one millisecond: the phases are those of the streams. */
Test(spread, after_the_loss_of_a_gateway_and_the_storm_behind_it)
{
	probe_for_an_interval();
	answer_all();
	tell(gateway(GATEWAY_A, LINK_DOWN));
	peer(GATEWAY_A, INPUT_PEER_DOWN);
	connect_gateway(GATEWAY_B);
	for (uint64_t i = 0; i < STREAMS; i++)
		tell(link_down(users[i]));
	at(world.now_ms + 3000);
	for (uint64_t i = 0; i < STREAMS; i++)
		tell(link_up(users[i], STREAMS + i, GATEWAY_B));
	expect_even_interval();
}

/* What was due while we stood still is skipped, not made up for in a burst. */
Test(spread, after_a_stall_of_a_whole_interval)
{
	probe_for_an_interval();
	answer_all();
	sleep_until(world.now_ms + INTERVAL_MS);
	expect_even_interval();
}
