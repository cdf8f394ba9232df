/* SPDX-License-Identifier: MIT */
#include "common/http_client.h"

#include <errno.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "common/error.h"
#include "common/secret.h"

#define BODY_FIRST 4096 /* bytes; doubles */

struct exchange {
	struct http_client *client;
	struct exchange *next, *previous;
	CURL *easy;
	struct curl_slist *headers;
	bool running; /* with the multi handle */
	bool discard;
	void (*done)(void *context, const struct http_answer *answer);
	void *context;
	char *body;
	size_t size, length, length_max;
};

struct http_client {
	struct http_client_options options;
	CURLM *multi;
	struct ev_timer timer, rest;
	struct exchange *first;
	unsigned count;
};

/* One of libcurl's sockets in the loop. */
struct watch {
	struct ev_io io;
	struct http_client *client;
};

/* ---- exchanges ---- */

static void exchange_free(struct exchange *exchange)
{
	if (exchange->running)
		(void)curl_multi_remove_handle(exchange->client->multi, exchange->easy);
	curl_easy_cleanup(exchange->easy);
	curl_slist_free_all(exchange->headers);
	secret_free(exchange->body); /* keys of streams; the requests are libcurl's, as below */
	free(exchange);
}

static void unlink_exchange(struct exchange *exchange)
{
	struct http_client *client = exchange->client;

	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		client->first = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
	client->count--;
}

static bool make_room(struct exchange *exchange, size_t length)
{
	size_t size = exchange->size ? exchange->size : BODY_FIRST;
	char *body;

	while (size < length)
		size *= 2;
	if (size == exchange->size)
		return true;
	body = secret_realloc(exchange->body, size);
	if (!body)
		return false;
	exchange->body = body;
	exchange->size = size;
	return true;
}

/* To take less than was offered is to give up. */
static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	size_t more = size * count;

	if (more > exchange->length_max - exchange->length) {
		exchange->length = exchange->length_max + 1;
		return 0;
	}
	if (!exchange->discard) {
		if (!make_room(exchange, exchange->length + more))
			return 0;
		memcpy(exchange->body + exchange->length, bytes, more);
	}
	exchange->length += more;
	return more;
}

static enum http_fate judge(const struct exchange *exchange, CURLcode result)
{
	long sent = 0;

	if (result == CURLE_OK)
		return HTTP_ANSWERED;
	if (exchange->length > exchange->length_max)
		return HTTP_TOO_LARGE;
	(void)curl_easy_getinfo(exchange->easy, CURLINFO_REQUEST_SIZE, &sent);
	return sent == 0 ? HTTP_NOT_SENT : HTTP_LOST;
}

static void finish(struct exchange *exchange, CURLcode result)
{
	struct http_answer answer = { .fate = judge(exchange, result), .opaque = exchange };
	long status = 0;

	(void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	answer.status = (unsigned)status;
	answer.error = answer.fate == HTTP_ANSWERED    ? ""
		       : answer.fate == HTTP_TOO_LARGE ? "the answer is too large"
						       : curl_easy_strerror(result);
	if (answer.fate == HTTP_ANSWERED && !exchange->discard)
		answer.body = (struct text){ exchange->body, (uint32_t)exchange->length };
	/* Nothing of it may be found any more if done() closes or starts something. */
	unlink_exchange(exchange);
	exchange->done(exchange->context, &answer);
}

static void collect(struct http_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		CURLcode result = message->data.result;
		struct exchange *exchange = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
		(void)curl_multi_remove_handle(client->multi, exchange->easy);
		exchange->running = false;
		finish(exchange, result);
		exchange_free(exchange);
	}
	if (client->count == 0 && !ev_is_active(&client->rest)) {
		ev_now_update(client->options.loop);
		ev_timer_set(&client->rest, (double)HTTP_REST_MS / 1000, 0);
		ev_timer_start(client->options.loop, &client->rest);
	}
}

/* ---- the loop ---- */

static void on_socket(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct http_client *client = ((struct watch *)io->data)->client;
	int action = (events & EV_READ ? CURL_CSELECT_IN : 0) |
		     (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	(void)loop;
	(void)curl_multi_socket_action(client->multi, io->fd, action, &running);
	collect(client);
}

static int want_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct http_client *client = context;

	(void)multi;
	ev_timer_stop(client->options.loop, &client->timer);
	if (timeout_ms < 0)
		return 0;
	ev_now_update(client->options.loop);
	ev_timer_set(&client->timer, (double)timeout_ms / 1000, 0);
	ev_timer_start(client->options.loop, &client->timer);
	return 0;
}

/* libcurl names each of its times once: if the timer was early, it must be asked for it again. */
static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct http_client *client = timer->data;
	long left_ms = -1;
	int running;

	(void)events;
	ev_timer_stop(loop, timer);
	(void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(client);
	if (!ev_is_active(timer) && curl_multi_timeout(client->multi, &left_ms) == CURLM_OK)
		(void)want_timer(client->multi, left_ms, client);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_data)
{
	struct http_client *client = context;
	struct watch *watch = socket_data;

	(void)easy;
	if (watch)
		ev_io_stop(client->options.loop, &watch->io);
	if (what == CURL_POLL_REMOVE) {
		free(watch);
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof *watch);
		if (!watch)
			return -1;
		watch->client = client;
		(void)curl_multi_assign(client->multi, fd, watch);
	}
	ev_io_init(&watch->io, on_socket, fd,
		   (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
	watch->io.data = watch;
	ev_io_start(client->options.loop, &watch->io);
	return 0;
}

/* ---- rest ---- */

static CURLM *multi_new(struct http_client *client)
{
	CURLM *multi = curl_multi_init();

	if (multi && curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_timer) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client) == CURLM_OK &&
	    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
			      (long)client->options.connections_max) == CURLM_OK)
		return multi;
	if (multi)
		(void)curl_multi_cleanup(multi);
	return NULL;
}

/* libcurl looks at the connections that it keeps only when it wants one: those that their servers
 * have closed would stay half closed for as long as nothing is asked.  It closes all of them with
 * its handle.
 */
static void on_rest(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct http_client *client = timer->data;
	CURLM *fresh;

	(void)events;
	ev_timer_stop(loop, timer);
	if (client->count > 0 || !(fresh = multi_new(client)))
		return; /* the next rest comes with the end of the next request */
	(void)curl_multi_cleanup(client->multi);
	client->multi = fresh;
}

/* ---- starting ---- */

static bool add_header(struct exchange *exchange, const char *line)
{
	struct curl_slist *longer = curl_slist_append(exchange->headers, line);

	if (!longer)
		return false;
	exchange->headers = longer;
	return true;
}

/* Expect would cost a round trip, Accept says nothing. */
static bool set_headers(struct exchange *exchange, const struct http_request *request)
{
	if (!add_header(exchange, "Expect:") || !add_header(exchange, "Accept:"))
		return false;
	for (const char *const *line = request->headers; line && *line; line++)
		if (!add_header(exchange, *line))
			return false;
	return curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK;
}

static bool set_body(struct exchange *exchange, const struct http_request *request)
{
	const char *bytes = request->body.length > 0 ? request->body.bytes : "";
	CURL *easy = exchange->easy;

	/* The size first: the copy that follows goes by it.  A POST has one, if of nothing. */
	if ((request->body.length > 0 || strcmp(request->method, "POST") == 0) &&
	    (curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body.length) !=
		     CURLE_OK ||
	     curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, bytes) != CURLE_OK))
		return false;
	return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

static bool configure(struct exchange *exchange, const struct http_request *request)
{
	const char *ca_file = exchange->client->options.ca_file;
	CURL *easy = exchange->easy;

	return curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L) == CURLE_OK &&
	       (!ca_file || !*ca_file ||
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) == CURLE_OK) &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK &&
	       set_headers(exchange, request) && set_body(exchange, request);
}

bool http_client_start(struct http_client *client, const struct http_request *request)
{
	struct exchange *exchange = calloc(1, sizeof *exchange);

	if (!exchange)
		return false;
	exchange->client = client;
	exchange->discard = request->discard;
	exchange->length_max = request->answer_max;
	exchange->done = request->done;
	exchange->context = request->context;
	exchange->easy = curl_easy_init();
	exchange->running = exchange->easy && configure(exchange, request) &&
			    curl_multi_add_handle(client->multi, exchange->easy) == CURLM_OK;
	if (!exchange->running) {
		exchange_free(exchange);
		return false;
	}
	exchange->next = client->first;
	if (client->first)
		client->first->previous = exchange;
	client->first = exchange;
	client->count++;
	ev_timer_stop(client->options.loop, &client->rest);
	return true;
}

unsigned http_client_pending(const struct http_client *client)
{
	return client->count;
}

struct text http_answer_header(const struct http_answer *answer, const char *name)
{
	const struct exchange *exchange = answer->opaque;
	struct curl_header *header;

	if (!exchange ||
	    curl_easy_header(exchange->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return (struct text){ 0 };
	return text_of(header->value);
}

/* ---- opening ---- */

/* libcurl has copies of its own of what is sent and received: tokens in headers, keys in bodies. */
static CURLcode init_library(void)
{
	return curl_global_init_mem(CURL_GLOBAL_DEFAULT, secret_malloc, secret_free, secret_realloc,
				    secret_strdup, secret_calloc);
}

int http_client_open(const struct http_client_options *options, struct http_client **out)
{
	struct http_client *client;

	if (init_library() != CURLE_OK)
		return err_raise(-ENOMEM);
	client = calloc(1, sizeof *client);
	if (!client) {
		curl_global_cleanup();
		return err_raise(-ENOMEM);
	}
	client->options = *options;
	ev_timer_init(&client->timer, on_timer, 0, 0);
	ev_timer_init(&client->rest, on_rest, (double)HTTP_REST_MS / 1000, 0);
	client->timer.data = client->rest.data = client;
	client->multi = multi_new(client);
	if (!client->multi) {
		http_client_close(client);
		return err_raise(-ENOMEM);
	}
	*out = client;
	return 0;
}

void http_client_close(struct http_client *client)
{
	if (!client)
		return;
	while (client->first) {
		struct exchange *exchange = client->first;

		unlink_exchange(exchange);
		exchange_free(exchange);
	}
	if (client->multi)
		(void)curl_multi_cleanup(client->multi);
	ev_timer_stop(client->options.loop, &client->timer);
	ev_timer_stop(client->options.loop, &client->rest);
	free(client);
	curl_global_cleanup();
}
