/* SPDX-License-Identifier: MIT */
/* Goal: every request gets one answer, in whatever order story and results arrive: parked until the
 * mirror is fresh enough, passed on once, answered once it is told, given up when it is too late,
 * refused when there are too many.  Method: the adapter alone, its inputs given one by one.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/unmanaged_stage.h"

#define U "u@x"
#define EXPIRY_MS 20000

static void synced(void)
{
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq });
}

static void tick(void)
{
	handle((struct input){ .type = INPUT_TICK });
}

static void rows(void)
{
	tell(story_gateway(GATEWAY, LINK_UP));
	tell(story_session(U, EVENT_SESSION_OPENED));
	tell(story_link(U, GATEWAY, 11, LINK_UP));
	tell(story_glasses(U, "Mentra Live", true, WIFI_ON));
	tell(story_app_up(U, "pa", GATEWAY, 21));
}

static void open_core(void)
{
	const struct unmanaged_options options = {
		.state = { .users_max = 8,
			   .apps_max = 32,
			   .streams_max = 8,
			   .text_bytes = 2u << 20 },
	};

	unmanaged_init(&core, &options, fake_memory(unmanaged_bytes(&options)));
	handle((struct input){ .type = INPUT_RESYNC });
}

static void setup(void)
{
	open_core();
	rows();
	synced();
	tick();
}

static struct stream_event start_of(uint64_t request)
{
	struct stream_event event = { .type = EVENT_REQUEST_START,
				      .user_id = TEXT(U),
				      .origin = GATEWAY,
				      .request = request,
				      .expires_ms = EXPIRY_MS };

	event.request_start.link = 21;
	event.request_start.package = TEXT("pa");
	event.request_start.permitted = true;
	event.request_start.seen_seq = seq;
	event.request_start.rtmp_url = TEXT("rtmp://h/app/key");
	event.request_start.video = TEXT("{\"width\":1}");
	event.request_start.audio = event.request_start.options = TEXT("{}");
	return event;
}

static struct stream_event stop_of(uint64_t request, const char *id)
{
	struct stream_event event = { .type = EVENT_REQUEST_STOP,
				      .user_id = TEXT(U),
				      .stream_id = text_of(id),
				      .origin = GATEWAY,
				      .request = request,
				      .expires_ms = EXPIRY_MS };

	event.request_stop.link = 21;
	event.request_stop.package = TEXT("pa");
	event.request_stop.seen_seq = seq;
	return event;
}

static struct stream_event result_of(uint64_t request, enum result result, const char *id)
{
	struct stream_event event = { .type = EVENT_STREAM_RESULT,
				      .user_id = TEXT(U),
				      .stream_id = text_of(id),
				      .origin = GATEWAY,
				      .request = request };

	event.stream_result.result = result;
	return event;
}

/* The story of @id, opened for @request; published, so without its URL. */
static void tell_opened(uint64_t request, const char *id, uint64_t epoch)
{
	struct stream_event event = story_opened(U, id, epoch, "pa");

	event.origin = GATEWAY;
	event.request = request;
	event.stream_opened.rtmp_url = (struct text){ 0 };
	tell(event);
}

/* Names of the effects, blanks between. */
static const char *said(void)
{
	static char names[EFFECTS_MAX * 32];
	size_t used = 0;

	names[0] = '\0';
	for (size_t i = 0; i < fx.count; i++)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? " " : "",
					 stream_event_name(fx.items[i].event.type));
	return names;
}

#define expect_said(names) \
	cr_assert_str_eq(said(), names, "said \"%s\" instead of \"%s\"", said(), names)

static const struct stream_event *last(void)
{
	cr_assert_gt(fx.count, 0);
	return &fx.items[fx.count - 1].event;
}

static void expect_done(uint64_t request, enum result result)
{
	cr_assert_eq(last()->type, EVENT_REQUEST_DONE);
	cr_assert_eq(last()->request, request);
	cr_assert_eq(last()->request_done.result, result);
	cr_assert_eq(last()->request_done.link, 21);
}

/* Nothing of any request is kept: no entry, no text. */
static void expect_none_pending(void)
{
	tick();
	cr_assert_eq(core.asks.high, 0);
	cr_assert_eq(core.asks.parked, 0);
	cr_assert_eq(core.asks.texts.used_bytes, 0);
}

Test(unmanaged_requests, without_a_mirror_there_is_nothing_to_do)
{
	open_core();
	cr_assert_eq(unmanaged_deadline(&core), INT64_MAX);
	rows();
	cr_assert_eq(unmanaged_deadline(&core), INT64_MAX);
	synced();
	cr_assert_leq(unmanaged_deadline(&core), now_ms, "what is owed is said at once");
	tick();
	cr_assert_eq(unmanaged_deadline(&core), now_ms + RECONCILE_MS);
}

/* In order ------------------------------------------------------------------------------------ */

Test(unmanaged_requests, the_request_goes_on_as_it_came, .init = setup)
{
	message(start_of(7));
	expect_said("stream.open");
	cr_assert_eq(fx.items[0].type, EFFECT_REQUEST);
	cr_assert_eq(fx.items[0].peer.role, ROLE_REGISTRY);
	const struct stream_event *open = last();

	cr_assert(open->origin == GATEWAY && open->request == 7 && open->expires_ms == EXPIRY_MS);
	cr_assert(text_is(open->user_id, U));
	cr_assert_eq(open->stream_open.kind, KIND_UNMANAGED);
	cr_assert(text_is(open->stream_open.package, "pa"));
	cr_assert(text_is(open->stream_open.rtmp_url, "rtmp://h/app/key"));
	cr_assert(text_is(open->stream_open.video, "{\"width\":1}"));
}

Test(unmanaged_requests, story_then_result, .init = setup)
{
	message(start_of(1));
	tell_opened(1, "s1", 100);
	expect_said("deliver.start deliver.status");
	cr_assert(text_is(fx.items[0].event.deliver_start.rtmp_url, "rtmp://h/app/key"));
	message(result_of(1, RESULT_OK, "s1"));
	expect_said("request.done");
	expect_done(1, RESULT_OK);
	expect_none_pending();
}

Test(unmanaged_requests, result_then_story, .init = setup)
{
	message(start_of(1));
	message(result_of(1, RESULT_OK, "s1"));
	expect_said(""); /* a stop that follows must find the stream */
	tell_opened(1, "s1", 100);
	expect_said("deliver.start deliver.status request.done");
	cr_assert(text_is(fx.items[0].event.deliver_start.rtmp_url, "rtmp://h/app/key"));
	expect_done(1, RESULT_OK);
	message(result_of(1, RESULT_OK, "s1"));
	expect_said("");
	expect_none_pending();
}

Test(unmanaged_requests, a_result_after_the_stream_has_ended, .init = setup)
{
	message(start_of(1));
	tell_opened(1, "s1", 100);
	tell(story_closed(U, "s1", 100, false, false));
	message(result_of(1, RESULT_OK, "s1"));
	expect_done(1, RESULT_OK);
	expect_none_pending();
}

Test(unmanaged_requests, a_stop_is_done_whatever_came_of_it, .init = setup)
{
	for (enum result result = RESULT_NONE; result < RESULT_COUNT; result++) {
		tell_opened(0, "s1", 100 + result);
		message(stop_of(50 + result, result % 2 ? "s1" : ""));
		expect_said("stream.close");
		cr_assert(text_is(last()->stream_id, "s1"));
		cr_assert_eq(last()->epoch, 100 + result);
		cr_assert_eq(last()->stream_close.end_cause, END_APP_STOP);
		cr_assert(text_is(last()->stream_close.by, "pa"));
		cr_assert(text_is(last()->stream_close.told_id, result % 2 ? "s1" : ""));
		message(result_of(50 + result, result, ""));
		expect_done(50 + result, RESULT_OK);
		tell(story_closed(U, "s1", 100 + result, false, false));
	}
	expect_none_pending();
}

Test(unmanaged_requests, asked_twice_is_answered_once, .init = setup)
{
	message(start_of(1));
	message(start_of(1));
	expect_said("");
	message(stop_of(1, ""));
	expect_said(""); /* the same number */
	tell_opened(1, "s1", 100);
	message(start_of(1));
	expect_said("");
	message(result_of(1, RESULT_OK, "s1"));
	expect_done(1, RESULT_OK);
	message(start_of(1)); /* again, later: the registry knows */
	expect_said("stream.open");
	message(result_of(1, RESULT_OK, "s1"));
	expect_done(1, RESULT_OK);
}

Test(unmanaged_requests, without_a_number_there_is_no_answer, .init = setup)
{
	message(start_of(0));
	expect_said("");
	message(stop_of(0, ""));
	expect_said("");
	message(result_of(0, RESULT_OK, ""));
	expect_said("");
	expect_none_pending();
}

Test(unmanaged_requests, the_same_number_of_another_gateway, .init = setup)
{
	struct stream_event other = start_of(1);

	message(start_of(1));
	other.origin = 11;
	handle((struct input){
		.type = INPUT_MESSAGE, .peer = { ROLE_GATEWAY, 11 }, .event = &other });
	expect_said("stream.open");
	message(result_of(1, RESULT_FULL, ""));
	expect_done(1, RESULT_REFUSED);
	cr_assert_eq(fx.items[0].peer.incarnation, GATEWAY);
	cr_assert_eq(core.asks.high, 2);
}

/* Parked ------------------------------------------------------------------------------------- */

Test(unmanaged_requests, what_the_gateway_has_seen_is_waited_for)
{
	struct stream_event start = start_of(1);

	open_core();
	tell(story_gateway(GATEWAY, LINK_UP));
	tell(story_session(U, EVENT_SESSION_OPENED));
	tell(story_link(U, GATEWAY, 11, LINK_UP));
	tell(story_glasses(U, "Mentra Live", true, WIFI_ON));
	synced();
	start.request_start.seen_seq = seq + 1; /* of the app's acceptance */
	message(start);
	expect_said("");
	tell(story_app_up(U, "pa", GATEWAY, 21));
	expect_said("stream.open");
}

Test(unmanaged_requests, a_stop_waits_too, .init = setup)
{
	struct stream_event stop = stop_of(1, "");

	stop.request_stop.seen_seq = seq + 2;
	message(stop);
	tell_opened(9, "s1", 100);
	expect_said("deliver.status"); /* its URL is not known here */
	tell(story_glasses(U, "Mentra Live", true, WIFI_ON));
	expect_said("stream.close");
}

Test(unmanaged_requests, a_snapshot_is_as_fresh_as_it_says)
{
	struct stream_event start;

	open_core();
	rows();
	seq += 5; /* of things that are gone */
	start = start_of(1);
	message(start);
	expect_said("");
	synced();
	expect_said("stream.open");
	start = start_of(2);
	start.request_start.seen_seq = seq + 1;
	message(start);
	expect_said("");
	handle((struct input){ .type = INPUT_RESYNC });
	tell(story_gateway(GATEWAY, LINK_UP));
	expect_said(""); /* the mirror is half empty: nothing is judged on it */
	tell(story_session(U, EVENT_SESSION_OPENED));
	tell(story_link(U, GATEWAY, 11, LINK_UP));
	tell(story_glasses(U, "Mentra Live", true, WIFI_ON));
	tell(story_app_up(U, "pa", GATEWAY, 21));
	tick();
	expect_said("");
	synced();
	expect_said("stream.open");
}

Test(unmanaged_requests, the_story_of_it_may_come_with_a_snapshot, .init = setup)
{
	struct stream_event row = story_stream(U, "s1", 100, EVENT_SNAPSHOT_STREAM);

	row.snapshot_stream.kind = KIND_UNMANAGED;
	row.snapshot_stream.package = TEXT("pa");
	row.snapshot_stream.phase = PHASE_REQUESTED;
	row.snapshot_stream.rtmp_url = TEXT("rtmp://h/app/key");
	row.snapshot_stream.status_seq = 1000; /* the app was there before */
	message(start_of(1));
	message(result_of(1, RESULT_OK, "s1"));
	handle((struct input){ .type = INPUT_RESYNC });
	rows();
	tell(row);
	expect_said("");
	synced();
	expect_said("request.done");
	expect_done(1, RESULT_OK);
	tick();
	expect_said("deliver.start deliver.status");
	expect_none_pending();
}

Test(unmanaged_requests, the_story_of_it_may_come_while_catching_up, .init = setup)
{
	for (unsigned result_first = 0; result_first < 2; result_first++) {
		uint64_t request = 1 + result_first;
		const char *id = result_first ? "s2" : "s1";

		message(start_of(request));
		if (result_first)
			message(result_of(request, RESULT_OK, id));
		handle((struct input){ .type = INPUT_RESYNC });
		rows();
		tell_opened(request, id, 100 + request);
		cr_assert(fx.count <= 1, "no word before the mirror is whole");
		if (!result_first)
			message(result_of(request, RESULT_OK, id));
		expect_said("request.done");
		synced();
		tick();
		expect_said("deliver.start deliver.status");
		cr_assert(text_is(fx.items[0].event.deliver_start.rtmp_url, "rtmp://h/app/key"));
		expect_none_pending();
	}
}

/* A registry that comes back ------------------------------------------------------------------ */

static void registry_up(void)
{
	handle((struct input){ .type = INPUT_PEER_UP, .peer = { ROLE_REGISTRY, 1 } });
}

/* It had committed, and died before it answered. */
Test(unmanaged_requests, a_start_is_asked_again_as_it_was, .init = setup)
{
	message(start_of(7));
	tell(story_link(U, GATEWAY, 11, LINK_DOWN)); /* not judged again */
	registry_up();
	expect_said("stream.open");
	cr_assert(last()->request == 7 && last()->expires_ms == EXPIRY_MS);
	cr_assert(text_is(last()->stream_open.rtmp_url, "rtmp://h/app/key"));
	tell_opened(7, "s1", 100);
	registry_up();
	expect_said("stream.open");
	message(result_of(7, RESULT_OK, "s1"));
	expect_done(7, RESULT_OK);
	registry_up();
	expect_said("");
}

Test(unmanaged_requests, a_stop_is_asked_again_until_it_is_carried_out, .init = setup)
{
	tell_opened(0, "s1", 100);
	message(stop_of(7, "s1"));
	registry_up();
	expect_said("stream.close");
	handle((struct input){ .type = INPUT_RESYNC });
	registry_up();
	rows();
	synced();
	expect_said("request.done"); /* and no stop to a device that owes none */
	expect_done(7, RESULT_OK);
}

/* Too late ----------------------------------------------------------------------------------- */

static void expire(void)
{
	cr_assert_leq(unmanaged_deadline(&core), EXPIRY_MS + ASKS_MARGIN_MS);
	now_ms = EXPIRY_MS + ASKS_MARGIN_MS - 1;
	tick();
	cr_assert(fx.count == 0 || last()->type != EVENT_REQUEST_DONE, "the answer may still come");
	now_ms++;
	tick();
}

Test(unmanaged_requests, a_parked_one_expires, .init = setup)
{
	struct stream_event start = start_of(1);

	start.request_start.seen_seq = seq + 1;
	message(start);
	expire();
	expect_done(1, RESULT_REFUSED);
	cr_assert(text_is(last()->request_done.code, "INTERNAL_ERROR"));
	cr_assert_eq(core.asks.stats.expired, 1);
	expect_none_pending();
}

Test(unmanaged_requests, one_that_was_asked_expires, .init = setup)
{
	message(start_of(1));
	expire();
	expect_done(1, RESULT_REFUSED);
	message(result_of(1, RESULT_OK, "s1"));
	expect_said("");
	expect_none_pending();
}

Test(unmanaged_requests, one_that_was_answered_or_told_is_done, .init = setup)
{
	message(start_of(1));
	message(result_of(1, RESULT_OK, "s1"));
	expire();
	expect_done(1, RESULT_OK);
	now_ms = 10000;
	message(start_of(2));
	tell_opened(2, "s2", 100);
	expire();
	expect_done(2, RESULT_OK);
	expect_none_pending();
}

/* The registry opened it just in time; the answer is on its way when the time is over. */
Test(unmanaged_requests, an_answer_just_in_time, .init = setup)
{
	message(start_of(1));
	now_ms = EXPIRY_MS + ASKS_MARGIN_MS / 2;
	tick();
	tell_opened(1, "s1", 100);
	expect_said("deliver.start deliver.status");
	message(result_of(1, RESULT_OK, "s1"));
	expect_done(1, RESULT_OK);
}

Test(unmanaged_requests, some_never_expire, .init = setup)
{
	struct stream_event start = start_of(1);

	start.expires_ms = 0;
	message(start);
	start.request = 2;
	start.expires_ms = INT64_MAX;
	message(start);
	now_ms = INT64_MAX / 2;
	for (unsigned i = 0; i < 4; i++)
		tick();
	cr_assert_eq(core.asks.high, 2);
}

/* Too many ----------------------------------------------------------------------------------- */

Test(unmanaged_requests, one_past_the_limit, .init = setup)
{
	struct stream_event start;

	for (uint64_t request = 1; request <= ASKS_MAX; request++) {
		message(start_of(request));
		expect_said("stream.open");
	}
	start = start_of(ASKS_MAX + 1);
	message(start);
	expect_said("request.done");
	expect_done(ASKS_MAX + 1, RESULT_REFUSED);
	cr_assert(text_is(last()->request_done.code, "INTERNAL_ERROR"));
	cr_assert(text_is(last()->request_done.reason,
			  "Too many requests at once, try again in 1 s"));
	message(stop_of(ASKS_MAX + 2, ""));
	expect_done(ASKS_MAX + 2, RESULT_REFUSED);
	cr_assert_eq(core.asks.stats.full, 2);
	message(result_of(77, RESULT_FULL, ""));
	message(start);
	expect_said("stream.open");
	/* All of them are answered in the end, however many: in slices. */
	unsigned answered = 0;

	now_ms = EXPIRY_MS + ASKS_MARGIN_MS;
	for (unsigned ticks = 0; core.asks.high > 0; ticks++) {
		cr_assert(ticks < 100);
		cr_assert_leq(unmanaged_deadline(&core), now_ms);
		tick();
		answered += (unsigned)fx.count;
	}
	cr_assert_eq(answered, ASKS_MAX);
	expect_none_pending();
}

Test(unmanaged_requests, texts_of_requests_have_a_limit_too, .init = setup)
{
	static char big[OPTION_MAX + 1], url[URL_MAX + 1] = "rtmp://h/";
	struct stream_event start = start_of(1);
	uint64_t request = 1;

	memset(big, 'x', OPTION_MAX);
	memset(url + 9, 'k', URL_MAX - 9);
	start.request_start.rtmp_url = text_of(url);
	start.request_start.video = start.request_start.audio = start.request_start.options =
		text_of(big);
	start.request_start.seen_seq = seq + 1000; /* they all wait */
	for (; core.asks.stats.full == 0; request++) {
		cr_assert(request <= ASKS_MAX + 1);
		start.request = request;
		message(start);
	}
	expect_done(request - 1, RESULT_REFUSED);
	cr_assert_gt(request, 3000);
	cr_assert_eq(core.asks.parked, core.asks.high);
	now_ms = EXPIRY_MS + ASKS_MARGIN_MS;
	for (unsigned i = 0; i < 100 && core.asks.high > 0; i++)
		tick();
	expect_none_pending();
}

Test(unmanaged_requests, a_text_beyond_every_limit, .init = setup)
{
	static char huge[POOL_TEXT_MAX + 1];
	struct stream_event start = start_of(1);

	memset(huge, 'x', sizeof huge);
	start.request_start.rtmp_url = (struct text){ huge, sizeof huge };
	message(start);
	expect_done(1, RESULT_REFUSED);
	expect_none_pending();
}

/* The registry says its first answer once more. */
Test(unmanaged_requests, again_for_a_stream_that_has_come_and_gone, .init = setup)
{
	struct stream_event result = result_of(7, RESULT_OK, "s1");

	message(start_of(7));
	tell_opened(7, "s1", 100);
	const uint64_t opened = seq;
	registry_up(); /* another life of it, before its answer */
	handle((struct input){ .type = INPUT_RESYNC });
	rows(); /* s1 is over, and settled */
	synced();
	tick();
	result.cause = opened;
	cr_assert_leq(result.cause, core.asks.seq);
	message(result);
	expect_done(7, RESULT_OK);
}
