/* SPDX-License-Identifier: MIT */
/* Goal: a frame is a head and whole events, in every size of buffer.  Method: golden bytes, frames
 * of every size with and without room, and what a peer may send instead.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "proto/frame.h"
#include "tests/lib/samples.h"

static uint8_t bytes[FRAME_MAX + 1];
static struct stream_event in, out;

Test(frame, golden)
{
	static const char golden[] = "ops     "
				     "\x01\x02\x03\x04\x05\x06\x07\x08"
				     "\x00\x00\x00\x00\x00\x00\x01\x2c"
				     "\x00\x02";
	struct frame_writer frame;
	struct frame_head head;
	struct wire events;

	frame_begin(&frame, bytes, sizeof bytes, TOPIC_OPS, 0x0102030405060708, 300);
	sample_event(EVENT_ACTOR_STOPPED, SAMPLE_EMPTY, &in);
	cr_assert(frame_add(&frame, &in, STREAM_EVENT_PUBLIC));
	cr_assert(frame_add(&frame, &in, STREAM_EVENT_PUBLIC));
	frame_end(&frame);
	cr_assert_eq(sizeof golden - 1, FRAME_HEAD_SIZE);
	cr_assert_arr_eq(bytes, golden, FRAME_HEAD_SIZE);
	/* [1, 171, "", 0, 0, 0, 0, 0, 0, "", "", 0, 0, 0] */
	cr_assert_eq(frame.length, FRAME_HEAD_SIZE + 2 * 16);
	cr_assert_arr_eq(bytes + FRAME_HEAD_SIZE, "\x9e\x01\xcc\xab\xa0\0\0\0\0\0\0\xa0\xa0\0\0\0",
			 16);
	cr_assert(frame_read(bytes, frame.length, &head, &events));
	cr_assert_arr_eq(head.topic, TOPIC_OPS, FRAME_TOPIC_SIZE);
	cr_assert_eq(head.incarnation, 0x0102030405060708);
	cr_assert_eq(head.first_seq, 300);
	cr_assert_eq(head.count, 2);
}

Test(frame, topics_have_one_size_and_differ_at_the_front)
{
	static const char *const topics[] = { TOPIC_STORY, TOPIC_OPS, TOPIC_DIRECT, TOPIC_WELCOME };

	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(strlen(topics[i]), FRAME_TOPIC_SIZE);
		for (size_t j = 0; j < i; j++)
			cr_assert_neq(strcmp(topics[i], topics[j]), 0);
	}
}

Test(frame, a_beacon_is_a_head)
{
	struct frame_writer frame;
	struct frame_head head;
	struct wire events;

	frame_begin(&frame, bytes, FRAME_HEAD_SIZE, TOPIC_STORY, UINT64_MAX, UINT64_MAX);
	sample_event(EVENT_ACTOR_STOPPED, SAMPLE_EMPTY, &in);
	cr_assert(!frame_add(&frame, &in, STREAM_EVENT_PUBLIC));
	frame_end(&frame);
	cr_assert_eq(frame.length, FRAME_HEAD_SIZE);
	cr_assert(frame_read(bytes, frame.length, &head, &events));
	cr_assert_eq(head.count, 0);
	cr_assert_eq(head.incarnation, UINT64_MAX);
	cr_assert_eq(head.first_seq, UINT64_MAX);
	cr_assert_eq(events.at, events.end);
}

#define EACH_TYPE(type) \
	for (enum stream_event_type type = EVENT_NONE; ((type) = sample_next(type)) != EVENT_NONE;)

/* In every size of buffer: as many whole events as fit, in order, and nothing of the next one. */
Test(frame, holds_what_fits, .timeout = 60)
{
	for (size_t size = FRAME_HEAD_SIZE; size < FRAME_HEAD_SIZE + 3000; size++) {
		struct frame_writer frame;
		struct frame_head head;
		struct wire events;
		uint16_t added = 0;

		bytes[size] = 0x5a;
		frame_begin(&frame, bytes, size, TOPIC_DIRECT, 1, 1);
		EACH_TYPE(type)
		{
			sample_event(type, SAMPLE_SMALL, &in);
			if (!frame_add(&frame, &in, STREAM_EVENT_ADDRESSED))
				break;
			added++;
		}
		frame_end(&frame);
		cr_assert_leq(frame.length, size);
		cr_assert_eq(bytes[size], 0x5a);
		cr_assert(frame_read(bytes, frame.length, &head, &events));
		cr_assert_eq(head.count, added);
		EACH_TYPE(type)
		{
			if (added-- == 0)
				break;
			sample_event(type, SAMPLE_SMALL, &in);
			cr_assert_eq(stream_event_read(&events, &out), 0);
			cr_assert(sample_same(&in, &out));
		}
		cr_assert_eq(events.at, events.end);
	}
}

Test(frame, counts_up_to_65535_events)
{
	size_t size = FRAME_HEAD_SIZE + 65536 * 16;
	uint8_t *large = malloc(size);
	struct frame_writer frame;

	sample_event(EVENT_ACTOR_STOPPED, SAMPLE_EMPTY, &in);
	frame_begin(&frame, large, size, TOPIC_DIRECT, 1, 1);
	for (int i = 0; i < 65535; i++)
		cr_assert(frame_add(&frame, &in, STREAM_EVENT_ADDRESSED));
	cr_assert(!frame_add(&frame, &in, STREAM_EVENT_ADDRESSED));
	frame_end(&frame);
	cr_assert_eq(large[FRAME_HEAD_SIZE - 2], 0xff);
	cr_assert_eq(large[FRAME_HEAD_SIZE - 1], 0xff);
	free(large);
}

Test(frame, a_short_or_oversize_message_is_none)
{
	struct frame_head head = { .count = 7 };
	struct wire events;

	for (size_t length = 0; length < FRAME_HEAD_SIZE; length++) {
		uint8_t *copy = calloc(1, length + 1);

		cr_assert(!frame_read(copy, length, &head, &events));
		free(copy);
	}
	cr_assert(!frame_read(bytes, FRAME_MAX + 1, &head, &events));
	cr_assert_eq(head.count, 7);
	cr_assert(frame_read(bytes, FRAME_MAX, &head, &events));
}

/* Every event fits into a frame of its own, full. */
Test(frame, the_largest_event_fits)
{
	EACH_TYPE(type)
	{
		struct frame_writer frame;

		sample_event(type, SAMPLE_FULL, &in);
		frame_begin(&frame, bytes, FRAME_HEAD_SIZE + stream_event_wire_max(type),
			    TOPIC_DIRECT, 1, 1);
		cr_assert_leq(FRAME_HEAD_SIZE + stream_event_wire_max(type), FRAME_MAX);
		cr_assert(frame_add(&frame, &in, STREAM_EVENT_ADDRESSED), "%s",
			  stream_event_name(type));
	}
}
