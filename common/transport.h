/* SPDX-License-Identifier: MIT */
/* transport.h - the run directory's lock and the sockets; only transport*.c see libzmq.
 *
 * Endpoints are ipc:// paths RUN/<name>.<suffix>; after transport_secure() they are tcp:// with
 * CURVE, at the addresses of [bus] in the configuration.  The lock RUN/<name>.lock is taken before
 * anything is bound and held for life: libzmq would let a second process bind the same path, and
 * the first one would go deaf.  Nothing here blocks, except transport_close() for a moment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/keyring.h"
#include "common/route.h"

#define TRANSPORT_PATH_MAX 107 /* bytes of a unix socket's path */
#define TRANSPORT_MESSAGE_SIZE 64

struct transport;

/* A socket and whether libzmq may know something new about it.  Its descriptor only says that
 * something may have changed, and every call consumes that; so @touched is set by the descriptor
 * and by every call, and cleared only when ZMQ_EVENTS has been read and says nothing.
 */
struct transport_socket {
	void *handle;
	int fd; /* watch it for reading, also to learn that writing is possible */
	bool touched;
	struct transport *owner;
};

/* A received frame.  Bytes are borrowed until transport_release(). */
struct transport_message {
	union {
		unsigned char bytes[TRANSPORT_MESSAGE_SIZE];
		void *align;
	} opaque;
	const uint8_t *bytes;
	size_t length;
	uint8_t route[ROUTE_LENGTH_MAX + 1]; /* one more: a longer id is seen to be one */
	size_t route_length; /* ROUTER only */
	const char *user; /* ROUTER on tcp: what zap_decide() said of the key it came under */
	bool held;
};

enum {
	_TRANSPORT_E_SUCCESS,
	TRANSPORT_E_EMPTY, /* nothing waits */
	TRANSPORT_E_DROPPED, /* one message of a wrong shape was consumed */
	TRANSPORT_E_BUSY, /* the connection takes nothing more; nothing was sent */
	TRANSPORT_E_GONE, /* there is no such connection */
};

enum transport_event {
	TRANSPORT_NOTHING,
	TRANSPORT_CONNECTED, /* the connection can be used */
	TRANSPORT_DISCONNECTED,
};

/* transport_open() - check @run_dir, take the lock of @name, start libzmq.
 *
 * Signals to be kept from libzmq's threads must be blocked before.
 *
 * Return: 0, -EBUSY if another process holds the lock (the log names it), -ENAMETOOLONG if a
 * socket's path would be too long, -EPERM if the directory is not ours alone, or -errno.
 */
int transport_open(const char *run_dir, const char *name, struct transport **out);
void transport_close(struct transport *self);

/* transport_secure() - from now on all sockets are tcp:// with CURVE.
 *
 * @config and @keyring are borrowed for life.  @zap becomes the socket on which libzmq asks about
 * everyone who connects: transport_answer() must be called when it has something to read.
 *
 * Return: 0, -ENOTSUP if this libzmq has no CURVE, or -errno.
 */
int transport_secure(struct transport *self, const struct config *config,
		     const struct keyring *keyring, enum role role, struct transport_socket *zap);

/* transport_answer() - decide on those who want to connect, @max of them at most. */
void transport_answer(struct transport_socket *zap, int max);

/* transport_prove() - connect to our own @suffixes (NULL behind the last), once with a key nobody
 * knows and once without any, and see both refused.  Takes TRANSPORT_PROOF_MS each at most.
 *
 * Return: 0; -EACCES if one was let in, -ETIMEDOUT if nothing was seen; the log says which.
 */
int transport_prove(struct transport *self, struct transport_socket *zap,
		    const char *const *suffixes);

#define TRANSPORT_PROOF_MS 2000

/* transport_evict() - end every connection to a socket of ours: who is allowed to comes back.
 *
 * Return: 0 or -errno; it is then bound no more.
 */
int transport_evict(struct transport_socket *socket);

/* transport_log_holder() - log as transport.locked who has the name @name in @run_dir, if somebody
 * has.
 */
void transport_log_holder(const char *run_dir, const char *name);

/* transport_check_run_dir() - a directory, ours, mode 0700.  Return: 0, -EPERM or -errno. */
int transport_check_run_dir(const char *run_dir);

/* transport_bind_router() - bind RUN/<own name>.<suffix>; @send_max: messages per peer. */
int transport_bind_router(struct transport *self, const char *suffix, int send_max,
			  struct transport_socket *out);

/* transport_bind_publisher() - bind RUN/<own name>.outbox; subscribers are greeted with @welcome.
 */
int transport_bind_publisher(struct transport *self, const uint8_t *welcome, size_t length,
			     struct transport_socket *out);

/* transport_connect_dealer() - connect to RUN/<server>.<suffix>; a missing server is no error.
 *
 * @monitor is a socket of its own: transport_monitor() reads it.
 *
 * Return: 0; -EUCLEAN on tcp if its public key is not there, which the log says; or -errno.
 */
int transport_connect_dealer(struct transport *self, const char *server, const char *suffix,
			     const struct route *route, struct transport_socket *out,
			     struct transport_socket *monitor);

/* transport_connect_subscriber() - connect to RUN/<server>.outbox, subscribe to NULL-ended
 * @topics.
 */
int transport_connect_subscriber(struct transport *self, const char *server,
				 const char *const *topics, struct transport_socket *out);

void transport_close_socket(struct transport_socket *socket);

/* transport_readable() - something waits; reads ZMQ_EVENTS only of a touched socket. */
bool transport_readable(struct transport_socket *socket);

/* transport_receive() - the next message; release it, also after the socket is closed.
 *
 * Return: 0, TRANSPORT_E_EMPTY, TRANSPORT_E_DROPPED or -errno.
 */
int transport_receive(struct transport_socket *socket, struct transport_message *message);

/* transport_receive_routed() - the same from a ROUTER, with the sender's routing id. */
int transport_receive_routed(struct transport_socket *socket, struct transport_message *message);
void transport_release(struct transport_message *message);

/* transport_subscriptions() - read what subscribers ask our publisher for, up to @max messages.
 *
 * Return: by how many the subscriptions that cover @topic have grown; libzmq tells of the first
 * and of the last of each.
 */
int transport_subscriptions(struct transport_socket *publisher, const char *topic, int max);

/* transport_send() - Return: 0, TRANSPORT_E_BUSY or -errno. */
int transport_send(struct transport_socket *socket, const uint8_t *bytes, size_t length);

/* transport_send_to() - Return: 0, TRANSPORT_E_BUSY, TRANSPORT_E_GONE or -errno. */
int transport_send_to(struct transport_socket *socket, const uint8_t *route, size_t route_length,
		      const uint8_t *bytes, size_t length);

/* transport_monitor() - the next thing that happened to a dealer's connection. */
enum transport_event transport_monitor(struct transport_socket *monitor);
