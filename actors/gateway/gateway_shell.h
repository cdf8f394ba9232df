/* SPDX-License-Identifier: MIT */
/* gateway_shell.h - the shell of a gateway, for gateway_main.c and gateway_doors.c. */
#pragma once

#include "actors/gateway/gateway_apps.h"
#include "actors/gateway/gateway_core.h"
#include "actors/gateway/gateway_hooks.h"
#include "actors/gateway/gateway_http.h"
#include "actors/gateway/gateway_jwt.h"
#include "actors/gateway/gateway_ws.h"
#include "common/daemon.h"

/* Who an upgrade was accepted for: between the verdict and opened(), which follows at once. */
struct gateway_guest {
	uint64_t link;
	enum gateway_ws_kind kind;
	struct text user; /* empty for an app that will say so in its init */
	struct edge_message init; /* type 0, or what a token says instead of an init */
	bool key_ok;
	char texts[USER_ID_MAX + EDGE_SESSION_ID_MAX + PACKAGE_MAX];
};

struct gateway_shell {
	const struct config *config;
	struct daemon *daemon;
	struct gateway *core;
	struct gateway_ws *ws;
	struct gateway_hooks *hooks;
	struct gateway_apps apps;
	struct gateway_secrets secrets;
	struct gateway_counts counted; /* of the core's, as last told to the metrics */
	struct gateway_guest guest;
	struct edge_scratch scratch;
	struct ev_timer farewell;
	int64_t started_ms, farewell_ms;
	unsigned sent_away; /* upgrades, with 503 */
	char websocket_url[512 + 16];
	char response[2048]; /* of a refused upgrade */
	char answer[EDGE_ENCODED_MAX];
};

/* gateway_feed() - one input from the edge, all that it causes carried out. */
void gateway_feed(struct gateway_shell *shell, const struct gateway_edge *edge);

/* gateway_doors() - what gateway_ws tells, for the shell in @shell. */
struct gateway_ws_events gateway_doors(struct gateway_shell *shell);
