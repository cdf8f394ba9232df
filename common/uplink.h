/* SPDX-License-Identifier: MIT */
/* uplink.h - our side of the connection to one server: hello, numbered requests, repetition.
 * Pure: the clock is an argument, the wire and the core are behind a port.
 *
 * A request is kept until the server has acknowledged its number and repeated whenever that is in
 * doubt, so a server that lives handles each exactly once, in order, and one that was started anew
 * handles each of those not acknowledged at least once, in order.  What is merely sent may be lost.
 *
 * Numbers are places: the n-th kept request has the number of the first one + n.  When the server
 * does not know us, or is another life than the one we know, the core is told first; what it
 * requests in answer (its announcements) goes in front of what was kept.
 */
#pragma once

#include "common/actor.h"
#include "common/frame_queue.h"
#include "common/intake.h"
#include "common/request_ring.h"

#define UPLINK_HELLO_MS 1000 /* a hello without an answer is said again after */
#define UPLINK_HELLO_RETRY_MS 10 /* a hello that could not be sent */
#define UPLINK_GUARD_MIN_MS \
	1000 /* the oldest request is unacknowledged for so long: sent again \
	      */
#define UPLINK_GUARD_MAX_MS 8000
#define UPLINK_RETRY_MS 10 /* the connection takes nothing more: try again after */
#define UPLINK_UNNUMBERED_MAX (1024 * 1024) /* bytes of one pass */
#define UPLINK_ENTRIES_MAX 65536 /* requests kept, unless the options say otherwise */
#define UPLINK_BYTES_MAX (16 * 1024 * 1024) /* of them, encoded */

struct uplink_port {
	void *context;
	/* False: not now.  The frame is borrowed. */
	bool (*send)(void *context, const uint8_t *frame, size_t length);
	/* The core is about to announce: it does what is due, so that nothing else falls in. */
	void (*settle)(void *context);
	/* INPUT_PEER_UP, INPUT_PEER_DOWN, INPUT_MESSAGE.  What is requested inside an INPUT_PEER_UP
	 * that is not known are the announcements, all of them.
	 */
	void (*input)(void *context, const struct input *input);
	/* Something an operator should know; @what is a literal, e.g. "uplink.refused". */
	void (*note)(void *context, const char *what, const char *detail);
};

struct uplink_options {
	enum role role; /* ours */
	const char *name;
	uint64_t incarnation;
	uint64_t clock; /* ours (common/machine.h); 0: not known */
	enum role server; /* its role */
	size_t entries_max, bytes_max; /* 0: as above */
	struct uplink_port port;
};

enum uplink_state {
	UPLINK_DOWN, /* no connection */
	UPLINK_GREETING, /* hello said, or about to be */
	UPLINK_WELCOMED,
};

struct uplink_stats {
	uint64_t requests; /* taken */
	uint64_t requests_refused; /* the ring was full: lost */
	uint64_t requests_acked;
	uint64_t requests_resent; /* entries that left once more */
	uint64_t sends_dropped; /* not welcomed, or the connection took nothing more */
	uint64_t received; /* messages handed to the core */
	uint64_t received_dropped; /* wrong incarnation, source, form, or expired */
	uint64_t violations; /* not for this server to send, or under another's name */
	uint64_t hellos, welcomes, refusals;
};

struct uplink {
	struct uplink_options options;
	enum uplink_state state;
	uint64_t server_incarnation;
	char server_name[NAME_MAX_BYTES + 1];
	uint64_t first_number; /* of ring entry 0 */
	struct request_ring ring, older; /* @older: set aside while the core announces */
	bool announcing;
	struct frame_queue unnumbered;
	int64_t hello_ms; /* say it again at; INT64_MAX: not */
	int64_t guard_ms, guard_wait_ms;
	bool guarding; /* one frame has been repeated; an answer will tell what was lost */
	int64_t retry_ms;
	size_t left; /* ring entries that have ever left with their present number */
	struct intake intake;
	struct uplink_stats stats;
	uint8_t *scratch;
};

/* uplink_init() - Return: 0 or -ENOMEM. */
int uplink_init(struct uplink *self, const struct uplink_options *options);
void uplink_fini(struct uplink *self);

/* uplink_connected(), uplink_disconnected() - what the wire reports.  Every connection is a new
 * one: nothing said on an earlier one may arrive after uplink_disconnected().
 */
void uplink_connected(struct uplink *self, int64_t now_ms);
void uplink_disconnected(struct uplink *self);

/* uplink_frame() - take a received frame, which stays borrowed until uplink_step() says no. */
void uplink_frame(struct uplink *self, const uint8_t *bytes, size_t length);

/* uplink_step() - handle one event of that frame; false: there was none left. */
bool uplink_step(struct uplink *self, int64_t now_ms);

/* uplink_request() - keep @event until it is acknowledged; false: the ring is full. */
bool uplink_request(struct uplink *self, const struct stream_event *event);

/* uplink_send() - @event leaves with the next flush, or is dropped and counted. */
void uplink_send(struct uplink *self, const struct stream_event *event);

/* uplink_flush() - at the end of a pass: everything that may leave does. */
void uplink_flush(struct uplink *self, int64_t now_ms);

void uplink_tick(struct uplink *self, int64_t now_ms);
int64_t uplink_deadline(const struct uplink *self);

/* uplink_is_settled() - every request has been acknowledged. */
bool uplink_is_settled(const struct uplink *self);
