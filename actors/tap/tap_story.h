/* SPDX-License-Identifier: MIT */
/* tap_story.h - events of the story that were kept, in their order, for those who look back.
 *
 * No I/O; memory is the story's own.
 */
#pragma once

#include "actors/tap/tap_arena.h"
#include "proto/stream_event.h"

struct story {
	struct arena arena;
	struct stream_event *events; /* seq grows; rows of a snapshot stand at the end */
	size_t count, room;
	size_t text_bytes; /* of all events together */
	uint64_t oldest_seq; /* the oldest event that is kept of anybody; 0: not known */
};

void story_fini(struct story *story);

/* story_keep() - a copy of @event in its place; one of that seq that is there already stays.
 *
 * Rows of a snapshot are put behind all events.  Secrets are left out.
 */
void story_keep(struct story *story, const struct stream_event *event);

/* story_is_row() - @event is a row of a snapshot: it has no place among the events. */
bool story_is_row(const struct stream_event *event);

/* story_find() - the event with that seq, or NULL. */
const struct stream_event *story_find(const struct story *story, uint64_t seq);

/* story_newest() - id of @user's stream with the highest epoch; "" if none is told of. */
struct text story_newest(const struct story *story, struct text user);
