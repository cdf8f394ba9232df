/* SPDX-License-Identifier: MIT */
/* gateway_outputs.c - REST calls about the outputs of managed streams. */

#include "actors/gateway/gateway_internal.h"

#define NO_STREAM TEXT("STREAM_NOT_FOUND"), TEXT("Managed stream not found")

void gateway_output_refuse(struct gateway *self, uint64_t call, unsigned status, struct text code,
			   struct text message)
{
	struct edge_message *error = gateway_answer(self, call, status, EDGE_OUTPUT_ERROR);

	error->output_error.error = code;
	error->output_error.message = message;
}

/* ---- calls ---- */

/* Outputs are numbered from 1; anything else names none. */
static uint64_t number_of(struct text id)
{
	uint64_t number = 0;

	if (id.length == 0 || id.length > 9 || id.bytes[0] == '0')
		return 0;
	for (uint32_t i = 0; i < id.length; i++) {
		if (id.bytes[i] < '0' || id.bytes[i] > '9')
			return 0;
		number = number * 10 + (uint64_t)(id.bytes[i] - '0');
	}
	return number;
}

static bool url_ok(struct gateway *self, const struct gateway_edge *edge)
{
	struct text url = edge->message->output.url;

	if (EDGE_OVERSIZED(edge->message, output, url)) {
		gateway_output_refuse(self, edge->call, 400, TEXT("INVALID_URL"),
				      TEXT("URL is too long"));
		return false;
	}
	if (url.length == 0) {
		gateway_output_refuse(self, edge->call, 400, TEXT("INVALID_URL"),
				      TEXT("URL is required and must be a string"));
		return false;
	}
	if (!edge_url_ok(url)) {
		gateway_output_refuse(self, edge->call, 400, TEXT("INVALID_URL_FORMAT"),
				      TEXT("URL must start with rtmp:// or rtmps://"));
		return false;
	}
	return true;
}

static struct stream_event *ask(const struct gateway_edge *edge, struct effects *fx)
{
	static const struct peer managed = { .role = ROLE_MANAGED };
	struct stream_event *event;

	switch (edge->action) {
	case GATEWAY_OUTPUT_ADD:
		event = effects_add(fx, EFFECT_REQUEST, managed, EVENT_REQUEST_OUTPUT_ADD);
		event->request_output_add.package = edge->package;
		event->request_output_add.url = edge->message->output.url;
		event->request_output_add.name = edge->message->output.name;
		return event;
	case GATEWAY_OUTPUT_REMOVE:
		event = effects_add(fx, EFFECT_REQUEST, managed, EVENT_REQUEST_OUTPUT_REMOVE);
		event->request_output_remove.package = edge->package;
		event->request_output_remove.output = number_of(edge->output_id);
		return event;
	default:
		event = effects_add(fx, EFFECT_REQUEST, managed, EVENT_REQUEST_OUTPUT_LIST);
		event->request_output_list.package = edge->package;
		return event;
	}
}

/* The caller is an app, and does not say whose stream it is: its id has to do. */
void gateway_output_called(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms,
			   struct effects *fx)
{
	if (edge->action == GATEWAY_OUTPUT_ADD && !url_ok(self, edge))
		return;
	if (edge->stream_id.length == 0 || edge->stream_id.length > STREAM_ID_MAX) {
		gateway_output_refuse(self, edge->call, 404, NO_STREAM);
		return;
	}
	struct rest *rest = gateway_rest_take(self, edge, edge->stream_id, now_ms);

	if (!rest)
		return;
	struct stream_event *event = ask(edge, fx);

	event->origin = self->options.incarnation;
	event->request = rest->request;
	event->expires_ms = rest->due_ms;
	event->stream_id = edge->stream_id;
}

/* ---- answers ---- */

/* The words of the adapter are only used where they say more than the code. */
static const struct {
	enum result result;
	unsigned status;
	struct text code, message;
	bool detailed;
} refusals[] = {
#define REFUSAL(result, status, code, message, detailed) \
	{ \
		result, status, { code, sizeof code - 1 }, { message, sizeof message - 1 }, \
			detailed \
	}
	REFUSAL(RESULT_BAD_URL, 400, "INVALID_URL_FORMAT", "URL is not allowed as a destination",
		true),
	REFUSAL(RESULT_NOT_FOUND, 404, "STREAM_NOT_FOUND", "Managed stream not found", false),
	REFUSAL(RESULT_NOT_VIEWER, 403, "NOT_A_VIEWER", "App must be viewing the stream", false),
	REFUSAL(RESULT_NOT_OWNER, 403, "NOT_AUTHORIZED", "Output was added by another app", false),
	REFUSAL(RESULT_LIMIT, 409, "MAX_OUTPUTS_REACHED",
		"Stream has reached maximum of 10 outputs", false),
	REFUSAL(RESULT_APP_LIMIT, 409, "MAX_APP_OUTPUTS_REACHED",
		"Your app has reached maximum of 10 outputs for this stream", false),
	REFUSAL(RESULT_DUPLICATE, 409, "DUPLICATE_URL",
		"This RTMP URL is already configured as an output", false),
	REFUSAL(RESULT_REFUSED, 502, "CLOUDFLARE_ERROR", "The provider refused the output", true),
	REFUSAL(RESULT_FAILED, 502, "CLOUDFLARE_ERROR", "The provider did not take the output",
		true),
	REFUSAL(RESULT_FULL, 503, "INTERNAL_ERROR", "Not possible now, try again later", false),
	REFUSAL(RESULT_NO_STORAGE, 503, "INTERNAL_ERROR", "Not possible now, try again later",
		false),
	REFUSAL(RESULT_EXPIRED, 503, "INTERNAL_ERROR", "No answer in time, try again later", false),
#undef REFUSAL
};
_Static_assert(OUTPUTS_MAX == 10, "as the words say");

static void refuse(struct gateway *self, uint64_t call, const struct stream_event *event)
{
	struct text reason = event->request_outputs.reason;

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (refusals[i].result == (enum result)event->request_outputs.result) {
			gateway_output_refuse(self, call, refusals[i].status, refusals[i].code,
					      refusals[i].detailed && reason.length > 0
						      ? reason
						      : refusals[i].message);
			return;
		}
	gateway_output_refuse(self, call, 500, TEXT("INTERNAL_ERROR"), TEXT("Not possible"));
}

static void answer_added(struct gateway *self, uint64_t call, uint64_t number)
{
	struct json_writer digits = { .bytes = self->arena + self->arena_used,
				      .size = EDGE_OUTPUT_ID_MAX };

	json_put_u64(&digits, number);
	self->arena_used += digits.length;
	gateway_answer(self, call, 200, EDGE_OUTPUT_ADDED)->output_added.output_id =
		(struct text){ digits.bytes, (uint32_t)digits.length };
}

static void answer_list(struct gateway *self, const struct rest *rest,
			const struct stream_event *event)
{
	struct edge_message *list = gateway_answer(self, rest->call, 200, EDGE_OUTPUT_LIST);
	uint32_t total;

	list->output_list.stream_id = pool_text(&self->pool, rest->name);
	list->output_list.outputs =
		gateway_outputs_json(self, event->request_outputs.outputs, true, &total);
	list->output_list.total = total;
	list->output_list.stream_max = list->output_list.app_max = OUTPUTS_MAX;
}

static void answer(struct gateway *self, const struct rest *rest, const struct stream_event *event)
{
	enum result result = (enum result)event->request_outputs.result;

	/* What is to be removed is missing, be it because of the stream. */
	if (rest->action == GATEWAY_OUTPUT_REMOVE && result == RESULT_NOT_FOUND)
		gateway_output_refuse(self, rest->call, 404, TEXT("OUTPUT_NOT_FOUND"),
				      TEXT("Output not found"));
	else if (result != RESULT_OK)
		refuse(self, rest->call, event);
	else if (rest->action == GATEWAY_OUTPUT_ADD)
		answer_added(self, rest->call, event->request_outputs.output);
	else if (rest->action == GATEWAY_OUTPUT_REMOVE)
		gateway_answer(self, rest->call, 200, EDGE_OUTPUT_REMOVED);
	else
		answer_list(self, rest, event);
}

void gateway_output_result(struct gateway *self, const struct stream_event *event)
{
	struct rest *rest = gateway_rest_find(self, event->request);

	if (!rest || rest->action < GATEWAY_OUTPUT_ADD) {
		self->counts.answers_late++;
		return;
	}
	answer(self, rest, event);
	gateway_rest_free(self, rest);
}
