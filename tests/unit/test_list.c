/* SPDX-License-Identifier: MIT */
/* Goal: what is written is read back, and a list that is full is a list without its last member,
 * never a broken one.  Method: every size of buffer for the same members.
 */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "proto/list.h"

static uint8_t bytes[1 << 20];

Test(list, an_empty_list_is_a_list)
{
	struct list_writer list;
	struct wire wire;
	uint32_t count = 7;

	list_begin(&list, bytes, 3);
	struct text text = list_end(&list);

	cr_assert_eq(text.length, 3);
	cr_assert(list_read(text, &wire, &count));
	cr_assert_eq(count, 0);
	cr_assert(!list_add_u64(&list, 1));
	cr_assert_eq(list_end(&list).length, 3);
}

Test(list, no_text_is_an_empty_list_and_other_values_are_none)
{
	struct wire wire;
	uint32_t count = 7;

	cr_assert(list_read((struct text){ 0 }, &wire, &count));
	cr_assert_eq(count, 0);
	cr_assert(!list_read(TEXT("\xa1x"), &wire, &count));
	cr_assert(!list_read(TEXT("\xc0"), &wire, &count));
}

Test(list, every_width_is_read_back)
{
	static const uint64_t numbers[] = { 0,		1,
					    127,	128,
					    255,	256,
					    UINT16_MAX, UINT16_MAX + 1,
					    UINT32_MAX, UINT32_MAX + 1ull,
					    UINT64_MAX };
	static const uint32_t lengths[] = { 0, 1, 31, 32, 255, 256, UINT16_MAX, UINT16_MAX + 1 };
	size_t number_count = sizeof numbers / sizeof numbers[0];
	size_t length_count = sizeof lengths / sizeof lengths[0];
	char *filler = malloc(UINT16_MAX + 1);
	struct list_writer list;
	struct wire wire;
	uint32_t count;

	memset(filler, 'x', UINT16_MAX + 1);
	list_begin(&list, bytes, sizeof bytes);
	for (size_t i = 0; i < number_count; i++)
		cr_assert(list_add_u64(&list, numbers[i]));
	for (size_t i = 0; i < length_count; i++)
		cr_assert(list_add_text(&list, (struct text){ filler, lengths[i] }));
	cr_assert(list_read(list_end(&list), &wire, &count));
	cr_assert_eq(count, number_count + length_count);
	for (size_t i = 0; i < number_count; i++) {
		uint64_t number;

		cr_assert(wire_u64(&wire, &number));
		cr_assert_eq(number, numbers[i]);
	}
	for (size_t i = 0; i < length_count; i++) {
		struct text text;

		cr_assert(wire_text(&wire, &text));
		cr_assert(text_equal(text, (struct text){ filler, lengths[i] }));
	}
	cr_assert_eq(wire.at, wire.end);
	free(filler);
}

Test(list, a_text_without_bytes_is_written)
{
	struct list_writer list;

	list_begin(&list, bytes, 8);
	cr_assert(list_add_text(&list, (struct text){ 0 }));
	cr_assert_eq(list_end(&list).length, 4);
}

/* Two members of 3 scalars each, and a text; 3 + 2 * 9 + 3 bytes. */
static uint32_t write_members(struct list_writer *list, size_t size)
{
	uint32_t kept = 0;

	list_begin(list, bytes, size);
	for (int i = 0; i < 2; i++) {
		list_open_member(list, 3);
		list_put_u64(list, 300);
		list_put_text(list, TEXT("abc"));
		list_put_u64(list, 5);
		kept += list_close_member(list);
	}
	kept += list_add_text(list, TEXT("de"));
	return kept;
}

Test(list, a_member_is_written_whole_or_not_at_all)
{
	for (size_t size = 3; size <= 40; size++) {
		struct list_writer list;
		struct wire wire;
		uint32_t count, kept = write_members(&list, size);
		struct text text = list_end(&list);

		cr_assert_leq(text.length, size);
		cr_assert(list_read(text, &wire, &count));
		cr_assert_eq(count, kept);
		for (uint32_t i = 0; i < count; i++)
			cr_assert(wire_skip(&wire));
		cr_assert_eq(wire.at, wire.end, "size %zu leaves a stump", size);
		cr_assert_eq(count == 3, size >= 24);
	}
}

Test(list, room_left_after_a_refusal_can_be_used)
{
	struct list_writer list;
	struct wire wire;
	uint32_t count;

	list_begin(&list, bytes, 6);
	cr_assert(!list_add_text(&list, TEXT("too long")));
	cr_assert(list_add_u64(&list, 300));
	cr_assert(list_read(list_end(&list), &wire, &count));
	cr_assert_eq(count, 1);
}

Test(list, more_may_be_added_after_the_end)
{
	struct list_writer list;

	list_begin(&list, bytes, 100);
	cr_assert(list_add_u64(&list, 1));
	cr_assert_eq(list_end(&list).length, 4);
	cr_assert(list_add_u64(&list, 2));
	cr_assert_eq(list_end(&list).length, 5);
	cr_assert_eq(bytes[2], 2);
}

Test(list, has_at_most_65535_members)
{
	struct list_writer list;
	struct wire wire;
	uint32_t count;

	list_begin(&list, bytes, sizeof bytes);
	for (uint32_t i = 0; i < UINT16_MAX; i++)
		cr_assert(list_add_u64(&list, 1));
	cr_assert(!list_add_u64(&list, 1));
	cr_assert(list_read(list_end(&list), &wire, &count));
	cr_assert_eq(count, UINT16_MAX);
}
