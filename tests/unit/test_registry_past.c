/* SPDX-License-Identifier: MIT */
/* Goal: what is made of the history for a damaged record is what that record held, and takes nobody
 * else's place.  Method: as test_registry_damage.c, with users and gateways that came and went.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/damage_stage.h"

static void leaves(const char *user, uint64_t link)
{
	glasses_down(user, link);
	commit();
	timer(TIMER_SESSION_GRACE, user, "", the_user(user)->link_seq);
	commit();
}

static void come_and_go(const char *user, uint64_t link, bool with_app)
{
	glasses_up(user, link);
	commit();
	if (with_app)
		app_runs(user, "pa", link + 100);
	leaves(user, link);
}

static void many_are_here(unsigned count)
{
	char user[16];

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(user, sizeof user, "u%u@x", i);
		glasses_up(user, 20 + i);
		commit();
	}
}

/* The record has gone, and a damaged one is there under a name that is nobody's. */
static void rot_key(const char *key)
{
	put_raw(key, (struct text){ 0 });
	put_raw("u/nobody", TEXT("\x01\xc1"));
}

/* All of yesterday were here at once; so are all of today.  Together they are too many. */
static void yesterday_and_today(void)
{
	static const char *const yesterday[] = { "a@x", "b@x", "c@x" };

	open_small(4);
	for (unsigned i = 0; i < 3; i++) {
		glasses_up(yesterday[i], 10 + i);
		commit();
	}
	for (unsigned i = 0; i < 3; i++)
		leaves(yesterday[i], 10 + i);
	cr_assert_eq(bench.registry.state.users_count, 0);
	many_are_here(3);
}

Test(registry_past, users_of_yesterday_take_no_room, .fini = teardown)
{
	yesterday_and_today();
	rot("u/u0@x");
	next_life();
	expect_quarantined(BUCKET_USER, "u0@x");
	cr_assert_eq(later.state.sessions_count, 3);
	one_more_life();
}

/* Whose it was is not known: the history is asked of everybody, and has too many. */
Test(registry_past, whom_there_is_no_room_for_is_left_out, .fini = teardown)
{
	yesterday_and_today();
	rot_key("u/u0@x");
	next_life();
	cr_assert_not_null(told(EVENT_RECORD_REBUILT, 0));
	cr_assert(text_is(told(EVENT_RECORD_REBUILT, 0)->user_id, "u0@x"));
	cr_assert_null(told(EVENT_RECORD_REBUILT, 1));
	cr_assert_eq(later.state.sessions_count, 3);
	one_more_life();
}

Test(registry_past, gateways_of_yesterday_take_no_room, .init = setup, .fini = teardown)
{
	char name[32];

	streams(U, 11);
	for (unsigned life = 1; life <= 2; life++)
		for (unsigned i = 0; i < 100; i++) {
			(void)snprintf(name, sizeof name, "old-%u", i);
			hello((struct peer){ ROLE_GATEWAY, 1000 * life + i }, name);
		}
	rot("u/" U);
	next_life();
	expect_quarantined(BUCKET_USER, U);
	one_more_life();
	/* Of one of them, too. */
	(void)snprintf(name, sizeof name, "g/%016x", 2050);
	rot(name);
	next_life();
	cr_assert_not_null(state_gateway_find(&later.state, 2050));
	cr_assert_null(state_gateway_find(&later.state, 1050));
	one_more_life();
}

/* The one that is remembered has a sound record; of those that were forgotten nothing is made. */
Test(registry_past, who_is_remembered_stays_so, .fini = teardown)
{
	open_small(8);
	come_and_go("a@x", 10, true);
	come_and_go("b@x", 11, true);
	come_and_go("c@x", 12, true);
	many_are_here(7);
	cr_assert_eq(bench.registry.state.dormant_count, 1);
	rot("u/u0@x");
	next_life();
	cr_assert(text_is(told(EVENT_RECORD_REBUILT, 0)->user_id, "u0@x"));
	cr_assert_null(told(EVENT_RECORD_REBUILT, 1), "one was damaged");
	cr_assert_not_null(state_user_find(&later.state, TEXT("c@x")));
	one_more_life();
}

/* Likewise if the history is asked of everybody: who was forgotten makes room again. */
Test(registry_past, who_was_forgotten_displaces_nobody, .fini = teardown)
{
	open_small(8);
	come_and_go("a@x", 10, true);
	come_and_go("b@x", 11, true);
	come_and_go("c@x", 12, true);
	many_are_here(7);
	rot_key("u/u6@x");
	next_life();
	cr_assert_not_null(state_user_find(&later.state, TEXT("c@x")), "its record is sound");
	cr_assert_eq(later.state.sessions_count, 7);
	cr_assert(text_is(told(EVENT_RECORD_REBUILT, 0)->user_id, "u6@x"));
	cr_assert_null(told(EVENT_RECORD_REBUILT, 1));
	one_more_life();
}

/* What the history has of it is not asked for by its name. */
Test(registry_past, a_gateway_whose_key_says_nothing, .init = setup, .fini = teardown)
{
	char key[32];

	hello((struct peer){ ROLE_GATEWAY, 0xabc }, "gateway-9");
	streams(U, 11);
	(void)snprintf(key, sizeof key, "g/%016x", 0xabc);
	put_raw(key, (struct text){ 0 });
	put_raw("g/nothing", TEXT("\x01\xc1"));
	next_life();
	cr_assert_not_null(state_gateway_find(&later.state, 0xabc), "made up of the history");
	cr_assert_null(told(EVENT_RECORD_REBUILT, 0));
	one_more_life();
}
