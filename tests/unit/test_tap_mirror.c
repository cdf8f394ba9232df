/* SPDX-License-Identifier: MIT */
/* Goal: the rows of a snapshot become records that belong together, in any order of rows, and a
 * snapshot that lost a row is not taken for a whole one.  Method: rows by hand.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_mirror.h"
#include "actors/tap/tap_stream.h"

static struct mirror mirror;
static bool complete;

static void setup(void)
{
	mirror_init(&mirror);
	complete = false;
}

static void teardown(void)
{
	mirror_fini(&mirror);
}

static bool apply(struct stream_event event)
{
	return mirror_apply(&mirror, &event, &complete);
}

static bool end(uint64_t rows)
{
	return apply(
		(struct stream_event){ .type = EVENT_SNAPSHOT_END, .snapshot_end.rows = rows });
}

static void begin(uint64_t upto)
{
	cr_assert(!apply((struct stream_event){ .type = EVENT_SNAPSHOT_BEGIN,
						.snapshot_begin.upto = upto }));
}

static void stream(const char *id, const char *user, int64_t created_ms)
{
	cr_assert(!apply((struct stream_event){ .type = EVENT_SNAPSHOT_STREAM,
						.stream_id = text_of(id),
						.user_id = text_of(user),
						.snapshot_stream.phase = PHASE_LIVE,
						.snapshot_stream.created_ms = created_ms }));
}

static void link(const char *user, uint64_t gateway, enum link_state state)
{
	cr_assert(!apply((struct stream_event){ .type = EVENT_LINK_CHANGED,
						.user_id = text_of(user),
						.link_changed.link = 5,
						.link_changed.gateway = gateway,
						.link_changed.state = state }));
}

static void gateway(uint64_t incarnation, const char *name)
{
	cr_assert(!apply((struct stream_event){ .type = EVENT_GATEWAY_CHANGED,
						.gateway_changed.gateway = incarnation,
						.gateway_changed.name = text_of(name),
						.gateway_changed.state = LINK_UP }));
}

static void app(const char *user, const char *package, uint64_t held_by, uint64_t socket)
{
	cr_assert(!apply((struct stream_event){ .type = EVENT_APP_CHANGED,
						.user_id = text_of(user),
						.app_changed.package = text_of(package),
						.app_changed.gateway = held_by,
						.app_changed.link = socket }));
}

TestSuite(mirror, .init = setup, .fini = teardown);

Test(mirror, rows_belong_together_in_any_order)
{
	begin(77);
	stream("s-2", "bob", 20);
	stream("s-1", "alice", 10);
	link("alice", 1, LINK_UP);
	app("alice", "com.a", 1, 3);
	gateway(10, "gateway-10");
	gateway(1, "gateway-2");
	cr_assert(end(6));
	cr_assert(complete);
	cr_assert_eq(mirror.upto, 77);
	cr_assert_eq(mirror.stream_count, 2);
	cr_assert(text_is(mirror.streams[0].id, "s-1"), "the oldest first");
	cr_assert_eq(mirror.streams[0].user->link_state, LINK_UP);
	cr_assert_eq(mirror.streams[1].user->link_state, LINK_NONE);
	cr_assert_eq(mirror_stream(&mirror, TEXT("s-2")), &mirror.streams[1]);
	cr_assert_null(mirror_stream(&mirror, TEXT("s-3")));
	cr_assert(text_is(mirror.gateways[0].name, "gateway-2"), "before gateway-10");
	cr_assert_eq(mirror.gateways[0].links, 1);
	cr_assert_eq(mirror.gateways[0].apps, 1);
	cr_assert_eq(mirror.gateways[1].links, 0);
	cr_assert(text_is(mirror_gateway_name(&mirror, 10), "gateway-10"));
	cr_assert(text_is(mirror_gateway_name(&mirror, 0), ""));
	cr_assert(text_is(mirror_gateway_name(&mirror, 9), "?"));
}

Test(mirror, only_open_sockets_count)
{
	begin(1);
	gateway(1, "gateway-1");
	link("alice", 1, LINK_DOWN);
	link("bob", 1, LINK_LOST);
	app("alice", "com.a", 1, 0);
	app("alice", "com.b", 1, 9);
	cr_assert(end(5));
	cr_assert_eq(mirror.gateways[0].links, 0);
	cr_assert_eq(mirror.gateways[0].apps, 1);
}

Test(mirror, a_missing_row_shows)
{
	begin(1);
	stream("s-1", "alice", 10);
	cr_assert(end(2));
	cr_assert(!complete);
}

Test(mirror, rows_that_are_not_known_here_count_too)
{
	begin(1);
	cr_assert(!apply((struct stream_event){ .type = EVENT_NONE }));
	cr_assert(end(1));
	cr_assert(complete);
}

Test(mirror, a_second_begin_forgets_the_first)
{
	begin(1);
	stream("s-1", "alice", 10);
	gateway(1, "gateway-1");
	begin(2);
	stream("s-2", "bob", 10);
	cr_assert(end(1));
	cr_assert(complete);
	cr_assert_eq(mirror.stream_count, 1);
	cr_assert_eq(mirror.gateway_count, 0);
	cr_assert_null(mirror_user(&mirror, TEXT("alice")));
}

Test(mirror, sessions_glasses_apps)
{
	static const char list[] = { (char)0x92, (char)0xa1, 'a', (char)0xa1, 'b' };
	struct stream_event event = { .user_id = TEXT("alice") };

	begin(1);
	event.type = EVENT_SESSION_OPENED;
	event.session_opened.waiting = true;
	cr_assert(!apply(event));
	const struct mirror_user *user = mirror_user(&mirror, TEXT("alice"));

	cr_assert_str_eq(user->session, "waiting");
	event.type = EVENT_SESSION_READY;
	cr_assert(!apply(event));
	cr_assert_str_eq(user->session, "ready");
	event.type = EVENT_GLASSES_CHANGED;
	event.glasses_changed.model = TEXT("Mentra Live");
	event.glasses_changed.connected = true;
	event.glasses_changed.wifi = WIFI_ON;
	cr_assert(!apply(event));
	cr_assert(user->has_glasses && user->connected);
	event.type = EVENT_APP_SUBSCRIBED;
	event.app_subscribed.package = TEXT("com.a");
	event.app_subscribed.types = (struct text){ list, sizeof list };
	cr_assert(!apply(event));
	app("alice", "com.a", 1, 2);
	cr_assert_null(user->apps->next, "one app, told of twice");
	cr_assert_eq(user->apps->link, 2);
	cr_assert_eq(user->apps->subscriptions.length, sizeof list);
	cr_assert_null(mirror_user(&mirror, TEXT("")));
}

Test(mirror, many_users)
{
	char id[16];

	begin(1);
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(id, sizeof id, "u%d", i);
		stream(id, id, i);
		link(id, 1, LINK_UP);
	}
	cr_assert(end(40000));
	cr_assert_eq(mirror.stream_count, 20000);
	for (size_t i = 0; i < mirror.stream_count; i++)
		cr_assert(text_equal(mirror.streams[i].id, mirror.streams[i].user->id));
}

Test(stream, notes)
{
	struct mirror_stream shown = { .phase = PHASE_LIVE };
	char note[STREAM_NOTE_SIZE];

	cr_assert_str_eq(stream_note(&shown, note), "");
	shown.phase = PHASE_REQUESTED;
	cr_assert_str_eq(stream_note(&shown, note), "start owed");
	shown = (struct mirror_stream){ .phase = PHASE_CLOSED,
					.end_cause = END_RECONNECT_FAILED,
					.stop_owed = true,
					.told_owed = true };
	cr_assert_str_eq(stream_note(&shown, note), "stop owed, app not told, reconnect_failed");
}
