/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_link.h"

#include <errno.h>

#include <czmq.h>

#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_socket.h"
#include "common/machine.h"
#include "common/route.h"

#define LINGER_MS 1000 /* what was said may still leave after the command is done */
#define SEND_SIZE (FRAME_HEAD_SIZE + STREAM_EVENT_WIRE_MAX)

/* No two connections share a routing id: see common/route.h. */
static void set_routing_id(void *handle, uint64_t incarnation)
{
	static uint32_t connection;
	const struct route route = { ROLE_OPERATOR, incarnation, ++connection };
	uint8_t id[ROUTE_LENGTH_MAX];

	route_write(&route, id);
	int r = zmq_setsockopt(handle, ZMQ_ROUTING_ID, id, sizeof id);

	assert(r == 0);
}

/* Tells of lost connections, so that nobody waits for an answer that cannot come any more. */
static zsock_t *open_monitor(void *handle)
{
	static unsigned count;
	char endpoint[64];

	(void)snprintf(endpoint, sizeof endpoint, "inproc://weir-link-%u", ++count);
	if (zmq_socket_monitor(handle, endpoint, ZMQ_EVENT_DISCONNECTED) < 0)
		return NULL;
	zsock_t *monitor = zsock_new(ZMQ_PAIR);

	if (monitor && zmq_connect(zsock_resolve(monitor), endpoint) < 0)
		zsock_destroy(&monitor);
	return monitor;
}

static int connect_socket(struct link *link, const char *name, int64_t deadline_ms)
{
	link->socket = socket_new(ZMQ_DEALER, LINGER_MS);
	if (!link->socket)
		return -errno;
	void *handle = zsock_resolve(link->socket);

	set_routing_id(handle, link->cli->incarnation);
	zsock_set_immediate(link->socket, 1);
	link->monitor = open_monitor(handle);
	if (!link->monitor || !socket_connect(link->socket, link->cli, name))
		return -errno;

	/* With IMMEDIATE it becomes writable once somebody has answered the handshake. */
	zmq_pollitem_t items[] = {
		{ .socket = handle, .events = ZMQ_POLLOUT },
		{ .fd = link->cli->signal_fd, .events = ZMQ_POLLIN },
	};
	for (;;) {
		int count = link->cli->signal_fd < 0 ? 1 : 2;
		int ready = zmq_poll(items, count, clock_wait_ms(deadline_ms));

		if (ready < 0 && zmq_errno() != EINTR)
			return -zmq_errno();
		if (ready > 0)
			return items[0].revents ? 0 : LINK_E_SIGNAL;
		if (clock_now_ms() >= deadline_ms)
			return LINK_E_AWAY;
	}
}

static int greet(struct link *link, int64_t deadline_ms)
{
	struct stream_event event = {
		.type = EVENT_PEER_HELLO,
		.peer_hello.role = ROLE_OPERATOR,
		.peer_hello.name = text_of(link->name),
		.peer_hello.protocol = STREAM_PROTOCOL_VERSION,
		.peer_hello.first_request = 1,
		.peer_hello.clock = machine_clock(),
		.peer_hello.now_ms = clock_now_ms(),
	};
	int r = link_send(link, &event, false);

	while (r == 0 && (r = link_next(link, deadline_ms, &event)) == 0) {
		if (event.type != EVENT_PEER_WELCOME)
			continue;
		if (event.peer_welcome.next_request > 0)
			link->next_number = event.peer_welcome.next_request;
		return 0;
	}
	return r;
}

int link_open(struct link *link, const struct cli *cli, const struct link_server *server,
	      int64_t deadline_ms)
{
	*link = (struct link){ .cli = cli, .server = server->role, .next_number = 1 };
	(void)snprintf(link->name, sizeof link->name, "weir-%d", (int)getpid());
	zmq_msg_init(&link->message);
	int r = connect_socket(link, server->socket, deadline_ms);

	return r == 0 ? greet(link, deadline_ms) : r;
}

void link_close(struct link *link)
{
	if (link->socket)
		(void)zmq_socket_monitor(zsock_resolve(link->socket), NULL, 0);
	zsock_destroy(&link->socket);
	zsock_destroy(&link->monitor);
	zmq_msg_close(&link->message);
}

int link_send(struct link *link, const struct stream_event *event, bool numbered)
{
	uint8_t bytes[SEND_SIZE];
	struct stream_event stamped = *event;
	struct frame_writer frame;

	stamped.source = text_of(link->name);
	stamped.incarnation = link->cli->incarnation;
	stamped.sent_ms = clock_wall_ms();
	frame_begin(&frame, bytes, sizeof bytes, TOPIC_DIRECT, link->cli->incarnation,
		    numbered ? link->next_number++ : 0);
	bool added = frame_add(&frame, &stamped, STREAM_EVENT_ADDRESSED);

	assert(added); /* no event of ours is larger than STREAM_EVENT_WIRE_MAX */
	frame_end(&frame);
	if (zmq_send(zsock_resolve(link->socket), bytes, frame.length, ZMQ_DONTWAIT) < 0)
		return LINK_E_LOST; /* IMMEDIATE: nobody is connected */
	return 0;
}

/* The next event of the message at hand; false if there is none. */
static bool next_in_message(struct link *link, struct stream_event *out)
{
	while (link->left > 0) {
		link->left--;
		int r = stream_event_read(&link->events, out);

		if (r == STREAM_EVENT_E_UNKNOWN)
			*out = (struct stream_event){ 0 };
		if (r == STREAM_EVENT_E_UNKNOWN ||
		    (r == 0 && stream_event_may(out->type, link->server, ROLE_OPERATOR)))
			return true;
		if (r == STREAM_EVENT_E_MALFORMED)
			link->left = 0; /* where the next one begins is not known */
		link->dropped++;
	}
	return false;
}

static void begin_message(struct link *link)
{
	struct frame_head head;

	if (!frame_read(zmq_msg_data(&link->message), zmq_msg_size(&link->message), &head,
			&link->events) ||
	    memcmp(head.topic, TOPIC_DIRECT, FRAME_TOPIC_SIZE) != 0) {
		link->dropped++;
		return;
	}
	link->left = head.count;
}

/* Waits for something to happen on the link: 0, LINK_E_* or -errno. */
static int wait_for_message(struct link *link, int64_t deadline_ms)
{
	zmq_pollitem_t items[] = {
		{ .socket = zsock_resolve(link->socket), .events = ZMQ_POLLIN },
		{ .socket = zsock_resolve(link->monitor), .events = ZMQ_POLLIN },
		{ .fd = link->cli->signal_fd, .events = ZMQ_POLLIN },
	};
	int ready = zmq_poll(items, link->cli->signal_fd < 0 ? 2 : 3, clock_wait_ms(deadline_ms));

	if (ready < 0)
		return zmq_errno() == EINTR ? 0 : -zmq_errno();
	if (items[0].revents)
		return 0;
	if (items[1].revents)
		return LINK_E_LOST;
	if (items[2].revents)
		return LINK_E_SIGNAL;
	return clock_now_ms() >= deadline_ms ? LINK_E_LATE : 0;
}

int link_next(struct link *link, int64_t deadline_ms, struct stream_event *out)
{
	while (!next_in_message(link, out)) {
		int r = socket_receive(link->socket, &link->message);

		if (r == 1)
			begin_message(link);
		else if (r == -EMSGSIZE)
			link->dropped++;
		else if (r < 0)
			return r;
		else if ((r = wait_for_message(link, deadline_ms)) != 0)
			return r;
	}
	if (out->type != EVENT_PEER_REFUSED)
		return 0;
	(void)text_put(out->peer_refused.reason, link->reason, sizeof link->reason);
	return LINK_E_REFUSED;
}
