/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/managed_destination.h"

#include "actors/managed-adapter/managed_address.h"
#include "proto/json.h"

#define PORT_DIGITS_MAX 5
#define HOST_MAX 253 /* of a name */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool ends_with(struct text text, const char *tail)
{
	size_t length = strlen(tail);

	if (text.length < length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (lower(text.bytes[text.length - length + i]) != tail[i])
			return false;
	return true;
}

static bool is_word(struct text text, const char *word)
{
	return text.length == strlen(word) && ends_with(text, word);
}

static bool take(struct text *text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (text->length < length || memcmp(text->bytes, prefix, length) != 0)
		return false;
	text->bytes += length;
	text->length -= (uint32_t)length;
	return true;
}

static struct text until(struct text text, const char *ends)
{
	uint32_t length = 0;

	while (length < text.length && !strchr(ends, text.bytes[length]))
		length++;
	return (struct text){ text.bytes, length };
}

static bool port_ok(struct text port)
{
	uint32_t number = 0;

	if (port.length == 0 || port.length > PORT_DIGITS_MAX)
		return false;
	for (uint32_t i = 0; i < port.length; i++) {
		if (port.bytes[i] < '0' || port.bytes[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(port.bytes[i] - '0');
	}
	return number >= 1 && number <= 65535;
}

/* Host and port apart; false: it has not that form. */
static bool split(struct text authority, struct text *host, bool *bracketed)
{
	struct text rest = authority;

	*bracketed = take(&rest, "[");
	*host = until(rest, *bracketed ? "]" : ":");
	rest.bytes += host->length;
	rest.length -= host->length;
	if (*bracketed && !take(&rest, "]"))
		return false;
	if (host->length == 0)
		return false;
	return rest.length == 0 || (take(&rest, ":") && port_ok(rest));
}

static bool name_ok(struct text host)
{
	if (host.length > HOST_MAX || host.bytes[0] == '.' || host.bytes[0] == '-')
		return false;
	for (uint32_t i = 0; i < host.length; i++) {
		char c = lower(host.bytes[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		      c == '.'))
			return false;
		if (c == '.' && i + 1 < host.length && host.bytes[i + 1] == '.')
			return false;
	}
	return true;
}

/* Names that a machine has for itself. */
static bool is_self(struct text host)
{
	if (host.bytes[host.length - 1] == '.')
		host.length--;
	return is_word(host, "localhost") || ends_with(host, ".localhost") ||
	       ends_with(host, ".localdomain") || is_word(host, "ip6-localhost") ||
	       is_word(host, "ip6-loopback");
}

static const char *host_error(struct text authority, bool private_ok)
{
	struct text host;
	bool bracketed;

	if (authority.length == 0)
		return "URL has no host";
	/* Who reads it may take what stands before the first colon for the host. */
	if (memchr(authority.bytes, '@', authority.length))
		return "URL must not name a user";
	if (!split(authority, &host, &bracketed))
		return "URL has no valid host";
	enum managed_address address =
		bracketed ? managed_address_6(host) : managed_address_4(host);

	if (address == ADDRESS_INVALID || (address == ADDRESS_NONE && !name_ok(host)))
		return "URL has no valid host";
	if (!private_ok &&
	    (address == ADDRESS_INTERNAL || (address == ADDRESS_NONE && is_self(host))))
		return "destination not allowed";
	return NULL;
}

const char *managed_destination_error(struct text url, bool private_ok)
{
	struct text rest = url;

	if (url.length > OUTPUT_URL_MAX)
		return "URL too long";
	if (!take(&rest, "rtmp://") && !take(&rest, "rtmps://"))
		return "URL must start with rtmp:// or rtmps://";
	for (uint32_t i = 0; i < rest.length; i++)
		if ((unsigned char)rest.bytes[i] <= ' ' || rest.bytes[i] == 0x7f)
			return "URL has a space or control character";
	return host_error(until(rest, "/?#"), private_ok);
}

/* Doubled keys: the last one counts, as in the original. */
static bool read_one(struct text json, char *buffer, struct managed_destination *out)
{
	struct json_value key, value;
	struct json_walk walk;
	bool url = false;

	*out = (struct managed_destination){ .error = NULL };
	if (!json_open(&walk, json, JSON_KIND_OBJECT))
		return false;
	while (json_next(&walk, &key, &value)) {
		if (json_is(&key, TEXT("url"))) {
			url = value.kind == JSON_KIND_STRING;
			out->error = NULL;
			if (url && !json_text_cut(&value, buffer, OUTPUT_URL_MAX, &out->url))
				out->error = "URL too long";
		} else if (json_is(&key, TEXT("name"))) {
			(void)json_text_cut(&value, buffer + OUTPUT_URL_MAX, OUTPUT_NAME_MAX,
					    &out->name);
		}
	}
	return !walk.failed && url;
}

bool managed_destinations_ok(struct text json)
{
	char buffer[MANAGED_DESTINATION_BYTES];
	struct managed_destination destination;
	struct json_value value;
	struct json_walk walk;
	bool ok = true;

	if (json.length == 0 || text_is(json, "null"))
		return true;
	if (!json_open(&walk, json, JSON_KIND_ARRAY))
		return false;
	while (json_next(&walk, NULL, &value))
		ok &= value.kind == JSON_KIND_OBJECT && read_one(value.raw, buffer, &destination);
	return ok && !walk.failed;
}

bool managed_destination_at(struct text json, uint32_t index, bool private_ok, char *buffer,
			    struct managed_destination *out)
{
	struct json_value value;
	struct json_walk walk;

	if (json.length == 0 || !json_open(&walk, json, JSON_KIND_ARRAY))
		return false;
	for (uint32_t at = 0; json_next(&walk, NULL, &value); at++) {
		if (at != index)
			continue;
		if (!read_one(value.raw, buffer, out))
			return false;
		if (!out->error)
			out->error = managed_destination_error(out->url, private_ok);
		return true;
	}
	return false;
}
