/* SPDX-License-Identifier: MIT */
/* Goal: what the story tells late, while a snapshot is read, or of what another life of the adapter
 * did changes nothing that apps and glasses hear; and nobody is left out because one call had no
 * room for all of them.  Method: the registry and the adapter, a provider that does as it is told.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/managed_internal.h"
#include "tests/lib/managed_stage.h"

#define MANY 300 /* more than one call has effects for */

TestSuite(managed_story, .init = stage_ready, .fini = stage_close);

/* What is settled -------------------------------------------------------------------------------
 */

Test(managed_story, an_input_is_said_to_be_gone_once)
{
	stage.apps_silent = true; /* the record stays for its viewer */
	stage_watch("pa", 1);
	stage_stop("pa", 2);
	stage_pass(100);
	cr_assert_eq(stage_inputs_there(), 0);
	stage_pass(4 * MANAGED_SETTLE_MS);
	cr_assert_eq(stage.registry->state.streams_count, 1);
	cr_assert_eq(stage.gone_said, 1);
}

Test(managed_story, what_another_life_has_settled_is_settled)
{
	stage.apps_silent = true;
	stage_watch("pa", 1);
	struct stream_event gone = stage_about(EVENT_INPUT_GONE);

	gone.input_gone.input_id = TEXT("I1");
	stage.hold = true;
	stage_stop("pa", 2);
	stage_pass(100);
	stage_say((struct peer){ ROLE_MANAGED, 77 }, gone);
	stage.hold = false;
	stage_release(); /* the answer to our own delete */
	stage_pass(4 * MANAGED_SETTLE_MS);
	cr_assert_eq(stage.gone_said, 0);
	cr_assert_eq(stage.managed->works[0].stage, STAGE_NONE);
}

/* Late, or while a snapshot is read
 * ----------------------------------------------------------------
 */

#define DESTINATIONS "[{\"url\":\"rtmp://a/k\"}]"

/* The rows tell of a stream of which the story never told; what it was asked with is not lost. */
Test(managed_story, a_request_whose_story_is_in_the_snapshot_has_its_outputs)
{
	stage.story_late = true;
	stage_watch_to("pa", 1, DESTINATIONS);
	stage_lose_late();
	stage_resync();
	stage_pass(20);
	cr_assert(stage_said("out+ 1 rtmp://a/k"), "%s", stage.log);
	cr_assert(stage_said("[rtmp://a/k=stopped]"), "%s", stage.log);
}

Test(managed_story, the_last_result_of_a_stream_is_not_one_of_the_next)
{
	stage.hold = true;
	stage_watch_to("pa", 1, DESTINATIONS);
	struct stream_event refused = { .type = EVENT_STREAM_RESULT,
					.origin = stage.options.incarnation,
					.request = 1 };

	refused.stream_result.result = RESULT_OK;
	managed_work_end(stage.managed, 0); /* as if its record were gone, and another there */
	stage.managed->works[0].used = true;
	stage.managed->works[0].adds = 1;
	refused.stream_result.result = RESULT_LIMIT;
	stage_say((struct peer){ ROLE_REGISTRY, 1 }, refused);
	cr_assert_eq(stage.managed->works[0].adds, 1);
	stage.managed->works[0].adds = 0;
}

/* More than one call has room for ---------------------------------------------------------------
 */

static void many_watch(void)
{
	stage.hold = true;
	for (uint64_t request = 1; request <= MANY; request++)
		stage_watch("pa", request);
	stage.hold = false;
}

Test(managed_story, more_watch_than_one_call_can_answer)
{
	many_watch();
	stage_release();
	stage_pass(10);
	cr_assert_eq(stage_count(" ok"), MANY);
	cr_assert_eq(stage_count("pa initializing"), 1);
	cr_assert_not(stage_said("reply"));
}

Test(managed_story, more_watch_what_cannot_be_made)
{
	static char reason[DETAIL_MAX];

	memset(reason, 'r', sizeof reason - 1);
	stage_plan(EVENT_PROVIDER_CREATE, CALL_REFUSED, reason);
	stage.managed->now_ms = stage.now_ms;
	many_watch();
	stage_release();
	for (unsigned i = 0; i < 20; i++) {
		stage_pass(10);
		cr_expect_lt(stage.log_length, STAGE_LOG_BYTES);
	}
	cr_assert_eq(stage.managed->asks.high, 0);
	cr_assert_eq(stage.managed->asks.stats.refused, MANY);
}

Test(managed_story, more_are_stopped_at_once_than_one_call_can_answer)
{
	many_watch();
	stage_stop("pa", MANY + 1);
	stage_pass(10);
	cr_assert_eq(stage.managed->asks.high, 0);
	cr_assert_eq(stage_count("done"), MANY + 1);
}

/* Ten outputs, each as long as it may be: lists of them fill what one call has for texts. */
static void add_long_outputs(const char *package, uint64_t request)
{
	char url[OUTPUT_URL_MAX + 1], name[OUTPUT_NAME_MAX + 1];

	memset(name, 'n', OUTPUT_NAME_MAX);
	name[OUTPUT_NAME_MAX] = '\0';
	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		memset(url, 'k', OUTPUT_URL_MAX);
		url[OUTPUT_URL_MAX] = '\0';
		(void)snprintf(url, 16, "rtmp://h%u/app", i);
		url[strlen(url)] = '/';
		stage_output_add(package, request + i, url, name);
		stage_pass(20);
		stage_forget();
	}
}

Test(managed_story, the_last_word_is_repeated_beside_what_is_owed)
{
	stage.apps_silent = true;
	stage_watch("pa", 1);
	add_long_outputs("pa", 10);
	stage_stop("pa", 2);
	stage_pass(100);
	stage_watch("pb", 3);
	stage_watch("pa", 4);
	add_long_outputs("pb", 30);
	stage_stop("pa", 5);
	stage_device(DEVICE_STREAMING);
	stage_pass(100);
	stage_forget();
	stage_handle(&(struct input){ .type = INPUT_PEER_UP, .peer = { ROLE_GATEWAY, 10 } });
	stage_pass(10);
	cr_assert_eq(stage_count("pa stopped"), 2);
	cr_assert_eq(stage_count("pb active"), 1);
}
