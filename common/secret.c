/* SPDX-License-Identifier: MIT */
#include "common/secret.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void secret_wipe(void *memory, size_t length)
{
	if (memory)
		explicit_bzero(memory, length);
}

void *secret_malloc(size_t size)
{
	return malloc(size);
}

void *secret_calloc(size_t count, size_t size)
{
	return calloc(count, size);
}

void secret_free(void *memory)
{
	secret_wipe(memory, memory ? malloc_usable_size(memory) : 0);
	free(memory);
}

/* realloc() would leave the old bytes where they were. */
void *secret_realloc(void *memory, size_t size)
{
	size_t known = memory ? malloc_usable_size(memory) : 0;
	void *moved = malloc(size);

	if (!moved)
		return NULL;
	if (memory)
		memcpy(moved, memory, known < size ? known : size);
	secret_free(memory);
	return moved;
}

char *secret_strdup(const char *string)
{
	return strdup(string);
}
