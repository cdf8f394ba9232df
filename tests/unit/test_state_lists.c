/* SPDX-License-Identifier: MIT */
/* Goal: a row of a managed stream whose list no registry makes changes nothing.  Method: lists with
 * one member wrong, with a field too many, and cut at each byte.
 */
#include <criterion/criterion.h>

#include "common/state.h"
#include "tests/lib/fakes.h"
#include "tests/lib/state_audit.h"
#include "tests/lib/story.h"

static struct state state;

static int apply(const struct stream_event *event)
{
	int r = state_apply(&state, event);
	const char *wrong = state_audit(&state, false);

	cr_assert(!wrong, "after %s: %s", stream_event_name(event->type), wrong);
	state_settle(&state);
	return r;
}

static struct stream_event of(enum stream_event_type type)
{
	return story_stream("u@x", "m1", 5, type);
}

static void setup(void)
{
	const struct state_options options = {
		.users_max = 4, .apps_max = 32, .streams_max = 8, .text_bytes = 4u << 20
	};
	struct stream_event event = of(EVENT_STREAM_OPENED);

	state_init(&state, &options, fake_memory(state_bytes(&options)));
	event.seq = 1;
	event.stream_opened.kind = KIND_MANAGED;
	event.stream_opened.package = TEXT("pa");
	cr_assert_eq(apply(&event), 0);
}

/* Lists that no registry makes: nothing of the row counts. */
Test(state_managed, malformed_lists_are_no_news, .init = setup)
{
	uint8_t bytes[256];
	struct list_writer list;
	uint64_t hash = state_hash(&state);

	for (unsigned wrong = 0; wrong < 5; wrong++) {
		struct stream_event row = of(EVENT_SNAPSHOT_MANAGED);

		list_begin(&list, bytes, sizeof bytes);
		for (unsigned i = 0; i < (wrong == 0 ? VIEWERS_MAX + 1 : 1); i++) {
			list_open_member(&list, wrong == 1 ? 1 : 2);
			if (wrong == 2)
				list_put_u64(&list, 7);
			else
				list_put_text(&list, TEXT("p"));
			if (wrong != 1)
				list_put_u64(&list,
					     wrong == 3 ? VIEWER_NONE : 1 + 2 * (wrong == 4));
			cr_assert(list_close_member(&list));
		}
		row.seq = 100;
		row.snapshot_managed.viewers = list_end(&list);
		cr_expect_eq(apply(&row), STATE_E_OLD, "viewers %u", wrong);
	}
	for (unsigned wrong = 0; wrong < 7; wrong++) {
		struct stream_event row = of(EVENT_SNAPSHOT_OUTPUTS);

		list_begin(&list, bytes, sizeof bytes);
		for (unsigned i = 0; i < (wrong == 0 ? OUTPUTS_MAX + 1 : 2); i++) {
			list_open_member(&list, 8);
			list_put_u64(&list, wrong == 1	 ? 3
					    : wrong == 2 ? 3 - i
					    : wrong == 3 ? i
					    : wrong == 4 ? STATE_OUTPUT_NUMBER_MAX + 1 + i
							 : 1 + i);
			list_put_u64(&list, wrong == 5	 ? OUTPUT_NONE
					    : wrong == 6 ? OUTPUT_REMOVED
							 : 1);
			for (unsigned k = 0; k < 5; k++)
				list_put_text(&list, TEXT("x"));
			list_put_u64(&list, 0);
			cr_assert(list_close_member(&list));
		}
		row.seq = 100;
		row.snapshot_outputs.next_output = 5;
		row.snapshot_outputs.outputs = list_end(&list);
		cr_expect_eq(apply(&row), STATE_E_OLD, "outputs %u", wrong);
	}
	cr_assert_eq(state_hash(&state), hash);
}

/* Wherever a list breaks off; and members that have more than they should. */
Test(state_managed, cut_lists_are_no_news, .init = setup)
{
	static uint8_t bytes[256];
	uint64_t hash = state_hash(&state);
	struct stream_event row;
	struct list_writer list;
	struct text whole;

	for (unsigned more = 0; more < 2; more++) {
		row = of(EVENT_SNAPSHOT_MANAGED);
		row.seq = 100;
		list_begin(&list, bytes, sizeof bytes);
		list_open_member(&list, 2 + more);
		list_put_text(&list, TEXT("pb"));
		list_put_u64(&list, VIEWER_WATCHING);
		if (more)
			list_put_u64(&list, 1);
		cr_assert(list_close_member(&list));
		whole = list_end(&list);
		for (uint32_t length = 1; length < whole.length + more; length++) {
			row.snapshot_managed.viewers = (struct text){ whole.bytes, length };
			cr_expect_eq(apply(&row), STATE_E_OLD, "%u of viewers", length);
		}
		row = of(EVENT_SNAPSHOT_OUTPUTS);
		row.seq = 100;
		row.snapshot_outputs.next_output = 2;
		list_begin(&list, bytes, sizeof bytes);
		list_open_member(&list, 8 + more);
		list_put_u64(&list, 1);
		list_put_u64(&list, OUTPUT_ACTIVE);
		for (unsigned i = 0; i < 5; i++)
			list_put_text(&list, TEXT("text"));
		list_put_u64(&list, 0);
		if (more)
			list_put_u64(&list, 1);
		cr_assert(list_close_member(&list));
		whole = list_end(&list);
		for (uint32_t length = 1; length < whole.length + more; length++) {
			row.snapshot_outputs.outputs = (struct text){ whole.bytes, length };
			cr_expect_eq(apply(&row), STATE_E_OLD, "%u of outputs", length);
		}
	}
	cr_assert_eq(state_hash(&state), hash);
	row.snapshot_outputs.next_output = STATE_OUTPUT_NUMBER_MAX + 1;
	row.snapshot_outputs.outputs = (struct text){ 0 };
	cr_expect_eq(apply(&row), STATE_E_OLD, "more outputs than there may be");
	row.snapshot_outputs.next_output = STATE_OUTPUT_NUMBER_MAX;
	cr_expect_eq(apply(&row), 0);
	cr_expect_eq(apply(&row), STATE_E_OLD, "the same row twice");
}
