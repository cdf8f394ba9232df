/* SPDX-License-Identifier: MIT */
/* unmanaged_core.h - the rules of direct RTMP: who may start and stop, and what is said to whom.
 *
 * Pure.  Keeps nothing that the registry's story does not tell, but the requests that wait for an
 * answer.  What is said follows from story events, in their order; what a record still owes is
 * said again until the registry knows that it was (level-triggered).
 */
#pragma once

#include "common/actor.h"
#include "common/asks.h"
#include "common/state.h"

#define RECONCILE_MS 5000 /* what is owed is said again after */
#define RECONCILE_SLOTS 4096 /* records looked at in one call */
#define RECORD_ROOM 80 /* and one record: 32 ends of its owner, twice, a start, a stop, a word */

struct unmanaged_options {
	struct state_options state;
};

struct unmanaged_stats {
	uint64_t out_of_step; /* story events that the mirror could not take */
	uint64_t said_again; /* deliveries repeated because they were still owed */
};

struct unmanaged {
	struct unmanaged_options options;
	struct state state; /* the mirror */
	struct asks asks; /* and how far the mirror is */
	struct unmanaged_stats stats;
	int64_t now_ms;
	struct effects *fx;
	int64_t reconcile_ms; /* when the next round begins */
	uint32_t reconcile_slot; /* where the round stands; STATE_NONE: none runs */
	bool answered_more; /* the last call had no room for all answers behind a snapshot */
	bool reconcile_words; /* this round also repeats the current word to owners */
};

/* unmanaged_bytes() - memory that unmanaged_init() needs; zeroed by the caller. */
size_t unmanaged_bytes(const struct unmanaged_options *options);
void unmanaged_init(struct unmanaged *self, const struct unmanaged_options *options, void *memory);

/* unmanaged_handle() - as registry_handle(): same units, ownership, no errors. */
void unmanaged_handle(struct unmanaged *self, const struct input *input, int64_t now_ms,
		      struct effects *fx);
int64_t unmanaged_deadline(const struct unmanaged *self);
