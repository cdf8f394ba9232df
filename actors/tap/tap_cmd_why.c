/* SPDX-License-Identifier: MIT */
/* tap_cmd_why.c - `weir why`: what ended a stream, where, and what shows it. */

#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_past.h"
#include "actors/tap/tap_why_print.h"

struct values {
	const char *replay;
};

static struct values values;

static const struct option_row rows[] = {
	{ .name = "replay",
	  .kind = OPTION_TEXT,
	  .value = "FILE",
	  .min = 1,
	  .max = 4096,
	  .offset = offsetof(struct values, replay),
	  .meaning = "explain from what `weir tap -o jsonl` wrote; - for stdin" },
};

static const char *const examples[] = {
	"weir why s-4k2j9x1qa",
	"weir why alice@example.com                      # the newest stream of that user",
	"weir why s-4k2j9x1qa -o json | jq -r '.end_cause, .hop, .sentence'",
	"weir why --replay night.jsonl s-4k2j9x1qa",
	NULL,
};

static void print(const struct cli *cli, const struct why *why)
{
	struct json_out json = { .to = stdout };

	if (cli->format != FORMAT_JSON && cli->format != FORMAT_JSONL) {
		why_print(why, stdout, cli->colour);
		return;
	}
	json_out_open(&json, NULL, '{');
	why_json(why, &json);
	json_out_close(&json, '}');
	(void)putchar('\n');
}

static int run(const struct cli *cli, const struct option_words *words)
{
	const struct past past = { .word = words->items[0], .replay = values.replay };
	struct story story = { 0 };
	struct text stream;
	struct why why;
	int r = past_fetch(cli, &past, &story, &stream);

	if (r == EXIT_DONE && why_explain(&story, stream, clock_wall_ms(), &why))
		print(cli, &why);
	story_fini(&story);
	return r;
}

const struct command command_why = {
	.name = "why",
	.words_usage = "STREAM|USER",
	.summary = "explain what ended a stream, or how a live one does",
	.about =
		"Says what ended a stream, at which hop (app, cloud, phone link, glasses, "
		"provider, "
		"output),\n"
		"which events show it, what was tried and what is still owed: 3 to 8 lines.  Times "
		"count\n"
		"from the end (-45.2s is before it).  Of a live stream: its phase and the worst "
		"fact "
		"known.\n"
		"Of a user: the newest stream.  Everything is taken from recorded events and from "
		"the\n"
		"causes they name; what the history no longer has is said to be missing.\n"
		"\n"
		"exit status: 0 explained; 1 nothing is kept about it; 2 cannot connect; 3 no "
		"answer\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
