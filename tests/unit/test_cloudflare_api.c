/* SPDX-License-Identifier: MIT */
/* Goal: requests to Cloudflare Stream are what its schema wants, and answers of any kind, well
 * formed or hostile, come to one meaning.  Bodies are the vendor's examples, and those with one
 * thing wrong.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/managed-adapter/cloudflare_api.h"

#define ID "66be4bf738797e01e1fca35a7bdecdcd"
#define OK_OF(result) "{\"success\":true,\"errors\":[],\"messages\":[],\"result\":" result "}"
#define CUSTOMER "https://customer-m033z5x00ks6nunl.cloudflarestream.com"

static struct cloudflare_request request;
static struct cloudflare_verdict verdict;
static struct cloudflare_input input;

/* ---- requests ---- */

Test(cloudflare_api, create)
{
	cr_assert(cloudflare_ask_create(&request, TEXT("inst-7"), TEXT("0b6e"), 30));
	cr_assert_str_eq(request.method, "POST");
	cr_assert_str_eq(request.path, "/live_inputs");
	cr_assert_str_eq(request.key, "inst-7-0b6e");
	cr_assert(request.effect && !request.playback);
	cr_assert_str_eq(
		request.body,
		"{\"meta\":{\"name\":\"inst-7-0b6e\",\"owner\":\"inst-7\",\"op\":\"0b6e\"},"
		"\"defaultCreator\":\"inst-7\",\"recording\":{\"mode\":\"automatic\","
		"\"requireSignedURLs\":false,\"timeoutSeconds\":0},"
		"\"deleteRecordingAfterDays\":30}");
	cr_assert(cloudflare_ask_create(&request, TEXT("m"), TEXT("s"), 0));
	cr_assert_null(strstr(request.body, "deleteRecordingAfterDays"));
}

Test(cloudflare_api, create_takes_the_longest_and_no_more)
{
	char mark[MARK_MAX + 2], op[STREAM_ID_MAX + 2];

	memset(mark, 'm', sizeof mark);
	memset(op, 's', sizeof op);
	cr_assert(cloudflare_ask_create(&request, (struct text){ mark, MARK_MAX },
					(struct text){ op, STREAM_ID_MAX }, 1096));
	cr_assert_eq(strlen(request.key), MARK_MAX + 1 + STREAM_ID_MAX);
	cr_assert_eq(request.body[strlen(request.body) - 1], '}');
	cr_assert_not(cloudflare_ask_create(&request, (struct text){ mark, MARK_MAX + 1 },
					    TEXT("s"), 30));
	cr_assert_not(cloudflare_ask_create(&request, TEXT("m"),
					    (struct text){ op, STREAM_ID_MAX + 1 }, 30));
	cr_assert_not(cloudflare_ask_create(&request, TEXT(""), TEXT("s"), 30));
	cr_assert_not(cloudflare_ask_create(&request, TEXT("m"), TEXT("a\"b"), 30));
	cr_assert_not(cloudflare_ask_create(&request, TEXT("m\r\nX: y"), TEXT("s"), 30));
}

static void expect(const char *method, const char *path, const char *body, bool effect)
{
	cr_expect_str_eq(request.method, method);
	cr_expect_str_eq(request.path, path);
	cr_expect_str_eq(request.body, body);
	cr_expect_eq(request.effect, effect);
	cr_expect_str_eq(request.key, "");
}

Test(cloudflare_api, the_other_requests)
{
	cloudflare_ask_input(&request, ID);
	expect("GET", "/live_inputs/" ID, "", false);
	cloudflare_ask_disable(&request, ID);
	expect("PUT", "/live_inputs/" ID, "{\"enabled\":false}", true);
	cloudflare_ask_delete(&request, ID);
	expect("DELETE", "/live_inputs/" ID, "", true);
	cloudflare_ask_videos(&request, ID);
	expect("GET", "/live_inputs/" ID "/videos", "", false);
	cloudflare_ask_video_delete(&request, ID);
	expect("DELETE", "/" ID, "", true);
	cloudflare_ask_outputs(&request, ID);
	expect("GET", "/live_inputs/" ID "/outputs", "", false);
	cloudflare_ask_output_remove(&request, ID, ID);
	expect("DELETE", "/live_inputs/" ID "/outputs/" ID, "", true);
	cloudflare_ask_quota(&request);
	expect("GET", "/storage-usage", "", false);
	cloudflare_ask_list(&request, "");
	expect("GET", "/live_inputs?include_counts=true", "", false);
	cloudflare_ask_list(&request, "2014-01-02T02:20:00Z");
	expect("GET", "/live_inputs?include_counts=true&before=2014-01-02T02:20:00Z", "", false);
	cr_expect_not(request.playback);
	cloudflare_ask_lifecycle(&request, ID);
	expect("GET", "/" ID "/lifecycle", "", false);
	cr_expect(request.playback);
}

Test(cloudflare_api, ids)
{
	cr_expect(cloudflare_is_id(TEXT(ID)));
	cr_expect_not(cloudflare_is_id(TEXT(ID "0")));
	cr_expect_not(cloudflare_is_id(TEXT("")));
	cr_expect_not(cloudflare_is_id(TEXT("../../zones")));
	cr_expect_not(cloudflare_is_id(TEXT("a%2fb")));
}

struct split_row {
	char destination[64], url[64], key[32]; /* url empty: refused */
};

ParameterizedTestParameters(cloudflare_api, split)
{
	static struct split_row rows[] = {
		{ "rtmp://host/app/key", "rtmp://host/app", "key" },
		{ "rtmp://host/a/b/key", "rtmp://host/a/b", "key" },
		{ "rtmps://host:443/app/key?x=1/2", "rtmps://host:443/app", "key?x=1/2" },
		{ "rtmp://host/key", "rtmp://host", "key" },
		{ "rtmp://host/app/?k=1", "", "" },
		{ "rtmp://host/app/", "", "" },
		{ "rtmp://host", "", "" },
		{ "rtmp:///key", "", "" },
		{ "host/app/key", "", "" },
		{ "", "", "" },
	};

	return cr_make_param_array(struct split_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct split_row *row, cloudflare_api, split)
{
	struct text url, key;
	bool ok = cloudflare_split(text_of(row->destination), &url, &key);

	cr_assert_eq(ok, row->url[0] != '\0', "%s", row->destination);
	if (ok)
		cr_assert(text_is(url, row->url) && text_is(key, row->key), "%s", row->destination);
}

Test(cloudflare_api, output_add)
{
	char longest[OUTPUT_URL_MAX + 1];

	cr_assert(cloudflare_ask_output_add(&request, ID, TEXT("rtmp://h/a/k\"\\\x01")));
	expect("POST", "/live_inputs/" ID "/outputs",
	       "{\"url\":\"rtmp://h/a\",\"streamKey\":\"k\\\"\\\\\\u0001\",\"enabled\":true}",
	       true);
	memset(longest, '\x01', sizeof longest); /* six bytes each in JSON: does not fit */
	memcpy(longest, "rtmp://h/", 9);
	cr_assert_not(
		cloudflare_ask_output_add(&request, ID, (struct text){ longest, OUTPUT_URL_MAX }));
	memset(longest, '"', sizeof longest); /* two bytes each: does */
	memcpy(longest, "rtmp://h/", 9);
	cr_assert(
		cloudflare_ask_output_add(&request, ID, (struct text){ longest, OUTPUT_URL_MAX }));
	cr_assert_not(cloudflare_ask_output_add(&request, ID, TEXT("rtmp://h")));
}

/* ---- what an answer means ---- */

enum { READ, CHANGE, REMOVE };

struct judge_row {
	int kind;
	unsigned status;
	enum cloudflare_fate fate;
	enum call_outcome outcome;
	char body[160], detail[96];
};

#define FAILURE(message) \
	"{\"success\":false,\"errors\":[{\"code\":7003,\"message\":\"" message \
	"\"}],\"messages\":[],\"result\":null}"

ParameterizedTestParameters(cloudflare_api, judge)
{
	static struct judge_row rows[] = {
		{ READ, 200, 0, CALL_OK, OK_OF("{}"), "" },
		{ CHANGE, 201, 0, CALL_OK, OK_OF("{}"), "" },
		{ REMOVE, 200, 0, CALL_OK, "", "" },
		{ REMOVE, 200, 0, CALL_OK, OK_OF("null"), "" },
		{ REMOVE, 200, 0, CALL_UNKNOWN, FAILURE("not now"), "not now" },
		{ READ, 200, 0, CALL_RETRY, OK_OF("null"),
		  "Invalid response from Cloudflare: missing result" },
		{ CHANGE, 200, 0, CALL_UNKNOWN, "{\"success\":true}",
		  "Invalid response from Cloudflare: missing result" },
		{ CHANGE, 200, 0, CALL_UNKNOWN, "<html>",
		  "Invalid response from Cloudflare: not JSON" },
		{ CHANGE, 200, 0, CALL_UNKNOWN, "", "Invalid response from Cloudflare: not JSON" },
		{ CHANGE, 200, 0, CALL_UNKNOWN, "{\"success\":\"true\",\"result\":{}}",
		  "Invalid response from Cloudflare: not JSON" },
		{ CHANGE, 200, 0, CALL_UNKNOWN, FAILURE("no"), "no" },
		{ READ, 200, 0, CALL_RETRY, FAILURE("no"), "no" },
		{ CHANGE, 400, 0, CALL_REFUSED, FAILURE("bad"), "bad" },
		{ CHANGE, 400, 0, CALL_REFUSED, "{\"message\":\"plain\"}", "plain" },
		{ CHANGE, 400, 0, CALL_REFUSED, FAILURE("rtmp://h/app/key is wrong"),
		  "the provider answered with status 400" },
		{ CHANGE, 400, 0, CALL_REFUSED, FAILURE("streamKey abc"),
		  "the provider answered with status 400" },
		{ CHANGE, 401, 0, CALL_UNCONFIGURED, FAILURE("who"), "who" },
		{ READ, 403, 0, CALL_UNCONFIGURED, "", "the provider answered with status 403" },
		{ READ, 404, 0, CALL_GONE, FAILURE("none"), "none" },
		{ REMOVE, 404, 0, CALL_GONE, "", "the provider answered with status 404" },
		{ CHANGE, 409, 0, CALL_REFUSED, FAILURE("key"), "key" },
		{ CHANGE, 408, 0, CALL_UNKNOWN, "", "the provider answered with status 408" },
		{ READ, 500, 0, CALL_RETRY, FAILURE("ouch"), "ouch" },
		{ CHANGE, 502, 0, CALL_UNKNOWN, "<html>", "the provider answered with status 502" },
		{ CHANGE, 302, 0, CALL_REFUSED, "", "the provider answered with status 302" },
		{ READ, 0, CLOUDFLARE_NOT_SENT, CALL_RETRY, "", "as told" },
		{ CHANGE, 0, CLOUDFLARE_NOT_SENT, CALL_RETRY, "", "as told" },
		{ READ, 0, CLOUDFLARE_LOST, CALL_RETRY, "", "as told" },
		{ CHANGE, 0, CLOUDFLARE_LOST, CALL_UNKNOWN, "", "as told" },
		{ CHANGE, 200, CLOUDFLARE_LOST, CALL_UNKNOWN, "", "as told" },
		{ CHANGE, 400, CLOUDFLARE_LOST, CALL_REFUSED, "",
		  "the provider answered with status 400" },
	};

	return cr_make_param_array(struct judge_row, rows, sizeof rows / sizeof rows[0]);
}

static void judge(int kind, unsigned status, struct text body, struct text retry_after)
{
	const struct cloudflare_answer answer = { .status = status,
						  .body = body,
						  .retry_after = retry_after };

	if (kind == READ)
		cloudflare_ask_input(&request, ID);
	else if (kind == CHANGE)
		cloudflare_ask_disable(&request, ID);
	else
		cloudflare_ask_delete(&request, ID);
	cloudflare_judge(&request, &answer, &verdict);
}

ParameterizedTest(struct judge_row *row, cloudflare_api, judge)
{
	const struct cloudflare_answer answer = { .status = row->status,
						  .fate = row->fate,
						  .body = text_of(row->body),
						  .error = TEXT("as told") };

	judge(row->kind, 200, TEXT(""), TEXT(""));
	cloudflare_judge(&request, &answer, &verdict);
	cr_expect_eq(verdict.outcome, row->outcome, "%u %s: %s", row->status, row->body,
		     words_name(&call_outcome_words, verdict.outcome));
	cr_expect_str_eq(verdict.detail, row->detail);
	cr_expect_eq(verdict.retry_ms, 0);
}

struct retry_row {
	char header[32];
	int64_t ms;
};

ParameterizedTestParameters(cloudflare_api, retry_after)
{
	static struct retry_row rows[] = {
		{ "7", 7000 },
		{ "0", 1000 },
		{ "600", 600000 },
		{ "601", 600000 },
		{ "99999999999999999", 60000 },
		{ "", 60000 },
		{ "soon", 60000 },
		{ "-1", 60000 },
		{ "Wed, 21 Oct 2026 07:28:00 GMT", 60000 },
	};

	return cr_make_param_array(struct retry_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct retry_row *row, cloudflare_api, retry_after)
{
	judge(CHANGE, 429, TEXT(FAILURE("slow down")), text_of(row->header));
	cr_expect_eq(verdict.outcome, CALL_RETRY);
	cr_expect_eq(verdict.retry_ms, row->ms, "'%s': %lld", row->header,
		     (long long)verdict.retry_ms);
}

Test(cloudflare_api, ratelimit)
{
	uint64_t left = 9;
	int64_t reset_ms = 9;

	cr_expect(cloudflare_ratelimit(TEXT("\"default\";r=50;t=30"), &left, &reset_ms));
	cr_expect(left == 50 && reset_ms == 30000);
	cr_expect(cloudflare_ratelimit(TEXT("\"x\";r=0;t=99999"), &left, &reset_ms));
	cr_expect(left == 0 && reset_ms == CLOUDFLARE_RETRY_MAX_MS);
	left = 9;
	cr_expect_not(cloudflare_ratelimit(TEXT("\"x\";r=;t=1"), &left, &reset_ms));
	cr_expect_not(cloudflare_ratelimit(TEXT("\"x\";r=5"), &left, &reset_ms));
	cr_expect_not(cloudflare_ratelimit(TEXT(";r="), &left, &reset_ms));
	cr_expect_not(cloudflare_ratelimit(TEXT(""), &left, &reset_ms));
	cr_expect_eq(left, 9);
}

/* ---- what is in it ---- */

static bool read_input(const char *json)
{
	static char body[16384];

	snprintf(body, sizeof body, "{\"success\":true,\"result\":%s}", json);
	judge(READ, 200, text_of(body), TEXT(""));
	return verdict.outcome == CALL_OK && cloudflare_read_input(&verdict.result, &input);
}

#define EXAMPLE \
	"\"uid\":\"" ID "\",\"created\":\"2014-01-02T02:20:00Z\"," \
	"\"modified\":\"2014-01-02T02:20:00Z\",\"meta\":{\"name\":\"x\",\"owner\":\"inst-7\"," \
	"\"op\":\"0b6e\"},\"recording\":{\"mode\":\"automatic\"}," \
	"\"rtmps\":{\"url\":\"rtmps://live.cloudflare.com:443/live/" \
	"\",\"streamKey\":\"2fb3cb9f\"}," \
	"\"webRTC\":{\"url\":\"" CUSTOMER "/secret/webRTC/publish\"}," \
	"\"webRTCPlayback\":{\"url\":\"" CUSTOMER "/" ID "/webRTC/play\"}"
#define PLAYBACK \
	",\"playback\":{\"hls\":\"" CUSTOMER "/" ID "/manifest/video.m3u8\"," \
	"\"dash\":\"" CUSTOMER "/" ID "/manifest/video.mpd\"}"

Test(cloudflare_api, an_input)
{
	cr_assert(read_input("{" EXAMPLE PLAYBACK ",\"status\":null}"));
	cr_expect_str_eq(input.id, ID);
	cr_expect_str_eq(input.mark, "inst-7");
	cr_expect_str_eq(input.stream_id, "0b6e");
	cr_expect_str_eq(input.created, "2014-01-02T02:20:00Z");
	cr_expect_str_eq(input.ingest, "rtmps://live.cloudflare.com:443/live/2fb3cb9f");
	cr_expect_str_eq(input.hls, CUSTOMER "/" ID "/manifest/video.m3u8");
	cr_expect_str_eq(input.dash, CUSTOMER "/" ID "/manifest/video.mpd");
	cr_expect_str_eq(input.webrtc, CUSTOMER "/" ID "/webRTC/play");
	cr_expect_str_eq(input.host, CUSTOMER);
	cr_expect_eq(input.state, INGEST_IDLE);
	cr_expect_not(input.broadcast);
}

Test(cloudflare_api, an_older_input_has_no_playback)
{
	cr_assert(read_input("{" EXAMPLE "}"));
	cr_expect_str_eq(input.hls, "");
	cr_expect_str_eq(input.host, CUSTOMER);
}

Test(cloudflare_api, only_the_uid_is_needed)
{
	cr_assert(read_input("{\"uid\":\"" ID "\"}"));
	cr_expect_str_eq(input.ingest, "");
	cr_expect_str_eq(input.host, "");
	cr_expect_str_eq(input.mark, "");
	cr_expect_not(read_input("{\"uid\":\"" ID "0\"}"));
	cr_expect_not(read_input("{\"uid\":\"../x\"}"));
	cr_expect_not(read_input("{\"uid\":7}"));
	cr_expect_not(read_input("[\"uid\"]"));
	cr_expect_not(read_input("{}"));
}

struct ingest_row {
	char rtmps[128], ingest[96];
};

ParameterizedTestParameters(cloudflare_api, ingest)
{
	static struct ingest_row rows[] = {
		{ "{\"url\":\"rtmps://h/live/\",\"streamKey\":\"k\"}", "rtmps://h/live/k" },
		{ "{\"url\":\"rtmps://h/live\",\"streamKey\":\"k\"}", "rtmps://h/live/k" },
		{ "{\"url\":\"rtmp://h:1/a/\",\"streamKey\":\"k\"}", "rtmp://h:1/a/k" },
		{ "{\"url\":\"rtmps://h/\",\"streamKey\":\"\"}", "" },
		{ "{\"url\":\"rtmps://h/\"}", "" },
		{ "{\"streamKey\":\"k\"}", "" },
		{ "{\"url\":\"https://h/\",\"streamKey\":\"k\"}", "" },
		{ "{\"url\":\"rtmps://h /\",\"streamKey\":\"k\"}", "" },
		{ "{\"url\":\"rtmps://h/\",\"streamKey\":\"k\\n\"}", "" },
		{ "{\"url\":[],\"streamKey\":{}}", "" },
		{ "\"rtmps://h/k\"", "" },
		{ "null", "" },
	};

	return cr_make_param_array(struct ingest_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct ingest_row *row, cloudflare_api, ingest)
{
	char json[512];

	snprintf(json, sizeof json, "{\"uid\":\"" ID "\",\"rtmps\":%s}", row->rtmps);
	cr_assert(read_input(json));
	cr_expect_str_eq(input.ingest, row->ingest, "%s", row->rtmps);
}

struct status_row {
	char status[160];
	enum ingest state;
	bool broadcast;
};

ParameterizedTestParameters(cloudflare_api, status)
{
#define CURRENT(state) "{\"current\":{\"state\":" state "}}"
	static struct status_row rows[] = {
		{ "null", INGEST_IDLE, false },
		{ "\"connected\"", INGEST_LIVE, true },
		{ "\"reconnected\"", INGEST_LIVE, true },
		{ "\"new_configuration_accepted\"", INGEST_LIVE, true },
		{ "\"reconnecting\"", INGEST_LOST, true },
		{ "\"client_disconnect\"", INGEST_ENDED, true },
		{ "\"ttl_exceeded\"", INGEST_ENDED, true },
		{ "\"failed_to_connect\"", INGEST_FAILED, true },
		{ "\"failed_to_reconnect\"", INGEST_FAILED, true },
		{ "\"something_new\"", INGEST_UNKNOWN, true },
		{ "\"\"", INGEST_UNKNOWN, true },
		{ "7", INGEST_UNKNOWN, true },
		{ CURRENT("\"connected\""), INGEST_LIVE, true },
		{ CURRENT("\"reconnecting\""), INGEST_LOST, true },
		{ CURRENT("null"), INGEST_IDLE, false },
		{ "{\"current\":null}", INGEST_IDLE, false },
		{ "{}", INGEST_IDLE, false },
		{ "{\"current\":null,\"history\":[]}", INGEST_IDLE, false },
		{ "{\"current\":null,\"history\":[{\"state\":\"connected\"}]}", INGEST_IDLE, true },
		{ "{\"current\":\"connected\"}", INGEST_LIVE, true },
	};

	return cr_make_param_array(struct status_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct status_row *row, cloudflare_api, status)
{
	char json[512];

	snprintf(json, sizeof json, "{\"uid\":\"" ID "\",\"status\":%s}", row->status);
	cr_assert(read_input(json));
	cr_expect_eq(input.state, row->state, "%s: %s", row->status,
		     words_name(&ingest_words, input.state));
	cr_expect_eq(input.broadcast, row->broadcast, "%s", row->status);
}

Test(cloudflare_api, a_list_has_no_credentials)
{
	struct json_walk walk;
	uint64_t total;

	judge(READ, 200,
	      TEXT(OK_OF("{\"liveInputs\":[{\"uid\":\"a1\",\"meta\":{\"owner\":\"o\",\"op\":\"s\"},"
			 "\"created\":\"2014-01-02T02:20:00Z\"},7,{\"uid\":\"..\"},{\"uid\":\"b2\","
			 "\"created\":\"x&before=\"}],\"range\":2,\"total\":35586}")),
	      TEXT(""));
	cr_assert(cloudflare_read_list(&verdict.result, &walk, &total));
	cr_expect_eq(total, 35586);
	cr_assert(cloudflare_next_input(&walk, &input));
	cr_expect_str_eq(input.id, "a1");
	cr_expect_str_eq(input.mark, "o");
	cr_assert(cloudflare_next_input(&walk, &input));
	cr_expect_str_eq(input.id, "b2");
	cr_expect_str_eq(input.created, "", "what is no time is not asked for again");
	cr_assert_not(cloudflare_next_input(&walk, &input));
	judge(READ, 200, TEXT(OK_OF("[]")), TEXT(""));
	cr_assert_not(cloudflare_read_list(&verdict.result, &walk, &total));
}

Test(cloudflare_api, outputs_and_videos)
{
	struct cloudflare_output output;
	struct cloudflare_video video;
	struct json_walk walk;

	judge(READ, 200,
	      TEXT(OK_OF("[{\"uid\":\"o1\",\"url\":\"rtmp://h/a\",\"streamKey\":\"k\"},"
			 "{\"uid\":\"o2\",\"status\":{\"current\":{\"state\":\"error\"}},"
			 "\"lastError\":\"refused by rtmp://h/key\"},"
			 "{\"uid\":\"o3\",\"status\":{\"current\":{\"state\":\"connected\"}}}]")),
	      TEXT(""));
	cr_assert(cloudflare_items(&verdict.result, &walk));
	cr_assert(cloudflare_next_output(&walk, &output));
	cr_expect_str_eq(output.key, "k");
	cr_expect_eq(output.state, OUTPUT_NONE);
	cr_assert(cloudflare_next_output(&walk, &output));
	cr_expect_eq(output.state, OUTPUT_ERROR);
	cr_expect_str_eq(output.error, "failed at the provider");
	cr_assert(cloudflare_next_output(&walk, &output));
	cr_expect_eq(output.state, OUTPUT_ACTIVE);
	judge(READ, 200,
	      TEXT(OK_OF("[{\"uid\":\"v1\",\"status\":{\"state\":\"live-inprogress\"}},"
			 "{\"uid\":\"v2\",\"status\":{\"state\":\"ready\"}},{\"uid\":\"v3\"}]")),
	      TEXT(""));
	cr_assert(cloudflare_items(&verdict.result, &walk));
	cr_assert(cloudflare_next_video(&walk, &video) && video.live);
	cr_assert(cloudflare_next_video(&walk, &video) && !video.live);
	cr_assert(cloudflare_next_video(&walk, &video) && !video.live);
	cr_assert_not(cloudflare_next_video(&walk, &video));
}

Test(cloudflare_api, quota_and_lifecycle)
{
	uint64_t used, limit;
	bool live;

	judge(READ, 200,
	      TEXT(OK_OF("{\"totalStorageMinutes\":10.2,\"totalStorageMinutesLimit\":5000}")),
	      TEXT(""));
	cr_assert(cloudflare_read_quota(&verdict.result, &used, &limit));
	cr_expect(used == 11 && limit == 5000);
	judge(READ, 200, TEXT(OK_OF("{\"totalStorageMinutes\":-1}")), TEXT(""));
	cr_assert_not(cloudflare_read_quota(&verdict.result, &used, &limit));
	cr_assert(cloudflare_read_lifecycle(TEXT("{\"isInput\":true,\"live\":true}"), &live));
	cr_expect(live);
	cr_assert(cloudflare_read_lifecycle(TEXT("{\"videoUID\":null,\"live\":false}"), &live));
	cr_expect_not(live);
	cr_assert_not(cloudflare_read_lifecycle(TEXT("{\"live\":1}"), &live));
	cr_assert_not(cloudflare_read_lifecycle(TEXT(""), &live));
}

#define HOOK(type, more) \
	"{\"data\":{\"input_id\":\"eb22\",\"event_type\":\"live_input." type "\"," \
	"\"updated_at\":\"2022-01-13T11:43:41.855717910Z\"" more "},\"ts\":1642074233}"

Test(cloudflare_api, webhooks)
{
	struct cloudflare_hook hook;

	cr_assert(cloudflare_read_hook(TEXT(HOOK("disconnected", "")), &hook));
	cr_expect_str_eq(hook.id, "eb22");
	cr_expect_eq(hook.state, INGEST_ENDED);
	cr_expect_str_eq(hook.updated, "2022-01-13T11:43:41.855717910Z");
	cr_assert(cloudflare_read_hook(TEXT(HOOK("connected", "")), &hook));
	cr_expect_eq(hook.state, INGEST_LIVE);
	cr_assert(cloudflare_read_hook(
		TEXT(HOOK("errored", ",\"live_input_errored\":{\"error\":{\"code\":"
				     "\"ERR_GOP_OUT_OF_RANGE\",\"message\":\"too long\"}}")),
		&hook));
	cr_expect_eq(hook.state, INGEST_FAILED);
	cr_expect_str_eq(hook.detail, "ERR_GOP_OUT_OF_RANGE: too long");
	cr_assert_not(cloudflare_read_hook(TEXT(HOOK("painted", "")), &hook));
	cr_assert_not(cloudflare_read_hook(TEXT("{"), &hook));
}

Test(cloudflare_api, ages)
{
	const int64_t at = INT64_C(1388629200000); /* 2014-01-02T02:20:00Z */

	cr_expect_eq(cloudflare_age_s("2014-01-02T02:20:00Z", at + 61000), 61);
	cr_expect_eq(cloudflare_age_s("2014-01-02T02:20:00.999999Z", at + 61000), 61);
	cr_expect_eq(cloudflare_age_s("2014-01-02T02:20:00Z", at - 5000), 1, "its clock is ahead");
	cr_expect_eq(cloudflare_age_s("2000-03-01T00:00:00Z", INT64_C(951868801000)), 1);
	cr_expect_eq(cloudflare_age_s("2000-02-29T00:00:00Z", INT64_C(951868801000)), 86401);
	cr_expect_eq(cloudflare_age_s("", at), 0);
	cr_expect_eq(cloudflare_age_s("2014-13-02T02:20:00Z", at), 0);
	cr_expect_eq(cloudflare_age_s("2014-01-02T02:20:00+01:00", at), 0);
	cr_expect_eq(cloudflare_age_s("yesterday, about 12 h", at), 0);
}

/* ---- hostile answers ---- */

Test(cloudflare_api, deep_nesting_and_ten_megabytes)
{
	const size_t size = 10u << 20;
	char *body = malloc(size);
	static const char begin[] = "{\"success\":true,\"result\":";

	memset(body, '[', size);
	memcpy(body, begin, sizeof begin - 1);
	judge(CHANGE, 200, (struct text){ body, (uint32_t)size }, TEXT(""));
	cr_expect_eq(verdict.outcome, CALL_UNKNOWN);
	memset(body, ' ', size);
	judge(CHANGE, 500, (struct text){ body, (uint32_t)size }, TEXT(""));
	cr_expect_eq(verdict.outcome, CALL_UNKNOWN);
	cr_expect_str_eq(verdict.detail, "the provider answered with status 500");
	free(body);
}

/* Every beginning of a good answer is no answer. */
Test(cloudflare_api, truncated_anywhere)
{
	static const char whole[] = OK_OF("{" EXAMPLE PLAYBACK ",\"status\":{\"current\":{}}}");

	for (uint32_t length = 0; length < sizeof whole - 1; length++) {
		char *copy = malloc(length + 1); /* of its exact size, for the sanitizers */

		memcpy(copy, whole, length);
		judge(READ, 200, (struct text){ copy, length }, TEXT(""));
		cr_assert_eq(verdict.outcome, CALL_RETRY, "%u bytes", length);
		free(copy);
	}
	judge(READ, 200, TEXT(OK_OF("{" EXAMPLE PLAYBACK "}")), TEXT(""));
	cr_assert_eq(verdict.outcome, CALL_OK);
}

Test(cloudflare_api, long_texts_are_cut_or_left_out)
{
	char text[2 * URL_MAX], json[3 * URL_MAX];

	memset(text, 'x', sizeof text);
	text[DETAIL_MAX + 1] = '\0';
	snprintf(json, sizeof json, FAILURE("%s"), text);
	judge(CHANGE, 400, text_of(json), TEXT(""));
	cr_expect_eq(strlen(verdict.detail), DETAIL_MAX);
	text[DETAIL_MAX + 1] = 'x';
	for (int more = 1; more >= 0; more--) { /* "https://h/" before it: one too long, then not */
		text[PLAYBACK_URL_MAX - 10 + more] = '\0';
		snprintf(json, sizeof json,
			 "{\"uid\":\"" ID "\",\"playback\":{\"hls\":\"https://h/%s\"}}", text);
		cr_assert(read_input(json));
		cr_expect_eq(strlen(input.hls), more ? 0 : PLAYBACK_URL_MAX);
	}
}
