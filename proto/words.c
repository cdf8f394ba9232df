/* SPDX-License-Identifier: MIT */
#include "proto/words.h"

#include <stddef.h>

#define NAME(NAME_, number, word) [number] = word,
#define TABLE(lower, LIST) \
	static const char *const lower##_names[] = { LIST(NAME) }; \
	const struct words lower##_words = { lower##_names, \
					     sizeof lower##_names / sizeof lower##_names[0] };

/* clang-format off */
TABLE(role, ROLE_WORDS)
TABLE(kind, KIND_WORDS)
TABLE(phase, PHASE_WORDS)
TABLE(link, LINK_WORDS)
TABLE(wifi, WIFI_WORDS)
TABLE(app_state, APP_STATE_WORDS)
TABLE(app_type, APP_TYPE_WORDS)
TABLE(device_status, DEVICE_STATUS_WORDS)
TABLE(end_cause, END_CAUSE_WORDS)
TABLE(hop, HOP_WORDS)
TABLE(hook, HOOK_WORDS)
TABLE(notice, NOTICE_WORDS)
TABLE(outcome, OUTCOME_WORDS)
TABLE(timer, TIMER_WORDS)
TABLE(result, RESULT_WORDS)
TABLE(provider, PROVIDER_WORDS)
TABLE(input_state, INPUT_STATE_WORDS)
TABLE(ingest, INGEST_WORDS)
TABLE(playback, PLAYBACK_WORDS)
TABLE(viewer, VIEWER_WORDS)
TABLE(output_state, OUTPUT_STATE_WORDS)
TABLE(call_outcome, CALL_OUTCOME_WORDS)
TABLE(damage, DAMAGE_WORDS)
TABLE(bucket, BUCKET_WORDS)
/* clang-format on */

const char *words_name(const struct words *words, uint32_t value)
{
	return value < words->count && words->names[value] ? words->names[value] : "?";
}

uint32_t words_find(const struct words *words, struct text word, uint32_t otherwise)
{
	for (uint32_t i = 0; i < words->count; i++)
		if (words->names[i] && text_is(word, words->names[i]))
			return i;
	return otherwise;
}
