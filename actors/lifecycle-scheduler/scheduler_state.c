/* SPDX-License-Identifier: MIT */
#include "actors/lifecycle-scheduler/scheduler_state.h"

#include <assert.h>

#define SLOT_USED (UINT32_MAX - 1)

uint32_t scheduler_slot_take(struct scheduler_slots *slots)
{
	uint32_t slot = slots->free;

	if (slot != NO_SLOT)
		slots->free = slots->next[slot];
	else if (slots->high < slots->capacity)
		slot = slots->high++;
	else
		return NO_SLOT;
	slots->next[slot] = SLOT_USED;
	slots->count++;
	return slot;
}

void scheduler_slot_give(struct scheduler_slots *slots, uint32_t slot)
{
	assert(scheduler_slot_used(slots, slot));
	slots->next[slot] = slots->free;
	slots->free = slot;
	slots->count--;
}

bool scheduler_slot_used(const struct scheduler_slots *slots, uint32_t slot)
{
	assert(slot < slots->high);
	return slots->next[slot] == SLOT_USED;
}

void scheduler_arm(struct scheduler *self, enum scheduler_timer kind, uint32_t slot, int64_t due_ms)
{
	uint32_t timer = self->timer_base[kind] + slot;

	self->armed[kind] += !wheel_armed(&self->wheel, timer);
	wheel_arm(&self->wheel, timer, due_ms);
}

void scheduler_disarm(struct scheduler *self, enum scheduler_timer kind, uint32_t slot)
{
	uint32_t timer = self->timer_base[kind] + slot;

	self->armed[kind] -= wheel_armed(&self->wheel, timer);
	wheel_cancel(&self->wheel, timer);
}

struct sight scheduler_sight(const struct scheduler *self)
{
	return (struct sight){ .blind = self->blind, .since_ms = self->sight_ms };
}

struct sight scheduler_sight_link(const struct scheduler *self, uint64_t link, uint16_t gateway)
{
	struct sight sight = scheduler_sight(self);

	if (link == 0)
		return sight; /* a link that is down is seen */
	if (gateway == NO_GATEWAY) { /* the table of gateways is full: rather judge nothing */
		sight.away = true;
	} else {
		const struct gateway *holder = &self->gateways[gateway];

		sight.away = scheduler_gateway_away(self, holder);
		if (holder->sight_ms > sight.since_ms)
			sight.since_ms = holder->sight_ms;
	}
	sight.blind |= sight.away;
	return sight;
}

int64_t scheduler_put_off(struct scheduler *self, struct sight sight, bool *held, int64_t due_ms,
			  int64_t window_ms)
{
	if (sight.blind) {
		*held = true;
		return self->now_ms + window_ms;
	}
	if (!*held && due_ms > sight.since_ms)
		return 0;
	*held = false;
	if (sight.since_ms + window_ms <= self->now_ms)
		return 0;
	self->stats.deadlines_put_off++;
	return sight.since_ms + window_ms;
}

int64_t scheduler_window(int64_t duration_ms)
{
	return duration_ms < SCHEDULER_WINDOW_MAX_MS ? duration_ms : SCHEDULER_WINDOW_MAX_MS;
}

struct stream_event *scheduler_expired(struct scheduler *self, enum timer timer, uint64_t cause,
				       int64_t armed_ms, struct effects *fx)
{
	const struct peer registry = { .role = ROLE_REGISTRY };
	struct stream_event *event = effects_add(fx, EFFECT_REQUEST, registry, EVENT_TIMER_EXPIRED);

	event->cause = cause;
	event->timer_expired.timer = timer;
	event->timer_expired.after_ms = self->now_ms - armed_ms;
	self->stats.timers_expired++;
	return event;
}
