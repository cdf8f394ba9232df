/* SPDX-License-Identifier: MIT */
/* Connections: made, read, lost, made again. */
#include "tests/bench/load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/bench/token.h"

#define TEXT_MAX 4096
#define BACK_OFF_MS 1000 /* at most, before a lost connection is made again */
#define RETRY_AFTER_MAX_S 60
#define CLOSE_AGAIN 1013
#define SOURCE_FIRST 0x7f000002u /* 127.0.0.2 */

static uint8_t buffer[2 * SOCK_KEPT_MAX];

/* xorshift64*: masks must differ, no more. */
uint32_t load_random(struct load *self)
{
	self->random ^= self->random >> 12;
	self->random ^= self->random << 25;
	self->random ^= self->random >> 27;
	return (uint32_t)((self->random * UINT64_C(0x2545F4914F6CDD1D)) >> 32) | 1;
}

static uint32_t timer_of(const struct load *self, const struct user *user, enum side side)
{
	return user_index(self, user) * SIDES + side;
}

/* ---- making ---- */

static void advise(const char *where, int error)
{
	char fault[160];
	const char *advice = "";

	if (error == EADDRNOTAVAIL)
		advice = "; no local port is free: use a higher --sources";
	else if (error == EMFILE || error == ENFILE)
		advice = "; no descriptor is free: raise `ulimit -n`, or start more processes";
	else if (error == ECONNREFUSED)
		advice = "; is anybody listening there?";
	(void)snprintf(fault, sizeof fault, "%s%s", strerror(error), advice);
	tool_fail(&load_tool, where, fault);
}

/* An address of our own for every so many users, or 28,000 ports are all there are. */
static void bind_source(struct load *self, uint32_t index, int fd)
{
	const int on = 1;
	const struct sockaddr_in source = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(SOURCE_FIRST + index % self->options.sources),
	};

	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&source, sizeof source) < 0)
		advise("bind", errno);
}

static void dial_later(struct load *self, struct user *user, enum side side, int64_t delay_ms)
{
	user->links[side].state = LINK_WAITING;
	wheel_arm(&self->wheel, timer_of(self, user, side), self->now_ns / NS_PER_MS + delay_ms);
}

static int64_t back_off_ms(struct load *self)
{
	return load_random(self) % BACK_OFF_MS;
}

void link_dial(struct load *self, struct user *user, enum side side)
{
	const uint32_t index = user_index(self, user);
	const struct sockaddr_in *target =
		&self->options.targets[(self->options.first + index) % self->options.target_count];
	struct link *link = &user->links[side];
	const int on = 1;

	link->sock.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->sock.fd < 0)
		advise("socket", errno);
	if (self->options.sources > 0)
		bind_source(self, index, link->sock.fd);
	(void)setsockopt(link->sock.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	link->state = LINK_CONNECTING;
	if (connect(link->sock.fd, (const struct sockaddr *)target, sizeof *target) < 0 &&
	    errno != EINPROGRESS) {
		if (errno != ECONNREFUSED || !self->options.reconnect)
			advise("connect", errno);
		sock_close(&link->sock);
		dial_later(self, user, side, back_off_ms(self));
		return;
	}
	if (sock_watch(&link->sock, self->epoll_fd, (uint64_t)side << 32 | index) < 0)
		advise("epoll", errno);
}

void link_due(struct load *self, uint32_t timer)
{
	link_dial(self, &self->users[timer / SIDES], (enum side)(timer % SIDES));
}

static void upgrade(struct load *self, struct user *user, enum side side)
{
	char query[TOKEN_SIZE + 32] = "", request[TOKEN_SIZE + 512], id[USER_ID_SIZE];
	const uint32_t number = self->options.first + user_index(self, user);
	int length;

	(void)snprintf(id, sizeof id, USER_ID_FORMAT, (unsigned)number);
	if (side == GLASSES && self->options.open)
		(void)snprintf(query, sizeof query, "?user=%s", id);
	else if (side == GLASSES) {
		char token[TOKEN_SIZE];

		token_make(self->options.secret, id, token);
		(void)snprintf(query, sizeof query, "?token=%s", token);
	}
	length = snprintf(request, sizeof request,
			  "GET /%s-ws%s HTTP/1.1\r\nHost: load\r\nConnection: Upgrade\r\n"
			  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
			  "Sec-WebSocket-Key: " WS_KEY "\r\n\r\n",
			  side == GLASSES ? "glasses" : "app", query);
	user->links[side].state = LINK_UPGRADING;
	(void)sock_send(&user->links[side].sock, request, (size_t)length);
}

void link_ready(struct load *self, struct user *user, enum side side)
{
	struct link *link = &user->links[side];

	link->state = LINK_READY;
	if (link->lost_ns == 0)
		return;
	if (side == GLASSES)
		user->probe_ns = -self->now_ns;
	histogram_add(&self->back_us, (uint64_t)(self->now_ns - link->lost_ns) / 1000);
	link->lost_ns = 0;
	self->figures.reconnects++;
	if (--self->links_down == 0)
		report_back(self);
}

/* ---- losing ---- */

static void missed(struct load *self, struct user *user, enum side side)
{
	struct link *link = &user->links[side];

	if (side == GLASSES)
		user->probe_ns = 0; /* it may have been due meanwhile, to nobody's blame */
	if (link->lost_ns != 0)
		return;
	link->lost_ns = self->now_ns;
	if (self->links_down++ == 0) {
		self->cut_ns = self->now_ns;
		self->links_cut = 0;
		self->back_us = (struct histogram){ 0 };
	}
	self->links_cut++;
}

static void lose_stream(struct load *self, struct user *user)
{
	if (user->stage == STAGE_IDLE || user->stage == STAGE_LOST || user_cycles(self, user))
		return;
	user->stage = STAGE_LOST;
	self->figures.lost_streams++;
}

/* What an app asked for with its last breath is asked for again; what it did not hear is assumed.
 */
static void forget_app(struct load *self, struct user *user)
{
	if (user_cycles(self, user))
		return;
	if (user->stage == STAGE_ASKED)
		user->stage = STAGE_IDLE;
	else if (user->stage == STAGE_STARTED)
		user->stage = STAGE_LIVE;
}

/* Somebody who is told to come again does, whatever the options say: that is how to be a client. */
static void turned_away(struct load *self, struct user *user, enum side side, int64_t delay_ms)
{
	self->figures.turned_away++;
	sock_close(&user->links[side].sock);
	dial_later(self, user, side, delay_ms + back_off_ms(self));
}

/* Its end was not our wish.  An app that weir has sent away is called back by its webhook. */
static void on_lost(struct load *self, struct user *user, enum side side, unsigned code)
{
	struct link *link = &user->links[side];
	const bool was_ready = link->state == LINK_READY;
	const bool sent_away = side == APP && code == WS_POLICY && self->options.has_webhook;

	if (!was_ready && code == CLOSE_AGAIN) {
		turned_away(self, user, side, 0);
		return;
	}
	sock_close(&link->sock);
	link->state = LINK_DOWN;
	self->figures.disconnects += was_ready && !sent_away;
	cycles_broken(self, user);
	if (side == APP)
		forget_app(self, user);
	if (sent_away) {
		link->state = LINK_CALLED;
	} else if (self->options.reconnect) {
		if (was_ready)
			missed(self, user, side);
		dial_later(self, user, side, back_off_ms(self));
	} else {
		if (side == GLASSES)
			lose_stream(self, user);
		load_gave_up(self, user);
	}
}

void link_leave(struct load *self, struct user *user, enum side side)
{
	uint8_t frame[WS_HEAD_MAX + 2];
	const struct text code = TEXT("\x03\xe8"); /* 1000 */

	(void)sock_send(&user->links[side].sock, frame,
			ws_write(frame, WS_CLOSE, code, load_random(self)));
	sock_close(&user->links[side].sock);
	user->links[side].state = LINK_DOWN;
}

void link_cut(struct load *self, struct user *user, enum side side)
{
	if (user->links[side].state != LINK_READY)
		return;
	missed(self, user, side);
	cycles_broken(self, user);
	sock_close(&user->links[side].sock);
	dial_later(self, user, side, 0);
}

/* ---- reading ---- */

static void refused(struct load *self, struct user *user, enum side side, struct text head)
{
	const char *status = head.bytes + strcspn(head.bytes, " \r");
	char line[80], after[16];
	unsigned long after_s;

	if (strncmp(status, " 503", 4) == 0 || strncmp(status, " 429", 4) == 0) {
		(void)text_put(ws_http_header(head, TEXT("Retry-After")), after, sizeof after);
		after_s = strtoul(after, NULL, 10);
		turned_away(self, user, side,
			    (int64_t)(after_s < RETRY_AFTER_MAX_S ? after_s : RETRY_AFTER_MAX_S) *
				    1000);
		return;
	}
	(void)text_put((struct text){ head.bytes, (uint32_t)strcspn(head.bytes, "\r") }, line,
		       sizeof line);
	tool_fail(&load_tool,
		  side == GLASSES ? "the glasses were refused (401: wrong --secret-file?)"
				  : "the app was refused",
		  line);
}

/* Return: bytes of the answer, 0: incomplete, -1: to be closed; refused() may have closed it. */
static ssize_t take_answer(struct load *self, struct user *user, enum side side, size_t from,
			   size_t length)
{
	const size_t size = ws_http_head(buffer + from, length);
	const struct text head = { (const char *)buffer + from, (uint32_t)size };

	if (size == 0)
		return length < WS_HTTP_HEAD_MAX ? 0 : -1;
	if (!text_is(ws_http_header(head, TEXT("Sec-WebSocket-Accept")), WS_KEY_ACCEPT)) {
		refused(self, user, side, head);
		return (ssize_t)size;
	}
	user->links[side].state = LINK_OPEN;
	words_greet(self, user, side);
	return (ssize_t)size;
}

/* Return: bytes of the frame, 0: incomplete, -1: to be closed. */
static ssize_t take_frame(struct load *self, struct user *user, enum side side, size_t from,
			  size_t length, unsigned *code)
{
	uint8_t pong[WS_FRAME_MAX];
	struct ws_frame frame;
	int r = ws_read(buffer + from, length, &frame);

	if (r != 0)
		return r == WS_E_PARTIAL ? 0 : -1;
	switch (frame.opcode) {
	case WS_TEXT:
		words_took(self, user, side, frame.payload);
		break;
	case WS_PING:
		self->figures.pings++;
		(void)sock_send(&user->links[side].sock, pong,
				ws_write(pong, WS_PONG, frame.payload, load_random(self)));
		break;
	case WS_PONG:
		break;
	case WS_CLOSE:
		*code = ws_close_code(frame.payload);
		return -1;
	}
	return (ssize_t)frame.size;
}

/* Return: whether the link is still there. */
static bool take_all(struct load *self, struct user *user, enum side side, size_t length,
		     unsigned *code)
{
	struct link *link = &user->links[side];
	size_t used = 0;

	while (used < length) {
		ssize_t one = link->state == LINK_UPGRADING
				      ? take_answer(self, user, side, used, length - used)
				      : take_frame(self, user, side, used, length - used, code);

		if (link->sock.fd < 0)
			return true; /* left meanwhile */
		if (one < 0)
			return false;
		if (one == 0)
			break;
		used += (size_t)one;
	}
	return sock_keep(&link->sock, buffer + used, length - used) == 0;
}

static void read_all(struct load *self, struct user *user, enum side side, bool hung_up)
{
	struct sock *sock = &user->links[side].sock;
	size_t length = sizeof buffer;
	unsigned code = 0;

	/* A short read has emptied the socket: what comes later is another edge. */
	while (sock->fd >= 0 && (length == sizeof buffer || hung_up)) {
		int r = sock_read(sock, buffer, sizeof buffer, &length);

		if (r == SOCK_E_EMPTY)
			return;
		if (r != 0 || !take_all(self, user, side, length, &code)) {
			on_lost(self, user, side, code);
			return;
		}
	}
}

static void connected(struct load *self, struct user *user, enum side side)
{
	int error = 0;
	socklen_t size = sizeof error;

	(void)getsockopt(user->links[side].sock.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error == 0)
		upgrade(self, user, side);
	else if (self->options.reconnect)
		on_lost(self, user, side, 0);
	else
		advise("connect", error);
}

void link_event(struct load *self, struct user *user, enum side side, uint32_t events)
{
	struct link *link = &user->links[side];

	if (link->sock.fd < 0)
		return;
	if (link->state == LINK_CONNECTING) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			connected(self, user, side);
		return;
	}
	if (events & EPOLLOUT)
		(void)sock_flush(&link->sock);
	if (events & ~(uint32_t)EPOLLOUT)
		read_all(self, user, side, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

void link_say(struct load *self, struct user *user, enum side side, const char *format, ...)
{
	char text[TEXT_MAX];
	uint8_t frame[TEXT_MAX + WS_HEAD_MAX];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof text)
		tool_fail(&load_tool, "a message is too long", text);
	(void)sock_send(&user->links[side].sock, frame,
			ws_write(frame, WS_TEXT, (struct text){ text, (uint32_t)length },
				 load_random(self)));
}
