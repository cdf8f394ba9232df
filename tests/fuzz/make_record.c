/* SPDX-License-Identifier: MIT */
/* make_record - write the seeds of fuzz_record: what a registry keeps, row by row and together.
 *
 * usage: make_record DIRECTORY (tests/fuzz/corpus/record)
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/registry/registry_store.h"
#include "tests/lib/samples.h"

#define SEED_MAX 8192
#define HEAD_SIZE 4
#define USER "u@x"
#define ROWS_SEQ 1001 /* of the first row, says fuzz_record */
#define DAMAGED 2 /* in the first byte of a head */

struct seed {
	uint8_t bytes[SEED_MAX];
	size_t length, head; /* head: of the record that is being written */
};

static void begin(struct seed *seed, bool row, const char *key)
{
	size_t length = strlen(key);

	seed->head = seed->length;
	seed->bytes[seed->length] = row;
	seed->bytes[seed->length + 1] = (uint8_t)length;
	memcpy(seed->bytes + seed->length + HEAD_SIZE, key, length);
	seed->length += HEAD_SIZE + length;
	if (!row)
		seed->bytes[seed->length++] = RECORD_VERSION;
}

static void end(struct seed *seed)
{
	uint8_t *head = seed->bytes + seed->head;
	size_t length = seed->length - seed->head - HEAD_SIZE - head[1];

	head[2] = (uint8_t)(length >> 8);
	head[3] = (uint8_t)length;
}

static void add(struct seed *seed, const struct stream_event *event)
{
	ssize_t length = stream_event_encode(event, STREAM_EVENT_ADDRESSED,
					     seed->bytes + seed->length, SEED_MAX - seed->length);

	if (length > 0)
		seed->length += (size_t)length;
}

static void add_user(struct seed *seed)
{
	struct stream_event event;

	event = (struct stream_event){ .type = EVENT_SESSION_OPENED, .user_id = TEXT(USER) };
	event.seq = 3;
	event.epoch = 100;
	add(seed, &event);
	event.type = EVENT_LINK_CHANGED;
	event.link_changed.link = 5;
	event.link_changed.gateway = 9;
	event.link_changed.state = LINK_UP;
	add(seed, &event);
}

static void add_stream(struct seed *seed, enum kind kind)
{
	struct stream_event event = { .type = EVENT_SNAPSHOT_STREAM,
				      .seq = 7,
				      .user_id = TEXT(USER),
				      .stream_id = TEXT("s1"),
				      .epoch = 100,
				      .stream_seq = 3 };

	event.snapshot_stream.kind = kind;
	event.snapshot_stream.package = TEXT("com.example.cam");
	event.snapshot_stream.rtmp_url = TEXT("rtmp://h/a/k");
	event.snapshot_stream.phase = PHASE_LIVE;
	event.snapshot_stream.created_ms = 1764000000000;
	event.snapshot_stream.opened_seq = 6;
	event.snapshot_stream.start_delivered = true;
	add(seed, &event);
}

static void add_app(struct seed *seed)
{
	struct stream_event event = { .type = EVENT_APP_CHANGED, .seq = 5, .user_id = TEXT(USER) };

	event.app_changed.package = TEXT("com.example.cam");
	event.app_changed.state = APP_RUNNING;
	event.app_changed.app_type = APP_TYPE_STANDARD;
	event.app_changed.link = 6;
	event.app_changed.gateway = 9;
	add(seed, &event);
}

static void add_gateway(struct seed *seed)
{
	struct stream_event event = { .type = EVENT_GATEWAY_CHANGED, .seq = 1 };

	begin(seed, false, "g/0000000000000009");
	event.gateway_changed.gateway = 9;
	event.gateway_changed.name = TEXT("gateway-1");
	event.gateway_changed.state = LINK_UP;
	add(seed, &event);
	end(seed);
}

static int write_seed(const char *directory, const char *name, const struct seed *seed)
{
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *file = fopen(path, "we");

	if (!file) {
		perror(path);
		return -1;
	}
	size_t written = fwrite(seed->bytes, 1, seed->length, file);

	return fclose(file) == 0 && written == seed->length ? 0 : -1;
}

/* Of a store whose head is older: fuzz_record says 1000 for both. */
static int write_newer(const char *directory)
{
	struct seed seed = { .length = 0 };
	struct stream_event event = {
		.type = EVENT_SESSION_OPENED, .seq = 5000, .epoch = 100, .user_id = TEXT(USER)
	};

	begin(&seed, false, "u/" USER);
	add(&seed, &event);
	event.seq = 3;
	event.epoch = 5000;
	add(&seed, &event);
	end(&seed);
	return write_seed(directory, "newer", &seed);
}

static int write_whole(const char *directory, const char *name, enum kind kind)
{
	static const uint8_t mark[] = { 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8 };
	struct seed seed = { .length = 0 };
	struct stream_event event;

	add_gateway(&seed);
	begin(&seed, false, "p/gateway/gateway-1");
	memcpy(seed.bytes + seed.length, mark, sizeof mark);
	seed.length += sizeof mark;
	end(&seed);
	begin(&seed, false, "u/" USER);
	add_user(&seed);
	add_stream(&seed, kind);
	add_app(&seed);
	end(&seed);
	begin(&seed, true, "");
	event = (struct stream_event){ .type = EVENT_STREAM_TOLD, .seq = 1, .user_id = TEXT(USER) };
	add(&seed, &event);
	end(&seed);
	return write_seed(directory, name, &seed);
}

static void add_past(struct seed *seed, struct stream_event event, uint64_t *seq)
{
	event.seq = (*seq)++;
	begin(seed, true, "");
	add(seed, &event);
	end(seed);
}

/* A user whose record cannot be used, and what the history has of it. */
static int write_damaged(const char *directory, const char *name, enum kind kind)
{
	struct seed seed = { .length = 0 };
	uint64_t seq = ROWS_SEQ;
	struct stream_event event = { .type = EVENT_SESSION_OPENED, .user_id = TEXT(USER) };

	begin(&seed, false, "u/" USER);
	seed.bytes[seed.head] |= DAMAGED;
	end(&seed);
	add_past(&seed, event, &seq);
	event.type = EVENT_APP_CHANGED;
	event.app_changed.package = TEXT("com.example.cam");
	event.app_changed.state = APP_RUNNING;
	add_past(&seed, event, &seq);
	event = (struct stream_event){ .type = EVENT_STREAM_OPENED,
				       .user_id = TEXT(USER),
				       .stream_id = TEXT("s1"),
				       .epoch = 100,
				       .stream_seq = 1 };
	event.stream_opened.kind = kind;
	event.stream_opened.package = TEXT("com.example.cam");
	add_past(&seed, event, &seq);
	return write_seed(directory, name, &seed);
}

/* One record of one row, for every event there is: those that are no rows as well. */
static int write_rows(const char *directory)
{
	struct stream_event event;

	for (enum stream_event_type type = EVENT_NONE; (type = sample_next(type)) != EVENT_NONE;) {
		struct seed seed = { .length = 0 };

		begin(&seed, false, "u/" USER);
		add_user(&seed);
		sample_event(type, SAMPLE_SMALL, &event);
		event.user_id = TEXT(USER);
		add(&seed, &event);
		end(&seed);
		if (write_seed(directory, stream_event_name(type), &seed) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: make_record DIRECTORY\n");
		return EXIT_FAILURE;
	}
	return write_rows(argv[1]) < 0 || write_newer(argv[1]) < 0 ||
			       write_whole(argv[1], "unmanaged", KIND_UNMANAGED) < 0 ||
			       write_whole(argv[1], "managed", KIND_MANAGED) < 0 ||
			       write_damaged(argv[1], "damaged", KIND_UNMANAGED) < 0 ||
			       write_damaged(argv[1], "damaged_managed", KIND_MANAGED) < 0
		       ? EXIT_FAILURE
		       : EXIT_SUCCESS;
}
