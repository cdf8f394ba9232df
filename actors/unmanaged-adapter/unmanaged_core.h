/* SPDX-License-Identifier: MIT */
/* unmanaged_core.h - the rules of direct RTMP: who may start and stop, and what is said to whom.
 *
 * Pure.  Keeps nothing that the registry's story does not tell, but the requests that wait for an
 * answer.  What is said follows from story events, in their order; what a record still owes is
 * said again until the registry knows that it was (level-triggered).
 */
#pragma once

#include "common/actor.h"
#include "common/state.h"

#define PENDING_MAX 4096 /* requests that wait for the registry or for the mirror */
#define PENDING_TEXT_BYTES (16u << 20)
#define PENDING_MARGIN_MS 1000 /* what ran before its expiry is heard of by then */
#define RECONCILE_MS 5000 /* what is owed is said again after */
#define RECONCILE_SLOTS 4096 /* records looked at in one call */
#define LIABILITIES_ROOM 8 /* effects that one request may need */
#define RECORD_ROOM 80 /* and one record: 32 ends of its owner, twice, a start, a stop, a word */

struct unmanaged_options {
	struct state_options state;
};

enum pending_step {
	PENDING_FREE = 0,
	PENDING_PARKED, /* the mirror has not reached what the gateway had seen */
	PENDING_ASKED, /* the registry has not answered */
	PENDING_ANSWERED, /* opened; the story of it has not arrived */
	PENDING_TOLD, /* the story has arrived, the answer has not */
};

struct unmanaged_pending {
	uint8_t step; /* enum pending_step */
	bool stop, permitted, oversized;
	bool again; /* the registry was asked before; its answer may be lost */
	struct peer gateway;
	uint64_t origin, request, link, seen_seq;
	int64_t expires_ms;
	struct pooled user_id, stream_id, package, rtmp_url, video, audio, options;
};

struct unmanaged_stats {
	uint64_t refused; /* requests answered with an error */
	uint64_t full; /* requests refused for want of room */
	uint64_t expired;
	uint64_t out_of_step; /* story events that the mirror could not take */
	uint64_t said_again; /* deliveries repeated because they were still owed */
};

struct unmanaged {
	struct unmanaged_options options;
	struct state state; /* the mirror */
	struct unmanaged_stats stats;
	bool synced;
	uint64_t seq; /* of the last story event applied */
	int64_t now_ms;
	struct effects *fx;
	int64_t reconcile_ms; /* when the next round begins */
	uint32_t reconcile_slot; /* where the round stands; STATE_NONE: none runs */
	bool reconcile_words; /* this round also repeats the current word to owners */
	uint32_t parked;
	uint32_t pending_high; /* behind the last one in use */
	struct pool texts; /* of pending requests */
	struct unmanaged_pending *pending;
};

/* unmanaged_bytes() - memory that unmanaged_init() needs; zeroed by the caller. */
size_t unmanaged_bytes(const struct unmanaged_options *options);
void unmanaged_init(struct unmanaged *self, const struct unmanaged_options *options, void *memory);

/* unmanaged_handle() - as registry_handle(): same units, ownership, no errors. */
void unmanaged_handle(struct unmanaged *self, const struct input *input, int64_t now_ms,
		      struct effects *fx);
int64_t unmanaged_deadline(const struct unmanaged *self);
