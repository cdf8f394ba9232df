/* SPDX-License-Identifier: MIT */
/* tap_stream.h - how the commands show a stream record. */
#pragma once

#include "actors/tap/tap_mirror.h"
#include "actors/tap/tap_text.h"

/* stream_json() - the members that -o json prints of a record. */
void stream_json(const struct mirror *mirror, const struct mirror_stream *stream,
		 struct json_out *json);

/* stream_note() - what is out of the ordinary: "stop owed, phone_lost"; maybe "". */
#define STREAM_NOTE_SIZE 128
const char *stream_note(const struct mirror_stream *stream, char note[static STREAM_NOTE_SIZE]);

enum colour stream_phase_colour(enum phase phase);
