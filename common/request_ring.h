/* SPDX-License-Identifier: MIT */
/* request_ring.h - requests kept, encoded and in order, until they are acknowledged.  Pure.
 *
 * Entries are numbered by their place: the first one is 0.  The ring remembers how many of them
 * have been sent; going back means sending from the first one again.
 */
#pragma once

#include "proto/frame.h"

struct request_ring {
	uint8_t *bytes;
	size_t bytes_size, bytes_max;
	size_t head, tail; /* encoded entries lie in between, back to back */
	size_t sent_at; /* offset of the first entry not sent */
	uint32_t *entries; /* length; the top bit marks announcements */
	size_t entries_size, entries_max;
	size_t first, count; /* entries[first], @count of them */
	size_t sent; /* of them */
};

/* request_ring_init() - an empty ring with its limits; allocates nothing yet. */
void request_ring_init(struct request_ring *self, size_t entries_max, size_t bytes_max);
void request_ring_fini(struct request_ring *self);

/* request_ring_add() - append @event; false if a limit is reached or memory is short. */
bool request_ring_add(struct request_ring *self, const struct stream_event *event,
		      bool announcement);

/* request_ring_pop() - forget the first @count entries. */
void request_ring_pop(struct request_ring *self, size_t count);

/* request_ring_rewind() - nothing counts as sent any more. */
void request_ring_rewind(struct request_ring *self);

/* request_ring_clear() - forget everything; the memory is kept. */
void request_ring_clear(struct request_ring *self);

/* request_ring_move() - append the entries of @from that are no announcements, and clear it.
 *
 * Return: how many did not fit and are lost.
 */
size_t request_ring_move(struct request_ring *self, struct request_ring *from);

/* request_ring_fill() - add to @frame the next entries to be sent, up to the @upto-th.
 *
 * @frame is filled to FRAME_SHARE_MAX, or holds one entry that is longer.  They count as sent
 * only after request_ring_sent().
 */
void request_ring_fill(const struct request_ring *self, struct frame_writer *frame, size_t upto);
void request_ring_sent(struct request_ring *self, const struct frame_writer *frame);
