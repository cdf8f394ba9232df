/* SPDX-License-Identifier: MIT */
#include "common/config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_draft.h"
#include "common/error.h"
#include "proto/escape.h"

#define SHOWN_MAX 96 /* bytes of a value or a file name that an error text quotes */

/* clang-format off */
#define KEY(TYPE, section_, name_, otherwise_, min_, max_, meaning_) \
	{ #section_, #name_, CONFIG_##TYPE, otherwise_, min_, max_, meaning_, \
	  offsetof(struct config, section_##_##name_) },
static const struct config_key keys[] = { CONFIG_KEYS(KEY) };
/* clang-format on */

const struct config_key *config_keys(size_t *count)
{
	*count = CONFIG_KEY_COUNT;
	return keys;
}

static const char *setting_text(const struct config_draft *draft, size_t key)
{
	const char *text = draft->settings[key].text;

	return text ? text : keys[key].otherwise;
}

/* An error text under construction; what does not fit is cut off. */
struct writer {
	char *text;
	size_t used;
};

static void put(struct writer *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put_args(struct writer *to, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void put_args(struct writer *to, const char *format, va_list args)
{
	size_t room = CONFIG_ERROR_SIZE - to->used;
	int length = vsnprintf(to->text + to->used, room, format, args);

	if (length > 0)
		to->used += (size_t)length < room ? (size_t)length : room - 1;
}

static void put(struct writer *to, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_args(to, format, args);
	va_end(args);
}

static void put_shown(struct writer *to, const char *string)
{
	struct text text = text_of(string);
	char shown[SHOWN_MAX + 1];

	put(to, "%s%s", escape_put(text, shown, sizeof shown),
	    text.length >= sizeof shown ? "..." : "");
}

static void put_place(struct writer *to, const struct config_draft *draft,
		      const struct config_place *place)
{
	if (place->origin == ORIGIN_SET)
		put(to, "--set ");
	if (place->origin != ORIGIN_FILE)
		return;
	/* The end of a long file name says more than its beginning. */
	const char *file = draft->source->file;
	size_t length = strlen(file);

	put(to, "%s", length > SHOWN_MAX ? "..." : "");
	put_shown(to, length > SHOWN_MAX ? file + length - SHOWN_MAX : file);
	if (place->line > 0)
		put(to, ":%u", place->line);
	put(to, ": ");
}

int config_refuse(const struct config_draft *draft, enum config_index key, const char *format, ...)
{
	const struct config_place *place = &draft->settings[key].place;
	struct writer to = { draft->error, 0 };
	va_list args;

	put_place(&to, draft, place);
	if (place->origin == ORIGIN_ENVIRONMENT)
		put(&to, "%.*s=", (int)strcspn(place->variable, "="), place->variable);
	else
		put(&to, place->origin == ORIGIN_SET ? "%s.%s=" : "%s.%s = ", keys[key].section,
		    keys[key].name);
	put_shown(&to, setting_text(draft, key));
	put(&to, ": ");
	va_start(args, format);
	put_args(&to, format, args);
	va_end(args);
	return CONFIG_E_INVALID;
}

int config_fail(const struct config_draft *draft, const struct config_place *place,
		const char *subject, const char *format, ...)
{
	struct writer to = { draft->error, 0 };
	va_list args;

	put_place(&to, draft, place);
	if (*subject) {
		put_shown(&to, subject);
		put(&to, ": ");
	}
	va_start(args, format);
	put_args(&to, format, args);
	va_end(args);
	return CONFIG_E_INVALID;
}

static int refuse_number(const struct config_draft *draft, size_t key, const char *what)
{
	const struct config_key *row = &keys[key];

	if (row->min == row->max)
		return config_refuse(draft, (enum config_index)key, "must be %s%" PRId64, what,
				     row->min);
	return config_refuse(draft, (enum config_index)key, "must be %s%" PRId64 " to %" PRId64,
			     what, row->min, row->max);
}

static int convert_int(const struct config_draft *draft, size_t key, int64_t *out)
{
	const char *text = setting_text(draft, key);
	const char *digits = text + (*text == '-');
	char *end;

	if (!*digits || strspn(digits, "0123456789") != strlen(digits))
		return refuse_number(draft, key, "a whole number without a unit, ");
	errno = 0;
	long long value = strtoll(text, &end, 10);

	if (errno == ERANGE || value < keys[key].min || value > keys[key].max)
		return refuse_number(draft, key, "");
	*out = value;
	return 0;
}

static int convert_bool(const struct config_draft *draft, size_t key, bool *out)
{
	const char *text = setting_text(draft, key);

	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return config_refuse(draft, (enum config_index)key, "must be true or false");
	*out = *text == 't';
	return 0;
}

static int check_text(const struct config_draft *draft, size_t key)
{
	struct text text = text_of(setting_text(draft, key));
	const struct config_key *row = &keys[key];

	if (text.length < row->min || text.length > row->max)
		return config_refuse(draft, (enum config_index)key,
				     "has %u bytes: must be %" PRId64 " to %" PRId64, text.length,
				     row->min, row->max);
	for (uint32_t at = 0; at < text.length;) {
		struct text rest = { text.bytes + at, text.length - at };
		size_t length = escape_utf8(rest);
		unsigned char byte = (unsigned char)text.bytes[at];

		if (length == 0 || byte < 0x20 || byte == 0x7f)
			return config_refuse(draft, (enum config_index)key,
					     "holds a control byte or is not UTF-8");
		at += (uint32_t)length;
	}
	return 0;
}

/* Copy the text of @key to @arena, which has room for all of them, and move @arena behind it. */
static void keep_text(const struct config_draft *draft, size_t key, char **arena, const char **out)
{
	const char *path = draft->settings[key].path;
	const char *text = path ? path : setting_text(draft, key);
	size_t size = strlen(text) + 1;

	memcpy(*arena, text, size);
	*out = *arena;
	*arena += size;
}

static int convert(const struct config_draft *draft, size_t key, char **arena,
		   struct config *config)
{
	void *member = (char *)config + keys[key].offset;
	int r;

	switch (keys[key].type) {
	case CONFIG_INT:
		return convert_int(draft, key, member);
	case CONFIG_BOOL:
		return convert_bool(draft, key, member);
	case CONFIG_STR:
	case CONFIG_FILE:
	case CONFIG_DIR:
		r = check_text(draft, key);
		if (r == 0)
			keep_text(draft, key, arena, member);
		return r;
	}
	return -EINVAL;
}

static int convert_all(const struct config_draft *draft, struct config *config)
{
	size_t size = 0;

	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		const char *path = draft->settings[i].path;

		size += strlen(path ? path : setting_text(draft, i)) + 1;
	}
	char *arena = config->memory = malloc(size);

	if (!arena)
		return err_raise(-ENOMEM);
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		int r = convert(draft, i, &arena, config);

		if (r != 0)
			return r;
	}
	return 0;
}

int config_load(const struct config_source *source, struct config *out, char *error)
{
	struct config_draft draft = { .source = source, .error = error };
	struct config config = { 0 };

	*error = '\0';
	int r = config_read(&draft);

	if (r == 0)
		r = convert_all(&draft, &config);
	if (r == 0)
		r = config_check(&draft, &config);
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		free(draft.settings[i].text);
		free(draft.settings[i].path);
	}
	if (r == 0)
		*out = config;
	else
		config_fini(&config);
	return r;
}

void config_fini(struct config *config)
{
	if (!config)
		return;
	free(config->memory);
	*config = (struct config){ 0 };
}

static bool split_port(const char *text, uint16_t *port)
{
	size_t length = strlen(text);

	if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
		return false;
	unsigned long value = strtoul(text, NULL, 10);

	if (value == 0 || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

bool config_split_listen(const char *listen, char *host, uint16_t *port)
{
	const char *colon = strrchr(listen, ':');
	struct in6_addr address; /* has room for either family */
	char literal[CONFIG_HOST_SIZE];
	uint16_t number;

	if (!colon || !split_port(colon + 1, &number))
		return false;
	struct text name = { listen, (uint32_t)(colon - listen) };
	bool six = name.length > 2 && name.bytes[0] == '[' && name.bytes[name.length - 1] == ']';

	if (six)
		name = (struct text){ name.bytes + 1, name.length - 2 };
	if (text_is(name, "localhost") && !six)
		name = TEXT("127.0.0.1");
	if (name.length >= sizeof literal)
		return false;
	(void)text_put(name, literal, sizeof literal);
	if (inet_pton(six ? AF_INET6 : AF_INET, literal, &address) != 1)
		return false;
	memcpy(host, literal, (size_t)name.length + 1);
	*port = number;
	return true;
}
