/* SPDX-License-Identifier: MIT */
/* http_client.h - HTTP requests in the background, in the loop of the process; http_client.c alone
 * sees libcurl.
 *
 * Nothing leads elsewhere: redirects are not followed, proxies not used, and the peer's certificate
 * is always checked.  Connections are kept for the next request, but not beyond a rest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ev.h>

#include "proto/text.h"

#define HTTP_REST_MS 2000 /* without any request: kept connections are closed */

struct http_client_options {
	struct ev_loop *loop;
	unsigned connections_max; /* further requests wait, and their time runs */
	const char *ca_file; /* PEM, borrowed for life; NULL or empty: the system's */
};

enum http_fate {
	HTTP_ANSWERED, /* the whole answer is there */
	HTTP_NOT_SENT, /* nothing of the request left: it had no effect */
	HTTP_LOST, /* it was sent, or part of it; how it went is not known */
	HTTP_TOO_LARGE, /* the answer has a status, and more bytes than were wanted */
};

/* Texts are borrowed for the call. */
struct http_answer {
	enum http_fate fate;
	unsigned status; /* 0: there was none */
	struct text body;
	const char *error; /* what went wrong, in words without addresses; empty if answered */
	void *opaque; /* for http_answer_header() */
};

struct http_request {
	const char *method, *url;
	const char *const *headers; /* "Name: value", NULL-terminated; "Name:" leaves it out */
	struct text body; /* empty: none */
	int64_t timeout_ms; /* for all of it, to the answer's last byte */
	size_t answer_max; /* bytes of the body; with more the request has failed */
	bool discard; /* count the body, do not keep it */
	/* On a connection of its own: libcurl sends a request again by itself if a connection that
	 * it kept turns out to be closed, and cannot know whether the first one had an effect.
	 */
	bool once;
	/* Called once, from the loop, never from http_client_start(); it may start others, but not
	 * close the client.
	 */
	void (*done)(void *context, const struct http_answer *answer);
	void *context;
};

struct http_client;

/* http_client_open() - Return: 0 or -errno. */
int http_client_open(const struct http_client_options *options, struct http_client **out);

/* http_client_close() - what is under way is forgotten, untold. */
void http_client_close(struct http_client *client);

/* http_client_start() - begin @request, all of which is copied.
 *
 * Return: false if it cannot even begin: done() will not be called.
 */
bool http_client_start(struct http_client *client, const struct http_request *request);

/* http_client_pending() - requests under way. */
unsigned http_client_pending(const struct http_client *client);

/* http_answer_header() - the value of a header of @answer; empty: it has none. */
struct text http_answer_header(const struct http_answer *answer, const char *name);
