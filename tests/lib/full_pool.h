/* SPDX-License-Identifier: MIT */
/* full_pool.h - a pool that has room for so many texts of the smallest block, and for no other. */
#pragma once

#include "common/pool.h"

#define FULL_POOL_BLOCKS (1 << 19)

struct full_pool {
	struct pool *pool;
	struct pooled taken[FULL_POOL_BLOCKS];
	unsigned count;
};

static struct full_pool full_pool;

/* Pages that hold longer texts may have room for more of them. */
static inline void full_pool_take(struct pool *pool)
{
	full_pool.pool = pool;
	pool_settle(pool);
	for (full_pool.count = 0; pool_keep(pool, TEXT("x"), &full_pool.taken[full_pool.count]);)
		full_pool.count++;
}

static inline void full_pool_give(unsigned blocks)
{
	for (; blocks > 0 && full_pool.count > 0; blocks--) {
		pool_drop(full_pool.pool, &full_pool.taken[--full_pool.count]);
		if (full_pool.pool->dropped_count == POOL_DROPPED_MAX)
			pool_settle(full_pool.pool);
	}
	pool_settle(full_pool.pool);
}

static inline void full_pool_give_all(void)
{
	full_pool_give(full_pool.count);
}
