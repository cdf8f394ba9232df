/* SPDX-License-Identifier: MIT */
/* tap_live.h - what a tap does with every message: number it, filter it, print it, judge it.
 *
 * No sockets: tap_cmd_tap.c hands in messages; what the history must fill in is asked for through
 * a function.
 */
#pragma once

#include "actors/tap/tap_filter.h"
#include "actors/tap/tap_output.h"
#include "actors/tap/tap_print.h"
#include "actors/tap/tap_range.h"
#include "actors/tap/tap_sources.h"

struct live;

/* Hands the story events from_seq .. upto_seq - 1 that are still kept to live_row().
 *
 * Return: enum exit_code.
 */
typedef int live_backfill(struct live *live, uint64_t from_seq, uint64_t upto_seq);

struct live_options {
	struct filter filter;
	struct range range;
	struct print_style style;
	uint64_t count_max; /* events to print; 0: no limit */
	bool strict; /* a gap ends it with EXIT_GAP */
	live_backfill *backfill; /* NULL: no history wanted */
	void *context; /* of @backfill */
};

struct live {
	struct live_options options;
	struct expects expects;
	struct output *output;
	uint64_t printed; /* events */
	uint64_t filled; /* story events handed in by @backfill since it was called */
	uint64_t row_seq; /* of the last row of the history; 0: none yet */
	bool filling; /* @backfill is called to fill a gap: every event counts, wanted or not */
	bool behind; /* finished because the range was left behind */
	bool finished; /* nothing more is to be read; see code */
	int code; /* enum exit_code of a finished tap */
};

/* live_init() - @output is borrowed.  The expectations are filled in by the caller. */
void live_init(struct live *live, const struct live_options *options, struct output *output);

/* live_message() - take a message of @source as it came from its socket. */
void live_message(struct live *live, struct source *source, const uint8_t *bytes, size_t length);

/* live_lost() - a message of @source could not be taken at all. */
void live_lost(struct live *live, const struct source *source);

/* live_record() - what another tap, or the history, says is missing. */
void live_record(struct live *live, const struct record *record);

/* live_row() - take one event of the history: what was damaged between it and the one before is a
 * gap, if all of the history was asked for.
 */
void live_row(struct live *live, const struct stream_event *event);

/* live_event() - take one published event, from a frame or from the history. */
void live_event(struct live *live, const struct stream_event *event);
