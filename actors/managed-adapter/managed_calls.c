/* SPDX-License-Identifier: MIT */
/* Calls to the provider: numbered, bounded, each answered once. */
#include <assert.h>

#include "actors/managed-adapter/managed_internal.h"

static bool only_looks(enum stream_event_type type)
{
	return type == EVENT_PROVIDER_DESCRIBE || type == EVENT_PROVIDER_LIST ||
	       type == EVENT_PROVIDER_QUOTA;
}

struct stream_event *managed_call(struct managed *self, enum stream_event_type type, uint32_t slot,
				  uint32_t output, uint64_t *number)
{
	uint64_t limit = only_looks(type) ? MANAGED_LOOKS_MAX : MANAGED_CALLS_MAX;
	struct managed_call *call;

	if (self->stats.calls_open >= limit || effects_room(self->fx) == 0)
		return NULL;
	do
		call = &self->calls[++self->calls_made % MANAGED_CALLS_MAX];
	while (call->number != 0); /* there is a free one */
	*call = (struct managed_call){
		.number = self->calls_made, .slot = slot, .output = output, .type = (uint16_t)type
	};
	self->stats.calls_open++;
	self->stats.calls++;
	*number = call->number;
	struct stream_event *event =
		effects_add(self->fx, EFFECT_CALL, (struct peer){ ROLE_PROVIDER, 0 }, type);

	event->cause = self->asks.seq;
	return event;
}

bool managed_call_answered(struct managed *self, uint64_t number, struct managed_call *out)
{
	struct managed_call *call = &self->calls[number % MANAGED_CALLS_MAX];

	if (number == 0 || call->number != number) {
		self->stats.answers_late++;
		return false;
	}
	*out = *call;
	*call = (struct managed_call){ 0 };
	assert(self->stats.calls_open > 0);
	self->stats.calls_open--;
	return true;
}

static int64_t doubled_ms(int64_t first_ms, uint32_t tries, int64_t max_ms)
{
	int64_t pause_ms = first_ms;

	for (uint32_t i = 1; i < tries && pause_ms < max_ms; i++)
		pause_ms *= 2;
	return pause_ms < max_ms ? pause_ms : max_ms;
}

int64_t managed_backoff_ms(int64_t first_ms, uint32_t tries, int64_t asked_ms)
{
	int64_t pause_ms = doubled_ms(first_ms, tries, MANAGED_PAUSE_MAX_MS);

	return asked_ms > pause_ms ? asked_ms : pause_ms;
}

int64_t managed_delete_pause_ms(int64_t first_ms, uint32_t tries, int64_t asked_ms)
{
	int64_t pause_ms = doubled_ms(first_ms, tries, MANAGED_DELETE_PAUSE_MAX_MS);

	return asked_ms > pause_ms ? asked_ms : pause_ms;
}
