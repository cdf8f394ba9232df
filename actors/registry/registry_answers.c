/* SPDX-License-Identifier: MIT */
/* Repeated requests get the first answer, also from a later life of the registry. */
#include "actors/registry/registry_internal.h"

static struct registry_answer *answer_slot(struct registry *self, uint64_t origin, uint64_t request)
{
	/* Four places for each hash; the oldest of them makes room. */
	uint64_t mixed = (origin ^ request * UINT64_C(0x9e3779b97f4a7c15)) >> 7;
	uint64_t base = mixed * 4 & (REGISTRY_ANSWERS - 1);
	struct registry_answer *oldest = &self->answers[base];

	for (unsigned i = 0; i < 4; i++) {
		struct registry_answer *answer = &self->answers[base + i];

		if (answer->origin == origin && answer->request == request)
			return answer;
		if (oldest->request != 0 && (answer->request == 0 || answer->at < oldest->at))
			oldest = answer;
	}
	return oldest;
}

const struct registry_answer *registry_answer_find(struct registry *self,
						   const struct stream_event *event)
{
	const struct registry_answer *answer = answer_slot(self, event->origin, event->request);

	if (event->request == 0 || answer->request != event->request ||
	    answer->origin != event->origin)
		return NULL;
	self->stats.answered_again++;
	return answer;
}

static void result_send(struct registry *self, const struct input *input,
			const struct registry_answer *answer)
{
	struct stream_event *event = registry_send(self, input->peer, EVENT_STREAM_RESULT, NULL);

	event->user_id = input->event->user_id;
	event->stream_id = (struct text){ answer->stream_id, answer->id_length };
	event->epoch = answer->epoch;
	event->cause = answer->seq;
	event->stream_result.result = answer->result;
	event->stream_result.running = answer->running;
	event->stream_result.output = answer->output;
}

bool registry_answered_before(struct registry *self, const struct input *input)
{
	const struct registry_answer *answer = registry_answer_find(self, input->event);

	if (!answer)
		return false;
	result_send(self, input, answer);
	return true;
}

/* What has no id cannot be asked again. */
struct registry_answer *registry_answer_keep(struct registry *self,
					     const struct stream_event *event, enum result result,
					     enum kind running, const struct state_stream *stream)
{
	struct registry_answer *answer = event->request
						 ? answer_slot(self, event->origin, event->request)
						 : &self->unnumbered;

	*answer = (struct registry_answer){
		.origin = event->origin,
		.request = event->request,
		.result = (uint8_t)result,
		.running = (uint8_t)running,
		.epoch = stream ? stream->epoch : 0,
		.at = ++self->answered,
		.seq = self->seq,
	};
	if (stream) {
		struct text id = registry_text(self, stream->id);

		memcpy(answer->stream_id, id.bytes, id.length);
		answer->id_length = (uint8_t)id.length;
	}
	return answer;
}

void registry_answer(struct registry *self, const struct input *input, enum result result,
		     enum kind running, const struct state_stream *stream)
{
	result_send(self, input, registry_answer_keep(self, input->event, result, running, stream));
}

void registry_answer_output(struct registry *self, const struct input *input, enum result result,
			    const struct state_stream *stream, uint64_t output)
{
	struct registry_answer *answer =
		registry_answer_keep(self, input->event, result, KIND_NONE, stream);

	answer->output = (uint32_t)output;
	result_send(self, input, answer);
}

/* Whether requests are answered by what led to @event. */
static bool is_answer(const struct stream_event *event)
{
	switch (event->type) {
	case EVENT_STREAM_OPENED:
	case EVENT_STREAM_CLOSED:
	case EVENT_STREAM_JOINED:
	case EVENT_STREAM_LEFT:
	case EVENT_STREAM_OUTPUT:
		return event->request != 0;
	default:
		return false;
	}
}

/* A stream that was closed to make room for another answers nothing: its opening does. */
void registry_load_story(struct registry *self, const struct stream_event *event)
{
	if (!is_answer(event))
		return;
	struct registry_answer *answer = answer_slot(self, event->origin, event->request);

	*answer = (struct registry_answer){
		.origin = event->origin,
		.request = event->request,
		.result = RESULT_OK,
		.epoch = event->epoch,
		.at = ++self->answered,
		.seq = event->seq,
		.id_length = (uint8_t)event->stream_id.length,
	};
	if (event->type == EVENT_STREAM_OUTPUT)
		answer->output = (uint32_t)event->stream_output.output;
	memcpy(answer->stream_id, event->stream_id.bytes, event->stream_id.length);
}
