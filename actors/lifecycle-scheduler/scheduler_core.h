/* SPDX-License-Identifier: MIT */
/* scheduler_core.h - every domain timer: keep-alive probes, phase deadlines, session and app grace,
 * gateway leases.
 *
 * Pure: no I/O, no clock, no allocation after scheduler_init(), no logging.  It judges time only:
 * what a missed probe or an expired timer means is the registry's to say.
 */
#pragma once

#include "common/actor.h"
#include "common/table.h"
#include "common/wheel.h"

#define SCHEDULER_ID_MAX 15 /* bytes of a stream id; the registry makes 11 */
#define SCHEDULER_FIRES_MAX 2048 /* timers per call: at 0.3 us, 0.6 ms of a 10 ms tick */
#define SCHEDULER_SWEEP_MAX 1024 /* users per call after a snapshot: as long, a miss each */
#define SCHEDULER_GATEWAYS_MAX 65534 /* so that a stream names its gateway in 16 bits */
#define SCHEDULER_MISSED_MAX 1000
#define SCHEDULER_INTERVAL_MIN_MS 100 /* ack ids stay unique across restarts from here on */
#define SCHEDULER_LATE_MS 50 /* a tick so late lets the shell read its sockets first */
#define SCHEDULER_WINDOW_MAX_MS 10000 /* what a blind deadline that is no stream's gets more */

/* One kind of stream; section [unmanaged] or [managed] of the configuration. */
struct scheduler_kind {
	int64_t keepalive_interval_ms;
	int64_t ack_timeout_ms; /* less than the interval: at most one probe waits for its ack */
	int64_t start_deadline_ms; /* without activity, in requested, provisioning, starting */
	int64_t stop_deadline_ms; /* without activity, in stopping */
	int64_t grace_ms; /* after the loss of the socket, in which unsent probes do not count */
	int64_t duration_max_ms; /* from its opening; 0: as long as it likes */
	uint32_t missed_max; /* consecutive misses that end a stream */
	uint32_t probe_phases; /* set of 1 << enum phase */
};

struct scheduler_options {
	struct scheduler_kind kinds[KIND_COUNT]; /* by enum kind; KIND_NONE is not used */
	int64_t session_grace_ms;
	int64_t app_grace_ms;
	int64_t app_connect_ms;
	int64_t app_hook_max_ms; /* a webhook that is not reported done */
	int64_t gateway_lease_ms;
	int64_t gateway_blind_max_ms; /* silence after which a lost gateway is reported as gone */
	int64_t stall_ms; /* waking so much later than asked for is a stall; at most an ack
			     timeout, or a third of an interval */
	uint32_t streams_max, users_max, apps_max, gateways_max;
	uint32_t fires_max; /* timers per call, up to SCHEDULER_FIRES_MAX */
	uint64_t hash_seed; /* of users and apps: their names are chosen outside */
	bool trace_probes; /* publish probe.sent, probe.acked, probe.missed */
};

extern const struct scheduler_options scheduler_defaults;

enum scheduler_timer {
	SCHEDULER_TIMER_PROBE, /* next probe, or the end of the wait for an ack */
	SCHEDULER_TIMER_PHASE,
	SCHEDULER_TIMER_DURATION,
	SCHEDULER_TIMER_SESSION,
	SCHEDULER_TIMER_APP,
	SCHEDULER_TIMER_GATEWAY,
	SCHEDULER_TIMER_COUNT,
};

/* Counters since scheduler_init(). */
struct scheduler_stats {
	uint64_t probes_sent;
	uint64_t probes_unsent; /* due while the link was down */
	uint64_t probes_skipped; /* due in a stall, or while nobody could see */
	uint64_t probes_acked;
	uint64_t probes_missed;
	uint64_t probes_forgiven; /* overtaken by the next one after their deadline was put off */
	uint64_t acks_unknown; /* late, doubled, or nobody's */
	uint64_t streams_expired;
	uint64_t streams_recovered;
	uint64_t timers_expired; /* reports, repeated ones included */
	uint64_t deadlines_put_off; /* because their time passed while we were blind */
	uint64_t stalls;
	uint64_t blinds; /* times the story stopped */
	uint64_t resyncs;
	uint64_t stale; /* events that were older than what was known */
	uint64_t malformed; /* events and lists that made no sense */
	uint64_t traces_dropped; /* operational events beyond what one call may cause */
	uint64_t streams_refused, users_refused, apps_refused, gateways_refused; /* tables full */
	uint64_t ids_refused; /* stream ids longer than SCHEDULER_ID_MAX, or empty */
};

/* Capacity and memory of one sort of entity: see scheduler_state.h. */
struct scheduler_slots {
	uint32_t *next;
	uint32_t capacity, count;
	uint32_t free, high;
};

struct scheduler {
	struct scheduler_options options;
	struct scheduler_stats stats;
	uint32_t armed[SCHEDULER_TIMER_COUNT];
	uint32_t timer_base[SCHEDULER_TIMER_COUNT];

	int64_t now_ms; /* of the running call, or of the last one */
	int64_t tick_ms; /* of the last INPUT_TICK */
	int64_t deadline_ms; /* what scheduler_deadline() says */
	int64_t late_ms; /* how much later than expected this call is */
	bool deferred; /* the last tick left all to the next one, being late */
	int64_t stalled_ms; /* end of our last stall; -1: there was none */
	int64_t sight_ms; /* since when we see all that happens */
	bool blind; /* the story has stopped, or is told anew */
	bool syncing; /* between INPUT_RESYNC and INPUT_SYNCED */
	bool sweeping; /* what the last snapshot did not name is being forgotten */
	uint32_t sweep_next;
	uint32_t generation; /* of snapshots; entities carry the one that last named them */

	struct wheel wheel;
	struct table stream_index, user_index, app_index, gateway_index;
	struct scheduler_slots stream_slots, user_slots, long_id_slots, app_slots, gateway_slots;
	struct probe *probes; /* by stream slot */
	struct watch *watches; /* by stream slot */
	struct user *users;
	struct long_id *long_ids;
	struct app *apps;
	struct gateway *gateways;

	struct outgoing *outgoing; /* probes of this call, chained by gateway */
	uint32_t outgoing_count;
	uint16_t *touched; /* gateways with probes in this call */
	uint32_t touched_count;
	uint8_t *batches; /* encoded probe lists of the last call */
	size_t batches_size;
};

/* scheduler_bytes() - the memory that @options ask for: about 300 bytes per stream and user. */
size_t scheduler_bytes(const struct scheduler_options *options);

/* scheduler_init() - start with nothing known and nothing armed.
 *
 * Ownership: @memory is scheduler_bytes(@options) bytes, aligned as malloc() aligns; it and
 * @self, which must not move, are the caller's and in use until the last call.
 * Errors: options that make no sense (ack_timeout_ms >= keepalive_interval_ms, a limit of 0) are
 * our own mistake: the configuration has refused them before.
 */
void scheduler_init(struct scheduler *self, const struct scheduler_options *options, void *memory);

/* scheduler_handle() - apply one input at @now_ms.
 *
 * Units: @now_ms is CLOCK_MONOTONIC milliseconds and never decreases between calls.
 * Ownership: @input is borrowed for the call; @fx is the caller's, emptied first.  Texts of the
 * effects are valid until the next call.
 * Errors: none.  What cannot be accepted is counted and dropped.
 */
void scheduler_handle(struct scheduler *self, const struct input *input, int64_t now_ms,
		      struct effects *fx);

/* scheduler_deadline() - when scheduler_handle() next wants an INPUT_TICK, in ms on the same
 * clock; INT64_MAX: never; not after the last call's time: at once, there is more to do.
 */
int64_t scheduler_deadline(const struct scheduler *self);

/* scheduler_timers() - how many timers are armed; 0 if there is nothing to supervise. */
uint32_t scheduler_timers(const struct scheduler *self);
