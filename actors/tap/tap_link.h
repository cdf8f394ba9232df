/* SPDX-License-Identifier: MIT */
/* tap_link.h - a DEALER connection to one ROUTER of a daemon.
 *
 * It has said hello and was welcomed once link_open() succeeds.  What arrives is untrusted:
 * what is malformed, or not that daemon's to say, is dropped and counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <zmq.h>

#include "actors/tap/tap_command.h"
#include "proto/frame.h"

/* Outcomes that the caller must handle; see common/error.h for the convention. */
enum {
	_LINK_E_SUCCESS,
	LINK_E_AWAY, /* nobody listens there */
	LINK_E_REFUSED, /* peer.refused; the reason is in link->reason */
	LINK_E_LOST, /* the connection broke: what was asked may have to be asked again */
	LINK_E_LATE, /* the deadline passed */
	LINK_E_SIGNAL, /* cli->signal_fd became readable */
};

/* Which ROUTER, and whose. */
struct link_server {
	const char *socket; /* "registry.inbox" */
	enum role role;
};

struct link {
	const struct cli *cli;
	enum role server;
	struct _zsock_t *socket, *monitor;
	zmq_msg_t message; /* that events are read from */
	struct wire events;
	unsigned left; /* events not yet read */
	char name[NAME_MAX_BYTES + 1]; /* ours: weir-<pid> */
	uint64_t next_number; /* transport number that the server expects next */
	uint64_t dropped; /* malformed messages and events, and such as nobody may send us */
	char reason[REASON_MAX + 1]; /* of LINK_E_REFUSED, as it came */
};

/* link_open() - connect to @server, say hello, be welcomed.
 *
 * Units: @deadline_ms is CLOCK_MONOTONIC.  Ownership: release @link with link_close(), whatever
 * the result.
 *
 * Return: 0, LINK_E_* or -errno.
 */
int link_open(struct link *link, const struct cli *cli, const struct link_server *server,
	      int64_t deadline_ms);
void link_close(struct link *link);

/* link_send() - send @event alone in a frame, with the next transport number if @numbered.
 *
 * Header fields source, incarnation and sent_ms are filled in.
 *
 * Return: 0 or LINK_E_LOST.
 */
int link_send(struct link *link, const struct stream_event *event, bool numbered);

/* link_next() - the next event from the server.
 *
 * @out borrows from the link until the next call; its type is EVENT_NONE for an event that this
 * build does not know.
 *
 * Return: 0, LINK_E_REFUSED, LINK_E_LOST, LINK_E_LATE, LINK_E_SIGNAL or -errno.
 */
int link_next(struct link *link, int64_t deadline_ms, struct stream_event *out);
