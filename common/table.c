/* SPDX-License-Identifier: MIT */
#include "common/table.h"

#include <assert.h>
#include <stdlib.h>

/* The streaming half of xxhash.h is not used here; built without optimisation it would still
 * bring the allocator into an object that must stay pure.
 */
#define malloc(size) NULL
#define free(memory) ((void)(memory))
#define XXH_INLINE_ALL
#include <xxhash.h>
#undef malloc
#undef free

uint64_t table_hash(struct text key, uint64_t seed)
{
	return XXH3_64bits_withSeed(key.bytes, key.length, seed);
}

/* A power of two with at least half as many cells again as entries. */
static uint32_t cell_count(uint32_t capacity)
{
	uint32_t count = 8;

	assert(capacity > 0 && capacity <= TABLE_CAPACITY_MAX);
	while (count < capacity + capacity / 2)
		count *= 2;
	return count;
}

size_t table_bytes(uint32_t capacity)
{
	return cell_count(capacity) * sizeof(struct table_cell);
}

void table_init(struct table *self, void *memory, uint32_t capacity, struct table_keys keys)
{
	assert(keys.match);
	*self = (struct table){
		.cells = memory,
		.keys = keys,
		.mask = cell_count(capacity) - 1,
		.capacity = capacity,
	};
	table_clear(self);
}

void table_clear(struct table *self)
{
	memset(self->cells, 0xff, (self->mask + 1) * sizeof *self->cells);
	self->count = 0;
}

uint64_t table_key(const struct table *self, struct text key)
{
	return table_hash(key, self->keys.seed);
}

void table_prefetch(const struct table *self, uint64_t hash)
{
	__builtin_prefetch(&self->cells[hash & self->mask]);
}

uint32_t table_hint(const struct table *self, uint64_t hash)
{
	uint32_t at = hash & self->mask;

	while (self->cells[at].slot != TABLE_NONE && self->cells[at].hash != (uint32_t)hash)
		at = (at + 1) & self->mask;
	return self->cells[at].slot;
}

/* The cell that holds @key, or the empty one that ends the search. */
static uint32_t locate(const struct table *self, uint64_t hash, struct text key)
{
	uint32_t at = hash & self->mask;

	while (self->cells[at].slot != TABLE_NONE) {
		if (self->cells[at].hash == (uint32_t)hash &&
		    self->keys.match(self->keys.context, self->cells[at].slot, key))
			break;
		at = (at + 1) & self->mask;
	}
	return at;
}

uint32_t table_find_key(const struct table *self, uint64_t hash, struct text key)
{
	return self->cells[locate(self, hash, key)].slot;
}

uint32_t table_find(const struct table *self, struct text key)
{
	return table_find_key(self, table_key(self, key), key);
}

bool table_insert(struct table *self, struct text key, uint32_t slot)
{
	uint64_t hash = table_key(self, key);

	assert(slot != TABLE_NONE);
	if (self->count == self->capacity)
		return false;
	uint32_t at = hash & self->mask;

	while (self->cells[at].slot != TABLE_NONE)
		at = (at + 1) & self->mask;
	self->cells[at] = (struct table_cell){ .hash = (uint32_t)hash, .slot = slot };
	self->count++;
	return true;
}

uint32_t table_remove(struct table *self, struct text key)
{
	uint32_t hole = locate(self, table_key(self, key), key);
	uint32_t slot = self->cells[hole].slot;

	if (slot == TABLE_NONE)
		return TABLE_NONE;
	/* Whatever could not stand at its home because of this one moves up: a cell may fill the
	 * hole unless its home lies behind the hole, counted cyclically.
	 */
	for (uint32_t at = (hole + 1) & self->mask; self->cells[at].slot != TABLE_NONE;
	     at = (at + 1) & self->mask) {
		uint32_t home = self->cells[at].hash & self->mask;

		if (((at - home) & self->mask) < ((at - hole) & self->mask))
			continue;
		self->cells[hole] = self->cells[at];
		hole = at;
	}
	self->cells[hole].slot = TABLE_NONE;
	self->count--;
	return slot;
}
