/* SPDX-License-Identifier: MIT */
/* tap_cmd_timeline.c - `weir timeline`: the story of one stream, event by event. */

#include <inttypes.h>

#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_past.h"
#include "actors/tap/tap_print.h"
#include "actors/tap/tap_words.h"

#define NUMBER_COLUMNS 7
#define OFFSET_COLUMNS 8
#define NAME_COLUMNS 20
#define LINE_SIZE 8192

struct values {
	const char *replay;
	bool all;
};

static struct values values;

static const struct option_row rows[] = {
	{ .name = "all",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct values, all),
	  .meaning = "also what happened to its user before and after it" },
	{ .name = "replay",
	  .kind = OPTION_TEXT,
	  .value = "FILE",
	  .min = 1,
	  .max = 4096,
	  .offset = offsetof(struct values, replay),
	  .meaning = "read what `weir tap -o jsonl` wrote; - for stdin" },
};

static const char *const examples[] = {
	"weir timeline s-4k2j9x1qa",
	"weir timeline alice@example.com --all           # around the newest stream of that user",
	"weir timeline s-4k2j9x1qa -o jsonl | jq -c '[.offset_ms,.type,.text]'",
	NULL,
};

/* The stream, and the seqs between which its user's surroundings belong to it. */
struct timeline {
	const struct story *story;
	struct text stream;
	int64_t zero_ms; /* what times count from: its first event */
	uint64_t first_seq, last_seq; /* last_seq: of its end, or UINT64_MAX */
	uint64_t causes_seq; /* of what its end points to; 0: nothing */
};

static void measure(struct timeline *timeline)
{
	timeline->last_seq = UINT64_MAX;
	for (size_t i = 0; i < timeline->story->count; i++) {
		const struct stream_event *event = &timeline->story->events[i];

		if (story_is_row(event) || !text_equal(event->stream_id, timeline->stream))
			continue;
		if (timeline->first_seq == 0) {
			timeline->first_seq = event->seq;
			timeline->zero_ms = event->sent_ms;
		}
		if (event->type != EVENT_STREAM_CLOSED)
			continue;
		timeline->last_seq = event->seq;
		timeline->causes_seq = event->cause;
	}
}

/* Other streams of the user stay out, but for the one that took its place. */
static bool belongs(const struct timeline *timeline, const struct stream_event *event)
{
	if (story_is_row(event))
		return false;
	if (text_equal(event->stream_id, timeline->stream) || event->seq == timeline->causes_seq)
		return true;
	if (event->stream_id.length > 0 && !values.all)
		return event->type == EVENT_STREAM_OPENED && timeline->last_seq != UINT64_MAX &&
		       event->cause == timeline->last_seq;
	if (values.all)
		return true;
	return event->user_id.length > 0 && event->seq > timeline->first_seq &&
	       event->seq < timeline->last_seq;
}

static void print_line(const struct timeline *timeline, const struct stream_event *event,
		       bool colour)
{
	char bytes[LINE_SIZE], clock[TEXT_CLOCK_SIZE], number[24];
	const char *name = stream_event_name(event->type);
	struct phrase phrase;

	phrase_begin(&phrase, bytes, sizeof bytes);
	(void)snprintf(number, sizeof number, "#%" PRIu64, event->seq);
	phrase_put(&phrase, "%*s  %s", NUMBER_COLUMNS, number, text_clock(event->sent_ms, clock));
	phrase_put_offset(&phrase, event->sent_ms - timeline->zero_ms, OFFSET_COLUMNS);
	phrase_put(&phrase, "  %s", colour ? colour_code(print_event_colour(name)) : "");
	phrase_put_column(&phrase, text_of(name), NAME_COLUMNS);
	phrase_put(&phrase, "%s", colour ? colour_code(COLOUR_NONE) : "");
	if (!text_equal(event->stream_id, timeline->stream)) {
		phrase_put_text(&phrase, event->stream_id);
		phrase_put(&phrase, event->stream_id.length > 0 ? ": " : "");
	}
	event_words(&phrase, event);
	if (event->cause != 0)
		phrase_put(&phrase, "  <- #%" PRIu64, event->cause);
	(void)puts(bytes);
}

static void print_row(const struct timeline *timeline, const struct stream_event *event,
		      struct json_out *json)
{
	char bytes[LINE_SIZE];
	struct phrase phrase;

	phrase_begin(&phrase, bytes, sizeof bytes);
	event_words(&phrase, event);
	json_out_u64(json, "seq", event->seq);
	json_out_i64(json, "at_ms", event->sent_ms);
	json_out_i64(json, "offset_ms", event->sent_ms - timeline->zero_ms);
	json_out_word(json, "type", stream_event_name(event->type));
	json_out_text(json, "user_id", event->user_id);
	json_out_text(json, "stream_id", event->stream_id);
	json_out_u64(json, "stream_seq", event->stream_seq);
	json_out_u64(json, "cause", event->cause);
	json_out_word(json, "text", bytes);
}

static void print(const struct cli *cli, const struct timeline *timeline)
{
	bool json = cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL;
	struct json_rows list;

	if (json)
		json_rows_begin(&list, stdout, cli->format);
	for (size_t i = 0; i < timeline->story->count; i++) {
		const struct stream_event *event = &timeline->story->events[i];

		if (!belongs(timeline, event))
			continue;
		if (json) {
			print_row(timeline, event, json_row_open(&list));
			json_row_close(&list);
		} else {
			print_line(timeline, event, cli->colour);
		}
	}
	if (json)
		json_rows_end(&list);
}

/* Whether the first of its events that are kept is its first at all. */
static void say_missing(const struct timeline *timeline)
{
	const struct stream_event *first = story_find(timeline->story, timeline->first_seq);

	if (first && first->type == EVENT_STREAM_OPENED)
		return;
	say("its beginning is not kept: the history begins with #%" PRIu64,
	    timeline->story->oldest_seq);
}

static int run(const struct cli *cli, const struct option_words *words)
{
	const struct past past = { .word = words->items[0], .replay = values.replay };
	struct story story = { 0 };
	struct timeline timeline = { .story = &story };
	int r = past_fetch(cli, &past, &story, &timeline.stream);

	if (r == EXIT_DONE) {
		measure(&timeline);
		say_missing(&timeline);
		print(cli, &timeline);
	}
	story_fini(&story);
	return r;
}

const struct command command_timeline = {
	.name = "timeline",
	.words_usage = "STREAM|USER",
	.summary = "show the story of one stream, event by event",
	.about =
		"One line for every kept event of a stream, and of its user while it ran: phone "
		"link,\n"
		"glasses, apps.  Columns: number in the story, time, time since the stream was "
		"opened,\n"
		"event, what it says, <- the event that led to it.  Of a user: the newest stream.\n"
		"`weir why` says in short what this shows at length.\n"
		"\n"
		"exit status: 0 shown; 1 nothing is kept about it; 2 cannot connect; 3 no answer\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
