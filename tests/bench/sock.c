/* SPDX-License-Identifier: MIT */
#include "tests/bench/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct sock_bytes {
	size_t length;
	uint8_t bytes[];
};

static int keep(struct sock_bytes **kept, const uint8_t *bytes, size_t length)
{
	size_t used = *kept ? (*kept)->length : 0;
	struct sock_bytes *grown;

	if (used + length > SOCK_KEPT_MAX)
		return SOCK_E_CLOSED;
	grown = realloc(*kept, sizeof *grown + used + length);
	if (!grown)
		return SOCK_E_CLOSED;
	memcpy(grown->bytes + used, bytes, length);
	grown->length = used + length;
	*kept = grown;
	return 0;
}

static void drop(struct sock_bytes **kept)
{
	free(*kept);
	*kept = NULL;
}

int sock_read(struct sock *self, uint8_t *buffer, size_t size, size_t *length)
{
	size_t kept = self->in ? self->in->length : 0;
	ssize_t got = recv(self->fd, buffer + kept, size - kept, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return SOCK_E_EMPTY;
	if (got <= 0)
		return SOCK_E_CLOSED;
	if (self->in) {
		memcpy(buffer, self->in->bytes, kept);
		drop(&self->in);
	}
	*length = kept + (size_t)got;
	return 0;
}

int sock_keep(struct sock *self, const uint8_t *rest, size_t length)
{
	return length > 0 ? keep(&self->in, rest, length) : 0;
}

/* Return: bytes the kernel took, or -1: it never will. */
static ssize_t push(int fd, const void *bytes, size_t length)
{
	ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

	return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

int sock_send(struct sock *self, const void *bytes, size_t length)
{
	ssize_t sent = self->out ? 0 : push(self->fd, bytes, length);

	if (sent == (ssize_t)length)
		return 0;
	if (sent >= 0 &&
	    keep(&self->out, (const uint8_t *)bytes + sent, length - (size_t)sent) == 0)
		return 0;
	(void)shutdown(self->fd, SHUT_RDWR);
	return SOCK_E_CLOSED;
}

int sock_flush(struct sock *self)
{
	ssize_t sent;

	if (!self->out)
		return 0;
	sent = push(self->fd, self->out->bytes, self->out->length);
	if (sent < 0)
		return SOCK_E_CLOSED;
	self->out->length -= (size_t)sent;
	if (self->out->length == 0)
		drop(&self->out);
	else
		memmove(self->out->bytes, self->out->bytes + sent, self->out->length);
	return 0;
}

void sock_close(struct sock *self)
{
	if (self->fd >= 0)
		(void)close(self->fd);
	self->fd = -1;
	drop(&self->in);
	drop(&self->out);
}

int sock_watch(const struct sock *self, int epoll_fd, uint64_t data)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				     .data.u64 = data };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, self->fd, &event) < 0 ? -errno : 0;
}
