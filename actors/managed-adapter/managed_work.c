/* SPDX-License-Identifier: MIT */
/* What is under way for each stream: one stage, one timer, at most one call about its input. */
#include <assert.h>

#include "actors/managed-adapter/managed_internal.h"

bool managed_serves(const struct managed *self, const struct state_stream *stream)
{
	return stream->kind == KIND_MANAGED && self->options.provider != PROVIDER_NONE &&
	       state_managed_of(&self->state, stream)->provider == self->options.provider;
}

struct stream_event *managed_command(struct managed *self, const struct state_stream *stream,
				     enum stream_event_type type)
{
	struct stream_event *event =
		effects_add(self->fx, EFFECT_REQUEST, (struct peer){ ROLE_REGISTRY, 0 }, type);

	event->cause = self->asks.seq;
	event->user_id = managed_text(self, state_user_of(&self->state, stream->user)->id);
	event->stream_id = managed_text(self, stream->id);
	event->epoch = stream->epoch;
	return event;
}

/* ---- names ---- */

bool managed_work_name(struct managed *self, struct managed_work *work, struct text input_id)
{
	uint32_t slot = (uint32_t)(work - self->works);

	if (input_id.length == 0 || work->input_id.length > 0)
		return work->input_id.length > 0;
	if (table_find(&self->inputs, input_id) != TABLE_NONE ||
	    !pool_keep(&self->texts, input_id, &work->input_id))
		return false;
	bool inserted = table_insert(&self->inputs, input_id, slot);

	assert(inserted); /* one place for each work */
	return inserted;
}

struct managed_work *managed_work_find(const struct managed *self, struct text stream_id,
				       struct text input_id)
{
	const struct state_stream *stream = state_stream_find(&self->state, stream_id);
	uint32_t slot = table_find(&self->inputs, input_id);

	if (slot != TABLE_NONE)
		return &self->works[slot];
	return stream ? managed_work_of(self, stream) : NULL;
}

/* ---- stages ---- */

void managed_work_arm(struct managed *self, struct managed_work *work)
{
	uint32_t slot = (uint32_t)(work - self->works);
	int64_t due_ms = work->call == 0 ? work->due_ms : INT64_MAX;

	if (work->outputs_ms < due_ms)
		due_ms = work->outputs_ms;
	if (work->stage == STAGE_NONE || due_ms == INT64_MAX)
		wheel_cancel(&self->wheel, slot);
	else
		wheel_arm(&self->wheel, slot, due_ms);
}

void managed_work_enter(struct managed *self, struct managed_work *work, enum managed_stage stage,
			int64_t due_ms)
{
	work->stage = (uint8_t)stage;
	work->tries = 0;
	work->since_ms = self->now_ms;
	work->due_ms = due_ms;
	managed_work_arm(self, work);
}

/* The story has them now, but of outputs that it has not told of yet. */
static void drop_texts(struct managed *self, struct managed_work *work)
{
	if (work->adds == 0)
		pool_drop(&self->texts, &work->destinations);
	for (unsigned i = 0; i < MADE_TEXTS; i++)
		pool_drop(&self->texts, &work->made[i]);
}

void managed_work_end(struct managed *self, uint32_t slot)
{
	struct managed_work *work = &self->works[slot];

	wheel_cancel(&self->wheel, slot);
	if (work->input_id.length > 0)
		(void)table_remove(&self->inputs, pool_text(&self->texts, work->input_id));
	pool_drop(&self->texts, &work->input_id);
	pool_drop(&self->texts, &work->detail);
	if (work->adds > 0)
		managed_adds_forget(self, slot);
	work->adds = 0;
	drop_texts(self, work);
	*work = (struct managed_work){ 0 };
}

void managed_works_clear(struct managed *self)
{
	for (uint32_t slot = 0; slot < self->state.streams_fresh; slot++)
		if (self->works[slot].used) {
			managed_kept_keep(self, &self->works[slot]);
			managed_away_keep(self, &self->works[slot]);
			managed_work_end(self, slot);
		}
	managed_adds_forget(self, STATE_NONE);
}

void managed_tell_gone(struct managed *self, struct managed_work *work, struct text detail)
{
	const struct state_stream *stream = managed_stream_of(self, work);
	struct stream_event *event = managed_command(self, stream, EVENT_INPUT_GONE);

	event->input_gone.input_id = managed_input_of(self, work, stream);
	event->input_gone.detail = detail;
	managed_work_enter(self, work, STAGE_GONE, self->now_ms + MANAGED_SETTLE_MS);
}

/* Looked for, as lists may show what a call that got no answer has made. */
static void search(struct managed *self, struct managed_work *work)
{
	managed_work_enter(self, work, STAGE_SEARCH,
			   self->now_ms + self->options.create_timeout_ms +
				   MANAGED_SEARCH_MARGIN_MS);
}

static void follow_owed(struct managed *self, struct managed_work *work,
			const struct state_stream *stream)
{
	enum managed_stage stage = (enum managed_stage)work->stage;

	bool ready = stage == STAGE_START || stage == STAGE_LIVE;

	if (state_managed_of(&self->state, stream)->input_id.length > 0 ||
	    (ready && work->input_id.length > 0)) {
		if (stage != STAGE_DELETE && stage != STAGE_GONE)
			managed_work_enter(self, work, STAGE_DELETE, self->now_ms);
		return;
	}
	if (stage == STAGE_OUTPUTS)
		managed_tell_made(self, work, stream); /* so that it is known what to delete */
	else if ((stage == STAGE_CREATE || stage == STAGE_FAILED) && work->call == 0 &&
		 !work->doubt)
		managed_tell_gone(self, work, TEXT("never made"));
	else if (stage == STAGE_NONE || stage == STAGE_FAILED || ready ||
		 (stage == STAGE_CREATE && work->call == 0))
		search(self, work);
}

static void follow_active(struct managed *self, struct managed_work *work,
			  const struct state_stream *stream)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);
	enum managed_stage stage = (enum managed_stage)work->stage;

	if (managed->input == INPUT_WANTED && stage == STAGE_NONE) {
		managed_work_enter(self, work, STAGE_CREATE, self->now_ms);
	} else if (managed->input == INPUT_WANTED && stage == STAGE_OUTPUTS) {
		work->due_ms =
			managed_outputs_await(self, work, stream) ? work->due_ms : self->now_ms;
	} else if (managed->input == INPUT_READY && stage != STAGE_START && stage != STAGE_LIVE &&
		   stage != STAGE_GONE) {
		bool late =
			managed->playback == PLAYBACK_LIVE || managed->playback == PLAYBACK_OVERDUE;

		drop_texts(self, work);
		managed_work_enter(self, work, late ? STAGE_LIVE : STAGE_START,
				   self->now_ms + (late ? MANAGED_LIVENESS_MS
							: self->options.poll_interval_ms));
	}
	work->outputs_ms = self->now_ms;
	managed_work_arm(self, work);
}

void managed_work_follow(struct managed *self, const struct state_stream *stream)
{
	struct managed_work *work = managed_work_of(self, stream);
	const struct state_managed *managed = state_managed_of(&self->state, stream);

	if (!managed_serves(self, stream))
		return;
	if (!work->used) {
		/* Known from a snapshot: who knows what an earlier life has done. */
		*work = (struct managed_work){
			.used = true, .doubt = true, .due_ms = INT64_MAX, .outputs_ms = INT64_MAX
		};
	}
	(void)managed_work_name(self, work, managed_text(self, managed->input_id));
	if (stream->phase != PHASE_CLOSED) {
		follow_active(self, work, stream);
	} else {
		work->outputs_ms = INT64_MAX;
		if (stream->input_owed)
			follow_owed(self, work, stream);
		else
			managed_work_enter(self, work, STAGE_NONE, INT64_MAX);
	}
}

/* ---- deletion ---- */

static int64_t delete_turn_ms(const struct managed *self)
{
	return 1000 / (int64_t)self->options.deletes_per_s;
}

/* False: it has to wait, and is due at its turn.  Turns that came while we did not run are not made
 * up for: they follow one by one.
 */
static bool delete_may_begin(struct managed *self, struct managed_work *work)
{
	if (!work->paced)
		return true;
	if (!work->turn) {
		work->turn = true;
		work->due_ms =
			self->delete_turn_ms > self->now_ms ? self->delete_turn_ms : self->now_ms;
		self->delete_turn_ms = work->due_ms + delete_turn_ms(self);
	}
	if (work->due_ms < self->delete_ms)
		work->due_ms = self->delete_ms;
	return work->due_ms <= self->now_ms;
}

static void delete_step(struct managed *self, struct managed_work *work,
			const struct state_stream *stream)
{
	uint32_t slot = (uint32_t)(work - self->works);
	struct stream_event *event;

	if (!delete_may_begin(self, work))
		return;
	event = managed_call(self, EVENT_PROVIDER_DELETE, slot, 0, &work->call);
	if (!event) {
		work->due_ms = self->now_ms + MANAGED_RETRY_MS;
		return;
	}
	if (work->paced)
		self->delete_ms = self->now_ms + delete_turn_ms(self);
	work->turn = false;
	work->tries++;
	event->user_id = managed_text(self, state_user_of(&self->state, stream->user)->id);
	event->stream_id = managed_text(self, stream->id);
	event->epoch = stream->epoch;
	event->provider_delete.call = work->call;
	event->provider_delete.input_id = managed_input_of(self, work, stream);
}

static void delete_done(struct managed *self, struct managed_work *work,
			const struct stream_event *answer)
{
	enum call_outcome outcome = answer->provider_done.outcome;
	bool refused = outcome == CALL_REFUSED || outcome == CALL_UNCONFIGURED;

	if (work->stage != STAGE_DELETE)
		return;
	if (outcome == CALL_OK || outcome == CALL_GONE) {
		self->stats.deleted++;
		managed_tell_gone(self, work,
				  outcome == CALL_OK ? TEXT("deleted") : TEXT("was gone already"));
		return;
	}
	self->stats.deletes_refused += refused;
	work->paced = true;
	work->due_ms =
		self->now_ms + managed_delete_pause_ms(refused ? MANAGED_DELETE_PAUSE_MAX_MS
							       : self->options.delete_pause_ms,
						       work->tries, answer->provider_done.retry_ms);
}

/* ---- timers and answers ---- */

static void stage_step(struct managed *self, struct managed_work *work,
		       const struct state_stream *stream)
{
	switch ((enum managed_stage)work->stage) {
	case STAGE_NONE:
		return;
	case STAGE_CREATE:
	case STAGE_OUTPUTS:
	case STAGE_MADE:
	case STAGE_FAILED:
		managed_make_step(self, work, stream);
		return;
	case STAGE_START:
	case STAGE_LIVE:
		managed_look_step(self, work, stream);
		return;
	case STAGE_DELETE:
		delete_step(self, work, stream);
		return;
	case STAGE_SEARCH:
		work->due_ms = INT64_MAX; /* the comparison tells what it has found */
		managed_sweep_soon(self, self->now_ms);
		return;
	case STAGE_GONE:
		managed_tell_gone(self, work, TEXT("said again"));
		return;
	}
}

void managed_work_step(struct managed *self, struct managed_work *work)
{
	const struct state_stream *stream = managed_stream_of(self, work);

	assert(stream); /* a work ends with its record */
	if (work->call == 0 && work->due_ms <= self->now_ms)
		stage_step(self, work, stream);
	if (stream->phase != PHASE_CLOSED && work->outputs_ms <= self->now_ms)
		work->outputs_ms = managed_outputs_step(self, work, stream);
	managed_work_arm(self, work);
}

void managed_work_timers(struct managed *self)
{
	uint32_t budget = MANAGED_TIMERS_PER_CALL;

	while (effects_room(self->fx) >= MANAGED_WORK_ROOM &&
	       EFFECTS_ARENA_SIZE - self->fx->arena_used >= DETAIL_MAX) {
		uint32_t slot = wheel_next(&self->wheel, self->now_ms, &budget);

		if (slot == WHEEL_NONE)
			return;
		managed_work_step(self, &self->works[slot]);
	}
}

void managed_work_done(struct managed *self, const struct managed_call *call,
		       const struct stream_event *answer)
{
	if (call->slot == SLOT_AWAY) {
		managed_away_done(self, call, answer);
		return;
	}
	struct managed_work *work = &self->works[call->slot];

	if (call->output != 0) {
		managed_output_done(self, work, call, answer);
		return;
	}
	if (!work->used || work->call != call->number) {
		self->stats.answers_late++; /* the stream it was for is forgotten */
		return;
	}
	work->call = 0;
	if (!pool_replace(&self->texts, answer->provider_done.detail, &work->detail))
		pool_drop(&self->texts, &work->detail);
	if (call->type == EVENT_PROVIDER_CREATE)
		managed_make_done(self, work, answer);
	else if (call->type == EVENT_PROVIDER_DESCRIBE)
		managed_look_done(self, work, answer);
	else
		delete_done(self, work, answer);
	managed_work_arm(self, work);
}

/* ---- behind a snapshot ---- */

static void adopt(struct managed *self, const struct state_stream *stream)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);

	if (managed->input != INPUT_READY)
		return;
	struct stream_event *event = effects_add(
		self->fx, EFFECT_CALL, (struct peer){ ROLE_PROVIDER, 0 }, EVENT_PROVIDER_ADOPT);

	event->user_id = managed_text(self, state_user_of(&self->state, stream->user)->id);
	event->stream_id = managed_text(self, stream->id);
	event->epoch = stream->epoch;
	event->provider_adopt.input_id = managed_text(self, managed->input_id);
	event->provider_adopt.ingest = managed_text(self, stream->rtmp_url);
}

void managed_adopt_begin(struct managed *self)
{
	self->adopt_slot = 0;
	/* Turns that were given away are forgotten with their works; the last delete is not. */
	self->delete_turn_ms = self->delete_ms;
}

void managed_adopt_step(struct managed *self)
{
	for (unsigned looked = 0; looked < MANAGED_SLOTS_PER_CALL; looked++) {
		if (self->adopt_slot >= self->state.streams_fresh) {
			(void)effects_add(self->fx, EFFECT_CALL, (struct peer){ ROLE_PROVIDER, 0 },
					  EVENT_PROVIDER_ADOPT);
			self->adopt_slot = STATE_NONE;
			managed_sweep_soon(self, self->now_ms);
			return;
		}
		const struct state_stream *stream = state_stream_at(&self->state, self->adopt_slot);

		if (stream && managed_serves(self, stream)) {
			if (effects_room(self->fx) < MANAGED_WORK_ROOM)
				return;
			adopt(self, stream);
			managed_work_follow(self, stream);
			managed_work_of(self, stream)->paced = stream->phase == PHASE_CLOSED;
		}
		self->adopt_slot++;
	}
}
