/* SPDX-License-Identifier: MIT */
/* machine.h - which clock this process reads: monotonic times of two processes mean something to
 * each other only if theirs is the same.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Where it is said; other places for tests. */
struct machine_sources {
	const char *told; /* the boot's id, from whoever starts us and hides the file; or NULL */
	const char *boot_id; /* the kernel's file: another id after each start of the machine */
	const char *offsets; /* of the time namespace, from the machine's own clock */
};

/* machine_clock_of() - the identity of the monotonic clock that @sources tell of.
 *
 * Return: the same number on one machine, from its start to its end, and in one time namespace;
 * another one elsewhere.  0: not known.
 */
uint64_t machine_clock_of(const struct machine_sources *sources);

/* machine_clock() - that of this process, to be asked before it is confined.  Where it is not known
 * it is a number of its own: then no other process has the same.
 */
uint64_t machine_clock(void);
