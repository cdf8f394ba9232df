/* SPDX-License-Identifier: MIT */
/* Places that a night of seeds must reach, as far as the story shows them. */
#include "tests/sim/checks_internal.h"

static const struct state_stream *stream_of(const struct stream_event *event)
{
	return state_stream_find(&checks.replay, event->stream_id);
}

static const struct state_user *user_of(const struct stream_event *event)
{
	return state_user_find(&checks.replay, event->user_id);
}

static void opened(const struct stream_event *event)
{
	const struct state_user *user = user_of(event);

	if (!user)
		return;
	if (user->liabilities != STATE_NONE)
		SIM_SOMETIMES(checks.sim, "a stream begins while an older one owes something");
	if (!user->connected)
		SIM_SOMETIMES(checks.sim, "a stream begins though the glasses just left");
	const struct state_app *app =
		state_app_find(&checks.replay, user, event->stream_opened.package);

	if (app && app->state == APP_GRACE)
		SIM_SOMETIMES(checks.sim, "a stream begins while its owner is in grace");
}

static void took_over(const struct state_stream *stream)
{
	switch ((enum phase)stream->phase) {
	case PHASE_REQUESTED:
		SIM_SOMETIMES(checks.sim, "takeover before the start is delivered");
		return;
	case PHASE_STARTING:
		SIM_SOMETIMES(checks.sim, "takeover while starting");
		return;
	case PHASE_SUSPECT:
		SIM_SOMETIMES(checks.sim, "takeover of a suspect stream");
		return;
	case PHASE_STOPPING:
		SIM_SOMETIMES(checks.sim, "takeover while stopping");
		return;
	default:
		SIM_SOMETIMES(checks.sim, "takeover of a live stream");
		return;
	}
}

static void ended(const struct state_stream *stream, enum end_cause cause)
{
	switch (cause) {
	case END_TAKEOVER:
		took_over(stream);
		return;
	case END_APP_STOP:
		SIM_SOMETIMES(checks.sim, "ended by its app");
		if (!stream->start_delivered)
			SIM_SOMETIMES(checks.sim, "stopped before the start is delivered");
		return;
	case END_OPERATOR_STOP:
		SIM_SOMETIMES(checks.sim, "ended by an operator");
		return;
	case END_APP_CLOSED:
		SIM_SOMETIMES(checks.sim, "ended with its app");
		return;
	case END_DEVICE_STOPPED:
		SIM_SOMETIMES(checks.sim, "ended by the device");
		return;
	case END_DEVICE_ERROR:
		SIM_SOMETIMES(checks.sim, "ended by an error of the device");
		return;
	case END_RECONNECT_FAILED:
		SIM_SOMETIMES(checks.sim, "ended by failed reconnects");
		return;
	case END_DEVICE_TIMEOUT:
		SIM_SOMETIMES(checks.sim, "ended by the device's timeout");
		return;
	case END_PHONE_LOST:
		SIM_SOMETIMES(checks.sim, "ended because the phone is away");
		return;
	case END_GLASSES_LOST:
		SIM_SOMETIMES(checks.sim, "ended because the glasses are away");
		return;
	case END_ACKS_MISSED:
		SIM_SOMETIMES(checks.sim, "ended for want of acks");
		return;
	case END_NEVER_STARTED:
		SIM_SOMETIMES(checks.sim, "ended because it never started");
		return;
	case END_STALLED:
		SIM_SOMETIMES(checks.sim, "ended because it stalled");
		return;
	case END_SESSION_ENDED:
		SIM_SOMETIMES(checks.sim, "ended with its session");
		return;
	default:
		return;
	}
}

static void closed(const struct stream_event *event)
{
	const struct state_stream *stream = stream_of(event);

	if (!stream)
		return;
	ended(stream, (enum end_cause)event->stream_closed.end_cause);
	if (event->stream_closed.link_state == LINK_LOST)
		SIM_SOMETIMES(checks.sim, "a stream ends while its gateway is lost");
	if (event->stream_closed.stop_owed && event->stream_closed.link_state != LINK_UP)
		SIM_SOMETIMES(checks.sim, "a stop is owed to a device that is away");
}

static void settled(const struct stream_event *event)
{
	enum outcome outcome = event->type == EVENT_STREAM_TOLD
				       ? event->stream_told.outcome
				       : event->stream_stop_settled.outcome;

	if (outcome == OUTCOME_OVERTAKEN)
		SIM_SOMETIMES(checks.sim, "an owed stop is overtaken");
	else if (outcome == OUTCOME_GIVEN_UP)
		SIM_SOMETIMES(checks.sim, "what is owed is given up");
	else if (outcome == OUTCOME_DROPPED)
		SIM_SOMETIMES(checks.sim, "an end finds its owner gone");
}

static void moved(const struct stream_event *event)
{
	const struct state_stream *stream = stream_of(event);

	if (!stream)
		return;
	if (event->stream_moved.missed == 2)
		SIM_SOMETIMES(checks.sim, "two probes missed in a row");
	if (stream->missed > 0 && event->stream_moved.missed == 0)
		SIM_SOMETIMES(checks.sim, "a suspect stream recovers by an ack");
}

static void status(const struct stream_event *event)
{
	const struct state_stream *stream = stream_of(event);

	if (!stream)
		return;
	if (stream->phase == PHASE_SUSPECT)
		SIM_SOMETIMES(checks.sim, "a suspect stream recovers by a status");
	if (stream->phase == PHASE_STOPPING && event->stream_status.phase != PHASE_STOPPING)
		SIM_SOMETIMES(checks.sim, "a stopping stream goes on");
}

static void linked(const struct stream_event *event)
{
	const struct state_user *user = user_of(event);
	bool up = event->link_changed.state == LINK_UP;

	if (!user)
		return;
	if (!up && user->active != STATE_NONE)
		SIM_SOMETIMES(checks.sim, "a link goes down with a stream on it");
	if (up && user->link_state == LINK_DOWN && user->active != STATE_NONE)
		SIM_SOMETIMES(checks.sim, "a device is back in time");
	if (up && user->link_state == LINK_UP && user->gateway != event->link_changed.gateway)
		SIM_SOMETIMES(checks.sim, "a device moves to another gateway");
	if (up && user->liabilities != STATE_NONE)
		SIM_SOMETIMES(checks.sim, "a device is back and a stop is owed to it");
}

static void app_changed(const struct stream_event *event)
{
	const struct state_user *user = user_of(event);
	const struct state_app *app =
		user ? state_app_find(&checks.replay, user, event->app_changed.package) : NULL;

	if (!app)
		return;
	if (app->state == APP_GRACE && event->app_changed.state == APP_RUNNING)
		SIM_SOMETIMES(checks.sim, "an app is back within its grace");
	if (app->state == APP_GRACE && event->app_changed.state == APP_RESURRECTING)
		SIM_SOMETIMES(checks.sim, "an app is resurrected");
	if (app->state == APP_RUNNING && event->app_changed.state == APP_RUNNING)
		SIM_SOMETIMES(checks.sim, "a second socket of an app is accepted");
	if (app->state == APP_LOADING && event->app_changed.state == APP_STOPPED)
		SIM_SOMETIMES(checks.sim, "an app does not connect in time");
}

static void gateway_changed(const struct stream_event *event)
{
	const struct state_gateway *gateway =
		state_gateway_find(&checks.replay, event->gateway_changed.gateway);

	if (event->gateway_changed.state == LINK_LOST)
		SIM_SOMETIMES(checks.sim, "a gateway is lost");
	if (gateway && gateway->state == LINK_LOST && event->gateway_changed.state == LINK_UP)
		SIM_SOMETIMES(checks.sim, "a lost gateway is back");
	if (gateway && event->gateway_changed.state == LINK_DOWN)
		SIM_SOMETIMES(checks.sim, "a gateway is gone for good");
}

void check_places(const struct stream_event *event)
{
	switch (event->type) {
	case EVENT_STREAM_OPENED:
		opened(event);
		return;
	case EVENT_STREAM_CLOSED:
		closed(event);
		return;
	case EVENT_STREAM_TOLD:
	case EVENT_STREAM_STOP_SETTLED:
		settled(event);
		return;
	case EVENT_STREAM_MOVED:
		moved(event);
		return;
	case EVENT_STREAM_STATUS:
		status(event);
		return;
	case EVENT_LINK_CHANGED:
		linked(event);
		return;
	case EVENT_APP_CHANGED:
		app_changed(event);
		return;
	case EVENT_GATEWAY_CHANGED:
		gateway_changed(event);
		return;
	case EVENT_SESSION_ENDING:
		SIM_SOMETIMES(checks.sim, "a session's grace is over");
		return;
	default:
		return;
	}
}
