/* SPDX-License-Identifier: MIT */
/* Goal: a key opens the sockets that its role has business with, and no others; without one, or
 * with another mechanism, nothing opens.  Method: every role at every socket of every daemon,
 * against what the schema says, and the refusals one by one.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "common/zap.h"

static struct zap_allow allow;
static struct zap_reply reply;

/* The key of the @role; forty times its letter. */
static struct text key_of(enum role role)
{
	static char keys[ROLE_COUNT][ZAP_KEY_LENGTH + 1];

	memset(keys[role], 'a' + (int)role, ZAP_KEY_LENGTH);
	return text_of(keys[role]);
}

static void setup(void)
{
	for (unsigned role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
		struct zap_allowed *item = &allow.items[allow.count++];

		item->role = (enum role)role;
		(void)snprintf(item->name, sizeof item->name, "%s-1",
			       words_name(&role_words, role));
		(void)text_put(key_of(item->role), item->key, sizeof item->key);
	}
}

TestSuite(zap, .init = setup);

static const char *ask(enum role role, const char *domain, enum role own)
{
	const struct zap_request request = { TEXT("1.0"), text_of(domain), TEXT("CURVE"),
					     key_of(role) };

	zap_decide(&request, &allow, own, &reply);
	return reply.status;
}

static bool is_let_in(enum role role, const char *domain, enum role own)
{
	return strcmp(ask(role, domain, own), "200") == 0;
}

Test(zap, an_allowed_key_has_a_role_and_a_name)
{
	cr_assert_str_eq(ask(ROLE_GATEWAY, "inbox", ROLE_REGISTRY), "200");
	cr_assert_str_eq(reply.user, "gateway:gateway-1");
}

Test(zap, sockets_are_for_the_roles_that_use_them)
{
	for (unsigned own = ROLE_NONE + 1; own < ROLE_COUNT; own++)
		for (unsigned role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
			cr_expect_eq(is_let_in(role, "inbox", own),
				     stream_event_may(EVENT_PEER_HELLO, role, own));
			cr_expect_eq(is_let_in(role, "snapshot", own),
				     stream_event_may(EVENT_SNAPSHOT_GET, role, own));
			cr_expect_not(is_let_in(role, "elsewhere", own));
		}
}

Test(zap, the_story_is_for_followers_and_the_rest_for_operators)
{
	cr_expect(is_let_in(ROLE_SCHEDULER, "outbox", ROLE_REGISTRY));
	cr_expect(is_let_in(ROLE_MANAGED, "outbox", ROLE_REGISTRY));
	cr_expect(is_let_in(ROLE_OPERATOR, "outbox", ROLE_REGISTRY));
	cr_expect_not(is_let_in(ROLE_GATEWAY, "outbox", ROLE_REGISTRY));
	cr_expect(is_let_in(ROLE_OPERATOR, "outbox", ROLE_GATEWAY));
	cr_expect(is_let_in(ROLE_CONSOLE, "outbox", ROLE_MANAGED));
	cr_expect_not(is_let_in(ROLE_SCHEDULER, "outbox", ROLE_GATEWAY));
}

struct refusal {
	char version[8], mechanism[8], key[ZAP_KEY_LENGTH + 2], status[4];
};

ParameterizedTestParameters(zap, refused)
{
	static struct refusal rows[] = {
		{ "1.0", "CURVE", "", "400" }, /* not the size of a key */
		{ "1.0", "CURVE", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "400" },
		{ "1.0", "CURVE", "fffffffffffffffffffffffffffffffffffffff", "400" },
		{ "1.0", "CURVE", "fffffffffffffffffffffffffffffffffffffffff", "400" },
		{ "1.0", "NULL", "ffffffffffffffffffffffffffffffffffffffff", "400" },
		{ "1.0", "PLAIN", "ffffffffffffffffffffffffffffffffffffffff", "400" },
		{ "2.0", "CURVE", "ffffffffffffffffffffffffffffffffffffffff", "500" },
	};

	return cr_make_param_array(struct refusal, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct refusal *row, zap, refused)
{
	const struct zap_request request = { text_of(row->version), TEXT("inbox"),
					     text_of(row->mechanism), text_of(row->key) };

	zap_decide(&request, &allow, ROLE_REGISTRY, &reply);
	cr_expect_str_eq(reply.status, row->status);
	cr_expect_str_eq(reply.user, "");
	cr_expect(reply.reason && *reply.reason);
}

Test(zap, an_empty_table_lets_nobody_in)
{
	allow.count = 0;
	cr_assert_str_eq(ask(ROLE_GATEWAY, "inbox", ROLE_REGISTRY), "400");
}

Test(zap, the_longest_name_fits)
{
	struct zap_allowed *item = &allow.items[ROLE_SCHEDULER - 1];

	memset(item->name, 'n', NAME_MAX_BYTES);
	item->name[NAME_MAX_BYTES] = '\0';
	cr_assert_str_eq(ask(ROLE_SCHEDULER, "inbox", ROLE_REGISTRY), "200");
	cr_assert_str_eq(strchr(reply.user, ':') + 1, item->name);
}

Test(zap, owners_are_read_back)
{
	struct zap_owner owner = zap_owner_read("gateway:gateway-2");

	cr_expect(zap_owner_is_role(&owner, ROLE_GATEWAY));
	cr_expect_not(zap_owner_is_role(&owner, ROLE_SCHEDULER));
	cr_expect(zap_owner_is_name(&owner, TEXT("gateway-2")));
	cr_expect_not(zap_owner_is_name(&owner, TEXT("gateway-1")));
	owner = zap_owner_read("operator:alice");
	cr_expect(zap_owner_is_name(&owner, TEXT("weir-4711"))); /* they name themselves */
	cr_expect_not(zap_owner_is_role(&owner, ROLE_GATEWAY));
}

Test(zap, what_is_no_user_id_is_nobody)
{
	static const char *const users[] = { "", "gateway", "wizard:gateway-1", ":gateway-1" };

	for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
		struct zap_owner owner = zap_owner_read(users[i]);

		for (unsigned role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
			cr_expect_not(zap_owner_is_role(&owner, role));
	}

	struct zap_owner none = zap_owner_read(NULL);

	cr_expect(zap_owner_is_role(&none, ROLE_GATEWAY));
	cr_expect(zap_owner_is_name(&none, TEXT("anything")));
}
