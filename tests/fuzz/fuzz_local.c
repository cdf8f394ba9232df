/* SPDX-License-Identifier: MIT */
/* The first byte chooses what to read the rest as.  Properties:
 * - a value out of a form fits, and is terminated;
 * - streams of the statistics lie within what was given, and come to an end;
 * - a destination that is read has an application and a key, neither in its public part, and no
 * byte that would begin another line of ffmpeg's options.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/managed-adapter/local_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void form(struct text text)
{
	char value[17];

	if (local_form_field(text, "key", value, sizeof value))
		check(memchr(value, '\0', sizeof value) != NULL);
}

static void statistics(struct text text)
{
	struct local_stat_stream stream;
	struct local_stat stat;
	uint32_t left;

	if (!local_stat_read(text, &stat))
		return;
	check(stat.streams.bytes >= text.bytes &&
	      stat.streams.bytes + stat.streams.length <= text.bytes + text.length);
	for (left = stat.streams.length; local_stat_next(&stat.streams, &stream);
	     left = stat.streams.length) {
		check(stat.streams.length < left);
		check(stream.name.length <= text.length);
	}
}

static void destination(struct text text)
{
	struct local_destination read;

	if (!local_destination_read(text, &read))
		return;
	check(read.app[0] && read.playpath[0]);
	check(strlen(read.app) + strlen(read.playpath) + strlen(read.place) <= text.length);
	check(!strpbrk(read.app, "\r\n ") && !strpbrk(read.playpath, "\r\n "));
	check(strchr(read.place, '/')[2] && read.place[strlen(read.place) - 1] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text;

	if (size < 1)
		return 0;
	text = (struct text){ (const char *)data + 1, (uint32_t)size - 1 };
	switch (data[0] % 4) {
	case 0:
		form(text);
		break;
	case 1:
		statistics(text);
		break;
	case 2:
		destination(text);
		break;
	default:
		check(local_words(text, 1) != NULL);
		break;
	}
	return 0;
}
