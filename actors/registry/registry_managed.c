/* SPDX-License-Identifier: MIT */
/* Managed streams: who watches them, and the ledger of their inputs (docs/cloud-architecture). */
#include "actors/registry/registry_internal.h"

/* Viewers ---------------------------------------------------------------------------------- */

/* Who left and could not be told in all that time makes room. */
static bool make_room(struct registry *self, struct state_stream *stream)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);

	if (managed->viewers[VIEWERS_MAX - 1].state == VIEWER_NONE)
		return true;
	for (unsigned i = 0; i < VIEWERS_MAX; i++) {
		if (managed->viewers[i].state != VIEWER_OWED)
			continue;
		registry_told_settle(self, stream, registry_text(self, managed->viewers[i].package),
				     OUTCOME_GIVEN_UP);
		return true;
	}
	return false;
}

void registry_join(struct registry *self, const struct input *input, struct state_stream *stream)
{
	const struct text package = input->event->stream_open.package;
	const struct state_user *user = state_user_of(&self->state, stream->user);

	if (!state_viewer_find(&self->state, stream, package) &&
	    !(make_room(self, stream) && pool_has_room(&self->state.pool, PACKAGE_MAX))) {
		self->stats.full++;
		registry_answer(self, input, RESULT_FULL, KIND_NONE, NULL);
		return;
	}
	/* Also if it watches already: it has asked, so it must be answered. */
	struct stream_event *event = registry_stream_story(self, EVENT_STREAM_JOINED, stream);

	event->stream_joined.package = package;
	registry_tell(self, event);
	registry_answer(self, input, RESULT_OK, KIND_NONE, state_active(&self->state, user));
}

static void leave(struct registry *self, struct state_stream *stream, struct text package,
		  bool told_owed)
{
	struct stream_event *event = registry_stream_story(self, EVENT_STREAM_LEFT, stream);

	event->stream_left.package = package;
	event->stream_left.told_owed = told_owed;
	registry_tell(self, event);
}

/* The last one to leave ends it. */
static void end_unwatched(struct registry *self, struct state_stream *stream, enum end_cause cause,
			  struct text package)
{
	if (state_viewers_watching(&self->state, stream) == 0)
		registry_close(self, stream,
			       &(struct closing){ .cause = cause,
						  .evidence = self->seq,
						  .by = package,
						  .last_ack_age_ms = -1 });
}

void registry_on_stream_leave(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	const struct text package = event->stream_leave.package;
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (registry_answered_before(self, input))
		return;
	if (!stream || !phase_active(stream->phase) || stream->epoch != event->epoch) {
		registry_answer(self, input, stream ? RESULT_STALE : RESULT_NOT_FOUND, KIND_NONE,
				NULL);
		return;
	}
	const struct state_viewer *viewer = state_viewer_find(&self->state, stream, package);

	if (!viewer || viewer->state != VIEWER_WATCHING) {
		registry_answer(self, input, RESULT_NOT_VIEWER, KIND_NONE, NULL);
		return;
	}
	registry_answer(self, input, RESULT_OK, KIND_NONE, stream);
	leave(self, stream, package,
	      registry_app_reachable(self, state_user_of(&self->state, stream->user), package));
	end_unwatched(self, stream, END_APP_STOP, package);
}

void registry_app_leaves(struct registry *self, const struct state_user *user, struct text package)
{
	struct state_stream *active = state_active(&self->state, user);
	const struct state_viewer *viewer =
		active ? state_viewer_find(&self->state, active, package) : NULL;

	if (!viewer)
		return;
	leave(self, active, package, false);
	end_unwatched(self, active, END_APP_CLOSED, package);
}

/* Inputs ----------------------------------------------------------------------------------- */

/* The record that @event is about: a managed one of that epoch, whether it still runs or not. */
static struct state_stream *record_of(struct registry *self, const struct stream_event *event)
{
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (stream && stream->kind == KIND_MANAGED && stream->epoch == event->epoch)
		return stream;
	self->stats.ignored++;
	return NULL;
}

/* Its stream has ended meanwhile: from now on it is known what to delete. */
static void made_too_late(struct registry *self, struct state_stream *stream,
			  const struct stream_event *event)
{
	if (!stream->input_owed || state_managed_of(&self->state, stream)->input_id.length > 0) {
		self->stats.ignored++; /* a second one is found by the reconciler */
		return;
	}
	struct stream_event *late = registry_stream_story(self, EVENT_STREAM_PROVISIONED, stream);

	late->stream_provisioned.input_id = event->input_made.input_id;
	late->stream_provisioned.phase = PHASE_CLOSED;
	registry_tell(self, late);
}

void registry_on_input_made(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = record_of(self, event);

	if (!stream)
		return;
	if (event->input_made.input_id.length == 0) {
		self->stats.refused++;
		return;
	}
	if (stream->phase == PHASE_CLOSED) {
		made_too_late(self, stream, event);
		return;
	}
	enum phase next = phase_next(KIND_MANAGED, stream->phase, TRIGGER_PROVISIONED);

	if (next == PHASE_NONE) {
		self->stats.refused++;
		return;
	}
	if (!pool_has_room(&self->state.pool,
			   INPUT_ID_MAX + URL_MAX + 5 * (size_t)PLAYBACK_URL_MAX)) {
		self->stats.full++;
		registry_close(self, stream,
			       &(struct closing){ .cause = END_PROVIDER_ERROR,
						  .detail = TEXT("no room to remember its input"),
						  .last_ack_age_ms = -1 });
		made_too_late(self, stream, event);
		return;
	}
	struct stream_event *made = registry_stream_story(self, EVENT_STREAM_PROVISIONED, stream);

	made->stream_provisioned.input_id = event->input_made.input_id;
	made->stream_provisioned.ingest = event->input_made.ingest;
	made->stream_provisioned.hls = event->input_made.hls;
	made->stream_provisioned.dash = event->input_made.dash;
	made->stream_provisioned.webrtc = event->input_made.webrtc;
	made->stream_provisioned.preview = event->input_made.preview;
	made->stream_provisioned.thumbnail = event->input_made.thumbnail;
	made->stream_provisioned.phase = next;
	registry_tell(self, made);
}

static void ingest_seen(struct registry *self, struct state_stream *stream,
			const struct stream_event *event)
{
	if (event->input_seen.ingest == INGEST_UNKNOWN ||
	    event->input_seen.ingest == state_managed_of(&self->state, stream)->ingest)
		return;
	struct stream_event *seen = registry_stream_story(self, EVENT_STREAM_INGEST, stream);

	seen->stream_ingest.ingest = event->input_seen.ingest;
	seen->stream_ingest.detail = event->input_seen.detail;
	registry_tell(self, seen);
}

/* What is not said is as it was. */
static struct text said_or(struct registry *self, struct text said, struct pooled known,
			   bool *changed)
{
	if (said.length == 0 || text_equal(said, registry_text(self, known)))
		return registry_text(self, known);
	*changed = true;
	return said;
}

static void playback_seen(struct registry *self, struct state_stream *stream,
			  const struct stream_event *event)
{
	const struct state_managed *known = state_managed_of(&self->state, stream);
	const enum playback said = (enum playback)event->input_seen.playback;
	bool changed = said != PLAYBACK_UNKNOWN && said != known->playback;
	const struct text hls = said_or(self, event->input_seen.hls, known->hls, &changed);
	const struct text dash = said_or(self, event->input_seen.dash, known->dash, &changed);
	const struct text preview =
		said_or(self, event->input_seen.preview, known->preview, &changed);
	const struct text thumbnail =
		said_or(self, event->input_seen.thumbnail, known->thumbnail, &changed);

	if (!changed)
		return;
	if (!pool_has_room(&self->state.pool, 4 * (size_t)PLAYBACK_URL_MAX)) {
		self->stats.full++;
		return;
	}
	struct stream_event *seen = registry_stream_story(self, EVENT_STREAM_PLAYBACK, stream);

	seen->stream_playback.playback = said != PLAYBACK_UNKNOWN ? said : known->playback;
	seen->stream_playback.hls = hls;
	seen->stream_playback.dash = dash;
	seen->stream_playback.preview = preview;
	seen->stream_playback.thumbnail = thumbnail;
	registry_tell(self, seen);
}

void registry_on_input_seen(struct registry *self, const struct input *input)
{
	struct state_stream *stream = record_of(self, input->event);

	if (!stream)
		return;
	if (!phase_active(stream->phase)) {
		self->stats.ignored++;
		return;
	}
	ingest_seen(self, stream, input->event);
	playback_seen(self, stream, input->event);
}

/* "None was ever made" is no news of an input that is known by now. */
static bool is_same_input(const struct registry *self, const struct state_stream *stream,
			  struct text input_id)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);

	return managed->input_id.length == 0 ||
	       text_equal(registry_text(self, managed->input_id), input_id);
}

void registry_on_input_gone(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = record_of(self, event);

	if (!stream)
		return;
	if (!is_same_input(self, stream, event->input_gone.input_id) ||
	    (stream->phase == PHASE_CLOSED && !stream->input_owed)) {
		self->stats.ignored++;
		return;
	}
	if (phase_active(stream->phase))
		registry_close(self, stream,
			       &(struct closing){ .cause = END_PROVIDER_ERROR,
						  .detail = TEXT("input is gone"),
						  .last_ack_age_ms = -1 });
	struct stream_event *settled =
		registry_stream_story(self, EVENT_STREAM_INPUT_SETTLED, stream);

	settled->stream_input_settled.input_id = event->input_gone.input_id;
	settled->stream_input_settled.detail = event->input_gone.detail;
	registry_tell(self, settled);
}

/* The ingest is a secret, and nobody's who only watches. */
void registry_check_managed(const struct registry *self, const struct state_stream *stream,
			    struct stream_event *reply)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);

	reply->registry_checked.hls = registry_text(self, managed->hls);
	reply->registry_checked.dash = registry_text(self, managed->dash);
	reply->registry_checked.webrtc = registry_text(self, managed->webrtc);
	reply->registry_checked.preview = registry_text(self, managed->preview);
	reply->registry_checked.thumbnail = registry_text(self, managed->thumbnail);
	reply->registry_checked.viewers = state_viewers_watching(&self->state, stream);
}
