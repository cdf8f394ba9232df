/* SPDX-License-Identifier: MIT */
/* What the checks need to see of the world's insides: which link a socket became. */
#include "tests/sim/checks_internal.h"
#include "tests/sim/sim_world.h"

struct check_link check_link(uint64_t socket)
{
	for (unsigned i = 0; i < SIM_SOCKETS_MAX; i++) {
		const struct sim_socket *at = &checks.sim->sockets[i];

		if (at->state != SOCKET_FREE && at->id == socket)
			return (struct check_link){
				.link = at->link,
				.gateway = checks.sim->processes[SIM_GATEWAY + at->gateway]
						   .incarnation,
			};
	}
	return (struct check_link){ 0 };
}
