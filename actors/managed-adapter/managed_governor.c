/* SPDX-License-Identifier: MIT */
/* The storm governor: how many inputs a user, and all users together, may cause to be made. */
#include "actors/managed-adapter/managed_internal.h"

#define MINUTE_MS 60000
#define PLACES 4 /* for each hash; the oldest of them makes room */

static struct managed_rate *rate_of(struct managed *self, struct text user_id)
{
	uint64_t hash = table_hash(user_id, self->options.state.hash_seed);
	struct managed_rate *places = &self->rates[hash % (MANAGED_RATES / PLACES) * PLACES];
	struct managed_rate *oldest = places;

	for (unsigned i = 0; i < PLACES; i++) {
		if (places[i].user == hash)
			return &places[i];
		if (places[i].began_ms < oldest->began_ms || places[i].count == 0)
			oldest = &places[i];
	}
	*oldest = (struct managed_rate){ .user = hash, .began_ms = self->now_ms };
	return oldest;
}

static bool owes_too_much(const struct managed *self, const struct state_user *user)
{
	uint32_t owed = 0;

	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		const struct state_stream *stream = state_stream_at(&self->state, slot);

		slot = stream->next;
		owed += stream->input_owed;
	}
	return owed >= self->options.owed_per_user_max;
}

static int64_t seconds_left(const struct managed *self, int64_t began_ms)
{
	return (began_ms + MINUTE_MS - self->now_ms + 999) / 1000;
}

bool managed_governed(struct managed *self, const struct state_user *user, struct text user_id,
		      int64_t *wait_s)
{
	struct managed_rate *rate = rate_of(self, user_id);

	if (self->now_ms - rate->began_ms >= MINUTE_MS) {
		rate->began_ms = self->now_ms;
		rate->count = 0;
	}
	if (self->now_ms - self->provisions_ms >= MINUTE_MS) {
		self->provisions_ms = self->now_ms;
		self->provisions = 0;
	}
	if (rate->count >= self->options.provisions_per_user_per_min)
		*wait_s = seconds_left(self, rate->began_ms);
	else if (self->provisions >= self->options.provisions_per_min)
		*wait_s = seconds_left(self, self->provisions_ms);
	else if (owes_too_much(self, user))
		*wait_s = MINUTE_MS / 1000;
	else {
		rate->count++;
		self->provisions++;
		return false;
	}
	self->stats.governed++;
	return true;
}
