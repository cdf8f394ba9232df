/* SPDX-License-Identifier: MIT */
#include "proto/edge.h"

#include <assert.h>

#include "proto/edge_table.h"

/* A message being read.  Strings stay as they stand in the input until the last one of doubled
 * members is known: only what is kept takes room in the scratch.
 */
struct reader {
	const struct edge_input *input;
	const struct edge_schema *schema; /* NULL until "type" was seen, or if it is not known */
	struct edge_message message;
	struct json_value type; /* the last one seen */
	uint32_t escaped; /* strings still to be unescaped */
	uint32_t out_of_range;
	bool missed; /* members went by while there was no schema */
};

/* @value is an object, so it opens. */
static void open_object(struct json_walk *walk, const struct json_value *value)
{
	bool opened = json_open(walk, value->raw, JSON_KIND_OBJECT);

	assert(opened);
}

static void *member_of(struct edge_message *message, const struct edge_row *row)
{
	return (char *)message + row->offset;
}

/* Members are zero unless present: what an earlier one of doubled members said is gone. */
static void clear(struct reader *self, unsigned index)
{
	const struct edge_row *row = &self->schema->rows[index];
	const uint32_t others = ~(UINT32_C(1) << index);
	void *member = member_of(&self->message, row);

	self->message.present &= others;
	self->message.oversized &= others;
	self->escaped &= others;
	self->out_of_range &= others;
	switch (row->kind) {
	case EDGE_STR:
	case EDGE_OBJECT:
	case EDGE_ARRAY:
		*(struct text *)member = (struct text){ 0 };
		return;
	case EDGE_BOOL:
		*(bool *)member = false;
		return;
	case EDGE_U64:
		*(uint64_t *)member = 0;
		return;
	case EDGE_OPEN:
		for (unsigned i = index + 1; self->schema->rows[i].kind != EDGE_CLOSE; i++)
			clear(self, i);
		return;
	case EDGE_WHEN:
	case EDGE_NOW:
	case EDGE_FIXED:
	case EDGE_CLOSE:
		return;
	}
}

static void set_present(struct reader *self, unsigned index)
{
	self->message.present |= UINT32_C(1) << index;
}

/* Take a string, unescaped or without escapes, as far as its limit allows. */
static void set_text(struct reader *self, unsigned index, struct text text, bool whole)
{
	const struct edge_row *row = &self->schema->rows[index];
	const uint32_t bit = UINT32_C(1) << index;

	if (!whole)
		self->message.oversized |= bit;
	if (!whole && !(row->flags & EDGE_CUT))
		return;
	*(struct text *)member_of(&self->message, row) = text;
	self->message.present |= bit;
}

static void on_string(struct reader *self, unsigned index, const struct json_value *value)
{
	const struct edge_row *row = &self->schema->rows[index];
	struct text text;
	bool whole;

	if (value->kind != JSON_KIND_STRING)
		return;
	if (value->escaped) {
		*(struct text *)member_of(&self->message, row) = value->raw;
		self->escaped |= UINT32_C(1) << index;
		return;
	}
	whole = json_text_cut(value, NULL, row->limit, &text);
	set_text(self, index, text, whole);
}

static void on_verbatim(struct reader *self, unsigned index, const struct json_value *value)
{
	const struct edge_row *row = &self->schema->rows[index];

	if (value->kind == (row->kind == EDGE_OBJECT ? JSON_KIND_OBJECT : JSON_KIND_ARRAY))
		set_text(self, index, value->raw, value->raw.length <= row->limit);
}

static void on_number(struct reader *self, unsigned index, const struct json_value *value)
{
	switch (json_u64(value, member_of(&self->message, &self->schema->rows[index]))) {
	case JSON_IN_RANGE:
		set_present(self, index);
		return;
	case JSON_OUT_OF_RANGE:
		self->out_of_range |= UINT32_C(1) << index;
		return;
	case JSON_NO_INTEGER:
		return;
	}
}

static void on_member(struct reader *self, unsigned first, const struct json_value *key,
		      const struct json_value *value);

static void on_object(struct reader *self, unsigned index, const struct json_value *value)
{
	struct json_walk walk;
	struct json_value key, inner;

	if (value->kind != JSON_KIND_OBJECT)
		return;
	open_object(&walk, value);
	set_present(self, index);
	while (json_next(&walk, &key, &inner))
		on_member(self, index + 1, &key, &inner);
}

static void on_value(struct reader *self, unsigned index, const struct json_value *value)
{
	const struct edge_row *row = &self->schema->rows[index];

	clear(self, index);
	switch (row->kind) {
	case EDGE_STR:
		on_string(self, index, value);
		return;
	case EDGE_OBJECT:
	case EDGE_ARRAY:
		on_verbatim(self, index, value);
		return;
	case EDGE_BOOL:
		if (json_bool(value, member_of(&self->message, row)))
			set_present(self, index);
		return;
	case EDGE_U64:
		on_number(self, index, value);
		return;
	case EDGE_OPEN:
		on_object(self, index, value);
		return;
	case EDGE_WHEN:
	case EDGE_NOW:
	case EDGE_FIXED:
	case EDGE_CLOSE:
		return;
	}
}

/* @first is the first row of the object that the member is in. */
static void on_member(struct reader *self, unsigned first, const struct json_value *key,
		      const struct json_value *value)
{
	const struct edge_row *rows = self->schema->rows;

	for (unsigned i = first; rows[i].kind != EDGE_CLOSE; i = edge_skip(self->schema, i)) {
		if (json_is(key, rows[i].key)) {
			on_value(self, i, value);
			return;
		}
	}
}

static const struct edge_schema *schema_named(enum edge_side side, const struct json_value *type)
{
	char buffer[TYPE_NAME_MAX];
	struct text name;

	if (!json_text(type, buffer, sizeof buffer, &name))
		return NULL;
	return edge_schema(edge_named(side, name));
}

/* One scan; the schema is that of the first "type" unless it is already known. */
static bool scan(struct reader *self)
{
	const bool typed = self->input->type == EDGE_NONE;
	struct json_walk walk;
	struct json_value key, value;

	if (!json_open(&walk, self->input->json, JSON_KIND_OBJECT))
		return false;
	while (json_next(&walk, &key, &value)) {
		if (typed && json_is(&key, TEXT("type"))) {
			self->type = value;
			if (!self->schema)
				self->schema = schema_named(self->input->side, &value);
		} else if (self->schema) {
			on_member(self, 0, &key, &value);
		} else {
			self->missed = true;
		}
	}
	return !walk.failed;
}

/* Settle what the message is; if the scan took it for something else, scan again. */
static int settle(struct reader *self)
{
	const struct edge_schema *scanned = self->schema;
	struct text *name = &self->message.type_name;

	if (self->input->type != EDGE_NONE) {
		self->message.type = self->input->type;
		return 0;
	}
	if (!json_text(&self->type, self->input->scratch->bytes, TYPE_NAME_MAX, name) ||
	    name->length == 0)
		return EDGE_E_NO_TYPE;
	self->message.type = edge_named(self->input->side, *name);
	self->schema = edge_schema(self->message.type);
	if (!self->schema)
		return EDGE_E_UNKNOWN;
	if (self->schema == scanned && !self->missed)
		return 0;
	/* Only what the message is survives from the first scan. */
	*self = (struct reader){ .input = self->input,
				 .schema = self->schema,
				 .message = { .type = self->message.type, .type_name = *name } };
	bool again = scan(self);
	assert(again);
	return 0;
}

/* Unescape what was kept, and let the schema have its say on what is absent. */
static int finish(struct reader *self)
{
	size_t used = TYPE_NAME_MAX;

	if (self->out_of_range)
		return EDGE_E_NOT_JSON;
	for (unsigned i = 0; i < self->schema->row_count; i++) {
		const struct edge_row *row = &self->schema->rows[i];
		struct text *text = member_of(&self->message, row);

		if (self->escaped & UINT32_C(1) << i) {
			struct json_value value = { JSON_KIND_STRING, true, *text };
			bool whole = json_text_cut(&value, self->input->scratch->bytes + used,
						   row->limit, text);
			struct text unescaped = *text;

			used += unescaped.length;
			clear(self, i);
			set_text(self, i, unescaped, whole);
		}
		if (row->flags & EDGE_EMPTY && text->length == 0)
			*text = TEXT("{}");
	}
	return 0;
}

/* @json, which is an object, without the white space around it. */
static struct text trim(struct text json)
{
	while (json.bytes[0] != '{') {
		json.bytes++;
		json.length--;
	}
	while (json.bytes[json.length - 1] != '}')
		json.length--;
	return json;
}

int edge_decode(const struct edge_input *input, struct edge_message *out)
{
	struct reader self = { .input = input, .schema = edge_schema(input->type) };
	struct json_value document;
	int r;

	assert(input->scratch);
	if (!scan(&self)) /* an object would have been scanned */
		return json_read(input->json, &document) ? EDGE_E_NOT_OBJECT : EDGE_E_NOT_JSON;
	r = settle(&self);
	if (r == EDGE_E_UNKNOWN)
		*out = (struct edge_message){ .type_name = self.message.type_name };
	if (r == 0)
		r = finish(&self);
	if (r == 0)
		*out = self.message;
	if (r == 0 || r == EDGE_E_UNKNOWN)
		out->json = trim(input->json);
	return r;
}

void edge_subscriptions(struct text array, struct json_walk *walk)
{
	if (!json_open(walk, array, JSON_KIND_ARRAY))
		*walk = (struct json_walk){ .ended = true };
}

/* The last "stream" of @object; @out stays as it is if there is none. */
static void stream_of(const struct json_value *object, struct json_value *out)
{
	struct json_walk walk;
	struct json_value key, value;

	open_object(&walk, object);
	while (json_next(&walk, &key, &value))
		if (json_is(&key, TEXT("stream")))
			*out = value;
}

bool edge_subscription_next(struct json_walk *walk, char buffer[TYPE_NAME_MAX], struct text *out)
{
	struct json_value value;
	struct text name;

	while (json_next(walk, NULL, &value)) {
		if (value.kind == JSON_KIND_OBJECT)
			stream_of(&value, &value);
		if (!json_text(&value, buffer, TYPE_NAME_MAX, &name) || name.length == 0)
			continue;
		*out = name;
		return true;
	}
	return false;
}
