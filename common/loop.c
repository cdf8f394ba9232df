/* SPDX-License-Identifier: MIT */
#include "common/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"

#define NEVER INT64_MAX
#define SLEEP_MAX_MS 60000 /* libev counts in doubles; no wait is longer */

int64_t loop_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t loop_now_ms(void)
{
	return loop_now_ns() / 1000000;
}

int loop_block_signals(void)
{
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return err_raise(-errno);
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_raise(-errno) : fd;
}

static void arm(struct loop *self, int64_t due_ms)
{
	int64_t now_ns = loop_now_ns();
	int64_t wait_ns;

	if (due_ms <= now_ns / 1000000) {
		ev_idle_start(self->ev, &self->idle);
		return;
	}
	ev_idle_stop(self->ev, &self->idle);
	if (due_ms == self->armed_ms && ev_is_active(&self->timer))
		return;
	ev_timer_stop(self->ev, &self->timer);
	self->armed_ms = due_ms;
	if (due_ms > now_ns / 1000000 + SLEEP_MAX_MS)
		due_ms = now_ns / 1000000 + SLEEP_MAX_MS;
	wait_ns = due_ms * 1000000 - now_ns;
	/* libev's idea of now is as old as this pass is long. */
	ev_now_update(self->ev);
	ev_timer_set(&self->timer, (double)wait_ns / 1e9, 0.);
	ev_timer_start(self->ev, &self->timer);
}

static void on_prepare(struct ev_loop *ev, ev_prepare *watcher, int events)
{
	struct loop *self = watcher->data;

	(void)ev;
	(void)events;
	arm(self, self->pass(self->context));
}

/* The next pass does the work: waking up is all that these are for. */
static void on_idle(struct ev_loop *ev, ev_idle *watcher, int events)
{
	(void)ev;
	(void)watcher;
	(void)events;
}

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)ev;
	(void)watcher;
	(void)events;
}

static void on_socket(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop_socket *socket = watcher->data;

	(void)ev;
	(void)events;
	socket->socket.touched = true;
}

static void on_signal(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop *self = watcher->data;
	struct signalfd_siginfo info;

	(void)ev;
	(void)events;
	while (read(watcher->fd, &info, sizeof info) == (ssize_t)sizeof info)
		self->on_signal(self->context, (int)info.ssi_signo);
}

int loop_init(struct loop *self, int signal_fd)
{
	self->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!self->ev)
		return err_raise(-ENOMEM);
	self->armed_ms = NEVER;
	ev_prepare_init(&self->prepare, on_prepare);
	ev_idle_init(&self->idle, on_idle);
	ev_timer_init(&self->timer, on_timer, 0., 0.);
	ev_io_init(&self->signal, on_signal, signal_fd, EV_READ);
	self->prepare.data = self->signal.data = self;
	ev_prepare_start(self->ev, &self->prepare);
	ev_io_start(self->ev, &self->signal);
	return 0;
}

void loop_fini(struct loop *self)
{
	if (!self->ev)
		return;
	ev_loop_destroy(self->ev);
	self->ev = NULL;
}

void loop_watch(struct loop *self, struct loop_socket *socket)
{
	ev_io_init(&socket->io, on_socket, socket->socket.fd, EV_READ);
	socket->io.data = socket;
	ev_io_start(self->ev, &socket->io);
	socket->watched = true;
}

void loop_unwatch(struct loop *self, struct loop_socket *socket)
{
	if (!socket->watched)
		return;
	ev_io_stop(self->ev, &socket->io);
	socket->watched = false;
}

void loop_run(struct loop *self)
{
	ev_run(self->ev, 0);
}

void loop_stop(struct loop *self)
{
	ev_break(self->ev, EVBREAK_ALL);
}
