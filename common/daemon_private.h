/* SPDX-License-Identifier: MIT */
/* daemon_private.h - the parts of a daemon, for the files that make it up. */
#pragma once

#include "common/daemon.h"
#include "common/dealer.h"
#include "common/follower.h"
#include "common/inbox.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/outbox.h"
#include "common/readiness.h"
#include "common/snapshots.h"
#include "common/transport.h"
#include "common/uplink.h"

#define PASS_INPUTS_MAX 64 /* then others have their turn */
#define PASS_NS_MAX 2000000
#define METRICS_MS 10000
#define STOPPING_MS 500 /* for the last requests to be acknowledged */
#define SOURCES_MAX 10
#define DAEMON_NEVER INT64_MAX

struct budget {
	int inputs;
	int64_t until_ns;
};

/* A socket that frames come from, and what takes them apart event by event. */
struct source {
	struct transport_socket *socket;
	bool routed;
	struct transport_message message; /* held while it is being walked */
	bool (*wants)(void *context); /* NULL: always */
	void (*frame)(void *context, const struct transport_message *message, int64_t now_ms);
	bool (*step)(void *context, int64_t now_ms);
	void *context;
};

struct server {
	struct daemon *daemon;
	struct dealer dealer;
	struct uplink uplink;
	bool used;
};

enum daemon_phase {
	DAEMON_RUNNING,
	DAEMON_STOPPING, /* the actor says goodbye */
	DAEMON_CLOSING, /* what it said is on its way */
};

struct daemon {
	struct daemon_options options;
	struct actor actor;
	int signal_fd;
	struct transport *transport;
	struct loop loop;
	struct readiness readiness;
	struct metrics metrics;
	struct effects effects;

	struct loop_socket publisher, inbox_socket, snapshot_socket, story_socket;
	struct outbox outbox;
	struct inbox inbox, snapshot_inbox;
	struct snapshots snapshots;
	struct follower follower;
	struct dealer snapshot_dealer;
	struct server servers[ROLE_COUNT];
	uint32_t connections;

	struct source sources[SOURCES_MAX];
	size_t source_count, source_next;

	enum daemon_phase phase;
	bool hold, was_ready;
	bool lent; /* the list of effects is with the core */
	int64_t closing_ms, metrics_ms;
	int failed; /* -errno that ends the run */
};

/* daemon_wire.c: the pure parts and the sockets */
int daemon_wire_open(struct daemon *self);
int daemon_wire_connect(struct daemon *self);
void daemon_wire_close(struct daemon *self);
void daemon_wire_poll(struct daemon *self);
void daemon_wire_drain(struct daemon *self, struct budget *budget);
void daemon_wire_tick(struct daemon *self, int64_t now_ms);
void daemon_wire_serve(struct daemon *self, struct budget *budget);
void daemon_wire_flush(struct daemon *self, int64_t now_ms);
int64_t daemon_wire_deadline(const struct daemon *self);
bool daemon_wire_is_busy(struct daemon *self);
bool daemon_wire_is_settled(const struct daemon *self);

/* daemon.c */
void daemon_input(struct daemon *self, const struct input *input);
void daemon_announce(struct daemon *self, const struct input *input);
void daemon_settle(struct daemon *self);
void daemon_fail(struct daemon *self, int error);

/* daemon_effects.c: what the core wants done */
void daemon_carry_out(struct daemon *self);
void daemon_finish(struct daemon *self);

/* daemon_report.c: metrics */
void daemon_report_metrics(struct daemon *self, int64_t now_ms);

/* budget_left() - whether another input may be handled in this pass. */
static inline bool budget_left(struct budget *budget)
{
	/* The clock is read now and then only: an input takes microseconds. */
	return budget->inputs > 0 && (budget->inputs % 8 != 0 || loop_now_ns() < budget->until_ns);
}
