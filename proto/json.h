/* SPDX-License-Identifier: MIT */
/* json.h - strict, bounded JSON reading and writing over borrowed bytes; never allocates.
 *
 * RFC 8259, and: valid UTF-8, no lone surrogate, no NUL in any form, at most JSON_DEPTH_MAX arrays
 * and objects inside each other, at most JSON_MEMBERS_MAX members in one object.  Doubled keys are
 * not judged here: whoever walks sees all of them, in order.  No name here is one of jansson's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

#define JSON_DEPTH_MAX 16
#define JSON_MEMBERS_MAX 256
#define JSON_WORD_MAX 64

enum json_kind {
	JSON_KIND_NULL,
	JSON_KIND_BOOL,
	JSON_KIND_NUMBER,
	JSON_KIND_STRING,
	JSON_KIND_ARRAY,
	JSON_KIND_OBJECT,
};

/* One value as it stands in the input, which it borrows. */
struct json_value {
	enum json_kind kind;
	bool escaped; /* string: has escapes, see json_text() */
	struct text raw; /* verbatim; of a string, what is between the quotes */
};

/* A walk over the members of one object or array; json_open() fills it. */
struct json_walk {
	const char *at, *end;
	uint32_t members;
	unsigned depth; /* arrays and objects around its members */
	bool array, ended, failed;
};

/* json_open() - begin to walk @json, which must be one object or array and nothing else.
 *
 * The walk checks what it passes, so that a document is checked and read in one scan:
 *
 *	if (!json_open(&walk, document, JSON_KIND_OBJECT))
 *		...
 *	while (json_next(&walk, &key, &value))
 *		...
 *	if (walk.failed)
 *		...nothing seen so far may be believed
 *
 * @kind is JSON_KIND_OBJECT or JSON_KIND_ARRAY.
 *
 * Return: false if @json does not begin as that.
 */
bool json_open(struct json_walk *walk, struct text json, enum json_kind kind);

/* json_next() - the next member; the whole of its value has been checked.
 *
 * @key may be NULL; in arrays it is not written.
 *
 * Return: false at the end, or with @walk->failed set if the bytes are not JSON or if anything but
 * white space follows.
 */
bool json_next(struct json_walk *walk, struct json_value *key, struct json_value *value);

/* json_read() - check a whole document, whatever its kind.
 *
 * Return: false, with @out unchanged, if it is not JSON.
 */
bool json_read(struct text json, struct json_value *out);

/* json_text() - the characters of string @value, in UTF-8.
 *
 * @out borrows from @value if it has no escapes, else from @buffer.
 *
 * Return: false if @value is no string or takes more than @size bytes; @size also bounds strings
 * without escapes.
 */
bool json_text(const struct json_value *value, char *buffer, size_t size, struct text *out);

/* json_text_cut() - as json_text(), but of a longer string @out is as much of the beginning as
 * @size bytes hold, to a character boundary, and false is returned.
 *
 * Return: whether @out is whole; false, with @out empty, also if @value is no string.
 */
bool json_text_cut(const struct json_value *value, char *buffer, size_t size, struct text *out);

/* json_is() - whether string or key @value says @word, which has at most JSON_WORD_MAX bytes. */
bool json_is(const struct json_value *value, struct text word);

/* json_bool() - false if @value is no boolean. */
bool json_bool(const struct json_value *value, bool *out);

enum json_range {
	JSON_IN_RANGE,
	JSON_NO_INTEGER, /* another kind, or a number with fraction or exponent */
	JSON_OUT_OF_RANGE, /* an integer that @out cannot hold */
};

/* json_u64(), json_i64() - @out is written only if JSON_IN_RANGE. */
enum json_range json_u64(const struct json_value *value, uint64_t *out);
enum json_range json_i64(const struct json_value *value, int64_t *out);

/* json_number() - any number, to at least 14 digits; false if @value is none or beyond a double. */
bool json_number(const struct json_value *value, double *out);

/* JSON under construction in a caller's buffer.  A write that does not fit writes nothing and sets
 * @full, and so does every later one.
 */
struct json_writer {
	char *bytes;
	size_t size, length;
	bool full;
};

/* json_put_raw() - bytes as they are. */
void json_put_raw(struct json_writer *writer, struct text raw);

/* json_put_string() - @text in quotes, escaped as JSON.stringify() does it.
 *
 * Bytes that are not UTF-8 become U+FFFD: what is written is always JSON.
 */
void json_put_string(struct json_writer *writer, struct text text);

void json_put_u64(struct json_writer *writer, uint64_t value);
void json_put_i64(struct json_writer *writer, int64_t value);
void json_put_bool(struct json_writer *writer, bool value);

/* json_utf8() - length of the UTF-8 character that @bytes begin with, 0 if there is none. */
size_t json_utf8(const char *bytes, size_t length);
