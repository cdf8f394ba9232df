/* SPDX-License-Identifier: MIT */
/* Goal: the simulator's checks see what they are there for, and nothing else.
 * Method: a world without weir; the test tells the story, right and then wrong.
 */
#include "tests/lib/checks_stage.h"

static void hear(const char *id, const char *word)
{
	checks_app_told(&stage.person->apps[0],
			&(struct telling){ .socket = stage.person->apps[0].socket,
					   .stream_id = text_of(id),
					   .word = text_of(word) });
}

Test(sim_checks, a_good_life_breaks_nothing)
{
	stage_open();
	checks_app_asked(&stage.person->apps[0], ANSWER_STATUS);
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	hear("s1", "initializing");
	checks_app_answered(&stage.person->apps[0], ANSWER_STATUS);
	checks_device_start(stage.person, TEXT("s1"));
	stage_tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	hear("s1", "active");
	stage_pass(50000);
	stage_tell_closed("s1", 3, END_APP_STOP);
	checks_device_stop(stage.person, TEXT("s1"));
	hear("s1", "stopped");
	stage_tell_stream(EVENT_STREAM_TOLD, "s1", 4);
	stage_pass(20000);
	stage_tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	SEES("");
}

Test(sim_checks, two_live_streams)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	SEES("I1 one live stream");
}

Test(sim_checks, an_epoch_again)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	stage_tell_closed("s2", 2, END_APP_STOP);
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	SEES("I2 epochs grow");
}

Test(sim_checks, gaps_in_the_story)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_stream(EVENT_STREAM_STATUS, "s1", 3);
	SEES("I13 stream_seq is dense");
	stage_open();
	stage.seq++;
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	SEES("I13 seq is dense");
}

Test(sim_checks, an_event_that_changes_nothing)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_closed("s1", 2, END_APP_STOP);
	stage_tell_stream(EVENT_STREAM_STATUS, "s1", 3);
	SEES("I12 the story replays");
}

Test(sim_checks, an_old_start_after_a_newer_one)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_closed("s1", 2, END_TAKEOVER);
	stage_tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	checks_device_start(stage.person, TEXT("s2"));
	checks_device_start(stage.person, TEXT("s1"));
	SEES("I2 an old start is fenced");
}

Test(sim_checks, a_start_twice_on_a_socket)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	checks_device_start(stage.person, TEXT("s1"));
	stage.person->phone.socket++;
	checks_device_start(stage.person, TEXT("s1"));
	SEES("");
	checks_device_start(stage.person, TEXT("s1"));
	SEES("I2 a start is given once");
}

Test(sim_checks, a_stop_for_another_stream)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	checks_device_stop(stage.person, TEXT("s1"));
	SEES("I3 no stop for another stream");
}

Test(sim_checks, words_that_the_story_does_not_know)
{
	stage_open();
	hear("s1", "initializing");
	SEES("I4 acknowledged is durable");
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	hear("s1", "stopped");
	SEES("I4 acknowledged is durable");
	stage_open();
	checks_device_start(stage.person, TEXT("s1"));
	SEES("I4 acknowledged is durable");
}

Test(sim_checks, an_answer_or_a_seq_that_got_lost)
{
	struct stream_event result = { .type = EVENT_STREAM_RESULT, .stream_id = TEXT("s9") };

	stage_open();
	result.stream_result.result = RESULT_OK;
	fake_sim.observer->answered(NULL, &result);
	SEES("I4 acknowledged is durable");
	stage_open();
	stage.registry.seq = stage.seq - 1;
	stage_pass(1);
	SEES("I4 acknowledged is durable");
}

Test(sim_checks, a_store_that_forgot)
{
	static const struct state_options few = {
		.users_max = 4, .apps_max = 4, .streams_max = 4, .text_bytes = 1u << 20
	};
	static uint8_t memory[4u << 20];
	struct state empty;

	stage_open();
	cr_assert_leq(state_bytes(&few), sizeof memory);
	state_init(&empty, &few, memory);
	fake_sim.observer->loaded(NULL, &empty);
	SEES("I4 the store is the story");
}

Test(sim_checks, two_ends_and_none)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_closed("s1", 2, END_APP_STOP);
	hear("s1", "stopped");
	hear("s1", "stopped");
	SEES("I6 one end for each beginning");
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_closed("s1", 2, END_APP_STOP);
	stage_tell_stream(EVENT_STREAM_TOLD, "s1", 3);
	stage_pass(RECONCILE_BOUND_MS + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("I6 one end for each beginning");
}

Test(sim_checks, an_owner_that_is_there_is_owed_the_end)
{
	struct stream_event event = { .type = EVENT_STREAM_CLOSED, .stream_id = TEXT("s1") };

	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	event.epoch = 11;
	event.stream_seq = 2;
	event.stream_closed.end_cause = END_APP_STOP;
	event.stream_closed.hop = HOP_APP;
	stage_tell(event);
	SEES("I6 one end for each beginning");
}

Test(sim_checks, owed_for_too_long)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_closed("s1", 2, END_APP_STOP);
	hear("s1", "stopped");
	stage_pass(RECONCILE_BOUND_MS + SLACK_MS + 1);
	SEES("I6 nothing is owed for ever");
}

Test(sim_checks, a_dead_stream_that_lives)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	fake_sim.now_ms += 100000; /* calm for long enough */
	text_put(TEXT("s1"), stage.person->device.stream_id, sizeof stage.person->device.stream_id);
	checks_device_sign(stage.person, TEXT("s1"));
	stage_pass(55000 + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("L1 a dead stream ends");
}

/* What answers for another stream keeps this one alive as little as silence does. */
Test(sim_checks, a_sign_of_another_stream_is_none)
{
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	fake_sim.now_ms += 100000;
	checks_device_sign(stage.person, TEXT("s1"));
	stage_pass(50000);
	checks_device_sign(stage.person, TEXT("s2"));
	stage_pass(5000 + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("L1 a dead stream ends");
}

Test(sim_checks, a_phase_that_does_not_end)
{
	stage_open();
	fake_sim.now_ms += 100000;
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	hear("s1", "initializing");
	stage_pass(60000 + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("L2 no phase for ever");
}

static void tell_link(enum link_state state)
{
	struct stream_event event = { .type = EVENT_LINK_CHANGED };

	event.link_changed.link = 1;
	event.link_changed.gateway = 0xa;
	event.link_changed.state = state;
	stage_tell(event);
}

static void live_for(int64_t ms)
{
	tell_link(LINK_UP);
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	text_put(TEXT("s1"), stage.person->device.stream_id, sizeof stage.person->device.stream_id);
	checks_phone_up(stage.person);
	checks_device_runs(stage.person, true);
	fake_sim.now_ms += ms;
	checks_device_sign(stage.person, TEXT("s1"));
}

Test(sim_checks, a_verdict_on_an_innocent_device)
{
	stage_open();
	live_for(200000);
	stage_tell_closed("s1", 3, END_ACKS_MISSED);
	SEES("I9 no verdict while blind");
}

Test(sim_checks, a_verdict_on_a_guilty_one)
{
	stage_open();
	live_for(200000);
	checks_device_guilty(stage.person);
	stage_tell_closed("s1", 3, END_ACKS_MISSED);
	SEES("");
	stage_open();
	live_for(200000);
	checks_phone_down(stage.person);
	stage_tell_closed("s1", 3, END_PHONE_LOST);
	SEES("");
}

Test(sim_checks, a_verdict_before_its_time)
{
	stage_open();
	live_for(29999);
	stage_tell_closed("s1", 3, END_ACKS_MISSED);
	SEES("I9 no verdict before its time");
	stage_open();
	live_for(30000);
	stage_tell_closed("s1", 3, END_ACKS_MISSED);
	SEES("");
	stage_open();
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	fake_sim.now_ms += 59999;
	stage_tell_closed("s1", 2, END_NEVER_STARTED);
	SEES("I9 no verdict before its time");
}

Test(sim_checks, an_end_that_the_device_has_not_said)
{
	stage_open();
	live_for(10000);
	stage_tell_closed("s1", 3, END_DEVICE_ERROR);
	SEES("I2 only its own device ends a stream");
	stage_open();
	live_for(10000);
	checks_device_ended(stage.person);
	stage_tell_closed("s1", 3, END_DEVICE_ERROR);
	SEES("");
}

Test(sim_checks, the_end_of_a_session)
{
	stage_open();
	tell_link(LINK_DOWN);
	fake_sim.now_ms += 59999;
	stage_tell((struct stream_event){ .type = EVENT_SESSION_ENDING });
	SEES("I9 no verdict before its time");
	stage_open();
	tell_link(LINK_UP);
	checks_phone_up(stage.person);
	tell_link(LINK_DOWN);
	fake_sim.now_ms += 200000;
	stage_tell((struct stream_event){ .type = EVENT_SESSION_ENDING });
	SEES("I9 no verdict while blind");
	stage_open();
	tell_link(LINK_DOWN);
	fake_sim.now_ms += 60000;
	stage_tell((struct stream_event){ .type = EVENT_SESSION_ENDING });
	SEES("");
}

static void tell_app(enum app_state state)
{
	struct stream_event event = { .type = EVENT_APP_CHANGED };

	event.app_changed.package = text_of(sim_packages[stage.person->apps[0].package].name);
	event.app_changed.state = state;
	stage_tell(event);
}

Test(sim_checks, the_end_of_an_apps_grace)
{
	stage_open();
	checks_app_lost(&stage.person->apps[0]);
	tell_app(APP_GRACE);
	fake_sim.now_ms += 4999;
	tell_app(APP_RESURRECTING);
	SEES("I9 no verdict before its time");
	stage_open();
	fake_sim.now_ms += 200000;
	tell_app(APP_GRACE);
	fake_sim.now_ms += 5000;
	tell_app(APP_RESURRECTING);
	SEES("I9 no verdict while blind");
	stage_open();
	checks_app_lost(&stage.person->apps[0]);
	tell_app(APP_GRACE);
	fake_sim.now_ms += 5000;
	tell_app(APP_RESURRECTING);
	SEES("");
}

Test(sim_checks, a_request_that_is_carried_out_twice)
{
	struct stream_event event = { .type = EVENT_STREAM_OPENED, .stream_id = TEXT("s1") };

	stage_open();
	event.epoch = 11;
	event.stream_seq = 1;
	event.origin = 4;
	event.request = 9;
	event.stream_opened.kind = KIND_UNMANAGED;
	event.stream_opened.package = text_of(sim_packages[stage.person->apps[0].package].name);
	stage_tell(event);
	stage_tell_closed("s1", 2, END_TAKEOVER);
	SEES("");
	event.epoch = 12;
	event.stream_id = TEXT("s2");
	stage_tell(event);
	SEES("I5 a request has one effect");
}

Test(sim_checks, a_word_that_is_not_heard)
{
	stage_open();
	fake_sim.now_ms += 100000;
	stage_tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	stage_tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	hear("s1", "initializing");
	stage_pass(RECONCILE_BOUND_MS + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("I7 an app hears the last word");
}

Test(sim_checks, a_request_that_is_swallowed)
{
	stage_open();
	checks_app_asked(&stage.person->apps[0], ANSWER_CHECK);
	stage_pass(REQUEST_TURN_MS + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("L5 a request is answered");
}

Test(sim_checks, a_timer_without_a_stream)
{
	stage_open();
	stage.scheduler.armed[SCHEDULER_TIMER_PROBE] = 1;
	stage_pass(1);
	SEES("I8 no timer without its owner");
}
