/* SPDX-License-Identifier: MIT */
/* daemon_effects.c - carries out what a core wants: encode now, store at the end of the pass,
 * and only then speak.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/daemon_private.h"
#include "common/log.h"

static bool is_server(const struct daemon *self, enum role role)
{
	return self->servers[role].used;
}

static void send_to(struct daemon *self, const struct peer *peer, const struct stream_event *event)
{
	struct uplink *uplink = &self->servers[peer->role].uplink;

	if (!is_server(self, peer->role)) {
		inbox_send(&self->inbox, peer, event, STREAM_EVENT_ADDRESSED);
		return;
	}
	/* Meant for an earlier life of the server. */
	if (peer->incarnation != 0 && peer->incarnation != uplink->server_incarnation) {
		uplink->stats.sends_dropped++;
		return;
	}
	uplink_send(uplink, event);
}

static void carry(struct daemon *self, struct effect *effect, int64_t wall_ms)
{
	struct stream_event *event = &effect->event;

	event->source = text_of(self->options.name);
	event->incarnation = self->options.incarnation;
	if (event->sent_ms == 0)
		event->sent_ms = wall_ms;
	switch (effect->type) {
	case EFFECT_SEND:
		send_to(self, &effect->peer, event);
		return;
	case EFFECT_REQUEST:
		assert(is_server(self, effect->peer.role));
		/* A full ring is counted and noted there: the core's own deadlines make up for it.
		 */
		(void)uplink_request(&self->servers[effect->peer.role].uplink, event);
		return;
	case EFFECT_STORY:
		assert(self->options.role == ROLE_REGISTRY);
		outbox_story(&self->outbox, event);
		return;
	case EFFECT_OPS:
		outbox_ops(&self->outbox, event);
		return;
	}
}

void daemon_carry_out(struct daemon *self)
{
	int64_t wall_ms = self->effects.count > 0 ? daemon_wall_ms() : 0;

	for (size_t i = 0; i < self->effects.count; i++)
		carry(self, &self->effects.items[i], wall_ms);
	effects_clear(&self->effects);
	self->lent = false;
	/* The next input may cause a full list: this pass has to end here if that had no room. */
	if (!outbox_has_room(&self->outbox))
		daemon_finish(self);
}

void daemon_finish(struct daemon *self)
{
	int r = outbox_commit(&self->outbox);

	if (r < 0) {
		/* What memory knows and the store does not must not be told to anybody. */
		log_error("store.failed", log_str("reason", strerror(-r)));
		abort();
	}
	daemon_wire_flush(self, daemon_now_ms());
}
