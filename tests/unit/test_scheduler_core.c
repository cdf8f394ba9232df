/* SPDX-License-Identifier: MIT */
/* Goal: keep-alive is exact.  Which phases are probed, when, what counts as missed, what an ack or
 * a status takes back, when a stream is given up: each rule at its boundary.  No sleeping: the
 * clock is an argument.
 */
#include "tests/lib/scheduler_world.h"

#include <criterion/parameterized.h>

static void setup(void)
{
	world_start(world_options());
}

static void miss(int64_t at_ms, uint64_t missed, bool expired)
{
	const struct record *record = expect(at_ms, EVENT_STREAM_MISSED);

	cr_assert_str_eq(record->stream_id, "s1");
	cr_assert_str_eq(record->user_id, "u@example.com");
	cr_assert_eq(record->missed, missed);
	cr_assert_eq(record->expired, expired);
}

static const struct record *probe(int64_t at_ms)
{
	const struct record *record = expect(at_ms, EVENT_PROBE_BATCH);

	cr_assert_str_eq(record->stream_id, "s1");
	cr_assert_eq(record->ack_id[0], 'a');
	cr_assert_eq(strlen(record->ack_id), 6);
	cr_assert_eq(strspn(record->ack_id, "0123456789abcdefghijklmnopqrstuvwxyz"), 6);
	return record;
}

static void start(void)
{
	live("u@example.com", "s1");
	quiet();
}

/* --- the undisturbed timelines ------------------------------------------------------------- */

Test(probe, nobody_answers, .init = setup)
{
	start();
	at(54990);
	const struct record *first = probe(15000);

	cr_assert_eq(first->peer.incarnation, GATEWAY_A);
	cr_assert_eq(first->link, 1);
	cr_assert_eq(first->epoch, 1);
	miss(25000, 1, false);
	probe(30000);
	miss(40000, 2, false);
	probe(45000);
	quiet();
	at(55000);
	miss(55000, 3, true);
	quiet();
}

Test(probe, all_are_answered, .init = setup)
{
	start();
	for (int64_t now_ms = 15000; now_ms < 3600000; now_ms += 15000) {
		at(now_ms + 100);
		answer(probe(now_ms));
		quiet();
		cr_assert_eq(scheduler_timers(&world.core), 2); /* with the gateway's lease */
	}
	cr_assert_eq(world.core.stats.probes_acked, 239);
	cr_assert_eq(world.core.stats.probes_missed, 0);
}

Test(probe, times_that_are_no_multiple_of_a_tick_keep_their_phase, .init = setup)
{
	at(3);
	start();
	for (int64_t n = 1; n < 100; n++) {
		at(3 + n * 15000 + 5000);
		answer(probe(n * 15000 + 10)); /* never early, at most a tick late */
	}
	quiet();
}

Test(probe, a_stream_not_ended_is_reported_again_each_interval, .init = setup)
{
	start();
	at(55000);
	forget();
	at(90010);
	miss(60000, 3, true);
	miss(75000, 3, true);
	miss(90000, 3, true);
	quiet();
	cr_assert_eq(world.core.stats.streams_expired, 1);
	tell(closed("u@example.com", "s1", 1));
	at(1000000);
	quiet();
}

Test(probe, a_status_takes_an_expiry_back, .init = setup)
{
	start();
	at(55000);
	forget();
	tell(status("u@example.com", "s1", 1, PHASE_LIVE));
	at(70000);
	probe(60000);
	miss(70000, 1, false);
	quiet();
}

Test(probe, last_ack_age_is_counted_from_ack_or_status, .init = setup)
{
	start();
	at(15100);
	answer(probe(15000));
	at(40000);
	probe(30000);
	cr_assert_eq(expect(40000, EVENT_STREAM_MISSED)->after_ms, 40000 - 15100);
	tell(closed("u@example.com", "s1", 1));
	tell(opened("u@example.com", "s2", 2, KIND_MANAGED));
	tell(moved("u@example.com", "s2", 2, PHASE_STARTING));
	at(65000);
	expect(55000, EVENT_PROBE_BATCH);
	cr_assert_eq(expect(65000, EVENT_STREAM_MISSED)->after_ms, -1);
}

/* --- which phases are probed ---------------------------------------------------------------- */

struct phase_row {
	enum kind kind;
	enum phase phase;
	bool probed;
};

ParameterizedTestParameters(probe, phases)
{
	static struct phase_row rows[] = {
		{ KIND_UNMANAGED, PHASE_REQUESTED, false },
		{ KIND_UNMANAGED, PHASE_PROVISIONING, false },
		{ KIND_UNMANAGED, PHASE_STARTING, false },
		{ KIND_UNMANAGED, PHASE_LIVE, true },
		{ KIND_UNMANAGED, PHASE_SUSPECT, true },
		{ KIND_UNMANAGED, PHASE_STOPPING, false },
		{ KIND_MANAGED, PHASE_REQUESTED, false },
		{ KIND_MANAGED, PHASE_PROVISIONING, false },
		{ KIND_MANAGED, PHASE_STARTING, true },
		{ KIND_MANAGED, PHASE_LIVE, true },
		{ KIND_MANAGED, PHASE_SUSPECT, true },
		{ KIND_MANAGED, PHASE_STOPPING, false },
	};
	return cr_make_param_array(struct phase_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct phase_row *row, probe, phases, .init = setup)
{
	connect_gateway(GATEWAY_A);
	tell(link_up("u@example.com", 1, GATEWAY_A));
	tell(opened("u@example.com", "s1", 1, row->kind));
	at(7000);
	tell(moved("u@example.com", "s1", 1, row->phase));
	at(22000);
	if (row->probed)
		probe(22000);
	quiet();
	/* Leaving: pending probes are forgotten, and it starts anew from the return. */
	tell(moved("u@example.com", "s1", 1, PHASE_STOPPING));
	at(50000);
	quiet();
	tell(moved("u@example.com", "s1", 1, row->phase));
	at(65000);
	if (row->probed)
		probe(65000);
	quiet();
}

Test(probe, moving_within_the_probed_phases_keeps_the_phase, .init = setup)
{
	start();
	at(20000);
	probe(15000);
	tell(moved("u@example.com", "s1", 1, PHASE_SUSPECT));
	at(30000);
	miss(25000, 1, false);
	probe(30000);
	tell(moved("u@example.com", "s1", 1, PHASE_LIVE));
	at(45000);
	miss(40000, 2, false); /* stream.moved is no activity */
	probe(45000);
}

Test(probe, leaving_forgets_what_was_missed, .init = setup)
{
	start();
	at(46000);
	forget();
	tell(status("u@example.com", "s1", 1, PHASE_STARTING)); /* reconnecting */
	at(60000);
	quiet();
	tell(status("u@example.com", "s1", 1, PHASE_LIVE));
	at(85000);
	probe(75000);
	miss(85000, 1, false);
	quiet();
}

/* --- acks ------------------------------------------------------------------------------------ */

Test(probe, an_ack_in_time_is_no_miss, .init = setup)
{
	start();
	at(24990);
	answer(probe(15000));
	at(29999);
	quiet();
}

Test(probe, an_ack_too_late_changes_nothing, .init = setup)
{
	start();
	at(25000);
	const struct record *late = probe(15000);

	miss(25000, 1, false);
	answer(late);
	at(54000);
	answer(late);
	at(55000);
	probe(30000);
	miss(40000, 2, false);
	probe(45000);
	miss(55000, 3, true);
	quiet();
	cr_assert_eq(world.core.stats.acks_unknown, 2);
}

Test(probe, an_ack_must_name_both_stream_and_probe, .init = setup)
{
	start();
	tell(session("v@example.com", EVENT_SESSION_OPENED));
	tell(link_up("v@example.com", 2, GATEWAY_A));
	tell(opened("v@example.com", "s2", 1, KIND_UNMANAGED));
	at(15000);
	const struct record *only = probe(15000);
	char id[24];

	ack("s2", only->ack_id);
	ack("s3", only->ack_id);
	ack("s1", "a00000");
	ack("s1", "");
	memcpy(id, only->ack_id, sizeof id);
	id[5] = id[5] == '0' ? '1' : '0';
	ack("s1", id);
	memcpy(id, only->ack_id, sizeof id);
	id[6] = 'x';
	id[7] = '\0';
	ack("s1", id);
	cr_assert_eq(world.core.stats.acks_unknown, 6);
	cr_assert_eq(world.core.stats.probes_acked, 0);
	at(25000);
	miss(25000, 1, false);
	quiet();
}

Test(probe, a_second_ack_of_the_same_probe_is_unknown, .init = setup)
{
	start();
	at(15100);
	const struct record *only = probe(15000);

	answer(only);
	answer(only);
	cr_assert_eq(world.core.stats.probes_acked, 1);
	cr_assert_eq(world.core.stats.acks_unknown, 1);
}

Test(probe, an_ack_after_misses_is_reported_as_recovery, .init = setup)
{
	start();
	at(45100);
	probe(15000);
	miss(25000, 1, false);
	probe(30000);
	miss(40000, 2, false);
	answer(probe(45000));
	miss(45100, 0, false);
	at(100000);
	probe(60000);
	miss(70000, 1, false); /* counted from the start again */
	probe(75000);
	miss(85000, 2, false);
	probe(90000);
	miss(100000, 3, true);
	quiet();
}

Test(probe, a_status_resets_the_count_but_the_pending_probe_stays, .init = setup)
{
	start();
	at(31000);
	probe(15000);
	miss(25000, 1, false);
	probe(30000);
	tell(status("u@example.com", "s1", 1, PHASE_LIVE));
	at(55000);
	miss(40000, 1, false);
	probe(45000);
	miss(55000, 2, false);
	quiet();
}

Test(probe, ids_do_not_come_again_not_even_after_a_restart, .init = setup)
{
	static char seen[2000][8];
	size_t count = 0;

	for (int life = 0; life < 2; life++) {
		int64_t now_ms = world.now_ms;

		setup();
		world.now_ms = now_ms;
		start();
		for (int i = 0; i < 500; i++) {
			at(world.now_ms + 15000);
			answer(&world.records[world.count - 1]);
			memcpy(seen[count++], world.records[world.count - 1].ack_id, 8);
		}
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			cr_assert_str_neq(seen[i], seen[j]);
}

/* --- links ------------------------------------------------------------------------------------ */

struct loss_row {
	int64_t lost_ms;
	int64_t expired_ms;
};

ParameterizedTestParameters(probe, loss)
{
	static struct loss_row rows[] = {
		{ 29990, 70000 }, /* just before a probe: 40.01 s */
		{ 30000, 85000 }, /* just after it: 55 s */
		{ 30010, 85000 }, { 37500, 85000 }, { 44990, 85000 }, { 45000, 100000 },
	};
	return cr_make_param_array(struct loss_row, rows, sizeof rows / sizeof rows[0]);
}

/* The socket is lost for good; acks were fine before.  Dead 40 to 55 s later. */
ParameterizedTest(struct loss_row *row, probe, loss, .init = setup)
{
	start();
	for (int64_t now_ms = 15000; now_ms <= row->lost_ms; now_ms += 15000) {
		at(now_ms);
		answer(probe(now_ms));
	}
	at(row->lost_ms);
	tell(link_down("u@example.com"));
	at(row->expired_ms - 10);
	miss(row->expired_ms - 30000, 1, false);
	miss(row->expired_ms - 15000, 2, false);
	quiet(); /* nothing was sent */
	at(row->expired_ms);
	miss(row->expired_ms, 3, true);
	quiet();
	cr_assert_geq(row->expired_ms - row->lost_ms, 40000);
	cr_assert_leq(row->expired_ms - row->lost_ms, 55000);
	cr_assert_eq(world.core.stats.probes_unsent, 3);
}

Test(probe, one_sent_before_the_loss_still_counts, .init = setup)
{
	start();
	at(15010);
	probe(15000);
	tell(link_down("u@example.com"));
	at(55000);
	miss(25000, 1, false);
	miss(40000, 2, false);
	miss(55000, 3, true);
}

Test(probe, its_ack_counts_even_if_the_link_is_down_by_then, .init = setup)
{
	start();
	at(15010);
	const struct record *sent = probe(15000);

	tell(link_down("u@example.com"));
	answer(sent);
	at(29000);
	quiet();
	cr_assert_eq(world.core.stats.probes_acked, 1);
}

Test(probe, a_reopened_link_drops_the_unsent_probe_and_keeps_the_count, .init = setup)
{
	start();
	at(5000);
	tell(link_down("u@example.com"));
	at(39990);
	miss(25000, 1, false);
	quiet();
	tell(link_up("u@example.com", 2, GATEWAY_A));
	at(55000);
	cr_assert_eq(probe(45000)->link, 2);
	miss(55000, 2, false);
	quiet();
}

Test(probe, a_link_back_in_time_leaves_no_trace, .init = setup)
{
	start();
	at(5000);
	tell(link_down("u@example.com"));
	at(20000);
	tell(link_up("u@example.com", 2, GATEWAY_A)); /* G4: the unsent probe of 15 s is dropped */
	at(30100);
	answer(probe(30000));
	at(44990);
	quiet();
}

Test(probe, a_replaced_link_keeps_what_was_sent_on_the_old_one, .init = setup)
{
	start();
	at(16000);
	probe(15000);
	connect_gateway(GATEWAY_B);
	tell(link_up("u@example.com", 7, GATEWAY_B));
	at(30000);
	miss(25000, 1, false);
	const struct record *second = probe(30000);

	cr_assert_eq(second->peer.incarnation, GATEWAY_B);
	cr_assert_eq(second->link, 7);
	quiet();
}

Test(probe, grace_lets_unsent_probes_pass_at_first)
{
	struct scheduler_options options = world_options();

	options.kinds[KIND_UNMANAGED].grace_ms = 20000;
	world_start(options);
	start();
	at(14000);
	tell(link_down("u@example.com"));
	at(70000);
	miss(55000, 1, false); /* of 45 s: those of 15 and 30 s were within 20 s of the loss */
	miss(70000, 2, false);
	quiet();
	cr_assert_eq(world.core.stats.probes_skipped, 2);
}

/* --- staleness -------------------------------------------------------------------------------- */

Test(probe, an_old_epoch_changes_nothing, .init = setup)
{
	start();
	tell(closed("u@example.com", "s1", 1));
	tell(opened("u@example.com", "s2", 2, KIND_UNMANAGED));
	tell(status("u@example.com", "s2", 2, PHASE_LIVE));
	tell(status("u@example.com", "s1", 1, PHASE_LIVE));
	tell(closed("u@example.com", "s1", 1));
	tell(opened("u@example.com", "s0", 1, KIND_UNMANAGED));
	tell(moved("u@example.com", "s2", 1, PHASE_STOPPING));
	at(15000);
	const struct record *only = expect(15000, EVENT_PROBE_BATCH);

	cr_assert_str_eq(only->stream_id, "s2");
	cr_assert_eq(only->epoch, 2);
	quiet();
}

Test(probe, an_event_that_is_not_newer_changes_nothing, .init = setup)
{
	start();
	tell_row(moved("u@example.com", "s1", 1, PHASE_STOPPING), world.seq);
	tell_row(moved("u@example.com", "s1", 1, PHASE_STOPPING), world.seq - 1);
	tell_row(link_down("u@example.com"), world.seq - 3);
	cr_assert_eq(world.core.stats.stale, 3);
	at(15000);
	probe(15000);
}

Test(probe, a_new_stream_takes_the_place_of_one_whose_end_was_not_told, .init = setup)
{
	start();
	tell(opened("u@example.com", "s2", 2, KIND_MANAGED));
	tell(moved("u@example.com", "s2", 2, PHASE_STARTING));
	at(15000);
	cr_assert_str_eq(expect(15000, EVENT_PROBE_BATCH)->stream_id, "s2");
	quiet();
	cr_assert_eq(world.core.stream_slots.count, 1);
}

/* --- traces ------------------------------------------------------------------------------------
 */

Test(probe, traces_tell_what_became_of_each_probe)
{
	struct scheduler_options options = world_options();

	options.trace_probes = true;
	world_start(options);
	start();
	at(15100);
	const struct record *sent = expect(15000, EVENT_PROBE_SENT);

	cr_assert_str_eq(sent->user_id, "u@example.com");
	cr_assert_eq(sent->link, 1);
	const struct record *batch = probe(15000);

	cr_assert_str_eq(sent->ack_id, batch->ack_id);
	answer(batch);
	cr_assert(expect(15100, EVENT_PROBE_ACKED)->counted);
	answer(batch);
	cr_assert_not(expect(15100, EVENT_PROBE_ACKED)->counted);
	ack("nobody", "x");
	cr_assert_str_eq(expect(15100, EVENT_PROBE_ACKED)->stream_id, "nobody");
	tell(link_down("u@example.com"));
	at(40000);
	cr_assert_eq(expect(30000, EVENT_PROBE_SENT)->link, 0);
	const struct record *missed = expect(40000, EVENT_PROBE_MISSED);

	cr_assert_not(missed->sent);
	cr_assert_eq(missed->missed, 1);
	miss(40000, 1, false);
	quiet();
}

Test(probe, no_traces_are_made_for_nobody)
{
	struct scheduler_options options = world_options();

	options.trace_probes = true;
	world_start(options);
	start();
	world.fx.deaf = true;
	at(15100);
	answer(probe(15000));
	quiet();
	world.fx.deaf = false;
	at(30100);
	expect(30000, EVENT_PROBE_SENT);
}
