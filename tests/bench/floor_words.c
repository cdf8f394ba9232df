/* SPDX-License-Identifier: MIT */
/* What glasses and apps say, and what they are told (protocol.md 2 to 5). */
#include "tests/bench/floor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/message.h"

#define PROBE_HEAD 2 /* bytes of the frame before its text */

/* Where two numbers of eight digits each, and one, are put before it is sent. */
static uint8_t probe[] =
	"\x81\x54{\"type\":\"keep_rtmp_stream_alive\",\"streamId\":\"f12345678-12345678\""
	",\"ackId\":\"12345678\"}";

#define PROBE_LENGTH (sizeof probe - 1)
_Static_assert(PROBE_LENGTH == PROBE_HEAD + 0x54, "the frame says how long its text is");
#define PROBE_USER (PROBE_HEAD + 46)
#define PROBE_EPOCH (PROBE_USER + 9)
#define PROBE_ACK (PROBE_EPOCH + 8 + 11)

static struct peer *glasses_of(struct floor *self, const struct user *user)
{
	return user->glasses_fd < 0 ? NULL : &self->peers[user->glasses_fd];
}

static struct peer *app_of(struct floor *self, const struct user *user)
{
	return user->app_fd < 0 ? NULL : &self->peers[user->app_fd];
}

/* A peer that is gone, or does not take it, hears nothing: its socket will say so. */
__attribute__((format(printf, 2, 3))) static void say(struct peer *peer, const char *format, ...)
{
	char text[FLOOR_TEXT_MAX];
	uint8_t frame[FLOOR_TEXT_MAX + WS_HEAD_MAX];
	va_list arguments;
	int length;

	if (!peer)
		return;
	va_start(arguments, format);
	length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof text)
		return;
	(void)sock_send(&peer->sock, frame,
			ws_write(frame, WS_TEXT, (struct text){ text, (uint32_t)length }, 0));
}

static void put_hex(uint8_t *out, uint32_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 4)
		out[i] = (uint8_t) "0123456789abcdef"[value & 15];
}

static const char *stream_id(const struct floor *self, const struct user *user,
			     char id[FLOOR_ID_SIZE + 1])
{
	(void)snprintf(id, FLOOR_ID_SIZE + 1, "f%08x-%08x", (unsigned)(user - self->users),
		       user->epoch);
	return id;
}

static void tell_app(struct floor *self, struct user *user, const char *status)
{
	char id[FLOOR_ID_SIZE + 1];
	const unsigned number = (unsigned)(user - self->users);

	say(app_of(self, user),
	    "{\"type\":\"rtmp_stream_status\",\"sessionId\":\"u%u@load.example-%s\",\"streamId\":"
	    "\"%s\",\"status\":\"%s\",\"appId\":\"%s\",\"timestamp\":\"%s\"}",
	    number, user->package, stream_id(self, user, id), status, user->package, self->stamp);
}

/* ---- probes ---- */

static void rest(struct floor *self, struct user *user)
{
	wheel_cancel(&self->wheel, (uint32_t)(user - self->users));
	user->live = false;
}

static void end(struct floor *self, struct user *user, const char *status)
{
	rest(self, user);
	user->requested = false;
	tell_app(self, user, status);
}

static void arm(struct floor *self, struct user *user)
{
	user->due_ms += self->options.interval_ms;
	/* After a stall beats are skipped, not made up for. */
	if (user->due_ms <= self->now_ms)
		user->due_ms = self->now_ms + self->options.interval_ms;
	wheel_arm(&self->wheel, (uint32_t)(user - self->users), user->due_ms);
}

static void begin(struct floor *self, struct user *user)
{
	if (user->live)
		return;
	user->live = user->acked = true;
	user->missed = 0;
	user->due_ms = self->now_ms;
	arm(self, user);
}

void floor_probe(struct floor *self, uint32_t number)
{
	struct user *user = &self->users[number];
	struct peer *glasses = glasses_of(self, user);

	if (!user->acked && ++user->missed == FLOOR_MISSED_MAX) {
		self->counts.timeouts++;
		end(self, user, "timeout");
		return;
	}
	user->acked = false;
	user->ack++;
	arm(self, user);
	if (!glasses)
		return;
	self->counts.probes++;
	put_hex(probe + PROBE_USER, number);
	put_hex(probe + PROBE_EPOCH, user->epoch);
	put_hex(probe + PROBE_ACK, user->ack);
	(void)sock_send(&glasses->sock, probe, PROBE_LENGTH);
}

static void on_ack(struct floor *self, struct user *user, struct text json)
{
	uint8_t expected[8];

	put_hex(expected, user->ack);
	if (!text_equal(message_field(json, FIELD("ackId")),
			(struct text){ (char *)expected, sizeof expected })) {
		self->counts.late_acks++;
		return;
	}
	self->counts.acks++;
	user->acked = true;
	user->missed = 0;
}

/* ---- glasses ---- */

static void on_status(struct floor *self, struct user *user, struct text json)
{
	char id[FLOOR_ID_SIZE + 1];
	struct text word = message_field(json, FIELD("status"));

	if (!user->requested ||
	    !text_is(message_field(json, FIELD("streamId")), stream_id(self, user, id)))
		return;
	if (text_is(word, "streaming")) {
		begin(self, user);
		tell_app(self, user, "active");
	} else if (text_is(word, "initializing")) {
		rest(self, user);
		tell_app(self, user, "initializing");
	} else {
		end(self, user, "stopped");
	}
}

static void on_glasses_text(struct floor *self, struct user *user, struct text json)
{
	struct text type = message_type(json);

	if (text_is(type, "keep_alive_ack"))
		on_ack(self, user, json);
	else if (text_is(type, "rtmp_stream_status"))
		on_status(self, user, json);
}

/* ---- apps ---- */

static void on_request(struct floor *self, struct user *user, struct text json)
{
	char id[FLOOR_ID_SIZE + 1];
	struct text url = message_field(json, FIELD("rtmpUrl"));

	if (user->requested)
		end(self, user, "stopped");
	user->epoch++;
	user->requested = true;
	say(glasses_of(self, user),
	    "{\"type\":\"start_rtmp_stream\",\"sessionId\":\"u%u@load.example\",\"rtmpUrl\":\"%.*"
	    "s\","
	    "\"appId\":\"%s\",\"streamId\":\"%s\",\"video\":{},\"audio\":{},\"stream\":{},"
	    "\"timestamp\":\"%s\"}",
	    (unsigned)(user - self->users), (int)url.length, url.bytes, user->package,
	    stream_id(self, user, id), self->stamp);
	tell_app(self, user, "initializing");
}

static void on_stop(struct floor *self, struct user *user)
{
	char id[FLOOR_ID_SIZE + 1];

	if (!user->requested)
		return;
	end(self, user, "stopped");
	say(glasses_of(self, user),
	    "{\"type\":\"stop_rtmp_stream\",\"sessionId\":\"u%u@load.example\",\"appId\":\"%s\","
	    "\"streamId\":\"%s\",\"timestamp\":\"%s\"}",
	    (unsigned)(user - self->users), user->package, stream_id(self, user, id), self->stamp);
}

/* Return: false: not as it should be. */
static bool on_init(struct floor *self, struct peer *peer, struct text json)
{
	struct text session = message_field(json, FIELD("sessionId"));
	struct text package = message_field(json, FIELD("packageName"));
	uint32_t number = message_user(session);

	if (number >= FLOOR_USERS_MAX || package.length == 0 || peer->greeted)
		return false;
	struct user *user = &self->users[number];

	free(user->package);
	user->package = strndup(package.bytes, package.length);
	if (!user->package)
		return false;
	user->app_fd = peer->sock.fd;
	peer->user = number;
	peer->greeted = true;
	say(peer,
	    "{\"type\":\"tpa_connection_ack\",\"sessionId\":\"%.*s\",\"settings\":[],"
	    "\"augmentosSettings\":{},\"mentraosSettings\":{},\"capabilities\":null,\"timestamp\":"
	    "\"%s\"}",
	    (int)session.length, session.bytes, self->stamp);
	say(glasses_of(self, user),
	    "{\"type\":\"app_state_change\",\"sessionId\":\"u%u@load.example\",\"timestamp\":\"%"
	    "s\"}",
	    (unsigned)number, self->stamp);
	return true;
}

static bool on_app_text(struct floor *self, struct peer *peer, struct text json)
{
	struct text type = message_type(json);

	if (text_is(type, "tpa_connection_init"))
		return on_init(self, peer, json);
	if (!peer->greeted)
		return false;
	if (text_is(type, "rtmp_stream_request"))
		on_request(self, &self->users[peer->user], json);
	else if (text_is(type, "rtmp_stream_stop"))
		on_stop(self, &self->users[peer->user]);
	return true;
}

/* ---- sockets ---- */

bool floor_took(struct floor *self, struct peer *peer, const struct ws_frame *frame)
{
	uint8_t pong[WS_FRAME_MAX];

	switch (frame->opcode) {
	case WS_TEXT:
		if (peer->kind == PEER_APP)
			return on_app_text(self, peer, frame->payload);
		on_glasses_text(self, &self->users[peer->user], frame->payload);
		return true;
	case WS_PING:
		return sock_send(&peer->sock, pong, ws_write(pong, WS_PONG, frame->payload, 0)) ==
		       0;
	case WS_PONG:
		return true;
	case WS_CLOSE:
		break;
	}
	return false;
}

static bool starts_with(struct text text, struct text with)
{
	return text.length >= with.length && memcmp(text.bytes, with.bytes, with.length) == 0;
}

bool floor_upgraded(struct floor *self, struct peer *peer, struct text head)
{
	static const struct text glasses_path = TEXT("GET /glasses-ws?user=");
	char accept[WS_ACCEPT_SIZE], answer[256];
	bool glasses = starts_with(head, glasses_path);
	uint32_t number = 0; /* of an app it is known later */
	int length;

	if ((!glasses && !starts_with(head, TEXT("GET /app-ws "))) ||
	    !ws_accept(ws_http_header(head, TEXT("Sec-WebSocket-Key")), accept))
		return false;
	if (glasses)
		number = message_user((struct text){ head.bytes + glasses_path.length,
						     head.length - glasses_path.length });
	if (number >= FLOOR_USERS_MAX)
		return false;
	peer->user = number;
	length = snprintf(answer, sizeof answer,
			  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			  accept);
	if (sock_send(&peer->sock, answer, (size_t)length) != 0)
		return false;
	peer->kind = glasses ? PEER_GLASSES : PEER_APP;
	if (!glasses)
		return true;
	self->users[peer->user].glasses_fd = peer->sock.fd;
	say(peer,
	    "{\"type\":\"connection_ack\",\"sessionId\":\"u%u@load.example\",\"timestamp\":\"%s\"}",
	    (unsigned)peer->user, self->stamp);
	return true;
}

void floor_gone(struct floor *self, struct peer *peer)
{
	struct user *user = &self->users[peer->user];

	/* A newer socket of the same user stays. */
	if (user->glasses_fd == peer->sock.fd)
		user->glasses_fd = -1;
	if (user->app_fd == peer->sock.fd)
		user->app_fd = -1;
}
