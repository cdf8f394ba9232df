/* SPDX-License-Identifier: MIT */
/* Goal: a disk that is full or fails does what store.h says: nothing acknowledged is lost, a commit
 * without room has no effect, after a failure nothing is acknowledged any more.  Method: a VFS that
 * fails the n-th call, for every n that a commit, an opening or a load makes; then a disk of a few
 * MiB that is really full.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/store.h"
#include "tests/lib/store_faults.h"
#include "tests/lib/store_stage.h"

#define FOR_EVER UINT32_MAX
#define ORDINARY 3 /* the number of a commit without a checkpoint */

static void setup(void)
{
	stage_begin();
	store_faults_install();
}

TestSuite(store_faults, .init = setup, .fini = stage_end);

static void commit_numbers(uint64_t first, uint64_t last)
{
	for (uint64_t number = first; number <= last; number++)
		cr_assert_eq(stage_try_number(number), STORE_COMMITTED, "%s",
			     store_trouble(stage_store));
}

/* A new store with batches 1 to @last. */
static void start_over(uint64_t last)
{
	store_faults_arm(NULL);
	stage_close();
	(void)unlink(stage_path(""));
	(void)unlink(stage_path("-wal"));
	(void)unlink(stage_path(".reserve"));
	stage_open("sqlite", &stage_limits);
	commit_numbers(1, last);
}

/* The number of the first commit that moves the log into the database, for which it reads it. */
static uint64_t crossing(void)
{
	start_over(0);
	for (uint64_t number = 1; number < 1000; number++) {
		store_faults_arm(NULL);
		commit_numbers(number, number);
		if (store_faults_count(STORE_FAULTS_READ) > 4)
			return number;
	}
	cr_assert_fail("no commit made a checkpoint");
	return 0;
}

static void tend_all(void)
{
	for (int steps = 0; store_tend(stage_store, &(struct store_time){ .wall_ms = 1 }); steps++)
		cr_assert_lt(steps, 1000);
}

/* Everything is well again, and stays so. */
static void healed(uint64_t number)
{
	store_faults_arm(NULL);
	tend_all();
	cr_assert(store_has_room(stage_store));
	cr_assert_eq(access(stage_path(".reserve"), F_OK), 0);
	commit_numbers(number, number + 2);
	stage_reopen();
	cr_assert_eq(stage_audit(), number + 2);
}

/* Full ------------------------------------------------------------------------------------- */

static uint32_t full_once_at_every_write(uint64_t number)
{
	for (uint32_t after = 0;; after++) {
		start_over(number - 1);
		cr_assert(store_has_room(stage_store));
		store_faults_arm(
			&(struct store_faults_plan){ STORE_FAULTS_WRITE, SQLITE_FULL, after, 1 });
		commit_numbers(number, number);
		if (store_faults_hits() == 0)
			return after;
		cr_assert_not(store_has_room(stage_store), "write %u", after);
		cr_assert_neq(access(stage_path(".reserve"), F_OK), 0, "write %u", after);
		cr_assert_eq(stage_audit(), number);
		healed(number + 1);
	}
}

Test(store_faults, the_reserve_saves_a_commit)
{
	cr_assert_gt(full_once_at_every_write(ORDINARY), 4);
}

Test(store_faults, the_reserve_saves_a_commit_with_a_checkpoint)
{
	uint32_t ordinary = full_once_at_every_write(ORDINARY);

	cr_assert_gt(full_once_at_every_write(crossing()), ordinary + 4);
}

/* How many commits were refused, and how many were durable without their checkpoint. */
struct outcomes {
	uint32_t full, committed;
};

static struct outcomes full_for_ever_at_every_write(uint64_t number)
{
	struct outcomes seen = { 0 };

	for (uint32_t after = 0;; after++) {
		enum store_event_type type;

		start_over(number - 1);
		store_faults_arm(&(struct store_faults_plan){ STORE_FAULTS_WRITE, SQLITE_FULL,
							      after, FOR_EVER });
		type = stage_try_number(number);
		if (store_faults_hits() == 0)
			return seen;
		cr_assert_not(store_has_room(stage_store));
		cr_assert_not_null(strstr(store_trouble(stage_store), "full"));
		if (type == STORE_COMMITTED) {
			seen.committed++;
			cr_assert_eq(stage_audit(), number);
			healed(number + 1);
			continue;
		}
		cr_assert_eq(type, STORE_FULL, "write %u: %d", after, (int)type);
		seen.full++;
		cr_assert_eq(stage_audit(), number - 1, "no effect at all");
		cr_assert_eq(stage_try_number(number), STORE_FULL, "and again");
		healed(number);
	}
}

Test(store_faults, without_room_a_commit_has_no_effect)
{
	struct outcomes seen = full_for_ever_at_every_write(ORDINARY);

	cr_assert_gt(seen.full, 4);
	cr_assert_eq(seen.committed, 0);
}

Test(store_faults, a_checkpoint_without_room_takes_nothing_back)
{
	struct outcomes seen = full_for_ever_at_every_write(crossing());

	cr_assert_gt(seen.full, 4);
	cr_assert_gt(seen.committed, 4);
}

Test(store_faults, a_full_disk_does_not_stop_housekeeping_for_ever)
{
	struct store_limits limits = stage_limits;

	limits.history_rows_max = 10;
	stage_open("sqlite", &limits);
	commit_numbers(1, 50);
	store_faults_arm(
		&(struct store_faults_plan){ STORE_FAULTS_WRITE, SQLITE_FULL, 0, FOR_EVER });
	cr_assert_not(store_tend(stage_store, &(struct store_time){ .wall_ms = 1 }),
		      "it gives up for this time");
	cr_assert_eq(store_oldest(stage_store), 1);
	cr_assert_eq(stage_try_number(51), STORE_FULL);
	store_faults_arm(NULL);
	tend_all();
	cr_assert_eq(store_oldest(stage_store), 91);
	cr_assert_eq(stage_try_number(51), STORE_COMMITTED);
	cr_assert_eq(stage_audit(), 51);
}

/* Failed ----------------------------------------------------------------------------------- */

static int count_record(void *context, struct text key, struct text data)
{
	int *count = context;

	(void)key;
	(void)data;
	(*count)++;
	return 0;
}

static void expect_broken(uint64_t number)
{
	struct store_row row;
	struct store_event event;
	int count = 0;

	cr_assert_str_not_empty(store_trouble(stage_store));
	store_faults_arm(NULL); /* the medium seems to be well again, which proves nothing */
	cr_assert_eq(store_drive(stage_store, 1, &event), 0);
	cr_assert_eq(event.type, STORE_BROKEN, "it is told for ever");
	cr_assert_eq(stage_try_number(number), STORE_BROKEN);
	cr_assert_not(store_tend(stage_store, &(struct store_time){ .wall_ms = 1 }));
	cr_assert_eq(store_load(stage_store, count_record, &count), -EIO);
	cr_assert_eq(store_history(stage_store, &(struct store_query){ 0 }, &row), -EIO);
	cr_assert_eq(count, 0);
	cr_assert_eq(store_faults_count(STORE_FAULTS_WRITE), 0, "nothing was even tried");
}

/* A failed commit breaks the store; the next life has it or has it not, but all of it. */
static uint32_t broken_at_every(enum store_faults_call call, int code, uint64_t number)
{
	for (uint32_t after = 0;; after++) {
		uint32_t times = after % 2 ? 1 : FOR_EVER;
		enum store_event_type type;
		uint64_t found;

		start_over(number - 1);
		store_faults_arm(&(struct store_faults_plan){ call, code, after, times });
		type = stage_try_number(number);
		if (store_faults_hits() == 0)
			return after;
		cr_assert_eq(type, STORE_BROKEN, "call %u: %d", after, (int)type);
		cr_assert_eq(store_head(stage_store).seq, 2 * (number - 1));
		expect_broken(number);
		stage_reopen();
		found = stage_audit();
		cr_assert(found == number - 1 || found == number, "call %u: %llu", after,
			  (unsigned long long)found);
		healed(found + 1);
	}
}

Test(store_faults, a_failed_write_breaks_the_store)
{
	cr_assert_gt(broken_at_every(STORE_FAULTS_WRITE, SQLITE_IOERR_WRITE, ORDINARY), 4);
	cr_assert_gt(broken_at_every(STORE_FAULTS_WRITE, SQLITE_IOERR_WRITE, crossing()), 8);
}

Test(store_faults, a_failed_sync_breaks_the_store)
{
	cr_assert_eq(broken_at_every(STORE_FAULTS_SYNC, SQLITE_IOERR_FSYNC, ORDINARY), 1);
	cr_assert_gt(broken_at_every(STORE_FAULTS_SYNC, SQLITE_IOERR_FSYNC, crossing()), 1);
}

Test(store_faults, a_failed_read_breaks_the_store)
{
	cr_assert_gt(broken_at_every(STORE_FAULTS_READ, SQLITE_IOERR_READ, crossing()), 4);
}

Test(store_faults, damage_met_while_it_runs_breaks_the_store)
{
	cr_assert_gt(broken_at_every(STORE_FAULTS_READ, SQLITE_CORRUPT, crossing()), 4);
	cr_assert_gt(broken_at_every(STORE_FAULTS_READ, SQLITE_NOTADB, crossing()), 4);
}

/* True if everything could be read. */
static bool read_all(void)
{
	struct store_query query = { .from = 1 };
	struct store_row row;
	int count = 0;
	int r = store_load(stage_store, count_record, &count);

	for (; r == 0; query.from = row.seq + 1)
		r = store_history(stage_store, &query, &row);
	cr_assert(r == STORE_E_END || r == -EIO, "%d", r);
	return r == STORE_E_END;
}

Test(store_faults, a_load_that_cannot_read_says_so)
{
	uint32_t after = 0;

	start_over(400);
	for (;; after++) {
		stage_reopen(); /* nothing is in SQLite's memory */
		store_faults_arm(&(struct store_faults_plan){ STORE_FAULTS_READ, SQLITE_IOERR_READ,
							      after, 1 });
		if (read_all())
			break;
		expect_broken(401);
	}
	cr_assert_gt(after, 2);
	store_faults_arm(NULL);
	stage_reopen();
	cr_assert_eq(stage_audit(), 400);
}

/* Opening and closing ---------------------------------------------------------------------- */

/* A store of @number batches whose last life ended badly: its log has still to be read. */
static void leave_a_log(uint64_t number)
{
	start_over(number);
	store_faults_arm(
		&(struct store_faults_plan){ STORE_FAULTS_WRITE, SQLITE_IOERR_WRITE, 0, 1 });
	cr_assert_eq(stage_try_number(number + 1), STORE_BROKEN);
	store_faults_arm(NULL);
	stage_close();
	cr_assert_eq(access(stage_path("-wal"), F_OK), 0);
}

static uint32_t fail_opening_at_every(enum store_faults_call call, int code, int expected)
{
	for (uint32_t after = 0;; after++) {
		struct store_fault fault = { 0 };
		uint32_t hits;
		int r;

		leave_a_log(ORDINARY);
		store_faults_arm(&(struct store_faults_plan){ call, code, after, FOR_EVER });
		r = store_open(&stage_store, stage_uri(), &stage_limits, &fault);
		hits = store_faults_hits();
		store_faults_arm(NULL);
		if (r == 0) {
			cr_assert_eq(stage_audit(), ORDINARY);
			if (hits == 0)
				return after;
		} else {
			cr_assert_eq(r, expected, "call %u: %d: %s", after, r, fault.reason);
			cr_assert_not(fault.permanent);
			stage_open("sqlite", &stage_limits);
		}
		cr_assert_eq(stage_audit(), ORDINARY, "call %u", after);
	}
}

Test(store_faults, an_opening_that_fails_may_be_tried_again)
{
	cr_assert_gt(fail_opening_at_every(STORE_FAULTS_READ, SQLITE_IOERR_READ, -EIO), 4);
	cr_assert_gt(fail_opening_at_every(STORE_FAULTS_WRITE, SQLITE_IOERR_WRITE, -EIO), 4);
	cr_assert_gt(fail_opening_at_every(STORE_FAULTS_SYNC, SQLITE_IOERR_FSYNC, -EIO), 0);
	cr_assert_gt(fail_opening_at_every(STORE_FAULTS_TRUNCATE, SQLITE_IOERR_TRUNCATE, -EIO), 0);
}

Test(store_faults, a_full_disk_does_not_keep_a_store_from_opening)
{
	struct store_fault fault;

	for (uint32_t after = 0; after < 30; after++) {
		leave_a_log(ORDINARY);
		store_faults_arm(&(struct store_faults_plan){ STORE_FAULTS_WRITE, SQLITE_FULL,
							      after, FOR_EVER });
		cr_assert_eq(store_open(&stage_store, stage_uri(), &stage_limits, &fault), 0, "%s",
			     fault.reason);
		cr_assert_eq(stage_audit(), ORDINARY);
		healed(ORDINARY + 1);
	}
}

Test(store_faults, a_new_store_needs_room)
{
	struct store_fault fault;
	uint32_t after = 0, refused = 0;

	for (;; after++) {
		int r;

		start_over(0);
		stage_close();
		(void)unlink(stage_path(""));
		(void)unlink(stage_path(".reserve"));
		store_faults_arm(&(struct store_faults_plan){ STORE_FAULTS_WRITE, SQLITE_FULL,
							      after, FOR_EVER });
		r = store_open(&stage_store, stage_uri(), &stage_limits, &fault);
		if (store_faults_hits() == 0)
			break;
		if (r < 0) {
			cr_assert_eq(r, -ENOSPC, "%s", fault.reason);
			cr_assert_not(fault.permanent);
			refused++;
			store_faults_arm(NULL);
			stage_open("sqlite", &stage_limits);
		}
		healed(1);
	}
	cr_assert_gt(refused, 4);
}

Test(store_faults, a_close_that_fails_loses_nothing)
{
	static const struct {
		enum store_faults_call call;
		int code;
	} faults[] = {
		{ STORE_FAULTS_WRITE, SQLITE_FULL },
		{ STORE_FAULTS_WRITE, SQLITE_IOERR_WRITE },
		{ STORE_FAULTS_SYNC, SQLITE_IOERR_FSYNC },
		{ STORE_FAULTS_READ, SQLITE_IOERR_READ },
	};
	uint32_t hit = 0;

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		for (uint32_t after = 0; after < 12; after++) {
			start_over(ORDINARY);
			store_faults_arm(&(struct store_faults_plan){
				faults[i].call, faults[i].code, after, FOR_EVER });
			stage_close();
			hit += store_faults_hits() > 0;
			store_faults_arm(NULL);
			stage_open("sqlite", &stage_limits);
			cr_assert_eq(stage_audit(), ORDINARY);
		}
	}
	cr_assert_gt(hit, 8);
}

/* A disk that is really full --------------------------------------------------------------- */

#define DISK "size=4m,mode=700"
#define DISK_RESERVE 524288

static bool mount_small_disk(const char *directory)
{
	char map[64];
	int fd;

	if (unshare(CLONE_NEWNS) < 0) {
		uid_t uid = getuid();

		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			return false;
		fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
		(void)snprintf(map, sizeof map, "0 %u 1", uid);
		if (fd < 0 || write(fd, map, strlen(map)) < 0 || close(fd) < 0)
			return false;
	}
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("weir", directory, "tmpfs", 0, DISK) == 0;
}

static void fill_disk(const char *ballast)
{
	static char bytes[65536];
	int fd = open(ballast, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	while (write(fd, bytes, sizeof bytes) > 0)
		;
	cr_assert_eq(errno, ENOSPC);
	cr_assert_eq(close(fd), 0);
}

/* As many as are acknowledged; then it is full. */
static uint64_t commit_until_full(uint64_t number, uint64_t *without_room)
{
	enum store_event_type type;

	*without_room = 0;
	for (; (type = stage_try_number(number)) == STORE_COMMITTED; number++) {
		cr_assert_lt(number, 100000, "it never fills up");
		*without_room += !store_has_room(stage_store);
	}
	cr_assert_eq(type, STORE_FULL, "%d: %s", (int)type, store_trouble(stage_store));
	cr_assert_not(store_has_room(stage_store));
	return number - 1;
}

Test(store_full_disk, ends_are_recorded_and_it_goes_on_by_itself, .init = stage_begin,
     .fini = stage_end)
{
	struct store_limits limits = stage_limits;
	uint64_t last, without_room;
	char ballast[340];
	struct stat reserve;

	if (!mount_small_disk(stage_directory())) {
		(void)fprintf(stderr, "\n*** store_full_disk SKIPPED: no mount namespace may be "
				      "made here, a real full disk stays untested ***\n\n");
		cr_skip("no mount namespace");
	}
	limits.reserve_bytes = DISK_RESERVE;
	(void)snprintf(ballast, sizeof ballast, "%s", stage_path(".ballast"));
	stage_open("sqlite", &limits);
	commit_numbers(1, 20);
	cr_assert(store_has_room(stage_store));
	cr_assert_eq(stat(stage_path(".reserve"), &reserve), 0);
	cr_assert_geq(reserve.st_blocks * 512, DISK_RESERVE, "really written");

	fill_disk(ballast);
	last = commit_until_full(21, &without_room);
	cr_assert_gt(without_room, 20, "the reserve was good for %llu commits",
		     (unsigned long long)without_room);
	cr_assert_eq(stage_audit(), last);
	cr_assert_not(store_tend(stage_store, &(struct store_time){ .wall_ms = 1 }));
	cr_assert_not(store_has_room(stage_store), "housekeeping makes no room");

	stage_reopen();
	cr_assert_not(store_has_room(stage_store));
	cr_assert_eq(stage_audit(), last, "a full disk can be opened");
	last = commit_until_full(last + 1, &without_room);

	cr_assert_eq(unlink(ballast), 0);
	tend_all();
	cr_assert(store_has_room(stage_store), "nobody had to start it anew");
	commit_numbers(last + 1, last + 20);
	stage_reopen();
	cr_assert_eq(stage_audit(), last + 20);
	stage_close();
}
