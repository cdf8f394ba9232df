/* SPDX-License-Identifier: MIT */
#include "common/daemon.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/daemon_private.h"
#include "common/error.h"
#include "common/log.h"

int64_t daemon_now_ms(void)
{
	return loop_now_ms();
}

int64_t daemon_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct ev_loop *daemon_loop(struct daemon *self)
{
	return self->loop.ev;
}

void daemon_restore(struct daemon *self, const struct peer_mark *mark)
{
	node_restore(&self->node, mark);
}

void daemon_count(struct daemon *self, const char *name, uint64_t add)
{
	metrics_add(&self->metrics, name, add);
}

void daemon_hold_ready(struct daemon *self, bool hold)
{
	self->hold = hold;
}

bool daemon_is_ready(const struct daemon *self)
{
	if (self->hold || self->phase != DAEMON_RUNNING)
		return false;
	return node_is_ready(&self->node);
}

/* inputs */

struct effects *daemon_effects(struct daemon *self)
{
	return node_effects(&self->node);
}

void daemon_carry(struct daemon *self)
{
	node_carry(&self->node);
}

void daemon_feed(struct daemon *self, const struct input *input)
{
	node_feed(&self->node, input);
}

/* the pass */

void daemon_fail(struct daemon *self, int error)
{
	if (self->failed == 0)
		self->failed = error;
	loop_stop(&self->loop);
}

/* Store, then speak.  What memory knows and the store does not must not be told to anybody. */
static void finish(struct daemon *self)
{
	int r = node_finish(&self->node);
	bool held = node_held(&self->node);

	if (r < 0 && self->failed == 0) {
		log_error("store.failed", log_str("reason", strerror(-r)));
		daemon_fail(self, r);
	}
	if (held == self->was_held)
		return;
	self->was_held = held;
	if (held)
		log_warn("store.held", log_i64("retry_ms", NODE_HELD_MS));
	else if (r == 0)
		log_info("store.resumed", log_u64("incarnation", self->options.incarnation));
}

static void check_ready(struct daemon *self)
{
	bool ready = daemon_is_ready(self);

	if (ready == self->was_ready)
		return;
	self->was_ready = ready;
	if (self->phase != DAEMON_RUNNING)
		return;
	log_info(ready ? "actor.ready" : "actor.not_ready",
		 log_u64("incarnation", self->options.incarnation));
	if (ready)
		readiness_tell(&self->readiness);
}

static void check_closing(struct daemon *self, int64_t now_ms)
{
	if (self->phase == DAEMON_CLOSING &&
	    (now_ms >= self->closing_ms || node_is_settled(&self->node)))
		loop_stop(&self->loop);
}

static int64_t next_pass(struct daemon *self, int64_t now_ms)
{
	int64_t due = node_deadline(&self->node);
	int64_t others[] = { self->metrics_ms, readiness_tick(&self->readiness, now_ms),
			     self->phase == DAEMON_CLOSING ? self->closing_ms : DAEMON_NEVER };

	/* While it is held, what waits is not what it waits for. */
	if (!node_held(&self->node) && daemon_wire_is_busy(self))
		return 0;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		due = others[i] < due ? others[i] : due;
	return due;
}

/* Called before every sleep: take in what waits, let time work, store, speak. */
static int64_t pass(void *context)
{
	struct daemon *self = context;
	struct budget budget = { .inputs = PASS_INPUTS_MAX,
				 .until_ns = loop_now_ns() + PASS_NS_MAX };
	int64_t now_ms;

	daemon_wire_poll(self);
	daemon_wire_drain(self, &budget);
	now_ms = loop_now_ms();
	node_tick(&self->node);
	if (self->metrics_ms <= now_ms)
		daemon_report_metrics(self, now_ms);
	daemon_wire_serve(self, &budget);
	finish(self);
	check_ready(self);
	check_closing(self, now_ms);
	return next_pass(self, now_ms);
}

/* the end */

static void publish_ops(struct daemon *self, enum stream_event_type type)
{
	struct stream_event event = { .type = type };

	if (type == EVENT_ACTOR_STARTED)
		event.actor_started.version = TEXT(WEIR_VERSION);
	node_publish(&self->node, &event);
}

void daemon_stopped(struct daemon *self)
{
	if (self->phase == DAEMON_CLOSING)
		return;
	self->phase = DAEMON_CLOSING;
	self->closing_ms = loop_now_ms() + STOPPING_MS;
	node_close(&self->node);
	publish_ops(self, EVENT_ACTOR_STOPPED);
}

static void stop(struct daemon *self)
{
	if (self->phase != DAEMON_RUNNING) {
		/* Asked twice: whoever asks does not want to wait. */
		loop_stop(&self->loop);
		return;
	}
	self->phase = DAEMON_STOPPING;
	log_info("actor.stopping", log_u64("incarnation", self->options.incarnation));
	readiness_stopping(&self->readiness);
	if (!self->actor.stop || self->actor.stop(self->actor.context))
		daemon_stopped(self);
}

static void on_signal(void *context, int number)
{
	struct daemon *self = context;

	switch (number) {
	case SIGHUP:
		log_info("actor.reload", log_str("signal", "SIGHUP"));
		daemon_curve_reload(self);
		if (self->actor.reload)
			self->actor.reload(self->actor.context);
		return;
	case SIGUSR1:
		log_info("actor.drain", log_str("signal", "SIGUSR1"));
		if (self->actor.drain)
			self->actor.drain(self->actor.context);
		return;
	default:
		stop(self);
		return;
	}
}

/* opening and running */

/* libzmq aborts when it runs out of descriptors, so there shall be as many as we may have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("actor.descriptor_limit", log_u64("max", limit.rlim_max));
}

static bool is_confined(const struct daemon *self)
{
	return self->options.config && self->options.config->run_confine;
}

/* After the lock, which is a file, and before the first socket, with which threads begin. */
static int confine_early(struct daemon *self)
{
	const struct daemon_options *options = &self->options;

	if (!is_confined(self))
		return 0;
	return err_pass(confine_files(confine_role_of(options->role, options->config),
				      options->config, options->run_dir));
}

static int confine_late(struct daemon *self)
{
	if (!is_confined(self))
		return 0;
	return err_pass(confine_calls(confine_role_of(self->options.role, self->options.config),
				      self->options.config));
}

static int open_parts(struct daemon *self)
{
	int r = loop_block_signals();

	if (r < 0)
		return err_pass(r);
	self->signal_fd = r;
	self->loop.pass = pass;
	self->loop.on_signal = on_signal;
	self->loop.context = self;
	if ((r = transport_open(self->options.run_dir, self->options.name, &self->transport)) < 0 ||
	    (r = confine_early(self)) < 0 || (r = loop_init(&self->loop, self->signal_fd)) < 0 ||
	    (r = daemon_wire_open(self)) < 0)
		return r;
	return 0;
}

int daemon_open(const struct daemon_options *options, const struct actor *actor,
		struct daemon **out)
{
	struct daemon *self = calloc(1, sizeof *self);
	int r;

	if (!self)
		return err_raise(-ENOMEM);
	self->options = *options;
	self->actor = *actor;
	self->signal_fd = -1;
	readiness_init(&self->readiness, options->notify_fd);
	raise_descriptor_limit();
	r = open_parts(self);
	if (r < 0) {
		daemon_close(self);
		return r == -EBUSY || r == -EUCLEAN ? r : err_pass(r);
	}
	*out = self;
	return 0;
}

void daemon_close(struct daemon *self)
{
	if (!self)
		return;
	if (self->loop.ev)
		daemon_wire_close(self);
	loop_fini(&self->loop);
	readiness_fini(&self->readiness);
	transport_close(self->transport);
	if (self->signal_fd >= 0)
		(void)close(self->signal_fd);
	free(self);
}

int daemon_run(struct daemon *self)
{
	int r = daemon_wire_connect(self);

	if (r == 0)
		r = confine_late(self);
	if (r < 0)
		return err_pass(r);
	node_begin(&self->node);
	publish_ops(self, EVENT_ACTOR_STARTED);
	log_info("actor.started", log_u64("incarnation", self->options.incarnation),
		 log_str("version", WEIR_VERSION), log_str("run", self->options.run_dir));
	self->metrics_ms = loop_now_ms() + METRICS_MS;
	loop_run(&self->loop);
	if (self->failed < 0)
		return err_pass(self->failed);
	log_flush_limited();
	log_info("actor.stopped", log_u64("incarnation", self->options.incarnation));
	return 0;
}
