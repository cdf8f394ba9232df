/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/list.h"
#include "proto/stream_event_table.h"

#define REDACTED "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2"

struct printer {
	char *text;
	size_t size, used; /* used may exceed size: then the text is cut */
};

static void put(struct printer *to, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++, to->used++)
		if (to->used + 1 < to->size)
			to->text[to->used] = bytes[i];
}

static void put_string(struct printer *to, const char *string)
{
	put(to, string, strlen(string));
}

static void put_format(struct printer *to, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put_format(struct printer *to, const char *format, ...)
{
	char buffer[64];
	va_list args;

	va_start(args, format);
	int length = vsnprintf(buffer, sizeof buffer, format, args);
	va_end(args);
	assert(length >= 0 && (size_t)length < sizeof buffer);
	put(to, buffer, (size_t)length);
}

/* Control bytes, quotes and the bidirectional overrides (U+202A-202E, U+2066-2069) are escaped:
 * text from a peer must not move the cursor of whoever reads it.
 */
static size_t bidi_length(const char *bytes, size_t left)
{
	const unsigned char *at = (const unsigned char *)bytes;

	if (left >= 3 && at[0] == 0xe2 &&
	    ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
	     (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9)))
		return 3;
	return 0;
}

static void put_escaped(struct printer *to, struct text text)
{
	for (uint32_t i = 0; i < text.length; i++) {
		unsigned char byte = (unsigned char)text.bytes[i];
		size_t bidi = bidi_length(text.bytes + i, text.length - i);

		if (bidi) {
			unsigned low = (unsigned char)text.bytes[i + 2] & 0x3f;
			unsigned high = (unsigned char)text.bytes[i + 1] & 0x3f;

			put_format(to, "\\u%04x", 0x2000u | high << 6 | low);
			i += (uint32_t)bidi - 1;
		} else if (byte == '"' || byte == '\\') {
			put_format(to, "\\%c", byte);
		} else if (byte < 0x20 || byte == 0x7f) {
			put_format(to, "\\u%04x", byte);
		} else {
			put(to, (const char *)&byte, 1);
		}
	}
}

const char *stream_event_redact(struct text url, char *text, size_t size)
{
	struct printer to = { text, size, 0 };
	unsigned slashes = 0;
	uint32_t keep = 0;

	assert(size > 0);
	/* scheme://host/app/ has four slashes; whatever follows is the key. */
	while (keep < url.length && slashes < 4 && url.bytes[keep] != '?' && url.bytes[keep] != '@')
		slashes += url.bytes[keep++] == '/';
	/* Credentials in front of the host, or no app at all: show the scheme only. */
	if (slashes < 4) {
		const char *colon = url.length > 0 ? memchr(url.bytes, ':', url.length) : NULL;

		keep = colon ? (uint32_t)(colon - url.bytes) + 1 : 0;
	}
	put_escaped(&to, (struct text){ url.bytes, keep });
	if (url.length > 0)
		put_string(&to, REDACTED);
	text[to.used < size ? to.used : size - 1] = '\0';
	return text;
}

static struct text shown(const struct field *field, const void *value, char *buffer, size_t size)
{
	struct text text = *(const struct text *)value;

	return field->secret ? text_of(stream_event_redact(text, buffer, size)) : text;
}

static bool says_something(const struct field *field, const void *value)
{
	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
	case FIELD_LIST:
		return ((const struct text *)value)->length > 0;
	case FIELD_ENUM:
		return *(const uint32_t *)value != 0;
	case FIELD_U64:
		return *(const uint64_t *)value != 0;
	case FIELD_I64:
		return *(const int64_t *)value != 0;
	case FIELD_BOOL:
		return *(const bool *)value;
	}
	return false;
}

static void put_list(struct printer *to, struct wire *wire, uint32_t count);

static void put_member(struct printer *to, struct wire *wire)
{
	const struct wire saved = *wire;
	struct text text;
	uint64_t number;
	uint32_t count;

	if (wire_text(wire, &text)) {
		put_string(to, "\"");
		put_escaped(to, text);
		put_string(to, "\"");
		return;
	}
	*wire = saved;
	if (wire_u64(wire, &number)) {
		put_format(to, "%" PRIu64, number);
		return;
	}
	*wire = saved;
	if (wire_array(wire, &count)) {
		put_list(to, wire, count);
		return;
	}
	*wire = saved;
	put_string(to, "null");
	(void)wire_skip(wire); /* checked when the event was read */
}

static void put_list(struct printer *to, struct wire *wire, uint32_t count)
{
	put_string(to, "[");
	for (uint32_t i = 0; i < count; i++) {
		put_string(to, i ? "," : "");
		put_member(to, wire);
	}
	put_string(to, "]");
}

static void put_value(struct printer *to, const struct field *field, const void *value,
		      const char *quote)
{
	char buffer[URL_MAX];
	struct wire wire;
	uint32_t count;

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		put_string(to, quote);
		put_escaped(to, shown(field, value, buffer, sizeof buffer));
		put_string(to, quote);
		return;
	case FIELD_LIST:
		if (list_read(*(const struct text *)value, &wire, &count))
			put_list(to, &wire, count);
		return;
	case FIELD_ENUM:
		put_string(to, quote);
		put_string(to, words_name(field->words, *(const uint32_t *)value));
		put_string(to, quote);
		return;
	case FIELD_U64:
		put_format(to, "%" PRIu64, *(const uint64_t *)value);
		return;
	case FIELD_I64:
		put_format(to, "%" PRId64, *(const int64_t *)value);
		return;
	case FIELD_BOOL:
		put_string(to, *(const bool *)value ? "true" : "false");
		return;
	}
}

const char *stream_event_line(const struct stream_event *event, char *text, size_t size)
{
	const struct schema *schema = stream_event_schema(event->type);
	struct printer to = { text, size, 0 };

	assert(schema && size > 0);
	put_string(&to, schema->name);
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		const void *value = (const char *)event + field->offset;

		if (!says_something(field, value))
			continue;
		put_format(&to, " %s=", field->name);
		put_value(&to, field, value, "");
	}
	text[to.used < size ? to.used : size - 1] = '\0';
	return text;
}

/* Fields that scripts rely on are always there, empty or not. */
static bool always_in_json(const char *name)
{
	static const char *const names[] = { "seq",	  "source", "user_id", "stream_id",
					     "epoch",	  "cause",  "sent_ms", "incarnation",
					     "stream_seq" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

ssize_t stream_event_json(const struct stream_event *event, char *text, size_t size)
{
	const struct schema *schema = stream_event_schema(event->type);
	struct printer to = { text, size, 0 };

	assert(schema && size > 0);
	put_string(&to, "{\"type\":\"");
	put_string(&to, schema->name);
	put_string(&to, "\"");
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		const void *value = (const char *)event + field->offset;

		if (!says_something(field, value) && !always_in_json(field->name))
			continue;
		put_format(&to, ",\"%s\":", field->name);
		put_value(&to, field, value, "\"");
	}
	put_string(&to, "}");
	if (to.used >= size)
		return -EMSGSIZE;
	text[to.used] = '\0';
	return (ssize_t)to.used;
}
