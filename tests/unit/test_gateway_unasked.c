/* SPDX-License-Identifier: MIT */
/* Goal: what comes too late, from another life, or from nobody who may say it, changes nothing but
 * a counter.  Method: the branches of the core that neither the other tests nor the simulator take.
 */
#include "tests/lib/gateway_stage.h"

TestSuite(gateway_unasked, .init = stage_open, .fini = stage_close);

Test(gateway_unasked, a_socket_that_is_gone_says_nothing_more)
{
	uint64_t link = stage_glasses();

	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1000 });
	stage_glasses_say(link, "{\"type\":\"start_app\",\"packageName\":\"" PACKAGE "\"}");
	cr_expect_eq(stage.fx.count, 0);
	cr_expect_eq(stage_out_count(), 0);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1000 });
	cr_expect_eq(stage.fx.count, 0);
	/* Its slot is another's by now: the old name is not good for that one. */
	cr_assert_neq(stage_glasses(), link);
	stage_edge((struct gateway_edge){ .type = GATEWAY_CLOSED, .link = link, .code = 1000 });
	cr_expect_eq(gateway_totals(stage.core).glasses, 1);
}

Test(gateway_unasked, opening_needs_a_link_that_was_reserved)
{
	stage_edge((struct gateway_edge){ .type = GATEWAY_APP_OPENED, .link = 12345 });
	stage_edge((struct gateway_edge){
		.type = GATEWAY_GLASSES_OPENED, .link = 12345, .user = TEXT(USER) });
	cr_expect_eq(stage.fx.count, 0);
	cr_expect_eq(gateway_totals(stage.core).glasses, 0);
	cr_expect_eq(gateway_totals(stage.core).apps, 0);
}

Test(gateway_unasked, a_message_that_nobody_sends_us_is_counted)
{
	uint64_t before = gateway_counts(stage.core)->messages_ignored;

	stage_bus(&(struct stream_event){ .type = EVENT_STREAM_OPENED });
	cr_expect_eq(gateway_counts(stage.core)->messages_ignored, before + 1);
	cr_expect_eq(stage.fx.count, 0);
	stage_input(
		&(struct input){ .type = INPUT_STORY,
				 .event = &(struct stream_event){ .type = EVENT_STREAM_OPENED } });
	cr_expect_eq(stage.fx.count, 0);
}

/* Told of the batch of an earlier life, the new one would take its own first ones for heard. */
Test(gateway_unasked, a_scheduler_anew_counts_its_batches_anew)
{
	stage_bus(&(struct stream_event){ .type = EVENT_PROBE_BATCH,
					  .probe_batch = { .batch = 7, .probes = TEXT("\x90") } });
	stage.now_ms += 1000;
	stage_tick();
	cr_assert_not_null(stage_told(EVENT_GATEWAY_BEAT));
	cr_expect_eq(stage_told(EVENT_GATEWAY_BEAT)->gateway_beat.batch, 7);
	for (int known = 1; known >= 0; known--) {
		stage_input(&(struct input){ .type = INPUT_PEER_UP,
					     .peer = { ROLE_SCHEDULER, 8 },
					     .peer_name = "lifecycle-scheduler",
					     .known = known });
		stage.now_ms += 1000;
		stage_tick();
		cr_assert_not_null(stage_told(EVENT_GATEWAY_BEAT));
		cr_expect_eq(stage_told(EVENT_GATEWAY_BEAT)->gateway_beat.batch, known ? 7 : 0);
	}
}

/* What is no probe ends the batch; what stood before it has been sent. */
Test(gateway_unasked, probes_that_cannot_be_read)
{
	static const struct {
		const char *bytes;
		uint32_t length;
	} broken[] = {
		{ "\x01", 1 }, /* no list */
		{ "\x91\x93\x01\xa1s\x01", 6 }, /* three fields */
		{ "\x91\x94\xa1x\xa1s\x01\xa1"
		  "a",
		  9 }, /* the link is a text */
		{ "\x91\x94\x01\x01\x01\xa1"
		  "a",
		  7 }, /* the stream is a number */
		{ "\x91\x94\x01\xa1s\xa1x\xa1"
		  "a",
		  9 }, /* the epoch is a text */
		{ "\x91\x94\x01\xa1s\x01\x01", 7 }, /* the ack is a number */
	};

	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		uint64_t before = gateway_counts(stage.core)->messages_ignored;
		const struct text probes = { broken[i].bytes, broken[i].length };

		stage_bus(
			&(struct stream_event){ .type = EVENT_PROBE_BATCH,
						.probe_batch = { .batch = 1, .probes = probes } });
		cr_expect_eq(gateway_counts(stage.core)->messages_ignored, before + 1, "row %zu",
			     i);
		cr_expect_eq(stage_out_count(), 0);
	}
}

Test(gateway_unasked, words_for_an_app_that_is_not_there_are_counted)
{
	uint64_t before = gateway_counts(stage.core)->links_missed;
	uint64_t silent = stage_app_socket();

	stage_verdict(silent, RESULT_OK, 1); /* it has not asked yet */
	cr_expect_eq(gateway_counts(stage.core)->links_missed, before + 1);
	stage_verdict(silent + (1 << GATEWAY_LINK_BITS), RESULT_OK, 1);
	cr_expect_eq(gateway_counts(stage.core)->links_missed, before + 2);
	cr_expect_eq(stage_out_count(), 0);
}

Test(gateway_unasked, nobody_is_an_app_without_a_directory)
{
	cr_expect_null(gateway_directory_find(NULL, TEXT(PACKAGE)));
	cr_expect_not(gateway_app_may_stream(NULL));
	cr_expect_eq(gateway_text_order(TEXT("a"), TEXT("ab")), -1);
}
