/* SPDX-License-Identifier: MIT */
/* Goal: wherever the adapter dies, the device ends up told what it must be told and the owner hears
 * one end of each stream (design.md 5, level-triggered).  Method: a story from start to end, and
 * the adapter dying at every single input and effect of it; it comes back at once or later, with
 * the request repeated or lost.
 */
#include <criterion/criterion.h>

#include "tests/lib/fake_edge.h"

#define URL "rtmp://ingest.example.com/live/key"

static struct cores cores;
static struct fake_edge edge;

static void setup(void)
{
	cores_open(&cores);
	fake_edge_open(&edge, &cores);
	fake_edge_glasses_up(&edge, 11);
	fake_edge_app_up(&edge, "pa", 21);
	fake_edge_app_up(&edge, "pb", 22);
	cores_subscribe(&cores, "pb", 22, "all");
	fake_edge_pump(&edge);
	fake_edge_forget(&edge);
}

static void teardown(void)
{
	cores_close(&cores);
}

static void restart(void)
{
	cores_restart_adapter(&cores);
	fake_edge_pump(&edge);
}

static void tick(int64_t ms)
{
	cores_tick(&cores, ms);
	fake_edge_pump(&edge);
}

static const char *device(void)
{
	return edge.device;
}

static const char *heard(const char *package)
{
	return fake_edge_app(&edge, package)->heard;
}

static unsigned count_of(const char *log, const char *word)
{
	unsigned count = 0;

	for (const char *at = log; (at = strstr(at, word)); at += strlen(word))
		count++;
	return count;
}

static bool ends_with(const char *log, const char *word)
{
	size_t length = strlen(log), tail = strlen(word);

	return length >= tail && strcmp(log + length - tail, word) == 0;
}

/* Every position ----------------------------------------------------------------------------- */

enum step {
	STEP_START,
	STEP_INITIALIZING,
	STEP_STREAMING,
	STEP_LOSS,
	STEP_RETURN,
	STEP_STOP,
	STEPS
};

static void take(enum step step)
{
	/* A device talks about a stream only once it was told to start it. */
	bool active = cores_active(&cores) && strstr(device(), "start");

	if (step == STEP_START)
		cores_start(&cores, "pa", 1, URL);
	if (step == STEP_INITIALIZING && active)
		cores_status(&cores, DEVICE_INITIALIZING);
	if (step == STEP_STREAMING && active)
		cores_status(&cores, DEVICE_STREAMING);
	if (step == STEP_LOSS)
		fake_edge_glasses_down(&edge);
	if (step == STEP_RETURN)
		fake_edge_glasses_up(&edge, 12);
	if (step == STEP_STOP)
		cores_stop(&cores, "pa", 2, cores_id(&cores));
	fake_edge_pump(&edge);
}

struct plan {
	unsigned crash_in;
	bool at_once; /* it comes back after the step in which it died, not at the end */
	bool repeated; /* the request that it died on is repeated to the new life */
	bool loss; /* the glasses are lost and come back on the way */
	bool result_first;
};

/* Return: positions of an undisturbed run. */
static unsigned run(const struct plan *plan)
{
	enum step died_at = STEPS;

	setup();
	cores.result_first = plan->result_first;
	cores.positions = 0;
	cores.crash_in = plan->crash_in;
	for (enum step step = STEP_START; step < STEPS; step++) {
		if ((step == STEP_LOSS || step == STEP_RETURN) && !plan->loss)
			continue;
		take(step);
		if (!cores.adapter_down || died_at != STEPS)
			continue;
		died_at = step;
		if (!plan->at_once)
			continue;
		restart();
		if (plan->repeated && (step == STEP_START || step == STEP_STOP))
			take(step);
	}
	unsigned positions = cores.positions;

	cores.crash_in = 0;
	if (cores.adapter_down) {
		restart();
		if (plan->repeated && died_at == STEP_STOP)
			take(STEP_STOP);
	}
	tick(20000);
	return positions;
}

#define expect(holds, plan) \
	cr_assert(holds, "died at %u, %s, %s%s%s: device \"%s\", owner \"%s\"", (plan)->crash_in, \
		  (plan)->at_once ? "back at once" : "back at the end", \
		  (plan)->repeated ? "request repeated" : "request lost", \
		  (plan)->loss ? ", glasses lost" : "", \
		  (plan)->result_first ? ", result first" : "", device(), heard("pa"))

static void check(const struct plan *plan)
{
	const struct state_stream *active = cores_active(&cores);
	bool opened = edge.id_count > 0 || active;

	expect(count_of(device(), "start") <= 1u + plan->loss, plan);
	expect(count_of(heard("pa"), "stopped") == (opened && !active), plan);
	expect(count_of(heard("pa"), "stopped") == count_of(heard("pa"), "S1:stopped"), plan);
	expect(!opened || active || ends_with(heard("pa"), "S1:stopped"), plan);
	expect(count_of(heard("pb"), "+S1:stopped") <= 1, plan);
	/* Its last word: a start if it runs, else a stop, unless it was never started. */
	if (active)
		expect(ends_with(device(), "start S1 pa"), plan);
	else
		expect(!strstr(device(), "start") || ends_with(device(), " pa"), plan);
	expect(active || !ends_with(device(), "start S1 pa"), plan);
	expect(cores.registry->state.streams_count == (active != NULL), plan);
	expect(cores.unmanaged->asks.high == 0, plan);
	expect(state_hash(&cores.registry->state) == state_hash(&cores.unmanaged->state), plan);
}

static void every_position(struct plan plan)
{
	plan.crash_in = 0;
	unsigned positions = run(&plan);

	check(&plan);
	cr_assert(count_of(device(), "start S1 pa") == 1 && ends_with(heard("pa"), "S1:stopped"));
	teardown();
	cr_assert_gt(positions, 12);
	for (plan.crash_in = 1; plan.crash_in <= positions; plan.crash_in++) {
		(void)run(&plan);
		check(&plan);
		teardown();
	}
}

Test(unmanaged_restart, it_may_die_anywhere)
{
	for (unsigned bits = 0; bits < 16; bits++)
		every_position((struct plan){ .at_once = bits & 1,
					      .repeated = bits & 2,
					      .loss = bits & 4,
					      .result_first = bits & 8 });
}

/* Particular deaths -------------------------------------------------------------------------- */

Test(unmanaged_restart, a_start_that_was_not_delivered_is_delivered, .init = setup,
     .fini = teardown)
{
	cores.crash_in = 4; /* story heard, nothing of it carried out */
	cores_start(&cores, "pa", 1, URL);
	cr_assert(cores.adapter_down);
	fake_edge_pump(&edge);
	cr_assert_str_eq(device(), "");
	restart();
	cr_assert_str_eq(device(), "start S1 pa");
	cr_assert_str_eq(heard("pa"), "S1:initializing");
	cr_assert_str_eq(heard("pb"), "", "copies are not repeated");
	tick(20000);
	cr_assert_str_eq(device(), "start S1 pa");
}

static void hear_opened(struct stream_event *story)
{
	struct stream_event opened = *story;

	opened.stream_opened.rtmp_url = (struct text){ 0 };
	cores_adapter_hear(&cores, &(struct input){ .type = INPUT_STORY, .event = &opened });
}

Test(unmanaged_restart, the_repeated_request_brings_the_url, .init = setup, .fini = teardown)
{
	struct stream_event opened;

	/* The registry has opened it; the adapter that asked is gone, its successor followed the
	 * story from before that.
	 */
	cores_restart_adapter(&cores);
	cores.adapter_down = true;
	struct stream_event open = {
		.type = EVENT_STREAM_OPEN, .user_id = TEXT("u@x"), .origin = GATEWAY_B, .request = 1
	};

	open.stream_open.kind = KIND_UNMANAGED;
	open.stream_open.package = TEXT("pa");
	open.stream_open.rtmp_url = TEXT(URL);
	open.stream_open.video = open.stream_open.audio = open.stream_open.options = TEXT("{}");
	cores_hear(&cores, &(struct input){ .type = INPUT_MESSAGE,
					    .peer = { ROLE_UNMANAGED, 6 },
					    .event = &open });
	opened = *cores_told(&cores, EVENT_STREAM_OPENED, 0);
	cores.adapter_down = false;
	hear_opened(&opened);
	fake_edge_pump(&edge);
	cr_assert_str_eq(device(), "", "no URL, no start");
	cr_assert_str_eq(heard("pa"), "S1:initializing");
	cores_start(&cores, "pa", 1, URL);
	fake_edge_pump(&edge);
	cr_assert_str_eq(device(), "start S1 pa");
	cr_assert_str_eq(edge.done, "1:ok");
	cr_assert_eq(cores.registry->stats.answered_again, 1);
}

/* An app that came after the last word does not get it unasked; one that was there may have
 * missed it, and its gateway knows.
 */
Test(unmanaged_restart, the_word_is_repeated_only_to_who_was_there, .init = setup, .fini = teardown)
{
	cores_start(&cores, "pa", 1, URL);
	cores_status(&cores, DEVICE_STREAMING);
	fake_edge_pump(&edge);
	fake_edge_forget(&edge);
	restart();
	cr_assert_str_eq(heard("pa"), "");
	fake_edge_app(&edge, "pa")->direct_seq = 0; /* as if it had got lost */
	restart();
	cr_assert_str_eq(heard("pa"), "S1:active");
	fake_edge_app_down(&edge, "pa");
	fake_edge_forget(&edge);
	fake_edge_app(&edge, "pa")->link = 31;
	fake_edge_app(&edge, "pa")->direct_epoch = 0;
	cores_app_opened(&cores, "pa", 31);
	fake_edge_pump(&edge);
	restart();
	cr_assert_str_eq(heard("pa"), "");
	tick(20000);
	cr_assert_str_eq(heard("pa"), "");
}

Test(unmanaged_restart, an_end_while_it_was_away, .init = setup, .fini = teardown)
{
	cores_start(&cores, "pa", 1, URL);
	cores_status(&cores, DEVICE_STREAMING);
	fake_edge_pump(&edge);
	fake_edge_forget(&edge);
	cores.adapter_down = true;
	cores_status(&cores, DEVICE_ERROR);
	fake_edge_pump(&edge);
	cr_assert_str_eq(heard("pa"), "");
	restart();
	cr_assert_str_eq(heard("pa"), "S1:stopped");
	cr_assert_str_eq(device(), "");
	restart();
	tick(20000);
	cr_assert_str_eq(heard("pa"), "S1:stopped");
	cr_assert_eq(cores.registry->state.streams_count, 0);
}

Test(unmanaged_restart, a_takeover_while_it_was_away, .init = setup, .fini = teardown)
{
	struct stream_event open = {
		.type = EVENT_STREAM_OPEN, .user_id = TEXT("u@x"), .origin = GATEWAY_B, .request = 9
	};

	cores_start(&cores, "pa", 1, URL);
	fake_edge_pump(&edge);
	fake_edge_forget(&edge);
	cores.adapter_down = true;
	open.stream_open.kind = KIND_UNMANAGED;
	open.stream_open.package = TEXT("pb");
	open.stream_open.rtmp_url = TEXT(URL);
	open.stream_open.video = open.stream_open.audio = open.stream_open.options = TEXT("{}");
	cores_hear(&cores, &(struct input){ .type = INPUT_MESSAGE,
					    .peer = { ROLE_UNMANAGED, 7 },
					    .event = &open });
	restart();
	cr_assert_str_eq(heard("pa"), "S1:stopped");
	cr_assert_str_eq(device(), "start S2 pb");
	cr_assert_str_eq(heard("pb"), "S2:initializing");
}

/* D11 after a restart: the orphan's order must not look older than what the device was told. */
Test(unmanaged_restart, a_stop_for_nothing_after_a_restart, .init = setup, .fini = teardown)
{
	cores_start(&cores, "pa", 1, URL);
	cores_status(&cores, DEVICE_STREAMING);
	cores_expired(&cores);
	fake_edge_pump(&edge);
	cr_assert_eq(cores.registry->state.streams_count, 0);
	restart();
	fake_edge_forget(&edge);
	cores_stop(&cores, "pa", 2, "");
	fake_edge_pump(&edge);
	cr_assert_str_eq(device(), "stop - pa");
}

/* A gap: the mirror is built anew in the same life, requests still waiting. */
Test(unmanaged_restart, a_resync_keeps_the_requests, .init = setup, .fini = teardown)
{
	struct stream_event row;
	uint64_t cursor = 0;

	cores_adapter_hear(&cores, &(struct input){ .type = INPUT_RESYNC });
	cores_start(&cores, "pa", 1, URL);
	fake_edge_pump(&edge);
	cr_assert_str_eq(edge.done, "", "nothing is judged on half a mirror");
	while (state_row(&cores.registry->state, &cursor, &row)) {
		cores_adapter_hear(&cores, &(struct input){ .type = INPUT_STORY, .event = &row });
		fake_edge_pump(&edge);
		cr_assert_str_eq(edge.done, "", "not on a growing one either");
		cr_assert_str_eq(device(), "");
	}
	cores_adapter_hear(&cores,
			   &(struct input){ .type = INPUT_SYNCED, .seq = cores.registry->seq });
	tick(0);
	cr_assert_str_eq(edge.done, "1:ok");
	cr_assert_str_eq(device(), "start S1 pa");
}

/* Order -------------------------------------------------------------------------------------- */

/* A request whose effect the adapter does not live to hear of. */
static void open_unheard(const char *package, uint64_t request)
{
	struct stream_event event = { .type = EVENT_STREAM_OPEN,
				      .user_id = TEXT("u@x"),
				      .origin = GATEWAY_B,
				      .request = request };

	event.stream_open.kind = KIND_UNMANAGED;
	event.stream_open.package = text_of(package);
	event.stream_open.rtmp_url = TEXT(URL);
	event.stream_open.video = event.stream_open.audio = event.stream_open.options = TEXT("{}");
	cores.adapter_down = true;
	cores_say(&cores, (struct peer){ ROLE_UNMANAGED, 7 }, &event);
}

/* S2 runs, in a slot behind the one that S1 has left and the next stream takes. */
static void run_second(void)
{
	take(STEP_START);
	cores_start(&cores, "pa", 2, URL);
	fake_edge_pump(&edge);
}

Test(order, older_ends_are_told_before_newer_words, .init = setup, .fini = teardown)
{
	run_second();
	open_unheard("pa", 3);
	fake_edge_forget(&edge);
	restart();
	cr_assert_str_eq(heard("pa"), "S2:stopped S3:initializing");
}

Test(order, older_ends_are_told_before_newer_ends, .init = setup, .fini = teardown)
{
	run_second();
	open_unheard("pa", 3);
	open_unheard("pb", 4);
	fake_edge_forget(&edge);
	restart();
	cr_assert_str_eq(heard("pa"), "S2:stopped S3:stopped");
}

Test(order, all_ends_that_one_app_is_owed, .init = setup, .fini = teardown)
{
	const unsigned many = 24;

	run_second();
	for (uint64_t request = 3; request < 3 + many; request++) {
		open_unheard("pa", request);
		cores_forget(&cores);
		edge.seen = 0;
	}
	fake_edge_forget(&edge);
	restart();
	fake_edge_glasses_down(&edge);
	fake_edge_glasses_up(&edge, 12);
	cr_assert_eq(count_of(heard("pa"), ":stopped"), many);
}
