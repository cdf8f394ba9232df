/* SPDX-License-Identifier: MIT */
/* frame_queue.h - a bounded queue of frames, built event by event.  Pure.
 *
 * Events are encoded as they come and share a frame as long as they may: same tag, numbers
 * without a gap, FRAME_SHARE_MAX bytes.  Memory grows on demand and is kept, so that a steady
 * flow allocates nothing.
 */
#pragma once

#include "proto/frame.h"

#define FRAME_SHARE_MAX (64 * 1024) /* bytes; only a single event makes a frame longer */

/* The head of the frame that an event belongs to. */
struct frame_address {
	const char *topic;
	uint64_t incarnation;
	uint64_t number; /* of the event; 0: frames are not numbered */
	uint64_t tag; /* events of different tags do not share a frame */
};

struct frame_queue {
	uint8_t *bytes;
	size_t size, limit; /* bytes there are, bytes there may be */
	size_t head, tail; /* records lie in between */
	size_t open; /* record that still takes events; FRAME_QUEUE_NONE */
	uint64_t next_number, open_tag;
	uint16_t open_count;
};

#define FRAME_QUEUE_NONE SIZE_MAX

/* frame_queue_init() - an empty queue of at most @limit bytes; allocates nothing yet. */
void frame_queue_init(struct frame_queue *self, size_t limit);
void frame_queue_fini(struct frame_queue *self);

/* frame_queue_reserve() - ask for all the memory there may be at once, for who cannot do without;
 * false, with the queue unchanged, if there is none.
 */
bool frame_queue_reserve(struct frame_queue *self);

/* frame_queue_add() - append @event; false, with the queue unchanged, if it is full. */
bool frame_queue_add(struct frame_queue *self, const struct frame_address *address,
		     const struct stream_event *event, enum stream_event_form form);

/* frame_queue_add_empty() - append a frame without events; false if the queue is full. */
bool frame_queue_add_empty(struct frame_queue *self, const struct frame_address *address);

/* frame_queue_add_copy() - append a finished frame as it is; false if the queue is full. */
bool frame_queue_add_copy(struct frame_queue *self, const uint8_t *frame, size_t length);

/* frame_queue_close() - the next event begins another frame. */
void frame_queue_close(struct frame_queue *self);

/* frame_queue_front() - the oldest frame, finished, borrowed until the queue changes.
 *
 * Return: false if there is none.
 */
bool frame_queue_front(struct frame_queue *self, const uint8_t **frame, size_t *length,
		       uint64_t *tag);
void frame_queue_pop(struct frame_queue *self);

bool frame_queue_is_empty(const struct frame_queue *self);
size_t frame_queue_length(const struct frame_queue *self); /* bytes */
void frame_queue_clear(struct frame_queue *self);
