/* SPDX-License-Identifier: MIT */
/* registry_store.h - what of the registry is kept in a store, and how it comes back.
 *
 * A record holds one user with everything about it: the rows of a snapshot (state_record_next()),
 * secrets included.  Beside them: a record for each gateway and a mark for each peer.  The story's
 * events are the history, without secrets.  One commit for each pass writes the records of all
 * users whom its events name.
 *
 *   key                value
 *   u/USER             version byte, encoded story events
 *   g/INCARNATION      the same
 *   m, m2              the same: the mark of this deployment, twice
 *   p/ROLE/NAME        version byte, incarnation, number expected next; 8 bytes each, big-endian
 *
 * A record that is not what was committed, or cannot be read, is put aside: the commit that tells
 * of it (record.quarantined) moves it into the store's quarantine.
 */
#pragma once

#include "actors/registry/registry_core.h"
#include "common/ports.h"
#include "common/store.h"

#define RECORD_VERSION 1
#define MARK_BYTES 17 /* of the value of a peer's mark */
#define DEPLOYMENT_KEY "m"
#define DEPLOYMENT_COPY_KEY "m2" /* nobody can make that one up */
#define REGISTRY_DAMAGE_MAX 1024 /* damaged records; more is a broken store */
#define ANSWERS_KEPT_MS 120000 /* requests expire long before */
#define FORGOTTEN_BYTES 65536 /* names of users who were forgotten since the last commit */

struct registry_store_chunk;

/* A record that is put aside. */
struct registry_store_lost {
	char key[STORE_KEY_MAX];
	uint32_t length;
};

struct registry_store {
	struct store *store;
	struct registry *core;
	/* What is put together for one commit: grows to the largest one. */
	struct registry_store_chunk *chunks, *chunk;
	struct store_row *rows;
	struct store_put *puts;
	uint32_t *index; /* of @puts by key: number + 1 */
	uint32_t *places; /* where in @index each put is */
	size_t rows_size, puts_size, puts_count, index_size;
	uint8_t *scratch; /* one record */
	char forgotten[FORGOTTEN_BYTES]; /* ids, each behind its length byte */
	size_t forgotten_used;
	struct peer_mark marks[PEER_MARKS_MAX]; /* that were loaded */
	char mark_names[PEER_MARKS_MAX][NAME_MAX_BYTES + 1];
	size_t mark_count;
	struct registry_store_lost *lost; /* records put aside; NULL: none */
	struct registry_damage *damage; /* the same, for the core */
	struct store_move *moves; /* those of a commit */
	uint32_t lost_count;
};

/* registry_store_key(), registry_store_gateway_key() - keys, as above; the text lies in @key. */
struct text registry_store_key(char key[STORE_KEY_MAX], const char *prefix, struct text rest);
struct text registry_store_gateway_key(char key[STORE_KEY_MAX], uint64_t incarnation);

/* registry_store_init() - Return: 0 or -ENOMEM.  @store is borrowed until registry_store_fini(). */
int registry_store_init(struct registry_store *self, struct store *store);
void registry_store_fini(struct registry_store *self);

/* registry_store_load() - give @core, freshly made with the head of the store, what it held.
 *
 * Return: 0, or -errno with *@fault filled in: -EUCLEAN more damage than can be lived with, -EPROTO
 * a record of a newer build, -ENOSPC the options leave no room, else what the store said.
 */
int registry_store_load(struct registry_store *self, struct registry *core, int64_t now_ms,
			struct store_fault *fault);

/* registry_store_past() - then: what was lost, and what the history still knows of it.
 *
 * Return: 0 or -ENOMEM.
 */
int registry_store_past(struct registry_store *self);

/* registry_store_commit() - see struct store_port; also tells the core whether there is room. */
int registry_store_commit(struct registry_store *self, const struct stream_event *const *events,
			  size_t count, const struct peer_mark *marks, size_t mark_count);
