/* SPDX-License-Identifier: MIT */
/* Goal: the local provider lets in who has the key and nobody beside him, knows what became of him
 * whatever is lost, and keeps copies going without touching anything else.  Method: a core,
 * callbacks and statistics by hand, every step taken off it and looked at.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "actors/managed-adapter/local_core.h"
#include "actors/managed-adapter/local_text.h"

#define KEY "00112233445566778899aabbccddeeff"
#define WORKER 100

static struct local_core *core;
static struct local_input *input;

static void setup(void)
{
	core = calloc(1, sizeof *core);
	cr_assert(core);
	local_init(core);
	input = local_create(core, TEXT("one"), KEY);
	cr_assert(input);
}

static void teardown(void)
{
	free(core);
}

TestSuite(local_core, .init = setup, .fini = teardown);

static enum local_verdict publish(const char *name, const char *key, uint64_t client,
				  int64_t now_ms)
{
	return local_publish(core,
			     &(struct local_callback){ .app = TEXT("live"),
						       .name = text_of(name),
						       .key = text_of(key),
						       .client = client },
			     now_ms);
}

static void publish_done(const char *name, uint64_t client)
{
	local_publish_done(core, &(struct local_callback){ .app = TEXT("live"),
							   .name = text_of(name),
							   .client = client });
}

/* The media server says that @client publishes to "one"; 0: that nobody does. */
static void see(uint64_t worker, uint64_t client, bool active, int64_t asked_ms)
{
	struct local_stat stat = { .pid = worker };
	char streams[200] = "";

	if (client != 0)
		snprintf(streams, sizeof streams,
			 "<stream><name>one</name><client><id>%u</id><publishing/>%s</client>"
			 "</stream>",
			 (unsigned)client, active ? "<active/>" : "");
	stat.streams = text_of(streams);
	local_see(core, &stat, asked_ms);
}

static void expect_step(int64_t now_ms, enum local_step_type type)
{
	cr_expect_eq(local_next(core, now_ms).type, type, "at %d", (int)now_ms);
}

static void go_live(int64_t now_ms)
{
	cr_assert_eq(publish("one", KEY, 5, now_ms), LOCAL_ALLOWED);
	see(WORKER, 5, true, now_ms + 1);
	expect_step(now_ms + 1, LOCAL_STEP_HINT);
	expect_step(now_ms + 1, LOCAL_STEP_NONE);
}

Test(local_core, who_may_publish)
{
	struct local_callback elsewhere = {
		.app = TEXT("other"), .name = TEXT("one"), .key = TEXT(KEY), .client = 5
	};
	char nearly[] = KEY;

	cr_expect_eq(publish("two", KEY, 5, 0), LOCAL_DENIED_UNKNOWN);
	cr_expect_eq(publish("", KEY, 5, 0), LOCAL_DENIED_UNKNOWN);
	cr_expect_eq(publish("one", KEY, 0, 0), LOCAL_DENIED_UNKNOWN);
	cr_expect_eq(local_publish(core, &elsewhere, 0), LOCAL_DENIED_UNKNOWN);
	cr_expect_eq(publish("one", "", 5, 0), LOCAL_DENIED_KEY);
	cr_expect_eq(publish("one", KEY "0", 5, 0), LOCAL_DENIED_KEY);
	for (size_t i = 0; i < LOCAL_KEY_LENGTH; i++) {
		nearly[i] ^= 1;
		cr_expect_eq(publish("one", nearly, 5, 0), LOCAL_DENIED_KEY);
		nearly[i] ^= 1;
		cr_expect_eq(local_publish(core,
					   &(struct local_callback){ .app = TEXT("live"),
								     .name = TEXT("one"),
								     .key = { KEY, (uint32_t)i },
								     .client = 5 },
					   0),
			     LOCAL_DENIED_KEY);
	}
	cr_expect_eq(publish("one", KEY, 5, 0), LOCAL_ALLOWED);
	cr_expect_eq(publish("one", KEY, 6, 0), LOCAL_DENIED_LIVE);
	publish_done("one", 5);
	cr_expect_eq(publish("one", KEY, 6, 0), LOCAL_ALLOWED);
	local_close(input);
	publish_done("one", 6);
	cr_expect_eq(publish("one", KEY, 7, 0), LOCAL_DENIED_UNKNOWN);
}

/* The server says "done" under the same name for a second publisher that it turned away. */
Test(local_core, end_of_another_client_is_not_the_end)
{
	go_live(1000);
	publish_done("one", 6);
	publish_done("two", 5);
	expect_step(1002, LOCAL_STEP_NONE);
	publish_done("one", 5);
	cr_expect_eq(local_next(core, 1002).type, LOCAL_STEP_HINT);
	cr_expect_eq(input->ingest, INGEST_LOST);
	publish_done("one", 5);
	expect_step(1002, LOCAL_STEP_NONE);
}

Test(local_core, who_never_sent_anything_was_not_lost)
{
	cr_assert_eq(publish("one", KEY, 5, 1000), LOCAL_ALLOWED);
	cr_expect(local_is_waiting(core));
	see(WORKER, 5, false, 1001);
	cr_expect(local_is_waiting(core));
	publish_done("one", 5);
	cr_expect_not(local_is_waiting(core));
	expect_step(1002, LOCAL_STEP_NONE);
}

/* An answer that is older than the publisher cannot know him. */
Test(local_core, statistics_from_before_he_came)
{
	see(WORKER, 0, false, 900);
	cr_assert_eq(publish("one", KEY, 5, 1000), LOCAL_ALLOWED);
	see(WORKER, 0, false, 999);
	cr_expect_eq(input->client, 5);
	see(WORKER, 0, false, 1001);
	cr_expect_eq(input->client, 0);
}

/* No callback tells of a worker that died; its clients' numbers mean others now. */
Test(local_core, worker_died)
{
	go_live(1000);
	see(WORKER + 1, 0, false, 1000);
	cr_expect_eq(input->client, 0);
	cr_expect_eq(input->ingest, INGEST_LOST);
	expect_step(1002, LOCAL_STEP_HINT);
	see(WORKER + 1, 1, true, 1010);
	cr_expect_eq(input->client, 1);
	cr_expect_eq(input->ingest, INGEST_LIVE);
	expect_step(1011, LOCAL_STEP_HINT);
}

Test(local_core, create_again_is_the_same)
{
	cr_expect_eq(local_create(core, TEXT("one"), "ffffffffffffffffffffffffffffffff"), input);
	cr_expect_str_eq(input->key, KEY);
	cr_expect_null(local_create(core, TEXT("a-b"), KEY));
	cr_expect_null(local_create(core, TEXT("two"), "short"));
	cr_expect_null(local_create(core, (struct text){ 0 }, KEY));
	local_forget(input);
	cr_expect_null(local_find(core, TEXT("one")));
	cr_expect_null(local_find(core, (struct text){ 0 }));
}

Test(local_core, inputs_have_a_limit)
{
	char id[16];

	for (unsigned i = 1; i < LOCAL_INPUTS_MAX; i++) {
		snprintf(id, sizeof id, "i%u", i);
		cr_assert(local_create(core, text_of(id), KEY));
	}
	cr_expect_null(local_create(core, TEXT("more"), KEY));
	local_forget(input);
	cr_expect(local_create(core, TEXT("more"), KEY));
}

Test(local_core, adoption)
{
	struct local_input *two =
		local_adopt(core, TEXT("two"), TEXT("rtmp://h/live/two?key=" KEY));
	struct local_step step;

	cr_assert(two);
	cr_expect_str_eq(two->key, KEY);
	cr_expect_eq(local_adopt(core, TEXT("one"), TEXT("rtmp://h/live/one?key=x")), input);
	cr_expect_null(local_adopt(core, TEXT("three"), TEXT("rtmp://h/live/three")));
	cr_expect_null(local_adopt(core, TEXT("three"), TEXT("rtmp://h/live/three?key=x")));
	cr_expect_null(local_adopt(core, TEXT("three"), (struct text){ 0 }));
	/* Nothing is known before the media server was asked; then it is told, whatever it is. */
	expect_step(0, LOCAL_STEP_NONE);
	see(WORKER, 0, false, 1);
	step = local_next(core, 1);
	cr_expect(step.type == LOCAL_STEP_HINT && step.input == two);
	cr_expect_eq(two->ingest, INGEST_IDLE);
	expect_step(1, LOCAL_STEP_NONE);
}

static struct local_output *live_output(void)
{
	struct local_output *output;

	go_live(1000);
	output = local_output_add(input, 1, TEXT("rtmp://a/live/key"));
	cr_assert(output);
	expect_step(1002, LOCAL_STEP_START);
	expect_step(1002, LOCAL_STEP_NONE);
	return output;
}

Test(local_core, output_waits_for_the_source)
{
	struct local_output *output = local_output_add(input, 1, TEXT("rtmp://a/live/key"));

	expect_step(0, LOCAL_STEP_NONE);
	cr_expect_eq(local_deadline(core), INT64_MAX);
	cr_assert_eq(publish("one", KEY, 5, 1000), LOCAL_ALLOWED);
	expect_step(1000, LOCAL_STEP_NONE);
	see(WORKER, 5, true, 1001);
	expect_step(1001, LOCAL_STEP_START);
	cr_expect_eq(output->child, LOCAL_CHILD_RUNNING);
	expect_step(1001, LOCAL_STEP_HINT);
	local_child_moved(core, output->serial, 1500);
	cr_expect_eq(local_next(core, 1500).type, LOCAL_STEP_OUTPUT_HINT);
	cr_expect_eq(output->state, OUTPUT_ACTIVE);
	publish_done("one", 5);
	expect_step(1600, LOCAL_STEP_STOP);
	local_child_ended(core, output->serial, "connection lost", 1601);
	cr_expect_eq(output->state, OUTPUT_IDLE);
}

Test(local_core, output_is_tried_again_ever_more_seldom)
{
	struct local_output *output = live_output();
	int64_t now_ms = 1002, pause_ms = LOCAL_BACKOFF_MS;

	for (int tries = 0; tries < 8; tries++) {
		local_child_ended(core, output->serial, "connection refused", now_ms);
		cr_expect_eq(output->state, OUTPUT_ERROR);
		cr_expect_str_eq(output->error, "connection refused");
		if (tries == 0)
			expect_step(now_ms, LOCAL_STEP_OUTPUT_HINT);
		cr_expect_eq(local_deadline(core), now_ms + pause_ms);
		expect_step(now_ms + pause_ms - 1, LOCAL_STEP_NONE);
		now_ms += pause_ms;
		expect_step(now_ms, LOCAL_STEP_START);
		pause_ms =
			pause_ms * 2 < LOCAL_BACKOFF_MAX_MS ? pause_ms * 2 : LOCAL_BACKOFF_MAX_MS;
	}
	local_child_moved(core, output->serial, now_ms + LOCAL_STEADY_MS - 1);
	expect_step(now_ms + LOCAL_STEADY_MS - 1, LOCAL_STEP_OUTPUT_HINT);
	cr_expect_str_empty(output->error);
	cr_expect_eq(output->pause_ms, LOCAL_BACKOFF_MAX_MS);
	local_child_moved(core, output->serial, now_ms + LOCAL_STEADY_MS);
	cr_expect_eq(output->pause_ms, LOCAL_BACKOFF_MS);
}

/* ffmpeg may see the end of the source before we are told. */
Test(local_core, end_of_the_source_is_no_error)
{
	struct local_output *output = live_output();

	local_child_ended(core, output->serial, NULL, 2000);
	cr_expect_eq(output->state, OUTPUT_IDLE);
	expect_step(2000, LOCAL_STEP_NONE);
	expect_step(2000 + LOCAL_BACKOFF_MS, LOCAL_STEP_START);
}

Test(local_core, stalled_output_is_begun_anew)
{
	struct local_output *output = live_output();

	local_child_moved(core, output->serial, 2000);
	expect_step(2000, LOCAL_STEP_OUTPUT_HINT);
	cr_expect_eq(local_deadline(core), 2000 + LOCAL_STALLED_MS);
	expect_step(2000 + LOCAL_STALLED_MS - 1, LOCAL_STEP_NONE);
	expect_step(2000 + LOCAL_STALLED_MS, LOCAL_STEP_STOP);
	expect_step(2000 + LOCAL_STALLED_MS, LOCAL_STEP_OUTPUT_HINT);
	cr_expect_eq(output->state, OUTPUT_ERROR);
	cr_expect_not(local_is_quiet(input));
	local_child_ended(core, output->serial, "ended", 20000);
	cr_expect(local_is_quiet(input));
	cr_expect_str_eq(output->error, "nothing gets through");
	expect_step(20000, LOCAL_STEP_START);
}

Test(local_core, outputs_do_not_touch_each_other)
{
	struct local_output *first = live_output();
	struct local_output *second = local_output_add(input, 2, TEXT("rtmp://b/live/key"));

	expect_step(1003, LOCAL_STEP_START);
	local_child_moved(core, first->serial, 1100);
	expect_step(1100, LOCAL_STEP_OUTPUT_HINT);
	local_child_ended(core, second->serial, "connection refused", 1101);
	expect_step(1101, LOCAL_STEP_OUTPUT_HINT);
	expect_step(1101, LOCAL_STEP_NONE);
	cr_expect_eq(first->state, OUTPUT_ACTIVE);
	cr_expect_eq(input->ingest, INGEST_LIVE);
	local_output_remove(second);
	cr_expect_null(local_output_find(input, 2), "it had no child");
	local_output_remove(first);
	expect_step(1102, LOCAL_STEP_STOP);
	cr_expect_eq(local_output_find(input, 1), first, "its child is still there");
	local_child_ended(core, first->serial, "ended", 1103);
	cr_expect_null(local_output_find(input, 1));
	expect_step(1104, LOCAL_STEP_NONE);
}

Test(local_core, outputs_have_a_limit)
{
	for (uint64_t number = 1; number <= OUTPUTS_MAX; number++)
		cr_assert(local_output_add(input, number, TEXT("rtmp://a/live/key")));
	cr_expect_null(local_output_add(input, OUTPUTS_MAX + 1, TEXT("rtmp://a/live/key")));
	cr_expect_eq(local_output_add(input, 3, TEXT("rtmp://b/live/key")),
		     local_output_find(input, 3));
	cr_expect_str_eq(local_output_find(input, 3)->url, "rtmp://a/live/key");
	cr_expect_null(local_output_find(input, 0));
}

Test(local_core, closing_ends_the_copies_and_says_nothing)
{
	struct local_output *output = live_output();

	local_close(input);
	expect_step(1100, LOCAL_STEP_STOP);
	publish_done("one", 5);
	expect_step(1101, LOCAL_STEP_NONE);
	cr_expect_not(local_is_quiet(input));
	local_child_ended(core, output->serial, "ended", 1102);
	cr_expect(local_is_quiet(input));
	expect_step(1103, LOCAL_STEP_NONE);
	cr_expect_eq(local_deadline(core), INT64_MAX);
}

/* A child that we know nothing of, as it was forgotten with its input. */
Test(local_core, unknown_children_change_nothing)
{
	struct local_output *output = live_output();
	uint64_t serial = output->serial;

	local_child_moved(core, serial + 1, 1100);
	local_child_ended(core, serial + 1, "ended", 1100);
	cr_expect_eq(output->child, LOCAL_CHILD_RUNNING);
	local_forget(input);
	local_child_moved(core, serial, 1100);
	local_child_ended(core, serial, "ended", 1100);
	expect_step(1100, LOCAL_STEP_NONE);
}

/* Odd moments ---------------------------------------------------------------------------------- */

Test(local_core, an_address_without_a_key_is_not_adopted)
{
	cr_expect_null(local_adopt(core, TEXT("two"), TEXT("rtmp://h/live/two?x=1")));
	cr_expect_null(local_find(core, TEXT("two")));
}

Test(local_core, statistics_of_others_and_of_nobody)
{
	struct local_stat stat = { .pid = WORKER,
				   .streams = TEXT("<stream><name>ghost</name><client><id>5</id>"
						   "<publishing/><active/></client></stream>"
						   "<stream><name>one</name><client><id>6</id>"
						   "</client></stream>") };

	local_see(core, &stat, 1000);
	cr_expect_eq(input->client, 0, "who only reads does not publish");
	expect_step(1000, LOCAL_STEP_NONE);
	go_live(1001);
	cr_expect_not(local_is_waiting(core));
}

/* It may see the end of its source before we are told. */
Test(local_core, a_copy_that_ends_with_its_source_has_not_failed)
{
	struct local_output *output = live_output();

	publish_done("one", 5);
	local_child_ended(core, output->serial, "connection lost", 1100);
	cr_expect_eq(output->state, OUTPUT_IDLE);
}

Test(local_core, what_a_copy_does_while_it_is_stopped_is_no_news)
{
	struct local_output *output = live_output();

	local_child_moved(core, output->serial, 1100); /* active; nobody was told */
	local_output_remove(output);
	expect_step(1101, LOCAL_STEP_STOP);
	local_child_moved(core, output->serial, 1102);
	cr_expect_eq(output->moved_ms, 1100);
	expect_step(1103, LOCAL_STEP_NONE);
	cr_expect_eq(local_deadline(core), INT64_MAX);
	local_child_ended(core, output->serial, NULL, 1104);
	cr_expect_eq(output->number, 0, "its place is free");
}

Test(local_core, the_deadline_is_that_of_the_first)
{
	struct local_output *output = live_output();

	cr_assert(local_output_add(input, 2, TEXT("rtmp://b/live/key")));
	expect_step(1500, LOCAL_STEP_START); /* the second */
	cr_expect_eq(local_deadline(core), 1002 + LOCAL_STALLED_MS);
	local_child_moved(core, output->serial, 1600);
	cr_expect_eq(local_deadline(core), 1500 + LOCAL_STALLED_MS);
}
