/* SPDX-License-Identifier: MIT */
/* Goal: each call becomes the right requests in the right order, and exactly one answer, whatever
 * the vendor says; the token's limits are kept by all together.  Requests are answered by hand.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/cloudflare_stage.h"

TestSuite(cloudflare_core, .init = stage_open, .fini = stage_close);

static bool says(struct text text, const char *expected)
{
	cr_expect(text_is(text, expected), "'%.*s' is not '%s'", (int)text.length, text.bytes,
		  expected);
	return text_is(text, expected);
}

static void make(const char *more)
{
	char body[2048];

	snprintf(body, sizeof body, INPUT_OF("%s"), more);
	call_create("op1");
	reply(200, body);
	(void)said(CALL_OK);
}

/* ---- create ---- */

Test(cloudflare_core, create)
{
	const struct stream_event *event;

	call_create("op1");
	cr_assert_str_eq(asked(), "POST /live_inputs");
	cr_assert_str_eq(fx.request->key, "mark-op1");
	cr_assert_not_null(strstr(fx.request->body, "\"deleteRecordingAfterDays\":30"));
	reply(200, INPUT_OF(PLAYBACK ",\"meta\":{\"owner\":\"mark\",\"op\":\"op1\"}"
				     ",\"webRTCPlayback\":{\"url\":\"" HOST "/w\"}"));
	event = said(CALL_OK);
	says(event->provider_done.input_id, ID);
	says(event->provider_done.ingest, "rtmps://in.example/live/KEY");
	says(event->provider_done.hls, HOST "/" ID "/manifest/video.m3u8");
	says(event->provider_done.dash, HOST "/" ID "/manifest/video.mpd");
	says(event->provider_done.webrtc, HOST "/w");
	says(event->provider_done.preview,
	     HOST "/" ID "/iframe?autoplay=true&muted=true&controls=true");
	says(event->provider_done.thumbnail, HOST "/" ID "/thumbnails/thumbnail.jpg");
	says(event->stream_id, "op1");
	says(event->user_id, "u@x.y");
}

Test(cloudflare_core, create_without_a_customer_host)
{
	const struct stream_event *event;

	call_create("op1");
	reply(200, INPUT_OF(""));
	event = said(CALL_OK);
	says(event->provider_done.hls, "https://videodelivery.net/" ID "/manifest/video.m3u8");
	says(event->provider_done.preview,
	     "https://iframe.videodelivery.net/" ID "?autoplay=true&muted=true&controls=true");
	says(event->provider_done.thumbnail,
	     "https://videodelivery.net/" ID "/thumbnails/thumbnail.jpg");
}

Test(cloudflare_core, the_configured_customer_host_counts)
{
	const struct stream_event *event;

	stage_close();
	stage_options.customer_domain = TEXT("customer-mine.example");
	stage_open();
	call_create("op1");
	reply(200, INPUT_OF(",\"webRTC\":{\"url\":\"" HOST "/secret/webRTC/publish\"}"));
	event = said(CALL_OK);
	says(event->provider_done.hls, "https://customer-mine.example/" ID "/manifest/video.m3u8");
	call_describe(ID);
	cr_assert(fx.request->playback);
}

Test(cloudflare_core, a_host_that_is_not_safe_is_not_asked)
{
	call_create("op1");
	reply(200, INPUT_OF(",\"playback\":{\"hls\":\"http://10.0.0.1/x\"}"));
	(void)said(CALL_OK);
	call_describe(ID);
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID);
}

struct create_row {
	unsigned status;
	char body[200];
	enum call_outcome outcome;
	char detail[80];
};

Test(cloudflare_core, create_refused_lost_or_odd)
{
	static const struct create_row rows[] = {
		{ 400, "{\"errors\":[{\"message\":\"no\"}]}", CALL_REFUSED, "no" },
		{ 404, "", CALL_REFUSED, "the provider answered with status 404" },
		{ 409, "{\"errors\":[{\"message\":\"used\"}]}", CALL_REFUSED, "used" },
		{ 500, "<html>", CALL_UNKNOWN, "the provider answered with status 500" },
		{ 200, "<html>", CALL_UNKNOWN, "Invalid response from Cloudflare: not JSON" },
		{ 200, OK_OF("{}"), CALL_UNKNOWN,
		  "Invalid response from Cloudflare: missing result" },
		{ 200, OK_OF("{\"uid\":\"" ID "\"}"), CALL_UNKNOWN,
		  "Invalid liveInput: missing RTMPS URL or stream key" },
		{ 200, INPUT_OF(",\"meta\":{\"op\":\"other\"}"), CALL_UNKNOWN,
		  "Invalid liveInput: it was made for something else" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		call_create("op1");
		reply(rows[i].status, rows[i].body);
		says(said(rows[i].outcome)->provider_done.detail, rows[i].detail);
	}
	call_create("op1");
	reply_lost();
	says(said(CALL_UNKNOWN)->provider_done.detail, "lost");
	call_create("op1");
	reply_not_sent();
	says(said(CALL_RETRY)->provider_done.detail, "not sent");
	call_create("not a\nstream");
	(void)said(CALL_REFUSED);
}

/* ---- describe ---- */

static const struct stream_event *expect_described(enum ingest state, bool playable)
{
	const struct stream_event *event = said(CALL_OK);

	cr_expect_eq(event->provider_done.ingest_state, state, "%s",
		     words_name(&ingest_words, event->provider_done.ingest_state));
	cr_expect_eq(event->provider_done.playable, playable);
	return event;
}

Test(cloudflare_core, describe_by_the_api_until_the_host_is_known)
{
	call_describe(ID);
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID);
	reply(200, INPUT_OF(",\"status\":null"));
	expect_described(INGEST_IDLE, false);
	call_describe(ID);
	reply(200, INPUT_OF(PLAYBACK ",\"status\":{\"current\":{\"state\":\"connected\"}}"));
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID "/outputs");
	reply(200, OK_OF("[]"));
	says(expect_described(INGEST_LIVE, true)->provider_done.hls,
	     HOST "/" ID "/manifest/video.m3u8");
}

Test(cloudflare_core, describe_by_the_customer_host)
{
	make(PLAYBACK);
	call_describe(ID);
	cr_assert_str_eq(asked(), "GET /" ID "/lifecycle");
	reply(200, "{\"isInput\":true,\"videoUID\":\"55b9\",\"live\":true}");
	says(expect_described(INGEST_LIVE, true)->provider_done.hls,
	     HOST "/" ID "/manifest/video.m3u8");
	call_describe(ID);
	reply(200, "{\"isInput\":true,\"videoUID\":null,\"live\":false}");
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID);
	reply(200, INPUT_OF(",\"status\":\"connected\""));
	expect_described(INGEST_LIVE, false); /* connected is not yet playable */
	call_describe(ID);
	reply(200, "{\"live\":false}");
	reply(404, "");
	(void)said(CALL_GONE);
}

Test(cloudflare_core, a_customer_host_that_fails_is_left_alone)
{
	make(PLAYBACK);
	call_describe(ID);
	reply_lost();
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID);
	reply(200, INPUT_OF(",\"status\":\"connected\""));
	expect_described(INGEST_LIVE, true);
	now_ms += CLOUDFLARE_LIFECYCLE_PAUSE_MS - 1;
	call_describe(ID);
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID);
	reply(500, "");
	(void)said(CALL_RETRY);
	now_ms += 1;
	call_describe(ID);
	cr_assert_str_eq(asked(), "GET /" ID "/lifecycle");
	reply_header(429, "600"); /* not the token's limit */
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID);
}

Test(cloudflare_core, describe_saves_when_the_budget_is_low)
{
	stage_close();
	stage_options.requests_max = 20;
	stage_open();
	make(PLAYBACK);
	for (int i = 0; i < 10; i++) {
		call_quota();
		reply(200, OK_OF("{\"totalStorageMinutes\":1}"));
	}
	call_describe(ID);
	reply(200, "{\"live\":false}");
	expect_described(INGEST_UNKNOWN, false);
	cr_assert_eq(cloudflare_spent(core), 11);
	call_describe(ID);
	reply(200, "{\"live\":true}");
	expect_described(INGEST_LIVE, true);
	cr_assert_eq(cloudflare_spent(core), 11);
}

Test(cloudflare_core, outputs_tell_how_they_are)
{
	const struct stream_event *event;

	make(PLAYBACK);
	call_output_add(ID, "rtmp://h/a/k");
	reply(200, OK_OF("{\"uid\":\"" OUT "\"}"));
	call_describe(ID);
	reply(200, "{\"live\":true}");
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID "/outputs");
	reply(200, OK_OF("[{\"uid\":\"" OUT "\",\"status\":{\"current\":{\"state\":\"error\"}},"
			 "\"lastError\":\"refused\"},{\"uid\":\"o2\"}]"));
	expect_described(INGEST_LIVE, true);
	cr_assert_eq(fx.says, 2);
	event = &fx.say[0];
	cr_assert_eq(event->type, EVENT_PROVIDER_OUTPUT_HINT);
	says(event->provider_output_hint.input_id, ID);
	says(event->provider_output_hint.remote_id, OUT);
	cr_expect_eq(event->provider_output_hint.state, OUTPUT_ERROR);
	says(event->provider_output_hint.error, "refused");
	call_describe(ID);
	reply(200, "{\"live\":true}");
	reply(200, OK_OF("[{\"uid\":\"" OUT "\"}]")); /* nothing is said: not asked again */
	call_describe(ID);
	reply(200, "{\"live\":true}");
	expect_described(INGEST_LIVE, true);
	cr_assert_eq(fx.says, 1);
}

/* ---- outputs ---- */

Test(cloudflare_core, an_output_of_a_new_input_is_added_at_once)
{
	make("");
	call_output_add(ID, "rtmp://h/a/k?x=1");
	cr_assert_str_eq(asked(), "POST /live_inputs/" ID "/outputs");
	cr_assert_str_eq(fx.request->body,
			 "{\"url\":\"rtmp://h/a\",\"streamKey\":\"k?x=1\",\"enabled\":true}");
	reply(200, OK_OF("{\"uid\":\"" OUT "\"}"));
	says(said(CALL_OK)->provider_done.remote_id, OUT);
	call_output_add(ID, "rtmp://h");
	(void)said(CALL_REFUSED);
	call_output_add(ID, "rtmp://FAIL/a/k");
	reply(400, "{\"errors\":[{\"message\":\"bad rtmp://FAIL/a/k\"}]}");
	says(said(CALL_REFUSED)->provider_done.detail, "the provider answered with status 400");
}

Test(cloudflare_core, after_an_unknown_add_it_looks_first)
{
	make("");
	call_output_add(ID, "rtmp://h/a/k");
	reply_lost();
	(void)said(CALL_UNKNOWN);
	call_output_add(ID, "rtmp://h/a/k");
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID "/outputs");
	reply(200, OK_OF("[{\"uid\":\"o1\",\"url\":\"rtmp://h/a\",\"streamKey\":\"other\"},"
			 "{\"uid\":\"" OUT "\",\"url\":\"rtmp://h/a\",\"streamKey\":\"k\"}]"));
	says(said(CALL_OK)->provider_done.remote_id, OUT);
	call_output_add(ID, "rtmp://h/a/k2");
	reply(200, OK_OF("[]"));
	cr_assert_str_eq(asked(), "POST /live_inputs/" ID "/outputs");
	reply(200, OK_OF("{}"));
	says(said(CALL_UNKNOWN)->provider_done.detail,
	     "Invalid response from Cloudflare: an output without a uid");
}

Test(cloudflare_core, an_output_of_an_unknown_input_is_looked_for)
{
	call_output_add(ID, "rtmp://h/a/k");
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID "/outputs");
	reply(404, "");
	(void)said(CALL_GONE);
	call_output_add(ID, "rtmp://h/a/k");
	reply(200, OK_OF("{}"));
	(void)said(CALL_RETRY);
}

Test(cloudflare_core, outputs_are_removed_by_id_or_destination)
{
	call_output_remove(ID, OUT, "rtmp://h/a/k");
	cr_assert_str_eq(asked(), "DELETE /live_inputs/" ID "/outputs/" OUT);
	reply(200, "");
	(void)said(CALL_OK);
	call_output_remove(ID, OUT, "");
	reply(404, "");
	(void)said(CALL_GONE);
	call_output_remove(ID, "", "rtmp://h/a/k");
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID "/outputs");
	reply(200, OK_OF("[{\"uid\":\"" OUT "\",\"url\":\"rtmp://h/a\",\"streamKey\":\"k\"}]"));
	cr_assert_str_eq(asked(), "DELETE /live_inputs/" ID "/outputs/" OUT);
	reply(500, "");
	(void)said(CALL_UNKNOWN);
	call_output_remove(ID, "", "rtmp://h/a/k");
	reply(200, OK_OF("[]"));
	(void)said(CALL_GONE);
}

/* ---- quota ---- */

Test(cloudflare_core, quota)
{
	const struct stream_event *event;

	call_quota();
	cr_assert_str_eq(asked(), "GET /storage-usage");
	reply(200, OK_OF("{\"totalStorageMinutes\":10.5,\"totalStorageMinutesLimit\":1000}"));
	event = said(CALL_OK);
	cr_expect(event->provider_done.used == 11 && event->provider_done.limit == 1000);
	call_quota();
	reply(200, OK_OF("[]"));
	(void)said(CALL_RETRY);
}

/* ---- what the token may ---- */

Test(cloudflare_core, one_429_stops_all_and_deletes_go_first)
{
	call_create("op1");
	reply_header(429, "7");
	cr_expect_eq(said(CALL_RETRY)->provider_done.retry_ms, 7000 + CLOUDFLARE_DELETES_FIRST_MS);
	call_describe(OTHER);
	cr_expect_eq(said(CALL_RETRY)->provider_done.retry_ms, 7000 + CLOUDFLARE_DELETES_FIRST_MS);
	call_list(0);
	cr_expect_eq(said(CALL_RETRY)->provider_page.retry_ms, 7000 + CLOUDFLARE_DELETES_FIRST_MS);
	call_delete(ID);
	cr_expect_eq(said(CALL_RETRY)->provider_done.retry_ms, 7000);
	now_ms += 7000;
	call_create("op1");
	cr_expect_eq(said(CALL_RETRY)->provider_done.retry_ms, CLOUDFLARE_DELETES_FIRST_MS);
	call_delete(ID);
	cr_assert_str_eq(asked(), "PUT /live_inputs/" ID);
	now_ms += CLOUDFLARE_DELETES_FIRST_MS;
	call_create("op1");
	cr_assert_str_eq(asked(), "POST /live_inputs");
}

Test(cloudflare_core, a_refused_token_is_not_used)
{
	call_create("op1");
	reply(403, "");
	(void)said(CALL_UNCONFIGURED);
	now_ms += CLOUDFLARE_UNCONFIGURED_MS - 1;
	call_delete(ID);
	(void)said(CALL_UNCONFIGURED);
	now_ms += 1;
	call_delete(ID);
	cr_assert_str_eq(asked(), "PUT /live_inputs/" ID);
}

static unsigned spend(void (*begin)(const char *))
{
	unsigned count = 0;

	for (;; count++) {
		begin(ID);
		if (!fx.request)
			return count;
		reply(404, "");
		(void)said(CALL_GONE);
	}
}

Test(cloudflare_core, the_budget_has_a_tenth_for_deletes)
{
	stage_close();
	stage_options.requests_max = 50;
	stage_open();
	now_ms = 300000;
	cr_assert_eq(spend(call_describe), 45);
	cr_expect_eq(said(CALL_RETRY)->provider_done.retry_ms, 330000);
	cr_assert_eq(spend(call_delete), 5);
	cr_expect_eq(said(CALL_RETRY)->provider_done.retry_ms, 330000);
	now_ms += 329999; /* no window of 5 minutes has more than the budget */
	cr_assert_eq(spend(call_delete), 0);
	now_ms += 1;
	cr_assert_eq(spend(call_describe), 45);
}

Test(cloudflare_core, what_the_vendor_says_is_left_is_for_deletes)
{
	call_quota();
	reply_limits(200, OK_OF("{\"totalStorageMinutes\":1}"), "\"default\";r=20;t=30");
	(void)said(CALL_OK);
	call_quota();
	reply_limits(200, OK_OF("{\"totalStorageMinutes\":1}"), "\"default\";r=19;t=30");
	(void)said(CALL_OK);
	call_quota();
	cr_expect_eq(said(CALL_RETRY)->provider_done.retry_ms, 30000);
	call_delete(ID);
	cr_assert_str_eq(asked(), "PUT /live_inputs/" ID);
}

Test(cloudflare_core, as_many_calls_as_there_is_room_for)
{
	for (unsigned i = 0; i < CLOUDFLARE_CALLS_MAX; i++) {
		core->spent[core->budget_slot % CLOUDFLARE_BUDGET_SLOTS] = 0;
		call_describe(ID);
		cr_assert_not_null(fx.request);
	}
	call_describe(ID);
	cr_expect_eq(said(CALL_RETRY)->provider_done.retry_ms, CLOUDFLARE_BUSY_MS);
	call_list(0);
	cr_expect_eq(said(CALL_RETRY)->provider_page.retry_ms, CLOUDFLARE_BUSY_MS);
}

Test(cloudflare_core, what_is_no_call_or_has_no_id)
{
	static const char *const ids[] = { "", "../zones", ID "0" };

	cloudflare_call(core, &(struct stream_event){ .type = EVENT_PROVIDER_ADOPT }, now_ms, &fx);
	cr_assert(!fx.request && fx.says == 0);
	cloudflare_call(core, &(struct stream_event){ .type = EVENT_STREAM_OPENED }, now_ms, &fx);
	cr_assert(!fx.request && fx.says == 0);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		call_describe(ids[i]);
		(void)said(CALL_REFUSED);
		call_delete(ids[i]);
		(void)said(CALL_REFUSED);
	}
}

/* ---- webhooks ---- */

static unsigned hook(const char *type, const char *updated)
{
	char body[512];

	snprintf(body, sizeof body,
		 "{\"data\":{\"input_id\":\"" ID "\",\"event_type\":\"live_input.%s\","
		 "\"updated_at\":\"%s\"}}",
		 type, updated);
	return cloudflare_hook(core, text_of(body), &fx);
}

Test(cloudflare_core, webhooks_are_hints_in_order_and_once)
{
	cr_assert_eq(hook("connected", "2022-01-13T11:43:41.85Z"), 200);
	cr_assert_eq(fx.says, 1);
	cr_expect_eq(fx.say[0].type, EVENT_PROVIDER_HINT);
	cr_expect_eq(fx.say[0].provider_hint.ingest, INGEST_LIVE);
	cr_expect_not(fx.say[0].provider_hint.sure);
	says(fx.say[0].provider_hint.input_id, ID);
	cr_assert_eq(hook("connected", "2022-01-13T11:43:41.85Z"), 200);
	cr_assert_eq(fx.says, 0, "the same again");
	cr_assert_eq(hook("disconnected", "2022-01-13T11:43:41.8Z"), 200);
	cr_assert_eq(fx.says, 0, "an older one");
	cr_assert_eq(hook("disconnected", "2022-01-13T11:43:41.855717910Z"), 200);
	cr_assert_eq(fx.says, 1);
	cr_expect_eq(fx.say[0].provider_hint.ingest, INGEST_ENDED);
	cr_assert_eq(cloudflare_hook(core, TEXT("{}"), &fx), 400);
	cr_assert_eq(fx.says, 0);
}
