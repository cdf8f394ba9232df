/* SPDX-License-Identifier: MIT */
/* Goal: the reader takes exactly the msgpack subset, at every width and boundary, and never a byte
 * beyond the end.  Method: tables of bytes, each in memory of its own and at every truncation.
 */
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "proto/wire.h"

struct bytes {
	uint8_t length; /* at most 32 */
	uint8_t at[32];
};

/* A reader over a copy that ends where its memory ends. */
static struct wire wire_of(const struct bytes *bytes, size_t length)
{
	uint8_t *copy = malloc(length > 0 ? length : 1);

	cr_assert(copy);
	memcpy(copy, bytes->at, length);
	return (struct wire){ copy, copy + length };
}

static void release(const struct wire *wire)
{
	free((void *)(uintptr_t)wire->at);
}

struct number_row {
	struct bytes bytes;
	bool is_u64, is_i64;
	uint64_t u64;
	int64_t i64;
};

ParameterizedTestParameters(wire, numbers)
{
	static struct number_row rows[] = {
		{ { 1, { 0x00 } }, true, true, 0, 0 },
		{ { 1, { 0x7f } }, true, true, 127, 127 },
		{ { 2, { 0xcc, 0x80 } }, true, true, 128, 128 },
		{ { 2, { 0xcc, 0x00 } }, true, true, 0, 0 },
		{ { 2, { 0xcc, 0xff } }, true, true, 255, 255 },
		{ { 3, { 0xcd, 0x01, 0x02 } }, true, true, 258, 258 },
		{ { 5, { 0xce, 0xff, 0xff, 0xff, 0xff } }, true, true, UINT32_MAX, UINT32_MAX },
		{ { 9, { 0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		  true,
		  true,
		  INT64_MAX,
		  INT64_MAX },
		{ { 9, { 0xcf, 0x80 } }, true, false, UINT64_C(1) << 63, 0 },
		{ { 9, { 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		  true,
		  false,
		  UINT64_MAX,
		  0 },
		{ { 1, { 0xff } }, false, true, 0, -1 },
		{ { 1, { 0xe0 } }, false, true, 0, -32 },
		{ { 2, { 0xd0, 0x80 } }, false, true, 0, -128 },
		{ { 2, { 0xd0, 0x7f } }, false, true, 0, 127 },
		{ { 3, { 0xd1, 0x80, 0x00 } }, false, true, 0, -32768 },
		{ { 5, { 0xd2, 0x80, 0x00, 0x00, 0x00 } }, false, true, 0, INT32_MIN },
		{ { 5, { 0xd2, 0x7f, 0xff, 0xff, 0xff } }, false, true, 0, INT32_MAX },
		{ { 9, { 0xd3, 0x80 } }, false, true, 0, INT64_MIN },
		{ { 9, { 0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		  false,
		  true,
		  0,
		  -1 },
		{ { 1, { 0xc0 } }, false, false, 0, 0 },
		{ { 1, { 0xc2 } }, false, false, 0, 0 },
		{ { 5, { 0xca } }, false, false, 0, 0 },
		{ { 9, { 0xcb } }, false, false, 0, 0 },
		{ { 1, { 0xa0 } }, false, false, 0, 0 },
		{ { 1, { 0x90 } }, false, false, 0, 0 },
		{ { 1, { 0x80 } }, false, false, 0, 0 },
	};

	return cr_make_param_array(struct number_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct number_row *row, wire, numbers)
{
	for (size_t length = 0; length <= row->bytes.length; length++) {
		bool whole = length == row->bytes.length;
		const struct wire start = wire_of(&row->bytes, length);
		struct wire a = start, b = start;
		uint64_t u64 = 0;
		int64_t i64 = 0;

		cr_assert_eq(wire_u64(&a, &u64), whole && row->is_u64);
		cr_assert_eq(wire_i64(&b, &i64), whole && row->is_i64);
		cr_assert(!whole || !row->is_u64 || (u64 == row->u64 && a.at == a.end));
		cr_assert(!whole || !row->is_i64 || (i64 == row->i64 && b.at == b.end));
		release(&start);
	}
}

struct value_row {
	struct bytes bytes;
	char kind; /* what it is: t text, b bool, a list, n number, 0: nothing of ours */
};

ParameterizedTestParameters(wire, values)
{
	static struct value_row rows[] = {
		{ { 1, { 0xa0 } }, 't' },
		{ { 3, { 0xa2, 'h', 'i' } }, 't' },
		{ { 4, { 0xd9, 2, 'h', 'i' } }, 't' },
		{ { 5, { 0xda, 0, 2, 'h', 'i' } }, 't' },
		{ { 7, { 0xdb, 0, 0, 0, 2, 'h', 'i' } }, 't' },
		{ { 2, { 0xd9, 0 } }, 't' },
		{ { 3, { 0xa2, 'h', 0 } }, 0 },
		{ { 4, { 0xd9, 2, 0, 'h' } }, 0 },
		{ { 1, { 0xc2 } }, 'b' },
		{ { 1, { 0xc3 } }, 'b' },
		{ { 1, { 0x90 } }, 'a' },
		{ { 3, { 0x92, 0x01, 0xa0 } }, 'a' },
		{ { 3, { 0xdc, 0, 0 } }, 'a' },
		{ { 4, { 0xdc, 0, 1, 0xc3 } }, 'a' },
		{ { 4, { 0x91, 0x91, 0x91, 0x90 } }, 'a' }, /* four deep */
		{ { 5, { 0x91, 0x91, 0x91, 0x91, 0x07 } }, 'a' },
		{ { 5, { 0x91, 0x91, 0x91, 0x91, 0x90 } }, 0 }, /* five deep */
		{ { 5, { 0xdd, 0, 0, 0, 0 } }, 0 },
		{ { 2, { 0x91, 0xc0 } }, 0 },
		{ { 4, { 0x91, 0xa2, 'h', 0 } }, 0 },
		{ { 1, { 0xc0 } }, 0 },
		{ { 1, { 0xc1 } }, 0 },
		{ { 2, { 0xc4, 0 } }, 0 },
		{ { 3, { 0xc7, 0, 1 } }, 0 },
		{ { 5, { 0xca, 0, 0, 0, 0 } }, 0 },
		{ { 3, { 0xd4, 1, 1 } }, 0 },
		{ { 1, { 0x80 } }, 0 },
		{ { 3, { 0xde, 0, 0 } }, 0 },
		{ { 5, { 0xdf, 0, 0, 0, 0 } }, 0 },
		{ { 1, { 0x05 } }, 'n' },
		{ { 1, { 0xfb } }, 'n' },
		{ { 3, { 0xd1, 0xff, 0x00 } }, 'n' },
	};

	return cr_make_param_array(struct value_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct value_row *row, wire, values)
{
	for (size_t length = 0; length <= row->bytes.length; length++) {
		bool whole = length == row->bytes.length;
		const struct wire start = wire_of(&row->bytes, length);
		struct wire text_wire = start, list_wire = start, bool_wire = start,
			    skip_wire = start, array_wire = start;
		struct text text, list;
		uint32_t count;
		bool flag;

		cr_assert_eq(wire_text(&text_wire, &text), whole && row->kind == 't');
		cr_assert_eq(wire_bool(&bool_wire, &flag), whole && row->kind == 'b');
		cr_assert_eq(wire_list(&list_wire, &list), whole && row->kind == 'a');
		cr_assert_eq(wire_skip(&skip_wire), whole && row->kind != 0);
		cr_assert(!whole || row->kind == 0 || skip_wire.at == skip_wire.end);
		if (whole && row->kind == 'a') {
			cr_assert_eq(list.length, length);
			cr_assert_eq(list_wire.at, list_wire.end);
			cr_assert(wire_array(&array_wire, &count));
		}
		if (whole && row->kind == 't')
			cr_assert(text.length == 0 || text_is(text, "hi"));
		if (whole && row->kind == 'b')
			cr_assert_eq(flag, *row->bytes.at == 0xc3);
		release(&start);
	}
}

Test(wire, array_counts)
{
	static const uint8_t fix[] = { 0x9f }, wide[] = { 0xdc, 0xff, 0xff };
	struct wire a = { fix, fix + sizeof fix }, b = { wide, wide + sizeof wide };
	uint32_t count;

	cr_assert(wire_array(&a, &count));
	cr_assert_eq(count, 15);
	cr_assert(wire_array(&b, &count));
	cr_assert_eq(count, 65535);
}

/* A header announces, it does not prove: nothing is reserved and nothing is read for it. */
Test(wire, announced_lengths_are_not_trusted)
{
	static const struct bytes heads[] = {
		{ 5, { 0xdb, 0xff, 0xff, 0xff, 0xff } },
		{ 6, { 0xdb, 0xff, 0xff, 0xff, 0xff, 'x' } },
		{ 3, { 0xda, 0xff, 0xff } },
		{ 2, { 0xd9, 0xff } },
		{ 3, { 0xdc, 0xff, 0xff } },
		{ 4, { 0xdc, 0xff, 0xff, 0x01 } },
		{ 7, { 0x92, 0xdc, 0xff, 0xff, 0x01, 0x01, 0x01 } },
	};

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		const struct wire start = wire_of(&heads[i], heads[i].length);
		struct wire wire = start;

		cr_assert(!wire_skip(&wire));
		cr_assert_leq(wire.at, wire.end);
		release(&start);
	}
}

/* 65,535 lists of 65,535 announced members are bounded by the bytes that are there. */
Test(wire, work_is_bounded_by_the_bytes, .timeout = 10)
{
	size_t length = 200000;
	uint8_t *bytes = malloc(length);

	for (size_t i = 0; i < length; i++)
		bytes[i] = i % 3 == 0 ? 0xdc : 0xff;
	for (size_t i = 0; i < 1000; i++) {
		struct wire wire = { bytes, bytes + length };

		cr_assert(!wire_skip(&wire));
	}
	free(bytes);
}
