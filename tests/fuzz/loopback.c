/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/loopback.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#define FDS_MAX 64

int loopback_port(int fd)
{
	struct sockaddr_in address = { 0 };
	socklen_t length = sizeof address;
	int r = getsockname(fd, (struct sockaddr *)(void *)&address, &length);

	assert(r == 0);
	return ntohs(address.sin_port);
}

int loopback_free_port(void)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int r = bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address);
	int port;

	assert(r == 0);
	port = loopback_port(fd);
	(void)close(fd);
	return port;
}

int loopback_connect(int port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons((uint16_t)port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	/* From an address of this process: whoever else tests here may use up all ports. */
	const uint32_t own = INADDR_LOOPBACK | (uint32_t)(getpid() & 0xffff) << 8;
	const struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(own) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	int r = bind(fd, (const struct sockaddr *)(const void *)&from, sizeof from);

	assert(r == 0);
	/* The fuzzer's alarm clock interrupts; Linux waits on when asked again. */
	do
		r = connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address);
	while (r != 0 && errno == EINTR);
	assert(r == 0);
	r = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	assert(r == 0);
	r = ioctl(fd, FIONBIO, &on);
	assert(r == 0);
	return fd;
}

void loopback_say(int fd, struct text bytes)
{
	if (bytes.length > 0)
		(void)!send(fd, bytes.bytes, bytes.length, MSG_NOSIGNAL);
}

/* The first one of this process: that of its loop, which does not tell. */
static int find_epoll(void)
{
	for (int fd = 3; fd < FDS_MAX; fd++) {
		char link[64], name[64] = "";

		(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		if (readlink(link, name, sizeof name - 1) > 0 && strstr(name, "[eventpoll]"))
			return fd;
	}
	abort();
}

/* Nothing wakes the loop again and again: what it was woken for has been dealt with. */
static bool is_idle(struct ev_loop *loop)
{
	static int epoll_fd;
	struct pollfd backend = { .events = POLLIN };
	unsigned busy = 0;

	if (epoll_fd == 0)
		epoll_fd = find_epoll();
	backend.fd = epoll_fd;

	while (busy < LOOPBACK_STUCK && poll(&backend, 1, 0) > 0) {
		(void)ev_run(loop, EVRUN_NOWAIT);
		busy++;
	}
	return busy < LOOPBACK_STUCK;
}

void loopback_run(struct ev_loop *loop, int fd, size_t (*unread)(void))
{
	size_t before = SIZE_MAX;
	unsigned quiet = 0;

	for (unsigned stuck = 0; quiet < LOOPBACK_QUIET && stuck < LOOPBACK_STUCK; stuck++) {
		size_t waiting;
		int unsent = 0;

		(void)ev_run(loop, EVRUN_NOWAIT);
		(void)ioctl(fd, SIOCOUTQ, &unsent);
		waiting = (size_t)unsent + unread();
		quiet = waiting > 0 ? 0 : quiet + 1;
		if (waiting != before)
			stuck = 0;
		before = waiting;
	}
	assert(is_idle(loop));
}

void loopback_until(struct ev_loop *loop, bool (*done)(void))
{
	for (unsigned passes = 0; !done(); passes++) {
		assert(passes < LOOPBACK_PASSES_MAX);
		(void)ev_run(loop, EVRUN_NOWAIT);
		(void)sched_yield();
	}
}

struct text loopback_heard(int fd, char *bytes, size_t size)
{
	struct text heard = { bytes, 0 };
	ssize_t length;

	while (heard.length < size &&
	       (length = recv(fd, bytes + heard.length, size - heard.length, 0)) > 0)
		heard.length += (uint32_t)length;
	return heard;
}

void loopback_reset(int fd)
{
	const struct linger linger = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	(void)close(fd);
}
