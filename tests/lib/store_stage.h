/* SPDX-License-Identifier: MIT */
/* store_stage.h - one store in a directory of its own, and the questions its tests ask.
 *
 * Every function asserts what it needs; a test has one stage.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/store.h"

#define STAGE_RESERVE 262144 /* bytes: 256 KiB; the true one would cost 16 MiB of writes a test */

extern struct store *stage_store;
extern const struct store_limits stage_limits; /* roomy, with STAGE_RESERVE */

/* stage_begin() - make a scratch directory; nothing is open yet. */
void stage_begin(void);

/* stage_end() - close and remove everything; a disk mounted on the directory goes first. */
void stage_end(void);

const char *stage_directory(void);

/* stage_path() - where the SQLite store lies, and @suffix; static, for the next call. */
const char *stage_path(const char *suffix);
const char *stage_uri(void);

/* stage_open() - open @scheme, "memory" or "sqlite", which must work. */
void stage_open(const char *scheme, const struct store_limits *limits);
void stage_close(void);

/* stage_reopen() - close and open again what can be: the engine in memory stays as it is. */
void stage_reopen(void);

/* stage_try() - commit, and what store_drive() says then. */
enum store_event_type stage_try(const struct store_batch *batch);
void stage_commit(const struct store_batch *batch); /* it must be COMMITTED */

/* stage_rows() - commit rows @first to @last of "u1"/"s1" with event "e" and time @at_ms. */
void stage_rows(uint64_t first, uint64_t last, int64_t at_ms);

/* stage_put() - commit one record without a row; @data "" deletes it. */
void stage_put(const char *key, const char *data);

/* stage_records() - what is loaded, "key=data key=data" by key; static. */
const char *stage_records(void);

/* Numbered batches: number n holds rows 2n-1 and 2n and three records, so that whatever is left of
 * a series of them shows whether a batch was torn or lost.
 */
enum store_event_type stage_try_number(uint64_t number);

/* stage_audit() - the store holds batches 1 to n, each as a whole (but rows that were pruned), and
 * nothing else.
 *
 * Return: n.
 */
uint64_t stage_audit(void);
