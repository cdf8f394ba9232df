/* SPDX-License-Identifier: MIT */
/* micro_tap_listener.c - processes that listen: their start and end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/micro_tap.h"

#define END_MS 60000 /* a listener that has not had enough by then has lost something */

static void become(const char **argv)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
	    dup2(null_fd, STDERR_FILENO) < 0)
		_exit(TOOL_USAGE);
	(void)execv(argv[0], (char *const *)argv);
	_exit(TOOL_USAGE);
}

void micro_listener_start(struct micro_listener *self, const char **argv)
{
	size_t count = 0;
	char number[16];
	int ends[2];

	while (argv[count])
		count++;
	if (pipe(ends) < 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) < 0)
		tool_fail(&micro_tap_tool, "no pipe", NULL);
	(void)snprintf(number, sizeof number, "%d", ends[1]);
	argv[count - 1] = number;
	*self = (struct micro_listener){ .pid = fork(), .ready_fd = ends[0] };
	if (self->pid < 0)
		tool_fail(&micro_tap_tool, "no other process", NULL);
	if (self->pid == 0)
		become(argv);
	(void)close(ends[1]);
}

bool micro_listener_end(struct micro_listener *self)
{
	struct pollfd ended = { .fd = pidfd_open(self->pid, 0), .events = POLLIN };
	int status = -1, r;

	do
		r = poll(&ended, 1, END_MS);
	while (r < 0 && errno == EINTR);
	if (r != 1)
		(void)kill(self->pid, SIGKILL);
	(void)close(ended.fd);
	return waitpid(self->pid, &status, 0) == self->pid && status == 0;
}

void micro_listener_kill(struct micro_listener *self)
{
	(void)kill(self->pid, SIGKILL);
	(void)waitpid(self->pid, NULL, 0);
}
