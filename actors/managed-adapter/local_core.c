/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/local_core.h"

#include <stdio.h>
#include <string.h>

#include "actors/managed-adapter/local_text.h"

void local_init(struct local_core *self)
{
	memset(self, 0, sizeof *self);
}

/* ---- inputs ---- */

struct local_input *local_find(struct local_core *self, struct text id)
{
	if (id.length == 0)
		return NULL;
	for (size_t i = 0; i < LOCAL_INPUTS_MAX; i++)
		if (text_is(id, self->inputs[i].id))
			return &self->inputs[i];
	return NULL;
}

struct local_input *local_create(struct local_core *self, struct text id, const char *key)
{
	struct local_input *input = local_find(self, id);

	if (input)
		return input;
	if (!local_is_name(id) || strlen(key) != LOCAL_KEY_LENGTH)
		return NULL;
	for (size_t i = 0; i < LOCAL_INPUTS_MAX; i++) {
		if (self->inputs[i].id[0])
			continue;
		input = &self->inputs[i];
		*input = (struct local_input){ .ingest = INGEST_IDLE, .told = INGEST_IDLE };
		text_put(id, input->id, sizeof input->id);
		text_put(text_of(key), input->key, sizeof input->key);
		return input;
	}
	return NULL;
}

struct local_input *local_adopt(struct local_core *self, struct text id, struct text ingest)
{
	struct local_input *input = local_find(self, id);
	const char *query = ingest.length > 0 ? memchr(ingest.bytes, '?', ingest.length) : NULL;
	char key[LOCAL_KEY_LENGTH + 1];
	struct text form;

	if (input)
		return input;
	if (!query)
		return NULL;
	form = (struct text){ query + 1, ingest.length - (uint32_t)(query + 1 - ingest.bytes) };
	if (!local_form_field(form, "key", key, sizeof key))
		return NULL;
	input = local_create(self, id, key);
	if (input) {
		input->adopted = true;
		input->told = INGEST_UNKNOWN;
	}
	return input;
}

void local_close(struct local_input *input)
{
	input->closing = true;
	for (size_t i = 0; i < OUTPUTS_MAX; i++)
		if (input->outputs[i].number)
			local_output_remove(&input->outputs[i]);
}

bool local_is_quiet(const struct local_input *input)
{
	for (size_t i = 0; i < OUTPUTS_MAX; i++)
		if (input->outputs[i].child != LOCAL_CHILD_NONE)
			return false;
	return true;
}

void local_forget(struct local_input *input)
{
	memset(input, 0, sizeof *input);
}

/* ---- publishers ---- */

/* Takes as long for a key that is nearly right as for one that is all wrong. */
static bool same_key(const char *ours, struct text given)
{
	unsigned difference = given.length ^ LOCAL_KEY_LENGTH;

	for (uint32_t i = 0; i < LOCAL_KEY_LENGTH; i++)
		difference |= (unsigned char)ours[i] ^
			      (unsigned char)(i < given.length ? given.bytes[i] : 0);
	return difference == 0;
}

enum local_verdict local_publish(struct local_core *self, const struct local_callback *callback,
				 int64_t now_ms)
{
	struct local_input *input = local_find(self, callback->name);

	if (!text_is(callback->app, LOCAL_APP) || callback->client == 0 || !input || input->closing)
		return LOCAL_DENIED_UNKNOWN;
	if (!same_key(input->key, callback->key))
		return LOCAL_DENIED_KEY;
	if (input->client != 0)
		return LOCAL_DENIED_LIVE;
	input->client = callback->client;
	input->client_ms = now_ms;
	return LOCAL_ALLOWED;
}

static void lose(struct local_input *input)
{
	input->client = 0;
	/* Who was let in and never sent anything has not been lost. */
	if (input->ingest == INGEST_LIVE)
		input->ingest = INGEST_LOST;
}

/* It is also said, under the same name, of a second publisher that the server turned away. */
void local_publish_done(struct local_core *self, const struct local_callback *callback)
{
	struct local_input *input = local_find(self, callback->name);

	if (input && input->client != 0 && input->client == callback->client)
		lose(input);
}

static void see_stream(struct local_input *input, const struct local_stat_stream *stream,
		       int64_t asked_ms)
{
	if (input->client != stream->client)
		input->client_ms = asked_ms;
	input->client = stream->client;
	if (stream->active)
		input->ingest = INGEST_LIVE;
}

void local_see(struct local_core *self, const struct local_stat *stat, int64_t asked_ms)
{
	bool seen[LOCAL_INPUTS_MAX] = { false };
	struct local_stat_stream stream;
	struct text streams = stat->streams;

	while (local_stat_next(&streams, &stream)) {
		struct local_input *input = local_find(self, stream.name);

		if (!input || stream.client == 0)
			continue;
		seen[input - self->inputs] = true;
		see_stream(input, &stream, asked_ms);
	}
	for (size_t i = 0; i < LOCAL_INPUTS_MAX; i++) {
		struct local_input *input = &self->inputs[i];

		/* Who was let in after we had asked may be missing in the answer, unless it was
		 * let in by a worker that is no more.
		 */
		if (input->client != 0 && !seen[i] &&
		    (input->client_ms < asked_ms || stat->pid != self->worker))
			lose(input);
		input->adopted = false;
	}
	self->worker = stat->pid;
}

bool local_is_waiting(const struct local_core *self)
{
	for (size_t i = 0; i < LOCAL_INPUTS_MAX; i++)
		if (self->inputs[i].client != 0 && self->inputs[i].ingest != INGEST_LIVE)
			return true;
	return false;
}

/* ---- outputs ---- */

struct local_output *local_output_find(struct local_input *input, uint64_t number)
{
	for (size_t i = 0; i < OUTPUTS_MAX && number; i++)
		if (input->outputs[i].number == number)
			return &input->outputs[i];
	return NULL;
}

struct local_output *local_output_add(struct local_input *input, uint64_t number, struct text url)
{
	struct local_output *output = local_output_find(input, number);

	for (size_t i = 0; i < OUTPUTS_MAX && !output; i++) {
		if (input->outputs[i].number)
			continue;
		output = &input->outputs[i];
		*output = (struct local_output){ .number = number,
						 .state = OUTPUT_IDLE,
						 .told = OUTPUT_IDLE,
						 .pause_ms = LOCAL_BACKOFF_MS };
		text_put(url, output->url, sizeof output->url);
	}
	return output;
}

static void free_if_over(struct local_output *output)
{
	if (output->removed && output->child == LOCAL_CHILD_NONE)
		memset(output, 0, sizeof *output);
}

void local_output_remove(struct local_output *output)
{
	output->removed = true;
	free_if_over(output);
}

static struct local_output *find_child(struct local_core *self, uint64_t serial,
				       struct local_input **input)
{
	for (size_t i = 0; i < LOCAL_INPUTS_MAX; i++)
		for (size_t j = 0; j < OUTPUTS_MAX; j++) {
			struct local_output *output = &self->inputs[i].outputs[j];

			if (output->child == LOCAL_CHILD_NONE || output->serial != serial)
				continue;
			*input = &self->inputs[i];
			return output;
		}
	return NULL;
}

void local_child_moved(struct local_core *self, uint64_t serial, int64_t now_ms)
{
	struct local_input *input;
	struct local_output *output = find_child(self, serial, &input);

	if (!output || output->child != LOCAL_CHILD_RUNNING)
		return;
	output->state = OUTPUT_ACTIVE;
	output->error[0] = '\0';
	output->moved_ms = now_ms;
	if (now_ms - output->began_ms >= LOCAL_STEADY_MS)
		output->pause_ms = LOCAL_BACKOFF_MS;
}

static void fail_output(struct local_output *output, const char *error, int64_t now_ms)
{
	output->state = OUTPUT_ERROR;
	text_put(text_of(error), output->error, sizeof output->error);
	output->retry_ms = now_ms + output->pause_ms;
	output->pause_ms *= 2;
	if (output->pause_ms > LOCAL_BACKOFF_MAX_MS)
		output->pause_ms = LOCAL_BACKOFF_MAX_MS;
}

/* A child that was told to stop, or has nothing to read any more, has done nothing wrong.  It may
 * see the end of the source before we do: hence the pause.
 */
void local_child_ended(struct local_core *self, uint64_t serial, const char *error, int64_t now_ms)
{
	struct local_input *input;
	struct local_output *output = find_child(self, serial, &input);

	if (!output)
		return;
	if (output->child == LOCAL_CHILD_RUNNING && input->ingest == INGEST_LIVE && error) {
		fail_output(output, error, now_ms);
	} else if (output->state != OUTPUT_ERROR) {
		output->state = OUTPUT_IDLE;
		output->retry_ms = now_ms + LOCAL_BACKOFF_MS;
	}
	output->child = LOCAL_CHILD_NONE;
	free_if_over(output);
}

/* ---- what is to be done ---- */

static bool is_wanted(const struct local_input *input, const struct local_output *output)
{
	return input->ingest == INGEST_LIVE && !input->closing && !output->removed;
}

static enum local_step_type next_of_output(struct local_core *self, const struct local_input *input,
					   struct local_output *output, int64_t now_ms)
{
	bool wanted = is_wanted(input, output);
	bool stalled = output->child == LOCAL_CHILD_RUNNING &&
		       now_ms - output->moved_ms >= LOCAL_STALLED_MS;

	if (output->child == LOCAL_CHILD_RUNNING && (!wanted || stalled)) {
		if (wanted)
			fail_output(output, "nothing gets through", now_ms);
		output->child = LOCAL_CHILD_STOPPING;
		return LOCAL_STEP_STOP;
	}
	if (output->told != output->state && !output->removed && !input->closing) {
		output->told = output->state;
		return LOCAL_STEP_OUTPUT_HINT;
	}
	if (output->child == LOCAL_CHILD_NONE && wanted && now_ms >= output->retry_ms) {
		output->child = LOCAL_CHILD_RUNNING;
		output->serial = ++self->serials;
		output->began_ms = output->moved_ms = now_ms;
		return LOCAL_STEP_START;
	}
	return LOCAL_STEP_NONE;
}

struct local_step local_next(struct local_core *self, int64_t now_ms)
{
	for (size_t i = 0; i < LOCAL_INPUTS_MAX; i++) {
		struct local_input *input = &self->inputs[i];

		if (!input->id[0])
			continue;
		for (size_t j = 0; j < OUTPUTS_MAX; j++) {
			struct local_output *output = &input->outputs[j];
			enum local_step_type type =
				output->number ? next_of_output(self, input, output, now_ms)
					       : LOCAL_STEP_NONE;

			if (type != LOCAL_STEP_NONE)
				return (struct local_step){ type, input, output };
		}
		if (input->told != input->ingest && !input->closing && !input->adopted) {
			input->told = input->ingest;
			return (struct local_step){ LOCAL_STEP_HINT, input, NULL };
		}
	}
	return (struct local_step){ LOCAL_STEP_NONE, NULL, NULL };
}

int64_t local_deadline(const struct local_core *self)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < LOCAL_INPUTS_MAX; i++)
		for (size_t j = 0; j < OUTPUTS_MAX; j++) {
			const struct local_input *input = &self->inputs[i];
			const struct local_output *output = &input->outputs[j];
			int64_t at = output->child == LOCAL_CHILD_RUNNING
					     ? output->moved_ms + LOCAL_STALLED_MS
					     : output->retry_ms;

			if (output->number && output->child != LOCAL_CHILD_STOPPING &&
			    is_wanted(input, output) && at < due)
				due = at;
		}
	return due;
}
