/* SPDX-License-Identifier: MIT */
/* Goal: each story event of a managed stream changes exactly what it says, and its rows say it all.
 * Method: every event by hand, the state audited after each; every pair of row and event in both
 * orders.  Malformed rows: test_state_lists.c; random stories: test_state_story.c.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/state.h"
#include "tests/lib/fakes.h"
#include "tests/lib/state_audit.h"
#include "tests/lib/story.h"

#define GATEWAY UINT64_C(10)

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

static void tell(struct stream_event event)
{
	event.seq = ++seq;
	event.stream_seq = event.epoch ? seq : 0;
	event.sent_ms = (int64_t)(1000 * seq);
	cr_assert_eq(apply(&event), 0, "%s was not taken", stream_event_name(event.type));
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
	seq = 0;
	tell(story_gateway(GATEWAY, LINK_UP));
	tell(story_session("u@x", EVENT_SESSION_OPENED));
	tell(story_app_up("u@x", "pa", GATEWAY, 1));
	tell(story_app_up("u@x", "pb", GATEWAY, 2));
	event.stream_opened.kind = KIND_MANAGED;
	event.stream_opened.package = TEXT("pa");
	event.stream_opened.provider = PROVIDER_CLOUDFLARE;
	tell(event);
}

static struct state_stream *stream(void)
{
	return state_stream_find(&state, TEXT("m1"));
}

static struct state_managed *managed(void)
{
	return state_managed_of(&state, stream());
}

static bool says(struct pooled kept, const char *text)
{
	return text_is(state_text(&state, kept), text);
}

static struct stream_event joined(const char *package)
{
	struct stream_event event = of(EVENT_STREAM_JOINED);

	event.stream_joined.package = text_of(package);
	return event;
}

static struct stream_event left(const char *package, bool told_owed)
{
	struct stream_event event = of(EVENT_STREAM_LEFT);

	event.stream_left.package = text_of(package);
	event.stream_left.told_owed = told_owed;
	return event;
}

static struct stream_event told(const char *package)
{
	struct stream_event event = of(EVENT_STREAM_TOLD);

	event.stream_told.package = text_of(package);
	return event;
}

static struct stream_event provisioned(enum phase phase)
{
	struct stream_event event = of(EVENT_STREAM_PROVISIONED);

	event.stream_provisioned.input_id = TEXT("in1");
	event.stream_provisioned.ingest = TEXT("rtmp://h/live/key");
	event.stream_provisioned.hls = TEXT("https://h/1");
	event.stream_provisioned.phase = phase;
	return event;
}

static struct stream_event closed(enum end_cause cause)
{
	struct stream_event event = story_closed("u@x", "m1", 5, true, false);

	event.stream_closed.end_cause = cause;
	event.stream_closed.input_owed = true;
	return event;
}

static struct stream_event output(uint64_t number, enum output_state told_state, const char *url)
{
	struct stream_event event = of(EVENT_STREAM_OUTPUT);

	event.stream_output.output = number;
	event.stream_output.state = told_state;
	event.stream_output.package = TEXT("pa");
	event.stream_output.url = text_of(url);
	return event;
}

static enum viewer viewer(const char *package)
{
	const struct state_viewer *found = state_viewer_find(&state, stream(), text_of(package));

	return found ? (enum viewer)found->state : VIEWER_NONE;
}

static void expect_gone(void)
{
	cr_assert_null(stream());
	tell(story_session("u@x", EVENT_SESSION_CLOSED));
	cr_assert_eq(state.users_count + state.apps_count + state.streams_count, 0);
	cr_assert_eq(state.pool.used_bytes, 0);
}

/* Events ----------------------------------------------------------------------------------- */

Test(state_managed, the_owner_watches_first, .init = setup)
{
	cr_assert_eq(viewer("pa"), VIEWER_WATCHING);
	cr_assert_eq(managed()->provider, PROVIDER_CLOUDFLARE);
	cr_assert_eq(managed()->input, INPUT_WANTED);
	cr_assert_eq(state_viewers_watching(&state, stream()), 1);
	cr_assert_not(stream()->told_owed || stream()->input_owed);
	cr_assert_null(state_viewer_find(&state, stream(), TEXT("pb")));
}

Test(state_managed, viewers_come_and_go, .init = setup)
{
	tell(joined("pb"));
	tell(joined("pa"));
	cr_assert_eq(state_viewers_watching(&state, stream()), 2);
	tell(left("pa", true));
	cr_assert_eq(viewer("pa"), VIEWER_OWED);
	cr_assert(stream()->told_owed);
	tell(told("pb"));
	tell(told("nobody"));
	cr_assert_eq(viewer("pb"), VIEWER_WATCHING, "who watches is not owed");
	tell(told("pa"));
	cr_assert_eq(viewer("pa"), VIEWER_NONE);
	cr_assert_not(stream()->told_owed);
	tell(left("pa", true));
	cr_assert_eq(viewer("pa"), VIEWER_NONE, "who is not there cannot leave");
	tell(left("pb", false));
	cr_assert_eq(viewer("pb"), VIEWER_NONE);
	cr_assert(stream(), "only its end ends it");
}

Test(state_managed, an_end_owes_those_who_can_be_reached, .init = setup)
{
	struct stream_event lost = story_app("u@x", "pb", APP_GRACE);

	tell(joined("pb"));
	cr_assert(state_viewers_owed(&state, stream(), END_APP_STOP));
	cr_assert_not(state_viewers_owed(&state, stream(), END_PROVIDER_ERROR),
		      "it never began: who asked is refused");
	tell(lost);
	tell(closed(END_ACKS_MISSED));
	cr_assert_eq(viewer("pa"), VIEWER_OWED);
	cr_assert_eq(viewer("pb"), VIEWER_NONE);
	tell(told("pa"));
	cr_assert_not(stream()->told_owed);
	cr_assert(stream()->input_owed);
	tell(of(EVENT_STREAM_INPUT_SETTLED));
	expect_gone();
}

Test(state_managed, what_never_began_owes_nobody_but_the_provider, .init = setup)
{
	struct stream_event event = closed(END_PROVIDER_ERROR);

	event.stream_closed.told_owed = false;
	tell(event);
	cr_assert_eq(viewer("pa"), VIEWER_NONE);
	cr_assert(stream()->input_owed);
	tell(of(EVENT_STREAM_INPUT_SETTLED));
	expect_gone();
}

Test(state_managed, an_input_comes_and_goes, .init = setup)
{
	tell(provisioned(PHASE_PROVISIONING));
	cr_assert_eq(stream()->phase, PHASE_PROVISIONING);
	cr_assert_eq(managed()->input, INPUT_READY);
	cr_assert(says(stream()->rtmp_url, "rtmp://h/live/key"));
	tell(closed(END_DEVICE_STOPPED));
	cr_assert_eq(stream()->rtmp_url.length, 0);
	cr_assert_eq(managed()->input, INPUT_OWED);
	cr_assert(says(managed()->hls, "https://h/1"), "its viewers are told of the end with it");
	tell(of(EVENT_STREAM_INPUT_SETTLED));
	cr_assert_eq(managed()->input, INPUT_GONE);
	tell(told("pa"));
	expect_gone();
}

Test(state_managed, what_is_published_leaves_the_url_as_it_was, .init = setup)
{
	struct stream_event event = provisioned(PHASE_PROVISIONING);

	cr_assert(pool_replace(&state.pool, TEXT("rtmp://mine"), &stream()->rtmp_url));
	event.stream_provisioned.ingest = (struct text){ 0 };
	tell(event);
	cr_assert(says(stream()->rtmp_url, "rtmp://mine"));
}

/* Each that does not fit the phase, and each that makes no sense. */
Test(state_managed, what_makes_no_sense_is_no_news, .init = setup)
{
	struct stream_event events[8];
	unsigned count = 0;

	events[count++] = of(EVENT_STREAM_INPUT_SETTLED);
	events[count++] = provisioned(PHASE_CLOSED);
	events[count++] = provisioned(PHASE_NONE);
	events[count++] = joined("");
	events[count++] = output(0, OUTPUT_NEW, "");
	events[count++] = output(1, OUTPUT_NONE, "");
	events[count++] = output(STATE_OUTPUT_NUMBER_MAX, OUTPUT_NEW, "");
	for (unsigned i = 0; i < count; i++) {
		events[i].seq = 100;
		cr_expect_eq(apply(&events[i]), STATE_E_OLD, "%u", i);
	}
	tell(closed(END_APP_STOP));
	count = 0;
	events[count++] = joined("pb");
	events[count++] = left("pa", false);
	events[count++] = of(EVENT_STREAM_INGEST);
	events[count++] = of(EVENT_STREAM_PLAYBACK);
	events[count++] = provisioned(PHASE_PROVISIONING);
	events[count++] = output(1, OUTPUT_NEW, "rtmp://a/b/1");
	events[count++] = of(EVENT_SNAPSHOT_OUTPUTS);
	events[count++] = of(EVENT_PROVIDER_CREATE);
	for (unsigned i = 0; i < count; i++) {
		events[i].seq = 100;
		cr_expect_eq(apply(&events[i]), STATE_E_OLD, "closed, %u", i);
	}
}

Test(state_managed, an_unmanaged_stream_has_no_such_half, .init = setup)
{
	static const enum stream_event_type types[] = {
		EVENT_STREAM_JOINED,	EVENT_STREAM_LEFT,	EVENT_STREAM_PROVISIONED,
		EVENT_STREAM_INGEST,	EVENT_STREAM_PLAYBACK,	EVENT_STREAM_OUTPUT,
		EVENT_SNAPSHOT_MANAGED, EVENT_SNAPSHOT_OUTPUTS, EVENT_STREAM_INPUT_SETTLED,
	};

	tell(story_opened("v@x", "s9", 9, "pa"));
	uint64_t hash = state_hash(&state);

	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct stream_event event = story_stream("v@x", "s9", 9, types[i]);

		event.seq = 100;
		if (types[i] == EVENT_STREAM_JOINED)
			event.stream_joined.package = TEXT("pa");
		cr_expect_eq(apply(&event), STATE_E_OLD, "%s", stream_event_name(types[i]));
	}
	cr_assert_eq(state_hash(&state), hash);
	/* Not even what an earlier stream has left in this slot. */
	const struct state_stream *plain = state_stream_find(&state, TEXT("s9"));

	memset(state_managed_of(&state, plain), 1, sizeof(struct state_managed));
	memset(state_outputs_of(&state, plain), 1, sizeof(struct state_outputs));
	cr_assert_null(state_viewer_find(&state, plain, TEXT("pa")));
	cr_assert_eq(state_viewers_watching(&state, plain), 0);
	cr_assert_not(state_viewers_owed(&state, plain, END_APP_STOP));
	cr_assert_null(state_output_find(&state, plain, 0x01010101));
}

/* A slot that an earlier stream left, and one left by another state altogether. */
Test(state_managed, a_slot_is_used_again, .init = setup)
{
	tell(joined("pb"));
	tell(output(1, OUTPUT_NEW, "rtmp://a/b/1"));
	tell(provisioned(PHASE_PROVISIONING));
	for (unsigned clear = 0; clear < 2; clear++) {
		struct stream_event event = story_stream("w@x", "m7", 7, EVENT_STREAM_OPENED);

		if (clear) {
			state_clear(&state);
			event.epoch = 8;
		} else {
			tell(left("pb", false));
			tell(left("pa", false));
			tell(closed(END_APP_STOP));
			tell(of(EVENT_STREAM_INPUT_SETTLED));
		}
		event.stream_opened.kind = KIND_MANAGED;
		tell(event);
		const struct state_stream *fresh = state_stream_find(&state, TEXT("m7"));

		cr_assert_eq(fresh, &state.streams[0]);
		cr_assert_eq(state_viewers_watching(&state, fresh), 0);
		cr_assert_null(state_output_find(&state, fresh, 1));
		cr_assert_eq(state_outputs_of(&state, fresh)->next_number, 1);
		cr_assert_eq(state_managed_of(&state, fresh)->input_id.length, 0);
	}
}

Test(state_managed, outputs_stand_in_order, .init = setup)
{
	struct stream_event changed = output(2, OUTPUT_ACTIVE, "");

	tell(output(1, OUTPUT_NEW, "rtmp://a/b/1"));
	tell(output(3, OUTPUT_NEW, "rtmp://a/b/3"));
	tell(output(2, OUTPUT_NEW, "rtmp://a/b/2"));
	tell(changed);
	cr_assert(says(state_output_find(&state, stream(), 2)->url, "rtmp://a/b/2"));
	cr_assert_eq(state_output_find(&state, stream(), 2)->state, OUTPUT_ACTIVE);
	tell(output(1, OUTPUT_REMOVED, ""));
	cr_assert_null(state_output_find(&state, stream(), 1));
	cr_assert_eq(state_outputs_of(&state, stream())->items[0].number, 2);
	cr_assert_eq(state_outputs_of(&state, stream())->next_number, 4);
	tell(output(9, OUTPUT_REMOVED, ""));
	cr_assert_eq(state_outputs_of(&state, stream())->next_number, 10);
}

Test(state_managed, one_past_what_fits, .init = setup)
{
	struct stream_event event;
	char name[16];

	for (unsigned i = 1; i <= OUTPUTS_MAX; i++)
		tell(output(i, OUTPUT_NEW, "rtmp://a/b/1"));
	event = output(OUTPUTS_MAX + 1, OUTPUT_NEW, "rtmp://a/b/1");
	event.seq = ++seq;
	cr_assert_eq(apply(&event), STATE_E_FULL);
	for (unsigned i = 1; i < VIEWERS_MAX; i++) {
		(void)snprintf(name, sizeof name, "v%u", i);
		tell(joined(name));
	}
	event = joined("more");
	event.seq = ++seq;
	cr_assert_eq(apply(&event), STATE_E_FULL);
	cr_assert_eq(state_viewers_watching(&state, stream()), VIEWERS_MAX);
}

/* Rows ------------------------------------------------------------------------------------- */

static struct state copy;

static void copy_open(void)
{
	state_init(&copy, &state.options, fake_memory(state_bytes(&state.options)));
}

static void copy_rows(bool secrets)
{
	static uint8_t bytes[STREAM_EVENT_WIRE_MAX];
	uint64_t cursor = 0;
	struct stream_event row;

	while (state_row(&state, &cursor, &row)) {
		ssize_t length = stream_event_encode(
			&row, secrets ? STREAM_EVENT_ADDRESSED : STREAM_EVENT_PUBLIC, bytes,
			sizeof bytes);
		struct wire wire = { bytes, bytes + length };

		cr_assert(length > 0 && stream_event_read(&wire, &row) == 0);
		cr_assert_eq(state_apply(&copy, &row), 0, "%s", stream_event_name(row.type));
		state_settle(&copy);
	}
	const char *wrong = state_audit(&copy, true);

	cr_assert(!wrong, "%s", wrong);
}

static void fill(void)
{
	char name[PACKAGE_MAX + 1], url[OUTPUT_URL_MAX + 1];

	for (unsigned i = 1; i < VIEWERS_MAX; i++) {
		(void)snprintf(name, sizeof name, "%0*u", PACKAGE_MAX, i);
		tell(joined(name));
	}
	tell(left(name, true));
	for (unsigned i = 1; i <= OUTPUTS_MAX; i++) {
		struct stream_event event = output(i, OUTPUT_ERROR, "");

		(void)snprintf(url, sizeof url, "%0*u", OUTPUT_URL_MAX, i);
		event.stream_output.url = text_of(url);
		event.stream_output.name = (struct text){ url, OUTPUT_NAME_MAX };
		event.stream_output.error = (struct text){ url, OUTPUT_ERROR_MAX };
		event.stream_output.remote_id = (struct text){ url, INPUT_ID_MAX };
		event.stream_output.package = (struct text){ url, PACKAGE_MAX };
		event.stream_output.initial = i % 2;
		tell(event);
	}
}

/* Every list at its longest. */
Test(state_managed, rows_say_it_all, .init = setup)
{
	fill();
	tell(provisioned(PHASE_PROVISIONING));
	copy_open();
	copy_rows(true);
	cr_assert_eq(state_hash(&copy), state_hash(&state));
	const struct state_stream *there = state_stream_find(&copy, TEXT("m1"));

	cr_assert(text_is(state_text(&copy, there->rtmp_url), "rtmp://h/live/key"));
	cr_assert_eq(state_output_find(&copy, there, OUTPUTS_MAX)->url.length, OUTPUT_URL_MAX);
	cr_assert(state_output_find(&copy, there, 1)->initial);
	cr_assert(there->told_owed);
}

Test(state_managed, the_ingest_is_in_rows_until_the_end, .init = setup)
{
	struct stream_event moved = of(EVENT_STREAM_MOVED);

	tell(provisioned(PHASE_PROVISIONING));
	moved.stream_moved.phase = PHASE_STARTING;
	moved.stream_moved.start_delivered = true;
	tell(moved);
	copy_open();
	copy_rows(true);
	cr_assert(text_is(state_text(&copy, state_stream_find(&copy, TEXT("m1"))->rtmp_url),
			  "rtmp://h/live/key"));
	tell(closed(END_APP_STOP));
	copy_open();
	copy_rows(true);
	cr_assert_eq(state_stream_find(&copy, TEXT("m1"))->rtmp_url.length, 0);
}

/* What operators and the scheduler get. */
Test(state_managed, rows_without_secrets, .init = setup)
{
	static const char *const secrets[] = { "rtmp://", "key" };

	tell(output(1, OUTPUT_NEW, "rtmp://a/b/key"));
	tell(provisioned(PHASE_PROVISIONING));
	copy_open();
	copy_rows(false);
	const struct state_stream *there = state_stream_find(&copy, TEXT("m1"));

	cr_assert_eq(there->rtmp_url.length, 0);
	cr_assert_null(state_output_find(&copy, there, 1));
	for (unsigned i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
		cr_assert_null(memmem(copy.pool.region, copy.pool.page_next * POOL_PAGE_SIZE,
				      secrets[i], strlen(secrets[i])));
	/* And goes on from there. */
	struct stream_event event = output(1, OUTPUT_ACTIVE, "");

	event.seq = ++seq;
	cr_assert_eq(state_apply(&copy, &event), 0);
	cr_assert_eq(state_output_find(&copy, there, 1)->state, OUTPUT_ACTIVE);
}

Test(state_managed, a_closed_one_stays_by_its_own_row, .init = setup)
{
	tell(output(1, OUTPUT_NEW, "rtmp://a/b/key"));
	tell(left("pa", false));
	tell(closed(END_APP_STOP));
	cr_assert(stream()->input_owed && !stream()->told_owed && !stream()->stop_owed);
	copy_open();
	copy_rows(true);
	cr_assert_eq(state_hash(&copy), state_hash(&state));
	cr_assert(state_stream_find(&copy, TEXT("m1"))->input_owed);
	cr_assert_null(state_output_find(&copy, state_stream_find(&copy, TEXT("m1")), 1),
		       "what has ended goes nowhere");
}

/* The row of a record that was forgotten meanwhile never comes: what made it so does. */
Test(state_managed, a_closed_one_is_forgotten_between_its_rows, .init = setup)
{
	struct stream_event row, event = of(EVENT_STREAM_INPUT_SETTLED);
	uint64_t cursor = 0;

	tell(left("pa", false));
	tell(closed(END_APP_STOP));
	copy_open();
	while (state_row(&state, &cursor, &row)) {
		cr_assert_eq(state_apply(&copy, &row), 0);
		if (row.type == EVENT_SNAPSHOT_STREAM)
			break;
	}
	cr_assert(state_stream_find(&copy, TEXT("m1")));
	event.seq = ++seq;
	cr_assert_eq(state_apply(&copy, &event), 0);
	cr_assert_null(state_stream_find(&copy, TEXT("m1")));
	cr_assert_eq(state_apply(&copy, &event), STATE_E_OLD);
}

/* Rows later than the event, and the event later than the rows. */
Test(state_managed, rows_and_story_in_any_order, .init = setup)
{
	struct stream_event events[9];
	struct stream_event first_row = { 0 }, row;
	unsigned count = 0;

	events[count++] = joined("pb");
	events[count++] = provisioned(PHASE_PROVISIONING);
	events[count++] = left("pa", true);
	events[count++] = output(1, OUTPUT_NEW, "rtmp://a/b/1");
	events[count++] = told("pa");
	events[count++] = output(1, OUTPUT_REMOVED, "");
	events[count++] = closed(END_APP_STOP);
	events[count++] = of(EVENT_STREAM_INPUT_SETTLED);
	for (unsigned at = 0; at < count; at++) {
		uint64_t cursor = 0;

		/* The stream's own row as it was before the event, its others as they are behind
		 * it.
		 */
		copy_open();
		while (state_row(&state, &cursor, &row)) {
			(void)state_apply(&copy, &row);
			first_row = row.type == EVENT_SNAPSHOT_STREAM ? row : first_row;
			if (row.type == EVENT_SNAPSHOT_STREAM)
				break;
		}
		tell(events[at]);
		while (state_row(&state, &cursor, &row)) {
			(void)state_apply(&copy, &row);
			state_settle(&copy);
		}
		events[at].seq = seq;
		events[at].stream_seq = seq;
		events[at].sent_ms = (int64_t)(1000 * seq);
		(void)state_apply(&copy, &events[at]);
		cr_assert_eq(state_hash(&copy), state_hash(&state), "event %u", at);
	}
}
