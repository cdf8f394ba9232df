/* SPDX-License-Identifier: MIT */
/* Goal: the simulator's devices and apps do what firmware and SDK do (protocol.md 2.8, 3.3, 8).
 * Method: a world without weir; the test plays the gateway.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/lib/fake_sim.h"
#include "tests/sim/checks_internal.h"

static struct person *person;

struct check_link check_link(uint64_t socket)
{
	return (struct check_link){ .link = socket };
}

/* One user whose phone is connected and whose first app runs; nobody acts on his own. */
static void settle(void)
{
	struct sim *sim = fake_sim_open(7);

	sim_people_init(sim);
	sim_checks_init(sim);
	fake_sim_open(7);
	fake_sim.calm_ms = INT64_MAX; /* nothing is judged */
	fake_sim.awake_ms = INT64_MAX;
	fake_sim.outside = NULL;
	people.count = 1;
	person = &people.persons[0];
	phone_connect(person);
	fake_sim_hear(person->phone.socket, &(struct edge_message){ .type = EDGE_CONNECTION_ACK });
	fake_sim_run(1000);
	fake_sim.violation[0] = '\0';
}

static void start(const char *id)
{
	struct edge_message message = { .type = EDGE_START_RTMP_STREAM };

	message.start_rtmp_stream.stream_id = text_of(id);
	fake_sim_hear(person->phone.socket, &message);
}

/* A start that the device takes, with @quirk. */
static void start_with(const char *id, enum quirk quirk)
{
	do
		start(id);
	while (person->device.phase == DEVICE_IDLE);
	person->device.quirk = quirk;
}

static void probe(const char *id, const char *ack)
{
	struct edge_message message = { .type = EDGE_KEEP_RTMP_STREAM_ALIVE };

	message.keep_rtmp_stream_alive.stream_id = text_of(id);
	message.keep_rtmp_stream_alive.ack_id = text_of(ack);
	fake_sim_hear(person->phone.socket, &message);
}

static const char *last_word(void)
{
	const struct fake_said *said = fake_sim_last(EDGE_DEVICE_STREAM_STATUS);

	return said ? said->word : "";
}

Test(sim_device, starts_says_so_and_acks)
{
	settle();
	start_with("s1", QUIRK_NONE);
	fake_sim_run(1200);
	cr_assert_str_eq(fake_sim_last(EDGE_DEVICE_STREAM_STATUS)->stream_id, "s1");
	fake_sim_run(5000);
	cr_assert_eq(person->device.phase, DEVICE_RUNNING);
	probe("s1", "a00001");
	fake_sim_run(1000);
	cr_assert_eq(fake_sim_count(EDGE_KEEP_ALIVE_ACK), 1);
	cr_assert_str_eq(fake_sim_last(EDGE_KEEP_ALIVE_ACK)->ack_id, "a00001");
}

Test(sim_device, any_stop_stops_and_its_words_carry_no_id)
{
	settle();
	start_with("s1", QUIRK_NONE);
	fake_sim_run(6000);
	fake_sim_hear(person->phone.socket,
		      &(struct edge_message){ .type = EDGE_STOP_RTMP_STREAM });
	cr_assert_eq(person->device.phase, DEVICE_IDLE);
	cr_assert_str_eq(last_word(), "stopping");
	cr_assert_str_eq(fake_sim_last(EDGE_DEVICE_STREAM_STATUS)->stream_id, "");
}

Test(sim_device, a_second_start_ends_the_first_stream)
{
	settle();
	start_with("s1", QUIRK_NONE);
	fake_sim_run(6000);
	start_with("s2", QUIRK_NONE);
	cr_assert_str_eq(last_word(), "stopping");
	fake_sim_run(400);
	cr_assert_eq(person->device.phase, DEVICE_PAUSING);
	fake_sim_run(5000);
	cr_assert_str_eq(person->device.stream_id, "s2");
	cr_assert_eq(person->device.phase, DEVICE_RUNNING);
}

Test(sim_device, stops_itself_after_60_s_without_keep_alive)
{
	settle();
	start_with("s1", QUIRK_NONE);
	fake_sim_run(6000);
	probe("s1", "a00001");
	fake_sim_run(59000);
	cr_assert_eq(person->device.phase, DEVICE_RUNNING);
	fake_sim_run(1001);
	cr_assert_eq(person->device.phase, DEVICE_IDLE);
}

Test(sim_device, an_idle_one_does_not_ack)
{
	settle();
	probe("s1", "a00001");
	fake_sim_run(30000);
	cr_assert_eq(fake_sim_count(EDGE_KEEP_ALIVE_ACK), 0);
}

Test(sim_device, nothing_gets_through_a_broken_ble_link)
{
	settle();
	start_with("s1", QUIRK_NONE);
	fake_sim_run(6000);
	person->phone.ble = false;
	probe("s1", "a00001");
	fake_sim_hear(person->phone.socket,
		      &(struct edge_message){ .type = EDGE_STOP_RTMP_STREAM });
	fake_sim_run(400);
	cr_assert_eq(fake_sim_count(EDGE_KEEP_ALIVE_ACK), 0);
	cr_assert_eq(person->device.phase, DEVICE_RUNNING);
}

struct affliction {
	enum quirk quirk;
	char word[20]; /* the last one with an id */
	enum device_phase phase;
};

ParameterizedTestParameters(sim_device, afflictions)
{
	static struct affliction rows[] = {
		{ QUIRK_RECONNECTS, "reconnected", DEVICE_RUNNING },
		{ QUIRK_LOOPS, "streaming", DEVICE_RUNNING },
		{ QUIRK_EXHAUSTED, "reconnect_failed", DEVICE_IDLE },
		{ QUIRK_FATAL, "error", DEVICE_IDLE },
		{ QUIRK_STOPS, "stopped", DEVICE_IDLE },
		{ QUIRK_DISCONNECTS, "disconnected", DEVICE_IDLE },
		{ QUIRK_TIMES_OUT, "timeout", DEVICE_IDLE },
		{ QUIRK_ODD_WORD, "melting", DEVICE_IDLE },
		{ QUIRK_LINGERS, "stopping", DEVICE_RUNNING },
		{ QUIRK_NO_WORD, "", DEVICE_RUNNING },
	};

	return cr_make_param_array(struct affliction, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct affliction *row, sim_device, afflictions)
{
	const char *word = "none";

	settle();
	start_with("s1", row->quirk);
	for (unsigned i = 0; i < 15; i++) {
		fake_sim_run(10000);
		probe("s1", "a00001");
	}
	for (unsigned i = fake_sim.said_count; i-- > 0 && word[0] == 'n';)
		if (fake_sim.said[i].stream_id[0] &&
		    fake_sim.said[i].type == EDGE_DEVICE_STREAM_STATUS)
			word = fake_sim.said[i].word;
	cr_assert(strcmp(word, row->word) == 0 ||
			  (row->quirk == QUIRK_LOOPS && strcmp(word, "active") == 0) ||
			  (row->quirk == QUIRK_LINGERS && strcmp(word, "streaming") == 0),
		  "%s, not %s", word, row->word);
	cr_assert_eq(person->device.phase, row->phase);
}

Test(sim_phone, comes_back_after_five_seconds)
{
	settle();
	fake_sim_close(person->phone.socket, 1001);
	fake_sim_run(4999);
	cr_assert_eq(person->phone.socket, 0);
	fake_sim_run(1);
	cr_assert_neq(person->phone.socket, 0);
}

Test(sim_phone, tries_again_while_nobody_takes_it)
{
	settle();
	fake_sim.refusing = true;
	fake_sim_close(person->phone.socket, 1006);
	fake_sim_run(20000);
	fake_sim.refusing = false;
	fake_sim_run(5000);
	cr_assert_neq(person->phone.socket, 0);
}

Test(sim_phone, is_not_patient_for_ever)
{
	settle();
	fake_sim_close(person->phone.socket, 1006);
	fake_sim_run(5000);
	uint64_t socket = person->phone.socket;

	fake_sim_run(36000);
	cr_assert_not(fake_sim.sockets[socket].open);
	cr_assert_neq(person->phone.socket, socket);
}

static struct client_app *session(void)
{
	struct client_app *app = &person->apps[0];

	do
		app_hook(app, 0, HOOK_SESSION, 1);
	while (app->socket == 0); /* some answer and do not come */
	fake_sim_hear(app->socket, &(struct edge_message){ .type = EDGE_TPA_CONNECTION_ACK });
	return app;
}

struct ending {
	unsigned code;
	bool returns;
};

ParameterizedTestParameters(sim_app, ends)
{
	static struct ending rows[] = {
		{ 1000, false }, { 1001, false }, { 1005, true }, { 1006, true },
		{ 1008, false }, { 1011, true },  { 1012, true }, { 1013, true },
	};

	return cr_make_param_array(struct ending, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct ending *row, sim_app, ends)
{
	settle();
	struct client_app *app = session();

	fake_sim_close(app->socket, row->code);
	fake_sim_run(999);
	cr_assert_eq(app->socket, 0);
	fake_sim_run(1);
	cr_assert_eq(app->socket != 0, row->returns);
}

Test(sim_app, tries_three_times)
{
	settle();
	struct client_app *app = session();

	fake_sim.refusing = true;
	fake_sim_close(app->socket, 1006);
	fake_sim_run(7001); /* 1 + 2 + 4 s */
	fake_sim.refusing = false;
	fake_sim_run(100000);
	cr_assert_eq(app->socket, 0);
}

Test(sim_app, leaves_a_silent_reconnect_open_for_ever)
{
	settle();
	struct client_app *app = session();

	fake_sim_close(app->socket, 1006);
	fake_sim_run(60000);
	cr_assert_neq(app->socket, 0);
	cr_assert(fake_sim.sockets[app->socket].open);
	cr_assert_not(app->accepted);
}

Test(sim_app, stop_webhook_stops_the_stream_then_disconnects)
{
	settle();
	struct client_app *app = session();
	uint64_t socket = app->socket;

	app->streaming = true;
	app_hook(app, 0, HOOK_STOP, 2);
	cr_assert_eq(fake_sim_count(EDGE_RTMP_STREAM_STOP), 1);
	cr_assert_not(fake_sim.sockets[socket].open);
	cr_assert_eq(app->socket, 0);
}

static void show(struct client_app *app, const char *word)
{
	struct edge_message message = { .type = EDGE_MANAGED_STREAM_STATUS };

	message.managed_stream_status.stream_id = TEXT("m1");
	message.managed_stream_status.status = text_of(word);
	fake_sim_hear(app->socket, &message);
}

Test(sim_app, keeps_watching_and_streaming_apart)
{
	settle();
	struct client_app *app = session();

	app_watch(app);
	cr_assert(app->watching);
	cr_assert_not(app->streaming);
	cr_assert_eq(fake_sim_count(EDGE_MANAGED_STREAM_REQUEST), 1);
	show(app, "active");
	app_unwatch(app);
	cr_assert_eq(fake_sim_count(EDGE_MANAGED_STREAM_STOP), 1);
	cr_assert(app->watching); /* until it is told */
	show(app, "stopped");
	cr_assert_not(app->watching);
}

Test(sim_app, stop_webhook_leaves_managed_streams_alone)
{
	settle();
	struct client_app *app = session();

	app_watch(app);
	app_hook(app, 0, HOOK_STOP, 2);
	cr_assert_eq(fake_sim_count(EDGE_MANAGED_STREAM_STOP), 0);
	cr_assert_not(app->watching);
}

Test(sim_device, publishes_while_it_streams)
{
	settle();
	start_with("s1", QUIRK_NONE);
	text_put(TEXT("rtmps://in/1"), person->device.next_url, sizeof person->device.next_url);
	fake_sim_run(6000);
	cr_assert_str_eq(fake_sim.published, "rtmps://in/1");
	fake_sim_hear(person->phone.socket,
		      &(struct edge_message){ .type = EDGE_STOP_RTMP_STREAM });
	cr_assert_str_empty(fake_sim.published);
}

Test(sim_app, a_second_session_keeps_the_first_socket_open)
{
	settle();
	uint64_t first = session()->socket;

	cr_assert_neq(session()->socket, first);
	cr_assert(fake_sim.sockets[first].open);
}
