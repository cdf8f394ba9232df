/* SPDX-License-Identifier: MIT */
/* audit.c - order, judgements and findings; what is judged stands in the files of the rules. */
#include "actors/audit/audit_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/audit/audit_held.h"
#include "actors/tap/tap_arena.h"
#include "actors/tap/tap_filter.h"
#include "proto/escape.h"

const struct audit_options audit_defaults = {
	.interval_ms = AUDIT_INTERVAL_MS,
	.ack_timeout_ms = AUDIT_ACK_TIMEOUT_MS,
	.start_deadline_ms = AUDIT_START_DEADLINE_MS,
	.stop_deadline_ms = AUDIT_STOP_DEADLINE_MS,
	.input_deadline_ms = AUDIT_INPUT_DEADLINE_MS,
	.missed_max = AUDIT_MISSED_MAX,
};

/* clang-format off */
const struct audit_rule_text audit_rules[RULE_COUNT] = {
	[RULE_I1] = { "I1", "one live stream of a user", NEED_STORY, NULL },
	[RULE_I2] = { "I2", "epochs grow; nothing older changes anything or reaches glasses", NEED_STORY,
		      "addressed messages between processes, whose fences no recording shows" },
	[RULE_I3] = { "I3", "no stop for another stream than the glasses run", NEED_CLIENTS, NULL },
	[RULE_I4] = { "I4", "what was said stays so, over restarts too", NEED_STORY,
		      "that memory and store agree; only what was published is compared" },
	[RULE_I5] = { "I5", "a request has one effect", NEED_STORY,
		      "that a repeated request gets the first answer: answers are not published" },
	[RULE_I6] = { "I6", "an app is told of an end once, and of nothing after it", NEED_STORY, NULL },
	[RULE_I7] = { "I7", "statuses follow the tables of the protocol", NEED_STORY, NULL },
	[RULE_I8] = { "I8", "probes come in their rhythm, and none after the end", NEED_PROBES,
		      "timers that have not fired" },
	[RULE_I9] = { "I9", "only probes with a full window of their own count as missed", NEED_STORY,
		      "acks that glasses sent and that were lost on their way" },
	[RULE_I10] = { "I10", "inputs are recorded before they are made, and deleted only if owed",
		       NEED_CALLS, "inputs that no call and no list named" },
	[RULE_I11] = { "I11", "one input and one start for a managed stream; who watches is known",
		       NEED_STORY, NULL },
	[RULE_I12] = { "I12", "an end has a cause, a hop and evidence", NEED_STORY,
		       "that a replay gives the same records: records are not published" },
	[RULE_I13] = { "I13", "numbers have no hole and no repetition", NEED_STORY, NULL },
	[RULE_I14] = { "I14", "nothing exceeds its limit", NEED_STORY,
		       "tables and queues inside the processes" },
	[RULE_I15] = { "I15", "no secret is published", NEED_STORY,
		       "logs, metrics, argument lists; keys other than those in the clients' recording" },
	[RULE_L1] = { "L1", "a stream whose glasses are gone ends", NEED_OPS, NULL },
	[RULE_L2] = { "L2", "no stream stays in a phase beyond its deadline", NEED_OPS, NULL },
	[RULE_L3] = { "L3", "an owed input is gone in time", NEED_CALLS,
		      "whether the provider could be reached, but for calls that it refused" },
	[RULE_L4] = { "L4", "mirrors equal the registry", NEED_CONNECTIONS, "mirrors are not published" },
	[RULE_L5] = { "L5", "a request of an app that is there is answered", NEED_CLIENTS, NULL },
	[RULE_L6] = { "L6", "after a return dead streams are found", NEED_CONNECTIONS,
		      "see L1, whose bound counts from the last restart" },
};
/* clang-format on */

struct audit *audit_open(const struct audit_options *options)
{
	struct audit *audit = memory_grow(NULL, 1, sizeof *audit);

	*audit = (struct audit){ .options = *options,
				 .era = 1,
				 .probe_era = 1,
				 .call_era = 1,
				 .now_ms = NEVER,
				 .read_ms = NEVER,
				 .calm_ms = NEVER,
				 .failed_ms = NEVER,
				 .list_ms = NEVER,
				 .live_ms = NEVER,
				 .heard_ms = NEVER };
	return audit;
}

void audit_close(struct audit *audit)
{
	if (!audit)
		return;
	for (size_t i = 0; i < audit->streams.count; i++)
		free(((struct audit_stream *)audit->streams.things[i])->viewers);
	for (size_t i = 0; i < audit->clients.count; i++)
		free(((struct audit_client *)audit->clients.things[i])->hearings);
	held_fini(audit);
	audit_index_fini(&audit->streams);
	audit_index_fini(&audit->users);
	audit_index_fini(&audit->sources);
	audit_index_fini(&audit->inputs);
	audit_index_fini(&audit->clients);
	audit_index_fini(&audit->requests);
	free(audit->findings);
	free(audit->traces);
	free(audit->secrets);
	free(audit);
}

/* Judgements ----------------------------------------------------------------------------------- */

static void find(struct audit *audit, enum audit_rule rule, const struct audit_stream *stream,
		 uint64_t evidence, const char *format, va_list arguments)
	__attribute__((format(printf, 5, 0)));

static void find(struct audit *audit, enum audit_rule rule, const struct audit_stream *stream,
		 uint64_t evidence, const char *format, va_list arguments)
{
	const struct stream_event *event = audit->event;
	struct audit_finding *finding;

	audit->verdicts[rule].violations++;
	audit->summary.violations++;
	if (audit->finding_count == AUDIT_FINDINGS_MAX)
		return;
	if (!audit->findings)
		audit->findings = memory_grow(NULL, AUDIT_FINDINGS_MAX, sizeof *audit->findings);
	finding = &audit->findings[audit->finding_count++];
	*finding = (struct audit_finding){ .rule = rule, .ms = audit->now_ms };
	if (event) {
		finding->ms = event->sent_ms;
		finding->seq = event_is_story(event->type) ? event->seq : 0;
		text_put(event->user_id, finding->user, sizeof finding->user);
		text_put(event->stream_id, finding->stream, sizeof finding->stream);
	}
	if (stream) {
		text_put(text_of(stream->user->id), finding->user, sizeof finding->user);
		text_put(text_of(stream->id), finding->stream, sizeof finding->stream);
	}
	if (evidence != finding->seq)
		finding->evidence[0] = evidence;
	finding->evidence[evidence != 0 && evidence != finding->seq] = finding->seq;
	(void)vsnprintf(finding->sentence, sizeof finding->sentence, format, arguments);
}

bool audit_judge(struct audit *audit, enum audit_rule rule, bool holds,
		 const struct audit_stream *stream, uint64_t evidence, const char *format, ...)
{
	va_list arguments;

	audit->verdicts[rule].checked++;
	if (holds)
		return true;
	va_start(arguments, format);
	find(audit, rule, stream, evidence, format, arguments);
	va_end(arguments);
	return false;
}

void audit_stuck(struct audit *audit, enum audit_rule rule, bool stuck,
		 const struct audit_stream *stream, const char *format, ...)
{
	va_list arguments;

	audit->verdicts[rule].checked++;
	if (!stuck)
		return;
	audit->verdicts[rule].stuck++;
	va_start(arguments, format);
	find(audit, rule, stream, stream ? stream->phase_seq : 0, format, arguments);
	va_end(arguments);
}

struct audit_verdict audit_verdict(const struct audit *audit, enum audit_rule rule)
{
	static const struct {
		enum audit_need need;
		const char *why;
	} lacks[] = {
		{ NEED_STORY, "the recording has no events of the registry" },
		{ NEED_PROBES,
		  "the recording has no probe.* events; record with `weir tap --ops`" },
		{ NEED_CALLS, "the recording has no provider.* events; record with `weir tap "
			      "--ops`, managed streams running" },
		{ NEED_OPS, "the recording has no events of the daemons themselves, so restarts do "
			    "not show; record with `weir tap --ops`" },
		{ NEED_CLIENTS, "there is no recording of the clients; see --clients" },
	};
	struct audit_verdict verdict = audit->verdicts[rule];

	if (verdict.checked > 0)
		return verdict;
	verdict.unjudged = "nothing happened that it is about";
	if (audit_rules[rule].needs == NEED_CONNECTIONS)
		verdict.unjudged = audit_rules[rule].blind;
	for (size_t i = 0; i < sizeof lacks / sizeof lacks[0]; i++)
		if (audit_rules[rule].needs == lacks[i].need && !(audit->seen & lacks[i].need))
			verdict.unjudged = lacks[i].why;
	return verdict;
}

const struct audit_finding *audit_findings(const struct audit *audit, size_t *count)
{
	*count = audit->finding_count;
	return audit->findings;
}

struct audit_summary audit_summary(const struct audit *audit)
{
	return audit->summary;
}

/* In order ------------------------------------------------------------------------------------- */

static void judge(struct audit *audit, const struct stream_event *event)
{
	/* Sources that fell silent all at once: a clock, or the tap itself, and not they. */
	if (audit->now_ms != NEVER && event->sent_ms - audit->now_ms > SILENCE_MS)
		audit->calm_ms = event->sent_ms;
	if (event->sent_ms > audit->now_ms)
		audit->now_ms = event->sent_ms;
	audit->event = event;
	audit->summary.events++;
	audit_numbers(audit, event);
	audit_secrets(audit, event);
	if (event_is_story(event->type)) {
		audit->seen |= NEED_STORY;
		audit_trace(audit, event);
		audit_slots(audit, event);
		audit_words(audit, event);
		audit_tellings(audit, event);
		audit_ends(audit, event);
		audit_viewers(audit, event);
		audit_silence(audit, event);
		audit_inputs(audit, event);
		audit_bounds(audit, event);
		audit_learn(audit, event);
		audit_client_told(audit, event);
	} else {
		audit->seen |= NEED_OPS;
		audit_probes(audit, event);
		audit_calls(audit, event);
	}
	audit->event = NULL;
}

/* What a client saw after the last that was recorded of weir cannot be held against it. */
static void judge_client(struct audit *audit, const struct client_line *line)
{
	if (audit->read_ms == NEVER || line->ms > audit->read_ms - TAIL_MS) {
		audit->summary.late++;
		return;
	}
	if (line->ms > audit->now_ms)
		audit->now_ms = line->ms;
	audit->summary.clients++;
	audit->seen |= NEED_CLIENTS;
	audit_heard(audit, line);
}

static void settle(struct audit *audit, int64_t until_ms)
{
	struct audit_held held;

	while (held_take(audit, until_ms, &held)) {
		if (held.line.user.length > 0)
			judge_client(audit, &held.line);
		else
			judge(audit, &held.event);
		free(held.texts);
	}
}

/* The story is read first, so that whoever acted on it does not seem to have been too early. */
static struct audit_source *source_of(struct audit *audit, struct text name, bool story)
{
	struct audit_source *source;
	char key[sizeof source->name];
	int length =
		snprintf(key, sizeof key, "%.*s%s", (int)name.length, name.bytes, story ? "" : "*");
	struct text text = { key, (uint32_t)length };

	source = audit_index_find(&audit->sources, text);
	if (source)
		return source;
	source = audit_index_add(&audit->sources, text, sizeof *source);
	source->story = story;
	source->ms = source->due_ms = NEVER;
	return source;
}

struct audit_source *audit_source_of(struct audit *audit, const struct stream_event *event)
{
	return source_of(audit, event->source, event_is_story(event->type));
}

void audit_event(struct audit *audit, const struct stream_event *event)
{
	struct audit_source *source;
	int64_t due_ms;

	if (event->sent_ms < 0 || event->sent_ms > AUDIT_TIME_MAX_MS) {
		audit_unreadable(audit);
		return;
	}
	source = audit_source_of(audit, event);
	due_ms = event->sent_ms + (source->story ? 0 : LAG_MS);
	if (due_ms > source->due_ms)
		source->due_ms = due_ms;
	if (event->sent_ms > audit->read_ms)
		audit->read_ms = event->sent_ms;
	held_event(audit, source->due_ms, event);
	settle(audit, audit->read_ms - READ_AHEAD_MS);
}

void audit_gap(struct audit *audit, struct text name, bool story, uint64_t count)
{
	if (name.length > NAME_MAX_BYTES)
		return;
	source_of(audit, name, story)->announced += count;
	audit->summary.missed += count;
}

void audit_unreadable(struct audit *audit)
{
	audit->summary.unreadable++;
}

void audit_client(struct audit *audit, const struct client_line *line)
{
	audit_client_secrets(audit, line);
	held_client(audit, line->ms + LAG_MS, line);
}

void audit_end(struct audit *audit)
{
	settle(audit, INT64_MAX);
	audit_bounds_end(audit);
	audit_inputs_end(audit);
	audit_clients_end(audit);
}
