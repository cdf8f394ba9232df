/* SPDX-License-Identifier: MIT */
/* tap_clock.h - the two clocks: one for deadlines, one for people. */
#pragma once

#include <stdint.h>

/* clock_now_ms() - CLOCK_MONOTONIC milliseconds. */
int64_t clock_now_ms(void);

/* clock_wall_ms() - Unix time in ms. */
int64_t clock_wall_ms(void);

/* clock_wait_ms() - what a poll wants for a CLOCK_MONOTONIC deadline; INT64_MAX: for ever. */
long clock_wait_ms(int64_t deadline_ms);
