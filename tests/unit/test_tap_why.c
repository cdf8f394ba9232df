/* SPDX-License-Identifier: MIT */
/* Goal: `weir why` says of every way a stream can end what ended it, at which hop, and which events
 * show it; and says so when it cannot know.  Method: stories by hand (tests/lib/why_stage.h).
 */
#include "tests/lib/why_stage.h"

TestSuite(why, .init = setup, .fini = teardown);

/* Somebody asked --------------------------------------------------------------------------- */

Test(why, app_stop)
{
	go_live();
	end_and_stop(130000, asked(END_APP_STOP, APP));
	compare("app_stop", 200000);
}

static void taken_over_by(const char *package)
{
	go_live();
	uint64_t closed_seq = at(130000, asked(END_TAKEOVER, package));
	struct stream_event next = story_opened(U, NEXT, 8, package);

	next.cause = closed_seq;
	at(130000, next);
	at(130020, told(OUTCOME_SENT));
}

Test(why, takeover_by_the_same_app)
{
	taken_over_by(APP);
	compare("takeover_same_app", 200000);
}

Test(why, takeover_by_another_app)
{
	taken_over_by(OTHER);
	compare("takeover_other_app", 200000);
}

Test(why, operator_stop)
{
	go_live();
	end_and_stop(130000, asked(END_OPERATOR_STOP, "dana"));
	compare("operator_stop", 200000);
}

Test(why, app_closed)
{
	go_live();
	uint64_t evidence = at(129500, app(APP_STOPPING, "stopped by the user"));

	end_and_stop(130000, closed(END_APP_CLOSED, evidence));
	compare("app_closed", 200000);
}

/* The device said so ----------------------------------------------------------------------- */

static void device_says(enum end_cause cause, enum device_status word, const char *detail)
{
	struct stream_event event = closed(cause, 0);

	event.stream_closed.status = word;
	event.stream_closed.detail = text_of(detail);
	end(130000, event);
}

Test(why, device_stopped)
{
	go_live();
	device_says(END_DEVICE_STOPPED, DEVICE_STOPPED, "");
	compare("device_stopped", 200000);
}

Test(why, device_error)
{
	go_live();
	device_says(END_DEVICE_ERROR, DEVICE_ERROR, "RTMP connection failed: \x1b[2Jrefused");
	compare("device_error", 200000);
}

Test(why, reconnect_failed)
{
	go_live();
	at(120000, status(DEVICE_RECONNECTING, "connection_lost"));
	device_says(END_RECONNECT_FAILED, DEVICE_RECONNECT_FAILED, "");
	compare("reconnect_failed", 200000);
}

Test(why, device_timeout)
{
	go_live();
	device_says(END_DEVICE_TIMEOUT, DEVICE_TIMEOUT, "");
	compare("device_timeout", 200000);
}

/* Nobody said anything any more ------------------------------------------------------------ */

Test(why, phone_lost)
{
	go_live();
	uint64_t evidence = at(90000, link_down(1006));

	miss_twice(100000);
	end(130000, silent(END_PHONE_LOST, evidence, LINK_DOWN));
	compare("phone_lost", 200000);
}

Test(why, glasses_lost)
{
	go_live();
	uint64_t evidence = at(90000, story_glasses(U, "", false, WIFI_UNKNOWN));

	miss_twice(100000);
	end(130000, silent(END_GLASSES_LOST, evidence, LINK_UP));
	compare("glasses_lost", 200000);
}

Test(why, acks_missed)
{
	uint64_t evidence = go_live();

	miss_twice(100000);
	end(130000, silent(END_ACKS_MISSED, evidence, LINK_UP));
	compare("acks_missed", 200000);
}

Test(why, gateway_lost)
{
	struct stream_event gateway = story_gateway(40, LINK_LOST);

	gateway.gateway_changed.reason = TEXT("lease expired");
	go_live();
	uint64_t evidence = at(95000, gateway);

	miss_twice(100000);
	end(130000, silent(END_GATEWAY_LOST, evidence, LINK_LOST));
	compare("gateway_lost", 200000);
}

/* Something had its time ------------------------------------------------------------------- */

Test(why, never_started)
{
	(void)request();
	uint64_t evidence = at(80, moved(PHASE_STARTING, 0));

	end_and_stop(60080, closed(END_NEVER_STARTED, evidence));
	compare("never_started", 200000);
}

Test(why, never_started_because_the_start_was_not_delivered)
{
	uint64_t evidence = request();

	end_and_stop(60000, closed(END_NEVER_STARTED, evidence));
	compare("never_delivered", 200000);
}

Test(why, stalled)
{
	go_live();
	uint64_t evidence = at(70000, status(DEVICE_RECONNECTING, "connection_lost"));

	end_and_stop(130000, closed(END_STALLED, evidence));
	compare("stalled", 200000);
}

Test(why, session_ended)
{
	(void)request();
	at(80, moved(PHASE_STARTING, 0));
	uint64_t evidence = at(70000, link_down(1001));
	struct stream_event event = closed(END_SESSION_ENDED, evidence);

	event.stream_closed.link_state = LINK_DOWN;
	end(130000, event);
	compare("session_ended", 200000);
}

Test(why, duration_limit)
{
	go_live();
	end_and_stop(130000, closed(END_DURATION_LIMIT, 4));
	compare("duration_limit", 200000);
}

Test(why, provider_error)
{
	struct stream_event event = closed(END_PROVIDER_ERROR, 0);

	event.stream_closed.detail = TEXT("live input not found");
	go_live();
	end_and_stop(130000, event);
	compare("provider_error", 200000);
}

Test(why, record_lost)
{
	struct stream_event rebuilt = { .type = EVENT_RECORD_REBUILT };

	go_live();
	end_and_stop(130000, closed(END_RECORD_LOST, at(129990, rebuilt)));
	compare("record_lost", 200000);
}

/* What is owed, what lives, what is not kept ----------------------------------------------- */

Test(why, what_is_owed_is_named)
{
	go_live();
	at(130000, silent(END_PHONE_LOST, at(90000, link_down(1006)), LINK_DOWN));
	compare("owed", 130500);
}

Test(why, every_end_names_cause_hop_and_evidence)
{
	for (enum end_cause cause = END_APP_STOP; cause < END_CAUSE_COUNT; cause++) {
		struct why why;

		setup();
		go_live();
		at(130000, closed(cause, 4));
		cr_assert(why_explain(&story, TEXT(ID), 0, &why));
		cr_expect(why.ended);
		cr_expect_eq(why.end_cause, cause);
		cr_expect_eq(why.hop, phase_end_rule(KIND_UNMANAGED, cause)->hop);
		cr_expect_gt(strlen(why.sentence), 10);
		cr_expect_geq(why.evidence_count, 1);
		cr_expect_eq(why.evidence[why.evidence_count - 1].seq, seq, "the end itself");
		teardown();
	}
}

Test(why, a_link_to_an_event_of_another_kind_is_no_evidence)
{
	struct why why;

	go_live();
	at(130000, closed(END_PHONE_LOST, 3)); /* that is the app's start */
	cr_assert(why_explain(&story, TEXT(ID), 0, &why));
	for (size_t i = 0; i < why.evidence_count; i++)
		cr_expect_neq(why.evidence[i].seq, 3);
}

Test(why, a_live_one_with_nothing_wrong)
{
	go_live();
	compare("live", 60000);
}

Test(why, a_live_one_whose_phone_is_gone)
{
	go_live();
	at(20000, link_down(1006));
	at(40000, moved(PHASE_SUSPECT, 1));
	compare("live_suspect", 60000);
}

Test(why, the_worst_fact_of_a_live_one)
{
	static const struct {
		struct stream_event event;
		enum hop hop;
	} rows[] = {
		{ { .type = EVENT_LINK_CHANGED, .link_changed.state = LINK_DOWN }, HOP_PHONE_LINK },
		{ { .type = EVENT_GLASSES_CHANGED }, HOP_GLASSES },
		{ { .type = EVENT_APP_CHANGED,
		    .app_changed.package = TEXT(APP),
		    .app_changed.state = APP_GRACE },
		  HOP_APP },
		{ { .type = EVENT_APP_CHANGED,
		    .app_changed.package = TEXT(OTHER),
		    .app_changed.state = APP_GRACE },
		  HOP_NONE },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stream_event event = rows[i].event;
		struct why why;

		setup();
		go_live();
		event.user_id = TEXT(U);
		at(5000, event);
		cr_assert(why_explain(&story, TEXT(ID), START_MS + 6000, &why));
		cr_expect(!why.ended);
		cr_expect_eq(why.hop, rows[i].hop, "row %zu: %s", i, why.sentence);
		teardown();
	}
}

Test(why, evidence_that_is_no_longer_kept)
{
	seq = 5000;
	story.oldest_seq = 5001;
	at(100000, moved(PHASE_SUSPECT, 1));
	at(115000, moved(PHASE_SUSPECT, 2));
	end(130000, silent(END_PHONE_LOST, 4711, LINK_DOWN));
	compare("pruned", 200000);
}

Test(why, only_the_record_is_left)
{
	struct stream_event row = of_stream(EVENT_SNAPSHOT_STREAM);

	row.snapshot_stream.kind = KIND_UNMANAGED;
	row.snapshot_stream.package = TEXT(APP);
	row.snapshot_stream.phase = PHASE_CLOSED;
	row.snapshot_stream.end_cause = END_PHONE_LOST;
	row.snapshot_stream.hop = HOP_PHONE_LINK;
	row.snapshot_stream.start_delivered = true;
	row.snapshot_stream.stop_owed = true;
	row.snapshot_stream.created_ms = START_MS;
	story.oldest_seq = 5001;
	story_keep(&story, &row);
	compare("record", 200000);
}

Test(why, a_live_one_that_is_older_than_the_history)
{
	struct stream_event row = of_stream(EVENT_SNAPSHOT_STREAM);

	row.snapshot_stream.kind = KIND_UNMANAGED;
	row.snapshot_stream.package = TEXT(APP);
	row.snapshot_stream.phase = PHASE_SUSPECT;
	row.snapshot_stream.missed = 1;
	row.snapshot_stream.start_delivered = true;
	row.snapshot_stream.created_ms = START_MS;
	story.oldest_seq = 5001;
	story_keep(&story, &row);
	compare("live_record", 200000);
	seq = 5000;
	at(190000, moved(PHASE_SUSPECT, 1));
	compare("live_old", 200000);
}

Test(why, only_what_came_after_the_end_is_left)
{
	seq = 5000;
	story.oldest_seq = 5001;
	at(130020, told(OUTCOME_SENT));
	compare("after_the_end", 200000);
}

Test(why, of_a_stream_nobody_told_of_nothing_is_said)
{
	struct why why;

	go_live();
	cr_assert_not(why_explain(&story, TEXT("s-other"), 0, &why));
	cr_assert_not(why_explain(&story, TEXT(""), 0, &why));
}

/* The story itself ------------------------------------------------------------------------- */

Test(why, a_story_is_in_order_and_holds_each_event_once)
{
	const uint64_t seqs[] = { 5, 9, 7, 5, 1 };

	for (size_t i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
		struct stream_event event = story_opened(U, ID, 7, APP);

		event.seq = seqs[i];
		story_keep(&story, &event);
	}
	cr_assert_eq(story.count, 4);
	for (size_t i = 1; i < story.count; i++)
		cr_assert_lt(story.events[i - 1].seq, story.events[i].seq);
	cr_assert_eq(story_find(&story, 7)->seq, 7);
	cr_assert_null(story_find(&story, 6));
	cr_assert_eq(story.events[0].stream_opened.rtmp_url.length, 0, "secrets are left out");
}

Test(why, the_newest_stream_of_a_user)
{
	at(0, story_opened(U, ID, 7, APP));
	at(1, story_opened("bob", "s-bob", 9, APP));
	at(2, story_opened(U, NEXT, 8, APP));
	at(3, told(OUTCOME_SENT));
	cr_assert(text_is(story_newest(&story, TEXT(U)), NEXT));
	cr_assert_eq(story_newest(&story, TEXT("carol")).length, 0);
}
