/* SPDX-License-Identifier: MIT */
/* Goal: the rarer ways to break a rule are found, too.  Method: as test_audit_story.c. */
#include "tests/lib/audit_stage.h"

TestSuite(audit_more, .init = stage_begin);

Test(audit_more, i2_it_ends_twice)
{
	go_live("s1", 1);
	tell(closed("s1", 1, false));
	tell(closed("s1", 1, false));
	expect(RULE_I2, 1);
}

Test(audit_more, i2_a_name_is_used_again)
{
	go_live("s1", 1);
	tell(closed("s1", 1, false));
	struct stream_event again = opened("s1", 2);

	again.stream_seq = 1;
	tell(again);
	expect(RULE_I2, 1);
}

Test(audit_more, i7_a_sign_of_life_stops_nothing)
{
	go_live("s1", 1);
	tell(status("s1", 1, DEVICE_NONE, PHASE_STOPPING));
	expect(RULE_I7, 1);
}

Test(audit_more, i7_a_word_before_there_is_an_input)
{
	tell(opened_managed("s1", 1));
	tell(status("s1", 1, DEVICE_STREAMING, PHASE_LIVE));
	expect(RULE_I7, 1);
}

Test(audit_more, i7_an_input_for_a_stream_that_has_one)
{
	go_live_managed("s1", 1, "input");
	tell(provisioned("s1", 1, "input"));
	expect(RULE_I7, 1);
}

Test(audit_more, i9_an_end_after_one_miss)
{
	go_live("s1", 1);
	wait_ms(60000);
	tell(silent("s1", 1, 1, 3));
	expect(RULE_I9, 1);
}

Test(audit_more, i9_an_ack_that_nobody_waits_for)
{
	struct stream_event sent = story_stream(USER, "s1", 1, EVENT_PROBE_SENT);
	struct stream_event acked = story_stream(USER, "s1", 1, EVENT_PROBE_ACKED);

	go_live("s1", 1);
	sent.probe_sent.ack_id = TEXT("a1");
	note(sent);
	acked.probe_acked.ack_id = TEXT("a0");
	acked.probe_acked.counted = true;
	note(acked);
	expect(RULE_I9, 1);
}

Test(audit_more, i10_another_input_is_gone)
{
	struct stream_event end = closed("s1", 1, false);
	struct stream_event gone = story_stream(USER, "s1", 1, EVENT_STREAM_INPUT_SETTLED);

	go_live_managed("s1", 1, "input");
	end.stream_closed.end_cause = END_OPERATOR_STOP;
	end.stream_closed.hop = HOP_CLOUD;
	end.stream_closed.input_owed = true;
	tell(end);
	gone.stream_input_settled.input_id = TEXT("other");
	tell(gone);
	expect(RULE_I10, 1);
}

/* A page that the provider gave when it was asked @ms after the input of s1 was said to be gone. */
static void listed_after(int64_t ms)
{
	struct stream_event end = closed("s1", 1, false), page = { .type = EVENT_PROVIDER_PAGE };
	struct stream_event gone = story_stream(USER, "s1", 1, EVENT_STREAM_INPUT_SETTLED);
	struct stream_event mark = { .type = EVENT_DEPLOYMENT_MARKED };
	uint8_t bytes[256];
	struct list_writer list;

	mark.deployment_marked.mark = TEXT("ours");
	tell(mark);
	go_live_managed("s1", 1, "input");
	end.stream_closed.end_cause = END_OPERATOR_STOP;
	end.stream_closed.hop = HOP_CLOUD;
	end.stream_closed.input_owed = true;
	tell(end);
	gone.stream_input_settled.input_id = TEXT("input");
	tell(gone);
	wait_ms(ms);
	note((struct stream_event){ .type = EVENT_PROVIDER_LIST });
	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 4);
	list_put_text(&list, TEXT("input"));
	list_put_text(&list, TEXT("ours"));
	list_put_text(&list, TEXT("s1"));
	list_put_u64(&list, 1);
	cr_assert(list_close_member(&list));
	page.provider_page.inputs = list_end(&list);
	wait_ms(10000); /* it was a slow answer */
	note(page);
}

Test(audit_more, i10_what_is_gone_is_listed)
{
	listed_after(5001);
	expect(RULE_I10, 1);
}

Test(audit_more, i10_a_list_that_was_asked_for_too_soon)
{
	listed_after(5000);
	expect_well(RULE_I10);
}

static void stage_fast(void)
{
	static const struct audit_options fast = { .interval_ms = 1500,
						   .ack_timeout_ms = 1000,
						   .missed_max = 3,
						   .start_deadline_ms = 6000,
						   .stop_deadline_ms = 6000,
						   .input_deadline_ms = 5000 };

	audit_close(stage.audit);
	stage.audit = audit_open(&fast);
}

static void probed_after(int64_t ms)
{
	struct stream_event sent = story_stream(USER, "s1", 1, EVENT_PROBE_SENT);

	stage_fast();
	go_live("s1", 1);
	tell(closed("s1", 1, false));
	wait_ms(ms);
	sent.probe_sent.ack_id = TEXT("a1");
	note(sent);
}

Test(audit_more, i8_probes_fade_with_their_interval)
{
	probed_after(3001);
	expect(RULE_I8, 1);
}

Test(audit_more, i8_probes_that_fade_in_time)
{
	probed_after(3000);
	expect_well(RULE_I8);
}

static void owed_for(int64_t ms)
{
	struct stream_event end = closed("s1", 1, false);
	struct stream_event gone = story_stream(USER, "s1", 1, EVENT_STREAM_INPUT_SETTLED);

	stage_fast();
	go_live_managed("s1", 1, "input");
	end.stream_closed.end_cause = END_OPERATOR_STOP;
	end.stream_closed.hop = HOP_CLOUD;
	end.stream_closed.input_owed = true;
	tell(end);
	note((struct stream_event){ .type = EVENT_PROVIDER_QUOTA });
	wait_ms(ms);
	gone.stream_input_settled.input_id = TEXT("input");
	tell(gone);
}

Test(audit_more, l3_the_deadline_of_an_input_is_an_option)
{
	owed_for(10001);
	expect(RULE_L3, 1);
}

Test(audit_more, l3_an_input_that_is_gone_in_that_time)
{
	owed_for(10000);
	expect_well(RULE_L3);
}

Test(audit_more, i10_a_leak_that_is_not_ours)
{
	struct stream_event mark = { .type = EVENT_DEPLOYMENT_MARKED };
	struct stream_event leak = { .type = EVENT_PROVIDER_LEAK };

	mark.deployment_marked.mark = TEXT("ours");
	tell(mark);
	leak.provider_leak.input_id = TEXT("input");
	leak.provider_leak.mark = TEXT("theirs");
	leak.provider_leak.deleted = true;
	note(leak);
	expect(RULE_I10, 1);
}

Test(audit_more, i11_two_streams_have_one_input)
{
	struct stream_event end = closed("s1", 1, false);

	go_live_managed("s1", 1, "input");
	end.stream_closed.end_cause = END_OPERATOR_STOP;
	end.stream_closed.hop = HOP_CLOUD;
	end.stream_closed.input_owed = true;
	tell(end);
	tell(opened_managed("s2", 2));
	tell(provisioned("s2", 2, "input"));
	expect(RULE_I11, 1);
}

Test(audit_more, i12_evidence_comes_before)
{
	struct stream_event end = closed("s1", 1, false);

	go_live("s1", 1);
	end.cause = 999;
	tell(end);
	expect(RULE_I12, 1);
}

Test(audit_more, i12_a_verdict_has_evidence)
{
	go_live("s1", 1);
	for (uint64_t missed = 1; missed < 3; missed++) {
		wait_ms(15000);
		tell(moved("s1", 1, PHASE_SUSPECT, missed));
	}
	wait_ms(15000);
	tell(silent("s1", 1, 3, 0));
	expect(RULE_I12, 1);
}

Test(audit_more, i12_the_device_has_said_it)
{
	struct stream_event end = closed("s1", 1, false);

	go_live("s1", 1);
	end.stream_closed.end_cause = END_DEVICE_STOPPED;
	end.stream_closed.hop = HOP_GLASSES;
	tell(end);
	expect(RULE_I12, 1);
}

Test(audit_more, i13_a_stream_begins_with_1)
{
	struct stream_event event = opened("s1", 1);

	event.stream_seq = 2;
	tell(event);
	expect(RULE_I13, 1);
}

Test(audit_more, i14_too_many_owe_something)
{
	static char ids[65][8];

	for (unsigned i = 0; i < 65; i++) {
		(void)snprintf(ids[i], sizeof ids[i], "n%u", i);
		struct stream_event event = opened(ids[i], i + 1);

		event.stream_seq = 1;
		tell(event);
		event = closed(ids[i], i + 1, true);
		event.stream_seq = 2;
		tell(event);
	}
	expect(RULE_I14, 1);
}

Test(audit_more, i14_eleven_outputs)
{
	struct stream_event output = story_stream(USER, "s1", 1, EVENT_STREAM_OUTPUT);

	go_live_managed("s1", 1, "input");
	for (unsigned i = 1; i <= 11; i++) {
		output.stream_output.output = i;
		output.stream_output.state = OUTPUT_NEW;
		tell(output);
	}
	expect(RULE_I14, 1);
}
