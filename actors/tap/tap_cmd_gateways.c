/* SPDX-License-Identifier: MIT */
/* tap_cmd_gateways.c - `weir gateways`: who holds the sockets. */

#include <inttypes.h>

#include "actors/tap/tap_call.h"
#include "actors/tap/tap_table.h"

static const char *const examples[] = {
	"weir gateways",
	"weir gateways -o json | jq -r '.[] | select(.state != \"up\") | .name'",
	NULL,
};

static void print_json(const struct mirror *mirror, enum format format)
{
	struct json_rows list;

	json_rows_begin(&list, stdout, format);
	for (size_t i = 0; i < mirror->gateway_count; i++) {
		const struct mirror_gateway *gateway = &mirror->gateways[i];
		struct json_out *json = json_row_open(&list);

		json_out_text(json, "name", gateway->name);
		json_out_u64(json, "incarnation", gateway->incarnation);
		json_out_word(json, "state", words_name(&link_words, gateway->state));
		json_out_u64(json, "links", gateway->links);
		json_out_u64(json, "apps", gateway->apps);
		json_out_text(json, "reason", gateway->reason);
		json_row_close(&list);
	}
	json_rows_end(&list);
}

static void print_table(const struct mirror *mirror, const struct cli *cli)
{
	static const struct text_table_column columns[] = {
		{ .title = "NAME" },
		{ .title = "INCARNATION" },
		{ .title = "STATE" },
		{ .title = "LINKS", .right = true },
		{ .title = "APPS", .right = true },
		{ .title = "NOTE", .shrinks_to = 12 },
	};
	struct text_table table;

	text_table_init(&table, columns, COUNT_OF(columns));
	for (size_t i = 0; i < mirror->gateway_count; i++) {
		const struct mirror_gateway *gateway = &mirror->gateways[i];
		enum colour colour = gateway->state == LINK_UP ? COLOUR_GREEN : COLOUR_RED;
		char incarnation[24];

		(void)snprintf(incarnation, sizeof incarnation, "%016" PRIx64,
			       gateway->incarnation);
		text_table_add(&table, gateway->name, COLOUR_NONE);
		text_table_add_string(&table, incarnation, COLOUR_DIM);
		text_table_add_string(&table, words_name(&link_words, gateway->state), colour);
		text_table_add_number(&table, gateway->links);
		text_table_add_number(&table, gateway->apps);
		text_table_add(&table, gateway->reason, COLOUR_NONE);
	}
	text_table_print(&table, stdout, cli->width, cli->colour);
	text_table_fini(&table);
}

static int run(const struct cli *cli, const struct option_words *words)
{
	struct mirror mirror;

	(void)words;
	mirror_init(&mirror);
	int r = snapshot_fetch(cli, &mirror);

	if (r != EXIT_DONE)
		;
	else if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)
		print_json(&mirror, cli->format);
	else if (mirror.gateway_count == 0)
		(void)puts("no gateways");
	else
		print_table(&mirror, cli);
	mirror_fini(&mirror);
	return r;
}

const struct command command_gateways = {
	.name = "gateways",
	.words_usage = "",
	.summary = "list the gateways, and how many sockets each holds",
	.about = "Lists the gateways the registry knows.  LINKS are phones with glasses, APPS are "
		 "app\n"
		 "sockets.  up: it beats; lost: it has not beaten for a while, so nothing is known "
		 "of\n"
		 "its sockets; down: it is gone for good.\n",
	.examples = examples,
	.run = run,
};
