/* SPDX-License-Identifier: MIT */
/* checks_stage.h - a world without weir for the simulator's checks: one user, whose first app runs;
 * the test tells the story.
 */
#pragma once

#include <criterion/criterion.h>

#include "actors/lifecycle-scheduler/scheduler_core.h"
#include "actors/registry/registry_core.h"
#include "tests/lib/fake_sim.h"
#include "tests/sim/checks_internal.h"

#define SEES(name) cr_assert_str_eq(fake_sim.violation, (name))

/* Streams are called s1 to s9; their epochs grow with that. */
struct checks_stage {
	struct scheduler scheduler;
	struct registry registry;
	struct person *person;
	uint64_t seq; /* of the story */
};

extern struct checks_stage stage;

void stage_open(void);
void stage_tell(struct stream_event event);
void stage_tell_stream(enum stream_event_type type, const char *id, uint64_t stream_seq);
void stage_tell_closed(const char *id, uint64_t stream_seq, enum end_cause cause);

/* stage_event() - an event of @id that still has to be filled in. */
struct stream_event stage_event(enum stream_event_type type, const char *id, uint64_t stream_seq);

/* stage_app_runs() - app @index has a socket, 5 + @index. */
void stage_app_runs(unsigned index);

/* stage_pass() - time passes for the checks alone. */
void stage_pass(int64_t ms);
