/* SPDX-License-Identifier: MIT */
/* gateway_address.h - where connections come from: how many each address has, and how often its
 * credentials were wrong.  Pure; memory from the caller.  Loopback has no limits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATEWAY_ADDRESS_SIZE 16 /* IPv6; IPv4 as ::ffff:a.b.c.d */
#define GATEWAY_ADDRESS_NONE UINT32_MAX
#define GATEWAY_FAILURES_PER_MIN 30 /* wrong tokens and keys of one address */
#define GATEWAY_FAILURES_BURST 20

struct gateway_addresses;

/* gateway_addresses_bytes() - memory for @connections_max connections. */
size_t gateway_addresses_bytes(uint32_t connections_max);

/* gateway_addresses_init() - in @memory: zeroed, aligned to 64, borrowed for its life. */
struct gateway_addresses *gateway_addresses_init(void *memory, uint32_t connections_max,
						 uint32_t per_address_max, uint64_t seed);

/* gateway_address_enter() - one more connection from @ip.
 *
 * Return: its handle, or GATEWAY_ADDRESS_NONE if it has as many as it may.
 */
uint32_t gateway_address_enter(struct gateway_addresses *self,
			       const uint8_t ip[GATEWAY_ADDRESS_SIZE]);

/* gateway_address_exempt() - the handle of those without limits: to be given back as any other. */
uint32_t gateway_address_exempt(void);

/* gateway_address_leave() - one less. */
void gateway_address_leave(struct gateway_addresses *self, uint32_t handle, int64_t now_ms);

/* gateway_address_failed() - a wrong token or key came from there. */
void gateway_address_failed(struct gateway_addresses *self, uint32_t handle, int64_t now_ms);

/* gateway_address_blocked() - so many did that none is looked at for now. */
bool gateway_address_blocked(const struct gateway_addresses *self, uint32_t handle, int64_t now_ms);
