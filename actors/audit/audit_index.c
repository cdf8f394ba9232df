/* SPDX-License-Identifier: MIT */
#include "actors/audit/audit_index.h"

#include <stdlib.h>
#include <string.h>

#include "actors/tap/tap_arena.h"

#define ROOM_FIRST 256

static bool match(const void *context, uint32_t slot, struct text key)
{
	const struct audit_index *index = context;

	return text_is(key, index->things[slot]);
}

static void grow(struct audit_index *index)
{
	index->room = index->room ? 2 * index->room : ROOM_FIRST;
	index->things = memory_grow(index->things, index->room, sizeof *index->things);
	free(index->memory);
	index->memory = memory_grow(NULL, table_bytes((uint32_t)index->room), 1);
	table_init(&index->table, index->memory, (uint32_t)index->room,
		   (struct table_keys){ .match = match, .context = index });
	for (size_t i = 0; i < index->count; i++)
		(void)table_insert(&index->table, text_of(index->things[i]), (uint32_t)i);
}

void *audit_index_find(const struct audit_index *index, struct text name)
{
	uint32_t slot = index->count ? table_find(&index->table, name) : TABLE_NONE;

	return slot == TABLE_NONE ? NULL : index->things[slot];
}

void *audit_index_add(struct audit_index *index, struct text name, size_t size)
{
	if (index->count == index->room)
		grow(index);
	void *thing = memory_grow(NULL, 1, size);

	memset(thing, 0, size);
	memcpy(thing, name.bytes, name.length);
	index->things[index->count] = thing;
	(void)table_insert(&index->table, name, (uint32_t)index->count++);
	return thing;
}

void audit_index_fini(struct audit_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		free(index->things[i]);
	free(index->things);
	free(index->memory);
	*index = (struct audit_index){ 0 };
}
