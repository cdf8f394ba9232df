/* SPDX-License-Identifier: MIT */
/* Coming back: the records of an earlier life, what is wrong with them, and what makes up for it.
 */
#include "actors/registry/registry_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"

#define ANSWERS_STEP 1024 /* rows stepped back at a time, looking for where to begin */

static void on_forgets(void *context, struct text user_id)
{
	struct registry_store *self = context;

	/* A record too many is harmless: its user is remembered again after a restart. */
	if (self->forgotten_used + 1 + user_id.length > sizeof self->forgotten)
		return;
	self->forgotten[self->forgotten_used++] = (char)user_id.length;
	memcpy(self->forgotten + self->forgotten_used, user_id.bytes, user_id.length);
	self->forgotten_used += user_id.length;
}

static uint64_t read_u64(const char *from)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | (uint8_t)from[i];
	return value;
}

struct loading {
	struct registry_store *self;
	struct store_fault *fault;
};

static enum bucket bucket_of(struct text key)
{
	if (text_is(key, DEPLOYMENT_KEY) || text_is(key, DEPLOYMENT_COPY_KEY))
		return BUCKET_DEPLOYMENT;
	if (key.length < 3 || key.bytes[1] != '/')
		return BUCKET_NONE;
	switch (key.bytes[0]) {
	case 'u':
		return BUCKET_USER;
	case 'g':
		return BUCKET_GATEWAY;
	case 'p':
		return BUCKET_PEER;
	}
	return BUCKET_NONE;
}

static int refuse(struct store_fault *fault, int error, const char *what, struct text key)
{
	fault->permanent = true;
	(void)snprintf(fault->reason, sizeof fault->reason, "record %.*s: %s", (int)key.length,
		       key.bytes, what);
	return error;
}

static int lost_need(struct registry_store *self)
{
	if (self->lost)
		return 0;
	self->lost = calloc(REGISTRY_DAMAGE_MAX, sizeof *self->lost);
	self->damage = calloc(REGISTRY_DAMAGE_MAX, sizeof *self->damage);
	self->moves = calloc(REGISTRY_DAMAGE_MAX, sizeof *self->moves);
	return self->lost && self->damage && self->moves ? 0 : -ENOMEM;
}

/* Put a record aside: the service goes on without it. */
static int lose(struct loading *loading, struct text key, enum damage reason)
{
	struct registry_store *self = loading->self;
	struct registry_store_lost *lost;
	struct registry_damage *damage;

	if (lost_need(self) < 0)
		return -ENOMEM;
	if (self->lost_count == REGISTRY_DAMAGE_MAX)
		return refuse(loading->fault, -EUCLEAN,
			      "is damaged, and too much else: restore a backup, or move the store "
			      "away to begin anew",
			      TEXT("of the store"));
	lost = &self->lost[self->lost_count];
	damage = &self->damage[self->lost_count++];
	*damage = (struct registry_damage){ .bucket = bucket_of(key),
					    .reason = reason,
					    .key_hash = store_key_hash(key) };
	/* Nobody has a longer one: its hash will do. */
	lost->length = key.length <= STORE_KEY_MAX ? key.length : 0;
	if (lost->length > 0)
		memcpy(lost->key, key.bytes, lost->length);
	if (damage->bucket == BUCKET_USER && lost->length > 0)
		damage->user_id = (struct text){ lost->key + 2, lost->length - 2 };
	return 0;
}

static int load_damaged(void *context, struct text key, struct text data)
{
	(void)data;
	return lose(context, key, DAMAGE_CHECK);
}

static int load_mark(struct registry_store *self, struct text key, struct text data)
{
	const char *role_end = memchr(key.bytes + 2, '/', key.length - 2);
	struct peer_mark *mark = &self->marks[self->mark_count];

	if (!role_end || data.length != MARK_BYTES || self->mark_count == PEER_MARKS_MAX)
		return 0; /* that peer is counted anew */
	struct text word = { key.bytes + 2, (uint32_t)(role_end - key.bytes - 2) };
	struct text name = { role_end + 1, (uint32_t)(key.bytes + key.length - role_end - 1) };

	enum role role = (enum role)words_find(&role_words, word, ROLE_NONE);

	if (role == ROLE_NONE || name.length > NAME_MAX_BYTES)
		return 0;
	text_put(name, self->mark_names[self->mark_count], NAME_MAX_BYTES + 1);
	*mark = (struct peer_mark){ .role = role,
				    .incarnation = read_u64(data.bytes + 1),
				    .name = text_of(self->mark_names[self->mark_count]),
				    .next = read_u64(data.bytes + 9) };
	self->mark_count++;
	return 0;
}

static struct wire rows_of(struct text data)
{
	const uint8_t *bytes = (const uint8_t *)data.bytes;

	return (struct wire){ bytes + 1, bytes + data.length };
}

/* Before the first row is taken: what is half taken cannot be given back.
 *
 * Return: 0, or what stream_event_read() says of the first row that is wrong.
 */
static int judge_rows(struct text data)
{
	struct wire wire = rows_of(data);
	struct stream_event row;
	int r = 0;

	while (r == 0 && wire.at < wire.end)
		r = stream_event_read(&wire, &row);
	return r;
}

static int load_rows(struct loading *loading, struct text key, struct text data)
{
	struct wire wire = rows_of(data);
	struct registry *core = loading->self->core;
	struct stream_event row;
	int r = judge_rows(data);

	if (r == STREAM_EVENT_E_UNKNOWN)
		return refuse(loading->fault, -EPROTO,
			      "of a newer build; start that one, or restore a backup", key);
	if (r != 0)
		return lose(loading, key, DAMAGE_FORM);
	while (wire.at < wire.end && stream_event_read(&wire, &row) == 0) {
		/* The head is committed with every row: this one is of another store. */
		if (row.seq > core->seq || row.epoch >= core->next_epoch)
			return refuse(loading->fault, -EUCLEAN,
				      "is newer than the store it stands in; restore a backup",
				      key);
		if (registry_load_row(core, &row) != 0)
			return refuse(loading->fault, -ENOSPC,
				      "no room left; raise registry.users_max, apps_max, "
				      "streams_max or text_bytes_max",
				      key);
	}
	return 0;
}

static int load_record(void *context, struct text key, struct text data)
{
	struct loading *loading = context;

	if (data.length < 1)
		return lose(loading, key, DAMAGE_FORM);
	if (bucket_of(key) == BUCKET_NONE || data.bytes[0] != RECORD_VERSION)
		return refuse(loading->fault, -EPROTO,
			      "of a newer build; start that one, or restore a backup", key);
	if (key.bytes[0] == 'p')
		return load_mark(loading->self, key, data);
	return load_rows(loading, key, data);
}

/* Where the rows begin whose requests may still be repeated. */
static uint64_t answers_begin(struct registry_store *self, uint64_t newest)
{
	struct store_query query = { .from = newest };
	uint64_t oldest = store_oldest(self->store), from = newest;
	struct store_row row;
	int64_t newest_ms;

	if (newest == 0)
		return newest;
	/* The last ones may be damaged. */
	for (uint64_t back = 1; store_history(self->store, &query, &row) != 0; back *= 2) {
		if (query.from <= oldest || newest - query.from >= REGISTRY_ANSWERS)
			return newest;
		query.from = query.from - oldest > back ? query.from - back : oldest;
	}
	newest_ms = row.at_ms;
	while (from > oldest && newest - from < REGISTRY_ANSWERS) {
		from = from - oldest > ANSWERS_STEP ? from - ANSWERS_STEP : oldest;
		query.from = from;
		if (store_history(self->store, &query, &row) != 0 ||
		    newest_ms - row.at_ms > ANSWERS_KEPT_MS)
			break;
	}
	return from;
}

static void load_answers(struct registry_store *self)
{
	struct store_query query = { .from = answers_begin(self, self->core->seq) };
	struct stream_event event;
	struct store_row row;

	while (store_history(self->store, &query, &row) == 0) {
		const uint8_t *bytes = (const uint8_t *)row.event.bytes;
		struct wire wire = { bytes, bytes + row.event.length };

		query.from = row.seq + 1;
		if (stream_event_read(&wire, &event) == 0)
			registry_load_story(self->core, &event);
	}
}

static void failed_load(struct store_fault *fault, int error, const char *trouble)
{
	fault->permanent = error == -EUCLEAN;
	(void)snprintf(fault->reason, sizeof fault->reason, "loading failed: %s%s",
		       *trouble ? trouble : strerror(-error),
		       fault->permanent ? ": restore a backup, or move the file and its -wal and "
					  ".reserve files away to begin anew"
					: "");
}

int registry_store_load(struct registry_store *self, struct registry *core, int64_t now_ms,
			struct store_fault *fault)
{
	struct loading loading = { .self = self, .fault = fault };
	int r;

	*fault = (struct store_fault){ 0 };
	self->core = core;
	self->mark_count = 0;
	self->lost_count = 0;
	r = store_load(self->store, load_record, &loading);
	if (r == 0)
		r = store_load_damaged(self->store, load_damaged, &loading);
	if (r == 0 && self->lost_count > 0)
		r = registry_store_past(self);
	if (r < 0 && fault->reason[0] == '\0')
		failed_load(fault, r, store_trouble(self->store));
	if (r < 0)
		return err_raise(r);
	load_answers(self);
	registry_loaded(core, now_ms);
	registry_storage(core, store_has_room(self->store));
	core->state.forgets = on_forgets;
	core->state.forgets_context = self;
	return 0;
}
