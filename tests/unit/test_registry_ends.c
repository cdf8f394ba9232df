/* SPDX-License-Identifier: MIT */
/* Goal: what a device says, what is told of deliveries and what the scheduler finds moves a stream
 * as its tables say; each end has its cause and hop, is owed to whom it concerns, and is settled or
 * given up (protocol.md 5.3, 11; design.md 5).  Method: one fact after the other in every phase;
 * late, foreign and repeated facts change nothing.
 */
#include <stdio.h>

#include "common/phase.h"
#include "tests/lib/registry_bench.h"

#define U "u@x"

static const struct peer gateway = { ROLE_GATEWAY, GATEWAY_A };
static const struct peer scheduler = { ROLE_SCHEDULER, 3 };

static void setup(void)
{
	bench_setup();
	glasses_up(U, 11);
	glasses_state(U, "Mentra Live");
	app_up(U, "pa", 21);
	stream_open(U, "pa", 0);
}

static struct stream_event of_stream(enum stream_event_type type)
{
	struct stream_event event = about(U, type);

	event.stream_id = text_of(the_id(the_stream(U)));
	event.epoch = the_stream(U)->epoch;
	return event;
}

static void device_told(struct stream_event event, bool stop, enum outcome outcome)
{
	event.type = EVENT_EDGE_DEVICE_TOLD;
	memset(&event.edge_device_told, 0, sizeof event.edge_device_told);
	event.edge_device_told.stop = stop;
	event.edge_device_told.outcome = outcome;
	bench_say(gateway, &event);
}

static void app_told(struct stream_event event, const char *package, enum outcome outcome)
{
	event.type = EVENT_EDGE_APP_TOLD;
	memset(&event.edge_app_told, 0, sizeof event.edge_app_told);
	event.edge_app_told.package = text_of(package);
	event.edge_app_told.outcome = outcome;
	bench_say((struct peer){ ROLE_GATEWAY, GATEWAY_B }, &event);
}

static struct stream_event missed_report(uint64_t missed, bool expired)
{
	struct stream_event event = of_stream(EVENT_STREAM_MISSED);

	event.cause = the_stream(U)->activity_seq;
	event.stream_missed.missed = missed;
	event.stream_missed.expired = expired;
	event.stream_missed.last_ack_age_ms = 40000;
	return event;
}

static void missed(uint64_t count, bool expired)
{
	struct stream_event event = missed_report(count, expired);

	bench_say(scheduler, &event);
}

static void deadline(enum timer which, uint64_t cause)
{
	struct stream_event event = of_stream(EVENT_TIMER_EXPIRED);

	event.cause = cause;
	event.timer_expired.timer = which;
	bench_say(scheduler, &event);
}

static enum end_cause closed_by(void)
{
	return (enum end_cause)bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.end_cause;
}

static void bring_to(enum phase phase)
{
	if (phase == PHASE_STARTING)
		device_told(of_stream(EVENT_EDGE_DEVICE_TOLD), false, OUTCOME_SENT);
	if (phase == PHASE_LIVE || phase == PHASE_SUSPECT)
		stream_status(U, DEVICE_STREAMING);
	if (phase == PHASE_SUSPECT)
		missed(1, false);
	if (phase == PHASE_STOPPING)
		stream_status(U, DEVICE_STOPPING);
	cr_assert_eq(the_stream(U)->phase, phase);
}

static const enum phase phases[] = { PHASE_REQUESTED, PHASE_STARTING, PHASE_LIVE, PHASE_SUSPECT,
				     PHASE_STOPPING };

#define EACH_PHASE(phase) \
	for (const enum phase *phase = phases; phase < phases + sizeof phases / sizeof phases[0]; \
	     phase++)

/* Statuses ----------------------------------------------------------------------------------- */

static void expect_status(enum phase phase, enum device_status status)
{
	struct status_rule rule = phase_status_rule(KIND_UNMANAGED, status);
	const char *where = words_name(&phase_words, phase);
	const char *word = words_name(&device_status_words, status);

	setup();
	bring_to(phase);
	stream_status(U, status);
	if (rule.trigger == TRIGGER_CLOSE) {
		expect_said("stream.closed");
		cr_expect_eq(closed_by(), rule.cause, "%s in %s", word, where);
		cr_expect_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.status, status);
	} else if (rule.trigger != TRIGGER_NONE) {
		expect_said("stream.status");
		cr_expect_eq(the_stream(U)->phase, phase_next(KIND_UNMANAGED, phase, rule.trigger),
			     "%s in %s", word, where);
		cr_expect_eq(the_stream(U)->missed, 0);
		cr_expect(the_stream(U)->start_delivered, "it talks about it: it has got it");
	}
	bench_close();
}

Test(registry_ends, every_status_in_every_phase)
{
	EACH_PHASE(phase)
	for (enum device_status status = DEVICE_NONE; status < DEVICE_STATUS_COUNT; status++)
		expect_status(*phase, status);
}

Test(registry_ends, a_status_without_a_word_is_a_sign_of_life)
{
	EACH_PHASE(phase)
	{
		setup();
		bring_to(*phase);
		uint64_t visible = the_stream(U)->status_seq;

		stream_status(U, DEVICE_NONE);
		expect_said("stream.status");
		cr_expect_eq(the_stream(U)->phase, *phase == PHASE_SUSPECT     ? PHASE_LIVE
						   : *phase == PHASE_REQUESTED ? PHASE_STARTING
									       : *phase);
		cr_expect_eq(the_stream(U)->missed, 0);
		cr_expect_eq(the_stream(U)->status_seq, visible, "the owner has nothing to hear");
		cr_expect_eq(the_stream(U)->activity_seq, bench.registry.seq);
		bench_close();
	}
}

Test(registry_ends, what_a_device_says_beside_it, .init = setup)
{
	struct stream_event event = of_stream(EVENT_EDGE_STATUS);

	event.edge_status.status = DEVICE_ERROR;
	event.edge_status.detail = TEXT("RTMP connection failed: refused");
	bench_say(gateway, &event);
	cr_assert_eq(closed_by(), END_DEVICE_ERROR);
	cr_assert(text_is(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.detail,
			  "RTMP connection failed: refused"));
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.hop, HOP_GLASSES);
}

Test(registry_ends, statuses_of_other_streams_and_users_are_ignored, .init = setup)
{
	struct stream_event event = of_stream(EVENT_EDGE_STATUS);

	event.edge_status.status = DEVICE_STOPPED;
	event.stream_id = TEXT("s0000000000");
	bench_say(gateway, &event);
	expect_said("");
	event.stream_id = (struct text){ 0 };
	bench_say(gateway, &event);
	expect_said("");
	event = of_stream(EVENT_EDGE_STATUS);
	event.edge_status.status = DEVICE_STOPPED;
	event.user_id = TEXT("v@x");
	bench_say(gateway, &event);
	expect_said(""); /* nobody */
	glasses_up("v@x", 12);
	bench_say(gateway, &event);
	expect_said(""); /* a user without a stream */
	cr_assert_eq(bench.registry.stats.ignored, 4);
	cr_assert(the_stream(U));
}

Test(registry_ends, statuses_of_a_stream_that_has_ended_are_ignored, .init = setup)
{
	struct stream_event event = of_stream(EVENT_EDGE_STATUS);

	event.edge_status.status = DEVICE_STREAMING;
	stream_open(U, "pa", 0); /* takes over: the old one is a liability */
	bench_say(gateway, &event);
	expect_said("");
	cr_assert_eq(the_stream(U)->phase, PHASE_REQUESTED);
	glasses_up(U, 12);
	stream_status(U, DEVICE_STREAMING); /* 1.4: on the old socket it still counts */
	cr_assert_eq(the_stream(U)->phase, PHASE_LIVE);
}

/* Deliveries --------------------------------------------------------------------------------- */

Test(registry_ends, a_start_that_was_sent)
{
	EACH_PHASE(phase)
	for (enum outcome outcome = OUTCOME_NONE; outcome < OUTCOME_COUNT; outcome++) {
		setup();
		bring_to(*phase);
		device_told(of_stream(EVENT_EDGE_DEVICE_TOLD), false, outcome);
		bool news = outcome == OUTCOME_SENT && *phase == PHASE_REQUESTED;

		cr_expect_str_eq(bench_said(), news ? "stream.moved" : "");
		cr_expect_eq(the_stream(U)->phase, news ? PHASE_STARTING : *phase);
		bench_close();
	}
}

Test(registry_ends, a_start_of_another_epoch, .init = setup)
{
	struct stream_event event = of_stream(EVENT_EDGE_DEVICE_TOLD);

	event.epoch--;
	device_told(event, false, OUTCOME_SENT);
	expect_said("");
	cr_assert_not(the_stream(U)->start_delivered);
}

Test(registry_ends, a_stop_is_settled_once_it_was_written_or_fenced)
{
	for (enum outcome outcome = OUTCOME_NONE; outcome < OUTCOME_COUNT; outcome++) {
		struct stream_event event;

		setup();
		event = of_stream(EVENT_STREAM_CLOSE);
		event.stream_close.end_cause = END_APP_STOP;
		bench_say((struct peer){ ROLE_UNMANAGED, 7 }, &event);
		device_told(event, true, outcome);
		bool done = outcome == OUTCOME_SENT || outcome == OUTCOME_FENCED;

		cr_expect_str_eq(bench_said(), done ? "stream.stop_settled" : "", "%s",
				 words_name(&outcome_words, outcome));
		if (done)
			cr_expect_eq(
				bench_fx(EVENT_STREAM_STOP_SETTLED, 0)->stream_stop_settled.outcome,
				outcome == OUTCOME_SENT ? OUTCOME_SENT : OUTCOME_OVERTAKEN);
		device_told(event, true, OUTCOME_SENT);
		device_told(event, true, OUTCOME_SENT);
		expect_said("");
		app_told(event, "pa", OUTCOME_SENT);
		cr_expect_eq(bench.registry.state.streams_count, 0);
		bench_close();
	}
}

Test(registry_ends, stops_that_were_not_owed, .init = setup)
{
	struct stream_event event = of_stream(EVENT_EDGE_DEVICE_TOLD);

	device_told(event, true, OUTCOME_SENT); /* it still runs */
	expect_said("");
	stream_status(U, DEVICE_STOPPED); /* owes no stop */
	device_told(event, true, OUTCOME_SENT);
	expect_said("");
	event.stream_id = TEXT("");
	device_told(event, true, OUTCOME_SENT); /* D11: an orphan stop */
	expect_said("");
}

Test(registry_ends, an_end_is_told_once_whatever_became_of_it)
{
	for (enum outcome outcome = OUTCOME_NONE; outcome < OUTCOME_COUNT; outcome++) {
		struct stream_event event;

		setup();
		event = of_stream(EVENT_EDGE_APP_TOLD);
		app_told(event, "pa", outcome);
		expect_said(""); /* it runs */
		stream_status(U, DEVICE_STOPPED);
		app_told(event, "pb", outcome);
		expect_said(""); /* a copy of another app */
		event.epoch++;
		app_told(event, "pa", outcome);
		expect_said("");
		event.epoch--;
		app_told(event, "pa", outcome);
		expect_said("stream.told");
		cr_expect_eq(bench_fx(EVENT_STREAM_TOLD, 0)->stream_told.outcome, outcome);
		app_told(event, "pa", outcome);
		expect_said("");
		cr_expect_eq(bench.registry.state.streams_count, 0);
		bench_close();
	}
}

struct owner_row {
	enum app_state state;
	int gateway; /* of its socket: LINK_UP, LINK_LOST, or -1 if it is gone */
	bool told_owed;
};

/* 2.7: what cannot reach its owner is dropped, not queued. */
Test(registry_ends, to_whom_an_end_is_owed)
{
	static const struct owner_row rows[] = {
		{ APP_RUNNING, LINK_UP, true },	      { APP_RUNNING, LINK_LOST, true },
		{ APP_RUNNING, -1, false },	      { APP_GRACE, LINK_UP, false },
		{ APP_RESURRECTING, LINK_UP, false }, { APP_LOADING, LINK_UP, false },
		{ APP_STOPPING, LINK_UP, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		setup();
		if (rows[i].state == APP_STOPPING)
			app_stop(U, "pa");
		else if (rows[i].state != APP_RUNNING)
			app_closed(U, "pa", 21);
		if (rows[i].state == APP_RESURRECTING || rows[i].state == APP_LOADING)
			timer(TIMER_APP_GRACE, U, "pa", the_app(U, "pa")->seq);
		if (rows[i].state == APP_LOADING)
			hook_done(U, "pa", HOOK_STOP);
		cr_assert_eq(the_app(U, "pa")->state, rows[i].state);
		if (rows[i].gateway != LINK_UP)
			gateway_lease(GATEWAY_B, rows[i].gateway == LINK_LOST ? 5000 : 120000);
		stream_status(U, DEVICE_STOPPED);
		cr_expect_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.told_owed,
			     rows[i].told_owed, "row %zu", i);
		bench_close();
	}
}

/* Silence ------------------------------------------------------------------------------------ */

Test(registry_ends, misses_only_where_probes_are_sent)
{
	EACH_PHASE(phase)
	{
		bool probed = *phase == PHASE_LIVE || *phase == PHASE_SUSPECT;

		setup();
		bring_to(*phase);
		missed(2, false);
		cr_expect_str_eq(bench_said(), probed ? "stream.moved" : "");
		cr_expect_eq(the_stream(U)->phase, probed ? PHASE_SUSPECT : *phase);
		cr_expect_eq(the_stream(U)->missed, probed ? 2 : 0);
		missed(3, true);
		cr_expect_str_eq(bench_said(), probed ? "stream.closed" : "",
				 "5.3: a keep-alive timeout in %s cannot happen",
				 words_name(&phase_words, *phase));
		bench_close();
	}
}

Test(registry_ends, recovery, .init = setup)
{
	bring_to(PHASE_SUSPECT);
	missed(0, false);
	expect_said("stream.moved");
	cr_assert_eq(the_stream(U)->phase, PHASE_LIVE);
	cr_assert_eq(the_stream(U)->missed, 0);
	missed(0, false);
	expect_said(""); /* there was nothing to recover from */
	cr_assert_eq(bench.registry.stats.refused, 1);
}

Test(registry_ends, a_verdict_on_an_old_life_is_stale, .init = setup)
{
	struct stream_event event;

	bring_to(PHASE_SUSPECT);
	event = missed_report(3, true);
	stream_status(U, DEVICE_STREAMING); /* it spoke while the verdict was on its way */
	bench_say(scheduler, &event);
	expect_said("");
	cr_assert_eq(bench.registry.stats.ignored, 1);
	event = missed_report(3, true);
	event.epoch--;
	bench_say(scheduler, &event);
	expect_said("");
	event = missed_report(3, true);
	event.user_id = TEXT("v@x");
	bench_say(scheduler, &event);
	expect_said("");
	cr_assert_eq(the_stream(U)->phase, PHASE_LIVE);
}

struct silence_row {
	enum link_state link; /* LINK_LOST: its gateway is */
	bool connected;
	enum end_cause cause;
	enum hop hop;
	bool stop_owed;
};

Test(registry_ends, who_is_to_blame_for_silence)
{
	static const struct silence_row rows[] = {
		{ LINK_UP, true, END_ACKS_MISSED, HOP_GLASSES, false },
		{ LINK_UP, false, END_GLASSES_LOST, HOP_GLASSES, false },
		{ LINK_DOWN, true, END_PHONE_LOST, HOP_PHONE_LINK, true },
		{ LINK_DOWN, false, END_PHONE_LOST, HOP_PHONE_LINK, true },
		{ LINK_LOST, true, END_GATEWAY_LOST, HOP_CLOUD, true },
		{ LINK_LOST, false, END_GATEWAY_LOST, HOP_CLOUD, true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		setup();
		bring_to(PHASE_SUSPECT);
		if (!rows[i].connected)
			glasses_state(U, "");
		if (rows[i].link == LINK_DOWN)
			glasses_down(U, 11);
		if (rows[i].link == LINK_LOST)
			gateway_lease(GATEWAY_A, 5000);
		missed(3, true);
		const struct stream_event *closed = bench_fx(EVENT_STREAM_CLOSED, 0);

		cr_expect_eq(closed->stream_closed.end_cause, rows[i].cause, "row %zu", i);
		cr_expect_eq(closed->stream_closed.hop, rows[i].hop, "row %zu", i);
		cr_expect_eq(closed->stream_closed.stop_owed, rows[i].stop_owed, "row %zu", i);
		cr_expect_eq(closed->stream_closed.link_state, rows[i].link, "row %zu", i);
		cr_expect_eq(closed->stream_closed.missed, 3);
		cr_expect_eq(closed->stream_closed.last_ack_age_ms, 40000);
		bench_close();
	}
}

/* Deadlines ---------------------------------------------------------------------------------- */

Test(registry_ends, a_stream_that_never_starts, .init = setup)
{
	uint64_t requested = the_stream(U)->activity_seq;

	bring_to(PHASE_STARTING);
	deadline(TIMER_START_DEADLINE, requested);
	expect_said(""); /* the start was sent since */
	deadline(TIMER_START_DEADLINE, the_stream(U)->activity_seq);
	expect_said("stream.closed");
	cr_assert_eq(closed_by(), END_NEVER_STARTED);
	cr_assert(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.stop_owed, "D4");
}

Test(registry_ends, a_start_that_was_never_delivered, .init = setup)
{
	deadline(TIMER_START_DEADLINE, the_stream(U)->activity_seq);
	cr_assert_eq(closed_by(), END_NEVER_STARTED);
}

Test(registry_ends, a_stream_that_was_live_stalls, .init = setup)
{
	bring_to(PHASE_LIVE);
	stream_status(U, DEVICE_RECONNECTING);
	cr_assert_eq(the_stream(U)->phase, PHASE_STARTING);
	deadline(TIMER_START_DEADLINE, the_stream(U)->activity_seq);
	cr_assert_eq(closed_by(), END_STALLED);
}

Test(registry_ends, a_stream_that_does_not_stop_stalls, .init = setup)
{
	uint64_t stopping;

	bring_to(PHASE_STOPPING);
	stopping = the_stream(U)->activity_seq;
	stream_status(U, DEVICE_STOPPING);
	deadline(TIMER_STOP_DEADLINE, stopping);
	expect_said("");
	deadline(TIMER_STOP_DEADLINE, the_stream(U)->activity_seq);
	cr_assert_eq(closed_by(), END_STALLED);
	cr_assert_eq(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.last_ack_age_ms, -1);
}

/* Operators ---------------------------------------------------------------------------------- */

static enum result operator_stop(const char *user, const char *id)
{
	struct stream_event event = about(user, EVENT_OPERATOR_STOP);

	event.stream_id = text_of(id);
	event.operator_stop.by = TEXT("op");
	bench_say((struct peer){ ROLE_OPERATOR, 5 }, &event);
	return (enum result)bench_fx(EVENT_OPERATOR_RESULT, 0)->operator_result.result;
}

Test(registry_ends, an_operator_stops_by_stream_or_by_user, .init = setup)
{
	const char *id = the_id(the_stream(U));

	cr_assert_eq(operator_stop("", "s0000000000"), RESULT_NOT_FOUND);
	cr_assert_gt(bench_fx(EVENT_OPERATOR_RESULT, 0)->operator_result.reason.length, 0);
	cr_assert_eq(operator_stop("v@x", ""), RESULT_NOT_FOUND);
	cr_assert_eq(operator_stop("", id), RESULT_OK);
	expect_said("operator.result stream.closed");
	cr_assert(text_is(bench_fx(EVENT_OPERATOR_RESULT, 0)->user_id, U));
	cr_assert(text_is(bench_fx(EVENT_OPERATOR_RESULT, 0)->stream_id, id));
	cr_assert_eq(closed_by(), END_OPERATOR_STOP);
	cr_assert(text_is(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.by, "op"));
	cr_assert(text_is(bench_fx(EVENT_STREAM_CLOSED, 0)->stream_closed.stop_app_id, "pa"));
	cr_assert_eq(operator_stop("", id), RESULT_NOT_FOUND, "it has ended");
	cr_assert_eq(operator_stop(U, ""), RESULT_NOT_FOUND);
	stream_open(U, "pa", 0);
	cr_assert_eq(operator_stop(U, ""), RESULT_OK);
}

/* Late, from a socket that another has replaced: it would undo what was said into that one. */
Test(registry_ends, a_status_from_an_older_socket_moves_nothing)
{
	static const struct {
		uint64_t link, gateway;
		enum device_status status;
		enum phase phase; /* PHASE_CLOSED: it has ended */
	} cases[] = {
		{ 11, GATEWAY_A, DEVICE_INITIALIZING, PHASE_LIVE },
		{ 12, GATEWAY_B, DEVICE_INITIALIZING, PHASE_LIVE },
		{ 12, GATEWAY_A, DEVICE_INITIALIZING, PHASE_STARTING },
		{ 11, GATEWAY_A, DEVICE_STOPPED, PHASE_CLOSED },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		setup();
		glasses_up(U, 12);
		stream_status(U, DEVICE_STREAMING);
		struct stream_event event = about(U, EVENT_EDGE_STATUS);

		event.stream_id = text_of(the_id(the_stream(U)));
		event.edge_status.status = cases[i].status;
		event.edge_status.link = cases[i].link;
		bench_say((struct peer){ ROLE_GATEWAY, cases[i].gateway }, &event);
		if (cases[i].phase == PHASE_CLOSED)
			cr_expect_not(the_stream(U), "%u", i);
		else
			cr_expect_eq(the_stream(U)->phase, cases[i].phase, "%u", i);
		bench_close();
	}
}
