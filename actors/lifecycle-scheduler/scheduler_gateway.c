/* SPDX-License-Identifier: MIT */
/* scheduler_gateway.c - gateways: their leases, and whether we see what they hold. */
#include "actors/lifecycle-scheduler/scheduler_state.h"

#include <assert.h>

static struct text make_key(const uint64_t *id)
{
	return (struct text){ (const char *)id, sizeof *id };
}

bool scheduler_gateway_match(const void *self, uint32_t slot, struct text key)
{
	return text_equal(make_key(&((const struct scheduler *)self)->gateways[slot].id), key);
}

/* It beats, and yet our probes have not come through for longer than a lease. */
static bool is_deaf(const struct scheduler *self, const struct gateway *gateway)
{
	return gateway->heard < gateway->sent &&
	       self->now_ms - gateway->unheard_ms >= self->options.gateway_lease_ms;
}

bool scheduler_gateway_away(const struct scheduler *self, const struct gateway *gateway)
{
	/* One that is gone for good is seen: its links are down. */
	return gateway->state == LINK_LOST ||
	       (gateway->state != LINK_DOWN && (!gateway->connected || is_deaf(self, gateway)));
}

uint16_t scheduler_gateway_touch(struct scheduler *self, uint64_t id)
{
	uint32_t slot = table_find(&self->gateway_index, make_key(&id));

	if (slot != NO_SLOT)
		return (uint16_t)slot;
	slot = scheduler_slot_take(&self->gateway_slots);
	if (slot == NO_SLOT) {
		self->stats.gateways_refused++;
		return NO_GATEWAY;
	}
	self->gateways[slot] = (struct gateway){
		.id = id,
		.beat_ms = self->now_ms,
		.sight_ms = -1,
		.seen_ms = -1,
		.first = NO_SLOT,
		.last = NO_SLOT,
	};
	(void)table_insert(&self->gateway_index, make_key(&id), slot); /* cells as slots */
	return (uint16_t)slot;
}

static void release(struct scheduler *self, uint16_t slot)
{
	const struct gateway *gateway = &self->gateways[slot];

	if (gateway->links > 0 || gateway->connected || gateway->state == LINK_UP ||
	    gateway->state == LINK_LOST || self->syncing)
		return;
	scheduler_disarm(self, SCHEDULER_TIMER_GATEWAY, slot);
	(void)table_remove(&self->gateway_index, make_key(&gateway->id));
	scheduler_slot_give(&self->gateway_slots, slot);
}

void scheduler_gateway_hold(struct scheduler *self, uint16_t slot)
{
	if (slot != NO_GATEWAY)
		self->gateways[slot].links++;
}

void scheduler_gateway_let_go(struct scheduler *self, uint16_t slot)
{
	if (slot == NO_GATEWAY)
		return;
	assert(self->gateways[slot].links > 0);
	self->gateways[slot].links--;
	release(self, slot);
}

/* Change what decides over scheduler_gateway_away(). */
static void set(struct scheduler *self, struct gateway *gateway, uint32_t state, bool connected)
{
	bool before = scheduler_gateway_away(self, gateway);

	gateway->state = (uint8_t)state;
	gateway->connected = connected;
	if (before && !scheduler_gateway_away(self, gateway))
		gateway->sight_ms = self->now_ms;
}

void scheduler_on_gateway_beat(struct scheduler *self, uint64_t id, uint64_t batch)
{
	uint32_t slot = table_find(&self->gateway_index, make_key(&id));

	if (slot == NO_SLOT)
		return;
	struct gateway *gateway = &self->gateways[slot];
	bool before = scheduler_gateway_away(self, gateway);

	if (batch <= gateway->heard || batch > gateway->sent)
		return; /* nothing new, or the number of an earlier life of ours */
	gateway->heard = batch;
	gateway->unheard_ms = self->now_ms;
	if (before && !scheduler_gateway_away(self, gateway))
		gateway->sight_ms = self->now_ms;
}

/* When its silence is next to be reported: at the end of its lease, or as gone. */
static int64_t silence_ms(const struct scheduler *self, const struct gateway *gateway)
{
	return gateway->state == LINK_LOST ? self->options.gateway_blind_max_ms
					   : self->options.gateway_lease_ms;
}

static void watch_lease(struct scheduler *self, uint16_t slot)
{
	struct gateway *gateway = &self->gateways[slot];

	gateway->held = false;
	if (gateway->state != LINK_UP && gateway->state != LINK_LOST)
		scheduler_disarm(self, SCHEDULER_TIMER_GATEWAY, slot);
	else
		scheduler_arm(self, SCHEDULER_TIMER_GATEWAY, slot,
			      gateway->beat_ms + silence_ms(self, gateway));
}

void scheduler_gateway_sweep(struct scheduler *self)
{
	for (uint32_t slot = 0; slot < self->gateway_slots.high; slot++) {
		if (!scheduler_slot_used(&self->gateway_slots, slot))
			continue;
		struct gateway *gateway = &self->gateways[slot];

		if (gateway->generation != self->generation) {
			set(self, gateway, LINK_NONE, gateway->connected);
			gateway->reported = false;
			watch_lease(self, (uint16_t)slot);
		}
		release(self, (uint16_t)slot);
	}
}

void scheduler_on_gateway_changed(struct scheduler *self, const struct stream_event *event)
{
	uint32_t state = event->gateway_changed.state;

	if (state == LINK_NONE || state >= LINK_COUNT) {
		self->stats.malformed++;
		return;
	}
	uint16_t slot = scheduler_gateway_touch(self, event->gateway_changed.gateway);

	if (slot == NO_GATEWAY)
		return;
	struct gateway *gateway = &self->gateways[slot];

	if (gateway->generation == self->generation && event->seq <= gateway->seq) {
		self->stats.stale++;
		return;
	}
	gateway->generation = self->generation;
	gateway->seq = event->seq;
	set(self, gateway, state, gateway->connected);
	/* A lease runs in full from the time we are told of it; only where we watch a gateway
	 * fall silent does its silence count from the last beat.
	 */
	if (state == LINK_UP || self->syncing)
		gateway->beat_ms = self->now_ms;
	if (state != LINK_LOST)
		gateway->reported = false;
	watch_lease(self, slot);
	release(self, slot);
}

/* Take note of a sign of life; what the registry believes to be silent is reported as seen. */
static void beat(struct scheduler *self, struct gateway *gateway, struct effects *fx)
{
	gateway->beat_ms = self->now_ms;
	if (!gateway->reported && gateway->state != LINK_LOST)
		return;
	/* Once, and again if the registry goes on to believe otherwise. */
	if (!gateway->reported && gateway->seen_ms >= 0 &&
	    self->now_ms - gateway->seen_ms < self->options.gateway_lease_ms)
		return;
	const struct peer registry = { .role = ROLE_REGISTRY };
	struct stream_event *event = effects_add(fx, EFFECT_REQUEST, registry, EVENT_GATEWAY_SEEN);

	event->cause = gateway->seq;
	event->gateway_seen.gateway = gateway->id;
	gateway->reported = false;
	gateway->seen_ms = self->now_ms;
}

void scheduler_on_gateway_up(struct scheduler *self, uint64_t id, bool anew, struct effects *fx)
{
	uint16_t slot = scheduler_gateway_touch(self, id);

	if (slot == NO_GATEWAY)
		return;
	if (anew) /* what was on its way went with the connection before */
		self->gateways[slot].heard = self->gateways[slot].sent;
	set(self, &self->gateways[slot], self->gateways[slot].state, true);
	beat(self, &self->gateways[slot], fx);
}

void scheduler_on_gateway_down(struct scheduler *self, uint64_t id)
{
	uint32_t slot = table_find(&self->gateway_index, make_key(&id));

	if (slot == NO_SLOT)
		return;
	set(self, &self->gateways[slot], self->gateways[slot].state, false);
	release(self, (uint16_t)slot);
}

void scheduler_on_gateway_timer(struct scheduler *self, uint32_t slot, struct effects *fx)
{
	struct gateway *gateway = &self->gateways[slot];
	int64_t due_ms = wheel_due(&self->wheel, self->timer_base[SCHEDULER_TIMER_GATEWAY] + slot);
	int64_t duration = silence_ms(self, gateway);
	int64_t again_ms = gateway->beat_ms + duration;

	if (again_ms <= self->now_ms) /* else it has beaten meanwhile */
		again_ms = scheduler_put_off(self, scheduler_sight(self), &gateway->held, due_ms,
					     scheduler_window(duration));
	if (again_ms == 0) {
		struct stream_event *event = scheduler_expired(self, TIMER_GATEWAY_LEASE,
							       gateway->seq, gateway->beat_ms, fx);

		event->timer_expired.gateway = gateway->id;
		/* The registry tells lost from gone by this number; silence that nobody could
		 * hear does not make a gateway gone.
		 */
		if (gateway->state == LINK_UP &&
		    event->timer_expired.after_ms >= self->options.gateway_blind_max_ms)
			event->timer_expired.after_ms = self->options.gateway_blind_max_ms - 1;
		gateway->reported = true;
		again_ms = self->now_ms + duration; /* if the registry did not agree */
	}
	scheduler_arm(self, SCHEDULER_TIMER_GATEWAY, slot, again_ms);
}
