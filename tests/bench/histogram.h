/* SPDX-License-Identifier: MIT */
/* histogram.h - counts of values in buckets that grow with the value: within 1 %, in 29 KiB.
 *
 * Values below 128 have a bucket each; above, every power of two is cut into 128.  Pure.
 */
#pragma once

#include <stdint.h>

#define HISTOGRAM_PARTS_BITS 7
#define HISTOGRAM_PARTS (1u << HISTOGRAM_PARTS_BITS)
#define HISTOGRAM_BUCKETS ((64u - HISTOGRAM_PARTS_BITS + 1) * HISTOGRAM_PARTS)

/* Empty when zeroed. */
struct histogram {
	uint64_t count, max;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *self, uint64_t value);

/* histogram_at() - the value that @per_mille of all values do not exceed.
 *
 * Return: the upper bound of its bucket, never more than the largest value; 0 if there is none.
 */
uint64_t histogram_at(const struct histogram *self, unsigned per_mille);
