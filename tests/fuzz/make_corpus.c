/* SPDX-License-Identifier: MIT */
/* make_corpus - write the seeds of fuzz_stream_event and fuzz_frame: one of every event, encoded.
 *
 * usage: make_corpus DIRECTORY (tests/fuzz/corpus)
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/frame.h"
#include "tests/lib/samples.h"

#define SEED_MAX 4096 /* bytes; larger ones teach the fuzzer nothing and slow it down */

static int write_seed(const char *directory, const char *name, const uint8_t *bytes, size_t length)
{
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *file = fopen(path, "we");

	if (!file) {
		perror(path);
		return -1;
	}
	size_t written = fwrite(bytes, 1, length, file);

	return fclose(file) == 0 && written == length ? 0 : -1;
}

static int write_events(const char *directory)
{
	static uint8_t bytes[STREAM_EVENT_RELAY_WIRE_MAX];
	struct stream_event event;
	char name[128];

	for (enum stream_event_type type = EVENT_NONE; (type = sample_next(type)) != EVENT_NONE;) {
		sample_event(type, SAMPLE_SMALL, &event);
		ssize_t length =
			stream_event_encode(&event, STREAM_EVENT_ADDRESSED, bytes, sizeof bytes);

		(void)snprintf(name, sizeof name, "stream_event/%s", stream_event_name(type));
		if (length < 0 || length > SEED_MAX ||
		    write_seed(directory, name, bytes, (size_t)length) < 0)
			return -1;
	}
	return 0;
}

struct seed {
	const char *name, *topic;
	enum stream_event_type first, last;
};

static int write_frame(const char *directory, const struct seed *seed)
{
	static uint8_t bytes[SEED_MAX];
	struct frame_writer frame;
	struct stream_event event;
	char name[128];

	frame_begin(&frame, bytes, sizeof bytes, seed->topic, 0x0102030405060708, 300);
	for (enum stream_event_type type = seed->first; type && type <= seed->last;
	     type = sample_next(type)) {
		sample_event(type, SAMPLE_SMALL, &event);
		if (!frame_add(&frame, &event, STREAM_EVENT_PUBLIC))
			break;
	}
	frame_end(&frame);
	(void)snprintf(name, sizeof name, "frame/%s", seed->name);
	return write_seed(directory, name, bytes, frame.length);
}

int main(int argc, char **argv)
{
	static const struct seed seeds[] = {
		{ "beacon", TOPIC_STORY, EVENT_NONE, EVENT_NONE },
		{ "welcome", TOPIC_WELCOME, EVENT_NONE, EVENT_NONE },
		{ "hello", TOPIC_DIRECT, EVENT_PEER_HELLO, EVENT_PEER_HELLO },
		{ "facts", TOPIC_DIRECT, EVENT_EDGE_LINK_OPENED, EVENT_EDGE_CHECK },
		{ "deliveries", TOPIC_DIRECT, EVENT_DELIVER_START, EVENT_REQUEST_DONE },
		{ "commands", TOPIC_DIRECT, EVENT_STREAM_OPEN, EVENT_GATEWAY_SEEN },
		{ "probes", TOPIC_DIRECT, EVENT_PROBE_BATCH, EVENT_GATEWAY_BEAT },
		{ "story", TOPIC_STORY, EVENT_GATEWAY_CHANGED, EVENT_STREAM_STOP_SETTLED },
		{ "snapshot", TOPIC_DIRECT, EVENT_SNAPSHOT_BEGIN, EVENT_SNAPSHOT_END },
		{ "ops", TOPIC_OPS, EVENT_ACTOR_STARTED, EVENT_PROBE_MISSED },
	};

	if (argc != 2) {
		fprintf(stderr, "usage: make_corpus DIRECTORY\n");
		return EXIT_FAILURE;
	}
	if (write_events(argv[1]) < 0)
		return EXIT_FAILURE;
	for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
		if (write_frame(argv[1], &seeds[i]) < 0)
			return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
