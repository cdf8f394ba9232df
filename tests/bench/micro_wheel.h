/* SPDX-License-Identifier: MIT */
/* micro_wheel.h - what bench-wheel measures, on a virtual clock in steps of 10 ms.
 *
 * A cycle is what a keep-alive costs: a probe is due, the next one is armed and the wait for its
 * ack; the ack comes and disarms that.
 */
#pragma once

#include <stdbool.h>

#include "tests/bench/micro_tools.h"

#define STEP_MS 10
#define INTERVAL_MS 15000
#define ACK_TIMEOUT_MS 10000

struct micro_wheel_options {
	uint32_t streams, seconds, gateways, rtt_ms;
	bool trace; /* let the scheduler tell of each probe and ack, as taps see them */
	const char *part; /* NULL: both */
};

extern const struct tool micro_wheel_tool;

/* micro_wheel_alone() - common/wheel with two timers per stream.
 *
 * micro_wheel_core() - the lifecycle scheduler's core with that many live streams, from
 * INPUT_TICK to the encoded batches of probes and from batches of acks back.
 *
 * Each prints the members of a JSON object.  Return: whether every cycle was a whole one.
 */
bool micro_wheel_alone(const struct micro_wheel_options *options);
bool micro_wheel_core(const struct micro_wheel_options *options);
