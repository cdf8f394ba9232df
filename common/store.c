/* SPDX-License-Identifier: MIT */
/* The store's front: which engine, which batches are right, what is said when. */
#include "common/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/error.h"
#include "common/store_engine.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const struct store_engine *const engines[] = {
	&store_memory_engine,
	&store_sqlite_engine,
};

/* What stays wrong until somebody changes the file, the configuration or the program. */
static bool is_permanent(int r)
{
	switch (-r) {
	case EINVAL:
	case EPROTO:
	case EUCLEAN:
	case EROFS:
	case EACCES:
	case EPERM:
	case EISDIR:
	case ENOTDIR:
	case ENAMETOOLONG:
		return true;
	}
	return false;
}

int store_refuse(struct store_fault *fault, int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(fault->reason, sizeof fault->reason, format, arguments);
	va_end(arguments);
	fault->permanent = is_permanent(r);
	return r;
}

enum store_event_type store_break(struct store *store, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(store->trouble, sizeof store->trouble, format, arguments);
	va_end(arguments);
	store->broken = true;
	return STORE_BROKEN;
}

static uint64_t check_text(struct text text, uint64_t seed)
{
	return XXH3_64bits_withSeed(text.bytes, text.length, seed);
}

uint64_t store_key_hash(struct text key)
{
	return check_text(key, 0);
}

uint64_t store_record_check(struct text key, struct text data)
{
	return check_text(data, check_text(key, 0));
}

uint64_t store_row_check(const struct store_row *row)
{
	const uint64_t numbers[] = { row->seq, (uint64_t)row->at_ms };
	uint64_t check = XXH3_64bits(numbers, sizeof numbers);

	check = check_text(row->user_id, check);
	check = check_text(row->stream_id, check);
	return check_text(row->event, check);
}

uint64_t store_head_check(const struct store_head *head)
{
	const uint64_t numbers[] = { head->seq, head->next_epoch };

	return XXH3_64bits(numbers, sizeof numbers);
}

bool store_row_matches(const struct store_query *query, const struct store_row *row)
{
	return (query->user_id.length == 0 || text_equal(query->user_id, row->user_id)) &&
	       (query->stream_id.length == 0 || text_equal(query->stream_id, row->stream_id));
}

bool store_too_old(const struct store *store, int64_t at_ms, int64_t now_ms)
{
	return at_ms < now_ms - store->limits.history_age_ms;
}

bool store_is_ahead(int64_t at_ms, int64_t now_ms)
{
	return at_ms > now_ms + STORE_CLOCK_STEP_MS;
}

int store_open(struct store **out, const char *uri, const struct store_limits *limits,
	       struct store_fault *fault)
{
	struct store_limits filled = *limits;

	if (limits->history_rows_max < 1 || limits->history_age_ms < 1)
		return store_refuse(fault, -EINVAL,
				    "a store must keep at least one row for one millisecond");
	if (filled.reserve_bytes == 0)
		filled.reserve_bytes = STORE_RESERVE_BYTES;
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
		const char *scheme = engines[i]->scheme;
		size_t length = strlen(scheme);

		if (strncmp(uri, scheme, length) == 0 &&
		    (uri[length] == '\0' || scheme[length - 1] == ':'))
			return engines[i]->open(out, uri + length, &filled, fault);
	}
	/* What was asked for stays out of the text: other kinds of stores have passwords in it. */
	return store_refuse(fault, -EINVAL, "no such kind of store: write memory or sqlite:PATH");
}

void store_close(struct store *store)
{
	if (store)
		store->engine->close(store);
}

struct store_head store_head(const struct store *store)
{
	return store->head;
}

int store_load(struct store *store, store_record_fn *each, void *context)
{
	return store->engine->load(store, false, each, context);
}

int store_load_damaged(struct store *store, store_record_fn *each, void *context)
{
	return store->engine->load(store, true, each, context);
}

static bool rows_ok(const struct store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->row_count; i++) {
		const struct store_row *row = &batch->rows[i];
		uint64_t length =
			(uint64_t)row->user_id.length + row->stream_id.length + row->event.length;

		if (row->seq != store->head.seq + 1 + i || length > STORE_ROW_MAX)
			return false;
	}
	return true;
}

static bool puts_ok(const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->put_count; i++) {
		const struct store_put *put = &batch->puts[i];

		if (put->key.length < 1 || put->key.length > STORE_KEY_MAX ||
		    put->data.length > STORE_VALUE_MAX)
			return false;
	}
	return true;
}

static bool moves_ok(const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->move_count; i++)
		if (batch->moves[i].key.length > STORE_KEY_MAX ||
		    batch->moves[i].reason == DAMAGE_NONE)
			return false;
	return true;
}

int store_commit(struct store *store, const struct store_batch *batch)
{
	if (store->open || batch->next_epoch < store->head.next_epoch ||
	    batch->next_epoch > INT64_MAX || !rows_ok(store, batch) || !puts_ok(batch) ||
	    !moves_ok(batch))
		return err_raise(-EINVAL);
	store->open = true;
	store->done.type = store->broken ? STORE_BROKEN : store->engine->commit(store, batch);
	if (store->done.type == STORE_COMMITTED) {
		store->head.seq += batch->row_count;
		store->head.next_epoch = batch->next_epoch;
	}
	return 0;
}

int store_drive(struct store *store, int64_t now_ms, struct store_event *event)
{
	(void)now_ms; /* no engine yet has times of its own */
	*event = (struct store_event){ .type = store->broken ? STORE_BROKEN : store->done.type,
				       .seq = store->head.seq };
	store->done.type = STORE_IDLE;
	store->open = false;
	return 0;
}

bool store_has_room(const struct store *store)
{
	return store->room;
}

/* Housekeeping ----------------------------------------------------------------------------- */

static bool is_step(int64_t from_ms, int64_t to_ms)
{
	int64_t step_ms;

	return __builtin_sub_overflow(to_ms, from_ms, &step_ms) || step_ms > STORE_CLOCK_STEP_MS ||
	       step_ms < -STORE_CLOCK_STEP_MS;
}

/* Nobody knows how long nothing ran: a clock far ahead of the newest row may be right or not. */
static bool is_far_ahead(struct store *store, int64_t wall_ms)
{
	const struct store_query query = { .from = store->head.seq };
	struct store_row newest;

	return store->head.seq > 0 && store_history(store, &query, &newest) == 0 &&
	       wall_ms > newest.at_ms && is_step(newest.at_ms, wall_ms);
}

/* A wall clock that steps ahead would make all of the history too old at once. */
static bool is_believed(struct store *store, const struct store_time *time)
{
	struct store_clock *clock = &store->clock;
	int64_t offset_ms = time->wall_ms - time->now_ms;

	if (!clock->seen)
		clock->known = !clock->doubted && !is_far_ahead(store, time->wall_ms);
	if (!clock->seen || is_step(clock->last_ms, offset_ms))
		clock->since_ms = time->now_ms;
	if (!clock->seen && clock->known)
		clock->believed_ms = offset_ms;
	clock->seen = true;
	clock->last_ms = offset_ms;
	clock->doubted = (!clock->known || is_step(clock->believed_ms, offset_ms)) &&
			 time->now_ms - clock->since_ms < STORE_CLOCK_TRUST_MS;
	if (!clock->doubted) {
		/* Clocks are slewed, and drift: what counts is the step. */
		clock->known = true;
		clock->believed_ms = offset_ms;
	}
	return !clock->doubted;
}

/* The rows of a doubted time are kept too, and would speak for it after a restart. */
static void keep_doubt(struct store *store)
{
	struct store_clock *clock = &store->clock;

	if (clock->kept == clock->doubted || !store->engine->keep_doubt || !store->room)
		return;
	if (store->engine->keep_doubt(store, clock->doubted) == STORE_COMMITTED)
		clock->kept = clock->doubted;
}

bool store_tend(struct store *store, const struct store_time *time)
{
	bool believed = !store->broken && is_believed(store, time);

	if (!store->broken)
		keep_doubt(store);
	/* It has read, and that may have shown that the medium failed. */
	return !store->broken &&
	       store->engine->tend(store, believed ? time->wall_ms : STORE_AGELESS_MS);
}

bool store_clock_doubted(const struct store *store)
{
	return store->clock.doubted;
}

int store_history(struct store *store, const struct store_query *query, struct store_row *out)
{
	return store->engine->history(store, query, out);
}

const char *store_trouble(const struct store *store)
{
	return store->trouble;
}

uint64_t store_oldest(const struct store *store)
{
	return store->oldest;
}

uint64_t store_quarantined(const struct store *store)
{
	return store->quarantined;
}

uint64_t store_rows_damaged(const struct store *store)
{
	return store->rows_damaged;
}
