/* SPDX-License-Identifier: MIT */
#include "tests/lib/samples.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/list.h"

#define SAMPLE_BYTES (4 * STREAM_EVENT_RELAY_WIRE_MAX)

static char memory[SAMPLE_BYTES];
static size_t used;

static char *take(size_t length)
{
	assert(length <= sizeof memory - used);
	used += length;
	return memory + used - length;
}

/* A list of exactly @length bytes: texts of up to 31 bytes, each behind a byte of its own. */
static struct text list_of(size_t length)
{
	struct list_writer list;

	list_begin(&list, (uint8_t *)take(length), length);
	while (list.length < length) {
		size_t left = length - list.length;
		uint32_t bytes = (uint32_t)(left < 32 ? left : 32) - 1;

		if (!list_add_text(&list,
				   (struct text){ "abcdefghijklmnopqrstuvwxyzabcde", bytes }))
			abort();
	}
	return list_end(&list);
}

static struct text text_sample(const struct field *field, size_t length)
{
	char *bytes;

	if (field->kind == FIELD_LIST)
		return list_of(length);
	bytes = take(length);
	memset(bytes, 'x', length);
	if (field->kind == FIELD_JSON) {
		bytes[0] = '"';
		bytes[length - 1] = '"';
	}
	return (struct text){ bytes, (uint32_t)length };
}

static void fill(const struct field *field, enum sample sample, void *value)
{
	bool full = sample == SAMPLE_FULL;

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
	case FIELD_LIST:
		*(struct text *)value = text_sample(field, full ? field->limit : 8);
		return;
	case FIELD_ENUM:
		*(uint32_t *)value = full ? field->words->count - 1 : 1;
		return;
	case FIELD_U64:
		*(uint64_t *)value = full ? UINT64_MAX : 300;
		return;
	case FIELD_I64:
		*(int64_t *)value = full ? INT64_MIN : -300;
		return;
	case FIELD_BOOL:
		*(bool *)value = true;
		return;
	}
}

void sample_event(enum stream_event_type type, enum sample sample, struct stream_event *out)
{
	const struct schema *schema = stream_event_schema(type);

	used = 0;
	memset(out, 0, sizeof *out);
	out->type = type;
	if (sample == SAMPLE_EMPTY)
		return;
	for (size_t i = 0; i < schema->field_count; i++)
		fill(&schema->fields[i], sample, (char *)out + schema->fields[i].offset);
}

enum stream_event_type sample_next(enum stream_event_type type)
{
	for (unsigned next = (unsigned)type + 1; next <= STREAM_EVENT_TYPE_MAX; next++)
		if (stream_event_schema(next))
			return (enum stream_event_type)next;
	return EVENT_NONE;
}

const void *sample_value(const struct stream_event *event, const struct field *field)
{
	return (const char *)event + field->offset;
}

static bool same_list(struct text a, struct text b)
{
	/* No list and an empty one are the same. */
	struct wire wire;
	uint32_t count_a, count_b;

	if (!list_read(a, &wire, &count_a) || !list_read(b, &wire, &count_b))
		return false;
	return (count_a == 0 && count_b == 0) || text_equal(a, b);
}

static bool same_value(const struct field *field, const void *a, const void *b)
{
	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		return text_equal(*(const struct text *)a, *(const struct text *)b);
	case FIELD_LIST:
		return same_list(*(const struct text *)a, *(const struct text *)b);
	case FIELD_ENUM:
		return *(const uint32_t *)a == *(const uint32_t *)b;
	case FIELD_U64:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case FIELD_I64:
		return *(const int64_t *)a == *(const int64_t *)b;
	case FIELD_BOOL:
		return *(const bool *)a == *(const bool *)b;
	}
	return false;
}

bool sample_same(const struct stream_event *a, const struct stream_event *b)
{
	const struct schema *schema = stream_event_schema(a->type);

	if (!schema || a->type != b->type)
		return false;
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];

		if (!same_value(field, sample_value(a, field), sample_value(b, field)))
			return false;
	}
	return true;
}
