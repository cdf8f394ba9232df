/* SPDX-License-Identifier: MIT */
/* Goal: a request goes where it was told to and nowhere else, ends in its time, takes no more than
 * it was to take, and leaves no connection behind.  Method: a server by hand in the same loop.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http_client.h"
#include "common/secret.h"

#define ANSWER_MAX 16
#define PATIENCE_S 20.0

static struct ev_loop *loop;
static struct http_client *client;
static int listener, accepted;
static unsigned connections, ends;
static struct ev_io incoming, from_client;
static struct ev_timer patience;
static const char *answer; /* NULL: silence */
static char url[64];
static struct http_answer got;
static bool done;

static void on_bytes(struct ev_loop *at, struct ev_io *io, int events)
{
	char bytes[4096];
	ssize_t count = read(io->fd, bytes, sizeof bytes);

	(void)events;
	if (count <= 0) {
		ends++;
		ev_io_stop(at, io);
		(void)close(io->fd);
		ev_break(at, EVBREAK_ALL);
	} else if (answer) {
		(void)!write(io->fd, answer, strlen(answer));
		(void)shutdown(io->fd, SHUT_WR);
	}
}

static void on_connection(struct ev_loop *at, struct ev_io *io, int events)
{
	(void)events;
	accepted = accept(io->fd, NULL, NULL);
	connections++;
	ev_io_init(&from_client, on_bytes, accepted, EV_READ);
	ev_io_start(at, &from_client);
}

static void on_patience(struct ev_loop *at, struct ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(at, EVBREAK_ALL);
}

static void on_done(void *context, const struct http_answer *given)
{
	(void)context;
	got = *given;
	done = true;
	ev_break(loop, EVBREAK_ALL);
}

static void setup(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;

	loop = ev_loop_new(EVFLAG_AUTO);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	cr_assert_eq(listen(listener, 8), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
	ev_io_init(&incoming, on_connection, listener, EV_READ);
	ev_io_start(loop, &incoming);
	ev_timer_init(&patience, on_patience, PATIENCE_S, 0);
	ev_timer_start(loop, &patience);
	cr_assert_eq(http_client_open(
			     &(struct http_client_options){ .loop = loop, .connections_max = 4 },
			     &client),
		     0);
}

static void teardown(void)
{
	http_client_close(client);
	(void)close(listener);
	ev_loop_destroy(loop);
}

TestSuite(http_client, .init = setup, .fini = teardown);

static void ask(const char *where, int64_t timeout_ms)
{
	done = false;
	cr_assert(http_client_start(client, &(struct http_request){ .method = "GET",
								    .url = where,
								    .timeout_ms = timeout_ms,
								    .answer_max = ANSWER_MAX,
								    .done = on_done }));
	while (!done && ev_is_active(&patience))
		ev_run(loop, 0);
	cr_assert(done);
}

Test(http_client, a_redirect_is_an_answer_like_any_other)
{
	answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
	ask(url, 5000);
	cr_expect_eq(got.fate, HTTP_ANSWERED);
	cr_expect_eq(got.status, 302);
	cr_expect_eq(connections, 1);
}

Test(http_client, a_body_as_large_as_it_may_be_and_one_byte_more)
{
	answer = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef";
	ask(url, 5000);
	cr_expect_eq(got.fate, HTTP_ANSWERED);
	answer = "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n0123456789abcdefg";
	ask(url, 5000);
	cr_expect_eq(got.fate, HTTP_TOO_LARGE);
	/* A length that is not said is no way around it. */
	answer = "HTTP/1.1 200 OK\r\n\r\n0123456789abcdefg";
	ask(url, 5000);
	cr_expect_eq(got.fate, HTTP_TOO_LARGE);
}

Test(http_client, silence_ends_in_time)
{
	answer = NULL;
	ask(url, 50);
	cr_expect_eq(got.fate, HTTP_LOST);
	cr_expect_eq(connections, 1);
}

Test(http_client, other_protocols_are_not_spoken)
{
	static const char *const urls[] = { "file:///etc/passwd", "gopher://127.0.0.1:1/",
					    "ftp://127.0.0.1:1/", "dict://127.0.0.1:1/" };

	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		ask(urls[i], 5000);
		cr_expect_eq(got.fate, HTTP_NOT_SENT, "%s", urls[i]);
	}
}

Test(http_client, a_connection_that_its_server_has_closed_is_not_kept)
{
	answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	ask(url, 5000);
	cr_expect_eq(got.fate, HTTP_ANSWERED);
	/* The server has said its last word; what ends this loop is the client's. */
	while (ends == 0 && ev_is_active(&patience))
		ev_run(loop, 0);
	cr_expect_eq(ends, 1);
	ask(url, 5000);
	cr_expect_eq(got.fate, HTTP_ANSWERED, "and the next request finds its way");
}

/* What is left in memory ----------------------------------------------------------------------- */

#define TOKEN "token-4f1d9ac2"
#define BODY_KEY "body-key-77ab31"
#define URL_KEY "url-key-c05e18"
#define ANSWER_KEY "ans-9be27d"

/* Whether @needle, which is itself no part of it, is anywhere in the heap. */
static bool is_in_heap(const char *needle)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from = 0, to = 0;
	char line[512];
	bool heap = false;

	while (maps && !heap && fgets(line, sizeof line, maps))
		heap = strstr(line, "[heap]") && sscanf(line, "%lx-%lx", &from, &to) == 2;
	if (maps)
		(void)fclose(maps);
	cr_assert(heap);
	return memmem((const void *)from, to - from, needle, strlen(needle)) != NULL;
}

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_ELSEWHERE true
#elif defined(__has_feature)
#define HEAP_IS_ELSEWHERE __has_feature(address_sanitizer)
#else
#define HEAP_IS_ELSEWHERE false
#endif

Test(http_client, nothing_of_a_request_or_its_answer_stays_in_memory, .disabled = HEAP_IS_ELSEWHERE)
{
	static const char *const headers[] = { "Authorization: Bearer " TOKEN, NULL };
	static char where[128];
	char *probe = strdup(TOKEN "-probe");

	cr_assert(is_in_heap(TOKEN "-probe"), "the search finds what is there");
	secret_free(probe);
	cr_assert_not(is_in_heap(TOKEN "-probe"));
	(void)snprintf(where, sizeof where, "%s" URL_KEY, url);
	answer =
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Key: " ANSWER_KEY "\r\n\r\n" ANSWER_KEY;
	done = false;
	cr_assert(http_client_start(client, &(struct http_request){ .method = "POST",
								    .url = where,
								    .headers = headers,
								    .body = TEXT(BODY_KEY),
								    .timeout_ms = 5000,
								    .answer_max = ANSWER_MAX,
								    .done = on_done }));
	while (!done && ev_is_active(&patience))
		ev_run(loop, 0);
	cr_assert_eq(got.fate, HTTP_ANSWERED, "%s", got.error);
	cr_expect_not(is_in_heap(TOKEN));
	cr_expect_not(is_in_heap(BODY_KEY));
	cr_expect_not(is_in_heap(URL_KEY));
	cr_expect_not(is_in_heap(ANSWER_KEY));
}
