/* SPDX-License-Identifier: MIT */
/* inbox_peers.h - the clients an inbox knows: found by what they are, listed when something is
 * to be sent to them.  Pure.
 */
#pragma once

#include "common/actor.h"
#include "common/frame_queue.h"
#include "proto/stream_event.h"
#include "common/route.h"

#define PEERS_MAX 1024
#define PEERS_INDEX_SIZE (2 * PEERS_MAX)

enum inbox_peer_state {
	INBOX_PEER_FREE,
	INBOX_PEER_UP,
	INBOX_PEER_DOWN, /* known, but not there */
	INBOX_PEER_FENCED, /* another incarnation has taken its name */
};

struct inbox_peer {
	enum inbox_peer_state state;
	struct peer peer;
	uint32_t connection;
	uint8_t route[ROUTE_LENGTH_MAX];
	uint8_t route_length;
	char name[NAME_MAX_BYTES + 1];
	uint64_t clock; /* that it reads, as its hello said */
	int64_t offset_ms; /* ours minus that, as of its hello */
	uint64_t next; /* number of the request expected next */
	int64_t heard_ms;
	int64_t retry_ms; /* busy until */
	int64_t ack_ms; /* requests of earlier passes are acknowledged by then; 0: they have been */
	bool has_spoken; /* it has said more than hello, so it has read our welcome */
	bool taken; /* requests of it, in this pass */
	bool listed, gone;
	bool restored; /* an earlier life of ours has counted its requests */
	struct frame_queue queue;
};

struct inbox_peers {
	struct inbox_peer *items; /* PEERS_MAX */
	uint16_t index[PEERS_INDEX_SIZE]; /* place + 1, by hash; 0: none */
	uint16_t listed[PEERS_MAX]; /* places */
	size_t count, listed_count;
};

/* inbox_peers_init() - Return: 0 or -ENOMEM. */
int inbox_peers_init(struct inbox_peers *self);
void inbox_peers_fini(struct inbox_peers *self);

/* inbox_peers_find() - NULL if it is not known. */
struct inbox_peer *inbox_peers_find(const struct inbox_peers *self, enum role role,
				    uint64_t incarnation);

/* inbox_peers_add() - a new peer, INBOX_PEER_DOWN, zeroed but for @peer and a queue of @queue_max.
 *
 * If need be it takes the place of the one that has been silent longest among those not there.
 *
 * Return: NULL if all places are taken by peers that are there.
 */
struct inbox_peer *inbox_peers_add(struct inbox_peers *self, struct peer peer, size_t queue_max);

void inbox_peers_forget(struct inbox_peers *self, struct inbox_peer *peer);

/* inbox_peers_list() - put @peer on the list of those to be flushed, unless it is there. */
void inbox_peers_list(struct inbox_peers *self, struct inbox_peer *peer);

/* inbox_peers_unlist() - take the one at @at off it; the last one moves to its place. */
/* inbox_peers_clock() - note which clock @peer reads, and how far @ours is ahead of it.
 *
 * A @hello that waited on its way makes that more: what is told by that clock then runs longer,
 * never shorter.
 */
void inbox_peers_clock(struct inbox_peer *peer, const struct stream_event *hello, uint64_t ours,
		       int64_t now_ms);

/* inbox_peers_ours() - by our clock the moment that @peer calls @at_ms; never 0, which is none. */
int64_t inbox_peers_ours(const struct inbox_peer *peer, int64_t at_ms);

void inbox_peers_unlist(struct inbox_peers *self, size_t at);
