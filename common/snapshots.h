/* SPDX-License-Identifier: MIT */
/* snapshots.h - snapshots and history for many clients at once, in slices.  Pure.
 *
 * It stands behind an inbox of its own (RUN/registry.snapshot), so that rows do not hold up
 * requests.  A client has one question at a time; a new one replaces it.  A slice is made only
 * for a client that has taken what it got, so nobody's slowness costs memory.
 */
#pragma once

#include "common/inbox.h"
#include "common/ports.h"

#define SNAPSHOTS_MAX 64 /* clients served at once; more are refused */
#define SNAPSHOTS_SLICE_BYTES (256 * 1024) /* per client and pass */
#define SNAPSHOTS_STEP_ROWS 32 /* per snapshots_step() */

struct snapshot_session {
	struct peer peer;
	enum stream_event_type type; /* EVENT_NONE: free */
	uint64_t cursor, upto, rows;
	struct stream_event get; /* its texts are in here: */
	char user_id[USER_ID_MAX], stream_id[STREAM_ID_MAX];
};

struct snapshots_stats {
	uint64_t snapshots, histories, rows, refused, abandoned;
};

struct snapshots {
	struct inbox *inbox;
	const struct snapshot_port *port;
	struct snapshot_session sessions[SNAPSHOTS_MAX];
	size_t next; /* whose turn it is */
	size_t count;
	struct snapshots_stats stats;
};

void snapshots_init(struct snapshots *self, struct inbox *inbox, const struct snapshot_port *port);

/* snapshots_input() - what the inbox has to say: INPUT_PEER_UP, INPUT_PEER_DOWN, INPUT_MESSAGE. */
void snapshots_input(struct snapshots *self, const struct input *input);

/* snapshots_step() - some rows for the client whose turn it is.
 *
 * Return: false if nobody asks for anything, or all who do have enough for now.
 */
bool snapshots_step(struct snapshots *self);

/* snapshots_is_busy() - snapshots_step() would have something to do. */
bool snapshots_is_busy(const struct snapshots *self);
