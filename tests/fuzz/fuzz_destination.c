/* SPDX-License-Identifier: MIT */
/* The input is a URL, or what stands in one, or a list of destinations.  Properties:
 * - what is shown of a URL is its beginning, and never its key, its query or its user;
 * - no destination passes whose host the system's own reader takes for an address that is ours;
 * - what passes without private addresses passes with them;
 * - the destinations of a list that is in order are all there, within their limits.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/managed-adapter/managed_destination.h"

#define INPUT_MAX 4096
#define SHOWN_SIZE 512
#define SECRET "Zq7secretZq7secretZq7"
#define DOTS "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what is shown ---- */

static void check_shown(struct text url)
{
	char shown[SHOWN_SIZE], small[8];
	size_t length, slashes = 0;

	assert(stream_event_redact(url, shown, sizeof shown) == shown);
	assert(strlen(stream_event_redact(url, small, sizeof small)) < sizeof small);
	if (url.length == 0) {
		assert(shown[0] == '\0');
		return;
	}
	assert(strlen(shown) >= strlen(DOTS));
	length = strlen(shown) - strlen(DOTS);
	assert(strcmp(shown + length, DOTS) == 0);
	assert(length <= url.length && memcmp(shown, url.bytes, length) == 0);
	for (size_t i = 0; i < length; i++) {
		slashes += shown[i] == '/';
		assert(shown[i] > ' ' && shown[i] < 0x7f && !strchr("@?#%=&;", shown[i]));
	}
	assert(slashes == 0 || (slashes == 4 && shown[length - 1] == '/'));
}

/* @before and @after around a secret: it stands where nothing is shown. */
static void check_hidden(const char *before, struct text middle, const char *after)
{
	char url[INPUT_MAX + 128], shown[SHOWN_SIZE];
	int length = snprintf(url, sizeof url, "%s%.*s%s", before, (int)middle.length, middle.bytes,
			      after);

	assert(length > 0 && (size_t)length < sizeof url);
	(void)stream_event_redact((struct text){ url, (uint32_t)length }, shown, sizeof shown);
	assert(!strstr(shown, SECRET));
	check_shown((struct text){ url, (uint32_t)length });
}

static void check_secrets(struct text text)
{
	check_hidden("rtmp://host/app/", text, SECRET);
	check_hidden("rtmp://host/app/" SECRET, text, "");
	check_hidden("rtmp://host?" SECRET, text, "");
	check_hidden("rtmp://host/app?" SECRET, text, "/");
	if (!memchr(text.bytes, '/', text.length)) {
		check_hidden("rtmp://" SECRET ":", text, "@host/app/key");
		check_hidden("rtmp://host/", text, "/" SECRET);
	}
}

/* ---- whose host it is ---- */

static bool is_ours_4(uint32_t address)
{
	const uint8_t a = address >> 24, b = address >> 16 & 0xff, c = address >> 8 & 0xff;

	return a == 0 || a == 10 || a == 127 || a >= 224 || (a == 169 && b == 254) ||
	       (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
	       (a == 192 && b == 0 && c == 0) || (a == 198 && (b == 18 || b == 19)) ||
	       (a == 100 && b >= 64 && b < 128);
}

static bool is_ours_6(const struct in6_addr *address)
{
	const uint8_t *byte = address->s6_addr;
	uint32_t last;

	memcpy(&last, byte + 12, sizeof last);
	if (IN6_IS_ADDR_V4MAPPED(address) || IN6_IS_ADDR_V4COMPAT(address))
		return is_ours_4(ntohl(last));
	return IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_UNSPECIFIED(address) ||
	       IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_SITELOCAL(address) ||
	       IN6_IS_ADDR_MULTICAST(address) || (byte[0] & 0xfe) == 0xfc;
}

static void check_host(struct text url)
{
	char copy[OUTPUT_URL_MAX + 1];
	struct in6_addr v6;
	struct in_addr v4;
	char *host;

	host = strstr(text_put(url, copy, sizeof copy), "://") + 3;
	if (*host == '[') {
		host[strcspn(host, "]")] = '\0';
		assert(inet_pton(AF_INET6, host + 1, &v6) == 1 && !is_ours_6(&v6));
		return;
	}
	host[strcspn(host, ":/?#")] = '\0';
	assert(*host && !strchr(host, '@'));
	if (inet_aton(host, &v4))
		assert(!is_ours_4(ntohl(v4.s_addr)));
}

static void check_url(struct text url)
{
	const char *error = managed_destination_error(url, false);

	if (error)
		return;
	assert(!managed_destination_error(url, true));
	assert(url.length <= OUTPUT_URL_MAX && memchr(url.bytes, '\0', url.length) == NULL);
	check_host(url);
}

/* ---- lists ---- */

static void check_list(struct text json)
{
	char buffer[MANAGED_DESTINATION_BYTES];
	struct managed_destination one;
	bool ok = managed_destinations_ok(json);
	uint32_t count = 0;

	while (managed_destination_at(json, count, false, buffer, &one)) {
		assert(one.url.length <= OUTPUT_URL_MAX && one.name.length <= OUTPUT_NAME_MAX);
		if (!one.error)
			check_url(one.url);
		assert(++count <= json.length);
	}
	if (ok)
		assert(!managed_destination_at(json, count + 1, false, buffer, &one));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own, so that a byte too far is seen. */
	char *copy;
	struct text text;

	/* The fuzzer finds our secret out: then it is none. */
	if (size == 0 || size > INPUT_MAX || memmem(data, size, SECRET, 3))
		return -1;
	copy = malloc(size);
	assert(copy);
	memcpy(copy, data, size);
	text = (struct text){ copy, (uint32_t)size };
	check_shown(text);
	check_url(text);
	check_list(text);
	check_secrets(text);
	free(copy);
	return 0;
}
