/* SPDX-License-Identifier: MIT */
/* tap_phrase.h - text for people put together in a caller's buffer.  Pure.
 *
 * What does not fit is cut off; the buffer is always terminated.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

struct phrase {
	char *bytes;
	size_t size, used;
};

/* phrase_begin() - an empty one in @bytes of @size bytes. */
void phrase_begin(struct phrase *phrase, char *bytes, size_t size);

/* phrase_put() - append, as printf() does it. */
void phrase_put(struct phrase *phrase, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* phrase_put_text() - append what came over the wire, escaped. */
void phrase_put_text(struct phrase *phrase, struct text text);

/* phrase_put_also(), phrase_put_reason() - append ", TEXT" or " (TEXT)"; nothing of an empty one.
 */
void phrase_put_also(struct phrase *phrase, struct text text);
void phrase_put_reason(struct phrase *phrase, struct text text);

/* phrase_put_column() - as phrase_put_text(), padded to @columns, and a blank; what is longer
 * pushes the rest of the line to the right.
 */
void phrase_put_column(struct phrase *phrase, struct text text, size_t columns);

/* phrase_put_offset() - append a time that counts from another, "-45.2s" or "+80ms", aligned right
 * in @columns.
 */
void phrase_put_offset(struct phrase *phrase, int64_t offset_ms, size_t columns);

/* phrase_put_span() - append a duration: "80ms", "45.2s", "2m05s", "3h05m", "2d04h". */
void phrase_put_span(struct phrase *phrase, int64_t span_ms);
