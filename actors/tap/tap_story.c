/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_story.h"

#include <stdlib.h>
#include <string.h>

#include "proto/stream_event_table.h"

void story_fini(struct story *story)
{
	arena_fini(&story->arena);
	free(story->events);
	*story = (struct story){ 0 };
}

static void keep_texts(struct story *story, struct stream_event *event)
{
	const struct schema *schema = stream_event_schema(event->type);

	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		struct text *text = (struct text *)((char *)event + field->offset);

		if (!field_is_text(field))
			continue;
		*text = field->secret || text->length == 0 ? TEXT("")
							   : arena_keep(&story->arena, *text);
		story->text_bytes += text->length;
	}
}

bool story_is_row(const struct stream_event *event)
{
	return event->type == EVENT_SNAPSHOT_STREAM || event->type == EVENT_SNAPSHOT_MANAGED;
}

/* The first place whose event is not in front of @seq. */
static size_t place_of(const struct story *story, uint64_t seq)
{
	size_t low = 0, high = story->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (story_is_row(&story->events[middle]) || story->events[middle].seq >= seq)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

const struct stream_event *story_find(const struct story *story, uint64_t seq)
{
	size_t place = place_of(story, seq);

	if (place == story->count || story_is_row(&story->events[place]) ||
	    story->events[place].seq != seq)
		return NULL;
	return &story->events[place];
}

void story_keep(struct story *story, const struct stream_event *event)
{
	size_t place = story_is_row(event) ? story->count : place_of(story, event->seq);

	if (!story_is_row(event) && story_find(story, event->seq))
		return;
	if (story->count == story->room) {
		story->room = story->room ? story->room * 2 : 256;
		story->events = memory_grow(story->events, story->room, sizeof *story->events);
	}
	memmove(&story->events[place + 1], &story->events[place],
		(story->count - place) * sizeof *story->events);
	story->count++;
	story->events[place] = *event;
	keep_texts(story, &story->events[place]);
}

struct text story_newest(const struct story *story, struct text user)
{
	struct text newest = TEXT("");
	uint64_t epoch = 0;

	for (size_t i = 0; i < story->count; i++) {
		const struct stream_event *event = &story->events[i];

		if (event->stream_id.length > 0 && event->epoch >= epoch &&
		    text_equal(event->user_id, user)) {
			epoch = event->epoch;
			newest = event->stream_id;
		}
	}
	return newest;
}
