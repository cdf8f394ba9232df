/* SPDX-License-Identifier: MIT */
/* micro_tools.h - what the benches of single parts share: time, memory, chance, options. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tests/bench/histogram.h"
#include "tests/bench/tool.h"

/* micro_cpu_ns() - what this process has computed. */
int64_t micro_cpu_ns(void);

/* micro_resident() - bytes of memory that this process holds now. */
size_t micro_resident(void);

/* How long the steps of a run took. */
struct micro_steps {
	struct histogram wall_ns;
	int64_t began_ns, began_cpu_ns; /* of the step under way */
	int64_t total_ns, step_ns;
	int64_t cpu_total_ns, step_cpu_ns, cpu_max_ns;
	uint64_t over_1ms;
};

/* A step may be measured in pieces: micro_begin() and micro_pause() around each, then
 * micro_step().
 */
void micro_begin(struct micro_steps *self);
void micro_pause(struct micro_steps *self);
void micro_step(struct micro_steps *self);

/* micro_print_steps() - "ns_per_cycle":..., and how long the steps took, without braces. */
void micro_print_steps(const struct micro_steps *self, uint64_t cycles);
