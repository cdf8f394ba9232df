/* SPDX-License-Identifier: MIT */
/* Property: whatever frames arrive, in whatever order, an inbox, an uplink and a follower stay
 * within their limits and hand on only what the schema lets that peer send; nothing aborts.
 *
 * The input is a run of records: what to do (1 byte), length (2 bytes), bytes.  Bytes of a frame
 * follow a head that is made here, so that most of them get past it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/follower.h"
#include "common/inbox.h"
#include "common/uplink.h"
#include "tests/lib/bus.h"

#define THEM UINT64_C(7)
#define US UINT64_C(9)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct inbox inbox;
static struct uplink uplink;
static struct follower follower;
static uint64_t prng;

static void check_input(void *context, const struct input *input)
{
	const enum role *role = context;

	if (input->type == INPUT_MESSAGE)
		assert(stream_event_may(input->event->type, input->peer.role, *role));
	if (input->type == INPUT_STORY)
		assert(stream_event_may(input->event->type, ROLE_REGISTRY, *role));
}

static enum inbox_sent send_routed(void *context, const uint8_t *route, size_t route_length,
				   const uint8_t *frame, size_t length)
{
	(void)context;
	(void)route;
	assert(route_length <= ROUTE_LENGTH_MAX && frame && length <= FRAME_MAX);
	return (enum inbox_sent)chance_of(&prng, 3);
}

static bool send_plain(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	assert(frame && length <= FRAME_MAX);
	return chance(&prng, 70);
}

static void nothing(void *context)
{
	(void)context;
}

static void open_all(void)
{
	static enum role registry = ROLE_REGISTRY, adapter = ROLE_UNMANAGED;

	if (inbox_init(&inbox, &(struct inbox_options){ .role = registry,
							.name = "registry",
							.incarnation = US,
							.port = { .context = &registry,
								  .send = send_routed,
								  .input = check_input } }) < 0 ||
	    uplink_init(&uplink, &(struct uplink_options){ .role = adapter,
							   .name = "unmanaged-adapter",
							   .incarnation = US,
							   .server = ROLE_REGISTRY,
							   .entries_max = 8,
							   .port = { .context = &adapter,
								     .send = send_plain,
								     .input = check_input } }) < 0)
		abort();
	follower_init(&follower, &(struct follower_options){ .role = adapter,
							     .name = "unmanaged-adapter",
							     .incarnation = US,
							     .buffer_max = 4096,
							     .port = { .context = &adapter,
								       .input = check_input,
								       .open = nothing,
								       .close = nothing,
								       .send = send_plain } });
}

static void close_all(void)
{
	inbox_fini(&inbox);
	uplink_fini(&uplink);
	follower_fini(&follower);
}

/* A frame from THEM with these bytes as its events; the first says number and count. */
static size_t frame_of(uint8_t *frame, const char *topic, const uint8_t *bytes, size_t length)
{
	struct frame_writer writer;
	uint64_t first = length > 0 ? bytes[0] & 15 : 0;

	frame_begin(&writer, frame, FRAME_MAX, topic, THEM, first);
	writer.count = length > 0 ? bytes[0] >> 4 : 0;
	frame_end(&writer);
	if (length > 1)
		memcpy(frame + writer.length, bytes + 1, length - 1);
	return writer.length + (length > 1 ? length - 1 : 0);
}

static void to_inbox(const uint8_t *frame, size_t length, uint8_t role, int64_t now_ms)
{
	uint8_t route[ROUTE_LENGTH_MAX];

	route_write(&(struct route){ (enum role)(role & 15), THEM, role >> 4 }, route);
	inbox_frame(&inbox, route, sizeof route, NULL, frame, length, now_ms);
	while (inbox_step(&inbox, now_ms))
		;
	inbox_tick(&inbox, now_ms);
	inbox_flush(&inbox, now_ms);
}

static void act(uint8_t what, const uint8_t *bytes, size_t length, int64_t now_ms)
{
	static uint8_t frame[FRAME_MAX];
	struct stream_event event = { .type = EVENT_STREAM_CLOSE };

	switch (what % 8) {
	case 0:
	case 1:
		to_inbox(frame, frame_of(frame, TOPIC_DIRECT, bytes, length), what >> 3, now_ms);
		return;
	case 2:
		uplink_frame(&uplink, frame, frame_of(frame, TOPIC_DIRECT, bytes, length));
		while (uplink_step(&uplink, now_ms))
			;
		return;
	case 3:
		if (follower_wants_story(&follower))
			follower_story(&follower, frame,
				       frame_of(frame, TOPIC_STORY, bytes, length), now_ms);
		while (follower_step(&follower, now_ms))
			;
		return;
	case 4:
		follower_answer(&follower, frame, frame_of(frame, TOPIC_DIRECT, bytes, length));
		while (follower_answer_step(&follower, now_ms))
			;
		return;
	case 5:
		if (what & 8)
			uplink_connected(&uplink, now_ms);
		else
			uplink_disconnected(&uplink);
		return;
	case 6:
		if (what & 8)
			follower_story(&follower, (const uint8_t *)TOPIC_WELCOME, FRAME_TOPIC_SIZE,
				       now_ms);
		else
			follower_connected(&follower, now_ms);
		return;
	default:
		(void)uplink_request(&uplink, &event);
		uplink_tick(&uplink, now_ms);
		uplink_flush(&uplink, now_ms);
		follower_tick(&follower, now_ms);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t now_ms = 1000;

	prng = size;
	open_all();
	while (size >= 3) {
		uint8_t what = data[0];
		size_t length = (size_t)(data[1] << 8 | data[2]);

		data += 3;
		size -= 3;
		length = length < size ? length : size;
		length = length < FRAME_MAX / 2 ? length : FRAME_MAX / 2;
		act(what, data, length, now_ms);
		data += length;
		size -= length;
		now_ms += what;
	}
	close_all();
	return 0;
}
