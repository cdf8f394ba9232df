/* SPDX-License-Identifier: MIT */
/* gateway_ws_internal.h - state of the sockets, for gateway_ws*.c and nobody else. */
#pragma once

#include <libwebsockets.h>

#include "actors/gateway/gateway_address.h"
#include "actors/gateway/gateway_core.h"
#include "actors/gateway/gateway_forwarded.h"
#include "actors/gateway/gateway_rate.h"
#include "actors/gateway/gateway_ws.h"

#define WS_NONE UINT32_MAX
#define WS_LISTENERS 2 /* the shared address, the direct port */
#define VISIT_BITS 12
#define GATEWAY_WS_HEAD_MAX (2 * GATEWAY_HEADER_MAX) /* the library drops who sends more */
_Static_assert(GATEWAY_VISITS_MAX == 1 << VISIT_BITS, "a call's id holds its slot");

/* What a connection waits for; each list is in order of expiry. */
enum ws_clock {
	WS_PING_GLASSES,
	WS_PING_APP,
	WS_PONG,
	WS_LINGER,
	WS_HANDSHAKE, /* of visits */
	WS_CLOCKS,
};

struct ws_queue {
	uint32_t first, last;
};

struct ws_node {
	uint32_t next, previous;
	int64_t due_ms; /* 0: not in the list */
};

/* An open WebSocket; its slot is that of its link. */
struct conn {
	struct lws *wsi; /* NULL: no such connection */
	uint64_t link;
	struct ws_node ping, pong, linger;
	uint32_t lost_next; /* in the list of those whose end is still to be told */
	uint32_t address;
	uint8_t kind; /* enum gateway_ws_kind */
	bool closing, ping_due;
	bool rx_open; /* a message has begun and not ended */
	uint16_t code, peer_code; /* ours, theirs */
	int64_t messages_free_us, controls_free_us;
	uint64_t accounted; /* bytes received that are known to be no pings */
	int64_t rx_since_ms; /* a frame or message is incomplete; 0: none, as far as was noticed */
	char *rx, *tx;
	uint32_t rx_length, rx_size;
	uint32_t tx_head, tx_end, tx_size; /* records: length (4 bytes), then the message */
};

/* A connection that has not become a WebSocket. */
struct visit {
	struct lws *wsi; /* NULL: no such visit */
	uint64_t id;
	struct ws_node node;
	uint32_t address; /* GATEWAY_ADDRESS_NONE: the connection has gone on */
	uint32_t next_free;
	uint64_t link; /* its upgrade was accepted */
	uint8_t kind;
	bool upgrade, called, answered;
	bool proxied; /* by one of ours, and for whom is not known yet */
	struct gateway_ws_request request;
	char *texts, *body, *answer; /* texts: what @request points into while the body comes */
	size_t body_length, body_size, answer_length;
};

struct listener {
	struct ev_io io; /* fd -1: none */
	struct gateway_ws *ws;
};

struct gateway_ws {
	struct gateway_ws_options options;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct gateway_rate messages, controls, admissions;
	int64_t admissions_free_us;
	struct gateway_addresses *addresses;
	struct gateway_proxies proxies;
	struct listener listeners[WS_LISTENERS];
	struct ev_timer timer, accept_pause;
	struct ev_idle telling;
	int64_t armed_ms, blind_until_ms;
	struct ws_queue clocks[WS_CLOCKS];

	struct conn *conns;
	uint32_t lost_first;
	struct visit *visits;
	uint32_t visit_free, visit_next;
	uint64_t visit_count; /* ever */
	uint32_t connections;
	bool tls, accepting, ended;
	bool crowded; /* accepts again when a visit ends */
	char buffer[LWS_PRE + EDGE_ENCODED_MAX];
	char texts[2 * GATEWAY_WS_HEAD_MAX + 2];
};

/* ---- gateway_ws.c ---- */

int64_t gateway_ws_now_ms(void);
int64_t gateway_ws_now_us(void);
void gateway_ws_count(const struct gateway_ws *ws, const char *name);

/* gateway_ws_limit() - a peer went beyond a limit or broke the protocol: counted, and logged once
 * per @name, @cause and minute.  @cause is a literal: who it was, or what was wrong.
 */
void gateway_ws_limit(const struct gateway_ws *ws, const char *name, const char *cause);

/* gateway_ws_received() - bytes that came in on @wsi's socket; 0 if the system does not say. */
uint64_t gateway_ws_received(struct lws *wsi);

/* gateway_ws_kill() - end @wsi now, without a word; not from inside its own callbacks. */
void gateway_ws_kill(struct lws *wsi);

/* ---- gateway_ws_listen.c ---- */

void gateway_ws_listen_init(struct gateway_ws *ws);
void gateway_ws_listen_fini(struct gateway_ws *ws);

/* gateway_ws_listen() - bind the shared address and, if there is one, the direct port.
 *
 * Return: 0 or GATEWAY_WS_E_LISTEN.
 */
int gateway_ws_listen(struct gateway_ws *ws);

/* gateway_ws_refused() - a connection was one too many of its address, or of all. */
void gateway_ws_refused(const struct gateway_ws *ws);

/* gateway_ws_left() - a connection from @address is gone. */
void gateway_ws_left(struct gateway_ws *ws, uint32_t address);

/* gateway_ws_visit_room() - a visit is over: whoever waits for its place may come in. */
void gateway_ws_visit_room(struct gateway_ws *ws);

/* ---- gateway_ws_clock.c ---- */

void gateway_ws_clock_init(struct gateway_ws *ws);
void gateway_ws_clock_fini(struct gateway_ws *ws);
void gateway_ws_clock_set(struct gateway_ws *ws, enum ws_clock clock, uint32_t slot,
			  int64_t due_ms);
void gateway_ws_clock_clear(struct gateway_ws *ws, enum ws_clock clock, uint32_t slot);

/* ---- gateway_ws_conn.c ---- */

struct conn *gateway_ws_conn(struct gateway_ws *ws, uint64_t link);
void gateway_ws_conn_opened(struct gateway_ws *ws, struct visit *visit, struct lws *wsi);
void gateway_ws_conn_closed(struct gateway_ws *ws, struct conn *conn);
int gateway_ws_conn_writable(struct gateway_ws *ws, struct conn *conn);
void gateway_ws_conn_received(struct gateway_ws *ws, struct conn *conn, const char *bytes,
			      size_t length);
void gateway_ws_conn_pong(struct gateway_ws *ws, struct conn *conn, size_t length);

/* gateway_ws_conn_peer_closes() - a close frame came with these bytes.
 *
 * Return: -1 if it must not be sent back: it breaks the protocol.
 */
int gateway_ws_conn_peer_closes(struct gateway_ws *ws, struct conn *conn, const uint8_t *bytes,
				size_t length);

/* gateway_ws_conn_lose() - close it for a reason found here. */
void gateway_ws_conn_lose(struct gateway_ws *ws, struct conn *conn, unsigned code,
			  struct text reason);
void gateway_ws_conn_ping(struct gateway_ws *ws, struct conn *conn);
void gateway_ws_tell_lost(struct gateway_ws *ws);

/* ---- gateway_ws_visit.c ---- */

struct visit *gateway_ws_visit_begin(struct gateway_ws *ws, uint32_t address);
bool gateway_ws_visit_has_room(const struct gateway_ws *ws);
void gateway_ws_visit_end(struct gateway_ws *ws, struct visit *visit);
bool gateway_ws_is_visit(const struct gateway_ws *ws, const void *pointer);
int gateway_ws_visit_upgrade(struct gateway_ws *ws, struct visit *visit, const char *protocol);
int gateway_ws_visit_request(struct gateway_ws *ws, struct visit *visit);
int gateway_ws_visit_body(struct visit *visit, const char *bytes, size_t length);
int gateway_ws_visit_complete(struct gateway_ws *ws, struct visit *visit);
int gateway_ws_visit_writable(struct visit *visit);
void gateway_ws_visit_expired(struct gateway_ws *ws, struct visit *visit);
