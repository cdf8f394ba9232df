/* SPDX-License-Identifier: MIT */
/* gateway_ws.h - sockets: WebSocket and HTTP connections, their limits and their liveness.
 *
 * gateway_ws*.c alone see libwebsockets.  Nothing is called back from inside a function declared
 * here: what they cause is told later, from the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ev.h>

#include "actors/gateway/gateway_limits.h"
#include "proto/text.h"

#define GATEWAY_HEADER_MAX 8192 /* bytes of a request up to its body */
#define GATEWAY_BODY_MAX 65536 /* bytes of a REST body */
#define GATEWAY_VISITS_MAX 4096 /* connections that are not WebSockets (yet) */
#define GATEWAY_ACCEPT_BATCH 16 /* accepted in a row: 16 TLS handshakes of RSA take 15 ms */
#define GATEWAY_ADMISSIONS_BURST_MS 50 /* accepted at once: what this time allows */
#define GATEWAY_LINGER_MS 10000 /* a peer that does not read has so long to get our close */

enum gateway_ws_kind {
	GATEWAY_WS_GLASSES,
	GATEWAY_WS_APP,
};

struct gateway_ws_request {
	uint64_t call; /* for gateway_ws_answer(); 0 for upgrades */
	const char *method; /* "GET", "POST", "DELETE"; "" for any other */
	struct text path; /* without query */
	struct text authorization; /* header */
	struct text token, package; /* of the query: token, packageName */
	bool has_token;
	struct text user_id, session_id; /* x-user-id, x-session-id */
	struct text body; /* calls only */
};

enum gateway_ws_decision {
	GATEWAY_WS_DESTROY, /* close, without a byte */
	GATEWAY_WS_REFUSE, /* @bytes, then close */
	GATEWAY_WS_ACCEPT, /* as @link, of @kind */
};

struct gateway_ws_verdict {
	enum gateway_ws_decision decision;
	struct text bytes; /* a whole HTTP response; borrowed until the next upgrade */
	bool failed; /* refused for wrong credentials: counts against the address */
	uint64_t link;
	enum gateway_ws_kind kind;
};

/* Texts are borrowed for the call. */
struct gateway_ws_events {
	/* An upgrade request; a link of the verdict is from now on the socket's. */
	void (*upgrade)(void *context, const struct gateway_ws_request *request,
			struct gateway_ws_verdict *verdict);
	/* The handshake is done. */
	void (*opened)(void *context, uint64_t link);
	/* A whole text message; of apps binary ones as well. */
	void (*message)(void *context, uint64_t link, enum gateway_ws_kind kind,
			struct text message);
	/* It is as good as closed, for a reason found here; closed() follows. */
	void (*lost)(void *context, uint64_t link, unsigned code);
	/* It is closed and its slot free: by whomever, also if it was never opened. */
	void (*closed)(void *context, uint64_t link, unsigned code);
	/* A REST call, whole; answer with gateway_ws_answer(), at once or later. */
	void (*call)(void *context, const struct gateway_ws_request *request);
	/* The caller has gone before the answer. */
	void (*gone)(void *context, uint64_t call);
	void (*count)(void *context, const char *name, uint64_t add); /* @name: literal */
	void *context;
};

struct gateway_ws_options {
	struct ev_loop *loop;
	const char *listen; /* address:port, shared with the other gateways */
	int direct_port; /* one more port of the same address; 0: none */
	const char *proxies; /* whose X-Forwarded-For is believed; checked before, may be empty */
	const char *tls_cert_file, *tls_key_file; /* empty: plain */
	uint32_t connections_max; /* WebSockets; GATEWAY_DOORWAY_MAX others beyond them */
	uint32_t connections_per_address_max;
	uint32_t message_max, send_queue_max; /* bytes */
	int64_t handshake_ms;
	int64_t admissions_per_s; /* connections accepted */
	int64_t messages_per_s, messages_burst, controls_per_s;
	int64_t glasses_ping_ms, glasses_pong_ms, app_ping_ms;
	uint64_t seed;
	struct gateway_ws_events events;
};

struct gateway_ws;

/* Outcomes the caller must handle; see common/error.h. */
enum {
	_GATEWAY_WS_E_SUCCESS,
	GATEWAY_WS_E_LISTEN, /* the address cannot be bound or parsed; it was logged */
	GATEWAY_WS_E_TLS, /* certificate or key cannot be used; it was logged */
};

/* gateway_ws_open() - bind and be ready; accepts once gateway_ws_accept() says so.
 *
 * Return: 0, GATEWAY_WS_E_* or -errno.
 */
int gateway_ws_open(const struct gateway_ws_options *options, struct gateway_ws **out);
void gateway_ws_close(struct gateway_ws *ws);

/* gateway_ws_accept() - begin to accept connections. */
void gateway_ws_accept(struct gateway_ws *ws);

/* gateway_ws_deafen() - accept no more: on the shared address, or, @all, on none. */
void gateway_ws_deafen(struct gateway_ws *ws, bool all);

/* gateway_ws_has_direct() - whether there is a port of our own. */
bool gateway_ws_has_direct(const struct gateway_ws *ws);

/* gateway_ws_buffer() - where to write the next message: EDGE_ENCODED_MAX bytes. */
char *gateway_ws_buffer(struct gateway_ws *ws);

/* gateway_ws_send() - send @length bytes of the buffer as one text message.
 *
 * To a reader that is too slow nothing is sent: beyond send_queue_max it is closed with 1013.
 */
void gateway_ws_send(struct gateway_ws *ws, uint64_t link, size_t length);

/* gateway_ws_shut() - close once what waits has been sent. */
void gateway_ws_shut(struct gateway_ws *ws, uint64_t link, unsigned code, struct text reason);

/* gateway_ws_answer() - answer a call with @status and a JSON @body; the connection is closed. */
void gateway_ws_answer(struct gateway_ws *ws, uint64_t call, unsigned status, struct text body);

/* gateway_ws_failed() - the peer of @link gave a wrong key. */
void gateway_ws_failed(struct gateway_ws *ws, uint64_t link);

/* gateway_ws_connections() - open connections of all kinds. */
uint32_t gateway_ws_connections(const struct gateway_ws *ws);

/* gateway_ws_reload_tls() - read certificate and key anew.
 *
 * Return: 0, or GATEWAY_WS_E_TLS: the old ones stay.
 */
int gateway_ws_reload_tls(struct gateway_ws *ws);
