/* SPDX-License-Identifier: MIT */
/* Goal: what apps and glasses have recorded is held against the story.  Method: as
 * test_audit_story.c, with lines of clients beside it; and lines that are none.
 */
#include "tests/lib/audit_stage.h"

#include "actors/audit/audit_client_file.h"

TestSuite(audit_clients, .init = stage_begin);

#define CAM "app:" PA
#define START(id) "{\"type\":\"start_rtmp_stream\",\"streamId\":\"" id "\"}"
#define STOP(id) "{\"type\":\"stop_rtmp_stream\",\"streamId\":\"" id "\"}"
#define STATUS(id, word) \
	"{\"type\":\"rtmp_stream_status\",\"streamId\":\"" id "\",\"status\":\"" word "\"}"
#define WATCH(id, word) \
	"{\"type\":\"managed_stream_status\",\"streamId\":\"" id "\",\"status\":\"" word "\"}"

static void later(void)
{
	wait_ms(1000);
}

/* Both sides of a stream that is live. */
static void live(void)
{
	tell(session());
	later();
	tell_client(CAM, CLIENT_OUT, "{\"type\":\"rtmp_stream_request\"}");
	tell(opened("s1", 1));
	tell_client("glasses", CLIENT_IN, START("s1"));
	tell_client(CAM, CLIENT_IN, STATUS("s1", "initializing"));
	tell(moved("s1", 1, PHASE_STARTING, 0));
	tell(status("s1", 1, DEVICE_STREAMING, PHASE_LIVE));
	tell_client(CAM, CLIENT_IN, STATUS("s1", "active"));
	later();
}

static void end(void)
{
	tell(closed("s1", 1, true));
	tell_client("glasses", CLIENT_IN, STOP("s1"));
	tell_client(CAM, CLIENT_IN, STATUS("s1", "stopped"));
	tell(told("s1", 1, PA));
	later();
}

Test(audit_clients, a_life_without_fault)
{
	live();
	end();
	wait_ms(10000);
	tell_client(CAM, CLIENT_IN, "{\"type\":\"ping\"}");
	expect_well(RULE_I3);
}

Test(audit_clients, what_was_seen_after_the_recording_is_not_judged)
{
	live();
	end();
	wait_ms(5000);
	tell(session());
	later();
	tell_client("glasses", CLIENT_IN, START("s9"));
	audit_end(stage.audit);
	cr_expect_eq(audit_summary(stage.audit).violations, 0);
	cr_expect_eq(audit_summary(stage.audit).late, 1);
	audit_close(stage.audit);
}

Test(audit_clients, i2_an_old_start_reaches_the_glasses)
{
	live();
	end();
	tell(opened("s2", 2));
	tell_client("glasses", CLIENT_IN, START("s2"));
	later();
	tell_client("glasses", CLIENT_IN, START("s1"));
	expect(RULE_I2, 1);
}

Test(audit_clients, i3_a_stop_for_another_stream)
{
	live();
	end();
	tell(opened("s2", 2));
	tell_client("glasses", CLIENT_IN, START("s2"));
	later();
	tell_client("glasses", CLIENT_IN, STOP("s1"));
	expect(RULE_I3, 1);
}

Test(audit_clients, i4_a_start_that_the_story_does_not_have)
{
	live();
	end();
	tell_client("glasses", CLIENT_IN, START("s9"));
	expect(RULE_I4, 1);
}

Test(audit_clients, i6_a_word_after_the_end)
{
	live();
	end();
	tell_client(CAM, CLIENT_IN, STATUS("s1", "active"));
	expect(RULE_I6, 1);
}

Test(audit_clients, i6_the_end_again_on_another_socket)
{
	live();
	end();
	tell_client(CAM, CLIENT_CLOSE, "");
	tell_client(CAM, CLIENT_OPEN, "");
	tell_client(CAM, CLIENT_IN, STATUS("s1", "stopped"));
	expect_well(RULE_I6);
}

Test(audit_clients, i6_an_end_that_nobody_heard)
{
	live();
	tell(closed("s1", 1, true));
	tell(told("s1", 1, PA));
	wait_ms(10000);
	tell_client(CAM, CLIENT_IN, "{\"type\":\"ping\"}");
	expect(RULE_I6, 1);
}

Test(audit_clients, i6_an_end_that_nobody_heard_and_who_missed_it_says_no_more)
{
	live();
	tell(closed("s1", 1, true));
	tell(told("s1", 1, PA));
	wait_ms(10000);
	tell_client("glasses", CLIENT_IN, "{\"type\":\"ping\"}");
	expect(RULE_I6, 1);
}

Test(audit_clients, i6_an_end_that_is_owed_to_nobody)
{
	live();
	tell(closed("s1", 1, false));
	wait_ms(10000);
	tell_client("glasses", CLIENT_IN, "{\"type\":\"ping\"}");
	expect(RULE_I6, 1);
}

Test(audit_clients, i6_who_is_away_is_owed_nothing)
{
	live();
	tell_client(CAM, CLIENT_CLOSE, "");
	later();
	tell(closed("s1", 1, false));
	wait_ms(1000);
	tell_client(CAM, CLIENT_OPEN, "");
	wait_ms(10000);
	tell_client("glasses", CLIENT_IN, "{\"type\":\"ping\"}");
	expect(RULE_COUNT, 0);
}

static void watched_and_ended(bool left)
{
	struct stream_event end = closed("s1", 1, false), leave;

	tell(session());
	go_live_managed("s1", 1, "input");
	leave = story_stream(USER, "s1", 1, EVENT_STREAM_LEFT);
	leave.stream_left.package = TEXT(PA);
	tell_client(CAM, CLIENT_IN, WATCH("s1", "active"));
	later();
	if (left)
		tell(leave);
	end.stream_closed.end_cause = END_OPERATOR_STOP;
	end.stream_closed.hop = HOP_CLOUD;
	end.stream_closed.input_owed = true;
	tell(end);
	wait_ms(10000);
	tell_client("glasses", CLIENT_IN, "{\"type\":\"ping\"}");
}

Test(audit_clients, i6_a_viewer_who_is_owed_nothing)
{
	watched_and_ended(false);
	expect(RULE_I6, 1);
}

Test(audit_clients, i6_a_viewer_who_had_left)
{
	watched_and_ended(true);
	expect(RULE_COUNT, 0);
}

Test(audit_clients, i7_an_end_that_is_none)
{
	live();
	tell_client(CAM, CLIENT_IN, STATUS("s1", "stopped"));
	expect(RULE_I7, 1);
}

Test(audit_clients, i7_the_word_of_another_end)
{
	live();
	tell(closed("s1", 1, true));
	tell_client(CAM, CLIENT_IN, STATUS("s1", "timeout"));
	tell(told("s1", 1, PA));
	expect(RULE_I7, 1);
}

Test(audit_clients, i7_a_phase_that_it_never_had)
{
	live();
	tell_client(CAM, CLIENT_IN, STATUS("s1", "stopping"));
	expect(RULE_I7, 1);
}

Test(audit_clients, i11_a_start_twice_on_one_socket)
{
	live();
	tell_client("glasses", CLIENT_IN, START("s1"));
	expect(RULE_I11, 1);
}

Test(audit_clients, i11_a_start_again_on_another_socket)
{
	live();
	tell_client("glasses", CLIENT_OPEN, "");
	tell_client("glasses", CLIENT_IN, START("s1"));
	expect_well(RULE_I11);
}

Test(audit_clients, a_viewer_that_comes_back)
{
	tell(session());
	go_live_managed("s1", 1, "input");
	tell_client(CAM, CLIENT_IN, WATCH("s1", "active"));
	tell_client(CAM, CLIENT_IN, WATCH("s1", "stopped"));
	tell_client(CAM, CLIENT_OUT, "{\"type\":\"managed_stream_request\"}");
	tell_client(CAM, CLIENT_IN, WATCH("s1", "active"));
	expect_well(RULE_I6);
}

Test(audit_clients, i15_a_key_in_a_recorded_line)
{
	tell(session());
	tell_client(CAM, CLIENT_OUT,
		    "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://h/live/secretkey42\"}");
	audit_line(stage.audit, TEXT("{\"type\":\"stream.opened\"}"));
	audit_line(stage.audit, TEXT("{\"type\":\"stream.status\",\"detail\":\"secretkey42\"}"));
	expect(RULE_I15, 1);
}

Test(audit_clients, l5_a_request_without_an_answer)
{
	tell(session());
	tell_client(CAM, CLIENT_OUT, "{\"type\":\"rtmp_stream_request\"}");
	wait_ms(20000);
	tell_client(CAM, CLIENT_IN, "{\"type\":\"ping\"}");
	expect(RULE_L5, 1);
}

Test(audit_clients, l5_who_waits_in_silence)
{
	tell(session());
	tell_client(CAM, CLIENT_OUT, "{\"type\":\"rtmp_stream_request\"}");
	wait_ms(20000);
	tell_client("glasses", CLIENT_IN, "{\"type\":\"ping\"}");
	expect(RULE_L5, 1);
}

Test(audit_clients, l5_who_went_away_gets_none)
{
	tell(session());
	tell_client(CAM, CLIENT_OUT, "{\"type\":\"rtmp_stream_request\"}");
	later();
	tell_client(CAM, CLIENT_CLOSE, "");
	expect(RULE_COUNT, 0);
}

/* Lines -----------------------------------------------------------------------------------------
 */

Test(audit_clients, a_line_is_read)
{
	char room[256];
	struct client_line line;

	cr_assert_null(client_line_read(
		TEXT("{\"t_ms\":5,\"user\":\"a@b\",\"who\":\"app:c.d\",\"direction\":\"in\","
		     "\"message\":{\"type\":\"x\"}}"),
		room, sizeof room, &line));
	cr_expect_eq(line.ms, 5);
	cr_expect(text_is(line.user, "a@b"));
	cr_expect(text_is(line.who, "app:c.d"));
	cr_expect_eq(line.way, CLIENT_IN);
	cr_expect(text_is(line.message, "{\"type\":\"x\"}"));
}

Test(audit_clients, lines_that_are_none_are_refused)
{
	static const char *const lines[] = {
		"",
		"[]",
		"{\"t_ms\":5",
		"{\"t_ms\":4102444800001,\"user\":\"a\",\"who\":\"glasses\",\"direction\":"
		"\"open\"}",
		"{\"user\":\"a\",\"who\":\"glasses\",\"direction\":\"open\"}",
		"{\"t_ms\":5,\"who\":\"glasses\",\"direction\":\"open\"}",
		"{\"t_ms\":5,\"user\":\"a\",\"who\":\"phone\",\"direction\":\"open\"}",
		"{\"t_ms\":5,\"user\":\"a\",\"who\":\"glasses\",\"direction\":\"up\"}",
		"{\"t_ms\":5,\"user\":\"a\",\"who\":\"glasses\",\"direction\":\"in\"}",
		("{\"t_ms\":5,\"user\":\"a\",\"who\":\"glasses\",\"direction\":\"in\","
		 "\"message\":7}"),
	};
	char room[256];
	struct client_line line;

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		cr_expect(client_line_read(text_of(lines[i]), room, sizeof room, &line), "%s",
			  lines[i]);
}
