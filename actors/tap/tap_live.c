/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_live.h"

#include <string.h>

#include "actors/tap/tap_clock.h"

void live_init(struct live *live, const struct live_options *options, struct output *output)
{
	*live = (struct live){ .options = *options, .output = output };
}

static void finish(struct live *live, int code)
{
	if (live->finished)
		return;
	live->finished = true;
	live->code = code;
}

static void print(struct live *live, const struct record *record)
{
	char *line = output_room(live->output, PRINT_LINE_MAX);

	output_take(live->output, print_record(&live->options.style, record, line));
}

static struct record make_record(enum record_type type, const struct source *source,
				 const struct gap_track *track)
{
	return (struct record){
		.type = type,
		.source = source->name,
		.topic = track == &source->ops ? "ops" : "story",
		.incarnation = track->incarnation,
		.sent_ms = clock_wall_ms(),
	};
}

void live_record(struct live *live, const struct record *record)
{
	print(live, record);
	if (live->options.strict && record->type != RECORD_RESTART)
		finish(live, EXIT_GAP);
}

static void drop(struct live *live, const struct source *source, uint64_t count)
{
	const struct gap_track *track = source->story.known ? &source->story : &source->ops;
	struct record record = make_record(RECORD_DROPPED, source, track);

	record.count = count;
	live_record(live, &record);
}

void live_lost(struct live *live, const struct source *source)
{
	drop(live, source, 1);
}

void live_event(struct live *live, const struct stream_event *event)
{
	live->filled++;
	if (live->finished)
		return;
	enum range_place place = range_place(&live->options.range, event);

	if (place == RANGE_BEHIND) {
		live->behind = true;
		finish(live, EXIT_DONE);
	}
	if (place != RANGE_INSIDE || !filter_passes(&live->options.filter, event))
		return;
	char *line = output_room(live->output, PRINT_LINE_MAX);

	output_take(live->output, print_event(&live->options.style, event, line));
	live->printed++;
	if (expects_see(&live->expects, event) || live->printed == live->options.count_max)
		finish(live, EXIT_DONE);
}

void live_row(struct live *live, const struct stream_event *event)
{
	const struct filter *filter = &live->options.filter;
	const uint64_t before = live->row_seq;
	/* What fills a gap is counted already. */
	const bool dense = !live->filling && !filter->user && !filter->stream;

	live->row_seq = event->seq;
	if (dense && before != 0 && event->seq > before + 1 && !live->finished &&
	    range_place(&live->options.range, event) == RANGE_INSIDE)
		live_record(live, &(struct record){ .type = RECORD_GAP,
						    .source = "registry",
						    .topic = "story",
						    .from_seq = before + 1,
						    .count = event->seq - before - 1,
						    .sent_ms = clock_wall_ms() });
	live_event(live, event);
}

/* Events of the story that are not there: out of the history if that is wanted, else a gap. */
static void fill(struct live *live, const struct source *source, const struct gap_track *track,
		 uint64_t from_seq, uint64_t missed)
{
	live->filled = 0;
	live->filling = true;
	if (live->options.backfill && track == &source->story) {
		int r = live->options.backfill(live, from_seq, from_seq + missed);

		if (r != EXIT_DONE)
			finish(live, r);
	}
	if (live->finished || live->filled >= missed)
		return;

	struct record record = make_record(RECORD_GAP, source, track);

	/* The history loses its oldest events first. */
	record.from_seq = from_seq;
	record.count = missed - live->filled;
	live_record(live, &record);
}

static void report(struct live *live, const struct source *source, const struct gap_track *track,
		   const struct frame_head *head, const struct gap_report *gap)
{
	if (gap->restarted) {
		struct record record = make_record(RECORD_RESTART, source, track);

		record.previous = gap->previous;
		record.from_seq = head->first_seq;
		print(live, &record);
	}
	if (gap->missed > 0)
		fill(live, source, track, gap->from_seq, gap->missed);
	/* Everything in front of the first head is history; what comes behind it, comes live. */
	live->filling = false;
	if (gap->first && live->options.backfill && track == &source->story &&
	    head->first_seq > 1 && head->first_seq > live->options.range.from_seq) {
		int r = live->options.backfill(live, live->options.range.from_seq, head->first_seq);

		if (r != EXIT_DONE)
			finish(live, r);
	}
}

static void read_events(struct live *live, const struct source *source, unsigned count,
			unsigned skip, struct wire *events)
{
	uint64_t dropped = 0;
	unsigned i;

	for (i = 0; i < count && !live->finished; i++) {
		struct stream_event event;
		int r = stream_event_read(events, &event);

		if (r == STREAM_EVENT_E_MALFORMED)
			break; /* where the next one begins is not known */
		if (r == 0 && !event_is_published(event.type))
			dropped++;
		else if (r == 0 && i >= skip)
			live_event(live, &event);
	}
	if (live->finished)
		return;
	dropped += count - i;
	if (dropped == 0 && events->at != events->end)
		dropped = 1; /* bytes behind the last event */
	if (dropped > 0)
		drop(live, source, dropped);
}

/* Filters may hold back the very event that is the last one wanted. */
static void see_end(struct live *live, const struct gap_track *track)
{
	const struct when *until = &live->options.range.until;

	if (live->finished || until->kind != WHEN_SEQ || track->next_seq <= until->seq)
		return;
	live->behind = true;
	finish(live, EXIT_DONE);
}

void live_message(struct live *live, struct source *source, const uint8_t *bytes, size_t length)
{
	struct gap_track *track = NULL;
	struct gap_report gap;
	struct frame_head head;
	struct wire events;

	if (length == FRAME_TOPIC_SIZE && memcmp(bytes, TOPIC_WELCOME, FRAME_TOPIC_SIZE) == 0) {
		source->welcomed = true;
		return;
	}
	if (frame_read(bytes, length, &head, &events)) {
		if (memcmp(head.topic, TOPIC_STORY, FRAME_TOPIC_SIZE) == 0)
			track = &source->story;
		else if (memcmp(head.topic, TOPIC_OPS, FRAME_TOPIC_SIZE) == 0)
			track = &source->ops;
	}
	if (!track || !gap_see(track, &head, track == &source->story, &gap)) {
		drop(live, source, 1);
		return;
	}
	report(live, source, track, &head, &gap);
	if (!live->finished)
		read_events(live, source, head.count, gap.skip, &events);
	if (track == &source->story)
		see_end(live, track);
}
