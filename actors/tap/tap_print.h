/* SPDX-License-Identifier: MIT */
/* tap_print.h - events and in-band records of a tap as lines.
 *
 * Pure.  Secrets are redacted by proto/; nothing that came over the wire moves a cursor.
 */
#pragma once

#include "actors/tap/tap_gaps.h"
#include "actors/tap/tap_text.h"
#include "proto/stream_event.h"

/* Bytes of a line: escaped, every byte of STREAM_EVENT_WIRE_MAX takes 6 at most, which is 48 KiB;
 * names of fields are 1 KiB, the rest is spare.  No larger event is published.
 */
#define PRINT_LINE_MAX 65536

struct print_style {
	bool json; /* one object a line; else for people */
	bool colour;
};

/* What a tap has to say itself, between the events. */
enum record_type {
	RECORD_GAP, /* count events from from_seq on were missed */
	RECORD_RESTART, /* the source is another incarnation than before */
	RECORD_DROPPED, /* count messages or events could not be read */
};

struct record {
	enum record_type type;
	const char *source, *topic; /* terminated */
	uint64_t incarnation, previous; /* previous: RECORD_RESTART */
	uint64_t from_seq, count;
	int64_t sent_ms; /* Unix time of the record */
};

/* print_event(), print_record() - one line with its line end, not terminated.
 *
 * @event must be one that is published.
 *
 * Return: bytes written to @line of PRINT_LINE_MAX bytes.
 */
size_t print_event(const struct print_style *style, const struct stream_event *event, char *line);
size_t print_record(const struct print_style *style, const struct record *record, char *line);

/* print_event_colour() - of events with that name. */
enum colour print_event_colour(const char *name);

/* print_record_named() - the record that print_record() calls @name, e.g. "tap.gap". */
bool print_record_named(struct text name, enum record_type *out);
