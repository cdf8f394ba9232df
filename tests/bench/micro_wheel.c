/* SPDX-License-Identifier: MIT */
/* Goal: what a keep-alive costs the scheduler when there are a million streams (B7).  Method: see
 * micro_wheel.h; each stream is probed once before anything is measured.
 */
#include "tests/bench/micro_wheel.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wheel.h"
#include "tests/lib/fakes.h"

#define STREAMS_MAX 8000000
#define QUICK_STREAMS 100000

enum word {
	OPTION_STREAMS = 1,
	OPTION_SECONDS,
	OPTION_GATEWAYS,
	OPTION_RTT,
	OPTION_TRACE,
	OPTION_PART,
	OPTION_QUICK,
	OPTION_HELP,
};

static const struct option words[] = {
	{ "streams", required_argument, NULL, OPTION_STREAMS },
	{ "seconds", required_argument, NULL, OPTION_SECONDS },
	{ "gateways", required_argument, NULL, OPTION_GATEWAYS },
	{ "rtt-ms", required_argument, NULL, OPTION_RTT },
	{ "trace", no_argument, NULL, OPTION_TRACE },
	{ "part", required_argument, NULL, OPTION_PART },
	{ "quick", no_argument, NULL, OPTION_QUICK },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

const struct tool micro_wheel_tool = {
	.name = "bench-wheel",
	.usage = "usage: bench-wheel [--quick] [--streams N] [--seconds S] [--gateways N] "
		 "[--rtt-ms N]\n"
		 "                   [--trace] [--part wheel|core]\n"
		 "\n"
		 "Keep N streams (default 1000000) alive for S virtual seconds (default 60): with "
		 "the\n"
		 "timing wheel alone, then with the whole core of the lifecycle scheduler.  Prints "
		 "one "
		 "line\n"
		 "of JSON.  Exit 1: a stream was not kept alive.\n"
		 "\n"
		 "  --quick       100000 streams\n"
		 "  --gateways N  that hold the glasses (default 4)\n"
		 "  --rtt-ms N    from a probe to its ack (default 100)\n"
		 "  --trace       the scheduler tells of every probe and ack\n"
		 "  --part NAME   only the wheel, or only the core\n",
};

/* Streams whose probe is out, in the order of the probes. */
struct ring {
	uint32_t *streams;
	int64_t *sent_ms;
	uint32_t mask, head, tail;
};

static void ring_init(struct ring *ring, uint32_t at_least)
{
	uint32_t size = 1;

	while (size < at_least)
		size *= 2;
	*ring = (struct ring){ .streams = malloc(size * sizeof *ring->streams),
			       .sent_ms = malloc(size * sizeof *ring->sent_ms),
			       .mask = size - 1 };
	if (!ring->streams || !ring->sent_ms)
		tool_fail(&micro_wheel_tool, "no memory", NULL);
}

static uint32_t fire(struct wheel *wheel, struct ring *ring, uint32_t streams, int64_t now_ms)
{
	uint32_t budget = UINT32_MAX, fired = 0, timer;

	while ((timer = wheel_next(wheel, now_ms, &budget)) != WHEEL_NONE) {
		if (timer >= streams)
			return UINT32_MAX; /* an ack's deadline: it was not cancelled */
		uint32_t ahead = wheel_ahead(wheel);

		if (ahead < streams) /* its other timer will be armed, too */
			__builtin_prefetch(&wheel->timers[streams + ahead]);
		wheel_arm(wheel, timer, wheel_due(wheel, timer) + INTERVAL_MS);
		wheel_arm(wheel, streams + timer, now_ms + ACK_TIMEOUT_MS);
		ring->sent_ms[ring->head & ring->mask] = now_ms;
		ring->streams[ring->head++ & ring->mask] = timer;
		fired++;
	}
	return fired;
}

static void cancel(struct wheel *wheel, struct ring *ring, uint32_t streams, int64_t until_ms)
{
	while (ring->tail != ring->head && ring->sent_ms[ring->tail & ring->mask] <= until_ms)
		wheel_cancel(wheel, streams + ring->streams[ring->tail++ & ring->mask]);
}

bool micro_wheel_alone(const struct micro_wheel_options *options)
{
	static struct micro_steps steps;
	static struct wheel wheel;
	uint32_t streams = options->streams;
	size_t bytes = wheel_bytes(2 * streams);
	void *memory = malloc(bytes);
	uint64_t cycles = 0;
	int64_t end_ms = INTERVAL_MS + options->seconds * INT64_C(1000);
	struct prng prng = { .state = 1 };
	struct ring ring;

	if (!memory)
		tool_fail(&micro_wheel_tool, "no memory", NULL);
	ring_init(&ring, streams);
	wheel_init(&wheel, memory, 2 * streams);
	for (uint32_t i = 0; i < streams; i++)
		wheel_arm(&wheel, i, prng_below(&prng, INTERVAL_MS));
	for (int64_t now_ms = 0; now_ms < end_ms; now_ms += STEP_MS) {
		micro_begin(&steps);
		uint32_t fired = fire(&wheel, &ring, streams, now_ms);

		if (fired == UINT32_MAX)
			return false;
		cancel(&wheel, &ring, streams, now_ms - options->rtt_ms);
		micro_pause(&steps);
		cycles += fired;
		micro_step(&steps);
		if (now_ms == INTERVAL_MS) {
			steps = (struct micro_steps){ 0 };
			cycles = 0;
		}
	}
	printf("\"bytes_per_timer\":%.1f,", (double)bytes / (2.0 * streams));
	micro_print_steps(&steps, cycles);
	free(memory);
	free(ring.streams);
	free(ring.sent_ms);
	return true;
}

static uint32_t number(uint64_t most)
{
	return (uint32_t)tool_number(&micro_wheel_tool, optarg, 1, most);
}

static struct micro_wheel_options read_options(int argc, char **argv)
{
	struct micro_wheel_options options = {
		.streams = 1000000, .seconds = 60, .gateways = 4, .rtt_ms = 100
	};
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case OPTION_STREAMS:
			options.streams = number(STREAMS_MAX);
			break;
		case OPTION_SECONDS:
			options.seconds = number(86400);
			break;
		case OPTION_GATEWAYS:
			options.gateways = number(128);
			break;
		case OPTION_RTT:
			options.rtt_ms = number(ACK_TIMEOUT_MS - STEP_MS);
			break;
		case OPTION_TRACE:
			options.trace = true;
			break;
		case OPTION_PART:
			options.part = optarg;
			break;
		case OPTION_QUICK:
			options.streams = QUICK_STREAMS;
			break;
		case OPTION_HELP:
			tool_help(&micro_wheel_tool);
		default:
			tool_fail(&micro_wheel_tool, "unknown option", NULL);
		}
	}
	if (optind < argc)
		tool_fail(&micro_wheel_tool, "unknown word", argv[optind]);
	return options;
}

/* One of the parts, if it is asked for: a member of the object that is being printed. */
static bool measure(const struct micro_wheel_options *options, const char *name,
		    bool (*part)(const struct micro_wheel_options *options))
{
	if (options->part && strcmp(options->part, name) != 0)
		return true;
	printf(",\"%s\":{", name);
	bool whole = part(options);

	printf("}");
	return whole;
}

int main(int argc, char **argv)
{
	struct micro_wheel_options options = read_options(argc, argv);

	if (options.part && strcmp(options.part, "wheel") != 0 && strcmp(options.part, "core") != 0)
		tool_fail(&micro_wheel_tool, "no such part", options.part);
	printf("{\"bench\":\"wheel\",\"streams\":%u,\"seconds\":%u", options.streams,
	       options.seconds);
	bool whole = measure(&options, "wheel", micro_wheel_alone);

	whole = measure(&options, "core", micro_wheel_core) && whole;
	printf("}\n");
	return whole ? TOOL_FINE : TOOL_WRONG;
}
