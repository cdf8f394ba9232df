/* SPDX-License-Identifier: MIT */
/* random_edge.h - what a registry may hear, from a seed: mostly things that make sense where it
 * stands, now and then nonsense, repetitions and news of things that are long gone.
 */
#pragma once

#include "actors/registry/registry_core.h"
#include "tests/lib/fakes.h"

#define RANDOM_USERS 4
#define RANDOM_PACKAGES 5
#define RANDOM_GATEWAYS 3

struct random_edge {
	struct prng prng;
	const struct registry *registry; /* looked at to make sense */
	bool commands; /* say what adapters say to the registry, not what apps say to them */
	uint64_t incarnations[RANDOM_GATEWAYS];
	uint64_t next_incarnation, next_link, next_request;
};

/* One input; @input.event and its texts live here. */
struct random_input {
	struct input input;
	struct stream_event event;
	char stream_id[STREAM_ID_MAX], package[PACKAGE_MAX], name[16];
	uint8_t list[SUBSCRIPTIONS_BYTES];
};

void random_edge_init(struct random_edge *self, const struct registry *registry, uint64_t seed);

/* random_edge_next() - the next input; a PEER_UP, a MESSAGE or a TICK. */
void random_edge_next(struct random_edge *self, struct random_input *out);

/* random_edge_hello() - a PEER_UP of gateway @index under its present incarnation. */
void random_edge_hello(struct random_edge *self, unsigned index, struct random_input *out);

/* random_edge_settle() - that the provider has deleted an input that is owed; false: none is. */
bool random_edge_settle(struct random_edge *self, struct random_input *out);

struct text random_user(unsigned index);
