/* SPDX-License-Identifier: MIT */
/* config_bus.c - whether the addresses of [bus] can be bound and reached. */
#include <string.h>

#include "common/bus.h"
#include "common/config_draft.h"

/* The key that says where the @index-th actor is. */
static enum config_index key_of(size_t index)
{
	static const enum config_index keys[] = {
		KEY_bus_registry,
		KEY_bus_lifecycle_scheduler,
		KEY_bus_unmanaged_adapter,
		KEY_bus_managed_adapter,
	};
	size_t count = sizeof keys / sizeof keys[0];

	return index < count ? keys[index] : KEY_bus_gateways;
}

struct place {
	char name[BUS_NAME_SIZE];
	char host[CONFIG_HOST_SIZE];
	uint16_t port;
};

static bool is_loopback(const struct place *place)
{
	return strncmp(place->host, "127.", 4) == 0 || strcmp(place->host, "::1") == 0;
}

static bool overlap(const struct place *one, const struct place *other)
{
	int apart = (int)one->port - (int)other->port;

	return strcmp(one->host, other->host) == 0 && apart > -BUS_PORTS && apart < BUS_PORTS;
}

/* One address by itself. */
static int check_place(const struct config_draft *draft, const struct config *config, size_t index,
		       struct place *place)
{
	if (!bus_address(config, place->name, place->host, &place->port))
		return config_refuse(draft, key_of(index),
				     "%s must be address:port, such as 10.0.0.5:8100 or "
				     "[fd00::5]:8100",
				     place->name);
	if (strcmp(place->host, "0.0.0.0") == 0 || strcmp(place->host, "::") == 0)
		return config_refuse(draft, key_of(index),
				     "%s: others connect to it: name the address they reach",
				     place->name);
	if (place->port > UINT16_MAX - BUS_PORTS + 1)
		return config_refuse(draft, key_of(index),
				     "%s: needs %d ports, so %d is the highest", place->name,
				     BUS_PORTS, UINT16_MAX - BUS_PORTS + 1);
	return 0;
}

static const char *gateways_fault(const char *list)
{
	size_t blanks = 0;

	for (const char *at = list; *at; at++)
		blanks += *at == ' ';
	if (*list == ' ' || strstr(list, "  ") || list[strlen(list) - 1] == ' ')
		return "must have one blank between two addresses, and no other";
	return blanks < BUS_GATEWAYS_MAX ? NULL : "more gateways than scripts/supervise can start";
}

int config_check_bus(const struct config_draft *draft, const struct config *config)
{
	struct place places[BUS_ACTORS_MAX];
	size_t count;

	if (!bus_is_tcp(config) && strcmp(config->bus_transport, "ipc") != 0)
		return config_refuse(draft, KEY_bus_transport, "must be ipc or tcp");
	if (!bus_is_tcp(config))
		return 0;
	if (!*config->bus_curve_dir)
		return config_refuse(draft, KEY_bus_transport,
				     "needs bus.curve_dir beside it, on loopback too; "
				     "`weir keys new` makes keys");
	if (gateways_fault(config->bus_gateways))
		return config_refuse(draft, KEY_bus_gateways, "%s",
				     gateways_fault(config->bus_gateways));
	for (count = 0; bus_actor(config, count, places[count].name); count++) {
		struct place *place = &places[count];
		int r = check_place(draft, config, count, place);

		if (r != 0)
			return r;
		if (is_loopback(place) != is_loopback(&places[0]))
			return config_refuse(draft, key_of(count),
					     "%s: is %son loopback and the registry is%s: one "
					     "could not reach the other",
					     place->name, is_loopback(place) ? "" : "not ",
					     is_loopback(place) ? " not" : "");
		for (size_t i = 0; i < count; i++)
			if (overlap(place, &places[i]))
				return config_refuse(draft, key_of(count),
						     "%s: each needs %d ports, and %s has some of "
						     "these",
						     place->name, BUS_PORTS, places[i].name);
	}
	return 0;
}
