/* SPDX-License-Identifier: MIT */
#include "common/phase_doc.h"

#include "common/phase.h"

static const char *const trigger_names[TRIGGER_COUNT] = {
	[TRIGGER_START_DELIVERED] = "start delivered",
	[TRIGGER_PROVISIONED] = "provisioned",
	[TRIGGER_DEVICE_STARTING] = "device: starting",
	[TRIGGER_DEVICE_LIVE] = "device: live",
	[TRIGGER_DEVICE_STOPPING] = "device: stopping",
	[TRIGGER_MISSED] = "probe missed",
	[TRIGGER_RECOVERED] = "recovered",
	[TRIGGER_CLOSE] = "end",
};

/* One line each for END_CAUSE_WORDS: what people want to know. */
static const char *const cause_meanings[END_CAUSE_COUNT] = {
	[END_APP_STOP] = "its app asked",
	[END_TAKEOVER] = "another stream of the user took the slot",
	[END_OPERATOR_STOP] = "an operator asked",
	[END_APP_CLOSED] = "the user stopped its app",
	[END_DEVICE_STOPPED] = "the glasses said that they stopped",
	[END_DEVICE_ERROR] = "the glasses reported an error; its text is the detail",
	[END_RECONNECT_FAILED] = "the glasses gave up reconnecting to the ingest",
	[END_DEVICE_TIMEOUT] = "the glasses' own timer ran out",
	[END_PHONE_LOST] = "probes unanswered, the phone's socket was gone",
	[END_GLASSES_LOST] = "probes unanswered, phone there, glasses not connected to it",
	[END_ACKS_MISSED] = "probes unanswered although everything looked connected",
	[END_NEVER_STARTED] = "no sign of life within the start deadline",
	[END_STALLED] = "it had been live, then stayed in an inactive phase",
	[END_SESSION_ENDED] = "the session's grace ran out",
	[END_GATEWAY_LOST] = "probes unanswered, the gateway that held the socket was gone",
	[END_DURATION_LIMIT] = "the limit that the app asked for",
	[END_PROVIDER_ERROR] = "the provider failed",
	[END_RECORD_LOST] = "its record in the registry's store was damaged",
};

static void write_transitions(FILE *to, enum kind kind)
{
	fprintf(to, "\n### %s\n\n| from |", words_name(&kind_words, kind));
	for (int trigger = 1; trigger < TRIGGER_COUNT; trigger++)
		fprintf(to, " %s |", trigger_names[trigger]);
	fputs("\n|---|", to);
	for (int trigger = 1; trigger < TRIGGER_COUNT; trigger++)
		fputs("---|", to);
	fputc('\n', to);
	for (int phase = PHASE_REQUESTED; phase < PHASE_CLOSED; phase++) {
		if (phase_next(kind, (enum phase)phase, TRIGGER_CLOSE) == PHASE_NONE)
			continue;
		fprintf(to, "| `%s` |", words_name(&phase_words, (uint32_t)phase));
		for (int trigger = 1; trigger < TRIGGER_COUNT; trigger++) {
			enum phase next =
				phase_next(kind, (enum phase)phase, (enum phase_trigger)trigger);

			fprintf(to, " %s |",
				next == PHASE_NONE ? "–" : words_name(&phase_words, next));
		}
		fputc('\n', to);
	}
}

static const char *meaning_of(struct status_rule rule)
{
	if (rule.trigger == TRIGGER_NONE)
		return "sign of life";
	return rule.trigger == TRIGGER_CLOSE ? words_name(&end_cause_words, rule.cause)
					     : trigger_names[rule.trigger];
}

static void write_statuses(FILE *to)
{
	fputs("\n## What a device's words mean\n\n| status | unmanaged | managed "
	      "|\n|---|---|---|\n",
	      to);
	for (uint32_t status = 0; status < DEVICE_STATUS_COUNT; status++)
		fprintf(to, "| `%s` | %s | %s |\n", words_name(&device_status_words, status),
			meaning_of(phase_status_rule(KIND_UNMANAGED, (enum device_status)status)),
			meaning_of(phase_status_rule(KIND_MANAGED, (enum device_status)status)));
}

static const char *stop_word(const struct end_rule *rule)
{
	if (rule->stop_if_up)
		return rule->stop_if_down ? "now, or on return" : "now";
	return rule->stop_if_down ? "on return" : "–";
}

static void write_ends(FILE *to)
{
	fputs("\n## Why a stream ends\n\n"
	      "`stop` says when the device is sent `stop_rtmp_stream`: now if its socket is open, "
	      "on "
	      "return if it is not.\n\n"
	      "| cause | meaning | hop | unmanaged: word | stop | managed: word | stop |\n"
	      "|---|---|---|---|---|---|---|\n",
	      to);
	for (uint32_t cause = END_NONE + 1; cause < END_CAUSE_COUNT; cause++) {
		const struct end_rule *direct =
			phase_end_rule(KIND_UNMANAGED, (enum end_cause)cause);
		const struct end_rule *managed =
			phase_end_rule(KIND_MANAGED, (enum end_cause)cause);

		fprintf(to, "| `%s` | %s | %s | %s | %s | %s | %s |\n",
			words_name(&end_cause_words, cause), cause_meanings[cause],
			words_name(&hop_words, direct->hop), direct->word, stop_word(direct),
			managed->word, stop_word(managed));
	}
}

void phase_doc_write(FILE *to)
{
	fputs("# Phases and ends\n\n"
	      "Generated from `common/phase.c` by `weir-phase-doc`; a unit test compares the "
	      "two.\n\n"
	      "A user has one slot for a live stream. It is taken from `requested` to `stopping`. "
	      "A "
	      "closed record stays as a liability until everything it owes is done, and never "
	      "blocks "
	      "a new stream. A transition that is not in the table is refused and counted.\n\n"
	      "## Transitions\n",
	      to);
	write_transitions(to, KIND_UNMANAGED);
	write_transitions(to, KIND_MANAGED);
	write_statuses(to);
	write_ends(to);
}
