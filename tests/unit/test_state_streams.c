/* SPDX-License-Identifier: MIT */
/* Goal: as test_state.c, for the events of streams: the one slot, what a record keeps in each
 * phase, liabilities and their end.  Method: the same.
 */
#include <criterion/criterion.h>

#include "common/state.h"
#include "tests/lib/fakes.h"
#include "tests/lib/state_audit.h"
#include "tests/lib/story.h"

static struct state state;
static uint64_t seq;

static int apply(const struct stream_event *event)
{
	int r = state_apply(&state, event);
	const char *wrong = state_audit(&state, false);

	cr_assert(!wrong, "after %s: %s", stream_event_name(event->type), wrong);
	state_settle(&state);
	return r;
}

static uint64_t tell(struct stream_event event)
{
	event.seq = ++seq;
	event.stream_seq = event.epoch ? seq : 0;
	event.sent_ms = (int64_t)(1000 * seq);
	cr_assert_eq(apply(&event), 0, "%s was not taken", stream_event_name(event.type));
	return seq;
}

static void setup(void)
{
	const struct state_options options = {
		.users_max = 8, .apps_max = 64, .streams_max = 16, .text_bytes = 4u << 20
	};

	state_init(&state, &options, fake_memory(state_bytes(&options)));
	tell(story_session("u@x", EVENT_SESSION_OPENED));
}

static struct state_user *user(void)
{
	return state_user_find(&state, TEXT("u@x"));
}

static struct state_stream *stream(const char *id)
{
	return state_stream_find(&state, text_of(id));
}

static bool says(struct pooled kept, const char *text)
{
	return text_is(state_text(&state, kept), text);
}

static struct stream_event status(enum phase phase, const char *detail)
{
	struct stream_event event = story_stream("u@x", "s1", 5, EVENT_STREAM_STATUS);

	event.stream_status.status = DEVICE_STREAMING;
	event.stream_status.phase = phase;
	event.stream_status.detail = text_of(detail);
	return event;
}

static struct stream_event moved(enum phase phase, uint64_t missed, bool start_delivered)
{
	struct stream_event event = story_stream("u@x", "s1", 5, EVENT_STREAM_MOVED);

	event.stream_moved.phase = phase;
	event.stream_moved.missed = missed;
	event.stream_moved.start_delivered = start_delivered;
	return event;
}

static void expect_gone(void)
{
	cr_assert_null(stream("s1"));
	cr_assert_eq(state.streams_count, 0);
	cr_assert_eq(state.active_count, 0);
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert_eq(state.users_count, 0);
	cr_assert_eq(state.pool.used_bytes, 0);
}

Test(state_streams, opened_takes_the_slot, .init = setup)
{
	uint64_t opened = tell(story_opened("u@x", "s1", 5, "pa"));
	const struct state_stream *at = stream("s1");

	cr_assert_eq(state_active(&state, user()), at);
	cr_assert_eq(state.active_count, 1);
	cr_assert_eq(at->phase, PHASE_REQUESTED);
	cr_assert_eq(at->kind, KIND_UNMANAGED);
	cr_assert_eq(at->epoch, 5);
	cr_assert_eq(at->created_ms, (int64_t)(1000 * opened));
	cr_assert(at->opened_seq == opened && at->activity_seq == opened &&
		  at->status_seq == opened && at->status_stream_seq == opened);
	cr_assert_eq(at->last_ack_age_ms, -1);
	cr_assert(says(at->package, "pa"));
	cr_assert(says(at->rtmp_url, "rtmp://h/a/key"));
	cr_assert(says(at->video, "{\"width\":1280}"));
	cr_assert(says(at->audio, "{\"bitrate\":64000}"));
	cr_assert(says(at->options, "{\"durationLimit\":60}"));
	cr_assert_not(at->start_delivered || at->was_live || at->stop_owed || at->told_owed);
	cr_assert_eq(user()->last_epoch, 5);
}

Test(state_streams, an_epoch_is_used_once_and_grows, .init = setup)
{
	struct stream_event event = story_opened("u@x", "s0", 5, "pa");

	tell(story_opened("u@x", "s1", 5, "pa"));
	event.seq = 50;
	cr_assert_eq(apply(&event), STATE_E_OLD, "the same epoch");
	event.epoch = 4;
	cr_assert_eq(apply(&event), STATE_E_OLD, "an older one");
	event = story_opened("u@x", "s1", 6, "pa");
	event.seq = 50;
	cr_assert_eq(apply(&event), STATE_E_OLD, "an id that is there");
	cr_assert_null(stream("s0"));
	cr_assert_eq(stream("s1")->epoch, 5);
}

Test(state_streams, status_is_activity_and_word, .init = setup)
{
	tell(story_opened("u@x", "s1", 5, "pa"));
	uint64_t told = tell(status(PHASE_LIVE, "fine"));
	const struct state_stream *at = stream("s1");

	cr_assert_eq(at->phase, PHASE_LIVE);
	cr_assert(at->was_live && at->start_delivered);
	cr_assert(at->seq == told && at->activity_seq == told && at->status_seq == told &&
		  at->status_stream_seq == told);
	cr_assert(says(at->detail, "fine"));
	cr_assert(says(at->video, "") && says(at->audio, "") && says(at->options, ""));
	cr_assert(says(at->rtmp_url, "rtmp://h/a/key"), "a status check still asks for it");
	tell(moved(PHASE_SUSPECT, 2, true));
	tell(status(PHASE_STARTING, ""));
	cr_assert_eq(at->missed, 0);
	cr_assert(at->was_live, "once live, always once live");
	cr_assert(says(at->detail, ""));
}

Test(state_streams, moved_is_activity_without_word, .init = setup)
{
	uint64_t opened = tell(story_opened("u@x", "s1", 5, "pa"));

	tell(moved(PHASE_REQUESTED, 0, false));
	const struct state_stream *at = stream("s1");

	cr_assert_not(at->start_delivered);
	cr_assert(says(at->video, "{\"width\":1280}"));
	uint64_t last = tell(moved(PHASE_STARTING, 0, true));

	cr_assert_eq(at->phase, PHASE_STARTING);
	cr_assert(at->start_delivered);
	cr_assert(says(at->video, "") && says(at->rtmp_url, "rtmp://h/a/key"));
	cr_assert_eq(at->activity_seq, last);
	cr_assert_eq(at->status_seq, opened);
	tell(moved(PHASE_SUSPECT, 2, false));
	cr_assert_eq(at->missed, 2);
	cr_assert(at->start_delivered, "what was delivered stays delivered");
	cr_assert_not(at->was_live);
}

Test(state_streams, a_stream_that_owes_nothing_is_gone_with_its_end, .init = setup)
{
	tell(story_opened("u@x", "s1", 5, "pa"));
	tell(status(PHASE_LIVE, "some detail"));
	tell(story_closed("u@x", "s1", 5, false, false));
	cr_assert_null(state_active(&state, user()));
	expect_gone();
}

Test(state_streams, a_liability_knows_what_it_owes, .init = setup)
{
	struct stream_event closed = story_closed("u@x", "s1", 5, true, true);

	tell(story_opened("u@x", "s1", 5, "pa"));
	tell(status(PHASE_LIVE, "d"));
	uint64_t last = stream("s1")->activity_seq;

	closed.stream_closed.status = DEVICE_ERROR;
	closed.stream_closed.detail = TEXT("no route");
	closed.stream_closed.missed = 3;
	closed.stream_closed.last_ack_age_ms = 12345;
	closed.stream_closed.link_state = LINK_LOST;
	uint64_t end = tell(closed);
	const struct state_stream *at = stream("s1");

	cr_assert_eq(at->phase, PHASE_CLOSED);
	cr_assert_null(state_active(&state, user()));
	cr_assert_eq(user()->liabilities, (uint32_t)(at - state.streams));
	cr_assert(at->told_owed && at->stop_owed);
	cr_assert(at->end_cause == END_APP_STOP && at->hop == HOP_APP);
	cr_assert(at->status == DEVICE_ERROR && at->missed == 3 && at->last_ack_age_ms == 12345 &&
		  at->link_state == LINK_LOST);
	cr_assert_eq(at->closed_ms, (int64_t)(1000 * end));
	cr_assert(at->status_seq == end && at->status_stream_seq == end);
	cr_assert_eq(at->activity_seq, last, "the end is no activity");
	cr_assert(says(at->by, "pa") && says(at->detail, "no route") && says(at->told_id, "s1") &&
		  says(at->stop_app_id, "pa"));
	cr_assert(says(at->rtmp_url, "") && says(at->video, ""), "nobody starts it any more");
}

struct settle_row {
	bool told, stop, told_first;
};

Test(state_streams, both_debts_in_either_order, .init = setup)
{
	static const struct settle_row rows[] = {
		{ true, false, true },
		{ false, true, false },
		{ true, true, true },
		{ true, true, false },
	};

	for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		tell(story_opened("u@x", "s1", 5 + i, "pa"));
		tell(story_closed("u@x", "s1", 5 + i, rows[i].told, rows[i].stop));
		if (rows[i].told && rows[i].told_first)
			tell(story_stream("u@x", "s1", 5 + i, EVENT_STREAM_TOLD));
		cr_assert_eq(!stream("s1"), rows[i].told_first && !rows[i].stop);
		cr_assert(!stream("s1") || stream("s1")->seq == seq, "it has heard of that");
		if (rows[i].stop)
			tell(story_stream("u@x", "s1", 5 + i, EVENT_STREAM_STOP_SETTLED));
		if (rows[i].told && !rows[i].told_first)
			tell(story_stream("u@x", "s1", 5 + i, EVENT_STREAM_TOLD));
		cr_assert_null(stream("s1"), "row %u", (unsigned)i);
		cr_assert_eq(user()->liabilities, STATE_NONE);
	}
	expect_gone();
}

Test(state_streams, liabilities_leave_the_list_from_any_place, .init = setup)
{
	static const char *const ids[] = { "s0", "s1", "s2", "s3", "s4" };
	static const unsigned order[] = { 2, 0, 4, 3, 1 };

	for (unsigned i = 0; i < 5; i++) {
		tell(story_opened("u@x", ids[i], 10 + i, "pa"));
		tell(story_closed("u@x", ids[i], 10 + i, true, false));
	}
	cr_assert_eq(state.streams_count, 5);
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert(user(), "its liabilities keep a user");
	for (unsigned i = 0; i < 5; i++) {
		cr_assert(user());
		tell(story_stream("u@x", ids[order[i]], 10 + order[i], EVENT_STREAM_TOLD));
	}
	cr_assert_null(user());
	cr_assert_eq(state.pool.used_bytes, 0);
}

Test(state_streams, a_stream_outlives_its_session, .init = setup)
{
	tell(story_opened("u@x", "s1", 5, "pa"));
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert(stream("s1") && user());
	tell(story_closed("u@x", "s1", 5, false, false));
	cr_assert_null(user());
	cr_assert_eq(state.pool.used_bytes, 0);
}

/* Each event of a stream, with an old seq, a wrong epoch, a wrong id: nothing happens. */
Test(state_streams, strangers_and_late_comers_are_old, .init = setup)
{
	struct stream_event events[] = {
		status(PHASE_STOPPING, "x"),
		moved(PHASE_SUSPECT, 9, true),
		story_closed("u@x", "s1", 5, false, false),
		story_stream("u@x", "s1", 5, EVENT_STREAM_TOLD),
		story_stream("u@x", "s1", 5, EVENT_STREAM_STOP_SETTLED),
	};

	tell(story_opened("u@x", "s1", 5, "pa"));
	tell(status(PHASE_LIVE, "d"));
	for (unsigned closed = 0; closed < 2; closed++) {
		uint64_t before = state_hash(&state);

		for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
			struct stream_event event = events[i];

			event.seq = seq;
			cr_expect_eq(apply(&event), STATE_E_OLD, "event %zu: same seq", i);
			event.seq = 100;
			event.epoch = 4;
			cr_expect_eq(apply(&event), STATE_E_OLD, "event %zu: older epoch", i);
			event.epoch = 6;
			cr_expect_eq(apply(&event), STATE_E_OLD, "event %zu: newer epoch", i);
			event.epoch = 5;
			event.stream_id = TEXT("s2");
			cr_expect_eq(apply(&event), STATE_E_OLD, "event %zu: another stream", i);
		}
		cr_expect_eq(state_hash(&state), before);
		if (!closed)
			tell(story_closed("u@x", "s1", 5, true, true));
	}
}

/* Newer than all that is known, but nothing that a registry says. */
Test(state_streams, what_makes_no_sense_is_no_news, .init = setup)
{
	struct stream_event events[] = {
		status(PHASE_CLOSED, "x"),
		moved(PHASE_NONE, 1, true),
		story_closed("u@x", "s1", 5, false, false),
		story_stream("u@x", "s1", 5, EVENT_STREAM_TOLD), /* it has not ended */
		story_stream("u@x", "s1", 5, EVENT_STREAM_STOP_SETTLED),
	};
	uint64_t before;

	events[2].stream_closed.end_cause = END_NONE;
	tell(story_opened("u@x", "s1", 5, "pa"));
	before = state_hash(&state);
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		events[i].seq = 100;
		cr_expect_eq(apply(&events[i]), STATE_E_OLD, "%s",
			     stream_event_name(events[i].type));
	}
	cr_assert_eq(state_hash(&state), before);
}

/* Of which nobody could say how it ends. */
Test(state_streams, a_stream_is_of_a_kind, .init = setup)
{
	struct stream_event opened = story_opened("u@x", "s1", 5, "pa");
	struct stream_event row = story_stream("u@x", "s1", 5, EVENT_SNAPSHOT_STREAM);

	opened.seq = row.seq = 100;
	opened.stream_opened.kind = KIND_NONE;
	row.snapshot_stream.phase = PHASE_LIVE;
	cr_expect_eq(apply(&opened), STATE_E_OLD);
	cr_expect_eq(apply(&row), STATE_E_OLD);
	row.snapshot_stream.kind = KIND_UNMANAGED;
	cr_expect_eq(apply(&row), 0);
}

/* I7: a closed stream does not come back, whatever is told of it. */
Test(state_streams, nothing_opens_a_closed_stream_again, .init = setup)
{
	tell(story_opened("u@x", "s1", 5, "pa"));
	tell(story_closed("u@x", "s1", 5, true, true));
	struct stream_event events[] = {
		status(PHASE_LIVE, ""),
		moved(PHASE_SUSPECT, 1, true),
		story_closed("u@x", "s1", 5, true, true),
	};

	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		events[i].seq = 100 + i;
		cr_expect_eq(apply(&events[i]), STATE_E_OLD, "%s",
			     stream_event_name(events[i].type));
		cr_expect_eq(stream("s1")->phase, PHASE_CLOSED);
	}
}

Test(state_streams, a_row_stands_for_a_record, .init = setup)
{
	struct stream_event row = story_stream("u@x", "s1", 5, EVENT_SNAPSHOT_STREAM);

	row.seq = 40;
	row.stream_seq = 7;
	row.snapshot_stream.kind = KIND_UNMANAGED;
	row.snapshot_stream.package = TEXT("pa");
	row.snapshot_stream.phase = PHASE_SUSPECT;
	row.snapshot_stream.missed = 2;
	row.snapshot_stream.opened_seq = 30;
	row.snapshot_stream.phase_seq = 39;
	row.snapshot_stream.status_seq = 35;
	row.snapshot_stream.status_stream_seq = 4;
	row.snapshot_stream.start_delivered = row.snapshot_stream.was_live = true;
	cr_assert_eq(apply(&row), 0);
	const struct state_stream *at = stream("s1");

	cr_assert_eq(state_active(&state, user()), at);
	cr_assert(at->phase == PHASE_SUSPECT && at->missed == 2 && at->epoch == 5);
	cr_assert(at->seq == 40 && at->stream_seq == 7 && at->opened_seq == 30 &&
		  at->activity_seq == 39 && at->status_seq == 35 && at->status_stream_seq == 4);
	cr_assert_eq(user()->last_epoch, 5);
	cr_assert_eq(apply(&row), STATE_E_OLD, "the same row twice");
	row.seq = 41;
	cr_assert_eq(apply(&row), 0);
	cr_assert_eq(state.active_count, 1);
}

/* The same stream in two rows, as it may stand when the story goes on while they are made. */
Test(state_streams, a_newer_row_of_the_same_stream, .init = setup)
{
	struct stream_event row = story_stream("u@x", "s1", 5, EVENT_SNAPSHOT_STREAM);

	row.snapshot_stream.kind = KIND_UNMANAGED;
	row.snapshot_stream.package = TEXT("pa");
	row.snapshot_stream.phase = PHASE_LIVE;
	row.seq = 40;
	cr_assert_eq(apply(&row), 0);
	row.seq = 41;
	row.snapshot_stream.phase = PHASE_CLOSED;
	row.snapshot_stream.end_cause = END_APP_STOP;
	row.snapshot_stream.hop = HOP_APP;
	row.snapshot_stream.told_owed = row.snapshot_stream.stop_owed = true;
	cr_assert_eq(apply(&row), 0);
	cr_assert_eq(state.active_count, 0);
	row.seq = 42;
	row.snapshot_stream.stop_owed = false;
	cr_assert_eq(apply(&row), 0);
	struct stream_event told = story_stream("u@x", "s1", 5, EVENT_STREAM_TOLD);

	told.seq = 43;
	cr_assert_eq(apply(&told), 0);
	cr_assert_eq(state.streams_count, 0);
}

/* The last epoch outlives its stream: an order that names it must not look older than it is. */
Test(state_streams, the_row_of_a_session_knows_the_last_epoch, .init = setup)
{
	struct stream_event row;
	uint64_t cursor = 0;

	tell(story_opened("u@x", "s1", 5, "pa"));
	tell(story_closed("u@x", "s1", 5, false, false));
	cr_assert(state_row(&state, &cursor, &row));
	cr_assert_eq(row.type, EVENT_SESSION_OPENED);
	cr_assert_eq(row.epoch, 5);
	state_clear(&state);
	cr_assert_null(user());
	row.user_id = TEXT("u@x");
	cr_assert_eq(apply(&row), 0);
	cr_assert_eq(user()->last_epoch, 5);
	struct stream_event late = story_opened("u@x", "s1", 5, "pa");

	late.seq = 100;
	cr_assert_eq(apply(&late), STATE_E_OLD);
}

/* Two streams of a user in the rows: the older one's end is still to be heard. */
Test(state_streams, of_two_active_rows_the_newer_holds_the_slot, .init = setup)
{
	for (unsigned newer_first = 0; newer_first < 2; newer_first++) {
		struct stream_event rows[2] = {
			story_stream("u@x", "s1", 5, EVENT_SNAPSHOT_STREAM),
			story_stream("u@x", "s2", 6, EVENT_SNAPSHOT_STREAM),
		};
		struct stream_event closed = story_closed("u@x", "s1", 5, false, false);

		for (unsigned i = 0; i < 2; i++) {
			unsigned index = newer_first ? 1 - i : i;

			rows[index].seq = 40 + index;
			rows[index].snapshot_stream.kind = KIND_UNMANAGED;
			rows[index].snapshot_stream.phase = PHASE_LIVE;
			cr_assert_eq(apply(&rows[index]), 0);
		}
		cr_assert_eq(state_active(&state, user()), stream("s2"));
		cr_assert_eq(state.active_count, 1);
		closed.seq = 45;
		cr_assert_eq(apply(&closed), 0);
		cr_assert_eq(state_active(&state, user()), stream("s2"));
		cr_assert_eq(state.active_count, 1);
		cr_assert_eq(state.streams_count, 1);
		state_clear(&state);
		cr_assert_eq(state.active_count, 0);
	}
}
