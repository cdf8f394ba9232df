/* SPDX-License-Identifier: MIT */
/* tap_recording.h - read back what `weir tap -o jsonl` has written.
 *
 * Pure but for recording_next(), which reads a FILE.  Lines are untrusted.
 */
#pragma once

#include <stdio.h>

#include "actors/tap/tap_print.h"
#include "proto/stream_event.h"

enum recorded {
	RECORDED_END, /* there are no more lines */
	RECORDED_EVENT,
	RECORDED_RECORD, /* what the tap that wrote it had to say itself */
	RECORDED_NOTHING, /* an empty line */
	RECORDED_UNREADABLE, /* no event of ours, or one that this build does not know */
};

struct recording {
	FILE *from; /* the caller's */
	char *line; /* of the last recording_next(); owned */
	size_t line_size;
	char *texts; /* what the event's texts point into; owned */
	size_t texts_size, texts_used;
	char source[NAME_MAX_BYTES + 1], topic[FRAME_TOPIC_SIZE + 1]; /* of the last record */
};

/* recording_open() - the file @path to read, or stdin for "-"; NULL, which was said, if it cannot.
 */
FILE *recording_open(const char *path);

void recording_init(struct recording *recording, FILE *from);
void recording_fini(struct recording *recording);

/* recording_next() - read a line; @event or @record is written, and borrows from the recording
 * until the next call.
 */
enum recorded recording_next(struct recording *recording, struct stream_event *event,
			     struct record *record);
