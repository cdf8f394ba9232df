/* SPDX-License-Identifier: MIT */
/* inbox.h - our side of the connections of many clients: who they are, in which order their
 * requests count, what waits for them.  Pure: the clock is an argument, the wire and the core
 * are behind a port.
 *
 * A client says hello first; what it is comes from its routing id and must agree with all it says,
 * and, on tcp, with whose key its connection was made with.
 * Its numbered requests are taken in order and each once; the number taken last is acknowledged
 * in the frame that carries the answers of the same pass, or soon after.
 */
#pragma once

#include "common/actor.h"
#include "common/inbox_peers.h"
#include "common/intake.h"
#include "common/ports.h"
#include "common/route.h"
#include "common/zap.h"

#define INBOX_QUEUE_MAX (1024 * 1024) /* bytes that wait for one peer; more: it is down */
#define INBOX_ACK_AGE_MS 20 /* of daemons; far below what clients repeat a request after */
#define INBOX_RETRY_MS 10 /* a peer that takes nothing more is tried again after */
#define INBOX_FORGET_MS 30000 /* silence of an operator */

enum inbox_sent {
	INBOX_SENT,
	INBOX_BUSY, /* its connection is full */
	INBOX_GONE, /* there is no such connection */
};

/* Something an operator should know. */
struct inbox_note {
	const char *what; /* a literal, e.g. "audit.violation" */
	struct peer peer;
	const char *name; /* of the peer, if known; borrowed */
	const char *detail;
};

struct inbox_port {
	void *context;
	enum inbox_sent (*send)(void *context, const uint8_t *route, size_t route_length,
				const uint8_t *frame, size_t length);
	/* INPUT_PEER_UP (a hello on a new connection), INPUT_PEER_DOWN, INPUT_MESSAGE. */
	void (*input)(void *context, const struct input *input);
	void (*note)(void *context, const struct inbox_note *note);
};

struct inbox_options {
	enum role role; /* ours */
	const char *name;
	uint64_t incarnation;
	uint64_t clock; /* ours (common/machine.h); 0: not known */
	int64_t ack_age_ms; /* an acknowledgement waits so long for something to go with; 0: not */
	bool transient; /* all peers are forgotten after silence, as operators are */
	struct inbox_port port;
};

struct inbox_stats {
	uint64_t received; /* messages handed to the core */
	uint64_t duplicates, gaps; /* numbered, out of turn */
	uint64_t violations; /* not for this role to send, or under another's name */
	uint64_t malformed, unknown, expired, strangers, stale;
	uint64_t hellos, fenced, hellos_refused;
	uint64_t sends_dropped; /* the peer is not there */
	uint64_t overflows; /* peers given up because too much waited for them */
};

struct inbox {
	struct inbox_options options;
	struct inbox_peers peers;
	size_t gone_count;
	int64_t retry_ms, forget_ms;
	struct route from; /* of the frame being walked */
	uint8_t from_bytes[ROUTE_LENGTH_MAX];
	uint8_t from_length;
	struct zap_owner owner; /* of the key it came under */
	struct intake intake;
	struct inbox_stats stats;
};

/* inbox_init() - Return: 0 or -ENOMEM. */
int inbox_init(struct inbox *self, const struct inbox_options *options);
void inbox_fini(struct inbox *self);

/* inbox_frame() - take a received frame and the routing id it came with; it stays borrowed until
 * inbox_step() says no, and so does @user, whose key it came under ("role:name"; NULL on ipc).
 */
void inbox_frame(struct inbox *self, const uint8_t *route, size_t route_length, const char *user,
		 const uint8_t *bytes, size_t length, int64_t now_ms);

/* inbox_step() - handle one event of that frame; false: there was none left. */
bool inbox_step(struct inbox *self, int64_t now_ms);

/* inbox_send() - @event leaves with the next flush, or is dropped and counted. */
void inbox_send(struct inbox *self, const struct peer *peer, const struct stream_event *event,
		enum stream_event_form form);

/* inbox_flush() - at the end of a pass: acknowledge, and send what waits. */
void inbox_flush(struct inbox *self, int64_t now_ms);

/* inbox_is_transient() - whether @peer is forgotten after silence. */
static inline bool inbox_is_transient(const struct inbox *self, const struct inbox_peer *peer)
{
	return self->options.transient || peer->peer.role == ROLE_OPERATOR;
}

/* inbox_marks() - the peers that have had requests taken since the last flush, each with the number
 * expected next.  Operators leave no marks.
 *
 * Return: how many; at most @max.
 */
size_t inbox_marks(const struct inbox *self, struct peer_mark *out, size_t max);

/* inbox_restore() - before the first frame: what a mark of an earlier life of ours says.  That peer
 * goes on counting where it was, if it is still the same start of it.
 */
void inbox_restore(struct inbox *self, const struct peer_mark *mark);

/* inbox_tick() - tell the core who is gone; done outside inbox_flush(), so that what the core
 * says to it is stored before it is spoken.
 */
void inbox_tick(struct inbox *self, int64_t now_ms);
int64_t inbox_deadline(const struct inbox *self);

/* inbox_waiting() - bytes that wait for @peer; SIZE_MAX if it is not there. */
size_t inbox_waiting(const struct inbox *self, const struct peer *peer);
