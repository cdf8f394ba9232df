/* SPDX-License-Identifier: MIT */
/* tap_range.h - which part of the story is wanted: from when, until when. */
#pragma once

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_when.h"
#include "proto/stream_event.h"

/* All zeroes: everything. */
struct range {
	struct when from, until;
	uint64_t from_seq; /* the first event wanted, as far as it is known */
	bool past; /* --until has been reached already: nothing need be waited for */
	uint64_t missing; /* events from from_seq on that are not kept any more */
	bool begins_late; /* the history begins behind the time that was asked for */
	uint64_t oldest_seq; /* of the history, if it was asked; 0: it is empty */
	int64_t oldest_ms;
};

enum range_place {
	RANGE_BEFORE,
	RANGE_INSIDE,
	RANGE_BEHIND, /* and so is all of the story that follows */
};

/* range_parse() - @from and @until as written; NULL: not given.
 *
 * Return: false if they make no sense; what is wrong was said.
 */
bool range_parse(struct range *range, const char *from, const char *until, int64_t now_ms);

/* range_resolve() - ask the registry's history where the range begins, and what is missing.
 *
 * A time is searched for by the times of the events, which grow unless a clock was set back.
 *
 * Return: enum exit_code.
 */
int range_resolve(const struct cli *cli, struct range *range, int64_t now_ms);

/* range_place() - where an event of the story, or an operational one, stands. */
enum range_place range_place(const struct range *range, const struct stream_event *event);

/* range_is_given() - whether a part was asked for at all. */
bool range_is_given(const struct range *range);
