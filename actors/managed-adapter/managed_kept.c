/* SPDX-License-Identifier: MIT */
/* What must outlive a snapshot.  Behind it a stream may be in another slot, and what is under way
 * for it goes on there: at most one call about its input, and no answer that is forgotten.
 *
 * Secrets outlive even that.  What was asked of the registry before it may be in the
 * story only behind it, and the story has no secrets: the ones that were asked with are kept, the
 * newest of them, until there are newer ones.
 */
#include <assert.h>

#include "actors/managed-adapter/managed_internal.h"

static void keep(struct managed *self, struct pooled from, struct pooled *to)
{
	if (!pool_replace(&self->texts, pool_text(&self->texts, from), to))
		pool_drop(&self->texts, to);
}

void managed_kept_keep(struct managed *self, const struct managed_work *work)
{
	const struct state_stream *stream = managed_stream_of(self, work);

	assert(stream); /* a work ends with its record */
	if (work->made[MADE_INGEST].length == 0 && work->destinations.length == 0)
		return;
	struct text id = managed_text(self, stream->id);
	struct managed_kept *kept = &self->kept[self->kept_next++ % MANAGED_KEPT_MAX];

	memcpy(kept->stream_id, id.bytes, id.length);
	kept->length = (uint8_t)id.length;
	keep(self, work->made[MADE_ID], &kept->input_id);
	keep(self, work->made[MADE_INGEST], &kept->ingest);
	keep(self, work->destinations, &kept->destinations);
}

/* The newest but @back of what was kept for it. */
static const struct managed_kept *kept_of(const struct managed *self, struct text stream_id,
					  uint32_t back)
{
	for (uint32_t i = 1; i <= MANAGED_KEPT_MAX; i++) {
		const struct managed_kept *kept =
			&self->kept[(self->kept_next - i) % MANAGED_KEPT_MAX];

		if (kept->length > 0 &&
		    text_equal((struct text){ kept->stream_id, kept->length }, stream_id) &&
		    back-- == 0)
			return kept;
	}
	return NULL;
}

struct text managed_kept_ingest(const struct managed *self, struct text stream_id,
				struct text input_id)
{
	const struct managed_kept *kept;

	for (uint32_t back = 0; (kept = kept_of(self, stream_id, back)); back++)
		if (text_equal(pool_text(&self->texts, kept->input_id), input_id))
			return pool_text(&self->texts, kept->ingest);
	return (struct text){ 0 };
}

struct text managed_kept_destinations(const struct managed *self, struct text stream_id)
{
	const struct managed_kept *kept = kept_of(self, stream_id, 0);

	return kept ? pool_text(&self->texts, kept->destinations) : (struct text){ 0 };
}

/* ---- what is under way ---- */

uint32_t managed_away_max(const struct managed_options *options)
{
	uint32_t streams_max = options->state.streams_max;

	return streams_max < MANAGED_AWAY_MAX ? streams_max : MANAGED_AWAY_MAX;
}

/* The rest follows from the record once more. */
static bool is_under_way(const struct managed_work *work)
{
	bool calls = work->call != 0;

	for (unsigned i = 0; i < OUTPUTS_MAX; i++)
		calls |= work->outputs[i].call != 0;
	return calls || (work->stage >= STAGE_CREATE && work->stage <= STAGE_FAILED) ||
	       work->stage == STAGE_GONE;
}

static void point_call(struct managed *self, uint64_t number, uint32_t slot)
{
	if (number != 0)
		self->calls[number % MANAGED_CALLS_MAX].slot = slot;
}

static void point_calls(struct managed *self, const struct managed_work *work, uint32_t slot)
{
	point_call(self, work->call, slot);
	for (unsigned i = 0; i < OUTPUTS_MAX; i++)
		point_call(self, work->outputs[i].call, slot);
}

static void drop_texts(struct managed *self, struct managed_work *work)
{
	pool_drop(&self->texts, &work->destinations);
	pool_drop(&self->texts, &work->detail);
	for (unsigned i = 0; i < MADE_TEXTS; i++)
		pool_drop(&self->texts, &work->made[i]);
}

void managed_away_keep(struct managed *self, struct managed_work *work)
{
	const struct state_stream *stream = managed_stream_of(self, work);

	point_calls(self, work, SLOT_AWAY);
	assert(stream);
	if (!is_under_way(work) || self->away_count == managed_away_max(&self->options))
		return;
	struct text id = managed_text(self, stream->id);
	struct managed_away *away = &self->away[self->away_count++];

	memcpy(away->stream_id, id.bytes, id.length);
	away->length = (uint8_t)id.length;
	away->work = *work;
	away->work.input_id = (struct pooled){ 0 }; /* the index has it, until the work ends */
	away->work.adds = 0; /* they are told of by their URLs, which are kept */
	work->destinations = work->detail = (struct pooled){ 0 };
	memset(work->made, 0, sizeof work->made);
}

void managed_away_return(struct managed *self)
{
	for (uint32_t i = 0; i < self->away_count; i++) {
		struct managed_away *away = &self->away[i];
		const struct state_stream *stream = state_stream_find(
			&self->state, (struct text){ away->stream_id, away->length });

		if (!stream || !managed_serves(self, stream)) {
			drop_texts(self, &away->work);
			continue;
		}
		struct managed_work *work = managed_work_of(self, stream);

		*work = away->work;
		point_calls(self, work, (uint32_t)(work - self->works));
		(void)managed_work_name(self, work, pool_text(&self->texts, work->made[MADE_ID]));
		managed_work_arm(self, work);
	}
	self->away_count = 0;
}

static void away_answered(struct managed *self, struct managed_work *work,
			  const struct managed_call *call, const struct stream_event *answer)
{
	if (call->output == 0) {
		work->call = 0;
		work->due_ms = self->now_ms;
		if (!pool_replace(&self->texts, answer->provider_done.detail, &work->detail))
			pool_drop(&self->texts, &work->detail);
		if (call->type == EVENT_PROVIDER_CREATE)
			managed_make_away(self, work, answer);
		return;
	}
	for (unsigned i = 0; i < OUTPUTS_MAX; i++)
		if (work->outputs[i].call == call->number)
			work->outputs[i].call = 0;
}

void managed_away_done(struct managed *self, const struct managed_call *call,
		       const struct stream_event *answer)
{
	for (uint32_t i = 0; i < self->away_count; i++) {
		struct managed_work *work = &self->away[i].work;
		bool asked = work->call == call->number;

		for (unsigned k = 0; k < OUTPUTS_MAX; k++)
			asked |= work->outputs[k].call == call->number;
		if (asked) {
			away_answered(self, work, call, answer);
			return;
		}
	}
	self->stats.answers_late++; /* its stream is gone */
}
