/* SPDX-License-Identifier: MIT */
#include "proto/escape.h"

#include <assert.h>

struct range {
	uint32_t first, last;
};

/* Characters that do something instead of showing something. */
static const struct range harmful[] = {
	{ 0x00, 0x1f }, /* C0 */
	{ '"', '"' },	    { '\\', '\\' }, { 0x7f, 0x9f }, /* DEL, C1 */
	{ 0x61c, 0x61c }, /* Arabic letter mark */
	{ 0x200e, 0x200f }, /* direction marks */
	{ 0x2028, 0x202e }, /* line and paragraph separator, embeddings and overrides */
	{ 0x2066, 0x2069 }, /* isolates */
	{ 0xfeff, 0xfeff }, /* byte order mark */
};

/* Length, lowest and highest code point by the first byte; see RFC 3629 section 4. */
static size_t decode(struct text text, uint32_t *code)
{
	const unsigned char *at = (const unsigned char *)text.bytes;
	size_t length;
	uint32_t least;

	if (text.length == 0)
		return 0;
	if (at[0] < 0x80) {
		*code = at[0];
		return 1;
	}
	if ((at[0] & 0xe0) == 0xc0) {
		length = 2, least = 0x80, *code = at[0] & 0x1f;
	} else if ((at[0] & 0xf0) == 0xe0) {
		length = 3, least = 0x800, *code = at[0] & 0x0f;
	} else if ((at[0] & 0xf8) == 0xf0) {
		length = 4, least = 0x10000, *code = at[0] & 0x07;
	} else {
		return 0;
	}
	if (length > text.length)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (at[i] & 0x3f);
	}
	if (*code < least || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return length;
}

size_t escape_utf8(struct text text)
{
	uint32_t code;

	return decode(text, &code);
}

static bool is_harmful(uint32_t code)
{
	for (size_t i = 0; i < sizeof harmful / sizeof harmful[0]; i++)
		if (code >= harmful[i].first && code <= harmful[i].last)
			return true;
	return false;
}

static size_t put_code(uint32_t code, char *out)
{
	static const char digits[] = "0123456789abcdef";

	assert(code <= 0xffff);
	out[0] = '\\';
	out[1] = 'u';
	for (int i = 0; i < 4; i++)
		out[2 + i] = digits[code >> (12 - 4 * i) & 0xf];
	return 6;
}

size_t escape_next(struct text text, char out[ESCAPE_SIZE], size_t *length)
{
	uint32_t code;
	size_t taken = decode(text, &code);

	assert(text.length > 0);
	if (taken == 0) {
		*length = put_code(0xfffd, out);
		return 1;
	}
	if (!is_harmful(code)) {
		memcpy(out, text.bytes, taken);
		*length = taken;
	} else if (code == '"' || code == '\\') {
		out[0] = '\\';
		out[1] = (char)code;
		*length = 2;
	} else {
		*length = put_code(code, out);
	}
	return taken;
}

char *escape_put(struct text text, char *buffer, size_t size)
{
	size_t used = 0;

	assert(size > 0);
	while (text.length > 0) {
		char out[ESCAPE_SIZE];
		size_t length, taken = escape_next(text, out, &length);

		if (length >= size - used)
			break;
		memcpy(buffer + used, out, length);
		used += length;
		text.bytes += taken;
		text.length -= (uint32_t)taken;
	}
	buffer[used] = '\0';
	return buffer;
}
