/* SPDX-License-Identifier: MIT */
#include "common/pool.h"

#include <assert.h>

#define UNITS_PER_PAGE (POOL_PAGE_SIZE / POOL_BLOCK_MIN)

static unsigned size_of(uint32_t length)
{
	unsigned size = 0;

	while (((uint32_t)POOL_BLOCK_MIN << size) < length)
		size++;
	return size;
}

static uint32_t bytes_of(unsigned size)
{
	return (uint32_t)POOL_BLOCK_MIN << size;
}

static uint8_t *block_bytes(const struct pool *pool, uint32_t block)
{
	return pool->region + (size_t)(block - 1) * POOL_BLOCK_MIN;
}

void pool_init(struct pool *pool, void *region, size_t bytes)
{
	assert(((uintptr_t)region & (POOL_BLOCK_MIN - 1)) == 0);
	size_t pages = bytes / (POOL_PAGE_SIZE + sizeof(struct pool_page));

	assert(pages > POOL_SIZES && pages < UINT32_MAX / UNITS_PER_PAGE);
	memset(pool, 0, sizeof *pool);
	pool->region = region;
	/* The page table stands behind the pages: they keep their alignment. */
	pool->pages = (struct pool_page *)(pool->region + pages * POOL_PAGE_SIZE);
	pool->page_count = (uint32_t)pages;
}

static void room_add(struct pool *pool, uint32_t number)
{
	struct pool_page *page = &pool->pages[number - 1];
	uint32_t *head = &pool->with_room[page->size];

	page->previous = 0;
	page->next = *head;
	if (*head)
		pool->pages[*head - 1].previous = number;
	*head = number;
}

static void room_remove(struct pool *pool, uint32_t number)
{
	struct pool_page *page = &pool->pages[number - 1];

	if (page->previous)
		pool->pages[page->previous - 1].next = page->next;
	else
		pool->with_room[page->size] = page->next;
	if (page->next)
		pool->pages[page->next - 1].previous = page->previous;
}

/* An emptied page before a fresh one: fresh pages cost memory. */
static uint32_t page_take(struct pool *pool, unsigned size)
{
	uint32_t number;

	if (pool->spare) {
		number = pool->spare;
		pool->spare = pool->pages[number - 1].next;
		pool->spare_count--;
	} else if (pool->page_next < pool->page_count) {
		number = ++pool->page_next;
	} else {
		return 0;
	}
	pool->pages[number - 1] = (struct pool_page){ .size = (uint16_t)size };
	room_add(pool, number);
	return number;
}

static uint32_t block_take(struct pool *pool, unsigned size)
{
	uint32_t number = pool->with_room[size] ? pool->with_room[size] : page_take(pool, size);

	if (!number)
		return 0;
	struct pool_page *page = &pool->pages[number - 1];
	uint32_t index;

	if (page->free) {
		index = page->free - 1u;
		memcpy(&page->free,
		       pool->region + (size_t)(number - 1) * POOL_PAGE_SIZE +
			       (size_t)index * bytes_of(size),
		       sizeof page->free);
	} else {
		index = page->touched++;
	}
	page->used++;
	if (!page->free && page->touched == POOL_PAGE_SIZE / bytes_of(size))
		room_remove(pool, number);
	return (number - 1) * UNITS_PER_PAGE + (index << size) + 1;
}

static void block_free(struct pool *pool, uint32_t block)
{
	uint32_t number = (block - 1) / UNITS_PER_PAGE + 1;
	struct pool_page *page = &pool->pages[number - 1];
	bool had_room = page->free || page->touched < POOL_PAGE_SIZE / bytes_of(page->size);

	memcpy(block_bytes(pool, block), &page->free, sizeof page->free);
	page->free = (uint16_t)((((block - 1) % UNITS_PER_PAGE) >> page->size) + 1);
	page->used--;
	if (!had_room)
		room_add(pool, number);
	if (page->used > 0)
		return;
	room_remove(pool, number);
	page->next = pool->spare;
	pool->spare = number;
	pool->spare_count++;
}

bool pool_keep(struct pool *pool, struct text text, struct pooled *out)
{
	if (text.length > POOL_TEXT_MAX)
		return false;
	if (text.length == 0) {
		*out = (struct pooled){ 0 };
		return true;
	}
	unsigned size = size_of(text.length);
	uint32_t block = block_take(pool, size);

	if (!block)
		return false;
	memcpy(block_bytes(pool, block), text.bytes, text.length);
	pool->used_bytes += bytes_of(size);
	*out = (struct pooled){ block, text.length };
	return true;
}

struct text pool_text(const struct pool *pool, struct pooled kept)
{
	if (kept.length == 0)
		return (struct text){ "", 0 };
	return (struct text){ (const char *)block_bytes(pool, kept.block), kept.length };
}

void pool_drop(struct pool *pool, struct pooled *kept)
{
	if (kept->length > 0) {
		assert(pool->dropped_count < POOL_DROPPED_MAX);
		pool->dropped[pool->dropped_count++] = *kept;
	}
	*kept = (struct pooled){ 0 };
}

bool pool_replace(struct pool *pool, struct text text, struct pooled *kept)
{
	struct pooled fresh;

	if (text_equal(pool_text(pool, *kept), text))
		return true;
	if (!pool_keep(pool, text, &fresh))
		return false;
	pool_drop(pool, kept);
	*kept = fresh;
	return true;
}

void pool_settle(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->dropped_count; i++) {
		pool->used_bytes -= bytes_of(size_of(pool->dropped[i].length));
		block_free(pool, pool->dropped[i].block);
	}
	pool->dropped_count = 0;
}

/* A text of one byte takes a whole block, the worst there is; and every size may need one page of
 * its own.
 */
bool pool_has_room(const struct pool *pool, size_t bytes)
{
	uint64_t pages = pool->spare_count + (pool->page_count - pool->page_next);

	return pages >= POOL_SIZES + POOL_BLOCK_MIN * (uint64_t)bytes / POOL_PAGE_SIZE + 1;
}
