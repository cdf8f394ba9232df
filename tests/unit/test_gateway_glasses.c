/* SPDX-License-Identifier: MIT */
/* Goal: what glasses say becomes facts, and nothing reaches a device that is not meant for what it
 * runs: the fence, case by case.
 */
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_glasses, .init = stage_open, .fini = stage_close);

static void start(uint64_t link, const char *stream_id, uint64_t epoch)
{
	stage_bus(&(struct stream_event){ .type = EVENT_DELIVER_START,
					  .user_id = TEXT(USER),
					  .stream_id = text_of(stream_id),
					  .epoch = epoch,
					  .cause = 31,
					  .deliver_start = { .link = link,
							     .app_id = TEXT(PACKAGE),
							     .rtmp_url = TEXT("rtmp://h/a/k"),
							     .video = TEXT("{\"width\":1}") } });
}

static void stop(uint64_t link, const char *stream_id, uint64_t epoch)
{
	stage_bus(&(struct stream_event){ .type = EVENT_DELIVER_STOP,
					  .user_id = TEXT(USER),
					  .stream_id = text_of(stream_id),
					  .epoch = epoch,
					  .deliver_stop = { .link = link,
							    .app_id = TEXT(PACKAGE),
							    .told_id = text_of(stream_id) } });
}

static void expect_told(bool is_stop, enum outcome outcome)
{
	const struct stream_event *told = stage_told(EVENT_EDGE_DEVICE_TOLD);

	cr_assert_not_null(told);
	cr_assert_eq(told->edge_device_told.stop, is_stop);
	cr_assert_eq(told->edge_device_told.outcome, outcome, "outcome %u",
		     told->edge_device_told.outcome);
	cr_assert(text_is(told->user_id, USER));
}

Test(gateway_glasses, opening_tells_the_registry_with_the_dashboard)
{
	uint64_t link = stage_glasses_of(USER);
	const struct stream_event *opened = stage_told(EVENT_EDGE_LINK_OPENED);

	cr_assert_not_null(opened);
	cr_assert_eq(opened->edge_link_opened.link, link);
	cr_assert_not(opened->edge_link_opened.resumed);
	cr_assert(text_is(opened->edge_link_opened.dashboard, "com.example.dash"));
	cr_assert(text_is(opened->user_id, USER));
	cr_assert_eq(stage_out_count(), 0);
}

Test(gateway_glasses, connection_ack_when_the_registry_says_so_and_again_on_init)
{
	const char *ack = "{\"type\":\"connection_ack\",\"sessionId\":\"" USER
			  "\",\"timestamp\":\"" EPOCH_TIME "\"}";
	uint64_t link = stage_glasses_of(USER);

	stage_glasses_say(link, "{\"type\":\"connection_init\"}");
	cr_assert_eq(stage_out_count(), 0);
	stage_notice(link, NOTICE_CONNECTION_ACK);
	stage_expect_sent(0, link, ack);
	stage_glasses_say(link, "{\"type\":\"connection_init\",\"coreToken\":\"x\"}");
	stage_expect_sent(0, link, ack);
}

Test(gateway_glasses, other_notices)
{
	uint64_t link = stage_glasses();

	stage_notice(link, NOTICE_APP_STATE_CHANGE);
	stage_expect_sent(0, link,
			  "{\"type\":\"app_state_change\",\"sessionId\":\"" USER
			  "\",\"timestamp\":\"" EPOCH_TIME "\"}");
	stage_bus(&(struct stream_event){ .type = EVENT_REGISTRY_GLASSES_NOTICE,
					  .registry_glasses_notice = { .link = link,
								       .notice = NOTICE_APP_STOPPED,
								       .package = TEXT("p") } });
	stage_expect_sent(
		0, link,
		"{\"type\":\"app_stopped\",\"packageName\":\"p\",\"timestamp\":\"" EPOCH_TIME
		"\"}");
	stage_bus(&(struct stream_event){ .type = EVENT_REGISTRY_GLASSES_NOTICE,
					  .registry_glasses_notice = { .link = link,
								       .notice = NOTICE_APP_STARTED,
								       .package = TEXT("p") } });
	cr_assert_eq(stage_out(0)->message.type, EDGE_APP_STARTED);
	stage_notice(link, NOTICE_NONE);
	cr_assert_eq(stage_out_count(), 0);
	stage_notice(link + 1, NOTICE_APP_STATE_CHANGE);
	cr_assert_eq(stage_out_count(), 0);
	cr_assert_eq(gateway_counts(stage.core)->links_missed, 1);
}

Test(gateway_glasses, state_is_told_and_kept_for_an_announcement)
{
	uint64_t link = stage_glasses();

	stage_glasses_say(link,
			  "{\"type\":\"glasses_connection_state\",\"modelName\":\"Mentra Live\","
			  "\"status\":\"CONNECTED\",\"wifi\":{\"connected\":true}}");
	const struct stream_event *state = stage_told(EVENT_EDGE_GLASSES);

	cr_assert(state && state->edge_glasses.has_state && state->edge_glasses.connected);
	cr_assert(text_is(state->edge_glasses.model, "Mentra Live"));
	cr_assert_eq(state->edge_glasses.wifi, WIFI_ON);
	/* Not a word of WiFi: unknown now, but still on when all is told anew. */
	stage_glasses_say(link,
			  "{\"type\":\"glasses_connection_state\",\"modelName\":\"Mentra Live\","
			  "\"status\":\"DISCONNECTED\"}");
	state = stage_told(EVENT_EDGE_GLASSES);
	cr_assert(state && !state->edge_glasses.connected);
	cr_assert_eq(state->edge_glasses.model.length, 0);
	cr_assert_eq(state->edge_glasses.wifi, WIFI_UNKNOWN);
	stage_registry(false);
	state = stage_told(EVENT_EDGE_GLASSES);
	cr_assert(state && !state->edge_glasses.connected);
	cr_assert_eq(state->edge_glasses.wifi, WIFI_ON);
	cr_assert(stage_told(EVENT_EDGE_LINK_OPENED)->edge_link_opened.resumed);
}

Test(gateway_glasses, wifi_null_is_off)
{
	uint64_t link = stage_glasses();

	stage_glasses_say(link, "{\"type\":\"glasses_connection_state\",\"status\":\"RECONNECTED\","
				"\"wifi\":{\"connected\":null}}");
	cr_assert_eq(stage_told(EVENT_EDGE_GLASSES)->edge_glasses.wifi, WIFI_OFF);
}

Test(gateway_glasses, apps_of_the_phone)
{
	uint64_t link = stage_glasses();

	stage_glasses_say(link, "{\"type\":\"start_app\",\"packageName\":\"" PACKAGE "\"}");
	const struct stream_event *event = stage_told(EVENT_EDGE_APP_START);

	cr_assert(event && event->edge_app_start.known && !event->edge_app_start.rest);
	cr_assert_eq(event->edge_app_start.app_type, APP_TYPE_STANDARD);
	stage_glasses_say(link, "{\"type\":\"stop_app\",\"packageName\":\"no.such\"}");
	event = stage_told(EVENT_EDGE_APP_STOP);
	cr_assert(event && !event->edge_app_stop.known);
	stage_glasses_say(link, "{\"type\":\"start_app\"}");
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(gateway_counts(stage.core)->messages_ignored, 1);
}

Test(gateway_glasses, statuses_need_a_stream)
{
	uint64_t link = stage_glasses();

	stage_glasses_say(link, "{\"type\":\"rtmp_stream_status\",\"status\":\"error\","
				"\"streamId\":\"s1\",\"errorDetails\":\"a\\u0007\\nb\"}");
	const struct stream_event *status = stage_told(EVENT_EDGE_STATUS);

	cr_assert(status && text_is(status->stream_id, "s1"));
	cr_assert_eq(status->edge_status.status, DEVICE_ERROR);
	cr_assert(text_is(status->edge_status.detail, "a b"));
	stage_glasses_say(link, "{\"type\":\"rtmp_stream_status\",\"status\":\"stopped\"}");
	cr_assert_eq(stage.fx.count, 0);
	stage_glasses_say(link, "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s1\"}");
	cr_assert_eq(stage_told(EVENT_EDGE_STATUS)->edge_status.status, DEVICE_NONE);
}

Test(gateway_glasses, not_json_changes_nothing)
{
	uint64_t link = stage_glasses();

	stage_glasses_say(link, "{");
	cr_assert_eq(stage.fx.count + stage_out_count(), 0);
	cr_assert_eq(gateway_counts(stage.core)->messages_not_json, 1);
}

static void filter(uint64_t link, bool all, const char *type)
{
	uint8_t bytes[256];
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	if (type)
		list_add_text(&list, text_of(type));
	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_RELAY_FILTER,
		.registry_relay_filter = { .link = link, .all = all, .types = list_end(&list) } });
}

Test(gateway_glasses, the_registry_may_close_them)
{
	uint64_t link = stage_glasses();

	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_LINK_CLOSE,
		.registry_link_close = { .link = link, .code = 1008, .reason = TEXT("why") } });
	stage_expect_close(0, link, 1008, "why");
	cr_assert_eq(stage_told(EVENT_EDGE_LINK_CLOSED)->edge_link_closed.code, 1008);
}

Test(gateway_glasses, what_some_app_wants_is_relayed)
{
	const char *press = "{\"type\":\"button_press\",\"n\":1}";
	uint64_t link = stage_glasses();

	stage_glasses_say(link, press);
	cr_assert_eq(stage.fx.count, 0);
	filter(link, false, "button_press");
	stage_glasses_say(link, press);
	cr_assert(text_is(stage_told(EVENT_EDGE_RELAY)->edge_relay.type_name, "button_press"));
	cr_assert(text_is(stage_told(EVENT_EDGE_RELAY)->edge_relay.message, press));
	stage_glasses_say(link, "{\"type\":\"other\"}");
	cr_assert_eq(stage.fx.count, 0);
	filter(link, true, NULL);
	stage_glasses_say(link, "{\"type\":\"other\"}");
	cr_assert_not_null(stage_told(EVENT_EDGE_RELAY));
	/* Without a type there is nothing that an app could have asked for. */
	stage_glasses_say(link, "{\"no\":\"type\"}");
	cr_assert_eq(stage.fx.count, 0);
	/* Statuses and acks go their own way, whoever wants all. */
	stage_glasses_say(link, "{\"type\":\"keep_alive_ack\",\"streamId\":\"s\",\"ackId\":\"a\"}");
	cr_assert_null(stage_told(EVENT_EDGE_RELAY));
}

Test(gateway_glasses, nothing_is_relayed_while_the_registry_is_away)
{
	uint64_t link = stage_glasses();

	filter(link, true, NULL);
	stage_input(&(struct input){
		.type = INPUT_PEER_DOWN, .peer = { ROLE_REGISTRY, 5 }, .peer_name = "registry" });
	stage_glasses_say(link, "{\"type\":\"other\"}");
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(gateway_counts(stage.core)->relays_dropped, 1);
	/* Facts wait for it. */
	stage_glasses_say(link, "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s\"}");
	cr_assert_not_null(stage_told(EVENT_EDGE_STATUS));
	stage_registry(true);
	stage_glasses_say(link, "{\"type\":\"other\"}");
	cr_assert_not_null(stage_told(EVENT_EDGE_RELAY));
}

/* ---- the fence ---- */

Test(gateway_glasses, start_is_sent_once_per_socket)
{
	uint64_t link = stage_glasses();

	start(link, "s1", 5);
	expect_told(false, OUTCOME_SENT);
	cr_assert_eq(stage_told(EVENT_EDGE_DEVICE_TOLD)->cause, 31);
	cr_assert_eq(stage_told(EVENT_EDGE_DEVICE_TOLD)->epoch, 5);
	stage_expect_sent(
		0, link,
		"{\"type\":\"start_rtmp_stream\",\"sessionId\":\"" USER
		"\",\"rtmpUrl\":\"rtmp://h/a/k\",\"appId\":\"" PACKAGE
		"\",\"streamId\":\"s1\",\"video\":{\"width\":1},\"audio\":{},\"stream\":{},"
		"\"timestamp\":\"" EPOCH_TIME "\"}");
	start(link, "s1", 5);
	expect_told(false, OUTCOME_SENT);
	cr_assert_eq(stage_out_count(), 0);
}

/* Whatever their kinds: the older one is stopped first, and what of it comes late is fenced. */
Test(gateway_glasses, a_takeover_stops_the_one_and_starts_the_other)
{
	uint64_t link = stage_glasses();

	start(link, "m1", 4);
	stop(link, "m1", 4);
	expect_told(true, OUTCOME_SENT);
	cr_assert_eq(stage_out(0)->message.type, EDGE_STOP_RTMP_STREAM);
	start(link, "s2", 5);
	expect_told(false, OUTCOME_SENT);
	cr_assert_eq(stage_out(0)->message.type, EDGE_START_RTMP_STREAM);
	stop(link, "m1", 4);
	expect_told(true, OUTCOME_FENCED);
	start(link, "m1", 4);
	expect_told(false, OUTCOME_FENCED);
	cr_assert_eq(stage_out_count(), 0);
}

Test(gateway_glasses, a_start_of_an_older_epoch_is_fenced)
{
	uint64_t link = stage_glasses();

	start(link, "s2", 6);
	start(link, "s1", 5);
	expect_told(false, OUTCOME_FENCED);
	cr_assert_eq(stage_out_count(), 0);
	start(link, "sx", 6);
	expect_told(false, OUTCOME_FENCED);
	start(link, "s3", 7);
	expect_told(false, OUTCOME_SENT);
	cr_assert_eq(gateway_counts(stage.core)->starts_fenced, 2);
}

Test(gateway_glasses, a_stop_passes_only_for_what_runs)
{
	uint64_t link = stage_glasses();

	start(link, "s2", 6);
	stop(link, "s1", 5);
	expect_told(true, OUTCOME_FENCED);
	cr_assert_eq(stage_out_count(), 0);
	stop(link, "s2", 6);
	expect_told(true, OUTCOME_SENT);
	stage_expect_sent(0, link,
			  "{\"type\":\"stop_rtmp_stream\",\"sessionId\":\"" USER
			  "\",\"appId\":\"" PACKAGE
			  "\",\"streamId\":\"s2\",\"timestamp\":\"" EPOCH_TIME "\"}");
	stop(link, "s2", 6);
	expect_told(true, OUTCOME_SENT);
	cr_assert_eq(stage_out_count(), 0);
	/* What was stopped is not started again by a delivery that comes late. */
	start(link, "s2", 6);
	expect_told(false, OUTCOME_FENCED);
	start(link, "s3", 7);
	expect_told(false, OUTCOME_SENT);
}

/* A stream took over and ended before its start was sent: what it replaced must not go on. */
Test(gateway_glasses, a_stop_of_a_newer_stream_ends_what_that_has_replaced)
{
	uint64_t link = stage_glasses();

	start(link, "m1", 4);
	stop(link, "s2", 5);
	expect_told(true, OUTCOME_SENT);
	cr_assert_eq(stage_out_count(), 1);
	start(link, "s2", 5);
	expect_told(false, OUTCOME_FENCED);
	stop(link, "m1", 4);
	expect_told(true, OUTCOME_FENCED);
	start(link, "s3", 6);
	expect_told(false, OUTCOME_SENT);
}

Test(gateway_glasses, a_stop_without_stream_needs_the_newest_epoch)
{
	uint64_t link = stage_glasses();

	start(link, "s2", 6);
	stop(link, "", 5);
	expect_told(true, OUTCOME_FENCED);
	stop(link, "", 6);
	expect_told(true, OUTCOME_SENT);
	cr_assert_eq(stage_out_count(), 1);
}

Test(gateway_glasses, a_stop_passes_if_the_devices_stream_is_unknown_and_shuts_the_fence)
{
	uint64_t link = stage_glasses();

	stop(link, "s1", 5);
	expect_told(true, OUTCOME_SENT);
	start(link, "s1", 5);
	expect_told(false, OUTCOME_FENCED);
	/* Something newer may run there for all we know. */
	stop(link, "s2", 6);
	expect_told(true, OUTCOME_SENT);
	stop(link, "s1", 5);
	expect_told(true, OUTCOME_FENCED);
}

Test(gateway_glasses, orders_for_nobody)
{
	uint64_t link = stage_glasses_of("other@example.com");

	stage_notice(link, NOTICE_CONNECTION_ACK);
	start(link + 1, "s1", 5);
	expect_told(false, OUTCOME_NO_LINK);
	cr_assert_eq(stage_told(EVENT_EDGE_DEVICE_TOLD)->edge_device_told.link, 0);
	/* An order for one user never reaches the device of another. */
	stop(link, "s1", 5);
	expect_told(true, OUTCOME_NO_LINK);
	cr_assert_eq(stage_out_count(), 0);
}

Test(gateway_glasses, orders_wait_for_the_connection_ack)
{
	uint64_t link = stage_glasses_of(USER);

	stop(link, "s1", 5);
	start(link, "s2", 6);
	cr_assert_eq(stage.fx.count + stage_out_count(), 0);
	stage_notice(link, NOTICE_CONNECTION_ACK);
	cr_assert_eq(stage_out_count(), 3);
	cr_assert_eq(stage_out(0)->message.type, EDGE_CONNECTION_ACK);
	cr_assert_eq(stage_out(1)->message.type, EDGE_STOP_RTMP_STREAM);
	cr_assert_eq(stage_out(2)->message.type, EDGE_START_RTMP_STREAM);
	cr_assert(text_is(stage_out(2)->message.start_rtmp_stream.rtmp_url, "rtmp://h/a/k"));
	cr_assert_not_null(stage_effect(EVENT_EDGE_DEVICE_TOLD, 1));
}

Test(gateway_glasses, one_order_too_many_waits_for_nothing)
{
	uint64_t link = stage_glasses_of(USER);

	for (uint64_t i = 1; i <= GATEWAY_HELD_MAX; i++)
		start(link, "s", i);
	cr_assert_eq(stage.fx.count, 0);
	start(link, "s", GATEWAY_HELD_MAX + 1);
	expect_told(false, OUTCOME_NO_LINK);
	/* What it held goes with the socket. */
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1006 });
	cr_assert_null(stage_told(EVENT_EDGE_DEVICE_TOLD));
}

/* ---- keep-alives ---- */

static void probe(uint64_t link, const char *stream_id, uint64_t epoch)
{
	static uint8_t bytes[256]; /* what comes out lies in it */
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 4);
	list_put_u64(&list, link);
	list_put_text(&list, text_of(stream_id));
	list_put_u64(&list, epoch);
	list_put_text(&list, TEXT("a00001"));
	cr_assert(list_close_member(&list));
	stage_bus(&(struct stream_event){ .type = EVENT_PROBE_BATCH,
					  .probe_batch.probes = list_end(&list) });
}

Test(gateway_glasses, probes_reach_what_runs)
{
	uint64_t link = stage_glasses();

	probe(link, "s1", 5); /* nothing was started here: it may be that */
	cr_assert_eq(stage_out_count(), 1);
	cr_assert_eq(stage_out(0)->type, GATEWAY_PROBE);
	cr_assert(text_is(stage_out(0)->stream_id, "s1"));
	cr_assert(text_is(stage_out(0)->ack_id, "a00001"));
	start(link, "s2", 6);
	probe(link, "s1", 5);
	cr_assert_eq(stage_out_count(), 0);
	probe(link, "s2", 6);
	cr_assert_eq(stage_out_count(), 1);
	stop(link, "s2", 6);
	probe(link, "s2", 6);
	cr_assert_eq(stage_out_count(), 0);
	probe(link + 1, "s2", 6);
	cr_assert_eq(gateway_counts(stage.core)->probes_sent, 2);
	cr_assert_eq(gateway_counts(stage.core)->probes_dropped, 3);
}

Test(gateway_glasses, a_full_batch_of_probes_is_sent_and_one_more_is_not_read)
{
	static uint8_t bytes[2 * BATCH_BYTES_MAX];
	uint64_t link = stage_glasses();

	for (uint32_t count = PROBES_PER_BATCH_MAX; count <= PROBES_PER_BATCH_MAX + 1; count++) {
		struct list_writer list;

		list_begin(&list, bytes, sizeof bytes);
		for (uint32_t i = 0; i < count; i++) {
			list_open_member(&list, 4);
			list_put_u64(&list, link);
			list_put_text(&list, TEXT("s1"));
			list_put_u64(&list, 5);
			list_put_text(&list, TEXT("a"));
			cr_assert(list_close_member(&list));
		}
		stage_bus(&(struct stream_event){ .type = EVENT_PROBE_BATCH,
						  .probe_batch.probes = list_end(&list) });
		cr_assert_eq(stage_out_count(), count == PROBES_PER_BATCH_MAX ? count : 0);
	}
	stage_bus(&(struct stream_event){ .type = EVENT_PROBE_BATCH,
					  .probe_batch.probes = TEXT("\x91\x01") });
	cr_assert_eq(stage_out_count(), 0);
}

static void ack(uint64_t link)
{
	stage_glasses_say(link,
			  "{\"type\":\"keep_alive_ack\",\"streamId\":\"s1\",\"ackId\":\"a1\"}");
}

Test(gateway_glasses, acks_leave_together)
{
	uint64_t link = stage_glasses();
	struct text acks;
	struct wire wire;
	uint32_t count;

	stage_tick();
	ack(link);
	stage.now_ms += 2;
	ack(link);
	stage_glasses_say(link, "{\"type\":\"keep_alive_ack\",\"streamId\":\"s1\"}");
	cr_assert_eq(stage.fx.count, 0);
	cr_assert_eq(gateway_deadline(stage.core), stage.now_ms - 2 + GATEWAY_ACK_AGE_MS);
	stage.now_ms = gateway_deadline(stage.core);
	stage_tick();
	cr_assert_eq(stage_effect(EVENT_ACK_BATCH, 0)->type, EFFECT_SEND);
	acks = stage_told(EVENT_ACK_BATCH)->ack_batch.acks;
	cr_assert(list_read(acks, &wire, &count));
	cr_assert_eq(count, 2);
}

Test(gateway_glasses, a_full_batch_of_acks_leaves_at_once)
{
	uint64_t link = stage_glasses();

	for (int i = 1; i < ACKS_PER_BATCH_MAX; i++)
		ack(link);
	cr_assert_eq(stage.fx.count, 0);
	ack(link);
	cr_assert_not_null(stage_told(EVENT_ACK_BATCH));
	ack(link);
	cr_assert_null(stage_told(EVENT_ACK_BATCH));
}

Test(gateway_glasses, beats_are_not_made_up_for)
{
	stage_glasses();
	stage_tick();
	cr_assert_eq(stage_told(EVENT_GATEWAY_BEAT)->gateway_beat.links, 1);
	cr_assert_eq(gateway_deadline(stage.core), stage.now_ms + 1000);
	stage.now_ms += 90000;
	stage_tick();
	cr_assert_null(stage_effect(EVENT_GATEWAY_BEAT, 1));
	cr_assert_eq(gateway_deadline(stage.core), stage.now_ms + 1000);
}
