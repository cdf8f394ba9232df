/* SPDX-License-Identifier: MIT */
/* fake_edge.h - the gateways of cores.h as far as streams go: the fence in front of one device, the
 * dedupe in front of its apps, the confirmations; and what device and apps have heard, as text.
 *
 * Streams are named S1, S2, ... in the order in which they are first heard of.
 *   device  "start S1 pa", "stop S1 pa" (told id and appId; "stop - pa" if the id is empty)
 *   app     "S1:active" direct, "+S1:active" a copy
 */
#pragma once

#include "tests/lib/cores.h"

#define FAKE_APPS 4
#define FAKE_LOG 4096

struct fake_app {
	char package[16];
	uint64_t link; /* 0: none */
	uint64_t direct_epoch, direct_seq, copy_epoch, copy_seq;
	char heard[FAKE_LOG];
};

struct fake_edge {
	struct cores *cores;
	size_t seen; /* of cores.sent */
	uint64_t link; /* of the glasses; 0: none */
	uint64_t fence_epoch;
	char fence_id[STREAM_ID_MAX + 1];
	bool fence_stopped;
	bool silent; /* confirmations get lost */
	char ids[32][STREAM_ID_MAX + 1];
	unsigned id_count;
	char device[FAKE_LOG];
	char done[FAKE_LOG]; /* "1:ok", "2:INTERNAL_ERROR": answers to requests */
	struct fake_app apps[FAKE_APPS];
};

void fake_edge_open(struct fake_edge *self, struct cores *cores);

/* fake_edge_pump() - let the gateways work off what was sent to them, and what that causes. */
void fake_edge_pump(struct fake_edge *self);

/* As the scenes of cores.h, with the sockets known here. */
void fake_edge_glasses_up(struct fake_edge *self, uint64_t link);
void fake_edge_glasses_down(struct fake_edge *self);
void fake_edge_app_up(struct fake_edge *self, const char *package, uint64_t link);
void fake_edge_app_down(struct fake_edge *self, const char *package);

/* fake_edge_app() - the app's record, made if need be. */
struct fake_app *fake_edge_app(struct fake_edge *self, const char *package);

/* fake_edge_forget() - empty the logs; sockets, fence and dedupe stay. */
void fake_edge_forget(struct fake_edge *self);

/* fake_edge_name() - "S1" for the id; "-" if it is empty. */
const char *fake_edge_name(struct fake_edge *self, struct text id);
