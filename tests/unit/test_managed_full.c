/* SPDX-License-Identifier: MIT */
/* Goal: with more streams than one call looks at, and more owed than it has room for, all have
 * their turn; where a table is full nothing else is lost.  Method: the registry and the adapter,
 * stories of many users told by hand; pools that are full.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/managed-adapter/managed_internal.h"
#include "tests/lib/fill_pool.h"
#include "tests/lib/managed_stage.h"

#define GATEWAY UINT64_C(10)
#define MANY 300 /* more than one call has effects for */
#define STREAMS (MANAGED_SLOTS_PER_CALL + MANY)

static struct effects fx;
static uint64_t seq;

static void setup(void)
{
	stage_defaults();
	stage_open();
	stage_pass(1000);
	stage_forget();
	seq = stage.registry->seq + 1000;
}

static void setup_many(void)
{
	stage_defaults();
	stage.options.state = (struct state_options){ .users_max = STREAMS + 8,
						      .apps_max = 64,
						      .streams_max = STREAMS,
						      .text_bytes = 32u << 20 };
	stage_open();
	stage_pass(1000);
	stage_forget();
	seq = stage.registry->seq + 1000;
}

static void teardown(void)
{
	stage.managed->fx = NULL;
	stage_close();
}

TestSuite(managed_full, .init = setup, .fini = teardown);

static void story(struct stream_event event)
{
	event.seq = event.stream_seq = ++seq;
	stage_handle(&(struct input){ .type = INPUT_STORY, .event = &event });
}

static struct stream_event of_user(enum stream_event_type type, unsigned number)
{
	static char user[16], id[16];

	(void)snprintf(user, sizeof user, "u%u", number);
	(void)snprintf(id, sizeof id, "m%u", number);
	return (struct stream_event){ .type = type,
				      .user_id = text_of(user),
				      .stream_id = text_of(id),
				      .epoch = 1000 + number };
}

static void open_stream(unsigned number, enum provider_kind provider)
{
	struct stream_event event = of_user(EVENT_STREAM_OPENED, number);

	event.stream_opened.kind = KIND_MANAGED;
	event.stream_opened.provider = provider;
	event.stream_opened.package = TEXT("px");
	story(event);
}

static void provision(unsigned number)
{
	struct stream_event event = of_user(EVENT_STREAM_PROVISIONED, number);
	char input[16];

	(void)snprintf(input, sizeof input, "N%u", number);
	event.stream_provisioned.input_id = text_of(input);
	event.stream_provisioned.phase = PHASE_STARTING;
	story(event);
}

/* Ended, and its device must still be told. */
static void end_stream(unsigned number)
{
	struct stream_event event = of_user(EVENT_LINK_CHANGED, number);

	event.stream_id = (struct text){ 0 };
	event.epoch = 0;
	event.link_changed.link = 5000 + number;
	event.link_changed.gateway = GATEWAY;
	event.link_changed.state = LINK_UP;
	story(event);
	event = of_user(EVENT_STREAM_CLOSED, number);
	event.stream_closed.end_cause = END_APP_STOP;
	event.stream_closed.stop_owed = true;
	story(event);
}

static void synced(void)
{
	stage_handle(&(struct input){ .type = INPUT_SYNCED, .seq = seq });
}

static void see_the_gateway(void)
{
	struct stream_event event = { .type = EVENT_GATEWAY_CHANGED };

	event.gateway_changed.gateway = GATEWAY;
	event.gateway_changed.name = TEXT("gateway-1");
	event.gateway_changed.state = LINK_UP;
	story(event);
}

/* Of many users -----------------------------------------------------------------------------------
 */

Test(managed_full, all_streams_have_their_turn, .init = setup_many)
{
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
	see_the_gateway();
	for (unsigned i = 0; i < MANY; i++) {
		open_stream(i, PROVIDER_CLOUDFLARE);
		provision(i);
	}
	for (unsigned i = MANY; i < STREAMS; i++)
		open_stream(i, PROVIDER_LOCAL);
	for (unsigned i = STREAMS - MANY; i < STREAMS; i++)
		end_stream(i);
	stage_expect("");
	stage.log_looks = true;
	synced();
	stage_pass(0);
	cr_assert_eq(stage_count("adopt N"), MANY, "each that is in use");
	cr_assert(stage_said("adopt ; "), "and the end of them");
	cr_assert_eq(stage_count("G stop"), MANY, "each that is owed");
	cr_assert_not(stage_said("create") || stage_said("delete"));
	stage.log_looks = false;
	stage_forget();
	stage_pass(1000);
	cr_assert_eq(stage.managed->sweep.done_ms >= 0, true);
	cr_assert_eq(stage.managed->stats.in_use, MANY);
	stage_ask(9, false, false);
	stage_pass(1000);
	cr_assert_eq(stage_count("row N"), MANY, "each has its row");
	cr_assert(stage_said("report ok in_use=300 owed=0 leaks=0 foreign=0 deleted=0 rows=300"));
}

/* Those that find no room beside the others are asked for from the beginning. */
Test(managed_full, more_is_under_way_than_is_kept_over_a_snapshot, .init = setup_many)
{
	stage.hold = true;
	for (unsigned i = 0; i < STREAMS; i++)
		open_stream(i, PROVIDER_CLOUDFLARE);
	cr_assert_eq(stage_held(), MANAGED_CALLS_MAX);
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
	cr_assert_eq(stage.managed->away_count, MANAGED_AWAY_MAX);
	for (unsigned i = 0; i < STREAMS; i++)
		open_stream(i, PROVIDER_CLOUDFLARE);
	synced();
	stage_pass(0);
	cr_assert_eq(stage.managed->away_count, 0);
	for (unsigned i = 0; i < STREAMS; i++)
		cr_assert_eq(stage.managed->works[i].stage, STAGE_CREATE);
	cr_assert_eq(stage_held(), MANAGED_CALLS_MAX, "none is asked for twice");
	stage.hold = false;
}

Test(managed_full, more_are_owed_an_end_than_one_call_can_tell)
{
	enum { ENDS = 15 };
	char package[8];

	stage.managed->options.provisions_per_user_per_min = 100;
	stage.managed->options.owed_per_user_max = 100;
	for (unsigned i = 0; i < VIEWERS_MAX - 2; i++) {
		(void)snprintf(package, sizeof package, "p%u", i);
		stage_app_up(package, 100 + i);
	}
	stage.apps_silent = stage.device_silent = true;
	for (unsigned end = 0; end <= ENDS; end++) {
		stage_watch("pa", 100 * end + 1);
		stage_watch("pb", 100 * end + 2);
		for (unsigned i = 0; i < VIEWERS_MAX - 2; i++) {
			(void)snprintf(package, sizeof package, "p%u", i);
			stage_watch(package, 100 * end + 3 + i);
		}
		if (end < ENDS)
			stage_device(DEVICE_STOPPED);
		stage_pass(100);
		stage_forget();
	}
	stage_glasses_down();
	stage_pass(100);
	stage_forget();
	stage_glasses_up(); /* all of it at once, as far as there is room */
	stage_pass(5001);
	cr_assert_geq(stage_count("final"), ENDS * VIEWERS_MAX);
	cr_assert(stage_said("G start S16"), "%s", stage.log + stage.log_length - 200);
}

/* Full tables -------------------------------------------------------------------------------------
 */

Test(managed_full, a_mirror_without_room_counts_what_it_could_not_take)
{
	stage_watch("pa", 1);
	fill_pool(&stage.managed->state.pool);
	stage_watch("pb", 2);
	const uint64_t out_of_step = stage.managed->stats.out_of_step;

	cr_assert_gt(out_of_step, 0);
	open_stream(7, PROVIDER_CLOUDFLARE);
	cr_assert_eq(stage.managed->stats.out_of_step, out_of_step + 1);
	cr_assert_eq(stage.managed->state.streams_count, 1);
	stage_resync();
	stage_pass(10);
	cr_assert(stage_said("done 2 ok"), "%s", stage.log);
	cr_assert_eq(state_hash(&stage.managed->state), state_hash(&stage.registry->state));
}

/* Its name is known from the answer; the mirror had no room for it. */
Test(managed_full, an_input_whose_name_found_no_room_is_deleted)
{
	stage.hold = true;
	stage_watch("pa", 1);
	fill_pool(&stage.managed->state.pool);
	stage.hold = false;
	stage_release();
	stage_pass(3000);
	stage_stop("pa", 2);
	stage_pass(100000);
	cr_assert_eq(stage_inputs_there(), 0, "%s", stage.log);
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

/* Nor had anything else: lists find it, once there is room. */
Test(managed_full, an_input_whose_name_is_not_known_at_all_is_looked_for)
{
	stage.hold = true;
	stage_watch("pa", 1);
	fill_pool(&stage.managed->state.pool);
	stage.hold = false;
	stage_release();
	managed_work_end(stage.managed, 0); /* the name, and all else that is known of it */
	stage.managed->works[0].used = true;
	stage.managed->works[0].stage = STAGE_START;
	stage_stop("pa", 2);
	stage_pass(100);
	cr_assert_eq(stage.managed->works[0].stage, STAGE_SEARCH);
	stage_resync();
	stage_pass(200000);
	cr_assert_eq(stage_inputs_there(), 0, "%s", stage.log);
	cr_assert_eq(stage.registry->state.streams_count, 0);
}

Test(managed_full, a_full_list_of_effects_leaves_the_timers_for_the_next_call)
{
	struct managed *core = stage.managed;

	stage.hold = true;
	stage_watch("pa", 1);
	core->works[0].call = 0; /* as if it were due */
	core->works[0].due_ms = core->now_ms = stage.now_ms;
	managed_work_arm(core, &core->works[0]);
	core->fx = &fx;
	effects_clear(&fx);
	fx.arena_used = EFFECTS_ARENA_SIZE - 1;
	const uint64_t calls = core->stats.calls;

	managed_work_timers(core);
	cr_assert_eq(core->stats.calls, calls);
	effects_clear(&fx);
	while (effects_room(&fx) >= MANAGED_WORK_ROOM)
		(void)effects_add(&fx, EFFECT_OPS, (struct peer){ 0 }, EVENT_PROVIDER_LEAK);
	managed_work_timers(core);
	cr_assert_eq(core->stats.calls, calls);
	effects_clear(&fx);
	wheel_settle(&core->wheel, stage.now_ms + 20);
	core->now_ms = stage.now_ms + 20;
	managed_work_timers(core);
	cr_assert_eq(core->stats.calls, calls + 1);
}

Test(managed_full, a_delete_that_found_no_room_is_tried_again)
{
	stage_watch("pa", 1);
	stage_plan(EVENT_PROVIDER_DELETE, CALL_UNCONFIGURED, "token");
	stage.managed->stats.calls_open = MANAGED_CALLS_MAX;
	stage_stop("pa", 2);
	stage_pass(1000);
	cr_assert_not(stage_said("delete"));
	stage.managed->stats.calls_open = 0;
	stage_pass(200);
	cr_assert(stage_said("delete I1"));
	cr_assert_eq(stage.managed->stats.deletes_refused, 1);
	stage_pass(MANAGED_PAUSE_MAX_MS);
	cr_assert_eq(stage_inputs_there(), 0);
}

/* Secrets that outlive a snapshot
 * ------------------------------------------------------------------
 */

static void keep_made(const char *input_id, const char *ingest)
{
	struct managed *core = stage.managed;

	(void)pool_replace(&core->texts, text_of(input_id), &core->works[0].made[MADE_ID]);
	(void)pool_replace(&core->texts, text_of(ingest), &core->works[0].made[MADE_INGEST]);
	managed_kept_keep(core, &core->works[0]);
}

Test(managed_full, each_input_has_its_own_secret)
{
	struct managed *core = stage.managed;

	stage.hold = true;
	stage_watch("pa", 1);
	struct text id = state_text(&stage.registry->state, stage_active()->id);

	keep_made("I1", "one");
	keep_made("I2", "two");
	cr_assert(text_is(managed_kept_ingest(core, id, TEXT("I1")), "one"));
	cr_assert(text_is(managed_kept_ingest(core, id, TEXT("I2")), "two"));
	cr_assert_eq(managed_kept_ingest(core, id, TEXT("I3")).length, 0);
	cr_assert_eq(managed_kept_destinations(core, TEXT("nobody")).length, 0);
	(void)pool_replace(&core->texts, TEXT("I3"), &core->works[0].made[MADE_ID]);
	fill_pool(&core->texts);
	managed_kept_keep(core, &core->works[0]); /* no room: better none than a wrong one */
	cr_assert_eq(managed_kept_ingest(core, id, TEXT("I3")).length, 0);
	core->works[0].made[MADE_INGEST] = (struct pooled){ 0 };
	uint32_t next = core->kept_next;

	managed_kept_keep(core, &core->works[0]);
	cr_assert_eq(core->kept_next, next, "without a secret there is nothing to keep");
}

/* Odd stories
 * ---------------------------------------------------------------------------------------
 */

Test(managed_full, links_of_nobody_and_of_who_has_no_session)
{
	struct stream_event event = { .type = EVENT_LINK_CHANGED };

	event.link_changed.link = 1;
	event.link_changed.gateway = GATEWAY;
	event.link_changed.state = LINK_UP;
	story(event);
	event.user_id = TEXT("new@x");
	story(event);
	stage_expect("");
	cr_assert(state_user_find(&stage.managed->state, TEXT("new@x")));
	cr_assert_not(state_user_find(&stage.managed->state, (struct text){ 0 }));
}

/* To be in sight of the registry again needs no new round, but what is in use is told again. */
Test(managed_full, in_sight_again)
{
	stage_watch("pa", 1);
	stage_pass(10);
	stage_forget();
	stage.log_looks = true;
	stage_handle(&(struct input){ .type = INPUT_BLIND });
	stage_handle(&(struct input){ .type = INPUT_SYNCED, .seq = stage.registry->seq });
	cr_assert_eq(managed_deadline(stage.managed), 0);
	stage_pass(10);
	cr_assert(stage_said("adopt I1; adopt "), "%s", stage.log);
	cr_assert_not(stage_said("pa initializing"), "%s", stage.log);
}

Test(managed_full, an_old_answer_is_not_one_for_the_next_stream_in_its_slot)
{
	struct stream_event closed = of_user(EVENT_STREAM_CLOSED, 7);

	stage.hold = true;
	open_stream(7, PROVIDER_CLOUDFLARE);
	uint64_t call = stage.managed->works[0].call;

	closed.stream_closed.end_cause = END_APP_STOP; /* and it owes nothing */
	story(closed);
	open_stream(8, PROVIDER_CLOUDFLARE);
	cr_assert(stage.managed->works[0].used && stage.managed->works[0].call != call);
	struct stream_event done = { .type = EVENT_PROVIDER_DONE };

	done.provider_done.call = call;
	done.provider_done.outcome = CALL_OK;
	done.provider_done.input_id = TEXT("I7");
	done.provider_done.ingest = TEXT("rtmp://in/I7");
	stage_say((struct peer){ ROLE_PROVIDER, 0 }, done);
	cr_assert_eq(stage.managed->stats.answers_late, 1);
	cr_assert_eq(stage.managed->works[0].stage, STAGE_CREATE);
}

Test(managed_full, what_is_settled_while_a_snapshot_is_read)
{
	struct stream_event settled;

	stage.hold = true;
	open_stream(7, PROVIDER_CLOUDFLARE);
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
	open_stream(7, PROVIDER_CLOUDFLARE);
	settled = of_user(EVENT_STREAM_CLOSED, 7);
	settled.stream_closed.end_cause = END_APP_STOP;
	settled.stream_closed.input_owed = settled.stream_closed.stop_owed = true;
	story(settled);
	settled = of_user(EVENT_STREAM_INPUT_SETTLED, 7);
	story(settled);
	synced();
	stage_pass(100);
	cr_assert_eq(stage.managed->works[0].stage, STAGE_NONE);
	cr_assert_eq(stage.gone_said, 0);
}

Test(managed_full, a_record_that_is_another_providers_behind_a_snapshot)
{
	stage.hold = true;
	open_stream(7, PROVIDER_CLOUDFLARE);
	stage_handle(&(struct input){ .type = INPUT_RESYNC });
	open_stream(7, PROVIDER_LOCAL);
	synced();
	stage_pass(100);
	cr_assert_not(stage.managed->works[0].used);
	stage.hold = false;
	stage_release();
	cr_assert_eq(stage.managed->stats.answers_late, 1);
}

Test(managed_full, a_session_that_ends_is_still_told)
{
	struct stream_event ending = { .type = EVENT_SESSION_ENDING, .user_id = TEXT("u@x") };

	stage.device_silent = true;
	stage_watch("pa", 1);
	stage_forget();
	story(ending);
	ending.type = EVENT_LINK_CHANGED;
	ending.link_changed.link = 11;
	ending.link_changed.gateway = GATEWAY;
	ending.link_changed.state = LINK_UP;
	story(ending);
	stage_expect("G start S1 rtmp://in/I1");
}

Test(managed_full, the_oldest_user_makes_room)
{
	const struct state_user *user = state_user_find(&stage.managed->state, TEXT("u@x"));
	char name[16];
	int64_t wait_s;

	stage.managed->options.provisions_per_user_per_min = 1;
	stage.managed->options.provisions_per_min = 100000;
	for (uint32_t i = 0; i < 2 * MANAGED_RATES; i++) {
		stage.managed->now_ms++;
		(void)snprintf(name, sizeof name, "u%u", i);
		cr_assert_not(managed_governed(stage.managed, user, text_of(name), &wait_s));
		cr_assert(managed_governed(stage.managed, user, text_of(name), &wait_s),
			  "the newest is remembered");
	}
}

Test(managed_full, two_records_that_name_one_input)
{
	stage.hold = true;
	open_stream(7, PROVIDER_CLOUDFLARE);
	open_stream(8, PROVIDER_CLOUDFLARE);
	for (unsigned i = 7; i <= 8; i++) {
		struct stream_event event = of_user(EVENT_STREAM_PROVISIONED, i);

		event.stream_provisioned.input_id = TEXT("I1");
		event.stream_provisioned.phase = PHASE_STARTING;
		story(event);
	}
	cr_assert_eq(managed_work_find(stage.managed, TEXT("m8"), TEXT("I1")),
		     &stage.managed->works[0], "the first has it");
	cr_assert_eq(stage.managed->works[1].input_id.length, 0);
	cr_assert_eq(managed_work_find(stage.managed, TEXT("m8"), TEXT("I9")),
		     &stage.managed->works[1]);
}

Test(managed_full, all_are_refused_where_none_may_start)
{
	const struct state_user *user = state_user_find(&stage.managed->state, TEXT("u@x"));
	char name[16];
	int64_t wait_s = 0;

	stage.managed->options.provisions_per_min = 0;
	for (uint32_t i = 0; i < 8 * MANAGED_RATES; i++) {
		(void)snprintf(name, sizeof name, "u%u", i);
		cr_assert(managed_governed(stage.managed, user, text_of(name), &wait_s));
		cr_assert_gt(wait_s, 0);
	}
	cr_assert_eq(stage.managed->stats.governed, 8 * MANAGED_RATES);
}

/* A provider that is switched off: what it made before waits until it is back. */
Test(managed_full, without_a_provider_records_are_left_alone, .init = NULL)
{
	stage_defaults();
	stage.options.provider = PROVIDER_NONE;
	stage_open();
	seq = stage.registry->seq + 1000;
	open_stream(7, PROVIDER_CLOUDFLARE);
	provision(7);
	stage_pass(100000);
	stage_expect("");
	cr_assert_eq(stage.managed->state.streams_count, 1);
}
