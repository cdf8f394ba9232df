/* SPDX-License-Identifier: MIT */
/* The managed half of a stream: its input at the provider, who watches, where else it goes. */
#include <assert.h>

#include "common/phase.h"
#include "common/state_internal.h"

struct state_managed *state_managed_of(const struct state *self, const struct state_stream *stream)
{
	return &self->managed[stream - self->streams];
}

struct state_outputs *state_outputs_of(const struct state *self, const struct state_stream *stream)
{
	return &self->outputs[stream - self->streams];
}

/* Viewers ---------------------------------------------------------------------------------- */

static struct state_viewer *viewer_find(const struct state *self, struct state_managed *managed,
					struct text package)
{
	for (unsigned i = 0; i < VIEWERS_MAX && managed->viewers[i].state != VIEWER_NONE; i++)
		if (text_equal(state_text(self, managed->viewers[i].package), package))
			return &managed->viewers[i];
	return NULL;
}

struct state_viewer *state_viewer_find(const struct state *self, const struct state_stream *stream,
				       struct text package)
{
	if (stream->kind != KIND_MANAGED)
		return NULL;
	return viewer_find(self, state_managed_of(self, stream), package);
}

static unsigned viewers_in(const struct state *self, const struct state_stream *stream,
			   enum viewer state)
{
	const struct state_managed *managed = state_managed_of(self, stream);
	unsigned count = 0;

	if (stream->kind != KIND_MANAGED)
		return 0;
	for (unsigned i = 0; i < VIEWERS_MAX; i++)
		count += managed->viewers[i].state == state;
	return count;
}

uint32_t state_viewers_watching(const struct state *self, const struct state_stream *stream)
{
	return viewers_in(self, stream, VIEWER_WATCHING);
}

static bool viewer_reachable(const struct state *self, const struct state_stream *stream,
			     const struct state_viewer *viewer)
{
	const struct state_app *app = state_app_find(self, state_user_of(self, stream->user),
						     state_text(self, viewer->package));

	return app && state_app_reachable(self, app);
}

/* Nobody was told of a stream that could not even be made: who asked for it is refused instead. */
static bool end_is_told(const struct state_stream *stream, enum end_cause cause)
{
	return !(stream->phase == PHASE_REQUESTED && cause == END_PROVIDER_ERROR);
}

bool state_viewers_owed(const struct state *self, const struct state_stream *stream,
			enum end_cause cause)
{
	const struct state_managed *managed = state_managed_of(self, stream);

	if (stream->kind != KIND_MANAGED)
		return false;
	for (unsigned i = 0; i < VIEWERS_MAX; i++) {
		const struct state_viewer *viewer = &managed->viewers[i];

		if (viewer->state == VIEWER_OWED ||
		    (viewer->state == VIEWER_WATCHING && end_is_told(stream, cause) &&
		     viewer_reachable(self, stream, viewer)))
			return true;
	}
	return false;
}

static struct state_viewer *viewer_add(struct state *self, struct state_managed *managed,
				       struct text package)
{
	for (unsigned i = 0; i < VIEWERS_MAX; i++) {
		struct state_viewer *viewer = &managed->viewers[i];

		if (viewer->state != VIEWER_NONE)
			continue;
		if (!pool_keep(&self->pool, package, &viewer->package))
			return NULL;
		viewer->state = VIEWER_WATCHING;
		return viewer;
	}
	return NULL;
}

static void viewer_remove(struct state *self, struct state_managed *managed,
			  struct state_viewer *viewer)
{
	unsigned behind = VIEWERS_MAX - 1 - (unsigned)(viewer - managed->viewers);

	pool_drop(&self->pool, &viewer->package);
	memmove(viewer, viewer + 1, behind * sizeof *viewer);
	managed->viewers[VIEWERS_MAX - 1] = (struct state_viewer){ 0 };
}

static int on_joined(struct state *self, struct state_managed *managed,
		     const struct stream_event *event)
{
	struct state_viewer *viewer = viewer_find(self, managed, event->stream_joined.package);

	if (viewer && viewer->state == VIEWER_OWED) { /* it left, and comes last now */
		viewer_remove(self, managed, viewer);
		viewer = NULL;
	}
	return viewer || viewer_add(self, managed, event->stream_joined.package) ? 0 : STATE_E_FULL;
}

static int on_left(struct state *self, struct state_managed *managed,
		   const struct stream_event *event)
{
	struct state_viewer *viewer = viewer_find(self, managed, event->stream_left.package);

	if (viewer && event->stream_left.told_owed)
		viewer->state = VIEWER_OWED;
	else if (viewer)
		viewer_remove(self, managed, viewer);
	return 0;
}

static int on_told(struct state *self, struct state_managed *managed,
		   const struct stream_event *event)
{
	struct state_viewer *viewer = viewer_find(self, managed, event->stream_told.package);

	if (viewer && viewer->state == VIEWER_OWED)
		viewer_remove(self, managed, viewer);
	return 0;
}

/* Inputs ----------------------------------------------------------------------------------- */

static int on_provisioned(struct state *self, struct state_managed *managed,
			  const struct stream_event *event)
{
	struct pool *pool = &self->pool;

	if (event->stream_provisioned.phase == PHASE_CLOSED) {
		/* Too late: now it is known what to delete. */
		state_keep_or_drop(self, event->stream_provisioned.input_id, &managed->input_id);
		return 0;
	}
	managed->input = INPUT_READY;
	bool kept = pool_replace(pool, event->stream_provisioned.input_id, &managed->input_id) &&
		    pool_replace(pool, event->stream_provisioned.hls, &managed->hls) &&
		    pool_replace(pool, event->stream_provisioned.dash, &managed->dash) &&
		    pool_replace(pool, event->stream_provisioned.webrtc, &managed->webrtc) &&
		    pool_replace(pool, event->stream_provisioned.preview, &managed->preview) &&
		    pool_replace(pool, event->stream_provisioned.thumbnail, &managed->thumbnail);

	return kept ? 0 : STATE_E_FULL;
}

static int on_playback(struct state *self, struct state_managed *managed,
		       const struct stream_event *event)
{
	struct pool *pool = &self->pool;

	managed->playback = (uint8_t)event->stream_playback.playback;
	bool kept = pool_replace(pool, event->stream_playback.hls, &managed->hls) &&
		    pool_replace(pool, event->stream_playback.dash, &managed->dash) &&
		    pool_replace(pool, event->stream_playback.preview, &managed->preview) &&
		    pool_replace(pool, event->stream_playback.thumbnail, &managed->thumbnail);

	return kept ? 0 : STATE_E_FULL;
}

/* Outputs ---------------------------------------------------------------------------------- */

struct state_output *state_output_find(const struct state *self, const struct state_stream *stream,
				       uint64_t number)
{
	struct state_outputs *outputs = state_outputs_of(self, stream);

	for (unsigned i = 0; stream->kind == KIND_MANAGED && number != 0 && i < OUTPUTS_MAX; i++)
		if (outputs->items[i].number == number)
			return &outputs->items[i];
	return NULL;
}

static void output_drop_texts(struct state *self, struct state_output *output)
{
	pool_drop(&self->pool, &output->url);
	pool_drop(&self->pool, &output->name);
	pool_drop(&self->pool, &output->package);
	pool_drop(&self->pool, &output->remote_id);
	pool_drop(&self->pool, &output->error);
}

static void output_remove(struct state *self, struct state_outputs *outputs,
			  struct state_output *output)
{
	unsigned behind = OUTPUTS_MAX - 1 - (unsigned)(output - outputs->items);

	output_drop_texts(self, output);
	memmove(output, output + 1, behind * sizeof *output);
	outputs->items[OUTPUTS_MAX - 1] = (struct state_output){ 0 };
}

/* A place for @number, in order; NULL: there is none. */
static struct state_output *output_insert(struct state_outputs *outputs, uint32_t number)
{
	unsigned at = 0;

	if (outputs->items[OUTPUTS_MAX - 1].number != 0)
		return NULL;
	while (outputs->items[at].number != 0 && outputs->items[at].number < number)
		at++;
	memmove(&outputs->items[at + 1], &outputs->items[at],
		(OUTPUTS_MAX - 1 - at) * sizeof outputs->items[0]);
	outputs->items[at] = (struct state_output){ .number = number };
	return &outputs->items[at];
}

static int on_output(struct state *self, const struct state_stream *stream,
		     const struct stream_event *event)
{
	struct state_outputs *outputs = state_outputs_of(self, stream);
	const uint32_t number = (uint32_t)event->stream_output.output;
	struct state_output *output = state_output_find(self, stream, number);
	struct pool *pool = &self->pool;

	if (number >= outputs->next_number)
		outputs->next_number = number + 1;
	if (event->stream_output.state == OUTPUT_REMOVED) {
		if (output)
			output_remove(self, outputs, output);
		return 0;
	}
	if (!output)
		output = output_insert(outputs, number);
	if (!output)
		return STATE_E_FULL;
	output->state = (uint8_t)event->stream_output.state;
	output->initial = event->stream_output.initial;
	bool kept = pool_replace(pool, event->stream_output.name, &output->name) &&
		    pool_replace(pool, event->stream_output.package, &output->package) &&
		    pool_replace(pool, event->stream_output.remote_id, &output->remote_id) &&
		    pool_replace(pool, event->stream_output.error, &output->error);

	if (event->stream_output.url.length > 0) /* else it is as it was, or not for us */
		kept &= pool_replace(pool, event->stream_output.url, &output->url);
	return kept ? 0 : STATE_E_FULL;
}

/* The life of the record ------------------------------------------------------------------- */

static struct pooled *const *texts_of(struct state_managed *managed, struct pooled *texts[6])
{
	texts[0] = &managed->input_id;
	texts[1] = &managed->hls;
	texts[2] = &managed->dash;
	texts[3] = &managed->webrtc;
	texts[4] = &managed->preview;
	texts[5] = &managed->thumbnail;
	return texts;
}

void state_managed_init(struct state *self, const struct state_stream *stream)
{
	/* Whatever a stream before it has left in this slot is no text any more. */
	*state_managed_of(self, stream) = (struct state_managed){ 0 };
	*state_outputs_of(self, stream) = (struct state_outputs){ .next_number = 1 };
}

void state_managed_drop_viewers(struct state *self, struct state_managed *managed)
{
	for (unsigned i = 0; i < VIEWERS_MAX; i++) {
		pool_drop(&self->pool, &managed->viewers[i].package);
		managed->viewers[i] = (struct state_viewer){ 0 };
	}
}

void state_managed_drop_outputs(struct state *self, struct state_outputs *outputs)
{
	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		output_drop_texts(self, &outputs->items[i]);
		outputs->items[i] = (struct state_output){ 0 };
	}
}

void state_managed_free(struct state *self, const struct state_stream *stream)
{
	struct state_managed *managed = state_managed_of(self, stream);
	struct pooled *texts[6];

	texts_of(managed, texts);
	for (unsigned i = 0; i < 6; i++)
		pool_drop(&self->pool, texts[i]);
	state_managed_drop_viewers(self, managed);
	state_managed_drop_outputs(self, state_outputs_of(self, stream));
}

bool state_managed_open(struct state *self, const struct state_stream *stream,
			const struct stream_event *event)
{
	struct state_managed *managed = state_managed_of(self, stream);

	managed->seq = event->seq;
	managed->provider = (uint8_t)event->stream_opened.provider;
	managed->input = INPUT_WANTED;
	return event->stream_opened.package.length == 0 ||
	       viewer_add(self, managed, event->stream_opened.package);
}

/* What the record as a whole owes follows from what it knows of each. */
void state_managed_sum_up(struct state *self, struct state_stream *stream)
{
	stream->told_owed = viewers_in(self, stream, VIEWER_OWED) > 0;
	stream->input_owed = stream->phase == PHASE_CLOSED &&
			     state_managed_of(self, stream)->input == INPUT_OWED;
}

static void end_viewers(struct state *self, const struct state_stream *stream, enum end_cause cause)
{
	struct state_managed *managed = state_managed_of(self, stream);
	const bool told = end_is_told(stream, cause);

	for (unsigned i = 0; i < VIEWERS_MAX && managed->viewers[i].state != VIEWER_NONE;) {
		struct state_viewer *viewer = &managed->viewers[i];

		if (viewer->state == VIEWER_OWED ||
		    (told && viewer_reachable(self, stream, viewer))) {
			viewer->state = VIEWER_OWED;
			i++;
		} else {
			viewer_remove(self, managed, viewer);
		}
	}
}

void state_managed_close(struct state *self, struct state_stream *stream,
			 const struct stream_event *event)
{
	struct state_managed *managed = state_managed_of(self, stream);

	if (event->seq > managed->seq) {
		managed->seq = event->seq;
		managed->input = event->stream_closed.input_owed ? INPUT_OWED : INPUT_GONE;
		end_viewers(self, stream, (enum end_cause)event->stream_closed.end_cause);
	}
	stream->phase = PHASE_CLOSED;
	state_managed_sum_up(self, stream);
}

static int apply_part(struct state *self, const struct state_stream *stream,
		      const struct stream_event *event)
{
	struct state_managed *managed = state_managed_of(self, stream);

	switch (event->type) {
	case EVENT_STREAM_JOINED:
		return on_joined(self, managed, event);
	case EVENT_STREAM_LEFT:
		return on_left(self, managed, event);
	case EVENT_STREAM_TOLD:
		return on_told(self, managed, event);
	case EVENT_STREAM_PROVISIONED:
		return on_provisioned(self, managed, event);
	case EVENT_STREAM_INGEST:
		managed->ingest = (uint8_t)event->stream_ingest.ingest;
		return 0;
	case EVENT_STREAM_PLAYBACK:
		return on_playback(self, managed, event);
	case EVENT_STREAM_OUTPUT:
		return on_output(self, stream, event);
	default:
		assert(event->type == EVENT_STREAM_INPUT_SETTLED); /* nothing else is news */
		managed->input = INPUT_GONE;
		return 0;
	}
}

/* What every event of the managed half does to the stream itself. */
static int apply_stream(struct state *self, struct state_stream *stream,
			const struct stream_event *event)
{
	const struct text ingest = event->stream_provisioned.ingest;

	state_stream_stamp(stream, event);
	/* Only what every viewer is told of: an app that has come back must not hear unasked of
	 * what was for another (protocol.md 3.3).
	 */
	if (event->type == EVENT_STREAM_OUTPUT ||
	    (event->type == EVENT_STREAM_PLAYBACK &&
	     (event->stream_playback.playback == PLAYBACK_DETAILS ||
	      event->stream_playback.playback == PLAYBACK_LIVE)))
		state_stream_visible(stream, event);
	if (event->type != EVENT_STREAM_PROVISIONED || stream->phase == PHASE_CLOSED)
		return 0;
	/* The deadline of the start goes on from the request: the device has said nothing yet. */
	stream->phase = (uint8_t)event->stream_provisioned.phase;
	state_stream_visible(stream, event);
	if (ingest.length == 0) /* not for us */
		return 0;
	return pool_replace(&self->pool, ingest, &stream->rtmp_url) ? 0 : STATE_E_FULL;
}

int state_apply_managed(struct state *self, struct state_stream *stream,
			const struct stream_event *event)
{
	uint64_t *seq = event->type == EVENT_STREAM_OUTPUT ? &state_outputs_of(self, stream)->seq
							   : &state_managed_of(self, stream)->seq;
	int r = apply_stream(self, stream, event);

	if (event->seq > *seq) { /* else its row came later, and knows of it */
		int part = apply_part(self, stream, event);

		*seq = event->seq;
		r = r ? r : part;
	}
	state_managed_sum_up(self, stream);
	if (stream->phase == PHASE_CLOSED)
		state_stream_release(self, stream);
	return r;
}
