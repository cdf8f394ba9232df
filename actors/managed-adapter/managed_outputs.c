/* SPDX-License-Identifier: MIT */
/* Outputs at the provider: those that are new are added, those that are to go are removed, each by
 * itself, so that one that fails touches neither the others nor the source.
 */
#include <assert.h>

#include "actors/managed-adapter/managed_destination.h"
#include "actors/managed-adapter/managed_internal.h"

/* ---- what the first request named ---- */

static uint32_t add_place(uint64_t request)
{
	return (uint32_t)(request % MANAGED_ADDS_MAX);
}

static void add_one(struct managed *self, struct managed_work *work,
		    const struct state_stream *stream,
		    const struct managed_destination *destination, uint32_t index)
{
	struct stream_event *event = managed_command(self, stream, EVENT_OUTPUT_ADD);

	event->origin = self->options.incarnation;
	event->request = ++self->requests;
	event->output_add.package = managed_text(self, stream->package);
	event->output_add.url = effects_keep(self->fx, destination->url);
	event->output_add.name = effects_keep(self->fx, destination->name);
	if (destination->error)
		event->output_add.error = text_of(destination->error);
	event->output_add.initial = true;
	self->stats.destinations_refused += destination->error != NULL;
	self->adds[add_place(event->request)] = (struct managed_add){
		.request = event->request,
		.slot = (uint32_t)(stream - self->state.streams),
		.index = index,
	};
	work->adds++;
}

/* Only the request that makes the stream says where it goes; asked again it says the same, and the
 * registry knows an output by its URL.
 */
void managed_outputs_open(struct managed *self, struct managed_work *work,
			  const struct state_stream *stream, const struct ask *ask)
{
	struct text json = asks_text(&self->asks, ask, ASK_DESTINATIONS);
	char buffer[MANAGED_DESTINATION_BYTES];
	struct managed_destination destination;
	uint32_t index = 0;

	if (!work->used || work->destinations.length > 0 || json.length == 0 ||
	    !text_equal(managed_text(self, stream->package),
			asks_text(&self->asks, ask, ASK_PACKAGE)))
		return;
	if (!pool_keep(&self->texts, json, &work->destinations)) {
		self->stats.destinations_refused++; /* better without than not at all */
		return;
	}
	for (; index < OUTPUTS_MAX &&
	       managed_destination_at(json, index, self->options.private_outputs, buffer,
				      &destination);
	     index++)
		add_one(self, work, stream, &destination, index);
	/* More than a stream may have: nobody could be told of them. */
	while (managed_destination_at(json, index, true, buffer, &destination)) {
		self->stats.destinations_refused++;
		index++;
	}
}

static struct managed_add *add_of(struct managed *self, const struct stream_event *event)
{
	struct managed_add *add = &self->adds[add_place(event->request)];

	return event->origin == self->options.incarnation && event->request != 0 &&
			       add->request == event->request
		       ? add
		       : NULL;
}

static void add_settled(struct managed *self, struct managed_add *add)
{
	struct managed_work *work = add->slot != STATE_NONE ? &self->works[add->slot] : NULL;

	*add = (struct managed_add){ 0 };
	if (!work)
		return;
	assert(work->adds > 0);
	work->adds--;
	if (work->adds == 0 && work->stage >= STAGE_START)
		pool_drop(&self->texts, &work->destinations);
}

void managed_on_add_result(struct managed *self, const struct stream_event *event)
{
	struct managed_add *add = add_of(self, event);

	if (!add || event->stream_result.result == RESULT_OK)
		return; /* its story settles it */
	const uint32_t slot = add->slot;

	self->stats.destinations_refused += event->stream_result.result != RESULT_DUPLICATE;
	add_settled(self, add);
	if (slot != STATE_NONE)
		managed_work_follow(self, state_stream_at(&self->state, slot));
}

void managed_adds_forget(struct managed *self, uint32_t slot)
{
	for (uint32_t i = 0; i < MANAGED_ADDS_MAX; i++)
		if (slot == STATE_NONE || self->adds[i].slot == slot)
			self->adds[i].slot = STATE_NONE;
}

static struct text destinations_of(const struct managed *self, const struct state_stream *stream)
{
	struct text json = pool_text(&self->texts, managed_work_of(self, stream)->destinations);

	return json.length > 0 ? json
			       : managed_kept_destinations(self, managed_text(self, stream->id));
}

struct text managed_output_url(struct managed *self, const struct state_stream *stream,
			       const struct stream_event *event)
{
	const struct ask *ask = asks_find(&self->asks, event->origin, event->request);
	struct managed_add *add = add_of(self, event);
	char buffer[MANAGED_DESTINATION_BYTES];
	struct managed_destination destination;

	if (add) {
		struct text json = destinations_of(self, stream);
		bool found = managed_destination_at(json, add->index, true, buffer, &destination);

		add_settled(self, add);
		return found ? effects_keep(self->fx, destination.url) : (struct text){ 0 };
	}
	if (ask && ask->type == EVENT_REQUEST_OUTPUT_ADD &&
	    event->stream_output.state == OUTPUT_NEW)
		return asks_text(&self->asks, ask, ASK_URL);
	return (struct text){ 0 };
}

/* ---- calls ---- */

static bool is_due(const struct state_output *output)
{
	return output->number != 0 &&
	       (output->state == OUTPUT_NEW || output->state == OUTPUT_REMOVING);
}

static struct output_work *work_of(struct managed_work *work, uint32_t number)
{
	struct output_work *free = NULL;

	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		if (work->outputs[i].number == number)
			return &work->outputs[i];
		if (work->outputs[i].number == 0 && !free)
			free = &work->outputs[i];
	}
	if (free)
		*free = (struct output_work){ .number = number };
	return free;
}

/* Those that need nothing any more make room. */
static void forget_settled(const struct managed *self, struct managed_work *work,
			   const struct state_stream *stream)
{
	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		struct output_work *item = &work->outputs[i];
		const struct state_output *output =
			state_output_find(&self->state, stream, item->number);

		if (item->number != 0 && item->call == 0 && !(output && is_due(output)))
			*item = (struct output_work){ 0 };
	}
}

static struct text input_of(const struct managed *self, const struct managed_work *work,
			    const struct state_stream *stream)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);

	return managed->input_id.length > 0 ? managed_text(self, managed->input_id)
					    : pool_text(&self->texts, work->made[MADE_ID]);
}

static void call(struct managed *self, struct managed_work *work, const struct state_stream *stream,
		 const struct state_output *output, struct output_work *item)
{
	bool add = output->state == OUTPUT_NEW;
	struct stream_event *event =
		managed_call(self, add ? EVENT_PROVIDER_OUTPUT_ADD : EVENT_PROVIDER_OUTPUT_REMOVE,
			     (uint32_t)(work - self->works), output->number, &item->call);

	if (!event) {
		item->due_ms = self->now_ms + MANAGED_RETRY_MS;
		return;
	}
	item->tries++;
	item->removing = !add;
	event->user_id = managed_text(self, state_user_of(&self->state, stream->user)->id);
	event->stream_id = managed_text(self, stream->id);
	event->epoch = stream->epoch;
	if (add) {
		event->provider_output_add.call = item->call;
		event->provider_output_add.input_id = input_of(self, work, stream);
		event->provider_output_add.output = output->number;
		event->provider_output_add.url = managed_text(self, output->url);
	} else {
		event->provider_output_remove.call = item->call;
		event->provider_output_remove.input_id = input_of(self, work, stream);
		event->provider_output_remove.output = output->number;
		event->provider_output_remove.remote_id = managed_text(self, output->remote_id);
		event->provider_output_remove.url = managed_text(self, output->url);
	}
}

int64_t managed_outputs_step(struct managed *self, struct managed_work *work,
			     const struct state_stream *stream)
{
	const struct state_outputs *outputs = state_outputs_of(&self->state, stream);
	int64_t next_ms = INT64_MAX;

	if (work->stage < STAGE_OUTPUTS || work->stage > STAGE_LIVE ||
	    work->stage == STAGE_FAILED || input_of(self, work, stream).length == 0)
		return INT64_MAX;
	forget_settled(self, work, stream);
	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		const struct state_output *output = &outputs->items[i];
		/* Without its URL it waits for a snapshot, which has it. */
		struct output_work *item = is_due(output) && output->url.length > 0
						   ? work_of(work, output->number)
						   : NULL;

		if (!item || item->call != 0)
			continue;
		if (item->due_ms <= self->now_ms || item->removing != (output->state != OUTPUT_NEW))
			call(self, work, stream, output, item);
		if (item->call == 0 && item->due_ms < next_ms)
			next_ms = item->due_ms;
	}
	return next_ms;
}

bool managed_outputs_await(const struct managed *self, const struct managed_work *work,
			   const struct state_stream *stream)
{
	const struct state_outputs *outputs = state_outputs_of(&self->state, stream);

	if (work->adds > 0)
		return true;
	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		const struct state_output *output = &outputs->items[i];
		bool answered = false;

		for (unsigned k = 0; k < OUTPUTS_MAX; k++)
			answered |= work->outputs[k].number == output->number &&
				    work->outputs[k].tries > 0 && work->outputs[k].call == 0;
		if (output->number != 0 && output->initial && output->state == OUTPUT_NEW &&
		    !answered)
			return true;
	}
	return false;
}

/* ---- answers ---- */

static struct text cut(struct text text, uint32_t length)
{
	if (text.length <= length)
		return text;
	while (length > 0 && ((unsigned char)text.bytes[length] & 0xc0) == 0x80)
		length--; /* not inside a character */
	return (struct text){ text.bytes, length };
}

static struct stream_event *seen(struct managed *self, const struct state_stream *stream,
				 uint32_t number, enum output_state state)
{
	struct stream_event *event = managed_command(self, stream, EVENT_OUTPUT_SEEN);

	event->output_seen.output = number;
	event->output_seen.state = state;
	return event;
}

static void try_again(struct managed *self, struct output_work *item,
		      const struct stream_event *answer, bool refused)
{
	item->due_ms =
		self->now_ms +
		managed_backoff_ms(refused ? MANAGED_PAUSE_MAX_MS : self->options.create_pause_ms,
				   item->tries, answer->provider_done.retry_ms);
}

static void added(struct managed *self, const struct state_stream *stream, struct output_work *item,
		  const struct state_output *output, const struct stream_event *answer)
{
	enum call_outcome outcome = answer->provider_done.outcome;
	struct text detail = answer->provider_done.detail;

	if (outcome == CALL_RETRY || outcome == CALL_UNKNOWN) {
		try_again(self, item, answer, false);
		return;
	}
	item->due_ms = self->now_ms + MANAGED_SETTLE_MS; /* until the story has it */
	if (outcome == CALL_OK) {
		seen(self, stream, item->number, OUTPUT_IDLE)->output_seen.remote_id =
			answer->provider_done.remote_id;
		return;
	}
	seen(self, stream, item->number, OUTPUT_REFUSED)->output_seen.error =
		cut(detail.length > 0 ? detail : TEXT("refused by the provider"), OUTPUT_ERROR_MAX);
	/* Who added it is told, and may try once more. */
	if (!output->initial)
		(void)seen(self, stream, item->number, OUTPUT_REMOVED);
}

void managed_output_done(struct managed *self, struct managed_work *work,
			 const struct managed_call *answered, const struct stream_event *answer)
{
	const struct state_stream *stream = managed_stream_of(self, work);
	struct output_work *item = NULL;

	for (unsigned i = 0; i < OUTPUTS_MAX; i++)
		if (work->outputs[i].call == answered->number)
			item = &work->outputs[i];
	if (!item || stream->phase == PHASE_CLOSED) {
		self->stats.answers_late++;
		return;
	}
	const struct state_output *output =
		state_output_find(&self->state, stream, answered->output);
	enum call_outcome outcome = answer->provider_done.outcome;

	item->call = 0;
	if (!output)
		*item = (struct output_work){ 0 };
	else if (!item->removing)
		added(self, stream, item, output, answer);
	else if (outcome == CALL_OK || outcome == CALL_GONE) {
		item->due_ms = self->now_ms + MANAGED_SETTLE_MS;
		(void)seen(self, stream, item->number, OUTPUT_REMOVED);
	} else {
		try_again(self, item, answer,
			  outcome == CALL_REFUSED || outcome == CALL_UNCONFIGURED);
	}
	managed_work_follow(self, stream);
}

/* ---- news ---- */

static const struct state_output *hinted(const struct managed *self,
					 const struct state_stream *stream,
					 const struct stream_event *event)
{
	const struct state_outputs *outputs = state_outputs_of(&self->state, stream);
	struct text remote_id = event->provider_output_hint.remote_id;

	if (event->provider_output_hint.output != 0)
		return state_output_find(&self->state, stream, event->provider_output_hint.output);
	for (unsigned i = 0; remote_id.length > 0 && i < OUTPUTS_MAX; i++)
		if (outputs->items[i].number != 0 &&
		    text_equal(managed_text(self, outputs->items[i].remote_id), remote_id))
			return &outputs->items[i];
	return NULL;
}

static bool is_running(enum output_state state)
{
	return state == OUTPUT_IDLE || state == OUTPUT_ACTIVE || state == OUTPUT_ERROR;
}

void managed_on_output_hint(struct managed *self, const struct stream_event *event)
{
	struct managed_work *work =
		managed_work_find(self, event->stream_id, event->provider_output_hint.input_id);
	const struct state_stream *stream = work ? managed_stream_of(self, work) : NULL;
	const struct state_output *output =
		stream && stream->kind == KIND_MANAGED && stream->phase != PHASE_CLOSED
			? hinted(self, stream, event)
			: NULL;
	enum output_state state = event->provider_output_hint.state;

	if (!output || !is_running((enum output_state)output->state) || !is_running(state) ||
	    (state == (enum output_state)output->state &&
	     text_equal(managed_text(self, output->error), event->provider_output_hint.error)))
		return;
	seen(self, stream, output->number, state)->output_seen.error =
		event->provider_output_hint.error;
}
