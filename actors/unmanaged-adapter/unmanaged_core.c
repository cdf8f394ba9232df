/* SPDX-License-Identifier: MIT */
#include "actors/unmanaged-adapter/unmanaged_internal.h"

static size_t aligned(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

size_t unmanaged_bytes(const struct unmanaged_options *options)
{
	return aligned(state_bytes(&options->state)) +
	       aligned(PENDING_MAX * sizeof(struct unmanaged_pending)) + PENDING_TEXT_BYTES + 64;
}

void unmanaged_init(struct unmanaged *self, const struct unmanaged_options *options, void *memory)
{
	uint8_t *at = (uint8_t *)aligned((uintptr_t)memory);

	memset(self, 0, sizeof *self);
	self->options = *options;
	self->reconcile_slot = STATE_NONE;
	self->reconcile_ms = INT64_MAX;
	self->pending = (struct unmanaged_pending *)at;
	at += aligned(PENDING_MAX * sizeof(struct unmanaged_pending));
	pool_init(&self->texts, at, PENDING_TEXT_BYTES);
	at += PENDING_TEXT_BYTES;
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
	struct unmanaged_pending *pending =
		unmanaged_pending_find(self, event->origin, event->request);
	struct stream_event opened = *event;

	if (pending)
		opened.stream_opened.rtmp_url = pool_text(&self->texts, pending->rtmp_url);
	apply(self, &opened);
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (!stream || stream->seq != event->seq)
		return;
	if (self->synced) {
		unmanaged_deliver_start(self, stream);
		unmanaged_notify(self, stream, phase_app_word(stream->phase), false, true, true);
	}
	if (pending)
		unmanaged_on_story_of(self, pending);
}

static void on_status(struct unmanaged *self, const struct stream_event *event)
{
	apply(self, event);
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (stream && stream->status_seq == event->seq && self->synced)
		unmanaged_notify(self, stream, phase_app_word(stream->phase), false, true, true);
}

/* The record may be gone once the event is applied, so it is spoken for as it was: the words of the
 * end are in the event.
 */
static void on_closed(struct unmanaged *self, const struct stream_event *event)
{
	struct state_stream ended = *state_stream_find(&self->state, event->stream_id);

	if (state_apply(&self->state, event) != 0 || !self->synced)
		return;
	ended.status_stream_seq = event->stream_seq;
	unmanaged_notify(self, &ended,
			 phase_end_rule(KIND_UNMANAGED, event->stream_closed.end_cause)->word, true,
			 event->stream_closed.told_owed, true);
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (stream && stream->stop_owed)
		unmanaged_deliver_stop(self, stream);
}

static bool is_unmanaged(const struct unmanaged *self, const struct stream_event *event)
{
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	return stream && stream->kind == KIND_UNMANAGED;
}

static void on_user(struct unmanaged *self, const struct stream_event *event)
{
	apply(self, event);
	const struct state_user *user = state_user_find(&self->state, event->user_id);

	if (user && self->synced)
		unmanaged_settle_user(self, user);
}

static void on_story(struct unmanaged *self, const struct stream_event *event)
{
	if (self->synced)
		self->seq = event->seq; /* and the cause of what it makes us say */
	switch (event->type) {
	case EVENT_STREAM_OPENED:
		if (event->stream_opened.kind == KIND_UNMANAGED)
			on_opened(self, event);
		else
			apply(self, event);
		break;
	case EVENT_STREAM_STATUS:
		if (is_unmanaged(self, event))
			on_status(self, event);
		else
			apply(self, event);
		break;
	case EVENT_STREAM_CLOSED:
		if (is_unmanaged(self, event))
			on_closed(self, event);
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
	if (self->parked > 0)
		unmanaged_parked_step(self);
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
	unmanaged_expire(self);
	if (!self->synced)
		return;
	unmanaged_parked_step(self);
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
		unmanaged_on_request(self, input);
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
	pool_settle(&self->texts);
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
		self->synced = false;
		self->reconcile_slot = STATE_NONE;
		break;
	case INPUT_SYNCED:
		if (!self->synced)
			reconcile_soon(self);
		self->synced = true;
		self->seq = input->seq;
		unmanaged_answered_step(self);
		unmanaged_parked_step(self);
		break;
	case INPUT_PEER_UP:
		if (input->peer.role == ROLE_GATEWAY && self->synced)
			reconcile_soon(self);
		if (input->peer.role == ROLE_REGISTRY)
			unmanaged_ask_again(self);
		break;
	case INPUT_BLIND:
	case INPUT_PEER_DOWN:
		break;
	}
	self->fx = NULL;
}

int64_t unmanaged_deadline(const struct unmanaged *self)
{
	int64_t deadline = self->synced ? self->reconcile_ms : INT64_MAX;

	if (self->reconcile_slot != STATE_NONE)
		return 0;
	for (unsigned i = 0; i < self->pending_high; i++)
		if (unmanaged_gives_up_ms(&self->pending[i]) < deadline)
			deadline = unmanaged_gives_up_ms(&self->pending[i]);
	return deadline;
}
