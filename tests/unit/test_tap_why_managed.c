/* SPDX-License-Identifier: MIT */
/* Goal: `weir why` says of a managed stream, besides what it says of any, who watched, when its
 * input was made, when the picture reached the provider and could be watched, which outputs failed,
 * and whether the input is deleted.  Method: stories by hand (tests/lib/why_stage.h).
 */
#include "tests/lib/why_stage.h"

#include "actors/tap/tap_words.h"

#define INPUT "in-0815"

static void setup_managed(void)
{
	setup();
	stream_kind = KIND_MANAGED;
}

TestSuite(why_managed, .init = setup_managed, .fini = teardown);

static struct stream_event provisioned(enum phase phase)
{
	struct stream_event event = of_stream(EVENT_STREAM_PROVISIONED);

	event.stream_provisioned.input_id = TEXT(INPUT);
	event.stream_provisioned.ingest = TEXT("rtmp://h/live/secret");
	event.stream_provisioned.phase = phase;
	return event;
}

static struct stream_event settled(const char *input_id, const char *detail)
{
	struct stream_event event = of_stream(EVENT_STREAM_INPUT_SETTLED);

	event.stream_input_settled.input_id = text_of(input_id);
	event.stream_input_settled.detail = text_of(detail);
	return event;
}

static struct stream_event ingest(enum ingest state, const char *detail)
{
	struct stream_event event = of_stream(EVENT_STREAM_INGEST);

	event.stream_ingest.ingest = state;
	event.stream_ingest.detail = text_of(detail);
	return event;
}

static struct stream_event playback(enum playback state)
{
	struct stream_event event = of_stream(EVENT_STREAM_PLAYBACK);

	event.stream_playback.playback = state;
	return event;
}

static struct stream_event output(uint64_t number, enum output_state state, const char *error)
{
	struct stream_event event = of_stream(EVENT_STREAM_OUTPUT);

	event.stream_output.output = number;
	event.stream_output.state = state;
	event.stream_output.package = TEXT(OTHER);
	event.stream_output.name = TEXT("Stage 2");
	event.stream_output.url = TEXT("rtmp://host/app/secret");
	event.stream_output.error = text_of(error);
	return event;
}

static struct stream_event joined(const char *package)
{
	struct stream_event event = of_stream(EVENT_STREAM_JOINED);

	event.stream_joined.package = text_of(package);
	return event;
}

static struct stream_event left(const char *package)
{
	struct stream_event event = of_stream(EVENT_STREAM_LEFT);

	event.stream_left.package = text_of(package);
	event.stream_left.told_owed = true;
	return event;
}

static struct stream_event closed_managed(enum end_cause cause, uint64_t evidence)
{
	struct stream_event event = closed(cause, evidence);

	event.stream_closed.input_owed = true;
	return event;
}

static void want(void)
{
	struct stream_event event = story_opened(U, ID, 7, APP);

	event.stream_opened.kind = KIND_MANAGED;
	event.stream_opened.provider = PROVIDER_LOCAL;
	event.stream_opened.rtmp_url = TEXT("");
	at(-60000, story_link(U, 40, 12, LINK_UP));
	at(-59000, story_glasses(U, "Mentra Live", true, WIFI_ON));
	at(-30000, app(APP_RUNNING, "init"));
	at(0, event);
}

/* ... until the device streams; returns the seq of that. */
static uint64_t stream(void)
{
	want();
	at(40, provisioned(PHASE_PROVISIONING));
	at(60, moved(PHASE_STARTING, 0));
	at(300, status(DEVICE_INITIALIZING, ""));
	return at(1500, status(DEVICE_STREAMING, ""));
}

/* ... and can be watched; returns the same. */
static uint64_t play(void)
{
	uint64_t live = stream();

	at(1700, ingest(INGEST_LIVE, ""));
	at(5200, playback(PLAYBACK_LIVE));
	return live;
}

/* Two watched to the end, both are told, the stop is sent and the input deleted. */
static void finish(int64_t ms, struct stream_event event)
{
	at(ms, event);
	at(ms + 10, told(OUTCOME_SENT));
	at(ms + 15, told_to(OTHER, OUTCOME_SENT));
	at(ms + 20, stop_settled(OUTCOME_SENT));
	at(ms + 900, settled(INPUT, "deleted"));
}

/* Ends ------------------------------------------------------------------------------------- */

Test(why_managed, the_last_viewer_left)
{
	struct stream_event event = closed_managed(END_APP_STOP, 0);

	play();
	at(20000, joined(OTHER));
	at(40000, left(APP));
	at(40010, told(OUTCOME_SENT));
	at(130000, left(OTHER));
	event.stream_closed.by = TEXT(OTHER);
	event.stream_closed.told_owed = false;
	at(130000, event);
	at(130010, told_to(OTHER, OUTCOME_SENT));
	at(130020, stop_settled(OUTCOME_SENT));
	at(131000, settled(INPUT, "deleted"));
	compare("managed_app_stop", 200000);
}

Test(why_managed, takeover)
{
	struct stream_event event = closed_managed(END_TAKEOVER, 0);
	struct stream_event next = story_opened(U, NEXT, 8, OTHER);

	play();
	event.stream_closed.by = TEXT(OTHER);
	next.cause = at(130000, event);
	at(130000, next);
	at(130010, told(OUTCOME_SENT));
	at(130020, stop_settled(OUTCOME_SENT));
	at(130700, settled(INPUT, "deleted"));
	compare("managed_takeover", 200000);
}

Test(why_managed, acks_missed)
{
	struct stream_event event;
	uint64_t evidence = play();

	at(20000, joined(OTHER));
	miss_twice(100000);
	event = silent(END_ACKS_MISSED, evidence, LINK_UP);
	event.stream_closed.input_owed = true;
	finish(130000, event);
	compare("managed_acks_missed", 200000);
}

Test(why_managed, the_device_reports_an_error)
{
	struct stream_event event = closed_managed(END_DEVICE_ERROR, 0);

	play();
	at(20000, joined(OTHER));
	event.stream_closed.status = DEVICE_ERROR;
	event.stream_closed.detail = TEXT("encoder failed");
	finish(130000, event);
	compare("managed_device_error", 200000);
}

Test(why_managed, no_input_could_be_made)
{
	struct stream_event event = closed_managed(END_PROVIDER_ERROR, 0);

	want();
	event.stream_closed.detail = TEXT("no answer within 10 s");
	event.stream_closed.stop_owed = false;
	event.stream_closed.told_owed = false;
	at(10000, event);
	at(95000, settled("", "not listed"));
	compare("managed_create_failed", 200000);
}

Test(why_managed, the_input_is_gone)
{
	struct stream_event event = closed_managed(END_PROVIDER_ERROR, 0);

	play();
	at(20000, joined(OTHER));
	at(129000, ingest(INGEST_FAILED, "disabled"));
	event.stream_closed.detail = TEXT("input is gone");
	finish(130000, event);
	compare("managed_input_gone", 200000);
}

Test(why_managed, every_end_names_cause_hop_and_evidence)
{
	for (enum end_cause cause = END_APP_STOP; cause < END_CAUSE_COUNT; cause++) {
		struct why why;

		setup_managed();
		play();
		at(100000, moved(PHASE_SUSPECT, 1));
		at(101000, output(1, OUTPUT_ERROR, "refused"));
		finish(130000, closed_managed(cause, 4));
		cr_assert(why_explain(&story, TEXT(ID), 0, &why));
		cr_expect_eq(why.hop, phase_end_rule(KIND_MANAGED, cause)->hop);
		cr_expect_geq(why.evidence_count, 1);
		cr_expect_leq(lines_of(explain(0)), 8);
		cr_expect_not_null(strstr(explain(0), "stream.closed"), "the end itself");
		cr_expect_null(strstr(explain(0), "secret"));
		teardown();
	}
}

/* What is owed ----------------------------------------------------------------------------- */

static struct why why_now(void)
{
	struct why why;

	cr_assert(why_explain(&story, TEXT(ID), START_MS + 200000, &why));
	return why;
}

Test(why_managed, what_is_owed_is_named)
{
	play();
	at(130000, closed_managed(END_DEVICE_STOPPED, 0));
	compare("managed_owed", 130500);
}

Test(why_managed, an_input_that_is_made_too_late_is_owed)
{
	struct stream_event event = closed_managed(END_APP_STOP, 0);

	want();
	event.stream_closed.by = TEXT(APP);
	event.stream_closed.input_owed = false;
	at(500, event);
	cr_assert_eq(strcmp(why_now().owed[1], "word of the end to its viewers"), 0);
	at(600, told(OUTCOME_SENT));
	at(610, stop_settled(OUTCOME_OVERTAKEN));
	cr_assert_eq(why_now().owed_count, 0);
	at(900, provisioned(PHASE_CLOSED));
	cr_assert_eq(why_now().owed_count, 1);
	cr_assert_str_eq(why_now().owed[0], "the deletion of its input");
	at(1500, settled(INPUT, "deleted"));
	cr_assert_eq(why_now().owed_count, 0);
}

static struct stream_event record(enum viewer first, enum viewer second)
{
	static uint8_t bytes[VIEWERS_BYTES];
	struct stream_event event = of_stream(EVENT_SNAPSHOT_MANAGED);
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 2);
	list_put_text(&list, TEXT(APP));
	list_put_u64(&list, first);
	cr_assert(list_close_member(&list));
	list_open_member(&list, 2);
	list_put_text(&list, TEXT(OTHER));
	list_put_u64(&list, second);
	cr_assert(list_close_member(&list));
	event.snapshot_managed.provider = PROVIDER_CLOUDFLARE;
	event.snapshot_managed.input = INPUT_OWED;
	event.snapshot_managed.input_id = TEXT(INPUT);
	event.snapshot_managed.viewers = list_end(&list);
	return event;
}

Test(why_managed, the_record_knows_who_is_still_owed_the_end)
{
	struct stream_event row;

	play();
	at(20000, joined(OTHER));
	at(130000, closed_managed(END_DEVICE_STOPPED, 0));
	at(130010, told(OUTCOME_SENT));
	at(130020, stop_settled(OUTCOME_SENT));
	row = record(VIEWER_WATCHING, VIEWER_OWED);
	story_keep(&story, &row);
	cr_assert_eq(why_now().owed_count, 2);
	cr_assert_str_eq(why_now().owed[0], "word of the end to " OTHER);
}

Test(why_managed, only_the_record_is_left)
{
	struct stream_event row = of_stream(EVENT_SNAPSHOT_STREAM);

	row.snapshot_stream.kind = KIND_MANAGED;
	row.snapshot_stream.package = TEXT(APP);
	row.snapshot_stream.phase = PHASE_CLOSED;
	row.snapshot_stream.end_cause = END_PHONE_LOST;
	row.snapshot_stream.hop = HOP_PHONE_LINK;
	row.snapshot_stream.start_delivered = true;
	row.snapshot_stream.told_owed = true;
	row.snapshot_stream.created_ms = START_MS;
	story.oldest_seq = 5001;
	story_keep(&story, &row);
	row = record(VIEWER_OWED, VIEWER_OWED);
	story_keep(&story, &row);
	compare("managed_record", 200000);
}

/* Lives ------------------------------------------------------------------------------------ */

Test(why_managed, a_live_one_with_nothing_wrong)
{
	play();
	at(20000, joined(OTHER));
	compare("managed_live", 60000);
}

Test(why_managed, a_live_one_whose_output_fails)
{
	play();
	at(20000, output(2, OUTPUT_ERROR, "connection refused"));
	compare("managed_live_output", 60000);
	at(21000, output(1, OUTPUT_ACTIVE, ""));
	cr_assert_eq(why_now().hop, HOP_OUTPUT, "another output does well");
	at(22000, output(2, OUTPUT_ACTIVE, ""));
	cr_assert_eq(why_now().hop, HOP_NONE);
	cr_assert_null(strstr(why_now().managed, "output"));
}

Test(why_managed, the_worst_fact_of_a_live_one)
{
	want();
	cr_assert_eq(why_now().hop, HOP_PROVIDER, "no input yet");
	cr_assert_eq(why_now().phase, PHASE_REQUESTED);
	at(40, provisioned(PHASE_PROVISIONING));
	cr_assert_eq(why_now().hop, HOP_PHONE_LINK, "no start yet");
	cr_assert_eq(why_now().phase, PHASE_PROVISIONING);
	at(60, moved(PHASE_STARTING, 0));
	at(61, ingest(INGEST_IDLE, ""));
	cr_assert_eq(why_now().hop, HOP_GLASSES);
	at(1500, status(DEVICE_STREAMING, ""));
	cr_assert_eq(why_now().hop, HOP_PROVIDER, "no picture there");
	at(1600, ingest(INGEST_LIVE, ""));
	cr_assert_eq(why_now().hop, HOP_NONE);
	at(31000, playback(PLAYBACK_OVERDUE));
	cr_assert_eq(why_now().hop, HOP_PROVIDER, "nobody can watch");
	at(32000, playback(PLAYBACK_LIVE));
	cr_assert_eq(why_now().hop, HOP_NONE);
}

/* Words ------------------------------------------------------------------------------------ */

static const char *words_of(struct stream_event event)
{
	static char bytes[1024];
	struct phrase phrase;

	phrase_begin(&phrase, bytes, sizeof bytes);
	event_words(&phrase, &event);
	return bytes;
}

Test(why_managed, every_event_of_a_managed_stream_has_words)
{
	cr_expect_str_eq(words_of(joined(APP)), APP " watches it");
	cr_expect_str_eq(words_of(left(APP)), APP " watches it no more");
	cr_expect_str_eq(words_of(provisioned(PHASE_PROVISIONING)),
			 "its input " INPUT " was made: provisioning");
	cr_expect_str_eq(words_of(provisioned(PHASE_CLOSED)),
			 "its input " INPUT " was made too late: it must be deleted");
	cr_expect_str_eq(words_of(settled(INPUT, "deleted")),
			 "its input " INPUT " is gone (deleted)");
	cr_expect_str_eq(words_of(settled("", "not listed")), "it has no input (not listed)");
	cr_expect_str_eq(words_of(output(2, OUTPUT_ERROR, "refused")),
			 "output 2, Stage 2 of " OTHER " failed (refused)");
	for (enum ingest state = INGEST_UNKNOWN; state < INGEST_COUNT; state++)
		cr_expect_gt(strlen(words_of(ingest(state, ""))), 10);
	for (enum playback state = PLAYBACK_UNKNOWN; state < PLAYBACK_COUNT; state++)
		cr_expect_gt(strlen(words_of(playback(state))), 10);
	for (enum output_state state = OUTPUT_NONE; state < OUTPUT_STATE_COUNT; state++)
		cr_expect_gt(strlen(words_of(output(1, state, ""))), 10);
	cr_expect_not_null(strstr(words_of(ingest(INGEST_COUNT, "")), "does not know"));
}
