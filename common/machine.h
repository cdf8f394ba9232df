/* SPDX-License-Identifier: MIT */
/* machine.h - which clock this process reads: monotonic times of two processes mean something to
 * each other only if theirs is the same.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Where the kernel says it; other places for tests. */
struct machine_files {
	const char *boot_id; /* another one after each start of the machine */
	const char *machine_id; /* where the boot's is hidden (ProcSubset=pid) */
	const char *offsets; /* of the time namespace, from the machine's own clock */
};

/* machine_clock_of() - the identity of the monotonic clock that @files tell of.
 *
 * Return: the same number on one machine, from its start to its end, and in one time namespace;
 * another one elsewhere.  0: not known.
 */
uint64_t machine_clock_of(const struct machine_files *files);

/* machine_clock() - that of this process; to be asked before it is confined. */
uint64_t machine_clock(void);
