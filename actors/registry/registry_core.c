/* SPDX-License-Identifier: MIT */
#include "actors/registry/registry_internal.h"

#include <assert.h>

/* The end of a session: every socket of its apps closed, everybody who waits for one answered and
 * noticed; should the glasses be back already, the apps started again.
 */
#define ENDING_EFFECTS \
	(APPS_PER_USER_MAX * (APP_OLD_LINKS_MAX + 1 + 2) + 2 * WAITERS_PER_USER_MAX + 8)
/* The end of a stream: every viewer of the one liability too many is given up, stops are overtaken
 * (one for each kind at most), it leaves, closes, is settled.
 */
#define CLOSING_EFFECTS (2 * VIEWERS_MAX + 8)
_Static_assert(ENDING_EFFECTS + CLOSING_EFFECTS < EFFECTS_MAX,
	       "one input may end a session, with what its last stream owes");

static size_t aligned(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

size_t registry_bytes(const struct registry_options *options)
{
	return aligned(state_bytes(&options->state)) +
	       aligned(options->state.apps_max * sizeof(struct registry_app)) +
	       aligned(options->state.streams_max * sizeof(int64_t)) +
	       aligned(options->state.users_max * sizeof(bool)) +
	       aligned(options->state.users_max * sizeof(uint32_t)) +
	       aligned(REGISTRY_ANSWERS * sizeof(struct registry_answer)) + 64;
}

void registry_init(struct registry *self, const struct registry_options *options, void *memory)
{
	uint8_t *at = (uint8_t *)aligned((uintptr_t)memory);

	memset(self, 0, sizeof *self);
	self->options = *options;
	self->seq = options->first_seq;
	self->next_epoch = options->first_epoch;
	self->next_hook = options->first_seq + 1; /* beyond any of an earlier life */
	self->apps = (struct registry_app *)at;
	at += aligned(options->state.apps_max * sizeof(struct registry_app));
	self->closed_at_ms = (int64_t *)at;
	at += aligned(options->state.streams_max * sizeof(int64_t));
	self->link_confirmed = (bool *)at;
	at += aligned(options->state.users_max * sizeof(bool));
	self->rebuilt = (uint32_t *)at;
	at += aligned(options->state.users_max * sizeof(uint32_t));
	self->answers = (struct registry_answer *)at;
	at += aligned(REGISTRY_ANSWERS * sizeof(struct registry_answer));
	for (unsigned i = 0; i < REGISTRY_WAITERS_MAX; i++)
		self->waiters[i].app = STATE_NONE;
	state_init(&self->state, &options->state, at);
}

struct stream_event *registry_story(struct registry *self, enum stream_event_type type,
				    const struct state_user *user)
{
	struct stream_event *event = effects_add(self->fx, EFFECT_STORY, (struct peer){ 0 }, type);

	event->seq = self->seq + 1;
	event->cause = self->cause;
	event->sent_ms = self->wall_ms;
	if (self->current) {
		event->origin = self->current->origin;
		event->request = self->current->request;
	}
	if (user)
		event->user_id = registry_text(self, user->id);
	return event;
}

void registry_tell(struct registry *self, struct stream_event *event)
{
	int r = state_apply(&self->state, event);

	/* Whoever begins something new has asked for room first. */
	assert(r == 0);
	(void)r;
	self->seq = self->cause = event->seq;
}

struct stream_event *registry_send(struct registry *self, struct peer peer,
				   enum stream_event_type type, const struct state_user *user)
{
	struct stream_event *event = effects_add(self->fx, EFFECT_SEND, peer, type);

	event->cause = self->cause;
	if (self->current) {
		event->origin = self->current->origin;
		event->request = self->current->request;
	}
	if (user)
		event->user_id = registry_text(self, user->id);
	return event;
}

static void on_timer(struct registry *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct state_user *user = state_user_find(&self->state, event->user_id);

	switch ((enum timer)event->timer_expired.timer) {
	case TIMER_NONE:
		return;
	case TIMER_SESSION_GRACE:
		if (user && event->cause == user->link_seq && user->link_state == LINK_DOWN)
			registry_on_session_grace(self, user);
		else
			self->stats.ignored++;
		return;
	case TIMER_APP_GRACE:
	case TIMER_APP_CONNECT:
		registry_on_app_timer(self, input);
		return;
	case TIMER_START_DEADLINE:
	case TIMER_STOP_DEADLINE:
	case TIMER_DURATION:
		registry_on_stream_timer(self, input);
		return;
	case TIMER_GATEWAY_LEASE:
		if (event->timer_expired.after_ms >= self->options.blind_max_ms)
			registry_gateway_gone(self, event->timer_expired.gateway, "lost too long");
		else
			registry_gateway_move(self, event->timer_expired.gateway, LINK_LOST,
					      "lease expired");
		return;
	}
}

static void on_leaving(struct registry *self, const struct input *input)
{
	registry_gateway_gone(self, input->peer.incarnation, "left");
}

static void on_gateway_seen(struct registry *self, const struct input *input)
{
	registry_gateway_move(self, input->event->gateway_seen.gateway, LINK_UP, "beats again");
}

/* The inbox lets only these through. */
static void (*const handlers[STREAM_EVENT_TYPE_MAX + 1])(struct registry *,
							 const struct input *) = {
	[EVENT_EDGE_LINK_OPENED] = registry_on_link_opened,
	[EVENT_EDGE_LINK_CLOSED] = registry_on_link_closed,
	[EVENT_EDGE_GLASSES] = registry_on_glasses,
	[EVENT_EDGE_STATUS] = registry_on_status,
	[EVENT_EDGE_DEVICE_TOLD] = registry_on_device_told,
	[EVENT_EDGE_APP_TOLD] = registry_on_app_told,
	[EVENT_EDGE_APP_OPENED] = registry_on_app_opened,
	[EVENT_EDGE_APP_CLOSED] = registry_on_app_closed,
	[EVENT_EDGE_APP_SUBSCRIBED] = registry_on_app_subscribed,
	[EVENT_EDGE_APP_START] = registry_on_app_start,
	[EVENT_EDGE_APP_STOP] = registry_on_app_stop,
	[EVENT_EDGE_HOOK_DONE] = registry_on_hook_done,
	[EVENT_EDGE_RELAY] = registry_on_relay,
	[EVENT_EDGE_CHECK] = registry_on_check,
	[EVENT_EDGE_ANNOUNCED] = registry_on_announced,
	[EVENT_EDGE_LEAVING] = on_leaving,
	[EVENT_STREAM_OPEN] = registry_on_stream_open,
	[EVENT_STREAM_CLOSE] = registry_on_stream_close,
	[EVENT_STREAM_LEAVE] = registry_on_stream_leave,
	[EVENT_INPUT_MADE] = registry_on_input_made,
	[EVENT_INPUT_SEEN] = registry_on_input_seen,
	[EVENT_INPUT_GONE] = registry_on_input_gone,
	[EVENT_OUTPUT_ADD] = registry_on_output_add,
	[EVENT_OUTPUT_REMOVE] = registry_on_output_remove,
	[EVENT_OUTPUT_SEEN] = registry_on_output_seen,
	[EVENT_STREAM_MISSED] = registry_on_missed,
	[EVENT_TIMER_EXPIRED] = on_timer,
	[EVENT_GATEWAY_SEEN] = on_gateway_seen,
	[EVENT_OPERATOR_STOP] = registry_on_operator_stop,
};

static void on_message(struct registry *self, const struct input *input)
{
	if (handlers[input->event->type])
		handlers[input->event->type](self, input);
}

static void on_tick(struct registry *self)
{
	for (uint32_t i = 0; i < self->endings_count;) {
		struct registry_ending *ending = &self->endings[i];
		struct state_user *user = state_user_of(&self->state, ending->user);

		if (effects_room(self->fx) < ENDING_EFFECTS ||
		    EFFECTS_ARENA_SIZE - self->fx->arena_used < USER_ID_MAX)
			return;
		if (!user || user->session_seq != ending->session_seq) {
			*ending = self->endings[--self->endings_count];
			continue;
		}
		if (ending->until_ms > self->now_ms) {
			i++;
			continue;
		}
		*ending = self->endings[--self->endings_count];
		registry_session_check_end(self, user, true);
	}
	registry_sweep_step(self);
	if (self->next_sweep_ms <= self->now_ms)
		registry_liabilities_step(self);
}

/* Before anything is provisioned that should carry it. */
static void tell_mark(struct registry *self)
{
	struct text mark = text_of(self->options.mark);

	if (mark.length == 0)
		return;
	struct stream_event *event = registry_story(self, EVENT_DEPLOYMENT_MARKED, NULL);

	event->deployment_marked.mark = mark;
	registry_tell(self, event);
}

void registry_handle(struct registry *self, const struct input *input, int64_t now_ms,
		     struct effects *fx)
{
	effects_clear(fx);
	state_settle(&self->state);
	self->fx = fx;
	self->now_ms = now_ms;
	self->wall_ms = input->wall_ms;
	self->current = NULL;
	self->cause = 0;
	if (self->state.mark[0] == '\0' && self->options.mark)
		tell_mark(self);
	self->current = input->type == INPUT_MESSAGE ? input->event : NULL;
	self->cause = self->current ? self->current->cause : 0;
	switch (input->type) {
	case INPUT_TICK:
		if (!registry_is_settled(self))
			registry_damage_step(self);
		else
			on_tick(self);
		break;
	case INPUT_MESSAGE:
		if (input->event->expires_ms != 0 && input->event->expires_ms < now_ms) {
			self->stats.expired++;
			break;
		}
		on_message(self, input);
		break;
	case INPUT_PEER_UP:
		if (input->peer.role == ROLE_GATEWAY)
			registry_on_gateway_up(self, input);
		break;
	case INPUT_STORY:
	case INPUT_RESYNC:
	case INPUT_SYNCED:
	case INPUT_BLIND:
	case INPUT_PEER_DOWN: /* a gateway that is gone is told of by its lease or its successor */
		break;
	}
	self->fx = NULL;
	self->current = NULL;
}

int64_t registry_deadline(const struct registry *self)
{
	int64_t deadline = registry_is_settled(self) ? self->next_sweep_ms : 0;

	for (uint32_t i = 0; i < self->endings_count; i++)
		if (self->endings[i].until_ms < deadline)
			deadline = self->endings[i].until_ms;
	for (unsigned i = 0; i < REGISTRY_SWEEPS_MAX; i++)
		if (self->sweeps[i].gateway != 0)
			return 0;
	return deadline;
}
