/* SPDX-License-Identifier: MIT */
/* Goal: the index finds what was put in and nothing else, whatever was removed before, also where
 * hashes collide and where probing wraps around.  Method: random runs against a flat array; hashes
 * are made to collide by choosing keys.
 */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "common/table.h"

#define CAPACITY 200

struct entity {
	char key[8];
	uint32_t length; /* 0: not there */
};

static struct entity entities[CAPACITY];
static struct table table;
static uint8_t memory[1 << 14];
static size_t compared;

static struct text key_of(uint32_t slot)
{
	return (struct text){ entities[slot].key, entities[slot].length };
}

static bool match(const void *context, uint32_t slot, struct text key)
{
	cr_assert_eq(context, entities);
	cr_assert_lt(slot, CAPACITY);
	compared++;
	return text_equal(key_of(slot), key);
}

static void start(uint32_t capacity, uint64_t seed)
{
	memset(memory, 0x5a, sizeof memory);
	memset(entities, 0, sizeof entities);
	cr_assert_leq(table_bytes(capacity), sizeof memory);
	table_init(&table, memory, capacity,
		   (struct table_keys){ .match = match, .context = entities, .seed = seed });
}

static void put(uint32_t slot, uint64_t number)
{
	memcpy(entities[slot].key, &number, sizeof number);
	entities[slot].length = sizeof number;
	cr_assert(table_insert(&table, key_of(slot), slot));
}

Test(table, empty_has_nothing)
{
	start(1, 0);
	cr_assert_eq(table_find(&table, TEXT("a")), TABLE_NONE);
	cr_assert_eq(table_find(&table, TEXT("")), TABLE_NONE);
	cr_assert_eq(table_remove(&table, TEXT("a")), TABLE_NONE);
	cr_assert_eq(compared, 0);
}

Test(table, memory_is_12_to_24_bytes_per_entry)
{
	for (uint32_t capacity = 1000; capacity < 10000000; capacity += capacity / 7) {
		cr_assert_geq(table_bytes(capacity), 12 * (size_t)capacity);
		cr_assert_leq(table_bytes(capacity), 24 * (size_t)capacity);
		cr_assert_eq(table_bytes(capacity) % 64, 0);
	}
	cr_assert_eq(table_bytes(1) % 64, 0);
}

Test(table, the_hash_is_plain_xxh3_and_seeds_change_it)
{
	cr_assert_eq(table_hash(TEXT(""), 0), 0x2d06800538d394c2);
	cr_assert_neq(table_hash(TEXT("a"), 0), table_hash(TEXT("a"), 1));
}

Test(table, one_past_capacity_is_refused_and_changes_nothing)
{
	start(3, 7);
	for (uint32_t i = 0; i < 3; i++)
		put(i, i);
	entities[3] = (struct entity){ "full", 4 };
	cr_assert_not(table_insert(&table, key_of(3), 3));
	cr_assert_eq(table.count, 3);
	cr_assert_eq(table_find(&table, key_of(3)), TABLE_NONE);
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(table_find(&table, key_of(i)), i);
	cr_assert_eq(table_remove(&table, key_of(1)), 1);
	cr_assert(table_insert(&table, key_of(3), 3));
	table_clear(&table);
	cr_assert_eq(table.count, 0);
	cr_assert_eq(table_find(&table, key_of(3)), TABLE_NONE);
}

/* Keys that all want the cell @home of @mask + 1. */
static uint64_t colliding(uint32_t home, uint64_t *from)
{
	for (;; (*from)++) {
		struct text key = { (const char *)from, sizeof *from };

		if ((table_hash(key, 0) & table.mask) == home)
			return (*from)++;
	}
}

Test(table, removal_closes_the_gap_across_the_wrap)
{
	start(20, 0); /* 32 cells */
	cr_assert_eq(table.mask, 31);
	for (uint32_t removed = 0; removed < 15; removed++) {
		uint64_t from = 1;

		table_clear(&table);
		for (uint32_t i = 0; i < 15; i++)
			put(i, colliding((29 + i / 3) & 31, &from)); /* five homes, overfull */
		cr_assert_eq(table_remove(&table, key_of(removed)), removed);
		cr_assert_eq(table_find(&table, key_of(removed)), TABLE_NONE);
		for (uint32_t i = 0; i < 15; i++)
			if (i != removed)
				cr_assert_eq(table_find(&table, key_of(i)), i);
	}
}

Test(table, steps_of_find_agree_with_it)
{
	start(50, 3);
	for (uint32_t i = 0; i < 50; i++)
		put(i, i * 77);
	for (uint32_t i = 0; i < 50; i++) {
		uint64_t hash = table_key(&table, key_of(i));

		table_prefetch(&table, hash);
		cr_assert_eq(table_find_key(&table, hash, key_of(i)), i);
		cr_assert_eq(table_hint(&table, hash), i); /* 32 bits do not collide here */
	}
	cr_assert_eq(table_hint(&table, table_key(&table, TEXT("nobody"))), TABLE_NONE);
}

static uint64_t state;

static uint64_t draw(uint64_t below) /* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % below;
}

Test(table, behaves_as_the_model_whatever_happens, .timeout = 60)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		uint32_t count = 0;

		state = seed;
		start(CAPACITY, seed);
		for (int step = 0; step < 5000; step++) {
			uint32_t slot = (uint32_t)draw(CAPACITY);

			if (entities[slot].length == 0) {
				put(slot, (uint64_t)slot << 32 | draw(UINT32_MAX));
				count++;
			} else if (draw(2)) {
				cr_assert_eq(table_remove(&table, key_of(slot)), slot);
				entities[slot].length = 0;
				count--;
			}
			cr_assert_eq(table.count, count);
			if (step % 50)
				continue;
			for (uint32_t i = 0; i < CAPACITY; i++)
				if (entities[i].length > 0)
					cr_assert_eq(table_find(&table, key_of(i)), i);
		}
	}
}

struct hashed {
	uint32_t hash;
	uint64_t number;
};

static int by_hash(const void *left, const void *right)
{
	const struct hashed *a = left, *b = right;

	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* Of what a cell keeps of a hash, two of 300,000 numbers have the same: 10 such pairs are to be
 * expected.
 */
Test(table, two_keys_of_one_hash_are_two_entries)
{
	static struct hashed hashed[300000];
	const size_t count = sizeof hashed / sizeof hashed[0];
	size_t twin = 1;

	start(CAPACITY, 0);
	for (size_t i = 0; i < count; i++) {
		uint64_t number = i;
		struct text key = { (const char *)&number, sizeof number };

		hashed[i] = (struct hashed){ (uint32_t)table_key(&table, key), number };
	}
	qsort(hashed, count, sizeof hashed[0], by_hash);
	while (twin < count && hashed[twin].hash != hashed[twin - 1].hash)
		twin++;
	cr_assert_lt(twin, count);
	put(3, hashed[twin - 1].number);
	put(4, hashed[twin].number);
	cr_assert_eq(table_find(&table, key_of(3)), 3);
	cr_assert_eq(table_find(&table, key_of(4)), 4);
	cr_assert_eq(table_remove(&table, key_of(3)), 3);
	cr_assert_eq(table_find(&table, key_of(3)), TABLE_NONE);
	cr_assert_eq(table_find(&table, key_of(4)), 4);
}
