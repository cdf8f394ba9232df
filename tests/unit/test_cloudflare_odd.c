/* SPDX-License-Identifier: MIT */
/* Goal: what the vendor says in another form than usual, or not at all, costs no more than that
 * answer.  Method: texts read alone; the core, its requests answered by hand.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/cloudflare_internal.h"
#include "tests/lib/cloudflare_stage.h"

#define ENVELOPE(body) TEXT("{\"success\":false,\"errors\":" body "}")

static void make(const char *more)
{
	char body[1024];

	(void)snprintf(body, sizeof body,
		       OK_OF("{\"uid\":\"" ID "\",\"rtmps\":{\"url\":\"rtmps://in.example/live/\","
			     "\"streamKey\":\"KEY\"}%s}"),
		       more);
	call_create("op1");
	reply(200, body);
	(void)said(CALL_OK);
}

/* Texts -----------------------------------------------------------------------------------------
 */

Test(cloudflare_read, ids_and_marks_of_odd_letters)
{
	static const char *const ids[] = { "a/b", "a:b", "a[b", "a`b", "a{b" };
	static const char *const marks[] = { "a b", "a\x7f", "a\"b", "a\\b" };
	struct cloudflare_request request;

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		cr_expect_not(cloudflare_is_id(text_of(ids[i])), "%s", ids[i]);
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		cr_expect_not(cloudflare_ask_create(&request, text_of(marks[i]), TEXT("s"), 0));
	cr_expect(cloudflare_is_id(TEXT("azAZ09")));
}

Test(cloudflare_read, addresses_of_odd_letters)
{
	static const char *const wrong[] = { "https://a b",   "https://a\x7f", "https://a\\\\b",
					     "https://a<b",   "https://a>b",   "ftp://a/b",
					     "https://a\\\"b" };
	struct cloudflare_input input;
	struct json_value result;
	char body[256];
	bool success;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		(void)snprintf(body, sizeof body,
			       OK_OF("{\"uid\":\"" ID "\",\"playback\":{\"hls\":\"%s\"}}"),
			       wrong[i]);
		cr_assert(cloudflare_envelope(text_of(body), &success, &result));
		cr_assert(cloudflare_read_input(&result, &input));
		cr_expect_str_eq(input.hls, "", "%s", wrong[i]);
	}
}

static struct json_value result_of(struct text body)
{
	struct json_value result;
	bool success;

	cr_assert(cloudflare_envelope(body, &success, &result));
	return result;
}

Test(cloudflare_read, members_without_a_name_are_skipped)
{
	struct json_value list = result_of(
		TEXT(OK_OF("[{\"url\":\"x\"},5,{\"uid\":\"" OUT "\",\"status\":{\"current\":{"
			   "\"state\":\"error\"}},\"lastError\":\"to rtmp://h/k\"},"
			   "{\"uid\":\"o2\",\"status\":{\"current\":{\"state\":\"error\"}}}]")));
	struct cloudflare_output output;
	struct cloudflare_video video;
	struct json_walk walk;

	cr_assert(cloudflare_items(&list, &walk));
	cr_assert(cloudflare_next_output(&walk, &output));
	cr_expect_str_eq(output.id, OUT);
	cr_expect_str_eq(output.error, "failed at the provider", "no URL is told");
	cr_assert(cloudflare_next_output(&walk, &output));
	cr_expect_str_eq(output.error, "failed at the provider", "nor nothing");
	cr_assert_not(cloudflare_next_output(&walk, &output));
	cr_assert(cloudflare_items(&list, &walk));
	cr_assert(cloudflare_next_video(&walk, &video));
	cr_expect_str_eq(video.id, OUT);
}

Test(cloudflare_read, minutes_beyond_reason)
{
	struct json_value minus = result_of(TEXT(OK_OF("{\"totalStorageMinutes\":-1}")));
	struct json_value much = result_of(TEXT(OK_OF("{\"totalStorageMinutes\":1e16}")));
	struct json_value word = result_of(TEXT(OK_OF("{\"totalStorageMinutes\":\"5\"}")));
	uint64_t used, limit;

	cr_expect_not(cloudflare_read_quota(&minus, &used, &limit));
	cr_expect_not(cloudflare_read_quota(&much, &used, &limit));
	cr_expect_not(cloudflare_read_quota(&word, &used, &limit));
}

Test(cloudflare_read, codes)
{
	cr_expect_eq(cloudflare_code(ENVELOPE("[{\"code\":10005,\"message\":\"x\"}]")), 10005);
	cr_expect_eq(cloudflare_code(ENVELOPE("[{\"code\":-1}]")), 0);
	cr_expect_eq(cloudflare_code(ENVELOPE("[]")), 0);
	cr_expect_eq(cloudflare_code(ENVELOPE("{}")), 0);
	cr_expect_eq(cloudflare_code(TEXT("")), 0);
}

#define HOOK(more) \
	"{\"data\":{\"input_id\":\"eb22\",\"event_type\":\"live_input.errored\"," \
	"\"live_input_errored\":{\"error\":{" more "}}}}"

Test(cloudflare_read, reasons_of_webhooks)
{
	struct cloudflare_hook hook;

	cr_assert(cloudflare_read_hook(TEXT(HOOK("\"message\":\"too long\"")), &hook));
	cr_expect_str_eq(hook.detail, "too long");
	cr_assert(cloudflare_read_hook(
		TEXT(HOOK("\"code\":\"ERR_X\",\"message\":\"to rtmp://h/k\"")), &hook));
	cr_expect_str_eq(hook.detail, "ERR_X", "no URL is told");
	cr_assert_not(cloudflare_read_hook(TEXT("{\"data\":{\"input_id\":\"eb22\"}}"), &hook));
}

Test(cloudflare_read, times_that_are_none)
{
	static const char good[] = "2014-01-02T02:20:00Z";
	static const int digits[] = { 0, 5, 8, 11, 14, 17 };
	char time[sizeof good];

	for (size_t i = 0; i < sizeof digits / sizeof digits[0]; i++) {
		memcpy(time, good, sizeof good);
		time[digits[i]] = '/';
		cr_expect_eq(cloudflare_age_s(time, INT64_MAX), 0, "%s", time);
		time[digits[i]] = ':';
		cr_expect_eq(cloudflare_age_s(time, INT64_MAX), 0, "%s", time);
	}
	cr_expect_eq(cloudflare_age_s("2014-00-02T02:20:00Z", INT64_MAX), 0);
	cr_expect_eq(cloudflare_age_s("2014-13-02T02:20:00Z", INT64_MAX), 0);
	cr_expect_eq(cloudflare_age_s("2014-01-00T02:20:00Z", INT64_MAX), 0);
	cr_expect_eq(cloudflare_age_s("2014-01-32T02:20:00Z", INT64_MAX), 0);
	cr_expect_eq(cloudflare_age_s("2014-01-02T02:20:00+", INT64_MAX), 0);
}

Test(cloudflare_read, later_to_the_last_digit)
{
	cr_expect(cloudflare_later("2022-01-13T11:43:41.5Z", "2022-01-13T11:43:41Z"));
	cr_expect_not(cloudflare_later("2022-01-13T11:43:41Z", "2022-01-13T11:43:41.5Z"));
	cr_expect_not(cloudflare_later("2022-01-13T11:43:41", "2022-01-13T11:43:41"));
	cr_expect_not(cloudflare_later("2022-01-13T11:43:41+", "2022-01-13T11:43:41/"));
}

Test(cloudflare_read, hosts)
{
	static struct cloudflare cloudflare;

	cloudflare_init(&cloudflare,
			&(struct cloudflare_options){ .customer_domain = TEXT("http://h") });
	cr_expect_str_eq(cloudflare.host, "http://h");
	cloudflare_init(&cloudflare,
			&(struct cloudflare_options){ .customer_domain = TEXT("h.x") });
	cr_expect_str_eq(cloudflare.host, "https://h.x");
	cloudflare_init(&cloudflare,
			&(struct cloudflare_options){ .customer_domain = TEXT("host.x") });
	cr_expect_str_eq(cloudflare.host, "https://host.x");
}

Test(cloudflare_read, a_status_that_is_none)
{
	static struct cloudflare_request request = { .effect = true };
	struct cloudflare_verdict verdict;

	cloudflare_judge(&request,
			 &(struct cloudflare_answer){ .fate = CLOUDFLARE_ANSWERED, .status = 199 },
			 &verdict);
	cr_expect_eq(verdict.outcome, CALL_UNKNOWN, "it may have had its effect");
	cloudflare_judge(&request,
			 &(struct cloudflare_answer){ .fate = CLOUDFLARE_ANSWERED, .status = 302 },
			 &verdict);
	cr_expect_eq(verdict.outcome, CALL_REFUSED);
	cloudflare_judge(&request,
			 &(struct cloudflare_answer){ .fate = CLOUDFLARE_ANSWERED, .status = 408 },
			 &verdict);
	cr_expect_eq(verdict.outcome, CALL_UNKNOWN);
}

/* Calls -----------------------------------------------------------------------------------------
 */

TestSuite(cloudflare_odd, .init = stage_open, .fini = stage_close);

Test(cloudflare_odd, an_input_without_a_name)
{
	call_describe(ID);
	reply(200, OK_OF("{}"));
	(void)said(CALL_RETRY);
}

Test(cloudflare_odd, a_lifecycle_that_does_not_say)
{
	make(PLAYBACK);
	call_describe(ID);
	cr_assert_str_eq(asked(), "GET /" ID "/lifecycle");
	reply(200, "{\"isInput\":true}");
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID);
	cr_expect_gt(core->lifecycle_ms, now_ms, "for a while it is not asked");
}

Test(cloudflare_odd, a_lifecycle_of_nothing)
{
	make(PLAYBACK);
	call_describe(ID);
	reply(404, "");
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID);
	cr_expect_leq(core->lifecycle_ms, now_ms, "the host is well");
}

Test(cloudflare_odd, outputs_that_are_no_list)
{
	make(PLAYBACK);
	call_output_add(ID, "rtmp://h/a/k");
	reply(200, OK_OF("{\"uid\":\"" OUT "\"}"));
	call_describe(ID);
	reply(200, "{\"live\":true}");
	cr_assert_str_eq(asked(), "GET /live_inputs/" ID "/outputs");
	reply(200, OK_OF("{}"));
	cr_expect_eq(said(CALL_OK)->provider_done.ingest_state, INGEST_LIVE);
	call_describe(ID);
	reply(200, "{\"live\":true}");
	reply(500, "");
	cr_expect_eq(said(CALL_OK)->provider_done.ingest_state, INGEST_LIVE);
}

Test(cloudflare_odd, more_outputs_than_are_told_of)
{
	static char body[16384] = "{\"success\":true,\"result\":[";

	for (unsigned i = 0; i < CLOUDFLARE_HINTS_MAX + 2; i++)
		(void)snprintf(body + strlen(body), sizeof body - strlen(body),
			       "%s{\"uid\":\"o%u\",\"status\":{\"current\":{\"state\":"
			       "\"connected\"}}}",
			       i > 0 ? "," : "", i);
	(void)strcat(body, "]}");
	make(PLAYBACK);
	call_output_add(ID, "rtmp://h/a/k");
	reply(200, OK_OF("{\"uid\":\"" OUT "\"}"));
	call_describe(ID);
	reply(200, "{\"live\":true}");
	reply(200, body);
	(void)said(CALL_OK);
	cr_expect_eq(fx.says, CLOUDFLARE_HINTS_MAX + 1);
}

Test(cloudflare_odd, a_destination_that_cannot_be_looked_for)
{
	call_output_remove(ID, "", "rtmp://h");
	reply(200, OK_OF("[{\"uid\":\"" OUT "\",\"url\":\"rtmp://h/a\",\"streamKey\":\"k\"}]"));
	(void)said(CALL_GONE);
	call_output_remove(ID, "", "rtmp://h/a/k");
	reply(200, OK_OF("[{\"uid\":\"" OUT "\",\"url\":\"rtmp://h/a\",\"streamKey\":\"other\"},"
			 "{\"uid\":\"" OUT "\",\"url\":\"rtmp://g/a\",\"streamKey\":\"k\"}]"));
	(void)said(CALL_GONE);
	call_output_remove(ID, "", "rtmp://h/a/k");
	reply(500, "");
	(void)said(CALL_RETRY);
}

Test(cloudflare_odd, a_quota_that_is_not_there)
{
	call_quota();
	reply(404, "");
	(void)said(CALL_REFUSED);
	call_quota();
	reply(500, "");
	(void)said(CALL_RETRY);
}

Test(cloudflare_odd, a_shorter_pause_does_not_shorten_a_longer_one)
{
	make("");
	core->blocked_ms = now_ms + 60000;
	core->slow_ms = now_ms + 60000 + CLOUDFLARE_DELETES_FIRST_MS;
	const int64_t slow_ms = core->slow_ms;

	cr_expect(cloudflare_low(core, now_ms));
	core->blocked_ms = core->slow_ms = 0;
	call_describe(ID);
	core->blocked_ms = now_ms + 60000; /* meanwhile, by another answer */
	core->slow_ms = slow_ms;
	reply_header(429, "1");
	cr_expect_eq(core->blocked_ms, now_ms + 60000);
	cr_expect_eq(core->slow_ms, slow_ms);
	core->blocked_ms = core->slow_ms = 0;
	call_describe(ID);
	core->slow_ms = slow_ms;
	reply_limits(200, INPUT_OF(""), "\"default\";r=1;t=1");
	cr_expect_eq(core->slow_ms, slow_ms);
}

#define LIVE(updated) \
	TEXT("{\"data\":{\"input_id\":\"" ID "\",\"event_type\":\"live_input.connected\"" updated \
	     "}}")

Test(cloudflare_odd, a_webhook_without_a_time_is_believed)
{
	static struct cloudflare_effects effects;

	cr_expect_eq(
		cloudflare_hook(core, LIVE(",\"updated_at\":\"2022-01-13T11:43:41Z\""), &effects),
		200);
	cr_expect_eq(effects.says, 1);
	cr_expect_eq(cloudflare_hook(core, LIVE(""), &effects), 200);
	cr_expect_eq(effects.says, 1);
	cr_expect_eq(
		cloudflare_hook(core, LIVE(",\"updated_at\":\"2021-01-13T11:43:41Z\""), &effects),
		200);
	cr_expect_eq(effects.says, 1, "nothing is known to be newer");
}

Test(cloudflare_odd, without_a_token_outputs_are_not_asked_for)
{
	make(PLAYBACK);
	call_output_add(ID, "rtmp://h/a/k");
	reply(200, OK_OF("{\"uid\":\"" OUT "\"}"));
	call_describe(ID);
	core->unconfigured_ms = now_ms + 1000;
	reply(200, "{\"live\":true}");
	cr_expect_eq(said(CALL_OK)->provider_done.ingest_state, INGEST_LIVE);
}

Test(cloudflare_odd, behind_the_last_page_there_is_nothing)
{
	call_list(0);
	reply(200, OK_OF("{\"liveInputs\":[{\"uid\":\"" ID "\"}],\"total\":1}"));
	call_list(1);
	cr_assert_str_eq(asked(), "");
	cr_assert_eq(fx.says, 1);
	cr_expect_eq(fx.say[0].type, EVENT_PROVIDER_PAGE);
	cr_expect_eq(fx.say[0].provider_page.next_page, 0);
}

/* Of a test installation. */
Test(cloudflare_plain, a_host_without_tls_is_asked_if_that_is_allowed)
{
	stage_options.plain = true;
	stage_open();
	make(",\"playback\":{\"hls\":\"http://h:1/" ID "/manifest/video.m3u8\"}");
	call_describe(ID);
	cr_expect_str_eq(asked(), "GET /" ID "/lifecycle");
	stage_close();
}
