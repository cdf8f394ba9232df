/* SPDX-License-Identifier: MIT */
/* The first byte chooses the side, or the form, to read the rest as.  Properties:
 * - the JSON reader agrees with jansson on what is JSON, but for our own bounds and theirs;
 * - every field that is read is what jansson's tree has under that key, within its limit;
 * - what decodes encodes, and decodes again to the same;
 * - texts made fit to be shown are bounded UTF-8 without control characters.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "proto/edge_table.h"

#define SIDES (EDGE_TO_REST + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Of a document that is JSON: how deep it goes, and at most how many members an object has. */
static void measure(struct text json, unsigned *depth_max, unsigned *colons)
{
	unsigned depth = 0;
	bool string = false;

	*depth_max = *colons = 0;
	for (uint32_t i = 0; i < json.length; i++) {
		char byte = json.bytes[i];

		if (string && byte == '\\')
			i++;
		else if (byte == '"')
			string = !string;
		else if (!string && (byte == '[' || byte == '{'))
			depth++;
		else if (!string && (byte == ']' || byte == '}'))
			depth--;
		else if (!string && byte == ':')
			++*colons;
		if (depth > *depth_max)
			*depth_max = depth;
	}
}

/* jansson's tree of @json, NULL if it has none; aborts if we judge @json differently. */
static json_t *judge(struct text json)
{
	json_error_t error;
	json_t *root = json_loadb(json.bytes, json.length, JSON_DECODE_ANY, &error);
	struct json_value value;
	bool ours = json_read(json, &value);
	unsigned depth, colons;

	if (ours && !root)
		check(json_error_code(&error) == json_error_numeric_overflow);
	if (!ours && root) {
		measure(json, &depth, &colons);
		check(depth > JSON_DEPTH_MAX || colons > JSON_MEMBERS_MAX ||
		      memchr(json.bytes, 0, json.length));
	}
	if (!ours || !root) {
		json_decref(root);
		return NULL;
	}
	check((value.kind == JSON_KIND_OBJECT) == json_is_object(root));
	check((value.kind == JSON_KIND_STRING) == json_is_string(root));
	if (json_is_integer(root)) {
		int64_t integer;

		check(json_i64(&value, &integer) == JSON_IN_RANGE);
		check(integer == json_integer_value(root));
	}
	return root;
}

static const void *member_of(const struct edge_message *message, const struct edge_row *row)
{
	return (const char *)message + row->offset;
}

/* A field against the value that jansson has for it, NULL if it has none. */
static void check_field(const struct edge_message *message, unsigned index, const json_t *value)
{
	const struct edge_row *row = &edge_schema(message->type)->rows[index];
	const struct text *text = member_of(message, row);
	bool present = message->present >> index & 1, oversized = message->oversized >> index & 1;

	switch (row->kind) {
	case EDGE_STR:
		check((present || oversized) == json_is_string(value));
		check(oversized == (json_string_length(value) > row->limit));
		check(present || text->length == 0);
		if (present)
			check(text->length <= row->limit &&
			      memcmp(text->bytes, json_string_value(value), text->length) == 0 &&
			      (oversized || text->length == json_string_length(value)));
		return;
	case EDGE_OBJECT:
	case EDGE_ARRAY:
		check((present || oversized) ==
		      (row->kind == EDGE_OBJECT ? json_is_object(value) : json_is_array(value)));
		if (present) {
			json_t *again = json_loadb(text->bytes, text->length, 0, NULL);

			check(json_equal(again, value));
			json_decref(again);
		}
		return;
	case EDGE_BOOL:
		check(present == json_is_boolean(value));
		check(*(const bool *)text == json_is_true(value));
		return;
	case EDGE_OPEN:
		check(present == json_is_object(value));
		return;
	case EDGE_U64:
		check(present == (json_is_integer(value) && json_integer_value(value) >= 0));
		return;
	case EDGE_WHEN:
	case EDGE_NOW:
	case EDGE_FIXED:
	case EDGE_CLOSE:
		check(!present);
		return;
	}
}

static void check_fields(const struct edge_message *message, const json_t *root)
{
	const struct edge_schema *schema = edge_schema(message->type);
	const json_t *around = root;

	for (unsigned i = 0; i < schema->row_count; i++) {
		const struct edge_row *row = &schema->rows[i];
		const json_t *value = json_object_get(around, row->key.bytes);

		check_field(message, i, value);
		if (row->kind == EDGE_OPEN)
			around = value;
		if (row->kind == EDGE_CLOSE)
			around = root;
	}
}

static void check_round_trip(const struct edge_message *message)
{
	static struct edge_scratch scratch;
	static char once[EDGE_ENCODED_MAX], twice[EDGE_ENCODED_MAX];
	const struct edge_schema *schema = edge_schema(message->type);
	struct edge_input input = { .type = message->type, .scratch = &scratch };
	struct edge_message again;
	ssize_t length = edge_encode(message, 0, once, sizeof once);

	check(length > 0);
	input.json = (struct text){ once, (uint32_t)length };
	check(edge_decode(&input, &again) == 0 && again.oversized == 0);
	check(edge_encode(&again, 0, twice, sizeof twice) == length);
	check(memcmp(once, twice, (size_t)length) == 0);
	if (schema->side < EDGE_TO_GLASSES)
		check(message->present == again.present);
	for (unsigned i = 0; i < schema->row_count; i++) {
		const struct edge_row *row = &schema->rows[i];
		const struct text *text = member_of(message, row);

		if (row->kind == EDGE_STR || row->kind == EDGE_OBJECT || row->kind == EDGE_ARRAY)
			check(text_equal(*text, *(const struct text *)member_of(&again, row)) ||
			      (text->length == 0 && schema->side >= EDGE_TO_GLASSES));
	}
}

static void check_texts(struct text in)
{
	char out[DETAIL_MAX];
	struct text text = edge_clean(in, out, sizeof out);
	struct text reason = edge_close_reason(in);

	check(text.length <= sizeof out && reason.length <= EDGE_CLOSE_REASON_MAX);
	for (size_t i = 0, length; i < text.length; i += length) {
		length = json_utf8(text.bytes + i, text.length - i);
		check(length > 0 && (unsigned char)text.bytes[i] >= ' ' && text.bytes[i] != 0x7f);
	}
}

static void check_subscriptions(const struct edge_message *message)
{
	struct json_walk walk;
	char buffer[TYPE_NAME_MAX];
	struct text name;

	edge_subscriptions(message->subscription_update.subscriptions, &walk);
	while (edge_subscription_next(&walk, buffer, &name))
		check(name.length > 0 && name.length <= TYPE_NAME_MAX);
	check(!walk.failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct edge_scratch scratch;
	struct edge_message message;

	if (size == 0)
		return 0;
	unsigned choice = (data[0] - 'A') % (SIDES + EDGE_TYPE_COUNT - 1u);
	struct edge_input input = { .side = choice < SIDES ? (enum edge_side)choice : 0,
				    .type = choice < SIDES ? EDGE_NONE : choice - SIDES + 1,
				    .json = { (const char *)data + 1, (uint32_t)size - 1 },
				    .scratch = &scratch };
	struct json_value value;
	json_t *root = judge(input.json);
	int r = edge_decode(&input, &message);

	check_texts(input.json);
	if (r == EDGE_E_NOT_JSON && json_read(input.json, &value))
		check(choice >= SIDES || input.side == EDGE_TO_REST); /* a number out of range */
	if (r != EDGE_E_NOT_JSON)
		check(json_read(input.json, &value));
	check((r == EDGE_E_NOT_OBJECT) ==
	      (json_read(input.json, &value) && value.kind != JSON_KIND_OBJECT));
	if (r == EDGE_E_UNKNOWN || (r == 0 && input.type == EDGE_NONE))
		check(!root || (json_string_length(json_object_get(root, "type")) ==
					message.type_name.length &&
				message.type_name.length > 0));
	if (r == 0) {
		if (root)
			check_fields(&message, root);
		check_round_trip(&message);
		if (message.type == EDGE_SUBSCRIPTION_UPDATE)
			check_subscriptions(&message);
	}
	json_decref(root);
	return 0;
}
