/* SPDX-License-Identifier: MIT */
/* gateway_forwarded.h - whom a proxy in front speaks for.  Pure.
 *
 * Only proxies that the configuration names are believed, and of the list that X-Forwarded-For has
 * become on its way only what they themselves have added: anybody can write what stands before it.
 */
#pragma once

#include <stdbool.h>

#include "actors/gateway/gateway_address.h"
#include "proto/text.h"

#define GATEWAY_PROXIES_MAX 16

struct gateway_proxies {
	uint32_t count;
	uint8_t items[GATEWAY_PROXIES_MAX][GATEWAY_ADDRESS_SIZE];
};

/* gateway_proxies_read() - from "10.0.0.1, 2001:db8::1"; false if it is not that, or more than may
 * be. */
bool gateway_proxies_read(const char *list, struct gateway_proxies *out);

bool gateway_proxies_have(const struct gateway_proxies *proxies,
			  const uint8_t ip[GATEWAY_ADDRESS_SIZE]);

/* gateway_forwarded() - the last address in @header that is none of @proxies.
 *
 * Return: false if there is none, or something else stands there.
 */
bool gateway_forwarded(const struct gateway_proxies *proxies, struct text header,
		       uint8_t ip[GATEWAY_ADDRESS_SIZE]);
