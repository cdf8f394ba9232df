/* SPDX-License-Identifier: MIT */
/* Goal: every number has one word and every word one number; what is unknown does no harm.
 * Method: walk every table; pin the numbers that other processes and files rely on.
 */
#include <criterion/criterion.h>

#include "proto/words.h"

static const struct words *const tables[] = {
	&role_words,	      &kind_words,  &phase_words,  &link_words,	    &wifi_words,
	&app_state_words,     &hop_words,   &hook_words,   &app_type_words, &notice_words,
	&device_status_words, &timer_words, &result_words, &outcome_words,  &end_cause_words,
};

#define EACH_TABLE(words) \
	for (size_t table_ = 0; table_ < sizeof tables / sizeof tables[0]; table_++) \
		for (const struct words *words = tables[table_]; words; words = NULL)

Test(words, numbers_and_words_are_one_to_one)
{
	EACH_TABLE(words)
	{
		cr_assert_gt(words->count, 1);
		for (uint32_t i = 0; i < words->count; i++) {
			cr_assert(words->names[i], "number %u has no word", i);
			cr_assert_str_eq(words_name(words, i), words->names[i]);
			cr_assert_eq(words_find(words, text_of(words->names[i]), 99), i, "%s",
				     words->names[i]);
		}
	}
}

Test(words, words_are_fit_to_be_shown)
{
	EACH_TABLE(words)
	{
		for (uint32_t i = 0; i < words->count; i++)
			cr_assert_eq(strspn(words->names[i], "abcdefghijklmnopqrstuvwxyz_- "),
				     strlen(words->names[i]), "%s", words->names[i]);
	}
}

Test(words, what_is_unknown_is_a_question_mark)
{
	EACH_TABLE(words)
	{
		cr_assert_str_eq(words_name(words, words->count), "?");
		cr_assert_str_eq(words_name(words, UINT32_MAX), "?");
		cr_assert_eq(words_find(words, TEXT("no such word"), 77), 77);
		cr_assert_eq(words_find(words, (struct text){ 0 }, 77), 77);
		cr_assert_eq(words_find(words, TEXT("?"), 77), 77);
	}
}

/* Numbers are never given to another word. */
Test(words, a_word_that_was_given_up_leaves_a_hole)
{
	static const char *const names[] = { "one", NULL, "three" };
	const struct words words = { .names = names, .count = 3 };

	cr_assert_str_eq(words_name(&words, 1), "?");
	cr_assert_eq(words_find(&words, TEXT("three"), 77), 2);
	cr_assert_eq(words_find(&words, TEXT(""), 77), 77);
}

Test(words, a_beginning_or_a_longer_word_is_not_the_word)
{
	cr_assert_eq(words_find(&phase_words, TEXT("liv"), 77), 77);
	cr_assert_eq(words_find(&phase_words, TEXT("lives"), 77), 77);
	cr_assert_eq(words_find(&phase_words, TEXT("live\0"), 77), 77);
	cr_assert_eq(words_find(&phase_words, TEXT("Live"), 77), 77);
}

Test(words, numbers_of_the_wire_stay)
{
	cr_assert_eq(ROLE_REGISTRY, 1);
	cr_assert_eq(ROLE_OPERATOR, 7);
	cr_assert_eq(KIND_MANAGED, 2);
	cr_assert_eq(PHASE_CLOSED, 7);
	cr_assert_eq(LINK_LOST, 3);
	cr_assert_eq(DEVICE_OTHER, 13);
	cr_assert_eq(END_PROVIDER_ERROR, 17);
	cr_assert_eq(OUTCOME_GIVEN_UP, 6);
	cr_assert_eq(TIMER_GATEWAY_LEASE, 6);
	cr_assert_eq(RESULT_OK, 1, "a result that was never set must be no success");
	cr_assert_eq(RESULT_FAILED, 13);
}

Test(words, counts_fit_the_tables)
{
	cr_assert_eq(role_words.count, ROLE_COUNT);
	cr_assert_eq(kind_words.count, KIND_COUNT);
	cr_assert_eq(phase_words.count, PHASE_COUNT);
	cr_assert_eq(link_words.count, LINK_COUNT);
	cr_assert_eq(wifi_words.count, WIFI_COUNT);
	cr_assert_eq(app_state_words.count, APP_STATE_COUNT);
	cr_assert_eq(app_type_words.count, APP_TYPE_COUNT);
	cr_assert_eq(device_status_words.count, DEVICE_STATUS_COUNT);
	cr_assert_eq(end_cause_words.count, END_CAUSE_COUNT);
	cr_assert_eq(hop_words.count, HOP_COUNT);
	cr_assert_eq(hook_words.count, HOOK_COUNT);
	cr_assert_eq(notice_words.count, NOTICE_COUNT);
	cr_assert_eq(outcome_words.count, OUTCOME_COUNT);
	cr_assert_eq(timer_words.count, TIMER_COUNT);
	cr_assert_eq(result_words.count, RESULT_COUNT);
	cr_assert_leq(ROLE_COUNT, 32, "sets of roles have 32 bits");
}
