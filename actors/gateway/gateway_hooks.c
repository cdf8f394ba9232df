/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_hooks.h"

#include <errno.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/http_client.h"
#include "common/log.h"
#include "proto/schema.h"

#define PATH "/webhook"

struct post {
	struct gateway_hooks *hooks;
	struct post *next, *previous;
	struct gateway_hook hook; /* texts in @texts */
	struct ev_timer pause;
	char *url;
	char texts[];
};

struct gateway_hooks {
	struct gateway_hooks_options options;
	struct http_client *client;
	struct post *first;
	unsigned count;
};

static void post_free(struct post *post)
{
	struct gateway_hooks *hooks = post->hooks;

	ev_timer_stop(hooks->options.loop, &post->pause);
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

static void on_done(void *context, const struct http_answer *answer);

/* The address comes from the operator: it may be private. */
static bool attempt(struct post *post)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	const struct http_request request = {
		.method = "POST",
		.url = post->url,
		.headers = headers,
		.body = post->hook.body,
		.timeout_ms = post->hooks->options.timeout_ms,
		.answer_max = GATEWAY_HOOK_ANSWER_MAX,
		.discard = true,
		.done = on_done,
		.context = post,
	};

	post->hook.attempts--;
	return http_client_start(post->hooks->client, &request);
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

static void on_done(void *context, const struct http_answer *answer)
{
	struct post *post = context;
	char package[PACKAGE_MAX + 1];

	/* Who answers 2xx and then too much has answered all the same. */
	if (answer->status >= 200 && answer->status < 300 &&
	    (answer->fate == HTTP_ANSWERED || answer->fate == HTTP_TOO_LARGE)) {
		finish(post, true);
		return;
	}
	(void)text_put(post->hook.package, package, sizeof package);
	log_limited_by("gateway.hook_failed", package, log_str("package", package),
		       log_str("hook", words_name(&hook_words, post->hook.hook)),
		       log_i64("status", answer->status), log_str("reason", answer->error),
		       log_i64("attempts_left", post->hook.attempts));
	if (post->hook.attempts > 0) {
		ev_now_update(post->hooks->options.loop);
		ev_timer_start(post->hooks->options.loop, &post->pause);
		return;
	}
	finish(post, false);
}

/* ---- posting ---- */

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
	if (hooks->count++ >= GATEWAY_HOOKS_MAX || !attempt(post)) {
		post->hook.attempts = 0;
		ev_timer_start(hooks->options.loop, &post->pause);
	}
	return true;
}

/* ---- opening ---- */

int gateway_hooks_open(const struct gateway_hooks_options *options, struct gateway_hooks **out)
{
	const struct http_client_options client = {
		.loop = options->loop,
		.connections_max = GATEWAY_HOOK_CONNECTIONS_MAX,
	};
	struct gateway_hooks *hooks = calloc(1, sizeof *hooks);
	int r;

	if (!hooks)
		return err_raise(-ENOMEM);
	hooks->options = *options;
	r = http_client_open(&client, &hooks->client);
	if (r < 0) {
		free(hooks);
		return err_pass(r);
	}
	*out = hooks;
	return 0;
}

void gateway_hooks_close(struct gateway_hooks *hooks)
{
	if (!hooks)
		return;
	http_client_close(hooks->client); /* first: it holds posts that are under way */
	while (hooks->first)
		post_free(hooks->first);
	free(hooks);
}
