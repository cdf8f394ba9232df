/* SPDX-License-Identifier: MIT */
/* Goal: outputs are added by viewers, removed by who added them, never more than fit, and where
 * they lead is nobody's to read (protocol.md 6.6).  Method: every request in the states of the
 * stream and of the output; the bench compares a follower who hears only what is published.
 */
#include <stdio.h>

#include "tests/lib/registry_bench.h"

#define U "u@x"

static const struct peer managed = { ROLE_MANAGED, 8 };
static char id[STREAM_ID_MAX + 1];

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_up(U, "pb", 22);
	watch(U, "pa");
	input_made(U, "in1");
	text_put(text_of(the_id(the_stream(U))), id, sizeof id);
}

static struct stream_event about_it(enum stream_event_type type)
{
	struct stream_event event = about(U, type);

	event.stream_id = text_of(id);
	event.epoch = 100;
	event.origin = GATEWAY_B;
	event.request = bench.next_request++;
	return event;
}

static enum result add(const char *package, const char *url, const char *error)
{
	struct stream_event event = about_it(EVENT_OUTPUT_ADD);

	event.output_add.package = text_of(package);
	event.output_add.url = text_of(url);
	event.output_add.name = TEXT("mine");
	event.output_add.error = text_of(error);
	bench_say(managed, &event);
	return bench_answer();
}

static enum result take_away(const char *package, uint64_t output)
{
	struct stream_event event = about_it(EVENT_OUTPUT_REMOVE);

	event.output_remove.package = text_of(package);
	event.output_remove.output = output;
	bench_say(managed, &event);
	return bench_answer();
}

static void seen(uint64_t output, enum output_state state, const char *remote_id, const char *error)
{
	struct stream_event event = about_it(EVENT_OUTPUT_SEEN);

	event.output_seen.output = output;
	event.output_seen.state = state;
	event.output_seen.remote_id = text_of(remote_id);
	event.output_seen.error = text_of(error);
	bench_say(managed, &event);
}

static const struct state_output *output(uint64_t number)
{
	return state_output_find(&bench.registry.state, the_stream(U), number);
}

static bool says(struct pooled kept, const char *text)
{
	return text_is(state_text(&bench.registry.state, kept), text);
}

Test(registry_outputs, one_is_added, .init = setup)
{
	cr_assert_eq(add("pa", "rtmp://a/b/key", ""), RESULT_OK);
	expect_said("stream.output stream.result");
	const struct stream_event *told = bench_fx(EVENT_STREAM_OUTPUT, 0);

	cr_assert_eq(told->stream_output.output, 1);
	cr_assert_eq(told->stream_output.state, OUTPUT_NEW);
	cr_assert_eq(bench_fx(EVENT_STREAM_RESULT, 0)->stream_result.output, 1);
	cr_assert(text_is(bench_fx(EVENT_STREAM_RESULT, 0)->stream_id, id));
	cr_assert(says(output(1)->url, "rtmp://a/b/key") && says(output(1)->name, "mine") &&
		  says(output(1)->package, "pa"));
	cr_assert_not(output(1)->initial);
	cr_assert_eq(
		state_output_find(&bench.mirror, state_stream_at(&bench.mirror, 0), 1)->url.length,
		0, "nobody reads it in the story");
	cr_assert_eq(the_stream(U)->status_seq, told->seq);
}

Test(registry_outputs, one_that_we_refuse_is_kept_and_said, .init = setup)
{
	cr_assert_eq(add("pa", "rtmp://localhost/b/key", "destination not allowed"), RESULT_OK);
	cr_assert_eq(output(1)->state, OUTPUT_REFUSED);
	cr_assert(says(output(1)->error, "destination not allowed"));
	cr_assert_eq(add("pa", "", "malformed"), RESULT_OK);
	cr_assert_eq(add("pa", "rtmp://localhost/b/key", "named twice"), RESULT_OK);
	cr_assert_eq(take_away("pa", 1), RESULT_OK);
	cr_assert_eq(bench_fx(EVENT_STREAM_OUTPUT, 0)->stream_output.state, OUTPUT_REMOVED);
	cr_assert_null(output(1), "the provider never had it");
}

Test(registry_outputs, who_may_add_what, .init = setup)
{
	cr_assert_eq(add("pb", "rtmp://a/b/1", ""), RESULT_NOT_VIEWER);
	watch(U, "pb");
	cr_assert_eq(add("pb", "rtmp://a/b/1", ""), RESULT_OK);
	cr_assert_eq(add("pa", "rtmp://a/b/1", ""), RESULT_DUPLICATE);
	cr_assert_eq(add("pa", "", ""), RESULT_BAD_URL);
	unwatch(U, "pb");
	cr_assert_eq(add("pb", "rtmp://a/b/2", ""), RESULT_NOT_VIEWER, "it has left");
	expect_said("stream.result");
	cr_assert_eq(bench_fx(EVENT_STREAM_RESULT, 0)->stream_result.output, 0);
}

Test(registry_outputs, only_of_a_managed_stream_that_runs, .init = setup)
{
	cr_assert_eq(add("pa", "rtmp://a/b/1", ""), RESULT_OK);
	stream_status(U, DEVICE_STOPPED);
	cr_assert_eq(add("pa", "rtmp://a/b/2", ""), RESULT_NOT_FOUND);
	cr_assert_eq(take_away("pa", 1), RESULT_NOT_FOUND);
	seen(1, OUTPUT_ACTIVE, "r1", "");
	expect_said("");
	stream_open(U, "pa", 0);
	text_put(text_of(the_id(the_stream(U))), id, sizeof id);
	cr_assert_eq(add("pa", "rtmp://a/b/2", ""), RESULT_NOT_FOUND);
}

Test(registry_outputs, an_older_epoch_changes_nothing, .init = setup)
{
	struct stream_event event = about_it(EVENT_OUTPUT_ADD);

	event.epoch = 99;
	event.output_add.package = TEXT("pa");
	event.output_add.url = TEXT("rtmp://a/b/1");
	bench_say(managed, &event);
	cr_assert_eq(bench_answer(), RESULT_NOT_FOUND);
}

Test(registry_outputs, one_too_many, .init = setup)
{
	char url[32];

	watch(U, "pb");
	for (unsigned i = 1; i <= OUTPUTS_MAX; i++) {
		(void)snprintf(url, sizeof url, "rtmp://a/b/%u", i);
		cr_assert_eq(add(i % 2 ? "pa" : "pb", url, ""), RESULT_OK);
	}
	cr_assert_eq(add("pa", "rtmp://a/b/x", ""), RESULT_LIMIT);
	cr_assert_eq(add("pa", "rtmp://a/b/x", "refused too"), RESULT_LIMIT);
	cr_assert_eq(take_away("pa", 5), RESULT_OK);
	cr_assert_eq(add("pa", "rtmp://a/b/x", ""), RESULT_LIMIT, "it is not gone yet");
	seen(5, OUTPUT_REMOVED, "", "");
	cr_assert_eq(add("pa", "rtmp://a/b/x", ""), RESULT_OK);
	cr_assert_eq(bench_fx(EVENT_STREAM_RESULT, 0)->stream_result.output, OUTPUTS_MAX + 1,
		     "numbers are never given twice");
	cr_assert_null(output(5));
	cr_assert(output(4) && output(6) && output(OUTPUTS_MAX + 1));
}

Test(registry_outputs, numbers_end_somewhere, .init = setup)
{
	state_outputs_of(&bench.registry.state, the_stream(U))->next_number =
		STATE_OUTPUT_NUMBER_MAX;
	state_outputs_of(&bench.mirror, state_stream_at(&bench.mirror, 0))->next_number =
		STATE_OUTPUT_NUMBER_MAX;
	cr_assert_eq(add("pa", "rtmp://a/b/1", ""), RESULT_LIMIT);
}

Test(registry_outputs, only_who_added_it_removes_it, .init = setup)
{
	watch(U, "pb");
	cr_assert_eq(add("pa", "rtmp://a/b/1", ""), RESULT_OK);
	cr_assert_eq(take_away("pb", 1), RESULT_NOT_OWNER);
	cr_assert_eq(take_away("pa", 2), RESULT_NOT_FOUND);
	cr_assert_eq(take_away("pa", 0), RESULT_NOT_FOUND);
	cr_assert_eq(take_away("pa", UINT64_MAX), RESULT_NOT_FOUND);
	cr_assert_eq(take_away("pa", 1), RESULT_OK);
	cr_assert_eq(output(1)->state, OUTPUT_REMOVING);
	cr_assert_eq(take_away("pa", 1), RESULT_NOT_FOUND, "for apps it is gone");
	cr_assert_eq(add("pa", "rtmp://a/b/1", ""), RESULT_OK, "so it can be added anew");
}

Test(registry_outputs, what_the_provider_says, .init = setup)
{
	cr_assert_eq(add("pa", "rtmp://a/b/key", ""), RESULT_OK);
	seen(1, OUTPUT_IDLE, "r1", "");
	expect_said("stream.output");
	cr_assert(text_is(bench_fx(EVENT_STREAM_OUTPUT, 0)->stream_output.name, "mine"));
	cr_assert_eq(bench_fx(EVENT_STREAM_OUTPUT, 0)->stream_output.url.length, 0);
	seen(1, OUTPUT_IDLE, "", "");
	expect_said("");
	seen(1, OUTPUT_ERROR, "", "refused");
	seen(1, OUTPUT_ERROR, "", "refused");
	expect_said("");
	seen(1, OUTPUT_ERROR, "", "timed out");
	expect_said("stream.output");
	cr_assert(says(output(1)->remote_id, "r1") && says(output(1)->error, "timed out"));
	seen(1, OUTPUT_ACTIVE, "", "");
	cr_assert_eq(output(1)->state, OUTPUT_ACTIVE);
	cr_assert_eq(output(1)->error.length, 0);
	cr_assert(says(output(1)->url, "rtmp://a/b/key"));
	seen(1, OUTPUT_REMOVED, "", "");
	cr_assert_null(output(1));
	seen(1, OUTPUT_ACTIVE, "r1", "");
	expect_said("");
}

Test(registry_outputs, what_no_provider_says, .init = setup)
{
	static const enum output_state states[] = { OUTPUT_NONE, OUTPUT_NEW, OUTPUT_REMOVING };

	cr_assert_eq(add("pa", "rtmp://a/b/1", ""), RESULT_OK);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t refused = bench.registry.stats.refused;

		seen(1, states[i], "r1", "");
		expect_said("");
		cr_assert_eq(bench.registry.stats.refused, refused + 1);
	}
	cr_assert_eq(output(1)->state, OUTPUT_NEW);
}

/* It was being added when it was removed: what the provider calls it must be known to delete it. */
Test(registry_outputs, what_is_being_removed_stays_so, .init = setup)
{
	cr_assert_eq(add("pa", "rtmp://a/b/1", ""), RESULT_OK);
	cr_assert_eq(take_away("pa", 1), RESULT_OK);
	seen(1, OUTPUT_ACTIVE, "r1", "");
	cr_assert_eq(output(1)->state, OUTPUT_REMOVING);
	cr_assert(says(output(1)->remote_id, "r1"));
	seen(1, OUTPUT_ACTIVE, "r1", "");
	expect_said("");
	seen(1, OUTPUT_REMOVED, "", "");
	cr_assert_null(output(1));
}

Test(registry_outputs, they_outlive_a_restart, .init = setup)
{
	cr_assert_eq(add("pa", "rtmp://a/b/key", ""), RESULT_OK);
	cr_assert_eq(add("pa", "rtmp://a/b/2", "no"), RESULT_OK);
	seen(1, OUTPUT_ACTIVE, "r1", "");
	cr_assert_eq(take_away("pa", 2), RESULT_OK);
	uint64_t hash = state_hash(&bench.registry.state);

	bench_restart();
	cr_assert_eq(state_hash(&bench.registry.state), hash);
	cr_assert(says(output(1)->url, "rtmp://a/b/key"));
	cr_assert_eq(add("pa", "rtmp://a/b/key", ""), RESULT_DUPLICATE);
	cr_assert_eq(add("pa", "rtmp://a/b/3", ""), RESULT_OK);
	cr_assert_eq(bench_fx(EVENT_STREAM_RESULT, 0)->stream_result.output, 3);
}
