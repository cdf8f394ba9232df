/* SPDX-License-Identifier: MIT */
/* Goal: each rule that the story alone can break finds what breaks it, and nothing in a history
 * that is right.  Method: a small history, and the same with one thing wrong: that finding and no
 * other.
 */
#include "tests/lib/audit_stage.h"

TestSuite(audit_story, .init = stage_begin);

/* A life of a stream as it should be. */
static void whole_life(const char *id, uint64_t epoch)
{
	go_live(id, epoch);
	wait_ms(1000);
	tell(closed(id, epoch, true));
	tell(told(id, epoch, PA));
}

Test(audit_story, a_life_without_fault)
{
	tell(session());
	whole_life("s1", 1);
	whole_life("s2", 2);
	expect_well(RULE_I1);
}

Test(audit_story, what_nothing_was_said_of_is_not_judged)
{
	whole_life("s1", 1);
	audit_end(stage.audit);
	for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
		struct audit_verdict verdict = audit_verdict(stage.audit, rule);

		cr_expect_eq(verdict.unjudged == NULL, verdict.checked > 0, "%s",
			     audit_rules[rule].id);
	}
	cr_expect(audit_verdict(stage.audit, RULE_I3).unjudged);
	cr_expect(audit_verdict(stage.audit, RULE_I8).unjudged);
	cr_expect(audit_verdict(stage.audit, RULE_L4).unjudged);
	audit_close(stage.audit);
}

Test(audit_story, i1_two_live_streams)
{
	go_live("s1", 1);
	tell(opened("s2", 2));
	expect(RULE_I1, 1);
}

Test(audit_story, i1_a_finding_says_what_when_and_whose)
{
	const struct audit_finding *finding;
	size_t count;

	go_live("s1", 1);
	wait_ms(5);
	uint64_t seq = tell(opened("s2", 2));

	audit_end(stage.audit);
	finding = audit_findings(stage.audit, &count);
	cr_assert_eq(count, 1);
	cr_expect_eq(finding->seq, seq);
	cr_expect_eq(finding->ms, AT_MS + 5);
	cr_expect_str_eq(finding->user, USER);
	cr_expect_str_eq(finding->stream, "s2");
	cr_expect_eq(finding->evidence[0], seq - 1);
	cr_expect_eq(finding->evidence[1], seq);
	cr_expect_str_eq(finding->sentence, "s2 is requested while s1 has not ended");
	audit_close(stage.audit);
}

Test(audit_story, i2_epochs_grow)
{
	whole_life("s2", 2);
	tell(opened("s1", 1));
	expect(RULE_I2, 1);
}

Test(audit_story, i2_nothing_happens_after_the_end)
{
	whole_life("s1", 1);
	tell(status("s1", 1, DEVICE_STREAMING, PHASE_LIVE));
	expect(RULE_I2, 1);
}

Test(audit_story, i2_an_older_epoch_changes_nothing)
{
	whole_life("s1", 1);
	go_live("s2", 2);
	tell(status("s2", 1, DEVICE_STREAMING, PHASE_LIVE));
	expect(RULE_I2, 1);
}

Test(audit_story, i4_a_restart_goes_on_where_it_was)
{
	whole_life("s1", 1);
	stage.incarnation++;
	whole_life("s2", 2);
	expect_well(RULE_I4);
}

/* The tap asks for the history of what looks like another store, and shows it once more. */
Test(audit_story, i4_a_restart_takes_back_what_is_shown_again)
{
	whole_life("s1", 1);
	stage.seq = 0;
	tell(session());
	stage.incarnation++;
	tell(session());
	finish();
	cr_expect_eq(audit_verdict(stage.audit, RULE_I4).violations, 1);
	audit_close(stage.audit);
}

Test(audit_story, i4_a_restart_takes_back_what_was_said)
{
	whole_life("s1", 1);
	stage.incarnation++;
	stage.seq -= 2;
	whole_life("s2", 2);
	expect(RULE_I4, 1);
}

Test(audit_story, a_new_store_begins_at_1)
{
	go_live("s1", 1);
	stage.incarnation++;
	stage.seq = 0;
	whole_life("s2", 2);
	expect(RULE_COUNT, 0);
}

Test(audit_story, i5_a_request_has_one_effect)
{
	struct stream_event again = opened("s2", 2);

	whole_life("s1", 1);
	again.origin = 9;
	again.request = stage.request;
	tell(again);
	expect(RULE_I5, 1);
}

Test(audit_story, i5_the_same_number_of_another_sender_is_another_request)
{
	struct stream_event other = opened("s2", 2);

	whole_life("s1", 1);
	other.origin = 10;
	other.request = stage.request;
	tell(other);
	expect_well(RULE_I5);
}

Test(audit_story, i6_an_end_is_told_once)
{
	whole_life("s1", 1);
	tell(told("s1", 1, PA));
	expect(RULE_I6, 1);
}

Test(audit_story, i6_an_end_is_told_to_its_owner)
{
	go_live("s1", 1);
	tell(closed("s1", 1, true));
	tell(told("s1", 1, PB));
	expect(RULE_I6, 1);
}

Test(audit_story, i7_a_word_has_its_phase)
{
	go_live("s1", 1);
	tell(status("s1", 1, DEVICE_RECONNECTING, PHASE_STARTING));
	tell(status("s1", 1, DEVICE_RECONNECTED, PHASE_LIVE));
	tell(status("s1", 1, DEVICE_NONE, PHASE_LIVE));
	tell(status("s1", 1, DEVICE_STOPPING, PHASE_STOPPING));
	expect_well(RULE_I7);
}

Test(audit_story, i7_a_word_with_another_phase)
{
	go_live("s1", 1);
	tell(status("s1", 1, DEVICE_RECONNECTING, PHASE_LIVE));
	expect(RULE_I7, 1);
}

Test(audit_story, i7_the_same_word_of_the_other_kind)
{
	go_live_managed("s1", 1, "input");
	tell(status("s1", 1, DEVICE_RECONNECTING, PHASE_LIVE));
	expect_well(RULE_I7);
}

Test(audit_story, i7_a_last_word_is_no_status)
{
	go_live("s1", 1);
	tell(status("s1", 1, DEVICE_STOPPED, PHASE_STOPPING));
	expect(RULE_I7, 1);
}

Test(audit_story, i7_a_move_that_there_is_not)
{
	go_live("s1", 1);
	tell(moved("s1", 1, PHASE_STARTING, 0));
	expect(RULE_I7, 1);
}

/* Misses, each an interval after the other, and the end with the last of them. */
static uint64_t fall_silent(const char *id, uint64_t epoch, int64_t interval_ms)
{
	uint64_t seen = 0;

	for (unsigned missed = 1; missed < 3; missed++) {
		wait_ms(interval_ms);
		seen = tell(moved(id, epoch, PHASE_SUSPECT, missed));
	}
	wait_ms(interval_ms);
	return seen;
}

Test(audit_story, i9_silence_of_three_windows)
{
	go_live("s1", 1);
	tell(silent("s1", 1, 3, fall_silent("s1", 1, 15000)));
	expect_well(RULE_I9);
}

Test(audit_story, i9_an_end_before_its_time)
{
	go_live("s1", 1);
	tell(silent("s1", 1, 3, fall_silent("s1", 1, 5000)));
	expect(RULE_I9, 1);
}

Test(audit_story, i9_misses_that_nobody_knows_of)
{
	go_live("s1", 1);
	wait_ms(15000);
	uint64_t seen = tell(moved("s1", 1, PHASE_SUSPECT, 1));

	wait_ms(30000);
	tell(silent("s1", 1, 3, seen));
	expect(RULE_I9, 1);
}

Test(audit_story, i9_a_start_has_its_whole_deadline)
{
	uint64_t seen = tell(opened("s1", 1));
	struct stream_event end = silent("s1", 1, 0, seen);

	wait_ms(30000);
	end.stream_closed.end_cause = END_NEVER_STARTED;
	tell(end);
	expect(RULE_I9, 1);
}

Test(audit_story, i12_an_end_has_a_hop)
{
	struct stream_event end = closed("s1", 1, false);

	go_live("s1", 1);
	end.stream_closed.hop = HOP_GLASSES;
	tell(end);
	expect(RULE_I12, 1);
}

Test(audit_story, i12_an_end_has_a_cause)
{
	struct stream_event end = closed("s1", 1, false);

	go_live("s1", 1);
	end.stream_closed.end_cause = END_NONE;
	tell(end);
	expect(RULE_I12, 1);
}

Test(audit_story, i12_the_evidence_is_of_the_right_kind)
{
	uint64_t session_seq = tell(session());

	go_live("s1", 1);
	(void)fall_silent("s1", 1, 15000);
	tell(silent("s1", 1, 3, session_seq));
	expect(RULE_I12, 1);
}

Test(audit_story, i12_the_evidence_is_of_the_same_user)
{
	uint64_t seq = tell(story_link("bob@example.com", 7, 1, LINK_DOWN));
	struct stream_event end = silent("s1", 1, 3, seq);

	go_live("s1", 1);
	(void)fall_silent("s1", 1, 15000);
	end.stream_closed.end_cause = END_PHONE_LOST;
	end.stream_closed.hop = HOP_PHONE_LINK;
	tell(end);
	expect(RULE_I12, 1);
}

Test(audit_story, i13_a_hole_that_nobody_owns_up_to)
{
	whole_life("s1", 1);
	stage.seq++;
	whole_life("s2", 2);
	expect(RULE_I13, 1);
}

Test(audit_story, i13_a_repetition)
{
	whole_life("s1", 1);
	stage.seq--;
	whole_life("s2", 2);
	expect(RULE_I13, 1);
}

Test(audit_story, i13_a_hole_in_a_stream)
{
	struct stream_event event = status("s1", 1, DEVICE_ACTIVE, PHASE_LIVE);

	go_live("s1", 1);
	event.stream_seq = 9;
	tell(event);
	expect(RULE_I13, 1);
}

/* Behind a hole nothing is certain: neither is s1 live, nor has it not ended, nor what it owes. */
Test(audit_story, a_hole_raises_no_false_alarm)
{
	go_live("s1", 1);
	stage.seq += 3;
	audit_gap(stage.audit, TEXT("registry"), true, 3);
	tell(opened("s2", 2));
	tell(status("s2", 2, DEVICE_STREAMING, PHASE_LIVE));
	tell(told("s1", 1, PA));
	expect(RULE_COUNT, 0);
}

Test(audit_story, what_is_wrong_behind_a_hole_is_found)
{
	go_live("s1", 1);
	stage.seq += 3;
	audit_gap(stage.audit, TEXT("registry"), true, 3);
	whole_life("s2", 2);
	tell(status("s2", 2, DEVICE_STREAMING, PHASE_LIVE));
	expect(RULE_I2, 1);
}

Test(audit_story, a_recording_may_begin_and_end_anywhere)
{
	stage.seq = 1000;
	stage.streams[0].id = "s1";
	stage.streams[0].seq = 40;
	tell(moved("s1", 5, PHASE_SUSPECT, 2));
	tell(silent("s1", 5, 3, 990));
	tell(told("s1", 5, PA));
	go_live("s2", 6);
	expect(RULE_COUNT, 0);
}

/* Managed ---------------------------------------------------------------------------------------
 */

static struct stream_event joined(const char *id, const char *package)
{
	struct stream_event event = story_stream(USER, id, 1, EVENT_STREAM_JOINED);

	event.stream_joined.package = text_of(package);
	return event;
}

static struct stream_event left(const char *id, const char *package)
{
	struct stream_event event = story_stream(USER, id, 1, EVENT_STREAM_LEFT);

	event.stream_left.package = text_of(package);
	event.stream_left.told_owed = true;
	return event;
}

static struct stream_event ended(const char *id, bool input_owed)
{
	struct stream_event event = closed(id, 1, true);

	event.stream_closed.input_owed = input_owed;
	return event;
}

static struct stream_event settled(const char *id, const char *input)
{
	struct stream_event event = story_stream(USER, id, 1, EVENT_STREAM_INPUT_SETTLED);

	event.stream_input_settled.input_id = text_of(input);
	return event;
}

Test(audit_story, a_managed_life_without_fault)
{
	go_live_managed("s1", 1, "input");
	tell(joined("s1", PB));
	tell(left("s1", PA));
	tell(left("s1", PB));
	tell(ended("s1", true));
	tell(told("s1", 1, PA));
	tell(told("s1", 1, PB));
	tell(settled("s1", "input"));
	expect_well(RULE_I11);
}

Test(audit_story, i6_a_viewer_is_told_once_for_each_leave)
{
	go_live_managed("s1", 1, "input");
	tell(joined("s1", PB));
	tell(left("s1", PB));
	tell(told("s1", 1, PB));
	tell(told("s1", 1, PB));
	expect(RULE_I6, 1);
}

Test(audit_story, i10_the_input_of_a_live_stream_is_gone)
{
	go_live_managed("s1", 1, "input");
	tell(settled("s1", "input"));
	expect(RULE_I10, 1);
}

Test(audit_story, i10_an_input_that_nobody_owes)
{
	go_live_managed("s1", 1, "input");
	tell(left("s1", PA));
	tell(ended("s1", false));
	expect(RULE_I10, 1);
}

Test(audit_story, i11_only_who_watches_leaves)
{
	go_live_managed("s1", 1, "input");
	tell(left("s1", PB));
	expect(RULE_I11, 1);
}

Test(audit_story, i11_the_last_viewer_ends_it)
{
	go_live_managed("s1", 1, "input");
	tell(joined("s1", PB));
	tell(left("s1", PA));
	tell(ended("s1", true));
	expect(RULE_I11, 1);
}

Test(audit_story, i11_a_second_input)
{
	go_live_managed("s1", 1, "input");
	tell(left("s1", PA));
	tell(ended("s1", true));
	struct stream_event late = provisioned("s1", 1, "other");

	late.stream_provisioned.phase = PHASE_CLOSED;
	tell(late);
	expect(RULE_I11, 1);
}

static void join_many(unsigned count)
{
	static char packages[20][32];

	go_live_managed("s1", 1, "input");
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(packages[i], sizeof packages[i], "com.example.n%u", i);
		tell(joined("s1", packages[i]));
	}
}

Test(audit_story, i14_sixteen_watch)
{
	join_many(15);
	expect_well(RULE_I14);
}

Test(audit_story, i14_seventeen_watch)
{
	join_many(16);
	expect(RULE_I14, 1);
}

Test(audit_story, i15_a_secret_is_published)
{
	struct stream_event event = provisioned("s1", 1, "input");

	tell(opened_managed("s1", 1));
	event.stream_provisioned.ingest = TEXT("rtmp://h/a/\xe2\x80\xa2\xe2\x80\xa2");
	tell(event);
	expect(RULE_I15, 1);
}

/* What a recording may say ----------------------------------------------------------------------
 */

Test(audit_story, a_time_that_is_none_makes_an_event_unreadable)
{
	stage.ms = AUDIT_TIME_MAX_MS + 1;
	tell(session());
	stage.ms = -1;
	tell(session());
	stage.ms = AUDIT_TIME_MAX_MS;
	tell(session());
	audit_end(stage.audit);
	cr_expect_eq(audit_summary(stage.audit).unreadable, 2);
	cr_expect_eq(audit_summary(stage.audit).events, 1);
	audit_close(stage.audit);
}

/* A number that is far beyond costs no memory; the cause before the hole is not judged. */
Test(audit_story, a_hole_of_any_size)
{
	go_live("s1", 1);
	stage.seq = UINT64_MAX / 2;
	tell(status("s1", 1, DEVICE_STREAMING, PHASE_LIVE));
	stage.seq = UINT64_MAX - 2;
	tell(closed("s1", 1, false));
	expect(RULE_I13, 2);
}
