/* SPDX-License-Identifier: MIT */
/* Goal: what is not what was committed is never given out, costs nothing else, and stays to be
 * looked at.  Method: bytes are changed in records of every kind and in rows, by another connection
 * or, in memory, by the engine's own hand; the moved ones are counted and found again.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "common/store_engine.h"
#include "tests/lib/store_stage.h"

TestSuite(store_damage, .init = stage_begin, .fini = stage_end);

#define KINDS 5

static const char *const keys[KINDS] = { "u/alice@x", "g/000000000000002a", "m", "m2",
					 "p/gateway/gateway-1" };

static void execute(const char *format, const char *argument)
{
	char *sql = sqlite3_mprintf(format, argument);
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(stage_path(""), &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql,
		     sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
	sqlite3_free(sql);
}

/* Changes bytes in the file, so that the index stays as it was. */
static void change_bytes(const char *from, const char *to, unsigned which)
{
	static char image[1 << 20];
	FILE *file = fopen(stage_path(""), "r+b");
	size_t length, size = strlen(from);

	cr_assert_not_null(file);
	length = fread(image, 1, sizeof image, file);
	cr_assert_lt(length, sizeof image);
	cr_assert_eq(size, strlen(to));
	for (size_t at = 0; at + size <= length; at++) {
		if (memcmp(image + at, from, size) != 0 || which-- > 0)
			continue;
		cr_assert_eq(fseek(file, (long)at, SEEK_SET), 0);
		cr_assert_eq(fwrite(to, 1, size, file), size);
		break;
	}
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(which, UINT_MAX, "%s is there", from);
}

static int list_key(void *context, struct text key, struct text data)
{
	char *list = context;

	(void)data;
	(void)strncat(list, key.bytes, key.length);
	(void)strcat(list, " ");
	return 0;
}

static const char *damaged(void)
{
	static char list[1024];

	*list = '\0';
	cr_assert_eq(store_load_damaged(stage_store, list_key, list), 0);
	return list;
}

static void move(struct text key)
{
	const struct store_move moved = { .key = key, .reason = DAMAGE_CHECK };

	stage_commit(&(struct store_batch){ .moves = &moved,
					    .move_count = 1,
					    .next_epoch = store_head(stage_store).next_epoch });
}

static void make(void)
{
	stage_open("sqlite", &stage_limits);
	for (int i = 0; i < KINDS; i++)
		stage_put(keys[i], "bytes");
	stage_rows(1, 6, 100);
}

Test(store_damage, a_value_of_any_kind)
{
	make();
	for (int i = 0; i < KINDS; i++) {
		char alone[64];

		stage_close();
		execute("UPDATE record SET data = 'bytez' WHERE key = %Q", keys[i]);
		stage_open("sqlite", &stage_limits);
		(void)snprintf(alone, sizeof alone, "%s ", keys[i]);
		cr_assert_str_eq(damaged(), alone);
		cr_assert_null(strstr(stage_records(), "bytez"), "it is not given out");
		move(text_of(keys[i]));
		cr_assert_str_eq(damaged(), "");
		cr_assert_eq(store_quarantined(stage_store), (uint64_t)i + 1);
		stage_put(keys[i], "anew");
	}
	stage_reopen();
	cr_assert_eq(store_quarantined(stage_store), KINDS, "they are still there");
	cr_assert_str_eq(stage_records(), "g/000000000000002a=anew m2=anew m=anew "
					  "p/gateway/gateway-1=anew u/alice@x=anew");
}

Test(store_damage, its_bytes_are_kept_with_the_reason)
{
	sqlite3_stmt *statement;
	sqlite3 *db;

	make();
	stage_close();
	execute("UPDATE record SET data = 'bytez' WHERE key = %Q", keys[0]);
	stage_open("sqlite", &stage_limits);
	move(text_of(keys[0]));
	stage_close();
	cr_assert_eq(sqlite3_open(stage_path(""), &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, "SELECT key, data, reason, seq FROM quarantine", -1,
					&statement, NULL),
		     SQLITE_OK);
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
	cr_assert_str_eq((const char *)sqlite3_column_text(statement, 0), keys[0]);
	cr_assert_str_eq((const char *)sqlite3_column_text(statement, 1), "bytez");
	cr_assert_str_eq((const char *)sqlite3_column_text(statement, 2), "check");
	cr_assert_eq(sqlite3_column_int64(statement, 3), 6);
	cr_assert_eq(sqlite3_step(statement), SQLITE_DONE);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
}

/* One place is the table's, the other the index's: whichever it is, the next record of that key is
 * the only one.
 */
Test(store_damage, a_key)
{
	unsigned in_table = 0;

	for (unsigned which = 0; which < 2; which++) {
		make();
		stage_close();
		change_bytes("u/alice@x", "u/alicf@x", which);
		stage_open("sqlite", &stage_limits);
		if (*damaged()) {
			cr_assert_str_eq(damaged(), "u/alicf@x ");
			move(TEXT("u/alicf@x"));
			in_table++;
		}
		cr_assert_str_eq(damaged(), "");
		stage_put("u/alice@x", "anew");
		stage_reopen();
		cr_assert_not_null(strstr(stage_records(), "u/alice@x=anew"));
		cr_assert_null(strstr(stage_records(), "u/alice@x=bytes"), "%u: %s", which,
			       stage_records());
		stage_end();
		stage_begin();
	}
	cr_assert_eq(in_table, 1);
}

/* What was a text is none any more, in the table only: SQLite finds it by no key. */
Test(store_damage, the_type_of_a_key)
{
	for (unsigned value = 0; value < 2; value++) {
		make();
		stage_close();
		change_bytes("\x04\x1f\x16\x06u/alice@xbytes",
			     value ? "\x04\x1e\x16\x06u/alice@xbytez"
				   : "\x04\x1e\x16\x06u/alice@xbytes",
			     0);
		stage_open("sqlite", &stage_limits);
		cr_assert_str_eq(damaged(), "u/alice@x ", "value %u", value);
		cr_assert_null(strstr(stage_records(), "alice"));
		move(TEXT("u/alice@x"));
		cr_assert_str_eq(damaged(), "");
		cr_assert_eq(store_quarantined(stage_store), 1);
		stage_put("u/alice@x", "anew");
		cr_assert_not_null(strstr(stage_records(), "u/alice@x=anew"));
		stage_reopen();
		cr_assert_str_eq(damaged(), "");
		stage_end();
		stage_begin();
	}
}

Test(store_damage, keys_that_are_none)
{
	const struct store_move moved[] = { { .reason = DAMAGE_CHECK },
					    { .reason = DAMAGE_CHECK } };

	make();
	stage_close();
	execute("UPDATE record SET key = NULL WHERE key IN ('m', %Q)", "u/alice@x");
	stage_open("sqlite", &stage_limits);
	cr_assert_str_eq(damaged(), "  ");
	stage_commit(&(struct store_batch){ .moves = moved,
					    .move_count = 2,
					    .next_epoch = store_head(stage_store).next_epoch });
	cr_assert_str_eq(damaged(), "");
	cr_assert_eq(store_quarantined(stage_store), 2);
	stage_reopen();
	cr_assert_str_eq(damaged(), "");
	cr_assert_eq(store_quarantined(stage_store), 2);
}

/* Nobody could name it in a batch. */
Test(store_damage, a_key_that_is_too_long)
{
	struct store_move moved = { .reason = DAMAGE_CHECK };
	const char *key;

	make();
	stage_close();
	execute("UPDATE record SET key = printf('%%*c', 400, 'k') WHERE key = %Q", "u/alice@x");
	stage_open("sqlite", &stage_limits);
	key = damaged();
	cr_assert_eq(strlen(key), 401);
	moved.key_hash = store_key_hash((struct text){ key, 400 });
	stage_commit(&(struct store_batch){ .moves = &moved,
					    .move_count = 1,
					    .next_epoch = store_head(stage_store).next_epoch });
	cr_assert_str_eq(damaged(), "");
	cr_assert_eq(store_quarantined(stage_store), 1);
	stage_put("u/alice@x", "anew");
}

/* What is not there is not counted. */
Test(store_damage, a_key_of_nobody_is_not_moved)
{
	make();
	move(TEXT("u/nobody"));
	cr_assert_eq(store_quarantined(stage_store), 0);
	stage_reopen();
	cr_assert_eq(store_quarantined(stage_store), 0);
}

/* Which of the two is right cannot be known by the key that both have. */
Test(store_damage, a_key_that_became_that_of_another)
{
	unsigned refused = 0;
	char list[64];

	for (unsigned which = 0; which < 2; which++) {
		make();
		stage_put("u/alicf@x", "another");
		stage_close();
		change_bytes("u/alice@x", "u/alicf@x", which);
		stage_open("sqlite", &stage_limits);
		*list = '\0';
		if (store_load_damaged(stage_store, list_key, list) == -EUCLEAN) {
			cr_assert_eq(store_load_damaged(stage_store, list_key, list), -EIO);
			cr_assert_not_null(strstr(store_trouble(stage_store), "constraint"));
			refused++;
		}
		stage_end();
		stage_begin();
	}
	cr_assert_eq(refused, 1);
}

Test(store_damage, a_check)
{
	make();
	stage_close();
	execute("UPDATE record SET xxh3 = xxh3 + 1 WHERE key = %Q", "m");
	stage_open("sqlite", &stage_limits);
	cr_assert_str_eq(damaged(), "m ");
}

static unsigned rows_of(struct text stream_id)
{
	struct store_query query = { .stream_id = stream_id };
	struct store_row row;
	unsigned count = 0;

	while (store_history(stage_store, &query, &row) == 0) {
		query.from = row.seq + 1;
		cr_assert_neq(row.seq, 3);
		cr_assert_neq(row.seq, 4);
		count++;
	}
	return count;
}

Test(store_damage, rows_are_passed_over_and_counted)
{
	make();
	stage_close();
	execute("UPDATE history SET data = 'f' WHERE seq = 3", "");
	execute("UPDATE history SET at_ms = at_ms + 1 WHERE seq = 4", "");
	stage_open("sqlite", &stage_limits);
	cr_assert_eq(rows_of((struct text){ 0 }), 4);
	cr_assert_eq(store_rows_damaged(stage_store), 2);
	cr_assert_eq(rows_of(TEXT("s1")), 4, "by its stream as well");
	cr_assert_eq(store_rows_damaged(stage_store), 4);
	stage_rows(7, 7, 100);
	cr_assert_eq(rows_of((struct text){ 0 }), 5, "and it goes on");
}

/* A wall clock that moves on by itself, for a year, in steps that are believed. */
static void a_year(void)
{
	for (int64_t ms = 1000, end = ms + INT64_C(31536000000); ms < end; ms += 1800000)
		(void)store_tend(stage_store, &(struct store_time){ .wall_ms = ms, .now_ms = ms });
	cr_assert(!store_clock_doubted(stage_store));
}

static const struct store_limits an_hour = { .history_rows_max = 100000,
					     .history_age_ms = 3600000,
					     .reserve_bytes = STAGE_RESERVE };

/* The oldest, one in between, and the newest. */
Test(store_damage, the_time_of_a_row_holds_nothing_up)
{
	make();
	stage_close();
	execute("UPDATE history SET at_ms = 1 << 50 WHERE seq IN (1, 3)", "");
	stage_open("sqlite", &an_hour);
	a_year();
	cr_assert_eq(store_oldest(stage_store), 0);
	stage_rows(7, 9, INT64_C(31536000000));
	stage_close();
	execute("UPDATE history SET at_ms = 5 WHERE seq = 7", "");
	stage_open("sqlite", &an_hour);
	(void)store_tend(stage_store, &(struct store_time){ .wall_ms = INT64_C(31536000000) });
	cr_assert_eq(store_oldest(stage_store), 7, "it is as old as the next one");
}

static void tend_until_idle(int64_t ms)
{
	while (store_tend(stage_store, &(struct store_time){ .wall_ms = ms, .now_ms = ms }))
		;
}

/* The wall clock was wrong for a moment, or for long. */
static void ahead_for(const char *engine, uint64_t rows)
{
	const int64_t now_ms = 1000 + INT64_C(31536000000);

	stage_open(engine, &an_hour);
	stage_rows(1, 2, 1000);
	stage_rows(3, 2 + rows, INT64_C(1) << 50);
	a_year();
	cr_assert_eq(store_oldest(stage_store), 3, "nothing tells how old they are");
	stage_rows(3 + rows, 8 + rows, now_ms);
	tend_until_idle(now_ms + an_hour.history_age_ms);
	cr_assert_eq(store_oldest(stage_store), 3);
	tend_until_idle(now_ms + an_hour.history_age_ms + 1);
	cr_assert_eq(store_oldest(stage_store), 0);
}

Test(store_damage, rows_of_a_time_that_has_not_come_hold_nothing_up)
{
	static const uint64_t counts[] = { 1, 2 * STORE_SCAN_MAX + 1 };

	for (unsigned i = 0; i < 4; i++) {
		ahead_for(i % 2 ? "memory" : "sqlite", counts[i / 2]);
		stage_end();
		stage_begin();
	}
}

Test(store_damage, a_commit_that_fails_moves_nothing)
{
	const struct store_move moved = { .key = TEXT("m"), .reason = DAMAGE_CHECK };
	const struct store_move nameless = { .key = TEXT("m"), .reason = DAMAGE_NONE };
	struct store_batch batch = { .moves = &nameless, .move_count = 1 };

	make();
	cr_assert_eq(store_commit(stage_store, &batch), -EINVAL, "without a reason");
	batch.moves = &moved;
	batch.rows = &(struct store_row){ .seq = 99 };
	batch.row_count = 1;
	cr_assert_eq(store_commit(stage_store, &batch), -EINVAL);
	cr_assert_eq(store_quarantined(stage_store), 0);
	cr_assert_not_null(strstr(stage_records(), "m=bytes"));
}

Test(store_damage, in_memory)
{
	struct text key;

	stage_open("memory", &stage_limits);
	cr_assert(!store_memory_rot(stage_store, 0, 0, &key), "there is nothing yet");
	stage_put("u/alice@x", "bytes");
	stage_put("u/bob@x", "bytes");
	for (uint64_t bit = 0; bit < 40; bit++) {
		cr_assert(store_memory_rot(stage_store, 1, bit, &key));
		cr_assert(text_is(key, "u/bob@x"));
		cr_assert_str_eq(damaged(), "u/bob@x ");
		cr_assert_str_eq(stage_records(), "u/alice@x=bytes");
		cr_assert(store_memory_rot(stage_store, 1, bit, &key));
		cr_assert_str_eq(damaged(), "", "the same bit once more");
	}
	cr_assert(store_memory_rot(stage_store, 1, 7, &key));
	move(key);
	cr_assert_str_eq(damaged(), "");
	cr_assert_eq(store_quarantined(stage_store), 1);
	stage_put("u/bob@x", "anew");
	cr_assert_str_eq(stage_records(), "u/alice@x=bytes u/bob@x=anew");
}
