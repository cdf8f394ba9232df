/* SPDX-License-Identifier: MIT */
/* What apps are told, and whether they are answered. */
#include "tests/sim/checks_internal.h"

#include <string.h>

/* Sockets -------------------------------------------------------------------------------------- */

/* Another socket of its own has taken the place of its newest one. */
static void displace(struct check_app *mine)
{
	SIM_SOMETIMES(checks.sim, "an older socket displaces the newest of an app");
	mine->accepted_ms = NEVER;
	mine->asked_count = 0;
}

static const struct state_app *known_app(const struct client_app *app)
{
	const struct state_user *user = state_user_find(&checks.replay, app->person->id);

	return user ? state_app_find(&checks.replay, user, text_of(sim_packages[app->package].name))
		    : NULL;
}

void checks_app_accepted(const struct client_app *app)
{
	const struct state_app *known = known_app(app);
	struct check_app *mine = check_app(app);

	mine->accepted_ms = sim_now(checks.sim);
	mine->socket = check_link(app->socket);
	/* An app with two sockets may speak on the older one, where nothing is said to it (D16). */
	if (known && known->link != 0 &&
	    (known->link != mine->socket.link || known->gateway != mine->socket.gateway))
		displace(mine);
}

void check_app_running(const struct client_app *app, const struct stream_event *event)
{
	struct check_app *mine = check_app(app);

	if (mine->accepted_ms != NEVER && event->app_changed.link != 0 &&
	    (event->app_changed.link != mine->socket.link ||
	     event->app_changed.gateway != mine->socket.gateway))
		displace(mine);
}

void checks_app_lost(const struct client_app *app)
{
	struct check_app *mine = check_app(app);

	mine->accepted_ms = NEVER;
	mine->asked_count = 0;
	mine->excuses = 0;
}

/* Requests ------------------------------------------------------------------------------------- */

/* What is at @last is answered.  A gateway works off the requests of an app one by one, so that
 * ends those before; but requests to watch are waited for beside the line.
 */
static void drop(struct check_app *mine, unsigned last)
{
	const struct check_asked answered = mine->asked[last];
	bool beside = answered.expected == ANSWER_MANAGED;
	unsigned kept = 0;

	for (unsigned i = 0; i < mine->asked_count; i++) {
		bool before = i < last && !beside && mine->asked[i].expected != ANSWER_MANAGED;

		if (i != last && !before)
			mine->asked[kept++] = mine->asked[i];
	}
	mine->asked_count = kept;
	mine->turn_ms = sim_now(checks.sim);
}

/* One more request to watch is answered with the one that still waits, as far as its gateway knows.
 */
static bool may_be_merged(struct check_app *mine, enum answer expected)
{
	bool soon = sim_now(checks.sim) - mine->asked_ms <= WATCH_BOUND_MS;

	if (expected != ANSWER_MANAGED)
		return false;
	mine->asked_ms = sim_now(checks.sim);
	return soon;
}

void checks_app_asked(const struct client_app *app, enum answer expected)
{
	struct check_app *mine = check_app(app);
	int64_t now_ms = sim_now(checks.sim);
	unsigned done = 0;

	if (may_be_merged(mine, expected))
		return;
	if (mine->accepted_ms == NEVER)
		return; /* it speaks on the older of two sockets, where nothing is said to it (D16)
			 */
	/* Of a stop nothing is heard; by then it is done, or has been given up. */
	while (done < mine->asked_count && mine->asked[done].expected == ANSWER_NONE &&
	       sim_now(checks.sim) - mine->asked[done].asked_ms > (done + 1) * REQUEST_TURN_MS)
		done++;
	if (done > 0 || mine->asked_count == CHECK_ASKED_MAX)
		drop(mine, done > 0 ? done - 1 : 0);
	mine->asked[mine->asked_count++] = (struct check_asked){ .expected = expected,
								 .asked_ms = now_ms,
								 .opened_ms = NEVER };
}

void checks_app_answered(const struct client_app *app, enum answer answer)
{
	struct check_app *mine = check_app(app);

	if (answer == ANSWER_ERROR || answer == ANSWER_CLOSE) {
		mine->asked_count = 0;
		return;
	}
	for (unsigned i = 0; i < mine->asked_count; i++)
		if (mine->asked[i].expected == answer &&
		    (answer == ANSWER_CHECK || mine->asked[i].opened_ms != NEVER)) {
			drop(mine, i);
			return;
		}
}

void check_app_opened(const struct client_app *app, enum answer expected)
{
	struct check_app *mine = check_app(app);

	for (unsigned i = 0; i < mine->asked_count; i++)
		if (mine->asked[i].expected == expected && mine->asked[i].opened_ms == NEVER) {
			mine->asked[i].opened_ms = sim_now(checks.sim);
			return;
		}
}

static int64_t turn_ms(const struct check_asked *asked)
{
	return asked->expected == ANSWER_MANAGED ? WATCH_BOUND_MS : REQUEST_TURN_MS;
}

/* I11: there was something to join when it asked, and nothing of ours or of the provider's is in
 * the way of telling it so.
 */
static bool joins_in_vain(const struct client_app *app, const struct check_asked *asked,
			  int64_t now_ms)
{
	const struct check_stream *live = check_person(app->person)->live;

	return asked->expected == ANSWER_MANAGED && live && live->kind == KIND_MANAGED &&
	       live->made_ms != NEVER && live->made_ms < asked->asked_ms - SLACK_MS &&
	       sim_calm_since(checks.sim) < asked->asked_ms - DRAINED_MS &&
	       now_ms - asked->asked_ms > REQUEST_BOUND_MS + SLACK_MS;
}

/* L5.  The n-th request in line has n turns of the gateway's patience, if the gateway lived; one
 * that has led to a stream is answered as soon as the adapter is calm enough to say so.
 */
static void look_at_asked(const struct client_app *app, int64_t now_ms)
{
	struct check_app *mine = check_app(app);
	int64_t awake_ms =
		sim_awake_since(checks.sim, (enum sim_process)(SIM_GATEWAY + app->gateway));
	int64_t calm_ms = sim_calm_since(checks.sim);

	int64_t turns_ms = SLACK_MS;

	for (unsigned i = 0; i < mine->asked_count; i++) {
		const struct check_asked *asked = &mine->asked[i];
		int64_t since_ms =
			asked->asked_ms > mine->turn_ms ? asked->asked_ms : mine->turn_ms;

		turns_ms += turn_ms(asked);
		if (i == 0 && joins_in_vain(app, asked, now_ms))
			check_fail("I11 a join is answered", check_person(app->person)->live,
				   "%s of %s waits for %lld ms", sim_packages[app->package].name,
				   app->person->name, (long long)(now_ms - asked->asked_ms));
		if (asked->opened_ms != NEVER && asked->expected == ANSWER_STATUS) {
			if (calm_ms <= asked->asked_ms &&
			    now_ms - asked->opened_ms > RECONCILE_BOUND_MS + SLACK_MS)
				check_fail("I6 who starts a stream is told",
					   (struct check_stream *)NULL, "%s of %s",
					   sim_packages[app->package].name, app->person->name);
		} else if (asked->expected != ANSWER_NONE && awake_ms <= asked->asked_ms &&
			   now_ms - since_ms > turns_ms) {
			check_fail("L5 a request is answered", (struct check_stream *)NULL,
				   "%s of %s waits for %lld ms", sim_packages[app->package].name,
				   app->person->name, (long long)(now_ms - asked->asked_ms));
		}
	}
}

/* Statuses ------------------------------------------------------------------------------------- */

/* A word after the last one: excused only on another socket, and only while the news of the first
 * telling is on its way to the registry and to the adapter: nobody else knows of it.
 */
static void look_at_repeat(const struct check_stream *stream, const struct telling *telling)
{
	bool calm = sim_calm_since(checks.sim) <= stream->ended_ms;
	int64_t known_ms = stream->told_ms + SLACK_MS + (calm ? 0 : LATE_MAX_MS);

	if (telling->socket == stream->ended_socket ||
	    (stream->told_ms != NEVER && sim_now(checks.sim) > known_ms))
		check_fail("I6 one end for each beginning", stream, "told again: %.*s",
			   (int)telling->word.length, telling->word.bytes);
	SIM_SOMETIMES(checks.sim, "an end is told again on another socket");
}

static bool is_terminal(struct text word)
{
	return text_is(word, "stopped") || text_is(word, "timeout") || text_is(word, "error");
}

void checks_app_told(const struct client_app *app, const struct telling *telling)
{
	struct check_stream *stream = check_stream_find(telling->stream_id);

	if (!stream || stream->owner != app || stream->kind != KIND_UNMANAGED) {
		check_fail("I4 acknowledged is durable", stream,
			   "a status of a stream that is not this app's");
		return;
	}
	if (stream->ended)
		look_at_repeat(stream, telling);
	text_put(telling->word, stream->word, sizeof stream->word);
	if (!is_terminal(telling->word)) {
		if (stream->phase == PHASE_CLOSED)
			SIM_SOMETIMES(checks.sim, "a word of a stream arrives after its end");
		stream->begun = true;
		return;
	}
	if (stream->phase != PHASE_CLOSED)
		check_fail("I4 acknowledged is durable", stream, "told of an end that is none");
	if (!stream->begun)
		SIM_SOMETIMES(checks.sim, "the end is the first that an app hears");
	stream->ended = true;
	stream->ended_ms = sim_now(checks.sim);
	stream->ended_socket = telling->socket;
}

/* The registry owes the end to an owner that it can reach. */
void check_app_closing(struct check_stream *stream, bool reachable)
{
	if (stream->told_owed != reachable)
		check_fail("I6 one end for each beginning", stream,
			   "its owner is %s, the end is %s", reachable ? "there" : "away",
			   stream->told_owed ? "owed" : "not owed");
	if (stream->owner && check_app(stream->owner)->accepted_ms != NEVER)
		stream->closing_socket = stream->owner->socket;
	if (!reachable)
		SIM_SOMETIMES(checks.sim, "a stream ends while its owner is away");
}

/* An app that had its socket when the stream closed and has it still hears of the end, at the
 * latest when the adapter has been calm for as long as it takes to say it again.
 */
void check_app_end(const struct check_stream *stream, int64_t now_ms)
{
	const struct client_app *app = stream->owner;
	int64_t since_ms = sim_calm_since(checks.sim);

	if (!stream->was_told_owed || stream->ended || !app || app->socket == 0 ||
	    app->socket != stream->closing_socket || since_ms == INT64_MAX ||
	    !check_reachable(stream))
		return;
	since_ms = stream->closed_ms > since_ms ? stream->closed_ms : since_ms;
	if (now_ms - since_ms > RECONCILE_BOUND_MS + SLACK_MS)
		check_fail("I6 one end for each beginning", stream, "its owner was never told");
}

/* An app that was there when the device last said something has heard the word for it, at the
 * latest when the adapter has been calm for as long as it takes to say it again.
 */
void check_app_word(const struct check_stream *stream, int64_t now_ms)
{
	int64_t since_ms = sim_calm_since(checks.sim), accepted_ms;

	if (!stream->owner || since_ms == INT64_MAX || !check_reachable(stream))
		return;
	accepted_ms = check_app(stream->owner)->accepted_ms;
	since_ms = stream->due_ms > since_ms ? stream->due_ms : since_ms;
	if (accepted_ms == NEVER || accepted_ms > stream->due_ms - SLACK_MS ||
	    now_ms - since_ms <= RECONCILE_BOUND_MS + SLACK_MS)
		return;
	if (!text_is(text_of(stream->due_word), stream->word))
		check_fail("I7 an app hears the last word", stream, "'%s' instead of '%s'",
			   stream->word, stream->due_word);
}

void check_app_bounds(int64_t now_ms)
{
	for (unsigned i = 0; i < people.count; i++)
		for (unsigned k = 0; k < people.persons[i].app_count; k++)
			look_at_asked(&people.persons[i].apps[k], now_ms);
}

/* Who holds an accepted socket is running for the registry, too. */
void check_apps_healed(void)
{
	for (unsigned i = 0; i < people.count; i++) {
		struct person *person = &people.persons[i];
		const struct state_user *user = state_user_find(&checks.replay, person->id);

		for (unsigned k = 0; k < person->app_count; k++) {
			const struct client_app *app = &person->apps[k];
			const struct state_app *known;

			if (!app->accepted ||
			    sim_now(checks.sim) - check_app(app)->accepted_ms < REQUEST_BOUND_MS)
				continue;
			known = state_app_find(&checks.replay, user,
					       text_of(sim_packages[app->package].name));
			if (!known || known->state == APP_STOPPED || known->link == 0)
				check_fail("L4 what is open is known", (struct check_stream *)NULL,
					   "%s of %s has a socket, the registry has none",
					   sim_packages[app->package].name, person->name);
		}
	}
}
