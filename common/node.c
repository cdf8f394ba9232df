/* SPDX-License-Identifier: MIT */
#include "common/node.h"

#include <errno.h>

#include "common/node_internal.h"

/* ports of the inboxes */

static enum inbox_sent inbox_port_send(void *context, const uint8_t *route, size_t route_length,
				       const uint8_t *frame, size_t length)
{
	const struct node_port *port = &((struct node *)context)->options.port;

	return port->send_to(port->context, NODE_INBOX, route, route_length, frame, length);
}

static enum inbox_sent snapshot_port_send(void *context, const uint8_t *route, size_t route_length,
					  const uint8_t *frame, size_t length)
{
	const struct node_port *port = &((struct node *)context)->options.port;

	return port->send_to(port->context, NODE_SNAPSHOTS, route, route_length, frame, length);
}

static void inbox_port_input(void *context, const struct input *input)
{
	node_input(context, input);
}

static void snapshot_port_input(void *context, const struct input *input)
{
	snapshots_input(&((struct node *)context)->snapshots, input);
}

static void note(struct node *self, const struct node_note *entry)
{
	if (self->options.port.note)
		self->options.port.note(self->options.port.context, entry);
}

static void note_peer(struct node *self, enum node_wire wire, const struct inbox_note *entry)
{
	note(self, &(struct node_note){ .wire = wire,
					.what = entry->what,
					.detail = entry->detail,
					.peer = entry->peer,
					.name = entry->name });
}

static void inbox_port_note(void *context, const struct inbox_note *entry)
{
	note_peer(context, NODE_INBOX, entry);
}

static void snapshot_port_note(void *context, const struct inbox_note *entry)
{
	note_peer(context, NODE_SNAPSHOTS, entry);
}

/* ports of the uplinks */

static bool uplink_port_send(void *context, const uint8_t *frame, size_t length)
{
	const struct node_server *server = context;
	const struct node_port *port = &server->node->options.port;

	return port->send(port->context, server->wire, frame, length);
}

static void uplink_port_settle(void *context)
{
	node_settle(((struct node_server *)context)->node);
}

static void uplink_port_input(void *context, const struct input *input)
{
	struct node_server *server = context;

	if (input->type == INPUT_PEER_UP && !input->known)
		node_announce(server->node, input);
	else
		node_input(server->node, input);
}

static void uplink_port_note(void *context, const char *what, const char *detail)
{
	struct node_server *server = context;

	note(server->node,
	     &(struct node_note){ .wire = server->wire, .what = what, .detail = detail });
}

/* ports of the follower */

static void follower_port_input(void *context, const struct input *input)
{
	node_input(context, input);
}

static void follower_port_note(void *context, const char *what, const char *detail)
{
	note(context, &(struct node_note){ .wire = NODE_STORY, .what = what, .detail = detail });
}

static bool follower_port_send(void *context, const uint8_t *frame, size_t length)
{
	const struct node_port *port = &((struct node *)context)->options.port;

	return port->send(port->context, NODE_ROWS, frame, length);
}

static void follower_port_open(void *context)
{
	const struct node_port *port = &((struct node *)context)->options.port;

	port->open(port->context);
}

static void follower_port_close(void *context)
{
	const struct node_port *port = &((struct node *)context)->options.port;

	port->close(port->context);
}

/* parts */

static void publish(void *context, const uint8_t *frame, size_t length)
{
	const struct node_port *port = &((struct node *)context)->options.port;

	port->publish(port->context, frame, length);
}

static int init_outbox(struct node *self)
{
	const struct node_options *options = &self->options;

	return outbox_init(
		&self->outbox,
		&(struct outbox_options){ .name = options->name,
					  .incarnation = options->incarnation,
					  .store = options->store.commit ? &options->store : NULL,
					  .beacons = options->role == ROLE_REGISTRY,
					  .publish = publish,
					  .context = self });
}

static int init_inboxes(struct node *self)
{
	struct inbox_options options = { .role = self->options.role,
					 .ack_age_ms = INBOX_ACK_AGE_MS,
					 .name = self->options.name,
					 .incarnation = self->options.incarnation,
					 .clock = self->options.clock,
					 .port = { .context = self,
						   .send = inbox_port_send,
						   .input = inbox_port_input,
						   .note = inbox_port_note } };
	int r = inbox_init(&self->inbox, &options);

	if (r < 0 || !node_has(self, NODE_SNAPSHOTS))
		return r;
	options.transient = true;
	options.port.send = snapshot_port_send;
	options.port.input = snapshot_port_input;
	options.port.note = snapshot_port_note;
	snapshots_init(&self->snapshots, &self->snapshot_inbox, &self->options.snapshot);
	return inbox_init(&self->snapshot_inbox, &options);
}

static int init_server(struct node *self, enum role role)
{
	struct node_server *server = &self->servers[role];
	const struct uplink_options options = { .role = self->options.role,
						.name = self->options.name,
						.incarnation = self->options.incarnation,
						.clock = self->options.clock,
						.server = role,
						.entries_max = self->options.requests_max,
						.bytes_max = self->options.request_bytes_max,
						.port = { .context = server,
							  .send = uplink_port_send,
							  .settle = uplink_port_settle,
							  .input = uplink_port_input,
							  .note = uplink_port_note } };

	server->node = self;
	server->wire = NODE_UPLINK + role;
	server->used = true;
	return uplink_init(&server->uplink, &options);
}

static void init_follower(struct node *self)
{
	follower_init(&self->follower,
		      &(struct follower_options){ .role = self->options.role,
						  .name = self->options.name,
						  .incarnation = self->options.incarnation,
						  .port = { .context = self,
							    .input = follower_port_input,
							    .open = follower_port_open,
							    .close = follower_port_close,
							    .send = follower_port_send,
							    .note = follower_port_note } });
}

int node_init(struct node *self, const struct node_options *options)
{
	int r;

	memset(self, 0, sizeof *self);
	self->options = *options;
	self->held_ms = self->linger_ms = NODE_NEVER;
	init_follower(self);
	r = init_outbox(self);
	if (r == 0)
		r = init_inboxes(self);
	for (unsigned role = 0; role < ROLE_COUNT && r == 0; role++)
		if (options->servers & 1u << role)
			r = init_server(self, (enum role)role);
	return r;
}

void node_fini(struct node *self)
{
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used)
			uplink_fini(&self->servers[i].uplink);
	follower_fini(&self->follower);
	inbox_fini(&self->inbox);
	inbox_fini(&self->snapshot_inbox);
	outbox_fini(&self->outbox);
}

void node_restore(struct node *self, const struct peer_mark *mark)
{
	inbox_restore(&self->inbox, mark);
}

void node_begin(struct node *self)
{
	const struct snapshot_port *port = &self->options.snapshot;
	uint64_t upto;

	if (port->begin && port->begin(port->context, &upto))
		outbox_begin_story(&self->outbox, upto + 1);
}

/* wires */

static struct uplink *uplink_of(struct node *self, enum node_wire wire)
{
	return &self->servers[wire - NODE_UPLINK].uplink;
}

bool node_has(const struct node *self, enum node_wire wire)
{
	switch (wire) {
	case NODE_INBOX:
		return true;
	case NODE_SNAPSHOTS:
		return self->options.snapshot.row;
	case NODE_STORY:
	case NODE_ROWS:
		return self->options.follows;
	default:
		return self->servers[wire - NODE_UPLINK].used;
	}
}

void node_connected(struct node *self, enum node_wire wire)
{
	int64_t now = node_clock(self);

	if (wire == NODE_ROWS)
		follower_connected(&self->follower, now);
	else
		uplink_connected(uplink_of(self, wire), now);
}

void node_disconnected(struct node *self, enum node_wire wire)
{
	if (wire == NODE_ROWS)
		follower_disconnected(&self->follower, node_clock(self));
	else
		uplink_disconnected(uplink_of(self, wire));
}

static bool is_stopped(const struct node *self)
{
	return node_held(self) || self->failed < 0;
}

bool node_wants(const struct node *self, enum node_wire wire)
{
	return !is_stopped(self) && (wire != NODE_STORY || follower_wants_story(&self->follower));
}

void node_take(struct node *self, enum node_wire wire, const struct node_frame *frame)
{
	int64_t now = node_clock(self);

	switch (wire) {
	case NODE_INBOX:
	case NODE_SNAPSHOTS:
		inbox_frame(wire == NODE_INBOX ? &self->inbox : &self->snapshot_inbox, frame->route,
			    frame->route_length, frame->user, frame->bytes, frame->length, now);
		return;
	case NODE_STORY:
		follower_story(&self->follower, frame->bytes, frame->length, now);
		return;
	case NODE_ROWS:
		follower_answer(&self->follower, frame->bytes, frame->length);
		return;
	default:
		uplink_frame(uplink_of(self, wire), frame->bytes, frame->length);
		return;
	}
}

bool node_step(struct node *self, enum node_wire wire)
{
	int64_t now = node_clock(self);

	if (is_stopped(self))
		return false;
	switch (wire) {
	case NODE_INBOX:
		return inbox_step(&self->inbox, now);
	case NODE_SNAPSHOTS:
		return inbox_step(&self->snapshot_inbox, now);
	case NODE_STORY:
		return follower_step(&self->follower, now);
	case NODE_ROWS:
		return follower_answer_step(&self->follower, now);
	default:
		return uplink_step(uplink_of(self, wire), now);
	}
}

/* time */

void node_tick(struct node *self)
{
	int64_t now = node_clock(self);

	if (is_stopped(self))
		return;
	inbox_tick(&self->inbox, now);
	if (node_has(self, NODE_SNAPSHOTS))
		inbox_tick(&self->snapshot_inbox, now);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used)
			uplink_tick(&self->servers[i].uplink, now);
	if (self->options.follows)
		follower_tick(&self->follower, now);
	if (!is_stopped(self) && node_core_deadline(self) <= now)
		node_input(self, &(struct input){ .type = INPUT_TICK });
}

bool node_serve(struct node *self)
{
	return node_has(self, NODE_SNAPSHOTS) && !is_stopped(self) &&
	       snapshots_step(&self->snapshots);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t node_deadline(const struct node *self)
{
	int64_t due = earlier(inbox_deadline(&self->inbox), outbox_deadline(&self->outbox));

	if (node_held(self))
		return self->held_ms;
	if (node_has(self, NODE_SNAPSHOTS))
		due = earlier(due, inbox_deadline(&self->snapshot_inbox));
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used)
			due = earlier(due, uplink_deadline(&self->servers[i].uplink));
	if (self->options.follows)
		due = earlier(due, follower_deadline(&self->follower));
	due = earlier(due, self->linger_ms);
	return earlier(due, node_core_deadline(self));
}

bool node_is_busy(const struct node *self)
{
	if (is_stopped(self))
		return false;
	if (self->options.follows && self->follower.state == FOLLOWER_CATCHING_UP)
		return true;
	return node_has(self, NODE_SNAPSHOTS) && snapshots_is_busy(&self->snapshots);
}

bool node_is_ready(const struct node *self)
{
	if (is_stopped(self))
		return false;
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used && self->servers[i].uplink.state != UPLINK_WELCOMED)
			return false;
	return !self->options.follows || follower_is_live(&self->follower);
}

bool node_is_settled(const struct node *self)
{
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used && !uplink_is_settled(&self->servers[i].uplink))
			return false;
	return true;
}
