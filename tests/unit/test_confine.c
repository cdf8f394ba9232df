/* SPDX-License-Identifier: MIT */
/* Goal: every role keeps what it needs and loses everything else.  Method: the table is walked and
 * compared with docs/hardening.md; then a child confines itself as each role, in the order of a
 * daemon, and tries: its exit status says what came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <linux/landlock.h>
#include <seccomp.h>

#include "common/confine.h"

#define PAGE_SIZE_MAX 65536
#define SCRATCH_SIZE 256 /* of a path below the scratch directory */

/* A deployment in a scratch directory:
 *   run/ with a daemon's folder, store/, keys/ with a key, other/ with a file of nobody's.
 */
static char base[] = "/tmp/weir-test-confine-XXXXXX";
static char run_dir[SCRATCH_SIZE], store[SCRATCH_SIZE], media[SCRATCH_SIZE], key[SCRATCH_SIZE],
	other[SCRATCH_SIZE];
static struct config config;

static const char *below(char *out, const char *name)
{
	cr_assert_lt(snprintf(out, SCRATCH_SIZE, "%s/%s", base, name), SCRATCH_SIZE);
	return out;
}

static void make(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");

	cr_assert(file);
	fputs(content, file);
	fclose(file);
}

static void setup(void)
{
	char path[SCRATCH_SIZE], error[CONFIG_ERROR_SIZE];

	cr_assert(mkdtemp(base));
	cr_assert_eq(config_load(&(struct config_source){ 0 }, &config, error), 0, "%s", error);
	cr_assert_eq(mkdir(below(run_dir, "run"), 0700), 0);
	cr_assert_eq(mkdir(below(path, "run/service"), 0700), 0);
	cr_assert_eq(mkdir(below(path, "store"), 0700), 0);
	cr_assert_eq(mkdir(below(path, "keys"), 0700), 0);
	cr_assert_eq(mkdir(below(path, "other"), 0700), 0);
	snprintf(store, sizeof store, "sqlite:%s/store/registry.db", base);
	make(below(key, "keys/key"), "key");
	make(below(other, "other/file"), "other");
	config.registry_store = store;
	config.local_media_dir = below(media, "media");
	config.gateway_jwt_secret_file = config.cloudflare_ca_file = key;
}

static void teardown(void)
{
	char command[SCRATCH_SIZE + 16];
	pid_t child = fork();

	snprintf(command, sizeof command, "rm -rf %s", base);
	if (child == 0) {
		(void)execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(1);
	}
	(void)waitpid(child, NULL, 0);
	config_fini(&config);
}

TestSuite(confine, .init = setup, .fini = teardown, .timeout = 60);

/* ---- the table ---- */

struct visits {
	char paths[64][SCRATCH_SIZE];
	enum confine_access accesses[64];
	size_t count;
};

static int visit(void *context, const char *path, enum confine_access access)
{
	struct visits *visits = context;

	cr_assert_lt(visits->count, 64);
	snprintf(visits->paths[visits->count], SCRATCH_SIZE, "%s", path);
	visits->accesses[visits->count++] = access;
	return 0;
}

/* The access that is given to @path itself, -1 for none. */
static int access_of(enum confine_role role, const char *path)
{
	static struct visits visits;

	visits.count = 0;
	cr_assert_eq(confine_paths(role, &config, run_dir, visit, &visits), 0);
	for (size_t i = 0; i < visits.count; i++)
		if (strcmp(visits.paths[i], path) == 0)
			return (int)visits.accesses[i];
	return -1;
}

Test(confine, the_store_is_the_registrys)
{
	char directory[2 * SCRATCH_SIZE];

	below(directory, "store");
	cr_assert_eq(access_of(CONFINE_REGISTRY, directory), CONFINE_WRITE);
	for (int role = CONFINE_SCHEDULER; role < CONFINE_ROLE_COUNT; role++)
		cr_assert_eq(access_of((enum confine_role)role, directory), -1, "%d", role);
	config.registry_store = "sqlite:below/registry.db";
	snprintf(directory, sizeof directory, "%s/below", run_dir);
	cr_assert_eq(access_of(CONFINE_REGISTRY, directory), CONFINE_WRITE);
	config.registry_store = "sqlite:registry.db";
	cr_assert_eq(access_of(CONFINE_REGISTRY, run_dir), CONFINE_BIND, "and then it may write");
	config.registry_store = "memory:";
	cr_assert_eq(access_of(CONFINE_REGISTRY, directory), -1);
}

Test(confine, keys_are_of_those_who_use_them)
{
	config.cloudflare_ca_file = config.cloudflare_api_token_file = "";
	cr_assert_eq(access_of(CONFINE_GATEWAY, key), CONFINE_READ_AGAIN);
	for (int role = 0; role < CONFINE_GATEWAY; role++)
		cr_assert_eq(access_of((enum confine_role)role, key), -1, "%d", role);
	config.gateway_jwt_secret_file = "";
	config.cloudflare_api_token_file = key;
	cr_assert_eq(access_of(CONFINE_MANAGED, key), CONFINE_READ);
	cr_assert_eq(access_of(CONFINE_MANAGED_LOCAL, key), -1);
	cr_assert_eq(access_of(CONFINE_GATEWAY, key), -1);
}

Test(confine, the_provider_decides_about_programs)
{
	config.managed_provider = "cloudflare";
	cr_assert_eq(confine_role_of(ROLE_MANAGED, &config), CONFINE_MANAGED);
	cr_assert_eq(access_of(CONFINE_MANAGED, "/usr"), -1);
	config.managed_provider = "local";
	cr_assert_eq(confine_role_of(ROLE_MANAGED, &config), CONFINE_MANAGED_LOCAL);
	cr_assert_eq(access_of(CONFINE_MANAGED_LOCAL, "/usr"), CONFINE_EXECUTE);
	cr_assert_eq(confine_role_of(ROLE_REGISTRY, &config), CONFINE_REGISTRY);
	cr_assert_eq(confine_role_of(ROLE_SCHEDULER, &config), CONFINE_SCHEDULER);
	cr_assert_eq(confine_role_of(ROLE_UNMANAGED, &config), CONFINE_UNMANAGED);
	cr_assert_eq(confine_role_of(ROLE_GATEWAY, &config), CONFINE_GATEWAY);
}

Test(confine, a_path_that_is_too_long_is_refused)
{
	static char path[PATH_MAX + 16];
	static struct visits visits;

	memset(path, 'x', sizeof path - 1);
	config.local_media_dir = path;
	cr_assert_eq(confine_paths(CONFINE_MEDIA, &config, run_dir, visit, &visits), -ENAMETOOLONG);
}

Test(confine, every_call_is_known_and_named_once)
{
	static const char *const dangerous[] = { "ptrace", "mount",	  "bpf",    "unshare",
						 "setns",  "init_module", "keyctl", "kexec_load" };

	for (int class = 0; class < CONFINE_CLASS_COUNT; class ++)
		for (const char *const *name = confine_names((enum confine_class) class); *name;
		     name++) {
			cr_assert_neq(seccomp_syscall_resolve_name(*name), __NR_SCMP_ERROR, "%s",
				      *name);
			for (int earlier = 0; earlier <= class; earlier++)
				for (const char *const *one =
					     confine_names((enum confine_class)earlier);
				     *one; one++)
					cr_assert(one == name || strcmp(*one, *name) != 0, "%s",
						  *name);
			for (size_t i = 0; i < sizeof dangerous / sizeof dangerous[0]; i++)
				cr_assert_str_neq(*name, dangerous[i]);
		}
}

Test(confine, the_page_is_what_the_table_says)
{
	static char page[PAGE_SIZE_MAX], table[PAGE_SIZE_MAX];
	const char *root = getenv("WEIR_SOURCE_ROOT");
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof path, "%s/docs/hardening.md", root ? root : ".");
	file = fopen(path, "r");
	cr_assert(file, "%s", path);
	page[fread(page, 1, sizeof page - 1, file)] = '\0';
	fclose(file);
	file = fmemopen(table, sizeof table, "w");
	confine_write_table(file);
	fclose(file);
	cr_assert(strstr(page, table), "run weir-confine-doc and put this there:\n%s", table);
}

/* ---- processes ---- */

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* What waitpid() says of a child that was confined as @role and then did @attempt. */
static int confined(enum confine_role role, int (*attempt)(void))
{
	int status;
	pid_t child = fork();

	cr_assert_geq(child, 0);
	if (child == 0) {
		(void)freopen("/dev/null", "w", stderr);
		if (confine_memory() < 0 || confine_files(role, &config, run_dir) < 0 ||
		    confine_calls(role, &config) < 0)
			_exit(100);
		_exit(attempt());
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

static void expect(enum confine_role role, int (*attempt)(void), int code, const char *what)
{
	int status = confined(role, attempt);

	cr_assert(WIFEXITED(status), "%s: %s: status %x", confine_rows[role].name, what, status);
	cr_assert_eq(WEXITSTATUS(status), code, "%s: %s: %s", confine_rows[role].name, what,
		     strerror(WEXITSTATUS(status)));
}

static void expect_end(enum confine_role role, int (*attempt)(void), const char *what)
{
	int status = confined(role, attempt);

	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: %s: status %x",
		  confine_rows[role].name, what, status);
	cr_assert_not(WCOREDUMP(status));
}

static int opened(const char *path, int flags)
{
	return open(path, flags, 0600) < 0 ? errno : 0;
}

static int try_other(void)
{
	return opened(other, O_RDONLY);
}

static int try_key(void)
{
	return opened(key, O_RDONLY);
}

/* The name leads to another file than at the start. */
static int try_new_key(void)
{
	char path[SCRATCH_SIZE];

	return opened(below(path, "keys/new"), O_RDONLY);
}

static int try_key_write(void)
{
	return opened(key, O_WRONLY);
}

static int try_store(void)
{
	char path[SCRATCH_SIZE];

	return opened(below(path, "store/registry.db-wal"), O_RDWR | O_CREAT);
}

static int try_media(void)
{
	char path[SCRATCH_SIZE];

	return opened(below(path, "media/index.m3u8"), O_RDWR | O_CREAT);
}

static int try_service(void)
{
	char path[SCRATCH_SIZE];

	return opened(below(path, "run/service/run"), O_RDWR | O_CREAT);
}

static int try_bind(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (snprintf(address.sun_path, sizeof address.sun_path, "%s/x.inbox", run_dir) >=
	    (int)sizeof address.sun_path)
		return ENAMETOOLONG;
	return bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
}

static int try_remove_bound(void)
{
	char path[SCRATCH_SIZE];
	int r = try_bind();

	return r == 0 && unlink(below(path, "run/x.inbox")) < 0 ? errno : r;
}

Test(confine, files)
{
	char path[SCRATCH_SIZE];

	if (!has_landlock())
		cr_skip_test("this kernel has no landlock");
	make(below(path, "keys/new"), "key");
	for (int i = 0; i < CONFINE_ROLE_COUNT; i++) {
		enum confine_role role = (enum confine_role)i;
		bool keys = role == CONFINE_GATEWAY || role == CONFINE_MANAGED;
		bool writes = role == CONFINE_MANAGED_LOCAL || role == CONFINE_MEDIA;

		expect(role, try_other, EACCES, "a file of others");
		expect(role, try_key, keys ? 0 : EACCES, "a key");
		expect(role, try_new_key, keys ? 0 : EACCES, "a key that was replaced");
		expect(role, try_key_write, EACCES, "writing a key");
		expect(role, try_store, role == CONFINE_REGISTRY ? 0 : EACCES, "the store");
		expect(role, try_service, EACCES, "a script of the supervisor");
		if (writes)
			expect(role, try_media, 0, "the media directory");
		else
			expect(role, try_media, access(media, F_OK) == 0 ? EACCES : ENOENT,
			       "the media directory");
		if (role == CONFINE_MEDIA)
			continue;
		expect(role, try_bind, 0, "a socket of its own");
		cr_assert_eq(unlink(below(path, "run/x.inbox")), 0);
		expect(role, try_remove_bound, EACCES, "somebody's socket");
		cr_assert_eq(unlink(below(path, "run/x.inbox")), 0);
	}
}

static int family(int domain)
{
	return socket(domain, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int try_unix(void)
{
	return family(AF_UNIX);
}

static int try_inet(void)
{
	return family(AF_INET);
}

static int try_inet6(void)
{
	return family(AF_INET6) == EAFNOSUPPORT ? EAFNOSUPPORT : 0;
}

static int try_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? errno : 0;
}

static int try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? errno : 0;
}

static int try_vsock(void)
{
	return family(AF_VSOCK);
}

static int try_high(void)
{
	return family(1000);
}

Test(confine, families_of_sockets)
{
	for (int i = 0; i < CONFINE_ROLE_COUNT; i++) {
		enum confine_role role = (enum confine_role)i;
		bool internet = confine_rows[i].calls != CONFINE_BASE;

		expect(role, try_unix, 0, "unix");
		expect(role, try_inet, internet ? 0 : EAFNOSUPPORT, "IPv4");
		if (!internet)
			expect(role, try_inet6, EAFNOSUPPORT, "IPv6");
		expect(role, try_packet, EAFNOSUPPORT, "packets");
		expect(role, try_netlink, role == CONFINE_MANAGED_LOCAL ? 0 : EAFNOSUPPORT,
		       "netlink");
		expect(role, try_vsock, EAFNOSUPPORT, "vsock");
		expect(role, try_high, EAFNOSUPPORT, "none that there is");
	}
}

Test(confine, a_bus_of_tcp_needs_more)
{
	config.bus_transport = "tcp";
	config.bus_curve_dir = run_dir;
	for (int i = 0; i < CONFINE_ROLE_COUNT; i++) {
		enum confine_role role = (enum confine_role)i;

		expect(role, try_inet, 0, "IPv4");
		expect(role, try_netlink, role == CONFINE_MEDIA ? EAFNOSUPPORT : 0, "netlink");
		expect(role, try_packet, EAFNOSUPPORT, "packets");
	}
}

static int try_exec(void)
{
	(void)execl("/usr/bin/true", "true", NULL);
	return errno;
}

static int try_fork(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child < 0 || waitpid(child, &status, 0) < 0 ? errno : status;
}

static int try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0) < 0 ? errno : 0;
}

static int try_kill(void)
{
	return kill(1, 0) < 0 ? errno : 0;
}

static void *idle(void *context)
{
	return context;
}

static int try_thread(void)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, idle, NULL);

	return r != 0 ? r : pthread_join(thread, NULL);
}

static int try_abort(void)
{
	abort();
}

Test(confine, calls)
{
	for (int i = 0; i < CONFINE_ROLE_COUNT; i++) {
		enum confine_role role = (enum confine_role)i;

		cr_assert_eq(WTERMSIG(confined(role, try_abort)), SIGABRT, "abort() ends as ever");
		if (confine_rows[i].calls == CONFINE_CHILDREN) {
			expect(role, try_bpf, ENOSYS, "bpf");
			expect(role, try_exec, 0, "a program");
			expect(role, try_fork, 0, "a process");
			continue;
		}
		expect_end(role, try_bpf, "bpf");
		expect_end(role, try_exec, "a program");
		if (confine_rows[i].calls == CONFINE_NETWORK)
			expect(role, try_thread, 0, "a thread");
		if (CONFINE_SANITIZED)
			continue;
		expect_end(role, try_fork, "a process");
		expect_end(role, try_kill, "a signal to others");
		if (confine_rows[i].calls == CONFINE_BASE)
			expect_end(role, try_thread, "a thread");
	}
}

/* A thread that was there before, as those of libzmq are. */
static int go[2];

static void *call_later(void *context)
{
	char byte;

	(void)!read(go[0], &byte, 1);
	(void)syscall(SYS_bpf, 0, NULL, 0);
	_exit(7);
	return context;
}

Test(confine, threads_that_are_there_are_confined_too)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		(void)freopen("/dev/null", "w", stderr);
		if (pipe(go) < 0 || pthread_create(&thread, NULL, call_later, NULL) != 0 ||
		    confine_calls(CONFINE_SCHEDULER, &config) < 0 || write(go[1], "x", 1) != 1)
			_exit(100);
		(void)poll(NULL, 0, -1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status), "status %x", status);
	cr_assert_eq(WTERMSIG(status), SIGSYS);
}

Test(confine, the_log_says_what_was_refused)
{
	char said[1024] = "";
	int words[2], status;
	pid_t child;

	cr_assert_eq(pipe(words), 0);
	child = fork();
	if (child == 0) {
		(void)dup2(words[1], STDERR_FILENO);
		_exit(confine_calls(CONFINE_GATEWAY, &config) < 0 ? 100 : try_bpf());
	}
	(void)close(words[1]);
	cr_assert_gt(read(words[0], said, sizeof said - 1), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(strstr(said, "\"event\":\"confine.refused\""), "%s", said);
	cr_assert(strstr(said, "\"call\":\"bpf\""), "%s", said);
}

static int look_at_limits(void)
{
	struct rlimit core, processes;

	if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NPROC, &processes) < 0)
		return errno;
	return (core.rlim_max != 0) | (processes.rlim_max != 0) << 1;
}

Test(confine, limits)
{
	for (int role = 0; role < CONFINE_ROLE_COUNT; role++)
		expect((enum confine_role)role, look_at_limits,
		       CONFINE_SANITIZED || confine_rows[role].calls != CONFINE_BASE ? 2 : 0,
		       "limits");
}
