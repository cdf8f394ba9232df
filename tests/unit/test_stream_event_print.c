/* SPDX-License-Identifier: MIT */
/* Goal: what people and programs see of an event is whole, harmless and without secrets.  Method:
 * walk the schema with canaries in every secret and harmful text in every field; JSON goes through
 * jansson.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>

#include "proto/list.h"
#include "tests/lib/samples.h"

#define BULLETS "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2"

static struct stream_event event;
static char line[8 * STREAM_EVENT_RELAY_WIRE_MAX], json[8 * STREAM_EVENT_RELAY_WIRE_MAX];

#define EACH_TYPE(type) \
	for (enum stream_event_type type = EVENT_NONE; ((type) = sample_next(type)) != EVENT_NONE;)

static json_t *parsed(void)
{
	json_error_t error;

	cr_assert_gt(stream_event_json(&event, json, sizeof json), 0);
	json_t *root = json_loads(
		json, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);

	cr_assert(root, "%s: %s", error.text, json);
	cr_assert(json_is_object(root));
	return root;
}

static struct text *text_at(const struct field *field)
{
	return (struct text *)((char *)&event + field->offset);
}

struct url_row {
	char url[200];
	char shown[200];
};

ParameterizedTestParameters(print, redact)
{
#define HOST_128 \
	"h1234567890123456789012345678901234567890123456789012345678901234567890" \
	"123456789012345678901234567890123456789012345678901234"
	static struct url_row rows[] = {
		{ "", "" },
		{ "rtmp://host/app/KEY", "rtmp://host/app/" BULLETS },
		{ "rtmps://live.example.com:443/rtmp/KEY?x=KEY",
		  "rtmps://live.example.com:443/rtmp/" BULLETS },
		{ "rtmp://[2001:db8::1]:1935/live/KEY/KEY",
		  "rtmp://[2001:db8::1]:1935/live/" BULLETS },
		{ "rtmp://127.0.0.1/a-b_c.d/KEY", "rtmp://127.0.0.1/a-b_c.d/" BULLETS },
		{ "rtmp://host/app/", "rtmp://host/app/" BULLETS },
		{ "rtmp://host/KEY", "rtmp:" BULLETS },
		{ "rtmp://host", "rtmp:" BULLETS },
		{ "rtmp://", "rtmp:" BULLETS },
		{ "rtmp://host/", "rtmp:" BULLETS },
		{ "rtmp://host//KEY", "rtmp:" BULLETS },
		{ "rtmp://user:KEY@host/app/KEY", "rtmp:" BULLETS },
		{ "rtmp://host/app?KEY/x", "rtmp:" BULLETS },
		{ "rtmp://host/app#KEY/x", "rtmp:" BULLETS },
		{ "rtmp://host/app;KEY/x", "rtmp:" BULLETS },
		{ "rtmp://host\\KEY/app/x", "rtmp:" BULLETS },
		{ "rtmp://host/%4bEY/x", "rtmp:" BULLETS },
		{ "srt://host:9000?streamid=KEY", "srt:" BULLETS },
		{ "rtmp://host/thisisnotanappnamebutakey0123456KEY/x", "rtmp:" BULLETS },
		{ "rtmp://host/0123456789abcdef0123456789abcdef/KEY",
		  "rtmp://host/0123456789abcdef0123456789abcdef/" BULLETS },
		{ "rtmp://" HOST_128 "KEYKEY/app/x", "rtmp:" BULLETS },
		{ "KEY", BULLETS },
		{ "KEY://host/app/x", "KEY://host/app/" BULLETS }, /* a scheme of up to 8 letters */
		{ "KEYKEYKEY://host/app/x", BULLETS },
		{ "KEY:KEY", BULLETS },
		{ "//KEY/a/b/c", BULLETS },
		{ "KEY/a/b/c/d/e", BULLETS },
		{ "://host/app/KEY", BULLETS },
		{ "\x1b[2J://host/app/KEY", BULLETS },
	};

	return cr_make_param_array(struct url_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct url_row *row, print, redact)
{
	char shown[300];

	cr_assert_str_eq(stream_event_redact(text_of(row->url), shown, sizeof shown), row->shown);
	for (size_t size = 1; size < sizeof shown; size++) {
		char *small = malloc(size);

		(void)stream_event_redact(text_of(row->url), small, size);
		cr_assert_lt(strlen(small), size);
		cr_assert_eq(strncmp(small, row->shown, strlen(small)), 0);
		free(small);
	}
}

/* Whatever form a secret has, and whatever else is in the event. */
Test(print, no_secret_is_ever_shown)
{
	static const char *const forms[] = { "CANARY",
					     "rtmp://host/app/CANARY",
					     "rtmp://CANARY@host/app/x",
					     "rtmp://host/app/x?token=CANARY",
					     "rtmp://host/CANARY",
					     "{\"url\":\"CANARY\"}",
					     "\"CANARY\"",
					     "\xff/CANARY",
					     "\nCANARY\n" };
	unsigned secrets = 0;

	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		for (size_t i = 0; i < schema->field_count; i++)
			for (size_t j = 0; j < sizeof forms / sizeof forms[0]; j++) {
				if (!schema->fields[i].secret)
					continue;
				sample_event(type, SAMPLE_SMALL, &event);
				*text_at(&schema->fields[i]) = text_of(forms[j]);
				(void)stream_event_line(&event, line, sizeof line);
				cr_assert(!strstr(line, "CANARY"), "%s", line);
				cr_assert(strstr(line, BULLETS), "%s", line);
				json_decref(parsed());
				cr_assert(!strstr(json, "CANARY"), "%s", json);
				cr_assert(strstr(json, BULLETS), "%s", json);
				secrets++;
			}
	}
	cr_assert_gt(secrets, 0);
}

/* What scripts rely on; see design.md section 16. */
Test(print, json_has_the_fields_that_are_always_there)
{
	static const char *const names[] = { "type",	  "seq",   "source", "user_id",
					     "stream_id", "epoch", "cause",  "sent_ms" };

	EACH_TYPE(type)
	{
		for (enum sample sample = SAMPLE_EMPTY; sample <= SAMPLE_FULL; sample++) {
			sample_event(type, sample, &event);
			json_t *root = parsed();

			for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
				cr_assert(json_object_get(root, names[i]), "%s without %s",
					  stream_event_name(type), names[i]);
			cr_assert_str_eq(json_string_value(json_object_get(root, "type")),
					 stream_event_name(type));
			json_decref(root);
		}
	}
}

static bool json_says(const json_t *value, const struct field *field)
{
	const void *at = sample_value(&event, field);
	char shown[300];

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		if (field->secret)
			return strcmp(json_string_value(value),
				      stream_event_redact(*(const struct text *)at, shown,
							  sizeof shown)) == 0;
		return text_is(*(const struct text *)at, json_string_value(value));
	case FIELD_LIST:
		if (field->secret)
			return strcmp(json_string_value(value), BULLETS) == 0;
		return json_is_array(value) && json_array_size(value) > 0;
	case FIELD_ENUM:
		return strcmp(json_string_value(value),
			      words_name(field->words, *(const uint32_t *)at)) == 0;
	case FIELD_U64:
		return json_number_value(value) == (double)*(const uint64_t *)at;
	case FIELD_I64:
		return json_number_value(value) == (double)*(const int64_t *)at;
	case FIELD_BOOL:
		return json_is_true(value);
	}
	return false;
}

Test(print, json_says_what_every_field_says)
{
	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		for (enum sample sample = SAMPLE_SMALL; sample <= SAMPLE_FULL; sample++) {
			sample_event(type, sample, &event);
			json_t *root = parsed();

			cr_assert_eq(json_object_size(root), schema->field_count + 1);
			for (size_t i = 0; i < schema->field_count; i++)
				cr_assert(json_says(json_object_get(root, schema->fields[i].name),
						    &schema->fields[i]),
					  "%s.%s in %s", schema->name, schema->fields[i].name,
					  json);
			json_decref(root);
		}
	}
}

Test(print, json_fits_or_is_refused)
{
	sample_event(EVENT_STREAM_CLOSED, SAMPLE_SMALL, &event);
	ssize_t length = stream_event_json(&event, json, sizeof json);

	cr_assert_eq((size_t)length, strlen(json));
	for (size_t size = 1; size <= (size_t)length + 1; size++) {
		char *small = malloc(size);
		ssize_t r = stream_event_json(&event, small, size);

		cr_assert_eq(r, size > (size_t)length ? length : -EMSGSIZE);
		free(small);
	}
}

Test(print, a_line_is_cut_where_its_buffer_ends)
{
	EACH_TYPE(type)
	{
		sample_event(type, SAMPLE_SMALL, &event);
		(void)stream_event_line(&event, line, sizeof line);
		for (size_t size = 1; size < 400; size++) {
			char *small = malloc(size);

			(void)stream_event_line(&event, small, size);
			cr_assert_eq(strlen(small), strlen(line) < size ? strlen(line) : size - 1);
			cr_assert_eq(strncmp(small, line, strlen(small)), 0);
			free(small);
		}
	}
}

Test(print, a_line_says_what_is_there_and_no_more)
{
	event = (struct stream_event){ .type = EVENT_STREAM_CLOSED,
				       .source = TEXT("registry"),
				       .seq = 7,
				       .user_id = TEXT("ada@example.com"),
				       .stream_id = TEXT("s_1"),
				       .stream_closed = { .end_cause = END_ACKS_MISSED,
							  .hop = HOP_PHONE_LINK,
							  .missed = 3,
							  .last_ack_age_ms = -1,
							  .stop_owed = true } };
	cr_assert_str_eq(
		stream_event_line(&event, line, sizeof line),
		"stream.closed source=registry seq=7 user_id=ada@example.com stream_id=s_1 "
		"end_cause=acks_missed hop=phone link missed=3 last_ack_age_ms=-1 "
		"stop_owed=true");
}

#define HARM "a\x1b[31m\r\n\t\x7f\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xff\"\\z"
#define HARMLESS \
	"a\\u001b[31m\\u000d\\u000a\\u0009\\u007f\\u009b\\u202e\\u2066\\u200f\\ufffd\\\"\\\\z"

/* In every text of every event, also inside lists. */
Test(print, harmful_text_is_escaped)
{
	uint8_t bytes[64];

	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		for (size_t i = 0; i < schema->field_count; i++) {
			const struct field *field = &schema->fields[i];
			struct list_writer list;

			if (field->limit == 0 || field->secret)
				continue;
			sample_event(type, SAMPLE_SMALL, &event);
			list_begin(&list, bytes, sizeof bytes);
			cr_assert(list_add_text(&list, TEXT(HARM)));
			*text_at(field) = field->kind == FIELD_LIST ? list_end(&list) : TEXT(HARM);
			(void)stream_event_line(&event, line, sizeof line);
			cr_assert(strstr(line, HARMLESS), "%s", line);
			for (const char *at = line; *at; at++)
				cr_assert((unsigned char)*at >= ' ' && *at != 0x7f, "%s", line);
			json_decref(parsed());
			cr_assert(strstr(json, HARMLESS), "%s", json);
		}
	}
}

Test(print, lists_are_shown_with_all_their_members)
{
	static const char list[] = "\x97\xa1x\x07\xd0\x80\xc3\xc2\x92\x01\x91\xa1y\x90";

	sample_event(EVENT_ACTOR_METRICS, SAMPLE_EMPTY, &event);
	event.actor_metrics.counters = TEXT(list);
	json_decref(parsed());
	cr_assert(strstr(json, "\"counters\":[\"x\",7,-128,true,false,[1,[\"y\"]],[]]"), "%s",
		  json);
	(void)stream_event_line(&event, line, sizeof line);
	cr_assert_str_eq(line, "actor.metrics counters=[\"x\",7,-128,true,false,[1,[\"y\"]],[]]");
}

/* No decoded event has such a thing; but what is printed stays JSON, and within its bytes. */
Test(print, what_is_no_list_is_shown_as_one)
{
	sample_event(EVENT_ACTOR_METRICS, SAMPLE_EMPTY, &event);
	event.actor_metrics.counters = TEXT("\x93\xc1\x07");
	json_decref(parsed());
	cr_assert(strstr(json, "\"counters\":[false,7,false]"), "%s", json);
	event.actor_metrics.counters = TEXT("\xc1");
	json_decref(parsed());
	cr_assert(strstr(json, "\"counters\":[]"), "%s", json);
}

Test(print, a_null_byte_ends_what_may_be_shown_of_a_url)
{
	char shown[100];

	(void)stream_event_redact(TEXT("rtmp://ho\0st/app/KEY"), shown, sizeof shown);
	cr_assert_str_eq(shown, "rtmp:" BULLETS);
}

/* A consumer of JSON sees one object: no name may mean two things. */
Test(print, names_are_unique_in_an_event)
{
	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		for (size_t i = 0; i < schema->field_count; i++) {
			cr_assert_str_neq(schema->fields[i].name, "type");
			for (size_t j = 0; j < i; j++)
				cr_assert_str_neq(schema->fields[i].name, schema->fields[j].name,
						  "%s", schema->name);
		}
	}
}

Test(print, names_and_types_are_one_to_one)
{
	EACH_TYPE(type)
	{
		cr_assert_eq(stream_event_named(text_of(stream_event_name(type))), type);
	}
	cr_assert_eq(stream_event_named(TEXT("stream.open ")), EVENT_NONE);
	cr_assert_eq(stream_event_named((struct text){ 0 }), EVENT_NONE);
	cr_assert_null(stream_event_name(EVENT_NONE));
	cr_assert_null(stream_event_name((enum stream_event_type)(STREAM_EVENT_TYPE_MAX + 1)));
}
