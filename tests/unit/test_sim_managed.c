/* SPDX-License-Identifier: MIT */
/* Goal: the simulator's checks see what goes wrong with managed streams and their inputs, and
 * nothing else.
 * Method: a world without weir; the test tells the story and plays the provider.
 */
#include "actors/managed-adapter/managed_core.h"
#include "tests/lib/checks_stage.h"

#define MARK "ours"

static const struct client_app *app_of(unsigned index)
{
	return &stage.person->apps[index];
}

static struct text package_of(unsigned index)
{
	return text_of(sim_packages[app_of(index)->package].name);
}

static void hear(unsigned index, const char *id, const char *word)
{
	checks_app_shown(app_of(index), &(struct telling){ .socket = app_of(index)->socket,
							   .stream_id = text_of(id),
							   .word = text_of(word) });
}

/* Two apps, and a deployment with a mark. */
static void settle(void)
{
	struct stream_event event = { .type = EVENT_DEPLOYMENT_MARKED };

	stage_open();
	while (stage.person->app_count < 2)
		app_init(stage.person, stage.person->app_count++,
			 (app_of(0)->package + 1) % SIM_PACKAGES);
	stage_app_runs(1);
	event.deployment_marked.mark = TEXT(MARK);
	stage_tell(event);
	fake_sim.provider.leak_age_s = 60;
	fake_sim.adapter_life = 1;
	SEES("");
}

static void asks(unsigned index)
{
	checks_app_watches(app_of(index), true);
	checks_app_asked(app_of(index), ANSWER_MANAGED);
}

static void opened(const char *id)
{
	struct stream_event event = stage_event(EVENT_STREAM_OPENED, id, 1);

	event.stream_opened.kind = KIND_MANAGED;
	event.stream_opened.package = package_of(0);
	event.stream_opened.provider = PROVIDER_CLOUDFLARE;
	stage_tell(event);
}

static struct sim_input *made(const char *name, const char *stream_id, const char *mark)
{
	struct sim_input *input = &fake_sim.inputs[fake_sim.input_count++];

	*input = (struct sim_input){ .used = true, .created_ms = fake_sim.now_ms };
	text_put(text_of(name), input->id, sizeof input->id);
	text_put(text_of(stream_id), input->stream_id, sizeof input->stream_id);
	text_put(text_of(mark), input->mark, sizeof input->mark);
	text_put(TEXT("rtmps://in/1"), input->ingest, sizeof input->ingest);
	fake_sim.observer->input_made(NULL, input);
	return input;
}

static void provisioned(const char *id, uint64_t stream_seq, const char *input)
{
	struct stream_event event = stage_event(EVENT_STREAM_PROVISIONED, id, stream_seq);

	event.stream_provisioned.input_id = text_of(input);
	event.stream_provisioned.ingest = TEXT("rtmps://in/1");
	event.stream_provisioned.phase = PHASE_PROVISIONING;
	stage_tell(event);
}

/* s1, made and told; two events of it. */
static struct sim_input *begins(void)
{
	struct sim_input *input;

	settle();
	asks(0);
	fake_sim.now_ms += 10;
	opened("s1");
	input = made("in1", "s1", MARK);
	input->told = true;
	input->told_life = 1;
	provisioned("s1", 2, "in1");
	hear(0, "s1", "initializing");
	checks_app_answered(app_of(0), ANSWER_MANAGED);
	return input;
}

static void joined(uint64_t stream_seq, unsigned index)
{
	struct stream_event event = stage_event(EVENT_STREAM_JOINED, "s1", stream_seq);

	event.stream_joined.package = package_of(index);
	stage_tell(event);
}

static void left(uint64_t stream_seq, unsigned index)
{
	struct stream_event event = stage_event(EVENT_STREAM_LEFT, "s1", stream_seq);

	event.stream_left.package = package_of(index);
	event.stream_left.told_owed = true;
	stage_tell(event);
}

static void told(uint64_t stream_seq, unsigned index)
{
	struct stream_event event = stage_event(EVENT_STREAM_TOLD, "s1", stream_seq);

	event.stream_told.package = package_of(index);
	event.stream_told.outcome = OUTCOME_SENT;
	stage_tell(event);
}

static void closed(uint64_t stream_seq, enum end_cause cause, bool owed)
{
	struct stream_event event = stage_event(EVENT_STREAM_CLOSED, "s1", stream_seq);

	event.stream_closed.end_cause = cause;
	event.stream_closed.hop = HOP_APP;
	event.stream_closed.told_owed = owed;
	event.stream_closed.input_owed = true;
	stage_tell(event);
}

static void calls(enum stream_event_type type, const char *name)
{
	struct stream_event call = { .type = type };

	if (type == EVENT_PROVIDER_DELETE) {
		call.provider_delete.input_id = text_of(name);
	} else {
		call.stream_id = text_of(name);
		call.provider_create.mark = TEXT(MARK);
	}
	fake_sim.observer->called(NULL, &call);
}

/* Viewers -------------------------------------------------------------------------------------- */

Test(sim_managed, a_good_life_breaks_nothing)
{
	begins();
	asks(1);
	joined(3, 1);
	hear(1, "s1", "active");
	checks_app_answered(app_of(1), ANSWER_MANAGED);
	checks_app_watches(app_of(0), false);
	left(4, 0);
	hear(0, "s1", "stopped");
	told(5, 0);
	stage_pass(5000);
	closed(6, END_OPERATOR_STOP, true);
	hear(1, "s1", "stopped");
	told(7, 1);
	calls(EVENT_PROVIDER_DELETE, "in1");
	fake_sim.observer->input_deleted(NULL, &fake_sim.inputs[0]);
	fake_sim.input_count = 0;
	stage_pass(100000);
	fake_sim.observer->quiet(NULL);
	SEES("");
}

Test(sim_managed, two_ends_and_none)
{
	begins();
	closed(3, END_OPERATOR_STOP, true);
	hear(0, "s1", "stopped");
	SEES("");
	checks_app_lost(app_of(0)); /* and with it the excuse of its own request */
	hear(0, "s1", "stopped");
	SEES("I6 one end for each beginning");
	begins();
	closed(3, END_OPERATOR_STOP, true);
	told(4, 0);
	stage_pass(RECONCILE_BOUND_MS + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("I6 one end for each beginning");
}

Test(sim_managed, an_end_that_is_none)
{
	begins();
	checks_app_lost(app_of(0));
	hear(0, "s1", "stopped");
	SEES("I4 acknowledged is durable");
}

Test(sim_managed, a_word_after_the_end)
{
	begins();
	closed(3, END_OPERATOR_STOP, true);
	hear(0, "s1", "stopped");
	hear(0, "s1", "active");
	SEES("I6 one end for each beginning");
}

Test(sim_managed, who_never_asked_is_shown_nothing)
{
	begins();
	hear(1, "s1", "active");
	SEES("I7 nobody is shown what he did not ask for");
}

Test(sim_managed, an_end_that_is_not_owed_to_who_is_there)
{
	begins();
	closed(3, END_OPERATOR_STOP, false);
	SEES("I6 one end for each beginning");
}

Test(sim_managed, a_refusal_owes_nothing)
{
	settle();
	asks(0);
	opened("s1");
	closed(2, END_PROVIDER_ERROR, false);
	SEES("");
}

Test(sim_managed, a_join_that_is_swallowed)
{
	begins();
	asks(1);
	stage_pass(WATCH_BOUND_MS + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("L5 a request is answered");
	begins();
	stage_pass(SLACK_MS);
	asks(1);
	joined(3, 1);
	stage_pass(RECONCILE_BOUND_MS + SLACK_MS);
	SEES("");
	stage_pass(1000);
	SEES("I7 a viewer hears the last word");
}

Test(sim_managed, a_join_asked_on_an_earlier_socket_is_not_owed_to_this_one)
{
	begins();
	stage_pass(SLACK_MS);
	joined(3, 1);
	stage_pass(RECONCILE_BOUND_MS + SLACK_MS + 1000);
	SEES("");
}

Test(sim_managed, only_who_watches_leaves)
{
	begins();
	left(3, 1);
	SEES("I11 only who watches leaves");
}

/* Starts --------------------------------------------------------------------------------------- */

static void starts(const char *id, const char *app_id, const char *url)
{
	struct edge_message start = { .type = EDGE_START_RTMP_STREAM };

	start.start_rtmp_stream.stream_id = text_of(id);
	start.start_rtmp_stream.app_id = text_of(app_id);
	start.start_rtmp_stream.rtmp_url = text_of(url);
	checks_device_address(stage.person, &start);
}

Test(sim_managed, a_start_of_another_kind_or_with_another_ingest)
{
	begins();
	starts("s1", "MANAGED_STREAM", "rtmps://in/1");
	SEES("");
	starts("s1", "com.cam.a", "rtmps://in/1");
	SEES("I11 a start of its own kind");
	begins();
	starts("s1", "MANAGED_STREAM", "rtmps://in/2");
	SEES("I11 a start names its own ingest");
}

Test(sim_managed, a_takeover_that_overtakes_the_stop)
{
	struct stream_event event;

	begins();
	event = stage_event(EVENT_STREAM_CLOSED, "s1", 3);
	event.stream_closed.end_cause = END_TAKEOVER;
	event.stream_closed.hop = HOP_APP;
	event.stream_closed.told_owed = event.stream_closed.stop_owed = true;
	stage_tell(event);
	stage_tell_stream(EVENT_STREAM_OPENED, "s2", 1);
	starts("s2", "com.cam.a", "rtmp://x/y");
	SEES("");
	text_put(TEXT("s1"), stage.person->device.stream_id, sizeof stage.person->device.stream_id);
	stage.person->device.phase = DEVICE_RUNNING;
	starts("s2", "com.cam.a", "rtmp://x/y");
	SEES("I3 the stop of what was taken over comes first");
}

/* Inputs --------------------------------------------------------------------------------------- */

Test(sim_managed, an_input_without_an_intent)
{
	settle();
	calls(EVENT_PROVIDER_CREATE, "s1");
	SEES("I10 an intent is recorded first");
	settle();
	opened("s1");
	calls(EVENT_PROVIDER_CREATE, "s1");
	SEES("");
}

Test(sim_managed, the_deletion_of_what_is_in_use)
{
	begins();
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("I10 what is in use is not deleted");
	begins();
	fake_sim.observer->input_deleted(NULL, &fake_sim.inputs[0]);
	SEES("I10 what is in use is not deleted");
	settle();
	opened("s1");
	made("in1", "s1", MARK);
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("I10 what is being made is not deleted");
}

Test(sim_managed, the_deletion_of_what_is_foreign)
{
	settle();
	made("in1", "s1", "theirs");
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("I10 nothing foreign is deleted");
	settle();
	made("in1", "", "");
	fake_sim.observer->input_deleted(NULL, &fake_sim.inputs[0]);
	SEES("I10 nothing foreign is deleted");
}

Test(sim_managed, a_leak_is_deleted_in_its_time)
{
	settle();
	made("in1", "s7", MARK);
	fake_sim.now_ms += 59999;
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("I10 a leak is old enough");
	settle();
	made("in1", "s7", MARK);
	fake_sim.now_ms += 60000;
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("");
}

/* A stream that is over and owes its input, to an adapter that began @after_ms behind its end. */
static void owes(int64_t after_ms)
{
	static struct managed adapter = { .options.deletes_per_s = 4 };

	begins();
	closed(3, END_TAKEOVER, true);
	fake_sim.managed = &adapter;
	fake_sim.adapter_began_ms = fake_sim.now_ms + after_ms;
	fake_sim.now_ms += 1000;
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("");
}

Test(sim_managed, deletes_that_an_earlier_life_has_left_in_a_heap)
{
	owes(1);
	fake_sim.now_ms += 250;
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("");
	fake_sim.now_ms += 249;
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("I10 what an earlier life has left is deleted little by little");
	owes(1);
	fake_sim.adapter_life++; /* another life has a pace of its own */
	calls(EVENT_PROVIDER_DELETE, "in1");
	SEES("");
	owes(0);
	calls(EVENT_PROVIDER_DELETE, "in1"); /* it saw the end itself */
	SEES("");
}

Test(sim_managed, a_second_input_of_a_stream)
{
	begins();
	fake_sim.now_ms += LATE_MAX_MS + 1;
	made("in2", "s1", MARK);
	SEES("I11 one input for each stream");
	begins()->told = false; /* its answer was lost */
	fake_sim.now_ms += LATE_MAX_MS + 1;
	made("in2", "s1", MARK);
	SEES("");
}

Test(sim_managed, an_input_that_the_adapter_forgot)
{
	begins();
	made("in2", "s8", MARK)->told = true;
	fake_sim.inputs[1].told_life = 1;
	fake_sim.inputs[1].told_ms = fake_sim.now_ms;
	stage_pass(1000);
	for (int i = 0; i < 8; i++)
		stage_pass(1000);
	SEES("");
	stage_pass(1000);
	SEES("I10 every input is accounted for");
}

Test(sim_managed, something_is_left_behind)
{
	settle();
	made("in1", "s8", MARK);
	fake_sim.observer->quiet(NULL);
	SEES("I10 nothing is left behind");
	settle();
	made("in1", "s8", "theirs")->foreign = true;
	fake_sim.observer->quiet(NULL);
	SEES("");
}

Test(sim_managed, an_end_while_somebody_watches)
{
	begins();
	joined(3, 1);
	left(4, 0);
	closed(5, END_APP_STOP, true);
	SEES("I11 the last viewer ends it");
}
