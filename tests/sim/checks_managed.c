/* SPDX-License-Identifier: MIT */
/* Who watches a managed stream, and what he is told: that it begins, how it goes, and once that it
 * is over for him.
 */
#include "tests/sim/checks_internal.h"

#include <string.h>

static struct client_app *viewer_app(const struct check_stream *stream,
				     const struct check_viewer *viewer)
{
	return &people.persons[stream->person->index].apps[viewer - stream->viewers];
}

struct check_viewer *check_viewer(struct check_stream *stream, struct text package)
{
	struct person *person = &people.persons[stream->person->index];
	const struct client_app *app = app_find(person, package);

	return app ? &stream->viewers[app - person->apps] : NULL;
}

/* The story ------------------------------------------------------------------------------------ */

static void joins(struct check_stream *stream, struct check_viewer *viewer)
{
	int64_t now_ms = sim_now(checks.sim);

	viewer->watching = true;
	viewer->owed = viewer->must_hear = false;
	viewer->joins++;
	viewer->joined_ms = now_ms;
	viewer->due_ms = now_ms;
	viewer->due_word = NULL;
	check_app_opened(viewer_app(stream, viewer), ANSWER_MANAGED);
}

void check_managed_opened(struct check_stream *stream)
{
	if (stream->owner)
		joins(stream, &stream->viewers[stream->owner - stream->person->apps]);
}

static void owes(struct check_stream *stream, struct check_viewer *viewer)
{
	const struct client_app *app = viewer_app(stream, viewer);

	viewer->owed = viewer->must_hear = true;
	viewer->owed_ms = sim_now(checks.sim);
	viewer->told_ms = NEVER;
	viewer->owed_socket = check_app(app)->accepted_ms != NEVER ? app->socket : 0;
}

static void leaves(struct check_stream *stream, const struct stream_event *event)
{
	struct check_viewer *viewer = check_viewer(stream, event->stream_left.package);

	if (!viewer || !(viewer->watching || viewer->owed)) {
		check_fail("I11 only who watches leaves", stream, "%.*s",
			   (int)event->stream_left.package.length,
			   event->stream_left.package.bytes);
		return;
	}
	viewer->watching = viewer->owed = viewer->must_hear = false;
	if (event->stream_left.told_owed)
		owes(stream, viewer);
}

static void told(struct check_stream *stream, const struct stream_event *event)
{
	struct check_viewer *viewer = check_viewer(stream, event->stream_told.package);

	if (!viewer)
		return;
	viewer->owed = false;
	viewer->told_ms = sim_now(checks.sim);
	if (event->stream_told.outcome == OUTCOME_GIVEN_UP)
		viewer->must_hear = false; /* it has waited for as long as it may */
}

static void is_made(struct check_stream *stream, const struct stream_event *event)
{
	check_provisioned(stream, event);
	if (stream->phase == PHASE_CLOSED)
		return;
	stream->phase = (enum phase)event->stream_provisioned.phase;
	stream->made_ms = stream->status_ms = sim_now(checks.sim);
	for (unsigned i = 0; i < PERSON_APPS_MAX; i++)
		stream->viewers[i].due_ms = stream->made_ms;
}

void check_managed_story(struct check_stream *stream, const struct stream_event *event)
{
	struct check_viewer *viewer;

	switch (event->type) {
	case EVENT_STREAM_TOLD:
		told(stream, event);
		return;
	case EVENT_STREAM_JOINED:
		viewer = check_viewer(stream, event->stream_joined.package);
		if (viewer)
			joins(stream, viewer);
		return;
	case EVENT_STREAM_LEFT:
		leaves(stream, event);
		return;
	case EVENT_STREAM_PROVISIONED:
		is_made(stream, event);
		return;
	case EVENT_STREAM_INPUT_SETTLED:
		stream->input_owed = false;
		return;
	default:
		return;
	}
}

/* Each viewer that can be reached is owed the end, unless his request is refused instead. */
void check_managed_closed(struct check_stream *stream, const struct stream_event *event)
{
	bool refused =
		stream->made_ms == NEVER && event->stream_closed.end_cause == END_PROVIDER_ERROR;
	enum end_cause cause = (enum end_cause)event->stream_closed.end_cause;
	bool owed = false, watched = false;

	for (unsigned i = 0; i < PERSON_APPS_MAX; i++) {
		struct check_viewer *viewer = &stream->viewers[i];

		if (viewer->watching && !refused && check_app_reachable(viewer_app(stream, viewer)))
			owes(stream, viewer);
		else if (viewer->watching)
			SIM_SOMETIMES(checks.sim, "a managed stream ends while a viewer is away");
		watched = watched || viewer->watching;
		viewer->watching = false;
		owed = owed || viewer->owed;
	}
	if (watched && (cause == END_APP_STOP || cause == END_APP_CLOSED))
		check_fail("I11 the last viewer ends it", stream, "somebody still watches");
	if (owed != event->stream_closed.told_owed)
		check_fail("I6 one end for each beginning", stream, "its end is %s",
			   owed ? "not owed" : "owed, and nobody is there");
}

/* What they hear ------------------------------------------------------------------------------- */

void checks_app_watches(const struct client_app *app, bool on)
{
	struct check_app *mine = check_app(app);

	mine->excuses++;
	if (on)
		mine->watched_ms = sim_now(checks.sim);
}

/* It is shown something.  After its end only who has joined once more may be. */
static void goes_on(struct check_stream *stream, struct check_viewer *viewer,
		    const struct client_app *app, const struct telling *telling)
{
	if (check_app(app)->watched_ms == NEVER)
		check_fail("I7 nobody is shown what he did not ask for", stream, "%.*s",
			   (int)telling->word.length, telling->word.bytes);
	if (!viewer->begun)
		viewer->begins++;
	if (viewer->ended && telling->socket == viewer->ended_socket &&
	    viewer->begins > viewer->joins)
		check_fail("I6 one end for each beginning", stream, "%.*s after it",
			   (int)telling->word.length, telling->word.bytes);
	if (stream->phase == PHASE_CLOSED)
		SIM_SOMETIMES(checks.sim, "a word of a managed stream arrives after its end");
	viewer->begun = true;
	viewer->ended = false;
}

/* It is told again: excused on another socket while nobody knows of the first telling, or by a
 * request or a stop of its own.
 */
static void look_at_repeat(const struct check_stream *stream, const struct check_viewer *viewer,
			   const struct client_app *app, const struct telling *telling)
{
	struct check_app *mine = check_app(app);
	bool calm = sim_calm_since(checks.sim) <= viewer->ended_ms;
	int64_t known_ms = viewer->told_ms + SLACK_MS + (calm ? 0 : LATE_MAX_MS);

	if (mine->excuses > 0) {
		mine->excuses--;
		return;
	}
	if (viewer->refused && sim_calm_since(checks.sim) > viewer->ended_ms - LATE_MAX_MS)
		return; /* its stop was heard by two lives, or twice by one */
	if (telling->socket == viewer->ended_socket ||
	    (viewer->told_ms != NEVER && sim_now(checks.sim) > known_ms))
		check_fail("I6 one end for each beginning", stream, "told again: %.*s",
			   (int)telling->word.length, telling->word.bytes);
	SIM_SOMETIMES(checks.sim, "a viewer is told of the end again on another socket");
}

static void ends(struct check_stream *stream, struct check_viewer *viewer,
		 const struct client_app *app, const struct telling *telling)
{
	struct check_app *mine = check_app(app);

	if (viewer->ended)
		look_at_repeat(stream, viewer, app, telling);
	else if (!viewer->begun)
		SIM_SOMETIMES(checks.sim, "the end is the first that a viewer hears");
	if (stream->phase != PHASE_CLOSED && viewer->watching && mine->excuses == 0)
		check_fail("I4 acknowledged is durable", stream, "told of an end that is none");
	if (stream->phase != PHASE_CLOSED && !viewer->watching && mine->excuses > 0)
		mine->excuses--;
	viewer->refused = !viewer->begun;
	viewer->begun = viewer->must_hear = false;
	viewer->ended = true;
	viewer->ended_ms = sim_now(checks.sim);
	viewer->ended_socket = telling->socket;
}

void checks_app_shown(const struct client_app *app, const struct telling *telling)
{
	struct check_stream *stream = check_stream_find(telling->stream_id);
	struct check_viewer *viewer;

	if (!stream || stream->person != app->person || stream->kind != KIND_MANAGED) {
		check_fail("I4 acknowledged is durable", stream,
			   "a status of a managed stream that is not this user's");
		return;
	}
	viewer = &stream->viewers[app - app->person->apps];
	text_put(telling->word, viewer->word, sizeof viewer->word);
	viewer->heard_ms = sim_now(checks.sim);
	if (text_is(telling->word, "stopped") || text_is(telling->word, "error"))
		ends(stream, viewer, app, telling);
	else
		goes_on(stream, viewer, app, telling);
}

/* Bounds --------------------------------------------------------------------------------------- */

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* I6: who had his socket when he was owed the end, and has it still, hears of it; the registry
 * hears that he did.
 */
static void look_at_end(const struct check_stream *stream, const struct check_viewer *viewer,
			int64_t now_ms)
{
	const struct client_app *app = viewer_app(stream, viewer);
	int64_t since_ms = later_of(viewer->owed_ms, sim_calm_since(checks.sim));
	int64_t accepted_ms = check_app(app)->accepted_ms;

	if (!check_app_reachable(app))
		return;
	if (viewer->must_hear && app->socket != 0 && app->socket == viewer->owed_socket &&
	    now_ms - since_ms > RECONCILE_BOUND_MS + SLACK_MS)
		check_fail("I6 one end for each beginning", stream, "%s of %s was never told",
			   sim_packages[app->package].name, app->person->name);
	if (viewer->owed && accepted_ms != NEVER &&
	    now_ms - later_of(since_ms, accepted_ms) > RECONCILE_BOUND_MS + SLACK_MS)
		check_fail("I6 nothing is owed for ever", stream,
			   "%s of %s is there, the end is still owed",
			   sim_packages[app->package].name, app->person->name);
}

/* I7, and I11 of joins: who watches hears the last word, or something newer. */
static void look_at_word(const struct check_stream *stream, const struct check_viewer *viewer,
			 int64_t now_ms)
{
	const struct client_app *app = viewer_app(stream, viewer);
	int64_t since_ms = later_of(viewer->due_ms, sim_calm_since(checks.sim));
	int64_t accepted_ms = check_app(app)->accepted_ms;

	if (now_ms - since_ms <= RECONCILE_BOUND_MS + SLACK_MS || accepted_ms == NEVER ||
	    accepted_ms > viewer->due_ms - SLACK_MS || !check_app_reachable(app))
		return;
	/* An answer is due on the socket that asked; on a later one it may come. */
	if (!viewer->due_word && check_app(app)->watched_ms < accepted_ms)
		return;
	if (viewer->heard_ms < viewer->due_ms &&
	    !(viewer->due_word && text_is(text_of(viewer->due_word), viewer->word)))
		check_fail("I7 a viewer hears the last word", stream, "%s of %s: '%s', due '%s'",
			   sim_packages[app->package].name, app->person->name, viewer->word,
			   viewer->due_word ? viewer->due_word : "any");
}

void check_viewers(struct check_stream *stream, int64_t now_ms)
{
	if (sim_calm_since(checks.sim) == INT64_MAX)
		return;
	for (unsigned i = 0; i < PERSON_APPS_MAX; i++) {
		const struct check_viewer *viewer = &stream->viewers[i];

		if (viewer->owed || viewer->must_hear)
			look_at_end(stream, viewer, now_ms);
		else if (viewer->watching && stream->made_ms != NEVER)
			look_at_word(stream, viewer, now_ms);
	}
}

/* What has an end or can have none any more is looked at no longer. */
bool check_viewers_settled(const struct check_stream *stream)
{
	for (unsigned i = 0; i < PERSON_APPS_MAX; i++) {
		const struct check_viewer *viewer = &stream->viewers[i];

		if (viewer->owed || (viewer->must_hear && viewer->owed_socket != 0 &&
				     viewer_app(stream, viewer)->socket == viewer->owed_socket))
			return false;
	}
	return true;
}
