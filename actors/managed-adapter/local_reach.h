/* SPDX-License-Identifier: MIT */
/* local_reach.h - where a copy may connect to: what the name of a destination resolves to is judged
 * here, so that a name which leads to this machine or into its networks is no way around the check
 * of literal addresses.  Pure but for local_reach_resolve() and local_reach_own(), which ask the
 * system.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCAL_REACH_ADDRESSES_MAX \
	32 /* of one name, or of this machine; what has more is refused \
	    */
#define LOCAL_REACH_PORTS_MAX 8 /* of our own */
#define LOCAL_REACH_HOST_MAX 253
#define LOCAL_REACH_PORT_RTMP 1935
#define LOCAL_REACH_PORT_RTMPS 443

/* IPv6; IPv4 as ::ffff:a.b.c.d. */
struct local_reach_address {
	uint8_t bytes[16];
};

struct local_reach_list {
	size_t count;
	struct local_reach_address items[LOCAL_REACH_ADDRESSES_MAX];
};

enum local_reach {
	LOCAL_REACH_OK,
	LOCAL_REACH_NOT_FOUND,
	LOCAL_REACH_NOT_ALLOWED,
};

struct local_reach_rules {
	struct local_reach_list own; /* addresses of this machine */
	uint16_t ports[LOCAL_REACH_PORTS_MAX]; /* where we listen; 0: no more */
	bool private_ok; /* anything but our own ports */
};

/* local_reach_judge() - may a copy go to @port of what has resolved to @found?
 *
 * Not if any of the addresses is internal or one of this machine's: which one would be taken is
 * chance.  With private_ok only our own ports are refused.
 */
enum local_reach local_reach_judge(const struct local_reach_rules *rules,
				   const struct local_reach_list *found, uint16_t port);

struct local_reach_place {
	bool secure; /* rtmps */
	char host[LOCAL_REACH_HOST_MAX + 1]; /* without brackets */
	uint16_t port;
};

/* local_reach_read() - false if @place is not rtmp(s)://host[:port]/. */
bool local_reach_read(const char *place, struct local_reach_place *out);

#define LOCAL_REACH_LITERAL_SIZE 80

/* local_reach_literal() - @place once more, with @address for its host; of
 * LOCAL_REACH_LITERAL_SIZE bytes.
 */
void local_reach_literal(const struct local_reach_place *place,
			 const struct local_reach_address *address, char *out);

/* local_reach_ports() - read "1935,8005"; false if it is not that, or has more than may be. */
bool local_reach_ports(const char *list, uint16_t out[LOCAL_REACH_PORTS_MAX]);

/* local_reach_resolve() - what @host leads to; blocks.  local_reach_own() - this machine.
 *
 * Return: false if there is nothing, or more than may be.
 */
bool local_reach_resolve(const char *host, struct local_reach_list *out);
bool local_reach_own(struct local_reach_list *out);
