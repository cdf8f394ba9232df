/* SPDX-License-Identifier: MIT */
/* gateway_stage.h - a gateway core alone on a stage: a test says what comes from the bus and from
 * the sockets, and looks at what it wants done on either side.
 */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/gateway/gateway_core.h"
#include "proto/list.h"

#define USER "u-1@example.com"
#define PACKAGE "com.example.cam"
#define PLAIN "com.example.plain"
#define SESSION USER "-" PACKAGE
#define INCARNATION 77

struct stage {
	struct gateway *core;
	struct effects fx;
	struct edge_scratch scratch;
	int64_t now_ms;
	uint64_t calls;
};

static struct stage stage;

static const struct gateway_app stage_apps[] = {
	{ .package = { PACKAGE, sizeof PACKAGE - 1 },
	  .webhook = { "http://cam", 10 },
	  .permissions = GATEWAY_CAMERA,
	  .type = APP_TYPE_STANDARD },
	{ .package = { "com.example.dash", 16 },
	  .permissions = GATEWAY_ALL,
	  .type = APP_TYPE_DASHBOARD },
	{ .package = { PLAIN, sizeof PLAIN - 1 },
	  .webhook = { "http://plain", 12 },
	  .type = APP_TYPE_BACKGROUND },
};

static const struct gateway_directory stage_directory = { stage_apps, 3 };

static inline struct gateway_options stage_options(void)
{
	return (struct gateway_options){
		.incarnation = INCARNATION,
		.connections_max = 64,
		.starts_per_min = 30,
		.starts_burst = 20,
		.beat_ms = 1000,
		.request_timeout_ms = 10000,
		.watch_timeout_ms = 28000,
		.init_ms = 10000,
		.empty_subscription_grace_ms = 8000,
		.websocket_url = TEXT("wss://cloud/app-ws"),
	};
}

static inline void stage_open_with(struct gateway_options options)
{
	size_t bytes = gateway_bytes(&options);
	void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);

	cr_assert_not_null(memory);
	memset(memory, 0, bytes);
	stage.core = gateway_init(memory, &options);
	gateway_set_directory(stage.core, &stage_directory);
	stage.now_ms = 1000000;
}

static inline void stage_close(void)
{
	free(stage.core);
}

/* ---- what comes in ---- */

static inline void stage_input(const struct input *input)
{
	gateway_handle(stage.core, input, stage.now_ms, &stage.fx);
}

static inline void stage_bus(const struct stream_event *event)
{
	stage_input(&(struct input){ .type = INPUT_MESSAGE, .event = event });
}

static inline void stage_tick(void)
{
	stage_input(&(struct input){ .type = INPUT_TICK });
}

static inline void stage_registry(bool known)
{
	stage_input(&(struct input){ .type = INPUT_PEER_UP,
				     .peer = { ROLE_REGISTRY, 5 },
				     .peer_name = "registry",
				     .known = known });
}

static inline void stage_edge(struct gateway_edge edge)
{
	gateway_edge(stage.core, &edge, stage.now_ms, &stage.fx);
}

static inline void stage_say(uint64_t link, enum edge_side side, const char *json, bool key_ok)
{
	struct edge_message message = { 0 };
	const struct edge_input input = { .side = side,
					  .json = text_of(json),
					  .scratch = &stage.scratch };
	bool not_json = edge_decode(&input, &message) == EDGE_E_NOT_JSON;

	stage_edge((struct gateway_edge){ .type = not_json ? GATEWAY_NOT_JSON : GATEWAY_MESSAGE,
					  .link = link,
					  .message = &message,
					  .key_ok = key_ok });
}

static inline void stage_glasses_say(uint64_t link, const char *json)
{
	stage_say(link, EDGE_FROM_GLASSES, json, false);
}

static inline void stage_app_say(uint64_t link, const char *json)
{
	stage_say(link, EDGE_FROM_APP, json, true);
}

/* ---- what comes out ---- */

/* The @nth effect with an event of @type, or NULL. */
static inline const struct effect *stage_effect(enum stream_event_type type, size_t nth)
{
	for (size_t i = 0; i < stage.fx.count; i++)
		if (stage.fx.items[i].event.type == type && nth-- == 0)
			return &stage.fx.items[i];
	return NULL;
}

static inline const struct stream_event *stage_told(enum stream_event_type type)
{
	const struct effect *effect = stage_effect(type, 0);

	return effect ? &effect->event : NULL;
}

static inline size_t stage_out_count(void)
{
	size_t count;

	(void)gateway_outs(stage.core, &count);
	return count;
}

static inline const struct gateway_out *stage_out(size_t nth)
{
	size_t count;
	const struct gateway_out *outs = gateway_outs(stage.core, &count);

	cr_assert(nth < count, "only %zu outs", count);
	return &outs[nth];
}

/* Out @nth is this message, as JSON; times are written as of 0. */
static inline void stage_expect_sent(size_t nth, uint64_t link, const char *json)
{
	static char text[EDGE_ENCODED_MAX + 1];
	const struct gateway_out *out = stage_out(nth);
	ssize_t length = edge_encode(&out->message, 0, text, EDGE_ENCODED_MAX);

	cr_assert_eq(out->type, GATEWAY_SEND);
	cr_assert_eq(out->link, link);
	cr_assert_gt(length, 0);
	text[length] = '\0';
	cr_assert_str_eq(text, json);
}

static inline void stage_expect_close(size_t nth, uint64_t link, unsigned code, const char *reason)
{
	const struct gateway_out *out = stage_out(nth);

	cr_assert_eq(out->type, GATEWAY_CLOSE);
	cr_assert_eq(out->link, link);
	cr_assert_eq(out->code, code);
	cr_assert(text_is(out->reason, reason), "%.*s", (int)out->reason.length, out->reason.bytes);
}

#define EPOCH_TIME "1970-01-01T00:00:00.000Z"
#define APP_ERROR(code, words) \
	"{\"type\":\"tpa_connection_error\",\"code\":\"" code "\",\"message\":\"" words \
	"\",\"timestamp\":\"" EPOCH_TIME "\"}"

/* ---- scenes ---- */

static inline uint64_t stage_glasses_of(const char *user)
{
	uint64_t link = gateway_reserve(stage.core);

	cr_assert_neq(link, 0);
	stage_edge((struct gateway_edge){
		.type = GATEWAY_GLASSES_OPENED, .link = link, .user = text_of(user) });
	return link;
}

static inline void stage_notice(uint64_t link, enum notice notice)
{
	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_GLASSES_NOTICE,
		.registry_glasses_notice = { .link = link, .notice = notice } });
}

/* Glasses of USER that have their connection_ack. */
static inline uint64_t stage_glasses(void)
{
	uint64_t link = stage_glasses_of(USER);

	stage_notice(link, NOTICE_CONNECTION_ACK);
	return link;
}

static inline uint64_t stage_app_socket(void)
{
	uint64_t link = gateway_reserve(stage.core);

	cr_assert_neq(link, 0);
	stage_edge((struct gateway_edge){ .type = GATEWAY_APP_OPENED, .link = link });
	return link;
}

static inline void stage_init(uint64_t link, const char *session, const char *package)
{
	char json[1024];

	snprintf(json, sizeof json,
		 "{\"type\":\"tpa_connection_init\",\"sessionId\":\"%s\",\"packageName\":\"%s\","
		 "\"apiKey\":\"k\"}",
		 session, package);
	stage_app_say(link, json);
}

static inline void stage_verdict(uint64_t link, enum result result, uint64_t seen_seq)
{
	stage_bus(&(struct stream_event){
		.type = EVENT_REGISTRY_APP_RESULT,
		.registry_app_result = { .link = link, .result = result, .seen_seq = seen_seq } });
}

/* An accepted app of USER. */
static inline uint64_t stage_app(const char *package)
{
	char session[256];
	uint64_t link = stage_app_socket();

	snprintf(session, sizeof session, USER "-%s", package);
	stage_init(link, session, package);
	stage_verdict(link, RESULT_OK, 9);
	return link;
}

static inline void stage_open(void)
{
	stage_open_with(stage_options());
	stage_registry(false);
}
