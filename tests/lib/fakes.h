/* SPDX-License-Identifier: MIT */
/* fakes.h - what random tests need: numbers from a seed, and zeroed memory that costs nothing
 * until it is touched.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* splitmix64: the same numbers everywhere. */
struct prng {
	uint64_t state;
};

static inline uint64_t prng_next(struct prng *prng)
{
	uint64_t z = (prng->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* prng_below() - 0 to @limit - 1. */
static inline uint32_t prng_below(struct prng *prng, uint32_t limit)
{
	return (uint32_t)(((prng_next(prng) >> 32) * limit) >> 32);
}

/* prng_one_in() - true once in @n. */
static inline bool prng_one_in(struct prng *prng, uint32_t n)
{
	return prng_below(prng, n) == 0;
}

/* Zeroed, aligned to a page, given back with the process or by fake_free(). */
static inline void *fake_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert(memory != MAP_FAILED);
	return memory;
}

static inline void fake_free(void *memory, size_t bytes)
{
	int r = memory ? munmap(memory, bytes) : 0;

	assert(r == 0);
	(void)r;
}
