/* SPDX-License-Identifier: MIT */
/* audit_index.h - things by name: common/table.h over an array that grows. */
#pragma once

#include <stddef.h>

#include "common/table.h"

/* Every thing begins with its name, terminated. */
struct audit_index {
	struct table table;
	void *memory;
	void **things; /* in the order in which they came; owned */
	size_t count, room;
};

/* audit_index_find() - the thing of that name, or NULL. */
void *audit_index_find(const struct audit_index *index, struct text name);

/* audit_index_add() - a zeroed thing of @size bytes with that name, which must be new. */
void *audit_index_add(struct audit_index *index, struct text name, size_t size);

void audit_index_fini(struct audit_index *index);
