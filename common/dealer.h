/* SPDX-License-Identifier: MIT */
/* dealer.h - a DEALER that stays connected to one server, with a new routing id every time.
 *
 * libzmq reconnects by itself, but with the same id, and a ROUTER that still has unread messages
 * of the connection before ignores the new one for good.  So a connection that has ended is
 * replaced by a new socket, which also makes sure that nothing old is received on it.
 */
#pragma once

#include "common/loop.h"

struct dealer_options {
	struct transport *transport;
	struct loop *loop;
	const char *server, *suffix; /* of the endpoint */
	struct route route; /* role and incarnation; the number of the connection is ours */
	uint32_t *connections; /* counted per process */
	void (*connected)(void *context);
	void (*disconnected)(void *context);
	void *context;
};

struct dealer {
	struct dealer_options options;
	struct loop_socket socket, monitor;
	bool is_connected;
};

/* dealer_open() - begin to connect; a server that is not there is waited for.
 *
 * Return: 0 or -errno.
 */
int dealer_open(struct dealer *self, const struct dealer_options *options);
void dealer_close(struct dealer *self);

/* dealer_poll() - look at what happened to the connection; calls connected and disconnected.
 *
 * Return: 0 or -errno.
 */
int dealer_poll(struct dealer *self);

/* dealer_send() - false if the connection takes nothing now. */
bool dealer_send(struct dealer *self, const uint8_t *frame, size_t length);
