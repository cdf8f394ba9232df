/* SPDX-License-Identifier: MIT */
/* node.h - what stands between the sockets of a process and its core: who is there, which requests
 * count, the story, and what the core wants done.  Pure: clock, wire, store and log are behind
 * ports, so the daemons and the simulator run the same code.
 *
 * Store, then speak: effects are encoded as they come and wait; node_finish(), at the end of a
 * pass, commits the story and only then lets anything out.  A pass that only put on record what was
 * done already is not over yet: it goes on with the next one, for NODE_LINGER_MS, so that a commit
 * and a wake-up of every follower serve more than one fact.  A store that says "not now" holds the
 * node: it keeps what it has, takes no input, lets no time pass for its core, and tries again.
 */
#pragma once

#include "common/actor.h"
#include "common/follower.h"
#include "common/inbox.h"
#include "common/outbox.h"
#include "common/ports.h"
#include "common/snapshots.h"
#include "common/uplink.h"

#define NODE_HELD_MS 100 /* a commit that was put off is tried again after */
#define NODE_LINGER_MS 10 /* what nobody waits for is stored after, or with what comes before */
#define NODE_NEVER INT64_MAX

/* A connection, or many behind one socket: where frames come from and go to. */
enum node_wire {
	NODE_INBOX, /* ROUTER of every process */
	NODE_SNAPSHOTS, /* ROUTER of the registry */
	NODE_STORY, /* subscription to the registry's story */
	NODE_ROWS, /* DEALER to the registry's snapshots */
	NODE_UPLINK, /* DEALER to the inbox of a server: NODE_UPLINK + its role */
	NODE_WIRES = NODE_UPLINK + ROLE_COUNT,
};

/* A received frame, borrowed until node_step() says that nothing is left of it. */
struct node_frame {
	const uint8_t *route; /* from a ROUTER */
	size_t route_length;
	const char *user; /* whose key it came under, see inbox_frame() */
	const uint8_t *bytes;
	size_t length;
};

/* Something an operator should know. */
struct node_note {
	enum node_wire wire;
	const char *what; /* a literal, e.g. "audit.violation" */
	const char *detail;
	struct peer peer; /* behind a ROUTER: whose frame it was */
	const char *name; /* and its name, if known; borrowed */
};

struct node_port {
	void *context;
	int64_t (*now_ms)(void *context); /* monotonic */
	int64_t (*wall_ms)(void *context); /* Unix time */
	/* Into a DEALER; false: not now.  Frames are borrowed. */
	bool (*send)(void *context, enum node_wire wire, const uint8_t *frame, size_t length);
	/* Into a ROUTER. */
	enum inbox_sent (*send_to)(void *context, enum node_wire wire, const uint8_t *route,
				   size_t route_length, const uint8_t *frame, size_t length);
	/* A slow subscriber loses it, which the numbers show. */
	void (*publish)(void *context, const uint8_t *frame, size_t length);
	/* Begin a connection NODE_ROWS, answered by node_connected(); end it. */
	void (*open)(void *context);
	void (*close)(void *context);
	void (*note)(void *context, const struct node_note *note);
	/* What the core is about to be told; NULL: nobody looks. */
	void (*tells)(void *context, const struct input *input);
};

/* The core, and what follows each of its inputs that came over the bus; @after may be NULL. */
struct node_core {
	void *core;
	void (*handle)(void *core, const struct input *input, int64_t now_ms, struct effects *fx);
	int64_t (*deadline)(const void *core);
	void (*after)(void *context);
	void (*call)(void *context, const struct stream_event *event); /* EFFECT_CALL; or NULL */
	void *context;
};

struct node_options {
	enum role role;
	const char *name;
	uint64_t incarnation;
	uint64_t clock; /* ours (common/machine.h); 0: not known */
	uint32_t servers; /* set of roles (1u << ROLE_X) whose inbox to connect to */
	bool follows; /* the registry's story, with snapshots */
	size_t requests_max, request_bytes_max; /* kept per server; 0: see uplink.h */
	struct store_port store; /* registry only; no commit: the story is published unstored */
	struct snapshot_port snapshot; /* registry only; with rows: it serves snapshots */
	struct node_core core;
	struct node_port port;
};

struct node_server {
	struct node *node;
	enum node_wire wire;
	bool used;
	struct uplink uplink;
};

struct node {
	struct node_options options;
	struct outbox outbox;
	struct inbox inbox, snapshot_inbox;
	struct snapshots snapshots;
	struct follower follower;
	struct node_server servers[ROLE_COUNT];
	struct effects effects;
	struct peer_mark marks[PEER_MARKS_MAX]; /* of one commit */
	bool lent; /* the list of effects is with the core */
	int64_t frozen_ms; /* 0: time goes on */
	int64_t held_ms; /* the commit is tried again at; NODE_NEVER: not held */
	int64_t linger_ms; /* what is not pressing is stored at; NODE_NEVER: there is none */
	bool closing; /* nothing lingers any more */
	int failed; /* -errno of the commit that ended it */
};

/* node_init() - Ownership: the ports' contexts and texts of @options are borrowed for life; @self
 * must not move.
 *
 * Return: 0 or -ENOMEM; after either, node_fini().
 */
int node_init(struct node *self, const struct node_options *options);
void node_fini(struct node *self);

/* node_restore() - before the first frame: a mark that an earlier life of ours committed. */
void node_restore(struct node *self, const struct peer_mark *mark);

/* node_begin() - everything is connected to: the story goes on from where the rows are. */
void node_begin(struct node *self);

/* What comes from the wires. */

/* node_has() - whether this process has such a wire. */
bool node_has(const struct node *self, enum node_wire wire);

/* node_connected(), node_disconnected() - what became of a DEALER: every connection is a new one,
 * and nothing said on an earlier one may arrive after node_disconnected().
 */
void node_connected(struct node *self, enum node_wire wire);
void node_disconnected(struct node *self, enum node_wire wire);

/* node_wants() - whether node_take() may be called, once node_step() has said no. */
bool node_wants(const struct node *self, enum node_wire wire);
void node_take(struct node *self, enum node_wire wire, const struct node_frame *frame);

/* node_step() - handle one event from @wire.
 *
 * Return: false: nothing is left of the last frame, or, if node_held(), nothing for now.
 */
bool node_step(struct node *self, enum node_wire wire);

/* What time does, and the end of a pass. */

/* node_tick() - what is due at the bus, then one tick of the core if it is due. */
void node_tick(struct node *self);

/* node_serve() - some rows of the snapshots that are asked for; false: nothing to do. */
bool node_serve(struct node *self);

/* node_finish() - at the end of a pass: store, then speak.
 *
 * Return: 0, also if it is held; or what the store said, from then on: the process is over.
 */
int node_finish(struct node *self);

/* node_close() - the process is about to end: nothing waits for company any more. */
void node_close(struct node *self);

/* node_held() - the store takes nothing now. */
bool node_held(const struct node *self);

/* node_deadline() - when node_tick() and node_finish() are due at the latest. */
int64_t node_deadline(const struct node *self);

/* node_is_busy() - there is work that no frame and no deadline will call for. */
bool node_is_busy(const struct node *self);

/* node_is_ready() - welcomed by every server, the story in, not held. */
bool node_is_ready(const struct node *self);

/* node_is_settled() - every request has been acknowledged. */
bool node_is_settled(const struct node *self);

/* The core. */

/* node_feed() - one input to the core, its effects carried out. */
void node_feed(struct node *self, const struct input *input);

/* node_effects(), node_carry() - around a call into the core that node_feed() cannot express: hand
 * it the (cleared) list, then carry out what it put there.  Never from inside a handler, nor one
 * pair inside another.
 */
struct effects *node_effects(struct node *self);
void node_carry(struct node *self);

/* node_deafen() - @deaf: nobody subscribes to operational events, so none are made for nobody. */
void node_deafen(struct node *self, bool deaf);

/* node_publish() - an operational event of the process itself; its head is filled in. */
void node_publish(struct node *self, struct stream_event *event);
