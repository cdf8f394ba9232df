/* SPDX-License-Identifier: MIT */
/* Goal: a proxy is believed what it has added itself and nothing else, and limits are those of the
 * address that it speaks for.  Method: tables; connections and failures one past their limit.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/gateway/gateway_forwarded.h"

#define PER_ADDRESS 3

static struct gateway_proxies proxies;

static const char *words_of(const uint8_t ip[GATEWAY_ADDRESS_SIZE])
{
	static char words[INET6_ADDRSTRLEN];
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool four = memcmp(ip, mapped, sizeof mapped) == 0;

	return inet_ntop(four ? AF_INET : AF_INET6, ip + (four ? 12 : 0), words, sizeof words);
}

Test(gateway_forwarded, only_what_the_proxies_added_counts)
{
	static const struct {
		const char *header, *address; /* NULL: none */
	} rows[] = {
		{ "203.0.113.5", "203.0.113.5" },
		{ "1.2.3.4, 203.0.113.5", "203.0.113.5" },
		{ "127.0.0.1,203.0.113.5", "203.0.113.5" },
		{ "garbage, 203.0.113.5", "203.0.113.5" },
		{ "203.0.113.5, 10.0.0.1", "203.0.113.5" },
		{ "1.2.3.4, 203.0.113.5 ,\t10.0.0.1, 2001:db8::1", "203.0.113.5" },
		{ "203.0.113.5:1234", "203.0.113.5" },
		{ "[2001:db8::7]:1234", "2001:db8::7" },
		{ "[2001:db8::7]", "2001:db8::7" },
		{ "2001:db8::7", "2001:db8::7" },
		{ "::ffff:203.0.113.5", "203.0.113.5" },
		{ "", NULL },
		{ "10.0.0.1", NULL },
		{ "10.0.0.1, 10.0.0.1", NULL },
		{ "unknown", NULL },
		{ "203.0.113.5, unknown", NULL },
		{ "203.0.113.5, garbage, 10.0.0.1", NULL },
		{ "203.0.113.5,", NULL },
		{ "203.0.113.256", NULL },
		{ "[2001:db8::7", NULL },
		{ "2001:db8::7%eth0", NULL },
		{ "11111111111111111111111111111111111111111111111111", NULL },
	};

	cr_assert(gateway_proxies_read("10.0.0.1, 2001:db8::1", &proxies));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t ip[GATEWAY_ADDRESS_SIZE];
		bool found = gateway_forwarded(
			&proxies, (struct text){ rows[i].header, (uint32_t)strlen(rows[i].header) },
			ip);

		cr_expect_str_eq(found ? words_of(ip) : "none",
				 rows[i].address ? rows[i].address : "none", "%s", rows[i].header);
	}
}

Test(gateway_forwarded, lists_of_proxies)
{
	char list[256] = "";

	cr_expect(gateway_proxies_read("", &proxies) && proxies.count == 0);
	for (unsigned i = 0; i < GATEWAY_PROXIES_MAX; i++)
		(void)snprintf(list + strlen(list), sizeof list - strlen(list), "%s10.0.0.%u",
			       i ? "," : "", i);
	cr_expect(gateway_proxies_read(list, &proxies) && proxies.count == GATEWAY_PROXIES_MAX);
	(void)snprintf(list + strlen(list), sizeof list - strlen(list), ",10.1.0.0");
	cr_expect_not(gateway_proxies_read(list, &proxies), "one more than may be");
	cr_expect_not(gateway_proxies_read("10.0.0.0/8", &proxies));
	cr_expect_not(gateway_proxies_read("proxy.example", &proxies));
	cr_expect_not(gateway_proxies_read("10.0.0.1,", &proxies));
	cr_expect_not(gateway_proxies_read(",10.0.0.1", &proxies));
	cr_expect_eq(proxies.count, GATEWAY_PROXIES_MAX, "a refusal changes nothing");
}

/* ---- what addresses may ---- */

static struct gateway_addresses *addresses_new(void)
{
	size_t bytes = gateway_addresses_bytes(64);
	void *memory = NULL;

	cr_assert_eq(posix_memalign(&memory, 64, bytes), 0);
	memset(memory, 0, bytes);
	return gateway_addresses_init(memory, 64, PER_ADDRESS, 7);
}

static const uint8_t stranger[GATEWAY_ADDRESS_SIZE] = { [10] = 0xff, [11] = 0xff, 203, 0, 113, 5 };
static const uint8_t other[GATEWAY_ADDRESS_SIZE] = { [10] = 0xff, [11] = 0xff, 203, 0, 113, 6 };

Test(gateway_address, connections_of_one_address)
{
	struct gateway_addresses *addresses = addresses_new();
	uint32_t handle = GATEWAY_ADDRESS_NONE;

	for (unsigned i = 0; i < PER_ADDRESS; i++)
		handle = gateway_address_enter(addresses, stranger);
	cr_expect_neq(handle, GATEWAY_ADDRESS_NONE);
	cr_expect_eq(gateway_address_enter(addresses, stranger), GATEWAY_ADDRESS_NONE);
	cr_expect_neq(gateway_address_enter(addresses, other), GATEWAY_ADDRESS_NONE);
	gateway_address_leave(addresses, handle, 0);
	cr_expect_eq(gateway_address_enter(addresses, stranger), handle);
	free(addresses);
}

Test(gateway_address, failures_of_one_address)
{
	struct gateway_addresses *addresses = addresses_new();
	uint32_t handle = gateway_address_enter(addresses, stranger);
	uint32_t innocent = gateway_address_enter(addresses, other);

	for (unsigned i = 0; i < GATEWAY_FAILURES_BURST; i++) {
		cr_assert_not(gateway_address_blocked(addresses, handle, 0), "failure %u", i);
		gateway_address_failed(addresses, handle, 0);
	}
	cr_expect(gateway_address_blocked(addresses, handle, 0));
	cr_expect_not(gateway_address_blocked(addresses, innocent, 0));
	/* To come again is no way around it; to wait is. */
	gateway_address_leave(addresses, handle, 0);
	handle = gateway_address_enter(addresses, stranger);
	cr_expect(gateway_address_blocked(addresses, handle, 0));
	cr_expect_not(
		gateway_address_blocked(addresses, handle, 60000 / GATEWAY_FAILURES_PER_MIN + 1));
	free(addresses);
}

Test(gateway_address, who_is_exempt)
{
	struct gateway_addresses *addresses = addresses_new();
	const uint32_t exempt = gateway_address_exempt();

	for (unsigned i = 0; i < 2 * GATEWAY_FAILURES_BURST; i++)
		gateway_address_failed(addresses, exempt, 0);
	cr_expect_not(gateway_address_blocked(addresses, exempt, 0));
	gateway_address_leave(addresses, exempt, 0);
	free(addresses);
}
