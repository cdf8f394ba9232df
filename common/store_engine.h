/* SPDX-License-Identifier: MIT */
/* store_engine.h - what stands behind store.h: engines, and what all of them share. */
#pragma once

#include "common/store.h"

/* The engines' own structs begin with this one.  store.c alone answers store_head(), store_drive()
 * and store_has_room() from it, and judges batches; engines keep oldest, the two
 * counts, room and broken true.
 */
struct store {
	const struct store_engine *engine;
	struct store_limits limits; /* reserve_bytes filled in */
	struct store_head head; /* of the last durable commit; the engine sets it at open only */
	struct store_event done; /* what store_drive() says next */
	uint64_t oldest; /* seq of the oldest row kept; 0: none */
	uint64_t quarantined; /* records in quarantine */
	uint64_t rows_damaged; /* rows passed over */
	bool open; /* a commit is, that store_drive() has not answered for */
	bool room;
	bool broken;
	struct store_clock {
		bool seen, doubted;
		bool kept; /* @doubted as the medium knows it; the engine sets both at open */
		bool known; /* @believed_ms is */
		int64_t believed_ms; /* Unix time minus monotonic time */
		int64_t last_ms,
			since_ms; /* the last such difference; monotonic time of its first */
	} clock;
	char trouble[STORE_REASON_MAX];
};

#define STORE_AGELESS_MS (INT64_MIN / 2) /* a Unix time before that of any row */

struct store_engine {
	const char *scheme; /* the whole uri, or its beginning if the last byte is ':' */

	/* @path is what follows the scheme.  The engine sets engine, head, oldest and room. */
	int (*open)(struct store **out, const char *path, const struct store_limits *limits,
		    struct store_fault *fault);
	void (*close)(struct store *store);
	int (*load)(struct store *store, bool damaged, store_record_fn *each, void *context);

	/* STORE_COMMITTED, STORE_FULL or STORE_BROKEN; @batch has been judged and follows the head.
	 */
	enum store_event_type (*commit)(struct store *store, const struct store_batch *batch);
	bool (*tend)(struct store *store, int64_t wall_ms); /* STORE_AGELESS_MS: nothing is old */
	/* Keep over a restart whether the clock is doubted; no commit of store_commit().  NULL if
	 * nothing outlives a restart.
	 */
	enum store_event_type (*keep_doubt)(struct store *store, bool doubted);
	int (*history)(struct store *store, const struct store_query *query, struct store_row *out);
};

extern const struct store_engine store_memory_engine;
extern const struct store_engine store_sqlite_engine;

/* store_refuse() - fill in @fault: the reason as of printf(), and whether @r stays as it is. */
__attribute__((format(printf, 3, 4))) int store_refuse(struct store_fault *fault, int r,
						       const char *format, ...);

/* store_break() - this store commits nothing any more; the reason as of printf().
 *
 * Return: STORE_BROKEN.
 */
__attribute__((format(printf, 2, 3))) enum store_event_type store_break(struct store *store,
									const char *format, ...);

/* store_record_check() - what is kept beside a record, over its key and its value.
 * store_row_check() - the same of a row, over all of it.
 * store_head_check() - the same of the head.
 */
uint64_t store_record_check(struct text key, struct text data);
uint64_t store_row_check(const struct store_row *row);
uint64_t store_head_check(const struct store_head *head);

/* store_row_matches() - is @row of the user and the stream that @query asks for? */
bool store_row_matches(const struct store_query *query, const struct store_row *row);

/* store_too_old() - has a row of @at_ms to go at @now_ms, for its age?  Both are Unix time. */
bool store_too_old(const struct store *store, int64_t at_ms, int64_t now_ms);

/* store_is_ahead() - is a row of @at_ms of a time that has not come yet at @now_ms?  The wall clock
 * was wrong then: how old the row is follows from the next one.
 */
bool store_is_ahead(int64_t at_ms, int64_t now_ms);

/* Versions of the tables and values of an SQLite store: ours, and the ways up to it. */
struct store_migration {
	int from; /* to the next one; 0 ends the list */
	const char *sql;
};

struct store_schema {
	int version;
	const struct store_migration *migrations;
};

/* store_sqlite_open() - open with a schema that need not be STORE_SCHEMA: tests of migrations. */
int store_sqlite_open(struct store **out, const char *path, const struct store_limits *limits,
		      const struct store_schema *schema, struct store_fault *fault);

/* store_memory_rot_row() - for tests: damage the row @seq, which is there. */
void store_memory_rot_row(struct store *store, uint64_t seq);

/* store_memory_rot() - for tests: change bit @bit of the value of the record number @pick, in the
 * order of store_load(), counted around; @key: which it was, borrowed.
 *
 * Return: false if there is no record.
 */
bool store_memory_rot(struct store *store, uint64_t pick, uint64_t bit, struct text *key);
