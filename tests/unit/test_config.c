/* SPDX-License-Identifier: MIT */
/* Goal: what starts is what was meant.  Every source and its precedence, every bound and one past
 * it, every rule with the text people see.  Method: a scratch directory per test, error texts
 * compared whole.  The form of the file is test_ini.c's.
 */
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "common/config.h"

static char directory[] = "/tmp/weir-test-config-XXXXXX";
static char error[CONFIG_ERROR_SIZE];
static struct config config;

static void setup(void)
{
	cr_assert(mkdtemp(directory));
	cr_assert_eq(chdir(directory), 0);
}

static void teardown(void)
{
	static const char *const names[] = { "weir.conf", "file", "secrets", "key", "pipe" };

	config_fini(&config);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlink(names[i]);
	(void)rmdir("locked");
	(void)rmdir(directory);
}

TestSuite(config, .init = setup, .fini = teardown);

static void write_file(const char *name, const char *content, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	cr_assert_eq(fchmod(fd, mode), 0);
	cr_assert_eq(close(fd), 0);
}

static int load(const char *file, const char *variable, const char *set)
{
	char *const environment[] = { (char *)(uintptr_t)variable, NULL };
	const char *const sets[] = { set, NULL };
	const struct config_source source = { .file = file,
					      .environment = variable ? environment : NULL,
					      .sets = set ? sets : NULL };

	config_fini(&config);
	return config_load(&source, &config, error);
}

static int load_text(const char *text)
{
	write_file("weir.conf", text, 0644);
	return load("weir.conf", NULL, NULL);
}

Test(config, defaults_are_the_table)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	cr_assert_eq(load(NULL, NULL, NULL), 0, "%s", error);
	cr_assert_str_empty(error);
	cr_assert_eq(config.unmanaged_keepalive_interval_ms, 15000);
	cr_assert_eq(config.unmanaged_ack_timeout_ms, 10000);
	cr_assert_eq(config.unmanaged_missed_max, 3);
	cr_assert_str_eq(config.gateway_listen, "127.0.0.1:8002");
	for (size_t i = 0; i < count; i++) {
		const void *member = (const char *)&config + keys[i].offset;

		if (keys[i].type == CONFIG_INT)
			cr_assert_eq(*(const int64_t *)member, atoll(keys[i].otherwise), "%s",
				     keys[i].name);
		else if (keys[i].type != CONFIG_BOOL)
			cr_assert_str_eq(*(const char *const *)member, keys[i].otherwise);
	}
}

Test(config, later_sources_win)
{
	write_file("weir.conf", "[gateway]\nstarts_burst = 2\n[log]\nlevel = warn\n", 0644);
	cr_assert_eq(load("weir.conf", NULL, NULL), 0, "%s", error);
	cr_assert_eq(config.gateway_starts_burst, 2);
	cr_assert_str_eq(config.log_level, "warn");
	cr_assert_eq(load("weir.conf", "WEIR_GATEWAY_STARTS_BURST=3", NULL), 0, "%s", error);
	cr_assert_eq(config.gateway_starts_burst, 3);
	cr_assert_eq(load("weir.conf", "WEIR_GATEWAY_STARTS_BURST=3", "gateway.starts_burst=4"), 0);
	cr_assert_eq(config.gateway_starts_burst, 4);
	cr_assert_str_eq(config.log_level, "warn");
}

Test(config, of_two_sets_the_last_counts)
{
	const char *const sets[] = { "log.level=warn", "log.level=error", NULL };
	const struct config_source source = { .sets = sets };

	cr_assert_eq(config_load(&source, &config, error), 0, "%s", error);
	cr_assert_str_eq(config.log_level, "error");
}

Test(config, nothing_is_written_on_refusal)
{
	struct config before = { .gateway_starts_burst = 42 };
	const char *const sets[] = { "log.level=loud", NULL };
	const struct config_source source = { .sets = sets };

	cr_assert_eq(config_load(&source, &before, error), CONFIG_E_INVALID);
	cr_assert_eq(before.gateway_starts_burst, 42);
}

static int try_number(const struct config_key *key, const char *sign, uint64_t value)
{
	char set[128];

	(void)snprintf(set, sizeof set, "%s.%s=%s%" PRIu64, key->section, key->name, sign, value);
	return load(NULL, NULL, set);
}

/* A value in bounds may still be refused by a rule between two keys. */
static bool is_bound_refused(const struct config_key *key)
{
	char text[64];

	(void)snprintf(text, sizeof text, ": must be %" PRId64, key->min);
	return strstr(error, text);
}

Test(config, every_number_has_its_bounds)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		const struct config_key *key = &keys[i];

		if (key->type != CONFIG_INT)
			continue;
		cr_assert_leq(key->min, key->max);
		cr_expect_eq(try_number(key, "", (uint64_t)key->max + 1), CONFIG_E_INVALID);
		cr_expect(is_bound_refused(key), "%s", error);
		if (key->min > 0)
			cr_expect_eq(try_number(key, "", (uint64_t)key->min - 1), CONFIG_E_INVALID);
		else
			cr_expect_eq(try_number(key, "-", 1), CONFIG_E_INVALID);
		cr_expect(is_bound_refused(key), "%s", error);
		(void)try_number(key, "", (uint64_t)key->min);
		cr_expect(!is_bound_refused(key), "%s", error);
		(void)try_number(key, "", (uint64_t)key->max);
		cr_expect(!is_bound_refused(key), "%s", error);
	}
}

Test(config, every_text_has_its_bounds)
{
	size_t count;
	const struct config_key *keys = config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		char set[5000], expected[64];
		int used = snprintf(set, sizeof set, "%s.%s=", keys[i].section, keys[i].name);

		if (keys[i].type != CONFIG_STR && keys[i].type != CONFIG_FILE &&
		    keys[i].type != CONFIG_DIR)
			continue;
		(void)snprintf(expected, sizeof expected, "has %" PRId64 " bytes: must be ",
			       keys[i].max + 1);
		memset(set + used, 'x', (size_t)keys[i].max + 1);
		set[used + keys[i].max + 1] = '\0';
		cr_expect_eq(load(NULL, NULL, set), CONFIG_E_INVALID);
		cr_expect(strstr(error, expected), "%s", error);
		set[used + keys[i].max] = '\0';
		(void)load(NULL, NULL, set);
		cr_expect(!strstr(error, " bytes: must be "), "%s", error);
		if (keys[i].min == 0)
			continue;
		set[used + keys[i].min - 1] = '\0';
		cr_expect_eq(load(NULL, NULL, set), CONFIG_E_INVALID);
		cr_expect(strstr(error, " bytes: must be "), "%s", error);
	}
}

struct refusal {
	char given[160];
	char error[300];
};

ParameterizedTestParameters(config, set_is_refused)
{
#define LONG "a_word_that_is_longer_than_any_other_one"
	static struct refusal rows[] = {
		{ "gateway", "--set gateway: must be section.key=value" },
		{ "gateway.listen", "--set gateway.listen: must be section.key=value" },
		{ ".x=1", "--set .x=1: must be section.key=value" },
		{ "a.=1", "--set a.=1: must be section.key=value" },
		{ "gateway=a.b", "--set gateway=a.b: must be section.key=value" },
		{ "gatway.listen=x", "--set [gatway]: unknown section; did you mean [gateway]?" },
		{ "zzz.listen=x", "--set [zzz]: unknown section; deploy/weir.conf shows them all" },
		{ "gateway.lisen=x",
		  "--set gateway.lisen: unknown key; did you mean gateway.listen?" },
		{ "gateway.store=memory",
		  "--set gateway.store: unknown key; did you mean registry.store?" },
		{ "managed.mised_max=1",
		  "--set managed.mised_max: unknown key; did you mean managed.missed_max?" },
		{ "gateway.Listen=x",
		  "--set gateway.Listen: unknown key; did you mean gateway.listen?" },
		{ "gateway.qqqq=x",
		  "--set gateway.qqqq: unknown key; deploy/weir.conf shows them all" },
		{ "unmanaged.missed_max=0", "--set unmanaged.missed_max=0: must be 1 to 100" },
		{ "unmanaged.missed_max=99999999999999999999999",
		  "--set unmanaged.missed_max=99999999999999999999999: must be 1 to 100" },
		{ "unmanaged.missed_max=3x", "--set unmanaged.missed_max=3x: must be a whole "
					     "number without a unit, 1 to 100" },
		{ "unmanaged.missed_max=",
		  "--set unmanaged.missed_max=: must be a whole number without a unit, 1 to 100" },
		{ "unmanaged.missed_max= 3", "--set unmanaged.missed_max= 3: must be a whole "
					     "number without a unit, 1 to 100" },
		{ "unmanaged.missed_max=+3", "--set unmanaged.missed_max=+3: must be a whole "
					     "number without a unit, 1 to 100" },
		{ "unmanaged.missed_max=0x3", "--set unmanaged.missed_max=0x3: must be a whole "
					      "number without a unit, 1 to 100" },
		{ "registry.shards=2", "--set registry.shards=2: must be 1" },
		{ "registry.store=etcd:x",
		  "--set registry.store=etcd:x: must be sqlite:PATH or memory" },
		{ "registry.store=sqlite:",
		  "--set registry.store=sqlite:: must be sqlite:PATH or memory" },
		{ "managed.provider=aws",
		  "--set managed.provider=aws: must be local, cloudflare or none" },
		{ "log.level=loud", "--set log.level=loud: must be error, warn, info or debug" },
		{ "log.level=inf\x1b", "--set log.level=inf\\u001b: holds a control byte or is not "
				       "UTF-8" },
		{ "log.level=inf\x7f", "--set log.level=inf\\u007f: holds a control byte or is not "
				       "UTF-8" },
		{ "gateway.behind_proxy=maybe",
		  "--set gateway.behind_proxy=maybe: must be true or false" },
		{ LONG LONG ".x=1",
		  "--set [" LONG LONG "]: unknown section; deploy/weir.conf shows them all" },
		{ "gateway." LONG LONG "=x",
		  "--set gateway." LONG LONG "=x: must be section.key=value" },
		{ "log.level=inf\xff", "--set log.level=inf\\ufffd: holds a control byte or is not "
				       "UTF-8" },
	};

	return cr_make_param_array(struct refusal, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct refusal *row, config, set_is_refused)
{
	cr_assert_eq(load(NULL, NULL, row->given), CONFIG_E_INVALID, "%s", row->given);
	cr_assert_str_eq(error, row->error);
}

ParameterizedTestParameters(config, combination_is_refused)
{
	static struct refusal rows[] = {
		{ "unmanaged.ack_timeout_ms=15000",
		  "--set unmanaged.ack_timeout_ms=15000: must be less than "
		  "unmanaged.keepalive_interval_ms (default 15000)" },
		{ "managed.keepalive_interval_ms=10000",
		  "--set managed.keepalive_interval_ms=10000: must be more than "
		  "managed.ack_timeout_ms (default 10000)" },
		{ "gateway.lease_ms=1000", "--set gateway.lease_ms=1000: must be more than "
					   "gateway.beat_ms (default 1000)" },
		{ "gateway.beat_ms=5000", "--set gateway.beat_ms=5000: must be less than "
					  "gateway.lease_ms (default 5000)" },
		{ "gateway.blind_max_ms=5000", "--set gateway.blind_max_ms=5000: must be more than "
					       "gateway.lease_ms (default 5000)" },
		{ "session.glasses_pong_ms=10000",
		  "--set session.glasses_pong_ms=10000: must be more than session.glasses_ping_ms "
		  "(default 10000)" },
		{ "gateway.listen=8002",
		  "--set gateway.listen=8002: must be address:port, such as 127.0.0.1:8002, "
		  "0.0.0.0:8002 or [::1]:8002, with a port from 1 to 65535" },
		{ "gateway.direct_base_port=8000",
		  "--set gateway.direct_base_port=8000: gateway-2 would take the shared port of "
		  "gateway.listen; keep it out of 8001 to 8064" },
		{ "gateway.public_url=http://x",
		  "--set gateway.public_url=http://x: must be ws://host[:port] or "
		  "wss://host[:port]" },
		{ "gateway.public_url=wss://", "--set gateway.public_url=wss://: must be "
					       "ws://host[:port] or wss://host[:port]" },
		{ "gateway.tls_cert_file=/dev/null",
		  "--set gateway.tls_cert_file=/dev/null: needs gateway.tls_key_file beside it" },
		{ "gateway.tls_key_file=/dev/null",
		  "--set gateway.tls_key_file=/dev/null: needs gateway.tls_cert_file beside it" },
		{ "gateway.listen=0.0.0.0:8002",
		  "--set gateway.listen=0.0.0.0:8002: needs gateway.tls_cert_file beyond loopback; "
		  "or set gateway.behind_proxy = true if a proxy in front ends TLS" },
		{ "gateway.listen=[::]:8002",
		  "--set gateway.listen=[::]:8002: needs gateway.tls_cert_file beyond loopback; "
		  "or set gateway.behind_proxy = true if a proxy in front ends TLS" },
		{ "gateway.proxies=10.0.0.0/8",
		  "--set gateway.proxies=10.0.0.0/8: must be at most 16 addresses with commas "
		  "between them, such as 10.0.0.1, 2001:db8::1" },
		{ "gateway.proxies=10.0.0.1 10.0.0.2",
		  "--set gateway.proxies=10.0.0.1 10.0.0.2: has \"10.0.0.2\" behind an address" },
		{ "gateway.proxies=2001:0db8:0000:0000:0000:0000:0000:0000:0000:0001",
		  "--set gateway.proxies=2001:0db8:0000:0000:0000:0000:0000:0000:0000:0001: must "
		  "be "
		  "at most 16 addresses with commas between them, such as 10.0.0.1, 2001:db8::1" },
		{ "gateway.proxies=::1,::2,::3,::4,::5,::6,::7,::8,::9,::a,::b,::c,::d,::e,::f,"
		  "::10,::11",
		  "--set gateway.proxies=::1,::2,::3,::4,::5,::6,::7,::8,::9,::a,::b,::c,::d,::e,"
		  "::f,::10,::11: must be at most 16 addresses with commas between them, such as "
		  "10.0.0.1, 2001:db8::1" },
		{ "gateway.proxies=10.0.0.1,",
		  "--set gateway.proxies=10.0.0.1,: has \",\" behind an address" },
		{ "gateway.apps_file=/nowhere/apps",
		  "--set gateway.apps_file=/nowhere/apps: No such file or directory; create it, or "
		  "leave the key empty" },
		{ "gateway.apps_file=/tmp", "--set gateway.apps_file=/tmp: is not a regular file" },
		{ "bus.curve_dir=/dev/null", "--set bus.curve_dir=/dev/null: is not a directory" },
		{ "bus.transport=udp", "--set bus.transport=udp: must be ipc or tcp" },
		{ "bus.transport=tcp", "--set bus.transport=tcp: needs bus.curve_dir beside it, on "
				       "loopback too; `weir keys new` makes keys" },
	};

	return cr_make_param_array(struct refusal, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct refusal *row, config, combination_is_refused)
{
	cr_assert_eq(load(NULL, NULL, row->given), CONFIG_E_INVALID, "%s", row->given);
	cr_assert_str_eq(error, row->error);
}

ParameterizedTestParameters(config, file_is_refused)
{
	static struct refusal rows[] = {
		{ "[unmanaged]\n\nmissed_max = 0\n",
		  "weir.conf:3: unmanaged.missed_max = 0: must be 1 to 100" },
		{ "[unmanaged]\nmissed_max = 3\nmissed_max = 4\n",
		  "weir.conf:3: the key is there already in this section; delete one of the two" },
		{ "[log]\nlevel = info\nLEVEL = info\n",
		  "weir.conf:3: the key is there already in this section; delete one of the two" },
		{ "[log]\n[run]\n[log]\n",
		  "weir.conf:3: section [log] is there already, at line 1; join the two" },
		{ "\n[logs]\n", "weir.conf:2: [logs]: unknown section; did you mean [log]?" },
		{ "[log]\n# x\nlevle = info\n",
		  "weir.conf:3: log.levle: unknown key; did you mean log.level?" },
		{ "level = info\n[log]\n", "weir.conf:1: stands before the first [section]" },
		{ "[log]\nlevel = info # loud\n",
		  "weir.conf:2: log.level = info # loud: a comment needs a line of its own" },
		{ "[log]\nlevel = \"info\"\n",
		  "weir.conf:2: log.level = \\\"info\\\": write the value without quotes" },
		{ "[log]\nlevel = info ; loud\n",
		  "weir.conf:2: log.level = info ; loud: a comment needs a line of its own" },
		{ "[log]\nlevel = \"\n",
		  "weir.conf:2: log.level = \\\": has 1 bytes: must be 4 to 8" },
		{ "[gateway]\nbeat_ms = 2000\nlease_ms = 2000\n",
		  "weir.conf:2: gateway.beat_ms = 2000: must be less than gateway.lease_ms "
		  "(2000)" },
		{ "[gateway]\napps_file = apps\n",
		  "weir.conf:2: gateway.apps_file = apps: No such file or directory; create it, or "
		  "leave the key empty" },
	};

	return cr_make_param_array(struct refusal, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct refusal *row, config, file_is_refused)
{
	cr_assert_eq(load_text(row->given), CONFIG_E_INVALID, "%s", row->given);
	cr_assert_str_eq(error, row->error);
}

ParameterizedTestParameters(config, variable_is_refused)
{
	static struct refusal rows[] = {
		{ "WEIR_UNMANAGED_MISSED_MAX=0", "WEIR_UNMANAGED_MISSED_MAX=0: must be 1 to 100" },
		{ "WEIR_GATEWAY_LISEN=x",
		  "WEIR_GATEWAY_LISEN: unknown key; did you mean WEIR_GATEWAY_LISTEN?" },
		{ "WEIR_LOG_QQQQ=x",
		  "WEIR_LOG_QQQQ: unknown key; deploy/weir.conf shows them all" },
		{ "CLOUD_PUBLIC_HOST_NAME=a\nb",
		  "CLOUD_PUBLIC_HOST_NAME=wss://a\\u000ab: holds a control byte or is not UTF-8" },
	};

	return cr_make_param_array(struct refusal, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct refusal *row, config, variable_is_refused)
{
	cr_assert_eq(load(NULL, row->given, NULL), CONFIG_E_INVALID, "%s", row->given);
	cr_assert_str_eq(error, row->error);
}

Test(config, variables_of_the_scripts_are_not_ours)
{
	char *const environment[] = { "WEIR_BIN_DIR=/x",       "WEIR_LOG_PREFIX=1",
				      "WEIR_STOP_TIMEOUT_MS=", "WEIRD=1",
				      "WEIR_GATEWAY",	       "weir_gateway_lisen=1",
				      "WEIR_RUN_DIR=/run/x",   NULL };
	const struct config_source source = { .environment = environment };

	cr_assert_eq(config_load(&source, &config, error), 0, "%s", error);
	cr_assert_str_eq(config.run_dir, "/run/x");
}

Test(config, the_original_host_name_is_honoured)
{
	char *const environment[] = { "WEIR_GATEWAY_PUBLIC_URL=ws://ours",
				      "CLOUD_PUBLIC_HOST_NAME=theirs", NULL };
	const struct config_source source = { .environment = environment };

	cr_assert_eq(load(NULL, "CLOUD_PUBLIC_HOST_NAME=cloud.example", NULL), 0, "%s", error);
	cr_assert_str_eq(config.gateway_public_url, "wss://cloud.example");
	cr_assert_eq(load(NULL, "CLOUD_PUBLIC_HOST_NAME=", NULL), 0, "%s", error);
	cr_assert_str_empty(config.gateway_public_url, "as if it were not set");
	config_fini(&config);
	cr_assert_eq(config_load(&source, &config, error), 0, "%s", error);
	cr_assert_str_eq(config.gateway_public_url, "ws://ours");
}

Test(config, lines_may_end_as_elsewhere)
{
	cr_assert_eq(load_text("# c\r\n\r\n[log]\r\nlevel\t=  debug \r\n; c\r\n[run]"), 0, "%s",
		     error);
	cr_assert_str_eq(config.log_level, "debug");
	cr_assert_eq(load_text(""), 0, "%s", error);
}

Test(config, a_text_is_never_cut)
{
	char text[4096] = "[gateway]\npublic_url = ws://";
	size_t start = strlen(text), length = 512 - 5;

	memset(text + start, 'h', length);
	text[start + length] = '\n';
	cr_assert_eq(load_text(text), 0, "%s", error);
	cr_assert_eq(strlen(config.gateway_public_url), 512);
}

Test(config, what_is_no_file_is_refused)
{
	cr_assert_eq(load("nowhere.conf", NULL, NULL), CONFIG_E_INVALID);
	cr_assert_str_eq(error, "nowhere.conf: No such file or directory; give the right file with "
				"--conf");
	cr_assert_eq(load("/tmp", NULL, NULL), CONFIG_E_INVALID);
	cr_assert_str_eq(error, "/tmp: is not a regular file");
	cr_assert_eq(mkfifo("pipe", 0600), 0);
	cr_assert_eq(load("pipe", NULL, NULL), CONFIG_E_INVALID);
	cr_assert_str_eq(error, "pipe: is not a regular file");
	cr_assert_eq(truncate("weir.conf", 0), -1);
	write_file("weir.conf", "", 0644);
	cr_assert_eq(truncate("weir.conf", 1024 * 1024 + 1), 0);
	cr_assert_eq(load("weir.conf", NULL, NULL), CONFIG_E_INVALID);
	cr_assert_str_eq(error, "weir.conf: is larger than 1048576 bytes");
	cr_assert_eq(truncate("weir.conf", 1024 * 1024), 0);
	cr_assert_eq(load("weir.conf", NULL, NULL), CONFIG_E_INVALID);
	cr_assert(strstr(error, "the line is longer than"), "%s", error);
}

Test(config, paths_in_the_file_are_relative_to_it)
{
	char path[256], expected[256];

	write_file("file", "", 0644);
	write_file("weir.conf", "[gateway]\napps_file = file\n", 0644);
	(void)snprintf(path, sizeof path, "%s/weir.conf", directory);
	(void)snprintf(expected, sizeof expected, "%s/file", directory);
	cr_assert_eq(load("weir.conf", NULL, NULL), 0, "%s", error);
	cr_assert_str_eq(config.gateway_apps_file, "file");
	cr_assert_eq(load_text("[gateway]\napps_file = /dev/null\n"), CONFIG_E_INVALID);
	cr_assert(strstr(error, "/dev/null: is not a regular file"), "%s", error);
	write_file("weir.conf", "[gateway]\napps_file = file\n", 0644);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(load(path, NULL, NULL), 0, "%s", error);
	cr_assert_str_eq(config.gateway_apps_file, expected);
	cr_assert_eq(load(NULL, NULL, "gateway.apps_file=file"), CONFIG_E_INVALID);
	cr_assert_eq(chdir(directory), 0);
	cr_assert_eq(load(NULL, NULL, "gateway.apps_file=file"), 0, "%s", error);
}

#define GOOD "0123456789abcdef0123456789abcdef"

struct secret_row {
	char content[120];
	unsigned mode;
	char error[160]; /* behind "gateway.jwt_secret_file=secrets: "; empty: accepted */
};

ParameterizedTestParameters(config, secret_file)
{
#define OPEN(mode) "others than its owner may use it (mode " mode "); run: chmod 600 secrets"
#define MEND "; openssl rand -hex 32 makes a good one"
	static struct secret_row rows[] = {
		{ GOOD, 0600, "" },
		{ GOOD "\n", 0400, "" },
		{ GOOD "\r\n\n" GOOD "\n", 0600, "" },
		{ GOOD, 0640, OPEN("0640") },
		{ GOOD, 0604, OPEN("0604") },
		{ GOOD, 0620, OPEN("0620") },
		{ "", 0600, "holds no secret" MEND },
		{ "\n\r\n", 0600, "holds no secret" MEND },
		{ "0123456789abcdef0123456789abcde", 0600,
		  "the secret in line 1 has 31 bytes, 32 are needed" MEND },
		{ GOOD "\nshort\n", 0600, "the secret in line 2 has 5 bytes, 32 are needed" MEND },
		{ "0123456789abcdef0123456789abcde\r\n", 0600,
		  "the secret in line 1 has 31 bytes, 32 are needed" MEND },
	};

	return cr_make_param_array(struct secret_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct secret_row *row, config, secret_file)
{
	char expected[CONFIG_ERROR_SIZE];

	write_file("secrets", row->content, row->mode);
	int r = load(NULL, NULL, "gateway.jwt_secret_file=secrets");

	(void)snprintf(expected, sizeof expected, "--set gateway.jwt_secret_file=secrets: %s",
		       row->error);
	cr_assert_eq(r, *row->error ? CONFIG_E_INVALID : 0, "%s", error);
	cr_assert_str_eq(error, *row->error ? expected : "");
	cr_assert(!strstr(error, "0123456789"), "the secret itself must not show");
}

/* As systemd lays them: an access list lets one user read, and the mode shows it as the group. */
Test(config, a_credential_may_show_a_groups_right)
{
	static const char *const others[] = { "", "/nowhere", "/tmp/weir-test-confi" };
	char here[PATH_MAX], set[2 * PATH_MAX + 64];

	cr_assert(getcwd(here, sizeof here));
	snprintf(set, sizeof set, "gateway.jwt_secret_file=%s/secrets", here);
	write_file("secrets", GOOD, 0440);
	cr_assert_eq(load(NULL, NULL, set), CONFIG_E_INVALID);
	(void)setenv("CREDENTIALS_DIRECTORY", here, 1);
	cr_assert_eq(load(NULL, NULL, set), 0, "%s", error);
	snprintf(set, sizeof set, "gateway.jwt_secret_file=%s/../%s/secrets", here, here + 5);
	cr_assert_eq(load(NULL, NULL, set), CONFIG_E_INVALID, "not by a way out");
	snprintf(set, sizeof set, "gateway.jwt_secret_file=%s/secrets", here);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		(void)setenv("CREDENTIALS_DIRECTORY", others[i], 1);
		cr_assert_eq(load(NULL, NULL, set), CONFIG_E_INVALID, "%s", others[i]);
	}
	(void)setenv("CREDENTIALS_DIRECTORY", here, 1);
	cr_assert_eq(chmod("secrets", 0460), 0);
	cr_assert_eq(load(NULL, NULL, set), CONFIG_E_INVALID, "not to write");
	cr_assert_eq(chmod("secrets", 0444), 0);
	cr_assert_eq(load(NULL, NULL, set), CONFIG_E_INVALID, "not others");
}

Test(config, tls_key_is_a_secret_and_the_certificate_is_not)
{
	static const char text[] = "[gateway]\ntls_cert_file = file\ntls_key_file = key\n";

	write_file("file", "", 0644);
	write_file("key", "", 0644);
	cr_assert_eq(load_text(text), CONFIG_E_INVALID);
	cr_assert_str_eq(error,
			 "weir.conf:3: gateway.tls_key_file = key: others than its owner may "
			 "use it (mode 0644); run: chmod 600 key");
	cr_assert_eq(chmod("key", 0600), 0);
	cr_assert_eq(load_text(text), 0, "%s", error);
}

Test(config, files_of_other_daemons_may_be_out_of_reach)
{
	cr_assert_eq(mkdir("locked", 0), 0);
	cr_assert_eq(chmod(".", 0755), 0);
	cr_assert(geteuid() != 0 || seteuid(65534) == 0);
	cr_assert_eq(load(NULL, NULL, "gateway.jwt_secret_file=locked/secrets"), 0, "%s", error);
	cr_assert(getuid() != 0 || seteuid(0) == 0);
}

Test(config, long_names_leave_room_for_the_reason)
{
	char path[3000], set[600] = "gateway.public_url=";

	memset(path, 'p', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	cr_assert_eq(load(path, NULL, NULL), CONFIG_E_INVALID);
	cr_assert(strstr(error, "; give the right file with --conf"), "%s", error);
	memset(set + strlen(set), 'u', 512);
	cr_assert_eq(load(NULL, NULL, set), CONFIG_E_INVALID);
	cr_assert(strstr(error, "uuu...: must be ws://"), "%s", error);
}
