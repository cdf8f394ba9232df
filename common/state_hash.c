/* SPDX-License-Identifier: MIT */
/* The hash that a replay must reach. */
#include "common/state_internal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

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
	return mix(hash,
		   (uint64_t)app->state << 16 | (uint64_t)app->type << 8 | (uint64_t)app->wants);
}

/* Not what outlives a session only where its apps are remembered: last_epoch, glasses_seq. */
static uint64_t hash_user(const struct state *self, const struct state_user *user)
{
	uint64_t hash = hash_text(self, user->id);

	hash = mix(hash, (uint64_t)user->session << 8 | user->link_state);
	if (user->session != SESSION_NONE) {
		hash = mix(hash, user->session_seq);
		hash = mix(hash, hash_text(self, user->model));
		hash = mix(hash, (uint64_t)user->connected << 8 | user->wifi);
	}
	if (user->link_state != LINK_NONE)
		hash = mix(hash, user->link_seq);
	if (user->link_state == LINK_UP) {
		hash = mix(hash, user->link);
		hash = mix(hash, user->gateway);
	}
	return hash;
}

static uint64_t hash_managed(const struct state *self, const struct state_managed *managed)
{
	uint64_t hash = hash_text(self, managed->input_id);

	hash = mix(hash, hash_text(self, managed->hls));
	hash = mix(hash, hash_text(self, managed->dash));
	hash = mix(hash, hash_text(self, managed->webrtc));
	hash = mix(hash, hash_text(self, managed->preview));
	hash = mix(hash, hash_text(self, managed->thumbnail));
	for (unsigned i = 0; i < VIEWERS_MAX; i++) {
		hash = mix(hash, hash_text(self, managed->viewers[i].package));
		hash = mix(hash, managed->viewers[i].state);
	}
	hash = mix(hash, managed->seq);
	return mix(hash, (uint64_t)managed->provider << 24 | (uint64_t)managed->input << 16 |
				 (uint64_t)managed->ingest << 8 | managed->playback);
}

/* Not where they lead, which is not published. */
static uint64_t hash_outputs(const struct state *self, const struct state_outputs *outputs)
{
	uint64_t hash = mix(outputs->seq, outputs->next_number);

	for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
		const struct state_output *output = &outputs->items[i];

		hash = mix(hash, hash_text(self, output->name));
		hash = mix(hash, hash_text(self, output->package));
		hash = mix(hash, hash_text(self, output->remote_id));
		hash = mix(hash, hash_text(self, output->error));
		hash = mix(hash, (uint64_t)output->number << 16 | (uint64_t)output->state << 8 |
					 (uint64_t)output->initial);
	}
	return hash;
}

/* Not the URL, which is not published, and not what only explains. */
static uint64_t hash_stream(const struct state *self, const struct state_stream *stream)
{
	uint64_t hash = hash_text(self, stream->id);

	hash = mix(hash, hash_text(self, stream->package));
	hash = mix(hash, hash_text(self, stream->told_id));
	hash = mix(hash, hash_text(self, stream->stop_app_id));
	hash = mix(hash, stream->epoch);
	hash = mix(hash, stream->seq);
	hash = mix(hash, stream->stream_seq);
	hash = mix(hash, stream->opened_seq);
	hash = mix(hash, stream->activity_seq);
	hash = mix(hash, stream->status_seq);
	hash = mix(hash, stream->status_stream_seq);
	hash = mix(hash, stream->missed);
	hash = mix(hash, (uint64_t)stream->created_ms);
	hash = mix(hash, (uint64_t)stream->kind << 24 | (uint64_t)stream->phase << 16 |
				 (uint64_t)stream->end_cause << 8 | stream->hop);
	hash = mix(hash, (uint64_t)stream->input_owed << 4 | (uint64_t)stream->was_live << 3 |
				 (uint64_t)stream->start_delivered << 2 |
				 (uint64_t)stream->stop_owed << 1 | stream->told_owed);
	if (stream->kind == KIND_MANAGED)
		hash = mix(hash, hash_managed(self, state_managed_of(self, stream)));
	/* What has ended has no outputs that anybody could ask for. */
	if (stream->kind == KIND_MANAGED && stream->phase != PHASE_CLOSED)
		hash = mix(hash, hash_outputs(self, state_outputs_of(self, stream)));
	return hash;
}

static uint64_t hash_gateway(const struct state_gateway *gateway)
{
	uint64_t hash = XXH3_64bits(gateway->name, strlen(gateway->name));

	hash = mix(hash, gateway->incarnation);
	hash = mix(hash, gateway->seq);
	return mix(hash, gateway->state);
}

/* Sums, so that neither slot numbers nor list order matter. */
uint64_t state_hash(const struct state *self)
{
	uint64_t sum = 0;

	if (self->mark[0] != '\0')
		sum += mix(XXH3_64bits(self->mark, strlen(self->mark)), self->mark_seq);
	for (unsigned i = 0; i < GATEWAYS_MAX; i++)
		if (self->gateways[i].incarnation != 0)
			sum += hash_gateway(&self->gateways[i]);
	for (uint32_t i = 0; i < self->users_fresh; i++) {
		const struct state_user *user = &self->users[i];
		uint64_t hash;

		if (!user->used || user->dormant)
			continue;
		hash = hash_user(self, user);
		for (uint32_t slot = user->apps; slot != STATE_NONE; slot = self->apps[slot].next)
			if (self->apps[slot].state != APP_STOPPED)
				sum += mix(hash, hash_app(self, &self->apps[slot]));
		sum += hash;
	}
	for (uint32_t i = 0; i < self->streams_fresh; i++)
		if (self->streams[i].phase != PHASE_NONE)
			sum += mix(hash_text(self, self->users[self->streams[i].user].id),
				   hash_stream(self, &self->streams[i]));
	return sum;
}
