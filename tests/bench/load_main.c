/* SPDX-License-Identifier: MIT */
/* load_main.c - weir-load: options, limits, memory; then load_run(). */
#include "tests/bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/cleanup.h"

#define DESCRIPTORS_SPARE 320 /* webhooks of a gateway, signals, the rest */
#define BACKLOG 1024

static void check_descriptors(const struct load_options *options)
{
	const uint64_t limit = tool_raise_descriptors();
	const uint64_t apps = options->apps_leave ? options->in_flight_max : options->users;
	const uint64_t needed = (uint64_t)options->users + (apps > 0 ? apps : options->users) +
				(uint64_t)options->cycle_users * SIDES + DESCRIPTORS_SPARE;
	char fault[160];

	if (needed <= limit)
		return;
	(void)snprintf(fault, sizeof fault,
		       "needs %llu descriptors, the hard limit is %llu (ulimit -Hn): raise it, or "
		       "split the users over several processes with --first",
		       (unsigned long long)needed, (unsigned long long)limit);
	tool_fail(&load_tool, fault, NULL);
}

static void watch(const struct load *self, int fd, enum event_kind kind)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)kind << 32 };

	if (epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		tool_fail(&load_tool, "epoll", strerror(errno));
}

static void listen_for_hooks(struct load *self)
{
	const int on = 1;
	const struct sockaddr *address = (const struct sockaddr *)&self->options.webhook;

	self->hook_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (self->hook_fd < 0 ||
	    setsockopt(self->hook_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(self->hook_fd, address, sizeof self->options.webhook) < 0 ||
	    listen(self->hook_fd, BACKLOG) < 0)
		tool_fail(&load_tool, "--webhook", strerror(errno));
	watch(self, self->hook_fd, EVENT_HOOK_CALLER);
}

static void load_init(struct load *self)
{
	uint32_t timers;

	self->user_count = self->options.users + self->options.cycle_users;
	timers = self->user_count * SIDES;
	self->users = calloc(self->user_count, sizeof *self->users);
	self->wheel_memory = malloc(wheel_bytes(timers));
	if (!self->users || !self->wheel_memory)
		tool_fail(&load_tool, "not enough memory", NULL);
	for (uint32_t i = 0; i < self->user_count; i++)
		self->users[i].links[GLASSES].sock.fd = self->users[i].links[APP].sock.fd = -1;
	for (uint32_t i = 0; i < HOOKS_MAX; i++)
		self->hooks[i].fd = -1;
	wheel_init(&self->wheel, self->wheel_memory, timers);
	wheel_settle(&self->wheel, tool_now_ns() / NS_PER_MS);
	self->random = (uint64_t)tool_now_ns() | 1;
	self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	self->signal_fd = tool_signals();
	self->hook_fd = -1;
	watch(self, self->signal_fd, EVENT_SIGNAL);
	if (self->options.has_webhook)
		listen_for_hooks(self);
}

static void load_fini(struct load *self)
{
	for (uint32_t i = 0; i < self->user_count; i++)
		for (unsigned side = 0; side < SIDES; side++)
			sock_close(&self->users[i].links[side].sock);
	for (uint32_t i = 0; i < HOOKS_MAX; i++)
		sock_close(&self->hooks[i]);
	close_at(&self->hook_fd);
	close_at(&self->signal_fd);
	close_at(&self->epoll_fd);
	free(self->wheel_memory);
	free(self->users);
}

int main(int argc, char **argv)
{
	static struct load load;
	int r;

	load_options_take(argc, argv, &load.options);
	check_descriptors(&load.options);
	load_init(&load);
	r = load_run(&load);
	load_fini(&load);
	return r;
}
