/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char **refuse(const struct option_parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static char **refuse(const struct option_parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(parser->problem, parser->problem_size, format, args);
	va_end(args);
	return NULL;
}

/* An option as it stands in the arguments. */
struct given {
	const struct option_row *row;
	char *values;
	const char *written; /* as the user wrote it, for messages */
	int written_length;
	const char *attached; /* value in the same argument, or NULL */
};

static bool find_option(const struct option_parser *parser, const char *argument,
			struct given *given)
{
	bool is_long = argument[1] == '-';
	const char *name = argument + (is_long ? 2 : 1);
	size_t length = is_long ? strcspn(name, "=") : 1;

	*given = (struct given){ .written = argument,
				 .written_length = (int)(length + (is_long ? 2 : 1)) };
	if (is_long)
		given->attached = name[length] ? name + length + 1 : NULL;
	else
		given->attached = name[1] ? name + 1 : NULL;
	for (size_t i = 0; i < parser->set_count; i++) {
		const struct option_set *set = &parser->sets[i];

		for (size_t k = 0; k < set->count; k++) {
			const struct option_row *row = &set->rows[k];

			if (is_long ? strlen(row->name) != length ||
					      strncmp(row->name, name, length) != 0
				    : row->letter == 0 || row->letter != *name)
				continue;
			given->row = row;
			given->values = set->values;
			return true;
		}
	}
	return false;
}

static bool parse_number(const char *text, int64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* Decimal seconds to ms; a fourth decimal and all behind it are cut off. */
static bool parse_seconds(const char *text, int64_t *out_ms)
{
	int64_t whole = 0, scale = 100, part = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (whole > INT32_MAX)
			return false;
		whole = whole * 10 + (*at - '0');
	}
	if (at == text)
		return false;
	if (*at == '.')
		for (at++; *at >= '0' && *at <= '9'; at++, scale /= 10)
			part += (*at - '0') * scale;
	*out_ms = whole * 1000 + part;
	return *at == '\0';
}

static bool store_number(const struct option_parser *parser, const struct given *given,
			 const char *value)
{
	const struct option_row *row = given->row;
	bool seconds = row->kind == OPTION_SECONDS;
	double unit = seconds ? 1000.0 : 1.0;
	int64_t number;

	if (!(seconds ? parse_seconds : parse_number)(value, &number) || number < row->min ||
	    number > row->max) {
		(void)refuse(parser, "--%s takes a number from %.15g to %.15g, not '%s'", row->name,
			     (double)row->min / unit, (double)row->max / unit, value);
		return false;
	}
	memcpy(given->values + row->offset, &number, sizeof number);
	return true;
}

static bool store_text(const struct option_parser *parser, const struct given *given,
		       const char *value)
{
	const struct option_row *row = given->row;
	void *slot = given->values + row->offset;
	size_t length = strlen(value);

	if (length < (size_t)row->min || length > (size_t)row->max) {
		(void)refuse(parser, "--%s takes %" PRId64 " to %" PRId64 " bytes, these are %zu",
			     row->name, row->min, row->max, length);
		return false;
	}
	if (row->kind == OPTION_TEXT) {
		memcpy(slot, &value, sizeof value);
		return true;
	}
	struct option_list *list = slot;

	if (list->count == OPTION_LIST_MAX) {
		(void)refuse(parser, "--%s may be given at most %d times", row->name,
			     OPTION_LIST_MAX);
		return false;
	}
	list->items[list->count++] = value;
	return true;
}

/* Returns the last argument used, or NULL. */
static char **take_option(const struct option_parser *parser, char **at)
{
	struct given given;

	if (!find_option(parser, *at, &given))
		return refuse(parser, "unknown option %.*s", given.written_length, given.written);
	if (given.row->kind == OPTION_FLAG) {
		const bool yes = true;

		if (given.attached)
			return refuse(parser, "--%s takes no value", given.row->name);
		memcpy(given.values + given.row->offset, &yes, sizeof yes);
		return at;
	}
	const char *value = given.attached ? given.attached : *++at;

	if (!value)
		return refuse(parser, "%.*s needs a value: %s", given.written_length, given.written,
			      given.row->value);
	if (given.row->kind == OPTION_TEXT || given.row->kind == OPTION_LIST)
		return store_text(parser, &given, value) ? at : NULL;
	return store_number(parser, &given, value) ? at : NULL;
}

char **options_parse(const struct option_parser *parser, char **arguments,
		     struct option_words *words)
{
	bool options = true;
	char **at;

	for (at = arguments; *at; at++) {
		if (options && strcmp(*at, "--") == 0) {
			options = false;
		} else if (options && (*at)[0] == '-' && (*at)[1] != '\0') {
			at = take_option(parser, at);
			if (!at)
				return NULL;
		} else if (parser->stop_at_word) {
			return at;
		} else if (words->count == OPTION_WORDS_MAX) {
			return refuse(parser, "too many words, from '%s' on", *at);
		} else {
			words->items[words->count++] = *at;
		}
	}
	return at;
}

void options_print(const struct option_row *rows, size_t count, FILE *to)
{
	for (size_t i = 0; i < count; i++) {
		const struct option_row *row = &rows[i];
		char left[64], letter[8] = "";

		if (row->letter)
			(void)snprintf(letter, sizeof letter, "-%c, ", row->letter);
		(void)snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name,
			       row->value ? " " : "", row->value ? row->value : "");
		(void)fprintf(to, "  %-26s  %s\n", left, row->meaning);
	}
}
