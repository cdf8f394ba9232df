/* SPDX-License-Identifier: MIT */
/* gateway_ws_listen.c - listening, and who is let in at which pace.
 *
 * When all come at once the listen queue is the waiting room: the system keeps them there, and
 * nothing of ours runs for them yet, no handshake clock either.
 */
#include <errno.h>
#include <unistd.h>

#include "actors/gateway/gateway_socket.h"
#include "actors/gateway/gateway_ws_internal.h"
#include "common/log.h"

#define ACCEPT_PAUSE_S 1.0 /* without descriptors: no spinning */
#define PACE_PAUSE_S 0.01 /* one wake-up lets in what was allowed meanwhile */

/* ---- who comes in ---- */

void gateway_ws_left(struct gateway_ws *ws, uint32_t address)
{
	gateway_address_leave(ws->addresses, address, gateway_ws_now_ms());
	ws->connections--;
}

void gateway_ws_refused(const struct gateway_ws *ws)
{
	gateway_ws_count(ws, "gateway.connections_refused");
	log_limited("gateway.connection_refused", log_u64("connections", ws->connections));
}

/* Before a byte is read: whoever is over a limit costs one accept(). */
static void welcome(struct gateway_ws *ws, int fd, const uint8_t ip[GATEWAY_ADDRESS_SIZE])
{
	struct visit *visit = NULL;
	uint32_t address = GATEWAY_ADDRESS_NONE;
	const bool proxied = gateway_proxies_have(&ws->proxies, ip);

	if (ws->connections < ws->options.connections_max + GATEWAY_DOORWAY_MAX)
		address = proxied ? gateway_address_exempt()
				  : gateway_address_enter(ws->addresses, ip);
	if (address != GATEWAY_ADDRESS_NONE)
		visit = gateway_ws_visit_begin(ws, address);
	if (!visit) {
		if (address != GATEWAY_ADDRESS_NONE)
			gateway_address_leave(ws->addresses, address, gateway_ws_now_ms());
		gateway_ws_refused(ws);
		(void)close(fd);
		return;
	}
	visit->proxied = proxied;
	ws->connections++;
	const lws_adopt_desc_t adopt = {
		.vh = ws->vhost,
		.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | (ws->tls ? LWS_ADOPT_ALLOW_SSL : 0),
		.fd.sockfd = fd,
		.opaque = visit,
	};
	struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&adopt);

	if (wsi)
		visit->wsi = wsi;
	else if (visit->id != 0) /* the descriptor is closed; was it told? */
		gateway_ws_visit_end(ws, visit);
}

/* ---- pauses ---- */

static void stop_accepting(struct gateway_ws *ws, const char *count, const char *reason)
{
	log_limited_by(count, reason, log_str("reason", reason),
		       log_u64("connections", ws->connections));
	gateway_ws_count(ws, count);
	for (int i = 0; i < WS_LISTENERS; i++)
		ev_io_stop(ws->options.loop, &ws->listeners[i].io);
}

static void resume_in(struct gateway_ws *ws, double seconds)
{
	ev_timer_set(&ws->accept_pause, seconds, 0);
	ev_timer_start(ws->options.loop, &ws->accept_pause);
}

/* Whether one more may be accepted now; if not, it waits where it is. */
static bool may_enter(struct gateway_ws *ws)
{
	int64_t now_us = gateway_ws_now_us();

	if (!gateway_ws_visit_has_room(ws)) {
		stop_accepting(ws, "gateway.accept_crowded", "too many at the door");
		ws->crowded = true;
		return false;
	}
	if (gateway_rate_wait(ws->admissions, ws->admissions_free_us, now_us) > 0) {
		stop_accepting(ws, "gateway.accept_paced", "admissions_per_s");
		resume_in(ws, PACE_PAUSE_S);
		return false;
	}
	return true;
}

void gateway_ws_visit_room(struct gateway_ws *ws)
{
	if (!ws->crowded)
		return;
	ws->crowded = false;
	if (ws->accepting && !ev_is_active(&ws->accept_pause))
		gateway_ws_accept(ws);
}

static void on_accept_pause(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct gateway_ws *ws = timer->data;

	(void)loop;
	(void)events;
	if (ws->accepting && !ws->crowded)
		gateway_ws_accept(ws);
}

/* ---- accepting ---- */

static void on_acceptable(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct gateway_ws *ws = ((struct listener *)io->data)->ws;

	(void)loop;
	(void)events;
	for (int i = 0; i < GATEWAY_ACCEPT_BATCH && may_enter(ws); i++) {
		uint8_t ip[GATEWAY_ADDRESS_SIZE];
		int r = gateway_socket_accept(io->fd, ip);

		if (r >= 0) {
			(void)gateway_rate_take(ws->admissions, &ws->admissions_free_us,
						gateway_ws_now_us());
			welcome(ws, r, ip);
			continue;
		}
		if (r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM) {
			stop_accepting(ws, "gateway.accept_paused", strerror(-r));
			resume_in(ws, ACCEPT_PAUSE_S);
		}
		if (r != -EINTR && r != -ECONNABORTED)
			return;
	}
}

void gateway_ws_accept(struct gateway_ws *ws)
{
	ws->accepting = true;
	for (int i = 0; i < WS_LISTENERS; i++)
		if (ws->listeners[i].io.fd >= 0)
			ev_io_start(ws->options.loop, &ws->listeners[i].io);
}

/* ---- listening ---- */

static void listener_close(struct gateway_ws *ws, int index)
{
	struct listener *listener = &ws->listeners[index];

	if (listener->io.fd < 0)
		return;
	ev_io_stop(ws->options.loop, &listener->io);
	(void)close(listener->io.fd);
	ev_io_set(&listener->io, -1, EV_READ);
}

void gateway_ws_deafen(struct gateway_ws *ws, bool all)
{
	listener_close(ws, 0);
	if (!all)
		return;
	listener_close(ws, 1);
	ws->accepting = false;
}

bool gateway_ws_has_direct(const struct gateway_ws *ws)
{
	return ws->listeners[1].io.fd >= 0;
}

static int listen_on(struct gateway_ws *ws, int index, int port)
{
	char reason[GATEWAY_REASON_SIZE];
	int fd = gateway_socket_listen(ws->options.listen, port, index == 0, reason);

	if (fd < 0) {
		log_error("gateway.listen_failed", log_str("address", ws->options.listen),
			  log_i64("direct_port", port), log_str("reason", reason));
		return GATEWAY_WS_E_LISTEN;
	}
	ev_io_set(&ws->listeners[index].io, fd, EV_READ);
	log_info("gateway.listening", log_str("address", ws->options.listen),
		 log_i64("direct_port", port), log_bool("tls", ws->tls));
	return 0;
}

int gateway_ws_listen(struct gateway_ws *ws)
{
	int r = listen_on(ws, 0, 0);

	if (r == 0 && ws->options.direct_port != 0)
		r = listen_on(ws, 1, ws->options.direct_port);
	return r;
}

void gateway_ws_listen_init(struct gateway_ws *ws)
{
	int64_t per_s = ws->options.admissions_per_s;
	int64_t burst = per_s * GATEWAY_ADMISSIONS_BURST_MS / 1000;

	ws->admissions = (struct gateway_rate){ 1000000 / per_s, burst > 0 ? burst : 1 };
	ev_timer_init(&ws->accept_pause, on_accept_pause, 0, 0);
	ws->accept_pause.data = ws;
	for (int i = 0; i < WS_LISTENERS; i++) {
		ws->listeners[i].ws = ws;
		ev_io_init(&ws->listeners[i].io, on_acceptable, -1, EV_READ);
		ws->listeners[i].io.data = &ws->listeners[i];
	}
}

void gateway_ws_listen_fini(struct gateway_ws *ws)
{
	gateway_ws_deafen(ws, true);
	ev_timer_stop(ws->options.loop, &ws->accept_pause);
}
