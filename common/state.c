/* SPDX-License-Identifier: MIT */
#include "common/state.h"

#include <assert.h>

#include "common/state_internal.h"
#include "proto/list.h"

#define FORGET_MAX 512 /* dormant users in one call: a page of names, 0.2 ms */

static size_t aligned(size_t bytes)
{
	return (bytes + 63) & ~(size_t)63;
}

size_t state_bytes(const struct state_options *options)
{
	return aligned(options->users_max * sizeof(struct state_user)) +
	       aligned(options->apps_max * sizeof(struct state_app)) +
	       aligned(options->streams_max * sizeof(struct state_stream)) +
	       aligned(options->streams_max * sizeof(struct state_managed)) +
	       aligned(options->streams_max * sizeof(struct state_outputs)) +
	       aligned(STATE_LISTS_BYTES) + aligned(table_bytes(options->users_max)) +
	       aligned(table_bytes(options->streams_max)) + aligned(options->text_bytes) + 64;
}

static bool same_user(const void *context, uint32_t slot, struct text key)
{
	const struct state *self = context;

	return text_equal(state_text(self, self->users[slot].id), key);
}

static bool same_stream(const void *context, uint32_t slot, struct text key)
{
	const struct state *self = context;

	return text_equal(state_text(self, self->streams[slot].id), key);
}

void state_init(struct state *self, const struct state_options *options, void *memory)
{
	uint8_t *at = (uint8_t *)aligned((uintptr_t)memory);
	void *user_index, *stream_index;

	memset(self, 0, sizeof *self);
	self->options = *options;
	self->users = (struct state_user *)at;
	at += aligned(options->users_max * sizeof(struct state_user));
	self->apps = (struct state_app *)at;
	at += aligned(options->apps_max * sizeof(struct state_app));
	self->streams = (struct state_stream *)at;
	at += aligned(options->streams_max * sizeof(struct state_stream));
	self->managed = (struct state_managed *)at;
	at += aligned(options->streams_max * sizeof(struct state_managed));
	self->outputs = (struct state_outputs *)at;
	at += aligned(options->streams_max * sizeof(struct state_outputs));
	self->lists = at;
	at += aligned(STATE_LISTS_BYTES);
	user_index = at;
	at += aligned(table_bytes(options->users_max));
	stream_index = at;
	at += aligned(table_bytes(options->streams_max));
	table_init(&self->user_index, user_index, options->users_max,
		   (struct table_keys){ same_user, self, options->hash_seed });
	table_init(&self->stream_index, stream_index, options->streams_max,
		   (struct table_keys){ same_stream, self, 0 });
	pool_init(&self->pool, at, options->text_bytes);
	state_reset_slots(self);
}

void state_clear(struct state *self)
{
	const struct state_options options = self->options;

	memset(self->gateways, 0, sizeof self->gateways);
	memset(self->mark, 0, sizeof self->mark);
	self->mark_seq = 0;
	table_clear(&self->user_index);
	table_clear(&self->stream_index);
	pool_init(&self->pool, self->pool.region, options.text_bytes);
	self->users_count = self->apps_count = self->streams_count = 0;
	self->sessions_count = self->active_count = self->dormant_count = 0;
	state_reset_slots(self);
}

static bool texts_fit(const struct state *self)
{
	return pool_has_room(&self->pool, 2 * STREAM_EVENT_WIRE_MAX);
}

void state_settle(struct state *self)
{
	pool_settle(&self->pool);
	/* Remembering is a courtesy: it ends where somebody who is here would find no room. */
	for (unsigned i = 0; i < FORGET_MAX && self->dormant_count > 0 && !texts_fit(self); i++) {
		state_forget_oldest(self);
		pool_settle(&self->pool);
	}
}

bool state_has_room(const struct state *self)
{
	/* Each dormant user gives up an app at least; but one of them may be who comes. */
	uint32_t apps = self->options.apps_max - self->apps_count +
			(self->dormant_count > 0 ? self->dormant_count - 1 : 0);

	return (self->users_count < self->options.users_max || self->dormant_count > 0) &&
	       apps >= APPS_PER_USER_MAX && self->streams_count < self->options.streams_max &&
	       texts_fit(self);
}

struct text state_text(const struct state *self, struct pooled kept)
{
	return pool_text(&self->pool, kept);
}

uint32_t state_user_slot(const struct state *self, struct text id)
{
	return table_find(&self->user_index, id);
}

uint32_t state_stream_slot(const struct state *self, struct text id)
{
	return table_find(&self->stream_index, id);
}

struct state_user *state_user_of(const struct state *self, uint32_t slot)
{
	return slot < self->options.users_max && self->users[slot].used ? &self->users[slot] : NULL;
}

struct state_user *state_user_find(const struct state *self, struct text id)
{
	return id.length > 0 ? state_user_of(self, state_user_slot(self, id)) : NULL;
}

struct state_app *state_app_at(const struct state *self, uint32_t slot)
{
	return slot < self->options.apps_max ? &self->apps[slot] : NULL;
}

struct state_stream *state_stream_at(const struct state *self, uint32_t slot)
{
	return slot < self->options.streams_max && self->streams[slot].phase != PHASE_NONE
		       ? &self->streams[slot]
		       : NULL;
}

struct state_stream *state_stream_find(const struct state *self, struct text id)
{
	return id.length > 0 ? state_stream_at(self, state_stream_slot(self, id)) : NULL;
}

struct state_stream *state_active(const struct state *self, const struct state_user *user)
{
	return user ? state_stream_at(self, user->active) : NULL;
}

struct state_app *state_app_find(const struct state *self, const struct state_user *user,
				 struct text package)
{
	if (!user)
		return NULL;
	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->apps[slot].next)
		if (text_equal(state_text(self, self->apps[slot].package), package))
			return &self->apps[slot];
	return NULL;
}

struct state_gateway *state_gateway_find(const struct state *self, uint64_t incarnation)
{
	for (unsigned i = 0; i < GATEWAYS_MAX && incarnation != 0; i++)
		if (self->gateways[i].incarnation == incarnation)
			return (struct state_gateway *)&self->gateways[i];
	return NULL;
}

enum link_state state_link(const struct state *self, const struct state_user *user)
{
	if (user->link_state != LINK_UP)
		return user->link_state;
	const struct state_gateway *gateway = state_gateway_find(self, user->gateway);

	return gateway ? gateway->state : LINK_DOWN;
}

bool state_app_reachable(const struct state *self, const struct state_app *app)
{
	return app->state == APP_RUNNING && app->link != 0 &&
	       state_gateway_find(self, app->gateway);
}

uint8_t state_wants_of(struct text types)
{
	uint8_t wants = 0;
	struct wire wire;
	struct text type;
	uint32_t count;

	if (!list_read(types, &wire, &count))
		return 0;
	for (; count > 0 && wire_text(&wire, &type); count--) {
		if (text_is(type, "rtmp_stream_status"))
			wants |= WANTS_RTMP_STATUS;
		else if (text_is(type, "managed_stream_status"))
			wants |= WANTS_MANAGED_STATUS;
		else if (text_is(type, "all") || text_is(type, "*"))
			wants |= WANTS_ALL;
		else
			wants |= WANTS_OTHER;
	}
	return wants;
}
