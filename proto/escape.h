/* SPDX-License-Identifier: MIT */
/* escape.h - text from outside, made harmless for terminals, logs and JSON.
 *
 * Escaped are quotes, backslashes, control characters (C0, DEL and C1: U+009B starts a terminal
 * sequence), line separators and everything that changes the direction of writing.  Bytes that
 * are not UTF-8 become U+FFFD.  All escapes are valid inside a JSON string.
 */
#pragma once

#include <stddef.h>

#include "proto/text.h"

#define ESCAPE_SIZE 8 /* bytes one character may become: \uXXXX */

/* escape_next() - the harmless form of the first character of @text, which must not be empty.
 *
 * Return: bytes of @text consumed, 1 to 4.  @out holds @length bytes, not terminated.
 */
size_t escape_next(struct text text, char out[ESCAPE_SIZE], size_t *length);

/* escape_put() - @text, escaped, into @buffer of @size bytes, terminated.
 *
 * Return: @buffer; what does not fit is cut off between two characters.
 */
char *escape_put(struct text text, char *buffer, size_t size);

/* escape_utf8() - length of the character @text begins with; 0 if it is empty or not UTF-8. */
size_t escape_utf8(struct text text);
