/* SPDX-License-Identifier: MIT */
/* The input is what somebody sends to the managed-adapter's listener.  Properties: the handler of a
 * route is called for that path alone, with a whole body within its limit; a connection takes no
 * more memory than it may; another caller is answered.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/managed-adapter/local_text.h"
#include "actors/managed-adapter/managed_http.h"
#include "common/log.h"
#include "tests/fuzz/loopback.h"
#include "tests/fuzz/memory.h"

#define OPEN_TRIES 16 /* somebody may take the free port first */
#define CONNECTION_BYTES_MAX (256 * 1024) /* the library's 32 KiB, a body of 64 KiB, its growth */
#define HEALTHY \
	"POST /canary HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nConnection: " \
	"close\r\n\r\ncall=alive"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct managed_http *http;
static int port;
static unsigned canaries;

static void check_request(const struct managed_http_request *request, const char *path)
{
	struct text header = managed_http_header(request, "Webhook-Signature");

	assert(strcmp(request->path, path) == 0 && strcmp(request->method, "POST") == 0);
	assert(strncmp(request->peer, "127.", 4) == 0);
	assert(request->body.length <= MANAGED_HTTP_BODY_MAX);
	assert(header.length == strlen(header.length > 0 ? header.bytes : ""));
}

static unsigned on_publish(void *context, const struct managed_http_request *request)
{
	char value[INPUT_ID_MAX + 1];

	(void)context;
	check_request(request, "/local/publish");
	if (local_form_field(request->body, "name", value, sizeof value))
		return strlen(value) <= INPUT_ID_MAX ? 200 : 500;
	return 403;
}

static unsigned on_canary(void *context, const struct managed_http_request *request)
{
	(void)context;
	check_request(request, "/canary");
	canaries += text_is(request->body, "call=alive");
	return 200;
}

static bool is_heard(void)
{
	return canaries > 0;
}

/* The library tells nobody what it has not read. */
static size_t unread(void)
{
	return 0;
}

static void open_listener(void)
{
	char listen[32];
	int r = -1;

	log_init("fuzz", LOG_LEVEL_ERROR);
	for (unsigned i = 0; i < OPEN_TRIES && r < 0; i++) {
		port = loopback_free_port();
		(void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
		r = managed_http_open(ev_default_loop(0), listen, &http);
	}
	assert(r == 0);
	managed_http_route(http, "/local/publish", on_publish, NULL);
	managed_http_route(http, "/canary", on_canary, NULL);
}

static void say(int fd, struct text bytes)
{
	loopback_say(fd, bytes);
	loopback_run(ev_default_loop(0), fd, unread);
}

static void check_canary(void)
{
	char answer[1024];
	int fd = loopback_connect(port);
	struct text heard;

	canaries = 0;
	say(fd, TEXT(HEALTHY));
	loopback_until(ev_default_loop(0), is_heard);
	loopback_run(ev_default_loop(0), fd, unread);
	heard = loopback_heard(fd, answer, sizeof answer);
	assert(heard.length > 12 && memcmp(heard.bytes, "HTTP/1.1 200", 12) == 0);
	loopback_reset(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t before;
	int fd;

	if (!http) {
		open_listener();
		check_canary(); /* what the library allocates once */
	}
	before = memory_in_use();
	fd = loopback_connect(port);
	say(fd, (struct text){ (const char *)data, (uint32_t)size });
	assert(memory_in_use() <= before + CONNECTION_BYTES_MAX);
	check_canary();
	loopback_reset(fd);
	loopback_run(ev_default_loop(0), fd, unread);
	return 0;
}
