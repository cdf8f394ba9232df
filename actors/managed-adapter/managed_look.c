/* SPDX-License-Identifier: MIT */
/* What the provider sees of a stream: looked at often until it plays (protocol.md 6.5), then now
 * and then.  Whatever is seen, nothing here ends a stream that still has its input.
 */
#include "actors/managed-adapter/managed_internal.h"

void managed_work_look_soon(struct managed *self, struct managed_work *work)
{
	if (work->stage != STAGE_START && work->stage != STAGE_LIVE)
		return;
	work->details = true;
	work->due_ms = self->now_ms;
	managed_work_arm(self, work);
}

static void be_overdue(struct managed *self, struct managed_work *work,
		       const struct state_stream *stream)
{
	managed_command(self, stream, EVENT_INPUT_SEEN)->input_seen.playback = PLAYBACK_OVERDUE;
	managed_work_enter(self, work, STAGE_LIVE, self->now_ms + MANAGED_LIVENESS_MS);
}

/* The beat of the polls counts from the start; a look out of turn does not move it. */
static int64_t next_look(const struct managed *self, const struct managed_work *work)
{
	int64_t beat = self->options.poll_interval_ms;

	if (work->stage != STAGE_START)
		return self->now_ms + MANAGED_LIVENESS_MS;
	return work->since_ms + ((self->now_ms - work->since_ms) / beat + 1) * beat;
}

void managed_look_step(struct managed *self, struct managed_work *work,
		       const struct state_stream *stream)
{
	uint32_t slot = (uint32_t)(work - self->works);

	if (work->stage == STAGE_START &&
	    self->now_ms - work->since_ms >= self->options.playback_deadline_ms) {
		be_overdue(self, work, stream);
		return;
	}
	if (!stream->start_delivered && stream->rtmp_url.length == 0 &&
	    work->tries < self->options.create_tries) {
		managed_create(self, work, stream);
		work->due_ms = self->now_ms + self->options.poll_interval_ms;
		return;
	}
	struct stream_event *event =
		managed_call(self, EVENT_PROVIDER_DESCRIBE, slot, 0, &work->call);

	if (!event) {
		work->due_ms = self->now_ms + self->options.poll_interval_ms;
		return;
	}
	event->user_id = managed_text(self, state_user_of(&self->state, stream->user)->id);
	event->stream_id = managed_text(self, stream->id);
	event->epoch = stream->epoch;
	event->provider_describe.call = work->call;
	event->provider_describe.input_id = managed_input_of(self, work, stream);
	work->due_ms = next_look(self, work);
}

static bool differs(const struct managed *self, struct text said, struct pooled known)
{
	return said.length > 0 && !text_equal(said, managed_text(self, known));
}

/* What apps have had with the first word already is no news (G6). */
static bool has_details(const struct managed *self, const struct state_managed *known,
			const struct stream_event *answer)
{
	return differs(self, answer->provider_done.hls, known->hls) ||
	       differs(self, answer->provider_done.dash, known->dash) ||
	       differs(self, answer->provider_done.preview, known->preview) ||
	       differs(self, answer->provider_done.thumbnail, known->thumbnail);
}

/* At the device's first word that it streams details are told if there are any; "live" is only
 * said at the polls that follow, as in the original.
 */
static enum playback playback_of(const struct managed *self, const struct managed_work *work,
				 const struct state_managed *known,
				 const struct stream_event *answer)
{
	if (known->playback == PLAYBACK_LIVE)
		return PLAYBACK_UNKNOWN;
	if (work->details)
		return known->playback == PLAYBACK_UNKNOWN && has_details(self, known, answer)
			       ? PLAYBACK_DETAILS
			       : PLAYBACK_UNKNOWN;
	return answer->provider_done.playable ? PLAYBACK_LIVE : PLAYBACK_UNKNOWN;
}

static void tell_seen(struct managed *self, struct managed_work *work,
		      const struct state_stream *stream, const struct stream_event *answer)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);
	enum playback playback = playback_of(self, work, managed, answer);
	enum ingest ingest = answer->provider_done.ingest_state;

	if (playback == PLAYBACK_UNKNOWN &&
	    (ingest == INGEST_UNKNOWN || ingest == (enum ingest)managed->ingest))
		return;
	struct stream_event *event = managed_command(self, stream, EVENT_INPUT_SEEN);

	event->input_seen.ingest = ingest;
	event->input_seen.playback = playback;
	event->input_seen.detail = answer->provider_done.detail;
	if (playback == PLAYBACK_UNKNOWN)
		return;
	event->input_seen.hls = answer->provider_done.hls;
	event->input_seen.dash = answer->provider_done.dash;
	event->input_seen.preview = answer->provider_done.preview;
	event->input_seen.thumbnail = answer->provider_done.thumbnail;
	if (playback == PLAYBACK_LIVE && work->stage == STAGE_START)
		managed_work_enter(self, work, STAGE_LIVE, self->now_ms + MANAGED_LIVENESS_MS);
}

void managed_look_done(struct managed *self, struct managed_work *work,
		       const struct stream_event *answer)
{
	const struct state_stream *stream = managed_stream_of(self, work);
	enum call_outcome outcome = answer->provider_done.outcome;

	if (work->stage != STAGE_START && work->stage != STAGE_LIVE)
		return;
	if (outcome == CALL_GONE && work->suspect) {
		/* Neither listed nor there when asked for: it is gone, and the stream with it. */
		managed_tell_gone(self, work, TEXT("input is gone"));
		return;
	}
	if (outcome == CALL_OK) {
		tell_seen(self, work, stream, answer);
		work->details = false;
	} else if (answer->provider_done.retry_ms > 0 &&
		   work->due_ms < self->now_ms + answer->provider_done.retry_ms) {
		work->due_ms = self->now_ms + answer->provider_done.retry_ms;
	}
	work->suspect = false;
}

/* What we saw ourselves is told as it is; what we were told is looked at. */
void managed_on_hint(struct managed *self, const struct stream_event *event)
{
	struct managed_work *work =
		managed_work_find(self, event->stream_id, event->provider_hint.input_id);
	const struct state_stream *stream = work ? managed_stream_of(self, work) : NULL;

	if (!stream || (work->stage != STAGE_START && work->stage != STAGE_LIVE))
		return;
	if (event->provider_hint.sure && event->provider_hint.ingest != INGEST_UNKNOWN &&
	    event->provider_hint.ingest !=
		    (enum ingest)state_managed_of(&self->state, stream)->ingest) {
		struct stream_event *seen = managed_command(self, stream, EVENT_INPUT_SEEN);

		seen->input_seen.ingest = event->provider_hint.ingest;
		seen->input_seen.detail = event->provider_hint.detail;
	}
	work->due_ms = self->now_ms;
	managed_work_arm(self, work);
}
