/* SPDX-License-Identifier: MIT */
/* The apps' webhooks: POST, answered with 200 at once (protocol.md 2.2).
 *
 * A session request makes an app connect if it is to run; the others are only answered.
 */
#include "tests/bench/load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/message.h"

static uint8_t buffer[2 * SOCK_KEPT_MAX];

void hooks_accept(struct load *self)
{
	int fd;

	while ((fd = accept4(self->hook_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		uint32_t slot = 0;

		while (slot < HOOKS_MAX && self->hooks[slot].fd >= 0)
			slot++;
		if (slot == HOOKS_MAX) {
			(void)close(fd);
			continue;
		}
		self->hooks[slot].fd = fd;
		if (sock_watch(&self->hooks[slot], self->epoll_fd,
			       (uint64_t)EVENT_HOOK << 32 | slot) < 0)
			sock_close(&self->hooks[slot]);
	}
}

static bool wants_app(const struct load *self, const struct user *user)
{
	switch (user->links[APP].state) {
	case LINK_CALLED:
		return true;
	case LINK_DOWN:
		return load_keeps_app(self, user) && user->links[GLASSES].state == LINK_READY;
	default:
		return false;
	}
}

static void took(struct load *self, struct text json)
{
	const uint32_t number = message_user(message_field(json, FIELD("userId")));
	const uint32_t index = number - self->options.first;

	if (number < self->options.first || index >= self->user_count ||
	    !text_is(message_type(json), "session_request") ||
	    !wants_app(self, &self->users[index]))
		return;
	link_dial(self, &self->users[index], APP);
}

/* Return: bytes of the request, 0: incomplete, -1: to be closed. */
static ssize_t take_one(struct load *self, struct sock *hook, const uint8_t *bytes, size_t length)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				     "Content-Length: 20\r\n\r\n{\"status\":\"success\"}";
	const size_t head = ws_http_head(bytes, length);
	char digits[16];
	size_t body;

	if (head == 0)
		return length < WS_HTTP_HEAD_MAX ? 0 : -1;
	(void)text_put(ws_http_header((struct text){ (const char *)bytes, (uint32_t)head },
				      TEXT("Content-Length")),
		       digits, sizeof digits);
	body = strtoul(digits, NULL, 10);
	if (body > WS_HTTP_HEAD_MAX)
		return -1;
	if (length < head + body)
		return 0;
	took(self, (struct text){ (const char *)bytes + head, (uint32_t)body });
	return sock_send(hook, answer, sizeof answer - 1) == 0 ? (ssize_t)(head + body) : -1;
}

static bool take_all(struct load *self, struct sock *hook, size_t length)
{
	size_t used = 0;

	while (used < length) {
		ssize_t one = take_one(self, hook, buffer + used, length - used);

		if (one < 0)
			return false;
		if (one == 0)
			break;
		used += (size_t)one;
	}
	return sock_keep(hook, buffer + used, length - used) == 0;
}

void hooks_event(struct load *self, uint32_t slot)
{
	struct sock *hook = &self->hooks[slot];
	size_t length;

	while (hook->fd >= 0) {
		int r = sock_flush(hook);

		r = r == 0 ? sock_read(hook, buffer, sizeof buffer, &length) : r;
		if (r == SOCK_E_EMPTY)
			return;
		if (r != 0 || !take_all(self, hook, length))
			sock_close(hook);
	}
}
