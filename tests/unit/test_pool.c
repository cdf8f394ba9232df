/* SPDX-License-Identifier: MIT */
/* Goal: a kept text is there until it is dropped and settled, nothing overlaps, nothing leaks, and
 * pool_has_room() never promises too much.  Method: edges of every size class by hand, random runs
 * against an array of strings, and the promise put to the test by the worst fragmentation and the
 * worst texts.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/pool.h"
#include "tests/lib/fakes.h"

#define PAGES_MIN (POOL_SIZES + 1)
#define PAGES_MAX 64
#define BYTES_PER_PAGE (POOL_PAGE_SIZE + sizeof(struct pool_page))

static struct pool pool;
static void *region;
static char pattern[POOL_TEXT_MAX + 2];

static void open_pool(size_t pages)
{
	region = fake_memory(pages * BYTES_PER_PAGE);
	pool_init(&pool, region, pages * BYTES_PER_PAGE);
	cr_assert_eq(pool.page_count, pages);
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (char)('a' + i % 23);
}

static void setup(void)
{
	open_pool(PAGES_MIN);
}

static struct text text_with(uint32_t length)
{
	return (struct text){ pattern, length };
}

static uint32_t block_bytes(uint32_t length)
{
	uint32_t bytes = POOL_BLOCK_MIN;

	while (bytes < length)
		bytes *= 2;
	return bytes;
}

Test(pool, needs_a_page_for_every_size, .signal = SIGABRT)
{
	open_pool(POOL_SIZES);
}

Test(pool, the_empty_text_costs_nothing, .init = setup)
{
	struct pooled kept = { 7, 7 };

	cr_assert(pool_keep(&pool, (struct text){ 0 }, &kept));
	cr_assert_eq(kept.block, 0);
	cr_assert_eq(kept.length, 0);
	cr_assert_eq(pool_text(&pool, kept).length, 0);
	cr_assert(pool_text(&pool, kept).bytes, "an empty text is still a text");
	cr_assert_eq(pool.used_bytes, 0);
	pool_drop(&pool, &kept);
	pool_settle(&pool);
	cr_assert_eq(pool.used_bytes, 0);
}

Test(pool, every_size_class_from_its_first_to_its_last_length, .init = setup)
{
	struct pooled kept[3 * POOL_SIZES];
	unsigned count = 0;
	uint64_t used = 0;

	for (uint32_t block = POOL_BLOCK_MIN; block <= POOL_TEXT_MAX; block *= 2) {
		const uint32_t first = block == POOL_BLOCK_MIN ? 1 : block / 2 + 1;
		const uint32_t lengths[] = { first, block - 1, block };

		for (unsigned i = 0; i < 3; i++) {
			cr_assert(pool_keep(&pool, text_with(lengths[i]), &kept[count++]));
			used += block;
			cr_assert_eq(pool.used_bytes, used, "%u bytes take a block of %u",
				     lengths[i], block);
		}
	}
	for (unsigned i = 0; i < count; i++)
		cr_assert(text_equal(pool_text(&pool, kept[i]), text_with(kept[i].length)));
	for (unsigned i = 0; i < count; i++)
		pool_drop(&pool, &kept[i]);
	pool_settle(&pool);
	cr_assert_eq(pool.used_bytes, 0);
}

Test(pool, a_text_too_long_is_refused, .init = setup)
{
	struct pooled kept = { 5, 6 };

	cr_assert_not(pool_keep(&pool, text_with(POOL_TEXT_MAX + 1), &kept));
	cr_assert_eq(kept.block, 5, "a refusal leaves the place as it was");
	cr_assert_eq(kept.length, 6);
	cr_assert(pool_keep(&pool, text_with(POOL_TEXT_MAX), &kept));
	cr_assert_not(pool_replace(&pool, text_with(POOL_TEXT_MAX + 1), &kept));
	cr_assert(text_equal(pool_text(&pool, kept), text_with(POOL_TEXT_MAX)));
}

/* Fill the whole pool with texts of @length; the number that fitted. */
static size_t fill(uint32_t length, struct pooled *kept, size_t max)
{
	size_t count = 0;

	while (count < max && pool_keep(&pool, text_with(length), &kept[count]))
		count++;
	return count;
}

static void drop_all(struct pooled *kept, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (pool.dropped_count == POOL_DROPPED_MAX)
			pool_settle(&pool);
		pool_drop(&pool, &kept[i]);
	}
	pool_settle(&pool);
}

/* Every size, one after the other, gets every page: emptied pages change their size. */
Test(pool, an_emptied_pool_serves_any_size_whole, .init = setup)
{
	static struct pooled kept[PAGES_MIN * POOL_PAGE_SIZE / POOL_BLOCK_MIN + 1];

	for (unsigned round = 0; round < 2; round++)
		for (uint32_t block = POOL_BLOCK_MIN; block <= POOL_TEXT_MAX; block *= 2) {
			size_t expected = (size_t)PAGES_MIN * POOL_PAGE_SIZE / block;
			struct pooled extra = { 1, 2 };

			cr_assert_eq(fill(block, kept, expected + 1), expected);
			cr_assert_eq(pool.used_bytes, (uint64_t)PAGES_MIN * POOL_PAGE_SIZE);
			cr_assert_not(pool_keep(&pool, text_with(1), &extra));
			cr_assert(extra.block == 1 && extra.length == 2);
			cr_assert_not(pool_has_room(&pool, 0));
			drop_all(kept, expected);
			cr_assert_eq(pool.used_bytes, 0);
			cr_assert(pool_has_room(&pool, 0));
		}
}

Test(pool, a_full_pool_takes_what_was_given_back, .init = setup)
{
	static struct pooled kept[PAGES_MIN * 8];
	struct pooled again;

	cr_assert_eq(fill(POOL_TEXT_MAX, kept, PAGES_MIN * 8), PAGES_MIN * 8);
	cr_assert_not(pool_replace(&pool, text_with(POOL_TEXT_MAX - 1), &kept[3]),
		      "the old text is there until it is settled");
	cr_assert_eq(kept[3].length, POOL_TEXT_MAX);
	pool_drop(&pool, &kept[3]);
	cr_assert_not(pool_keep(&pool, text_with(POOL_TEXT_MAX), &again));
	pool_settle(&pool);
	cr_assert(pool_keep(&pool, text_with(POOL_TEXT_MAX), &again));
	cr_assert_not(pool_keep(&pool, text_with(16), &kept[3]), "that page is of another size");
}

Test(pool, a_dropped_text_is_readable_until_settled, .init = setup)
{
	struct pooled kept, fresh;

	cr_assert(pool_keep(&pool, TEXT("first"), &kept));
	struct text borrowed = pool_text(&pool, kept);

	cr_assert(pool_replace(&pool, TEXT("second"), &kept));
	cr_assert(pool_keep(&pool, TEXT("third"), &fresh));
	cr_assert(text_is(borrowed, "first"));
	cr_assert(text_is(pool_text(&pool, kept), "second"));
	pool_settle(&pool);
	cr_assert_eq(pool.used_bytes, 2 * POOL_BLOCK_MIN);
}

Test(pool, replacing_by_the_same_text_does_nothing, .init = setup)
{
	struct pooled kept;

	cr_assert(pool_keep(&pool, TEXT("same"), &kept));
	const struct pooled before = kept;

	cr_assert(pool_replace(&pool, TEXT("same"), &kept));
	cr_assert_eq(kept.block, before.block);
	cr_assert_eq(pool.dropped_count, 0);
	cr_assert(pool_replace(&pool, pool_text(&pool, kept), &kept), "also by itself");
	cr_assert(pool_replace(&pool, (struct text){ 0 }, &kept));
	cr_assert_eq(kept.length, 0);
	cr_assert_eq(pool.dropped_count, 1);
}

Test(pool, so_many_drops_between_two_settles, .init = setup)
{
	static struct pooled kept[POOL_DROPPED_MAX];

	cr_assert_eq(fill(1, kept, POOL_DROPPED_MAX), POOL_DROPPED_MAX);
	for (size_t i = 0; i < POOL_DROPPED_MAX; i++)
		pool_drop(&pool, &kept[i]);
	pool_settle(&pool);
	cr_assert_eq(pool.used_bytes, 0);
}

Test(pool, one_drop_more_is_our_own_mistake, .init = setup, .signal = SIGABRT)
{
	static struct pooled kept[POOL_DROPPED_MAX + 1];

	if (fill(1, kept, POOL_DROPPED_MAX + 1) != POOL_DROPPED_MAX + 1)
		return;
	for (size_t i = 0; i < POOL_DROPPED_MAX + 1; i++)
		pool_drop(&pool, &kept[i]);
}

/* Against a model -------------------------------------------------------------------------- */

#define MODEL_MAX_TEXTS 4096

static struct {
	struct pooled kept;
	char *bytes; /* what it must read */
} model[MODEL_MAX_TEXTS];

static uint32_t random_length(struct prng *prng)
{
	/* Edges of the classes as often as anything else. */
	uint32_t block = (uint32_t)POOL_BLOCK_MIN << prng_below(prng, POOL_SIZES);

	switch (prng_below(prng, 4)) {
	case 0:
		return block;
	case 1:
		return block < POOL_TEXT_MAX ? block + 1 : block;
	case 2:
		return prng_below(prng, 64);
	default:
		return prng_below(prng, block + 1);
	}
}

static char *random_bytes(struct prng *prng, uint32_t length)
{
	char *bytes = malloc(length + 1);

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (char)prng_next(prng);
	return bytes;
}

static void model_put(uint32_t slot, char *bytes)
{
	free(model[slot].bytes);
	model[slot].bytes = bytes;
}

static void model_check(uint32_t slot)
{
	struct text text = pool_text(&pool, model[slot].kept);

	cr_assert(text.length == 0 || memcmp(text.bytes, model[slot].bytes, text.length) == 0,
		  "text %u has changed", slot);
}

static uint64_t model_used(void)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < MODEL_MAX_TEXTS; i++)
		if (model[i].kept.length > 0)
			used += block_bytes(model[i].kept.length);
	return used;
}

static void model_step(struct prng *prng, uint32_t texts)
{
	uint32_t slot = prng_below(prng, texts);
	uint32_t length = random_length(prng);
	char *bytes = random_bytes(prng, length);
	const struct pooled before = model[slot].kept;
	bool kept;

	model_check(slot);
	if (prng_one_in(prng, 3)) {
		if (pool.dropped_count < POOL_DROPPED_MAX)
			pool_drop(&pool, &model[slot].kept);
		free(bytes);
		return;
	}
	if (before.length > 0)
		kept = pool_replace(&pool, (struct text){ bytes, length }, &model[slot].kept);
	else
		kept = pool_keep(&pool, (struct text){ bytes, length }, &model[slot].kept);
	if (kept) {
		cr_assert_eq(model[slot].kept.length, length);
		model_put(slot, bytes);
		model_check(slot);
		return;
	}
	cr_assert_eq(model[slot].kept.block, before.block);
	cr_assert_eq(model[slot].kept.length, before.length);
	free(bytes);
}

Test(pool, random_runs_agree_with_a_model)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct prng prng = { seed };
		uint32_t texts = 1 + prng_below(&prng, MODEL_MAX_TEXTS);

		open_pool(PAGES_MIN + prng_below(&prng, 20));
		memset(model, 0, sizeof model);
		for (unsigned step = 0; step < 6000; step++) {
			model_step(&prng, texts);
			if (!prng_one_in(&prng, 20))
				continue;
			pool_settle(&pool);
			cr_assert_eq(pool.used_bytes, model_used(), "seed %llu, step %u",
				     (unsigned long long)seed, step);
		}
		for (uint32_t i = 0; i < MODEL_MAX_TEXTS; i++) {
			model_check(i);
			if (pool.dropped_count == POOL_DROPPED_MAX)
				pool_settle(&pool);
			pool_drop(&pool, &model[i].kept);
			model_put(i, NULL);
		}
		pool_settle(&pool);
		cr_assert_eq(pool.used_bytes, 0);
		cr_assert_eq(pool.spare_count + pool.page_count - pool.page_next, pool.page_count,
			     "every page is free again");
		fake_free(region, (size_t)pool.page_count * BYTES_PER_PAGE);
	}
}

/* The promise ------------------------------------------------------------------------------ */

/* How texts of @bytes in all may be cut: the ways that cost most. */
static uint32_t next_cut(struct prng *prng, unsigned way, size_t left)
{
	uint32_t length;

	switch (way) {
	case 0:
		length = 1; /* a block of 16 for a byte */
		break;
	case 1:
		length = 17; /* nearly half of each block is lost */
		break;
	case 2:
		length = 4097;
		break;
	case 3:
		length = POOL_TEXT_MAX;
		break;
	case 4: /* a text of each size in turn, just above the one below */
		length = ((uint32_t)POOL_BLOCK_MIN << prng_below(prng, POOL_SIZES)) / 2 + 1;
		break;
	default:
		length = 1 + prng_below(prng, POOL_TEXT_MAX);
		break;
	}
	return length < left ? length : (uint32_t)left;
}

#define CUT_WAYS 6

static void put_to_the_test(struct prng *prng, size_t bytes, unsigned way)
{
	static struct pooled kept[1 << 18];
	size_t left = bytes, count = 0;

	while (left > 0) {
		uint32_t length = next_cut(prng, way, left);

		cr_assert(count < sizeof kept / sizeof kept[0]);
		cr_assert(pool_keep(&pool, text_with(length), &kept[count]),
			  "way %u: no room for %u bytes although %zu of the promised %zu are left",
			  way, length, left, bytes);
		count++;
		left -= length;
	}
	drop_all(kept, count);
}

static void test_promise(struct prng *prng, size_t bytes)
{
	if (!pool_has_room(&pool, bytes))
		return;
	for (unsigned way = 0; way < CUT_WAYS; way++)
		put_to_the_test(prng, bytes, way);
}

Test(pool, the_promise_of_an_empty_pool_holds)
{
	struct prng prng = { 1 };

	open_pool(PAGES_MAX);
	for (size_t bytes = 1; bytes < (size_t)PAGES_MAX * POOL_PAGE_SIZE / 16;
	     bytes = bytes * 3 / 2 + 1)
		test_promise(&prng, bytes);
	cr_assert(pool_has_room(&pool, 2 * 8192), "a small pool promises something");
}

/* Every page holds one text: nothing is empty, and the rest of each page serves its size alone. */
Test(pool, the_promise_holds_in_the_worst_fragmentation)
{
	static struct pooled kept[PAGES_MAX * POOL_PAGE_SIZE / POOL_BLOCK_MIN];
	struct prng prng = { 2 };

	open_pool(PAGES_MAX);
	size_t count = fill(1, kept, sizeof kept / sizeof kept[0]);

	cr_assert_eq(count, sizeof kept / sizeof kept[0]);
	for (size_t i = 0; i < count; i++)
		if (i % (POOL_PAGE_SIZE / POOL_BLOCK_MIN) != 0) {
			if (pool.dropped_count == POOL_DROPPED_MAX)
				pool_settle(&pool);
			pool_drop(&pool, &kept[i]);
		}
	pool_settle(&pool);
	cr_assert_eq(pool.used_bytes, PAGES_MAX * POOL_BLOCK_MIN);
	cr_assert_not(pool_has_room(&pool, 1), "nothing but texts of 16 bytes fits");
	for (size_t page = 0; page < PAGES_MAX; page++) {
		pool_drop(&pool, &kept[page * (POOL_PAGE_SIZE / POOL_BLOCK_MIN)]);
		pool_settle(&pool);
		for (size_t bytes = 1; bytes < 40000; bytes = bytes * 2 + 1)
			test_promise(&prng, bytes);
	}
}

Test(pool, the_promise_holds_at_random_points)
{
	static struct pooled kept[20000];
	struct prng prng = { 3 };

	open_pool(PAGES_MAX);
	for (unsigned step = 0; step < 60000; step++) {
		uint32_t slot = prng_below(&prng, sizeof kept / sizeof kept[0]);

		if (pool.dropped_count == POOL_DROPPED_MAX)
			pool_settle(&pool);
		if (kept[slot].length > 0)
			pool_drop(&pool, &kept[slot]);
		else
			(void)pool_keep(&pool, text_with(random_length(&prng) / 4), &kept[slot]);
		if (!prng_one_in(&prng, 600))
			continue;
		pool_settle(&pool);
		test_promise(&prng, 1 + prng_below(&prng, 100000));
	}
}
