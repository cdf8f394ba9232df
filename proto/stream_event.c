/* SPDX-License-Identifier: MIT */
#include "proto/stream_event.h"

#include <assert.h>
#include <errno.h>

#include <msgpack/pack.h>

#include "proto/stream_event_table.h"

/* clang-format off */
#define SECRET true
#define ARG_STR(arg) .limit = arg
#define ARG_JSON(arg) .limit = arg
#define ARG_LIST(arg) .limit = arg
#define ARG_ENUM(arg) .words = &arg##_words
#define ARG_U64(arg) .limit = 0
#define ARG_I64(arg) .limit = 0
#define ARG_BOOL(arg) .limit = 0
#define ROW(S, kind_, name_, arg, flags, since_, meaning_) \
	{ .name = #name_, .key = { ",\"" #name_ "\":", sizeof #name_ + 3 }, .kind = FIELD_##kind_, .offset = offsetof(struct stream_event, S name_), \
	  .secret = flags, .since = since_, .meaning = meaning_, ARG_##kind_(arg) },
#define TABLE(number, UPPER, lower, name, from, to) \
	static const struct field lower##_fields[] = { \
		STREAM_HEADER_FIELDS(ROW, ) UPPER##_FIELDS(ROW, lower.) \
	};
STREAM_EVENTS(TABLE)

#define SCHEMA(number, UPPER, lower, name, from, to) \
	[number] = { name, lower##_fields, sizeof lower##_fields / sizeof lower##_fields[0], from, to },
static const struct schema schemas[STREAM_EVENT_TYPE_MAX + 1] = { STREAM_EVENTS(SCHEMA) };
/* clang-format on */

const struct schema *stream_event_schema(uint64_t type)
{
	if (type > STREAM_EVENT_TYPE_MAX || !schemas[type].name)
		return NULL;
	return &schemas[type];
}

const char *stream_event_name(enum stream_event_type type)
{
	const struct schema *schema = stream_event_schema(type);

	return schema ? schema->name : NULL;
}

enum stream_event_type stream_event_named(struct text name)
{
	for (unsigned i = 0; i <= STREAM_EVENT_TYPE_MAX; i++)
		if (schemas[i].name && text_is(name, schemas[i].name))
			return (enum stream_event_type)i;
	return EVENT_NONE;
}

bool stream_event_may(enum stream_event_type type, enum role from, enum role to)
{
	const struct schema *schema = stream_event_schema(type);

	if (!schema || from >= ROLE_COUNT || to >= ROLE_COUNT || !(schema->from & 1u << from))
		return false;
	if (schema->to != TO_ALL)
		return schema->to & 1u << to;
	/* The story may also be sent as a row of a snapshot or of the history. */
	return to == ROLE_NONE || (from == ROLE_REGISTRY && to != ROLE_PROVIDER);
}

size_t stream_event_wire_max(enum stream_event_type type)
{
	switch ((int)type) {
	case EVENT_PROBE_BATCH:
	case EVENT_ACK_BATCH:
		return STREAM_EVENT_BATCH_WIRE_MAX;
	case EVENT_EDGE_RELAY:
	case EVENT_REGISTRY_RELAY:
		return STREAM_EVENT_RELAY_WIRE_MAX;
	default:
		return STREAM_EVENT_WIRE_MAX;
	}
}

struct out {
	uint8_t *bytes;
	size_t length, size;
};

static int out_write(void *context, const char *bytes, size_t length)
{
	struct out *out = context;

	if (length > out->size - out->length)
		return -1;
	if (length > 0)
		memcpy(out->bytes + out->length, bytes, length);
	out->length += length;
	return 0;
}

static int encode_text(msgpack_packer *packer, struct text text)
{
	return msgpack_pack_str(packer, text.length) ||
	       msgpack_pack_str_body(packer, text.bytes, text.length);
}

static int encode_list(msgpack_packer *packer, struct text list)
{
	if (list.length == 0)
		return msgpack_pack_array(packer, 0);
	return out_write(packer->data, list.bytes, list.length);
}

static int encode_field(msgpack_packer *packer, const struct field *field, const void *value,
			bool strip)
{
	struct text text = { 0 };

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
	case FIELD_LIST:
		if (!strip || !field->secret)
			text = *(const struct text *)value;
		assert(text.length <= field->limit);
		return field->kind == FIELD_LIST ? encode_list(packer, text)
						 : encode_text(packer, text);
	case FIELD_ENUM:
		return msgpack_pack_uint32(packer, *(const uint32_t *)value);
	case FIELD_U64:
		return msgpack_pack_uint64(packer, *(const uint64_t *)value);
	case FIELD_I64:
		return msgpack_pack_int64(packer, *(const int64_t *)value);
	case FIELD_BOOL:
		return *(const bool *)value ? msgpack_pack_true(packer)
					    : msgpack_pack_false(packer);
	}
	return -1;
}

ssize_t stream_event_encode(const struct stream_event *event, enum stream_event_form form,
			    uint8_t *wire, size_t size)
{
	const struct schema *schema = stream_event_schema(event->type);
	struct out out = { .bytes = wire, .size = size };
	msgpack_packer packer;

	assert(schema);
	msgpack_packer_init(&packer, &out, out_write);
	if (msgpack_pack_array(&packer, 2 + schema->field_count) ||
	    msgpack_pack_uint32(&packer, STREAM_PROTOCOL_VERSION) ||
	    msgpack_pack_uint32(&packer, (uint32_t)event->type))
		return -EMSGSIZE;
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];

		if (encode_field(&packer, field, (const char *)event + field->offset,
				 form == STREAM_EVENT_PUBLIC))
			return -EMSGSIZE;
	}
	return (ssize_t)out.length;
}

static bool read_field(struct wire *wire, const struct field *field, void *value)
{
	struct text *text = value;
	uint64_t number;

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		return wire_text(wire, text) && text->length <= field->limit;
	case FIELD_LIST:
		return wire_list(wire, text) && text->length <= field->limit;
	case FIELD_ENUM:
		if (!wire_u64(wire, &number) || number >= field->words->count)
			return false;
		*(uint32_t *)value = (uint32_t)number;
		return true;
	case FIELD_U64:
		return wire_u64(wire, value);
	case FIELD_I64:
		return wire_i64(wire, value);
	case FIELD_BOOL:
		return wire_bool(wire, value);
	}
	return false;
}

static bool skip_fields(struct wire *wire, uint32_t count)
{
	for (; count > 0; count--)
		if (!wire_skip(wire))
			return false;
	return true;
}

int stream_event_read(struct wire *wire, struct stream_event *out)
{
	const uint8_t *start = wire->at;
	uint64_t version, type;
	uint32_t count;

	*out = (struct stream_event){ 0 };
	if (!wire_array(wire, &count) || count < 2 || !wire_u64(wire, &version) || version == 0 ||
	    !wire_u64(wire, &type))
		return STREAM_EVENT_E_MALFORMED;
	count -= 2;

	const struct schema *schema = stream_event_schema(type);
	if (!schema)
		return skip_fields(wire, count) ? STREAM_EVENT_E_UNKNOWN : STREAM_EVENT_E_MALFORMED;
	out->type = (enum stream_event_type)type;
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];

		if (count == 0) {
			if (field->since <= version)
				return STREAM_EVENT_E_MALFORMED;
			continue;
		}
		if (!read_field(wire, field, (char *)out + field->offset))
			return STREAM_EVENT_E_MALFORMED;
		count--;
	}
	if (!skip_fields(wire, count) ||
	    (size_t)(wire->at - start) > stream_event_wire_max(out->type))
		return STREAM_EVENT_E_MALFORMED;
	return 0;
}
