/* SPDX-License-Identifier: MIT */
/* tap_filter.h - which events a tap shows, and what `--expect` waits for.  Pure. */
#pragma once

#include "actors/tap/tap_options.h"
#include "proto/stream_event.h"

struct filter {
	const char *user, *stream; /* exactly; NULL: any */
	const char *source; /* shell pattern; NULL: any */
	struct option_list types; /* shell patterns, one must match; none: any */
};

/* filter_passes() - whether @event is to be shown. */
bool filter_passes(const struct filter *filter, const struct stream_event *event);

/* event_is_published() - whether @type is one that daemons publish at all. */
bool event_is_published(enum stream_event_type type);

/* event_is_story() - whether @type is one of the registry's story. */
bool event_is_story(enum stream_event_type type);

/* Who publishes the events whose names match a pattern. */
enum pattern_scope {
	PATTERN_NOTHING, /* no event has such a name */
	PATTERN_STORY, /* some are of the registry's story */
	PATTERN_OPS, /* all are operational */
};
enum pattern_scope pattern_scope(const char *pattern);

#define EXPECT_CONDITIONS_MAX 4
#define EXPECT_TEXT_MAX 1024 /* bytes of one --expect */

struct expect_condition {
	const char *field, *value;
};

/* One --expect: TYPE[:field=value[,field=value...]]; a comma for the colon will do. */
struct expect {
	const char *written;
	char text[EXPECT_TEXT_MAX]; /* cut into the parts below */
	const char *pattern;
	struct expect_condition conditions[EXPECT_CONDITIONS_MAX];
	size_t condition_count;
};

struct expects {
	struct expect items[OPTION_LIST_MAX];
	size_t count;
	size_t seen; /* items[seen] is the next one */
};

/* expects_parse() - @list as it was given.
 *
 * Return: false, with @problem written, if an event, a field or a word does not exist: a typing
 * mistake must not become a wait without end.
 */
bool expects_parse(struct expects *expects, const struct option_list *list, char *problem,
		   size_t size);

/* expects_ops() - whether an operational event is among them. */
bool expects_ops(const struct expects *expects);

/* expects_see() - take note of an event; true once all have been seen in their order. */
bool expects_see(struct expects *expects, const struct stream_event *event);
