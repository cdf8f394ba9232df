/* SPDX-License-Identifier: MIT */
/* secret.h - memory that held a stream key or a token is wiped before anybody else gets it. */
#pragma once

#include <stddef.h>

/* secret_wipe() - overwrite @length bytes at @memory, which may be NULL; never optimized away. */
void secret_wipe(void *memory, size_t length);

/* secret_malloc() and the like - as their namesakes, for memory that secret_free() wipes, all of
 * it. secret_realloc() wipes what it moves away from; what any of them gives may be freed by free()
 * too.
 */
void *secret_malloc(size_t size);
void *secret_calloc(size_t count, size_t size);
void *secret_realloc(void *memory, size_t size);
char *secret_strdup(const char *string);
void secret_free(void *memory);
