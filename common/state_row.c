/* SPDX-License-Identifier: MIT */
/* A snapshot as a run of story events, and the hash that a replay must reach. */
#include "common/state_internal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The cursor is (part << 48 | slot << 8 | step): gateways, then each user with all it has. */
enum { PART_GATEWAYS, PART_USERS, PART_DONE };
enum { STEP_SESSION, STEP_ENDING, STEP_LINK, STEP_GLASSES, STEP_APPS };

#define APP_STEPS 2 /* app.changed, app.subscribed */

static uint64_t cursor_of(unsigned part, uint32_t slot, unsigned step)
{
	return (uint64_t)part << 48 | (uint64_t)slot << 8 | step;
}

static void gateway_row(const struct state_gateway *gateway, struct stream_event *out)
{
	*out = (struct stream_event){ .type = EVENT_GATEWAY_CHANGED, .seq = gateway->seq };
	out->gateway_changed.gateway = gateway->incarnation;
	out->gateway_changed.name = text_of(gateway->name);
	out->gateway_changed.state = gateway->state;
}

static void app_row(const struct state *self, const struct state_app *app, unsigned step,
		    struct stream_event *out)
{
	if (step == 0) {
		*out = (struct stream_event){ .type = EVENT_APP_CHANGED, .seq = app->seq };
		out->app_changed.package = state_text(self, app->package);
		out->app_changed.state = app->state;
		out->app_changed.app_type = app->type;
		out->app_changed.link = app->link;
		out->app_changed.gateway = app->gateway;
		return;
	}
	*out = (struct stream_event){ .type = EVENT_APP_SUBSCRIBED, .seq = app->subscribed_seq };
	out->app_subscribed.package = state_text(self, app->package);
	out->app_subscribed.types = state_text(self, app->types);
}

static void stream_row(const struct state *self, const struct state_stream *stream,
		       struct stream_event *out)
{
	*out = (struct stream_event){ .type = EVENT_SNAPSHOT_STREAM,
				      .seq = stream->seq,
				      .stream_id = state_text(self, stream->id),
				      .epoch = stream->epoch,
				      .stream_seq = stream->stream_seq };
	out->snapshot_stream.kind = stream->kind;
	out->snapshot_stream.package = state_text(self, stream->package);
	if (!stream->start_delivered) {
		out->snapshot_stream.rtmp_url = state_text(self, stream->rtmp_url);
		out->snapshot_stream.video = state_text(self, stream->video);
		out->snapshot_stream.audio = state_text(self, stream->audio);
		out->snapshot_stream.options = state_text(self, stream->options);
	}
	out->snapshot_stream.phase = stream->phase;
	out->snapshot_stream.created_ms = stream->created_ms;
	out->snapshot_stream.activity_ms = stream->activity_ms;
	out->snapshot_stream.opened_seq = stream->opened_seq;
	out->snapshot_stream.phase_seq = stream->activity_seq;
	out->snapshot_stream.status_seq = stream->status_seq;
	out->snapshot_stream.status_stream_seq = stream->status_stream_seq;
	out->snapshot_stream.missed = stream->missed;
	out->snapshot_stream.start_delivered = stream->start_delivered;
	out->snapshot_stream.was_live = stream->was_live;
	out->snapshot_stream.stop_owed = stream->stop_owed;
	out->snapshot_stream.told_id = state_text(self, stream->told_id);
	out->snapshot_stream.stop_app_id = state_text(self, stream->stop_app_id);
	out->snapshot_stream.told_owed = stream->told_owed;
	out->snapshot_stream.end_cause = stream->end_cause;
	out->snapshot_stream.hop = stream->hop;
}

static bool session_row(const struct state_user *user, unsigned step, struct stream_event *out)
{
	if (user->session == SESSION_NONE)
		return false;
	if (step == STEP_ENDING && user->session != SESSION_ENDING)
		return false;
	*out = (struct stream_event){ .type = step == STEP_ENDING ? EVENT_SESSION_ENDING
								  : EVENT_SESSION_OPENED,
				      .seq = user->session_seq };
	if (step == STEP_SESSION) {
		out->session_opened.waiting = user->session == SESSION_WAITING;
		/* One older, so that the ending row behind it still counts as news. */
		out->seq -= user->session == SESSION_ENDING;
	}
	return true;
}

static bool link_row(const struct state *self, const struct state_user *user, unsigned step,
		     struct stream_event *out)
{
	if (step == STEP_LINK) {
		if (user->link_state == LINK_NONE)
			return false;
		*out = (struct stream_event){ .type = EVENT_LINK_CHANGED, .seq = user->link_seq };
		out->link_changed.link = user->link;
		out->link_changed.gateway = user->gateway;
		out->link_changed.state = user->link_state;
		return true;
	}
	if (user->glasses_seq == 0 || user->session == SESSION_NONE)
		return false;
	*out = (struct stream_event){ .type = EVENT_GLASSES_CHANGED, .seq = user->glasses_seq };
	out->glasses_changed.model = state_text(self, user->model);
	out->glasses_changed.connected = user->connected;
	out->glasses_changed.wifi = user->wifi;
	return true;
}

/* Apps and streams are lists: the step counts along them. */
static bool list_row(const struct state *self, const struct state_user *user, unsigned step,
		     struct stream_event *out)
{
	uint32_t slot;

	for (slot = user->apps; slot != STATE_NONE && step >= APP_STEPS; step -= APP_STEPS)
		slot = self->apps[slot].next;
	if (slot != STATE_NONE) {
		app_row(self, &self->apps[slot], step, out);
		return true;
	}
	if (user->active != STATE_NONE && step-- == 0) {
		stream_row(self, &self->streams[user->active], out);
		return true;
	}
	for (slot = user->liabilities; slot != STATE_NONE && step > 0; step--)
		slot = self->streams[slot].next;
	if (slot == STATE_NONE)
		return false;
	stream_row(self, &self->streams[slot], out);
	return true;
}

static bool user_row(const struct state *self, const struct state_user *user, unsigned *step,
		     struct stream_event *out)
{
	for (; *step < STEP_APPS; (*step)++) {
		bool there = *step <= STEP_ENDING ? session_row(user, *step, out)
						  : link_row(self, user, *step, out);
		if (there)
			break;
	}
	if (*step >= STEP_APPS && !list_row(self, user, *step - STEP_APPS, out))
		return false;
	out->user_id = state_text(self, user->id);
	(*step)++;
	return true;
}

bool state_row(const struct state *self, uint64_t *cursor, struct stream_event *out)
{
	unsigned part = (unsigned)(*cursor >> 48);
	uint32_t slot = (uint32_t)(*cursor >> 8);
	unsigned step = (unsigned)(*cursor & 0xff);

	for (; part == PART_GATEWAYS; slot++) {
		if (slot == GATEWAYS_MAX) {
			part = PART_USERS;
			slot = 0;
			break;
		}
		if (self->gateways[slot].incarnation == 0)
			continue;
		gateway_row(&self->gateways[slot], out);
		*cursor = cursor_of(PART_GATEWAYS, slot + 1, 0);
		return true;
	}
	for (; part == PART_USERS && slot < self->users_fresh; slot++, step = 0) {
		const struct state_user *user = &self->users[slot];

		if (!user->used || user->dormant || !user_row(self, user, &step, out))
			continue;
		*cursor = cursor_of(PART_USERS, slot, step);
		return true;
	}
	*cursor = cursor_of(PART_DONE, 0, 0);
	return false;
}

static uint64_t hash_text(const struct state *self, struct pooled kept)
{
	struct text text = state_text(self, kept);

	return XXH3_64bits(text.bytes, text.length);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return XXH3_64bits_withSeed(&value, sizeof value, hash);
}

static uint64_t hash_app(const struct state *self, const struct state_app *app)
{
	uint64_t hash = hash_text(self, app->package);

	hash = mix(hash, hash_text(self, app->types));
	hash = mix(hash, app->seq);
	hash = mix(hash, app->subscribed_seq);
	hash = mix(hash, app->link);
	hash = mix(hash, app->gateway);
	return mix(hash, (uint64_t)app->state << 8 | app->wants);
}

static uint64_t hash_stream(const struct state *self, const struct state_stream *stream)
{
	uint64_t hash = hash_text(self, stream->id);

	hash = mix(hash, hash_text(self, stream->package));
	hash = mix(hash, hash_text(self, stream->told_id));
	hash = mix(hash, stream->epoch);
	hash = mix(hash, stream->seq);
	hash = mix(hash, stream->stream_seq);
	hash = mix(hash, stream->activity_seq);
	hash = mix(hash, stream->status_seq);
	hash = mix(hash, stream->missed);
	hash = mix(hash, (uint64_t)stream->kind << 24 | (uint64_t)stream->phase << 16 |
				 (uint64_t)stream->end_cause << 8 | stream->hop);
	return mix(hash, (uint64_t)stream->start_delivered << 2 | (uint64_t)stream->stop_owed << 1 |
				 stream->told_owed);
}

/* Sums, so that neither slot numbers nor list order matter. */
uint64_t state_hash(const struct state *self)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < self->users_fresh; i++) {
		const struct state_user *user = &self->users[i];
		uint64_t hash;

		if (!user->used || user->dormant)
			continue;
		hash = hash_text(self, user->id);
		hash = mix(hash, user->session_seq);
		hash = mix(hash, user->link_seq);
		hash = mix(hash, user->link_state == LINK_UP ? user->link : 0);
		hash = mix(hash, (uint64_t)user->session << 8 | user->link_state);
		hash = mix(hash, (uint64_t)user->connected << 8 | user->wifi);
		for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->apps[slot].next)
			if (self->apps[slot].state != APP_STOPPED)
				sum += mix(hash, hash_app(self, &self->apps[slot]));
		sum += hash;
	}
	for (uint32_t i = 0; i < self->streams_fresh; i++)
		if (self->streams[i].phase != PHASE_NONE)
			sum += hash_stream(self, &self->streams[i]);
	return sum;
}
