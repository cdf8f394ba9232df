/* SPDX-License-Identifier: MIT */
/* Goal: an address to listen on is a literal one and a port, and nothing that looks like it. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "common/config.h"

struct listen_row {
	char listen[80];
	char host[CONFIG_HOST_SIZE]; /* empty: refused */
	uint16_t port;
};

ParameterizedTestParameters(config_listen, split)
{
	static struct listen_row rows[] = {
		{ "127.0.0.1:8002", "127.0.0.1", 8002 },
		{ "0.0.0.0:1", "0.0.0.0", 1 },
		{ "localhost:65535", "127.0.0.1", 65535 },
		{ "[::1]:8002", "::1", 8002 },
		{ "[::]:80", "::", 80 },
		{ "127.0.0.1:0", "", 0 },
		{ "127.0.0.1:65536", "", 0 },
		{ "127.0.0.1:100000", "", 0 },
		{ "127.0.0.1:-1", "", 0 },
		{ "127.0.0.1:80x", "", 0 },
		{ "127.0.0.1:", "", 0 },
		{ "127.0.0.1", "", 0 },
		{ ":8002", "", 0 },
		{ "[]:8002", "", 0 },
		{ "[::1:8002", "", 0 },
		{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:8002", "", 0 },
		{ "[127.0.0.1]:8002", "", 0 },
		{ "[localhost]:8002", "", 0 },
		{ "::1:8002", "", 0 },
		{ "127.1:8002", "", 0 },
		{ "example.com:8002", "", 0 },
		{ "*:8002", "", 0 },
		{ "", "", 0 },
	};

	return cr_make_param_array(struct listen_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct listen_row *row, config_listen, split)
{
	char host[CONFIG_HOST_SIZE] = "untouched";
	uint16_t port = 7;

	cr_assert_eq(config_split_listen(row->listen, host, &port), *row->host != '\0');
	cr_assert_str_eq(host, *row->host ? row->host : "untouched");
	cr_assert_eq(port, *row->host ? row->port : 7);
}

Test(config_listen, proxies_and_direct_ports_that_fit)
{
	const char *const sets[] = { "gateway.proxies=10.0.0.1, 2001:db8::1,::1",
				     "gateway.direct_base_port=7000", NULL };
	const struct config_source source = { .sets = sets };
	char error[CONFIG_ERROR_SIZE];
	struct config config;

	cr_assert_eq(config_load(&source, &config, error), 0, "%s", error);
	cr_assert_eq(config.gateway_direct_base_port, 7000);
	config_fini(&config);
	config_fini(NULL);
}
