/* SPDX-License-Identifier: MIT */
/* gateway_request.c - what apps ask for: one request of each app at a time, the rest in line, so
 * that they act in the order in which they were sent although different processes answer them.
 * A request to watch is waited for beside the line.
 */

#include <assert.h>

#include "actors/gateway/gateway_internal.h"

#define NO_ANSWER "No answer in time - please try again"
#define OVERLOADED "Overloaded - please try again in a few seconds"

/* Of a request to watch the destinations stand where a start has its URL. */
enum {
	TEXT_STREAM_ID,
	TEXT_URL,
	TEXT_DESTINATIONS = TEXT_URL,
	TEXT_VIDEO,
	TEXT_AUDIO,
	TEXT_OPTIONS
};

/* Who answers, and how long that may take. */
static const struct {
	enum role role;
	enum gateway_clock clock;
} ways[REQUEST_KIND_COUNT] = {
	[REQUEST_UNMANAGED] = { ROLE_UNMANAGED, CLOCK_REQUEST },
	[REQUEST_STOP] = { ROLE_UNMANAGED, CLOCK_REQUEST },
	[REQUEST_CHECK] = { ROLE_REGISTRY, CLOCK_REQUEST },
	[REQUEST_WATCH] = { ROLE_MANAGED, CLOCK_WATCH },
	[REQUEST_LEAVE] = { ROLE_MANAGED, CLOCK_REQUEST },
};

static const struct {
	enum role role;
	enum gateway_clock clock;
} agains[AGAIN_COUNT] = {
	[AGAIN_UNMANAGED] = { ROLE_UNMANAGED, CLOCK_REQUEST },
	[AGAIN_MANAGED] = { ROLE_MANAGED, CLOCK_REQUEST },
	[AGAIN_WATCH] = { ROLE_MANAGED, CLOCK_WATCH },
};

/* ---- the line ---- */

static bool wait_in_line(struct gateway *self, struct link *link, const struct ask *ask)
{
	const bool watch = ask->kind == REQUEST_WATCH;
	const struct text texts[WAITING_TEXTS] = {
		[TEXT_STREAM_ID] = ask->stream_id,
		[TEXT_URL] = watch ? ask->destinations : ask->rtmp_url,
		[TEXT_VIDEO] = ask->video,
		[TEXT_AUDIO] = ask->audio,
		[TEXT_OPTIONS] = ask->options,
	};
	const struct waiting head = { .kind = (uint8_t)ask->kind,
				      .oversized = ask->oversized,
				      .destinations_oversized = ask->destinations_oversized };

	return link->app.line.count < GATEWAY_WAITING_MAX + link->app.kept &&
	       gateway_line_add(self, &link->app.line, &head, texts);
}

static struct ask first_in_line(const struct gateway *self, const struct line *line)
{
	const struct waiting *first = &self->waitings[line->first];

	return (struct ask){
		.kind = (enum request_kind)first->kind,
		.oversized = first->oversized,
		.destinations_oversized = first->destinations_oversized,
		.stream_id = pool_text(&self->pool, first->texts[TEXT_STREAM_ID]),
		.rtmp_url = pool_text(&self->pool, first->texts[TEXT_URL]),
		.destinations = pool_text(&self->pool, first->texts[TEXT_DESTINATIONS]),
		.video = pool_text(&self->pool, first->texts[TEXT_VIDEO]),
		.audio = pool_text(&self->pool, first->texts[TEXT_AUDIO]),
		.options = pool_text(&self->pool, first->texts[TEXT_OPTIONS]),
	};
}

/* Nothing is outstanding any more: what was kept of it leaves the line. */
static void step_out(struct gateway *self, struct link *link)
{
	struct text texts[WAITING_TEXTS];
	struct waiting head;

	if (link->app.kept)
		gateway_line_take(self, &link->app.line, &head, texts);
	if (link->app.request != 0)
		self->starts -= link->app.asked == REQUEST_UNMANAGED;
	link->app.kept = false;
	link->app.request = 0;
}

static void watch_over(struct gateway *self, struct link *link)
{
	gateway_line_clear(self, &link->app.watch.line);
	link->app.watch.request = 0;
	link->app.watch.overtaken = false;
}

void gateway_request_forget(struct gateway *self, struct link *link)
{
	step_out(self, link);
	watch_over(self, link);
	gateway_line_clear(self, &link->app.line);
}

/* The outstanding request of @due is done with: the next one acts. */
static void go_on(struct gateway *self, struct link *link, enum gateway_due due, int64_t now_ms,
		  struct effects *fx)
{
	if (due == DUE_WATCH)
		watch_over(self, link);
	if (due == DUE_LINE || link->app.request == 0)
		gateway_request_next(self, link, now_ms, fx);
}

/* Refused: an app that is told so loses its socket; one that is not goes on with the next. */
static void refuse(struct gateway *self, struct link *link, enum gateway_due due,
		   const struct stream_event *done, struct effects *fx)
{
	struct text code = done->request_done.code;

	self->counts.requests_refused++;
	if (!gateway_app_fail(self, link, code.length > 0 ? code : TEXT("INTERNAL_ERROR"),
			      done->request_done.reason, fx))
		go_on(self, link, due, self->now_ms, fx);
}

/* ---- sending ---- */

static struct stream_event *request(struct gateway *self, struct link *link, enum role role,
				    enum stream_event_type type, struct effects *fx)
{
	bool watch = type == EVENT_REQUEST_WATCH;

	gateway_link_announce(self, link, fx);
	struct stream_event *event =
		effects_add(fx, EFFECT_REQUEST, (struct peer){ .role = role }, type);

	event->origin = self->options.incarnation;
	event->request = watch ? link->app.watch.request : link->app.request;
	event->expires_ms = link->dues[watch ? DUE_WATCH : DUE_LINE].ms;
	event->user_id = gateway_link_user(self, link);
	return event;
}

static bool may_stream(const struct gateway *self, struct text package)
{
	return gateway_app_may_stream(gateway_directory_find(self->directory, package));
}

/* What it was told is true wherever it is asked about: an app that has stopped one kind of stream
 * may begin one of the other kind at once.
 */
static uint64_t seen_by(const struct gateway *self, const struct link *link)
{
	return link->app.seen_seq > self->seen_seq ? link->app.seen_seq : self->seen_seq;
}

static void send_start(struct gateway *self, struct link *link, const struct ask *ask,
		       struct effects *fx)
{
	struct text package = pool_text(&self->pool, link->app.package);
	struct stream_event *event = request(self, link, ROLE_UNMANAGED, EVENT_REQUEST_START, fx);

	event->request_start.link = link->id;
	event->request_start.package = package;
	event->request_start.permitted = may_stream(self, package);
	event->request_start.seen_seq = seen_by(self, link);
	event->request_start.rtmp_url = ask->rtmp_url;
	event->request_start.video = ask->video;
	event->request_start.audio = ask->audio;
	event->request_start.options = ask->options;
	event->request_start.oversized = ask->oversized;
}

/* The adapter shall have refused it before we do: its words are the better ones. */
static void send_watch(struct gateway *self, struct link *link, const struct ask *ask,
		       struct effects *fx)
{
	struct text package = pool_text(&self->pool, link->app.package);
	struct stream_event *event = request(self, link, ROLE_MANAGED, EVENT_REQUEST_WATCH, fx);

	event->expires_ms -= GATEWAY_WATCH_SLACK_MS;
	event->request_watch.link = link->id;
	event->request_watch.package = package;
	event->request_watch.permitted = may_stream(self, package);
	event->request_watch.seen_seq = seen_by(self, link);
	event->request_watch.video = ask->video;
	event->request_watch.audio = ask->audio;
	event->request_watch.options = ask->options;
	event->request_watch.oversized = ask->oversized;
	event->request_watch.destinations = ask->destinations;
	event->request_watch.destinations_oversized = ask->destinations_oversized;
}

static void send_stop(struct gateway *self, struct link *link, const struct ask *ask,
		      struct effects *fx)
{
	struct stream_event *event =
		request(self, link, ways[ask->kind].role, EVENT_REQUEST_STOP, fx);

	event->stream_id = ask->stream_id;
	event->request_stop.link = link->id;
	event->request_stop.package = pool_text(&self->pool, link->app.package);
	event->request_stop.seen_seq = seen_by(self, link);
}

static void send_check(struct gateway *self, struct link *link, struct effects *fx)
{
	struct stream_event *event = request(self, link, ROLE_REGISTRY, EVENT_EDGE_CHECK, fx);

	event->edge_check.link = link->id;
	event->edge_check.package = pool_text(&self->pool, link->app.package);
}

static void send(struct gateway *self, struct link *link, const struct ask *ask, struct effects *fx)
{
	switch (ask->kind) {
	case REQUEST_UNMANAGED:
		send_start(self, link, ask, fx);
		return;
	case REQUEST_WATCH:
		send_watch(self, link, ask, fx);
		return;
	case REQUEST_STOP:
	case REQUEST_LEAVE:
		send_stop(self, link, ask, fx);
		return;
	case REQUEST_CHECK:
		send_check(self, link, fx);
		return;
	case REQUEST_NONE:
	case REQUEST_KIND_COUNT:
		assert(!"a request of no kind");
	}
}

static int64_t timeout_ms(const struct gateway *self, enum gateway_clock clock)
{
	return clock == CLOCK_WATCH ? self->options.watch_timeout_ms + GATEWAY_WATCH_SLACK_MS
				    : self->options.request_timeout_ms;
}

static void pass_on(struct gateway *self, struct link *link, const struct ask *ask, int64_t now_ms,
		    struct effects *fx)
{
	enum gateway_clock clock = ways[ask->kind].clock;

	self->requests++;
	if (clock == CLOCK_WATCH) {
		link->app.watch.request = self->requests;
	} else {
		link->app.request = self->requests;
		link->app.asked = (uint8_t)ask->kind;
		self->starts += ask->kind == REQUEST_UNMANAGED;
	}
	link->app.watch.overtaken = ask->kind == REQUEST_LEAVE || ask->kind == REQUEST_UNMANAGED ||
				    (ask->kind != REQUEST_WATCH && link->app.watch.overtaken);
	gateway_clock_start(self, link, clock, now_ms + timeout_ms(self, clock));
	self->counts.requests_sent++;
	send(self, link, ask, fx);
}

/* One more request to watch while the first one waits needs no answer of its own, unless it came
 * after something that ends the first: then it waits for that.
 */
static bool watch_waits(const struct link *link, enum request_kind kind)
{
	return kind == REQUEST_WATCH && link->app.watch.request != 0;
}

static void drop_first(struct gateway *self, struct link *link)
{
	struct text texts[WAITING_TEXTS];
	struct waiting head;

	gateway_line_take(self, &link->app.line, &head, texts);
}

/* ---- the queue of starts ---- */

/* What is under way is answered soon, because it is not much; the others wait here, where waiting
 * costs nothing.  A refusal is dear: it takes the app its socket, and the whole way back.  Whatever
 * ends a stream, or only asks, makes no new work and passes.
 */
static bool is_queued(const struct link *link)
{
	return link->dues[DUE_LINE].clock == CLOCK_QUEUED;
}

static bool may_start(const struct gateway *self)
{
	return self->options.requests_max == 0 || self->starts < self->options.requests_max;
}

static bool has_to_queue(const struct gateway *self, enum request_kind kind)
{
	return kind == REQUEST_UNMANAGED &&
	       (!may_start(self) || self->clock_counts[CLOCK_QUEUED] > 0);
}

static bool queue_is_full(const struct gateway *self)
{
	return self->options.requests_max != 0 &&
	       self->clock_counts[CLOCK_QUEUED] >= self->options.requests_waiting_max;
}

/* Return: whether the socket was closed. */
static bool refuse_overload(struct gateway *self, struct link *link, struct effects *fx)
{
	self->counts.limit_requests++;
	return gateway_app_fail(self, link, TEXT("INTERNAL_ERROR"), TEXT(OVERLOADED), fx);
}

static void queue(struct gateway *self, struct link *link, int64_t now_ms)
{
	self->counts.requests_queued++;
	gateway_clock_start(self, link, CLOCK_QUEUED, now_ms + GATEWAY_QUEUE_MS);
}

/* The next in the app's line; @admitted: a start has done its waiting. */
static void next(struct gateway *self, struct link *link, bool admitted, int64_t now_ms,
		 struct effects *fx)
{
	struct app *app = &link->app;

	step_out(self, link);
	while (app->line.count > 0 && app->request == 0) {
		struct ask ask = first_in_line(self, &app->line);

		if (!admitted && has_to_queue(self, ask.kind)) {
			queue(self, link, now_ms);
			return;
		}
		if (watch_waits(link, ask.kind)) {
			if (app->watch.overtaken)
				return;
			self->counts.requests_repeated++;
			drop_first(self, link);
			continue;
		}
		pass_on(self, link, &ask, now_ms, fx);
		if (ask.kind == REQUEST_WATCH)
			gateway_line_move(self, &app->line, &app->watch.line);
		else
			app->kept = true;
	}
}

void gateway_request_next(struct gateway *self, struct link *link, int64_t now_ms,
			  struct effects *fx)
{
	if (!is_queued(link))
		next(self, link, false, now_ms, fx);
}

bool gateway_request_is_admitting(const struct gateway *self)
{
	return self->clock_counts[CLOCK_QUEUED] > 0 && may_start(self);
}

void gateway_request_admit(struct gateway *self, int64_t now_ms, struct effects *fx)
{
	while (gateway_request_is_admitting(self) && effects_room(fx) > EFFECTS_PER_LINK) {
		struct link *link = &self->links[self->clocks[CLOCK_QUEUED].first];

		gateway_clock_stop(self, link, DUE_LINE);
		next(self, link, true, now_ms, fx);
	}
}

void gateway_request_queue_expired(struct gateway *self, struct link *link, struct effects *fx)
{
	if (refuse_overload(self, link, fx))
		return;
	drop_first(self, link);
	gateway_request_next(self, link, self->now_ms, fx);
}

static bool for_adapter(enum request_kind kind)
{
	return ways[kind].role != ROLE_REGISTRY;
}

/* An adapter that dies between its acknowledgement and its answer has taken the request for good:
 * the transport does not repeat it.  So its next life is asked again, as its last one was, in the
 * order in which requests were sent.  One that the transport repeats as well comes twice, under the
 * same id.
 */
static void ask_again(struct gateway *self, enum gateway_again again, struct effects *fx)
{
	enum gateway_due due = gateway_clock_due(agains[again].clock);

	for (uint32_t slot = self->clocks[agains[again].clock].first; slot != GATEWAY_NONE;
	     slot = self->links[slot].dues[due].next) {
		struct link *link = &self->links[slot];
		const struct app *app = &link->app;
		const struct line *line = due == DUE_WATCH ? &app->watch.line : &app->line;
		uint64_t asked = due == DUE_WATCH ? app->watch.request : app->request;

		if (line->count == 0 || (due == DUE_LINE && !app->kept) ||
		    ways[first_in_line(self, line).kind].role != agains[again].role ||
		    asked < self->again[again])
			continue;
		if (effects_room(fx) <= EFFECTS_PER_LINK) {
			self->again[again] = asked;
			return;
		}
		struct ask ask = first_in_line(self, line);

		send(self, link, &ask, fx);
	}
	self->again[again] = 0;
}

void gateway_request_again(struct gateway *self, struct effects *fx)
{
	for (enum gateway_again again = 0; again < AGAIN_COUNT; again++)
		if (self->again[again] > 0)
			ask_again(self, again, fx);
}

void gateway_request_ask_again(struct gateway *self, enum role role, struct effects *fx)
{
	for (enum gateway_again again = 0; again < AGAIN_COUNT; again++)
		if (agains[again].role == role)
			self->again[again] = 1;
	gateway_request_again(self, fx);
}

bool gateway_request_is_asking(const struct gateway *self)
{
	for (enum gateway_again again = 0; again < AGAIN_COUNT; again++)
		if (self->again[again] > 0)
			return true;
	return false;
}

/* ---- asking ---- */

static bool within_rate(struct gateway *self, struct link *link, int64_t now_ms, struct effects *fx)
{
	char words[64] = "Too many stream requests, try again in ";
	int64_t wait_ms = gateway_start_wait(self, link, now_ms);
	int64_t wait_s = (wait_ms + 999) / 1000;
	char digits[20];
	size_t length = strlen(words), count = 0;

	if (wait_ms == 0)
		return true;
	do {
		digits[count++] = (char)('0' + wait_s % 10);
	} while ((wait_s /= 10) > 0);
	while (count > 0)
		words[length++] = digits[--count];
	words[length++] = ' ';
	words[length++] = 's';
	self->counts.limit_starts++;
	(void)gateway_app_fail(self, link, TEXT("INTERNAL_ERROR"),
			       effects_keep(fx, (struct text){ words, (uint32_t)length }), fx);
	return false;
}

void gateway_request_ask(struct gateway *self, struct link *link, const struct ask *ask,
			 int64_t now_ms, struct effects *fx)
{
	bool start = ask->kind == REQUEST_UNMANAGED || ask->kind == REQUEST_WATCH;

	if (ask->kind == REQUEST_UNMANAGED && queue_is_full(self)) {
		(void)refuse_overload(self, link, fx);
		return;
	}
	if (start && !within_rate(self, link, now_ms, fx))
		return;
	if (link->app.phase == APP_ACCEPTED && link->app.request == 0 &&
	    link->app.line.count == 0 && !watch_waits(link, ask->kind) &&
	    !has_to_queue(self, ask->kind)) {
		/* Without room for it it is asked only once. */
		bool kept = for_adapter(ask->kind) && wait_in_line(self, link, ask);

		pass_on(self, link, ask, now_ms, fx);
		if (kept && ask->kind == REQUEST_WATCH)
			gateway_line_move(self, &link->app.line, &link->app.watch.line);
		else
			link->app.kept = kept;
		return;
	}
	if (!wait_in_line(self, link, ask)) {
		self->counts.limit_waiting++;
		(void)gateway_app_fail(self, link, TEXT("INTERNAL_ERROR"),
				       TEXT("Too many requests at a time"), fx);
	} else if (link->app.phase == APP_ACCEPTED && link->app.request == 0) {
		gateway_request_next(self, link, now_ms, fx);
	}
}

/* ---- answers ---- */

void gateway_request_expired(struct gateway *self, struct link *link, enum gateway_clock clock,
			     struct effects *fx)
{
	static const struct stream_event done = {
		.request_done = { .reason = { NO_ANSWER, sizeof NO_ANSWER - 1 } }
	};

	self->counts.requests_timed_out++;
	refuse(self, link, gateway_clock_due(clock), &done, fx);
}

static void answer_check(struct gateway *self, const struct link *link,
			 const struct stream_event *event)
{
	struct edge_message *check;

	switch ((enum kind)event->registry_checked.kind) {
	case KIND_NONE:
		gateway_send(self, link, EDGE_CHECK_NONE);
		return;
	case KIND_UNMANAGED:
		check = gateway_send(self, link, EDGE_CHECK_UNMANAGED);
		check->check_unmanaged.stream_id = event->stream_id;
		check->check_unmanaged.created_ms = event->registry_checked.created_ms;
		check->check_unmanaged.rtmp_url = event->registry_checked.rtmp_url;
		check->check_unmanaged.requesting_app_id = event->registry_checked.package;
		return;
	case KIND_MANAGED:
		check = gateway_send(self, link, EDGE_CHECK_MANAGED);
		check->check_managed.stream_id = event->stream_id;
		check->check_managed.created_ms = event->registry_checked.created_ms;
		check->check_managed.hls = event->registry_checked.hls;
		check->check_managed.dash = event->registry_checked.dash;
		check->check_managed.webrtc = event->registry_checked.webrtc;
		check->check_managed.preview = event->registry_checked.preview;
		check->check_managed.thumbnail = event->registry_checked.thumbnail;
		check->check_managed.viewers = event->registry_checked.viewers;
		return;
	}
}

void gateway_request_event(struct gateway *self, const struct stream_event *event, int64_t now_ms,
			   struct effects *fx)
{
	bool checked = event->type == EVENT_REGISTRY_CHECKED;
	struct link *link = gateway_link_find(
		self, checked ? event->registry_checked.link : event->request_done.link, LINK_APP);
	bool watch = link && !checked && event->request != 0 &&
		     event->request == link->app.watch.request;

	if (!link || event->request == 0 ||
	    (!watch && (event->request != link->app.request ||
			checked != (link->app.asked == REQUEST_CHECK)))) {
		self->counts.answers_late++;
		return;
	}
	enum gateway_due due = watch ? DUE_WATCH : DUE_LINE;

	gateway_clock_stop(self, link, due);
	/* Asked for, so it is told on a replaced socket as well. */
	if (checked)
		answer_check(self, link, event);
	if (checked || event->request_done.result == RESULT_OK)
		go_on(self, link, due, now_ms, fx);
	else
		refuse(self, link, due, event, fx);
}
