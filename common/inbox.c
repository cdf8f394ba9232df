/* SPDX-License-Identifier: MIT */
#include "common/inbox.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER INT64_MAX
#define FORGET_SCAN_MS 1000
#define REFUSAL_SIZE (FRAME_HEAD_SIZE + 1024)

int inbox_init(struct inbox *self, const struct inbox_options *options)
{
	*self = (struct inbox){ .options = *options, .retry_ms = NEVER, .forget_ms = NEVER };
	return inbox_peers_init(&self->peers);
}

void inbox_fini(struct inbox *self)
{
	inbox_peers_fini(&self->peers);
}

static struct inbox_peer *find(const struct inbox *self, enum role role, uint64_t incarnation)
{
	return inbox_peers_find(&self->peers, role, incarnation);
}

static void note(struct inbox *self, const char *what, const struct inbox_peer *peer,
		 const char *detail)
{
	const struct inbox_note entry = { .what = what,
					  .peer = { self->from.role, self->from.incarnation },
					  .name = peer ? peer->name : "",
					  .detail = detail };

	if (self->options.port.note)
		self->options.port.note(self->options.port.context, &entry);
}

static void feed(struct inbox *self, enum input_type type, const struct inbox_peer *peer,
		 const struct stream_event *event, bool known)
{
	const struct input input = { .type = type,
				     .peer = peer->peer,
				     .peer_name = peer->name,
				     .clock = peer->clock,
				     .known = known,
				     .event = event };

	self->options.port.input(self->options.port.context, &input);
}

static void stamp(const struct inbox *self, struct stream_event *event)
{
	event->source = text_of(self->options.name);
	event->incarnation = self->options.incarnation;
}

static bool enqueue(struct inbox *self, struct inbox_peer *peer, const struct stream_event *event,
		    enum stream_event_form form)
{
	const struct frame_address address = { .topic = TOPIC_DIRECT,
					       .incarnation = self->options.incarnation };

	inbox_peers_list(&self->peers, peer);
	return frame_queue_add(&peer->queue, &address, event, form);
}

static void say_refused(struct inbox *self, const uint8_t *route, size_t route_length,
			const char *reason)
{
	struct stream_event event = { .type = EVENT_PEER_REFUSED,
				      .peer_refused.reason = text_of(reason) };
	uint8_t bytes[REFUSAL_SIZE];
	struct frame_writer frame;

	stamp(self, &event);
	frame_begin(&frame, bytes, sizeof bytes, TOPIC_DIRECT, self->options.incarnation, 0);
	bool added = frame_add(&frame, &event, STREAM_EVENT_ADDRESSED);

	assert(added);
	frame_end(&frame);
	(void)self->options.port.send(self->options.port.context, route, route_length, frame.bytes,
				      frame.length);
}

/* What it says of itself is not what its key says: it gets no answer. */
static void on_impostor(struct inbox *self, const char *claimed)
{
	self->stats.violations++;
	note(self, "audit.impostor", NULL, claimed);
	intake_close(&self->intake);
}

/* Answer the frame being walked with a refusal and leave the rest of it out. */
static void refuse(struct inbox *self, const char *reason)
{
	say_refused(self, self->from_bytes, self->from_length, reason);
	intake_close(&self->intake);
}

/* hello */

static void mark_gone(struct inbox *self, struct inbox_peer *peer)
{
	if (peer->gone || peer->state != INBOX_PEER_UP)
		return;
	peer->gone = true;
	self->gone_count++;
}

static void go_down(struct inbox *self, struct inbox_peer *peer, enum inbox_peer_state state)
{
	bool was_up = peer->state == INBOX_PEER_UP;

	if (peer->gone)
		self->gone_count--;
	peer->gone = false;
	peer->state = state;
	peer->taken = false;
	peer->ack_ms = 0;
	if (frame_queue_is_empty(&peer->queue))
		frame_queue_fini(&peer->queue);
	if (was_up)
		feed(self, INPUT_PEER_DOWN, peer, NULL, false);
}

/* Operators come in numbers and may share a name; of everybody else there is one. */
static bool is_namesake(const struct inbox_peer *one, const struct inbox_peer *other)
{
	return one != other && one->state != INBOX_PEER_FREE && one->state != INBOX_PEER_FENCED &&
	       one->peer.role == other->peer.role && one->peer.role != ROLE_OPERATOR &&
	       strcmp(one->name, other->name) == 0;
}

/* The hello of a life that is over may be read after its successor's: then who has the name is not
 * there, and who was fenced is the one that lives.
 */
static bool is_fenced(const struct inbox *self, const struct inbox_peer *peer)
{
	for (size_t i = 0; i < PEERS_MAX && peer->state == INBOX_PEER_FENCED; i++) {
		const struct inbox_peer *other = &self->peers.items[i];

		if (is_namesake(other, peer) && other->state == INBOX_PEER_UP && !other->gone)
			return true;
	}
	return false;
}

static void fence_namesake(struct inbox *self, const struct inbox_peer *newcomer)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct inbox_peer *peer = &self->peers.items[i];

		if (!is_namesake(peer, newcomer))
			continue;
		self->stats.fenced++;
		note(self, "inbox.fenced", peer, "another process has taken its name");
		/* If it lives after all, it shall say so. */
		if (peer->state == INBOX_PEER_UP)
			say_refused(self, peer->route, peer->route_length,
				    "another process has taken this name");
		frame_queue_clear(&peer->queue);
		go_down(self, peer, INBOX_PEER_FENCED);
		peer->has_spoken = false; /* what it told before counts no more */
	}
}

static bool is_printable(struct text name)
{
	for (size_t i = 0; i < name.length; i++)
		if (name.bytes[i] <= ' ' || name.bytes[i] > '~')
			return false;
	return name.length > 0;
}

static const char *hello_fault(const struct inbox *self, const struct stream_event *event)
{
	if (event->peer_hello.protocol != STREAM_PROTOCOL_VERSION)
		return "protocol version not supported";
	if (event->peer_hello.role != self->from.role ||
	    event->incarnation != self->from.incarnation)
		return "role or incarnation differs from the routing id";
	if (!stream_event_may(EVENT_PEER_HELLO, self->from.role, self->options.role))
		return "this role is not served here";
	if (!is_printable(event->peer_hello.name) ||
	    !text_equal(event->peer_hello.name, event->source))
		return "bad name";
	return NULL;
}

static void connect_peer(struct inbox *self, struct inbox_peer *peer)
{
	peer->connection = self->from.connection;
	memcpy(peer->route, self->from_bytes, self->from_length);
	peer->route_length = self->from_length;
	peer->retry_ms = 0;
	peer->state = INBOX_PEER_UP;
	if (peer->gone)
		self->gone_count--;
	peer->gone = false;
	/* What waited belongs to the connection before. */
	frame_queue_clear(&peer->queue);
}

static struct inbox_peer *add_peer(struct inbox *self, const struct stream_event *event)
{
	const struct peer who = { self->from.role, self->from.incarnation };
	struct inbox_peer *peer = inbox_peers_add(&self->peers, who, INBOX_QUEUE_MAX);

	if (!peer)
		return NULL;
	peer->next = event->peer_hello.first_request ? event->peer_hello.first_request : 1;
	text_put(event->peer_hello.name, peer->name, sizeof peer->name);
	return peer;
}

static void welcome(struct inbox *self, struct inbox_peer *peer, bool known)
{
	struct stream_event event = { .type = EVENT_PEER_WELCOME,
				      .peer_welcome = { .role = self->options.role,
							.name = text_of(self->options.name),
							.known = known,
							.next_request = peer->next,
							.counted = peer->restored } };

	stamp(self, &event);
	enqueue(self, peer, &event, STREAM_EVENT_ADDRESSED);
}

static void on_hello(struct inbox *self, const struct stream_event *event, int64_t now_ms)
{
	struct inbox_peer *peer = find(self, self->from.role, self->from.incarnation);
	const char *fault = hello_fault(self, event);

	if (!fault && !zap_owner_is_name(&self->owner, event->peer_hello.name)) {
		on_impostor(self, "the name of another key");
		return;
	}
	/* A peer that never spoke may not have got our welcome, and has told us nothing yet. */
	bool known = peer && peer->has_spoken;

	self->stats.hellos++;
	if (!fault && peer && is_fenced(self, peer))
		fault = "another process has taken this name";
	if (!fault && peer && !text_is(event->peer_hello.name, peer->name))
		fault = "this incarnation had another name";
	if (!fault && peer && self->from.connection < peer->connection) {
		self->stats.stale++;
		intake_close(&self->intake);
		return;
	}
	if (!fault && !peer) {
		peer = add_peer(self, event);
		if (!peer)
			fault = "too many peers";
	}
	if (fault) {
		self->stats.hellos_refused++;
		note(self, "inbox.hello_refused", peer, fault);
		refuse(self, fault);
		return;
	}

	bool again = peer->state == INBOX_PEER_UP && peer->connection == self->from.connection;

	peer->heard_ms = now_ms;
	inbox_peers_clock(peer, event, self->options.clock, now_ms);
	/* An earlier life may have acknowledged more than it had a reason to keep. */
	if (peer->restored && event->peer_hello.first_request > peer->next)
		peer->next = event->peer_hello.first_request;
	if (inbox_is_transient(self, peer) && self->forget_ms == NEVER)
		self->forget_ms = now_ms + FORGET_SCAN_MS;
	if (!again)
		connect_peer(self, peer);
	welcome(self, peer, known);
	if (again)
		return;
	fence_namesake(self, peer);
	feed(self, INPUT_PEER_UP, peer, NULL, known);
}

/* messages */

/* Whether a numbered request is the one whose turn it is. */
static bool take_number(struct inbox *self, struct inbox_peer *peer, uint64_t number)
{
	if (number == 0)
		return true;
	peer->taken = true;
	inbox_peers_list(&self->peers, peer);
	if (number == peer->next) {
		peer->next++;
		return true;
	}
	if (number < peer->next) {
		self->stats.duplicates++;
		return false;
	}
	self->stats.gaps++;
	intake_close(&self->intake);
	return false;
}

static bool may_send(const struct inbox *self, const struct inbox_peer *peer,
		     const struct stream_event *event)
{
	return event->incarnation == peer->peer.incarnation && text_is(event->source, peer->name) &&
	       event->type > EVENT_PEER_REFUSED &&
	       stream_event_may(event->type, peer->peer.role, self->options.role);
}

/* The peer whose frame is being walked, if it may speak. */
static struct inbox_peer *speaker(struct inbox *self)
{
	struct inbox_peer *peer = find(self, self->from.role, self->from.incarnation);

	if (peer && peer->state == INBOX_PEER_FENCED) {
		self->stats.strangers++;
		refuse(self, "another process has taken this name");
		return NULL;
	}
	if (peer && self->from.connection < peer->connection) {
		self->stats.stale++;
		intake_close(&self->intake);
		return NULL;
	}
	if (!peer || peer->state != INBOX_PEER_UP || self->from.connection != peer->connection) {
		self->stats.strangers++;
		refuse(self, "say hello first");
		return NULL;
	}
	if (!zap_owner_is_name(&self->owner, text_of(peer->name))) {
		on_impostor(self, "the name of another key");
		return NULL;
	}
	peer->has_spoken = true;
	return peer;
}

static void on_event(struct inbox *self, const struct stream_event *event, uint64_t number,
		     int64_t now_ms)
{
	if (event->type == EVENT_PEER_HELLO) {
		on_hello(self, event, now_ms);
		return;
	}

	struct inbox_peer *peer = speaker(self);

	if (!peer || !take_number(self, peer, number))
		return;
	if (!may_send(self, peer, event)) {
		self->stats.violations++;
		note(self, "audit.violation", peer, stream_event_name(event->type));
		return;
	}
	struct stream_event ours;

	if (event->expires_ms != 0 && peer->offset_ms != 0) {
		ours = *event;
		ours.expires_ms = inbox_peers_ours(peer, event->expires_ms);
		event = &ours;
	}
	if (event->expires_ms != 0 && event->expires_ms <= now_ms) {
		self->stats.expired++;
		return;
	}
	self->stats.received++;
	feed(self, INPUT_MESSAGE, peer, event, true);
}

/* A frame that cannot be read would be repeated for ever: what it numbers counts as handled. */
static void on_malformed(struct inbox *self)
{
	struct inbox_peer *peer = find(self, self->from.role, self->from.incarnation);
	uint64_t first = self->intake.head.first_seq;
	uint64_t end = first + self->intake.head.count;

	self->stats.malformed++;
	note(self, "inbox.malformed", peer, "not an event");
	if (!peer || peer->state != INBOX_PEER_UP || peer->connection != self->from.connection ||
	    first == 0 || first > peer->next || end <= peer->next ||
	    !zap_owner_is_name(&self->owner, text_of(peer->name)))
		return;
	peer->next = end;
	peer->taken = true;
	inbox_peers_list(&self->peers, peer);
}

void inbox_frame(struct inbox *self, const uint8_t *route, size_t route_length, const char *user,
		 const uint8_t *bytes, size_t length, int64_t now_ms)
{
	struct inbox_peer *peer;

	if (!route_read(route, route_length, &self->from)) {
		self->from = (struct route){ 0 };
		self->stats.malformed++;
		note(self, "inbox.malformed", NULL, "not a routing id");
		return;
	}
	memcpy(self->from_bytes, route, route_length);
	self->from_length = (uint8_t)route_length;
	self->owner = zap_owner_read(user);
	if (!zap_owner_is_role(&self->owner, self->from.role)) {
		on_impostor(self, "the role of another key");
		return;
	}
	if (!intake_open(&self->intake, bytes, length, TOPIC_DIRECT) ||
	    self->intake.head.incarnation != self->from.incarnation) {
		intake_close(&self->intake);
		self->stats.malformed++;
		note(self, "inbox.malformed", NULL, "not a frame");
		return;
	}
	peer = find(self, self->from.role, self->from.incarnation);
	if (peer)
		peer->heard_ms = now_ms;
}

bool inbox_step(struct inbox *self, int64_t now_ms)
{
	struct stream_event event;
	struct inbox_peer *peer;
	uint64_t number;

	switch (intake_next(&self->intake, &event, &number)) {
	case 0:
		on_event(self, &event, number, now_ms);
		return true;
	case INTAKE_E_UNKNOWN:
		peer = speaker(self);
		if (peer && take_number(self, peer, number))
			self->stats.unknown++;
		return true;
	case INTAKE_E_MALFORMED:
		on_malformed(self);
		return false;
	default:
		return false;
	}
}

/* sending */

void inbox_send(struct inbox *self, const struct peer *to, const struct stream_event *event,
		enum stream_event_form form)
{
	struct inbox_peer *peer = find(self, to->role, to->incarnation);

	if (!peer || peer->state != INBOX_PEER_UP || peer->gone) {
		self->stats.sends_dropped++;
		return;
	}
	if (enqueue(self, peer, event, form))
		return;

	/* Too slow: give it up, and tell it so, for it will want to say hello again. */
	struct stream_event refused = { .type = EVENT_PEER_REFUSED,
					.peer_refused.reason = TEXT("too much was waiting") };

	self->stats.overflows++;
	note(self, "inbox.overflow", peer, "too much was waiting");
	frame_queue_clear(&peer->queue);
	stamp(self, &refused);
	enqueue(self, peer, &refused, STREAM_EVENT_ADDRESSED);
	mark_gone(self, peer);
}

static enum inbox_sent drain(struct inbox *self, struct inbox_peer *peer, int64_t now_ms)
{
	const uint8_t *frame;
	size_t length;
	uint64_t tag;

	while (frame_queue_front(&peer->queue, &frame, &length, &tag)) {
		enum inbox_sent sent = self->options.port.send(
			self->options.port.context, peer->route, peer->route_length, frame, length);

		if (sent != INBOX_SENT)
			return sent;
		/* Who takes long answers is not silent. */
		peer->heard_ms = now_ms;
		frame_queue_pop(&peer->queue);
	}
	return INBOX_SENT;
}

static void acknowledge(struct inbox *self, struct inbox_peer *peer)
{
	struct stream_event event = { .type = EVENT_PEER_ACK, .peer_ack.upto = peer->next - 1 };

	peer->ack_ms = 0;
	assert(peer->state == INBOX_PEER_UP); /* going down, it is owed nothing */
	if (peer->gone)
		return;
	stamp(self, &event);
	/* Without room the client repeats its request, and is told then. */
	(void)enqueue(self, peer, &event, STREAM_EVENT_ADDRESSED);
}

/* A frame of its own wakes two threads here and two there: it waits for company. */
static void acknowledge_in_time(struct inbox *self, struct inbox_peer *peer, int64_t now_ms)
{
	if (!peer->taken && peer->ack_ms == 0)
		return;
	if (peer->ack_ms == 0)
		peer->ack_ms = now_ms + self->options.ack_age_ms;
	peer->taken = false;
	if (peer->ack_ms <= now_ms || self->options.ack_age_ms == 0 ||
	    frame_queue_length(&peer->queue) > 0)
		acknowledge(self, peer);
}

/* Return: when to look at @peer again. */
static int64_t flush_peer(struct inbox *self, struct inbox_peer *peer, int64_t now_ms)
{
	enum inbox_sent sent;

	acknowledge_in_time(self, peer, now_ms);
	if (peer->retry_ms > now_ms)
		return peer->retry_ms;
	sent = drain(self, peer, now_ms);
	if (sent == INBOX_BUSY)
		return peer->retry_ms = now_ms + INBOX_RETRY_MS;
	if (sent == INBOX_GONE) {
		frame_queue_clear(&peer->queue);
		mark_gone(self, peer);
	}
	peer->retry_ms = 0;
	return peer->ack_ms == 0 ? NEVER : peer->ack_ms;
}

void inbox_flush(struct inbox *self, int64_t now_ms)
{
	self->retry_ms = NEVER;
	for (size_t i = self->peers.listed_count; i-- > 0;) {
		struct inbox_peer *peer = &self->peers.items[self->peers.listed[i]];
		int64_t due_ms = flush_peer(self, peer, now_ms);

		if (due_ms == NEVER)
			inbox_peers_unlist(&self->peers, i);
		if (due_ms < self->retry_ms)
			self->retry_ms = due_ms;
	}
}

/* who is gone */

static void forget_silent(struct inbox *self, int64_t now_ms)
{
	bool any = false;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct inbox_peer *peer = &self->peers.items[i];

		if (peer->state == INBOX_PEER_FREE || !inbox_is_transient(self, peer))
			continue;
		if (now_ms - peer->heard_ms >= INBOX_FORGET_MS) {
			go_down(self, peer, INBOX_PEER_DOWN);
			inbox_peers_forget(&self->peers, peer);
		} else {
			any = true;
		}
	}
	self->forget_ms = any ? now_ms + FORGET_SCAN_MS : NEVER;
}

void inbox_tick(struct inbox *self, int64_t now_ms)
{
	for (size_t i = 0; self->gone_count > 0 && i < PEERS_MAX; i++) {
		struct inbox_peer *peer = &self->peers.items[i];

		if (!peer->gone)
			continue;
		go_down(self, peer, INBOX_PEER_DOWN);
		if (inbox_is_transient(self, peer))
			inbox_peers_forget(&self->peers, peer);
	}
	if (self->forget_ms <= now_ms)
		forget_silent(self, now_ms);
}

int64_t inbox_deadline(const struct inbox *self)
{
	if (self->gone_count > 0)
		return 0;
	return self->retry_ms < self->forget_ms ? self->retry_ms : self->forget_ms;
}

size_t inbox_waiting(const struct inbox *self, const struct peer *to)
{
	const struct inbox_peer *peer = find(self, to->role, to->incarnation);

	if (!peer || peer->state != INBOX_PEER_UP || peer->gone)
		return SIZE_MAX;
	return frame_queue_length(&peer->queue);
}
