/* SPDX-License-Identifier: MIT */
/* sim.h - the world of the simulator: one clock, one seed, every process of weir.
 *
 * Processes are the real cores behind the real pure halves of the bus (common/node.h); only the
 * sockets, the store's medium, the devices and the apps are models.  Everything that happens is an
 * entry of one heap ordered by (time, serial): a run is a function of its seed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/state.h"
#include "proto/edge.h"
#include "proto/stream_event.h"

struct sim;
struct sim_input; /* sim_provider.h */
struct sim_provider_plan;

/* Time and chance ---------------------------------------------------------------------------- */

/* One generator for each part, so that a draw more in one does not shift the others. */
enum sim_part { SIM_BUS, SIM_CRASHES, SIM_STORE, SIM_DEVICES, SIM_APPS, SIM_PLAN, SIM_PARTS };

int64_t sim_now(const struct sim *self); /* virtual CLOCK_MONOTONIC, ms */

/* sim_at() - call @fn with @context and @tag at @at_ms; entries are never taken back: @fn looks
 * whether its @tag still counts.
 */
typedef void sim_fn(void *context, uint64_t tag);
void sim_at(struct sim *self, int64_t at_ms, sim_fn *fn, void *context, uint64_t tag);

uint64_t sim_draw(struct sim *self, enum sim_part part); /* 64 random bits */
uint64_t sim_below(struct sim *self, enum sim_part part, uint64_t bound);
bool sim_chance(struct sim *self, enum sim_part part, uint32_t per_million);

/* sim_healing() - the second phase: faults are off, everything is restarted, the longest bound runs
 * out; then what must hold in the end is checked.
 */
bool sim_healing(const struct sim *self);

/* The edge ----------------------------------------------------------------------------------- */

/* What is outside of weir and holds one end of a socket: a phone with its glasses, or an app. */
struct sim_client {
	void *context;
	void (*heard)(void *context, uint64_t socket, const struct edge_message *message);
	void (*closed)(void *context, uint64_t socket, unsigned code);
};

#define SIM_GATEWAYS_MAX 4
unsigned sim_gateways(const struct sim *self);

/* sim_open_glasses(), sim_open_app() - a socket to a gateway; 0 if it refuses or is not there.
 *
 * @user is what the token says; @client is borrowed until closed() was called for the socket, which
 * comes once for each.
 */
uint64_t sim_open_glasses(struct sim *self, unsigned gateway, struct text user,
			  const struct sim_client *client);
uint64_t sim_open_app(struct sim *self, unsigned gateway, const struct sim_client *client);

/* sim_say() - a message into a socket; lost without a word if the socket is dead.  An init of an
 * app carries whether its key is good.
 */
void sim_say(struct sim *self, uint64_t socket, const struct edge_message *message, bool key_ok);

/* sim_hang_up() - the client closes properly; sim_vanish() - it is gone without a word, and its
 * gateway finds out by its own pings (a pong is missed after some time).
 */
void sim_hang_up(struct sim *self, uint64_t socket, unsigned code);
void sim_vanish(struct sim *self, uint64_t socket);

/* sim_publish() - a device begins, or ceases, to publish to @url. */
void sim_publish(struct sim *self, struct text url, bool on);

/* The app directory that every gateway is given; tests/sim/people.c has it. */
struct sim_package {
	const char *name;
	enum app_type type;
	bool may_stream; /* has CAMERA */
};
#define SIM_PACKAGES 6
extern const struct sim_package sim_packages[SIM_PACKAGES];

/* What the world asks the outside for. */
struct sim_outside {
	void *context;
	/* A webhook was posted; answer it with sim_posted(), now or later, or never. */
	void (*post)(void *context, unsigned gateway, const struct edge_message *message,
		     struct text user, struct text package, enum hook hook, uint64_t hook_id);
};
void sim_posted(struct sim *self, unsigned gateway, struct text user, struct text package,
		enum hook hook, uint64_t hook_id, bool ok);

/* What checks look at -------------------------------------------------------------------------- */

enum sim_process {
	SIM_REGISTRY,
	SIM_SCHEDULER,
	SIM_UNMANAGED,
	SIM_MANAGED,
	SIM_GATEWAY, /* the first; SIM_GATEWAY + n the others */
	SIM_PROCESSES_MAX = SIM_GATEWAY + SIM_GATEWAYS_MAX,
};

bool sim_is_up(const struct sim *self, enum sim_process process);

/* sim_truth() - the state of the registry that runs; NULL if none does. */
const struct state *sim_truth(const struct sim *self);

struct sim_observer {
	void *context;
	/* A story event that is committed: durable, about to be released.  In order. */
	void (*story)(void *context, const struct stream_event *event);
	/* The registry accepted or refused a request: its answer leaves towards an adapter. */
	void (*answered)(void *context, const struct stream_event *result);
	/* A record of the store was damaged, says the registry that has loaded the others. */
	void (*damaged)(void *context, enum bucket bucket);
	/* A registry that starts has loaded its store and handled nothing yet. */
	void (*loaded)(void *context, const struct state *state);
	/* The managed-adapter calls its provider. */
	void (*called)(void *context, const struct stream_event *call);
	/* A live input of ours begins to exist; or ceases to, by our doing, whosever it is. */
	void (*input_made)(void *context, const struct sim_input *input);
	void (*input_deleted)(void *context, const struct sim_input *input);
	/* The scheduler in its life @life probes @stream_id. */
	void (*probed)(void *context, uint64_t life, struct text stream_id);
	/* Something has been handled; the invariants that hold at any moment are due. */
	void (*stepped)(void *context);
	/* Healed: what must hold in the end is due. */
	void (*healed)(void *context);
	/* Every stream has been ended since, and whatever was left had its time. */
	void (*quiet)(void *context);
};

/* Added for people and checks ------------------------------------------------------------------ */

struct registry;
struct scheduler;
struct unmanaged;
struct managed;

/* sim_registry(), sim_scheduler(), sim_unmanaged(), sim_managed() - the core that runs now; NULL if
 * none does. */
const struct registry *sim_registry(const struct sim *self);
const struct scheduler *sim_scheduler(const struct sim *self);
const struct unmanaged *sim_unmanaged(const struct sim *self);
const struct managed *sim_managed(const struct sim *self);

/* sim_inputs() - what exists at the provider, the oldest first. */
const struct sim_input *sim_inputs(const struct sim *self, unsigned *count);
const struct sim_provider_plan *sim_provider_plan(const struct sim *self);

/* sim_inputs_ours() - how many of them are not somebody else's. */
unsigned sim_inputs_ours(const struct sim *self);

/* sim_life() - counts the starts and ends of @process. */
uint64_t sim_life(const struct sim *self, enum sim_process process);

/* sim_began_ms() - when its present life, or the last one, began. */
int64_t sim_began_ms(const struct sim *self, enum sim_process process);

/* sim_calm_since() - since when no fault of ours has been at work: nothing down, stalled, cut off
 * or clogged, no message of ours late or lost, no commit late or failed; INT64_MAX while one is.
 */
int64_t sim_calm_since(const struct sim *self);

/* sim_awake_since() - since when @process has been up and not stalled; INT64_MAX: it is not now. */
int64_t sim_awake_since(const struct sim *self, enum sim_process process);

/* sim_operator_stop() - an operator ends what runs for @user. */
void sim_operator_stop(struct sim *self, struct text user);

/* sim_violation() - an invariant is broken: print it with what led to it, and end the run. */
__attribute__((format(printf, 4, 5))) void sim_violation(struct sim *self, const char *invariant,
							 struct text stream_id, const char *format,
							 ...);

/* SIM_SOMETIMES() - a place that a night of seeds must reach now and then.
 *
 * @what is a literal.  The linker gathers all of them, reached or not: the runner walks from
 * __start_sim_places to __stop_sim_places.
 */
#define SIM_SOMETIMES(self, what) \
	do { \
		static const char *const place_ __attribute__((section("sim_places"), used)) = \
			(what); \
		sim_sometimes((self), place_); \
	} while (0)
extern const char *const __start_sim_places[], *const __stop_sim_places[];
void sim_sometimes(struct sim *self, const char *what);

/* Who lives in the world; the world calls them, they call the functions above. */
void sim_people_init(struct sim *self); /* tests/sim/people.c: devices, apps, operators */
const struct sim_client *sim_people_client(const struct sim *self);
void sim_checks_init(struct sim *self); /* tests/sim/checks.c */
void sim_set_outside(struct sim *self, const struct sim_outside *outside);
void sim_set_observer(struct sim *self, const struct sim_observer *observer);
