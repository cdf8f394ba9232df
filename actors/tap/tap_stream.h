/* SPDX-License-Identifier: MIT */
/* tap_stream.h - how the commands show a stream record. */
#pragma once

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_mirror.h"
#include "actors/tap/tap_text.h"

/* stream_json() - the members that -o json prints of a record. */
void stream_json(const struct mirror *mirror, const struct mirror_stream *stream,
		 struct json_out *json);

/* stream_note() - what is out of the ordinary: "stop owed, phone_lost"; maybe "". */
#define STREAM_NOTE_SIZE 128
const char *stream_note(const struct mirror_stream *stream, char note[static STREAM_NOTE_SIZE]);

/* Which records are shown. */
struct stream_choice {
	bool (*wanted)(void *context, const struct mirror_stream *stream);
	const char *none; /* what a person reads if there are none */
	void *context;
};

/* streams_print() - a table, or what -o asks for; ages count up to @now_ms. */
void streams_print(const struct cli *cli, const struct mirror *mirror, int64_t now_ms,
		   const struct stream_choice *choice);

enum colour stream_phase_colour(enum phase phase);
