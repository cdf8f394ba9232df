/* SPDX-License-Identifier: MIT */
/* provider.h - where inputs are made: the one interface between the managed-adapter and the
 * services behind it.  Calls and answers are StreamEvents (proto/schema.h, 200-229), so that the
 * core, the simulator's model and both real providers speak the same words.
 */
#pragma once

#include <ev.h>

#include "common/config.h"
#include "proto/stream_event.h"

struct provider; /* each driver has its own */
struct managed_http; /* managed_http.h */

struct provider_options {
	struct ev_loop *loop;
	const struct config *config; /* borrowed for life */
	struct managed_http *http; /* where callbacks and webhooks arrive; borrowed for life */
	const char *run_dir;
	/* An answer (provider.done, provider.page) or news (provider.hint, provider.output_hint).
	 * Called from the loop, never from inside call(); texts are borrowed for the call.
	 */
	void (*say)(void *context, const struct stream_event *event);
	void *context;
};

struct provider_driver {
	enum provider_kind kind;
	/* Return: 0, or -errno; > 0: the exit code for a configuration that cannot be used. */
	int (*open)(const struct provider_options *options, struct provider **out);
	/* Begin what @event asks for; texts are borrowed for the call.  Every call but
	 * provider.adopt is answered exactly once, within its time, whatever happens.  Where
	 * outputs do not outlive the driver, provider.adopt is followed by provider.output_add
	 * with call 0 for each output of the input; they are not answered either.
	 */
	void (*call)(struct provider *provider, const struct stream_event *event);
	/* The adapter's mirror is complete: inputs that were not adopted are nobody's. */
	void (*settled)(struct provider *provider);
	/* Children end, connections close; what is under way is forgotten unanswered. */
	void (*close)(struct provider *provider);
};

extern const struct provider_driver provider_local, provider_cloudflare;
