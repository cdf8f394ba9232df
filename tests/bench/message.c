/* SPDX-License-Identifier: MIT */
#include "tests/bench/message.h"

#define DIGITS_MAX 9 /* so that every number fits */

struct text message_field(struct text json, struct text mark)
{
	const char *at = NULL, *end;

	if (json.length > 0)
		at = memmem(json.bytes, json.length, mark.bytes, mark.length);
	if (!at)
		return (struct text){ 0 };
	at += mark.length;
	end = memchr(at, '"', (size_t)(json.bytes + json.length - at));
	return end ? (struct text){ at, (uint32_t)(end - at) } : (struct text){ 0 };
}

struct text message_type(struct text json)
{
	return message_field(json, FIELD("type"));
}

uint32_t message_user(struct text user_id)
{
	uint32_t number = 0, i = 1;

	if (user_id.length == 0 || user_id.bytes[0] != 'u')
		return UINT32_MAX;
	for (; i < user_id.length && i <= DIGITS_MAX; i++) {
		char c = user_id.bytes[i];

		if (c < '0' || c > '9')
			break;
		number = number * 10 + (uint32_t)(c - '0');
	}
	return i > 1 && i < user_id.length && user_id.bytes[i] == '@' ? number : UINT32_MAX;
}
