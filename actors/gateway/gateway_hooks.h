/* SPDX-License-Identifier: MIT */
/* gateway_hooks.h - webhooks of apps, posted in the background.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>

#include "actors/gateway/gateway_limits.h"
#include "proto/text.h"
#include "proto/words.h"

#define GATEWAY_HOOKS_MAX 4096 /* posted, or waiting for another attempt */
#define GATEWAY_HOOK_ANSWER_MAX 65536 /* bytes of an answer, which nobody reads */

/* Texts are borrowed for the call. */
struct gateway_hook {
	struct text url; /* base of the app; "/webhook" is appended */
	struct text user, package;
	enum hook hook;
	uint64_t hook_id;
	struct text body; /* JSON */
	int64_t attempts;
};

struct gateway_hooks_options {
	struct ev_loop *loop;
	int64_t timeout_ms, pause_ms; /* of one attempt; between two */
	/* @hook has what was posted, without url and body; @ok: answered 2xx. */
	void (*done)(void *context, const struct gateway_hook *hook, bool ok);
	void *context;
};

struct gateway_hooks;

/* gateway_hooks_open() - Return: 0 or -errno. */
int gateway_hooks_open(const struct gateway_hooks_options *options, struct gateway_hooks **out);

/* gateway_hooks_close() - give everything up, untold. */
void gateway_hooks_close(struct gateway_hooks *hooks);

/* gateway_hooks_post() - begin to post; done() is called later, never from here.
 *
 * Beyond GATEWAY_HOOKS_MAX nothing is posted and done() says so.
 *
 * Return: false if it cannot even be remembered: done() will not be called.
 */
bool gateway_hooks_post(struct gateway_hooks *hooks, const struct gateway_hook *hook);
