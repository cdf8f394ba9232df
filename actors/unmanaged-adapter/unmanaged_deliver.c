/* SPDX-License-Identifier: MIT */
/* What is said to glasses and apps, of what common/asks.h does not say for both adapters. */
#include "actors/unmanaged-adapter/unmanaged_internal.h"

static const struct state_user *user_of(const struct unmanaged *self,
					const struct state_stream *stream)
{
	return state_user_of(&self->state, stream->user);
}

void unmanaged_deliver_start(struct unmanaged *self, const struct state_stream *stream)
{
	asks_deliver_start(&self->asks, stream, unmanaged_text(self, stream->package));
}

/* D11: nothing runs here, so what the device may still run is nobody else's. */
void unmanaged_deliver_orphan_stop(struct unmanaged *self, const struct state_user *user,
				   struct text package, struct text told_id)
{
	if (state_link(&self->state, user) != LINK_UP)
		return;
	struct stream_event *event =
		asks_deliver(&self->asks, user->gateway, EVENT_DELIVER_STOP, user);

	event->epoch = user->last_epoch;
	event->deliver_stop.link = user->link;
	event->deliver_stop.app_id = effects_keep(self->fx, package);
	event->deliver_stop.told_id = effects_keep(self->fx, told_id);
}

static void deliver_status(struct unmanaged *self, const struct state_stream *stream,
			   const struct state_app *app, const char *word, bool copy, bool terminal)
{
	struct stream_event *event = asks_deliver(&self->asks, app->gateway, EVENT_DELIVER_STATUS,
						  user_of(self, stream));

	event->stream_id = unmanaged_text(self, stream->id);
	event->epoch = stream->epoch;
	event->stream_seq = stream->status_stream_seq;
	event->deliver_status.link = app->link;
	event->deliver_status.package = unmanaged_text(self, app->package);
	event->deliver_status.owner = unmanaged_text(self, stream->package);
	event->deliver_status.status = text_of(word);
	event->deliver_status.copy = copy;
	event->deliver_status.terminal = terminal;
}

static void deliver_end(struct unmanaged *self, const struct state_stream *stream,
			const struct state_app *owner)
{
	deliver_status(self, stream, owner, phase_end_rule(KIND_UNMANAGED, stream->end_cause)->word,
		       false, true);
}

/* The oldest stream of @owner behind @epoch whose end it must still be told. */
static const struct state_stream *next_owed(const struct unmanaged *self,
					    const struct state_user *user,
					    const struct state_app *owner, uint64_t epoch)
{
	const struct state_stream *next = NULL;

	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		const struct state_stream *stream = state_stream_at(&self->state, slot);

		slot = stream->next;
		if (stream->told_owed && stream->kind == KIND_UNMANAGED && stream->epoch > epoch &&
		    (!next || stream->epoch < next->epoch) &&
		    text_equal(unmanaged_text(self, stream->package),
			       unmanaged_text(self, owner->package)))
			next = stream;
	}
	return next;
}

/* Gateways pass on nothing of a stream that is older than what an app has heard last, and an app
 * takes any end for that of its newest stream: so ends are told in order, before anything newer.
 */
static void deliver_owed_ends(struct unmanaged *self, const struct state_user *user,
			      const struct state_app *owner, uint64_t before_epoch)
{
	const struct state_stream *stream = next_owed(self, user, owner, 0);

	for (; stream && stream->epoch < before_epoch;
	     stream = next_owed(self, user, owner, stream->epoch))
		deliver_end(self, stream, owner);
}

static const struct state_app *reachable_owner(const struct unmanaged *self,
					       const struct state_user *user,
					       const struct state_stream *stream)
{
	const struct state_app *owner =
		state_app_find(&self->state, user, unmanaged_text(self, stream->package));

	return owner && state_app_reachable(&self->state, owner) ? owner : NULL;
}

/* Direct to the owner first, then a copy to every subscriber, the owner included (4.3). */
void unmanaged_notify(struct unmanaged *self, const struct state_stream *stream, const char *word,
		      bool terminal, bool direct, bool copies)
{
	const struct state_user *user = user_of(self, stream);

	if (!user)
		return; /* gone with its last stream: nobody is left to tell */
	const struct state_app *owner = reachable_owner(self, user, stream);

	if (direct && owner) {
		deliver_owed_ends(self, user, owner, stream->epoch);
		deliver_status(self, stream, owner, word, false, terminal);
	}
	for (uint32_t slot = user->apps; copies && slot != STATE_NONE;) {
		const struct state_app *app = state_app_at(&self->state, slot);

		slot = app->next;
		if ((app->wants & (WANTS_RTMP_STATUS | WANTS_ALL)) &&
		    state_app_reachable(&self->state, app))
			deliver_status(self, stream, app, word, true, false);
	}
}

/* What the device must still be told of @stream. */
static void settle_device(struct unmanaged *self, const struct state_stream *stream)
{
	if (stream->kind != KIND_UNMANAGED)
		return;
	if (stream->phase == PHASE_CLOSED && stream->stop_owed) {
		asks_deliver_stop(&self->asks, stream);
		self->stats.said_again++;
	} else if (stream->phase != PHASE_CLOSED && !stream->start_delivered) {
		unmanaged_deliver_start(self, stream);
		self->stats.said_again++;
	}
}

/* And its owner, of this end and all later ones: the oldest that is owed speaks for them. */
static void settle_owner(struct unmanaged *self, const struct state_stream *stream)
{
	const struct state_user *user = user_of(self, stream);
	const struct state_app *owner = reachable_owner(self, user, stream);

	if (!owner || next_owed(self, user, owner, 0) != stream)
		return;
	deliver_owed_ends(self, user, owner, UINT64_MAX);
	self->stats.said_again++;
}

void unmanaged_settle_user(struct unmanaged *self, const struct state_user *user)
{
	if (user->session != SESSION_OPEN && user->session != SESSION_ENDING)
		return;
	for (uint32_t slot = user->apps; slot != STATE_NONE;) {
		const struct state_app *app = state_app_at(&self->state, slot);

		slot = app->next;
		if (state_app_reachable(&self->state, app))
			deliver_owed_ends(self, user, app, UINT64_MAX);
	}
	for (uint32_t slot = user->liabilities; slot != STATE_NONE;) {
		const struct state_stream *stream = state_stream_at(&self->state, slot);

		slot = stream->next;
		settle_device(self, stream);
	}
	const struct state_stream *active = state_active(&self->state, user);

	if (active)
		settle_device(self, active);
}

/* After a restart or a gap the owner may have missed the last word.  An app that came later never
 * gets it unasked.
 */
static void repeat_word(struct unmanaged *self, const struct state_stream *stream)
{
	const struct state_user *user = user_of(self, stream);
	const struct state_app *owner =
		state_app_find(&self->state, user, unmanaged_text(self, stream->package));

	if (stream->kind == KIND_UNMANAGED && phase_active(stream->phase) && owner &&
	    owner->opened_seq < stream->status_seq)
		unmanaged_notify(self, stream, phase_app_word(stream->phase), false, true, false);
}

void unmanaged_reconcile_step(struct unmanaged *self)
{
	for (unsigned looked = 0; looked < RECONCILE_SLOTS; looked++) {
		if (self->reconcile_slot >= self->state.streams_fresh) {
			self->reconcile_slot = STATE_NONE;
			self->reconcile_words = false;
			self->reconcile_ms = self->now_ms + RECONCILE_MS;
			return;
		}
		if (effects_room(self->fx) < RECORD_ROOM)
			return;
		const struct state_stream *stream =
			state_stream_at(&self->state, self->reconcile_slot++);

		if (!stream)
			continue;
		settle_owner(self, stream);
		settle_device(self, stream);
		if (self->reconcile_words)
			repeat_word(self, stream);
	}
}
