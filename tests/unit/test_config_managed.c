/* SPDX-License-Identifier: MIT */
/* Goal: a provider is chosen as people expect, and a media server that could not work, or would be
 * open to strangers, is refused at the start with the mend.  Method: as test_config.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "common/config.h"

#define SETS_MAX 3

static char error[CONFIG_ERROR_SIZE];
static struct config config;

static int load(char *const *environment, const char *const *sets)
{
	config_fini(&config);
	return config_load(&(struct config_source){ .environment = environment, .sets = sets },
			   &config, error);
}

struct row {
	char sets[SETS_MAX][80];
	char error[300]; /* empty: it is taken */
};

ParameterizedTestParameters(config_managed, listens)
{
	static struct row rows[] = {
		{ { "managed.provider=local" }, "" },
		{ { "managed.provider=cloudflare" }, "" },
		{ { "managed.provider=none" }, "" },
		{ { "managed.provider=none", "managed.listen=0.0.0.0:8004" }, "" },
		{ { "managed.provider=cloudflare", "managed.listen=192.0.2.1:8004" }, "" },
		{ { "managed.provider=local", "managed.listen=[::1]:8004" }, "" },
		{ { "managed.provider=local", "local.rtmp_listen=192.0.2.1:1935" }, "" },
		{ { "managed.provider=local", "local.rtmp_listen=0.0.0.0:1935",
		    "local.public_rtmp_url=rtmp://media.example.com/live" },
		  "" },
		{ { "managed.provider=none", "local.http_listen=0.0.0.0:8005" }, "" },
		{ { "managed.provider=local", "managed.listen=0.0.0.0:8004" },
		  "--set managed.listen=0.0.0.0:8004: must be a loopback address: stream keys "
		  "arrive there" },
		{ { "managed.listen=8004" },
		  "--set managed.listen=8004: must be address:port, such as 127.0.0.1:8002, "
		  "0.0.0.0:8002 or [::1]:8002, with a port from 1 to 65535" },
		{ { "local.rtmp_listen=127.0.0.1:0" },
		  "--set local.rtmp_listen=127.0.0.1:0: must be address:port, such as "
		  "127.0.0.1:8002, 0.0.0.0:8002 or [::1]:8002, with a port from 1 to 65535" },
		{ { "local.http_listen=media:80" },
		  "--set local.http_listen=media:80: must be address:port, such as "
		  "127.0.0.1:8002, 0.0.0.0:8002 or [::1]:8002, with a port from 1 to 65535" },
		{ { "local.control_listen=x:1" },
		  "--set local.control_listen=x:1: must be address:port, such as "
		  "127.0.0.1:8002, 0.0.0.0:8002 or [::1]:8002, with a port from 1 to 65535" },
		{ { "local.control_listen=0.0.0.0:8006" },
		  "--set local.control_listen=0.0.0.0:8006: must be a loopback address: whoever "
		  "reaches it may cut off streams" },
		{ { "local.control_listen=192.0.2.1:8006" },
		  "--set local.control_listen=192.0.2.1:8006: must be a loopback address: whoever "
		  "reaches it may cut off streams" },
		{ { "managed.provider=local", "local.rtmp_listen=0.0.0.0:1935" },
		  "--set local.rtmp_listen=0.0.0.0:1935: needs local.public_rtmp_url beside it: "
		  "what to connect to" },
		{ { "managed.provider=local", "local.http_listen=[::]:8005" },
		  "--set local.http_listen=[::]:8005: needs local.public_http_url beside it: what "
		  "to connect to" },
	};

	return cr_make_param_array(struct row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct row *row, config_managed, listens)
{
	const char *sets[SETS_MAX + 1] = { NULL };
	int r;

	for (size_t i = 0; i < SETS_MAX && row->sets[i][0]; i++)
		sets[i] = row->sets[i];
	r = load(NULL, sets);
	if (row->error[0]) {
		cr_assert_eq(r, CONFIG_E_INVALID, "%s", row->sets[0]);
		cr_assert_str_eq(error, row->error);
	} else {
		cr_assert_eq(r, 0, "%s", error);
	}
	config_fini(&config);
}

/* Both names, neither empty, and nobody who says otherwise. */
Test(config_managed, vendor_is_chosen_by_its_own_names)
{
	char account[] = "CLOUDFLARE_ACCOUNT_ID=a", token[] = "CLOUDFLARE_API_TOKEN=t";
	char empty[] = "CLOUDFLARE_API_TOKEN=", other[] = "WEIR_MANAGED_PROVIDER=none";
	char *const both[] = { account, token, NULL }, *const one[] = { account, NULL };
	char *const half[] = { account, empty, NULL };
	char *const named[] = { token, other, account, NULL };
	const char *const sets[] = { "managed.provider=local", NULL };

	cr_assert_eq(load(both, NULL), 0, "%s", error);
	cr_assert_str_eq(config.managed_provider, "cloudflare");
	cr_assert_eq(load(one, NULL), 0, "%s", error);
	cr_assert_str_eq(config.managed_provider, "local");
	cr_assert_eq(load(half, NULL), 0, "%s", error);
	cr_assert_str_eq(config.managed_provider, "local");
	cr_assert_eq(load(named, NULL), 0, "%s", error);
	cr_assert_str_eq(config.managed_provider, "none");
	cr_assert_eq(load(both, sets), 0, "%s", error);
	cr_assert_str_eq(config.managed_provider, "local");
	config_fini(&config);
}

static void refuse_open_file(const char *key)
{
	char path[] = "/tmp/weir-test-config-secret-XXXXXX", set[120], expected[200];
	const char *const sets[] = { set, NULL };
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	snprintf(set, sizeof set, "%s=%s", key, path);
	snprintf(expected, sizeof expected, "(mode 0640); run: chmod 600 %s", path);
	cr_assert_eq(fchmod(fd, 0640), 0);
	cr_expect_eq(load(NULL, sets), CONFIG_E_INVALID);
	cr_expect(strstr(error, expected), "%s", error);
	cr_assert_eq(fchmod(fd, 0600), 0);
	cr_expect_eq(load(NULL, sets), 0, "%s", error);
	(void)close(fd);
	(void)unlink(path);
	config_fini(&config);
}

Test(config_managed, secrets_are_for_their_owner)
{
	refuse_open_file("cloudflare.api_token_file");
	refuse_open_file("cloudflare.webhook_secret_file");
}
