/* SPDX-License-Identifier: MIT */
/* tap_cmd_help.c - `weir help`: commands, and the events that can be filtered and expected. */

#include <string.h>

#include "actors/tap/tap_command.h"
#include "actors/tap/tap_filter.h"
#include "proto/stream_event_table.h"

static const char *const examples[] = {
	"weir help",
	"weir help tap",
	"weir help events          # every event that `weir tap` can show, with its fields",
	NULL,
};

static size_t header_count(void)
{
#define ONE(S, kind, name, arg, flags, since, meaning) +1
	return 0 STREAM_HEADER_FIELDS(ONE, );
#undef ONE
}

static void print_field(const struct field *field)
{
	(void)printf("    %-16s %s%s\n", field->name, field->meaning,
		     field->secret ? " (secret: never shown)" : "");
	if (!field->words)
		return;
	(void)printf("    %-16s   ", "");
	for (uint32_t i = 0; i < field->words->count; i++)
		(void)printf("%s%s", i ? ", " : "", words_name(field->words, i));
	(void)putchar('\n');
}

static void print_events(void)
{
	const struct schema *any = stream_event_schema(EVENT_STREAM_OPENED);

	(void)puts("every event:");
	for (size_t i = 0; i < header_count(); i++)
		print_field(&any->fields[i]);
	for (unsigned type = 0; type <= STREAM_EVENT_TYPE_MAX; type++) {
		const struct schema *schema = stream_event_schema(type);

		if (!event_is_published(type))
			continue;
		(void)printf("%s\n", schema->name);
		for (size_t i = header_count(); i < schema->field_count; i++)
			print_field(&schema->fields[i]);
	}
}

static int run(const struct cli *cli, const struct option_words *words)
{
	if (words->count == 0) {
		program_usage(cli, stdout);
		return EXIT_DONE;
	}
	if (strcmp(words->items[0], "events") == 0) {
		print_events();
		return EXIT_DONE;
	}
	const struct command *command = command_find(cli, words->items[0]);

	if (!command) {
		say("there is no command '%s'; `weir help` lists them", words->items[0]);
		return EXIT_USAGE;
	}
	command_usage(command, stdout);
	return EXIT_DONE;
}

const struct command command_help = {
	.name = "help",
	.words_usage = "[COMMAND|events]",
	.summary = "explain a command, or the events",
	.about = "Explains a command, or lists the events and their fields.\n",
	.examples = examples,
	.words_max = 1,
	.offline = true,
	.run = run,
};
