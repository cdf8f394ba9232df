/* SPDX-License-Identifier: MIT */
/* Nothing lives past its bound, nothing is owed for ever, no timer is left over. */
#include "tests/sim/checks_internal.h"

#include "actors/lifecycle-scheduler/scheduler_core.h"
#include "actors/managed-adapter/managed_core.h"
#include "actors/registry/registry_core.h"
#include "actors/unmanaged-adapter/unmanaged_core.h"

#define INPUT_BOUND_MS 60000

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* L1, L2.  With the last sign of life (or the last event, where a phase has a deadline) at S and
 * nothing of ours at fault since C, a stream has ended at
 *
 *   live:      max(S, C, last change of its link) + missed_max intervals + one ack window
 *   otherwise: max(S, C) + the phase's deadline
 *
 * and, if C is the later of the two or just before it, one window and one interval more: deadlines
 * that passed while we were blind are put off by one window, and a report that the registry refused
 * as stale comes again with the next probe.
 */
static void look_at_live(const struct check_stream *stream, int64_t now_ms)
{
	const struct scheduler *scheduler = sim_scheduler(checks.sim);
	int64_t calm_ms = sim_calm_since(checks.sim);
	const struct scheduler_kind *kind;
	int64_t since_ms, bound_ms;
	bool probed;

	if (!scheduler || calm_ms == INT64_MAX)
		return;
	kind = &scheduler->options.kinds[stream->kind];
	probed = (kind->probe_phases & 1u << stream->phase) != 0;
	since_ms = probed ? later_of(stream->sign_ms, stream->link_ms) : stream->event_ms;
	if (stream->phase == PHASE_STARTING)
		since_ms = later_of(since_ms, stream->event_ms);
	since_ms = later_of(since_ms, stream->opened_ms);
	bound_ms = probed ? kind->missed_max * kind->keepalive_interval_ms + kind->ack_timeout_ms
		   : stream->phase == PHASE_STOPPING ? kind->stop_deadline_ms
						     : kind->start_deadline_ms;
	if (calm_ms > since_ms - DRAINED_MS)
		bound_ms += kind->ack_timeout_ms + kind->keepalive_interval_ms;
	since_ms = later_of(since_ms, calm_ms);
	if (now_ms - since_ms > bound_ms + SLACK_MS)
		check_fail(probed ? "L1 a dead stream ends" : "L2 no phase for ever", stream,
			   "%s, nothing of it for %lld ms, bound %lld",
			   words_name(&phase_words, stream->phase), (long long)(now_ms - since_ms),
			   (long long)bound_ms);
}

/* What is owed settles: within a round of the adapter if device or owner is there, else when the
 * registry gives up.
 */
static void look_at_owed(const struct check_stream *stream, int64_t now_ms)
{
	const struct registry *registry = sim_registry(checks.sim);
	const struct check_person *mine = check_person(stream->person);
	int64_t since_ms = later_of(stream->closed_ms, sim_calm_since(checks.sim));

	if (!registry || since_ms == INT64_MAX)
		return;
	if (now_ms - since_ms > registry->options.stop_owed_ms + SLACK_MS)
		check_fail("I6 nothing is owed for ever", stream, "%s%s",
			   stream->stop_owed ? "the stop " : "",
			   stream->told_owed ? "the end" : "");
	if (stream->stop_owed && mine->up_ms != NEVER &&
	    now_ms - later_of(since_ms, mine->up_ms) > RECONCILE_BOUND_MS + SLACK_MS)
		check_fail("I6 nothing is owed for ever", stream,
			   "the device is there, the stop "
			   "is still owed");
	if (stream->told_owed && check_reachable(stream) &&
	    check_app(stream->owner)->accepted_ms != NEVER &&
	    now_ms - later_of(since_ms, check_app(stream->owner)->accepted_ms) >
		    RECONCILE_BOUND_MS + SLACK_MS)
		check_fail("I6 nothing is owed for ever", stream,
			   "the owner is there, the end is "
			   "still owed");
}

/* L3.  An input that is known is deleted within a minute, once the provider can be reached: the
 * longest pause, and turns one after the other.
 */
static void look_at_input(const struct check_stream *stream, int64_t now_ms)
{
	int64_t since_ms = later_of(stream->closed_ms, sim_calm_since(checks.sim));

	if (!sim_healing(checks.sim) || since_ms == INT64_MAX || stream->made_ms == NEVER)
		return;
	if (now_ms - since_ms > INPUT_BOUND_MS)
		check_fail("L3 what is owed to the provider is deleted", stream, "for %lld ms",
			   (long long)(now_ms - since_ms));
}

/* What was taken over does not run on once what took its place is over as well: nobody else would
 * stop it.
 */
static void look_at_device(const struct person *person, int64_t now_ms)
{
	const struct check_person *mine = check_person(person);
	const struct check_stream *running;
	int64_t since_ms;

	if (mine->live || !mine->stops || mine->up_ms == NEVER || mine->runs_ms == NEVER ||
	    !person->phone.ble)
		return;
	since_ms = later_of(later_of(mine->ended_ms, sim_calm_since(checks.sim)),
			    later_of(mine->up_ms, mine->runs_ms));
	/* The stop may have gone into the socket before, or over no Bluetooth. */
	if (mine->up_ms > mine->ended_ms || mine->runs_ms > mine->ended_ms ||
	    mine->ble_ms > mine->ended_ms)
		return;
	running = check_stream_find(text_of(person->device.stream_id));
	if (running && running->phase == PHASE_CLOSED && running->cause == END_TAKEOVER &&
	    now_ms - since_ms > RECONCILE_BOUND_MS + SLACK_MS && mine->guilty_ms < since_ms)
		check_fail("L2 no device runs what is over", running,
			   "its user has no stream for %lld ms", (long long)(now_ms - since_ms));
}

void check_bounds(int64_t now_ms)
{
	for (unsigned i = 0; i < people.count; i++)
		look_at_device(&people.persons[i], now_ms);
	for (unsigned i = checks.low; i < checks.stream_count; i++) {
		struct check_stream *stream = &checks.streams[i];

		if (stream->settled)
			continue;
		if (stream->kind == KIND_MANAGED)
			check_viewers(stream, now_ms);
		if (stream->phase != PHASE_CLOSED) {
			look_at_live(stream, now_ms);
			if (stream->kind == KIND_UNMANAGED)
				check_app_word(stream, now_ms);
			check_suspect(stream, now_ms);
			continue;
		}
		if (stream->stop_owed || stream->told_owed)
			look_at_owed(stream, now_ms);
		if (stream->input_owed && !state_stream_find(&checks.replay, text_of(stream->id)))
			check_fail("I10 what is owed stays recorded", stream, "its input is owed");
		if (stream->input_owed)
			look_at_input(stream, now_ms);
		if (stream->kind == KIND_MANAGED) {
			stream->settled = !stream->stop_owed && !stream->input_owed &&
					  check_viewers_settled(stream);
			continue;
		}
		check_app_end(stream, now_ms);
		/* What has an end or can have none any more is looked at no longer. */
		stream->settled = !stream->stop_owed && !stream->told_owed &&
				  (stream->ended || !stream->was_told_owed || !stream->owner ||
				   stream->owner->socket != stream->closing_socket);
	}
	while (checks.low < checks.stream_count && checks.streams[checks.low].settled)
		checks.low++;
}

/* I8 ------------------------------------------------------------------------------------------- */

/* A probe that would be late by more than a third of the interval is left out.  What an earlier
 * life of the scheduler has sent, the next one cannot know.
 */
void check_probed(uint64_t life, struct text stream_id)
{
	struct check_stream *stream = check_stream_find(stream_id);
	int64_t now_ms = sim_now(checks.sim);
	const struct scheduler_kind *kind;

	if (!stream)
		return;
	kind = &scheduler_defaults.kinds[stream->kind];
	if (stream->probed_life == life &&
	    now_ms - stream->probed_ms < kind->keepalive_interval_ms * 2 / 3)
		check_fail("I8 probes come in their rhythm", stream, "%lld ms after the last one",
			   (long long)(now_ms - stream->probed_ms));
	stream->probed_life = life;
	stream->probed_ms = now_ms;
}

void check_timers(void)
{
	const struct scheduler *scheduler = sim_scheduler(checks.sim);

	if (!scheduler)
		return;
	if (scheduler->armed[SCHEDULER_TIMER_PROBE] > scheduler->stream_slots.count ||
	    scheduler->armed[SCHEDULER_TIMER_PHASE] > scheduler->stream_slots.count ||
	    scheduler->armed[SCHEDULER_TIMER_SESSION] > scheduler->user_slots.count ||
	    scheduler->armed[SCHEDULER_TIMER_APP] > scheduler->app_slots.count ||
	    scheduler->armed[SCHEDULER_TIMER_GATEWAY] > scheduler->gateway_slots.count)
		check_fail("I8 no timer without its owner", (struct check_stream *)NULL,
			   "%u timers are armed", scheduler_timers(scheduler));
}

/* A managed stream is probed from its start on, which has its deadline beside. */
static void count_stream(const struct state_stream *active, uint32_t armed[SCHEDULER_TIMER_COUNT])
{
	uint32_t probed;

	if (!active)
		return;
	probed = scheduler_defaults.kinds[active->kind].probe_phases;
	armed[SCHEDULER_TIMER_PROBE] += (probed & 1u << active->phase) != 0;
	armed[SCHEDULER_TIMER_PHASE] +=
		active->phase != PHASE_LIVE && active->phase != PHASE_SUSPECT;
}

/* What the registry's state asks the scheduler to watch. */
static void count_timers(const struct state *state, uint32_t armed[SCHEDULER_TIMER_COUNT])
{
	for (uint32_t slot = 0; slot < state->users_fresh; slot++) {
		const struct state_user *user = state_user_of(state, slot);
		const struct state_stream *active = user ? state_active(state, user) : NULL;

		count_stream(active, armed);
		if (!user || user->session == SESSION_NONE)
			continue;
		armed[SCHEDULER_TIMER_SESSION] += user->link_state == LINK_DOWN;
		for (uint32_t app = user->apps; app != STATE_NONE; app = state->apps[app].next)
			armed[SCHEDULER_TIMER_APP] += state->apps[app].state == APP_LOADING ||
						      state->apps[app].state == APP_GRACE ||
						      state->apps[app].state == APP_RESURRECTING ||
						      state->apps[app].state == APP_STOPPING;
	}
	for (unsigned i = 0; i < GATEWAYS_MAX; i++)
		armed[SCHEDULER_TIMER_GATEWAY] += state->gateways[i].incarnation != 0;
}

static void check_scheduler(const struct scheduler *scheduler, const struct state *truth)
{
	static const char *const names[SCHEDULER_TIMER_COUNT] = { "probe", "phase", "session",
								  "app", "gateway" };
	uint32_t wanted[SCHEDULER_TIMER_COUNT] = { 0 };

	count_timers(truth, wanted);
	if (scheduler->stream_slots.count != truth->active_count)
		check_fail("L4 mirrors agree", (struct check_stream *)NULL,
			   "the scheduler watches %u streams of %u", scheduler->stream_slots.count,
			   truth->active_count);
	for (unsigned i = 0; i < SCHEDULER_TIMER_COUNT; i++)
		if (scheduler->armed[i] != wanted[i])
			check_fail("I8 no timer without its owner", (struct check_stream *)NULL,
				   "%u %s timers are armed, %u are wanted", scheduler->armed[i],
				   names[i], wanted[i]);
}

/* Whoever comes, and has come for long enough, is there for the registry, too. */
static void check_served(int64_t now_ms)
{
	for (unsigned i = 0; i < people.count; i++) {
		const struct person *person = &people.persons[i];
		int64_t since_ms = later_of(person->phone.online_ms, sim_calm_since(checks.sim));
		const struct state_user *user = state_user_find(&checks.replay, person->id);
		bool served =
			(user && user->link_state == LINK_UP) || check_person(person)->displaced;

		if (!person->phone.offline && now_ms - since_ms > SERVED_BOUND_MS && !served)
			check_fail("L6 whoever comes is served", (struct check_stream *)NULL,
				   "the phone of %s %s, and has no link", person->name,
				   person->phone.acked	  ? "has its connection_ack"
				   : person->phone.socket ? "has a socket"
							  : "tries in vain");
	}
}

/* In the end everybody knows the same. */
void check_healed(void)
{
	const struct scheduler *scheduler = sim_scheduler(checks.sim);
	const struct unmanaged *unmanaged = sim_unmanaged(checks.sim);
	const struct managed *managed = sim_managed(checks.sim);
	const struct state *truth = sim_truth(checks.sim);

	if (sim_now(checks.sim) - checks.story_ms < SLACK_MS) {
		SIM_SOMETIMES(checks.sim, "healed in the middle of something");
		return; /* what is still on its way is no disagreement */
	}
	if (!scheduler || !unmanaged || !managed || !truth) {
		check_fail("L6 everything is back", (struct check_stream *)NULL,
			   "something is down");
		return;
	}
	check_served(sim_now(checks.sim));
	if (state_hash(truth) != state_hash(&checks.replay))
		check_fail("L4 mirrors agree", (struct check_stream *)NULL,
			   "the registry is not what its story says");
	if (state_hash(&unmanaged->state) != state_hash(truth))
		check_fail("L4 mirrors agree", (struct check_stream *)NULL,
			   "the adapter is not what the registry is");
	if (state_hash(&managed->state) != state_hash(truth))
		check_fail("L4 mirrors agree", (struct check_stream *)NULL,
			   "the managed-adapter is not what the registry is");
	check_scheduler(scheduler, truth);
}
