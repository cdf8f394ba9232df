/* SPDX-License-Identifier: MIT */
/* tap_sources.h - subscriptions to the outboxes of a run directory. */
#pragma once

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_gaps.h"

#define SOURCES_MAX 128 /* outboxes; further ones are left out, which is said */
#define SOURCE_REGISTRY 0 /* index of the registry: it is always the first */

struct source {
	char name[NAME_MAX_BYTES + 1]; /* of the process: lower case, digits, '-' */
	struct _zsock_t *socket;
	bool welcomed; /* somebody publishes there, or did once */
	struct gap_track story, ops;
};

struct sources {
	const struct cli *cli;
	bool ops; /* operational events of all daemons, else the story alone */
	size_t count;
	bool overflow; /* there were more than SOURCES_MAX */
	struct source items[SOURCES_MAX];
};

/* sources_open() - subscribe to the registry and, if @ops, to whoever else is there.
 *
 * Ownership: release with sources_close(), whatever the result.
 *
 * Return: enum exit_code; EXIT_AWAY if there is no registry.
 */
int sources_open(struct sources *sources, const struct cli *cli, bool ops);
void sources_close(struct sources *sources);

/* sources_scan() - subscribe to outboxes that have appeared since.
 *
 * One that disappears is kept: its process may come back, and its numbers tell what was missed.
 *
 * Return: enum exit_code.
 */
int sources_scan(struct sources *sources);

/* sources_live() - whether all subscriptions are live.
 *
 * A welcome alone does not prove it: libzmq greets whoever connects, before it has read what they
 * subscribe to.  The registry's first head does, and its beacons bring one soon; operational
 * events have no beacons, so there the welcome has to do.
 */
bool sources_live(const struct sources *sources);
