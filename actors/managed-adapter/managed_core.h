/* SPDX-License-Identifier: MIT */
/* managed_core.h - the rules of managed streams: who may watch, what its input at the provider
 * owes, what is said to whom.
 *
 * Pure.  Keeps nothing that the registry's story does not tell, but the requests that wait for an
 * answer and the calls that are under way.  The story is the ledger: an input is wanted there
 * before it is made, and owed there until it is gone (level-triggered, as everything that is said).
 *
 * To the provider by EFFECT_CALL, from it by INPUT_MESSAGE of {ROLE_PROVIDER, 0}: see provider.h.
 * Every INPUT_SYNCED is followed by one provider.adopt for each input in use, some calls of
 * managed_handle() later, and by one with an empty input_id behind the last: an input that was
 * neither adopted by then nor created by this life of the driver is nobody's.
 */
#pragma once

#include "common/actor.h"
#include "common/asks.h"
#include "common/state.h"
#include "common/table.h"
#include "common/wheel.h"

#define MANAGED_CALLS_MAX 2048 /* under way at once, of all streams; more wait */
#define MANAGED_LOOKS_MAX 1024 /* of them, such as only look: the rest is for what must be done */
#define MANAGED_RETRY_MS 100 /* a call that found no room is tried again after */
#define MANAGED_OUTPUTS_WAIT_MS 1500 /* the first answers of initial outputs are waited for */
#define MANAGED_PAUSE_MAX_MS 300000 /* between two tries of one thing */
#define MANAGED_DELETE_PAUSE_MAX_MS 30000 /* of one delete, unless the provider asks for more */
/* What an earlier life has left to delete, and what could not be: the vendor allows 1,200 calls in
 * five minutes, and blocks all of them beyond.
 */
#define MANAGED_DELETES_PER_S 4
#define MANAGED_LOCAL_DELETES_PER_S 200 /* nobody blocks us, but other work goes on beside it */
#define MANAGED_LIVENESS_MS 60000 /* between two looks at a stream that plays */
#define MANAGED_SETTLE_MS 15000 /* what the story does not tell by then is said again */
#define MANAGED_SEARCH_MARGIN_MS 5000 /* a create that timed out may show in a list so late */
#define MANAGED_SEARCH_GAP_MS 30000 /* between the two lists that prove an input was never made */
#define MANAGED_SLOTS_PER_CALL 4096 /* records looked at in one call */
#define MANAGED_TIMERS_PER_CALL 64
#define MANAGED_REPEAT_MS 5000 /* what is owed to devices and apps is said again after */
#define MANAGED_ADDS_MAX 4096 /* initial outputs that the registry has not answered for */
#define MANAGED_RATES 1024 /* users whose provisions of the last minute are counted */
#define MANAGED_SEEN_MAX 4096 /* inputs without a record that are remembered between two lists */
#define MANAGED_KEPT_MAX 1024 /* streams whose secrets outlive a snapshot */
#define MANAGED_AWAY_MAX 4096 /* streams of which what is under way does */
#define MANAGED_HELD_MS 5000 /* calls held back longer than this: whoever asked is told at once */
#define MANAGED_LIST_TRIES 5 /* of one page, before the comparison is given up */
#define MANAGED_RECORD_ROOM \
	40 /* effects that one record may need: 16 viewers, a start, 8 stops \
	    */
#define MANAGED_RECORD_ARENA \
	(2 * OUTPUTS_BYTES) /* bytes: its outputs, for who has left and for who watches */
#define MANAGED_WORK_ROOM 24 /* and one timer: ten outputs, what is made, what failed */
#define MANAGED_TEXT_BYTES 512 /* of what is under way, for each stream */

struct managed_options {
	struct state_options state;
	enum provider_kind provider; /* PROVIDER_NONE: requests are refused */
	uint64_t incarnation; /* of this life: origin of what it asks by itself */
	bool private_outputs; /* outputs may go to loopback, link-local and private addresses */
	int64_t request_timeout_ms, create_timeout_ms, create_pause_ms;
	int64_t poll_interval_ms, playback_deadline_ms;
	int64_t delete_pause_ms, reconcile_interval_ms, leak_age_s;
	uint32_t deletes_per_s; /* one of the above */
	uint32_t create_tries, provisions_per_user_per_min, provisions_per_min, owed_per_user_max;
};

struct managed_stats {
	uint64_t out_of_step; /* story events that the mirror could not take */
	uint64_t said_again; /* deliveries repeated because they were still owed */
	uint64_t governed; /* refused: too many provisions, or too many inputs owed */
	uint64_t destinations_refused; /* of requests; not even tried */
	uint64_t calls; /* to the provider */
	uint64_t outcomes[CALL_OUTCOME_COUNT]; /* its answers */
	uint64_t answers_late; /* to a call that nobody waits for any more */
	uint64_t created, deleted; /* inputs */
	uint64_t deletes_refused; /* by the provider; tried again */
	uint64_t reconciled; /* complete comparisons of ledger and provider */
	/* Gauges: */
	uint64_t in_use, owed; /* inputs by the ledger */
	uint64_t leaks, foreign; /* inputs that the last comparison found without a record */
	uint64_t leaks_deleted; /* since the start */
	uint64_t quota_used, quota_limit; /* minutes stored; 0 of 0: not known */
	uint64_t calls_open; /* under way */
};

struct managed_work; /* managed_internal.h */
struct managed_call;
struct managed_add;
struct managed_rate;
struct managed_seen;
struct managed_kept;
struct managed_away;

/* An operator who waits for rows and a report. */
struct managed_asker {
	bool waits, dry_run;
	struct peer peer;
	uint64_t origin, request;
};

/* The comparison of ledger and provider; one at a time. */
struct managed_sweep {
	uint8_t step; /* enum managed_sweep_step */
	bool dry_run; /* nothing is deleted */
	bool wanted; /* another one behind this */
	struct managed_asker asker, next;
	uint64_t call; /* under way; 0: none */
	uint64_t page; /* that comes next */
	uint64_t round; /* counts comparisons, from 1 */
	uint64_t rows, in_use, owed, leaks, foreign, deleted;
	uint32_t tries;
	uint32_t at; /* record, or input without one, that comes next */
	int64_t due_ms; /* the next step; INT64_MAX: it waits for an answer */
	int64_t began_ms;
	int64_t done_ms; /* when the last complete one was; -1: there was none */
	int64_t held_ms; /* the provider takes no calls for so long: why this one ended */
};

struct managed {
	struct managed_options options;
	struct state state; /* the mirror */
	struct asks asks; /* and how far it is */
	struct managed_stats stats;
	int64_t now_ms;
	struct effects *fx;
	int64_t repeat_ms; /* when the next round of what is owed begins */
	uint32_t repeat_slot; /* where the round stands; STATE_NONE: none runs */
	bool repeat_words; /* this round also repeats the current word to viewers */
	uint64_t in_use, owed; /* counted by this round */
	uint32_t adopt_slot; /* where the walk behind a snapshot stands; STATE_NONE: none runs */
	uint64_t requests; /* of our own, from 1 */
	uint64_t calls_made; /* numbers of calls, from 1 */
	uint64_t provisions; /* of all users in the running minute */
	int64_t provisions_ms; /* when that began */
	int64_t delete_ms; /* before it no paced delete begins */
	int64_t delete_turn_ms; /* the first turn that nobody has yet */
	struct managed_sweep sweep;
	struct wheel wheel; /* one timer for each work */
	struct table inputs; /* input id to slot */
	struct pool texts; /* of works */
	struct managed_work *works; /* by slot of state.streams */
	struct managed_call *calls;
	struct managed_add *adds;
	struct managed_rate *rates;
	struct managed_seen *seen;
	struct managed_kept *kept;
	uint32_t kept_next; /* the oldest of them */
	struct managed_away *away; /* works, between a snapshot's beginning and its end */
	uint32_t away_count;
};

/* managed_bytes() - memory that managed_init() needs; zeroed by the caller. */
size_t managed_bytes(const struct managed_options *options);
void managed_init(struct managed *self, const struct managed_options *options, void *memory);

/* managed_handle() - as registry_handle(): same units, ownership, no errors. */
void managed_handle(struct managed *self, const struct input *input, int64_t now_ms,
		    struct effects *fx);
int64_t managed_deadline(const struct managed *self);
