/* SPDX-License-Identifier: MIT */
/* Goal: what was acknowledged before kill -9 is there afterwards, and nothing is there by halves.
 * Method: a child commits numbered batches and writes each number into a pipe once it is durable;
 * it is killed after a random number of them, at whatever it is doing then; the parent opens the
 * store and audits it.  The next child goes on where this one was stopped.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/store.h"
#include "tests/lib/fakes.h"
#include "tests/lib/store_stage.h"

#define KILLS 60
#define ACKS_MAX 40 /* read before a kill, at most */
#define SPINS_MAX 20000 /* some 10 ms of system calls between the last of them and the kill */
#define ROWS_KEPT 500 /* so that housekeeping has something to do while it is killed */

static const struct store_limits limits = { .history_rows_max = ROWS_KEPT,
					    .history_age_ms = INT64_C(1) << 40,
					    .reserve_bytes = STAGE_RESERVE };

static void committing_child(int pipe_in, uint64_t number)
{
	stage_open("sqlite", &limits);
	for (;; number++) {
		if (stage_try_number(number) != STORE_COMMITTED ||
		    write(pipe_in, &number, sizeof number) != (ssize_t)sizeof number)
			_exit(1);
		if (number % 5 == 0)
			(void)store_tend(stage_store, &(struct store_time){ .wall_ms = 0 });
	}
}

/* The last number that was acknowledged; at least @acks were. */
static uint64_t run_and_kill(struct prng *prng, uint64_t first, uint32_t acks)
{
	uint64_t number = first - 1;
	int pipes[2], status;
	pid_t child;

	cr_assert_eq(pipe(pipes), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		(void)close(pipes[0]);
		committing_child(pipes[1], first);
	}
	(void)close(pipes[1]);
	for (uint32_t i = 0; i < acks; i++)
		cr_assert_eq(read(pipes[0], &number, sizeof number), (ssize_t)sizeof number);
	for (uint32_t i = prng_below(prng, SPINS_MAX); i > 0; i--)
		(void)getppid();
	cr_assert_eq(kill(child, SIGKILL), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status), "it ended by itself: %x", status);
	while (read(pipes[0], &number, sizeof number) == (ssize_t)sizeof number)
		;
	(void)close(pipes[0]);
	return number;
}

Test(store_crash, what_was_acknowledged_survives_every_kill, .init = stage_begin, .fini = stage_end)
{
	struct prng prng = { 20 };
	uint64_t present = 0, unasked = 0;

	for (int round = 0; round < KILLS; round++) {
		/* 0: while it opens, recovers or makes its first commit. */
		uint32_t acks = prng_below(&prng, ACKS_MAX + 1);
		uint64_t acknowledged = run_and_kill(&prng, present + 1, acks);
		uint64_t found;

		stage_open("sqlite", &limits);
		found = stage_audit();
		cr_assert_geq(found, acknowledged, "round %d: an acknowledged batch is gone",
			      round);
		cr_assert_leq(found, acknowledged + 1, "round %d: more than was tried", round);
		unasked += found - acknowledged;
		present = found;
		stage_close();
	}
	cr_assert_gt(present, (uint64_t)ROWS_KEPT, "enough to be pruned");
	cr_log_info("%d kills, %llu batches, %llu of them present without an acknowledgement",
		    KILLS, (unsigned long long)present, (unsigned long long)unasked);
}
