/* SPDX-License-Identifier: MIT */
/* Places of managed streams that a night of seeds must reach, as far as the story shows them. */
#include "tests/sim/checks_internal.h"

static const struct state_stream *stream_of(const struct stream_event *event)
{
	const struct state_stream *stream = state_stream_find(&checks.replay, event->stream_id);

	return stream && stream->kind == KIND_MANAGED ? stream : NULL;
}

static void opened(const struct stream_event *event)
{
	const struct state_user *user = state_user_find(&checks.replay, event->user_id);
	const struct state_stream *owed = NULL;

	if (event->stream_opened.kind == KIND_MANAGED)
		SIM_SOMETIMES(checks.sim, "a managed stream begins");
	if (user && user->liabilities != STATE_NONE)
		owed = state_stream_at(&checks.replay, user->liabilities);
	if (owed && owed->input_owed)
		SIM_SOMETIMES(checks.sim, "a stream begins while an input is owed");
	if (owed && owed->kind == KIND_MANAGED && owed->stop_owed)
		SIM_SOMETIMES(checks.sim,
			      "a stream begins while the stop of a managed one is owed");
}

static void joined(const struct state_stream *stream, const struct stream_event *event)
{
	const struct state_viewer *viewer =
		state_viewer_find(&checks.replay, stream, event->stream_joined.package);

	if (stream->phase == PHASE_REQUESTED)
		SIM_SOMETIMES(checks.sim, "an app joins a stream that is being made");
	else
		SIM_SOMETIMES(checks.sim, "an app joins a managed stream");
	if (viewer && viewer->state == VIEWER_WATCHING)
		SIM_SOMETIMES(checks.sim, "a viewer asks again");
	if (viewer && viewer->state == VIEWER_OWED)
		SIM_SOMETIMES(checks.sim, "a viewer is back before it was told that it left");
}

static void left(const struct state_stream *stream, const struct stream_event *event)
{
	if (stream->phase == PHASE_REQUESTED)
		SIM_SOMETIMES(checks.sim, "a viewer leaves while the stream is being made");
	if (state_viewers_watching(&checks.replay, stream) > 1)
		SIM_SOMETIMES(checks.sim, "a viewer leaves, others stay");
	else
		SIM_SOMETIMES(checks.sim, "the last viewer leaves");
	if (!event->stream_left.told_owed)
		SIM_SOMETIMES(checks.sim, "a viewer leaves with its app");
}

static void taken_over(const struct state_stream *stream)
{
	if (stream->phase == PHASE_REQUESTED)
		SIM_SOMETIMES(checks.sim, "takeover of a managed stream that is being made");
	else
		SIM_SOMETIMES(checks.sim, "takeover of a managed stream");
}

static void closed(const struct state_stream *stream, const struct stream_event *event)
{
	const struct state_managed *managed = state_managed_of(&checks.replay, stream);

	if (event->stream_closed.end_cause == END_TAKEOVER)
		taken_over(stream);
	if (event->stream_closed.end_cause == END_PROVIDER_ERROR)
		SIM_SOMETIMES(checks.sim, "an input cannot be made");
	if (event->stream_closed.end_cause == END_OPERATOR_STOP)
		SIM_SOMETIMES(checks.sim, "an operator ends a managed stream");
	if (event->stream_closed.end_cause == END_DEVICE_ERROR)
		SIM_SOMETIMES(checks.sim, "a managed stream ends by an error of the device");
	if (event->stream_closed.end_cause == END_ACKS_MISSED)
		SIM_SOMETIMES(checks.sim, "a managed stream ends for want of acks");
	if (event->stream_closed.end_cause == END_SESSION_ENDED)
		SIM_SOMETIMES(checks.sim, "a managed stream ends with its session");
	if (event->stream_closed.input_owed && managed->input == INPUT_WANTED)
		SIM_SOMETIMES(checks.sim, "an input is owed that nobody knows yet");
	if (state_viewers_watching(&checks.replay, stream) > 1)
		SIM_SOMETIMES(checks.sim, "a stream with several viewers ends");
}

static void playback(const struct stream_event *event)
{
	if (event->stream_playback.playback == PLAYBACK_DETAILS)
		SIM_SOMETIMES(checks.sim, "details of a stream are known");
	if (event->stream_playback.playback == PLAYBACK_LIVE)
		SIM_SOMETIMES(checks.sim, "a stream can be watched");
	if (event->stream_playback.playback == PLAYBACK_OVERDUE)
		SIM_SOMETIMES(checks.sim, "a stream can never be watched");
}

static void output(const struct stream_event *event)
{
	if (event->stream_output.state == OUTPUT_REFUSED)
		SIM_SOMETIMES(checks.sim, "a destination is refused");
	if (event->stream_output.state == OUTPUT_ACTIVE)
		SIM_SOMETIMES(checks.sim, "an output is active");
	if (event->stream_output.state == OUTPUT_ERROR)
		SIM_SOMETIMES(checks.sim, "an output fails");
}

static void settled(const struct stream_event *event)
{
	if (event->stream_input_settled.input_id.length > 0)
		SIM_SOMETIMES(checks.sim, "an input is deleted");
	else
		SIM_SOMETIMES(checks.sim, "an input was never made");
}

void check_places_managed(const struct stream_event *event)
{
	const struct state_stream *stream = stream_of(event);

	if (event->type == EVENT_STREAM_OPENED)
		opened(event);
	if (!stream)
		return;
	switch (event->type) {
	case EVENT_STREAM_JOINED:
		joined(stream, event);
		return;
	case EVENT_STREAM_LEFT:
		left(stream, event);
		return;
	case EVENT_STREAM_CLOSED:
		closed(stream, event);
		return;
	case EVENT_STREAM_PROVISIONED:
		if (event->stream_provisioned.phase == PHASE_CLOSED)
			SIM_SOMETIMES(checks.sim, "an input is known after its stream's end");
		return;
	case EVENT_STREAM_INGEST:
		if (event->stream_ingest.ingest == INGEST_LOST)
			SIM_SOMETIMES(checks.sim, "the provider loses the picture");
		return;
	case EVENT_STREAM_PLAYBACK:
		playback(event);
		return;
	case EVENT_STREAM_OUTPUT:
		output(event);
		return;
	case EVENT_STREAM_INPUT_SETTLED:
		settled(event);
		return;
	default:
		return;
	}
}
