/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_hooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "common/error.h"
#include "common/log.h"
#include "proto/schema.h"

#define PATH "/webhook"

struct post {
	struct gateway_hooks *hooks;
	struct post *next, *previous;
	struct gateway_hook hook; /* texts in @texts */
	CURL *easy;
	struct ev_timer pause;
	size_t received;
	bool running; /* with the multi handle */
	char *url;
	char texts[];
};

struct gateway_hooks {
	struct gateway_hooks_options options;
	CURLM *multi;
	struct curl_slist *headers;
	struct ev_timer timer;
	struct post *first;
	unsigned count;
};

/* One of libcurl's sockets in the loop. */
struct watch {
	struct ev_io io;
	struct gateway_hooks *hooks;
};

static void post_free(struct post *post)
{
	struct gateway_hooks *hooks = post->hooks;

	if (post->running)
		(void)curl_multi_remove_handle(hooks->multi, post->easy);
	ev_timer_stop(hooks->options.loop, &post->pause);
	curl_easy_cleanup(post->easy);
	if (post->previous)
		post->previous->next = post->next;
	else
		hooks->first = post->next;
	if (post->next)
		post->next->previous = post->previous;
	hooks->count--;
	free(post);
}

/* ---- attempts ---- */

static bool attempt(struct post *post)
{
	post->received = 0;
	post->hook.attempts--;
	post->running = curl_multi_add_handle(post->hooks->multi, post->easy) == CURLM_OK;
	return post->running;
}

static void finish(struct post *post, bool ok)
{
	struct gateway_hooks *hooks = post->hooks;
	struct gateway_hook hook = post->hook;

	hooks->options.done(hooks->options.context, &hook, ok);
	post_free(post);
}

static void on_pause(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct post *post = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	if (post->hook.attempts == 0 || !attempt(post))
		finish(post, false);
}

static void on_done(struct post *post, CURLcode result)
{
	char package[PACKAGE_MAX + 1];
	long status = 0;

	(void)curl_multi_remove_handle(post->hooks->multi, post->easy);
	post->running = false;
	(void)curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
	/* Who answers 2xx and then too much has answered all the same. */
	if (status >= 200 && status < 300 && (result == CURLE_OK || result == CURLE_WRITE_ERROR)) {
		finish(post, true);
		return;
	}
	log_limited("gateway.hook_failed",
		    log_str("package", text_put(post->hook.package, package, sizeof package)),
		    log_str("hook", words_name(&hook_words, post->hook.hook)),
		    log_i64("status", status),
		    log_str("reason", result == CURLE_OK ? "" : curl_easy_strerror(result)),
		    log_i64("attempts_left", post->hook.attempts));
	if (post->hook.attempts > 0) {
		ev_now_update(post->hooks->options.loop);
		ev_timer_start(post->hooks->options.loop, &post->pause);
		return;
	}
	finish(post, false);
}

static void collect(struct gateway_hooks *hooks)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(hooks->multi, &left))) {
		CURLcode result = message->data.result;
		struct post *post = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &post);
		on_done(post, result);
	}
}

/* ---- the loop ---- */

static void on_socket(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct gateway_hooks *hooks = ((struct watch *)io->data)->hooks;
	int action = (events & EV_READ ? CURL_CSELECT_IN : 0) |
		     (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	(void)loop;
	(void)curl_multi_socket_action(hooks->multi, io->fd, action, &running);
	collect(hooks);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct gateway_hooks *hooks = timer->data;
	int running;

	(void)events;
	ev_timer_stop(loop, timer);
	(void)curl_multi_socket_action(hooks->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(hooks);
}

static int want_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct gateway_hooks *hooks = context;

	(void)multi;
	ev_timer_stop(hooks->options.loop, &hooks->timer);
	if (timeout_ms < 0)
		return 0;
	ev_now_update(hooks->options.loop);
	ev_timer_set(&hooks->timer, (double)timeout_ms / 1000, 0);
	ev_timer_start(hooks->options.loop, &hooks->timer);
	return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_data)
{
	struct gateway_hooks *hooks = context;
	struct watch *watch = socket_data;

	(void)easy;
	if (watch)
		ev_io_stop(hooks->options.loop, &watch->io);
	if (what == CURL_POLL_REMOVE) {
		free(watch);
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof *watch);
		if (!watch)
			return -1;
		watch->hooks = hooks;
		(void)curl_multi_assign(hooks->multi, fd, watch);
	}
	ev_io_init(&watch->io, on_socket, fd,
		   (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
	watch->io.data = watch;
	ev_io_start(hooks->options.loop, &watch->io);
	return 0;
}

/* ---- posting ---- */

static size_t discard(char *bytes, size_t size, size_t count, void *context)
{
	struct post *post = context;

	(void)bytes;
	post->received += size * count;
	return post->received <= GATEWAY_HOOK_ANSWER_MAX ? size * count : 0;
}

static struct text place(char **at, struct text text)
{
	struct text placed = { *at, text.length };

	if (text.length > 0)
		memcpy(*at, text.bytes, text.length);
	*at += text.length;
	return placed;
}

static struct post *post_new(struct gateway_hooks *hooks, const struct gateway_hook *hook)
{
	size_t bytes = hook->url.length + sizeof PATH + hook->user.length + hook->package.length +
		       hook->body.length;
	struct post *post = calloc(1, sizeof *post + bytes);
	char *at = post ? post->texts : NULL;

	if (!post)
		return NULL;
	post->easy = curl_easy_init();
	if (!post->easy) {
		free(post);
		return NULL;
	}
	post->hooks = hooks;
	post->hook = *hook;
	post->url = at;
	(void)place(&at, hook->url);
	(void)place(&at, (struct text){ PATH, sizeof PATH }); /* with its end */
	post->hook.url = (struct text){ 0 };
	post->hook.user = place(&at, hook->user);
	post->hook.package = place(&at, hook->package);
	post->hook.body = place(&at, hook->body);
	ev_timer_init(&post->pause, on_pause, (double)hooks->options.pause_ms / 1000, 0);
	post->pause.data = post;
	return post;
}

/* The address comes from the operator: it may be private, but nothing leads elsewhere. */
static bool configure(const struct gateway_hooks *hooks, struct post *post)
{
	CURL *easy = post->easy;
	long timeout_ms = (long)hooks->options.timeout_ms;

	return curl_easy_setopt(easy, CURLOPT_URL, post->url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTPHEADER, hooks->headers) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)post->hook.body.length) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->hook.body.bytes) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, post) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PRIVATE, post) == CURLE_OK;
}

/* What cannot even begin fails as what did: later, through done(). */
bool gateway_hooks_post(struct gateway_hooks *hooks, const struct gateway_hook *hook)
{
	struct post *post = hooks->count < 2 * GATEWAY_HOOKS_MAX ? post_new(hooks, hook) : NULL;

	if (!post)
		return false;
	post->next = hooks->first;
	if (hooks->first)
		hooks->first->previous = post;
	hooks->first = post;
	if (hooks->count++ >= GATEWAY_HOOKS_MAX || !configure(hooks, post) || !attempt(post)) {
		post->hook.attempts = 0;
		ev_timer_start(hooks->options.loop, &post->pause);
	}
	return true;
}

/* ---- opening ---- */

static struct curl_slist *make_headers(void)
{
	/* Without a value: left out.  The first is all that the protocol knows. */
	static const char *const lines[] = { "Content-Type: application/json",
					     "Expect:", "Accept:" };
	struct curl_slist *headers = NULL;

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct curl_slist *longer = curl_slist_append(headers, lines[i]);

		if (!longer) {
			curl_slist_free_all(headers);
			return NULL;
		}
		headers = longer;
	}
	return headers;
}

int gateway_hooks_open(const struct gateway_hooks_options *options, struct gateway_hooks **out)
{
	struct gateway_hooks *hooks;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_raise(-ENOMEM);
	hooks = calloc(1, sizeof *hooks);
	if (!hooks)
		return err_raise(-ENOMEM);
	hooks->options = *options;
	hooks->headers = make_headers();
	hooks->multi = curl_multi_init();
	ev_timer_init(&hooks->timer, on_timer, 0, 0);
	hooks->timer.data = hooks;
	if (!hooks->headers || !hooks->multi ||
	    curl_multi_setopt(hooks->multi, CURLMOPT_SOCKETFUNCTION, want_socket) != CURLM_OK ||
	    curl_multi_setopt(hooks->multi, CURLMOPT_SOCKETDATA, hooks) != CURLM_OK ||
	    curl_multi_setopt(hooks->multi, CURLMOPT_TIMERFUNCTION, want_timer) != CURLM_OK ||
	    curl_multi_setopt(hooks->multi, CURLMOPT_TIMERDATA, hooks) != CURLM_OK ||
	    curl_multi_setopt(hooks->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
			      (long)GATEWAY_HOOK_CONNECTIONS_MAX) != CURLM_OK) {
		gateway_hooks_close(hooks);
		return err_raise(-ENOMEM);
	}
	*out = hooks;
	return 0;
}

void gateway_hooks_close(struct gateway_hooks *hooks)
{
	if (!hooks)
		return;
	while (hooks->first)
		post_free(hooks->first);
	if (hooks->multi)
		(void)curl_multi_cleanup(hooks->multi);
	ev_timer_stop(hooks->options.loop, &hooks->timer);
	curl_slist_free_all(hooks->headers);
	free(hooks);
	curl_global_cleanup();
}
