/* SPDX-License-Identifier: MIT */
/* Goal: what is of another time, of somebody else or malformed changes nothing; and while a
 * snapshot is swept in slices, timers judge by what it named.  Method: the branches of the core
 * that neither the other tests nor the simulator take.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/lifecycle-scheduler/scheduler_state.h"
#include "tests/lib/scheduler_world.h"

#define USER "user@example.com"
#define APP "com.example.a"

static void setup(void)
{
	world_start(world_options());
}

static uint64_t stale(void)
{
	return world.core.stats.stale;
}

/* The index keeps hashes: who has the same is told apart here. */
Test(scheduler_unasked, an_app_is_of_one_user, .init = setup)
{
	char key[sizeof(uint32_t) + sizeof APP];
	uint32_t other = 1;

	tell(app(USER, APP, APP_LOADING));
	memcpy(key, &world.core.apps[0].user, sizeof(uint32_t));
	memcpy(key + sizeof(uint32_t), APP, sizeof APP - 1);
	const struct text whole = { key, sizeof key - 1 };

	cr_assert(scheduler_app_match(&world.core, 0, whole));
	cr_assert_not(scheduler_app_match(&world.core, 0, (struct text){ key, whole.length - 1 }));
	key[sizeof(uint32_t)] = 'x';
	cr_assert_not(scheduler_app_match(&world.core, 0, whole));
	key[sizeof(uint32_t)] = APP[0];
	memcpy(key, &other, sizeof other);
	cr_assert_not(scheduler_app_match(&world.core, 0, whole));
}

/* A user whose session is over stays as long as its stream. */
Test(scheduler_unasked, rows_older_than_the_end_of_a_session, .init = setup)
{
	live(USER, "s1");
	uint64_t end = tell(session(USER, EVENT_SESSION_CLOSED));
	uint64_t before = stale();

	tell_row(session(USER, EVENT_SESSION_OPENED), end - 1);
	tell_row(app(USER, APP, APP_LOADING), end - 1);
	cr_assert_eq(stale(), before + 2);
	cr_assert_eq(world.core.app_slots.count, 0);
	tell(app(USER, APP, APP_LOADING));
	cr_assert_eq(world.core.app_slots.count, 1);
	tell(session(USER, EVENT_SESSION_OPENED));
	cr_assert_eq(stale(), before + 2);
}

Test(scheduler_unasked, a_stream_of_somebody_else_or_of_before, .init = setup)
{
	live(USER, "s1");
	tell(opened("v", "s1", 7, KIND_UNMANAGED));
	cr_assert_eq(world.core.stream_slots.count, 1);
	tell(opened(USER, "s2", 5, KIND_UNMANAGED));
	uint64_t before = stale();

	tell(opened(USER, "s3", 4, KIND_UNMANAGED));
	cr_assert_eq(stale(), before + 1);
	cr_assert_eq(world.core.stream_slots.count, 1);
}

Test(scheduler_unasked, what_gateways_say, .init = setup)
{
	char longest[ACK_ID_MAX + STREAM_ID_MAX + 1];
	struct stream_event other = { .type = EVENT_EDGE_STATUS };

	live(USER, "s1");
	forget();
	give((struct input){ .type = INPUT_MESSAGE,
			     .peer = { .role = ROLE_GATEWAY, .incarnation = GATEWAY_A },
			     .event = &other });
	for (unsigned i = 0; i < 2; i++) {
		uint64_t before = world.core.stats.malformed;

		memset(longest, 'x', sizeof longest);
		longest[i ? ACK_ID_MAX + 1 : STREAM_ID_MAX + 1] = '\0';
		ack(i ? "s1" : longest, i ? longest : "a00001");
		cr_assert_eq(world.core.stats.malformed, before + 1);
	}
	static const struct text wrong[] = {
		{ "\x91\x92\x01\x02", 4 }, /* numbers */
		{ "\x91\x92\xa1s\x02", 5 },
		{ "\x91\x91\xa1s", 4 }, /* one field, three */
		{ "\x91\x93\xa1s\xa1"
		  "a\xa1"
		  "b",
		  8 },
		{ "\x91\x01", 2 }, /* no array */
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct stream_event batch = { .type = EVENT_ACK_BATCH };
		uint64_t before = world.core.stats.malformed;

		batch.ack_batch.acks = wrong[i];
		give((struct input){ .type = INPUT_MESSAGE,
				     .peer = { .role = ROLE_GATEWAY, .incarnation = GATEWAY_A },
				     .event = &batch });
		cr_assert_eq(world.core.stats.malformed, before + 1, "row %zu", i);
	}
	for (uint64_t id = 100; id < 110; id++) /* more than there may be */
		beat(id);
	cr_assert_eq(world.core.gateway_slots.count, world.core.options.gateways_max);
	quiet();
}

Test(scheduler_unasked, in_step_again_though_it_never_was_out, .init = setup)
{
	live(USER, "s1");
	int64_t sight_ms = world.core.sight_ms;

	at(500);
	synced();
	cr_assert_eq(world.core.sight_ms, sight_ms);
	cr_assert_eq(world.core.stream_slots.count, 1);
	cr_assert_gt(scheduler_deadline(&world.core), world.now_ms);
}

/* The wait for an ack ends before the next probe, also if this one was late. */
Test(scheduler_unasked, a_late_probe)
{
	struct scheduler_options options = world_options();

	options.kinds[KIND_UNMANAGED].ack_timeout_ms =
		options.kinds[KIND_UNMANAGED].keepalive_interval_ms - 10;
	world_start(options);
	live(USER, "s1");
	sleep_until(15040);
	give((struct input){ .type = INPUT_TICK });
	cr_assert_eq(world.core.probes[0].probe_ms, 30000);
	cr_assert_eq(world.core.probes[0].ack_ms, 29999);
}

/* What only keeps old rows out needs no room, and nobody misses it. */
Test(scheduler_unasked, a_full_table_of_apps)
{
	struct scheduler_options options = world_options();

	options.apps_max = 1;
	world_start(options);
	tell(session(USER, EVENT_SESSION_OPENED));
	resync();
	tell_row(session(USER, EVENT_SESSION_OPENED), 1);
	tell_row(app(USER, APP, APP_LOADING), 2);
	tell_row(app(USER, "running", APP_RUNNING), 3);
	cr_assert_eq(world.core.stats.apps_refused, 0);
	tell_row(app(USER, "loading", APP_LOADING), 4);
	cr_assert_eq(world.core.stats.apps_refused, 1);
	synced();
}

/* While syncing a status may come before the row that says of what kind its stream is; if that
 * never comes there is none.
 */
Test(scheduler_unasked, a_stream_of_no_kind, .init = setup)
{
	tell(session(USER, EVENT_SESSION_OPENED));
	resync();
	tell_row(session(USER, EVENT_SESSION_OPENED), 1);
	tell(status(USER, "s1", 1, PHASE_LIVE));
	cr_assert_eq(world.core.stream_slots.count, 1);
	synced();
	at(10);
	cr_assert_eq(world.core.stream_slots.count, 0);
	cr_assert_eq(scheduler_timers(&world.core), 0);
}

/* --- while a snapshot is swept ---------------------------------------------------------------- */

static unsigned expired(enum timer timer)
{
	unsigned count = 0;

	for (size_t i = 0; i < world.count; i++)
		count += world.records[i].type == EVENT_TIMER_EXPIRED &&
			 world.records[i].timer == timer;
	return count;
}

/* At 60 s everything is due at once, and the sweep has not come to any of it. */
static void start_world(void)
{
	struct scheduler_options options = world_options();
	char user[16];

	options.users_max = options.streams_max = options.apps_max = SCHEDULER_SWEEP_MAX + 100;
	options.app_connect_ms = options.session_grace_ms = 10;
	options.kinds[KIND_UNMANAGED].start_deadline_ms = 10;
	options.kinds[KIND_UNMANAGED].duration_max_ms = 60000;
	world_start(options);
	for (unsigned i = 0; i < SCHEDULER_SWEEP_MAX; i++) {
		(void)snprintf(user, sizeof user, "u%u", i);
		tell(session(user, EVENT_SESSION_OPENED));
	}
	live(USER, "s1");
	live("gone", "s2");
	at(59990);
	tell(link_down("offline"));
	tell(link_down("unlinked"));
	tell(app("gone", APP, APP_LOADING));
	tell(app("alone", APP, APP_LOADING));
	forget();
}

Test(scheduler_unasked, timers_go_by_what_the_snapshot_named, .init = start_world)
{
	resync();
	tell_row(gateway(GATEWAY_A, LINK_UP), 1);
	tell_row(session(USER, EVENT_SESSION_OPENED), 2);
	tell_row(link_up(USER, 1, GATEWAY_A), 3);
	tell_row(app(USER, APP, APP_LOADING), 4);
	tell_row(row(USER, "s1", 1, KIND_UNMANAGED, PHASE_LIVE), 5);
	tell_row(session("starting", EVENT_SESSION_OPENED), 6);
	tell_row(link_up("starting", 2, GATEWAY_A), 7);
	tell_row(row("starting", "s3", 1, KIND_UNMANAGED, PHASE_STARTING), 8);
	tell_row(link_down("offline"), world.seq);
	tell_row(session("unlinked", EVENT_SESSION_OPENED), world.seq);
	synced();
	tell(moved("gone", "s2", 1, PHASE_SUSPECT)); /* it is not, and never was */
	tell(moved(USER, "s1", 1, PHASE_SUSPECT));
	sleep_until(60000);
	give((struct input){ .type = INPUT_TICK });
	cr_assert_leq(scheduler_deadline(&world.core), world.now_ms, "there is more to sweep");
	at(60000);
	cr_assert_eq(expired(TIMER_APP_CONNECT), 1);
	cr_assert_eq(expired(TIMER_SESSION_GRACE), 1);
	cr_assert_eq(expired(TIMER_START_DEADLINE), 1);
	cr_assert_eq(expired(TIMER_DURATION), 1);
	cr_assert_gt(count_of(EVENT_PROBE_BATCH) + count_of(EVENT_PROBE_SENT), 0);
	cr_assert_eq(world.core.stream_slots.count, 2);
	cr_assert_eq(world.core.user_slots.count, 4);
	cr_assert_eq(world.core.app_slots.count, 1);
}

Test(scheduler_unasked, timers_of_what_it_did_not_name_say_nothing, .init = start_world)
{
	resync();
	synced();
	sleep_until(60000);
	give((struct input){ .type = INPUT_TICK });
	at(60000);
	quiet();
	cr_assert_eq(world.core.user_slots.count, 0);
	cr_assert_eq(scheduler_timers(&world.core), 0);
}
