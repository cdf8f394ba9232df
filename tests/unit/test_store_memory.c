/* SPDX-License-Identifier: MIT */
/* Goal: the store in memory keeps the newest rows within its ring of bytes, and gives them back as
 * they were; what it shares with the others is in test_store_contract.c.  Method: one past each
 * limit; random rows against an array.
 */
#include <criterion/criterion.h>

#include "common/store.h"
#include "tests/lib/fakes.h"

#define BYTES 65536 /* the smallest ring: stores of up to 128 rows have it */

static struct store *store;

static void open_store(uint64_t rows_max, int64_t age_ms)
{
	struct store_fault fault;

	cr_assert_eq(store_open(&store, "memory",
				&(struct store_limits){ .history_rows_max = rows_max,
							.history_age_ms = age_ms },
				&fault),
		     0);
}

static void teardown(void)
{
	store_close(store);
}

static void put(uint64_t seq, int64_t at_ms, struct text event)
{
	struct store_row row = { .seq = seq,
				 .at_ms = at_ms,
				 .user_id = TEXT("u@x"),
				 .stream_id = TEXT("s1"),
				 .event = event };
	struct store_event done;

	cr_assert_eq(store_commit(store, &(struct store_batch){ .rows = &row,
								.row_count = 1,
								.next_epoch = seq * 10 }),
		     0);
	cr_assert_eq(store_drive(store, 1, &done), 0);
	cr_assert_eq(done.type, STORE_COMMITTED);
}

static int get(uint64_t from, struct store_row *row)
{
	return store_history(store, &(struct store_query){ .from = from }, row);
}

Test(store_memory, one_row_past_the_limit_drops_the_oldest_at_once, .fini = teardown)
{
	struct store_row row;

	open_store(4, 1000);
	for (uint64_t seq = 1; seq <= 4; seq++)
		put(seq, 0, TEXT("x"));
	cr_assert_eq(store_oldest(store), 1);
	put(5, 0, TEXT("y"));
	cr_assert_eq(store_oldest(store), 2);
	cr_assert_eq(get(0, &row), 0);
	cr_assert_eq(row.seq, 2, "asking for what is gone begins at the oldest");
	cr_assert_eq(get(5, &row), 0);
	cr_assert(text_is(row.event, "y"));
}

Test(store_memory, the_bytes_of_the_ring_are_the_limit_too, .fini = teardown)
{
	static char big[30000];
	struct store_row row;

	memset(big, 'x', sizeof big);
	open_store(100, 1000);
	put(1, 0, (struct text){ big, sizeof big });
	put(2, 0, (struct text){ big, sizeof big });
	cr_assert_eq(store_oldest(store), 1);
	big[0] = 'y';
	put(3, 0, (struct text){ big, sizeof big });
	cr_assert_eq(store_oldest(store), 2);
	cr_assert_eq(get(3, &row), 0);
	cr_assert_eq(row.event.length, sizeof big);
	cr_assert_eq(memcmp(row.event.bytes, big, sizeof big), 0, "joined where the ring wraps");
	cr_assert_eq(get(2, &row), 0);
	cr_assert_eq(row.event.bytes[0], 'x');
}

Test(store_memory, the_longest_row_fills_the_smallest_ring, .fini = teardown)
{
	static char longest[BYTES - 1 - 5]; /* less "u@x" and "s1" */
	struct store_row row;

	memset(longest, 'z', sizeof longest);
	open_store(1, 1000);
	put(1, 0, TEXT("small"));
	put(2, 0, (struct text){ longest, sizeof longest });
	put(3, 0, (struct text){ longest, sizeof longest });
	cr_assert_eq(store_oldest(store), 3);
	cr_assert_eq(get(0, &row), 0);
	cr_assert_eq(memcmp(row.event.bytes, longest, sizeof longest), 0);
	cr_assert(text_is(row.user_id, "u@x"));
}

/* Against a model -------------------------------------------------------------------------- */

#define ROWS 5000

static struct {
	uint32_t length;
	uint64_t first; /* its bytes are the numbers of a generator that begins here */
	int64_t at_ms;
} model[ROWS + 1];

static void bytes_of(uint64_t seq, char *out)
{
	struct prng prng = { model[seq].first };

	for (uint32_t i = 0; i < model[seq].length; i++)
		out[i] = (char)prng_next(&prng);
}

static void random_row(struct prng *prng, uint64_t seq)
{
	static char bytes[8192];

	model[seq].length = prng_one_in(prng, 20) ? prng_below(prng, 8192) : prng_below(prng, 700);
	model[seq].first = prng_next(prng);
	model[seq].at_ms = model[seq - 1].at_ms + prng_below(prng, 40);
	bytes_of(seq, bytes);
	put(seq, model[seq].at_ms, (struct text){ bytes, model[seq].length });
}

/* The oldest row that each limit alone would keep; the youngest of them is the true one. */
static uint64_t oldest_expected(uint64_t newest, uint64_t rows_max, int64_t age_ms)
{
	uint64_t bytes = 0, oldest = newest;
	uint64_t size = rows_max * 512 > BYTES ? rows_max * 512 : BYTES;

	for (uint64_t seq = newest; seq > 0; seq--) {
		bytes += model[seq].length + 5;
		if (newest - seq + 1 > rows_max || bytes > size ||
		    model[seq].at_ms < model[newest].at_ms - age_ms)
			break;
		oldest = seq;
	}
	return oldest;
}

Test(store_memory, random_rows_agree_with_a_model)
{
	static char bytes[8192];

	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct prng prng = { seed };
		uint64_t rows_max = 1 + prng_below(&prng, 400);
		int64_t age_ms = 1 + prng_below(&prng, 6000);

		open_store(rows_max, age_ms);
		for (uint64_t seq = 1; seq <= ROWS; seq++) {
			struct store_row row;
			uint64_t wanted;

			random_row(&prng, seq);
			cr_assert_not(store_tend(
				store, &(struct store_time){ .wall_ms = model[seq].at_ms }));
			wanted = oldest_expected(seq, rows_max, age_ms);
			cr_assert_eq(store_oldest(store), wanted);
			wanted += prng_below(&prng, (uint32_t)(seq - wanted + 1));
			cr_assert_eq(get(wanted, &row), 0);
			cr_assert_eq(row.seq, wanted);
			cr_assert_eq(row.at_ms, model[wanted].at_ms);
			bytes_of(wanted, bytes);
			cr_assert(text_equal(row.event,
					     (struct text){ bytes, model[wanted].length }));
		}
		store_close(store);
	}
}
