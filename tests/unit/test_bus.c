/* SPDX-License-Identifier: MIT */
/* Goal: every socket of every process has its address, no two of them the same, and addresses that
 * cannot work are refused with the mend.  Method: configurations from --set.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "common/bus.h"

static struct config config;
static char error[CONFIG_ERROR_SIZE];

static int load(const char *set)
{
	const char *const sets[] = { "bus.transport=tcp", "bus.curve_dir=/tmp", set, NULL };

	return config_load(&(struct config_source){ .sets = sets }, &config, error);
}

static void expect_endpoint(const char *name, const char *suffix, const char *expected)
{
	char endpoint[BUS_ENDPOINT_SIZE] = "none";

	(void)bus_endpoint(&config, name, suffix, endpoint);
	cr_expect_str_eq(endpoint, expected);
}

Test(bus, ipc_is_the_default)
{
	cr_assert_eq(config_load(&(struct config_source){ 0 }, &config, error), 0);
	cr_assert_not(bus_is_tcp(&config));
	config_fini(&config);
}

Test(bus, sockets_of_one_process_have_neighbouring_ports)
{
	cr_assert_eq(load("bus.gateways=127.0.0.1:9000 127.0.0.1:9003"), 0, "%s", error);
	cr_assert(bus_is_tcp(&config));
	expect_endpoint("registry", "inbox", "tcp://127.0.0.1:8100");
	expect_endpoint("registry", "outbox", "tcp://127.0.0.1:8101");
	expect_endpoint("registry", "snapshot", "tcp://127.0.0.1:8102");
	expect_endpoint("lifecycle-scheduler", "inbox", "tcp://127.0.0.1:8104");
	expect_endpoint("unmanaged-adapter", "inbox", "tcp://127.0.0.1:8108");
	expect_endpoint("managed-adapter", "outbox", "tcp://127.0.0.1:8113");
	expect_endpoint("gateway-1", "inbox", "tcp://127.0.0.1:9000");
	expect_endpoint("gateway-2", "outbox", "tcp://127.0.0.1:9004");
	expect_endpoint("gateway-3", "inbox", "none");
	expect_endpoint("gateway-0", "inbox", "none");
	expect_endpoint("gateway-01", "inbox", "none");
	expect_endpoint("gateway", "inbox", "none");
	expect_endpoint("registry", "monitor", "none");
	config_fini(&config);
}

Test(bus, six_has_brackets)
{
	cr_assert_eq(load("bus.registry=[::1]:7000"), 0, "%s", error);
	expect_endpoint("registry", "inbox", "tcp://[::1]:7000");
	config_fini(&config);
}

Test(bus, all_processes_are_listed)
{
	static const char *const names[] = { "registry",	  "lifecycle-scheduler",
					     "unmanaged-adapter", "managed-adapter",
					     "gateway-1",	  "gateway-2" };
	char name[BUS_NAME_SIZE], endpoint[BUS_ENDPOINT_SIZE];
	size_t count = sizeof names / sizeof names[0];

	cr_assert_eq(load("bus.gateways=127.0.0.1:9000 127.0.0.1:9003"), 0);
	for (size_t i = 0; i < count; i++) {
		cr_assert(bus_actor(&config, i, name));
		cr_expect_str_eq(name, names[i]);
	}
	cr_assert_not(bus_actor(&config, count, name));
	cr_assert(bus_endpoint(&config, "gateway-2", "inbox", endpoint));
	cr_assert_not(bus_endpoint(&config, "gateway-3", "inbox", endpoint));
	config_fini(&config);
}

Test(bus, names_say_what_they_are)
{
	cr_expect_eq(bus_role("managed-adapter"), ROLE_MANAGED);
	cr_expect_eq(bus_role("gateway-64"), ROLE_GATEWAY);
	cr_expect_eq(bus_role("gateway-100"), ROLE_NONE);
	cr_expect_eq(bus_role("gateway-x"), ROLE_NONE);
	cr_expect_eq(bus_role("gateway-1x"), ROLE_NONE);
	cr_expect_eq(bus_role("gateway-1."), ROLE_NONE);
	cr_expect_eq(bus_role("operator"), ROLE_NONE);
	cr_expect_eq(bus_role(""), ROLE_NONE);
}

struct refusal {
	char given[80];
	char error[240];
};

ParameterizedTestParameters(bus, addresses_are_refused)
{
	static struct refusal rows[] = {
		{ "bus.registry=8100", "registry must be address:port, such as 10.0.0.5:8100" },
		{ "bus.registry=example.com:8100", "registry must be address:port" },
		{ "bus.registry=0.0.0.0:8100", "registry: others connect to it: name the address" },
		{ "bus.registry=[::]:8100", "registry: others connect to it: name the address" },
		{ "bus.registry=127.0.0.1:65534",
		  "registry: needs 3 ports, so 65533 is the highest" },
		{ "bus.managed_adapter=127.0.0.1:8102",
		  "managed-adapter: each needs 3 ports, and registry has some of these" },
		{ "bus.managed_adapter=127.0.0.1:8098",
		  "managed-adapter: each needs 3 ports, and registry has some of these" },
		{ "bus.managed_adapter=10.0.0.1:8112",
		  "managed-adapter: is not on loopback and the registry is: one could" },
		{ "bus.gateways=127.0.0.1:9000 127.0.0.1:9002",
		  "gateway-2: each needs 3 ports, and gateway-1 has some of these" },
		{ "bus.gateways=127.0.0.1:9000  127.0.0.1:9003", "must have one blank between" },
		{ "bus.gateways= 127.0.0.1:9000", "must have one blank between" },
		{ "bus.gateways=127.0.0.1:9000 ", "must have one blank between" },
		{ "bus.gateways=127.0.0.1:9000,127.0.0.1:9003", "gateway-1 must be address:port" },
	};

	return cr_make_param_array(struct refusal, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct refusal *row, bus, addresses_are_refused)
{
	cr_assert_eq(load(row->given), CONFIG_E_INVALID, "%s", row->given);
	cr_assert(strstr(error, row->error), "%s", error);
	cr_assert(strstr(error, "--set bus."), "%s", error);
}

Test(bus, a_registry_elsewhere_reaches_nobody_on_loopback)
{
	cr_assert_eq(load("bus.registry=10.0.0.1:8112"), CONFIG_E_INVALID);
	cr_assert(strstr(error, "lifecycle-scheduler: is on loopback and the registry is not: one"),
		  "%s", error);
}

Test(bus, one_gateway_too_many_is_refused)
{
	char set[2048] = "bus.gateways=";

	for (unsigned i = 0; i < BUS_GATEWAYS_MAX; i++)
		(void)snprintf(set + strlen(set), sizeof set - strlen(set), "%s127.0.0.1:%u",
			       i ? " " : "", 9000 + i * BUS_PORTS);
	cr_assert_eq(load(set), 0, "%s", error);
	config_fini(&config);
	(void)snprintf(set + strlen(set), sizeof set - strlen(set), " 127.0.0.1:20000");
	cr_assert_eq(load(set), CONFIG_E_INVALID);
	cr_assert(strstr(error, "more gateways than"), "%s", error);
}
