/* SPDX-License-Identifier: MIT */
#include "proto/json.h"

void json_put_raw(struct json_writer *writer, struct text raw)
{
	if (writer->full || raw.length > writer->size - writer->length) {
		writer->full = true;
		return;
	}
	if (raw.length > 0)
		memcpy(writer->bytes + writer->length, raw.bytes, raw.length);
	writer->length += raw.length;
}

/* Part of a character of several bytes. */
static bool is_high(char byte)
{
	return (unsigned char)byte >= 0x80;
}

/* Stands for itself in a string. */
static bool is_plain(char byte)
{
	return (unsigned char)byte >= 0x20 && !is_high(byte) && byte != '"' && byte != '\\';
}

/* The beginning of @at that need not be escaped. */
static uint32_t plain_length(const char *at, const char *end)
{
	const char *start = at;
	size_t length;

	do {
		while (at < end && is_plain(*at))
			at++;
		length = at < end && is_high(*at) ? json_utf8(at, (size_t)(end - at)) : 0;
		at += length;
	} while (length > 0);
	return (uint32_t)(at - start);
}

static struct text escape(char byte, char buffer[6])
{
	static const char digits[] = "0123456789abcdef";

	switch (byte) {
	case '"':
		return TEXT("\\\"");
	case '\\':
		return TEXT("\\\\");
	case '\b':
		return TEXT("\\b");
	case '\f':
		return TEXT("\\f");
	case '\n':
		return TEXT("\\n");
	case '\r':
		return TEXT("\\r");
	case '\t':
		return TEXT("\\t");
	default:
		break;
	}
	if (is_high(byte))
		return TEXT("\xef\xbf\xbd"); /* not UTF-8: U+FFFD */
	memcpy(buffer, "\\u00", 4);
	buffer[4] = digits[(unsigned char)byte >> 4];
	buffer[5] = digits[(unsigned char)byte & 0x0f];
	return (struct text){ buffer, 6 };
}

void json_put_string(struct json_writer *writer, struct text text)
{
	const size_t start = writer->length;
	uint32_t done = 0;
	char buffer[6];

	json_put_raw(writer, TEXT("\""));
	while (done < text.length && !writer->full) {
		const char *at = text.bytes + done;
		uint32_t plain = plain_length(at, text.bytes + text.length);

		json_put_raw(writer, (struct text){ at, plain });
		done += plain;
		if (done < text.length)
			json_put_raw(writer, escape(text.bytes[done++], buffer));
	}
	json_put_raw(writer, TEXT("\""));
	if (writer->full)
		writer->length = start;
}

void json_put_u64(struct json_writer *writer, uint64_t value)
{
	char buffer[TEXT_NUMBER_MAX];

	json_put_raw(writer, text_of_u64(value, buffer));
}

void json_put_i64(struct json_writer *writer, int64_t value)
{
	char buffer[TEXT_NUMBER_MAX];

	json_put_raw(writer, text_of_i64(value, buffer));
}

void json_put_bool(struct json_writer *writer, bool value)
{
	json_put_raw(writer, value ? TEXT("true") : TEXT("false"));
}
