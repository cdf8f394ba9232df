/* SPDX-License-Identifier: MIT */
#include "actors/audit/audit_client_file.h"

#include "proto/json.h"

static bool read_way(struct text word, enum client_way *out)
{
	static const char *const ways[] = {
		[CLIENT_IN] = "in",
		[CLIENT_OUT] = "out",
		[CLIENT_OPEN] = "open",
		[CLIENT_CLOSE] = "close",
	};

	for (unsigned way = 0; way < sizeof ways / sizeof ways[0]; way++)
		if (text_is(word, ways[way])) {
			*out = (enum client_way)way;
			return true;
		}
	return false;
}

static bool is_who(struct text who)
{
	return text_is(who, "glasses") ||
	       (who.length > 8 && memcmp(who.bytes, "glasses:", 8) == 0) ||
	       (who.length > 4 && memcmp(who.bytes, "app:", 4) == 0);
}

/* Texts of a line stand behind each other in @room; those without escapes are borrowed. */
static bool read_text(const struct json_value *value, char **room, size_t *size, size_t limit,
		      struct text *out)
{
	if (!json_text(value, *room, *size, out) || out->length > limit)
		return false;
	*room += out->length;
	*size -= out->length;
	return true;
}

const char *client_line_read(struct text line, char *room, size_t size, struct client_line *out)
{
	struct json_value key, value;
	struct json_walk walk;
	struct text way = TEXT("");

	*out = (struct client_line){ .ms = -1 };
	if (!json_open(&walk, line, JSON_KIND_OBJECT))
		return "it is no JSON object";
	while (json_next(&walk, &key, &value)) {
		if (json_is(&key, TEXT("t_ms")))
			(void)json_i64(&value, &out->ms);
		else if (json_is(&key, TEXT("user")))
			(void)read_text(&value, &room, &size, USER_ID_MAX, &out->user);
		else if (json_is(&key, TEXT("who")))
			(void)read_text(&value, &room, &size, PACKAGE_MAX + 4, &out->who);
		else if (json_is(&key, TEXT("direction")))
			(void)read_text(&value, &room, &size, JSON_WORD_MAX, &way);
		else if (json_is(&key, TEXT("message")) && value.kind == JSON_KIND_OBJECT)
			out->message = value.raw;
	}
	if (walk.failed)
		return "it is no JSON object";
	if (out->ms < 0 || out->ms > AUDIT_TIME_MAX_MS)
		return "t_ms must be Unix time in ms";
	if (out->user.length == 0 || out->user.length > USER_ID_MAX)
		return "user is missing or too long";
	if (!is_who(out->who) || out->who.length > PACKAGE_MAX + 4)
		return "who must be glasses, glasses:NAME or app:PACKAGE";
	if (!read_way(way, &out->way))
		return "direction must be in, out, open or close";
	if (out->way <= CLIENT_OUT && out->message.length == 0)
		return "message must be the JSON object that was sent or received";
	return NULL;
}
