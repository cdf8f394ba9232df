/* SPDX-License-Identifier: MIT */
/* intake.h - walk through the events of one received frame.  Pure.
 *
 * The frame's bytes are borrowed: whoever opens an intake keeps the message until the walk has
 * ended.  A walk may be left and taken up again, so that a large frame does not hold up a pass.
 */
#pragma once

#include "proto/frame.h"

struct intake {
	struct frame_head head;
	struct wire wire;
	uint16_t index; /* of the next event */
	bool open;
};

enum {
	_INTAKE_E_SUCCESS,
	INTAKE_E_END, /* there was no further event; the intake is closed */
	INTAKE_E_UNKNOWN, /* one event of a newer build was stepped over */
	INTAKE_E_MALFORMED, /* the rest is no frame of ours; the intake is closed */
};

/* intake_open() - begin a walk; false if @bytes are not a frame of @topic. */
bool intake_open(struct intake *self, const uint8_t *bytes, size_t length, const char *topic);

/* intake_next() - the next event, which borrows from the frame, and its number.
 *
 * @number is 0 in a frame that is not numbered; it is written with 0 and INTAKE_E_UNKNOWN.
 *
 * Return: 0, INTAKE_E_END, INTAKE_E_UNKNOWN or INTAKE_E_MALFORMED.
 */
int intake_next(struct intake *self, struct stream_event *out, uint64_t *number);

/* intake_close() - leave out what has not been read. */
void intake_close(struct intake *self);
