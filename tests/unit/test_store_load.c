/* SPDX-License-Identifier: MIT */
/* Goal: a store of 100,000 records of 900 bytes is written and loaded, whole.  The times are
 * printed, not judged.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/store.h"
#include "tests/lib/store_stage.h"

#define RECORDS 100000
#define PER_COMMIT 64
#define RECORD_BYTES 900

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Keys in a random-looking order, each once: 7919 has no divisor in common with the count. */
static uint32_t key_number(uint32_t index)
{
	return (uint32_t)((uint64_t)index * 7919 % RECORDS);
}

static void write_records(void)
{
	static char keys[PER_COMMIT][24], data[PER_COMMIT][RECORD_BYTES];
	struct store_put puts[PER_COMMIT];

	for (uint32_t first = 0; first < RECORDS; first += PER_COMMIT) {
		uint32_t count = RECORDS - first < PER_COMMIT ? RECORDS - first : PER_COMMIT;

		for (uint32_t i = 0; i < count; i++) {
			uint32_t number = key_number(first + i);

			(void)snprintf(keys[i], sizeof keys[i], "user%06u", number);
			memset(data[i], (int)('a' + number % 26), RECORD_BYTES);
			puts[i] = (struct store_put){ text_of(keys[i]), { data[i], RECORD_BYTES } };
		}
		stage_commit(&(struct store_batch){ .puts = puts, .put_count = count });
	}
}

struct seen {
	bool keys[RECORDS];
	uint32_t count;
};

static int check_record(void *context, struct text key, struct text data)
{
	struct seen *seen = context;
	char terminated[24] = "";
	unsigned number;

	cr_assert_lt(key.length, sizeof terminated);
	memcpy(terminated, key.bytes, key.length);
	cr_assert_eq(sscanf(terminated, "user%u", &number), 1);
	cr_assert(number < RECORDS && !seen->keys[number], "%u", number);
	cr_assert_eq(data.length, RECORD_BYTES);
	cr_assert_eq(data.bytes[0], (char)('a' + number % 26));
	cr_assert_eq(data.bytes[RECORD_BYTES - 1], (char)('a' + number % 26));
	seen->keys[number] = true;
	seen->count++;
	return 0;
}

static void write_and_load(const char *scheme)
{
	static struct seen seen;
	int64_t written_us, opened_us, start_us;

	stage_begin();
	stage_open(scheme, &stage_limits);
	start_us = now_us();
	write_records();
	written_us = now_us() - start_us;
	stage_close();
	start_us = now_us();
	stage_open(scheme, &stage_limits);
	opened_us = now_us() - start_us;
	if (*scheme == 'm')
		write_records();
	start_us = now_us();
	cr_assert_eq(store_load(stage_store, check_record, &seen), 0);
	cr_log_info("%s: %d records: written in %lld ms, opened in %lld ms, loaded in %lld ms",
		    scheme, RECORDS, (long long)written_us / 1000, (long long)opened_us / 1000,
		    (long long)(now_us() - start_us) / 1000);
	cr_assert_eq(seen.count, RECORDS);
}

Test(store_load, a_hundred_thousand_records_on_disk, .fini = stage_end)
{
	write_and_load("sqlite");
}

Test(store_load, a_hundred_thousand_records_in_memory, .fini = stage_end)
{
	write_and_load("memory");
}
