/* SPDX-License-Identifier: MIT */
/* Goal: an SQLite store lies where and as it should, keeps others out, and refuses every file that
 * is not its own, of a newer schema or damaged, without touching it.  Method: files made so, by
 * SQLite itself or byte by byte.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/store_engine.h"
#include "common/store_files.h"
#include "tests/lib/fakes.h"
#include "tests/lib/store_stage.h"

#define PAGE 4096

TestSuite(store_sqlite, .init = stage_begin, .fini = stage_end);

static struct store_fault fault;

/* Open the stage's file, or see why not. */
static int try_open(void)
{
	fault = (struct store_fault){ 0 };
	return store_open(&stage_store, stage_uri(), &stage_limits, &fault);
}

static void refused(int r, bool permanent)
{
	cr_assert_eq(try_open(), r, "%s", fault.reason);
	cr_assert_eq(fault.permanent, permanent);
	cr_assert_not_null(strstr(fault.reason, "registry.db"), "%s", fault.reason);
	cr_assert_null(stage_store);
}

/* Look at or change the file behind the store's back. */
static void execute(const char *sql)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(stage_path(""), &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

/* A closed store with numbered batches 1 to @count. */
static void make_store(uint64_t count)
{
	stage_open("sqlite", &stage_limits);
	for (uint64_t number = 1; number <= count; number++)
		cr_assert_eq(stage_try_number(number), STORE_COMMITTED);
	stage_close();
}

static off_t size_of(const char *suffix)
{
	struct stat file;

	return stat(stage_path(suffix), &file) == 0 ? file.st_size : -1;
}

static mode_t mode_of(const char *path)
{
	struct stat file;

	cr_assert_eq(stat(path, &file), 0);
	return file.st_mode & 07777;
}

static void write_file(const char *suffix, off_t at, const void *bytes, size_t length)
{
	int fd = open(stage_path(suffix), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, bytes, length, at), (ssize_t)length);
	cr_assert_eq(close(fd), 0);
}

static size_t read_file(const char *suffix, char *bytes, size_t size)
{
	int fd = open(stage_path(suffix), O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, bytes, size);

	cr_assert_geq(length, 0);
	cr_assert_lt((size_t)length, size, "longer than expected");
	cr_assert_eq(close(fd), 0);
	return (size_t)length;
}

/* Where it lies ---------------------------------------------------------------------------- */

static void made_with_mask(mode_t mask)
{
	char directory[320], uri[400];
	struct store *store;

	(void)snprintf(directory, sizeof directory, "%s-%o", stage_path(""), mask);
	(void)snprintf(uri, sizeof uri, "sqlite:%s/db", directory);
	(void)umask(mask);
	cr_assert_eq(store_open(&store, uri, &stage_limits, &fault), 0, "%s", fault.reason);
	cr_assert_eq(mode_of(directory), 0700);
	cr_assert_eq(mode_of(uri + 7), 0600);
	(void)strcat(uri, "-wal");
	cr_assert_eq(mode_of(uri + 7), 0600);
	store_close(store);
}

Test(store_sqlite, directory_and_files_are_ours_alone)
{
	made_with_mask(0);
	made_with_mask(0777);
}

Test(store_sqlite, what_others_could_read_is_closed_to_them)
{
	make_store(1);
	cr_assert_eq(chmod(stage_path(""), 0664), 0);
	stage_open("sqlite", &stage_limits);
	cr_assert_eq(mode_of(stage_path("")), 0600);
}

Test(store_sqlite, only_the_last_directory_is_made)
{
	char uri[400];

	(void)snprintf(uri, sizeof uri, "sqlite:%s/a/b", stage_path(""));
	cr_assert_eq(store_open(&stage_store, uri, &stage_limits, &fault), -ENOENT);
	cr_assert_not(fault.permanent, "the disk may be mounted later");
	(void)snprintf(uri, sizeof uri, "sqlite:%s", stage_path("/a"));
	write_file("", 0, "x", 1);
	cr_assert_eq(store_open(&stage_store, uri, &stage_limits, &fault), -ENOTDIR);
	cr_assert(fault.permanent);
}

Test(store_sqlite, a_name_without_directory_is_here)
{
	char directory[320];

	(void)snprintf(directory, sizeof directory, "%s", stage_path(""));
	*strrchr(directory, '/') = '\0';
	cr_assert_eq(chdir(directory), 0);
	cr_assert_eq(store_open(&stage_store, "sqlite:registry.db", &stage_limits, &fault), 0);
	cr_assert_eq(mode_of(stage_path("")), 0600);
}

Test(store_sqlite, one_byte_too_many_of_a_path_is_refused)
{
	char uri[7 + STORE_PATH_MAX + 2];
	size_t length = strlen(stage_path("")) - strlen("registry.db");

	/* DIRECTORY/././…/rrr.db */
	(void)snprintf(uri, sizeof uri, "sqlite:%.*s", (int)length, stage_path(""));
	for (length += 7; length + 2 <= 7 + STORE_PATH_MAX - 10; length += 2)
		memcpy(uri + length, "./", 2);
	memset(uri + length, 'r', 7 + STORE_PATH_MAX - length);
	uri[7 + STORE_PATH_MAX] = '\0';
	cr_assert_eq(store_open(&stage_store, uri, &stage_limits, &fault), 0, "%s", fault.reason);
	uri[7 + STORE_PATH_MAX] = 'r';
	uri[7 + STORE_PATH_MAX + 1] = '\0';
	stage_close();
	cr_assert_eq(store_open(&stage_store, uri, &stage_limits, &fault), -EINVAL);
	cr_assert(fault.permanent);
}

Test(store_sqlite, a_directory_is_no_store)
{
	cr_assert_eq(mkdir(stage_path(""), 0700), 0);
	refused(-EINVAL, true);
}

Test(store_sqlite, file_systems_of_other_machines_are_known)
{
	cr_assert_str_eq(store_files_remote(0x6969), "nfs");
	cr_assert_str_eq(store_files_remote(0xff534d42), "cifs");
	cr_assert_str_eq(store_files_remote(0xfe534d42), "smb2");
	cr_assert_str_eq(store_files_remote(0x01021997), "9p");
	cr_assert_str_eq(store_files_remote(0x65735546), "fuse");
	cr_assert_null(store_files_remote(0xef53), "ext4");
	cr_assert_null(store_files_remote(0x01021994), "tmpfs");
	cr_assert_null(store_files_remote(0x58465342), "xfs");
	cr_assert_null(store_files_remote(0x9123683e), "btrfs");
	cr_assert_null(store_files_remote(0x794c7630), "overlay");
}

/* Others ----------------------------------------------------------------------------------- */

static int open_in_child(void)
{
	pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0) {
		stage_store = NULL;
		int r = try_open();

		_exit(fault.permanent || !strstr(fault.reason, "registry.db") ? 255 : -r);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

Test(store_sqlite, a_second_process_is_kept_out)
{
	stage_open("sqlite", &stage_limits);
	cr_assert_eq(open_in_child(), EBUSY, "of a store nothing was written to yet");
	cr_assert_eq(stage_try_number(1), STORE_COMMITTED);
	cr_assert_eq(open_in_child(), EBUSY);
	cr_assert_eq(stage_try_number(2), STORE_COMMITTED);
	cr_assert_eq(open_in_child(), EBUSY, "the attempt took no lock away");
	stage_close();
	stage_open("sqlite", &stage_limits);
	cr_assert_eq(stage_audit(), 2);
}

Test(store_sqlite, a_second_opener_in_this_process_is_kept_out)
{
	struct store *second = NULL;

	make_store(3);
	stage_open("sqlite", &stage_limits);
	cr_assert_eq(store_open(&second, stage_uri(), &stage_limits, &fault), -EBUSY);
	cr_assert_null(second);
	cr_assert_eq(stage_try_number(4), STORE_COMMITTED);
	cr_assert_eq(open_in_child(), EBUSY);
	stage_reopen();
	cr_assert_eq(stage_audit(), 4);
}

Test(store_sqlite, what_is_no_database_is_refused_and_left_alone)
{
	static char text[10000], after[20000];

	memset(text, 'x', sizeof text);
	write_file("", 0, text, sizeof text);
	refused(-EUCLEAN, true);
	cr_assert_eq(read_file("", after, sizeof after), sizeof text);
	cr_assert_eq(memcmp(after, text, sizeof text), 0);
}

Test(store_sqlite, the_database_of_others_is_refused_and_left_alone)
{
	static char before[65536], after[65536];
	size_t length;

	execute("CREATE TABLE meta(k, v); INSERT INTO meta VALUES('seq', 1)");
	length = read_file("", before, sizeof before);
	refused(-EUCLEAN, true);
	cr_assert_eq(read_file("", after, sizeof after), length);
	cr_assert_eq(memcmp(before, after, length), 0);
	execute("PRAGMA application_id=42; PRAGMA journal_mode=WAL");
	refused(-EUCLEAN, true);
}

/* Schemas ---------------------------------------------------------------------------------- */

Test(store_sqlite, another_schema_is_refused)
{
	char newer[64];

	make_store(2);
	(void)snprintf(newer, sizeof newer, "PRAGMA user_version=%d", STORE_SCHEMA + 1);
	execute(newer);
	refused(-EPROTO, true);
	cr_assert_not_null(strstr(fault.reason, "newer"));
	execute("PRAGMA user_version=1"); /* before there were checks */
	refused(-EPROTO, true);
	cr_assert_not_null(strstr(fault.reason, "no way from 1 to 2"), "%s", fault.reason);
	(void)snprintf(newer, sizeof newer, "PRAGMA user_version=%d", STORE_SCHEMA);
	execute(newer);
	stage_open("sqlite", &stage_limits);
	cr_assert_eq(stage_audit(), 2);
}

/* What changes a value changes its check. */
#define CHANGED(value) "UPDATE record SET data = " value ", xxh3 = record_check(key, " value ")"

static int open_schema(int version, const struct store_migration *migrations)
{
	struct store_schema schema = { version, migrations };

	stage_close();
	fault = (struct store_fault){ 0 };
	return store_sqlite_open(&stage_store, stage_path(""), &stage_limits, &schema, &fault);
}

Test(store_sqlite, an_older_schema_is_brought_up_step_by_step)
{
	static const struct store_migration all[] = {
		{ 2, CHANGED("data || '-third'") },
		{ 1, CHANGED("'second-' || data") },
		{ 0, NULL },
	};
	static const struct store_migration none[] = { { 0, NULL } };

	cr_assert_eq(open_schema(1, none), 0);
	stage_put("k", "v");
	cr_assert_eq(open_schema(3, all), 0, "%s", fault.reason);
	cr_assert_str_eq(stage_records(), "k=second-v-third");
	cr_assert_eq(open_schema(3, none), 0, "once");
	cr_assert_str_eq(stage_records(), "k=second-v-third");
	cr_assert_eq(open_schema(2, all), -EPROTO, "and never back");
}

Test(store_sqlite, a_migration_happens_as_a_whole_or_not_at_all)
{
	static const struct store_migration broken[] = {
		{ 1, CHANGED("'second-' || data") },
		{ 2, "UPDATE no_such_table SET x = 1" },
		{ 0, NULL },
	};
	static const struct store_migration hole[] = {
		{ 1, CHANGED("'second-' || data") },
		{ 3, CHANGED("'fourth-' || data") },
		{ 0, NULL },
	};
	static const struct store_migration none[] = { { 0, NULL } };

	cr_assert_eq(open_schema(1, none), 0);
	stage_put("k", "v");
	cr_assert_eq(open_schema(3, broken), -EUCLEAN);
	cr_assert_eq(open_schema(4, hole), -EPROTO);
	cr_assert_not_null(strstr(fault.reason, "from 2 to 3"), "%s", fault.reason);
	cr_assert_eq(open_schema(1, none), 0, "%s", fault.reason);
	cr_assert_str_eq(stage_records(), "k=v");
}

/* Housekeeping ----------------------------------------------------------------------------- */

Test(store_sqlite, a_step_of_housekeeping_is_small)
{
	struct store_limits limits = stage_limits;

	limits.history_rows_max = 100;
	stage_open("sqlite", &limits);
	stage_rows(1, 501, 0);
	cr_assert(store_tend(stage_store, &(struct store_time){ .wall_ms = 0 }));
	cr_assert_eq(store_oldest(stage_store), 201, "200 rows");
	cr_assert(store_tend(stage_store, &(struct store_time){ .wall_ms = 0 }));
	cr_assert_eq(store_oldest(stage_store), 401);
	cr_assert(store_tend(stage_store, &(struct store_time){ .wall_ms = 0 }));
	cr_assert_eq(store_oldest(stage_store), 402);
	cr_assert_not(store_tend(stage_store, &(struct store_time){ .wall_ms = 0 }));
}

Test(store_sqlite, the_log_stays_small_and_goes_with_a_close)
{
	stage_open("sqlite", &stage_limits);
	for (uint64_t number = 1; number <= 500; number++)
		cr_assert_eq(stage_try_number(number), STORE_COMMITTED);
	cr_assert_lt(size_of("-wal"), 300 * (PAGE + 24) + 32, "250 pages and a commit");
	cr_assert_gt(size_of("-wal"), 200 * PAGE, "it is not emptied by every commit either");
	stage_close();
	cr_assert_eq(size_of("-wal"), -1);
}

/* Damage ----------------------------------------------------------------------------------- */

static int count_record(void *context, struct text key, struct text data)
{
	int *count = context;

	(void)key;
	(void)data;
	(*count)++;
	return 0;
}

/* Read everything there is.  True if it was whole; else the store must have said what is wrong. */
static bool read_whole(int records, uint64_t rows)
{
	struct store_query query = { .from = 1 };
	struct store_row row = { 0 };
	struct store_event event;
	int count = 0, r;

	r = try_open();
	if (r < 0) {
		cr_assert_eq(r, -EUCLEAN, "%d: %s", r, fault.reason);
		cr_assert(fault.permanent);
		return false;
	}
	r = store_load(stage_store, count_record, &count);
	for (; r == 0; query.from = row.seq + 1)
		r = store_history(stage_store, &query, &row);
	if (r == STORE_E_END) {
		stage_close();
		cr_assert_eq(count, records);
		cr_assert_eq(row.seq, rows);
		return true;
	}
	cr_assert(r == -EUCLEAN || r == -EIO, "%d", r);
	cr_assert_str_not_empty(store_trouble(stage_store));
	cr_assert_eq(store_drive(stage_store, 1, &event), 0);
	cr_assert_eq(event.type, STORE_BROKEN);
	cr_assert_eq(stage_try(&(struct store_batch){ .next_epoch = rows }), STORE_BROKEN);
	cr_assert_eq(store_load(stage_store, count_record, &count), -EIO);
	cr_assert_not(store_tend(stage_store, &(struct store_time){ .wall_ms = 1 }));
	stage_close();
	return false;
}

#define BATCHES 300
#define RECORDS 13

Test(store_sqlite, a_file_cut_short_is_noticed)
{
	static char image[1 << 20];
	size_t length;

	make_store(BATCHES);
	length = read_file("", image, sizeof image);
	cr_assert_gt(length, 8 * PAGE);
	cr_assert(read_whole(RECORDS, 2 * BATCHES));
	for (size_t cut = 0; cut < length; cut += PAGE / 2) {
		write_file("", 0, image, length);
		(void)unlink(stage_path("-wal"));
		cr_assert_eq(truncate(stage_path(""), (off_t)cut), 0);
		cr_assert_not(read_whole(RECORDS, 2 * BATCHES), "%zu of %zu bytes", cut, length);
	}
}

Test(store_sqlite, a_store_that_became_empty_is_not_taken_for_new)
{
	make_store(1);
	cr_assert_eq(truncate(stage_path(""), 0), 0);
	refused(-EUCLEAN, true);
	cr_assert_eq(unlink(stage_path("")), 0);
	refused(-EUCLEAN, true);
	cr_assert_not_null(strstr(fault.reason, ".reserve"));
	cr_assert_eq(unlink(stage_path(".reserve")), 0);
	stage_open("sqlite", &stage_limits);
	cr_assert_eq(stage_audit(), 0, "it is new when all of it was removed");
}

Test(store_sqlite, a_spoilt_page_is_noticed_or_not_needed)
{
	static char image[1 << 20];
	static uint64_t noise[PAGE / sizeof(uint64_t)];
	struct prng prng = { 7 };
	size_t length, noticed = 0;

	make_store(BATCHES);
	length = read_file("", image, sizeof image);
	for (size_t page = 0; page < length / PAGE; page++) {
		for (size_t i = 0; i < PAGE / sizeof noise[0]; i++)
			noise[i] = prng_next(&prng);
		write_file("", 0, image, length);
		(void)unlink(stage_path("-wal"));
		write_file("", (off_t)(page * PAGE), noise, PAGE);
		noticed += !read_whole(RECORDS, 2 * BATCHES);
	}
	cr_assert_gt(noticed, length / PAGE / 2, "%zu of %zu", noticed, length / PAGE);
}

Test(store_sqlite, a_head_that_does_not_fit_its_rows_is_noticed)
{
	make_store(3);
	execute("DELETE FROM history WHERE seq = 6");
	refused(-EUCLEAN, true);
	execute("UPDATE meta SET v = 5 WHERE k = 'seq'");
	refused(-EUCLEAN, true); /* the head is not the one that was committed */
	execute("UPDATE meta SET v = 6 WHERE k = 'seq'");
	execute("INSERT INTO history SELECT 6, at_ms, user_id, stream_id, data, xxh3 FROM history "
		"WHERE seq = 5");
	cr_assert_eq(try_open(), 0, "%s", fault.reason);
	stage_close();
	execute("UPDATE meta SET v = v - 1 WHERE k = 'next_epoch'");
	refused(-EUCLEAN, true); /* epochs would be given out again */
	execute("DELETE FROM meta WHERE k = 'next_epoch'");
	refused(-EUCLEAN, true);
}

/* All rows are too old, once that clock is believed. */
static void tend_at_the_end_of_time(void)
{
	struct store_time end = { .wall_ms = INT64_MAX / 2 };

	(void)store_tend(stage_store, &end);
	end.wall_ms += STORE_CLOCK_TRUST_MS;
	end.now_ms += STORE_CLOCK_TRUST_MS;
	(void)store_tend(stage_store, &end);
}

/* Every byte counts or does not: whatever is flipped, nothing crashes. */
Test(store_sqlite, flipped_bytes_crash_nothing)
{
	static char image[1 << 20];
	struct prng prng = { 3 };
	size_t length;

	make_store(BATCHES);
	length = read_file("", image, sizeof image);
	for (int round = 0; round < 300; round++) {
		off_t at = prng_one_in(&prng, 2)
				   ? (off_t)prng_below(&prng, (uint32_t)length)
				   : (off_t)(prng_below(&prng, (uint32_t)(length / PAGE)) * PAGE +
					     prng_below(&prng, 16));
		char flipped = (char)(image[at] ^ (1 << prng_below(&prng, 8)));
		struct store_query query = { .from = 1 };
		struct store_row row;
		int count = 0;

		write_file("", 0, image, length);
		(void)unlink(stage_path("-wal"));
		write_file("", at, &flipped, 1);
		if (try_open() < 0)
			continue;
		(void)store_load(stage_store, count_record, &count);
		for (; query.from <= 2 * BATCHES; query.from++)
			(void)store_history(stage_store, &query, &row);
		tend_at_the_end_of_time();
		stage_close();
	}
}

/* As after a power cut: the log ends anywhere. */
Test(store_sqlite, a_torn_log_ends_with_a_whole_batch)
{
	static char image[1 << 20], log[1 << 20];
	size_t image_length, log_length;
	uint64_t last = 0, found;

	stage_open("sqlite", &stage_limits);
	for (uint64_t number = 1; number <= 20; number++)
		cr_assert_eq(stage_try_number(number), STORE_COMMITTED);
	image_length = read_file("", image, sizeof image);
	log_length = read_file("-wal", log, sizeof log);
	stage_close();
	for (size_t cut = 0; cut <= log_length; cut += 1000) {
		write_file("", 0, image, image_length);
		cr_assert_eq(truncate(stage_path(""), (off_t)image_length), 0);
		write_file("-wal", 0, log, log_length);
		cr_assert_eq(truncate(stage_path("-wal"), (off_t)cut), 0);
		if (try_open() < 0)
			continue; /* not even the tables are there, but the reserve is */
		found = stage_audit();
		cr_assert_geq(found, last);
		last = found;
		stage_close();
	}
	cr_assert_geq(last, 19);
	cr_assert_gt(size_of(""), 0);
}
