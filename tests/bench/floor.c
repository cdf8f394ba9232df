/* SPDX-License-Identifier: MIT */
/* Connections and time; what is said stands in floor_words.c. */
#include "tests/bench/floor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint8_t buffer[2 * SOCK_KEPT_MAX];

int floor_init(struct floor *self, const struct floor_options *options)
{
	const uint32_t timers = FLOOR_USERS_MAX + options->peers_max;

	*self = (struct floor){ .options = *options };
	self->peers = calloc(options->peers_max, sizeof *self->peers);
	self->users = calloc(FLOOR_USERS_MAX, sizeof *self->users);
	self->wheel_memory = malloc(wheel_bytes(timers));
	if (!self->peers || !self->users || !self->wheel_memory) {
		floor_fini(self);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < options->peers_max; i++)
		self->peers[i].sock.fd = -1;
	for (uint32_t i = 0; i < FLOOR_USERS_MAX; i++)
		self->users[i].glasses_fd = self->users[i].app_fd = -1;
	wheel_init(&self->wheel, self->wheel_memory, timers);
	return 0;
}

void floor_fini(struct floor *self)
{
	for (uint32_t i = 0; self->peers && i < self->options.peers_max; i++)
		sock_close(&self->peers[i].sock);
	for (uint32_t i = 0; self->users && i < FLOOR_USERS_MAX; i++)
		free(self->users[i].package);
	free(self->wheel_memory);
	free(self->users);
	free(self->peers);
}

static uint32_t ping_timer(int fd)
{
	return FLOOR_USERS_MAX + (uint32_t)fd;
}

static void close_peer(struct floor *self, int fd)
{
	struct peer *peer = &self->peers[fd];

	if (peer->sock.fd < 0)
		return;
	wheel_cancel(&self->wheel, ping_timer(fd));
	floor_gone(self, peer);
	sock_close(&peer->sock);
}

static void arm_ping(struct floor *self, int fd)
{
	if (self->options.ping_ms > 0)
		wheel_arm(&self->wheel, ping_timer(fd), self->now_ms + self->options.ping_ms);
}

static void ping(struct floor *self, int fd)
{
	static const uint8_t frame[] = { 0x80 | WS_PING, 0 };

	if (sock_send(&self->peers[fd].sock, frame, sizeof frame) != 0)
		close_peer(self, fd);
	else
		arm_ping(self, fd);
}

void floor_accepted(struct floor *self, int fd)
{
	self->peers[fd] = (struct peer){ .sock.fd = fd };
}

/* Return: bytes of the one thing that @bytes begin with, 0 if it is not complete, -1 to close. */
static ssize_t take_one(struct floor *self, struct peer *peer, uint8_t *bytes, size_t length)
{
	struct ws_frame frame;

	if (peer->kind == PEER_FRESH) {
		size_t head = ws_http_head(bytes, length);

		if (head == 0)
			return length < WS_HTTP_HEAD_MAX ? 0 : -1;
		if (!floor_upgraded(self, peer, (struct text){ (char *)bytes, (uint32_t)head }))
			return -1;
		arm_ping(self, peer->sock.fd);
		return (ssize_t)head;
	}
	switch (ws_read(bytes, length, &frame)) {
	case 0:
		return floor_took(self, peer, &frame) ? (ssize_t)frame.size : -1;
	case WS_E_PARTIAL:
		return 0;
	}
	return -1;
}

/* Return: whether the peer is still there. */
static bool take_all(struct floor *self, struct peer *peer, size_t length)
{
	size_t used = 0;

	while (used < length) {
		ssize_t one = take_one(self, peer, buffer + used, length - used);

		if (one < 0)
			return false;
		if (one == 0)
			break;
		used += (size_t)one;
	}
	return sock_keep(&peer->sock, buffer + used, length - used) == 0;
}

void floor_readable(struct floor *self, int fd, bool hung_up)
{
	struct peer *peer = &self->peers[fd];
	size_t length = sizeof buffer;

	/* A short read has emptied the socket: what comes later is another edge. */
	while (peer->sock.fd >= 0 && (length == sizeof buffer || hung_up)) {
		int r = sock_read(&peer->sock, buffer, sizeof buffer, &length);

		if (r == SOCK_E_EMPTY)
			return;
		if (r != 0 || !take_all(self, peer, length))
			close_peer(self, fd);
	}
}

void floor_writable(struct floor *self, int fd)
{
	if (self->peers[fd].sock.fd >= 0 && sock_flush(&self->peers[fd].sock) != 0)
		close_peer(self, fd);
}

static void read_clocks(struct floor *self, int64_t now_ms)
{
	struct timespec wall;
	struct tm parts;
	size_t used;

	self->now_ms = now_ms;
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &wall);
	(void)gmtime_r(&wall.tv_sec, &parts);
	used = strftime(self->stamp, sizeof self->stamp, "%FT%T", &parts);
	(void)snprintf(self->stamp + used, sizeof self->stamp - used, ".%03uZ",
		       (unsigned)(wall.tv_nsec / 1000000) % 1000);
}

void floor_tick(struct floor *self, int64_t now_ms)
{
	uint32_t budget = UINT32_MAX, timer;

	read_clocks(self, now_ms);
	while ((timer = wheel_next(&self->wheel, now_ms, &budget)) != WHEEL_NONE)
		if (timer < FLOOR_USERS_MAX)
			floor_probe(self, timer);
		else
			ping(self, (int)(timer - FLOOR_USERS_MAX));
}
