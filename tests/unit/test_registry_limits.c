/* SPDX-License-Identifier: MIT */
/* Goal: what does not fit is refused or left out and counted, what is of another time or of another
 * build changes nothing, and long work is done in slices.  Method: one past each limit; a pool
 * without room; rows as an odd store would have them.
 */
#include <stdio.h>

#include "proto/list.h"
#include "tests/lib/full_pool.h"
#include "tests/lib/registry_bench.h"
#include "tests/lib/story.h"

#define U "u@x"

static const struct peer managed = { ROLE_MANAGED, 8 };
static const struct peer gateway_a = { ROLE_GATEWAY, GATEWAY_A };
static const struct peer gateway_b = { ROLE_GATEWAY, GATEWAY_B };

static const char *name(const char *prefix, unsigned number)
{
	static char names[4][USER_ID_MAX + 1];
	static unsigned next;

	next = (next + 1) % 4;
	(void)snprintf(names[next], sizeof names[0], "%s%u", prefix, number);
	return names[next];
}

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
	app_up(U, "pa", 21);
}

static void setup_watched(void)
{
	setup();
	app_up(U, "pb", 22);
	watch(U, "pa");
	input_made(U, "in1");
}

static struct stream_event about_it(enum stream_event_type type)
{
	struct stream_event event = about(U, type);

	event.stream_id = text_of(the_id(the_stream(U)));
	event.epoch = the_stream(U)->epoch;
	event.origin = GATEWAY_B;
	event.request = bench.next_request++;
	return event;
}

static struct stream_event subscription(struct text types)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_SUBSCRIBED);

	event.edge_app_subscribed.link = 21;
	event.edge_app_subscribed.package = TEXT("pa");
	event.edge_app_subscribed.types = types;
	return event;
}

static struct stream_event added(void)
{
	struct stream_event event = about_it(EVENT_OUTPUT_ADD);

	event.output_add.package = TEXT("pa");
	event.output_add.url = TEXT("rtmp://a/b/1");
	return event;
}

static struct stream_event seen(enum output_state state, const char *remote_id)
{
	struct stream_event event = about_it(EVENT_OUTPUT_SEEN);

	event.output_seen.output = 1;
	event.output_seen.state = state;
	event.output_seen.remote_id = text_of(remote_id);
	return event;
}

/* Texts ------------------------------------------------------------------------------------ */

/* Refused, or as if it had not been said; and taken once there is room. */
Test(registry_limits, without_room_for_their_texts, .init = setup_watched)
{
	struct stream_event add = added(), first = added();

	bench_say(managed, &first);
	first = about_it(EVENT_INPUT_SEEN);
	first.input_seen.hls = TEXT("https://h/2.m3u8");
	struct {
		struct peer peer;
		struct stream_event event;
		const char *answer;
	} rows[] = {
		{ gateway_b, subscription(list_of("vad")), "" },
		{ managed, first, "" },
		{ managed, seen(OUTPUT_ACTIVE, "r1"), "" },
		{ managed, add, "stream.result" },
	};

	bench.check_every = 1000000; /* what takes the room is nobody's */
	rows[3].event.output_add.url = TEXT("rtmp://a/b/2");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t full = bench.registry.stats.full;

		full_pool_take(&bench.registry.state.pool);
		bench_say(rows[i].peer, &rows[i].event);
		full_pool_give_all();
		expect_said(rows[i].answer);
		cr_expect_eq(bench.registry.stats.full, full + 1, "row %zu", i);
		rows[i].event.request = bench.next_request++;
		bench_say(rows[i].peer, &rows[i].event);
		cr_expect_neq(bench.registry.seq, 0);
		cr_expect_eq(bench.fx.items[0].type, EFFECT_STORY, "row %zu", i);
	}
	full_pool_take(&bench.registry.state.pool);
	watch(U, "pb");
	full_pool_give_all();
	cr_expect_eq(bench_answer(), RESULT_FULL);
	watch(U, "pb");
	cr_expect_eq(bench_answer(), RESULT_OK);
}

/* protocol.md 2.5: strings; the gateway makes them of whatever an app says. */
Test(registry_limits, subscriptions_are_texts, .init = setup)
{
	static const struct text wrong[] = { { "\x92\xa1t\x01", 4 },
					     { "\x91\x01", 2 },
					     { "\x92\xa1t", 3 } };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct stream_event event = subscription(wrong[i]);

		bench_say(gateway_b, &event);
		expect_said("");
		cr_assert_eq(bench.registry.stats.ignored, i + 1);
	}
}

/* Rows ------------------------------------------------------------------------------------- */

/* Of a build that took any list; what can be read of it counts. */
Test(registry_limits, subscriptions_of_an_older_store, .init = setup)
{
	struct stream_event row = story_subscribed(U, "pa", ""), relay = about(U, EVENT_EDGE_RELAY);

	bench.check_every = 1000000; /* no follower has heard of it */
	row.seq = bench.registry.seq;
	row.app_subscribed.types = (struct text){ "\x92\xa1t\x01", 4 };
	cr_assert_eq(registry_load_row(&bench.registry, &row), 0);
	relay.edge_relay.message = TEXT("{}");
	relay.edge_relay.type_name = TEXT("v");
	bench_say(gateway_a, &relay);
	expect_said("");
	relay.edge_relay.type_name = TEXT("t");
	bench_say(gateway_a, &relay);
	expect_said("registry.relay");
	app_up(U, "pb", 22);
	struct stream_event event = subscription(list_of("vad"));

	event.edge_app_subscribed.link = 22;
	event.edge_app_subscribed.package = TEXT("pb");
	bench_say(gateway_b, &event);
	cr_assert_not(bench_fx(EVENT_REGISTRY_RELAY_FILTER, 0)->registry_relay_filter.all);
}

static void load_app(enum app_state state, uint64_t link, uint64_t seq)
{
	struct stream_event row = story_app_up(U, "pa", GATEWAY_B, link);

	row.seq = seq;
	row.app_changed.state = state;
	cr_assert_eq(registry_load_row(&bench.registry, &row), 0);
}

/* A lost socket that has a number yet, and an app that runs for nobody. */
Test(registry_limits, apps_of_an_odd_store, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_OPENED);

	bench.check_every = 1000000;
	load_app(APP_RUNNING, 21, bench.registry.seq);
	glasses_up(U, 11);
	cr_assert_eq(the_user(U)->session, SESSION_OPEN);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING);
	load_app(APP_GRACE, 21, bench.registry.seq);
	event.edge_app_opened.link = 21;
	event.edge_app_opened.package = TEXT("pa");
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.resumed = true;
	bench_say(gateway_b, &event);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING);
}

/* Remembering is a courtesy. */
Test(registry_limits, a_full_registry_remembers_nobody)
{
	struct registry_options options = bench_options();
	struct stream_event row = about("late", EVENT_SNAPSHOT_REMEMBERED);

	options.state.users_max = 4;
	bench_open(&options);
	for (unsigned i = 0; i < 4; i++)
		glasses_up(name("u", i), 11 + i);
	row.snapshot_remembered.package = TEXT("pa");
	row.seq = 50;
	cr_assert_eq(registry_load_row(&bench.registry, &row), 0);
	cr_assert_null(the_user("late"));
	cr_assert_eq(bench.registry.state.apps_count, 0);
}

/* One that had room for more sessions in their last moments. */
Test(registry_limits, too_many_endings_in_a_store)
{
	struct registry_options options = bench_options();

	options.state.users_max = REGISTRY_ENDINGS_MAX + 10;
	bench_open(&options);
	bench.check_every = 1000000;
	for (unsigned i = 0; i < REGISTRY_ENDINGS_MAX + 10; i++) {
		struct stream_event row = story_session(name("u", i), EVENT_SESSION_ENDING);

		row.seq = 10 + i;
		cr_assert_eq(registry_load_row(&bench.registry, &row), 0);
	}
	registry_loaded(&bench.registry, bench.now_ms);
	cr_assert_eq(bench.registry.endings_count, REGISTRY_ENDINGS_MAX);
}

/* A stream that outlived its session, and a link that a row has taken down: nothing is left to end.
 */
Test(registry_limits, a_grace_of_no_session, .init = bench_setup)
{
	struct stream_event row = story_stream(U, "s1", 5, EVENT_SNAPSHOT_STREAM);

	bench.check_every = 1000000;
	row.seq = 10;
	row.snapshot_stream.phase = PHASE_CLOSED;
	row.snapshot_stream.kind = KIND_UNMANAGED;
	row.snapshot_stream.end_cause = END_APP_STOP;
	row.snapshot_stream.told_owed = true;
	cr_assert_eq(registry_load_row(&bench.registry, &row), 0);
	row = story_link(U, GATEWAY_A, 11, LINK_DOWN);
	row.seq = 11;
	cr_assert_eq(registry_load_row(&bench.registry, &row), 0);
	timer(TIMER_SESSION_GRACE, U, "", 11);
	expect_said("");
	cr_assert(the_user(U));
}

/* Sockets and sessions --------------------------------------------------------------------- */

Test(registry_limits, one_gateway_too_many_is_not_known_by_its_facts, .init = bench_setup)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	for (unsigned i = 2; i < GATEWAYS_MAX; i++)
		bench_input(&(struct input){ .type = INPUT_PEER_UP,
					     .peer = { ROLE_GATEWAY, 100 + i },
					     .peer_name = name("gateway-", 1 + i) });
	event.edge_link_opened.link = 11;
	bench_input(&(struct input){ .type = INPUT_MESSAGE,
				     .peer = { ROLE_GATEWAY, 999 },
				     .peer_name = "gateway-999",
				     .event = &event });
	expect_said("registry.unknown_link");
	cr_assert_null(the_user(U));
}

static void app_resumed(const char *user, uint64_t link, int64_t opened_ms)
{
	struct stream_event event = about(user, EVENT_EDGE_APP_OPENED);

	event.edge_app_opened.link = link;
	event.edge_app_opened.package = TEXT("pa");
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.app_type = APP_TYPE_BACKGROUND;
	event.edge_app_opened.resumed = true;
	event.edge_app_opened.opened_ms = opened_ms;
	bench_say(gateway_b, &event);
}

/* Told again after a restart; the newer one counts, whichever comes last. */
Test(registry_limits, of_two_sockets_the_newer, .init = bench_setup)
{
	glasses_up(U, 11);
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	app_resumed(U, 21, 5000);
	cr_assert_eq(the_app(U, "pa")->link, 21);
	app_resumed(U, 22, 6000);
	cr_assert_eq(the_app(U, "pa")->link, 22);
	app_resumed(U, 21, 5000);
	cr_assert_eq(the_app(U, "pa")->link, 22);
}

/* What our own clock has not reached was opened before the machine was started. */
Test(registry_limits, a_socket_of_before_the_boot_is_not_newer, .init = bench_setup)
{
	glasses_up(U, 11);
	app_start(U, "pa", APP_TYPE_BACKGROUND);
	app_resumed(U, 21, bench.now_ms + 1000000);
	app_resumed(U, 22, bench.now_ms - 1000);
	cr_assert_eq(the_app(U, "pa")->link, 22);
}

/* After our restart the gateway of the apps may be the first to speak. */
Test(registry_limits, a_remembered_user_whose_app_is_still_there, .init = setup)
{
	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	cr_assert(the_user(U)->dormant);
	app_resumed(U, 21, 5000);
	cr_assert_eq(the_user(U)->session, SESSION_OPEN);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING);
}

static void open_forgetful(void)
{
	struct registry_options options = bench_options();

	options.state.remember_apps = false;
	bench_open(&options);
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	stream_open(U, "pa", 0);
	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	expect_said("stream.closed session.ending");
}

static void app_told(const char *id, uint64_t epoch)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_TOLD);

	event.stream_id = text_of(id);
	event.epoch = epoch;
	event.edge_app_told.package = TEXT("pa");
	event.edge_app_told.outcome = OUTCOME_SENT;
	bench_say(gateway_b, &event);
}

/* It was all that was left of its user: before the ending is due, and after. */
Test(registry_limits, the_last_word_ends_it, .init = open_forgetful)
{
	const struct state_stream *stream = &bench.registry.state.streams[0];
	struct stream_event event = about(U, EVENT_EDGE_DEVICE_TOLD);
	char id[STREAM_ID_MAX + 1];

	text_put(text_of(the_id(stream)), id, sizeof id);
	event.stream_id = text_of(id);
	event.epoch = stream->epoch;
	for (unsigned late = 0; late < 2; late++) {
		bool stop_owed = stream->stop_owed;

		if (late)
			bench_tick(bench.registry.options.ending_max_ms);
		if (stop_owed) {
			event.edge_device_told.outcome = OUTCOME_SENT;
			event.edge_device_told.stop = true;
			bench_say(gateway_a, &event);
		}
		app_told(id, event.epoch);
		cr_assert_null(the_user(U));
		bench_tick(bench.registry.options.ending_max_ms);
		cr_assert_eq(bench.registry.endings_count, 0);
		if (late)
			return;
		bench_close();
		open_forgetful();
		stream = &bench.registry.state.streams[0];
		text_put(text_of(the_id(stream)), id, sizeof id);
		event.epoch = stream->epoch;
	}
}

/* Its gateway is known no more; its link has not been taken down yet. */
Test(registry_limits, an_end_between_the_loss_of_a_gateway_and_of_its_links, .init = setup)
{
	struct stream_event event;

	stream_open(U, "pa", 0);
	stream_status(U, DEVICE_STREAMING);
	bench_input(&(struct input){
		.type = INPUT_PEER_UP, .peer = { ROLE_GATEWAY, 99 }, .peer_name = "gateway-1" });
	cr_assert_eq(the_user(U)->link_state, LINK_UP);
	event = about_it(EVENT_STREAM_MISSED);
	event.cause = the_stream(U)->activity_seq;
	event.stream_missed.missed = 3;
	event.stream_missed.expired = true;
	bench_say((struct peer){ ROLE_SCHEDULER, 3 }, &event);
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause, END_GATEWAY_LOST);
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->cause, the_user(U)->link_seq);
}

/* Users with the longest of names, all of whose sessions end at once: with a socket to close each,
 * and with nothing but names.
 */
Test(registry_limits, endings_come_in_slices)
{
	struct registry_options options = bench_options();

	options.state.users_max = 128;
	for (unsigned connected = 0; connected < 2; connected++) {
		unsigned ticks = 0;

		bench_open(&options);
		bench.check_every = 50;
		for (unsigned i = 0; i < 100; i++) {
			char user[USER_ID_MAX + 1];

			(void)snprintf(user, sizeof user, "%0*u", USER_ID_MAX, i);
			glasses_up(user, 100 + i);
			app_up(user, "pa", 1000 + i);
			stream_open(user, "pa", 0);
			glasses_down(user, 100 + i);
			timer(TIMER_SESSION_GRACE, user, "", the_user(user)->link_seq);
			if (!connected)
				app_closed(user, "pa", 1000 + i);
		}
		cr_assert_eq(bench.registry.endings_count, 100);
		bench.now_ms += options.ending_max_ms;
		for (; bench.registry.endings_count > 0; ticks++) {
			cr_assert_lt(ticks, 100);
			bench_input(&(struct input){ .type = INPUT_TICK });
			cr_assert_gt(bench.fx.count, 0);
		}
		cr_assert_gt(ticks, 1);
		cr_assert_eq(bench.registry.state.sessions_count, 0);
		bench_close();
	}
}

/* Outputs and liabilities ------------------------------------------------------------------ */

/* The provider has something to delete. */
Test(registry_limits, a_refused_output_with_a_name_of_the_provider, .init = setup_watched)
{
	struct stream_event event = added();

	bench_say(managed, &event);
	event = seen(OUTPUT_REFUSED, "r1");
	bench_say(managed, &event);
	event = about_it(EVENT_OUTPUT_REMOVE);
	event.output_remove.package = TEXT("pa");
	event.output_remove.output = 1;
	bench_say(managed, &event);
	cr_assert_eq(bench_fx(EVENT_STREAM_OUTPUT, 0)->stream_output.state, OUTPUT_REMOVING);
}

/* However many slots there are, and were in use. */
Test(registry_limits, liabilities_are_looked_at_in_slices)
{
	struct registry_options options = bench_options();

	options.state.streams_max = 70000;
	bench_open(&options);
	bench_tick(1000);
	bench.registry.state.streams_fresh = 70000; /* all free again by now */
	bench.check_every = 1000000;
	cr_assert_eq(bench.registry.liability_cursor, 0);
	bench_tick(1000);
	cr_assert_eq(bench.registry.liability_cursor, 65536);
	bench_tick(1000);
	cr_assert_eq(bench.registry.liability_cursor, 0);
}

static void everybody_watches(const char *user)
{
	for (unsigned i = 0; i < VIEWERS_MAX; i++)
		watch(user, name("p", i));
}

/* Many at once, each with as many viewers as there may be. */
Test(registry_limits, liabilities_too_many_are_given_up_in_slices, .init = bench_setup)
{
	char ids[INPUTS_OWED_PER_USER_MAX][STREAM_ID_MAX + 1];
	unsigned told = 0;

	bench.check_every = 50;
	glasses_up(U, 11);
	for (unsigned i = 0; i < VIEWERS_MAX; i++)
		app_up(U, name("p", i), 100 + i);
	for (unsigned i = 0; i < INPUTS_OWED_PER_USER_MAX; i++) {
		everybody_watches(U);
		input_made(U, "in");
		text_put(text_of(the_id(the_stream(U))), ids[i], STREAM_ID_MAX + 1);
		stream_status(U, DEVICE_STOPPED);
	}
	for (unsigned i = 1; i < LIABILITIES_PER_USER_MAX; i++) {
		stream_open(U, "p0", 0);
		stream_status(U, DEVICE_STOPPED);
	}
	for (unsigned i = 0; i < INPUTS_OWED_PER_USER_MAX; i++)
		input_gone(state_stream_find(&bench.registry.state, text_of(ids[i])), "in");
	/* As many too many, each with all its viewers; and one more of the others each time. */
	for (unsigned i = 0; bench.registry.state.streams_count > LIABILITIES_PER_USER_MAX; i++) {
		cr_assert_lt(i, LIABILITIES_PER_USER_MAX);
		stream_open(U, "p0", 0);
		stream_status(U, DEVICE_STOPPED);
		cr_assert_gt(bench.fx.count, 1);
		cr_assert_leq(bench.fx.count, EFFECTS_MAX);
		told += (unsigned)bench.fx.count;
	}
	cr_assert_gt(told, INPUTS_OWED_PER_USER_MAX * VIEWERS_MAX);
}

/* It would run, and cost, for ever. */
Test(registry_limits, an_input_is_not_given_up_for_want_of_room, .init = setup)
{
	const struct state_stream *first;
	char id[STREAM_ID_MAX + 1];

	watch(U, "pa");
	input_made(U, "in1");
	first = the_stream(U);
	text_put(text_of(the_id(first)), id, sizeof id);
	stream_status(U, DEVICE_STOPPED);
	app_told(id, first->epoch);
	cr_assert(first->input_owed && !first->told_owed);
	for (unsigned i = 0; i < LIABILITIES_PER_USER_MAX + 3; i++) {
		stream_open(U, "pa", 0);
		stream_status(U, DEVICE_STOPPED);
	}
	cr_assert_eq(bench.registry.state.streams_count, 1 + LIABILITIES_PER_USER_MAX);
	cr_assert(first->input_owed);
}

/* Those that are owed too long, each with many texts. */
Test(registry_limits, what_is_given_up_frees_its_texts_in_slices)
{
	struct registry_options options = bench_options();
	unsigned ticks = 0;

	options.state.users_max = options.state.apps_max = 120;
	bench_open(&options);
	bench.check_every = 200;
	for (unsigned i = 0; i < 100; i++) {
		struct stream_event event;
		char user[8];

		(void)snprintf(user, sizeof user, "u%u", i);
		glasses_up(user, 100 + i);
		app_up(user, "pa", 1000 + i);
		watch(user, "pa");
		input_made(user, "in");
		for (unsigned k = 1; k <= OUTPUTS_MAX; k++) {
			event = (struct stream_event){ .type = EVENT_OUTPUT_ADD,
						       .user_id = text_of(user),
						       .stream_id =
							       text_of(the_id(the_stream(user))),
						       .epoch = the_stream(user)->epoch,
						       .origin = GATEWAY_B,
						       .request = bench.next_request++ };
			event.output_add.package = TEXT("pa");
			event.output_add.url = text_of(name("rtmp://a/b/", k));
			event.output_add.name = TEXT("n");
			bench_say(managed, &event);
			event.type = EVENT_OUTPUT_SEEN;
			memset(&event.output_seen, 0, sizeof event.output_seen);
			event.output_seen.output = k;
			event.output_seen.state = OUTPUT_ERROR;
			event.output_seen.remote_id = TEXT("r");
			event.output_seen.error = TEXT("e");
			bench_say(managed, &event);
		}
		const struct state_stream *stream = the_stream(user);

		stream_status(user, DEVICE_STOPPED);
		input_gone(stream, "in");
		event.type = EVENT_EDGE_DEVICE_TOLD;
		memset(&event.edge_device_told, 0, sizeof event.edge_device_told);
		event.edge_device_told.stop = true;
		event.edge_device_told.outcome = OUTCOME_SENT;
		bench_say(gateway_a, &event);
		cr_assert(!stream->stop_owed && stream->told_owed);
	}
	cr_assert_eq(bench.registry.state.streams_count, 100);
	bench.now_ms += options.stop_owed_ms;
	for (; bench.registry.state.streams_count > 0; ticks++) {
		cr_assert_lt(ticks, 100);
		bench.now_ms += 1000;
		bench_input(&(struct input){ .type = INPUT_TICK });
	}
	cr_assert_gt(ticks, 1);
}
