/* SPDX-License-Identifier: MIT */
/* micro_tap.h - what bench-tap consists of: an outbox as a registry has it, and who listens. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "tests/bench/tool.h"

#define PUBLISHER "registry" /* whose outbox it is, for taps */

extern const struct tool micro_tap_tool;

/* micro_outbox_open() - lock and bind the outbox of PUBLISHER in @run_dir, with frames of
 * @events events each.
 */
void micro_outbox_open(const char *run_dir, uint32_t events);
void micro_outbox_close(void);

/* micro_outbox_publish() - so many frames, numbered on from the last.
 *
 * @wait: for room, whoever is slow; else what a subscriber has no room for is lost to it, as it
 * is from a true outbox.
 */
void micro_outbox_publish(uint64_t frames, bool wait);

/* A process that listens. */
struct micro_listener {
	pid_t pid;
	int ready_fd; /* says a line, or is closed, when it has subscribed */
};

/* micro_listener_start() - run @argv, whose last word stands for the number of the descriptor to
 * tell us on, and is replaced.
 */
void micro_listener_start(struct micro_listener *self, const char **argv);

/* micro_listener_ready() - wait until it has subscribed; the outbox is served meanwhile. */
void micro_listener_ready(struct micro_listener *self);

/* micro_listener_end() - wait for its end; return: whether that was a good one, in time. */
bool micro_listener_end(struct micro_listener *self);

/* micro_listener_kill() - end it, also if it is stopped. */
void micro_listener_kill(struct micro_listener *self);

/* micro_subscribe() - the yardstick: take messages until they held @events events, do nothing
 * with them.  Return: an exit code.
 */
int micro_subscribe(const char *run_dir, uint64_t events, int ready_fd);
