/* SPDX-License-Identifier: MIT */
/* floor.h - the least that must be done to hold live streams: what weir's cost is measured against.
 *
 * One process, no bus, no store, no JSON library, no check of who somebody is.  A user's number is
 * an index.  It answers glasses and apps in weir's words as far as streams go, pings them as often
 * and ends a stream that misses three acks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/wheel.h"
#include "tests/bench/sock.h"
#include "tests/bench/ws.h"

#define FLOOR_USERS_MAX 262144
#define FLOOR_MISSED_MAX 3
#define FLOOR_ID_SIZE 18 /* of a stream: user and epoch in hexadecimal, and what joins them */
#define FLOOR_TEXT_MAX 4096 /* of one message of ours */

enum peer_kind { PEER_FRESH, PEER_GLASSES, PEER_APP };

struct peer {
	struct sock sock;
	uint32_t user;
	enum peer_kind kind;
	bool greeted; /* app: its init was taken */
};

struct user {
	int32_t glasses_fd, app_fd; /* -1: none */
	uint32_t epoch, ack; /* of the last stream, of the last probe */
	bool requested, live; /* a stream; and its device said that it runs */
	bool acked;
	uint8_t missed;
	int64_t due_ms; /* of the next probe */
	char *package;
};

/* What it did, told at its end: streams that timed out say that a load was too slow, or too much.
 */
struct floor_counts {
	uint64_t probes, acks, late_acks, timeouts;
};

struct floor_options {
	int64_t interval_ms, ping_ms;
	uint32_t peers_max; /* descriptors */
};

struct floor {
	struct floor_options options;
	struct peer *peers; /* by descriptor */
	struct user *users;
	struct wheel wheel; /* FLOOR_USERS_MAX probes, then a ping for each descriptor */
	void *wheel_memory;
	int64_t now_ms; /* monotonic, of this pass */
	char stamp[32]; /* the wall clock of this pass as JSON has it */
	struct floor_counts counts;
};

/* floor_init() - return: 0 or -ENOMEM. */
int floor_init(struct floor *self, const struct floor_options *options);
void floor_fini(struct floor *self);

/* floor_tick() - it is now @now_ms: fire what is due. */
void floor_tick(struct floor *self, int64_t now_ms);

void floor_accepted(struct floor *self, int fd);
void floor_readable(struct floor *self, int fd, bool hung_up);
void floor_writable(struct floor *self, int fd);

/* floor_took() - one message, or the head of the upgrade, of a peer; false: to be closed. */
bool floor_took(struct floor *self, struct peer *peer, const struct ws_frame *frame);
bool floor_upgraded(struct floor *self, struct peer *peer, struct text head);

/* floor_probe() - of a user's stream, whose time has come. */
void floor_probe(struct floor *self, uint32_t user);

/* floor_gone() - @peer is closed: nothing is sent to it any more. */
void floor_gone(struct floor *self, struct peer *peer);
