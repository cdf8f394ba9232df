/* SPDX-License-Identifier: MIT */
/* gateway_ws_conn.c - open WebSockets: messages in and out, pings, the end. */
#include <stdlib.h>

#include "actors/gateway/gateway_ws_internal.h"
#include "proto/json.h"

#define FRAME_OVERHEAD 8 /* header and mask of most frames */
#define CONTROL_OVERHEAD 6 /* of a control frame: no ping takes less */
#define TLS_OVERHEAD 64 /* of a record, and more */
#define CLOSE_CODE_MAX 4999 /* beyond it no code is defined */
#define UNSEEN_SLACK 4096 /* bytes that may be in the middle of the library */
#define RECORD_HEAD sizeof(uint32_t)
#define QUEUE_MIN 1024

static const char ping_payload[] = "weir"; /* the library does not report pongs without payload */

struct conn *gateway_ws_conn(struct gateway_ws *ws, uint64_t link)
{
	uint32_t slot = gateway_slot(link);

	if (slot >= ws->options.connections_max || !ws->conns[slot].wsi ||
	    ws->conns[slot].link != link)
		return NULL;
	return &ws->conns[slot];
}

static uint32_t slot_of(const struct gateway_ws *ws, const struct conn *conn)
{
	return (uint32_t)(conn - ws->conns);
}

/* For causes of the log: a flood of apps does not hide one of glasses. */
static const char *peer_word(const struct conn *conn)
{
	return conn->kind == GATEWAY_WS_GLASSES ? "glasses" : "app";
}

/* ---- beginning and end ---- */

static void await_ping(struct gateway_ws *ws, struct conn *conn)
{
	bool glasses = conn->kind == GATEWAY_WS_GLASSES;

	gateway_ws_clock_set(ws, glasses ? WS_PING_GLASSES : WS_PING_APP, slot_of(ws, conn),
			     gateway_ws_now_ms() + (glasses ? ws->options.glasses_ping_ms
							    : ws->options.app_ping_ms));
}

static void await_pong(struct gateway_ws *ws, struct conn *conn)
{
	gateway_ws_clock_set(ws, WS_PONG, slot_of(ws, conn),
			     gateway_ws_now_ms() + ws->options.glasses_pong_ms);
}

void gateway_ws_conn_opened(struct gateway_ws *ws, struct visit *visit, struct lws *wsi)
{
	uint64_t link = visit->link;
	struct conn *conn = &ws->conns[gateway_slot(link)];

	*conn = (struct conn){
		.wsi = wsi,
		.link = link,
		.address = visit->address,
		.kind = visit->kind,
		.lost_next = WS_NONE,
		.accounted = gateway_ws_received(wsi),
	};
	lws_set_opaque_user_data(wsi, conn);
	/* The connection goes on; only the visit is over. */
	visit->link = 0;
	visit->address = GATEWAY_ADDRESS_NONE;
	gateway_ws_visit_end(ws, visit);
	await_ping(ws, conn);
	if (conn->kind == GATEWAY_WS_GLASSES)
		await_pong(ws, conn);
	ws->options.events.opened(ws->options.events.context, link);
}

static void stop_clocks(struct gateway_ws *ws, struct conn *conn)
{
	uint32_t slot = slot_of(ws, conn);

	gateway_ws_clock_clear(ws, conn->kind == GATEWAY_WS_GLASSES ? WS_PING_GLASSES : WS_PING_APP,
			       slot);
	gateway_ws_clock_clear(ws, WS_PONG, slot);
	gateway_ws_clock_clear(ws, WS_LINGER, slot);
}

static void drop_queue(struct conn *conn)
{
	free(conn->tx);
	conn->tx = NULL;
	conn->tx_head = conn->tx_end = conn->tx_size = 0;
}

static void drop_message(struct conn *conn)
{
	free(conn->rx);
	conn->rx = NULL;
	conn->rx_length = conn->rx_size = 0;
}

void gateway_ws_conn_closed(struct gateway_ws *ws, struct conn *conn)
{
	uint64_t link = conn->link;
	unsigned code = conn->closing ? conn->code : conn->peer_code;

	if (!conn->wsi)
		return;
	if (!conn->closing && lws_get_close_length(conn->wsi) > 0) /* before is_over() saw it */
		gateway_ws_limit(ws, "gateway.limit_frames", peer_word(conn));
	gateway_ws_tell_lost(ws);
	lws_set_opaque_user_data(conn->wsi, NULL);
	stop_clocks(ws, conn);
	drop_queue(conn);
	drop_message(conn);
	gateway_ws_left(ws, conn->address);
	*conn = (struct conn){ 0 };
	if (!ws->ended)
		ws->options.events.closed(ws->options.events.context, link, code ? code : 1006);
}

/* Not left to the library: it takes a pong between two fragments for a part of the text. */
static bool is_utf8(const char *bytes, size_t length)
{
	for (size_t at = 0, step; at < length; at += step) {
		step = (unsigned char)bytes[at] < 0x80 ? 1 : json_utf8(bytes + at, length - at);
		if (step == 0)
			return false;
	}
	return true;
}

/* The library has answered other bad codes with 1002; these it would send back as they are. */
int gateway_ws_conn_peer_closes(struct gateway_ws *ws, struct conn *conn, const uint8_t *bytes,
				size_t length)
{
	/* 1005: a close frame without code */
	conn->peer_code = length >= 2 ? (uint16_t)(bytes[0] << 8 | bytes[1]) : 1005;
	if (length != 1 && conn->peer_code <= CLOSE_CODE_MAX &&
	    (length < 2 || is_utf8((const char *)bytes + 2, length - 2)))
		return 0;
	gateway_ws_limit(ws, "gateway.limit_frames", peer_word(conn));
	return -1;
}

static void begin_close(struct gateway_ws *ws, struct conn *conn, unsigned code)
{
	conn->closing = true;
	conn->code = (uint16_t)code;
	stop_clocks(ws, conn);
	drop_message(conn);
	gateway_ws_clock_set(ws, WS_LINGER, slot_of(ws, conn),
			     gateway_ws_now_ms() + GATEWAY_LINGER_MS);
}

static void say_close(struct conn *conn, unsigned code, struct text reason)
{
	lws_close_reason(conn->wsi, (enum lws_close_status)code,
			 (unsigned char *)(uintptr_t)reason.bytes, reason.length);
	lws_callback_on_writable(conn->wsi);
}

void gateway_ws_shut(struct gateway_ws *ws, uint64_t link, unsigned code, struct text reason)
{
	struct conn *conn = gateway_ws_conn(ws, link);

	if (!conn || conn->closing)
		return;
	begin_close(ws, conn, code);
	say_close(conn, code, reason);
}

static void list_lost(struct gateway_ws *ws, struct conn *conn)
{
	conn->lost_next = ws->lost_first;
	ws->lost_first = slot_of(ws, conn);
	ev_idle_start(ws->options.loop, &ws->telling);
}

void gateway_ws_conn_lose(struct gateway_ws *ws, struct conn *conn, unsigned code,
			  struct text reason)
{
	if (conn->closing)
		return;
	begin_close(ws, conn, code);
	say_close(conn, code, reason);
	list_lost(ws, conn);
}

/* The library closes on its own where a peer breaks the framing, and says nothing until the end:
 * whoever writes or pings looks.
 */
static bool is_over(struct gateway_ws *ws, struct conn *conn)
{
	if (conn->closing)
		return true;
	if (lws_get_close_length(conn->wsi) == 0)
		return false;
	gateway_ws_limit(ws, "gateway.limit_frames", peer_word(conn));
	begin_close(ws, conn, 1002);
	list_lost(ws, conn);
	return true;
}

void gateway_ws_tell_lost(struct gateway_ws *ws)
{
	while (ws->lost_first != WS_NONE) {
		struct conn *conn = &ws->conns[ws->lost_first];

		ws->lost_first = conn->lost_next;
		conn->lost_next = WS_NONE;
		if (!ws->ended)
			ws->options.events.lost(ws->options.events.context, conn->link, conn->code);
	}
}

/* ---- out ---- */

char *gateway_ws_buffer(struct gateway_ws *ws)
{
	return ws->buffer + LWS_PRE;
}

/* The library looks at its own timers only when it is woken. */
static void write_now(struct conn *conn, char *bytes, size_t length, enum lws_write_protocol how)
{
	if (lws_write(conn->wsi, (unsigned char *)bytes, length, how) >= 0)
		return;
	lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
	lws_cancel_service(lws_get_context(conn->wsi));
}

/* Room for @needed bytes behind what waits; the library writes a frame's head before its bytes. */
static bool queue_grow(struct conn *conn, uint32_t needed)
{
	uint32_t used = conn->tx_end - conn->tx_head;
	uint32_t size = conn->tx_size ? conn->tx_size : QUEUE_MIN;

	if (conn->tx_size - conn->tx_end >= needed)
		return true;
	while (size < LWS_PRE + used + needed)
		size *= 2;
	char *grown = malloc(size);

	if (!grown)
		return false;
	if (used > 0)
		memcpy(grown + LWS_PRE, conn->tx + conn->tx_head, used);
	free(conn->tx);
	conn->tx = grown;
	conn->tx_size = size;
	conn->tx_head = LWS_PRE;
	conn->tx_end = LWS_PRE + used;
	return true;
}

static void enqueue(struct gateway_ws *ws, struct conn *conn, const char *bytes, uint32_t length)
{
	uint32_t used = conn->tx_end - conn->tx_head;

	if (used + RECORD_HEAD + length > ws->options.send_queue_max ||
	    !queue_grow(conn, (uint32_t)RECORD_HEAD + length)) {
		gateway_ws_count(ws, "gateway.slow_readers");
		drop_queue(conn);
		gateway_ws_conn_lose(ws, conn, 1013, TEXT("Too slow"));
		return;
	}
	memcpy(conn->tx + conn->tx_end, &length, RECORD_HEAD);
	memcpy(conn->tx + conn->tx_end + RECORD_HEAD, bytes, length);
	conn->tx_end += (uint32_t)RECORD_HEAD + length;
	lws_callback_on_writable(conn->wsi);
}

static bool is_clear(const struct conn *conn)
{
	return conn->tx_head == conn->tx_end && !lws_partial_buffered(conn->wsi);
}

/* A socket on which nothing waits takes bytes, but for what its buffer has no room for: that the
 * library keeps, at most one message, and everything behind it is ours to queue.
 */
void gateway_ws_send(struct gateway_ws *ws, uint64_t link, size_t length)
{
	struct conn *conn = gateway_ws_conn(ws, link);

	if (!conn || is_over(ws, conn))
		return;
	if (is_clear(conn))
		write_now(conn, ws->buffer + LWS_PRE, length, LWS_WRITE_TEXT);
	else
		enqueue(ws, conn, ws->buffer + LWS_PRE, (uint32_t)length);
}

static void send_ping(struct conn *conn)
{
	char bytes[LWS_PRE + sizeof ping_payload];

	memcpy(bytes + LWS_PRE, ping_payload, sizeof ping_payload);
	write_now(conn, bytes + LWS_PRE, sizeof ping_payload - 1, LWS_WRITE_PING);
	conn->ping_due = false;
}

static void send_queued(struct conn *conn)
{
	while (conn->tx_head < conn->tx_end && !lws_partial_buffered(conn->wsi)) {
		uint32_t length;

		memcpy(&length, conn->tx + conn->tx_head, RECORD_HEAD);
		conn->tx_head += (uint32_t)RECORD_HEAD + length;
		write_now(conn, conn->tx + conn->tx_head - length, length, LWS_WRITE_TEXT);
	}
	if (conn->tx_head == conn->tx_end)
		drop_queue(conn);
}

int gateway_ws_conn_writable(struct gateway_ws *ws, struct conn *conn)
{
	(void)ws;
	if (conn->ping_due && !conn->closing && !lws_partial_buffered(conn->wsi))
		send_ping(conn);
	send_queued(conn);
	if (!is_clear(conn) || conn->ping_due) {
		lws_callback_on_writable(conn->wsi);
		return 0;
	}
	return conn->closing ? -1 : 0; /* -1: the library sends our close frame */
}

/* ---- in ---- */

/* Grows with what has come, not with what a frame's head announces. */
static bool message_append(struct conn *conn, const char *bytes, size_t length)
{
	if (length == 0) /* an empty fragment, maybe the first */
		return true;
	if (conn->rx_length + length > conn->rx_size) {
		uint32_t size = conn->rx_size ? conn->rx_size : QUEUE_MIN;

		while (size < conn->rx_length + length)
			size *= 2;
		char *grown = realloc(conn->rx, size);

		if (!grown)
			return false;
		conn->rx = grown;
		conn->rx_size = size;
	}
	memcpy(conn->rx + conn->rx_length, bytes, length);
	conn->rx_length += (uint32_t)length;
	return true;
}

static void deliver(struct gateway_ws *ws, struct conn *conn, const char *bytes, size_t length)
{
	if (!lws_frame_is_binary(conn->wsi) && !is_utf8(bytes, length)) {
		gateway_ws_limit(ws, "gateway.limit_utf8", peer_word(conn));
		gateway_ws_conn_lose(ws, conn, 1007, TEXT("Text is not UTF-8"));
		return;
	}
	ws->options.events.message(ws->options.events.context, conn->link,
				   (enum gateway_ws_kind)conn->kind,
				   (struct text){ bytes, (uint32_t)length });
}

/* Binary from glasses is audio: neither counted nor kept. */
static bool admit(struct gateway_ws *ws, struct conn *conn, bool audio)
{
	if (audio || !lws_is_first_fragment(conn->wsi))
		return true;
	if (gateway_rate_take(ws->messages, &conn->messages_free_us, gateway_ws_now_us()) == 0)
		return true;
	gateway_ws_limit(ws, "gateway.limit_messages", peer_word(conn));
	gateway_ws_conn_lose(ws, conn, 1008, TEXT("Too many messages"));
	return false;
}

void gateway_ws_conn_received(struct gateway_ws *ws, struct conn *conn, const char *bytes,
			      size_t length)
{
	struct lws *wsi = conn->wsi;
	size_t announced = length + lws_remaining_packet_payload(wsi);
	bool audio = conn->kind == GATEWAY_WS_GLASSES && lws_frame_is_binary(wsi);
	bool final = lws_is_final_fragment(wsi);

	conn->accounted += length + FRAME_OVERHEAD + (ws->tls ? TLS_OVERHEAD : 0);
	/* The library hands on what comes behind a close frame as well. */
	if (conn->closing || conn->peer_code != 0 || !admit(ws, conn, audio))
		return;
	if (conn->rx_length + announced > ws->options.message_max) {
		gateway_ws_limit(ws, "gateway.limit_message_size", peer_word(conn));
		gateway_ws_conn_lose(ws, conn, 1009, TEXT("Message too big"));
		return;
	}
	conn->rx_open = !final;
	if (final)
		conn->rx_since_ms = 0;
	if (audio)
		return;
	if (conn->rx_length == 0 && final) {
		deliver(ws, conn, bytes, length);
		return;
	}
	if (!message_append(conn, bytes, length)) {
		gateway_ws_conn_lose(ws, conn, 1013, TEXT("Try again later"));
		return;
	}
	if (final) {
		struct conn whole = { .rx = conn->rx, .rx_length = conn->rx_length };

		conn->rx = NULL;
		conn->rx_length = conn->rx_size = 0;
		deliver(ws, conn, whole.rx, whole.rx_length);
		drop_message(&whole);
	}
}

void gateway_ws_conn_pong(struct gateway_ws *ws, struct conn *conn, size_t length)
{
	conn->accounted += length + CONTROL_OVERHEAD + (ws->tls ? TLS_OVERHEAD : 0);
	if (conn->closing)
		return;
	if (gateway_rate_take(ws->controls, &conn->controls_free_us, gateway_ws_now_us()) > 0) {
		gateway_ws_limit(ws, "gateway.limit_controls", peer_word(conn));
		gateway_ws_conn_lose(ws, conn, 1008, TEXT("Too many control frames"));
		return;
	}
	if (conn->kind == GATEWAY_WS_GLASSES)
		await_pong(ws, conn);
}

/* The library answers pings without a word: what came in and is neither message nor pong must have
 * been pings.  Judged once per ping of ours.
 */
static bool pings_too_much(struct gateway_ws *ws, struct conn *conn)
{
	int64_t period_ms = conn->kind == GATEWAY_WS_GLASSES ? ws->options.glasses_ping_ms
							     : ws->options.app_ping_ms;
	uint64_t received = gateway_ws_received(conn->wsi);
	uint64_t allowed = conn->accounted + UNSEEN_SLACK +
			   CONTROL_OVERHEAD * (uint64_t)(ws->options.controls_per_s *
							 (period_ms + 999) / 1000);

	if (received > allowed)
		return true;
	if (received > conn->accounted)
		conn->accounted = received;
	return false;
}

/* Looked at once per ping of ours: of a frame that only began the library tells nothing, and a
 * message of empty fragments has no length.
 */
static bool is_stuck(struct gateway_ws *ws, struct conn *conn)
{
	int64_t now_ms = gateway_ws_now_ms();

	if (!conn->rx_open && lws_remaining_packet_payload(conn->wsi) == 0) {
		conn->rx_since_ms = 0;
		return false;
	}
	if (conn->rx_since_ms == 0)
		conn->rx_since_ms = now_ms;
	return now_ms - conn->rx_since_ms > ws->options.glasses_pong_ms;
}

void gateway_ws_conn_ping(struct gateway_ws *ws, struct conn *conn)
{
	if (is_over(ws, conn))
		return;
	if (pings_too_much(ws, conn)) {
		gateway_ws_limit(ws, "gateway.limit_controls", peer_word(conn));
		gateway_ws_conn_lose(ws, conn, 1008, TEXT("Too many control frames"));
		return;
	}
	if (is_stuck(ws, conn)) {
		gateway_ws_limit(ws, "gateway.limit_message_time", peer_word(conn));
		gateway_ws_conn_lose(ws, conn, 1008, TEXT("Message not completed"));
		return;
	}
	if (is_clear(conn)) {
		send_ping(conn);
	} else {
		conn->ping_due = true;
		lws_callback_on_writable(conn->wsi);
	}
	await_ping(ws, conn);
}

void gateway_ws_failed(struct gateway_ws *ws, uint64_t link)
{
	struct conn *conn = gateway_ws_conn(ws, link);

	if (conn)
		gateway_address_failed(ws->addresses, conn->address, gateway_ws_now_ms());
}
