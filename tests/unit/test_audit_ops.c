/* SPDX-License-Identifier: MIT */
/* Goal: each rule about probes, provider calls and bounds finds what breaks it, and nothing else.
 * Method: as test_audit_story.c, with what daemons say of themselves beside the story.
 */
#include "tests/lib/audit_stage.h"

TestSuite(audit_ops, .init = stage_begin);

static void sent(const char *ack_id)
{
	struct stream_event event = story_stream(USER, "s1", 1, EVENT_PROBE_SENT);

	event.probe_sent.ack_id = text_of(ack_id);
	note(event);
}

static void acked(const char *ack_id)
{
	struct stream_event event = story_stream(USER, "s1", 1, EVENT_PROBE_ACKED);

	event.probe_acked.ack_id = text_of(ack_id);
	event.probe_acked.counted = true;
	note(event);
}

static void missed(const char *ack_id, uint64_t count)
{
	struct stream_event event = story_stream(USER, "s1", 1, EVENT_PROBE_MISSED);

	event.probe_missed.ack_id = text_of(ack_id);
	event.probe_missed.missed = count;
	note(event);
}

Test(audit_ops, probes_in_their_rhythm)
{
	go_live("s1", 1);
	wait_ms(15000);
	sent("a1");
	acked("a1");
	wait_ms(15000);
	sent("a2");
	wait_ms(10000);
	missed("a2", 1);
	wait_ms(5000);
	sent("a3");
	expect_well(RULE_I8);
}

Test(audit_ops, i8_a_burst)
{
	go_live("s1", 1);
	sent("a1");
	acked("a1");
	wait_ms(1000);
	sent("a2");
	expect(RULE_I8, 1);
}

Test(audit_ops, i8_a_new_life_of_the_scheduler_may_begin_sooner)
{
	go_live("s1", 1);
	sent("a1");
	stage.ops_incarnation++;
	stage.ops_seq[0] = 0;
	wait_ms(1000);
	sent("a2");
	wait_ms(15000);
	sent("a3");
	expect_well(RULE_I8);
}

Test(audit_ops, i8_a_probe_long_after_the_end)
{
	go_live("s1", 1);
	tell(closed("s1", 1, false));
	wait_ms(31000);
	sent("a1");
	expect(RULE_I8, 1);
}

Test(audit_ops, i9_missed_before_its_window_is_over)
{
	go_live("s1", 1);
	sent("a1");
	wait_ms(2000);
	missed("a1", 1);
	expect(RULE_I9, 1);
}

Test(audit_ops, i9_missed_and_it_was_acked)
{
	go_live("s1", 1);
	sent("a1");
	acked("a1");
	wait_ms(10000);
	missed("a1", 1);
	expect(RULE_I9, 1);
}

Test(audit_ops, i9_two_misses_at_once)
{
	go_live("s1", 1);
	sent("a1");
	wait_ms(10000);
	missed("a1", 2);
	expect(RULE_I9, 1);
}

/* What was missed while the recording has a hole is not known. */
Test(audit_ops, a_hole_in_what_the_scheduler_says)
{
	go_live("s1", 1);
	sent("a1");
	stage.ops_seq[0] += 4;
	audit_gap(stage.audit, TEXT("lifecycle-scheduler"), false, 4);
	wait_ms(2000);
	missed("a3", 2);
	expect(RULE_COUNT, 0);
}

/* How many were missed before the hole is not known either, and which way it goes on. */
Test(audit_ops, a_hole_between_two_misses)
{
	go_live("s1", 1);
	sent("a1");
	wait_ms(10000);
	missed("a1", 1);
	stage.ops_seq[0] += 2;
	audit_gap(stage.audit, TEXT("lifecycle-scheduler"), false, 2);
	wait_ms(20000);
	sent("a3");
	wait_ms(10000);
	missed("a3", 3);
	expect_well(RULE_I9);
}

/* What several daemons say at one moment stands in a recording in any order. */
Test(audit_ops, the_story_may_be_read_later_than_what_it_led_to)
{
	struct stream_event create = story_stream(USER, "s1", 1, EVENT_PROVIDER_CREATE);

	tell(session());
	wait_ms(10);
	note(create);
	wait_ms(-5);
	tell(opened_managed("s1", 1));
	expect_well(RULE_I10);
}

static void make(const char *mark)
{
	struct stream_event create = story_stream(USER, "s1", 1, EVENT_PROVIDER_CREATE);

	create.provider_create.mark = text_of(mark);
	note(create);
}

static void done(const char *input)
{
	struct stream_event event = story_stream(USER, "s1", 1, EVENT_PROVIDER_DONE);

	event.provider_done.outcome = CALL_OK;
	event.provider_done.input_id = text_of(input);
	note(event);
}

static void delete (const char *input)
{
	struct stream_event event = { .type = EVENT_PROVIDER_DELETE };

	event.provider_delete.input_id = text_of(input);
	note(event);
}

static void mark(void)
{
	struct stream_event event = { .type = EVENT_DEPLOYMENT_MARKED };

	event.deployment_marked.mark = TEXT("ours");
	tell(event);
}

static void end_managed(void)
{
	struct stream_event end = closed("s1", 1, false);

	end.stream_closed.end_cause = END_OPERATOR_STOP;
	end.stream_closed.hop = HOP_CLOUD;
	end.stream_closed.input_owed = true;
	tell(end);
}

Test(audit_ops, an_input_from_its_making_to_its_end)
{
	struct stream_event gone = story_stream(USER, "s1", 1, EVENT_STREAM_INPUT_SETTLED);

	mark();
	tell(opened_managed("s1", 1));
	make("ours");
	done("input");
	tell(provisioned("s1", 1, "input"));
	end_managed();
	wait_ms(1000);
	delete ("input");
	wait_ms(1000);
	gone.stream_input_settled.input_id = TEXT("input");
	tell(gone);
	wait_ms(120000);
	note((struct stream_event){ .type = EVENT_PROVIDER_QUOTA });
	expect_well(RULE_I10);
}

Test(audit_ops, i10_made_before_it_was_recorded)
{
	tell(session());
	wait_ms(1000);
	make("");
	wait_ms(1000);
	tell(opened_managed("s1", 1));
	expect(RULE_I10, 1);
}

Test(audit_ops, i10_another_mark)
{
	mark();
	tell(opened_managed("s1", 1));
	make("theirs");
	expect(RULE_I10, 1);
}

Test(audit_ops, i10_what_is_in_use_is_deleted)
{
	go_live_managed("s1", 1, "input");
	wait_ms(1000);
	delete ("input");
	expect(RULE_I10, 1);
}

Test(audit_ops, i10_what_is_foreign_is_deleted)
{
	struct stream_event page = { .type = EVENT_PROVIDER_PAGE };
	uint8_t bytes[256];
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 4);
	list_put_text(&list, TEXT("foreign"));
	list_put_text(&list, TEXT("theirs"));
	list_put_text(&list, TEXT(""));
	list_put_u64(&list, 1);
	cr_assert(list_close_member(&list));
	page.provider_page.inputs = list_end(&list);
	mark();
	note(page);
	delete ("foreign");
	expect(RULE_I10, 1);
}

Test(audit_ops, i11_the_provider_makes_two)
{
	tell(opened_managed("s1", 1));
	done("input");
	done("other");
	expect(RULE_I11, 1);
}

Test(audit_ops, l1_a_suspect_that_ends)
{
	go_live("s1", 1);
	note((struct stream_event){ .type = EVENT_ACTOR_METRICS });
	wait_ms(15000);
	tell(moved("s1", 1, PHASE_SUSPECT, 1));
	wait_ms(15000);
	uint64_t seq = tell(moved("s1", 1, PHASE_SUSPECT, 2));

	note((struct stream_event){ .type = EVENT_ACTOR_METRICS });
	wait_ms(15000);
	tell(silent("s1", 1, 3, seq));
	expect_well(RULE_L1);
}

/* Daemons that say something every 10 s have not stood still. */
static void time_passes(int64_t ms)
{
	for (; ms > 0; ms -= 10000) {
		wait_ms(10000);
		note((struct stream_event){ .type = EVENT_ACTOR_METRICS });
	}
}

/* A stream is suspect for ten seconds more than it may be, if nothing disturbs after the first @ms,
 * when another daemon is heard for the first time.
 */
static void heard_first_after(int64_t ms)
{
	go_live("s1", 1);
	note((struct stream_event){ .type = EVENT_ACTOR_METRICS });
	tell(moved("s1", 1, PHASE_SUSPECT, 1));
	time_passes(ms);
	stage.ops_seq[1] = 5;
	note((struct stream_event){ .type = EVENT_PROVIDER_QUOTA });
	for (int64_t left = 80000 - ms; left > 0; left -= 10000) {
		time_passes(10000);
		note((struct stream_event){ .type = EVENT_PROVIDER_QUOTA });
	}
}

Test(audit_ops, who_is_heard_soon_was_there_all_the_while)
{
	heard_first_after(20000);
	expect(RULE_L1, 1);
}

Test(audit_ops, who_is_heard_late_may_have_been_away)
{
	heard_first_after(30000);
	expect_well(RULE_L1);
}

Test(audit_ops, l1_a_suspect_is_stuck)
{
	go_live("s1", 1);
	time_passes(10000);
	tell(moved("s1", 1, PHASE_SUSPECT, 1));
	time_passes(120000);
	expect(RULE_L1, 1);
}

Test(audit_ops, l2_a_start_is_stuck)
{
	tell(opened("s1", 1));
	time_passes(120000);
	expect(RULE_L2, 1);
}

Test(audit_ops, l2_a_stop_that_took_too_long)
{
	go_live("s1", 1);
	tell(status("s1", 1, DEVICE_STOPPING, PHASE_STOPPING));
	time_passes(120000);
	tell(closed("s1", 1, false));
	expect(RULE_L2, 1);
}

Test(audit_ops, l2_who_stood_still_is_excused)
{
	tell(opened("s1", 1));
	time_passes(30000);
	wait_ms(120000);
	note((struct stream_event){ .type = EVENT_ACTOR_METRICS });
	time_passes(30000);
	expect_well(RULE_L2);
}

Test(audit_ops, l2_a_clock_that_was_set_back_is_excused)
{
	tell(opened("s1", 1));
	time_passes(50000);
	wait_ms(-86400000);
	time_passes(50000);
	expect_well(RULE_L2);
}

Test(audit_ops, l2_needs_the_daemons_own_events)
{
	tell(opened("s1", 1));
	wait_ms(600000);
	tell(session());
	audit_end(stage.audit);
	cr_expect(audit_verdict(stage.audit, RULE_L2).unjudged);
	expect(RULE_COUNT, 0);
}

Test(audit_ops, l3_an_owed_input_is_stuck)
{
	go_live_managed("s1", 1, "input");
	end_managed();
	wait_ms(1000);
	delete ("input");
	for (unsigned i = 0; i < 8; i++) {
		wait_ms(10000);
		note((struct stream_event){ .type = EVENT_PROVIDER_QUOTA });
	}
	expect(RULE_L3, 1);
}

Test(audit_ops, l3_an_input_that_is_gone_too_late)
{
	struct stream_event gone = story_stream(USER, "s1", 1, EVENT_STREAM_INPUT_SETTLED);

	go_live_managed("s1", 1, "input");
	end_managed();
	for (unsigned i = 0; i < 8; i++) {
		wait_ms(10000);
		note((struct stream_event){ .type = EVENT_PROVIDER_QUOTA });
	}
	gone.stream_input_settled.input_id = TEXT("input");
	tell(gone);
	expect(RULE_L3, 1);
}
