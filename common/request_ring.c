/* SPDX-License-Identifier: MIT */
#include "common/request_ring.h"

#include <assert.h>
#include <stdlib.h>

#include "common/frame_queue.h"

#define ANNOUNCEMENT (1u << 31)
#define BYTES_FIRST (16 * 1024)
#define ENTRIES_FIRST 256

void request_ring_init(struct request_ring *self, size_t entries_max, size_t bytes_max)
{
	*self = (struct request_ring){ .entries_max = entries_max, .bytes_max = bytes_max };
}

void request_ring_fini(struct request_ring *self)
{
	free(self->bytes);
	free(self->entries);
	request_ring_init(self, self->entries_max, self->bytes_max);
}

void request_ring_clear(struct request_ring *self)
{
	self->head = self->tail = self->sent_at = 0;
	self->first = self->count = self->sent = 0;
}

/* Both arrays may become twice their limit: what is kept is then moved to the front at most once
 * per limit's worth of requests, and a run of entries is always one piece of memory.
 */
static void *grow(void *memory, size_t *size, size_t first, size_t need, size_t max, size_t unit)
{
	size_t wanted = *size == 0 ? first : *size;

	while (wanted < need)
		wanted *= 2;
	if (wanted > 2 * max)
		wanted = 2 * max;
	if (wanted <= *size)
		return memory;
	void *grown = realloc(memory, wanted * unit);

	if (grown)
		*size = wanted;
	return grown;
}

static bool reserve_bytes(struct request_ring *self, size_t need)
{
	size_t used = self->tail - self->head;

	if (need > self->bytes_max || used > self->bytes_max - need)
		return false;
	if (need <= self->bytes_size - self->tail)
		return true;

	uint8_t *bytes = grow(self->bytes, &self->bytes_size, BYTES_FIRST, 2 * (used + need),
			      self->bytes_max, 1);

	if (!bytes)
		return false;
	self->bytes = bytes;
	if (need > self->bytes_size - self->tail) {
		memmove(bytes, bytes + self->head, used);
		self->sent_at -= self->head;
		self->head = 0;
		self->tail = used;
	}
	return true;
}

static bool reserve_entry(struct request_ring *self)
{
	if (self->count >= self->entries_max)
		return false;
	if (self->first + self->count < self->entries_size)
		return true;

	uint32_t *entries = grow(self->entries, &self->entries_size, ENTRIES_FIRST,
				 2 * (self->count + 1), self->entries_max, sizeof *entries);

	if (!entries)
		return false;
	self->entries = entries;
	if (self->first + self->count >= self->entries_size) {
		memmove(entries, entries + self->first, self->count * sizeof *entries);
		self->first = 0;
	}
	return true;
}

static void append(struct request_ring *self, size_t length, bool announcement)
{
	self->entries[self->first + self->count++] =
		(uint32_t)length | (announcement ? ANNOUNCEMENT : 0);
	self->tail += length;
}

bool request_ring_add(struct request_ring *self, const struct stream_event *event,
		      bool announcement)
{
	size_t need = stream_event_wire_max(event->type);

	if (!reserve_entry(self) || !reserve_bytes(self, need))
		return false;

	ssize_t length =
		stream_event_encode(event, STREAM_EVENT_ADDRESSED, self->bytes + self->tail, need);

	/* An event beyond its schema's limits is our own mistake. */
	assert(length > 0);
	append(self, (size_t)length, announcement);
	return true;
}

static size_t entry_length(const struct request_ring *self, size_t index)
{
	return self->entries[self->first + index] & ~ANNOUNCEMENT;
}

void request_ring_pop(struct request_ring *self, size_t count)
{
	assert(count <= self->count);
	for (size_t i = 0; i < count; i++)
		self->head += entry_length(self, i);
	self->first += count;
	self->count -= count;
	self->sent -= count < self->sent ? count : self->sent;
	if (self->sent == 0)
		self->sent_at = self->head;
	if (self->count == 0)
		request_ring_clear(self);
}

void request_ring_rewind(struct request_ring *self)
{
	self->sent = 0;
	self->sent_at = self->head;
}

size_t request_ring_move(struct request_ring *self, struct request_ring *from)
{
	size_t at = from->head, lost = 0;

	for (size_t i = 0; i < from->count; i++) {
		size_t length = entry_length(from, i);
		bool superseded = (from->entries[from->first + i] & ANNOUNCEMENT) != 0;

		/* Once one is lost, so is the rest: order is promised, and newest go first. */
		if (superseded) {
			at += length;
			continue;
		}
		if (lost > 0 || !reserve_entry(self) || !reserve_bytes(self, length)) {
			lost++;
		} else {
			memcpy(self->bytes + self->tail, from->bytes + at, length);
			append(self, length, false);
		}
		at += length;
	}
	request_ring_clear(from);
	return lost;
}

void request_ring_fill(const struct request_ring *self, struct frame_writer *frame, size_t upto)
{
	size_t at = self->sent_at;

	if (upto > self->count)
		upto = self->count;
	for (size_t i = self->sent; i < upto; i++) {
		size_t length = entry_length(self, i);

		if (frame->count > 0 && frame->length + length > FRAME_SHARE_MAX)
			break;
		assert(length <= frame->size - frame->length && frame->count < UINT16_MAX);
		memcpy(frame->bytes + frame->length, self->bytes + at, length);
		frame->length += length;
		frame->count++;
		at += length;
	}
	frame_end(frame);
}

void request_ring_sent(struct request_ring *self, const struct frame_writer *frame)
{
	self->sent += frame->count;
	self->sent_at += frame->length - FRAME_HEAD_SIZE;
}
