/* SPDX-License-Identifier: MIT */
/* store.h - where the registry's truth outlives it: history rows, the head, and (with an engine
 * that lasts) the records.
 *
 * Completion-based: a commit may be open for a while, one at a time; store_drive() says when it
 * is durable.  Engines that complete inside the call say so at the next store_drive().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

struct store;

struct store_limits {
	uint64_t history_rows_max;
	int64_t history_age_ms;
};

/* One story event; texts are borrowed for the call. */
struct store_row {
	uint64_t seq;
	int64_t at_ms; /* Unix time */
	struct text user_id, stream_id;
	struct text event; /* encoded, without secrets */
};

struct store_batch {
	const struct store_row *rows; /* ascending, dense seq */
	size_t row_count;
	uint64_t next_epoch; /* the head: larger than any epoch given out */
};

enum store_event_type {
	STORE_IDLE, /* nothing new */
	STORE_LEADING, /* opened; load may begin */
	STORE_COMMITTED, /* the open commit is durable */
	STORE_FULL, /* no room: the open commit had no effect; try it again later */
	STORE_UNAVAILABLE, /* the open commit's fate is unknown; it is being repeated */
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

/* store_open() - @uri is "memory"; other engines come with their files.
 *
 * Return: 0, -EINVAL for an unknown engine, or -errno.
 */
int store_open(struct store **out, const char *uri, const struct store_limits *limits);
void store_close(struct store *store);

/* store_drive() - let the engine work; ask after every commit and when its time comes. */
int store_drive(struct store *store, int64_t now_ms, struct store_event *event);

/* store_head() - what the last life left; all zero for a fresh store. */
struct store_head store_head(const struct store *store);

/* store_commit() - make @batch durable as a whole or not at all.
 *
 * Ownership: @batch is borrowed for the call.  At most one commit is open.
 * Return: 0 (ask store_drive()), or -errno.
 */
int store_commit(struct store *store, const struct store_batch *batch);

/* store_history() - the first row with seq >= @from.
 *
 * Texts are borrowed until the next call on @store.
 * Return: 0, or STORE_E_END if there is none.
 */
enum {
	_STORE_E_SUCCESS,
	STORE_E_END,
};

int store_history(struct store *store, uint64_t from, struct store_row *out);

/* store_oldest() - seq of the oldest row kept; 0 if there is none. */
uint64_t store_oldest(const struct store *store);
