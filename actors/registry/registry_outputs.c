/* SPDX-License-Identifier: MIT */
/* Where else managed streams go: outputs that apps add and remove (protocol.md 6.6). */
#include "actors/registry/registry_internal.h"

#include <assert.h>

/* Texts of one output; its URL is the longest. */
#define OUTPUT_TEXTS_MAX \
	(OUTPUT_URL_MAX + OUTPUT_NAME_MAX + PACKAGE_MAX + OUTPUT_ERROR_MAX + INPUT_ID_MAX)

static struct state_stream *active_of(struct registry *self, const struct stream_event *event)
{
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	return stream && stream->kind == KIND_MANAGED && phase_active(stream->phase) &&
			       stream->epoch == event->epoch
		       ? stream
		       : NULL;
}

/* What is told of an output is told whole; @output is as it was. */
static struct stream_event *output_story(struct registry *self, struct state_stream *stream,
					 const struct state_output *output, enum output_state state)
{
	struct stream_event *event = registry_stream_story(self, EVENT_STREAM_OUTPUT, stream);

	event->stream_output.output = output->number;
	event->stream_output.state = state;
	event->stream_output.package = registry_text(self, output->package);
	event->stream_output.name = registry_text(self, output->name);
	event->stream_output.remote_id = registry_text(self, output->remote_id);
	event->stream_output.initial = output->initial;
	return event;
}

static bool is_duplicate(const struct registry *self, const struct state_outputs *outputs,
			 struct text url)
{
	assert(outputs->items[OUTPUTS_MAX - 1].number == 0); /* there is room */
	for (unsigned i = 0; outputs->items[i].number != 0; i++)
		if (outputs->items[i].state != OUTPUT_REMOVING &&
		    text_equal(registry_text(self, outputs->items[i].url), url))
			return true;
	return false;
}

/* The limit of an app is that of the stream, so the stream's is met first. */
static enum result judge_add(const struct registry *self, const struct state_stream *stream,
			     const struct stream_event *event)
{
	const bool refused = event->output_add.error.length > 0;
	const struct state_outputs *outputs;
	const struct state_viewer *viewer;

	if (!stream)
		return RESULT_NOT_FOUND;
	viewer = state_viewer_find(&self->state, stream, event->output_add.package);
	if (!viewer || viewer->state != VIEWER_WATCHING)
		return RESULT_NOT_VIEWER;
	outputs = state_outputs_of(&self->state, stream);
	if (outputs->items[OUTPUTS_MAX - 1].number != 0 ||
	    outputs->next_number >= STATE_OUTPUT_NUMBER_MAX)
		return RESULT_LIMIT;
	if (!refused && event->output_add.url.length == 0)
		return RESULT_BAD_URL;
	if (!refused && is_duplicate(self, outputs, event->output_add.url))
		return RESULT_DUPLICATE;
	return pool_has_room(&self->state.pool, OUTPUT_TEXTS_MAX) ? RESULT_OK : RESULT_FULL;
}

void registry_on_output_add(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = active_of(self, event);
	enum result result;

	if (registry_answered_before(self, input))
		return;
	result = judge_add(self, stream, event);
	if (result != RESULT_OK) {
		self->stats.full += result == RESULT_FULL;
		registry_answer(self, input, result, KIND_NONE, NULL);
		return;
	}
	const bool refused = event->output_add.error.length > 0;
	const uint32_t number = state_outputs_of(&self->state, stream)->next_number;
	struct stream_event *added = registry_stream_story(self, EVENT_STREAM_OUTPUT, stream);

	added->stream_output.output = number;
	added->stream_output.state = refused ? OUTPUT_REFUSED : OUTPUT_NEW;
	added->stream_output.package = event->output_add.package;
	added->stream_output.url = event->output_add.url;
	added->stream_output.name = event->output_add.name;
	added->stream_output.error = event->output_add.error;
	added->stream_output.initial = event->output_add.initial;
	registry_tell(self, added);
	registry_answer_output(self, input, RESULT_OK, stream, number);
}

void registry_on_output_remove(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = active_of(self, event);
	const uint64_t number = event->output_remove.output;

	if (registry_answered_before(self, input))
		return;
	const struct state_output *output =
		stream ? state_output_find(&self->state, stream, number) : NULL;

	if (!output || output->state == OUTPUT_REMOVING) {
		registry_answer(self, input, RESULT_NOT_FOUND, KIND_NONE, NULL);
		return;
	}
	if (!text_equal(registry_text(self, output->package), event->output_remove.package)) {
		registry_answer(self, input, RESULT_NOT_OWNER, KIND_NONE, NULL);
		return;
	}
	/* One that was refused was never the provider's. */
	bool gone = output->state == OUTPUT_REFUSED && output->remote_id.length == 0;

	registry_tell(self,
		      output_story(self, stream, output, gone ? OUTPUT_REMOVED : OUTPUT_REMOVING));
	registry_answer_output(self, input, RESULT_OK, stream, number);
}

static bool may_be_seen(enum output_state state)
{
	return state == OUTPUT_IDLE || state == OUTPUT_ACTIVE || state == OUTPUT_ERROR ||
	       state == OUTPUT_REFUSED || state == OUTPUT_REMOVED;
}

void registry_on_output_seen(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = active_of(self, event);
	const struct state_output *output =
		stream ? state_output_find(&self->state, stream, event->output_seen.output) : NULL;
	enum output_state state = (enum output_state)event->output_seen.state;
	struct text remote_id = event->output_seen.remote_id;

	if (!output) {
		self->stats.ignored++;
		return;
	}
	if (!may_be_seen(state)) {
		self->stats.refused++;
		return;
	}
	if (output->state == OUTPUT_REMOVING && state != OUTPUT_REMOVED)
		state = OUTPUT_REMOVING; /* whatever it does until then */
	if (remote_id.length == 0)
		remote_id = registry_text(self, output->remote_id);
	if (state == output->state &&
	    text_equal(remote_id, registry_text(self, output->remote_id)) &&
	    text_equal(event->output_seen.error, registry_text(self, output->error)))
		return;
	if (!pool_has_room(&self->state.pool, OUTPUT_TEXTS_MAX)) {
		self->stats.full++;
		return;
	}
	struct stream_event *seen = output_story(self, stream, output, state);

	seen->stream_output.remote_id = remote_id;
	seen->stream_output.error = event->output_seen.error;
	registry_tell(self, seen);
}
