/* SPDX-License-Identifier: MIT */
#include "tests/bench/load.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define USERS_MAX 1000000
#define SOURCES_MAX 250
#define RATE_MAX 1000000
#define MS_MAX 3600000
#define S_MAX 864000

enum word {
	OPTION_CONNECT = 1,
	OPTION_USERS,
	OPTION_FIRST,
	OPTION_SOURCES,
	OPTION_SECRET,
	OPTION_OPEN,
	OPTION_APP,
	OPTION_API_KEY,
	OPTION_WEBHOOK,
	OPTION_LEAVE,
	OPTION_RECONNECT,
	OPTION_INTERVAL,
	OPTION_LATE,
	OPTION_SECONDS,
	OPTION_REPORT,
	OPTION_STALL,
	OPTION_CONNECT_RATE,
	OPTION_START_RATE,
	OPTION_IN_FLIGHT,
	OPTION_RATE,
	OPTION_CYCLE_USERS,
	OPTION_HELP,
};

static const struct option options[] = {
	{ "connect", required_argument, NULL, OPTION_CONNECT },
	{ "users", required_argument, NULL, OPTION_USERS },
	{ "first", required_argument, NULL, OPTION_FIRST },
	{ "sources", required_argument, NULL, OPTION_SOURCES },
	{ "secret-file", required_argument, NULL, OPTION_SECRET },
	{ "open", no_argument, NULL, OPTION_OPEN },
	{ "app", required_argument, NULL, OPTION_APP },
	{ "api-key-file", required_argument, NULL, OPTION_API_KEY },
	{ "webhook", required_argument, NULL, OPTION_WEBHOOK },
	{ "apps-leave", no_argument, NULL, OPTION_LEAVE },
	{ "reconnect", no_argument, NULL, OPTION_RECONNECT },
	{ "interval-ms", required_argument, NULL, OPTION_INTERVAL },
	{ "late-ms", required_argument, NULL, OPTION_LATE },
	{ "seconds", required_argument, NULL, OPTION_SECONDS },
	{ "report-s", required_argument, NULL, OPTION_REPORT },
	{ "stall-s", required_argument, NULL, OPTION_STALL },
	{ "connect-rate", required_argument, NULL, OPTION_CONNECT_RATE },
	{ "start-rate", required_argument, NULL, OPTION_START_RATE },
	{ "in-flight", required_argument, NULL, OPTION_IN_FLIGHT },
	{ "rate", required_argument, NULL, OPTION_RATE },
	{ "cycle-users", required_argument, NULL, OPTION_CYCLE_USERS },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: weir-load hold|cycles|storm --connect ADDR:PORT[,...] --users N\n"
	"                 (--secret-file F --webhook ADDR:PORT --api-key-file F | --open) "
	"[OPTION...]\n"
	"\n"
	"Plays users with glasses, an app and a live stream each, and measures the server.\n"
	"Prints a line of JSON per phase: connected, streaming, report, back, cycles, done.\n"
	"\n"
	"  hold    keep the streams, answer every probe\n"
	"  cycles  and start and stop streams of further users, --rate a second\n"
	"  storm   all connect at once; whatever is cut comes back; SIGUSR1 cuts everything\n"
	"\n"
	"  --connect LIST      the servers; users take them in turn\n"
	"  --users N           who hold a stream; --first N: the number of the first (default 0)\n"
	"  --sources K         connect from K addresses, 127.0.0.2 on (28,000 ports each; default "
	"0)\n"
	"  --secret-file F     signs the tokens: [gateway] jwt_secret_file\n"
	"  --open              the server wants no tokens (weir-floor)\n"
	"  --app PACKAGE       the app of all users (default com.example.load)\n"
	"  --api-key-file F    its key\n"
	"  --webhook A:P       listen there for its webhooks; without: apps connect unasked\n"
	"  --apps-leave        an app leaves when its stream is live: one socket per user\n"
	"  --reconnect         what is cut comes back within a second (storm: always)\n"
	"  --interval-ms N     between two probes, as the server has it (default 15000)\n"
	"  --late-ms N         a probe later than this is counted as late (default 100)\n"
	"  --seconds S         how long, once all are live (default: until SIGTERM or SIGINT)\n"
	"  --report-s S        a report every S seconds (default: none)\n"
	"  --stall-s S         give up if nobody arrives for so long (default 30)\n"
	"  --connect-rate N, --start-rate N   users a second (default 2000, 1000; 0: no limit)\n"
	"  --in-flight N       who may be on their way at once (default 256; 0: no limit)\n"
	"  --rate R            cycles a second (default 10); --cycle-users N (default 100 + 2 R)\n"
	"\n"
	"Exit: 0 fine; 1 a stream lost, a wrong status, a cut that was not asked for, an "
	"unfinished\n"
	"cycle; 2 wrong usage or surroundings.\n"
	"\n"
	"examples:\n"
	"  weir-load hold --open --connect 127.0.0.1:9100 --users 1000 --seconds 60\n"
	"  weir-load cycles --connect 127.0.0.1:8003,127.0.0.1:8004 --users 1000 --rate 50\n"
	"    --secret-file jwt.secret --api-key-file key --webhook 127.0.0.1:9200 --seconds 20\n";

const struct tool load_tool = { "weir-load", usage };

static void take_targets(char *list, struct load_options *out)
{
	char *rest = NULL;

	for (char *one = strtok_r(list, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
		if (out->target_count == TARGETS_MAX)
			tool_fail(&load_tool, "--connect: too many servers from here on", one);
		if (!tool_address(one, &out->targets[out->target_count++]))
			tool_fail(&load_tool, "--connect wants ADDR:PORT", one);
	}
}

/* The first line of a file. */
static void take_credential(const char *path, char out[CREDENTIAL_MAX + 1])
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(out, CREDENTIAL_MAX + 1, file))
		tool_fail(&load_tool, path, file ? "empty" : strerror(errno));
	(void)fclose(file);
	out[strcspn(out, "\r\n")] = '\0';
}

static uint64_t number(uint64_t least, uint64_t most)
{
	return tool_number(&load_tool, optarg, least, most);
}

static double rate(void)
{
	char *end;
	double value = strtod(optarg, &end);

	if (end == optarg || *end != '\0' || !(value > 0 && value <= RATE_MAX))
		tool_fail(&load_tool, "--rate wants a number above 0", optarg);
	return value;
}

/* Return: false: it is none of how much and how long. */
static bool take_figure(int option, struct load_options *out)
{
	switch (option) {
	case OPTION_USERS:
		out->users = (uint32_t)number(1, USERS_MAX);
		return true;
	case OPTION_FIRST:
		out->first = (uint32_t)number(0, USERS_MAX);
		return true;
	case OPTION_SOURCES:
		out->sources = (uint32_t)number(0, SOURCES_MAX);
		return true;
	case OPTION_INTERVAL:
		out->interval_ms = (int64_t)number(1, MS_MAX);
		return true;
	case OPTION_LATE:
		out->late_ms = (int64_t)number(0, MS_MAX);
		return true;
	case OPTION_SECONDS:
		out->seconds = (int64_t)number(0, S_MAX);
		return true;
	case OPTION_REPORT:
		out->report_s = (int64_t)number(0, S_MAX);
		return true;
	case OPTION_STALL:
		out->stall_s = (int64_t)number(1, S_MAX);
		return true;
	case OPTION_CONNECT_RATE:
		out->connect_rate = (uint32_t)number(0, RATE_MAX);
		return true;
	case OPTION_START_RATE:
		out->start_rate = (uint32_t)number(0, RATE_MAX);
		return true;
	case OPTION_IN_FLIGHT:
		out->in_flight_max = (uint32_t)number(0, USERS_MAX);
		return true;
	case OPTION_RATE:
		out->rate = rate();
		return true;
	case OPTION_CYCLE_USERS:
		out->cycle_users = (uint32_t)number(1, USERS_MAX);
		return true;
	}
	return false;
}

static void take(int option, struct load_options *out)
{
	switch (option) {
	case OPTION_CONNECT:
		take_targets(optarg, out);
		break;
	case OPTION_SECRET:
		take_credential(optarg, out->secret);
		break;
	case OPTION_API_KEY:
		take_credential(optarg, out->api_key);
		break;
	case OPTION_WEBHOOK:
		out->has_webhook = true;
		if (!tool_address(optarg, &out->webhook))
			tool_fail(&load_tool, "--webhook wants ADDR:PORT", optarg);
		break;
	case OPTION_APP:
		out->package = optarg;
		if (strlen(optarg) > PACKAGE_MAX_BYTES)
			tool_fail(&load_tool, "--app is too long", optarg);
		break;
	case OPTION_OPEN:
		out->open = true;
		break;
	case OPTION_LEAVE:
		out->apps_leave = true;
		break;
	case OPTION_RECONNECT:
		out->reconnect = true;
		break;
	case OPTION_HELP:
		tool_help(&load_tool);
	default:
		if (!take_figure(option, out))
			exit(TOOL_USAGE);
	}
}

static enum scenario take_scenario(const char *word)
{
	static const char *const words[] = { "hold", "cycles", "storm" };

	for (unsigned i = 0; word && i < sizeof words / sizeof words[0]; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum scenario)i;
	tool_fail(&load_tool, "wants a scenario: hold, cycles or storm", word);
}

static void check(struct load_options *out)
{
	if (out->target_count == 0)
		tool_fail(&load_tool, "whereto? --connect ADDR:PORT", NULL);
	if (out->users == 0)
		tool_fail(&load_tool, "how many? --users N", NULL);
	if (!out->open && !out->secret[0])
		tool_fail(&load_tool, "--secret-file F signs the tokens; --open if none are wanted",
			  NULL);
	if (out->scenario != SCENARIO_CYCLES)
		out->cycle_users = 0;
	else if (out->cycle_users == 0)
		out->cycle_users = 100 + (uint32_t)(2 * out->rate);
}

void load_options_take(int argc, char **argv, struct load_options *out)
{
	int option;

	*out = (struct load_options){ .package = "com.example.load",
				      .connect_rate = 2000,
				      .start_rate = 1000,
				      .in_flight_max = 256,
				      .rate = 10,
				      .interval_ms = 15000,
				      .late_ms = 100,
				      .stall_s = 30 };
	if (argc > 1 && argv[1][0] != '-')
		out->scenario = take_scenario(argv[1]);
	if (out->scenario == SCENARIO_STORM) {
		out->connect_rate = out->in_flight_max = 0;
		out->reconnect = true;
	}
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take(option, out);
	if (optind + 1 != argc || argv[optind] != argv[argc - 1])
		(void)take_scenario(optind < argc ? argv[optind + 1] : NULL);
	check(out);
}
