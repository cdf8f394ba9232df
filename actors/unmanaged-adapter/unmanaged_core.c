/* SPDX-License-Identifier: MIT */
#include "actors/unmanaged-adapter/unmanaged_internal.h"

static size_t aligned(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

size_t unmanaged_bytes(const struct unmanaged_options *options)
{
	return aligned(state_bytes(&options->state)) + aligned(asks_bytes()) + 64;
}

void unmanaged_init(struct unmanaged *self, const struct unmanaged_options *options, void *memory)
{
	uint8_t *at = (uint8_t *)aligned((uintptr_t)memory);

	memset(self, 0, sizeof *self);
	self->options = *options;
	self->reconcile_slot = STATE_NONE;
	self->reconcile_ms = INT64_MAX;
	asks_init(&self->asks, &self->state, at);
	self->asks.act = unmanaged_act;
	self->asks.context = self;
	at += aligned(asks_bytes());
	state_init(&self->state, &options->state, at);
}

static void apply(struct unmanaged *self, const struct stream_event *event)
{
	if (state_apply(&self->state, event) == STATE_E_FULL)
		self->stats.out_of_step++;
}

/* What is published carries no secret: the request that led to it does. */
static void on_opened(struct unmanaged *self, const struct stream_event *event)
{
	struct ask *ask = asks_find(&self->asks, event->origin, event->request);
	struct stream_event opened = *event;

	if (ask)
		opened.stream_opened.rtmp_url = asks_text(&self->asks, ask, ASK_URL);
	apply(self, &opened);
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (!stream || stream->seq != event->seq)
		return;
	if (self->asks.synced) {
		unmanaged_deliver_start(self, stream);
		unmanaged_notify(self, stream, phase_app_word(stream->phase), false, true, true);
	}
	/* Now a stop that follows finds the stream. */
	if (ask && asks_on_story(ask))
		asks_done(&self->asks, ask, NULL);
}

static void on_status(struct unmanaged *self, const struct state_stream *stream,
		      const struct stream_event *event)
{
	apply(self, event);
	if (stream->status_seq == event->seq && self->asks.synced)
		unmanaged_notify(self, stream, phase_app_word(stream->phase), false, true, true);
}

/* The record may be gone once the event is applied, so it is spoken for as it was: the words of the
 * end are in the event.
 */
static void on_closed(struct unmanaged *self, const struct state_stream *closing,
		      const struct stream_event *event)
{
	struct state_stream ended = *closing;

	if (state_apply(&self->state, event) != 0 || !self->asks.synced)
		return;
	ended.status_stream_seq = event->stream_seq;
	unmanaged_notify(self, &ended,
			 phase_end_rule(KIND_UNMANAGED, event->stream_closed.end_cause)->word, true,
			 event->stream_closed.told_owed, true);
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (stream && stream->stop_owed)
		asks_deliver_stop(&self->asks, stream);
}

/* The stream that @event is about, if it is one of ours; else NULL. */
static const struct state_stream *own_stream(const struct unmanaged *self,
					     const struct stream_event *event)
{
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	return stream && stream->kind == KIND_UNMANAGED ? stream : NULL;
}

static void on_user(struct unmanaged *self, const struct stream_event *event)
{
	apply(self, event);
	const struct state_user *user = state_user_find(&self->state, event->user_id);

	if (user && self->asks.synced)
		unmanaged_settle_user(self, user);
}

static void on_story(struct unmanaged *self, const struct stream_event *event)
{
	const struct state_stream *stream = own_stream(self, event);

	if (self->asks.synced)
		self->asks.seq = event->seq; /* and the cause of what it makes us say */
	switch (event->type) {
	case EVENT_STREAM_OPENED:
		if (event->stream_opened.kind == KIND_UNMANAGED)
			on_opened(self, event);
		else
			apply(self, event);
		break;
	case EVENT_STREAM_STATUS:
		if (stream)
			on_status(self, stream, event);
		else
			apply(self, event);
		break;
	case EVENT_STREAM_CLOSED:
		if (stream)
			on_closed(self, stream, event);
		else
			apply(self, event);
		break;
	case EVENT_LINK_CHANGED:
	case EVENT_SESSION_READY:
		on_user(self, event);
		break;
	default:
		apply(self, event);
		break;
	}
	asks_parked_step(&self->asks);
}

/* What was said while a gateway was away is lost, the last word of a stream included. */
static void reconcile_soon(struct unmanaged *self)
{
	self->reconcile_words = true;
	self->reconcile_slot = STATE_NONE;
	self->reconcile_ms = self->now_ms;
}

static void on_tick(struct unmanaged *self)
{
	asks_expire(&self->asks);
	if (!self->asks.synced)
		return;
	if (self->answered_more)
		unmanaged_answered_step(self);
	asks_parked_step(&self->asks);
	if (self->reconcile_slot == STATE_NONE && self->reconcile_ms <= self->now_ms)
		self->reconcile_slot = 0;
	if (self->reconcile_slot != STATE_NONE)
		unmanaged_reconcile_step(self);
}

static void on_message(struct unmanaged *self, const struct input *input)
{
	switch (input->event->type) {
	case EVENT_REQUEST_START:
	case EVENT_REQUEST_STOP:
		asks_take(&self->asks, input);
		return;
	case EVENT_STREAM_RESULT:
		unmanaged_on_result(self, input->event);
		return;
	default:
		return; /* the role table lets nothing else through */
	}
}

void unmanaged_handle(struct unmanaged *self, const struct input *input, int64_t now_ms,
		      struct effects *fx)
{
	effects_clear(fx);
	state_settle(&self->state);
	asks_begin(&self->asks, fx, now_ms);
	self->fx = fx;
	self->now_ms = now_ms;
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
		state_clear(&self->state);
		self->asks.synced = false;
		self->answered_more = false;
		self->reconcile_slot = STATE_NONE;
		break;
	case INPUT_SYNCED:
		if (!self->asks.synced)
			reconcile_soon(self);
		self->asks.synced = true;
		self->asks.seq = input->seq;
		unmanaged_asks_synced(self);
		asks_parked_step(&self->asks);
		break;
	case INPUT_PEER_UP:
		if (input->peer.role == ROLE_GATEWAY && self->asks.synced)
			reconcile_soon(self);
		if (input->peer.role == ROLE_REGISTRY)
			asks_again(&self->asks);
		break;
	case INPUT_BLIND:
	case INPUT_PEER_DOWN:
		break;
	}
	self->fx = NULL;
}

int64_t unmanaged_deadline(const struct unmanaged *self)
{
	int64_t deadline = self->asks.synced ? self->reconcile_ms : INT64_MAX;
	int64_t asks_ms = asks_deadline(&self->asks);

	if (self->reconcile_slot != STATE_NONE || self->answered_more)
		return 0;
	return asks_ms < deadline ? asks_ms : deadline;
}
