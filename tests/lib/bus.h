/* SPDX-License-Identifier: MIT */
/* bus.h - frames by hand, a record of what left, and a reproducible source of chance. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/actor.h"
#include "proto/frame.h"

#define BUS_FRAMES_MAX 4096

struct bus_frame {
	uint8_t *bytes;
	size_t length;
};

/* Frames in the order they left; owned. */
struct bus_line {
	struct bus_frame frames[BUS_FRAMES_MAX];
	size_t head, tail;
};

static inline void bus_put(struct bus_line *line, const uint8_t *bytes, size_t length)
{
	struct bus_frame frame = { malloc(length), length };

	if (line->tail - line->head == BUS_FRAMES_MAX || !frame.bytes)
		abort();
	memcpy(frame.bytes, bytes, length);
	line->frames[line->tail++ % BUS_FRAMES_MAX] = frame;
}

static inline size_t bus_count(const struct bus_line *line)
{
	return line->tail - line->head;
}

/* bus_take() - the oldest frame, now the caller's; length 0: none. */
static inline struct bus_frame bus_take(struct bus_line *line)
{
	if (line->head == line->tail)
		return (struct bus_frame){ 0 };
	return line->frames[line->head++ % BUS_FRAMES_MAX];
}

static inline void bus_drop(struct bus_line *line)
{
	while (bus_count(line) > 0)
		free(bus_take(line).bytes);
}

/* bus_frame_of() - one frame in @buffer; @from is stamped on every event.  Return: length. */
static inline size_t bus_frame_of(uint8_t *buffer, size_t size, const char *topic,
				  const char *source, uint64_t incarnation, uint64_t first,
				  const struct stream_event *events, size_t count)
{
	struct frame_writer frame;

	frame_begin(&frame, buffer, size, topic, incarnation, first);
	for (size_t i = 0; i < count; i++) {
		struct stream_event event = events[i];

		event.source = text_of(source);
		event.incarnation = incarnation;
		if (!frame_add(&frame, &event, STREAM_EVENT_ADDRESSED))
			abort();
	}
	frame_end(&frame);
	return frame.length;
}

/* An event of a newer build: a number that no schema has. */
#define BUS_UNKNOWN "\x92\x01\xcd\xea\x60"
#define BUS_GARBAGE "\xc1" /* never used in msgpack */

/* bus_frame_raw() - a frame that says it has @count events, which are the bytes of @events. */
static inline size_t bus_frame_raw(uint8_t *buffer, size_t size, const char *topic,
				   uint64_t incarnation, uint64_t first, uint16_t count,
				   const char *events)
{
	struct frame_writer frame;
	size_t length = strlen(events);

	frame_begin(&frame, buffer, size, topic, incarnation, first);
	if (length > size - frame.length)
		abort();
	memcpy(frame.bytes + frame.length, events, length);
	frame.count = count;
	frame_end(&frame);
	return frame.length + length;
}

/* bus_read() - the events of a frame, which they borrow from; it must be one.  Return: count. */
static inline size_t bus_read(const struct bus_frame *frame, struct frame_head *head,
			      struct stream_event *events, size_t max)
{
	struct wire wire;

	if (!frame_read(frame->bytes, frame->length, head, &wire) || head->count > max)
		abort();
	for (size_t i = 0; i < head->count; i++)
		if (stream_event_read(&wire, &events[i]) != 0)
			abort();
	if (wire.at != wire.end)
		abort();
	return head->count;
}

/* splitmix64: same seed, same run, on every machine. */
static inline uint64_t chance_next(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline bool chance(uint64_t *seed, unsigned percent)
{
	return chance_next(seed) % 100 < percent;
}

static inline unsigned chance_of(uint64_t *seed, unsigned count)
{
	return (unsigned)(chance_next(seed) % count);
}
