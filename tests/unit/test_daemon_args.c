/* SPDX-License-Identifier: MIT */
/* Goal: what every daemon's command line accepts, what it refuses with which exit code and
 * words, and which run directory and options reach the daemon.  Method: daemon_main() in a child
 * per case, its output read from a pipe.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "common/daemon.h"

static char directory[] = "/tmp/weir-test-args-XXXXXX";
static char output[16384];
static int run_result;

/* Say what arrived, so that the parent can compare it. */
static int run(const struct daemon_options *options)
{
	printf("run name=%s dir=%s fd=%d role=%d beat=%ld incarnation=%s\n", options->name,
	       options->run_dir, options->notify_fd, options->role,
	       (long)options->config->gateway_beat_ms,
	       options->incarnation > 0 && options->incarnation < UINT64_C(1) << 53 ? "good"
										    : "bad");
	return run_result;
}

static void setup(void)
{
	cr_assert(mkdtemp(directory));
	cr_assert_eq(chdir(directory), 0);
	cr_assert_eq(mkdir("run", 0700), 0);
	cr_assert_eq(mkdir("open", 0700), 0);
	cr_assert_eq(chmod("open", 0755), 0);
	unsetenv("WEIR_RUN_DIR");
	unsetenv("XDG_RUNTIME_DIR");
}

static void teardown(void)
{
	(void)unlink("weir.conf");
	(void)rmdir("run");
	(void)rmdir("open");
	(void)rmdir(directory);
}

TestSuite(daemon_args, .init = setup, .fini = teardown);

/* Return: the exit code; what was printed is in output. */
static int start(const char *const *arguments)
{
	static const struct daemon_program program = {
		.binary = "weir-gateway", .summary = "the edge", .role = ROLE_GATEWAY, .run = run
	};
	char *argv[32] = { (char *)(uintptr_t) "weir-gateway" };
	int argc = 1, status, pipes[2];
	size_t length = 0;
	ssize_t got;
	pid_t child;

	while (arguments[argc - 1]) {
		argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
		argc++;
	}
	cr_assert_eq(pipe(pipes), 0);
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		(void)dup2(pipes[1], STDOUT_FILENO);
		(void)dup2(pipes[1], STDERR_FILENO);
		int code = daemon_main(argc, argv, &program);

		(void)fflush(NULL);
		_exit(code);
	}
	(void)close(pipes[1]);
	while ((got = read(pipes[0], output + length, sizeof output - 1 - length)) > 0)
		length += (size_t)got;
	output[length] = '\0';
	(void)close(pipes[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define START(...) start((const char *const[]){ __VA_ARGS__, NULL })

static void expect_said(const char *words)
{
	cr_assert(strstr(output, words), "said: %s", output);
}

Test(daemon_args, help_names_every_option)
{
	static const char *const options[] = { "--conf FILE",	"--run DIR",
					       "--name NAME",	"--set section.key=value",
					       "--notify-fd N", "--check",
					       "--help",	"--version",
					       "the edge" };

	cr_assert_eq(START("--help"), 0);
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		expect_said(options[i]);
	cr_assert_eq(START("--version"), 0);
	expect_said("weir-gateway " WEIR_VERSION);
}

Test(daemon_args, wrong_usage_is_2_and_says_where_help_is)
{
	static const char *const wrong[][3] = {
		{ "--frobnicate", NULL },
		{ "--run", NULL },
		{ "surplus", NULL },
		{ "--name", "Gateway_1", NULL },
		{ "--name", "../gateway", NULL },
		{ "--name", "", NULL },
		{ "--name", "a123456789b123456789c123456789d12x", NULL },
		{ "--notify-fd", "three", NULL },
		{ "--notify-fd", "-1", NULL },
		{ "--notify-fd", "99999999999", NULL },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		cr_assert_eq(start(wrong[i]), 2, "case %zu", i);
		expect_said("see --help");
	}
}

Test(daemon_args, what_was_given_arrives)
{
	char expected[512];

	cr_assert_eq(START("--run", "run", "--name", "gateway-7", "--notify-fd", "3", "--set",
			   "gateway.beat_ms=111", "--set", "gateway.beat_ms=222"),
		     0);
	expect_said("run name=gateway-7 dir=run fd=3 role=5 beat=222 incarnation=good\n");
	cr_assert_eq(START("--run=run"), 0);
	expect_said("run name=gateway dir=run fd=-1 role=5 beat=1000 ");
	snprintf(expected, sizeof expected, "%s/run", directory);
	setenv("WEIR_RUN_DIR", expected, 1);
	cr_assert_eq(START("--name", "gateway-1"), 0);
	expect_said(expected);
}

Test(daemon_args, without_a_word_the_run_directory_is_the_users_own)
{
	char expected[512], made[600];

	setenv("XDG_RUNTIME_DIR", directory, 1);
	snprintf(made, sizeof made, "%s/weir-%ld", directory, (long)geteuid());
	cr_assert_eq(mkdir(made, 0700), 0);
	cr_assert_eq(START("--name", "gateway-1"), 0);
	snprintf(expected, sizeof expected, "dir=%s/weir-%ld ", directory, (long)geteuid());
	expect_said(expected);
	(void)rmdir(made);
}

Test(daemon_args, a_run_directory_that_cannot_be_used_is_78_with_the_mend)
{
	cr_assert_eq(START("--run", "absent"), DAEMON_EXIT_CONFIG);
	expect_said("run directory absent: No such file or directory; mkdir -m 700 it");
	cr_assert_eq(START("--run", "open"), DAEMON_EXIT_CONFIG);
	expect_said("run directory open: must be ours alone: chown it, chmod 700");
}

Test(daemon_args, a_wrong_configuration_is_78_and_checked_without_running)
{
	FILE *file = fopen("weir.conf", "w");

	cr_assert(file);
	fputs("[gateway]\nbeat_ms = 0\n", file);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(START("--conf", "weir.conf", "--run", "run"), DAEMON_EXIT_CONFIG);
	expect_said("weir-gateway: weir.conf:2: gateway.beat_ms = 0");
	cr_assert_eq(START("--conf", "weir.conf", "--check"), DAEMON_EXIT_CONFIG);
	cr_assert_eq(START("--conf", "absent.conf", "--check"), DAEMON_EXIT_CONFIG);
	cr_assert_eq(START("--check", "--run", "absent"), 0);
	cr_assert_null(strstr(output, "run name="));
}

/* The keys are read before anything else is done with them. */
Test(daemon_args, tcp_without_keys_is_78_with_the_mend)
{
	static const char *const cases[][6] = {
		{ "--set", "bus.transport=tcp", "--check", NULL },
		{ "--set", "bus.transport=tcp", "--set", "bus.curve_dir=run", NULL },
		{ "--set", "bus.transport=tcp", "--set", "bus.curve_dir=run", "--check", NULL },
	};
	static const char *const words[] = {
		"--set bus.transport=tcp: needs bus.curve_dir beside it",
		"gateway: has no address in [bus]",
		"gateway: has no address in [bus]",
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_assert_eq(start(cases[i]), 78);
		expect_said(words[i]);
	}
	cr_assert_eq(START("--set", "bus.transport=tcp", "--set", "bus.curve_dir=run", "--name",
			   "gateway-1"),
		     78);
	expect_said("run/gateway-1.key_secret: No such file or directory; `weir keys new`");
}

Test(daemon_args, what_the_run_returns_becomes_the_exit_code)
{
	run_result = -EIO;
	cr_assert_eq(START("--run", "run"), DAEMON_EXIT_FAILED);
	run_result = DAEMON_EXIT_CONFIG;
	cr_assert_eq(START("--run", "run"), DAEMON_EXIT_CONFIG);
	run_result = 0;
	cr_assert_eq(START("--run", "run"), 0);
}
