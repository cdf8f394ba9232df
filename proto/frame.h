/* SPDX-License-Identifier: MIT */
/* frame.h - what one ZeroMQ message holds: a head and a run of encoded events.
 *
 *   topic[8] | incarnation u64 | first_seq u64 | count u16 | event | event | ...
 *
 * Integers are big-endian.  The topic stands in the same part as the rest, so that SUB can
 * filter by prefix without paying for a second part.  On PUB, first_seq is the seq of the first
 * event and the others follow without a gap; a frame without events is a beacon that says which
 * seq comes next.  On addressed messages first_seq is 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/stream_event.h"

#define FRAME_TOPIC_SIZE 8
#define FRAME_HEAD_SIZE (FRAME_TOPIC_SIZE + 8 + 8 + 2)
#define FRAME_MAX (256 * 1024) /* bytes on the wire; ZMQ_MAXMSGSIZE refuses more */

#define TOPIC_STORY "story   " /* registry: stream events, gapless */
#define TOPIC_OPS "ops     " /* any daemon: operational events, gapless per source */
#define TOPIC_DIRECT "direct  " /* ROUTER and DEALER */
#define TOPIC_WELCOME "welcome " /* XPUB: the subscription is live */

struct frame_head {
	char topic[FRAME_TOPIC_SIZE];
	uint64_t incarnation;
	uint64_t first_seq;
	uint16_t count;
};

/* A frame under construction in a caller's buffer. */
struct frame_writer {
	uint8_t *bytes;
	size_t size, length;
	uint16_t count;
};

/* frame_begin() - start a frame in @bytes, which must hold FRAME_HEAD_SIZE. */
void frame_begin(struct frame_writer *frame, uint8_t *bytes, size_t size, const char *topic,
		 uint64_t incarnation, uint64_t first_seq);

/* frame_add() - append @event; false, with the frame unchanged, if it does not fit. */
bool frame_add(struct frame_writer *frame, const struct stream_event *event,
	       enum stream_event_form form);

/* frame_end() - write the count; the frame is @frame->bytes, @frame->length. */
void frame_end(struct frame_writer *frame);

/* frame_read() - check the head of a received message.
 *
 * On success @events stands on the first event: call stream_event_read() @head->count times;
 * afterwards nothing may be left.
 */
bool frame_read(const uint8_t *bytes, size_t length, struct frame_head *head, struct wire *events);
