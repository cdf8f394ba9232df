/* SPDX-License-Identifier: MIT */
/* Goal: whoever reads history row after row, for which the engine reads ahead, is given the same
 * rows as whoever asks for each by itself.  Method: rows of all sizes, told apart by their texts,
 * read on while other questions, commits and pruning come between.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/store_sqlite.h"
#include "tests/lib/store_stage.h"

#define ROWS (3 * ROWS_AHEAD + 7)
#define LARGE 30000 /* bytes of every tenth event: two fit into what is read ahead, not three */
#define AT_MS 1000

TestSuite(store_ahead, .init = stage_begin, .fini = stage_end);

static char event[STORE_ROW_MAX], user[16], stream[16];

/* The row @seq as it was committed; static. */
static struct store_row row_of(uint64_t seq)
{
	size_t length = seq % 10 == 0 ? LARGE : 1 + seq % 50;

	memset(event, (int)('a' + seq % 26), length);
	(void)snprintf(user, sizeof user, "u%u", (unsigned)seq % 3);
	(void)snprintf(stream, sizeof stream, "s%u", (unsigned)seq % 5);
	return (struct store_row){ .seq = seq,
				   .at_ms = AT_MS,
				   .user_id = text_of(user),
				   .stream_id = text_of(stream),
				   .event = { event, (uint32_t)length } };
}

static void commit_rows(uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last; seq++) {
		struct store_row row = row_of(seq);

		stage_commit(&(struct store_batch){ .rows = &row, .row_count = 1 });
	}
}

static void check(const struct store_row *got, uint64_t seq)
{
	struct store_row row = row_of(seq);

	cr_assert_eq(got->seq, seq);
	cr_assert_eq(got->at_ms, row.at_ms);
	cr_assert(text_equal(got->user_id, row.user_id));
	cr_assert(text_equal(got->stream_id, row.stream_id));
	cr_assert(text_equal(got->event, row.event), "the event of %llu", (unsigned long long)seq);
}

static void ask(struct store_query query, uint64_t seq)
{
	struct store_row row;

	cr_assert_eq(store_history(stage_store, &query, &row), 0);
	check(&row, seq);
}

static void ask_from(uint64_t from, uint64_t seq)
{
	ask((struct store_query){ .from = from }, seq);
}

static void ends_at(uint64_t from)
{
	struct store_row row;

	cr_assert_eq(store_history(stage_store, &(struct store_query){ .from = from }, &row),
		     STORE_E_END);
}

Test(store_ahead, rows_are_as_they_were_committed)
{
	stage_open("sqlite", &stage_limits);
	commit_rows(1, ROWS);
	for (uint64_t seq = 1; seq <= ROWS; seq++)
		ask_from(seq, seq);
	ends_at(ROWS + 1);
}

Test(store_ahead, other_questions_come_between)
{
	stage_open("sqlite", &stage_limits);
	commit_rows(1, ROWS);
	for (uint64_t seq = 1; seq + 5 <= ROWS; seq++) {
		ask_from(seq, seq);
		if (seq % 7 == 0) /* of the same stream, from the next row on */
			ask((struct store_query){ .from = seq + 1,
						  .stream_id = row_of(seq).stream_id },
			    seq + 5);
		if (seq % 11 == 0)
			ask((struct store_query){ .from = seq + 1, .user_id = row_of(seq).user_id },
			    seq + 3);
		if (seq % 13 == 0)
			ask_from(1, 1);
		if (seq % 17 == 0) /* once more */
			ask_from(seq, seq);
	}
}

Test(store_ahead, rows_that_came_later)
{
	stage_open("sqlite", &stage_limits);
	commit_rows(1, 10);
	for (uint64_t seq = 1; seq <= 10; seq++)
		ask_from(seq, seq);
	ends_at(11);
	commit_rows(11, 12);
	ask_from(11, 11);
	ask_from(12, 12);
	ends_at(13);
}

Test(store_ahead, rows_that_were_pruned_are_gone)
{
	struct store_limits limits = stage_limits;

	limits.history_rows_max = 20;
	stage_open("sqlite", &limits);
	commit_rows(1, 50);
	ask_from(1, 1);
	ask_from(2, 2);
	while (store_tend(stage_store, &(struct store_time){ .wall_ms = AT_MS }))
		;
	cr_assert_eq(store_oldest(stage_store), 31);
	ask_from(3, 31);
	ask_from(32, 32);
	ask_from(33, 33);
}
