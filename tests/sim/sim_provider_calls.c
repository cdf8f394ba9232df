/* SPDX-License-Identifier: MIT */
/* sim_provider_calls.c - what calls do at the provider, once they are there. */
#include <stdio.h>

#include "tests/sim/sim_world.h"

#define OUTPUT_REFUSED_PPM 150000
#define SILENT_PPM 150000 /* a description without what is seen */

static struct {
	char hls[PLAYBACK_URL_MAX], dash[PLAYBACK_URL_MAX], preview[PLAYBACK_URL_MAX];
	uint8_t inputs[INPUTS_BYTES];
} texts; /* of the last answer */

static struct text url(char buffer[PLAYBACK_URL_MAX], const char *form, const char *id)
{
	int length = snprintf(buffer, PLAYBACK_URL_MAX, "https://play.test/%s/%s", id, form);

	return (struct text){ buffer, (uint32_t)length };
}

static void gone(struct stream_event *answer)
{
	answer->provider_done.outcome = CALL_GONE;
	answer->provider_done.detail = TEXT("no such input");
}

static void create(struct sim *self, const struct stream_event *call, struct stream_event *answer)
{
	const struct sim_provider_plan *plan = &self->provider.plan;
	struct text mark = call->provider_create.mark;
	struct sim_input *input = sim_input_of(self, mark, call->stream_id);

	if (input && (plan->idempotent || plan->kind == PROVIDER_LOCAL)) {
		SIM_SOMETIMES(self, "a second create returns the first input");
	} else {
		if (input)
			SIM_SOMETIMES(self, "a second create makes a second input");
		input = sim_input_make(self, mark, call->stream_id);
		if (input && self->observer.input_made)
			self->observer.input_made(self->observer.context, input);
	}
	if (!input) {
		answer->provider_done.outcome = CALL_REFUSED;
		answer->provider_done.detail = TEXT("too many inputs");
		return;
	}
	answer->provider_done.input_id = text_of(input->id);
	answer->provider_done.ingest = text_of(input->ingest);
	answer->provider_done.hls = url(texts.hls, "video.m3u8", input->id);
	answer->provider_done.dash = url(texts.dash, "video.mpd", input->id);
}

/* The local driver is told what an earlier life of it has made. */
static void adopt(struct sim *self, const struct stream_event *call)
{
	struct text id = call->provider_adopt.input_id;

	if (self->provider.plan.kind != PROVIDER_LOCAL)
		return;
	if (id.length == 0) {
		sim_inputs_settle(self);
		return;
	}
	if (sim_input_adopt(self, id))
		SIM_SOMETIMES(self, "the local provider adopts an input");
}

static void describe(struct sim *self, const struct stream_event *call, struct stream_event *answer)
{
	const struct sim_input *input = sim_input_find(self, call->provider_describe.input_id);
	bool silent = sim_chance(self, SIM_PROVIDER, SILENT_PPM) && sim_has(self, FAULT_PROVIDER);

	if (!input) {
		gone(answer);
		return;
	}
	answer->provider_done.input_id = text_of(input->id);
	answer->provider_done.ingest_state = silent	      ? INGEST_UNKNOWN
					     : input->live    ? INGEST_LIVE
					     : input->live_ms ? INGEST_LOST
							      : INGEST_IDLE;
	if (!input->live || input->playable_ms > self->now_ms - input->live_ms)
		return;
	answer->provider_done.playable = true;
	answer->provider_done.hls = url(texts.hls, "live.m3u8", input->id);
	answer->provider_done.dash = url(texts.dash, "live.mpd", input->id);
	answer->provider_done.preview = url(texts.preview, "watch", input->id);
}

static void delete (struct sim *self, const struct stream_event *call, struct stream_event *answer)
{
	struct sim_input *input = sim_input_find(self, call->provider_delete.input_id);

	if (!input) {
		gone(answer);
		return;
	}
	if (input->refusals > 0) {
		SIM_SOMETIMES(self, "a deletion must be asked for again");
		input->refusals--;
		answer->provider_done.outcome = CALL_RETRY;
		answer->provider_done.detail = TEXT("a recording is under way");
		return;
	}
	sim_input_delete(self, input);
}

static void put_input(struct sim *self, const struct sim_input *input, struct list_writer *list)
{
	int64_t age_s = (self->now_ms - input->created_ms) / 1000;

	list_open_member(list, 4);
	list_put_text(list, text_of(input->id));
	list_put_text(list, text_of(input->mark));
	list_put_text(list, text_of(input->stream_id));
	list_put_u64(list, self->provider.plan.ages ? (uint64_t)age_s : 0);
	(void)list_close_member(list);
}

/* Pages count from the newest as it is at that moment: what comes and goes meanwhile shifts the
 * rest, so that inputs come twice, or not at all.
 */
static void list(struct sim *self, const struct stream_event *call, struct stream_event *answer)
{
	const struct sim_provider *provider = &self->provider;
	uint64_t skipped = call->provider_list.page * provider->plan.page;
	struct list_writer writer;
	unsigned on_page = 0;

	list_begin(&writer, texts.inputs, sizeof texts.inputs);
	for (; skipped + on_page < provider->count && on_page < provider->plan.page; on_page++)
		put_input(self, &provider->inputs[provider->count - 1 - skipped - on_page],
			  &writer);
	answer->provider_page.inputs = list_end(&writer);
	if (skipped + on_page < provider->count)
		answer->provider_page.next_page = call->provider_list.page + 1;
	answer->provider_page.total = provider->plan.totals ? provider->count : 0;
}

static struct sim_output *output_free(struct sim_input *input)
{
	for (unsigned i = 0; i < OUTPUTS_MAX; i++)
		if (!input->outputs[i].used)
			return &input->outputs[i];
	return NULL;
}

static void output_add(struct sim *self, const struct stream_event *call,
		       struct stream_event *answer)
{
	struct sim_input *input = sim_input_find(self, call->provider_output_add.input_id);
	struct sim_output *output = input ? output_free(input) : NULL;
	bool refused = sim_chance(self, SIM_PROVIDER, OUTPUT_REFUSED_PPM);

	if (!input) {
		gone(answer);
		return;
	}
	if (!output || (refused && sim_has(self, FAULT_PROVIDER))) {
		SIM_SOMETIMES(self, "an output is refused by the provider");
		answer->provider_done.outcome = CALL_REFUSED;
		answer->provider_done.detail = TEXT("no such destination");
		return;
	}
	*output = (struct sim_output){ .used = true, .number = call->provider_output_add.output };
	(void)snprintf(output->id, sizeof output->id, "out%06llu",
		       (unsigned long long)++self->provider.made);
	text_put(call->provider_output_add.url, output->url, sizeof output->url);
	answer->provider_done.remote_id = text_of(output->id);
}

static void output_remove(struct sim *self, const struct stream_event *call,
			  struct stream_event *answer)
{
	struct sim_input *input = sim_input_find(self, call->provider_output_remove.input_id);

	for (unsigned i = 0; input && i < OUTPUTS_MAX; i++)
		if (input->outputs[i].used &&
		    text_is(call->provider_output_remove.remote_id, input->outputs[i].id)) {
			input->outputs[i].used = false;
			return;
		}
	gone(answer);
}

void sim_provider_serve(struct sim *self, const struct stream_event *call,
			struct stream_event *answer)
{
	switch (call->type) {
	case EVENT_PROVIDER_CREATE:
		create(self, call, answer);
		return;
	case EVENT_PROVIDER_ADOPT:
		adopt(self, call);
		return;
	case EVENT_PROVIDER_DESCRIBE:
		describe(self, call, answer);
		return;
	case EVENT_PROVIDER_DELETE:
		delete (self, call, answer);
		return;
	case EVENT_PROVIDER_LIST:
		list(self, call, answer);
		return;
	case EVENT_PROVIDER_OUTPUT_ADD:
		output_add(self, call, answer);
		return;
	case EVENT_PROVIDER_OUTPUT_REMOVE:
		output_remove(self, call, answer);
		return;
	case EVENT_PROVIDER_QUOTA:
		answer->provider_done.used = self->provider.count;
		answer->provider_done.limit = 1000;
		return;
	default:
		return;
	}
}
