/* SPDX-License-Identifier: MIT */
/* Goal: what was provisioned is known from the intent to the proof that it is gone, whatever comes
 * late, twice or in the wrong order, and over a restart at any point.  Method: every message about
 * an input in every state of its record.
 */
#include "common/phase.h"
#include "tests/lib/registry_bench.h"

#define U "u@x"

static const struct peer managed = { ROLE_MANAGED, 8 };
static const char *id; /* of the stream */

/* The states a record goes through. */
enum record {
	RECORD_NONE,
	RECORD_WANTED,
	RECORD_READY,
	RECORD_LIVE,
	RECORD_OWED_UNKNOWN, /* closed, and its input, if there is one, has no name yet */
	RECORD_OWED,
	RECORD_TOLD_OWED, /* the input is gone, an app is not told yet */
	RECORD_COUNT,
};

static void close_it(void)
{
	struct stream_event event = about(U, EVENT_STREAM_CLOSE);

	event.request = bench.next_request++;
	event.stream_id = text_of(id);
	event.epoch = the_stream(U)->epoch;
	event.stream_close.end_cause = END_OPERATOR_STOP;
	bench_say(managed, &event);
}

static struct state_stream *record(void)
{
	return state_stream_find(&bench.registry.state, text_of(id));
}

static struct state_managed *ledger(void)
{
	return state_managed_of(&bench.registry.state, record());
}

static bool says(struct pooled kept, const char *text)
{
	return text_is(state_text(&bench.registry.state, kept), text);
}

static void bring_to(enum record state)
{
	bench_setup();
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	watch(U, "pa");
	id = the_id(the_stream(U));
	if (state == RECORD_READY || state == RECORD_LIVE || state == RECORD_OWED)
		input_made(U, "in1");
	if (state == RECORD_LIVE)
		stream_status(U, DEVICE_STREAMING);
	if (state >= RECORD_OWED_UNKNOWN || state == RECORD_NONE)
		close_it();
	if (state == RECORD_TOLD_OWED || state == RECORD_NONE)
		input_gone(record(), "");
	if (state == RECORD_NONE)
		bench_tick(bench.registry.options.stop_owed_ms + 2000);
	cr_assert_eq(!record(), state == RECORD_NONE, "state %u", state);
}

static struct stream_event of_input(enum stream_event_type type)
{
	struct stream_event event = about(U, type);

	event.stream_id = text_of(id);
	event.epoch = 100;
	return event;
}

static void made(const char *input_id)
{
	struct stream_event event = of_input(EVENT_INPUT_MADE);

	event.input_made.input_id = text_of(input_id);
	event.input_made.ingest = TEXT("rtmp://h/live/key");
	event.input_made.hls = TEXT("https://h/1.m3u8");
	event.input_made.dash = TEXT("https://h/1.mpd");
	event.input_made.webrtc = TEXT("https://h/w");
	event.input_made.preview = TEXT("https://h/p");
	event.input_made.thumbnail = TEXT("https://h/t");
	bench_say(managed, &event);
}

static void gone(const char *input_id)
{
	struct stream_event event = of_input(EVENT_INPUT_GONE);

	event.input_gone.input_id = text_of(input_id);
	event.input_gone.detail = TEXT("404");
	bench_say(managed, &event);
}

/* Made ------------------------------------------------------------------------------------- */

Test(registry_ledger, an_input_is_made)
{
	bring_to(RECORD_WANTED);
	const uint64_t activity = record()->activity_seq;

	made("in1");
	expect_said("stream.provisioned");
	const struct stream_event *told = bench_fx(EVENT_STREAM_PROVISIONED, 0);

	cr_assert_eq(told->stream_provisioned.phase, PHASE_PROVISIONING);
	cr_assert_eq(record()->phase, PHASE_PROVISIONING);
	cr_assert_eq(record()->activity_seq, activity, "the deadline of its start goes on");
	cr_assert_eq(record()->status_seq, told->seq);
	cr_assert_eq(ledger()->input, INPUT_READY);
	cr_assert(says(ledger()->input_id, "in1"));
	cr_assert(says(record()->rtmp_url, "rtmp://h/live/key"));
	cr_assert(says(ledger()->hls, "https://h/1.m3u8") &&
		  says(ledger()->dash, "https://h/1.mpd"));
	cr_assert(says(ledger()->webrtc, "https://h/w") && says(ledger()->preview, "https://h/p"));
	cr_assert(says(ledger()->thumbnail, "https://h/t"));
}

/* One deadline from the request to the start at the device, whatever becomes of the input. */
Test(registry_ledger, a_start_has_one_deadline)
{
	for (unsigned ready = 0; ready < 2; ready++) {
		bring_to(ready ? RECORD_READY : RECORD_WANTED);
		struct stream_event event = of_input(EVENT_TIMER_EXPIRED);

		event.timer_expired.timer = TIMER_START_DEADLINE;
		event.cause = record()->opened_seq;
		bench_say((struct peer){ ROLE_SCHEDULER, 3 }, &event);
		expect_said("stream.closed");
		cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause,
			     END_NEVER_STARTED);
		cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.stop_owed, ready);
		cr_assert(record()->input_owed);
		bench_close();
	}
}

/* A second input of a stream, and one of a stream that is no more, is for the reconciler. */
Test(registry_ledger, made_in_every_state)
{
	static const char *const said[RECORD_COUNT] = {
		[RECORD_NONE] = "",
		[RECORD_WANTED] = "stream.provisioned",
		[RECORD_READY] = "",
		[RECORD_LIVE] = "",
		[RECORD_OWED_UNKNOWN] = "stream.provisioned",
		[RECORD_OWED] = "",
		[RECORD_TOLD_OWED] = "",
	};

	for (enum record state = RECORD_NONE; state < RECORD_COUNT; state++) {
		bring_to(state);
		made("in9");
		cr_expect_str_eq(bench_said(), said[state], "state %u: %s", state, bench_said());
		if (state == RECORD_READY || state == RECORD_LIVE || state == RECORD_OWED)
			cr_expect(says(ledger()->input_id, "in1"));
		bench_close();
	}
}

Test(registry_ledger, made_too_late_is_known_and_deleted)
{
	bring_to(RECORD_OWED_UNKNOWN);
	made("in1");
	cr_assert_eq(bench_fx(EVENT_STREAM_PROVISIONED, 0)->stream_provisioned.phase, PHASE_CLOSED);
	cr_assert_eq(bench_fx(EVENT_STREAM_PROVISIONED, 0)->stream_provisioned.ingest.length, 0);
	cr_assert_eq(ledger()->input, INPUT_OWED);
	cr_assert(says(ledger()->input_id, "in1"));
	cr_assert_eq(record()->rtmp_url.length, 0, "nobody will publish there");
	gone("");
	expect_said("");
	cr_assert(record()->input_owed, "that none was made is disproved");
	gone("in1");
	expect_said("stream.input_settled");
}

Test(registry_ledger, an_input_has_a_name_and_is_of_a_managed_stream)
{
	uint64_t refused;

	bring_to(RECORD_WANTED);
	refused = bench.registry.stats.refused;
	made("");
	expect_said("");
	cr_assert_eq(bench.registry.stats.refused, refused + 1);
	close_it();
	input_gone(record(), "");
	stream_open(U, "pa", 0);
	input_made(U, "in1");
	expect_said("");
	input_gone(the_stream(U), "in1");
	expect_said("");
	cr_assert_eq(the_stream(U)->phase, PHASE_REQUESTED);
}

Test(registry_ledger, an_older_epoch_changes_nothing)
{
	static const enum stream_event_type types[] = { EVENT_INPUT_MADE, EVENT_INPUT_SEEN,
							EVENT_INPUT_GONE };

	bring_to(RECORD_WANTED);
	for (unsigned i = 0; i < 3; i++) {
		struct stream_event event = of_input(types[i]);

		event.epoch = 99;
		if (i == 0)
			event.input_made.input_id = TEXT("in1");
		bench_say(managed, &event);
		expect_said("");
	}
}

/* Its name must still be known, so that it can be deleted. */
Test(registry_ledger, no_room_for_what_was_made)
{
	struct registry_options options = bench_options();
	unsigned filled = 0;

	options.state.text_bytes = 30 * POOL_PAGE_SIZE;
	bench_open(&options);
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	watch(U, "pa");
	id = the_id(the_stream(U));
	for (struct pooled kept; pool_has_room(&bench.registry.state.pool, 4000); filled++)
		cr_assert(pool_keep(&bench.registry.state.pool,
				    (struct text){ (const char *)&bench, 8000 }, &kept));
	cr_assert_gt(filled, 0);
	bench.check_every = UINT32_MAX; /* the texts above are nobody's */
	made("in1");
	expect_said("stream.closed stream.provisioned");
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause, END_PROVIDER_ERROR);
	cr_assert(record()->input_owed);
	cr_assert(says(ledger()->input_id, "in1"));
}

/* Seen ------------------------------------------------------------------------------------- */

static void seen(enum ingest ingest, enum playback playback, const char *hls)
{
	struct stream_event event = of_input(EVENT_INPUT_SEEN);

	event.input_seen.ingest = ingest;
	event.input_seen.playback = playback;
	event.input_seen.hls = text_of(hls);
	event.input_seen.detail = TEXT("connected");
	bench_say(managed, &event);
}

Test(registry_ledger, only_what_changes_is_told)
{
	bring_to(RECORD_LIVE);
	const uint64_t activity = record()->activity_seq;

	seen(INGEST_UNKNOWN, PLAYBACK_UNKNOWN, "");
	expect_said("");
	seen(INGEST_LIVE, PLAYBACK_UNKNOWN, "");
	expect_said("stream.ingest");
	cr_assert(text_is(bench_fx(EVENT_STREAM_INGEST, 0)->stream_ingest.detail, "connected"));
	seen(INGEST_LIVE, PLAYBACK_UNKNOWN, "https://h/1.m3u8");
	expect_said("");
	seen(INGEST_LIVE, PLAYBACK_DETAILS, "https://h/2.m3u8");
	expect_said("stream.playback");
	const struct stream_event *playback = bench_fx(EVENT_STREAM_PLAYBACK, 0);

	cr_assert_eq(playback->stream_playback.playback, PLAYBACK_DETAILS);
	cr_assert(text_is(playback->stream_playback.hls, "https://h/2.m3u8"));
	cr_assert(text_is(playback->stream_playback.dash, "https://h/1.mpd"), "as it was");
	cr_assert_eq(record()->status_seq, playback->seq);
	seen(INGEST_LOST, PLAYBACK_LIVE, "");
	expect_said("stream.ingest stream.playback");
	cr_assert_eq(ledger()->ingest, INGEST_LOST);
	cr_assert_eq(ledger()->playback, PLAYBACK_LIVE);
	cr_assert_eq(record()->activity_seq, activity, "no sign of life of the device");
}

Test(registry_ledger, apps_are_not_told_what_only_the_story_has)
{
	bring_to(RECORD_LIVE);
	const uint64_t visible = record()->status_seq;

	seen(INGEST_LIVE, PLAYBACK_OVERDUE, "");
	expect_said("stream.ingest stream.playback");
	cr_assert_eq(record()->status_seq, visible);
	watch(U, "pa");
	cr_assert_eq(record()->status_seq, visible, "told to that app only");
}

Test(registry_ledger, seen_in_every_state)
{
	for (enum record state = RECORD_NONE; state < RECORD_COUNT; state++) {
		bool active = state >= RECORD_WANTED && state <= RECORD_LIVE;

		bring_to(state);
		seen(INGEST_LIVE, PLAYBACK_UNKNOWN, "");
		cr_expect_str_eq(bench_said(), active ? "stream.ingest" : "", "state %u", state);
		bench_close();
	}
}

/* Gone ------------------------------------------------------------------------------------- */

Test(registry_ledger, gone_in_every_state)
{
	static const char *const said[RECORD_COUNT] = {
		[RECORD_NONE] = "",
		[RECORD_WANTED] = "stream.closed stream.input_settled",
		[RECORD_READY] = "stream.closed stream.input_settled",
		[RECORD_LIVE] = "stream.closed stream.input_settled",
		[RECORD_OWED_UNKNOWN] = "stream.input_settled",
		[RECORD_OWED] = "stream.input_settled",
		[RECORD_TOLD_OWED] = "",
	};

	for (enum record state = RECORD_NONE; state < RECORD_COUNT; state++) {
		bring_to(state);
		gone("in1");
		cr_expect_str_eq(bench_said(), said[state], "state %u: %s", state, bench_said());
		if (record())
			cr_expect_not(record()->input_owed);
		bench_close();
	}
}

Test(registry_ledger, an_input_that_goes_ends_its_stream)
{
	bring_to(RECORD_LIVE);
	gone("in1");
	const struct stream_event *closed = bench_fx(EVENT_STREAM_CLOSED, 0);

	cr_assert_eq(closed->stream_closed.end_cause, END_PROVIDER_ERROR);
	cr_assert_eq(closed->stream_closed.hop, HOP_PROVIDER);
	cr_assert(text_is(closed->stream_closed.detail, "input is gone"));
	cr_assert(closed->stream_closed.told_owed && closed->stream_closed.stop_owed);
	cr_assert(text_is(bench_fx(EVENT_STREAM_INPUT_SETTLED, 0)->stream_input_settled.detail,
			  "404"));
}

Test(registry_ledger, another_input_is_not_ours)
{
	static const enum record states[] = { RECORD_READY, RECORD_LIVE, RECORD_OWED };

	for (unsigned i = 0; i < 3; i++) {
		bring_to(states[i]);
		gone("in2");
		expect_said("");
		gone("");
		expect_said("");
		bench_close();
	}
}

Test(registry_ledger, settled_and_told_it_is_forgotten)
{
	struct stream_event told;

	bring_to(RECORD_OWED);
	told = of_input(EVENT_EDGE_APP_TOLD);
	told.edge_app_told.package = TEXT("pa");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &told);
	expect_said("stream.told");
	gone("in1");
	cr_assert(record()->stop_owed);
	struct stream_event stopped = of_input(EVENT_EDGE_DEVICE_TOLD);

	stopped.edge_device_told.stop = true;
	stopped.edge_device_told.outcome = OUTCOME_SENT;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &stopped);
	expect_said("stream.stop_settled");
	cr_assert_null(record());
}

/* Restarts --------------------------------------------------------------------------------- */

/* Another life in every state, what it knows, and what it makes of the same news. */
Test(registry_ledger, every_state_outlives_a_restart)
{
	for (enum record state = RECORD_WANTED; state < RECORD_COUNT; state++) {
		bring_to(state);
		const struct state_managed before = *ledger();
		const uint64_t hash = state_hash(&bench.registry.state);
		const bool active = phase_active((enum phase)record()->phase);

		bench_restart();
		cr_expect_eq(state_hash(&bench.registry.state), hash, "state %u", state);
		cr_assert(record());
		cr_expect_eq(ledger()->input, before.input);
		cr_expect_eq(record()->input_owed, before.input == INPUT_OWED);
		if (state == RECORD_READY || state == RECORD_LIVE)
			cr_expect(says(record()->rtmp_url, "rtmp://h/live/key"));
		gone(state == RECORD_WANTED || state == RECORD_OWED_UNKNOWN ? "" : "in1");
		cr_expect_str_eq(bench_said(), active ? "stream.closed stream.input_settled"
					       : state == RECORD_TOLD_OWED
						       ? ""
						       : "stream.input_settled");
		bench_close();
	}
}

/* The answer got lost with the life that gave it: the next one gives it again. */
static void expect_once(const struct stream_event *event, enum stream_event_type story)
{
	struct stream_event told, answer;
	uint64_t seq;

	bench_say(managed, event);
	told = *bench_fx(story, 0);
	answer = *bench_fx(EVENT_STREAM_RESULT, 0);
	cr_assert_eq(answer.stream_result.result, RESULT_OK);
	char stream_id[STREAM_ID_MAX + 1];

	text_put(answer.stream_id, stream_id, sizeof stream_id);
	told.stream_id = answer.stream_id = text_of(stream_id);
	bench_restart();
	registry_load_story(&bench.registry, &told);
	seq = bench.registry.seq;
	bench_say(managed, event);
	expect_said("stream.result");
	cr_assert_eq(bench.registry.seq, seq);
	cr_assert_eq(bench_answer(), RESULT_OK);
	cr_assert(text_is(bench_fx(EVENT_STREAM_RESULT, 0)->stream_id, stream_id));
	cr_assert_eq(bench_fx(EVENT_STREAM_RESULT, 0)->epoch, answer.epoch);
	cr_assert_eq(bench_fx(EVENT_STREAM_RESULT, 0)->stream_result.output,
		     answer.stream_result.output);
}

static struct stream_event request_of(enum stream_event_type type)
{
	struct stream_event event = of_input(type);

	event.origin = GATEWAY_B;
	event.request = bench.next_request++;
	return event;
}

Test(registry_ledger, requests_are_done_once_over_a_restart)
{
	bring_to(RECORD_LIVE);
	app_up(U, "pb", 22);
	struct stream_event event = request_of(EVENT_STREAM_OPEN);

	event.stream_open.kind = KIND_MANAGED;
	event.stream_open.package = TEXT("pb");
	expect_once(&event, EVENT_STREAM_JOINED);
	event = request_of(EVENT_OUTPUT_ADD);
	event.output_add.package = TEXT("pb");
	event.output_add.url = TEXT("rtmp://a/b/1");
	expect_once(&event, EVENT_STREAM_OUTPUT);
	event.request = bench.next_request++;
	event.output_add.url = TEXT("rtmp://a/b/2");
	expect_once(&event, EVENT_STREAM_OUTPUT);
	event = request_of(EVENT_OUTPUT_REMOVE);
	event.output_remove.package = TEXT("pb");
	event.output_remove.output = 2;
	expect_once(&event, EVENT_STREAM_OUTPUT);
	event = request_of(EVENT_STREAM_LEAVE);
	event.stream_leave.package = TEXT("pb");
	expect_once(&event, EVENT_STREAM_LEFT);
	event.request = bench.next_request++;
	event.stream_leave.package = TEXT("pa");
	expect_once(&event, EVENT_STREAM_LEFT);
}
