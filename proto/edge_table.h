/* SPDX-License-Identifier: MIT */
/* edge_table.h - edge_schema.h as data, for the code and tools that walk it. */
#pragma once

#include "proto/edge.h"

enum edge_kind {
	EDGE_STR,
	EDGE_OBJECT,
	EDGE_ARRAY,
	EDGE_BOOL,
	EDGE_U64,
	EDGE_WHEN,
	EDGE_NOW,
	EDGE_FIXED,
	EDGE_OPEN,
	EDGE_CLOSE,
};

enum {
	EDGE_OPT = 1 << 0,
	EDGE_EMPTY = 1 << 1,
	EDGE_NULLABLE = 1 << 2,
	EDGE_CUT = 1 << 3,
	EDGE_SECRET = 1 << 4,
};

struct edge_row {
	const char *name;
	enum edge_kind kind;
	unsigned flags;
	size_t offset; /* in struct edge_message */
	uint32_t limit; /* bytes; STR, OBJECT and ARRAY only */
	struct text key;
	struct text lead; /* ,"key": */
	struct text fixed; /* FIXED only */
	const char *meaning;
};

struct edge_schema {
	const char *name; /* of the form: start_rtmp_stream */
	enum edge_side side;
	struct text type; /* on the wire */
	struct text head; /* how the form begins, up to its first row */
	const struct edge_row *rows;
	unsigned row_count;
};

/* edge_schema() - the schema of @type, or NULL. */
const struct edge_schema *edge_schema(enum edge_type type);

/* edge_named() - the first form with that "type" on @side; EDGE_NONE if there is none. */
enum edge_type edge_named(enum edge_side side, struct text type);

/* edge_skip() - the row behind @index, or behind the whole group if @index opens one. */
unsigned edge_skip(const struct edge_schema *schema, unsigned index);
