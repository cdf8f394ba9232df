/* SPDX-License-Identifier: MIT */
/* sim_runner.h - seeds in processes of their own, so that one that aborts is a result too. */
#pragma once

#include "tests/sim/sim_world.h"

struct runner {
	uint64_t first, seeds, steps;
	unsigned jobs;
	uint32_t without;
	bool single, minimize, verbose, trace, reach_all;
};

/* runner_many(), runner_single() - Return: the exit code. */
int runner_many(const struct runner *runner);
int runner_single(const struct runner *runner);
