/* SPDX-License-Identifier: MIT */
/* Goal: each story event changes exactly what it says, once, however often and in whatever company
 * it comes; what ends leaves nothing behind.  Method: every event by hand; after each the whole
 * state is audited (tests/lib/state_audit.h).  Limits: test_state_limits.c; snapshots and replay:
 * test_state_story.c.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/state.h"
#include "tests/lib/fakes.h"
#include "tests/lib/state_audit.h"
#include "tests/lib/story.h"

#define GATEWAY UINT64_C(10)

static struct state state;
static uint64_t seq;
static bool remember;

static void setup(void)
{
	const struct state_options options = { .users_max = 8,
					       .apps_max = 64,
					       .streams_max = 16,
					       .text_bytes = 4u << 20,
					       .remember_apps = remember };

	state_init(&state, &options, fake_memory(state_bytes(&options)));
	seq = 0;
}

static void setup_remembering(void)
{
	remember = true;
	setup();
}

/* Apply @event as it is; nothing is borrowed afterwards. */
static int apply(const struct stream_event *event)
{
	int r = state_apply(&state, event);
	const char *wrong = state_audit(&state, false);

	cr_assert(!wrong, "after %s: %s", stream_event_name(event->type), wrong);
	state_settle(&state);
	return r;
}

/* Tell @event as the next one of the story. */
static uint64_t tell(struct stream_event event)
{
	event.seq = ++seq;
	event.stream_seq = event.epoch ? seq : 0;
	event.sent_ms = (int64_t)(1000 * seq);
	cr_assert_eq(apply(&event), 0, "%s was not taken", stream_event_name(event.type));
	return seq;
}

/* The same event again, and once more with an older seq, changes nothing. */
static void expect_stale(struct stream_event event)
{
	uint64_t before = state_hash(&state);

	event.seq = seq;
	event.stream_seq = event.epoch ? seq : 0;
	cr_expect_eq(apply(&event), STATE_E_OLD, "%s again", stream_event_name(event.type));
	event.seq = 0;
	cr_expect_eq(apply(&event), STATE_E_OLD, "%s older", stream_event_name(event.type));
	cr_expect_eq(state_hash(&state), before);
}

static struct state_user *user(void)
{
	return state_user_find(&state, TEXT("u@x"));
}

static struct state_app *app(const char *package)
{
	return state_app_find(&state, user(), text_of(package));
}

static struct state_stream *stream(const char *id)
{
	return state_stream_find(&state, text_of(id));
}

static bool says(struct pooled kept, const char *text)
{
	return text_is(state_text(&state, kept), text);
}

static void expect_empty(void)
{
	const char *wrong = state_audit(&state, true);

	cr_assert(!wrong, "%s", wrong);
	cr_assert_eq(state.users_count + state.apps_count + state.streams_count, 0);
	cr_assert_eq(state.sessions_count + state.active_count + state.dormant_count, 0);
	cr_assert_eq(state.pool.used_bytes, 0);
}

static void open_session(void)
{
	tell(story_gateway(GATEWAY, LINK_UP));
	tell(story_session("u@x", EVENT_SESSION_OPENED));
	tell(story_link("u@x", GATEWAY, 77, LINK_UP));
}

Test(state, an_empty_state_has_nothing, .init = setup)
{
	struct stream_event row;
	uint64_t cursor = 0;

	expect_empty();
	cr_assert_null(user());
	cr_assert_null(state_user_find(&state, (struct text){ 0 }));
	cr_assert_null(app("pa"));
	cr_assert_null(stream("s1"));
	cr_assert_null(state_stream_find(&state, (struct text){ 0 }));
	cr_assert_null(state_active(&state, NULL));
	cr_assert_null(state_gateway_find(&state, 0));
	cr_assert_null(state_user_of(&state, STATE_NONE));
	cr_assert_null(state_stream_at(&state, STATE_NONE));
	cr_assert_null(state_app_at(&state, STATE_NONE));
	cr_assert_not(state_row(&state, &cursor, &row));
	cr_assert_not(state_row(&state, &cursor, &row), "and so it stays");
	cr_assert(state_has_room(&state));
}

Test(state, other_events_change_nothing, .init = setup)
{
	open_session();
	uint64_t before = state_hash(&state);

	for (int type = 0; type <= STREAM_EVENT_TYPE_MAX; type++) {
		struct stream_event event = { .type = (enum stream_event_type)type,
					      .seq = 100,
					      .user_id = TEXT("u@x") };

		if (!stream_event_name(event.type) || (type >= 100 && type < 130) ||
		    type == EVENT_SNAPSHOT_STREAM)
			continue;
		cr_expect_eq(apply(&event), STATE_E_OLD, "%s", stream_event_name(event.type));
		cr_expect_eq(state_hash(&state), before, "%s", stream_event_name(event.type));
	}
}

Test(state, a_deployment_has_one_mark, .init = setup)
{
	struct stream_event event = { .type = EVENT_DEPLOYMENT_MARKED };
	struct stream_event row;
	uint64_t cursor = 0;

	event.seq = ++seq;
	cr_assert_eq(apply(&event), STATE_E_OLD, "an empty one is none");
	cr_assert_not(state_mark_row(&state, &row));
	event.deployment_marked.mark = TEXT("abc");
	tell(event);
	cr_assert_str_eq(state.mark, "abc");
	cr_assert(state_row(&state, &cursor, &row));
	cr_assert_eq(row.type, EVENT_DEPLOYMENT_MARKED, "first, before anything that carries it");
	cr_assert_eq(row.seq, seq);
	event.seq = seq;
	cr_assert_eq(apply(&event), STATE_E_OLD);
	state_clear(&state);
	cr_assert_str_eq(state.mark, "");
}

/* Gateways --------------------------------------------------------------------------------- */

Test(state, gateway_up_lost_down, .init = setup)
{
	tell(story_gateway(GATEWAY, LINK_UP));
	cr_assert_eq(state_gateway_find(&state, GATEWAY)->state, LINK_UP);
	cr_assert_str_eq(state_gateway_find(&state, GATEWAY)->name, "gateway-1");
	expect_stale(story_gateway(GATEWAY, LINK_LOST));
	cr_assert_eq(state_gateway_find(&state, GATEWAY)->state, LINK_UP);
	tell(story_gateway(GATEWAY, LINK_LOST));
	cr_assert_eq(state_gateway_find(&state, GATEWAY)->state, LINK_LOST);
	expect_stale(story_gateway(GATEWAY, LINK_DOWN));
	tell(story_gateway(GATEWAY, LINK_DOWN));
	cr_assert_null(state_gateway_find(&state, GATEWAY));
	tell(story_gateway(GATEWAY, LINK_DOWN));
	tell(story_gateway(GATEWAY, LINK_UP));
	cr_assert_eq(state_gateway_find(&state, GATEWAY)->seq, seq);
}

Test(state, the_longest_name_of_a_gateway, .init = setup)
{
	struct stream_event event = story_gateway(GATEWAY, LINK_UP);

	event.gateway_changed.name = TEXT("gateway-9012345678901234567890xy");
	cr_assert_eq(event.gateway_changed.name.length, NAME_MAX_BYTES);
	tell(event);
	cr_assert_str_eq(state_gateway_find(&state, GATEWAY)->name,
			 "gateway-9012345678901234567890xy");
}

/* Sessions, links, glasses ----------------------------------------------------------------- */

Test(state, session_from_waiting_to_closed, .init = setup)
{
	struct stream_event opened = story_session("u@x", EVENT_SESSION_OPENED);

	opened.session_opened.waiting = true;
	tell(opened);
	cr_assert_eq(user()->session, SESSION_WAITING);
	cr_assert_eq(state.sessions_count, 1);
	expect_stale(opened);
	tell(story_session("u@x", EVENT_SESSION_READY));
	cr_assert_eq(user()->session, SESSION_OPEN);
	expect_stale(opened);
	tell(story_session("u@x", EVENT_SESSION_ENDING));
	cr_assert_eq(user()->session, SESSION_ENDING);
	expect_stale(story_session("u@x", EVENT_SESSION_READY));
	expect_stale(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert_eq(state.sessions_count, 1);
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert_null(user());
	expect_empty();
}

Test(state, closing_what_is_not_there_is_old, .init = setup)
{
	expect_stale(story_session("u@x", EVENT_SESSION_CLOSED));
	expect_empty();
}

Test(state, users_without_a_name_are_refused, .init = setup)
{
	struct stream_event event = story_session("", EVENT_SESSION_OPENED);

	event.seq = 1;
	cr_assert_eq(apply(&event), STATE_E_FULL);
	expect_empty();
}

struct link_row {
	enum link_state link;
	int gateway; /* enum link_state of the holder; -1: not known */
	enum link_state seen;
};

Test(state, the_link_as_it_is_seen, .init = setup)
{
	static const struct link_row rows[] = {
		{ LINK_UP, LINK_UP, LINK_UP },	     { LINK_UP, LINK_LOST, LINK_LOST },
		{ LINK_UP, -1, LINK_DOWN },	     { LINK_DOWN, LINK_UP, LINK_DOWN },
		{ LINK_DOWN, LINK_LOST, LINK_DOWN }, { LINK_DOWN, -1, LINK_DOWN },
		{ LINK_NONE, LINK_UP, LINK_NONE },   { LINK_NONE, -1, LINK_NONE },
	};

	tell(story_session("u@x", EVENT_SESSION_OPENED));
	cr_assert_eq(state_link(&state, user()), LINK_NONE);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		tell(story_gateway(GATEWAY, rows[i].gateway < 0
						    ? LINK_DOWN
						    : (enum link_state)rows[i].gateway));
		tell(story_link("u@x", GATEWAY, 5, rows[i].link));
		cr_expect_eq(state_link(&state, user()), rows[i].seen, "row %zu", i);
		expect_stale(story_link("u@x", GATEWAY, 6, LINK_UP));
		cr_expect_eq(user()->link, 5);
	}
}

Test(state, glasses_and_their_model, .init = setup)
{
	open_session();
	tell(story_glasses("u@x", "Mentra Live", true, WIFI_ON));
	cr_assert(user()->connected);
	cr_assert_eq(user()->wifi, WIFI_ON);
	cr_assert(says(user()->model, "Mentra Live"));
	expect_stale(story_glasses("u@x", "Vuzix Z100", false, WIFI_OFF));
	tell(story_glasses("u@x", "", false, WIFI_OFF));
	cr_assert_not(user()->connected);
	cr_assert(says(user()->model, ""));
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	expect_stale(story_session("u@x", EVENT_SESSION_CLOSED));
	tell(story_session("u@x", EVENT_SESSION_OPENED));
	cr_assert_eq(user()->wifi, WIFI_UNKNOWN, "a new session knows nothing of the old one");
	cr_assert_eq(user()->link_state, LINK_NONE);
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	tell(story_gateway(GATEWAY, LINK_DOWN));
	expect_empty();
}

/* Apps ------------------------------------------------------------------------------------- */

Test(state, an_app_comes_and_goes, .init = setup)
{
	open_session();
	tell(story_app("u@x", "pa", APP_LOADING));
	cr_assert_eq(app("pa")->state, APP_LOADING);
	expect_stale(story_app("u@x", "pa", APP_STOPPED));
	uint64_t up = tell(story_app_up("u@x", "pa", GATEWAY, 21));

	cr_assert_eq(app("pa")->opened_seq, up);
	tell(story_app_up("u@x", "pa", GATEWAY, 21));
	cr_assert_eq(app("pa")->opened_seq, up, "the same socket");
	uint64_t again = tell(story_app_up("u@x", "pa", GATEWAY, 22));

	cr_assert_eq(app("pa")->opened_seq, again, "another one");
	tell(story_app_up("u@x", "pb", GATEWAY, 23));
	cr_assert_eq(state.apps_count, 2);
	tell(story_app("u@x", "pa", APP_STOPPED));
	cr_assert_null(app("pa"));
	cr_assert(app("pb"));
	tell(story_app("u@x", "pa", APP_STOPPED));
	cr_assert_eq(state.apps_count, 1);
}

Test(state, whom_a_message_reaches, .init = setup)
{
	open_session();
	for (enum app_state at = APP_LOADING; at < APP_STATE_COUNT; at++)
		for (int holder = -1; holder < (int)LINK_COUNT; holder++)
			for (uint64_t link = 0; link < 2; link++) {
				struct stream_event event = story_app("u@x", "pa", at);

				event.app_changed.link = link;
				event.app_changed.gateway = GATEWAY;
				tell(story_gateway(GATEWAY, LINK_DOWN));
				if (holder == LINK_UP || holder == LINK_LOST)
					tell(story_gateway(GATEWAY, (enum link_state)holder));
				tell(event);
				cr_expect_eq(state_app_reachable(&state, app("pa")),
					     at == APP_RUNNING && link != 0 &&
						     (holder == LINK_UP || holder == LINK_LOST));
			}
}

Test(state, subscriptions_replace_each_other, .init = setup)
{
	struct stream_event event = story_subscribed("u@x", "pa", "all");

	open_session();
	event.seq = 50;
	cr_assert_eq(apply(&event), STATE_E_OLD, "the app is not known");
	tell(story_app_up("u@x", "pa", GATEWAY, 21));
	cr_assert_eq(app("pa")->wants, 0);
	tell(story_subscribed("u@x", "pa", "rtmp_stream_status location_stream"));
	cr_assert_eq(app("pa")->wants, WANTS_RTMP_STATUS | WANTS_OTHER);
	tell(story_app_up("u@x", "pa", GATEWAY, 22));
	cr_assert_eq(app("pa")->wants, WANTS_RTMP_STATUS | WANTS_OTHER, "a new socket keeps them");
	tell(story_subscribed("u@x", "pa", "managed_stream_status *"));
	cr_assert_eq(app("pa")->wants, WANTS_MANAGED_STATUS | WANTS_ALL);
	tell(story_subscribed("u@x", "pa", ""));
	cr_assert_eq(app("pa")->wants, 0);
	tell(story_subscribed("u@x", "pa", "all"));
	cr_assert_eq(app("pa")->wants, WANTS_ALL);
	uint64_t before = state_hash(&state);

	event.seq = seq - 1;
	cr_assert_eq(apply(&event), STATE_E_OLD);
	cr_assert_eq(state_hash(&state), before);
	tell(story_app("u@x", "pa", APP_STOPPED));
	tell(story_app_up("u@x", "pa", GATEWAY, 23));
	cr_assert_eq(app("pa")->wants, 0, "a new start wants nothing yet");
}

Test(state, wants_of_a_list)
{
	cr_expect_eq(state_wants_of((struct text){ 0 }), 0);
	cr_expect_eq(state_wants_of(list_of("")), 0);
	cr_expect_eq(state_wants_of(list_of("rtmp_stream_status")), WANTS_RTMP_STATUS);
	cr_expect_eq(state_wants_of(list_of("managed_stream_status")), WANTS_MANAGED_STATUS);
	cr_expect_eq(state_wants_of(list_of("all")), WANTS_ALL);
	cr_expect_eq(state_wants_of(list_of("*")), WANTS_ALL);
	cr_expect_eq(state_wants_of(list_of("ALL")), WANTS_OTHER);
	cr_expect_eq(state_wants_of(list_of("button_press rtmp_stream_status")),
		     WANTS_RTMP_STATUS | WANTS_OTHER);
	cr_expect_eq(state_wants_of(TEXT("\x92\x01\xa3"
					 "all")),
		     0, "a number ends the list");
	cr_expect_eq(state_wants_of(TEXT("all")), 0, "no list at all");
}

/* What was remembered ---------------------------------------------------------------------- */

Test(state, apps_of_a_closed_session_are_remembered, .init = setup_remembering)
{
	open_session();
	tell(story_app_up("u@x", "pa", GATEWAY, 21));
	tell(story_subscribed("u@x", "pa", "all"));
	tell(story_app("u@x", "pb", APP_GRACE));
	tell(story_app("u@x", "pc", APP_STOPPING));
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert(user() && user()->dormant);
	cr_assert_eq(state.sessions_count, 0);
	cr_assert_eq(app("pa")->state, APP_STOPPED);
	cr_assert_eq(app("pa")->wants, 0);
	cr_assert_eq(app("pa")->link, 0);
	cr_assert_eq(app("pb")->state, APP_STOPPED);
	cr_assert_null(app("pc"), "it was being stopped: nobody wants it back");
	tell(story_session("u@x", EVENT_SESSION_OPENED));
	cr_assert_not(user()->dormant);
	cr_assert_eq(state.dormant_count, 0);
	tell(story_app("u@x", "pa", APP_LOADING));
	tell(story_app("u@x", "pa", APP_STOPPED));
	tell(story_app("u@x", "pb", APP_STOPPED));
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	tell(story_gateway(GATEWAY, LINK_DOWN));
	expect_empty();
}

Test(state, stale_news_do_not_wake_a_dormant_user, .init = setup_remembering)
{
	open_session();
	tell(story_glasses("u@x", "m", true, WIFI_ON));
	tell(story_app_up("u@x", "pa", GATEWAY, 21));
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	expect_stale(story_session("u@x", EVENT_SESSION_OPENED));
	cr_assert(user()->dormant);
	struct stream_event late[] = { story_link("u@x", GATEWAY, 5, LINK_UP),
				       story_glasses("u@x", "m", true, WIFI_ON),
				       story_app("u@x", "pa", APP_GRACE) };

	for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
		late[i].seq = 1;
		cr_expect_eq(apply(&late[i]), STATE_E_OLD);
		cr_expect(user()->dormant, "%s", stream_event_name(late[i].type));
	}
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert(user()->dormant && state.dormant_count == 1, "who is away may be closed again");
	const char *wrong = state_audit(&state, true);

	cr_assert(!wrong, "%s", wrong);
}

/* In the records of a store; a follower remembers nobody. */
Test(state, who_is_remembered_comes_back_from_a_record, .init = setup_remembering)
{
	struct stream_event row = { .type = EVENT_SNAPSHOT_REMEMBERED, .user_id = TEXT("u@x") };

	row.seq = 50;
	cr_assert_eq(apply(&row), STATE_E_OLD, "no package");
	row.snapshot_remembered.package = TEXT("pa");
	row.user_id = (struct text){ 0 };
	cr_assert_eq(apply(&row), STATE_E_FULL, "nobody");
	row.user_id = TEXT("u@x");
	cr_assert_eq(apply(&row), 0);
	cr_assert(user()->dormant && state.apps_count == 1);
	cr_assert_eq(apply(&row), STATE_E_OLD, "it is there");
	cr_assert(user()->dormant && state.apps_count == 1);
	state.options.remember_apps = false;
	row.user_id = TEXT("v@x");
	cr_assert_eq(apply(&row), STATE_E_OLD);
	cr_assert_null(state_user_find(&state, TEXT("v@x")));
}

Test(state, a_follower_forgets_the_apps, .init = setup)
{
	open_session();
	tell(story_app_up("u@x", "pa", GATEWAY, 21));
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	tell(story_gateway(GATEWAY, LINK_DOWN));
	expect_empty();
}

/* Rows ------------------------------------------------------------------------------------- */

/* All rows, as "name seq", blanks between. */
static const char *all_rows(void)
{
	static char rows[1024];
	struct stream_event row;
	uint64_t cursor = 0;
	size_t used = 0;

	rows[0] = '\0';
	while (state_row(&state, &cursor, &row))
		used += (size_t)snprintf(rows + used, sizeof rows - used, "%s%s %llu",
					 used ? ", " : "", stream_event_name(row.type),
					 (unsigned long long)row.seq);
	return rows;
}

Test(state, the_rows_of_a_state, .init = setup_remembering)
{
	cr_assert_str_eq(all_rows(), "");
	tell(story_session("u@x", EVENT_SESSION_OPENED));
	cr_assert_str_eq(all_rows(), "session.opened 1");
	tell(story_link("u@x", GATEWAY, 5, LINK_UP));
	tell(story_gateway(GATEWAY, LINK_UP));
	cr_assert_str_eq(all_rows(), "gateway.changed 3, session.opened 1, link.changed 2");
	tell(story_glasses("u@x", "m", true, WIFI_ON));
	tell(story_app("u@x", "pa", APP_LOADING));
	tell(story_app_up("u@x", "pb", GATEWAY, 21));
	tell(story_subscribed("u@x", "pb", "all"));
	tell(story_app_up("u@x", "pb", GATEWAY, 22));
	cr_assert_str_eq(all_rows(), "gateway.changed 3, session.opened 1, link.changed 2, "
				     "glasses.changed 4, app.changed 5, app.changed 8, "
				     "app.subscribed 8");
	tell(story_opened("u@x", "s1", 9, "pa"));
	tell(story_session("u@x", EVENT_SESSION_ENDING));
	cr_assert_str_eq(all_rows(), "gateway.changed 3, session.opened 9, session.ending 10, "
				     "link.changed 2, glasses.changed 4, app.changed 5, "
				     "app.changed 8, app.subscribed 8, snapshot.stream 9");
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert_str_eq(all_rows(), "gateway.changed 3, snapshot.stream 9");
	tell(story_closed("u@x", "s1", 9, false, false));
	cr_assert_str_eq(all_rows(), "gateway.changed 3", "whom only the registry remembers");
	cr_assert_eq(state.dormant_count, 1);
}

/* An operator's snapshot in slices: what has changed meanwhile may be left out, no more. */
Test(state, rows_of_one_user_while_its_records_go, .init = setup)
{
	struct stream_event get = { .stream_id = TEXT("s1") }, row;
	uint64_t cursor = 0;
	unsigned count = 0;

	open_session(); /* takes the first place: what is free looks as if it were his */
	tell(story_session("v@x", EVENT_SESSION_OPENED));
	tell(story_opened("v@x", "s1", 5, "pa"));
	while (state_row_asked(&state, &get, &cursor, &row)) {
		cr_assert(text_is(row.user_id, "v@x"), "%s", stream_event_name(row.type));
		count++;
	}
	cr_assert_eq(count, 2, "session.opened, snapshot.stream");
	cursor = 0;
	get = (struct stream_event){ .user_id = TEXT("v@x") };
	while (state_row_asked(&state, &get, &cursor, &row) && row.type != EVENT_SNAPSHOT_STREAM)
		continue;
	cr_assert_eq(row.type, EVENT_SNAPSHOT_STREAM);
	tell(story_closed("v@x", "s1", 5, false, false));
	tell(story_opened("u@x", "s2", 6, "pa"));
	cr_assert_not(state_row_asked(&state, &get, &cursor, &row), "what is another's now");
}
