/* SPDX-License-Identifier: MIT */
/* tap_cmd_show.c - `weir show`: everything the registry knows about a stream or a user. */

#include <inttypes.h>
#include <stdarg.h>

#include "actors/tap/tap_ages.h"
#include "actors/tap/tap_call.h"
#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_phrase.h"
#include "actors/tap/tap_stream.h"
#include "proto/escape.h"
#include "proto/list.h"

#define VALUE_SIZE ESCAPED_SIZE(OPTION_MAX) /* bytes; no text is longer */

static const char *const examples[] = {
	"weir show s-4k2j9x1qa",
	"weir show alice@example.com",
	"weir show alice@example.com -o json | jq .user.glasses",
	NULL,
};

/* What was asked for: a stream with its user, or a user with all its streams. */
struct subject {
	const struct mirror *mirror;
	const struct mirror_user *user;
	const struct mirror_stream *stream; /* NULL: all of the user */
};

static bool is_meant(const struct subject *subject, const struct mirror_stream *stream)
{
	return subject->stream ? stream == subject->stream : stream->user == subject->user;
}

static void app_json(const struct mirror *mirror, const struct mirror_app *app,
		     struct json_out *json)
{
	struct wire wire;
	struct text type;
	uint32_t count;

	json_out_open(json, NULL, '{');
	json_out_text(json, "package", app->package);
	json_out_word(json, "state", words_name(&app_state_words, app->state));
	json_out_word(json, "app_type", words_name(&app_type_words, app->app_type));
	json_out_u64(json, "link", app->link);
	json_out_text(json, "gateway", mirror_gateway_name(mirror, app->gateway));
	json_out_text(json, "reason", app->reason);
	json_out_i64(json, "at_ms", app->at_ms);
	json_out_open(json, "subscriptions", '[');
	if (list_read(app->subscriptions, &wire, &count))
		for (; count > 0 && wire_text(&wire, &type); count--)
			json_out_text(json, NULL, type);
	json_out_close(json, ']');
	json_out_close(json, '}');
}

static void user_json(const struct subject *subject, struct json_out *json)
{
	const struct mirror_user *user = subject->user;

	json_out_open(json, "user", '{');
	json_out_text(json, "user_id", user->id);
	json_out_word(json, "session", user->session);
	json_out_i64(json, "session_at_ms", user->session_at_ms);
	json_out_open(json, "link", '{');
	json_out_word(json, "state", words_name(&link_words, user->link_state));
	json_out_u64(json, "link", user->link);
	json_out_text(json, "gateway", mirror_gateway_name(subject->mirror, user->gateway));
	json_out_u64(json, "code", user->link_code);
	json_out_i64(json, "at_ms", user->link_at_ms);
	json_out_close(json, '}');
	json_out_open(json, "glasses", '{');
	json_out_bool(json, "known", user->has_glasses);
	json_out_text(json, "model", user->model);
	json_out_bool(json, "connected", user->connected);
	json_out_word(json, "wifi", words_name(&wifi_words, user->wifi));
	json_out_i64(json, "at_ms", user->glasses_at_ms);
	json_out_close(json, '}');
	json_out_open(json, "apps", '[');
	for (const struct mirror_app *app = user->apps; app; app = app->next)
		app_json(subject->mirror, app, json);
	json_out_close(json, ']');
	json_out_close(json, '}');
}

static void managed_json(const struct mirror_managed *managed, struct json_out *json)
{
	json_out_text(json, "hls", managed->hls);
	json_out_text(json, "dash", managed->dash);
	json_out_text(json, "webrtc", managed->webrtc);
	json_out_text(json, "preview", managed->preview);
	json_out_text(json, "thumbnail", managed->thumbnail);
	json_out_open(json, "watching", '[');
	for (const struct mirror_viewer *viewer = managed->viewers; viewer; viewer = viewer->next) {
		json_out_open(json, NULL, '{');
		json_out_text(json, "app", viewer->package);
		json_out_word(json, "state", words_name(&viewer_words, viewer->state));
		json_out_close(json, '}');
	}
	json_out_close(json, ']');
	json_out_open(json, "outputs", '[');
	for (const struct mirror_output *output = managed->outputs; output; output = output->next) {
		json_out_open(json, NULL, '{');
		json_out_u64(json, "output", output->number);
		json_out_text(json, "name", output->name);
		json_out_text(json, "app", output->package);
		json_out_word(json, "state", words_name(&output_state_words, output->state));
		json_out_text(json, "error", output->error);
		json_out_close(json, '}');
	}
	json_out_close(json, ']');
}

static void print_json(const struct subject *subject)
{
	const struct mirror *mirror = subject->mirror;
	struct json_rows list;

	json_rows_begin(&list, stdout, FORMAT_JSONL);
	struct json_out *json = json_row_open(&list);

	json_out_open(json, "streams", '[');
	for (size_t i = 0; i < mirror->stream_count; i++) {
		const struct mirror_stream *stream = &mirror->streams[i];

		if (!is_meant(subject, stream))
			continue;
		json_out_open(json, NULL, '{');
		stream_json(mirror, stream, json);
		json_out_text(json, "told_id", stream->told_id);
		json_out_text(json, "stop_app_id", stream->stop_app_id);
		json_out_text(json, "video", stream->video);
		json_out_text(json, "audio", stream->audio);
		json_out_text(json, "options", stream->options);
		if (stream->managed)
			managed_json(stream->managed, json);
		json_out_close(json, '}');
	}
	json_out_close(json, ']');
	user_json(subject, json);
	json_row_close(&list);
	json_rows_end(&list);
}

static const char *clean(struct text text)
{
	static char buffer[VALUE_SIZE]; /* until the next call */

	(void)escape_put(text, buffer, sizeof buffer);
	return buffer;
}

static void line(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *format, ...)
{
	va_list args;

	(void)printf("  %-14s ", name);
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	(void)putchar('\n');
}

static void text_line(const char *name, struct text text)
{
	if (text.length > 0)
		line(name, "%s", clean(text));
}

/* JSON for people: its quotes stay as they are. */
static void json_line(const char *name, struct text text)
{
	if (text.length == 0)
		return;
	(void)printf("  %-14s ", name);
	while (text.length > 0) {
		char out[ESCAPE_SIZE];
		size_t length;
		uint32_t taken = (uint32_t)escape_next(text, out, &length);
		bool quoted = length == 2 && *out == '\\';

		(void)fwrite(quoted ? out + 1 : out, 1, quoted ? 1 : length, stdout);
		text = (struct text){ text.bytes + taken, text.length - taken };
	}
	(void)putchar('\n');
}

/* Static likewise. */
static const char *output_line(const struct mirror_output *output)
{
	static char buffer[VALUE_SIZE];
	struct phrase phrase;

	phrase_begin(&phrase, buffer, sizeof buffer);
	phrase_put(&phrase, "%" PRIu64 " %s", output->number,
		   words_name(&output_state_words, output->state));
	phrase_put_also(&phrase, output->name);
	phrase_put_also(&phrase, output->package);
	phrase_put_reason(&phrase, output->error);
	return buffer;
}

static void print_managed(const struct mirror_managed *managed)
{
	line("provider", "%s", words_name(&provider_words, managed->provider));
	line("input", "%s%s%s", words_name(&input_state_words, managed->input),
	     managed->input_id.length > 0 ? ", " : "", clean(managed->input_id));
	line("picture", "%s at the provider", words_name(&ingest_words, managed->ingest));
	line("playback", "%s", words_name(&playback_words, managed->playback));
	text_line("hls", managed->hls);
	text_line("dash", managed->dash);
	text_line("webrtc", managed->webrtc);
	for (const struct mirror_viewer *viewer = managed->viewers; viewer; viewer = viewer->next)
		line("viewer", "%s: %s", clean(viewer->package),
		     words_name(&viewer_words, viewer->state));
	for (const struct mirror_output *output = managed->outputs; output; output = output->next)
		line("output", "%s", output_line(output));
	if (managed->input == INPUT_OWED)
		line("still owed", "its input must be deleted");
}

static void print_stream(const struct mirror_stream *stream, int64_t now_ms, bool colour)
{
	char age[TEXT_AGE_SIZE], moment[TEXT_TIME_SIZE];
	enum colour paint = colour ? stream_phase_colour(stream->phase) : COLOUR_NONE;

	(void)printf("stream %s\n", clean(stream->id));
	line("user", "%s", clean(stream->user->id));
	line("kind", "%s", words_name(&kind_words, stream->kind));
	line("phase", "%s%s%s", paint ? colour_code(paint) : "",
	     words_name(&phase_words, stream->phase), paint ? colour_code(COLOUR_NONE) : "");
	text_line("app", stream->package);
	line("epoch", "%" PRIu64, stream->epoch);
	line("created", "%s (%s ago)", text_time(stream->created_ms, moment),
	     text_age(now_ms - stream->created_ms, age));
	line("last activity", "%s (%s ago)", text_time(stream->activity_ms, moment),
	     text_age(now_ms - stream->activity_ms, age));
	line("start", "%s", stream->start_delivered ? "delivered to the device" : "not delivered");
	line("missed probes", "%" PRIu64, stream->missed);
	if (stream->end_cause != END_NONE)
		line("ended by", "%s, at: %s", words_name(&end_cause_words, stream->end_cause),
		     words_name(&hop_words, stream->hop));
	if (stream->stop_owed)
		line("still owed", "a stop to the device, in the name of %s",
		     stream->stop_app_id.length > 0 ? clean(stream->stop_app_id) : "nobody");
	if (stream->told_owed)
		line("still owed", "word of the end to the app");
	if (stream->managed)
		print_managed(stream->managed);
	json_line("video", stream->video);
	json_line("audio", stream->audio);
	json_line("options", stream->options);
}

/* "gateway-1 (link 12)"; static like clean(). */
static const char *place(const struct mirror *mirror, uint64_t gateway, uint64_t link)
{
	static char buffer[VALUE_SIZE];

	(void)snprintf(buffer, sizeof buffer, "%.200s (link %" PRIu64 ")",
		       clean(mirror_gateway_name(mirror, gateway)), link);
	return buffer;
}

/* ", for 45s": how long a fact holds; "" if the event that made it is not kept.  Static likewise.
 */
static const char *held(int64_t at_ms)
{
	static char buffer[TEXT_AGE_SIZE + 8];
	char age[TEXT_AGE_SIZE];

	if (at_ms == 0)
		return "";
	(void)snprintf(buffer, sizeof buffer, ", for %s", text_age(clock_wall_ms() - at_ms, age));
	return buffer;
}

static void print_app(const struct mirror *mirror, const struct mirror_app *app)
{
	struct wire wire;
	struct text type;
	uint32_t count;

	line("app", "%s: %s%s", clean(app->package), words_name(&app_state_words, app->state),
	     held(app->at_ms));
	line("", "  %s%s%s", words_name(&app_type_words, app->app_type),
	     app->link != 0 ? " on " : ", no socket",
	     app->link != 0 ? place(mirror, app->gateway, app->link) : "");
	if (app->reason.length > 0)
		line("", "  because: %s", clean(app->reason));
	if (!list_read(app->subscriptions, &wire, &count) || count == 0)
		return;
	(void)printf("  %-14s   subscribed to:", "");
	for (; count > 0 && wire_text(&wire, &type); count--)
		(void)printf(" %s", clean(type));
	(void)putchar('\n');
}

static void print_user(const struct subject *subject)
{
	const struct mirror_user *user = subject->user;

	(void)printf("user %s\n", clean(user->id));
	line("session", "%s%s", user->session, held(user->session_at_ms));
	if (!user->has_link)
		line("phone link", "none");
	else if (user->link_state == LINK_DOWN)
		line("phone link", "down, closed with %" PRIu64 "%s", user->link_code,
		     held(user->link_at_ms));
	else
		line("phone link", "%s on %s%s", words_name(&link_words, user->link_state),
		     place(subject->mirror, user->gateway, user->link), held(user->link_at_ms));
	if (user->has_glasses)
		line("glasses", "%s, %s, wifi %s%s",
		     user->model.length > 0 ? clean(user->model) : "unknown model",
		     user->connected ? "connected to the phone" : "not connected",
		     words_name(&wifi_words, user->wifi), held(user->glasses_at_ms));
	else
		line("glasses", "nothing known");
	for (const struct mirror_app *app = user->apps; app; app = app->next)
		print_app(subject->mirror, app);
}

static void print_text(const struct subject *subject, bool colour)
{
	const struct mirror *mirror = subject->mirror;
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < mirror->stream_count; i++) {
		if (!is_meant(subject, &mirror->streams[i]))
			continue;
		print_stream(&mirror->streams[i], now_ms, colour);
		(void)putchar('\n');
	}
	print_user(subject);
}

static int run(const struct cli *cli, const struct option_words *words)
{
	struct text wanted = text_of(words->items[0]);
	struct mirror mirror;

	mirror_init(&mirror);
	int r = snapshot_fetch(cli, &mirror);
	struct subject subject = { .mirror = &mirror };

	if (r == EXIT_DONE) {
		subject.stream = mirror_stream(&mirror, wanted);
		subject.user = subject.stream ? subject.stream->user : mirror_user(&mirror, wanted);
	}
	if (r == EXIT_DONE && subject.user)
		r = ages_of_user(cli, &mirror, subject.user);
	if (r == EXIT_DONE && !subject.user) {
		say("there is no stream or user %s; `weir ls --all` lists the streams",
		    clean(wanted));
		say("what is over may be in the history: weir tap --history --for 1 --stream %s",
		    clean(wanted));
		r = EXIT_USAGE;
	} else if (r == EXIT_DONE && (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)) {
		print_json(&subject);
	} else if (r == EXIT_DONE) {
		print_text(&subject, cli->colour);
	}
	mirror_fini(&mirror);
	return r;
}

const struct command command_show = {
	.name = "show",
	.words_usage = "STREAM|USER",
	.summary = "show all that is known about a stream or a user",
	.about =
		"Shows a stream with its user, or a user with all its streams: the record, the "
		"phone's\n"
		"link and its gateway, the glasses, the apps and what they are subscribed to, and "
		"for how\n"
		"long each has been so, as far as the history is kept.  Of a managed stream also "
		"its\n"
		"provider and input, who watches, and its outputs; their destinations are secret.\n"
		"\n"
		"exit status: 0 shown; 1 not known; 2 cannot connect; 3 no answer\n",
	.examples = examples,
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
