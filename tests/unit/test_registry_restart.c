/* SPDX-License-Identifier: MIT */
/* Goal: a registry that was started anew takes up the world as it left it: what gateways tell again
 * changes nothing, what they no longer hold is down, what was owed still is, and nothing is judged
 * for the time nobody was here (design.md 1, promises 5 and 6).  Method: a scene, another life
 * (bench_restart()), and the announcements of the gateways in every variation.
 */
#include "common/phase.h"
#include "tests/lib/registry_bench.h"

#define U "u@x"

static const struct peer glasses_gateway = { ROLE_GATEWAY, GATEWAY_A };
static const struct peer app_gateway = { ROLE_GATEWAY, GATEWAY_B };
static const struct peer scheduler = { ROLE_SCHEDULER, 3 };

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
	glasses_state(U, "Mentra Live");
	app_up(U, "pa", 21);
	stream_open(U, "pa", 0);
	stream_status(U, DEVICE_STREAMING);
}

static void announce_glasses(struct peer gateway, uint64_t link)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = link;
	event.edge_link_opened.resumed = true;
	bench_say(gateway, &event);
}

static void announce_state(void)
{
	struct stream_event event = about(U, EVENT_EDGE_GLASSES);

	event.edge_glasses.link = 11;
	event.edge_glasses.has_state = event.edge_glasses.connected = true;
	event.edge_glasses.model = TEXT("Mentra Live");
	event.edge_glasses.wifi = WIFI_ON;
	event.edge_glasses.resumed = true;
	bench_say(glasses_gateway, &event);
}

static void announce_app(const char *package, uint64_t link)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_OPENED);

	event.edge_app_opened.link = link;
	event.edge_app_opened.package = text_of(package);
	event.edge_app_opened.key_ok = event.edge_app_opened.resumed = true;
	event.edge_app_opened.app_type = APP_TYPE_BACKGROUND;
	bench_say(app_gateway, &event);
}

static void announced(struct peer gateway)
{
	bench_say(gateway, &(struct stream_event){ .type = EVENT_EDGE_ANNOUNCED });
}

Test(registry_restart, all_as_it_was, .init = setup)
{
	uint64_t seq = bench.registry.seq;

	bench_restart();
	announce_glasses(glasses_gateway, 11);
	expect_said("registry.relay_filter");
	announce_state();
	announce_app("pa", 21);
	expect_said("registry.app_result");
	announced(glasses_gateway);
	announced(app_gateway);
	bench_tick(5000);
	cr_assert_eq(bench.registry.seq, seq, "nothing has happened");
	cr_assert_eq(the_stream(U)->phase, PHASE_LIVE);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING);
}

Test(registry_restart, what_is_told_no_more_is_down, .init = setup)
{
	bench_restart();
	announced(glasses_gateway);
	bench_tick(100);
	cr_assert_eq(the_user(U)->link_state, LINK_DOWN);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING, "its gateway has not spoken yet");
	announced(app_gateway);
	bench_tick(100);
	cr_assert_eq(the_app(U, "pa")->state, APP_GRACE);
	cr_assert(the_stream(U), "the missed probes will end it, if it does not come back");
}

/* Only the first announcement is about an earlier life. */
Test(registry_restart, announced_once_more, .init = setup)
{
	bench_restart();
	announce_glasses(glasses_gateway, 11);
	announced(glasses_gateway);
	bench_tick(100);
	announced(glasses_gateway);
	bench_tick(100);
	cr_assert_eq(the_user(U)->link_state, LINK_UP);
}

Test(registry_restart, glasses_that_moved_while_we_were_away, .init = setup)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	bench_restart();
	event.edge_link_opened.link = 12;
	bench_say(app_gateway, &event); /* a new socket elsewhere, told as news */
	cr_assert_eq(the_user(U)->link, 12);
	announce_glasses(glasses_gateway, 11); /* and the old one, half open */
	expect_said("");
	announced(glasses_gateway);
	bench_tick(100);
	cr_assert_eq(the_user(U)->link, 12);
	cr_assert_eq(the_user(U)->link_state, LINK_UP);
}

static void open_link(struct peer gateway, uint64_t link, int64_t opened_ms)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	event.edge_link_opened.link = link;
	event.edge_link_opened.opened_ms = opened_ms;
	bench_say(gateway, &event);
}

static void close_link(struct peer gateway, uint64_t link)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_CLOSED);

	event.edge_link_closed.link = link;
	bench_say(gateway, &event);
}

/* News of sockets arrive in any order; what counts is which of them was opened last. */
Test(registry_restart, a_socket_that_is_told_of_late_does_not_displace_a_newer_one, .init = setup)
{
	open_link(app_gateway, 30, 900000);
	cr_assert_eq(the_user(U)->link, 30);
	open_link(glasses_gateway, 31, 800000);
	expect_said("registry.glasses_notice"); /* its connection_ack */
	cr_assert_eq(bench_fx(EVENT_REGISTRY_GLASSES_NOTICE, 0)->registry_glasses_notice.link, 31);
	cr_assert_eq(the_user(U)->link, 30);
	close_link(glasses_gateway, 31);
	cr_assert_eq(the_user(U)->link, 30);
	close_link(app_gateway, 30);
	cr_assert_eq(the_user(U)->link_state, LINK_DOWN, "as protocol.md 1.4 has measured it");
}

/* On another machine, by another clock. */
static const struct peer far_gateway = { ROLE_GATEWAY, 0xfa };

static void far_gateway_up(uint64_t clock)
{
	bench_input(&(struct input){ .type = INPUT_PEER_UP,
				     .peer = far_gateway,
				     .peer_name = "gateway-far",
				     .clock = clock });
	cr_assert_eq(state_gateway_find(&bench.registry.state, far_gateway.incarnation)->clock,
		     clock);
}

/* That machine was started later: its times are smaller, and say nothing. */
Test(registry_restart, times_of_two_machines_are_not_compared, .init = setup)
{
	far_gateway_up(7);
	open_link(app_gateway, 30, 900000);
	open_link(far_gateway, 40, 5000);
	cr_assert_eq(the_user(U)->link, 40, "what is told as news is news");
	open_link(app_gateway, 31, 800000);
	cr_assert_eq(the_user(U)->link, 31, "and so is this");
}

Test(registry_restart, times_of_one_machine_are_compared_whatever_its_clock, .init = setup)
{
	far_gateway_up(7);
	bench.registry.options.clock = 6; /* ours, which has not come so far */
	open_link(far_gateway, 40, INT64_C(1) << 40);
	open_link(far_gateway, 41, 5000);
	cr_assert_eq(the_user(U)->link, 40);
	bench.registry.options.clock = 7; /* it is ours: that was before the machine was started */
	open_link(far_gateway, 42, 6000);
	cr_assert_eq(the_user(U)->link, 42);
}

/* Two sockets are up, and nobody can tell which is newer: the one that was known stays. */
Test(registry_restart, what_another_machine_tells_again_displaces_nothing, .init = setup)
{
	struct stream_event event = about(U, EVENT_EDGE_LINK_OPENED);

	far_gateway_up(7);
	open_link(app_gateway, 30, 5000);
	event.edge_link_opened.link = 40;
	event.edge_link_opened.opened_ms = 900000;
	event.edge_link_opened.resumed = true;
	bench_say(far_gateway, &event);
	cr_assert_eq(the_user(U)->link, 30);
	gateway_lease(GATEWAY_B, 5000);
	bench_say(far_gateway, &event);
	cr_assert_eq(the_user(U)->link, 40, "unless its gateway is silent");
}

Test(registry_restart, sockets_of_an_app_on_two_machines, .init = setup)
{
	struct stream_event event = about(U, EVENT_EDGE_APP_OPENED);

	far_gateway_up(7);
	event.edge_app_opened.package = TEXT("pa");
	event.edge_app_opened.key_ok = true;
	event.edge_app_opened.link = 50;
	event.edge_app_opened.opened_ms = 900000;
	bench_say(app_gateway, &event);
	cr_assert_eq(the_app(U, "pa")->link, 50);
	event.edge_app_opened.link = 51;
	event.edge_app_opened.opened_ms = 5000;
	bench_say(far_gateway, &event);
	cr_assert_eq(the_app(U, "pa")->link, 51);
	event.edge_app_opened.link = 52;
	event.edge_app_opened.resumed = true;
	event.edge_app_opened.opened_ms = 900001;
	bench_say(app_gateway, &event);
	cr_assert_eq(the_app(U, "pa")->link, 51, "told again, by another clock");
}

Test(registry_restart, nor_one_whose_gateway_is_silent, .init = setup)
{
	open_link(app_gateway, 30, 900000);
	gateway_lease(GATEWAY_B, 5000);
	cr_assert_eq(state_link(&bench.registry.state, the_user(U)), LINK_LOST);
	open_link(glasses_gateway, 31, 800000);
	cr_assert_eq(the_user(U)->link, 30);
	close_link(glasses_gateway, 31);
	cr_assert_eq(the_user(U)->link_state, LINK_UP);
}

Test(registry_restart, a_gateway_that_was_given_up_and_has_news, .init = setup)
{
	struct stream_event event = about("v@x", EVENT_EDGE_LINK_OPENED);

	gateway_lease(GATEWAY_A, 5000);
	gateway_lease(GATEWAY_A, bench.registry.options.blind_max_ms);
	bench_tick(100);
	event.edge_link_opened.link = 40;
	bench_input(&(struct input){ .type = INPUT_MESSAGE,
				     .peer = glasses_gateway,
				     .peer_name = "gateway-1",
				     .event = &event });
	cr_assert_eq(the_user("v@x")->link_state, LINK_UP);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_UNKNOWN_LINK, 0)->registry_unknown_link.link, 0);
}

Test(registry_restart, an_older_socket_of_an_app_stays_the_older, .init = setup)
{
	app_opened(U, "pa", 22); /* takes over from 21, which stays open (D16) */
	bench_restart();
	announce_app("pa", 21);
	expect_said("registry.app_result");
	cr_assert_eq(the_app(U, "pa")->link, 22);
	announce_app("pa", 22);
	announced(app_gateway);
	bench_tick(100);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING);
	app_closed(U, "pa", 21);
	cr_assert_eq(the_app(U, "pa")->state, APP_RUNNING);
	app_stop(U, "pa");
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_eq(bench_fx(EVENT_REGISTRY_LINK_CLOSE, 0)->registry_link_close.link, 22);
}

Test(registry_restart, a_gateway_that_does_not_come_back, .init = setup)
{
	bench_restart();
	gateway_lease(GATEWAY_A, 5000);
	cr_assert_eq(state_link(&bench.registry.state, the_user(U)), LINK_LOST);
	gateway_lease(GATEWAY_A, bench.registry.options.blind_max_ms);
	bench_tick(100);
	cr_assert_eq(the_user(U)->link_state, LINK_DOWN);
}

Test(registry_restart, a_gateway_that_went_as_we_did, .init = setup)
{
	bench_say(glasses_gateway, &(struct stream_event){ .type = EVENT_EDGE_LEAVING });
	cr_assert_eq(the_user(U)->link_state, LINK_UP, "its links go in slices");
	bench_restart();
	bench_tick(100);
	cr_assert_eq(the_user(U)->link_state, LINK_DOWN);
}

Test(registry_restart, a_session_that_was_ending, .init = setup)
{
	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	expect_said("stream.closed session.ending");
	bench_restart();
	bench_tick(bench.registry.options.ending_max_ms - 1);
	cr_assert_eq(the_user(U)->session, SESSION_ENDING, "its full time again");
	bench_tick(1);
	cr_assert(!the_user(U) || the_user(U)->session == SESSION_NONE);
}

Test(registry_restart, what_was_owed_still_is, .init = setup)
{
	struct stream_event told = about(U, EVENT_EDGE_APP_TOLD);
	char id[STREAM_ID_MAX + 1];

	text_put(text_of(the_id(the_stream(U))), id, sizeof id);
	told.stream_id = text_of(id);
	told.epoch = the_stream(U)->epoch;
	told.edge_app_told.package = TEXT("pa");
	told.edge_app_told.outcome = OUTCOME_SENT;
	glasses_down(U, 11);
	struct stream_event stop = about(U, EVENT_STREAM_CLOSE);

	stop.stream_id = text_of(id);
	stop.epoch = told.epoch;
	stop.stream_close.end_cause = END_APP_STOP;
	stop.stream_close.by = TEXT("pa");
	stop.stream_close.told_id = TEXT("what the app said");
	bench_say((struct peer){ ROLE_UNMANAGED, 5 }, &stop);
	bench_restart();
	const struct state_stream *owed = state_stream_find(&bench.registry.state, text_of(id));

	cr_assert(owed && owed->told_owed && owed->stop_owed);
	cr_assert(text_is(state_text(&bench.registry.state, owed->told_id), "what the app said"));
	cr_assert(text_is(state_text(&bench.registry.state, owed->by), "pa"));
	bench_tick(bench.registry.options.stop_owed_ms - 1000);
	cr_assert(state_stream_find(&bench.registry.state, text_of(id)), "its full time again");
	bench_say(app_gateway, &told);
	expect_said("stream.told");
	bench_tick(3000);
	cr_assert_null(state_stream_find(&bench.registry.state, text_of(id)), "given up");
}

Test(registry_restart, a_stop_webhook_of_an_earlier_life, .init = setup)
{
	app_stop(U, "pa");
	cr_assert_eq(the_app(U, "pa")->state, APP_STOPPING);
	bench_restart();
	hook_done(U, "pa", HOOK_STOP);
	cr_assert_null(the_app(U, "pa"));
	cr_assert_null(the_stream(U), "it went with its app");
}

Test(registry_restart, apps_of_a_user_who_is_away_are_remembered, .init = setup)
{
	glasses_down(U, 11);
	timer(TIMER_SESSION_GRACE, U, "", the_user(U)->link_seq);
	bench_tick(bench.registry.options.ending_max_ms);
	bench_tick(bench.registry.options.stop_owed_ms + 2000);
	cr_assert(the_user(U)->dormant);
	bench_restart();
	cr_assert(the_user(U)->dormant);
	glasses_up(U, 12);
	cr_assert_eq(the_app(U, "pa")->state, APP_LOADING);
}

Test(registry_restart, without_storage_no_new_streams, .init = bench_setup)
{
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	registry_storage(&bench.registry, false);
	stream_open(U, "pa", 0);
	cr_assert_eq(bench_answer(), RESULT_NO_STORAGE);
	registry_storage(&bench.registry, true);
	stream_open(U, "pa", 0);
	cr_assert_eq(bench_answer(), RESULT_OK);
	registry_storage(&bench.registry, false);
	stream_status(U, DEVICE_STOPPED);
	cr_assert_null(the_stream(U), "ends are recorded");
}

/* Why a stream ended points at what shows it. */
static uint64_t cause_of_end(void)
{
	return bench_fx(EVENT_STREAM_CLOSED, 0)->cause;
}

static void expire(void)
{
	struct stream_event event = about(U, EVENT_STREAM_MISSED);
	char id[STREAM_ID_MAX + 1];

	text_put(text_of(the_id(the_stream(U))), id, sizeof id);
	event.stream_id = text_of(id);
	event.epoch = the_stream(U)->epoch;
	event.cause = the_stream(U)->activity_seq;
	event.stream_missed.missed = 3;
	event.stream_missed.expired = true;
	bench_say(scheduler, &event);
}

Test(registry_restart, evidence_phone, .init = setup)
{
	glasses_down(U, 11);
	uint64_t seen = the_user(U)->link_seq;

	expire();
	cr_assert_eq(cause_of_end(), seen);
}

Test(registry_restart, evidence_gateway, .init = setup)
{
	gateway_lease(GATEWAY_A, 5000);
	uint64_t seen = bench.registry.seq;

	expire();
	cr_assert_eq(cause_of_end(), seen);
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause, END_GATEWAY_LOST);
}

Test(registry_restart, evidence_silence, .init = setup)
{
	uint64_t seen = the_stream(U)->activity_seq;

	expire();
	cr_assert_eq(cause_of_end(), seen);
}

Test(registry_restart, evidence_app, .init = setup)
{
	app_stop(U, "pa");
	uint64_t seen = the_app(U, "pa")->seq;

	hook_done(U, "pa", HOOK_STOP);
	cr_assert_eq(cause_of_end(), seen);
}

Test(registry_restart, evidence_duration, .init = setup)
{
	uint64_t seen = the_stream(U)->opened_seq;
	struct stream_event event = about(U, EVENT_TIMER_EXPIRED);
	char id[STREAM_ID_MAX + 1];

	text_put(text_of(the_id(the_stream(U))), id, sizeof id);
	event.stream_id = text_of(id);
	event.epoch = the_stream(U)->epoch;
	event.cause = seen;
	event.timer_expired.timer = TIMER_DURATION;
	bench_say(scheduler, &event);
	cr_assert_eq(cause_of_end(), seen);
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause, END_DURATION_LIMIT);
}

Test(registry_restart, an_operator_may_ask_twice, .init = setup)
{
	struct stream_event event = about(U, EVENT_OPERATOR_STOP);

	event.origin = 9;
	event.request = 4;
	event.operator_stop.by = TEXT("me");
	bench_say((struct peer){ ROLE_OPERATOR, 9 }, &event);
	cr_assert_eq(bench_fx(EVENT_OPERATOR_RESULT, 0)->operator_result.result, RESULT_OK);
	bench_say((struct peer){ ROLE_OPERATOR, 9 }, &event);
	expect_said("operator.result");
	cr_assert_eq(bench_fx(EVENT_OPERATOR_RESULT, 0)->operator_result.result, RESULT_OK);
	event.request = 5;
	bench_say((struct peer){ ROLE_OPERATOR, 9 }, &event);
	cr_assert_eq(bench_fx(EVENT_OPERATOR_RESULT, 0)->operator_result.result, RESULT_NOT_FOUND);
}
