/* SPDX-License-Identifier: MIT */
/* fill_pool.h - a pool in which no text finds room any more. */
#pragma once

#include "common/pool.h"

static inline void fill_pool(struct pool *pool)
{
	static const char bytes[POOL_TEXT_MAX];

	pool_settle(pool);
	for (uint32_t length = POOL_TEXT_MAX; length >= POOL_BLOCK_MIN; length /= 2) {
		struct pooled kept;

		do
			kept = (struct pooled){ 0 };
		while (pool_keep(pool, (struct text){ bytes, length }, &kept));
	}
}
