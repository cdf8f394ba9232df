/* SPDX-License-Identifier: MIT */
/* Goal: no destination that is ours passes, in whatever form it is written, and no proper one is
 * refused.  Method: tables.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/managed_address.h"
#include "actors/managed-adapter/managed_destination.h"

#define NOT_ALLOWED "destination not allowed"
#define NO_HOST "URL has no valid host"

struct row {
	const char *url, *error; /* NULL: it passes */
};

static void check(const struct row *rows, size_t count, bool private_ok)
{
	for (size_t i = 0; i < count; i++) {
		const char *error = managed_destination_error(text_of(rows[i].url), private_ok);

		cr_expect_str_eq(error ? error : "ok", rows[i].error ? rows[i].error : "ok", "%s",
				 rows[i].url);
	}
}

#define CHECK(rows, private_ok) check(rows, sizeof(rows) / sizeof(rows)[0], private_ok)

Test(managed_destination, forms)
{
	static const struct row rows[] = {
		{ "rtmp://a.rtmp.youtube.com/live2/KEY", NULL },
		{ "rtmps://live.example.com:443/app/key?a=b&c=d", NULL },
		{ "rtmp://host", NULL },
		{ "rtmp://xn--bcher-kva.example/app", NULL },
		{ "rtmp://under_score.example./app", NULL },
		{ "rtmp://a:1/k", NULL },
		{ "rtmp://a:65535/k", NULL },
		{ "", "URL must start with rtmp:// or rtmps://" },
		{ "http://a/b", "URL must start with rtmp:// or rtmps://" },
		{ "RTMP://a/b", "URL must start with rtmp:// or rtmps://" },
		{ " rtmp://a/b", "URL must start with rtmp:// or rtmps://" },
		{ "rtmp://", "URL has no host" },
		{ "rtmp:///app", "URL has no host" },
		{ "rtmp://?x", "URL has no host" },
		{ "rtmp://:1935/app", NO_HOST },
		{ "rtmp://a:0/k", NO_HOST },
		{ "rtmp://a:65536/k", NO_HOST },
		{ "rtmp://a:/k", NO_HOST },
		{ "rtmp://a:1a/k", NO_HOST },
		{ "rtmp://a:1:2/k", NO_HOST },
		{ "rtmp://a:123456/k", NO_HOST },
		{ "rtmp://-a/k", NO_HOST },
		{ "rtmp://.a/k", NO_HOST },
		{ "rtmp://a..b/k", NO_HOST },
		{ "rtmp://a%6c/k", NO_HOST },
		{ "rtmp://[::ffff:012.0.0.1]/k", NO_HOST }, /* 10.0.0.1 to some readers */
		{ "rtmp://[::ffff:8.0.0.1]/k", NULL },
		{ "rtmp://a\\b/k", NO_HOST },
		{ "rtmp://b\xc3\xbc"
		  "cher/k",
		  NO_HOST },
		{ "rtmp://user@a/k", "URL must not name a user" },
		{ "rtmp://localhost:x@a/k", "URL must not name a user" },
		{ "rtmp://a/b c", "URL has a space or control character" },
		{ "rtmp://a/b\n", "URL has a space or control character" },
		{ "rtmp://a/b\x7f", "URL has a space or control character" },
	};

	CHECK(rows, false);
	CHECK(rows, true);
}

static const char *const ours[] = {
	"localhost",
	"LocalHost",
	"localhost.",
	"a.localhost",
	"x.localdomain",
	"ip6-localhost",
	"ip6-loopback",
	"127.0.0.1",
	"127.255.255.255",
	"127.1",
	"127.0.1",
	"2130706433",
	"0x7f000001",
	"0x7f.1",
	"0177.0.0.1",
	"017700000001",
	"127.0.0.1.",
	"0.0.0.0",
	"0",
	"0x",
	"10.0.0.1",
	"10.255.255.255",
	"172.16.0.1",
	"172.31.255.255",
	"192.168.0.1",
	"192.168.255.255",
	"169.254.169.254",
	"100.64.0.1",
	"100.127.255.255",
	"192.0.0.1",
	"198.18.0.1",
	"198.19.255.255",
	"224.0.0.1",
	"239.1.1.1",
	"240.0.0.1",
	"255.255.255.255",
	"0300.0250.1",
	"[::1]",
	"[::]",
	"[0:0:0:0:0:0:0:1]",
	"[fe80::1]",
	"[febf::1]",
	"[fc00::1]",
	"[fd12:3456::1]",
	"[fec0::1]",
	"[ff02::1]",
	"[::ffff:127.0.0.1]",
	"[::ffff:7f00:1]",
	"[::ffff:10.1.2.3]",
	"[::10.0.0.1]",
	"[64:ff9b::127.0.0.1]",
	"[64:ff9b::a00:1]",
	"[64:ff9b:1::1]",
	"[2002:7f00:1::]",
	"[2002:c0a8:1::1]",
	"[100::1]",
	"[4000::1]",
};

Test(managed_destination, what_is_ours)
{
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		char url[128];

		for (unsigned port = 0; port < 2; port++) {
			(void)snprintf(url, sizeof url, "rtmp://%s%s/app", ours[i],
				       port ? ":1935" : "");
			const char *error = managed_destination_error(text_of(url), false);

			cr_expect(error && strcmp(error, NOT_ALLOWED) == 0, "%s: %s", url,
				  error ? error : "ok");
			cr_expect_null(managed_destination_error(text_of(url), true), "%s", url);
		}
	}
}

Test(managed_destination, what_is_the_worlds)
{
	static const char *const hosts[] = {
		"localhost.example.com",
		"notlocalhost",
		"mylocalhost",
		"1.1.1.1",
		"9.255.255.255",
		"11.0.0.0",
		"126.255.255.255",
		"128.0.0.1",
		"172.15.255.255",
		"172.32.0.0",
		"192.167.255.255",
		"192.169.0.0",
		"169.253.255.255",
		"169.255.0.0",
		"100.63.255.255",
		"100.128.0.0",
		"198.17.255.255",
		"198.20.0.0",
		"223.255.255.255",
		"0x08.8.8.8",
		"134744072",
		"8.8.2056",
		"127.example.com",
		"10.0.0.1.example",
		"0xcafe.example.com",
		"[2606:4700:4700::1111]",
		"[2001:db8::1]",
		"[3fff:ffff::]",
		"[::ffff:8.8.8.8]",
		"[64:ff9b::8.8.8.8]",
		"[2002:808:808::1]",
	};

	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		char url[128];

		(void)snprintf(url, sizeof url, "rtmps://%s/app", hosts[i]);
		const char *error = managed_destination_error(text_of(url), false);

		cr_expect_null(error, "%s: %s", url, error);
	}
}

Test(managed_destination, addresses_that_are_none)
{
	static const char *const hosts[] = {
		"256.1.1.1",
		"1.256.1.1",
		"1.1.1.256",
		"1.1.65536",
		"1.16777216",
		"4294967296",
		"1.2.3.4.5",
		"1.2.3.4.5.",
		"08.1.1.1",
		"1.1.1.1a",
		"1..1",
		"0x100000000",
		"a.0x1g",
		"[",
		"[]",
		"[::1",
		"[:]",
		"[:::]",
		"[1]",
		"[1:2:3:4:5:6:7]",
		"[1:2:3:4:5:6:7:8:9]",
		"[1::2::3]",
		"[12345::]",
		"[g::]",
		"[::1%eth0]",
		"[::256.1.1.1]",
		"[::1.2.3]",
		"[::1.2.3.4.5]",
		"[1:2:3:4:5:6:7:1.2.3.4]",
		"[::1]x",
		"[::1]:",
		"[1:2:3:4:5:6:7:8::]",
		"[::1.2.3.4:1]",
		"[127.0.0.1]",
	};

	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		char url[128];

		(void)snprintf(url, sizeof url, "rtmp://%s/app", hosts[i]);
		const char *error = managed_destination_error(text_of(url), true);

		cr_expect(error && strcmp(error, NO_HOST) == 0, "%s: %s", url,
			  error ? error : "ok");
	}
}

Test(managed_destination, the_longest_and_one_more)
{
	char url[OUTPUT_URL_MAX + 2];

	memset(url, 'k', sizeof url);
	memcpy(url, "rtmp://a/", 9);
	cr_assert_null(managed_destination_error((struct text){ url, OUTPUT_URL_MAX }, false));
	cr_assert_str_eq(managed_destination_error((struct text){ url, OUTPUT_URL_MAX + 1 }, false),
			 "URL too long");
}

/* Lists -------------------------------------------------------------------------------------- */

Test(managed_destination, lists)
{
	const struct text json = TEXT("[{\"url\":\"rtmp:\\/\\/a\\/k\",\"name\":\"\\u00e9\"},"
				      "{\"name\":\"x\",\"url\":\"rtmp://b/k\",\"more\":[1,{}]},"
				      "{\"url\":\"http://c\"}]");
	struct managed_destination destination;
	char buffer[MANAGED_DESTINATION_BYTES];

	cr_assert(managed_destinations_ok(json));
	cr_assert(managed_destination_at(json, 0, false, buffer, &destination));
	cr_assert(text_is(destination.url, "rtmp://a/k"));
	cr_assert(text_is(destination.name, "\xc3\xa9"));
	cr_assert_null(destination.error);
	cr_assert(managed_destination_at(json, 1, false, buffer, &destination));
	cr_assert(text_is(destination.url, "rtmp://b/k"));
	cr_assert(managed_destination_at(json, 2, false, buffer, &destination));
	cr_assert_not_null(destination.error);
	cr_assert_not(managed_destination_at(json, 3, false, buffer, &destination));
	cr_assert_not(managed_destination_at((struct text){ 0 }, 0, false, buffer, &destination));
}

Test(managed_destination, what_is_no_list)
{
	static const char *const good[] = { "", "null", "[]", "[{\"url\":\"\"}]" };
	static const char *const bad[] = { "{}",
					   "1",
					   "[1]",
					   "[{}]",
					   "[{\"url\":null}]",
					   "[{\"url\":\"a\"},\"b\"]",
					   "[{\"url\":\"a\"}",
					   "[{\"url\":\"a\"}] x" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		cr_expect(managed_destinations_ok(text_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_not(managed_destinations_ok(text_of(bad[i])), "%s", bad[i]);
}

Test(managed_destination, texts_beyond_their_limits_are_cut)
{
	static char json[2048];
	struct managed_destination destination;
	char buffer[MANAGED_DESTINATION_BYTES], url[OUTPUT_URL_MAX + 2] = "rtmp://a/";

	memset(url + 9, 'k', OUTPUT_URL_MAX + 1 - 9);
	(void)snprintf(json, sizeof json, "[{\"url\":\"%s\",\"name\":\"%0100d\"}]", url, 1);
	cr_assert(managed_destination_at(text_of(json), 0, false, buffer, &destination));
	cr_assert_eq(destination.url.length, OUTPUT_URL_MAX);
	cr_assert_eq(destination.name.length, OUTPUT_NAME_MAX);
	cr_assert_str_eq(destination.error, "URL too long");
}

/* Other odd forms ------------------------------------------------------------------------------ */

Test(managed_destination, odd_names_and_ports)
{
	static const struct row rows[] = {
		{ "rtmp://a:1-2/k", NO_HOST }, { "rtmp://a~b/k", NO_HOST },
		{ "rtmp://a=b/k", NO_HOST },   { "rtmp://a,b/k", NO_HOST },
		{ "rtmp://./k", NO_HOST },     { "rtmp://a.-b/k", NULL },
	};
	char url[OUTPUT_URL_MAX] = "rtmp://";

	CHECK(rows, false);
	memset(url + 7, 'a', 254); /* one more than a name may have */
	cr_expect_str_eq(managed_destination_error(text_of(url), false), NO_HOST);
	url[7 + 253] = '\0';
	cr_expect_null(managed_destination_error(text_of(url), false));
}

Test(managed_destination, odd_addresses)
{
	static const struct row rows[] = {
		{ "rtmp://0XA.0.0.1/k", NOT_ALLOWED },
		{ "rtmp://0X7F000001/k", NOT_ALLOWED },
		{ "rtmp://0xG/k", NO_HOST },
		{ "rtmp://0xg/k", NO_HOST },
		{ "rtmp://1.2.3.4-/k", NO_HOST },
		{ "rtmp://[FE80::1]/k", NOT_ALLOWED },
		{ "rtmp://[::1:0:5]/k", NOT_ALLOWED },
		{ "rtmp://[64:1::808:808]/k", NOT_ALLOWED },
		{ "rtmp://[::ffff:8.8.x.8]/k", NO_HOST },
		{ "rtmp://[::ffff:8.8.300.8]/k", NO_HOST },
		{ "rtmp://[::ffff:8.8..8]/k", NO_HOST },
		{ "rtmp://[::ffff:8.8.8]/k", NO_HOST },
		{ "rtmp://[::ffff:8.8.8.1000]/k", NO_HOST },
	};

	CHECK(rows, false);
	cr_expect_eq(managed_address_4((struct text){ 0 }), ADDRESS_NONE);
	cr_expect_eq(managed_address_6((struct text){ 0 }), ADDRESS_INVALID);
}

Test(managed_destination, addresses_as_bytes)
{
	static const struct {
		uint8_t bytes[MANAGED_ADDRESS_SIZE];
		enum managed_address address;
	} rows[] = {
		{ { 0x20, 1, 0x48, 0x60, [15] = 1 }, ADDRESS_PUBLIC },
		{ { [10] = 0xff, 0xff, 127, 0, 0, 1 }, ADDRESS_INTERNAL },
		{ { [10] = 0xff, 0xff, 8, 8, 8, 8 }, ADDRESS_PUBLIC },
		{ { 0xfe, 0x80, [15] = 1 }, ADDRESS_INTERNAL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_expect_eq(managed_address_judge(rows[i].bytes), rows[i].address, "row %zu", i);
}

Test(managed_destination, members_that_are_none)
{
	char buffer[MANAGED_DESTINATION_BYTES];
	struct managed_destination destination;

	cr_expect_not(managed_destination_at(TEXT("[1]"), 0, false, buffer, &destination));
	cr_expect_not(managed_destination_at(TEXT("[{}]"), 0, false, buffer, &destination));
	cr_expect_not(managed_destinations_ok(TEXT("[{\"url\":\"rtmp://a/k\",}]")));
	cr_expect_not(managed_destination_at(TEXT("[{\"url\":\"rtmp://a/k\",}]"), 0, false, buffer,
					     &destination));
	cr_expect_not(managed_destinations_ok(TEXT("[{\"url\":\"rtmp://a/k\" \"name\"}]")));
}
