/* SPDX-License-Identifier: MIT */
/* Apps as the SDK makes them (protocol.md 2.2 to 2.8, 3.3): a webhook begins a session, the session
 * opens a socket and says init; a lost socket is tried again after 1, 2 and 4 s, some closes are
 * final, and a reconnect that is accepted but gets no ack is never given up.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/checks.h"
#include "tests/sim/people.h"

#define ACK_PATIENCE_MS 5000
#define ATTEMPTS_MAX 3
#define RECONNECT_MS 1000 /* doubled by each failure */
#define HOOK_MAX_MS 1500 /* a healthy app answers within */
#define HOOK_LATE_MIN_MS 4000
#define HOOK_LATE_MAX_MS 14000
#define HOOK_NEVER_PPM 60000
#define HOOK_LATE_PPM 60000
#define HOOK_FAIL_PPM 40000
#define ABSENT_PPM 50000 /* answers, and does not connect */
#define BAD_KEY_PPM 20000
#define BAD_URL_PPM 30000
#define SDK_PPM 500000 /* throws instead of asking twice */
#define SUBSCRIBED_PPM 600000
#define URL_SIZE 64
#define SESSION_SIZE 64

/* Sockets -------------------------------------------------------------------------------------- */

static void forget_older(struct client_app *app, uint64_t socket)
{
	for (unsigned i = 0; i < APP_OLDER_MAX; i++)
		if (app->older[i] == socket)
			app->older[i] = 0;
}

static void keep_older(struct client_app *app, uint64_t socket)
{
	for (unsigned i = 0; i < APP_OLDER_MAX; i++)
		if (app->older[i] == 0) {
			app->older[i] = socket;
			return;
		}
	sim_hang_up(app->person->sim, socket, 1000);
}

/* The newest socket is no more, whoever ended it. */
static void lose(struct client_app *app)
{
	app->socket = 0;
	app->accepted = false;
	app->life++;
	checks_app_lost(app);
}

static void end_session(struct client_app *app)
{
	app->failures = 0;
	app->streaming = app->watching = false;
	app->stream_id[0] = '\0';
}

static void say(struct client_app *app, const struct edge_message *message, bool key_ok)
{
	if (app->socket != 0)
		sim_say(app->person->sim, app->socket, message, key_ok);
}

void app_say(struct client_app *app, const struct edge_message *message)
{
	say(app, message, false);
}

static void say_init(struct client_app *app)
{
	struct edge_message message = { .type = EDGE_TPA_CONNECTION_INIT };
	const char *package = sim_packages[app->package].name;
	char session[SESSION_SIZE];

	(void)snprintf(session, sizeof session, "%s-%s", app->person->name, package);
	message.present = EDGE_BIT(tpa_connection_init, session_id) |
			  EDGE_BIT(tpa_connection_init, package) |
			  EDGE_BIT(tpa_connection_init, api_key);
	message.tpa_connection_init.session_id = text_of(session);
	message.tpa_connection_init.package = text_of(package);
	message.tpa_connection_init.api_key = TEXT("key");
	say(app, &message, !sim_chance(app->person->sim, SIM_APPS, BAD_KEY_PPM));
}

static void answer_hook(struct client_app *app, bool ok)
{
	enum hook hook = app->hook;

	app->hook = HOOK_NONE;
	app->hook_life++;
	if (hook != HOOK_NONE)
		sim_posted(app->person->sim, app->hook_gateway, app->person->id,
			   text_of(sim_packages[app->package].name), hook, app->hook_id, ok);
}

/* No ack in time: a first connection fails, a reconnect is left open for ever (2.8). */
static void on_patience(void *context, uint64_t tag)
{
	struct client_app *app = context;
	uint64_t socket = app->socket;

	if (tag != app->life || app->accepted || socket == 0)
		return;
	if (app->reconnecting) {
		SIM_SOMETIMES(app->person->sim, "app gives up on a silent reconnect");
		return;
	}
	SIM_SOMETIMES(app->person->sim, "app waits for its ack in vain");
	lose(app);
	end_session(app);
	sim_hang_up(app->person->sim, socket, 1000);
	if (app->hook == HOOK_SESSION)
		answer_hook(app, false);
}

static void connect(struct client_app *app);

static void on_retry(void *context, uint64_t tag)
{
	struct client_app *app = context;

	if (tag == app->life && app->socket == 0)
		connect(app);
}

static void failed(struct client_app *app)
{
	int64_t wait_ms = RECONNECT_MS << app->failures;

	if (app->failures++ >= ATTEMPTS_MAX) {
		SIM_SOMETIMES(app->person->sim, "app has tried three times");
		end_session(app);
		return;
	}
	app->reconnecting = true;
	app->life++;
	sim_at(app->person->sim, sim_now(app->person->sim) + wait_ms, on_retry, app, app->life);
}

static void connect(struct client_app *app)
{
	struct sim *sim = app->person->sim;
	unsigned gateway = (unsigned)sim_below(sim, SIM_APPS, sim_gateways(sim));
	uint64_t socket = sim_open_app(sim, gateway, &app->client);

	if (socket == 0) {
		failed(app);
		return;
	}
	app->socket = socket;
	app->gateway = gateway;
	app->accepted = false;
	app->life++;
	sim_at(sim, sim_now(sim) + ACK_PATIENCE_MS, on_patience, app, app->life);
	say_init(app);
}

static void closed(void *context, uint64_t socket, unsigned code)
{
	struct client_app *app = context;
	bool was_accepted = app->accepted;

	forget_older(app, socket);
	if (socket != app->socket)
		return;
	lose(app);
	checks_app_answered(app, ANSWER_CLOSE);
	if (code == 1000 || code == 1001 || code == 1008) {
		end_session(app);
		if (app->hook == HOOK_SESSION)
			answer_hook(app, false);
		return;
	}
	if (was_accepted)
		app->failures = 0;
	failed(app);
}

/* Webhooks ------------------------------------------------------------------------------------- */

static void stop_requested(struct client_app *app)
{
	uint64_t socket = app->socket;

	if (socket == 0)
		return;
	/* onStop() disconnects: first the stream, then the socket (2.8). */
	if (app->streaming)
		app_stop_stream(app, text_of(app->stream_id));
	lose(app);
	end_session(app);
	sim_hang_up(app->person->sim, socket, 1005);
}

static void session_requested(struct client_app *app)
{
	if (app->socket != 0) {
		SIM_SOMETIMES(app->person->sim, "app has two sessions");
		keep_older(app, app->socket);
		lose(app);
	}
	end_session(app); /* a new session object */
	app->life++;
	app->reconnecting = false;
	if (!sim_chance(app->person->sim, SIM_APPS, ABSENT_PPM))
		connect(app);
}

static void on_hook_due(void *context, uint64_t tag)
{
	struct client_app *app = context;

	if (tag == app->hook_life)
		answer_hook(app, !sim_chance(app->person->sim, SIM_APPS, HOOK_FAIL_PPM));
}

void app_hook(struct client_app *app, unsigned gateway, enum hook hook, uint64_t hook_id)
{
	struct sim *sim = app->person->sim;

	if (hook == HOOK_STOP)
		stop_requested(app);
	app->hook = hook;
	app->hook_id = hook_id;
	app->hook_gateway = gateway;
	app->hook_life++;
	if (hook == HOOK_SESSION)
		session_requested(app);
	if (sim_chance(sim, SIM_APPS, HOOK_NEVER_PPM)) {
		SIM_SOMETIMES(sim, "webhook is never answered");
		app->hook_life++;
		return;
	}
	if (sim_chance(sim, SIM_APPS, HOOK_LATE_PPM))
		people_after(sim, SIM_APPS,
			     (struct people_delay){ HOOK_LATE_MIN_MS, HOOK_LATE_MAX_MS },
			     on_hook_due, app, app->hook_life);
	else
		people_after(sim, SIM_APPS, (struct people_delay){ 0, HOOK_MAX_MS }, on_hook_due,
			     app, app->hook_life);
}

/* What it hears -------------------------------------------------------------------------------- */

static void on_status(struct client_app *app, uint64_t socket, const struct edge_message *message)
{
	struct text word = message->rtmp_stream_status.status;
	struct text id = message->rtmp_stream_status.stream_id;

	checks_app_told(app, &(struct telling){ .socket = socket, .stream_id = id, .word = word });
	if (socket != app->socket)
		return;
	checks_app_answered(app, ANSWER_STATUS);
	if (!text_is(id, app->stream_id)) {
		memcpy(app->old_ids[app->old_next], app->stream_id, sizeof app->stream_id);
		app->old_next = (app->old_next + 1) % STREAMS_HELD_MAX;
		text_put(id, app->stream_id, sizeof app->stream_id);
	}
	if (text_is(word, "stopped") || text_is(word, "error") || text_is(word, "timeout"))
		app->streaming = false;
}

static void on_ack(struct client_app *app)
{
	app->accepted = true;
	app->failures = 0;
	checks_app_accepted(app);
	if (sim_chance(app->person->sim, SIM_APPS, SUBSCRIBED_PPM))
		app_subscribe(app);
}

static void heard(void *context, uint64_t socket, const struct edge_message *message)
{
	struct client_app *app = context;

	switch (message->type) {
	case EDGE_TPA_CONNECTION_ACK:
		if (socket == app->socket)
			on_ack(app);
		return;
	case EDGE_RTMP_STREAM_STATUS:
		on_status(app, socket, message);
		return;
	case EDGE_TPA_CONNECTION_ERROR:
		if (socket == app->socket)
			checks_app_answered(app, ANSWER_ERROR);
		return;
	case EDGE_MANAGED_STREAM_STATUS:
		app_shown(app, socket, message);
		return;
	case EDGE_CHECK_NONE:
	case EDGE_CHECK_MANAGED:
	case EDGE_CHECK_UNMANAGED:
		if (socket == app->socket)
			checks_app_answered(app, ANSWER_CHECK);
		return;
	default:
		return;
	}
}

/* What it asks --------------------------------------------------------------------------------- */

void app_start_stream(struct client_app *app)
{
	struct edge_message message = { .type = EDGE_RTMP_STREAM_REQUEST };
	struct sim *sim = app->person->sim;
	bool bad = sim_chance(sim, SIM_APPS, BAD_URL_PPM);
	char url[URL_SIZE];

	if (!app->accepted || (app->streaming && sim_chance(sim, SIM_APPS, SDK_PPM)))
		return;
	(void)snprintf(url, sizeof url, "%s://ingest.example.com/live/key-%u",
		       bad ? "http" : "rtmp", ++people.urls);
	message.present = EDGE_BIT(rtmp_stream_request, rtmp_url);
	message.rtmp_stream_request.package = text_of(sim_packages[app->package].name);
	message.rtmp_stream_request.rtmp_url = text_of(url);
	message.rtmp_stream_request.video = message.rtmp_stream_request.audio =
		message.rtmp_stream_request.stream = TEXT("{}");
	app->streaming = true;
	checks_app_asked(app, ANSWER_STATUS);
	say(app, &message, false);
}

void app_stop_stream(struct client_app *app, struct text stream_id)
{
	struct edge_message message = { .type = EDGE_RTMP_STREAM_STOP };

	if (!app->accepted)
		return;
	message.present = stream_id.length > 0 ? EDGE_BIT(rtmp_stream_stop, stream_id) : 0;
	message.rtmp_stream_stop.package = text_of(sim_packages[app->package].name);
	message.rtmp_stream_stop.stream_id = stream_id;
	checks_app_asked(app, ANSWER_NONE);
	say(app, &message, false);
}

void app_check(struct client_app *app)
{
	struct edge_message message = { .type = EDGE_STREAM_STATUS_CHECK };

	if (!app->accepted)
		return;
	message.stream_status_check.package = text_of(sim_packages[app->package].name);
	message.stream_status_check.session_id = TEXT("unknown-session-id");
	checks_app_asked(app, ANSWER_CHECK);
	say(app, &message, false);
}

void app_subscribe(struct client_app *app)
{
	static const char *const sets[] = { "[]", "[\"rtmp_stream_status\"]", "[\"*\"]",
					    "[\"button_press\",\"rtmp_stream_status\"]" };
	uint64_t which = sim_below(app->person->sim, SIM_APPS, sizeof sets / sizeof sets[0]);
	struct edge_message message = { .type = EDGE_SUBSCRIPTION_UPDATE };

	if (!app->accepted)
		return;
	message.present = EDGE_BIT(subscription_update, subscriptions);
	message.subscription_update.package = text_of(sim_packages[app->package].name);
	message.subscription_update.subscriptions = text_of(sets[which]);
	say(app, &message, false);
}

/* What happens to it --------------------------------------------------------------------------- */

void app_lose_socket(struct client_app *app)
{
	uint64_t socket = app->socket;

	if (socket == 0)
		return;
	lose(app);
	people_close(app->person->sim, SIM_APPS, socket, 1006);
	failed(app);
}

void app_die(struct client_app *app)
{
	uint64_t socket = app->socket;

	for (unsigned i = 0; i < APP_OLDER_MAX; i++)
		if (app->older[i] != 0)
			sim_hang_up(app->person->sim, app->older[i], 1006);
	memset(app->older, 0, sizeof app->older);
	if (socket != 0) {
		lose(app);
		sim_hang_up(app->person->sim, socket, 1006);
	}
	app->hook = HOOK_NONE;
	app->hook_life++;
	app->life++;
	end_session(app);
}

struct client_app *app_find(struct person *person, struct text package)
{
	for (unsigned i = 0; i < person->app_count; i++)
		if (text_is(package, sim_packages[person->apps[i].package].name))
			return &person->apps[i];
	return NULL;
}

void app_init(struct person *person, unsigned index, unsigned package)
{
	struct client_app *app = &person->apps[index];

	*app = (struct client_app){ .person = person, .package = package };
	app->client = (struct sim_client){ .context = app, .heard = heard, .closed = closed };
}
