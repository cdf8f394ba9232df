/* SPDX-License-Identifier: MIT */
/* sim.c - one run: the heap of what is to happen, chance, and the two phases. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/sim/people.h"
#include "tests/sim/sim_world.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HEAP_FIRST 1024
#define HEAP_MAX 1000000 /* more are our own mistake */
#define START_MS 1000 /* the clock when a run begins */
#define QUIET_MS 86400000 /* faults are over by then, however many steps there were */
/* The longest bound: a lost gateway is given up, then streams. */
#define HEAL_MS (scheduler_defaults.gateway_blind_max_ms + 80000)
/* A deletion that was refused is asked for again after 30 s; then two lists. */
#define QUIET_DOWN_MS 130000

/* Time ------------------------------------------------------------------------------------------
 */

int64_t sim_now(const struct sim *self)
{
	return self->now_ms;
}

bool sim_healing(const struct sim *self)
{
	return self->healing;
}

static bool is_before(const struct sim_entry *a, const struct sim_entry *b)
{
	return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->serial < b->serial);
}

static void grow(struct sim_memory *memory)
{
	memory->heap_size = memory->heap_size ? 2 * memory->heap_size : HEAP_FIRST;
	memory->heap = realloc(memory->heap, memory->heap_size * sizeof *memory->heap);
	assert(memory->heap);
}

void sim_at(struct sim *self, int64_t at_ms, sim_fn *fn, void *context, uint64_t tag)
{
	struct sim_entry entry = { .at_ms = at_ms > self->now_ms ? at_ms : self->now_ms,
				   .serial = ++self->serial,
				   .fn = fn,
				   .context = context,
				   .tag = tag };
	struct sim_entry *heap;
	size_t at = self->heap_count;

	assert(at < HEAP_MAX);
	if (at == self->memory.heap_size)
		grow(&self->memory);
	heap = self->memory.heap;
	self->heap_count++;
	while (at > 0 && is_before(&entry, &heap[(at - 1) / 2])) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = entry;
}

static struct sim_entry take(struct sim *self)
{
	struct sim_entry *heap = self->memory.heap;
	struct sim_entry first = heap[0], last = heap[--self->heap_count];
	size_t at = 0, count = self->heap_count;

	for (size_t child = 1; child < count; child = 2 * at + 1) {
		if (child + 1 < count && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (!is_before(&heap[child], &last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return first;
}

/* Chance ----------------------------------------------------------------------------------------
 */

/* splitmix64: same seed, same run, on every machine. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t sim_draw(struct sim *self, enum sim_part part)
{
	return next(&self->random[part]);
}

uint64_t sim_below(struct sim *self, enum sim_part part, uint64_t bound)
{
	/* The bias of a remainder is far below what any run could notice. */
	return sim_draw(self, part) % (bound ? bound : 1);
}

bool sim_chance(struct sim *self, enum sim_part part, uint32_t per_million)
{
	return sim_draw(self, part) % 1000000 < per_million;
}

void sim_trace(struct sim *self, const void *bytes, size_t length)
{
	self->trace = XXH3_64bits_withSeed(bytes, length, self->trace);
}

/* What checks and people look at ----------------------------------------------------------------
 */

unsigned sim_gateways(const struct sim *self)
{
	return self->plan.gateways;
}

bool sim_is_up(const struct sim *self, enum sim_process process)
{
	return self->processes[process].up;
}

const struct state *sim_truth(const struct sim *self)
{
	return sim_is_up(self, SIM_REGISTRY) ? &self->registry.state : NULL;
}

const struct registry *sim_registry(const struct sim *self)
{
	return sim_is_up(self, SIM_REGISTRY) ? &self->registry : NULL;
}

const struct scheduler *sim_scheduler(const struct sim *self)
{
	return sim_is_up(self, SIM_SCHEDULER) ? &self->scheduler : NULL;
}

const struct unmanaged *sim_unmanaged(const struct sim *self)
{
	return sim_is_up(self, SIM_UNMANAGED) ? &self->unmanaged : NULL;
}

const struct managed *sim_managed(const struct sim *self)
{
	return sim_is_up(self, SIM_MANAGED) ? &self->managed : NULL;
}

const struct sim_provider_plan *sim_provider_plan(const struct sim *self)
{
	return &self->provider.plan;
}

uint64_t sim_life(const struct sim *self, enum sim_process process)
{
	return self->processes[process].life;
}

int64_t sim_began_ms(const struct sim *self, enum sim_process process)
{
	return self->processes[process].began_ms;
}

void sim_disturb(struct sim *self, int64_t until_ms)
{
	if (until_ms > self->disturbed_ms)
		self->disturbed_ms = until_ms;
}

int64_t sim_calm_since(const struct sim *self)
{
	if (self->disturbed_ms > self->now_ms)
		return INT64_MAX;
	for (size_t i = 0; i < SIM_GATEWAY + self->plan.gateways; i++)
		if (sim_awake_since(self, (enum sim_process)i) == INT64_MAX)
			return INT64_MAX;
	return sim_bus_is_calm(self) ? self->disturbed_ms : INT64_MAX;
}

int64_t sim_awake_since(const struct sim *self, enum sim_process process)
{
	return self->processes[process].awake_ms;
}

void sim_set_outside(struct sim *self, const struct sim_outside *outside)
{
	self->outside = *outside;
}

void sim_set_observer(struct sim *self, const struct sim_observer *observer)
{
	self->observer = *observer;
}

/* A run -----------------------------------------------------------------------------------------
 */

struct sim *sim_new(void)
{
	struct sim *self = mmap(NULL, sizeof *self, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert(self != MAP_FAILED);
	return self;
}

void sim_delete(struct sim *self)
{
	free(self->memory.heap);
	free(self->memory.events);
	for (size_t i = 0; i < SIM_PROCESSES_MAX; i++)
		if (self->memory.cores[i])
			(void)munmap(self->memory.cores[i], self->memory.core_sizes[i]);
	(void)munmap(self, sizeof *self);
}

static void step(struct sim *self)
{
	struct sim_entry entry;

	/* Somebody always has something in mind: an empty heap is a world that stands still. */
	assert(self->heap_count > 0);
	entry = take(self);
	assert(entry.at_ms >= self->now_ms);
	if (sim_is_up(self, SIM_REGISTRY))
		self->stream_ms +=
			self->registry.state.active_count * (uint64_t)(entry.at_ms - self->now_ms);
	self->now_ms = entry.at_ms;
	self->steps++;
	sim_trace(self, &entry.at_ms, sizeof entry.at_ms);
	entry.fn(entry.context, entry.tag);
	if (self->observer.stepped)
		self->observer.stepped(self->observer.context);
}

static void heal(struct sim *self)
{
	int64_t until_ms;

	sim_note(self, "world heals");
	self->healing = true;
	self->held_ms = 0;
	sim_bus_unclog(self);
	for (size_t i = 0; i < SIM_GATEWAY + self->plan.gateways; i++) {
		struct sim_process_state *process = &self->processes[i];

		process->crash_in = 0;
		if (!process->up)
			sim_process_start(self, process);
		else
			sim_process_resume(self, process);
	}
	sim_disturb(self, self->now_ms);
	until_ms = self->now_ms + HEAL_MS;
	while (self->now_ms < until_ms)
		step(self);
	if (self->observer.healed)
		self->observer.healed(self->observer.context);
}

/* Everybody is told to stop, and what is owed to the provider has its time. */
static void calm_down(struct sim *self)
{
	int64_t until_ms = self->now_ms + QUIET_DOWN_MS + 1000 * self->provider.plan.leak_age_s +
			   2 * self->provider.plan.reconcile_ms;

	if (self->provider.plan.kind == PROVIDER_NONE || !self->observer.quiet)
		return;
	sim_note(self, "world ends every stream");
	people_end();
	while (self->now_ms < until_ms && sim_inputs_ours(self) > 0)
		step(self);
	self->observer.quiet(self->observer.context);
}

static void begin(struct sim *self, const struct sim_options *options)
{
	struct sim_memory memory = self->memory;
	uint64_t seed = options->seed;

	memset(self, 0, sizeof *self);
	self->memory = memory;
	self->options = *options;
	self->now_ms = START_MS;
	for (size_t i = 0; i < SIM_RANDOMS; i++)
		self->random[i] = next(&seed);
	if (options->record && !self->memory.events)
		self->memory.events = calloc(SIM_EVENTS_KEPT, sizeof *self->memory.events);
	sim_plan_draw(self);
	sim_provider_draw(self);
	sim_actors_open(self);
	sim_people_init(self);
	sim_checks_init(self);
	for (size_t i = 0; i < SIM_GATEWAY + self->plan.gateways; i++)
		sim_process_start(self, &self->processes[i]);
	sim_plan_begin(self);
	sim_inputs_begin(self);
}

static void end(struct sim *self)
{
	for (size_t i = 0; i < SIM_PROCESSES_MAX; i++)
		sim_process_fini(self, &self->processes[i]);
	sim_bus_fini(self);
	sim_edge_fini(self);
	sim_provider_fini(self);
	sim_actors_close(self);
}

bool sim_run(struct sim *self, const struct sim_options *options)
{
	const int64_t quiet_ms = START_MS + QUIET_MS;

	begin(self, options);
	/* sim_violation() comes back here. */
	if (setjmp(self->end) == 0) {
		while (self->steps < options->steps && self->now_ms < quiet_ms)
			step(self);
		heal(self);
		calm_down(self);
	}
	end(self);
	return !self->broken;
}
