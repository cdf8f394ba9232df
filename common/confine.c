/* SPDX-License-Identifier: MIT */
/* confine.c - giving up memory and files: prctl(), limits, landlock. */
#include "common/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/log.h"

/* Later than the header of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define RIGHTS_FIRST ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* all of the first version */
#define RIGHTS_OF_FILES \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | \
	 LANDLOCK_ACCESS_FS_IOCTL_DEV)
#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_WRITE \
	(RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR)

static const uint64_t rights[] = {
	[CONFINE_READ] = RIGHTS_READ,
	[CONFINE_READ_AGAIN] = RIGHTS_READ,
	[CONFINE_WRITE] = RIGHTS_WRITE,
	[CONFINE_MAKE] = RIGHTS_WRITE,
	/* Nothing is removed or written there: service folders and other stores are below. */
	[CONFINE_BIND] = LANDLOCK_ACCESS_FS_MAKE_SOCK,
	[CONFINE_EXECUTE] = RIGHTS_READ | LANDLOCK_ACCESS_FS_EXECUTE,
	[CONFINE_DEVICE] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
};

int confine_memory(void)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return err_raise(-errno);
	if (!CONFINE_SANITIZED && prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_raise(-errno);
	return 0;
}

/* ---- landlock; glibc has no functions for it ---- */

struct ruleset {
	int fd;
	uint64_t handled;
};

/* Each version of the kernel's interface knows more. */
static uint64_t handled_by(long version)
{
	return RIGHTS_FIRST | (version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
	       (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) |
	       (version >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0);
}

/* What is not there cannot be touched. */
static int allow(const struct ruleset *rules, const char *path, uint64_t allowed)
{
	CLEANUP(close_at) int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr = { .parent_fd = fd };
	struct stat status;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	attr.allowed_access = allowed & rules->handled;
	if (!S_ISDIR(status.st_mode))
		attr.allowed_access &= RIGHTS_OF_FILES;
	return syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0
		       ? -errno
		       : 0;
}

/* A rule is for the file that is there now; one that takes its name is another.  So the directory
 * is allowed in which that will be, and if the name is a link, the one that it leads to.
 */
static int allow_directories(const struct ruleset *rules, const char *path, uint64_t allowed)
{
	char resolved[PATH_MAX], directory[PATH_MAX];
	const char *const names[] = { path, realpath(path, resolved) };
	int r = 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0] && r == 0; i++) {
		const char *slash = names[i] ? strrchr(names[i], '/') : NULL;

		if (!names[i])
			continue;
		snprintf(directory, sizeof directory, "%.*s",
			 slash ? (int)(slash - names[i]) + 1 : 1, slash ? names[i] : ".");
		r = allow(rules, directory, allowed);
	}
	return r;
}

static int add(void *context, const char *path, enum confine_access access)
{
	const struct ruleset *rules = context;
	int r;

	if (access == CONFINE_MAKE && mkdir(path, 0700) < 0 && errno != EEXIST)
		r = -errno;
	else if (access == CONFINE_READ_AGAIN)
		r = allow_directories(rules, path, rights[access]);
	else
		r = allow(rules, path, rights[access]);
	if (r < 0)
		log_error("confine.failed", log_str("path", path), log_str("reason", strerror(-r)));
	return r;
}

/* What is built together is installed together: weir-copy is beside the managed-adapter. */
static int add_own_directory(const struct ruleset *rules)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

	if (length < 0)
		return -errno;
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	return add((void *)rules, path, CONFINE_EXECUTE);
}

int confine_files(enum confine_role role, const struct config *config, const char *run_dir)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	CLEANUP(close_at) int fd = -1;
	struct ruleset rules;
	int r;

	if (version < 0) {
		log_info("confine.no_landlock", log_str("reason", strerror(errno)),
			 log_str("effect", "files are not confined"));
		return 0;
	}
	rules.handled = handled_by(version);
	fd = (int)syscall(SYS_landlock_create_ruleset,
			  &(struct landlock_ruleset_attr){ .handled_access_fs = rules.handled },
			  sizeof(struct landlock_ruleset_attr), 0);
	if (fd < 0)
		return err_raise(-errno);
	rules.fd = fd;
	r = confine_paths(role, config, run_dir, add, &rules);
	if (r == 0 && confine_rows[role].places & 1u << CONFINE_PROGRAMS)
		r = add_own_directory(&rules);
	if (r == 0 && CONFINE_SANITIZED) /* what is mapped, which threads there are */
		r = add(&rules, "/proc/self", CONFINE_READ);
	if (r < 0)
		return err_raise(r);
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? err_raise(-errno) : 0;
}
