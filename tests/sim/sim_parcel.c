/* SPDX-License-Identifier: MIT */
/* sim_parcel.c - what travels between a gateway and its clients, with texts of its own. */
#include <assert.h>
#include <stdlib.h>

#include "proto/edge_table.h"
#include "tests/sim/sim_world.h"

/* Parcels ---------------------------------------------------------------------------------------
 */

static bool is_text(const struct edge_row *row)
{
	return row->kind == EDGE_STR || row->kind == EDGE_OBJECT || row->kind == EDGE_ARRAY;
}

static struct text *text_at(struct edge_message *message, const struct edge_row *row)
{
	return (struct text *)(void *)((char *)message + row->offset);
}

static size_t texts_length(const struct edge_message *message)
{
	const struct edge_schema *schema = edge_schema(message->type);
	size_t length = message->type_name.length + message->json.length;

	for (unsigned i = 0; schema && i < schema->row_count; i++)
		if (is_text(&schema->rows[i]))
			length +=
				text_at((struct edge_message *)(uintptr_t)message, &schema->rows[i])
					->length;
	return length;
}

static void keep(struct text *text, char **to)
{
	if (text->length > 0)
		memcpy(*to, text->bytes, text->length);
	text->bytes = *to;
	*to += text->length;
}

struct sim_parcel *sim_parcel_new(struct sim *self, enum sim_parcel_type type,
				  const struct sim_contents *contents)
{
	static const struct edge_message none;
	const struct edge_message *message = contents->message ? contents->message : &none;
	const struct edge_schema *schema = edge_schema(message->type);
	size_t length = texts_length(message) + contents->user.length + contents->package.length;
	struct sim_parcel *parcel = malloc(sizeof *parcel + length);
	char *to;

	assert(parcel);
	*parcel = (struct sim_parcel){ .sim = self,
				       .type = type,
				       .all_next = self->parcels,
				       .all_prev = &self->parcels,
				       .user = contents->user,
				       .package = contents->package,
				       .message = *message };
	if (self->parcels)
		self->parcels->all_prev = &parcel->all_next;
	self->parcels = parcel;
	to = parcel->texts;
	keep(&parcel->user, &to);
	keep(&parcel->package, &to);
	keep(&parcel->message.type_name, &to);
	keep(&parcel->message.json, &to);
	for (unsigned i = 0; schema && i < schema->row_count; i++)
		if (is_text(&schema->rows[i]))
			keep(text_at(&parcel->message, &schema->rows[i]), &to);
	return parcel;
}

void sim_parcel_free(struct sim_parcel *parcel)
{
	*parcel->all_prev = parcel->all_next;
	if (parcel->all_next)
		parcel->all_next->all_prev = parcel->all_prev;
	free(parcel);
}
