/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_why_print.h"

#include <inttypes.h>

#include "actors/tap/tap_phrase.h"

#define HEAD_SIZE 4096 /* two ids and a package, escaped */
#define OFFSET_COLUMNS 7

static void head(const struct why *why, struct phrase *phrase)
{
	char time[TEXT_TIME_SIZE];

	phrase_put_text(phrase, why->stream_id);
	phrase_put(phrase, " of ");
	phrase_put_text(phrase, why->user_id);
	if (why->kind != KIND_NONE)
		phrase_put(phrase, ", %s", words_name(&kind_words, why->kind));
	if (why->package.length > 0) {
		phrase_put(phrase, ", ");
		phrase_put_text(phrase, why->package);
	}
	if (why->ended_ms != 0)
		phrase_put(phrase, ": ended %s", text_time(why->ended_ms, time));
	else
		phrase_put(phrase, why->ended ? ": ended" : ": lives");
	if (why->opened_ms == 0)
		return;
	phrase_put(phrase, why->ended_ms != 0 ? ", " : ", opened ");
	phrase_put_span(phrase, why->reference_ms - why->opened_ms);
	phrase_put(phrase, why->ended_ms != 0 ? " after it was opened" : " ago");
}

static void line(FILE *to, const char *name, const char *text)
{
	(void)fprintf(to, "  %-9s %s\n", name, text);
}

static void print_fact(const struct why *why, const struct why_fact *fact, const char *name,
		       FILE *to)
{
	char bytes[WHY_TEXT_SIZE + 128], clock[TEXT_CLOCK_SIZE];
	struct phrase phrase;

	phrase_begin(&phrase, bytes, sizeof bytes);
	if (fact->at_ms != 0) {
		phrase_put(&phrase, "%s ", text_clock(fact->at_ms, clock));
		phrase_put_offset(&phrase, fact->at_ms - why->reference_ms, OFFSET_COLUMNS);
		phrase_put(&phrase, "  ");
	}
	phrase_put(&phrase, "#%" PRIu64 " %s%s%s", fact->seq, fact->type, *fact->type ? ": " : "",
		   fact->text);
	line(to, name, bytes);
}

static void print_owed(const struct why *why, FILE *to)
{
	char bytes[WHY_OWED_MAX * WHY_TEXT_SIZE];
	struct phrase phrase;

	phrase_begin(&phrase, bytes, sizeof bytes);
	for (size_t i = 0; i < why->owed_count; i++)
		phrase_put(&phrase, "%s%s", i > 0 ? "; " : "", why->owed[i]);
	line(to, "owed", why->owed_count > 0 ? bytes : "nothing");
}

void why_print(const struct why *why, FILE *to, bool colour)
{
	char bytes[HEAD_SIZE];
	struct phrase phrase;

	phrase_begin(&phrase, bytes, sizeof bytes);
	head(why, &phrase);
	(void)fprintf(to, "%s%s%s\n", colour ? colour_code(COLOUR_BOLD) : "", bytes,
		      colour ? colour_code(COLOUR_NONE) : "");
	phrase_begin(&phrase, bytes, sizeof bytes);
	if (why->ended)
		phrase_put(&phrase, "%s, hop %s: ", words_name(&end_cause_words, why->end_cause),
			   words_name(&hop_words, why->hop));
	phrase_put(&phrase, "%s", why->sentence);
	if (why->begins_late) {
		phrase_put(&phrase, " (its beginning is not kept");
		if (why->oldest_seq > 0)
			phrase_put(&phrase, ": the history begins with #%" PRIu64, why->oldest_seq);
		phrase_put(&phrase, ")");
	}
	line(to, why->ended ? "ended by" : "state", bytes);
	for (size_t i = 0; i < why->evidence_count; i++)
		print_fact(why, &why->evidence[i], i == 0 ? "evidence" : "", to);
	if (*why->managed)
		line(to, "provider", why->managed);
	if (*why->tried)
		line(to, "tried", why->tried);
	if (why->ended)
		print_owed(why, to);
}

static void fact_json(const struct why_fact *fact, struct json_out *json)
{
	json_out_open(json, NULL, '{');
	json_out_u64(json, "seq", fact->seq);
	json_out_i64(json, "at_ms", fact->at_ms);
	json_out_word(json, "type", fact->type);
	json_out_word(json, "text", fact->text);
	json_out_close(json, '}');
}

void why_json(const struct why *why, struct json_out *json)
{
	json_out_text(json, "stream_id", why->stream_id);
	json_out_text(json, "user_id", why->user_id);
	json_out_word(json, "kind", words_name(&kind_words, why->kind));
	json_out_text(json, "app", why->package);
	json_out_word(json, "phase", words_name(&phase_words, why->phase));
	json_out_bool(json, "ended", why->ended);
	json_out_word(json, "end_cause", words_name(&end_cause_words, why->end_cause));
	json_out_word(json, "hop", words_name(&hop_words, why->hop));
	json_out_word(json, "sentence", why->sentence);
	json_out_i64(json, "opened_ms", why->opened_ms);
	json_out_i64(json, "ended_ms", why->ended_ms);
	json_out_open(json, "evidence", '[');
	for (size_t i = 0; i < why->evidence_count; i++)
		fact_json(&why->evidence[i], json);
	json_out_close(json, ']');
	json_out_word(json, "provider", why->managed);
	json_out_word(json, "tried", why->tried);
	json_out_open(json, "owed", '[');
	for (size_t i = 0; i < why->owed_count; i++)
		json_out_word(json, NULL, why->owed[i]);
	json_out_close(json, ']');
	json_out_text(json, "replaced_by", why->replaced_by);
	json_out_bool(json, "begins_late", why->begins_late);
	json_out_u64(json, "oldest_seq", why->oldest_seq);
}
