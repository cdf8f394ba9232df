/* SPDX-License-Identifier: MIT */
/* tap_gaps.h - what frame heads tell about events that never arrived.
 *
 * Pure.  One track for every (source, topic); the numbers of a topic are dense.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/frame.h"

struct gap_track {
	bool known; /* a head has been seen */
	uint64_t incarnation;
	uint64_t next_seq; /* of the next event */
};

struct gap_report {
	bool first; /* the first head of this track: what was before is not missed */
	bool restarted; /* by another incarnation than the head before */
	uint64_t previous; /* restarted: the incarnation before */
	uint64_t from_seq, missed; /* events from_seq .. from_seq + missed - 1 did not arrive */
	unsigned skip; /* so many events at the start of the frame were seen before */
};

/* gap_see() - take note of a frame's head.
 *
 * @lasting: numbers go on across incarnations (the registry's story), or begin again at 1 with a
 * new store, so that what a restart swallowed can be counted.  Otherwise a new incarnation counts
 * from 1, and what it said before we were connected is no gap.
 *
 * Return: false, with nothing changed, if the head cannot be right.
 */
bool gap_see(struct gap_track *track, const struct frame_head *head, bool lasting,
	     struct gap_report *out);
