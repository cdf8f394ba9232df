/* SPDX-License-Identifier: MIT */
/* The input is what a caller sends to the gateway's port: doors, core and sockets are the real
 * ones, and there is no bus.  Properties:
 * - a connection gets one answer or none: a status line, and JSON as long as it says;
 * - a call is whole before it is judged, and answered or given up once;
 * - a connection takes no more memory than it may, nobody makes the loop spin, and another caller
 *   is served.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/gateway/gateway_shell.h"
#include "common/log.h"
#include "proto/json.h"
#include "tests/fuzz/loopback.h"
#include "tests/fuzz/memory.h"
#include "tests/fuzz/sockets.h"

#define CONNECTION_BYTES_MAX (256 * 1024) /* a body of 64 KiB, and its copies */
#define NOW_MS 1000000
#define SECRET "0123456789abcdef0123456789abcdef"
/* The key of com.example.cam is "key". */
#define APPS \
	"[com.example.cam]\n" \
	"api_key_sha256 = 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683\n" \
	"webhook = http://cam\npermissions = CAMERA\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gateway_shell shell;
static struct effects fx;
static uint64_t call_waiting; /* the call that waits for the registry */
static int port;

/* ---- what of the daemon the doors know ---- */

void daemon_count(struct daemon *daemon, const char *name, uint64_t add)
{
	(void)daemon;
	assert(*name && add > 0);
}

int64_t daemon_now_ms(void)
{
	return NOW_MS;
}

int64_t daemon_wall_ms(void)
{
	return INT64_C(1764000000000);
}

bool daemon_is_ready(const struct daemon *daemon)
{
	(void)daemon;
	return true;
}

static void carry(const struct gateway_out *out)
{
	ssize_t length =
		edge_encode(&out->message, daemon_wall_ms(), shell.answer, sizeof shell.answer);

	if (out->type == GATEWAY_CLOSE)
		gateway_ws_shut(shell.ws, out->link, out->code, out->reason);
	if (out->type == GATEWAY_ANSWER)
		gateway_ws_answer(shell.ws, out->call, out->code,
				  (struct text){ shell.answer, length > 0 ? (uint32_t)length : 0 });
}

void gateway_feed(struct gateway_shell *self, const struct gateway_edge *edge)
{
	const struct gateway_out *outs;
	size_t count;

	if (edge->type == GATEWAY_REST)
		call_waiting = edge->call;
	gateway_edge(self->core, edge, NOW_MS, &fx);
	outs = gateway_outs(self->core, &count);
	for (size_t i = 0; i < count; i++)
		carry(&outs[i]);
}

/* ---- both sides ---- */

static size_t unread(void)
{
	return sockets_unread(shell.ws);
}

static bool is_empty(void)
{
	return shell.ws->connections == 0;
}

static bool is_one(void)
{
	return shell.ws->connections == 1;
}

static void open_core(void)
{
	const struct gateway_options options = {
		.incarnation = 7,
		.connections_max = SOCKETS_MAX,
		.starts_per_min = 30,
		.starts_burst = 20,
		.beat_ms = 1000,
		.request_timeout_ms = 10000,
		.watch_timeout_ms = 28000,
		.init_ms = 10000,
		.empty_subscription_grace_ms = 8000,
		.websocket_url = TEXT("wss://cloud/app-ws"),
	};
	size_t bytes = (gateway_bytes(&options) + 63) / 64 * 64;
	void *memory = aligned_alloc(64, bytes);
	char error[GATEWAY_APPS_ERROR_SIZE];

	assert(memory && sizeof error >= GATEWAY_ERROR_SIZE);
	memset(memory, 0, bytes);
	shell.core = gateway_init(memory, &options);
	assert(gateway_apps_parse(APPS, strlen(APPS), "apps", &shell.apps, error) == 0);
	assert(gateway_secrets_parse(TEXT(SECRET), "secret", &shell.secrets, error) == 0);
	gateway_set_directory(shell.core, &shell.apps.directory);
	gateway_handle(shell.core,
		       &(struct input){ .type = INPUT_PEER_UP,
					.peer = { ROLE_REGISTRY, 5 },
					.peer_name = "registry" },
		       NOW_MS, &fx);
}

static void open_gateway(void)
{
	struct gateway_ws_options options =
		sockets_options(ev_default_loop(0), EDGE_ENCODED_MAX, 4);
	int r;

	log_init("fuzz", LOG_LEVEL_ERROR);
	open_core();
	options.proxies = "127.0.0.1";
	options.events = gateway_doors(&shell);
	r = gateway_ws_open(&options, &shell.ws);
	assert(r == 0);
	gateway_ws_accept(shell.ws);
	port = loopback_port(shell.ws->listeners[0].io.fd);
}

/* ---- one input ---- */

static void check_answer(struct text heard)
{
	const char *end =
		heard.length > 0 ? memmem(heard.bytes, heard.length, "\r\n\r\n", 4) : NULL;
	const char *length, *json;
	struct json_value value;
	struct text body;

	if (heard.length == 0)
		return;
	assert(end && heard.length > 12 && memcmp(heard.bytes, "HTTP/1.", 7) == 0);
	/* The library's own pages are none of ours. */
	json = memmem(heard.bytes, (size_t)(end - heard.bytes), "application/json", 16);
	if (!json)
		return;
	assert(memcmp(heard.bytes, "HTTP/1.1 ", 9) == 0);
	body.bytes = end + 4;
	body.length = heard.length - (uint32_t)(body.bytes - heard.bytes);
	assert(json_read(body, &value) && value.kind == JSON_KIND_OBJECT);
	length = memmem(heard.bytes, (size_t)(end - heard.bytes), "Content-Length: ", 16);
	assert(!length || strtoul(length + 16, NULL, 10) == body.length);
}

/* What the core does when the registry has not answered in time. */
static void give_up(void)
{
	if (call_waiting == 0)
		return;
	gateway_edge(shell.core,
		     &(struct gateway_edge){ .type = GATEWAY_REST_GONE, .call = call_waiting },
		     NOW_MS, &fx);
	gateway_ws_answer(shell.ws, call_waiting, 503, TEXT("{}"));
	call_waiting = 0;
}

static struct text call(struct text bytes, char *answer, size_t size)
{
	struct ev_loop *loop = ev_default_loop(0);
	size_t before = memory_in_use();
	int fd = loopback_connect(port);
	struct text heard;

	loopback_until(loop, is_one);
	loopback_say(fd, bytes);
	loopback_run(loop, fd, unread);
	assert(memory_in_use() <= before + CONNECTION_BYTES_MAX);
	heard = loopback_heard(fd, answer, size);
	loopback_reset(fd);
	loopback_run(loop, -1, unread);
	give_up();
	loopback_until(loop, is_empty);
	return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char answer[4 * EDGE_ENCODED_MAX + 1];
	struct text heard;

	if (!shell.ws)
		open_gateway();
	heard = call((struct text){ (const char *)data, (uint32_t)size }, answer,
		     sizeof answer - 1);
	/* Frames may follow an upgrade. */
	if (heard.length < 12 || memcmp(heard.bytes + 9, "101", 3) != 0)
		check_answer(heard);
	heard = call(TEXT("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"), answer, sizeof answer - 1);
	assert(heard.length > 12 && memcmp(heard.bytes, "HTTP/1.1 200", 12) == 0);
	return 0;
}
