/* SPDX-License-Identifier: MIT */
/* tap_stuck.h - which streams have outlived a bound that should have ended them.  Pure.
 *
 * There should be none, ever: every phase has a deadline.  One that is here shows that whoever
 * watches the deadlines does not, or that the bounds given are not those of the system.
 */
#pragma once

#include "actors/tap/tap_mirror.h"
#include "actors/tap/tap_options.h"

struct stuck_bounds {
	int64_t start_ms; /* requested, provisioning, starting: since the last event about it */
	int64_t stop_ms; /* stopping: likewise */
	int64_t silent_ms; /* suspect: likewise; live: since its link or its glasses went away */
	int64_t owed_ms; /* closed, and still owing a stop or a word: likewise */
	int64_t input_ms; /* closed, and its input not deleted yet: likewise */
};

/* The defaults of weir.conf and one ack timeout (10 s) to spare: start_deadline 60 s, stop_deadline
 * 60 s, keepalive_interval 15 s with its ack timeout, stop_owed 600 s.  Nothing ends the attempts
 * to delete an input; the longest pause between two is 5 minutes, so by then several have failed.
 */
#define STUCK_INPUT_MS 900000
#define STUCK_BOUNDS_DEFAULT \
	{ \
		70000, 70000, 35000, 610000, STUCK_INPUT_MS \
	}
#define STUCK_BOUND_MAX_MS INT64_C(1000000000)

#define STUCK_ROW(STRUCT, name_, field, meaning_) \
	{ \
		.name = name_, .kind = OPTION_SECONDS, .value = "SECONDS", .min = 1, \
		.max = STUCK_BOUND_MAX_MS, \
		.offset = offsetof(STRUCT, bounds) + offsetof(struct stuck_bounds, field), \
		.meaning = meaning_ \
	}

/* The rows of a command whose values @STRUCT has a member `bounds`. */
#define STUCK_ROWS(STRUCT) \
	STUCK_ROW(STRUCT, "start-bound", start_ms, "stuck before it streams (default 70)"), \
		STUCK_ROW(STRUCT, "stop-bound", stop_ms, "stuck while stopping (default 70)"), \
		STUCK_ROW(STRUCT, "silent-bound", silent_ms, \
			  "stuck without a way to its device (default 35)"), \
		STUCK_ROW(STRUCT, "owed-bound", owed_ms, \
			  "stuck with something owed (default 610)"), \
		STUCK_ROW(STRUCT, "input-bound", input_ms, \
			  "stuck with an input to delete (default 900)")

/* What --help says of the rule. */
#define STUCK_RULE \
	"A stream is stuck if it is\n" \
	"  requested, provisioning or starting with no event for longer than --start-bound,\n" \
	"  stopping with none for longer than --stop-bound,\n" \
	"  suspect with none for longer than --silent-bound,\n" \
	"  live, with its phone or its glasses away for longer than --silent-bound,\n" \
	"  closed, and owes a stop or a word with no event for longer than --owed-bound,\n" \
	"  closed, and its input is to be deleted, likewise, for longer than --input-bound.\n" \
	"A live stream whose phone and glasses are there is never stuck: its probes are\n" \
	"answered, or it becomes suspect.  The defaults are the deadlines of weir.conf's " \
	"defaults\n" \
	"and 10 s; where the configuration has others, give them.\n"

/* stuck_mark() - set .stuck of every stream of @mirror: why it is stuck, or NULL.
 *
 * Ages count up to @now_ms; facts whose time is not known (see tap_ages.h) make nobody stuck.
 *
 * Return: how many are.
 */
size_t stuck_mark(struct mirror *mirror, const struct stuck_bounds *bounds, int64_t now_ms);
