/* SPDX-License-Identifier: MIT */
/* Streams: the one slot of a user, phases by the tables of common/phase.h. */
#include "actors/registry/registry_internal.h"

#include "common/stream_id.h"

/* Commands of the adapters ----------------------------------------------------------------- */

static enum result judge_open(const struct registry *self, const struct stream_event *event,
			      const struct state_user *user, enum kind *running)
{
	const struct state_app *app =
		state_app_find(&self->state, user, event->stream_open.package);
	const struct state_stream *active = state_active(&self->state, user);

	if (!user || user->session == SESSION_NONE || user->session == SESSION_ENDING)
		return RESULT_NO_SESSION;
	if (!app || !state_app_running(app))
		return RESULT_APP_NOT_RUNNING;
	if (state_link(&self->state, user) != LINK_UP)
		return RESULT_NO_LINK;
	if (active && event->stream_open.kind == KIND_MANAGED) {
		if (active->kind == KIND_MANAGED)
			return RESULT_OK; /* it joins, which needs no room */
		*running = active->kind;
		return RESULT_CONFLICT;
	}
	if (self->no_storage)
		return RESULT_NO_STORAGE;
	if (!state_has_room(&self->state) ||
	    (event->stream_open.kind == KIND_MANAGED &&
	     registry_inputs_owed(self, user) >= INPUTS_OWED_PER_USER_MAX))
		return RESULT_FULL;
	return RESULT_OK;
}

static void open_stream(struct registry *self, const struct input *input, struct state_user *user,
			struct state_stream *active)
{
	const struct stream_event *event = input->event;
	const bool managed = event->stream_open.kind == KIND_MANAGED;
	char id[STREAM_ID_SIZE];

	/* The stop of a managed stream that is taken over stays owed: the device gets it before the
	 * new start (protocol.md, G9).
	 */
	if (active)
		registry_close(self, active,
			       &(struct closing){ .cause = END_TAKEOVER,
						  .by = event->stream_open.package,
						  .last_ack_age_ms = -1 });
	else
		registry_overtake_stops(self, user);
	struct stream_event *opened = registry_story(self, EVENT_STREAM_OPENED, user);

	opened->epoch = self->next_epoch++;
	stream_id_make(managed ? 'm' : 's', opened->epoch, id);
	opened->stream_id = effects_keep(self->fx, text_of(id));
	opened->stream_seq = 1;
	opened->stream_opened.kind = event->stream_open.kind;
	opened->stream_opened.package = event->stream_open.package;
	if (managed)
		opened->stream_opened.provider = event->stream_open.provider;
	else
		opened->stream_opened.rtmp_url = event->stream_open.rtmp_url;
	opened->stream_opened.video = event->stream_open.video;
	opened->stream_opened.audio = event->stream_open.audio;
	opened->stream_opened.options = event->stream_open.options;
	registry_tell(self, opened);
	registry_answer(self, input, RESULT_OK, KIND_NONE, state_active(&self->state, user));
}

void registry_on_stream_open(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_stream *active;
	enum kind running = KIND_NONE;
	enum result result;

	if (registry_answered_before(self, input))
		return;
	result = event->stream_open.kind == KIND_NONE ? RESULT_REFUSED
						      : judge_open(self, event, user, &running);
	if (result != RESULT_OK) {
		self->stats.full += result == RESULT_FULL;
		registry_answer(self, input, result, running, NULL);
		return;
	}
	active = state_active(&self->state, user);
	if (active && event->stream_open.kind == KIND_MANAGED)
		registry_join(self, input, active);
	else
		open_stream(self, input, user, active);
}

void registry_on_stream_close(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (registry_answered_before(self, input))
		return;
	if (event->stream_close.end_cause == END_NONE) {
		self->stats.refused++;
		registry_answer(self, input, RESULT_REFUSED, KIND_NONE, NULL);
		return;
	}
	if (!stream || !phase_active(stream->phase) || stream->epoch != event->epoch) {
		registry_answer(self, input, stream ? RESULT_STALE : RESULT_NOT_FOUND, KIND_NONE,
				NULL);
		return;
	}
	registry_answer(self, input, RESULT_OK, KIND_NONE, stream);
	registry_close(self, stream,
		       &(struct closing){ .cause = event->stream_close.end_cause,
					  .by = event->stream_close.by,
					  .detail = event->stream_close.detail,
					  .told_id = event->stream_close.told_id,
					  .stop_app_id = event->stream_close.by,
					  .last_ack_age_ms = -1 });
}

/* What the device says --------------------------------------------------------------------- */

static struct state_stream *active_named(struct registry *self, const struct stream_event *event,
					 bool with_epoch)
{
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_stream *active = state_active(&self->state, user);

	if (active && text_equal(registry_text(self, active->id), event->stream_id) &&
	    (!with_epoch || active->epoch == event->epoch))
		return active;
	self->stats.ignored++;
	return NULL;
}

static void stream_move(struct registry *self, struct state_stream *stream, enum phase phase,
			uint64_t missed, bool start_delivered)
{
	struct stream_event *event = registry_stream_story(self, EVENT_STREAM_MOVED, stream);

	event->stream_moved.phase = phase;
	event->stream_moved.missed = missed;
	event->stream_moved.start_delivered = start_delivered;
	registry_tell(self, event);
}

/* Said into a socket that another has replaced since: what was said into that one is newer.  Only
 * that it streams may not get lost: whoever never hears it takes the stream for one that never
 * started.
 */
static bool is_late(const struct registry *self, const struct state_stream *stream,
		    const struct input *input)
{
	const struct state_user *user = state_user_of(&self->state, stream->user);
	const uint64_t link = input->event->edge_status.link;

	return user->link_state == LINK_UP && link != 0 &&
	       (user->link != link || user->gateway != input->peer.incarnation);
}

void registry_on_status(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = active_named(self, event, false);

	if (!stream)
		return;
	struct status_rule rule = phase_status_rule(stream->kind, event->edge_status.status);

	if (rule.trigger == TRIGGER_CLOSE) {
		registry_close(self, stream,
			       &(struct closing){ .cause = rule.cause,
						  .status = event->edge_status.status,
						  .detail = event->edge_status.detail,
						  .last_ack_age_ms = -1 });
		return;
	}
	if (rule.trigger != TRIGGER_DEVICE_LIVE && is_late(self, stream, input)) {
		self->stats.ignored++;
		return;
	}
	enum phase next = phase_next(stream->kind, stream->phase, rule.trigger);

	if (rule.trigger == TRIGGER_NONE) { /* a sign of life, no word; and it has got the start */
		next = phase_next(stream->kind, stream->phase,
				  stream->start_delivered ? TRIGGER_RECOVERED
							  : TRIGGER_START_DELIVERED);
		next = next != PHASE_NONE ? next : stream->phase;
	}
	if (next == PHASE_NONE) {
		self->stats.refused++;
		return;
	}
	struct stream_event *change = registry_stream_story(self, EVENT_STREAM_STATUS, stream);

	change->stream_status.status = event->edge_status.status;
	change->stream_status.phase = next;
	change->stream_status.detail = event->edge_status.detail;
	registry_tell(self, change);
	registry_overtake_stops(self, state_user_of(&self->state, stream->user));
}

void registry_on_device_told(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;

	if (event->edge_device_told.stop) {
		registry_on_stop_told(self, event);
		return;
	}
	struct state_stream *stream = active_named(self, event, true);

	if (!stream || event->edge_device_told.outcome != OUTCOME_SENT || stream->start_delivered)
		return;
	enum phase next = phase_next(stream->kind, stream->phase, TRIGGER_START_DELIVERED);

	if (next == PHASE_NONE)
		return;
	stream_move(self, stream, next, stream->missed, true);
	/* The device runs this one now: whatever it was to stop before, it does no more. */
	registry_overtake_stops(self, state_user_of(&self->state, stream->user));
}

/* What the scheduler says ------------------------------------------------------------------ */

static enum end_cause cause_of_silence(const struct registry *self, const struct state_user *user)
{
	if (state_link(&self->state, user) != LINK_UP)
		return user->link_state == LINK_UP ? END_GATEWAY_LOST : END_PHONE_LOST;
	return user->connected ? END_ACKS_MISSED : END_GLASSES_LOST;
}

static void end_silent(struct registry *self, struct state_stream *stream,
		       const struct stream_event *event)
{
	/* It has given a sign of life since: the scheduler learns of that, or says so again. */
	if (event->cause != stream->activity_seq) {
		self->stats.ignored++;
		return;
	}
	registry_close(
		self, stream,
		&(struct closing){
			.cause = cause_of_silence(self, state_user_of(&self->state, stream->user)),
			.missed = event->stream_missed.missed,
			.last_ack_age_ms = event->stream_missed.last_ack_age_ms });
}

void registry_on_missed(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = active_named(self, event, true);

	if (!stream)
		return;
	enum phase next =
		phase_next(stream->kind, stream->phase,
			   event->stream_missed.missed > 0 ? TRIGGER_MISSED : TRIGGER_RECOVERED);

	if (next == PHASE_NONE) {
		self->stats.refused++;
		return;
	}
	if (event->stream_missed.expired) {
		end_silent(self, stream, event);
		return;
	}
	stream_move(self, stream, next, event->stream_missed.missed, stream->start_delivered);
}

static enum end_cause cause_of_timer(const struct state_stream *stream, enum timer timer)
{
	if (timer == TIMER_DURATION)
		return END_DURATION_LIMIT;
	return stream->was_live || stream->phase == PHASE_STOPPING ? END_STALLED
								   : END_NEVER_STARTED;
}

void registry_on_stream_timer(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	const enum timer timer = event->timer_expired.timer;
	struct state_stream *stream = active_named(self, event, true);

	if (!stream)
		return;
	if (event->cause != (timer == TIMER_DURATION ? stream->opened_seq : stream->activity_seq)) {
		self->stats.ignored++;
		return;
	}
	registry_close(
		self, stream,
		&(struct closing){ .cause = cause_of_timer(stream, timer), .last_ack_age_ms = -1 });
}

/* Questions and operators ------------------------------------------------------------------ */

void registry_on_check(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_stream *active = state_active(&self->state, user);
	struct stream_event *reply = registry_send(self, input->peer, EVENT_REGISTRY_CHECKED, user);

	reply->registry_checked.link = event->edge_check.link;
	/* A managed stream is there once it can be watched. */
	if (!active || (active->kind == KIND_MANAGED && active->phase == PHASE_REQUESTED))
		return;
	reply->stream_id = registry_text(self, active->id);
	reply->epoch = active->epoch;
	reply->registry_checked.kind = active->kind;
	reply->registry_checked.package = registry_text(self, active->package);
	reply->registry_checked.created_ms = active->created_ms;
	if (active->kind == KIND_MANAGED)
		registry_check_managed(self, active, reply);
	/* D19: the URL holds the key; only its owner reads it back. */
	else if (text_equal(event->edge_check.package, reply->registry_checked.package))
		reply->registry_checked.rtmp_url = registry_text(self, active->rtmp_url);
}

/* Asked again because the answer got lost: it is done already. */
static bool operator_answered_before(struct registry *self, const struct input *input)
{
	const struct registry_answer *answer = registry_answer_find(self, input->event);

	if (!answer)
		return false;
	struct stream_event *reply = registry_send(self, input->peer, EVENT_OPERATOR_RESULT, NULL);

	reply->operator_result.result = answer->result;
	reply->stream_id =
		effects_keep(self->fx, (struct text){ answer->stream_id, answer->id_length });
	reply->epoch = answer->epoch;
	return true;
}

void registry_on_operator_stop(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = NULL;
	struct stream_event *reply;

	if (operator_answered_before(self, input))
		return;
	if (event->stream_id.length > 0)
		stream = state_stream_find(&self->state, event->stream_id);
	else
		stream = state_active(&self->state, state_user_find(&self->state, event->user_id));
	reply = registry_send(self, input->peer, EVENT_OPERATOR_RESULT, NULL);
	if (!stream || !phase_active(stream->phase)) {
		reply->operator_result.result = RESULT_NOT_FOUND;
		reply->operator_result.reason =
			stream ? TEXT("the stream has ended already")
			       : TEXT("no such stream is active; weir ls lists those that are");
		return;
	}
	reply->operator_result.result = RESULT_OK;
	reply->user_id = registry_text(self, state_user_of(&self->state, stream->user)->id);
	reply->stream_id = registry_text(self, stream->id);
	reply->epoch = stream->epoch;
	(void)registry_answer_keep(self, event, RESULT_OK, KIND_NONE, stream);
	registry_close(self, stream,
		       &(struct closing){ .cause = END_OPERATOR_STOP,
					  .by = event->operator_stop.by,
					  .last_ack_age_ms = -1 });
}
