/* SPDX-License-Identifier: MIT */
/* Goal: frames come out as events went in, shared as far as they may be and within every limit,
 * however full and empty the queue has been; a ring of requests keeps, rewinds and moves its
 * entries in order.  Method: a model beside each, driven by chance.
 */
#include <criterion/criterion.h>

#include "common/frame_queue.h"
#include "common/intake.h"
#include "common/request_ring.h"
#include "tests/lib/bus.h"

#define LIMIT (256 * 1024)

static char message[RELAY_MAX];

static void setup(void)
{
	memset(message, 'm', sizeof message);
}

TestSuite(frame_queue, .init = setup);
TestSuite(request_ring, .init = setup);

static struct stream_event event_of(uint64_t request, uint32_t length)
{
	return (struct stream_event){ .type = EVENT_EDGE_RELAY,
				      .request = request,
				      .edge_relay.message = { message, length } };
}

static struct frame_address address_of(uint64_t number, uint64_t tag)
{
	return (struct frame_address){
		.topic = TOPIC_DIRECT, .incarnation = 5, .number = number, .tag = tag
	};
}

/* Read the front frame and pop it; its events must be @request and on.  Return: how many. */
static size_t take(struct frame_queue *queue, uint64_t request, uint64_t *first, uint64_t *tag)
{
	const uint8_t *bytes;
	struct stream_event event;
	struct intake intake;
	size_t length, count;
	uint64_t number;

	if (!frame_queue_front(queue, &bytes, &length, tag))
		return 0;
	cr_assert(intake_open(&intake, bytes, length, TOPIC_DIRECT));
	cr_assert(length <= FRAME_SHARE_MAX || intake.head.count == 1);
	cr_assert_leq(length, FRAME_MAX);
	*first = intake.head.first_seq;
	count = intake.head.count;
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(intake_next(&intake, &event, &number), 0);
		cr_assert_eq(event.request, request + i);
	}
	cr_assert_eq(intake_next(&intake, &event, &number), INTAKE_E_END);
	frame_queue_pop(queue);
	return count;
}

Test(frame_queue, events_share_a_frame_while_numbers_and_tags_go_on)
{
	static const struct {
		uint64_t number, tag;
	} rows[] = {
		{ 1, 0 }, { 2, 0 }, { 4, 0 }, { 5, 0 }, { 6, 1 }, { 7, 1 }, { 0, 1 }, { 0, 1 }
	};
	static const size_t counts[] = { 2, 2, 2, 2 };
	struct frame_queue queue;
	uint64_t first, tag, next = 0;

	frame_queue_init(&queue, LIMIT);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct frame_address address = address_of(rows[i].number, rows[i].tag);
		struct stream_event event = event_of(i, 10);

		cr_assert(frame_queue_add(&queue, &address, &event, STREAM_EVENT_ADDRESSED));
	}
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		cr_assert_eq(take(&queue, next, &first, &tag), counts[i]);
		cr_assert_eq(first, rows[next].number);
		cr_assert_eq(tag, rows[next].tag);
		next += counts[i];
	}
	cr_assert(frame_queue_is_empty(&queue));
	frame_queue_fini(&queue);
}

Test(frame_queue, a_closed_frame_takes_no_more)
{
	struct frame_queue queue;
	struct frame_address address = address_of(0, 0);
	struct stream_event event = event_of(0, 10);
	uint64_t first, tag;
	const uint8_t *bytes;
	size_t length;

	frame_queue_init(&queue, LIMIT);
	frame_queue_add(&queue, &address, &event, STREAM_EVENT_ADDRESSED);
	frame_queue_close(&queue);
	event.request = 1;
	frame_queue_add(&queue, &address, &event, STREAM_EVENT_ADDRESSED);
	/* Looking at the front closes it too. */
	cr_assert_eq(take(&queue, 0, &first, &tag), 1);
	cr_assert(frame_queue_front(&queue, &bytes, &length, &tag));
	event.request = 2;
	frame_queue_add(&queue, &address, &event, STREAM_EVENT_ADDRESSED);
	cr_assert_eq(take(&queue, 1, &first, &tag), 1);
	cr_assert_eq(take(&queue, 2, &first, &tag), 1);
	frame_queue_fini(&queue);
}

Test(frame_queue, an_event_that_makes_a_frame_too_long_begins_the_next)
{
	struct frame_queue queue;
	struct frame_address address = address_of(0, 0);
	static const uint32_t lengths[] = { 30000, 30000, 30000, RELAY_MAX, 5, RELAY_MAX };
	static const size_t counts[] = { 2, 1, 1, 1, 1 };
	uint64_t first, tag, next = 0;

	frame_queue_init(&queue, LIMIT * 2);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct stream_event event = event_of(i, lengths[i]);

		cr_assert(frame_queue_add(&queue, &address, &event, STREAM_EVENT_ADDRESSED));
	}
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		cr_assert_eq(take(&queue, next, &first, &tag), counts[i], "frame %zu", i);
		next += counts[i];
	}
	frame_queue_fini(&queue);
}

Test(frame_queue, is_fifo_within_its_limit)
{
	struct frame_queue queue;
	uint64_t prng = 7, in = 0, out = 0, first, tag, refused = 0;

	frame_queue_init(&queue, LIMIT);
	for (int i = 0; i < 200000; i++) {
		struct frame_address address = address_of(0, chance_of(&prng, 3));
		struct stream_event event = event_of(in, chance_of(&prng, 100) ? 20 : 60000);

		/* Long phases of filling and of emptying. */
		if (chance(&prng, (i / 5000) % 2 ? 30 : 70)) {
			if (frame_queue_add(&queue, &address, &event, STREAM_EVENT_ADDRESSED))
				in++;
			else
				refused++;
		} else {
			out += take(&queue, out, &first, &tag);
		}
		cr_assert_leq(frame_queue_length(&queue), LIMIT);
		cr_assert_leq(queue.size, 2 * LIMIT);
	}
	while (out < in)
		out += take(&queue, out, &first, &tag);
	cr_assert(frame_queue_is_empty(&queue));
	cr_assert_gt(refused, 0);
	frame_queue_fini(&queue);
}

Test(frame_queue, copies_and_beacons_stand_in_line)
{
	struct frame_queue queue;
	struct frame_address address = address_of(9, 0);
	struct stream_event event = event_of(0, 3);
	uint8_t copy[FRAME_HEAD_SIZE] = TOPIC_DIRECT;
	uint64_t first, tag;

	frame_queue_init(&queue, LIMIT);
	frame_queue_add(&queue, &address, &event, STREAM_EVENT_ADDRESSED);
	cr_assert(frame_queue_add_copy(&queue, copy, sizeof copy));
	address.number = 10;
	cr_assert(frame_queue_add_empty(&queue, &address));
	cr_assert_eq(take(&queue, 0, &first, &tag), 1);
	cr_assert_eq(take(&queue, 0, &first, &tag), 0);
	cr_assert_eq(first, 0);
	cr_assert_eq(take(&queue, 0, &first, &tag), 0);
	cr_assert_eq(first, 10);
	cr_assert(frame_queue_is_empty(&queue));
	frame_queue_fini(&queue);
}

Test(frame_queue, what_is_longer_than_all_it_may_hold_is_refused)
{
	struct frame_queue queue;
	struct frame_address address = address_of(9, 0);
	struct stream_event event = event_of(0, 3);
	static uint8_t copy[FRAME_MAX] = TOPIC_DIRECT;

	frame_queue_init(&queue, FRAME_HEAD_SIZE);
	cr_assert_not(frame_queue_add(&queue, &address, &event, STREAM_EVENT_ADDRESSED));
	cr_assert_not(frame_queue_add_copy(&queue, copy, sizeof copy));
	cr_assert_not(frame_queue_add_empty(&queue, &address));
	cr_assert(frame_queue_is_empty(&queue));
	cr_assert_eq(queue.size, 0);
	frame_queue_fini(&queue);
}

Test(frame_queue, copies_are_moved_down_to_make_room)
{
	enum { KEPT = 5, COUNT = 100 };
	struct frame_queue queue;
	uint8_t copy[FRAME_HEAD_SIZE + 1000] = TOPIC_DIRECT;
	const uint8_t *front;
	size_t length;
	uint64_t tag;

	frame_queue_init(&queue, (KEPT + 1) * (sizeof copy + 16));
	for (unsigned i = 0; i < COUNT; i++) {
		copy[sizeof copy - 1] = (uint8_t)i;
		cr_assert(frame_queue_add_copy(&queue, copy, sizeof copy));
		if (i < KEPT)
			continue;
		cr_assert(frame_queue_front(&queue, &front, &length, &tag));
		cr_assert_eq(length, sizeof copy);
		cr_assert_eq(front[length - 1], i - KEPT);
		frame_queue_pop(&queue);
	}
	cr_assert_leq(queue.size, 2 * queue.limit);
	frame_queue_fini(&queue);
}

/* requests */

static uint8_t scratch[FRAME_MAX];

/* Read what the ring would send next; ids must be @id and on.  Return: how many. */
static size_t fill(struct request_ring *ring, uint64_t id, size_t upto)
{
	struct frame_writer frame;
	struct intake intake;
	struct stream_event event;
	uint64_t number;

	frame_begin(&frame, scratch, sizeof scratch, TOPIC_DIRECT, 5, 1);
	request_ring_fill(ring, &frame, upto);
	request_ring_sent(ring, &frame);
	cr_assert(frame.length <= FRAME_SHARE_MAX || frame.count == 1);
	cr_assert(intake_open(&intake, frame.bytes, frame.length, TOPIC_DIRECT));
	for (size_t i = 0; i < frame.count; i++) {
		cr_assert_eq(intake_next(&intake, &event, &number), 0);
		cr_assert_eq(event.request, id + i);
	}
	cr_assert_eq(intake_next(&intake, &event, &number), INTAKE_E_END);
	return frame.count;
}

Test(request_ring, keeps_order_through_every_mix_of_calls)
{
	struct request_ring ring;
	uint64_t prng = 3, first = 0, next = 0, sent = 0, refused = 0;

	request_ring_init(&ring, 500, LIMIT);
	for (int i = 0; i < 200000; i++) {
		struct stream_event event = event_of(next, chance_of(&prng, 50) ? 20 : 9000);
		unsigned what = chance_of(&prng, 100);

		if (what < ((i / 3000) % 2 ? 70u : 30u)) {
			if (request_ring_add(&ring, &event, false))
				next++;
			else
				refused++;
		} else if (what < 80) {
			size_t some = sent - first + chance_of(&prng, 40);

			sent += fill(&ring, sent, some);
		} else if (what < 98) {
			size_t count = chance_of(&prng, (unsigned)ring.count + 1);

			count = count > 2 ? 2 : count;
			request_ring_pop(&ring, count);
			first += count;
			sent = sent < first ? first : sent;
		} else {
			request_ring_rewind(&ring);
			sent = first;
		}
		cr_assert_eq(ring.count, next - first);
		cr_assert_eq(ring.sent, sent - first);
		cr_assert_leq(ring.count, 500);
		cr_assert_leq(ring.tail - ring.head, LIMIT);
		cr_assert_leq(ring.bytes_size, 2 * LIMIT);
	}
	cr_assert_gt(refused, 0);
	request_ring_fini(&ring);
}

Test(request_ring, moving_leaves_announcements_out_and_loses_the_newest)
{
	struct request_ring from, to;
	struct stream_event event;

	request_ring_init(&from, 10, LIMIT);
	request_ring_init(&to, 4, LIMIT);
	for (uint64_t i = 0; i < 6; i++) {
		event = event_of(i >= 4 ? i - 3 : 100, 5);
		cr_assert(request_ring_add(&from, &event, i < 4));
	}
	event = event_of(0, 5);
	cr_assert(request_ring_add(&to, &event, true));
	cr_assert_eq(request_ring_move(&to, &from), 0);
	cr_assert_eq(from.count, 0);
	cr_assert_eq(fill(&to, 0, SIZE_MAX), 3);
	for (uint64_t i = 0; i < 3; i++) {
		event = event_of(3 + i, 5);
		cr_assert(request_ring_add(&from, &event, false));
	}
	cr_assert_eq(request_ring_move(&to, &from), 2);
	request_ring_rewind(&to);
	cr_assert_eq(fill(&to, 0, SIZE_MAX), 4);
	request_ring_fini(&from);
	request_ring_fini(&to);
}

Test(request_ring, bytes_are_as_limited_as_entries)
{
	struct request_ring from, to;
	struct stream_event event = event_of(0, 5);

	request_ring_init(&to, 10, stream_event_wire_max(event.type) - 1);
	cr_assert_not(request_ring_add(&to, &event, false), "it might not fit");
	cr_assert_eq(to.bytes_size, 0);
	request_ring_fini(&to);

	request_ring_init(&from, 10, 2 * LIMIT);
	request_ring_init(&to, 10, LIMIT);
	for (uint64_t i = 0; i < 6; i++) {
		event = event_of(i, 60000);
		cr_assert(request_ring_add(&from, &event, false));
	}
	cr_assert_eq(request_ring_move(&to, &from), 2);
	for (uint64_t i = 0; i < 4; i++)
		cr_assert_eq(fill(&to, i, SIZE_MAX), 1);
	cr_assert_eq(fill(&to, 4, SIZE_MAX), 0);
	request_ring_fini(&from);
	request_ring_fini(&to);
}
