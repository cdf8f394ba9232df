/* SPDX-License-Identifier: MIT */
/* tap_past.h - fetch what is kept about a stream and its user: history, recording, record. */
#pragma once

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_story.h"

struct past {
	const char *word; /* STREAM or USER */
	const char *replay; /* a recorded file, "-" for stdin; NULL: ask the registry */
};

/* past_fetch() - all of the user's events that are kept, and what the stream's end points to.
 *
 * @story is initialised with zeroes; release it with story_fini(), whatever the result.  @stream
 * borrows from it: the stream of that id, or the newest of that user.
 *
 * Return: enum exit_code; EXIT_USAGE, which was said, if nothing is known of the word.
 */
int past_fetch(const struct cli *cli, const struct past *past, struct story *story,
	       struct text *stream);

/* past_replay() - all events of the recording @path ("-": stdin) into @story.
 *
 * Return: enum exit_code.
 */
int past_replay(const char *path, struct story *story);
