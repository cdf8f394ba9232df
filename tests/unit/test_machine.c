/* SPDX-License-Identifier: MIT */
/* Goal: one machine has one clock until it is started anew, another machine has another.
 * Method: files as the kernel has them, and those that it really has.
 */
#include <stdio.h>
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
	(void)unlink("machine");
	(void)unlink("offsets");
	(void)rmdir(folder);
}

TestSuite(machine, .init = setup, .fini = teardown);

static void put(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static uint64_t clock_of(const char *boot, const char *machine, const char *offsets)
{
	put("boot", boot);
	put("machine", machine);
	put("offsets", offsets);
	return machine_clock_of(&(struct machine_files){
		.boot_id = "boot", .machine_id = "machine", .offsets = "offsets" });
}

Test(machine, a_clock_is_that_of_a_boot_and_a_time_namespace)
{
	uint64_t clock = clock_of(BOOT_A, "", ZERO);

	cr_assert_neq(clock, 0);
	cr_assert_eq(clock_of(BOOT_A, "any", ZERO), clock);
	cr_assert_neq(clock_of(BOOT_B, "", ZERO), clock, "started anew, or another machine");
	cr_assert_neq(clock_of(BOOT_A, "", MOVED), clock, "another origin");
}

Test(machine, without_the_boot_it_is_the_machine)
{
	uint64_t clock = clock_of("", BOOT_A, ZERO);

	cr_assert_neq(clock, 0);
	cr_assert_neq(clock_of("", BOOT_B, ZERO), clock);
	cr_assert_eq(clock_of("", "uninitialized\n", ZERO), 0);
	cr_assert_eq(clock_of("", "", ZERO), 0, "not known");
	cr_assert_eq(unlink("boot"), 0);
	cr_assert_eq(unlink("machine"), 0);
	cr_assert_eq(machine_clock_of(&(struct machine_files){ "boot", "machine", "offsets" }), 0);
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
