/* SPDX-License-Identifier: MIT */
/* What glasses and apps hear, and what they say (protocol.md 1 to 5, 8).
 *
 * Glasses run what they are told at once: `initializing` and `streaming` go out together.  A
 * probe is answered before anything else is looked at.
 */
#include "tests/bench/load.h"

#include <stdio.h>
#include <time.h>

#include "tests/bench/message.h"
#include "tests/bench/token.h"

#define ACK_MAX 256
#define RTMP_URL "rtmp://ingest.example.com/live/key"

static unsigned number_of(const struct load *self, const struct user *user)
{
	return self->options.first + user_index(self, user);
}

/* ---- what they say ---- */

void words_greet(struct load *self, struct user *user, enum side side)
{
	if (side == APP)
		link_say(self, user, APP,
			 "{\"type\":\"tpa_connection_init\",\"sessionId\":\"" USER_ID_FORMAT
			 "-%s\",\"packageName\":\"%s\",\"apiKey\":\"%s\"}",
			 number_of(self, user), self->options.package, self->options.package,
			 self->options.api_key);
}

void words_start_app(struct load *self, struct user *user)
{
	link_say(self, user, GLASSES, "{\"type\":\"start_app\",\"packageName\":\"%s\"}",
		 self->options.package);
}

void words_request(struct load *self, struct user *user, int64_t since_ns)
{
	user->stage = STAGE_ASKED;
	user->asked_ns = since_ns;
	link_say(self, user, APP,
		 "{\"type\":\"rtmp_stream_request\",\"packageName\":\"%s\",\"sessionId\":"
		 "\"" USER_ID_FORMAT "-%s\",\"rtmpUrl\":\"" RTMP_URL
		 "\",\"video\":{},\"audio\":{},\"stream\":{}}",
		 self->options.package, number_of(self, user), self->options.package);
}

void words_stop(struct load *self, struct user *user)
{
	user->stage = STAGE_STOPPING;
	user->ended[GLASSES] = user->ended[APP] = false;
	user->asked_ns = tool_now_ns();
	link_say(self, user, APP,
		 "{\"type\":\"rtmp_stream_stop\",\"packageName\":\"%s\",\"sessionId\":"
		 "\"" USER_ID_FORMAT "-%s\",\"streamId\":\"%s\"}",
		 self->options.package, number_of(self, user), self->options.package,
		 user->stream_id);
}

static void say_status(struct load *self, struct user *user, const char *status)
{
	link_say(self, user, GLASSES,
		 "{\"type\":\"rtmp_stream_status\",\"status\":\"%s\",\"streamId\":\"%s\"}", status,
		 user->stream_id);
}

/* ---- what glasses hear ---- */

static void measure_probe(struct load *self, struct user *user)
{
	struct figures *figures = &self->figures;
	const int64_t due_ns = user->probe_ns + self->options.interval_ms * NS_PER_MS;
	const int64_t late_us = (self->now_ns - due_ns) / 1000;

	if (user->probe_ns > 0) {
		histogram_add(&figures->late_us, late_us > 0 ? (uint64_t)late_us : 0);
		figures->late += late_us > self->options.late_ms * 1000;
		if (-late_us > figures->early_max_us)
			figures->early_max_us = -late_us;
	}
	user->probe_ns = self->now_ns;
}

/* The hot path: no printf(), one copy. */
static void on_probe(struct load *self, struct user *user, struct text json)
{
	static const struct text head = TEXT("{\"type\":\"keep_alive_ack\",\"streamId\":\""),
				 middle = TEXT("\",\"ackId\":\""), tail = TEXT("\"}");
	const struct text stream = message_field(json, FIELD("streamId"));
	const struct text ack = message_field(json, FIELD("ackId"));
	const struct text parts[] = { head, stream, middle, ack, tail };
	char text[ACK_MAX];
	uint8_t frame[ACK_MAX + WS_HEAD_MAX];
	uint32_t length = 0;

	self->figures.probes++;
	if (!text_is(stream, user->stream_id))
		return;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (length + parts[i].length > sizeof text)
			return;
		memcpy(text + length, parts[i].bytes, parts[i].length);
		length += parts[i].length;
	}
	self->figures.acks++;
	(void)sock_send(&user->links[GLASSES].sock, frame,
			ws_write(frame, WS_TEXT, (struct text){ text, length }, load_random(self)));
	measure_probe(self, user);
}

static void on_connection_ack(struct load *self, struct user *user)
{
	link_say(self, user, GLASSES,
		 "{\"type\":\"glasses_connection_state\",\"modelName\":\"Mentra Live\",\"status\":"
		 "\"CONNECTED\",\"wifi\":{\"connected\":true,\"ssid\":\"lab\"}}");
	link_ready(self, user, GLASSES);
	load_advance(self, user);
	cycles_look(self, user);
}

static void on_start(struct load *self, struct user *user, struct text json)
{
	(void)text_put(message_field(json, FIELD("streamId")), user->stream_id,
		       sizeof user->stream_id);
	say_status(self, user, "initializing");
	say_status(self, user, "streaming");
	if (user->stage != STAGE_ASKED) {
		self->figures.statuses_bad++;
		return;
	}
	user->stage = STAGE_STARTED;
	user->probe_ns = self->now_ns;
	if (user_cycles(self, user))
		cycles_started(self, user);
	else
		histogram_add(&self->figures.start_us, load_since_us(self, user->asked_ns));
}

static void lost(struct load *self, struct user *user)
{
	if (user->stage != STAGE_LOST)
		self->figures.lost_streams++;
	user->stage = STAGE_LOST;
	load_gave_up(self, user);
}

static void ended(struct load *self, struct user *user, enum side side)
{
	/* One that was left when a socket was lost may end at any time. */
	if (user->stage < STAGE_STARTED)
		return;
	if (user->stage != STAGE_STOPPING) {
		lost(self, user);
		return;
	}
	user->ended[side] = true;
	if (!user->ended[GLASSES] || !user->ended[APP])
		return;
	user->stage = STAGE_IDLE;
	cycles_ended(self, user);
}

static void on_stop(struct load *self, struct user *user)
{
	link_say(self, user, GLASSES, "{\"type\":\"rtmp_stream_status\",\"status\":\"stopped\"}");
	link_say(self, user, GLASSES, "{\"type\":\"rtmp_stream_status\",\"status\":\"stopping\"}");
	ended(self, user, GLASSES);
}

static void on_glasses(struct load *self, struct user *user, struct text json)
{
	struct text type = message_type(json);

	if (text_is(type, "keep_rtmp_stream_alive"))
		on_probe(self, user, json);
	else if (text_is(type, "start_rtmp_stream"))
		on_start(self, user, json);
	else if (text_is(type, "stop_rtmp_stream"))
		on_stop(self, user);
	else if (text_is(type, "connection_ack") && user->links[GLASSES].state == LINK_OPEN)
		on_connection_ack(self, user);
	else if (text_is(type, "connection_error"))
		self->figures.statuses_bad++;
}

/* ---- what apps hear ---- */

static void on_active(struct load *self, struct user *user)
{
	if (user->stage != STAGE_STARTED)
		return;
	user->stage = STAGE_LIVE;
	if (user_cycles(self, user))
		words_stop(self, user);
	else
		load_advance(self, user);
}

static void on_app_status(struct load *self, struct user *user, struct text json)
{
	const struct text status = message_field(json, FIELD("status"));
	const bool terminal = text_is(status, "stopped") || text_is(status, "timeout");
	const bool known = text_is(message_field(json, FIELD("streamId")), user->stream_id);

	/* Asked for, it may hear of the new stream before its glasses do, or of the end of one that
	 * was left when a socket was lost. */
	if (user->stage == STAGE_ASKED) {
		if (terminal ? !known : !text_is(status, "initializing"))
			self->figures.statuses_bad++;
		return;
	}
	if (!known)
		self->figures.statuses_bad++;
	else if (text_is(status, "active"))
		on_active(self, user);
	else if (terminal)
		ended(self, user, APP);
	else if (!text_is(status, "initializing"))
		self->figures.statuses_bad++;
}

/* The code; of one that says nothing also the words, up to a number, which would differ each time.
 */
static struct text name_refusal(struct text json, char name[CODE_SIZE])
{
	const struct text code = message_field(json, FIELD("code"));
	const struct text message = message_field(json, FIELD("message"));
	char words[CODE_SIZE];
	int length;

	if (!text_is(code, "INTERNAL_ERROR"))
		return code;
	(void)text_put(message, words, sizeof words);
	words[strcspn(words, "0123456789\\")] = '\0';
	length = snprintf(name, CODE_SIZE, "INTERNAL_ERROR: %s", words);
	return (struct text){ name, length < CODE_SIZE ? (uint32_t)length : CODE_SIZE - 1 };
}

static void count_refusal(struct load *self, struct text json)
{
	struct refusals *row = self->figures.refusals;
	char name[CODE_SIZE];
	const struct text code = name_refusal(json, name);

	for (unsigned i = 0; i < CODES_MAX - 1; i++, row++)
		if (row->count == 0 || text_is(code, row->code))
			break;
	(void)text_put(code, row->code, sizeof row->code);
	row->count++;
}

/* The close that follows does the rest. */
static void on_refused(struct load *self, struct user *user, struct text json)
{
	const struct text message = message_field(json, FIELD("message"));

	count_refusal(self, json);
	if (text_is(message_field(json, FIELD("code")), "INVALID_API_KEY"))
		tool_fail(&load_tool, "wrong --api-key-file, or wrong --app", NULL);
	if (user_cycles(self, user) && user->stage == STAGE_ASKED) {
		cycles_refused(self, user);
		return;
	}
	if (user->busy && self->figures.failed == 0)
		fprintf(stderr, "weir-load: an app was refused: %.*s\n", (int)message.length,
			message.bytes);
	load_gave_up(self, user);
}

static void on_app(struct load *self, struct user *user, struct text json)
{
	struct text type = message_type(json);

	if (text_is(type, "rtmp_stream_status")) {
		on_app_status(self, user, json);
	} else if (text_is(type, "tpa_connection_error")) {
		on_refused(self, user, json);
	} else if (text_is(type, "tpa_connection_ack") && user->links[APP].state == LINK_OPEN) {
		link_ready(self, user, APP);
		load_advance(self, user);
		cycles_look(self, user);
	}
}

void words_took(struct load *self, struct user *user, enum side side, struct text json)
{
	if (side == GLASSES)
		on_glasses(self, user, json);
	else
		on_app(self, user, json);
}
