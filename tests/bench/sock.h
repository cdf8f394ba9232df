/* SPDX-License-Identifier: MIT */
/* sock.h - a connected, non-blocking stream socket that owns no buffer while it is idle.
 *
 * Everybody reads into one buffer of the process.  Only what is incomplete, or what the kernel
 * does not take, is kept, in memory of its own, until it is complete or gone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SOCK_KEPT_MAX \
	262144 /* bytes that wait in one direction; more: the connection is given up */

struct sock_bytes;

struct sock {
	struct sock_bytes *in, *out;
	int fd; /* -1: closed */
};

enum {
	_SOCK_E_SUCCESS,
	SOCK_E_EMPTY, /* nothing to read */
	SOCK_E_CLOSED, /* by the peer or by a failure, also ours to remember so much; close it */
};

/* sock_read() - what was kept and what has come, in @buffer; its size is beyond SOCK_KEPT_MAX. */
int sock_read(struct sock *self, uint8_t *buffer, size_t size, size_t *length);

/* sock_keep() - the unread rest of a buffer, for the next sock_read(). */
int sock_keep(struct sock *self, const uint8_t *rest, size_t length);

/* sock_send() - now, or as soon as the kernel takes it.
 *
 * Errors: SOCK_E_CLOSED may be ignored: the socket is shut down, so its event follows.
 */
int sock_send(struct sock *self, const void *bytes, size_t length);

/* sock_flush() - send what waits; when the descriptor has become writable. */
int sock_flush(struct sock *self);

void sock_close(struct sock *self);

/* sock_watch() - for input and output, edge-triggered, with @data. */
int sock_watch(const struct sock *self, int epoll_fd, uint64_t data);
