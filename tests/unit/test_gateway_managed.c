/* SPDX-License-Identifier: MIT */
/* Goal: an app is told of a managed stream what is new, in order and in the shape of the protocol;
 * what answers a request is always told, the last word once and with a receipt.
 */
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_managed, .init = stage_open, .fini = stage_close);

#define HLS "https://c/u/video.m3u8"
#define DASH "https://c/u/video.mpd"
#define HEAD(word) \
	"{\"type\":\"managed_stream_status\",\"status\":\"" word "\",\"hlsUrl\":\"" HLS \
	"\",\"dashUrl\":\"" DASH "\","
#define PLAIN_STATUS(word) HEAD(word) "\"streamId\":\"m1\"}"

static struct stream_event delivery(uint64_t link, const char *status, uint64_t stream_seq)
{
	return (struct stream_event){ .type = EVENT_DELIVER_MANAGED,
				      .user_id = TEXT(USER),
				      .stream_id = TEXT("m1"),
				      .epoch = 4,
				      .stream_seq = stream_seq,
				      .cause = 31,
				      .deliver_managed = { .link = link,
							   .package = TEXT(PACKAGE),
							   .status = text_of(status),
							   .hls = TEXT(HLS),
							   .dash = TEXT(DASH) } };
}

static void deliver(uint64_t link, const char *status, uint64_t stream_seq)
{
	struct stream_event event = delivery(link, status, stream_seq);

	stage_bus(&event);
}

static void deliver_last(uint64_t link, const char *status, uint64_t stream_seq)
{
	struct stream_event event = delivery(link, status, stream_seq);

	event.deliver_managed.terminal = true;
	stage_bus(&event);
}

static void reply(uint64_t link, const char *status, uint64_t stream_seq)
{
	struct stream_event event = delivery(link, status, stream_seq);

	event.deliver_managed.reply = true;
	stage_bus(&event);
}

static void expect_silence(void)
{
	cr_assert_eq(stage_out_count() + stage.fx.count, 0);
}

static void expect_receipt(enum outcome outcome)
{
	const struct stream_event *told = stage_told(EVENT_EDGE_APP_TOLD);

	cr_assert_not_null(told);
	cr_assert_eq(told->edge_app_told.outcome, outcome);
	cr_assert(text_is(told->edge_app_told.package, PACKAGE));
	cr_assert(text_is(told->user_id, USER));
	cr_assert(text_is(told->stream_id, "m1"));
	cr_assert_eq(told->cause, 31);
}

Test(gateway_managed, a_status_in_the_order_of_the_protocol)
{
	uint64_t link = stage_app(PACKAGE);
	struct stream_event event = delivery(link, "active", 3);

	deliver(link, "initializing", 1);
	stage_expect_sent(0, link, PLAIN_STATUS("initializing"));
	cr_assert_eq(stage.fx.count, 0);
	event.deliver_managed.webrtc = TEXT("https://c/u/webRTC/play");
	event.deliver_managed.preview = TEXT("https://p");
	event.deliver_managed.thumbnail = TEXT("https://t");
	event.deliver_managed.message = TEXT("Stream details updated");
	stage_bus(&event);
	stage_expect_sent(
		0, link,
		HEAD("active") "\"webrtcUrl\":\"https://c/u/webRTC/play\","
			       "\"previewUrl\":\"https://p\",\"thumbnailUrl\":\"https://t\","
			       "\"streamId\":\"m1\","
			       "\"message\":\"Stream details updated\"}");
}

Test(gateway_managed, without_urls_yet)
{
	uint64_t link = stage_app(PACKAGE);
	struct stream_event event = delivery(link, "stopped", 1);

	event.deliver_managed.hls = event.deliver_managed.dash = (struct text){ 0 };
	stage_bus(&event);
	stage_expect_sent(
		0, link,
		"{\"type\":\"managed_stream_status\",\"status\":\"stopped\",\"streamId\":\"m1\"}");
}

static void add_output(struct list_writer *list, const char *url, const char *name,
		       const char *status, const char *error)
{
	list_open_member(list, 4);
	list_put_text(list, text_of(url));
	list_put_text(list, text_of(name));
	list_put_text(list, text_of(status));
	list_put_text(list, text_of(error));
	cr_assert(list_close_member(list));
}

static struct text two_outputs(const char *status)
{
	static uint8_t bytes[OUTPUTS_BYTES];
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	add_output(&list, "rtmp://a/live2/K", "", status, "");
	add_output(&list, "rtmp://b/x", "My \"b\"", "error", "refused");
	return list_end(&list);
}

Test(gateway_managed, outputs)
{
	uint64_t link = stage_app(PACKAGE);
	struct stream_event event = delivery(link, "active", 1);

	event.deliver_managed.outputs = two_outputs("stopped");
	stage_bus(&event);
	stage_expect_sent(
		0, link,
		HEAD("active") "\"streamId\":\"m1\",\"outputs\":[{\"url\":\"rtmp://a/live2/K\","
			       "\"status\":\"stopped\"},{\"url\":\"rtmp://b/x\",\"name\":"
			       "\"My \\\"b\\\"\",\"status\":\"error\",\"error\":\"refused\"}]}");
	event.stream_seq = 2;
	event.deliver_managed.outputs = two_outputs("stopped");
	stage_bus(&event);
	expect_silence();
	event.stream_seq = 3;
	event.deliver_managed.outputs = two_outputs("active");
	stage_bus(&event);
	cr_assert_eq(stage_out_count(), 1);
}

/* The most and the longest, every byte of which must be escaped; and what is no such list. */
Test(gateway_managed, outputs_have_room_and_a_limit)
{
	static uint8_t bytes[2 * OUTPUTS_BYTES];
	char url[OUTPUT_URL_MAX + 1], name[OUTPUT_NAME_MAX + 1], error[OUTPUT_ERROR_MAX + 1];
	uint64_t link = stage_app(PACKAGE);
	struct stream_event event = delivery(link, "active", 1);
	struct list_writer list;

	memset(url, 1, sizeof url);
	memset(name, 1, sizeof name);
	memset(error, 1, sizeof error);
	url[OUTPUT_URL_MAX] = name[OUTPUT_NAME_MAX] = error[OUTPUT_ERROR_MAX] = '\0';
	list_begin(&list, bytes, sizeof bytes);
	for (int i = 0; i < OUTPUTS_MAX; i++)
		add_output(&list, url, name, "stopped", error);
	event.deliver_managed.outputs = list_end(&list);
	stage_bus(&event);
	struct text outputs = stage_out(0)->message.managed_stream_status.outputs;

	cr_assert_gt(outputs.length, 6 * OUTPUTS_MAX * OUTPUT_URL_MAX);
	cr_assert_leq(outputs.length, EDGE_OUTPUTS_MAX);
	cr_assert_eq(gateway_counts(stage.core)->messages_ignored, 0);
	add_output(&list, "rtmp://one/more", "", "stopped", "");
	event.deliver_managed.outputs = list_end(&list);
	event.stream_seq = 2;
	stage_bus(&event);
	cr_assert_eq(stage_out(0)->message.managed_stream_status.outputs.length, 0);
	event.deliver_managed.outputs = TEXT("\x91\xa1x");
	event.stream_seq = 3;
	stage_bus(&event);
	cr_assert_eq(stage_out(0)->message.managed_stream_status.outputs.length, 0);
	cr_assert_eq(gateway_counts(stage.core)->messages_ignored, 2);
}

/* One text may be longer than any destination, though the list is not: nothing of such an output
 * is said, and nobody aborts over it.
 */
Test(gateway_managed, an_output_longer_than_any_is_left_out)
{
	static uint8_t bytes[OUTPUTS_BYTES];
	static char url[OUTPUTS_BYTES - 32];
	uint64_t link = stage_app(PACKAGE);
	struct stream_event event = delivery(link, "active", 1);
	struct list_writer list;

	memset(url, 1, sizeof url - 1);
	list_begin(&list, bytes, sizeof bytes);
	add_output(&list, "r", "", "a", "");
	add_output(&list, url, "", "a", "");
	event.deliver_managed.outputs = list_end(&list);
	stage_bus(&event);
	stage_expect_sent(0, link,
			  HEAD("active") "\"streamId\":\"m1\",\"outputs\":[{\"url\":\"r\","
					 "\"status\":\"a\"}]}");
	cr_assert_eq(gateway_counts(stage.core)->messages_ignored, 1);
}

/* Wherever it breaks off, and with a field too many: what stands before is said. */
Test(gateway_managed, cut_lists_of_outputs)
{
	static uint8_t bytes[256];
	uint64_t link = stage_app(PACKAGE), ignored = 0;
	struct stream_event event = delivery(link, "active", 1);
	struct list_writer list;
	struct text whole;

	for (uint32_t fields = 3; fields <= 5; fields++) {
		list_begin(&list, bytes, sizeof bytes);
		list_open_member(&list, fields);
		for (uint32_t i = 0; i < fields; i++)
			list_put_text(&list, TEXT("text"));
		cr_assert(list_close_member(&list));
		whole = list_end(&list);
		for (uint32_t length = 1; length < whole.length + (fields != 4); length++) {
			event.deliver_managed.outputs = (struct text){ whole.bytes, length };
			event.deliver_managed.reply = true;
			stage_bus(&event);
			cr_assert_leq(stage_out(0)->message.managed_stream_status.outputs.length,
				      2);
			cr_assert_eq(gateway_counts(stage.core)->messages_ignored, ++ignored);
		}
	}
}

Test(gateway_managed, what_says_nothing_new_is_not_said)
{
	uint64_t link = stage_app(PACKAGE);
	struct stream_event event = delivery(link, "active", 5);

	deliver(link, "active", 3);
	deliver(link, "active", 4);
	expect_silence();
	/* Previews are not compared: they were never a reason to say something. */
	event.deliver_managed.preview = TEXT("https://p");
	event.deliver_managed.thumbnail = TEXT("https://t");
	stage_bus(&event);
	expect_silence();
	cr_assert_eq(gateway_counts(stage.core)->statuses_repeated, 2);
	/* Repeated or late. */
	deliver(link, "stopping", 5);
	expect_silence();
	cr_assert_eq(gateway_counts(stage.core)->statuses_stale, 1);
	event.stream_seq = 6;
	event.deliver_managed.message = TEXT("Stream is now live");
	stage_bus(&event);
	cr_assert_eq(stage_out_count(), 1);
	/* The same words of another stream are news. */
	event.stream_seq = 1;
	event.epoch = 5;
	event.stream_id = TEXT("m2");
	stage_bus(&event);
	cr_assert_eq(stage_out_count(), 1);
	event.stream_seq = 9;
	event.epoch = 4;
	stage_bus(&event);
	expect_silence();
	cr_assert_eq(gateway_counts(stage.core)->statuses_sent, 3);
}

Test(gateway_managed, every_part_that_is_compared_is_news)
{
	uint64_t link = stage_app(PACKAGE);
	struct stream_event event = delivery(link, "active", 1);

	stage_bus(&event);
	struct text *const parts[] = { &event.deliver_managed.status, &event.deliver_managed.hls,
				       &event.deliver_managed.dash, &event.deliver_managed.webrtc,
				       &event.deliver_managed.message };

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		*parts[i] = TEXT("x");
		event.stream_seq++;
		stage_bus(&event);
		cr_assert_eq(stage_out_count(), 1, "part %zu", i);
	}
	/* Two parts that swap their words are not the same either. */
	event.deliver_managed.webrtc = TEXT("y");
	event.deliver_managed.message = (struct text){ 0 };
	event.stream_seq++;
	stage_bus(&event);
	event.deliver_managed.webrtc = (struct text){ 0 };
	event.deliver_managed.message = TEXT("y");
	event.stream_seq++;
	stage_bus(&event);
	cr_assert_eq(stage_out_count(), 1);
}

Test(gateway_managed, what_answers_a_request_is_always_said)
{
	uint64_t link = stage_app(PACKAGE);

	deliver(link, "active", 3);
	reply(link, "active", 4);
	stage_expect_sent(0, link, PLAIN_STATUS("active"));
	cr_assert_eq(stage.fx.count, 0);
	reply(link, "active", 4);
	stage_expect_sent(0, link, PLAIN_STATUS("active"));
	/* One of something older changes nothing of what is known. */
	reply(link, "stopped", 2);
	cr_assert_eq(stage_out_count(), 1);
	deliver(link, "active", 5);
	expect_silence();
	deliver(link, "active", 4);
	expect_silence();
	/* Nor does one of an older stream. */
	struct stream_event older = delivery(link, "stopped", 9);

	older.epoch = 3;
	older.deliver_managed.reply = true;
	stage_bus(&older);
	cr_assert_eq(stage_out_count(), 1);
	deliver(link, "active", 5);
	expect_silence();
	/* It counts as said. */
	reply(link, "initializing", 6);
	deliver(link, "initializing", 7);
	expect_silence();
}

Test(gateway_managed, the_last_word_is_said_once_and_confirmed)
{
	uint64_t link = stage_app(PACKAGE);

	deliver(link, "active", 3);
	deliver_last(link, "stopped", 5);
	stage_expect_sent(0, link, PLAIN_STATUS("stopped"));
	expect_receipt(OUTCOME_SENT);
	deliver_last(link, "stopped", 5);
	cr_assert_eq(stage_out_count(), 0);
	expect_receipt(OUTCOME_SENT);
	deliver_last(link, "error", 7);
	cr_assert_eq(stage_out_count(), 0, "it has had its last word");
	expect_receipt(OUTCOME_SENT);
	deliver(link, "active", 4);
	expect_silence();
}

Test(gateway_managed, the_last_word_is_said_whatever_was_said_before)
{
	uint64_t link = stage_app(PACKAGE);

	deliver(link, "stopped", 9);
	deliver_last(link, "stopped", 8);
	stage_expect_sent(0, link, PLAIN_STATUS("stopped"));
	expect_receipt(OUTCOME_SENT);
	deliver(link, "active", 9);
	expect_silence();
}

Test(gateway_managed, who_comes_back_is_told_again)
{
	uint64_t link = stage_app(PACKAGE);

	deliver(link, "active", 3);
	deliver_last(link, "stopped", 4);
	reply(link, "active", 5);
	cr_assert_eq(stage_out_count(), 1);
	deliver_last(link, "stopped", 8);
	cr_assert_eq(stage_out_count(), 1);
	expect_receipt(OUTCOME_SENT);
	/* Joined while it is being made again: no answer yet, but the news of it. */
	deliver(link, "initializing", 9);
	cr_assert_eq(stage_out_count(), 1);
}

Test(gateway_managed, the_end_of_an_older_stream_does_not_end_the_newer_one)
{
	uint64_t link = stage_app(PACKAGE);
	struct stream_event event = delivery(link, "active", 1);

	event.epoch = 5;
	stage_bus(&event);
	deliver_last(link, "stopped", 9);
	cr_assert_eq(stage_out_count(), 0);
	expect_receipt(OUTCOME_SENT);
	event.stream_seq = 2;
	stage_bus(&event);
	expect_silence();
}

Test(gateway_managed, another_socket_has_heard_nothing)
{
	uint64_t older = stage_app(PACKAGE);

	deliver(older, "active", 3);
	uint64_t newer = stage_app(PACKAGE);

	cr_assert_eq(stage_out_count(), 1, "the ack, and nothing unasked");
	reply(newer, "active", 4);
	stage_expect_sent(0, newer, PLAIN_STATUS("active"));
	/* The older one is silent, whatever it is. */
	reply(older, "active", 5);
	expect_silence();
	deliver_last(older, "stopped", 6);
	cr_assert_eq(stage_out_count(), 0);
	expect_receipt(OUTCOME_DROPPED);
}

Test(gateway_managed, nobody_there)
{
	uint64_t link = stage_app(PACKAGE);
	uint64_t silent = stage_app_socket();

	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link });
	deliver(link, "active", 3);
	expect_silence();
	deliver_last(link, "stopped", 4);
	cr_assert_eq(stage_out_count(), 0);
	expect_receipt(OUTCOME_DROPPED);
	deliver_last(silent, "stopped", 4);
	expect_receipt(OUTCOME_DROPPED);
	cr_assert_eq(gateway_counts(stage.core)->links_missed, 3);
}
