/* SPDX-License-Identifier: MIT */
/* daemon_wire.c - connects the pure parts (inbox, uplinks, follower, snapshots) to sockets. */
#include <errno.h>

#include "common/daemon_private.h"
#include "common/error.h"
#include "common/log.h"

#define SNAPSHOT_SEND_MAX 16 /* frames in a client's pipe: 16 of 64 KiB are 1 MiB */
#define ROUTER_SEND_MAX 1000
#define DISCARD_MAX 64 /* subscriptions read away per pass */

/* ports of the inboxes */

static enum inbox_sent send_on(struct transport_socket *socket, const uint8_t *route,
			       size_t route_length, const uint8_t *frame, size_t length)
{
	int r = transport_send_to(socket, route, route_length, frame, length);

	if (r == TRANSPORT_E_BUSY)
		return INBOX_BUSY;
	return r == 0 ? INBOX_SENT : INBOX_GONE;
}

static enum inbox_sent inbox_port_send(void *context, const uint8_t *route, size_t route_length,
				       const uint8_t *frame, size_t length)
{
	struct daemon *self = context;

	return send_on(&self->inbox_socket.socket, route, route_length, frame, length);
}

static enum inbox_sent snapshot_port_send(void *context, const uint8_t *route, size_t route_length,
					  const uint8_t *frame, size_t length)
{
	struct daemon *self = context;

	return send_on(&self->snapshot_socket.socket, route, route_length, frame, length);
}

static void log_peer(const struct input *input)
{
	if ((input->type != INPUT_PEER_UP && input->type != INPUT_PEER_DOWN) ||
	    input->peer.role == ROLE_OPERATOR)
		return;
	log_info(input->type == INPUT_PEER_UP ? "peer.up" : "peer.down",
		 log_str("peer", input->peer_name), log_u64("incarnation", input->peer.incarnation),
		 log_u64("known", input->known));
}

static void inbox_port_input(void *context, const struct input *input)
{
	log_peer(input);
	daemon_input(context, input);
}

static void snapshot_port_input(void *context, const struct input *input)
{
	struct daemon *self = context;

	snapshots_input(&self->snapshots, input);
}

static void inbox_port_note(void *context, const struct inbox_note *note)
{
	(void)context;
	log_limited(note->what, log_str("peer", note->name),
		    log_str("role", words_name(&role_words, note->peer.role)),
		    log_u64("incarnation", note->peer.incarnation),
		    log_str("detail", note->detail));
}

/* ports of the uplinks */

static bool uplink_port_send(void *context, const uint8_t *frame, size_t length)
{
	struct server *server = context;

	return dealer_send(&server->dealer, frame, length);
}

static void uplink_port_settle(void *context)
{
	struct server *server = context;

	daemon_settle(server->daemon);
}

static void uplink_port_input(void *context, const struct input *input)
{
	struct server *server = context;

	log_peer(input);
	if (input->type == INPUT_PEER_UP && !input->known)
		daemon_announce(server->daemon, input);
	else
		daemon_input(server->daemon, input);
}

static void uplink_port_note(void *context, const char *what, const char *detail)
{
	struct server *server = context;

	log_limited(what, log_str("server", server->dealer.options.server),
		    log_str("detail", detail));
}

static void uplink_on_connected(void *context)
{
	struct server *server = context;

	uplink_connected(&server->uplink, loop_now_ms());
}

static void uplink_on_disconnected(void *context)
{
	struct server *server = context;

	uplink_disconnected(&server->uplink);
}

/* ports of the follower */

static void follower_port_input(void *context, const struct input *input)
{
	if (input->type == INPUT_BLIND)
		log_warn("story.blind", log_i64("after_ms", FOLLOWER_BLIND_MS));
	else if (input->type == INPUT_SYNCED)
		log_info("story.synced", log_u64("incarnation", input->peer.incarnation));
	daemon_input(context, input);
}

static void follower_port_note(void *context, const char *what, const char *detail)
{
	(void)context;
	log_limited(what, log_str("detail", detail));
}

static bool follower_port_send(void *context, const uint8_t *frame, size_t length)
{
	struct daemon *self = context;

	return dealer_send(&self->snapshot_dealer, frame, length);
}

static void follower_port_close(void *context)
{
	struct daemon *self = context;

	dealer_close(&self->snapshot_dealer);
}

static void follower_on_connected(void *context)
{
	struct daemon *self = context;

	follower_connected(&self->follower, loop_now_ms());
}

static void follower_on_disconnected(void *context)
{
	struct daemon *self = context;

	follower_disconnected(&self->follower, loop_now_ms());
}

static struct dealer_options dealer_options(struct daemon *self, enum role role, const char *suffix)
{
	return (struct dealer_options){ .transport = self->transport,
					.loop = &self->loop,
					.server = words_name(&role_words, role),
					.suffix = suffix,
					.route = { .role = self->options.role,
						   .incarnation = self->options.incarnation },
					.connections = &self->connections };
}

static void follower_port_open(void *context)
{
	struct daemon *self = context;
	struct dealer_options options = dealer_options(self, ROLE_REGISTRY, "snapshot");
	int r;

	options.connected = follower_on_connected;
	options.disconnected = follower_on_disconnected;
	options.context = self;
	dealer_close(&self->snapshot_dealer);
	r = dealer_open(&self->snapshot_dealer, &options);
	if (r < 0)
		daemon_fail(self, r);
}

/* sources */

static void inbox_on_frame(void *context, const struct transport_message *message, int64_t now_ms)
{
	inbox_frame(context, message->route, message->route_length, message->bytes, message->length,
		    now_ms);
}

static bool inbox_on_step(void *context, int64_t now_ms)
{
	return inbox_step(context, now_ms);
}

static void uplink_on_frame(void *context, const struct transport_message *message, int64_t now_ms)
{
	(void)now_ms;
	uplink_frame(context, message->bytes, message->length);
}

static bool uplink_on_step(void *context, int64_t now_ms)
{
	return uplink_step(context, now_ms);
}

static void story_on_frame(void *context, const struct transport_message *message, int64_t now_ms)
{
	follower_story(context, message->bytes, message->length, now_ms);
}

static bool story_on_step(void *context, int64_t now_ms)
{
	return follower_step(context, now_ms);
}

static bool story_wants(void *context)
{
	return follower_wants_story(context);
}

static void answer_on_frame(void *context, const struct transport_message *message, int64_t now_ms)
{
	(void)now_ms;
	follower_answer(context, message->bytes, message->length);
}

static bool answer_on_step(void *context, int64_t now_ms)
{
	return follower_answer_step(context, now_ms);
}

static struct source *add_source(struct daemon *self, struct loop_socket *socket, void *context)
{
	struct source *source = &self->sources[self->source_count++];

	*source = (struct source){ .socket = &socket->socket, .context = context };
	return source;
}

static void add_inbox_source(struct daemon *self, struct loop_socket *socket, struct inbox *inbox)
{
	struct source *source = add_source(self, socket, inbox);

	source->routed = true;
	source->frame = inbox_on_frame;
	source->step = inbox_on_step;
}

/* opening */

static void publish(void *context, const uint8_t *frame, size_t length)
{
	struct daemon *self = context;

	/* A slow subscriber loses it, which the numbers show. */
	(void)transport_send(&self->publisher.socket, frame, length);
}

static int open_outbox(struct daemon *self)
{
	const bool tells = self->options.role == ROLE_REGISTRY;
	const struct outbox_options options = {
		.name = self->options.name,
		.incarnation = self->options.incarnation,
		.store = self->options.store.commit ? &self->options.store : NULL,
		.beacons = tells,
		.publish = publish,
		.context = self,
	};
	int r = outbox_init(&self->outbox, &options);

	if (r < 0)
		return err_raise(r);
	r = transport_bind_publisher(self->transport, (const uint8_t *)TOPIC_WELCOME,
				     FRAME_TOPIC_SIZE, &self->publisher.socket);
	if (r < 0)
		return err_pass(r);
	loop_watch(&self->loop, &self->publisher);
	return 0;
}

static int open_inbox(struct daemon *self)
{
	const struct inbox_options options = { .role = self->options.role,
					       .name = self->options.name,
					       .incarnation = self->options.incarnation,
					       .port = { .context = self,
							 .send = inbox_port_send,
							 .input = inbox_port_input,
							 .note = inbox_port_note } };
	int r = inbox_init(&self->inbox, &options);

	if (r < 0)
		return err_raise(r);
	r = transport_bind_router(self->transport, "inbox", ROUTER_SEND_MAX,
				  &self->inbox_socket.socket);
	if (r < 0)
		return err_pass(r);
	loop_watch(&self->loop, &self->inbox_socket);
	add_inbox_source(self, &self->inbox_socket, &self->inbox);
	return 0;
}

static int open_snapshots(struct daemon *self)
{
	const struct inbox_options options = { .role = self->options.role,
					       .name = self->options.name,
					       .incarnation = self->options.incarnation,
					       .transient = true,
					       .port = { .context = self,
							 .send = snapshot_port_send,
							 .input = snapshot_port_input,
							 .note = inbox_port_note } };
	int r = inbox_init(&self->snapshot_inbox, &options);

	if (r < 0)
		return err_raise(r);
	snapshots_init(&self->snapshots, &self->snapshot_inbox, &self->options.snapshot);
	r = transport_bind_router(self->transport, "snapshot", SNAPSHOT_SEND_MAX,
				  &self->snapshot_socket.socket);
	if (r < 0)
		return err_pass(r);
	loop_watch(&self->loop, &self->snapshot_socket);
	add_inbox_source(self, &self->snapshot_socket, &self->snapshot_inbox);
	return 0;
}

int daemon_wire_open(struct daemon *self)
{
	int r = open_outbox(self);

	if (r == 0)
		r = open_inbox(self);
	if (r == 0 && self->options.snapshot.row)
		r = open_snapshots(self);
	return r;
}

/* connecting */

static int connect_server(struct daemon *self, enum role role)
{
	struct server *server = &self->servers[role];
	const struct uplink_options options = {
		.role = self->options.role,
		.name = self->options.name,
		.incarnation = self->options.incarnation,
		.server = role,
		.entries_max = self->options.requests_max,
		.bytes_max = self->options.request_bytes_max,
		.port = { .context = server,
			  .send = uplink_port_send,
			  .settle = uplink_port_settle,
			  .input = uplink_port_input,
			  .note = uplink_port_note },
	};
	struct dealer_options dealer = dealer_options(self, role, "inbox");
	struct source *source;
	int r;

	server->daemon = self;
	server->used = true;
	r = uplink_init(&server->uplink, &options);
	if (r < 0)
		return err_raise(r);
	dealer.connected = uplink_on_connected;
	dealer.disconnected = uplink_on_disconnected;
	dealer.context = server;
	r = dealer_open(&server->dealer, &dealer);
	if (r < 0)
		return err_pass(r);
	source = add_source(self, &server->dealer.socket, &server->uplink);
	source->frame = uplink_on_frame;
	source->step = uplink_on_step;
	return 0;
}

static int connect_story(struct daemon *self)
{
	static const char *const topics[] = { TOPIC_WELCOME, TOPIC_STORY, NULL };
	const struct follower_options options = { .role = self->options.role,
						  .name = self->options.name,
						  .incarnation = self->options.incarnation,
						  .port = { .context = self,
							    .input = follower_port_input,
							    .open = follower_port_open,
							    .close = follower_port_close,
							    .send = follower_port_send,
							    .note = follower_port_note } };
	struct source *source;
	int r;

	follower_init(&self->follower, &options);
	r = transport_connect_subscriber(self->transport, words_name(&role_words, ROLE_REGISTRY),
					 topics, &self->story_socket.socket);
	if (r < 0)
		return err_pass(r);
	loop_watch(&self->loop, &self->story_socket);
	source = add_source(self, &self->story_socket, &self->follower);
	source->wants = story_wants;
	source->frame = story_on_frame;
	source->step = story_on_step;
	source = add_source(self, &self->snapshot_dealer.socket, &self->follower);
	source->frame = answer_on_frame;
	source->step = answer_on_step;
	return 0;
}

int daemon_wire_connect(struct daemon *self)
{
	int r = 0;

	for (unsigned role = 0; role < ROLE_COUNT && r == 0; role++)
		if (self->options.servers & 1u << role)
			r = connect_server(self, (enum role)role);
	if (r == 0 && self->options.follows)
		r = connect_story(self);
	return r;
}

void daemon_wire_close(struct daemon *self)
{
	for (size_t i = 0; i < self->source_count; i++)
		transport_release(&self->sources[i].message);
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (!self->servers[i].used)
			continue;
		dealer_close(&self->servers[i].dealer);
		uplink_fini(&self->servers[i].uplink);
	}
	dealer_close(&self->snapshot_dealer);
	follower_fini(&self->follower);
	inbox_fini(&self->inbox);
	inbox_fini(&self->snapshot_inbox);
	outbox_fini(&self->outbox);
	struct loop_socket *sockets[] = { &self->publisher, &self->inbox_socket,
					  &self->snapshot_socket, &self->story_socket };

	for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
		loop_unwatch(&self->loop, sockets[i]);
		transport_close_socket(&sockets[i]->socket);
	}
}

/* a pass */

void daemon_wire_poll(struct daemon *self)
{
	int r = 0;

	for (size_t i = 0; i < ROLE_COUNT && r == 0; i++)
		if (self->servers[i].used)
			r = dealer_poll(&self->servers[i].dealer);
	if (r == 0)
		r = dealer_poll(&self->snapshot_dealer);
	if (r < 0)
		daemon_fail(self, r);
	transport_discard(&self->publisher.socket, DISCARD_MAX);
}

static void drain(struct daemon *self, struct source *source, struct budget *budget)
{
	while (budget_left(budget)) {
		int r;

		if (source->step(source->context, loop_now_ms())) {
			budget->inputs--;
			continue;
		}
		transport_release(&source->message);
		if ((source->wants && !source->wants(source->context)) ||
		    !transport_readable(source->socket))
			return;
		r = source->routed ? transport_receive_routed(source->socket, &source->message)
				   : transport_receive(source->socket, &source->message);
		if (r == TRANSPORT_E_EMPTY)
			return;
		budget->inputs--;
		if (r == 0)
			source->frame(source->context, &source->message, loop_now_ms());
		else if (r == TRANSPORT_E_DROPPED)
			daemon_count(self, "transport.dropped", 1);
		else
			daemon_fail(self, r);
	}
}

/* Who comes first changes with every pass, so that nobody's flood starves another. */
void daemon_wire_drain(struct daemon *self, struct budget *budget)
{
	for (size_t i = 0; i < self->source_count; i++)
		drain(self, &self->sources[(self->source_next + i) % self->source_count], budget);
	self->source_next = (self->source_next + 1) % self->source_count;
}

void daemon_wire_tick(struct daemon *self, int64_t now_ms)
{
	inbox_tick(&self->inbox, now_ms);
	if (self->options.snapshot.row)
		inbox_tick(&self->snapshot_inbox, now_ms);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used)
			uplink_tick(&self->servers[i].uplink, now_ms);
	if (self->options.follows)
		follower_tick(&self->follower, now_ms);
}

void daemon_wire_serve(struct daemon *self, struct budget *budget)
{
	if (!self->options.snapshot.row)
		return;
	/* One step at least: requests without end must not starve those who wait for rows. */
	while (snapshots_step(&self->snapshots) && loop_now_ns() < budget->until_ns)
		;
}

void daemon_wire_flush(struct daemon *self, int64_t now_ms)
{
	outbox_flush(&self->outbox, now_ms);
	inbox_flush(&self->inbox, now_ms);
	if (self->options.snapshot.row)
		inbox_flush(&self->snapshot_inbox, now_ms);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used)
			uplink_flush(&self->servers[i].uplink, now_ms);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t daemon_wire_deadline(const struct daemon *self)
{
	int64_t due = earlier(inbox_deadline(&self->inbox), outbox_deadline(&self->outbox));

	if (self->options.snapshot.row)
		due = earlier(due, inbox_deadline(&self->snapshot_inbox));
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used)
			due = earlier(due, uplink_deadline(&self->servers[i].uplink));
	if (self->options.follows)
		due = earlier(due, follower_deadline(&self->follower));
	return due;
}

/* Ask every socket that was used since it last said that nothing waits: see loop.h. */
bool daemon_wire_is_busy(struct daemon *self)
{
	bool busy = transport_readable(&self->publisher.socket);

	for (size_t i = 0; i < self->source_count; i++)
		busy = busy || self->sources[i].message.held ||
		       transport_readable(self->sources[i].socket);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		busy = busy || (self->servers[i].used &&
				transport_readable(&self->servers[i].dealer.monitor.socket));
	busy = busy || transport_readable(&self->snapshot_dealer.monitor.socket);
	if (self->options.follows && self->follower.state == FOLLOWER_CATCHING_UP)
		busy = true;
	return busy || (self->options.snapshot.row && snapshots_is_busy(&self->snapshots));
}

bool daemon_wire_is_settled(const struct daemon *self)
{
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used && !uplink_is_settled(&self->servers[i].uplink))
			return false;
	return true;
}
