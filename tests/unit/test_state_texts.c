/* SPDX-License-Identifier: MIT */
/* Goal: an event whose texts do not all fit says so, leaves nothing half made, and what it left is
 * gone with its stream.  Method: the pool is full but for no block, one, two ... until all that the
 * event keeps fit; the whole state is audited each time.  Every text takes one block.
 */
#include <criterion/criterion.h>

#include "common/state.h"
#include "tests/lib/fakes.h"
#include "tests/lib/full_pool.h"
#include "tests/lib/state_audit.h"
#include "tests/lib/story.h"

#define TEXTS_MAX 12

static struct state state;
static uint64_t seq;

static const struct state_options options = { .users_max = 4,
					      .apps_max = 32,
					      .streams_max = 8,
					      .text_bytes = 12 * POOL_PAGE_SIZE,
					      .remember_apps = true };

static int apply(struct stream_event event)
{
	event.seq = ++seq;
	event.stream_seq = seq;
	int r = state_apply(&state, &event);

	state_settle(&state);
	return r;
}

static void tell(struct stream_event event)
{
	cr_assert_eq(apply(event), 0, "%s was not taken", stream_event_name(event.type));
}

static struct stream_event opened(enum kind kind)
{
	struct stream_event event = story_opened("u", "s1", 9, "pa");

	event.stream_opened.kind = kind;
	event.stream_opened.rtmp_url = TEXT("rtmp://h/a/k");
	event.stream_opened.audio = TEXT("{\"b\":64000}");
	event.stream_opened.options = TEXT("{\"d\":60}");
	return event;
}

static void begin(enum kind kind)
{
	state_clear(&state);
	seq = 0;
	tell(story_gateway(10, LINK_UP));
	tell(story_session("u", EVENT_SESSION_OPENED));
	tell(story_app_up("u", "pa", 10, 1));
	if (kind != KIND_NONE)
		tell(opened(kind));
}

/* Everything goes: what is kept without anybody's having it would stay. */
static void end(void)
{
	struct stream_event event = story_closed("u", "s1", 9, false, false);
	struct stream_event told = story_stream("u", "s1", 9, EVENT_STREAM_TOLD);

	full_pool_give_all();
	const char *wrong = state_audit(&state, false);

	cr_assert(!wrong, "%s", wrong);
	(void)apply(event);
	for (unsigned i = 0; i < 2; i++) { /* who watches is owed the end */
		told.stream_told.package = i == 0 ? TEXT("pa") : TEXT("pb");
		(void)apply(told);
	}
	cr_assert_eq(state.streams_count, 0);
	tell(story_app("u", "pa", APP_STOPPED));
	tell(story_session("u", EVENT_SESSION_CLOSED));
	(void)apply(story_app("v", "pb", APP_STOPPED));
	(void)apply(story_session("v", EVENT_SESSION_CLOSED));
	if (state.dormant_count > 0) { /* whom the registry remembers on purpose */
		cr_assert_eq(state.users_count, state.dormant_count);
		return;
	}
	cr_assert_eq(state.users_count + state.apps_count, 0);
	cr_assert_eq(state.pool.used_bytes, 0);
}

/* @event, which keeps @texts texts, when there is a stream of @kind. */
static void expect_texts(enum kind kind, struct stream_event event, unsigned texts)
{
	cr_assert(texts <= TEXTS_MAX);
	for (unsigned room = 0; room <= texts; room++) {
		begin(kind);
		full_pool_take(&state.pool);
		full_pool_give(room);
		cr_expect_eq(apply(event), room < texts ? STATE_E_FULL : 0, "%s with room for %u",
			     stream_event_name(event.type), room);
		end();
	}
}

static void setup(void)
{
	state_init(&state, &options, fake_memory(state_bytes(&options)));
}

static struct stream_event of(enum stream_event_type type)
{
	return story_stream("u", "s1", 9, type);
}

Test(state_texts, a_start, .init = setup)
{
	expect_texts(KIND_NONE, opened(KIND_UNMANAGED), 6);
	expect_texts(KIND_NONE, opened(KIND_MANAGED), 7);
}

Test(state_texts, a_session_and_an_app, .init = setup)
{
	struct stream_event remembered = { .type = EVENT_SNAPSHOT_REMEMBERED,
					   .user_id = TEXT("v") };

	remembered.snapshot_remembered.package = TEXT("pb");
	expect_texts(KIND_NONE, story_session("v", EVENT_SESSION_OPENED), 1);
	expect_texts(KIND_NONE, story_app("v", "pb", APP_LOADING), 2);
	expect_texts(KIND_NONE, story_subscribed("u", "pa", "all"), 1);
	expect_texts(KIND_NONE, remembered, 2);
}

Test(state_texts, the_row_of_a_stream, .init = setup)
{
	struct stream_event row = of(EVENT_SNAPSHOT_STREAM);

	row.snapshot_stream.kind = KIND_UNMANAGED;
	row.snapshot_stream.phase = PHASE_LIVE;
	row.snapshot_stream.package = TEXT("pa");
	row.snapshot_stream.rtmp_url = TEXT("rtmp://h/a/k");
	row.snapshot_stream.video = TEXT("{\"w\":1}");
	row.snapshot_stream.audio = TEXT("{\"b\":2}");
	row.snapshot_stream.options = TEXT("{\"d\":3}");
	row.snapshot_stream.told_id = TEXT("s1");
	row.snapshot_stream.stop_app_id = TEXT("pa");
	expect_texts(KIND_NONE, row, 8);
}

Test(state_texts, one_more_viewer, .init = setup)
{
	struct stream_event event = of(EVENT_STREAM_JOINED);

	event.stream_joined.package = TEXT("pb");
	expect_texts(KIND_MANAGED, event, 1);
}

Test(state_texts, an_input_and_its_playback, .init = setup)
{
	struct stream_event input = of(EVENT_STREAM_PROVISIONED), playback;

	input.stream_provisioned.phase = PHASE_PROVISIONING;
	input.stream_provisioned.input_id = TEXT("in1");
	input.stream_provisioned.ingest = TEXT("rtmp://h/l/k");
	input.stream_provisioned.hls = TEXT("https://h/1");
	input.stream_provisioned.dash = TEXT("https://h/2");
	input.stream_provisioned.webrtc = TEXT("https://h/3");
	input.stream_provisioned.preview = TEXT("https://h/4");
	input.stream_provisioned.thumbnail = TEXT("https://h/5");
	expect_texts(KIND_MANAGED, input, 7);
	playback = of(EVENT_STREAM_PLAYBACK);
	playback.stream_playback.playback = PLAYBACK_LIVE;
	playback.stream_playback.hls = TEXT("https://h/1");
	playback.stream_playback.dash = TEXT("https://h/2");
	playback.stream_playback.preview = TEXT("https://h/4");
	playback.stream_playback.thumbnail = TEXT("https://h/5");
	expect_texts(KIND_MANAGED, playback, 4);
}

Test(state_texts, an_output, .init = setup)
{
	struct stream_event event = of(EVENT_STREAM_OUTPUT);

	event.stream_output.output = 1;
	event.stream_output.state = OUTPUT_ERROR;
	event.stream_output.url = TEXT("rtmp://a/b/1");
	event.stream_output.name = TEXT("n");
	event.stream_output.package = TEXT("pa");
	event.stream_output.remote_id = TEXT("r1");
	event.stream_output.error = TEXT("no route");
	expect_texts(KIND_MANAGED, event, 5);
}

Test(state_texts, the_rows_of_the_managed_half, .init = setup)
{
	static uint8_t bytes[256];
	struct stream_event row = of(EVENT_SNAPSHOT_MANAGED);
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	for (unsigned i = 0; i < 2; i++) {
		list_open_member(&list, 2);
		list_put_text(&list, i == 0 ? TEXT("pa") : TEXT("pb"));
		list_put_u64(&list, VIEWER_WATCHING);
		cr_assert(list_close_member(&list));
	}
	row.snapshot_managed.viewers = list_end(&list);
	row.snapshot_managed.input_id = TEXT("in1");
	row.snapshot_managed.hls = TEXT("https://h/1");
	row.snapshot_managed.dash = TEXT("https://h/2");
	row.snapshot_managed.webrtc = TEXT("https://h/3");
	row.snapshot_managed.preview = TEXT("https://h/4");
	row.snapshot_managed.thumbnail = TEXT("https://h/5");
	expect_texts(KIND_MANAGED, row, 8);
	row = of(EVENT_SNAPSHOT_OUTPUTS);
	list_begin(&list, bytes, sizeof bytes);
	list_open_member(&list, 8);
	list_put_u64(&list, 1);
	list_put_u64(&list, OUTPUT_ACTIVE);
	for (unsigned i = 0; i < 5; i++)
		list_put_text(&list, TEXT("t"));
	list_put_u64(&list, 1);
	cr_assert(list_close_member(&list));
	row.snapshot_outputs.outputs = list_end(&list);
	row.snapshot_outputs.next_output = 2;
	expect_texts(KIND_MANAGED, row, 5);
}
