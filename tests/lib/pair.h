/* SPDX-License-Identifier: MIT */
/* pair.h - example actors as real processes, for tests of the shared shell.
 *
 * The teller (a registry) keeps a table of values, changes one for every request, tells the change
 * as story and serves snapshots; its disk is shared memory.  The asker (a gateway) sends numbered
 * requests and announces itself to every new life of the teller.  The mirror (an adapter) follows.
 * All of them count what they see in memory shared with the test, which waits on a pipe.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/daemon.h"

#define PAIR_VALUES 65536
#define PAIR_ANNOUNCEMENTS 600 /* more than one list of effects holds */
#define PAIR_WAIT_MS 30000

typedef _Atomic uint64_t pair_count;

struct pair_shared {
	/* set by the test */
	pair_count goal; /* requests that the asker shall have sent */
	pair_count window; /* of them unanswered at once */
	pair_count chatter; /* story events that the teller makes up per millisecond */
	pair_count fail_commits; /* with this errno */

	/* the teller */
	pair_count failed_commits;
	pair_count handled, disordered, unannounced, goodbyes;
	pair_count peers_up, peers_down, teller_life, teller_reloads, teller_drains;
	pair_count seq; /* told */
	/* its disk */
	uint32_t values[PAIR_VALUES];
	uint64_t stored_seq;

	/* the asker */
	pair_count asked, answers, ups_known, ups_unknown, downs, asker_ready, unacked;

	/* the mirror */
	pair_count mirror_seq, mirror_sum, syncs, resyncs, blinds, rows, live;
};

struct pair {
	struct pair_shared *shared;
	char run_dir[64];
	int wake[2]; /* written whenever something may have changed */
};

enum pair_actor { PAIR_TELLER, PAIR_ASKER, PAIR_MIRROR };

void pair_open(struct pair *self);
void pair_close(struct pair *self);

/* pair_start() - a process of its own.  @notify_fd as for daemon_options. */
pid_t pair_start(struct pair *self, enum pair_actor actor, int notify_fd);

/* pair_end() - send @signal and wait.  Return: what waitpid() says. */
int pair_end(pid_t process, int signal);

/* pair_wait() - until @reached says so; false at the deadline. */
bool pair_wait(struct pair *self, bool (*reached)(const struct pair_shared *shared));

/* pair_wait_count() - until @counter is at least @value. */
bool pair_wait_count(struct pair *self, const pair_count *counter, uint64_t value);

/* pair_sum() - checksum of the disk, as the mirror computes its own. */
uint64_t pair_sum(const uint32_t *values);
