/* SPDX-License-Identifier: MIT */
/* scheduler_world.h - a scheduler core, its clock, and what it said, for unit tests.
 *
 * One world per test process.  Time moves by at(): the core gets its ticks exactly when it asks
 * for them.  Every effect becomes a record, each probe of a batch one of its own, and tests take
 * them one by one: what was not expected fails.
 */
#pragma once

#include <criterion/criterion.h>

#include "actors/lifecycle-scheduler/scheduler_core.h"

#define WORLD_RECORDS_MAX 65536
#define GATEWAY_A 0xa
#define GATEWAY_B 0xb

struct record {
	int64_t at_ms;
	enum effect_type effect;
	struct peer peer;
	enum stream_event_type type;
	char user_id[64], stream_id[48], ack_id[24], package[32];
	uint64_t epoch, cause, link, missed, gateway;
	int64_t after_ms; /* timer.expired; stream.missed: last_ack_age_ms */
	enum timer timer;
	bool expired, sent, counted;
};

#define WORLD_GATEWAYS_MAX 16 /* that hear probes */

struct world {
	struct scheduler core;
	struct effects fx;
	int64_t now_ms;
	uint64_t seq; /* of the last story event made */
	size_t count, taken;
	size_t calls, ticks;
	struct record records[WORLD_RECORDS_MAX];
	struct {
		uint64_t gateway, batch; /* the last batch of probes for it, which its beats echo */
	} heard[WORLD_GATEWAYS_MAX];
};

extern struct world world;

/* world_options() - the defaults with small tables, no traces, leases that never end. */
struct scheduler_options world_options(void);
void world_start(struct scheduler_options options);

/* give() - hand the core an input now; at() - let time pass, ticking when asked to;
 * sleep_until() - let time pass without any tick: a stall.
 */
void give(struct input input);
void at(int64_t now_ms);
void sleep_until(int64_t now_ms);

/* expect() - the next record must be of @type and from @at_ms; quiet() - there is none. */
const struct record *expect(int64_t at_ms, enum stream_event_type type);
void quiet(void);
void forget(void); /* take all there is */
size_t count_of(enum stream_event_type type); /* of all there is, from the first */

/* The story: each is given with the next seq, which is returned. */
uint64_t tell(struct stream_event event);
void tell_row(struct stream_event event, uint64_t seq);
struct stream_event opened(const char *user, const char *stream, uint64_t epoch, enum kind kind);
struct stream_event status(const char *user, const char *stream, uint64_t epoch, enum phase phase);
struct stream_event moved(const char *user, const char *stream, uint64_t epoch, enum phase phase);
struct stream_event closed(const char *user, const char *stream, uint64_t epoch);
struct stream_event row(const char *user, const char *stream, uint64_t epoch, enum kind kind,
			enum phase phase);
struct stream_event session(const char *user, enum stream_event_type type);
struct stream_event link_up(const char *user, uint64_t link, uint64_t gateway);
struct stream_event link_down(const char *user);
struct stream_event glasses(const char *user);
struct stream_event app(const char *user, const char *package, enum app_state state);
struct stream_event gateway(uint64_t id, enum link_state state);

/* Gateways. */
void connect_gateway(uint64_t id); /* up in the story and connected to us */
void peer(uint64_t id, enum input_type type);
void beat(uint64_t id);
void ack(const char *stream, const char *ack_id); /* from GATEWAY_A */
void ack_from(uint64_t id, const char *stream, const char *ack_id);
void answer(const struct record *probe);

/* live() - user @user with link 1 at GATEWAY_A and a live unmanaged stream, from now. */
void live(const char *user, const char *stream);
void resync(void);
void synced(void);
