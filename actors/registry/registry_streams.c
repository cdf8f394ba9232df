/* SPDX-License-Identifier: MIT */
/* Streams: the one slot of a user, phases by the tables of common/phase.h, ends and what they owe.
 */
#include "actors/registry/registry_internal.h"

#include <assert.h>

#include "common/stream_id.h"

#define LIABILITY_STEP_MS 1000 /* between two looks at what is owed */
#define LIABILITY_STEP_SLOTS 65536 /* slots looked at each time */

/* Story of a stream ------------------------------------------------------------------------ */

static struct stream_event *stream_story(struct registry *self, enum stream_event_type type,
					 const struct state_stream *stream)
{
	struct stream_event *event =
		registry_story(self, type, state_user_of(&self->state, stream->user));

	event->stream_id = registry_text(self, stream->id);
	event->epoch = stream->epoch;
	event->stream_seq = stream->stream_seq + 1;
	return event;
}

static void stop_settle(struct registry *self, struct state_stream *stream, enum outcome outcome)
{
	struct stream_event *event = stream_story(self, EVENT_STREAM_STOP_SETTLED, stream);

	event->stream_stop_settled.outcome = outcome;
	registry_tell(self, event);
}

static void told_settle(struct registry *self, struct state_stream *stream, struct text package,
			enum outcome outcome)
{
	struct stream_event *event = stream_story(self, EVENT_STREAM_TOLD, stream);

	event->stream_told.package = package;
	event->stream_told.outcome = outcome;
	registry_tell(self, event);
}

/* A newer stream, or a newer end, makes every older stop that is still owed pointless. */
static void overtake_stops(struct registry *self, struct state_user *user)
{
	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		struct state_stream *older = &self->state.streams[slot];

		slot = older->next;
		if (older->stop_owed)
			stop_settle(self, older, OUTCOME_OVERTAKEN);
	}
}

/* Room for one more liability: whoever could not be told in all that time will not be. */
static void bound_liabilities(struct registry *self, struct state_user *user)
{
	unsigned count = 0;

	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		struct state_stream *stream = &self->state.streams[slot];

		slot = stream->next;
		if (++count >= LIABILITIES_PER_USER_MAX && stream->told_owed)
			told_settle(self, stream, registry_text(self, stream->package),
				    OUTCOME_GIVEN_UP);
	}
}

static bool owner_reachable(const struct registry *self, const struct state_user *user,
			    const struct state_stream *stream)
{
	const struct state_app *owner =
		state_app_find(&self->state, user, registry_text(self, stream->package));

	return owner && state_app_reachable(&self->state, owner);
}

/* The story event that shows why; 0: what led to the end is no fact of the story. */
static uint64_t evidence(const struct registry *self, const struct state_stream *stream,
			 enum end_cause cause)
{
	const struct state_user *user = state_user_of(&self->state, stream->user);
	const struct state_app *owner =
		state_app_find(&self->state, user, registry_text(self, stream->package));
	const struct state_gateway *gateway = state_gateway_find(&self->state, user->gateway);

	switch (cause) {
	case END_PHONE_LOST:
	case END_SESSION_ENDED:
		return user->link_seq;
	case END_GLASSES_LOST:
		return user->glasses_seq;
	case END_GATEWAY_LOST:
		return gateway ? gateway->seq : user->link_seq;
	case END_ACKS_MISSED:
	case END_NEVER_STARTED:
	case END_STALLED:
		return stream->activity_seq;
	case END_APP_CLOSED:
		return owner ? owner->seq : 0;
	case END_DURATION_LIMIT:
		return stream->opened_seq;
	default:
		return 0;
	}
}

void registry_close(struct registry *self, struct state_stream *stream,
		    const struct closing *closing)
{
	struct state_user *user = state_user_of(&self->state, stream->user);
	const struct end_rule *rule = phase_end_rule(stream->kind, closing->cause);
	enum link_state link = state_link(&self->state, user);
	uint32_t slot = (uint32_t)(stream - self->state.streams);

	assert(phase_next(stream->kind, stream->phase, TRIGGER_CLOSE) == PHASE_CLOSED);
	overtake_stops(self, user);
	bound_liabilities(self, user);
	struct stream_event *event = stream_story(self, EVENT_STREAM_CLOSED, stream);

	event->cause = evidence(self, stream, closing->cause);
	event->stream_closed.end_cause = closing->cause;
	event->stream_closed.hop = rule->hop;
	event->stream_closed.by = closing->by;
	event->stream_closed.status = closing->status;
	event->stream_closed.detail = closing->detail;
	event->stream_closed.missed = closing->missed;
	event->stream_closed.last_ack_age_ms = closing->last_ack_age_ms;
	event->stream_closed.link_state = link;
	event->stream_closed.stop_owed = link == LINK_UP ? rule->stop_if_up : rule->stop_if_down;
	if (event->stream_closed.stop_owed) {
		event->stream_closed.told_id =
			closing->cause == END_APP_STOP ? closing->told_id : event->stream_id;
		event->stream_closed.stop_app_id =
			stream->kind == KIND_MANAGED	  ? TEXT("MANAGED_STREAM")
			: closing->stop_app_id.length > 0 ? closing->stop_app_id
							  : registry_text(self, stream->package);
	}
	event->stream_closed.told_owed = owner_reachable(self, user, stream);
	self->closed_at_ms[slot] = self->now_ms;
	registry_tell(self, event);
}

/* Commands of the adapters ----------------------------------------------------------------- */

static enum result judge_open(const struct registry *self, const struct stream_event *event,
			      const struct state_user *user, enum kind *running)
{
	const struct state_app *app =
		state_app_find(&self->state, user, event->stream_open.package);
	const struct state_stream *active = state_active(&self->state, user);

	if (!user || user->session == SESSION_NONE || user->session == SESSION_ENDING)
		return RESULT_NO_SESSION;
	if (!app || !(app->state == APP_RUNNING || app->state == APP_GRACE))
		return RESULT_APP_NOT_RUNNING;
	if (state_link(&self->state, user) != LINK_UP)
		return RESULT_NO_LINK;
	if (active && event->stream_open.kind == KIND_MANAGED) {
		*running = active->kind;
		return RESULT_CONFLICT;
	}
	if (self->no_storage)
		return RESULT_NO_STORAGE;
	if (!state_has_room(&self->state))
		return RESULT_FULL;
	return RESULT_OK;
}

void registry_on_stream_open(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);
	struct state_stream *active;
	enum kind running = KIND_NONE;
	char id[STREAM_ID_SIZE];
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
	if (active)
		registry_close(self, active,
			       &(struct closing){ .cause = END_TAKEOVER,
						  .by = event->stream_open.package,
						  .last_ack_age_ms = -1 });
	overtake_stops(self, user);
	struct stream_event *opened = registry_story(self, EVENT_STREAM_OPENED, user);

	opened->epoch = self->next_epoch++;
	stream_id_make(event->stream_open.kind == KIND_MANAGED ? 'm' : 's', opened->epoch, id);
	opened->stream_id = effects_keep(self->fx, text_of(id));
	opened->stream_seq = 1;
	opened->stream_opened.kind = event->stream_open.kind;
	opened->stream_opened.package = event->stream_open.package;
	opened->stream_opened.rtmp_url = event->stream_open.rtmp_url;
	opened->stream_opened.video = event->stream_open.video;
	opened->stream_opened.audio = event->stream_open.audio;
	opened->stream_opened.options = event->stream_open.options;
	registry_tell(self, opened);
	registry_answer(self, input, RESULT_OK, KIND_NONE, state_active(&self->state, user));
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
	struct stream_event *event = stream_story(self, EVENT_STREAM_MOVED, stream);

	event->stream_moved.phase = phase;
	event->stream_moved.missed = missed;
	event->stream_moved.start_delivered = start_delivered;
	registry_tell(self, event);
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
	struct stream_event *change = stream_story(self, EVENT_STREAM_STATUS, stream);

	change->stream_status.status = event->edge_status.status;
	change->stream_status.phase = next;
	change->stream_status.detail = event->edge_status.detail;
	registry_tell(self, change);
}

static void on_stop_told(struct registry *self, const struct stream_event *event)
{
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);
	enum outcome outcome = event->edge_device_told.outcome;

	if (!stream || stream->epoch != event->epoch || !stream->stop_owed) {
		self->stats.ignored++; /* an orphan stop, or one that was owed no more */
		return;
	}
	if (outcome == OUTCOME_SENT || outcome == OUTCOME_FENCED)
		stop_settle(self, stream,
			    outcome == OUTCOME_FENCED ? OUTCOME_OVERTAKEN : OUTCOME_SENT);
}

void registry_on_device_told(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;

	if (event->edge_device_told.stop) {
		on_stop_told(self, event);
		return;
	}
	struct state_stream *stream = active_named(self, event, true);

	if (!stream || event->edge_device_told.outcome != OUTCOME_SENT || stream->start_delivered)
		return;
	enum phase next = phase_next(stream->kind, stream->phase, TRIGGER_START_DELIVERED);

	if (next != PHASE_NONE)
		stream_move(self, stream, next, stream->missed, true);
}

void registry_on_app_told(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);
	struct state_user *user;

	if (!stream || stream->epoch != event->epoch || !stream->told_owed ||
	    !text_equal(registry_text(self, stream->package), event->edge_app_told.package)) {
		self->stats.ignored++;
		return;
	}
	user = state_user_of(&self->state, stream->user);
	told_settle(self, stream, event->edge_app_told.package, event->edge_app_told.outcome);
	/* The liability may have been all that was left of the user. */
	if (user->used)
		registry_session_check_end(self, user, false);
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
	if (!active)
		return;
	reply->stream_id = registry_text(self, active->id);
	reply->epoch = active->epoch;
	reply->registry_checked.kind = active->kind;
	reply->registry_checked.package = registry_text(self, active->package);
	reply->registry_checked.created_ms = active->created_ms;
	/* D19: the URL holds the key; only its owner reads it back. */
	if (text_equal(event->edge_check.package, reply->registry_checked.package))
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

/* What is owed for too long ---------------------------------------------------------------- */

void registry_liabilities_step(struct registry *self)
{
	self->next_sweep_ms = self->now_ms + LIABILITY_STEP_MS;
	for (uint32_t looked = 0; looked < LIABILITY_STEP_SLOTS; looked++) {
		if (effects_room(self->fx) < EFFECTS_MAX / 2)
			return;
		if (self->liability_cursor >= self->state.streams_fresh) {
			self->liability_cursor = 0;
			return;
		}
		uint32_t slot = self->liability_cursor++;
		struct state_stream *stream = state_stream_at(&self->state, slot);

		if (!stream || stream->phase != PHASE_CLOSED ||
		    self->now_ms - self->closed_at_ms[slot] < self->options.stop_owed_ms)
			continue;
		if (stream->told_owed)
			told_settle(self, stream, registry_text(self, stream->package),
				    OUTCOME_GIVEN_UP);
		if (state_stream_at(&self->state, slot) && stream->stop_owed)
			stop_settle(self, stream, OUTCOME_GIVEN_UP);
	}
}
