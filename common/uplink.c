/* SPDX-License-Identifier: MIT */
#include "common/uplink.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define NEVER INT64_MAX
#define SCRATCH_SIZE (FRAME_HEAD_SIZE + FRAME_SHARE_MAX + STREAM_EVENT_RELAY_WIRE_MAX)

int uplink_init(struct uplink *self, const struct uplink_options *options)
{
	size_t entries_max = options->entries_max ? options->entries_max : UPLINK_ENTRIES_MAX;
	size_t bytes_max = options->bytes_max ? options->bytes_max : UPLINK_BYTES_MAX;

	*self = (struct uplink){ .options = *options, .first_number = 1 };
	request_ring_init(&self->ring, entries_max, bytes_max);
	request_ring_init(&self->older, entries_max, bytes_max);
	frame_queue_init(&self->unnumbered, UPLINK_UNNUMBERED_MAX);
	self->hello_ms = self->guard_ms = self->retry_ms = NEVER;
	self->guard_wait_ms = UPLINK_GUARD_MIN_MS;
	self->scratch = malloc(SCRATCH_SIZE);
	return self->scratch ? 0 : -ENOMEM;
}

void uplink_fini(struct uplink *self)
{
	request_ring_fini(&self->ring);
	request_ring_fini(&self->older);
	frame_queue_fini(&self->unnumbered);
	free(self->scratch);
	self->scratch = NULL;
}

static void note(struct uplink *self, const char *what, const char *detail)
{
	if (self->options.port.note)
		self->options.port.note(self->options.port.context, what, detail);
}

static void feed(struct uplink *self, enum input_type type, const struct stream_event *event,
		 bool known)
{
	const struct input input = { .type = type,
				     .peer = { self->options.server, self->server_incarnation },
				     .peer_name = self->server_name,
				     .known = known,
				     .event = event };

	self->options.port.input(self->options.port.context, &input);
}

static void say_hello(struct uplink *self, int64_t now_ms)
{
	const struct stream_event hello = {
		.type = EVENT_PEER_HELLO,
		.source = text_of(self->options.name),
		.incarnation = self->options.incarnation,
		.peer_hello = { .role = self->options.role,
				.name = text_of(self->options.name),
				.protocol = STREAM_PROTOCOL_VERSION,
				.first_request = self->first_number,
				.clock = self->options.clock,
				.now_ms = now_ms },
	};
	struct frame_writer frame;

	frame_begin(&frame, self->scratch, SCRATCH_SIZE, TOPIC_DIRECT, self->options.incarnation,
		    0);
	bool added = frame_add(&frame, &hello, STREAM_EVENT_ADDRESSED);

	assert(added);
	frame_end(&frame);
	if (!self->options.port.send(self->options.port.context, frame.bytes, frame.length)) {
		self->hello_ms = now_ms + UPLINK_HELLO_RETRY_MS;
		return;
	}
	self->stats.hellos++;
	self->hello_ms = now_ms + UPLINK_HELLO_MS;
}

static void guard_reset(struct uplink *self, int64_t now_ms)
{
	self->guarding = false;
	self->guard_wait_ms = UPLINK_GUARD_MIN_MS;
	self->guard_ms = self->ring.sent > 0 ? now_ms + self->guard_wait_ms : NEVER;
}

/* What went before is over: nothing is sent until the next welcome. */
static void leave(struct uplink *self, enum uplink_state state)
{
	bool was_up = self->state == UPLINK_WELCOMED;

	self->state = state;
	frame_queue_clear(&self->unnumbered);
	request_ring_rewind(&self->ring);
	self->guard_ms = self->retry_ms = NEVER;
	if (was_up)
		feed(self, INPUT_PEER_DOWN, NULL, false);
}

void uplink_connected(struct uplink *self, int64_t now_ms)
{
	leave(self, UPLINK_GREETING);
	say_hello(self, now_ms);
}

void uplink_disconnected(struct uplink *self)
{
	leave(self, UPLINK_DOWN);
	self->hello_ms = NEVER;
	intake_close(&self->intake);
}

static void pop(struct uplink *self, uint64_t count)
{
	request_ring_pop(&self->ring, (size_t)count);
	self->first_number += count;
	self->left -= count < self->left ? (size_t)count : self->left;
	self->stats.requests_acked += count;
}

static void renumber(struct uplink *self, uint64_t first)
{
	self->first_number = first;
	self->left = 0;
}

/* Requests made while the core answers this belong in front of those kept. */
static void announce(struct uplink *self)
{
	struct request_ring empty;

	if (self->options.port.settle)
		self->options.port.settle(self->options.port.context);
	empty = self->older;
	self->older = self->ring;
	self->ring = empty;
	self->left = 0;
	self->announcing = true;
	feed(self, INPUT_PEER_UP, NULL, false);
	self->announcing = false;

	size_t lost = request_ring_move(&self->ring, &self->older);

	self->stats.requests_refused += lost;
	if (lost > 0)
		note(self, "uplink.full", "announcements took the room of requests");
}

/* The server has seen all before @next, and repeats are due from there. */
static void resume(struct uplink *self, uint64_t next, int64_t now_ms)
{
	if (next > self->first_number && next <= self->first_number + self->ring.count)
		pop(self, next - self->first_number);
	request_ring_rewind(&self->ring);
	guard_reset(self, now_ms);
}

static void on_welcome(struct uplink *self, const struct stream_event *event, int64_t now_ms)
{
	const uint64_t next = event->peer_welcome.next_request;
	bool same_life = self->server_incarnation == self->intake.head.incarnation;
	bool known = event->peer_welcome.known && same_life;

	if (self->state == UPLINK_DOWN)
		return;
	if (event->peer_welcome.role != self->options.server ||
	    event->peer_welcome.name.length == 0) {
		self->stats.received_dropped++;
		note(self, "uplink.wrong_server", "the process there has another role");
		return;
	}
	self->stats.welcomes++;
	if (self->state == UPLINK_WELCOMED && same_life) {
		/* The answer to a hello that was repeated. */
		resume(self, next, now_ms);
		return;
	}
	leave(self, UPLINK_GREETING);
	self->state = UPLINK_WELCOMED;
	self->hello_ms = NEVER;
	self->server_incarnation = self->intake.head.incarnation;
	text_put(event->peer_welcome.name, self->server_name, sizeof self->server_name);
	/* A server that was started anew may still know how far its earlier life had come. */
	bool counted = event->peer_welcome.counted && next >= self->first_number &&
		       next <= self->first_number + self->ring.count;

	if (!known && !counted && next > 0)
		renumber(self, next);
	resume(self, next, now_ms);
	if (known)
		feed(self, INPUT_PEER_UP, NULL, true);
	else
		announce(self);
}

static void on_ack(struct uplink *self, uint64_t upto, int64_t now_ms)
{
	bool progress = upto >= self->first_number;

	if (upto + 1 < self->first_number || upto >= self->first_number + self->left)
		return;
	if (progress)
		pop(self, upto + 1 - self->first_number);
	if (self->guarding)
		request_ring_rewind(&self->ring);
	if (progress || self->guarding)
		guard_reset(self, now_ms);
}

static void on_refused(struct uplink *self, const struct stream_event *event, int64_t now_ms)
{
	char reason[REASON_MAX + 1];

	self->stats.refusals++;
	note(self, "uplink.refused", text_put(event->peer_refused.reason, reason, sizeof reason));
	/* While greeting this answers something older, or the hello itself: that is repeated. */
	if (self->state == UPLINK_WELCOMED) {
		leave(self, UPLINK_GREETING);
		say_hello(self, now_ms);
	}
}

static bool is_welcomed(const struct uplink *self)
{
	return self->state == UPLINK_WELCOMED &&
	       self->intake.head.incarnation == self->server_incarnation;
}

static bool may_say(const struct uplink *self, const struct stream_event *event)
{
	return event->incarnation == self->server_incarnation &&
	       text_is(event->source, self->server_name) &&
	       stream_event_may(event->type, self->options.server, self->options.role) &&
	       !stream_event_may(event->type, self->options.server, ROLE_NONE); /* published */
}

static void on_event(struct uplink *self, const struct stream_event *event, int64_t now_ms)
{
	if (event->type == EVENT_PEER_WELCOME) {
		on_welcome(self, event, now_ms);
	} else if (event->type == EVENT_PEER_REFUSED) {
		on_refused(self, event, now_ms);
	} else if (!is_welcomed(self)) {
		self->stats.received_dropped++;
	} else if (!may_say(self, event)) {
		self->stats.violations++;
		note(self, "audit.violation", stream_event_name(event->type));
	} else if (event->expires_ms != 0 && event->expires_ms <= now_ms) {
		self->stats.received_dropped++;
	} else if (event->type == EVENT_PEER_ACK) {
		on_ack(self, event->peer_ack.upto, now_ms);
	} else {
		self->stats.received++;
		feed(self, INPUT_MESSAGE, event, false);
	}
}

void uplink_frame(struct uplink *self, const uint8_t *bytes, size_t length)
{
	if (!intake_open(&self->intake, bytes, length, TOPIC_DIRECT)) {
		self->stats.received_dropped++;
		note(self, "uplink.malformed", "not a frame");
	}
}

bool uplink_step(struct uplink *self, int64_t now_ms)
{
	struct stream_event event;
	uint64_t number;

	switch (intake_next(&self->intake, &event, &number)) {
	case 0:
		on_event(self, &event, now_ms);
		return true;
	case INTAKE_E_UNKNOWN:
		self->stats.received_dropped++;
		return true;
	case INTAKE_E_MALFORMED:
		self->stats.received_dropped++;
		note(self, "uplink.malformed", "not an event");
		return false;
	default:
		return false;
	}
}

bool uplink_request(struct uplink *self, const struct stream_event *event)
{
	if (!request_ring_add(&self->ring, event, self->announcing)) {
		self->stats.requests_refused++;
		note(self, "uplink.full", "a request was refused");
		return false;
	}
	self->stats.requests++;
	return true;
}

void uplink_send(struct uplink *self, const struct stream_event *event)
{
	/* The tag is the number of requests in front of it, so that the order is kept. */
	const struct frame_address address = { .topic = TOPIC_DIRECT,
					       .incarnation = self->options.incarnation,
					       .tag = self->first_number + self->ring.count };

	if (self->state != UPLINK_WELCOMED ||
	    !frame_queue_add(&self->unnumbered, &address, event, STREAM_EVENT_ADDRESSED))
		self->stats.sends_dropped++;
}

/* Send what is kept and not yet sent, up to the @upto-th; false if the connection is full. */
static bool flush_ring(struct uplink *self, size_t upto)
{
	while (self->ring.sent < upto && self->ring.sent < self->ring.count) {
		struct frame_writer frame;

		frame_begin(&frame, self->scratch, SCRATCH_SIZE, TOPIC_DIRECT,
			    self->options.incarnation, self->first_number + self->ring.sent);
		request_ring_fill(&self->ring, &frame, upto);
		if (!self->options.port.send(self->options.port.context, frame.bytes, frame.length))
			return false;
		if (self->ring.sent < self->left) {
			size_t again = self->left - self->ring.sent;

			self->stats.requests_resent += again < frame.count ? again : frame.count;
		}
		request_ring_sent(&self->ring, &frame);
		if (self->ring.sent > self->left)
			self->left = self->ring.sent;
	}
	return true;
}

static bool flush_unnumbered(struct uplink *self)
{
	const uint8_t *frame;
	size_t length;
	uint64_t tag;

	while (frame_queue_front(&self->unnumbered, &frame, &length, &tag)) {
		uint64_t in_front = tag > self->first_number ? tag - self->first_number : 0;

		if (!flush_ring(self, (size_t)in_front) ||
		    !self->options.port.send(self->options.port.context, frame, length)) {
			self->stats.sends_dropped++;
			frame_queue_clear(&self->unnumbered);
			return false;
		}
		frame_queue_pop(&self->unnumbered);
	}
	return true;
}

void uplink_flush(struct uplink *self, int64_t now_ms)
{
	if (self->state != UPLINK_WELCOMED || self->announcing)
		return;
	self->retry_ms = NEVER;
	if (!flush_unnumbered(self) || !flush_ring(self, SIZE_MAX))
		self->retry_ms = now_ms + UPLINK_RETRY_MS;
	if (self->ring.sent > 0 && self->guard_ms == NEVER)
		self->guard_ms = now_ms + self->guard_wait_ms;
}

/* Repeat one frame only: a server that is merely slow is not to be buried. */
static void on_guard(struct uplink *self, int64_t now_ms)
{
	struct frame_writer frame;
	size_t sent = self->ring.sent, sent_at = self->ring.sent_at;

	request_ring_rewind(&self->ring);
	frame_begin(&frame, self->scratch, SCRATCH_SIZE, TOPIC_DIRECT, self->options.incarnation,
		    self->first_number);
	request_ring_fill(&self->ring, &frame, sent);
	if (self->options.port.send(self->options.port.context, frame.bytes, frame.length)) {
		self->guarding = true;
		self->stats.requests_resent += frame.count;
	}
	self->ring.sent = sent;
	self->ring.sent_at = sent_at;
	self->guard_wait_ms = 2 * self->guard_wait_ms < UPLINK_GUARD_MAX_MS
				      ? 2 * self->guard_wait_ms
				      : UPLINK_GUARD_MAX_MS;
	self->guard_ms = now_ms + self->guard_wait_ms;
}

void uplink_tick(struct uplink *self, int64_t now_ms)
{
	assert(!self->announcing);
	if (self->hello_ms <= now_ms)
		say_hello(self, now_ms);
	if (self->state != UPLINK_WELCOMED)
		return;
	if (self->guard_ms <= now_ms)
		on_guard(self, now_ms);
	if (self->retry_ms <= now_ms)
		uplink_flush(self, now_ms);
}

int64_t uplink_deadline(const struct uplink *self)
{
	int64_t due = self->hello_ms;

	if (self->guard_ms < due)
		due = self->guard_ms;
	if (self->retry_ms < due)
		due = self->retry_ms;
	return due;
}

bool uplink_is_settled(const struct uplink *self)
{
	return self->ring.count == 0;
}
