/* SPDX-License-Identifier: MIT */
/* local_text.h - what the local provider reads: forms of callbacks, the statistics of the media
 * server, destinations, the last words of ffmpeg.  Pure; all of it comes from outside.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/schema.h"
#include "proto/text.h"

#define LOCAL_APP "live" /* the one application of the media server */

/* local_is_name() - can be the name of an input: 1 to INPUT_ID_MAX of [A-Za-z0-9_].  No '-': what
 * the media server writes is called ID-something.
 */
bool local_is_name(struct text name);

/* local_number() - decimal digits alone; false if @text is not a number below 2^63. */
bool local_number(struct text text, uint64_t *out);

/* local_form_field() - the decoded value of @name in a form.
 *
 * Return: false if it is not there, is there twice, is badly encoded, or does not fit @size bytes
 * with its end.
 */
bool local_form_field(struct text form, const char *name, char *value, size_t size);

/* The statistics of the media server, borrowed. */
struct local_stat {
	uint64_t pid;
	struct text streams; /* of LOCAL_APP */
};

struct local_stat_stream {
	struct text name; /* as it was sent: escaped */
	uint64_t client; /* that publishes; 0: nobody */
	bool active; /* media arrives */
};

/* local_stat_read() - false if @xml is not what it should be, or not complete. */
bool local_stat_read(struct text xml, struct local_stat *out);

/* local_stat_next() - take the next stream off @streams; false: no more. */
bool local_stat_next(struct text *streams, struct local_stat_stream *out);

/* A destination in the parts that ffmpeg needs: what all may see, and what nobody may. */
struct local_destination {
	char place[OUTPUT_URL_MAX + 2]; /* "rtmp://host:port/" */
	char app[OUTPUT_URL_MAX + 1]; /* may hold a key as well */
	char playpath[OUTPUT_URL_MAX + 1];
};

/* local_destination_read() - false if @url is not rtmp(s)://host[:port]/app/key. */
bool local_destination_read(struct text url, struct local_destination *out);

/* local_words() - why ffmpeg ended, in words of ours: its own may hold the key. */
const char *local_words(struct text said, int code);
