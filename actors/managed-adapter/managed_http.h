/* SPDX-License-Identifier: MIT */
/* managed_http.h - the managed-adapter's small HTTP listener: publish callbacks of the local media
 * server, webhooks of the vendor.  managed_http.c alone sees libmicrohttpd.
 */
#pragma once

#include <ev.h>

#include "proto/text.h"

#define MANAGED_HTTP_BODY_MAX 65536 /* more is answered 413 */
#define MANAGED_HTTP_CONNECTIONS_MAX 256
#define MANAGED_HTTP_ROUTES_MAX 8
#define MANAGED_HTTP_IDLE_S 10

struct managed_http_request {
	const char *method, *path; /* without the query */
	const char *peer; /* literal address */
	struct text body;
	void *opaque; /* for managed_http_header() */
};

/* The status to answer with; the body is empty.  Decided at once, from memory. */
typedef unsigned managed_http_handler(void *context, const struct managed_http_request *request);

struct managed_http;

/* managed_http_open() - listen on @listen ("127.0.0.1:8004").  Return: 0 or -errno. */
int managed_http_open(struct ev_loop *loop, const char *listen, struct managed_http **out);
void managed_http_close(struct managed_http *http);

/* managed_http_route() - @path, borrowed for life, exactly; POST only. */
void managed_http_route(struct managed_http *http, const char *path, managed_http_handler *handler,
			void *context);

/* managed_http_header() - the value of a header of @request; empty: it has none. */
struct text managed_http_header(const struct managed_http_request *request, const char *name);
