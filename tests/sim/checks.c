/* SPDX-License-Identifier: MIT */
/* Goal: what reliability.md section 1 promises, looked at from outside.
 * Method: the committed story is replayed into a state of our own, and into a list of streams that
 * devices and apps add to.  Each event, each word heard and each second is held against them.
 */
#include "tests/sim/checks_internal.h"

#include <stdlib.h>
#include <string.h>

#include "actors/registry/registry_core.h"
#include "proto/stream_event_table.h"
#include "tests/lib/state_audit.h"

#define LOOK_MS 1000
#define AUDIT_STEPS 256 /* between two full looks at the registry's tables */

static const struct state_options replay_options = { .users_max = 64,
						     .apps_max = 512,
						     .streams_max = 4096,
						     .text_bytes = 8u << 20,
						     .remember_apps = true };

struct checks checks;

struct check_person *check_person(const struct person *person)
{
	return &checks.persons[person->index];
}

struct check_app *check_app(const struct client_app *app)
{
	return &checks.apps[app->person->index][app - app->person->apps];
}

/* From the newest: what is asked for is rarely old. */
struct check_stream *check_stream_find(struct text id)
{
	for (unsigned i = checks.stream_count; i-- > 0;)
		if (text_is(id, checks.streams[i].id))
			return &checks.streams[i];
	return NULL;
}

const struct person *check_person_find(struct text user)
{
	for (unsigned i = 0; i < people.count; i++)
		if (text_equal(people.persons[i].id, user))
			return &people.persons[i];
	return NULL;
}

/* The story ------------------------------------------------------------------------------------ */

/* I5: a request is carried out once, however often it is asked. */
static void look_at_request(const struct check_stream *stream)
{
	for (unsigned i = checks.stream_count - 1; i-- > 0 && stream->request != 0;)
		if (checks.streams[i].request == stream->request &&
		    checks.streams[i].origin == stream->origin)
			check_fail("I5 a request has one effect", stream, "%s came of it already",
				   checks.streams[i].id);
}

static void on_opened(const struct stream_event *event)
{
	const struct person *person = check_person_find(event->user_id);
	struct check_stream *stream = &checks.streams[checks.stream_count];
	struct check_person *mine;

	if (!person || checks.stream_count == CHECK_STREAMS_MAX) {
		check_fail("model", (struct check_stream *)NULL, "a stream of nobody, or too many");
		return;
	}
	mine = check_person(person);
	checks.stream_count++;
	*stream = (struct check_stream){
		.epoch = event->epoch,
		.stream_seq = event->stream_seq,
		.origin = event->origin,
		.request = event->request,
		.person = person,
		.owner = app_find(&people.persons[person->index], event->stream_opened.package),
		.kind = (enum kind)event->stream_opened.kind,
		.phase = PHASE_REQUESTED,
		.opened_ms = sim_now(checks.sim),
		.event_ms = sim_now(checks.sim),
		.closed_ms = NEVER,
		.sign_ms = NEVER,
		.link_ms = NEVER,
		.status_ms = NEVER,
		.ended_ms = NEVER,
		.told_ms = NEVER,
		.made_ms = NEVER,
		.due_word = phase_app_word(PHASE_REQUESTED),
		.due_ms = sim_now(checks.sim),
	};
	text_put(event->stream_id, stream->id, sizeof stream->id);
	look_at_request(stream);
	if (mine->live)
		check_fail("I1 one live stream", stream, "%s has not ended", mine->live->id);
	if (event->epoch <= checks.epoch)
		check_fail("I2 epochs grow", stream, "epoch %llu after %llu",
			   (unsigned long long)event->epoch, (unsigned long long)checks.epoch);
	if (event->stream_seq != 1)
		check_fail("I13 stream_seq is dense", stream, "begins with %llu",
			   (unsigned long long)event->stream_seq);
	checks.epoch = event->epoch;
	mine->live = stream;
	if (stream->kind == KIND_MANAGED)
		check_managed_opened(stream);
	else if (stream->owner)
		check_app_opened(stream->owner, ANSWER_STATUS);
}

bool check_app_reachable(const struct client_app *app)
{
	const struct state_user *user = state_user_find(&checks.replay, app->person->id);
	const struct state_app *known = NULL;

	if (user)
		known = state_app_find(&checks.replay, user,
				       text_of(sim_packages[app->package].name));
	return known && state_app_reachable(&checks.replay, known);
}

bool check_reachable(const struct check_stream *stream)
{
	return stream->owner && check_app_reachable(stream->owner);
}

static void on_closed(struct check_stream *stream, const struct stream_event *event)
{
	int64_t now_ms = sim_now(checks.sim);

	stream->phase = PHASE_CLOSED;
	stream->cause = (enum end_cause)event->stream_closed.end_cause;
	stream->closed_ms = now_ms;
	stream->missed = event->stream_closed.missed;
	stream->stop_owed = event->stream_closed.stop_owed;
	stream->told_owed = stream->was_told_owed = event->stream_closed.told_owed;
	check_person(stream->person)->live = NULL;
	check_person(stream->person)->ended_ms = now_ms;
	check_person(stream->person)->stops = stream->stop_owed;
	if (stream->cause == END_NONE || event->stream_closed.hop == HOP_NONE)
		check_fail("I12 an end has a cause", stream, "cause %u", stream->cause);
	stream->input_owed = event->stream_closed.input_owed;
	if (stream->kind == KIND_MANAGED) {
		stream->told_owed = false; /* each of its viewers has his own */
		check_managed_closed(stream, event);
	} else {
		check_app_closing(stream, check_reachable(stream));
	}
	check_verdict(stream, now_ms);
}

static void on_status(struct check_stream *stream, const struct stream_event *event)
{
	stream->phase = (enum phase)event->stream_status.phase;
	stream->status_ms = sim_now(checks.sim);
	if (event->stream_status.status == DEVICE_NONE)
		return; /* a sign of life, no word */
	stream->due_word = phase_app_word(stream->phase);
	stream->due_ms = stream->status_ms;
	for (unsigned i = 0; i < PERSON_APPS_MAX; i++) {
		stream->viewers[i].due_word = stream->due_word;
		stream->viewers[i].due_ms = stream->due_ms;
	}
}

static void on_told(struct check_stream *stream, enum outcome outcome)
{
	stream->told_owed = false;
	stream->told_ms = sim_now(checks.sim);
	if (outcome == OUTCOME_GIVEN_UP)
		stream->was_told_owed = false; /* it has waited for as long as it may */
}

/* What the deadlines of its phase are counted from. */
static bool is_activity(const struct stream_event *event)
{
	return event->type == EVENT_STREAM_STATUS || event->type == EVENT_STREAM_MOVED;
}

static void on_stream(const struct stream_event *event)
{
	struct check_stream *stream = check_stream_find(event->stream_id);

	if (!stream) {
		check_fail("I13 the story has no gap", (struct check_stream *)NULL,
			   "an event of a stream that was never opened");
		return;
	}
	if (event->epoch != stream->epoch || event->stream_seq != stream->stream_seq + 1)
		check_fail("I13 stream_seq is dense", stream, "%llu after %llu",
			   (unsigned long long)event->stream_seq,
			   (unsigned long long)stream->stream_seq);
	stream->stream_seq = event->stream_seq;
	if (event->type == EVENT_STREAM_STATUS)
		on_status(stream, event);
	else if (event->type == EVENT_STREAM_MOVED)
		stream->phase = (enum phase)event->stream_moved.phase;
	else if (event->type == EVENT_STREAM_CLOSED)
		on_closed(stream, event);
	else if (stream->kind == KIND_MANAGED && event->type != EVENT_STREAM_STOP_SETTLED)
		check_managed_story(stream, event);
	else if (event->type == EVENT_STREAM_TOLD)
		on_told(stream, (enum outcome)event->stream_told.outcome);
	else if (event->type == EVENT_STREAM_STOP_SETTLED)
		stream->stop_owed = false;
	if (is_activity(event))
		stream->event_ms = sim_now(checks.sim);
}

static void on_link(const struct stream_event *event)
{
	const struct person *person = check_person_find(event->user_id);
	struct check_person *mine;

	if (!person)
		return;
	mine = check_person(person);
	if (event->link_changed.state == LINK_DOWN)
		mine->down_ms = sim_now(checks.sim);
	else if (mine->up_ms != NEVER &&
		 check_displaces(person, event->link_changed.gateway, event->link_changed.link,
				 event->link_changed.opened_ms)) {
		SIM_SOMETIMES(checks.sim,
			      "another socket of a user takes the place of its phone's");
		mine->displaced = true;
		mine->up_ms = NEVER;
	}
	if (mine->live)
		mine->live->link_ms = sim_now(checks.sim);
}

/* What ran by the record that was lost cannot be restarted: it ends in the same commit. */
static void on_rebuilt(const struct stream_event *event)
{
	const struct person *person = check_person_find(event->user_id);
	const struct state_user *user = state_user_find(&checks.replay, event->user_id);
	const struct state_stream *active = user ? state_active(&checks.replay, user) : NULL;

	checks.must_end = active ? check_stream_find(state_text(&checks.replay, active->id)) : NULL;
	SIM_SOMETIMES(checks.sim, "a user is rebuilt from the history");
	if (person && checks.must_end)
		SIM_SOMETIMES(checks.sim, "a stream whose record was lost");
}

static void on_story(void *context, const struct stream_event *event)
{
	(void)context;
	if (event->seq != checks.seq + 1)
		check_fail("I13 seq is dense", (struct check_stream *)NULL, "%llu after %llu",
			   (unsigned long long)event->seq, (unsigned long long)checks.seq);
	checks.seq = event->seq;
	checks.story_ms = sim_now(checks.sim);
	check_places(event);
	check_places_managed(event);
	if (event->type == EVENT_STREAM_OPENED)
		on_opened(event);
	else if (event->type >= EVENT_STREAM_STATUS && event->type <= EVENT_STREAM_INPUT_SETTLED)
		on_stream(event);
	else if (event->type == EVENT_RECORD_REBUILT)
		on_rebuilt(event);
	else if (event->type == EVENT_LINK_CHANGED)
		on_link(event);
	else if (event->type == EVENT_SESSION_ENDING)
		check_session_ending(event, sim_now(checks.sim));
	else if (event->type == EVENT_GATEWAY_CHANGED)
		check_gateway_changed(event);
	else if (event->type == EVENT_APP_CHANGED)
		check_app_changed(event, sim_now(checks.sim));
	state_settle(&checks.replay);
	if (state_apply(&checks.replay, event) != 0)
		check_fail("I12 the story replays", (struct check_stream *)NULL,
			   "%s (seq %llu) changes nothing",
			   stream_event_schema((uint64_t)event->type)->name,
			   (unsigned long long)event->seq);
}

/* Whatever is answered has been committed before: it is in the list, or it never was. */
static void on_answered(void *context, const struct stream_event *result)
{
	const struct check_stream *stream;

	(void)context;
	if (result->type != EVENT_STREAM_RESULT || result->stream_result.result != RESULT_OK)
		return;
	stream = check_stream_find(result->stream_id);
	if (!stream || stream->epoch != result->epoch)
		check_fail("I4 acknowledged is durable", stream,
			   "an answer names a stream that the story does not have");
}

static void begin_replay(void)
{
	memset(checks.replay_memory, 0, state_bytes(&replay_options));
	state_init(&checks.replay, &replay_options, checks.replay_memory);
}

static void copy_user(const struct state *state, const struct state_user *user)
{
	struct state_record record;
	struct stream_event row;

	state_record_begin(state, user, &record);
	while (state_record_next(state, &record, &row))
		(void)state_apply(&checks.replay, &row);
}

/* From here on the truth is what was made of the history: it lacks the secrets. */
static void take_over(const struct state *state)
{
	struct stream_event row;

	begin_replay();
	if (state_mark_row(state, &row))
		(void)state_apply(&checks.replay, &row);
	for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
		if (state->gateways[i].incarnation == 0)
			continue;
		state_gateway_row(&state->gateways[i], &row);
		(void)state_apply(&checks.replay, &row);
	}
	for (uint32_t slot = 0; slot < state->users_fresh; slot++)
		if (state->users[slot].used)
			copy_user(state, &state->users[slot]);
	state_settle(&checks.replay);
}

/* What the loss of a record may not touch: that of everybody else, and of this user that a stream
 * was there, so that it can be ended.
 */
static void look_at_damage(const struct state *state, enum bucket bucket)
{
	for (unsigned i = 0; i < checks.stream_count; i++) {
		const struct check_stream *stream = &checks.streams[i];
		const struct state_stream *was =
			state_stream_find(&checks.replay, text_of(stream->id));
		const struct state_stream *is = state_stream_find(state, text_of(stream->id));

		if (!was)
			continue;
		if (!is || is->phase != was->phase || is->epoch != was->epoch ||
		    is->stream_seq != was->stream_seq || is->told_owed != was->told_owed ||
		    is->stop_owed != was->stop_owed || is->input_owed != was->input_owed)
			check_fail("I4 the store is the story", stream,
				   "a damaged record (%s) has taken it away",
				   words_name(&bucket_words, bucket));
	}
	switch (bucket) {
	case BUCKET_USER:
		SIM_SOMETIMES(checks.sim, "a user's record is damaged");
		break;
	case BUCKET_GATEWAY:
		SIM_SOMETIMES(checks.sim, "a gateway's record is damaged");
		break;
	case BUCKET_PEER:
		SIM_SOMETIMES(checks.sim, "a peer's mark is damaged");
		break;
	default:
		SIM_SOMETIMES(checks.sim, "the deployment's mark is damaged");
		break;
	}
}

static void on_damaged(void *context, enum bucket bucket)
{
	(void)context;
	checks.damaged = bucket;
}

/* A new life of the registry knows what was committed, no less and no more. */
static void on_loaded(void *context, const struct state *state)
{
	(void)context;
	if (checks.damaged != BUCKET_NONE) {
		look_at_damage(state, checks.damaged);
		take_over(state);
		checks.damaged = BUCKET_NONE;
	}
	if (state_hash(state) != state_hash(&checks.replay))
		check_fail("I4 the store is the story", (struct check_stream *)NULL,
			   "what was loaded is not what was committed up to seq %llu",
			   (unsigned long long)checks.seq);
	SIM_SOMETIMES(checks.sim, "registry begins anew");
	if (state->active_count > 0)
		SIM_SOMETIMES(checks.sim, "registry begins anew with a live stream");
	if (state->streams_count > state->active_count)
		SIM_SOMETIMES(checks.sim, "registry begins anew with something owed");
}

static void on_stepped(void *context)
{
	const struct registry *registry = sim_registry(checks.sim);
	const struct state *truth = sim_truth(checks.sim);
	int64_t now_ms = sim_now(checks.sim);
	const char *wrong;

	(void)context;
	if (checks.must_end && checks.must_end->cause != END_RECORD_LOST)
		check_fail("L2 nothing is stuck", checks.must_end, "its record was lost");
	checks.must_end = NULL;
	if (registry && registry->seq < checks.seq)
		check_fail("I4 acknowledged is durable", (struct check_stream *)NULL,
			   "the registry is at seq %llu, the story at %llu",
			   (unsigned long long)registry->seq, (unsigned long long)checks.seq);
	if (++checks.steps % AUDIT_STEPS == 0 && truth) {
		wrong = state_audit(truth, true);
		if (wrong)
			check_fail("I1 the tables agree", (struct check_stream *)NULL, "%s", wrong);
	}
	check_timers();
	if (now_ms - checks.looked_ms < LOOK_MS)
		return;
	checks.looked_ms = now_ms;
	check_bounds(now_ms);
	check_app_bounds(now_ms);
	check_inputs(now_ms);
}

static void on_called(void *context, const struct stream_event *call)
{
	(void)context;
	check_called(call);
}

static void on_input_made(void *context, const struct sim_input *input)
{
	(void)context;
	check_input_made(input);
}

static void on_input_deleted(void *context, const struct sim_input *input)
{
	(void)context;
	check_input_deleted(input);
}

static void on_probed(void *context, uint64_t life, struct text stream_id)
{
	(void)context;
	check_probed(life, stream_id);
}

static void on_quiet(void *context)
{
	(void)context;
	check_quiet();
}

static void on_healed(void *context)
{
	(void)context;
	check_bounds(sim_now(checks.sim));
	check_app_bounds(sim_now(checks.sim));
	check_apps_healed();
	check_healed();
}

static void remember_nothing(struct sim *sim)
{
	struct check_stream *streams = checks.streams;
	void *memory = checks.replay_memory;

	checks = (struct checks){ .sim = sim, .streams = streams, .replay_memory = memory };
	if (!streams)
		checks.streams = calloc(CHECK_STREAMS_MAX, sizeof *streams);
	if (!memory)
		checks.replay_memory = malloc(state_bytes(&replay_options));
	begin_replay();
	for (unsigned i = 0; i < PEOPLE_MAX; i++) {
		checks.persons[i] = (struct check_person){ .up_ms = NEVER,
							   .guilty_ms = NEVER,
							   .runs_ms = NEVER };
		for (unsigned k = 0; k < PERSON_APPS_MAX; k++)
			checks.apps[i][k].accepted_ms = checks.apps[i][k].watched_ms =
				checks.apps[i][k].asked_ms = NEVER;
	}
	checks.looked_ms = sim_now(sim);
}

void sim_checks_init(struct sim *self)
{
	static const struct sim_observer observer = {
		.story = on_story,
		.answered = on_answered,
		.damaged = on_damaged,
		.loaded = on_loaded,
		.stepped = on_stepped,
		.healed = on_healed,
		.quiet = on_quiet,
		.called = on_called,
		.probed = on_probed,
		.input_made = on_input_made,
		.input_deleted = on_input_deleted,
	};

	remember_nothing(self);
	sim_set_observer(self, &observer);
}
