/* SPDX-License-Identifier: MIT */
/* confine_calls.c - giving up system calls: seccomp; the only file that sees libseccomp.
 *
 * A call that is not allowed ends the process, and its log says which.  To answer it with an error
 * would hide it: libraries carry on in ways nobody has tested, and whoever broke in tries the next
 * thing.  Whatever is merely asked about, as families of sockets are, gets an error.
 *
 * Those who start programs answer as a kernel does that lacks the call: ffmpeg's libraries try all
 * kinds of them (libnuma get_mempolicy(), for one) and know another way.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#include "common/confine.h"
#include "common/error.h"
#include "common/log.h"

#define FAMILIES_END 64 /* above all that Linux has: AF_MAX is 46 */
#define NAME_SIZE 32

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* names of mappings, which malloc() may give */
#endif

/* ---- what is refused ---- */

/* Called in the place of the call, so nothing is interrupted but what makes such a call: not the
 * log, and not malloc().  Threads that block all signals end without these words.
 */
static void on_refused(int number, siginfo_t *info, void *context)
{
	char *name = seccomp_syscall_resolve_num_arch(info->si_arch, info->si_syscall);

	(void)context;
	log_error("confine.refused", log_str("call", name ? name : "unknown"),
		  log_i64("number", info->si_syscall));
	free(name);
	(void)raise(number); /* SA_RESETHAND: the default, which is to end */
}

static int catch_refused(void)
{
	const struct sigaction action = { .sa_sigaction = on_refused,
					  .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER };

	return sigaction(SIGSYS, &action, NULL) < 0 ? -errno : 0;
}

/* ---- what is allowed ---- */

static int add(scmp_filter_ctx filter, uint32_t action, const char *name,
	       const struct scmp_arg_cmp *condition)
{
	int number = seccomp_syscall_resolve_name(name);
	int r;

	/* A name that other machines know is a negative number here, and passed over. */
	r = number == __NR_SCMP_ERROR
		    ? -EINVAL
		    : seccomp_rule_add_array(filter, action, number, condition ? 1 : 0, condition);
	if (r < 0)
		log_error("confine.failed", log_str("call", name), log_str("reason", strerror(-r)));
	return r;
}

static int add_all(scmp_filter_ctx filter, const char *const *names)
{
	int r = 0;

	for (; *names && r == 0; names++)
		r = add(filter, SCMP_ACT_ALLOW, *names, NULL);
	return r;
}

static int add_families(scmp_filter_ctx filter, enum confine_role role, const struct config *config)
{
	const struct scmp_arg_cmp others = SCMP_A0(SCMP_CMP_GE, FAMILIES_END, 0);
	const struct scmp_arg_cmp pairs = SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0);
	int r = add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", &others);

	for (int family = 0; family < FAMILIES_END && r == 0; family++) {
		const struct scmp_arg_cmp same = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0);

		r = add(filter,
			confine_has_family(role, config, family) ? SCMP_ACT_ALLOW
								 : SCMP_ACT_ERRNO(EAFNOSUPPORT),
			"socket", &same);
	}
	return r < 0 ? r : add(filter, SCMP_ACT_ALLOW, "socketpair", &pairs);
}

/* For those who start nothing: calls that are harmless with these arguments only. */
static int add_conditions(scmp_filter_ctx filter)
{
	const scmp_datum_t self = (scmp_datum_t)getpid();
	const struct {
		const char *name;
		struct scmp_arg_cmp condition;
	} rows[] = {
		{ "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0) },
		{ "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0) },
		{ "ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS, 0) },
		{ "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0) },
		{ "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_VMA, 0) },
		{ "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0, 0) }, /* asks, and sets nothing */
		{ "tgkill", SCMP_A0(SCMP_CMP_EQ, self, 0) }, /* abort() */
	};
	int r = 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && r == 0; i++)
		r = add(filter, SCMP_ACT_ALLOW, rows[i].name, &rows[i].condition);
	return r;
}

/* The check for leaks stops all threads from a process of its own, as a debugger does. */
static const char *const sanitizer_calls[] = { "clone",	 "ptrace", "wait4",
					       "prctl",	 "ioctl",  "prlimit64",
					       "tgkill", "kill",   "process_vm_readv",
					       "uname",	 NULL };

static int fill(scmp_filter_ctx filter, enum confine_role role, const struct config *config)
{
	const struct confine_row *row = &confine_rows[role];
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	int r = 0;

	/* Its flags are out of sight; glibc then takes clone(). */
	if (row->calls != CONFINE_CHILDREN)
		r = add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL);
	for (int class = 0; class <= (int)row->calls && r == 0; class ++)
		r = add_all(filter, confine_names((enum confine_class) class));
	if (r == 0)
		r = add_families(filter, role, config);
	if (r == 0 && CONFINE_SANITIZED)
		r = add_all(filter, sanitizer_calls);
	if (r < 0 || CONFINE_SANITIZED || row->calls == CONFINE_CHILDREN)
		return r;
	r = add_conditions(filter);
	if (r == 0 && row->calls == CONFINE_NETWORK)
		r = add(filter, SCMP_ACT_ALLOW, "clone", &thread);
	return r;
}

int confine_calls(enum confine_role role, const struct config *config)
{
	const struct confine_row *row = &confine_rows[role];
	const struct rlimit none = { 0, 0 };
	scmp_filter_ctx filter;
	int r;

	/* Threads count as processes there. */
	if (row->calls == CONFINE_BASE && !CONFINE_SANITIZED && setrlimit(RLIMIT_NPROC, &none) < 0)
		return err_raise(-errno);
	filter = seccomp_init(row->calls == CONFINE_CHILDREN ? SCMP_ACT_ERRNO(ENOSYS)
							     : SCMP_ACT_TRAP);
	if (!filter)
		return err_raise(-ENOMEM);
	/* For libzmq's threads too, which are there already. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = fill(filter, role, config);
	if (r == 0)
		r = catch_refused();
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r < 0 ? err_raise(r) : 0;
}
