/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_text.h"

#include <assert.h>
#include <inttypes.h>
#include <time.h>

#define INVALID UINT32_MAX
#define ESCAPE_SIZE 16 /* the longest escape, terminated */

const char *colour_code(enum colour colour)
{
	static const char *const codes[COLOUR_COUNT] = {
		[COLOUR_NONE] = "\033[0m",   [COLOUR_BOLD] = "\033[1m",
		[COLOUR_DIM] = "\033[2m",    [COLOUR_RED] = "\033[31m",
		[COLOUR_GREEN] = "\033[32m", [COLOUR_YELLOW] = "\033[33m",
		[COLOUR_BLUE] = "\033[34m",  [COLOUR_MAGENTA] = "\033[35m",
		[COLOUR_CYAN] = "\033[36m",
	};

	return codes[colour];
}

/* The next character of @text, which must not be empty; @length is the bytes it takes.  Overlong
 * forms, surrogates and what is beyond U+10FFFF are INVALID, one byte at a time.
 */
static uint32_t next_character(struct text text, uint32_t *length)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *at = (const unsigned char *)text.bytes;
	uint32_t count = at[0] < 0x80		  ? 1
			 : (at[0] & 0xe0) == 0xc0 ? 2
			 : (at[0] & 0xf0) == 0xe0 ? 3
			 : (at[0] & 0xf8) == 0xf0 ? 4
						  : 0;
	uint32_t value = count == 1 ? at[0] : at[0] & (0x7fu >> count);

	*length = 1;
	if (count == 0 || count > text.length)
		return INVALID;
	for (uint32_t i = 1; i < count; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return INVALID;
		value = value << 6 | (at[i] & 0x3f);
	}
	if (value < least[count] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return INVALID;
	*length = count;
	return value;
}

static bool moves_cursor(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
	       (character >= 0x200e && character <= 0x200f) ||
	       (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2066 && character <= 0x2069);
}

/* Takes one character off @text and writes it, escaped if need be; returns the bytes written. */
static size_t take_character(struct text *text, bool json, char out[static ESCAPE_SIZE])
{
	uint32_t length;
	uint32_t character = next_character(*text, &length);
	int written;

	if (character == INVALID && json)
		written = snprintf(out, ESCAPE_SIZE, "\\ufffd");
	else if (character == INVALID)
		written = snprintf(out, ESCAPE_SIZE, "\\x%02x", (unsigned char)text->bytes[0]);
	else if (moves_cursor(character))
		written = snprintf(out, ESCAPE_SIZE, "\\u%04x", character);
	else if (json && (character == '"' || character == '\\'))
		written = snprintf(out, ESCAPE_SIZE, "\\%c", (char)character);
	else
		written = snprintf(out, ESCAPE_SIZE, "%.*s", (int)length, text->bytes);
	*text = (struct text){ text->bytes + length, text->length - length };
	assert(written > 0 && written < ESCAPE_SIZE);
	return (size_t)written;
}

size_t text_clean(struct text text, char *buffer, size_t size)
{
	size_t used = 0;

	assert(size > 0);
	while (text.length > 0) {
		char piece[ESCAPE_SIZE];
		size_t length = take_character(&text, false, piece);

		if (length >= size - used)
			break;
		memcpy(buffer + used, piece, length);
		used += length;
	}
	buffer[used] = '\0';
	return used;
}

size_t text_columns(const char *shown)
{
	size_t columns = 0;

	for (; *shown; shown++)
		columns += ((unsigned char)*shown & 0xc0) != 0x80;
	return columns;
}

const char *text_age(int64_t age_ms, char buffer[static TEXT_AGE_SIZE])
{
	long long s = age_ms < 0 ? 0 : age_ms / 1000;

	if (s < 60)
		(void)snprintf(buffer, TEXT_AGE_SIZE, "%llds", s);
	else if (s < 3600)
		(void)snprintf(buffer, TEXT_AGE_SIZE, "%lldm", s / 60);
	else if (s < 86400)
		(void)snprintf(buffer, TEXT_AGE_SIZE, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		(void)snprintf(buffer, TEXT_AGE_SIZE, "%lldd%02lldh", s / 86400, s / 3600 % 24);
	return buffer;
}

const char *text_time(int64_t unix_ms, char buffer[static TEXT_TIME_SIZE])
{
	time_t seconds = unix_ms / 1000;
	struct tm local;

	if (unix_ms == 0 || !localtime_r(&seconds, &local) ||
	    strftime(buffer, TEXT_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &local) == 0)
		return "-";
	return buffer;
}

static void member(struct json *json, const char *name)
{
	(void)fputs(json->comma ? "," : "", json->to);
	json->comma = true;
	if (name)
		(void)fprintf(json->to, "\"%s\":", name);
}

void json_open(struct json *json, const char *name, char bracket)
{
	member(json, name);
	(void)fputc(bracket, json->to);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	(void)fputc(bracket, json->to);
	json->comma = true;
}

void json_text(struct json *json, const char *name, struct text value)
{
	member(json, name);
	(void)fputc('"', json->to);
	while (value.length > 0) {
		char piece[ESCAPE_SIZE];

		(void)fwrite(piece, 1, take_character(&value, true, piece), json->to);
	}
	(void)fputc('"', json->to);
}

void json_word(struct json *json, const char *name, const char *value)
{
	json_text(json, name, text_of(value));
}

void json_u64(struct json *json, const char *name, uint64_t value)
{
	member(json, name);
	(void)fprintf(json->to, "%" PRIu64, value);
}

void json_i64(struct json *json, const char *name, int64_t value)
{
	member(json, name);
	(void)fprintf(json->to, "%" PRId64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	member(json, name);
	(void)fputs(value ? "true" : "false", json->to);
}

void json_rows_begin(struct json_rows *rows, FILE *to, enum format format)
{
	*rows = (struct json_rows){ .json = { .to = to }, .format = format };
	if (format == FORMAT_JSON)
		(void)fputc('[', to);
}

struct json *json_row_open(struct json_rows *rows)
{
	if (rows->format == FORMAT_JSON && rows->count > 0)
		(void)fputs(",\n ", rows->json.to);
	rows->count++;
	rows->json.comma = false;
	json_open(&rows->json, NULL, '{');
	return &rows->json;
}

void json_row_close(struct json_rows *rows)
{
	json_close(&rows->json, '}');
	if (rows->format == FORMAT_JSONL)
		(void)fputc('\n', rows->json.to);
}

void json_rows_end(struct json_rows *rows)
{
	if (rows->format == FORMAT_JSON)
		(void)fputs("]\n", rows->json.to);
}
