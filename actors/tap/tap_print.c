/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_print.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "proto/escape.h"

#define NAME_COLUMNS 18 /* stream.stop_settled is the only longer name */
#define WHO_COLUMNS 24
#define STREAM_COLUMNS 11 /* as long as our stream ids */
#define CLOCK_SIZE 16

struct line {
	char *bytes;
	size_t size, used;
	bool colour;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *format, ...)
{
	size_t left = line->size - line->used;
	va_list args;

	va_start(args, format);
	int length = vsnprintf(line->bytes + line->used, left, format, args);
	va_end(args);
	assert(length >= 0);
	line->used += (size_t)length < left ? (size_t)length : left - 1;
}

static void put_escaped(struct line *line, struct text text)
{
	line->used += strlen(escape_put(text, line->bytes + line->used, line->size - line->used));
}

/* Padded to @columns; what is longer pushes the rest of the line to the right. */
static void put_column(struct line *line, struct text text, size_t columns)
{
	size_t start = line->used;

	put_escaped(line, text);
	for (size_t used = text_columns(line->bytes + start); used < columns; used++)
		put(line, " ");
	put(line, " ");
}

static void put_colour(struct line *line, enum colour colour)
{
	if (line->colour)
		put(line, "%s", colour_code(colour));
}

static const char *clock_text(int64_t unix_ms, char buffer[static CLOCK_SIZE])
{
	static time_t minute = -1; /* localtime_r() costs more than the rest of a line */
	static struct tm local;
	time_t seconds = unix_ms / 1000;

	if (unix_ms <= 0)
		return "--:--:--.---";
	if (minute != seconds / 60) {
		if (!localtime_r(&seconds, &local))
			return "--:--:--.---";
		minute = seconds / 60;
	}
	(void)snprintf(buffer, CLOCK_SIZE, "%02u:%02u:%02u.%03u", (unsigned)local.tm_hour % 24,
		       (unsigned)local.tm_min % 60, (unsigned)(seconds % 60),
		       (unsigned)(unix_ms % 1000));
	return buffer;
}

static enum colour event_colour(const char *name)
{
	static const struct {
		const char *prefix;
		enum colour colour;
	} rows[] = {
		{ "stream.closed", COLOUR_RED }, { "stream.", COLOUR_GREEN },
		{ "session.", COLOUR_CYAN },	 { "link.", COLOUR_CYAN },
		{ "glasses.", COLOUR_CYAN },	 { "app.", COLOUR_BLUE },
		{ "gateway.", COLOUR_MAGENTA },	 { "probe.missed", COLOUR_YELLOW },
		{ "probe.", COLOUR_DIM },	 { "actor.", COLOUR_DIM },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strncmp(name, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].colour;
	return COLOUR_NONE;
}

/* The fields that have no column of their own; proto/ escapes and redacts them. */
static void put_rest(struct line *line, const struct stream_event *event)
{
	static char text[PRINT_LINE_MAX];
	struct stream_event rest = *event;

	rest.source = rest.user_id = rest.stream_id = TEXT("");
	rest.incarnation = rest.origin = rest.request = 0;
	rest.sent_ms = rest.expires_ms = 0;
	(void)stream_event_line(&rest, text, sizeof text);
	const char *fields = strchr(text, ' ');

	if (fields)
		put(line, "%s", fields + 1);
}

static size_t finish(struct line *line)
{
	assert(line->used + 1 < line->size); /* cut off otherwise: see PRINT_LINE_MAX */
	line->bytes[line->used++] = '\n';
	return line->used;
}

static size_t print_for_people(const struct print_style *style, const struct stream_event *event,
			       char *out)
{
	struct line line = { .bytes = out, .size = PRINT_LINE_MAX, .colour = style->colour };
	const char *name = stream_event_name(event->type);
	char clock[CLOCK_SIZE];

	put_colour(&line, COLOUR_DIM);
	put(&line, "%s ", clock_text(event->sent_ms, clock));
	put_colour(&line, COLOUR_NONE);
	put_colour(&line, event_colour(name));
	put_column(&line, text_of(name), NAME_COLUMNS);
	put_colour(&line, COLOUR_NONE);
	put_column(&line, event->user_id.length > 0 ? event->user_id : TEXT("-"), WHO_COLUMNS);
	put_column(&line, event->stream_id.length > 0 ? event->stream_id : TEXT("-"),
		   STREAM_COLUMNS);
	put_colour(&line, COLOUR_DIM);
	put_escaped(&line, event->source);
	put(&line, " ");
	put_colour(&line, COLOUR_NONE);
	put_rest(&line, event);
	return finish(&line);
}

size_t print_event(const struct print_style *style, const struct stream_event *event, char *line)
{
	if (!style->json)
		return print_for_people(style, event, line);
	ssize_t length = stream_event_json(event, line, PRINT_LINE_MAX - 1);

	assert(length > 0);
	line[length++] = '\n';
	return (size_t)length;
}

static const char *const record_names[] = {
	[RECORD_GAP] = "tap.gap",
	[RECORD_RESTART] = "tap.restart",
	[RECORD_DROPPED] = "tap.dropped",
};

/* The members of every event are there, so that a reader need not tell records apart first. */
static void record_json(struct line *line, const struct record *record)
{
	put(line,
	    "{\"type\":\"%s\",\"source\":\"%s\",\"topic\":\"%s\",\"incarnation\":%" PRIu64
	    ",\"seq\":0,\"cause\":0,\"user_id\":\"\",\"stream_id\":\"\",\"epoch\":0,"
	    "\"stream_seq\":0,\"sent_ms\":%" PRId64,
	    record_names[record->type], record->source, record->topic, record->incarnation,
	    record->sent_ms);
	switch (record->type) {
	case RECORD_GAP:
		put(line, ",\"from_seq\":%" PRIu64 ",\"missed\":%" PRIu64, record->from_seq,
		    record->count);
		break;
	case RECORD_RESTART:
		put(line, ",\"previous\":%" PRIu64 ",\"next_seq\":%" PRIu64, record->previous,
		    record->from_seq);
		break;
	case RECORD_DROPPED:
		put(line, ",\"dropped\":%" PRIu64, record->count);
		break;
	}
	put(line, "}");
}

static void record_for_people(struct line *line, const struct record *record)
{
	char clock[CLOCK_SIZE];

	put_colour(line, COLOUR_DIM);
	put(line, "%s ", clock_text(record->sent_ms, clock));
	put_colour(line, COLOUR_NONE);
	put_colour(line, record->type == RECORD_RESTART ? COLOUR_YELLOW : COLOUR_RED);
	put(line, "%-*s ", NAME_COLUMNS, record_names[record->type]);
	switch (record->type) {
	case RECORD_GAP:
		put(line, "%" PRIu64 " events of %s (%s) were missed, from seq %" PRIu64 " on",
		    record->count, record->source, record->topic, record->from_seq);
		break;
	case RECORD_RESTART:
		put(line,
		    "%s was started anew (incarnation %016" PRIx64 ", %s from seq %" PRIu64 " on)",
		    record->source, record->incarnation, record->topic, record->from_seq);
		break;
	case RECORD_DROPPED:
		put(line, "%" PRIu64 " messages or events of %s could not be read", record->count,
		    record->source);
		break;
	}
	put_colour(line, COLOUR_NONE);
}

size_t print_record(const struct print_style *style, const struct record *record, char *line)
{
	struct line out = { .bytes = line, .size = PRINT_LINE_MAX, .colour = style->colour };

	(style->json ? record_json : record_for_people)(&out, record);
	return finish(&out);
}
