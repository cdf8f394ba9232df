/* SPDX-License-Identifier: MIT */
/* Goal: one output that finds no room, has no URL or gets a strange answer waits, is tried again or
 * is told of, and touches no other.  Method: the registry and the adapter, calls that are held,
 * parts of the story told by hand.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/managed_internal.h"
#include "tests/lib/managed_stage.h"

#define GATEWAY UINT64_C(10)
#define DESTINATIONS "[{\"url\":\"rtmp://a/k\"}]"

TestSuite(managed_copies, .init = stage_ready, .fini = stage_close);

static void streaming(void)
{
	stage_watch("pa", 1);
	stage_device(DEVICE_STREAMING);
	stage_pass(20);
	stage_forget();
}

static void story_of_output(uint64_t number, enum output_state state, uint64_t request)
{
	static uint64_t later = 1000;
	struct stream_event event = stage_about(EVENT_STREAM_OUTPUT);

	event.seq = event.stream_seq = stage.registry->seq + ++later;
	event.origin = GATEWAY;
	event.request = request;
	event.stream_output.output = number;
	event.stream_output.state = state;
	event.stream_output.package = TEXT("pa");
	stage_handle(&(struct input){ .type = INPUT_STORY, .event = &event });
}

static void own_result(uint64_t request, enum result result)
{
	struct stream_event event = { .type = EVENT_STREAM_RESULT,
				      .origin = stage.options.incarnation,
				      .request = request };

	event.stream_result.result = result;
	stage_say((struct peer){ ROLE_REGISTRY, 1 }, event);
}

/* What the provider says ------------------------------------------------------------------------
 */

Test(managed_copies, a_long_reason_is_cut_between_characters)
{
	char reason[80] = "", expected[160];

	memset(reason, 'x', OUTPUT_ERROR_MAX - 1);
	(void)strcat(reason, "\xc3\xa9 and more");
	streaming();
	stage_plan(EVENT_PROVIDER_OUTPUT_ADD, CALL_REFUSED, reason);
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	reason[OUTPUT_ERROR_MAX - 1] = '\0';
	(void)snprintf(expected, sizeof expected, "out+ 1 rtmp://a/k; outputs 2 failed 0 %s",
		       reason);
	stage_expect(expected);
}

Test(managed_copies, without_a_reason_one_is_given)
{
	streaming();
	stage_plan(EVENT_PROVIDER_OUTPUT_ADD, CALL_REFUSED, "");
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_expect("out+ 1 rtmp://a/k; outputs 2 failed 0 refused by the provider");
}

Test(managed_copies, a_removal_of_what_is_gone_is_done)
{
	streaming();
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_forget();
	stage_plan(EVENT_PROVIDER_OUTPUT_REMOVE, CALL_UNCONFIGURED, "token");
	stage_plan(EVENT_PROVIDER_OUTPUT_REMOVE, CALL_GONE, "");
	stage_output_remove("pa", 3, 1);
	stage_pass(MANAGED_PAUSE_MAX_MS - 1000);
	stage_expect("outputs 3 ok 1; out- 1 R1");
	stage_pass(2000);
	stage_expect("out- 1 R1; pa active 'Outputs updated'");
}

Test(managed_copies, an_answer_behind_the_end_is_late)
{
	streaming();
	stage.hold = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_stop("pa", 3);
	stage.hold = false;
	stage_release();
	stage_pass(100);
	cr_assert_eq(stage.managed->stats.answers_late, 1);
	cr_assert_eq(stage_inputs_there(), 0);
}

/* Room ------------------------------------------------------------------------------------------
 */

Test(managed_copies, one_that_found_no_room_for_its_call_waits)
{
	streaming();
	stage.managed->stats.calls_open = MANAGED_CALLS_MAX;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(500);
	stage_expect("");
	stage.managed->stats.calls_open = 0;
	stage_pass(200);
	cr_assert(stage_said("outputs 2 ok 1"), "%s", stage.log);
}

Test(managed_copies, one_more_than_are_being_worked_on_waits)
{
	struct stream_event seen;

	streaming();
	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		char url[32];

		(void)snprintf(url, sizeof url, "rtmp://h%u/k", i);
		stage_output_add("pa", 10 + i, url, "");
		stage_pass(20);
	}
	stage.hold = true;
	for (unsigned i = 1; i <= OUTPUTS_MAX; i++)
		stage_output_remove("pa", 30 + i, i);
	stage_pass(20);
	cr_assert_eq(stage_count("out- "), OUTPUTS_MAX);
	seen = stage_about(EVENT_OUTPUT_SEEN); /* another life was faster with one of them */
	seen.output_seen.output = 1;
	seen.output_seen.state = OUTPUT_REMOVED;
	stage_say((struct peer){ ROLE_MANAGED, 77 }, seen);
	stage_output_add("pa", 50, "rtmp://more/k", "");
	stage_pass(20);
	cr_assert_not(stage_said("out+ 11"));
	stage.hold = false;
	stage_release();
	stage_pass(20);
	cr_assert(stage_said("outputs 50 ok 11"), "%s", stage.log);
	stage_output_list("pa", 51);
	cr_assert(stage_said("outputs 51 ok 0 11:rtmp://more/k()pa=stopped"), "%s", stage.log);
}

/* Where to ---------------------------------------------------------------------------------------
 */

Test(managed_copies, one_without_its_url_waits_for_a_snapshot)
{
	streaming();
	stage.registry_late = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage.story_late = true;
	asks_drop(&stage.managed->asks, asks_find(&stage.managed->asks, GATEWAY, 2));
	stage_let_through(); /* the story, and nobody here who knows where to */
	stage_pass(1000);
	stage_expect("");
	stage_resync();
	stage_pass(20);
	cr_assert(stage_said("out+ 1 rtmp://a/k"), "%s", stage.log);
}

Test(managed_copies, an_initial_one_whose_list_is_lost_waits_for_a_snapshot)
{
	struct managed_work *work = &stage.managed->works[0];

	stage.hold = true;
	stage_watch("pa", 1);
	stage.managed->adds[1] = (struct managed_add){ .request = 1, .slot = 0, .index = 0 };
	work->adds = 1;
	struct stream_event add = stage_about(EVENT_OUTPUT_ADD);

	add.origin = stage.options.incarnation;
	add.request = 1;
	add.output_add.package = TEXT("pa");
	add.output_add.url = TEXT("rtmp://a/k");
	add.output_add.initial = true;
	stage_say((struct peer){ ROLE_MANAGED, stage.options.incarnation }, add);
	cr_assert_eq(work->adds, 0);
	stage.hold = false;
	stage_release();
	stage_pass(2000);
	cr_assert_not(stage_said("out+"), "%s", stage.log);
	cr_assert(stage_said("done 1 ok"), "%s", stage.log);
	stage_resync();
	stage_pass(20);
	cr_assert(stage_said("out+ 1 rtmp://a/k"), "%s", stage.log);
}

Test(managed_copies, only_a_new_one_has_the_url_of_its_request)
{
	streaming();
	stage.registry_late = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	story_of_output(5, OUTPUT_IDLE, 2);
	const struct state_stream *stream = managed_stream_of(stage.managed, stage.managed->works);
	const struct state_output *output = state_output_find(&stage.managed->state, stream, 5);

	cr_assert(output && output->url.length == 0);
}

/* Initial ones -----------------------------------------------------------------------------------
 */

Test(managed_copies, answers_to_nothing_of_ours_change_nothing)
{
	stage.hold = true;
	stage_watch_to("pa", 1, DESTINATIONS);
	own_result(0, RESULT_LIMIT);
	own_result(1, RESULT_LIMIT); /* its story has settled it */
	own_result(99, RESULT_LIMIT);
	cr_assert_eq(stage.managed->stats.destinations_refused, 0);
	stage.managed->adds[7] = (struct managed_add){ .request = 7, .slot = 0 };
	stage_resync();
	own_result(7, RESULT_LIMIT); /* of before the snapshot: counted, no more */
	cr_assert_eq(stage.managed->stats.destinations_refused, 1);
	cr_assert_eq(stage.managed->adds[7].request, 0);
}

Test(managed_copies, only_initial_ones_are_waited_for)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_release();
	cr_assert(stage_said("G start S1 rtmp://in/I1"), "%s", stage.log);
	cr_assert_not(stage_said("outputs 2"));
	stage.hold = false;
	stage_release();
	stage_pass(20);
	cr_assert(stage_said("outputs 2 ok 1"), "%s", stage.log);
}

Test(managed_copies, what_is_provisioned_before_they_are_known_keeps_their_list)
{
	stage.hold = true;
	stage_watch_to("pa", 1, DESTINATIONS);
	struct managed_work *work = &stage.managed->works[0];

	stage.managed->adds[7] = (struct managed_add){ .request = 7, .slot = 0 };
	work->adds = 1; /* one the registry has not told of */
	struct stream_event made = stage_about(EVENT_INPUT_MADE);

	made.input_made.input_id = TEXT("I7");
	stage_say((struct peer){ ROLE_MANAGED, 77 }, made);
	cr_assert_eq(work->stage, STAGE_START);
	cr_assert_gt(work->destinations.length, 0);
	own_result(7, RESULT_DUPLICATE);
	cr_assert_eq(work->destinations.length, 0);
}

Test(managed_copies, none_is_added_to_what_failed_or_is_gone)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage.registry_late = true;
	stage_plan(EVENT_PROVIDER_CREATE, CALL_REFUSED, "no");
	stage_release();
	cr_assert_eq(stage.managed->works[0].stage, STAGE_FAILED);
	stage.hold = false;
	story_of_output(1, OUTPUT_NEW, 0);
	stage_pass(100);
	cr_assert_not(stage_said("out+"), "%s", stage.log);
	managed_work_enter(stage.managed, &stage.managed->works[0], STAGE_GONE, INT64_MAX);
	story_of_output(2, OUTPUT_NEW, 0);
	stage_pass(100);
	cr_assert_not(stage_said("out+"), "%s", stage.log);
	stage_let_through();
}

/* News ------------------------------------------------------------------------------------------
 */

static void hint(const char *remote_id, uint64_t number, enum output_state state, const char *error)
{
	struct stream_event event = { .type = EVENT_PROVIDER_OUTPUT_HINT };

	event.provider_output_hint.input_id = TEXT("I1");
	event.provider_output_hint.remote_id = text_of(remote_id);
	event.provider_output_hint.output = number;
	event.provider_output_hint.state = state;
	event.provider_output_hint.error = text_of(error);
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, event);
}

Test(managed_copies, news_are_of_outputs_that_run)
{
	streaming();
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_forget();
	hint("R9", 0, OUTPUT_ACTIVE, "");
	hint("", 0, OUTPUT_ACTIVE, "");
	hint("", 9, OUTPUT_ACTIVE, "");
	hint("R1", 0, OUTPUT_NEW, "");
	hint("R1", 0, OUTPUT_REMOVED, "");
	stage_expect("");
	hint("R1", 0, OUTPUT_ERROR, "slow");
	stage_expect("pa active 'Outputs updated' [rtmp://a/k=error(slow)]");
	hint("R1", 0, OUTPUT_ERROR, "slow");
	stage_expect("");
	hint("", 1, OUTPUT_ERROR, "slower");
	stage_output_list("pa", 3);
	stage_expect("outputs 3 ok 0 1:rtmp://a/k()pa=error:slower");
	hint("", 1, OUTPUT_IDLE, "");
	stage_expect("pa active 'Outputs updated' [rtmp://a/k=stopped]");
	stage.hold = true;
	stage_output_remove("pa", 4, 1);
	stage_pass(20);
	stage_forget();
	hint("", 1, OUTPUT_ACTIVE, "");
	stage_expect("");
	stage_stop("pa", 5);
	stage_forget();
	hint("", 1, OUTPUT_ACTIVE, "");
	stage_expect("");
}

Test(managed_copies, news_of_an_unmanaged_stream_are_none)
{
	struct stream_event event = { .type = EVENT_PROVIDER_OUTPUT_HINT };

	stage_unmanaged("pa");
	event.stream_id = stage_about(event.type).stream_id;
	event.provider_output_hint.output = 1;
	event.provider_output_hint.state = OUTPUT_ACTIVE;
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, event);
	event.type = EVENT_PROVIDER_HINT;
	event.provider_hint.ingest = INGEST_LIVE;
	event.provider_hint.sure = true;
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, event);
	stage_expect("");
}
