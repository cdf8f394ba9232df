/* SPDX-License-Identifier: MIT */
/* From an input that is wanted to one that the registry knows of, or to a stream that cannot be.
 * The wish is in the story before the first call, so whatever happens here somebody will clean up.
 */
#include "actors/managed-adapter/managed_internal.h"

#define NO_ANSWER TEXT("no answer from the provider")

static struct text made(const struct managed *self, const struct managed_work *work,
			enum made_text which)
{
	return pool_text(&self->texts, work->made[which]);
}

void managed_tell_made(struct managed *self, struct managed_work *work,
		       const struct state_stream *stream)
{
	struct stream_event *event = managed_command(self, stream, EVENT_INPUT_MADE);

	event->input_made.input_id = made(self, work, MADE_ID);
	event->input_made.ingest = made(self, work, MADE_INGEST);
	event->input_made.hls = made(self, work, MADE_HLS);
	event->input_made.dash = made(self, work, MADE_DASH);
	event->input_made.webrtc = made(self, work, MADE_WEBRTC);
	event->input_made.preview = made(self, work, MADE_PREVIEW);
	event->input_made.thumbnail = made(self, work, MADE_THUMBNAIL);
	managed_work_enter(self, work, STAGE_MADE, self->now_ms + MANAGED_SETTLE_MS);
}

static void tell_failed(struct managed *self, struct managed_work *work,
			const struct state_stream *stream)
{
	struct text detail = pool_text(&self->texts, work->detail);
	struct stream_event *event = managed_command(self, stream, EVENT_STREAM_CLOSE);

	event->stream_close.end_cause = END_PROVIDER_ERROR;
	event->stream_close.detail = detail.length > 0 ? detail : NO_ANSWER;
	if (!work->doubt) {
		event = managed_command(self, stream, EVENT_INPUT_GONE);
		event->input_gone.detail = TEXT("never made");
	}
	managed_work_enter(self, work, STAGE_FAILED, self->now_ms + MANAGED_SETTLE_MS);
}

void managed_create(struct managed *self, struct managed_work *work,
		    const struct state_stream *stream)
{
	uint32_t slot = (uint32_t)(work - self->works);
	struct stream_event *event = /* what has no mark could not be found again */
		self->state.mark[0] != '\0'
			? managed_call(self, EVENT_PROVIDER_CREATE, slot, 0, &work->call)
			: NULL;

	if (!event) {
		work->due_ms = self->now_ms + MANAGED_RETRY_MS;
		return;
	}
	work->tries++;
	event->user_id = managed_text(self, state_user_of(&self->state, stream->user)->id);
	event->stream_id = managed_text(self, stream->id); /* the same at every try */
	event->epoch = stream->epoch;
	event->provider_create.call = work->call;
	event->provider_create.mark = text_of(self->state.mark);
}

void managed_make_step(struct managed *self, struct managed_work *work,
		       const struct state_stream *stream)
{
	if (work->stage == STAGE_FAILED)
		tell_failed(self, work, stream);
	else if (work->stage != STAGE_CREATE)
		managed_tell_made(self, work, stream);
	else
		managed_create(self, work, stream);
}

static bool keep_made(struct managed *self, struct managed_work *work,
		      const struct stream_event *answer)
{
	const struct text texts[MADE_TEXTS] = {
		[MADE_ID] = answer->provider_done.input_id,
		[MADE_INGEST] = answer->provider_done.ingest,
		[MADE_HLS] = answer->provider_done.hls,
		[MADE_DASH] = answer->provider_done.dash,
		[MADE_WEBRTC] = answer->provider_done.webrtc,
		[MADE_PREVIEW] = answer->provider_done.preview,
		[MADE_THUMBNAIL] = answer->provider_done.thumbnail,
	};

	for (unsigned i = 0; i < MADE_TEXTS; i++)
		if (!pool_replace(&self->texts, texts[i], &work->made[i]))
			return false;
	return texts[MADE_ID].length > 0 && texts[MADE_INGEST].length > 0;
}

static void on_made(struct managed *self, struct managed_work *work,
		    const struct state_stream *stream)
{
	(void)managed_work_name(self, work, made(self, work, MADE_ID));
	managed_work_enter(self, work, STAGE_OUTPUTS, self->now_ms + MANAGED_OUTPUTS_WAIT_MS);
	if (stream->phase == PHASE_CLOSED || !managed_outputs_await(self, work, stream)) {
		managed_tell_made(self, work, stream);
		return;
	}
	work->outputs_ms = managed_outputs_step(self, work, stream);
}

/* Once more, if there is time for it. */
static bool retry(struct managed *self, struct managed_work *work,
		  const struct stream_event *answer)
{
	int64_t pause_ms = managed_backoff_ms(self->options.create_pause_ms, work->tries,
					      answer->provider_done.retry_ms);
	int64_t deadline_ms = work->since_ms + self->options.request_timeout_ms;

	if (work->tries >= self->options.create_tries || pause_ms > deadline_ms - self->now_ms)
		return false;
	work->due_ms = self->now_ms + pause_ms;
	return true;
}

/* The story came from an earlier life of ours, or late, and without the secret: here it is again.
 */
static void learn(struct managed *self, struct managed_work *work,
		  const struct stream_event *answer)
{
	uint32_t slot = (uint32_t)(work - self->works);
	struct state_stream *stream = state_stream_at(&self->state, slot);
	struct text known = managed_text(self, state_managed_of(&self->state, stream)->input_id);

	if (stream->rtmp_url.length > 0 || !text_equal(known, answer->provider_done.input_id))
		return;
	if (pool_replace(&self->state.pool, answer->provider_done.ingest, &stream->rtmp_url))
		managed_deliver_start(self, stream);
}

/* Whether it is made; else it is noted if it may have been, for all we know. */
static bool is_made(struct managed *self, struct managed_work *work,
		    const struct stream_event *answer)
{
	enum call_outcome outcome = answer->provider_done.outcome;

	if (outcome == CALL_OK && keep_made(self, work, answer)) {
		self->stats.created++;
		return true;
	}
	work->doubt |= outcome == CALL_UNKNOWN || outcome == CALL_OK;
	return false;
}

static bool may_retry(struct managed *self, struct managed_work *work,
		      const struct stream_event *answer)
{
	enum call_outcome outcome = answer->provider_done.outcome;

	return (outcome == CALL_RETRY || outcome == CALL_UNKNOWN || outcome == CALL_OK) &&
	       retry(self, work, answer);
}

void managed_make_away(struct managed *self, struct managed_work *work,
		       const struct stream_event *answer)
{
	if (work->stage != STAGE_CREATE)
		return;
	bool made = is_made(self, work, answer);

	if (!made && may_retry(self, work, answer))
		return;
	work->stage = made ? STAGE_OUTPUTS : STAGE_FAILED;
	work->due_ms = self->now_ms;
}

void managed_make_done(struct managed *self, struct managed_work *work,
		       const struct stream_event *answer)
{
	const struct state_stream *stream = managed_stream_of(self, work);

	if (work->stage == STAGE_START && answer->provider_done.outcome == CALL_OK)
		learn(self, work, answer);
	if (work->stage != STAGE_CREATE)
		return;
	if (is_made(self, work, answer))
		on_made(self, work, stream);
	else if (stream->phase == PHASE_CLOSED)
		managed_work_follow(self, stream);
	else if (!may_retry(self, work, answer))
		tell_failed(self, work, stream);
}
