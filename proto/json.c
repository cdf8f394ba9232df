/* SPDX-License-Identifier: MIT */
#include "proto/json.h"

#include <assert.h>

/* What a byte is inside a string. */
enum {
	PLAIN, /* stands for itself */
	CONTROL, /* must be escaped */
	QUOTE,
	BACKSLASH,
	HIGH, /* part of a longer character */
};

/* clang-format off */
#define X8(class) class, class, class, class, class, class, class, class
#define X32(class) X8(class), X8(class), X8(class), X8(class)
static const uint8_t classes[256] = {
	X32(CONTROL),
	['"'] = QUOTE,
	['\\'] = BACKSLASH,
	[0x80] = X32(HIGH), X32(HIGH), X32(HIGH), X32(HIGH),
};
/* clang-format on */

static const char *scan_value(const char *at, const char *end, unsigned depth,
			      struct json_value *out);

static unsigned class_of(const char *at)
{
	return classes[(unsigned char)*at];
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

static bool continues(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t json_utf8(const char *bytes, size_t length)
{
	const unsigned char *at = (const unsigned char *)bytes;

	if (length < 1)
		return 0;
	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4 || length < 2 || !continues(at[1]))
		return 0;
	if (at[0] < 0xe0)
		return 2;
	/* The second byte tells overlong forms, surrogates and what is beyond U+10FFFF. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	if (length < 3 || !continues(at[2]))
		return 0;
	if (at[0] < 0xf0)
		return 3;
	return length >= 4 && continues(at[3]) ? 4 : 0;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* The four digits of \uXXXX; -1 if they are none. */
static int32_t scan_unit(const char *at, const char *end)
{
	int32_t unit = 0;

	if (end - at < 4)
		return -1;
	for (unsigned i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* What follows the backslash: @code is the character.  NULL if it is no escape we take. */
static const char *scan_escape(const char *at, const char *end, uint32_t *code)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *letter;

	if (at == end)
		return NULL;
	if (*at != 'u') {
		letter = memchr(letters, *at, sizeof letters - 1);
		*code = letter ? (unsigned char)meanings[letter - letters] : 0;
		return letter ? at + 1 : NULL;
	}
	int32_t first = scan_unit(at + 1, end);
	if (first <= 0 || (first >= 0xdc00 && first <= 0xdfff))
		return NULL;
	*code = (uint32_t)first;
	at += 5;
	if (first < 0xd800 || first > 0xdfff)
		return at;
	if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return NULL;
	int32_t second = scan_unit(at + 2, end);
	if (second < 0xdc00 || second > 0xdfff)
		return NULL;
	*code = 0x10000u + ((uint32_t)first - 0xd800u) * 0x400u + ((uint32_t)second - 0xdc00u);
	return at + 6;
}

/* @at is behind the opening quote. */
static const char *scan_string(const char *at, const char *end, struct json_value *out)
{
	const char *start = at;
	uint32_t code;
	size_t length;

	out->kind = JSON_KIND_STRING;
	out->escaped = false;
	for (;;) {
		while (at < end && class_of(at) == PLAIN)
			at++;
		if (at == end)
			return NULL;
		switch (class_of(at)) {
		case QUOTE:
			out->raw = (struct text){ start, (uint32_t)(at - start) };
			return at + 1;
		case BACKSLASH:
			out->escaped = true;
			at = scan_escape(at + 1, end, &code);
			if (!at)
				return NULL;
			break;
		case HIGH:
			length = json_utf8(at, (size_t)(end - at));
			if (length == 0)
				return NULL;
			at += length;
			break;
		default:
			return NULL;
		}
	}
}

static bool is_digit(const char *at, const char *end)
{
	return at < end && *at >= '0' && *at <= '9';
}

static const char *scan_digits(const char *at, const char *end)
{
	if (!is_digit(at, end))
		return NULL;
	while (is_digit(at, end))
		at++;
	return at;
}

static const char *scan_number(const char *at, const char *end)
{
	if (*at == '-') /* there is a byte: it told what this may be */
		at++;
	if (at < end && *at == '0')
		at++;
	else
		at = scan_digits(at, end);
	if (at && at < end && *at == '.')
		at = scan_digits(at + 1, end);
	if (at && at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		at = scan_digits(at, end);
	}
	return at;
}

static const char *scan_word(const char *at, const char *end, struct text word)
{
	if ((size_t)(end - at) < word.length || memcmp(at, word.bytes, word.length) != 0)
		return NULL;
	return at + word.length;
}

/* What separates the members: true if another one begins at @walk->at. */
static bool next_member(struct json_walk *walk)
{
	walk->at = skip_space(walk->at, walk->end);
	if (walk->at == walk->end) {
		walk->failed = true;
	} else if (*walk->at == (walk->array ? ']' : '}')) {
		walk->at++;
		walk->ended = true;
	} else if (walk->members == 0) {
		return true;
	} else if (*walk->at == ',') {
		walk->at = skip_space(walk->at + 1, walk->end);
		return true;
	} else {
		walk->failed = true;
	}
	return false;
}

static bool walk_key(struct json_walk *walk, struct json_value *key)
{
	const char *at = walk->at;

	if (walk->members == JSON_MEMBERS_MAX || at == walk->end || *at != '"')
		return false;
	at = scan_string(at + 1, walk->end, key);
	if (!at)
		return false;
	at = skip_space(at, walk->end);
	if (at == walk->end || *at != ':')
		return false;
	walk->at = skip_space(at + 1, walk->end);
	return true;
}

/* json_next() without the look behind the end. */
static bool walk_next(struct json_walk *walk, struct json_value *key, struct json_value *value)
{
	const char *at;

	if (walk->ended || walk->failed || !next_member(walk))
		return false;
	if (!walk->array && !walk_key(walk, key)) {
		walk->failed = true;
		return false;
	}
	at = scan_value(walk->at, walk->end, walk->depth, value);
	if (!at) {
		walk->failed = true;
		return false;
	}
	walk->at = at;
	walk->members++;
	return true;
}

/* An array or object with @depth others around it. */
static const char *scan_members(const char *at, const char *end, unsigned depth)
{
	struct json_walk walk = {
		.at = at + 1, .end = end, .depth = depth + 1, .array = *at == '['
	};
	struct json_value key, value;

	if (depth == JSON_DEPTH_MAX)
		return NULL;
	while (walk_next(&walk, &key, &value))
		;
	return walk.failed ? NULL : walk.at;
}

/* @depth is the number of arrays and objects around the value. */
static const char *scan_value(const char *at, const char *end, unsigned depth,
			      struct json_value *out)
{
	const char *start = at;

	if (at == end)
		return NULL;
	out->escaped = false;
	switch (*at) {
	case '"':
		return scan_string(at + 1, end, out);
	case '{':
		out->kind = JSON_KIND_OBJECT;
		at = scan_members(at, end, depth);
		break;
	case '[':
		out->kind = JSON_KIND_ARRAY;
		at = scan_members(at, end, depth);
		break;
	case 't':
		out->kind = JSON_KIND_BOOL;
		at = scan_word(at, end, TEXT("true"));
		break;
	case 'f':
		out->kind = JSON_KIND_BOOL;
		at = scan_word(at, end, TEXT("false"));
		break;
	case 'n':
		out->kind = JSON_KIND_NULL;
		at = scan_word(at, end, TEXT("null"));
		break;
	default:
		out->kind = JSON_KIND_NUMBER;
		at = scan_number(at, end);
		break;
	}
	if (at)
		out->raw = (struct text){ start, (uint32_t)(at - start) };
	return at;
}

bool json_open(struct json_walk *walk, struct text json, enum json_kind kind)
{
	const char *at, *end;

	assert(kind == JSON_KIND_OBJECT || kind == JSON_KIND_ARRAY);
	if (json.length == 0)
		return false;
	end = json.bytes + json.length;
	at = skip_space(json.bytes, end);
	if (at == end || *at != (kind == JSON_KIND_ARRAY ? '[' : '{'))
		return false;
	*walk = (struct json_walk){
		.at = at + 1, .end = end, .depth = 1, .array = kind == JSON_KIND_ARRAY
	};
	return true;
}

bool json_next(struct json_walk *walk, struct json_value *key, struct json_value *value)
{
	struct json_value ignored;

	if (walk_next(walk, key ? key : &ignored, value))
		return true;
	if (walk->ended && skip_space(walk->at, walk->end) != walk->end)
		walk->failed = true;
	return false;
}

bool json_read(struct text json, struct json_value *out)
{
	const char *at, *end;
	struct json_value value;

	if (json.length == 0)
		return false;
	end = json.bytes + json.length;
	at = scan_value(skip_space(json.bytes, end), end, 0, &value);
	if (!at || skip_space(at, end) != end)
		return false;
	*out = value;
	return true;
}

static size_t put_utf8(uint32_t code, char out[4])
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

/* Characters of @raw, which has been scanned, until @size bytes are full; true if that is all. */
static bool unescape(struct text raw, char *buffer, size_t size, uint32_t *length)
{
	const char *at = raw.bytes, *end = raw.bytes + raw.length;
	char character[4];
	size_t bytes;

	for (*length = 0; at < end; *length += (uint32_t)bytes) {
		if (*at == '\\') {
			uint32_t code;

			at = scan_escape(at + 1, end, &code);
			assert(at);
			bytes = put_utf8(code, character);
		} else {
			bytes = json_utf8(at, (size_t)(end - at));
			memcpy(character, at, bytes);
			at += bytes;
		}
		if (bytes > size - *length)
			return false;
		memcpy(buffer + *length, character, bytes);
	}
	return true;
}

bool json_text_cut(const struct json_value *value, char *buffer, size_t size, struct text *out)
{
	uint32_t length;
	bool whole;

	*out = (struct text){ 0 };
	if (value->kind != JSON_KIND_STRING)
		return false;
	if (value->escaped) {
		whole = unescape(value->raw, buffer, size, &length);
		*out = (struct text){ buffer, length };
		return whole;
	}
	*out = value->raw;
	if (out->length <= size)
		return true;
	out->length = (uint32_t)size;
	while (out->length > 0 && continues((unsigned char)out->bytes[out->length]))
		out->length--;
	return false;
}

bool json_text(const struct json_value *value, char *buffer, size_t size, struct text *out)
{
	struct text text;

	if (!json_text_cut(value, buffer, size, &text))
		return false;
	*out = text;
	return true;
}

bool json_is(const struct json_value *value, struct text word)
{
	char buffer[JSON_WORD_MAX];
	struct text text;

	assert(word.length <= sizeof buffer);
	if (!value->escaped)
		return value->kind == JSON_KIND_STRING && text_equal(value->raw, word);
	return json_text(value, buffer, word.length, &text) && text_equal(text, word);
}

bool json_bool(const struct json_value *value, bool *out)
{
	if (value->kind != JSON_KIND_BOOL)
		return false;
	*out = value->raw.bytes[0] == 't';
	return true;
}

/* The digits of an integer; @out is how far it is from 0. */
static enum json_range magnitude(const struct json_value *value, bool *negative, uint64_t *out)
{
	struct text raw = value->raw;
	uint64_t number = 0;

	if (value->kind != JSON_KIND_NUMBER || memchr(raw.bytes, '.', raw.length) ||
	    memchr(raw.bytes, 'e', raw.length) || memchr(raw.bytes, 'E', raw.length))
		return JSON_NO_INTEGER;
	*negative = raw.bytes[0] == '-';
	for (uint32_t i = *negative; i < raw.length; i++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(raw.bytes[i] - '0'), &number))
			return JSON_OUT_OF_RANGE;
	*out = number;
	return JSON_IN_RANGE;
}

enum json_range json_u64(const struct json_value *value, uint64_t *out)
{
	uint64_t number;
	bool negative;
	enum json_range range = magnitude(value, &negative, &number);

	if (range == JSON_IN_RANGE && negative && number > 0)
		return JSON_OUT_OF_RANGE;
	if (range == JSON_IN_RANGE)
		*out = number;
	return range;
}

enum json_range json_i64(const struct json_value *value, int64_t *out)
{
	uint64_t number;
	bool negative;
	enum json_range range = magnitude(value, &negative, &number);

	if (range == JSON_IN_RANGE && number > (uint64_t)INT64_MAX + negative)
		return JSON_OUT_OF_RANGE;
	if (range == JSON_IN_RANGE)
		*out = negative ? (int64_t)-number : (int64_t)number;
	return range;
}

/* @number times ten to the @exponent, by squaring: up to nine roundings. */
static double scale(double number, int64_t exponent)
{
	static const double powers[] = { 1e1, 1e2, 1e4, 1e8, 1e16, 1e32, 1e64, 1e128, 1e256 };
	uint64_t left = (uint64_t)(exponent < 0 ? -exponent : exponent);

	for (unsigned i = 0; i < sizeof powers / sizeof powers[0]; i++, left >>= 1)
		if (left & 1)
			number = exponent < 0 ? number / powers[i] : number * powers[i];
	return number;
}

bool json_number(const struct json_value *value, double *out)
{
	const char *at = value->raw.bytes, *end = at + value->raw.length;
	/* 1e309 is beyond a double and 10^18 * 1e-343 below it; scale() takes up to 511. */
	const int64_t exponent_max = 400;
	uint64_t mantissa = 0;
	int64_t exponent = 0, given = 0;
	bool negative, fraction = false, below = false;

	if (value->kind != JSON_KIND_NUMBER)
		return false;
	negative = *at == '-';
	for (at += negative; at < end && *at != 'e' && *at != 'E'; at++) {
		if (*at == '.') {
			fraction = true;
			continue;
		}
		/* 18 digits fit; the rest only shifts the point. */
		if (mantissa < UINT64_C(100000000000000000))
			mantissa = mantissa * 10 + (uint64_t)(*at - '0');
		else
			exponent++;
		exponent -= fraction;
	}
	for (; at < end; at++) {
		if (*at == '-')
			below = true;
		else if (*at >= '0' && *at <= '9' && given < INT32_MAX)
			given = given * 10 + (*at - '0');
	}
	exponent += below ? -given : given;
	if (mantissa == 0 || exponent < -exponent_max)
		exponent = mantissa = 0;
	double number =
		exponent > exponent_max ? __builtin_inf() : scale((double)mantissa, exponent);
	if (__builtin_isinf(number))
		return false;
	*out = negative ? -number : number;
	return true;
}
