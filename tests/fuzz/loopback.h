/* SPDX-License-Identifier: MIT */
/* loopback.h - a peer in the same process: it connects, says bytes, and the loop runs until there
 * is nothing more to do.  No clock: what needs time does not happen.
 */
#pragma once

#include <ev.h>

#include "proto/text.h"

#define LOOPBACK_PASSES_MAX 20000 /* of the loop, until what must happen has to have happened */
#define LOOPBACK_QUIET 4 /* passes in a row in which nothing was waiting any more */
#define LOOPBACK_STUCK 32 /* passes in a row that changed nothing: it is not read any more */

/* loopback_port() - of the listening socket @fd. */
int loopback_port(int fd);

/* loopback_free_port() - nobody listened on it a moment ago. */
int loopback_free_port(void);

/* loopback_connect() - a connected socket that does not block; aborts if there is none. */
int loopback_connect(int port);

/* loopback_say() - send @bytes; what the other side does not take is left out. */
void loopback_say(int fd, struct text bytes);

/* loopback_run() - run @loop until it is quiet: nothing is unsent at @fd, and @unread, of all that
 * the other side has open, says 0; or until the other side reads no more.
 * Aborts if something goes on waking the loop.
 */
void loopback_run(struct ev_loop *loop, int fd, size_t (*unread)(void));

/* loopback_until() - run @loop until @done; aborts if that does not happen. */
void loopback_until(struct ev_loop *loop, bool (*done)(void));

/* loopback_heard() - what has come back so far, at most @size bytes. */
struct text loopback_heard(int fd, char *bytes, size_t size);

/* loopback_reset() - gone without a word, and no port stays busy. */
void loopback_reset(int fd);
