/* SPDX-License-Identifier: MIT */
#include "proto/list.h"

#include <assert.h>

#define HEADER 3 /* array16, so that the count can be filled in at the end */

void list_begin(struct list_writer *list, uint8_t *bytes, size_t size)
{
	assert(size >= HEADER);
	*list = (struct list_writer){ .bytes = bytes, .size = size, .length = HEADER };
}

static void put(struct list_writer *list, const void *bytes, size_t length)
{
	if (length > list->size - list->length) {
		list->full = true;
		return;
	}
	if (length > 0) /* an empty text may have no bytes at all */
		memcpy(list->bytes + list->length, bytes, length);
	list->length += length;
}

static void put_number(struct list_writer *list, uint8_t tag, uint64_t value, unsigned bytes)
{
	uint8_t out[9] = { tag };

	for (unsigned i = 0; i < bytes; i++)
		out[1 + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	put(list, out, 1 + bytes);
}

void list_put_u64(struct list_writer *list, uint64_t value)
{
	if (value < 0x80)
		put_number(list, (uint8_t)value, 0, 0);
	else if (value <= UINT8_MAX)
		put_number(list, 0xcc, value, 1);
	else if (value <= UINT16_MAX)
		put_number(list, 0xcd, value, 2);
	else if (value <= UINT32_MAX)
		put_number(list, 0xce, value, 4);
	else
		put_number(list, 0xcf, value, 8);
}

void list_put_text(struct list_writer *list, struct text text)
{
	if (text.length < 32)
		put_number(list, (uint8_t)(0xa0 | text.length), 0, 0);
	else if (text.length <= UINT8_MAX)
		put_number(list, 0xd9, text.length, 1);
	else if (text.length <= UINT16_MAX)
		put_number(list, 0xda, text.length, 2);
	else
		put_number(list, 0xdb, text.length, 4);
	put(list, text.bytes, text.length);
}

static bool finish(struct list_writer *list)
{
	if (list->full || list->count == UINT16_MAX) {
		list->length = list->member;
		list->full = false;
		return false;
	}
	list->count++;
	return true;
}

bool list_add_text(struct list_writer *list, struct text text)
{
	list->member = list->length;
	list_put_text(list, text);
	return finish(list);
}

bool list_add_u64(struct list_writer *list, uint64_t value)
{
	list->member = list->length;
	list_put_u64(list, value);
	return finish(list);
}

void list_open_member(struct list_writer *list, uint32_t count)
{
	assert(count < 16);
	list->member = list->length;
	put_number(list, (uint8_t)(0x90 | count), 0, 0);
}

bool list_close_member(struct list_writer *list)
{
	return finish(list);
}

struct text list_end(struct list_writer *list)
{
	list->bytes[0] = 0xdc;
	list->bytes[1] = (uint8_t)(list->count >> 8);
	list->bytes[2] = (uint8_t)list->count;
	return (struct text){ (const char *)list->bytes, (uint32_t)list->length };
}

bool list_read(struct text list, struct wire *wire, uint32_t *count)
{
	const uint8_t *bytes = (const uint8_t *)list.bytes;

	*wire = (struct wire){ bytes, list.length > 0 ? bytes + list.length : bytes };
	*count = 0;
	return list.length == 0 || wire_array(wire, count);
}
