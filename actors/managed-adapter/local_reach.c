/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/local_reach.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/managed-adapter/managed_address.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* ---- the judgement ---- */

static bool is_own(const struct local_reach_list *own, const struct local_reach_address *address)
{
	for (size_t i = 0; i < own->count; i++)
		if (memcmp(own->items[i].bytes, address->bytes, sizeof address->bytes) == 0)
			return true;
	return false;
}

static bool is_own_port(const struct local_reach_rules *rules, uint16_t port)
{
	for (size_t i = 0; i < LOCAL_REACH_PORTS_MAX && rules->ports[i] != 0; i++)
		if (rules->ports[i] == port)
			return true;
	return false;
}

/* Of 127.0.0.0/8 the system names one address, and of 0.0.0.0 and :: none. */
static bool is_here(const struct local_reach_address *address)
{
	static const struct local_reach_address six = { .bytes = { [15] = 1 } }, none = { { 0 } };
	const uint8_t first = address->bytes[12];

	if (memcmp(address->bytes, mapped, sizeof mapped) == 0)
		return first == 127 || first == 0;
	return memcmp(address, &six, sizeof six) == 0 || memcmp(address, &none, sizeof none) == 0;
}

enum local_reach local_reach_judge(const struct local_reach_rules *rules,
				   const struct local_reach_list *found, uint16_t port)
{
	if (found->count == 0)
		return LOCAL_REACH_NOT_FOUND;
	for (size_t i = 0; i < found->count; i++) {
		const struct local_reach_address *address = &found->items[i];
		bool own = is_here(address) || is_own(&rules->own, address);

		if (own && (!rules->private_ok || is_own_port(rules, port)))
			return LOCAL_REACH_NOT_ALLOWED;
		if (!rules->private_ok && managed_address_judge(address->bytes) != ADDRESS_PUBLIC)
			return LOCAL_REACH_NOT_ALLOWED;
	}
	return LOCAL_REACH_OK;
}

/* ---- texts ---- */

static bool read_port(const char *digits, uint16_t *out, char **end)
{
	unsigned long port;

	if (*digits < '0' || *digits > '9')
		return false;
	port = strtoul(digits, end, 10);
	*out = (uint16_t)port;
	return port >= 1 && port <= UINT16_MAX;
}

bool local_reach_ports(const char *list, uint16_t out[LOCAL_REACH_PORTS_MAX])
{
	char *at = (char *)list;

	memset(out, 0, LOCAL_REACH_PORTS_MAX * sizeof *out);
	for (size_t i = 0; *at; i++) {
		if (i == LOCAL_REACH_PORTS_MAX || !read_port(at, &out[i], &at))
			return false;
		if (*at == ',')
			at++;
		else if (*at)
			return false;
	}
	return true;
}

bool local_reach_read(const char *place, struct local_reach_place *out)
{
	const bool secure = strncmp(place, "rtmps://", 8) == 0;
	const char *host = secure ? place + 8 : place + 7;
	struct local_reach_place read = {
		.secure = secure,
		.port = secure ? LOCAL_REACH_PORT_RTMPS : LOCAL_REACH_PORT_RTMP,
	};
	size_t length;
	char *end;

	if (!secure && strncmp(place, "rtmp://", 7) != 0)
		return false;
	const bool bracketed = *host == '[';

	host += bracketed;
	length = strcspn(host, bracketed ? "]" : ":/");
	if (length == 0 || length > LOCAL_REACH_HOST_MAX)
		return false;
	memcpy(read.host, host, length);
	end = (char *)host + length + (bracketed && host[length] == ']');
	if (*end == ':' && !read_port(end + 1, &read.port, &end))
		return false;
	if (strcmp(end, "/") != 0)
		return false;
	*out = read;
	return true;
}

void local_reach_literal(const struct local_reach_place *place,
			 const struct local_reach_address *address, char *out)
{
	bool four = memcmp(address->bytes, mapped, sizeof mapped) == 0;
	char literal[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(four ? AF_INET : AF_INET6, address->bytes + (four ? sizeof mapped : 0),
			literal, sizeof literal);
	(void)snprintf(out, LOCAL_REACH_LITERAL_SIZE, "%s://%s%s%s:%u/",
		       place->secure ? "rtmps" : "rtmp", four ? "" : "[", literal, four ? "" : "]",
		       place->port);
}

/* ---- the system ---- */

/* Return: false if there is no room for it. */
static bool add(struct local_reach_list *list, const struct sockaddr *from)
{
	struct local_reach_address address = { { 0 } };

	if (!from || (from->sa_family != AF_INET && from->sa_family != AF_INET6))
		return true;
	if (from->sa_family == AF_INET6) {
		memcpy(address.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr,
		       sizeof address.bytes);
	} else {
		memcpy(address.bytes, mapped, sizeof mapped);
		memcpy(address.bytes + sizeof mapped, &((const struct sockaddr_in *)from)->sin_addr,
		       4);
	}
	if (list->count == LOCAL_REACH_ADDRESSES_MAX)
		return false;
	list->items[list->count++] = address;
	return true;
}

bool local_reach_resolve(const char *host, struct local_reach_list *out)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	bool fits = true;

	out->count = 0;
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	for (const struct addrinfo *one = found; one && fits; one = one->ai_next)
		fits = add(out, one->ai_addr);
	freeaddrinfo(found);
	return fits && out->count > 0;
}

bool local_reach_own(struct local_reach_list *out)
{
	struct ifaddrs *all = NULL;
	bool fits = true;

	out->count = 0;
	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *one = all; one && fits; one = one->ifa_next)
		fits = add(out, one->ifa_addr);
	freeifaddrs(all);
	return fits;
}
