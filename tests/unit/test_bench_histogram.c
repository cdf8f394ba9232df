/* SPDX-License-Identifier: MIT */
/* Goal: the histogram of the benches forgets nothing and is wrong by 1 % at most.  Method: values
 * at every boundary between buckets, then random ones against a sorted array.
 */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "tests/bench/histogram.h"

static struct histogram histogram;

static void empty(void)
{
	histogram = (struct histogram){ 0 };
}

Test(bench_histogram, nothing_has_no_percentile, .init = empty)
{
	cr_assert_eq(histogram_at(&histogram, 500), 0);
	cr_assert_eq(histogram.max, 0);
}

Test(bench_histogram, small_values_are_exact, .init = empty)
{
	for (uint64_t value = 0; value < 100; value++)
		histogram_add(&histogram, value);
	cr_assert_eq(histogram_at(&histogram, 500), 49);
	cr_assert_eq(histogram_at(&histogram, 990), 98);
	cr_assert_eq(histogram_at(&histogram, 1000), 99);
	cr_assert_eq(histogram_at(&histogram, 0), 0);
}

/* One value, and a larger one so that the bound of the first is not cut to it. */
static uint64_t bound_of(uint64_t value)
{
	empty();
	histogram_add(&histogram, value);
	histogram_add(&histogram, UINT64_MAX);
	return histogram_at(&histogram, 500);
}

Test(bench_histogram, every_power_of_two_within_a_hundredth)
{
	for (unsigned bit = 0; bit < 63; bit++)
		for (int step = -1; step <= 1; step++) {
			const uint64_t value = (UINT64_C(1) << bit) + (uint64_t)step;
			const uint64_t bound = bound_of(value);

			cr_assert_geq(bound, value);
			cr_assert_leq(bound - value, value / 100, "%llu: %llu",
				      (unsigned long long)value, (unsigned long long)bound);
		}
}

Test(bench_histogram, the_largest_value_has_a_bucket, .init = empty)
{
	histogram_add(&histogram, UINT64_MAX);
	cr_assert_eq(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
	cr_assert_eq(histogram_at(&histogram, 500), UINT64_MAX);
}

Test(bench_histogram, never_beyond_the_largest_value, .init = empty)
{
	histogram_add(&histogram, 1000001);
	cr_assert_eq(histogram_at(&histogram, 999), 1000001);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

Test(bench_histogram, as_a_sorted_array_within_a_hundredth, .init = empty)
{
	enum { COUNT = 20000 };
	static uint64_t values[COUNT];
	uint64_t state = 12345;

	for (unsigned i = 0; i < COUNT; i++) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		values[i] = state >> (24 + state % 40);
		histogram_add(&histogram, values[i]);
	}
	qsort(values, COUNT, sizeof values[0], by_value);
	cr_assert_eq(histogram.count, COUNT);
	cr_assert_eq(histogram.max, values[COUNT - 1]);
	for (unsigned per_mille = 1; per_mille <= 1000; per_mille++) {
		const uint64_t exact = values[COUNT * per_mille / 1000 - 1];
		const uint64_t found = histogram_at(&histogram, per_mille);

		cr_assert_geq(found, exact);
		cr_assert_leq(found - exact, exact / 100);
	}
}
