/* SPDX-License-Identifier: MIT */
#include "tests/lib/state_audit.h"

#include <stdlib.h>

#include "common/phase.h"

#define CHECK(holds, what) \
	do { \
		if (!(holds)) \
			return (what); \
	} while (0)

static uint64_t block_bytes(struct pooled kept)
{
	uint64_t bytes = kept.length > 0 ? POOL_BLOCK_MIN : 0;

	while (bytes < kept.length)
		bytes *= 2;
	return bytes;
}

static const char *audit_gateways(const struct state *state)
{
	for (unsigned i = 0; i < GATEWAYS_MAX; i++)
		for (unsigned k = 0; k < i && state->gateways[i].incarnation != 0; k++)
			CHECK(state->gateways[i].incarnation != state->gateways[k].incarnation,
			      "a gateway stands in two slots");
	return NULL;
}

static const char *audit_dormant(const struct state *state)
{
	uint32_t count = 0, newer = STATE_NONE;

	for (uint32_t slot = state->dormant_newest; slot != STATE_NONE;
	     slot = state->users[slot].older) {
		CHECK(++count <= state->users_count, "the dormant users go round in a circle");
		CHECK(state->users[slot].used && state->users[slot].dormant,
		      "a user among the dormant is not");
		CHECK(state->users[slot].newer == newer, "the dormant users are linked badly");
		newer = slot;
	}
	CHECK(newer == state->dormant_oldest, "the oldest dormant user is another");
	CHECK(count == state->dormant_count, "dormant users are counted wrongly");
	return NULL;
}

static const char *audit_user(const struct state *state, uint32_t slot, bool owner)
{
	const struct state_user *user = &state->users[slot];
	bool streams = user->active != STATE_NONE || user->liabilities != STATE_NONE;
	bool present = user->session != SESSION_NONE || streams;

	CHECK(state_user_find(state, state_text(state, user->id)) == user,
	      "a user is not found under its name");
	CHECK(present || user->apps != STATE_NONE || !owner, "a user is left with nothing");
	CHECK(!user->dormant || (!present && user->apps != STATE_NONE),
	      "a dormant user is here, or has nothing to remember");
	CHECK(user->dormant || present || !owner, "an absent user is not dormant");
	for (uint32_t app = user->apps; user->dormant && app != STATE_NONE;
	     app = state->apps[app].next)
		CHECK(state->apps[app].state == APP_STOPPED, "an app of an absent user runs");
	return NULL;
}

static const char *audit_apps(const struct state *state)
{
	uint32_t count = 0, freed = 0;

	for (uint32_t i = 0; i < state->users_fresh; i++) {
		if (!state->users[i].used)
			continue;
		for (uint32_t slot = state->users[i].apps; slot != STATE_NONE;
		     slot = state->apps[slot].next) {
			CHECK(++count <= state->apps_count, "there are more apps than counted");
			CHECK(state->apps[slot].user == i, "an app hangs on another user");
			CHECK(state->apps[slot].package.length > 0, "an app has no name");
		}
	}
	for (uint32_t slot = state->apps_free; slot != STATE_NONE; slot = state->apps[slot].next)
		CHECK(++freed <= state->apps_fresh, "the free apps go round in a circle");
	CHECK(count == state->apps_count, "there are fewer apps than counted");
	CHECK(count + freed == state->apps_fresh, "a slot of an app is lost");
	return NULL;
}

/* Viewers and outputs stand in lists without gaps; what the stream owes follows from them. */
static const char *audit_managed(const struct state *state, const struct state_stream *stream,
				 bool owner)
{
	const struct state_managed *managed = state_managed_of(state, stream);
	const struct state_outputs *outputs = state_outputs_of(state, stream);
	bool owed = false, closed = stream->phase == PHASE_CLOSED;

	for (unsigned i = 0; i < VIEWERS_MAX; i++) {
		const struct state_viewer *viewer = &managed->viewers[i];

		CHECK(i == 0 || viewer->state == VIEWER_NONE ||
			      managed->viewers[i - 1].state != VIEWER_NONE,
		      "the viewers have a gap");
		CHECK(viewer->state != VIEWER_NONE || viewer->package.length == 0,
		      "nobody watches, and has a name");
		CHECK(viewer->state == VIEWER_NONE ||
			      state_viewer_find(state, stream,
						state_text(state, viewer->package)) == viewer,
		      "a viewer stands there twice");
		CHECK(!closed || !owner || viewer->state != VIEWER_WATCHING,
		      "somebody watches what has ended");
		owed |= viewer->state == VIEWER_OWED;
	}
	CHECK(managed->seq == 0 || owed == stream->told_owed, "viewers are owed something else");
	CHECK(managed->seq == 0 || stream->input_owed == (closed && managed->input == INPUT_OWED),
	      "the input is owed by one half only");
	for (unsigned i = 1; i < OUTPUTS_MAX; i++)
		CHECK(outputs->items[i].number == 0 ||
			      (outputs->items[i - 1].number != 0 &&
			       outputs->items[i - 1].number < outputs->items[i].number),
		      "the outputs are not in order");
	CHECK(state_output_find(state, stream, outputs->next_number) == NULL,
	      "the next number of an output is taken");
	return NULL;
}

static const char *audit_stream(const struct state *state, uint32_t slot, bool owner)
{
	const struct state_stream *stream = &state->streams[slot];
	const struct state_user *user = state_user_of(state, stream->user);
	unsigned listed = 0;

	CHECK(user, "a stream has no user");
	CHECK(state_stream_find(state, state_text(state, stream->id)) == stream,
	      "a stream is not found under its id");
	for (uint32_t at = user->liabilities; at != STATE_NONE; at = state->streams[at].next) {
		CHECK(listed <= state->streams_count, "liabilities go round in a circle");
		listed += at == slot;
	}
	if (phase_active((enum phase)stream->phase)) {
		CHECK(listed == 0, "an active stream is among the liabilities");
		return NULL;
	}
	CHECK(listed == 1, "a closed stream is not once among the liabilities");
	CHECK(user->active != slot, "a closed stream holds the slot");
	/* A follower waits for the row that says what is owed of its managed half. */
	CHECK(stream->stop_owed || stream->told_owed || stream->input_owed ||
		      (!owner && stream->kind == KIND_MANAGED),
	      "a closed stream that owes nothing stays");
	CHECK(stream->end_cause != END_NONE, "an end has no cause");
	return NULL;
}

static const char *audit_streams(const struct state *state, bool owner)
{
	uint32_t count = 0, freed = 0, active = 0, actives = 0;
	const char *wrong;

	for (uint32_t i = 0; i < state->users_fresh; i++) {
		const struct state_user *user = &state->users[i];

		if (!user->used || user->active == STATE_NONE)
			continue;
		CHECK(state_active(state, user), "the slot of a user is held by nobody");
		CHECK(phase_active((enum phase)state_active(state, user)->phase),
		      "the slot of a user is held by a closed stream");
		actives++;
	}
	for (uint32_t slot = 0; slot < state->streams_fresh; slot++) {
		if (state->streams[slot].phase == PHASE_NONE)
			continue;
		count++;
		active += phase_active((enum phase)state->streams[slot].phase);
		wrong = audit_stream(state, slot, owner);
		if (!wrong && state->streams[slot].kind == KIND_MANAGED)
			wrong = audit_managed(state, &state->streams[slot], owner);
		CHECK(!wrong, wrong);
	}
	for (uint32_t slot = state->streams_free; slot != STATE_NONE;
	     slot = state->streams[slot].next)
		CHECK(++freed <= state->streams_fresh, "the free streams go round in a circle");
	CHECK(count == state->streams_count, "streams are counted wrongly");
	CHECK(count + freed == state->streams_fresh, "a slot of a stream is lost");
	CHECK(actives == state->active_count, "active streams are counted wrongly");
	CHECK(active == actives || !owner, "an active stream does not hold its user's slot");
	return NULL;
}

static uint64_t user_bytes(const struct state *state, const struct state_user *user)
{
	uint64_t bytes = block_bytes(user->id) + block_bytes(user->model);

	for (uint32_t slot = user->apps; slot != STATE_NONE; slot = state->apps[slot].next)
		bytes += block_bytes(state->apps[slot].package) +
			 block_bytes(state->apps[slot].types);
	return bytes;
}

static uint64_t managed_bytes(const struct state *state, const struct state_stream *stream)
{
	const struct state_managed *managed = state_managed_of(state, stream);
	const struct state_outputs *outputs = state_outputs_of(state, stream);
	uint64_t bytes = block_bytes(managed->input_id) + block_bytes(managed->hls) +
			 block_bytes(managed->dash) + block_bytes(managed->webrtc) +
			 block_bytes(managed->preview) + block_bytes(managed->thumbnail);

	for (unsigned i = 0; i < VIEWERS_MAX; i++)
		bytes += block_bytes(managed->viewers[i].package);
	for (unsigned i = 0; i < OUTPUTS_MAX; i++)
		bytes += block_bytes(outputs->items[i].url) + block_bytes(outputs->items[i].name) +
			 block_bytes(outputs->items[i].package) +
			 block_bytes(outputs->items[i].remote_id) +
			 block_bytes(outputs->items[i].error);
	return bytes;
}

static const char *audit_texts(const struct state *state)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < state->users_fresh; i++)
		if (state->users[i].used)
			bytes += user_bytes(state, &state->users[i]);
	for (uint32_t i = 0; i < state->streams_fresh; i++) {
		const struct state_stream *stream = &state->streams[i];
		const struct pooled kept[] = { stream->id,	 stream->package,
					       stream->rtmp_url, stream->video,
					       stream->audio,	 stream->options,
					       stream->by,	 stream->detail,
					       stream->told_id,	 stream->stop_app_id };

		for (unsigned k = 0; k < sizeof kept / sizeof kept[0]; k++)
			bytes += block_bytes(kept[k]);
		if (stream->phase != PHASE_NONE && stream->kind == KIND_MANAGED)
			bytes += managed_bytes(state, stream);
	}
	for (uint32_t i = 0; i < state->pool.dropped_count; i++)
		bytes += block_bytes(state->pool.dropped[i]);
	CHECK(bytes == state->pool.used_bytes, "texts are kept that nobody has");
	return NULL;
}

const char *state_audit(const struct state *state, bool owner)
{
	uint32_t count = 0, freed = 0, sessions = 0;
	const char *wrong = audit_gateways(state);

	for (uint32_t slot = 0; slot < state->users_fresh && !wrong; slot++) {
		if (!state->users[slot].used)
			continue;
		count++;
		sessions += state->users[slot].session != SESSION_NONE;
		wrong = audit_user(state, slot, owner);
	}
	CHECK(!wrong, wrong);
	for (uint32_t slot = state->users_free; slot != STATE_NONE; slot = state->users[slot].older)
		CHECK(++freed <= state->users_fresh, "the free users go round in a circle");
	CHECK(count == state->users_count, "users are counted wrongly");
	CHECK(count + freed == state->users_fresh, "a slot of a user is lost");
	CHECK(sessions == state->sessions_count, "sessions are counted wrongly");
	wrong = audit_dormant(state);
	wrong = wrong ? wrong : audit_apps(state);
	wrong = wrong ? wrong : audit_streams(state, owner);
	return wrong ? wrong : audit_texts(state);
}
