/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "actors/managed-adapter/managed_internal.h"

static size_t aligned(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

static size_t text_bytes(const struct managed_options *options)
{
	size_t bytes = (size_t)options->state.streams_max * MANAGED_TEXT_BYTES;

	/* A page for each size, and whole ones. */
	return (bytes + 2 * POOL_SIZES * POOL_PAGE_SIZE) / POOL_PAGE_SIZE * POOL_PAGE_SIZE;
}

static bool same_input(const void *context, uint32_t slot, struct text key)
{
	const struct managed *self = context;

	return text_equal(pool_text(&self->texts, self->works[slot].input_id), key);
}

size_t managed_bytes(const struct managed_options *options)
{
	uint32_t streams_max = options->state.streams_max;

	return aligned(state_bytes(&options->state)) + aligned(asks_bytes()) +
	       aligned(wheel_bytes(streams_max)) + aligned(table_bytes(streams_max)) +
	       aligned(text_bytes(options)) + aligned(streams_max * sizeof(struct managed_work)) +
	       aligned(MANAGED_CALLS_MAX * sizeof(struct managed_call)) +
	       aligned(MANAGED_ADDS_MAX * sizeof(struct managed_add)) +
	       aligned(MANAGED_RATES * sizeof(struct managed_rate)) +
	       aligned(MANAGED_SEEN_MAX * sizeof(struct managed_seen)) +
	       aligned(MANAGED_KEPT_MAX * sizeof(struct managed_kept)) +
	       aligned(managed_away_max(options) * sizeof(struct managed_away)) + 64;
}

/* The next @bytes of @at. */
static void *cut(uint8_t **at, size_t bytes)
{
	void *piece = *at;

	*at += aligned(bytes);
	return piece;
}

void managed_init(struct managed *self, const struct managed_options *options, void *memory)
{
	uint8_t *at = (uint8_t *)aligned((uintptr_t)memory);
	uint32_t streams_max = options->state.streams_max;

	assert(options->deletes_per_s > 0);
	memset(self, 0, sizeof *self);
	self->options = *options;
	self->repeat_slot = self->adopt_slot = STATE_NONE;
	self->repeat_ms = self->sweep.due_ms = INT64_MAX;
	self->sweep.done_ms = -1;
	asks_init(&self->asks, &self->state, cut(&at, asks_bytes()));
	self->asks.act = managed_act;
	self->asks.context = self;
	wheel_init(&self->wheel, cut(&at, wheel_bytes(streams_max)), streams_max);
	table_init(&self->inputs, cut(&at, table_bytes(streams_max)), streams_max,
		   (struct table_keys){ .match = same_input,
					.context = self,
					.seed = options->state.hash_seed });
	pool_init(&self->texts, cut(&at, text_bytes(options)), text_bytes(options));
	self->works = cut(&at, streams_max * sizeof(struct managed_work));
	self->calls = cut(&at, MANAGED_CALLS_MAX * sizeof(struct managed_call));
	self->adds = cut(&at, MANAGED_ADDS_MAX * sizeof(struct managed_add));
	self->rates = cut(&at, MANAGED_RATES * sizeof(struct managed_rate));
	self->seen = cut(&at, MANAGED_SEEN_MAX * sizeof(struct managed_seen));
	self->kept = cut(&at, MANAGED_KEPT_MAX * sizeof(struct managed_kept));
	self->away = cut(&at, managed_away_max(options) * sizeof(struct managed_away));
	state_init(&self->state, &options->state, at);
}

const struct state_stream *managed_active(const struct managed *self, const struct state_user *user)
{
	const struct state_stream *active = state_active(&self->state, user);

	return active && active->kind == KIND_MANAGED ? active : NULL;
}

/* ---- the story ---- */

static void apply(struct managed *self, const struct stream_event *event)
{
	if (state_apply(&self->state, event) == STATE_E_FULL)
		self->stats.out_of_step++;
}

static void on_opened(struct managed *self, const struct stream_event *event)
{
	struct ask *ask = asks_find(&self->asks, event->origin, event->request);

	apply(self, event);
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (!stream || stream->seq != event->seq || !self->asks.synced)
		return;
	struct managed_work *work = managed_work_of(self, stream);

	managed_work_follow(self, stream);
	if (work->used) {
		work->doubt = false; /* nobody can have made anything before */
		managed_work_step(self, work);
	}
	if (!ask)
		return;
	managed_outputs_open(self, work, stream, ask);
	managed_ask_story(self, ask, stream);
}

/* What is published carries no secret: the answer that led to it does.  It must be of that very
 * input: a provider that was asked twice may have made two.
 */
static struct text ingest_of(const struct managed *self, const struct state_stream *stream,
			     struct text input_id)
{
	const struct managed_work *work = managed_work_of(self, stream);

	if (text_equal(pool_text(&self->texts, work->made[MADE_ID]), input_id))
		return pool_text(&self->texts, work->made[MADE_INGEST]);
	return managed_kept_ingest(self, managed_text(self, stream->id), input_id);
}

static void on_provisioned(struct managed *self, const struct state_stream *stream,
			   const struct stream_event *event)
{
	struct stream_event provisioned = *event;

	provisioned.stream_provisioned.ingest =
		ingest_of(self, stream, event->stream_provisioned.input_id);
	apply(self, &provisioned);
	if (!self->asks.synced)
		return;
	if (stream->phase != PHASE_CLOSED) {
		managed_deliver_start(self, stream);
		managed_tell_all(
			self, stream,
			&(struct managed_words){ .status = "initializing",
						 .message = TEXT("Waiting for stream to start..."),
						 .stream_seq = event->stream_seq });
		managed_asks_provisioned(self, event->stream_id);
	}
	managed_work_follow(self, stream);
}

static void on_joined(struct managed *self, const struct state_stream *stream,
		      const struct stream_event *event)
{
	struct ask *ask = asks_find(&self->asks, event->origin, event->request);

	apply(self, event);
	if (!self->asks.synced || stream->phase == PHASE_CLOSED)
		return;
	if (state_managed_of(&self->state, stream)->input == INPUT_READY) {
		managed_tell_app(self, stream, event->stream_joined.package,
				 &(struct managed_words){ .status = "active",
							  .reply = true,
							  .stream_seq = event->stream_seq });
		if (ask)
			ask->replied = true;
	}
	if (ask)
		managed_ask_story(self, ask, stream);
}

static void on_left(struct managed *self, const struct state_stream *stream,
		    const struct stream_event *event)
{
	apply(self, event);
	if (!self->asks.synced)
		return;
	managed_tell_owed(self, stream);
	managed_asks_left(self, event->stream_id, event->stream_left.package);
}

static void on_status(struct managed *self, const struct state_stream *stream,
		      const struct stream_event *event)
{
	apply(self, event);
	if (stream->status_seq != event->seq || !self->asks.synced)
		return;
	managed_tell_all(self, stream,
			 &(struct managed_words){ .status = phase_app_word(stream->phase),
						  .stream_seq = event->stream_seq });
	managed_work_follow(self, stream);
	enum device_status said = event->stream_status.status;

	if (said == DEVICE_STREAMING || said == DEVICE_ACTIVE)
		managed_work_look_soon(self, managed_work_of(self, stream));
}

static void on_playback(struct managed *self, const struct state_stream *stream,
			const struct stream_event *event)
{
	bool live = event->stream_playback.playback == PLAYBACK_LIVE;

	apply(self, event);
	if (!self->asks.synced || stream->phase == PHASE_CLOSED)
		return;
	managed_work_follow(self, stream);
	if (live || event->stream_playback.playback == PLAYBACK_DETAILS)
		managed_tell_all(
			self, stream,
			&(struct managed_words){ .status = "active",
						 .message = live ? TEXT("Stream is now live")
								 : TEXT("Stream details updated"),
						 .preview = true,
						 .thumbnail = !live,
						 .stream_seq = event->stream_seq });
}

static bool is_accepted(enum output_state state)
{
	return state == OUTPUT_IDLE || state == OUTPUT_ACTIVE || state == OUTPUT_ERROR ||
	       state == OUTPUT_REMOVING;
}

/* Apps see outputs that the provider has taken, from then on until they are removed. */
static void on_output(struct managed *self, const struct state_stream *stream,
		      const struct stream_event *event)
{
	const struct state_output *output =
		state_output_find(&self->state, stream, event->stream_output.output);
	enum output_state before = output ? (enum output_state)output->state : OUTPUT_NONE;
	enum output_state after = event->stream_output.state;
	bool initial = output ? output->initial : event->stream_output.initial;
	struct stream_event told = *event;

	told.stream_output.url = managed_output_url(self, stream, event);
	apply(self, &told);
	if (!self->asks.synced || stream->phase == PHASE_CLOSED)
		return;
	bool news = !initial && ((!is_accepted(before) && is_accepted(after)) ||
				 (is_accepted(before) && after == OUTPUT_REMOVED));
	bool changed = is_accepted(before) != is_accepted(after) ||
		       (is_accepted(after) && after != OUTPUT_REMOVING && after != before);

	if (changed && state_managed_of(&self->state, stream)->input == INPUT_READY)
		managed_tell_all(self, stream,
				 &(struct managed_words){
					 .status = news ? "active" : phase_app_word(stream->phase),
					 .message = TEXT("Outputs updated"),
					 .stream_seq = event->stream_seq });
	managed_asks_output(self, event->stream_id, event);
	managed_work_follow(self, stream);
}

/* The record may be gone once the event is applied: then nobody has to be told any more, but who
 * still waits for an answer.
 */
static void on_closed(struct managed *self, const struct state_stream *stream,
		      const struct stream_event *event)
{
	bool begun = stream->phase != PHASE_REQUESTED;
	struct text detail = event->stream_closed.detail;
	struct refusal refusal = { 0 };

	apply(self, event);
	if (!self->asks.synced)
		return;
	if (!begun && event->stream_closed.end_cause == END_PROVIDER_ERROR)
		asks_refuse(&refusal, "INTERNAL_ERROR", "Failed to create live stream: %.*s",
			    (int)detail.length, detail.length > 0 ? detail.bytes : "");
	stream = state_stream_find(&self->state, event->stream_id);
	if (stream) {
		managed_tell_owed(self, stream);
		if (stream->stop_owed)
			asks_deliver_stop(&self->asks, stream);
		managed_work_follow(self, stream);
	}
	managed_asks_closed(self, event->stream_id, &refusal);
}

/* By whichever life of ours: what is left of the record, if anything, owes no input any more. */
static void on_settled(struct managed *self, const struct stream_event *event)
{
	apply(self, event);
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (stream && self->asks.synced)
		managed_work_follow(self, stream);
}

static void on_managed(struct managed *self, const struct state_stream *stream,
		       const struct stream_event *event)
{
	switch (event->type) {
	case EVENT_STREAM_INPUT_SETTLED:
		on_settled(self, event);
		return;
	case EVENT_STREAM_JOINED:
		on_joined(self, stream, event);
		return;
	case EVENT_STREAM_LEFT:
		on_left(self, stream, event);
		return;
	case EVENT_STREAM_PROVISIONED:
		on_provisioned(self, stream, event);
		return;
	case EVENT_STREAM_PLAYBACK:
		on_playback(self, stream, event);
		return;
	case EVENT_STREAM_OUTPUT:
		on_output(self, stream, event);
		return;
	case EVENT_STREAM_STATUS:
		on_status(self, stream, event);
		return;
	case EVENT_STREAM_CLOSED:
		on_closed(self, stream, event);
		return;
	default:
		apply(self, event);
		return;
	}
}

static void on_user(struct managed *self, const struct stream_event *event)
{
	apply(self, event);
	const struct state_user *user = state_user_find(&self->state, event->user_id);

	if (user && self->asks.synced)
		managed_settle_user(self, user);
}

static void on_story(struct managed *self, const struct stream_event *event)
{
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);
	uint32_t slot = stream ? (uint32_t)(stream - self->state.streams) : STATE_NONE;

	if (self->asks.synced)
		self->asks.seq = event->seq; /* and the cause of what it makes us say */
	if (event->type == EVENT_STREAM_OPENED && event->stream_opened.kind == KIND_MANAGED)
		on_opened(self, event);
	else if (event->type == EVENT_LINK_CHANGED || event->type == EVENT_SESSION_READY)
		on_user(self, event);
	else if (stream && stream->kind == KIND_MANAGED)
		on_managed(self, stream, event);
	else
		apply(self, event);
	if (slot != STATE_NONE && !state_stream_find(&self->state, event->stream_id))
		managed_work_end(self, slot);
	asks_parked_step(&self->asks);
}

/* ---- everything else ---- */

/* What was said while a gateway was away is lost, the last word of a stream included. */
static void repeat_soon(struct managed *self)
{
	self->repeat_words = true;
	self->repeat_slot = STATE_NONE;
	self->repeat_ms = self->now_ms;
}

static void on_tick(struct managed *self)
{
	asks_expire(&self->asks);
	if (!self->asks.synced)
		return;
	asks_parked_step(&self->asks);
	if (self->adopt_slot != STATE_NONE) {
		managed_adopt_step(self);
		return; /* what is owed can wait until it is known what is in use */
	}
	managed_answered_step(self);
	managed_work_timers(self);
	if (self->sweep.due_ms <= self->now_ms)
		managed_sweep_step(self);
	if (self->repeat_slot == STATE_NONE && self->repeat_ms <= self->now_ms) {
		self->repeat_slot = 0;
		self->in_use = self->owed = 0;
	}
	if (self->repeat_slot != STATE_NONE)
		managed_repeat_step(self);
}

static void on_answer(struct managed *self, const struct stream_event *event)
{
	uint64_t number = event->type == EVENT_PROVIDER_PAGE ? event->provider_page.call
							     : event->provider_done.call;
	enum call_outcome outcome = event->type == EVENT_PROVIDER_PAGE
					    ? event->provider_page.outcome
					    : event->provider_done.outcome;
	struct managed_call call;

	if (!managed_call_answered(self, number, &call))
		return;
	self->stats.outcomes[outcome < CALL_OUTCOME_COUNT ? outcome : CALL_NONE]++;
	if (call.slot == STATE_NONE)
		managed_sweep_answer(self, &call, event);
	else
		managed_work_done(self, &call, event);
}

static void on_message(struct managed *self, const struct input *input)
{
	switch (input->event->type) {
	case EVENT_REQUEST_WATCH:
	case EVENT_REQUEST_STOP:
	case EVENT_REQUEST_OUTPUT_ADD:
	case EVENT_REQUEST_OUTPUT_REMOVE:
	case EVENT_REQUEST_OUTPUT_LIST:
		asks_take(&self->asks, input);
		return;
	case EVENT_STREAM_RESULT:
		managed_on_result(self, input->event);
		asks_parked_step(&self->asks);
		return;
	case EVENT_PROVIDER_DONE:
	case EVENT_PROVIDER_PAGE:
		on_answer(self, input->event);
		return;
	case EVENT_PROVIDER_HINT:
		managed_on_hint(self, input->event);
		return;
	case EVENT_PROVIDER_OUTPUT_HINT:
		managed_on_output_hint(self, input->event);
		return;
	case EVENT_PROVIDER_ASK:
		managed_on_ask(self, input);
		return;
	default:
		return; /* the role table lets nothing else through, but request.start */
	}
}

static void on_synced(struct managed *self, uint64_t seq)
{
	if (!self->asks.synced)
		repeat_soon(self);
	self->asks.synced = true;
	self->asks.seq = seq;
	managed_away_return(self);
	managed_asks_synced(self);
	if (self->options.provider != PROVIDER_NONE)
		managed_adopt_begin(self);
	asks_parked_step(&self->asks);
}

void managed_handle(struct managed *self, const struct input *input, int64_t now_ms,
		    struct effects *fx)
{
	effects_clear(fx);
	state_settle(&self->state);
	pool_settle(&self->texts);
	asks_begin(&self->asks, fx, now_ms);
	self->fx = fx;
	self->now_ms = now_ms;
	wheel_settle(&self->wheel, now_ms);
	switch (input->type) {
	case INPUT_TICK:
		on_tick(self);
		break;
	case INPUT_MESSAGE:
		on_message(self, input);
		break;
	case INPUT_STORY:
		on_story(self, input->event);
		break;
	case INPUT_RESYNC:
		managed_works_clear(self);
		managed_sweep_stop(self);
		state_clear(&self->state);
		self->asks.synced = false;
		self->repeat_slot = self->adopt_slot = STATE_NONE;
		break;
	case INPUT_SYNCED:
		on_synced(self, input->seq);
		break;
	case INPUT_PEER_UP:
		if (input->peer.role == ROLE_GATEWAY && self->asks.synced)
			repeat_soon(self);
		if (input->peer.role == ROLE_REGISTRY)
			asks_again(&self->asks);
		break;
	case INPUT_BLIND:
	case INPUT_PEER_DOWN:
		break;
	}
	self->fx = NULL;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t managed_deadline(const struct managed *self)
{
	int64_t deadline = asks_deadline(&self->asks);

	if (!self->asks.synced)
		return deadline;
	if (self->repeat_slot != STATE_NONE || self->adopt_slot != STATE_NONE)
		return 0;
	deadline = sooner(deadline, self->repeat_ms);
	if (managed_answered_due(self))
		deadline = sooner(deadline, self->now_ms);
	deadline = sooner(deadline, self->sweep.due_ms);
	return sooner(deadline, wheel_deadline(&self->wheel));
}
