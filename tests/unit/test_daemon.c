/* SPDX-License-Identifier: MIT */
/* Goal: the shell as real processes on real sockets: requests exactly once, restarts and kills on
 * either side, a stalled server, snapshots under load, a subscriber that was stopped, readiness,
 * signals, the goodbye, and a commit that fails.  Method: tests/lib/pair.h; every wait is on an
 * event, with a deadline.  WEIR_TEST_LOG=1 shows what the processes log.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/lib/pair.h"

static struct pair pair;
static struct pair_shared *shared;

static void setup(void)
{
	pair_open(&pair);
	shared = pair.shared;
}

static void teardown(void)
{
	pair_close(&pair);
}

TestSuite(daemon, .init = setup, .fini = teardown, .timeout = 120);

static pid_t start(enum pair_actor actor)
{
	pid_t process = pair_start(&pair, actor, -1);

	cr_assert_gt(process, 0);
	return process;
}

static void expect_exit(pid_t process, int number, int code)
{
	int status = pair_end(process, number);

	cr_assert(WIFEXITED(status), "status %d", status);
	cr_assert_eq(WEXITSTATUS(status), code, "exit %d", WEXITSTATUS(status));
}

static void kill_hard(pid_t process)
{
	cr_assert(WIFSIGNALED(pair_end(process, SIGKILL)));
}

static void wait_count(const pair_count *counter, uint64_t value)
{
	cr_assert(pair_wait_count(&pair, counter, value), "%lu, not %lu",
		  (unsigned long)atomic_load(counter), (unsigned long)value);
}

static bool is_settled(const struct pair_shared *s)
{
	return atomic_load(&s->asked) == atomic_load(&s->goal) && atomic_load(&s->unacked) == 0;
}

static bool mirror_is_equal(const struct pair_shared *s)
{
	return atomic_load(&s->live) && atomic_load(&s->mirror_seq) == s->stored_seq &&
	       atomic_load(&s->mirror_sum) == pair_sum(s->values);
}

/* Every request is on the disk: at least as often as it was asked. */
static void expect_all_stored(void)
{
	static uint32_t asked[PAIR_VALUES];

	for (uint64_t i = 0; i < atomic_load(&shared->asked); i++)
		asked[i * 31 % PAIR_VALUES]++;
	for (size_t i = 0; i < PAIR_VALUES; i++)
		cr_assert_geq(shared->values[i], asked[i], "value %zu", i);
	cr_assert_eq(atomic_load(&shared->disordered), 0);
	cr_assert_eq(atomic_load(&shared->unannounced), 0);
}

Test(daemon, requests_are_handled_exactly_once_and_answered)
{
	pid_t asker = start(PAIR_ASKER), teller = start(PAIR_TELLER);

	atomic_store(&shared->goal, 20000);
	wait_count(&shared->answers, 20000);
	cr_assert_eq(atomic_load(&shared->handled), 20000);
	cr_assert_eq(atomic_load(&shared->ups_unknown), 1);
	cr_assert_eq(atomic_load(&shared->downs), 0);
	expect_all_stored();
	expect_exit(asker, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
	cr_assert_eq(atomic_load(&shared->goodbyes), 1, "the goodbye arrived");
}

Test(daemon, a_server_killed_again_and_again_loses_nothing)
{
	pid_t asker = start(PAIR_ASKER), teller = start(PAIR_TELLER);

	atomic_store(&shared->goal, 30000);
	for (uint64_t life = 1; life <= 5; life++) {
		wait_count(&shared->handled, life * 4000);
		kill_hard(teller);
		wait_count(&shared->downs, life);
		teller = start(PAIR_TELLER);
		wait_count(&shared->ups_unknown, life + 1);
	}
	cr_assert(pair_wait(&pair, is_settled));
	cr_assert_eq(atomic_load(&shared->ups_known), 0);
	expect_all_stored();
	expect_exit(asker, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

Test(daemon, a_client_killed_and_started_anew_takes_over_its_name)
{
	pid_t asker = start(PAIR_ASKER), teller = start(PAIR_TELLER);

	atomic_store(&shared->goal, 1000);
	wait_count(&shared->answers, 1000);
	kill_hard(asker);
	asker = start(PAIR_ASKER);
	wait_count(&shared->peers_up, 2);
	atomic_store(&shared->goal, 2000);
	wait_count(&shared->answers, 2000);
	cr_assert_eq(atomic_load(&shared->peers_down), 1, "the old life was fenced");
	expect_all_stored();
	expect_exit(asker, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

/* The heartbeat ends the connection; its unread rest and the new connection meet at the server. */
Test(daemon, a_server_that_was_stopped_hears_everything_once)
{
	pid_t asker = start(PAIR_ASKER), teller = start(PAIR_TELLER);

	atomic_store(&shared->goal, 1000);
	wait_count(&shared->answers, 1000);
	cr_assert_eq(kill(teller, SIGSTOP), 0);
	atomic_store(&shared->goal, 2000);
	wait_count(&shared->downs, 1);
	cr_assert_eq(atomic_load(&shared->asker_ready), 0);
	cr_assert_eq(kill(teller, SIGCONT), 0);
	wait_count(&shared->ups_known, 1);
	cr_assert(pair_wait(&pair, is_settled));
	cr_assert_eq(atomic_load(&shared->handled), 2000);
	cr_assert_eq(atomic_load(&shared->ups_unknown), 1);
	expect_all_stored();
	expect_exit(asker, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

Test(daemon, a_second_process_of_a_name_is_refused)
{
	pid_t teller = start(PAIR_TELLER), asker = start(PAIR_ASKER), second;
	int status;

	wait_count(&shared->ups_unknown, 1);
	second = start(PAIR_TELLER);
	cr_assert_eq(waitpid(second, &status, 0), second);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	atomic_store(&shared->goal, 1000);
	wait_count(&shared->answers, 1000);
	cr_assert_eq(atomic_load(&shared->downs), 0);
	expect_exit(asker, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

/* the story */

Test(daemon, a_mirror_gets_its_snapshot_while_the_story_goes_on)
{
	pid_t teller = start(PAIR_TELLER), mirror;

	atomic_store(&shared->chatter, 20);
	wait_count(&shared->seq, 2000);
	mirror = start(PAIR_MIRROR);
	wait_count(&shared->syncs, 1);
	cr_assert_geq(atomic_load(&shared->rows), PAIR_VALUES);
	wait_count(&shared->seq, atomic_load(&shared->seq) + 5000);

	/* A new life of the mirror, and one of the teller, under the same load. */
	kill_hard(mirror);
	mirror = start(PAIR_MIRROR);
	wait_count(&shared->syncs, 2);
	kill_hard(teller);
	teller = start(PAIR_TELLER);
	wait_count(&shared->syncs, 3);
	atomic_store(&shared->chatter, 0);
	cr_assert(pair_wait(&pair, mirror_is_equal));
	expect_exit(mirror, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

Test(daemon, a_mirror_that_was_stopped_sees_the_gap_and_recovers)
{
	pid_t teller = start(PAIR_TELLER), mirror = start(PAIR_MIRROR);

	wait_count(&shared->syncs, 1);
	cr_assert_eq(atomic_load(&shared->resyncs), 1);
	cr_assert_eq(kill(mirror, SIGSTOP), 0);
	/* More frames than the queues of both sides hold, 10 events and one millisecond each. */
	atomic_store(&shared->chatter, 10);
	wait_count(&shared->seq, 80000);
	cr_assert_eq(kill(mirror, SIGCONT), 0);
	wait_count(&shared->resyncs, 2);
	atomic_store(&shared->chatter, 0);
	cr_assert(pair_wait(&pair, mirror_is_equal));
	expect_exit(mirror, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

Test(daemon, a_mirror_is_blind_while_the_teller_is_stopped)
{
	pid_t teller = start(PAIR_TELLER), mirror = start(PAIR_MIRROR);

	wait_count(&shared->syncs, 1);
	cr_assert_eq(kill(teller, SIGSTOP), 0);
	wait_count(&shared->blinds, 1);
	cr_assert_eq(kill(teller, SIGCONT), 0);
	wait_count(&shared->syncs, 2);
	cr_assert_eq(atomic_load(&shared->blinds), 1);
	expect_exit(mirror, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

/* The teller's disk fails with @error: it ends with @code, and says nothing it could not store. */
static void fail_teller(int error, int code)
{
	pid_t asker = start(PAIR_ASKER), teller = start(PAIR_TELLER);
	int status;

	atomic_store(&shared->goal, 100);
	wait_count(&shared->answers, 100);
	atomic_store(&shared->fail_commits, (uint64_t)error);
	atomic_store(&shared->goal, 200);
	cr_assert_eq(waitpid(teller, &status, 0), teller);
	cr_assert(WIFEXITED(status), "status %d", status);
	cr_assert_eq(WEXITSTATUS(status), code);
	cr_assert_eq(atomic_load(&shared->answers), 100);
	atomic_store(&shared->fail_commits, 0);
	teller = start(PAIR_TELLER);
	wait_count(&shared->answers, 200);
	expect_all_stored();
	expect_exit(asker, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

Test(daemon, what_could_not_be_stored_is_told_to_nobody)
{
	fail_teller(EIO, 1);
}

Test(daemon, a_store_that_is_beyond_help_is_not_started_again)
{
	fail_teller(EUCLEAN, DAEMON_EXIT_CONFIG);
}

Test(daemon, a_commit_that_is_put_off_holds_what_depends_on_it)
{
	pid_t asker = start(PAIR_ASKER), teller = start(PAIR_TELLER);

	atomic_store(&shared->goal, 100);
	wait_count(&shared->answers, 100);
	atomic_store(&shared->fail_commits, EAGAIN);
	atomic_store(&shared->goal, 200);
	wait_count(&shared->failed_commits, 4);
	cr_assert_eq(atomic_load(&shared->answers), 100);
	atomic_store(&shared->fail_commits, 0);
	wait_count(&shared->answers, 200);
	expect_all_stored();
	cr_assert_eq(atomic_load(&shared->teller_life), 1);
	expect_exit(asker, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

/* supervision */

/* A byte, or the end: within the deadline. */
static ssize_t read_in_time(int fd, char *bytes, size_t size)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	cr_assert_eq(poll(&poll_fd, 1, PAIR_WAIT_MS), 1);
	return read(fd, bytes, size);
}

Test(daemon, readiness_is_told_once_everything_is_there)
{
	struct pollfd early = { .events = POLLIN };
	char bytes[16];
	int notify[2];
	pid_t mirror, teller;

	cr_assert_eq(pipe(notify), 0);
	early.fd = notify[0];
	mirror = pair_start(&pair, PAIR_MIRROR, notify[1]);
	close(notify[1]);
	/* Without a teller it runs, and is not ready. */
	wait_count(&shared->mirror_sum, 0);
	cr_assert_eq(poll(&early, 1, 100), 0);
	teller = start(PAIR_TELLER);
	cr_assert_eq(read_in_time(notify[0], bytes, sizeof bytes), 1);
	cr_assert_eq(bytes[0], '\n');
	cr_assert_geq(atomic_load(&shared->syncs), 1);
	cr_assert_eq(read_in_time(notify[0], bytes, sizeof bytes), 0,
		     "closed when it has been used");
	close(notify[0]);
	expect_exit(mirror, SIGTERM, 0);
	expect_exit(teller, SIGTERM, 0);
}

Test(daemon, systemd_is_told_too)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char bytes[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pid_t teller;
	bool alive = false;

	snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", pair.run_dir);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("WATCHDOG_USEC", "40000", 1);
	teller = start(PAIR_TELLER);
	while (!alive || strcmp(bytes, "READY=1") != 0) {
		ssize_t length = read_in_time(fd, bytes, sizeof bytes - 1);

		cr_assert_gt(length, 0);
		bytes[length] = '\0';
		if (strcmp(bytes, "WATCHDOG=1") == 0)
			alive = true;
		if (strcmp(bytes, "READY=1") == 0)
			break;
	}
	cr_assert_eq(kill(teller, SIGTERM), 0);
	while (strcmp(bytes, "STOPPING=1") != 0) {
		ssize_t length = read_in_time(fd, bytes, sizeof bytes - 1);

		bytes[length] = '\0';
		alive = alive || strcmp(bytes, "WATCHDOG=1") == 0;
	}
	cr_assert(alive);
	close(fd);
	expect_exit(teller, 0, 0);
}

Test(daemon, signals_reach_the_actor)
{
	pid_t teller = start(PAIR_TELLER), mirror = start(PAIR_MIRROR);

	wait_count(&shared->syncs, 1);
	cr_assert_eq(kill(teller, SIGHUP), 0);
	wait_count(&shared->teller_reloads, 1);
	cr_assert_eq(kill(teller, SIGUSR1), 0);
	wait_count(&shared->teller_drains, 1);
	cr_assert_eq(kill(teller, SIGPIPE), 0);
	expect_exit(mirror, SIGINT, 0);
	expect_exit(teller, SIGINT, 0);
}

Test(daemon, a_goodbye_that_nobody_acknowledges_does_not_hold_up_the_end)
{
	pid_t asker = start(PAIR_ASKER), teller = start(PAIR_TELLER);
	int64_t begun_ms;

	wait_count(&shared->ups_unknown, 1);
	cr_assert_eq(kill(teller, SIGSTOP), 0);
	begun_ms = daemon_now_ms();
	expect_exit(asker, SIGTERM, 0);
	cr_assert_geq(daemon_now_ms() - begun_ms, 450);
	cr_assert_lt(daemon_now_ms() - begun_ms, 5000);
	kill_hard(teller);
}
