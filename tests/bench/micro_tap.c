/* SPDX-License-Identifier: MIT */
/* Goal: what a tap can take, compared with the plainest subscriber to the same frames, and what
 * stopped taps cost whoever publishes (B6).  Method: the outbox of a registry in a directory of
 * its own, `weir tap` as it is.  For the first the outbox waits for room, so that the pace is the
 * listener's and nothing is lost; for the second it does not, as in life.
 */
#include <dirent.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/micro_tap.h"

#define EVENTS 600000
#define QUICK_EVENTS 100000
#define TAPS 50
#define TAPS_MAX 500
#define ROUNDS 5 /* the median of them counts */
#define PATH_SIZE 256
#define FOR_EVER "1000000000000" /* events */

enum word {
	OPTION_EVENTS = 1,
	OPTION_TAPS,
	OPTION_WEIR,
	OPTION_QUICK,
	OPTION_SUBSCRIBE,
	OPTION_READY,
	OPTION_HELP,
};

static const struct option words[] = {
	{ "events", required_argument, NULL, OPTION_EVENTS },
	{ "taps", required_argument, NULL, OPTION_TAPS },
	{ "weir", required_argument, NULL, OPTION_WEIR },
	{ "quick", no_argument, NULL, OPTION_QUICK },
	{ "subscribe", required_argument, NULL, OPTION_SUBSCRIBE },
	{ "ready-fd", required_argument, NULL, OPTION_READY },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

const struct tool micro_tap_tool = {
	.name = "bench-tap",
	.usage =
		"usage: bench-tap [--quick] [--events N] [--taps N] [--weir PATH]\n"
		"\n"
		"Publish N events (default 600000) to a plain subscriber and to `weir tap`, and "
		"to\n"
		"a tap beside stopped ones.  Prints one line of JSON.  Exit 1: a listener did not\n"
		"get all of them.\n"
		"\n"
		"  --quick      100000 events\n"
		"  --taps N     so many are stopped (default 50)\n"
		"  --weir PATH  the command line tool (default: that of the same build)\n",
};

static struct options {
	uint32_t events, taps, ready_fd;
	const char *subscribe; /* we are the plain subscriber, in this run directory */
} options = { .events = EVENTS, .taps = TAPS };

static char self_path[PATH_SIZE], weir_path[PATH_SIZE + 32], run_dir[PATH_SIZE];
static bool lost;

/* --- who listens -------------------------------------------------------------------------- */

static void start_subscriber(struct micro_listener *listener, const char *events)
{
	const char *argv[] = { self_path, "--subscribe", run_dir, "--events",
			       events,	  "--ready-fd",	 "",	  NULL };

	micro_listener_start(listener, argv);
}

static void start_tap(struct micro_listener *listener, const char *events)
{
	const char *argv[] = { weir_path, "tap",     "--run", run_dir,	    "--no-ops", "-o",
			       "jsonl",	  "--count", events,  "--ready-fd", "",		NULL };

	micro_listener_start(listener, argv);
}

/* --- measuring ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof *values, compare);
	return values[ROUNDS / 2];
}

static double per_second(uint64_t count, int64_t began_ns)
{
	return (double)count * NS_PER_S / (double)(tool_now_ns() - began_ns);
}

/* Events per second that the listener takes. */
static double deliver(void (*start)(struct micro_listener *, const char *), uint32_t per_frame)
{
	struct micro_listener listener;
	uint64_t events = options.events / per_frame * per_frame;
	char number[16];

	(void)snprintf(number, sizeof number, "%llu", (unsigned long long)events);
	start(&listener, number);
	micro_listener_ready(&listener);
	int64_t began_ns = tool_now_ns();

	micro_outbox_publish(events / per_frame, true);
	if (!micro_listener_end(&listener))
		lost = true;
	return per_second(events, began_ns);
}

static void measure_delivery(uint32_t per_frame)
{
	double raw[ROUNDS], tap[ROUNDS], ratio[ROUNDS];

	micro_outbox_open(run_dir, per_frame);
	for (unsigned i = 0; i < ROUNDS; i++) {
		raw[i] = deliver(start_subscriber, per_frame);
		tap[i] = deliver(start_tap, per_frame);
		ratio[i] = tap[i] / raw[i];
	}
	micro_outbox_close();
	printf("{\"events_per_frame\":%u,\"raw_per_s\":%.0f,\"tap_per_s\":%.0f,\"ratio\":%.3f}",
	       per_frame, median(raw), median(tap), median(ratio));
}

/* Frames per second that the outbox gets rid of, if its owner does nothing else. */
static double publish_rate(void)
{
	double rates[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		int64_t began_ns = tool_now_ns();

		micro_outbox_publish(options.events, false);
		rates[i] = per_second(options.events, began_ns);
	}
	return median(rates);
}

static void measure_stopped(void)
{
	static struct micro_listener taps[TAPS_MAX];
	struct micro_listener live;

	micro_outbox_open(run_dir, 1);
	start_tap(&live, FOR_EVER);
	micro_listener_ready(&live);
	double without = publish_rate();

	for (uint32_t i = 0; i < options.taps; i++)
		start_tap(&taps[i], FOR_EVER);
	for (uint32_t i = 0; i < options.taps; i++) {
		micro_listener_ready(&taps[i]);
		(void)kill(taps[i].pid, SIGSTOP);
	}
	double with = publish_rate();

	for (uint32_t i = 0; i < options.taps; i++)
		micro_listener_kill(&taps[i]);
	micro_listener_kill(&live);
	micro_outbox_close();
	printf("{\"taps\":%u,\"without_per_s\":%.0f,\"with_per_s\":%.0f,\"ratio\":%.3f,"
	       "\"added_ns_per_frame\":%.0f}",
	       options.taps, without, with, with / without,
	       (double)NS_PER_S / with - (double)NS_PER_S / without);
}

/* --- the program -------------------------------------------------------------------------- */

static void read_options(int argc, char **argv)
{
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case OPTION_EVENTS:
			options.events =
				(uint32_t)tool_number(&micro_tap_tool, optarg, 64, 100000000);
			break;
		case OPTION_TAPS:
			options.taps = (uint32_t)tool_number(&micro_tap_tool, optarg, 1, TAPS_MAX);
			break;
		case OPTION_WEIR:
			(void)snprintf(weir_path, sizeof weir_path, "%s", optarg);
			break;
		case OPTION_QUICK:
			options.events = QUICK_EVENTS;
			break;
		case OPTION_SUBSCRIBE:
			options.subscribe = optarg;
			break;
		case OPTION_READY:
			options.ready_fd = (uint32_t)tool_number(&micro_tap_tool, optarg, 1, 65535);
			break;
		case OPTION_HELP:
			tool_help(&micro_tap_tool);
		default:
			tool_fail(&micro_tap_tool, "unknown option", NULL);
		}
	}
	if (optind < argc)
		tool_fail(&micro_tap_tool, "unknown word", argv[optind]);
}

/* Ours, and the tool beside us: BUILD/tests/bench/bench-tap, BUILD/actors/weir. */
static void find_programs(void)
{
	ssize_t length = readlink("/proc/self/exe", self_path, sizeof self_path - 1);

	if (length < 0)
		tool_fail(&micro_tap_tool, "cannot find this program", NULL);
	if (weir_path[0] != '\0')
		return;
	const char *below = strstr(self_path, "/tests/bench/");

	(void)snprintf(weir_path, sizeof weir_path, "%.*s/actors/weir",
		       below ? (int)(below - self_path) : 1, self_path);
	if (access(weir_path, X_OK) < 0)
		tool_fail(&micro_tap_tool, "there is no command line tool; name it by --weir",
			  weir_path);
}

static void make_run_dir(void)
{
	const char *below = getenv("TMPDIR");

	(void)snprintf(run_dir, sizeof run_dir, "%s/bench-tap-XXXXXX", below ? below : "/tmp");
	if (!mkdtemp(run_dir))
		tool_fail(&micro_tap_tool, "no run directory", run_dir);
}

/* The sockets and locks that were made in it. */
static void remove_run_dir(void)
{
	char name[2 * PATH_SIZE + 2];
	DIR *directory = opendir(run_dir);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		(void)snprintf(name, sizeof name, "%s/%s", run_dir, entry->d_name);
		(void)unlink(name); /* but for . and .. */
	}
	if (directory)
		(void)closedir(directory);
	if (rmdir(run_dir) < 0)
		(void)fprintf(stderr, "%s: left behind: %s\n", micro_tap_tool.name, run_dir);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	if (options.subscribe)
		return micro_subscribe(options.subscribe, options.events, (int)options.ready_fd);
	find_programs();
	make_run_dir();
	printf("{\"bench\":\"tap\",\"events\":%u,\"delivery\":[", options.events);
	measure_delivery(1);
	printf(",");
	measure_delivery(16);
	printf("],\"stopped\":");
	measure_stopped();
	printf("}\n");
	remove_run_dir();
	return lost ? TOOL_WRONG : TOOL_FINE;
}
