/* SPDX-License-Identifier: MIT */
#include "common/snapshots.h"

void snapshots_init(struct snapshots *self, struct inbox *inbox, const struct snapshot_port *port)
{
	*self = (struct snapshots){ .inbox = inbox, .port = port };
}

/* Secrets are for the adapters, who tell devices where to publish. */
static enum stream_event_form form_for(enum role role)
{
	return role == ROLE_UNMANAGED || role == ROLE_MANAGED ? STREAM_EVENT_ADDRESSED
							      : STREAM_EVENT_PUBLIC;
}

static struct snapshot_session *find(struct snapshots *self, const struct peer *peer)
{
	for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
		struct snapshot_session *session = &self->sessions[i];

		if (session->type != EVENT_NONE && session->peer.role == peer->role &&
		    session->peer.incarnation == peer->incarnation)
			return session;
	}
	return NULL;
}

static void end(struct snapshots *self, struct snapshot_session *session)
{
	session->type = EVENT_NONE;
	self->count--;
}

/* Send an event of ours, or a row, in the name of this process unless it has another's. */
static void send(struct snapshots *self, const struct peer *peer, struct stream_event *event)
{
	if (event->source.length == 0)
		event->source = text_of(self->inbox->options.name);
	if (event->incarnation == 0)
		event->incarnation = self->inbox->options.incarnation;
	inbox_send(self->inbox, peer, event, form_for(peer->role));
}

static void refuse(struct snapshots *self, const struct peer *peer, const char *reason)
{
	struct stream_event event = { .type = EVENT_PEER_REFUSED,
				      .peer_refused.reason = text_of(reason) };

	self->stats.refused++;
	send(self, peer, &event);
}

static struct text copy(struct text text, char *to)
{
	if (text.length > 0)
		memcpy(to, text.bytes, text.length);
	return (struct text){ to, text.length };
}

static struct snapshot_session *begin_session(struct snapshots *self, const struct peer *peer,
					      const struct stream_event *get)
{
	struct snapshot_session *session = find(self, peer);

	for (size_t i = 0; !session && i < SNAPSHOTS_MAX; i++)
		if (self->sessions[i].type == EVENT_NONE)
			session = &self->sessions[i];
	if (!session) {
		refuse(self, peer, "too many snapshots at once");
		return NULL;
	}
	if (session->type == EVENT_NONE)
		self->count++;
	*session = (struct snapshot_session){ .peer = *peer, .type = get->type, .get = *get };
	session->get.source = (struct text){ 0 };
	session->get.user_id = copy(get->user_id, session->user_id);
	session->get.stream_id = copy(get->stream_id, session->stream_id);
	return session;
}

static void on_snapshot_get(struct snapshots *self, const struct input *input)
{
	struct snapshot_session *session = begin_session(self, &input->peer, input->event);
	struct stream_event begin = { .type = EVENT_SNAPSHOT_BEGIN };

	if (!session)
		return;
	if (!self->port->begin(self->port->context, &session->upto)) {
		end(self, session);
		refuse(self, &input->peer, "not ready");
		return;
	}
	self->stats.snapshots++;
	begin.origin = input->event->origin;
	begin.request = input->event->request;
	begin.snapshot_begin.upto = session->upto;
	send(self, &input->peer, &begin);
}

static void on_message(struct snapshots *self, const struct input *input)
{
	if (input->event->type == EVENT_SNAPSHOT_GET) {
		on_snapshot_get(self, input);
	} else if (input->event->type == EVENT_HISTORY_GET && self->port->history) {
		if (begin_session(self, &input->peer, input->event))
			self->stats.histories++;
	} else {
		refuse(self, &input->peer, "not asked here");
	}
}

/* Up is on a new connection: what it asked on the old one is void. */
static void on_change(struct snapshots *self, const struct input *input)
{
	struct snapshot_session *session = find(self, &input->peer);

	if (!session)
		return;
	self->stats.abandoned++;
	end(self, session);
}

void snapshots_input(struct snapshots *self, const struct input *input)
{
	if (input->type == INPUT_MESSAGE)
		on_message(self, input);
	else
		on_change(self, input);
}

static void finish(struct snapshots *self, struct snapshot_session *session,
		   struct stream_event *event)
{
	event->origin = session->get.origin;
	event->request = session->get.request;
	send(self, &session->peer, event);
	end(self, session);
}

static void end_snapshot(struct snapshots *self, struct snapshot_session *session)
{
	struct stream_event event = { .type = EVENT_SNAPSHOT_END,
				      .snapshot_end = { .upto = session->upto,
							.rows = session->rows } };

	finish(self, session, &event);
}

/* @next_seq: where another question would go on; 0: there is no more. */
static void end_history(struct snapshots *self, struct snapshot_session *session, uint64_t next_seq)
{
	const struct snapshot_port *port = self->port;
	struct stream_event event = {
		.type = EVENT_HISTORY_END,
		.history_end = { .next_seq = next_seq, .oldest_seq = port->oldest(port->context) }
	};

	finish(self, session, &event);
}

/* The next row of @session; false, with the session ended, if there is none. */
static bool next_row(struct snapshots *self, struct snapshot_session *session,
		     struct stream_event *out)
{
	const struct snapshot_port *port = self->port;
	uint64_t wanted = session->get.history_get.count_max;

	*out = (struct stream_event){ 0 };
	if (session->type == EVENT_SNAPSHOT_GET) {
		if (port->row(port->context, &session->get, &session->cursor, out))
			return true;
		end_snapshot(self, session);
		return false;
	}
	if (!port->history(port->context, &session->get, &session->cursor, out)) {
		end_history(self, session, 0);
		return false;
	}
	if (wanted != 0 && session->rows == wanted && out->type != EVENT_NONE) {
		end_history(self, session, out->seq);
		return false;
	}
	return true;
}

static void serve(struct snapshots *self, struct snapshot_session *session)
{
	struct stream_event row;

	for (int i = 0; i < SNAPSHOTS_STEP_ROWS; i++) {
		if (!next_row(self, session, &row))
			return;
		if (row.type == EVENT_NONE)
			return; /* a long way between two that are wanted: others have their turn */
		session->rows++;
		self->stats.rows++;
		send(self, &session->peer, &row);
	}
}

bool snapshots_step(struct snapshots *self)
{
	for (size_t i = 0; self->count > 0 && i < SNAPSHOTS_MAX; i++) {
		struct snapshot_session *session = &self->sessions[self->next];
		size_t waiting;

		self->next = (self->next + 1) % SNAPSHOTS_MAX;
		if (session->type == EVENT_NONE)
			continue;
		waiting = inbox_waiting(self->inbox, &session->peer);
		if (waiting == SIZE_MAX) {
			self->stats.abandoned++;
			end(self, session);
			continue;
		}
		if (waiting >= SNAPSHOTS_SLICE_BYTES)
			continue;
		serve(self, session);
		return true;
	}
	return false;
}

bool snapshots_is_busy(const struct snapshots *self)
{
	for (size_t i = 0; self->count > 0 && i < SNAPSHOTS_MAX; i++) {
		const struct snapshot_session *session = &self->sessions[i];

		if (session->type != EVENT_NONE &&
		    inbox_waiting(self->inbox, &session->peer) < SNAPSHOTS_SLICE_BYTES)
			return true;
	}
	return false;
}
