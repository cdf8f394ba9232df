/* SPDX-License-Identifier: MIT */
/* Goal: what providers call back with arrives whole, once, and nothing but what was asked for is
 * taken.  Method: the listener and a client of libcurl in one loop, on a port that was free.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "actors/managed-adapter/managed_http.h"
#include "common/http_client.h"

#define TIMEOUT_MS 10000

static struct ev_loop *loop;
static struct managed_http *http;
static struct http_client *client;
static char base[64], listen_at[64];
static unsigned calls, answers, last_status;
static char last_body[MANAGED_HTTP_BODY_MAX + 1], last_peer[64], last_header[64];
static uint32_t last_length;

static unsigned on_call(void *context, const struct managed_http_request *request)
{
	calls++;
	last_length = request->body.length;
	text_put(request->body, last_body, sizeof last_body);
	text_put(text_of(request->peer), last_peer, sizeof last_peer);
	text_put(managed_http_header(request, "X-Test"), last_header, sizeof last_header);
	cr_expect(text_is(managed_http_header(request, "X-None"), ""));
	return *(const unsigned *)context;
}

static uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)(void *)&address, length), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)(void *)&address, &length), 0);
	(void)close(fd);
	return ntohs(address.sin_port);
}

static void setup(void)
{
	static const unsigned allowed = 200, denied = 403;
	uint16_t port = free_port();

	loop = ev_loop_new(EVFLAG_AUTO);
	snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", port);
	snprintf(base, sizeof base, "http://127.0.0.1:%u", port);
	cr_assert_eq(managed_http_open(loop, listen_at, &http), 0);
	managed_http_route(http, "/allowed", on_call, (void *)(uintptr_t)&allowed);
	managed_http_route(http, "/denied", on_call, (void *)(uintptr_t)&denied);
	cr_assert_eq(http_client_open(
			     &(struct http_client_options){ .loop = loop, .connections_max = 8 },
			     &client),
		     0);
}

static void teardown(void)
{
	http_client_close(client);
	managed_http_close(http);
	ev_loop_destroy(loop);
}

TestSuite(managed_http, .init = setup, .fini = teardown);

static void on_answer(void *context, const struct http_answer *answer)
{
	(void)context;
	answers++;
	last_status = answer->status;
	ev_break(loop, EVBREAK_ALL);
}

static unsigned ask(const char *method, const char *path, struct text body)
{
	static const char *const headers[] = { "X-Test: a value", "Expect:", NULL };
	char url[128];
	unsigned before = answers;

	snprintf(url, sizeof url, "%s%s", base, path);
	last_status = 0;
	cr_assert(http_client_start(client, &(struct http_request){ .method = method,
								    .url = url,
								    .headers = headers,
								    .body = body,
								    .timeout_ms = TIMEOUT_MS,
								    .answer_max = 1024,
								    .done = on_answer }));
	while (answers == before)
		(void)ev_run(loop, 0);
	return last_status;
}

Test(managed_http, a_call_arrives_whole)
{
	cr_expect_eq(ask("POST", "/allowed", TEXT("key=a&name=b")), 200);
	cr_expect_eq(calls, 1);
	cr_expect_str_eq(last_body, "key=a&name=b");
	cr_expect_str_eq(last_peer, "127.0.0.1");
	cr_expect_str_eq(last_header, "a value");
	cr_expect_eq(ask("POST", "/denied", TEXT("x")), 403);
	cr_expect_eq(ask("POST", "/allowed?and=more", TEXT("x")), 200);
	cr_expect_eq(calls, 3);
}

Test(managed_http, nothing_else_is_taken)
{
	cr_expect_eq(ask("POST", "/", TEXT("x")), 404);
	cr_expect_eq(ask("POST", "/allowed/", TEXT("x")), 404);
	cr_expect_eq(ask("POST", "/Allowed", TEXT("x")), 404);
	cr_expect_eq(ask("GET", "/allowed", (struct text){ 0 }), 405);
	cr_expect_eq(ask("PUT", "/allowed", TEXT("x")), 405);
	cr_expect_eq(calls, 0);
}

Test(managed_http, bodies_have_a_limit)
{
	char *bytes = malloc(MANAGED_HTTP_BODY_MAX + 1);

	cr_assert(bytes);
	memset(bytes, 'x', MANAGED_HTTP_BODY_MAX + 1);
	cr_expect_eq(ask("POST", "/allowed", (struct text){ bytes, MANAGED_HTTP_BODY_MAX }), 200);
	cr_expect_eq(last_length, MANAGED_HTTP_BODY_MAX);
	cr_expect_eq(ask("POST", "/allowed", (struct text){ bytes, MANAGED_HTTP_BODY_MAX + 1 }),
		     413);
	cr_expect_eq(calls, 1);
	free(bytes);
}

Test(managed_http, a_port_is_taken_once)
{
	struct managed_http *second = NULL;

	cr_expect_lt(managed_http_open(loop, listen_at, &second), 0);
	cr_expect_null(second);
	cr_expect_lt(managed_http_open(loop, "nowhere", &second), 0);
}

Test(managed_http, requests_side_by_side)
{
	char url[128];

	snprintf(url, sizeof url, "%s/allowed", base);
	for (unsigned i = 0; i < 8; i++)
		cr_assert(http_client_start(
			client, &(struct http_request){ .method = "POST",
							.url = url,
							.headers = (const char *const[]){ NULL },
							.body = TEXT("x"),
							.timeout_ms = TIMEOUT_MS,
							.answer_max = 16,
							.done = on_answer }));
	while (answers < 8)
		(void)ev_run(loop, 0);
	cr_expect_eq(calls, 8);
}
