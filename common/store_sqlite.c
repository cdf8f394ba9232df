/* SPDX-License-Identifier: MIT */
/* The store of one machine: SQLite with a write-ahead log, one connection, one fsync per commit.
 * Why it is tuned as it is, and what its tables hold: docs/cloud-architecture/store.md.
 */
#include "common/store_sqlite.h"

#include <errno.h>
#include <stdio.h>

#include "common/error.h"

#define WAL_PAGES_MAX 250 /* 1 MiB: the commit that crosses it pays some 3 ms for a checkpoint */
#define WAL_PAGES_IDLE 64 /* at an idle moment a quarter of that is worth two fsyncs */
#define PRUNE_ROWS_MAX 200 /* in one step of housekeeping */

/* Statements ------------------------------------------------------------------------------ */

int sqlite_step(struct sqlite *self, enum statement which)
{
	int code = sqlite3_step(self->statements[which]);

	(void)sqlite3_reset(self->statements[which]); /* says again what step() said */
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Trouble --------------------------------------------------------------------------------- */

/* Nothing is tried again on this handle: after a failed fsync nobody knows what is on the disk. */
static enum store_event_type break_down(struct sqlite *self, const char *doing, int code)
{
	return store_break(&self->base, "%s: %s failed: %s (SQLite %d)", self->path, doing,
			   sqlite3_errstr(code), code);
}

int sqlite_read_failed(struct sqlite *self, const char *doing, int code)
{
	int primary = code & 0xff;

	(void)break_down(self, doing, code);
	/* A constraint that does not hold any more: two records have become one key. */
	return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_CONSTRAINT
		       ? -EUCLEAN
		       : -EIO;
}

void sqlite_no_room(struct sqlite *self)
{
	self->base.room = false;
	(void)snprintf(self->base.trouble, sizeof self->base.trouble,
		       "%s: the disk is full: make room, it goes on by itself", self->path);
}

/* From here to the next reserve there is no room.  True if this one gave some. */
static bool give_up_reserve(struct sqlite *self)
{
	sqlite_no_room(self);
	return store_reserve_drop(&self->reserve);
}

/* Writing --------------------------------------------------------------------------------- */

/* Replaces SQLite's own automatic checkpoint, which swallows its errors. */
int sqlite_on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
	struct sqlite *self = context;

	(void)db;
	(void)name;
	self->wal_pages = pages;
	return SQLITE_OK;
}

int sqlite_checkpoint(struct sqlite *self, int mode)
{
	int code = sqlite3_wal_checkpoint_v2(self->db, NULL, mode, NULL, NULL);

	if (sqlite_full(code) && give_up_reserve(self))
		code = sqlite3_wal_checkpoint_v2(self->db, NULL, mode, NULL, NULL);
	self->wal_stuck = sqlite_full(code) ? self->wal_pages : 0;
	if (code == SQLITE_OK)
		self->wal_pages = 0;
	return code;
}

static void checkpoint_if_due(struct sqlite *self, int pages)
{
	int code;

	if (self->wal_pages < self->wal_stuck + pages)
		return;
	code = sqlite_checkpoint(self, SQLITE_CHECKPOINT_PASSIVE);
	if (code != SQLITE_OK && !sqlite_full(code))
		(void)break_down(self, "checkpoint", code);
}

typedef int body_fn(struct sqlite *self, const void *argument);

static int transact(struct sqlite *self, body_fn *body, const void *argument)
{
	int code = sqlite_step(self, BEGIN);

	if (code == SQLITE_OK)
		code = body(self, argument);
	if (code == SQLITE_OK)
		code = sqlite_step(self, COMMIT);
	if (code != SQLITE_OK && !sqlite3_get_autocommit(self->db))
		(void)sqlite_step(self, ROLLBACK);
	return code;
}

static enum store_event_type write_durably(struct sqlite *self, body_fn *body, const void *argument)
{
	int code = transact(self, body, argument);

	if (sqlite_full(code) && give_up_reserve(self))
		code = transact(self, body, argument);
	if (sqlite_full(code))
		return STORE_FULL;
	if (code != SQLITE_OK)
		return break_down(self, "commit", code);
	checkpoint_if_due(self, WAL_PAGES_MAX);
	return self->base.broken ? STORE_BROKEN : STORE_COMMITTED;
}

static int write_puts(struct sqlite *self, const struct store_batch *batch)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < batch->put_count && code == SQLITE_OK; i++) {
		const struct store_put *put = &batch->puts[i];
		enum statement which = put->data.length ? RECORD_PUT : RECORD_DELETE;

		bind_text(self->statements[which], 1, put->key);
		if (which == RECORD_PUT) {
			bind_blob(self->statements[which], 2, put->data);
			bind_number(self->statements[which], 3,
				    (int64_t)store_record_check(put->key, put->data));
		}
		code = sqlite_step(self, which);
	}
	return code;
}

static int write_rows(struct sqlite *self, const struct store_batch *batch)
{
	sqlite3_stmt *statement = self->statements[ROW_PUT];
	int code = SQLITE_OK;

	for (size_t i = 0; i < batch->row_count && code == SQLITE_OK; i++) {
		const struct store_row *row = &batch->rows[i];

		bind_number(statement, 1, (int64_t)row->seq);
		bind_number(statement, 2, row->at_ms);
		bind_text(statement, 3, row->user_id);
		bind_text(statement, 4, row->stream_id);
		bind_blob(statement, 5, row->event);
		bind_number(statement, 6, (int64_t)store_row_check(row));
		code = sqlite_step(self, ROW_PUT);
	}
	return code;
}

static int write_batch(struct sqlite *self, const void *argument)
{
	const struct store_batch *batch = argument;
	const struct store_head head = { self->base.head.seq + batch->row_count,
					 batch->next_epoch };
	int code = sqlite_move(self, batch);

	if (code == SQLITE_OK)
		code = write_puts(self, batch);
	if (code == SQLITE_OK)
		code = write_rows(self, batch);
	if (code != SQLITE_OK)
		return code;
	bind_number(self->statements[HEAD_SET], 1, (int64_t)head.seq);
	bind_number(self->statements[HEAD_SET], 2, (int64_t)head.next_epoch);
	bind_number(self->statements[HEAD_SET], 3, (int64_t)store_head_check(&head));
	return sqlite_step(self, HEAD_SET);
}

static enum store_event_type sqlite_commit(struct store *store, const struct store_batch *batch)
{
	struct sqlite *self = sqlite_of(store);
	enum store_event_type result = write_durably(self, write_batch, batch);

	self->loaded.known = false;
	if (result == STORE_COMMITTED)
		sqlite_moved(self);
	if (result == STORE_COMMITTED && batch->row_count > 0 && store->oldest == 0)
		store->oldest = batch->rows[0].seq;
	return result;
}

/* Reading --------------------------------------------------------------------------------- */

static struct text keep(char **to, struct text text)
{
	struct text kept = { *to, text.length };

	if (text.length > 0)
		memcpy(*to, text.bytes, text.length);
	*to += text.length;
	return kept;
}

/* Its three texts are borrowed from the statement. */
static struct store_row row_of(sqlite3_stmt *statement)
{
	return (struct store_row){
		.seq = (uint64_t)sqlite3_column_int64(statement, 0),
		.at_ms = sqlite3_column_int64(statement, 1),
		.user_id = column_text(statement, 2),
		.stream_id = column_text(statement, 3),
		.event = column_text(statement, 4),
	};
}

static bool is_sound(sqlite3_stmt *statement, const struct store_row *row)
{
	return (uint64_t)sqlite3_column_int64(statement, 5) == store_row_check(row);
}

/* Copied: a statement left open would hold up checkpoints until somebody asks again.
 *
 * Return: false if @row is larger than what is left from *@to on.
 */
static bool copy_row(struct sqlite *self, char **to, struct store_row *row)
{
	if ((uint64_t)row->user_id.length + row->stream_id.length + row->event.length >
	    (uint64_t)(self->scratch + sizeof self->scratch - *to))
		return false;
	row->user_id = keep(to, row->user_id);
	row->stream_id = keep(to, row->stream_id);
	row->event = keep(to, row->event);
	return true;
}

static void forget_ahead(struct sqlite *self)
{
	self->ahead.count = self->ahead.next = 0;
}

static bool wants_all(const struct store_query *query)
{
	return query->user_id.length == 0 && query->stream_id.length == 0;
}

/* Finding a row costs ten times as much as stepping to the next one. */
static int read_ahead(struct sqlite *self, sqlite3_stmt *statement, char *to)
{
	int code = SQLITE_ROW;

	while (self->ahead.count < ROWS_AHEAD && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_row row = row_of(statement);

		if (!is_sound(statement, &row)) {
			self->base.rows_damaged++;
			continue;
		}
		if (!copy_row(self, &to, &row))
			break;
		self->ahead.rows[self->ahead.count++] = row;
	}
	return code == SQLITE_ROW || code == SQLITE_DONE
		       ? 0
		       : sqlite_read_failed(self, "reading history", code);
}

static int give_row(struct sqlite *self, sqlite3_stmt *statement, const struct store_query *query,
		    struct store_row *row)
{
	bool goes_on = wants_all(query) && query->from == self->ahead.given + 1;
	char *to = self->scratch;

	forget_ahead(self);
	if (!copy_row(self, &to, row))
		return sqlite_read_failed(self, "reading history", SQLITE_CORRUPT);
	if (wants_all(query))
		self->ahead.given = row->seq;
	return goes_on ? read_ahead(self, statement, to) : 0;
}

/* The row after the one that was given out last, if it is that which is asked for. */
static bool take_ahead(struct sqlite *self, const struct store_query *query, struct store_row *out)
{
	if (!wants_all(query) || query->from != self->ahead.given + 1 ||
	    self->ahead.next == self->ahead.count)
		return false;
	*out = self->ahead.rows[self->ahead.next++];
	self->ahead.given = out->seq;
	return true;
}

static int find_row(struct sqlite *self, sqlite3_stmt *statement, const struct store_query *query,
		    struct store_row *out)
{
	struct store_row row;
	int code, r;

	for (int left = STORE_SCAN_MAX; (code = sqlite3_step(statement)) == SQLITE_ROW; left--) {
		row = row_of(statement);
		if (left == 0) {
			out->seq = row.seq;
			return STORE_E_MORE;
		}
		if (!store_row_matches(query, &row))
			continue;
		if (!is_sound(statement, &row)) {
			self->base.rows_damaged++;
			continue;
		}
		r = give_row(self, statement, query, &row);
		if (r == 0)
			*out = row;
		return r;
	}
	return code == SQLITE_DONE ? STORE_E_END
				   : sqlite_read_failed(self, "reading history", code);
}

static int sqlite_history(struct store *store, const struct store_query *query,
			  struct store_row *out)
{
	struct sqlite *self = sqlite_of(store);
	enum statement which = query->stream_id.length ? ROWS_OF_STREAM : ROWS;
	sqlite3_stmt *statement = self->statements[which];
	int r;

	if (store->broken)
		return err_raise(-EIO);
	if (query->from > store->head.seq)
		return STORE_E_END;
	if (take_ahead(self, query, out))
		return 0;
	bind_number(statement, 1, (int64_t)query->from);
	if (which == ROWS_OF_STREAM)
		bind_text(statement, 2, query->stream_id);
	r = find_row(self, statement, query, out);
	(void)sqlite3_reset(statement);
	return r < 0 ? err_raise(r) : r;
}

/* Housekeeping ---------------------------------------------------------------------------- */

static bool stays(const struct sqlite *self, int64_t wall_ms)
{
	return self->age.known && !store_is_ahead(self->age.at_ms, wall_ms) &&
	       !store_too_old(&self->base, self->age.at_ms, wall_ms);
}

/* Rows are as old as the next one whose time can be believed: go on to the first of these that
 * stays, by at most STORE_SCAN_MAX rows.
 */
static int judge_rows(struct sqlite *self, int64_t wall_ms)
{
	sqlite3_stmt *statement =
		bind_number(self->statements[ROWS_AGE], 1, (int64_t)self->age.next);
	const uint64_t end = self->age.next + STORE_SCAN_MAX;
	int code;

	bind_number(bind_number(statement, 2, (int64_t)end), 3, wall_ms + STORE_CLOCK_STEP_MS);
	self->age.next = end <= self->base.head.seq ? end : self->base.head.seq + 1;
	self->age.known = false;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_row row = row_of(statement);

		if (!is_sound(statement, &row))
			continue;
		if (store_too_old(&self->base, row.at_ms, wall_ms)) {
			self->age.gone = row.seq + 1;
			continue;
		}
		self->age.next = row.seq;
		self->age.at_ms = row.at_ms;
		self->age.known = true;
		break;
	}
	(void)sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* True if there is more to be done. */
static bool look_at_age(struct sqlite *self, int64_t wall_ms)
{
	int code;

	if (self->age.next < self->base.oldest) {
		self->age.next = self->base.oldest;
		self->age.known = false;
	}
	if (wall_ms == STORE_AGELESS_MS || stays(self, wall_ms) ||
	    self->age.next > self->base.head.seq)
		return false;
	code = judge_rows(self, wall_ms);
	if (code != SQLITE_OK)
		(void)sqlite_read_failed(self, "pruning history", code);
	return code == SQLITE_OK && (self->age.gone > self->base.oldest ||
				     (!self->age.known && self->age.next <= self->base.head.seq));
}

static int write_prune(struct sqlite *self, const void *argument)
{
	const uint64_t *cut = argument;

	bind_number(self->statements[ROWS_PRUNE], 1, (int64_t)*cut);
	return sqlite_step(self, ROWS_PRUNE);
}

/* True if there may be more.  A full disk ends it, until the next idle moment. */
static bool prune(struct sqlite *self, int64_t wall_ms)
{
	const uint64_t seq = self->base.head.seq, rows_max = self->base.limits.history_rows_max;
	uint64_t cut = seq >= rows_max ? seq - rows_max + 1 : 0;

	if (self->base.oldest == 0)
		return false;
	if (cut < self->age.gone)
		cut = self->age.gone;
	if (cut <= self->base.oldest)
		return look_at_age(self, wall_ms);
	if (cut > self->base.oldest + PRUNE_ROWS_MAX)
		cut = self->base.oldest + PRUNE_ROWS_MAX;
	if (write_durably(self, write_prune, &cut) != STORE_COMMITTED)
		return false;
	forget_ahead(self);
	self->base.oldest = cut <= seq ? cut : 0;
	return true;
}

static int write_doubt(struct sqlite *self, const void *argument)
{
	const bool *doubted = argument;

	bind_number(self->statements[DOUBT_SET], 1, *doubted);
	return sqlite_step(self, DOUBT_SET);
}

static enum store_event_type sqlite_keep_doubt(struct store *store, bool doubted)
{
	return write_durably(sqlite_of(store), write_doubt, &doubted);
}

static bool sqlite_tend(struct store *store, int64_t wall_ms)
{
	struct sqlite *self = sqlite_of(store);

	if (prune(self, wall_ms))
		return true;
	if (!store->broken && !store->room) {
		if (store_reserve_step(&self->reserve))
			return true;
		store->room = store_reserve_ready(&self->reserve);
	}
	if (!store->broken)
		checkpoint_if_due(self, WAL_PAGES_IDLE);
	return false;
}

const struct store_engine store_sqlite_engine = {
	.scheme = STORE_SQLITE,
	.open = sqlite_open,
	.close = sqlite_close,
	.load = sqlite_load,
	.commit = sqlite_commit,
	.tend = sqlite_tend,
	.keep_doubt = sqlite_keep_doubt,
	.history = sqlite_history,
};
