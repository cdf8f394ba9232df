/* SPDX-License-Identifier: MIT */
/* tap_table.h - aligned columns for people.
 *
 * Columns without any content are left out; columns that may shrink do so, the widest first,
 * until the table fits its width.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "actors/tap/tap_arena.h"
#include "actors/tap/tap_text.h"

#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *title;
	size_t shrinks_to; /* columns; 0: it never shrinks */
	bool right; /* aligned right: numbers */
	bool keeps_end; /* shrunk, it loses its beginning: package names */
};

struct table_cell {
	const char *shown; /* clean */
	size_t columns;
	enum colour colour;
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	struct arena arena;
	struct table_cell *cells; /* row after row */
	size_t cell_count, cell_room;
};

/* table_init() - @columns are borrowed for the table's life. */
void table_init(struct table *table, const struct table_column *columns, size_t column_count);
void table_fini(struct table *table);

/* table_add() - the next cell, row after row, column after column; @text is cleaned and copied. */
void table_add(struct table *table, struct text text, enum colour colour);
void table_add_string(struct table *table, const char *string, enum colour colour);
void table_add_number(struct table *table, uint64_t number);

/* table_print() - titles and rows, at most @width columns if shrinking can achieve that. */
void table_print(const struct table *table, FILE *to, size_t width, bool colour);
