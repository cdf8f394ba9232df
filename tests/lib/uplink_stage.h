/* SPDX-License-Identifier: MIT */
/* uplink_stage.h - an uplink whose wire and core are lists, for its tests. */
#pragma once

#include <criterion/criterion.h>

#include "common/uplink.h"
#include "tests/lib/bus.h"

#define US UINT64_C(0xc11e47)
#define THEM UINT64_C(0x5e17e1)
#define ENTRIES_MAX 64

static struct uplink uplink;
static struct bus_line line;
static struct {
	enum input_type type;
	bool known;
	uint64_t request, incarnation;
} inputs[256];
static size_t input_count, announcements, settled;
static bool clogged, hasty; /* hasty: the core flushes in the middle of its announcements */
static const char *noted;

static struct stream_event request_of(uint64_t id)
{
	return (struct stream_event){ .type = EVENT_EDGE_LINK_CLOSED,
				      .source = TEXT("gateway-1"),
				      .incarnation = US,
				      .request = id };
}

static bool port_send(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	if (clogged)
		return false;
	bus_put(&line, frame, length);
	return true;
}

static void port_input(void *context, const struct input *input)
{
	(void)context;
	inputs[input_count].type = input->type;
	inputs[input_count].known = input->known;
	inputs[input_count].incarnation = input->peer.incarnation;
	if (input->event)
		inputs[input_count].request = input->event->request;
	input_count++;
	for (size_t i = 0; input->type == INPUT_PEER_UP && !input->known && i < announcements;
	     i++) {
		struct stream_event event = request_of(9000 + i);

		uplink_request(&uplink, &event);
		if (hasty)
			uplink_flush(&uplink, 0);
	}
}

static void port_settle(void *context)
{
	(void)context;
	settled++;
}

static void port_note(void *context, const char *what, const char *detail)
{
	(void)context;
	(void)detail;
	noted = what;
}

static void open_uplink(size_t entries_max, size_t bytes_max)
{
	cr_assert_eq(
		uplink_init(&uplink,
			    &(struct uplink_options){
				    .role = ROLE_GATEWAY,
				    .name = "gateway-1",
				    .incarnation = US,
				    .server = ROLE_REGISTRY,
				    .entries_max = entries_max,
				    .bytes_max = bytes_max,
				    .port = { NULL, port_send, port_settle, port_input, port_note },
			    }),
		0);
}

static void setup(void)
{
	open_uplink(ENTRIES_MAX, 64 * 1024);
}

static void teardown(void)
{
	uplink_fini(&uplink);
	bus_drop(&line);
}

static void request(uint64_t id)
{
	struct stream_event event = request_of(id);

	cr_assert(uplink_request(&uplink, &event));
}

/* Events of the next frame that left, and the number of the first one. */
struct left {
	uint64_t first;
	size_t count;
	struct stream_event events[128];
	struct bus_frame frame;
};

static struct left *next_left(void)
{
	static struct left left;
	struct frame_head head;

	free(left.frame.bytes);
	left = (struct left){ .frame = bus_take(&line) };
	if (left.frame.length == 0)
		return &left;
	left.count = bus_read(&left.frame, &head, left.events, 128);
	left.first = head.first_seq;
	cr_assert_eq(head.incarnation, US);
	cr_assert_eq(memcmp(head.topic, TOPIC_DIRECT, FRAME_TOPIC_SIZE), 0);
	return &left;
}

static void expect_nothing(void)
{
	cr_assert_eq(bus_count(&line), 0);
}

/* A frame of consecutive requests with these ids. */
static void expect_numbered(uint64_t first, size_t count, const uint64_t *ids)
{
	struct left *left = next_left();

	cr_assert_eq(left->first, first, "first number %lu, not %lu", (unsigned long)left->first,
		     (unsigned long)first);
	cr_assert_eq(left->count, count);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(left->events[i].request, ids[i]);
}

#define EXPECT(first, ...) \
	expect_numbered((first), sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), \
			(const uint64_t[]){ __VA_ARGS__ })

static void say_from(uint64_t incarnation, const char *source, struct stream_event event,
		     int64_t now_ms)
{
	static uint8_t bytes[FRAME_MAX];
	size_t length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, source, incarnation, 0, &event, 1);

	uplink_frame(&uplink, bytes, length);
	while (uplink_step(&uplink, now_ms))
		;
}

static void say(struct stream_event event, int64_t now_ms)
{
	say_from(THEM, "registry", event, now_ms);
}

static void welcome_from(uint64_t incarnation, bool known, uint64_t next, int64_t now_ms)
{
	say_from(incarnation, "registry",
		 (struct stream_event){ .type = EVENT_PEER_WELCOME,
					.peer_welcome = { .role = ROLE_REGISTRY,
							  .name = TEXT("registry"),
							  .known = known,
							  .next_request = next } },
		 now_ms);
}

static void ack(uint64_t upto, int64_t now_ms)
{
	say((struct stream_event){ .type = EVENT_PEER_ACK, .peer_ack.upto = upto }, now_ms);
}

/* The welcome of another life, which goes on counting where one before it was. */
static inline void welcome_counted(uint64_t incarnation, uint64_t next, int64_t now_ms)
{
	say_from(incarnation, "registry",
		 (struct stream_event){ .type = EVENT_PEER_WELCOME,
					.peer_welcome = { .role = ROLE_REGISTRY,
							  .name = TEXT("registry"),
							  .next_request = next,
							  .counted = true } },
		 now_ms);
}

static void connect_and_welcome(bool known, uint64_t next, int64_t now_ms)
{
	uplink_connected(&uplink, now_ms);
	cr_assert_eq(next_left()->events[0].type, EVENT_PEER_HELLO);
	welcome_from(THEM, known, next, now_ms);
}
