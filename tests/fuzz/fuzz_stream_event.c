/* SPDX-License-Identifier: MIT */
/* Properties: what reads must encode, into no more than its type's limit, and read again to the
 * same JSON; encoding that gives the same bytes; what is published and what is printed lacks the
 * secrets; nothing is read beyond the end.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/stream_event_table.h"

/* Escaped, a byte takes six; field names come on top. */
#define TEXT_SIZE (8 * STREAM_EVENT_RELAY_WIRE_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t encode(const struct stream_event *event, enum stream_event_form form, uint8_t *bytes)
{
	size_t max = stream_event_wire_max(event->type);
	ssize_t length = stream_event_encode(event, form, bytes, STREAM_EVENT_RELAY_WIRE_MAX);

	assert(length > 0 && (size_t)length <= max);
	return (size_t)length;
}

static void read_back(const uint8_t *bytes, size_t length, struct stream_event *out)
{
	struct wire wire = { bytes, bytes + length };

	assert(stream_event_read(&wire, out) == 0 && wire.at == wire.end);
}

static void check_public(const struct stream_event *event)
{
	static uint8_t bytes[STREAM_EVENT_RELAY_WIRE_MAX];
	const struct schema *schema = stream_event_schema(event->type);
	struct stream_event public;

	read_back(bytes, encode(event, STREAM_EVENT_PUBLIC, bytes), &public);
	for (size_t i = 0; i < schema->field_count; i++) {
		const void *value = (const char *)&public + schema->fields[i].offset;

		/* A list that is empty still says so. */
		assert(!schema->fields[i].secret ||
		       ((const struct text *)value)->length <=
			       (schema->fields[i].kind == FIELD_LIST ? 1 : 0));
	}
}

static void check_text(const struct stream_event *event, const char *json)
{
	static char line[TEXT_SIZE];

	(void)stream_event_line(event, line, sizeof line);
	for (const char *at = line; *at; at++)
		assert((unsigned char)*at >= ' ' && *at != 0x7f);
	for (const char *at = json; *at; at++)
		assert((unsigned char)*at >= ' ' && *at != 0x7f);
}

static void check_event(const struct stream_event *event)
{
	static uint8_t first[STREAM_EVENT_RELAY_WIRE_MAX], second[STREAM_EVENT_RELAY_WIRE_MAX];
	static char first_json[TEXT_SIZE], second_json[TEXT_SIZE];
	struct stream_event again;
	size_t length = encode(event, STREAM_EVENT_ADDRESSED, first);

	read_back(first, length, &again);
	assert(encode(&again, STREAM_EVENT_ADDRESSED, second) == length);
	assert(memcmp(first, second, length) == 0);
	ssize_t json_length = stream_event_json(event, first_json, sizeof first_json);

	assert(json_length > 0);
	assert(stream_event_json(&again, second_json, sizeof second_json) == json_length);
	assert(memcmp(first_json, second_json, (size_t)json_length) == 0);
	check_public(event);
	check_text(event, first_json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire wire = { data, data + size };

	while (wire.at < wire.end) {
		struct stream_event event;
		int r = stream_event_read(&wire, &event);

		assert(wire.at <= wire.end);
		if (r == STREAM_EVENT_E_MALFORMED)
			return 0;
		if (r == 0)
			check_event(&event);
	}
	return 0;
}
