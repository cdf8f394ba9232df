/* SPDX-License-Identifier: MIT */
/* tap_check.h - facts about a running system, judged by thresholds, in the forms that monitoring
 * systems read.  Pure but for the FILE it is told to write to.
 */
#pragma once

#include <stdio.h>

#include "actors/tap/tap_mirror.h"
#include "actors/tap/tap_text.h"

/* C(NAME, word, unit, below, meaning): @below: it is bad if there is less than a threshold. */
#define CHECK_FACTS(C) \
	C(REACHABLE, "reachable", "", true, "1 if the registry answers") \
	C(STORY, "story", "", true, "1 if the story arrives, up to what the registry knows") \
	C(PROVIDER, "provider", "", true, "1 if the managed-adapter tells of its provider") \
	C(ANSWER, "answer_ms", "ms", false, "time until the registry's whole snapshot was there") \
	C(ACTIVE, "active", "", false, "streams that have not ended") \
	C(SUSPECT, "suspect", "", false, "streams whose last probe was not answered") \
	C(STUCK, "stuck", "", false, "streams that have outlived a bound, see ls --stuck") \
	C(GATEWAYS_UP, "gateways_up", "", true, "gateways that beat") \
	C(GATEWAYS_LOST, "gateways_lost", "", false, "gateways that do not") \
	C(OWED, "liabilities", "", false, "ended streams that still owe something") \
	C(OWED_AGE, "liability_age_s", "s", false, "longest since the last event of one of them") \
	C(INPUTS_IN_USE, "inputs_in_use", "", false, "inputs at the provider of streams that run") \
	C(INPUTS_OWED, "inputs_owed", "", false, "inputs that must still be deleted") \
	C(INPUTS_LEAKED, "inputs_leaked", "", false, "inputs with our mark that no record knows") \
	C(QUOTA_USED, "quota_used_minutes", "", false, "minutes stored at the provider") \
	C(QUOTA_LIMIT, "quota_limit_minutes", "", false, "minutes that it allows") \
	C(QUOTA, "quota_percent", "%", false, "how much of that is used") \
	C(HISTORY, "history_s", "s", true, "how far back the history reaches") \
	C(QUARANTINED, "records_quarantined", "", false, \
	  "damaged records of the store in quarantine") \
	C(ROWS_DAMAGED, "rows_damaged", "", false, \
	  "damaged rows of the history that were passed over")

#define CHECK_ENUM(NAME, word, unit, below, meaning) CHECK_##NAME,
enum check_fact { CHECK_FACTS(CHECK_ENUM) CHECK_FACT_COUNT };

/* As Nagios numbers them. */
enum check_level { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

/* 0: none; else it is reached at that number, or below it for facts of which less is bad. */
struct check_limits {
	int64_t warning[CHECK_FACT_COUNT], critical[CHECK_FACT_COUNT];
};

struct check {
	int64_t facts[CHECK_FACT_COUNT]; /* -1: not known */
	uint64_t phases[PHASE_COUNT]; /* streams in each, while reachable */
};

/* check_count() - what @mirror says; stuck streams have been marked (tap_stuck.h). */
void check_count(struct check *check, const struct mirror *mirror, int64_t now_ms);

/* check_provider() - what a provider.report says. */
void check_provider(struct check *check, const struct stream_event *report);

/* check_level() - of one fact, and of all: the worst. */
enum check_level check_level(const struct check *check, const struct check_limits *limits,
			     enum check_fact fact);
enum check_level check_worst(const struct check *check, const struct check_limits *limits);

/* check_nagios() - one line: state, what is wrong, what there is, performance data.
 * check_prom() - the text format of Prometheus, with HELP and TYPE lines; what is of inputs and
 * quota has the names that alarms know it by, weir_inputs_owed and the like. check_json() - one
 * object.
 */
void check_nagios(const struct check *check, const struct check_limits *limits, FILE *to);
void check_prom(const struct check *check, FILE *to);
void check_json(const struct check *check, const struct check_limits *limits, FILE *to);
