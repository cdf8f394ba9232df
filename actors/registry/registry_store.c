/* SPDX-License-Identifier: MIT */
#include "actors/registry/registry_store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK_SIZE (1u << 20)

_Static_assert(CHUNK_SIZE >= STORE_VALUE_MAX, "a record fits a chunk");

/* Memory of one commit: chunks that stay where they are. */
struct registry_store_chunk {
	struct registry_store_chunk *next;
	size_t used;
	uint8_t bytes[CHUNK_SIZE];
};

int registry_store_init(struct registry_store *self, struct store *store)
{
	memset(self, 0, sizeof *self);
	self->store = store;
	self->scratch = malloc(STORE_VALUE_MAX);
	return self->scratch ? 0 : err_raise(-ENOMEM);
}

void registry_store_fini(struct registry_store *self)
{
	while (self->chunks) {
		struct registry_store_chunk *next = self->chunks->next;

		free(self->chunks);
		self->chunks = next;
	}
	free(self->rows);
	free(self->puts);
	free(self->index);
	free(self->places);
	free(self->scratch);
	free(self->lost);
	free(self->damage);
	free(self->moves);
	memset(self, 0, sizeof *self);
}

/* Putting a commit together ---------------------------------------------------------------- */

static void begin(struct registry_store *self)
{
	for (struct registry_store_chunk *chunk = self->chunks; chunk; chunk = chunk->next)
		chunk->used = 0;
	self->chunk = self->chunks;
	for (size_t i = 0; i < self->puts_count; i++)
		self->index[self->places[i]] = 0;
	self->puts_count = 0;
}

/* NULL without memory.  What is handed out stays where it is until the next begin(). */
static uint8_t *room(struct registry_store *self, size_t size)
{
	struct registry_store_chunk *chunk = self->chunk;

	assert(size <= CHUNK_SIZE);
	if (!chunk || chunk->used + size > CHUNK_SIZE) {
		struct registry_store_chunk *next = chunk ? chunk->next : self->chunks;

		if (!next) {
			next = malloc(sizeof *next);
			if (!next)
				return NULL;
			next->next = NULL;
			next->used = 0;
			if (chunk)
				chunk->next = next;
			else
				self->chunks = next;
		}
		self->chunk = chunk = next;
	}
	chunk->used += size;
	return chunk->bytes + chunk->used - size;
}

static struct text keep(struct registry_store *self, const void *bytes, size_t length)
{
	uint8_t *to = room(self, length);

	if (to && length > 0)
		memcpy(to, bytes, length);
	return (struct text){ (const char *)to, to ? (uint32_t)length : 0 };
}

static bool rows_need(struct registry_store *self, size_t count)
{
	if (count <= self->rows_size)
		return true;
	struct store_row *rows = realloc(self->rows, count * sizeof *rows);

	if (!rows)
		return false;
	self->rows = rows;
	self->rows_size = count;
	return true;
}

static uint32_t *index_slot(const struct registry_store *self, struct text key)
{
	size_t mask = self->index_size - 1;
	size_t at = (size_t)XXH3_64bits(key.bytes, key.length) & mask;

	while (self->index[at] != 0 && !text_equal(self->puts[self->index[at] - 1].key, key))
		at = (at + 1) & mask;
	return &self->index[at];
}

/* Room for one more put; the index is kept at most half full. */
static bool puts_need(struct registry_store *self)
{
	size_t size = self->puts_size ? 2 * self->puts_size : 256;

	if (self->puts_count < self->puts_size)
		return true;
	struct store_put *puts = realloc(self->puts, size * sizeof *puts);

	if (!puts)
		return false;
	self->puts = puts;
	uint32_t *places = realloc(self->places, size * sizeof *places);

	if (!places)
		return false;
	self->places = places;
	/* Last: places and index belong together, and begin() clears one by the other. */
	uint32_t *index = calloc(2 * size, sizeof *index);

	if (!index)
		return false;
	free(self->index);
	self->index = index;
	self->index_size = 2 * size;
	for (size_t i = 0; i < self->puts_count; i++) {
		uint32_t *slot = index_slot(self, self->puts[i].key);

		*slot = (uint32_t)i + 1;
		places[i] = (uint32_t)(slot - index);
	}
	self->puts_size = size;
	return true;
}

/* A key that this commit has not touched yet: filled in by the caller.  NULL: it has, or there is
 * no memory, which is told apart by *@error.
 */
static struct store_put *put_new(struct registry_store *self, struct text key, int *error)
{
	if (!puts_need(self)) {
		*error = -ENOMEM;
		return NULL;
	}
	uint32_t *slot = index_slot(self, key);

	if (*slot != 0)
		return NULL;
	struct store_put put = { .key = keep(self, key.bytes, key.length) };

	if (put.key.length == 0) {
		*error = -ENOMEM;
		return NULL;
	}
	self->puts[self->puts_count] = put;
	self->places[self->puts_count] = (uint32_t)(slot - self->index);
	*slot = (uint32_t)++self->puts_count;
	return &self->puts[self->puts_count - 1];
}

/* Add @row to the record in the scratch space, which holds @used bytes. */
static size_t record_add(struct registry_store *self, size_t used, const struct stream_event *row)
{
	ssize_t length = stream_event_encode(row, STREAM_EVENT_ADDRESSED, self->scratch + used,
					     STORE_VALUE_MAX - used);

	assert(length > 0); /* STORE_VALUE_MAX holds the largest user there can be */
	return used + (size_t)length;
}

struct text registry_store_key(char key[STORE_KEY_MAX], const char *prefix, struct text rest)
{
	size_t length = strlen(prefix);

	assert(length + rest.length <= STORE_KEY_MAX);
	memcpy(key, prefix, length);
	memcpy(key + length, rest.bytes, rest.length);
	return (struct text){ key, (uint32_t)length + rest.length };
}

struct text registry_store_gateway_key(char key[STORE_KEY_MAX], uint64_t incarnation)
{
	(void)snprintf(key, STORE_KEY_MAX, "g/%016" PRIx64, incarnation);
	return text_of(key);
}

static int put_user(struct registry_store *self, struct text user_id)
{
	const struct state *state = &self->core->state;
	const struct state_user *user = state_user_find(state, user_id);
	char key[STORE_KEY_MAX];
	int error = 0;
	struct store_put *put = put_new(self, registry_store_key(key, "u/", user_id), &error);
	struct state_record record;
	struct stream_event row;
	size_t used = 1;

	if (!put || !user)
		return error;
	self->scratch[0] = RECORD_VERSION;
	state_record_begin(state, user, &record);
	while (state_record_next(state, &record, &row))
		used = record_add(self, used, &row);
	if (used == 1)
		return 0; /* there is nothing to be known of it */
	put->data = keep(self, self->scratch, used);
	return put->data.length ? 0 : -ENOMEM;
}

static int put_gateway(struct registry_store *self, uint64_t incarnation)
{
	const struct state_gateway *gateway = state_gateway_find(&self->core->state, incarnation);
	char key[STORE_KEY_MAX];
	int error = 0;
	struct store_put *put = put_new(self, registry_store_gateway_key(key, incarnation), &error);
	struct stream_event row;

	if (!put || !gateway)
		return error;
	self->scratch[0] = RECORD_VERSION;
	state_gateway_row(gateway, &row);
	put->data = keep(self, self->scratch, record_add(self, 1, &row));
	return put->data.length ? 0 : -ENOMEM;
}

static int put_deployment(struct registry_store *self, struct text key)
{
	int error = 0;
	struct store_put *put = put_new(self, key, &error);
	struct stream_event row;

	if (!put || !state_mark_row(&self->core->state, &row))
		return error;
	self->scratch[0] = RECORD_VERSION;
	put->data = keep(self, self->scratch, record_add(self, 1, &row));
	return put->data.length ? 0 : -ENOMEM;
}

static int put_gateways(struct registry_store *self)
{
	int r = 0;

	for (unsigned i = 0; i < GATEWAYS_MAX && r == 0; i++)
		if (self->core->state.gateways[i].incarnation != 0)
			r = put_gateway(self, self->core->state.gateways[i].incarnation);
	return r;
}

/* The mark of this deployment. */
static int put_deployments(struct registry_store *self)
{
	int r = put_deployment(self, TEXT(DEPLOYMENT_KEY));

	return r == 0 ? put_deployment(self, TEXT(DEPLOYMENT_COPY_KEY)) : r;
}

static void write_u64(uint8_t *to, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (56 - 8 * i));
}

static int put_mark(struct registry_store *self, const struct peer_mark *mark)
{
	uint8_t bytes[MARK_BYTES] = { RECORD_VERSION };
	char key[STORE_KEY_MAX];
	int error = 0;
	char prefix[NAME_MAX_BYTES];

	(void)snprintf(prefix, sizeof prefix, "p/%s/", words_name(&role_words, mark->role));
	struct store_put *put = put_new(self, registry_store_key(key, prefix, mark->name), &error);

	if (!put)
		return error;
	write_u64(bytes + 1, mark->incarnation);
	write_u64(bytes + 9, mark->next);
	put->data = keep(self, bytes, sizeof bytes);
	return put->data.length ? 0 : -ENOMEM;
}

/* History holds no secrets: rows are encoded as they are published. */
static int add_row(struct registry_store *self, size_t at, const struct stream_event *event)
{
	size_t size = stream_event_wire_max(event->type);
	uint8_t *bytes = room(self, size);

	if (!bytes)
		return -ENOMEM;
	ssize_t length = stream_event_encode(event, STREAM_EVENT_PUBLIC, bytes, size);

	assert(length > 0);
	self->chunk->used -= size - (size_t)length;
	self->rows[at] = (struct store_row){
		.seq = event->seq,
		.at_ms = event->sent_ms,
		.user_id = event->user_id,
		.stream_id = event->stream_id,
		.event = { (const char *)bytes, (uint32_t)length },
	};
	return 0;
}

static int put_forgotten(struct registry_store *self)
{
	int r = 0;

	for (size_t at = 0; at < self->forgotten_used && r == 0;) {
		uint32_t length = (uint8_t)self->forgotten[at];

		r = put_user(self, (struct text){ self->forgotten + at + 1, length });
		at += 1 + length;
	}
	return r;
}

/* A damaged record leaves, and what is known in its place comes; of users their own event says it.
 */
static int move_lost(struct registry_store *self, const struct stream_event *event, size_t *moved)
{
	int r;

	for (uint32_t i = 0; i < self->lost_count; i++) {
		const struct registry_store_lost *lost = &self->lost[i];
		struct text key = { lost->key, lost->length };

		if (self->damage[i].key_hash != event->record_quarantined.key_hash)
			continue;
		self->moves[(*moved)++] =
			(struct store_move){ .key = key,
					     .reason = (enum damage)self->damage[i].reason,
					     .key_hash = self->damage[i].key_hash };
		break;
	}
	switch ((enum bucket)event->record_quarantined.bucket) {
	case BUCKET_GATEWAY:
		return put_gateways(self);
	case BUCKET_DEPLOYMENT:
		return put_deployments(self);
	case BUCKET_NONE: /* it may have been either of these */
		r = put_gateways(self);
		return r == 0 ? put_deployments(self) : r;
	case BUCKET_USER:
	case BUCKET_PEER:
		break;
	}
	return 0;
}

static int commit_result(enum store_event_type type)
{
	switch (type) {
	case STORE_COMMITTED:
		return 0;
	case STORE_IDLE:
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		return -EAGAIN;
	case STORE_BROKEN:
	case STORE_LOST:
		break;
	}
	return -EIO;
}

int registry_store_commit(struct registry_store *self, const struct stream_event *const *events,
			  size_t count, const struct peer_mark *marks, size_t mark_count)
{
	struct store_event done;
	size_t moved = 0;
	int r = rows_need(self, count) ? 0 : -ENOMEM;

	begin(self);
	for (size_t i = 0; i < count && r == 0; i++) {
		r = add_row(self, i, events[i]);
		if (r == 0 && events[i]->user_id.length > 0)
			r = put_user(self, events[i]->user_id);
		if (r == 0 && events[i]->type == EVENT_GATEWAY_CHANGED)
			r = put_gateway(self, events[i]->gateway_changed.gateway);
		if (r == 0 && events[i]->type == EVENT_DEPLOYMENT_MARKED)
			r = put_deployments(self);
		if (r == 0 && events[i]->type == EVENT_RECORD_QUARANTINED)
			r = move_lost(self, events[i], &moved);
	}
	for (size_t i = 0; i < mark_count && r == 0; i++)
		r = put_mark(self, &marks[i]);
	if (r == 0)
		r = put_forgotten(self);
	if (r == 0)
		r = store_commit(self->store,
				 &(struct store_batch){ .rows = self->rows,
							.row_count = count,
							.moves = self->moves,
							.move_count = moved,
							.puts = self->puts,
							.put_count = self->puts_count,
							.next_epoch = self->core->next_epoch });
	if (r == 0)
		r = store_drive(self->store, 0, &done);
	if (r < 0)
		return err_raise(r);
	r = commit_result(done.type);
	if (r == 0)
		self->forgotten_used = 0;
	registry_storage(self->core, store_has_room(self->store));
	return r == -EAGAIN ? r : err_pass(r);
}
