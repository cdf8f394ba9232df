/* SPDX-License-Identifier: MIT */
/* tap_at.h - the streams as they were at a moment of the past. */
#pragma once

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_mirror.h"
#include "actors/tap/tap_story.h"
#include "actors/tap/tap_when.h"

struct at {
	struct when when;
	const char *user, *stream; /* only theirs; NULL: all */
	const char *replay; /* a recording instead of the history; NULL: none */
};

/* at_print() - replay what is kept up to that moment and list what there was.
 *
 * Return: enum exit_code; EXIT_USAGE, which was said, if nothing of that time is kept.
 */
int at_print(const struct cli *cli, const struct at *at);

/* at_replay() - the events of @story up to @when, as a snapshot of that moment.
 *
 * @mirror is initialised by the caller.  @now_ms becomes the time of that moment.
 *
 * Return: how many events were replayed.
 */
size_t at_replay(const struct story *story, const struct when *when, struct mirror *mirror,
		 int64_t *now_ms);
