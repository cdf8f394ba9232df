/* SPDX-License-Identifier: MIT */
/* Goal: the app directory is read whole or refused with its line and the mend; keys are compared by
 * their hash; addresses that misbehave are limited, loopback is not.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/gateway/gateway_address.h"
#include "actors/gateway/gateway_apps.h"
#include "proto/schema.h"

/* SHA-256 of "key" */
#define HASH "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"

static struct gateway_apps apps;

static void parse(const char *text)
{
	char error[GATEWAY_APPS_ERROR_SIZE] = "";

	cr_assert_eq(gateway_apps_parse(text, strlen(text), "apps.conf", &apps, error), 0, "%s",
		     error);
}

static const struct gateway_app *find(const char *package)
{
	return gateway_directory_find(&apps.directory, text_of(package));
}

Test(gateway_apps, a_directory)
{
	parse("# the apps\n"
	      "[com.z]\n"
	      "api_key_sha256 = " HASH "\n"
	      "webhook = https://z.example.com/base//\n"
	      "permissions = MICROPHONE, CAMERA\n"
	      "type = background\n"
	      "name = The last\n"
	      "\n"
	      "[com.a]\n"
	      "api_key_sha256 = " HASH "\n"
	      "permissions = ALL\n"
	      "[com.aa]\n"
	      "api_key_sha256 = " HASH "\n");
	cr_assert_eq(apps.directory.count, 3);
	const struct gateway_app *app = find("com.z");

	cr_assert(text_is(app->webhook, "https://z.example.com/base"));
	cr_assert(text_is(app->name, "The last"));
	cr_assert_eq(app->permissions, GATEWAY_CAMERA);
	cr_assert_eq(app->type, APP_TYPE_BACKGROUND);
	cr_assert_eq(find("com.a")->permissions, GATEWAY_ALL);
	cr_assert_eq(find("com.aa")->type, APP_TYPE_STANDARD);
	cr_assert_eq(find("com.aa")->webhook.length, 0);
	cr_assert_null(find("com"));
	cr_assert_null(find("com.aaa"));
	cr_assert_null(find(""));
	gateway_apps_fini(&apps);
}

Test(gateway_apps, keys)
{
	parse("[com.a]\napi_key_sha256 = " HASH "\n");
	cr_assert(gateway_apps_key_ok(&apps, TEXT("com.a"), TEXT("key")));
	cr_assert_not(gateway_apps_key_ok(&apps, TEXT("com.a"), TEXT("Key")));
	cr_assert_not(gateway_apps_key_ok(&apps, TEXT("com.a"), (struct text){ 0 }));
	cr_assert_not(gateway_apps_key_ok(&apps, TEXT("com.b"), TEXT("key")));
	gateway_apps_fini(&apps);
}

static void refused(const char *text, const char *words)
{
	char error[GATEWAY_APPS_ERROR_SIZE] = "";

	cr_assert_eq(gateway_apps_parse(text, strlen(text), "apps.conf", &apps, error),
		     GATEWAY_APPS_E_INVALID);
	cr_assert_not_null(strstr(error, words), "%s", error);
}

#define KEY "api_key_sha256 = " HASH "\n"

Test(gateway_apps, refusals_name_line_and_mend)
{
	refused("[a]\n", "apps.conf:1: api_key_sha256: is missing");
	refused("[a]\n" KEY "[b]\nname = x\n", "apps.conf:3: api_key_sha256: is missing");
	refused("[a]\napi_key_sha256 = my-secret-key\n", "apps.conf:2: api_key_sha256: must be 64");
	refused("[a]\n" KEY "webhook = ftp://x\n", "apps.conf:3: webhook: must begin with http");
	refused("[a]\n" KEY "webhook = http:// x\n", "apps.conf:3: webhook");
	refused("[a]\n" KEY "webhook = http:///\n", "apps.conf:3: webhook");
	refused("[a]\n" KEY "permissions = CAMERA,,ALL\n", "apps.conf:3: permissions");
	refused("[a]\n" KEY "permissions = camera\n", "apps.conf:3: permissions");
	refused("[a]\n" KEY "type = huge\n", "apps.conf:3: type: must be standard");
	refused("[a]\n" KEY "tpye = standard\n", "apps.conf:3: tpye: unknown key");
	refused("[a]\n" KEY "[a]\n" KEY, "apps.conf:3: ");
	refused("[a]\n" KEY KEY, "apps.conf:3: ");
	refused("name = x\n", "apps.conf:1: ");
}

Test(gateway_apps, a_key_in_the_place_of_its_hash_is_not_shown)
{
	char error[GATEWAY_APPS_ERROR_SIZE] = "";
	const char *text = "[a]\napi_key_sha256 = my-secret-key\n";

	(void)gateway_apps_parse(text, strlen(text), "apps.conf", &apps, error);
	cr_assert_null(strstr(error, "my-secret"));
}

static void limit(const char *text, bool within, const char *words)
{
	if (!within) {
		refused(text, words);
		return;
	}
	parse(text);
	gateway_apps_fini(&apps);
}

Test(gateway_apps, limits)
{
	static char text[8192];

	for (int extra = 0; extra < 2; extra++) {
		snprintf(text, sizeof text, "[%0*d]\n" KEY, PACKAGE_MAX + extra, 7);
		limit(text, extra == 0, "apps.conf:1: ");
		snprintf(text, sizeof text, "[a]\n" KEY "webhook = http://%0*d\n",
			 URL_MAX - 7 + extra, 7);
		limit(text, extra == 0, "apps.conf:3: webhook");
	}
}

Test(gateway_apps, nothing_is_a_directory_too)
{
	char error[GATEWAY_APPS_ERROR_SIZE] = "";

	parse("");
	cr_assert_eq(apps.directory.count, 0);
	gateway_apps_fini(&apps);
	cr_assert_eq(gateway_apps_load("", &apps, error), 0);
	cr_assert_null(find("com.a"));
	cr_assert_eq(gateway_apps_load("/no/such/file", &apps, error), GATEWAY_APPS_E_INVALID);
	cr_assert_not_null(strstr(error, "/no/such/file"));
}

/* ---- addresses ---- */

#define CONNECTIONS 8
#define PER_ADDRESS 3

static struct gateway_addresses *addresses;

static void open_addresses(void)
{
	size_t bytes = (gateway_addresses_bytes(CONNECTIONS) + 63) / 64 * 64;
	void *memory = aligned_alloc(64, bytes);

	cr_assert_not_null(memory);
	memset(memory, 0, bytes);
	addresses = gateway_addresses_init(memory, CONNECTIONS, PER_ADDRESS, 1);
}

static void close_addresses(void)
{
	free(addresses);
}

static uint32_t enter(uint8_t last, bool four)
{
	uint8_t ip[GATEWAY_ADDRESS_SIZE] = { [0] = 0x20, [15] = last };

	if (four) {
		memset(ip, 0, sizeof ip);
		ip[10] = ip[11] = 0xff;
		ip[12] = 10;
		ip[15] = last;
	}
	return gateway_address_enter(addresses, ip);
}

Test(gateway_address, one_connection_too_many, .init = open_addresses, .fini = close_addresses)
{
	uint32_t handle = enter(1, true);

	for (int i = 1; i < PER_ADDRESS; i++)
		cr_assert_eq(enter(1, true), handle);
	cr_assert_eq(enter(1, true), GATEWAY_ADDRESS_NONE);
	cr_assert_neq(enter(1, false), GATEWAY_ADDRESS_NONE);
	gateway_address_leave(addresses, handle, 0);
	cr_assert_eq(enter(1, true), handle);
}

Test(gateway_address, loopback_is_exempt, .init = open_addresses, .fini = close_addresses)
{
	const uint8_t six[GATEWAY_ADDRESS_SIZE] = { [15] = 1 };
	const uint8_t four[GATEWAY_ADDRESS_SIZE] = {
		[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 9
	};

	for (int i = 0; i < 4 * CONNECTIONS; i++) {
		uint32_t handle = gateway_address_enter(addresses, i % 2 ? six : four);

		cr_assert_neq(handle, GATEWAY_ADDRESS_NONE);
		for (int fails = 0; fails < 100; fails++)
			gateway_address_failed(addresses, handle, 1000);
		cr_assert_not(gateway_address_blocked(addresses, handle, 1000));
	}
}

Test(gateway_address, failures_block_and_pass, .init = open_addresses, .fini = close_addresses)
{
	uint32_t handle = enter(1, true);

	for (int i = 0; i < GATEWAY_FAILURES_BURST; i++) {
		cr_assert_not(gateway_address_blocked(addresses, handle, 1000));
		gateway_address_failed(addresses, handle, 1000);
	}
	cr_assert(gateway_address_blocked(addresses, handle, 1000));
	/* Coming back does not help, waiting does. */
	gateway_address_leave(addresses, handle, 1000);
	handle = enter(1, true);
	cr_assert(gateway_address_blocked(addresses, handle, 1000));
	cr_assert_not(gateway_address_blocked(addresses, handle,
					      1000 + 60000 / GATEWAY_FAILURES_PER_MIN));
}

Test(gateway_address, the_remembered_make_room, .init = open_addresses, .fini = close_addresses)
{
	for (unsigned i = 0; i < 10 * CONNECTIONS; i++) {
		uint32_t handle = enter((uint8_t)i, true);

		cr_assert_neq(handle, GATEWAY_ADDRESS_NONE);
		gateway_address_failed(addresses, handle, 1000);
		gateway_address_leave(addresses, handle, 1000);
	}
}
