/* SPDX-License-Identifier: MIT */
/* Goal: one wire form for ever.  Golden bytes, the round trip of every event empty, small and full,
 * every truncation and every short buffer, and everything a peer may get wrong in every field.
 * Method: walk the schema; wrong forms come from an encoder of the test's own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "proto/list.h"
#include "proto/stream_event_table.h"
#include "tests/lib/samples.h"

static struct stream_event in, out;
static uint8_t wire_bytes[STREAM_EVENT_RELAY_WIRE_MAX + 65536];

static int read_bytes(const uint8_t *bytes, size_t length)
{
	struct wire wire = { bytes, bytes + length };
	int r = stream_event_read(&wire, &out);

	cr_assert(wire.at <= wire.end);
	if (r != STREAM_EVENT_E_MALFORMED)
		cr_assert_eq(wire.at, wire.end, "bytes are left over");
	return r;
}

/* Of memory of its own, so that the sanitizer sees a read beyond its end. */
static int read_copy(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length > 0 ? length : 1);
	int r;

	cr_assert(copy);
	memcpy(copy, bytes, length);
	r = read_bytes(copy, length);
	free(copy);
	return r;
}

/* Inside the one huge text of a relay: memory of its own for each length would take minutes. */
static bool is_far_from(size_t length, size_t whole)
{
	return length > 2000 && length + 2000 < whole;
}

ParameterizedTestParameters(stream_event, round_trip)
{
	static enum stream_event_type types[STREAM_EVENT_TYPE_MAX];
	size_t count = 0;

	for (enum stream_event_type type = EVENT_NONE; (type = sample_next(type));)
		types[count++] = type;
	return cr_make_param_array(enum stream_event_type, types, count);
}

ParameterizedTest(enum stream_event_type *type, stream_event, round_trip, .timeout = 120)
{
	for (enum sample sample = SAMPLE_EMPTY; sample <= SAMPLE_FULL; sample++) {
		sample_event(*type, sample, &in);
		ssize_t length = stream_event_encode(&in, STREAM_EVENT_ADDRESSED, wire_bytes,
						     sizeof wire_bytes);

		cr_assert_gt(length, 0);
		cr_assert_leq((size_t)length, stream_event_wire_max(*type), "%s is too large",
			      stream_event_name(*type));
		cr_assert_eq(read_bytes(wire_bytes, (size_t)length), 0);
		cr_assert(sample_same(&in, &out), "%s changes", stream_event_name(*type));
		memset(&out, 0x55, sizeof out);
		for (size_t cut = 0; cut < (size_t)length; cut++)
			cr_assert_eq(is_far_from(cut, (size_t)length) ? read_bytes(wire_bytes, cut)
								      : read_copy(wire_bytes, cut),
				     STREAM_EVENT_E_MALFORMED);
		for (size_t size = 0; size < (size_t)length; size++) {
			uint8_t *small =
				is_far_from(size, (size_t)length) ? wire_bytes : malloc(size + 1);

			cr_assert_eq(stream_event_encode(&in, STREAM_EVENT_ADDRESSED, small, size),
				     -EMSGSIZE);
			if (small != wire_bytes)
				free(small);
		}
	}
}

static void assert_golden(const struct stream_event *event, enum stream_event_form form,
			  const char *hex)
{
	ssize_t length = stream_event_encode(event, form, wire_bytes, sizeof wire_bytes);
	char text[1024];

	cr_assert_gt(length, 0);
	for (ssize_t i = 0; i < length; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", wire_bytes[i]);
	cr_assert_str_eq(text, hex);
	cr_assert_eq(read_bytes(wire_bytes, (size_t)length), 0);
}

Test(stream_event, golden_hello)
{
	in = (struct stream_event){ .type = EVENT_PEER_HELLO,
				    .source = TEXT("gateway-2"),
				    .incarnation = 0x0102030405060708,
				    .sent_ms = 1700000000000,
				    .peer_hello = { .role = ROLE_GATEWAY,
						    .name = TEXT("gateway-2"),
						    .protocol = 1,
						    .first_request = 7,
						    .clock = 9,
						    .now_ms = 300 } };
	assert_golden(&in, STREAM_EVENT_ADDRESSED,
		      "dc00140101a9676174657761792d32cf01020304050607080000000000a0a00000"
		      "cf0000018bcfe5680005a9676174657761792d32010709cd012c");
	cr_assert(sample_same(&in, &out));
}

Test(stream_event, golden_opened)
{
	in = (struct stream_event){ .type = EVENT_STREAM_OPENED,
				    .source = TEXT("registry"),
				    .incarnation = 5,
				    .seq = 1000,
				    .cause = 999,
				    .origin = 6,
				    .request = 70000,
				    .user_id = TEXT("ada@example.com"),
				    .stream_id = TEXT("s_0000001a"),
				    .epoch = 3,
				    .stream_seq = 1,
				    .sent_ms = 1700000000000,
				    .stream_opened = { .kind = KIND_UNMANAGED,
						       .package = TEXT("com.example.cam"),
						       .rtmp_url = TEXT("rtmp://h/app/key"),
						       .video = TEXT("{\"w\":1}") } };
	assert_golden(&in, STREAM_EVENT_ADDRESSED,
		      "dc00150178a8726567697374727905cd03e8cd03e706ce0001117000af616461406578616d"
		      "706c652e636f6daa735f30303030303031610301cf0000018bcfe5680001af636f6d2e6578"
		      "616d706c652e63616db072746d703a2f2f682f6170702f6b6579a77b2277223a317da0a000");
	cr_assert(sample_same(&in, &out));
	assert_golden(&in, STREAM_EVENT_PUBLIC,
		      "dc00150178a8726567697374727905cd03e8cd03e706ce0001117000af616461406578616d"
		      "706c652e636f6daa735f30303030303031610301cf0000018bcfe5680001af636f6d2e6578"
		      "616d706c652e63616da0a77b2277223a317da0a000");
}

Test(stream_event, golden_probes)
{
	static uint8_t bytes[100];
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 4);
	list_put_u64(&list, 300);
	list_put_text(&list, TEXT("s_1"));
	list_put_u64(&list, 3);
	list_put_text(&list, TEXT("a00001"));
	cr_assert(list_close_member(&list));
	in = (struct stream_event){ .type = EVENT_PROBE_BATCH,
				    .source = TEXT("lifecycle-scheduler"),
				    .incarnation = 1,
				    .sent_ms = -1,
				    .probe_batch.probes = list_end(&list) };
	assert_golden(&in, STREAM_EVENT_ADDRESSED,
		      "dc0010015ab36c6966656379636c652d7363686564756c6572010000000000a0a00000ff"
		      "dc000194cd012ca3735f3103a661303030303100");
	cr_assert(sample_same(&in, &out));
}

Test(stream_event, golden_missed)
{
	in = (struct stream_event){ .type = EVENT_STREAM_MISSED,
				    .expires_ms = 128,
				    .stream_missed = {
					    .missed = 3, .expired = true, .last_ack_age_ms = -1 } };
	assert_golden(&in, STREAM_EVENT_ADDRESSED, "dc00110149a00000000000cc80a0a000000003c3ff");
	cr_assert(sample_same(&in, &out));
}

/* An encoder of the test's own, of forms that ours never uses. */
struct raw {
	uint8_t bytes[sizeof wire_bytes];
	size_t length;
};

static struct raw raw;

static void raw_put(const void *bytes, size_t length)
{
	cr_assert_leq(length, sizeof raw.bytes - raw.length);
	if (length > 0)
		memcpy(raw.bytes + raw.length, bytes, length);
	raw.length += length;
}

static void raw_number(uint8_t tag, uint64_t value, unsigned bytes)
{
	raw_put(&tag, 1);
	while (bytes-- > 0)
		raw_put(&(uint8_t){ (uint8_t)(value >> (8 * bytes)) }, 1);
}

/* Every number and length in its longest form. */
static void raw_field(const struct field *field, const struct stream_event *event)
{
	const void *value = sample_value(event, field);
	struct text text;

	switch (field->kind) {
	case FIELD_STR:
	case FIELD_JSON:
		text = *(const struct text *)value;
		raw_number(0xdb, text.length, 4);
		raw_put(text.bytes, text.length);
		return;
	case FIELD_LIST:
		text = *(const struct text *)value;
		raw_put(text.length > 0 ? text.bytes : "\x90", text.length > 0 ? text.length : 1);
		return;
	case FIELD_ENUM:
		raw_number(0xcf, *(const uint32_t *)value, 8);
		return;
	case FIELD_U64:
		raw_number(0xcf, *(const uint64_t *)value, 8);
		return;
	case FIELD_I64:
		raw_number(0xd3, (uint64_t) * (const int64_t *)value, 8);
		return;
	case FIELD_BOOL:
		raw_number(*(const bool *)value ? 0xc3 : 0xc2, 0, 0);
		return;
	}
}

static void raw_head(uint64_t version, uint64_t type, size_t count)
{
	raw.length = 0;
	raw_number(0xdc, 2 + count, 2);
	raw_number(0xcf, version, 8);
	raw_number(0xcf, type, 8);
}

/* @event with @bytes instead of field @index. */
static void raw_event(const struct stream_event *event, size_t index, const void *bytes,
		      size_t length)
{
	const struct schema *schema = stream_event_schema(event->type);

	raw_head(STREAM_PROTOCOL_VERSION, event->type, schema->field_count);
	for (size_t i = 0; i < schema->field_count; i++)
		if (i == index)
			raw_put(bytes, length);
		else
			raw_field(&schema->fields[i], event);
}

static int read_raw(void)
{
	return read_copy(raw.bytes, raw.length);
}

#define EACH_TYPE(type) \
	for (enum stream_event_type type = EVENT_NONE; ((type) = sample_next(type)) != EVENT_NONE;)

#define NO_FIELD SIZE_MAX

Test(stream_event, longest_forms_mean_the_same)
{
	EACH_TYPE(type)
	{
		sample_event(type, SAMPLE_SMALL, &in);
		raw_event(&in, NO_FIELD, NULL, 0);
		struct wire wire = { raw.bytes, raw.bytes + raw.length };

		cr_assert_eq(stream_event_read(&wire, &out), 0, "%s", stream_event_name(type));
		cr_assert(sample_same(&in, &out), "%s", stream_event_name(type));
	}
}

struct bytes {
	const void *at;
	size_t length;
};

#define BYTES(literal) ((struct bytes){ (literal), sizeof(literal) - 1 })

/* What no field of @kind may be, whatever its limit. */
static size_t wrong_values(enum field_kind kind, struct bytes *values)
{
	const struct bytes nil = BYTES("\xc0"), map = BYTES("\x80"), array = BYTES("\x90"),
			   text = BYTES("\xa1x"), nul = BYTES("\xa3x\0y"), number = BYTES("\x07"),
			   minus = BYTES("\xff"), real = BYTES("\xca\0\0\0\0"),
			   flag = BYTES("\xc3"), bin = BYTES("\xc4\x01x"), ext = BYTES("\xd4\x01x"),
			   huge = BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
			   never = BYTES("\xc1");
	const struct bytes always[] = { nil, map, real, bin, ext, never };
	size_t count = sizeof always / sizeof always[0];

	memcpy(values, always, sizeof always);
	if (kind != FIELD_LIST)
		values[count++] = array;
	if (kind != FIELD_STR && kind != FIELD_JSON)
		values[count++] = text;
	else
		values[count++] = nul;
	if (kind != FIELD_U64 && kind != FIELD_I64 && kind != FIELD_ENUM)
		values[count++] = number;
	if (kind != FIELD_I64)
		values[count++] = minus;
	if (kind != FIELD_U64)
		values[count++] = huge;
	if (kind != FIELD_BOOL)
		values[count++] = flag;
	if (kind == FIELD_LIST) {
		values[count++] = BYTES("\x91\xa3x\0y");
		values[count++] = BYTES("\x91\xc0");
		values[count++] = BYTES("\x92\x01");
		values[count++] = BYTES("\x91\x91\x91\x91\x90"); /* five deep */
		values[count++] = BYTES("\xdd\x00\x00\x00\x00");
		values[count++] = BYTES("\xdc\xff\xff");
	}
	return count;
}

Test(stream_event, every_field_refuses_what_it_is_not)
{
	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		for (size_t i = 0; i < schema->field_count; i++) {
			struct bytes values[32];
			size_t count = wrong_values(schema->fields[i].kind, values);

			for (size_t j = 0; j < count; j++) {
				sample_event(type, SAMPLE_SMALL, &in);
				raw_event(&in, i, values[j].at, values[j].length);
				/* A list that announces too much may eat its successors, not more.
				 */
				cr_assert_eq(read_raw(), STREAM_EVENT_E_MALFORMED,
					     "%s.%s accepts wrong value %zu", schema->name,
					     schema->fields[i].name, j);
			}
		}
	}
}

Test(stream_event, every_enumeration_ends_where_its_words_end)
{
	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		sample_event(type, SAMPLE_SMALL, &in);
		for (size_t i = 0; i < schema->field_count; i++) {
			const struct field *field = &schema->fields[i];
			uint8_t value[9] = { 0xce };

			if (field->kind != FIELD_ENUM)
				continue;
			value[4] = (uint8_t)field->words->count;
			raw_event(&in, i, value, 5);
			cr_assert_eq(read_raw(), STREAM_EVENT_E_MALFORMED, "%s.%s", schema->name,
				     field->name);
			value[4]--;
			raw_event(&in, i, value, 5);
			cr_assert_eq(read_raw(), 0, "%s.%s", schema->name, field->name);
			/* Not cut to 32 bits either. */
			raw_event(&in, i, "\xcf\0\0\0\x01\0\0\0\0", 9);
			cr_assert_eq(read_raw(), STREAM_EVENT_E_MALFORMED, "%s.%s", schema->name,
				     field->name);
		}
	}
}

/* A text or list of exactly @length bytes, as it would stand in the event. */
static size_t sized_value(const struct field *field, size_t length, uint8_t *bytes)
{
	bool list = field->kind == FIELD_LIST;

	if (!list) {
		bytes[0] = 0xdb;
		for (unsigned i = 0; i < 4; i++)
			bytes[1 + i] = (uint8_t)(length >> (24 - 8 * i));
		memset(bytes + 5, 'x', length);
		return length + 5;
	}
	bytes[0] = 0xdc;
	bytes[1] = (uint8_t)((length - 3) >> 8);
	bytes[2] = (uint8_t)(length - 3);
	memset(bytes + 3, 0x01, length - 3);
	return length;
}

Test(stream_event, every_text_ends_at_its_limit)
{
	static uint8_t value[RELAY_MAX + 16];

	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		sample_event(type, SAMPLE_SMALL, &in);
		for (size_t i = 0; i < schema->field_count; i++) {
			const struct field *field = &schema->fields[i];

			if (field->limit == 0)
				continue;
			raw_event(&in, i, value, sized_value(field, field->limit, value));
			cr_assert_eq(read_raw(), 0, "%s.%s", schema->name, field->name);
			raw_event(&in, i, value, sized_value(field, field->limit + 1, value));
			cr_assert_eq(read_raw(), STREAM_EVENT_E_MALFORMED, "%s.%s", schema->name,
				     field->name);
		}
	}
}

/* Fields of a later version, appended: a text, a number, a negative one, a list in a list, a flag.
 */
#define NEWER "\xa3new\xcd\x01\x2c\xd0\x80\x92\x91\x01\xa1x\xc3"

Test(stream_event, newer_fields_are_skipped)
{
	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		sample_event(type, SAMPLE_SMALL, &in);
		raw_event(&in, NO_FIELD, NULL, 0);
		raw_put(NEWER, sizeof NEWER - 1);
		raw.bytes[2] = (uint8_t)(2 + schema->field_count + 5);
		raw.bytes[11] = STREAM_PROTOCOL_VERSION + 1;
		struct wire wire = { raw.bytes, raw.bytes + raw.length };

		cr_assert_eq(stream_event_read(&wire, &out), 0, "%s", schema->name);
		cr_assert_eq(wire.at, wire.end);
		cr_assert(sample_same(&in, &out), "%s", schema->name);
		for (size_t cut = raw.length - sizeof NEWER + 1; cut < raw.length; cut++)
			cr_assert_eq(read_copy(raw.bytes, cut), STREAM_EVENT_E_MALFORMED);
		raw.bytes[raw.length - 1] = 0xc0;
		cr_assert_eq(read_raw(), STREAM_EVENT_E_MALFORMED, "a form we cannot skip");
	}
}

Test(stream_event, what_is_too_large_is_refused_even_if_unknown)
{
	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);
		size_t max = stream_event_wire_max(type);
		static char rest[65536];

		sample_event(type, SAMPLE_SMALL, &in);
		for (size_t extra = 0; extra < 2; extra++) {
			raw_event(&in, NO_FIELD, NULL, 0);
			raw.bytes[2] = (uint8_t)(2 + schema->field_count + 2);
			/* Two texts fill the event up to its limit, or one byte more. */
			size_t left = max + extra - raw.length - 10, half = left / 2;

			memset(rest, 'x', sizeof rest);
			raw_number(0xdb, half, 4);
			raw_put(rest, half);
			raw_number(0xdb, left - half, 4);
			raw_put(rest, left - half);
			cr_assert_eq(raw.length, max + extra);
			cr_assert_eq(read_raw(), extra ? STREAM_EVENT_E_MALFORMED : 0, "%s",
				     schema->name);
		}
	}
}

Test(stream_event, a_field_of_its_own_version_must_be_there)
{
	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		sample_event(type, SAMPLE_SMALL, &in);
		for (size_t count = 0; count < schema->field_count; count++) {
			raw_head(STREAM_PROTOCOL_VERSION, type, count);
			for (size_t i = 0; i < count; i++)
				raw_field(&schema->fields[i], &in);
			cr_assert_eq(read_raw(), STREAM_EVENT_E_MALFORMED, "%s with %zu fields",
				     schema->name, count);
		}
	}
}

Test(stream_event, unknown_types_are_skipped)
{
	for (uint64_t type = 0; type <= STREAM_EVENT_TYPE_MAX + 2; type++) {
		if (stream_event_schema(type))
			continue;
		raw_head(STREAM_PROTOCOL_VERSION, type, 5);
		raw_put(NEWER, sizeof NEWER - 1);
		cr_assert_eq(read_raw(), STREAM_EVENT_E_UNKNOWN, "%d", (int)type);
		for (size_t cut = 0; cut < raw.length; cut++)
			cr_assert_eq(read_copy(raw.bytes, cut), STREAM_EVENT_E_MALFORMED);
	}
	raw_head(STREAM_PROTOCOL_VERSION, UINT64_MAX, 0);
	cr_assert_eq(read_raw(), STREAM_EVENT_E_UNKNOWN);
	raw_head(STREAM_PROTOCOL_VERSION, (UINT64_C(1) << 32) + EVENT_PEER_HELLO, 0);
	cr_assert_eq(read_raw(), STREAM_EVENT_E_UNKNOWN);
}

Test(stream_event, head_is_checked)
{
	static const struct bytes heads[] = {
		BYTES(""),
		BYTES("\x90"),
		BYTES("\x91\x01"),
		BYTES("\x92\x00\x01"), /* version 0 */
		BYTES("\x92\xff\x01"), /* version -1 */
		BYTES("\x92\x01\xff"),
		BYTES("\x92\xa1x\x01"),
		BYTES("\x92\x01\xa1x"),
		BYTES("\x80"),
		BYTES("\x01"),
		BYTES("\xdd\0\0\0\x02\x01\x01"),
		BYTES("\xdc\xff\xff\x01\x01"),
		BYTES("\xc1"),
	};

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
		cr_assert_eq(read_copy(heads[i].at, heads[i].length), STREAM_EVENT_E_MALFORMED,
			     "head %zu", i);
}

Test(stream_event, events_of_a_run_are_read_one_by_one)
{
	size_t length = 0;

	EACH_TYPE(type)
	{
		sample_event(type, SAMPLE_SMALL, &in);
		ssize_t more = stream_event_encode(&in, STREAM_EVENT_ADDRESSED, wire_bytes + length,
						   sizeof wire_bytes - length);

		cr_assert_gt(more, 0);
		length += (size_t)more;
	}
	struct wire wire = { wire_bytes, wire_bytes + length };

	EACH_TYPE(type)
	{
		sample_event(type, SAMPLE_SMALL, &in);
		cr_assert_eq(stream_event_read(&wire, &out), 0);
		cr_assert(sample_same(&in, &out));
	}
	cr_assert_eq(wire.at, wire.end);
}

Test(stream_event, public_form_lacks_every_secret_and_nothing_else)
{
	unsigned secrets = 0;

	EACH_TYPE(type)
	{
		const struct schema *schema = stream_event_schema(type);

		sample_event(type, SAMPLE_SMALL, &in);
		ssize_t length = stream_event_encode(&in, STREAM_EVENT_PUBLIC, wire_bytes,
						     sizeof wire_bytes);

		cr_assert_gt(length, 0);
		cr_assert_eq(read_bytes(wire_bytes, (size_t)length), 0);
		for (size_t i = 0; i < schema->field_count; i++) {
			const struct field *field = &schema->fields[i];
			struct text *text = (struct text *)((char *)&in + field->offset);

			if (!field->secret)
				continue;
			secrets++;
			cr_assert(field->kind == FIELD_STR || field->kind == FIELD_JSON ||
				  field->kind == FIELD_LIST);
			text->length = 0;
		}
		cr_assert(sample_same(&in, &out), "%s", schema->name);
	}
	cr_assert_geq(secrets, 6, "the schema has lost its secrets");
}
