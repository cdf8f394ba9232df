/* SPDX-License-Identifier: MIT */
/* tap_cmd_audit.c - `weir audit`: recordings in, a verdict on each promise out. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "actors/audit/audit.h"
#include "actors/audit/audit_client_file.h"
#include "actors/tap/tap_command.h"
#include "actors/tap/tap_filter.h"
#include "actors/tap/tap_recording.h"
#include "proto/escape.h"

#define AUDIT_BROKEN 1 /* exit: a promise was not kept */
#define AUDIT_MISUSE 2 /* exit: wrong usage, or a file that cannot be read */
#define PATH_BYTES_MAX 4096
#define BOUND_MAX_MS 86400000
#define MISSED_MAX 100
#define CLIENT_LINE_MAX (128 * 1024) /* bytes: a message of 64 KiB, and what stands beside it */
#define SHOWN_MAX 20 /* findings of one rule in text; -o json has all that are kept */

struct values {
	const char *clients;
	struct audit_options options;
};

static struct values values;

#define ROW(name_, kind_, value_, member, max_, meaning_) \
	{ \
		.name = name_, .kind = kind_, .value = value_, .min = 1, .max = max_, \
		.offset = offsetof(struct values, member), .meaning = meaning_ \
	}

#define WORDS_OF(number) #number
#define DEFAULT(number) " (default " WORDS_OF(number) ")"

static const struct option_row rows[] = {
	ROW("clients", OPTION_TEXT, "FILE", clients, PATH_BYTES_MAX,
	    "what apps and glasses recorded themselves, JSON Lines"),
	ROW("interval", OPTION_NUMBER, "MS", options.interval_ms, BOUND_MAX_MS,
	    "keepalive_interval_ms of that system" DEFAULT(AUDIT_INTERVAL_MS)),
	ROW("ack-timeout", OPTION_NUMBER, "MS", options.ack_timeout_ms, BOUND_MAX_MS,
	    "its ack_timeout_ms" DEFAULT(AUDIT_ACK_TIMEOUT_MS)),
	ROW("missed-max", OPTION_NUMBER, "N", options.missed_max, MISSED_MAX,
	    "its missed_max" DEFAULT(AUDIT_MISSED_MAX)),
	ROW("start-deadline", OPTION_NUMBER, "MS", options.start_deadline_ms, BOUND_MAX_MS,
	    "its start_deadline_ms" DEFAULT(AUDIT_START_DEADLINE_MS)),
	ROW("stop-deadline", OPTION_NUMBER, "MS", options.stop_deadline_ms, BOUND_MAX_MS,
	    "its stop_deadline_ms" DEFAULT(AUDIT_STOP_DEADLINE_MS)),
	ROW("input-deadline", OPTION_NUMBER, "MS", options.input_deadline_ms, BOUND_MAX_MS,
	    "an input owed to the provider is gone after that" DEFAULT(AUDIT_INPUT_DEADLINE_MS)),
};

static const char *const examples[] = {
	"weir tap --ops -o jsonl > night.jsonl           # record; everything, without filters",
	"weir audit night.jsonl",
	"weir audit night.jsonl --clients clients.jsonl  # and what apps and glasses saw",
	"weir audit night.jsonl -o json | jq '.violations[]'",
	"weir audit fast.jsonl --interval 1500 --ack-timeout 1000 --start-deadline 6000 "
	"--stop-deadline 6000 --input-deadline 6000",
	NULL,
};

/* Reading -------------------------------------------------------------------------------------- */

static bool read_clients(struct audit *audit, const char *path)
{
	static char room[CLIENT_LINE_MAX];
	FILE *from = recording_open(path);
	const char *wrong = NULL;
	struct client_line line;
	size_t size = 0, number = 0;
	char *bytes = NULL;
	ssize_t length;

	if (!from)
		return false;
	while (!wrong && (length = getline(&bytes, &size, from)) >= 0) {
		while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
			length--;
		number++;
		if (length == 0)
			continue;
		wrong = length > CLIENT_LINE_MAX
				? "it is too long"
				: client_line_read((struct text){ bytes, (uint32_t)length }, room,
						   sizeof room, &line);
		if (wrong)
			say("%s, line %zu: %s", path, number, wrong);
		else
			audit_client(audit, &line);
	}
	if (ferror(from)) {
		say("cannot read %s: %s", path, strerror(errno));
		wrong = path;
	}
	free(bytes);
	(void)fclose(from);
	return !wrong;
}

static void take(struct audit *audit, enum recorded found, const struct stream_event *event,
		 const struct record *record)
{
	if (found == RECORDED_EVENT && event_is_published(event->type))
		audit_event(audit, event);
	else if (found == RECORDED_RECORD && record->type == RECORD_GAP)
		audit_gap(audit, text_of(record->source), strncmp(record->topic, "story", 5) == 0,
			  record->count);
	else if (found == RECORDED_UNREADABLE ||
		 (found == RECORDED_RECORD && record->type == RECORD_DROPPED))
		audit_unreadable(audit);
}

static bool read_recording(struct audit *audit, const char *path)
{
	FILE *from = recording_open(path);
	struct stream_event event;
	struct recording recording;
	struct record record;
	enum recorded found;

	if (!from)
		return false;
	recording_init(&recording, from);
	while ((found = recording_next(&recording, &event, &record)) != RECORDED_END) {
		if (found != RECORDED_NOTHING)
			audit_line(audit, text_of(recording.line));
		take(audit, found, &event, &record);
	}
	bool broken = ferror(from);

	if (broken)
		say("cannot read %s: %s", path, strerror(errno));
	recording_fini(&recording);
	(void)fclose(from);
	return !broken;
}

/* Printing ------------------------------------------------------------------------------------- */

static void print_finding(const struct audit_finding *finding)
{
	char clock[TEXT_TIME_SIZE], shown[ESCAPED_SIZE(AUDIT_SENTENCE_SIZE)];

	(void)printf("    %s", text_time(finding->ms, clock));
	if (finding->seq)
		(void)printf(" seq %" PRIu64, finding->seq);
	(void)printf(" %s", escape_put(text_of(finding->user), shown, sizeof shown));
	(void)printf(" %s", escape_put(text_of(finding->stream), shown, sizeof shown));
	(void)printf(": %s", escape_put(text_of(finding->sentence), shown, sizeof shown));
	for (unsigned i = 0; i < AUDIT_EVIDENCE_MAX; i++)
		if (finding->evidence[i])
			(void)printf("%s%" PRIu64, i == 0 ? "  [seq " : ", ", finding->evidence[i]);
	(void)printf("%s\n", finding->evidence[0] ? "]" : "");
}

static void print_rule(const struct audit *audit, enum audit_rule rule)
{
	const struct audit_rule_text *text = &audit_rules[rule];
	struct audit_verdict verdict = audit_verdict(audit, rule);
	const struct audit_finding *findings;
	unsigned shown = 0;
	size_t count;

	(void)printf("%-4s %-66s ", text->id, text->title);
	if (verdict.unjudged) {
		(void)printf("not judged: %s\n", verdict.unjudged);
		return;
	}
	(void)printf("checked %" PRIu64 ", violations %" PRIu64 "\n", verdict.checked,
		     verdict.violations);
	if (text->blind)
		(void)printf("     not judged: %s\n", text->blind);
	findings = audit_findings(audit, &count);
	for (size_t i = 0; i < count && shown < SHOWN_MAX; i++)
		if (findings[i].rule == rule) {
			print_finding(&findings[i]);
			shown++;
		}
	if (verdict.violations > shown)
		(void)printf("    and %" PRIu64 " more\n", verdict.violations - shown);
}

static void print_text(const struct audit *audit)
{
	struct audit_summary summary = audit_summary(audit);
	char from[TEXT_TIME_SIZE], to[TEXT_TIME_SIZE];

	(void)printf("%" PRIu64 " events, story %" PRIu64 " to %" PRIu64 ", %s to %s; %" PRIu64
		     " lines of clients\n",
		     summary.events, summary.first_seq, summary.last_seq,
		     text_time(summary.first_ms, from), text_time(summary.last_ms, to),
		     summary.clients);
	if (summary.holes || summary.missed)
		(void)printf("%" PRIu64 " holes, %" PRIu64
			     " events missing by the recording's own count: judgement began anew "
			     "behind each hole\n",
			     summary.holes, summary.missed);
	if (summary.unreadable)
		(void)printf("%" PRIu64 " lines or messages could not be read\n",
			     summary.unreadable);
	if (summary.late)
		(void)printf(
			"%" PRIu64
			" lines of clients stand behind the end of the recording: not judged\n",
			summary.late);
	if (summary.clock_steps)
		(void)printf("the clock was set back %" PRIu64
			     " times: what spans that is not judged by time\n",
			     summary.clock_steps);
	for (unsigned rule = 0; rule < RULE_COUNT; rule++)
		print_rule(audit, (enum audit_rule)rule);
	(void)printf("%" PRIu64 " violations\n", summary.violations);
}

static void print_json_rule(struct json_out *json, const struct audit *audit, enum audit_rule rule)
{
	struct audit_verdict verdict = audit_verdict(audit, rule);

	json_out_open(json, NULL, '{');
	json_out_word(json, "id", audit_rules[rule].id);
	json_out_word(json, "title", audit_rules[rule].title);
	json_out_bool(json, "judged", !verdict.unjudged);
	json_out_u64(json, "checked", verdict.checked);
	json_out_u64(json, "violations", verdict.violations);
	json_out_u64(json, "stuck", verdict.stuck);
	if (verdict.unjudged || audit_rules[rule].blind)
		json_out_word(json, "not_judged",
			      verdict.unjudged ? verdict.unjudged : audit_rules[rule].blind);
	json_out_close(json, '}');
}

static void print_json_finding(struct json_out *json, const struct audit_finding *finding)
{
	json_out_open(json, NULL, '{');
	json_out_word(json, "id", audit_rules[finding->rule].id);
	json_out_u64(json, "seq", finding->seq);
	json_out_i64(json, "ms", finding->ms);
	json_out_word(json, "user_id", finding->user);
	json_out_word(json, "stream_id", finding->stream);
	json_out_word(json, "sentence", finding->sentence);
	json_out_open(json, "evidence", '[');
	for (unsigned i = 0; i < AUDIT_EVIDENCE_MAX; i++)
		if (finding->evidence[i])
			json_out_u64(json, NULL, finding->evidence[i]);
	json_out_close(json, ']');
	json_out_close(json, '}');
}

static void print_json(const struct audit *audit)
{
	struct audit_summary summary = audit_summary(audit);
	struct json_out json = { .to = stdout };
	const struct audit_finding *findings;
	size_t count;

	json_out_open(&json, NULL, '{');
	json_out_u64(&json, "events", summary.events);
	json_out_u64(&json, "first_seq", summary.first_seq);
	json_out_u64(&json, "last_seq", summary.last_seq);
	json_out_u64(&json, "client_lines", summary.clients);
	json_out_u64(&json, "client_lines_late", summary.late);
	json_out_u64(&json, "holes", summary.holes);
	json_out_u64(&json, "missed", summary.missed);
	json_out_u64(&json, "unreadable", summary.unreadable);
	json_out_u64(&json, "clock_steps", summary.clock_steps);
	json_out_u64(&json, "violation_count", summary.violations);
	json_out_open(&json, "rules", '[');
	for (unsigned rule = 0; rule < RULE_COUNT; rule++)
		print_json_rule(&json, audit, (enum audit_rule)rule);
	json_out_close(&json, ']');
	json_out_open(&json, "violations", '[');
	findings = audit_findings(audit, &count);
	for (size_t i = 0; i < count; i++)
		print_json_finding(&json, &findings[i]);
	json_out_close(&json, ']');
	json_out_close(&json, '}');
	(void)putchar('\n');
}

static void choose(int64_t *value, int64_t otherwise)
{
	if (*value == 0)
		*value = otherwise;
}

static int run(const struct cli *cli, const struct option_words *words)
{
	struct audit_options *options = &values.options;
	int code = AUDIT_MISUSE;

	choose(&options->interval_ms, audit_defaults.interval_ms);
	choose(&options->ack_timeout_ms, audit_defaults.ack_timeout_ms);
	choose(&options->missed_max, audit_defaults.missed_max);
	choose(&options->start_deadline_ms, audit_defaults.start_deadline_ms);
	choose(&options->stop_deadline_ms, audit_defaults.stop_deadline_ms);
	choose(&options->input_deadline_ms, audit_defaults.input_deadline_ms);
	struct audit *audit = audit_open(options);

	if ((!values.clients || read_clients(audit, values.clients)) &&
	    read_recording(audit, words->items[0])) {
		audit_end(audit);
		if (audit_summary(audit).events == 0) {
			say("%s is no recording: not one line of it is an event that weir "
			    "publishes",
			    words->items[0]);
		} else {
			code = audit_summary(audit).violations ? AUDIT_BROKEN : EXIT_DONE;
			if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)
				print_json(audit);
			else
				print_text(audit);
		}
	}
	audit_close(audit);
	return code;
}

const struct command command_audit = {
	.name = "audit",
	.words_usage = "FILE",
	.summary = "judge a recording: was every promise kept?",
	.about = "Reads what `weir tap --ops -o jsonl` wrote (- for stdin) and says of each "
		 "promise how often it\n"
		 "could be checked and whether it was broken, with the events that show it.  It "
		 "shares no\n"
		 "decision with the daemons.  Record without filters: what is left out looks like "
		 "lost events.\n"
		 "Holes that the recording owns up to, its beginning and its end are no "
		 "violations.  What a\n"
		 "recording cannot show is said to be not judged, and why.\n"
		 "Clients' lines: {\"t_ms\":UNIX_MS,\"user\":\"...\",\"who\":\"glasses\" or "
		 "\"app:PACKAGE\",\n"
		 "\"direction\":\"in\", \"out\", \"open\" or \"close\",\"message\":{...}}\n"
		 "\n"
		 "exit status: 0 no violation; 1 violations; 2 wrong usage, or a file that cannot "
		 "be read\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.words_min = 1,
	.words_max = 1,
	.misuse = AUDIT_MISUSE,
	.offline = true,
	.run = run,
};
