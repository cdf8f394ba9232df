/* SPDX-License-Identifier: MIT */
/* gateway_core.h - what happens between sockets and the bus; decides nothing about a stream.
 *
 * Pure: no I/O, no clock, no allocation, no log.  Two kinds of input: gateway_handle() takes what
 * comes from the bus, gateway_edge() what comes from sockets, REST calls and webhooks.  Both fill
 * two lists: effects for the bus, and gateway_outs() for the sockets.  The shell carries out the
 * second before the first, so that "sent" is said after the sending.
 *
 * A socket is a link: an id that is unique within the gateway's incarnation, got from
 * gateway_reserve() and given back by GATEWAY_CLOSED or gateway_release().
 */
#pragma once

#include "actors/gateway/gateway_directory.h"
#include "actors/gateway/gateway_limits.h"
#include "common/actor.h"
#include "proto/edge.h"

#define GATEWAY_WAITING_MAX 32 /* requests of one app that wait for an earlier one */
#define GATEWAY_HELD_MAX 4 /* orders for a device that wait for its connection_ack */
#define GATEWAY_REST_MAX 256 /* REST calls that wait for the registry */
#define GATEWAY_WATCH_SLACK_MS \
	1000 /* beyond the adapter's own deadline: its words are the better ones */
#define GATEWAY_ACK_AGE_MS 20 /* acks are collected for so long: a wake-up of the scheduler */
/* An app that waits for the verdict on its init: the SDK gives up, without another attempt, after
 * 5 s of silence; closed before that it comes back.
 */
#define GATEWAY_VERDICT_MS 4000
/* Glasses count among the arrivals for so long, answered or not: while the registry is away, or an
 * app that belongs to the session does not start, others come in as well, at a bounded rate.
 */
#define GATEWAY_ARRIVAL_MS 10000
/* A start waits in line for so long, then it is refused: no longer than the way back takes an app
 * that has lost its socket.
 */
#define GATEWAY_QUEUE_MS 5000
#define GATEWAY_DRAIN_SLICE 64 /* sockets closed at once: 64 every 50 ms are 1,280 a second */
#define GATEWAY_DRAIN_PAUSE_MS 50
#define GATEWAY_OUTS_MAX (PROBES_PER_BATCH_MAX + 2 * GATEWAY_DRAIN_SLICE)
/* Bytes of text made for the outs of one call: the outputs of one stream, or session ids. */
#define GATEWAY_OUTS_ARENA (EDGE_OUTPUT_RECORDS_MAX + 4096)

struct gateway_options {
	uint64_t incarnation;
	uint32_t connections_max;
	uint64_t seed; /* of hashes whose keys come from outside */
	int64_t starts_per_min, starts_burst; /* of one user */
	uint32_t arrivals_max; /* links that wait for the registry's word; 0: no limit */
	uint32_t requests_max; /* starts under way; the others wait in line; 0: no limit */
	uint32_t requests_waiting_max; /* starts in that line */
	int64_t beat_ms;
	int64_t request_timeout_ms;
	int64_t watch_timeout_ms; /* of a request that may have to wait for a provider */
	int64_t init_ms; /* from the upgrade of an app socket to its init */
	int64_t empty_subscription_grace_ms;
	struct text websocket_url; /* what session webhooks name; borrowed for the core's life */
};

enum gateway_edge_type {
	GATEWAY_GLASSES_OPENED, /* link, user: as the token says */
	GATEWAY_APP_OPENED, /* link */
	GATEWAY_MESSAGE, /* link, message; of an init also key_ok, and user if a token named it */
	GATEWAY_NOT_JSON, /* link */
	GATEWAY_LOST, /* link, code: as good as closed; GATEWAY_CLOSED follows */
	GATEWAY_CLOSED, /* link, code: by whomever, also after GATEWAY_CLOSE; its slot is free */
	GATEWAY_REST, /* call, action, and what belongs to it */
	GATEWAY_REST_GONE, /* call: nobody waits for the answer any more */
	GATEWAY_POSTED, /* user, package, hook, hook_id, ok */
	GATEWAY_DRAIN, /* send everybody away, slowly */
	GATEWAY_SHUT, /* send everybody away now */
};

enum gateway_action {
	GATEWAY_APP_START, /* user, package */
	GATEWAY_APP_STOP, /* user, package */
	GATEWAY_DEVICE_STATE, /* user, message: EDGE_DEVICE_STATE */
	GATEWAY_OUTPUT_ADD, /* package, stream_id, message: EDGE_OUTPUT */
	GATEWAY_OUTPUT_REMOVE, /* package, stream_id, output_id */
	GATEWAY_OUTPUT_LIST, /* package, stream_id */
};

/* Texts are borrowed for the call. */
struct gateway_edge {
	enum gateway_edge_type type;
	uint64_t link;
	struct text user, package;
	const struct edge_message *message;
	bool key_ok, ok;
	unsigned code;
	uint64_t call;
	enum gateway_action action;
	struct text stream_id, output_id; /* as the caller wrote them */
	enum hook hook;
	uint64_t hook_id;
};

enum gateway_out_type {
	GATEWAY_SEND, /* link, message */
	GATEWAY_PROBE, /* link, stream_id, ack_id: a keep_rtmp_stream_alive, without the codec */
	GATEWAY_CLOSE, /* link, code, reason; GATEWAY_CLOSED follows when it is done */
	GATEWAY_POST, /* message to url; answered by GATEWAY_POSTED with what stands here */
	GATEWAY_ANSWER, /* call, code: HTTP status, message */
};

/* Texts are borrowed until the next call into the core. */
struct gateway_out {
	enum gateway_out_type type;
	uint64_t link;
	struct edge_message message;
	struct text stream_id, ack_id;
	unsigned code;
	struct text reason;
	struct text url, user, package;
	enum hook hook;
	uint64_t hook_id;
	uint64_t call;
};

/* What the core counts, with the name it has in the metrics. */
/* clang-format off */
#define GATEWAY_COUNTERS(C) \
	C(probes_sent, "gateway.probes_sent") \
	C(probes_dropped, "gateway.probes_dropped") \
	C(acks, "gateway.acks") \
	C(starts_sent, "gateway.starts_sent") \
	C(starts_fenced, "gateway.starts_fenced") \
	C(stops_sent, "gateway.stops_sent") \
	C(stops_fenced, "gateway.stops_fenced") \
	C(statuses_sent, "gateway.statuses_sent") \
	C(statuses_stale, "gateway.statuses_stale") \
	C(statuses_repeated, "gateway.statuses_repeated") \
	C(links_missed, "gateway.links_missed") \
	C(messages_ignored, "gateway.messages_ignored") \
	C(messages_not_json, "gateway.messages_not_json") \
	C(messages_relayed, "gateway.messages_relayed") \
	C(relays_dropped, "gateway.relays_dropped") \
	C(requests_sent, "gateway.requests_sent") \
	C(requests_repeated, "gateway.requests_repeated") \
	C(requests_refused, "gateway.requests_refused") \
	C(requests_queued, "gateway.requests_queued") \
	C(requests_timed_out, "gateway.requests_timed_out") \
	C(answers_late, "gateway.answers_late") \
	C(inits_refused, "gateway.inits_refused") \
	C(inits_timed_out, "gateway.inits_timed_out") \
	C(limit_starts, "gateway.limit_starts") \
	C(limit_arrivals, "gateway.limit_arrivals") \
	C(limit_requests, "gateway.limit_requests") \
	C(limit_waiting, "gateway.limit_waiting") \
	C(limit_rest, "gateway.limit_rest") \
	C(limit_memory, "gateway.limit_memory")
/* clang-format on */

#define GATEWAY_COUNTER_MEMBER(member, name) uint64_t member;
struct gateway_counts {
	GATEWAY_COUNTERS(GATEWAY_COUNTER_MEMBER)
};

struct gateway_totals {
	uint32_t glasses, apps; /* open sockets */
	uint32_t users; /* that have one of either */
	uint32_t arriving; /* sockets that wait for the registry's word */
};

struct gateway;

/* gateway_bytes() - memory a core with @options needs. */
size_t gateway_bytes(const struct gateway_options *options);

/* gateway_init() - make a core in @memory: gateway_bytes() bytes, zeroed, aligned to 64.
 *
 * Ownership: @memory is borrowed for the core's life; there is no gateway_fini().
 */
struct gateway *gateway_init(void *memory, const struct gateway_options *options);

/* gateway_set_directory() - the apps from now on; borrowed until replaced. */
void gateway_set_directory(struct gateway *self, const struct gateway_directory *directory);

/* gateway_reserve() - a link id for a socket about to open; 0 if connections_max are in use. */
uint64_t gateway_reserve(struct gateway *self);

/* gateway_release() - give back a link that was reserved and never opened. */
void gateway_release(struct gateway *self, uint64_t link);

/* gateway_slot() - the place of @link, below connections_max, for tables beside the core's. */
static inline uint32_t gateway_slot(uint64_t link)
{
	return (uint32_t)(link & (GATEWAY_LINKS_MAX - 1));
}

/* gateway_handle() - apply one input from the bus at @now_ms.
 *
 * Units: @now_ms is CLOCK_MONOTONIC milliseconds and never decreases between calls.
 * Ownership: @input is borrowed for the call; @fx is the caller's, emptied first.
 * Errors: none.  What cannot be accepted is counted and dropped.
 */
void gateway_handle(struct gateway *self, const struct input *input, int64_t now_ms,
		    struct effects *fx);

/* gateway_edge() - the same for one input from the edge. */
void gateway_edge(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms,
		  struct effects *fx);

/* gateway_deadline() - when the core wants INPUT_TICK; INT64_MAX: never. */
int64_t gateway_deadline(const struct gateway *self);

/* gateway_outs() - what the last call wants done at the edge, in order. */
const struct gateway_out *gateway_outs(const struct gateway *self, size_t *count);

const struct gateway_counts *gateway_counts(const struct gateway *self);
struct gateway_totals gateway_totals(const struct gateway *self);

/* gateway_draining() - everybody is sent away. */
bool gateway_draining(const struct gateway *self);

/* gateway_admits() - whether one more may come in: not while draining, not without a free link, and
 * no glasses while arrivals_max wait for the registry.  Apps are told that at their init.
 */
bool gateway_admits(const struct gateway *self, bool glasses);
