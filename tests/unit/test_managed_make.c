/* SPDX-License-Identifier: MIT */
/* Goal: an input is made once for each stream, whatever the provider answers and whoever comes or
 * goes meanwhile (protocol.md 5.7, 6.2), and what was made is deleted.  Method: the registry and
 * the adapter, a provider that does as it is told.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/managed_stage.h"

#define WAITING "initializing 'Waiting for stream to start...'"
#define FAILED "INTERNAL_ERROR: Failed to create live stream: "

static void setup(void)
{
	stage_defaults();
	stage_open();
}

static void teardown(void)
{
	stage_pass(700000);
	cr_expect_eq(stage_inputs_there(), 0, "an input is left");
	cr_expect_eq(stage.managed->asks.high, 0, "a request is left");
	cr_expect_eq(stage.managed->stats.calls_open, stage_held(), "a call is left");
	cr_expect_eq(stage.registry->state.streams_count, 0, "a record is left");
	cr_expect_eq(stage.managed->inputs.count, 0, "a name is left");
	stage_close();
}

TestSuite(managed_make, .init = setup, .fini = teardown);

/* What the provider answers ------------------------------------------------------------------ */

Test(managed_make, refused_for_good)
{
	stage_plan(EVENT_PROVIDER_CREATE, CALL_REFUSED, "cf says no");
	stage_watch("pa", 1);
	stage_expect("create S1; done 1 " FAILED "cf says no");
	cr_assert_eq(stage.registry->state.streams_count, 0, "nothing was made, nothing is owed");
}

Test(managed_make, not_configured_after_all)
{
	stage_plan(EVENT_PROVIDER_CREATE, CALL_UNCONFIGURED, "token refused");
	stage_watch("pa", 1);
	stage_expect("create S1; done 1 " FAILED "token refused");
}

Test(managed_make, two_failures_and_then_it_works)
{
	stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, "busy");
	stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, "busy");
	stage_watch("pa", 1);
	stage_pass(2900);
	stage_expect("create S1; create S1");
	stage_pass(200);
	stage_expect("create S1; G start S1 rtmp://in/I1; pa " WAITING "; done 1 ok");
	stage_stop("pa", 2);
}

Test(managed_make, as_many_tries_as_allowed_and_not_one_more)
{
	for (unsigned i = 0; i < 4; i++)
		stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, "busy");
	stage_watch("pa", 1);
	stage_pass(60000);
	stage_expect("create S1; create S1; create S1; done 1 " FAILED "busy");
	cr_assert_eq(stage.plans_count, 1);
	cr_assert_eq(stage.registry->state.streams_count, 0, "nothing can have been made");
}

Test(managed_make, a_pause_that_fits_is_kept_and_one_that_does_not_ends_it)
{
	stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, "busy");
	stage.plans[0].retry_ms = 20000;
	stage_watch("pa", 1);
	stage_pass(19000);
	stage_expect("create S1");
	stage_pass(1100);
	stage_expect("create S1; G start S1 rtmp://in/I1; pa " WAITING "; done 1 ok");
	stage_stop("pa", 2);
	stage_pass(1000);
	stage_forget();
	stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, "slow down");
	stage.plans[0].retry_ms = 28001;
	stage_watch("pa", 3);
	stage_expect("create S2; done 3 " FAILED "slow down");
}

Test(managed_make, the_answer_is_lost_and_the_same_input_comes_back)
{
	stage_plan_effect(EVENT_PROVIDER_CREATE, CALL_UNKNOWN, "timeout");
	stage_watch("pa", 1);
	stage_pass(1100);
	stage_expect("create S1; create S1; G start S1 rtmp://in/I1; pa " WAITING "; done 1 ok");
	cr_assert_eq(stage.inputs_count, 1);
	stage_stop("pa", 2);
}

Test(managed_make, all_answers_are_lost_and_the_input_is_found_and_deleted)
{
	for (unsigned i = 0; i < 3; i++)
		stage_plan_effect(EVENT_PROVIDER_CREATE, CALL_UNKNOWN, "timeout");
	stage_watch("pa", 1);
	stage_pass(3100);
	stage_expect("create S1; create S1; create S1; done 1 " FAILED "timeout");
	cr_assert_eq(stage.registry->state.streams_count, 1, "it is owed until it is looked for");
	stage_pass(14000);
	stage_expect("");
	stage_pass(2000);
	stage_expect("delete I1");
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

Test(managed_make, nothing_was_made_and_two_lists_prove_it)
{
	for (unsigned i = 0; i < 3; i++)
		stage_plan(EVENT_PROVIDER_CREATE, CALL_UNKNOWN, "timeout");
	stage_watch("pa", 1);
	stage_pass(3100 + 16000);
	cr_assert_eq(stage.registry->state.streams_count, 1, "one list proves nothing");
	stage_pass(31000);
	cr_assert_eq(stage.registry->state.streams_count, 0);
	stage_expect("create S1; create S1; create S1; done 1 " FAILED "timeout");
}

Test(managed_make, the_provider_says_yes_and_nothing_else)
{
	for (unsigned i = 0; i < 3; i++) {
		stage_plan(EVENT_PROVIDER_CREATE, CALL_OK, "");
	}
	stage_watch("pa", 1);
	stage_pass(5000);
	stage_expect("create S1; create S1; create S1; done 1 " FAILED
		     "no answer from the provider");
}

/* Races of 5.7 ------------------------------------------------------------------------------- */

Test(managed_make, two_ask_and_one_input_is_made)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_watch("pb", 2);
	stage_watch("pa", 3);
	stage_expect("create S1");
	stage.hold = false;
	stage_release();
	stage_expect("G start S1 rtmp://in/I1; pa " WAITING "; pb " WAITING
		     "; done 1 ok; done 2 ok; done 3 ok");
	stage_stop("pa", 4);
	stage_stop("pb", 5);
}

Test(managed_make, both_are_refused_when_it_fails)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_watch("pb", 2);
	stage_forget();
	stage_plan(EVENT_PROVIDER_CREATE, CALL_REFUSED, "no");
	stage.hold = false;
	stage_release();
	stage_expect("done 1 " FAILED "no; done 2 " FAILED "no");
}

Test(managed_make, the_only_one_leaves_while_it_is_made)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_stop("pa", 2);
	stage_expect("create S1; done 2 ok; pa stopped final; done 1 ok; pa stopped final");
	stage.hold = false;
	stage_release();
	stage_pass(100);
	stage_expect("delete I1");
}

Test(managed_make, one_of_two_leaves_while_it_is_made)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_watch("pb", 2);
	stage_stop("pa", 3);
	stage_expect("create S1; done 3 ok; pa stopped final; done 1 ok");
	stage.hold = false;
	stage_release();
	stage_expect("G start S1 rtmp://in/I1; pb " WAITING "; done 2 ok");
	stage_stop("pb", 4);
}

Test(managed_make, a_stop_that_comes_before_the_watch_is_known)
{
	struct stream_event stop = { .type = EVENT_REQUEST_STOP,
				     .user_id = TEXT("u@x"),
				     .origin = 10,
				     .request = 2,
				     .expires_ms = stage.now_ms + 10000 };
	struct stream_event watch = { .type = EVENT_REQUEST_WATCH,
				      .user_id = TEXT("u@x"),
				      .origin = 10,
				      .request = 1,
				      .expires_ms = stage.now_ms + 28000 };

	stop.request_stop.package = watch.request_watch.package = TEXT("pa");
	watch.request_watch.permitted = true;
	watch.request_watch.seen_seq = stage.registry->seq + 1; /* of a story not heard yet */
	stage_say((struct peer){ ROLE_GATEWAY, 10 }, watch);
	stage_say((struct peer){ ROLE_GATEWAY, 10 }, stop);
	stage_expect("");
	stage_app_up("pc", 23);
	stage_pass(100);
	stage_expect("create S1; done 2 ok; pa stopped final; done 1 ok; pa stopped final; "
		     "delete I1");
}

Test(managed_make, taken_over_while_it_is_made)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_watch("pb", 2);
	stage_forget();
	stage_unmanaged("pb");
	cr_assert(stage_said("pa stopped final"));
	cr_assert(stage_said("done 1 ok"));
	cr_assert(stage_said("done 2 ok"));
	stage_forget();
	stage.hold = false;
	stage_release();
	stage_pass(100);
	stage_expect("delete I1");
	cr_assert_eq(stage_active()->kind, KIND_UNMANAGED);
	stage_device(DEVICE_STOPPED);
}

Test(managed_make, the_app_is_stopped_while_it_is_made)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_app_stop("pa");
	stage_expect("create S1; done 1 ok");
	stage.hold = false;
	stage_plan_effect(EVENT_PROVIDER_CREATE, CALL_UNKNOWN, "timeout");
	stage_release();
	stage_pass(60000);
	stage_expect("delete I1");
}

Test(managed_make, stopped_between_two_tries_and_nothing_was_made)
{
	stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, "busy");
	stage_watch("pa", 1);
	stage_stop("pa", 2);
	stage_pass(5000);
	cr_assert_eq(stage.inputs_count, 0);
	cr_assert_eq(stage.registry->state.streams_count, 0);
	stage_expect("create S1; done 2 ok; pa stopped final; done 1 ok; pa stopped final");
}

/* Deletion ----------------------------------------------------------------------------------- */

Test(managed_make, deleted_with_patience)
{
	stage_watch("pa", 1);
	stage_plan(EVENT_PROVIDER_DELETE, CALL_RETRY, "busy");
	stage_plan(EVENT_PROVIDER_DELETE, CALL_UNKNOWN, "timeout");
	stage_plan(EVENT_PROVIDER_DELETE, CALL_RETRY, "busy");
	stage_stop("pa", 2);
	stage_pass(100);
	stage_forget();
	stage_pass(1000 + 2000 + 3900);
	stage_expect("delete I1; delete I1");
	stage_pass(200);
	stage_expect("delete I1");
	cr_assert_eq(stage.registry->state.streams_count, 0);
	cr_assert_eq(stage.managed->stats.deleted, 1);
}

Test(managed_make, a_delete_that_is_refused_is_tried_again_after_half_a_minute)
{
	stage_watch("pa", 1);
	stage_plan(EVENT_PROVIDER_DELETE, CALL_REFUSED, "no");
	stage_stop("pa", 2);
	stage_pass(100);
	stage_forget();
	cr_assert_eq(stage.managed->stats.deletes_refused, 1);
	stage_pass(MANAGED_DELETE_PAUSE_MAX_MS - 200);
	stage_expect("");
	stage_pass(300);
	stage_expect("delete I1");
}

Test(managed_make, what_is_gone_already_is_deleted)
{
	stage_watch("pa", 1);
	stage_input("I1")->there = false;
	stage_stop("pa", 2);
	stage_pass(100);
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

Test(managed_make, an_input_that_is_gone_ends_its_stream)
{
	stage_watch("pa", 1);
	stage_device(DEVICE_STREAMING);
	stage_forget();
	stage_input("I1")->there = false;
	stage_pass(61000);
	stage_expect("");
	cr_assert(stage_active(), "what one look says ends nothing");
	stage_pass(600000);
	stage_expect("pa error 'input is gone' final; G stop S1");
	cr_assert_not(stage_active());
}

/* The governor ------------------------------------------------------------------------------- */

static void start_and_stop(uint64_t request)
{
	stage_watch("pa", request);
	stage_stop("pa", request + 1);
	stage_pass(100);
	stage_forget();
}

Test(managed_make, so_many_starts_of_one_user_in_a_minute)
{
	for (uint64_t i = 0; i < 10; i++)
		start_and_stop(1 + 2 * i);
	stage_watch("pa", 50);
	stage_expect("done 50 INTERNAL_ERROR: Too many managed streams started, try again in 59 s");
	cr_assert_eq(stage.managed->stats.governed, 1);
	stage_pass(59000);
	stage_forget();
	stage_watch("pa", 51);
	cr_assert(stage_said("done 51 ok"));
	stage_stop("pa", 52);
}

Test(managed_make, joins_cost_nothing)
{
	for (uint64_t i = 0; i < 9; i++)
		start_and_stop(1 + 2 * i);
	stage_watch("pa", 50);
	for (uint64_t i = 51; i < 70; i++)
		stage_watch("pb", i);
	cr_assert(stage_said("done 69 ok"));
	stage_stop("pa", 70);
	stage_stop("pb", 71);
}

Test(managed_make, so_many_inputs_still_to_be_deleted)
{
	for (uint64_t i = 0; i < 9; i++) {
		stage_plan(EVENT_PROVIDER_DELETE, CALL_REFUSED, "no");
		if (i < 8)
			start_and_stop(1 + 2 * i);
	}
	stage_watch("pa", 50);
	stage_expect("done 50 INTERNAL_ERROR: Too many managed streams started, try again in 60 s");
	stage.plans_count = 0;
}

Test(managed_make, so_many_starts_of_all_users_in_a_minute)
{
	stage.managed->options.provisions_per_min = 2;
	start_and_stop(1);
	start_and_stop(3);
	stage_watch("pa", 50);
	stage_expect("done 50 INTERNAL_ERROR: Too many managed streams started, try again in 60 s");
}

/* The local provider's own list is whole: one is enough. */
Test(managed_make, nothing_was_made_and_one_list_proves_it)
{
	stage.managed->options.provider = stage.options.provider = PROVIDER_LOCAL;
	for (unsigned i = 0; i < 3; i++)
		stage_plan(EVENT_PROVIDER_CREATE, CALL_UNKNOWN, "timeout");
	stage_watch("pa", 1);
	stage_pass(3100 + 14000);
	cr_assert_eq(stage.registry->state.streams_count, 1, "it may show so late");
	stage_pass(2000);
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

/* The registry has said yes, but nothing was ever told: silence would leave the app waiting. */
Test(managed_make, a_watch_that_is_not_told_in_time_is_refused)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_pass(stage.options.request_timeout_ms + ASKS_MARGIN_MS + 10);
	stage_expect("create S1; done 1 INTERNAL_ERROR: No answer in time, try again later");
	stage.hold = false;
	stage_release();
	stage_stop("pa", 2);
}
