/* SPDX-License-Identifier: MIT */
/* Goal: the rules that hold for every field of every message, whatever its meaning.  The tests walk
 * the schema: a new row is tested by being there.  What is no field (type, bounds of the whole) has
 * tables of its own.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>

#include "proto/edge_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DOCUMENT_MAX (7 * RELAY_MAX)

static struct edge_scratch *scratch;
static char *document, *encoded;

static void allocate(void)
{
	scratch = malloc(sizeof *scratch);
	document = malloc(DOCUMENT_MAX);
	encoded = malloc(EDGE_ENCODED_MAX);
}

static void release(void)
{
	free(scratch);
	free(document);
	free(encoded);
}

TestSuite(edge_fields, .init = allocate, .fini = release);

static int decode(const struct edge_schema *schema, const char *json, struct edge_message *out)
{
	struct edge_input input = { .side = schema->side,
				    .json = text_of(json),
				    .scratch = scratch };

	if (schema->type.length == 0)
		for (input.type = EDGE_NONE + 1; edge_schema(input.type) != schema;)
			input.type++;
	return edge_decode(&input, out);
}

static bool is_text(const struct edge_row *row)
{
	return row->kind == EDGE_STR || row->kind == EDGE_OBJECT || row->kind == EDGE_ARRAY;
}

static bool is_read(const struct edge_row *row)
{
	return is_text(row) || row->kind == EDGE_BOOL || row->kind == EDGE_U64 ||
	       row->kind == EDGE_OPEN;
}

static struct text text_at(const struct edge_message *message, const struct edge_row *row)
{
	return *(const struct text *)((const char *)message + row->offset);
}

/* The row that opens the group @index is in; @index itself if it is in none. */
static unsigned group_of(const struct edge_schema *schema, unsigned index)
{
	for (unsigned i = 0; i < index; i = edge_skip(schema, i))
		if (edge_skip(schema, i) > index)
			return i;
	return index;
}

/* {"type":T,"key":value,"key":value,...}, in @document; the key in its group if it has one. */
static const char *with_values(const struct edge_schema *schema, unsigned index,
			       const char *const *values, size_t count)
{
	const struct edge_row *rows = schema->rows;
	unsigned group = group_of(schema, index);
	char *at = stpcpy(document, schema->head.bytes);
	const char *comma = schema->type.length > 0 ? "," : "";

	if (group != index)
		at += sprintf(at, "%s\"%s\":{", comma, rows[group].key.bytes);
	for (size_t i = 0; i < count; i++) {
		bool first = i == 0 && (group != index || schema->type.length == 0);

		at += sprintf(at, "%s\"%s\":%s", first ? "" : ",", rows[index].key.bytes,
			      values[i]);
	}
	strcpy(at, group != index ? "}}" : "}");
	return document;
}

static bool fits(enum edge_kind kind, const char *value)
{
	switch (kind) {
	case EDGE_STR:
		return *value == '"';
	case EDGE_OBJECT:
	case EDGE_OPEN:
		return *value == '{';
	case EDGE_ARRAY:
		return *value == '[';
	case EDGE_BOOL:
		return *value == 't' || *value == 'f';
	case EDGE_U64:
		return *value == '0';
	default:
		return false;
	}
}

/* Calls @check for every row that can be read, in every form that can be read. */
static void for_each_row(void (*check)(const struct edge_schema *, unsigned))
{
	unsigned rows = 0;

	for (unsigned i = EDGE_NONE + 1; i < EDGE_TYPE_COUNT; i++) {
		const struct edge_schema *schema = edge_schema((enum edge_type)i);

		if (schema->type.length > 0 && edge_named(schema->side, schema->type) != i)
			continue;
		for (unsigned row = 0; row < schema->row_count; row++) {
			if (!is_read(&schema->rows[row]))
				continue;
			check(schema, row);
			rows++;
		}
	}
	cr_expect_gt(rows, 80);
}

static const char *const samples[] = { "null",	"true", "false", "0",	"-1.5",
				       "\"x\"", "[1]",	"{}",	 "\"\"" };

static void check_types(const struct edge_schema *schema, unsigned index)
{
	const struct edge_row *row = &schema->rows[index];
	struct edge_message message;

	for (size_t i = 0; i < COUNT(samples); i++) {
		const char *json = with_values(schema, index, &samples[i], 1);
		bool expected = fits(row->kind, samples[i]);

		cr_expect_eq(decode(schema, json, &message), 0, "%s", json);
		cr_expect_eq(message.present >> index & 1, expected, "%s", json);
		cr_expect_eq(message.oversized, 0, "%s", json);
		if (!is_text(row))
			continue;
		if (row->kind == EDGE_STR && expected)
			cr_expect_eq(text_at(&message, row).length, strlen(samples[i]) - 2);
		else if (expected)
			cr_expect(text_is(text_at(&message, row), samples[i]), "%s", json);
		else
			cr_expect(text_is(text_at(&message, row),
					  row->flags & EDGE_EMPTY ? "{}" : ""),
				  "%s", json);
	}
}

Test(edge_fields, wrong_types_are_absent)
{
	for_each_row(check_types);
}

/* The last of doubled members wins, also if it says nothing. */
static void check_doubled(const struct edge_schema *schema, unsigned index)
{
	struct edge_message message;

	for (size_t first = 0; first < COUNT(samples); first++) {
		for (size_t last = 0; last < COUNT(samples); last++) {
			const char *values[] = { samples[first], samples[last] };
			struct edge_message expected;
			uint32_t group = UINT32_C(1) << group_of(schema, index);

			cr_assert_eq(decode(schema, with_values(schema, index, &samples[last], 1),
					    &expected),
				     0);
			cr_assert_eq(
				decode(schema, with_values(schema, index, values, 2), &message), 0);
			cr_expect_eq(message.present, expected.present, "%s", document);
			cr_expect_eq(message.present & ~(group | 1u << index), 0);
			if (is_text(&schema->rows[index]))
				cr_expect_eq(text_at(&message, &schema->rows[index]).length,
					     text_at(&expected, &schema->rows[index]).length);
		}
	}
}

Test(edge_fields, last_of_doubled_members_wins)
{
	for_each_row(check_doubled);
}

/* A value that takes @length bytes, in the form @variant. */
static char *value_of(enum edge_kind kind, uint32_t length, unsigned variant)
{
	char *value = malloc(6 * (size_t)length + 16), *at = value;

	*at++ = kind == EDGE_STR ? '"' : kind == EDGE_ARRAY ? '[' : '{';
	for (uint32_t i = kind == EDGE_STR ? 0 : 2; i < length; i++) {
		if (kind == EDGE_STR && variant == 1)
			at = stpcpy(at, "\\u0001");
		else
			*at++ = kind == EDGE_STR ? 'x' : ' ';
	}
	*at++ = kind == EDGE_STR ? '"' : kind == EDGE_ARRAY ? ']' : '}';
	*at = '\0';
	return value;
}

static void check_limit(const struct edge_schema *schema, unsigned index)
{
	const struct edge_row *row = &schema->rows[index];
	struct edge_message message;

	if (!is_text(row))
		return;
	for (unsigned variant = 0; variant < 2; variant++) {
		for (uint32_t over = 0; over < 2; over++) {
			char *value = value_of(row->kind, row->limit + over, variant);
			const char *json = with_values(schema, index, (const char **)&value, 1);
			const struct text empty = row->flags & EDGE_EMPTY ? TEXT("{}") : TEXT("");
			bool kept = over == 0 || row->flags & EDGE_CUT;

			cr_expect_eq(decode(schema, json, &message), 0);
			cr_expect_eq(message.present >> index & 1, kept);
			cr_expect_eq(message.oversized, over << index);
			cr_expect_eq(text_at(&message, row).length,
				     kept ? row->limit : empty.length, "%s.%s", schema->name,
				     row->name);
			free(value);
		}
	}
}

Test(edge_fields, limits)
{
	for_each_row(check_limit);
}

/* An oversized value does not stay oversized if a later one fits. */
static void check_oversized_then_good(const struct edge_schema *schema, unsigned index)
{
	const struct edge_row *row = &schema->rows[index];
	struct edge_message message;

	if (!is_text(row))
		return;
	char *values[] = { value_of(row->kind, row->limit + 1, 1), value_of(row->kind, 2, 1) };
	const char *json = with_values(schema, index, (const char **)values, 2);

	cr_expect_eq(decode(schema, json, &message), 0);
	cr_expect_eq(message.present >> index & 1, 1);
	cr_expect_eq(message.oversized, 0);
	cr_expect_eq(text_at(&message, row).length, 2);
	free(values[0]);
	free(values[1]);
}

Test(edge_fields, oversized_is_forgotten_with_the_value)
{
	for_each_row(check_oversized_then_good);
}

/* Keys may be escaped, and are nothing but equal. */
static void check_key(const struct edge_schema *schema, unsigned index)
{
	const struct edge_row *row = &schema->rows[index];
	struct text key = row->key;
	const char *comma = schema->type.length > 0 ? "," : "";
	const char *value = row->kind == EDGE_STR     ? "\"\""
			    : row->kind == EDGE_BOOL  ? "true"
			    : row->kind == EDGE_U64   ? "0"
			    : row->kind == EDGE_ARRAY ? "[]"
						      : "{}";
	char keys[4][JSON_WORD_MAX + 8];
	struct edge_message message;

	if (group_of(schema, index) != index)
		return;
	sprintf(keys[0], "\\u00%02x%s", key.bytes[0], key.bytes + 1);
	sprintf(keys[1], "_%s", key.bytes);
	sprintf(keys[2], "%s_", key.bytes);
	sprintf(keys[3], "%s\\u0001", key.bytes);
	for (unsigned i = 0; i < COUNT(keys); i++) {
		sprintf(document, "%s%s\"%s\":%s}", schema->head.bytes, comma, keys[i], value);
		cr_expect_eq(decode(schema, document, &message), 0, "%s", document);
		cr_expect_eq(message.present, i == 0 ? 1u << index : 0, "%s", document);
	}
}

Test(edge_fields, keys)
{
	for_each_row(check_key);
}

/* Whatever has to be escaped, EDGE_ENCODED_MAX holds it and it reads back. */
Test(edge_fields, worst_case_fits)
{
	char *strings = malloc(RELAY_MAX + 1), *object = value_of(EDGE_OBJECT, RELAY_MAX, 0);

	memset(strings, 1, RELAY_MAX);
	for (unsigned type = EDGE_NONE + 1; type < EDGE_TYPE_COUNT; type++) {
		const struct edge_schema *schema = edge_schema((enum edge_type)type);
		struct edge_message message = { .type = (enum edge_type)type }, again;

		for (unsigned i = 0; i < schema->row_count; i++) {
			const struct edge_row *row = &schema->rows[i];
			struct text *text = (struct text *)((char *)&message + row->offset);

			if (row->kind == EDGE_STR)
				*text = (struct text){ strings, row->limit };
			else if (row->kind == EDGE_U64)
				*(uint64_t *)text = UINT64_MAX;
			else if (row->kind == EDGE_ARRAY)
				*text = TEXT("[]");
			else if (row->kind == EDGE_OBJECT)
				*text = row->limit == RELAY_MAX ? text_of(object) : TEXT("{}");
		}
		ssize_t length = edge_encode(&message, INT64_MAX, encoded, EDGE_ENCODED_MAX);

		cr_assert_gt(length, 0, "%s", schema->name);
		struct edge_input input = { .type = (enum edge_type)type,
					    .json = { encoded, (uint32_t)length },
					    .scratch = scratch };
		cr_assert_eq(edge_decode(&input, &again), 0);
		for (unsigned i = 0; i < schema->row_count; i++)
			if (is_text(&schema->rows[i]))
				cr_expect(text_equal(text_at(&again, &schema->rows[i]),
						     text_at(&message, &schema->rows[i])));
	}
	free(strings);
	free(object);
}

Test(edge_fields, writing_beyond_a_limit_is_our_own_mistake, .signal = SIGABRT)
{
	struct edge_message message = { .type = EDGE_KEEP_RTMP_STREAM_ALIVE,
					.keep_rtmp_stream_alive.ack_id =
						TEXT("0123456789abcdefg") };

	(void)edge_encode(&message, 0, encoded, EDGE_ENCODED_MAX);
}

Test(edge_fields, schema_is_sound)
{
	for (unsigned type = EDGE_NONE + 1; type < EDGE_TYPE_COUNT; type++) {
		const struct edge_schema *schema = edge_schema((enum edge_type)type);
		bool open = false;

		cr_expect_leq(schema->type.length, TYPE_NAME_MAX);
		for (unsigned i = 0; i < schema->row_count; i++) {
			const struct edge_row *row = &schema->rows[i];

			cr_expect_leq(row->key.length, JSON_WORD_MAX);
			cr_expect_eq(row->kind == EDGE_CLOSE, row->key.length == 0);
			cr_expect(!open || row->kind != EDGE_OPEN, "groups do not nest");
			cr_expect(open || row->kind != EDGE_CLOSE);
			open = row->kind == EDGE_OPEN || (open && row->kind != EDGE_CLOSE);
			for (unsigned j = 0; j < i; j++)
				cr_expect(group_of(schema, j) != group_of(schema, i) ||
						  !text_equal(schema->rows[j].key, row->key) ||
						  row->kind == EDGE_CLOSE,
					  "%s.%s", schema->name, row->name);
		}
		cr_expect_not(open);
	}
	cr_expect_null(edge_schema(EDGE_NONE));
	cr_expect_null(edge_schema(EDGE_TYPE_COUNT));
	cr_expect_eq(edge_named(EDGE_TO_REST, TEXT("")), EDGE_NONE);
}

static void expect_outcome(enum edge_side side, const char *json, int outcome, const char *name)
{
	struct edge_input input = { .side = side, .json = text_of(json), .scratch = scratch };
	struct edge_message message = { .type_name = TEXT("untouched") };

	cr_expect_eq(edge_decode(&input, &message), outcome, "%s", json);
	cr_expect(text_is(message.type_name, name ? name : "untouched"), "%s", json);
	if (outcome == 0 || outcome == EDGE_E_UNKNOWN)
		cr_expect(text_is(message.json, strchr(json, '{')), "%s", json);
}

Test(edge_fields, type)
{
	char longest[128], longer[128];

	sprintf(longest, "{\"type\":\"%.*s\"}", TYPE_NAME_MAX,
		"0123456789012345678901234567890123456789012345678901234567890123456789");
	sprintf(longer, "{\"type\":\"x%.*s\"}", TYPE_NAME_MAX, longest + 9);
	expect_outcome(EDGE_FROM_GLASSES, "", EDGE_E_NOT_JSON, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "nonsense", EDGE_E_NOT_JSON, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"start_app\"}}", EDGE_E_NOT_JSON, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"start_app\",\"a\":\"\\u0000\"}",
		       EDGE_E_NOT_JSON, NULL);
	expect_outcome(EDGE_FROM_GLASSES, " [1]", EDGE_E_NOT_OBJECT, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "\"start_app\"", EDGE_E_NOT_OBJECT, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "null", EDGE_E_NOT_OBJECT, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "[1", EDGE_E_NOT_JSON, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "{}", EDGE_E_NO_TYPE, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "{\"Type\":\"start_app\"}", EDGE_E_NO_TYPE, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":null}", EDGE_E_NO_TYPE, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":[\"start_app\"]}", EDGE_E_NO_TYPE, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"\"}", EDGE_E_NO_TYPE, NULL);
	expect_outcome(EDGE_FROM_GLASSES, longer, EDGE_E_NO_TYPE, NULL);
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"start_app\",\"type\":1}", EDGE_E_NO_TYPE,
		       NULL);
	expect_outcome(EDGE_FROM_GLASSES, longest, EDGE_E_UNKNOWN,
		       "0123456789012345678901234567890123456789012345678901234567890123");
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"start_app\",\"type\":\"b\\u0075tton\"}",
		       EDGE_E_UNKNOWN, "button");
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"stop_app\"}", 0, "stop_app");
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"stop_ap\"}", EDGE_E_UNKNOWN, "stop_ap");
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"stop_apps\"}", EDGE_E_UNKNOWN, "stop_apps");
	expect_outcome(EDGE_FROM_APP, "{\"type\":\"stop_app\"}", EDGE_E_UNKNOWN, "stop_app");
	expect_outcome(EDGE_FROM_GLASSES, "{\"type\":\"rtmp_stream_request\"}", EDGE_E_UNKNOWN,
		       "rtmp_stream_request");
	expect_outcome(EDGE_FROM_REST, "{\"type\":\"stop_app\"}", EDGE_E_UNKNOWN, "stop_app");
}

/* The type may come late, escaped or twice: the message is that of the last one. */
Test(edge_fields, type_may_stand_anywhere)
{
	static const char *const documents[] = {
		"{\"streamId\":\"S\",\"ackId\":\"K\",\"type\":\"keep_alive_ack\"}",
		"{\"streamId\":\"S\",\"type\":\"keep_alive_ack\",\"ackId\":\"K\"}",
		"{\"streamId\":\"S\",\"ackId\":\"K\",\"t\\u0079pe\":\"keep\\u005falive_ack\"}",
		"{\"type\":\"start_app\",\"packageName\":\"P\",\"streamId\":\"S\",\"ackId\":\"K\","
		"\"type\":\"keep_alive_ack\"}",
		"{\"type\":\"x\",\"streamId\":\"S\",\"type\":\"keep_alive_ack\",\"ackId\":\"K\"}",
		"{\"type\":1,\"type\":\"keep_alive_ack\",\"streamId\":\"\\u0053\",\"ackId\":\"K\"}",
		"\n{\"type\":\"rtmp_stream_status\",\"type\":\"keep_alive_ack\",\"status\":"
		"\"a\\n\","
		"\"streamId\":\"S\\u0053\",\"streamId\":\"S\",\"ackId\":\"K\"} \t\r\n",
	};
	struct edge_message message;

	for (size_t i = 0; i < COUNT(documents); i++) {
		cr_assert_eq(decode(edge_schema(EDGE_KEEP_ALIVE_ACK), documents[i], &message), 0,
			     "%s", documents[i]);
		cr_expect_eq(message.type, EDGE_KEEP_ALIVE_ACK);
		cr_expect(text_is(message.type_name, "keep_alive_ack"));
		cr_expect(text_is(message.keep_alive_ack.stream_id, "S"), "%s", documents[i]);
		cr_expect(text_is(message.keep_alive_ack.ack_id, "K"));
		cr_expect_eq(message.present, EDGE_BIT(keep_alive_ack, stream_id) |
						      EDGE_BIT(keep_alive_ack, ack_id));
		cr_expect_eq(message.oversized, 0);
		cr_expect(message.json.bytes[0] == '{' &&
			  message.json.bytes[message.json.length - 1] == '}');
	}
}

Test(edge_fields, bounds_of_the_whole)
{
	struct edge_message message;
	char *at;

	for (unsigned depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		at = stpcpy(document, "{\"type\":\"rtmp_stream_request\",\"video\":");
		for (unsigned i = 1; i < depth; i++)
			at = stpcpy(at, "{\"a\":");
		at = stpcpy(at, "1");
		for (unsigned i = 1; i < depth; i++)
			at = stpcpy(at, "}");
		strcpy(at, "}");
		cr_expect_eq(decode(edge_schema(EDGE_RTMP_STREAM_REQUEST), document, &message),
			     depth <= JSON_DEPTH_MAX ? 0 : EDGE_E_NOT_JSON);
	}
	for (unsigned members = JSON_MEMBERS_MAX; members <= JSON_MEMBERS_MAX + 1; members++) {
		at = stpcpy(document, "{\"type\":\"start_app\"");
		for (unsigned i = 1; i < members; i++)
			at = stpcpy(at, ",\"packageName\":\"\\u0041\"");
		strcpy(at, "}");
		cr_expect_eq(decode(edge_schema(EDGE_START_APP), document, &message),
			     members <= JSON_MEMBERS_MAX ? 0 : EDGE_E_NOT_JSON);
	}
}

Test(edge_fields, numbers_out_of_range)
{
	static const char *const numbers[] = { "18446744073709551616", "-1" };
	const unsigned uptime = EDGE_ROW_rest_health_uptime;
	const struct edge_schema *schema = edge_schema(EDGE_REST_HEALTH);
	struct edge_message message;

	for (size_t i = 0; i < COUNT(numbers); i++) {
		const char *mended[] = { numbers[i], "7" };

		cr_expect_eq(decode(schema, with_values(schema, uptime, &numbers[i], 1), &message),
			     EDGE_E_NOT_JSON);
		cr_expect_eq(decode(schema, with_values(schema, uptime, mended, 2), &message), 0);
		cr_expect_eq(message.rest_health.uptime, 7);
	}
	cr_expect_eq(decode(edge_schema(EDGE_START_APP),
			    "{\"type\":\"start_app\",\"n\":18446744073709551616}", &message),
		     0);
}

Test(edge_fields, doubled_group_starts_anew)
{
	struct edge_message message;

	cr_assert_eq(decode(edge_schema(EDGE_GLASSES_CONNECTION_STATE),
			    "{\"type\":\"glasses_connection_state\",\"wifi\":{\"connected\":true,"
			    "\"ssid\":\"\\u0041\"},\"wifi\":{}}",
			    &message),
		     0);
	cr_expect_eq(message.present, EDGE_BIT(glasses_connection_state, wifi));
	cr_expect_not(message.glasses_connection_state.wifi_connected);
	cr_expect_eq(message.glasses_connection_state.wifi_ssid.length, 0);
	cr_assert_eq(decode(edge_schema(EDGE_GLASSES_CONNECTION_STATE),
			    "{\"type\":\"glasses_connection_state\",\"wifi\":{\"connected\":true},"
			    "\"wifi\":null}",
			    &message),
		     0);
	cr_expect_eq(message.present, 0);
	cr_expect_not(message.glasses_connection_state.wifi_connected);
}
