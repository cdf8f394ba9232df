/* SPDX-License-Identifier: MIT */
/* Goal: an answer of the provider that comes at an odd time, is strange, or finds no room is taken
 * for what it is: nothing is made or left twice, and every app is answered.  Method: the registry
 * and the adapter, calls that are held, tables that are full.
 */
#include <criterion/criterion.h>

#include "actors/managed-adapter/managed_internal.h"
#include "tests/lib/fill_pool.h"
#include "tests/lib/managed_stage.h"

#define WAITING "initializing 'Waiting for stream to start...'"

TestSuite(managed_answers, .init = stage_ready, .fini = stage_close);

static struct managed_work *work(void)
{
	return &stage.managed->works[0];
}

/* To the call of the stream that is under way. */
static struct stream_event answer_of(enum call_outcome outcome)
{
	struct stream_event done = { .type = EVENT_PROVIDER_DONE };

	done.provider_done.call = work()->call;
	done.provider_done.outcome = outcome;
	return done;
}

static void answer(struct stream_event done)
{
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, done);
}

static void story(struct stream_event event)
{
	event.seq = stage.registry->seq + 1;
	stage_handle(&(struct input){ .type = INPUT_STORY, .event = &event });
}

/* Looks -----------------------------------------------------------------------------------------
 */

static const struct state_managed *known(void)
{
	return state_managed_of(&stage.managed->state, managed_stream_of(stage.managed, work()));
}

static struct stream_event look_answered(void)
{
	struct stream_event done = answer_of(CALL_OK);

	done.provider_done.hls = managed_text(stage.managed, known()->hls);
	done.provider_done.dash = managed_text(stage.managed, known()->dash);
	done.provider_done.preview = managed_text(stage.managed, known()->preview);
	done.provider_done.thumbnail = managed_text(stage.managed, known()->thumbnail);
	return done;
}

static void be_looked_at(uint64_t request)
{
	stage.hold = false;
	stage_watch("pa", request);
	stage_device(DEVICE_STREAMING);
	stage.hold = true;
	stage_pass(20);
	stage_forget();
	cr_assert_neq(work()->call, 0);
}

static void leave(uint64_t request)
{
	stage.hold = false;
	stage_stop("pa", request);
	stage_release();
	stage_pass(100);
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

Test(managed_answers, each_new_address_is_a_detail)
{
	for (unsigned i = 0; i <= 4; i++) {
		be_looked_at(10 + 2 * i);
		struct stream_event done = look_answered();
		struct text *const fields[] = { &done.provider_done.hls, &done.provider_done.dash,
						&done.provider_done.preview,
						&done.provider_done.thumbnail };

		if (i < 4)
			*fields[i] = TEXT("http://v/new");
		answer(done);
		cr_assert_eq(stage_said("Stream details updated"), i < 4, "%u: %s", i, stage.log);
		leave(11 + 2 * i);
	}
}

Test(managed_answers, a_hint_that_says_nothing_changes_nothing)
{
	stage_watch("pa", 1);
	stage_input("I1")->ingest = INGEST_LIVE;
	stage_hint("I1", INGEST_LIVE, true);
	stage_hint("I1", INGEST_UNKNOWN, true);
	stage_pass(20);
	cr_assert_eq(known()->ingest, INGEST_LIVE);
}

Test(managed_answers, a_look_that_found_no_room_is_made_later)
{
	stage_watch("pa", 1);
	stage.log_looks = true;
	stage_forget();
	stage.managed->stats.calls_open = MANAGED_LOOKS_MAX;
	stage_pass(5000);
	stage_expect("");
	stage.managed->stats.calls_open = 0;
	stage_pass(2100);
	stage_expect("describe I1");
}

Test(managed_answers, what_is_gone_is_not_looked_at_again)
{
	const struct state_stream *stream;

	stage_watch("pa", 1);
	stage_device(DEVICE_STREAMING);
	stage_input("I1")->there = false;
	stage.registry_late = true;
	stage_pass(stage.options.reconcile_interval_ms + 2000);
	cr_assert_eq(work()->stage, STAGE_GONE);
	stream = managed_stream_of(stage.managed, work());
	stage.log_looks = true;
	stage_forget();
	struct stream_event status = { .type = EVENT_STREAM_STATUS,
				       .user_id = TEXT("u@x"),
				       .stream_id = managed_text(stage.managed, stream->id),
				       .epoch = stream->epoch };

	status.stream_status.status = DEVICE_STREAMING;
	status.stream_status.phase = PHASE_LIVE;
	story(status);
	stage_pass(100);
	cr_assert_not(stage_said("describe"), "%s", stage.log);
	stage_let_through();
	cr_assert_not(stage_active());
}

/* Where to publish to ---------------------------------------------------------------------------
 */

/* An input that another life has made: the story has no secret, so it is asked for once more. */
static void made_by_another_life(void)
{
	struct stream_event open = {
		.type = EVENT_STREAM_OPEN, .user_id = TEXT("u@x"), .origin = 77, .request = 1
	};
	struct stream_event made = { .type = EVENT_INPUT_MADE, .user_id = TEXT("u@x") };
	struct stage_input *input = stage_input_add("I1", "marked", 0);

	open.stream_open.kind = KIND_MANAGED;
	open.stream_open.provider = PROVIDER_CLOUDFLARE;
	open.stream_open.package = TEXT("pa");
	open.stream_open.video = open.stream_open.audio = open.stream_open.options = TEXT("{}");
	stage_rows();
	stage_say((struct peer){ ROLE_MANAGED, 77 }, open);
	made.stream_id = state_text(&stage.registry->state, stage_active()->id);
	made.epoch = stage_active()->epoch;
	made.input_made.input_id = TEXT("I1");
	made.input_made.ingest = TEXT("rtmp://in/I1");
	(void)text_put(made.stream_id, input->stream_id, sizeof input->stream_id);
	stage_say((struct peer){ ROLE_MANAGED, 77 }, made);
	stage_synced();
	stage_pass(10);
	stage_forget();
}

Test(managed_answers, a_secret_that_is_not_known_is_asked_for)
{
	made_by_another_life();
	stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, "busy");
	stage_pass(2100);
	stage_expect("create S1");
	stage_pass(2100);
	stage_expect("create S1; G start S1 rtmp://in/I1");
	cr_assert_eq(stage_inputs_there(), 1);
}

Test(managed_answers, a_secret_of_another_input_is_not_used)
{
	stage.honours = false;
	made_by_another_life();
	stage_pass(60000);
	cr_assert_not(stage_said("G start"), "%s", stage.log);
	cr_assert_eq(stage_count("create"), stage.options.create_tries);
	cr_assert(stage_input("I1")->there);
}

Test(managed_answers, a_secret_that_has_come_meanwhile_is_kept)
{
	made_by_another_life();
	stage.hold = true;
	stage_pass(2100);
	stage_expect("create S1");
	stage_resync(); /* its rows have it */
	stage_pass(10);
	stage.hold = false;
	stage_release();
	cr_assert_eq(stage_count("G start S1 rtmp://in/I1"), 1, "%s", stage.log);
}

Test(managed_answers, a_secret_that_comes_in_the_middle_of_a_snapshot)
{
	made_by_another_life();
	stage.hold = true;
	stage_pass(2100);
	stage_rows();
	stage.hold = false;
	stage_release();
	stage_synced();
	stage_pass(100);
	cr_assert_eq(stage_count("G start S1 rtmp://in/I1"), 1, "%s", stage.log);
	cr_assert_eq(stage_inputs_there(), 1);
}

Test(managed_answers, a_secret_that_finds_no_room_starts_nothing)
{
	made_by_another_life();
	fill_pool(&stage.managed->state.pool);
	stage_pass(2100);
	stage_expect("create S1");
}

/* What was made ---------------------------------------------------------------------------------
 */

Test(managed_answers, nothing_is_made_without_a_mark)
{
	stage.managed->state.mark[0] = '\0';
	stage_watch("pa", 1);
	stage_pass(1000);
	stage_expect("");
	stage_resync();
	stage_pass(200);
	stage_expect("create S1; G start S1 rtmp://in/I1; pa " WAITING "; done 1 ok");
}

Test(managed_answers, without_an_address_to_publish_to_it_is_not_made)
{
	stage.hold = true;
	stage_watch("pa", 1);
	struct stream_event done = answer_of(CALL_OK);

	answer(done); /* without a name, too */
	stage_pass(1100);
	done = answer_of(CALL_OK);
	done.provider_done.input_id = TEXT("I1");
	answer(done);
	stage_pass(2100);
	cr_assert_eq(stage_count("create S1"), 3, "%s", stage.log);
	answer(answer_of(CALL_REFUSED));
	cr_assert(stage_said("done 1 INTERNAL_ERROR: Failed to create live stream: no answer from "
			     "the provider"),
		  "%s", stage.log);
	cr_assert_eq(stage.managed->works[0].stage, STAGE_SEARCH, "it may have been made");
}

Test(managed_answers, an_outcome_that_is_none_makes_nothing)
{
	stage.hold = true;
	stage_watch("pa", 1);
	struct stream_event done = answer_of(CALL_OUTCOME_COUNT);

	stage_handle(&(struct input){
		.type = INPUT_MESSAGE, .peer = { ROLE_PROVIDER, 0 }, .event = &done });
	cr_assert_eq(stage.managed->stats.outcomes[CALL_NONE], 1);
	cr_assert(stage_said("done 1 INTERNAL_ERROR"), "%s", stage.log);
}

/* Whatever does not fit into memory: the app is refused, and lists find the input. */
static void expect_refused_and_deleted(void)
{
	stage_pass(5000);
	cr_assert(stage_said("done 1 INTERNAL_ERROR: Failed to create live stream: no answer from "
			     "the provider"),
		  "%s", stage.log);
	stage_pass(200000);
	cr_assert_eq(stage_inputs_there(), 0, "%s", stage.log);
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

Test(managed_answers, what_is_made_finds_no_room)
{
	stage.hold = true;
	stage_watch("pa", 1);
	fill_pool(&stage.managed->texts);
	stage.hold = false;
	stage_release();
	cr_assert_eq(stage_count("create S1"), 1);
	expect_refused_and_deleted();
}

Test(managed_answers, a_reason_that_finds_no_room_is_left_out)
{
	stage.hold = true;
	stage_watch("pa", 1);
	fill_pool(&stage.managed->texts);
	stage_plan(EVENT_PROVIDER_CREATE, CALL_REFUSED, "a reason that needs room of its own");
	stage.hold = false;
	stage_release();
	cr_assert(stage_said("done 1 INTERNAL_ERROR: Failed to create live stream: no answer from "
			     "the provider"),
		  "%s", stage.log);
}

Test(managed_answers, what_is_made_in_the_middle_of_a_snapshot_finds_no_room)
{
	static const char reason[] = "a reason that needs room of its own";

	stage.hold = true;
	stage_watch("pa", 1);
	stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, reason);
	stage_rows();
	fill_pool(&stage.managed->texts);
	stage.hold = false;
	stage_release();
	stage_synced();
	expect_refused_and_deleted();
}

Test(managed_answers, destinations_that_find_no_room_do_not_stop_the_stream)
{
	fill_pool(&stage.managed->texts);
	stage.hold = true;
	stage_watch_to("pa", 1, "[{\"url\":\"rtmp://a/k\"}]");
	cr_assert_eq(stage.managed->stats.destinations_refused, 1);
	cr_assert(stage_active());
	cr_assert_not(stage_said("out+"));
}

/* In the middle of a snapshot -------------------------------------------------------------------
 */

Test(managed_answers, of_several_streams_in_the_middle_of_a_snapshot)
{
	stage.hold = true;
	stage_watch("pa", 1);
	stage.hold = false;
	stage_release();
	stage.hold = true;
	stage_stop("pa", 2); /* delete I1 is under way */
	stage_watch("pa", 3); /* so is create */
	stage_pass(10);
	cr_assert_eq(stage_held(), 2);
	stage_rows();
	stage_release();
	stage_synced();
	stage.hold = false;
	stage_release();
	stage_pass(100);
	cr_assert(stage_said("done 3 ok"), "%s", stage.log);
	cr_assert_eq(stage_count("create S2"), 1, "%s", stage.log);
	cr_assert_eq(stage_inputs_there(), 1);
	cr_assert_eq(stage.registry->state.streams_count, 1);
}

Test(managed_answers, of_an_output_in_the_middle_of_a_snapshot)
{
	stage_watch("pa", 1);
	stage.hold = true;
	stage_output_add("pa", 2, "rtmp://a/k", "");
	stage_pass(20);
	stage_rows();
	stage.hold = false;
	stage_release(); /* this answer is lost, so it is asked for again */
	stage_synced();
	stage_pass(100);
	cr_assert(stage_said("outputs 2 ok 1"), "%s", stage.log);
	cr_assert_eq(stage_count("out+ 1"), 2, "%s", stage.log);
}

Test(managed_answers, of_a_stream_that_the_snapshot_does_not_have)
{
	stage.hold = true;
	stage_watch_to("pa", 1, "[{\"url\":\"rtmp://a/k\"}]");
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
	stage_handle(&(struct input){ .type = INPUT_SYNCED, .seq = stage.registry->seq });
	cr_assert_eq(stage.managed->away_count, 0);
	stage.hold = false;
	stage_release();
	cr_assert_eq(stage.managed->stats.answers_late, 1);
	stage_resync();
	stage_pass(3000);
	cr_assert_eq(stage_inputs_there(), 1, "asked for again, it is the same");
	cr_assert(stage_said("G start S1 rtmp://in/I1"), "%s", stage.log);
}
