/* SPDX-License-Identifier: MIT */
/* Goal: whoever was added is found until it is forgotten, and nobody else.  Method: incarnations
 * by chance, so many that places of the index collide.
 */
#include <criterion/criterion.h>

#include "common/inbox_peers.h"
#include "tests/lib/bus.h"

#define KEPT (PEERS_MAX - 24)

static struct inbox_peers peers;

static void setup(void)
{
	cr_assert_eq(inbox_peers_init(&peers), 0);
}

static void teardown(void)
{
	inbox_peers_fini(&peers);
}

TestSuite(inbox_peers, .init = setup, .fini = teardown);

static struct inbox_peer *add(enum role role, uint64_t incarnation)
{
	return inbox_peers_add(&peers, (struct peer){ role, incarnation }, 1024);
}

Test(inbox_peers, all_are_found_until_they_are_forgotten)
{
	static uint64_t incarnations[KEPT];
	uint64_t seed = 7;

	for (size_t i = 0; i < KEPT; i++) {
		incarnations[i] = chance_next(&seed);
		cr_assert(add(ROLE_GATEWAY, incarnations[i]));
	}
	for (size_t i = 0; i < KEPT; i += 3)
		inbox_peers_forget(&peers, inbox_peers_find(&peers, ROLE_GATEWAY, incarnations[i]));
	for (size_t i = 0; i < KEPT; i++) {
		const struct inbox_peer *peer =
			inbox_peers_find(&peers, ROLE_GATEWAY, incarnations[i]);

		if (i % 3 == 0)
			cr_assert_null(peer);
		else
			cr_assert_eq(peer->peer.incarnation, incarnations[i]);
		cr_assert_null(inbox_peers_find(&peers, ROLE_GATEWAY, chance_next(&seed)));
	}
	cr_assert_eq(peers.count, KEPT - (KEPT + 2) / 3);
}

/* Among so many, some have their place where another role would look for them. */
Test(inbox_peers, an_incarnation_is_of_one_role)
{
	uint64_t seed = 8;

	for (size_t i = 0; i < KEPT; i++) {
		uint64_t incarnation = chance_next(&seed);

		cr_assert(add(ROLE_GATEWAY, incarnation));
		for (unsigned role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
			cr_assert_eq(inbox_peers_find(&peers, (enum role)role, incarnation) != NULL,
				     role == ROLE_GATEWAY);
	}
}
