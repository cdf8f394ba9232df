/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_print.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "actors/tap/tap_phrase.h"

#define NAME_COLUMNS 18 /* stream.stop_settled is the only longer name */
#define WHO_COLUMNS 24
#define STREAM_COLUMNS 11 /* as long as our stream ids */

struct line {
	struct phrase text;
	bool colour;
};

static void put_colour(struct line *line, enum colour colour)
{
	if (line->colour)
		phrase_put(&line->text, "%s", colour_code(colour));
}

enum colour print_event_colour(const char *name)
{
	static const struct {
		const char *prefix;
		enum colour colour;
	} rows[] = {
		{ "stream.closed", COLOUR_RED },   { "stream.", COLOUR_GREEN },
		{ "session.", COLOUR_CYAN },	   { "link.", COLOUR_CYAN },
		{ "glasses.", COLOUR_CYAN },	   { "app.", COLOUR_BLUE },
		{ "gateway.", COLOUR_MAGENTA },	   { "probe.missed", COLOUR_YELLOW },
		{ "probe.", COLOUR_DIM },	   { "actor.", COLOUR_DIM },
		{ "provider.leak", COLOUR_RED },   { "provider.", COLOUR_DIM },
		{ "deployment.", COLOUR_MAGENTA },
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
		phrase_put(&line->text, "%s", fields + 1);
}

static size_t finish(struct line *line)
{
	assert(line->text.used + 1 < line->text.size); /* cut off otherwise: see PRINT_LINE_MAX */
	line->text.bytes[line->text.used++] = '\n';
	return line->text.used;
}

static size_t print_for_people(const struct print_style *style, const struct stream_event *event,
			       char *out)
{
	struct line line = { .colour = style->colour };
	const char *name = stream_event_name(event->type);
	char clock[TEXT_CLOCK_SIZE];

	phrase_begin(&line.text, out, PRINT_LINE_MAX);
	put_colour(&line, COLOUR_DIM);
	phrase_put(&line.text, "%s ", text_clock(event->sent_ms, clock));
	put_colour(&line, COLOUR_NONE);
	put_colour(&line, print_event_colour(name));
	phrase_put_column(&line.text, text_of(name), NAME_COLUMNS);
	put_colour(&line, COLOUR_NONE);
	phrase_put_column(&line.text, event->user_id.length > 0 ? event->user_id : TEXT("-"),
			  WHO_COLUMNS);
	phrase_put_column(&line.text, event->stream_id.length > 0 ? event->stream_id : TEXT("-"),
			  STREAM_COLUMNS);
	put_colour(&line, COLOUR_DIM);
	phrase_put_text(&line.text, event->source);
	phrase_put(&line.text, " ");
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

bool print_record_named(struct text name, enum record_type *out)
{
	for (unsigned i = 0; i < sizeof record_names / sizeof record_names[0]; i++)
		if (text_is(name, record_names[i])) {
			*out = (enum record_type)i;
			return true;
		}
	return false;
}

/* The members of every event are there, so that a reader need not tell records apart first. */
static void record_json(struct line *line, const struct record *record)
{
	phrase_put(&line->text,
		   "{\"type\":\"%s\",\"source\":\"%s\",\"topic\":\"%s\",\"incarnation\":%" PRIu64
		   ",\"seq\":0,\"cause\":0,\"user_id\":\"\",\"stream_id\":\"\",\"epoch\":0,"
		   "\"stream_seq\":0,\"sent_ms\":%" PRId64,
		   record_names[record->type], record->source, record->topic, record->incarnation,
		   record->sent_ms);
	switch (record->type) {
	case RECORD_GAP:
		phrase_put(&line->text, ",\"from_seq\":%" PRIu64 ",\"missed\":%" PRIu64,
			   record->from_seq, record->count);
		break;
	case RECORD_RESTART:
		phrase_put(&line->text, ",\"previous\":%" PRIu64 ",\"next_seq\":%" PRIu64,
			   record->previous, record->from_seq);
		break;
	case RECORD_DROPPED:
		phrase_put(&line->text, ",\"dropped\":%" PRIu64, record->count);
		break;
	}
	phrase_put(&line->text, "}");
}

static void record_for_people(struct line *line, const struct record *record)
{
	char clock[TEXT_CLOCK_SIZE];

	put_colour(line, COLOUR_DIM);
	phrase_put(&line->text, "%s ", text_clock(record->sent_ms, clock));
	put_colour(line, COLOUR_NONE);
	put_colour(line, record->type == RECORD_RESTART ? COLOUR_YELLOW : COLOUR_RED);
	phrase_put(&line->text, "%-*s ", NAME_COLUMNS, record_names[record->type]);
	switch (record->type) {
	case RECORD_GAP:
		phrase_put(&line->text,
			   "%" PRIu64 " events of %s (%s) were missed, from seq %" PRIu64 " on",
			   record->count, record->source, record->topic, record->from_seq);
		break;
	case RECORD_RESTART:
		phrase_put(&line->text,
			   "%s was started anew (incarnation %016" PRIx64 ", %s from seq %" PRIu64
			   " on)",
			   record->source, record->incarnation, record->topic, record->from_seq);
		break;
	case RECORD_DROPPED:
		phrase_put(&line->text, "%" PRIu64 " messages or events of %s could not be read",
			   record->count, record->source);
		break;
	}
	put_colour(line, COLOUR_NONE);
}

size_t print_record(const struct print_style *style, const struct record *record, char *line)
{
	struct line out = { .colour = style->colour };

	phrase_begin(&out.text, line, PRINT_LINE_MAX);
	(style->json ? record_json : record_for_people)(&out, record);
	return finish(&out);
}
