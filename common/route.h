/* SPDX-License-Identifier: MIT */
/* route.h - the routing id of a DEALER: role byte, incarnation, number of the connection.  Pure.
 *
 * A ROUTER drops a second connection with an id it still knows, for good and without a word, and
 * a stalled server still knows the ids of connections that have ended.  So no two connections
 * ever share one.  An id without the number (9 bytes) counts as connection 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/words.h"

#define ROUTE_LENGTH_MIN 9
#define ROUTE_LENGTH_MAX 13

struct route {
	enum role role;
	uint64_t incarnation;
	uint32_t connection; /* grows within an incarnation */
};

/* route_write() - fill @bytes of ROUTE_LENGTH_MAX. */
static inline void route_write(const struct route *route, uint8_t *bytes)
{
	bytes[0] = (uint8_t)route->role;
	for (unsigned i = 0; i < 8; i++)
		bytes[1 + i] = (uint8_t)(route->incarnation >> (56 - 8 * i));
	for (unsigned i = 0; i < 4; i++)
		bytes[9 + i] = (uint8_t)(route->connection >> (24 - 8 * i));
}

static inline bool route_read(const uint8_t *bytes, size_t length, struct route *out)
{
	struct route route = { 0 };

	if ((length != ROUTE_LENGTH_MIN && length != ROUTE_LENGTH_MAX) || bytes[0] == ROLE_NONE ||
	    bytes[0] >= ROLE_COUNT)
		return false;
	route.role = (enum role)bytes[0];
	for (unsigned i = 1; i < 9; i++)
		route.incarnation = route.incarnation << 8 | bytes[i];
	for (unsigned i = 9; i < length; i++)
		route.connection = route.connection << 8 | bytes[i];
	if (route.incarnation == 0)
		return false;
	*out = route;
	return true;
}
