/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_forwarded.h"

#include <arpa/inet.h>
#include <string.h>

static struct text trimmed(struct text text)
{
	while (text.length > 0 && (*text.bytes == ' ' || *text.bytes == '\t')) {
		text.bytes++;
		text.length--;
	}
	while (text.length > 0 &&
	       (text.bytes[text.length - 1] == ' ' || text.bytes[text.length - 1] == '\t'))
		text.length--;
	return text;
}

/* What stands behind the last comma, taken off @rest. */
static struct text take_last(struct text *rest)
{
	uint32_t at = rest->length;

	while (at > 0 && rest->bytes[at - 1] != ',')
		at--;
	const struct text last = { rest->bytes + at, rest->length - at };

	rest->length = at > 0 ? at - 1 : 0;
	return trimmed(last);
}

static bool read_ip(struct text text, uint8_t ip[GATEWAY_ADDRESS_SIZE])
{
	char copy[INET6_ADDRSTRLEN];

	if (text.length == 0 || text.length >= sizeof copy)
		return false;
	memcpy(copy, text.bytes, text.length);
	copy[text.length] = '\0';
	memset(ip, 0, GATEWAY_ADDRESS_SIZE);
	if (strchr(copy, ':'))
		return inet_pton(AF_INET6, copy, ip) == 1;
	ip[10] = ip[11] = 0xff;
	return inet_pton(AF_INET, copy, ip + 12) == 1;
}

/* Some proxies add the port: 10.0.0.1:443, [2001:db8::1]:443. */
static struct text without_port(struct text text)
{
	const char *end;

	if (text.length > 0 && *text.bytes == '[') {
		end = memchr(text.bytes, ']', text.length);
		return end ? (struct text){ text.bytes + 1, (uint32_t)(end - text.bytes) - 1 }
			   : text;
	}
	end = text.length > 0 ? memchr(text.bytes, ':', text.length) : NULL;
	if (end && memchr(text.bytes, '.', (size_t)(end - text.bytes)))
		text.length = (uint32_t)(end - text.bytes);
	return text;
}

bool gateway_proxies_read(const char *list, struct gateway_proxies *out)
{
	struct gateway_proxies read = { 0 };
	struct text rest = { list, (uint32_t)strlen(list) };

	if (*list == ',')
		return false;
	while (rest.length > 0)
		if (read.count == GATEWAY_PROXIES_MAX ||
		    !read_ip(take_last(&rest), read.items[read.count++]))
			return false;
	*out = read;
	return true;
}

bool gateway_proxies_have(const struct gateway_proxies *proxies,
			  const uint8_t ip[GATEWAY_ADDRESS_SIZE])
{
	for (uint32_t i = 0; i < proxies->count; i++)
		if (memcmp(proxies->items[i], ip, GATEWAY_ADDRESS_SIZE) == 0)
			return true;
	return false;
}

bool gateway_forwarded(const struct gateway_proxies *proxies, struct text header,
		       uint8_t ip[GATEWAY_ADDRESS_SIZE])
{
	uint8_t read[GATEWAY_ADDRESS_SIZE];

	while (header.length > 0) {
		if (!read_ip(without_port(take_last(&header)), read))
			return false;
		if (gateway_proxies_have(proxies, read))
			continue;
		memcpy(ip, read, sizeof read);
		return true;
	}
	return false;
}
