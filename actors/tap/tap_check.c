/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_check.h"

#include <inttypes.h>

#include "common/phase.h"

struct row {
	const char *word, *unit;
	bool below;
	const char *meaning;
};

#define CHECK_ROW(NAME, word, unit, below, meaning) { word, unit, below, meaning },
static const struct row rows[CHECK_FACT_COUNT] = { CHECK_FACTS(CHECK_ROW) };

static const char *const level_names[] = {
	[CHECK_OK] = "OK",
	[CHECK_WARNING] = "WARNING",
	[CHECK_CRITICAL] = "CRITICAL",
	[CHECK_UNKNOWN] = "UNKNOWN",
};

static void count_stream(struct check *check, const struct mirror_stream *stream, int64_t now_ms)
{
	int64_t age_s = (now_ms - stream->activity_ms) / 1000;

	check->phases[stream->phase]++;
	check->facts[CHECK_ACTIVE] += phase_active(stream->phase);
	check->facts[CHECK_SUSPECT] += stream->phase == PHASE_SUSPECT;
	check->facts[CHECK_STUCK] += stream->stuck != NULL;
	if (mirror_input_owed(stream))
		check->facts[CHECK_INPUTS_OWED]++;
	else if (stream->managed && stream->managed->input == INPUT_READY)
		check->facts[CHECK_INPUTS_IN_USE]++;
	if (stream->phase != PHASE_CLOSED)
		return;
	check->facts[CHECK_OWED]++;
	if (age_s > check->facts[CHECK_OWED_AGE])
		check->facts[CHECK_OWED_AGE] = age_s;
}

void check_count(struct check *check, const struct mirror *mirror, int64_t now_ms)
{
	for (size_t i = 0; i < PHASE_COUNT; i++)
		check->phases[i] = 0;
	for (enum check_fact fact = CHECK_ACTIVE; fact <= CHECK_INPUTS_OWED; fact++)
		check->facts[fact] = 0;
	for (size_t i = 0; i < mirror->stream_count; i++)
		if (mirror->streams[i].phase < PHASE_COUNT)
			count_stream(check, &mirror->streams[i], now_ms);
	for (size_t i = 0; i < mirror->gateway_count; i++)
		check->facts[mirror->gateways[i].state == LINK_UP ? CHECK_GATEWAYS_UP
								  : CHECK_GATEWAYS_LOST]++;
	if (!mirror->store_known)
		return;
	check->facts[CHECK_QUARANTINED] = (int64_t)mirror->quarantined;
	check->facts[CHECK_ROWS_DAMAGED] = (int64_t)mirror->rows_damaged;
}

void check_provider(struct check *check, const struct stream_event *report)
{
	int64_t used = (int64_t)report->provider_report.used;
	int64_t limit = (int64_t)report->provider_report.limit;

	check->facts[CHECK_PROVIDER] = 1;
	check->facts[CHECK_INPUTS_LEAKED] = (int64_t)report->provider_report.leaks;
	check->facts[CHECK_QUOTA_USED] = used;
	if (limit <= 0)
		return; /* it is not limited */
	check->facts[CHECK_QUOTA_LIMIT] = limit;
	check->facts[CHECK_QUOTA] = used * 100 / limit;
}

static bool is_reached(enum check_fact fact, int64_t value, int64_t limit)
{
	if (limit == 0)
		return false;
	return rows[fact].below ? value < limit : value >= limit;
}

enum check_level check_level(const struct check *check, const struct check_limits *limits,
			     enum check_fact fact)
{
	int64_t value = check->facts[fact];

	if (value < 0)
		return CHECK_OK; /* whatever kept it from being known has a fact of its own */
	if (is_reached(fact, value, limits->critical[fact]))
		return CHECK_CRITICAL;
	return is_reached(fact, value, limits->warning[fact]) ? CHECK_WARNING : CHECK_OK;
}

enum check_level check_worst(const struct check *check, const struct check_limits *limits)
{
	enum check_level worst = CHECK_OK;

	for (enum check_fact fact = 0; fact < CHECK_FACT_COUNT; fact++) {
		enum check_level level = check_level(check, limits, fact);

		worst = level > worst ? level : worst;
	}
	return worst;
}

/* Facts that are true or false, as people read them. */
static const char *const true_words[CHECK_FACT_COUNT] = {
	[CHECK_REACHABLE] = "reachable",
	[CHECK_STORY] = "telling its story",
	[CHECK_PROVIDER] = "telling of its provider",
};

/* "12 active", "not reachable" */
static void put_fact(const struct check *check, enum check_fact fact, FILE *to)
{
	if (true_words[fact])
		(void)fprintf(to, "%s%s", check->facts[fact] ? "" : "not ", true_words[fact]);
	else
		(void)fprintf(to, "%s %" PRId64, rows[fact].word, check->facts[fact]);
}

static void put_limit(int64_t limit, FILE *to)
{
	(void)fputc(';', to);
	if (limit != 0)
		(void)fprintf(to, "%" PRId64, limit);
}

static void put_performance(const struct check *check, const struct check_limits *limits, FILE *to)
{
	(void)fputs(" |", to);
	for (enum check_fact fact = CHECK_ANSWER; fact < CHECK_FACT_COUNT; fact++) {
		if (check->facts[fact] < 0)
			continue;
		(void)fprintf(to, " %s=%" PRId64 "%s", rows[fact].word, check->facts[fact],
			      rows[fact].unit);
		if (rows[fact].below)
			continue;
		put_limit(limits->warning[fact], to);
		put_limit(limits->critical[fact], to);
		(void)fputs(";0", to);
	}
	(void)fputc('\n', to);
}

void check_nagios(const struct check *check, const struct check_limits *limits, FILE *to)
{
	static const enum check_fact summary[] = { CHECK_ACTIVE, CHECK_SUSPECT, CHECK_STUCK,
						   CHECK_GATEWAYS_UP };
	const char *between = " - ";

	(void)fprintf(to, "WEIR %s", level_names[check_worst(check, limits)]);
	for (enum check_fact fact = 0; fact < CHECK_FACT_COUNT; fact++) {
		if (check_level(check, limits, fact) == CHECK_OK)
			continue;
		(void)fputs(between, to);
		put_fact(check, fact, to);
		between = ", ";
	}
	for (size_t i = 0; i < sizeof summary / sizeof summary[0]; i++) {
		if (check->facts[summary[i]] < 0 ||
		    check_level(check, limits, summary[i]) != CHECK_OK)
			continue;
		(void)fputs(between, to);
		put_fact(check, summary[i], to);
		between = ", ";
	}
	put_performance(check, limits, to);
}

void check_prom(const struct check *check, FILE *to)
{
	for (enum check_fact fact = 0; fact < CHECK_FACT_COUNT; fact++) {
		if (check->facts[fact] < 0)
			continue;
		const char *prefix = fact >= CHECK_INPUTS_IN_USE && fact <= CHECK_QUOTA
					     ? "weir_"
					     : "weir_check_";
		const char *word = rows[fact].word;

		(void)fprintf(to, "# HELP %s%s %s\n# TYPE %s%s gauge\n%s%s %" PRId64 "\n", prefix,
			      word, rows[fact].meaning, prefix, word, prefix, word,
			      check->facts[fact]);
	}
	if (!check->facts[CHECK_REACHABLE])
		return;
	(void)fputs("# HELP weir_check_streams streams in each phase\n"
		    "# TYPE weir_check_streams gauge\n",
		    to);
	for (enum phase phase = PHASE_REQUESTED; phase < PHASE_COUNT; phase++)
		(void)fprintf(to, "weir_check_streams{phase=\"%s\"} %" PRIu64 "\n",
			      words_name(&phase_words, phase), check->phases[phase]);
}

void check_json(const struct check *check, const struct check_limits *limits, FILE *to)
{
	struct json_out json = { .to = to };

	json_out_open(&json, NULL, '{');
	json_out_word(&json, "state", level_names[check_worst(check, limits)]);
	json_out_open(&json, "problems", '[');
	for (enum check_fact fact = 0; fact < CHECK_FACT_COUNT; fact++)
		if (check_level(check, limits, fact) != CHECK_OK)
			json_out_word(&json, NULL, rows[fact].word);
	json_out_close(&json, ']');
	for (enum check_fact fact = 0; fact < CHECK_FACT_COUNT; fact++) {
		if (true_words[fact] && (fact != CHECK_PROVIDER || check->facts[fact] >= 0))
			json_out_bool(&json, rows[fact].word, check->facts[fact] > 0);
		else if (check->facts[fact] >= 0)
			json_out_i64(&json, rows[fact].word, check->facts[fact]);
	}
	if (check->facts[CHECK_REACHABLE] > 0) {
		json_out_open(&json, "phases", '{');
		for (enum phase phase = PHASE_REQUESTED; phase < PHASE_COUNT; phase++)
			json_out_u64(&json, words_name(&phase_words, phase), check->phases[phase]);
		json_out_close(&json, '}');
	}
	json_out_close(&json, '}');
	(void)fputc('\n', to);
}
