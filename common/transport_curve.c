/* SPDX-License-Identifier: MIT */
/* transport_curve.c - tcp: keys on sockets, libzmq's questions about who connects, and the proof
 * that strangers are refused.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

#include "common/error.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/transport_private.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01" /* fixed by ZeroMQ RFC 27 */
#define ZAP_PARTS 7 /* version, request id, domain, address, identity, mechanism, credentials */
#define ZAP_PART_MAX 255
#define KEY_BYTES 32
#define REBIND_MS 1000 /* libzmq closes a listener in a thread of its own: 8 ms measured */

static int set_text(void *handle, int option, const char *text)
{
	return zmq_setsockopt(handle, option, text, strlen(text)) < 0 ? -zmq_errno() : 0;
}

static int set_number(void *handle, int option, int value)
{
	return zmq_setsockopt(handle, option, &value, sizeof value) < 0 ? -zmq_errno() : 0;
}

/* keys on sockets */

/* Who asks for @server_key under the name of @public_key. */
static int be_client(void *handle, const char *public_key, const char *secret_key,
		     const char *server_key)
{
	int r = set_text(handle, ZMQ_CURVE_PUBLICKEY, public_key);

	if (r == 0)
		r = set_text(handle, ZMQ_CURVE_SECRETKEY, secret_key);
	return r == 0 ? set_text(handle, ZMQ_CURVE_SERVERKEY, server_key) : r;
}

static int be_server(void *handle, const struct keyring *keyring, const char *suffix)
{
	int r = set_number(handle, ZMQ_CURVE_SERVER, 1);

	if (r == 0)
		r = set_text(handle, ZMQ_CURVE_SECRETKEY, keyring->secret_key);
	/* Whoever connects may do so to this socket, not to all of ours. */
	return r == 0 ? set_text(handle, ZMQ_ZAP_DOMAIN, suffix) : r;
}

int transport_curve(struct transport_socket *socket, const char *name, const char *suffix,
		    bool bind, char *endpoint)
{
	const struct transport *self = socket->owner;
	const char *server;
	int r;

	if (!bus_endpoint(self->config, name, suffix, endpoint)) {
		log_error("curve.no_address", log_str("name", name), log_str("socket", suffix));
		return -EUCLEAN;
	}
	if (strchr(endpoint, '[') && (r = set_number(socket->handle, ZMQ_IPV6, 1)) < 0)
		return r;
	if (bind)
		return be_server(socket->handle, self->keyring, suffix);
	server = keyring_server(self->keyring, bus_role(name), name);
	if (!server) {
		log_error("curve.no_server_key", log_str("server", name),
			  log_str("dir", self->keyring->dir));
		return -EUCLEAN;
	}
	return be_client(socket->handle, self->keyring->public_key, self->keyring->secret_key,
			 server);
}

void transport_curve_owner(struct transport_message *message)
{
	zmq_msg_t *part = (zmq_msg_t *)(void *)&message->opaque;

	message->user = zmq_msg_gets(part, "User-Id");
	/* Nothing comes in without; if it ever did, it would be nobody's. */
	if (!message->user)
		message->user = "";
}

/* libzmq's questions */

struct part {
	char bytes[ZAP_PART_MAX + 1]; /* terminated */
	uint32_t length;
};

static struct text text_of_part(const struct part *part)
{
	return (struct text){ part->bytes, part->length };
}

/* Read one question.  Return: how many parts it had; 0: there is none. */
static int read_question(void *handle, struct part *parts)
{
	int count = 0, more = 1;
	size_t size = sizeof more;

	while (more) {
		struct part spare, *part = count < ZAP_PARTS ? &parts[count] : &spare;
		int length = zmq_recv(handle, part->bytes, ZAP_PART_MAX, ZMQ_DONTWAIT);

		if (length < 0)
			return 0;
		part->length = (uint32_t)(length < ZAP_PART_MAX ? length : ZAP_PART_MAX);
		part->bytes[part->length] = '\0';
		count++;
		if (zmq_getsockopt(handle, ZMQ_RCVMORE, &more, &size) < 0)
			return 0;
	}
	return count;
}

static void send_answer(void *handle, const struct part *id, const struct zap_reply *reply)
{
	const struct {
		const void *bytes;
		size_t length;
	} parts[] = {
		{ "1.0", 3 },
		{ id->bytes, id->length },
		{ reply->status, strlen(reply->status) },
		{ reply->reason, strlen(reply->reason) },
		{ reply->user, strlen(reply->user) },
		{ "", 0 }, /* no more to say of it */
	};
	size_t count = sizeof parts / sizeof parts[0];

	/* If it does not want to know any more, the answer is dropped. */
	for (size_t i = 0; i < count; i++)
		if (zmq_send(handle, parts[i].bytes, parts[i].length,
			     ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0)) < 0)
			return;
}

static void answer(struct transport *self, void *handle, const struct part *parts, int count)
{
	char key[ZAP_KEY_LENGTH + 1] = "";
	struct zap_reply reply;

	if (count == ZAP_PARTS && parts[6].length == KEY_BYTES)
		(void)zmq_z85_encode(key, (const uint8_t *)parts[6].bytes, KEY_BYTES);
	zap_decide(&(struct zap_request){ .version = text_of_part(&parts[0]),
					  .domain = text_of_part(&parts[2]),
					  .mechanism = text_of_part(&parts[5]),
					  .key = text_of(key) },
		   &self->keyring->allow, self->role, &reply);
	if (!*reply.user && !self->proving)
		log_limited_by("curve.refused", reply.reason, log_str("socket", parts[2].bytes),
			       log_str("address", parts[3].bytes), log_str("key", key),
			       log_str("reason", reply.reason));
	send_answer(handle, &parts[1], &reply);
}

void transport_answer(struct transport_socket *zap, int max)
{
	struct part parts[ZAP_PARTS] = { 0 };

	for (int i = 0; i < max && transport_readable(zap); i++) {
		int count = read_question(zap->handle, parts);

		zap->touched = true;
		if (count > 0)
			answer(zap->owner, zap->handle, parts, count);
	}
}

int transport_secure(struct transport *self, const struct config *config,
		     const struct keyring *keyring, enum role role, struct transport_socket *zap)
{
	int r;

	if (!zmq_has("curve")) {
		log_error("curve.not_built", log_str("mend", "libzmq needs libsodium"));
		return err_raise(-ENOTSUP);
	}
	self->config = config;
	self->role = role;
	r = transport_create(self, ZMQ_REP, zap);
	if (r == 0 && zmq_bind(zap->handle, ZAP_ENDPOINT) < 0)
		r = -zmq_errno();
	if (r < 0) {
		transport_close_socket(zap);
		return err_raise(r);
	}
	self->keyring = keyring;
	return 0;
}

int transport_evict(struct transport_socket *socket)
{
	int64_t end_ms = loop_now_ms() + REBIND_MS;
	char endpoint[BUS_ENDPOINT_SIZE];
	size_t size = sizeof endpoint;

	socket->touched = true;
	/* A listener takes all connections along that were made through it. */
	if (zmq_getsockopt(socket->handle, ZMQ_LAST_ENDPOINT, endpoint, &size) < 0 ||
	    zmq_unbind(socket->handle, endpoint) < 0)
		return err_raise(-zmq_errno());
	while (zmq_bind(socket->handle, endpoint) < 0) {
		if (zmq_errno() != EADDRINUSE || loop_now_ms() >= end_ms)
			return err_raise(-zmq_errno());
		(void)zmq_poll(NULL, 0, 1);
	}
	return 0;
}

/* the proof */

/* Somebody who should not be let in: an event on @monitor says what became of it. */
struct stranger {
	void *handle, *monitor;
};

static void close_stranger(struct stranger *self)
{
	if (self->handle)
		(void)zmq_close(self->handle);
	if (self->monitor)
		(void)zmq_close(self->monitor);
}

/* @armed: with CURVE, and a pair nobody has seen before; else without. */
static int open_stranger(struct transport *self, const char *suffix, bool armed,
			 struct stranger *out)
{
	char public_key[ZAP_KEY_LENGTH + 1], secret_key[ZAP_KEY_LENGTH + 1];
	char endpoint[BUS_ENDPOINT_SIZE], monitor[40];
	bool listens = strcmp(suffix, "outbox") == 0;

	*out = (struct stranger){ zmq_socket(self->context, listens ? ZMQ_SUB : ZMQ_DEALER),
				  zmq_socket(self->context, ZMQ_PAIR) };
	if (!out->handle || !out->monitor)
		return -zmq_errno();
	int r = set_number(out->handle, ZMQ_LINGER, 0);

	if (r == 0 && armed) {
		if (zmq_curve_keypair(public_key, secret_key) < 0)
			return -zmq_errno();
		r = be_client(out->handle, public_key, secret_key, self->keyring->public_key);
	}
	(void)snprintf(monitor, sizeof monitor, "inproc://monitor-%llu",
		       (unsigned long long)++self->monitors);
	if (r < 0 || !bus_endpoint(self->config, self->name, suffix, endpoint))
		return r < 0 ? r : -EUCLEAN;
	if ((strchr(endpoint, '[') && set_number(out->handle, ZMQ_IPV6, 1) < 0) ||
	    zmq_socket_monitor(out->handle, monitor,
			       ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
				       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) < 0 ||
	    zmq_connect(out->monitor, monitor) < 0 || zmq_connect(out->handle, endpoint) < 0)
		return -zmq_errno();
	return 0;
}

/* Return: the event that says what became of it; 0: none in time; -errno. */
static int await_verdict(struct transport_socket *zap, const struct stranger *stranger)
{
	int64_t end_ms = loop_now_ms() + TRANSPORT_PROOF_MS;
	zmq_pollitem_t items[] = { { .socket = stranger->monitor, .events = ZMQ_POLLIN },
				   { .socket = zap->handle, .events = ZMQ_POLLIN } };
	uint16_t event;

	for (int64_t left_ms; (left_ms = end_ms - loop_now_ms()) > 0;) {
		if (zmq_poll(items, 2, (long)left_ms) < 0 && zmq_errno() != EINTR)
			return -zmq_errno();
		zap->touched = true;
		transport_answer(zap, 1);
		if (zmq_recv(stranger->monitor, &event, sizeof event, ZMQ_DONTWAIT) >= 0)
			return event;
	}
	return 0;
}

static int prove(struct transport *self, struct transport_socket *zap, const char *suffix,
		 bool armed)
{
	int refusal = armed ? ZMQ_EVENT_HANDSHAKE_FAILED_AUTH : ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
	struct stranger stranger;
	int r = open_stranger(self, suffix, armed, &stranger);

	if (r == 0)
		r = await_verdict(zap, &stranger);
	close_stranger(&stranger);
	if (r == refusal)
		return 0;
	if (r >= 0) {
		log_error(r == 0 ? "curve.not_proven" : "curve.not_refused",
			  log_str("socket", suffix),
			  log_str("stranger", armed ? "with an unknown key" : "without a key"));
		r = r == 0 ? -ETIMEDOUT : -EACCES;
	}
	return err_raise(r);
}

int transport_prove(struct transport *self, struct transport_socket *zap,
		    const char *const *suffixes)
{
	int r = 0;

	self->proving = true;
	for (; *suffixes && r == 0; suffixes++) {
		r = prove(self, zap, *suffixes, true);
		if (r == 0)
			r = prove(self, zap, *suffixes, false);
	}
	self->proving = false;
	return r;
}
