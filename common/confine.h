/* SPDX-License-Identifier: MIT */
/* confine.h - what each process may touch, and how it gives up everything else.
 *
 * confine_table.c says it once, as data: docs/hardening.md is printed from it, and a unit test
 * compares the two.  A process gives up in three steps, each of them for good:
 *
 *   confine_memory()  first of all: no core dump, no debugger, no privileges by what it starts
 *   confine_files()   before the first thread: landlock counts for the thread that asks and those
 *                     it starts later, and libzmq's threads share our memory
 *   confine_calls()   when everything is open, just before the loop: seccomp, for all threads
 *
 * What is refused shows: a file as EACCES and a family of sockets as EAFNOSUPPORT, which go the
 * ordinary way of errors; a system call ends the process with SIGSYS, after "confine.refused" has
 * named it in the log.  Only those who start programs get ENOSYS, as the programs do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/config.h"
#include "proto/words.h"

/* Sanitizers look at the process as a debugger does, and start a thread of their own for it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#define CONFINE_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define CONFINE_SANITIZED 0
#endif

enum confine_role {
	CONFINE_REGISTRY,
	CONFINE_SCHEDULER,
	CONFINE_UNMANAGED,
	CONFINE_MANAGED, /* with a provider elsewhere, or none */
	CONFINE_MANAGED_LOCAL, /* it starts ffmpeg */
	CONFINE_MEDIA, /* it becomes nginx */
	CONFINE_GATEWAY,
	CONFINE_ROLE_COUNT,
};

/* Each class has what the ones before it have. */
enum confine_class {
	CONFINE_BASE, /* no new process, no new thread */
	CONFINE_NETWORK, /* threads: libcurl looks names up in one */
	CONFINE_CHILDREN,
	CONFINE_CLASS_COUNT,
};

enum confine_access {
	CONFINE_READ, /* a file, or all of a directory */
	CONFINE_READ_AGAIN, /* a file that may be replaced by another of its name */
	CONFINE_WRITE, /* read, write, make and remove all in a directory */
	CONFINE_MAKE, /* the same; it is made if it is missing */
	CONFINE_BIND, /* make sockets in a directory, nothing else */
	CONFINE_EXECUTE, /* read and execute all in a directory */
	CONFINE_DEVICE, /* read and write a device */
};

enum confine_place {
	CONFINE_RUN,
	CONFINE_KEYS,
	CONFINE_STORE,
	CONFINE_MEDIA_DIR,
	CONFINE_GATEWAY_FILES,
	CONFINE_PROVIDER_FILES,
	CONFINE_NAMES,
	CONFINE_CERTIFICATES,
	CONFINE_DEVICES,
	CONFINE_PROGRAMS,
	CONFINE_PLACE_COUNT,
};

#define CONFINE_FAMILIES_MAX 4

struct confine_row {
	const char *name;
	uint32_t places; /* set of 1u << enum confine_place */
	enum confine_class calls;
	int families[CONFINE_FAMILIES_MAX + 1]; /* that sockets may be of, 0-ended */
};

extern const struct confine_row confine_rows[CONFINE_ROLE_COUNT];

/* confine_role_of() - the row of a daemon of @role. */
enum confine_role confine_role_of(enum role role, const struct config *config);

/* confine_has_family() - whether sockets of @family may be made; on a bus of tcp some more may. */
bool confine_has_family(enum confine_role role, const struct config *config, int family);

/* confine_paths() - call @visit with every path that @role may touch, until it returns < 0.
 *
 * Return: 0, or what @visit returned; -ENAMETOOLONG if a path of @config is too long.
 */
int confine_paths(enum confine_role role, const struct config *config, const char *run_dir,
		  int (*visit)(void *context, const char *path, enum confine_access access),
		  void *context);

/* confine_names() - the system calls that @class adds to those before it, NULL-ended. */
const char *const *confine_names(enum confine_class class);

/* confine_write_table() - the table as it is in docs/hardening.md. */
void confine_write_table(FILE *to);

/* confine_memory() - Return: 0 or -errno. */
int confine_memory(void);

/* confine_files() - a kernel without landlock is told of in the log and no error.
 *
 * Return: 0 or -errno.
 */
int confine_files(enum confine_role role, const struct config *config, const char *run_dir);

/* confine_calls() - Return: 0 or -errno. */
int confine_calls(enum confine_role role, const struct config *config);
