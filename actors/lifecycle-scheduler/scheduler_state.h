/* SPDX-License-Identifier: MIT */
/* scheduler_state.h - what the parts of the scheduler's core share; nobody else includes it.
 *
 * Entities stand in arrays of fixed capacity and name each other by slot number.  A stream is
 * split in two: struct probe is the one cache line that a keep-alive touches.
 */
#pragma once

#include "actors/lifecycle-scheduler/scheduler_core.h"

#define NO_SLOT UINT32_MAX
#define NO_GATEWAY UINT16_MAX
#define USER_INLINE_MAX 47 /* bytes; longer user ids go to the pool of long ones */
#define LONG_IDS_PER_USER 32 /* one long id in so many users */
#define ACK_ID_LENGTH 6

enum probe_flag {
	PROBE_RUNNING = 1, /* the stream is in a phase in which it is probed */
	PROBE_PENDING = 2, /* the last probe waits for its ack until ack_ms */
	PROBE_SENT = 4, /* it was sent; else the link was down */
	PROBE_EXPIRED = 8, /* missed_max was reached and reported */
	PROBE_RECOVERED = 16, /* an ack after misses is still to be reported */
	PROBE_HELD = 32, /* the phase deadline passed while we were blind */
	PROBE_TOLD = 64, /* the registry knows of misses */
};

/* Times take 48 bits, as in the wheel, so that all of it is one cache line. */
struct probe {
	char id[SCHEDULER_ID_MAX];
	uint8_t id_length;
	uint64_t epoch;
	uint64_t link; /* the glasses socket; 0: not up */
	int64_t probe_ms : 48; /* when the next one is due: always start + n * interval; 0: none was
				*/
	uint64_t missed : 16;
	int64_t ack_ms : 48;
	uint64_t gateway : 16;
	int64_t activity_ms : 48; /* last ack or status; -1: there was none */
	uint64_t kind : 4; /* KIND_NONE: not told yet; only while syncing */
	uint64_t phase : 4;
	uint64_t flags : 8;
	uint32_t ack_number;
	uint32_t user;
};
_Static_assert(sizeof(struct probe) == 64, "one cache line");
_Static_assert(PHASE_COUNT <= 16 && KIND_COUNT <= 16, "four bits each");

struct watch {
	int64_t armed_ms; /* when the phase deadline was armed */
	uint64_t seq; /* story seq of the last event applied */
	uint64_t cause; /* story seq of the last activity */
	uint64_t opened; /* story seq of its opening; 0: not told yet */
	uint32_t generation;
};

enum user_flag {
	USER_SESSION = 1, /* has a session */
	USER_CLOSED = 2, /* had one: rows up to link_seq are old */
	USER_LINK_TOLD = 4, /* the link is known since the last snapshot */
	USER_HELD = 8, /* the session grace passed while we were blind */
};

struct user {
	char id[USER_INLINE_MAX]; /* or, in its first bytes, the slot of a long one */
	uint8_t id_length;
	uint64_t link;
	uint64_t link_seq; /* story seq of the last link.changed or session.closed */
	uint64_t closed_epoch; /* streams up to here have ended */
	int64_t link_ms; /* when the link went down */
	uint32_t stream; /* slot, or NO_SLOT: a user has at most one */
	uint32_t apps; /* first of a list */
	uint32_t generation;
	uint16_t gateway;
	uint8_t link_state;
	uint8_t flags;
};

struct long_id {
	char id[USER_ID_MAX];
};

/* An app that waits for something; while syncing, any app named. */
struct app {
	uint64_t seq;
	int64_t armed_ms;
	uint32_t user;
	uint32_t next; /* of the same user */
	uint32_t generation;
	uint8_t state;
	bool held;
	uint8_t package_length;
	char package[PACKAGE_MAX];
};

struct gateway {
	uint64_t id; /* its incarnation */
	uint64_t seq;
	int64_t beat_ms; /* last sign of life, or when we were told of it */
	int64_t sight_ms; /* since when it can be seen */
	int64_t seen_ms; /* last gateway.seen; -1: none */
	uint64_t sent, heard; /* batches of probes, by their numbers; heard: as its beats say */
	int64_t unheard_ms; /* since when some are on their way, or it last heard one of them */
	uint32_t links; /* users whose link it holds */
	uint32_t generation;
	uint32_t first, last; /* of this call's probes for it */
	uint8_t state; /* enum link_state; LINK_NONE: the registry has not named it */
	bool connected; /* to us */
	bool reported; /* as expired, and not heard of since */
	bool held;
};

struct outgoing {
	uint32_t stream;
	uint32_t next;
};

/* What can be judged of something at this moment. */
struct sight {
	bool blind; /* nothing */
	bool away; /* because its gateway cannot be seen */
	int64_t since_ms; /* else: what happened since then */
};

/* --- scheduler_state.c: slots, timers, sight -------------------------------------------- */

/* scheduler_slot_take() - a free slot, or NO_SLOT. */
uint32_t scheduler_slot_take(struct scheduler_slots *slots);
void scheduler_slot_give(struct scheduler_slots *slots, uint32_t slot);
bool scheduler_slot_used(const struct scheduler_slots *slots, uint32_t slot);

void scheduler_arm(struct scheduler *self, enum scheduler_timer kind, uint32_t slot,
		   int64_t due_ms);
void scheduler_disarm(struct scheduler *self, enum scheduler_timer kind, uint32_t slot);

/* scheduler_sight() - of what hangs on no gateway. */
struct sight scheduler_sight(const struct scheduler *self);

/* scheduler_sight_link() - of the device behind @link at @gateway. */
struct sight scheduler_sight_link(const struct scheduler *self, uint64_t link, uint16_t gateway);

/* scheduler_put_off() - whether a deadline that fires now may be judged.
 *
 * One whose time passed while we were blind gets @window_ms from the end of the blindness.
 * @held is where the owner remembers that; @due_ms is what the timer was armed for.
 *
 * Return: 0: judge it.  Else: when to fire again.
 */
int64_t scheduler_put_off(struct scheduler *self, struct sight sight, bool *held, int64_t due_ms,
			  int64_t window_ms);

/* scheduler_window() - what a deadline of @duration_ms that is no stream's gets more. */
int64_t scheduler_window(int64_t duration_ms);

/* scheduler_expired() - append timer.expired; the caller adds whose it is. */
struct stream_event *scheduler_expired(struct scheduler *self, enum timer timer, uint64_t cause,
				       int64_t armed_ms, struct effects *fx);

/* --- scheduler_probe.c ------------------------------------------------------------------ */

/* scheduler_probe_start() - @spread: anywhere in the interval, or in step with the probes that
 * there were; else one interval from now.
 */
void scheduler_probe_start(struct scheduler *self, uint32_t stream, bool spread);
void scheduler_probe_stop(struct scheduler *self, uint32_t stream);

/* scheduler_probe_relink() - the user's link is now @link at @gateway; 0: it is down. */
void scheduler_probe_relink(struct scheduler *self, uint32_t stream, uint64_t link,
			    uint16_t gateway);

/* scheduler_on_probe_timer() - a probe is due, or its ack. */
void scheduler_on_probe_timer(struct scheduler *self, uint32_t stream, struct effects *fx);
void scheduler_on_acks(struct scheduler *self, struct text acks, struct effects *fx);

/* scheduler_probe_room() - whether @fx has room for what one more timer may cause. */
bool scheduler_probe_room(const struct scheduler *self, const struct effects *fx);

/* scheduler_probe_flush() - turn the probes of this call into one message per gateway. */
void scheduler_probe_flush(struct scheduler *self, struct effects *fx);

/* --- scheduler_stream.c ----------------------------------------------------------------- */

bool scheduler_stream_match(const void *self, uint32_t slot, struct text key);
struct text scheduler_stream_id(const struct scheduler *self, uint32_t stream);

/* scheduler_stream_drop() - forget a stream and its timers. */
void scheduler_stream_drop(struct scheduler *self, uint32_t stream);

void scheduler_on_opened(struct scheduler *self, const struct stream_event *event);
void scheduler_on_status(struct scheduler *self, const struct stream_event *event);
void scheduler_on_moved(struct scheduler *self, const struct stream_event *event);
void scheduler_on_closed(struct scheduler *self, const struct stream_event *event);
void scheduler_on_row(struct scheduler *self, const struct stream_event *event);
void scheduler_on_phase_timer(struct scheduler *self, uint32_t stream, struct effects *fx);
void scheduler_on_duration_timer(struct scheduler *self, uint32_t slot, struct effects *fx);

/* --- scheduler_user.c: sessions and links ------------------------------------------------ */

bool scheduler_user_match(const void *self, uint32_t slot, struct text key);
struct text scheduler_user_id(const struct scheduler *self, uint32_t user);

/* scheduler_user_find() - the user as the story has it now, or NO_SLOT. */
uint32_t scheduler_user_find(struct scheduler *self, struct text id);

/* scheduler_user_touch() - the same, made if it is not there; NO_SLOT: no room, counted. */
uint32_t scheduler_user_touch(struct scheduler *self, struct text id);

/* scheduler_user_release() - forget a user of whom nothing is left to supervise. */
void scheduler_user_release(struct scheduler *self, uint32_t user);

/* scheduler_user_sweep() - forget what of a user the last snapshot did not name. */
void scheduler_user_sweep(struct scheduler *self, uint32_t user);

void scheduler_on_session(struct scheduler *self, const struct stream_event *event);
void scheduler_on_session_closed(struct scheduler *self, const struct stream_event *event);
void scheduler_on_link_changed(struct scheduler *self, const struct stream_event *event);
void scheduler_on_session_timer(struct scheduler *self, uint32_t user, struct effects *fx);

/* --- scheduler_app.c --------------------------------------------------------------------- */

bool scheduler_app_match(const void *self, uint32_t slot, struct text key);
void scheduler_app_drop(struct scheduler *self, uint32_t app);
void scheduler_on_app_changed(struct scheduler *self, const struct stream_event *event);
void scheduler_on_app_timer(struct scheduler *self, uint32_t app, struct effects *fx);

/* --- scheduler_gateway.c ------------------------------------------------------------------ */

bool scheduler_gateway_match(const void *self, uint32_t slot, struct text key);

/* scheduler_gateway_touch() - made if it is not there; NO_GATEWAY: no room, counted. */
uint16_t scheduler_gateway_touch(struct scheduler *self, uint64_t id);

/* scheduler_gateway_away() - whether nothing can be said of the links it holds: it is lost, not
 * connected, or does not hear our probes.
 */
bool scheduler_gateway_away(const struct scheduler *self, const struct gateway *gateway);

/* scheduler_gateway_hold(), _let_go() - count the links of a gateway; NO_GATEWAY is allowed. */
void scheduler_gateway_hold(struct scheduler *self, uint16_t gateway);
void scheduler_gateway_let_go(struct scheduler *self, uint16_t gateway);

/* scheduler_gateway_sweep() - forget what the last snapshot said nothing of. */
void scheduler_gateway_sweep(struct scheduler *self);

void scheduler_on_gateway_changed(struct scheduler *self, const struct stream_event *event);
/* A sign of life; @anew: on a new connection. */
void scheduler_on_gateway_up(struct scheduler *self, uint64_t id, bool anew, struct effects *fx);
void scheduler_on_gateway_beat(struct scheduler *self, uint64_t id, uint64_t batch);
void scheduler_on_gateway_down(struct scheduler *self, uint64_t id);
void scheduler_on_gateway_timer(struct scheduler *self, uint32_t gateway, struct effects *fx);
