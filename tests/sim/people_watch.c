/* SPDX-License-Identifier: MIT */
/* Apps that watch managed streams (protocol.md 3.1, 3.3, 5.4): whoever asks first makes the stream,
 * the others join it; some want it sent on elsewhere, to places good and bad.
 */
#include <string.h>

#include "tests/sim/checks.h"
#include "tests/sim/people.h"

#define SDK_PPM 500000 /* throws instead of asking twice */
#define RESTREAM_PPM 400000
#define REGRETS_PPM 150000 /* stops, and asks again at once */

#define GOOD "{\"url\":\"rtmp://a.example.com/live/K1\",\"name\":\"A\"}"
#define MORE "{\"url\":\"rtmps://b.example.com/live/K2\"}"
#define HIDDEN "{\"url\":\"rtmp://127.0.0.1/live/K3\",\"name\":\"home\"}"
#define WRONG "{\"url\":\"http://c.example.com/K4\"}"
#define FOUR GOOD "," MORE "," HIDDEN "," WRONG

static const char *const destinations[] = {
	"[]",
	"[" GOOD "]",
	"[" GOOD "," MORE "]",
	"[" GOOD "," GOOD "]",
	"[" WRONG "," MORE "]",
	"[" FOUR "," FOUR "," FOUR "]",
	"[{\"name\":\"nowhere\"},7]",
	"[[[",
};

void app_watch(struct client_app *app)
{
	struct edge_message message = { .type = EDGE_MANAGED_STREAM_REQUEST };
	struct sim *sim = app->person->sim;
	bool restreams = sim_chance(sim, SIM_APPS, RESTREAM_PPM);
	uint64_t which = sim_below(sim, SIM_APPS, sizeof destinations / sizeof destinations[0]);

	if (!app->accepted || (app->watching && sim_chance(sim, SIM_APPS, SDK_PPM)))
		return;
	message.managed_stream_request.package = text_of(sim_packages[app->package].name);
	message.managed_stream_request.video = message.managed_stream_request.audio =
		message.managed_stream_request.stream = TEXT("{}");
	if (restreams) {
		message.present |= EDGE_BIT(managed_stream_request, restream);
		message.managed_stream_request.restream = text_of(destinations[which]);
	}
	app->watching = true;
	checks_app_watches(app, true);
	checks_app_asked(app, ANSWER_MANAGED);
	app_say(app, &message);
}

void app_unwatch(struct client_app *app)
{
	struct edge_message message = { .type = EDGE_MANAGED_STREAM_STOP };

	if (!app->accepted)
		return;
	message.managed_stream_stop.package = text_of(sim_packages[app->package].name);
	checks_app_watches(app, false);
	checks_app_asked(app, ANSWER_NONE);
	app_say(app, &message);
	if (sim_chance(app->person->sim, SIM_APPS, REGRETS_PPM))
		app_watch(app);
}

void app_shown(struct client_app *app, uint64_t socket, const struct edge_message *message)
{
	const struct telling telling = {
		.socket = socket,
		.stream_id = message->managed_stream_status.stream_id,
		.word = message->managed_stream_status.status,
	};

	checks_app_shown(app, &telling);
	if (socket != app->socket)
		return;
	checks_app_answered(app, ANSWER_MANAGED);
	if (text_is(telling.word, "stopped") || text_is(telling.word, "error"))
		app->watching = false;
}
