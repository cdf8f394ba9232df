/* SPDX-License-Identifier: MIT */
/* daemon_wire.c - the sockets of a daemon, between libzmq and its node. */
#include "common/daemon_private.h"

#include <stdio.h>

#include "common/error.h"
#include "common/log.h"

#define SNAPSHOT_SEND_MAX 16 /* frames in a client's pipe: 16 of 64 KiB are 1 MiB */
#define ROUTER_SEND_MAX 1000
#define SUBSCRIPTIONS_MAX 64 /* of taps and followers, read per pass */

/* ports of the node: time */

static int64_t port_now_ms(void *context)
{
	(void)context;
	return loop_now_ms();
}

static int64_t port_wall_ms(void *context)
{
	(void)context;
	return daemon_wall_ms();
}

/* ports of the node: frames */

static struct dealer *dealer_of(struct daemon *self, enum node_wire wire)
{
	return wire == NODE_ROWS ? &self->rows.dealer : &self->servers[wire - NODE_UPLINK].dealer;
}

static bool port_send(void *context, enum node_wire wire, const uint8_t *frame, size_t length)
{
	return dealer_send(dealer_of(context, wire), frame, length);
}

static enum inbox_sent port_send_to(void *context, enum node_wire wire, const uint8_t *route,
				    size_t route_length, const uint8_t *frame, size_t length)
{
	struct daemon *self = context;
	struct loop_socket *router =
		wire == NODE_INBOX ? &self->inbox_socket : &self->snapshot_socket;
	int r = transport_send_to(&router->socket, route, route_length, frame, length);

	if (r == TRANSPORT_E_BUSY)
		return INBOX_BUSY;
	return r == 0 ? INBOX_SENT : INBOX_GONE;
}

static void port_publish(void *context, const uint8_t *frame, size_t length)
{
	struct daemon *self = context;

	(void)transport_send(&self->publisher.socket, frame, length);
}

/* connections */

static void on_connected(void *context)
{
	struct server *server = context;

	node_connected(&server->daemon->node, server->wire);
}

static void on_disconnected(void *context)
{
	struct server *server = context;

	node_disconnected(&server->daemon->node, server->wire);
}

static int open_dealer(struct daemon *self, struct server *server, enum node_wire wire,
		       enum role role, const char *suffix)
{
	*server = (struct server){ .daemon = self, .wire = wire };
	return err_pass(dealer_open(
		&server->dealer,
		&(struct dealer_options){ .transport = self->transport,
					  .loop = &self->loop,
					  .server = words_name(&role_words, role),
					  .suffix = suffix,
					  .route = { .role = self->options.role,
						     .incarnation = self->options.incarnation },
					  .connections = &self->connections,
					  .connected = on_connected,
					  .disconnected = on_disconnected,
					  .context = server }));
}

static void port_open(void *context)
{
	struct daemon *self = context;
	int r;

	dealer_close(&self->rows.dealer);
	r = open_dealer(self, &self->rows, NODE_ROWS, ROLE_REGISTRY, "snapshot");
	if (r < 0)
		daemon_fail(self, r);
}

static void port_close(void *context)
{
	struct daemon *self = context;

	dealer_close(&self->rows.dealer);
}

/* ports of the node: what an operator should know */

/* One peer's mistake does not hide another's, nor another peer's. */
static void note_cause(const char *who, const char *detail, char cause[LOG_CAUSE_SIZE])
{
	(void)snprintf(cause, LOG_CAUSE_SIZE, "%s: %s", who, detail ? detail : "");
}

static void note_peer(const struct node_note *note)
{
	const char *role = words_name(&role_words, note->peer.role);
	char cause[LOG_CAUSE_SIZE];

	note_cause(note->name && *note->name ? note->name : role, note->detail, cause);
	log_limited_by(note->what, cause, log_str("peer", note->name), log_str("role", role),
		       log_u64("incarnation", note->peer.incarnation),
		       log_str("detail", note->detail));
}

static void port_note(void *context, const struct node_note *note)
{
	struct daemon *self = context;
	char cause[LOG_CAUSE_SIZE];

	if (note->wire == NODE_INBOX || note->wire == NODE_SNAPSHOTS) {
		note_peer(note);
	} else if (note->wire >= NODE_UPLINK) {
		const char *server = dealer_of(self, note->wire)->options.server;

		note_cause(server, note->detail, cause);
		log_limited_by(note->what, cause, log_str("server", server),
			       log_str("detail", note->detail));
	} else {
		log_limited_by(note->what, note->detail ? note->detail : "",
			       log_str("detail", note->detail));
	}
}

static void log_peer(const struct input *input)
{
	if (input->peer.role == ROLE_OPERATOR)
		return;
	log_info(input->type == INPUT_PEER_UP ? "peer.up" : "peer.down",
		 log_str("peer", input->peer_name), log_u64("incarnation", input->peer.incarnation),
		 log_u64("known", input->known));
}

static void port_tells(void *context, const struct input *input)
{
	(void)context;
	switch (input->type) {
	case INPUT_PEER_UP:
	case INPUT_PEER_DOWN:
		log_peer(input);
		return;
	case INPUT_BLIND:
		log_warn("story.blind", log_i64("after_ms", FOLLOWER_BLIND_MS));
		return;
	case INPUT_SYNCED:
		log_info("story.synced", log_u64("incarnation", input->peer.incarnation));
		return;
	case INPUT_TICK:
	case INPUT_MESSAGE:
	case INPUT_STORY:
	case INPUT_RESYNC:
		return;
	}
}

/* opening */

static int open_node(struct daemon *self)
{
	const struct daemon_options *options = &self->options;
	int r = node_init(&self->node, &(struct node_options){
					       .role = options->role,
					       .name = options->name,
					       .incarnation = options->incarnation,
					       .clock = options->clock,
					       .servers = options->servers,
					       .follows = options->follows,
					       .requests_max = options->requests_max,
					       .request_bytes_max = options->request_bytes_max,
					       .store = options->store,
					       .snapshot = options->snapshot,
					       .core = { .core = self->actor.core,
							 .handle = self->actor.handle,
							 .deadline = self->actor.deadline,
							 .after = self->actor.after,
							 .call = self->actor.call,
							 .context = self->actor.context },
					       .port = { .context = self,
							 .now_ms = port_now_ms,
							 .wall_ms = port_wall_ms,
							 .send = port_send,
							 .send_to = port_send_to,
							 .publish = port_publish,
							 .open = port_open,
							 .close = port_close,
							 .note = port_note,
							 .tells = port_tells },
				       });

	return r < 0 ? err_raise(r) : 0;
}

static struct source *add_source(struct daemon *self, struct loop_socket *socket,
				 enum node_wire wire)
{
	struct source *source = &self->sources[self->source_count++];

	*source = (struct source){ .socket = &socket->socket, .wire = wire };
	return source;
}

static int open_publisher(struct daemon *self)
{
	int r = transport_bind_publisher(self->transport, (const uint8_t *)TOPIC_WELCOME,
					 FRAME_TOPIC_SIZE, &self->publisher.socket);

	if (r < 0)
		return err_pass(r);
	loop_watch(&self->loop, &self->publisher);
	return 0;
}

static int open_router(struct daemon *self, struct loop_socket *socket, enum node_wire wire,
		       const char *suffix, int send_max)
{
	int r = transport_bind_router(self->transport, suffix, send_max, &socket->socket);

	if (r < 0)
		return err_pass(r);
	loop_watch(&self->loop, socket);
	add_source(self, socket, wire)->routed = true;
	return 0;
}

int daemon_wire_open(struct daemon *self)
{
	int r = open_node(self);

	if (r == 0)
		r = daemon_curve_open(self);
	if (r == 0)
		r = open_publisher(self);
	if (r == 0)
		r = open_router(self, &self->inbox_socket, NODE_INBOX, "inbox", ROUTER_SEND_MAX);
	if (r == 0 && node_has(&self->node, NODE_SNAPSHOTS))
		r = open_router(self, &self->snapshot_socket, NODE_SNAPSHOTS, "snapshot",
				SNAPSHOT_SEND_MAX);
	if (r == 0)
		r = daemon_curve_prove(self);
	return r;
}

static int connect_server(struct daemon *self, enum role role)
{
	struct server *server = &self->servers[role];
	int r = open_dealer(self, server, NODE_UPLINK + role, role, "inbox");

	if (r == 0)
		add_source(self, &server->dealer.socket, server->wire);
	return r;
}

static int connect_story(struct daemon *self)
{
	static const char *const topics[] = { TOPIC_WELCOME, TOPIC_STORY, NULL };
	int r = transport_connect_subscriber(self->transport,
					     words_name(&role_words, ROLE_REGISTRY), topics,
					     &self->story_socket.socket);

	if (r < 0)
		return err_pass(r);
	loop_watch(&self->loop, &self->story_socket);
	add_source(self, &self->story_socket, NODE_STORY);
	add_source(self, &self->rows.dealer.socket, NODE_ROWS);
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
	for (size_t i = 0; i < ROLE_COUNT; i++)
		dealer_close(&self->servers[i].dealer);
	dealer_close(&self->rows.dealer);
	node_fini(&self->node);

	struct loop_socket *sockets[] = { &self->publisher, &self->inbox_socket,
					  &self->snapshot_socket, &self->story_socket,
					  &self->zap_socket };

	for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
		loop_unwatch(&self->loop, sockets[i]);
		transport_close_socket(&sockets[i]->socket);
	}
}

/* a pass */

void daemon_wire_poll(struct daemon *self)
{
	int r = 0;

	daemon_curve_answer(self);
	for (size_t i = 0; i < ROLE_COUNT && r == 0; i++)
		r = dealer_poll(&self->servers[i].dealer);
	if (r == 0)
		r = dealer_poll(&self->rows.dealer);
	if (r < 0)
		daemon_fail(self, r);
	self->listeners +=
		transport_subscriptions(&self->publisher.socket, TOPIC_OPS, SUBSCRIPTIONS_MAX);
	node_deafen(&self->node, self->listeners == 0);
}

static void take(struct daemon *self, struct source *source)
{
	const struct transport_message *message = &source->message;

	node_take(&self->node, source->wire,
		  &(struct node_frame){ .route = message->route,
					.route_length = message->route_length,
					.user = message->user,
					.bytes = message->bytes,
					.length = message->length });
}

static void drain(struct daemon *self, struct source *source, struct budget *budget)
{
	while (budget_left(budget)) {
		int r;

		if (node_step(&self->node, source->wire)) {
			budget->inputs--;
			continue;
		}
		if (node_held(&self->node))
			return;
		transport_release(&source->message);
		if (!node_wants(&self->node, source->wire) || !transport_readable(source->socket))
			return;
		r = source->routed ? transport_receive_routed(source->socket, &source->message)
				   : transport_receive(source->socket, &source->message);
		if (r == TRANSPORT_E_EMPTY)
			return;
		budget->inputs--;
		if (r == 0)
			take(self, source);
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

void daemon_wire_serve(struct daemon *self, struct budget *budget)
{
	/* One step at least: requests without end must not starve those who wait for rows. */
	while (node_serve(&self->node) && loop_now_ns() < budget->until_ns)
		;
}

/* Ask every socket that was used since it last said that nothing waits: see loop.h. */
bool daemon_wire_is_busy(struct daemon *self)
{
	bool busy = transport_readable(&self->publisher.socket) ||
		    transport_readable(&self->zap_socket.socket);

	for (size_t i = 0; i < self->source_count; i++)
		busy = busy || self->sources[i].message.held ||
		       transport_readable(self->sources[i].socket);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		busy = busy || transport_readable(&self->servers[i].dealer.monitor.socket);
	return busy || transport_readable(&self->rows.dealer.monitor.socket) ||
	       node_is_busy(&self->node);
}
