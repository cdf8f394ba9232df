/* SPDX-License-Identifier: MIT */
/* actor.h - what goes into a core and what comes out; the one shape of every actor.
 *
 * A core is a struct with x_init(), x_handle(self, input, now_ms, fx) and x_deadline(self).
 * Pure: no I/O, no clock, no log, no allocation after x_init().  The shell (common/daemon.h) or
 * the simulator feeds it inputs and carries its effects out, in order.
 */
#pragma once

#include "proto/stream_event.h"

#define EFFECTS_MAX 256 /* the most one input may cause; cores are written to fit */
#define EFFECTS_ARENA_SIZE 16384 /* bytes of text that effects of one input may own */

/* A process: what it is, and which start of it. */
struct peer {
	enum role role;
	uint64_t incarnation; /* 0: the one server of that role */
};

enum input_type {
	INPUT_TICK, /* the core's deadline has passed */
	INPUT_MESSAGE, /* an addressed message from @peer */
	INPUT_STORY, /* the next registry event, gapless; or a row of a snapshot */
	INPUT_RESYNC, /* forget what the story has told so far; rows follow as INPUT_STORY */
	INPUT_SYNCED, /* the rows are complete: do what is owed */
	INPUT_BLIND, /* the registry's story has stopped; what is known may be old */
	INPUT_PEER_UP, /* @peer said hello to us, or welcomed us */
	INPUT_PEER_DOWN, /* @peer is gone, or another incarnation took its name */
};

struct input {
	enum input_type type;
	struct peer peer;
	const char *peer_name; /* INPUT_PEER_*: borrowed, terminated */
	uint64_t clock; /* that the peer reads (common/machine.h); 0: not known */
	uint64_t seq; /* INPUT_SYNCED: the story is known up to here */
	bool known; /* INPUT_PEER_UP from a server: it still knows this incarnation of us */
	int64_t wall_ms; /* Unix time; for people: cores stamp it on what they tell, nothing more */
	const struct stream_event *event; /* borrowed; INPUT_MESSAGE and INPUT_STORY only */
};

enum effect_type {
	EFFECT_SEND, /* to @peer; lost if it is away: somebody else makes up for it */
	EFFECT_REQUEST, /* to the server of @peer.role; kept and repeated until it acknowledges */
	EFFECT_STORY, /* registry only: stored, then published with the next seq */
	EFFECT_OPS, /* published on the own outbox for people; never needed */
	EFFECT_CALL, /* to what the shell itself serves, e.g. a provider; also published as OPS */
};

struct effect {
	enum effect_type type;
	struct peer peer;
	struct stream_event event;
};

struct effects {
	size_t count;
	size_t arena_used;
	bool deaf; /* nobody hears EFFECT_OPS: traces need not be made; effects_clear() keeps it */
	struct effect items[EFFECTS_MAX];
	char arena[EFFECTS_ARENA_SIZE];
};

/* effects_clear() - forget everything; handlers call it first. */
void effects_clear(struct effects *fx);

/* effects_room() - how many more effects fit. */
size_t effects_room(const struct effects *fx);

/* effects_add() - append an effect and return its zeroed event for the core to fill in.
 *
 * Errors: a full list is our own mistake and aborts: cores look at effects_room() where one
 * input could cause more than they know of.
 */
struct stream_event *effects_add(struct effects *fx, enum effect_type type, struct peer peer,
				 enum stream_event_type event);

/* effects_keep() - copy @text into the list's own memory, for texts that do not outlive the call.
 */
struct text effects_keep(struct effects *fx, struct text text);
