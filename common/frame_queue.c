/* SPDX-License-Identifier: MIT */
#include "common/frame_queue.h"

#include <assert.h>
#include <stdlib.h>

#define SIZE_FIRST (16 * 1024)

/* In front of every frame; copied in and out because frames have any length. */
struct record {
	uint64_t tag;
	uint32_t length; /* of the frame */
};

#define RECORD_SIZE (sizeof(struct record))

void frame_queue_init(struct frame_queue *self, size_t limit)
{
	*self = (struct frame_queue){ .limit = limit, .open = FRAME_QUEUE_NONE };
}

void frame_queue_fini(struct frame_queue *self)
{
	free(self->bytes);
	frame_queue_init(self, self->limit);
}

void frame_queue_clear(struct frame_queue *self)
{
	self->head = self->tail = 0;
	self->open = FRAME_QUEUE_NONE;
}

bool frame_queue_is_empty(const struct frame_queue *self)
{
	return self->head == self->tail;
}

size_t frame_queue_length(const struct frame_queue *self)
{
	return self->tail - self->head;
}

/* Make room for @need bytes behind the tail: move what there is, or grow. */
static bool reserve(struct frame_queue *self, size_t need)
{
	size_t used = self->tail - self->head;

	if (need > self->limit || used > self->limit - need)
		return false;
	if (need <= self->size - self->tail)
		return true;
	if (used + need > self->size || self->head < self->size / 2) {
		size_t size = self->size == 0 ? SIZE_FIRST : self->size * 2;

		while (size < used + need)
			size *= 2;
		/* Twice the limit, so that moving down happens at most once per limit's worth. */
		if (size > 2 * self->limit)
			size = 2 * self->limit;
		uint8_t *bytes = realloc(self->bytes, size);

		if (!bytes)
			return false;
		self->bytes = bytes;
		self->size = size;
	}
	if (need > self->size - self->tail) {
		memmove(self->bytes, self->bytes + self->head, used);
		if (self->open != FRAME_QUEUE_NONE)
			self->open -= self->head;
		self->head = 0;
		self->tail = used;
	}
	return true;
}

bool frame_queue_reserve(struct frame_queue *self)
{
	uint8_t *bytes = realloc(self->bytes, 2 * self->limit);

	if (!bytes)
		return false;
	self->bytes = bytes;
	self->size = 2 * self->limit;
	return true;
}

static void put_record(struct frame_queue *self, size_t at, uint64_t tag, size_t length)
{
	const struct record record = { .tag = tag, .length = (uint32_t)length };

	memcpy(self->bytes + at, &record, RECORD_SIZE);
}

/* A writer that stands where the open frame ends. */
static struct frame_writer writer_of(struct frame_queue *self)
{
	size_t start = self->open + RECORD_SIZE;

	return (struct frame_writer){ .bytes = self->bytes + start,
				      .size = self->size - start,
				      .length = self->tail - start,
				      .count = self->open_count };
}

static void begin(struct frame_queue *self, const struct frame_address *address)
{
	struct frame_writer writer;

	frame_queue_close(self);
	self->open = self->tail;
	frame_begin(&writer, self->bytes + self->open + RECORD_SIZE,
		    self->size - self->open - RECORD_SIZE, address->topic, address->incarnation,
		    address->number);
	self->tail = self->open + RECORD_SIZE + FRAME_HEAD_SIZE;
	self->open_tag = address->tag;
	self->open_count = 0;
	self->next_number = address->number;
}

void frame_queue_close(struct frame_queue *self)
{
	if (self->open == FRAME_QUEUE_NONE)
		return;
	struct frame_writer writer = writer_of(self);

	frame_end(&writer);
	put_record(self, self->open, self->open_tag, writer.length);
	self->open = FRAME_QUEUE_NONE;
}

/* The event at @start made the open frame too long: give it a frame of its own. */
static void split(struct frame_queue *self, const struct frame_address *address, size_t start)
{
	size_t length = self->tail - start;

	memmove(self->bytes + start + RECORD_SIZE + FRAME_HEAD_SIZE, self->bytes + start, length);
	self->tail = start;
	begin(self, address);
	self->tail += length;
}

bool frame_queue_add(struct frame_queue *self, const struct frame_address *address,
		     const struct stream_event *event, enum stream_event_form form)
{
	size_t need = stream_event_wire_max(event->type) + 2 * (RECORD_SIZE + FRAME_HEAD_SIZE);
	/* Bytes end a frame long before its count does. */
	bool joins = self->open != FRAME_QUEUE_NONE && self->open_tag == address->tag &&
		     self->next_number == address->number;

	if (!reserve(self, need))
		return false;
	if (!joins)
		begin(self, address);

	struct frame_writer writer = writer_of(self);
	size_t start = self->tail;
	bool shared = writer.count > 0;
	/* An event beyond its schema's limits is our own mistake. */
	bool added = frame_add(&writer, event, form);

	assert(added);
	self->tail = self->open + RECORD_SIZE + writer.length;
	if (shared && writer.length > FRAME_SHARE_MAX)
		split(self, address, start);
	self->open_count++;
	if (address->number != 0)
		self->next_number = address->number + 1;
	return true;
}

bool frame_queue_add_empty(struct frame_queue *self, const struct frame_address *address)
{
	if (!reserve(self, RECORD_SIZE + FRAME_HEAD_SIZE))
		return false;
	begin(self, address);
	frame_queue_close(self);
	return true;
}

bool frame_queue_add_copy(struct frame_queue *self, const uint8_t *frame, size_t length)
{
	if (!reserve(self, RECORD_SIZE + length))
		return false;
	frame_queue_close(self);
	put_record(self, self->tail, 0, length);
	memcpy(self->bytes + self->tail + RECORD_SIZE, frame, length);
	self->tail += RECORD_SIZE + length;
	return true;
}

bool frame_queue_front(struct frame_queue *self, const uint8_t **frame, size_t *length,
		       uint64_t *tag)
{
	struct record record;

	if (self->head == self->tail)
		return false;
	if (self->open == self->head)
		frame_queue_close(self);
	memcpy(&record, self->bytes + self->head, RECORD_SIZE);
	*frame = self->bytes + self->head + RECORD_SIZE;
	*length = record.length;
	*tag = record.tag;
	return true;
}

void frame_queue_pop(struct frame_queue *self)
{
	struct record record;

	assert(self->head < self->tail && self->open != self->head);
	memcpy(&record, self->bytes + self->head, RECORD_SIZE);
	self->head += RECORD_SIZE + record.length;
	if (self->head == self->tail)
		frame_queue_clear(self);
}
