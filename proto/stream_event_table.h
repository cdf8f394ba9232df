/* SPDX-License-Identifier: MIT */
/* stream_event_table.h - schema.h as data, for the code and tools that walk it. */
#pragma once

#include "proto/stream_event.h"

enum field_kind {
	FIELD_STR,
	FIELD_JSON,
	FIELD_LIST,
	FIELD_ENUM,
	FIELD_U64,
	FIELD_I64,
	FIELD_BOOL,
};

struct field {
	const char *name;
	struct text key; /* ,"name": */
	enum field_kind kind;
	bool secret;
	unsigned since;
	size_t offset; /* in struct stream_event */
	size_t limit; /* bytes; texts only */
	const struct words *words; /* enumerations only */
	const char *meaning;
};

/* The slot of @field is a struct text, and so may be borrowed. */
static inline bool field_is_text(const struct field *field)
{
	return field->kind == FIELD_STR || field->kind == FIELD_JSON || field->kind == FIELD_LIST;
}

struct schema {
	const char *name;
	const struct field *fields; /* those of the header first */
	size_t field_count;
	uint32_t from, to; /* sets of roles; @to 0: published */
};

/* stream_event_schema() - the schema of @type, or NULL. */
const struct schema *stream_event_schema(uint64_t type);
