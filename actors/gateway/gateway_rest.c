/* SPDX-License-Identifier: MIT */
/* gateway_rest.c - REST calls that need the registry, and the session webhooks it asks for. */

#include "actors/gateway/gateway_internal.h"

/* ---- answers ---- */

struct edge_message *gateway_answer(struct gateway *self, uint64_t call, unsigned status,
				    enum edge_type type)
{
	struct gateway_out *out = gateway_out_add(self, GATEWAY_ANSWER, 0);

	out->call = call;
	out->code = status;
	out->message.type = type;
	return &out->message;
}

/* 503, in the words of the call. */
static void put_off(struct gateway *self, uint64_t call, enum gateway_action action,
		    struct text message)
{
	if (action >= GATEWAY_OUTPUT_ADD)
		gateway_output_refuse(self, call, 503, TEXT("INTERNAL_ERROR"), message);
	else
		gateway_answer(self, call, 503, EDGE_REST_ERROR)->rest_error.message = message;
}

static void refuse(struct gateway *self, uint64_t call, unsigned status, struct text message)
{
	gateway_answer(self, call, status, EDGE_REST_ERROR)->rest_error.message = message;
}

/* ---- calls ---- */

static struct rest *rest_slot(struct gateway *self)
{
	for (size_t i = 0; i < GATEWAY_REST_MAX; i++)
		if (self->rests[i].call == 0)
			return &self->rests[i];
	return NULL;
}

struct rest *gateway_rest_take(struct gateway *self, const struct gateway_edge *edge,
			       struct text name, int64_t now_ms)
{
	struct rest *rest = rest_slot(self);

	if (!rest || !pool_keep(&self->pool, name, &rest->name)) {
		self->counts.limit_rest++;
		put_off(self, edge->call, edge->action, TEXT("Too many calls at a time"));
		return NULL;
	}
	rest->call = edge->call;
	rest->action = edge->action;
	rest->request = ++self->requests;
	rest->due_ms = now_ms + self->options.request_timeout_ms;
	self->rest_count++;
	return rest;
}

void gateway_rest_free(struct gateway *self, struct rest *rest)
{
	pool_drop(&self->pool, &rest->name);
	*rest = (struct rest){ 0 };
	self->rest_count--;
}

struct rest *gateway_rest_find(struct gateway *self, uint64_t request)
{
	for (size_t i = 0; i < GATEWAY_REST_MAX; i++)
		if (self->rests[i].call != 0 && self->rests[i].request == request)
			return &self->rests[i];
	return NULL;
}

static void on_app(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms,
		   struct effects *fx)
{
	bool start = edge->action == GATEWAY_APP_START;
	const struct gateway_app *app = gateway_directory_find(self->directory, edge->package);
	struct rest *rest = gateway_rest_take(self, edge, edge->package, now_ms);

	if (!rest)
		return;
	struct stream_event *event =
		gateway_tell(self, NULL, start ? EVENT_EDGE_APP_START : EVENT_EDGE_APP_STOP, fx);

	event->origin = self->options.incarnation;
	event->request = rest->request;
	event->expires_ms = rest->due_ms;
	event->user_id = edge->user;
	if (start) {
		event->edge_app_start.package = edge->package;
		event->edge_app_start.rest = true;
		event->edge_app_start.known = app != NULL;
		event->edge_app_start.app_type = app ? app->type : APP_TYPE_NONE;
	} else {
		event->edge_app_stop.package = edge->package;
		event->edge_app_stop.rest = true;
		event->edge_app_stop.known = app != NULL;
	}
}

/* As the phone's message, in parts; a model without more means that there are glasses. */
static void on_device_state(struct gateway *self, const struct gateway_edge *edge,
			    struct effects *fx)
{
	const struct edge_message *message = edge->message;
	bool has_model = EDGE_HAS(message, device_state, model);
	bool connected = EDGE_HAS(message, device_state, connected)
				 ? message->device_state.connected
				 : has_model && message->device_state.model.length > 0;
	struct stream_event *event = gateway_tell(self, NULL, EVENT_EDGE_GLASSES, fx);

	event->user_id = edge->user;
	event->edge_glasses.has_state = has_model || EDGE_HAS(message, device_state, connected);
	event->edge_glasses.connected = connected;
	if (connected)
		event->edge_glasses.model = message->device_state.model;
	if (EDGE_HAS(message, device_state, wifi_connected))
		event->edge_glasses.wifi =
			message->device_state.wifi_connected ? WIFI_ON : WIFI_OFF;
	(void)gateway_answer(self, edge->call, 200, EDGE_REST_DONE);
}

void gateway_rest_called(struct gateway *self, const struct gateway_edge *edge, int64_t now_ms,
			 struct effects *fx)
{
	switch (edge->action) {
	case GATEWAY_APP_START:
	case GATEWAY_APP_STOP:
		on_app(self, edge, now_ms, fx);
		return;
	case GATEWAY_DEVICE_STATE:
		on_device_state(self, edge, fx);
		return;
	case GATEWAY_OUTPUT_ADD:
	case GATEWAY_OUTPUT_REMOVE:
	case GATEWAY_OUTPUT_LIST:
		gateway_output_called(self, edge, now_ms, fx);
		return;
	}
}

void gateway_rest_gone(struct gateway *self, uint64_t call)
{
	for (size_t i = 0; i < GATEWAY_REST_MAX && self->rest_count > 0; i++)
		if (self->rests[i].call == call)
			gateway_rest_free(self, &self->rests[i]);
}

static void on_result(struct gateway *self, struct rest *rest, enum result result)
{
	struct edge_message *message;

	switch (result) {
	case RESULT_OK:
	case RESULT_FAILED: /* it was started, and did not connect: that is no error of the call */
		message = gateway_answer(self, rest->call, 200, EDGE_REST_APP);
		message->rest_app.status =
			rest->action == GATEWAY_APP_START ? TEXT("started") : TEXT("stopped");
		message->rest_app.package = pool_text(&self->pool, rest->name);
		break;
	case RESULT_NOT_FOUND:
		refuse(self, rest->call, 404, TEXT("App not found"));
		break;
	case RESULT_NO_SESSION:
		refuse(self, rest->call, 401, TEXT("No active session"));
		break;
	default:
		refuse(self, rest->call, 503, TEXT("Not possible now, try again later"));
	}
	gateway_rest_free(self, rest);
}

void gateway_rest_result(struct gateway *self, const struct stream_event *event)
{
	struct rest *rest = gateway_rest_find(self, event->request);

	if (rest && rest->action <= GATEWAY_APP_STOP)
		on_result(self, rest, (enum result)event->registry_app_result.result);
	else
		self->counts.answers_late++;
}

int64_t gateway_rest_deadline(const struct gateway *self)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < GATEWAY_REST_MAX && self->rest_count > 0; i++)
		if (self->rests[i].call != 0 && self->rests[i].due_ms < due)
			due = self->rests[i].due_ms;
	return due;
}

void gateway_rest_expire(struct gateway *self, int64_t now_ms)
{
	for (size_t i = 0; i < GATEWAY_REST_MAX && self->rest_count > 0; i++) {
		struct rest *rest = &self->rests[i];

		if (rest->call == 0 || rest->due_ms > now_ms)
			continue;
		self->counts.requests_timed_out++;
		put_off(self, rest->call, rest->action, TEXT("No answer in time, try again later"));
		gateway_rest_free(self, rest);
	}
}

/* ---- webhooks ---- */

void gateway_hook_posted(struct gateway *self, const struct gateway_edge *edge, struct effects *fx)
{
	struct stream_event *event = gateway_tell(self, NULL, EVENT_EDGE_HOOK_DONE, fx);

	event->user_id = edge->user;
	event->edge_hook_done.package = edge->package;
	event->edge_hook_done.hook = edge->hook;
	event->edge_hook_done.hook_id = edge->hook_id;
	event->edge_hook_done.ok = edge->ok;
}

static void write_hook(struct gateway *self, const struct stream_event *event,
		       struct edge_message *message)
{
	struct text session =
		gateway_session_id(self, event->user_id, event->registry_hook.package);

	if (event->registry_hook.hook == HOOK_SESSION) {
		message->type = EDGE_SESSION_REQUEST;
		message->session_request.session_id = session;
		message->session_request.user_id = event->user_id;
		message->session_request.websocket_url = self->options.websocket_url;
	} else {
		message->type = EDGE_STOP_REQUEST;
		message->stop_request.session_id = session;
		message->stop_request.user_id = event->user_id;
		message->stop_request.reason = TEXT("user_disabled");
	}
}

void gateway_hook_asked(struct gateway *self, const struct stream_event *event, struct effects *fx)
{
	const struct gateway_app *app =
		gateway_directory_find(self->directory, event->registry_hook.package);

	if (!app || app->webhook.length == 0) {
		const struct gateway_edge failed = {
			.user = event->user_id,
			.package = event->registry_hook.package,
			.hook = (enum hook)event->registry_hook.hook,
			.hook_id = event->registry_hook.hook_id,
		};

		gateway_hook_posted(self, &failed, fx);
		return;
	}
	struct gateway_out *out = gateway_out_add(self, GATEWAY_POST, 0);

	out->url = app->webhook;
	out->user = event->user_id;
	out->package = event->registry_hook.package;
	out->hook = (enum hook)event->registry_hook.hook;
	out->hook_id = event->registry_hook.hook_id;
	write_hook(self, event, &out->message);
}
