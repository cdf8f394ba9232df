/* SPDX-License-Identifier: MIT */
/* Goal: the simulator's checks see what they are there for, and nothing else.
 * Method: a world without weir; the test tells the story, right and then wrong.
 */
#include <criterion/criterion.h>

#include "actors/lifecycle-scheduler/scheduler_core.h"
#include "actors/registry/registry_core.h"
#include "tests/lib/fake_sim.h"
#include "tests/sim/checks_internal.h"

static struct scheduler scheduler;
static struct registry registry;
static struct person *person;
static uint64_t seq;

/* What the story below calls the sockets: those of apps are 5, of phones 1. */
struct check_link check_link(uint64_t socket)
{
	return (struct check_link){ .link = socket == 5 ? 5 : 1, .gateway = 0xa };
}

static void tell(struct stream_event event)
{
	event.seq = ++seq;
	registry.seq = seq;
	event.user_id = person->id;
	fake_sim.observer->story(NULL, &event);
}

static void tell_stream(enum stream_event_type type, const char *id, uint64_t stream_seq)
{
	struct stream_event event = { .type = type, .stream_id = text_of(id), .epoch = 10 };

	event.epoch += (uint64_t)(id[1] - '0');
	event.stream_seq = stream_seq;
	if (type == EVENT_STREAM_OPENED) {
		event.stream_opened.kind = KIND_UNMANAGED;
		event.stream_opened.package = text_of(sim_packages[person->apps[0].package].name);
	} else if (type == EVENT_STREAM_STATUS) {
		event.stream_status.status = DEVICE_STREAMING;
		event.stream_status.phase = PHASE_LIVE;
	}
	tell(event);
}

static void tell_closed(const char *id, uint64_t stream_seq, enum end_cause cause)
{
	struct stream_event event = { .type = EVENT_STREAM_CLOSED, .stream_id = text_of(id) };

	event.epoch = 10 + (uint64_t)(id[1] - '0');
	event.stream_seq = stream_seq;
	event.stream_closed.end_cause = cause;
	event.stream_closed.hop = HOP_APP;
	event.stream_closed.told_owed = true;
	event.stream_closed.missed = 1; /* the first that the story hears of */
	tell(event);
}

static void app_runs(void)
{
	struct stream_event event = { .type = EVENT_GATEWAY_CHANGED };
	struct client_app *app = &person->apps[0];

	event.gateway_changed.gateway = 0xa;
	event.gateway_changed.name = TEXT("gateway-1");
	event.gateway_changed.state = LINK_UP;
	tell(event);
	tell((struct stream_event){ .type = EVENT_SESSION_OPENED });
	event = (struct stream_event){ .type = EVENT_APP_CHANGED };
	event.app_changed.package = text_of(sim_packages[app->package].name);
	event.app_changed.state = APP_RUNNING;
	event.app_changed.link = 5;
	event.app_changed.gateway = 0xa;
	tell(event);
	app->socket = 5;
	app->accepted = true;
	checks_app_accepted(app);
}

static void settle(void)
{
	struct sim *sim = fake_sim_open(3);

	seq = 0;
	sim_people_init(sim);
	sim_checks_init(sim);
	scheduler.options = scheduler_defaults;
	registry.options.stop_owed_ms = 600000;
	fake_sim.scheduler = &scheduler;
	fake_sim.registry = &registry;
	person = &people.persons[0];
	app_runs();
	cr_assert_str_empty(fake_sim.violation);
}

/* Time passes for the checks alone. */
static void pass(int64_t ms)
{
	fake_sim.now_ms += ms;
	fake_sim.observer->stepped(NULL);
}

static void hear(const char *id, const char *word)
{
	checks_app_told(&person->apps[0], &(struct telling){ .socket = person->apps[0].socket,
							     .stream_id = text_of(id),
							     .word = text_of(word) });
}

#define SEES(name) cr_assert_str_eq(fake_sim.violation, (name))

Test(sim_checks, a_good_life_breaks_nothing)
{
	settle();
	checks_app_asked(&person->apps[0], ANSWER_STATUS);
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	hear("s1", "initializing");
	checks_app_answered(&person->apps[0], ANSWER_STATUS);
	checks_device_start(person, TEXT("s1"));
	tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	hear("s1", "active");
	pass(50000);
	tell_closed("s1", 3, END_APP_STOP);
	checks_device_stop(person, TEXT("s1"));
	hear("s1", "stopped");
	tell_stream(EVENT_STREAM_TOLD, "s1", 4);
	pass(20000);
	tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	SEES("");
}

Test(sim_checks, two_live_streams)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	SEES("I1 one live stream");
}

Test(sim_checks, an_epoch_again)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	tell_closed("s2", 2, END_APP_STOP);
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	SEES("I2 epochs grow");
}

Test(sim_checks, gaps_in_the_story)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_stream(EVENT_STREAM_STATUS, "s1", 3);
	SEES("I13 stream_seq is dense");
	settle();
	seq++;
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	SEES("I13 seq is dense");
}

Test(sim_checks, an_event_that_changes_nothing)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_closed("s1", 2, END_APP_STOP);
	tell_stream(EVENT_STREAM_STATUS, "s1", 3);
	SEES("I12 the story replays");
}

Test(sim_checks, an_old_start_after_a_newer_one)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_closed("s1", 2, END_TAKEOVER);
	tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	checks_device_start(person, TEXT("s2"));
	checks_device_start(person, TEXT("s1"));
	SEES("I2 an old start is fenced");
}

Test(sim_checks, a_start_twice_on_a_socket)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	checks_device_start(person, TEXT("s1"));
	person->phone.socket++;
	checks_device_start(person, TEXT("s1"));
	SEES("");
	checks_device_start(person, TEXT("s1"));
	SEES("I2 a start is given once");
}

Test(sim_checks, a_stop_for_another_stream)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	checks_device_stop(person, TEXT("s1"));
	SEES("I3 no stop for another stream");
}

Test(sim_checks, words_that_the_story_does_not_know)
{
	settle();
	hear("s1", "initializing");
	SEES("I4 acknowledged is durable");
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	hear("s1", "stopped");
	SEES("I4 acknowledged is durable");
	settle();
	checks_device_start(person, TEXT("s1"));
	SEES("I4 acknowledged is durable");
}

Test(sim_checks, an_answer_or_a_seq_that_got_lost)
{
	struct stream_event result = { .type = EVENT_STREAM_RESULT, .stream_id = TEXT("s9") };

	settle();
	result.stream_result.result = RESULT_OK;
	fake_sim.observer->answered(NULL, &result);
	SEES("I4 acknowledged is durable");
	settle();
	registry.seq = seq - 1;
	pass(1);
	SEES("I4 acknowledged is durable");
}

Test(sim_checks, a_store_that_forgot)
{
	static const struct state_options few = {
		.users_max = 4, .apps_max = 4, .streams_max = 4, .text_bytes = 1u << 20
	};
	static uint8_t memory[4u << 20];
	struct state empty;

	settle();
	cr_assert_leq(state_bytes(&few), sizeof memory);
	state_init(&empty, &few, memory);
	fake_sim.observer->loaded(NULL, &empty);
	SEES("I4 the store is the story");
}

Test(sim_checks, two_ends_and_none)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_closed("s1", 2, END_APP_STOP);
	hear("s1", "stopped");
	hear("s1", "stopped");
	SEES("I6 one end for each beginning");
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_closed("s1", 2, END_APP_STOP);
	tell_stream(EVENT_STREAM_TOLD, "s1", 3);
	pass(RECONCILE_BOUND_MS + SLACK_MS);
	SEES("");
	pass(1000);
	SEES("I6 one end for each beginning");
}

Test(sim_checks, an_owner_that_is_there_is_owed_the_end)
{
	struct stream_event event = { .type = EVENT_STREAM_CLOSED, .stream_id = TEXT("s1") };

	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	event.epoch = 11;
	event.stream_seq = 2;
	event.stream_closed.end_cause = END_APP_STOP;
	event.stream_closed.hop = HOP_APP;
	tell(event);
	SEES("I6 one end for each beginning");
}

Test(sim_checks, owed_for_too_long)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_closed("s1", 2, END_APP_STOP);
	hear("s1", "stopped");
	pass(RECONCILE_BOUND_MS + SLACK_MS + 1);
	SEES("I6 nothing is owed for ever");
}

Test(sim_checks, a_dead_stream_that_lives)
{
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	fake_sim.now_ms += 100000; /* calm for long enough */
	text_put(TEXT("s1"), person->device.stream_id, sizeof person->device.stream_id);
	checks_device_sign(person);
	pass(55000 + SLACK_MS);
	SEES("");
	pass(1000);
	SEES("L1 a dead stream ends");
}

Test(sim_checks, a_phase_that_does_not_end)
{
	settle();
	fake_sim.now_ms += 100000;
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	hear("s1", "initializing");
	pass(60000 + SLACK_MS);
	SEES("");
	pass(1000);
	SEES("L2 no phase for ever");
}

static void tell_link(enum link_state state)
{
	struct stream_event event = { .type = EVENT_LINK_CHANGED };

	event.link_changed.link = 1;
	event.link_changed.gateway = 0xa;
	event.link_changed.state = state;
	tell(event);
}

static void live_for(int64_t ms)
{
	tell_link(LINK_UP);
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	text_put(TEXT("s1"), person->device.stream_id, sizeof person->device.stream_id);
	checks_phone_up(person);
	checks_device_runs(person, true);
	fake_sim.now_ms += ms;
	checks_device_sign(person);
}

Test(sim_checks, a_verdict_on_an_innocent_device)
{
	settle();
	live_for(200000);
	tell_closed("s1", 3, END_ACKS_MISSED);
	SEES("I9 no verdict while blind");
}

Test(sim_checks, a_verdict_on_a_guilty_one)
{
	settle();
	live_for(200000);
	checks_device_guilty(person);
	tell_closed("s1", 3, END_ACKS_MISSED);
	SEES("");
	settle();
	live_for(200000);
	checks_phone_down(person);
	tell_closed("s1", 3, END_PHONE_LOST);
	SEES("");
}

Test(sim_checks, a_verdict_before_its_time)
{
	settle();
	live_for(29999);
	tell_closed("s1", 3, END_ACKS_MISSED);
	SEES("I9 no verdict before its time");
	settle();
	live_for(30000);
	tell_closed("s1", 3, END_ACKS_MISSED);
	SEES("");
	settle();
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	fake_sim.now_ms += 59999;
	tell_closed("s1", 2, END_NEVER_STARTED);
	SEES("I9 no verdict before its time");
}

Test(sim_checks, an_end_that_the_device_has_not_said)
{
	settle();
	live_for(10000);
	tell_closed("s1", 3, END_DEVICE_ERROR);
	SEES("I2 only its own device ends a stream");
	settle();
	live_for(10000);
	checks_device_ended(person);
	tell_closed("s1", 3, END_DEVICE_ERROR);
	SEES("");
}

Test(sim_checks, the_end_of_a_session)
{
	settle();
	tell_link(LINK_DOWN);
	fake_sim.now_ms += 59999;
	tell((struct stream_event){ .type = EVENT_SESSION_ENDING });
	SEES("I9 no verdict before its time");
	settle();
	tell_link(LINK_UP);
	checks_phone_up(person);
	tell_link(LINK_DOWN);
	fake_sim.now_ms += 200000;
	tell((struct stream_event){ .type = EVENT_SESSION_ENDING });
	SEES("I9 no verdict while blind");
	settle();
	tell_link(LINK_DOWN);
	fake_sim.now_ms += 60000;
	tell((struct stream_event){ .type = EVENT_SESSION_ENDING });
	SEES("");
}

static void tell_app(enum app_state state)
{
	struct stream_event event = { .type = EVENT_APP_CHANGED };

	event.app_changed.package = text_of(sim_packages[person->apps[0].package].name);
	event.app_changed.state = state;
	tell(event);
}

Test(sim_checks, the_end_of_an_apps_grace)
{
	settle();
	checks_app_lost(&person->apps[0]);
	tell_app(APP_GRACE);
	fake_sim.now_ms += 4999;
	tell_app(APP_RESURRECTING);
	SEES("I9 no verdict before its time");
	settle();
	fake_sim.now_ms += 200000;
	tell_app(APP_GRACE);
	fake_sim.now_ms += 5000;
	tell_app(APP_RESURRECTING);
	SEES("I9 no verdict while blind");
	settle();
	checks_app_lost(&person->apps[0]);
	tell_app(APP_GRACE);
	fake_sim.now_ms += 5000;
	tell_app(APP_RESURRECTING);
	SEES("");
}

Test(sim_checks, a_request_that_is_carried_out_twice)
{
	struct stream_event event = { .type = EVENT_STREAM_OPENED, .stream_id = TEXT("s1") };

	settle();
	event.epoch = 11;
	event.stream_seq = 1;
	event.origin = 4;
	event.request = 9;
	event.stream_opened.kind = KIND_UNMANAGED;
	event.stream_opened.package = text_of(sim_packages[person->apps[0].package].name);
	tell(event);
	tell_closed("s1", 2, END_TAKEOVER);
	SEES("");
	event.epoch = 12;
	event.stream_id = TEXT("s2");
	tell(event);
	SEES("I5 a request has one effect");
}

Test(sim_checks, a_word_that_is_not_heard)
{
	settle();
	fake_sim.now_ms += 100000;
	tell_stream(EVENT_STREAM_OPENED, "s1", 1);
	tell_stream(EVENT_STREAM_STATUS, "s1", 2);
	hear("s1", "initializing");
	pass(RECONCILE_BOUND_MS + SLACK_MS);
	SEES("");
	pass(1000);
	SEES("I7 an app hears the last word");
}

Test(sim_checks, a_request_that_is_swallowed)
{
	settle();
	checks_app_asked(&person->apps[0], ANSWER_CHECK);
	pass(REQUEST_BOUND_MS + SLACK_MS);
	SEES("");
	pass(1000);
	SEES("L5 a request is answered");
}

Test(sim_checks, a_timer_without_a_stream)
{
	settle();
	scheduler.armed[SCHEDULER_TIMER_PROBE] = 1;
	pass(1);
	SEES("I8 no timer without its owner");
}
