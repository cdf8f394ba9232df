/* SPDX-License-Identifier: MIT */
/* Goal: one stream of a user at a time, whoever asks, however often; every open and close is judged
 * and answered once (design.md 1, protocol.md 5.3, 5.6).  Method: commands of adapters, one after
 * the other; every story and answer compared.  What ends a stream and what it owes:
 * test_registry_ends.c.
 */
#include <stdio.h>

#include "common/phase.h"
#include "common/stream_id.h"
#include "tests/lib/registry_bench.h"

#define U "u@x"

static const struct peer unmanaged = { ROLE_UNMANAGED, 7 };

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
	glasses_state(U, "Mentra Live");
	app_up(U, "pa", 21);
	app_up(U, "pb", 22);
}

static struct stream_event open_request(enum kind kind, const char *package, uint64_t request)
{
	struct stream_event event = about(U, EVENT_STREAM_OPEN);

	event.origin = GATEWAY_B;
	event.request = request;
	event.stream_open.kind = kind;
	event.stream_open.package = text_of(package);
	event.stream_open.rtmp_url = TEXT("rtmp://h/app/key");
	event.stream_open.video = event.stream_open.audio = event.stream_open.options = TEXT("{}");
	return event;
}

static void open_managed(const char *package)
{
	struct stream_event event = open_request(KIND_MANAGED, package, bench.next_request++);

	bench_say((struct peer){ ROLE_MANAGED, 8 }, &event);
}

static struct stream_event close_request(const char *id, uint64_t epoch, uint64_t request)
{
	struct stream_event event = about(U, EVENT_STREAM_CLOSE);

	event.origin = GATEWAY_B;
	event.request = request;
	event.stream_id = text_of(id);
	event.epoch = epoch;
	event.stream_close.end_cause = END_APP_STOP;
	event.stream_close.by = TEXT("pa");
	return event;
}

static void close_it(const char *id, uint64_t epoch, uint64_t request)
{
	struct stream_event event = close_request(id, epoch, request);

	bench_say(unmanaged, &event);
}

/* Open -------------------------------------------------------------------------------------- */

Test(registry_streams, open_takes_the_slot_and_answers, .init = setup)
{
	char id[STREAM_ID_SIZE];

	stream_open(U, "pa", 5);
	expect_said("stream.opened stream.result");
	const struct stream_event *opened = bench_fx(EVENT_STREAM_OPENED, 0);
	const struct stream_event *result = bench_fx(EVENT_STREAM_RESULT, 0);

	stream_id_make('s', 100, id);
	cr_assert(text_is(opened->stream_id, id));
	cr_assert_eq(opened->epoch, 100);
	cr_assert_eq(opened->stream_seq, 1);
	cr_assert(opened->origin == GATEWAY_B && opened->request == 5);
	cr_assert(text_is(opened->stream_opened.package, "pa"));
	cr_assert(text_is(opened->stream_opened.rtmp_url, "rtmp://h/app/key"));
	cr_assert(text_is(opened->stream_opened.video, "{\"width\":1280}"));
	cr_assert_eq(result->stream_result.result, RESULT_OK);
	cr_assert(text_is(result->stream_id, id) && result->epoch == 100);
	cr_assert(result->origin == GATEWAY_B && result->request == 5);
	cr_assert_eq(bench_peer(EVENT_STREAM_RESULT, 0).incarnation, 7);
	cr_assert_eq(the_stream(U)->phase, PHASE_REQUESTED);
	cr_assert_eq(bench.registry.next_epoch, 101);
}

Test(registry_streams, a_managed_one_has_another_letter, .init = setup)
{
	open_managed("pa");
	cr_assert_eq(bench_answer(), RESULT_OK);
	cr_assert_eq(bench_fx(EVENT_STREAM_OPENED, 0)->stream_id.bytes[0], 'm');
	cr_assert_eq(bench_peer(EVENT_STREAM_RESULT, 0).role, ROLE_MANAGED);
}

Test(registry_streams, a_later_life_goes_on_where_the_earlier_ended)
{
	struct registry_options options = bench_options();

	options.first_epoch = 5000;
	bench_open(&options);
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	stream_open(U, "pa", 0);
	cr_assert_eq(bench_fx(EVENT_STREAM_OPENED, 0)->epoch, 5000);
	registry_init(&bench.registry, &options, bench.registry_memory);
	options.first_seq = 800;
	memset(bench.registry_memory, 0, registry_bytes(&options));
	registry_init(&bench.registry, &options, bench.registry_memory);
	registry_handle(&bench.registry,
			&(struct input){ .type = INPUT_PEER_UP,
					 .peer = { ROLE_GATEWAY, 50 },
					 .peer_name = "gateway-1" },
			1, &bench.fx);
	cr_assert_eq(bench_fx(EVENT_GATEWAY_CHANGED, 0)->seq, 801);
}

/* Each hindrance alone and all pairs: the first in this order is the answer. */
enum { NO_SESSION = 1, NOT_RUNNING = 2, NO_LINK = 4, CONFLICT = 8, FULL = 16, HINDRANCES = 32 };

static enum result first_of(unsigned hindrances)
{
	return hindrances & NO_SESSION	  ? RESULT_NO_SESSION
	       : hindrances & NOT_RUNNING ? RESULT_APP_NOT_RUNNING
	       : hindrances & NO_LINK	  ? RESULT_NO_LINK
	       : hindrances & CONFLICT	  ? RESULT_CONFLICT
	       : hindrances & FULL	  ? RESULT_FULL
					  : RESULT_OK;
}

static void hinder(unsigned hindrances)
{
	struct registry_options options = bench_options();

	options.state.streams_max = hindrances & CONFLICT ? 2 : 1;
	bench_open(&options);
	if (!(hindrances & NO_SESSION)) {
		glasses_up(U, 11);
		app_up(U, "pa", 21);
		app_up(U, "pb", 22);
	}
	if (hindrances & CONFLICT && !(hindrances & NO_SESSION))
		stream_open(U, "pb", 0);
	if (hindrances & FULL) {
		glasses_up("other@x", 12);
		app_up("other@x", "pa", 24);
		stream_open("other@x", "pa", 0);
	}
	if (hindrances & NOT_RUNNING && !(hindrances & NO_SESSION))
		app_stop(U, "pa");
	if (hindrances & NO_LINK && !(hindrances & NO_SESSION))
		glasses_down(U, 11);
}

Test(registry_streams, an_open_is_judged_in_order)
{
	for (unsigned hindrances = 0; hindrances < HINDRANCES; hindrances++) {
		/* Only a managed request minds a stream that runs. */
		struct stream_event event = open_request(
			hindrances & CONFLICT ? KIND_MANAGED : KIND_UNMANAGED, "pa", 900);
		uint64_t seq;

		hinder(hindrances);
		seq = bench.registry.seq;
		bench_say(hindrances & CONFLICT ? (struct peer){ ROLE_MANAGED, 8 } : unmanaged,
			  &event);
		cr_expect_eq(bench_answer(), first_of(hindrances), "hindrances %u", hindrances);
		if (hindrances) {
			expect_said("stream.result");
			cr_expect_eq(bench.registry.seq, seq);
			cr_expect_eq(bench_fx(EVENT_STREAM_RESULT, 0)->stream_id.length, 0);
		}
		if (bench_answer() == RESULT_CONFLICT)
			cr_expect_eq(bench_fx(EVENT_STREAM_RESULT, 0)->stream_result.running,
				     KIND_UNMANAGED);
		bench_close();
	}
}

Test(registry_streams, an_app_in_grace_counts_as_running, .init = setup)
{
	app_closed(U, "pa", 21);
	stream_open(U, "pa", 0);
	cr_assert_eq(bench_answer(), RESULT_OK);
}

Test(registry_streams, a_link_that_is_lost_is_no_link, .init = setup)
{
	gateway_lease(GATEWAY_A, 5000);
	stream_open(U, "pa", 0);
	cr_assert_eq(bench_answer(), RESULT_NO_LINK);
}

Test(registry_streams, a_request_that_comes_too_late_does_not_run, .init = setup)
{
	struct stream_event event = open_request(KIND_UNMANAGED, "pa", 900);

	event.expires_ms = bench.now_ms - 1;
	bench_say(unmanaged, &event);
	expect_said("");
	cr_assert_eq(bench.registry.stats.expired, 1);
	event.expires_ms = bench.now_ms;
	bench_say(unmanaged, &event);
	cr_assert_eq(bench_answer(), RESULT_OK);
}

Test(registry_streams, room_for_one_more, .init = setup)
{
	struct stream_event event = open_request(KIND_UNMANAGED, "pb", 0);

	/* A takeover needs a place while the old stream still has its own. */
	bench_close();
	struct registry_options options = bench_options();

	options.state.streams_max = 1;
	bench_open(&options);
	glasses_up(U, 11);
	app_up(U, "pa", 21);
	app_up(U, "pb", 22);
	stream_open(U, "pa", 0);
	bench_say(unmanaged, &event);
	cr_assert_eq(bench_answer(), RESULT_FULL);
	cr_assert_eq(bench.registry.stats.full, 1);
	cr_assert(text_is(state_text(&bench.registry.state, the_stream(U)->package), "pa"),
		  "the stream that runs goes on");
	stream_status(U, DEVICE_STOPPED);
	struct stream_event told = about(U, EVENT_EDGE_APP_TOLD);
	const struct state_stream *owing = &bench.registry.state.streams[0];

	bench_say(unmanaged, &event);
	cr_assert_eq(bench_answer(), RESULT_FULL, "a liability has a place too");
	told.stream_id = text_of(the_id(owing));
	told.epoch = owing->epoch;
	told.edge_app_told.package = TEXT("pa");
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &told);
	bench_say(unmanaged, &event);
	cr_assert_eq(bench_answer(), RESULT_OK);
}

/* Takeover ----------------------------------------------------------------------------------- */

Test(registry_streams, an_unmanaged_request_takes_over, .init = setup)
{
	static const char *const by[] = { "pb", "pa" }; /* another app, the same app */

	for (unsigned i = 0; i < 2; i++) {
		stream_open(U, "pa", 0);
		uint64_t epoch = the_stream(U)->epoch;

		stream_open(U, by[i], 0);
		expect_said("stream.closed stream.opened stream.result");
		const struct stream_event *closed = bench_fx(EVENT_STREAM_CLOSED, 0);

		cr_assert_eq(closed->stream_closed.end_cause, END_TAKEOVER);
		cr_assert_eq(closed->epoch, epoch);
		cr_assert(text_is(closed->stream_closed.by, by[i]));
		cr_assert(closed->stream_closed.told_owed);
		cr_assert_not(closed->stream_closed.stop_owed, "5.6: no stop before the new start");
		cr_assert_gt(bench_fx(EVENT_STREAM_OPENED, 0)->epoch, epoch);
		cr_assert_eq(bench_fx(EVENT_STREAM_OPENED, 0)->cause, closed->seq);
		cr_assert_eq(bench.registry.state.active_count, 1);
	}
}

Test(registry_streams, an_unmanaged_request_takes_over_a_managed_one, .init = setup)
{
	open_managed("pb");
	input_made(U, "in1");
	const struct state_stream *taken = the_stream(U);

	stream_open(U, "pa", 0);
	/* G9: the device gets that stop before the new start, so it stays owed. */
	expect_said("stream.closed stream.opened stream.result");
	cr_assert(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.stop_owed);
	cr_assert(text_is(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.stop_app_id,
			  "MANAGED_STREAM"));
	cr_assert(taken->stop_owed);
	/* One more takeover owes no stop that would end the managed one as well. */
	stream_open(U, "pa", 0);
	expect_said("stream.closed stream.opened stream.result");
	cr_assert(taken->stop_owed);
	/* What the device says of the newest is what overtakes it. */
	stream_status(U, DEVICE_STREAMING);
	expect_said("stream.status stream.stop_settled");
	cr_assert_eq(bench_fx(EVENT_STREAM_STOP_SETTLED, 0)->stream_stop_settled.outcome,
		     OUTCOME_OVERTAKEN);
	cr_assert_not(taken->stop_owed);
}

Test(registry_streams, a_managed_request_takes_nothing_over, .init = setup)
{
	stream_open(U, "pa", 0);
	open_managed("pb");
	cr_assert_eq(bench_answer(), RESULT_CONFLICT);
	cr_assert_eq(bench_fx(EVENT_STREAM_RESULT, 0)->stream_result.running, KIND_UNMANAGED);
	stream_status(U, DEVICE_STOPPED);
	open_managed("pb");
	cr_assert_eq(bench_answer(), RESULT_OK);
	open_managed("pa");
	expect_said("stream.joined stream.result");
	cr_assert_eq(bench_answer(), RESULT_OK, "it joins");
}

Test(registry_streams, epochs_grow_over_all_users, .init = setup)
{
	uint64_t last = 0;

	glasses_up("v@x", 12);
	app_up("v@x", "pa", 31);
	for (unsigned i = 0; i < 10; i++) {
		stream_open(i % 2 ? U : "v@x", "pa", 0);
		cr_assert_gt(bench_fx(EVENT_STREAM_OPENED, 0)->epoch, last);
		last = bench_fx(EVENT_STREAM_OPENED, 0)->epoch;
	}
}

/* The first answer -------------------------------------------------------------------------- */

/* Return: the seq that the answer names. */
static uint64_t expect_again(struct stream_event *event, enum result result, const char *id,
			     uint64_t epoch)
{
	uint64_t seq = bench.registry.seq;

	bench_say((struct peer){ ROLE_UNMANAGED, 9 }, event);
	expect_said("stream.result");
	const struct stream_event *again = bench_fx(EVENT_STREAM_RESULT, 0);

	cr_assert_eq(again->stream_result.result, result);
	cr_assert(text_is(again->stream_id, id));
	cr_assert_eq(again->epoch, epoch);
	cr_assert_eq(bench_peer(EVENT_STREAM_RESULT, 0).incarnation, 9, "to who asks now");
	cr_assert_eq(bench.registry.seq, seq, "no second effect");
	return again->cause;
}

Test(registry_streams, a_repeated_request_gets_the_first_answer, .init = setup)
{
	struct stream_event open = open_request(KIND_UNMANAGED, "pa", 900);
	struct stream_event close;

	bench_say(unmanaged, &open);
	const char *id = the_id(the_stream(U));
	uint64_t opened_seq = bench.registry.seq;

	close = close_request(id, 100, 901);
	expect_again(&open, RESULT_OK, id, 100);
	bench_say(unmanaged, &close);
	expect_said("stream.result stream.closed");
	expect_again(&open, RESULT_OK, id, 100);
	expect_again(&close, RESULT_OK, id, 100);
	stream_open(U, "pb", 0);
	cr_assert_eq(expect_again(&open, RESULT_OK, id, 100), opened_seq);
	expect_again(&close, RESULT_OK, id, 100);
	cr_assert_eq(bench.registry.stats.answered_again, 5);
	cr_assert(the_stream(U), "the stream of the other is untouched");
}

Test(registry_streams, a_refusal_is_repeated_too, .init = setup)
{
	struct stream_event open = open_request(KIND_UNMANAGED, "pc", 900);

	bench_say(unmanaged, &open);
	cr_assert_eq(bench_answer(), RESULT_APP_NOT_RUNNING);
	app_up(U, "pc", 23);
	expect_again(&open, RESULT_APP_NOT_RUNNING, "", 0);
}

Test(registry_streams, the_same_number_from_elsewhere_is_another_request, .init = setup)
{
	struct stream_event open = open_request(KIND_UNMANAGED, "pa", 900);

	bench_say(unmanaged, &open);
	open.origin = GATEWAY_A;
	bench_say(unmanaged, &open);
	expect_said("stream.closed stream.opened stream.result");
}

Test(registry_streams, without_a_number_nothing_is_remembered, .init = setup)
{
	struct stream_event open = open_request(KIND_UNMANAGED, "pa", 0);

	bench_say(unmanaged, &open);
	bench_say(unmanaged, &open);
	expect_said("stream.closed stream.opened stream.result");
	open.origin = 0;
	bench_say(unmanaged, &open);
	expect_said("stream.closed stream.opened stream.result");
	cr_assert_eq(bench.registry.stats.answered_again, 0);
}

/* Far more answers than there are places: what was answered last is known. */
Test(registry_streams, recent_answers_are_kept, .init = setup)
{
	enum { REQUESTS = 3 * REGISTRY_ANSWERS, RECENT = 4000 };
	struct stream_event open = open_request(KIND_UNMANAGED, "not.running", 0);
	unsigned known = 0;

	bench.check_every = 100000;
	for (uint64_t request = 1; request <= REQUESTS; request++) {
		open.request = request;
		open.origin = GATEWAY_A + request % 3;
		bench_say(unmanaged, &open);
	}
	uint64_t before = bench.registry.stats.answered_again;

	for (uint64_t request = REQUESTS - RECENT + 1; request <= REQUESTS; request++) {
		open.request = request;
		open.origin = GATEWAY_A + request % 3;
		bench_say(unmanaged, &open);
		known += bench.registry.stats.answered_again > before;
		before = bench.registry.stats.answered_again;
	}
	cr_assert_eq(known, RECENT);
}

/* Close -------------------------------------------------------------------------------------- */

Test(registry_streams, close_is_answered_and_told, .init = setup)
{
	struct stream_event event;

	stream_open(U, "pa", 0);
	const char *id = the_id(the_stream(U));

	event = close_request(id, 100, 901);
	event.stream_close.told_id = text_of(id);
	bench_say(unmanaged, &event);
	expect_said("stream.result stream.closed");
	const struct stream_event *closed = bench_fx(EVENT_STREAM_CLOSED, 0);

	cr_assert_eq(bench_answer(), RESULT_OK);
	cr_assert(text_is(bench_fx(EVENT_STREAM_RESULT, 0)->stream_id, id));
	cr_assert_eq(closed->stream_closed.end_cause, END_APP_STOP);
	cr_assert_eq(closed->stream_closed.hop, HOP_APP);
	cr_assert_eq(closed->stream_seq, 2);
	cr_assert(closed->stream_closed.stop_owed && closed->stream_closed.told_owed);
	cr_assert(text_is(closed->stream_closed.told_id, id));
	cr_assert(text_is(closed->stream_closed.stop_app_id, "pa"));
	cr_assert_eq(closed->stream_closed.link_state, LINK_UP);
}

Test(registry_streams, the_stop_carries_the_id_that_the_app_gave, .init = setup)
{
	stream_open(U, "pa", 0);
	close_it(the_id(the_stream(U)), 100, 901);
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.told_id.length, 0,
		     "4.1: empty if it gave none");
}

Test(registry_streams, close_of_what_is_not_active, .init = setup)
{
	stream_open(U, "pa", 0);
	const char *id = the_id(the_stream(U));

	close_it("s0000000000", 100, 901);
	cr_assert_eq(bench_answer(), RESULT_NOT_FOUND);
	close_it(id, 99, 902);
	cr_assert_eq(bench_answer(), RESULT_STALE);
	close_it(id, 101, 903);
	cr_assert_eq(bench_answer(), RESULT_STALE);
	close_it(id, 100, 904);
	cr_assert_eq(bench_answer(), RESULT_OK);
	close_it(id, 100, 905);
	cr_assert_eq(bench_answer(), RESULT_STALE, "it owes something still");
	bench_tick(700000);
	close_it(id, 100, 906);
	cr_assert_eq(bench_answer(), RESULT_NOT_FOUND);
}

Test(registry_streams, close_without_a_cause_is_refused, .init = setup)
{
	struct stream_event event;

	stream_open(U, "pa", 0);
	event = close_request(the_id(the_stream(U)), 100, 901);
	event.stream_close.end_cause = END_NONE;
	bench_say(unmanaged, &event);
	expect_said("stream.result");
	cr_assert_eq(bench_answer(), RESULT_REFUSED);
	cr_assert(the_stream(U));
}

/* Every cause, with the link up and down: what is owed is what the table says. */
Test(registry_streams, what_an_end_owes)
{
	for (enum kind kind = KIND_UNMANAGED; kind < KIND_COUNT; kind++)
		for (enum end_cause cause = END_NONE + 1; cause < END_CAUSE_COUNT; cause++)
			for (unsigned down = 0; down < 3; down++) {
				const struct end_rule *rule = phase_end_rule(kind, cause);
				struct stream_event event;

				setup();
				if (kind == KIND_MANAGED) {
					open_managed("pa");
					input_made(U, "in1");
				} else {
					stream_open(U, "pa", 0);
				}
				if (down == 1)
					glasses_down(U, 11);
				if (down == 2)
					gateway_lease(GATEWAY_A, 5000);
				event = close_request(the_id(the_stream(U)), 100, 901);
				event.stream_close.end_cause = cause;
				bench_say(unmanaged, &event);
				const struct stream_event *closed =
					bench_fx(EVENT_STREAM_CLOSED, 0);

				cr_expect_eq(closed->stream_closed.stop_owed,
					     down ? rule->stop_if_down : rule->stop_if_up);
				cr_expect_eq(closed->stream_closed.hop, rule->hop);
				cr_expect_eq(closed->stream_closed.told_owed, true);
				cr_expect(!closed->stream_closed.stop_owed ||
					  (cause == END_APP_STOP && kind == KIND_UNMANAGED) ||
					  text_equal(closed->stream_closed.told_id,
						     closed->stream_id));
				bench_close();
			}
}
