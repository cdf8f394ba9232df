/* SPDX-License-Identifier: MIT */
/* tap_socket.h - ZeroMQ sockets with the limits and timings that every weir socket has. */
#pragma once

#include <stdint.h>

#include <zmq.h>

#include "actors/tap/tap_command.h"

/* socket_exists() - whether the run directory has a socket called @name; on tcp, whether it has an
 * address.
 */
bool socket_exists(const struct cli *cli, const char *name);

/* socket_new() - an unconnected socket of @type (ZMQ_DEALER, ZMQ_SUB).
 *
 * Return: the socket, or NULL with errno set.
 */
struct _zsock_t *socket_new(int type, int linger_ms);

/* socket_connect() - to the socket @name ("registry.inbox") of the run directory or, on tcp, of the
 * configuration, with our key; false with errno set: ENOKEY, if we have no public key of it.
 */
bool socket_connect(struct _zsock_t *socket, const struct cli *cli, const char *name);

/* socket_receive() - take one message of one part without waiting; longer ones are consumed.
 *
 * Return: 1 with @message filled; 0: nothing is waiting; -EMSGSIZE: a message of several parts
 * was dropped; other -errno.
 */
int socket_receive(struct _zsock_t *socket, zmq_msg_t *message);
