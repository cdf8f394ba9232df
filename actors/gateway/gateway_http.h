/* SPDX-License-Identifier: MIT */
/* gateway_http.h - which REST call a method and a path are.  Pure. */
#pragma once

#include "actors/gateway/gateway_core.h"

enum gateway_route {
	GATEWAY_ROUTE_UNKNOWN, /* 404 */
	GATEWAY_ROUTE_METHOD, /* the path is known, the method is another: 405 */
	GATEWAY_ROUTE_HEALTH, /* GET /health */
	GATEWAY_ROUTE_ALIVE, /* GET /healthz */
	GATEWAY_ROUTE_READY, /* GET /readyz */
	GATEWAY_ROUTE_PERMISSIONS, /* GET /api/public/permissions/<package> */
	GATEWAY_ROUTE_APP_START, /* POST /apps/<package>/start, also below /api */
	GATEWAY_ROUTE_APP_STOP, /* POST /apps/<package>/stop, also below /api */
	GATEWAY_ROUTE_DEVICE_STATE, /* POST /api/client/device/state */
	GATEWAY_ROUTE_OUTPUT_ADD, /* POST /api/streams/<streamId>/outputs */
	GATEWAY_ROUTE_OUTPUT_LIST, /* GET, the same path */
	GATEWAY_ROUTE_OUTPUT_REMOVE, /* DELETE /api/streams/<streamId>/outputs/<outputId> */
};

/* What a path names: the package or the stream id, and the output. */
struct gateway_names {
	struct text first, second;
};

/* gateway_http_route() - @names borrows from @path; empty where the route has none. */
enum gateway_route gateway_http_route(const char *method, struct text path,
				      struct gateway_names *names);

/* gateway_http_bearer() - the second word of an Authorization header; empty if there is none. */
struct text gateway_http_bearer(struct text authorization);

/* gateway_http_permissions() - the answer about @app, as JSON in @bytes of @size. */
struct text gateway_http_permissions(const struct gateway_app *app, char *bytes, size_t size);
