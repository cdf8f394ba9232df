/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_text.h"

#include <inttypes.h>
#include <time.h>

#include "proto/escape.h"

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

const char *text_clock(int64_t unix_ms, char buffer[static TEXT_CLOCK_SIZE])
{
	static time_t minute = -1; /* localtime_r() costs more than the rest of a line */
	static struct tm local;
	time_t seconds = unix_ms / 1000;

	if (unix_ms <= 0)
		return "--:--:--.---";
	if (minute != seconds / 60) {
		if (!localtime_r(&seconds, &local))
			return "--:--:--.---";
		minute = seconds / 60;
	}
	(void)snprintf(buffer, TEXT_CLOCK_SIZE, "%02u:%02u:%02u.%03u", (unsigned)local.tm_hour % 24,
		       (unsigned)local.tm_min % 60, (unsigned)(seconds % 60),
		       (unsigned)(unix_ms % 1000));
	return buffer;
}

static void member(struct json_out *json, const char *name)
{
	(void)fputs(json->comma ? "," : "", json->to);
	json->comma = true;
	if (name)
		(void)fprintf(json->to, "\"%s\":", name);
}

void json_out_open(struct json_out *json, const char *name, char bracket)
{
	member(json, name);
	(void)fputc(bracket, json->to);
	json->comma = false;
}

void json_out_close(struct json_out *json, char bracket)
{
	(void)fputc(bracket, json->to);
	json->comma = true;
}

void json_out_text(struct json_out *json, const char *name, struct text value)
{
	member(json, name);
	(void)fputc('"', json->to);
	while (value.length > 0) {
		char out[ESCAPE_SIZE];
		size_t length;
		uint32_t taken = (uint32_t)escape_next(value, out, &length);

		(void)fwrite(out, 1, length, json->to);
		value = (struct text){ value.bytes + taken, value.length - taken };
	}
	(void)fputc('"', json->to);
}

void json_out_word(struct json_out *json, const char *name, const char *value)
{
	json_out_text(json, name, text_of(value));
}

void json_out_u64(struct json_out *json, const char *name, uint64_t value)
{
	member(json, name);
	(void)fprintf(json->to, "%" PRIu64, value);
}

void json_out_i64(struct json_out *json, const char *name, int64_t value)
{
	member(json, name);
	(void)fprintf(json->to, "%" PRId64, value);
}

void json_out_bool(struct json_out *json, const char *name, bool value)
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

struct json_out *json_row_open(struct json_rows *rows)
{
	if (rows->format == FORMAT_JSON && rows->count > 0)
		(void)fputs(",\n ", rows->json.to);
	rows->count++;
	rows->json.comma = false;
	json_out_open(&rows->json, NULL, '{');
	return &rows->json;
}

void json_row_close(struct json_rows *rows)
{
	json_out_close(&rows->json, '}');
	if (rows->format == FORMAT_JSONL)
		(void)fputc('\n', rows->json.to);
}

void json_rows_end(struct json_rows *rows)
{
	if (rows->format == FORMAT_JSON)
		(void)fputs("]\n", rows->json.to);
}
