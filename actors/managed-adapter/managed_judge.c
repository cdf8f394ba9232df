/* SPDX-License-Identifier: MIT */
/* Who may watch: the checks of protocol.md 3.2 that are about managed streams, in their order. */
#include <inttypes.h>

#include "actors/managed-adapter/managed_destination.h"
#include "actors/managed-adapter/managed_internal.h"

#define NOT_CONFIGURED "Managed streaming is not configured"
#define UNMANAGED_RUNS "Cannot start managed stream - unmanaged stream already active"

static void judge_provision(struct managed *self, const struct ask *ask,
			    const struct state_user *user, struct refusal *out)
{
	struct text destinations = asks_text(&self->asks, ask, ASK_DESTINATIONS);
	int64_t wait_s;

	asks_judge_options(ask, out);
	if (out->code)
		return;
	if (ask->destinations_oversized)
		asks_refuse(out, "INTERNAL_ERROR",
			    "restreamDestinations too large: it may have %d bytes",
			    DESTINATIONS_MAX);
	else if (!managed_destinations_ok(destinations))
		asks_refuse(out, "INTERNAL_ERROR",
			    "restreamDestinations must be an array of {url, name}");
	else if (managed_governed(self, user, asks_text(&self->asks, ask, ASK_USER), &wait_s))
		asks_refuse(out, "INTERNAL_ERROR",
			    "Too many managed streams started, try again in %" PRId64 " s", wait_s);
}

void managed_judge_watch(struct managed *self, const struct ask *ask, struct refusal *out)
{
	asks_judge(&self->asks, ask, KIND_MANAGED, out);
	if (out->code)
		return;
	const struct state_user *user =
		state_user_find(&self->state, asks_text(&self->asks, ask, ASK_USER));
	const struct state_stream *active = state_active(&self->state, user);

	if (active && active->kind == KIND_UNMANAGED)
		asks_refuse(out, "INTERNAL_ERROR", UNMANAGED_RUNS);
	else if (self->options.provider == PROVIDER_NONE)
		asks_refuse(out, "INTERNAL_ERROR", NOT_CONFIGURED);
	else if (!active) /* what joins needs nothing new */
		judge_provision(self, ask, user, out);
}

void managed_judge_result(const struct managed *self, const struct ask *ask,
			  const struct stream_event *event, struct refusal *out)
{
	asks_judge_result(&self->asks, ask, event, out);
	if (event->stream_result.result == RESULT_CONFLICT &&
	    event->stream_result.running == KIND_UNMANAGED)
		asks_refuse(out, "INTERNAL_ERROR", UNMANAGED_RUNS);
}

/* protocol.md 3.2 #10: an app is told that way of a stream that never began. */
void managed_judge_closed(const struct state *state, const struct state_stream *stream,
			  struct refusal *out)
{
	struct text detail = stream ? state_text(state, stream->detail) : (struct text){ 0 };

	out->code = NULL;
	if (!stream)
		asks_refuse(out, "INTERNAL_ERROR",
			    "Failed to create live stream: it was over before it began");
	else if (stream->end_cause == END_PROVIDER_ERROR)
		asks_refuse(out, "INTERNAL_ERROR", "Failed to create live stream: %.*s",
			    (int)detail.length, detail.length > 0 ? detail.bytes : "");
}
