/* SPDX-License-Identifier: MIT */
/* Goal: the load tool counts what is late, lost, wrong and refused, and nothing else; a figure that
 * is too good is worse than none.  Method: two users whose sockets end in the test, which plays the
 * server; the time of a pass is set by hand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/bench/load.h"
#include "tests/bench/message.h"

#define INTERVAL_MS 1000
#define LATE_MS 100
#define HOLDER 0
#define CYCLER 1
#define USERS 2

const struct tool load_tool = { "test", "" };

static struct load load;
static struct user users[USERS];
static int servers[USERS][SIDES];
static uint8_t buffer[65536];

static void setup(void)
{
	load.options = (struct load_options){ .scenario = SCENARIO_CYCLES,
					      .users = 1,
					      .cycle_users = 1,
					      .interval_ms = INTERVAL_MS,
					      .late_ms = LATE_MS,
					      .rate = 10,
					      .package = "p",
					      .has_webhook = true };
	load.users = users;
	load.user_count = USERS;
	load.random = 1;
	load.goal = GOAL_NONE;
	load.now_ns = tool_now_ns();
	for (unsigned i = 0; i < USERS; i++)
		for (unsigned side = 0; side < SIDES; side++) {
			int pair[2];

			cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
			users[i].links[side] =
				(struct link){ .sock.fd = pair[0], .state = LINK_READY };
			servers[i][side] = pair[1];
		}
}

static void teardown(void)
{
	for (unsigned i = 0; i < USERS; i++)
		for (unsigned side = 0; side < SIDES; side++) {
			sock_close(&users[i].links[side].sock);
			(void)close(servers[i][side]);
		}
}

TestSuite(bench_load, .init = setup, .fini = teardown);

static void hears(unsigned user, enum side side, const char *text)
{
	words_took(&load, &users[user], side, text_of(text));
}

static void passes(int64_t ms)
{
	load.now_ns += ms * NS_PER_MS;
}

/* What has come from the user, one message after the other; return: whether each of @types is
 * there and nothing else.
 */
static void said(unsigned user, enum side side, const char *const *types)
{
	ssize_t got = read(servers[user][side], buffer, sizeof buffer);
	size_t used = 0;

	for (; *types; types++) {
		struct ws_frame frame;

		cr_assert_gt(got, (ssize_t)used, "no %s", *types);
		cr_assert_eq(ws_read(buffer + used, (size_t)got - used, &frame), 0);
		cr_assert(text_is(message_type(frame.payload), *types), "%.*s",
			  (int)frame.payload.length, frame.payload.bytes);
		used += frame.size;
	}
	cr_assert_leq(got, (ssize_t)used);
}

#define SAID(user, side, ...) \
	said(user, side, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static void start(unsigned user)
{
	words_request(&load, &users[user], load.now_ns);
	SAID(user, APP, "rtmp_stream_request");
	hears(user, APP,
	      "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s1\",\"status\":\"initializing\"}");
	hears(user, GLASSES, "{\"type\":\"start_rtmp_stream\",\"streamId\":\"s1\"}");
	SAID(user, GLASSES, "rtmp_stream_status", "rtmp_stream_status");
	hears(user, APP,
	      "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s1\",\"status\":\"active\"}");
	cr_assert_eq(load.figures.statuses_bad, 0);
}

static void probe(void)
{
	hears(HOLDER, GLASSES,
	      "{\"type\":\"keep_rtmp_stream_alive\",\"streamId\":\"s1\",\"ackId\":\"7\"}");
}

/* ---- probes ---- */

Test(bench_load, a_probe_is_answered_with_its_ids)
{
	struct ws_frame frame;
	ssize_t got;

	start(HOLDER);
	probe();
	got = read(servers[HOLDER][GLASSES], buffer, sizeof buffer);
	cr_assert_gt(got, 0);
	cr_assert_eq(ws_read(buffer, (size_t)got, &frame), 0);
	cr_assert(text_is(frame.payload,
			  "{\"type\":\"keep_alive_ack\",\"streamId\":\"s1\",\"ackId\":\"7\"}"));
}

Test(bench_load, a_probe_of_another_stream_is_not_answered)
{
	start(HOLDER);
	hears(HOLDER, GLASSES,
	      "{\"type\":\"keep_rtmp_stream_alive\",\"streamId\":\"s2\",\"ackId\":\"7\"}");
	SAID(HOLDER, GLASSES);
	cr_assert_eq(load.figures.probes, 1);
	cr_assert_eq(load.figures.acks, 0);
}

Test(bench_load, lateness_is_against_the_probe_before)
{
	start(HOLDER);
	passes(INTERVAL_MS);
	probe();
	passes(INTERVAL_MS + LATE_MS);
	probe();
	cr_assert_eq(load.figures.late, 0);
	cr_assert_eq(load.figures.late_us.max, LATE_MS * 1000);
	passes(INTERVAL_MS + LATE_MS + 1);
	probe();
	cr_assert_eq(load.figures.late, 1);
	passes(INTERVAL_MS - 5);
	probe();
	cr_assert_eq(load.figures.late, 1);
	cr_assert_eq(load.figures.early_max_us, 5000);
	cr_assert_eq(load.figures.late_us.count, 4);
}

Test(bench_load, the_first_probe_on_a_new_socket_is_measured_against_nothing)
{
	start(HOLDER);
	users[HOLDER].links[GLASSES].lost_ns = load.now_ns;
	load.links_down = 2; /* or a line would be printed */
	passes(10 * INTERVAL_MS);
	link_ready(&load, &users[HOLDER], GLASSES);
	probe();
	cr_assert_eq(load.figures.late_us.count, 0);
	passes(INTERVAL_MS + 7);
	probe();
	cr_assert_eq(load.figures.late_us.count, 1);
	cr_assert_eq(load.figures.late_us.max, 7000);
}

Test(bench_load, silence_is_a_lost_stream)
{
	start(HOLDER);
	passes(3 * INTERVAL_MS);
	cr_assert_not(report_is_wrong(&load));
	passes(1);
	cr_assert(report_is_wrong(&load));
	cr_assert_eq(load.figures.lost_streams, 0, "it is told of, and may yet be probed");
}

/* ---- ends nobody asked for ---- */

Test(bench_load, a_stream_is_lost_once)
{
	start(HOLDER);
	hears(HOLDER, APP,
	      "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s1\",\"status\":\"timeout\"}");
	hears(HOLDER, GLASSES, "{\"type\":\"stop_rtmp_stream\",\"streamId\":\"s1\"}");
	cr_assert_eq(load.figures.lost_streams, 1);
	cr_assert(report_is_wrong(&load));
}

Test(bench_load, words_that_should_not_come)
{
	start(HOLDER);
	hears(HOLDER, APP,
	      "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s2\",\"status\":\"active\"}");
	cr_assert_eq(load.figures.statuses_bad, 1, "of a stream that is not ours");
	hears(HOLDER, APP,
	      "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s1\",\"status\":\"error\"}");
	cr_assert_eq(load.figures.statuses_bad, 2, "not a word for apps");
	hears(HOLDER, GLASSES, "{\"type\":\"start_rtmp_stream\",\"streamId\":\"s3\"}");
	cr_assert_eq(load.figures.statuses_bad, 3, "nobody asked");
}

Test(bench_load, a_lost_socket_loses_the_stream_unless_it_may_come_back)
{
	start(HOLDER);
	(void)close(servers[HOLDER][GLASSES]);
	link_event(&load, &users[HOLDER], GLASSES, 1);
	cr_assert_eq(load.figures.disconnects, 1);
	cr_assert_eq(load.figures.lost_streams, 1);
	cr_assert(report_is_wrong(&load));
}

Test(bench_load, refusals_by_code)
{
	char text[128];

	/* One more than there are rows: the last two share one. */
	for (int i = 0; i < CODES_MAX + 1; i++) {
		(void)snprintf(text, sizeof text,
			       "{\"type\":\"tpa_connection_error\",\"code\":\"C%d\"}", i);
		hears(HOLDER, APP, text);
	}
	hears(HOLDER, APP, "{\"type\":\"tpa_connection_error\",\"code\":\"C0\"}");
	cr_assert_str_eq(load.figures.refusals[0].code, "C0");
	cr_assert_eq(load.figures.refusals[0].count, 2);
	cr_assert_eq(load.figures.refusals[CODES_MAX - 2].count, 1);
	cr_assert_eq(load.figures.refusals[CODES_MAX - 1].count, 2);
}

Test(bench_load, refusals_that_say_no_more_by_their_words)
{
	static const char rate[] = "{\"type\":\"tpa_connection_error\",\"code\":\"INTERNAL_ERROR\","
				   "\"message\":\"try again in 3 s\"}";

	hears(HOLDER, APP, rate);
	cr_assert_str_eq(load.figures.refusals[0].code, "INTERNAL_ERROR: try again in ");
}

/* The other end of the holder's glasses, as they are before the upgrade. */
static void answers(const char *text)
{
	const int fd = servers[HOLDER][GLASSES];

	load.wheel_memory = malloc(wheel_bytes(USERS * SIDES));
	wheel_init(&load.wheel, load.wheel_memory, USERS * SIDES);
	wheel_settle(&load.wheel, load.now_ns / NS_PER_MS);
	users[HOLDER].links[GLASSES].state = LINK_UPGRADING;
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	link_event(&load, &users[HOLDER], GLASSES, 1);
	cr_assert_eq(users[HOLDER].links[GLASSES].state, LINK_WAITING);
	cr_assert_eq(users[HOLDER].links[GLASSES].sock.fd, -1);
	cr_assert_eq(load.figures.turned_away, 1);
	cr_assert_eq(load.figures.disconnects, 0);
}

static int64_t comes_again_ms(void)
{
	const int64_t due_ms = wheel_due(&load.wheel, HOLDER * SIDES + GLASSES);

	free(load.wheel_memory);
	return due_ms - load.now_ns / NS_PER_MS;
}

Test(bench_load, whoever_is_told_to_come_again_comes_when_it_is_told)
{
	int64_t after_ms;

	answers("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\r\n{}");
	after_ms = comes_again_ms();
	cr_assert_geq(after_ms, 7000);
	cr_assert_lt(after_ms, 8000);
}

Test(bench_load, nobody_waits_for_longer_than_a_minute)
{
	answers("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 61000\r\n\r\n");
	cr_assert_lt(comes_again_ms(), 61000);
}

/* ---- cycles ---- */

static void begin_cycles(void)
{
	load.end_ns = INT64_MAX;
	load.now_ns = tool_now_ns();
	cycles_begin(&load);
}

Test(bench_load, a_cycle_from_request_to_stop)
{
	begin_cycles();
	cr_assert_eq(cycles_pump(&load), load.cycles.due_ns);
	cr_assert_eq(load.cycles.due_ns, load.cycles.began_ns + 100 * NS_PER_MS);
	SAID(CYCLER, APP, "rtmp_stream_request");
	load.now_ns = users[CYCLER].asked_ns + 3 * NS_PER_MS;
	hears(CYCLER, GLASSES, "{\"type\":\"start_rtmp_stream\",\"streamId\":\"s1\"}");
	cr_assert_eq(load.cycles.start_us.max, 3000);
	hears(CYCLER, APP,
	      "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s1\",\"status\":\"active\"}");
	SAID(CYCLER, APP, "rtmp_stream_stop");
	hears(CYCLER, APP,
	      "{\"type\":\"rtmp_stream_status\",\"streamId\":\"s1\",\"status\":\"stopped\"}");
	cr_assert_eq(load.cycles.count, 0, "its glasses do not know yet");
	hears(CYCLER, GLASSES, "{\"type\":\"stop_rtmp_stream\",\"streamId\":\"s1\"}");
	cr_assert_eq(load.cycles.count, 1);
	cr_assert_eq(load.cycles.running, 0);
	cr_assert_eq(load.figures.lost_streams, 0);
}

Test(bench_load, a_late_cycle_counts_from_when_it_was_due)
{
	begin_cycles();
	load.cycles.due_ns -= 500 * NS_PER_MS;
	(void)cycles_pump(&load);
	cr_assert_eq(load.cycles.late, 1);
	cr_assert_eq(users[CYCLER].asked_ns, load.cycles.began_ns - 500 * NS_PER_MS);
	cr_assert_eq(load.cycles.due_ns, users[CYCLER].asked_ns + 100 * NS_PER_MS);
}

Test(bench_load, a_cycle_without_a_user_waits)
{
	begin_cycles();
	load.cycles.due_ns -= 500 * NS_PER_MS;
	cr_assert_eq(cycles_pump(&load), INT64_MAX);
	cr_assert_eq(load.cycles.begun, 1);
	cr_assert_eq(load.cycles.due_ns, load.cycles.began_ns - 400 * NS_PER_MS);
}

Test(bench_load, whoever_was_refused_is_free_once_its_app_is_back)
{
	begin_cycles();
	(void)cycles_pump(&load);
	hears(CYCLER, APP, "{\"type\":\"tpa_connection_error\",\"code\":\"INTERNAL_ERROR\"}");
	cr_assert_eq(load.cycles.refused, 1);
	cr_assert_eq(load.cycles.running, 0);
	cr_assert_eq(load.cycles.first_free, NOBODY);
	users[CYCLER].links[APP].state = LINK_OPEN;
	hears(CYCLER, APP, "{\"type\":\"tpa_connection_ack\"}");
	cr_assert_eq(load.cycles.first_free, CYCLER);
	cr_assert_not(report_is_wrong(&load), "a refusal is an answer");
}

Test(bench_load, a_cycle_that_loses_a_socket_is_broken)
{
	begin_cycles();
	(void)cycles_pump(&load);
	(void)close(servers[CYCLER][APP]);
	link_event(&load, &users[CYCLER], APP, 1);
	cr_assert_eq(load.cycles.broken, 1);
	cr_assert_eq(load.cycles.running, 0);
	cr_assert(report_is_wrong(&load));
}

Test(bench_load, nothing_begins_after_the_end)
{
	load.end_ns = load.now_ns + NS_PER_S;
	cycles_begin(&load);
	cycles_finish(&load);
	cr_assert_eq(cycles_pump(&load), INT64_MAX);
	cr_assert_eq(load.cycles.begun, 0);
	cr_assert(load.ended);
}
