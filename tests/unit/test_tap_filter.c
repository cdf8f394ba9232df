/* SPDX-License-Identifier: MIT */
/* Goal: a filter lets through what it names and nothing else; --expect sees events in order and
 * with their conditions, and typing mistakes are refused.  Method: events by hand.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_filter.h"

static struct stream_event opened(void)
{
	return (struct stream_event){
		.type = EVENT_STREAM_OPENED,
		.source = TEXT("registry"),
		.user_id = TEXT("alice@example.com"),
		.stream_id = TEXT("s-1"),
		.epoch = 7,
		.stream_opened.kind = KIND_UNMANAGED,
		.stream_opened.package = TEXT("com.example"),
		.stream_opened.rtmp_url = TEXT("rtmp://host/app/key"),
	};
}

static struct stream_event closed(enum end_cause cause)
{
	return (struct stream_event){
		.type = EVENT_STREAM_CLOSED,
		.source = TEXT("registry"),
		.user_id = TEXT("alice@example.com"),
		.stream_id = TEXT("s-1"),
		.stream_closed.end_cause = cause,
		.stream_closed.last_ack_age_ms = -1,
		.stream_closed.stop_owed = true,
	};
}

static bool passes(struct filter filter)
{
	const struct stream_event event = opened();

	return filter_passes(&filter, &event);
}

Test(filter, each_member_alone)
{
	cr_assert(passes((struct filter){ 0 }));
	cr_assert(passes((struct filter){ .user = "alice@example.com" }));
	cr_assert(!passes((struct filter){ .user = "alice@example.co" }));
	cr_assert(!passes((struct filter){ .user = "alice*" }), "ids are no patterns");
	cr_assert(passes((struct filter){ .stream = "s-1" }));
	cr_assert(!passes((struct filter){ .stream = "s-2" }));
	cr_assert(passes((struct filter){ .source = "reg*" }));
	cr_assert(!passes((struct filter){ .source = "gateway-*" }));
	cr_assert(passes((struct filter){ .types = { { "link.*", "stream.*" }, 2 } }));
	cr_assert(!passes((struct filter){ .types = { { "link.*", "stream.c*" }, 2 } }));
	cr_assert(!passes((struct filter){ .user = "alice@example.com", .stream = "s-2" }));
}

Test(filter, an_event_without_a_user_is_nobodys)
{
	const struct filter filter = { .user = "alice@example.com" };
	const struct stream_event event = { .type = EVENT_ACTOR_STARTED };

	cr_assert(!filter_passes(&filter, &event));
}

Test(filter, only_published_events_have_names_here)
{
	cr_assert_eq(pattern_scope("stream.*"), PATTERN_STORY);
	cr_assert_eq(pattern_scope("*"), PATTERN_STORY);
	cr_assert_eq(pattern_scope("probe.*"), PATTERN_OPS);
	cr_assert_eq(pattern_scope("actor.started"), PATTERN_OPS);
	cr_assert_eq(pattern_scope("deliver.*"), PATTERN_NOTHING);
	cr_assert_eq(pattern_scope("Stream.opened"), PATTERN_NOTHING);
	cr_assert(!event_is_published(EVENT_NONE));
	cr_assert(!event_is_published(EVENT_DELIVER_START));
	cr_assert(!event_is_published((enum stream_event_type)(STREAM_EVENT_TYPE_MAX + 1)));
}

static struct expects expects;
static char problem[256];

static bool parse(const char *one, const char *two)
{
	const struct option_list list = { { one, two }, two ? 2 : 1 };

	expects = (struct expects){ 0 };
	*problem = '\0';
	return expects_parse(&expects, &list, problem, sizeof problem);
}

static bool see(struct stream_event event)
{
	return expects_see(&expects, &event);
}

Test(expect, in_order_and_each_once)
{
	cr_assert(parse("stream.opened", "stream.closed"));
	cr_assert(!see(closed(END_APP_STOP)), "not its turn");
	cr_assert(!see(opened()));
	cr_assert(!see(opened()));
	cr_assert(see(closed(END_APP_STOP)));
	cr_assert(parse("stream.opened", "stream.opened"));
	cr_assert(!see(opened()));
	cr_assert(see(opened()));
	expects = (struct expects){ 0 };
	cr_assert(!see(opened()), "nothing expected is never done");
}

Test(expect, conditions_of_every_kind)
{
	static const struct {
		const char *written;
		bool holds;
	} rows[] = {
		{ "stream.closed:end_cause=phone_lost", true },
		{ "stream.closed:end_cause=app_stop", false },
		{ "stream.closed:user_id=alice@example.com", true },
		{ "stream.closed:user_id=alice", false },
		{ "stream.closed:stop_owed=true,told_owed=false", true },
		{ "stream.closed:stop_owed=true,told_owed=true", false },
		{ "stream.closed:last_ack_age_ms=-1", true },
		{ "stream.closed:epoch=0", true },
		{ "stream.closed:epoch=00", false },
		{ "stream.*:end_cause=phone_lost", true },
		{ "*:stream_id=s-1,end_cause=phone_lost,stop_owed=true,epoch=0", true },
		{ "stream.opened", false },
		{ "stream.closed:by=", true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		cr_assert(parse(rows[i].written, NULL), "%s: %s", rows[i].written, problem);
		cr_assert_eq(see(closed(END_PHONE_LOST)), rows[i].holds, "%s", rows[i].written);
	}
}

Test(expect, typing_mistakes_are_refused)
{
	static const char *const rows[] = {
		"stream.clsoed",
		"peer.hello",
		"",
		"stream.closed:cause_of_end=x",
		"stream.closed:end_cause=phone_gone",
		"stream.closed:end_cause",
		"stream.opened:rtmp_url=rtmp://host/app/key",
		"app.subscribed:types=x",
		"stream.closed:epoch=1,epoch=1,epoch=1,epoch=1,epoch=1",
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		cr_assert(!parse(rows[i], NULL), "%s", rows[i]);
		cr_assert(*problem, "%s", rows[i]);
	}
}
