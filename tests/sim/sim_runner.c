/* SPDX-License-Identifier: MIT */
#include "tests/sim/sim_runner.h"

#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAILURES_MAX 1000
#define REPORTS_MAX 3 /* failures shown with what led to them */
#define PLACES_MAX 512
#define WORKERS_MAX 64
#define HEAP_KEPT (256 << 20)
#define HOUR_MS 3600000.0

/* What one run came to. */
struct sim_outcome {
	uint64_t seed, step, trace;
	bool broken;
	char invariant[64];
};

struct worker {
	pid_t process;
	_Atomic uint64_t seed; /* that it is at; 0: none */
};

/* Shared by all processes. */
struct shared {
	_Atomic uint64_t next;
	struct worker workers[WORKERS_MAX];
	_Atomic uint64_t runs, steps, virtual_ms, stream_ms, cpu_us;
	_Atomic uint64_t fired[PLACES_MAX];
	_Atomic uint32_t failures_count;
	struct sim_outcome failures[FAILURES_MAX];
	struct sim_outcome trial; /* of a run for itself */
};

static struct shared *shared;
static struct sim *world;

static void share(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || sim_places_count() > PLACES_MAX) {
		fputs("sim: no memory, or too many places\n", stderr);
		exit(2);
	}
}

/* Restarts give much back and want it again: never to the system. */
static void keep_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
}

static int64_t cpu_us(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static double clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fill(struct sim_outcome *out, const struct sim *self)
{
	*out = (struct sim_outcome){ .seed = self->options.seed,
				     .step = self->steps,
				     .trace = self->trace,
				     .broken = self->broken };
	memcpy(out->invariant, self->invariant, sizeof out->invariant);
}

/* One run for itself ----------------------------------------------------------------------------
 */

static void on_abort(int number)
{
	const struct text none = { 0 };

	/* The world is in the middle of something, but it is only read. */
	sim_report(world, "assert", none, number == SIGABRT ? "our own mistake" : "a crash");
	fill(&shared->trial, world);
	if (world->options.record)
		fwrite(world->report, 1, world->report_length, stdout);
	fflush(stdout);
	_exit(3);
}

/* Not _exit(): profiles are written, and tools that watch memory have a look. */
static void leave(void)
{
	sim_delete(world);
	exit(0);
}

static void run_alone(const struct sim_options *options)
{
	keep_memory();
	world = sim_new();
	(void)signal(SIGABRT, on_abort);
	(void)signal(SIGSEGV, on_abort);
	if (!sim_run(world, options) && options->record)
		fwrite(world->report, 1, world->report_length, stdout);
	fill(&shared->trial, world);
	leave();
}

/* In a process of its own; the outcome is in shared->trial. */
static const struct sim_outcome *trial(const struct sim_options *options)
{
	pid_t process;

	fflush(stdout);
	shared->trial = (struct sim_outcome){ .broken = true, .invariant = "vanished" };
	process = fork();
	if (process == 0) {
		if (!options->record && !freopen("/dev/null", "w", stderr))
			_exit(2);
		run_alone(options);
	}
	(void)waitpid(process, NULL, 0);
	return &shared->trial;
}

static bool still_breaks(const struct sim_options *options, const char *invariant)
{
	const struct sim_outcome *outcome = trial(options);

	return outcome->broken && strcmp(outcome->invariant, invariant) == 0;
}

static void minimize(struct sim_options *options)
{
	const struct sim_outcome first = *trial(options);

	if (!first.broken)
		return;
	printf("minimizing: %s\n", first.invariant);
	for (unsigned fault = 0; fault < FAULT_COUNT; fault++) {
		struct sim_options less = *options;

		less.without |= 1u << fault;
		if (still_breaks(&less, first.invariant))
			*options = less;
	}
	if (first.step < options->steps)
		options->steps = first.step;
	for (uint64_t cut = options->steps / 2; cut > 0; cut /= 2) {
		struct sim_options less = *options;

		less.steps -= cut;
		if (less.steps > 0 && still_breaks(&less, first.invariant))
			*options = less;
	}
}

static void print_replay(const struct sim_options *options)
{
	const char *between = " --without ";

	printf("smallest: scripts/sim --seed %llu --steps %llu", (unsigned long long)options->seed,
	       (unsigned long long)options->steps);
	for (unsigned fault = 0; fault < FAULT_COUNT; fault++)
		if (options->without & 1u << fault) {
			printf("%s%s", between, sim_fault_name((enum sim_fault)fault));
			between = ",";
		}
	putchar('\n');
}

int runner_single(const struct runner *runner)
{
	struct sim_options options = { .seed = runner->first,
				       .steps = runner->steps,
				       .without = runner->without,
				       .verbose = runner->verbose };
	const struct sim_outcome *outcome;

	share();
	if (runner->minimize)
		minimize(&options);
	options.record = true;
	outcome = trial(&options);
	if (runner->minimize && outcome->broken)
		print_replay(&options);
	if (!outcome->broken)
		printf("seed %llu: nothing is broken after %llu steps, trace %016llx\n",
		       (unsigned long long)outcome->seed, (unsigned long long)outcome->step,
		       (unsigned long long)outcome->trace);
	return outcome->broken ? 1 : 0;
}

/* Many ------------------------------------------------------------------------------------------
 */

static void add_failure(const struct sim_outcome *outcome)
{
	uint32_t place = atomic_fetch_add(&shared->failures_count, 1);

	if (place < FAILURES_MAX)
		shared->failures[place] = *outcome;
}

static void work(const struct runner *runner, struct worker *worker)
{
	uint64_t fired[PLACES_MAX] = { 0 }, seed;
	struct sim_outcome outcome;

	keep_memory();
	world = sim_new();
	/* An assert is reported when the seed is run again. */
	if (!freopen("/dev/null", "w", stderr))
		_exit(2);
	while ((seed = atomic_fetch_add(&shared->next, 1)) < runner->first + runner->seeds) {
		int64_t began_us = cpu_us();

		atomic_store(&worker->seed, seed);
		(void)sim_run(world, &(struct sim_options){ .seed = seed,
							    .steps = runner->steps,
							    .without = runner->without,
							    .fired = fired });
		fill(&outcome, world);
		if (outcome.broken)
			add_failure(&outcome);
		if (runner->trace)
			printf("seed %llu steps %llu trace %016llx\n", (unsigned long long)seed,
			       (unsigned long long)outcome.step, (unsigned long long)outcome.trace);
		fflush(stdout);
		atomic_fetch_add(&shared->runs, 1);
		atomic_fetch_add(&shared->steps, outcome.step);
		atomic_fetch_add(&shared->virtual_ms, (uint64_t)world->now_ms);
		atomic_fetch_add(&shared->stream_ms, world->stream_ms);
		atomic_fetch_add(&shared->cpu_us, (uint64_t)(cpu_us() - began_us));
		for (size_t i = 0; i < sim_places_count(); i++) {
			atomic_fetch_add(&shared->fired[i], fired[i]);
			fired[i] = 0;
		}
	}
	atomic_store(&worker->seed, 0);
	leave();
}

static void start(const struct runner *runner, struct worker *worker)
{
	pid_t process;

	fflush(stdout);
	process = fork();
	if (process == 0)
		work(runner, worker);
	worker->process = process;
}

/* One that died was at a seed; another goes on behind it.
 *
 * Return: whether all others have left in peace: a tool that watches them says so by their exit.
 */
static bool wait_for_all(const struct runner *runner)
{
	unsigned left = runner->jobs;
	bool peace = true;

	while (left > 0) {
		int status = 0;
		pid_t process = waitpid(-1, &status, 0);

		for (unsigned i = 0; i < runner->jobs; i++) {
			struct worker *worker = &shared->workers[i];
			uint64_t seed = atomic_load(&worker->seed);

			if (worker->process != process)
				continue;
			if (seed == 0) {
				left--;
				peace = peace && status == 0;
				continue;
			}
			add_failure(&(struct sim_outcome){
				.seed = seed, .broken = true, .invariant = "assert" });
			atomic_fetch_add(&shared->runs, 1);
			atomic_store(&worker->seed, 0);
			start(runner, worker);
		}
	}
	return peace;
}

static int by_seed(const void *a, const void *b)
{
	const struct sim_outcome *left = a, *right = b;

	return left->seed < right->seed ? -1 : left->seed > right->seed;
}

static void print_failures(const struct runner *runner)
{
	uint32_t count =
		shared->failures_count < FAILURES_MAX ? shared->failures_count : FAILURES_MAX;

	qsort(shared->failures, count, sizeof shared->failures[0], by_seed);
	for (uint32_t i = 0; i < count; i++)
		printf("failed: seed %llu: %s\n", (unsigned long long)shared->failures[i].seed,
		       shared->failures[i].invariant);
	for (uint32_t i = 0; i < count && i < REPORTS_MAX; i++) {
		putchar('\n');
		(void)trial(&(struct sim_options){ .seed = shared->failures[i].seed,
						   .steps = runner->steps,
						   .without = runner->without,
						   .record = true });
	}
}

/* The same words at several places are one place. */
static size_t count_unreached(bool print)
{
	size_t never = 0;

	for (size_t i = 0; i < sim_places_count(); i++) {
		const char *place = __start_sim_places[i];
		uint64_t fired = 0;
		bool first = true;

		for (size_t j = 0; j < sim_places_count(); j++)
			if (strcmp(place, __start_sim_places[j]) == 0) {
				fired += shared->fired[j];
				first = first && j >= i;
			}
		if (!first || fired > 0)
			continue;
		never++;
		if (print)
			printf("never reached: %s\n", place);
	}
	return never;
}

int runner_many(const struct runner *runner)
{
	double began_s = clock_s(), took_s, cpu_s;
	size_t never;
	bool peace;

	share();
	shared->next = runner->first;
	for (unsigned i = 0; i < runner->jobs; i++)
		start(runner, &shared->workers[i]);
	peace = wait_for_all(runner);
	took_s = clock_s() - began_s;
	cpu_s = (double)shared->cpu_us / 1e6;
	never = count_unreached(runner->reach_all);
	print_failures(runner);
	printf("%llu seeds, %llu steps in %.1f s, %.0f steps/s, %.0f steps per CPU second, "
	       "%.2f virtual stream-hours per CPU second, %zu of %zu places never reached, "
	       "%u failed\n",
	       (unsigned long long)shared->runs, (unsigned long long)shared->steps, took_s,
	       (double)shared->steps / took_s, (double)shared->steps / cpu_s,
	       (double)shared->stream_ms / HOUR_MS / cpu_s, never, sim_places_count(),
	       (unsigned)shared->failures_count);
	return shared->failures_count > 0 || !peace || (runner->reach_all && never > 0) ? 1 : 0;
}
