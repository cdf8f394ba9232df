/* SPDX-License-Identifier: MIT */
#include "common/metrics.h"

#include <string.h>

_Static_assert(METRICS_MAX < UINT8_MAX, "a place fits the cache");

static struct metric *find(struct metrics *self, const char *name)
{
	/* The address says it at once, as names are literals; equal text elsewhere is the same. */
	size_t at = ((uintptr_t)name >> 3) % METRICS_CACHE_SIZE;

	if (self->cache[at] != 0 && self->items[self->cache[at] - 1].name == name)
		return &self->items[self->cache[at] - 1];

	size_t i = 0;

	while (i < self->count && strcmp(self->items[i].name, name) != 0)
		i++;
	if (i == METRICS_MAX) {
		self->refused++;
		return NULL;
	}
	if (i == self->count)
		self->items[self->count++] = (struct metric){ .name = name };
	self->cache[at] = (uint8_t)(i + 1);
	return &self->items[i];
}

void metrics_add(struct metrics *self, const char *name, uint64_t add)
{
	struct metric *metric = find(self, name);

	if (metric)
		metric->value += add;
}

void metrics_set(struct metrics *self, const char *name, uint64_t value)
{
	struct metric *metric = find(self, name);

	if (metric)
		metric->value = value;
}

uint64_t metrics_value(const struct metrics *self, const char *name)
{
	for (size_t i = 0; i < self->count; i++)
		if (strcmp(self->items[i].name, name) == 0)
			return self->items[i].value;
	return 0;
}

struct text metrics_list(const struct metrics *self, uint8_t *bytes)
{
	struct list_writer list;

	list_begin(&list, bytes, METRICS_LIST_SIZE);
	for (size_t i = 0; i < self->count; i++) {
		if (self->items[i].value == 0)
			continue;
		list_open_member(&list, 2);
		list_put_text(&list, text_of(self->items[i].name));
		list_put_u64(&list, self->items[i].value);
		(void)list_close_member(&list);
	}
	return list_end(&list);
}
