/* SPDX-License-Identifier: MIT */
/* inbox_stage.h - an inbox whose clients are written by hand, frame by frame; for the tests of the
 * inbox alone, each of which includes it once.
 */
#pragma once

#include <stdio.h>

#include <criterion/criterion.h>

#include "common/inbox.h"
#include "tests/lib/bus.h"

#define US UINT64_C(0x5e17e1)
#define GATEWAY UINT64_C(0xa1)

static struct inbox inbox;
static struct bus_line line; /* to whom is in: */
static struct route sent_to[BUS_FRAMES_MAX];
static enum inbox_sent answer;
static struct {
	enum input_type type;
	bool known;
	struct peer peer;
	uint64_t request, clock;
	int64_t expires_ms;
} inputs[PEERS_MAX * 3];
static size_t input_count;
static void (*on_input)(const struct input *input); /* what the core does then */
static const char *noted;
static const char *user; /* "role:name" of the key that frames come under; NULL: ipc */

static enum inbox_sent port_send(void *context, const uint8_t *route, size_t route_length,
				 const uint8_t *frame, size_t length)
{
	(void)context;
	if (answer != INBOX_SENT)
		return answer;
	cr_assert(route_read(route, route_length, &sent_to[line.tail % BUS_FRAMES_MAX]));
	bus_put(&line, frame, length);
	return INBOX_SENT;
}

static void port_input(void *context, const struct input *input)
{
	(void)context;
	inputs[input_count].type = input->type;
	inputs[input_count].known = input->known;
	inputs[input_count].peer = input->peer;
	inputs[input_count].request = input->event ? input->event->request : 0;
	inputs[input_count].clock = input->clock;
	inputs[input_count].expires_ms = input->event ? input->event->expires_ms : 0;
	input_count++;
	if (on_input)
		on_input(input);
}

static void port_note(void *context, const struct inbox_note *note)
{
	(void)context;
	noted = note->what;
}

static void setup(void)
{
	const struct inbox_options options = { .role = ROLE_REGISTRY,
					       .name = "registry",
					       .incarnation = US,
					       .port = { NULL, port_send, port_input, port_note } };

	cr_assert_eq(inbox_init(&inbox, &options), 0);
}

static void teardown(void)
{
	inbox_fini(&inbox);
	bus_drop(&line);
}

/* A client: what it is, its name, its connection. */
struct client {
	struct route route;
	const char *name;
};

static struct client gateway(uint64_t incarnation, uint32_t connection)
{
	return (struct client){ { ROLE_GATEWAY, incarnation, connection }, "gateway-1" };
}

static void bytes_from(struct client client, const uint8_t *bytes, size_t length, int64_t now_ms)
{
	uint8_t route[ROUTE_LENGTH_MAX];

	route_write(&client.route, route);
	inbox_frame(&inbox, route, sizeof route, user, bytes, length, now_ms);
	while (inbox_step(&inbox, now_ms))
		;
}

static void frame(struct client client, uint64_t first, const struct stream_event *events,
		  size_t count, int64_t now_ms)
{
	static uint8_t bytes[FRAME_MAX];
	size_t length = bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, client.name,
				     client.route.incarnation, first, events, count);

	bytes_from(client, bytes, length, now_ms);
}

static void hello_as(struct client client, struct stream_event hello, int64_t now_ms)
{
	hello.type = EVENT_PEER_HELLO;
	frame(client, 0, &hello, 1, now_ms);
}

static void hello(struct client client, uint64_t first_request, int64_t now_ms)
{
	hello_as(client,
		 (struct stream_event){ .peer_hello = { .role = client.route.role,
							.name = text_of(client.name),
							.protocol = STREAM_PROTOCOL_VERSION,
							.first_request = first_request } },
		 now_ms);
}

/* Requests @first, @first + 1, ...; each one's id is its number. */
static void requests(struct client client, uint64_t first, size_t count, int64_t now_ms)
{
	struct stream_event events[16];

	for (size_t i = 0; i < count; i++)
		events[i] = (struct stream_event){ .type = EVENT_EDGE_LINK_CLOSED,
						   .request = first + i };
	frame(client, first, events, count, now_ms);
}

static struct {
	struct route to;
	size_t count;
	struct stream_event events[128];
	struct bus_frame frame;
} left;

/* The next frame that left; false: there is none. */
static bool next_left(void)
{
	struct frame_head head;

	free(left.frame.bytes);
	left.to = sent_to[line.head % BUS_FRAMES_MAX];
	left.frame = bus_take(&line);
	if (left.frame.length == 0)
		return false;
	left.count = bus_read(&left.frame, &head, left.events, 128);
	cr_assert_eq(head.incarnation, US);
	cr_assert_eq(head.first_seq, 0);
	for (size_t i = 0; i < left.count; i++) {
		cr_assert_eq(left.events[i].incarnation, US);
		cr_assert(text_is(left.events[i].source, "registry"));
	}
	return true;
}

static void expect_one(enum stream_event_type type)
{
	cr_assert(next_left());
	cr_assert_eq(left.count, 1);
	cr_assert_eq(left.events[0].type, type, "%s, not %s",
		     stream_event_name(left.events[0].type), stream_event_name(type));
}

static void greet(struct client client)
{
	hello(client, 1, 0);
	inbox_flush(&inbox, 0);
	expect_one(EVENT_PEER_WELCOME);
	input_count = 0;
}
