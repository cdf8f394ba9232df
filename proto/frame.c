/* SPDX-License-Identifier: MIT */
#include "proto/frame.h"

#include <assert.h>

#define COUNT_AT (FRAME_HEAD_SIZE - 2)

static void store_u64(uint8_t *to, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		to[i] = (uint8_t)value;
}

static uint64_t load_u64(const uint8_t *from)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | from[i];
	return value;
}

void frame_begin(struct frame_writer *frame, uint8_t *bytes, size_t size, const char *topic,
		 uint64_t incarnation, uint64_t first_seq)
{
	assert(size >= FRAME_HEAD_SIZE && strlen(topic) == FRAME_TOPIC_SIZE);
	*frame = (struct frame_writer){ .bytes = bytes, .size = size, .length = FRAME_HEAD_SIZE };
	memcpy(bytes, topic, FRAME_TOPIC_SIZE);
	store_u64(bytes + FRAME_TOPIC_SIZE, incarnation);
	store_u64(bytes + FRAME_TOPIC_SIZE + 8, first_seq);
	frame_end(frame);
}

bool frame_add(struct frame_writer *frame, const struct stream_event *event,
	       enum stream_event_form form)
{
	if (frame->count == UINT16_MAX)
		return false;
	ssize_t length = stream_event_encode(event, form, frame->bytes + frame->length,
					     frame->size - frame->length);
	if (length < 0)
		return false;
	frame->length += (size_t)length;
	frame->count++;
	return true;
}

void frame_end(struct frame_writer *frame)
{
	frame->bytes[COUNT_AT] = (uint8_t)(frame->count >> 8);
	frame->bytes[COUNT_AT + 1] = (uint8_t)frame->count;
}

bool frame_read(const uint8_t *bytes, size_t length, struct frame_head *head, struct wire *events)
{
	if (length < FRAME_HEAD_SIZE || length > FRAME_MAX)
		return false;
	memcpy(head->topic, bytes, FRAME_TOPIC_SIZE);
	head->incarnation = load_u64(bytes + FRAME_TOPIC_SIZE);
	head->first_seq = load_u64(bytes + FRAME_TOPIC_SIZE + 8);
	head->count = (uint16_t)(bytes[COUNT_AT] << 8 | bytes[COUNT_AT + 1]);
	*events = (struct wire){ bytes + FRAME_HEAD_SIZE, bytes + length };
	return true;
}
