/* SPDX-License-Identifier: MIT */
#include "proto/edge_table.h"

/* clang-format off */
#define OFFSET(S, name_) .offset = offsetof(struct edge_message, S.name_)
#define ARG_STR(S, name_, arg) OFFSET(S, name_), .limit = arg
#define ARG_OBJECT(S, name_, arg) OFFSET(S, name_), .limit = arg
#define ARG_ARRAY(S, name_, arg) OFFSET(S, name_), .limit = arg
#define ARG_BOOL(S, name_, arg) OFFSET(S, name_)
#define ARG_U64(S, name_, arg) OFFSET(S, name_)
#define ARG_WHEN(S, name_, arg) OFFSET(S, name_)
#define ARG_NOW(S, name_, arg) .limit = arg
#define ARG_FIXED(S, name_, arg) .fixed = { arg, sizeof arg - 1 }
#define ARG_OPEN(S, name_, arg) .limit = arg
#define ARG_CLOSE(S, name_, arg) .limit = arg
#define LITERAL(bytes) { bytes, sizeof bytes - 1 }
#define ROW(S, kind_, name_, json_, arg, flags_, meaning_) \
	{ .name = #name_, .kind = EDGE_##kind_, .flags = flags_, .key = LITERAL(json_), \
	  .lead = LITERAL(",\"" json_ "\":"), .meaning = meaning_, ARG_##kind_(S, name_, arg) },
#define ROWS(UPPER, lower, SIDE, type) \
	static const struct edge_row lower##_rows[] = { \
		EDGE_##UPPER##_FIELDS(ROW, lower) { .kind = EDGE_CLOSE } \
	}; \
	_Static_assert(EDGE_ROWS_##lower <= 32, "one bit per row");
EDGE_MESSAGES(ROWS)

/* Whatever a message has to unescape fits into the scratch, its type included. */
#define BYTES_STR(arg) + arg
#define BYTES_OBJECT(arg)
#define BYTES_ARRAY(arg)
#define BYTES_BOOL(arg)
#define BYTES_U64(arg)
#define BYTES_WHEN(arg)
#define BYTES_NOW(arg)
#define BYTES_FIXED(arg)
#define BYTES_OPEN(arg)
#define BYTES_CLOSE(arg)
#define BYTES(S, kind, name, json, arg, flags, meaning) BYTES_##kind(arg)
#define FITS(UPPER, lower, SIDE, type) \
	_Static_assert(TYPE_NAME_MAX EDGE_##UPPER##_FIELDS(BYTES, lower) <= EDGE_SCRATCH_SIZE, \
		       "the strings of " #lower);
EDGE_MESSAGES(FITS)

#define HEAD(type) sizeof(type) > 1 ? "{\"type\":\"" type "\"" : "{", \
	sizeof(type) > 1 ? sizeof "{\"type\":\"" type "\"" - 1 : 1
#define SCHEMA(UPPER, lower, SIDE, type_) \
	[EDGE_##UPPER] = { .name = #lower, .side = EDGE_##SIDE, .type = LITERAL(type_), \
			   .head = { HEAD(type_) }, .rows = lower##_rows, \
			   .row_count = EDGE_ROWS_##lower },
static const struct edge_schema schemas[EDGE_TYPE_COUNT] = { EDGE_MESSAGES(SCHEMA) };
/* clang-format on */

const struct edge_schema *edge_schema(enum edge_type type)
{
	return type > EDGE_NONE && type < EDGE_TYPE_COUNT ? &schemas[type] : NULL;
}

enum edge_type edge_named(enum edge_side side, struct text type)
{
	for (unsigned i = EDGE_NONE + 1; i < EDGE_TYPE_COUNT; i++)
		if (schemas[i].side == side && type.length > 0 && text_equal(schemas[i].type, type))
			return (enum edge_type)i;
	return EDGE_NONE;
}

unsigned edge_skip(const struct edge_schema *schema, unsigned index)
{
	if (schema->rows[index].kind == EDGE_OPEN)
		while (schema->rows[index].kind != EDGE_CLOSE)
			index++;
	return index + 1;
}
