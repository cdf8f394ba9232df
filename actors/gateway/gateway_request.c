/* SPDX-License-Identifier: MIT */
/* gateway_request.c - what apps ask for: one request of each app at a time, the rest in line, so
 * that they act in the order in which they were sent although different processes answer them.
 */

#include <assert.h>

#include "actors/gateway/gateway_internal.h"

#define MANAGED_PERMISSION \
	"Camera permission required to start managed streams. " \
	"Please add the CAMERA permission in the developer console."

enum { TEXT_STREAM_ID, TEXT_URL, TEXT_VIDEO, TEXT_AUDIO, TEXT_OPTIONS };

/* ---- the line ---- */

static bool wait_in_line(struct gateway *self, struct link *link, const struct ask *ask)
{
	const struct text texts[WAITING_TEXTS] = {
		[TEXT_STREAM_ID] = ask->stream_id, [TEXT_URL] = ask->rtmp_url,
		[TEXT_VIDEO] = ask->video,	   [TEXT_AUDIO] = ask->audio,
		[TEXT_OPTIONS] = ask->options,
	};
	const struct waiting head = { .kind = (uint8_t)ask->kind, .oversized = ask->oversized };

	return link->app.line.count < GATEWAY_WAITING_MAX + link->app.kept &&
	       gateway_line_add(self, &link->app.line, &head, texts);
}

static struct ask first_in_line(const struct gateway *self, const struct link *link)
{
	const struct waiting *first = &self->waitings[link->app.line.first];

	return (struct ask){
		.kind = (enum request_kind)first->kind,
		.oversized = first->oversized,
		.stream_id = pool_text(&self->pool, first->texts[TEXT_STREAM_ID]),
		.rtmp_url = pool_text(&self->pool, first->texts[TEXT_URL]),
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
	link->app.kept = false;
	link->app.request = 0;
}

void gateway_request_forget(struct gateway *self, struct link *link)
{
	step_out(self, link);
	gateway_line_clear(self, &link->app.line);
}

/* Refused: an app that is told so loses its socket; one that is not goes on with the next. */
static void refuse(struct gateway *self, struct link *link, struct text code, struct text message,
		   int64_t now_ms, struct effects *fx)
{
	self->counts.requests_refused++;
	if (!gateway_app_fail(self, link, code, message, fx))
		gateway_request_next(self, link, now_ms, fx);
}

/* ---- sending ---- */

static struct stream_event *request(struct gateway *self, struct link *link, struct peer to,
				    enum stream_event_type type, struct effects *fx)
{
	gateway_link_announce(self, link, fx);
	struct stream_event *event = effects_add(fx, EFFECT_REQUEST, to, type);

	event->origin = self->options.incarnation;
	event->request = link->app.request;
	event->expires_ms = link->due_ms;
	event->user_id = gateway_link_user(self, link);
	return event;
}

static void send_unmanaged(struct gateway *self, struct link *link, const struct ask *ask,
			   struct effects *fx)
{
	static const struct peer unmanaged = { .role = ROLE_UNMANAGED };
	struct text package = pool_text(&self->pool, link->app.package);
	struct stream_event *event;

	if (ask->kind == REQUEST_STOP) {
		event = request(self, link, unmanaged, EVENT_REQUEST_STOP, fx);
		event->stream_id = ask->stream_id;
		event->request_stop.link = link->id;
		event->request_stop.package = package;
		event->request_stop.seen_seq = self->seen_seq;
		return;
	}
	event = request(self, link, unmanaged, EVENT_REQUEST_START, fx);
	event->request_start.link = link->id;
	event->request_start.package = package;
	event->request_start.permitted =
		gateway_app_may_stream(gateway_directory_find(self->directory, package));
	event->request_start.seen_seq = self->seen_seq;
	event->request_start.rtmp_url = ask->rtmp_url;
	event->request_start.video = ask->video;
	event->request_start.audio = ask->audio;
	event->request_start.options = ask->options;
	event->request_start.oversized = ask->oversized;
}

static void send_check(struct gateway *self, struct link *link, struct effects *fx)
{
	static const struct peer registry = { .role = ROLE_REGISTRY };
	struct stream_event *event = request(self, link, registry, EVENT_EDGE_CHECK, fx);

	event->edge_check.link = link->id;
	event->edge_check.package = pool_text(&self->pool, link->app.package);
}

/* Without a managed-adapter nothing can be started; which refusal it is depends on what runs. */
static void send_managed(struct gateway *self, struct link *link, int64_t now_ms,
			 struct effects *fx)
{
	struct text package = pool_text(&self->pool, link->app.package);

	if (gateway_app_may_stream(gateway_directory_find(self->directory, package))) {
		send_check(self, link, fx);
		return;
	}
	gateway_clock_stop(self, link);
	refuse(self, link, TEXT("PERMISSION_DENIED"), TEXT(MANAGED_PERMISSION), now_ms, fx);
}

static void pass_on(struct gateway *self, struct link *link, const struct ask *ask, int64_t now_ms,
		    struct effects *fx)
{
	link->app.request = ++self->requests;
	link->app.asked = (uint8_t)ask->kind;
	gateway_clock_start(self, link, CLOCK_REQUEST, now_ms + self->options.request_timeout_ms);
	self->counts.requests_sent++;
	switch (ask->kind) {
	case REQUEST_UNMANAGED:
	case REQUEST_STOP:
		send_unmanaged(self, link, ask, fx);
		return;
	case REQUEST_CHECK:
		send_check(self, link, fx);
		return;
	case REQUEST_MANAGED:
		send_managed(self, link, now_ms, fx);
		return;
	case REQUEST_NONE:
		assert(!"a request of no kind");
	}
}

void gateway_request_next(struct gateway *self, struct link *link, int64_t now_ms,
			  struct effects *fx)
{
	step_out(self, link);
	if (link->app.line.count > 0) {
		struct ask ask = first_in_line(self, link);

		link->app.kept = true;
		pass_on(self, link, &ask, now_ms, fx);
	}
}

static bool for_adapter(enum request_kind kind)
{
	return kind == REQUEST_UNMANAGED || kind == REQUEST_STOP;
}

/* An adapter that dies between its acknowledgement and its answer has taken the request for good:
 * the transport does not repeat it.  So its next life is asked again, as its last one was, in the
 * order in which requests were sent.  One that the transport repeats as well comes twice, under the
 * same id.
 */
void gateway_request_ask_again(struct gateway *self, uint64_t first, struct effects *fx)
{
	for (uint32_t slot = self->clocks[CLOCK_REQUEST].first; slot != GATEWAY_NONE;
	     slot = self->links[slot].next) {
		struct link *link = &self->links[slot];

		if (!link->app.kept || !for_adapter((enum request_kind)link->app.asked) ||
		    link->app.request < first)
			continue;
		if (effects_room(fx) <= EFFECTS_PER_LINK) {
			self->again = link->app.request;
			return;
		}
		struct ask ask = first_in_line(self, link);

		send_unmanaged(self, link, &ask, fx);
	}
	self->again = 0;
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
	bool start = ask->kind == REQUEST_UNMANAGED || ask->kind == REQUEST_MANAGED;

	if (start && !within_rate(self, link, now_ms, fx))
		return;
	if (link->app.phase == APP_ACCEPTED && link->app.request == 0) {
		/* Without room for it it is asked only once. */
		link->app.kept = for_adapter(ask->kind) && wait_in_line(self, link, ask);
		pass_on(self, link, ask, now_ms, fx);
		return;
	}
	if (!wait_in_line(self, link, ask)) {
		self->counts.limit_waiting++;
		(void)gateway_app_fail(self, link, TEXT("INTERNAL_ERROR"),
				       TEXT("Too many requests at a time"), fx);
	}
}

/* ---- answers ---- */

void gateway_request_expired(struct gateway *self, struct link *link, struct effects *fx)
{
	self->counts.requests_timed_out++;
	refuse(self, link, TEXT("INTERNAL_ERROR"), TEXT("No answer in time - please try again"),
	       self->now_ms, fx);
}

static void on_done(struct gateway *self, struct link *link, const struct stream_event *event,
		    int64_t now_ms, struct effects *fx)
{
	if (event->request_done.result == RESULT_OK) {
		gateway_request_next(self, link, now_ms, fx);
		return;
	}
	refuse(self, link,
	       event->request_done.code.length > 0 ? event->request_done.code
						   : TEXT("INTERNAL_ERROR"),
	       event->request_done.reason, now_ms, fx);
}

static void answer_check(struct gateway *self, const struct link *link,
			 const struct stream_event *event)
{
	if (event->registry_checked.kind == KIND_NONE) {
		gateway_send(self, link, EDGE_CHECK_NONE);
		return;
	}
	struct edge_message *check = gateway_send(self, link, EDGE_CHECK_UNMANAGED);

	check->check_unmanaged.stream_id = event->stream_id;
	check->check_unmanaged.created_ms = event->registry_checked.created_ms;
	check->check_unmanaged.rtmp_url = event->registry_checked.rtmp_url;
	check->check_unmanaged.requesting_app_id = event->registry_checked.package;
}

static void on_checked(struct gateway *self, struct link *link, const struct stream_event *event,
		       int64_t now_ms, struct effects *fx)
{
	if (link->app.asked == REQUEST_CHECK) {
		/* Asked for, so it is told on a replaced socket as well. */
		answer_check(self, link, event);
		gateway_request_next(self, link, now_ms, fx);
		return;
	}
	refuse(self, link, TEXT("INTERNAL_ERROR"),
	       event->registry_checked.kind == KIND_UNMANAGED
		       ? TEXT("Cannot start managed stream - unmanaged stream already active")
		       : TEXT("Managed streaming is not configured"),
	       now_ms, fx);
}

void gateway_request_event(struct gateway *self, const struct stream_event *event, int64_t now_ms,
			   struct effects *fx)
{
	bool checked = event->type == EVENT_REGISTRY_CHECKED;
	struct link *link = gateway_link_find(
		self, checked ? event->registry_checked.link : event->request_done.link, LINK_APP);

	if (!link || link->app.request == 0 || event->request != link->app.request ||
	    checked != (link->app.asked == REQUEST_CHECK || link->app.asked == REQUEST_MANAGED)) {
		self->counts.answers_late++;
		return;
	}
	gateway_clock_stop(self, link);
	if (checked)
		on_checked(self, link, event, now_ms, fx);
	else
		on_done(self, link, event, now_ms, fx);
}
