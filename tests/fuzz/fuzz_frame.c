/* SPDX-License-Identifier: MIT */
/* Properties: a frame that reads, written again event by event, reads to the same JSON texts under
 * the same head; a buffer too small for it holds its first events, whole.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/frame.h"

#define EVENTS_MAX 64 /* compared of one frame */
#define TEXT_SIZE (8 * STREAM_EVENT_RELAY_WIRE_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct stream_event events[EVENTS_MAX];

/* The events this build knows.  Return: their number, or -1 if the frame is not one. */
static int read_all(const uint8_t *bytes, size_t length, struct frame_head *head)
{
	struct wire wire;
	int known = 0;

	if (!frame_read(bytes, length, head, &wire))
		return -1;
	for (uint16_t i = 0; i < head->count; i++) {
		struct stream_event event;
		int r = stream_event_read(&wire, &event);

		assert(wire.at <= wire.end);
		if (r == STREAM_EVENT_E_MALFORMED)
			return -1;
		if (r == 0 && known < EVENTS_MAX)
			events[known++] = event;
	}
	return wire.at == wire.end ? known : -1;
}

static size_t write_all(const struct frame_head *head, int count, uint8_t *bytes, size_t size)
{
	struct frame_writer frame;
	char topic[FRAME_TOPIC_SIZE + 1] = "";

	memcpy(topic, head->topic, FRAME_TOPIC_SIZE);
	if (strlen(topic) != FRAME_TOPIC_SIZE)
		memcpy(topic, TOPIC_DIRECT, FRAME_TOPIC_SIZE);
	frame_begin(&frame, bytes, size, topic, head->incarnation, head->first_seq);
	for (int i = 0; i < count; i++)
		if (!frame_add(&frame, &events[i], STREAM_EVENT_ADDRESSED))
			break;
	frame_end(&frame);
	assert(frame.length <= size);
	return frame.length;
}

static void compare(const uint8_t *bytes, size_t length, const struct frame_head *head, int count)
{
	static char expected[TEXT_SIZE], actual[TEXT_SIZE];
	struct stream_event again;
	struct frame_head head_again;
	struct wire wire;

	assert(frame_read(bytes, length, &head_again, &wire));
	assert(head_again.incarnation == head->incarnation &&
	       head_again.first_seq == head->first_seq && head_again.count <= count);
	for (int i = 0; i < head_again.count; i++) {
		assert(stream_event_read(&wire, &again) == 0);
		assert(stream_event_json(&events[i], expected, sizeof expected) > 0);
		assert(stream_event_json(&again, actual, sizeof actual) > 0);
		assert(strcmp(expected, actual) == 0);
	}
	assert(wire.at == wire.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[EVENTS_MAX * STREAM_EVENT_RELAY_WIRE_MAX];
	struct frame_head head;
	int count = read_all(data, size, &head);

	if (count < 0)
		return 0;
	size_t length = write_all(&head, count, bytes, sizeof bytes);

	assert(((bytes[FRAME_HEAD_SIZE - 2] << 8) | bytes[FRAME_HEAD_SIZE - 1]) == count);
	if (length <= FRAME_MAX)
		compare(bytes, length, &head, count);
	/* Half the room: the events that fit, and no stump of the next one. */
	size_t half = FRAME_HEAD_SIZE + (length - FRAME_HEAD_SIZE) / 2;
	uint8_t *small = malloc(half);

	assert(small);
	length = write_all(&head, count, small, half);
	if (length <= FRAME_MAX)
		compare(small, length, &head, count);
	free(small);
	return 0;
}
