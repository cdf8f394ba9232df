/* SPDX-License-Identifier: MIT */
/* tap_cmd_ls.c - `weir ls`: the streams, as the registry's snapshot tells them. */

#include "actors/tap/tap_call.h"
#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_stream.h"
#include "actors/tap/tap_table.h"

struct values {
	const char *user, *kind, *app, *phase;
	bool all;
};

static struct values values;

#define ROW(name_, kind_, value_, member, max_, meaning_) \
	{ \
		.name = name_, .kind = kind_, .value = value_, .min = 1, .max = max_, \
		.offset = offsetof(struct values, member), .meaning = meaning_ \
	}

static const struct option_row rows[] = {
	ROW("user", OPTION_TEXT, "USER", user, USER_ID_MAX, "only streams of this user"),
	ROW("kind", OPTION_TEXT, "KIND", kind, 16, "only unmanaged or managed ones"),
	ROW("app", OPTION_TEXT, "PACKAGE", app, PACKAGE_MAX, "only streams that this app owns"),
	ROW("phase", OPTION_TEXT, "PHASE", phase, 16, "only streams in this phase, e.g. live"),
	ROW("all", OPTION_FLAG, NULL, all, 0, "also streams that are over but still owe something"),
};

static const char *const examples[] = {
	"weir ls",
	"weir ls --phase suspect",
	"weir ls --all -o json | jq '.[] | select(.stop_owed)'",
	NULL,
};

static bool check_word(const struct words *words, const char *option, const char *word)
{
	if (!word || words_find(words, text_of(word), 0) != 0)
		return true;
	(void)fprintf(stderr, "weir: --%s takes one of:", option);
	for (uint32_t i = 1; i < words->count; i++)
		(void)fprintf(stderr, " %s", words_name(words, i));
	(void)fputc('\n', stderr);
	return false;
}

static bool wanted(const struct mirror_stream *stream)
{
	/* Whoever asks for closed ones means them. */
	bool closed = values.all || (values.phase && strcmp(values.phase, "closed") == 0);

	return (closed || stream->phase != PHASE_CLOSED) &&
	       (!values.user || text_is(stream->user->id, values.user)) &&
	       (!values.app || text_is(stream->package, values.app)) &&
	       (!values.kind || strcmp(values.kind, words_name(&kind_words, stream->kind)) == 0) &&
	       (!values.phase ||
		strcmp(values.phase, words_name(&phase_words, stream->phase)) == 0);
}

static void print_json(const struct mirror *mirror, enum format format)
{
	struct json_rows list;

	json_rows_begin(&list, stdout, format);
	for (size_t i = 0; i < mirror->stream_count; i++) {
		if (!wanted(&mirror->streams[i]))
			continue;
		stream_json(mirror, &mirror->streams[i], json_row_open(&list));
		json_row_close(&list);
	}
	json_rows_end(&list);
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

static void print_table(const struct mirror *mirror, const struct cli *cli)
{
	static const struct text_table_column columns[] = {
		{ .title = "STREAM" },
		{ .title = "USER", .shrinks_to = 10 },
		{ .title = "KIND" },
		{ .title = "PHASE" },
		{ .title = "APP", .shrinks_to = 10, .keeps_end = true },
		{ .title = "EPOCH", .shrinks_to = 6, .right = true, .keeps_end = true },
		{ .title = "AGE", .right = true },
		{ .title = "SEEN", .right = true },
		{ .title = "LINK" },
		{ .title = "MISSED", .right = true },
		{ .title = "NOTE", .shrinks_to = 9 },
	};
	int64_t now_ms = clock_wall_ms();
	struct text_table table;

	text_table_init(&table, columns, COUNT_OF(columns));
	for (size_t i = 0; i < mirror->stream_count; i++)
		if (wanted(&mirror->streams[i]))
			add_row(&table, &mirror->streams[i], now_ms);
	if (table.cell_count > 0)
		text_table_print(&table, stdout, cli->width, cli->colour);
	else
		(void)puts("no streams");
	text_table_fini(&table);
}

static int run(const struct cli *cli, const struct option_words *words)
{
	struct mirror mirror;

	(void)words;
	if (!check_word(&kind_words, "kind", values.kind) ||
	    !check_word(&phase_words, "phase", values.phase))
		return EXIT_USAGE;
	mirror_init(&mirror);
	int r = snapshot_fetch(cli, &mirror);

	if (r == EXIT_DONE && (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL))
		print_json(&mirror, cli->format);
	else if (r == EXIT_DONE)
		print_table(&mirror, cli);
	mirror_fini(&mirror);
	return r;
}

const struct command command_ls = {
	.name = "ls",
	.words_usage = "",
	.summary = "list the streams",
	.about = "Lists the streams, the oldest first.  SEEN is the time since the last sign of "
		 "life,\n"
		 "LINK the socket of the user's phone, MISSED the probes unanswered in a row.  "
		 "Streams\n"
		 "that are over but still owe something (a stop to the device, the end to the app) "
		 "are\n"
		 "shown with --all.  Tables fit the terminal, or 100 columns; -o json cuts nothing "
		 "off.\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.run = run,
};
