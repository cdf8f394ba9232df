/* SPDX-License-Identifier: MIT */
/* Goal: the floor says what glasses and apps need to hear, in time, and ends what is dead; else it
 * would be cheaper than it may be.  Method: pairs of sockets and a clock of the test's own.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/bench/floor.h"
#include "tests/bench/message.h"

#define INTERVAL_MS 1000
#define MASK 0x01020304
#define PEERS_MAX 256 /* descriptors of a test */
#define APP_INIT \
	"{\"type\":\"tpa_connection_init\",\"sessionId\":\"u7@load.example-p\"," \
	"\"packageName\":\"p\",\"apiKey\":\"k\"}"

static struct floor bare;
static uint8_t buffer[65536];
static size_t buffered, taken;
static int glasses = -1, app = -1;
static int servers[PEERS_MAX]; /* the other ends of ours */

static void setup(void)
{
	const struct floor_options options = { .interval_ms = INTERVAL_MS, .peers_max = PEERS_MAX };

	cr_assert_eq(floor_init(&bare, &options), 0);
	floor_tick(&bare, 1000000);
}

static void teardown(void)
{
	floor_fini(&bare);
	(void)close(glasses);
	(void)close(app);
}

TestSuite(bench_floor, .init = setup, .fini = teardown);

/* Return: our end. */
static int dial(const char *path)
{
	char request[256];
	int pair[2], length;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	length = snprintf(request, sizeof request,
			  "GET %s HTTP/1.1\r\nSec-WebSocket-Key: " WS_KEY "\r\n\r\n", path);
	cr_assert_lt(pair[0], PEERS_MAX);
	cr_assert_lt(pair[1], PEERS_MAX);
	servers[pair[0]] = pair[1];
	floor_accepted(&bare, pair[1]);
	cr_assert_eq(write(pair[0], request, (size_t)length), length);
	floor_readable(&bare, pair[1], false);
	return pair[0];
}

static void say(int fd, const char *text)
{
	uint8_t frame[1024];
	size_t size = ws_write(frame, WS_TEXT, text_of(text), MASK);

	cr_assert_eq(write(fd, frame, size), (ssize_t)size);
	floor_readable(&bare, servers[fd], false);
}

/* The next message that @fd has got; empty: none. */
static struct text heard(int fd)
{
	struct ws_frame frame;

	if (taken == buffered) {
		ssize_t got = read(fd, buffer, sizeof buffer);

		taken = 0;
		buffered = got > 0 ? (size_t)got : 0;
		taken = buffered > 0 && buffer[0] == 'H' ? ws_http_head(buffer, buffered) : 0;
	}
	if (taken == buffered)
		return (struct text){ 0 };
	cr_assert_eq(ws_read(buffer + taken, buffered - taken, &frame), 0);
	taken += frame.size;
	return frame.payload;
}

static void hears(int fd, const char *type, const char *status)
{
	const struct text text = heard(fd);

	cr_assert(text_is(message_type(text), type), "%.*s", (int)text.length, text.bytes);
	cr_assert(text_is(message_field(text, FIELD("status")), status), "%.*s", (int)text.length,
		  text.bytes);
}

static void hears_nothing(int fd)
{
	const struct text text = heard(fd);

	cr_assert_eq(text.length, 0, "%.*s", (int)text.length, text.bytes);
}

static void come_in(void)
{
	glasses = dial("/glasses-ws?user=u7@load.example");
	hears(glasses, "connection_ack", "");
	app = dial("/app-ws");
	say(app, APP_INIT);
	hears(app, "tpa_connection_ack", "");
	hears(glasses, "app_state_change", "");
}

static char stream[FLOOR_ID_SIZE + 1];

static void request(void)
{
	struct text start;

	say(app,
	    "{\"type\":\"rtmp_stream_request\",\"packageName\":\"p\",\"rtmpUrl\":\"rtmp://x/y\"}");
	start = heard(glasses);
	cr_assert(text_is(message_type(start), "start_rtmp_stream"));
	cr_assert(text_is(message_field(start, FIELD("rtmpUrl")), "rtmp://x/y"));
	(void)text_put(message_field(start, FIELD("streamId")), stream, sizeof stream);
}

static void report(const char *status)
{
	char text[256];

	(void)snprintf(text, sizeof text,
		       "{\"type\":\"rtmp_stream_status\",\"status\":\"%s\",\"streamId\":\"%s\"}",
		       status, stream);
	say(glasses, text);
}

static void go_live(void)
{
	come_in();
	request();
	hears(app, "rtmp_stream_status", "initializing");
	report("streaming");
	hears(app, "rtmp_stream_status", "active");
}

/* Return: of the probe that comes now. */
static struct text probe_at(int64_t after_ms)
{
	floor_tick(&bare, bare.now_ms + after_ms - 1);
	hears_nothing(glasses);
	/* The wheel's tick: not early, and not later than that. */
	floor_tick(&bare, bare.now_ms + 1 + WHEEL_TICK_MS);
	return heard(glasses);
}

Test(bench_floor, start_and_stop)
{
	go_live();
	say(app, "{\"type\":\"rtmp_stream_stop\",\"packageName\":\"p\"}");
	hears(app, "rtmp_stream_status", "stopped");
	hears(glasses, "stop_rtmp_stream", "");
	floor_tick(&bare, bare.now_ms + 10 * INTERVAL_MS);
	hears_nothing(glasses);
	hears_nothing(app);
	cr_assert_eq(bare.wheel.count, 0);
}

Test(bench_floor, probes_as_long_as_they_are_answered)
{
	char answer[256];

	go_live();
	for (int i = 0; i < 2 * FLOOR_MISSED_MAX; i++) {
		const struct text probe =
			probe_at(i == 0 ? INTERVAL_MS : INTERVAL_MS - WHEEL_TICK_MS);
		const struct text ack = message_field(probe, FIELD("ackId"));

		cr_assert(text_is(message_type(probe), "keep_rtmp_stream_alive"));
		cr_assert(text_is(message_field(probe, FIELD("streamId")), stream));
		(void)snprintf(
			answer, sizeof answer,
			"{\"type\":\"keep_alive_ack\",\"streamId\":\"%s\",\"ackId\":\"%.*s\"}",
			stream, (int)ack.length, ack.bytes);
		say(glasses, answer);
	}
	hears_nothing(app);
}

Test(bench_floor, a_stream_that_misses_one_too_many_ends)
{
	go_live();
	for (int i = 0; i < FLOOR_MISSED_MAX; i++) {
		floor_tick(&bare, bare.now_ms + INTERVAL_MS + WHEEL_TICK_MS);
		hears(glasses, "keep_rtmp_stream_alive", "");
		hears_nothing(app);
	}
	floor_tick(&bare, bare.now_ms + INTERVAL_MS + WHEEL_TICK_MS);
	hears_nothing(glasses);
	hears(app, "rtmp_stream_status", "timeout");
	cr_assert_eq(bare.wheel.count, 0);
}

Test(bench_floor, a_new_request_ends_the_old_stream)
{
	go_live();
	request();
	hears(app, "rtmp_stream_status", "stopped");
	hears(app, "rtmp_stream_status", "initializing");
}

Test(bench_floor, gone_sockets_are_forgotten)
{
	go_live();
	(void)close(glasses);
	floor_readable(&bare, servers[glasses], true);
	cr_assert_eq(bare.users[7].glasses_fd, -1);
	cr_assert_eq(bare.peers[servers[glasses]].sock.fd, -1);
	glasses = dial("/glasses-ws?user=u7@load.example");
	hears(glasses, "connection_ack", "");
	cr_assert_geq(bare.users[7].glasses_fd, 0);
}

static void is_sent_away(const char *path)
{
	int fd = dial(path);

	cr_assert_eq(read(fd, buffer, sizeof buffer), 0, "%s", path);
	(void)close(fd);
}

Test(bench_floor, who_is_no_user_is_sent_away)
{
	char path[64];
	int fd;

	is_sent_away("/");
	is_sent_away("/glasses-ws");
	(void)snprintf(path, sizeof path, "/glasses-ws?user=u%d@x", FLOOR_USERS_MAX);
	is_sent_away(path);
	(void)snprintf(path, sizeof path, "/glasses-ws?user=u%d@x", FLOOR_USERS_MAX - 1);
	fd = dial(path);
	hears(fd, "connection_ack", "");
	(void)close(fd);
}

Test(bench_floor, an_app_speaks_after_its_init_and_says_it_once)
{
	come_in();
	say(app, APP_INIT);
	cr_assert_eq(read(app, buffer, sizeof buffer), 0);
}
