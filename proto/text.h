/* SPDX-License-Identifier: MIT */
/* text.h - a borrowed run of bytes with a length; the only string type inside weir.
 *
 * Never terminated.  Whoever keeps one copies it (common/pool.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct text {
	const char *bytes;
	uint32_t length;
};

#define TEXT(literal) ((struct text){ (literal), sizeof(literal) - 1 })

static inline struct text text_of(const char *terminated)
{
	return (struct text){ terminated, (uint32_t)strlen(terminated) };
}

static inline bool text_equal(struct text a, struct text b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline bool text_is(struct text a, const char *terminated)
{
	return text_equal(a, text_of(terminated));
}

/* text_put() - copy @text into @buffer of @size bytes, terminated.
 *
 * Return: @buffer; what does not fit is cut off.
 */
static inline char *text_put(struct text text, char *buffer, size_t size)
{
	size_t length = text.length < size ? text.length : size - 1;

	if (length > 0)
		memcpy(buffer, text.bytes, length);
	buffer[length] = '\0';
	return buffer;
}

#define TEXT_NUMBER_MAX 20 /* digits of 18446744073709551615, and of -9223372036854775808 */

/* text_of_u64(), text_of_i64() - @value in decimal, in @buffer. */
static inline struct text text_of_u64(uint64_t value, char buffer[TEXT_NUMBER_MAX])
{
	char *const end = buffer + TEXT_NUMBER_MAX;
	char *at = end;

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return (struct text){ at, (uint32_t)(end - at) };
}

static inline struct text text_of_i64(int64_t value, char buffer[TEXT_NUMBER_MAX])
{
	struct text digits = text_of_u64(value < 0 ? -(uint64_t)value : (uint64_t)value, buffer);

	if (value >= 0)
		return digits;
	buffer[TEXT_NUMBER_MAX - digits.length - 1] = '-';
	return (struct text){ digits.bytes - 1, digits.length + 1 };
}
