/* SPDX-License-Identifier: MIT */
/* Goal: whatever message arrives, a tap prints what it is due and says exactly what it missed.
 * Method: messages made by proto/, whole and mutilated, into an output that is a memory file; the
 * history is a function.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_live.h"
#include "tests/lib/fakes.h"

static struct output output;
static struct live live;
static struct source registry = { .name = "registry" };
static struct source other = { .name = "gateway-1" };
static uint8_t bytes[FRAME_MAX];
static char printed[OUTPUT_SIZE];

static void open_live(struct live_options options)
{
	int fd = memfd_create("tap", 0);

	cr_assert_geq(fd, 0);
	options.style.json = true;
	output_init(&output, fd, -1);
	live_init(&live, &options, &output);
	registry = (struct source){ .name = "registry" };
	other = (struct source){ .name = "gateway-1" };
}

/* The types, and seqs of events, that were printed since the last call: "stream.opened 3;" */
static const char *told(void)
{
	static char summary[4096];
	char *rest = NULL;
	size_t used = 0;

	output_flush(&output);
	cr_assert_eq(output.state, OUTPUT_OPEN);
	ssize_t length = pread(output.fd, printed, sizeof printed - 1, 0);

	cr_assert_geq(length, 0);
	printed[length] = '\0';
	cr_assert_eq(ftruncate(output.fd, 0), 0);
	cr_assert_eq(lseek(output.fd, 0, SEEK_SET), 0);
	*summary = '\0';
	for (char *line = strtok_r(printed, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		const char *missed = strstr(line, "\"missed\":"), *seq = strstr(line, "\"seq\":");
		const char *dropped = strstr(line, "\"dropped\":");
		const char *number = missed ? missed + 9 : dropped ? dropped + 10 : seq + 6;

		used += (size_t)snprintf(summary + used, sizeof summary - used, "%.*s %d;",
					 (int)strcspn(line + 9, "\""), line + 9, atoi(number));
	}
	return summary;
}

static size_t make(const char *topic, uint64_t incarnation, uint64_t first_seq, unsigned count)
{
	struct frame_writer frame;

	frame_begin(&frame, bytes, sizeof bytes, topic, incarnation, first_seq);
	for (unsigned i = 0; i < count; i++) {
		const struct stream_event event = {
			.type = EVENT_STREAM_OPENED,
			.source = TEXT("registry"),
			.seq = first_seq + i,
			.user_id = (first_seq + i) % 2 ? TEXT("alice") : TEXT("bob"),
		};

		cr_assert(frame_add(&frame, &event, STREAM_EVENT_PUBLIC));
	}
	frame_end(&frame);
	return frame.length;
}

static void story(uint64_t incarnation, uint64_t first_seq, unsigned count)
{
	live_message(&live, &registry, bytes, make(TOPIC_STORY, incarnation, first_seq, count));
}

Test(live, events_gaps_restarts)
{
	open_live((struct live_options){ 0 });
	live_message(&live, &registry, (const uint8_t *)TOPIC_WELCOME, FRAME_TOPIC_SIZE);
	cr_assert(registry.welcomed);
	story(1, 5, 2);
	story(1, 6, 2);
	story(1, 10, 1);
	story(1, 12, 0);
	story(2, 12, 1);
	cr_assert_str_eq(told(), "stream.opened 5;stream.opened 6;stream.opened 7;tap.gap 2;"
				 "stream.opened 10;tap.gap 1;tap.restart 0;stream.opened 12;");
	cr_assert(!live.finished);
}

Test(live, sources_and_topics_are_counted_apart)
{
	open_live((struct live_options){ 0 });
	story(1, 5, 1);
	live_message(&live, &registry, bytes, make(TOPIC_OPS, 1, 100, 1));
	live_message(&live, &other, bytes, make(TOPIC_OPS, 9, 3, 1));
	live_message(&live, &other, bytes, make(TOPIC_OPS, 9, 5, 1));
	story(1, 6, 1);
	cr_assert_str_eq(told(), "stream.opened 5;stream.opened 100;stream.opened 3;tap.gap 1;"
				 "stream.opened 5;stream.opened 6;");
}

Test(live, count_and_filter)
{
	open_live((struct live_options){ .filter = { .user = "bob" }, .count_max = 2 });
	story(1, 1, 3);
	cr_assert(!live.finished);
	story(1, 4, 5);
	cr_assert(live.finished);
	cr_assert_eq(live.code, EXIT_DONE);
	cr_assert_str_eq(told(), "stream.opened 2;stream.opened 4;");
}

Test(live, strict_ends_at_the_gap)
{
	open_live((struct live_options){ .strict = true });
	story(1, 1, 1);
	story(1, 3, 1);
	cr_assert(live.finished);
	cr_assert_eq(live.code, EXIT_GAP);
	cr_assert_str_eq(told(), "stream.opened 1;tap.gap 1;");
}

Test(live, an_event_that_nobody_may_publish_is_dropped)
{
	struct frame_writer frame;
	const struct stream_event secret = { .type = EVENT_DELIVER_START,
					     .deliver_start.rtmp_url = TEXT("rtmp://h/a/key") };

	open_live((struct live_options){ 0 });
	frame_begin(&frame, bytes, sizeof bytes, TOPIC_STORY, 1, 1);
	cr_assert(frame_add(&frame, &secret, STREAM_EVENT_ADDRESSED));
	frame_end(&frame);
	live_message(&live, &registry, bytes, frame.length);
	cr_assert_str_eq(told(), "tap.dropped 1;");
}

/* Every truncation: events in front are printed, the rest is counted, the numbers stay right. */
Test(live, truncations)
{
	for (size_t cut = 0;; cut++) {
		open_live((struct live_options){ 0 });
		size_t length = make(TOPIC_STORY, 1, 1, 3);

		if (cut == length)
			break;
		live_message(&live, &registry, bytes, length - 1 - cut);
		const char *text = told();

		cr_assert_not_null(strstr(text, "tap.dropped"), "cut=%zu: %s", cut, text);
		story(1, 4, 1);
		text = told();
		cr_assert_str_eq(text, "stream.opened 4;", "cut=%zu: %s", cut, text);
		cr_assert_eq(close(output.fd), 0);
	}
}

Test(live, bytes_behind_the_events_and_lost_messages)
{
	open_live((struct live_options){ 0 });
	size_t length = make(TOPIC_STORY, 1, 1, 1);

	bytes[length] = 0xc0;
	live_message(&live, &registry, bytes, length + 1);
	cr_assert_str_eq(told(), "stream.opened 1;tap.dropped 1;");
	live_lost(&live, &other);
	cr_assert_str_eq(told(), "tap.dropped 1;");
	live_message(&live, &registry, bytes, 0);
	cr_assert_str_eq(told(), "tap.dropped 1;");
	live_message(&live, &registry, (const uint8_t *)"direct  ", 8);
	cr_assert_str_eq(told(), "tap.dropped 1;");
}

/* Any bytes at all: nothing worse than a dropped message. */
Test(live, random_bytes)
{
	struct prng prng = { 815 };

	open_live((struct live_options){ 0 });
	for (int i = 0; i < 20000; i++) {
		size_t length = make(prng_one_in(&prng, 2) ? TOPIC_STORY : TOPIC_OPS, 1,
				     1 + prng_below(&prng, 5), prng_below(&prng, 4));

		for (uint32_t k = prng_below(&prng, 6); k > 0; k--)
			bytes[prng_below(&prng, (uint32_t)length)] = (uint8_t)prng_next(&prng);
		live_message(&live, prng_one_in(&prng, 2) ? &registry : &other, bytes,
			     prng_one_in(&prng, 3) ? prng_below(&prng, (uint32_t)length) : length);
		if (i % 100 == 0)
			(void)told();
		cr_assert(!live.finished);
	}
}

static uint64_t kept_from, asked_from, asked_upto;
static int asked;

/* A history that has forgotten everything before kept_from. */
static int backfill(struct live *self, uint64_t from_seq, uint64_t upto_seq)
{
	asked++;
	asked_from = from_seq;
	asked_upto = upto_seq;
	for (uint64_t seq = from_seq > kept_from ? from_seq : kept_from; seq < upto_seq; seq++)
		live_event(self, &(struct stream_event){ .type = EVENT_SESSION_READY, .seq = seq });
	return EXIT_DONE;
}

Test(live, history_first_then_live_without_gap_or_doubles)
{
	open_live((struct live_options){ .backfill = backfill });
	kept_from = 2;
	story(1, 4, 2);
	cr_assert_str_eq(told(),
			 "session.ready 2;session.ready 3;stream.opened 4;stream.opened 5;");
	cr_assert_eq(asked_from, 0);
	cr_assert_eq(asked_upto, 4);
	story(1, 6, 1);
	cr_assert_eq(asked, 1);
	story(1, 9, 1);
	cr_assert_str_eq(told(),
			 "stream.opened 6;session.ready 7;session.ready 8;stream.opened 9;");
	kept_from = 12;
	story(2, 13, 0);
	cr_assert_str_eq(told(), "tap.restart 0;session.ready 12;tap.gap 2;");
	live_message(&live, &registry, bytes, make(TOPIC_OPS, 2, 1, 1));
	live_message(&live, &registry, bytes, make(TOPIC_OPS, 2, 3, 1));
	cr_assert_eq(asked, 3, "operational events have no history");
}

static int failing(struct live *self, uint64_t from_seq, uint64_t upto_seq)
{
	(void)self;
	(void)from_seq;
	(void)upto_seq;
	return EXIT_LATE;
}

Test(live, a_history_that_cannot_be_had_ends_it)
{
	open_live((struct live_options){ .backfill = failing });
	story(1, 4, 2);
	cr_assert(live.finished);
	cr_assert_eq(live.code, EXIT_LATE);
	cr_assert_str_eq(told(), "");
}

Test(output, a_reader_that_is_gone)
{
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_neq(signal(SIGPIPE, SIG_IGN), SIG_ERR);
	output_init(&output, fds[1], -1);
	output_take(&output, 100);
	close(fds[0]);
	output_flush(&output);
	cr_assert_eq(output.state, OUTPUT_CLOSED);
	output_take(&output, 100);
	output_flush(&output);
	cr_assert_eq(output.used, 0, "discarded");
}

Test(output, a_reader_that_stands_still)
{
	int fds[2], signals[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(pipe(signals), 0);
	output_init(&output, fds[1], signals[0]);
	output.deadline_ms = 1; /* long ago */
	output_take(&output, OUTPUT_SIZE);
	output_flush(&output);
	cr_assert_eq(output.state, OUTPUT_LATE);
	output_init(&output, fds[1], signals[0]);
	cr_assert_eq(write(signals[1], "x", 1), 1);
	output_take(&output, OUTPUT_SIZE);
	output_flush(&output);
	cr_assert_eq(output.state, OUTPUT_SIGNAL);
}

Test(output, a_full_disk)
{
	int fd = open("/dev/full", O_WRONLY);

	cr_assert_geq(fd, 0);
	output_init(&output, fd, -1);
	output_take(&output, 1);
	output_flush(&output);
	cr_assert_eq(output.state, OUTPUT_FAILED);
	cr_assert_eq(output.error, ENOSPC);
}
