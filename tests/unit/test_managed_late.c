/* SPDX-License-Identifier: MIT */
/* Goal: a story that is heard while a snapshot is read says nothing to anybody before its end, and
 * one that is older than the rows changes nothing: the mirror is the registry's state, and who
 * waited is answered.  Method: the registry and the adapter; another life of the adapter asks the
 * registry for what the story then tells.
 */
#include <criterion/criterion.h>

#include "actors/managed-adapter/managed_internal.h"
#include "tests/lib/managed_stage.h"

TestSuite(managed_late, .init = stage_ready, .fini = stage_close);

static void other_life(struct stream_event event)
{
	static uint64_t requests = 500;
	const struct state_stream *stream = stage_active();

	event.user_id = TEXT("u@x");
	event.origin = 77;
	event.request = ++requests;
	if (stream) {
		event.stream_id = state_text(&stage.registry->state, stream->id);
		event.epoch = stream->epoch;
	}
	stage_say((struct peer){ ROLE_MANAGED, 77 }, event);
}

static void other_opens(const char *package, enum provider_kind provider)
{
	struct stream_event event = { .type = EVENT_STREAM_OPEN };

	event.stream_open.kind = KIND_MANAGED;
	event.stream_open.provider = provider;
	event.stream_open.package = text_of(package);
	event.stream_open.video = event.stream_open.audio = event.stream_open.options = TEXT("{}");
	other_life(event);
}

static void other_made(const char *input_id)
{
	struct stream_event event = { .type = EVENT_INPUT_MADE };

	event.input_made.input_id = text_of(input_id);
	event.input_made.ingest = TEXT("rtmp://in/other");
	event.input_made.hls = TEXT("http://v/hls");
	other_life(event);
}

static void other_adds(const char *url)
{
	struct stream_event event = { .type = EVENT_OUTPUT_ADD };

	event.output_add.package = TEXT("pa");
	event.output_add.url = text_of(url);
	other_life(event);
}

static void other_says_output(uint32_t number, enum output_state state)
{
	struct stream_event event = { .type = EVENT_OUTPUT_SEEN };

	event.output_seen.output = number;
	event.output_seen.state = state;
	event.output_seen.remote_id = TEXT("R9");
	other_life(event);
}

static void other_sees(enum playback playback)
{
	struct stream_event event = { .type = EVENT_INPUT_SEEN };

	event.input_seen.playback = playback;
	event.input_seen.hls = TEXT("http://v/hls2");
	other_life(event);
}

static void other_closes(enum end_cause cause, const char *detail)
{
	struct stream_event event = { .type = EVENT_STREAM_CLOSE };

	event.stream_close.end_cause = cause;
	event.stream_close.detail = text_of(detail);
	other_life(event);
}

static void other_leaves(const char *package)
{
	struct stream_event event = { .type = EVENT_STREAM_LEAVE };

	event.stream_leave.package = text_of(package);
	other_life(event);
}

/* What the story of a stream may tell, but its end. */
static void live(void)
{
	other_opens("pa", PROVIDER_CLOUDFLARE);
	other_made("I7");
	stage_device(DEVICE_STREAMING);
	other_opens("pb", PROVIDER_CLOUDFLARE);
	other_adds("rtmp://a/k");
	other_says_output(1, OUTPUT_IDLE);
	other_sees(PLAYBACK_LIVE);
	other_leaves("pb");
}

static void expect_mirrored(void)
{
	cr_expect_eq(stage.managed->state.streams_count, stage.registry->state.streams_count);
	cr_expect_eq(state_hash(&stage.managed->state), state_hash(&stage.registry->state));
	cr_expect_eq(stage.managed->asks.high, 0);
}

Test(managed_late, no_word_before_the_mirror_is_whole)
{
	stage_rows();
	live();
	stage_expect("");
	stage_synced();
	stage_pass(10);
	expect_mirrored();
	cr_assert(stage_said("G start S1") || stage_active()->start_delivered);
	stage_forget();
	stage_rows();
	stage_stop("pa", 9);
	other_closes(END_APP_STOP, "");
	stage_expect("");
	stage_synced();
	stage_pass(100);
	cr_assert(stage_said("pa stopped [rtmp://a/k=stopped] final"), "%s", stage.log);
	cr_assert(stage_said("delete I7"), "%s", stage.log);
	cr_assert(stage_said("done 9 ok"), "%s", stage.log);
	expect_mirrored();
}

Test(managed_late, what_another_life_does_is_told)
{
	other_opens("pa", PROVIDER_CLOUDFLARE);
	stage_expect("create S1; G start S1 rtmp://in/I1; pa initializing 'Waiting for stream to "
		     "start...'");
	other_opens("pb", PROVIDER_CLOUDFLARE);
	stage_expect("pb active reply");
	other_leaves("pb");
	stage_expect("pb stopped final");
	other_closes(END_APP_STOP, "");
	stage_pass(100);
	cr_assert_eq(stage_inputs_there(), 0);
	expect_mirrored();
}

Test(managed_late, a_join_is_told_once_there_is_an_input)
{
	stage.hold = true;
	other_opens("pa", PROVIDER_CLOUDFLARE);
	other_opens("pb", PROVIDER_CLOUDFLARE);
	stage_expect("create S1");
	stage.hold = false;
	stage_release();
	cr_assert(stage_said("pa initializing") && stage_said("pb initializing"));
	other_closes(END_APP_STOP, "");
}

/* Rows that were made later than the story that comes behind them. */
Test(managed_late, a_story_older_than_the_rows_changes_nothing)
{
	stage.apps_silent = true; /* the record stays */
	stage.story_late = true;
	live();
	stage_resync();
	stage_pass(10);
	uint64_t hash = state_hash(&stage.managed->state);

	stage_forget();
	stage_let_through();
	cr_expect_eq(state_hash(&stage.managed->state), hash);
	cr_expect_not(stage_said("pa stopped"), "%s", stage.log);
	stage.story_late = true;
	stage_watch("pb", 3);
	stage_device(DEVICE_ACTIVE);
	other_says_output(1, OUTPUT_ACTIVE);
	other_sees(PLAYBACK_DETAILS);
	stage_stop("pa", 4);
	stage_stop("pb", 5);
	other_closes(END_APP_STOP, "");
	stage_resync();
	stage_pass(10);
	stage_forget();
	stage_let_through();
	cr_expect_not(stage_said("active") || stage_said("initializing"), "%s", stage.log);
	stage_pass(100);
	expect_mirrored();
}

/* The registry's answer is faster than its story.  To be in sight of the registry again, or the end
 * of a snapshot that is older, is not that story.
 */
Test(managed_late, a_story_that_is_still_to_come_is_waited_for)
{
	stage_watch("pa", 1);
	stage_forget();
	stage.story_late = true;
	const uint64_t seq = stage.registry->seq;

	stage_watch("pb", 2);
	stage_output_add("pa", 3, "rtmp://a/k", "");
	stage_handle(&(struct input){ .type = INPUT_SYNCED, .seq = seq });
	stage_pass(20);
	stage_expect("");
	stage_let_through();
	stage_pass(20);
	stage_expect("pb active reply; done 2 ok; out+ 1 rtmp://a/k; "
		     "pa active 'Outputs updated' [rtmp://a/k=stopped]; "
		     "pb active 'Outputs updated' [rtmp://a/k=stopped]; outputs 3 ok 1");
}

/* Of what is not ours ---------------------------------------------------------------------------
 */

Test(managed_late, records_of_another_provider_are_left_alone)
{
	stage.log_looks = true;
	other_opens("pa", PROVIDER_LOCAL);
	other_made("L1");
	stage_pass(100);
	cr_assert_not(stage_said("create") || stage_said("describe"), "%s", stage.log);
	stage_hint("L1", INGEST_LIVE, true);
	stage_output_hint("L1", 1, OUTPUT_ACTIVE, "");
	stage_resync();
	stage_forget();
	other_closes(END_APP_STOP, "");
	stage_input_add("L1", "marked", 0);
	stage_pass(stage.options.reconcile_interval_ms + 1000);
	cr_assert_not(stage_said("delete") || stage_said("adopt L1"), "%s", stage.log);
	cr_assert_eq(stage.registry->state.streams_count, 1, "its input is owed still");
	expect_mirrored();
}

/* Ends ------------------------------------------------------------------------------------------
 */

Test(managed_late, what_cannot_be_made_may_have_no_reason)
{
	stage.hold = true;
	stage_watch("pa", 1);
	other_closes(END_PROVIDER_ERROR, "");
	stage_expect("create S1; done 1 INTERNAL_ERROR: Failed to create live stream: ");
	stage.hold = false;
	stage_release();
	stage_pass(100);
	cr_assert_eq(stage_inputs_there(), 0);
}

/* So says the story, whatever we think of it. */
Test(managed_late, an_end_that_owes_nothing_leaves_no_record)
{
	struct stream_event closed = { .type = EVENT_STREAM_CLOSED, .user_id = TEXT("u@x") };

	stage.hold = true;
	stage_watch("pa", 1);
	const struct state_stream *stream = stage_active();

	closed.seq = stage.registry->seq + 1;
	closed.stream_id = state_text(&stage.registry->state, stream->id);
	closed.epoch = stream->epoch;
	closed.stream_closed.end_cause = END_PROVIDER_ERROR;
	stage_handle(&(struct input){ .type = INPUT_STORY, .event = &closed });
	cr_assert(stage_said("done 1 INTERNAL_ERROR"), "%s", stage.log);
	cr_assert_eq(stage.managed->state.streams_count, 0);
	stage.hold = false;
	stage_release(); /* the answer for a record that is gone */
	cr_assert_eq(stage.managed->stats.answers_late, 1);
	stage_pass(10);
	stage_resync(); /* the registry still has it */
}

Test(managed_late, an_input_that_was_found_gone_while_it_was_made)
{
	stage.hold = stage.apps_silent = true; /* the record stays */
	stage_watch("pa", 1);
	other_closes(END_APP_STOP, "");
	const struct state_stream *stream = state_stream_at(&stage.registry->state, 0);
	struct stream_event gone = { .type = EVENT_INPUT_GONE,
				     .stream_id = state_text(&stage.registry->state, stream->id),
				     .epoch = stream->epoch };

	other_life(gone);
	stage.hold = false;
	stage_release(); /* and there it is: nothing but a list tells that now */
	stage_pass(100);
	stage_input("I1")->age_s = (uint64_t)stage.options.leak_age_s;
	stage_pass(stage.options.reconcile_interval_ms + 1000);
	cr_assert_eq(stage_inputs_there(), 0);
}
