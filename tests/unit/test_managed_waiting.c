/* SPDX-License-Identifier: MIT */
/* Goal: a request about a managed stream has one answer, in whatever order the registry's answer,
 * its story and the end of the stream come; one output that finds no room or gets a strange answer
 * is tried again and touches no other.  Method: the registry and the adapter; parts of the story
 * and results told by hand.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/managed_internal.h"
#include "tests/lib/managed_stage.h"

#define GATEWAY UINT64_C(10)
#define DESTINATIONS "[{\"url\":\"rtmp://a/k\"}]"

TestSuite(managed_waiting, .init = stage_ready, .fini = stage_close);

static void streaming(void)
{
	stage_watch("pa", 1);
	stage_device(DEVICE_STREAMING);
	stage_pass(20);
	stage_forget();
}

static void story(struct stream_event event)
{
	static uint64_t later = 1000;

	event.seq = stage.registry->seq + ++later;
	event.stream_seq = event.seq;
	stage_handle(&(struct input){ .type = INPUT_STORY, .event = &event });
}

static void story_of_output(uint64_t number, enum output_state state, uint64_t request)
{
	struct stream_event event = stage_about(EVENT_STREAM_OUTPUT);

	event.origin = GATEWAY;
	event.request = request;
	event.stream_output.output = number;
	event.stream_output.state = state;
	event.stream_output.package = TEXT("pa");
	if (state == OUTPUT_ERROR)
		event.stream_output.error = TEXT("broken");
	story(event);
}

static void story_of_end(void)
{
	struct stream_event event = stage_about(EVENT_STREAM_CLOSED);

	event.stream_closed.end_cause = END_APP_STOP;
	event.stream_closed.input_owed = true;
	story(event);
}

static void result_of(uint64_t request, enum result result, uint64_t output)
{
	struct stream_event event = stage_about(EVENT_STREAM_RESULT);

	event.origin = GATEWAY;
	event.request = request;
	event.stream_result.result = result;
	event.stream_result.output = output;
	stage_say((struct peer){ ROLE_REGISTRY, 1 }, event);
}

static void other_says(struct stream_event event)
{
	static uint64_t requests = 500;

	event.origin = 77;
	event.request = ++requests;
	stage_say((struct peer){ ROLE_MANAGED, 77 }, event);
}

static void other_says_output(uint64_t number, enum output_state state)
{
	struct stream_event event = stage_about(EVENT_OUTPUT_SEEN);

	event.output_seen.output = number;
	event.output_seen.state = state;
	if (state == OUTPUT_ERROR || state == OUTPUT_REFUSED)
		event.output_seen.error = TEXT("broken");
	other_says(event);
}

/* Watching --------------------------------------------------------------------------------------
 */

Test(managed_waiting, a_result_that_is_lost_is_asked_for_again)
{
	stage.hold = true;
	stage_watch("pa", 1);
	asks_find(&stage.managed->asks, GATEWAY, 1)->step = ASK_TOLD; /* as if it had not come */
	stage_handle(&(struct input){ .type = INPUT_PEER_UP, .peer = { ROLE_REGISTRY, 1 } });
	stage.hold = false;
	stage_release();
	cr_assert_eq(stage_count("done 1 ok"), 1, "%s", stage.log);
	cr_assert_eq(stage.managed->asks.high, 0);
}

Test(managed_waiting, a_result_in_the_middle_of_a_snapshot)
{
	stage.registry_late = true;
	stage_watch_to("pa", 1, DESTINATIONS);
	stage_rows();
	stage_let_through();
	stage_expect("");
	stage_synced();
	stage_pass(100);
	cr_assert_eq(stage_count("done 1 ok"), 1, "%s", stage.log);
	cr_assert(stage_said("out+ 1 rtmp://a/k"), "%s", stage.log);
}

Test(managed_waiting, who_joins_what_is_being_made_adds_no_outputs)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage_watch_to("pb", 2, DESTINATIONS);
	stage.hold = false;
	stage_release();
	stage_pass(100);
	cr_assert_not(stage_said("out+"), "%s", stage.log);
	cr_assert(stage_said("done 2 ok"));
}

/* Numbers are the gateway's: a story that names another request of it is not its own. */
Test(managed_waiting, a_story_of_another_request)
{
	streaming();
	stage.registry_late = true;
	stage_stop("pb", 5);
	struct stream_event joined = stage_about(EVENT_STREAM_JOINED);

	joined.origin = GATEWAY;
	joined.request = 5;
	joined.stream_joined.package = TEXT("pb");
	story(joined);
	stage_expect("pb active reply");
	stage_let_through();
	cr_assert(stage_said("done 5 ok"), "%s", stage.log);
}

Test(managed_waiting, a_stop_whose_stream_is_gone_is_done)
{
	streaming();
	stage.registry_late = true;
	stage_stop("pb", 5);
	result_of(5, RESULT_NOT_VIEWER, 0);
	stage_expect("pb stopped reply; done 5 ok");
	stage_stop("pb", 6);
	struct stream_event closed = stage_about(EVENT_STREAM_CLOSED);

	closed.stream_closed.end_cause = END_APP_STOP; /* and it owes nothing */
	struct stream_event told = stage_about(EVENT_STREAM_TOLD);

	told.stream_told.package = TEXT("pa");
	story(closed);
	story(told);
	cr_assert_eq(stage.managed->state.streams_count, 0);
	stage_forget();
	result_of(6, RESULT_NOT_VIEWER, 0);
	stage_expect("done 6 ok");
}

Test(managed_waiting, a_conflict_with_something_else)
{
	stage.registry_late = true;
	stage_watch("pa", 1);
	struct stream_event event = { .type = EVENT_STREAM_RESULT,
				      .origin = GATEWAY,
				      .request = 1 };

	event.stream_result.result = RESULT_CONFLICT;
	event.stream_result.running = KIND_MANAGED;
	stage_say((struct peer){ ROLE_REGISTRY, 1 }, event);
	cr_assert(stage_said("done 1 "), "%s", stage.log);
	cr_assert_not(stage_said("unmanaged"), "%s", stage.log);
}

static void watch_beyond(bool options, bool destinations)
{
	struct stream_event event = { .type = EVENT_REQUEST_WATCH,
				      .user_id = TEXT("u@x"),
				      .origin = GATEWAY,
				      .request = 1 + options,
				      .expires_ms = stage.now_ms + 10000 };

	event.request_watch.package = TEXT("pa");
	event.request_watch.permitted = true;
	event.request_watch.oversized = options;
	event.request_watch.destinations_oversized = destinations;
	stage_say((struct peer){ ROLE_GATEWAY, GATEWAY }, event);
}

Test(managed_waiting, what_was_beyond_its_limit_is_refused)
{
	watch_beyond(true, false);
	cr_assert(stage_said("done 2 INTERNAL_ERROR: "), "%s", stage.log);
	stage_forget();
	watch_beyond(false, true);
	stage_expect("done 1 INTERNAL_ERROR: restreamDestinations too large: it may have 3584 "
		     "bytes");
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

Test(managed_waiting, what_could_not_be_made_is_so_for_a_later_life)
{
	struct stream_event close = { .type = EVENT_STREAM_CLOSE };

	stage.hold = true;
	stage_watch("pa", 1);
	close = stage_about(EVENT_STREAM_CLOSE);
	close.stream_close.end_cause = END_PROVIDER_ERROR;
	other_says(close);
	stage_restart();
	stage_forget();
	stage_watch("pa", 1);
	stage_pass(10);
	stage_expect("done 1 INTERNAL_ERROR: Failed to create live stream: ");
}

Test(managed_waiting, a_start_of_the_other_kind_is_not_ours)
{
	struct stream_event event = {
		.type = EVENT_REQUEST_START, .user_id = TEXT("u@x"), .origin = GATEWAY, .request = 1
	};

	stage_say((struct peer){ ROLE_GATEWAY, GATEWAY }, event);
	stage_pass(100);
	stage_expect("");
	cr_assert_eq(stage.managed->asks.high, 0);
}

/* The mirror is empty then; what it does not show has not ended. */
Test(managed_waiting, a_result_behind_its_story_in_the_middle_of_a_snapshot)
{
	stage.hold = true;
	stage_watch("pa", 1);
	asks_find(&stage.managed->asks, GATEWAY, 1)->step = ASK_TOLD; /* its result is late */
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
	struct stream_event event = stage_about(EVENT_STREAM_RESULT);

	event.origin = GATEWAY;
	event.request = 1;
	event.cause = stage.registry->seq;
	event.stream_result.result = RESULT_OK;
	stage_say((struct peer){ ROLE_REGISTRY, 1 }, event);
	cr_assert_not(stage_said("done"), "%s", stage.log);
	stage_resync();
	stage.hold = false;
	stage_release();
	stage_pass(10);
	cr_assert_eq(stage_count("done 1 ok"), 1, "%s", stage.log);
}

/* Outputs by REST -------------------------------------------------------------------------------
 */

/* The list is the owner's, also if it was another who was fast enough to join what it opens. */
Test(managed_waiting, a_list_of_another_than_the_owner_is_not_used)
{
	stage.registry_late = true;
	stage_watch("pa", 1);
	stage_watch_to("pb", 2, DESTINATIONS);
	stage.hold = stage.story_late = true;
	stage.registry_late = false;
	stage_let_through();
	stage_resync();
	stage_pass(20);
	stage.hold = false;
	stage_release();
	stage_pass(2000);
	cr_assert_not(stage_said("out+"), "%s", stage.log);
	cr_assert(stage_said("done 2 ok"), "%s", stage.log);
}

/* More than one call has room for wait behind a snapshot. */
Test(managed_waiting, all_are_answered_from_a_snapshot)
{
	enum { MANY = 300 };

	streaming();
	stage_rows();
	for (unsigned i = 0; i < MANY; i++) {
		stage_watch("pa", 1000 + i);
		struct ask *ask = asks_find(&stage.managed->asks, GATEWAY, 1000 + i);
		struct text id = stage_about(EVENT_STREAM_JOINED).stream_id;

		cr_assert(asks_keep(&stage.managed->asks, ask, ASK_STREAM, id));
		stage.managed->asks.parked--;
		ask->step = ASK_ANSWERED; /* before the snapshot began */
	}
	stage_synced();
	stage_pass(10);
	cr_assert_eq(stage_count(" ok"), MANY);
	cr_assert_eq(stage.managed->asks.high, 0);
}

Test(managed_waiting, who_has_left_sees_no_outputs)
{
	streaming();
	stage_watch("pb", 2);
	stage.apps_silent = true;
	stage_stop("pb", 3);
	stage_forget();
	stage_output_list("pb", 4);
	stage_expect("outputs 4 not_viewer 0 App does not watch the stream");
}

Test(managed_waiting, of_an_unmanaged_stream_or_one_that_is_over_there_are_none)
{
	stage_unmanaged("pa");
	stage_output_list("pa", 2);
	stage_expect("outputs 2 not_found 0 Managed stream not found");
	stage_device(DEVICE_STOPPED);
	stage.hold = true;
	stage_watch("pa", 3);
	struct stream_event event = { .type = EVENT_REQUEST_OUTPUT_LIST,
				      .origin = GATEWAY,
				      .request = 4,
				      .expires_ms = stage.now_ms + 10000 };

	event.stream_id = stage_about(event.type).stream_id;
	event.request_output_list.package = TEXT("pa");
	stage_stop("pa", 5); /* its input is owed, so the record is there */
	stage_forget();
	stage_say((struct peer){ ROLE_GATEWAY, GATEWAY }, event);
	stage_expect("outputs 4 not_found 0 Managed stream not found");
}

Test(managed_waiting, what_becomes_of_an_output_is_its_answer)
{
	streaming();
	stage.hold = true;
	for (unsigned i = 1; i <= 3; i++) {
		static const enum output_state states[] = { OUTPUT_ERROR, OUTPUT_REFUSED,
							    OUTPUT_REMOVED };
		static const char *const said[] = { "failed 0 broken", "failed 0 broken",
						    "not_found 0 The output was removed" };
		char url[32], expected[80];

		(void)snprintf(url, sizeof url, "rtmp://h%u/k", i);
		stage_output_add("pa", 10 + i, url, "");
		stage_pass(20);
		(void)snprintf(expected, sizeof expected, "outputs %u %s", 10 + i, said[i - 1]);
		other_says_output(i + 5, OUTPUT_ACTIVE); /* of another one */
		other_says_output(i, states[i - 1]);
		cr_assert(stage_said(expected), "%s: %s", expected, stage.log);
	}
	cr_assert_eq(stage.managed->asks.high, 0);
}

Test(managed_waiting, an_output_that_has_come_and_gone_before_its_result)
{
	streaming();
	stage.registry_late = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	story_of_output(1, OUTPUT_NEW, 2);
	story_of_output(1, OUTPUT_REMOVED, 0);
	stage_forget();
	result_of(2, RESULT_OK, 1);
	stage_expect("outputs 2 not_found 0 The output was removed");
}

Test(managed_waiting, an_output_whose_stream_has_ended_before_its_result)
{
	for (unsigned owed = 0; owed < 2; owed++) {
		struct stream_event closed;

		streaming();
		stage.registry_late = true;
		stage_output_add("pa", 2, "rtmp://a/k", "");
		story_of_output(1, OUTPUT_NEW, 2);
		closed = stage_about(EVENT_STREAM_CLOSED);
		closed.stream_closed.end_cause = END_APP_STOP;
		closed.stream_closed.input_owed = owed;
		story(closed);
		stage_forget();
		result_of(2, RESULT_OK, 1);
		stage_expect("outputs 2 not_found 0 The stream has ended");
		stage_close();
		stage_ready();
	}
}

Test(managed_waiting, an_output_that_the_snapshot_does_not_have)
{
	streaming();
	stage.hold = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_rows();
	other_says_output(1, OUTPUT_REMOVED);
	stage_synced();
	stage_pass(10);
	cr_assert(stage_said("outputs 2 not_found 0 The output was removed"), "%s", stage.log);
	stage_output_add("pa", 3, "rtmp://b/k", "");
	stage_rows();
	stage_stop("pa", 4);
	struct stream_event close = stage_about(EVENT_STREAM_CLOSE);

	close.stream_close.end_cause = END_APP_STOP;
	other_says(close);
	stage_synced();
	stage_pass(10);
	cr_assert(stage_said("outputs 3 not_found 0 The stream has ended"), "%s", stage.log);
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
	stage_handle(&(struct input){ .type = INPUT_SYNCED, .seq = stage.registry->seq });
	cr_assert_eq(stage.managed->asks.high, 0);
	stage_resync();
}

/* Added before the snapshot, removed before it too; the answer comes behind it. */
Test(managed_waiting, an_output_that_was_gone_before_the_snapshot)
{
	streaming();
	stage.registry_late = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_resync();
	stage_forget();
	result_of(2, RESULT_OK, 1);
	stage_expect("outputs 2 not_found 0 The output was removed");
}

Test(managed_waiting, an_output_whose_stream_the_snapshot_does_not_have)
{
	streaming();
	stage.hold = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_forget();
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
	stage_handle(&(struct input){ .type = INPUT_SYNCED, .seq = stage.registry->seq });
	stage_pass(10);
	cr_assert(stage_said("outputs 2 not_found 0 The stream has ended"), "%s", stage.log);
	stage_resync();
}

Test(managed_waiting, an_output_whose_result_comes_in_the_middle_of_a_snapshot)
{
	for (unsigned again = 0; again < 2; again++) {
		char expected[32];

		streaming();
		stage.registry_late = true;
		stage_output_add("pa", 2 + again, "rtmp://a/k", "");
		asks_find(&stage.managed->asks, GATEWAY, 2 + again)->again = again;
		stage_handle(&(struct input){ .type = INPUT_RESYNC });
		stage_let_through();
		stage_expect("");
		stage_resync();
		stage_pass(20);
		(void)snprintf(expected, sizeof expected, "outputs %u ok 1", 2 + again);
		cr_assert(stage_said(expected), "%s", stage.log);
		stage_close();
		stage_ready();
	}
}

Test(managed_waiting, one_that_is_asked_for_only_is_not_over_with_the_stream)
{
	streaming();
	stage.registry_late = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	story_of_end();
	cr_assert_not(stage_said("outputs 2"), "the registry will say: %s", stage.log);
	result_of(2, RESULT_NOT_FOUND, 0);
	cr_assert(stage_said("outputs 2 not_found"), "%s", stage.log);
}
