/* SPDX-License-Identifier: MIT */
/* The records of an SQLite store as they are read, and those that go into quarantine. */
#include <errno.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/store_sqlite.h"

/* What is not a text is not the key that it looks like. */
static bool is_text(sqlite3_stmt *statement)
{
	return sqlite3_column_type(statement, 0) == SQLITE_TEXT;
}

static uint64_t key_check(struct text key, bool is_text)
{
	return store_record_check(key, is_text ? TEXT("text") : (struct text){ 0 });
}

/* The sum of the checks of all keys is the same for the table and its index, unless either is
 * damaged.  A key that is one in the table and another in the index would be put twice, and never
 * leave.
 */
static int mend_index(struct sqlite *self)
{
	sqlite3_stmt *statement = self->statements[RECORD_KEYS];
	uint64_t keys = 0;
	int code;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		const bool text = is_text(statement);

		keys += key_check(column_text(statement, 0), text);
	}
	(void)sqlite3_reset(statement);
	if (code != SQLITE_DONE || keys == self->loaded.keys)
		return code == SQLITE_DONE ? SQLITE_OK : code;
	return sqlite3_exec(self->db, "REINDEX record", NULL, NULL, NULL);
}

static int remember_damaged(struct sqlite *self, int64_t rowid, struct text key)
{
	if (self->damaged_count == self->damaged_size) {
		size_t size = self->damaged_size ? 2 * self->damaged_size : 64;
		struct sqlite_damaged *list = realloc(self->damaged, size * sizeof *list);

		if (!list)
			return -ENOMEM;
		self->damaged = list;
		self->damaged_size = size;
	}
	self->damaged[self->damaged_count++] =
		(struct sqlite_damaged){ .rowid = rowid, .key_hash = store_key_hash(key) };
	return 0;
}

static int read_records(struct sqlite *self, bool damaged, store_record_fn *each, void *context,
			int *r)
{
	sqlite3_stmt *statement = self->statements[RECORDS];
	int code;

	self->loaded.damaged = self->loaded.keys = 0;
	self->damaged_count = 0;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW && *r == 0) {
		const bool text = is_text(statement);
		struct text key = column_text(statement, 0), data = column_text(statement, 1);
		uint64_t check = (uint64_t)sqlite3_column_int64(statement, 2);
		bool is_damaged = !text || check != store_record_check(key, data);

		self->loaded.keys += key_check(key, text);
		self->loaded.damaged += is_damaged;
		if (is_damaged)
			*r = remember_damaged(self, sqlite3_column_int64(statement, 3), key);
		if (*r == 0 && is_damaged == damaged)
			*r = each(context, key, data);
	}
	(void)sqlite3_reset(statement);
	self->loaded.known = code == SQLITE_DONE && *r == 0;
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

int sqlite_load(struct store *store, bool damaged, store_record_fn *each, void *context)
{
	struct sqlite *self = sqlite_of(store);
	int code = SQLITE_OK, r = 0;

	if (store->broken)
		return err_raise(-EIO);
	/* That there are none is known already, nearly always. */
	if (!damaged || !self->loaded.known || self->loaded.damaged > 0)
		code = read_records(self, damaged, each, context, &r);
	if (code == SQLITE_OK && damaged && self->loaded.known)
		code = mend_index(self);
	if (code != SQLITE_OK)
		return err_raise(sqlite_read_failed(self, "load", code));
	return r;
}

/* Where the record of @move lies: damaged ones where they were found, others by their key.
 *
 * Return: false if there is none.
 */
static bool find_record(struct sqlite *self, const struct store_move *move, int64_t *rowid)
{
	const uint64_t hash = move->key_hash ? move->key_hash : store_key_hash(move->key);
	sqlite3_stmt *statement = self->statements[RECORD_FIND];
	bool found;

	for (size_t i = 0; i < self->damaged_count; i++) {
		struct sqlite_damaged *damaged = &self->damaged[i];

		if (damaged->key_hash != hash || damaged->moving || damaged->moved)
			continue;
		damaged->moving = true;
		*rowid = damaged->rowid;
		return true;
	}
	bind_text(statement, 1, move->key);
	found = sqlite3_step(statement) == SQLITE_ROW;
	if (found)
		*rowid = sqlite3_column_int64(statement, 0);
	(void)sqlite3_reset(statement); /* if it failed, so will what follows */
	return found;
}

int sqlite_move(struct sqlite *self, const struct store_batch *batch)
{
	int code = SQLITE_OK;
	int64_t rowid;

	self->moved_count = 0;
	for (size_t i = 0; i < self->damaged_count; i++)
		self->damaged[i].moving = false; /* of a transaction that was rolled back */
	for (size_t i = 0; i < batch->move_count && code == SQLITE_OK; i++) {
		const struct store_move *move = &batch->moves[i];

		if (!find_record(self, move, &rowid))
			continue;
		bind_number(self->statements[RECORD_COPY], 1, rowid);
		bind_text(self->statements[RECORD_COPY], 2,
			  text_of(words_name(&damage_words, move->reason)));
		bind_number(self->statements[RECORD_COPY], 3, (int64_t)self->base.head.seq);
		code = sqlite_step(self, RECORD_COPY);
		if (code == SQLITE_OK)
			self->moved_count += (uint64_t)sqlite3_changes(self->db);
		bind_number(self->statements[RECORD_LEAVE], 1, rowid);
		if (code == SQLITE_OK)
			code = sqlite_step(self, RECORD_LEAVE);
	}
	return code;
}

void sqlite_moved(struct sqlite *self)
{
	self->base.quarantined += self->moved_count;
	for (size_t i = 0; i < self->damaged_count; i++)
		self->damaged[i].moved |= self->damaged[i].moving;
}
