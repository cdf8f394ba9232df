/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_filter.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/stream_event_table.h"

#define OPS_FIRST 170 /* numbers from here on are operational events: schema.h */

bool event_is_published(enum stream_event_type type)
{
	const struct schema *schema = stream_event_schema(type);

	return schema && schema->to == TO_ALL;
}

bool event_is_story(enum stream_event_type type)
{
	return event_is_published(type) && type < OPS_FIRST;
}

enum pattern_scope pattern_scope(const char *pattern)
{
	enum pattern_scope scope = PATTERN_NOTHING;

	for (unsigned type = 0; type <= STREAM_EVENT_TYPE_MAX; type++) {
		if (!event_is_published(type) || fnmatch(pattern, stream_event_name(type), 0) != 0)
			continue;
		if (event_is_story(type))
			return PATTERN_STORY;
		scope = PATTERN_OPS;
	}
	return scope;
}

static bool type_passes(const struct option_list *types, const char *name)
{
	for (size_t i = 0; i < types->count; i++)
		if (fnmatch(types->items[i], name, 0) == 0)
			return true;
	return types->count == 0;
}

bool filter_passes(const struct filter *filter, const struct stream_event *event)
{
	char source[NAME_MAX_BYTES + 1];

	if (filter->user && !text_is(event->user_id, filter->user))
		return false;
	if (filter->stream && !text_is(event->stream_id, filter->stream))
		return false;
	if (filter->source &&
	    fnmatch(filter->source, text_put(event->source, source, sizeof source), 0) != 0)
		return false;
	return type_passes(&filter->types, stream_event_name(event->type));
}

static const struct field *find_field(const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->field_count; i++)
		if (strcmp(schema->fields[i].name, name) == 0)
			return &schema->fields[i];
	return NULL;
}

/* A field of that name in any event that matches; the first one that is not an enumeration without
 * the word wins, so that a word is right if one of the events knows it.
 */
static bool check_condition(const char *pattern, const struct expect_condition *condition,
			    char *problem, size_t size)
{
	const struct field *found = NULL;

	for (unsigned type = 0; type <= STREAM_EVENT_TYPE_MAX; type++) {
		if (!event_is_published(type) || fnmatch(pattern, stream_event_name(type), 0) != 0)
			continue;
		const struct field *field = find_field(stream_event_schema(type), condition->field);

		if (!field)
			continue;
		found = field;
		if (!field->secret && field->kind != FIELD_LIST &&
		    (field->kind != FIELD_ENUM ||
		     words_find(field->words, text_of(condition->value), UINT32_MAX) != UINT32_MAX))
			return true;
	}
	if (!found)
		(void)snprintf(problem, size, "%s has no field '%s'; see: weir help events",
			       pattern, condition->field);
	else if (found->kind == FIELD_ENUM)
		(void)snprintf(problem, size, "%s is never '%s'; see: weir help events",
			       condition->field, condition->value);
	else
		(void)snprintf(problem, size, "%s cannot be compared: it is %s", condition->field,
			       found->secret ? "a secret" : "a list");
	return false;
}

static bool parse_expect(struct expect *expect, const char *written, char *problem, size_t size)
{
	char *rest = NULL;

	expect->written = written;
	(void)snprintf(expect->text, sizeof expect->text, "%s", written);
	expect->pattern = expect->text;
	char *conditions = strpbrk(expect->text, ":,");

	if (conditions)
		*conditions++ = '\0';
	if (pattern_scope(expect->pattern) == PATTERN_NOTHING) {
		(void)snprintf(problem, size, "no event is called '%s'; see: weir help events",
			       expect->pattern);
		return false;
	}
	for (char *part = conditions ? strtok_r(conditions, ",", &rest) : NULL; part;
	     part = strtok_r(NULL, ",", &rest)) {
		char *value = strchr(part, '=');

		if (!value || expect->condition_count == EXPECT_CONDITIONS_MAX) {
			(void)snprintf(problem, size,
				       "--expect takes TYPE[:field=value,...] with at most %d "
				       "conditions, not '%s'",
				       EXPECT_CONDITIONS_MAX, written);
			return false;
		}
		*value++ = '\0';
		struct expect_condition condition = { part, value };

		if (!check_condition(expect->pattern, &condition, problem, size))
			return false;
		expect->conditions[expect->condition_count++] = condition;
	}
	return true;
}

bool expects_parse(struct expects *expects, const struct option_list *list, char *problem,
		   size_t size)
{
	for (size_t i = 0; i < list->count; i++)
		if (!parse_expect(&expects->items[expects->count++], list->items[i], problem, size))
			return false;
	return true;
}

static bool holds(const struct field *field, const void *value, const char *wanted)
{
	char number[24] = "";

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		return !field->secret && text_is(*(const struct text *)value, wanted);
	case FIELD_LIST:
		return false;
	case FIELD_ENUM:
		return strcmp(words_name(field->words, *(const uint32_t *)value), wanted) == 0;
	case FIELD_U64:
		(void)snprintf(number, sizeof number, "%" PRIu64, *(const uint64_t *)value);
		return strcmp(number, wanted) == 0;
	case FIELD_I64:
		(void)snprintf(number, sizeof number, "%" PRId64, *(const int64_t *)value);
		return strcmp(number, wanted) == 0;
	case FIELD_BOOL:
		return strcmp(*(const bool *)value ? "true" : "false", wanted) == 0;
	}
	return false;
}

static bool expect_matches(const struct expect *expect, const struct stream_event *event)
{
	const struct schema *schema = stream_event_schema(event->type);

	if (fnmatch(expect->pattern, schema->name, 0) != 0)
		return false;
	for (size_t i = 0; i < expect->condition_count; i++) {
		const struct expect_condition *condition = &expect->conditions[i];
		const struct field *field = find_field(schema, condition->field);

		if (!field || !holds(field, (const char *)event + field->offset, condition->value))
			return false;
	}
	return true;
}

bool expects_ops(const struct expects *expects)
{
	for (size_t i = 0; i < expects->count; i++)
		if (pattern_scope(expects->items[i].pattern) == PATTERN_OPS)
			return true;
	return false;
}

bool expects_see(struct expects *expects, const struct stream_event *event)
{
	if (expects->seen < expects->count && expect_matches(&expects->items[expects->seen], event))
		expects->seen++;
	return expects->count > 0 && expects->seen == expects->count;
}
