/* SPDX-License-Identifier: MIT */
#include "common/asks.h"

#include <assert.h>

_Static_assert(ASKS_ARENA >= OUTPUTS_MAX * (OUTPUT_URL_MAX + OUTPUT_NAME_MAX + OUTPUT_ERROR_MAX),
	       "as many outputs as one request may name");

#define NO_ROOM "Too many requests at once, try again in 1 s"
#define NO_ANSWER "No answer in time, try again later"

/* What the kinds of requests have in common, and where each has it. */
struct asked {
	uint64_t link, seen_seq, output;
	bool permitted, oversized, destinations_oversized;
	struct text texts[ASK_TEXTS];
};

static size_t items_bytes(void)
{
	return (ASKS_MAX * sizeof(struct ask) + 63) & ~(size_t)63;
}

size_t asks_bytes(void)
{
	return items_bytes() + ASKS_TEXT_BYTES;
}

void asks_init(struct asks *self, const struct state *state, void *memory)
{
	memset(self, 0, sizeof *self);
	self->state = state;
	self->items = memory;
	pool_init(&self->texts, (uint8_t *)memory + items_bytes(), ASKS_TEXT_BYTES);
}

void asks_begin(struct asks *self, struct effects *fx, int64_t now_ms)
{
	pool_settle(&self->texts);
	self->fx = fx;
	self->now_ms = now_ms;
}

struct text asks_text(const struct asks *self, const struct ask *ask, enum ask_text which)
{
	return pool_text(&self->texts, ask->texts[which]);
}

bool asks_keep(struct asks *self, struct ask *ask, enum ask_text which, struct text text)
{
	return pool_replace(&self->texts, text, &ask->texts[which]);
}

struct ask *asks_at(const struct asks *self, uint32_t index)
{
	return self->items[index].step != ASK_FREE ? &self->items[index] : NULL;
}

struct ask *asks_find(const struct asks *self, uint64_t origin, uint64_t request)
{
	for (uint32_t i = 0; i < self->high; i++)
		if (self->items[i].step != ASK_FREE && self->items[i].origin == origin &&
		    self->items[i].request == request)
			return &self->items[i];
	return NULL;
}

void asks_drop(struct asks *self, struct ask *ask)
{
	for (unsigned i = 0; i < ASK_TEXTS; i++)
		pool_drop(&self->texts, &ask->texts[i]);
	self->parked -= ask->step == ASK_PARKED;
	*ask = (struct ask){ 0 };
	while (self->high > 0 && self->items[self->high - 1].step == ASK_FREE)
		self->high--;
}

static struct ask *ask_new(struct asks *self)
{
	for (uint32_t i = 0; i < ASKS_MAX; i++)
		if (self->items[i].step == ASK_FREE) {
			if (i >= self->high)
				self->high = i + 1;
			self->items[i].step = ASK_PARKED;
			self->parked++;
			return &self->items[i];
		}
	return NULL;
}

static bool wants_outputs(enum stream_event_type type)
{
	return type == EVENT_REQUEST_OUTPUT_ADD || type == EVENT_REQUEST_OUTPUT_REMOVE ||
	       type == EVENT_REQUEST_OUTPUT_LIST;
}

static struct stream_event *answer(struct asks *self, enum stream_event_type type,
				   const struct peer *to, uint64_t origin, uint64_t request)
{
	bool outputs = wants_outputs(type);
	struct stream_event *event = effects_add(
		self->fx, EFFECT_SEND, *to, outputs ? EVENT_REQUEST_OUTPUTS : EVENT_REQUEST_DONE);

	event->origin = origin;
	event->request = request;
	if (outputs)
		event->request_outputs.result = RESULT_OK;
	else
		event->request_done.result = RESULT_OK;
	return event;
}

static void refuse(struct stream_event *event, const char *code, enum result result,
		   struct text reason)
{
	if (event->type == EVENT_REQUEST_OUTPUTS) {
		event->request_outputs.result = result;
		event->request_outputs.reason = reason;
		return;
	}
	event->request_done.result = RESULT_REFUSED;
	event->request_done.code = text_of(code);
	event->request_done.reason = reason;
}

struct stream_event *asks_answer(struct asks *self, const struct ask *ask)
{
	struct stream_event *event = answer(self, (enum stream_event_type)ask->type, &ask->peer,
					    ask->origin, ask->request);

	event->user_id = asks_text(self, ask, ASK_USER);
	if (event->type == EVENT_REQUEST_DONE)
		event->request_done.link = ask->link;
	return event;
}

void asks_done(struct asks *self, struct ask *ask, const struct refusal *refusal)
{
	struct stream_event *event = asks_answer(self, ask);

	if (refusal && refusal->code) {
		self->stats.refused++;
		refuse(event, refusal->code, refusal->result,
		       effects_keep(self->fx, text_of(refusal->reason)));
	}
	asks_drop(self, ask);
}

struct stream_event *asks_pass(struct asks *self, struct ask *ask, enum stream_event_type type)
{
	struct stream_event *event =
		effects_add(self->fx, EFFECT_REQUEST, (struct peer){ ROLE_REGISTRY, 0 }, type);

	event->origin = ask->origin;
	event->request = ask->request;
	event->expires_ms = ask->expires_ms;
	event->user_id = asks_text(self, ask, ASK_USER);
	ask->step = ASK_ASKED;
	return event;
}

static void read_watch(const struct stream_event *event, struct asked *out)
{
	out->link = event->request_watch.link;
	out->seen_seq = event->request_watch.seen_seq;
	out->permitted = event->request_watch.permitted;
	out->oversized = event->request_watch.oversized;
	out->destinations_oversized = event->request_watch.destinations_oversized;
	out->texts[ASK_PACKAGE] = event->request_watch.package;
	out->texts[ASK_VIDEO] = event->request_watch.video;
	out->texts[ASK_AUDIO] = event->request_watch.audio;
	out->texts[ASK_OPTIONS] = event->request_watch.options;
	out->texts[ASK_DESTINATIONS] = event->request_watch.destinations;
}

static void read_start(const struct stream_event *event, struct asked *out)
{
	out->link = event->request_start.link;
	out->seen_seq = event->request_start.seen_seq;
	out->permitted = event->request_start.permitted;
	out->oversized = event->request_start.oversized;
	out->texts[ASK_PACKAGE] = event->request_start.package;
	out->texts[ASK_URL] = event->request_start.rtmp_url;
	out->texts[ASK_VIDEO] = event->request_start.video;
	out->texts[ASK_AUDIO] = event->request_start.audio;
	out->texts[ASK_OPTIONS] = event->request_start.options;
}

static void read_asked(const struct stream_event *event, struct asked *out)
{
	*out = (struct asked){
		.texts = { [ASK_USER] = event->user_id, [ASK_STREAM] = event->stream_id }
	};
	if (event->type == EVENT_REQUEST_START) {
		read_start(event, out);
	} else if (event->type == EVENT_REQUEST_WATCH) {
		read_watch(event, out);
	} else if (event->type == EVENT_REQUEST_STOP) {
		out->link = event->request_stop.link;
		out->seen_seq = event->request_stop.seen_seq;
		out->texts[ASK_PACKAGE] = event->request_stop.package;
	} else if (event->type == EVENT_REQUEST_OUTPUT_ADD) {
		out->texts[ASK_PACKAGE] = event->request_output_add.package;
		out->texts[ASK_URL] = event->request_output_add.url;
		out->texts[ASK_NAME] = event->request_output_add.name;
	} else if (event->type == EVENT_REQUEST_OUTPUT_REMOVE) {
		out->texts[ASK_PACKAGE] = event->request_output_remove.package;
		out->output = event->request_output_remove.output;
	} else {
		assert(event->type == EVENT_REQUEST_OUTPUT_LIST);
		out->texts[ASK_PACKAGE] = event->request_output_list.package;
	}
}

static bool keep_all(struct asks *self, struct ask *ask, const struct asked *asked)
{
	for (unsigned i = 0; i < ASK_TEXTS; i++)
		if (!pool_keep(&self->texts, asked->texts[i], &ask->texts[i]))
			return false;
	return true;
}

static void no_room(struct asks *self, const struct input *input, const struct asked *asked)
{
	const struct stream_event *event = input->event;
	struct stream_event *reply =
		answer(self, event->type, &input->peer, event->origin, event->request);

	reply->user_id = event->user_id;
	if (reply->type == EVENT_REQUEST_DONE)
		reply->request_done.link = asked->link;
	refuse(reply, "INTERNAL_ERROR", RESULT_FULL, TEXT(NO_ROOM));
	self->stats.full++;
}

static void act(struct asks *self, struct ask *ask)
{
	self->parked -= ask->step == ASK_PARKED;
	ask->step = ASK_ASKED;
	self->act(self->context, ask);
}

static bool may_act(const struct asks *self, const struct ask *ask)
{
	return self->synced && self->seq >= ask->seen_seq;
}

void asks_take(struct asks *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	struct asked asked;

	if (event->request == 0 || asks_find(self, event->origin, event->request))
		return; /* asked again while we are at it: one answer will do */
	read_asked(event, &asked);
	struct ask *ask = ask_new(self);

	if (!ask || !keep_all(self, ask, &asked)) {
		no_room(self, input, &asked);
		if (ask)
			asks_drop(self, ask);
		return;
	}
	ask->type = (uint16_t)event->type;
	ask->peer = input->peer;
	ask->origin = event->origin;
	ask->request = event->request;
	ask->expires_ms = event->expires_ms;
	ask->link = asked.link;
	ask->seen_seq = asked.seen_seq;
	ask->output = asked.output;
	ask->permitted = asked.permitted;
	ask->oversized = asked.oversized;
	ask->destinations_oversized = asked.destinations_oversized;
	if (may_act(self, ask))
		act(self, ask);
}

bool asks_have_room(const struct asks *self)
{
	return effects_room(self->fx) >= ASKS_ROOM &&
	       EFFECTS_ARENA_SIZE - self->fx->arena_used >= ASKS_ARENA;
}

void asks_parked_step(struct asks *self)
{
	self->more = false;
	for (uint32_t i = 0; i < self->high && self->parked > 0 && self->synced; i++) {
		struct ask *ask = &self->items[i];

		if (ask->step != ASK_PARKED || !may_act(self, ask))
			continue;
		if (!asks_have_room(self)) {
			self->more = true;
			return;
		}
		act(self, ask);
	}
}

/* A registry that dies between its commit and its answer has taken the request for good: nobody
 * repeats it.  So it is asked again, as it was: what it did about a request it knows, also in a
 * later life, and says the same once more.
 */
void asks_again(struct asks *self)
{
	for (uint32_t i = 0; i < self->high; i++) {
		struct ask *ask = &self->items[i];

		if (ask->step != ASK_ASKED && ask->step != ASK_TOLD)
			continue;
		ask->step = ASK_PARKED;
		ask->again = true;
		self->parked++;
	}
	asks_parked_step(self);
}

bool asks_on_story(struct ask *ask)
{
	if (ask->step == ASK_ASKED)
		ask->step = ASK_TOLD;
	return ask->step == ASK_ANSWERED;
}

static int64_t gives_up_ms(const struct ask *ask)
{
	if (ask->step == ASK_FREE || ask->expires_ms == 0 ||
	    ask->expires_ms > INT64_MAX - ASKS_MARGIN_MS)
		return INT64_MAX;
	return ask->expires_ms + ASKS_MARGIN_MS;
}

int64_t asks_deadline(const struct asks *self)
{
	int64_t soonest = self->more && self->synced ? 0 : INT64_MAX;

	for (uint32_t i = 0; i < self->high; i++)
		if (gives_up_ms(&self->items[i]) < soonest)
			soonest = gives_up_ms(&self->items[i]);
	return soonest;
}

/* Who asked to watch is served once it was told so; all others, once it is done. */
static bool is_served(const struct ask *ask)
{
	if (ask->type == EVENT_REQUEST_WATCH)
		return ask->replied;
	return ask->step == ASK_ANSWERED || ask->step == ASK_TOLD;
}

void asks_expire(struct asks *self)
{
	const struct refusal refusal = { .code = "INTERNAL_ERROR",
					 .result = RESULT_EXPIRED,
					 .reason = NO_ANSWER };

	for (uint32_t i = 0; i < self->high; i++) {
		struct ask *ask = &self->items[i];

		if (gives_up_ms(ask) > self->now_ms)
			continue;
		if (!asks_have_room(self))
			return;
		self->stats.expired++;
		asks_done(self, ask, is_served(ask) ? NULL : &refusal);
	}
}
