/* SPDX-License-Identifier: MIT */
/* follower.h - the registry's story, gapless, from a publisher that may lose any part of it.
 * Pure: the clock is an argument, the wire and the core are behind a port.
 *
 * Frames of the story carry the incarnation of the registry and dense numbers; beacons say which
 * number comes next.  What is missing is not asked for piece by piece: a snapshot is taken while
 * the story is kept, then what the snapshot does not stand for is applied.  Rows are newer than
 * the snapshot's seq when the story goes on meanwhile, so everything above it is applied and the
 * core skips what an entity has already seen.
 */
#pragma once

#include "common/actor.h"
#include "common/frame_queue.h"
#include "common/intake.h"

#define FOLLOWER_BUFFER_MAX (8 * 1024 * 1024) /* bytes of story kept during a snapshot */
#define FOLLOWER_BLIND_MS 1000 /* beacons come every 200 ms */
#define FOLLOWER_TIMEOUT_MS 5000 /* a snapshot that makes no progress is given up */
#define FOLLOWER_BACKOFF_MIN_MS 100
#define FOLLOWER_BACKOFF_MAX_MS 2000
#define FOLLOWER_PAUSE_MS 200 /* at least, between two snapshots */
#define FOLLOWER_RETRY_MS 10 /* the question could not be sent */
#define FOLLOWER_DEAD_MAX 4 /* incarnations that are over */

struct follower_port {
	void *context;
	/* INPUT_RESYNC, INPUT_STORY, INPUT_SYNCED, INPUT_BLIND. */
	void (*input)(void *context, const struct input *input);
	/* Begin a connection to the snapshot socket, answered by follower_connected(); end it. */
	void (*open)(void *context);
	void (*close)(void *context);
	bool (*send)(void *context, const uint8_t *frame, size_t length);
	/* Something an operator should know; @what is a literal, e.g. "follower.gap". */
	void (*note)(void *context, const char *what, const char *detail);
};

struct follower_options {
	enum role role; /* ours */
	const char *name;
	uint64_t incarnation;
	size_t buffer_max; /* 0: as above */
	struct follower_port port;
};

enum follower_state {
	FOLLOWER_DEAF, /* the subscription is not live yet */
	FOLLOWER_WAITING, /* before the next attempt */
	FOLLOWER_ASKING, /* connecting, or asked: the story is kept */
	FOLLOWER_ROWS, /* rows come in: the story is kept */
	FOLLOWER_CATCHING_UP, /* applying what was kept: the story waits outside */
	FOLLOWER_LIVE,
};

struct follower_stats {
	uint64_t events, rows; /* handed to the core */
	uint64_t resyncs, gaps, restarts_seen, overflows, timeouts, start_overs;
	uint64_t dropped; /* frames of no use: stale, foreign, malformed */
	uint64_t violations; /* events that are no story, or rows that are none of ours */
	uint64_t blind;
};

struct follower {
	struct follower_options options;
	enum follower_state state;
	uint64_t incarnation; /* of the registry whose story this is; 0: none yet */
	uint64_t dead[FOLLOWER_DEAD_MAX];
	size_t dead_at;
	uint64_t expected; /* next number of the story */
	uint64_t upto, rows; /* of the snapshot being taken */
	uint64_t rows_incarnation;
	uint64_t request;
	bool asked;
	bool sighted; /* the core has been told that it sees */
	int64_t sight_ms, timeout_ms, wait_ms, retry_ms, opened_ms;
	int64_t backoff_ms;
	struct frame_queue buffer;
	struct intake story, answer;
	bool buffered; /* @story walks the front of @buffer */
	struct follower_stats stats;
};

void follower_init(struct follower *self, const struct follower_options *options);
void follower_fini(struct follower *self);

/* follower_story() - a message of the subscription, borrowed until follower_step() says no.
 *
 * Call it only while follower_wants_story().
 */
void follower_story(struct follower *self, const uint8_t *bytes, size_t length, int64_t now_ms);
bool follower_wants_story(const struct follower *self);

/* follower_connected(), follower_disconnected() - what became of port.open(). */
void follower_connected(struct follower *self, int64_t now_ms);
void follower_disconnected(struct follower *self, int64_t now_ms);

/* follower_answer() - a message of the snapshot socket, borrowed until follower_answer_step()
 * says no.
 */
void follower_answer(struct follower *self, const uint8_t *bytes, size_t length);

/* follower_step(), follower_answer_step() - handle one event; false: there was none left. */
bool follower_step(struct follower *self, int64_t now_ms);
bool follower_answer_step(struct follower *self, int64_t now_ms);

void follower_tick(struct follower *self, int64_t now_ms);
int64_t follower_deadline(const struct follower *self);

/* follower_is_live() - the core knows the story up to the present. */
bool follower_is_live(const struct follower *self);
