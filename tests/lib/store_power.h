/* SPDX-License-Identifier: MIT */
/* store_power.h - what a power cut leaves of SQLite's files.
 *
 * A VFS that remembers for every file what was synced and what was written since.  A cut puts back
 * what was synced, and of each later write all, nothing or a piece.  A sync that failed syncs
 * nothing and forgets what it should have synced, as the kernel does (pages marked as clean): a
 * later sync does not bring it back, only writing it again does.
 */
#pragma once

#include <stdint.h>

#include "tests/lib/fakes.h"

void store_power_install(void);

/* store_power_fail_sync() - the sync after so many more fails with SQLITE_IOERR_FSYNC; once. */
void store_power_fail_sync(uint32_t after);

/* store_power_off() - nothing is written any more, whatever the program does until the cut. */
void store_power_off(void);

/* store_power_cut() - leave in the files what this cut leaves, and begin anew; all are closed. */
void store_power_cut(struct prng *prng);
