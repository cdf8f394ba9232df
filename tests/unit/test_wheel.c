/* SPDX-License-Identifier: MIT */
/* Goal: the wheel fires each timer once, never early, within a tick, whatever was armed, cancelled
 * and skipped before; its deadline is never late; its work is bounded.  Method: boundaries by
 * hand, then random runs against an array of due times.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "common/wheel.h"

#define CAPACITY 512
#define UNLIMITED UINT32_MAX
#define NEVER INT64_MAX

static struct wheel wheel;
static _Alignas(64) uint8_t memory[CAPACITY * sizeof(struct wheel_timer)];

static void setup(void)
{
	cr_assert_leq(wheel_bytes(CAPACITY), sizeof memory);
	wheel_init(&wheel, memory, CAPACITY);
}

static uint32_t next(int64_t now_ms)
{
	uint32_t budget = UNLIMITED;

	return wheel_next(&wheel, now_ms, &budget);
}

Test(wheel, sixteen_bytes_per_timer)
{
	cr_assert_eq(wheel_bytes(1 << 20), 16 << 20);
	cr_assert_eq(wheel_bytes(1), 64);
}

Test(wheel, nothing_is_armed_at_first, .init = setup)
{
	cr_assert_eq(wheel.count, 0);
	cr_assert_eq(wheel_deadline(&wheel), NEVER);
	cr_assert_eq(next(1000000), WHEEL_NONE);
	cr_assert(!wheel_armed(&wheel, 0));
}

struct row {
	int64_t from_ms; /* the wheel stands here when the timer is armed */
	int64_t after_ms;
};

ParameterizedTestParameters(wheel, boundary)
{
	static struct row rows[] = {
		{ 0, 0 },	    { 0, 1 },		{ 0, 9 },	   { 0, 10 },
		{ 0, 11 },	    { 0, 20470 },	{ 0, 20471 },	   { 0, 20480 },
		{ 0, 20490 },	    { 0, 1310719 },	{ 0, 1310720 },	   { 0, 1310730 },
		{ 0, 83886080 },    { 0, 83886090 },	{ 7, 0 },	   { 7, 15000 },
		{ 20470, 20480 },   { 20475, 20475 },	{ 20480, 1 },	   { 1310710, 20 },
		{ 99999, 60000 },   { 99999, 1300000 }, { 1, 5368709120 }, { 1, 5368709130 },
		{ 1, 20000000000 },
	};
	return cr_make_param_array(struct row, rows, sizeof rows / sizeof rows[0]);
}

/* Asked at every deadline, as a shell does, the wheel fires exactly at the tick that follows. */
ParameterizedTest(struct row *row, wheel, boundary, .init = setup)
{
	int64_t due_ms = row->from_ms + row->after_ms;
	int64_t now_ms = row->from_ms;

	cr_assert_eq(next(now_ms), WHEEL_NONE);
	wheel_arm(&wheel, 3, due_ms);
	cr_assert(wheel_armed(&wheel, 3));
	for (int wakeups = 0;; wakeups++) {
		int64_t deadline_ms = wheel_deadline(&wheel);

		cr_assert_lt(wakeups, 12, "the deadline does not come nearer");
		if (deadline_ms > now_ms) {
			cr_assert_eq(next(deadline_ms - 1), WHEEL_NONE);
			now_ms = deadline_ms;
		}
		if (next(now_ms) == 3)
			break;
		cr_assert_lt(now_ms, due_ms + WHEEL_TICK_MS);
	}
	cr_assert_geq(now_ms, due_ms);
	cr_assert_lt(now_ms, due_ms + 2 * WHEEL_TICK_MS);
	if (row->after_ms > WHEEL_TICK_MS)
		cr_assert_lt(now_ms, due_ms + WHEEL_TICK_MS);
	cr_assert(!wheel_armed(&wheel, 3));
	cr_assert_eq(wheel_due(&wheel, 3), due_ms);
	cr_assert_eq(wheel_deadline(&wheel), NEVER);
}

Test(wheel, a_jump_fires_what_it_skipped_in_order_of_time, .init = setup)
{
	static const int64_t due_ms[] = { 90000000, 5, 60000, 20480, 20479, 1310720, 15000, 0 };

	for (uint32_t i = 0; i < 8; i++)
		wheel_arm(&wheel, i, due_ms[i]);
	int64_t last_tick = -1;

	for (uint32_t i = 0; i < 8; i++) {
		uint32_t timer = next(100000000);

		cr_assert_neq(timer, WHEEL_NONE);
		int64_t tick = (wheel_due(&wheel, timer) + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;

		cr_assert_geq(tick, last_tick);
		last_tick = tick;
	}
	cr_assert_eq(next(100000000), WHEEL_NONE);
}

Test(wheel, one_tick_fires_in_order_of_arming, .init = setup)
{
	wheel_arm(&wheel, 9, 100);
	wheel_arm(&wheel, 2, 100);
	wheel_arm(&wheel, 5, 91);
	cr_assert_eq(wheel_deadline(&wheel), 100);
	cr_assert_eq(next(99), WHEEL_NONE);
	cr_assert_eq(next(100), 9);
	cr_assert_eq(next(100), 2);
	cr_assert_eq(next(100), 5);
	cr_assert_eq(next(100), WHEEL_NONE);
}

Test(wheel, cancelled_and_rearmed_timers_fire_once, .init = setup)
{
	wheel_arm(&wheel, 1, 50);
	wheel_arm(&wheel, 2, 50);
	wheel_arm(&wheel, 3, 50);
	wheel_cancel(&wheel, 2); /* from the middle */
	wheel_cancel(&wheel, 2);
	wheel_arm(&wheel, 1, 60); /* from the front */
	cr_assert_eq(wheel.count, 2);
	cr_assert_eq(next(50), 3);
	cr_assert_eq(next(59), WHEEL_NONE);
	cr_assert_eq(next(60), 1);
	wheel_arm(&wheel, 4, 100);
	wheel_cancel(&wheel, 4); /* the only one */
	cr_assert_eq(wheel_deadline(&wheel), NEVER);
	cr_assert_eq(next(1000), WHEEL_NONE);
	cr_assert_eq(wheel.count, 0);
}

Test(wheel, what_is_overdue_when_armed_fires_at_the_next_tick, .init = setup)
{
	cr_assert_eq(next(1000), WHEEL_NONE);
	wheel_arm(&wheel, 1, 3);
	cr_assert_eq(wheel_deadline(&wheel), 1010);
	cr_assert_eq(next(1009), WHEEL_NONE);
	cr_assert_eq(next(1010), 1);
}

Test(wheel, settling_keeps_what_is_near_out_of_wide_slots, .init = setup)
{
	wheel_settle(&wheel, 1000000);
	wheel_arm(&wheel, 1, 1015000);
	cr_assert_eq(wheel_deadline(&wheel), 1015000);
	wheel_settle(&wheel, 2000000); /* it never skips a timer */
	cr_assert_eq(wheel_deadline(&wheel), 1015000);
	cr_assert_eq(next(2000000), 1);
}

Test(wheel, the_budget_bounds_fires, .init = setup)
{
	for (uint32_t i = 0; i < 10; i++)
		wheel_arm(&wheel, i, 100);
	uint32_t budget = 4;

	for (uint32_t i = 0; i < 4; i++)
		cr_assert_eq(wheel_next(&wheel, 200, &budget), i);
	cr_assert_eq(wheel_next(&wheel, 200, &budget), WHEEL_NONE);
	cr_assert_leq(wheel_deadline(&wheel), 200);
	budget = 6;
	for (uint32_t i = 4; i < 10; i++)
		cr_assert_eq(wheel_next(&wheel, 200, &budget), i);
	cr_assert_eq(wheel_next(&wheel, 200, &budget), WHEEL_NONE);
	cr_assert_eq(wheel_deadline(&wheel), NEVER);
}

Test(wheel, the_budget_bounds_the_emptying_of_a_wide_slot, .init = setup)
{
	for (uint32_t i = 0; i < 100; i++)
		wheel_arm(&wheel, i, 60000);
	int rounds = 0;

	for (;; rounds++) {
		uint32_t budget = 7;

		cr_assert_eq(wheel_next(&wheel, 50000, &budget), WHEEL_NONE);
		if (wheel_deadline(&wheel) > 50000)
			break;
		cr_assert_eq(budget, 0);
		cr_assert_eq(wheel.count, 100);
	}
	cr_assert_eq(rounds, 100 / 7);
	cr_assert_eq(wheel_deadline(&wheel), 60000);
	/* What is armed between two rounds is not lost either. */
	for (uint32_t i = 0; i < 100; i++)
		cr_assert_eq(next(60000), i);
}

Test(wheel, names_timers_of_the_next_ticks_ahead, .init = setup)
{
	wheel_arm(&wheel, 1, 10);
	wheel_arm(&wheel, 2, 10);
	wheel_arm(&wheel, 3, 20);
	wheel_arm(&wheel, 4, 30);
	cr_assert_eq(wheel_ahead(&wheel), WHEEL_NONE);
	cr_assert_eq(next(10), 1);
	cr_assert_eq(wheel_ahead(&wheel), 3);
	cr_assert_eq(next(10), 2);
	cr_assert_eq(wheel_ahead(&wheel), 4);
}

/* --- against a model ------------------------------------------------------------------ */

static uint64_t state;

static uint64_t draw(void) /* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static int64_t draw_span(void)
{
	static const int64_t spans_ms[] = {
		30, 1000, 21000, 100000, 2000000, 100000000, 6000000000
	};

	return (int64_t)(draw() % (uint64_t)spans_ms[draw() % 7]);
}

struct model {
	int64_t due_ms[CAPACITY]; /* or when it was armed, if that was later; -1: not armed */
	uint32_t count;
	int64_t now_ms;
};

static void model_check(const struct model *model)
{
	int64_t first_ms = NEVER;

	for (uint32_t i = 0; i < CAPACITY; i++) {
		cr_assert_eq(wheel_armed(&wheel, i), model->due_ms[i] >= 0);
		if (model->due_ms[i] >= 0 && model->due_ms[i] < first_ms)
			first_ms = model->due_ms[i];
	}
	cr_assert_eq(wheel.count, model->count);
	cr_assert_leq(wheel_deadline(&wheel),
		      first_ms == NEVER ? NEVER : first_ms + 2 * WHEEL_TICK_MS);
}

static void model_arm(struct model *model)
{
	uint32_t timer = (uint32_t)(draw() % CAPACITY);
	int64_t due_ms = model->now_ms + draw_span() - (draw() % 8 == 0 ? 50 : 0);

	due_ms = due_ms < 0 ? 0 : due_ms;
	wheel_arm(&wheel, timer, due_ms);
	model->count += model->due_ms[timer] < 0;
	model->due_ms[timer] = due_ms > model->now_ms ? due_ms : model->now_ms;
}

static void model_advance(struct model *model)
{
	int64_t deadline_ms = wheel_deadline(&wheel);
	uint32_t budget = draw() % 4 == 0 ? (uint32_t)(draw() % 20) : UNLIMITED;
	bool limited = budget != UNLIMITED;

	if (draw() % 2 == 0 && deadline_ms != NEVER)
		model->now_ms = deadline_ms > model->now_ms ? deadline_ms : model->now_ms;
	else
		model->now_ms += draw_span() / 4;
	for (;;) {
		uint32_t timer = wheel_next(&wheel, model->now_ms, &budget);

		if (timer == WHEEL_NONE)
			break;
		cr_assert_geq(model->due_ms[timer], 0, "fired twice");
		cr_assert_leq(wheel_due(&wheel, timer), model->now_ms, "fired early");
		model->due_ms[timer] = -1;
		model->count--;
		if (draw() % 4 == 0)
			model_arm(model);
	}
	if (limited && budget == 0)
		return;
	for (uint32_t i = 0; i < CAPACITY; i++)
		if (model->due_ms[i] >= 0)
			cr_assert_gt(model->due_ms[i] + WHEEL_TICK_MS, model->now_ms, "fired late");
}

Test(wheel, behaves_as_the_model_whatever_happens, .timeout = 300)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct model model = { 0 };

		setup();
		state = seed;
		for (uint32_t i = 0; i < CAPACITY; i++)
			model.due_ms[i] = -1;
		for (int step = 0; step < 1000; step++) {
			uint32_t timer = (uint32_t)(draw() % CAPACITY);

			switch (draw() % 8) {
			case 0:
				wheel_cancel(&wheel, timer);
				model.count -= model.due_ms[timer] >= 0;
				model.due_ms[timer] = -1;
				break;
			case 1:
				model_advance(&model);
				break;
			case 2:
				wheel_settle(&wheel, model.now_ms);
				break;
			default:
				model_arm(&model);
			}
			if (step % 16 == 0)
				model_check(&model);
		}
	}
}
