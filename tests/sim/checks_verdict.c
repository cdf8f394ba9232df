/* SPDX-License-Identifier: MIT */
/* Verdicts: whether an end that weir has decided upon was right, and not too early. */
#include "actors/lifecycle-scheduler/scheduler_core.h"
#include "tests/sim/checks_internal.h"

/* Both kinds have the same times. */
static const struct scheduler_kind *kind(void)
{
	return &scheduler_defaults.kinds[KIND_UNMANAGED];
}

static bool is_silence(enum end_cause cause)
{
	return cause == END_ACKS_MISSED || cause == END_PHONE_LOST || cause == END_GLASSES_LOST ||
	       cause == END_GATEWAY_LOST;
}

static bool is_stuck(enum end_cause cause)
{
	return cause == END_NEVER_STARTED || cause == END_STALLED;
}

/* How much older than its commit a verdict may be: nothing to speak of if all has been calm, else
 * as long as a link may be clogged, or a process that it passes may stand still.
 */
static int64_t late_ms(int64_t now_ms)
{
	const int64_t since_ms = now_ms - CLOG_MAX_MS;

	if (sim_calm_since(checks.sim) < now_ms - DRAINED_MS)
		return 0;
	return sim_awake_since(checks.sim, SIM_REGISTRY) < since_ms &&
			       sim_awake_since(checks.sim, SIM_SCHEDULER) < since_ms
		       ? CLOG_MAX_MS
		       : LATE_MAX_MS;
}

/* From when on everything must have been well for a verdict at @now_ms that looks back @back_ms. */
static int64_t well_since(int64_t now_ms, int64_t back_ms)
{
	return now_ms - back_ms - SLACK_MS - late_ms(now_ms);
}

/* I9, promise 6: no verdict while blind.
 *
 * A device is innocent of a silence if for the whole time in which weir counted misses
 *   - its phone's newest socket was open and had its connection_ack,
 *   - it streamed the stream in question without a reconnection of its own,
 *   - it answered each probe that it heard at once and with the right ids,
 * and that time is: missed_max - 1 intervals and one ack window before the verdict.
 *
 * Of a stream that never got going it is innocent if all that was so since it began to stream: then
 * it said so into a socket that has been open ever since.  Of the end of its session it is innocent
 * if its socket was open for the whole grace.
 */
static void look_at_innocence(const struct check_stream *stream, int64_t now_ms)
{
	const struct check_person *mine = check_person(stream->person);
	int64_t counted_ms =
		(kind()->missed_max - 1) * kind()->keepalive_interval_ms + kind()->ack_timeout_ms;
	int64_t since_ms = well_since(now_ms, counted_ms);

	if (!(is_silence(stream->cause) || is_stuck(stream->cause)) || mine->up_ms == NEVER ||
	    mine->runs_ms == NEVER ||
	    !text_is(text_of(stream->person->device.stream_id), stream->id))
		return;
	if (is_stuck(stream->cause))
		since_ms = mine->runs_ms < since_ms ? mine->runs_ms : NEVER;
	if (mine->up_ms <= since_ms && mine->runs_ms <= since_ms && mine->guilty_ms < since_ms)
		check_fail("I9 no verdict while blind", stream,
			   "ended as %s: socket up for %lld ms, streaming for %lld ms",
			   words_name(&end_cause_words, stream->cause),
			   (long long)(now_ms - mine->up_ms), (long long)(now_ms - mine->runs_ms));
}

/* Nobody is judged before his time: what a verdict rests on is told after its commit, so these
 * hold whatever our faults are.
 *   - a deadline runs in full from the last event of the stream
 *   - after a status the first miss may come at once, the others at intervals
 */
static void look_at_patience(const struct check_stream *stream, int64_t now_ms)
{
	int64_t passed_ms = now_ms - stream->event_ms;
	int64_t least_ms = kind()->start_deadline_ms;

	if (is_silence(stream->cause)) {
		passed_ms = now_ms - stream->status_ms;
		least_ms = (kind()->missed_max - 1) * kind()->keepalive_interval_ms;
	} else if (!is_stuck(stream->cause)) {
		return;
	}
	if (passed_ms < least_ms)
		check_fail("I9 no verdict before its time", stream, "%s after %lld ms",
			   words_name(&end_cause_words, stream->cause), (long long)passed_ms);
}

/* Each miss is told, and takes an interval: none is made up for a time that nobody saw. */
static void look_at_misses(const struct check_stream *stream)
{
	const struct state_stream *record = state_stream_find(&checks.replay, text_of(stream->id));

	if (record && is_silence(stream->cause) && stream->missed != record->missed + 1)
		check_fail("I9 no verdict while blind", stream,
			   "%llu misses, of which %llu are known",
			   (unsigned long long)stream->missed, (unsigned long long)record->missed);
}

void check_verdict(const struct check_stream *stream, int64_t now_ms)
{
	bool by_device = stream->cause >= END_DEVICE_STOPPED && stream->cause <= END_DEVICE_TIMEOUT;

	if (by_device && !stream->said_end)
		check_fail("I2 only its own device ends a stream", stream,
			   "ended as %s, and its device has not said so",
			   words_name(&end_cause_words, stream->cause));
	look_at_misses(stream);
	look_at_innocence(stream, now_ms);
	look_at_patience(stream, now_ms);
}

/* A session ends when its grace is over, not before, and not for a phone that is there. */
void check_session_ending(const struct stream_event *event, int64_t now_ms)
{
	const struct person *person = check_person_find(event->user_id);
	int64_t grace_ms = scheduler_defaults.session_grace_ms;
	const struct check_person *mine;

	if (!person)
		return;
	mine = check_person(person);
	if (now_ms - mine->down_ms < grace_ms)
		check_fail("I9 no verdict before its time", (struct check_stream *)NULL,
			   "the session of %s ends after %lld ms", person->name,
			   (long long)(now_ms - mine->down_ms));
	if (mine->up_ms != NEVER && mine->up_ms <= well_since(now_ms, grace_ms))
		check_fail("I9 no verdict while blind", (struct check_stream *)NULL,
			   "the session of %s ends, whose phone is up for %lld ms", person->name,
			   (long long)(now_ms - mine->up_ms));
}

/* An app is given up when its grace is over, not before, and not while it is there. */
void check_app_changed(const struct stream_event *event, int64_t now_ms)
{
	const struct person *person = check_person_find(event->user_id);
	int64_t grace_ms = scheduler_defaults.app_grace_ms;
	struct client_app *app =
		person ? app_find(&people.persons[person->index], event->app_changed.package)
		       : NULL;
	struct check_app *mine;

	if (!app)
		return;
	mine = check_app(app);
	if (event->app_changed.state == APP_RUNNING)
		check_app_running(app, event);
	if (event->app_changed.state == APP_GRACE)
		mine->grace_ms = now_ms;
	if (event->app_changed.state != APP_RESURRECTING)
		return;
	if (now_ms - mine->grace_ms < grace_ms)
		check_fail("I9 no verdict before its time", (struct check_stream *)NULL,
			   "%s of %s is given up after %lld ms", sim_packages[app->package].name,
			   person->name, (long long)(now_ms - mine->grace_ms));
	if (mine->accepted_ms != NEVER && mine->accepted_ms <= well_since(now_ms, grace_ms))
		check_fail("I9 no verdict while blind", (struct check_stream *)NULL,
			   "%s of %s is given up, and is there for %lld ms",
			   sim_packages[app->package].name, person->name,
			   (long long)(now_ms - mine->accepted_ms));
}

/* What a gateway holds that is given up has to come anew. */
void check_gateway_changed(const struct stream_event *event)
{
	if (event->gateway_changed.state != LINK_DOWN)
		return;
	for (unsigned i = 0; i < people.count; i++) {
		const struct person *person = &people.persons[i];
		const struct state_user *user = state_user_find(&checks.replay, person->id);
		struct check_person *mine = check_person(person);

		if (mine->socket.gateway == event->gateway_changed.gateway)
			mine->up_ms = NEVER;
		for (unsigned k = 0; user && k < person->app_count; k++) {
			const char *package = sim_packages[person->apps[k].package].name;
			const struct state_app *app =
				state_app_find(&checks.replay, user, text_of(package));

			if (app && app->gateway == event->gateway_changed.gateway)
				check_app(&person->apps[k])->accepted_ms = NEVER;
		}
	}
}

/* L6: a device that answers is live, and not suspected for what it missed before. */
void check_suspect(const struct check_stream *stream, int64_t now_ms)
{
	const struct check_person *mine = check_person(stream->person);
	int64_t since_ms = now_ms - 2 * kind()->keepalive_interval_ms - SLACK_MS;

	if (stream->phase == PHASE_SUSPECT && mine->up_ms != NEVER && mine->up_ms < since_ms &&
	    mine->runs_ms != NEVER && mine->runs_ms < since_ms && mine->guilty_ms < since_ms &&
	    sim_calm_since(checks.sim) < since_ms && stream->person->phone.ble &&
	    text_is(text_of(stream->person->device.stream_id), stream->id))
		check_fail("L6 who answers is live", stream, "it is suspect for %lld ms",
			   (long long)(now_ms - stream->status_ms));
}
