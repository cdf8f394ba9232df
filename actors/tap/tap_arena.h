/* SPDX-License-Identifier: MIT */
/* tap_arena.h - memory of a command that ends soon: taken bit by bit, given back all at once. */
#pragma once

#include <stddef.h>

#include "proto/text.h"

struct arena {
	struct arena_block *blocks; /* the newest first */
	size_t left; /* bytes at the end of the newest block */
};

/* arena_take() - @bytes zeroed bytes, aligned for anything; owned by the arena.
 *
 * Errors: out of memory ends the process.
 */
void *arena_take(struct arena *arena, size_t bytes);

/* arena_keep() - a copy of @text, terminated. */
struct text arena_keep(struct arena *arena, struct text text);

/* arena_fini() - give all of it back; @arena is empty then and may be used again. */
void arena_fini(struct arena *arena);

/* memory_grow() - realloc() of @count items of @size bytes that cannot fail. */
void *memory_grow(void *items, size_t count, size_t size);
