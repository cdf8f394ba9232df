/* SPDX-License-Identifier: MIT */
/* sim_main.c - the runner: many seeds in several processes, or one seed with all that led to its
 * failure.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/sim/sim_runner.h"

#define STEPS_DEFAULT 10000
#define JOBS_MAX 64

enum word {
	OPTION_SEEDS = 1,
	OPTION_FIRST,
	OPTION_STEPS,
	OPTION_JOBS,
	OPTION_SEED,
	OPTION_WITHOUT,
	OPTION_MINIMIZE,
	OPTION_VERBOSE,
	OPTION_TRACE,
	OPTION_LIST,
	OPTION_REACH,
	OPTION_HELP,
};

static const struct option options[] = {
	{ "seeds", required_argument, NULL, OPTION_SEEDS },
	{ "first", required_argument, NULL, OPTION_FIRST },
	{ "steps", required_argument, NULL, OPTION_STEPS },
	{ "jobs", required_argument, NULL, OPTION_JOBS },
	{ "seed", required_argument, NULL, OPTION_SEED },
	{ "without", required_argument, NULL, OPTION_WITHOUT },
	{ "minimize", no_argument, NULL, OPTION_MINIMIZE },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "trace-hash", no_argument, NULL, OPTION_TRACE },
	{ "list-sometimes", no_argument, NULL, OPTION_LIST },
	{ "reach-all", no_argument, NULL, OPTION_REACH },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: sim --seeds N [--first S] [--steps N] [--jobs N] [--trace-hash] [--reach-all]\n"
	"       sim --seed S [--steps N] [--without FAULT,...] [--minimize | --verbose]\n"
	"\n"
	"Run all of weir in one process on a simulated clock, bus and world, with faults, and "
	"check\n"
	"after every step what must always hold.  Exit 0: nothing was broken.\n"
	"\n"
	"  --seeds N         so many runs, from seed S (default 1) on\n"
	"  --steps N         things that happen in each, before it heals (default 10000)\n"
	"  --jobs N          processes (default: one for each processor)\n"
	"  --seed S          one run; if it breaks, with the last events of the stream or user\n"
	"  --without FAULTS  leave out classes of faults: cut pub delay clog swizzle crash kill "
	"stall\n"
	"                    wall held broken edge narrow leave provider rot, or all\n"
	"  --minimize        leave out what the failure does not need, and shorten it\n"
	"  --verbose         print what happens\n"
	"  --trace-hash      print a hash of each run: equal seeds have equal ones\n"
	"  --list-sometimes  name the places that runs are to reach now and then\n"
	"  --reach-all       name those that were not reached; exit 1 if there are any\n"
	"\n"
	"examples:\n"
	"  scripts/sim --seeds 2000\n"
	"  scripts/sim --seed 77 --steps 10000\n"
	"  scripts/sim --seed 77 --minimize\n"
	"  scripts/sim --seed 77 --without stall,cut --verbose | less\n";

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (end == text || *end != '\0') {
		fprintf(stderr, "sim: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static uint32_t fault_named(const char *name)
{
	if (strcmp(name, "all") == 0)
		return (1u << FAULT_COUNT) - 1;
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		if (strcmp(name, sim_fault_name((enum sim_fault)i)) == 0)
			return 1u << i;
	fprintf(stderr, "sim: no fault '%s'; see --help\n", name);
	exit(2);
}

static uint32_t fault_set(char *names)
{
	uint32_t set = 0;
	char *rest = NULL;

	for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		set |= fault_named(name);
	return set;
}

static void take(struct runner *runner, int option)
{
	switch ((enum word)option) {
	case OPTION_SEEDS:
		runner->seeds = number(optarg);
		return;
	case OPTION_FIRST:
		runner->first = number(optarg);
		return;
	case OPTION_STEPS:
		runner->steps = number(optarg);
		return;
	case OPTION_JOBS:
		runner->jobs = (unsigned)number(optarg);
		return;
	case OPTION_SEED:
		runner->first = number(optarg);
		runner->single = true;
		return;
	case OPTION_WITHOUT:
		runner->without = fault_set(optarg);
		return;
	case OPTION_MINIMIZE:
		runner->minimize = true;
		return;
	case OPTION_VERBOSE:
		runner->verbose = true;
		return;
	case OPTION_TRACE:
		runner->trace = true;
		return;
	case OPTION_REACH:
		runner->reach_all = true;
		return;
	case OPTION_LIST:
		for (size_t i = 0; i < sim_places_count(); i++)
			puts(__start_sim_places[i]);
		exit(0);
	case OPTION_HELP:
		fputs(usage, stdout);
		exit(0);
	}
	fputs(usage, stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct runner runner = { .first = 1, .steps = STEPS_DEFAULT };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take(&runner, option);
	if (optind < argc || (runner.seeds == 0) == !runner.single) {
		fputs(usage, stderr);
		return 2;
	}
	if (runner.jobs == 0)
		runner.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (runner.jobs > JOBS_MAX)
		runner.jobs = JOBS_MAX;
	return runner.single ? runner_single(&runner) : runner_many(&runner);
}
