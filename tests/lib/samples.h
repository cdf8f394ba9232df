/* SPDX-License-Identifier: MIT */
/* samples.h - events of every type, filled in by walking the schema; for tests and corpora. */
#pragma once

#include "proto/stream_event_table.h"

enum sample {
	SAMPLE_EMPTY, /* every field zero */
	SAMPLE_SMALL, /* every field says something short */
	SAMPLE_FULL, /* every text at its limit, every number at an end of its range */
};

/* sample_event() - an event of @type; texts live until the next call. */
void sample_event(enum stream_event_type type, enum sample sample, struct stream_event *out);

/* sample_next() - the type that follows @type in the schema; EVENT_NONE behind the last. */
enum stream_event_type sample_next(enum stream_event_type type);

/* sample_same() - whether every field of both events has the same value. */
bool sample_same(const struct stream_event *a, const struct stream_event *b);

/* sample_value() - @field of @event. */
const void *sample_value(const struct stream_event *event, const struct field *field);
