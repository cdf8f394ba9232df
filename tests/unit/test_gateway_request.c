/* SPDX-License-Identifier: MIT */
/* Goal: what an app asks for acts in the order in which it was sent, is answered once, and is
 * refused in words when it is too much.
 */
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_request, .init = stage_open, .fini = stage_close);

#define START "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://h/a/k\",\"video\":{\"w\":1}}"
#define STOP "{\"type\":\"rtmp_stream_stop\",\"streamId\":\"s1\"}"
#define CHECK "{\"type\":\"stream_status_check\"}"

static void done(uint64_t link, uint64_t request, enum result result, const char *reason)
{
	stage_bus(&(struct stream_event){ .type = EVENT_REQUEST_DONE,
					  .request = request,
					  .request_done = { .link = link,
							    .result = result,
							    .code = TEXT("INTERNAL_ERROR"),
							    .reason = text_of(reason) } });
}

static void checked(uint64_t link, uint64_t request, enum kind kind)
{
	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_CHECKED,
		.request = request,
		.stream_id = TEXT("s1"),
		.registry_checked = { .link = link, .kind = kind, .package = TEXT("o") } });
}

Test(gateway_request, a_start_goes_to_the_adapter_with_what_the_registry_had_told)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, START);
	const struct effect *effect = stage_effect(EVENT_REQUEST_START, 0);

	cr_assert_eq(effect->type, EFFECT_REQUEST);
	cr_assert_eq(effect->peer.role, ROLE_UNMANAGED);
	cr_assert_eq(effect->event.origin, INCARNATION);
	cr_assert_eq(effect->event.expires_ms, stage.now_ms + 10000);
	cr_assert_eq(effect->event.request_start.seen_seq, 9);
	cr_assert(effect->event.request_start.permitted);
	cr_assert_not(effect->event.request_start.oversized);
	cr_assert(text_is(effect->event.request_start.rtmp_url, "rtmp://h/a/k"));
	cr_assert(text_is(effect->event.request_start.video, "{\"w\":1}"));
	cr_assert(text_is(effect->event.request_start.audio, "{}"));
	uint64_t plain = stage_app(PLAIN);

	stage_app_say(plain, START);
	cr_assert_not(stage_told(EVENT_REQUEST_START)->request_start.permitted);
}

Test(gateway_request, what_is_too_long_is_left_out_and_said)
{
	static char json[2 * URL_MAX];
	uint64_t link = stage_app(PACKAGE);
	size_t head = (size_t)snprintf(json, sizeof json,
				       "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://");

	memset(json + head, 'x', URL_MAX);
	snprintf(json + head + URL_MAX, 8, "\"}");
	stage_app_say(link, json);
	cr_assert(stage_told(EVENT_REQUEST_START)->request_start.oversized);
	cr_assert_eq(stage_told(EVENT_REQUEST_START)->request_start.rtmp_url.length, 0);
}

/* Whichever of them it is. */
Test(gateway_request, an_option_that_is_too_long_is_said_too)
{
	static const char *const types[] = { "rtmp_stream_request", "managed_stream_request" };
	static const char *const names[] = { "video", "audio", "stream" };
	char json[OPTION_MAX + 256];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		for (int managed = 0; managed < 2; managed++) {
			uint64_t link = stage_app(PACKAGE);
			int length =
				snprintf(json, sizeof json, "{\"type\":\"%s\",\"%s\":{\"x\":\"",
					 types[managed], names[i]);

			memset(json + length, 'x', OPTION_MAX);
			(void)snprintf(json + length + OPTION_MAX, 8, "\"}}");
			stage_app_say(link, json);
			cr_expect(
				managed ? stage_told(EVENT_REQUEST_WATCH)->request_watch.oversized
					: stage_told(EVENT_REQUEST_START)->request_start.oversized,
				"%s of %s", names[i], types[managed]);
		}
}

Test(gateway_request, requests_act_one_after_the_other)
{
	uint64_t link = stage_app(PACKAGE);
	uint64_t request;

	stage_app_say(link, START);
	request = stage_told(EVENT_REQUEST_START)->request;
	stage_app_say(link, STOP);
	stage_app_say(link, CHECK);
	cr_assert_eq(stage.fx.count, 0);
	done(link, request + 7, RESULT_OK, "");
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(gateway_counts(stage.core)->answers_late, 1);
	done(link, request, RESULT_OK, "");
	cr_assert(text_is(stage_told(EVENT_REQUEST_STOP)->stream_id, "s1"));
	cr_assert_gt(stage_told(EVENT_REQUEST_STOP)->request, request);
	request = stage_told(EVENT_REQUEST_STOP)->request;
	done(link, request, RESULT_OK, "");
	request = stage_told(EVENT_EDGE_CHECK)->request;
	cr_assert_eq(stage_out_count(), 0);
	checked(link, request, KIND_NONE);
	stage_expect_sent(0, link,
			  "{\"type\":\"stream_status_check_response\",\"hasActiveStream\":false}");
	done(link, request, RESULT_OK, "");
	cr_assert_eq(stage.fx.count, 0);
}

static void expect_one_too_many(const char *outstanding)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, outstanding);
	for (int i = 0; i < GATEWAY_WAITING_MAX; i++) {
		stage_app_say(link, CHECK);
		cr_assert_eq(stage_out_count(), 0);
	}
	stage_app_say(link, CHECK);
	stage_expect_sent(0, link, APP_ERROR("INTERNAL_ERROR", "Too many requests at a time"));
	stage_expect_close(1, link, 1008, "Too many requests at a time");
}

Test(gateway_request, one_request_too_many_in_line)
{
	expect_one_too_many(CHECK);
	/* What is kept of the outstanding one does not count. */
	expect_one_too_many(START);
	cr_assert_eq(gateway_counts(stage.core)->limit_waiting, 2);
}

Test(gateway_request, requests_before_the_verdict_wait_for_it)
{
	uint64_t link = stage_app_socket();

	stage_init(link, SESSION, PACKAGE);
	stage_app_say(link, CHECK);
	cr_assert_eq(stage.fx.count, 0);
	stage_verdict(link, RESULT_OK, 1);
	cr_assert_eq(stage_out(0)->message.type, EDGE_TPA_CONNECTION_ACK);
	cr_assert_not_null(stage_told(EVENT_EDGE_CHECK));
}

Test(gateway_request, a_refusal_costs_the_socket)
{
	char reason[200];
	uint64_t link = stage_app(PACKAGE);

	memset(reason, 'r', sizeof reason);
	memcpy(reason + 122, "\xc3\xa4", 2); /* would be cut in half */
	reason[199] = '\0';
	stage_app_say(link, START);
	done(link, stage_told(EVENT_REQUEST_START)->request, RESULT_REFUSED, reason);
	cr_assert(text_is(stage_out(0)->message.tpa_connection_error.message, reason));
	reason[122] = '\0';
	stage_expect_close(1, link, 1008, reason);
	cr_assert_eq(stage_told(EVENT_EDGE_APP_CLOSED)->edge_app_closed.code, 1008);
}

Test(gateway_request, no_answer_in_time)
{
	uint64_t link = stage_app(PACKAGE);

	stage_tick();
	stage_app_say(link, CHECK);
	stage.now_ms += 10000;
	stage_tick();
	stage_expect_sent(0, link,
			  APP_ERROR("INTERNAL_ERROR", "No answer in time - please try again"));
	stage_expect_close(1, link, 1008, "No answer in time - please try again");
	cr_assert_eq(gateway_counts(stage.core)->requests_timed_out, 1);
}

static void adapter(bool known)
{
	stage_input(&(struct input){ .type = INPUT_PEER_UP,
				     .peer = { ROLE_UNMANAGED, 6 },
				     .peer_name = "unmanaged",
				     .known = known });
}

Test(gateway_request, another_life_of_the_adapter_is_asked_again)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, START);
	uint64_t request = stage_told(EVENT_REQUEST_START)->request;
	int64_t expires_ms = stage_told(EVENT_REQUEST_START)->expires_ms;

	stage_app_say(link, STOP);
	stage.now_ms += 3000;
	adapter(true);
	cr_assert_eq(stage.fx.count, 0);
	for (int lives = 0; lives < 2; lives++) {
		adapter(false);
		cr_assert_eq(stage.fx.count, 1);
		const struct effect *effect = stage_effect(EVENT_REQUEST_START, 0);

		cr_assert_eq(effect->type, EFFECT_REQUEST);
		cr_assert_eq(effect->peer.role, ROLE_UNMANAGED);
		cr_assert_eq(effect->event.origin, INCARNATION);
		cr_assert_eq(effect->event.request, request);
		cr_assert_eq(effect->event.expires_ms, expires_ms);
		cr_assert(text_is(effect->event.user_id, USER));
		cr_assert_eq(effect->event.request_start.link, link);
		cr_assert(text_is(effect->event.request_start.package, PACKAGE));
		cr_assert(effect->event.request_start.permitted);
		cr_assert(text_is(effect->event.request_start.rtmp_url, "rtmp://h/a/k"));
		cr_assert(text_is(effect->event.request_start.video, "{\"w\":1}"));
		cr_assert(text_is(effect->event.request_start.audio, "{}"));
	}
	/* The next one, which had waited in line, likewise; and then there is nothing to ask. */
	done(link, request, RESULT_OK, "");
	request = stage_told(EVENT_REQUEST_STOP)->request;
	adapter(false);
	cr_assert_eq(stage.fx.count, 1);
	cr_assert_eq(stage_told(EVENT_REQUEST_STOP)->request, request);
	cr_assert(text_is(stage_told(EVENT_REQUEST_STOP)->stream_id, "s1"));
	done(link, request, RESULT_OK, "");
	adapter(false);
	cr_assert_eq(stage.fx.count, 0);
}

Test(gateway_request, the_adapter_is_not_asked_what_is_asked_of_the_registry)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, CHECK);
	uint64_t request = stage_told(EVENT_EDGE_CHECK)->request;

	stage_app_say(link, CHECK);
	adapter(false);
	cr_assert_eq(stage.fx.count, 0);
	checked(link, request, KIND_NONE); /* now it is one out of the line */
	cr_assert_not_null(stage_told(EVENT_EDGE_CHECK));
	adapter(false);
	cr_assert_eq(stage.fx.count, 0);
}

Test(gateway_request, who_has_left_is_not_asked_for_again)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, START);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link });
	adapter(false);
	cr_assert_eq(stage.fx.count, 0);
}

/* More than one input may cause: the rest follows at once, in the order of asking. */
Test(gateway_request, many_are_asked_again_in_slices)
{
	enum { APPS = EFFECTS_MAX + 50 };
	struct gateway_options options = stage_options();
	uint64_t expected = 1, first_slice;

	stage_close();
	options.connections_max = 1000;
	options.starts_burst = APPS;
	stage_open_with(options);
	stage_registry(false);
	for (int i = 0; i < APPS; i++)
		stage_app_say(stage_app(PACKAGE), START);
	for (int lives = 0; lives < 2; lives++) {
		adapter(false); /* the second one comes in the middle of asking the first */
		expected = 1;
		for (size_t i = 0; i < stage.fx.count; i++)
			cr_assert_eq(stage_effect(EVENT_REQUEST_START, i)->event.request,
				     expected++);
		cr_assert_leq(gateway_deadline(stage.core), stage.now_ms);
	}
	first_slice = expected - 1;
	cr_assert_lt(first_slice, APPS);
	stage_tick();
	for (size_t i = 0; stage_effect(EVENT_REQUEST_START, i); i++)
		cr_assert_eq(stage_effect(EVENT_REQUEST_START, i)->event.request, expected++);
	cr_assert_eq(expected, APPS + 1);
	cr_assert_gt(gateway_deadline(stage.core), stage.now_ms);
	stage_tick();
	cr_assert_null(stage_told(EVENT_REQUEST_START));
}

Test(gateway_request, without_room_to_keep_it_a_request_is_asked_once)
{
	struct gateway_options options = stage_options();
	uint64_t last;

	stage_close();
	options.connections_max = 2 * GATEWAY_WAITING_MAX;
	stage_open_with(options);
	stage_registry(false);
	for (int i = 0; i < 2; i++) {
		uint64_t link = stage_app(PACKAGE);

		for (int n = 0; n <= GATEWAY_WAITING_MAX; n++)
			stage_app_say(link, CHECK);
	}
	last = stage_app(PACKAGE);
	stage_app_say(last, START);
	uint64_t request = stage_told(EVENT_REQUEST_START)->request;

	adapter(false);
	cr_assert_eq(stage.fx.count, 0);
	done(last, request, RESULT_OK, "");
	stage_app_say(last, STOP);
	cr_assert_gt(stage_told(EVENT_REQUEST_STOP)->request, request);
}

Test(gateway_request, one_start_too_many_of_a_user_whatever_the_app)
{
	uint64_t one = stage_app(PACKAGE);
	uint64_t two = stage_app(PLAIN);

	for (int i = 0; i < 20; i++) {
		stage_app_say(i % 2 ? one : two, START);
		if (stage_told(EVENT_REQUEST_START))
			done(i % 2 ? one : two, stage_told(EVENT_REQUEST_START)->request, RESULT_OK,
			     "");
	}
	stage_app_say(one, START);
	stage_expect_sent(
		0, one, APP_ERROR("INTERNAL_ERROR", "Too many stream requests, try again in 2 s"));
	stage_expect_close(1, one, 1008, "Too many stream requests, try again in 2 s");
	/* Coming back does not help, waiting does. */
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = one });
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = two });
	one = stage_app(PACKAGE);
	stage_app_say(one, START);
	cr_assert_eq(stage_out(1)->type, GATEWAY_CLOSE);
	stage.now_ms += 2000;
	one = stage_app(PACKAGE);
	stage_app_say(one, START);
	cr_assert_not_null(stage_told(EVENT_REQUEST_START));
	cr_assert_eq(gateway_counts(stage.core)->limit_starts, 2);
}

Test(gateway_request, it_is_said_how_long_to_wait)
{
	struct gateway_options options = stage_options();
	uint64_t link;

	stage_close();
	options.starts_per_min = 1;
	options.starts_burst = 1;
	stage_open_with(options);
	stage_registry(false);
	link = stage_app(PACKAGE);
	stage_app_say(link, START);
	stage_app_say(link, START);
	stage_expect_close(1, link, 1008, "Too many stream requests, try again in 60 s");
}

/* Of another request, of none, or of another kind: the one that is waited for stays so. */
Test(gateway_request, answers_to_something_else)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, START);
	uint64_t request = stage_told(EVENT_REQUEST_START)->request;

	done(link, 0, RESULT_REFUSED, "no");
	done(link, request + 1, RESULT_REFUSED, "no");
	checked(link, request, KIND_NONE);
	checked(link + (UINT64_C(1) << GATEWAY_LINK_BITS), request, KIND_NONE);
	cr_assert_eq(gateway_counts(stage.core)->answers_late, 4);
	cr_assert_eq(stage_out_count(), 0);
	done(link, request, RESULT_REFUSED, "no");
	stage_expect_close(1, link, 1008, "no");
}

Test(gateway_request, a_check_tells_what_runs)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, CHECK);
	checked(link, stage_told(EVENT_EDGE_CHECK)->request, KIND_UNMANAGED);
	stage_expect_sent(0, link,
			  "{\"type\":\"stream_status_check_response\",\"hasActiveStream\":true,"
			  "\"streamInfo\":{\"type\":\"unmanaged\",\"streamId\":\"s1\",\"status\":"
			  "\"active\",\"createdAt\":\"" EPOCH_TIME
			  "\",\"requestingAppId\":\"o\"}}");
}

/* Whatever is full: an answer, and nothing lost that was there. */
Test(gateway_request, memory_is_bounded)
{
	static char start[4 * OPTION_MAX];
	struct gateway_options options = stage_options();
	uint64_t links[64];

	stage_close();
	options.connections_max = 1000;
	options.starts_burst = 100000;
	stage_open_with(options);
	stage_registry(false);
	snprintf(start, sizeof start,
		 "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://%01800d\","
		 "\"video\":{\"v\":\"%0900d\"},\"audio\":{\"a\":\"%0900d\"}}",
		 1, 2, 3);
	for (int i = 0; i < 64; i++) {
		links[i] = stage_app(PACKAGE);
		for (int n = 0; n <= GATEWAY_WAITING_MAX; n++)
			stage_app_say(links[i], start);
	}
	/* An app that comes now is sent away, to come again. */
	cr_assert_gt(gateway_counts(stage.core)->limit_memory, 0);
	uint64_t late = stage_app_socket();

	stage_init(late, SESSION, PACKAGE);
	stage_expect_close(0, late, 1013, "Try again later");
	for (int i = 0; i < 64; i++)
		stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = links[i] });
	late = stage_app(PACKAGE);
	stage_app_say(late, start);
	stage_app_say(late, start);
	cr_assert_eq(stage_out_count(), 0);
}
