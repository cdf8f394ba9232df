/* SPDX-License-Identifier: MIT */
/* gateway_socket.h - plain TCP: listening, and what the kernel knows of a connection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "actors/gateway/gateway_address.h"

#define GATEWAY_REASON_SIZE 128

/* gateway_socket_listen() - a listening socket on @address, "127.0.0.1:8002" or "[::1]:8002".
 *
 * @port, if not 0, replaces the one in @address.  @shared: several processes may listen there, and
 * the kernel spreads the connections over them.
 *
 * Return: the descriptor, or -errno with @reason, of GATEWAY_REASON_SIZE bytes.
 */
int gateway_socket_listen(const char *address, int port, bool shared, char *reason);

/* gateway_socket_accept() - the next connection, and where it comes from.
 *
 * Return: a descriptor that does not block and sends at once, or -errno.
 */
int gateway_socket_accept(int fd, uint8_t ip[GATEWAY_ADDRESS_SIZE]);

/* gateway_socket_received() - bytes the peer of @fd has sent; 0 if the kernel does not say. */
uint64_t gateway_socket_received(int fd);
