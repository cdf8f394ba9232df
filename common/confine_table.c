/* SPDX-License-Identifier: MIT */
/* confine_table.c - what each process may touch: the table, and nothing that acts on it. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "common/bus.h"
#include "common/confine.h"
#include "common/store.h"

#define BIT(place) (1u << CONFINE_##place)
#define LOCAL_ONLY \
	{ \
		AF_UNIX \
	}
#define LOCAL_AND_INTERNET \
	{ \
		AF_UNIX, AF_INET, AF_INET6 \
	}
/* weir-copy asks which addresses are this machine's. */
#define INTERNET_AND_LINKS \
	{ \
		AF_UNIX, AF_INET, AF_INET6, AF_NETLINK \
	}

/* clang-format off */
const struct confine_row confine_rows[CONFINE_ROLE_COUNT] = {
	[CONFINE_REGISTRY] = { "registry", BIT(RUN) | BIT(KEYS) | BIT(STORE), CONFINE_BASE, LOCAL_ONLY },
	[CONFINE_SCHEDULER] = { "lifecycle-scheduler", BIT(RUN) | BIT(KEYS), CONFINE_BASE, LOCAL_ONLY },
	[CONFINE_UNMANAGED] = { "unmanaged-adapter", BIT(RUN) | BIT(KEYS), CONFINE_BASE, LOCAL_ONLY },
	[CONFINE_MANAGED] = { "managed-adapter",
		BIT(RUN) | BIT(KEYS) | BIT(PROVIDER_FILES) | BIT(NAMES) | BIT(CERTIFICATES) | BIT(DEVICES),
		CONFINE_NETWORK, LOCAL_AND_INTERNET },
	[CONFINE_MANAGED_LOCAL] = { "managed-adapter (local)",
		BIT(RUN) | BIT(KEYS) | BIT(MEDIA_DIR) | BIT(NAMES) | BIT(CERTIFICATES) | BIT(DEVICES) |
			BIT(PROGRAMS),
		CONFINE_CHILDREN, INTERNET_AND_LINKS },
	[CONFINE_MEDIA] = { "media", BIT(MEDIA_DIR) | BIT(NAMES) | BIT(CERTIFICATES) | BIT(DEVICES) | BIT(PROGRAMS),
		CONFINE_CHILDREN, LOCAL_AND_INTERNET },
	[CONFINE_GATEWAY] = { "gateway",
		BIT(RUN) | BIT(KEYS) | BIT(GATEWAY_FILES) | BIT(NAMES) | BIT(CERTIFICATES) | BIT(DEVICES),
		CONFINE_NETWORK, LOCAL_AND_INTERNET },
};
/* clang-format on */

enum confine_role confine_role_of(enum role role, const struct config *config)
{
	switch (role) {
	case ROLE_REGISTRY:
		return CONFINE_REGISTRY;
	case ROLE_SCHEDULER:
		return CONFINE_SCHEDULER;
	case ROLE_UNMANAGED:
		return CONFINE_UNMANAGED;
	case ROLE_MANAGED:
		return strcmp(config->managed_provider, "local") == 0 ? CONFINE_MANAGED_LOCAL
								      : CONFINE_MANAGED;
	default:
		return CONFINE_GATEWAY;
	}
}

/* libzmq's tcp asks for the machine's addresses, each time that it binds. */
bool confine_has_family(enum confine_role role, const struct config *config, int family)
{
	static const int of_tcp[CONFINE_FAMILIES_MAX + 1] = { AF_INET, AF_INET6, AF_NETLINK };
	const bool tcp = bus_is_tcp(config) && confine_rows[role].places & BIT(KEYS);

	for (int i = 0; i < CONFINE_FAMILIES_MAX; i++)
		if (family != 0 &&
		    (confine_rows[role].families[i] == family || (tcp && of_tcp[i] == family)))
			return true;
	return false;
}

/* ---- places ---- */

static const struct place {
	const char *name, *allowed; /* for people */
} places[CONFINE_PLACE_COUNT] = {
	[CONFINE_RUN] = { "run directory", "make sockets" },
	[CONFINE_KEYS] = { "`bus.curve_dir`", "read" },
	[CONFINE_STORE] = { "directory of `registry.store`", "read and write" },
	[CONFINE_MEDIA_DIR] = { "`local.media_dir`", "read and write" },
	[CONFINE_GATEWAY_FILES] = { "secret, app and TLS files of `[gateway]`",
				    "read, with their directories" },
	[CONFINE_PROVIDER_FILES] = { "token and secret files of `[cloudflare]`; `ca_file`",
				     "read; the latter with its directory" },
	[CONFINE_NAMES] = { "files of the resolver, libraries", "read" },
	[CONFINE_CERTIFICATES] = { "the system's certificates", "read" },
	[CONFINE_DEVICES] = { "`/dev/null`, random numbers", "read and write" },
	[CONFINE_PROGRAMS] = { "`/usr`, `/bin`, `/sbin`, `/opt`, where it is itself",
			       "read and execute" },
};

/* Paths that are the same everywhere.  What is missing on a machine is left out. */
static const struct fixed {
	enum confine_place place;
	enum confine_access access;
	const char *path;
} fixed[] = {
	/* One by one: /etc holds keys and secrets of others.  resolv.conf is mostly a link. */
	{ CONFINE_NAMES, CONFINE_READ, "/etc/resolv.conf" },
	{ CONFINE_NAMES, CONFINE_READ, "/run/systemd/resolve" },
	{ CONFINE_NAMES, CONFINE_READ, "/run/resolvconf" },
	{ CONFINE_NAMES, CONFINE_READ, "/run/NetworkManager/resolv.conf" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/hosts" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/host.conf" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/nsswitch.conf" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/gai.conf" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/services" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/passwd" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/group" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/localtime" },
	{ CONFINE_NAMES, CONFINE_READ, "/etc/ld.so.cache" },
	{ CONFINE_NAMES, CONFINE_READ, "/lib" },
	{ CONFINE_NAMES, CONFINE_READ, "/lib64" },
	{ CONFINE_NAMES, CONFINE_READ, "/usr/lib" },
	{ CONFINE_CERTIFICATES, CONFINE_READ, "/etc/ssl/certs" },
	{ CONFINE_CERTIFICATES, CONFINE_READ, "/etc/ssl/openssl.cnf" },
	{ CONFINE_CERTIFICATES, CONFINE_READ, "/usr/share/ca-certificates" },
	{ CONFINE_CERTIFICATES, CONFINE_READ, "/usr/local/share/ca-certificates" },
	{ CONFINE_DEVICES, CONFINE_DEVICE, "/dev/null" },
	{ CONFINE_DEVICES, CONFINE_DEVICE, "/dev/urandom" },
	{ CONFINE_DEVICES, CONFINE_DEVICE, "/dev/random" },
	{ CONFINE_PROGRAMS, CONFINE_EXECUTE, "/usr" },
	{ CONFINE_PROGRAMS, CONFINE_EXECUTE, "/bin" },
	{ CONFINE_PROGRAMS, CONFINE_EXECUTE, "/sbin" },
	{ CONFINE_PROGRAMS, CONFINE_EXECUTE, "/opt" },
	{ CONFINE_PROGRAMS, CONFINE_EXECUTE, "/lib" },
	{ CONFINE_PROGRAMS, CONFINE_EXECUTE, "/lib64" },
};

/* Paths that the configuration names. */
#define FILE_OF(place, access, key) \
	{ \
		CONFINE_##place, CONFINE_##access, offsetof(struct config, key) \
	}

static const struct configured {
	enum confine_place place;
	enum confine_access access;
	size_t offset; /* of the path in struct config */
} configured[] = {
	FILE_OF(GATEWAY_FILES, READ_AGAIN, gateway_jwt_secret_file),
	FILE_OF(GATEWAY_FILES, READ_AGAIN, gateway_apps_file),
	FILE_OF(GATEWAY_FILES, READ_AGAIN, gateway_tls_cert_file),
	FILE_OF(GATEWAY_FILES, READ_AGAIN, gateway_tls_key_file),
	FILE_OF(PROVIDER_FILES, READ, cloudflare_api_token_file),
	FILE_OF(PROVIDER_FILES, READ, cloudflare_webhook_secret_file),
	FILE_OF(PROVIDER_FILES, READ_AGAIN, cloudflare_ca_file),
};

struct walk {
	uint32_t places;
	const struct config *config;
	const char *run_dir;
	int (*visit)(void *context, const char *path, enum confine_access access);
	void *context;
};

static bool wants(const struct walk *walk, enum confine_place place)
{
	return walk->places & 1u << place;
}

static int visit_fixed(const struct walk *walk)
{
	int r = 0;

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0] && r >= 0; i++)
		if (wants(walk, fixed[i].place))
			r = walk->visit(walk->context, fixed[i].path, fixed[i].access);
	return r;
}

static int visit_configured(const struct walk *walk)
{
	int r = 0;

	for (size_t i = 0; i < sizeof configured / sizeof configured[0] && r >= 0; i++) {
		const char *path =
			*(const char *const *)((const char *)walk->config + configured[i].offset);

		if (wants(walk, configured[i].place) && *path)
			r = walk->visit(walk->context, path, configured[i].access);
	}
	return r;
}

/* Relative to the run directory, as those who open it see it. */
static int visit_below_run(const struct walk *walk, const char *path, bool its_directory,
			   enum confine_access access)
{
	char whole[PATH_MAX];
	int length = path[0] == '/' ? snprintf(whole, sizeof whole, "%s", path)
				    : snprintf(whole, sizeof whole, "%s/%s", walk->run_dir, path);

	if (length >= (int)sizeof whole)
		return -ENAMETOOLONG;
	if (its_directory) {
		char *slash = strrchr(whole, '/');

		slash[slash == whole] = '\0';
	}
	return walk->visit(walk->context, whole, access);
}

int confine_paths(enum confine_role role, const struct config *config, const char *run_dir,
		  int (*visit)(void *context, const char *path, enum confine_access access),
		  void *context)
{
	const struct walk walk = { confine_rows[role].places, config, run_dir, visit, context };
	const size_t scheme = strlen(STORE_SQLITE);
	int r = visit_fixed(&walk);

	if (r >= 0)
		r = visit_configured(&walk);
	if (r >= 0 && wants(&walk, CONFINE_RUN))
		r = visit(context, run_dir, CONFINE_BIND);
	if (r >= 0 && wants(&walk, CONFINE_KEYS) && bus_is_tcp(config))
		r = visit(context, config->bus_curve_dir, CONFINE_READ);
	if (r >= 0 && wants(&walk, CONFINE_STORE) &&
	    strncmp(config->registry_store, STORE_SQLITE, scheme) == 0)
		r = visit_below_run(&walk, config->registry_store + scheme, true, CONFINE_WRITE);
	if (r >= 0 && wants(&walk, CONFINE_MEDIA_DIR))
		r = visit_below_run(&walk, config->local_media_dir, false, CONFINE_MAKE);
	return r < 0 ? r : 0;
}

/* ---- system calls ---- */

/* Files are landlock's business, so all may be opened here.  Those that confine_calls.c looks at
 * more closely, by their arguments, are not in these lists.  libzmq's threads begin with
 * sched_...(), on a busy machine only after the filter is there; CURVE's library locks its keys
 * in memory.
 */
/* clang-format off */
static const char *const base_calls[] = {
	"read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "pwritev", "close",
	"close_range", "open", "openat", "openat2", "creat", "lseek", "fstat", "stat", "lstat",
	"newfstatat", "fstatat64", "statx", "statfs", "fstatfs", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "getcwd", "fcntl",
	"dup", "dup2", "dup3", "flock", "fsync", "fdatasync", "ftruncate", "fallocate",
	"fadvise64", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod",
	"fchmodat", "chown", "fchown", "fchownat", "umask", "utimensat", "pipe", "pipe2",
	"eventfd2", "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_wait", "epoll_pwait", "timerfd_create", "timerfd_settime",
	"timerfd_gettime", "signalfd", "signalfd4", "connect", "bind", "listen", "accept",
	"accept4", "getsockname", "getpeername", "getsockopt", "setsockopt", "sendto", "sendmsg",
	"recvfrom", "recvmsg", "shutdown", "mmap", "mmap2", "munmap", "mremap", "mprotect",
	"madvise", "mlock", "munlock", "msync", "mincore", "brk", "membarrier", "futex", "futex_waitv",
	"set_robust_list", "get_robust_list", "rseq", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "sigaltstack", "restart_syscall",
	"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getrlimit",
	"getrusage", "times", "getcpu", "sched_yield", "sched_getaffinity", "clock_gettime",
	"clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom",
	"sysinfo", "exit", "exit_group", "sched_getscheduler", "sched_setscheduler",
	"sched_getparam", "sched_get_priority_min", "sched_get_priority_max", NULL
};
/* clang-format on */

/* The resolver's; clone() is allowed for threads, see confine_calls.c. */
static const char *const network_calls[] = { "sendmmsg", "recvmmsg", "uname", NULL };

/* What starts them, and what ffmpeg and nginx want of the kernel.  nginx started by root sets the
 * user of its workers.
 */
/* clang-format off */
static const char *const children_calls[] = {
	"clone", "fork", "vfork", "sendfile", "splice", "sched_setaffinity", "execve",
	"execveat", "wait4", "waitid", "kill", "tkill", "tgkill", "rt_sigsuspend",
	"rt_sigqueueinfo", "pidfd_open", "pidfd_send_signal", "setpgid", "getpgid", "getpgrp",
	"setsid", "getsid", "prctl", "arch_prctl", "set_tid_address", "prlimit64", "setrlimit",
	"ioctl", "getpriority", "setpriority", "getitimer", "setitimer", "alarm", "pause",
	"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "truncate",
	"chdir", "fchdir", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "eventfd",
	"io_setup", "io_submit", "io_getevents", "io_destroy", "readahead", "copy_file_range",
	"tee", "memfd_create", "sync_file_range", "setuid", "setgid", "setgroups", "getgroups",
	"setresuid", "setresgid", "getresuid", "getresgid", "capget", "capset", NULL
};
/* clang-format on */

const char *const *confine_names(enum confine_class class)
{
	static const char *const *const names[CONFINE_CLASS_COUNT] = {
		[CONFINE_BASE] = base_calls,
		[CONFINE_NETWORK] = network_calls,
		[CONFINE_CHILDREN] = children_calls,
	};

	return names[class];
}

/* ---- for people ---- */

static const char *const starts[CONFINE_CLASS_COUNT] = {
	[CONFINE_BASE] = "nothing",
	[CONFINE_NETWORK] = "threads",
	[CONFINE_CHILDREN] = "programs",
};

void confine_write_table(FILE *to)
{
	fputs("| process | files | sockets | starts |\n|---|---|---|---|\n", to);
	for (int role = 0; role < CONFINE_ROLE_COUNT; role++) {
		const struct confine_row *row = &confine_rows[role];
		const char *between = "";

		fprintf(to, "| %s | ", row->name);
		for (int place = 0; place < CONFINE_PLACE_COUNT; place++) {
			if (!(row->places & 1u << place))
				continue;
			fprintf(to, "%s%s: %s", between, places[place].name, places[place].allowed);
			between = "; ";
		}
		fprintf(to, " | %s%s | %s |\n", row->families[1] ? "unix, IPv4, IPv6" : "unix",
			row->families[3] ? ", netlink" : "", starts[row->calls]);
	}
}
