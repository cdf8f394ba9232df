/* SPDX-License-Identifier: MIT */
/* loop.h - one libev loop around one function, the pass, called before every sleep.
 *
 * The descriptor of a ZeroMQ socket is only an edge, so it is not worked on when it becomes
 * readable: it marks its socket as touched, and the pass, which runs before each sleep, looks at
 * all that are touched.  A pass says when it wants to run again; if that is now, the loop polls
 * its descriptors without sleeping.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>

#include "common/transport.h"

struct loop {
	struct ev_loop *ev;
	ev_prepare prepare;
	ev_idle idle; /* active: do not sleep */
	ev_timer timer;
	ev_io signal;
	int64_t armed_ms;
	/* Work, and return when to be called again at the latest, in monotonic ms. */
	int64_t (*pass)(void *context);
	void (*on_signal)(void *context, int number);
	void *context;
};

/* A watched socket; zero it before the first use. */
struct loop_socket {
	ev_io io;
	struct transport_socket socket;
	bool watched;
};

/* loop_now_ms() - CLOCK_MONOTONIC; the only clock shells hand to cores. */
int64_t loop_now_ms(void);

/* loop_now_ns() - the same clock, for budgets within a pass. */
int64_t loop_now_ns(void);

/* loop_block_signals() - SIGTERM, SIGINT, SIGHUP and SIGUSR1 arrive on the returned descriptor;
 * call it before libzmq is started, so that its threads inherit the mask.  SIGPIPE is ignored.
 *
 * Children inherit the mask too: whoever starts some clears it for them.
 *
 * Return: descriptor or -errno.
 */
int loop_block_signals(void);

/* loop_init() - set @self up around pass, on_signal and context, which the caller has set. */
int loop_init(struct loop *self, int signal_fd);
void loop_fini(struct loop *self);

void loop_watch(struct loop *self, struct loop_socket *socket);
void loop_unwatch(struct loop *self, struct loop_socket *socket);

/* loop_run() - until loop_stop(). */
void loop_run(struct loop *self);
void loop_stop(struct loop *self);
