/* SPDX-License-Identifier: MIT */
/* Goal: what both adapters share: requests that wait do not all have to fit into one call, and a
 * start comes behind the stops that are owed.  Method: the unmanaged adapter alone, its inputs
 * given one by one.
 */
#include <criterion/criterion.h>

#include "actors/unmanaged-adapter/unmanaged_core.h"
#include "tests/lib/fakes.h"
#include "tests/lib/story.h"

#define U "u@x"
#define GATEWAY UINT64_C(10)

static struct unmanaged core;
static struct effects fx;
static uint64_t seq;

static void handle(struct input input)
{
	unmanaged_handle(&core, &input, 10000, &fx);
}

static void tell(struct stream_event event)
{
	event.seq = ++seq;
	event.stream_seq = seq;
	handle((struct input){ .type = INPUT_STORY, .event = &event });
}

static void tell_user(void)
{
	tell(story_gateway(GATEWAY, LINK_UP));
	tell(story_session(U, EVENT_SESSION_OPENED));
	tell(story_link(U, GATEWAY, 11, LINK_UP));
	tell(story_glasses(U, "Mentra Live", true, WIFI_ON));
	tell(story_app_up(U, "pa", GATEWAY, 21));
}

static void setup(void)
{
	const struct unmanaged_options options = {
		.state = { .users_max = 8,
			   .apps_max = 32,
			   .streams_max = 64,
			   .text_bytes = 2u << 20 },
	};

	unmanaged_init(&core, &options, fake_memory(unmanaged_bytes(&options)));
	handle((struct input){ .type = INPUT_RESYNC });
	tell_user();
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq });
	handle((struct input){ .type = INPUT_TICK });
}

TestSuite(asks, .init = setup);

static void ask(uint64_t request, uint64_t seen_seq)
{
	struct stream_event event = { .type = EVENT_REQUEST_START,
				      .user_id = TEXT(U),
				      .origin = GATEWAY,
				      .request = request,
				      .expires_ms = 20000 };

	event.request_start.package = TEXT("pa");
	event.request_start.seen_seq = seen_seq;
	handle((struct input){
		.type = INPUT_MESSAGE, .peer = { ROLE_GATEWAY, GATEWAY }, .event = &event });
}

/* The longest refusal of all, more often than one call has room for its words. */
Test(asks, more_answers_than_one_call_has_room_for)
{
	unsigned answered = 0, calls = 0;

	for (uint64_t request = 1; request <= ASKS_MAX; request++)
		ask(request, seq + 1);
	cr_assert_eq(fx.count, 0, "they all wait");
	tell(story_glasses(U, "Mentra Live", true, WIFI_OFF));
	for (answered = (unsigned)fx.count; core.asks.high > 0; answered += (unsigned)fx.count) {
		cr_assert_lt(calls++, 1000);
		cr_assert_eq(unmanaged_deadline(&core), 0, "there is more to do");
		cr_assert_gt(fx.count, 0);
		cr_assert_leq(fx.arena_used, EFFECTS_ARENA_SIZE);
		handle((struct input){ .type = INPUT_TICK });
	}
	cr_assert_eq(answered, ASKS_MAX);
	cr_assert_gt(calls, ASKS_MAX / EFFECTS_MAX);
	cr_assert_gt(unmanaged_deadline(&core), 0);
}

static struct stream_event managed_opened(const char *id, uint64_t epoch)
{
	struct stream_event event = story_opened(U, id, epoch, "pa");

	event.stream_opened.kind = KIND_MANAGED;
	return event;
}

static void closed(const char *id, uint64_t epoch, bool stop_owed)
{
	struct stream_event event = story_closed(U, id, epoch, false, stop_owed);

	event.stream_closed.end_cause = END_TAKEOVER;
	event.stream_closed.input_owed = true;
	tell(event);
}

static void expect_order(size_t at, enum stream_event_type type, const char *id)
{
	cr_assert_lt(at, fx.count);
	cr_assert_eq(fx.items[at].event.type, type, "%zu: %s", at,
		     stream_event_name(fx.items[at].event.type));
	cr_assert(text_is(fx.items[at].event.stream_id, id));
}

/* G9: the other adapter may be slower, and behind the start its stop would be fenced. */
Test(asks, stops_that_are_owed_come_before_a_start)
{
	tell(managed_opened("S1", 1));
	closed("S1", 1, true);
	cr_assert_eq(fx.count, 0, "it is not this adapter's");
	tell(managed_opened("S2", 2));
	closed("S2", 2, false);
	tell(managed_opened("S3", 3));
	closed("S3", 3, true);
	tell(story_opened(U, "S4", 4, "pa"));
	expect_order(0, EVENT_DELIVER_STOP, "S1");
	expect_order(1, EVENT_DELIVER_STOP, "S3");
	expect_order(2, EVENT_DELIVER_START, "S4");
}

Test(asks, so_many_stops_before_a_start_and_not_one_more)
{
	static const char *const ids[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" };

	for (uint64_t i = 0; i < 10; i++) {
		tell(managed_opened(ids[i], i + 1));
		closed(ids[i], i + 1, true);
	}
	tell(story_opened(U, "S", 20, "pa"));
	expect_order(7, EVENT_DELIVER_STOP, "h");
	expect_order(8, EVENT_DELIVER_START, "S");
}

static void row(const char *id, uint64_t epoch, enum kind kind, enum phase phase)
{
	struct stream_event event = story_stream(U, id, epoch, EVENT_SNAPSHOT_STREAM);
	const bool active = phase != PHASE_CLOSED;

	event.snapshot_stream.kind = kind;
	event.snapshot_stream.phase = phase;
	event.snapshot_stream.package = TEXT("pa");
	event.snapshot_stream.rtmp_url = active ? TEXT("rtmp://h/a/key") : (struct text){ 0 };
	event.snapshot_stream.end_cause = active ? END_NONE : END_TAKEOVER;
	event.snapshot_stream.stop_owed = !active;
	tell(event);
}

/* Rows come in any order, and one may be younger than what another says. */
Test(asks, stops_go_out_oldest_first_and_none_of_a_newer_stream)
{
	handle((struct input){ .type = INPUT_RESYNC });
	tell_user();
	row("S3", 3, KIND_MANAGED, PHASE_CLOSED);
	row("S1", 1, KIND_MANAGED, PHASE_CLOSED);
	row("S9", 9, KIND_MANAGED, PHASE_CLOSED);
	row("S4", 4, KIND_UNMANAGED, PHASE_STARTING);
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq });
	handle((struct input){ .type = INPUT_TICK });
	expect_order(0, EVENT_DELIVER_STOP, "S1");
	expect_order(1, EVENT_DELIVER_STOP, "S3");
	expect_order(2, EVENT_DELIVER_START, "S4");
	for (size_t i = 3; i < fx.count; i++)
		cr_assert_neq(fx.items[i].event.type, EVENT_DELIVER_STOP);
}

/* What waits for room waits for the story too. */
Test(asks, nobody_is_answered_while_the_story_is_taken_anew)
{
	for (uint64_t request = 1; request <= ASKS_MAX; request++)
		ask(request, seq + 1);
	tell(story_glasses(U, "Mentra Live", true, WIFI_OFF));
	cr_assert_eq(unmanaged_deadline(&core), 0, "there is more to do");
	handle((struct input){ .type = INPUT_RESYNC });
	cr_assert_gt(unmanaged_deadline(&core), 0);
	handle((struct input){ .type = INPUT_TICK });
	cr_assert_eq(fx.count, 0);
	tell_user();
	handle((struct input){ .type = INPUT_SYNCED, .seq = seq });
	cr_assert_gt(fx.count, 0);
	cr_assert_eq(unmanaged_deadline(&core), 0);
}

Test(asks, one_too_many_is_refused_in_the_words_of_what_it_asked)
{
	struct stream_event event = { .type = EVENT_REQUEST_OUTPUT_ADD,
				      .user_id = TEXT(U),
				      .origin = GATEWAY,
				      .request = ASKS_MAX + 1 };

	for (uint64_t request = 1; request <= ASKS_MAX; request++)
		ask(request, seq + 1);
	asks_begin(&core.asks, &fx, 10000);
	asks_take(&core.asks,
		  &(struct input){ .peer = { ROLE_GATEWAY, GATEWAY }, .event = &event });
	cr_assert_eq(fx.count, 1);
	cr_assert_eq(fx.items[0].event.type, EVENT_REQUEST_OUTPUTS);
	cr_assert_eq(fx.items[0].event.request, ASKS_MAX + 1);
	cr_assert_eq(fx.items[0].event.request_outputs.result, RESULT_FULL);
	cr_assert_eq(core.asks.stats.full, 1);
}
