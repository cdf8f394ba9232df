/* SPDX-License-Identifier: MIT */
/* Requests of apps about managed streams: to watch, to stop, to send on.  A watch is answered once
 * the stream has its input and the app was told, or with the reason why it never will have.
 */
#include "actors/managed-adapter/managed_destination.h"
#include "actors/managed-adapter/managed_internal.h"

#define ENDED "The stream has ended"

static bool is_of(const struct managed *self, const struct ask *ask, enum stream_event_type type,
		  struct text stream_id)
{
	return ask->type == type && text_equal(asks_text(&self->asks, ask, ASK_STREAM), stream_id);
}

/* ---- watch ---- */

static void act_watch(struct managed *self, struct ask *ask)
{
	struct refusal refusal = { 0 };

	if (!ask->again)
		managed_judge_watch(self, ask, &refusal);
	if (refusal.code) {
		asks_done(&self->asks, ask, &refusal);
		return;
	}
	struct stream_event *event = asks_pass(&self->asks, ask, EVENT_STREAM_OPEN);

	event->stream_open.kind = KIND_MANAGED;
	event->stream_open.provider = self->options.provider;
	event->stream_open.package = asks_text(&self->asks, ask, ASK_PACKAGE);
	event->stream_open.video = asks_text(&self->asks, ask, ASK_VIDEO);
	event->stream_open.audio = asks_text(&self->asks, ask, ASK_AUDIO);
	event->stream_open.options = asks_text(&self->asks, ask, ASK_OPTIONS);
}

static bool watches(const struct managed *self, const struct ask *ask,
		    const struct state_stream *stream)
{
	const struct state_viewer *viewer =
		state_viewer_find(&self->state, stream, asks_text(&self->asks, ask, ASK_PACKAGE));

	return viewer && viewer->state == VIEWER_WATCHING;
}

/* The registry says yes, and what it did is known here: answer, or wait for the input. */
static void watch_settle(struct managed *self, struct ask *ask, const struct state_stream *stream)
{
	struct refusal refusal = { 0 };

	if (!stream || stream->phase == PHASE_CLOSED) {
		managed_judge_closed(&self->state, stream, &refusal);
		asks_done(&self->asks, ask, &refusal);
		return;
	}
	if (state_managed_of(&self->state, stream)->input != INPUT_READY) {
		ask->step = ASK_WAITING;
		ask->look = false;
		return;
	}
	/* An earlier life of ours may have died before it told: whoever asks is answered (D9). */
	if (!ask->replied)
		managed_tell_app(self, stream, asks_text(&self->asks, ask, ASK_PACKAGE),
				 &(struct managed_words){ .status = "active",
							  .reply = true,
							  .stream_seq = stream->stream_seq });
	asks_done(&self->asks, ask, NULL);
}

void managed_ask_story(struct managed *self, struct ask *ask, const struct state_stream *stream)
{
	if (ask->type != EVENT_REQUEST_WATCH)
		return;
	(void)asks_keep(&self->asks, ask, ASK_STREAM, managed_text(self, stream->id));
	if (asks_on_story(ask))
		watch_settle(self, ask, stream);
}

static void watch_result(struct managed *self, struct ask *ask, const struct stream_event *event)
{
	const struct state_stream *stream = state_stream_find(&self->state, event->stream_id);
	struct refusal refusal;

	managed_judge_result(self, ask, event, &refusal);
	if (refusal.code) {
		asks_done(&self->asks, ask, &refusal);
		return;
	}
	ask->cause = event->cause;
	bool told = ask->step == ASK_TOLD || asks_text(&self->asks, ask, ASK_STREAM).length > 0;

	(void)asks_keep(&self->asks, ask, ASK_STREAM, event->stream_id);
	if (told && self->asks.synced) {
		watch_settle(self, ask, stream);
		return;
	}
	if (stream && stream->phase == PHASE_REQUESTED)
		/* An earlier life may have died before it said what this names. */
		managed_outputs_open(self, managed_work_of(self, stream), stream, ask);
	ask->step = ASK_ANSWERED;
	/* No story follows an answer that an earlier life of ours was given before. */
	ask->look = self->asks.synced && self->asks.seq >= ask->cause;
}

bool managed_answered_due(const struct managed *self)
{
	for (uint32_t i = 0; i < self->asks.high; i++) {
		const struct ask *ask = asks_at(&self->asks, i);

		if (ask && ask->look)
			return true;
	}
	return false;
}

static void asks_of_stream(struct managed *self, struct text stream_id, struct text package,
			   const struct refusal *refusal)
{
	for (uint32_t i = 0; i < self->asks.high; i++) {
		struct ask *ask = asks_at(&self->asks, i);

		if (!ask || !is_of(self, ask, EVENT_REQUEST_WATCH, stream_id) ||
		    (package.length > 0 &&
		     !text_equal(asks_text(&self->asks, ask, ASK_PACKAGE), package)))
			continue;
		if (asks_have_room(&self->asks)) {
			asks_done(&self->asks, ask, refusal);
		} else { /* by the next call, from the record */
			ask->look = true;
			ask->replied = true;
		}
	}
}

void managed_asks_provisioned(struct managed *self, struct text stream_id)
{
	asks_of_stream(self, stream_id, (struct text){ 0 }, NULL);
}

void managed_asks_left(struct managed *self, struct text stream_id, struct text package)
{
	asks_of_stream(self, stream_id, package, NULL);
}

/* ---- stop ---- */

/* What the same app has asked before is not known here yet: then this must wait for it. */
static bool watches_soon(const struct managed *self, const struct ask *stop)
{
	for (uint32_t i = 0; i < self->asks.high; i++) {
		const struct ask *ask = asks_at(&self->asks, i);

		if (ask && ask->type == EVENT_REQUEST_WATCH && ask->step != ASK_WAITING &&
		    ask->origin == stop->origin && ask->request < stop->request &&
		    text_equal(asks_text(&self->asks, ask, ASK_USER),
			       asks_text(&self->asks, stop, ASK_USER)) &&
		    text_equal(asks_text(&self->asks, ask, ASK_PACKAGE),
			       asks_text(&self->asks, stop, ASK_PACKAGE)))
			return true;
	}
	return false;
}

static void act_stop(struct managed *self, struct ask *ask)
{
	const struct state_user *user =
		state_user_find(&self->state, asks_text(&self->asks, ask, ASK_USER));
	const struct state_stream *active = managed_active(self, user);

	if (watches_soon(self, ask)) {
		ask->step = ASK_PARKED;
		self->asks.parked++;
		return;
	}
	if (!active) {
		asks_done(&self->asks, ask, NULL);
		return;
	}
	(void)asks_keep(&self->asks, ask, ASK_STREAM, managed_text(self, active->id));
	struct stream_event *event = asks_pass(&self->asks, ask, EVENT_STREAM_LEAVE);

	event->stream_id = managed_text(self, active->id);
	event->epoch = active->epoch;
	event->stream_leave.package = asks_text(&self->asks, ask, ASK_PACKAGE);
}

/* 5.4: an app that does not watch is told "stopped" all the same, as long as a stream runs. */
static void stop_result(struct managed *self, struct ask *ask, const struct stream_event *event)
{
	const struct state_stream *stream =
		state_stream_find(&self->state, asks_text(&self->asks, ask, ASK_STREAM));

	if (event->stream_result.result == RESULT_NOT_VIEWER && stream)
		managed_tell_app(self, stream, asks_text(&self->asks, ask, ASK_PACKAGE),
				 &(struct managed_words){ .status = "stopped",
							  .reply = true,
							  .stream_seq = stream->stream_seq });
	asks_done(&self->asks, ask, NULL);
}

/* ---- outputs ---- */

static void outputs_refused(struct managed *self, struct ask *ask, enum result result,
			    const char *reason)
{
	struct refusal refusal;

	asks_refuse(&refusal, "INTERNAL_ERROR", "%s", reason);
	refusal.result = result;
	asks_done(&self->asks, ask, &refusal);
}

static void list_outputs(struct managed *self, struct ask *ask, const struct state_stream *stream)
{
	if (!watches(self, ask, stream)) {
		outputs_refused(self, ask, RESULT_NOT_VIEWER, "App does not watch the stream");
		return;
	}
	struct stream_event *event = asks_answer(&self->asks, ask);

	event->stream_id = managed_text(self, stream->id);
	event->request_outputs.outputs = managed_outputs_records(self, stream);
	asks_drop(&self->asks, ask);
}

static void pass_output(struct managed *self, struct ask *ask, const struct state_stream *stream)
{
	bool add = ask->type == EVENT_REQUEST_OUTPUT_ADD;
	struct stream_event *event =
		asks_pass(&self->asks, ask, add ? EVENT_OUTPUT_ADD : EVENT_OUTPUT_REMOVE);

	event->user_id = managed_text(self, state_user_of(&self->state, stream->user)->id);
	event->stream_id = managed_text(self, stream->id);
	event->epoch = stream->epoch;
	if (add) {
		event->output_add.package = asks_text(&self->asks, ask, ASK_PACKAGE);
		event->output_add.url = asks_text(&self->asks, ask, ASK_URL);
		event->output_add.name = asks_text(&self->asks, ask, ASK_NAME);
	} else {
		event->output_remove.package = asks_text(&self->asks, ask, ASK_PACKAGE);
		event->output_remove.output = ask->output;
	}
}

static void act_output(struct managed *self, struct ask *ask)
{
	const struct state_stream *stream =
		state_stream_find(&self->state, asks_text(&self->asks, ask, ASK_STREAM));
	const char *error = NULL;

	if (!stream || stream->kind != KIND_MANAGED || !phase_active(stream->phase)) {
		outputs_refused(self, ask, RESULT_NOT_FOUND, "Managed stream not found");
		return;
	}
	if (ask->type == EVENT_REQUEST_OUTPUT_LIST) {
		list_outputs(self, ask, stream);
		return;
	}
	if (ask->type == EVENT_REQUEST_OUTPUT_ADD)
		error = managed_destination_error(asks_text(&self->asks, ask, ASK_URL),
						  self->options.private_outputs);
	if (error)
		outputs_refused(self, ask, RESULT_BAD_URL, error);
	else
		pass_output(self, ask, stream);
}

/* An output that was added is answered for once the provider has taken or refused it. */
static void output_settle(struct managed *self, struct ask *ask, enum output_state state,
			  struct text error)
{
	char reason[OUTPUT_ERROR_MAX + 1];

	if (state == OUTPUT_NEW)
		return;
	if (state == OUTPUT_REFUSED || state == OUTPUT_ERROR) {
		outputs_refused(self, ask, RESULT_FAILED, text_put(error, reason, sizeof reason));
	} else if (state == OUTPUT_REMOVED || state == OUTPUT_NONE) {
		outputs_refused(self, ask, RESULT_NOT_FOUND, "The output was removed");
	} else {
		asks_answer(&self->asks, ask)->request_outputs.output = ask->output;
		asks_drop(&self->asks, ask);
	}
}

/* What the record says became of it. */
static void output_look(struct managed *self, struct ask *ask, const struct state_stream *stream)
{
	const struct state_output *output = NULL;

	if (!stream || !phase_active(stream->phase)) {
		outputs_refused(self, ask, RESULT_NOT_FOUND, ENDED);
		return;
	}
	output = state_output_find(&self->state, stream, ask->output);
	ask->look = false;
	output_settle(self, ask, output ? (enum output_state)output->state : OUTPUT_NONE,
		      output ? managed_text(self, output->error) : (struct text){ 0 });
}

static void output_result(struct managed *self, struct ask *ask, const struct stream_event *event)
{
	const struct state_stream *stream =
		state_stream_find(&self->state, asks_text(&self->asks, ask, ASK_STREAM));
	enum result result = event->stream_result.result;

	if (result != RESULT_OK) {
		outputs_refused(self, ask, result, words_name(&result_words, result));
		return;
	}
	ask->cause = event->cause;
	ask->output = event->stream_result.output;
	ask->step = ASK_WAITING;
	ask->look = false;
	if (ask->type == EVENT_REQUEST_OUTPUT_REMOVE) {
		asks_answer(&self->asks, ask)->request_outputs.output = ask->output;
		asks_drop(&self->asks, ask);
		return;
	}
	/* Else its story, or the rows of a snapshot, will tell. */
	if (self->asks.synced && self->asks.seq >= ask->cause)
		output_look(self, ask, stream);
}

void managed_asks_output(struct managed *self, struct text stream_id,
			 const struct stream_event *event)
{
	for (uint32_t i = 0; i < self->asks.high; i++) {
		struct ask *ask = asks_at(&self->asks, i);

		if (!ask || !is_of(self, ask, EVENT_REQUEST_OUTPUT_ADD, stream_id))
			continue;
		if (ask->origin == event->origin && ask->request == event->request)
			(void)asks_on_story(ask);
		else if (ask->step == ASK_WAITING && ask->output == event->stream_output.output)
			output_settle(self, ask, event->stream_output.state,
				      event->stream_output.error);
	}
}

void managed_asks_closed(struct managed *self, struct text stream_id, const struct refusal *refusal)
{
	asks_of_stream(self, stream_id, (struct text){ 0 }, refusal);
	for (uint32_t i = 0; i < self->asks.high; i++) {
		struct ask *ask = asks_at(&self->asks, i);

		if (ask && is_of(self, ask, EVENT_REQUEST_OUTPUT_ADD, stream_id) &&
		    ask->step == ASK_WAITING)
			outputs_refused(self, ask, RESULT_NOT_FOUND, ENDED);
	}
}

/* ---- all of them ---- */

void managed_asks_synced(struct managed *self)
{
	for (uint32_t i = 0; i < self->asks.high; i++) {
		struct ask *ask = asks_at(&self->asks, i);

		if (ask && (ask->step == ASK_ANSWERED || ask->step == ASK_WAITING) &&
		    ask->cause <= self->asks.seq) /* else its story is still to come */
			ask->look = true;
	}
}

/* What is known by now is all there is to know: a stream that is not is over, and who does not
 * watch has left since.
 */
static void watch_look(struct managed *self, struct ask *ask, const struct state_stream *stream)
{
	bool active = stream && phase_active(stream->phase);

	if (active && !watches(self, ask, stream)) {
		asks_done(&self->asks, ask, NULL);
		return;
	}
	if (active)
		managed_outputs_open(self, managed_work_of(self, stream), stream, ask);
	watch_settle(self, ask, stream);
}

void managed_answered_step(struct managed *self)
{
	for (uint32_t i = 0; i < self->asks.high; i++) {
		struct ask *ask = asks_at(&self->asks, i);

		if (!ask || !ask->look)
			continue;
		if (!asks_have_room(&self->asks) || !managed_deliver_room(self))
			return;
		const struct state_stream *stream =
			state_stream_find(&self->state, asks_text(&self->asks, ask, ASK_STREAM));

		if (ask->type == EVENT_REQUEST_WATCH)
			watch_look(self, ask, stream);
		else
			output_look(self, ask, stream);
	}
}

void managed_act(void *context, struct ask *ask)
{
	struct managed *self = context;

	if (ask->type == EVENT_REQUEST_WATCH)
		act_watch(self, ask);
	else if (ask->type == EVENT_REQUEST_STOP)
		act_stop(self, ask);
	else
		act_output(self, ask);
}

void managed_on_result(struct managed *self, const struct stream_event *event)
{
	struct ask *ask = asks_find(&self->asks, event->origin, event->request);

	managed_on_add_result(self, event);
	if (!ask || (ask->step != ASK_ASKED && ask->step != ASK_TOLD))
		return;
	if (ask->type == EVENT_REQUEST_WATCH)
		watch_result(self, ask, event);
	else if (ask->type == EVENT_REQUEST_STOP)
		stop_result(self, ask, event);
	else
		output_result(self, ask, event);
}
