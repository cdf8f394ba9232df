/* SPDX-License-Identifier: MIT */
/* Goal: rows of managed streams become records in any order, broken lists do no harm; an input that
 * is owed makes a stream stuck one millisecond past its bound; check counts inputs and quota;
 * answers of the managed-adapter count once however often they come.  Method: rows by hand.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_check.h"
#include "actors/tap/tap_inputs.h"
#include "actors/tap/tap_stuck.h"
#include "proto/list.h"

#define NOW_MS INT64_C(1764000000000)

static struct mirror mirror;
static uint64_t rows;

static bool apply(struct stream_event event)
{
	bool complete;

	rows++;
	return mirror_apply(&mirror, &event, &complete);
}

static void setup(void)
{
	mirror_init(&mirror);
	(void)apply((struct stream_event){ .type = EVENT_SNAPSHOT_BEGIN });
	rows = 0;
}

static void teardown(void)
{
	mirror_fini(&mirror);
}

TestSuite(tap_managed, .init = setup, .fini = teardown);

static void stream(const char *id, enum kind kind, enum phase phase, int64_t age_ms)
{
	cr_assert(!apply((struct stream_event){ .type = EVENT_SNAPSHOT_STREAM,
						.stream_id = text_of(id),
						.user_id = TEXT("alice"),
						.snapshot_stream.kind = kind,
						.snapshot_stream.phase = phase,
						.snapshot_stream.created_ms = NOW_MS - 100000,
						.snapshot_stream.activity_ms = NOW_MS - age_ms }));
}

static void managed(const char *id, enum input_state input, struct text viewers)
{
	cr_assert(!apply((struct stream_event){ .type = EVENT_SNAPSHOT_MANAGED,
						.stream_id = text_of(id),
						.snapshot_managed.provider = PROVIDER_LOCAL,
						.snapshot_managed.input = input,
						.snapshot_managed.input_id = TEXT("in-1"),
						.snapshot_managed.viewers = viewers }));
}

static void end(void)
{
	cr_assert(apply(
		(struct stream_event){ .type = EVENT_SNAPSHOT_END, .snapshot_end.rows = rows }));
}

/* [package, viewer] of @count viewers, of whom every other one watches. */
static struct text viewers_of(unsigned count)
{
	static uint8_t bytes[VIEWERS_BYTES];
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	for (unsigned i = 0; i < count; i++) {
		list_open_member(&list, 2);
		list_put_text(&list, TEXT("com.example.app"));
		list_put_u64(&list, i % 2 ? VIEWER_OWED : VIEWER_WATCHING);
		cr_assert(list_close_member(&list));
	}
	return list_end(&list);
}

static const struct mirror_stream *only(const char *id)
{
	const struct mirror_stream *found = mirror_stream(&mirror, text_of(id));

	cr_assert_not_null(found);
	return found;
}

Test(tap_managed, rows_belong_together_in_any_order)
{
	managed("s-2", INPUT_OWED, TEXT(""));
	stream("s-1", KIND_MANAGED, PHASE_LIVE, 0);
	stream("s-2", KIND_MANAGED, PHASE_CLOSED, 0);
	stream("s-3", KIND_UNMANAGED, PHASE_LIVE, 0);
	stream("s-4", KIND_MANAGED, PHASE_REQUESTED, 0);
	managed("s-1", INPUT_READY, viewers_of(VIEWERS_MAX));
	end();
	cr_assert_eq(only("s-1")->managed->watching, VIEWERS_MAX / 2);
	cr_assert_eq(only("s-1")->managed->provider, PROVIDER_LOCAL);
	cr_assert(!mirror_input_owed(only("s-1")));
	cr_assert(mirror_input_owed(only("s-2")));
	cr_assert_null(only("s-3")->managed);
	cr_assert(!mirror_input_owed(only("s-3")));
	cr_assert_eq(only("s-4")->managed->input, INPUT_NONE, "of which no row told");
	cr_assert_null(only("s-4")->managed->viewers);
}

static unsigned count_viewers(const struct mirror_stream *stream)
{
	unsigned count = 0;

	for (const struct mirror_viewer *viewer = stream->managed->viewers; viewer;
	     viewer = viewer->next)
		count++;
	return count;
}

Test(tap_managed, a_list_that_breaks_off_does_no_harm)
{
	struct text whole = viewers_of(3);

	for (uint32_t length = 0; length < whole.length; length++) {
		teardown();
		setup();
		stream("s-1", KIND_MANAGED, PHASE_LIVE, 0);
		managed("s-1", INPUT_READY, (struct text){ whole.bytes, length });
		cr_assert(!apply((struct stream_event){
			.type = EVENT_SNAPSHOT_OUTPUTS,
			.stream_id = TEXT("s-1"),
			.snapshot_outputs.outputs = { whole.bytes, length } }));
		end();
		cr_assert_lt(count_viewers(only("s-1")), 3);
		cr_assert_null(only("s-1")->managed->outputs);
	}
}

static void told(uint64_t number, enum output_state state)
{
	const struct stream_event event = { .type = EVENT_STREAM_OUTPUT,
					    .stream_id = TEXT("s-1"),
					    .user_id = TEXT("alice"),
					    .stream_output.output = number,
					    .stream_output.state = state,
					    .stream_output.url = TEXT("rtmp://h/a/secret") };

	mirror_date(&mirror, &event);
}

Test(tap_managed, outputs_of_the_history_are_in_their_order)
{
	const struct mirror_output *output;

	stream("s-1", KIND_MANAGED, PHASE_LIVE, 0);
	end();
	told(3, OUTPUT_NEW);
	told(1, OUTPUT_NEW);
	told(2, OUTPUT_NEW);
	told(2, OUTPUT_ACTIVE);
	told(3, OUTPUT_REMOVED);
	told(9, OUTPUT_REMOVED);
	output = only("s-1")->managed->outputs;
	cr_assert_eq(output->number, 1);
	cr_assert_eq(output->next->number, 2);
	cr_assert_eq(output->next->state, OUTPUT_ACTIVE);
	cr_assert_null(output->next->next);
}

/* stuck, check ------------------------------------------------------------------------------ */

static size_t stuck_at(int64_t age_ms, bool told_owed, int64_t owed_ms)
{
	const struct stuck_bounds bounds = { .owed_ms = owed_ms, .input_ms = 5000 };
	size_t count;

	teardown();
	setup();
	cr_assert(!apply((struct stream_event){ .type = EVENT_SNAPSHOT_STREAM,
						.stream_id = TEXT("s-1"),
						.user_id = TEXT("alice"),
						.snapshot_stream.kind = KIND_MANAGED,
						.snapshot_stream.phase = PHASE_CLOSED,
						.snapshot_stream.activity_ms = NOW_MS - age_ms,
						.snapshot_stream.told_owed = told_owed }));
	managed("s-1", INPUT_OWED, TEXT(""));
	end();
	count = stuck_mark(&mirror, &bounds, NOW_MS);
	if (count > 0)
		cr_assert_not_null(strstr(mirror.streams[0].stuck,
					  age_ms > 5000 ? "input owed" : "word owed"));
	return count;
}

Test(tap_managed, an_input_owed_for_longer_than_its_bound_is_stuck)
{
	cr_assert_eq(stuck_at(5000, false, 1), 0, "no word is owed");
	cr_assert_eq(stuck_at(5001, false, 1), 1);
	cr_assert_eq(stuck_at(5001, true, 9000), 1, "the tighter bound counts");
	cr_assert_eq(stuck_at(4001, true, 4000), 1);
	cr_assert_eq(stuck_at(4000, true, 4000), 0);
}

Test(tap_managed, check_counts_inputs_and_quota)
{
	struct check check;
	struct stream_event report = { .type = EVENT_PROVIDER_REPORT,
				       .provider_report.leaks = 2,
				       .provider_report.used = 999 };

	for (size_t i = 0; i < CHECK_FACT_COUNT; i++)
		check.facts[i] = -1;
	stream("s-1", KIND_MANAGED, PHASE_LIVE, 0);
	managed("s-1", INPUT_READY, viewers_of(1));
	stream("s-2", KIND_MANAGED, PHASE_CLOSED, 0);
	managed("s-2", INPUT_OWED, TEXT(""));
	stream("s-3", KIND_MANAGED, PHASE_REQUESTED, 0);
	managed("s-3", INPUT_WANTED, TEXT(""));
	end();
	check_count(&check, &mirror, NOW_MS);
	cr_assert_eq(check.facts[CHECK_INPUTS_IN_USE], 1);
	cr_assert_eq(check.facts[CHECK_INPUTS_OWED], 1);
	cr_assert_eq(check.facts[CHECK_INPUTS_LEAKED], -1, "nobody said");
	check_provider(&check, &report);
	cr_assert_eq(check.facts[CHECK_INPUTS_LEAKED], 2);
	cr_assert_eq(check.facts[CHECK_QUOTA_USED], 999);
	cr_assert_eq(check.facts[CHECK_QUOTA], -1, "it is not limited");
	report.provider_report.limit = 1000;
	check_provider(&check, &report);
	cr_assert_eq(check.facts[CHECK_QUOTA], 99);
}

/* Answers of the managed-adapter ------------------------------------------------------------ */

static struct stream_event row(const char *input_id, const char *stream_id, uint64_t tries)
{
	struct stream_event event = { .type = EVENT_PROVIDER_ROW, .stream_id = text_of(stream_id) };

	event.provider_row.input_id = text_of(input_id);
	event.provider_row.mark = TEXT("ours");
	event.provider_row.tries = tries;
	return event;
}

Test(tap_managed, a_row_that_comes_twice_counts_once)
{
	struct inputs inputs = { 0 };
	struct stream_event events[] = { row("in-1", "s-1", 1), row("", "s-2", 1),
					 row("", "s-3", 1),	row("in-1", "s-1", 2),
					 row("", "s-2", 2),	{ .type = EVENT_PEER_ACK } };

	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		cr_assert(!inputs_take(&inputs, &events[i]));
	cr_assert_eq(inputs.count, 3);
	cr_assert_eq(inputs.rows[0].tries, 2);
	cr_assert_eq(inputs.rows[1].tries, 2);
	cr_assert_eq(inputs.rows[2].tries, 1);
	events[0] = (struct stream_event){ .type = EVENT_PROVIDER_REPORT,
					   .provider_report.result = RESULT_OK,
					   .provider_report.rows = 3 };
	cr_assert(inputs_take(&inputs, &events[0]));
	cr_assert_eq(inputs_judge(&inputs), EXIT_DONE);
	inputs.report.provider_report.rows = 4;
	cr_assert_eq(inputs_judge(&inputs), EXIT_USAGE);
	inputs_fini(&inputs);
}

Test(tap_managed, what_an_input_is)
{
	struct inputs inputs = { 0 };
	struct inputs_row row = { .mark = TEXT("ours") };

	inputs.report.provider_report.mark = TEXT("ours");
	cr_assert_str_eq(inputs_word(&inputs, &row), "unclaimed");
	row.leak = true;
	cr_assert_str_eq(inputs_word(&inputs, &row), "leak");
	row.mark = TEXT("theirs");
	cr_assert_str_eq(inputs_word(&inputs, &row), "foreign");
	row.input = INPUT_OWED;
	cr_assert_str_eq(inputs_word(&inputs, &row), "delete_owed");
}
