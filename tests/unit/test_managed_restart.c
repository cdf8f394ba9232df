/* SPDX-License-Identifier: MIT */
/* Goal: wherever the adapter dies, no input is left, every request is answered, the device is told
 * to stop and every viewer hears one end (design.md 1, 5).  Method: the life of a stream, and the
 * adapter dying at every single input and effect of it; its next life is asked again what had no
 * answer, as gateways do.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/managed_stage.h"

#define DESTINATIONS "[{\"url\":\"rtmp://a/k1\"},{\"url\":\"rtmp://b/k2\"}]"
#define ALL "[rtmp://a/k1=stopped rtmp://b/k2=stopped rtmp://c/k3(C)=stopped] final"

enum step { STEP_WATCH, STEP_STREAMING, STEP_JOIN, STEP_OUTPUT, STEP_LEAVE, STEP_STOP, STEPS };

struct plan {
	uint32_t crash_in;
	bool honours; /* the provider knows an operation by its id */
	bool lost; /* the first answer to create is lost */
	bool resync; /* not a death: the same life hears a snapshot */
};

static bool asked[STEPS + 1];

static void ask(enum step step)
{
	asked[step] = true;
	if (step == STEP_WATCH)
		stage_watch_to("pa", 1, DESTINATIONS);
	else if (step == STEP_JOIN)
		stage_watch("pb", 3);
	else if (step == STEP_OUTPUT)
		stage_output_add("pa", 4, "rtmp://c/k3", "C");
	else if (step == STEP_LEAVE)
		stage_stop("pb", 5);
	else if (step == STEP_STOP)
		stage_stop("pa", 6);
	else if (stage_active() && stage_active()->start_delivered)
		stage_device(DEVICE_STREAMING);
}

static bool answered(enum step step)
{
	static const unsigned requests[STEPS] = { 1, 0, 3, 4, 5, 6 };
	char done[32], outputs[32];

	(void)snprintf(done, sizeof done, "done %u ", requests[step]);
	(void)snprintf(outputs, sizeof outputs, "outputs %u ", requests[step]);
	return step == STEP_STREAMING || stage_said(done) || stage_said(outputs);
}

static void revive(const struct plan *plan, enum step upto)
{
	if (!stage.adapter_down)
		return;
	stage_restart();
	for (enum step step = 0; step <= upto; step++)
		if (asked[step] && !answered(step))
			ask(step); /* the same request, by the same id */
	stage_pass(2000);
	(void)plan;
}

/* Return: whether it died on the way. */
static bool live(const struct plan *plan)
{
	memset(asked, 0, sizeof asked);
	stage_defaults();
	stage.honours = plan->honours;
	stage_open();
	stage.positions = 0;
	stage.crash_in = plan->resync ? 0 : plan->crash_in;
	if (plan->lost)
		stage_plan_effect(EVENT_PROVIDER_CREATE, CALL_UNKNOWN, "timeout");
	for (enum step step = 0; step < STEPS; step++) {
		ask(step);
		if (plan->resync && plan->crash_in == (uint32_t)step + 1)
			stage_resync();
		stage_pass(300);
		revive(plan, step);
		stage_pass(3000);
		revive(plan, step);
	}
	bool died = stage.crash_in == 0;

	stage.crash_in = 0;
	for (enum step step = 0; step < STEPS; step++)
		cr_expect(answered(step), "step %d has no answer: %s", (int)step, stage.log);
	cr_expect_eq(stage_count("done 1 INTERNAL"), 0, "%s", stage.log);
	cr_expect_geq(stage_count("G start S1"), 1, "%s", stage.log);
	cr_expect_geq(stage_count("G stop S1"), 1, "%s", stage.log);
	/* Of what is closed the outputs are not kept: a later life tells the end without them. */
	cr_expect_geq(stage_count("pa stopped " ALL) + stage_count("pa stopped final"), 1, "%s",
		      stage.log);
	cr_expect_geq(stage_count("pb stopped " ALL), 1, "%s", stage.log);
	stage_pass(5000000); /* until leaks are old enough and found */
	cr_expect_eq(stage_inputs_there(), 0, "an input is left: %s", stage.log);
	cr_expect_eq(stage.registry->state.streams_count, 0, "a record is left");
	cr_expect_eq(stage.managed->asks.high, 0, "a request is left");
	stage_close();
	return died;
}

static void die_everywhere(struct plan plan)
{
	unsigned deaths = 0;

	for (plan.crash_in = 1; live(&plan); plan.crash_in++)
		deaths++;
	cr_expect_geq(deaths, 100, "it died only %u times", deaths);
}

Test(managed_restart, at_every_position)
{
	die_everywhere((struct plan){ .honours = true });
}

Test(managed_restart, at_every_position_with_a_forgetful_provider)
{
	die_everywhere((struct plan){ .honours = false });
}

Test(managed_restart, at_every_position_with_a_lost_answer)
{
	die_everywhere((struct plan){ .honours = true, .lost = true });
}

Test(managed_restart, a_snapshot_at_every_step)
{
	for (uint32_t step = 1; step <= STEPS; step++) {
		(void)live(&(struct plan){ .crash_in = step, .honours = true, .resync = true });
		(void)live(&(struct plan){ .crash_in = step, .honours = false, .resync = true });
	}
}

/* Secrets ------------------------------------------------------------------------------------ */

TestSuite(managed_secrets, .init = stage_defaults, .fini = stage_close);

/* As an earlier life would have it, late. */
static struct stream_event input_made(const char *input_id)
{
	static char ingest[64];
	const struct state_stream *stream = stage_active();
	struct stream_event made = { .type = EVENT_INPUT_MADE,
				     .user_id = TEXT("u@x"),
				     .stream_id = state_text(&stage.registry->state, stream->id),
				     .epoch = stream->epoch };

	(void)snprintf(ingest, sizeof ingest, "rtmp://in/%s", input_id);
	made.input_made.input_id = text_of(input_id);
	made.input_made.ingest = text_of(ingest);
	return made;
}

/* The story that follows a snapshot has no secrets; what was asked before it had. */
Test(managed_secrets, outlive_a_snapshot)
{
	stage_open();
	stage.hold = true;
	stage_watch("pa", 1);
	struct stream_event made = input_made("I1");

	stage_forget();
	stage_say((struct peer){ ROLE_MANAGED, 77 }, made);
	stage_expect("pa initializing 'Waiting for stream to start...'; done 1 ok");
	stage.hold = false;
	stage_release();
	stage_pass(2100);
	stage_expect("G start S1 rtmp://in/I1");
}

Test(managed_secrets, are_adopted)
{
	stage_open();
	stage_watch("pa", 1);
	stage_forget();
	stage.log_looks = true;
	stage_restart();
	stage_expect("adopt I1; adopt ; quota; "
		     "pa initializing 'Waiting for stream to start...'; list 0");
	stage_pass(100);
	stage_forget();
}

/* What was asked of the registry before a snapshot is in the story behind it. */
Test(managed_secrets, of_what_was_asked_before_a_snapshot)
{
	stage_open();
	stage.hold = true;
	stage_watch_to("pa", 1, "[{\"url\":\"rtmp://a/k\"}]");
	stage.registry_late = true;
	stage_release();
	stage_pass(MANAGED_OUTPUTS_WAIT_MS + 20); /* the output is not answered for */
	stage_resync();
	stage_forget();
	stage_let_through();
	cr_assert(stage_said("G start S1 rtmp://in/I1"), "%s", stage.log);
	cr_assert(stage_said("done 1 ok"));
	stage.hold = false;
	stage_release();
	stage_pass(3000);
	cr_assert(stage_said("[rtmp://a/k=stopped]"), "%s", stage.log);
}

Test(managed_secrets, of_outputs_that_were_asked_for_before_a_snapshot)
{
	stage_open();
	stage.hold = true;
	stage.registry_late = true;
	stage_watch_to("pa", 1, "[{\"url\":\"rtmp://a/k\"}]");
	stage_let_through(); /* stream.open */
	stage_forget();
	stage_restart();
	stage.registry_late = true;
	stage_watch_to("pa", 1, "[{\"url\":\"rtmp://a/k\"}]");
	stage_let_through();
	stage.registry_late = true;
	stage_pass(2000);
	stage_resync(); /* output.add is on its way, its URL will not be in the story */
	stage_let_through();
	stage.hold = false;
	stage_release();
	stage_pass(3000);
	cr_assert(stage_said("rtmp://a/k=stopped"), "%s", stage.log);
}

/* A life that is refused does not know what an earlier one has made. */
Test(managed_secrets, what_an_earlier_life_made_is_found)
{
	stage_open();
	stage.hold = true;
	stage_watch("pa", 1);
	const struct state_stream *stream = stage_active();
	struct stage_input *input = stage_input_add("I9", "marked", 0);

	(void)text_put(state_text(&stage.registry->state, stream->id), input->stream_id,
		       sizeof input->stream_id);
	stage_plan(EVENT_PROVIDER_CREATE, CALL_REFUSED, "no");
	stage_forget();
	stage.hold = false;
	stage_restart();
	stage_pass(100);
	stage_expect("create S1; delete I9");
	cr_assert_eq(stage_inputs_there(), 0);
	cr_assert_eq(stage.registry->state.streams_count, 0);
	stage_watch("pa", 1); /* asked again, too late to know more */
	stage_pass(10);
	stage_expect("done 1 INTERNAL_ERROR: Failed to create live stream: it was over before it "
		     "began");
}

/* Asked twice, a provider that forgets makes two: the device gets the one that the story names. */
Test(managed_secrets, are_those_of_the_input_that_the_story_names)
{
	stage.honours = false;
	stage_open();
	stage_pass(1000);
	stage.hold = true;
	stage_watch("pa", 1);
	stage.registry_late = true;
	stage_release(); /* input.made of I1 is on its way */
	stage_resync();
	stage_forget();
	stage_pass(20);
	stage_release(); /* and now that of I2 as well */
	stage_let_through();
	cr_assert(stage_said("G start S1 rtmp://in/I1"), "%s", stage.log);
	cr_assert_not(stage_said("rtmp://in/I2"), "%s", stage.log);
}

/* What is asked of two lives is answered by the story: whatever we were told was not of that one.
 */
Test(managed_secrets, of_another_input_are_not_used)
{
	stage_open();
	stage.hold = true;
	stage_watch("pa", 1);
	stage.registry_late = true;
	stage_release(); /* input.made of I1 is on its way */
	struct stream_event made = input_made("I7");

	stage.registry_late = false;
	stage_forget();
	stage_say((struct peer){ ROLE_MANAGED, 77 }, made);
	stage_let_through();
	stage_pass(10);
	cr_assert(stage_said("done 1 ok"), "%s", stage.log);
	cr_assert_not(stage_said("G start S1 "), "%s", stage.log);
}

/* What is under way ---------------------------------------------------------------------------- */

TestSuite(managed_under_way, .init = stage_defaults, .fini = stage_close);

/* A snapshot begins; what comes now falls between its beginning and its end. */
static void begin_snapshot(void)
{
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
}

static void watch_held(void)
{
	stage.honours = false; /* each create that goes out makes an input */
	stage_open();
	stage.hold = true;
	stage_watch("pa", 1);
}

static void expect_made_once(void)
{
	stage.hold = false;
	stage_release();
	stage_pass(3000);
	cr_expect_eq(stage_count("create S1"), 1, "%s", stage.log);
	cr_expect_eq(stage_inputs_there(), 1);
	cr_expect(stage_said("G start S1 rtmp://in/I1"), "%s", stage.log);
	cr_expect(stage_said("done 1 ok"), "%s", stage.log);
}

Test(managed_under_way, a_call_outlives_snapshots)
{
	watch_held();
	stage_resync();
	stage_pass(1000);
	stage_resync();
	stage_pass(1000);
	expect_made_once();
}

Test(managed_under_way, an_answer_in_the_middle_of_one_counts)
{
	watch_held();
	begin_snapshot();
	stage_release();
	stage_resync();
	expect_made_once();
}

Test(managed_under_way, an_answer_that_is_passed_on_is_not_asked_for_again)
{
	watch_held();
	stage.registry_late = true;
	stage_release(); /* input.made is on its way */
	stage_resync();
	stage_pass(1000);
	stage_let_through();
	expect_made_once();
}

Test(managed_under_way, a_refusal_in_the_middle_of_one_counts)
{
	watch_held();
	stage_plan(EVENT_PROVIDER_CREATE, CALL_REFUSED, "no");
	stage_plan(EVENT_PROVIDER_CREATE, CALL_OK, NULL);
	begin_snapshot();
	stage_release();
	stage_resync();
	stage_pass(100);
	cr_expect_eq(stage_count("create S1"), 1, "%s", stage.log);
	cr_expect(stage_said("done 1 INTERNAL_ERROR: Failed to create live stream: no"), "%s",
		  stage.log);
}

/* The pause before the next try is kept, and so is the number of tries. */
Test(managed_under_way, tries_are_counted_over_snapshots)
{
	watch_held();
	for (unsigned i = 0; i < 3; i++) {
		stage_plan(EVENT_PROVIDER_CREATE, CALL_RETRY, "busy");
		begin_snapshot();
		stage_release();
		stage_resync();
		cr_expect_eq(stage_count("create S1"), i + 1, "%s", stage.log);
		stage_pass(5000);
	}
	cr_expect_eq(stage_count("create S1"), 3, "%s", stage.log);
	cr_expect(stage_said("done 1 INTERNAL_ERROR: Failed to create live stream: busy"), "%s",
		  stage.log);
}

Test(managed_under_way, a_delete_outlives_snapshots)
{
	stage_open();
	stage_watch("pa", 1);
	stage.hold = true;
	stage_stop("pa", 2);
	stage_resync();
	stage_pass(1000);
	begin_snapshot();
	stage_resync();
	stage_pass(1000);
	cr_expect_eq(stage_count("delete I1"), 1, "%s", stage.log);
	stage.hold = false;
	stage_release();
	stage_pass(1000);
	cr_expect_eq(stage_inputs_there(), 0);
	cr_expect_eq(stage.registry->state.streams_count, 0);
}

/* Who waited for what the story told while it was not heard is answered from the record. */
Test(managed_under_way, a_watch_is_answered_from_the_snapshot)
{
	watch_held();
	begin_snapshot();
	stage_say((struct peer){ ROLE_MANAGED, 77 }, input_made("I7"));
	cr_expect_not(stage_said("done 1 ok"));
	stage_resync();
	stage_pass(10);
	cr_expect(stage_said("done 1 ok"), "%s", stage.log);
	cr_expect_eq(stage.managed->asks.high, 0);
}

Test(managed_under_way, one_that_has_left_meanwhile_is_done)
{
	watch_held();
	stage_watch("pb", 2);
	begin_snapshot();
	stage_app_stop("pb");
	stage_resync();
	stage_pass(10);
	cr_expect(stage_said("done 2 ok"), "%s", stage.log);
	cr_expect_not(stage_said("done 1 "), "%s", stage.log);
	expect_made_once();
}

/* Its first answer is all that is left of it: what the story says since counts. */
Test(managed_under_way, a_join_asked_again_after_it_has_left_is_told_nothing)
{
	stage_open();
	stage_watch("pa", 1);
	stage_pass(100);
	stage_watch("pb", 2);
	stage_pass(10);
	stage_stop("pb", 3);
	stage_pass(10);
	stage_restart();
	stage_pass(100);
	stage_forget();
	stage_watch("pb", 2);
	stage_pass(10);
	stage_expect("done 2 ok");
}

Test(managed_under_way, an_output_is_answered_from_the_snapshot)
{
	stage_open();
	stage_watch("pa", 1);
	stage.hold = true;
	stage_output_add("pa", 4, "rtmp://c/k3", "C");
	const struct state_stream *stream = stage_active();
	struct stream_event seen = { .type = EVENT_OUTPUT_SEEN,
				     .user_id = TEXT("u@x"),
				     .stream_id = state_text(&stage.registry->state, stream->id),
				     .epoch = stream->epoch };

	seen.output_seen.output = 1;
	seen.output_seen.state = OUTPUT_IDLE;
	seen.output_seen.remote_id = TEXT("R1");
	begin_snapshot();
	stage_say((struct peer){ ROLE_MANAGED, 77 }, seen);
	cr_expect_not(stage_said("outputs 4 "));
	stage_resync();
	stage_pass(10);
	cr_expect(stage_said("outputs 4 "), "%s", stage.log);
	cr_expect_eq(stage.managed->asks.high, 0);
}

/* The pace of deletes ------------------------------------------------------------------------- */

#define OWED 6 /* more than MANAGED_DELETES_PER_S */

/* As many streams, all over, that could not be deleted. */
static void owe(void)
{
	stage_defaults();
	stage_open();
	for (unsigned i = 0; i < OWED; i++) {
		stage_watch("pa", 2 * i + 1);
		stage_plan(EVENT_PROVIDER_DELETE, CALL_RETRY, "busy");
		stage_stop("pa", 2 * i + 2);
		stage_pass(100);
	}
	cr_assert_eq(stage.plans_count, 0, "%s", stage.log);
	cr_assert_eq(stage_inputs_there(), OWED);
	stage_forget();
}

static unsigned deletes(void)
{
	unsigned count = 0;

	for (const char *at = stage.log; (at = strstr(at, "delete I")); at++)
		count++;
	return count;
}

/* All are deleted by @ms from now, and never more than allowed within a second. */
static void expect_pace(int64_t ms)
{
	int64_t begun_ms[2 * OWED];
	unsigned count = 0;

	for (int64_t at_ms = 0; at_ms < ms; at_ms++, stage_pass(1))
		for (; count < deletes(); count++) {
			cr_assert_lt(count, 2 * OWED, "%s", stage.log);
			begun_ms[count] = at_ms;
			if (count >= MANAGED_DELETES_PER_S)
				cr_expect_geq(at_ms - begun_ms[count - MANAGED_DELETES_PER_S], 1000,
					      "number %u", count);
		}
	cr_expect_eq(count, OWED, "%s", stage.log);
	cr_expect_eq(stage_inputs_there(), 0);
	cr_expect_eq(stage.registry->state.streams_count, 0);
	stage_close();
}

Test(managed_restart, what_an_earlier_life_has_left_is_deleted_little_by_little)
{
	owe();
	stage_restart();
	expect_pace(2500);
}

/* All are due again at one time. */
Test(managed_restart, so_is_what_could_not_be_deleted)
{
	owe();
	for (unsigned i = 0; i < OWED; i++)
		stage_plan(EVENT_PROVIDER_DELETE, CALL_RETRY, "busy");
	for (unsigned i = 0; i < OWED; i++)
		stage.plans[i].retry_ms = 5000 - 250 * i; /* as long as a block lasts */
	stage_pass(2500);
	cr_expect_eq(stage.plans_count, 0, "%s", stage.log);
	stage_forget();
	expect_pace(8000);
}

/* The turns of the works that a snapshot forgets are given to others. */
Test(managed_restart, snapshots_do_not_put_deletes_off)
{
	owe();
	for (unsigned i = 0; i < 2 * OWED; i++) {
		stage_resync();
		stage_pass(250);
	}
	cr_expect_eq(deletes(), OWED, "%s", stage.log);
	stage_pass(1000);
	cr_expect_eq(stage_inputs_there(), 0);
	stage_close();
}

/* What has just ended waits for nobody. */
Test(managed_restart, a_stream_that_ends_now_is_deleted_at_once)
{
	owe();
	stage_restart();
	stage_watch("pa", 100);
	stage_stop("pa", 101);
	stage_pass(100);
	cr_expect(stage_said("delete I7"), "%s", stage.log);
	stage_close();
}
