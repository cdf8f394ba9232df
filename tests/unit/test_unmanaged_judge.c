/* SPDX-License-Identifier: MIT */
/* Goal: a start is refused for the first reason that holds, in the order and with the words of
 * protocol.md 3.2, and what the registry refuses is said in the same words.  Method: every set of
 * reasons, against the table of that section; then each model, each answer.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "actors/unmanaged-adapter/unmanaged_core.h"
#include "tests/lib/fakes.h"
#include "tests/lib/story.h"

#define U "u@x"
#define GATEWAY UINT64_C(10)

static struct unmanaged core;
static struct effects fx;
static void *memory;
static uint64_t seq, request;

static void handle(enum input_type type, const struct stream_event *event)
{
	unmanaged_handle(&core,
			 &(struct input){ .type = type,
					  .peer = { ROLE_GATEWAY, GATEWAY },
					  .seq = seq,
					  .event = event },
			 1000, &fx);
}

static void tell(struct stream_event event)
{
	event.seq = ++seq;
	handle(INPUT_STORY, &event);
}

static const struct unmanaged_options options = {
	.state = { .users_max = 8, .apps_max = 32, .streams_max = 8, .text_bytes = 2u << 20 },
};

static void open_core(void)
{
	memory = fake_memory(unmanaged_bytes(&options));
	unmanaged_init(&core, &options, memory);
	seq = 0;
	handle(INPUT_RESYNC, NULL);
	tell(story_gateway(GATEWAY, LINK_UP));
}

static void close_core(void)
{
	fake_free(memory, unmanaged_bytes(&options));
}

/* Everything is as it should be. */
static void setup(void)
{
	open_core();
	tell(story_session(U, EVENT_SESSION_OPENED));
	tell(story_link(U, GATEWAY, 11, LINK_UP));
	tell(story_glasses(U, "Mentra Live", true, WIFI_ON));
	tell(story_app_up(U, "com.example.cam", GATEWAY, 21));
	handle(INPUT_SYNCED, NULL);
}

static struct stream_event start_request(void)
{
	struct stream_event event = { .type = EVENT_REQUEST_START,
				      .user_id = TEXT(U),
				      .origin = GATEWAY,
				      .request = ++request,
				      .expires_ms = 5000 };

	event.request_start.link = 21;
	event.request_start.package = TEXT("com.example.cam");
	event.request_start.permitted = true;
	event.request_start.rtmp_url = TEXT("rtmp://h/app/key");
	event.request_start.video = event.request_start.audio = event.request_start.options =
		TEXT("{}");
	return event;
}

/* "CODE: reason" of the one answer; "asked" if the registry is asked; "" if nothing is said. */
static const char *verdict(void)
{
	static char words[CODE_MAX + REASON_MAX + 4];
	char code[CODE_MAX + 1], reason[REASON_MAX + 1];
	const struct stream_event *event = &fx.items[0].event;

	if (fx.count == 0)
		return "";
	cr_assert_eq(fx.count, 1);
	if (fx.items[0].type == EFFECT_REQUEST) {
		cr_assert_eq(event->type, EVENT_STREAM_OPEN);
		cr_assert_eq(fx.items[0].peer.role, ROLE_REGISTRY);
		return "asked";
	}
	cr_assert_eq(event->type, EVENT_REQUEST_DONE);
	cr_assert_eq(fx.items[0].peer.incarnation, GATEWAY);
	cr_assert_eq(event->request, request);
	cr_assert_eq(event->origin, GATEWAY);
	cr_assert_eq(event->request_done.link, 21);
	if (event->request_done.result == RESULT_OK)
		return "ok";
	cr_assert_eq(event->request_done.result, RESULT_REFUSED);
	(void)snprintf(words, sizeof words, "%s: %s",
		       text_put(event->request_done.code, code, sizeof code),
		       text_put(event->request_done.reason, reason, sizeof reason));
	return words;
}

#define expect_verdict(expected) \
	cr_expect_str_eq(verdict(), expected, "\"%s\" instead of \"%s\"", verdict(), expected)

/* The table of 3.2 --------------------------------------------------------------------------- */

enum {
	NO_PERMISSION = 1 << 0,
	NOT_RUNNING = 1 << 1,
	NO_SOCKET = 1 << 2, /* never connected */
	SOCKET_CLOSED = 1 << 3,
	NO_GLASSES = 1 << 4,
	NO_WIFI = 1 << 5,
	BAD_URL = 1 << 6,
	TOO_LARGE = 1 << 7,
	ALL_REASONS = (1 << 8) - 1,
};

static const char *const words_of[] = {
	"PERMISSION_DENIED: Camera permission required to start video streams. Please add the "
	"CAMERA "
	"permission in the developer console.",
	"INTERNAL_ERROR: App com.example.cam is not running",
	"INTERNAL_ERROR: Cannot process stream request - phone is not connected (no WebSocket)",
	"INTERNAL_ERROR: Cannot process stream request - phone WebSocket is not open (state: 3)",
	"INTERNAL_ERROR: Cannot process stream request - smart glasses are not connected",
	"WIFI_NOT_CONNECTED: Cannot process request - smart glasses must be connected to WiFi for "
	"this operation",
	"INTERNAL_ERROR: Invalid RTMP URL",
	"INTERNAL_ERROR: Stream options too large: video, audio and stream may have 1024 bytes "
	"each",
};

static void set_the_scene(unsigned reasons)
{
	open_core();
	tell(story_session(U, EVENT_SESSION_OPENED));
	if (!(reasons & NO_SOCKET))
		tell(story_link(U, GATEWAY, 11, reasons & SOCKET_CLOSED ? LINK_DOWN : LINK_UP));
	/* Not connected clears the model, and with it the need of WiFi; here it is kept, so that
	 * both reasons hold.
	 */
	tell(story_glasses(U, "Mentra Live", !(reasons & NO_GLASSES),
			   reasons & NO_WIFI ? WIFI_OFF : WIFI_ON));
	if (!(reasons & NOT_RUNNING))
		tell(story_app_up(U, "com.example.cam", GATEWAY, 21));
	handle(INPUT_SYNCED, NULL);
}

Test(unmanaged_judge, the_first_reason_that_holds_is_given)
{
	for (unsigned reasons = 0; reasons <= ALL_REASONS; reasons++) {
		struct stream_event event = start_request();
		const char *expected = "asked";

		for (unsigned i = 8; i > 0; i--)
			if (reasons & 1u << (i - 1))
				expected = words_of[i - 1];
		event.request_start.permitted = !(reasons & NO_PERMISSION);
		event.request_start.oversized = reasons & TOO_LARGE;
		if (reasons & BAD_URL)
			event.request_start.rtmp_url = TEXT("http://x");
		set_the_scene(reasons);
		handle(INPUT_MESSAGE, &event);
		cr_expect_str_eq(verdict(), expected, "reasons %#x: \"%s\" instead of \"%s\"",
				 reasons, verdict(), expected);
		close_core();
	}
}

Test(unmanaged_judge, a_user_nobody_knows, .init = setup)
{
	struct stream_event event = start_request();

	event.user_id = TEXT("v@x");
	handle(INPUT_MESSAGE, &event);
	expect_verdict("INTERNAL_ERROR: App com.example.cam is not running");
}

/* One check at a time ------------------------------------------------------------------------ */

static void start(void)
{
	struct stream_event event = start_request();

	handle(INPUT_MESSAGE, &event);
}

Test(unmanaged_judge, which_states_are_running, .init = setup)
{
	for (enum app_state state = APP_STOPPED; state < APP_STATE_COUNT; state++) {
		struct stream_event event = story_app(U, "com.example.cam", state);

		tell(event);
		start();
		cr_expect_str_eq(verdict(),
				 state == APP_RUNNING || state == APP_GRACE ? "asked" : words_of[1],
				 "%s", words_name(&app_state_words, state));
	}
}

Test(unmanaged_judge, a_lost_gateway_is_a_socket_that_is_not_open, .init = setup)
{
	tell(story_gateway(GATEWAY, LINK_LOST));
	start();
	expect_verdict(words_of[3]);
	tell(story_gateway(GATEWAY, LINK_UP));
	start();
	expect_verdict("asked");
	tell(story_gateway(GATEWAY, LINK_DOWN));
	start();
	expect_verdict(words_of[3]);
}

struct model_row {
	char model[24];
	bool connected;
	enum wifi wifi;
	int words; /* of words_of; -1: not refused */
};

Test(unmanaged_judge, models_and_their_wifi, .init = setup)
{
	static const struct model_row rows[] = {
		{ "Mentra Live", true, WIFI_ON, -1 },
		{ "Mentra Live", true, WIFI_OFF, 5 },
		{ "Mentra Live", true, WIFI_UNKNOWN, 5 }, /* 1.6: null counts as not connected */
		{ "Mentra Live", false, WIFI_ON, 4 },
		{ "Simulated Glasses", true, WIFI_OFF, -1 },
		{ "Simulated Glasses", false, WIFI_UNKNOWN, -1 },
		{ "Even Realities G1", true, WIFI_OFF, -1 },
		{ "Even Realities G1", false, WIFI_ON, 4 },
		{ "Vuzix Z100", true, WIFI_UNKNOWN, -1 },
		{ "Unheard Of", true, WIFI_OFF, -1 },
		{ "Unheard Of", false, WIFI_ON, 4 },
		{ "", true, WIFI_OFF, -1 },
		{ "", false, WIFI_ON, 4 },
		{ "mentra live", true, WIFI_OFF, -1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		tell(story_glasses(U, rows[i].model, rows[i].connected, rows[i].wifi));
		start();
		cr_expect_str_eq(verdict(), rows[i].words < 0 ? "asked" : words_of[rows[i].words],
				 "row %zu: %s", i, verdict());
	}
}

/* G15: no glasses_connection_state yet. */
Test(unmanaged_judge, glasses_that_have_said_nothing)
{
	open_core();
	tell(story_session(U, EVENT_SESSION_OPENED));
	tell(story_link(U, GATEWAY, 11, LINK_UP));
	tell(story_app_up(U, "com.example.cam", GATEWAY, 21));
	handle(INPUT_SYNCED, NULL);
	start();
	expect_verdict(words_of[4]);
}

struct url_row {
	char url[32];
	bool good;
};

Test(unmanaged_judge, urls, .init = setup)
{
	static const struct url_row rows[] = {
		{ "rtmp://h/a", true },	  { "rtmps://h/a", true },
		{ "rtmp://", true },	  { "", false },
		{ "http://x", false },	  { "RTMP://h/a", false },
		{ "rtmpx://h/a", false }, { " rtmp://h/a", false },
		{ "rtmp:/h/a", false },	  { "rtmp://h/a b", false },
		{ "rtmp://h/\n", false }, { "rtmpt://h/a", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stream_event event = start_request();

		event.request_start.rtmp_url = text_of(rows[i].url);
		handle(INPUT_MESSAGE, &event);
		cr_expect_str_eq(verdict(), rows[i].good ? "asked" : words_of[6], "%s: %s",
				 rows[i].url, verdict());
	}
}

Test(unmanaged_judge, the_longest_package_is_named_whole, .init = setup)
{
	static char package[PACKAGE_MAX + 1], expected[REASON_MAX];
	struct stream_event event = start_request();

	memset(package, 'p', PACKAGE_MAX);
	(void)snprintf(expected, sizeof expected, "INTERNAL_ERROR: App %s is not running", package);
	event.request_start.package = text_of(package);
	handle(INPUT_MESSAGE, &event);
	expect_verdict(expected);
}

/* The longest names do not fit: the text is cut, where it must be. */
Test(unmanaged_judge, a_foreign_stop_with_the_longest_names, .init = setup)
{
	static char owner[PACKAGE_MAX + 1], id[STREAM_ID_MAX + 1], expected[REASON_MAX + 100];
	static char package[PACKAGE_MAX + 1];
	struct stream_event event = { .type = EVENT_REQUEST_STOP,
				      .user_id = TEXT(U),
				      .origin = GATEWAY,
				      .request = ++request };

	memset(owner, 'o', PACKAGE_MAX);
	memset(package, 'p', PACKAGE_MAX);
	memset(id, 'i', STREAM_ID_MAX);
	tell(story_opened(U, id, 5, owner));
	event.stream_id = text_of(id);
	event.request_stop.link = 21;
	event.request_stop.package = text_of(package);
	handle(INPUT_MESSAGE, &event);
	(void)snprintf(expected, sizeof expected,
		       "INTERNAL_ERROR: App %s cannot stop stream %s owned by %s", package, id,
		       owner);
	cr_assert_eq(strlen(verdict()), strlen("INTERNAL_ERROR: ") + REASON_MAX - 1);
	cr_assert_eq(strncmp(verdict(), expected, strlen(verdict())), 0, "%s", verdict());
}

/* A stream that runs is no reason: it is taken over (5.6). */
Test(unmanaged_judge, a_running_stream_does_not_matter, .init = setup)
{
	tell(story_opened(U, "s1", 5, "com.other"));
	start();
	expect_verdict("asked");
	struct stream_event managed = story_opened(U, "m1", 6, "com.other");

	tell(story_closed(U, "s1", 5, false, false));
	managed.stream_opened.kind = KIND_MANAGED;
	tell(managed);
	start();
	expect_verdict("asked");
}

/* What the registry answers ------------------------------------------------------------------- */

struct result_row {
	enum result result;
	enum kind running;
	char words[96];
};

Test(unmanaged_judge, refusals_of_the_registry, .init = setup)
{
	static const struct result_row rows[] = {
		{ RESULT_APP_NOT_RUNNING, KIND_NONE, "App com.example.cam is not running" },
		{ RESULT_NO_LINK, KIND_NONE,
		  "Cannot process stream request - phone WebSocket is not open (state: 3)" },
		{ RESULT_NO_SESSION, KIND_NONE,
		  "Cannot process stream request - phone is not connected (no WebSocket)" },
		{ RESULT_FULL, KIND_NONE, "No room for another stream, try again later" },
		{ RESULT_NO_STORAGE, KIND_NONE,
		  "The cloud has no storage left for new streams, try again later" },
		{ RESULT_CONFLICT, KIND_MANAGED, "Cannot start stream (conflict: managed)" },
		{ RESULT_STALE, KIND_NONE, "Cannot start stream (stale)" },
		{ RESULT_NONE, KIND_NONE, "Cannot start stream (none)" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stream_event result = { .type = EVENT_STREAM_RESULT, .origin = GATEWAY };
		char expected[128];

		start();
		expect_verdict("asked");
		result.request = request;
		result.stream_result.result = rows[i].result;
		result.stream_result.running = rows[i].running;
		handle(INPUT_MESSAGE, &result);
		(void)snprintf(expected, sizeof expected, "INTERNAL_ERROR: %s", rows[i].words);
		cr_expect_str_eq(verdict(), expected, "\"%s\" instead of \"%s\"", verdict(),
				 expected);
		handle(INPUT_MESSAGE, &result);
		expect_verdict(""); /* answered once */
	}
	cr_assert_eq(core.asks.stats.refused, sizeof rows / sizeof rows[0]);
	cr_assert_eq(core.asks.texts.dropped_count + core.asks.high, 0, "nothing is kept");
}
