/* SPDX-License-Identifier: MIT */
/* Who may start: checks and texts of protocol.md 3.2, in their order; the first failure wins. */
#include <stdarg.h>
#include <stdio.h>

#include "common/asks.h"
#include "proto/models.h"

#define SOCKET_CLOSED 3 /* readyState of a WebSocket that was there */

void asks_refuse(struct refusal *out, const char *code, const char *format, ...)
{
	va_list args;

	out->code = code;
	out->result = RESULT_FAILED;
	va_start(args, format);
	(void)vsnprintf(out->reason, sizeof out->reason, format, args);
	va_end(args);
}

static void refuse_link(struct refusal *out, enum link_state link)
{
	if (link == LINK_NONE)
		asks_refuse(out, "INTERNAL_ERROR",
			    "Cannot process stream request - phone is not connected (no "
			    "WebSocket)");
	else
		asks_refuse(out, "INTERNAL_ERROR",
			    "Cannot process stream request - phone WebSocket is not open (state: "
			    "%d)",
			    SOCKET_CLOSED);
}

static void refuse_not_running(struct refusal *out, struct text package)
{
	asks_refuse(out, "INTERNAL_ERROR", "App %.*s is not running", (int)package.length,
		    package.bytes);
}

void asks_judge(const struct asks *self, const struct ask *ask, enum kind kind, struct refusal *out)
{
	struct text package = asks_text(self, ask, ASK_PACKAGE);
	const struct state_user *user =
		state_user_find(self->state, asks_text(self, ask, ASK_USER));
	const struct state_app *app = state_app_find(self->state, user, package);
	struct text model = user ? state_text(self->state, user->model) : (struct text){ 0 };
	const struct model *device = model_find(model);
	enum link_state link = user ? state_link(self->state, user) : LINK_NONE;

	out->code = NULL;
	if (!ask->permitted)
		asks_refuse(out, "PERMISSION_DENIED",
			    "Camera permission required to start %s streams. Please add the CAMERA "
			    "permission in the developer console.",
			    kind == KIND_MANAGED ? "managed" : "video");
	else if (!app || !state_app_running(app))
		refuse_not_running(out, package);
	else if (link != LINK_UP)
		refuse_link(out, link);
	else if (!user->connected && !(device && device->simulated))
		asks_refuse(out, "INTERNAL_ERROR",
			    "Cannot process stream request - smart glasses are not connected");
	else if (device && device->has_wifi && user->wifi != WIFI_ON)
		asks_refuse(out, kind == KIND_MANAGED ? "INTERNAL_ERROR" : "WIFI_NOT_CONNECTED",
			    "Cannot process request - smart glasses must be connected to WiFi for "
			    "this operation");
}

void asks_judge_options(const struct ask *ask, struct refusal *out)
{
	if (ask->oversized)
		asks_refuse(
			out, "INTERNAL_ERROR",
			"Stream options too large: video, audio and stream may have %d bytes each",
			OPTION_MAX);
}

void asks_judge_result(const struct asks *self, const struct ask *ask,
		       const struct stream_event *event, struct refusal *out)
{
	enum result result = event->stream_result.result;
	enum kind running = event->stream_result.running;

	out->code = NULL;
	switch (result) {
	case RESULT_OK:
		return;
	case RESULT_APP_NOT_RUNNING:
		refuse_not_running(out, asks_text(self, ask, ASK_PACKAGE));
		return;
	case RESULT_NO_LINK:
		refuse_link(out, LINK_DOWN);
		return;
	case RESULT_NO_SESSION:
		refuse_link(out, LINK_NONE);
		return;
	case RESULT_FULL:
		asks_refuse(out, "INTERNAL_ERROR", "No room for another stream, try again later");
		return;
	case RESULT_NO_STORAGE:
		asks_refuse(out, "INTERNAL_ERROR",
			    "The cloud has no storage left for new streams, try again later");
		return;
	default:
		asks_refuse(out, "INTERNAL_ERROR", "Cannot start stream (%s%s%s)",
			    words_name(&result_words, result), running ? ": " : "",
			    running ? words_name(&kind_words, running) : "");
		return;
	}
}
