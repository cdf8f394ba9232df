/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE 65536 /* bytes; what is larger gets a block of its own */
#define ALIGNMENT alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t size;
	alignas(max_align_t) char bytes[];
};

static void *or_die(void *memory)
{
	if (memory)
		return memory;
	(void)fputs("weir: out of memory\n", stderr);
	exit(EXIT_FAILURE);
}

void *arena_take(struct arena *arena, size_t bytes)
{
	size_t wanted = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	if (wanted > arena->left) {
		size_t size = wanted > BLOCK_SIZE ? wanted : BLOCK_SIZE;
		struct arena_block *block = or_die(calloc(1, sizeof *block + size));

		block->next = arena->blocks;
		block->size = size;
		arena->blocks = block;
		arena->left = size;
	}
	struct arena_block *newest = arena->blocks;
	char *taken = newest->bytes + newest->size - arena->left;

	arena->left -= wanted;
	return taken;
}

struct text arena_keep(struct arena *arena, struct text text)
{
	char *copy = arena_take(arena, (size_t)text.length + 1);

	if (text.length > 0)
		memcpy(copy, text.bytes, text.length);
	return (struct text){ copy, text.length };
}

void arena_fini(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
	arena->left = 0;
}

void *memory_grow(void *items, size_t count, size_t size)
{
	return or_die(reallocarray(items, count, size));
}
