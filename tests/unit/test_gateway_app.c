/* SPDX-License-Identifier: MIT */
/* Goal: an app's socket from its init to its end: who is let in, in which order requests act, what
 * is told to whom, and what is refused with which words.
 */
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_app, .init = stage_open, .fini = stage_close);

#define START "{\"type\":\"rtmp_stream_request\",\"rtmpUrl\":\"rtmp://h/a/k\",\"video\":{\"w\":1}}"
#define STOP "{\"type\":\"rtmp_stream_stop\",\"streamId\":\"s1\"}"
#define CHECK "{\"type\":\"stream_status_check\"}"

/* ---- init ---- */

Test(gateway_app, init_asks_the_registry)
{
	uint64_t link = stage_app_socket();

	stage_init(link, SESSION, PACKAGE);
	const struct stream_event *opened = stage_told(EVENT_EDGE_APP_OPENED);

	cr_assert(opened && text_is(opened->user_id, USER));
	cr_assert(text_is(opened->edge_app_opened.package, PACKAGE));
	cr_assert(opened->edge_app_opened.key_ok);
	cr_assert_eq(opened->edge_app_opened.app_type, APP_TYPE_STANDARD);
	cr_assert_not(opened->edge_app_opened.resumed);
	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_APP_RESULT,
		.registry_app_result = { .link = link, .result = RESULT_OK } });
	stage_expect_sent(0, link,
			  "{\"type\":\"tpa_connection_ack\",\"sessionId\":\"" SESSION
			  "\",\"settings\":[],\"augmentosSettings\":{},\"mentraosSettings\":{},"
			  "\"capabilities\":null,\"timestamp\":\"" EPOCH_TIME "\"}");
}

Test(gateway_app, users_of_sessions)
{
	static const struct {
		const char *session, *package, *user;
	} rows[] = {
		{ "a-b@x-com.p", "com.p", "a-b@x" }, { "a@x-my-app", "my-app", "a@x" },
		{ "a@x-my-app", "other", "a@x-my" }, { "a@x-", "", "a@x" },
		{ "a@x-my.app", "no.app", "a@x" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t link = stage_app_socket();

		stage_init(link, rows[i].session, rows[i].package);
		cr_assert(text_is(stage_told(EVENT_EDGE_APP_OPENED)->user_id, rows[i].user),
			  "row %zu", i);
	}
}

Test(gateway_app, a_token_names_the_user_itself)
{
	uint64_t link = stage_app_socket();
	struct edge_message init = { .type = EDGE_TPA_CONNECTION_INIT };

	init.tpa_connection_init.session_id = TEXT("free form");
	init.tpa_connection_init.package = TEXT(PACKAGE);
	stage_edge((struct gateway_edge){ .type = GATEWAY_MESSAGE,
					  .link = link,
					  .user = TEXT("j@x"),
					  .message = &init,
					  .key_ok = true });
	cr_assert(text_is(stage_told(EVENT_EDGE_APP_OPENED)->user_id, "j@x"));
	stage_verdict(link, RESULT_OK, 1);
	cr_assert(text_is(stage_out(0)->message.tpa_connection_ack.session_id, "free form"));
}

Test(gateway_app, verdicts)
{
	static const struct {
		enum result result;
		const char *error, *reason;
	} rows[] = {
		{ RESULT_BAD_KEY, APP_ERROR("INVALID_API_KEY", "Invalid API key"),
		  "Invalid API key" },
		{ RESULT_NO_SESSION, APP_ERROR("SESSION_NOT_FOUND", "Session not found"),
		  "Session not found" },
		{ RESULT_APP_NOT_STARTED,
		  APP_ERROR("APP_NOT_STARTED", "App not started for this session"),
		  "App not started for this session" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t link = stage_app_socket();

		stage_init(link, SESSION, PACKAGE);
		stage_verdict(link, rows[i].result, 0);
		stage_expect_sent(0, link, rows[i].error);
		stage_expect_close(1, link, 1008, rows[i].reason);
		cr_assert_eq(stage.fx.count, 0, "the registry has not taken it");
	}
	uint64_t link = stage_app_socket();

	stage_init(link, SESSION, PACKAGE);
	stage_verdict(link, RESULT_FULL, 0);
	stage_expect_close(0, link, 1013, "Try again later");
}

Test(gateway_app, before_the_init)
{
	uint64_t link = stage_app_socket();

	stage_init(link, "nohyphen", PACKAGE);
	stage_expect_close(0, link, 1008, "Invalid session ID format");
	char session[USER_ID_MAX + 32];

	link = stage_app_socket();
	snprintf(session, sizeof session, "%0*d-" PACKAGE, USER_ID_MAX + 1, 7);
	stage_init(link, session, PACKAGE);
	stage_expect_close(1, link, 1008, "Session not found");
	link = stage_app_socket();
	stage_app_say(link, START);
	stage_expect_sent(0, link, APP_ERROR("SESSION_NOT_FOUND", "Session not found"));
	stage_expect_close(1, link, 1008, "Session not found");
	link = stage_app_socket();
	stage_app_say(link, "[]");
	stage_expect_close(1, link, 1008, "Session not found");
	link = stage_app_socket();
	stage_app_say(link, "{");
	stage_expect_close(0, link, 1011, "Internal server error");
	cr_assert_eq(stage.fx.count, 0);
}

Test(gateway_app, an_app_that_says_nothing_is_closed)
{
	uint64_t link = stage_app_socket();

	stage_tick();
	stage.now_ms += 9999;
	stage_tick();
	cr_assert_eq(stage_out_count(), 0);
	stage.now_ms++;
	stage_tick();
	stage_expect_close(0, link, 1008, "No init message");
}

/* The SDK would wait for ever: closed in time, it comes back. */
Test(gateway_app, an_init_without_verdict_is_closed_before_the_sdk_gives_up)
{
	uint64_t link = stage_app_socket();

	stage_init(link, SESSION, PACKAGE);
	stage.now_ms += GATEWAY_VERDICT_MS;
	stage_tick();
	stage_expect_close(0, link, 1013, "Try again later");
	cr_assert_eq(stage_told(EVENT_EDGE_APP_CLOSED)->edge_app_closed.link, link);
	stage_verdict(link, RESULT_OK, 1);
	cr_assert_eq(stage_out_count(), 0);
}

Test(gateway_app, not_json_closes_an_accepted_app)
{
	uint64_t link = stage_app(PACKAGE);

	stage_app_say(link, "{\"type\":\"x");
	stage_expect_close(0, link, 1011, "Internal server error");
	cr_assert_eq(stage_told(EVENT_EDGE_APP_CLOSED)->edge_app_closed.code, 1011);
	link = stage_app(PACKAGE);
	stage_app_say(link, "{\"type\":\"no_such_type\"}");
	stage_app_say(link, "7");
	cr_assert_eq(stage_out_count() + stage.fx.count, 0);
}

/* ---- subscriptions ---- */

static struct text subscribed(void)
{
	return stage_told(EVENT_EDGE_APP_SUBSCRIBED)->edge_app_subscribed.types;
}

static void expect_types(const char *first, uint32_t count)
{
	struct text type;
	struct wire wire;
	uint32_t found;

	cr_assert(list_read(subscribed(), &wire, &found));
	cr_assert_eq(found, count);
	cr_assert(count == 0 || (wire_text(&wire, &type) && text_is(type, first)));
}

Test(gateway_app, subscriptions_need_permission_for_streams)
{
	uint64_t plain = stage_app(PLAIN);

	stage_app_say(
		plain,
		"{\"type\":\"subscription_update\",\"subscriptions\":"
		"[\"rtmp_stream_status\",\"managed_stream_status\",\"all\",{\"stream\":\"loc\"}]}");
	expect_types("all", 2);
	stage_app_say(
		plain,
		"{\"type\":\"subscription_update\",\"subscriptions\":[\"rtmp_stream_status\"]}");
	expect_types("", 0);
	uint64_t camera = stage_app(PACKAGE);

	stage_app_say(
		camera,
		"{\"type\":\"subscription_update\",\"subscriptions\":[\"rtmp_stream_status\"]}");
	expect_types("rtmp_stream_status", 1);
}

Test(gateway_app, an_empty_list_counts_only_after_the_grace)
{
	const char *empty = "{\"type\":\"subscription_update\",\"subscriptions\":[ ]}";
	uint64_t link = stage_app(PACKAGE);

	stage.now_ms += 7999;
	stage_app_say(link, empty);
	cr_assert_eq(stage.fx.count, 0);
	stage.now_ms++;
	stage_app_say(link, empty);
	expect_types("", 0);
	stage_app_say(link, "{\"type\":\"subscription_update\",\"subscriptions\":7}");
	cr_assert_eq(stage.fx.count, 0);
}

Test(gateway_app, one_subscription_too_many_is_left_out)
{
	char json[4096] = "{\"type\":\"subscription_update\",\"subscriptions\":[\"t0\"";
	size_t length = strlen(json);
	uint64_t link = stage_app(PACKAGE);

	for (int i = 1; i <= SUBSCRIPTIONS_MAX; i++)
		length += (size_t)snprintf(json + length, sizeof json - length, ",\"t%d\"", i);
	snprintf(json + length, sizeof json - length, "]}");
	stage_app_say(link, json);
	expect_types("t0", SUBSCRIPTIONS_MAX);
}

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

/* ---- statuses ---- */

struct status {
	uint64_t link, epoch, seq;
	bool copy, terminal;
};

static void deliver(struct status status)
{
	stage_bus(&(struct stream_event){ .type = EVENT_DELIVER_STATUS,
					  .user_id = TEXT(USER),
					  .stream_id = TEXT("s1"),
					  .epoch = status.epoch,
					  .stream_seq = status.seq,
					  .cause = 4,
					  .deliver_status = { .link = status.link,
							      .package = TEXT(PACKAGE),
							      .owner = TEXT("own"),
							      .status = TEXT("active"),
							      .copy = status.copy,
							      .terminal = status.terminal } });
}

Test(gateway_app, statuses_and_copies)
{
	uint64_t link = stage_app(PACKAGE);

	deliver((struct status){ link, 5, 1, false, false });
	stage_expect_sent(0, link,
			  "{\"type\":\"rtmp_stream_status\",\"sessionId\":\"" SESSION
			  "\",\"streamId\":\"s1\",\"status\":\"active\",\"appId\":\"own\","
			  "\"timestamp\":\"" EPOCH_TIME "\"}");
	deliver((struct status){ link, 5, 1, true, false });
	stage_expect_sent(0, link,
			  "{\"type\":\"data_stream\",\"sessionId\":\"" SESSION
			  "\",\"streamType\":\"rtmp_stream_status\",\"data\":{\"type\":"
			  "\"rtmp_stream_status\",\"sessionId\":\"" USER
			  "\",\"streamId\":\"s1\",\"status\":\"active\",\"appId\":\"own\","
			  "\"timestamp\":\"" EPOCH_TIME "\"},\"timestamp\":\"" EPOCH_TIME "\"}");
}

Test(gateway_app, repeated_and_older_statuses_are_not_delivered)
{
	static const struct {
		uint64_t epoch, seq;
		bool newer;
	} rows[] = { { 5, 2, true },  { 5, 2, false }, { 5, 1, false },
		     { 4, 9, false }, { 6, 1, true },  { 5, 9, false } };
	uint64_t link = stage_app(PACKAGE);

	for (int copy = 0; copy < 2; copy++)
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			deliver((struct status){ link, rows[i].epoch, rows[i].seq, copy, false });
			cr_assert_eq(stage_out_count(), rows[i].newer ? 1 : 0, "row %zu", i);
		}
	cr_assert_eq(gateway_counts(stage.core)->statuses_stale, 8);
}

static void expect_told(enum outcome outcome)
{
	const struct stream_event *told = stage_told(EVENT_EDGE_APP_TOLD);

	cr_assert(told && told->edge_app_told.outcome == outcome);
	cr_assert(text_is(told->edge_app_told.package, PACKAGE));
	cr_assert_eq(told->epoch, 5);
	cr_assert_eq(told->cause, 4);
}

Test(gateway_app, the_end_is_confirmed_always_and_sent_once)
{
	uint64_t link = stage_app(PACKAGE);

	deliver((struct status){ link, 5, 2, false, true });
	cr_assert_eq(stage_out_count(), 1);
	expect_told(OUTCOME_SENT);
	deliver((struct status){ link, 5, 2, false, true });
	cr_assert_eq(stage_out_count(), 0);
	expect_told(OUTCOME_SENT);
	deliver((struct status){ link, 5, 3, true, true });
	cr_assert_null(stage_told(EVENT_EDGE_APP_TOLD));
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link });
	deliver((struct status){ link, 5, 4, false, true });
	expect_told(OUTCOME_DROPPED);
}

Test(gateway_app, a_replaced_socket_stays_open_and_silent)
{
	uint64_t older = stage_app(PACKAGE);
	uint64_t newer = stage_app(PACKAGE);

	deliver((struct status){ older, 5, 2, false, true });
	cr_assert_eq(stage_out_count(), 0);
	expect_told(OUTCOME_DROPPED);
	/* It may still act, but a refusal is kept from it: the SDK would give up the newer one. */
	stage_app_say(older, START);
	uint64_t request = stage_told(EVENT_REQUEST_START)->request;

	stage_app_say(older, CHECK);
	done(older, request, RESULT_REFUSED, "no");
	cr_assert_eq(stage_out_count(), 0);
	/* What it asked is answered. */
	checked(older, stage_told(EVENT_EDGE_CHECK)->request, KIND_NONE);
	cr_assert_eq(stage_out_count(), 1);
	stage_app_say(older, CHECK);
	cr_assert_not_null(stage_told(EVENT_EDGE_CHECK));
	/* After a loss of the registry only the newer is told of. */
	stage_registry(false);
	cr_assert_eq(stage_told(EVENT_EDGE_APP_OPENED)->edge_app_opened.link, newer);
	cr_assert_null(stage_effect(EVENT_EDGE_APP_OPENED, 1));
	/* Its end does not touch the newer one. */
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = older });
	deliver((struct status){ newer, 5, 2, false, false });
	cr_assert_eq(stage_out_count(), 1);
}

Test(gateway_app, a_refusal_that_is_kept_from_a_replaced_socket_lets_the_next_request_act)
{
	uint64_t older = stage_app(PLAIN);

	(void)stage_app(PLAIN);
	stage_app_say(older, START);
	uint64_t request = stage_told(EVENT_REQUEST_START)->request;

	stage_app_say(older, STOP);
	stage_bus(&(struct stream_event){ .type = EVENT_REQUEST_DONE,
					  .request = request,
					  .request_done = { .link = older,
							    .result = RESULT_REFUSED,
							    .reason = TEXT("no") } });
	cr_assert_eq(stage_out_count(), 0);
	cr_assert_not_null(stage_told(EVENT_REQUEST_STOP));
}

Test(gateway_app, deadlines_are_given_up_in_any_order)
{
	uint64_t links[3];

	stage_tick();
	for (int i = 0; i < 3; i++) {
		links[i] = stage_app_socket();
		stage.now_ms += 10;
	}
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = links[1] });
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = links[2] });
	stage_tick();
	stage.now_ms += 10000;
	stage_tick();
	cr_assert_eq(stage_out_count(), 1);
	stage_expect_close(0, links[0], 1008, "No init message");
}

Test(gateway_app, a_verdict_given_again_changes_nothing)
{
	uint64_t link = stage_app(PACKAGE);

	stage_verdict(link, RESULT_OK, 1);
	cr_assert_eq(stage_out_count() + stage.fx.count, 0);
	stage_verdict(link + 1, RESULT_OK, 1);
	cr_assert_eq(gateway_counts(stage.core)->links_missed, 1);
}

Test(gateway_app, an_app_is_stopped)
{
	uint64_t link = stage_app(PACKAGE);

	stage_bus(
		&(struct stream_event){ .type = EVENT_REGISTRY_LINK_CLOSE,
					.registry_link_close = { .link = link,
								 .app_stopped = true,
								 .code = 1000,
								 .reason = TEXT("App stopped") } });
	stage_expect_sent(0, link, "{\"type\":\"app_stopped\",\"timestamp\":\"" EPOCH_TIME "\"}");
	stage_expect_close(1, link, 1000, "App stopped");
	cr_assert_eq(stage_told(EVENT_EDGE_APP_CLOSED)->edge_app_closed.code, 1000);
}

Test(gateway_app, relays_and_capabilities)
{
	uint64_t link = stage_app(PACKAGE);

	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_RELAY,
		.registry_relay = { .link = link,
				    .type_name = TEXT("t"),
				    .message = TEXT("{\"type\":\"t\"}") } });
	stage_expect_sent(
		0, link,
		"{\"type\":\"data_stream\",\"sessionId\":\"" SESSION
		"\",\"streamType\":\"t\",\"data\":{\"type\":\"t\"},\"timestamp\":\"" EPOCH_TIME
		"\"}");
	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_CAPABILITIES,
		.registry_capabilities = { .link = link, .model = TEXT("No Such") } });
	stage_expect_sent(
		0, link,
		"{\"type\":\"capabilities_update\",\"capabilities\":null,\"modelName\":\"No "
		"Such\"}");
	cr_assert_eq(stage.fx.count, 0);
}
