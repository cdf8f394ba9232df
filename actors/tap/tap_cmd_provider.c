/* SPDX-License-Identifier: MIT */
/* tap_cmd_provider.c - `weir provider`: what managed streams have at their provider. */

#include <inttypes.h>
#include <string.h>

#include "actors/tap/tap_inputs.h"
#include "actors/tap/tap_table.h"
#include "proto/escape.h"

#define TIMEOUT_MS 60000 /* a provider that is asked for all pages takes its time */

struct values {
	bool dry_run;
};

static struct values values;

static const struct option_row rows[] = {
	{ .name = "dry-run",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct values, dry_run),
	  .meaning = "reconcile: delete nothing, only say what would be deleted" },
};

static const char *const examples[] = {
	"weir provider ls",
	"weir provider leaks || weir provider reconcile",
	"weir provider reconcile --dry-run",
	"weir provider quota -o json | jq .used_minutes",
	"weir provider ls -o json | jq '.[] | select(.state == \"delete_owed\")'",
	NULL,
};

/* Which rows a question is about, and what a person reads if there are none. */
struct choice {
	bool (*wanted)(const struct inputs_row *row);
	const char *none;
};

static bool is_json(const struct cli *cli)
{
	return cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL;
}

static bool any(const struct inputs_row *row)
{
	(void)row;
	return true;
}

static bool is_leak(const struct inputs_row *row)
{
	return row->leak && !row->deleted;
}

static bool was_leak(const struct inputs_row *row)
{
	return row->leak || row->deleted;
}

static size_t count(const struct inputs *inputs, const struct choice *choice)
{
	size_t found = 0;

	for (size_t i = 0; i < inputs->count; i++)
		found += choice->wanted(&inputs->rows[i]);
	return found;
}

static void row_json(const struct inputs *inputs, const struct inputs_row *row,
		     struct json_out *json)
{
	json_out_text(json, "input_id", row->input_id);
	json_out_word(json, "state", inputs_word(inputs, row));
	json_out_text(json, "stream_id", row->stream_id);
	json_out_text(json, "user_id", row->user_id);
	json_out_text(json, "mark", row->mark);
	json_out_bool(json, "listed", row->listed);
	json_out_bool(json, "leak", row->leak);
	json_out_bool(json, "deleted", row->deleted);
	json_out_u64(json, "age_s", row->age_s);
	json_out_u64(json, "tries", row->tries);
	json_out_i64(json, "next_ms", row->next_ms);
	json_out_text(json, "detail", row->detail);
}

static void print_json(const struct cli *cli, const struct inputs *inputs,
		       const struct choice *choice)
{
	struct json_rows list;

	json_rows_begin(&list, stdout, cli->format);
	for (size_t i = 0; i < inputs->count; i++) {
		if (!choice->wanted(&inputs->rows[i]))
			continue;
		row_json(inputs, &inputs->rows[i], json_row_open(&list));
		json_row_close(&list);
	}
	json_rows_end(&list);
}

static const char *note(const struct inputs_row *row)
{
	if (row->deleted)
		return "deleted";
	return row->input == INPUT_READY && !row->listed ? "not listed" : "";
}

static void add_row(struct text_table *table, const struct inputs *inputs,
		    const struct inputs_row *row)
{
	const char *word = inputs_word(inputs, row);
	char age[TEXT_AGE_SIZE];

	text_table_add(table, row->input_id.length > 0 ? row->input_id : TEXT("(not known)"),
		       COLOUR_NONE);
	text_table_add(table, row->stream_id, COLOUR_NONE);
	text_table_add(table, row->user_id, COLOUR_NONE);
	text_table_add_string(table, word,
			      row->leak			  ? COLOUR_RED
			      : row->input == INPUT_OWED  ? COLOUR_YELLOW
			      : row->input == INPUT_READY ? COLOUR_GREEN
							  : COLOUR_NONE);
	text_table_add_string(table, row->age_s ? text_age((int64_t)row->age_s * 1000, age) : "",
			      COLOUR_NONE);
	text_table_add_string(table, row->tries ? text_age(row->next_ms, age) : "", COLOUR_NONE);
	if (row->tries > 0)
		text_table_add_number(table, row->tries);
	else
		text_table_add_string(table, "", COLOUR_NONE);
	text_table_add_string(table, note(row), COLOUR_YELLOW);
	text_table_add(table, row->detail, COLOUR_NONE);
}

static void print_table(const struct cli *cli, const struct inputs *inputs,
			const struct choice *choice)
{
	static const struct text_table_column columns[] = {
		{ .title = "INPUT", .shrinks_to = 12 },	 { .title = "STREAM" },
		{ .title = "USER", .shrinks_to = 10 },	 { .title = "STATE" },
		{ .title = "AGE", .right = true },	 { .title = "NEXT", .right = true },
		{ .title = "TRIES", .right = true },	 { .title = "NOTE" },
		{ .title = "DETAIL", .shrinks_to = 10 },
	};
	struct text_table table;

	text_table_init(&table, columns, COUNT_OF(columns));
	for (size_t i = 0; i < inputs->count; i++)
		if (choice->wanted(&inputs->rows[i]))
			add_row(&table, inputs, &inputs->rows[i]);
	if (table.cell_count > 0)
		text_table_print(&table, stdout, cli->width, cli->colour);
	else
		(void)puts(choice->none);
	text_table_fini(&table);
}

/* "local, mark x3k9: 2 in use, 0 to delete, 0 leaks, 1 of others; compared 3m ago" */
static void print_totals(const struct inputs *inputs)
{
	const struct stream_event *report = &inputs->report;
	char mark[ESCAPED_SIZE(MARK_MAX)], age[TEXT_AGE_SIZE];

	(void)escape_put(report->provider_report.mark, mark, sizeof mark);
	(void)printf("%s, mark %s: %" PRIu64 " in use, %" PRIu64 " to delete, %" PRIu64
		     " %s, %" PRIu64 " of others; ",
		     words_name(&provider_words, report->provider_report.provider), mark,
		     report->provider_report.in_use, report->provider_report.owed,
		     report->provider_report.leaks,
		     report->provider_report.leaks == 1 ? "leak" : "leaks",
		     report->provider_report.foreign);
	if (report->provider_report.reconciled_age_ms < 0)
		(void)puts("never compared");
	else
		(void)printf("compared %s ago\n",
			     text_age(report->provider_report.reconciled_age_ms, age));
}

static void report_json(const struct inputs *inputs, struct json_out *json)
{
	const struct stream_event *report = &inputs->report;

	json_out_word(json, "provider",
		      words_name(&provider_words, report->provider_report.provider));
	json_out_text(json, "mark", report->provider_report.mark);
	json_out_u64(json, "in_use", report->provider_report.in_use);
	json_out_u64(json, "owed", report->provider_report.owed);
	json_out_u64(json, "leaks", report->provider_report.leaks);
	json_out_u64(json, "foreign", report->provider_report.foreign);
	json_out_u64(json, "deleted", report->provider_report.deleted);
	json_out_u64(json, "used_minutes", report->provider_report.used);
	json_out_u64(json, "limit_minutes", report->provider_report.limit);
	json_out_i64(json, "reconciled_age_ms", report->provider_report.reconciled_age_ms);
	json_out_i64(json, "retry_ms", report->provider_report.retry_ms);
}

/* The report as an object, with the rows of @choice in it unless that is NULL. */
static void print_report_json(const struct inputs *inputs, const struct choice *choice)
{
	struct json_out json = { .to = stdout };

	json_out_open(&json, NULL, '{');
	report_json(inputs, &json);
	if (choice)
		json_out_open(&json, "rows", '[');
	for (size_t i = 0; choice && i < inputs->count; i++) {
		if (!choice->wanted(&inputs->rows[i]))
			continue;
		json_out_open(&json, NULL, '{');
		row_json(inputs, &inputs->rows[i], &json);
		json_out_close(&json, '}');
	}
	if (choice)
		json_out_close(&json, ']');
	json_out_close(&json, '}');
	(void)fputc('\n', stdout);
}

static int print_ls(const struct cli *cli, const struct inputs *inputs)
{
	static const struct choice all = { any, "no inputs" };

	if (is_json(cli)) {
		print_json(cli, inputs, &all);
		return EXIT_DONE;
	}
	print_table(cli, inputs, &all);
	print_totals(inputs);
	return EXIT_DONE;
}

static int print_leaks(const struct cli *cli, const struct inputs *inputs)
{
	static const struct choice leaks = { is_leak, "no leaks" };

	(is_json(cli) ? print_json : print_table)(cli, inputs, &leaks);
	return count(inputs, &leaks) > 0 ? EXIT_USAGE : EXIT_DONE;
}

static int print_reconciled(const struct cli *cli, const struct inputs *inputs)
{
	static const struct choice leaks = { was_leak, "no leaks" };
	static const struct choice left = { is_leak, "" };
	uint64_t deleted = inputs->report.provider_report.deleted;

	if (is_json(cli)) {
		print_report_json(inputs, &leaks);
	} else {
		print_table(cli, inputs, &leaks);
		(void)printf("%" PRIu64 " deleted%s\n", deleted,
			     values.dry_run ? ", because of --dry-run" : "");
		print_totals(inputs);
	}
	return !values.dry_run && count(inputs, &left) > 0 ? EXIT_USAGE : EXIT_DONE;
}

static int print_quota(const struct cli *cli, const struct inputs *inputs)
{
	uint64_t used = inputs->report.provider_report.used;
	uint64_t limit = inputs->report.provider_report.limit;

	if (is_json(cli))
		print_report_json(inputs, NULL);
	else if (limit == 0)
		(void)printf("%" PRIu64 " minutes stored, not limited\n", used);
	else
		(void)printf("%" PRIu64 " of %" PRIu64 " minutes stored, %" PRIu64 "%%\n", used,
			     limit, used * 100 / limit);
	return EXIT_DONE;
}

struct question {
	const char *word;
	bool reconcile;
	int (*print)(const struct cli *cli, const struct inputs *inputs);
};

static const struct question questions[] = {
	{ "ls", false, print_ls },
	{ "leaks", false, print_leaks },
	{ "reconcile", true, print_reconciled },
	{ "quota", false, print_quota },
};

static const struct question *find(const char *word)
{
	for (size_t i = 0; i < COUNT_OF(questions); i++)
		if (strcmp(questions[i].word, word) == 0)
			return &questions[i];
	say("provider takes ls, leaks, reconcile or quota, not '%s'", word);
	return NULL;
}

static int run(const struct cli *cli, const struct option_words *words)
{
	const struct question *question = find(words->items[0]);
	struct inputs inputs = { 0 };

	if (!question)
		return EXIT_USAGE;
	if (values.dry_run && !question->reconcile) {
		say("--dry-run goes with `weir provider reconcile` alone");
		return EXIT_USAGE;
	}
	int r = inputs_fetch(cli, &inputs, question->reconcile, values.dry_run);

	if (r == EXIT_DONE)
		r = inputs_judge(&inputs);
	/* A script may wait as long as it says. */
	if (r == EXIT_USAGE && is_json(cli) && inputs.report.provider_report.retry_ms > 0)
		print_report_json(&inputs, NULL);
	if (r == EXIT_DONE)
		r = question->print(cli, &inputs);
	inputs_fini(&inputs);
	return r;
}

const struct command command_provider = {
	.name = "provider",
	.words_usage = "ls|leaks|reconcile|quota",
	.summary = "show what managed streams have at their provider",
	.about =
		"Asks the managed-adapter, which compares the inputs at the provider with the "
		"registry's\n"
		"records.\n"
		"  ls         every input: of a stream (wanted, ready), of one that is over "
		"(delete_owed,\n"
		"             with its next attempt and how many there were), of nobody\n"
		"  leaks      those that carry this deployment's mark, belong to no record and are "
		"old\n"
		"             enough not to be one that is just being made\n"
		"  reconcile  compare now and delete the leaks; what carries another mark is "
		"never\n"
		"             touched, what a record owes is deleted by its own attempts\n"
		"  quota      minutes stored at the provider, and how many it allows\n"
		"\n"
		"Where the provider's budget of calls is spent, that and the time to wait are "
		"said; with\n"
		"-o json an object with \"retry_ms\" is printed then.\n"
		"\n"
		"exit status: 0 done; 1 leaks: there are some, reconcile: some are left; also "
		"wrong usage,\n"
		"no provider is configured, or no budget; 2 cannot connect; 3 no answer\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.words_min = 1,
	.words_max = 1,
	.timeout_ms = TIMEOUT_MS,
	.run = run,
};
