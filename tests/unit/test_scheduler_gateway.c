/* SPDX-License-Identifier: MIT */
/* Goal: a gateway's lease ends when it falls silent, and not before; of links whose gateway is out
 * of sight nothing is judged; a gateway that is gone is seen: its links are down.
 */
#include "tests/lib/scheduler_world.h"

#define USER "u@example.com"
#define LEASE_MS 5000
#define GONE_MS 120000

static void setup(void)
{
	struct scheduler_options options = world_options();

	options.gateway_lease_ms = LEASE_MS;
	options.gateway_blind_max_ms = GONE_MS;
	world_start(options);
}

static void miss(int64_t at_ms, uint64_t missed, bool expired)
{
	const struct record *record = expect(at_ms, EVENT_STREAM_MISSED);

	cr_assert_eq(record->missed, missed);
	cr_assert_eq(record->expired, expired);
}

static const struct record *lease(int64_t at_ms, uint64_t id, int64_t after_ms)
{
	const struct record *record = expect(at_ms, EVENT_TIMER_EXPIRED);

	cr_assert_eq(record->timer, TIMER_GATEWAY_LEASE);
	cr_assert_eq(record->gateway, id);
	cr_assert_eq(record->after_ms, after_ms);
	return record;
}

static void seen(int64_t at_ms, uint64_t id)
{
	cr_assert_eq(expect(at_ms, EVENT_GATEWAY_SEEN)->gateway, id);
}

/* Beats of a gateway each second from now up to and at @until_ms. */
static void beat_until(uint64_t id, int64_t until_ms)
{
	while (world.now_ms + 1000 <= until_ms) {
		at(world.now_ms + 1000);
		beat(id);
	}
	at(until_ms);
}

/* --- leases ------------------------------------------------------------------------------------
 */

Test(lease, ends_five_seconds_after_the_last_beat, .init = setup)
{
	uint64_t seq = tell(gateway(GATEWAY_A, LINK_UP));

	peer(GATEWAY_A, INPUT_PEER_UP);
	beat_until(GATEWAY_A, 60000);
	quiet();
	at(64990);
	quiet();
	at(65000);
	cr_assert_eq(lease(65000, GATEWAY_A, 5000)->cause, seq);
	quiet();
}

Test(lease, runs_from_the_hello_before_the_first_beat, .init = setup)
{
	tell(gateway(GATEWAY_A, LINK_UP));
	at(3000);
	peer(GATEWAY_A, INPUT_PEER_UP);
	at(7990);
	quiet();
	at(8000);
	lease(8000, GATEWAY_A, 5000);
}

Test(lease, of_a_gateway_that_never_said_hello_to_us_ends_too, .init = setup)
{
	tell(gateway(GATEWAY_A, LINK_UP));
	at(5000);
	lease(5000, GATEWAY_A, 5000);
}

Test(lease, any_message_is_a_sign_of_life, .init = setup)
{
	connect_gateway(GATEWAY_A);
	at(4000);
	ack("s1", "a00000");
	at(8990);
	quiet();
	at(9000);
	lease(9000, GATEWAY_A, 5000);
}

Test(lease, silence_is_reported_twice_lost_then_gone, .init = setup)
{
	connect_gateway(GATEWAY_A);
	at(5000);
	lease(5000, GATEWAY_A, 5000);
	tell(gateway(GATEWAY_A, LINK_LOST));
	at(119990);
	quiet();
	at(120000);
	lease(120000, GATEWAY_A, 120000);
	tell(gateway(GATEWAY_A, LINK_DOWN));
	at(1000000);
	quiet();
}

Test(lease, is_reported_again_if_the_registry_did_not_agree, .init = setup)
{
	connect_gateway(GATEWAY_A);
	at(10000);
	lease(5000, GATEWAY_A, 5000);
	lease(10000, GATEWAY_A, 10000);
	tell(gateway(GATEWAY_A, LINK_LOST));
	at(360000);
	lease(120000, GATEWAY_A, 120000);
	lease(240000, GATEWAY_A, 240000);
	lease(360000, GATEWAY_A, 360000);
	quiet();
}

Test(lease, a_beat_after_the_report_is_reported_once, .init = setup)
{
	connect_gateway(GATEWAY_A);
	at(5500);
	lease(5000, GATEWAY_A, 5000);
	beat(GATEWAY_A);
	seen(5500, GATEWAY_A);
	tell(gateway(GATEWAY_A, LINK_LOST)); /* the first report, then the second */
	beat(GATEWAY_A);
	quiet();
	tell(gateway(GATEWAY_A, LINK_UP));
	beat_until(GATEWAY_A, 60500);
	quiet();
}

Test(lease, a_registry_that_goes_on_to_believe_it_lost_is_told_again, .init = setup)
{
	connect_gateway(GATEWAY_A);
	at(5500);
	lease(5000, GATEWAY_A, 5000);
	tell(gateway(GATEWAY_A, LINK_LOST));
	beat_until(GATEWAY_A, 12500);
	seen(6500, GATEWAY_A);
	seen(11500, GATEWAY_A);
	quiet();
}

Test(lease, one_found_lost_at_our_start_is_reported_when_it_beats, .init = setup)
{
	resync();
	tell_row(gateway(GATEWAY_A, LINK_LOST), 9);
	synced();
	peer(GATEWAY_A, INPUT_PEER_UP);
	seen(0, GATEWAY_A);
	quiet();
}

Test(lease, is_not_judged_while_blind, .init = setup)
{
	connect_gateway(GATEWAY_A);
	at(4000);
	give((struct input){ .type = INPUT_BLIND });
	at(300000);
	quiet();
	synced();
	at(304990);
	quiet();
	at(305000);
	lease(305000, GATEWAY_A, GONE_MS - 1); /* lost, not gone */
}

Test(lease, of_an_unknown_gateway_there_is_none, .init = setup)
{
	peer(GATEWAY_A, INPUT_PEER_UP); /* it was quicker than the registry */
	beat(GATEWAY_A);
	cr_assert_eq(scheduler_timers(&world.core), 0);
	at(60000);
	tell(gateway(GATEWAY_A, LINK_UP));
	at(65000);
	lease(65000, GATEWAY_A, 5000);
	quiet();
}

Test(lease, others_are_no_gateways, .init = setup)
{
	give((struct input){ .type = INPUT_PEER_UP,
			     .peer = { .role = ROLE_REGISTRY, .incarnation = 5 } });
	give((struct input){ .type = INPUT_PEER_DOWN,
			     .peer = { .role = ROLE_CONSOLE, .incarnation = 5 } });
	give((struct input){ .type = INPUT_MESSAGE,
			     .peer = { .role = ROLE_CONSOLE, .incarnation = 5 },
			     .event = &(struct stream_event){ .type = EVENT_GATEWAY_BEAT } });
	cr_assert_eq(world.core.gateway_slots.count, 0);
}

/* --- links of a gateway out of sight -------------------------------------------------------- */

/* A stream live on A since 0, its probe of 15 s unanswered; A falls silent at 15 s. */
static void fall_silent(void)
{
	live(USER, "s1");
	beat_until(GATEWAY_A, 15000);
	expect(15000, EVENT_PROBE_BATCH);
	at(20000);
	lease(20000, GATEWAY_A, 5000);
	tell(gateway(GATEWAY_A, LINK_LOST));
}

Test(lost, nothing_is_probed_or_missed_until_it_is_back, .init = setup)
{
	fall_silent();
	at(47000);
	quiet();
	beat(GATEWAY_A);
	seen(47000, GATEWAY_A);
	tell(gateway(GATEWAY_A, LINK_UP));
	beat_until(GATEWAY_A, 56900);
	quiet();
	beat_until(GATEWAY_A, 57000);
	miss(57000, 1, false); /* one window from its return */
	beat_until(GATEWAY_A, 60000);
	expect(60000, EVENT_PROBE_BATCH); /* in its phase */
	quiet();
}

Test(lost, an_ack_after_its_return_counts, .init = setup)
{
	fall_silent();
	at(47000);
	const struct record *sent = &world.records[0];

	ack("s1", sent->ack_id);
	seen(47000, GATEWAY_A);
	tell(gateway(GATEWAY_A, LINK_UP));
	beat_until(GATEWAY_A, 59000);
	quiet();
	cr_assert_eq(world.core.stats.probes_acked, 1);
}

Test(lost, given_up_its_links_are_down_and_probes_unsent, .init = setup)
{
	fall_silent();
	at(135000);
	lease(135000, GATEWAY_A, 120000);
	tell(gateway(GATEWAY_A, LINK_DOWN));
	tell(link_down(USER));
	at(160000);
	miss(145000, 1, false); /* the one of 15 s, a window from when it was given up */
	miss(160000, 2, false); /* of 150 s, unsent */
	at(175000);
	miss(175000, 3, true);
	at(195000);
	miss(180000, 3, true);
	miss(195000, 3, true);
	cr_assert_eq(expect(195000, EVENT_TIMER_EXPIRED)->timer, TIMER_SESSION_GRACE);
	quiet(); /* and only then: grace began with link.changed */
}

Test(lost, links_of_one_that_is_gone_are_down_before_each_is_told, .init = setup)
{
	live(USER, "s1");
	beat_until(GATEWAY_A, 14000);
	tell(gateway(GATEWAY_A, LINK_DOWN));
	at(25000);
	miss(25000, 1, false);
	quiet(); /* not sent */
	cr_assert_eq(world.core.stats.probes_unsent, 1);
}

Test(lost, a_link_that_moved_on_is_seen_again, .init = setup)
{
	fall_silent();
	connect_gateway(GATEWAY_B);
	at(23000);
	tell(link_up(USER, 9, GATEWAY_B));
	beat_until(GATEWAY_B, 30000);
	cr_assert_eq(expect(30000, EVENT_PROBE_BATCH)->peer.incarnation, GATEWAY_B);
	beat_until(GATEWAY_B, 40000);
	miss(40000, 1, false); /* the one of 15 s waited until 33 s and was overtaken */
	quiet();
}

Test(lost, an_unreachable_gateway_is_out_of_sight_at_once, .init = setup)
{
	live(USER, "s1");
	beat_until(GATEWAY_A, 14000);
	peer(GATEWAY_A, INPUT_PEER_DOWN);
	at(17000);
	quiet(); /* no probe at 15 s */
	peer(GATEWAY_A, INPUT_PEER_UP);
	beat_until(GATEWAY_A, 29000);
	quiet();
	beat_until(GATEWAY_A, 30000);
	expect(30000, EVENT_PROBE_BATCH);
}

Test(lost, deadlines_of_the_device_wait_those_of_the_cloud_do_not, .init = setup)
{
	tell(gateway(GATEWAY_A, LINK_LOST));
	tell(link_up("u", 1, GATEWAY_A));
	tell(opened("u", "s1", 1, KIND_UNMANAGED));
	tell(moved("u", "s1", 1, PHASE_STARTING));
	tell(link_up("v", 2, GATEWAY_A));
	tell(opened("v", "s2", 1, KIND_MANAGED));
	tell(moved("v", "s2", 1, PHASE_PROVISIONING));
	at(60000);
	cr_assert_str_eq(expect(60000, EVENT_TIMER_EXPIRED)->stream_id, "s2");
	quiet();
	tell(closed("v", "s2", 1));
	at(65000);
	connect_gateway(GATEWAY_A);
	beat_until(GATEWAY_A, 74000);
	quiet();
	beat_until(GATEWAY_A, 75000);
	cr_assert_str_eq(expect(75000, EVENT_TIMER_EXPIRED)->stream_id, "s1");
	quiet();
}

/* --- tables ---------------------------------------------------------------------------------- */

Test(lost, gateways_come_and_go_without_filling_the_table, .init = setup)
{
	for (uint64_t id = 1; id < 100; id++) {
		connect_gateway(id);
		tell(link_up(USER, 1, id));
		tell(gateway(id, LINK_DOWN));
		tell(link_down(USER));
		peer(id, INPUT_PEER_DOWN);
	}
	cr_assert_eq(world.core.gateway_slots.count, 0);
	cr_assert_eq(world.core.stats.gateways_refused, 0);
}

Test(lost, of_links_at_a_gateway_beyond_the_table_nothing_is_judged, .init = setup)
{
	for (uint64_t id = 1; id <= 8; id++)
		tell(gateway(id, LINK_UP));
	tell(gateway(9, LINK_UP));
	peer(9, INPUT_PEER_UP);
	tell(link_up(USER, 1, 9));
	tell(opened(USER, "s1", 1, KIND_UNMANAGED));
	tell(status(USER, "s1", 1, PHASE_LIVE));
	cr_assert_eq(world.core.stats.gateways_refused, 3);
	at(200000);
	cr_assert_eq(count_of(EVENT_STREAM_MISSED), 0);
	cr_assert_eq(count_of(EVENT_PROBE_BATCH), 0);
}

Test(lost, an_event_about_a_gateway_is_applied_once_and_in_order, .init = setup)
{
	tell(gateway(GATEWAY_A, LINK_UP));
	tell(gateway(GATEWAY_A, LINK_LOST));
	tell_row(gateway(GATEWAY_A, LINK_UP), world.seq - 1);
	tell_row(gateway(GATEWAY_A, LINK_DOWN), world.seq);
	cr_assert_eq(world.core.stats.stale, 2);
	tell(gateway(GATEWAY_A, LINK_NONE));
	tell(gateway(GATEWAY_A, LINK_COUNT));
	cr_assert_eq(world.core.stats.malformed, 2);
	at(120000);
	lease(120000, GATEWAY_A, 120000);
}

/* It beats, but our probes do not reach it: a way that is clogged in one direction. */
Test(lost, a_gateway_that_does_not_hear_is_not_judged, .init = setup)
{
	live(USER, "s1");
	while (world.now_ms < 90000) {
		at(world.now_ms + 1000);
		give((struct input){
			.type = INPUT_MESSAGE,
			.peer = { ROLE_GATEWAY, GATEWAY_A },
			.event = &(struct stream_event){ .type = EVENT_GATEWAY_BEAT } });
	}
	cr_assert_eq(count_of(EVENT_STREAM_MISSED), 0);
	cr_assert_eq(count_of(EVENT_TIMER_EXPIRED), 0, "its lease is in order");
	beat(GATEWAY_A);
	beat_until(GATEWAY_A, 99000);
	cr_assert_eq(count_of(EVENT_STREAM_MISSED), 0, "one window from when it hears");
	beat_until(GATEWAY_A, 160000);
	cr_assert_geq(count_of(EVENT_STREAM_MISSED), 3);
}
