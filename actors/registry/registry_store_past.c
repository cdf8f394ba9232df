/* SPDX-License-Identifier: MIT */
/* What the history still knows of whom the records do not. */
#include <errno.h>
#include <stdlib.h>

#include "actors/registry/registry_store.h"
#include "common/cleanup.h"

/* The story is followed anew, in a state of its own: on the way there is more in it than at its
 * end, and what came and went would take the room of those who are here.
 */
struct past {
	struct registry_store *self;
	struct state state;
	uint32_t *rows; /* by slot of its users: events of this one */
	uint64_t keys[REGISTRY_DAMAGE_MAX]; /* hashes of those that were lost, ascending */
};

static int compare_keys(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static bool is_lost(const struct past *past, struct text key)
{
	const uint64_t hash = store_key_hash(key);

	return bsearch(&hash, past->keys, past->self->lost_count, sizeof hash, compare_keys);
}

/* Whose app could be reached when its stream ended is a matter of gateways, so these are followed
 * in any case.
 */
static bool is_wanted(const struct past *past, const struct stream_event *event, bool everybody)
{
	char key[STORE_KEY_MAX];

	if (event->user_id.length == 0)
		return true;
	return everybody ? !state_user_find(&past->self->core->state, event->user_id)
			 : is_lost(past, registry_store_key(key, "u/", event->user_id));
}

/* Those of whom the history says nothing, because they have been there for longer. */
static void begin(struct past *past)
{
	const struct state *known = &past->self->core->state;
	struct stream_event row;

	state_clear(&past->state);
	for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
		const struct state_gateway *gateway = &known->gateways[i];

		if (gateway->incarnation == 0 || gateway->seq >= store_oldest(past->self->store))
			continue;
		state_gateway_row(gateway, &row);
		(void)state_apply(&past->state, &row);
	}
}

static void follow(struct past *past, const struct stream_event *event)
{
	const bool is_new = !state_user_find(&past->state, event->user_id);
	const struct state_user *user;

	(void)state_apply(&past->state, event);
	state_settle(&past->state);
	user = state_user_find(&past->state, event->user_id);
	if (!user)
		return;
	uint32_t *rows = &past->rows[user - past->state.users];

	*rows = is_new ? 1 : *rows + 1;
}

static void replay(struct past *past, bool everybody)
{
	struct registry_store *self = past->self;
	struct store_query query = { .from = store_oldest(self->store) };
	struct stream_event event;
	struct store_row row;

	begin(past);
	while (store_history(self->store, &query, &row) == 0) {
		const uint8_t *bytes = (const uint8_t *)row.event.bytes;
		struct wire wire = { bytes, bytes + row.event.length };

		query.from = row.seq + 1;
		/* As a record, none may be newer than the head. */
		if (stream_event_read(&wire, &event) == 0 && event.seq == row.seq &&
		    event.epoch < self->core->next_epoch && is_wanted(past, &event, everybody))
			follow(past, &event);
	}
}

static bool knows_gateway(const struct past *past, uint64_t key_hash)
{
	char key[STORE_KEY_MAX];

	for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
		struct text gateway =
			registry_store_gateway_key(key, past->state.gateways[i].incarnation);

		if (store_key_hash(gateway) == key_hash)
			return true;
	}
	return false;
}

/* If there is none whose record it was, its key may have been what was damaged. */
static bool knows(const struct past *past, const struct registry_damage *damage)
{
	switch (damage->bucket) {
	case BUCKET_USER:
		return state_user_find(&past->state, damage->user_id);
	case BUCKET_GATEWAY:
		return knows_gateway(past, damage->key_hash);
	case BUCKET_DEPLOYMENT:
	case BUCKET_PEER:
		return true; /* there are two; it is counted anew */
	case BUCKET_NONE:
		break;
	}
	return false;
}

static bool knows_all(const struct past *past)
{
	for (uint32_t i = 0; i < past->self->lost_count; i++)
		if (!knows(past, &past->self->damage[i]))
			return false;
	return true;
}

int registry_store_past(struct registry_store *self)
{
	const struct state_options *options = &self->core->options.state;
	CLEANUP(free_at) void *memory = calloc(1, state_bytes(options));
	CLEANUP(free_at) void *rows = calloc(options->users_max, sizeof(uint32_t));
	struct past past = { .self = self, .rows = rows };

	if (!memory || !rows)
		return -ENOMEM;
	state_init(&past.state, options, memory);
	for (uint32_t i = 0; i < self->lost_count; i++)
		past.keys[i] = self->damage[i].key_hash;
	qsort(past.keys, self->lost_count, sizeof past.keys[0], compare_keys);
	replay(&past, false);
	if (!knows_all(&past))
		replay(&past, true);
	registry_load_damage(self->core, self->damage, self->lost_count);
	registry_load_past(self->core, &past.state, rows);
	return 0;
}
