/* SPDX-License-Identifier: MIT */
/* Goal: when a follower asks for a snapshot, what it does with the story meanwhile, when it is
 * blind and when it sees again, and what makes it start over.  Method: registry by hand.
 */
#include "tests/lib/follower_stage.h"

TestSuite(follower, .init = setup, .fini = teardown);

Test(follower, asks_only_when_the_subscription_is_live)
{
	struct frame_head head;
	struct wire wire;
	struct stream_event event;
	struct bus_frame frame;

	story(1, 3, 0);
	cr_assert_not(open_wanted);
	welcome(5);
	cr_assert(open_wanted);
	cr_assert_eq(bus_count(&asked), 0, "not before the connection is there");
	follower_connected(&follower, 6);
	frame = bus_take(&asked);
	cr_assert(frame_read(frame.bytes, frame.length, &head, &wire));
	cr_assert_eq(head.count, 2);
	cr_assert_eq(stream_event_read(&wire, &event), 0);
	cr_assert_eq(event.type, EVENT_PEER_HELLO);
	cr_assert_eq(stream_event_read(&wire, &event), 0);
	cr_assert_eq(event.type, EVENT_SNAPSHOT_GET);
	cr_assert_eq(event.request, follower.request);
	free(frame.bytes);
	expect_no_more();
}

Test(follower, a_question_that_could_not_leave_is_asked_again)
{
	clogged = true;
	welcome(0);
	follower_connected(&follower, 0);
	clogged = false;
	cr_assert_eq(follower_deadline(&follower), FOLLOWER_RETRY_MS);
	follower_tick(&follower, FOLLOWER_RETRY_MS);
	cr_assert_eq(bus_count(&asked), 1);
	cr_assert_eq(follower_deadline(&follower), FOLLOWER_TIMEOUT_MS);
}

Test(follower, what_was_told_meanwhile_is_applied_behind_the_rows)
{
	welcome(0);
	follower_connected(&follower, 0);
	story(8, 4, 0); /* 8..11 */
	begin(REGISTRY, 10, 0);
	row(12, 0); /* younger than the snapshot's seq */
	story(12, 2, 0);
	expect(INPUT_RESYNC, 0);
	expect(INPUT_STORY, 12);
	expect_no_more();
	end(10, 1, 0);
	expect(INPUT_STORY, 11);
	expect(INPUT_STORY, 12);
	expect(INPUT_STORY, 13);
	expect(INPUT_SYNCED, 0);
	story(14, 1, 0);
	expect(INPUT_STORY, 14);
	expect_no_more();
	cr_assert_not(open_wanted);
}

Test(follower, kept_story_is_applied_in_steps)
{
	size_t length;
	struct stream_event event = { .type = EVENT_SESSION_READY, .seq = 11 };

	welcome(0);
	follower_connected(&follower, 0);
	story(11, 40, 0);
	begin(REGISTRY, 10, 0);
	answer_of(REGISTRY,
		  (struct stream_event){ .type = EVENT_SNAPSHOT_END, .request = follower.request },
		  0);
	expect(INPUT_RESYNC, 0);
	for (uint64_t seq = 11; seq <= 50; seq++) {
		cr_assert(follower_step(&follower, 0));
		cr_assert_not(follower_wants_story(&follower));
		expect(INPUT_STORY, seq);
		expect_no_more();
	}
	walk(0);
	expect(INPUT_SYNCED, 0);
	cr_assert(follower_wants_story(&follower));

	/* A live frame holds the next one back until it has been walked. */
	event.seq = 51;
	length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_STORY, "registry", REGISTRY, 51, &event, 1);
	follower_story(&follower, bytes, length, 0);
	cr_assert_not(follower_wants_story(&follower));
	walk(0);
	expect(INPUT_STORY, 51);
}

Test(follower, what_was_seen_is_skipped)
{
	go_live(0);
	story(9, 2, 0);
	story(9, 4, 0); /* 11 and 12 are new */
	expect(INPUT_STORY, 11);
	expect(INPUT_STORY, 12);
	story(12, 1, 0);
	expect_no_more();
}

Test(follower, a_gap_leads_to_a_snapshot_and_the_frame_behind_it_counts)
{
	go_live(0);
	story(13, 1, 1000); /* 11 and 12 are lost */
	expect_no_more();
	cr_assert(open_wanted);
	follower_connected(&follower, 1000);
	begin(REGISTRY, 12, 1000);
	end(12, 0, 1000);
	expect(INPUT_RESYNC, 0);
	expect(INPUT_STORY, 13);
	expect(INPUT_SYNCED, 0);
	cr_assert_eq(follower.stats.gaps, 1);
}

Test(follower, a_beacon_reveals_a_loss_at_the_tail)
{
	go_live(0);
	story(11, 0, 500);
	cr_assert(follower_is_live(&follower));
	story(12, 0, 1000);
	cr_assert_not(follower_is_live(&follower));
	cr_assert(open_wanted);
}

Test(follower, snapshots_keep_their_distance)
{
	go_live(0);
	story(13, 1, 10);
	cr_assert_not(open_wanted);
	cr_assert_eq(follower_deadline(&follower), FOLLOWER_PAUSE_MS);
	story(14, 1, 11); /* the snapshot to come will stand for it */
	follower_tick(&follower, FOLLOWER_PAUSE_MS);
	cr_assert(open_wanted);
}

Test(follower, another_life_of_the_registry_leads_to_a_snapshot)
{
	go_live(0);
	story_of(REGISTRY + 1, 11, 0, 1000);
	cr_assert(open_wanted);
	follower_connected(&follower, 1000);
	begin(REGISTRY + 1, 10, 1000);
	expect(INPUT_RESYNC, 0);
	answer_of(REGISTRY + 1,
		  (struct stream_event){ .type = EVENT_SNAPSHOT_END, .request = follower.request },
		  1000);
	walk(1000);
	expect(INPUT_SYNCED, 0);
	/* What the old life still had in the pipes is over. */
	story(11, 1, 2000);
	story(40, 1, 2000);
	cr_assert(follower_is_live(&follower));
	story_of(REGISTRY + 1, 11, 1, 2000);
	expect(INPUT_STORY, 11);
	expect_no_more();
}

Test(follower, silence_is_blindness_once_and_a_beacon_is_sight)
{
	go_live(0);
	cr_assert_eq(follower_deadline(&follower), FOLLOWER_BLIND_MS + 1);
	follower_tick(&follower, FOLLOWER_BLIND_MS);
	expect_no_more();
	follower_tick(&follower, FOLLOWER_BLIND_MS + 1);
	expect(INPUT_BLIND, 0);
	follower_tick(&follower, 5000);
	expect_no_more();
	story(11, 0, 5000);
	expect(INPUT_SYNCED, 0);
	follower_tick(&follower, 7000);
	expect(INPUT_BLIND, 0);
	story(11, 1, 8000); /* an event says it by itself */
	expect(INPUT_STORY, 11);
	expect_no_more();
	follower_tick(&follower, 8000 + FOLLOWER_BLIND_MS);
	expect_no_more();
}

Test(follower, an_old_beacon_is_no_sight)
{
	go_live(0);
	story(11, 2, 0);
	input_read = input_count;
	story(12, 0, 900);
	follower_tick(&follower, FOLLOWER_BLIND_MS + 1);
	expect(INPUT_BLIND, 0);
}

Test(follower, a_snapshot_that_takes_long_is_blindness_too)
{
	go_live(0);
	story(13, 1, 300);
	follower_connected(&follower, 300);
	begin(REGISTRY, 13, 300);
	expect(INPUT_RESYNC, 0);
	follower_tick(&follower, FOLLOWER_BLIND_MS + 1);
	expect(INPUT_BLIND, 0);
	end(13, 0, 1500);
	expect(INPUT_SYNCED, 0);
	expect_no_more();
}

Test(follower, starts_over_when_the_connection_ends)
{
	welcome(0);
	follower_connected(&follower, 0);
	begin(REGISTRY, 10, 0);
	row(3, 0);
	follower_disconnected(&follower, 50);
	cr_assert_not(open_wanted);
	cr_assert_eq(follower_deadline(&follower), 50 + FOLLOWER_BACKOFF_MIN_MS);
	follower_tick(&follower, 50 + FOLLOWER_BACKOFF_MIN_MS);
	cr_assert(open_wanted);
	follower_connected(&follower, 200);
	row(4, 200); /* before the new snapshot begins: of no use */
	begin(REGISTRY, 11, 200);
	end(11, 0, 200);
	expect(INPUT_RESYNC, 0);
	expect(INPUT_STORY, 3);
	expect(INPUT_RESYNC, 0);
	expect(INPUT_SYNCED, 0);
	expect_no_more();
}

Test(follower, starts_over_without_progress_and_ever_more_slowly)
{
	static const int64_t waits[] = { 100, 200, 400, 800, 1600, 2000, 2000 };
	int64_t now = 0;

	welcome(now);
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		follower_connected(&follower, now);
		now += FOLLOWER_TIMEOUT_MS;
		follower_tick(&follower, now - 1);
		cr_assert(open_wanted);
		follower_tick(&follower, now);
		cr_assert_not(open_wanted);
		now += waits[i];
		cr_assert_eq(follower_deadline(&follower), now);
		follower_tick(&follower, now);
		cr_assert(open_wanted);
	}
	cr_assert_eq(follower.stats.timeouts, sizeof waits / sizeof waits[0]);
}

Test(follower, rows_are_progress)
{
	welcome(0);
	follower_connected(&follower, 0);
	begin(REGISTRY, 10, 0);
	for (int64_t now = 0; now < 3 * FOLLOWER_TIMEOUT_MS; now += FOLLOWER_TIMEOUT_MS - 1) {
		follower_tick(&follower, now);
		row(1, now);
	}
	cr_assert_eq(follower.stats.timeouts, 0);
}

Test(follower, starts_over_when_rows_are_missing_or_the_question_is_refused)
{
	welcome(0);
	follower_connected(&follower, 0);
	begin(REGISTRY, 10, 0);
	row(3, 0);
	end(10, 2, 0);
	cr_assert_eq(follower.state, FOLLOWER_WAITING);
	follower_tick(&follower, 1000);
	follower_connected(&follower, 1000);
	answer_of(REGISTRY, (struct stream_event){ .type = EVENT_PEER_REFUSED }, 1000);
	cr_assert_eq(follower.state, FOLLOWER_WAITING);
	cr_assert_eq(follower.stats.start_overs, 2);
}

Test(follower, what_is_kept_is_limited)
{
	uint64_t seq = 11;

	welcome(0);
	follower_connected(&follower, 0);
	begin(REGISTRY, 10, 0);
	while (follower.state == FOLLOWER_ROWS && seq < 100000) {
		story(seq, 50, 0);
		seq += 50;
	}
	cr_assert_eq(follower.stats.overflows, 1);
	cr_assert_eq(follower.state, FOLLOWER_WAITING);
	cr_assert_leq(follower.buffer.size, 2 * 64 * 1024);
	cr_assert_gt(seq, 64 * 1024 / 50, "64 KiB hold many events");
}

Test(follower, answers_to_an_earlier_question_are_not_taken)
{
	uint64_t earlier;

	welcome(0);
	follower_connected(&follower, 0);
	earlier = follower.request;
	follower_disconnected(&follower, 0);
	follower_tick(&follower, 1000);
	follower_connected(&follower, 1000);
	answer_of(REGISTRY,
		  (struct stream_event){ .type = EVENT_SNAPSHOT_BEGIN, .request = earlier }, 1000);
	cr_assert_eq(follower.state, FOLLOWER_ASKING);
	expect_no_more();
}

Test(follower, only_story_is_taken_as_rows)
{
	welcome(0);
	follower_connected(&follower, 0);
	begin(REGISTRY, 10, 0);
	expect(INPUT_RESYNC, 0);
	answer_of(REGISTRY, (struct stream_event){ .type = EVENT_PEER_WELCOME }, 0);
	answer_of(REGISTRY, (struct stream_event){ .type = EVENT_DELIVER_STOP }, 0);
	answer_of(REGISTRY + 1, (struct stream_event){ .type = EVENT_SNAPSHOT_STREAM }, 0);
	expect_no_more();
}

Test(follower, frames_that_cannot_be_read_lead_to_a_snapshot)
{
	size_t length;
	struct stream_event event = { .type = EVENT_SESSION_READY, .seq = 11 };

	go_live(0);
	follower_story(&follower, bytes, 3, 1000);
	cr_assert(follower_is_live(&follower), "not ours at all: nothing follows from it");
	length =
		bus_frame_of(bytes, sizeof bytes, TOPIC_STORY, "registry", REGISTRY, 11, &event, 1);
	bytes[FRAME_HEAD_SIZE] = 0xc1;
	follower_story(&follower, bytes, length, 1000);
	walk(1000);
	cr_assert(open_wanted);
	cr_assert_eq(follower.stats.dropped, 2);
}
