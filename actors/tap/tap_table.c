/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "proto/escape.h"

#define GAP 2 /* blanks between two columns */
#define CELL_SIZE 2048 /* bytes of a cell, escaped */
#define ELLIPSIS "\xe2\x80\xa6"

void text_table_init(struct text_table *table, const struct text_table_column *columns,
		     size_t column_count)
{
	assert(column_count > 0 && column_count <= TABLE_COLUMNS_MAX);
	*table = (struct text_table){ .columns = columns, .column_count = column_count };
}

void text_table_fini(struct text_table *table)
{
	arena_fini(&table->arena);
	free(table->cells);
	table->cells = NULL;
}

void text_table_add(struct text_table *table, struct text text, enum colour colour)
{
	char clean[CELL_SIZE];

	(void)escape_put(text, clean, sizeof clean);
	if (table->cell_count == table->cell_room) {
		table->cell_room = table->cell_room ? table->cell_room * 2 : 256;
		table->cells = memory_grow(table->cells, table->cell_room, sizeof *table->cells);
	}
	table->cells[table->cell_count++] = (struct text_table_cell){
		.shown = arena_keep(&table->arena, text_of(clean)).bytes,
		.columns = text_columns(clean),
		.colour = colour,
	};
}

void text_table_add_string(struct text_table *table, const char *string, enum colour colour)
{
	text_table_add(table, text_of(string), colour);
}

void text_table_add_number(struct text_table *table, uint64_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%" PRIu64, number);
	text_table_add_string(table, digits, COLOUR_NONE);
}

/* Widths of the columns, 0 for those that are left out. */
static void measure(const struct text_table *table, size_t *widths)
{
	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = 0;
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t *width = &widths[i % table->column_count];

		if (table->cells[i].columns > *width)
			*width = table->cells[i].columns;
	}
	for (size_t i = 0; i < table->column_count; i++) {
		size_t title = text_columns(table->columns[i].title);

		if (widths[i] > 0 && widths[i] < title)
			widths[i] = title;
	}
}

static size_t total(const struct text_table *table, const size_t *widths)
{
	size_t sum = 0;

	for (size_t i = 0; i < table->column_count; i++)
		if (widths[i] > 0)
			sum += widths[i] + (sum > 0 ? GAP : 0);
	return sum;
}

static void shrink(const struct text_table *table, size_t *widths, size_t width)
{
	for (size_t excess = total(table, widths); excess > width; excess--) {
		size_t *widest = NULL;

		for (size_t i = 0; i < table->column_count; i++) {
			size_t least = table->columns[i].shrinks_to;

			if (least > 0 && widths[i] > least && (!widest || widths[i] > *widest))
				widest = &widths[i];
		}
		if (!widest)
			return;
		--*widest;
	}
}

/* The start of the character that @columns characters stand in front of. */
static const char *skip_columns(const char *shown, size_t columns)
{
	for (; *shown; shown++)
		if (((unsigned char)*shown & 0xc0) != 0x80 && columns-- == 0)
			break;
	return shown;
}

static void print_shown(const struct text_table_column *column, const char *shown, size_t columns,
			size_t width, FILE *to)
{
	if (columns <= width)
		(void)fputs(shown, to);
	else if (column->keeps_end)
		(void)fprintf(to, ELLIPSIS "%s", skip_columns(shown, columns - width + 1));
	else
		(void)fprintf(to, "%.*s" ELLIPSIS, (int)(skip_columns(shown, width - 1) - shown),
			      shown);
}

static void print_row(const struct text_table *table, const struct text_table_cell *cells,
		      const size_t *widths, FILE *to, bool colour)
{
	size_t blanks = 0; /* owed in front of the next cell: lines have none at their end */

	for (size_t i = 0; i < table->column_count; i++) {
		const struct text_table_column *column = &table->columns[i];
		const struct text_table_cell *cell = &cells[i];
		size_t width = widths[i];
		size_t taken = cell->columns < width ? cell->columns : width;
		bool painted = colour && cell->colour != COLOUR_NONE;

		if (width == 0)
			continue;
		if (taken > 0) {
			blanks += column->right ? width - taken : 0;
			(void)fprintf(to, "%*s%s", (int)blanks, "",
				      painted ? colour_code(cell->colour) : "");
			print_shown(column, cell->shown, cell->columns, width, to);
			(void)fputs(painted ? colour_code(COLOUR_NONE) : "", to);
			blanks = column->right ? 0 : width - taken;
		} else {
			blanks += width;
		}
		blanks += GAP;
	}
	(void)fputc('\n', to);
}

void text_table_print(const struct text_table *table, FILE *to, size_t width, bool colour)
{
	struct text_table_cell titles[TABLE_COLUMNS_MAX];
	size_t widths[TABLE_COLUMNS_MAX];

	assert(table->cell_count % table->column_count == 0);
	measure(table, widths);
	shrink(table, widths, width);
	for (size_t i = 0; i < table->column_count; i++)
		titles[i] = (struct text_table_cell){ table->columns[i].title,
						      text_columns(table->columns[i].title),
						      COLOUR_BOLD };
	print_row(table, titles, widths, to, colour);
	for (size_t i = 0; i < table->cell_count; i += table->column_count)
		print_row(table, table->cells + i, widths, to, colour);
}
