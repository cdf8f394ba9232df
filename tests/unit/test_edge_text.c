/* SPDX-License-Identifier: MIT */
/* Goal: what the edge makes of single words, texts and times.  Words and characters exhaustively;
 * times against gmtime(), day by day.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <criterion/criterion.h>
#include <jansson.h>

#include "proto/edge.h"
#include "proto/models.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum device_status status_of(struct text word, uint32_t oversized)
{
	return edge_device_status(&(struct edge_message){ .type = EDGE_DEVICE_STREAM_STATUS,
							  .oversized = oversized,
							  .device_stream_status.status = word });
}

Test(edge_text, device_status)
{
	for (uint32_t i = DEVICE_NONE + 1; i < DEVICE_OTHER; i++)
		cr_expect_eq(status_of(text_of(words_name(&device_status_words, i)), 0), i);
	cr_expect_eq(status_of(TEXT(""), 0), DEVICE_NONE);
	cr_expect_eq(status_of(TEXT("none"), 0), DEVICE_OTHER);
	cr_expect_eq(status_of(TEXT("other"), 0), DEVICE_OTHER);
	cr_expect_eq(status_of(TEXT("Streaming"), 0), DEVICE_OTHER);
	cr_expect_eq(status_of(TEXT("streaming "), 0), DEVICE_OTHER);
	cr_expect_eq(status_of(TEXT(""), EDGE_BIT(device_stream_status, status)), DEVICE_OTHER);
	cr_expect_eq(status_of(TEXT(""), EDGE_BIT(device_stream_status, reason)), DEVICE_NONE);
}

Test(edge_text, connected)
{
	cr_expect(edge_connected(TEXT("CONNECTED")));
	cr_expect(edge_connected(TEXT("RECONNECTED")));
	cr_expect_not(edge_connected(TEXT("DISCONNECTED")));
	cr_expect_not(edge_connected(TEXT("connected")));
	cr_expect_not(edge_connected(TEXT("CONNECTED ")));
	cr_expect_not(edge_connected((struct text){ 0 }));
}

Test(edge_text, url)
{
	static const char *const good[] = { "rtmp://", "rtmps://", "rtmp://host/app/key?a=b&c=%20",
					    "rtmps://live.example.com:443/live/\xc3\xa9" };
	static const char *const bad[] = { "",		 "rtmp:/",    "rtmp:/x",   "http://x",
					   "RTMP://x",	 "Rtmps://x", " rtmp://x", "xrtmp://x",
					   "rtmpss://x", "rtmpt://x" };
	char url[URL_MAX + 2] = "rtmp://";

	for (size_t i = 0; i < COUNT(good); i++)
		cr_expect(edge_url_ok(text_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_not(edge_url_ok(text_of(bad[i])), "%s", bad[i]);
	cr_expect_not(edge_url_ok((struct text){ 0 }));
	for (unsigned byte = 0; byte < 256; byte++) {
		url[7] = (char)byte;
		cr_expect_eq(edge_url_ok((struct text){ url, 8 }), byte > ' ' && byte != 0x7f);
	}
	memset(url + 7, 'x', sizeof url - 7);
	cr_expect(edge_url_ok((struct text){ url, URL_MAX }));
	cr_expect_not(edge_url_ok((struct text){ url, URL_MAX + 1 }));
}

static void expect_clean(struct text in, const char *expected)
{
	char *out = malloc(DETAIL_MAX);
	struct text text = edge_clean(in, out, DETAIL_MAX);

	cr_expect(text_is(text, expected), "%.*s", (int)text.length, text.bytes);
	free(out);
}

Test(edge_text, clean)
{
	expect_clean((struct text){ 0 }, "");
	expect_clean(TEXT("RTMP connection failed: refused"), "RTMP connection failed: refused");
	expect_clean(TEXT("a\tb\nc\rd\xc2\x85"
			  "e\xe2\x80\xa8"
			  "f\xe2\x80\xa9g"),
		     "a b c d e f g");
	expect_clean(TEXT("\x1b[31mred\x07\x7f\xc2\x9b!"), "[31mred!");
	expect_clean((struct text){ "a\0b", 3 }, "ab");
	expect_clean(TEXT("\xe2\x80\xaetxt\xe2\x80\xac \xe2\x81\xa6x\xe2\x81\xa9 \xe2\x80\x8f"
			  "\xe2\x80\x8e\xd8\x9cy"),
		     "txt x y");
	expect_clean(TEXT("\xc2\xa0\xc3\xa9\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"
			  "\xf0\x9f\x98\x80"),
		     "\xc2\xa0\xc3\xa9\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"
		     "\xf0\x9f\x98\x80");
	expect_clean(TEXT("a\xff\xe2\x82z\xc3"), "az");
}

#define DOTS "/\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2"

Test(edge_text, keys_are_hidden)
{
	expect_clean(TEXT("rtmp://a.example:1935/live/key?x=y refused"),
		     "rtmp://a.example:1935" DOTS " refused");
	expect_clean(TEXT("no 'RTMPS://a/key' and no \"rtmp://b?key\""),
		     "no 'RTMPS://a" DOTS "' and no \"rtmp://b" DOTS "\"");
	expect_clean(TEXT("rtmp://user:secret@a/live/key"), "rtmp://" DOTS);
	expect_clean(TEXT("rtmp://a/k1\nrtmp://b/k2"), "rtmp://a" DOTS " rtmp://b" DOTS);
	expect_clean(TEXT("rtmp://a"), "rtmp://a");
	expect_clean(TEXT("rtmp:// rtmp:/a/b rtmp"), "rtmp:// rtmp:/a/b rtmp");
	expect_clean(TEXT("rtmp://rtmp://a/key"), "rtmp://rtmp:" DOTS);
	expect_clean(TEXT("xrtmp://a/key"), "xrtmp://a" DOTS);
	expect_clean(TEXT("rtmp://a\0b/key\0key"), "rtmp://ab" DOTS);
}

Test(edge_text, a_key_without_room_for_its_dots_is_left_out)
{
	static const char in[] = "rtmp://a/key!";
	char out[sizeof in + sizeof DOTS];

	for (size_t size = 0; size < sizeof out; size++) {
		struct text text = edge_clean(text_of(in), out, size);
		bool whole = size >= strlen("rtmp://a" DOTS);

		cr_expect(text_is(text, whole ? "rtmp://a" DOTS : "rtmp://a") ||
				  (size < 8 && text.length == size),
			  "%zu: %.*s", size, (int)text.length, text.bytes);
	}
}

Test(edge_text, clean_is_bounded)
{
	char in[2 * DETAIL_MAX], out[2 * DETAIL_MAX];
	struct text text;

	for (size_t i = 0; i + 1 < sizeof in; i += 2)
		memcpy(in + i, "\xc3\xa9", 2);
	for (size_t size = 0; size < sizeof out; size++) {
		memset(out, 'x', sizeof out);
		text = edge_clean((struct text){ in, sizeof in }, out, size);
		cr_expect_eq(text.length, (size < DETAIL_MAX ? size : DETAIL_MAX) / 2 * 2);
		cr_expect_eq(memcmp(out, in, text.length), 0);
		cr_expect_eq(out[text.length], 'x');
	}
}

Test(edge_text, close_reason)
{
	char message[3 * EDGE_CLOSE_REASON_MAX];
	struct text text;

	cr_expect(text_is(edge_close_reason(TEXT("Session not found")), "Session not found"));
	cr_expect_eq(edge_close_reason((struct text){ 0 }).length, 0);
	for (uint32_t prefix = 0; prefix < 4; prefix++) {
		memset(message, 'x', sizeof message);
		for (size_t i = prefix; i + 4 <= sizeof message; i += 4)
			memcpy(message + i, "\xf0\x9f\x98\x80", 4);
		text = edge_close_reason((struct text){ message, sizeof message });
		cr_expect_eq(text.bytes, message);
		cr_expect_eq(text.length, prefix + (EDGE_CLOSE_REASON_MAX - prefix) / 4 * 4);
		text = edge_close_reason((struct text){ message, EDGE_CLOSE_REASON_MAX });
		cr_expect_eq(text.length, EDGE_CLOSE_REASON_MAX);
	}
	cr_expect(text_is(edge_cut(TEXT("a\xc3\xa9"), 2), "a"));
	cr_expect(text_is(edge_cut(TEXT("a\xc3\xa9"), 3), "a\xc3\xa9"));
	cr_expect(text_is(edge_cut(TEXT("a"), 0), ""));
}

static void expect_time(int64_t unix_ms, const char *expected)
{
	char *out = malloc(EDGE_TIME_LENGTH);

	edge_time(unix_ms, out);
	cr_expect(memcmp(out, expected, EDGE_TIME_LENGTH) == 0, "%.24s instead of %s", out,
		  expected);
	free(out);
}

Test(edge_text, time)
{
	static const struct {
		int64_t unix_ms;
		const char *expected;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 999, "1970-01-01T00:00:00.999Z" },
		{ 86399999, "1970-01-01T23:59:59.999Z" },
		{ 951782399999, "2000-02-28T23:59:59.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 951868800000, "2000-03-01T00:00:00.000Z" },
		{ 1709164800000, "2024-02-29T00:00:00.000Z" },
		{ 1740787200000, "2025-03-01T00:00:00.000Z" },
		{ 1764583200000, "2025-12-01T10:00:00.000Z" },
		{ 1767225599999, "2025-12-31T23:59:59.999Z" },
		{ 1767225600000, "2026-01-01T00:00:00.000Z" },
		{ 4107542399999, "2100-02-28T23:59:59.999Z" },
		{ 4107542400000, "2100-03-01T00:00:00.000Z" },
		{ 13574563200000, "2400-02-29T00:00:00.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ 253402300800000, "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ -1, "1970-01-01T00:00:00.000Z" },
		{ INT64_MIN, "1970-01-01T00:00:00.000Z" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		expect_time(rows[i].unix_ms, rows[i].expected);
}

Test(edge_text, every_day_as_gmtime_has_it)
{
	const int64_t last_s = 253402300799;

	for (int64_t s = 0; s <= last_s; s += 86400 - s % 7) {
		time_t seconds = (time_t)s;
		struct tm tm;
		char expected[64];

		gmtime_r(&seconds, &tm);
		size_t length = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(expected + length, sizeof expected - length, ".%03dZ", (int)(s % 1000));
		expect_time(s * 1000 + s % 1000, expected);
	}
}

Test(edge_text, subscriptions)
{
	static const char *const expected[] = { "rtmp_stream_status", "location_stream", "*", "b" };
	struct json_walk walk;
	char buffer[TYPE_NAME_MAX], array[512];
	struct text name;
	unsigned i = 0;

	snprintf(array, sizeof array,
		 "[\"rtmp_stream_status\",{\"stream\":\"x\",\"rate\":{\"stream\":\"y\"},"
		 "\"stream\":\"location_stream\"},1,null,[\"z\"],{},{\"stream\":2},\"\",\"%065d\","
		 "\"\\u002a\",{\"str\\u0065am\":\"\\u0062\"}]",
		 0);
	edge_subscriptions(text_of(array), &walk);
	for (; edge_subscription_next(&walk, buffer, &name); i++) {
		cr_assert_lt(i, COUNT(expected));
		cr_expect(text_is(name, expected[i]));
	}
	cr_expect_eq(i, COUNT(expected));
	snprintf(array, sizeof array, "[\"%064d\"]", 0);
	edge_subscriptions(text_of(array), &walk);
	cr_expect(edge_subscription_next(&walk, buffer, &name));
	cr_expect_eq(name.length, TYPE_NAME_MAX);
	cr_expect_not(edge_subscription_next(&walk, buffer, &name));
	edge_subscriptions(TEXT("[]"), &walk);
	cr_expect_not(edge_subscription_next(&walk, buffer, &name));
	edge_subscriptions((struct text){ 0 }, &walk);
	cr_expect_not(edge_subscription_next(&walk, buffer, &name));
}

/* The SDK's type Capabilities: a part is there exactly if its flag says so. */
static void expect_capabilities(const struct model *model)
{
	static const char *const parts[][2] = {
		{ "hasCamera", "camera" },
		{ "hasDisplay", "display" },
		{ "hasMicrophone", "microphone" },
		{ "hasSpeaker", "speaker" },
		{ "hasIMU", "imu" },
		{ "hasButton", "button" },
		{ "hasLight", "light" },
	};
	json_t *root = json_loadb(model->capabilities.bytes, model->capabilities.length,
				  JSON_REJECT_DUPLICATES, NULL);
	struct json_value value;

	cr_assert(json_read(model->capabilities, &value));
	cr_assert_eq(value.kind, JSON_KIND_OBJECT);
	cr_assert(root);
	cr_expect_str_eq(json_string_value(json_object_get(root, "modelName")), model->name);
	cr_expect_eq(json_object_size(root), 3 + 2 * COUNT(parts));
	for (size_t i = 0; i < COUNT(parts); i++) {
		json_t *flag = json_object_get(root, parts[i][0]);
		json_t *part = json_object_get(root, parts[i][1]);

		cr_expect(json_is_boolean(flag));
		cr_expect(json_is_true(flag) ? json_is_object(part) : json_is_null(part));
	}
	cr_expect_eq(json_is_true(json_object_get(root, "hasCamera")), model->has_camera);
	cr_expect(json_is_boolean(json_object_get(root, "hasWifi")));
	cr_expect_eq(json_is_true(json_object_get(root, "hasWifi")), model->has_wifi);
	cr_expect(json_is_boolean(
		json_object_get(json_object_get(root, "power"), "hasExternalBattery")));
	json_decref(root);
}

Test(edge_text, models)
{
	static const struct {
		const char *name;
		bool has_camera, has_wifi, simulated;
	} rows[] = {
		{ "Mentra Live", true, true, false },
		{ "Simulated Glasses", false, false, true },
		{ "Even Realities G1", false, false, false },
		{ "Vuzix Z100", false, false, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct model *model = model_find(text_of(rows[i].name));

		cr_assert(model);
		cr_expect_str_eq(model->name, rows[i].name);
		cr_expect_eq(model->has_camera, rows[i].has_camera);
		cr_expect_eq(model->has_wifi, rows[i].has_wifi);
		cr_expect_eq(model->simulated, rows[i].simulated);
		cr_expect(
			text_equal(model_capabilities(text_of(rows[i].name)), model->capabilities));
		expect_capabilities(model);
	}
	cr_expect_null(model_find(TEXT("mentra live")));
	cr_expect_null(model_find(TEXT("")));
	cr_expect_eq(model_capabilities(TEXT("Mentra Live 2")).length, 0);
}
