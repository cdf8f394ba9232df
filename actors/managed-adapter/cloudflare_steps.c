/* SPDX-License-Identifier: MIT */
/* cloudflare_steps.c - making, looking at and restreaming an input; the quota. */
#include <stdio.h>

#include "actors/managed-adapter/cloudflare_internal.h"

/* ---- create ---- */

static const char *what_is_wrong(const struct cloudflare_job *job)
{
	const struct cloudflare_input *seen = &job->seen;

	if (!seen->id[0])
		return "Invalid response from Cloudflare: missing result";
	if (!seen->ingest[0])
		return "Invalid liveInput: missing RTMPS URL or stream key";
	if (seen->stream_id[0] && strcmp(seen->stream_id, job->stream_id) != 0)
		return "Invalid liveInput: it was made for something else";
	return NULL;
}

void cloudflare_on_create(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;
	struct stream_event *event;
	struct cloudflare_note *note;
	const char *wrong;

	if (turn->verdict->outcome == CALL_GONE)
		turn->verdict->outcome = CALL_REFUSED; /* there is no such account */
	if (turn->verdict->outcome != CALL_OK) {
		cloudflare_fail(turn);
		return;
	}
	(void)cloudflare_read_input(&turn->verdict->result, &job->seen);
	wrong = what_is_wrong(job);
	if (wrong) {
		(void)cloudflare_say(turn, CALL_UNKNOWN, wrong);
		return;
	}
	memcpy(job->input, job->seen.id, sizeof job->input);
	note = cloudflare_note(turn->self, job->input);
	note->known = true;
	cloudflare_learn(turn->self, &job->seen);
	event = cloudflare_say(turn, CALL_OK, "");
	event->provider_done.input_id = text_of(job->seen.id);
	event->provider_done.ingest = text_of(job->seen.ingest);
	cloudflare_put_addresses(turn, event);
}

/* ---- describe: the cheapest way that gives a sure answer ---- */

static void ask_input(const struct cloudflare_turn *turn)
{
	cloudflare_ask_input(&turn->job->request, turn->job->input);
	cloudflare_ask(turn, CLOUDFLARE_DESCRIBE_INPUT);
}

void cloudflare_begin_describe(const struct cloudflare_turn *turn)
{
	struct cloudflare *self = turn->self;

	if (!self->host[0] || turn->now_ms < self->lifecycle_ms) {
		ask_input(turn);
		return;
	}
	cloudflare_ask_lifecycle(&turn->job->request, turn->job->input);
	cloudflare_ask(turn, CLOUDFLARE_DESCRIBE_LIFECYCLE);
}

static void say_described(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;
	struct stream_event *event = cloudflare_say(turn, CALL_OK, "");

	event->provider_done.ingest_state = job->seen.state;
	event->provider_done.playable = job->playable;
	cloudflare_put_addresses(turn, event);
}

/* How the outputs of a live input are, unless it is known that nothing is said of them. */
static void described(const struct cloudflare_turn *turn)
{
	const struct cloudflare_note *note = cloudflare_note(turn->self, turn->job->input);
	struct cloudflare_job *job = turn->job;

	job->playable = job->seen.state == INGEST_LIVE && !job->not_playable;
	if (job->seen.state != INGEST_LIVE || note->silent || (note->known && !note->outputs) ||
	    cloudflare_low(turn->self, turn->now_ms) ||
	    turn->now_ms < turn->self->unconfigured_ms) {
		say_described(turn);
		return;
	}
	cloudflare_ask_outputs(&job->request, job->input);
	cloudflare_ask(turn, CLOUDFLARE_DESCRIBE_OUTPUTS);
}

/* Live is sure.  Not live may be anything, which only the API knows; it is asked while it has room.
 */
void cloudflare_on_lifecycle(const struct cloudflare_turn *turn)
{
	const struct cloudflare_answer *answer = turn->answer;
	struct cloudflare_job *job = turn->job;
	bool live;

	if (answer->fate != CLOUDFLARE_ANSWERED || answer->status != 200 ||
	    !cloudflare_read_lifecycle(answer->body, &live)) {
		if (answer->status != 404)
			turn->self->lifecycle_ms = turn->now_ms + CLOUDFLARE_LIFECYCLE_PAUSE_MS;
		ask_input(turn);
		return;
	}
	job->not_playable = !live;
	if (live) {
		job->seen.state = INGEST_LIVE;
		described(turn);
	} else if (cloudflare_low(turn->self, turn->now_ms)) {
		say_described(turn);
	} else {
		ask_input(turn);
	}
}

void cloudflare_on_input(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;

	if (turn->verdict->outcome != CALL_OK) {
		cloudflare_fail(turn);
		return;
	}
	if (!cloudflare_read_input(&turn->verdict->result, &job->seen)) {
		(void)cloudflare_say(turn, CALL_RETRY,
				     "Invalid response from Cloudflare: missing result");
		return;
	}
	cloudflare_learn(turn->self, &job->seen);
	described(turn);
}

/* A look that fails costs nothing but the look. */
void cloudflare_on_outputs(const struct cloudflare_turn *turn)
{
	struct cloudflare_note *note = cloudflare_note(turn->self, turn->job->input);
	struct cloudflare_effects *fx = turn->fx;
	struct cloudflare_output *output;
	struct json_walk walk;

	if (turn->verdict->outcome == CALL_OK && cloudflare_items(&turn->verdict->result, &walk)) {
		note->known = note->silent = true;
		note->outputs = false;
		while (fx->says < CLOUDFLARE_HINTS_MAX &&
		       cloudflare_next_output(&walk, output = &fx->outputs[fx->says])) {
			note->outputs = true;
			if (output->state == OUTPUT_NONE)
				continue;
			note->silent = false;
			fx->say[fx->says++] = (struct stream_event){
				.type = EVENT_PROVIDER_OUTPUT_HINT,
				.user_id = text_of(turn->job->user_id),
				.stream_id = text_of(turn->job->stream_id),
				.provider_output_hint = { .input_id = text_of(turn->job->input),
							  .remote_id = text_of(output->id),
							  .state = output->state,
							  .error = text_of(output->error) },
			};
		}
	}
	say_described(turn);
}

/* ---- outputs ---- */

static void say_output(const struct cloudflare_turn *turn)
{
	struct stream_event *event = cloudflare_say(turn, CALL_OK, "");

	event->provider_done.remote_id = text_of(turn->job->remote);
}

static void ask_output_add(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;

	if (cloudflare_ask_output_add(&job->request, job->input, text_of(job->url)))
		cloudflare_ask(turn, CLOUDFLARE_OUTPUT_ADD);
	else
		(void)cloudflare_say(turn, CALL_REFUSED, "the destination has no stream key");
}

/* The same destination twice makes two outputs: look first, unless all of them are known. */
void cloudflare_begin_output_add(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;

	if (cloudflare_note(turn->self, job->input)->known) {
		ask_output_add(turn);
		return;
	}
	cloudflare_ask_outputs(&job->request, job->input);
	cloudflare_ask(turn, CLOUDFLARE_OUTPUT_LOOK);
}

/* Whether one of those listed is job->url; its id is then job->remote. */
static bool find_output(const struct cloudflare_turn *turn, struct json_walk *walk)
{
	struct cloudflare_job *job = turn->job;
	struct cloudflare_output output;
	struct text url, key;
	bool found = false;

	if (!cloudflare_split(text_of(job->url), &url, &key))
		return false;
	while (!found && cloudflare_next_output(walk, &output))
		found = text_is(url, output.url) && text_is(key, output.key);
	if (found)
		memcpy(job->remote, output.id, sizeof job->remote);
	return found;
}

static bool read_outputs(const struct cloudflare_turn *turn, struct json_walk *walk)
{
	if (turn->verdict->outcome == CALL_OK && cloudflare_items(&turn->verdict->result, walk))
		return true;
	if (turn->verdict->outcome == CALL_OK)
		turn->verdict->outcome = CALL_RETRY;
	cloudflare_fail(turn);
	return false;
}

void cloudflare_on_output_look(const struct cloudflare_turn *turn)
{
	struct json_walk walk;

	if (!read_outputs(turn, &walk))
		return;
	if (find_output(turn, &walk))
		say_output(turn);
	else
		ask_output_add(turn);
}

void cloudflare_on_output_add(const struct cloudflare_turn *turn)
{
	struct cloudflare_note *note = cloudflare_note(turn->self, turn->job->input);
	struct cloudflare_output output;

	if (turn->verdict->outcome == CALL_OK &&
	    !cloudflare_read_output(&turn->verdict->result, &output)) {
		turn->verdict->outcome = CALL_UNKNOWN;
		snprintf(turn->verdict->detail, sizeof turn->verdict->detail, "%s",
			 "Invalid response from Cloudflare: an output without a uid");
	}
	note->silent = false;
	note->outputs = true;
	if (turn->verdict->outcome == CALL_UNKNOWN)
		note->known = false;
	if (turn->verdict->outcome != CALL_OK) {
		cloudflare_fail(turn);
		return;
	}
	memcpy(turn->job->remote, output.id, sizeof turn->job->remote);
	say_output(turn);
}

static void ask_output_remove(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;

	cloudflare_ask_output_remove(&job->request, job->input, job->remote);
	cloudflare_ask(turn, CLOUDFLARE_OUTPUT_REMOVE);
}

/* One whose id was never learned is known by its destination. */
void cloudflare_begin_output_remove(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;

	if (cloudflare_is_id(text_of(job->remote))) {
		ask_output_remove(turn);
		return;
	}
	cloudflare_ask_outputs(&job->request, job->input);
	cloudflare_ask(turn, CLOUDFLARE_OUTPUT_FIND);
}

void cloudflare_on_output_find(const struct cloudflare_turn *turn)
{
	struct json_walk walk;

	if (!read_outputs(turn, &walk))
		return;
	if (find_output(turn, &walk))
		ask_output_remove(turn);
	else
		(void)cloudflare_say(turn, CALL_GONE, "");
}

void cloudflare_on_output_remove(const struct cloudflare_turn *turn)
{
	enum call_outcome outcome = turn->verdict->outcome;

	if (outcome == CALL_OK || outcome == CALL_GONE)
		(void)cloudflare_say(turn, outcome, "");
	else
		cloudflare_fail(turn);
}

/* ---- quota ---- */

void cloudflare_on_quota(const struct cloudflare_turn *turn)
{
	struct stream_event *event;
	uint64_t used, limit;

	if (turn->verdict->outcome == CALL_GONE)
		turn->verdict->outcome = CALL_REFUSED;
	if (turn->verdict->outcome != CALL_OK) {
		cloudflare_fail(turn);
		return;
	}
	if (!cloudflare_read_quota(&turn->verdict->result, &used, &limit)) {
		(void)cloudflare_say(turn, CALL_RETRY,
				     "Invalid response from Cloudflare: not a quota");
		return;
	}
	event = cloudflare_say(turn, CALL_OK, "");
	event->provider_done.used = used;
	event->provider_done.limit = limit;
}
