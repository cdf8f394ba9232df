/* SPDX-License-Identifier: MIT */
/* Requests of apps: parked until the mirror is fresh enough, judged, passed on, answered once. */
#include "actors/unmanaged-adapter/unmanaged_internal.h"

#define NO_ROOM "Too many requests at once, try again in 1 s"
#define NO_ANSWER "No answer in time, try again later"

struct unmanaged_pending *unmanaged_pending_find(const struct unmanaged *self, uint64_t origin,
						 uint64_t request)
{
	for (unsigned i = 0; i < self->pending_high; i++)
		if (self->pending[i].step != PENDING_FREE && self->pending[i].origin == origin &&
		    self->pending[i].request == request)
			return &self->pending[i];
	return NULL;
}

static void pending_drop(struct unmanaged *self, struct unmanaged_pending *pending)
{
	struct pooled *texts[] = { &pending->user_id,  &pending->stream_id, &pending->package,
				   &pending->rtmp_url, &pending->video,	    &pending->audio,
				   &pending->options };

	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
		pool_drop(&self->texts, texts[i]);
	self->parked -= pending->step == PENDING_PARKED;
	*pending = (struct unmanaged_pending){ 0 };
	while (self->pending_high > 0 && self->pending[self->pending_high - 1].step == PENDING_FREE)
		self->pending_high--;
}

static struct unmanaged_pending *pending_take(struct unmanaged *self)
{
	for (unsigned i = 0; i < PENDING_MAX; i++)
		if (self->pending[i].step == PENDING_FREE) {
			if (i >= self->pending_high)
				self->pending_high = i + 1;
			return &self->pending[i];
		}
	return NULL;
}

static struct stream_event *done(struct unmanaged *self, struct peer gateway,
				 const struct stream_event *asked, enum result result)
{
	struct stream_event *event =
		effects_add(self->fx, EFFECT_SEND, gateway, EVENT_REQUEST_DONE);

	event->origin = asked->origin;
	event->request = asked->request;
	event->user_id = asked->user_id;
	event->request_done.result = result;
	return event;
}

static void pending_done(struct unmanaged *self, struct unmanaged_pending *pending,
			 const struct refusal *refusal)
{
	const struct stream_event asked = { .origin = pending->origin,
					    .request = pending->request,
					    .user_id = pool_text(&self->texts, pending->user_id) };
	struct stream_event *event =
		done(self, pending->gateway, &asked, refusal->code ? RESULT_REFUSED : RESULT_OK);

	event->request_done.link = pending->link;
	if (refusal->code) {
		self->stats.refused++;
		event->request_done.code = text_of(refusal->code);
		event->request_done.reason = effects_keep(self->fx, text_of(refusal->reason));
	}
	pending_drop(self, pending);
}

static struct stream_event *ask(struct unmanaged *self, struct unmanaged_pending *pending,
				enum stream_event_type type)
{
	struct stream_event *event =
		effects_add(self->fx, EFFECT_REQUEST, (struct peer){ ROLE_REGISTRY, 0 }, type);

	event->origin = pending->origin;
	event->request = pending->request;
	event->expires_ms = pending->expires_ms;
	event->user_id = pool_text(&self->texts, pending->user_id);
	pending->step = PENDING_ASKED;
	return event;
}

static void act_start(struct unmanaged *self, struct unmanaged_pending *pending)
{
	struct refusal refusal = { 0 };

	if (!pending->again)
		unmanaged_judge_start(self, pending, &refusal);
	if (refusal.code) {
		pending_done(self, pending, &refusal);
		return;
	}
	struct stream_event *event = ask(self, pending, EVENT_STREAM_OPEN);

	event->stream_open.kind = KIND_UNMANAGED;
	event->stream_open.package = pool_text(&self->texts, pending->package);
	event->stream_open.rtmp_url = pool_text(&self->texts, pending->rtmp_url);
	event->stream_open.video = pool_text(&self->texts, pending->video);
	event->stream_open.audio = pool_text(&self->texts, pending->audio);
	event->stream_open.options = pool_text(&self->texts, pending->options);
}

static void refuse_foreign(struct text package, struct text id, struct text owner,
			   struct refusal *out)
{
	const struct text parts[] = { TEXT("App "),	  package, TEXT(" cannot stop stream "), id,
				      TEXT(" owned by "), owner };
	size_t used = 0;

	out->code = "INTERNAL_ERROR";
	for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		(void)text_put(parts[i], out->reason + used, sizeof out->reason - used);
		used += strlen(out->reason + used);
	}
}

/* protocol.md 5.3, stop rows, with D11 for what would stop somebody else's stream. */
static void act_stop(struct unmanaged *self, struct unmanaged_pending *pending)
{
	struct text package = pool_text(&self->texts, pending->package);
	struct text named = pool_text(&self->texts, pending->stream_id);
	const struct state_user *user =
		state_user_find(&self->state, pool_text(&self->texts, pending->user_id));
	const struct state_stream *active = state_active(&self->state, user);
	struct refusal refusal = { 0 };

	if (active && active->kind == KIND_UNMANAGED) {
		struct text owner = unmanaged_text(self, active->package);
		bool own = text_equal(owner, package);
		bool matches = text_equal(named, unmanaged_text(self, active->id));

		if (own && (matches || named.length == 0)) {
			struct stream_event *event = ask(self, pending, EVENT_STREAM_CLOSE);

			event->stream_id = unmanaged_text(self, active->id);
			event->epoch = active->epoch;
			event->stream_close.end_cause = END_APP_STOP;
			event->stream_close.by = package;
			event->stream_close.told_id = named;
			return;
		}
		if (!own && matches)
			refuse_foreign(package, named, owner, &refusal);
	} else if (!active && user && !pending->again) {
		unmanaged_deliver_orphan_stop(self, user, package, named);
	}
	pending_done(self, pending, &refusal);
}

static void act(struct unmanaged *self, struct unmanaged_pending *pending)
{
	if (pending->step == PENDING_PARKED)
		self->parked--;
	pending->step = PENDING_ASKED;
	if (pending->stop)
		act_stop(self, pending);
	else
		act_start(self, pending);
}

static bool keep_texts(struct unmanaged *self, const struct stream_event *event,
		       struct unmanaged_pending *pending)
{
	bool kept = pool_keep(&self->texts, event->user_id, &pending->user_id) &&
		    pool_keep(&self->texts, event->stream_id, &pending->stream_id);

	if (pending->stop)
		return kept &&
		       pool_keep(&self->texts, event->request_stop.package, &pending->package);
	return kept && pool_keep(&self->texts, event->request_start.package, &pending->package) &&
	       pool_keep(&self->texts, event->request_start.rtmp_url, &pending->rtmp_url) &&
	       pool_keep(&self->texts, event->request_start.video, &pending->video) &&
	       pool_keep(&self->texts, event->request_start.audio, &pending->audio) &&
	       pool_keep(&self->texts, event->request_start.options, &pending->options);
}

void unmanaged_on_request(struct unmanaged *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct unmanaged_pending *pending =
		unmanaged_pending_find(self, event->origin, event->request);
	bool stop = event->type == EVENT_REQUEST_STOP;

	if (pending || event->request == 0)
		return; /* asked again while we are at it: one answer will do */
	pending = pending_take(self);
	if (pending) {
		pending->step = PENDING_PARKED;
		self->parked++;
		pending->stop = stop;
	}
	if (!pending || !keep_texts(self, event, pending)) {
		struct stream_event *answer = done(self, input->peer, event, RESULT_REFUSED);

		answer->request_done.link =
			stop ? event->request_stop.link : event->request_start.link;
		answer->request_done.code = TEXT("INTERNAL_ERROR");
		answer->request_done.reason = TEXT(NO_ROOM);
		self->stats.full++;
		if (pending)
			pending_drop(self, pending);
		return;
	}
	pending->gateway = input->peer;
	pending->origin = event->origin;
	pending->request = event->request;
	pending->expires_ms = event->expires_ms;
	pending->link = stop ? event->request_stop.link : event->request_start.link;
	pending->seen_seq = stop ? event->request_stop.seen_seq : event->request_start.seen_seq;
	pending->permitted = !stop && event->request_start.permitted;
	pending->oversized = !stop && event->request_start.oversized;
	if (self->synced && self->seq >= pending->seen_seq)
		act(self, pending);
}

/* The mirror has moved on: whoever waited for that acts now. */
void unmanaged_parked_step(struct unmanaged *self)
{
	for (unsigned i = 0; i < self->pending_high && self->parked > 0 && self->synced; i++) {
		struct unmanaged_pending *pending = &self->pending[i];

		if (effects_room(self->fx) < LIABILITIES_ROOM)
			return;
		if (pending->step == PENDING_PARKED && self->seq >= pending->seen_seq)
			act(self, pending);
	}
}

/* A registry that dies between its commit and its answer has taken the request for good: nobody
 * repeats it.  So it is asked again, as it was: what it did about a request it knows, also in a
 * later life, and says the same once more.
 */
void unmanaged_ask_again(struct unmanaged *self)
{
	for (unsigned i = 0; i < self->pending_high; i++) {
		struct unmanaged_pending *pending = &self->pending[i];

		if (pending->step != PENDING_ASKED && pending->step != PENDING_TOLD)
			continue;
		pending->step = PENDING_PARKED;
		pending->again = true;
		self->parked++;
	}
	unmanaged_parked_step(self);
}

/* A snapshot stands for the story that these waited for. */
void unmanaged_answered_step(struct unmanaged *self)
{
	struct refusal none = { 0 };

	for (unsigned i = 0; i < self->pending_high; i++)
		if (self->pending[i].step == PENDING_ANSWERED &&
		    effects_room(self->fx) >= LIABILITIES_ROOM)
			pending_done(self, &self->pending[i], &none);
}

/* An answered start is done once its story is here: then a stop that follows finds the stream. */
void unmanaged_on_story_of(struct unmanaged *self, struct unmanaged_pending *pending)
{
	struct refusal none = { 0 };

	if (pending->step == PENDING_ANSWERED)
		pending_done(self, pending, &none);
	else if (pending->step == PENDING_ASKED)
		pending->step = PENDING_TOLD;
}

static void give_url(struct unmanaged *self, const struct unmanaged_pending *pending,
		     struct state_stream *stream)
{
	if (stream->kind != KIND_UNMANAGED || !phase_active(stream->phase) ||
	    stream->start_delivered || stream->rtmp_url.length > 0)
		return;
	/* The story came from an earlier life of ours and without the secret: we hold it. */
	if (pool_replace(&self->state.pool, pool_text(&self->texts, pending->rtmp_url),
			 &stream->rtmp_url))
		unmanaged_deliver_start(self, stream);
}

void unmanaged_on_result(struct unmanaged *self, const struct stream_event *event)
{
	struct unmanaged_pending *pending =
		unmanaged_pending_find(self, event->origin, event->request);
	struct refusal refusal = { 0 };

	if (!pending || (pending->step != PENDING_ASKED && pending->step != PENDING_TOLD))
		return;
	if (pending->stop) { /* whatever came of it, the stream is not there any more */
		pending_done(self, pending, &refusal);
		return;
	}
	unmanaged_judge_result(self, pending, event->stream_result.result,
			       event->stream_result.running, &refusal);
	struct state_stream *stream = state_stream_find(&self->state, event->stream_id);

	if (!refusal.code && stream)
		give_url(self, pending, stream);
	if (refusal.code || stream || pending->step == PENDING_TOLD)
		pending_done(self, pending, &refusal);
	else
		pending->step = PENDING_ANSWERED;
}

int64_t unmanaged_gives_up_ms(const struct unmanaged_pending *pending)
{
	if (pending->step == PENDING_FREE || pending->expires_ms == 0 ||
	    pending->expires_ms > INT64_MAX - PENDING_MARGIN_MS)
		return INT64_MAX;
	return pending->expires_ms + PENDING_MARGIN_MS;
}

void unmanaged_expire(struct unmanaged *self)
{
	struct refusal refusal = { .code = "INTERNAL_ERROR", .reason = NO_ANSWER };
	struct refusal none = { 0 };

	for (unsigned i = 0; i < self->pending_high; i++) {
		struct unmanaged_pending *pending = &self->pending[i];

		if (unmanaged_gives_up_ms(pending) > self->now_ms)
			continue;
		if (effects_room(self->fx) < LIABILITIES_ROOM)
			return;
		self->stats.expired++;
		pending_done(self, pending, pending->step >= PENDING_ANSWERED ? &none : &refusal);
	}
}
