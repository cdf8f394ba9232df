/* SPDX-License-Identifier: MIT */
/* rogue.c - rogue RUN: an operator of the run directory RUN that says to the registry what only a
 * gateway may say, and another one that does not say who it is.  Ends once both have left.
 */
#include <stdio.h>
#include <stdlib.h>

#include <zmq.h>

#include "common/route.h"
#include "proto/frame.h"
#include "proto/stream_event.h"

#define ROGUE 0x706

static void *connect_as(void *context, const char *run, uint64_t incarnation)
{
	const struct route route = { ROLE_OPERATOR, incarnation, 1 };
	uint8_t id[ROUTE_LENGTH_MAX];
	char endpoint[256];
	void *socket = zmq_socket(context, ZMQ_DEALER);

	route_write(&route, id);
	(void)snprintf(endpoint, sizeof endpoint, "ipc://%s/registry.inbox", run);
	if (!socket || zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, sizeof id) < 0 ||
	    zmq_connect(socket, endpoint) < 0)
		exit(EXIT_FAILURE);
	return socket;
}

static void say(void *socket, uint64_t incarnation, struct stream_event event)
{
	uint8_t bytes[STREAM_EVENT_WIRE_MAX * 2];
	struct frame_writer frame;

	event.source = TEXT("rogue");
	event.incarnation = incarnation;
	frame_begin(&frame, bytes, sizeof bytes, TOPIC_DIRECT, incarnation, 0);
	if (!frame_add(&frame, &event, STREAM_EVENT_ADDRESSED))
		exit(EXIT_FAILURE);
	frame_end(&frame);
	if (zmq_send(socket, bytes, frame.length, 0) < 0)
		exit(EXIT_FAILURE);
}

static struct stream_event hello(struct text name)
{
	return (struct stream_event){ .type = EVENT_PEER_HELLO,
				      .peer_hello = { .role = ROLE_OPERATOR,
						      .name = name,
						      .protocol = STREAM_PROTOCOL_VERSION,
						      .first_request = 1 } };
}

int main(int argc, char **argv)
{
	void *context = zmq_ctx_new(), *rogue, *impostor;

	if (argc != 2)
		return EXIT_FAILURE;
	rogue = connect_as(context, argv[1], ROGUE);
	say(rogue, ROGUE, hello(TEXT("rogue")));
	for (int i = 0; i < 3; i++) {
		say(rogue, ROGUE,
		    (struct stream_event){ .type = EVENT_EDGE_LINK_OPENED,
					   .user_id = TEXT("victim@example.com"),
					   .edge_link_opened.link = 1 });
		say(rogue, ROGUE,
		    (struct stream_event){ .type = EVENT_STREAM_CLOSE,
					   .user_id = TEXT("victim@example.com") });
	}
	impostor = connect_as(context, argv[1], ROGUE + 1);
	say(impostor, ROGUE + 1, hello(TEXT("registry")));
	(void)zmq_close(rogue); /* what is said leaves first: without a linger it waits */
	(void)zmq_close(impostor);
	(void)zmq_ctx_term(context);
	return EXIT_SUCCESS;
}
