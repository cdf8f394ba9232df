/* SPDX-License-Identifier: MIT */
/* gateway_ws.c - opening, and what libwebsockets calls back. */
#include "actors/gateway/gateway_ws.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "actors/gateway/gateway_socket.h"
#include "actors/gateway/gateway_ws_internal.h"
#include "common/error.h"
#include "common/log.h"

#define LWS_TIMEOUT_SLACK_S 5 /* the library's own handshake timer comes behind ours */
#define RX_BUFFER_SIZE 256 /* allocated per connection; acks and pongs are smaller */

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		  size_t length);

static const struct lws_protocols protocols[] = {
	{ .name = "weir",
	  .callback = on_lws,
	  .rx_buffer_size = RX_BUFFER_SIZE,
	  .tx_packet_size = EDGE_ENCODED_MAX },
	{ 0 },
};

/* Both idle times 0: the library would keep a sorted list of all connections for them. */
static const lws_retry_bo_t no_idle_timers = { 0 };

int64_t gateway_ws_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t gateway_ws_now_ms(void)
{
	return gateway_ws_now_us() / 1000;
}

void gateway_ws_count(const struct gateway_ws *ws, const char *name)
{
	if (!ws->ended)
		ws->options.events.count(ws->options.events.context, name, 1);
}

void gateway_ws_limit(const struct gateway_ws *ws, const char *name, const char *cause)
{
	gateway_ws_count(ws, name);
	log_limited_by(name, cause, log_u64("connections", ws->connections));
}

uint64_t gateway_ws_received(struct lws *wsi)
{
	return gateway_socket_received(lws_get_socket_fd(wsi));
}

void gateway_ws_kill(struct lws *wsi)
{
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

/* ---- what the library calls back ---- */

static int on_websocket(struct gateway_ws *ws, struct conn *conn, enum lws_callback_reasons reason,
			void *in, size_t length)
{
	if (!conn)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_RECEIVE:
		gateway_ws_conn_received(ws, conn, in, length);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return gateway_ws_conn_writable(ws, conn);
	case LWS_CALLBACK_RECEIVE_PONG:
		gateway_ws_conn_pong(ws, conn, length);
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return gateway_ws_conn_peer_closes(ws, conn, in, length);
	default: /* LWS_CALLBACK_CLOSED */
		gateway_ws_conn_closed(ws, conn);
		return 0;
	}
}

static int on_http(struct gateway_ws *ws, struct visit *visit, enum lws_callback_reasons reason,
		   void *in, size_t length)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return gateway_ws_visit_upgrade(ws, visit, in);
	case LWS_CALLBACK_HTTP:
		return gateway_ws_visit_request(ws, visit);
	case LWS_CALLBACK_HTTP_BODY:
		return gateway_ws_visit_body(visit, in, length);
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return gateway_ws_visit_complete(ws, visit);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return gateway_ws_visit_writable(visit);
	default: /* LWS_CALLBACK_CLOSED_HTTP, LWS_CALLBACK_WSI_DESTROY */
		gateway_ws_visit_end(ws, visit);
		return 0;
	}
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		  size_t length)
{
	struct gateway_ws *ws = wsi ? lws_context_user(lws_get_context(wsi)) : NULL;
	void *data = wsi ? lws_get_opaque_user_data(wsi) : NULL;
	bool is_visit = ws && gateway_ws_is_visit(ws, data);

	(void)user;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		if (!is_visit)
			return -1;
		gateway_ws_conn_opened(ws, data, wsi);
		return 0;
	case LWS_CALLBACK_RECEIVE:
	case LWS_CALLBACK_SERVER_WRITEABLE:
	case LWS_CALLBACK_RECEIVE_PONG:
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
	case LWS_CALLBACK_CLOSED:
		return ws ? on_websocket(ws, is_visit ? NULL : data, reason, in, length) : 0;
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
	case LWS_CALLBACK_HTTP:
	case LWS_CALLBACK_HTTP_BODY:
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
	case LWS_CALLBACK_HTTP_WRITEABLE:
		if (!is_visit)
			return -1;
		((struct visit *)data)->wsi = wsi;
		return on_http(ws, data, reason, in, length);
	case LWS_CALLBACK_RAW_ADOPT:
		return -1; /* no HTTP: TLS on the plain port, or worse */
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_WSI_DESTROY:
		return is_visit ? on_http(ws, data, reason, in, length) : 0;
	default:
		return 0;
	}
}

/* ---- TLS ---- */

/* The library keeps silent about a pair that does not fit. */
static bool is_pair(const char *cert_file, const char *key_file)
{
	FILE *cert_stream = fopen(cert_file, "re"), *key_stream = fopen(key_file, "re");
	X509 *cert = cert_stream ? PEM_read_X509(cert_stream, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = key_stream ? PEM_read_PrivateKey(key_stream, NULL, NULL, NULL) : NULL;
	bool fits = cert && key && X509_check_private_key(cert, key) == 1;

	X509_free(cert);
	EVP_PKEY_free(key);
	if (cert_stream)
		(void)fclose(cert_stream);
	if (key_stream)
		(void)fclose(key_stream);
	return fits;
}

static int refuse_tls(const struct gateway_ws *ws)
{
	log_error("gateway.tls_failed", log_str("certificate", ws->options.tls_cert_file),
		  log_str("key", ws->options.tls_key_file),
		  log_str("mend", "both must be PEM files, readable, and belong together"));
	return GATEWAY_WS_E_TLS;
}

int gateway_ws_reload_tls(struct gateway_ws *ws)
{
	if (!ws->tls)
		return 0;
	if (is_pair(ws->options.tls_cert_file, ws->options.tls_key_file) &&
	    lws_tls_cert_updated(ws->context, ws->options.tls_cert_file, ws->options.tls_key_file,
				 NULL, 0, NULL, 0) == 0) {
		log_info("gateway.tls_loaded", log_str("certificate", ws->options.tls_cert_file));
		return 0;
	}
	return refuse_tls(ws);
}

/* ---- opening ---- */

static void on_lws_log(int level, const char *line)
{
	(void)level;
	log_debug("gateway.libwebsockets", log_str("line", line));
}

static int open_context(struct gateway_ws *ws)
{
	void *loops[] = { ws->options.loop };
	const struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = protocols,
		.foreign_loops = loops,
		.user = ws,
		.gid = -1,
		.uid = -1,
		.server_string = "weir",
		.alpn = "http/1.1",
		.max_http_header_data2 = GATEWAY_WS_HEAD_MAX,
		.max_http_header_pool2 = GATEWAY_VISITS_MAX,
		.pt_serv_buf_size = RX_BUFFER_SIZE + LWS_PRE + EDGE_ENCODED_MAX,
		.timeout_secs = (unsigned)(ws->options.handshake_ms / 1000) + LWS_TIMEOUT_SLACK_S,
		.timeout_secs_ah_idle =
			(unsigned)(ws->options.handshake_ms / 1000) + LWS_TIMEOUT_SLACK_S,
		.retry_and_idle_policy = &no_idle_timers,
		.ssl_cert_filepath = ws->tls ? ws->options.tls_cert_file : NULL,
		.ssl_private_key_filepath = ws->tls ? ws->options.tls_key_file : NULL,
		.ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION,
		.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG |
			   (ws->tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
	};

	lws_set_log_level(log_enabled(LOG_LEVEL_DEBUG) ? LLL_ERR | LLL_WARN | LLL_NOTICE : 0,
			  on_lws_log);
	ws->context = lws_create_context(&info);
	if (!ws->context)
		return err_raise(-ENOMEM);
	ws->vhost = lws_create_vhost(ws->context, &info);
	if (ws->vhost)
		return 0;
	return ws->tls ? refuse_tls(ws) : err_raise(-ENOMEM);
}

static int allocate(struct gateway_ws *ws)
{
	uint32_t sockets_max = ws->options.connections_max + GATEWAY_DOORWAY_MAX;
	size_t bytes = gateway_addresses_bytes(sockets_max);
	void *addresses = NULL;

	ws->conns = calloc(ws->options.connections_max, sizeof *ws->conns);
	ws->visits = calloc(GATEWAY_VISITS_MAX, sizeof *ws->visits);
	if (!ws->conns || !ws->visits || posix_memalign(&addresses, 64, bytes) != 0)
		return err_raise(-ENOMEM);
	memset(addresses, 0, bytes);
	ws->addresses = gateway_addresses_init(
		addresses, sockets_max, ws->options.connections_per_address_max, ws->options.seed);
	return 0;
}

int gateway_ws_open(const struct gateway_ws_options *options, struct gateway_ws **out)
{
	struct gateway_ws *ws = calloc(1, sizeof *ws);
	int r;

	if (!ws)
		return err_raise(-ENOMEM);
	ws->options = *options;
	ws->tls = options->tls_cert_file[0] != '\0';
	ws->messages =
		(struct gateway_rate){ 1000000 / options->messages_per_s, options->messages_burst };
	ws->controls =
		(struct gateway_rate){ 1000000 / options->controls_per_s, options->controls_per_s };
	ws->visit_free = ws->lost_first = WS_NONE;
	(void)gateway_proxies_read(options->proxies, &ws->proxies);
	gateway_ws_clock_init(ws);
	gateway_ws_listen_init(ws);
	r = allocate(ws);
	if (r == 0 && ws->tls && !is_pair(options->tls_cert_file, options->tls_key_file))
		r = refuse_tls(ws);
	if (r == 0)
		r = open_context(ws);
	if (r == 0)
		r = gateway_ws_listen(ws);
	if (r != 0) {
		gateway_ws_close(ws);
		return r < 0 ? err_pass(r) : r;
	}
	*out = ws;
	return 0;
}

void gateway_ws_close(struct gateway_ws *ws)
{
	if (!ws)
		return;
	ws->ended = true;
	gateway_ws_listen_fini(ws);
	if (ws->context)
		lws_context_destroy(ws->context);
	gateway_ws_clock_fini(ws);
	free(ws->conns);
	free(ws->visits);
	free(ws->addresses);
	free(ws);
}

uint32_t gateway_ws_connections(const struct gateway_ws *ws)
{
	return ws->connections;
}
