/* SPDX-License-Identifier: MIT */
/* I10, I11: nothing that was provisioned is left behind, and nothing foreign is touched.
 *
 * The ledger is the committed story: an input is looked up there by the stream that it was made
 * for.  What no record accounts for may only be what was made by a call whose answer was lost, and
 * is deleted when it is old enough.
 */
#include "actors/managed-adapter/managed_core.h"
#include "tests/sim/checks_internal.h"

#include <string.h>

#define NEWS_MS (SLACK_MS + RECONCILE_BOUND_MS) /* from an answer to the record of it */

/* What the ledger says of an input. */
enum account {
	ACCOUNT_NONE, /* no record owes or uses it */
	ACCOUNT_WANTED, /* it may be the one that is being made */
	ACCOUNT_USED,
	ACCOUNT_OWED,
};

static bool is_ours(const struct sim_input *input)
{
	return !input->hidden && checks.replay.mark[0] != '\0' &&
	       strcmp(input->mark, checks.replay.mark) == 0;
}

static enum account account_of(const struct sim_input *input)
{
	const struct state_stream *stream =
		state_stream_find(&checks.replay, text_of(input->stream_id));
	const struct state_managed *managed;
	struct text known;

	if (!stream || stream->kind != KIND_MANAGED)
		return ACCOUNT_NONE;
	managed = state_managed_of(&checks.replay, stream);
	known = state_text(&checks.replay, managed->input_id);
	if (managed->input == INPUT_WANTED)
		return ACCOUNT_WANTED;
	if (known.length > 0 && !text_is(known, input->id))
		return ACCOUNT_NONE;
	if (managed->input == INPUT_READY)
		return ACCOUNT_USED;
	return managed->input == INPUT_OWED ? ACCOUNT_OWED : ACCOUNT_NONE;
}

static const struct sim_input *input_named(struct text id)
{
	unsigned count;
	const struct sim_input *inputs = sim_inputs(checks.sim, &count);

	for (unsigned i = 0; i < count; i++)
		if (!inputs[i].hidden && text_is(id, inputs[i].id))
			return &inputs[i];
	return NULL;
}

static struct check_stream *stream_of(const struct sim_input *input)
{
	return check_stream_find(text_of(input->stream_id));
}

/* Calls ---------------------------------------------------------------------------------------- */

/* Recorded first: the story has the stream before anybody asks for its input. */
static void look_at_create(const struct stream_event *call)
{
	const struct check_stream *stream = check_stream_find(call->stream_id);

	if (!stream || stream->kind != KIND_MANAGED)
		check_fail("I10 an intent is recorded first", (struct check_stream *)NULL,
			   "an input is asked for under '%.*s'", (int)call->stream_id.length,
			   call->stream_id.bytes);
	if (!text_is(call->provider_create.mark, checks.replay.mark))
		check_fail("I10 an input bears our mark", stream, "'%.*s'",
			   (int)call->provider_create.mark.length,
			   call->provider_create.mark.bytes);
}

/* Another input of the same stream was handed to the adapter: this one is left over. */
static bool is_superseded(const struct sim_input *input)
{
	unsigned count;
	const struct sim_input *inputs = sim_inputs(checks.sim, &count);

	for (unsigned i = 0; i < count; i++)
		if (&inputs[i] != input && inputs[i].told && !input->told &&
		    strcmp(inputs[i].stream_id, input->stream_id) == 0 &&
		    strcmp(inputs[i].mark, input->mark) == 0)
			return true;
	return false;
}

/* What was over before the adapter began is deleted at a bounded rate. */
static void look_at_pace(const struct check_stream *stream, int64_t now_ms)
{
	const struct managed *adapter = sim_managed(checks.sim);
	uint64_t life = sim_life(checks.sim, SIM_MANAGED);

	if (!adapter || !stream || stream->closed_ms >= sim_began_ms(checks.sim, SIM_MANAGED))
		return;
	if (checks.paced_life != life)
		checks.paced_ms = NEVER;
	if (checks.paced_ms != NEVER)
		SIM_SOMETIMES(checks.sim, "an earlier life has left several inputs to delete");
	if (checks.paced_ms != NEVER &&
	    (now_ms - checks.paced_ms) * adapter->options.deletes_per_s < 1000)
		check_fail("I10 what an earlier life has left is deleted little by little", stream,
			   "%lld ms after another", (long long)(now_ms - checks.paced_ms));
	checks.paced_life = life;
	checks.paced_ms = now_ms;
}

static void look_at_delete(const struct sim_input *input)
{
	int64_t age_ms = sim_now(checks.sim) - input->created_ms;
	const struct check_stream *stream = stream_of(input);
	enum account account = account_of(input);

	if (!is_ours(input)) {
		check_fail("I10 nothing foreign is deleted", (struct check_stream *)NULL,
			   "%s, marked '%s'", input->id, input->mark);
		return;
	}
	if (account == ACCOUNT_USED)
		check_fail("I10 what is in use is not deleted", stream, "%s", input->id);
	if (account == ACCOUNT_WANTED && !is_superseded(input))
		check_fail("I10 what is being made is not deleted", stream, "%s", input->id);
	if (account == ACCOUNT_OWED) {
		look_at_pace(stream, sim_now(checks.sim));
		return;
	}
	SIM_SOMETIMES(checks.sim, "a leaked input is deleted");
	if (age_ms < 1000 * sim_provider_plan(checks.sim)->leak_age_s)
		check_fail("I10 a leak is old enough", stream, "%s is %lld ms old", input->id,
			   (long long)age_ms);
}

void check_called(const struct stream_event *call)
{
	const struct sim_input *input;

	if (call->type == EVENT_PROVIDER_CREATE)
		look_at_create(call);
	if (call->type != EVENT_PROVIDER_DELETE)
		return;
	input = input_named(call->provider_delete.input_id);
	if (input)
		look_at_delete(input);
}

/* Inputs --------------------------------------------------------------------------------------- */

/* I11: a second one is made only if the adapter that asks was never told of the first. */
void check_input_made(const struct sim_input *input)
{
	unsigned count;
	const struct sim_input *inputs = sim_inputs(checks.sim, &count);

	for (unsigned i = 0; i < count; i++)
		if (&inputs[i] != input && inputs[i].told &&
		    inputs[i].told_life == sim_life(checks.sim, SIM_MANAGED) &&
		    strcmp(inputs[i].stream_id, input->stream_id) == 0 &&
		    strcmp(inputs[i].mark, input->mark) == 0 &&
		    sim_now(checks.sim) - inputs[i].told_ms > LATE_MAX_MS)
			check_fail("I11 one input for each stream", stream_of(input),
				   "%s, and %s before it", input->id, inputs[i].id);
}

/* What was right when the call left may take its effect later: an end lets nothing live again. */
void check_input_deleted(const struct sim_input *input)
{
	if (!is_ours(input))
		check_fail("I10 nothing foreign is deleted", (struct check_stream *)NULL,
			   "%s, marked '%s'", input->id, input->mark);
	if (account_of(input) == ACCOUNT_USED)
		check_fail("I10 what is in use is not deleted", stream_of(input), "%s", input->id);
}

void check_provisioned(struct check_stream *stream, const struct stream_event *event)
{
	const struct sim_input *input = input_named(event->stream_provisioned.input_id);

	if (!input)
		return; /* it is deleted by now */
	text_put(text_of(input->ingest), stream->ingest, sizeof stream->ingest);
	if (strcmp(input->stream_id, stream->id) != 0)
		check_fail("I11 one input for each stream", stream, "%s was made for %s", input->id,
			   input->stream_id);
}

/* I11: a device publishes to the input of the very stream that it is told to start. */
void checks_device_address(const struct person *person, const struct edge_message *start)
{
	const struct check_stream *stream = check_stream_find(start->start_rtmp_stream.stream_id);
	bool managed = text_is(start->start_rtmp_stream.app_id, "MANAGED_STREAM");
	const struct check_stream *running =
		device_runs(&person->device) ? check_stream_find(text_of(person->device.stream_id))
					     : NULL;

	if (!stream)
		return; /* said by checks_device_start() */
	if (managed != (stream->kind == KIND_MANAGED))
		check_fail("I11 a start of its own kind", stream, "%.*s",
			   (int)start->start_rtmp_stream.app_id.length,
			   start->start_rtmp_stream.app_id.bytes);
	if (managed && stream->ingest[0] != '\0' &&
	    !text_is(start->start_rtmp_stream.rtmp_url, stream->ingest))
		check_fail("I11 a start names its own ingest", stream, "%s", stream->ingest);
	if (running && running != stream && running->kind == KIND_MANAGED &&
	    running->cause == END_TAKEOVER && running->stop_owed)
		check_fail("I3 the stop of what was taken over comes first", running,
			   "%s is started before it", stream->id);
}

/* Strays --------------------------------------------------------------------------------------- */

/* Since when @input has been accounted for by nothing; they are few. */
static struct check_stray *stray_of(const struct sim_input *input, int64_t now_ms)
{
	struct check_stray *free = NULL;

	for (unsigned i = 0; i < CHECK_STRAYS_MAX; i++) {
		struct check_stray *stray = &checks.strays[i];

		if (stray->id[0] != '\0' && strcmp(stray->id, input->id) == 0) {
			stray->seen_ms = now_ms;
			return stray;
		}
		if (stray->id[0] == '\0')
			free = stray;
	}
	if (!free)
		return NULL;
	*free = (struct check_stray){ .since_ms = now_ms, .seen_ms = now_ms };
	memcpy(free->id, input->id, sizeof free->id);
	return free;
}

/* The adapter was told of it, lives, and has not had to forget anything since. */
static bool is_known(const struct sim_input *input)
{
	return input->told && input->told_life == sim_life(checks.sim, SIM_MANAGED) &&
	       sim_calm_since(checks.sim) < input->told_ms - DRAINED_MS;
}

static void look_at_stray(const struct sim_input *input, int64_t now_ms)
{
	const struct check_stray *stray = stray_of(input, now_ms);

	if (!input->told)
		SIM_SOMETIMES(checks.sim, "an input that nobody was told of");
	if (!stray)
		return;
	if (now_ms - stray->since_ms > NEWS_MS && is_known(input))
		check_fail("I10 every input is accounted for", stream_of(input),
			   "%s, of which the adapter knows for %lld ms", input->id,
			   (long long)(now_ms - input->told_ms));
}

void check_inputs(int64_t now_ms)
{
	unsigned count;
	const struct sim_input *inputs = sim_inputs(checks.sim, &count);

	for (unsigned i = 0; i < count; i++)
		if (is_ours(&inputs[i]) && account_of(&inputs[i]) == ACCOUNT_NONE)
			look_at_stray(&inputs[i], now_ms);
	for (unsigned i = 0; i < CHECK_STRAYS_MAX; i++)
		if (checks.strays[i].id[0] != '\0' && checks.strays[i].seen_ms < now_ms)
			checks.strays[i].id[0] = '\0';
}

/* Every stream has ended, and all that there was to wait for is over. */
void check_quiet(void)
{
	unsigned count;
	const struct sim_input *inputs = sim_inputs(checks.sim, &count);

	for (unsigned i = 0; i < count; i++)
		if (!inputs[i].foreign && !inputs[i].hidden)
			check_fail("I10 nothing is left behind", stream_of(&inputs[i]),
				   "%s of %s, %lld ms old", inputs[i].id, inputs[i].stream_id,
				   (long long)(sim_now(checks.sim) - inputs[i].created_ms));
}
