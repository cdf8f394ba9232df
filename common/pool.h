/* SPDX-License-Identifier: MIT */
/* pool.h - texts that outlive a message: blocks of 16 bytes to 8 KiB in one region.
 *
 * Pure and bounded: the caller gives the region, nothing is ever asked of the system.  The
 * region is cut into pages of one block size each; an empty page can serve another size, so
 * long use does not fragment it, and pages never used cost no memory.  A dropped text stays
 * readable until pool_settle(): effects made in the same call may still borrow it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

#define POOL_PAGE_SIZE 65536
#define POOL_BLOCK_MIN 16
#define POOL_SIZES 10 /* 16, 32, ... 8192 bytes */
#define POOL_TEXT_MAX 8192
#define POOL_DROPPED_MAX 8192 /* drops between two pool_settle() */

/* A kept text; all zero: the empty text. */
struct pooled {
	uint32_t block; /* address in units of POOL_BLOCK_MIN, from 1 */
	uint32_t length;
};

struct pool_page {
	uint32_t next, previous; /* among the pages of a size that have room; page number + 1 */
	uint16_t used; /* blocks handed out */
	uint16_t touched; /* blocks ever handed out since the page took this size */
	uint16_t free; /* head of the freed blocks: index + 1 */
	uint16_t size; /* block size is POOL_BLOCK_MIN << size */
};

struct pool {
	uint8_t *region;
	struct pool_page *pages;
	uint32_t page_count, page_next; /* page_next: first page never used */
	uint32_t spare, spare_count; /* emptied pages */
	uint32_t with_room[POOL_SIZES];
	uint64_t used_bytes; /* in blocks handed out */
	uint32_t dropped_count;
	struct pooled dropped[POOL_DROPPED_MAX];
};

/* pool_init() - use @bytes bytes of @region, which is zeroed and aligned to 16. */
void pool_init(struct pool *pool, void *region, size_t bytes);

/* pool_keep() - copy @text; false, with @out untouched, if there is no room or it is too long. */
bool pool_keep(struct pool *pool, struct text text, struct pooled *out);

/* pool_text() - the kept text, borrowed until it is dropped and settled. */
struct text pool_text(const struct pool *pool, struct pooled kept);

/* pool_drop() - give @kept back at the next pool_settle(); @kept becomes the empty text. */
void pool_drop(struct pool *pool, struct pooled *kept);

/* pool_replace() - keep @text in place of *@kept; false, with *@kept as it was, if no room. */
bool pool_replace(struct pool *pool, struct text text, struct pooled *kept);

/* pool_settle() - really free what was dropped. */
void pool_settle(struct pool *pool);

/* pool_has_room() - whether texts of @bytes in all are certain to fit, whatever their sizes. */
bool pool_has_room(const struct pool *pool, size_t bytes);
