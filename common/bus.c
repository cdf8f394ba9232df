/* SPDX-License-Identifier: MIT */
#include "common/bus.h"

#include <stdio.h>
#include <string.h>

#define GATEWAY_PREFIX "gateway-"
#define BLANK " "

static const struct {
	enum role role;
	size_t offset; /* of the address in struct config */
} singles[] = {
	{ ROLE_REGISTRY, offsetof(struct config, bus_registry) },
	{ ROLE_SCHEDULER, offsetof(struct config, bus_lifecycle_scheduler) },
	{ ROLE_UNMANAGED, offsetof(struct config, bus_unmanaged_adapter) },
	{ ROLE_MANAGED, offsetof(struct config, bus_managed_adapter) },
};

#define SINGLES (sizeof singles / sizeof singles[0])

static const char *const suffixes[BUS_PORTS] = { "inbox", "outbox", "snapshot" };

bool bus_is_tcp(const struct config *config)
{
	return strcmp(config->bus_transport, "tcp") == 0;
}

/* The @index-th address of the list of gateways; empty: there are fewer. */
static struct text gateway_at(const struct config *config, size_t index)
{
	const char *at = config->bus_gateways;

	for (; index > 0 && *at; index--) {
		at += strcspn(at, BLANK);
		at += *at != '\0';
	}
	return (struct text){ at, (uint32_t)strcspn(at, BLANK) };
}

/* "gateway-2" is 1; SIZE_MAX: not the name of a gateway. */
static size_t gateway_index(const char *name)
{
	size_t number = 0;

	if (strncmp(name, GATEWAY_PREFIX, strlen(GATEWAY_PREFIX)) != 0)
		return SIZE_MAX;
	name += strlen(GATEWAY_PREFIX);
	if (*name < '1' || *name > '9' || strlen(name) > 2)
		return SIZE_MAX;
	for (; *name >= '0' && *name <= '9'; name++)
		number = number * 10 + (size_t)(*name - '0');
	return *name == '\0' ? number - 1 : SIZE_MAX;
}

bool bus_actor(const struct config *config, size_t index, char *name)
{
	if (index < SINGLES) {
		(void)snprintf(name, BUS_NAME_SIZE, "%s",
			       words_name(&role_words, singles[index].role));
		return true;
	}
	if (index >= BUS_ACTORS_MAX || gateway_at(config, index - SINGLES).length == 0)
		return false;
	(void)snprintf(name, BUS_NAME_SIZE, GATEWAY_PREFIX "%zu", index - SINGLES + 1);
	return true;
}

enum role bus_role(const char *name)
{
	for (size_t i = 0; i < SINGLES; i++)
		if (strcmp(words_name(&role_words, singles[i].role), name) == 0)
			return singles[i].role;
	return gateway_index(name) == SIZE_MAX ? ROLE_NONE : ROLE_GATEWAY;
}

bool bus_address(const struct config *config, const char *name, char *host, uint16_t *port)
{
	char listen[CONFIG_HOST_SIZE + 8];
	struct text address = { 0 };

	for (size_t i = 0; i < SINGLES; i++)
		if (strcmp(words_name(&role_words, singles[i].role), name) == 0)
			address = text_of(
				*(const char *const *)((const char *)config + singles[i].offset));
	if (gateway_index(name) != SIZE_MAX)
		address = gateway_at(config, gateway_index(name));
	if (address.length == 0 || address.length >= sizeof listen)
		return false;
	(void)text_put(address, listen, sizeof listen);
	return config_split_listen(listen, host, port);
}

bool bus_endpoint(const struct config *config, const char *name, const char *suffix, char *out)
{
	char host[CONFIG_HOST_SIZE];
	uint16_t port;

	if (!bus_address(config, name, host, &port))
		return false;
	for (unsigned i = 0; i < BUS_PORTS; i++) {
		if (strcmp(suffixes[i], suffix) != 0)
			continue;
		(void)snprintf(out, BUS_ENDPOINT_SIZE,
			       strchr(host, ':') ? "tcp://[%s]:%u" : "tcp://%s:%u", host, port + i);
		return true;
	}
	return false;
}
