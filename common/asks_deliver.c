/* SPDX-License-Identifier: MIT */
#include "common/asks.h"

#define OLDER_STOPS_MAX \
	8 /* of one user before a start; the registry keeps hardly ever more than one */

struct stream_event *asks_deliver(const struct asks *self, uint64_t gateway,
				  enum stream_event_type type, const struct state_user *user)
{
	struct stream_event *event =
		effects_add(self->fx, EFFECT_SEND, (struct peer){ ROLE_GATEWAY, gateway }, type);

	event->cause = self->seq;
	event->user_id = state_text(self->state, user->id);
	return event;
}

void asks_deliver_stop(const struct asks *self, const struct state_stream *stream)
{
	const struct state_user *user = state_user_of(self->state, stream->user);

	if (state_link(self->state, user) != LINK_UP)
		return;
	struct stream_event *event = asks_deliver(self, user->gateway, EVENT_DELIVER_STOP, user);

	event->stream_id = state_text(self->state, stream->id);
	event->epoch = stream->epoch;
	event->deliver_stop.link = user->link;
	event->deliver_stop.app_id = state_text(self->state, stream->stop_app_id);
	event->deliver_stop.told_id = state_text(self->state, stream->told_id);
}

static const struct state_stream *next_stop(const struct asks *self, const struct state_user *user,
					    uint64_t after, uint64_t before)
{
	const struct state_stream *next = NULL;

	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		const struct state_stream *stream = state_stream_at(self->state, slot);

		slot = stream->next;
		if (stream->stop_owed && stream->epoch > after && stream->epoch < before &&
		    (!next || stream->epoch < next->epoch))
			next = stream;
	}
	return next;
}

/* Of either kind: the other adapter may be slower, and behind the start its stop is fenced. */
static void deliver_older_stops(const struct asks *self, const struct state_user *user,
				uint64_t epoch)
{
	const struct state_stream *stream = next_stop(self, user, 0, epoch);

	for (unsigned i = 0; stream && i < OLDER_STOPS_MAX; i++) {
		asks_deliver_stop(self, stream);
		stream = next_stop(self, user, stream->epoch, epoch);
	}
}

void asks_deliver_start(const struct asks *self, const struct state_stream *stream,
			struct text app_id)
{
	const struct state_user *user = state_user_of(self->state, stream->user);

	if (state_link(self->state, user) != LINK_UP || stream->rtmp_url.length == 0)
		return;
	deliver_older_stops(self, user, stream->epoch);
	struct stream_event *event = asks_deliver(self, user->gateway, EVENT_DELIVER_START, user);

	event->stream_id = state_text(self->state, stream->id);
	event->epoch = stream->epoch;
	event->deliver_start.link = user->link;
	event->deliver_start.app_id = app_id;
	event->deliver_start.rtmp_url = state_text(self->state, stream->rtmp_url);
	event->deliver_start.video = state_text(self->state, stream->video);
	event->deliver_start.audio = state_text(self->state, stream->audio);
	event->deliver_start.options = state_text(self->state, stream->options);
}
