/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_clock.h"

#include <limits.h>
#include <time.h>

static int64_t read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

long clock_wait_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms == INT64_MAX ? INT64_MAX : deadline_ms - clock_now_ms();

	if (left <= 0)
		return 0;
	return left > INT_MAX ? -1 : (long)left;
}
