/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "proto/escape.h"
#include "proto/list.h"
#include "proto/stream_event_table.h"

/* What a redacted URL may still show, in bytes; more is taken for a secret. */
#define SCHEME_SHOWN_MAX 8
#define HOST_SHOWN_MAX 128
#define APP_SHOWN_MAX 32
#define REDACTED_SIZE (SCHEME_SHOWN_MAX + HOST_SHOWN_MAX + APP_SHOWN_MAX + 32)
#define REDACTED "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2"

enum print_form {
	PRINT_LINE,
	PRINT_JSON, /* texts in quotes */
};

struct printer {
	char *text;
	size_t size, used; /* used may exceed size: then the text is cut */
};

static void put(struct printer *to, const char *bytes, size_t length)
{
	size_t room = to->used + 1 < to->size ? to->size - 1 - to->used : 0;

	if (length > 0 && room > 0)
		memcpy(to->text + to->used, bytes, length < room ? length : room);
	to->used += length;
}

static void put_char(struct printer *to, char byte)
{
	if (to->used + 1 < to->size)
		to->text[to->used] = byte;
	to->used++;
}

static void put_text(struct printer *to, struct text text)
{
	put(to, text.bytes, text.length);
}

static void put_string(struct printer *to, const char *string)
{
	put(to, string, strlen(string));
}

static void put_u64(struct printer *to, uint64_t value)
{
	char buffer[TEXT_NUMBER_MAX];

	put_text(to, text_of_u64(value, buffer));
}

static void put_i64(struct printer *to, int64_t value)
{
	char buffer[TEXT_NUMBER_MAX];

	put_text(to, text_of_i64(value, buffer));
}

static bool is_plain(char byte)
{
	return byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Text from a peer must not move the cursor of whoever reads it. */
static void put_escaped(struct printer *to, struct text text)
{
	while (text.length > 0) {
		uint32_t plain = 0;
		char out[ESCAPE_SIZE];

		while (plain < text.length && is_plain(text.bytes[plain]))
			plain++;
		if (plain > 0) {
			put(to, text.bytes, plain);
		} else {
			size_t length;

			plain = (uint32_t)escape_next(text, out, &length);
			put(to, out, length);
		}
		text.bytes += plain;
		text.length -= plain;
	}
}

static uint32_t run(struct text url, uint32_t from, const char *extra)
{
	uint32_t at = from;

	while (at < url.length && ((url.bytes[at] >= 'a' && url.bytes[at] <= 'z') ||
				   (url.bytes[at] >= 'A' && url.bytes[at] <= 'Z') ||
				   (url.bytes[at] >= '0' && url.bytes[at] <= '9') ||
				   (url.bytes[at] && strchr(extra, url.bytes[at]))))
		at++;
	return at - from;
}

/* How many bytes of a publish URL are no secret: "scheme://host:port/app/", or "scheme:" if what
 * follows is anything else, or nothing.  An app name beyond APP_SHOWN_MAX is a key out of place.
 */
static uint32_t open_part(struct text url)
{
	uint32_t scheme = run(url, 0, ""), host, app;

	if (scheme == 0 || scheme > SCHEME_SHOWN_MAX || url.length < scheme + 3 ||
	    memcmp(url.bytes + scheme, "://", 3) != 0)
		return 0;
	host = scheme + 3 + run(url, scheme + 3, ".-_:[]");
	if (host == scheme + 3 || host - scheme > HOST_SHOWN_MAX || host == url.length ||
	    url.bytes[host] != '/')
		return scheme + 1;
	app = run(url, host + 1, ".-_");
	if (app == 0 || app > APP_SHOWN_MAX || host + 1 + app == url.length ||
	    url.bytes[host + 1 + app] != '/')
		return scheme + 1;
	return host + 1 + app + 1;
}

const char *stream_event_redact(struct text url, char *text, size_t size)
{
	struct printer to = { text, size, 0 };

	assert(size > 0);
	put(&to, url.bytes, url.length > 0 ? open_part(url) : 0);
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
	int64_t integer;
	uint32_t count;
	bool flag;

	if (wire_text(wire, &text)) {
		put_char(to, '"');
		put_escaped(to, text);
		put_char(to, '"');
		return;
	}
	*wire = saved;
	if (wire_u64(wire, &number)) {
		put_u64(to, number);
		return;
	}
	*wire = saved;
	if (wire_array(wire, &count)) {
		put_list(to, wire, count);
		return;
	}
	*wire = saved;
	if (wire_i64(wire, &integer)) {
		put_i64(to, integer);
		return;
	}
	*wire = saved;
	/* What is no member at all cannot come from a decoded event: it does no harm. */
	put_string(to, wire_bool(wire, &flag) && flag ? "true" : "false");
}

static void put_list(struct printer *to, struct wire *wire, uint32_t count)
{
	put_char(to, '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			put_char(to, ',');
		put_member(to, wire);
	}
	put_char(to, ']');
}

static void put_quote(struct printer *to, enum print_form form)
{
	if (form == PRINT_JSON)
		put_char(to, '"');
}

static void put_value(struct printer *to, const struct field *field, const void *value,
		      enum print_form form)
{
	char buffer[REDACTED_SIZE];
	struct wire wire;
	uint32_t count;

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		put_quote(to, form);
		put_escaped(to, shown(field, value, buffer, sizeof buffer));
		put_quote(to, form);
		return;
	case FIELD_LIST:
		if (field->secret) { /* whole: only who made it knows which member is */
			put_quote(to, form);
			put_string(to, REDACTED);
			put_quote(to, form);
		} else {
			bool whole = list_read(*(const struct text *)value, &wire, &count);

			put_list(to, &wire, whole ? count : 0);
		}
		return;
	case FIELD_ENUM:
		put_quote(to, form);
		put_string(to, words_name(field->words, *(const uint32_t *)value));
		put_quote(to, form);
		return;
	case FIELD_U64:
		put_u64(to, *(const uint64_t *)value);
		return;
	case FIELD_I64:
		put_i64(to, *(const int64_t *)value);
		return;
	case FIELD_BOOL:
		put_string(to, "true"); /* false says nothing */
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
		put_char(&to, ' ');
		put_string(&to, field->name);
		put_char(&to, '=');
		put_value(&to, field, value, PRINT_LINE);
	}
	text[to.used < size ? to.used : size - 1] = '\0';
	return text;
}

/* Fields that scripts rely on are always there, empty or not. */
static bool always_in_json(const struct field *field)
{
	switch (field->offset) {
	case offsetof(struct stream_event, source):
	case offsetof(struct stream_event, incarnation):
	case offsetof(struct stream_event, seq):
	case offsetof(struct stream_event, cause):
	case offsetof(struct stream_event, user_id):
	case offsetof(struct stream_event, stream_id):
	case offsetof(struct stream_event, epoch):
	case offsetof(struct stream_event, stream_seq):
	case offsetof(struct stream_event, sent_ms):
		return true;
	default:
		return false;
	}
}

ssize_t stream_event_json(const struct stream_event *event, char *text, size_t size)
{
	const struct schema *schema = stream_event_schema(event->type);
	struct printer to = { text, size, 0 };

	assert(schema && size > 0);
	put_string(&to, "{\"type\":\"");
	put_string(&to, schema->name);
	put_char(&to, '"');
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		const void *value = (const char *)event + field->offset;

		if (!says_something(field, value) && !always_in_json(field))
			continue;
		put_text(&to, field->key);
		put_value(&to, field, value, PRINT_JSON);
	}
	put_char(&to, '}');
	if (to.used >= size)
		return -EMSGSIZE;
	text[to.used] = '\0';
	return (ssize_t)to.used;
}
