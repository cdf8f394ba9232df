/* SPDX-License-Identifier: MIT */
/* gateway_doors.c - who comes in: upgrades and their credentials, messages, REST calls. */
#include <assert.h>
#include <stdio.h>

#include "actors/gateway/gateway_shell.h"
#include "common/log.h"

#define RESPONSE_401 "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n"
#define RESPONSE_503 \
	"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n" \
	"Retry-After: %u\r\n\r\n{\"success\":false,\"message\":\"Try again later\"}"
#define RETRY_AFTER_S 8 /* at most, from 1: those sent away together shall not return together */

/* ---- upgrades ---- */

static void refuse(struct gateway_shell *shell, const struct edge_message *message,
		   struct gateway_ws_verdict *verdict)
{
	const size_t head = sizeof RESPONSE_401 - 1;
	ssize_t length;

	memcpy(shell->response, RESPONSE_401, head);
	length = edge_encode(message, daemon_wall_ms(), shell->response + head,
			     sizeof shell->response - head);
	verdict->decision = GATEWAY_WS_REFUSE;
	verdict->bytes = (struct text){ shell->response,
					(uint32_t)head + (length > 0 ? (uint32_t)length : 0) };
}

static void refuse_glasses(struct gateway_shell *shell, bool token_given,
			   struct gateway_ws_verdict *verdict)
{
	struct edge_message message = { .type = EDGE_CONNECTION_ERROR };

	message.connection_error.message =
		token_given ? TEXT("Invalid core token") : TEXT("No core token provided");
	verdict->failed = token_given;
	daemon_count(shell->daemon, "gateway.tokens_refused", 1);
	log_limited_by("gateway.token_refused", token_given ? "wrong" : "missing",
		       log_bool("given", token_given));
	refuse(shell, &message, verdict);
}

/* A wrong key, or an unknown package: which of them is not for others to know. */
static void key_refused(struct gateway_shell *shell, uint64_t link)
{
	daemon_count(shell->daemon, "gateway.keys_refused", 1);
	log_limited("gateway.key_refused", log_u64("link", link));
	gateway_ws_failed(shell->ws, link);
}

static void refuse_app(struct gateway_shell *shell, struct text code, struct text reason,
		       struct gateway_ws_verdict *verdict)
{
	struct edge_message message = { .type = EDGE_TPA_CONNECTION_ERROR };
	char word[CODE_MAX + 1];

	message.tpa_connection_error.code = code;
	message.tpa_connection_error.message = reason;
	verdict->failed = text_is(code, "JWT_INVALID");
	daemon_count(shell->daemon, "gateway.tokens_refused", 1);
	(void)text_put(code, word, sizeof word);
	log_limited_by("gateway.app_token_refused", word, log_str("code", word));
	refuse(shell, &message, verdict);
}

static struct text keep(char **at, struct text text)
{
	struct text kept = { *at, text.length };

	memcpy(*at, text.bytes, text.length);
	*at += text.length;
	return kept;
}

static void send_away(struct gateway_shell *shell, struct gateway_ws_verdict *verdict)
{
	struct gateway_totals totals = gateway_totals(shell->core);
	int length = snprintf(shell->response, sizeof shell->response, RESPONSE_503,
			      ++shell->sent_away % RETRY_AFTER_S + 1);

	verdict->decision = GATEWAY_WS_REFUSE;
	verdict->bytes = (struct text){ shell->response, (uint32_t)length };
	daemon_count(shell->daemon, "gateway.upgrades_refused", 1);
	if (!gateway_draining(shell->core))
		log_limited("gateway.upgrade_refused", log_u64("glasses", totals.glasses),
			    log_u64("apps", totals.apps), log_u64("arriving", totals.arriving));
}

/* A slot for the one who may come in. */
static void accept(struct gateway_shell *shell, enum gateway_ws_kind kind,
		   struct gateway_ws_verdict *verdict)
{
	uint64_t link = gateway_reserve(shell->core);

	assert(link != 0); /* gateway_admits() */
	shell->guest.link = link;
	shell->guest.kind = kind;
	verdict->decision = GATEWAY_WS_ACCEPT;
	verdict->link = link;
	verdict->kind = kind;
}

static bool verify(struct gateway_shell *shell, struct text token, struct gateway_claims *claims)
{
	return gateway_jwt_verify(&shell->secrets, token, daemon_wall_ms() / 1000, claims) == 0;
}

static void judge_glasses(struct gateway_shell *shell, const struct gateway_ws_request *request,
			  struct gateway_ws_verdict *verdict)
{
	struct text token = gateway_http_bearer(request->authorization);
	struct gateway_claims claims;
	char *at = shell->guest.texts;

	if (token.length == 0)
		token = request->token;
	if (token.length == 0 || !verify(shell, token, &claims) || claims.email.length == 0) {
		refuse_glasses(shell, token.length > 0, verdict);
		return;
	}
	shell->guest.user = keep(&at, claims.email);
	accept(shell, GATEWAY_WS_GLASSES, verdict);
}

/* A token instead of an init message; version 2.1.28 of the SDK does not use it. */
static void judge_app(struct gateway_shell *shell, const struct gateway_ws_request *request,
		      struct gateway_ws_verdict *verdict)
{
	struct gateway_guest *guest = &shell->guest;
	struct gateway_claims claims;
	char *at = guest->texts;

	if (request->authorization.length == 0) {
		accept(shell, GATEWAY_WS_APP, verdict);
		return;
	}
	if (request->user_id.length == 0 || request->session_id.length == 0) {
		refuse_app(shell, TEXT("MISSING_HEADERS"), TEXT("Missing required headers"),
			   verdict);
		return;
	}
	if (!verify(shell, gateway_http_bearer(request->authorization), &claims) ||
	    claims.package.length == 0 || claims.api_key.length == 0 ||
	    request->user_id.length > USER_ID_MAX ||
	    request->session_id.length > EDGE_SESSION_ID_MAX) {
		refuse_app(shell, TEXT("JWT_INVALID"), TEXT("Invalid JWT token"), verdict);
		return;
	}
	guest->user = keep(&at, request->user_id);
	guest->init.type = EDGE_TPA_CONNECTION_INIT;
	guest->init.tpa_connection_init.session_id = keep(&at, request->session_id);
	guest->init.tpa_connection_init.package = keep(&at, claims.package);
	guest->key_ok = gateway_apps_key_ok(&shell->apps, claims.package, claims.api_key);
	accept(shell, GATEWAY_WS_APP, verdict);
}

static void on_upgrade(void *context, const struct gateway_ws_request *request,
		       struct gateway_ws_verdict *verdict)
{
	struct gateway_shell *shell = context;
	const bool glasses = text_is(request->path, "/glasses-ws");

	memset(&shell->guest, 0, sizeof shell->guest);
	if (!glasses && !text_is(request->path, "/app-ws"))
		verdict->decision = GATEWAY_WS_DESTROY;
	else if (!gateway_admits(shell->core, glasses)) /* before any work on credentials */
		send_away(shell, verdict);
	else if (glasses)
		judge_glasses(shell, request, verdict);
	else
		judge_app(shell, request, verdict);
}

static void on_opened(void *context, uint64_t link)
{
	struct gateway_shell *shell = context;
	const struct gateway_guest *guest = &shell->guest;
	const bool glasses = guest->kind == GATEWAY_WS_GLASSES;

	daemon_count(shell->daemon, "gateway.sockets_opened", 1);
	gateway_feed(shell, &(struct gateway_edge){ .type = glasses ? GATEWAY_GLASSES_OPENED
								    : GATEWAY_APP_OPENED,
						    .link = link,
						    .user = guest->user });
	if (guest->init.type == EDGE_NONE)
		return;
	if (!guest->key_ok)
		key_refused(shell, link);
	gateway_feed(shell, &(struct gateway_edge){ .type = GATEWAY_MESSAGE,
						    .link = link,
						    .user = guest->user,
						    .message = &guest->init,
						    .key_ok = guest->key_ok });
}

/* ---- messages ---- */

static void on_message(void *context, uint64_t link, enum gateway_ws_kind kind, struct text text)
{
	struct gateway_shell *shell = context;
	struct edge_message message = { 0 };
	struct gateway_edge edge = { .type = GATEWAY_MESSAGE, .link = link, .message = &message };
	const struct edge_input input = {
		.side = kind == GATEWAY_WS_GLASSES ? EDGE_FROM_GLASSES : EDGE_FROM_APP,
		.json = text,
		.scratch = &shell->scratch,
	};

	if (edge_decode(&input, &message) == EDGE_E_NOT_JSON)
		edge.type = GATEWAY_NOT_JSON;
	if (message.type == EDGE_TPA_CONNECTION_INIT) {
		edge.key_ok = gateway_apps_key_ok(&shell->apps, message.tpa_connection_init.package,
						  message.tpa_connection_init.api_key);
		if (!edge.key_ok)
			key_refused(shell, link);
	}
	gateway_feed(shell, &edge);
}

static void on_lost(void *context, uint64_t link, unsigned code)
{
	gateway_feed(context,
		     &(struct gateway_edge){ .type = GATEWAY_LOST, .link = link, .code = code });
}

static void on_closed(void *context, uint64_t link, unsigned code)
{
	struct gateway_shell *shell = context;

	daemon_count(shell->daemon, "gateway.sockets_closed", 1);
	gateway_feed(shell,
		     &(struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = code });
}

/* ---- REST ---- */

static void answer(struct gateway_shell *shell, uint64_t call, unsigned status,
		   const struct edge_message *message)
{
	ssize_t length =
		edge_encode(message, daemon_wall_ms(), shell->answer, sizeof shell->answer);

	gateway_ws_answer(shell->ws, call, status,
			  (struct text){ shell->answer, length > 0 ? (uint32_t)length : 0 });
}

static void refuse_call(struct gateway_shell *shell, uint64_t call, unsigned status,
			struct text words)
{
	struct edge_message message = { .type = EDGE_REST_ERROR };

	message.rest_error.message = words;
	answer(shell, call, status, &message);
}

static void answer_health(struct gateway_shell *shell, uint64_t call)
{
	struct edge_message message = { .type = EDGE_REST_HEALTH };

	message.rest_health.active_count = gateway_totals(shell->core).users;
	message.rest_health.uptime = (uint64_t)(daemon_now_ms() - shell->started_ms) / 1000;
	answer(shell, call, 200, &message);
}

static void answer_permissions(struct gateway_shell *shell, uint64_t call, struct text package)
{
	const struct gateway_app *app = gateway_directory_find(&shell->apps.directory, package);

	if (!app) {
		refuse_call(shell, call, 404, TEXT("App not found"));
		return;
	}
	gateway_ws_answer(shell->ws, call, 200,
			  gateway_http_permissions(app, shell->answer, sizeof shell->answer));
}

static void answer_ready(struct gateway_shell *shell, uint64_t call)
{
	static const struct edge_message done = { .type = EDGE_REST_DONE };

	if (daemon_is_ready(shell->daemon) && !gateway_draining(shell->core))
		answer(shell, call, 200, &done);
	else
		refuse_call(shell, call, 503, TEXT("Not ready"));
}

static bool read_body(struct gateway_shell *shell, enum edge_type type, struct text body,
		      struct edge_message *out)
{
	const struct edge_input input = {
		.side = EDGE_FROM_REST, .type = type, .json = body, .scratch = &shell->scratch
	};

	return edge_decode(&input, out) == 0;
}

static void call_unauthorized(struct gateway_shell *shell, const char *what)
{
	daemon_count(shell->daemon, "gateway.tokens_refused", 1);
	log_limited_by("gateway.call_refused", what, log_str("what", what));
}

/* Calls of a user, who is known by the core token. */
static void call_core(struct gateway_shell *shell, const struct gateway_ws_request *request,
		      enum gateway_action action, struct text package)
{
	struct edge_message message = { 0 };
	struct gateway_claims claims;

	if (!verify(shell, gateway_http_bearer(request->authorization), &claims) ||
	    claims.email.length == 0) {
		call_unauthorized(shell, "token");
		refuse_call(shell, request->call, 401, TEXT("Unauthorized"));
		return;
	}
	if (action == GATEWAY_DEVICE_STATE &&
	    !read_body(shell, EDGE_DEVICE_STATE, request->body, &message)) {
		refuse_call(shell, request->call, 400, TEXT("The body must be a JSON object"));
		return;
	}
	gateway_feed(shell, &(struct gateway_edge){ .type = GATEWAY_REST,
						    .call = request->call,
						    .action = action,
						    .user = claims.email,
						    .package = package,
						    .message = &message });
}

static void refuse_output(struct gateway_shell *shell, uint64_t call, unsigned status,
			  struct text code, struct text words)
{
	struct edge_message message = { .type = EDGE_OUTPUT_ERROR };

	message.output_error.error = code;
	message.output_error.message = words;
	answer(shell, call, status, &message);
}

/* Calls of an app, which is known by its key and says in the body or in the query who it is. */
static void call_output(struct gateway_shell *shell, const struct gateway_ws_request *request,
			enum gateway_action action, const struct gateway_names *names)
{
	struct edge_message message = { .type = EDGE_OUTPUT };
	struct text package;

	if ((request->body.length > 0 || action == GATEWAY_OUTPUT_ADD) &&
	    !read_body(shell, EDGE_OUTPUT, request->body, &message)) {
		refuse_output(shell, request->call, 400, TEXT("INVALID_BODY"),
			      TEXT("The body must be a JSON object"));
		return;
	}
	package = message.output.package.length > 0 ? message.output.package : request->package;
	if (!gateway_apps_key_ok(&shell->apps, package,
				 gateway_http_bearer(request->authorization))) {
		call_unauthorized(shell, "key");
		refuse_output(shell, request->call, 401, TEXT("UNAUTHORIZED"),
			      TEXT("packageName and its API key as bearer are needed"));
		return;
	}
	gateway_feed(shell, &(struct gateway_edge){ .type = GATEWAY_REST,
						    .call = request->call,
						    .action = action,
						    .package = package,
						    .stream_id = names->first,
						    .output_id = names->second,
						    .message = &message });
}

static void on_call(void *context, const struct gateway_ws_request *request)
{
	struct gateway_shell *shell = context;
	static const struct edge_message done = { .type = EDGE_REST_DONE };
	struct gateway_names names;

	daemon_count(shell->daemon, "gateway.rest_calls", 1);
	switch (gateway_http_route(request->method, request->path, &names)) {
	case GATEWAY_ROUTE_UNKNOWN:
		refuse_call(shell, request->call, 404, TEXT("Not found"));
		return;
	case GATEWAY_ROUTE_METHOD:
		refuse_call(shell, request->call, 405, TEXT("Method not allowed"));
		return;
	case GATEWAY_ROUTE_HEALTH:
		answer_health(shell, request->call);
		return;
	case GATEWAY_ROUTE_ALIVE:
		answer(shell, request->call, 200, &done);
		return;
	case GATEWAY_ROUTE_READY:
		answer_ready(shell, request->call);
		return;
	case GATEWAY_ROUTE_PERMISSIONS:
		answer_permissions(shell, request->call, names.first);
		return;
	case GATEWAY_ROUTE_APP_START:
		call_core(shell, request, GATEWAY_APP_START, names.first);
		return;
	case GATEWAY_ROUTE_APP_STOP:
		call_core(shell, request, GATEWAY_APP_STOP, names.first);
		return;
	case GATEWAY_ROUTE_DEVICE_STATE:
		call_core(shell, request, GATEWAY_DEVICE_STATE, names.first);
		return;
	case GATEWAY_ROUTE_OUTPUT_ADD:
		call_output(shell, request, GATEWAY_OUTPUT_ADD, &names);
		return;
	case GATEWAY_ROUTE_OUTPUT_LIST:
		call_output(shell, request, GATEWAY_OUTPUT_LIST, &names);
		return;
	case GATEWAY_ROUTE_OUTPUT_REMOVE:
		call_output(shell, request, GATEWAY_OUTPUT_REMOVE, &names);
		return;
	}
}

static void on_gone(void *context, uint64_t call)
{
	gateway_feed(context, &(struct gateway_edge){ .type = GATEWAY_REST_GONE, .call = call });
}

static void on_count(void *context, const char *name, uint64_t add)
{
	daemon_count(((struct gateway_shell *)context)->daemon, name, add);
}

struct gateway_ws_events gateway_doors(struct gateway_shell *shell)
{
	return (struct gateway_ws_events){
		.upgrade = on_upgrade,
		.opened = on_opened,
		.message = on_message,
		.lost = on_lost,
		.closed = on_closed,
		.call = on_call,
		.gone = on_gone,
		.count = on_count,
		.context = shell,
	};
}
