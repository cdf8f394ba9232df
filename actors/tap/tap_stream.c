/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_stream.h"

#include <stdio.h>

#include "actors/tap/tap_table.h"

void stream_json(const struct mirror *mirror, const struct mirror_stream *stream,
		 struct json_out *json)
{
	const struct mirror_managed *managed = stream->managed;

	json_out_text(json, "stream_id", stream->id);
	json_out_text(json, "user_id", stream->user->id);
	json_out_word(json, "kind", words_name(&kind_words, stream->kind));
	json_out_word(json, "phase", words_name(&phase_words, stream->phase));
	json_out_text(json, "app", stream->package);
	json_out_u64(json, "epoch", stream->epoch);
	/* An unmanaged stream has its owner and nobody else. */
	json_out_u64(json, "viewers", managed ? managed->watching : stream->kind == KIND_UNMANAGED);
	json_out_i64(json, "created_ms", stream->created_ms);
	json_out_i64(json, "activity_ms", stream->activity_ms);
	json_out_u64(json, "missed", stream->missed);
	json_out_word(json, "link_state", words_name(&link_words, stream->user->link_state));
	json_out_text(json, "gateway", mirror_gateway_name(mirror, stream->user->gateway));
	json_out_bool(json, "start_delivered", stream->start_delivered);
	json_out_bool(json, "stop_owed", stream->stop_owed);
	json_out_bool(json, "told_owed", stream->told_owed);
	json_out_word(json, "end_cause", words_name(&end_cause_words, stream->end_cause));
	json_out_word(json, "hop", words_name(&hop_words, stream->hop));
	if (managed) {
		json_out_word(json, "provider", words_name(&provider_words, managed->provider));
		json_out_text(json, "input_id", managed->input_id);
		json_out_word(json, "input", words_name(&input_state_words, managed->input));
		json_out_bool(json, "input_owed", mirror_input_owed(stream));
		json_out_word(json, "ingest", words_name(&ingest_words, managed->ingest));
		json_out_word(json, "playback", words_name(&playback_words, managed->playback));
	}
	if (stream->stuck)
		json_out_word(json, "stuck", stream->stuck);
}

static void append(char note[static STREAM_NOTE_SIZE], const char *text)
{
	size_t used = strlen(note);

	(void)snprintf(note + used, STREAM_NOTE_SIZE - used, "%s%s", used ? ", " : "", text);
}

const char *stream_note(const struct mirror_stream *stream, char note[static STREAM_NOTE_SIZE])
{
	*note = '\0';
	if (stream->stuck)
		append(note, stream->stuck);
	if (stream->stop_owed)
		append(note, "stop owed");
	if (stream->told_owed)
		append(note, "app not told");
	if (mirror_input_owed(stream))
		append(note, "input owed");
	if (stream->phase == PHASE_REQUESTED && !stream->start_delivered)
		append(note, stream->managed ? "input wanted" : "start owed");
	if (stream->managed && stream->managed->playback == PLAYBACK_OVERDUE)
		append(note, "nobody can watch");
	/* Last: a narrow table cuts off the end. */
	if (stream->end_cause != END_NONE)
		append(note, words_name(&end_cause_words, stream->end_cause));
	return note;
}

enum colour stream_phase_colour(enum phase phase)
{
	switch (phase) {
	case PHASE_LIVE:
		return COLOUR_GREEN;
	case PHASE_SUSPECT:
		return COLOUR_RED;
	case PHASE_REQUESTED:
	case PHASE_PROVISIONING:
	case PHASE_STARTING:
	case PHASE_STOPPING:
		return COLOUR_YELLOW;
	case PHASE_CLOSED:
		return COLOUR_DIM;
	case PHASE_NONE:
		break;
	}
	return COLOUR_NONE;
}

static void print_json(const struct mirror *mirror, enum format format,
		       const struct stream_choice *choice)
{
	struct json_rows list;

	json_rows_begin(&list, stdout, format);
	for (size_t i = 0; i < mirror->stream_count; i++) {
		if (!choice->wanted(choice->context, &mirror->streams[i]))
			continue;
		stream_json(mirror, &mirror->streams[i], json_row_open(&list));
		json_row_close(&list);
	}
	json_rows_end(&list);
}

/* How many watch, of a managed stream that runs; else nothing. */
static void add_watching(struct text_table *table, const struct mirror_stream *stream)
{
	if (stream->managed && stream->phase != PHASE_CLOSED)
		text_table_add_number(table, stream->managed->watching);
	else
		text_table_add_string(table, "", COLOUR_NONE);
}

static void add_row(struct text_table *table, const struct mirror_stream *stream, int64_t now_ms)
{
	char age[TEXT_AGE_SIZE], note[STREAM_NOTE_SIZE];
	enum link_state link = stream->user->link_state;

	text_table_add(table, stream->id, COLOUR_NONE);
	text_table_add(table, stream->user->id, COLOUR_NONE);
	text_table_add_string(table, words_name(&kind_words, stream->kind), COLOUR_NONE);
	text_table_add_string(table, words_name(&phase_words, stream->phase),
			      stream_phase_colour(stream->phase));
	text_table_add(table, stream->package, COLOUR_NONE);
	add_watching(table, stream);
	text_table_add_number(table, stream->epoch);
	text_table_add_string(table, text_age(now_ms - stream->created_ms, age), COLOUR_NONE);
	text_table_add_string(table, text_age(now_ms - stream->activity_ms, age), COLOUR_NONE);
	text_table_add_string(table, words_name(&link_words, link),
			      link == LINK_UP ? COLOUR_NONE : COLOUR_RED);
	if (stream->missed > 0)
		text_table_add_number(table, stream->missed);
	else
		text_table_add_string(table, "", COLOUR_NONE);
	text_table_add_string(table, stream_note(stream, note), COLOUR_YELLOW);
}

void streams_print(const struct cli *cli, const struct mirror *mirror, int64_t now_ms,
		   const struct stream_choice *choice)
{
	static const struct text_table_column columns[] = {
		{ .title = "STREAM" },
		{ .title = "USER", .shrinks_to = 10 },
		{ .title = "KIND" },
		{ .title = "PHASE" },
		{ .title = "APP", .shrinks_to = 10, .keeps_end = true },
		{ .title = "WATCH", .right = true },
		{ .title = "EPOCH", .shrinks_to = 6, .right = true, .keeps_end = true },
		{ .title = "AGE", .right = true },
		{ .title = "SEEN", .right = true },
		{ .title = "LINK" },
		{ .title = "MISSED", .right = true },
		{ .title = "NOTE", .shrinks_to = 9 },
	};
	struct text_table table;

	if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL) {
		print_json(mirror, cli->format, choice);
		return;
	}
	text_table_init(&table, columns, COUNT_OF(columns));
	for (size_t i = 0; i < mirror->stream_count; i++)
		if (choice->wanted(choice->context, &mirror->streams[i]))
			add_row(&table, &mirror->streams[i], now_ms);
	if (table.cell_count > 0)
		text_table_print(&table, stdout, cli->width, cli->colour);
	else
		(void)puts(choice->none);
	text_table_fini(&table);
}
