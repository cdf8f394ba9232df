/* SPDX-License-Identifier: MIT */
/* gateway_ws_visit.c - connections before they are WebSockets: upgrades and REST calls. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/gateway/gateway_ws_internal.h"

#define TEXT_MAX GATEWAY_WS_HEAD_MAX /* the library has no more of any text */
#define ANSWER_HEAD_MAX 256
#define HEADER_WORD_MAX 16 /* longer than any word that a header is compared with */
#define STATUS_UNAUTHORIZED 401
#define KEY_DIGITS 22
#define KEY_LENGTH 24

/* An upgrade that is refused ends with the connection: no Content-Length. */
#define REFUSAL(status, header, message) \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\n" header "\r\n" \
	"{\"success\":false,\"message\":\"" message "\"}"

static uint32_t slot_of(const struct gateway_ws *ws, const struct visit *visit)
{
	return (uint32_t)(visit - ws->visits);
}

/* ---- beginning and end ---- */

bool gateway_ws_visit_has_room(const struct gateway_ws *ws)
{
	return ws->visit_free != WS_NONE || ws->visit_next < GATEWAY_VISITS_MAX;
}

struct visit *gateway_ws_visit_begin(struct gateway_ws *ws, uint32_t address)
{
	uint32_t slot = ws->visit_free;

	if (slot != WS_NONE)
		ws->visit_free = ws->visits[slot].next_free;
	else if (ws->visit_next < GATEWAY_VISITS_MAX)
		slot = ws->visit_next++;
	else
		return NULL;
	struct visit *visit = &ws->visits[slot];

	*visit = (struct visit){
		.id = ++ws->visit_count << VISIT_BITS | slot,
		.address = address,
	};
	gateway_ws_clock_set(ws, WS_HANDSHAKE, slot,
			     gateway_ws_now_ms() + ws->options.handshake_ms);
	return visit;
}

bool gateway_ws_is_visit(const struct gateway_ws *ws, const void *pointer)
{
	return (const struct visit *)pointer >= ws->visits &&
	       (const struct visit *)pointer < ws->visits + GATEWAY_VISITS_MAX;
}

void gateway_ws_visit_end(struct gateway_ws *ws, struct visit *visit)
{
	const struct gateway_ws_events *events = &ws->options.events;
	uint64_t link = visit->link, call = visit->called && !visit->answered ? visit->id : 0;

	if (visit->id == 0)
		return;
	gateway_ws_clock_clear(ws, WS_HANDSHAKE, slot_of(ws, visit));
	if (visit->address != GATEWAY_ADDRESS_NONE) {
		gateway_ws_left(ws, visit->address);
		if (visit->wsi)
			lws_set_opaque_user_data(visit->wsi, NULL);
	}
	free(visit->texts);
	free(visit->body);
	free(visit->answer);
	*visit = (struct visit){ .next_free = ws->visit_free };
	ws->visit_free = slot_of(ws, visit);
	gateway_ws_visit_room(ws);
	if (link != 0 && !ws->ended)
		events->closed(events->context, link, 1006);
	if (call != 0 && !ws->ended)
		events->gone(events->context, call);
}

/* ---- the request ---- */

static struct text copy_token(struct lws *wsi, enum lws_token_indexes token, char **at)
{
	int length = lws_hdr_copy(wsi, *at, TEXT_MAX + 1, token);
	struct text copied = { *at, length > 0 ? (uint32_t)length : 0 };

	*at += copied.length;
	return copied;
}

static struct text copy_custom(struct lws *wsi, const char *name, char **at)
{
	int length = lws_hdr_custom_copy(wsi, *at, TEXT_MAX + 1, name, (int)strlen(name));
	struct text copied = { *at, length > 0 ? (uint32_t)length : 0 };

	*at += copied.length;
	return copied;
}

/* The first @name of the query, "name=", decoded by the library. */
static bool copy_query(struct lws *wsi, const char *name, char **at, struct text *out)
{
	const size_t head = strlen(name);

	for (int i = 0;; i++) {
		int length =
			lws_hdr_copy_fragment(wsi, *at, TEXT_MAX + 1, WSI_TOKEN_HTTP_URI_ARGS, i);

		if (length < 0)
			return false;
		if (strncmp(*at, name, head) != 0)
			continue;
		*out = (struct text){ *at + head, (uint32_t)(length - (int)head) };
		*at += length;
		return true;
	}
}

static const struct {
	enum lws_token_indexes token;
	const char *method;
} methods[] = {
	{ WSI_TOKEN_GET_URI, "GET" },  { WSI_TOKEN_POST_URI, "POST" },
	{ WSI_TOKEN_OPTIONS_URI, "" }, { WSI_TOKEN_PUT_URI, "" },
	{ WSI_TOKEN_PATCH_URI, "" },   { WSI_TOKEN_DELETE_URI, "DELETE" },
	{ WSI_TOKEN_HEAD_URI, "" },
};

/* In memory that the next request uses again. */
static void read_request(struct gateway_ws *ws, struct visit *visit)
{
	struct gateway_ws_request *request = &visit->request;
	struct lws *wsi = visit->wsi;
	char *at = ws->texts;

	request->method = "";
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (lws_hdr_total_length(wsi, methods[i].token) > 0) {
			request->path = copy_token(wsi, methods[i].token, &at);
			request->method = methods[i].method;
			break;
		}
	request->authorization = copy_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, &at);
	request->has_token = copy_query(wsi, "token=", &at, &request->token);
	(void)copy_query(wsi, "packageName=", &at, &request->package);
	request->user_id = copy_custom(wsi, "x-user-id:", &at);
	request->session_id = copy_custom(wsi, "x-session-id:", &at);
}

static struct text keep(char **at, struct text text)
{
	struct text kept = { *at, text.length };

	if (text.length > 0)
		memcpy(*at, text.bytes, text.length);
	*at += text.length;
	return kept;
}

/* What a call needs beyond its headers, until its body is there. */
static bool keep_request(struct visit *visit)
{
	const struct gateway_ws_request given = visit->request;
	char *at =
		malloc(given.path.length + given.authorization.length + given.package.length + 1);

	if (!at)
		return false;
	visit->texts = at;
	visit->request = (struct gateway_ws_request){ .method = given.method };
	visit->request.path = keep(&at, given.path);
	visit->request.authorization = keep(&at, given.authorization);
	visit->request.package = keep(&at, given.package);
	return true;
}

/* ---- for whom ---- */

enum origin { ORIGIN_OK, ORIGIN_BROKEN, ORIGIN_CROWDED };

/* Of a connection of a proxy: from now on it counts as one of whom it speaks for.  Without a word
 * of the proxy it is about itself.
 */
static enum origin find_origin(struct gateway_ws *ws, struct visit *visit)
{
	uint8_t ip[GATEWAY_ADDRESS_SIZE];
	char *at = ws->texts;
	struct text header;
	uint32_t address;

	if (!visit->proxied)
		return ORIGIN_OK;
	visit->proxied = false;
	header = copy_token(visit->wsi, WSI_TOKEN_X_FORWARDED_FOR, &at);
	if (header.length == 0)
		return ORIGIN_OK;
	if (!gateway_forwarded(&ws->proxies, header, ip))
		return ORIGIN_BROKEN;
	address = gateway_address_enter(ws->addresses, ip);
	if (address == GATEWAY_ADDRESS_NONE) {
		gateway_ws_refused(ws);
		return ORIGIN_CROWDED;
	}
	visit->address = address;
	return ORIGIN_OK;
}

static bool is_blocked(struct gateway_ws *ws, const struct visit *visit)
{
	if (!gateway_address_blocked(ws->addresses, visit->address, gateway_ws_now_ms()))
		return false;
	gateway_ws_limit(ws, "gateway.limit_failures", visit->upgrade ? "upgrade" : "call");
	return true;
}

/* ---- upgrades ---- */

static void write_raw(struct lws *wsi, struct text bytes)
{
	char *out = malloc(LWS_PRE + bytes.length);

	if (!out)
		return;
	memcpy(out + LWS_PRE, bytes.bytes, bytes.length);
	/* Of all kinds of writing the one to which the library adds nothing. */
	(void)lws_write(wsi, (unsigned char *)out + LWS_PRE, bytes.length, LWS_WRITE_HTTP_HEADERS);
	free(out);
}

static bool header_is(struct lws *wsi, enum lws_token_indexes token, const char *expected)
{
	char value[HEADER_WORD_MAX + 1];
	int length = lws_hdr_copy(wsi, value, sizeof value, token);

	return length > 0 && text_is((struct text){ value, (uint32_t)length }, expected);
}

/* Sixteen bytes in base64, as RFC 6455 section 4.2.1 wants them. */
static bool is_key(struct lws *wsi)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char key[KEY_LENGTH + 1];

	return lws_hdr_copy(wsi, key, sizeof key, WSI_TOKEN_KEY) == KEY_LENGTH &&
	       strspn(key, digits) == KEY_DIGITS && strcmp(key + KEY_DIGITS, "==") == 0;
}

/* What the library does not look at, and a word for it; without bytes: nothing is wrong. */
static struct text upgrade_refusal(const struct visit *visit, const char **cause)
{
	const struct gateway_ws_request *request = &visit->request;
	struct lws *wsi = visit->wsi;
	/* A token has a limit of its own, and another answer. */
	uint64_t head_max = (uint64_t)GATEWAY_HEADER_MAX + request->token.length +
			    request->authorization.length;

	*cause = "head";
	if (gateway_ws_received(wsi) > head_max)
		return TEXT(REFUSAL("431 Request Header Fields Too Large", "", "Header too large"));
	*cause = "handshake";
	if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) == 0 ||
	    !header_is(wsi, WSI_TOKEN_HTTP, "HTTP/1.1") || !is_key(wsi))
		return TEXT(REFUSAL("400 Bad Request", "", "Not a WebSocket handshake"));
	*cause = "version";
	if (!header_is(wsi, WSI_TOKEN_VERSION, "13"))
		return TEXT(REFUSAL("426 Upgrade Required", "Sec-WebSocket-Version: 13\r\n",
				    "Unknown WebSocket version"));
	return (struct text){ 0 };
}

static struct text origin_refusal(struct gateway_ws *ws, struct visit *visit)
{
	switch (find_origin(ws, visit)) {
	case ORIGIN_BROKEN:
		return TEXT(REFUSAL("400 Bad Request", "", "X-Forwarded-For is not understood"));
	case ORIGIN_CROWDED:
		return TEXT(REFUSAL("429 Too Many Requests", "", "Too many connections"));
	case ORIGIN_OK:
		break;
	}
	if (is_blocked(ws, visit))
		return TEXT(REFUSAL("429 Too Many Requests", "", "Too many failures"));
	return (struct text){ 0 };
}

int gateway_ws_visit_upgrade(struct gateway_ws *ws, struct visit *visit, const char *protocol)
{
	struct gateway_ws_verdict verdict = { .decision = GATEWAY_WS_DESTROY };
	struct text refusal;
	const char *cause;

	if (visit->upgrade || strcasecmp(protocol, "websocket") != 0)
		return -1;
	visit->upgrade = true;
	refusal = origin_refusal(ws, visit);
	if (refusal.length > 0) {
		write_raw(visit->wsi, refusal);
		return -1;
	}
	read_request(ws, visit);
	refusal = upgrade_refusal(visit, &cause);
	if (refusal.length > 0) {
		gateway_ws_limit(ws, "gateway.limit_upgrades", cause);
		write_raw(visit->wsi, refusal);
		return -1;
	}
	ws->options.events.upgrade(ws->options.events.context, &visit->request, &verdict);
	if (verdict.failed)
		gateway_address_failed(ws->addresses, visit->address, gateway_ws_now_ms());
	if (verdict.decision == GATEWAY_WS_REFUSE)
		write_raw(visit->wsi, verdict.bytes);
	if (verdict.decision != GATEWAY_WS_ACCEPT)
		return -1;
	visit->link = verdict.link;
	visit->kind = (uint8_t)verdict.kind;
	return 0;
}

/* ---- answers ---- */

static const struct {
	unsigned status;
	const char *words;
} statuses[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
};

static const char *status_words(unsigned status)
{
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (statuses[i].status == status)
			return statuses[i].words;
	return "Unknown";
}

static void keep_answer(struct visit *visit, unsigned status, struct text body)
{
	char *bytes = malloc(LWS_PRE + ANSWER_HEAD_MAX + body.length);
	int head;

	visit->answered = true;
	if (!bytes)
		return; /* closed without a word */
	head = snprintf(bytes + LWS_PRE, ANSWER_HEAD_MAX,
			"HTTP/1.1 %u %s\r\nContent-Type: application/json\r\n"
			"Content-Length: %u\r\nConnection: close\r\n\r\n",
			status, status_words(status), body.length);
	memcpy(bytes + LWS_PRE + head, body.bytes, body.length);
	visit->answer = bytes;
	visit->answer_length = (size_t)head + body.length;
}

static void refuse(struct visit *visit, unsigned status, const char *message)
{
	char body[128];
	int length = snprintf(body, sizeof body, "{\"success\":false,\"message\":\"%s\"}", message);

	keep_answer(visit, status, (struct text){ body, (uint32_t)length });
}

int gateway_ws_visit_writable(struct visit *visit)
{
	if (!visit->answered)
		return 0;
	if (visit->answer)
		(void)lws_write(visit->wsi, (unsigned char *)visit->answer + LWS_PRE,
				visit->answer_length, LWS_WRITE_HTTP_HEADERS);
	return -1; /* one call per connection */
}

void gateway_ws_answer(struct gateway_ws *ws, uint64_t call, unsigned status, struct text body)
{
	struct visit *visit = &ws->visits[call & (GATEWAY_VISITS_MAX - 1)];

	if (visit->id != call || visit->answered)
		return;
	if (status == STATUS_UNAUTHORIZED)
		gateway_address_failed(ws->addresses, visit->address, gateway_ws_now_ms());
	keep_answer(visit, status, body);
	(void)lws_rx_flow_control(visit->wsi, 1); /* or it would not write either */
	lws_callback_on_writable(visit->wsi);
}

/* ---- REST calls ---- */

int gateway_ws_visit_complete(struct gateway_ws *ws, struct visit *visit)
{
	if (visit->answered || visit->called)
		return gateway_ws_visit_writable(visit);
	gateway_ws_clock_clear(ws, WS_HANDSHAKE, slot_of(ws, visit));
	lws_set_timeout(visit->wsi, NO_PENDING_TIMEOUT, 0); /* the answer has its own */
	visit->called = true;
	visit->request.call = visit->id;
	visit->request.body = (struct text){ visit->body, (uint32_t)visit->body_length };
	ws->options.events.call(ws->options.events.context, &visit->request);
	/* Until its answer the library reads nothing more, but would be woken for what comes, and
	 * for the end, again and again.
	 */
	if (!visit->answered)
		(void)lws_rx_flow_control(visit->wsi, 0);
	return gateway_ws_visit_writable(visit);
}

/* The length a request announces for its body; -1: none that we could read. */
static int64_t content_length(struct lws *wsi)
{
	char digits[16];
	int64_t length = 0;

	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
		return -1;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) == 0)
		return 0;
	if (lws_hdr_copy(wsi, digits, sizeof digits, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0)
		return -1;
	for (const char *at = digits; *at; at++) {
		if (*at < '0' || *at > '9')
			return -1;
		length = length * 10 + (*at - '0');
	}
	return length;
}

/* Refuses by answering. */
static void admit_call(struct gateway_ws *ws, struct visit *visit)
{
	enum origin origin = find_origin(ws, visit);

	if (origin == ORIGIN_BROKEN)
		refuse(visit, 400, "X-Forwarded-For is not understood");
	else if (origin == ORIGIN_CROWDED)
		refuse(visit, 429, "Too many connections");
	else if (lws_hdr_total_length(visit->wsi, WSI_TOKEN_HTTP_AUTHORIZATION) > 0 &&
		 is_blocked(ws, visit))
		refuse(visit, 429, "Too many failures");
}

int gateway_ws_visit_request(struct gateway_ws *ws, struct visit *visit)
{
	int64_t length = content_length(visit->wsi);

	if (visit->called || visit->answered || visit->texts)
		return -1; /* one call per connection */
	admit_call(ws, visit);
	if (visit->answered)
		return gateway_ws_visit_complete(ws, visit);
	if (length < 0)
		refuse(visit, 400, "Content-Length is needed");
	else if (length > GATEWAY_BODY_MAX)
		refuse(visit, 413, "Body too large");
	else if (gateway_ws_received(visit->wsi) > (uint64_t)length + GATEWAY_HEADER_MAX)
		refuse(visit, 431, "Header too large");
	else
		read_request(ws, visit);
	if (visit->answered || length == 0)
		return gateway_ws_visit_complete(ws, visit);
	visit->body_size = (size_t)length;
	return keep_request(visit) ? 0 : -1;
}

int gateway_ws_visit_body(struct visit *visit, const char *bytes, size_t length)
{
	char *grown;

	if (length == 0)
		return 0;
	if (visit->body_length + length > visit->body_size)
		return -1;
	grown = realloc(visit->body, visit->body_length + length);
	if (!grown)
		return -1;
	memcpy(grown + visit->body_length, bytes, length);
	visit->body = grown;
	visit->body_length += length;
	return 0;
}

/* A request that did not get ready in time; who has not said anything is not answered. */
void gateway_ws_visit_expired(struct gateway_ws *ws, struct visit *visit)
{
	if (!visit->wsi) {
		gateway_ws_visit_end(ws, visit);
		return;
	}
	gateway_ws_limit(ws, "gateway.limit_handshakes", visit->upgrade ? "upgrade" : "call");
	if (!ws->tls && !visit->upgrade && gateway_ws_received(visit->wsi) > 0) {
		refuse(visit, 408, "Request not completed");
		(void)gateway_ws_visit_writable(visit);
	}
	gateway_ws_kill(visit->wsi);
}
