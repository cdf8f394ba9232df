/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_phrase.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "actors/tap/tap_text.h"
#include "proto/escape.h"

void phrase_begin(struct phrase *phrase, char *bytes, size_t size)
{
	assert(size > 0);
	*phrase = (struct phrase){ .bytes = bytes, .size = size };
	*bytes = '\0';
}

void phrase_put(struct phrase *phrase, const char *format, ...)
{
	size_t left = phrase->size - phrase->used;
	va_list args;

	va_start(args, format);
	int length = vsnprintf(phrase->bytes + phrase->used, left, format, args);
	va_end(args);
	assert(length >= 0);
	phrase->used += (size_t)length < left ? (size_t)length : left - 1;
}

void phrase_put_text(struct phrase *phrase, struct text text)
{
	phrase->used +=
		strlen(escape_put(text, phrase->bytes + phrase->used, phrase->size - phrase->used));
}

void phrase_put_also(struct phrase *phrase, struct text text)
{
	if (text.length == 0)
		return;
	phrase_put(phrase, ", ");
	phrase_put_text(phrase, text);
}

void phrase_put_reason(struct phrase *phrase, struct text text)
{
	if (text.length == 0)
		return;
	phrase_put(phrase, " (");
	phrase_put_text(phrase, text);
	phrase_put(phrase, ")");
}

void phrase_put_column(struct phrase *phrase, struct text text, size_t columns)
{
	size_t start = phrase->used;

	phrase_put_text(phrase, text);
	for (size_t used = text_columns(phrase->bytes + start); used < columns; used++)
		phrase_put(phrase, " ");
	phrase_put(phrase, " ");
}

void phrase_put_offset(struct phrase *phrase, int64_t offset_ms, size_t columns)
{
	char bytes[TEXT_AGE_SIZE];
	struct phrase offset;

	phrase_begin(&offset, bytes, sizeof bytes);
	if (offset_ms != 0)
		phrase_put(&offset, offset_ms < 0 ? "-" : "+");
	phrase_put_span(&offset, offset_ms < 0 ? -offset_ms : offset_ms);
	phrase_put(phrase, "%*s", (int)columns, bytes);
}

void phrase_put_span(struct phrase *phrase, int64_t span_ms)
{
	long long ms = span_ms < 0 ? 0 : span_ms, s = ms / 1000;
	char age[TEXT_AGE_SIZE];

	if (ms == 0)
		phrase_put(phrase, "0s");
	else if (s < 1)
		phrase_put(phrase, "%lldms", ms);
	else if (s < 60)
		phrase_put(phrase, "%lld.%llds", s, ms % 1000 / 100);
	else if (s < 3600)
		phrase_put(phrase, "%lldm%02llds", s / 60, s % 60);
	else
		phrase_put(phrase, "%s", text_age(ms, age));
}
