/* SPDX-License-Identifier: MIT */
#include "tests/bench/histogram.h"

static unsigned bucket_of(uint64_t value)
{
	if (value < HISTOGRAM_PARTS)
		return (unsigned)value;
	unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_PARTS_BITS;

	return (shift + 1) * HISTOGRAM_PARTS + (unsigned)(value >> shift) % HISTOGRAM_PARTS;
}

static uint64_t upper_bound(unsigned bucket)
{
	if (bucket < HISTOGRAM_PARTS)
		return bucket;
	unsigned shift = bucket / HISTOGRAM_PARTS - 1;
	uint64_t low = (uint64_t)(HISTOGRAM_PARTS + bucket % HISTOGRAM_PARTS) << shift;

	return low + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *self, uint64_t value)
{
	self->count++;
	self->buckets[bucket_of(value)]++;
	if (value > self->max)
		self->max = value;
}

uint64_t histogram_at(const struct histogram *self, unsigned per_mille)
{
	uint64_t rank = (self->count * per_mille + 999) / 1000, seen = 0;

	if (self->count == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += self->buckets[i];
		if (seen >= rank)
			return upper_bound(i) < self->max ? upper_bound(i) : self->max;
	}
	return self->max;
}
