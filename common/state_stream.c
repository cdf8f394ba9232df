/* SPDX-License-Identifier: MIT */
/* Streams: the user's one active slot, and the closed ones that still owe something. */
#include <assert.h>

#include "common/phase.h"
#include "common/state_internal.h"

static struct pooled *const *texts_of(struct state_stream *stream, struct pooled *texts[10])
{
	texts[0] = &stream->id;
	texts[1] = &stream->package;
	texts[2] = &stream->rtmp_url;
	texts[3] = &stream->video;
	texts[4] = &stream->audio;
	texts[5] = &stream->options;
	texts[6] = &stream->by;
	texts[7] = &stream->detail;
	texts[8] = &stream->told_id;
	texts[9] = &stream->stop_app_id;
	return texts;
}

static void stream_free(struct state *self, struct state_stream *stream)
{
	uint32_t slot = (uint32_t)(stream - self->streams);
	struct pooled *texts[10];

	(void)table_remove(&self->stream_index, state_text(self, stream->id));
	texts_of(stream, texts);
	for (unsigned i = 0; i < 10; i++)
		pool_drop(&self->pool, texts[i]);
	if (stream->kind == KIND_MANAGED)
		state_managed_free(self, stream);
	self->users[stream->user].streams--;
	*stream = (struct state_stream){ .next = self->streams_free };
	self->streams_free = slot;
	self->streams_count--;
}

/* Once started and told, nobody needs what the start carried; and the secret is gone. */
static void forget_start(struct state *self, struct state_stream *stream)
{
	pool_drop(&self->pool, &stream->video);
	pool_drop(&self->pool, &stream->audio);
	pool_drop(&self->pool, &stream->options);
}

static void unlink_liability(struct state *self, struct state_user *user,
			     struct state_stream *stream)
{
	uint32_t slot = (uint32_t)(stream - self->streams);

	for (uint32_t *at = &user->liabilities; *at != STATE_NONE; at = &self->streams[*at].next)
		if (*at == slot) {
			*at = stream->next;
			return;
		}
}

void state_stream_release(struct state *self, struct state_stream *stream)
{
	struct state_user *user = &self->users[stream->user];
	uint32_t user_slot = stream->user;

	if (stream->stop_owed || stream->told_owed || stream->input_owed)
		return;
	unlink_liability(self, user, stream);
	stream_free(self, stream);
	state_user_release(self, user_slot);
}

static struct state_stream *stream_take(struct state *self, struct state_user *user, struct text id)
{
	uint32_t slot = self->streams_free;

	if (slot != STATE_NONE)
		self->streams_free = self->streams[slot].next;
	else if (self->streams_fresh < self->options.streams_max)
		slot = self->streams_fresh++;
	else
		return NULL;
	struct state_stream *stream = &self->streams[slot];

	*stream =
		(struct state_stream){ .user = (uint32_t)(user - self->users), .next = STATE_NONE };
	if (!pool_keep(&self->pool, id, &stream->id)) {
		*stream = (struct state_stream){ .next = self->streams_free };
		self->streams_free = slot;
		return NULL;
	}
	bool indexed = table_insert(&self->stream_index, id, slot);

	assert(indexed); /* it has as many places as there are slots */
	user->streams++;
	self->streams_count++;
	return stream;
}

/* Rows made while the story went on may show two: the older one's end has not been heard yet. */
static void occupy(struct state *self, struct state_user *user, struct state_stream *stream)
{
	const struct state_stream *holder = state_active(self, user);

	if (holder && holder->epoch > stream->epoch)
		return;
	self->active_count += user->active == STATE_NONE;
	user->active = (uint32_t)(stream - self->streams);
}

static void vacate(struct state *self, struct state_user *user, const struct state_stream *stream)
{
	if (user->active != (uint32_t)(stream - self->streams))
		return;
	user->active = STATE_NONE;
	self->active_count--;
}

static void become_liability(struct state *self, struct state_stream *stream)
{
	struct state_user *user = &self->users[stream->user];

	vacate(self, user, stream);
	stream->next = user->liabilities;
	user->liabilities = (uint32_t)(stream - self->streams);
}

/* An event that changes nothing leaves no user behind whom it made or woke. */
static int leave(struct state *self, const struct state_user *user, int outcome)
{
	state_user_release(self, (uint32_t)(user - self->users));
	return outcome;
}

void state_keep_or_drop(struct state *self, struct text text, struct pooled *kept)
{
	if (!pool_replace(&self->pool, text, kept))
		pool_drop(&self->pool, kept);
}

void state_stream_stamp(struct state_stream *stream, const struct stream_event *event)
{
	stream->seq = event->seq;
	stream->stream_seq = event->stream_seq;
	stream->activity_ms = event->sent_ms;
}

void state_stream_visible(struct state_stream *stream, const struct stream_event *event)
{
	stream->status_seq = event->seq;
	stream->status_stream_seq = event->stream_seq;
}

static int on_opened(struct state *self, const struct stream_event *event)
{
	if (event->stream_id.length == 0 || event->stream_opened.kind == KIND_NONE ||
	    state_stream_find(self, event->stream_id))
		return STATE_E_OLD;
	struct state_user *user = state_user_need(self, event->user_id);

	if (!user)
		return STATE_E_FULL;
	if (event->epoch <= user->last_epoch)
		return leave(self, user, STATE_E_OLD);
	struct state_stream *stream = stream_take(self, user, event->stream_id);

	if (!stream)
		return leave(self, user, STATE_E_FULL);
	stream->kind = (uint8_t)event->stream_opened.kind;
	stream->phase = PHASE_REQUESTED;
	stream->epoch = user->last_epoch = event->epoch;
	stream->created_ms = event->sent_ms;
	stream->opened_seq = stream->activity_seq = event->seq;
	stream->last_ack_age_ms = -1;
	occupy(self, user, stream);
	state_stream_stamp(stream, event);
	state_stream_visible(stream, event);
	if (stream->kind == KIND_MANAGED) {
		state_managed_init(self, stream);
		if (!state_managed_open(self, stream, event))
			return STATE_E_FULL;
	}
	if (!pool_keep(&self->pool, event->stream_opened.package, &stream->package) ||
	    !pool_keep(&self->pool, event->stream_opened.rtmp_url, &stream->rtmp_url) ||
	    !pool_keep(&self->pool, event->stream_opened.video, &stream->video) ||
	    !pool_keep(&self->pool, event->stream_opened.audio, &stream->audio) ||
	    !pool_keep(&self->pool, event->stream_opened.options, &stream->options))
		return STATE_E_FULL;
	return 0;
}

static int on_status(struct state *self, struct state_stream *stream,
		     const struct stream_event *event)
{
	state_stream_stamp(stream, event);
	if (event->stream_status.status != DEVICE_NONE || stream->kind == KIND_MANAGED) {
		state_stream_visible(stream, event);
		stream->status = (uint8_t)event->stream_status.status;
	}
	stream->activity_seq = event->seq;
	stream->phase = (uint8_t)event->stream_status.phase;
	stream->was_live |= stream->phase == PHASE_LIVE;
	stream->missed = 0;
	if (!stream->start_delivered) {
		stream->start_delivered = true; /* a device that talks about it has got it */
		forget_start(self, stream);
	}
	state_keep_or_drop(self, event->stream_status.detail, &stream->detail);
	return 0;
}

static int on_moved(struct state *self, struct state_stream *stream,
		    const struct stream_event *event)
{
	state_stream_stamp(stream, event);
	stream->activity_seq = event->seq;
	stream->phase = (uint8_t)event->stream_moved.phase;
	stream->missed = event->stream_moved.missed;
	if (event->stream_moved.start_delivered && !stream->start_delivered) {
		stream->start_delivered = true;
		forget_start(self, stream);
	}
	return 0;
}

static int on_closed(struct state *self, struct state_stream *stream,
		     const struct stream_event *event)
{
	state_stream_stamp(stream, event);
	state_stream_visible(stream, event);
	become_liability(self, stream);
	stream->closed_ms = event->sent_ms;
	stream->end_cause = (uint8_t)event->stream_closed.end_cause;
	stream->hop = (uint8_t)event->stream_closed.hop;
	stream->status = (uint8_t)event->stream_closed.status;
	stream->link_state = (uint8_t)event->stream_closed.link_state;
	stream->missed = event->stream_closed.missed;
	stream->last_ack_age_ms = event->stream_closed.last_ack_age_ms;
	stream->stop_owed = event->stream_closed.stop_owed;
	stream->told_owed = event->stream_closed.told_owed;
	if (stream->kind == KIND_MANAGED)
		state_managed_close(self, stream, event);
	stream->phase = PHASE_CLOSED;
	forget_start(self, stream);
	pool_drop(&self->pool, &stream->rtmp_url);
	state_keep_or_drop(self, event->stream_closed.by, &stream->by);
	state_keep_or_drop(self, event->stream_closed.detail, &stream->detail);
	/* A stop without its words still stops. */
	state_keep_or_drop(self, event->stream_closed.told_id, &stream->told_id);
	state_keep_or_drop(self, event->stream_closed.stop_app_id, &stream->stop_app_id);
	state_stream_release(self, stream);
	return 0;
}

static bool keep_row_texts(struct state *self, struct state_stream *stream,
			   const struct stream_event *event)
{
	return pool_replace(&self->pool, event->snapshot_stream.package, &stream->package) &&
	       pool_replace(&self->pool, event->snapshot_stream.rtmp_url, &stream->rtmp_url) &&
	       pool_replace(&self->pool, event->snapshot_stream.video, &stream->video) &&
	       pool_replace(&self->pool, event->snapshot_stream.audio, &stream->audio) &&
	       pool_replace(&self->pool, event->snapshot_stream.options, &stream->options) &&
	       pool_replace(&self->pool, event->snapshot_stream.told_id, &stream->told_id) &&
	       pool_replace(&self->pool, event->snapshot_stream.stop_app_id, &stream->stop_app_id);
}

static void read_row(struct state_stream *stream, const struct stream_event *event)
{
	state_stream_stamp(stream, event);
	stream->kind = (uint8_t)event->snapshot_stream.kind;
	stream->phase = (uint8_t)event->snapshot_stream.phase;
	stream->epoch = event->epoch;
	stream->created_ms = event->snapshot_stream.created_ms;
	stream->activity_ms = event->snapshot_stream.activity_ms;
	stream->opened_seq = event->snapshot_stream.opened_seq;
	stream->activity_seq = event->snapshot_stream.phase_seq;
	stream->status_seq = event->snapshot_stream.status_seq;
	stream->status_stream_seq = event->snapshot_stream.status_stream_seq;
	stream->missed = event->snapshot_stream.missed;
	stream->start_delivered = event->snapshot_stream.start_delivered;
	stream->was_live = event->snapshot_stream.was_live;
	stream->stop_owed = event->snapshot_stream.stop_owed;
	stream->told_owed = event->snapshot_stream.told_owed;
	stream->end_cause = (uint8_t)event->snapshot_stream.end_cause;
	stream->hop = (uint8_t)event->snapshot_stream.hop;
	stream->closed_ms = event->snapshot_stream.closed_ms;
	stream->status = (uint8_t)event->snapshot_stream.status;
	stream->link_state = (uint8_t)event->snapshot_stream.link_state;
	stream->last_ack_age_ms = event->snapshot_stream.last_ack_age_ms;
}

static bool is_record(const struct stream_event *row)
{
	return row->stream_id.length > 0 && row->snapshot_stream.kind != KIND_NONE &&
	       (phase_active(row->snapshot_stream.phase) ||
		(row->snapshot_stream.phase == PHASE_CLOSED &&
		 row->snapshot_stream.end_cause != END_NONE));
}

static int on_row(struct state *self, const struct stream_event *event)
{
	struct state_stream *stream = state_stream_find(self, event->stream_id);

	if (!is_record(event) ||
	    (stream && (event->seq <= stream->seq || event->snapshot_stream.kind != stream->kind)))
		return STATE_E_OLD;
	const bool fresh = !stream;
	struct state_user *user = state_user_need(self, event->user_id);

	if (!user)
		return STATE_E_FULL;
	if (!stream && !(stream = stream_take(self, user, event->stream_id)))
		return leave(self, user, STATE_E_FULL);
	if (&self->users[stream->user] != user)
		return leave(self, user, STATE_E_OLD);
	vacate(self, user, stream);
	unlink_liability(self, user, stream);
	read_row(stream, event);
	if (stream->kind == KIND_MANAGED && fresh)
		state_managed_init(self, stream);
	else if (stream->kind == KIND_MANAGED)
		state_managed_sum_up(self, stream);
	if (event->epoch > user->last_epoch)
		user->last_epoch = event->epoch;
	bool kept = keep_row_texts(self, stream, event);

	state_keep_or_drop(self, event->snapshot_stream.by, &stream->by);
	state_keep_or_drop(self, event->snapshot_stream.detail, &stream->detail);

	if (phase_active(stream->phase)) {
		occupy(self, user, stream);
	} else {
		become_liability(self, stream);
		/* The row of the managed half follows, and knows whether its input is owed. */
		if (stream->kind != KIND_MANAGED)
			state_stream_release(self, stream);
	}
	return kept ? 0 : STATE_E_FULL;
}

/* What is closed only settles what it owes, and only managed streams have viewers and an input. */
static bool is_news_of_managed(const struct state_stream *stream, const struct stream_event *event)
{
	const bool active = stream->phase != PHASE_CLOSED;

	switch (event->type) {
	case EVENT_STREAM_JOINED:
		return active && event->stream_joined.package.length > 0;
	case EVENT_STREAM_LEFT:
	case EVENT_STREAM_INGEST:
	case EVENT_STREAM_PLAYBACK:
		return active;
	case EVENT_STREAM_PROVISIONED:
		return active ? phase_active(event->stream_provisioned.phase)
			      : event->stream_provisioned.phase == PHASE_CLOSED;
	case EVENT_STREAM_OUTPUT:
		return active && event->stream_output.state != OUTPUT_NONE &&
		       event->stream_output.output > 0 &&
		       event->stream_output.output < STATE_OUTPUT_NUMBER_MAX;
	case EVENT_STREAM_TOLD:
		return true;
	default:
		return !active && event->type == EVENT_STREAM_INPUT_SETTLED;
	}
}

/* Whether @event may still change @stream.  What makes no sense is no news either. */
static bool is_news(const struct state_stream *stream, const struct stream_event *event)
{
	if (event->seq <= stream->seq || event->epoch != stream->epoch)
		return false;
	switch (event->type) {
	case EVENT_STREAM_STATUS:
		return stream->phase != PHASE_CLOSED && phase_active(event->stream_status.phase);
	case EVENT_STREAM_MOVED:
		return stream->phase != PHASE_CLOSED && phase_active(event->stream_moved.phase);
	case EVENT_STREAM_CLOSED:
		return stream->phase != PHASE_CLOSED && event->stream_closed.end_cause != END_NONE;
	case EVENT_STREAM_STOP_SETTLED:
		return stream->phase == PHASE_CLOSED;
	default:
		return stream->kind == KIND_MANAGED
			       ? is_news_of_managed(stream, event)
			       : event->type == EVENT_STREAM_TOLD && stream->phase == PHASE_CLOSED;
	}
}

int state_apply_stream(struct state *self, const struct stream_event *event)
{
	if (event->type == EVENT_STREAM_OPENED)
		return on_opened(self, event);
	if (event->type == EVENT_SNAPSHOT_STREAM)
		return on_row(self, event);
	struct state_stream *stream = state_stream_find(self, event->stream_id);

	if (stream &&
	    (event->type == EVENT_SNAPSHOT_MANAGED || event->type == EVENT_SNAPSHOT_OUTPUTS))
		return state_apply_managed_row(self, stream, event);
	if (!stream || !is_news(stream, event))
		return STATE_E_OLD;
	switch (event->type) {
	case EVENT_STREAM_STATUS:
		return on_status(self, stream, event);
	case EVENT_STREAM_MOVED:
		return on_moved(self, stream, event);
	case EVENT_STREAM_CLOSED:
		return on_closed(self, stream, event);
	case EVENT_STREAM_STOP_SETTLED:
		state_stream_stamp(stream, event);
		stream->stop_owed = false;
		state_stream_release(self, stream);
		return 0;
	default:
		if (stream->kind == KIND_MANAGED)
			return state_apply_managed(self, stream, event);
		state_stream_stamp(stream, event); /* stream.told, of the one who is owed */
		stream->told_owed = false;
		state_stream_release(self, stream);
		return 0;
	}
}
