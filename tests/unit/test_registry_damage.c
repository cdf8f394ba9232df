/* SPDX-License-Identifier: MIT */
/* Goal: a damaged record costs its user's stream, which is told of, and nobody anything else.
 * Method: a story committed as the shell does it, one bit of one record changed, and another life
 * loaded from it: what it says of itself, what it owes, and what the life after that one knows.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "tests/lib/damage_stage.h"

Test(registry_damage, a_user, .init = setup, .fini = teardown)
{
	const struct stream_event *closed;

	streams(U, 11);
	streams(OTHER, 12);
	rot("u/" U);
	next_life();
	expect_quarantined(BUCKET_USER, U);
	cr_assert_not_null(told(EVENT_RECORD_REBUILT, 0));
	cr_assert_gt(told(EVENT_RECORD_REBUILT, 0)->record_rebuilt.rows, 3);
	closed = told(EVENT_STREAM_CLOSED, 0);
	cr_assert_not_null(closed);
	cr_assert(text_is(closed->user_id, U));
	cr_assert_eq(closed->stream_closed.end_cause, END_RECORD_LOST);
	cr_assert_eq(closed->cause, told(EVENT_RECORD_REBUILT, 0)->seq, "that is its evidence");
	cr_assert(closed->stream_closed.told_owed, "its app is owed the word of it");
	cr_assert(closed->stream_closed.stop_owed, "the glasses are known: they get their stop");
	cr_assert_null(told(EVENT_STREAM_CLOSED, 1));
	cr_assert_null(active_of(U));
	cr_assert_not_null(active_of(OTHER), "the other goes on");
	cr_assert_eq(state_user_find(&later.state, TEXT(U))->session, SESSION_OPEN,
		     "and so does the session");
	one_more_life();
}

Test(registry_damage, a_user_whose_input_has_a_name, .init = setup, .fini = teardown)
{
	const struct stream_event *closed;
	const struct state_stream *stream;

	glasses_up(U, 11);
	commit();
	app_runs(U, "pa", 21);
	watch(U, "pa");
	commit();
	input_made(U, "in1");
	commit();
	rot("u/" U);
	next_life();
	closed = told(EVENT_STREAM_CLOSED, 0);
	cr_assert_not_null(closed);
	cr_assert(closed->stream_closed.input_owed && closed->stream_closed.told_owed);
	stream = state_stream_find(&later.state, closed->stream_id);
	cr_assert_not_null(stream);
	cr_assert(
		text_is(state_text(&later.state, state_managed_of(&later.state, stream)->input_id),
			"in1"),
		"so it can be deleted");
	one_more_life();
}

Test(registry_damage, the_stream_of_a_user_who_is_gone_is_not_made_up, .init = setup,
     .fini = teardown)
{
	streams(U, 11);
	streams(OTHER, 12);
	glasses_down(U, 11);
	commit();
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	commit();
	cr_assert_null(the_stream(U));
	rot("u/" OTHER);
	next_life();
	expect_quarantined(BUCKET_USER, OTHER);
	cr_assert_null(told(EVENT_STREAM_CLOSED, 1), "one end");
	cr_assert_null(active_of(U));
	one_more_life();
}

/* Of the oldest events nothing is left: the session, the app and its socket are not known. */
Test(registry_damage, a_user_whom_the_history_half_forgot, .fini = teardown)
{
	open_with(2);
	streams(U, 11);
	cr_assert_gt(store_oldest(store), the_user(U)->session_seq);
	rot("u/" U);
	next_life();
	cr_assert_not_null(told(EVENT_STREAM_CLOSED, 0));
	cr_assert_eq(told(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause, END_RECORD_LOST);
	cr_assert(told(EVENT_STREAM_CLOSED, 0)->stream_closed.stop_owed);
	one_more_life();
}

Test(registry_damage, a_user_whom_the_history_forgot, .fini = teardown)
{
	open_with(1);
	streams(U, 11);
	glasses_up(OTHER, 12);
	commit();
	rot("u/" U);
	next_life();
	expect_quarantined(BUCKET_USER, "");
	cr_assert_null(state_user_find(&later.state, TEXT(U)));
	one_more_life();
}

Test(registry_damage, a_gateway, .init = setup, .fini = teardown)
{
	char key[32];

	hello((struct peer){ ROLE_GATEWAY, 0xabc }, "gateway-9");
	streams(U, 11);
	(void)snprintf(key, sizeof key, "g/%016x", 0xabc);
	rot(key);
	next_life();
	expect_quarantined(BUCKET_GATEWAY, "");
	cr_assert_not_null(state_gateway_find(&later.state, 0xabc), "made up of the history");
	cr_assert_not_null(active_of(U));
	one_more_life();
}

Test(registry_damage, the_mark_of_the_deployment, .init = setup, .fini = teardown)
{
	bench.registry.options.mark = "abc123";
	streams(U, 11);
	for (int i = 0; i < 2; i++) {
		rot(i ? "m2" : "m");
		cr_assert_eq(load_later(), 0);
		cr_assert_str_eq(later.state.mark, "abc123", "there are two");
		registry_handle(&later, &(struct input){ .type = INPUT_TICK }, bench.now_ms, &fx);
		commit_of(&later_records, &fx, NULL, 0);
		cr_assert_eq(told(EVENT_RECORD_QUARANTINED, 0)->record_quarantined.bucket,
			     BUCKET_DEPLOYMENT);
		cr_assert_null(told(EVENT_DEPLOYMENT_MARKED, 0), "it is the same");
		one_more_life();
	}
	cr_assert_not_null(active_of(U));
}

Test(registry_damage, a_peer, .init = setup, .fini = teardown)
{
	const struct peer_mark marks[] = { { ROLE_GATEWAY, 5, TEXT("gateway-1"), 10 },
					   { ROLE_UNMANAGED, 6, TEXT("unmanaged-adapter"), 3 } };

	glasses_up(U, 11);
	commit_of(&records, &bench.fx, marks, 2);
	rot("p/gateway/gateway-1");
	next_life();
	expect_quarantined(BUCKET_PEER, "");
	cr_assert_eq(later_records.mark_count, 1, "it is counted anew, the other goes on");
	cr_assert_eq(later_records.marks[0].role, ROLE_UNMANAGED);
	one_more_life();
}

/* Everything at once: nobody is left to be ended twice, and it starts. */
Test(registry_damage, all_records, .init = setup, .fini = teardown)
{
	struct text key;

	streams(U, 11);
	streams(OTHER, 12);
	for (uint64_t pick = 0; pick < 4; pick++)
		cr_assert(store_memory_rot(store, pick, 9, &key));
	next_life();
	cr_assert_eq(store_quarantined(store), 4);
	cr_assert_not_null(told(EVENT_STREAM_CLOSED, 1));
	cr_assert_null(told(EVENT_STREAM_CLOSED, 2));
	one_more_life();
}

/* The commit that tells of it never came: the next life finds it again. */
Test(registry_damage, a_crash_before_it_was_told, .init = setup, .fini = teardown)
{
	streams(U, 11);
	rot("u/" U);
	cr_assert_eq(load_later(), 0);
	registry_handle(&later, &(struct input){ .type = INPUT_TICK }, bench.now_ms, &fx);
	cr_assert_eq(store_quarantined(store), 0);
	next_life();
	expect_quarantined(BUCKET_USER, U);
	cr_assert_not_null(told(EVENT_STREAM_CLOSED, 0));
	one_more_life();
}

Test(registry_damage, what_is_no_record, .init = setup, .fini = teardown)
{
	static const char *const names[] = { "u/x", "g/1", "m2" };

	streams(U, 11);
	for (unsigned i = 0; i < 3; i++)
		put_raw(names[i], TEXT("\x01\xc1"));
	next_life();
	cr_assert_eq(store_quarantined(store), 3);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(told(EVENT_RECORD_QUARANTINED, i)->record_quarantined.reason,
			     DAMAGE_FORM);
	cr_assert_not_null(active_of(U));
	one_more_life();
}

/* Its bytes are those that were committed: whoever did knows what they are. */
Test(registry_damage, a_kind_of_record_that_is_not_known, .init = setup, .fini = teardown)
{
	put_raw("q/x", TEXT("\x01\xc1"));
	cr_assert_eq(load_later(), -EPROTO);
	cr_assert(fault.permanent);
	cr_assert(strstr(fault.reason, "record q/x: of a newer build"), "%s", fault.reason);
	rot("q/x");
	next_life();
	expect_quarantined(BUCKET_NONE, "");
	one_more_life();
}

/* As many answers as if none of its rows were damaged. */
Test(registry_damage, the_newest_rows, .init = setup, .fini = teardown)
{
	size_t answered;

	streams(U, 11);
	cr_assert_eq(load_later(), 0);
	answered = later.answered;
	cr_assert_gt(answered, 0);
	for (unsigned i = 0; i < 6; i++) {
		glasses_up(OTHER, 12 + i);
		commit();
	}
	for (unsigned i = 0; i < 6; i++) {
		store_memory_rot_row(store, store_head(store).seq - i);
		cr_assert_eq(load_later(), 0);
		cr_assert_eq(later.answered, answered, "%u", i);
	}
	for (uint64_t seq = 1; seq <= store_head(store).seq - 6; seq++)
		store_memory_rot_row(store, seq);
	cr_assert_eq(load_later(), 0);
	cr_assert_eq(later.answered, 0, "no row is sound");
}

Test(registry_damage, one_more_than_can_be_lived_with, .init = setup, .fini = teardown)
{
	char name[16];

	for (unsigned i = 0; i < REGISTRY_DAMAGE_MAX; i++) {
		(void)snprintf(name, sizeof name, "u/%04u", i);
		put_raw(name, TEXT("\x01\xc1"));
	}
	cr_assert_eq(load_later(), 0, "%s", fault.reason);
	put_raw("u/last", TEXT("\x01\xc1"));
	cr_assert_eq(load_later(), -EUCLEAN);
	cr_assert(fault.permanent);
	cr_assert(strstr(fault.reason, "restore a backup"), "%s", fault.reason);
}

/* So many that they are told of in several steps; nobody gets a snapshot in between. */
Test(registry_damage, many_are_told_of_in_steps, .init = setup, .fini = teardown)
{
	char name[16];
	unsigned steps = 0, told_of = 0;

	streams(U, 11);
	rot("u/" U);
	for (unsigned i = 0; i < REGISTRY_DAMAGE_MAX - 1; i++) {
		(void)snprintf(name, sizeof name, "u/%04u", i);
		put_raw(name, TEXT("\x01\xc1"));
	}
	cr_assert_eq(load_later(), 0, "%s", fault.reason);
	for (; !registry_is_settled(&later); steps++) {
		cr_assert_eq(registry_deadline(&later), 0, "at once");
		registry_handle(&later, &(struct input){ .type = INPUT_TICK }, bench.now_ms, &fx);
		for (unsigned i = 0; told(EVENT_RECORD_QUARANTINED, i); i++)
			told_of++;
		commit_of(&later_records, &fx, NULL, 0);
	}
	cr_assert_gt(steps, 2);
	cr_assert_eq(told_of, REGISTRY_DAMAGE_MAX);
	cr_assert_eq(store_quarantined(store), REGISTRY_DAMAGE_MAX);
	one_more_life();
}
