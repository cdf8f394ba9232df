/* SPDX-License-Identifier: MIT */
#include "common/readiness.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

/* $NOTIFY_SOCKET is a path, or "@name" for an abstract one. */
static int connect_systemd(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length;
	int fd;

	if (!path || (*path != '/' && *path != '@') || path[1] == '\0')
		return -1;
	length = strlen(path);
	if (length > sizeof address.sun_path - 1)
		return -1;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*path == '/'))) <
	    0) {
		log_warn("readiness.failed", log_str("socket", path),
			 log_str("reason", strerror(errno)));
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int64_t watchdog_ms(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	const char *usec = getenv("WATCHDOG_USEC");
	long long value = usec ? strtoll(usec, NULL, 10) : 0;

	if (pid && strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	/* Twice per period, so that one delay does no harm. */
	return value >= 2000 ? value / 2000 : 0;
}

void readiness_init(struct readiness *self, int notify_fd)
{
	*self = (struct readiness){ .notify_fd = notify_fd, .socket_fd = connect_systemd() };
	if (self->socket_fd >= 0)
		self->watchdog_ms = watchdog_ms();
}

static void close_notify(struct readiness *self)
{
	if (self->notify_fd >= 0)
		(void)close(self->notify_fd);
	self->notify_fd = -1;
}

void readiness_fini(struct readiness *self)
{
	close_notify(self);
	if (self->socket_fd >= 0)
		(void)close(self->socket_fd);
	self->socket_fd = -1;
}

static void say(const struct readiness *self, const char *words)
{
	if (self->socket_fd >= 0)
		(void)send(self->socket_fd, words, strlen(words), MSG_NOSIGNAL);
}

void readiness_tell(struct readiness *self)
{
	if (self->told)
		return;
	self->told = true;
	if (self->notify_fd >= 0 && write(self->notify_fd, "\n", 1) != 1)
		log_warn("readiness.failed", log_i64("fd", self->notify_fd),
			 log_str("reason", strerror(errno)));
	close_notify(self);
	say(self, "READY=1");
}

void readiness_stopping(struct readiness *self)
{
	say(self, "STOPPING=1");
}

int64_t readiness_tick(struct readiness *self, int64_t now_ms)
{
	if (self->watchdog_ms == 0)
		return INT64_MAX;
	if (self->due_ms <= now_ms) {
		say(self, "WATCHDOG=1");
		self->due_ms = now_ms + self->watchdog_ms;
	}
	return self->due_ms;
}
