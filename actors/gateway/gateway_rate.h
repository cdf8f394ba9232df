/* SPDX-License-Identifier: MIT */
/* gateway_rate.h - so many a period, evenly, with a burst: one number of state per limit (GCRA). */
#pragma once

#include <stdint.h>

struct gateway_rate {
	int64_t cost; /* time one event takes up, in the unit of @now */
	int64_t burst; /* events allowed at once, from 1 */
};

/* gateway_rate_wait() - time until one more event is allowed at @now; 0: at once. */
static inline int64_t gateway_rate_wait(struct gateway_rate rate, int64_t free_at, int64_t now)
{
	int64_t wait = free_at - now - (rate.burst - 1) * rate.cost;

	return free_at > now && wait > 0 ? wait : 0;
}

/* gateway_rate_take() - account for one event at @now.
 *
 * @free_at is the state, zero at first; @now and @rate->cost are in one unit.
 *
 * Return: 0, or the time to wait: nothing was accounted.
 */
static inline int64_t gateway_rate_take(struct gateway_rate rate, int64_t *free_at, int64_t now)
{
	int64_t wait = gateway_rate_wait(rate, *free_at, now);

	if (wait > 0)
		return wait;
	*free_at = (*free_at > now ? *free_at : now) + rate.cost;
	return 0;
}
