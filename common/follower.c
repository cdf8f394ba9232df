/* SPDX-License-Identifier: MIT */
#include "common/follower.h"

#include <assert.h>

#define NEVER INT64_MAX
#define ASK_SIZE 1024

void follower_init(struct follower *self, const struct follower_options *options)
{
	*self = (struct follower){ .options = *options,
				   .timeout_ms = NEVER,
				   .wait_ms = NEVER,
				   .retry_ms = NEVER,
				   .opened_ms = INT64_MIN / 2,
				   .backoff_ms = FOLLOWER_BACKOFF_MIN_MS };
	frame_queue_init(&self->buffer,
			 options->buffer_max ? options->buffer_max : FOLLOWER_BUFFER_MAX);
}

void follower_fini(struct follower *self)
{
	frame_queue_fini(&self->buffer);
}

static void note(struct follower *self, const char *what, const char *detail)
{
	if (self->options.port.note)
		self->options.port.note(self->options.port.context, what, detail);
}

static void violate(struct follower *self, const struct stream_event *event)
{
	self->stats.violations++;
	note(self, "audit.violation", stream_event_name(event->type));
}

static void feed(struct follower *self, enum input_type type, const struct stream_event *event)
{
	const struct input input = { .type = type,
				     .peer = { ROLE_REGISTRY, self->incarnation },
				     .seq = type == INPUT_SYNCED ? self->expected - 1 : 0,
				     .event = event };

	self->options.port.input(self->options.port.context, &input);
}

static void see(struct follower *self, int64_t now_ms)
{
	self->sight_ms = now_ms;
	self->sighted = true;
}

static bool is_dead(const struct follower *self, uint64_t incarnation)
{
	for (size_t i = 0; i < FOLLOWER_DEAD_MAX; i++)
		if (self->dead[i] == incarnation)
			return true;
	return incarnation == 0;
}

/* taking a snapshot */

static void drop_kept(struct follower *self)
{
	intake_close(&self->story);
	intake_close(&self->answer);
	frame_queue_clear(&self->buffer);
	self->buffered = false;
}

static void ask(struct follower *self, int64_t now_ms)
{
	drop_kept(self);
	self->state = FOLLOWER_ASKING;
	self->asked = false;
	self->request++;
	self->wait_ms = self->retry_ms = NEVER;
	self->timeout_ms = now_ms + FOLLOWER_TIMEOUT_MS;
	self->opened_ms = now_ms;
	self->stats.resyncs++;
	self->options.port.open(self->options.port.context);
}

static void wait_until(struct follower *self, int64_t at_ms)
{
	drop_kept(self);
	self->state = FOLLOWER_WAITING;
	self->wait_ms = at_ms;
	self->timeout_ms = self->retry_ms = NEVER;
}

static void start_over(struct follower *self, int64_t now_ms, const char *why)
{
	note(self, "follower.start_over", why);
	self->stats.start_overs++;
	self->options.port.close(self->options.port.context);
	wait_until(self, now_ms + self->backoff_ms);
	self->backoff_ms = 2 * self->backoff_ms < FOLLOWER_BACKOFF_MAX_MS ? 2 * self->backoff_ms
									  : FOLLOWER_BACKOFF_MAX_MS;
}

/* The story has a hole. */
static void resync(struct follower *self, int64_t now_ms, const char *why)
{
	note(self, "follower.resync", why);
	if (now_ms - self->opened_ms >= FOLLOWER_PAUSE_MS)
		ask(self, now_ms);
	else
		wait_until(self, self->opened_ms + FOLLOWER_PAUSE_MS);
}

static void say(struct follower *self, int64_t now_ms)
{
	struct stream_event hello = { .type = EVENT_PEER_HELLO,
				      .source = text_of(self->options.name),
				      .incarnation = self->options.incarnation,
				      .peer_hello = { .role = self->options.role,
						      .name = text_of(self->options.name),
						      .protocol = STREAM_PROTOCOL_VERSION,
						      .first_request = 1 } };
	struct stream_event get = { .type = EVENT_SNAPSHOT_GET,
				    .source = text_of(self->options.name),
				    .incarnation = self->options.incarnation,
				    .origin = self->options.incarnation,
				    .request = self->request };
	uint8_t bytes[ASK_SIZE];
	struct frame_writer frame;

	frame_begin(&frame, bytes, sizeof bytes, TOPIC_DIRECT, self->options.incarnation, 0);
	bool greeted = frame_add(&frame, &hello, STREAM_EVENT_ADDRESSED);
	bool wanted = frame_add(&frame, &get, STREAM_EVENT_ADDRESSED);

	assert(greeted && wanted);
	frame_end(&frame);
	self->asked = self->options.port.send(self->options.port.context, bytes, frame.length);
	self->retry_ms = self->asked ? NEVER : now_ms + FOLLOWER_RETRY_MS;
}

void follower_connected(struct follower *self, int64_t now_ms)
{
	if (self->state == FOLLOWER_ASKING && !self->asked)
		say(self, now_ms);
}

/* What comes on the socket of snapshots at any other time is late, and of no use. */
static bool is_taking(const struct follower *self)
{
	return self->state == FOLLOWER_ASKING || self->state == FOLLOWER_ROWS;
}

void follower_disconnected(struct follower *self, int64_t now_ms)
{
	if (is_taking(self))
		start_over(self, now_ms, "the connection ended");
}

static void on_begin(struct follower *self, const struct stream_event *event)
{
	uint64_t incarnation = self->answer.head.incarnation;

	if (self->state != FOLLOWER_ASKING || !self->asked || event->request != self->request)
		return;
	if (self->incarnation != 0 && self->incarnation != incarnation) {
		self->dead[self->dead_at] = self->incarnation;
		self->dead_at = (self->dead_at + 1) % FOLLOWER_DEAD_MAX;
	}
	self->incarnation = self->rows_incarnation = incarnation;
	self->upto = event->snapshot_begin.upto;
	self->rows = 0;
	self->state = FOLLOWER_ROWS;
	feed(self, INPUT_RESYNC, NULL);
}

static void on_end(struct follower *self, const struct stream_event *event, int64_t now_ms)
{
	if (self->state != FOLLOWER_ROWS || event->request != self->request)
		return;
	if (event->snapshot_end.rows != self->rows) {
		start_over(self, now_ms, "rows are missing");
		return;
	}
	self->options.port.close(self->options.port.context);
	self->expected = self->upto + 1;
	self->state = FOLLOWER_CATCHING_UP;
	self->timeout_ms = NEVER;
	intake_close(&self->answer);
}

/* Whether what is being walked belongs to the snapshot that has begun. */
static bool is_row(const struct follower *self)
{
	return self->state == FOLLOWER_ROWS &&
	       self->answer.head.incarnation == self->rows_incarnation;
}

static void on_row(struct follower *self, const struct stream_event *event, int64_t now_ms)
{
	if (!stream_event_may(event->type, ROLE_REGISTRY, self->options.role)) {
		violate(self, event);
		return;
	}
	self->rows++;
	self->stats.rows++;
	self->timeout_ms = now_ms + FOLLOWER_TIMEOUT_MS;
	feed(self, INPUT_STORY, event);
}

static void on_answer(struct follower *self, const struct stream_event *event, int64_t now_ms)
{
	if (event->type == EVENT_SNAPSHOT_BEGIN) {
		on_begin(self, event);
	} else if (event->type == EVENT_SNAPSHOT_END) {
		on_end(self, event, now_ms);
	} else if (event->type == EVENT_PEER_REFUSED) {
		start_over(self, now_ms, "the snapshot was refused");
	} else if (event->type > EVENT_PEER_REFUSED && is_row(self)) {
		on_row(self, event, now_ms);
	}
}

void follower_answer(struct follower *self, const uint8_t *bytes, size_t length)
{
	if (!intake_open(&self->answer, bytes, length, TOPIC_DIRECT))
		self->stats.dropped++;
}

bool follower_answer_step(struct follower *self, int64_t now_ms)
{
	struct stream_event event;
	uint64_t number;

	switch (intake_next(&self->answer, &event, &number)) {
	case 0:
		if (is_taking(self))
			on_answer(self, &event, now_ms);
		return self->answer.open;
	case INTAKE_E_UNKNOWN:
		/* A row of a newer build: it counts, but says nothing to us. */
		if (is_row(self))
			self->rows++;
		return true;
	case INTAKE_E_MALFORMED:
		self->stats.dropped++;
		if (is_taking(self))
			start_over(self, now_ms, "malformed answer");
		return false;
	default:
		return false;
	}
}

/* the story */

static void keep(struct follower *self, const uint8_t *bytes, size_t length, int64_t now_ms)
{
	if (frame_queue_add_copy(&self->buffer, bytes, length))
		return;
	self->stats.overflows++;
	start_over(self, now_ms, "too much story during a snapshot");
}

/* What to do with a frame of the story, given what comes next. */
enum fit { FIT_USE, FIT_SKIP, FIT_BEACON, FIT_GAP, FIT_FOREIGN };

static enum fit fit(const struct follower *self, const struct frame_head *head)
{
	if (head->incarnation != self->incarnation)
		return is_dead(self, head->incarnation) ? FIT_SKIP : FIT_FOREIGN;
	if (head->first_seq > self->expected)
		return FIT_GAP;
	if (head->count == 0)
		return head->first_seq == self->expected ? FIT_BEACON : FIT_SKIP;
	return head->first_seq + head->count > self->expected ? FIT_USE : FIT_SKIP;
}

static void on_live(struct follower *self, const struct frame_head *head, const uint8_t *bytes,
		    size_t length, int64_t now_ms)
{
	enum fit fits = fit(self, head);
	bool blind = !self->sighted;

	switch (fits) {
	case FIT_USE:
		(void)intake_open(&self->story, bytes, length, TOPIC_STORY);
		return;
	case FIT_SKIP:
		self->stats.dropped++;
		return;
	case FIT_BEACON:
		see(self, now_ms);
		if (blind)
			feed(self, INPUT_SYNCED, NULL);
		return;
	case FIT_GAP:
	case FIT_FOREIGN:
		break;
	}
	if (fits == FIT_GAP)
		self->stats.gaps++;
	else
		self->stats.restarts_seen++;
	resync(self, now_ms, fits == FIT_GAP ? "gap" : "another incarnation");
	if (self->state == FOLLOWER_ASKING)
		keep(self, bytes, length, now_ms);
}

void follower_story(struct follower *self, const uint8_t *bytes, size_t length, int64_t now_ms)
{
	struct frame_head head;
	struct wire events;

	if (length == FRAME_TOPIC_SIZE && memcmp(bytes, TOPIC_WELCOME, FRAME_TOPIC_SIZE) == 0) {
		if (self->state == FOLLOWER_DEAF)
			ask(self, now_ms);
		return;
	}
	if (!frame_read(bytes, length, &head, &events) ||
	    memcmp(head.topic, TOPIC_STORY, FRAME_TOPIC_SIZE) != 0 || head.first_seq == 0) {
		self->stats.dropped++;
		return;
	}
	switch (self->state) {
	case FOLLOWER_DEAF:
	case FOLLOWER_WAITING:
		return; /* the snapshot will stand for it */
	case FOLLOWER_ASKING:
	case FOLLOWER_ROWS:
	case FOLLOWER_CATCHING_UP:
		keep(self, bytes, length, now_ms);
		return;
	case FOLLOWER_LIVE:
		on_live(self, &head, bytes, length, now_ms);
		return;
	}
}

bool follower_wants_story(const struct follower *self)
{
	return self->state != FOLLOWER_CATCHING_UP && !self->story.open;
}

/* Open the next kept frame, or go live.  Return: whether there is something to walk. */
static bool next_kept(struct follower *self, int64_t now_ms)
{
	const uint8_t *frame;
	size_t length;
	uint64_t tag;

	while (frame_queue_front(&self->buffer, &frame, &length, &tag)) {
		struct frame_head head;
		struct wire events;
		bool read = frame_read(frame, length, &head, &events);

		assert(read); /* as it was before it was kept */
		enum fit fits = fit(self, &head);

		if (fits == FIT_USE) {
			self->buffered = intake_open(&self->story, frame, length, TOPIC_STORY);
			return true;
		}
		if (fits == FIT_GAP || fits == FIT_FOREIGN) {
			self->stats.gaps++;
			resync(self, now_ms, "gap in what was kept");
			return false;
		}
		frame_queue_pop(&self->buffer);
	}
	self->state = FOLLOWER_LIVE;
	self->backoff_ms = FOLLOWER_BACKOFF_MIN_MS;
	see(self, now_ms);
	feed(self, INPUT_SYNCED, NULL);
	return false;
}

static void walked(struct follower *self)
{
	if (self->buffered)
		frame_queue_pop(&self->buffer);
	self->buffered = false;
}

bool follower_step(struct follower *self, int64_t now_ms)
{
	struct stream_event event;
	uint64_t number;

	if (!self->story.open && (self->state != FOLLOWER_CATCHING_UP || !next_kept(self, now_ms)))
		return false;
	switch (intake_next(&self->story, &event, &number)) {
	case 0:
		if (number < self->expected)
			return true;
		self->expected = number + 1;
		if (!stream_event_may(event.type, ROLE_REGISTRY, ROLE_NONE)) {
			violate(self, &event);
			return true;
		}
		self->stats.events++;
		if (self->state == FOLLOWER_LIVE)
			see(self, now_ms);
		feed(self, INPUT_STORY, &event);
		return true;
	case INTAKE_E_UNKNOWN:
		if (number >= self->expected)
			self->expected = number + 1;
		return true;
	case INTAKE_E_MALFORMED:
		self->stats.dropped++;
		resync(self, now_ms, "malformed");
		return false;
	default:
		walked(self);
		return self->state == FOLLOWER_CATCHING_UP;
	}
}

/* time */

void follower_tick(struct follower *self, int64_t now_ms)
{
	if (self->sighted && now_ms - self->sight_ms > FOLLOWER_BLIND_MS) {
		self->sighted = false;
		self->stats.blind++;
		feed(self, INPUT_BLIND, NULL);
	}
	if (self->wait_ms <= now_ms)
		ask(self, now_ms);
	if (self->timeout_ms <= now_ms) {
		self->stats.timeouts++;
		start_over(self, now_ms, "no progress");
	}
	if (self->retry_ms <= now_ms)
		say(self, now_ms);
}

int64_t follower_deadline(const struct follower *self)
{
	int64_t due = self->sighted ? self->sight_ms + FOLLOWER_BLIND_MS + 1 : NEVER;

	if (self->wait_ms < due)
		due = self->wait_ms;
	if (self->timeout_ms < due)
		due = self->timeout_ms;
	if (self->retry_ms < due)
		due = self->retry_ms;
	return due;
}

bool follower_is_live(const struct follower *self)
{
	return self->state == FOLLOWER_LIVE;
}
