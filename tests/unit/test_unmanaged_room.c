/* SPDX-License-Identifier: MIT */
/* Goal: what one call of the adapter has no room or no time for is done by the next, and nobody is
 * left out.  Method: the adapter alone, with more streams and requests than one call can take.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/fill_pool.h"
#include "tests/lib/unmanaged_stage.h"

#define STREAMS (RECONCILE_SLOTS + 8)

static void *memory;

static void setup(void)
{
	const struct unmanaged_options options = {
		.state = { .users_max = STREAMS,
			   .apps_max = 32,
			   .streams_max = STREAMS,
			   .text_bytes = 8u << 20 },
	};

	memory = fake_memory(unmanaged_bytes(&options));
	unmanaged_init(&core, &options, memory);
	handle((struct input){ .type = INPUT_RESYNC });
	tell(story_gateway(GATEWAY, LINK_UP));
}

static void teardown(void)
{
	fake_free(memory, unmanaged_bytes(&core.options));
}

TestSuite(unmanaged_room, .init = setup, .fini = teardown);

/* How many effects of @type all calls have until the adapter has nothing more to do at once. */
static unsigned until_done(enum stream_event_type type, unsigned *calls)
{
	unsigned count = 0;

	*calls = 0;
	while (unmanaged_deadline(&core) <= now_ms) {
		handle((struct input){ .type = INPUT_TICK });
		for (size_t i = 0; i < fx.count; i++)
			count += fx.items[i].event.type == type;
		cr_assert_lt(++*calls, 100, "it never comes to rest");
	}
	return count;
}

static void open_streams(unsigned first, unsigned count, bool link_up)
{
	char user[16], id[16];

	for (unsigned i = first; i < first + count; i++) {
		(void)snprintf(user, sizeof user, "u%u", i);
		(void)snprintf(id, sizeof id, "s%u", i);
		tell(story_session(user, EVENT_SESSION_OPENED));
		if (link_up)
			tell(story_link(user, GATEWAY, 100 + i, LINK_UP));
		tell(story_opened(user, id, 100 + i, "pa"));
	}
}

Test(unmanaged_room, more_streams_than_one_call_looks_at)
{
	unsigned calls;

	open_streams(0, STREAMS - 1, false);
	open_streams(STREAMS - 1, 1, true);
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq });
	cr_assert_eq(until_done(EVENT_DELIVER_START, &calls), 1,
		     "the last of them is owed a start");
	cr_assert_eq(calls, 2);
	cr_assert_eq(unmanaged_deadline(&core), now_ms + RECONCILE_MS);
}

Test(unmanaged_room, more_is_owed_than_one_call_has_room_for)
{
	unsigned calls;

	open_streams(0, 2 * EFFECTS_MAX, true);
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq });
	cr_assert_eq(until_done(EVENT_DELIVER_START, &calls), 2 * EFFECTS_MAX);
	cr_assert_gt(calls, 2);
}

/* A request to start, and what the registry says to it. */
static void ask_and_answer(uint64_t request)
{
	struct stream_event start = { .type = EVENT_REQUEST_START,
				      .user_id = TEXT("u0"),
				      .origin = GATEWAY,
				      .request = request,
				      .expires_ms = now_ms + 20000 };
	struct stream_event result = { .type = EVENT_STREAM_RESULT,
				       .user_id = TEXT("u0"),
				       .stream_id = TEXT("s1"),
				       .origin = GATEWAY,
				       .request = request,
				       .cause = seq + 1, /* its story */
				       .stream_result.result = RESULT_OK };

	start.request_start.package = TEXT("pa");
	start.request_start.permitted = true;
	start.request_start.rtmp_url = TEXT("rtmp://h/app/key");
	message(start);
	message(result);
}

/* Each has its result; the story of none of them has come. */
static void answer_all(unsigned count)
{
	tell(story_session("u0", EVENT_SESSION_OPENED));
	tell(story_link("u0", GATEWAY, 100, LINK_UP));
	tell(story_glasses("u0", "Mentra Live", true, WIFI_ON));
	tell(story_app_up("u0", "pa", GATEWAY, 21));
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq });
	for (unsigned i = 1; i <= count; i++)
		ask_and_answer(i);
	(void)until_done(EVENT_REQUEST_DONE, &(unsigned){ 0 });
	cr_assert_eq(core.asks.high, count);
}

Test(unmanaged_room, a_snapshot_answers_more_requests_than_one_call_can)
{
	unsigned calls, first;

	answer_all(2 * EFFECTS_MAX);
	handle((struct input){ .type = INPUT_RESYNC });
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq + 1 });
	first = (unsigned)fx.count;
	cr_assert_gt(first, 0);
	cr_assert_eq(first + until_done(EVENT_REQUEST_DONE, &calls), 2 * EFFECTS_MAX);
	cr_assert_eq(core.asks.high, 0);
}

/* What comes behind the snapshot waits for its own story. */
Test(unmanaged_room, what_is_asked_behind_a_snapshot_is_not_answered_by_it)
{
	answer_all(1);
	handle((struct input){ .type = INPUT_TICK });
	cr_assert_eq(core.asks.high, 1);
	handle((struct input){ .type = INPUT_BLIND });
	cr_assert_eq(fx.count, 0);
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq }); /* in sight again, no more */
	cr_assert_eq(core.asks.high, 1);
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq + 1 });
	cr_assert_eq(core.asks.high, 0);
}

Test(unmanaged_room, a_status_while_a_snapshot_is_read_is_not_told)
{
	struct stream_event status = story_stream("u0", "s0", 100, EVENT_STREAM_STATUS);

	open_streams(0, 1, true);
	tell(story_app_up("u0", "pa", GATEWAY, 21));
	status.stream_status.status = DEVICE_STREAMING;
	status.stream_status.phase = PHASE_LIVE;
	tell(status);
	cr_assert_eq(fx.count, 0);
	cr_assert_eq(state_stream_find(&core.state, TEXT("s0"))->phase, PHASE_LIVE);
}

Test(unmanaged_room, an_end_of_a_user_who_is_gone_is_told_to_nobody)
{
	open_streams(0, 1, false);
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq });
	tell(story_session("u0", EVENT_SESSION_CLOSED));
	tell(story_closed("u0", "s0", 100, false, false));
	cr_assert_eq(fx.count, 0);
	cr_assert_not(state_user_find(&core.state, TEXT("u0")));
}

/* Without a URL there is no start; it stays owed until a snapshot brings one. */
Test(unmanaged_room, a_url_that_finds_no_room_starts_nothing)
{
	struct stream_event opened = story_opened("u0", "s1", 100, "pa");

	answer_all(0);
	opened.stream_opened.rtmp_url = (struct text){ 0 };
	tell(opened);
	fill_pool(&core.state.pool);
	ask_and_answer(7);
	for (size_t i = 0; i < fx.count; i++)
		cr_assert_neq(fx.items[i].event.type, EVENT_DELIVER_START);
	cr_assert_eq(core.asks.high, 0);
	const struct state_stream *stream = state_stream_find(&core.state, TEXT("s1"));

	cr_assert(stream && !stream->start_delivered && stream->rtmp_url.length == 0);
}
