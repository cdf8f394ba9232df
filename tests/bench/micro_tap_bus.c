/* SPDX-License-Identifier: MIT */
/* micro_tap_bus.c - both ends of the bus: the outbox that publishes, and the plainest subscriber.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/transport.h"
#include "proto/frame.h"
#include "tests/bench/micro_tap.h"

#define INCARNATION 77
#define SEQ_AT (FRAME_TOPIC_SIZE + 8) /* of first_seq in a frame */
#define COUNT_AT (SEQ_AT + 8)
#define SUBSCRIBER_HWM 1000 /* as a tap's */
#define SUBSCRIPTIONS_MAX 64
#define BEACON_MS 20

static struct outbox {
	struct transport *transport;
	struct transport_socket socket;
	uint8_t frame[FRAME_MAX];
	size_t length;
	uint32_t events; /* per frame */
	uint64_t seq; /* of the next event */
} outbox;

/* What is said most often while streams live and come and go. */
static void make_frame(uint32_t events)
{
	const struct stream_event event = { .type = EVENT_STREAM_STATUS,
					    .user_id = TEXT("user-0001234@example.com"),
					    .stream_id = TEXT("s-4k2j9x1qa"),
					    .epoch = 1763889600000001,
					    .cause = 123456,
					    .stream_seq = 4,
					    .sent_ms = 1763889600000,
					    .source = TEXT(PUBLISHER),
					    .stream_status = { .status = DEVICE_ACTIVE,
							       .phase = PHASE_LIVE } };
	struct frame_writer writer;

	frame_begin(&writer, outbox.frame, sizeof outbox.frame, TOPIC_STORY, INCARNATION, 1);
	for (uint32_t i = 0; i < events; i++)
		if (!frame_add(&writer, &event, STREAM_EVENT_PUBLIC))
			tool_fail(&micro_tap_tool, "so many events do not fit a frame", NULL);
	frame_end(&writer);
	outbox.length = writer.length;
	outbox.events = events;
	outbox.seq = 1;
}

void micro_outbox_open(const char *run_dir, uint32_t events)
{
	make_frame(events);
	if (transport_open(run_dir, PUBLISHER, &outbox.transport) != 0 ||
	    transport_bind_publisher(outbox.transport, (const uint8_t *)TOPIC_WELCOME,
				     FRAME_TOPIC_SIZE, &outbox.socket) != 0)
		tool_fail(&micro_tap_tool, "no outbox", run_dir);
}

void micro_outbox_close(void)
{
	transport_close_socket(&outbox.socket);
	transport_close(outbox.transport);
}

static void put_seq(uint8_t *frame)
{
	for (unsigned byte = 0; byte < 8; byte++)
		frame[SEQ_AT + byte] = (uint8_t)(outbox.seq >> (56 - 8 * byte));
}

void micro_outbox_publish(uint64_t frames, bool wait)
{
	const int nodrop = wait;

	if (zmq_setsockopt(outbox.socket.handle, ZMQ_XPUB_NODROP, &nodrop, sizeof nodrop) < 0)
		tool_fail(&micro_tap_tool, "the outbox cannot wait", NULL);
	for (uint64_t i = 0; i < frames; i++) {
		put_seq(outbox.frame);
		outbox.seq += outbox.events;
		if (wait ? zmq_send(outbox.socket.handle, outbox.frame, outbox.length, 0) < 0
			 : transport_send(&outbox.socket, outbox.frame, outbox.length) != 0)
			tool_fail(&micro_tap_tool, "nothing can be published", NULL);
	}
}

/* A frame without events: whoever gets it has subscribed. */
static void send_beacon(void)
{
	uint8_t beacon[FRAME_HEAD_SIZE];

	memcpy(beacon, outbox.frame, sizeof beacon);
	put_seq(beacon);
	beacon[COUNT_AT] = beacon[COUNT_AT + 1] = 0;
	(void)transport_send(&outbox.socket, beacon, sizeof beacon);
}

/* --- listeners ---------------------------------------------------------------------------- */

void micro_listener_ready(struct micro_listener *self)
{
	struct pollfd ready = { .fd = self->ready_fd, .events = POLLIN };
	char line[16];

	do {
		outbox.socket.touched = true;
		/* subscriptions take effect */
		(void)transport_subscriptions(&outbox.socket, TOPIC_OPS, SUBSCRIPTIONS_MAX);
		send_beacon();
		if (poll(&ready, 1, BEACON_MS) < 0 && errno != EINTR)
			tool_fail(&micro_tap_tool, "cannot wait", NULL);
	} while (ready.revents == 0);
	if (read(self->ready_fd, line, sizeof line) <= 0)
		tool_fail(&micro_tap_tool, "a listener ended before it had subscribed", NULL);
	(void)close(self->ready_fd);
}

static void *subscriber_open(void *context, const char *run_dir)
{
	const int hwm = SUBSCRIBER_HWM;
	void *socket = zmq_socket(context, ZMQ_SUB);
	char endpoint[256];

	(void)snprintf(endpoint, sizeof endpoint, "ipc://%s/" PUBLISHER ".outbox", run_dir);
	if (!socket || zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm) < 0 ||
	    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, TOPIC_WELCOME, FRAME_TOPIC_SIZE) < 0 ||
	    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, TOPIC_STORY, FRAME_TOPIC_SIZE) < 0 ||
	    zmq_connect(socket, endpoint) < 0)
		tool_fail(&micro_tap_tool, "cannot subscribe", endpoint);
	return socket;
}

/* How many events the message has; -1: it is a welcome. */
static int take(void *socket, zmq_msg_t *message)
{
	if (zmq_msg_recv(message, socket, 0) < 0)
		tool_fail(&micro_tap_tool, "cannot receive", NULL);
	const uint8_t *bytes = zmq_msg_data(message);

	return zmq_msg_size(message) < FRAME_HEAD_SIZE ? -1
						       : bytes[COUNT_AT] << 8 | bytes[COUNT_AT + 1];
}

int micro_subscribe(const char *run_dir, uint64_t events, int ready_fd)
{
	void *context = zmq_ctx_new();
	void *socket = subscriber_open(context, run_dir);
	uint64_t taken = 0;
	zmq_msg_t message;

	(void)zmq_msg_init(&message);
	while (take(socket, &message) != 0) /* the welcome comes first, then a beacon */
		;
	if (write(ready_fd, "subscribed\n", 11) != 11)
		return TOOL_USAGE;
	while (taken < events)
		taken += (uint64_t)take(socket, &message);
	(void)zmq_msg_close(&message);
	(void)zmq_close(socket);
	(void)zmq_ctx_term(context);
	return TOOL_FINE;
}
