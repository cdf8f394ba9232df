/* SPDX-License-Identifier: MIT */
#include "common/inbox_peers.h"

#include <errno.h>
#include <stdlib.h>

int inbox_peers_init(struct inbox_peers *self)
{
	*self = (struct inbox_peers){ .items = calloc(PEERS_MAX, sizeof *self->items) };
	return self->items ? 0 : -ENOMEM;
}

void inbox_peers_fini(struct inbox_peers *self)
{
	if (!self->items)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++)
		frame_queue_fini(&self->items[i].queue);
	free(self->items);
	self->items = NULL;
}

/* Incarnations are random. */
static size_t hash(enum role role, uint64_t incarnation)
{
	uint64_t mixed = (incarnation ^ (uint64_t)role << 56) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(mixed >> 40) % PEERS_INDEX_SIZE;
}

struct inbox_peer *inbox_peers_find(const struct inbox_peers *self, enum role role,
				    uint64_t incarnation)
{
	for (size_t at = hash(role, incarnation); self->index[at] != 0;
	     at = (at + 1) % PEERS_INDEX_SIZE) {
		struct inbox_peer *peer = &self->items[self->index[at] - 1];

		if (peer->peer.incarnation == incarnation && peer->peer.role == role)
			return peer;
	}
	return NULL;
}

static void index_add(struct inbox_peers *self, const struct inbox_peer *peer)
{
	size_t at = hash(peer->peer.role, peer->peer.incarnation);

	while (self->index[at] != 0)
		at = (at + 1) % PEERS_INDEX_SIZE;
	self->index[at] = (uint16_t)(peer - self->items + 1);
}

void inbox_peers_list(struct inbox_peers *self, struct inbox_peer *peer)
{
	if (peer->listed)
		return;
	peer->listed = true;
	self->listed[self->listed_count++] = (uint16_t)(peer - self->items);
}

void inbox_peers_unlist(struct inbox_peers *self, size_t at)
{
	self->items[self->listed[at]].listed = false;
	self->listed[at] = self->listed[--self->listed_count];
}

/* Peers are forgotten rarely, so the index is simply built anew. */
void inbox_peers_forget(struct inbox_peers *self, struct inbox_peer *peer)
{
	for (size_t i = 0; peer->listed; i++)
		if (&self->items[self->listed[i]] == peer)
			inbox_peers_unlist(self, i);
	frame_queue_fini(&peer->queue);
	*peer = (struct inbox_peer){ 0 };
	self->count--;
	memset(self->index, 0, sizeof self->index);
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (self->items[i].state != INBOX_PEER_FREE)
			index_add(self, &self->items[i]);
}

static struct inbox_peer *take_place(struct inbox_peers *self)
{
	struct inbox_peer *oldest = NULL;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct inbox_peer *peer = &self->items[i];

		if (peer->state == INBOX_PEER_FREE)
			return peer;
		if (peer->state != INBOX_PEER_UP && (!oldest || peer->heard_ms < oldest->heard_ms))
			oldest = peer;
	}
	if (oldest)
		inbox_peers_forget(self, oldest);
	return oldest;
}

struct inbox_peer *inbox_peers_add(struct inbox_peers *self, struct peer peer, size_t queue_max)
{
	struct inbox_peer *added = take_place(self);

	if (!added)
		return NULL;
	*added = (struct inbox_peer){ .state = INBOX_PEER_DOWN, .peer = peer };
	frame_queue_init(&added->queue, queue_max);
	self->count++;
	index_add(self, added);
	return added;
}

void inbox_peers_clock(struct inbox_peer *peer, const struct stream_event *hello, uint64_t ours,
		       int64_t now_ms)
{
	peer->clock = hello->peer_hello.clock;
	if (peer->clock == ours ||
	    __builtin_sub_overflow(now_ms, hello->peer_hello.now_ms, &peer->offset_ms))
		peer->offset_ms = 0;
}

int64_t inbox_peers_ours(const struct inbox_peer *peer, int64_t at_ms)
{
	int64_t moved_ms;

	if (__builtin_add_overflow(at_ms, peer->offset_ms, &moved_ms))
		return peer->offset_ms > 0 ? INT64_MAX : INT64_MIN;
	return moved_ms != 0 ? moved_ms : 1;
}
