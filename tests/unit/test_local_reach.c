/* SPDX-License-Identifier: MIT */
/* Goal: a copy connects to nothing of ours, whatever name leads there, and not at all if only one
 * of several addresses does.  Method: what a resolver might answer, by hand; the real one with
 * names that every machine has.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/local_reach.h"

static struct local_reach_address address_of(const char *text)
{
	struct local_reach_address address = { { [10] = 0xff, [11] = 0xff } };

	if (strchr(text, ':'))
		cr_assert_eq(inet_pton(AF_INET6, text, address.bytes), 1, "%s", text);
	else
		cr_assert_eq(inet_pton(AF_INET, text, address.bytes + 12), 1, "%s", text);
	return address;
}

static const struct local_reach_rules *rules(bool private_ok)
{
	static struct local_reach_rules made;

	made = (struct local_reach_rules){ .own = { .count = 2 },
					   .ports = { 1935, 8005 },
					   .private_ok = private_ok };
	made.own.items[0] = address_of("203.0.113.9");
	made.own.items[1] = address_of("2606:4700::9");
	return &made;
}

/* What a resolver answered, separated by spaces. */
static enum local_reach judge(const char *answer, uint16_t port, bool private_ok)
{
	struct local_reach_list found = { 0 };
	char copy[512], *rest = copy, *one;

	(void)snprintf(copy, sizeof copy, "%s", answer);
	while ((one = strsep(&rest, " ")))
		if (*one)
			found.items[found.count++] = address_of(one);
	return local_reach_judge(rules(private_ok), &found, port);
}

Test(local_reach, what_is_internal_is_refused_wherever_it_stands)
{
	static const char *const internal[] = {
		"127.0.0.1",
		"127.8.9.10",
		"0.0.0.0",
		"10.1.2.3",
		"100.64.0.1",
		"169.254.169.254",
		"172.31.0.1",
		"192.0.0.8",
		"192.168.1.1",
		"198.18.0.1",
		"224.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"::ffff:127.0.0.1",
		"64:ff9b::a00:1",
		"2002:7f00:1::",
		"fc00::1",
		"fe80::1",
		"ff02::1",
		"203.0.113.9",
		"2606:4700::9",
	};

	for (size_t i = 0; i < sizeof internal / sizeof internal[0]; i++) {
		char answer[256];

		cr_expect_eq(judge(internal[i], 443, false), LOCAL_REACH_NOT_ALLOWED, "%s",
			     internal[i]);
		(void)snprintf(answer, sizeof answer, "8.8.8.8 %s 2606:4700::1", internal[i]);
		cr_expect_eq(judge(answer, 443, false), LOCAL_REACH_NOT_ALLOWED, "%s", answer);
	}
	cr_expect_eq(judge("8.8.8.8 2606:4700::1", 443, false), LOCAL_REACH_OK);
	cr_expect_eq(judge("", 443, false), LOCAL_REACH_NOT_FOUND);
	cr_expect_eq(judge("", 443, true), LOCAL_REACH_NOT_FOUND);
}

Test(local_reach, private_ones_may_be_allowed_but_not_our_own_ports)
{
	static const char *const here[] = { "127.0.0.1", "127.0.0.2",	"0.0.0.0",     "::1",
					    "::",	 "203.0.113.9", "2606:4700::9" };

	for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
		cr_expect_eq(judge(here[i], 1935, true), LOCAL_REACH_NOT_ALLOWED, "%s", here[i]);
		cr_expect_eq(judge(here[i], 8005, true), LOCAL_REACH_NOT_ALLOWED, "%s", here[i]);
		cr_expect_eq(judge(here[i], 1936, true), LOCAL_REACH_OK, "%s", here[i]);
	}
	cr_expect_eq(judge("10.1.2.3", 1935, true), LOCAL_REACH_OK, "another machine's port");
}

Test(local_reach, places)
{
	static const struct {
		const char *place, *host;
		uint16_t port;
		bool secure;
	} rows[] = {
		{ "rtmp://a.example/", "a.example", 1935, false },
		{ "rtmps://a.example/", "a.example", 443, true },
		{ "rtmp://a.example:65535/", "a.example", 65535, false },
		{ "rtmps://[2606:4700::1]:444/", "2606:4700::1", 444, true },
		{ "rtmp://[::1]/", "::1", 1935, false },
		{ "http://a/", NULL, 0, false },
		{ "rtmp:///", NULL, 0, false },
		{ "rtmp://a", NULL, 0, false },
		{ "rtmp://a:/", NULL, 0, false },
		{ "rtmp://a:0/", NULL, 0, false },
		{ "rtmp://a:65536/", NULL, 0, false },
		{ "rtmp://a:-1/", NULL, 0, false },
		{ "rtmp://a:99999999999999999999/", NULL, 0, false },
		{ "rtmp://[::1/", NULL, 0, false },
		{ "rtmp://a/b", NULL, 0, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct local_reach_place place;
		bool ok = local_reach_read(rows[i].place, &place);

		cr_expect_eq(ok, rows[i].host != NULL, "%s", rows[i].place);
		if (!ok || !rows[i].host)
			continue;
		cr_expect_str_eq(place.host, rows[i].host);
		cr_expect_eq(place.port, rows[i].port);
		cr_expect_eq(place.secure, rows[i].secure);
	}
}

Test(local_reach, the_judged_address_is_what_is_connected_to)
{
	static const char *const rows[][3] = {
		{ "rtmp://a.example/", "203.0.113.7", "rtmp://203.0.113.7:1935/" },
		{ "rtmps://a.example:8443/", "2606:4700::1", "rtmps://[2606:4700::1]:8443/" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct local_reach_address address = address_of(rows[i][1]);
		char literal[LOCAL_REACH_LITERAL_SIZE];
		struct local_reach_place place;

		cr_assert(local_reach_read(rows[i][0], &place));
		local_reach_literal(&place, &address, literal);
		cr_expect_str_eq(literal, rows[i][2]);
	}
}

Test(local_reach, ports)
{
	uint16_t ports[LOCAL_REACH_PORTS_MAX];

	cr_assert(local_reach_ports("1,22,65535", ports));
	cr_expect(ports[0] == 1 && ports[1] == 22 && ports[2] == 65535 && ports[3] == 0);
	cr_expect(local_reach_ports("", ports) && ports[0] == 0);
	cr_expect(local_reach_ports("1,2,3,4,5,6,7,8", ports));
	cr_expect_not(local_reach_ports("1,2,3,4,5,6,7,8,9", ports), "one more than may be");
	cr_expect_not(local_reach_ports("0", ports));
	cr_expect_not(local_reach_ports("65536", ports));
	cr_expect_not(local_reach_ports("1;2", ports));
}

Test(local_reach, the_systems_own_resolver)
{
	static const char *const hosts[] = { "localhost", "127.0.0.1", "0x7f.1", "::1", "0" };
	struct local_reach_rules made = *rules(false);
	struct local_reach_list found;

	cr_assert(local_reach_own(&made.own));
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		cr_expect(local_reach_resolve(hosts[i], &found), "%s", hosts[i]);
		cr_expect_eq(local_reach_judge(&made, &found, 443), LOCAL_REACH_NOT_ALLOWED, "%s",
			     hosts[i]);
	}
	cr_expect_not(local_reach_resolve("no-such-name.invalid", &found));
}
