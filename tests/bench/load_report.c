/* SPDX-License-Identifier: MIT */
/* Figures: one line of JSON each, times in milliseconds. */
#include "tests/bench/load.h"

#include <stdio.h>
#include <sys/resource.h>

#define US_PER_MS 1000.0
#define SILENT_INTERVALS 3 /* without a probe: its stream is dead, whatever is said */

static double seconds(int64_t from_ns, int64_t to_ns)
{
	return (double)(to_ns - from_ns) / (double)NS_PER_S;
}

/* Time that we could have run and did not: what is late by that is not the server's. */
static double waited_s(void)
{
	unsigned long long run_ns, wait_ns = 0;
	FILE *file = fopen("/proc/self/schedstat", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%llu %llu", &run_ns, &wait_ns) != 2)
		wait_ns = 0;
	(void)fclose(file);
	return (double)wait_ns / (double)NS_PER_S;
}

static double cpu_s(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_us(const char *name, const struct histogram *histogram)
{
	static const struct {
		const char *name;
		unsigned per_mille;
	} parts[] = { { "p50", 500 }, { "p90", 900 }, { "p99", 990 }, { "p999", 999 } };

	printf(",\"%s\":{", name);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		printf("\"%s\":%.3f,", parts[i].name,
		       (double)histogram_at(histogram, parts[i].per_mille) / US_PER_MS);
	printf("\"max\":%.3f,\"count\":%llu}", (double)histogram->max / US_PER_MS,
	       (unsigned long long)histogram->count);
}

static void print_count(const char *name, uint64_t value)
{
	printf(",\"%s\":%llu", name, (unsigned long long)value);
}

static void end_line(void)
{
	if (puts("}") < 0 || fflush(stdout) != 0)
		tool_fail(&load_tool, "stdout", "nobody reads it");
}

void report_phase(struct load *self, const char *phase)
{
	const bool connected = self->goal == GOAL_CONNECTED;

	printf("{\"phase\":\"%s\",\"users\":%u,\"seconds\":%.3f", phase, (unsigned)self->total,
	       seconds(self->phase_ns, self->now_ns));
	print_count("failed", self->figures.failed);
	print_us(connected ? "connect_ms" : "start_ms",
		 connected ? &self->figures.connect_us : &self->figures.start_us);
	end_line();
}

void report_back(struct load *self)
{
	printf("{\"phase\":\"back\",\"links\":%u,\"seconds\":%.3f", (unsigned)self->links_cut,
	       seconds(self->cut_ns, self->now_ns));
	print_us("each_ms", &self->back_us);
	end_line();
}

static void print_refusals(const struct figures *figures)
{
	printf(",\"refused\":{");
	for (unsigned i = 0; i < CODES_MAX && figures->refusals[i].count > 0; i++)
		printf("%s\"%s\":%llu", i > 0 ? "," : "", figures->refusals[i].code,
		       (unsigned long long)figures->refusals[i].count);
	printf("}");
}

/* Probes that have not come are not in the histogram. */
static uint64_t look_for_silence(const struct load *self, double *overdue_ms)
{
	const int64_t interval_ns = self->options.interval_ms * NS_PER_MS;
	uint64_t silent = 0;

	*overdue_ms = 0;
	for (uint32_t i = 0; i < self->options.users; i++) {
		const struct user *user = &self->users[i];
		const int64_t since_ns = user->probe_ns < 0 ? -user->probe_ns : user->probe_ns;
		const int64_t overdue_ns = self->now_ns - since_ns - interval_ns;

		if (user->stage != STAGE_LIVE || since_ns == 0)
			continue;
		if ((double)overdue_ns / (double)NS_PER_MS > *overdue_ms)
			*overdue_ms = (double)overdue_ns / (double)NS_PER_MS;
		silent += overdue_ns > (SILENT_INTERVALS - 1) * interval_ns;
	}
	return silent;
}

void report_hold(struct load *self, const char *phase)
{
	const struct figures *figures = &self->figures;
	double overdue_ms;
	const uint64_t silent = look_for_silence(self, &overdue_ms);

	printf("{\"phase\":\"%s\",\"seconds\":%.3f", phase, seconds(self->hold_ns, self->now_ns));
	print_count("probes", figures->probes);
	print_count("acks", figures->acks);
	print_count("pings", figures->pings);
	print_us("late_probe_ms", &figures->late_us);
	print_count("late_probes", figures->late);
	printf(",\"early_max_ms\":%.3f,\"overdue_max_ms\":%.3f",
	       (double)figures->early_max_us / US_PER_MS, overdue_ms);
	print_count("lost_streams", figures->lost_streams + silent);
	print_count("silent", silent);
	print_count("statuses_bad", figures->statuses_bad);
	print_count("failed", figures->failed);
	print_count("turned_away", figures->turned_away);
	print_count("disconnects", figures->disconnects);
	print_count("reconnects", figures->reconnects);
	print_count("links_down", self->links_down);
	print_refusals(figures);
	printf(",\"cpu_s\":%.3f,\"waited_s\":%.3f", cpu_s(), waited_s());
	end_line();
}

void report_cycles(struct load *self)
{
	const struct cycles *cycles = &self->cycles;
	const int64_t end_ns = self->now_ns < cycles->end_ns ? self->now_ns : cycles->end_ns;

	printf("{\"phase\":\"cycles\",\"seconds\":%.3f,\"rate\":%.3f",
	       seconds(cycles->began_ns, end_ns), self->options.rate);
	print_count("begun", cycles->begun);
	print_count("count", cycles->count);
	print_count("refused", cycles->refused);
	print_count("broken", cycles->broken);
	print_count("unfinished", cycles->running);
	print_count("not_begun",
		    cycles->due_ns < end_ns
			    ? (uint64_t)(seconds(cycles->due_ns, end_ns) * self->options.rate)
			    : 0);
	print_count("late", cycles->late);
	print_us("latency_ms", &cycles->start_us);
	print_us("stop_ms", &cycles->stop_us);
	end_line();
}

void report_stall(struct load *self)
{
	static const char *const names[] = { "not connected",
					     "webhook",
					     "back-off",
					     "TCP",
					     "upgrade",
					     "acknowledgement",
					     "the user's other socket or a status" };
	uint32_t waiting[SIDES][LINK_READY + 1] = { 0 };

	for (uint32_t i = 0; i < self->user_count; i++)
		if (self->users[i].busy)
			for (unsigned side = 0; side < SIDES; side++)
				waiting[side][self->users[i].links[side].state]++;
	fprintf(stderr, "weir-load: nobody arrived for %lld s; %u of %u are there; waiting for:\n",
		(long long)self->options.stall_s, (unsigned)self->arrived, (unsigned)self->total);
	for (unsigned side = 0; side < SIDES; side++)
		for (unsigned state = 0; state <= LINK_READY; state++)
			if (waiting[side][state] > 0)
				fprintf(stderr, "  %s: %s: %u\n",
					side == GLASSES ? "glasses" : "app", names[state],
					(unsigned)waiting[side][state]);
}

bool report_is_wrong(struct load *self)
{
	const struct figures *figures = &self->figures;
	double overdue_ms;

	return figures->lost_streams > 0 || figures->statuses_bad > 0 || figures->failed > 0 ||
	       self->goal != GOAL_NONE || self->links_down > 0 || self->cycles.running > 0 ||
	       (figures->disconnects > 0 && !self->options.reconnect) ||
	       look_for_silence(self, &overdue_ms) > 0;
}
