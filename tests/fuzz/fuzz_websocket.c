/* SPDX-License-Identifier: MIT */
/* The input is what a peer sends to the gateway's sockets: the first byte says who it is and into
 * how many pieces it falls.  Properties:
 * - no message beyond the limit is handed on, text is UTF-8, and nothing follows an end;
 * - the same messages are heard, however the bytes are split;
 * - a connection takes no more memory than it may, and all of it is given back;
 * - whatever one connection says, another one is served.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proto/json.h"
#include "tests/fuzz/loopback.h"
#include "tests/fuzz/memory.h"
#include "tests/fuzz/sockets.h"

#define MESSAGE_MAX 1024
#define CONNECTION_BYTES_MAX (128 * 1024) /* what one connection may cost */
#define PIECES_MAX 8

#define HANDSHAKE(path) \
	"GET " path " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define CANARY "\x81\x85\0\0\0\0hello"

enum { AS_APP, AS_GLASSES, AS_STRANGER };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one connection said. */
struct heard {
	uint64_t link, hash;
	unsigned messages, ends;
};

static struct ev_loop *loop;
static struct gateway_ws *ws;
static int port, canary_fd;
static struct heard canary, guest; /* guest: the connection that the input is for */
static uint64_t links;
static bool taken[SOCKETS_MAX];

/* ---- the gateway's part ---- */

static struct heard *of_link(uint64_t link)
{
	return link == canary.link ? &canary : &guest;
}

static void on_upgrade(void *context, const struct gateway_ws_request *request,
		       struct gateway_ws_verdict *verdict)
{
	(void)context;
	assert(request->path.length <= GATEWAY_WS_HEAD_MAX);
	for (uint32_t slot = 0; slot < SOCKETS_MAX; slot++) {
		if (taken[slot])
			continue;
		taken[slot] = true;
		verdict->decision = GATEWAY_WS_ACCEPT;
		verdict->link = ++links << GATEWAY_LINK_BITS | slot;
		verdict->kind =
			text_is(request->path, "/glasses-ws") ? GATEWAY_WS_GLASSES : GATEWAY_WS_APP;
		return;
	}
}

static void on_opened(void *context, uint64_t link)
{
	(void)context;
	if (canary.link == 0)
		canary.link = link;
	else
		guest.link = link;
}

static void on_message(void *context, uint64_t link, enum gateway_ws_kind kind, struct text text)
{
	struct heard *heard = of_link(link);

	(void)context;
	assert(heard->link == link && heard->ends == 0);
	assert(text.length <= MESSAGE_MAX);
	for (size_t at = 0, step; kind == GATEWAY_WS_GLASSES && at < text.length; at += step) {
		step = (unsigned char)text.bytes[at] < 0x80
			       ? 1
			       : json_utf8(text.bytes + at, text.length - at);
		assert(step > 0);
	}
	heard->messages++;
	heard->hash = (heard->hash ^ text.length) * UINT64_C(0x9e3779b97f4a7c15);
	for (uint32_t i = 0; i < text.length; i++)
		heard->hash = (heard->hash ^ (uint8_t)text.bytes[i]) * UINT64_C(0x100000001b3);
}

static void on_lost(void *context, uint64_t link, unsigned code)
{
	(void)context;
	assert(code >= 1000 && of_link(link)->link == link);
	of_link(link)->ends++;
}

static void on_closed(void *context, uint64_t link, unsigned code)
{
	(void)context;
	assert(code >= 1000 && taken[gateway_slot(link)]);
	taken[gateway_slot(link)] = false;
	of_link(link)->ends++;
}

static void on_call(void *context, const struct gateway_ws_request *request)
{
	(void)context;
	assert(request->body.length <= GATEWAY_BODY_MAX);
	gateway_ws_answer(ws, request->call, 404, TEXT("{}"));
}

static void on_gone(void *context, uint64_t call)
{
	(void)context;
	(void)call;
}

static void on_count(void *context, const char *name, uint64_t add)
{
	(void)context;
	assert(*name && add > 0);
}

/* ---- both sides ---- */

static size_t unread(void)
{
	return sockets_unread(ws);
}

static bool is_alone(void)
{
	return ws->connections == 1;
}

static bool is_two(void)
{
	return ws->connections == 2;
}

static void open_canary(void)
{
	canary_fd = loopback_connect(port);
	loopback_until(loop, is_alone);
	loopback_say(canary_fd, TEXT(HANDSHAKE("/app-ws")));
	loopback_run(loop, canary_fd, unread);
	assert(canary.link != 0);
}

static void open_gateway(void)
{
	struct gateway_ws_options options;
	int r;

	log_init("fuzz", LOG_LEVEL_ERROR);
	loop = ev_default_loop(0);
	options = sockets_options(loop, MESSAGE_MAX, 4);
	options.events =
		(struct gateway_ws_events){ on_upgrade, on_opened, on_message, on_lost, on_closed,
					    on_call,	on_gone,   on_count,   NULL };
	r = gateway_ws_open(&options, &ws);
	assert(r == 0);
	gateway_ws_accept(ws);
	port = loopback_port(ws->listeners[0].io.fd);
	open_canary();
}

/* ---- one input ---- */

static void check_canary(void)
{
	unsigned before = canary.messages;

	loopback_say(canary_fd, (struct text){ CANARY, sizeof CANARY - 1 });
	loopback_run(loop, canary_fd, unread);
	assert(canary.messages == before + 1 && canary.ends == 0);
}

static struct heard talk(unsigned as, struct text bytes, unsigned pieces)
{
	static const char *const handshakes[] = { HANDSHAKE("/app-ws"), HANDSHAKE("/glasses-ws") };
	size_t before = memory_in_use();
	int fd = loopback_connect(port);

	guest = (struct heard){ 0 };
	loopback_until(loop, is_two);
	if (as != AS_STRANGER) {
		loopback_say(fd, text_of(handshakes[as]));
		loopback_run(loop, fd, unread);
		assert(guest.link != 0);
	}
	for (; pieces > 0; pieces--) {
		struct text piece = { bytes.bytes, bytes.length / pieces };

		loopback_say(fd, piece);
		loopback_run(loop, fd, unread);
		bytes.bytes += piece.length;
		bytes.length -= piece.length;
	}
	assert(memory_in_use() <= before + CONNECTION_BYTES_MAX);
	check_canary();
	struct heard heard = guest;

	loopback_reset(fd);
	loopback_until(loop, is_alone);
	assert(guest.link == 0 || guest.ends > 0);
	return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text bytes = { (const char *)data + 1, (uint32_t)size - 1 };
	struct heard whole, split;
	unsigned as;

	if (size < 2)
		return -1;
	if (!ws)
		open_gateway();
	as = data[0] % (AS_STRANGER + 1);
	whole = talk(as, bytes, 1);
	split = talk(as, bytes, 2 + (data[0] >> 4) % (PIECES_MAX - 1));
	/* Behind an upgrade in one piece with it the library closes. */
	if (as != AS_STRANGER)
		assert(whole.hash == split.hash && whole.messages == split.messages);
	return 0;
}
