/* SPDX-License-Identifier: MIT */
#include "proto/events_doc.h"

#include "proto/stream_event_table.h"

#define ONE(S, kind, name, arg, flags, since, meaning) +1
enum { HEADER_COUNT = 0 STREAM_HEADER_FIELDS(ONE, ) };

static const char head[] =
	"# StreamEvents\n\n"
	"Every message between the processes of weir. Generated from `proto/schema.h` by "
	"`weir-events-doc`; a unit test\n"
	"compares the two. `proto/README.md` describes the wire form, `weir tap` shows the events "
	"live.\n\n"
	"- *kind*: `text`, `JSON` (text that is one JSON value), `list` (a msgpack array), `u64`, "
	"`i64`, `bool`, or the\n"
	"  table of words below that the number stands for.\n"
	"- *limit*: bytes.\n"
	"- **secret** fields are left empty in everything published, and printed redacted.\n"
	"- *since*: version of the protocol that added the field.\n"
	"- *from → to*: the roles that may send the event, and to whom. *published*: on the "
	"sender's outbox; what the\n"
	"  registry publishes is the story, and its events are also the rows of snapshots and of "
	"the history.\n";

/* Events are numbered in groups; see schema.h. */
static const struct group {
	unsigned first;
	const char *title;
} groups[] = {
	{ 1, "Between any two processes" },
	{ 10, "Facts from the edge" },
	{ 30, "Registry to a gateway" },
	{ 50, "Adapter to a gateway" },
	{ 60, "Gateway to an adapter" },
	{ 70, "Commands to the registry, and its results" },
	{ 90, "Keep-alive" },
	{ 100, "The story" },
	{ 140, "Snapshots" },
	{ 150, "Operators and history" },
	{ 170, "Operational events" },
};

static const struct named_words {
	const struct words *words;
	const char *name;
} tables[] = {
	{ &role_words, "role" },
	{ &kind_words, "kind" },
	{ &phase_words, "phase" },
	{ &link_words, "link" },
	{ &wifi_words, "wifi" },
	{ &app_state_words, "app_state" },
	{ &app_type_words, "app_type" },
	{ &device_status_words, "device_status" },
	{ &end_cause_words, "end_cause" },
	{ &hop_words, "hop" },
	{ &hook_words, "hook" },
	{ &notice_words, "notice" },
	{ &outcome_words, "outcome" },
	{ &timer_words, "timer" },
	{ &result_words, "result" },
	{ &provider_words, "provider" },
	{ &input_state_words, "input_state" },
	{ &ingest_words, "ingest" },
	{ &playback_words, "playback" },
	{ &viewer_words, "viewer" },
	{ &output_state_words, "output_state" },
	{ &call_outcome_words, "call_outcome" },
	{ &damage_words, "damage" },
	{ &bucket_words, "bucket" },
};

static const char *words_title(const struct words *words)
{
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if (tables[i].words == words)
			return tables[i].name;
	return "?";
}

static void write_kind(FILE *to, const struct field *field)
{
	static const char *const kinds[] = {
		[FIELD_STR] = "text", [FIELD_JSON] = "JSON", [FIELD_LIST] = "list",
		[FIELD_U64] = "u64",  [FIELD_I64] = "i64",   [FIELD_BOOL] = "bool",
	};

	if (field->kind == FIELD_ENUM)
		fprintf(to, "[%1$s](#%1$s)", words_title(field->words));
	else
		fputs(kinds[field->kind], to);
}

static void write_fields(FILE *to, const struct field *fields, size_t count)
{
	fputs("\n| field | kind | limit | since | meaning |\n|---|---|---|---|---|\n", to);
	for (size_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];

		fprintf(to, "| `%s` | ", field->name);
		write_kind(to, field);
		if (field->limit > 0)
			fprintf(to, " | %zu", field->limit);
		else
			fputs(" | ", to);
		fprintf(to, " | %u | %s%s |\n", field->since, field->secret ? "**secret** " : "",
			field->meaning);
	}
}

static void write_roles(FILE *to, uint32_t roles)
{
	const char *between = "";

	for (uint32_t role = 0; role < role_words.count; role++) {
		if (!(roles & 1u << role))
			continue;
		fprintf(to, "%s%s", between, words_name(&role_words, role));
		between = ", ";
	}
}

static void write_event(FILE *to, unsigned number, const struct schema *schema)
{
	fprintf(to, "\n### %s\n\nNumber %u, at most %zu bytes. ", schema->name, number,
		stream_event_wire_max((enum stream_event_type)number));
	write_roles(to, schema->from);
	fputs(" → ", to);
	if (schema->to == TO_ALL)
		fputs("published", to);
	else
		write_roles(to, schema->to);
	fputs("\n", to);
	if (schema->field_count > HEADER_COUNT)
		write_fields(to, schema->fields + HEADER_COUNT, schema->field_count - HEADER_COUNT);
}

static void write_words(FILE *to)
{
	fputs("\n## Words\n\nNumbers that travel, and the words people see. 0 is \"nothing\" in "
	      "each.\n",
	      to);
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		fprintf(to, "\n### %s\n\n", tables[i].name);
		for (uint32_t value = 0; value < tables[i].words->count; value++)
			fprintf(to, "%s%u `%s`", value > 0 ? ", " : "", value,
				words_name(tables[i].words, value));
		fputs("\n", to);
	}
}

void events_doc_write(FILE *to)
{
	size_t group = 0;

	fputs(head, to);
	fputs("\n## Header\n\nThe fields every event begins with.\n", to);
	write_fields(to, stream_event_schema(EVENT_PEER_HELLO)->fields, HEADER_COUNT);
	for (unsigned number = 0; number <= STREAM_EVENT_TYPE_MAX; number++) {
		const struct schema *schema = stream_event_schema(number);

		if (!schema)
			continue;
		for (; group < sizeof groups / sizeof groups[0] && groups[group].first <= number;
		     group++)
			fprintf(to, "\n## %s\n", groups[group].title);
		write_event(to, number, schema);
	}
	write_words(to);
}
