/* SPDX-License-Identifier: MIT */
/* Goal: everything is bounded, full tables are answers, batches keep their limits, disposal leaves
 * no timer; and whatever happens, a device that answers is never given up, and one that does not
 * is, in time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/list.h"
#include "tests/lib/scheduler_world.h"

#define MANY 1300

static char users[MANY][16], streams[MANY][16];

static void make_names(void)
{
	for (int i = 0; i < MANY; i++) {
		snprintf(users[i], sizeof users[i], "u%d", i);
		snprintf(streams[i], sizeof streams[i], "s%d", i);
	}
}

static void start_many(int count)
{
	make_names();
	connect_gateway(GATEWAY_A);
	connect_gateway(GATEWAY_B);
	for (int i = 0; i < count; i++) {
		tell(session(users[i], EVENT_SESSION_OPENED));
		tell(link_up(users[i], 1 + (uint64_t)i, i % 4 ? GATEWAY_A : GATEWAY_B));
		tell(opened(users[i], streams[i], 1, KIND_UNMANAGED));
		tell(status(users[i], streams[i], 1, PHASE_LIVE));
	}
}

static struct scheduler_options many_options(void)
{
	struct scheduler_options options = world_options();

	options.streams_max = options.users_max = options.apps_max = MANY;
	return options;
}

/* Acks of all probes in records @from to @to in messages of up to @batch. */
static void answer_all(size_t from, size_t to, size_t batch)
{
	static uint8_t bytes[BATCH_BYTES_MAX];
	struct stream_event event = { .type = EVENT_ACK_BATCH };

	while (from < to) {
		struct list_writer list;

		list_begin(&list, bytes, sizeof bytes);
		for (size_t i = 0; i < batch && from < to; i++, from++) {
			list_open_member(&list, 2);
			list_put_text(&list, text_of(world.records[from].stream_id));
			list_put_text(&list, text_of(world.records[from].ack_id));
			cr_assert(list_close_member(&list));
		}
		event.ack_batch.acks = list_end(&list);
		give((struct input){ .type = INPUT_MESSAGE,
				     .peer = { .role = ROLE_GATEWAY, .incarnation = GATEWAY_A },
				     .event = &event });
	}
}

/* --- batches and budgets
 * -------------------------------------------------------------------------- */

Test(limits, one_message_per_gateway_and_call_up_to_its_limit)
{
	world_start(many_options());
	start_many(MANY);
	sleep_until(15000);
	size_t calls = world.calls;

	give((struct input){ .type = INPUT_TICK });
	/* 325 for B in one; 975 for A in two, full ones first. */
	cr_assert_eq(world.fx.count, 3);
	cr_assert_eq(world.count, MANY);
	cr_assert_eq(world.calls, calls + 1);
	for (size_t i = 0; i < world.count; i++) {
		int number = atoi(world.records[i].stream_id + 1);

		cr_assert_eq(world.records[i].link, (uint64_t)number + 1);
		cr_assert_eq(world.records[i].peer.incarnation, number % 4 ? GATEWAY_A : GATEWAY_B);
	}
}

Test(limits, a_call_fires_no_more_than_its_budget_and_asks_to_be_called_again)
{
	struct scheduler_options options = many_options();

	options.fires_max = 100;
	world_start(options);
	start_many(MANY);
	at(14990);
	world.now_ms = 15000;
	for (int i = 1; i <= MANY / 100; i++) {
		cr_assert_leq(scheduler_deadline(&world.core), 15000);
		give((struct input){ .type = INPUT_TICK });
		cr_assert_eq(world.count, (size_t)i * 100);
	}
	give((struct input){ .type = INPUT_TICK });
	cr_assert_gt(scheduler_deadline(&world.core), 15000);
	cr_assert_eq(world.count, MANY);
}

Test(limits, traces_and_reports_never_overflow_the_effects)
{
	struct scheduler_options options = many_options();

	options.trace_probes = true;
	world_start(options);
	start_many(MANY);
	at(55000); /* effects_add() would have aborted */
	cr_assert_eq(count_of(EVENT_PROBE_SENT), 3 * MANY);
	cr_assert_eq(count_of(EVENT_PROBE_BATCH), 3 * MANY);
	cr_assert_eq(count_of(EVENT_PROBE_MISSED), 3 * MANY);
	cr_assert_eq(count_of(EVENT_STREAM_MISSED), 3 * MANY);
	cr_assert_eq(world.core.stats.traces_dropped, 0);
	cr_assert_eq(world.core.stats.stalls, 0);
}

Test(limits, recoveries_beyond_what_one_call_may_say_follow_in_the_next)
{
	struct scheduler_options options = many_options();

	options.trace_probes = true;
	world_start(options);
	start_many(512);
	at(29000); /* all have missed one */
	forget();
	at(30000);
	size_t sent = world.count;

	for (size_t i = 0; i < sent; i++) /* leave only the probes */
		if (world.records[i].type != EVENT_PROBE_BATCH)
			world.records[i].stream_id[0] = '\0';
	answer_all(0, sent, 512);
	at(30100);
	cr_assert_eq(count_of(EVENT_STREAM_MISSED), 512);
	cr_assert_eq(world.core.stats.streams_recovered, 512);
	cr_assert_gt(world.core.stats.traces_dropped, 0);
	at(44990);
	cr_assert_eq(count_of(EVENT_STREAM_MISSED), 512);
}

Test(limits, a_sweep_is_sliced)
{
	world_start(many_options());
	start_many(MANY);
	resync();
	synced();
	cr_assert_leq(scheduler_deadline(&world.core), world.now_ms);
	give((struct input){ .type = INPUT_TICK });
	cr_assert_eq(world.core.user_slots.count, MANY - SCHEDULER_SWEEP_MAX);
	give((struct input){ .type = INPUT_TICK });
	cr_assert_eq(world.core.user_slots.count, 0);
	cr_assert_eq(scheduler_timers(&world.core), 0);
	cr_assert_eq(scheduler_deadline(&world.core), INT64_MAX);
}

Test(limits, timers_of_what_is_not_swept_yet_say_nothing)
{
	world_start(many_options());
	start_many(MANY);
	for (int i = SCHEDULER_SWEEP_MAX; i < MANY; i++) {
		tell(app(users[i], "com.example.a", APP_LOADING));
		if (i % 2)
			tell(moved(users[i], streams[i], 1, PHASE_STARTING));
		if (i % 3 == 0)
			tell(link_down(users[i]));
	}
	at(59990);
	forget();
	resync();
	for (int i = MANY - 100; i < MANY; i++)
		tell_row(session(users[i], EVENT_SESSION_OPENED), 9);
	synced();
	sleep_until(60000); /* when all their timers are due */
	give((struct input){ .type = INPUT_TICK });
	quiet();
	at(60000);
	cr_assert_eq(scheduler_timers(&world.core), 0);
	cr_assert_eq(world.core.user_slots.count, 100);
	cr_assert_eq(world.core.stream_slots.count, 0);
	cr_assert_eq(world.core.app_slots.count, 0);
}

/* --- tables and lists
 * ------------------------------------------------------------------------------ */

Test(limits, a_full_table_is_an_answer)
{
	struct scheduler_options options = world_options();

	options.streams_max = 2;
	options.users_max = 3;
	options.apps_max = 2;
	world_start(options);
	tell(session("a", EVENT_SESSION_OPENED));
	tell(session("b", EVENT_SESSION_OPENED));
	tell(session("c", EVENT_SESSION_OPENED));
	tell(session("d", EVENT_SESSION_OPENED));
	tell(link_down("d"));
	cr_assert_eq(world.core.stats.users_refused, 2);
	tell(opened("a", "s1", 1, KIND_MANAGED));
	tell(opened("b", "s2", 1, KIND_MANAGED));
	tell(opened("c", "s3", 1, KIND_MANAGED));
	tell(opened("d", "s4", 1, KIND_MANAGED));
	cr_assert_eq(world.core.stats.streams_refused, 1);
	tell(app("a", "x", APP_GRACE));
	tell(app("a", "y", APP_GRACE));
	tell(app("b", "z", APP_GRACE));
	cr_assert_eq(world.core.stats.apps_refused, 1);
	cr_assert_eq(scheduler_timers(&world.core), 4);
	tell(closed("a", "s1", 1));
	tell(moved("c", "s3", 1, PHASE_STARTING)); /* still unknown */
	tell(opened("c", "s5", 2, KIND_MANAGED));
	cr_assert_eq(world.core.stream_slots.count, 2);
	/* Long user ids have a table of their own: one in 32 users, and one. */
	char names[2][100];

	memset(names, 'u', sizeof names);
	names[0][99] = names[1][99] = '\0';
	names[1][0] = 'v';
	tell(session("b", EVENT_SESSION_CLOSED));
	tell(closed("b", "s2", 1));
	tell(link_down(names[0]));
	tell(session("c", EVENT_SESSION_CLOSED));
	tell(closed("c", "s5", 2));
	tell(link_down(names[1]));
	cr_assert_eq(world.core.stats.users_refused, 4);
}

static void give_acks(struct text acks)
{
	struct stream_event event = { .type = EVENT_ACK_BATCH };

	event.ack_batch.acks = acks;
	give((struct input){ .type = INPUT_MESSAGE,
			     .peer = { .role = ROLE_GATEWAY, .incarnation = GATEWAY_A },
			     .event = &event });
}

Test(limits, lists_of_acks_that_make_no_sense_are_dropped)
{
	static uint8_t bytes[65536];
	struct list_writer list;
	char name[64];

	world_start(world_options());
	give_acks(TEXT("")); /* an empty list */
	cr_assert_eq(world.core.stats.malformed, 0);
	give_acks(TEXT("\x01")); /* no list */
	give_acks(TEXT("\xdc\x00\x05")); /* no members */
	give_acks(TEXT("\x91\x93\xa1s\xa1x\xa1y")); /* of three */
	give_acks(TEXT("\x91\x92\x01\x02")); /* of numbers */
	cr_assert_eq(world.core.stats.malformed, 4);
	memset(name, 'n', sizeof name);
	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 2);
	list_put_text(&list, (struct text){ name, STREAM_ID_MAX + 1 });
	list_put_text(&list, (struct text){ name, ACK_ID_MAX });
	cr_assert(list_close_member(&list));
	give_acks(list_end(&list));
	cr_assert_eq(world.core.stats.malformed, 5);
	list_begin(&list, bytes, sizeof bytes);
	for (int i = 0; i <= ACKS_PER_BATCH_MAX; i++) {
		if (i == ACKS_PER_BATCH_MAX) {
			give_acks(list_end(&list));
			cr_assert_eq(world.core.stats.malformed, 5);
			cr_assert_eq(world.core.stats.acks_unknown, ACKS_PER_BATCH_MAX);
		}
		list_open_member(&list, 2);
		list_put_text(&list, (struct text){ name, STREAM_ID_MAX });
		list_put_text(&list, (struct text){ name, ACK_ID_MAX });
		cr_assert(list_close_member(&list));
	}
	give_acks(list_end(&list)); /* one too many */
	cr_assert_eq(world.core.stats.malformed, 6);
	cr_assert_eq(world.core.stats.acks_unknown, ACKS_PER_BATCH_MAX);
}

/* --- disposal ------------------------------------------------------------------------------------
 */

Test(limits, after_the_end_of_everything_nothing_is_armed)
{
	world_start(many_options());
	start_many(600);
	for (int i = 0; i < 600; i++) {
		tell(app(users[i], "com.example.a", APP_LOADING));
		if (i % 3 == 0)
			tell(link_down(users[i]));
		if (i % 5 == 0)
			tell(moved(users[i], streams[i], 1, PHASE_STOPPING));
		at(world.now_ms + 60);
	}
	cr_assert_eq(scheduler_timers(&world.core),
		     world.core.armed[SCHEDULER_TIMER_PROBE] +
			     world.core.armed[SCHEDULER_TIMER_PHASE] +
			     world.core.armed[SCHEDULER_TIMER_SESSION] +
			     world.core.armed[SCHEDULER_TIMER_APP] +
			     world.core.armed[SCHEDULER_TIMER_GATEWAY]);
	cr_assert_eq(world.core.armed[SCHEDULER_TIMER_PROBE], 480);
	cr_assert_eq(world.core.armed[SCHEDULER_TIMER_PHASE], 120);
	cr_assert_eq(world.core.armed[SCHEDULER_TIMER_SESSION], 200);
	cr_assert_eq(world.core.armed[SCHEDULER_TIMER_APP], 600);
	cr_assert_eq(world.core.armed[SCHEDULER_TIMER_GATEWAY], 2);
	for (int i = 0; i < 600; i++) {
		tell(closed(users[i], streams[i], 1));
		tell(session(users[i], EVENT_SESSION_CLOSED));
	}
	tell(gateway(GATEWAY_A, LINK_DOWN));
	tell(gateway(GATEWAY_B, LINK_DOWN));
	peer(GATEWAY_A, INPUT_PEER_DOWN);
	peer(GATEWAY_B, INPUT_PEER_DOWN);
	cr_assert_eq(scheduler_timers(&world.core), 0);
	cr_assert_eq(scheduler_deadline(&world.core), INT64_MAX);
	cr_assert_eq(world.core.user_slots.count, 0);
	cr_assert_eq(world.core.stream_slots.count, 0);
	cr_assert_eq(world.core.app_slots.count, 0);
	cr_assert_eq(world.core.gateway_slots.count, 0);
	cr_assert_eq(world.core.stream_index.count, 0);
	cr_assert_eq(world.core.user_index.count, 0);
	cr_assert_eq(world.core.app_index.count, 0);
	cr_assert_eq(world.core.gateway_index.count, 0);
}

Test(limits, the_memory_per_stream_and_user_is_as_promised)
{
	struct scheduler_options options = world_options();
	size_t small, large;

	options.streams_max = options.users_max = 1 << 20;
	small = scheduler_bytes(&options);
	options.streams_max = options.users_max = 1 << 21;
	large = scheduler_bytes(&options);
	cr_assert_leq((large - small) >> 20, 320, "%zu bytes", (large - small) >> 20);
}
