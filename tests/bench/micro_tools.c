/* SPDX-License-Identifier: MIT */
#include "tests/bench/micro_tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int64_t micro_cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* cannot fail: there is one */
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

size_t micro_resident(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	(void)fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

void micro_begin(struct micro_steps *self)
{
	self->began_cpu_ns = micro_cpu_ns();
	self->began_ns = tool_now_ns();
}

void micro_pause(struct micro_steps *self)
{
	self->step_ns += tool_now_ns() - self->began_ns;
	self->step_cpu_ns += micro_cpu_ns() - self->began_cpu_ns;
}

void micro_step(struct micro_steps *self)
{
	histogram_add(&self->wall_ns, (uint64_t)self->step_ns);
	self->total_ns += self->step_ns;
	self->cpu_total_ns += self->step_cpu_ns;
	self->over_1ms += self->step_ns > NS_PER_MS;
	if (self->step_cpu_ns > self->cpu_max_ns)
		self->cpu_max_ns = self->step_cpu_ns;
	self->step_ns = self->step_cpu_ns = 0;
}

static double ms(uint64_t ns)
{
	return (double)ns / NS_PER_MS;
}

static double each(int64_t ns, uint64_t cycles)
{
	return cycles ? (double)ns / (double)cycles : 0;
}

/* All is told twice: on the wall, and without what others computed meanwhile. */
void micro_print_steps(const struct micro_steps *self, uint64_t cycles)
{
	printf("\"cycles\":%" PRIu64
	       ",\"ns_per_cycle\":%.1f,\"cpu_ns_per_cycle\":%.1f,\"steps\":%" PRIu64
	       ",\"step_p50_ms\":%.3f,\"step_p99_ms\":%.3f,\"step_max_ms\":%.3f"
	       ",\"step_max_cpu_ms\":%.3f,\"steps_over_1ms\":%" PRIu64,
	       cycles, each(self->total_ns, cycles), each(self->cpu_total_ns, cycles),
	       self->wall_ns.count, ms(histogram_at(&self->wall_ns, 500)),
	       ms(histogram_at(&self->wall_ns, 990)), ms(self->wall_ns.max),
	       ms((uint64_t)self->cpu_max_ns), self->over_1ms);
}
