/* SPDX-License-Identifier: MIT */
/* store.h - where the registry's truth outlives it: records, the head, and the story's rows.
 *
 * Memory is the state, the store is its redo: records are opaque values by key, rows are encoded
 * story events.  Completion-based: a commit may be open for a while, one at a time; store_drive()
 * says when it is durable.  Engines that complete inside the call say so at the next
 * store_drive().  Engines: "memory" (tests, and systems that may forget), "sqlite:PATH".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"
#include "proto/words.h"

/* What uris of the engines are, or begin with. */
#define STORE_MEMORY "memory"
#define STORE_SQLITE "sqlite:"

#define STORE_SCHEMA 2 /* version of keys, values and checks; a store of another one is refused */
#define STORE_KEY_MAX 320 /* bytes */
#define STORE_VALUE_MAX 524288
#define STORE_ROW_MAX 65535 /* the three texts of a row together */
#define STORE_PATH_MAX 480 /* SQLite knows names of up to 512; ours grow by ".reserve" */
#define STORE_RESERVE_BYTES (16u << 20) /* room kept for the ends of streams on a full disk */
#define STORE_REASON_MAX 768 /* a path and a sentence */
#define STORE_SCAN_MAX 4096 /* rows looked at in one store_history() */
#define STORE_CLOCK_STEP_MS 3600000 /* a wall clock that steps further is not believed ... */
#define STORE_CLOCK_TRUST_MS 86400000 /* ... before it has kept its new time for a day */

struct store;

struct store_limits {
	uint64_t history_rows_max; /* at least 1 */
	int64_t history_age_ms; /* at least 1 */
	uint64_t reserve_bytes; /* 0: STORE_RESERVE_BYTES */
};

/* One story event; texts are borrowed for the call. */
struct store_row {
	uint64_t seq;
	int64_t at_ms; /* Unix time */
	struct text user_id, stream_id;
	struct text event; /* encoded, without secrets */
};

/* A record: put, or deleted if @data is empty. */
struct store_put {
	struct text key, data;
};

/* A record to be moved into quarantine, with its bytes, before the puts: nothing reads it there. */
struct store_move {
	/* As store_load() or store_load_damaged() gave it.  One longer than STORE_KEY_MAX is left
	 * out, and then @key_hash tells which it was.
	 */
	struct text key;
	enum damage reason;
	uint64_t key_hash; /* see store_key_hash(); 0: of @key */
};

struct store_batch {
	const struct store_row *rows; /* ascending, dense seq */
	size_t row_count;
	const struct store_move *moves;
	size_t move_count;
	const struct store_put *puts; /* keys differ */
	size_t put_count;
	uint64_t next_epoch; /* the head: larger than any epoch given out */
};

enum store_event_type {
	STORE_IDLE, /* nothing new */
	STORE_COMMITTED, /* the open commit is durable */
	STORE_FULL, /* no room: the commit had no effect and is no longer open; try it again */
	STORE_UNAVAILABLE, /* the open commit's fate is unknown; it is being repeated */
	STORE_BROKEN, /* the medium failed: release nothing, end; a restart recovers */
	STORE_LOST, /* somebody else leads: stop */
};

struct store_event {
	enum store_event_type type;
	uint64_t seq; /* STORE_COMMITTED: last seq that is durable */
};

struct store_head {
	uint64_t seq; /* of the last row ever committed; 0: none */
	uint64_t next_epoch; /* 0: none was ever given out */
};

/* Why a store could not be opened, for people; and whether trying again may help. */
struct store_fault {
	char reason[STORE_REASON_MAX]; /* what is wrong and what to do */
	bool permanent;
};

/* store_open() - open or create what @uri names, and recover it.
 *
 * Return: 0, or -errno with *@fault filled in: -EINVAL unknown engine or bad path, -EBUSY another
 * process has it, -EPROTO of a newer schema, -EUCLEAN corrupt or no store, -EROFS not a local file
 * system, else what the system said.
 */
int store_open(struct store **out, const char *uri, const struct store_limits *limits,
	       struct store_fault *fault);

/* store_close() - graceful: everything checkpointed.  NULL is fine. */
void store_close(struct store *store);

/* store_head() - what the last commit left; all zero for a fresh store. */
struct store_head store_head(const struct store *store);

/* store_load() - call @each for every record; it returns 0 to go on, or -errno to stop.
 *
 * Key and data are borrowed for the call.  The order says nothing.  Records whose bytes are not
 * those that were committed are left out: store_load_damaged() gives these, and only these; it is
 * to be asked before the first commit, because it mends what stands in the way of moving them.
 * Return: 0, what @each said, or -errno.
 */
typedef int store_record_fn(void *context, struct text key, struct text data);
int store_load(struct store *store, store_record_fn *each, void *context);
int store_load_damaged(struct store *store, store_record_fn *each, void *context);

/* store_key_hash() - what tells keys of any length apart. */
uint64_t store_key_hash(struct text key);

/* store_commit() - make @batch durable as a whole or not at all.
 *
 * Ownership: @batch is borrowed for the call.  At most one commit is open.
 * Return: 0 (ask store_drive()), or -EINVAL, our own mistake: a batch beyond the limits, rows that
 * do not follow the head's seq, a next_epoch smaller than the head's, or a commit is still open.
 */
int store_commit(struct store *store, const struct store_batch *batch);

/* store_drive() - let the engine work; ask after every commit and when its time comes.
 *
 * An event is told once, but STORE_BROKEN for ever: whatever is done with a store after that.
 * Return: 0, or -errno.
 */
int store_drive(struct store *store, int64_t now_ms, struct store_event *event);

/* store_has_room() - false from STORE_FULL, or since the reserve had to be given up, until there
 * is room again: new work is to be refused, ends are still recorded.
 */
bool store_has_room(const struct store *store);

/* store_tend() - a small step of housekeeping for an idle moment: prune, checkpoint, restore the
 * reserve.
 *
 * Rows are pruned by age only while the wall clock is believed: see store_clock_doubted().
 * Return: true if more is to be done now.
 */
struct store_time {
	int64_t wall_ms; /* Unix time */
	int64_t now_ms; /* CLOCK_MONOTONIC */
};

bool store_tend(struct store *store, const struct store_time *time);

/* store_clock_doubted() - did the wall clock step by more than STORE_CLOCK_STEP_MS, or is it that
 * far ahead of the newest row since the store was opened?  Until it has stood by its new time for
 * STORE_CLOCK_TRUST_MS, or goes back to the old one, no row is too old.  A restart does not end
 * it.
 */
bool store_clock_doubted(const struct store *store);

/* store_history() - the first row with seq >= @query->from of this user and this stream (empty:
 * any).
 *
 * Texts are borrowed until the next call on @store.  Rows whose bytes are not those that were
 * committed are passed over and counted.
 * Return: 0; STORE_E_END if there is none; STORE_E_MORE if STORE_SCAN_MAX rows were looked at
 * without finding one: go on from out->seq; or -errno.
 */
enum {
	_STORE_E_SUCCESS,
	STORE_E_END,
	STORE_E_MORE,
};

struct store_query {
	uint64_t from;
	struct text user_id, stream_id;
};

int store_history(struct store *store, const struct store_query *query, struct store_row *out);

/* store_trouble() - why the store was full or broke last, for people; empty: it never was. */
const char *store_trouble(const struct store *store);

/* store_oldest() - seq of the oldest row kept; 0 if there is none. */
uint64_t store_oldest(const struct store *store);

/* store_quarantined() - records in quarantine, of this life and earlier ones.
 * store_rows_damaged() - how often store_history() has passed over a damaged row.
 */
uint64_t store_quarantined(const struct store *store);
uint64_t store_rows_damaged(const struct store *store);
