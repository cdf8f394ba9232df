/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "proto/edge.h"

enum device_status edge_device_status(const struct edge_message *message)
{
	struct text word = message->device_stream_status.status;
	uint32_t found;

	assert(message->type == EDGE_DEVICE_STREAM_STATUS);
	if (EDGE_OVERSIZED(message, device_stream_status, status))
		return DEVICE_OTHER;
	if (word.length == 0)
		return DEVICE_NONE;
	found = words_find(&device_status_words, word, DEVICE_OTHER);
	/* "none" is our word for silence; a device that says it says something else. */
	return found == DEVICE_NONE ? DEVICE_OTHER : (enum device_status)found;
}

bool edge_connected(struct text status)
{
	return text_is(status, "CONNECTED") || text_is(status, "RECONNECTED");
}

static bool begins_with(struct text text, struct text prefix)
{
	return text.length >= prefix.length && memcmp(text.bytes, prefix.bytes, prefix.length) == 0;
}

bool edge_url_ok(struct text url)
{
	if (url.length > URL_MAX ||
	    !(begins_with(url, TEXT("rtmp://")) || begins_with(url, TEXT("rtmps://"))))
		return false;
	for (uint32_t i = 0; i < url.length; i++)
		if ((unsigned char)url.bytes[i] <= ' ' || url.bytes[i] == 0x7f)
			return false;
	return true;
}

/* What edge_clean() makes of a character. */
enum fate {
	KEEP,
	DROP,
	SPACE,
};

static uint32_t code_of(const char *bytes, size_t length)
{
	static const unsigned char first_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t code = (unsigned char)bytes[0] & first_mask[length];

	for (size_t i = 1; i < length; i++)
		code = code << 6 | ((unsigned char)bytes[i] & 0x3f);
	return code;
}

static enum fate fate_of(uint32_t code)
{
	switch (code) {
	case '\t':
	case '\n':
	case '\r':
	case 0x85: /* next line */
	case 0x2028: /* line separator */
	case 0x2029: /* paragraph separator */
		return SPACE;
	case 0x61c: /* Arabic letter mark */
	case 0x200e: /* left-to-right mark */
	case 0x200f: /* right-to-left mark */
	case 0x202a ... 0x202e: /* embeddings and overrides */
	case 0x2066 ... 0x2069: /* isolates */
		return DROP;
	default:
		return code < 0x20 || (code >= 0x7f && code < 0xa0) ? DROP : KEEP;
	}
}

static bool is_one_of(char c, const char *letters)
{
	return c && strchr(letters, c);
}

/* Whatever the case of its letters; @word is in small ones. */
static bool has_scheme(struct text text, const char *word)
{
	uint32_t length = (uint32_t)strlen(word);

	for (uint32_t i = 0; i < length; i++) {
		char c = i < text.length ? text.bytes[i] : '\0';

		if ((c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c) != word[i])
			return false;
	}
	return true;
}

/* Where what is secret of a publish URL begins, and where the URL ends, if @in has one at @at; what
 * stands behind the host is the key, and before an @ a password.
 */
static bool find_secret(struct text in, uint32_t at, uint32_t *from, uint32_t *end)
{
	static const char *const schemes[] = { "rtmp://", "rtmps://" };
	uint32_t start = 0;

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (has_scheme((struct text){ in.bytes + at, in.length - at }, schemes[i]))
			start = at + (uint32_t)strlen(schemes[i]);
	if (start == 0)
		return false;
	*end = start;
	while (*end < in.length && !is_one_of(in.bytes[*end], " \t\r\n\"'<>"))
		++*end;
	*from = start;
	while (*from < *end && !is_one_of(in.bytes[*from], "/?#\\"))
		++*from;
	if (memchr(in.bytes + start, '@', *from - start))
		*from = start;
	return *from < *end;
}

#define HIDDEN "/\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2" /* as in what is printed */

/* Return: false if there is no room for it. */
static bool add(struct text *text, const char *bytes, size_t length, size_t size)
{
	if (length > size - text->length)
		return false;
	memcpy((char *)text->bytes + text->length, bytes, length);
	text->length += (uint32_t)length;
	return true;
}

struct text edge_clean(struct text in, char *out, size_t size)
{
	struct text text = { out, 0 };
	uint32_t done = 0, from = UINT32_MAX, end = 0;

	if (size > DETAIL_MAX)
		size = DETAIL_MAX;
	while (done < in.length) {
		const char *at = in.bytes + done;
		size_t length = json_utf8(at, in.length - done);

		if (done >= end && !find_secret(in, done, &from, &end))
			from = UINT32_MAX;
		if (done == from) {
			if (!add(&text, HIDDEN, sizeof HIDDEN - 1, size))
				break;
			done = end;
			continue;
		}
		enum fate fate = length > 0 ? fate_of(code_of(at, length)) : DROP;
		struct text shown = { fate == SPACE ? " " : at, fate == SPACE ? 1 : length };

		done += length > 0 ? (uint32_t)length : 1;
		if (fate == DROP)
			continue;
		if (!add(&text, shown.bytes, shown.length, size))
			break;
	}
	return text;
}

struct text edge_cut(struct text text, uint32_t limit)
{
	struct json_value value = { .kind = JSON_KIND_STRING, .raw = text };

	(void)json_text_cut(&value, NULL, limit, &text);
	return text;
}

struct text edge_close_reason(struct text message)
{
	return edge_cut(message, EDGE_CLOSE_REASON_MAX);
}

struct date {
	int64_t year;
	unsigned month, day; /* from 1 */
};

/* Days are counted in years that begin with March, so that a leap day is the last of its year, and
 * in eras of 400 years, which all have 146097 days.
 */
static struct date date_of(int64_t unix_day)
{
	int64_t day = unix_day + 719468; /* since 0000-03-01 */
	int64_t era = day / 146097;
	int64_t of_era = day % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (unsigned)(5 * of_year + 2) / 153; /* from March: 153 days in 5 months */
	unsigned first = (153 * month + 2) / 5;

	return (struct date){
		.year = era * 400 + year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = (unsigned)of_year - first + 1,
	};
}

static void put_digits(char *out, uint64_t value, unsigned digits)
{
	while (digits-- > 0) {
		out[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

void edge_time(int64_t unix_ms, char out[EDGE_TIME_LENGTH])
{
	const int64_t last_ms = INT64_C(253402300799999); /* 9999-12-31T23:59:59.999Z */
	const int64_t day_ms = 86400000;
	int64_t ms = unix_ms < 0 ? 0 : unix_ms > last_ms ? last_ms : unix_ms;
	struct date date = date_of(ms / day_ms);

	ms %= day_ms;
	memcpy(out, "0000-00-00T00:00:00.000Z", EDGE_TIME_LENGTH);
	put_digits(out, (uint64_t)date.year, 4);
	put_digits(out + 5, date.month, 2);
	put_digits(out + 8, date.day, 2);
	put_digits(out + 11, (uint64_t)(ms / 3600000), 2);
	put_digits(out + 14, (uint64_t)(ms / 60000 % 60), 2);
	put_digits(out + 17, (uint64_t)(ms / 1000 % 60), 2);
	put_digits(out + 20, (uint64_t)(ms % 1000), 3);
}
