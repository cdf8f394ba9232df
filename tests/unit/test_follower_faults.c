/* SPDX-License-Identifier: MIT */
/* Goal: what a follower is sent out of turn changes nothing, and what it cannot read costs at most
 * another snapshot.  Method: registry by hand, byte by byte where need be.
 */
#include "tests/lib/follower_stage.h"

TestSuite(follower_faults, .init = setup, .fini = teardown);

/* A frame of these bytes on the socket of snapshots. */
static void raw_answer(uint64_t incarnation, uint16_t count, const char *events, int64_t now_ms)
{
	follower_answer(
		&follower, bytes,
		bus_frame_raw(bytes, sizeof bytes, TOPIC_DIRECT, incarnation, 0, count, events));
	while (follower_answer_step(&follower, now_ms))
		;
}

static void raw_story(const char *topic, uint64_t first, uint16_t count, const char *events,
		      int64_t now_ms)
{
	follower_story(&follower, bytes,
		       bus_frame_raw(bytes, sizeof bytes, topic, REGISTRY, first, count, events),
		       now_ms);
	walk(now_ms);
}

Test(follower_faults, one_connection_asks_once)
{
	follower_connected(&follower, 0);
	cr_assert_eq(bus_count(&asked), 0, "nobody asked for it");
	welcome(0);
	welcome(0); /* a second subscription, from a publisher that came back */
	follower_connected(&follower, 0);
	follower_connected(&follower, 0);
	cr_assert_eq(bus_count(&asked), 1);
	cr_assert_eq(follower.stats.resyncs, 1);
}

Test(follower_faults, an_answer_to_what_was_not_asked_yet_is_not_taken)
{
	clogged = true;
	welcome(0);
	follower_connected(&follower, 0);
	begin(REGISTRY, 10, 0);
	expect_no_more();
	cr_assert_eq(follower_deadline(&follower), FOLLOWER_RETRY_MS);
	clogged = false;
	follower_tick(&follower, FOLLOWER_RETRY_MS);
	begin(REGISTRY, 10, FOLLOWER_RETRY_MS);
	expect(INPUT_RESYNC, 0);
	cr_assert_gt(follower_deadline(&follower), FOLLOWER_RETRY_MS);
}

Test(follower_faults, a_snapshot_begins_once_and_ends_once)
{
	welcome(0);
	follower_connected(&follower, 0);
	end(10, 0, 0); /* not begun */
	begin(REGISTRY, 10, 0);
	begin(REGISTRY, 99, 0);
	row(7, 0);
	answer_of(REGISTRY,
		  (struct stream_event){ .type = EVENT_SNAPSHOT_END,
					 .request = follower.request + 1 },
		  0);
	cr_assert_eq(follower.state, FOLLOWER_ROWS);
	end(10, 1, 0);
	expect(INPUT_RESYNC, 0);
	expect(INPUT_STORY, 7);
	expect(INPUT_SYNCED, 0);
	story(11, 1, 0);
	expect(INPUT_STORY, 11);
	expect_no_more();
}

Test(follower_faults, nothing_on_the_socket_of_snapshots_disturbs_the_story)
{
	go_live(0);
	follower_disconnected(&follower, 0);
	raw_answer(REGISTRY, 1, BUS_GARBAGE, 0);
	raw_answer(REGISTRY, 1, BUS_UNKNOWN, 0);
	answer_of(REGISTRY, (struct stream_event){ .type = EVENT_PEER_REFUSED }, 0);
	end(10, 1, 0);
	cr_assert(follower_is_live(&follower));
	cr_assert_eq(follower.stats.start_overs, 0);
	expect_no_more();
}

Test(follower_faults, a_row_of_a_newer_build_counts)
{
	welcome(0);
	follower_connected(&follower, 0);
	begin(REGISTRY, 10, 0);
	raw_answer(REGISTRY, 2, BUS_UNKNOWN BUS_UNKNOWN, 0);
	raw_answer(REGISTRY + 1, 1, BUS_UNKNOWN, 0); /* of another life */
	row(7, 0);
	end(10, 3, 0);
	cr_assert(follower_is_live(&follower));
}

Test(follower_faults, answers_that_cannot_be_read_lead_to_another_question)
{
	welcome(0);
	follower_connected(&follower, 0);
	follower_answer(&follower, bytes, 3);
	cr_assert_not(follower_answer_step(&follower, 0), "no frame at all");
	cr_assert_eq(follower.state, FOLLOWER_ASKING);
	raw_answer(REGISTRY, 1, BUS_GARBAGE, 0);
	cr_assert_eq(follower.state, FOLLOWER_WAITING);
	cr_assert_str_eq(noted, "follower.start_over");
	follower_tick(&follower, 1000);
	follower_connected(&follower, 1000);
	begin(REGISTRY, 10, 1000);
	raw_answer(REGISTRY, 1, BUS_GARBAGE, 1000);
	cr_assert_eq(follower.state, FOLLOWER_WAITING);
	cr_assert_eq(follower.stats.dropped, 3);
	cr_assert_eq(follower.stats.start_overs, 2);
}

Test(follower_faults, what_is_no_story_is_dropped)
{
	go_live(0);
	follower_story(&follower, (const uint8_t *)TOPIC_OPS, FRAME_TOPIC_SIZE, 0);
	raw_story(TOPIC_OPS, 11, 0, "", 0);
	raw_story(TOPIC_STORY, 0, 0, "", 0);
	cr_assert_eq(follower.stats.dropped, 3);
	cr_assert(follower_is_live(&follower));
	expect_no_more();
}

Test(follower_faults, an_event_of_a_newer_build_is_no_gap)
{
	go_live(0);
	raw_story(TOPIC_STORY, 11, 2, BUS_UNKNOWN BUS_UNKNOWN, 0);
	raw_story(TOPIC_STORY, 12, 2, BUS_UNKNOWN BUS_UNKNOWN, 0); /* one of them seen */
	story(14, 1, 0);
	expect(INPUT_STORY, 14);
	expect_no_more();
	cr_assert(follower_is_live(&follower));
}

/* Of 11 to 13, which come again, 11 is of a newer build and 13 is new. */
Test(follower_faults, what_was_seen_stays_seen_behind_an_event_of_a_newer_build)
{
	struct frame_writer frame;

	go_live(0);
	raw_story(TOPIC_STORY, 11, 1, BUS_UNKNOWN, 0);
	story(12, 1, 0);
	expect(INPUT_STORY, 12);
	frame_begin(&frame, bytes, sizeof bytes, TOPIC_STORY, REGISTRY, 11);
	memcpy(frame.bytes + frame.length, BUS_UNKNOWN, strlen(BUS_UNKNOWN));
	frame.length += strlen(BUS_UNKNOWN);
	frame.count = 1;
	for (uint64_t seq = 12; seq <= 13; seq++)
		cr_assert(frame_add(&frame,
				    &(struct stream_event){ .type = EVENT_SESSION_READY,
							    .source = TEXT("registry"),
							    .incarnation = REGISTRY,
							    .seq = seq },
				    STREAM_EVENT_ADDRESSED));
	frame_end(&frame);
	follower_story(&follower, bytes, frame.length, 0);
	walk(0);
	expect(INPUT_STORY, 13);
	expect_no_more();
}
