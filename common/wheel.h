/* SPDX-License-Identifier: MIT */
/* wheel.h - a hierarchical timing wheel: arm and cancel in O(1), 16 bytes per timer.
 *
 * Pure: the time is an argument, the memory is the caller's, timers are numbers from 0 to
 * capacity - 1 whose meaning only the caller knows.  A tick is 10 ms; 2,048 slots of one tick
 * stand before three levels of 64 ever wider ones, so whatever is due within 20.48 s (every
 * keep-alive and every ack) is put in its place at once and never moved again.
 *
 * A timer never fires before its time, and at most one tick after it if wheel_next() is called
 * in time.  Timers of one tick fire in the order in which they entered its slot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_TICK_MS 10
#define WHEEL_NEAR_SLOTS 2048 /* of one tick: 20.48 s */
#define WHEEL_FAR_LEVELS 3 /* 64 slots each, of 20.48 s, 22 min and 23 h: 62 days in all */
#define WHEEL_FAR_SLOTS 64
#define WHEEL_SLOTS (WHEEL_NEAR_SLOTS + WHEEL_FAR_LEVELS * WHEEL_FAR_SLOTS)
#define WHEEL_LANES 4 /* lists walked ahead at a time; measured: 2 gain half as much, 8 no more */
#define WHEEL_NONE UINT32_MAX /* no timer */
#define WHEEL_DUE_MAX ((INT64_C(1) << 47) - 1) /* 4,459 years of monotonic time */

struct wheel_timer {
	uint32_t next, previous;
	uint64_t due_ms : 48;
	uint64_t slot : 16;
};

struct wheel_slot {
	uint32_t first, last;
};

struct wheel {
	struct wheel_timer *timers;
	uint32_t capacity;
	uint32_t count; /* of armed timers */
	int64_t tick; /* the next to be worked off */
	int64_t ahead; /* the last tick whose list was given to a lane */
	uint32_t lanes[WHEEL_LANES];
	uint32_t turn; /* the lane that moves next */
	uint32_t seen; /* what it came to */
	uint64_t occupied[WHEEL_SLOTS / 64];
	struct wheel_slot slots[WHEEL_SLOTS];
};

/* wheel_bytes() - memory for @capacity timers, a multiple of 64. */
size_t wheel_bytes(uint32_t capacity);

/* wheel_init() - make a wheel of @capacity timers, none of them armed.
 *
 * Ownership: @memory is wheel_bytes(@capacity) bytes, aligned as malloc() aligns, borrowed for
 * the life of the wheel; there is no wheel_fini().
 */
void wheel_init(struct wheel *self, void *memory, uint32_t capacity);

/* wheel_arm() - let @timer fire at @due_ms; an armed one is armed anew.
 *
 * A time that has passed already fires at the next tick.
 */
void wheel_arm(struct wheel *self, uint32_t timer, int64_t due_ms);

/* wheel_cancel() - disarm @timer; no effect if it is not armed. */
void wheel_cancel(struct wheel *self, uint32_t timer);

bool wheel_armed(const struct wheel *self, uint32_t timer);

/* wheel_due() - the time @timer was last armed for, also after it has fired. */
int64_t wheel_due(const struct wheel *self, uint32_t timer);

/* wheel_next() - disarm and return the next timer whose time has come at @now_ms.
 *
 * @budget is lowered by one for each timer fired and for each one moved from a wide slot to a
 * narrower one, so that the work between two looks at the sockets is bounded, also when a
 * hundred thousand timers of 60 s share a slot.  WHEEL_NONE: nothing is due any more or
 * @budget is 0; in the second case wheel_deadline() is not after @now_ms.
 */
uint32_t wheel_next(struct wheel *self, int64_t now_ms, uint32_t *budget);

/* wheel_ahead() - a timer that will fire some calls of wheel_next() from now, to prefetch what
 * hangs on it; WHEEL_NONE if none is known.  It may be cancelled or armed anew before that.
 */
uint32_t wheel_ahead(const struct wheel *self);

/* wheel_settle() - let the wheel know that it is @now_ms, without firing anything.
 *
 * Call it before arming if wheel_next() may not have been called for a while: a wheel that lags
 * behind puts timers into wider slots than it must.
 */
void wheel_settle(struct wheel *self, int64_t now_ms);

/* wheel_deadline() - when wheel_next() next has something to do, in ms; INT64_MAX: never.
 *
 * Never late.  It may be early, by what is left of a wide slot, when all timers are far away.
 */
int64_t wheel_deadline(const struct wheel *self);
