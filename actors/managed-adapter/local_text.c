/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/local_text.h"

#include <stdio.h>
#include <string.h>

static const char name_letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static bool consists_of(struct text text, const char *letters)
{
	for (uint32_t i = 0; i < text.length; i++)
		if (text.bytes[i] == '\0' || !strchr(letters, text.bytes[i]))
			return false;
	return true;
}

bool local_is_name(struct text name)
{
	return name.length >= 1 && name.length <= INPUT_ID_MAX && consists_of(name, name_letters);
}

bool local_number(struct text text, uint64_t *out)
{
	uint64_t value = 0;

	/* 18 digits stay below 2^63. */
	if (text.length < 1 || text.length > 18 || !consists_of(text, "0123456789"))
		return false;
	for (uint32_t i = 0; i < text.length; i++)
		value = value * 10 + (uint64_t)(text.bytes[i] - '0');
	*out = value;
	return true;
}

/* ---- forms ---- */

/* Take what stands before @end off @rest; all of it if @end does not occur. */
static struct text take_until(struct text *rest, char end)
{
	const char *at = rest->length > 0 ? memchr(rest->bytes, end, rest->length) : NULL;
	struct text taken = { rest->bytes, at ? (uint32_t)(at - rest->bytes) : rest->length };
	uint32_t used = at ? taken.length + 1 : taken.length;

	rest->bytes += used;
	rest->length -= used;
	return taken;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

static bool decode(struct text text, char *value, size_t size)
{
	size_t length = 0;

	for (uint32_t i = 0; i < text.length; i++) {
		int c = (unsigned char)text.bytes[i];

		if (c == '%') {
			if (text.length - i < 3 || hex_digit(text.bytes[i + 1]) < 0 ||
			    hex_digit(text.bytes[i + 2]) < 0)
				return false;
			c = hex_digit(text.bytes[i + 1]) * 16 + hex_digit(text.bytes[i + 2]);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (c == '\0' || length + 1 >= size)
			return false;
		value[length++] = (char)c;
	}
	value[length] = '\0';
	return true;
}

bool local_form_field(struct text form, const char *name, char *value, size_t size)
{
	bool found = false;
	struct text encoded = { 0 };

	while (form.length > 0) {
		struct text pair = take_until(&form, '&');
		struct text key = take_until(&pair, '=');

		if (!text_is(key, name))
			continue;
		if (found)
			return false;
		found = true;
		encoded = pair;
	}
	return found && decode(encoded, value, size);
}

/* ---- statistics ---- */

/* Where @needle begins in @text; @text.length: nowhere. */
static uint32_t find(struct text text, const char *needle)
{
	uint32_t size = (uint32_t)strlen(needle);

	for (uint32_t at = 0; at + size <= text.length; at++) {
		const char *next = memchr(text.bytes + at, needle[0], text.length - size + 1 - at);

		if (!next)
			break;
		at = (uint32_t)(next - text.bytes);
		if (memcmp(next, needle, size) == 0)
			return at;
	}
	return text.length;
}

static struct text skip(struct text text, size_t count)
{
	return (struct text){ text.bytes + count, text.length - (uint32_t)count };
}

/* What stands between @open and the next @close; @rest, which may be NULL, goes on behind it.  No
 * text of the media server holds a bare <, so tags are found without reading what is between.
 */
static bool between(struct text text, const char *open, const char *close, struct text *inner,
		    struct text *rest)
{
	uint32_t begin = find(text, open);

	if (begin == text.length)
		return false;
	text = skip(text, begin + strlen(open));
	uint32_t length = find(text, close);

	if (length == text.length)
		return false;
	*inner = (struct text){ text.bytes, length };
	if (rest)
		*rest = skip(text, length + strlen(close));
	return true;
}

static bool holds(struct text text, const char *needle)
{
	return find(text, needle) < text.length;
}

bool local_stat_read(struct text xml, struct local_stat *out)
{
	struct text body, rest, application, name, pid;
	struct local_stat stat = { 0 };

	if (!between(xml, "<rtmp>", "</rtmp>", &body, NULL) ||
	    !between(body, "<pid>", "</pid>", &pid, NULL) || !local_number(pid, &stat.pid))
		return false;
	for (rest = body; between(rest, "<application>", "</application>", &application, &rest);) {
		if (!between(application, "<name>", "</name>", &name, NULL) ||
		    !text_is(name, LOCAL_APP))
			continue;
		stat.streams = application;
		*out = stat;
		return true;
	}
	return false;
}

bool local_stat_next(struct text *streams, struct local_stat_stream *out)
{
	struct local_stat_stream found = { 0 };
	struct text stream, client, id;

	if (!between(*streams, "<stream>", "</stream>", &stream, streams))
		return false;
	(void)between(stream, "<name>", "</name>", &found.name, NULL);
	while (between(stream, "<client>", "</client>", &client, &stream))
		if (holds(client, "<publishing/>") && between(client, "<id>", "</id>", &id, NULL) &&
		    local_number(id, &found.client))
			found.active = holds(client, "<active/>");
	*out = found;
	return true;
}

/* ---- destinations ---- */

/* As ffmpeg reads a URL: the application is the first part of the path, or the first two if a
 * third follows.
 */
static bool split_path(struct text path, struct local_destination *out)
{
	struct text rest = path;
	struct text app = take_until(&rest, '/');
	struct text second = rest;
	struct text instance = take_until(&second, '/');

	if (second.length > 0) {
		app.length += instance.length + 1;
		rest = second;
	}
	if (app.length == 0 || rest.length == 0)
		return false;
	text_put(app, out->app, sizeof out->app);
	text_put(rest, out->playpath, sizeof out->playpath);
	return true;
}

bool local_destination_read(struct text url, struct local_destination *out)
{
	static const char *const schemes[] = { "rtmp://", "rtmps://" };
	struct text rest, host;

	if (url.length > OUTPUT_URL_MAX)
		return false;
	/* A line of its own for ffmpeg, so without any end of line. */
	for (uint32_t i = 0; i < url.length; i++)
		if (url.bytes[i] <= 0x20 || url.bytes[i] >= 0x7f)
			return false;
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t length = strlen(schemes[i]);

		if (url.length <= length || memcmp(url.bytes, schemes[i], length) != 0)
			continue;
		rest = skip(url, length);
		host = take_until(&rest, '/');
		/* Not user:password@host either: it would be there for all to see. */
		if (host.length == 0 || memchr(host.bytes, '@', host.length) ||
		    memchr(host.bytes, '?', host.length) || memchr(host.bytes, '#', host.length))
			return false;
		snprintf(out->place, sizeof out->place, "%s%.*s/", schemes[i], (int)host.length,
			 host.bytes);
		return split_path(rest, out);
	}
	return false;
}

/* ---- last words ---- */

const char *local_words(struct text said, int code)
{
	static const struct {
		const char *said, *words;
	} table[] = {
		{ "destination not allowed", "destination not allowed" },
		{ "host not found", "host not found" },
		{ "Connection refused", "connection refused" },
		{ "Failed to resolve hostname", "host not found" },
		{ "Connection timed out", "connection timed out" },
		{ "No route to host", "no route to host" },
		{ "Network is unreachable", "network unreachable" },
		{ "Server error", "refused by the destination" },
		{ "certificate failed verification", "certificate not accepted" },
		{ "TLS", "no secure connection" },
		{ "Broken pipe", "connection lost" },
		{ "Connection reset", "connection lost" },
		{ "End of file", "connection lost" },
		{ "Operation not permitted", "refused by the destination" },
		{ "Input/output error", "connection failed" },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (holds(said, table[i].said))
			return table[i].words;
	return code == 127 ? "ffmpeg cannot be started" : "ended";
}
