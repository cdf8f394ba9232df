/* SPDX-License-Identifier: MIT */
/* media_main.c - weir-media: becomes the media server of the local provider.
 *
 * It takes the settings of every daemon, writes nginx's configuration into the media directory and
 * then is nginx, so that whoever supervises it supervises nginx.  The adapter may come and go
 * beside it: running streams go on.
 *
 * If nginx's master is killed, its workers live on and keep the ports.  They hold the lock of the
 * media directory, which they have inherited, and are in the group that is named in it: so the next
 * weir-media finds them and ends them first.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/managed-adapter/local_config.h"
#include "common/cleanup.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "common/error.h"
#include "common/log.h"

#define EXIT_NOT_WANTED 3
#define PID_NAME "nginx.pid" /* in the media directory */
#define PID_SIZE 16

static bool only_asked; /* --wanted: does the configuration have a local provider? */

DEFINE_CLEANUP(FILE *, fclose);

/* ---- what an earlier life left ---- */

static pid_t read_holder(int fd)
{
	char text[PID_SIZE] = "";

	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		return 0;
	return (pid_t)atoi(text);
}

/* Return: 0 with the lock held for ever, -EBUSY if a media server runs here. */
static int take_lock(const char *media_dir)
{
	char path[PATH_MAX + 8], text[PID_SIZE];
	CLEANUP(close_at) int fd = -1;
	int length;

	snprintf(path, sizeof path, "%s/lock", media_dir);
	fd = open(path, O_RDWR | O_CREAT, 0600); /* stays open in nginx and its workers */
	if (fd < 0)
		return err_raise(-errno);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		pid_t holder = read_holder(fd);

		if (holder <= 1 || kill(holder, 0) == 0) {
			log_error("media.busy", log_str("folder", media_dir),
				  log_i64("pid", holder));
			return -EBUSY;
		}
		log_warn("media.orphans_killed", log_i64("group", holder));
		(void)kill(-holder, SIGKILL);
		if (flock(fd, LOCK_EX) < 0)
			return err_raise(-errno);
	}
	length = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
		return err_raise(-errno);
	fd = -1; /* never closed */
	return 0;
}

/* ---- the files ---- */

static int make_folders(const char *media_dir)
{
	static const char *const names[] = { "", "/hls", "/dash", "/tmp" };
	char path[PATH_MAX + 8];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s%s", media_dir, names[i]);
		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			log_error("media.folder_failed", log_str("folder", path),
				  log_str("reason", strerror(errno)));
			return err_raise(-errno);
		}
	}
	return 0;
}

static int write_file(const char *path, const struct config *config,
		      const struct local_config *local)
{
	CLEANUP(fclose_at) FILE *file = fopen(path, "we");

	/* nginx started by root wants somebody else to work; what it writes is in our directory. */
	if (!file || !local_config_write(file, config, local, geteuid() == 0 ? "root" : NULL) ||
	    fflush(file) != 0)
		return err_raise(errno ? -errno : -EIO);
	return 0;
}

/* ---- readiness ---- */

static bool tells_of(const char *events, ssize_t length, const char *name)
{
	for (ssize_t at = 0; at < length;) {
		const struct inotify_event *event =
			(const struct inotify_event *)(const void *)(events + at);

		if (event->len > 0 && strcmp(event->name, name) == 0)
			return true;
		at += (ssize_t)(sizeof *event + event->len);
	}
	return false;
}

/* nginx writes its pid once all of its sockets listen; it has no other word for being ready. */
static _Noreturn void wait_and_tell(int watch, int notify_fd, pid_t parent)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t length;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	do {
		length = read(watch, events, sizeof events);
	} while ((length < 0 && errno == EINTR) ||
		 (length > 0 && !tells_of(events, length, PID_NAME)));
	_exit(length > 0 && write(notify_fd, "\n", 1) == 1 ? 0 : 1);
}

static int tell_when_ready(const char *media_dir, int notify_fd)
{
	CLEANUP(close_at) int watch = inotify_init1(IN_CLOEXEC);
	pid_t parent = getpid();
	pid_t pid;

	if (watch < 0 || inotify_add_watch(watch, media_dir, IN_CLOSE_WRITE) < 0)
		return err_raise(-errno);
	pid = fork();
	if (pid < 0)
		return err_raise(-errno);
	if (pid == 0)
		wait_and_tell(watch, notify_fd, parent);
	(void)close(notify_fd);
	return 0;
}

/* ---- running ---- */

static int become_nginx(const char *media_dir, const char *file)
{
	/* -e: nginx would like to write to the log it was built with. */
	const char *const arguments[] = {
		"nginx", "-e", "stderr", "-p", media_dir, "-c", file, NULL
	};
	char *const *environment = (char *[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

	(void)execvpe(arguments[0], (char *const *)arguments, environment);
	(void)execve("/usr/sbin/nginx", (char *const *)arguments, environment);
	log_error("media.no_nginx", log_str("reason", strerror(errno)));
	return err_raise(-errno);
}

static int run(const struct daemon_options *options)
{
	struct local_config local;
	char absolute[PATH_MAX], file[PATH_MAX + 16];
	int r;

	if (strcmp(options->config->managed_provider, "local") != 0) {
		if (!only_asked)
			log_error("media.not_wanted",
				  log_str("provider", options->config->managed_provider));
		return only_asked ? EXIT_NOT_WANTED : DAEMON_EXIT_CONFIG;
	}
	if (only_asked)
		return 0;
	if (!realpath(options->run_dir, absolute))
		return err_raise(-errno);
	r = local_config_make(options->config, absolute, &local);
	if (r > 0) {
		log_error("media.config_refused", log_str("reason", local_config_words(r)));
		return DAEMON_EXIT_CONFIG;
	}
	snprintf(file, sizeof file, "%s/nginx.conf", local.media_dir);
	/* A group of our own, by which whoever comes after us finds what we left. */
	if (getpgrp() != getpid() && setpgid(0, 0) < 0)
		return err_raise(-errno);
	if ((r = make_folders(local.media_dir)) < 0 || (r = take_lock(local.media_dir)) < 0 ||
	    (r = write_file(file, options->config, &local)) < 0)
		return err_pass(r);
	if (options->config->run_confine &&
	    ((r = confine_files(CONFINE_MEDIA, options->config, absolute)) < 0 ||
	     (r = confine_calls(CONFINE_MEDIA, options->config)) < 0))
		return err_pass(r);
	if (options->notify_fd >= 0 &&
	    (r = tell_when_ready(local.media_dir, options->notify_fd)) < 0)
		return err_pass(r);
	return become_nginx(local.media_dir, file);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--wanted") == 0) {
		only_asked = true;
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return daemon_main(argc, argv,
			   &(struct daemon_program){
				   .binary = "weir-media",
				   .summary = "the media server of the local provider: nginx\n\n"
					      "  --wanted, as the first argument: exit 0 if the "
					      "configuration has a local provider, 3 if not",
				   .role = ROLE_MANAGED,
				   .run = run });
}
