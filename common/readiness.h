/* SPDX-License-Identifier: MIT */
/* readiness.h - tell the supervisor that we are ready, alive, stopping.
 *
 * s6 reads a line from a descriptor; systemd reads datagrams at $NOTIFY_SOCKET.  Either may be
 * absent.  What cannot be told is logged once and changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct readiness {
	int notify_fd; /* s6; -1: none, or done */
	int socket_fd; /* systemd; -1: none */
	int64_t watchdog_ms; /* say we are alive so often; 0: nobody asks */
	int64_t due_ms;
	bool told;
};

/* readiness_init() - @notify_fd: s6's descriptor, which is closed once it has been used, or -1. */
void readiness_init(struct readiness *self, int notify_fd);
void readiness_fini(struct readiness *self);

/* readiness_tell() - ready; only the first call says it. */
void readiness_tell(struct readiness *self);

/* readiness_stopping() - on the way down, on purpose. */
void readiness_stopping(struct readiness *self);

/* readiness_tick() - feed systemd's watchdog when it is time.  Return: when it is again. */
int64_t readiness_tick(struct readiness *self, int64_t now_ms);
