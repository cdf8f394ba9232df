/* SPDX-License-Identifier: MIT */
/* store_sqlite.h - the insides of the SQLite engine: how it runs (store_sqlite.c), how it
 * comes to be (store_sqlite_open.c) and how its records are read (store_sqlite_records.c).  Only
 * these see SQLite, and they see it here.
 */
#pragma once

#include <sqlite3.h>

#include "common/store_engine.h"
#include "common/store_files.h"

#define ROWS_AHEAD 64 /* of history, read at once by whoever reads row after row */

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	HEAD_SET,
	RECORD_PUT,
	RECORD_DELETE,
	RECORD_FIND,
	RECORD_COPY,
	RECORD_LEAVE,
	RECORDS,
	RECORD_KEYS,
	ROW_PUT,
	ROWS,
	ROWS_OF_STREAM,
	ROWS_AGE,
	ROWS_PRUNE,
	DOUBT_SET,
	STATEMENT_COUNT,
};

struct sqlite {
	struct store base;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct store_reserve reserve;
	int wal_pages; /* in the log and not known to be in the database */
	int wal_stuck; /* so many when a checkpoint last found the disk full */
	struct {
		uint64_t gone; /* rows before it are too old */
		uint64_t next; /* and those before it have no time that can be believed */
		int64_t at_ms; /* of the row @next */
		bool known; /* @at_ms is */
	} age;
	/* What the last whole store_load() has seen, until the next commit. */
	struct {
		bool known;
		uint64_t damaged; /* records that it left out */
		uint64_t keys; /* sum of the checks of all keys */
	} loaded;
	/* Where damaged records lie, as of the last load of them: their keys cannot be trusted. */
	struct sqlite_damaged {
		int64_t rowid;
		uint64_t key_hash;
		bool moving, moved; /* in the open transaction; durably */
	} * damaged;
	size_t damaged_count, damaged_size;
	uint64_t moved_count; /* by the open transaction */
	char path[STORE_PATH_MAX + 1];
	char scratch[STORE_ROW_MAX]; /* the row that store_history() gave out, and those ahead */
	struct {
		struct store_row rows[ROWS_AHEAD];
		unsigned count, next; /* of them; those before next were given out */
		uint64_t given; /* seq of the row that was given out last */
	} ahead;
};

static inline struct sqlite *sqlite_of(struct store *store)
{
	return (struct sqlite *)store;
}

/* sqlite_full() - is this result of SQLite a full disk? */
static inline bool sqlite_full(int code)
{
	return (code & 0xff) == SQLITE_FULL;
}

static inline sqlite3_stmt *bind_number(sqlite3_stmt *statement, int index, int64_t number)
{
	(void)sqlite3_bind_int64(statement, index, number); /* cannot fail: the index is right */
	return statement;
}

/* An empty text may have no bytes at all, which SQLite would take for NULL. */
static inline void bind_text(sqlite3_stmt *statement, int index, struct text text)
{
	(void)sqlite3_bind_text(statement, index, text.length ? text.bytes : "", (int)text.length,
				SQLITE_STATIC);
}

static inline void bind_blob(sqlite3_stmt *statement, int index, struct text text)
{
	(void)sqlite3_bind_blob(statement, index, text.length ? text.bytes : "", (int)text.length,
				SQLITE_STATIC);
}

static inline struct text column_text(sqlite3_stmt *statement, int index)
{
	const char *bytes = sqlite3_column_blob(statement, index);

	return (struct text){ bytes, (uint32_t)sqlite3_column_bytes(statement, index) };
}

/* sqlite_step() - run a statement that gives no rows; it is reset at once, because an open one
 * would hold up COMMIT.
 *
 * Return: SQLITE_OK or what is wrong.
 */
int sqlite_step(struct sqlite *self, enum statement which);

/* sqlite_read_failed() - nothing is tried again on this handle: -EUCLEAN or -EIO. */
int sqlite_read_failed(struct sqlite *self, const char *doing, int code);

/* sqlite_checkpoint() - move the log into the database.
 *
 * Return: SQLITE_OK or what is wrong.  A full disk is no failure of the store: what was not moved
 * is durable where it is, and the reserve has been given up for it.
 */
int sqlite_checkpoint(struct sqlite *self, int mode);

/* sqlite_no_room() - no new work until there is a reserve again. */
void sqlite_no_room(struct sqlite *self);

/* sqlite_on_wal() - for sqlite3_wal_hook(). */
int sqlite_on_wal(void *context, sqlite3 *db, const char *name, int pages);

/* sqlite_open() - of struct store_engine, with our own schema. */
int sqlite_open(struct store **out, const char *path, const struct store_limits *limits,
		struct store_fault *fault);

/* sqlite_close() - of struct store_engine; takes what is half open. */
void sqlite_close(struct store *store);

/* sqlite_load() - of struct store_engine. */
int sqlite_load(struct store *store, bool damaged, store_record_fn *each, void *context);

/* sqlite_move() - the moves of @batch, in the open transaction: SQLITE_OK or what is wrong.
 * sqlite_moved() - it is durable.
 */
int sqlite_move(struct sqlite *self, const struct store_batch *batch);
void sqlite_moved(struct sqlite *self);
