/* SPDX-License-Identifier: MIT */
/* Goal: tables are aligned, fit their width, and nothing in a cell can move the cursor; JSON is
 * JSON whatever bytes go in.  Method: print into memory and compare.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_table.h"

static const struct text_table_column columns[] = {
	{ .title = "NAME", .shrinks_to = 6 },
	{ .title = "APP", .shrinks_to = 6, .keeps_end = true },
	{ .title = "N", .right = true },
	{ .title = "NOTE" },
};

static struct text_table table;
static char *printed;
static size_t printed_size;

static void setup(void)
{
	text_table_init(&table, columns, 4);
}

static void teardown(void)
{
	text_table_fini(&table);
	free(printed);
}

static void row(const char *name, const char *app, uint64_t number, const char *note)
{
	text_table_add_string(&table, name, COLOUR_NONE);
	text_table_add_string(&table, app, COLOUR_NONE);
	text_table_add_number(&table, number);
	text_table_add_string(&table, note, COLOUR_RED);
}

static const char *print(size_t width, bool colour)
{
	free(printed);
	FILE *to = open_memstream(&printed, &printed_size);

	text_table_print(&table, to, width, colour);
	(void)fclose(to);
	return printed;
}

TestSuite(table, .init = setup, .fini = teardown);

Test(table, aligned_without_blanks_at_the_end)
{
	row("a", "com.x", 5, "");
	row("longer", "com.long", 1234, "x");
	cr_assert_str_eq(print(80, false), "NAME    APP          N  NOTE\n"
					   "a       com.x        5\n"
					   "longer  com.long  1234  x\n");
}

Test(table, columns_without_content_are_left_out)
{
	row("a", "", 5, "");
	cr_assert_str_eq(print(80, false), "NAME  N\n"
					   "a     5\n");
}

Test(table, shrinks_the_widest_first_and_marks_what_is_cut)
{
	row("alice@example.com", "com.example.live", 7, "stop owed");
	/* 17 + 16 + 1 + 9 and three gaps of 2: 49 */
	cr_assert_str_eq(print(49, false), "NAME               APP               N  NOTE\n"
					   "alice@example.com  com.example.live  7  stop owed\n");
	cr_assert_str_eq(print(40, false),
			 "NAME          APP           N  NOTE\n"
			 "alice@examp\xe2\x80\xa6  \xe2\x80\xa6xample.live  7  stop owed\n");
}

Test(table, never_shrinks_below_what_a_column_needs)
{
	row("alice@example.com", "com.example.live", 7, "stop owed");
	cr_assert_str_eq(print(10, false), "NAME    APP     N  NOTE\n"
					   "alice\xe2\x80\xa6  \xe2\x80\xa6.live  7  stop owed\n");
}

Test(table, counts_characters_not_bytes)
{
	row("\xc3\xa4\xc3\xb6\xc3\xbc", "x", 1, "");
	row("abc", "y", 2, "");
	cr_assert_str_eq(print(80, false), "NAME  APP  N\n"
					   "\xc3\xa4\xc3\xb6\xc3\xbc   x    1\n"
					   "abc   y    2\n");
	row("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6", "z", 3, "");
	cr_assert_not_null(strstr(print(14, false), "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6"
						    "\xe2\x80\xa6  z"));
}

Test(table, cells_are_harmless)
{
	row("a\033[2J\n\xc2\x9b\xff", "\xe2\x80\xae", 1, "");
	const char *text = strchr(print(200, false), '\n') + 1;

	cr_assert_str_eq(text, "a\\u001b[2J\\u000a\\u009b\\ufffd  \\u202e  1\n");
}

Test(table, colours_only_when_asked)
{
	row("a", "b", 1, "x");
	cr_assert_null(strchr(print(80, false), '\033'));
	cr_assert_not_null(strstr(print(80, true), "\033[31mx\033[0m\n"));
}

Test(table, many_rows)
{
	for (uint64_t i = 0; i < 5000; i++)
		row("name", "app", i, "");
	cr_assert_not_null(strstr(print(80, false), "\nname  app  4999\n"));
}

Test(text, ages)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ -5000, "0s" },	{ 0, "0s" },	       { 59999, "59s" },
		{ 60000, "1m" },	{ 3599999, "59m" },    { 3600000, "1h00m" },
		{ 86399999, "23h59m" }, { 86400000, "1d00h" }, { INT64_MAX, "106751991167d07h" },
	};
	char buffer[TEXT_AGE_SIZE];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_assert_str_eq(text_age(rows[i].ms, buffer), rows[i].text);
}

Test(text, times)
{
	char buffer[TEXT_TIME_SIZE];

	cr_assert_eq(setenv("TZ", "UTC", 1), 0);
	cr_assert_str_eq(text_time(1764000000123, buffer), "2025-11-24 16:00:00");
	cr_assert_str_eq(text_time(0, buffer), "-");
}

static char *json_of(enum format format, int count)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	struct json_rows list;

	json_rows_begin(&list, to, format);
	for (int i = 0; i < count; i++) {
		struct json_out *json = json_row_open(&list);

		json_out_text(json, "t", (struct text){ "a\"\\\n\xff\xc3\xa4", 7 });
		json_out_u64(json, "u", UINT64_MAX);
		json_out_open(json, "o", '{');
		json_out_close(json, '}');
		json_out_open(json, "l", '[');
		json_out_i64(json, NULL, -1);
		json_out_bool(json, NULL, true);
		json_out_close(json, ']');
		json_out_word(json, "w", "x");
		json_row_close(&list);
	}
	json_rows_end(&list);
	(void)fclose(to);
	return text;
}

#define OBJECT \
	"{\"t\":\"a\\\"\\\\\\u000a\\ufffd\xc3\xa4\",\"u\":18446744073709551615,\"o\":{}," \
	"\"l\":[-1,true],\"w\":\"x\"}"

Test(json, rows_in_both_forms)
{
	static const struct {
		enum format format;
		int count;
		const char *text;
	} rows[] = {
		{ FORMAT_JSON, 0, "[]\n" },
		{ FORMAT_JSON, 2, "[" OBJECT ",\n " OBJECT "]\n" },
		{ FORMAT_JSONL, 0, "" },
		{ FORMAT_JSONL, 2, OBJECT "\n" OBJECT "\n" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = json_of(rows[i].format, rows[i].count);

		cr_assert_str_eq(text, rows[i].text);
		free(text);
	}
}
