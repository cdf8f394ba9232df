/* SPDX-License-Identifier: MIT */
/* sim_plan.c - swarm: each seed has some classes of faults and not the others, at rates of its
 * own, and this file makes them happen.  All is drawn whether it is used or not, so that a class
 * taken away changes nothing but itself.
 */
#include "tests/sim/sim_world.h"

#define DAY_MS INT64_C(86400000)

static const char *const names[FAULT_COUNT] = {
	[FAULT_CUT] = "cut",	   [FAULT_PUB] = "pub",		[FAULT_DELAY] = "delay",
	[FAULT_CLOG] = "clog",	   [FAULT_SWIZZLE] = "swizzle", [FAULT_CRASH] = "crash",
	[FAULT_KILL] = "kill",	   [FAULT_STALL] = "stall",	[FAULT_WALL] = "wall",
	[FAULT_HELD] = "held",	   [FAULT_BROKEN] = "broken",	[FAULT_EDGE] = "edge",
	[FAULT_NARROW] = "narrow", [FAULT_LEAVE] = "leave",	[FAULT_PROVIDER] = "provider",
	[FAULT_ROT] = "rot",
};

const char *sim_fault_name(enum sim_fault fault)
{
	return names[fault];
}

static int64_t between(struct sim *self, int64_t least, int64_t most)
{
	return least + (int64_t)sim_below(self, SIM_FAULTS, (uint64_t)(most - least) + 1);
}

void sim_plan_draw(struct sim *self)
{
	struct sim_plan *plan = &self->plan;
	bool narrow;

	plan->faults = (uint32_t)sim_draw(self, SIM_FAULTS) & ((1u << FAULT_COUNT) - 1);
	plan->gateways = (unsigned)between(self, 1, SIM_GATEWAYS_MAX);
	plan->pub_drop_ppm = (uint32_t)between(self, 0, 200000);
	plan->tail_ppm = (uint32_t)between(self, 0, 3000);
	plan->crash_ppm = (uint32_t)between(self, 0, 5000);
	plan->broken_ppm = (uint32_t)between(self, 0, 10000);
	plan->cut_ms = between(self, 3000, 120000);
	plan->clog_ms = between(self, 3000, 120000);
	plan->swizzle_ms = between(self, 20000, 200000);
	plan->kill_ms = between(self, 20000, 200000);
	plan->stall_ms = between(self, 10000, 200000);
	plan->wall_ms = between(self, 10000, 200000);
	plan->held_ms = between(self, 5000, 100000);
	plan->edge_ms = between(self, 2000, 60000);
	plan->delay_ms = between(self, 1, 50);
	plan->leave_ms = between(self, 20000, 200000);
	plan->stop_owed_ms = between(self, 0, 1) ? 600000 : 60000;
	plan->faults &= ~self->options.without;
	narrow = plan->faults & 1u << FAULT_NARROW;
	plan->queue_max = (unsigned)between(self, 4, 64);
	plan->snapshot_queue_max = (unsigned)between(self, 1, 4);
	plan->publisher_queue_max = (unsigned)between(self, 4, 64);
	plan->inputs_max = (unsigned)between(self, 1, 8);
	if (narrow)
		return;
	/* As common/transport.c has them; a socket at either end. */
	plan->queue_max = 2000;
	plan->snapshot_queue_max = 1016;
	plan->publisher_queue_max = 5000;
	plan->inputs_max = 64;
}

/* What happens now and then ------------------------------------------------------------------- */

typedef void fault_fn(struct sim *self);

static struct sim_process_state *some_process(struct sim *self)
{
	return &self->processes[between(self, 0, SIM_GATEWAY + (int64_t)self->plan.gateways - 1)];
}

/* Half of them are back at once, as under a supervisor. */
static int64_t back_ms(struct sim *self)
{
	int64_t long_ms = between(self, 0, 30000), short_ms = between(self, 0, 2000);

	return between(self, 0, 1) ? long_ms : short_ms;
}

static struct sim_conn *some_conn(struct sim *self)
{
	if (self->conns_high == 0)
		return NULL;
	struct sim_conn *conn = &self->conns[between(self, 0, self->conns_high - 1)];

	return conn->used && conn->up ? conn : NULL;
}

static void cut(struct sim *self)
{
	struct sim_conn *conn = some_conn(self);
	struct sim_process_state *follower = some_process(self);

	if (between(self, 0, 3) == 0 && follower->sub.used)
		sim_bus_cut_sub(self, &follower->sub);
	else if (conn)
		sim_bus_cut(self, conn);
}

static void block(struct sim *self)
{
	struct sim_conn *conn = some_conn(self);
	struct sim_process_state *follower = some_process(self);
	int64_t until_ms = self->now_ms + between(self, 0, between(self, 0, 3) ? 3000 : 60000);
	int64_t which = between(self, 0, 3);

	if (which == 0 && follower->sub.used)
		sim_line_clog(self, &follower->sub.line, until_ms);
	if (!conn)
		return;
	if (which != 1)
		sim_line_clog(self, &conn->to_server, until_ms);
	if (which != 2)
		sim_line_clog(self, &conn->to_client, until_ms);
}

/* Each stands still from now, and goes on at a time of its own. */
static void swizzle(struct sim *self)
{
	for (size_t i = 0; i < self->conns_high; i++) {
		struct sim_conn *conn = &self->conns[i];
		int64_t until_ms = self->now_ms + between(self, 0, 15000);

		if (between(self, 0, 1) == 0 || !conn->used)
			continue;
		sim_line_clog(self, &conn->to_server, until_ms);
		sim_line_clog(self, &conn->to_client, self->now_ms + between(self, 0, 15000));
	}
	for (size_t i = 0; i < SIM_GATEWAY; i++)
		if (between(self, 0, 1) && self->processes[i].sub.used)
			sim_line_clog(self, &self->processes[i].sub.line,
				      self->now_ms + between(self, 0, 15000));
}

static void kill_several(struct sim *self)
{
	bool all = between(self, 0, 3) == 0;

	for (size_t i = 0; i < SIM_GATEWAY + self->plan.gateways; i++) {
		bool chosen = between(self, 0, 1) == 1;
		int64_t ms = back_ms(self);

		if (all || chosen)
			sim_process_crash(self, &self->processes[i], ms);
	}
}

static void stall(struct sim *self)
{
	struct sim_process_state *process = some_process(self);
	int64_t most_ms = between(self, 0, 3) ? 8000 : 120000;
	int64_t for_ms = between(self, 1, most_ms);

	sim_process_stall(self, process, for_ms, between(self, 0, 1) == 1);
}

static void jump(struct sim *self)
{
	self->wall_offset_ms = between(self, -10 * DAY_MS, 10 * DAY_MS);
	sim_note(self, "wall clock jumps to %+lld ms", (long long)self->wall_offset_ms);
}

static void leave(struct sim *self)
{
	int64_t place = between(self, 0, (int64_t)self->plan.gateways - 1);
	bool drain = between(self, 0, 1) == 1;
	int64_t ms = back_ms(self);

	sim_edge_leave(self, &self->processes[SIM_GATEWAY + place], drain, ms);
}

static void hold(struct sim *self)
{
	self->held_ms = self->now_ms + between(self, 1, between(self, 0, 3) ? 2000 : 30000);
	sim_disturb(self, self->held_ms);
	sim_note(self, "store: commits are put off until %lld", (long long)self->held_ms);
}

static const struct {
	fault_fn *fn;
	size_t mean; /* in struct sim_plan */
} kinds[FAULT_COUNT] = {
	[FAULT_CUT] = { cut, offsetof(struct sim_plan, cut_ms) },
	[FAULT_CLOG] = { block, offsetof(struct sim_plan, clog_ms) },
	[FAULT_SWIZZLE] = { swizzle, offsetof(struct sim_plan, swizzle_ms) },
	[FAULT_KILL] = { kill_several, offsetof(struct sim_plan, kill_ms) },
	[FAULT_STALL] = { stall, offsetof(struct sim_plan, stall_ms) },
	[FAULT_WALL] = { jump, offsetof(struct sim_plan, wall_ms) },
	[FAULT_HELD] = { hold, offsetof(struct sim_plan, held_ms) },
	[FAULT_LEAVE] = { leave, offsetof(struct sim_plan, leave_ms) },
	[FAULT_EDGE] = { sim_edge_cut, offsetof(struct sim_plan, edge_ms) },
};

static void on_fault(void *context, uint64_t tag);

/* Anything from at once to twice the mean. */
static void again(struct sim *self, uint64_t fault)
{
	const char *plan = (const char *)&self->plan;
	int64_t mean_ms;

	memcpy(&mean_ms, plan + kinds[fault].mean, sizeof mean_ms);
	sim_at(self, self->now_ms + between(self, 1, 2 * mean_ms), on_fault, self, fault);
}

static void on_fault(void *context, uint64_t tag)
{
	struct sim *self = context;

	if (!sim_has(self, (enum sim_fault)tag))
		return;
	kinds[tag].fn(self);
	again(self, tag);
}

void sim_plan_begin(struct sim *self)
{
	for (uint64_t fault = 0; fault < FAULT_COUNT; fault++)
		if (kinds[fault].fn && sim_has(self, (enum sim_fault)fault))
			again(self, fault);
}
