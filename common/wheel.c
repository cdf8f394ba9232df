/* SPDX-License-Identifier: MIT */
#include "common/wheel.h"

#include <assert.h>
#include <string.h>

#define DISARMED UINT16_MAX
#define NEAR_BITS 11 /* 2,048 slots */
#define FAR_BITS 6 /* 64 slots */
#define NEVER INT64_MAX

_Static_assert(sizeof(struct wheel_timer) == 16, "the memory that the README promises");
_Static_assert(WHEEL_NEAR_SLOTS == 1 << NEAR_BITS && WHEEL_FAR_SLOTS == 1 << FAR_BITS, "shifts");

/* Ticks per slot of far level 0, 1, 2, as a shift: 11, 17, 23. */
static int far_shift(int level)
{
	return NEAR_BITS + level * FAR_BITS;
}

static uint32_t far_slot(int level, int64_t tick)
{
	return (uint32_t)(WHEEL_NEAR_SLOTS + level * WHEEL_FAR_SLOTS +
			  ((tick >> far_shift(level)) & (WHEEL_FAR_SLOTS - 1)));
}

size_t wheel_bytes(uint32_t capacity)
{
	return (capacity * sizeof(struct wheel_timer) + 63) & ~(size_t)63;
}

void wheel_init(struct wheel *self, void *memory, uint32_t capacity)
{
	assert(capacity < WHEEL_NONE);
	memset(self, 0, sizeof *self);
	self->timers = memory;
	self->capacity = capacity;
	self->seen = WHEEL_NONE;
	for (uint32_t i = 0; i < WHEEL_LANES; i++)
		self->lanes[i] = WHEEL_NONE;
	for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
		self->slots[i] = (struct wheel_slot){ WHEEL_NONE, WHEEL_NONE };
	for (uint32_t i = 0; i < capacity; i++)
		self->timers[i] = (struct wheel_timer){ .slot = DISARMED };
}

/* Where a timer of @tick belongs, as seen from self->tick.  A slot of a far level is emptied
 * when self->tick reaches its first tick, and at that time all it holds fits a lower level: so a
 * timer never goes into the slot of the far level that self->tick stands in.
 */
static uint32_t slot_of(const struct wheel *self, int64_t tick)
{
	if (tick < self->tick)
		tick = self->tick;
	if (tick - self->tick < WHEEL_NEAR_SLOTS)
		return (uint32_t)(tick & (WHEEL_NEAR_SLOTS - 1));
	for (int level = 0; level < WHEEL_FAR_LEVELS; level++) {
		int shift = far_shift(level);

		if ((tick >> shift) - (self->tick >> shift) < WHEEL_FAR_SLOTS)
			return far_slot(level, tick);
	}
	/* Beyond the horizon: into the last slot, from where it is put off again. */
	int level = WHEEL_FAR_LEVELS - 1;

	return far_slot(level, self->tick + ((WHEEL_FAR_SLOTS - INT64_C(1)) << far_shift(level)));
}

static void append(struct wheel *self, uint32_t slot, uint32_t timer)
{
	struct wheel_slot *list = &self->slots[slot];
	struct wheel_timer *entry = &self->timers[timer];

	entry->next = WHEEL_NONE;
	entry->previous = list->last;
	entry->slot = slot & UINT16_MAX;
	if (list->last == WHEEL_NONE) {
		list->first = timer;
		self->occupied[slot / 64] |= UINT64_C(1) << (slot % 64);
	} else {
		self->timers[list->last].next = timer;
	}
	list->last = timer;
}

static void detach(struct wheel *self, uint32_t timer)
{
	struct wheel_timer *entry = &self->timers[timer];
	struct wheel_slot *list = &self->slots[entry->slot];

	if (entry->previous == WHEEL_NONE)
		list->first = entry->next;
	else
		self->timers[entry->previous].next = entry->next;
	if (entry->next == WHEEL_NONE)
		list->last = entry->previous;
	else
		self->timers[entry->next].previous = entry->previous;
	if (list->first == WHEEL_NONE)
		self->occupied[entry->slot / 64] &= ~(UINT64_C(1) << (entry->slot % 64));
	entry->slot = DISARMED;
}

/* The first tick that does not begin before @due_ms. */
static int64_t due_tick(uint64_t due_ms)
{
	return (int64_t)((due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS);
}

void wheel_arm(struct wheel *self, uint32_t timer, int64_t due_ms)
{
	assert(timer < self->capacity);
	assert(due_ms >= 0 && due_ms <= WHEEL_DUE_MAX);
	wheel_cancel(self, timer);
	self->timers[timer].due_ms = (uint64_t)due_ms & (uint64_t)WHEEL_DUE_MAX;
	append(self, slot_of(self, due_tick((uint64_t)due_ms)), timer);
	self->count++;
}

void wheel_cancel(struct wheel *self, uint32_t timer)
{
	assert(timer < self->capacity);
	if (self->timers[timer].slot == DISARMED)
		return;
	detach(self, timer);
	self->count--;
}

bool wheel_armed(const struct wheel *self, uint32_t timer)
{
	assert(timer < self->capacity);
	return self->timers[timer].slot != DISARMED;
}

int64_t wheel_due(const struct wheel *self, uint32_t timer)
{
	assert(timer < self->capacity);
	return (int64_t)self->timers[timer].due_ms;
}

/* Distance, in slots and cyclic, from slot @at of 64 to the first occupied one; 64: none is. */
static int distance(uint64_t occupied, unsigned at)
{
	if (occupied == 0)
		return 64;
	uint64_t turned = at == 0 ? occupied : occupied >> at | occupied << (64 - at);

	return __builtin_ctzll(turned);
}

/* The first tick from self->tick on at which a timer fires or a far slot is to be emptied. */
static int64_t next_tick(const struct wheel *self)
{
	uint32_t at = (uint32_t)(self->tick & (WHEEL_NEAR_SLOTS - 1));
	int64_t next = NEVER;

	if (self->count == 0)
		return NEVER;
	/* One word more than there are: the first one is looked at again, for its lower bits. */
	for (uint32_t i = 0; i <= WHEEL_NEAR_SLOTS / 64; i++) {
		uint32_t index = (at / 64 + i) % (WHEEL_NEAR_SLOTS / 64);
		uint64_t word = self->occupied[index];

		if (i == 0)
			word &= UINT64_MAX << (at % 64);
		if (word != 0) {
			uint32_t slot = index * 64 + (uint32_t)__builtin_ctzll(word);

			next = self->tick + ((slot - at) & (WHEEL_NEAR_SLOTS - 1));
			break;
		}
	}
	for (int level = 0; level < WHEEL_FAR_LEVELS; level++) {
		int64_t slot = self->tick >> far_shift(level);
		int step = distance(self->occupied[WHEEL_NEAR_SLOTS / 64 + level],
				    (unsigned)(slot & (WHEEL_FAR_SLOTS - 1)));
		int64_t begin = (slot + step) << far_shift(level);

		if (step < 64 && begin < next)
			next = begin;
	}
	return next < self->tick ? self->tick : next;
}

/* Bring what has come near from the far slots that begin at self->tick into nearer ones.
 *
 * Return: false if @budget ran out first.
 */
static bool cascade(struct wheel *self, uint32_t *budget)
{
	for (int level = WHEEL_FAR_LEVELS - 1; level >= 0; level--) {
		if (self->tick & ((INT64_C(1) << far_shift(level)) - 1))
			continue;
		uint32_t slot = far_slot(level, self->tick);

		while (self->slots[slot].first != WHEEL_NONE) {
			uint32_t timer = self->slots[slot].first;

			if (*budget == 0)
				return false;
			(*budget)--;
			detach(self, timer);
			append(self, slot_of(self, due_tick(self->timers[timer].due_ms)), timer);
		}
	}
	return true;
}

/* Among a million timers each step along a list waits 150 ns for memory.  So walk the lists of the
 * next few ticks ahead of time, one step of one of them per timer fired, and only prefetch: when
 * such a list's turn comes it is in the cache.  Measured: 250 ns per cycle become 120.
 *
 * A lane may stray, because what it stands on was armed elsewhere: it then reads what is not
 * wanted, and ends where that list ends.
 */
static void look_ahead(struct wheel *self)
{
	uint32_t *lane = &self->lanes[self->turn++ % WHEEL_LANES];

	if (*lane != WHEEL_NONE) {
		*lane = self->timers[*lane].next;
	} else {
		if (self->ahead < self->tick)
			self->ahead = self->tick;
		if (self->ahead < self->tick + WHEEL_LANES)
			*lane = self->slots[++self->ahead & (WHEEL_NEAR_SLOTS - 1)].first;
	}
	if (*lane != WHEEL_NONE)
		__builtin_prefetch(&self->timers[*lane]);
	self->seen = *lane;
}

uint32_t wheel_ahead(const struct wheel *self)
{
	return self->seen;
}

uint32_t wheel_next(struct wheel *self, int64_t now_ms, uint32_t *budget)
{
	for (;;) {
		wheel_settle(self, now_ms);
		if (self->tick * WHEEL_TICK_MS > now_ms || !cascade(self, budget))
			return WHEEL_NONE;
		uint32_t timer = self->slots[self->tick & (WHEEL_NEAR_SLOTS - 1)].first;

		if (timer != WHEEL_NONE) {
			if (*budget == 0)
				return WHEEL_NONE;
			(*budget)--;
			detach(self, timer);
			self->count--;
			look_ahead(self);
			return timer;
		}
		self->tick++;
	}
}

void wheel_settle(struct wheel *self, int64_t now_ms)
{
	uint32_t slot = (uint32_t)(self->tick & (WHEEL_NEAR_SLOTS - 1));
	int64_t now_tick = now_ms / WHEEL_TICK_MS;

	/* The common case, while a slot is being worked off: there is nothing to skip. */
	if (now_tick <= self->tick || self->slots[slot].first != WHEEL_NONE)
		return;
	int64_t next = next_tick(self);

	self->tick = next < now_tick ? next : now_tick;
}

int64_t wheel_deadline(const struct wheel *self)
{
	int64_t next = next_tick(self);

	return next == NEVER ? INT64_MAX : next * WHEEL_TICK_MS;
}
