/* SPDX-License-Identifier: MIT */
/* registry_core.h - decides what is true: sessions, links, apps, streams, and their story.
 *
 * Pure: no I/O, no clock, no allocation after registry_init(), no log.  Every decision becomes a
 * story event, is applied to the state at once, and leaves as EFFECT_STORY: the shell stores it
 * before anything else of the same list is released.
 */
#pragma once

#include "common/actor.h"
#include "common/state.h"

#define REGISTRY_ANSWERS 65536 /* first answers kept for repeated requests; power of two */
#define REGISTRY_WAITERS_MAX 256 /* REST starts and stops that wait for an app */
#define WAITERS_PER_USER_MAX 16 /* of them; all may be answered at once */
#define REGISTRY_ENDINGS_MAX 1024 /* sessions that wait for their last statuses to be told */
#define REGISTRY_SWEEPS_MAX 16 /* gateways whose links are being taken down */
#define REGISTRY_SWEEP_USERS 4096 /* users looked at in one call */
#define LIABILITIES_PER_USER_MAX 32 /* that owe no input */
#define INPUTS_OWED_PER_USER_MAX 32 /* that do; then no more managed streams */
#define APP_OLD_LINKS_MAX 4 /* replaced sockets of an app that are still open (D16) */

struct registry_options {
	struct state_options state;
	uint64_t incarnation;
	uint64_t clock; /* that we read (common/machine.h); 0: not known */
	uint64_t first_seq; /* seq of the last story event of an earlier life; 0: none */
	uint64_t first_epoch; /* larger than any epoch given out before */
	int64_t stop_owed_ms; /* an undelivered stop is given up after */
	int64_t ending_max_ms; /* a session waits so long for its last statuses to be told */
	int64_t blind_max_ms; /* a lost gateway is given up after */
	const char *mark; /* of this deployment, if the state has none; NULL: it gets none */
};

/* What the registry knows of an app beside the story. */
struct registry_app {
	struct {
		uint64_t gateway, link; /* link 0: free */
	} old[APP_OLD_LINKS_MAX];
	uint64_t hook_id; /* of the webhook that is awaited; 0: none, or one of an earlier life */
	bool restart; /* start again once stopped */
	bool confirmed; /* its gateway has told of it in this life */
};

struct registry_answer {
	uint64_t origin, request; /* request 0: free */
	uint64_t epoch;
	uint32_t output; /* number of it; 0: it was about none */
	uint64_t seq; /* of the story: whoever has followed it so far has seen what was done */
	uint64_t at; /* counts answers: the oldest of a bucket makes room */
	char stream_id[STREAM_ID_MAX];
	uint8_t id_length, result, running;
};

struct registry_waiter {
	uint32_t app; /* slot; STATE_NONE: free */
	struct peer peer;
	uint64_t origin, request;
	bool stop;
};

struct registry_ending {
	uint32_t user;
	uint64_t session_seq; /* of session.ending */
	int64_t until_ms;
};

struct registry_sweep {
	uint64_t gateway; /* 0: free */
	uint32_t next_user;
	bool unconfirmed; /* what it has not told of again; else what no living gateway holds */
};

/* A record of an earlier life that could not be used. */
struct registry_damage {
	enum bucket bucket;
	enum damage reason;
	uint64_t key_hash;
	struct text user_id; /* whose it was, if its key says so; borrowed */
};

struct registry_stats {
	uint64_t ignored; /* messages about things that are no more */
	uint64_t refused; /* transitions that are not in the table */
	uint64_t answered_again; /* repeated requests */
	uint64_t full; /* requests refused for want of room */
	uint64_t expired; /* requests that came too late to run */
};

struct registry {
	struct registry_options options;
	struct state state;
	struct registry_stats stats;
	uint64_t seq; /* of the last story event */
	uint64_t next_epoch, next_hook, answered;
	int64_t now_ms, wall_ms; /* of the current input */
	uint64_t cause; /* for the next story event */
	const struct stream_event *current; /* the message being handled */
	struct effects *fx;
	int64_t next_sweep_ms; /* when liabilities are looked at again */
	uint32_t liability_cursor;
	struct registry_app *apps; /* by slot of state.apps */
	int64_t *closed_at_ms; /* by slot of state.streams; monotonic */
	bool *link_confirmed; /* by slot of state.users: told of in this life */
	uint64_t remembered[GATEWAYS_MAX]; /* of an earlier life, that have not announced yet */
	const struct registry_damage *damage; /* to be told of */
	uint32_t damage_count, damage_next;
	uint32_t
		*rebuilt; /* by slot of state.users: made of so many story events; 0: of a record */
	uint32_t rebuilt_count, rebuilt_cursor; /* users to be told of */
	bool no_storage;
	struct registry_answer *answers, unnumbered;
	struct registry_waiter waiters[REGISTRY_WAITERS_MAX];
	struct registry_ending endings[REGISTRY_ENDINGS_MAX];
	uint32_t endings_count;
	struct registry_sweep sweeps[REGISTRY_SWEEPS_MAX];
};

/* registry_bytes() - memory that registry_init() needs; zeroed by the caller. */
size_t registry_bytes(const struct registry_options *options);

/* registry_init() - an empty registry in @memory, which it borrows for life. */
void registry_init(struct registry *self, const struct registry_options *options, void *memory);

/* registry_handle() - apply one input at @now_ms.
 *
 * Units: @now_ms is CLOCK_MONOTONIC milliseconds and never decreases between calls.
 * Ownership: @input is borrowed for the call; @fx is the caller's, emptied first; its texts are
 * valid until the next call.
 * Errors: none.  What cannot be accepted is answered, or counted and dropped.
 */
void registry_handle(struct registry *self, const struct input *input, int64_t now_ms,
		     struct effects *fx);

/* registry_load_row() - before the first input: a row of a record of an earlier life.
 *
 * Return: 0, or STATE_E_FULL if the options leave no room for it.
 */
int registry_load_row(struct registry *self, const struct stream_event *row);

/* registry_load_story() - a story event of an earlier life, oldest first: the answers that led to
 * it are given again when they are asked for again.
 */
void registry_load_story(struct registry *self, const struct stream_event *event);

/* registry_load_damage() - before the first input: records that could not be used.  Each is told of
 * (record.quarantined); @damage is borrowed for life.
 *
 * registry_load_past() - then, if there are any: @past is what follows from the story events that
 * are left; @rows: from how many, by slot of its users.  What has no record is taken from there, as
 * far as there is room.  Each such user is told of (record.rebuilt), and the stream that it had
 * ends as END_RECORD_LOST.
 */
void registry_load_damage(struct registry *self, const struct registry_damage *damage,
			  uint32_t count);
void registry_load_past(struct registry *self, const struct state *past, const uint32_t *rows);

/* registry_is_settled() - all that was lost has been told of; no snapshot is given before. */
bool registry_is_settled(const struct registry *self);

/* registry_loaded() - all rows are in.  Nothing is judged for the time nobody was here: what is
 * owed and what ends gets its full time again, and links count as they were until their gateways
 * have told of them.
 */
void registry_loaded(struct registry *self, int64_t now_ms);

/* registry_storage() - without room new streams are refused; all else goes on. */
void registry_storage(struct registry *self, bool has_room);

/* registry_deadline() - when it next wants an INPUT_TICK; INT64_MAX: never. */
int64_t registry_deadline(const struct registry *self);
