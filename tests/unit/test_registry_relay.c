/* SPDX-License-Identifier: MIT */
/* Goal: what glasses say beside streaming reaches the apps that asked for it, and only what some
 * app asked for is sent to the registry at all (protocol.md 1.6, 2.5).  Method: subscriptions in
 * and out, the filter compared as a list.
 */
#include <stdio.h>

#include "proto/list.h"
#include "tests/lib/registry_bench.h"
#include "tests/lib/story.h"

#define U "u@x"

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_up(U, "pb", 22);
}

static void subscribe_list(const char *package, uint64_t link, struct text types)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_SUBSCRIBED);

	event.edge_app_subscribed.link = link;
	event.edge_app_subscribed.package = text_of(package);
	event.edge_app_subscribed.types = types;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

static void subscribe(const char *package, uint64_t link, const char *types)
{
	subscribe_list(package, link, list_of(types));
}

/* The last filter, as words. */
static const char *filter(void)
{
	static char words[SUBSCRIPTIONS_BYTES];
	const struct stream_event *event = bench_fx(EVENT_REGISTRY_RELAY_FILTER, 0);
	size_t used = 0;
	struct wire wire;
	struct text type;
	uint32_t count;

	cr_assert(list_read(event->registry_relay_filter.types, &wire, &count));
	words[0] = '\0';
	for (; count > 0 && wire_text(&wire, &type); count--) {
		if (used > 0)
			words[used++] = ' ';
		text_put(type, words + used, sizeof words - used);
		used += type.length;
	}
	return words;
}

static bool filter_all(void)
{
	return bench_fx(EVENT_REGISTRY_RELAY_FILTER, 0)->registry_relay_filter.all;
}

Test(registry_relay, a_subscription_is_told_and_filtered, .init = setup)
{
	subscribe("pa", 21, "button_press location_stream");
	expect_said("app.subscribed registry.relay_filter registry.glasses_notice");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 0)->registry_glasses_notice.notice,
		     NOTICE_APP_STATE_CHANGE);
	cr_assert_str_eq(filter(), "button_press location_stream");
	cr_assert_not(filter_all());
	cr_assert_eq(bench_fx(EVENT_REGISTRY_RELAY_FILTER, 0)->registry_relay_filter.link, 11);
	subscribe("pa", 21, "button_press location_stream");
	expect_said("registry.glasses_notice"); /* as often as it likes; nothing is stored */
	subscribe("pb", 22, "location_stream vad");
	cr_assert_str_eq(filter(), "location_stream vad button_press");
	subscribe("pa", 21, "");
	expect_said("app.subscribed registry.relay_filter registry.glasses_notice");
	cr_assert_str_eq(filter(), "location_stream vad");
}

Test(registry_relay, an_empty_list_at_first_changes_little, .init = setup)
{
	subscribe("pa", 21, "");
	cr_assert_str_eq(filter(), "");
	subscribe("pa", 21, "");
	expect_said("registry.glasses_notice");
}

Test(registry_relay, status_subscriptions_are_not_for_the_filter, .init = setup)
{
	subscribe("pa", 21, "rtmp_stream_status managed_stream_status");
	cr_assert_str_eq(filter(), "", "glasses' statuses come anyway");
	cr_assert_not(filter_all());
	subscribe("pa", 21, "all");
	cr_assert(filter_all());
	subscribe("pb", 22, "*");
	subscribe("pa", 21, "vad");
	cr_assert(filter_all());
	subscribe("pb", 22, "vad");
	cr_assert_not(filter_all());
	cr_assert_str_eq(filter(), "vad");
}

Test(registry_relay, only_the_newest_socket_of_a_running_app_subscribes, .init = setup)
{
	subscribe("pa", 22, "vad");
	expect_said("");
	subscribe("pc", 21, "vad");
	expect_said("");
	app_opened(U, "pa", 31);
	subscribe("pa", 21, "vad");
	expect_said("");
	app_closed(U, "pa", 31);
	subscribe("pa", 31, "vad");
	expect_said("");
	cr_assert_eq(bench.registry.stats.ignored, 4);
	struct stream_event event = about(U, EVENT_EDGE_APP_SUBSCRIBED);

	event.edge_app_subscribed.link = 22;
	event.edge_app_subscribed.package = TEXT("pb");
	event.edge_app_subscribed.types = list_of("vad");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	expect_said(""); /* a socket of that number on another gateway */
	event.edge_app_subscribed.resumed = true;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
	expect_said("app.subscribed registry.relay_filter"); /* the glasses know already */
}

Test(registry_relay, lists_that_are_none_and_lists_too_long, .init = setup)
{
	char words[SUBSCRIPTIONS_BYTES] = "";

	subscribe_list("pa", 21, TEXT("\xa3vad"));
	expect_said("");
	for (unsigned i = 0; i < SUBSCRIPTIONS_MAX; i++)
		(void)snprintf(words + strlen(words), sizeof words - strlen(words), "%st%u",
			       i ? " " : "", i);
	subscribe("pa", 21, words);
	cr_assert_str_eq(filter(), words);
	(void)snprintf(words + strlen(words), sizeof words - strlen(words), " more");
	subscribe("pa", 21, words);
	expect_said("");
}

/* More different types than one list holds: then everything comes, and is filtered here. */
Test(registry_relay, a_filter_that_does_not_fit_lets_everything_through, .init = setup)
{
	static char words[2][SUBSCRIPTIONS_BYTES];

	for (unsigned app = 0; app < 2; app++)
		for (unsigned i = 0; i < SUBSCRIPTIONS_MAX; i++)
			(void)snprintf(words[app] + strlen(words[app]),
				       sizeof words[app] - strlen(words[app]), "%s%c%062u",
				       i ? " " : "", 'a' + app, i);
	subscribe("pa", 21, words[0]);
	subscribe("pb", 22, words[1]);
	cr_assert(filter_all());
	subscribe("pb", 22, "vad");
	subscribe("pa", 21, "vad");
	cr_assert_not(filter_all());
	cr_assert_str_eq(filter(), "vad");
}

Test(registry_relay, new_glasses_get_the_filter, .init = setup)
{
	subscribe("pa", 21, "vad");
	glasses_up(U, 12);
	cr_assert_str_eq(filter(), "vad");
	cr_assert_eq(bench_fx(EVENT_REGISTRY_RELAY_FILTER, 0)->registry_relay_filter.link, 12);
	glasses_down(U, 12);
	subscribe("pb", 22, "button_press");
	expect_said("app.subscribed"); /* nobody to tell */
	glasses_up(U, 13);
	cr_assert_str_eq(filter(), "button_press vad");
	app_stop(U, "pa");
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_str_eq(filter(), "button_press");
}

Test(registry_relay, an_app_that_does_not_come_back_wants_nothing, .init = setup)
{
	subscribe("pa", 21, "vad");
	app_closed(U, "pa", 21);
	timer(TIMER_APP_GRACE, U, "pa", the_app(U, "pa")->seq);
	hook_done(U, "pa", HOOK_STOP);
	timer(TIMER_APP_CONNECT, U, "pa", the_app(U, "pa")->seq);
	expect_said("app.changed registry.relay_filter");
	cr_assert_str_eq(filter(), "");
}

/* Relay ------------------------------------------------------------------------------------- */

static void relay(const char *user, const char *type)
{
	struct stream_event event = about(user, EVENT_EDGE_RELAY);

	event.edge_relay.type_name = text_of(type);
	event.edge_relay.message = TEXT("{\"type\":\"vad\",\"status\":true}");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
}

Test(registry_relay, a_message_goes_to_those_who_want_its_type, .init = setup)
{
	relay(U, "vad");
	expect_said("");
	subscribe("pa", 21, "vad");
	subscribe("pb", 22, "button_press");
	relay(U, "vad");
	expect_said("registry.relay");
	const struct stream_event *copy = bench_fx(EVENT_REGISTRY_RELAY, 0);

	cr_assert_eq(copy->registry_relay.link, 21);
	cr_assert(text_is(copy->registry_relay.type_name, "vad"));
	cr_assert(text_is(copy->registry_relay.message, "{\"type\":\"vad\",\"status\":true}"));
	cr_assert_eq(bench_peer(EVENT_REGISTRY_RELAY, 0).incarnation, GATEWAY_B);
	subscribe("pb", 22, "all");
	relay(U, "vad");
	expect_said("registry.relay registry.relay");
	relay(U, "unheard_of");
	expect_said("registry.relay");
	subscribe("pa", 21, "*");
	relay(U, "unheard_of");
	expect_said("registry.relay registry.relay");
}

Test(registry_relay, not_to_apps_that_are_not_there, .init = setup)
{
	subscribe("pa", 21, "all");
	app_closed(U, "pa", 21);
	relay(U, "vad");
	expect_said("");
	app_opened(U, "pa", 31);
	relay(U, "vad");
	expect_said("registry.relay"); /* its subscriptions survive a loss of the socket */
	app_stop(U, "pa");
	relay(U, "vad");
	expect_said("");
	relay("stranger@x", "vad");
	expect_said("");
}

Test(registry_relay, the_longest_message_passes, .init = setup)
{
	static char message[RELAY_MAX];
	struct stream_event event = about(U, EVENT_EDGE_RELAY);

	memset(message, 'x', sizeof message);
	subscribe("pa", 21, "all");
	event.edge_relay.type_name = TEXT("vad");
	event.edge_relay.message = (struct text){ message, sizeof message };
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_A }, &event);
	expect_said("registry.relay");
}
