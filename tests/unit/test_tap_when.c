/* SPDX-License-Identifier: MIT */
/* Goal: a moment means what people mean by it, and what is none is refused.  Method: every form,
 * one past each of its limits, in two time zones.
 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <time.h>

#include "actors/tap/tap_when.h"

#define NOW_MS INT64_C(1764000000000) /* 2025-11-24 16:00:00 UTC */

static void setup(void)
{
	cr_assert_eq(setenv("TZ", "UTC", 1), 0);
	tzset();
}

TestSuite(when, .init = setup);

static void expect_time(const char *written, int64_t at_ms)
{
	struct when when;

	cr_expect(when_parse(written, NOW_MS, &when), "%s", written);
	cr_expect_eq(when.kind, WHEN_TIME, "%s", written);
	cr_expect_eq(when.at_ms, at_ms, "%s is %lld", written, (long long)when.at_ms);
}

Test(when, nothing_is_no_moment)
{
	struct when when;

	cr_assert(when_parse(NULL, NOW_MS, &when));
	cr_assert_eq(when.kind, WHEN_NONE);
}

Test(when, a_number_is_a_seq)
{
	struct when when;

	cr_assert(when_parse("0", NOW_MS, &when));
	cr_assert_eq(when.kind, WHEN_SEQ);
	cr_assert_eq(when.seq, 0);
	cr_assert(when_parse("999999999999999999", NOW_MS, &when));
	cr_assert_eq(when.seq, UINT64_C(999999999999999999));
	cr_assert_not(when_parse("1000000000000000000", NOW_MS, &when), "a digit more");
}

Test(when, relative)
{
	expect_time("-90s", NOW_MS - 90000);
	expect_time("-1.5s", NOW_MS - 1500);
	expect_time("-5m", NOW_MS - 300000);
	expect_time("-1.5h", NOW_MS - 5400000);
	expect_time("-2d", NOW_MS - 172800000);
	expect_time("+30s", NOW_MS + 30000);
}

Test(when, of_the_clock)
{
	expect_time("10:11", NOW_MS - (5 * 60 + 49) * 60000);
	expect_time("10:11:12", NOW_MS - (5 * 60 + 49) * 60000 + 12000);
	expect_time("10:11:12.3456", NOW_MS - (5 * 60 + 49) * 60000 + 12345);
	expect_time("2025-11-24", NOW_MS - 16 * 3600000);
	expect_time("2025-11-24T16:00", NOW_MS);
	expect_time("2025-11-24 16:00:01.5", NOW_MS + 1500);
	expect_time("@1764000000", NOW_MS);
	expect_time("@1764000000.25", NOW_MS + 250);
}

Test(when, local_unless_it_says_utc)
{
	cr_assert_eq(setenv("TZ", "XXX-2", 1), 0); /* two hours east */
	tzset();
	expect_time("2025-11-24T18:00", NOW_MS);
	expect_time("2025-11-24T16:00Z", NOW_MS);
	expect_time("18:00:00", NOW_MS);
}

Test(when, what_is_no_moment)
{
	static const char *const wrong[] = {
		"",
		"-",
		"-5",
		"-5x",
		"-5mm",
		"5m",
		"--5m",
		"-1.s",
		"24:00",
		"10:60",
		"10:11:60",
		"1:2:3",
		"10:1",
		"10:11:",
		"10:11:12.",
		"2025-13-01",
		"2025-00-1",
		"2025-11-32",
		"2025-1-1",
		"2025-11-24T",
		"2025-11-24x",
		"@",
		"@x",
		"@1.2.3",
		"now",
		"12:00:00ZZ",
		"-9999999999s",
		"2025-11-24T16:00:00.000000000000000000000000000",
	};
	struct when when;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)

		cr_expect_not(when_parse(wrong[i], NOW_MS, &when), "%s", wrong[i]);
}
