/* SPDX-License-Identifier: MIT */
/* Goal: what is no JSON, or beyond our bounds, is refused, and what is accepted is read right.
 * Tables of documents; jansson judges every one of them too, and where we differ the table says
 * why.  Documents stand at the very end of their memory, so that sanitizers see one byte too many.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include <jansson.h>

#include "proto/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NUL_TEXT(literal) ((struct text){ literal, sizeof literal - 1 })

/* @document in memory of exactly its length. */
static struct text tight(struct text document)
{
	char *bytes = malloc(document.length);

	cr_assert(bytes || document.length == 0);
	if (document.length > 0)
		memcpy(bytes, document.bytes, document.length);
	return (struct text){ bytes, document.length };
}

static bool accepts(struct text document)
{
	struct text copy = tight(document);
	struct json_value value;
	bool accepted = json_read(copy, &value);

	free((char *)copy.bytes);
	return accepted;
}

static bool jansson_accepts(struct text document)
{
	json_error_t error;
	json_t *root = json_loadb(document.bytes, document.length, JSON_DECODE_ANY, &error);

	json_decref(root);
	return root != NULL;
}

static void expect(struct text document, bool accepted)
{
	cr_expect_eq(accepts(document), accepted, "%.*s", (int)document.length, document.bytes);
	cr_expect_eq(jansson_accepts(document), accepted, "jansson: %.*s", (int)document.length,
		     document.bytes);
}

Test(json, accepted)
{
	static const char *const documents[] = {
		"null",
		"true",
		"false",
		" \t\r\n1 \t\r\n",
		"0",
		"-0",
		"10",
		"-1.5",
		"0.0",
		"1e5",
		"1E+5",
		"1.25e-7",
		"9223372036854775807",
		"\"\"",
		"\"text\"",
		"\"\x7f\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"[]",
		"[ ]",
		"[1,2 , [3]]",
		"{}",
		"{ }",
		"{\"a\":1}",
		" { \"a\" : { \"b\" : [ null , true , false ] } , \"\" : \"\" } ",
	};

	for (size_t i = 0; i < COUNT(documents); i++)
		expect(text_of(documents[i]), true);
}

Test(json, refused)
{
	static const char *const documents[] = {
		"",	      " ",
		"nul",	      "nulL",
		"True",	      "1 2",
		"1,",	      "+1",
		"01",	      "-01",
		"00",	      "-",
		"1.",	      ".5",
		"1.e5",	      "1e",
		"1e+",	      "0x10",
		"NaN",	      "Infinity",
		"'a'",	      "\"",
		"\"a",	      "\"\\",
		"\"\\\"",     "\"\\x41\"",
		"\"\\a\"",    "\"\n\"",
		"\"\x1f\"",   "\"a\" \"b\"",
		"[",	      "]",
		"[1",	      "[1,",
		"[1,]",	      "[,1]",
		"[1 2]",      "[1}",
		"{",	      "}",
		"{\"a\"",     "{\"a\":",
		"{\"a\":1",   "{\"a\":1,",
		"{\"a\":1,}", "{,}",
		"{1:2}",      "{a:1}",
		"{\"a\" 1}",  "{\"a\":1 \"b\":2}",
		"{\"a\":1]",  "{\"a\"::1}",
		"// a\n1",    "/* */1",
		"\v1",	      "\xef\xbb\xbf{}",
		"{}x",	      "{}{}",
	};

	for (size_t i = 0; i < COUNT(documents); i++)
		expect(text_of(documents[i]), false);
}

/* jansson takes a NUL behind the document. */
Test(json, nul_is_never_taken)
{
	cr_expect_not(accepts(NUL_TEXT("\0")));
	cr_expect_not(accepts(NUL_TEXT("1\0")));
	cr_expect_not(accepts(NUL_TEXT("\0{}")));
	cr_expect_not(accepts(NUL_TEXT("{}\0")));
	cr_expect_not(accepts(NUL_TEXT("\"a\0b\"")));
	cr_expect_not(accepts(NUL_TEXT("\"\\u0000\"")));
	cr_expect_not(accepts(NUL_TEXT("{\"a\\u0000\":1}")));
	cr_expect_not(accepts(NUL_TEXT("{\"a\":\0 1}")));
}

Test(json, utf8)
{
	static const struct {
		const char *bytes;
		bool valid;
	} rows[] = {
		{ "\x7f", true },
		{ "\xc2\x80", true }, /* U+0080 */
		{ "\xdf\xbf", true }, /* U+07FF */
		{ "\xe0\xa0\x80", true }, /* U+0800 */
		{ "\xed\x9f\xbf", true }, /* U+D7FF */
		{ "\xee\x80\x80", true }, /* U+E000 */
		{ "\xef\xbf\xbf", true }, /* U+FFFF */
		{ "\xf0\x90\x80\x80", true }, /* U+10000 */
		{ "\xf4\x8f\xbf\xbf", true }, /* U+10FFFF */
		{ "a\xc3\xa9z", true },
		{ "\x80", false },
		{ "\xbf", false },
		{ "\xc0\x80", false }, /* overlong */
		{ "\xc1\xbf", false },
		{ "\xe0\x80\x80", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xf0\x80\x80\x80", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xed\xa0\x80", false }, /* surrogates */
		{ "\xed\xbf\xbf", false },
		{ "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
		{ "\xf5\x80\x80\x80", false },
		{ "\xfe", false },
		{ "\xff", false },
		{ "\xc2", false }, /* cut */
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x98", false },
		{ "\xc2z", false },
		{ "\xe2z\x82", false },
		{ "\xe2\x82z", false },
		{ "\xf0\x9f\x98z", false },
		{ "\xc2\xc2\x80", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char document[16];
		int length = snprintf(document, sizeof document, "\"%s\"", rows[i].bytes);
		struct text bytes = text_of(rows[i].bytes);

		expect((struct text){ document, (uint32_t)length }, rows[i].valid);
		snprintf(document, sizeof document, "{\"%s\":1}", rows[i].bytes);
		expect(text_of(document), rows[i].valid);
		expect((struct text){ document, 2 + bytes.length }, false);
		if (!rows[i].valid)
			cr_expect_lt(json_utf8(bytes.bytes, bytes.length), bytes.length);
		expect(bytes, false); /* outside of a string */
	}
	cr_expect_eq(json_utf8("", 0), 0);
}

Test(json, unescape)
{
	static const struct {
		const char *escaped, *expected; /* NULL: refused */
	} rows[] = {
		{ "\\u0041", "A" },
		{ "\\u0001", "\x01" },
		{ "\\u00e9", "\xc3\xa9" },
		{ "\\u00E9", "\xc3\xa9" },
		{ "\\u07ff", "\xdf\xbf" },
		{ "\\u0800", "\xe0\xa0\x80" },
		{ "\\uFfFf", "\xef\xbf\xbf" },
		{ "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
		{ "\\uD800\\uDC00", "\xf0\x90\x80\x80" },
		{ "\\udbff\\udfff", "\xf4\x8f\xbf\xbf" },
		{ "a\\\"b\\\\c\\/d\\be\\ff\\ng\\rh\\ti", "a\"b\\c/d\be\ff\ng\rh\ti" },
		{ "\xc3\xa9\\n\xe2\x82\xac", "\xc3\xa9\n\xe2\x82\xac" },
		{ "\\ud83d", NULL },
		{ "\\ude00", NULL },
		{ "\\ude00\\ud83d", NULL },
		{ "\\ud83d\\ud83d", NULL },
		{ "\\ud83dx", NULL },
		{ "\\ud83dxxxxxx", NULL },
		{ "\\ud83d\\nxxxxx", NULL },
		{ "\\ud83d\\uffff", NULL },
		{ "\\ud83d\\udbff", NULL },
		{ "\\ud83d\\n", NULL },
		{ "\\ud83d\\u0041", NULL },
		{ "\\ud83d\\ude0", NULL },
		{ "\\ud83d\\", NULL },
		{ "\\u", NULL },
		{ "\\u004", NULL },
		{ "\\u00g1", NULL },
		{ "\\u+041", NULL },
		{ "\\U0041", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char document[64], buffer[64];
		struct json_value value;
		struct text text;

		snprintf(document, sizeof document, "\"%s\"", rows[i].escaped);
		expect(text_of(document), rows[i].expected != NULL);
		if (!rows[i].expected)
			continue;
		cr_assert(json_read(text_of(document), &value));
		cr_assert(value.kind == JSON_KIND_STRING && value.escaped);
		cr_assert(json_text(&value, buffer, sizeof buffer, &text));
		cr_expect(text_is(text, rows[i].expected), "%s", document);
		cr_expect(json_is(&value, text_of(rows[i].expected)), "%s", document);
		cr_expect(json_text(&value, buffer, text.length, &text));
		cr_expect(text_is(text, rows[i].expected));
		cr_expect_not(json_text(&value, buffer, text.length - 1, &text));
	}
}

Test(json, strings_are_cut_between_characters)
{
	static const char *const documents[] = { "\"a\xc3\xa9\xe2\x82\xac\"",
						 "\"a\\u00e9\\u20ac\"" };
	static const uint32_t expected[] = { 0, 1, 1, 3, 3, 3, 6, 6 };

	for (size_t i = 0; i < COUNT(documents); i++) {
		struct json_value value;

		cr_assert(json_read(text_of(documents[i]), &value));
		for (uint32_t size = 0; size < COUNT(expected); size++) {
			char *buffer = malloc(size ? size : 1);
			struct text text, unchanged = TEXT("x");

			cr_expect_eq(json_text_cut(&value, buffer, size, &text), size >= 6);
			cr_expect_eq(text.length, expected[size]);
			cr_expect(text.length == 0 ||
				  memcmp(text.bytes, "a\xc3\xa9\xe2\x82\xac", text.length) == 0);
			if (size < 6) {
				cr_expect_not(json_text(&value, buffer, size, &unchanged));
				cr_expect(text_is(unchanged, "x"));
			}
			free(buffer);
		}
	}
}

Test(json, strings_are_nothing_else)
{
	static const char *const documents[] = { "null", "true", "1", "[]", "{}" };
	struct json_value value;
	char buffer[8];
	struct text text;
	bool flag;

	for (size_t i = 0; i < COUNT(documents); i++) {
		cr_assert(json_read(text_of(documents[i]), &value));
		cr_expect_not(json_text(&value, buffer, sizeof buffer, &text));
		cr_expect_not(json_text_cut(&value, buffer, sizeof buffer, &text));
		cr_expect_eq(text.length, 0);
		cr_expect_not(json_is(&value, text_of(documents[i])));
		cr_expect_eq(json_bool(&value, &flag), value.kind == JSON_KIND_BOOL);
	}
	cr_assert(json_read(TEXT("\"true\""), &value));
	cr_expect_not(json_bool(&value, &flag));
}

/* @depth arrays or objects inside each other. */
static struct text nested(char *out, unsigned depth, bool objects)
{
	char *at = out;

	for (unsigned i = 0; i < depth; i++)
		at = stpcpy(at, objects ? "{\"a\":" : "[");
	at = stpcpy(at, objects ? "1" : "");
	for (unsigned i = 0; i < depth; i++)
		*at++ = objects ? '}' : ']';
	return (struct text){ out, (uint32_t)(at - out) };
}

Test(json, depth)
{
	static char document[8 * 10000];

	for (unsigned objects = 0; objects < 2; objects++) {
		cr_expect(accepts(nested(document, 1, objects)));
		cr_expect(accepts(nested(document, JSON_DEPTH_MAX, objects)));
		cr_expect_not(accepts(nested(document, JSON_DEPTH_MAX + 1, objects)));
		cr_expect(jansson_accepts(nested(document, JSON_DEPTH_MAX + 1, objects)));
		cr_expect_not(accepts(nested(document, 10000, objects)));
	}
}

Test(json, members)
{
	static char document[16 * 300];

	for (unsigned count = JSON_MEMBERS_MAX; count <= JSON_MEMBERS_MAX + 1; count++) {
		char *at = stpcpy(document, "[{");

		for (unsigned i = 0; i < count; i++)
			at += sprintf(at, "%s\"k%u\":1", i ? "," : "", i);
		strcpy(at, "}]");
		cr_expect_eq(accepts(text_of(document)), count <= JSON_MEMBERS_MAX);
		/* The bound is on objects; arrays are bounded by the message. */
		at = stpcpy(document, "[0");
		for (unsigned i = 1; i < count; i++)
			at = stpcpy(at, ",0");
		strcpy(at, "]");
		expect(text_of(document), true);
	}
}

Test(json, integers)
{
	static const struct {
		const char *number;
		enum json_range u64, i64;
	} rows[] = {
		{ "0", JSON_IN_RANGE, JSON_IN_RANGE },
		{ "-0", JSON_IN_RANGE, JSON_IN_RANGE },
		{ "1764583200000", JSON_IN_RANGE, JSON_IN_RANGE },
		{ "-1", JSON_OUT_OF_RANGE, JSON_IN_RANGE },
		{ "9223372036854775807", JSON_IN_RANGE, JSON_IN_RANGE },
		{ "9223372036854775808", JSON_IN_RANGE, JSON_OUT_OF_RANGE },
		{ "-9223372036854775808", JSON_OUT_OF_RANGE, JSON_IN_RANGE },
		{ "-9223372036854775809", JSON_OUT_OF_RANGE, JSON_OUT_OF_RANGE },
		{ "18446744073709551615", JSON_IN_RANGE, JSON_OUT_OF_RANGE },
		{ "18446744073709551616", JSON_OUT_OF_RANGE, JSON_OUT_OF_RANGE },
		{ "184467440737095516150", JSON_OUT_OF_RANGE, JSON_OUT_OF_RANGE },
		{ "1.0", JSON_NO_INTEGER, JSON_NO_INTEGER },
		{ "1e3", JSON_NO_INTEGER, JSON_NO_INTEGER },
		{ "1E3", JSON_NO_INTEGER, JSON_NO_INTEGER },
		{ "true", JSON_NO_INTEGER, JSON_NO_INTEGER },
		{ "\"1\"", JSON_NO_INTEGER, JSON_NO_INTEGER },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_value value;
		uint64_t u64 = 42;
		int64_t i64 = 42;

		cr_assert(json_read(text_of(rows[i].number), &value));
		cr_expect_eq(json_u64(&value, &u64), rows[i].u64, "%s", rows[i].number);
		cr_expect_eq(json_i64(&value, &i64), rows[i].i64, "%s", rows[i].number);
		cr_expect_eq(u64, rows[i].u64 ? 42 : strtoull(rows[i].number, NULL, 10));
		cr_expect_eq(i64, rows[i].i64 ? 42 : strtoll(rows[i].number, NULL, 10));
	}
}

Test(json, numbers)
{
	static const char *const numbers[] = {
		"0",
		"-0.0",
		"1",
		"-1.5",
		"0.1",
		"1e5",
		"1E-5",
		"3.141592653589793",
		"1e+22",
		"1e22",
		"1e-22",
		"1e300",
		"1e-300",
		"1e308",
		"2.5e-308",
		"5e-324",
		"1e-400",
		"0e999999999999",
		"0.000000000000000000000000000001234",
		"12345678901234567890123",
		"1.797e308",
		"1e-99999999999999999999",
		"100000000000000000.5",
	};
	struct json_value value;
	double number;

	for (size_t i = 0; i < COUNT(numbers); i++) {
		double exact = strtod(numbers[i], NULL);

		cr_assert(json_read(text_of(numbers[i]), &value));
		cr_assert(json_number(&value, &number), "%s", numbers[i]);
		cr_expect(fabs(number - exact) <= fabs(exact) * 1e-14 + 5e-324, "%s: %.17g",
			  numbers[i], number);
		cr_expect_eq(signbit(number), signbit(exact));
	}
	cr_assert(json_read(TEXT("1e309"), &value));
	cr_expect_not(json_number(&value, &number));
	cr_assert(json_read(TEXT("-1e99999999999999999999"), &value));
	cr_expect_not(json_number(&value, &number));
	cr_assert(json_read(TEXT("\"1\""), &value));
	cr_expect_not(json_number(&value, &number));
}

Test(json, walk)
{
	struct json_walk walk;
	struct json_value key, value;
	static const char *const expected[] = { "a", "1",	    "b", "[1, 2]",
						"a", "{\"x\" : 0}", "",	 "deep \\n" };
	unsigned i = 0;

	cr_assert(json_open(&walk,
			    TEXT(" {\"a\":1, \"b\" : [1, 2],\"a\":{\"x\" : 0},\"\":\"deep \\n\"} "),
			    JSON_KIND_OBJECT));
	for (; json_next(&walk, &key, &value); i += 2) {
		cr_assert_lt(i, COUNT(expected));
		cr_expect(text_is(key.raw, expected[i]));
		cr_expect(text_is(value.raw, expected[i + 1]));
	}
	cr_expect_eq(i, COUNT(expected));
	cr_expect(walk.ended && !walk.failed);
	cr_expect_not(json_next(&walk, &key, &value));
	cr_expect_not(walk.failed);

	cr_expect_not(json_open(&walk, TEXT(" [] "), JSON_KIND_OBJECT));
	cr_expect_not(json_open(&walk, TEXT("{}"), JSON_KIND_ARRAY));
	cr_expect_not(json_open(&walk, TEXT(""), JSON_KIND_OBJECT));
	cr_expect_not(json_open(&walk, TEXT(" \n"), JSON_KIND_OBJECT));
	cr_assert(json_open(&walk, TEXT("{\"a\":1}x"), JSON_KIND_OBJECT));
	cr_expect(json_next(&walk, NULL, &value));
	cr_expect_not(json_next(&walk, NULL, &value));
	cr_expect(walk.failed);
	cr_assert(json_open(&walk, TEXT("[1,]"), JSON_KIND_ARRAY));
	cr_expect(json_next(&walk, NULL, &value));
	cr_expect_not(json_next(&walk, NULL, &value));
	cr_expect(walk.failed);
	cr_expect_not(json_next(&walk, NULL, &value));
}

static void put_some(struct json_writer *writer)
{
	json_put_raw(writer, TEXT("["));
	json_put_string(writer, TEXT("a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80"));
	json_put_raw(writer, TEXT(","));
	json_put_string(writer, (struct text){ 0 });
	json_put_raw(writer, TEXT(","));
	json_put_u64(writer, 0);
	json_put_raw(writer, TEXT(","));
	json_put_u64(writer, UINT64_MAX);
	json_put_raw(writer, TEXT(","));
	json_put_i64(writer, INT64_MIN);
	json_put_raw(writer, TEXT(","));
	json_put_i64(writer, INT64_MAX);
	json_put_raw(writer, TEXT(","));
	json_put_bool(writer, true);
	json_put_raw(writer, TEXT(","));
	json_put_bool(writer, false);
	json_put_raw(writer, TEXT("]"));
}

Test(json, writer)
{
	static const char golden[] =
		"[\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\xf0\x9f\x98\x80\",\"\",0,"
		"18446744073709551615,-9223372036854775808,9223372036854775807,true,false]";

	for (size_t size = 0; size < sizeof golden; size++) {
		char *bytes = malloc(size ? size : 1);
		struct json_writer writer = { .bytes = bytes, .size = size };

		put_some(&writer);
		cr_expect_eq(writer.full, size < sizeof golden - 1);
		cr_expect_leq(writer.length, size);
		cr_expect(memcmp(bytes, golden, writer.length) == 0);
		if (!writer.full)
			cr_expect_eq(writer.length, sizeof golden - 1);
		free(bytes);
	}
}

Test(json, writer_mends_what_is_no_utf8)
{
	char bytes[64];
	struct json_writer writer = { .bytes = bytes, .size = sizeof bytes };

	json_put_string(&writer, NUL_TEXT("a\xff\xe2\x82z\xc3"));
	cr_expect(text_equal((struct text){ bytes, (uint32_t)writer.length },
			     TEXT("\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\"")));
	cr_expect(accepts((struct text){ bytes, (uint32_t)writer.length }));
	writer.length = 0;
	json_put_string(&writer, NUL_TEXT("\0"));
	cr_expect(text_equal((struct text){ bytes, (uint32_t)writer.length }, TEXT("\"\\u0000\"")));
}
