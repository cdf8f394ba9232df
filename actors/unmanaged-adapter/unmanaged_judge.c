/* SPDX-License-Identifier: MIT */
/* Who may start: checks and texts of protocol.md 3.2, in their order; the first failure wins. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "actors/unmanaged-adapter/unmanaged_internal.h"
#include "proto/edge.h"
#include "proto/models.h"

#define SOCKET_CLOSED 3 /* readyState of a WebSocket that was there */

static void refuse(struct refusal *out, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct refusal *out, const char *code, const char *format, ...)
{
	va_list args;

	out->code = code;
	va_start(args, format);
	(void)vsnprintf(out->reason, sizeof out->reason, format, args);
	va_end(args);
}

static void refuse_link(struct refusal *out, enum link_state link)
{
	if (link == LINK_NONE)
		refuse(out, "INTERNAL_ERROR",
		       "Cannot process stream request - phone is not connected (no WebSocket)");
	else
		refuse(out, "INTERNAL_ERROR",
		       "Cannot process stream request - phone WebSocket is not open (state: %d)",
		       SOCKET_CLOSED);
}

static void refuse_not_running(struct refusal *out, struct text package)
{
	refuse(out, "INTERNAL_ERROR", "App %.*s is not running", (int)package.length,
	       package.bytes);
}

static bool in_running_set(const struct state_app *app)
{
	return app && (app->state == APP_RUNNING || app->state == APP_GRACE);
}

void unmanaged_judge_start(const struct unmanaged *self, const struct unmanaged_pending *pending,
			   struct refusal *out)
{
	struct text package = pool_text(&self->texts, pending->package);
	const struct state_user *user =
		state_user_find(&self->state, pool_text(&self->texts, pending->user_id));
	struct text model = user ? unmanaged_text(self, user->model) : (struct text){ 0 };
	const struct model *device = model_find(model);
	enum link_state link = user ? state_link(&self->state, user) : LINK_NONE;

	out->code = NULL;
	if (!pending->permitted)
		refuse(out, "PERMISSION_DENIED",
		       "Camera permission required to start video streams. Please add the CAMERA "
		       "permission in the developer console.");
	else if (!in_running_set(state_app_find(&self->state, user, package)))
		refuse_not_running(out, package);
	else if (link != LINK_UP)
		refuse_link(out, link);
	else if (!user->connected && !(device && device->simulated))
		refuse(out, "INTERNAL_ERROR",
		       "Cannot process stream request - smart glasses are not connected");
	else if (device && device->has_wifi && user->wifi != WIFI_ON)
		refuse(out, "WIFI_NOT_CONNECTED",
		       "Cannot process request - smart glasses must be connected to WiFi for this "
		       "operation");
	else if (!edge_url_ok(pool_text(&self->texts, pending->rtmp_url)))
		refuse(out, "INTERNAL_ERROR", "Invalid RTMP URL");
	else if (pending->oversized)
		refuse(out, "INTERNAL_ERROR",
		       "Stream options too large: video, audio and stream may have %d bytes each",
		       OPTION_MAX);
}

void unmanaged_judge_result(const struct unmanaged *self, const struct unmanaged_pending *pending,
			    enum result result, enum kind running, struct refusal *out)
{
	out->code = NULL;
	switch (result) {
	case RESULT_OK:
		return;
	case RESULT_APP_NOT_RUNNING:
		refuse_not_running(out, pool_text(&self->texts, pending->package));
		return;
	case RESULT_NO_LINK:
		refuse_link(out, LINK_DOWN);
		return;
	case RESULT_NO_SESSION:
		refuse_link(out, LINK_NONE);
		return;
	case RESULT_FULL:
		refuse(out, "INTERNAL_ERROR", "No room for another stream, try again later");
		return;
	case RESULT_NO_STORAGE:
		refuse(out, "INTERNAL_ERROR",
		       "The cloud has no storage left for new streams, try again later");
		return;
	default:
		refuse(out, "INTERNAL_ERROR", "Cannot start stream (%s%s%s)",
		       words_name(&result_words, result), running ? ": " : "",
		       running ? words_name(&kind_words, running) : "");
		return;
	}
}
