/* SPDX-License-Identifier: MIT */
/* Goal: a damaged record costs its user's stream, which is told of, and nobody anything else.
 * Method: a story committed as the shell does it, one bit of one record changed, and another life
 * loaded from it: what it says of itself, what it owes, and what the life after that one knows.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "actors/registry/registry_store.h"
#include "common/store_engine.h"
#include "tests/lib/fakes.h"
#include "tests/lib/registry_bench.h"
#include "tests/lib/state_audit.h"

#define U "u@x"
#define OTHER "v@x"
#define ROWS 1000

static struct store *store;
static struct registry_store records, later_records;
static struct registry later;
static void *later_memory;
static struct store_fault fault;
static struct effects fx;

static void commit_of(struct registry_store *self, const struct effects *list,
		      const struct peer_mark *marks, size_t mark_count)
{
	const struct stream_event *events[EFFECTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].type == EFFECT_STORY)
			events[count++] = &list->items[i].event;
	cr_assert_eq(registry_store_commit(self, events, count, marks, mark_count), 0);
}

static void commit(void)
{
	commit_of(&records, &bench.fx, NULL, 0);
}

static void hello(struct peer gateway, const char *name)
{
	bench_input(&(struct input){ .type = INPUT_PEER_UP, .peer = gateway, .peer_name = name });
	commit();
}

static void open_of(uint64_t rows, const struct registry_options *options)
{
	const struct store_limits limits = { .history_rows_max = rows,
					     .history_age_ms = INT64_MAX / 2 };
	size_t gateways;

	bench_open(options);
	gateways = bench.registry.seq;
	cr_assert_eq(store_open(&store, "memory", &limits, &fault), 0);
	cr_assert_eq(registry_store_init(&records, store), 0);
	cr_assert_eq(registry_store_load(&records, &bench.registry, 0, &fault), 0);
	/* What the bench has said to it before there was a store. */
	for (size_t i = 0; i < gateways; i++) {
		const struct state_gateway *gateway = &bench.registry.state.gateways[i];
		struct stream_event event;
		const struct stream_event *list = &event;

		state_gateway_row(gateway, &event);
		cr_assert_eq(registry_store_commit(&records, &list, 1, NULL, 0), 0);
	}
}

static void open_with(uint64_t rows)
{
	const struct registry_options options = bench_options();

	open_of(rows, &options);
}

static void open_small(uint32_t users_max)
{
	struct registry_options options = bench_options();

	options.state.users_max = users_max;
	open_of(ROWS, &options);
}

static void setup(void)
{
	open_with(ROWS);
}

static void teardown(void)
{
	registry_store_fini(&later_records);
	if (later_memory)
		fake_free(later_memory, registry_bytes(&later.options));
	later_memory = NULL;
	registry_store_fini(&records);
	store_close(store);
	bench_close();
}

static void app_runs(const char *user, const char *package, uint64_t link)
{
	app_start(user, package, APP_TYPE_BACKGROUND);
	commit();
	app_opened(user, package, link);
	commit();
}

static void streams(const char *user, uint64_t link)
{
	glasses_up(user, link);
	commit();
	app_runs(user, "pa", link + 100);
	stream_open(user, "pa", link);
	commit();
	stream_status(user, DEVICE_ACTIVE);
	commit();
}

/* Changes a bit of the record @key. */
static void rot(const char *key)
{
	struct text found;

	for (uint64_t pick = 0; pick < 400; pick++) {
		cr_assert(store_memory_rot(store, pick, 77, &found));
		if (text_is(found, key))
			return;
		cr_assert(store_memory_rot(store, pick, 77, &found), "back again");
	}
	cr_assert_fail("there is no record %s", key);
}

static int load_later(void)
{
	const struct store_head head = store_head(store);
	struct registry_options options = bench.registry.options;

	if (later_memory) {
		registry_store_fini(&later_records);
		fake_free(later_memory, registry_bytes(&later.options));
	}
	options.first_seq = head.seq;
	options.first_epoch = head.next_epoch;
	options.incarnation++;
	later_memory = fake_memory(registry_bytes(&options));
	registry_init(&later, &options, later_memory);
	cr_assert_eq(registry_store_init(&later_records, store), 0);
	return registry_store_load(&later_records, &later, bench.now_ms, &fault);
}

/* The next life, up to where it has told of all that was lost; its effects stay to be looked at. */
static void next_life(void)
{
	const char *wrong;

	cr_assert_eq(load_later(), 0, "%s", fault.reason);
	cr_assert_eq(registry_deadline(&later),
		     registry_is_settled(&later) ? later.next_sweep_ms : 0);
	registry_handle(&later, &(struct input){ .type = INPUT_TICK }, bench.now_ms, &fx);
	cr_assert(registry_is_settled(&later));
	wrong = state_audit(&later.state, true);
	cr_assert(!wrong, "%s", wrong);
	commit_of(&later_records, &fx, NULL, 0);
}

/* And one that finds nothing wrong any more, and knows the same. */
static void one_more_life(void)
{
	const uint64_t hash = state_hash(&later.state);

	cr_assert_eq(load_later(), 0, "%s", fault.reason);
	cr_assert_eq(later_records.lost_count, 0);
	cr_assert(registry_is_settled(&later));
	cr_assert_eq(state_hash(&later.state), hash);
}

static const struct stream_event *told(enum stream_event_type type, unsigned nth)
{
	for (size_t i = 0; i < fx.count; i++)
		if (fx.items[i].event.type == type && nth-- == 0)
			return &fx.items[i].event;
	return NULL;
}

static const struct state_stream *active_of(const char *user)
{
	const struct state_user *found = state_user_find(&later.state, text_of(user));

	return found ? state_active(&later.state, found) : NULL;
}

static void expect_quarantined(enum bucket bucket, const char *user)
{
	const struct stream_event *event = told(EVENT_RECORD_QUARANTINED, 0);

	cr_assert_not_null(event);
	cr_assert_eq(event->record_quarantined.bucket, bucket);
	cr_assert_eq(event->record_quarantined.reason, DAMAGE_CHECK);
	cr_assert_neq(event->record_quarantined.key_hash, 0);
	cr_assert(text_is(event->user_id, user), "%.*s", (int)event->user_id.length,
		  event->user_id.bytes);
	cr_assert_null(told(EVENT_RECORD_QUARANTINED, 1));
	cr_assert_eq(store_quarantined(store), 1);
}

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

static void put_raw(const char *key, struct text data)
{
	const struct store_put raw = { text_of(key), data };
	struct store_event done;

	cr_assert_eq(
		store_commit(store,
			     &(struct store_batch){ .puts = &raw,
						    .put_count = 1,
						    .next_epoch = store_head(store).next_epoch }),
		0);
	cr_assert_eq(store_drive(store, 0, &done), 0);
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

Test(registry_damage, users_of_yesterday_take_no_room, .fini = teardown)
{
	yesterday_and_today();
	rot("u/u0@x");
	next_life();
	expect_quarantined(BUCKET_USER, "u0@x");
	cr_assert_eq(later.state.sessions_count, 3);
	one_more_life();
}

/* Whose it was is not known: the history is asked of everybody, and has too many. */
Test(registry_damage, whom_there_is_no_room_for_is_left_out, .fini = teardown)
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

Test(registry_damage, gateways_of_yesterday_take_no_room, .init = setup, .fini = teardown)
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
Test(registry_damage, who_is_remembered_stays_so, .fini = teardown)
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
Test(registry_damage, who_was_forgotten_displaces_nobody, .fini = teardown)
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
Test(registry_damage, a_gateway_whose_key_says_nothing, .init = setup, .fini = teardown)
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
