/* SPDX-License-Identifier: MIT */
/* table.h - a hash index from a key to a slot number, in memory that the caller hands in.
 *
 * Pure: no allocation, no clock, no address enters the order.  The index keeps no keys, only 32
 * bits of hash and the slot: the caller, who keeps the entity, compares.  A key is any run of
 * bytes: a user id, a number, a number followed by a text.
 *
 * Open addressing with linear probing, at most two thirds full; removal shifts back what stands
 * behind, so there are no tombstones and no slow decay.  Not for iteration: walk the entities.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

#define TABLE_NONE UINT32_MAX /* no slot */
#define TABLE_CAPACITY_MAX (1u << 30)

/* How the caller's entities are compared. */
struct table_keys {
	/* Whether the entity in @slot has the key @key. */
	bool (*match)(const void *context, uint32_t slot, struct text key);
	const void *context; /* borrowed for the life of the table */
	uint64_t seed; /* of the hash; 0 where nobody outside chooses the keys */
};

struct table_cell {
	uint32_t hash;
	uint32_t slot; /* TABLE_NONE: empty */
};

struct table {
	struct table_cell *cells;
	struct table_keys keys;
	uint32_t mask;
	uint32_t capacity;
	uint32_t count;
};

/* table_hash() - XXH3, 64 bits; @seed 0 gives the plain XXH3_64bits(). */
uint64_t table_hash(struct text key, uint64_t seed);

/* table_bytes() - memory for @capacity entries: 12 to 24 bytes each, a multiple of 64. */
size_t table_bytes(uint32_t capacity);

/* table_init() - make an empty index for up to @capacity entries.
 *
 * Ownership: @memory is table_bytes(@capacity) bytes, aligned as malloc() aligns, borrowed for
 * the life of the table; there is no table_fini().
 */
void table_init(struct table *self, void *memory, uint32_t capacity, struct table_keys keys);

/* table_clear() - forget every entry. */
void table_clear(struct table *self);

/* table_find() - the slot with @key, or TABLE_NONE. */
uint32_t table_find(const struct table *self, struct text key);

/* table_insert() - add @key, which must not be there yet, for @slot.
 *
 * Return: false if the table is full: nothing was changed.
 */
bool table_insert(struct table *self, struct text key, uint32_t slot);

/* table_remove() - take @key out.  Call it while the entity still holds its key.
 *
 * Return: the slot it had, or TABLE_NONE.
 */
uint32_t table_remove(struct table *self, struct text key);

/* table_key(), table_prefetch(), table_hint(), table_find_key() - the steps of table_find(), for
 * loops over many keys that want the memory accesses to overlap: hash and prefetch all, then
 * ask all for a hint and prefetch what stands in that slot of their own, then find all.
 *
 * table_hint() returns the slot that probably has the key, or TABLE_NONE; it is not compared.
 */
uint64_t table_key(const struct table *self, struct text key);
void table_prefetch(const struct table *self, uint64_t hash);
uint32_t table_hint(const struct table *self, uint64_t hash);
uint32_t table_find_key(const struct table *self, uint64_t hash, struct text key);
