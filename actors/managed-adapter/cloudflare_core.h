/* SPDX-License-Identifier: MIT */
/* cloudflare_core.h - from provider calls to requests and back; pure.
 *
 * A call (provider.create, ...) is worked on by one request after the other; what the last one says
 * makes the answer (provider.done, provider.page).  Nothing waits here: what may not be asked now,
 * because the token is blocked or its budget is spent, is answered CALL_RETRY with the time after
 * which it may, and deletes may a little earlier than the rest.  A call that is repeated begins
 * again; each of its requests may be repeated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/managed-adapter/cloudflare_api.h"
#include "proto/stream_event.h"

#define CLOUDFLARE_CALLS_MAX 2048 /* under way; more are answered CALL_RETRY */
#define CLOUDFLARE_BUSY_MS 1000 /* ... after this */
#define CLOUDFLARE_REQUESTS_MAX 64 /* for one call; then it is to be repeated */
#define CLOUDFLARE_LISTED_MAX \
	16384 /* inputs of one listing; an account with more cannot be compared */
#define CLOUDFLARE_VIDEOS_MAX 8 /* recordings remembered between two looks at the list of them */
#define CLOUDFLARE_HINTS_MAX 16 /* outputs told of at once: a stream has at most OUTPUTS_MAX */
#define CLOUDFLARE_NOTES_MAX 4096 /* inputs something is remembered of */
#define CLOUDFLARE_WAITS_MAX 512 /* inputs whose recording is waited for */
#define CLOUDFLARE_DELETES_FIRST_MS 1000 /* after the token was blocked, nothing else so long */
#define CLOUDFLARE_UNCONFIGURED_MS 300000 /* after 401 or 403 nothing is asked so long */
#define CLOUDFLARE_RECORDING_PAUSE_MS 30000 /* before the next look for a recording */
#define CLOUDFLARE_LIFECYCLE_PAUSE_MS 60000 /* the customer's host is left alone if it fails */
#define CLOUDFLARE_LEFT_MIN 20 /* of what the vendor says is left: for deletes */
#define CLOUDFLARE_BUDGET_MS 300000
#define CLOUDFLARE_BUDGET_SLOTS 11 /* of 30 s: those of 5 minutes and the one that begins */

struct cloudflare_options {
	struct text customer_domain; /* "customer-<code>.cloudflarestream.com", or with a scheme;
				      * empty: from answers; borrowed for life */
	bool plain; /* the API is plain http: then so may be the customer's host */
	bool delete_recordings;
	int64_t recording_wait_ms;
	int64_t delete_recording_days;
	int64_t requests_max; /* in CLOUDFLARE_BUDGET_MS */
};

enum cloudflare_step {
	CLOUDFLARE_IDLE, /* the slot is free */
	CLOUDFLARE_CREATE,
	CLOUDFLARE_DESCRIBE_LIFECYCLE,
	CLOUDFLARE_DESCRIBE_INPUT,
	CLOUDFLARE_DESCRIBE_OUTPUTS,
	CLOUDFLARE_DELETE_DISABLE,
	CLOUDFLARE_DELETE_VIDEOS,
	CLOUDFLARE_DELETE_VIDEO,
	CLOUDFLARE_DELETE_INPUT,
	CLOUDFLARE_LIST,
	CLOUDFLARE_OUTPUT_LOOK,
	CLOUDFLARE_OUTPUT_ADD,
	CLOUDFLARE_OUTPUT_FIND,
	CLOUDFLARE_OUTPUT_REMOVE,
	CLOUDFLARE_QUOTA,
	CLOUDFLARE_STEP_COUNT,
};

/* A call under way. */
struct cloudflare_job {
	uint64_t call, output, epoch;
	enum cloudflare_step step;
	struct cloudflare_request request; /* the one that is under way */
	unsigned requests;
	char user_id[USER_ID_MAX + 1], stream_id[STREAM_ID_MAX + 1];
	char input[CLOUDFLARE_ID_MAX + 1], remote[CLOUDFLARE_ID_MAX + 1];
	char url[OUTPUT_URL_MAX + 1];
	char videos[CLOUDFLARE_VIDEOS_MAX][CLOUDFLARE_ID_MAX + 1];
	unsigned video_count;
	bool videos_left; /* there are more than are remembered */
	bool broadcast; /* there was one */
	bool not_playable; /* the customer's host says so */
	bool playable;
	struct cloudflare_input seen;
};

/* What is remembered of an input; forgetting it costs a request, not a mistake. */
struct cloudflare_note {
	uint64_t hash;
	bool known; /* what outputs it has */
	bool outputs; /* it has some */
	bool silent; /* the provider does not say how they are */
	char updated[CLOUDFLARE_TIME_MAX + 1]; /* of the newest webhook */
};

struct cloudflare_wait {
	char input[CLOUDFLARE_ID_MAX + 1];
	bool found; /* there was one */
	int64_t since_ms;
};

struct cloudflare_listed {
	uint64_t hash, age_s;
	char id[CLOUDFLARE_ID_MAX + 1], mark[MARK_MAX + 1], stream_id[STREAM_ID_MAX + 1];
};

struct cloudflare {
	struct cloudflare_options options;
	struct cloudflare_job jobs[CLOUDFLARE_CALLS_MAX];
	int64_t blocked_ms; /* nothing is asked before */
	int64_t slow_ms; /* nothing but deletes is asked before */
	int64_t unconfigured_ms; /* nothing is asked before */
	int64_t lifecycle_ms; /* the customer's host is not asked before */
	int64_t budget_slot; /* number of the current one, since ever */
	uint32_t spent[CLOUDFLARE_BUDGET_SLOTS];
	char host[PLAYBACK_URL_MAX + 1]; /* the customer's, with the scheme; empty: not known yet */
	struct cloudflare_note notes[CLOUDFLARE_NOTES_MAX];
	struct cloudflare_wait waits[CLOUDFLARE_WAITS_MAX];
	/* One listing at a time: from its first page until the next one begins. */
	struct cloudflare_listed listed[CLOUDFLARE_LISTED_MAX];
	unsigned listed_count;
	uint64_t listed_total;
	bool listed_all;
	char listed_before[CLOUDFLARE_TIME_MAX + 1];
	uint64_t dropped; /* answers that nobody waited for */
};

/* What one input leads to; a few tens of KiB, the caller's.  Texts of @say live until the next
 * input to the core.
 */
struct cloudflare_effects {
	const struct cloudflare_request *request; /* to be sent; NULL: none */
	unsigned slot; /* of the call it belongs to: goes back with the answer */
	unsigned says;
	struct stream_event say[CLOUDFLARE_HINTS_MAX + 1];
	struct cloudflare_output outputs[CLOUDFLARE_HINTS_MAX];
	struct cloudflare_hook hook;
	char detail[DETAIL_MAX + 1];
	char preview[PLAYBACK_URL_MAX + 1], thumbnail[PLAYBACK_URL_MAX + 1];
	uint8_t inputs[INPUTS_BYTES];
};

/* cloudflare_init() - @self is zeroed memory. */
void cloudflare_init(struct cloudflare *self, const struct cloudflare_options *options);

/* cloudflare_call() - begin what @event asks for, or answer it at once.
 *
 * What is no call, and provider.adopt, is ignored.
 */
void cloudflare_call(struct cloudflare *self, const struct stream_event *event, int64_t now_ms,
		     struct cloudflare_effects *fx);

/* cloudflare_answer() - the answer to the request of @slot. */
void cloudflare_answer(struct cloudflare *self, unsigned slot,
		       const struct cloudflare_answer *answer, int64_t now_ms,
		       struct cloudflare_effects *fx);

/* cloudflare_hook() - an authentic webhook.
 *
 * Return: the HTTP status to answer with.
 */
unsigned cloudflare_hook(struct cloudflare *self, struct text body, struct cloudflare_effects *fx);

/* cloudflare_spent() - requests of the last 5 minutes. */
uint32_t cloudflare_spent(const struct cloudflare *self);
