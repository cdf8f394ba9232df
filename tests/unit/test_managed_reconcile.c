/* SPDX-License-Identifier: MIT */
/* Goal: what nobody knows of is deleted once it is old enough, what is somebody else's or in use
 * never is, and operators see all of it.  Method: the registry and the adapter, a provider whose
 * inputs the test lays out.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/managed_stage.h"

#define MARK "marked"
#define OLD 3600

TestSuite(managed_reconcile, .init = stage_ready, .fini = stage_close);

static void interval(void)
{
	stage_pass(stage.options.reconcile_interval_ms + 1000);
}

Test(managed_reconcile, a_leak_is_deleted_at_its_age_and_not_before)
{
	stage_input_add("X1", MARK, OLD);
	stage_input_add("X2", MARK, OLD - 1);
	interval();
	stage_expect("delete X1");
	cr_assert_eq(stage.managed->stats.leaks_deleted, 1);
	cr_assert_eq(stage.managed->stats.leaks, 0);
	stage_input("X2")->age_s = OLD;
	interval();
	stage_expect("delete X2");
}

Test(managed_reconcile, what_is_foreign_is_counted_and_never_touched)
{
	stage_input_add("F1", "", 1000000);
	stage_input_add("F2", "other", 1000000);
	stage_input_add("F3", MARK "x", 1000000);
	interval();
	stage_expect("");
	cr_assert_eq(stage.managed->stats.foreign, 3);
	cr_assert_eq(stage.managed->stats.leaks, 0);
}

Test(managed_reconcile, without_an_age_it_is_as_old_as_we_know_it)
{
	stage_input_add("X1", MARK, 0);
	for (unsigned i = 0; i < 6; i++)
		interval();
	stage_expect("");
	interval();
	stage_expect("delete X1");
}

Test(managed_reconcile, what_something_publishes_to_is_left)
{
	stage_input_add("X1", MARK, OLD)->ingest = INGEST_LIVE;
	stage_input_add("X2", MARK, OLD)->ingest = INGEST_LOST;
	stage_input_add("X3", MARK, OLD)->ingest = INGEST_ENDED;
	interval();
	stage_expect("delete X3");
	cr_assert_eq(stage.managed->stats.leaks, 2);
	stage_input("X1")->ingest = INGEST_IDLE;
	interval();
	stage_expect("delete X1");
}

Test(managed_reconcile, what_is_not_certain_is_left_for_the_next_time)
{
	stage_input_add("X1", MARK, OLD);
	stage_plan(EVENT_PROVIDER_DESCRIBE, CALL_UNKNOWN, "timeout");
	interval();
	stage_expect("");
	stage_plan(EVENT_PROVIDER_DELETE, CALL_RETRY, "busy");
	interval();
	stage_expect("delete X1");
	cr_assert_eq(stage_inputs_there(), 1);
	interval();
	cr_assert_eq(stage_inputs_there(), 0);
}

Test(managed_reconcile, what_is_in_use_or_being_made_or_owed_is_no_leak)
{
	stage.options.leak_age_s = stage.managed->options.leak_age_s = 0;
	stage_watch("pa", 1);
	interval();
	cr_assert_eq(stage_inputs_there(), 1);
	stage_plan(EVENT_PROVIDER_DELETE, CALL_REFUSED, "no");
	stage_plan(EVENT_PROVIDER_DELETE, CALL_REFUSED, "no");
	stage_stop("pa", 2);
	stage_pass(100);
	stage.hold = true;
	stage_watch("pa", 3);
	stage_input_add("I2", MARK, OLD); /* the create is under way, its input shows already */
	stage.hold = false;
	const struct state_stream *stream = stage_active();

	(void)text_put(state_text(&stage.registry->state, stream->id), stage_input("I2")->stream_id,
		       STREAM_ID_MAX + 1);
	stage_forget();
	stage_ask(9, true, false);
	stage_pass(2000);
	cr_assert(stage_said("row I1 delete_owed listed"));
	cr_assert(stage_said("row I2 wanted listed"));
	cr_assert_not(stage_said("delete I"), "%s", stage.log);
	cr_assert(stage_said("leaks=0"));
}

Test(managed_reconcile, a_second_input_of_one_stream_is_a_leak)
{
	stage.honours = false;
	stage_plan_effect(EVENT_PROVIDER_CREATE, CALL_UNKNOWN, "timeout");
	stage_watch("pa", 1);
	stage_pass(1100);
	stage_forget();
	cr_assert_eq(stage_inputs_there(), 2);
	stage_input("I1")->age_s = OLD;
	interval();
	stage_expect("delete I1");
	cr_assert(stage_active());
	cr_assert(stage_input("I2")->there);
}

Test(managed_reconcile, all_pages_are_read)
{
	stage.page_size = 3;
	for (unsigned i = 0; i < 40; i++) {
		char id[16];

		(void)snprintf(id, sizeof id, "X%u", i);
		stage_input_add(id, i % 2 ? MARK : "other", OLD);
	}
	interval();
	cr_assert_eq(stage.managed->stats.leaks_deleted, 20);
	cr_assert_eq(stage.managed->stats.foreign, 20);
	cr_assert_eq(stage_inputs_there(), 0);
}

Test(managed_reconcile, a_page_that_fails_is_asked_for_again)
{
	uint64_t before = stage.managed->stats.reconciled;

	for (unsigned i = 0; i < MANAGED_LIST_TRIES - 1; i++)
		stage_plan(EVENT_PROVIDER_LIST, CALL_RETRY, "busy");
	interval();
	stage_pass(20000);
	cr_assert_eq(stage.managed->stats.reconciled, before + 1);
	for (unsigned i = 0; i < MANAGED_LIST_TRIES; i++)
		stage_plan(EVENT_PROVIDER_LIST, CALL_RETRY, "busy");
	stage_input_add("X1", MARK, OLD);
	interval();
	stage_pass(20000);
	cr_assert_eq(stage.managed->stats.reconciled, before + 1);
	cr_assert_eq(stage_inputs_there(), 1, "half a list deletes nothing");
}

/* Operators ---------------------------------------------------------------------------------- */

Test(managed_reconcile, an_operator_sees_all_and_deletes_nothing)
{
	stage_watch("pa", 1);
	stage_input_add("X1", MARK, OLD);
	stage_input_add("X2", MARK, 5);
	stage_input_add("F1", "", 5);
	stage_forget();
	stage_ask(7, false, false);
	stage_pass(2000);
	stage_expect("row I1 ready listed; row F1 none listed; row X1 none listed leak; "
		     "row X2 none listed; "
		     "report ok in_use=1 owed=0 leaks=1 foreign=1 deleted=0 rows=4");
	stage_ask(8, true, true);
	stage_pass(2000);
	cr_assert(stage_said("leaks=1 foreign=1 deleted=0 rows=4"));
	stage_forget();
	stage_ask(9, true, false);
	stage_pass(2000);
	stage_expect("row I1 ready listed; row F1 none listed; delete X1; "
		     "row X1 none listed leak deleted; row X2 none listed; "
		     "report ok in_use=1 owed=0 leaks=1 foreign=1 deleted=1 rows=4");
}

Test(managed_reconcile, what_is_owed_and_not_listed_has_a_row_too)
{
	stage_watch("pa", 1);
	stage_plan(EVENT_PROVIDER_DELETE, CALL_RETRY, "busy");
	stage_plan(EVENT_PROVIDER_DELETE, CALL_REFUSED, "no");
	stage_stop("pa", 2);
	stage_pass(1500);
	stage_forget();
	stage_input("I1")->there = false;
	stage_ask(7, false, false);
	stage_pass(2000);
	stage_expect("row I1 delete_owed; "
		     "report ok in_use=0 owed=1 leaks=0 foreign=0 deleted=0 rows=1");
}

Test(managed_reconcile, one_operator_at_a_time)
{
	stage.hold = true;
	stage_ask(1, false, false);
	stage_pass(10);
	stage_ask(2, false, false);
	stage_ask(2, false, false);
	stage_ask(3, false, false);
	stage_expect("report refused in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0");
	stage.hold = false;
	stage_release();
	stage_pass(2000);
	stage_expect("report ok in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0; "
		     "report ok in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0");
}

Test(managed_reconcile, a_provider_that_does_not_answer_well)
{
	for (unsigned i = 0; i < MANAGED_LIST_TRIES; i++)
		stage_plan(EVENT_PROVIDER_LIST, CALL_UNCONFIGURED, "token refused");
	stage_ask(1, false, false);
	stage_pass(60000);
	cr_assert(stage_said("report failed"));
}

/* Where the provider takes no calls for minutes, who asks is not left to his time-out. */
Test(managed_reconcile, calls_that_are_held_back_are_said_at_once)
{
	stage_plan(EVENT_PROVIDER_LIST, CALL_RETRY, "the provider's rate limit");
	stage.plans[0].retry_ms = 239001;
	stage_ask(1, false, false);
	stage_pass(10);
	stage_expect("report failed in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0 "
		     "retry_ms=239001: no budget at the provider: calls are held back, again in "
		     "240 s");
	uint64_t before = stage.managed->stats.reconciled;

	stage_pass(238900);
	cr_assert_eq(stage.managed->stats.reconciled, before);
	stage_pass(1000);
	cr_assert_eq(stage.managed->stats.reconciled, before + 1, "records may wait for it");
	stage_ask(2, false, false);
	stage_pass(10);
	stage_expect("report ok in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0");
}

Test(managed_reconcile, a_short_wait_is_waited_for)
{
	stage_plan(EVENT_PROVIDER_LIST, CALL_RETRY, "the provider's rate limit");
	stage.plans[0].retry_ms = MANAGED_HELD_MS;
	stage_ask(1, false, false);
	stage_pass(MANAGED_HELD_MS - 1);
	stage_expect("");
	stage_pass(100);
	stage_expect("report ok in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0");
}

/* With nobody who waits it is asked again when the provider allows it. */
Test(managed_reconcile, a_comparison_of_our_own_waits_as_long_as_it_takes)
{
	uint64_t before = stage.managed->stats.reconciled;

	stage_pass(stage.options.reconcile_interval_ms - 2000);
	stage_plan(EVENT_PROVIDER_LIST, CALL_RETRY, "the provider's rate limit");
	stage.plans[0].retry_ms = 240000;
	stage_pass(239000);
	cr_assert_eq(stage.plans_count, 0);
	cr_assert_eq(stage.managed->stats.reconciled, before);
	stage_pass(5000);
	cr_assert_eq(stage.managed->stats.reconciled, before + 1);
}

Test(managed_reconcile, who_asks_while_our_own_is_held_back_is_told)
{
	stage_pass(stage.options.reconcile_interval_ms - 2000);
	stage_plan(EVENT_PROVIDER_LIST, CALL_RETRY, "the provider's rate limit");
	stage.plans[0].retry_ms = 240000;
	stage_pass(10000);
	cr_assert_eq(stage.plans_count, 0);
	stage_forget();
	stage_ask(1, false, false);
	stage_pass(1000);
	cr_assert_eq(stage_count("report failed"), 1);
	cr_assert_eq(stage_count("no budget at the provider: calls are held back"), 1);
	stage_pass(300000); /* and the comparison goes on */
	cr_assert_eq(stage_count("report"), 1);
}

Test(managed_unconfigured, nothing_is_called)
{
	stage_defaults();
	stage.options.provider = PROVIDER_NONE;
	stage_open();
	stage.log_looks = true;
	stage_watch("pa", 1);
	stage_expect("done 1 INTERNAL_ERROR: Managed streaming is not configured");
	stage_ask(2, true, false);
	stage_expect("report refused in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0");
	stage_pass(1300000);
	stage_expect("");
	stage_close();
}
