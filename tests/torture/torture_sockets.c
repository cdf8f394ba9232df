/* SPDX-License-Identifier: MIT */
/* The gateway's sockets and the managed-adapter's callbacks, with a peer on loopback. */
#include "tests/torture/torture.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/managed-adapter/managed_http.h"
#include "tests/fuzz/loopback.h"
#include "tests/fuzz/sockets.h"

#define MESSAGE_MAX 65536
#define SENT 40 /* messages, each of them large: more than the sockets take at once */
#define SENT_LENGTH 60000
#define HANDSHAKE \
	"GET /app-ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define FRAGMENTS "\x01\x83\0\0\0\0abc\x80\x83\0\0\0\0def"
#define CALL "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"

static struct ev_loop *loop;
static struct gateway_ws *ws;
static uint64_t link_id;
static unsigned messages, calls, ends;

static void on_upgrade(void *context, const struct gateway_ws_request *request,
		       struct gateway_ws_verdict *verdict)
{
	(void)context;
	(void)request;
	verdict->decision = GATEWAY_WS_ACCEPT;
	verdict->link = 1 << GATEWAY_LINK_BITS;
	verdict->kind = GATEWAY_WS_APP;
}

static void on_opened(void *context, uint64_t link)
{
	(void)context;
	link_id = link;
}

static void on_message(void *context, uint64_t link, enum gateway_ws_kind kind, struct text text)
{
	(void)context;
	(void)link;
	(void)kind;
	assert(text_is(text, "abcdef")); /* whole, or not at all */
	messages++;
}

static void on_end(void *context, uint64_t link, unsigned code)
{
	(void)context;
	(void)link;
	(void)code;
	ends++;
}

static void on_call(void *context, const struct gateway_ws_request *request)
{
	(void)context;
	assert(text_is(request->body, "body") && text_is(request->path, "/x"));
	calls++;
	gateway_ws_answer(ws, request->call, 200, TEXT("{}"));
}

static void on_gone(void *context, uint64_t call)
{
	(void)context;
	(void)call;
}

static void on_count(void *context, const char *name, uint64_t add)
{
	(void)context;
	(void)name;
	(void)add;
}

static size_t unread(void)
{
	return 0;
}

static bool is_empty(void)
{
	return ws->connections == 0;
}

static int open_gateway(void)
{
	struct gateway_ws_options options;
	int r;

	loop = ev_default_loop(0);
	options = sockets_options(loop, MESSAGE_MAX, SENT);
	options.events =
		(struct gateway_ws_events){ on_upgrade, on_opened, on_message, on_end, on_end,
					    on_call,	on_gone,   on_count,   NULL };
	r = gateway_ws_open(&options, &ws);
	if (r == 0)
		gateway_ws_accept(ws);
	return r;
}

int scene_gateway_open(void)
{
	int r = open_gateway();

	if (r == 0)
		gateway_ws_close(ws);
	return r;
}

static int say(struct text bytes)
{
	int fd = loopback_connect(loopback_port(ws->listeners[0].io.fd));

	loopback_run(loop, fd, unread);
	loopback_say(fd, bytes);
	loopback_run(loop, fd, unread);
	return fd;
}

/* A slow reader: what it does not take is queued, or it is sent away. */
static void send_much(void)
{
	for (unsigned i = 0; i < SENT; i++) {
		memset(gateway_ws_buffer(ws), 'x', SENT_LENGTH);
		gateway_ws_send(ws, link_id, SENT_LENGTH);
	}
}

/* Everything that one connection may allocate; then, with memory, another one is served. */
static void talk(void)
{
	int fd = say(TEXT(CALL));

	loopback_reset(fd);
	loopback_until(loop, is_empty);
	fd = say(TEXT(HANDSHAKE));
	loopback_say(fd, (struct text){ FRAGMENTS, sizeof FRAGMENTS - 1 });
	loopback_run(loop, fd, unread);
	if (link_id != 0)
		send_much();
	loopback_run(loop, fd, unread);
	loopback_reset(fd);
	loopback_until(loop, is_empty);
}

int scene_gateway_talk(void)
{
	unsigned refused;
	int r = open_gateway();

	if (r != 0)
		return r;
	messages = calls = ends = 0;
	link_id = 0;
	talk();
	refused = (messages == 0) + (calls == 0);
	torture_calm();
	messages = calls = 0;
	talk();
	assert(messages == 1 && calls == 1 && ends > 0);
	gateway_ws_close(ws);
	return (int)refused;
}

/* ---- callbacks ---- */

static unsigned on_callback(void *context, const struct managed_http_request *request)
{
	(void)context;
	assert(text_is(request->body, "body"));
	calls++;
	return 200;
}

static void call_back(int port)
{
	int fd = loopback_connect(port);

	loopback_run(loop, fd, unread);
	loopback_say(fd, TEXT(CALL));
	loopback_run(loop, fd, unread);
	loopback_run(loop, fd, unread);
	loopback_reset(fd);
	loopback_run(loop, fd, unread);
}

int scene_callbacks(void)
{
	int port = loopback_free_port(), r;
	struct managed_http *http;
	char listen[32];

	loop = ev_default_loop(0);
	(void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
	r = managed_http_open(loop, listen, &http);
	if (r != 0)
		return r;
	managed_http_route(http, "/x", on_callback, NULL);
	calls = 0;
	call_back(port);
	r = calls == 0;
	torture_calm();
	calls = 0;
	call_back(port);
	assert(calls == 1);
	managed_http_close(http);
	return r;
}
