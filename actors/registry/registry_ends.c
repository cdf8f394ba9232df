/* SPDX-License-Identifier: MIT */
/* How streams end, and what is owed afterwards: the stop to the device, the word to the apps, the
 * input at the provider.
 */
#include "actors/registry/registry_internal.h"

#include <assert.h>

#define LIABILITY_STEP_MS 1000 /* between two looks at what is owed */
#define LIABILITY_STEP_SLOTS 65536 /* slots looked at each time */

/* Story of a stream ------------------------------------------------------------------------ */

struct stream_event *registry_stream_story(struct registry *self, enum stream_event_type type,
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
	struct stream_event *event = registry_stream_story(self, EVENT_STREAM_STOP_SETTLED, stream);

	event->stream_stop_settled.outcome = outcome;
	registry_tell(self, event);
}

void registry_told_settle(struct registry *self, struct state_stream *stream, struct text package,
			  enum outcome outcome)
{
	struct stream_event *event = registry_stream_story(self, EVENT_STREAM_TOLD, stream);

	event->stream_told.package = package;
	event->stream_told.outcome = outcome;
	registry_tell(self, event);
}

/* A newer stream that the device has heard of, or a newer end that owes a stop itself, makes every
 * older stop that is still owed pointless.
 */
void registry_overtake_stops(struct registry *self, struct state_user *user)
{
	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		struct state_stream *older = &self->state.streams[slot];

		slot = older->next;
		if (older->stop_owed)
			stop_settle(self, older, OUTCOME_OVERTAKEN);
	}
}

static void told_give_up(struct registry *self, uint32_t slot)
{
	struct state_stream *stream = &self->state.streams[slot];

	if (stream->kind != KIND_MANAGED) {
		registry_told_settle(self, stream, registry_text(self, stream->package),
				     OUTCOME_GIVEN_UP);
		return;
	}
	/* Each takes the first of the closed stream's viewers away, and the last one maybe it. */
	while (state_stream_at(&self->state, slot) && stream->told_owed)
		registry_told_settle(
			self, stream,
			registry_text(self,
				      state_managed_of(&self->state, stream)->viewers[0].package),
			OUTCOME_GIVEN_UP);
}

/* Room for one more liability: whoever could not be told in all that time will not be.  An input
 * stays until it is gone; those are counted when a stream that needs one is opened.
 */
static void bound_liabilities(struct registry *self, struct state_user *user)
{
	unsigned count = 0;

	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		const struct state_stream *stream = &self->state.streams[slot];
		const uint32_t next = stream->next;

		count += !stream->input_owed;
		if (count >= LIABILITIES_PER_USER_MAX && stream->told_owed &&
		    effects_room(self->fx) > EFFECTS_MAX / 2)
			told_give_up(self, slot);
		slot = next;
	}
}

unsigned registry_inputs_owed(const struct registry *self, const struct state_user *user)
{
	unsigned count = 0;

	for (uint32_t slot = user->liabilities; slot != STATE_NONE;
	     slot = self->state.streams[slot].next)
		count += self->state.streams[slot].input_owed;
	return count;
}

/* Whether its owner, or a viewer, must be told of the end. */
static bool told_after(const struct registry *self, const struct state_user *user,
		       const struct state_stream *stream, enum end_cause cause)
{
	return stream->kind == KIND_MANAGED
		       ? state_viewers_owed(&self->state, stream, cause)
		       : registry_app_reachable(self, user, registry_text(self, stream->package));
}

/* Whether its device must be told to stop.  Without an input there was nothing to start it with. */
static bool stop_after(const struct registry *self, const struct state_user *user,
		       const struct state_stream *stream, const struct end_rule *rule)
{
	if (stream->kind == KIND_MANAGED && stream->phase == PHASE_REQUESTED)
		return false;
	return state_link(&self->state, user) == LINK_UP ? rule->stop_if_up : rule->stop_if_down;
}

/* The story event that shows why; 0: what led to the end is no fact of the story. */
static uint64_t evidence(const struct registry *self, const struct state_stream *stream,
			 const struct closing *closing)
{
	const struct state_user *user = state_user_of(&self->state, stream->user);
	const struct state_app *app = state_app_find(&self->state, user, closing->by);
	const struct state_gateway *gateway = state_gateway_find(&self->state, user->gateway);

	if (closing->evidence != 0)
		return closing->evidence;
	switch (closing->cause) {
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
		return app ? app->seq : 0;
	case END_DURATION_LIMIT:
		return stream->opened_seq;
	default:
		return 0;
	}
}

static void stop_words(const struct registry *self, const struct state_stream *stream,
		       const struct closing *closing, struct stream_event *event)
{
	const bool managed = stream->kind == KIND_MANAGED;

	event->stream_closed.told_id =
		closing->cause == END_APP_STOP && !managed ? closing->told_id : event->stream_id;
	event->stream_closed.stop_app_id = managed ? TEXT("MANAGED_STREAM")
					   : closing->stop_app_id.length > 0
						   ? closing->stop_app_id
						   : registry_text(self, stream->package);
}

void registry_close(struct registry *self, struct state_stream *stream,
		    const struct closing *closing)
{
	struct state_user *user = state_user_of(&self->state, stream->user);
	const struct end_rule *rule = phase_end_rule(stream->kind, closing->cause);

	assert(phase_next(stream->kind, stream->phase, TRIGGER_CLOSE) == PHASE_CLOSED);
	bool stop_owed = stop_after(self, user, stream, rule);

	if (stop_owed) /* it ends whatever is older as well */
		registry_overtake_stops(self, user);
	bound_liabilities(self, user);
	struct stream_event *event = registry_stream_story(self, EVENT_STREAM_CLOSED, stream);

	event->cause = evidence(self, stream, closing);
	event->stream_closed.end_cause = closing->cause;
	event->stream_closed.hop = rule->hop;
	event->stream_closed.by = closing->by;
	event->stream_closed.status = closing->status;
	event->stream_closed.detail = closing->detail;
	event->stream_closed.missed = closing->missed;
	event->stream_closed.last_ack_age_ms = closing->last_ack_age_ms;
	event->stream_closed.link_state = state_link(&self->state, user);
	event->stream_closed.stop_owed = stop_owed;
	if (stop_owed)
		stop_words(self, stream, closing, event);
	event->stream_closed.told_owed = told_after(self, user, stream, closing->cause);
	/* Whether it was made or not: what is wanted may be made at this moment. */
	event->stream_closed.input_owed = stream->kind == KIND_MANAGED;
	self->closed_at_ms[stream - self->state.streams] = self->now_ms;
	registry_tell(self, event);
}

void registry_on_stop_told(struct registry *self, const struct stream_event *event)
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

static bool is_owed(const struct registry *self, const struct state_stream *stream,
		    struct text package)
{
	const struct state_viewer *viewer = state_viewer_find(&self->state, stream, package);

	if (stream->kind == KIND_MANAGED)
		return viewer && viewer->state == VIEWER_OWED;
	return stream->told_owed && text_equal(registry_text(self, stream->package), package);
}

void registry_on_app_told(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);
	struct state_user *user;

	if (!stream || stream->epoch != event->epoch ||
	    !is_owed(self, stream, event->edge_app_told.package)) {
		self->stats.ignored++;
		return;
	}
	user = state_user_of(&self->state, stream->user);
	registry_told_settle(self, stream, event->edge_app_told.package,
			     event->edge_app_told.outcome);
	/* The liability may have been all that was left of the user. */
	if (user->used)
		registry_session_check_end(self, user, false);
}

/* What is owed for too long ---------------------------------------------------------------- */

/* An input is never given up: it would run, and cost, for ever. */
void registry_liabilities_step(struct registry *self)
{
	self->next_sweep_ms = self->now_ms + LIABILITY_STEP_MS;
	for (uint32_t looked = 0; looked < LIABILITY_STEP_SLOTS; looked++) {
		if (effects_room(self->fx) < EFFECTS_MAX / 2 ||
		    self->state.pool.dropped_count > POOL_DROPPED_MAX / 2)
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
			told_give_up(self, slot);
		if (state_stream_at(&self->state, slot) && stream->stop_owed)
			stop_settle(self, stream, OUTCOME_GIVEN_UP);
	}
}
