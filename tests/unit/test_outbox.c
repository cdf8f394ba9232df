/* SPDX-License-Identifier: MIT */
/* Goal: the story leaves only after it was stored, whole and without secrets; beacons say what
 * comes next; operational events are numbered even when they are dropped; counters reach the
 * list.  Method: store and publisher are fakes that record.
 */
#include <errno.h>
#include <stdio.h>

#include <criterion/criterion.h>

#include "common/intake.h"
#include "common/metrics.h"
#include "common/outbox.h"
#include "tests/lib/bus.h"

#define US UINT64_C(0x5e17e1)

static struct outbox outbox;
static struct bus_line published;
static struct {
	size_t calls, events;
	uint64_t last_seq;
	int result;
	char url[64];
} stored;

static int port_commit(void *context, const struct stream_event *const *events, size_t count,
		       const struct peer_mark *marks, size_t mark_count)
{
	(void)context;
	(void)marks;
	(void)mark_count;
	stored.calls++;
	if (stored.result < 0)
		return stored.result;
	cr_assert_eq(bus_count(&published), 0, "spoken before it is stored");
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(events[i]->seq, stored.last_seq + 1);
		stored.last_seq = events[i]->seq;
		text_put(events[i]->stream_opened.rtmp_url, stored.url, sizeof stored.url);
	}
	stored.events += count;
	return 0;
}

static const struct store_port store = { .commit = port_commit };

static void publish(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	bus_put(&published, frame, length);
}

static void open_outbox(const struct store_port *port, bool beacons)
{
	const struct outbox_options options = { .name = "registry",
						.incarnation = US,
						.store = port,
						.beacons = beacons,
						.publish = publish };

	cr_assert_eq(outbox_init(&outbox, &options), 0);
}

static void teardown(void)
{
	outbox_fini(&outbox);
	bus_drop(&published);
}

TestSuite(outbox, .fini = teardown);

static void tell(uint64_t seq)
{
	char url[] = "rtmp://host/app/key";
	struct stream_event event = { .type = EVENT_STREAM_OPENED,
				      .source = TEXT("registry"),
				      .incarnation = US,
				      .seq = seq,
				      .stream_opened.rtmp_url = text_of(url) };

	outbox_story(&outbox, &event);
	memset(url, 'x', sizeof url - 1); /* the core's memory changes at once */
}

static struct intake intake;
static struct bus_frame frame;

/* Open the next published frame. */
static void next_published(const char *topic, uint64_t first, size_t count)
{
	free(frame.bytes);
	frame = bus_take(&published);
	cr_assert_gt(frame.length, 0);
	cr_assert(intake_open(&intake, frame.bytes, frame.length, topic));
	cr_assert_eq(intake.head.incarnation, US);
	cr_assert_eq(intake.head.first_seq, first);
	cr_assert_eq(intake.head.count, count);
}

Test(outbox, a_pass_is_stored_at_once_and_then_told_without_secrets)
{
	struct stream_event event;
	uint64_t number;

	open_outbox(&store, false);
	tell(1);
	tell(2);
	tell(3);
	cr_assert_eq(stored.calls, 0);
	cr_assert_eq(outbox_commit(&outbox, NULL, 0), 0);
	cr_assert_eq(stored.calls, 1);
	cr_assert_eq(stored.events, 3);
	cr_assert_str_eq(stored.url, "rtmp://host/app/key", "the store gets secrets, as they were");
	cr_assert_eq(bus_count(&published), 0);
	outbox_flush(&outbox, 0);
	next_published(TOPIC_STORY, 1, 3);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		cr_assert_eq(intake_next(&intake, &event, &number), 0);
		cr_assert_eq(event.seq, seq);
		cr_assert_eq(event.stream_opened.rtmp_url.length, 0);
	}
	cr_assert_eq(outbox_commit(&outbox, NULL, 0), 0);
	cr_assert_eq(stored.calls, 1, "nothing new: no call");
}

Test(outbox, a_failed_commit_is_reported_and_tells_nothing)
{
	open_outbox(&store, false);
	stored.result = -EIO;
	tell(1);
	cr_assert_eq(outbox_commit(&outbox, NULL, 0), -EIO);
	cr_assert_eq(bus_count(&published), 0);
}

Test(outbox, without_a_store_the_story_is_just_told)
{
	open_outbox(NULL, false);
	tell(5);
	cr_assert_eq(outbox_commit(&outbox, NULL, 0), 0);
	outbox_flush(&outbox, 0);
	next_published(TOPIC_STORY, 5, 1);
}

Test(outbox, beacons_say_what_comes_next)
{
	open_outbox(&store, true);
	outbox_flush(&outbox, 0);
	cr_assert_eq(bus_count(&published), 0, "what comes next is not known yet");
	stored.last_seq = 41;
	outbox_begin_story(&outbox, 42);
	outbox_flush(&outbox, 1000);
	next_published(TOPIC_STORY, 42, 0);
	cr_assert_eq(outbox_deadline(&outbox), 1000 + OUTBOX_BEACON_MS);
	tell(42);
	cr_assert_eq(outbox_commit(&outbox, NULL, 0), 0);
	outbox_flush(&outbox, 1000 + OUTBOX_BEACON_MS);
	next_published(TOPIC_STORY, 42, 1);
	next_published(TOPIC_STORY, 43, 0);
}

Test(outbox, room_ends_in_time)
{
	uint64_t seq = 0;

	open_outbox(&store, false);
	while (outbox_has_room(&outbox) && seq < 100000)
		tell(++seq);
	/* After the last input that had room, a whole list of effects still fitted. */
	cr_assert_geq(seq, OUTBOX_KEPT_MAX - EFFECTS_MAX);
	cr_assert_leq(seq, OUTBOX_KEPT_MAX - EFFECTS_MAX + 1);
	for (int i = 0; i < EFFECTS_MAX - 1; i++)
		tell(++seq);
	cr_assert_eq(outbox_commit(&outbox, NULL, 0), 0);
	cr_assert_eq(stored.events, seq);
	outbox_flush(&outbox, 0);
	cr_assert(outbox_has_room(&outbox));
}

Test(outbox, what_has_been_done_already_is_stored_with_what_comes_next)
{
	static const struct {
		enum stream_event_type type;
		bool pressing;
	} rows[] = { { EVENT_STREAM_TOLD, false },	    { EVENT_STREAM_STOP_SETTLED, false },
		     { EVENT_STREAM_INPUT_SETTLED, false }, { EVENT_STREAM_MOVED, false },
		     { EVENT_STREAM_CLOSED, true },	    { EVENT_STREAM_TOLD, true } };

	open_outbox(&store, false);
	for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stream_event event = { .type = rows[i].type, .seq = i + 1 };

		outbox_story(&outbox, &event);
		cr_assert_eq(outbox_is_pressing(&outbox), rows[i].pressing, "%s",
			     stream_event_name(event.type));
	}
	cr_assert_eq(outbox_commit(&outbox, NULL, 0), 0);
	cr_assert_not(outbox_is_pressing(&outbox));
}

/* An event with as much text as a follower can be told. */
static void tell_at_length(uint64_t seq)
{
	static char options[OPTION_MAX];
	struct text text = { options, sizeof options };
	struct stream_event event = { .type = EVENT_STREAM_OPENED,
				      .source = TEXT("registry"),
				      .incarnation = US,
				      .seq = seq,
				      .stream_opened = {
					      .video = text, .audio = text, .options = text } };

	memset(options, 'x', sizeof options);
	outbox_story(&outbox, &event);
}

Test(outbox, room_ends_in_time_for_long_texts_too)
{
	uint64_t seq = 0, events;

	open_outbox(&store, false);
	while (outbox_has_room(&outbox))
		tell_at_length(++seq);
	cr_assert_lt(seq, OUTBOX_KEPT_MAX - EFFECTS_MAX, "bytes end first");
	events = seq;
	for (int i = 0; i < EFFECTS_MAX - 1; i++)
		tell_at_length(++seq);
	cr_assert_eq(outbox_commit(&outbox, NULL, 0), 0);
	cr_assert_eq(stored.events, seq);
	bus_drop(&published);
	teardown();

	open_outbox(NULL, false); /* nothing is kept, but all of it waits to be published */
	for (seq = 0; outbox_has_room(&outbox);)
		tell_at_length(++seq);
	cr_assert_gt(seq, events);
	for (int i = 0; i < EFFECTS_MAX - 1; i++)
		tell_at_length(++seq);
	outbox_flush(&outbox, 0);
	cr_assert(outbox_has_room(&outbox));
}

Test(outbox, what_had_no_room_shows_as_a_gap)
{
	static uint8_t counters[METRICS_LIST_SIZE];
	static struct metrics metrics;
	static char names[METRICS_MAX][32];
	struct stream_event event = { .type = EVENT_ACTOR_METRICS };
	uint64_t expected = 1;
	size_t gaps = 0;

	for (size_t i = 0; i < METRICS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "counter.with.a.longer.name.%zu", i);
		metrics_add(&metrics, names[i], UINT64_MAX);
	}
	event.actor_metrics.counters = metrics_list(&metrics, counters);
	cr_assert_gt(event.actor_metrics.counters.length, 5000);
	open_outbox(NULL, false);
	while (outbox.stats.ops_dropped < 3)
		outbox_ops(&outbox, &event);
	outbox_flush(&outbox, 0);
	outbox_ops(&outbox, &event);
	outbox_flush(&outbox, 0);
	while (bus_count(&published) > 0) {
		struct frame_head head;
		struct wire wire;

		free(frame.bytes);
		frame = bus_take(&published);
		cr_assert(frame_read(frame.bytes, frame.length, &head, &wire));
		gaps += head.first_seq != expected;
		expected = head.first_seq + head.count;
	}
	cr_assert_eq(gaps, 1);
	cr_assert_eq(expected, outbox.ops_next);
	cr_assert_eq(outbox.stats.ops, outbox.ops_next - 1 - 3);
}

/* metrics */

Test(metrics, equal_names_are_one_counter_wherever_they_are)
{
	static struct metrics metrics;
	char copy[] = "test.counter";

	metrics_add(&metrics, "test.counter", 2);
	metrics_add(&metrics, "test.counter", 3);
	metrics_add(&metrics, copy, 1);
	metrics_set(&metrics, "test.gauge", 9);
	metrics_set(&metrics, "test.gauge", 4);
	cr_assert_eq(metrics_value(&metrics, "test.counter"), 6);
	cr_assert_eq(metrics_value(&metrics, "test.gauge"), 4);
	cr_assert_eq(metrics_value(&metrics, "test.other"), 0);
}

Test(metrics, the_list_has_names_and_values)
{
	static struct metrics metrics;
	uint8_t bytes[METRICS_LIST_SIZE];
	struct text name;
	struct wire wire;
	uint32_t count, two;
	uint64_t value;

	metrics_add(&metrics, "a", 1);
	metrics_add(&metrics, "zero", 0);
	metrics_add(&metrics, "b", 300);
	cr_assert(list_read(metrics_list(&metrics, bytes), &wire, &count));
	cr_assert_eq(count, 2);
	cr_assert(wire_array(&wire, &two) && two == 2);
	cr_assert(wire_text(&wire, &name) && text_is(name, "a"));
	cr_assert(wire_u64(&wire, &value) && value == 1);
	cr_assert(wire_array(&wire, &two) && two == 2);
	cr_assert(wire_text(&wire, &name) && text_is(name, "b"));
	cr_assert(wire_u64(&wire, &value) && value == 300);
}

Test(metrics, one_name_too_many_is_counted_as_such)
{
	static struct metrics metrics;
	static char names[METRICS_MAX + 1][8];

	for (size_t i = 0; i <= METRICS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "m%zu", i);
		metrics_add(&metrics, names[i], i + 1);
	}
	cr_assert_eq(metrics.count, METRICS_MAX);
	cr_assert_eq(metrics.refused, 1);
	for (size_t i = 0; i < METRICS_MAX; i++)
		cr_assert_eq(metrics_value(&metrics, names[i]), i + 1);
}

Test(outbox, nobody_hears_operational_events_but_their_numbers_go_on)
{
	struct stream_event event = { .type = EVENT_ACTOR_METRICS };
	struct frame_head head;
	struct wire wire;

	open_outbox(NULL, false);
	outbox.deaf = true;
	outbox_ops(&outbox, &event);
	outbox_flush(&outbox, 0);
	cr_assert_eq(bus_count(&published), 0);
	outbox.deaf = false;
	outbox_ops(&outbox, &event);
	outbox_flush(&outbox, 0);
	frame = bus_take(&published);
	cr_assert(frame_read(frame.bytes, frame.length, &head, &wire));
	cr_assert_eq(head.first_seq, 2);
}
