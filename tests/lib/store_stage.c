/* SPDX-License-Identifier: MIT */
#include "tests/lib/store_stage.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define RING 10 /* numbered batches leave their number in one of so many records */

struct store *stage_store;
const struct store_limits stage_limits = { .history_rows_max = 100000,
					   .history_age_ms = INT64_C(1) << 40,
					   .reserve_bytes = STAGE_RESERVE };

static char directory[256];
static const char *opened;
static struct store_limits limits_used;

void stage_begin(void)
{
	const char *scratch = getenv("TMPDIR");

	(void)snprintf(directory, sizeof directory, "%s/weir-store-XXXXXX",
		       scratch ? scratch : "/tmp");
	cr_assert_not_null(mkdtemp(directory));
}

const char *stage_directory(void)
{
	return directory;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
	(void)info;
	(void)flag;
	(void)walk;
	return remove(path);
}

void stage_end(void)
{
	stage_close();
	(void)umount(directory); /* nearly always: there is nothing */
	(void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *stage_path(const char *suffix)
{
	static char path[320];

	(void)snprintf(path, sizeof path, "%s/registry.db%s", directory, suffix);
	return path;
}

const char *stage_uri(void)
{
	static char uri[340];

	(void)snprintf(uri, sizeof uri, "sqlite:%s", stage_path(""));
	return uri;
}

void stage_open(const char *scheme, const struct store_limits *limits)
{
	struct store_fault fault = { 0 };
	int r;

	opened = scheme;
	limits_used = *limits;
	r = store_open(&stage_store, strcmp(scheme, "memory") == 0 ? "memory" : stage_uri(), limits,
		       &fault);
	cr_assert_eq(r, 0, "%d: %s", r, fault.reason);
}

void stage_close(void)
{
	store_close(stage_store);
	stage_store = NULL;
}

void stage_reopen(void)
{
	if (strcmp(opened, "memory") == 0)
		return;
	stage_close();
	stage_open(opened, &limits_used);
}

enum store_event_type stage_try(const struct store_batch *batch)
{
	struct store_event event;

	cr_assert_eq(store_commit(stage_store, batch), 0);
	cr_assert_eq(store_drive(stage_store, 1, &event), 0);
	cr_assert_eq(event.seq, store_head(stage_store).seq);
	return event.type;
}

void stage_commit(const struct store_batch *batch)
{
	enum store_event_type type = stage_try(batch);

	cr_assert_eq(type, STORE_COMMITTED, "%d: %s", (int)type, store_trouble(stage_store));
}

void stage_rows(uint64_t first, uint64_t last, int64_t at_ms)
{
	static struct store_row rows[20000];
	size_t count = last - first + 1;

	cr_assert_leq(count, sizeof rows / sizeof rows[0]);
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct store_row){ .seq = first + i,
					      .at_ms = at_ms,
					      .user_id = TEXT("u1"),
					      .stream_id = TEXT("s1"),
					      .event = TEXT("e") };
	stage_commit(&(struct store_batch){ .rows = rows,
					    .row_count = count,
					    .next_epoch = store_head(stage_store).next_epoch });
}

void stage_put(const char *key, const char *data)
{
	struct store_put put = { text_of(key), text_of(data) };

	stage_commit(&(struct store_batch){
		.puts = &put, .put_count = 1, .next_epoch = store_head(stage_store).next_epoch });
}

#define LISTED_MAX 64

struct listing {
	char records[LISTED_MAX][1100];
	size_t count;
};

static int list_record(void *context, struct text key, struct text data)
{
	struct listing *listing = context;
	char *record = listing->records[listing->count];

	cr_assert_lt(listing->count, LISTED_MAX);
	cr_assert_lt((size_t)snprintf(record, sizeof *listing->records, "%.*s=%.*s",
				      (int)key.length, key.bytes, (int)data.length, data.bytes),
		     sizeof *listing->records);
	listing->count++;
	return 0;
}

static int compare_records(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *stage_records(void)
{
	static struct listing listing;
	static char text[8192];
	size_t used = 0;
	int r;

	listing.count = 0;
	*text = '\0';
	r = store_load(stage_store, list_record, &listing);
	cr_assert_eq(r, 0, "%d: %s", r, store_trouble(stage_store));
	qsort(listing.records, listing.count, sizeof *listing.records, compare_records);
	for (size_t i = 0; i < listing.count; i++) {
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "",
					 listing.records[i]);
		cr_assert_lt(used, sizeof text);
	}
	return text;
}

/* Numbered batches ------------------------------------------------------------------------- */

static struct text number_text(char *buffer, size_t size, const char *prefix, uint64_t number)
{
	int length = snprintf(buffer, size, "%s%llu", prefix, (unsigned long long)number);

	return (struct text){ buffer, (uint32_t)length };
}

/* One record that is always there, one of ten, and one that the next batch takes away. */
enum store_event_type stage_try_number(uint64_t number)
{
	static char bulk[900]; /* what a record weighs */
	char value[24], ring[24], brief[24], gone[24], event[24];
	struct text text = number_text(value, sizeof value, "", number);
	struct store_row rows[2];
	struct store_put puts[] = {
		{ TEXT("bulk"), { bulk, sizeof bulk } },
		{ TEXT("last"), text },
		{ number_text(ring, sizeof ring, "ring", number % RING), text },
		{ number_text(brief, sizeof brief, "brief", number), text },
		{ number_text(gone, sizeof gone, "brief", number - 1), { NULL, 0 } },
	};

	memset(bulk, (int)('a' + number % 26), sizeof bulk);
	for (uint64_t i = 0; i < 2; i++)
		rows[i] = (struct store_row){
			.seq = 2 * number - 1 + i,
			.at_ms = (int64_t)number,
			.user_id = TEXT("u1"),
			.stream_id = text,
			.event = number_text(event, sizeof event, "event", number),
		};
	return stage_try(&(struct store_batch){ .rows = rows,
						.row_count = 2,
						.puts = puts,
						.put_count = sizeof puts / sizeof puts[0],
						.next_epoch = number });
}

static uint64_t number_of(struct text text)
{
	char buffer[24];

	return strtoull(text_put(text, buffer, sizeof buffer), NULL, 10);
}

struct audit {
	uint64_t number;
	size_t records;
};

static int audit_record(void *context, struct text key, struct text data)
{
	struct audit *audit = context;
	uint64_t number = audit->number, slot;

	audit->records++;
	if (text_is(key, "bulk")) {
		cr_assert_eq(data.length, 900);
		for (uint32_t i = 0; i < data.length; i++)
			cr_assert_eq(data.bytes[i], (char)('a' + number % 26));
		return 0;
	}
	if (key.length > 4 && memcmp(key.bytes, "ring", 4) == 0) {
		slot = number_of((struct text){ key.bytes + 4, key.length - 4 });
		number -= (number + RING - slot) % RING;
	} else if (!text_is(key, "last")) {
		slot = number_of((struct text){ key.bytes + 5, key.length - 5 });
		cr_assert_eq(slot, number, "brief%llu outlived its batch",
			     (unsigned long long)slot);
	}
	cr_assert_eq(number_of(data), number);
	return 0;
}

uint64_t stage_audit(void)
{
	struct store_head head = store_head(stage_store);
	struct audit audit = { .number = head.next_epoch };
	struct store_query query = { .from = store_oldest(stage_store) };
	struct store_row row;
	int r;

	cr_assert_eq(head.seq, 2 * audit.number);
	r = store_load(stage_store, audit_record, &audit);
	cr_assert_eq(r, 0);
	if (audit.number > 0)
		cr_assert_eq(audit.records, 3 + (audit.number < RING ? audit.number : RING));
	else
		cr_assert_eq(audit.records, 0);
	for (; query.from > 0 && query.from <= head.seq; query.from++) {
		cr_assert_eq(store_history(stage_store, &query, &row), 0);
		cr_assert_eq(row.seq, query.from, "history is dense");
		cr_assert_eq(number_of(row.stream_id), (row.seq + 1) / 2);
	}
	cr_assert_eq(store_history(stage_store, &query, &row), STORE_E_END);
	return audit.number;
}
