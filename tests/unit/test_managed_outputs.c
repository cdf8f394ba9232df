/* SPDX-License-Identifier: MIT */
/* Goal: destinations are added and removed one by one, those that fail touch nothing else, apps are
 * told what protocol.md 6.6 and G8 say.  Method: the registry and the adapter, a provider that does
 * as it is told.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/managed_stage.h"

#define WAITING "initializing 'Waiting for stream to start...'"

static void setup(void)
{
	stage_defaults();
	stage_open();
}

static void teardown(void)
{
	stage_close();
}

TestSuite(managed_outputs, .init = setup, .fini = teardown);

static void streaming(void)
{
	stage_watch("pa", 1);
	stage_device(DEVICE_STREAMING);
	stage_forget();
}

/* G8 */
Test(managed_outputs, one_of_two_is_refused_by_the_provider)
{
	stage_plan(EVENT_PROVIDER_OUTPUT_ADD, CALL_OK, "");
	stage.plans[0].effect = true;
	stage_plan(EVENT_PROVIDER_OUTPUT_ADD, CALL_REFUSED, "bad key");
	stage_watch_to("pa", 1,
		       "[{\"url\":\"rtmp://a.com/live2/K\",\"name\":\"YouTube\"},"
		       "{\"url\":\"rtmp://FAIL/x\",\"name\":\"bad\"}]");
	stage_pass(20);
	stage_expect("create S1; out+ 1 rtmp://a.com/live2/K; out+ 2 rtmp://FAIL/x; "
		     "G start S1 rtmp://in/I1; "
		     "pa " WAITING " [rtmp://a.com/live2/K=stopped]; done 1 ok");
	stage_device(DEVICE_STREAMING);
	stage_expect("pa active [rtmp://a.com/live2/K=stopped]");
	stage_output_list("pa", 2);
	stage_expect("outputs 2 ok 0 1:rtmp://a.com/live2/K(YouTube)pa=stopped "
		     "2:rtmp://FAIL/x(bad)pa=error:bad key");
	stage_stop("pa", 3);
	stage_expect("done 3 ok; pa stopped [rtmp://a.com/live2/K=stopped] final; "
		     "pa stopped [rtmp://a.com/live2/K=stopped] final; G stop S1");
}

Test(managed_outputs, a_slow_one_holds_up_nobody_for_long)
{
	stage_plan(EVENT_PROVIDER_OUTPUT_ADD, CALL_RETRY, "busy");
	stage_plan(EVENT_PROVIDER_OUTPUT_ADD, CALL_UNKNOWN, "timeout");
	stage.hold = true;
	stage_watch_to("pa", 1, "[{\"url\":\"rtmp://a/k\"}]");
	stage_release();
	stage_pass(1000);
	stage_expect("create S1; out+ 1 rtmp://a/k");
	stage_pass(600);
	stage_expect("G start S1 rtmp://in/I1; pa " WAITING "; done 1 ok");
	stage.hold = false;
	stage_release();
	stage_pass(3100);
	stage_expect("out+ 1 rtmp://a/k; out+ 1 rtmp://a/k; "
		     "pa initializing 'Outputs updated' [rtmp://a/k=stopped]");
}

Test(managed_outputs, some_are_refused_here)
{
	stage_watch_to("pa", 1,
		       "[{\"url\":\"http://a/k\"},{\"url\":\"rtmp://127.0.0.1/k\"},"
		       "{\"url\":\"rtmp://a/k\"},{\"url\":\"rtmp://a/k\"}]");
	stage_pass(20);
	stage_expect("create S1; out+ 3 rtmp://a/k; G start S1 rtmp://in/I1; "
		     "pa " WAITING " [rtmp://a/k=stopped]; done 1 ok");
	stage_output_list("pa", 2);
	stage_expect("outputs 2 ok 0 "
		     "1:http://a/k()pa=error:URL must start with rtmp:// or rtmps:// "
		     "2:rtmp://127.0.0.1/k()pa=error:destination not allowed "
		     "3:rtmp://a/k()pa=stopped");
	cr_assert_eq(stage.managed->stats.destinations_refused, 2);
}

Test(managed_outputs, more_than_a_stream_may_have)
{
	char json[1024] = "[";

	for (unsigned i = 0; i <= OUTPUTS_MAX; i++)
		(void)snprintf(json + strlen(json), sizeof json - strlen(json),
			       "%s{\"url\":\"rtmp://h%u/k\"}", i > 0 ? "," : "", i);
	(void)strncat(json, "]", 2);
	stage_watch_to("pa", 1, json);
	stage_pass(20);
	cr_assert(stage_said("out+ 10 rtmp://h9/k"));
	cr_assert_not(stage_said("h10"));
	cr_assert(stage_said("done 1 ok"));
	cr_assert_eq(stage.managed->stats.destinations_refused, 1);
	stage_forget();
	stage_output_add("pa", 2, "rtmp://more/k", "");
	stage_expect("outputs 2 limit 0 limit");
}

Test(managed_outputs, destinations_that_are_no_list)
{
	static const char *const wrong[] = { "{}", "[1]", "[{}]", "[{\"url\":5}]" };

	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		char expected[160];

		stage_watch_to("pa", 1 + i, wrong[i]);
		(void)snprintf(expected, sizeof expected,
			       "done %u INTERNAL_ERROR: restreamDestinations must be an array of "
			       "{url, name}",
			       1 + i);
		stage_expect(expected);
	}
	stage_watch_to("pa", 9, "null");
	cr_assert(stage_said("done 9 ok"));
}

Test(managed_outputs, a_joiner_adds_none)
{
	streaming();
	stage_watch_to("pb", 2, "[{\"url\":\"rtmp://a/k\"}]");
	stage_watch_to("pa", 3, "[{\"url\":\"rtmp://a/k\"}]");
	stage_pass(3000);
	stage_expect("pb active reply; done 2 ok; pa active reply; done 3 ok");
}

/* By REST ------------------------------------------------------------------------------------ */

Test(managed_outputs, added_and_removed)
{
	streaming();
	stage_output_add("pa", 2, "rtmp://a/k", "A");
	stage_pass(20);
	stage_expect("out+ 1 rtmp://a/k; pa active 'Outputs updated' [rtmp://a/k(A)=stopped]; "
		     "outputs 2 ok 1");
	stage_output_hint("I1", 1, OUTPUT_ACTIVE, "");
	stage_expect("pa active 'Outputs updated' [rtmp://a/k(A)=active]");
	stage_output_hint("I1", 1, OUTPUT_ACTIVE, "");
	stage_expect("");
	stage_device(DEVICE_STOPPING);
	stage_forget();
	stage_output_hint("I1", 1, OUTPUT_ERROR, "connection refused");
	stage_expect("pa stopping 'Outputs updated' [rtmp://a/k(A)=error(connection refused)]");
	stage_output_remove("pa", 3, 1);
	stage_pass(20);
	stage_expect("outputs 3 ok 1; out- 1 R1; pa active 'Outputs updated'");
}

Test(managed_outputs, refused_by_the_provider_and_tried_once_more)
{
	streaming();
	stage_plan(EVENT_PROVIDER_OUTPUT_ADD, CALL_REFUSED, "bad key");
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_expect("out+ 1 rtmp://a/k; outputs 2 failed 0 bad key");
	stage_output_add("pa", 3, "rtmp://a/k", "");
	stage_pass(20);
	stage_expect("out+ 2 rtmp://a/k; pa active 'Outputs updated' [rtmp://a/k=stopped]; "
		     "outputs 3 ok 2");
}

Test(managed_outputs, what_may_not_be)
{
	stage_output_list("pa", 2);
	stage_expect("outputs 2 not_found 0 Managed stream not found");
	streaming();
	stage_output_list("pb", 3);
	stage_expect("outputs 3 not_viewer 0 App does not watch the stream");
	stage_output_add("pb", 4, "rtmp://a/k", "");
	stage_expect("outputs 4 not_viewer 0 not_viewer");
	stage_output_add("pa", 5, "rtmp://10.0.0.1/k", "");
	stage_expect("outputs 5 bad_url 0 destination not allowed");
	stage_output_remove("pa", 6, 1);
	stage_expect("outputs 6 not_found 0 not_found");
	stage_output_add("pa", 7, "rtmp://a/k", "");
	stage_pass(20);
	stage_forget();
	stage_output_add("pa", 8, "rtmp://a/k", "");
	stage_expect("outputs 8 duplicate 0 duplicate");
	stage_watch("pb", 9);
	stage_forget();
	stage_output_remove("pb", 10, 1);
	stage_expect("outputs 10 not_owner 0 not_owner");
}

Test(managed_outputs, nobody_waits_for_an_output_of_a_stream_that_is_over)
{
	streaming();
	stage.hold = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_stop("pa", 3);
	cr_assert(stage_said("outputs 2 not_found 0 The stream has ended"));
	stage.hold = false;
	stage_release();
	stage_pass(1000);
	cr_assert_eq(stage_inputs_there(), 0);
}

Test(managed_outputs, removed_before_it_was_added)
{
	streaming();
	stage.hold = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_output_remove("pa", 3, 1);
	stage.hold = false;
	stage_release();
	stage_pass(20);
	cr_assert(stage_said("out- 1 R1"), "%s", stage.log);
	stage_forget();
	stage_output_list("pa", 4);
	stage_expect("outputs 4 ok 0");
}

Test(managed_outputs, a_removal_is_tried_until_it_works)
{
	streaming();
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_plan(EVENT_PROVIDER_OUTPUT_REMOVE, CALL_RETRY, "busy");
	stage_plan(EVENT_PROVIDER_OUTPUT_REMOVE, CALL_REFUSED, "no");
	stage_output_remove("pa", 3, 1);
	stage_forget();
	stage_pass(5000);
	stage_expect("out- 1 R1; out- 1 R1");
	stage_pass(MANAGED_PAUSE_MAX_MS);
	stage_expect("out- 1 R1; pa active 'Outputs updated'");
}
