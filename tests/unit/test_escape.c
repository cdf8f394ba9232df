/* SPDX-License-Identifier: MIT */
/* Goal: whatever bytes come in, what is shown is UTF-8 without control or direction characters and
 * stands inside a JSON string.  Method: every code point there is, every pair of bytes, tables.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "proto/escape.h"

static size_t encode(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* Written down from the Unicode tables, apart from the code's own ranges. */
static bool must_be_escaped(uint32_t code)
{
	static const uint32_t bidi[] = { 0x61c,	 0x200e, 0x200f, 0x202a, 0x202b,
					 0x202c, 0x202d, 0x202e, 0x2066, 0x2067,
					 0x2068, 0x2069, 0x2028, 0x2029, 0xfeff };

	if (code < 32 || (code >= 127 && code < 160) || code == '"' || code == '\\')
		return true;
	for (size_t i = 0; i < sizeof bidi / sizeof bidi[0]; i++)
		if (code == bidi[i])
			return true;
	return false;
}

Test(escape, every_code_point)
{
	for (uint32_t code = 0; code < 0x110000; code++) {
		char bytes[4], out[ESCAPE_SIZE], expected[16];
		size_t length = encode(code, bytes), shown;
		struct text text = { bytes, (uint32_t)length };

		if (code >= 0xd800 && code <= 0xdfff) {
			cr_assert_eq(escape_utf8(text), 0);
			cr_assert_eq(escape_next(text, out, &shown), 1);
			cr_assert_arr_eq(out, "\\ufffd", 6);
			continue;
		}
		cr_assert_eq(escape_utf8(text), length);
		cr_assert_eq(escape_next(text, out, &shown), length);
		if (!must_be_escaped(code)) {
			cr_assert_eq(shown, length);
			cr_assert_arr_eq(out, bytes, length);
		} else if (code == '"' || code == '\\') {
			cr_assert_eq(shown, 2);
			cr_assert(out[0] == '\\' && out[1] == (char)code);
		} else {
			(void)snprintf(expected, sizeof expected, "\\u%04x", code);
			cr_assert_eq(shown, 6);
			cr_assert_arr_eq(out, expected, 6);
		}
	}
}

Test(escape, what_is_not_utf8)
{
	static const char *const broken[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xfe",
		"\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xff",
		"\xc3",
		"\xe2\x82",
		"\xf0\x9f\x98",
		"\xc3(",
		"\xe2(\xa1",
		"\xe2\x82(",
		"\xf0\x28\x8c\xbc",
	};

	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		char out[ESCAPE_SIZE];
		size_t length;

		cr_assert_eq(escape_utf8(text_of(broken[i])), 0, "%zu", i);
		cr_assert_eq(escape_next(text_of(broken[i]), out, &length), 1);
		cr_assert_eq(length, 6);
		cr_assert_arr_eq(out, "\\ufffd", 6);
	}
	cr_assert_eq(escape_utf8((struct text){ 0 }), 0);
}

/* Any two bytes, in a JSON string, in memory that ends behind them. */
Test(escape, every_pair_of_bytes_makes_json)
{
	for (unsigned pair = 0; pair < 65536; pair++) {
		char *bytes = malloc(2), shown[32], json[40];

		bytes[0] = (char)(pair >> 8);
		bytes[1] = (char)pair;
		(void)escape_put((struct text){ bytes, 2 }, shown, sizeof shown);
		(void)snprintf(json, sizeof json, "[\"%s\"]", shown);
		json_t *root = json_loads(json, JSON_ALLOW_NUL, NULL);

		cr_assert(root, "%04x: %s", pair, json);
		json_decref(root);
		free(bytes);
	}
}

Test(escape, put_cuts_between_characters)
{
	static const struct text text = TEXT("a\nb\xc3\xa9\"c");
	static const char whole[] = "a\\u000ab\xc3\xa9\\\"c";
	static const size_t ends[] = { 0, 1, 7, 8, 10, 12, 13 };

	for (size_t size = 1; size <= sizeof whole + 2; size++) {
		char *shown = malloc(size);
		size_t expected = 0;

		for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
			if (ends[i] < size)
				expected = ends[i];
		cr_assert_eq(escape_put(text, shown, size), shown);
		cr_assert_eq(strlen(shown), expected, "size %zu: %s", size, shown);
		cr_assert_arr_eq(shown, whole, expected);
		free(shown);
	}
}
