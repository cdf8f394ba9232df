/* SPDX-License-Identifier: MIT */
/* Opening an SQLite store: whose file is it, of which schema, and what has to be mended first. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/store_sqlite.h"

#define APPLICATION_ID 0x77656972 /* "weir", in the file's header */
#define WAL_BYTES_KEPT "4194304" /* a log that grew beyond is cut when it can be */

static const char schema_sql[] =
	"CREATE TABLE meta(k TEXT PRIMARY KEY, v INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES('seq', 0), ('next_epoch', 0), ('check', 0);"
	/* With rowids: random inserts are 2.5 times as fast at a million records. */
	"CREATE TABLE record(key TEXT PRIMARY KEY, data BLOB NOT NULL, xxh3 INTEGER NOT NULL);"
	"CREATE TABLE history(seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL,"
	" user_id TEXT NOT NULL, stream_id TEXT NOT NULL, data BLOB NOT NULL,"
	" xxh3 INTEGER NOT NULL);"
	"CREATE INDEX history_stream ON history(stream_id);"
	/* Without types: what is damaged is kept as it is. */
	"CREATE TABLE quarantine(id INTEGER PRIMARY KEY, seq, reason, key, data, xxh3);";

static const char *const statement_sql[STATEMENT_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[HEAD_SET] = "UPDATE meta SET v = CASE k WHEN 'seq' THEN ?1 WHEN 'check' THEN ?3"
		     " ELSE ?2 END WHERE k IN ('seq', 'next_epoch', 'check')",
	[RECORD_PUT] = "INSERT INTO record(key, data, xxh3) VALUES(?1, ?2, ?3) ON CONFLICT(key)"
		       " DO UPDATE SET data = excluded.data, xxh3 = excluded.xxh3",
	[RECORD_DELETE] = "DELETE FROM record WHERE key = ?1",
	[RECORD_FIND] = "SELECT rowid FROM record WHERE key = ?1",
	[RECORD_COPY] = "INSERT INTO quarantine(seq, reason, key, data, xxh3)"
			" SELECT ?3, ?2, key, data, xxh3 FROM record WHERE rowid = ?1",
	[RECORD_LEAVE] = "DELETE FROM record WHERE rowid = ?1",
	/* As they lie: by key each would be looked up from the index. */
	[RECORDS] = "SELECT key, data, xxh3, rowid FROM record",
	[RECORD_KEYS] = "SELECT key FROM record INDEXED BY sqlite_autoindex_record_1",
	[ROW_PUT] = "INSERT INTO history(seq, at_ms, user_id, stream_id, data, xxh3)"
		    " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[ROWS] = "SELECT seq, at_ms, user_id, stream_id, data, xxh3 FROM history"
		 " WHERE seq >= ?1 ORDER BY seq",
	[ROWS_OF_STREAM] = "SELECT seq, at_ms, user_id, stream_id, data, xxh3 FROM history"
			   " WHERE stream_id = ?2 AND seq >= ?1 ORDER BY seq",
	[ROWS_AGE] = "SELECT seq, at_ms, user_id, stream_id, data, xxh3 FROM history"
		     " WHERE seq >= ?1 AND seq < ?2 AND at_ms <= ?3 ORDER BY seq",
	[ROWS_PRUNE] = "DELETE FROM history WHERE seq < ?1",
	[DOUBT_SET] = "INSERT INTO meta VALUES('clock_doubted', ?1)"
		      " ON CONFLICT(k) DO UPDATE SET v = excluded.v",
};

/* The one number that @sql gives; SQLITE_CORRUPT if it gives anything else. */
static int ask_number(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER) {
		*out = sqlite3_column_int64(statement, 0);
		code = SQLITE_OK;
	} else if (code == SQLITE_ROW || code == SQLITE_DONE) {
		code = SQLITE_CORRUPT;
	}
	(void)sqlite3_finalize(statement);
	return code;
}

void sqlite_close(struct store *store)
{
	struct sqlite *self = sqlite_of(store);

	for (int i = 0; i < STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(self->statements[i]);
	/* The last close moves the log into the database and removes it, but not after a failure:
	 * the next life reads both anew.
	 */
	if (store->broken)
		(void)sqlite3_db_config(self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(self->db);
	store_reserve_fini(&self->reserve);
	free(self->damaged);
	free(self);
}

static int refuse_code(const struct sqlite *self, int code, struct store_fault *fault)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return store_refuse(fault, -EBUSY, "%s is in use by another process", self->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* a table or a column is not there */
		return store_refuse(fault, -EUCLEAN,
				    "%s is damaged, or no store of weir (%s): restore a backup, "
				    "or move it and its -wal and .reserve files away to begin anew",
				    self->path, sqlite3_errstr(code));
	case SQLITE_FULL:
		return store_refuse(fault, -ENOSPC, "%s: the disk is full", self->path);
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return store_refuse(fault, -EACCES, "%s: cannot be opened for writing: %s",
				    self->path, sqlite3_errstr(code));
	case SQLITE_NOMEM:
		return store_refuse(fault, -ENOMEM, "%s: no memory", self->path);
	}
	return store_refuse(fault, -EIO, "%s: %s (SQLite %d)", self->path, sqlite3_errstr(code),
			    code);
}

/* What a file says about itself. */
struct found {
	int64_t application, tables, schema;
};

/* Before anything is written: a file of somebody else must stay as it is. */
static int identify(struct sqlite *self, struct found *found)
{
	int code = ask_number(self->db, "PRAGMA application_id", &found->application);

	if (code == SQLITE_OK)
		code = ask_number(self->db, "SELECT count(*) FROM sqlite_schema", &found->tables);
	if (code == SQLITE_OK)
		code = ask_number(self->db, "PRAGMA user_version", &found->schema);
	return code;
}

static int execute(struct sqlite *self, const char *sql)
{
	return sqlite3_exec(self->db, sql, NULL, NULL, NULL);
}

static int set_pragma(struct sqlite *self, const char *name, int value)
{
	char sql[64];

	(void)snprintf(sql, sizeof sql, "PRAGMA %s=%d", name, value);
	return execute(self, sql);
}

static int create_tables(struct sqlite *self, struct store_fault *fault)
{
	int code;

	/* The reserve comes after the tables: there is one, so there was a store. */
	if (store_reserve_found(&self->reserve))
		return store_refuse(fault, -EUCLEAN,
				    "%s is empty, but was not: restore a backup, or remove %s "
				    "to begin anew",
				    self->path, self->reserve.path);
	code = set_pragma(self, "application_id", APPLICATION_ID);
	if (code == SQLITE_OK)
		code = execute(self, schema_sql);
	return code == SQLITE_OK ? 0 : refuse_code(self, code, fault);
}

static int migrate(struct sqlite *self, int64_t found, const struct store_schema *schema,
		   struct store_fault *fault)
{
	int code = SQLITE_OK;

	for (int64_t from = found; code == SQLITE_OK && from < schema->version; from++) {
		const struct store_migration *step = schema->migrations;

		while (step->from != 0 && step->from != from)
			step++;
		if (step->from == 0)
			return store_refuse(fault, -EPROTO,
					    "%s has schema %lld, and this release knows no way "
					    "from %lld to %lld: open it with an older one first",
					    self->path, (long long)found, (long long)from,
					    (long long)from + 1);
		code = execute(self, step->sql);
	}
	return code == SQLITE_OK ? 0 : refuse_code(self, code, fault);
}

/* One transaction: what is not committed goes with the connection. */
static int settle_schema(struct sqlite *self, const struct found *found,
			 const struct store_schema *schema, struct store_fault *fault)
{
	int code, r;

	if (found->tables > 0 && found->schema > schema->version)
		return store_refuse(fault, -EPROTO,
				    "%s has schema %lld, this release knows %d: it was written by "
				    "a newer one, use that",
				    self->path, (long long)found->schema, schema->version);
	if (found->tables > 0 && found->schema == schema->version)
		return 0;
	code = execute(self, "BEGIN IMMEDIATE");
	if (code != SQLITE_OK)
		return refuse_code(self, code, fault);
	r = found->tables == 0 ? create_tables(self, fault)
			       : migrate(self, found->schema, schema, fault);
	if (r < 0)
		return r;
	code = set_pragma(self, "user_version", schema->version);
	if (code == SQLITE_OK)
		code = execute(self, "COMMIT");
	return code == SQLITE_OK ? 0 : refuse_code(self, code, fault);
}

/* SQLite counts a piece of a page as one, and fills up with zeros what is not there. */
static int check_size(struct sqlite *self)
{
	int64_t pages = 0, page_size = 0;
	struct stat file;
	int code = ask_number(self->db, "PRAGMA page_count", &pages);

	if (code == SQLITE_OK)
		code = ask_number(self->db, "PRAGMA page_size", &page_size);
	if (code != SQLITE_OK)
		return code;
	return stat(self->path, &file) == 0 && file.st_size >= pages * page_size ? SQLITE_OK
										 : SQLITE_CORRUPT;
}

/* The head and the rows it stands for. */
static int recover(struct sqlite *self)
{
	int64_t seq = 0, next_epoch = 0, check = 0, oldest = 0, newest = 0, quarantined = 0;
	int64_t doubted = 0;
	const struct {
		const char *sql;
		int64_t *out;
	} questions[] = {
		{ "SELECT v FROM meta WHERE k = 'seq'", &seq },
		{ "SELECT v FROM meta WHERE k = 'next_epoch'", &next_epoch },
		{ "SELECT v FROM meta WHERE k = 'check'", &check },
		{ "SELECT ifnull((SELECT v FROM meta WHERE k = 'clock_doubted'), 0)", &doubted },
		{ "SELECT count(*) FROM quarantine", &quarantined },
		{ "SELECT ifnull(min(seq), 0) FROM history", &oldest },
		{ "SELECT ifnull(max(seq), 0) FROM history", &newest },
	};
	int code = SQLITE_OK;

	for (size_t i = 0; i < sizeof questions / sizeof questions[0] && code == SQLITE_OK; i++)
		code = ask_number(self->db, questions[i].sql, questions[i].out);
	if (code != SQLITE_OK)
		return code;
	/* A commit writes rows and head together, and only the oldest rows ever go. */
	if (seq < 0 || next_epoch < 0 || oldest < 0 || (newest != 0 && newest != seq))
		return SQLITE_CORRUPT;
	self->base.head = (struct store_head){ (uint64_t)seq, (uint64_t)next_epoch };
	/* What the epochs grow from has to be right; a fresh store has committed nothing. */
	if ((seq != 0 || next_epoch != 0) && (uint64_t)check != store_head_check(&self->base.head))
		return SQLITE_CORRUPT;
	self->base.quarantined = (uint64_t)quarantined;
	self->base.oldest = (uint64_t)oldest;
	self->base.clock.doubted = self->base.clock.kept = doubted != 0;
	return SQLITE_OK;
}

static int prepare_statements(struct sqlite *self)
{
	int code = SQLITE_OK;

	for (int i = 0; i < STATEMENT_COUNT && code == SQLITE_OK; i++)
		code = sqlite3_prepare_v3(self->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					  &self->statements[i], NULL);
	return code;
}

/* The log goes into the database before the first commit: after a failed fsync its last pages may
 * be in memory only, marked as clean, and what is added behind them would be lost with them.
 */
static int make_ready(struct sqlite *self)
{
	int code = sqlite_checkpoint(self, SQLITE_CHECKPOINT_TRUNCATE);

	if (code == SQLITE_OK)
		code = check_size(self);
	if (code == SQLITE_OK || sqlite_full(code))
		code = recover(self);
	if (code == SQLITE_OK)
		code = prepare_statements(self);
	if (code != SQLITE_OK)
		return code;
	(void)sqlite3_wal_hook(self->db, sqlite_on_wal, self);
	while (store_reserve_step(&self->reserve))
		;
	self->base.room = store_reserve_ready(&self->reserve);
	if (!self->base.room)
		sqlite_no_room(self);
	return SQLITE_OK;
}

/* record_check(key, data): for migrations, which change what is checked. */
static void on_record_check(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct text texts[2];

	for (int i = 0; i < count; i++) {
		texts[i].bytes = sqlite3_value_blob(values[i]);
		texts[i].length = (uint32_t)sqlite3_value_bytes(values[i]);
	}
	sqlite3_result_int64(context, (int64_t)store_record_check(texts[0], texts[1]));
}

/* The first pragma comes before the first read, so that the index of the log is in our own memory
 * and nobody else gets in; the others after identify().
 */
static int connect_file(struct sqlite *self, const struct store_schema *schema,
			struct store_fault *fault)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	struct found found = { 0 };
	int code = sqlite3_open_v2(self->path, &self->db, flags, NULL);
	int r;

	if (code == SQLITE_OK)
		code = execute(self, "PRAGMA locking_mode=EXCLUSIVE");
	if (code == SQLITE_OK)
		code = sqlite3_create_function(self->db, "record_check", 2,
					       SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
					       on_record_check, NULL, NULL);
	if (code == SQLITE_OK)
		code = identify(self, &found);
	if (code == SQLITE_OK && found.tables > 0 && found.application != APPLICATION_ID)
		return store_refuse(fault, -EUCLEAN,
				    "%s is a database, but no store of weir: name another file",
				    self->path);
	if (code == SQLITE_OK)
		code = execute(self, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				     "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-4096;"
				     "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;"
				     "PRAGMA journal_size_limit=" WAL_BYTES_KEPT);
	if (code != SQLITE_OK)
		return refuse_code(self, code, fault);
	r = settle_schema(self, &found, schema, fault);
	if (r < 0)
		return r;
	code = make_ready(self);
	return code == SQLITE_OK ? 0 : refuse_code(self, code, fault);
}

int store_sqlite_open(struct store **out, const char *path, const struct store_limits *limits,
		      const struct store_schema *schema, struct store_fault *fault)
{
	size_t length = strlen(path);
	struct sqlite *self;
	int r;

	/* SQLite has meanings of its own for names that begin with a colon. */
	if (length == 0 || length > STORE_PATH_MAX || *path == ':')
		return store_refuse(fault, -EINVAL,
				    "sqlite:%s: a path of 1 to %d bytes is wanted, "
				    "and no colon in front",
				    path, STORE_PATH_MAX);
	r = store_files_prepare(path, fault);
	if (r < 0)
		return r;
	self = calloc(1, sizeof *self);
	if (!self)
		return store_refuse(fault, -ENOMEM, "no memory for a store");
	self->base = (struct store){ .engine = &store_sqlite_engine, .limits = *limits };
	(void)text_put((struct text){ path, (uint32_t)length }, self->path, sizeof self->path);
	store_reserve_init(&self->reserve, path, limits->reserve_bytes);
	r = connect_file(self, schema, fault);
	if (r < 0) {
		self->base.broken = true; /* whatever the files are, they stay as they are */
		sqlite_close(&self->base);
		return r;
	}
	*out = &self->base;
	return 0;
}

int sqlite_open(struct store **out, const char *path, const struct store_limits *limits,
		struct store_fault *fault)
{
	/* Nothing was ever run that has an older one. */
	static const struct store_migration none[] = { { 0, NULL } };

	return store_sqlite_open(out, path, limits, &(struct store_schema){ STORE_SCHEMA, none },
				 fault);
}
