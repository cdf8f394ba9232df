/* SPDX-License-Identifier: MIT */
/* Goal: a full table is an answer: what does not fit changes nothing, leaves nothing half made, and
 * fits once something else has gone; who is remembered makes room for who is there.  Method: one
 * past each limit, with an audit of the whole state after each event.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/state.h"
#include "tests/lib/fakes.h"
#include "tests/lib/state_audit.h"
#include "tests/lib/story.h"

static struct state state;
static uint64_t seq;

static struct state_options options = {
	.users_max = 4, .apps_max = 20, .streams_max = 3, .text_bytes = 4u << 20
};

static void open_state(void)
{
	state_init(&state, &options, fake_memory(state_bytes(&options)));
}

static void open_remembering(void)
{
	options.remember_apps = true;
	open_state();
}

static int try(struct stream_event event)
{
	event.seq = ++seq;
	event.stream_seq = seq;
	int r = state_apply(&state, &event);
	/* It takes its time when there are thousands. */
	bool look = state.users_count < 50 || seq % 256 == 0;
	const char *wrong = look ? state_audit(&state, true) : NULL;

	cr_assert(!wrong, "after %s: %s", stream_event_name(event.type), wrong);
	state_settle(&state);
	return r;
}

static void tell(struct stream_event event)
{
	cr_assert_eq(try(event), 0, "%s was not taken", stream_event_name(event.type));
}

static void expect_full(struct stream_event event)
{
	uint64_t before = state_hash(&state), used = state.pool.used_bytes;
	uint32_t users = state.users_count, apps = state.apps_count;
	uint32_t streams = state.streams_count;

	cr_expect_eq(try(event), STATE_E_FULL, "%s", stream_event_name(event.type));
	cr_expect_eq(state_hash(&state), before, "%s", stream_event_name(event.type));
	cr_expect_eq(state.pool.used_bytes, used);
	cr_expect(state.users_count == users && state.apps_count == apps &&
		  state.streams_count == streams);
}

/* Names that live as long as the test. */
static const char *name(const char *prefix, unsigned number)
{
	static char names[8192][16];

	cr_assert(number < 8192);
	(void)snprintf(names[number], sizeof names[0], "%s%u", prefix, number);
	return names[number];
}

Test(state_limits, users, .init = open_state)
{
	for (unsigned i = 0; i < 4; i++) {
		cr_assert(state_has_room(&state));
		tell(story_session(name("u", i), EVENT_SESSION_OPENED));
	}
	cr_assert_not(state_has_room(&state));
	expect_full(story_session("late", EVENT_SESSION_OPENED));
	expect_full(story_link("late", 1, 2, LINK_UP));
	expect_full(story_glasses("late", "m", true, WIFI_ON));
	expect_full(story_app("late", "pa", APP_LOADING));
	expect_full(story_opened("late", "s1", 5, "pa"));
	tell(story_session("u2", EVENT_SESSION_CLOSED));
	cr_assert(state_has_room(&state));
	tell(story_session("late", EVENT_SESSION_OPENED));
	cr_assert(state_user_find(&state, TEXT("late")));
}

Test(state_limits, apps, .init = open_state)
{
	tell(story_session("u1", EVENT_SESSION_OPENED));
	for (unsigned i = 0; i < 20; i++) {
		cr_assert_eq(state_has_room(&state), i <= 20 - APPS_PER_USER_MAX, "%u apps", i);
		tell(story_app("u1", name("p", i), APP_LOADING));
	}
	expect_full(story_app("u1", "late", APP_LOADING));
	expect_full(story_app("stranger", "pa", APP_LOADING));
	cr_assert_null(state_user_find(&state, TEXT("stranger")));
	tell(story_app("u1", "p3", APP_RUNNING));
	tell(story_app("u1", "p7", APP_STOPPED));
	tell(story_app("u1", "late", APP_LOADING));
}

Test(state_limits, streams, .init = open_state)
{
	struct stream_event row = story_stream("u4", "s4", 104, EVENT_SNAPSHOT_STREAM);

	row.snapshot_stream.kind = KIND_UNMANAGED;
	row.snapshot_stream.phase = PHASE_LIVE;
	for (unsigned i = 0; i < 3; i++) {
		cr_assert(state_has_room(&state));
		tell(story_session(name("u", i), EVENT_SESSION_OPENED));
		tell(story_opened(name("u", i), name("s", 100 + i), 100 + i, "pa"));
	}
	cr_assert_not(state_has_room(&state));
	expect_full(story_opened("u4", "s103", 103, "pa"));
	expect_full(row);
	cr_assert_null(state_user_find(&state, TEXT("u4")), "nobody is left behind");
	tell(story_closed("u1", "s101", 101, true, false));
	expect_full(story_opened("u1", "s103", 103, "pa"));
	tell(story_stream("u1", "s101", 101, EVENT_STREAM_TOLD));
	tell(story_opened("u1", "s103", 103, "pa"));
}

Test(state_limits, gateways, .init = open_state)
{
	for (uint64_t i = 1; i <= GATEWAYS_MAX; i++)
		tell(story_gateway(i, LINK_UP));
	expect_full(story_gateway(GATEWAYS_MAX + 1, LINK_UP));
	tell(story_gateway(GATEWAYS_MAX + 1, LINK_DOWN));
	tell(story_gateway(5, LINK_LOST));
	tell(story_gateway(5, LINK_DOWN));
	tell(story_gateway(GATEWAYS_MAX + 1, LINK_UP));
	cr_assert(state_gateway_find(&state, GATEWAYS_MAX + 1));
}

/* Texts ------------------------------------------------------------------------------------ */

/* No block of any size is left that a text of another size than the users' names could take. */
static unsigned fill_texts(void)
{
	static char long_name[USER_ID_MAX + 1];
	unsigned count = 0;

	memset(long_name, 'n', USER_ID_MAX);
	for (int r = 0; r == 0; count++) {
		struct stream_event event = story_session(long_name, EVENT_SESSION_OPENED);

		(void)snprintf(long_name + USER_ID_MAX - 6, 7, "%06u", count);
		r = try(event);
		cr_assert(r == 0 || r == STATE_E_FULL);
	}
	return count - 1;
}

static void open_small(void)
{
	options.users_max = 10000;
	options.text_bytes = 18 * POOL_PAGE_SIZE;
	open_state();
	cr_assert(state_has_room(&state));
}

/* The pages that hold short texts have blocks left; their neighbours are of the wrong size. */
static void use_up_short_texts(void)
{
	char text[512];
	struct pooled kept;

	memset(text, 'x', sizeof text);
	for (uint32_t length = 1; length <= sizeof text; length++)
		while (pool_keep(&state.pool, (struct text){ text, length }, &kept))
			continue;
}

Test(state_limits, texts_that_do_not_fit_change_nothing, .init = open_small)
{
	tell(story_session("u1", EVENT_SESSION_OPENED));
	cr_assert_gt(fill_texts(), 1000);
	cr_assert_not(state_has_room(&state));
	expect_full(story_app("u1", "a-package-of-forty-bytes-or-so.example", APP_LOADING));
	expect_full(story_app("new-user-with-a-name-of-thirty", "p", APP_LOADING));
	expect_full(story_glasses("u1", "A model with a name longer than 16", true, WIFI_ON));
	expect_full(story_opened("u1", "s-with-an-id-beyond-16", 9, "pa"));
	tell(story_glasses("u1", "", false, WIFI_ON));
}

Test(state_limits, an_end_is_taken_even_if_its_words_do_not_fit, .init = open_small)
{
	struct stream_event event = story_stream("u1", "s1", 9, EVENT_STREAM_STATUS);
	const struct state_stream *stream;

	tell(story_session("u1", EVENT_SESSION_OPENED));
	tell(story_opened("u1", "s1", 9, "pa"));
	(void)fill_texts();
	use_up_short_texts();
	event.seq = ++seq;
	event.stream_status.phase = PHASE_LIVE;
	event.stream_status.detail = TEXT("what the device said, at some length: no route to host");
	cr_assert_eq(state_apply(&state, &event), 0);
	stream = state_stream_find(&state, TEXT("s1"));
	cr_assert_eq(stream->phase, PHASE_LIVE);
	cr_assert_eq(stream->detail.length, 0);
	event = story_closed("u1", "s1", 9, true, true);
	event.seq = ++seq;
	cr_assert_eq(state_apply(&state, &event), 0);
	cr_assert_eq(stream->phase, PHASE_CLOSED);
	cr_assert(stream->stop_owed && stream->told_owed, "it owes what it owes");
	cr_assert_eq(state.active_count, 0);
}

Test(state_limits, a_record_without_its_texts_is_still_one_record, .init = open_small)
{
	struct stream_event event = story_opened("u1", "s1", 9, "pa");

	tell(story_session("u1", EVENT_SESSION_OPENED));
	(void)fill_texts();
	use_up_short_texts();
	event.seq = ++seq;
	cr_assert_eq(state_apply(&state, &event), STATE_E_FULL);
	cr_assert_eq(state.streams_count, 0, "not even its id fitted");
	cr_assert_null(state_active(&state, state_user_find(&state, TEXT("u1"))));
}

/* The promise of state_has_room() -------------------------------------------------------------- */

static char *filled(char *bytes, size_t length, unsigned number)
{
	memset(bytes, 'y', length);
	bytes[length] = '\0';
	bytes[0] = (char)('a' + number % 26);
	bytes[1] = (char)('a' + number / 26);
	return bytes;
}

/* The longest user, its longest apps and its longest stream, right after the promise. */
static void use_the_promise(unsigned number)
{
	static char user[USER_ID_MAX + 1], package[PACKAGE_MAX + 1], model[MODEL_MAX + 1];
	static char url[URL_MAX + 1], option[OPTION_MAX + 1], id[STREAM_ID_MAX + 1];
	struct stream_event opened;

	filled(user, USER_ID_MAX, number);
	tell(story_session(user, EVENT_SESSION_OPENED));
	tell(story_glasses(user, filled(model, MODEL_MAX, 0), true, WIFI_ON));
	for (unsigned i = 0; i < APPS_PER_USER_MAX; i++)
		tell(story_app(user, filled(package, PACKAGE_MAX, i), APP_LOADING));
	opened = story_opened(user, filled(id, STREAM_ID_MAX, number), 100 + number, package);
	opened.stream_opened.rtmp_url = text_of(filled(url, URL_MAX, 0));
	opened.stream_opened.video = opened.stream_opened.audio = opened.stream_opened.options =
		text_of(filled(option, OPTION_MAX, 0));
	tell(opened);
}

Test(state_limits, what_was_promised_fits)
{
	unsigned number = 0;

	options = (struct state_options){ .users_max = 600,
					  .apps_max = 9600,
					  .streams_max = 600,
					  .text_bytes = 40 * POOL_PAGE_SIZE };
	open_state();
	for (; state_has_room(&state); number++)
		use_the_promise(number);
	cr_assert_gt(number, 60);
}

/* Who is remembered ------------------------------------------------------------------------ */

static void come_and_go(const char *user, unsigned apps)
{
	tell(story_session(user, EVENT_SESSION_OPENED));
	for (unsigned i = 0; i < apps; i++)
		tell(story_app(user, name("p", i), APP_RUNNING));
	tell(story_session(user, EVENT_SESSION_CLOSED));
}

static bool remembered(const char *user)
{
	const struct state_user *found = state_user_find(&state, text_of(user));

	return found && found->dormant;
}

Test(state_limits, the_user_away_longest_is_forgotten_first, .init = open_remembering)
{
	struct stream_event row;
	uint64_t cursor = 0;

	come_and_go("u0", 1);
	come_and_go("u1", 2);
	come_and_go("u2", 1);
	come_and_go("u3", 1);
	come_and_go("u1", 2); /* back and away again: now the one who was here last */
	cr_assert_eq(state.dormant_count, 4);
	cr_assert_eq(state_hash(&state), 0, "nobody is here");
	cr_assert_not(state_row(&state, &cursor, &row));
	cr_assert(state_has_room(&state));
	tell(story_session("u4", EVENT_SESSION_OPENED));
	cr_assert(!remembered("u0") && remembered("u1") && remembered("u2") && remembered("u3"));
	tell(story_session("u5", EVENT_SESSION_OPENED));
	tell(story_session("u6", EVENT_SESSION_OPENED));
	cr_assert(remembered("u1") && !remembered("u2") && !remembered("u3"));
	tell(story_session("u7", EVENT_SESSION_OPENED));
	cr_assert_not(remembered("u1"));
	cr_assert_not(state_has_room(&state));
	expect_full(story_session("u8", EVENT_SESSION_OPENED));
	cr_assert_eq(state.apps_count, 0);
}

Test(state_limits, one_who_returns_is_not_forgotten_for_it, .init = open_remembering)
{
	come_and_go("u0", 3);
	for (unsigned i = 1; i < 4; i++)
		tell(story_session(name("u", i), EVENT_SESSION_OPENED));
	cr_assert(state_has_room(&state));
	tell(story_session("u0", EVENT_SESSION_OPENED));
	cr_assert_eq(state.apps_count, 3);
	cr_assert_eq(state.dormant_count, 0);
}

Test(state_limits, remembered_apps_make_room_for_running_ones, .init = open_remembering)
{
	come_and_go("u0", 9);
	come_and_go("u1", 9);
	cr_assert_eq(state.apps_count, 18);
	cr_assert_not(state_has_room(&state), "three apps fit, and one dormant user may come");
	tell(story_session("u2", EVENT_SESSION_OPENED));
	for (unsigned i = 0; i < 11; i++)
		tell(story_app("u2", name("q", i), APP_LOADING));
	cr_assert(!remembered("u0") && remembered("u1"));
	for (unsigned i = 11; i < 20; i++)
		tell(story_app("u2", name("q", i), APP_LOADING));
	cr_assert_not(remembered("u1"));
	expect_full(story_app("u2", "q99", APP_LOADING));
}

Test(state_limits, remembered_texts_make_room_for_new_ones)
{
	static char user[USER_ID_MAX + 1];

	options = (struct state_options){ .users_max = 9000,
					  .apps_max = 9000,
					  .streams_max = 10,
					  .text_bytes = 20 * POOL_PAGE_SIZE,
					  .remember_apps = true };
	open_state();
	for (unsigned i = 0; i < 8000; i++) {
		cr_assert(state_has_room(&state), "user %u", i);
		filled(user, USER_ID_MAX, 0);
		(void)snprintf(user + 10, 7, "%06u", i);
		user[16] = '-';
		come_and_go(user, 1);
	}
	cr_assert_gt(state.dormant_count, 100, "some are remembered");
	cr_assert_lt(state.dormant_count, 8000);
	cr_assert(remembered(user), "the last of all");
}

/* All at once, the next message would wait for it. */
Test(state_limits, they_are_forgotten_in_slices)
{
	char user[16];

	options = (struct state_options){ .users_max = 2000,
					  .apps_max = 2000,
					  .streams_max = 10,
					  .text_bytes = 20 * POOL_PAGE_SIZE,
					  .remember_apps = true };
	open_state();
	for (unsigned i = 0; i < 1500; i++) {
		(void)snprintf(user, sizeof user, "user-%u", i);
		come_and_go(user, 1);
	}
	cr_assert_eq(state.dormant_count, 1500);
	use_up_short_texts();
	state_settle(&state);
	cr_assert_lt(state.dormant_count, 1500);
	cr_assert_gt(state.dormant_count, 500);
	state_settle(&state);
	state_settle(&state);
	cr_assert_eq(state.dormant_count, 0, "the room is still wanted");
	state_settle(&state);
}
