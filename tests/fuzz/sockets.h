/* SPDX-License-Identifier: MIT */
/* sockets.h - a gateway's sockets on loopback, where only what a test is about limits anything:
 * limits of time and pace are far away.
 */
#pragma once

#include <sys/ioctl.h>

#include "actors/gateway/gateway_ws_internal.h"

#define SOCKETS_MAX 4 /* connections */
#define SOCKETS_HOUR_MS 3600000
#define SOCKETS_RATE 1000000

/* sockets_options() - all but events; @message_max bytes, and @queued of them may wait. */
static inline struct gateway_ws_options sockets_options(struct ev_loop *loop, uint32_t message_max,
							uint32_t queued)
{
	return (struct gateway_ws_options){
		.loop = loop,
		.listen = "127.0.0.1:0",
		.proxies = "",
		.tls_cert_file = "",
		.tls_key_file = "",
		.connections_max = SOCKETS_MAX,
		.connections_per_address_max = SOCKETS_MAX,
		.message_max = message_max,
		.send_queue_max = queued * message_max,
		.handshake_ms = SOCKETS_HOUR_MS,
		.admissions_per_s = SOCKETS_RATE,
		.messages_per_s = SOCKETS_RATE,
		.messages_burst = SOCKETS_RATE,
		.controls_per_s = SOCKETS_RATE,
		.glasses_ping_ms = SOCKETS_HOUR_MS,
		.glasses_pong_ms = 2 * SOCKETS_HOUR_MS,
		.app_ping_ms = SOCKETS_HOUR_MS,
		.seed = 1,
	};
}

static inline size_t sockets_unread_at(const struct lws *wsi)
{
	int waiting = 0;

	if (wsi)
		(void)ioctl(lws_get_socket_fd((struct lws *)(uintptr_t)wsi), FIONREAD, &waiting);
	return (size_t)waiting;
}

/* sockets_unread() - bytes that have come to any of them and were not read yet. */
static inline size_t sockets_unread(const struct gateway_ws *ws)
{
	size_t waiting = 0;

	for (uint32_t i = 0; i < SOCKETS_MAX; i++)
		waiting += sockets_unread_at(ws->conns[i].wsi);
	for (uint32_t i = 0; i < ws->visit_next; i++)
		waiting += sockets_unread_at(ws->visits[i].wsi);
	return waiting;
}
