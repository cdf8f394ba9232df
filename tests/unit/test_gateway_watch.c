/* SPDX-License-Identifier: MIT */
/* Goal: requests about managed streams go to their adapter, are waited for beside the line, and are
 * asked again of its next life.
 */
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_watch, .init = stage_open, .fini = stage_close);

#define START "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://h/a/k\",\"video\":{\"w\":1}}"
#define STOP "{\"type\":\"rtmp_stream_stop\",\"streamId\":\"s1\"}"
#define CHECK "{\"type\":\"stream_status_check\"}"
#define WATCH \
	"{\"type\":\"managed_stream_request\",\"quality\":\"720p\",\"video\":{\"w\":1}," \
	"\"restreamDestinations\":[{\"url\":\"rtmp://a/K\"}]}"
#define LEAVE "{\"type\":\"managed_stream_stop\"}"

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

static void adapter(bool known)
{
	stage_input(&(struct input){ .type = INPUT_PEER_UP,
				     .peer = { ROLE_UNMANAGED, 6 },
				     .peer_name = "unmanaged",
				     .known = known });
}

static void managed_adapter(bool known)
{
	stage_input(&(struct input){ .type = INPUT_PEER_UP,
				     .peer = { ROLE_MANAGED, 8 },
				     .peer_name = "managed-adapter",
				     .known = known });
}

Test(gateway_watch, a_request_to_watch_goes_to_the_managed_adapter)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, WATCH);
	const struct effect *effect = stage_effect(EVENT_REQUEST_WATCH, 0);

	cr_assert_eq(effect->type, EFFECT_REQUEST);
	cr_assert_eq(effect->peer.role, ROLE_MANAGED);
	cr_assert_eq(effect->event.origin, INCARNATION);
	cr_assert_eq(effect->event.expires_ms, stage.now_ms + 28000);
	cr_assert_eq(effect->event.request_watch.link, link);
	cr_assert_eq(effect->event.request_watch.seen_seq, 9);
	cr_assert(effect->event.request_watch.permitted);
	cr_assert_not(effect->event.request_watch.oversized);
	cr_assert_not(effect->event.request_watch.destinations_oversized);
	cr_assert(text_is(effect->event.request_watch.package, PACKAGE));
	cr_assert(text_is(effect->event.request_watch.video, "{\"w\":1}"));
	cr_assert(text_is(effect->event.request_watch.audio, "{}"));
	cr_assert(text_is(effect->event.request_watch.destinations, "[{\"url\":\"rtmp://a/K\"}]"));
	uint64_t plain = stage_app(PLAIN);

	stage_app_say(plain, WATCH);
	cr_assert_not(stage_told(EVENT_REQUEST_WATCH)->request_watch.permitted);
}

/* It may take long: what the app asks meanwhile acts at once, to stop it above all. */
Test(gateway_watch, a_request_to_watch_is_waited_for_beside_the_line)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, WATCH);
	uint64_t watch = stage_told(EVENT_REQUEST_WATCH)->request;

	stage_app_say(link, CHECK);
	uint64_t check = stage_told(EVENT_EDGE_CHECK)->request;

	cr_assert_gt(check, watch);
	stage_app_say(link, LEAVE);
	cr_assert_eq(stage.fx.count, 0, "one after the other, but for the first");
	checked(link, check, KIND_NONE);
	cr_assert_eq(stage_effect(EVENT_REQUEST_STOP, 0)->peer.role, ROLE_MANAGED);
	uint64_t leave = stage_told(EVENT_REQUEST_STOP)->request;

	done(link, watch, RESULT_OK, "");
	cr_assert_eq(stage.fx.count + stage_out_count(), 0);
	done(link, watch, RESULT_OK, "");
	cr_assert_eq(gateway_counts(stage.core)->answers_late, 1);
	stage_app_say(link, START);
	cr_assert_eq(stage.fx.count, 0);
	done(link, leave, RESULT_OK, "");
	cr_assert_not_null(stage_told(EVENT_REQUEST_START));
}

Test(gateway_watch, a_request_to_watch_waits_for_what_was_asked_before)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, STOP);
	uint64_t stop = stage_told(EVENT_REQUEST_STOP)->request;

	stage_app_say(link, WATCH);
	stage_app_say(link, CHECK);
	cr_assert_eq(stage.fx.count, 0);
	done(link, stop, RESULT_OK, "");
	cr_assert_eq(stage.fx.count, 2);
	cr_assert_not_null(stage_told(EVENT_REQUEST_WATCH));
	cr_assert_not_null(stage_told(EVENT_EDGE_CHECK));
}

/* The answer to the first one answers the second one, too. */
Test(gateway_watch, a_second_request_to_watch_needs_no_answer_of_its_own)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, WATCH);
	uint64_t watch = stage_told(EVENT_REQUEST_WATCH)->request;

	stage_app_say(link, WATCH);
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(gateway_counts(stage.core)->requests_repeated, 1);
	stage_app_say(link, LEAVE);
	cr_assert_not_null(stage_told(EVENT_REQUEST_STOP));
	done(link, stage_told(EVENT_REQUEST_STOP)->request, RESULT_OK, "");
	done(link, watch, RESULT_OK, "");
	cr_assert_eq(stage.fx.count, 0);
	stage_app_say(link, WATCH);
	cr_assert_not_null(stage_told(EVENT_REQUEST_WATCH));
}

static void expect_watch_behind(const char *ending, enum stream_event_type type)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, WATCH);
	uint64_t watch = stage_told(EVENT_REQUEST_WATCH)->request;

	stage_app_say(link, ending);
	uint64_t ended = stage_told(type)->request;

	stage_app_say(link, WATCH);
	stage_app_say(link, CHECK);
	cr_assert_eq(stage.fx.count, 0);
	done(link, ended, RESULT_OK, "");
	cr_assert_eq(stage.fx.count, 0, "the first one may still be answered");
	done(link, watch, RESULT_OK, "");
	cr_assert_eq(stage.fx.count, 2);
	cr_assert_gt(stage_told(EVENT_REQUEST_WATCH)->request, ended);
	cr_assert_not_null(stage_told(EVENT_EDGE_CHECK));
	cr_assert_eq(gateway_counts(stage.core)->requests_repeated, 0);
}

Test(gateway_watch, a_request_to_watch_behind_an_end_of_the_first_is_one_of_its_own)
{
	expect_watch_behind(LEAVE, EVENT_REQUEST_STOP);
	expect_watch_behind(START, EVENT_REQUEST_START);
}

Test(gateway_watch, a_refused_request_to_watch_costs_the_socket)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, WATCH);
	uint64_t watch = stage_told(EVENT_REQUEST_WATCH)->request;

	stage_app_say(link, CHECK);
	done(link, watch, RESULT_REFUSED, "no");
	stage_expect_sent(0, link, APP_ERROR("INTERNAL_ERROR", "no"));
	stage_expect_close(1, link, 1008, "no");
	stage.now_ms += 100000;
	stage_tick();
	cr_assert_eq(stage_out_count(), 0, "nothing is due any more");
}

Test(gateway_watch, a_request_to_watch_is_asked_again_whatever_came_after_it)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, WATCH);
	uint64_t watch = stage_told(EVENT_REQUEST_WATCH)->request;

	stage_app_say(link, LEAVE);
	uint64_t leave = stage_told(EVENT_REQUEST_STOP)->request;

	managed_adapter(false);
	cr_assert_eq(stage_told(EVENT_REQUEST_WATCH)->request, watch);
	cr_assert_eq(stage_told(EVENT_REQUEST_STOP)->request, leave);
	cr_assert_lt(stage_effect(EVENT_REQUEST_WATCH, 0), stage_effect(EVENT_REQUEST_STOP, 0),
		     "in the order of asking");
	cr_assert(text_is(stage_told(EVENT_REQUEST_WATCH)->request_watch.video, "{\"w\":1}"));
	done(link, leave, RESULT_OK, "");
	done(link, watch, RESULT_OK, "");
	managed_adapter(false);
	cr_assert_eq(stage.fx.count, 0);
}

Test(gateway_watch, a_request_to_leave_goes_to_the_managed_adapter)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, LEAVE);
	const struct effect *effect = stage_effect(EVENT_REQUEST_STOP, 0);

	cr_assert_eq(effect->peer.role, ROLE_MANAGED);
	cr_assert_eq(effect->event.stream_id.length, 0);
	cr_assert_eq(effect->event.expires_ms, stage.now_ms + 10000);
	cr_assert(text_is(effect->event.request_stop.package, PACKAGE));
}

/* Its stop is true for the other adapter as well. */
Test(gateway_watch, what_an_app_was_told_is_behind_what_it_asks)
{
	uint64_t link = stage_app(PACKAGE);

	stage_bus(&(struct stream_event){ .type = EVENT_DELIVER_STATUS,
					  .user_id = TEXT(USER),
					  .stream_id = TEXT("s1"),
					  .epoch = 1,
					  .stream_seq = 3,
					  .cause = 40,
					  .deliver_status = { .link = link,
							      .package = TEXT(PACKAGE),
							      .status = TEXT("stopped") } });
	stage_app_say(link, WATCH);
	cr_assert_eq(stage_told(EVENT_REQUEST_WATCH)->request_watch.seen_seq, 40);
	stage_bus(&(struct stream_event){ .type = EVENT_DELIVER_MANAGED,
					  .user_id = TEXT(USER),
					  .stream_id = TEXT("m2"),
					  .epoch = 2,
					  .stream_seq = 1,
					  .cause = 45,
					  .deliver_managed = { .link = link,
							       .package = TEXT(PACKAGE),
							       .status = TEXT("active") } });
	stage_app_say(link, LEAVE);
	cr_assert_eq(stage_told(EVENT_REQUEST_STOP)->request_stop.seen_seq, 45);
	uint64_t other = stage_app(PLAIN);

	stage_app_say(other, WATCH);
	cr_assert_eq(stage_told(EVENT_REQUEST_WATCH)->request_watch.seen_seq, 9);
}

Test(gateway_watch, destinations_beyond_their_limit_are_left_out_and_said)
{
	static char json[2 * DESTINATIONS_MAX];
	uint64_t link = stage_app(PACKAGE);

	for (int extra = 0; extra < 2; extra++) {
		int length = snprintf(json, sizeof json,
				      "{\"type\":\"managed_stream_request\","
				      "\"restreamDestinations\":[\"%0*d\"]}",
				      DESTINATIONS_MAX - 4 + extra, 0);

		cr_assert_lt(length, (int)sizeof json);
		stage_app_say(link, json);
		const struct stream_event *asked = stage_told(EVENT_REQUEST_WATCH);

		cr_assert_eq(asked->request_watch.destinations_oversized, extra == 1);
		cr_assert_eq(asked->request_watch.destinations.length,
			     extra ? 0 : DESTINATIONS_MAX);
		done(link, asked->request, RESULT_OK, "");
	}
}

/* The adapter has refused it by then, in its own words, unless it is not there. */
Test(gateway_watch, a_request_to_watch_has_its_own_time)
{
	uint64_t link = stage_app(PACKAGE);

	stage_tick();
	stage_app_say(link, WATCH);
	stage.now_ms += 28000;
	stage_tick();
	cr_assert_eq(stage_out_count(), 0);
	stage.now_ms += GATEWAY_WATCH_SLACK_MS;
	stage_tick();
	stage_expect_close(1, link, 1008, "No answer in time - please try again");
}

Test(gateway_watch, each_adapter_is_asked_again_what_it_was_asked)
{
	uint64_t start = stage_app(PACKAGE), watch = stage_app(PLAIN), leave;

	stage_app_say(start, START);
	stage_app_say(watch, WATCH);
	uint64_t request = stage_told(EVENT_REQUEST_WATCH)->request;
	int64_t expires_ms = stage_told(EVENT_REQUEST_WATCH)->expires_ms;

	leave = stage_app("com.example.dash");
	stage_app_say(leave, LEAVE);
	uint64_t left = stage_told(EVENT_REQUEST_STOP)->request;

	stage.now_ms += 3000;
	managed_adapter(true);
	cr_assert_eq(stage.fx.count, 0);
	managed_adapter(false);
	cr_assert_eq(stage.fx.count, 2);
	cr_assert_eq(stage_told(EVENT_REQUEST_STOP)->request, left);
	const struct stream_event *asked = stage_told(EVENT_REQUEST_WATCH);

	cr_assert_eq(asked->request, request);
	cr_assert_eq(asked->expires_ms, expires_ms);
	cr_assert_eq(asked->request_watch.link, watch);
	cr_assert(text_is(asked->request_watch.video, "{\"w\":1}"));
	cr_assert(text_is(asked->request_watch.destinations, "[{\"url\":\"rtmp://a/K\"}]"));
	adapter(false);
	cr_assert_eq(stage.fx.count, 1);
	cr_assert_not_null(stage_told(EVENT_REQUEST_START));
	done(watch, request, RESULT_OK, "");
	done(leave, left, RESULT_OK, "");
	managed_adapter(false);
	cr_assert_eq(stage.fx.count, 0);
}

/* Two clocks, each longer than one slice: nobody is forgotten, and it ends. */
Test(gateway_watch, many_of_both_kinds_are_asked_again)
{
	enum { APPS = EFFECTS_MAX + 50 };
	struct gateway_options options = stage_options();
	static bool seen[2 * APPS + 1];
	int slices = 1;

	stage_close();
	options.connections_max = 2000;
	options.starts_burst = APPS;
	stage_open_with(options);
	stage_registry(false);
	for (int i = 0; i < APPS; i++) {
		stage_app_say(stage_app(PACKAGE), WATCH);
		stage_app_say(stage_app(PACKAGE), LEAVE);
	}
	managed_adapter(false);
	for (;;) {
		for (size_t i = 0; i < stage.fx.count; i++) {
			uint64_t request = stage.fx.items[i].event.request;

			if (request == 0)
				continue; /* a beat */
			cr_assert_leq(request, 2 * APPS);
			cr_assert_not(seen[request], "%lu twice", (unsigned long)request);
			seen[request] = true;
		}
		if (gateway_deadline(stage.core) > stage.now_ms)
			break;
		stage_tick();
		cr_assert_lt(slices++, 10);
	}
	for (size_t request = 1; request <= 2 * APPS; request++)
		cr_assert(seen[request], "%zu", request);
}

Test(gateway_watch, requests_to_watch_count_as_starts)
{
	uint64_t link = stage_app(PACKAGE);

	for (int i = 0; i < 20; i++) {
		stage_app_say(link, WATCH);
		done(link, stage_told(EVENT_REQUEST_WATCH)->request, RESULT_OK, "");
		stage_app_say(link, LEAVE);
		done(link, stage_told(EVENT_REQUEST_STOP)->request, RESULT_OK, "");
	}
	stage_app_say(link, WATCH);
	stage_expect_close(1, link, 1008, "Too many stream requests, try again in 2 s");
}

Test(gateway_watch, a_check_tells_of_a_managed_stream)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, CHECK);
	stage_bus(&(struct stream_event){ .type = EVENT_REGISTRY_CHECKED,
					  .request = stage_told(EVENT_EDGE_CHECK)->request,
					  .stream_id = TEXT("m1"),
					  .registry_checked = { .link = link,
								.kind = KIND_MANAGED,
								.package = TEXT(PACKAGE),
								.hls = TEXT("https://h"),
								.dash = TEXT("https://d"),
								.preview = TEXT("https://p"),
								.thumbnail = TEXT("https://t"),
								.viewers = 2 } });
	stage_expect_sent(0, link,
			  "{\"type\":\"stream_status_check_response\",\"hasActiveStream\":true,"
			  "\"streamInfo\":{\"type\":\"managed\",\"streamId\":\"m1\",\"status\":"
			  "\"active\",\"createdAt\":\"" EPOCH_TIME
			  "\",\"hlsUrl\":\"https://h\",\"dashUrl\":\"https://d\",\"previewUrl\":"
			  "\"https://p\",\"thumbnailUrl\":\"https://t\",\"activeViewers\":2}}");
}
