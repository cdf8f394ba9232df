/* SPDX-License-Identifier: MIT */
/* Requests of apps for direct RTMP: judged, passed on, answered (common/asks.h does the waiting).
 */
#include "actors/unmanaged-adapter/unmanaged_internal.h"
#include "proto/edge.h"

static void judge(const struct unmanaged *self, const struct ask *ask, struct refusal *out)
{
	asks_judge(&self->asks, ask, KIND_UNMANAGED, out);
	if (out->code)
		return;
	if (!edge_url_ok(asks_text(&self->asks, ask, ASK_URL)))
		asks_refuse(out, "INTERNAL_ERROR", "Invalid RTMP URL");
	else
		asks_judge_options(ask, out);
}

static void act_start(struct unmanaged *self, struct ask *ask)
{
	struct refusal refusal = { 0 };

	if (!ask->again)
		judge(self, ask, &refusal);
	if (refusal.code) {
		asks_done(&self->asks, ask, &refusal);
		return;
	}
	struct stream_event *event = asks_pass(&self->asks, ask, EVENT_STREAM_OPEN);

	event->stream_open.kind = KIND_UNMANAGED;
	event->stream_open.package = asks_text(&self->asks, ask, ASK_PACKAGE);
	event->stream_open.rtmp_url = asks_text(&self->asks, ask, ASK_URL);
	event->stream_open.video = asks_text(&self->asks, ask, ASK_VIDEO);
	event->stream_open.audio = asks_text(&self->asks, ask, ASK_AUDIO);
	event->stream_open.options = asks_text(&self->asks, ask, ASK_OPTIONS);
}

static void refuse_foreign(struct text package, struct text id, struct text owner,
			   struct refusal *out)
{
	asks_refuse(out, "INTERNAL_ERROR", "App %.*s cannot stop stream %.*s owned by %.*s",
		    (int)package.length, package.bytes, (int)id.length, id.bytes, (int)owner.length,
		    owner.bytes);
}

/* protocol.md 5.3, stop rows, with D11 for what would stop somebody else's stream. */
static void act_stop(struct unmanaged *self, struct ask *ask)
{
	struct text package = asks_text(&self->asks, ask, ASK_PACKAGE);
	struct text named = asks_text(&self->asks, ask, ASK_STREAM);
	const struct state_user *user =
		state_user_find(&self->state, asks_text(&self->asks, ask, ASK_USER));
	const struct state_app *app = state_app_find(&self->state, user, package);
	const struct state_stream *active = state_active(&self->state, user);
	struct refusal refusal = { 0 };

	if (active && active->kind == KIND_UNMANAGED) {
		struct text owner = unmanaged_text(self, active->package);
		bool own = text_equal(owner, package);
		bool matches = text_equal(named, unmanaged_text(self, active->id));

		if (own && (matches || named.length == 0)) {
			struct stream_event *event =
				asks_pass(&self->asks, ask, EVENT_STREAM_CLOSE);

			event->stream_id = unmanaged_text(self, active->id);
			event->epoch = active->epoch;
			event->stream_close.end_cause = END_APP_STOP;
			event->stream_close.by = package;
			event->stream_close.told_id = named;
			return;
		}
		if (!own && matches)
			refuse_foreign(package, named, owner, &refusal);
	} else if (!active && app && state_app_running(app) && !ask->again) {
		/* Not of one that stops: the SDK takes its leave with a stop. */
		unmanaged_deliver_orphan_stop(self, user, package, named);
	}
	asks_done(&self->asks, ask, &refusal);
}

void unmanaged_act(void *context, struct ask *ask)
{
	struct unmanaged *self = context;

	if (ask->type == EVENT_REQUEST_STOP)
		act_stop(self, ask);
	else
		act_start(self, ask);
}

/* A snapshot stands for the story that these waited for. */
void unmanaged_asks_synced(struct unmanaged *self)
{
	for (uint32_t i = 0; i < self->asks.high; i++) {
		struct ask *ask = asks_at(&self->asks, i);

		if (ask && ask->step == ASK_ANSWERED && ask->cause <= self->asks.seq)
			ask->look = true; /* else its story is still to come */
	}
	unmanaged_answered_step(self);
}

void unmanaged_answered_step(struct unmanaged *self)
{
	self->answered_more = false;
	for (uint32_t i = 0; i < self->asks.high; i++) {
		struct ask *ask = asks_at(&self->asks, i);

		if (!ask || !ask->look)
			continue;
		if (!asks_have_room(&self->asks)) {
			self->answered_more = true;
			return;
		}
		asks_done(&self->asks, ask, NULL);
	}
}

static void give_url(struct unmanaged *self, const struct ask *ask, struct state_stream *stream)
{
	if (stream->kind != KIND_UNMANAGED || !phase_active(stream->phase) ||
	    stream->start_delivered || stream->rtmp_url.length > 0)
		return;
	/* The story came from an earlier life of ours and without the secret: we hold it. */
	if (pool_replace(&self->state.pool, asks_text(&self->asks, ask, ASK_URL),
			 &stream->rtmp_url))
		unmanaged_deliver_start(self, stream);
}

void unmanaged_on_result(struct unmanaged *self, const struct stream_event *event)
{
	struct ask *ask = asks_find(&self->asks, event->origin, event->request);
	struct refusal refusal = { 0 };

	if (!ask || (ask->step != ASK_ASKED && ask->step != ASK_TOLD))
		return;
	if (ask->type == EVENT_REQUEST_STOP) { /* whatever came of it, the stream is not there */
		asks_done(&self->asks, ask, NULL);
		return;
	}
	ask->cause = event->cause;
	asks_judge_result(&self->asks, ask, event, &refusal);
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (!refusal.code && stream)
		give_url(self, ask, stream);
	/* What the registry said to an earlier life of ours may be about what has ended since. */
	bool known = self->asks.synced && ask->cause > 0 && self->asks.seq >= ask->cause;

	if (refusal.code || stream || known || ask->step == ASK_TOLD)
		asks_done(&self->asks, ask, &refusal);
	else
		ask->step = ASK_ANSWERED;
}
