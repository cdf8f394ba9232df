/* SPDX-License-Identifier: MIT */
/* store_faults.h - SQLite on a medium that fails when it is told to.
 *
 * store_faults_install() makes a VFS of ours the default one; everything goes through to the true
 * one until a fault is armed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum store_faults_call {
	STORE_FAULTS_WRITE,
	STORE_FAULTS_SYNC,
	STORE_FAULTS_READ,
	STORE_FAULTS_TRUNCATE,
	STORE_FAULTS_CALLS,
};

struct store_faults_plan {
	enum store_faults_call call;
	int code; /* what it says instead of doing its work */
	uint32_t after; /* so many calls go through first */
	uint32_t times; /* so many fail then */
};

void store_faults_install(void);

/* store_faults_arm() - from now on; the plan before is forgotten.  NULL: nothing fails. */
void store_faults_arm(const struct store_faults_plan *plan);

/* store_faults_hits() - how many calls failed since arming. */
uint32_t store_faults_hits(void);

/* store_faults_count() - calls of this kind since arming, failed or not. */
uint32_t store_faults_count(enum store_faults_call call);
