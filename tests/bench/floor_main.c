/* SPDX-License-Identifier: MIT */
/* floor_main.c - weir-floor: listens, accepts, waits. */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/bench/floor.h"
#include "tests/bench/tool.h"

#define EVENTS_MAX 256
#define BACKLOG 4096
#define INTERVAL_MS 15000
#define PING_MS 10000
#define MS_MAX 3600000

enum word { OPTION_LISTEN = 1, OPTION_INTERVAL, OPTION_PING, OPTION_HELP };

static const struct option options[] = {
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "interval-ms", required_argument, NULL, OPTION_INTERVAL },
	{ "ping-ms", required_argument, NULL, OPTION_PING },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: weir-floor --listen ADDR:PORT [--interval-ms N] [--ping-ms N]\n"
	"\n"
	"The bare server that weir's cost is measured against: what glasses and apps of live\n"
	"streams must be sent, and nothing else.  Prints `ready` when it listens; after\n"
	"SIGTERM a line of JSON: probes, their acks, acks too late, streams timed out.\n"
	"\n"
	"  --interval-ms N  between two probes of a stream (default 15000)\n"
	"  --ping-ms N      between two WebSocket pings of a socket (default 10000; 0: none)\n"
	"\n"
	"example:\n"
	"  weir-floor --listen 127.0.0.1:9100 --interval-ms 1000 &\n"
	"  weir-load hold --open --connect 127.0.0.1:9100 --users 1000 --interval-ms 1000 "
	"--seconds 20\n";

static const struct tool tool = { "weir-floor", usage };

struct place {
	int epoll_fd, listen_fd, signal_fd;
};

static int listen_at(const char *where)
{
	struct sockaddr_in address;
	const int on = 1;
	int fd;

	if (!where || !tool_address(where, &address))
		tool_fail(&tool, "--listen wants ADDR:PORT", where);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
		tool_fail(&tool, strerror(errno), where);
	return fd;
}

static void accept_all(struct floor *floor, const struct place *place)
{
	const int on = 1;
	int fd;

	while ((fd = accept4(place->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if ((uint32_t)fd >= floor->options.peers_max) {
			(void)close(fd);
			continue;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		floor_accepted(floor, fd);
		if (sock_watch(&floor->peers[fd].sock, place->epoll_fd, (uint64_t)fd) < 0)
			floor_readable(floor, fd, true);
	}
}

static void handle(struct floor *floor, const struct epoll_event *event)
{
	const int fd = (int)event->data.u64;

	if (event->events & EPOLLOUT)
		floor_writable(floor, fd);
	if (event->events & ~(uint32_t)EPOLLOUT)
		floor_readable(floor, fd, event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

static void run(struct floor *floor, const struct place *place)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int64_t left_ms = wheel_deadline(&floor->wheel) - tool_now_ns() / NS_PER_MS;
		int count = epoll_wait(place->epoll_fd, events, EVENTS_MAX,
				       left_ms < 0	  ? 0
				       : left_ms > MS_MAX ? MS_MAX
							  : (int)left_ms);

		floor_tick(floor, tool_now_ns() / NS_PER_MS);
		for (int i = 0; i < count; i++)
			if (events[i].data.u64 == (uint64_t)place->signal_fd)
				return;
			else if (events[i].data.u64 == (uint64_t)place->listen_fd)
				accept_all(floor, place);
			else
				handle(floor, &events[i]);
	}
}

static void watch(const struct place *place, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = (uint64_t)fd };

	if (epoll_ctl(place->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		tool_fail(&tool, "epoll", strerror(errno));
}

static void report(const struct floor_counts *counts)
{
	(void)printf("{\"phase\":\"done\",\"probes\":%llu,\"acks\":%llu,\"late_acks\":%llu,"
		     "\"timeouts\":%llu}\n",
		     (unsigned long long)counts->probes, (unsigned long long)counts->acks,
		     (unsigned long long)counts->late_acks, (unsigned long long)counts->timeouts);
}

static const char *take_options(int argc, char **argv, struct floor_options *out)
{
	const char *where = NULL;
	int option;

	*out = (struct floor_options){ .interval_ms = INTERVAL_MS, .ping_ms = PING_MS };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch ((enum word)option) {
		case OPTION_LISTEN:
			where = optarg;
			break;
		case OPTION_INTERVAL:
			out->interval_ms = (int64_t)tool_number(&tool, optarg, 1, MS_MAX);
			break;
		case OPTION_PING:
			out->ping_ms = (int64_t)tool_number(&tool, optarg, 0, MS_MAX);
			break;
		case OPTION_HELP:
			tool_help(&tool);
			break;
		default:
			exit(TOOL_USAGE);
		}
	}
	if (optind < argc)
		tool_fail(&tool, "what is this?", argv[optind]);
	return where;
}

int main(int argc, char **argv)
{
	static struct floor floor;
	struct floor_options floor_options;
	const char *where = take_options(argc, argv, &floor_options);
	CLEANUP(close_at) int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CLEANUP(close_at) int signal_fd = tool_signals();
	CLEANUP(close_at) int listen_fd = listen_at(where);
	const struct place place = { epoll_fd, listen_fd, signal_fd };

	floor_options.peers_max = tool_raise_descriptors();
	if (floor_init(&floor, &floor_options) < 0)
		tool_fail(&tool, "not enough memory", NULL);
	watch(&place, signal_fd);
	watch(&place, listen_fd);
	if (puts("ready") < 0 || fflush(stdout) != 0)
		tool_fail(&tool, "stdout", strerror(errno));
	run(&floor, &place);
	report(&floor.counts);
	floor_fini(&floor);
	return 0;
}
