/* SPDX-License-Identifier: MIT */
#include "actors/managed-adapter/local_children.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"

#define SAID_SIZE 2048 /* the end of what a child said */
#define LINE_SIZE 64 /* of its progress; longer lines are not those that count */
#define EXIT_NO_PROGRAM 127
#define COPY "weir-copy"

/* The child's descriptors beside 0, 1 and 2. */
enum { FD_PROGRESS = 3, FD_PRESET = 4, FD_FIRST_FREE = 5 };

struct child {
	struct local_children *children;
	struct child *next;
	uint64_t serial;
	pid_t pid;
	struct ev_io exit, progress, words; /* of a pidfd and two pipes */
	struct ev_timer patience;
	char said[SAID_SIZE];
	size_t said_length;
	char line[LINE_SIZE];
	size_t line_length;
	uint64_t sent; /* bytes, as it reports them */
};

struct local_children {
	struct local_children_options options;
	struct child *first;
};

int local_children_open(const struct local_children_options *options, struct local_children **out)
{
	struct local_children *self = calloc(1, sizeof *self);

	if (!self)
		return err_raise(-ENOMEM);
	self->options = *options;
	*out = self;
	return 0;
}

/* ---- what a child tells ---- */

static void unwatch(struct child *child, struct ev_io *io)
{
	if (!ev_is_active(io))
		return;
	ev_io_stop(child->children->options.loop, io);
	(void)close(io->fd);
}

/* "total_size=" is "N/A" until something has left. */
static void take_line(struct child *child)
{
	static const char key[] = "total_size=";
	struct text line = { child->line, (uint32_t)child->line_length };
	uint64_t sent;

	if (line.length < sizeof key || memcmp(line.bytes, key, sizeof key - 1) != 0)
		return;
	line.bytes += sizeof key - 1;
	line.length -= sizeof key - 1;
	if (!local_number(line, &sent) || sent <= child->sent)
		return;
	child->sent = sent;
	child->children->options.moved(child->children->options.context, child->serial);
}

static void on_progress(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct child *child = io->data;
	char bytes[512];
	ssize_t count = read(io->fd, bytes, sizeof bytes);

	(void)loop;
	(void)events;
	if (count == 0)
		unwatch(child, io);
	for (ssize_t i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			take_line(child);
			child->line_length = 0;
		} else if (child->line_length < LINE_SIZE) {
			child->line[child->line_length++] = bytes[i];
		}
	}
}

/* Keep the end of it: the cause is what is said last. */
static void keep_words(struct child *child, const char *bytes, size_t count)
{
	size_t surplus =
		child->said_length + count > SAID_SIZE ? child->said_length + count - SAID_SIZE : 0;

	memmove(child->said, child->said + surplus, child->said_length - surplus);
	child->said_length -= surplus;
	memcpy(child->said + child->said_length, bytes, count);
	child->said_length += count;
}

static bool read_words(struct child *child)
{
	char bytes[SAID_SIZE / 2];
	ssize_t count = read(child->words.fd, bytes, sizeof bytes);

	if (count > 0)
		keep_words(child, bytes, (size_t)count);
	return count > 0;
}

static void on_words(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct child *child = io->data;

	(void)loop;
	(void)events;
	if (!read_words(child) && errno != EAGAIN && errno != EINTR)
		unwatch(child, io);
}

/* ---- the end ---- */

static void child_free(struct child *child)
{
	struct child **at = &child->children->first;

	while (*at != child)
		at = &(*at)->next;
	*at = child->next;
	unwatch(child, &child->exit);
	unwatch(child, &child->progress);
	unwatch(child, &child->words);
	ev_timer_stop(child->children->options.loop, &child->patience);
	secret_wipe(child, sizeof *child);
	free(child);
}

static void on_exit_of(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct child *child = io->data;
	struct local_children *self = child->children;
	uint64_t serial = child->serial;
	const char *error = NULL;
	siginfo_t info = { 0 };

	(void)loop;
	(void)events;
	if (waitid(P_PIDFD, (id_t)io->fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return;
	while (ev_is_active(&child->words) && read_words(child))
		continue;
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		error = local_words((struct text){ child->said, (uint32_t)child->said_length },
				    info.si_code == CLD_EXITED ? info.si_status : -1);
	/* What it left behind in its group, as it may have been killed. */
	(void)kill(-child->pid, SIGKILL);
	child_free(child);
	self->options.ended(self->options.context, serial, error);
}

static void on_patience(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct child *child = timer->data;

	(void)loop;
	(void)events;
	(void)kill(-child->pid, SIGKILL);
}

void local_children_stop(struct local_children *self, uint64_t serial)
{
	struct child *child = self->first;

	while (child && child->serial != serial)
		child = child->next;
	if (!child)
		return;
	(void)kill(-child->pid, SIGTERM);
	ev_now_update(self->options.loop);
	ev_timer_start(self->options.loop, &child->patience);
}

void local_children_close(struct local_children *self)
{
	if (!self)
		return;
	while (self->first) {
		struct child *child = self->first;

		(void)kill(-child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		child_free(child);
	}
	free(self);
}

/* ---- the beginning ---- */

struct pipes {
	int progress[2], words[2], preset[2], null;
};

static void pipes_close(struct pipes *pipes)
{
	int *all = pipes->progress;

	for (size_t i = 0; i < sizeof *pipes / sizeof *all; i++)
		close_at(&all[i]);
}

/* Above those that the child is to have, so that none is overwritten before it was copied. */
static int lift(int *fd)
{
	int lifted = fcntl(*fd, F_DUPFD_CLOEXEC, FD_FIRST_FREE);

	if (lifted < 0)
		return -errno;
	(void)close(*fd);
	*fd = lifted;
	return 0;
}

/* A preset has less than a pipe holds, so it is written before anybody reads.  The server is told
 * the name that it was called by (tcUrl), though the connection goes to an address.
 */
static int write_preset(int fd, const struct local_destination *destination)
{
	char preset[4 * OUTPUT_URL_MAX + 128];
	int length = snprintf(
		preset, sizeof preset, "rtmp_app=%s\nrtmp_playpath=%s\nrtmp_tcurl=%s%s\n%s",
		destination->app, destination->playpath, destination->place, destination->app,
		strncmp(destination->place, "rtmps:", 6) == 0 ? "tls_verify=1\n" : "");
	bool written = write(fd, preset, (size_t)length) == length;

	secret_wipe(preset, sizeof preset);
	return written ? 0 : -EIO;
}

static int pipes_open(const struct local_destination *destination, struct pipes *pipes)
{
	int *all = pipes->progress;
	int r = 0;

	if (pipe2(pipes->progress, O_CLOEXEC) < 0 || pipe2(pipes->words, O_CLOEXEC) < 0 ||
	    pipe2(pipes->preset, O_CLOEXEC) < 0)
		return -errno;
	pipes->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (pipes->null < 0)
		return -errno;
	for (size_t i = 0; i < sizeof *pipes / sizeof *all && r == 0; i++)
		r = lift(&all[i]);
	if (r == 0)
		r = write_preset(pipes->preset[1], destination);
	if (r == 0 && (fcntl(pipes->progress[0], F_SETFL, O_NONBLOCK) < 0 ||
		       fcntl(pipes->words[0], F_SETFL, O_NONBLOCK) < 0))
		r = -errno;
	close_at(&pipes->preset[1]);
	pipes->preset[1] = -1;
	return r;
}

/* In the child: nothing of ours but what ffmpeg needs.  The signals that we block or ignore are
 * its business again.
 */
static _Noreturn void become(const struct pipes *pipes, pid_t parent, char *const *arguments,
			     char *const *environment)
{
	sigset_t none;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_NO_PROGRAM); /* it died before it would have been told us */
	(void)dup2(pipes->null, STDIN_FILENO);
	(void)dup2(pipes->null, STDOUT_FILENO);
	(void)dup2(pipes->words[1], STDERR_FILENO);
	(void)dup2(pipes->progress[1], FD_PROGRESS);
	(void)dup2(pipes->preset[0], FD_PRESET);
	(void)close_range(FD_FIRST_FREE, ~0U, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execvpe(arguments[0], arguments, environment);
	_exit(EXIT_NO_PROGRAM);
}

/* Beside our own program, or wherever programs are. */
static const char *find_copy(char path[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof COPY - 1);

	while (length > 0 && path[length - 1] != '/')
		length--;
	if (length <= 0)
		return COPY;
	memcpy(path + length, COPY, sizeof COPY);
	return access(path, X_OK) == 0 ? path : COPY;
}

static pid_t spawn(const struct local_children_options *options, const struct pipes *pipes,
		   const char *source, const char *place)
{
	char program[PATH_MAX];
	const char *arguments[] = {
		find_copy(program), source, place, options->private_ok ? "private" : "public",
		options->own_ports, NULL
	};
	const char *path = getenv("PATH");
	CLEANUP(free_at) void *variable = NULL;
	pid_t parent = getpid();
	pid_t pid;

	/* Not our environment: there may be tokens in it. */
	if (asprintf((char **)&variable, "PATH=%s", path ? path : "/usr/bin:/bin") < 0)
		return -ENOMEM;
	char *const environment[] = { variable, NULL };

	pid = fork();
	if (pid == 0)
		become(pipes, parent, (char *const *)arguments, environment);
	if (pid < 0)
		return -errno;
	/* Here too: whoever is first.  So a kill(-pid) always has somebody to reach. */
	(void)setpgid(pid, pid);
	return pid;
}

static void watch(struct child *child, struct ev_io *io, int *fd,
		  void (*callback)(struct ev_loop *loop, struct ev_io *io, int events))
{
	ev_io_init(io, callback, *fd, EV_READ);
	io->data = child;
	ev_io_start(child->children->options.loop, io);
	*fd = -1;
}

int local_children_start(struct local_children *self, uint64_t serial, const char *source,
			 const struct local_destination *destination)
{
	CLEANUP(pipes_close) struct pipes pipes = { { -1, -1 }, { -1, -1 }, { -1, -1 }, -1 };
	CLEANUP(close_at) int pidfd = -1;
	struct child *child;
	int r = pipes_open(destination, &pipes);

	if (r < 0)
		return err_raise(r);
	child = calloc(1, sizeof *child);
	if (!child)
		return err_raise(-ENOMEM);
	child->pid = spawn(&self->options, &pipes, source, destination->place);
	if (child->pid > 0)
		pidfd = pidfd_open(child->pid, 0);
	if (pidfd < 0) {
		r = child->pid < 0 ? child->pid : -errno;
		if (child->pid > 0) {
			(void)kill(-child->pid, SIGKILL);
			(void)waitpid(child->pid, NULL, 0);
		}
		free(child);
		return err_raise(r);
	}
	child->children = self;
	child->serial = serial;
	child->next = self->first;
	self->first = child;
	ev_timer_init(&child->patience, on_patience, (double)LOCAL_STOP_MS / 1000, 0);
	child->patience.data = child;
	watch(child, &child->exit, &pidfd, on_exit_of);
	watch(child, &child->progress, &pipes.progress[0], on_progress);
	watch(child, &child->words, &pipes.words[0], on_words);
	return 0;
}
