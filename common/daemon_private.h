/* SPDX-License-Identifier: MIT */
/* daemon_private.h - the parts of a daemon, for the files that make it up. */
#pragma once

#include "common/daemon.h"
#include "common/dealer.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/node.h"
#include "common/readiness.h"
#include "common/transport.h"

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

/* A socket that frames come from. */
struct source {
	struct transport_socket *socket;
	bool routed;
	struct transport_message message; /* held while the node walks it */
	enum node_wire wire;
};

/* A connection of ours. */
struct server {
	struct daemon *daemon;
	struct dealer dealer;
	enum node_wire wire;
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
	struct node node;

	struct loop_socket publisher, inbox_socket, snapshot_socket, story_socket;
	struct loop_socket zap_socket; /* tcp: libzmq asks who may connect */
	int listeners; /* subscriptions of operational events */
	struct server servers[ROLE_COUNT], rows;
	uint32_t connections;

	struct source sources[SOURCES_MAX];
	size_t source_count, source_next;

	enum daemon_phase phase;
	bool hold, was_ready, was_held;
	int64_t closing_ms, metrics_ms;
	int failed; /* -errno that ends the run */
};

/* daemon_wire.c: the node and the sockets */
int daemon_wire_open(struct daemon *self);
int daemon_wire_connect(struct daemon *self);
void daemon_wire_close(struct daemon *self);
void daemon_wire_poll(struct daemon *self);
void daemon_wire_drain(struct daemon *self, struct budget *budget);
void daemon_wire_serve(struct daemon *self, struct budget *budget);
bool daemon_wire_is_busy(struct daemon *self);

/* daemon.c */
void daemon_fail(struct daemon *self, int error);

/* daemon_curve.c: keys, on tcp; nothing on ipc */
int daemon_curve_open(struct daemon *self);
int daemon_curve_prove(struct daemon *self);
void daemon_curve_answer(struct daemon *self);
void daemon_curve_reload(struct daemon *self);

/* daemon_report.c: metrics */
void daemon_report_metrics(struct daemon *self, int64_t now_ms);

/* budget_left() - whether another input may be handled in this pass. */
static inline bool budget_left(struct budget *budget)
{
	/* The clock is read now and then only: an input takes microseconds. */
	return budget->inputs > 0 && (budget->inputs % 8 != 0 || loop_now_ns() < budget->until_ns);
}
