/* SPDX-License-Identifier: MIT */
/* tap_text.h - colours, ages, times, and JSON as the commands print them.
 *
 * Pure but for the FILE it is told to write to.  What came over the wire is printed through
 * proto/escape.h: it moves no cursor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/text.h"

enum format {
	FORMAT_DEFAULT, /* no -o was given */
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_JSONL,
};

enum colour {
	COLOUR_NONE,
	COLOUR_BOLD,
	COLOUR_DIM,
	COLOUR_RED,
	COLOUR_GREEN,
	COLOUR_YELLOW,
	COLOUR_BLUE,
	COLOUR_MAGENTA,
	COLOUR_CYAN,
	COLOUR_COUNT,
};

/* Bytes of a buffer that holds @bytes bytes from outside, escaped and terminated. */
#define ESCAPED_SIZE(bytes) (6 * (bytes) + 1)

/* colour_code() - the escape sequence that switches to @colour; COLOUR_NONE: back to plain. */
const char *colour_code(enum colour colour);

/* text_columns() - columns that @shown takes: one for every character. */
size_t text_columns(const char *shown);

/* text_age() - "45s", "12m", "3h05m", "2d04h"; what is below zero is "0s". */
#define TEXT_AGE_SIZE 24
const char *text_age(int64_t age_ms, char buffer[static TEXT_AGE_SIZE]);

/* text_time() - local "2026-11-23 10:11:12" of a Unix time in ms; "-" if it has none. */
#define TEXT_TIME_SIZE 32
const char *text_time(int64_t unix_ms, char buffer[static TEXT_TIME_SIZE]);

/* text_clock() - local "10:11:12.345" of a Unix time in ms; "--:--:--.---" if it has none. */
#define TEXT_CLOCK_SIZE 16
const char *text_clock(int64_t unix_ms, char buffer[static TEXT_CLOCK_SIZE]);

/* A JSON value being written, member after member. */
struct json_out {
	FILE *to;
	bool comma; /* the next member needs one in front */
};

/* json_out_open(), json_out_close() - an object or array; @name is NULL for what has none. */
void json_out_open(struct json_out *json, const char *name, char bracket);
void json_out_close(struct json_out *json, char bracket);

/* json_out_text() - always valid JSON, whatever bytes @value holds. */
void json_out_text(struct json_out *json, const char *name, struct text value);
void json_out_word(struct json_out *json, const char *name, const char *value);
void json_out_u64(struct json_out *json, const char *name, uint64_t value);
void json_out_i64(struct json_out *json, const char *name, int64_t value);
void json_out_bool(struct json_out *json, const char *name, bool value);

/* Objects one after the other: a JSON array (FORMAT_JSON), or one a line (FORMAT_JSONL). */
struct json_rows {
	struct json_out json;
	enum format format;
	size_t count;
};

/* json_rows_begin() ... json_row_open(), members, json_row_close() ... json_rows_end() */
void json_rows_begin(struct json_rows *rows, FILE *to, enum format format);
struct json_out *json_row_open(struct json_rows *rows);
void json_row_close(struct json_rows *rows);
void json_rows_end(struct json_rows *rows);
