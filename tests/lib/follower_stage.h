/* SPDX-License-Identifier: MIT */
/* follower_stage.h - a follower whose registry is written by hand; for its tests, each of which
 * includes it once.
 */
#pragma once

#include <criterion/criterion.h>

#include "common/follower.h"
#include "tests/lib/bus.h"

#define REGISTRY UINT64_C(0x4e6)
#define US UINT64_C(0xad)

static struct follower follower;
static struct bus_line asked;
static bool open_wanted, clogged;
static struct {
	enum input_type type;
	uint64_t seq;
} inputs[8192];
static size_t input_count, input_read;
static const char *noted;

static void port_input(void *context, const struct input *input)
{
	(void)context;
	inputs[input_count].type = input->type;
	inputs[input_count].seq = input->event ? input->event->seq : 0;
	input_count++;
}

static void port_open(void *context)
{
	(void)context;
	open_wanted = true;
}

static void port_close(void *context)
{
	(void)context;
	open_wanted = false;
}

static bool port_send(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	if (clogged)
		return false;
	bus_put(&asked, frame, length);
	return true;
}

static void port_note(void *context, const char *what, const char *detail)
{
	(void)context;
	(void)detail;
	noted = what;
}

static void setup(void)
{
	follower_init(&follower, &(struct follower_options){ .role = ROLE_UNMANAGED,
							     .name = "unmanaged-adapter",
							     .incarnation = US,
							     .buffer_max = 64 * 1024,
							     .port = { .input = port_input,
								       .open = port_open,
								       .close = port_close,
								       .send = port_send,
								       .note = port_note } });
}

static void teardown(void)
{
	follower_fini(&follower);
	bus_drop(&asked);
}

static void expect(enum input_type type, uint64_t seq)
{
	cr_assert_lt(input_read, input_count, "input %d is missing", type);
	cr_assert_eq(inputs[input_read].type, type, "input %zu: %d, not %d", input_read,
		     inputs[input_read].type, type);
	cr_assert_eq(inputs[input_read].seq, seq, "input %zu: seq %lu, not %lu", input_read,
		     (unsigned long)inputs[input_read].seq, (unsigned long)seq);
	input_read++;
}

static void expect_no_more(void)
{
	cr_assert_eq(input_read, input_count, "unexpected input %d", inputs[input_read].type);
}

static uint8_t bytes[FRAME_MAX];

static void walk(int64_t now_ms)
{
	while (follower_step(&follower, now_ms))
		;
}

static void welcome(int64_t now_ms)
{
	follower_story(&follower, (const uint8_t *)TOPIC_WELCOME, FRAME_TOPIC_SIZE, now_ms);
}

/* Story events @first and on; count 0: a beacon. */
static void story_of(uint64_t incarnation, uint64_t first, size_t count, int64_t now_ms)
{
	struct stream_event events[64];
	size_t length;

	for (size_t i = 0; i < count; i++)
		events[i] = (struct stream_event){ .type = EVENT_SESSION_READY, .seq = first + i };
	length = bus_frame_of(bytes, sizeof bytes, TOPIC_STORY, "registry", incarnation, first,
			      events, count);
	follower_story(&follower, bytes, length, now_ms);
	walk(now_ms);
}

static void story(uint64_t first, size_t count, int64_t now_ms)
{
	story_of(REGISTRY, first, count, now_ms);
}

static void answer_of(uint64_t incarnation, struct stream_event event, int64_t now_ms)
{
	size_t length = bus_frame_of(bytes, sizeof bytes, TOPIC_DIRECT, "registry", incarnation, 0,
				     &event, 1);

	follower_answer(&follower, bytes, length);
	while (follower_answer_step(&follower, now_ms))
		;
}

static void begin(uint64_t incarnation, uint64_t upto, int64_t now_ms)
{
	answer_of(incarnation,
		  (struct stream_event){ .type = EVENT_SNAPSHOT_BEGIN,
					 .request = follower.request,
					 .snapshot_begin.upto = upto },
		  now_ms);
}

static void row(uint64_t seq, int64_t now_ms)
{
	answer_of(REGISTRY, (struct stream_event){ .type = EVENT_SNAPSHOT_STREAM, .seq = seq },
		  now_ms);
}

static void end(uint64_t upto, uint64_t rows, int64_t now_ms)
{
	answer_of(REGISTRY,
		  (struct stream_event){ .type = EVENT_SNAPSHOT_END,
					 .request = follower.request,
					 .snapshot_end = { .upto = upto, .rows = rows } },
		  now_ms);
	walk(now_ms);
}

/* From nothing to live with seq 10 behind it. */
static void go_live(int64_t now_ms)
{
	welcome(now_ms);
	follower_connected(&follower, now_ms);
	begin(REGISTRY, 10, now_ms);
	row(7, now_ms);
	end(10, 1, now_ms);
	cr_assert(follower_is_live(&follower));
	expect(INPUT_RESYNC, 0);
	expect(INPUT_STORY, 7);
	expect(INPUT_SYNCED, 0);
	expect_no_more();
	bus_drop(&asked);
}
