/* SPDX-License-Identifier: MIT */
#include "actors/gateway/gateway_address.h"

#include <assert.h>

#include "actors/gateway/gateway_rate.h"
#include "common/table.h"

#define ALIGNMENT 64
#define LOOPBACK 0 /* handle of all loopback addresses together */

static const struct gateway_rate failures = {
	.cost = 60000 / GATEWAY_FAILURES_PER_MIN,
	.burst = GATEWAY_FAILURES_BURST,
};

/* In use while it has connections; remembered while its failures count. */
struct address {
	uint8_t ip[GATEWAY_ADDRESS_SIZE];
	uint32_t connections;
	uint32_t next, previous; /* among the remembered, oldest first; next: among the free */
	int64_t failures_free_ms;
};

struct gateway_addresses {
	struct table index;
	struct address *items; /* the first is LOOPBACK */
	uint32_t capacity, per_address_max;
	uint32_t free, unused; /* unused: first slot never used */
	uint32_t oldest, newest; /* of the remembered */
};

static size_t items_bytes(uint32_t capacity)
{
	return (capacity * sizeof(struct address) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t head_bytes(void)
{
	return (sizeof(struct gateway_addresses) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t gateway_addresses_bytes(uint32_t connections_max)
{
	return head_bytes() + items_bytes(connections_max + 1) + table_bytes(connections_max + 1);
}

static struct text key_of(const uint8_t *ip)
{
	return (struct text){ (const char *)ip, GATEWAY_ADDRESS_SIZE };
}

static bool match(const void *context, uint32_t slot, struct text key)
{
	const struct gateway_addresses *self = context;

	return memcmp(self->items[slot].ip, key.bytes, GATEWAY_ADDRESS_SIZE) == 0;
}

struct gateway_addresses *gateway_addresses_init(void *memory, uint32_t connections_max,
						 uint32_t per_address_max, uint64_t seed)
{
	struct gateway_addresses *self = memory;
	uint8_t *bytes = memory;

	self->capacity = connections_max + 1;
	self->per_address_max = per_address_max;
	self->items = (struct address *)(bytes + head_bytes());
	self->free = self->oldest = self->newest = GATEWAY_ADDRESS_NONE;
	self->unused = LOOPBACK + 1;
	table_init(&self->index, bytes + head_bytes() + items_bytes(self->capacity), self->capacity,
		   (struct table_keys){ match, self, seed });
	return self;
}

static bool is_loopback(const uint8_t *ip)
{
	static const uint8_t six[GATEWAY_ADDRESS_SIZE] = { [15] = 1 };
	static const uint8_t four[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

	return memcmp(ip, six, sizeof six) == 0 || memcmp(ip, four, sizeof four) == 0;
}

static void recall(struct gateway_addresses *self, struct address *address)
{
	if (address->previous == GATEWAY_ADDRESS_NONE)
		self->oldest = address->next;
	else
		self->items[address->previous].next = address->next;
	if (address->next == GATEWAY_ADDRESS_NONE)
		self->newest = address->previous;
	else
		self->items[address->next].previous = address->previous;
}

static void remember(struct gateway_addresses *self, uint32_t slot)
{
	struct address *address = &self->items[slot];

	address->previous = self->newest;
	address->next = GATEWAY_ADDRESS_NONE;
	if (self->newest == GATEWAY_ADDRESS_NONE)
		self->oldest = slot;
	else
		self->items[self->newest].next = slot;
	self->newest = slot;
}

static void forget(struct gateway_addresses *self, uint32_t slot)
{
	(void)table_remove(&self->index, key_of(self->items[slot].ip));
	self->items[slot] = (struct address){ .next = self->free };
	self->free = slot;
}

static uint32_t slot_for(struct gateway_addresses *self)
{
	uint32_t slot;

	if (self->free == GATEWAY_ADDRESS_NONE && self->unused < self->capacity)
		return self->unused++;
	if (self->free == GATEWAY_ADDRESS_NONE && self->oldest != GATEWAY_ADDRESS_NONE) {
		slot = self->oldest;
		recall(self, &self->items[slot]);
		forget(self, slot);
	}
	slot = self->free;
	if (slot != GATEWAY_ADDRESS_NONE)
		self->free = self->items[slot].next;
	return slot;
}

uint32_t gateway_address_enter(struct gateway_addresses *self,
			       const uint8_t ip[GATEWAY_ADDRESS_SIZE])
{
	if (is_loopback(ip))
		return LOOPBACK;
	uint32_t slot = table_find(&self->index, key_of(ip));

	if (slot == TABLE_NONE) {
		slot = slot_for(self);
		if (slot == GATEWAY_ADDRESS_NONE)
			return GATEWAY_ADDRESS_NONE;
		self->items[slot] = (struct address){ 0 };
		memcpy(self->items[slot].ip, ip, GATEWAY_ADDRESS_SIZE);
		(void)table_insert(&self->index, key_of(ip), slot); /* as large as the items */
	} else if (self->items[slot].connections == 0) {
		recall(self, &self->items[slot]);
	} else if (self->items[slot].connections >= self->per_address_max) {
		return GATEWAY_ADDRESS_NONE;
	}
	self->items[slot].connections++;
	return slot;
}

uint32_t gateway_address_exempt(void)
{
	return LOOPBACK;
}

void gateway_address_leave(struct gateway_addresses *self, uint32_t handle, int64_t now_ms)
{
	struct address *address = &self->items[handle];

	if (handle == LOOPBACK)
		return;
	assert(address->connections > 0);
	if (--address->connections > 0)
		return;
	if (address->failures_free_ms > now_ms)
		remember(self, handle);
	else
		forget(self, handle);
}

void gateway_address_failed(struct gateway_addresses *self, uint32_t handle, int64_t now_ms)
{
	if (handle != LOOPBACK)
		(void)gateway_rate_take(failures, &self->items[handle].failures_free_ms, now_ms);
}

bool gateway_address_blocked(const struct gateway_addresses *self, uint32_t handle, int64_t now_ms)
{
	int64_t free_ms = self->items[handle].failures_free_ms;

	return handle != LOOPBACK && gateway_rate_take(failures, &free_ms, now_ms) > 0;
}
