/* SPDX-License-Identifier: MIT */
/* A provider that does as it is told (tests/lib/managed_stage.h). */
#include <assert.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/list.h"
#include "tests/lib/managed_stage_internal.h"

static struct stage_packet *held[STAGE_CALLS_MAX];
static uint32_t held_count;

static uint64_t call_of(const struct stream_event *event)
{
	switch (event->type) {
	case EVENT_PROVIDER_CREATE:
		return event->provider_create.call;
	case EVENT_PROVIDER_DESCRIBE:
		return event->provider_describe.call;
	case EVENT_PROVIDER_DELETE:
		return event->provider_delete.call;
	case EVENT_PROVIDER_LIST:
		return event->provider_list.call;
	case EVENT_PROVIDER_OUTPUT_ADD:
		return event->provider_output_add.call;
	case EVENT_PROVIDER_OUTPUT_REMOVE:
		return event->provider_output_remove.call;
	default:
		return event->provider_quota.call;
	}
}

struct stage_input *stage_input(const char *id)
{
	for (uint32_t i = 0; i < stage.inputs_count; i++)
		if (strcmp(stage.inputs[i].id, id) == 0)
			return &stage.inputs[i];
	return NULL;
}

static struct stage_input *input_of(struct text id)
{
	char name[INPUT_ID_MAX + 1];

	return stage_input(text_put(id, name, sizeof name));
}

struct stage_input *stage_input_add(const char *id, const char *mark, uint64_t age_s)
{
	assert(stage.inputs_count < STAGE_INPUTS_MAX);
	struct stage_input *input = &stage.inputs[stage.inputs_count++];

	*input = (struct stage_input){ .age_s = age_s, .there = true };
	(void)snprintf(input->id, sizeof input->id, "%s", id);
	(void)snprintf(input->mark, sizeof input->mark, "%s", mark);
	return input;
}

uint32_t stage_inputs_there(void)
{
	uint32_t there = 0;

	for (uint32_t i = 0; i < stage.inputs_count; i++)
		there += stage.inputs[i].there && strcmp(stage.inputs[i].mark, STAGE_MARK) == 0;
	return there;
}

static struct stage_input *create(const struct stream_event *call)
{
	static unsigned names;
	char id[16];

	for (uint32_t i = 0; i < stage.inputs_count && stage.honours; i++)
		if (text_is(call->stream_id, stage.inputs[i].stream_id) && stage.inputs[i].there)
			return &stage.inputs[i];
	names = stage.inputs_count + 1;
	(void)snprintf(id, sizeof id, "I%u", names);
	struct stage_input *input = stage_input_add(id, "", 0);

	(void)text_put(call->provider_create.mark, input->mark, sizeof input->mark);
	(void)text_put(call->stream_id, input->stream_id, sizeof input->stream_id);
	return input;
}

static void answer_list(const struct stream_event *call, struct stream_event *answer)
{
	static uint8_t bytes[INPUTS_BYTES];
	uint32_t from = (uint32_t)call->provider_list.page, to = from + stage.page_size;
	struct list_writer list;

	list_begin(&list, bytes, sizeof bytes);
	for (uint32_t i = from; i < to && i < stage.inputs_count; i++) {
		const struct stage_input *input = &stage.inputs[i];

		if (!input->there)
			continue;
		list_open_member(&list, 4);
		list_put_text(&list, text_of(input->id));
		list_put_text(&list, text_of(input->mark));
		list_put_text(&list, text_of(input->stream_id));
		list_put_u64(&list, input->age_s);
		cr_assert(list_close_member(&list));
	}
	answer->provider_page.inputs = list_end(&list);
	answer->provider_page.next_page = to < stage.inputs_count ? to : 0;
}

static void answer_create(const struct stage_input *input, struct stream_event *answer)
{
	static char ingest[64], hls[64], dash[64];

	(void)snprintf(ingest, sizeof ingest, "rtmp://in/%s", input->id);
	(void)snprintf(hls, sizeof hls, "http://v/%s.m3u8", input->id);
	(void)snprintf(dash, sizeof dash, "http://v/%s.mpd", input->id);
	answer->provider_done.input_id = text_of(input->id);
	answer->provider_done.ingest = text_of(ingest);
	answer->provider_done.hls = text_of(hls);
	answer->provider_done.dash = text_of(dash);
	answer->provider_done.preview = TEXT("http://v/preview");
	answer->provider_done.thumbnail = TEXT("http://v/thumbnail");
}

/* What the call does, and what a good answer says. */
static void take_effect(const struct stream_event *call, struct stream_event *answer)
{
	static char remote[16];
	struct stage_input *input;

	switch (call->type) {
	case EVENT_PROVIDER_CREATE:
		answer_create(create(call), answer);
		return;
	case EVENT_PROVIDER_DELETE:
		input = input_of(call->provider_delete.input_id);
		if (!input || !input->there)
			answer->provider_done.outcome = CALL_GONE;
		else
			input->there = false;
		return;
	case EVENT_PROVIDER_DESCRIBE:
		input = input_of(call->provider_describe.input_id);
		if (!input || !input->there) {
			answer->provider_done.outcome = CALL_GONE;
			return;
		}
		answer->provider_done.ingest_state = input->ingest;
		answer->provider_done.playable = input->playable;
		if (input->details)
			answer->provider_done.preview = TEXT("http://v/details");
		return;
	case EVENT_PROVIDER_OUTPUT_ADD:
		(void)snprintf(remote, sizeof remote, "R%u",
			       (unsigned)call->provider_output_add.output);
		answer->provider_done.remote_id = text_of(remote);
		return;
	case EVENT_PROVIDER_QUOTA:
		answer->provider_done.used = 10;
		answer->provider_done.limit = 1000;
		return;
	default:
		return;
	}
}

static bool take_plan(enum stream_event_type type, struct stage_plan *out)
{
	for (uint32_t i = 0; i < stage.plans_count; i++) {
		if (stage.plans[i].type != type)
			continue;
		*out = stage.plans[i];
		memmove(&stage.plans[i], &stage.plans[i + 1],
			(--stage.plans_count - i) * sizeof stage.plans[0]);
		return true;
	}
	return false;
}

static void add_plan(struct stage_plan plan)
{
	assert(stage.plans_count < STAGE_PLANS_MAX);
	stage.plans[stage.plans_count++] = plan;
}

void stage_plan(enum stream_event_type type, enum call_outcome outcome, const char *detail)
{
	add_plan((struct stage_plan){ .type = type, .outcome = outcome, .detail = detail });
}

void stage_plan_effect(enum stream_event_type type, enum call_outcome outcome, const char *detail)
{
	add_plan((struct stage_plan){
		.type = type, .outcome = outcome, .detail = detail, .effect = true });
}

static void serve(const struct stream_event *call)
{
	bool list = call->type == EVENT_PROVIDER_LIST;
	struct stage_plan plan = { .outcome = CALL_OK, .detail = "", .effect = true };
	struct stream_event answer = { .type = list ? EVENT_PROVIDER_PAGE : EVENT_PROVIDER_DONE };

	(void)take_plan(call->type, &plan);
	if (list) {
		answer.provider_page.call = call_of(call);
		answer.provider_page.outcome = plan.outcome;
		answer.provider_page.detail = text_of(plan.detail);
		answer.provider_page.retry_ms = plan.retry_ms;
		if (plan.outcome == CALL_OK)
			answer_list(call, &answer);
	} else {
		answer.provider_done.outcome = CALL_OK;
		if (plan.effect)
			take_effect(call, &answer);
		if (plan.outcome != CALL_OK)
			answer = (struct stream_event){ .type = EVENT_PROVIDER_DONE,
							.provider_done.outcome = plan.outcome };
		answer.provider_done.call = call_of(call);
		answer.provider_done.detail = text_of(plan.detail);
		answer.provider_done.retry_ms = plan.retry_ms;
	}
	stage_put(TO_ADAPTER, (struct peer){ ROLE_PROVIDER, 0 }, &answer, false);
}

void stage_call_made(const struct stream_event *event)
{
	stage_log_call(event);
	if (event->type == EVENT_PROVIDER_ADOPT)
		return;
	if (!stage.hold) {
		serve(event);
		return;
	}
	assert(held_count < STAGE_CALLS_MAX);
	held[held_count++] = stage_packet_of(TO_ADAPTER, (struct peer){ 0 }, event, false);
}

uint32_t stage_held(void)
{
	return held_count;
}

void stage_release(void)
{
	uint32_t count = held_count;

	held_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct stream_event event;

		stage_packet_read(held[i], &event);
		serve(&event);
		free(held[i]);
	}
	stage_pump();
}

void stage_drop_held(void)
{
	while (held_count > 0)
		free(held[--held_count]);
}
