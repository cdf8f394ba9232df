/* SPDX-License-Identifier: MIT */
/* Goal: REST calls are answered once, whatever becomes of the registry; webhooks are posted as the
 * protocol has them; routes are what section 1.6 lists.
 */
#include "actors/gateway/gateway_http.h"
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_rest, .init = stage_open, .fini = stage_close);

static void call(enum gateway_action action, const char *package)
{
	stage_edge((struct gateway_edge){ .type = GATEWAY_REST,
					  .call = ++stage.calls,
					  .action = action,
					  .user = TEXT(USER),
					  .package = text_of(package) });
}

static void result(uint64_t request, enum result outcome)
{
	stage_bus(&(struct stream_event){ .type = EVENT_REGISTRY_APP_RESULT,
					  .request = request,
					  .registry_app_result = { .result = outcome } });
}

static void expect_answer(uint64_t asked, unsigned status, const char *json)
{
	static char text[EDGE_ENCODED_MAX + 1];
	const struct gateway_out *out = stage_out(0);
	ssize_t length = edge_encode(&out->message, 0, text, EDGE_ENCODED_MAX);

	cr_assert_eq(out->type, GATEWAY_ANSWER);
	cr_assert_eq(out->call, asked);
	cr_assert_eq(out->code, status);
	text[length] = '\0';
	cr_assert_str_eq(text, json);
}

#define STARTED(word) \
	"{\"success\":true,\"data\":{\"status\":\"" word "\",\"packageName\":\"" PACKAGE \
	"\",\"appState\":{}}}"
#define REFUSED(words) "{\"success\":false,\"message\":\"" words "\"}"

Test(gateway_rest, start_and_stop_wait_for_the_registry)
{
	call(GATEWAY_APP_START, PACKAGE);
	const struct stream_event *event = stage_told(EVENT_EDGE_APP_START);

	cr_assert(event->edge_app_start.rest && event->edge_app_start.known);
	cr_assert_eq(event->origin, INCARNATION);
	cr_assert(text_is(event->user_id, USER));
	cr_assert_eq(stage_out_count(), 0);
	uint64_t request = event->request;

	result(request + 1, RESULT_OK);
	cr_assert_eq(stage_out_count(), 0);
	result(request, RESULT_OK);
	expect_answer(1, 200, STARTED("started"));
	result(request, RESULT_OK);
	cr_assert_eq(stage_out_count(), 0, "answered once");
	call(GATEWAY_APP_STOP, PACKAGE);
	result(stage_told(EVENT_EDGE_APP_STOP)->request, RESULT_OK);
	expect_answer(2, 200, STARTED("stopped"));
}

Test(gateway_rest, results)
{
	static const struct {
		enum result outcome;
		unsigned status;
		const char *json;
	} rows[] = {
		{ RESULT_FAILED, 200, STARTED("started") },
		{ RESULT_NOT_FOUND, 404, REFUSED("App not found") },
		{ RESULT_NO_SESSION, 401, REFUSED("No active session") },
		{ RESULT_FULL, 503, REFUSED("Not possible now, try again later") },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		call(GATEWAY_APP_START, PACKAGE);
		result(stage_told(EVENT_EDGE_APP_START)->request, rows[i].outcome);
		expect_answer(stage.calls, rows[i].status, rows[i].json);
	}
}

Test(gateway_rest, an_unknown_package_is_said_to_be_unknown)
{
	call(GATEWAY_APP_STOP, "no.such");
	cr_assert_not(stage_told(EVENT_EDGE_APP_STOP)->edge_app_stop.known);
}

Test(gateway_rest, no_answer_in_time)
{
	stage_tick();
	call(GATEWAY_APP_START, PACKAGE);
	uint64_t request = stage_told(EVENT_EDGE_APP_START)->request;

	for (int i = 0; i < 9; i++) {
		stage.now_ms += 1000;
		stage_tick();
		cr_assert_eq(stage_out_count(), 0);
	}
	cr_assert_leq(gateway_deadline(stage.core), stage.now_ms + 1000);
	stage.now_ms += 1000;
	stage_tick();
	expect_answer(1, 503, REFUSED("No answer in time, try again later"));
	result(request, RESULT_OK);
	cr_assert_eq(stage_out_count(), 0);
	cr_assert_eq(gateway_counts(stage.core)->answers_late, 1);
}

Test(gateway_rest, one_call_too_many)
{
	for (int i = 0; i < GATEWAY_REST_MAX; i++)
		call(GATEWAY_APP_START, PACKAGE);
	cr_assert_eq(stage_out_count(), 0);
	call(GATEWAY_APP_START, PACKAGE);
	expect_answer(GATEWAY_REST_MAX + 1, 503, REFUSED("Too many calls at a time"));
	/* A caller that goes away makes room. */
	stage_edge((struct gateway_edge){ .type = GATEWAY_REST_GONE, .call = 17 });
	call(GATEWAY_APP_START, PACKAGE);
	cr_assert_eq(stage_out_count(), 0);
}

static const struct stream_event *device_state(const char *json)
{
	struct edge_message message = { 0 };
	const struct edge_input input = { .side = EDGE_FROM_REST,
					  .type = EDGE_DEVICE_STATE,
					  .json = text_of(json),
					  .scratch = &stage.scratch };

	cr_assert_eq(edge_decode(&input, &message), 0);
	stage_edge((struct gateway_edge){ .type = GATEWAY_REST,
					  .call = 1,
					  .action = GATEWAY_DEVICE_STATE,
					  .user = TEXT(USER),
					  .message = &message });
	expect_answer(1, 200, "{\"success\":true}");
	return stage_told(EVENT_EDGE_GLASSES);
}

Test(gateway_rest, device_state_in_parts)
{
	const struct stream_event *state = device_state("{\"wifiConnected\":true}");

	cr_assert_not(state->edge_glasses.has_state);
	cr_assert_eq(state->edge_glasses.wifi, WIFI_ON);
	cr_assert_eq(state->edge_glasses.link, 0);
	state = device_state("{\"connected\":false,\"wifiConnected\":false}");
	cr_assert(state->edge_glasses.has_state && !state->edge_glasses.connected);
	cr_assert_eq(state->edge_glasses.wifi, WIFI_OFF);
	state = device_state("{\"modelName\":\"Simulated Glasses\"}");
	cr_assert(state->edge_glasses.has_state && state->edge_glasses.connected);
	cr_assert(text_is(state->edge_glasses.model, "Simulated Glasses"));
	cr_assert_eq(state->edge_glasses.wifi, WIFI_UNKNOWN);
	state = device_state("{\"modelName\":\"\"}");
	cr_assert(state->edge_glasses.has_state && !state->edge_glasses.connected);
}

/* ---- webhooks ---- */

static void hook(enum hook which, const char *package)
{
	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_HOOK,
		.user_id = TEXT(USER),
		.registry_hook = { .package = text_of(package), .hook = which, .hook_id = 8 } });
}

static void expect_post(const char *json)
{
	static char text[EDGE_ENCODED_MAX + 1];
	const struct gateway_out *out = stage_out(0);
	ssize_t length = edge_encode(&out->message, 0, text, EDGE_ENCODED_MAX);

	cr_assert_eq(out->type, GATEWAY_POST);
	cr_assert_eq(out->hook_id, 8);
	cr_assert(text_is(out->url, "http://cam"));
	text[length] = '\0';
	cr_assert_str_eq(text, json);
}

Test(gateway_rest, webhooks)
{
	hook(HOOK_SESSION, PACKAGE);
	expect_post("{\"type\":\"session_request\",\"sessionId\":\"" SESSION "\",\"userId\":\"" USER
		    "\",\"timestamp\":\"" EPOCH_TIME
		    "\",\"augmentOSWebsocketUrl\":\"wss://cloud/app-ws\"}");
	hook(HOOK_STOP, PACKAGE);
	expect_post("{\"type\":\"stop_request\",\"sessionId\":\"" SESSION "\",\"userId\":\"" USER
		    "\",\"reason\":\"user_disabled\",\"timestamp\":\"" EPOCH_TIME "\"}");
	stage_edge((struct gateway_edge){ .type = GATEWAY_POSTED,
					  .user = TEXT(USER),
					  .package = TEXT(PACKAGE),
					  .hook = HOOK_STOP,
					  .hook_id = 8,
					  .ok = true });
	const struct stream_event *posted = stage_told(EVENT_EDGE_HOOK_DONE);

	cr_assert(posted->edge_hook_done.ok);
	cr_assert_eq(posted->edge_hook_done.hook_id, 8);
	cr_assert_eq(posted->edge_hook_done.hook, HOOK_STOP);
}

Test(gateway_rest, an_app_that_cannot_be_called_has_failed)
{
	hook(HOOK_SESSION, "no.such");
	cr_assert_eq(stage_out_count(), 0);
	cr_assert_not(stage_told(EVENT_EDGE_HOOK_DONE)->edge_hook_done.ok);
	hook(HOOK_SESSION, "com.example.dash");
	cr_assert_not(stage_told(EVENT_EDGE_HOOK_DONE)->edge_hook_done.ok);
}

/* ---- routes ---- */

Test(gateway_rest, routes)
{
	static const struct {
		const char *method, *path;
		enum gateway_route route;
		const char *first;
	} rows[] = {
		{ "GET", "/health", GATEWAY_ROUTE_HEALTH, "" },
		{ "GET", "/healthz", GATEWAY_ROUTE_ALIVE, "" },
		{ "GET", "/readyz", GATEWAY_ROUTE_READY, "" },
		{ "POST", "/readyz", GATEWAY_ROUTE_METHOD, "" },
		{ "", "/health", GATEWAY_ROUTE_METHOD, "" },
		{ "POST", "/apps/a.b/start", GATEWAY_ROUTE_APP_START, "a.b" },
		{ "POST", "/api/apps/a.b/stop", GATEWAY_ROUTE_APP_STOP, "a.b" },
		{ "GET", "/apps/a.b/start", GATEWAY_ROUTE_METHOD, "" },
		{ "POST", "/apps//start", GATEWAY_ROUTE_UNKNOWN, "" },
		{ "POST", "/apps/a/b/start", GATEWAY_ROUTE_UNKNOWN, "" },
		{ "POST", "/apps/a.b/start/", GATEWAY_ROUTE_UNKNOWN, "" },
		{ "POST", "/apps/a.b", GATEWAY_ROUTE_UNKNOWN, "" },
		{ "POST", "/api/client/device/state", GATEWAY_ROUTE_DEVICE_STATE, "" },
		{ "GET", "/api/public/permissions/a.b", GATEWAY_ROUTE_PERMISSIONS, "a.b" },
		{ "POST", "/api/streams/m1/outputs", GATEWAY_ROUTE_OUTPUT_ADD, "m1" },
		{ "GET", "/api/streams/m1/outputs", GATEWAY_ROUTE_OUTPUT_LIST, "m1" },
		{ "DELETE", "/api/streams/m1/outputs", GATEWAY_ROUTE_METHOD, "" },
		{ "DELETE", "/api/streams/m1/outputs/3", GATEWAY_ROUTE_OUTPUT_REMOVE, "m1" },
		{ "POST", "/api/streams/m1/outputs/3", GATEWAY_ROUTE_METHOD, "" },
		{ "DELETE", "/api/streams/m1/outputs/", GATEWAY_ROUTE_UNKNOWN, "" },
		{ "GET", "/api/streams//outputs", GATEWAY_ROUTE_UNKNOWN, "" },
		{ "GET", "", GATEWAY_ROUTE_UNKNOWN, "" },
		{ "GET", "/glasses-ws", GATEWAY_ROUTE_UNKNOWN, "" },
	};
	char longest[PACKAGE_MAX + 32];
	struct gateway_names names;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		cr_assert_eq(gateway_http_route(rows[i].method, text_of(rows[i].path), &names),
			     rows[i].route, "%s %s", rows[i].method, rows[i].path);
		cr_assert(text_is(names.first, rows[i].first), "%s", rows[i].path);
		cr_assert(text_is(names.second,
				  rows[i].route == GATEWAY_ROUTE_OUTPUT_REMOVE ? "3" : ""));
	}
	for (int extra = 0; extra < 2; extra++) {
		memset(longest, 'p', sizeof longest);
		memcpy(longest, "/apps/", 6);
		memcpy(longest + 6 + PACKAGE_MAX + extra, "/stop", 6);
		cr_assert_eq(gateway_http_route("POST", text_of(longest), &names),
			     extra ? GATEWAY_ROUTE_UNKNOWN : GATEWAY_ROUTE_APP_STOP);
	}
}

Test(gateway_rest, bearers)
{
	cr_assert(text_is(gateway_http_bearer(TEXT("Bearer abc")), "abc"));
	cr_assert(text_is(gateway_http_bearer(TEXT("Bearer abc def")), "abc"));
	cr_assert_eq(gateway_http_bearer(TEXT("Bearer")).length, 0);
	cr_assert_eq(gateway_http_bearer(TEXT("Bearer ")).length, 0);
	cr_assert_eq(gateway_http_bearer((struct text){ 0 }).length, 0);
}

Test(gateway_rest, permissions)
{
	char bytes[1024];
	struct gateway_app app = { .package = TEXT("a\"b") };

	cr_assert(text_is(gateway_http_permissions(&app, bytes, sizeof bytes),
			  "{\"success\":true,\"packageName\":\"a\\\"b\",\"permissions\":[]}"));
	app.permissions = GATEWAY_CAMERA | GATEWAY_ALL;
	cr_assert(text_is(gateway_http_permissions(&app, bytes, sizeof bytes),
			  "{\"success\":true,\"packageName\":\"a\\\"b\",\"permissions\":[{\"type\":"
			  "\"CAMERA\"},{\"type\":\"ALL\"}]}"));
}
