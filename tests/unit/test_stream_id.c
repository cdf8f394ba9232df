/* SPDX-License-Identifier: MIT */
/* Goal: ids have the form devices and apps know (protocol.md 0) and never repeat.  Method: the form
 * of many, uniqueness over runs of epochs at both ends of the space, a few written down for ever.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/stream_id.h"

#define SPACE UINT64_C(3656158440062976) /* 36^10 */

static uint64_t value_of(const char *id)
{
	uint64_t value = 0;

	for (int i = 1; i <= STREAM_ID_DIGITS; i++) {
		const char *digits = "0123456789abcdefghijklmnopqrstuvwxyz";
		const char *at = strchr(digits, id[i]);

		cr_assert(at && id[i] != '\0', "%s is not of [a-z0-9]", id);
		value = value * 36 + (uint64_t)(at - digits);
	}
	return value;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void expect_unique(uint64_t first, size_t count)
{
	uint64_t *values = malloc(count * sizeof *values);

	for (size_t i = 0; i < count; i++) {
		char id[STREAM_ID_SIZE];

		stream_id_make('s', first + i, id);
		cr_assert_eq(strlen(id), 11, "%s", id);
		cr_assert_eq(id[0], 's');
		values[i] = value_of(id);
	}
	qsort(values, count, sizeof *values, compare);
	for (size_t i = 1; i < count; i++)
		cr_assert_neq(values[i - 1], values[i]);
	free(values);
}

Test(stream_id, unique_from_the_first_epoch)
{
	expect_unique(0, 200000);
}

Test(stream_id, unique_where_the_wall_clock_stands)
{
	expect_unique(UINT64_C(1764583200000000), 200000);
}

Test(stream_id, unique_at_the_end_of_the_space)
{
	expect_unique(SPACE - 100000, 200000); /* and on into the next round of it */
}

Test(stream_id, unique_with_wide_steps)
{
	/* Powers of the factors of the space are where a bad multiplier would fold. */
	static const uint64_t steps[] = { 2, 3, 36, 1 << 20, UINT64_C(3486784401), 1000000 };
	static uint64_t values[20000];

	for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
		for (uint64_t i = 0; i < 20000; i++) {
			char id[STREAM_ID_SIZE];

			stream_id_make('m', i * steps[s] % SPACE, id);
			values[i] = value_of(id);
		}
		qsort(values, 20000, sizeof values[0], compare);
		size_t repeated = 0;

		for (size_t i = 1; i < 20000; i++)
			repeated += values[i - 1] == values[i];
		/* 20000 * step passes the end of the space only for the widest: none does. */
		cr_assert_eq(repeated, 0, "step %llu", (unsigned long long)steps[s]);
	}
}

Test(stream_id, neighbours_do_not_look_alike)
{
	for (uint64_t epoch = 1; epoch < 2000; epoch++) {
		char a[STREAM_ID_SIZE], b[STREAM_ID_SIZE];
		int same = 0;

		stream_id_make('s', epoch, a);
		stream_id_make('s', epoch + 1, b);
		for (int i = 1; i <= STREAM_ID_DIGITS; i++)
			same += a[i] == b[i];
		cr_assert_lt(same, 7, "%s %s", a, b);
	}
}

static void expect_id(char letter, uint64_t epoch, const char *expected)
{
	char id[STREAM_ID_SIZE];

	stream_id_make(letter, epoch, id);
	cr_expect_str_eq(id, expected);
}

Test(stream_id, ids_once_given_out_stay_what_they_were)
{
	/* (epoch * 2718281828459045 + 314159265358979) mod 36^10, written in base 36. */
	expect_id('s', 0, "s33cyrv8qrn");
	expect_id('s', 1, "stuws7fy7qg");
	expect_id('m', 100, "mfmeq1dzvg7");
	expect_id('s', UINT64_C(1764583200000000), "sxiha1d6gzn");
	expect_id('m', SPACE - 1, "mcbt5caj9su");
}
