/* SPDX-License-Identifier: MIT */
/* Goal: one past each limit of the managed adapter nothing is lost that somebody is owed.  Method:
 * the registry and the adapter with small tables, or the tables themselves filled up.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/managed_internal.h"
#include "tests/lib/managed_stage.h"

#define MARK "marked"

TestSuite(managed_limits, .init = stage_ready, .fini = stage_close);

Test(managed_limits, looks_leave_room_for_what_must_be_done)
{
	static struct effects fx;
	uint64_t number;

	effects_clear(&fx);
	stage.managed->fx = &fx;
	for (uint32_t i = 0; i < MANAGED_LOOKS_MAX; i++) {
		effects_clear(&fx);
		cr_assert(managed_call(stage.managed, EVENT_PROVIDER_DESCRIBE, 0, 0, &number));
	}
	cr_assert_not(managed_call(stage.managed, EVENT_PROVIDER_DESCRIBE, 0, 0, &number));
	for (uint32_t i = MANAGED_LOOKS_MAX; i < MANAGED_CALLS_MAX; i++) {
		effects_clear(&fx);
		cr_assert(managed_call(stage.managed, EVENT_PROVIDER_DELETE, 0, 0, &number));
	}
	cr_assert_not(managed_call(stage.managed, EVENT_PROVIDER_DELETE, 0, 0, &number));
	cr_assert_eq(stage.managed->stats.calls_open, MANAGED_CALLS_MAX);
	struct managed_call call;

	cr_assert(managed_call_answered(stage.managed, number, &call));
	cr_assert_not(managed_call_answered(stage.managed, number, &call), "answered once");
	effects_clear(&fx);
	cr_assert(managed_call(stage.managed, EVENT_PROVIDER_DELETE, 0, 0, &number));
	for (uint64_t i = 1; i <= number; i++)
		(void)managed_call_answered(stage.managed, i, &call);
	cr_assert_eq(stage.managed->stats.calls_open, 0);
}

/* A full table of calls is waited out. */
Test(managed_limits, a_create_that_found_no_room_is_tried_again)
{
	stage.managed->stats.calls_open = MANAGED_CALLS_MAX;
	stage_watch("pa", 1);
	stage_pass(1000);
	stage_expect("");
	stage.managed->stats.calls_open = 0;
	stage_pass(200);
	cr_assert(stage_said("done 1 ok"));
}

Test(managed_limits, more_inputs_without_a_record_than_are_remembered)
{
	struct managed *core = stage.managed;
	char id[16];

	core->sweep.round = 5;
	for (uint32_t i = 0; i <= MANAGED_SEEN_MAX; i++) {
		(void)snprintf(id, sizeof id, "X%u", i);
		managed_leak_listed(core, text_of(id), 4000);
	}
	cr_assert_eq(core->sweep.leaks, MANAGED_SEEN_MAX);
	core->sweep.round = 7; /* none of them was listed in the one between */
	managed_leak_listed(core, TEXT("later"), 4000);
	cr_assert_eq(core->sweep.leaks, MANAGED_SEEN_MAX + 1);
	core->sweep.leaks = 0;
}

Test(managed_limits, the_oldest_secrets_make_room)
{
	struct managed *core = stage.managed;

	stage.hold = true;
	stage_watch_to("pa", 1, "[{\"url\":\"rtmp://a/k\"}]");
	const struct state_stream *stream = stage_active();
	struct text id = state_text(&stage.registry->state, stream->id);

	for (uint32_t i = 0; i <= MANAGED_KEPT_MAX; i++)
		managed_kept_keep(core, &core->works[0]);
	cr_assert_gt(managed_kept_destinations(core, id).length, 0);
	cr_assert_eq(core->kept_next, MANAGED_KEPT_MAX + 1);
}

Test(managed_limits, pauses_double_up_to_five_minutes)
{
	cr_assert_eq(managed_backoff_ms(1000, 1, 0), 1000);
	cr_assert_eq(managed_backoff_ms(1000, 2, 0), 2000);
	cr_assert_eq(managed_backoff_ms(1000, 9, 0), 256000);
	cr_assert_eq(managed_backoff_ms(1000, 10, 0), MANAGED_PAUSE_MAX_MS);
	cr_assert_eq(managed_backoff_ms(1000, UINT32_MAX, 0), MANAGED_PAUSE_MAX_MS);
	cr_assert_eq(managed_backoff_ms(1000, 1, 5000), 5000, "what is asked for is kept");
}

Test(managed_limits, pauses_of_deletes_double_up_to_half_a_minute)
{
	cr_assert_eq(managed_delete_pause_ms(1000, 1, 0), 1000);
	cr_assert_eq(managed_delete_pause_ms(1000, 5, 0), 16000);
	cr_assert_eq(managed_delete_pause_ms(1000, 6, 0), MANAGED_DELETE_PAUSE_MAX_MS);
	cr_assert_eq(managed_delete_pause_ms(1000, UINT32_MAX, 0), MANAGED_DELETE_PAUSE_MAX_MS);
	cr_assert_eq(managed_delete_pause_ms(1000, UINT32_MAX, 240000), 240000, "asked for");
}

/* More users than are counted in one minute: the oldest are forgotten, nobody is refused for it. */
Test(managed_limits, more_users_than_are_counted)
{
	const struct state_user *user = state_user_find(&stage.managed->state, TEXT("u@x"));
	char name[16];
	int64_t wait_s;

	stage.managed->options.provisions_per_min = 100000;
	for (uint32_t i = 0; i < 8 * MANAGED_RATES; i++) {
		(void)snprintf(name, sizeof name, "u%u", i);
		cr_assert_not(managed_governed(stage.managed, user, text_of(name), &wait_s));
	}
}

/* So many streams in use that adopting them takes more than one call. */
Test(managed_limits, all_are_adopted_before_the_end_is_said)
{
	stage_watch("pa", 1);
	stage_forget();
	stage.log_looks = true;
	stage_resync();
	cr_assert(stage_said("adopt I1; adopt ; quota"));
}

Test(managed_limits, a_list_that_cannot_be_read_compares_nothing)
{
	struct stream_event page = { .type = EVENT_PROVIDER_PAGE };
	uint64_t before = stage.managed->stats.reconciled;

	stage.hold = true;
	stage_ask(1, false, false);
	stage_pass(20);
	stage.hold = false;
	stage_release(); /* quota */
	stage.hold = true;
	stage_pass(20);
	cr_assert_eq(stage_held(), 1);
	page.provider_page.call = stage.managed->sweep.call;
	page.provider_page.outcome = CALL_OK;
	page.provider_page.inputs = TEXT("\x91\x92\xa1x\xa1y");
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, page);
	stage_expect("report failed in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0");
	cr_assert_eq(stage.managed->stats.reconciled, before);
	stage.hold = false;
	stage_release();
	cr_assert_eq(stage.managed->stats.answers_late, 1);
}
