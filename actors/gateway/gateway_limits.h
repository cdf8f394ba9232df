/* SPDX-License-Identifier: MIT */
/* gateway_limits.h - how many connections there may be, and how many the descriptors of a process
 * are enough for.
 */
#pragma once

#include <stdint.h>

#define GATEWAY_LINK_BITS 20 /* of a link id: its slot; the rest counts */
#define GATEWAY_LINKS_MAX (1u << GATEWAY_LINK_BITS)
#define GATEWAY_HOOK_CONNECTIONS_MAX 256 /* to the webhooks of apps */
#define GATEWAY_DOORWAY_MAX 128 /* beyond the last WebSocket: REST, and 503 for the next one */
#define GATEWAY_FDS_OWN 128 /* the bus with its taps, listeners, locks, files read anew */
#define GATEWAY_FDS_RESERVED (GATEWAY_FDS_OWN + GATEWAY_HOOK_CONNECTIONS_MAX + GATEWAY_DOORWAY_MAX)

/* gateway_connections_for() - WebSockets that @descriptors are enough for, at most @wanted, and at
 * least one: nothing else a gateway does works without.
 */
static inline uint32_t gateway_connections_for(int64_t wanted, uint64_t descriptors)
{
	uint64_t room = descriptors > GATEWAY_FDS_RESERVED ? descriptors - GATEWAY_FDS_RESERVED : 1;

	if (wanted > GATEWAY_LINKS_MAX)
		wanted = GATEWAY_LINKS_MAX;
	return room < (uint64_t)wanted ? (uint32_t)room : (uint32_t)wanted;
}

/* gateway_descriptors_for() - descriptors that @connections WebSockets need. */
static inline uint64_t gateway_descriptors_for(int64_t connections)
{
	return (uint64_t)connections + GATEWAY_FDS_RESERVED;
}
