/* SPDX-License-Identifier: MIT */
/* inbox_marks.c - what of an inbox outlives its process: how far each peer's requests were taken.
 */
#include "common/inbox.h"

#include <assert.h>

size_t inbox_marks(const struct inbox *self, struct peer_mark *out, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < self->peers.listed_count && count < max; i++) {
		const struct inbox_peer *peer = &self->peers.items[self->peers.listed[i]];

		if (!peer->taken || inbox_is_transient(self, peer))
			continue;
		out[count++] = (struct peer_mark){ .role = peer->peer.role,
						   .incarnation = peer->peer.incarnation,
						   .name = text_of(peer->name),
						   .next = peer->next };
	}
	return count;
}

void inbox_restore(struct inbox *self, const struct peer_mark *mark)
{
	const struct peer who = { mark->role, mark->incarnation };
	struct inbox_peer *peer = inbox_peers_add(&self->peers, who, INBOX_QUEUE_MAX);

	assert(peer); /* nobody is there yet, so there is room */
	peer->next = mark->next;
	peer->restored = true;
	text_put(mark->name, peer->name, sizeof peer->name);
}
