/* SPDX-License-Identifier: MIT */
/* node_effects.c - inputs to the core, and what it wants done: encode now, store at the end of the
 * pass, and only then speak.
 */
#include <assert.h>
#include <errno.h>

#include "common/node_internal.h"

#define STEPS_MAX 1000000 /* ticks in a row that a core may want: more is our own mistake */

static int64_t wall_ms(const struct node *self)
{
	return self->options.port.wall_ms(self->options.port.context);
}

/* inputs */

struct effects *node_effects(struct node *self)
{
	/* Called from inside a handler it would take away what the outer one has put there. */
	assert(!self->lent);
	self->lent = true;
	effects_clear(&self->effects);
	return &self->effects;
}

static int64_t now_ms(const struct node *self)
{
	return self->frozen_ms ? self->frozen_ms : node_clock(self);
}

void node_feed(struct node *self, const struct input *input)
{
	const struct node_core *core = &self->options.core;
	struct input stamped = *input;

	stamped.wall_ms = wall_ms(self);
	core->handle(core->core, &stamped, now_ms(self), node_effects(self));
	node_carry(self);
}

void node_input(struct node *self, const struct input *input)
{
	const struct node_port *port = &self->options.port;
	const struct node_core *core = &self->options.core;

	if (port->tells)
		port->tells(port->context, input);
	node_feed(self, input);
	if (core->after)
		core->after(core->context);
}

int64_t node_core_deadline(const struct node *self)
{
	return self->options.core.deadline(self->options.core.core);
}

static void tick_while_due(struct node *self)
{
	const struct input tick = { .type = INPUT_TICK };
	int steps = 0;

	while (node_core_deadline(self) <= now_ms(self)) {
		assert(++steps < STEPS_MAX);
		node_input(self, &tick);
	}
}

void node_settle(struct node *self)
{
	self->frozen_ms = node_clock(self);
	tick_while_due(self);
}

/* A core with more to announce than one list of effects holds is due at once, and goes on. */
void node_announce(struct node *self, const struct input *input)
{
	assert(self->frozen_ms != 0);
	node_input(self, input);
	tick_while_due(self);
	self->frozen_ms = 0;
}

/* effects */

static void send_to(struct node *self, const struct peer *peer, const struct stream_event *event)
{
	struct node_server *server = &self->servers[peer->role];

	if (!server->used) {
		inbox_send(&self->inbox, peer, event, STREAM_EVENT_ADDRESSED);
		return;
	}
	/* Meant for an earlier life of the server. */
	if (peer->incarnation != 0 && peer->incarnation != server->uplink.server_incarnation) {
		server->uplink.stats.sends_dropped++;
		return;
	}
	uplink_send(&server->uplink, event);
}

static void stamp(const struct node *self, struct stream_event *event, int64_t wall)
{
	event->source = text_of(self->options.name);
	event->incarnation = self->options.incarnation;
	if (event->sent_ms == 0)
		event->sent_ms = wall;
}

static void carry(struct node *self, struct effect *effect, int64_t wall)
{
	struct stream_event *event = &effect->event;

	stamp(self, event, wall);
	switch (effect->type) {
	case EFFECT_SEND:
		send_to(self, &effect->peer, event);
		return;
	case EFFECT_REQUEST:
		assert(self->servers[effect->peer.role].used);
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
	case EFFECT_CALL:
		assert(self->options.core.call);
		outbox_ops(&self->outbox, event);
		self->options.core.call(self->options.core.context, event);
		return;
	}
}

/* the end of a pass */

static void flush(struct node *self, int64_t now)
{
	outbox_flush(&self->outbox, now);
	inbox_flush(&self->inbox, now);
	if (node_has(self, NODE_SNAPSHOTS))
		inbox_flush(&self->snapshot_inbox, now);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (self->servers[i].used)
			uplink_flush(&self->servers[i].uplink, now);
}

static int finish(struct node *self)
{
	int64_t now = node_clock(self);
	size_t count;
	int r;

	if (self->failed < 0)
		return self->failed;
	if (node_held(self) && now < self->held_ms)
		return 0;
	/* Without events there is nothing that taking a request twice would double. */
	count = outbox_is_stored(&self->outbox)
			? 0
			: inbox_marks(&self->inbox, self->marks, PEER_MARKS_MAX);
	r = outbox_commit(&self->outbox, self->marks, count);
	if (r == -EAGAIN) {
		self->held_ms = now + NODE_HELD_MS;
		return 0;
	}
	self->held_ms = self->linger_ms = NODE_NEVER;
	if (r < 0)
		return self->failed = r;
	flush(self, now);
	return 0;
}

void node_carry(struct node *self)
{
	int64_t wall = self->effects.count > 0 ? wall_ms(self) : 0;

	for (size_t i = 0; i < self->effects.count; i++)
		carry(self, &self->effects.items[i], wall);
	effects_clear(&self->effects);
	self->lent = false;
	/* The next input may cause a full list: this pass has to end here if that had no room.
	 * What the store says to it is said again at the end of the pass.
	 */
	if (!outbox_has_room(&self->outbox))
		(void)finish(self);
}

void node_deafen(struct node *self, bool deaf)
{
	self->effects.deaf = self->outbox.deaf = deaf;
}

void node_publish(struct node *self, struct stream_event *event)
{
	stamp(self, event, wall_ms(self));
	outbox_ops(&self->outbox, event);
}

/* Whoever is owed a frame at a time of its own does not wait for company either. */
static bool may_linger(struct node *self, int64_t now)
{
	const struct outbox *outbox = &self->outbox;

	if (self->closing || outbox_is_stored(outbox) || outbox_is_pressing(outbox) ||
	    outbox_deadline(outbox) <= now || inbox_deadline(&self->inbox) <= now)
		return false;
	if (node_has(self, NODE_SNAPSHOTS) &&
	    (snapshots_is_busy(&self->snapshots) || inbox_deadline(&self->snapshot_inbox) <= now))
		return false;
	if (self->linger_ms == NODE_NEVER)
		self->linger_ms = now + NODE_LINGER_MS;
	return now < self->linger_ms;
}

int node_finish(struct node *self)
{
	if (!node_held(self) && self->failed == 0 && may_linger(self, node_clock(self)))
		return 0;
	return finish(self);
}

void node_close(struct node *self)
{
	self->closing = true;
	self->inbox.options.ack_age_ms = self->snapshot_inbox.options.ack_age_ms = 0;
}

bool node_held(const struct node *self)
{
	return self->held_ms != NODE_NEVER;
}
