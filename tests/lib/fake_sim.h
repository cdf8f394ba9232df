/* SPDX-License-Identifier: MIT */
/* fake_sim.h - a world without weir in it: tests/sim/sim.h with a clock, numbers from a seed and
 * sockets that go nowhere, for tests of the simulator's people and checks.
 */
#pragma once

#include "tests/sim/sim.h"
#include "tests/sim/sim_provider.h"

#define FAKE_SAID_MAX 256
#define FAKE_POSTED_MAX 32

/* One message into a socket; its texts are cut to what tests look at. */
struct fake_said {
	int64_t at_ms;
	uint64_t socket;
	enum edge_type type;
	char stream_id[STREAM_ID_MAX + 1], ack_id[ACK_ID_MAX + 1], word[32];
	bool key_ok;
};

struct fake_socket {
	const struct sim_client *client;
	bool app, open, vanished;
	unsigned code; /* it was hung up with */
};

struct fake_sim {
	int64_t now_ms;
	bool healing, refusing; /* refusing: no gateway takes a socket */
	int64_t calm_ms, awake_ms;
	const struct registry *registry;
	const struct scheduler *scheduler;
	const struct unmanaged *unmanaged;
	const struct managed *managed;
	struct sim_provider_plan provider;
	struct sim_input inputs[8]; /* what exists at the provider */
	unsigned input_count;
	uint64_t adapter_life;
	int64_t adapter_began_ms;
	char published[URL_MAX]; /* where a device publishes now; empty: nowhere */
	const struct sim_observer *observer;
	const struct sim_outside *outside;
	struct fake_said said[FAKE_SAID_MAX];
	unsigned said_count;
	struct fake_socket sockets[64]; /* by id */
	unsigned socket_count;
	bool posted[FAKE_POSTED_MAX]; /* how webhooks were answered */
	unsigned posted_count;
	char violation[128]; /* invariant of the first one; empty: none */
	unsigned operator_stops;
};

extern struct fake_sim fake_sim;

/* fake_sim_open() - begin anew; returns what stands for the world. */
struct sim *fake_sim_open(uint64_t seed);

/* fake_sim_run() - let @ms pass. */
void fake_sim_run(int64_t ms);

/* fake_sim_count() - messages of @type said so far; fake_sim_last() - the last of them, or NULL. */
unsigned fake_sim_count(enum edge_type type);
const struct fake_said *fake_sim_last(enum edge_type type);

/* fake_sim_hear() - the world says @message into the client's end of @socket; fake_sim_close() -
 * it closes it.
 */
void fake_sim_hear(uint64_t socket, const struct edge_message *message);
void fake_sim_close(uint64_t socket, unsigned code);
