/* SPDX-License-Identifier: MIT */
/* Goal: a comparison that is disturbed deletes nothing that it should not, and comes to its end or
 * says why it did not.  Method: the registry and the adapter; pages laid out byte by byte, tables
 * that are full.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/managed_internal.h"
#include "proto/list.h"
#include "tests/lib/managed_stage.h"

#define MARK "marked"
#define OLD 3600
#define NOTHING "in_use=0 owed=0 leaks=0 foreign=0 deleted=0 rows=0"

static struct effects fx;

static void setup(void)
{
	stage_defaults();
	stage_open();
	stage_pass(1000); /* the comparison behind the first snapshot */
	stage_forget();
}

static void teardown(void)
{
	stage.managed->fx = NULL;
	stage_close();
}

TestSuite(managed_compare, .init = setup, .fini = teardown);

static void interval(void)
{
	stage_pass(stage.options.reconcile_interval_ms + 1000);
}

static void ask_as(uint64_t operator, uint64_t request)
{
	struct stream_event event = {
		.type = EVENT_PROVIDER_ASK, .origin = operator, .request = request };

	stage_say((struct peer){ ROLE_OPERATOR, operator }, event);
}

/* Up to the call for the first page, which is held. */
static void ask_for_a_page(void)
{
	stage.hold = true;
	stage_ask(1, false, false);
	stage_pass(20);
	struct stream_event quota = { .type = EVENT_PROVIDER_DONE };

	quota.provider_done.call = stage.managed->sweep.call;
	quota.provider_done.outcome = CALL_OK;
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, quota);
	stage_pass(20);
	cr_assert_eq(stage.managed->sweep.step, SWEEP_LIST);
	stage_forget();
}

static void answer_page(struct text inputs)
{
	struct stream_event page = { .type = EVENT_PROVIDER_PAGE };

	page.provider_page.call = stage.managed->sweep.call;
	page.provider_page.outcome = CALL_OK;
	page.provider_page.inputs = inputs;
	stage_handle(&(struct input){
		.type = INPUT_MESSAGE, .peer = { ROLE_PROVIDER, 0 }, .event = &page });
	stage_pass(20);
}

/* Who asks --------------------------------------------------------------------------------------
 */

Test(managed_compare, each_operator_has_one_answer)
{
	stage.hold = true;
	ask_as(98, 1);
	stage_pass(10);
	ask_as(98, 1); /* the same once more */
	ask_as(98, 2);
	ask_as(98, 2);
	stage_expect("");
	ask_as(97, 1);
	stage_expect("report refused " NOTHING);
	ask_as(97, 2);
	stage_expect("report refused " NOTHING);
	stage.hold = false;
	stage_release();
	stage_pass(2000);
	stage_expect("report ok " NOTHING "; report ok " NOTHING);
}

Test(managed_compare, not_without_the_registry)
{
	stage_rows();
	stage_ask(1, true, false);
	stage_expect("report refused " NOTHING);
	stage_synced();
}

Test(managed_compare, what_is_wanted_meanwhile_is_another_one)
{
	uint64_t before = stage.managed->stats.reconciled;

	ask_for_a_page();
	managed_sweep_soon(stage.managed, stage.now_ms);
	stage.hold = false;
	answer_page(TEXT("\x90"));
	stage_pass(100);
	cr_assert_eq(stage.managed->stats.reconciled, before + 2);
	stage_pass(stage.options.reconcile_interval_ms - 1000);
	cr_assert_eq(stage.managed->stats.reconciled, before + 2);
}

/* Pages -----------------------------------------------------------------------------------------
 */

#define LONG_ID \
	"\xd9\x41" /* 65 bytes */ \
	"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"
#define X "\x94\xa1x\xa0\xa0\x05" /* a good one, not ours */

Test(managed_compare, a_page_that_cannot_be_read_compares_nothing)
{
	static const struct {
		const char *bytes;
		uint32_t length;
	} wrong[] = {
#define BYTES(text) { text, sizeof text - 1 }
		BYTES("\xc0"),
		BYTES("\xdc\x00\x11" X X X X X X X X X X X X X X X X X),
		BYTES("\x91\x05"),
		BYTES("\x91\x93\xa1x\xa1y\xa1z"),
		BYTES("\x91\x94\x05\xa1y\xa1z\x05"),
		BYTES("\x91\x94\xa1x\x05\xa1z\x05"),
		BYTES("\x91\x94\xa1x\xa1y\x05\x05"),
		BYTES("\x91\x94\xa1x\xa1y\xa1z\xa1t"),
		BYTES("\x91\x94\xa0\xa1y\xa1z\x05"),
		BYTES("\x91\x94" LONG_ID "\xa1y\xa1z\x05"),
#undef BYTES
	};

	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		ask_for_a_page();
		answer_page((struct text){ wrong[i].bytes, wrong[i].length });
		stage_expect("report failed " NOTHING);
		cr_assert_eq(stage.managed->sweep.step, SWEEP_IDLE, "page %u", i);
	}
	ask_for_a_page();
	answer_page(TEXT("\x91" X));
	cr_assert(stage_said("report ok in_use=0 owed=0 leaks=0 foreign=1"), "%s", stage.log);
}

Test(managed_compare, a_page_that_is_none)
{
	struct stream_event done = { .type = EVENT_PROVIDER_DONE };

	ask_for_a_page();
	done.provider_done.call = stage.managed->sweep.call;
	done.provider_done.outcome = CALL_REFUSED;
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, done);
	stage_expect("report failed " NOTHING);
}

Test(managed_compare, a_page_that_found_no_room_is_asked_for_later)
{
	stage.managed->stats.calls_open = MANAGED_LOOKS_MAX;
	stage_ask(1, false, false);
	stage_pass(1000);
	stage_expect("");
	stage.managed->stats.calls_open = 0;
	stage_pass(1000);
	stage_expect("report ok " NOTHING);
}

Test(managed_compare, a_call_full_of_other_things_compares_later)
{
	effects_clear(&fx);
	while (effects_room(&fx) >= MANAGED_WORK_ROOM)
		(void)effects_add(&fx, EFFECT_OPS, (struct peer){ 0 }, EVENT_PROVIDER_LEAK);
	stage.managed->fx = &fx;
	const uint64_t round = stage.managed->sweep.round;

	managed_sweep_step(stage.managed);
	cr_assert_eq(stage.managed->sweep.round, round);
	stage.managed->sweep.step = SWEEP_RECORDS;
	stage_watch("pa", 1);
	effects_clear(&fx);
	while (effects_room(&fx) >= MANAGED_WORK_ROOM)
		(void)effects_add(&fx, EFFECT_OPS, (struct peer){ 0 }, EVENT_PROVIDER_LEAK);
	stage.managed->fx = &fx;
	stage.managed->sweep.at = 0;
	managed_sweep_step(stage.managed);
	cr_assert_eq(stage.managed->sweep.at, 0);
	stage.managed->sweep.step = SWEEP_IDLE;
}

/* Records ---------------------------------------------------------------------------------------
 */

Test(managed_compare, an_input_that_names_an_unmanaged_stream_is_a_leak)
{
	stage_unmanaged("pa");
	struct stage_input *input = stage_input_add("X1", MARK, OLD);

	(void)text_put(state_text(&stage.registry->state, stage_active()->id), input->stream_id,
		       sizeof input->stream_id);
	interval();
	cr_assert(stage_said("delete X1"), "%s", stage.log);
	cr_assert(stage_active());
}

Test(managed_compare, a_second_input_of_a_stream_that_is_settled_is_a_leak)
{
	stage.apps_silent = true; /* the record stays */
	stage_watch("pa", 1);
	struct stage_input *input = stage_input_add("X1", MARK, OLD);

	(void)text_put(state_text(&stage.registry->state, stage_active()->id), input->stream_id,
		       sizeof input->stream_id);
	stage_stop("pa", 2);
	stage_pass(100);
	stage_forget();
	interval();
	cr_assert(stage_said("delete X1"), "%s", stage.log);
}

/* Never made, as far as is known; yet a list shows it. */
static struct stage_input *made_in_doubt(void)
{
	for (unsigned i = 0; i < 3; i++)
		stage_plan(EVENT_PROVIDER_CREATE, CALL_UNKNOWN, "timeout");
	stage_watch("pa", 1);
	struct stage_input *input = stage_input_add("I5", MARK, 0);

	(void)text_put(state_text(&stage.registry->state, stage_active()->id), input->stream_id,
		       sizeof input->stream_id);
	stage_pass(4000);
	cr_assert_eq(stage.managed->works[0].stage, STAGE_SEARCH);
	stage_forget();
	return input;
}

Test(managed_compare, an_operator_who_only_looks_finds_nothing_for_us)
{
	(void)made_in_doubt();
	stage_ask(1, false, false);
	stage_pass(100);
	stage_expect("row I5 delete_owed listed; "
		     "report ok in_use=0 owed=1 leaks=0 foreign=0 deleted=0 rows=1");
	stage_pass(60000);
	stage_expect("delete I5");
}

Test(managed_compare, what_is_looked_for_has_no_next_time)
{
	made_in_doubt()->there = false;
	stage.now_ms = stage.managed->works[0].due_ms; /* it is looked for by lists, from now on */
	stage_ask(1, false, true);
	stage_pass(100);
	stage_expect("row  delete_owed; "
		     "report ok in_use=0 owed=1 leaks=0 foreign=0 deleted=0 rows=1");
}

Test(managed_compare, what_is_being_made_or_deleted_is_left_alone)
{
	uint8_t bytes[256];
	struct list_writer list;

	stage.hold = true;
	stage_watch("pa", 1);
	struct text id = state_text(&stage.registry->state, stage_active()->id);

	stage_stop("pa", 2); /* create is under way, what it makes is owed */
	ask_for_a_page();
	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 4);
	list_put_text(&list, TEXT("I1"));
	list_put_text(&list, TEXT(MARK));
	list_put_text(&list, id);
	list_put_u64(&list, OLD);
	cr_assert(list_close_member(&list));
	answer_page(list_end(&list));
	stage_expect("row I1 delete_owed listed; "
		     "report ok in_use=0 owed=1 leaks=0 foreign=0 deleted=0 rows=1");
	stage.hold = false;
	stage_release();
	stage.hold = true;
	stage_pass(100); /* the delete is under way */
	ask_for_a_page();
	answer_page(TEXT("\x90"));
	stage_expect("row I1 delete_owed; "
		     "report ok in_use=0 owed=1 leaks=0 foreign=0 deleted=0 rows=1");
	stage.hold = false;
	stage_release();
	stage_pass(100);
	cr_assert_eq(stage_inputs_there(), 0);
}

/* Leaks -----------------------------------------------------------------------------------------
 */

Test(managed_compare, an_age_beyond_all_reason_is_none)
{
	stage_input_add("X1", MARK, UINT64_C(1) << 40);
	interval();
	stage_expect("");
	for (unsigned i = 0; i < 6; i++)
		interval();
	stage_expect("delete X1");
}

Test(managed_compare, a_leak_that_is_listed_twice_is_one)
{
	stage.managed->sweep.round++;
	managed_leak_listed(stage.managed, TEXT("X1"), OLD);
	managed_leak_listed(stage.managed, TEXT("X1"), OLD);
	cr_assert_eq(stage.managed->sweep.leaks, 1);
}

Test(managed_compare, a_leak_that_is_gone_when_it_is_looked_at)
{
	stage_input_add("X1", MARK, OLD);
	stage_plan(EVENT_PROVIDER_DESCRIBE, CALL_GONE, "");
	stage_ask(1, true, false);
	stage_pass(100);
	stage_expect("row X1 none listed leak deleted; "
		     "report ok in_use=0 owed=0 leaks=1 foreign=0 deleted=1 rows=1");
}

Test(managed_compare, what_has_a_record_by_now_is_no_leak)
{
	stage_watch("pa", 1);
	stage.managed->fx = &fx;
	effects_clear(&fx);
	stage.managed->sweep.round++;
	managed_leak_listed(stage.managed, TEXT("I1"), OLD); /* before it was known */
	stage.managed->sweep.at = 0;
	cr_assert(managed_leaks_step(stage.managed));
	cr_assert_eq(stage.managed->stats.calls_open, 0);
}

Test(managed_compare, leaks_that_find_no_room_are_next)
{
	struct managed *core = stage.managed;

	core->fx = &fx;
	effects_clear(&fx);
	core->sweep.round++;
	managed_leak_listed(core, TEXT("X1"), OLD);
	core->sweep.at = 0;
	core->stats.calls_open = MANAGED_LOOKS_MAX;
	cr_assert_not(managed_leaks_step(core));
	cr_assert_eq(core->sweep.due_ms, core->now_ms + MANAGED_RETRY_MS);
	core->stats.calls_open = 0;
	fx.arena_used = EFFECTS_ARENA_SIZE - 1;
	cr_assert_not(managed_leaks_step(core));
	effects_clear(&fx);
	while (effects_room(&fx) >= MANAGED_WORK_ROOM)
		(void)effects_add(&fx, EFFECT_OPS, (struct peer){ 0 }, EVENT_PROVIDER_LEAK);
	cr_assert_not(managed_leaks_step(core));
	cr_assert_eq(core->sweep.at, 0);
	cr_assert_eq(core->stats.calls_open, 0);
	effects_clear(&fx);
	cr_assert_not(managed_leaks_step(core));
	cr_assert_eq(core->stats.calls_open, 1, "now it is looked at");
	core->sweep.call = 0;
}

Test(managed_compare, a_full_list_of_effects_has_no_room_for_a_call)
{
	uint64_t number;

	effects_clear(&fx);
	while (effects_room(&fx) > 0)
		(void)effects_add(&fx, EFFECT_OPS, (struct peer){ 0 }, EVENT_PROVIDER_LEAK);
	stage.managed->fx = &fx;
	cr_assert_not(managed_call(stage.managed, EVENT_PROVIDER_DELETE, 0, 0, &number));
	cr_assert_eq(stage.managed->stats.calls_open, 0);
}
