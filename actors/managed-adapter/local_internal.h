/* SPDX-License-Identifier: MIT */
/* local_internal.h - shared by local_provider.c and local_calls.c. */
#pragma once

#include "actors/managed-adapter/local_children.h"
#include "actors/managed-adapter/local_config.h"
#include "actors/managed-adapter/local_core.h"
#include "actors/managed-adapter/provider.h"
#include "common/http_client.h"

#define LOCAL_LOOK_TIMEOUT_MS 2000
#define LOCAL_OWN_PORTS_SIZE 64 /* five of at most five digits */
#define LOCAL_ADDRESS_SIZE (LOCAL_BASE_SIZE + INPUT_ID_MAX + 64)

enum job_state {
	JOB_NEW, /* some of them wait for a look */
	JOB_LOOKING, /* at the one that is under way */
	JOB_DROPPING, /* the media server was told to cut the publisher off */
	JOB_ENDING, /* children are still there */
};

/* A call that was not answered yet. */
struct job {
	struct provider *provider;
	struct job *next;
	enum stream_event_type type;
	enum job_state state;
	uint64_t call, output, page;
	bool known; /* delete: there was such an input */
	char id[INPUT_ID_MAX + 1];
	char url[OUTPUT_URL_MAX + 1];
};

struct provider {
	struct provider_options options;
	struct local_config config;
	struct local_core core;
	struct http_client *client;
	struct local_children *children;
	struct ev_timer turn, poll, wake;
	struct job *first, **last;
	char own_ports[LOCAL_OWN_PORTS_SIZE];
	char mark[MARK_MAX + 1]; /* that the last input was made with */
	bool looking, look_owed, settled, sweep_owed;
	bool up, up_known; /* what the last look said */
	int64_t asked_ms;
};

/* local_take_turn() - work soon, from the loop: jobs, steps of the core, timers. */
void local_take_turn(struct provider *self);

/* local_drop() - cut off who publishes under @name; false if that cannot even be asked for. */
bool local_drop(struct provider *self, struct text name,
		void (*done)(void *context, const struct http_answer *http), void *context);

/* local_job_needs_look() - its answer depends on the media server. */
bool local_job_needs_look(const struct job *job);

/* Each of these may answer, and so free, @job: a call that needs no look, one that had its look,
 * and one that waits for children.
 */
void local_job_serve(struct job *job);
void local_job_serve_looked(struct job *job);
void local_job_end(struct job *job);
void local_job_free(struct job *job);
