/* SPDX-License-Identifier: MIT */
/* Goal: what store.h promises holds for every engine.  Method: each body runs once per engine, and
 * where something must last the store is opened again; every limit is tried at it and one past it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/store.h"
#include "tests/lib/fakes.h"
#include "tests/lib/store_stage.h"

static const char *scheme;

static void begin(const char *given)
{
	scheme = given;
	stage_begin();
	stage_open(scheme, &stage_limits);
}

/* The body after CONTRACT(name) is a test of each engine. */
#define CONTRACT(name) \
	static void name(void); \
	Test(store_contract_memory, name, .fini = stage_end) \
	{ \
		begin("memory"); \
		name(); \
	} \
	Test(store_contract_sqlite, name, .fini = stage_end) \
	{ \
		begin("sqlite"); \
		name(); \
	} \
	static void name(void)

static void begin_again(uint64_t rows_max, int64_t age_ms)
{
	struct store_limits limits = { rows_max, age_ms, STAGE_RESERVE };

	stage_close();
	stage_open(scheme, &limits);
}

static void refused(const struct store_batch *batch)
{
	struct store_head before = store_head(stage_store), after;
	struct store_event event;

	cr_assert_eq(store_commit(stage_store, batch), -EINVAL);
	after = store_head(stage_store);
	cr_assert_eq(after.seq, before.seq);
	cr_assert_eq(after.next_epoch, before.next_epoch);
	cr_assert_eq(store_drive(stage_store, 1, &event), 0);
	cr_assert_eq(event.type, STORE_IDLE);
}

CONTRACT(a_fresh_store_is_empty)
{
	struct store_row row = { .seq = 99 };
	struct store_event event;

	cr_assert_eq(store_head(stage_store).seq, 0);
	cr_assert_eq(store_head(stage_store).next_epoch, 0);
	cr_assert_eq(store_oldest(stage_store), 0);
	cr_assert_eq(store_history(stage_store, &(struct store_query){ 0 }, &row), STORE_E_END);
	cr_assert_eq(row.seq, 99, "untouched");
	cr_assert_eq(store_drive(stage_store, 0, &event), 0);
	cr_assert_eq(event.type, STORE_IDLE);
	cr_assert(store_has_room(stage_store));
	cr_assert_str_empty(store_trouble(stage_store));
	cr_assert_str_empty(stage_records());
	cr_assert_not(store_tend(stage_store, &(struct store_time){ .wall_ms = 1000 }));
}

CONTRACT(an_event_is_told_once)
{
	struct store_event event;
	struct store_row row = { .seq = 1, .event = TEXT("e") };

	cr_assert_eq(store_commit(stage_store, &(struct store_batch){ .rows = &row,
								      .row_count = 1,
								      .next_epoch = 5 }),
		     0);
	cr_assert_eq(store_drive(stage_store, 1, &event), 0);
	cr_assert_eq(event.type, STORE_COMMITTED);
	cr_assert_eq(event.seq, 1);
	cr_assert_eq(store_drive(stage_store, 1, &event), 0);
	cr_assert_eq(event.type, STORE_IDLE);
}

CONTRACT(a_second_commit_waits_for_the_first)
{
	struct store_batch batch = { .next_epoch = 1 };
	struct store_event event;

	cr_assert_eq(store_commit(stage_store, &batch), 0);
	cr_assert_eq(store_commit(stage_store, &batch), -EINVAL);
	cr_assert_eq(store_drive(stage_store, 1, &event), 0);
	cr_assert_eq(event.type, STORE_COMMITTED);
	stage_commit(&batch);
}

CONTRACT(a_row_comes_back_as_it_was)
{
	static const char bytes[] = { 0, '\xff', 1, 0, '\x80' };
	struct store_row rows[] = {
		{ 1, -5, TEXT("u@x"), TEXT("s1"), { bytes, sizeof bytes } },
		{ 2, INT64_MAX, { NULL, 0 }, { bytes, sizeof bytes }, { NULL, 0 } },
	};
	struct store_row row;

	stage_commit(&(struct store_batch){ .rows = rows, .row_count = 2, .next_epoch = 7 });
	stage_reopen();
	cr_assert_eq(store_head(stage_store).seq, 2);
	cr_assert_eq(store_head(stage_store).next_epoch, 7);
	cr_assert_eq(store_oldest(stage_store), 1);
	for (uint64_t i = 0; i < 2; i++) {
		struct store_query query = { .from = i + 1 };

		cr_assert_eq(store_history(stage_store, &query, &row), 0);
		cr_assert_eq(row.seq, i + 1);
		cr_assert_eq(row.at_ms, rows[i].at_ms);
		cr_assert(text_equal(row.user_id, rows[i].user_id));
		cr_assert(text_equal(row.stream_id, rows[i].stream_id));
		cr_assert(text_equal(row.event, rows[i].event));
	}
	cr_assert_eq(store_history(stage_store, &(struct store_query){ .from = 3 }, &row),
		     STORE_E_END);
	cr_assert_eq(store_history(stage_store, &(struct store_query){ .from = UINT64_MAX }, &row),
		     STORE_E_END);
}

CONTRACT(records_are_put_replaced_and_deleted)
{
	static const char odd[] = { 'k', 0, '\xff', 'z' };
	struct store_put puts[] = {
		{ TEXT("b"), TEXT("2") },
		{ { odd, sizeof odd }, TEXT("4") },
		{ TEXT("aa"), TEXT("1") },
		{ TEXT("c"), TEXT("3") },
	};

	stage_commit(&(struct store_batch){ .puts = puts, .put_count = 4, .next_epoch = 1 });
	stage_reopen();
	cr_assert_eq(strncmp(stage_records(), "aa=1 b=2 c=3 k", 14), 0, "by key");
	puts[1].data = (struct text){ NULL, 0 };
	puts[0].data = TEXT("22, and longer");
	stage_commit(&(struct store_batch){ .puts = puts, .put_count = 2, .next_epoch = 1 });
	cr_assert_str_eq(stage_records(), "aa=1 b=22, and longer c=3");
	stage_put("c", "");
	stage_put("never there", "");
	stage_put("a", "0");
	stage_reopen();
	cr_assert_str_eq(stage_records(), "a=0 aa=1 b=22, and longer");
}

CONTRACT(the_last_of_many_puts_counts)
{
	char value[16];

	for (int i = 0; i < 300; i++) {
		(void)snprintf(value, sizeof value, "%d", i);
		stage_put("k", value);
	}
	stage_put("gone", "1");
	stage_put("gone", "");
	stage_reopen();
	cr_assert_str_eq(stage_records(), "k=299");
	stage_put("gone", "again");
	stage_reopen();
	cr_assert_str_eq(stage_records(), "gone=again k=299");
}

static int stop_at_b(void *context, struct text key, struct text data)
{
	int *calls = context;

	(void)data;
	(*calls)++;
	return text_is(key, "b") ? -ECANCELED : 0;
}

CONTRACT(loading_ends_when_it_is_told_to)
{
	int calls = 0;

	stage_put("a", "1");
	stage_put("b", "2");
	stage_put("c", "3");
	cr_assert_eq(store_load(stage_store, stop_at_b, &calls), -ECANCELED);
	cr_assert_eq(calls, 2);
	stage_put("d", "4");
	cr_assert_str_eq(stage_records(), "a=1 b=2 c=3 d=4", "and begins anew");
}

CONTRACT(the_head_moves_without_rows_too)
{
	stage_rows(1, 3, 0);
	stage_commit(&(struct store_batch){ .next_epoch = 8 });
	stage_commit(&(struct store_batch){ .next_epoch = 8 });
	stage_reopen();
	cr_assert_eq(store_head(stage_store).seq, 3);
	cr_assert_eq(store_head(stage_store).next_epoch, 8);
	refused(&(struct store_batch){ .next_epoch = 7 });
	stage_commit(&(struct store_batch){ .next_epoch = INT64_MAX });
	refused(&(struct store_batch){ .next_epoch = (uint64_t)INT64_MAX + 1 });
	stage_reopen();
	cr_assert_eq(store_head(stage_store).next_epoch, INT64_MAX);
}

CONTRACT(rows_out_of_order_are_refused)
{
	struct store_row rows[3] = { { .seq = 1 }, { .seq = 2 }, { .seq = 4 } };
	struct store_put put = { TEXT("k"), TEXT("v") };
	struct store_batch batch = {
		.rows = rows, .row_count = 3, .puts = &put, .put_count = 1, .next_epoch = 1
	};

	refused(&batch); /* a hole */
	rows[2].seq = 2;
	refused(&batch); /* twice */
	rows[0].seq = 0;
	refused(&batch);
	rows[0].seq = 2;
	batch.row_count = 1;
	refused(&batch); /* not the next one */
	cr_assert_str_empty(stage_records(), "nothing of a refused batch is there");
	stage_rows(1, 5, 0);
	rows[0].seq = 5;
	refused(&batch); /* again */
	stage_reopen();
	refused(&batch);
	rows[0].seq = 6;
	stage_commit(&batch);
}

CONTRACT(one_past_each_limit_is_refused)
{
	static char bytes[STORE_VALUE_MAX + 1];
	struct store_put puts[2] = { { TEXT("first"), TEXT("1") }, { TEXT("k"), TEXT("v") } };
	struct store_batch with_put = { .puts = puts, .put_count = 2 };
	struct store_row rows[2] = { { .seq = 1 }, { .seq = 2 } };
	struct store_batch with_row = { .rows = rows, .row_count = 2 };
	struct store_row row;

	memset(bytes, 'x', sizeof bytes);
	puts[1].key = (struct text){ bytes, STORE_KEY_MAX + 1 };
	refused(&with_put);
	puts[1].key.length = 0;
	refused(&with_put);
	puts[1].key = (struct text){ bytes, STORE_KEY_MAX };
	puts[1].data = (struct text){ bytes, STORE_VALUE_MAX + 1 };
	refused(&with_put);
	cr_assert_str_empty(stage_records());
	rows[1].user_id = TEXT("uuu");
	rows[1].stream_id = TEXT("ss");
	rows[1].event = (struct text){ bytes, STORE_ROW_MAX - 4 };
	refused(&with_row);
	rows[1].event.length = UINT32_MAX;
	refused(&with_row);
	rows[1].event.length = STORE_ROW_MAX - 5;
	stage_commit(&with_row);
	stage_reopen();
	cr_assert_eq(store_history(stage_store, &(struct store_query){ .from = 2 }, &row), 0);
	cr_assert_eq(row.event.length, STORE_ROW_MAX - 5);
	cr_assert_eq(memcmp(row.event.bytes, bytes, row.event.length), 0);
	cr_assert(text_is(row.user_id, "uuu"));
}

static int longest_record(void *context, struct text key, struct text data)
{
	bool *seen = context;

	cr_assert_eq(key.length, STORE_KEY_MAX);
	cr_assert_eq(data.length, STORE_VALUE_MAX);
	for (uint32_t i = 0; i < data.length; i++)
		cr_assert_eq(data.bytes[i], 'x');
	*seen = true;
	return 0;
}

CONTRACT(the_longest_record_fits)
{
	static char bytes[STORE_VALUE_MAX];
	struct store_put put = { { bytes, STORE_KEY_MAX }, { bytes, STORE_VALUE_MAX } };
	bool seen = false;

	memset(bytes, 'x', sizeof bytes);
	stage_commit(&(struct store_batch){ .puts = &put, .put_count = 1 });
	stage_reopen();
	cr_assert_eq(store_load(stage_store, longest_record, &seen), 0);
	cr_assert(seen);
}

/* History ---------------------------------------------------------------------------------- */

static uint64_t first_of(const char *user, const char *stream, uint64_t from)
{
	struct store_query query = { from, text_of(user), text_of(stream) };
	struct store_row row;

	return store_history(stage_store, &query, &row) == 0 ? row.seq : 0;
}

CONTRACT(history_is_asked_by_user_and_stream)
{
	struct store_row rows[] = {
		{ 1, 0, TEXT("ann"), TEXT("a1"), TEXT("e") },
		{ 2, 0, TEXT("bob"), TEXT("b1"), TEXT("e") },
		{ 3, 0, TEXT("ann"), { NULL, 0 }, TEXT("e") },
		{ 4, 0, TEXT("ann"), TEXT("a2"), TEXT("e") },
		{ 5, 0, TEXT("bob"), TEXT("a1"), TEXT("e") },
		{ 6, 0, { NULL, 0 }, { NULL, 0 }, TEXT("e") },
		{ 7, 0, TEXT("ann"), TEXT("a1"), TEXT("e") },
	};

	stage_commit(&(struct store_batch){ .rows = rows, .row_count = 7 });
	stage_reopen();
	cr_assert_eq(first_of("", "", 0), 1);
	cr_assert_eq(first_of("", "", 6), 6);
	cr_assert_eq(first_of("ann", "", 0), 1);
	cr_assert_eq(first_of("ann", "", 2), 3);
	cr_assert_eq(first_of("ann", "", 4), 4);
	cr_assert_eq(first_of("ann", "", 8), 0);
	cr_assert_eq(first_of("bob", "", 3), 5);
	cr_assert_eq(first_of("an", "", 0), 0);
	cr_assert_eq(first_of("", "a1", 0), 1);
	cr_assert_eq(first_of("", "a1", 2), 5);
	cr_assert_eq(first_of("", "a1", 6), 7);
	cr_assert_eq(first_of("", "a1", 8), 0);
	cr_assert_eq(first_of("", "b1", 2), 2);
	cr_assert_eq(first_of("", "b1", 3), 0);
	cr_assert_eq(first_of("", "none", 0), 0);
	cr_assert_eq(first_of("ann", "a1", 2), 7);
	cr_assert_eq(first_of("bob", "a1", 0), 5);
	cr_assert_eq(first_of("bob", "a2", 0), 0);
}

CONTRACT(a_search_that_looks_at_too_much_is_cut)
{
	struct store_query query = { .from = 1, .user_id = TEXT("u2") };
	struct store_row found = { .seq = STORE_SCAN_MAX + 2,
				   .user_id = TEXT("u2"),
				   .event = TEXT("e") };
	struct store_row row;

	stage_rows(1, STORE_SCAN_MAX + 1, 0);
	query.from = 2;
	cr_assert_eq(store_history(stage_store, &query, &row), STORE_E_END, "as many as allowed");
	stage_commit(&(struct store_batch){ .rows = &found, .row_count = 1 });
	query.from = 3;
	cr_assert_eq(store_history(stage_store, &query, &row), 0, "the last one looked at");
	cr_assert_eq(row.seq, STORE_SCAN_MAX + 2);
	query.from = 1;
	cr_assert_eq(store_history(stage_store, &query, &row), STORE_E_MORE);
	cr_assert_eq(row.seq, STORE_SCAN_MAX + 1);
	query.from = row.seq;
	cr_assert_eq(store_history(stage_store, &query, &row), 0);
	cr_assert_eq(row.seq, STORE_SCAN_MAX + 2);
}

/* Housekeeping ----------------------------------------------------------------------------- */

static void tend_all(int64_t wall_ms)
{
	for (int steps = 0; store_tend(stage_store, &(struct store_time){ .wall_ms = wall_ms });
	     steps++)
		cr_assert_lt(steps, 10000, "housekeeping never ends");
}

CONTRACT(rows_beyond_the_limit_go)
{
	struct store_row row;

	begin_again(1000, 1000);
	stage_rows(1, 1000, 0);
	tend_all(0);
	cr_assert_eq(store_oldest(stage_store), 1);
	stage_rows(1001, 1001, 0);
	tend_all(0);
	cr_assert_eq(store_oldest(stage_store), 2);
	cr_assert_eq(store_history(stage_store, &(struct store_query){ 0 }, &row), 0);
	cr_assert_eq(row.seq, 2, "asking for what is gone begins at the oldest");
	for (uint64_t seq = 1002; seq < 5002; seq += 400)
		stage_rows(seq, seq + 399, 0);
	tend_all(0);
	cr_assert_eq(store_oldest(stage_store), 4002);
	stage_reopen();
	cr_assert_eq(store_oldest(stage_store), 4002);
	cr_assert_eq(first_of("", "s1", 0), 4002);
	cr_assert_eq(store_head(stage_store).seq, 5001);
}

CONTRACT(what_is_too_old_goes)
{
	begin_again(10, 1000);
	stage_rows(1, 1, 5000);
	stage_rows(2, 2, 5500);
	stage_rows(3, 3, 6000);
	tend_all(6000);
	cr_assert_eq(store_oldest(stage_store), 1, "exactly as old as allowed");
	tend_all(6001);
	cr_assert_eq(store_oldest(stage_store), 2);
	tend_all(4000);
	cr_assert_eq(store_oldest(stage_store), 2, "the wall clock was set back");
	stage_rows(4, 4, 1);
	tend_all(6500);
	cr_assert_eq(store_oldest(stage_store), 2, "an old row behind a young one stays");
	tend_all(7001);
	stage_reopen();
	cr_assert_eq(store_oldest(stage_store), 0);
	cr_assert_eq(store_head(stage_store).seq, 4, "the head stays when all rows went");
	stage_rows(5, 6, 7001);
	stage_reopen();
	cr_assert_eq(store_oldest(stage_store), 5);
	tend_all(8002);
	cr_assert_eq(store_oldest(stage_store), 0);
}

/* Against a model -------------------------------------------------------------------------- */

#define KEYS 40

static int model[KEYS]; /* 0: not there */

static int compare_record(void *context, struct text key, struct text data)
{
	int *count = context, slot, value;
	char buffer[16];

	slot = atoi(text_put(key, buffer, sizeof buffer));
	value = atoi(text_put(data, buffer, sizeof buffer));
	cr_assert_eq(value, model[slot]);
	(*count)++;
	return 0;
}

static void random_batch(struct prng *prng)
{
	static char texts[KEYS][2][16];
	struct store_put puts[KEYS];
	size_t count = 0;

	for (int slot = 0; slot < KEYS; slot++) {
		if (!prng_one_in(prng, 4))
			continue;
		model[slot] = prng_one_in(prng, 3) ? 0 : (int)prng_below(prng, 1000000) + 1;
		(void)snprintf(texts[slot][0], sizeof texts[slot][0], "%d", slot);
		(void)snprintf(texts[slot][1], sizeof texts[slot][1], "%d", model[slot]);
		puts[count++] = (struct store_put){ text_of(texts[slot][0]),
						    model[slot] ? text_of(texts[slot][1])
								: (struct text){ NULL, 0 } };
	}
	stage_commit(&(struct store_batch){ .puts = puts, .put_count = count });
}

CONTRACT(random_batches_agree_with_a_model)
{
	struct prng prng = { 1 };

	for (int round = 0; round < 300; round++) {
		int there = 0, loaded = 0;

		random_batch(&prng);
		if (prng_one_in(&prng, 20))
			stage_reopen();
		for (int slot = 0; slot < KEYS; slot++)
			there += model[slot] != 0;
		cr_assert_eq(store_load(stage_store, compare_record, &loaded), 0);
		cr_assert_eq(loaded, there);
	}
}

/* The front -------------------------------------------------------------------------------- */

static void open_refused(const char *uri, uint64_t rows_max, int64_t age_ms)
{
	struct store_limits limits = { .history_rows_max = rows_max, .history_age_ms = age_ms };
	struct store_fault fault = { 0 };
	struct store *out = NULL;

	cr_assert_eq(store_open(&out, uri, &limits, &fault), -EINVAL);
	cr_assert_null(out);
	cr_assert(fault.permanent);
	cr_assert_str_not_empty(fault.reason);
}

Test(store_open, what_it_does_not_know_is_refused)
{
	open_refused("memories", 10, 10);
	open_refused("memor", 10, 10);
	open_refused("", 10, 10);
	open_refused("sqlite", 10, 10);
	open_refused("etcd:x", 10, 10);
	open_refused("sqlite:", 10, 10);
	open_refused("sqlite::memory:", 10, 10);
}

Test(store_open, a_history_must_hold_something)
{
	open_refused("memory", 0, 10);
	open_refused("memory", 10, 0);
}

Test(store_open, closing_nothing_is_allowed)
{
	store_close(NULL);
}
