/* SPDX-License-Identifier: MIT */
/* Goal: how soon a registry is back with many records (B5), and what a record costs in memory and
 * on the disk (B3).  Method: a process of its own fills an SQLite store by way of the registry's
 * core; this one opens and loads it, as the daemon does, and compares what it knows with what the
 * other one knew.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/lifecycle-scheduler/scheduler_state.h"
#include "tests/bench/micro_crowd.h"
#include "tests/bench/micro_tools.h"
#include "tests/lib/fakes.h"

#define RECORDS_MAX 4000000
#define RECORDS 100000
#define QUICK_RECORDS 10000
#define ROW_BYTES_MAX 1048576

enum word {
	OPTION_RECORDS = 1,
	OPTION_MANAGED_EVERY,
	OPTION_REPEAT,
	OPTION_DIR,
	OPTION_KEEP,
	OPTION_KEPT,
	OPTION_QUICK,
	OPTION_HELP,
};

static const struct option words[] = {
	{ "records", required_argument, NULL, OPTION_RECORDS },
	{ "managed-every", required_argument, NULL, OPTION_MANAGED_EVERY },
	{ "repeat", required_argument, NULL, OPTION_REPEAT },
	{ "dir", required_argument, NULL, OPTION_DIR },
	{ "keep", no_argument, NULL, OPTION_KEEP },
	{ "kept", required_argument, NULL, OPTION_KEPT },
	{ "quick", no_argument, NULL, OPTION_QUICK },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static const struct tool tool = {
	.name = "bench-records",
	.usage = "usage: bench-records [--quick] [--records N] [--managed-every N] [--repeat N]\n"
		 "                     [--dir DIR] [--keep | --kept DIR]\n"
		 "\n"
		 "Fill a store with N users (default 100000), each with an app and a live stream, "
		 "and\n"
		 "load it.  Prints one line of JSON.  Exit 1: not all came back.\n"
		 "\n"
		 "  --quick            10000 records\n"
		 "  --managed-every N  so many streams are one managed one (default 4)\n"
		 "  --repeat N         load so often and tell the fastest (default 3)\n"
		 "  --dir DIR          where a directory for the store is made (default: TMPDIR, "
		 "/tmp)\n"
		 "  --keep             do not remove it\n"
		 "  --kept DIR         of an earlier run, with as many records: fill nothing\n",
};

static struct options {
	struct micro_crowd_options crowd;
	uint32_t repeat;
	const char *dir, *kept;
	bool keep;
} options = { .crowd = { .users = RECORDS, .managed_every = 4 }, .repeat = 3 };

static char directory[256], path[288], uri[320];

static const struct store_limits limits = { .history_rows_max = 100000, /* as by default */
					    .history_age_ms = INT64_MAX / 2 };

/* What the processes that fill and load have to tell; the fastest of several loads counts. */
static struct told {
	struct {
		uint64_t hash;
		int64_t took_ns;
	} filled;
	struct loaded {
		int64_t open_ns, load_ns, load_cpu_ns, raw_ns, snapshot_ns;
		uint64_t hash, streams, rows, row_bytes, record_bytes, text_bytes, answers;
		size_t memory; /* resident, more than before */
	} loaded;
} * told;

static struct store *open_store(void)
{
	struct store_fault fault;
	struct store *store;

	if (store_open(&store, uri, &limits, &fault) != 0)
		tool_fail(&tool, "the store cannot be opened", fault.reason);
	return store;
}

static void fill(void)
{
	int64_t began_ns = tool_now_ns();
	struct store *store = open_store();

	told->filled.hash = micro_crowd_fill(&tool, store, &options.crowd);
	store_close(store);
	told->filled.took_ns = tool_now_ns() - began_ns;
}

/* --- measuring ---------------------------------------------------------------------------- */

static int count_record(void *context, struct text key, struct text data)
{
	uint64_t *bytes = context;

	*bytes += key.length + data.length;
	return 0;
}

/* Encoded as for a follower. */
static uint64_t encode_rows(const struct registry *registry, uint64_t *bytes)
{
	static uint8_t wire[ROW_BYTES_MAX];
	struct stream_event row;
	uint64_t cursor = 0, rows = 0;

	while (state_row(&registry->state, &cursor, &row)) {
		ssize_t length = stream_event_encode(&row, STREAM_EVENT_PUBLIC, wire, sizeof wire);

		*bytes += length > 0 ? (uint64_t)length : 0;
		rows++;
	}
	return rows;
}

static uint64_t count_answers(const struct registry *registry)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < REGISTRY_ANSWERS; i++)
		count += registry->answers[i].request != 0;
	return count;
}

static int64_t lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void keep_fastest(struct loaded now)
{
	const struct loaded before = told->loaded;

	if (before.load_ns != 0) {
		now.open_ns = lesser(now.open_ns, before.open_ns);
		now.load_ns = lesser(now.load_ns, before.load_ns);
		now.load_cpu_ns = lesser(now.load_cpu_ns, before.load_cpu_ns);
		now.raw_ns = lesser(now.raw_ns, before.raw_ns);
		now.snapshot_ns = lesser(now.snapshot_ns, before.snapshot_ns);
	}
	told->loaded = now;
}

static void load(void)
{
	static struct registry registry;
	struct registry_store records;
	size_t before = micro_resident();
	int64_t began_ns = tool_now_ns();
	struct store *store = open_store();
	const struct store_head head = store_head(store);
	struct registry_options core = micro_crowd_registry(&options.crowd, &head);
	struct store_fault fault;
	struct loaded now = { 0 };

	now.open_ns = tool_now_ns() - began_ns;
	began_ns = tool_now_ns();
	int64_t began_cpu_ns = micro_cpu_ns();

	registry_init(&registry, &core, fake_memory(registry_bytes(&core)));
	if (registry_store_init(&records, store) != 0)
		tool_fail(&tool, "no memory", NULL);
	if (registry_store_load(&records, &registry, 1000, &fault) != 0)
		tool_fail(&tool, "the store cannot be loaded", fault.reason);
	now.load_ns = tool_now_ns() - began_ns;
	now.load_cpu_ns = micro_cpu_ns() - began_cpu_ns;
	now.memory = micro_resident() - before;
	began_ns = tool_now_ns();
	now.rows = encode_rows(&registry, &now.row_bytes);
	now.snapshot_ns = tool_now_ns() - began_ns;
	began_ns = tool_now_ns();
	if (store_load(store, count_record, &now.record_bytes) != 0)
		tool_fail(&tool, "the store cannot be read", NULL);
	now.raw_ns = tool_now_ns() - began_ns;
	now.hash = state_hash(&registry.state);
	now.answers = count_answers(&registry);
	now.streams = registry.state.active_count;
	now.text_bytes = registry.state.pool.used_bytes;
	registry_store_fini(&records);
	store_close(store);
	keep_fastest(now);
}

/* --- telling ------------------------------------------------------------------------------ */

static double ms(int64_t ns)
{
	return (double)ns / NS_PER_MS;
}

static double each(uint64_t bytes)
{
	return (double)bytes / options.crowd.users;
}

static void print_parts(const struct loaded *loaded)
{
	uint32_t managed =
		options.crowd.managed_every ? options.crowd.users / options.crowd.managed_every : 0;
	uint64_t index = 2 * table_bytes(options.crowd.users);

	printf(",\"registry_bytes_per_record\":{\"resident\":%.0f,\"user\":%zu,\"app\":%zu,"
	       "\"stream\":%zu,\"managed\":%.0f,\"outputs\":%.0f,\"texts\":%.0f,\"index\":%.0f,"
	       "\"side\":%zu}",
	       each(loaded->memory), sizeof(struct state_user), sizeof(struct state_app),
	       sizeof(struct state_stream), each(managed * sizeof(struct state_managed)),
	       each(managed * sizeof(struct state_outputs)), each(loaded->text_bytes), each(index),
	       sizeof(struct registry_app) + sizeof(int64_t) + sizeof(bool));
	printf(",\"scheduler_bytes_per_record\":{\"timers\":%zu,\"probe\":%zu,\"watch\":%zu,"
	       "\"user\":%zu,\"index\":%.0f,\"slots\":%zu}",
	       4 * sizeof(struct wheel_timer), sizeof(struct probe), sizeof(struct watch),
	       sizeof(struct user), each(index), 2 * sizeof(uint32_t));
}

static void print(void)
{
	const struct loaded *loaded = &told->loaded;
	struct stat file = { 0 };

	if (stat(path, &file) < 0)
		tool_fail(&tool, "the store is gone", path);
	printf("{\"bench\":\"records\",\"records\":%u,\"managed_every\":%u,\"fill_s\":%.1f",
	       options.crowd.users, options.crowd.managed_every,
	       (double)told->filled.took_ns / NS_PER_S);
	printf(",\"open_ms\":%.1f,\"load_ms\":%.1f,\"load_cpu_ms\":%.1f,\"raw_load_ms\":%.1f,"
	       "\"answers\":%" PRIu64,
	       ms(loaded->open_ns), ms(loaded->load_ns), ms(loaded->load_cpu_ns),
	       ms(loaded->raw_ns), loaded->answers);
	printf(",\"snapshot_ms\":%.1f,\"snapshot_rows\":%" PRIu64 ",\"snapshot_bytes\":%" PRIu64,
	       ms(loaded->snapshot_ns), loaded->rows, loaded->row_bytes);
	printf(",\"store_bytes_per_record\":{\"file\":%.0f,\"record\":%.0f}",
	       each((uint64_t)file.st_size), each(loaded->record_bytes));
	print_parts(loaded);
	printf("}\n");
}

/* --- the program -------------------------------------------------------------------------- */

static uint32_t number(uint64_t most)
{
	return (uint32_t)tool_number(&tool, optarg, 1, most);
}

static void read_options(int argc, char **argv)
{
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case OPTION_RECORDS:
			options.crowd.users = number(RECORDS_MAX);
			break;
		case OPTION_MANAGED_EVERY:
			options.crowd.managed_every = number(RECORDS_MAX);
			break;
		case OPTION_REPEAT:
			options.repeat = number(100);
			break;
		case OPTION_DIR:
			options.dir = optarg;
			break;
		case OPTION_KEEP:
			options.keep = true;
			break;
		case OPTION_KEPT:
			options.keep = true;
			options.kept = optarg;
			break;
		case OPTION_QUICK:
			options.crowd.users = QUICK_RECORDS;
			break;
		case OPTION_HELP:
			tool_help(&tool);
		default:
			tool_fail(&tool, "unknown option", NULL);
		}
	}
	if (optind < argc)
		tool_fail(&tool, "unknown word", argv[optind]);
}

static void name_store(void)
{
	const char *below = options.dir ? options.dir : getenv("TMPDIR");

	(void)snprintf(directory, sizeof directory, "%s/bench-records-XXXXXX",
		       below ? below : "/tmp");
	if (options.kept)
		(void)snprintf(directory, sizeof directory, "%s", options.kept);
	else if (!mkdtemp(directory))
		tool_fail(&tool, "no directory for the store", directory);
	(void)snprintf(path, sizeof path, "%s/weir.db", directory);
	(void)snprintf(uri, sizeof uri, STORE_SQLITE "%s", path);
}

static void remove_directory(void)
{
	static const char *const endings[] = { "", "-wal", "-shm", ".reserve" };
	char name[320];

	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
		if (unlink(name) < 0 && errno != ENOENT)
			(void)fprintf(stderr, "%s: left behind: %s\n", tool.name, name);
	}
	if (rmdir(directory) < 0)
		(void)fprintf(stderr, "%s: left behind: %s\n", tool.name, directory);
}

/* Whatever fills or loads does it in a process of its own, as each life of a registry does. */
static void elsewhere(void (*run)(void))
{
	pid_t child = fork();
	int status;

	if (child < 0)
		tool_fail(&tool, "no other process", NULL);
	if (child == 0) {
		run();
		_exit(TOOL_FINE);
	}
	if (waitpid(child, &status, 0) == child && status == 0)
		return;
	if (!options.keep)
		remove_directory();
	tool_fail(&tool, "the store was not filled, or not loaded", NULL);
}

static bool all_back(void)
{
	return told->loaded.streams == options.crowd.users &&
	       (options.kept || told->loaded.hash == told->filled.hash);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		tool_fail(&tool, "no memory", NULL);
	name_store();
	if (!options.kept)
		elsewhere(fill);
	for (uint32_t i = 0; i < options.repeat; i++)
		elsewhere(load);
	print();
	if (!options.keep)
		remove_directory();
	return all_back() ? TOOL_FINE : TOOL_WRONG;
}
