/* SPDX-License-Identifier: MIT */
#include "common/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/stream_event_table.h"

/* What one input may cause: its effects, each with texts that fit a frame. */
#define INPUT_TEXT_MAX ((size_t)EFFECTS_MAX * STREAM_EVENT_WIRE_MAX)

_Static_assert(OUTBOX_KEPT_MAX >= 2 * EFFECTS_MAX, "room for more than one input");
_Static_assert(OUTBOX_KEPT_BYTES >= (size_t)EFFECTS_MAX * STREAM_EVENT_WIRE_MAX,
	       "room for one input");
_Static_assert(OUTBOX_STORY_MAX >= 2 * OUTBOX_KEPT_BYTES, "the story is bounded by what is kept");

int outbox_init(struct outbox *self, const struct outbox_options *options)
{
	*self = (struct outbox){ .options = *options, .ops_next = 1, .beacon_ms = INT64_MAX };
	frame_queue_init(&self->story, OUTBOX_STORY_MAX);
	frame_queue_init(&self->ops, OUTBOX_OPS_MAX);
	/* Large, but only touched as far as passes are large. */
	if (!frame_queue_reserve(&self->story))
		return -ENOMEM;
	if (!options->store)
		return 0;
	self->kept = malloc(OUTBOX_KEPT_MAX * sizeof *self->kept);
	self->kept_list = malloc(OUTBOX_KEPT_MAX * sizeof(struct stream_event *));
	self->text = malloc(OUTBOX_KEPT_BYTES);
	return self->kept && self->kept_list && self->text ? 0 : -ENOMEM;
}

void outbox_fini(struct outbox *self)
{
	frame_queue_fini(&self->story);
	frame_queue_fini(&self->ops);
	free(self->kept);
	free((void *)self->kept_list);
	free(self->text);
	self->kept = NULL;
	self->kept_list = NULL;
	self->text = NULL;
}

void outbox_begin_story(struct outbox *self, uint64_t next)
{
	self->story_next = next;
	if (self->options.beacons)
		self->beacon_ms = 0;
}

bool outbox_has_room(const struct outbox *self)
{
	if (frame_queue_length(&self->story) + INPUT_TEXT_MAX > OUTBOX_STORY_MAX)
		return false;
	return !self->options.store || (self->kept_count + EFFECTS_MAX <= OUTBOX_KEPT_MAX &&
					self->text_used + INPUT_TEXT_MAX <= OUTBOX_KEPT_BYTES);
}

/* Copy @event with its texts: the core's memory may change before the commit. */
static void keep(struct outbox *self, const struct stream_event *event)
{
	const struct schema *schema = stream_event_schema(event->type);
	struct stream_event *copy = &self->kept[self->kept_count];

	assert(schema && self->kept_count < OUTBOX_KEPT_MAX);
	*copy = *event;
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		struct text *text;

		if (!field_is_text(field))
			continue;
		text = (struct text *)(void *)((char *)copy + field->offset);
		if (text->length == 0)
			continue;
		assert(text->length <= OUTBOX_KEPT_BYTES - self->text_used);
		memcpy(self->text + self->text_used, text->bytes, text->length);
		text->bytes = self->text + self->text_used;
		self->text_used += text->length;
	}
	self->kept_list[self->kept_count++] = copy;
}

/* What has been done already and is only put on record: nobody's next step waits for it. */
static bool is_patient(enum stream_event_type type)
{
	return type == EVENT_STREAM_TOLD || type == EVENT_STREAM_STOP_SETTLED ||
	       type == EVENT_STREAM_INPUT_SETTLED || type == EVENT_STREAM_MOVED;
}

void outbox_story(struct outbox *self, const struct stream_event *event)
{
	const struct frame_address address = { .topic = TOPIC_STORY,
					       .incarnation = self->options.incarnation,
					       .number = event->seq };

	/* A hole of our own making would send every follower for a snapshot, again and again. */
	assert(event->seq != 0 && (self->story_next == 0 || event->seq == self->story_next));
	if (self->story_next == 0)
		outbox_begin_story(self, event->seq);
	self->story_next = event->seq + 1;

	bool added = frame_queue_add(&self->story, &address, event, STREAM_EVENT_PUBLIC);

	assert(added);
	if (self->options.store)
		keep(self, event);
	self->pressing = self->pressing || !is_patient((enum stream_event_type)event->type);
	self->stats.story++;
}

void outbox_ops(struct outbox *self, struct stream_event *event)
{
	const struct frame_address address = { .topic = TOPIC_OPS,
					       .incarnation = self->options.incarnation,
					       .number = self->ops_next };

	event->seq = self->ops_next++;
	if (self->deaf)
		return;
	if (frame_queue_add(&self->ops, &address, event, STREAM_EVENT_PUBLIC))
		self->stats.ops++;
	else
		self->stats.ops_dropped++;
}

bool outbox_is_stored(const struct outbox *self)
{
	return self->kept_count == 0;
}

bool outbox_is_pressing(const struct outbox *self)
{
	return self->pressing;
}

int outbox_commit(struct outbox *self, const struct peer_mark *marks, size_t mark_count)
{
	int r;

	if (outbox_is_stored(self))
		return 0;
	r = self->options.store->commit(self->options.store->context, self->kept_list,
					self->kept_count, marks, mark_count);
	if (r < 0)
		return r;
	self->kept_count = 0;
	self->text_used = 0;
	self->pressing = false;
	self->stats.commits++;
	return 0;
}

static void publish(struct outbox *self, struct frame_queue *queue)
{
	const uint8_t *frame;
	size_t length;
	uint64_t tag;

	while (frame_queue_front(queue, &frame, &length, &tag)) {
		self->options.publish(self->options.context, frame, length);
		self->stats.frames++;
		frame_queue_pop(queue);
	}
}

void outbox_flush(struct outbox *self, int64_t now_ms)
{
	assert(outbox_is_stored(self));
	if (self->beacon_ms <= now_ms) {
		const struct frame_address address = { .topic = TOPIC_STORY,
						       .incarnation = self->options.incarnation,
						       .number = self->story_next };

		/* Without room there is so much story that nobody needs a beacon. */
		(void)frame_queue_add_empty(&self->story, &address);
		self->beacon_ms = now_ms + OUTBOX_BEACON_MS;
	}
	publish(self, &self->story);
	publish(self, &self->ops);
}

int64_t outbox_deadline(const struct outbox *self)
{
	return self->beacon_ms;
}
