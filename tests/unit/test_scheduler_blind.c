/* SPDX-License-Identifier: MIT */
/* Goal: no verdict on time we could not see: our own stalls, a silent registry, a restart of
 * either, a gateway out of sight.  What was armed gets one window more, probes keep their phase,
 * and nothing bursts.
 */
#include <stdio.h>

#include "tests/lib/scheduler_world.h"

#define USER "u@example.com"
#define LEASE_MS 5000
#define GONE_MS 120000

static void setup(void)
{
	world_start(world_options());
}

static void setup_leases(void)
{
	struct scheduler_options options = world_options();

	options.gateway_lease_ms = LEASE_MS;
	options.gateway_blind_max_ms = GONE_MS;
	world_start(options);
}

static void miss(int64_t at_ms, uint64_t missed, bool expired)
{
	const struct record *record = expect(at_ms, EVENT_STREAM_MISSED);

	cr_assert_eq(record->missed, missed);
	cr_assert_eq(record->expired, expired);
}

static void tick(void)
{
	give((struct input){ .type = INPUT_TICK });
}

/* --- our own stalls --------------------------------------------------------------------------- */

Test(stall, a_pending_probe_gets_one_window_more_and_the_phase_is_kept, .init = setup)
{
	live(USER, "s1");
	at(16000);
	expect(15000, EVENT_PROBE_BATCH);
	sleep_until(92000); /* the ack was due at 25 s, probes at 30, 45, 60, 75, 90 s */
	tick();
	quiet();
	cr_assert_eq(world.core.stats.stalls, 1);
	cr_assert_eq(world.core.stats.probes_skipped, 5);
	at(101990);
	quiet();
	at(105000);
	miss(102000, 1, false);
	expect(105000, EVENT_PROBE_BATCH);
	at(135000);
	miss(115000, 2, false);
	expect(120000, EVENT_PROBE_BATCH);
	miss(130000, 3, true);
}

Test(stall, a_probe_later_than_a_third_of_a_short_interval_is_left_out)
{
	struct scheduler_options options = world_options();

	options.kinds[KIND_UNMANAGED].keepalive_interval_ms = 1500;
	options.kinds[KIND_UNMANAGED].ack_timeout_ms = 1000;
	options.stall_ms = 1000;
	world_start(options);
	live(USER, "s1");
	at(1400);
	sleep_until(2000); /* 500 ms late: the next one is 1,000 ms from here */
	tick();
	tick();
	answer(expect(2000, EVENT_PROBE_BATCH));
	sleep_until(3915); /* it would be 585 ms from here */
	tick();
	tick();
	quiet();
	at(4500);
	expect(4500, EVENT_PROBE_BATCH);
}

Test(stall, an_ack_that_waited_in_the_socket_counts, .init = setup)
{
	live(USER, "s1");
	at(16000);
	const struct record *sent = expect(15000, EVENT_PROBE_BATCH);

	sleep_until(92000);
	answer(sent); /* before the first tick */
	cr_assert_eq(world.core.stats.stalls, 1);
	at(105000);
	expect(105000, EVENT_PROBE_BATCH);
	quiet();
}

Test(stall, the_next_probe_takes_the_place_of_one_put_off, .init = setup)
{
	live(USER, "s1");
	at(16000);
	const struct record *first = expect(15000, EVENT_PROBE_BATCH);

	sleep_until(88000);
	at(90000); /* the first would wait until 98 s */
	expect(90000, EVENT_PROBE_BATCH);
	cr_assert_eq(world.core.stats.probes_forgiven, 1);
	answer(first);
	cr_assert_eq(world.core.stats.acks_unknown, 1);
	at(100000);
	miss(100000, 1, false);
	quiet();
}

Test(stall, a_late_tick_lets_the_sockets_be_read_first, .init = setup)
{
	live(USER, "s1");
	at(15000);
	const struct record *sent = expect(15000, EVENT_PROBE_BATCH);

	sleep_until(25051); /* the ack was due at 25 s */
	tick();
	quiet();
	cr_assert_leq(scheduler_deadline(&world.core), world.now_ms);
	answer(sent);
	tick();
	quiet();
	cr_assert_eq(world.core.stats.stalls, 0);
	at(30000);
	expect(30000, EVENT_PROBE_BATCH);
	sleep_until(40050);
	tick();
	miss(40050, 1, false);
	at(45000);
	expect(45000, EVENT_PROBE_BATCH);
	sleep_until(55100);
	tick();
	quiet();
	tick(); /* but only once */
	miss(55100, 2, false);
}

Test(stall, one_of_exactly_the_limit_is_none, .init = setup)
{
	live(USER, "s1");
	at(14000);
	sleep_until(16000); /* the probe was due at 15 s */
	tick();
	tick();
	cr_assert_eq(world.core.stats.stalls, 0);
	expect(16000, EVENT_PROBE_BATCH); /* late, but sent */
	at(26000);
	miss(26000, 1, false); /* with its whole window */
	at(30000);
	expect(30000, EVENT_PROBE_BATCH); /* in its phase */
	quiet();
}

Test(stall, one_just_beyond_it_is_one, .init = setup)
{
	live(USER, "s1");
	at(14000);
	sleep_until(16001);
	tick();
	cr_assert_eq(world.core.stats.stalls, 1);
	at(30000);
	cr_assert_eq(world.core.stats.probes_skipped, 1);
	expect(30000, EVENT_PROBE_BATCH);
	quiet();
}

Test(stall, short_ack_timeouts_make_short_stalls_count)
{
	struct scheduler_options options = world_options();

	options.kinds[KIND_UNMANAGED].keepalive_interval_ms = 200;
	options.kinds[KIND_UNMANAGED].ack_timeout_ms = 100;
	world_start(options);
	live(USER, "s1");
	at(200);
	expect(200, EVENT_PROBE_BATCH);
	sleep_until(401); /* the ack was due at 300 ms */
	tick();
	cr_assert_eq(world.core.stats.stalls, 1);
	at(500);
	quiet();
}

Test(stall, sleeping_while_nothing_is_due_is_no_stall, .init = setup)
{
	live(USER, "s1");
	sleep_until(14000);
	tick();
	sleep_until(15000);
	tick();
	expect(15000, EVENT_PROBE_BATCH);
	cr_assert_eq(world.core.stats.stalls, 0);
}

Test(stall, every_other_deadline_gets_a_window_too, .init = setup)
{
	tell(session(USER, EVENT_SESSION_OPENED));
	tell(link_down(USER)); /* grace until 60 s: window 10 s */
	tell(app(USER, "com.example.a", APP_GRACE)); /* 5 s: window 5 s */
	tell(app(USER, "com.example.b", APP_STOPPING)); /* 12 s: window 10 s */
	tell(opened(USER, "s1", 1, KIND_MANAGED)); /* start deadline 60 s: window 10 s */
	sleep_until(200000);
	tick();
	quiet();
	at(205000);
	cr_assert_eq(expect(205000, EVENT_TIMER_EXPIRED)->timer, TIMER_APP_GRACE);
	at(209990);
	quiet();
	at(210000);
	cr_assert_eq(count_of(EVENT_TIMER_EXPIRED), 5); /* and the app's repeated */
	cr_assert_eq(world.core.stats.deadlines_put_off, 4);
}

Test(stall, a_lease_is_not_judged_on_it_either, .init = setup_leases)
{
	connect_gateway(GATEWAY_A);
	sleep_until(90000);
	tick();
	at(94990);
	quiet();
	at(95000);
	cr_assert_eq(expect(95000, EVENT_TIMER_EXPIRED)->timer, TIMER_GATEWAY_LEASE);
}

Test(stall, long_silence_that_nobody_could_hear_makes_no_gateway_gone, .init = setup_leases)
{
	connect_gateway(GATEWAY_A);
	sleep_until(500000);
	tick();
	at(505000);
	cr_assert_lt(expect(505000, EVENT_TIMER_EXPIRED)->after_ms, GONE_MS);
}

/* --- a silent registry ------------------------------------------------------------------------ */

static void go_blind(void)
{
	give((struct input){ .type = INPUT_BLIND });
}

Test(blind, nothing_is_judged_but_probes_go_on_and_acks_count, .init = setup)
{
	live(USER, "s1");
	at(16000);
	expect(15000, EVENT_PROBE_BATCH);
	go_blind();
	at(75000);
	for (int64_t now_ms = 30000; now_ms <= 75000; now_ms += 15000)
		expect(now_ms, EVENT_PROBE_BATCH); /* else the device gives up after 60 s */
	quiet();
	at(80000);
	tell(glasses(USER)); /* whatever it says, the story is back */
	at(89990);
	quiet();
	at(90000);
	miss(90000, 1, false); /* one window from the return of sight */
	expect(90000, EVENT_PROBE_BATCH);
}

Test(blind, an_ack_meanwhile_proves_life, .init = setup)
{
	live(USER, "s1");
	at(41000);
	expect(15000, EVENT_PROBE_BATCH);
	miss(25000, 1, false);
	expect(30000, EVENT_PROBE_BATCH);
	miss(40000, 2, false);
	go_blind();
	at(45100);
	answer(expect(45000, EVENT_PROBE_BATCH));
	miss(45100, 0, false); /* the registry hears of it when it is back */
	at(60000);
	expect(60000, EVENT_PROBE_BATCH);
	quiet();
}

Test(blind, a_link_known_to_be_down_is_not_probed_and_nothing_is_missed, .init = setup)
{
	live(USER, "s1");
	tell(link_down(USER));
	go_blind();
	at(80000);
	tell(glasses(USER));
	at(100000);
	cr_assert_eq(expect(90000, EVENT_TIMER_EXPIRED)->timer, TIMER_SESSION_GRACE);
	miss(100000, 1, false); /* of the probe of 90 s, the first after */
}

Test(blind, the_story_without_a_gap_ends_it, .init = setup)
{
	tell(session(USER, EVENT_SESSION_OPENED));
	tell(link_down(USER));
	at(59000);
	go_blind();
	at(70000);
	quiet();
	synced(); /* a beacon said that nothing was lost */
	at(79990);
	quiet();
	at(80000);
	cr_assert_eq(expect(80000, EVENT_TIMER_EXPIRED)->timer, TIMER_SESSION_GRACE);
}

Test(blind, an_expired_stream_is_not_reported_again_until_it_ends, .init = setup)
{
	live(USER, "s1");
	at(55000);
	forget();
	go_blind();
	at(100000);
	quiet();
	synced();
	at(105000);
	miss(105000, 3, true);
}

/* --- a restart of either ------------------------------------------------------------------------
 */

static void tell_row_of(uint64_t seq, enum phase phase, uint64_t missed)
{
	struct stream_event stream = row(USER, "s1", 1, KIND_UNMANAGED, phase);

	stream.snapshot_stream.missed = missed;
	tell_row(gateway(GATEWAY_A, LINK_UP), 1);
	tell_row(session(USER, EVENT_SESSION_OPENED), 2);
	tell_row(link_up(USER, 1, GATEWAY_A), 3);
	tell_row(stream, seq);
}

static void tell_rows(uint64_t seq, enum phase phase)
{
	tell_row_of(seq, phase, 0);
}

Test(resync, a_new_life_spreads_its_probes_over_the_interval)
{
	struct scheduler_options options = world_options();
	int quarters[4] = { 0 };
	char users[200][8], streams[200][8];

	options.streams_max = options.users_max = 200;
	world_start(options);
	at(5000);
	resync();
	tell_row(gateway(GATEWAY_A, LINK_UP), 1);
	for (uint64_t i = 0; i < 200; i++) {
		snprintf(users[i], sizeof users[i], "u%lu", (unsigned long)i);
		snprintf(streams[i], sizeof streams[i], "s%lu", (unsigned long)i);
		tell_row(session(users[i], EVENT_SESSION_OPENED), 2);
		tell_row(link_up(users[i], i + 1, GATEWAY_A), 3);
		tell_row(row(users[i], streams[i], 1, KIND_UNMANAGED, PHASE_LIVE), 4);
	}
	synced();
	peer(GATEWAY_A, INPUT_PEER_UP);
	at(19990);
	cr_assert_eq(count_of(EVENT_PROBE_BATCH), 200);
	for (size_t i = 0; i < world.count; i++)
		if (world.records[i].type == EVENT_PROBE_BATCH)
			quarters[(world.records[i].at_ms - 5000) / 3750]++;
	for (int i = 0; i < 4; i++)
		cr_assert_gt(quarters[i], 25);
}

Test(resync, known_streams_keep_phase_and_count, .init = setup)
{
	live(USER, "s1");
	at(41000);
	forget(); /* two misses */
	resync();
	tell_row_of(90, PHASE_SUSPECT, 2);
	at(44000);
	synced();
	at(55000);
	expect(45000, EVENT_PROBE_BATCH);
	miss(55000, 3, true);
}

/* Misses before a sign of life that fell into the gap count no more. */
Test(resync, a_row_with_fewer_misses_and_another_cause_forgives, .init = setup)
{
	live(USER, "s1");
	at(41000);
	forget(); /* two misses */
	resync();
	tell_rows(90, PHASE_LIVE);
	synced();
	at(55000);
	expect(45000, EVENT_PROBE_BATCH);
	miss(55000, 1, false);
}

/* It is probed again, but the last probe is not forgotten. */
Test(resync, a_row_that_brings_it_back_to_life_keeps_the_step, .init = setup)
{
	live(USER, "s1");
	at(15000);
	answer(expect(15000, EVENT_PROBE_BATCH));
	tell(status(USER, "s1", 1, PHASE_STARTING)); /* reconnecting */
	resync();
	tell_rows(90, PHASE_LIVE);
	synced();
	at(29990);
	quiet();
	at(30000);
	expect(30000, EVENT_PROBE_BATCH);
}

Test(resync, a_restarted_registry_may_count_from_one_again, .init = setup)
{
	live(USER, "s1");
	resync();
	tell_rows(4, PHASE_LIVE);
	synced();
	tell_row(status(USER, "s1", 1, PHASE_STARTING), 5);
	tell_row(link_down(USER), 6);
	at(60000);
	const struct record *start = expect(60000, EVENT_TIMER_EXPIRED);
	const struct record *grace = expect(60000, EVENT_TIMER_EXPIRED);

	cr_assert_eq(start->cause, 5);
	cr_assert_eq(grace->cause, 6);
	quiet(); /* no probes */
}

Test(resync, what_is_not_told_of_is_dropped_with_its_timers, .init = setup)
{
	live(USER, "s1");
	tell(session("v", EVENT_SESSION_OPENED));
	tell(link_down("v"));
	tell(app("v", "com.example.a", APP_GRACE));
	tell(opened("v", "s2", 1, KIND_MANAGED));
	connect_gateway(GATEWAY_B);
	peer(GATEWAY_B, INPUT_PEER_DOWN);
	resync();
	tell_rows(90, PHASE_LIVE);
	synced();
	at(10);
	cr_assert_eq(scheduler_timers(&world.core), 2); /* probe of s1, lease of A */
	cr_assert_eq(world.core.user_slots.count, 1);
	cr_assert_eq(world.core.stream_slots.count, 1);
	cr_assert_eq(world.core.app_slots.count, 0);
	cr_assert_eq(world.core.gateway_slots.count, 1);
	resync();
	synced();
	at(20);
	cr_assert_eq(scheduler_timers(&world.core), 0);
	cr_assert_eq(world.core.user_slots.count, 0);
	cr_assert_eq(world.core.gateway_slots.count, 1); /* still connected */
}

Test(resync, a_stream_or_link_alone_may_be_gone, .init = setup)
{
	live(USER, "s1");
	tell(app(USER, "com.example.a", APP_LOADING));
	resync();
	tell_row(gateway(GATEWAY_A, LINK_UP), 1);
	tell_row(session(USER, EVENT_SESSION_OPENED), 2);
	synced();
	at(10);
	cr_assert_eq(world.core.user_slots.count, 1);
	cr_assert_eq(world.core.stream_slots.count, 0);
	cr_assert_eq(world.core.app_slots.count, 0);
	cr_assert_eq(scheduler_timers(&world.core), 1);
	peer(GATEWAY_A, INPUT_PEER_DOWN);
	tell(gateway(GATEWAY_A, LINK_DOWN)); /* it holds no link any more */
	cr_assert_eq(world.core.gateway_slots.count, 0);
}

Test(resync, other_deadlines_run_in_full_from_the_row, .init = setup)
{
	tell(session(USER, EVENT_SESSION_OPENED));
	tell(link_down(USER));
	tell(opened(USER, "s1", 1, KIND_UNMANAGED));
	at(50000);
	resync();
	tell_row(session(USER, EVENT_SESSION_OPENED), 2);
	tell_row(link_down(USER), 3);
	tell_row(app(USER, "com.example.a", APP_GRACE), 4);
	struct stream_event stream = row(USER, "s1", 1, KIND_UNMANAGED, PHASE_REQUESTED);

	stream.snapshot_stream.phase_seq = 77;
	tell_row(stream, 99);
	synced();
	at(109990);
	cr_assert_eq(expect(55000, EVENT_TIMER_EXPIRED)->timer, TIMER_APP_GRACE);
	cr_assert_eq(count_of(EVENT_TIMER_EXPIRED), 11); /* the app's alone, each 5 s */
	forget();
	tell(app(USER, "com.example.a", APP_RUNNING));
	at(110000);
	const struct record *grace = expect(110000, EVENT_TIMER_EXPIRED);
	const struct record *start = expect(110000, EVENT_TIMER_EXPIRED);

	cr_assert_eq(grace->timer, TIMER_SESSION_GRACE);
	cr_assert_eq(grace->cause, 3);
	cr_assert_eq(start->timer, TIMER_START_DEADLINE);
	cr_assert_eq(start->cause, 77);
	quiet();
}

Test(resync, a_new_life_does_not_expire_by_what_an_old_one_counted, .init = setup)
{
	struct stream_event stream = row(USER, "s1", 1, KIND_UNMANAGED, PHASE_SUSPECT);

	stream.snapshot_stream.missed = 2;
	resync();
	tell_row(link_up(USER, 1, GATEWAY_A), 3);
	tell_row(stream, 99);
	synced();
	peer(GATEWAY_A, INPUT_PEER_UP);
	while (world.count == 0)
		at(world.now_ms + 10);
	cr_assert_lt(world.now_ms, 15000);
	answer(expect(world.now_ms, EVENT_PROBE_BATCH));
	miss(world.now_ms, 0, false); /* the registry hears that it recovered */
}

Test(resync, the_story_may_overtake_the_rows, .init = setup)
{
	world.seq = 200;
	resync();
	tell(moved(USER, "s1", 1, PHASE_LIVE)); /* 201: its kind is not known yet */
	tell(closed("v", "s2", 5)); /* 202 */
	tell(app("w", "com.example.a", APP_RUNNING)); /* 203 */
	tell(session("x", EVENT_SESSION_CLOSED)); /* 204 */
	tell_row(link_up(USER, 1, GATEWAY_A), 3);
	tell_row(row(USER, "s1", 1, KIND_MANAGED, PHASE_STARTING), 150);
	tell_row(row("v", "s2", 5, KIND_MANAGED, PHASE_STARTING), 150);
	tell_row(app("w", "com.example.a", APP_LOADING), 150);
	tell_row(link_down("x"), 150);
	tell_row(session("x", EVENT_SESSION_OPENED), 150);
	tell_row(app("x", "com.example.a", APP_LOADING), 150);
	synced();
	peer(GATEWAY_A, INPUT_PEER_UP);
	at(200000);
	cr_assert_eq(world.core.stream_slots.count, 1);
	cr_assert_eq(world.core.user_slots.count, 1);
	cr_assert_eq(world.core.app_slots.count, 0);
	cr_assert_eq(count_of(EVENT_TIMER_EXPIRED), 0);
	cr_assert_gt(count_of(EVENT_PROBE_BATCH), 0);
}

Test(resync, rows_of_ended_streams_are_no_streams, .init = setup)
{
	live(USER, "s1");
	resync();
	tell_row(session(USER, EVENT_SESSION_OPENED), 2);
	tell_row(row(USER, "s1", 1, KIND_UNMANAGED, PHASE_CLOSED), 99);
	tell_row(row("v", "s9", 1, KIND_UNMANAGED, PHASE_CLOSED), 98);
	synced();
	at(1000);
	cr_assert_eq(world.core.stream_slots.count, 0);
	cr_assert_eq(world.core.user_slots.count, 1);
}

Test(resync, the_story_meets_users_not_swept_yet, .init = setup)
{
	live(USER, "s1");
	tell(session("v", EVENT_SESSION_OPENED));
	tell(link_down("v"));
	resync();
	synced();
	cr_assert_leq(scheduler_deadline(&world.core), world.now_ms); /* more to do */
	tell(opened(USER, "s2", 1, KIND_UNMANAGED)); /* a user made anew */
	tell(moved(USER, "s1", 1, PHASE_SUSPECT)); /* of a stream that is not */
	tell(closed("v", "s7", 1));
	at(60000);
	const struct record *start = expect(60000, EVENT_TIMER_EXPIRED);

	cr_assert_str_eq(start->stream_id, "s2");
	quiet();
	cr_assert_eq(world.core.stream_slots.count, 1);
	cr_assert_eq(world.core.user_slots.count, 1);
}
