/* SPDX-License-Identifier: MIT */
/* list.h - build and read the msgpack arrays that travel in LIST fields. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"
#include "proto/wire.h"

/* A list under construction in a caller's buffer.  A write that does not fit changes nothing
 * but @full, and makes list_end() leave that member out.
 */
struct list_writer {
	uint8_t *bytes;
	size_t size, length;
	size_t member; /* where the member being written began */
	uint32_t count;
	bool full;
};

/* list_begin() - start a list in @bytes; @size must be at least 3 bytes. */
void list_begin(struct list_writer *list, uint8_t *bytes, size_t size);

/* list_add_text(), list_add_u64() - append one scalar member; false if it did not fit. */
bool list_add_text(struct list_writer *list, struct text text);
bool list_add_u64(struct list_writer *list, uint64_t value);

/* list_open_member() - start a member that is itself an array of @count scalars: write them
 * with list_put_*(), then call list_close_member(), which returns false and leaves the list as
 * it was if they did not fit.
 */
void list_open_member(struct list_writer *list, uint32_t count);
void list_put_text(struct list_writer *list, struct text text);
void list_put_u64(struct list_writer *list, uint64_t value);
bool list_close_member(struct list_writer *list);

/* list_end() - the finished list, borrowed from the buffer.  More may be added afterwards. */
struct text list_end(struct list_writer *list);

/* list_read() - begin reading @list; false if it is not one.  An empty text is an empty list. */
bool list_read(struct text list, struct wire *wire, uint32_t *count);
