/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>

#include "proto/edge_table.h"

struct encoder {
	const struct edge_message *message;
	const struct edge_schema *schema;
	struct json_writer writer;
	int64_t unix_ms;
	bool first; /* nothing in this object yet: the next member takes no comma */
};

static const void *member_of(const struct edge_message *message, const struct edge_row *row)
{
	return (const char *)message + row->offset;
}

/* Whether an optional row is to be written. */
static bool says_something(const struct encoder *self, unsigned index)
{
	const struct edge_row *row = &self->schema->rows[index];
	const void *member = member_of(self->message, row);
	const struct text *text = member;

	if (self->message->present & UINT32_C(1) << index)
		return true;
	switch (row->kind) {
	case EDGE_STR:
	case EDGE_OBJECT:
	case EDGE_ARRAY:
		return text->length > 0 && !(row->flags & EDGE_EMPTY && text_is(*text, "{}"));
	case EDGE_BOOL:
		return *(const bool *)member;
	case EDGE_OPEN:
		for (unsigned i = index + 1; self->schema->rows[i].kind != EDGE_CLOSE; i++)
			if (says_something(self, i))
				return true;
		return false;
	case EDGE_U64:
	case EDGE_WHEN:
	case EDGE_NOW:
	case EDGE_FIXED:
	case EDGE_CLOSE:
		break;
	}
	assert(!"a row that is always written");
	return false;
}

static void put_time(struct json_writer *writer, int64_t unix_ms)
{
	char time[1 + EDGE_TIME_LENGTH + 1];

	time[0] = time[sizeof time - 1] = '"';
	edge_time(unix_ms, time + 1);
	json_put_raw(writer, (struct text){ time, sizeof time });
}

static void put_verbatim(struct json_writer *writer, const struct edge_row *row, struct text text)
{
	if (text.length > 0)
		json_put_raw(writer, text);
	else if (row->flags & EDGE_NULLABLE)
		json_put_raw(writer, TEXT("null"));
	else
		json_put_raw(writer, row->kind == EDGE_ARRAY ? TEXT("[]") : TEXT("{}"));
}

static void put_lead(struct encoder *self, const struct edge_row *row)
{
	struct text lead = row->lead;

	if (self->first)
		lead = (struct text){ lead.bytes + 1, lead.length - 1 };
	json_put_raw(&self->writer, lead);
	self->first = false;
}

static void put_row(struct encoder *self, const struct edge_row *row)
{
	const void *member = member_of(self->message, row);
	const struct text *text = member;

	if (row->kind != EDGE_CLOSE)
		put_lead(self, row);
	switch (row->kind) {
	case EDGE_STR:
		assert(text->length <= row->limit);
		json_put_string(&self->writer, *text);
		return;
	case EDGE_OBJECT:
	case EDGE_ARRAY:
		assert(text->length <= row->limit);
		put_verbatim(&self->writer, row, *text);
		return;
	case EDGE_BOOL:
		json_put_bool(&self->writer, *(const bool *)member);
		return;
	case EDGE_U64:
		json_put_u64(&self->writer, *(const uint64_t *)member);
		return;
	case EDGE_WHEN:
		put_time(&self->writer, *(const int64_t *)member);
		return;
	case EDGE_NOW:
		put_time(&self->writer, self->unix_ms);
		return;
	case EDGE_FIXED:
		json_put_raw(&self->writer, row->fixed);
		return;
	case EDGE_OPEN:
		json_put_raw(&self->writer, TEXT("{"));
		self->first = true;
		return;
	case EDGE_CLOSE:
		json_put_raw(&self->writer, TEXT("}"));
		self->first = false;
		return;
	}
}

ssize_t edge_encode(const struct edge_message *message, int64_t unix_ms, char *buffer, size_t size)
{
	struct encoder self = { .message = message,
				.schema = edge_schema(message->type),
				.writer = { .bytes = buffer, .size = size },
				.unix_ms = unix_ms };

	assert(self.schema);
	json_put_raw(&self.writer, self.schema->head);
	self.first = self.schema->type.length == 0;
	for (unsigned i = 0; i < self.schema->row_count;) {
		const struct edge_row *row = &self.schema->rows[i];

		if (row->flags & EDGE_OPT && !says_something(&self, i)) {
			i = edge_skip(self.schema, i);
			continue;
		}
		put_row(&self, row);
		i++;
	}
	json_put_raw(&self.writer, TEXT("}"));
	return self.writer.full ? -EMSGSIZE : (ssize_t)self.writer.length;
}
