/* SPDX-License-Identifier: MIT */
/* sim_inputs.c - the live inputs of a provider: ours, those of others who use the same account, and
 * what it says of them unasked.
 */
#include <assert.h>
#include <stdio.h>

#include "tests/sim/sim_world.h"

#define HINT_MAX_MS 3000 /* hints overtake each other */
#define HINT_SLOW_MAX_MS 20000
#define HINT_SLOW_PPM 50000
#define STUBBORN_MAX 4
#define PLAYABLE_MAX_MS 20000
#define PLAYABLE_NEVER_PPM 100000
#define FOREIGN_MARK "w0therd3pl0y"

static uint64_t draw(struct sim *self, uint64_t bound)
{
	return sim_below(self, SIM_PROVIDER, bound);
}

struct sim_input *sim_input_find(struct sim *self, struct text id)
{
	for (unsigned i = 0; i < self->provider.count; i++)
		if (!self->provider.inputs[i].hidden && text_is(id, self->provider.inputs[i].id))
			return &self->provider.inputs[i];
	return NULL;
}

struct sim_input *sim_input_of(struct sim *self, struct text mark, struct text stream_id)
{
	for (unsigned i = 0; i < self->provider.count; i++)
		if (!self->provider.inputs[i].hidden &&
		    text_is(stream_id, self->provider.inputs[i].stream_id) &&
		    text_is(mark, self->provider.inputs[i].mark))
			return &self->provider.inputs[i];
	return NULL;
}

struct sim_input *sim_input_make(struct sim *self, struct text mark, struct text stream_id)
{
	struct sim_provider *provider = &self->provider;
	struct sim_input *input = &provider->inputs[provider->count];
	bool stubborn = sim_chance(self, SIM_PROVIDER, provider->plan.stubborn_ppm);
	bool never = sim_chance(self, SIM_PROVIDER, PLAYABLE_NEVER_PPM);
	unsigned refusals = 1 + (unsigned)draw(self, STUBBORN_MAX);
	int64_t playable_ms = (int64_t)draw(self, PLAYABLE_MAX_MS);
	char id[SIM_INPUT_ID_SIZE] = "";

	if (provider->count == SIM_INPUTS_MAX)
		return NULL;
	*input = (struct sim_input){
		.used = true,
		.created_ms = self->now_ms,
		.playable_ms = never ? INT64_MAX : playable_ms,
		.refusals = stubborn && sim_has(self, FAULT_PROVIDER) ? refusals : 0,
	};
	provider->count++;
	provider->made++;
	(void)snprintf(id, sizeof id, "in%06llu", (unsigned long long)provider->made);
	(void)snprintf(input->ingest, sizeof input->ingest, "rtmps://ingest.test/live/%s?key=%llx",
		       id, (unsigned long long)provider->made * 7919);
	memcpy(input->id, id, sizeof input->id);
	text_put(mark, input->mark, sizeof input->mark);
	text_put(stream_id, input->stream_id, sizeof input->stream_id);
	if (provider->plan.kind == PROVIDER_LOCAL)
		text_put(stream_id, input->id, sizeof input->id);
	return input;
}

/* Without a word to anybody. */
static void drop(struct sim_provider *provider, unsigned place)
{
	provider->count--;
	memmove(&provider->inputs[place], &provider->inputs[place + 1],
		(provider->count - place) * sizeof provider->inputs[0]);
}

void sim_input_delete(struct sim *self, struct sim_input *input)
{
	if (self->observer.input_deleted)
		self->observer.input_deleted(self->observer.context, input);
	drop(&self->provider, (unsigned)(input - self->provider.inputs));
}

void sim_inputs_hide(struct sim *self)
{
	for (unsigned i = 0; i < self->provider.count; i++)
		self->provider.inputs[i].hidden = true;
}

bool sim_input_adopt(struct sim *self, struct text id)
{
	for (unsigned i = 0; i < self->provider.count; i++) {
		struct sim_input *input = &self->provider.inputs[i];

		if (!input->hidden || !text_is(id, input->id))
			continue;
		input->hidden = false;
		return true;
	}
	return false;
}

void sim_inputs_settle(struct sim *self)
{
	for (unsigned i = self->provider.count; i-- > 0;)
		if (self->provider.inputs[i].hidden)
			drop(&self->provider, i);
}

/* Others ----------------------------------------------------------------------------------------
 */

/* With no mark at all, or that of another deployment, and with ids that look like ours. */
static void make_foreign(struct sim *self)
{
	bool marked = draw(self, 2) == 0;
	char id[STREAM_ID_SIZE];
	struct sim_input *input;

	stream_id_make('m', draw(self, 1000000), id);
	input = sim_input_make(self, marked ? TEXT(FOREIGN_MARK) : (struct text){ 0 },
			       marked ? text_of(id) : (struct text){ 0 });
	if (input)
		input->foreign = true;
}

/* Its owner is tired of it. */
static void drop_foreign(struct sim *self)
{
	struct sim_provider *provider = &self->provider;
	unsigned which = (unsigned)draw(self, SIM_INPUTS_MAX);

	if (which >= provider->count || !provider->inputs[which].foreign)
		return;
	drop(provider, which);
}

static void on_churn(void *context, uint64_t tag)
{
	struct sim *self = context;
	bool more = draw(self, 2) == 0;

	(void)tag;
	if (!sim_has(self, FAULT_PROVIDER))
		return;
	if (more && self->provider.count < SIM_INPUTS_MAX / 2)
		make_foreign(self);
	else
		drop_foreign(self);
	sim_at(self,
	       self->now_ms + 1 + (int64_t)draw(self, 2 * (uint64_t)self->provider.plan.churn_ms),
	       on_churn, self, 0);
}

void sim_inputs_begin(struct sim *self)
{
	if (self->provider.plan.kind != PROVIDER_CLOUDFLARE)
		return; /* nobody else has it */
	for (unsigned i = 0; i < self->provider.plan.foreign; i++)
		make_foreign(self);
	if (sim_has(self, FAULT_PROVIDER))
		sim_at(self, self->now_ms + self->provider.plan.churn_ms, on_churn, self, 0);
}

const struct sim_input *sim_inputs(const struct sim *self, unsigned *count)
{
	*count = self->provider.count;
	return self->provider.inputs;
}

unsigned sim_inputs_ours(const struct sim *self)
{
	unsigned ours = 0;

	for (unsigned i = 0; i < self->provider.count; i++)
		ours += !self->provider.inputs[i].foreign && !self->provider.inputs[i].hidden;
	return ours;
}

/* What it sees ----------------------------------------------------------------------------------
 */

/* Lost now and then, doubled now and then, and in no order. */
static void hint(struct sim *self, const struct sim_input *input, bool lost)
{
	struct stream_event event = { .type = EVENT_PROVIDER_HINT };
	bool slow = sim_chance(self, SIM_PROVIDER, HINT_SLOW_PPM);
	int64_t after_ms = (int64_t)draw(self, slow ? HINT_SLOW_MAX_MS : HINT_MAX_MS);

	event.provider_hint.input_id = text_of(input->id);
	event.provider_hint.ingest = input->live ? INGEST_LIVE : INGEST_LOST;
	event.provider_hint.sure = self->provider.plan.kind == PROVIDER_LOCAL;
	if (!lost)
		sim_provider_say(self, &event, (struct sim_saying){ after_ms, 0 });
}

static void output_hints(struct sim *self, const struct sim_input *input)
{
	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		struct stream_event event = { .type = EVENT_PROVIDER_OUTPUT_HINT };
		const struct sim_output *output = &input->outputs[i];
		bool fails = draw(self, 4) == 0, numbered = draw(self, 2) == 0;

		if (!output->used)
			continue;
		event.provider_output_hint.input_id = text_of(input->id);
		event.provider_output_hint.output = numbered ? output->number : 0;
		event.provider_output_hint.remote_id = text_of(output->id);
		event.provider_output_hint.state = !input->live ? OUTPUT_IDLE
						   : fails	? OUTPUT_ERROR
								: OUTPUT_ACTIVE;
		if (fails && input->live)
			event.provider_output_hint.error = TEXT("connection refused");
		sim_provider_say(self, &event,
				 (struct sim_saying){ (int64_t)draw(self, HINT_MAX_MS), 0 });
	}
}

void sim_publish(struct sim *self, struct text url, bool on)
{
	struct sim_provider *provider = &self->provider;
	struct sim_input *input = NULL;

	for (unsigned i = 0; i < provider->count && !input; i++)
		if (text_is(url, provider->inputs[i].ingest))
			input = &provider->inputs[i];
	if (!input || input->live == on)
		return;
	input->live = on;
	input->live_ms = self->now_ms;
	bool faulty = sim_has(self, FAULT_PROVIDER);
	bool lost = sim_chance(self, SIM_PROVIDER, provider->plan.hint_lost_ppm);
	bool twice = sim_chance(self, SIM_PROVIDER, provider->plan.hint_double_ppm);

	hint(self, input, lost && faulty);
	if (twice && faulty)
		hint(self, input, false);
	output_hints(self, input);
}
