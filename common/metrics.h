/* SPDX-License-Identifier: MIT */
/* metrics.h - named counters of one process.  Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/list.h"
#include "proto/schema.h"
#include "proto/text.h"

#define METRICS_MAX 160
#define METRICS_LIST_SIZE METRICS_BYTES_MAX
#define METRICS_CACHE_SIZE 256

struct metric {
	const char *name;
	uint64_t value;
};

struct metrics {
	struct metric items[METRICS_MAX];
	size_t count;
	uint64_t refused; /* counts of names for which there was no place */
	uint8_t cache[METRICS_CACHE_SIZE]; /* by address of the name: place + 1 */
};

/* metrics_add() - count; @name is a string literal.  Names beyond METRICS_MAX are only counted. */
void metrics_add(struct metrics *self, const char *name, uint64_t add);

/* metrics_set() - the same for what is counted elsewhere. */
void metrics_set(struct metrics *self, const char *name, uint64_t value);

/* metrics_value() - 0 if nobody counted it yet. */
uint64_t metrics_value(const struct metrics *self, const char *name);

/* metrics_list() - [[name, value], ...] in @bytes of METRICS_LIST_SIZE, borrowed from there.
 *
 * Counters that are 0 are left out; so are the last ones if they do not fit.
 */
struct text metrics_list(const struct metrics *self, uint8_t *bytes);
