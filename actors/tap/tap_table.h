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

struct text_table_column {
	const char *title;
	size_t shrinks_to; /* columns; 0: it never shrinks */
	bool right; /* aligned right: numbers */
	bool keeps_end; /* shrunk, it loses its beginning: package names */
};

struct text_table_cell {
	const char *shown; /* escaped */
	size_t columns;
	enum colour colour;
};

struct text_table {
	const struct text_table_column *columns;
	size_t column_count;
	struct arena arena;
	struct text_table_cell *cells; /* row after row */
	size_t cell_count, cell_room;
};

/* text_table_init() - @columns are borrowed for the table's life. */
void text_table_init(struct text_table *table, const struct text_table_column *columns,
		     size_t column_count);
void text_table_fini(struct text_table *table);

/* text_table_add() - the next cell, row after row, column after column; @text is escaped and
 * copied. */
void text_table_add(struct text_table *table, struct text text, enum colour colour);
void text_table_add_string(struct text_table *table, const char *string, enum colour colour);
void text_table_add_number(struct text_table *table, uint64_t number);

/* text_table_print() - titles and rows, at most @width columns if shrinking can achieve that. */
void text_table_print(const struct text_table *table, FILE *to, size_t width, bool colour);
