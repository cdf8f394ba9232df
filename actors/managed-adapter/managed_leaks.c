/* SPDX-License-Identifier: MIT */
/* Inputs with our mark of which no record knows.  One is deleted only once it is old enough, and
 * only after the provider was asked whether something publishes to it.
 */
#include "actors/managed-adapter/managed_internal.h"

static struct text id_of(const struct managed_seen *seen)
{
	return (struct text){ seen->id, seen->id_length };
}

static struct managed_seen *seen_of(struct managed *self, struct text input_id)
{
	struct managed_seen *place = NULL;

	for (uint32_t i = 0; i < MANAGED_SEEN_MAX; i++) {
		struct managed_seen *seen = &self->seen[i];

		if (seen->id_length == input_id.length && text_equal(id_of(seen), input_id))
			return seen;
		/* What was not listed last time is not there any more. */
		if (!place && (seen->id_length == 0 || seen->round + 1 < self->sweep.round))
			place = seen;
	}
	if (!place)
		return NULL; /* one of the next comparisons will have room */
	*place = (struct managed_seen){ .id_length = (uint8_t)input_id.length,
					.since_ms = self->now_ms };
	memcpy(place->id, input_id.bytes, input_id.length);
	return place;
}

static bool is_old(const struct managed *self, const struct managed_seen *seen)
{
	int64_t age_s = seen->age_s > 0 && seen->age_s < INT32_MAX
				? (int64_t)seen->age_s
				: (self->now_ms - seen->since_ms) / 1000;

	return age_s >= self->options.leak_age_s;
}

static void row_of(struct managed *self, const struct managed_seen *seen, bool deleted)
{
	struct stream_event *row = managed_row(self, id_of(seen));

	if (!row)
		return;
	row->provider_row.mark = text_of(self->state.mark);
	row->provider_row.listed = true;
	row->provider_row.leak = is_old(self, seen);
	row->provider_row.deleted = deleted;
	row->provider_row.age_s = seen->age_s;
}

void managed_leak_listed(struct managed *self, struct text input_id, uint64_t age_s)
{
	struct managed_seen *seen = seen_of(self, input_id);

	if (!seen || seen->round == self->sweep.round)
		return; /* a list that moves while it is read shows some of it twice */
	seen->round = self->sweep.round;
	seen->age_s = age_s;
	seen->looked = false;
	self->sweep.leaks += is_old(self, seen);
}

/* The ledger may have learnt of it since it was listed. */
static bool has_record(const struct managed *self, const struct managed_seen *seen)
{
	return table_find(&self->inputs, id_of(seen)) != TABLE_NONE;
}

static bool ask(struct managed *self, struct managed_seen *seen)
{
	struct managed_sweep *sweep = &self->sweep;
	enum stream_event_type type =
		seen->looked ? EVENT_PROVIDER_DELETE : EVENT_PROVIDER_DESCRIBE;
	struct stream_event *event = managed_call(self, type, STATE_NONE, 0, &sweep->call);

	if (!event) {
		sweep->due_ms = self->now_ms + MANAGED_RETRY_MS;
		return false;
	}
	sweep->due_ms = INT64_MAX;
	if (seen->looked) {
		event->provider_delete.call = sweep->call;
		event->provider_delete.input_id = id_of(seen);
	} else {
		event->provider_describe.call = sweep->call;
		event->provider_describe.input_id = id_of(seen);
	}
	return false;
}

static void leave(struct managed *self, struct managed_seen *seen, bool deleted)
{
	struct stream_event *event;

	row_of(self, seen, deleted);
	if (is_old(self, seen)) {
		event = effects_add(self->fx, EFFECT_OPS, (struct peer){ 0 }, EVENT_PROVIDER_LEAK);
		event->provider_leak.input_id = effects_keep(self->fx, id_of(seen));
		event->provider_leak.mark = text_of(self->state.mark);
		event->provider_leak.age_s = seen->age_s;
		event->provider_leak.deleted = deleted;
	}
	self->sweep.at++;
	self->sweep.due_ms = self->now_ms;
}

bool managed_leaks_step(struct managed *self)
{
	struct managed_sweep *sweep = &self->sweep;

	for (; sweep->at < MANAGED_SEEN_MAX; sweep->at++) {
		struct managed_seen *seen = &self->seen[sweep->at];

		if (seen->id_length == 0 || seen->round != sweep->round)
			continue;
		if (effects_room(self->fx) < MANAGED_WORK_ROOM ||
		    EFFECTS_ARENA_SIZE - self->fx->arena_used < INPUT_ID_MAX)
			return false;
		if (sweep->dry_run || !is_old(self, seen) || has_record(self, seen)) {
			leave(self, seen, false);
			sweep->at--; /* the loop moves on */
			continue;
		}
		return ask(self, seen);
	}
	return true;
}

static bool is_live(const struct stream_event *answer)
{
	return answer->provider_done.ingest_state == INGEST_LIVE ||
	       answer->provider_done.ingest_state == INGEST_LOST;
}

void managed_leak_answer(struct managed *self, const struct stream_event *answer)
{
	struct managed_sweep *sweep = &self->sweep;
	struct managed_seen *seen = &self->seen[sweep->at];
	enum call_outcome outcome = answer->provider_done.outcome;
	bool gone = outcome == CALL_GONE || (outcome == CALL_OK && seen->looked);

	if (outcome == CALL_OK && !seen->looked && !is_live(answer)) {
		seen->looked = true;
		sweep->due_ms = self->now_ms;
		return;
	}
	sweep->deleted += gone;
	self->stats.leaks_deleted += gone;
	leave(self, seen, gone); /* what did not work is tried at the next comparison */
	if (gone)
		seen->id_length = 0; /* what was said of it still borrows the rest */
}
