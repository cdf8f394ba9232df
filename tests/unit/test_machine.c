/* SPDX-License-Identifier: MIT */
/* Goal: one machine has one clock until it is started anew, another machine has another.
 * Method: files as the kernel has them, and those that it really has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "common/machine.h"

#define BOOT_A "1b4e28ba-2fa1-11d2-883f-0016d3cca427\n"
#define BOOT_B "6fa459ea-ee8a-3ca4-894e-db77e160355e\n"
#define ZERO "monotonic           0         0\nboottime            0         0\n"
#define MOVED "monotonic        5000         0\nboottime            0         0\n"

static char folder[] = "/tmp/weir-machine.XXXXXX";

static void setup(void)
{
	cr_assert(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
}

static void teardown(void)
{
	(void)unlink("boot");
	(void)unlink("offsets");
	(void)rmdir(folder);
}

TestSuite(machine, .init = setup, .fini = teardown);

static void put(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static uint64_t clock_of(const char *told, const char *boot, const char *offsets)
{
	put("boot", boot);
	put("offsets", offsets);
	return machine_clock_of(
		&(struct machine_sources){ .told = told, .boot_id = "boot", .offsets = "offsets" });
}

Test(machine, a_clock_is_that_of_a_boot_and_a_time_namespace)
{
	uint64_t clock = clock_of(NULL, BOOT_A, ZERO);

	cr_assert_neq(clock, 0);
	cr_assert_neq(clock_of(NULL, BOOT_B, ZERO), clock, "started anew, or another machine");
	cr_assert_neq(clock_of(NULL, BOOT_A, MOVED), clock, "another origin");
}

/* systemd has it without hyphens. */
Test(machine, the_boot_may_be_told)
{
	uint64_t clock = clock_of(NULL, BOOT_A, ZERO);

	cr_assert_eq(clock_of("1B4E28BA2FA111D2883F0016D3CCA427", "", ZERO), clock);
	cr_assert_eq(clock_of("", BOOT_A, ZERO), clock);
	cr_assert_neq(clock_of(BOOT_B, BOOT_A, ZERO), clock);
}

Test(machine, what_is_no_boot_is_not_known)
{
	cr_assert_eq(clock_of(NULL, "", ZERO), 0);
	cr_assert_eq(clock_of(NULL, "uninitialized", ZERO), 0);
	cr_assert_eq(clock_of(BOOT_A BOOT_A BOOT_A BOOT_A BOOT_A BOOT_A BOOT_A BOOT_A, "", ZERO),
		     0);
	cr_assert_eq(unlink("boot"), 0);
	cr_assert_eq(machine_clock_of(&(struct machine_sources){ NULL, "boot", "offsets" }), 0);
}

Test(machine, a_clock_that_is_not_known_is_nobody_elses)
{
	cr_assert_eq(setenv("WEIR_BOOT_ID", "none", 1), 0);
	cr_assert_neq(machine_clock(), 0);
	cr_assert_neq(machine_clock(), machine_clock());
}

Test(machine, all_processes_of_this_one_agree)
{
	uint64_t clock = machine_clock();
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(machine_clock() == clock ? 0 : 1);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}
