/* SPDX-License-Identifier: MIT */
/* tap_main.c - `weir`, the operators' command line: finds the command and what all share. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <czmq.h>

#include "actors/tap/tap_command.h"
#include "common/bus.h"
#include "common/keyring.h"
#include "proto/stream_event.h"

#ifndef WEIR_VERSION
#define WEIR_VERSION "unversioned"
#endif

#define WIDTH_DEFAULT 100 /* columns, where there is no terminal to ask */
#define WIDTH_MIN 60
#define INCARNATION_MAX ((UINT64_C(1) << 53) - 1) /* exact in every reader of JSON */
#define TIMEOUT_DEFAULT_MS 5000
#define KEY_DEFAULT "operator"

static const struct command *const commands[] = {
	&command_tap,	   &command_ls,	   &command_show, &command_why,
	&command_timeline, &command_check, &command_stop, &command_gateways,
	&command_provider, &command_audit, &command_keys, &command_help,
};

struct values {
	const char *run, *conf, *key, *output;
	int64_t timeout_ms;
	bool help, version;
};

static struct values values;

#define ROW(name_, letter_, kind_, value_, member, min_, max_, meaning_) \
	{ \
		.name = name_, .letter = letter_, .kind = kind_, .value = value_, .min = min_, \
		.max = max_, .offset = offsetof(struct values, member), .meaning = meaning_ \
	}

static const struct option_row rows[] = {
	ROW("run", 0, OPTION_TEXT, "DIR", run, 1, RUN_DIR_MAX,
	    "run directory (default $WEIR_RUN_DIR, else ${XDG_RUNTIME_DIR:-/tmp}/weir-$UID)"),
	ROW("conf", 0, OPTION_TEXT, "FILE", conf, 1, 4000,
	    "weir.conf, where bus.transport is tcp (default $WEIR_CONF; without it: ipc)"),
	ROW("key", 0, OPTION_TEXT, "NAME", key, 1, NAME_MAX_BYTES,
	    "whose key to use on tcp: <curve_dir>/NAME.key_secret (default operator)"),
	ROW("output", 'o', OPTION_TEXT, "text|json|jsonl", output, 1, 8,
	    "for people, as one JSON value, or one JSON object a line"),
	ROW("timeout", 0, OPTION_NUMBER, "MS", timeout_ms, 1, 3600000,
	    "give up when nothing has come for so long (default 5000; provider: 60000)"),
	ROW("help", 'h', OPTION_FLAG, NULL, help, 0, 0, "explain the command"),
	ROW("version", 'V', OPTION_FLAG, NULL, version, 0, 0, "say which version this is"),
};

const struct command *command_find(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < cli->command_count; i++)
		if (strcmp(cli->commands[i]->name, name) == 0)
			return cli->commands[i];
	return NULL;
}

void command_usage(const struct command *command, FILE *to)
{
	(void)fprintf(to, "usage: weir %s%s%s [OPTION...]\n\n%s", command->name,
		      *command->words_usage ? " " : "", command->words_usage, command->about);
	if (command->option_count > 0)
		(void)fputs("\noptions:\n", to);
	options_print(command->options, command->option_count, to);
	(void)fputs("\noptions of every command:\n", to);
	options_print(rows, COUNT_OF(rows), to);
	(void)fputs("\nexamples:\n", to);
	for (const char *const *example = command->examples; *example; example++)
		(void)fprintf(to, "  %s\n", *example);
}

void program_usage(const struct cli *cli, FILE *to)
{
	(void)fputs("usage: weir COMMAND [OPTION...]\n\n", to);
	for (size_t i = 0; i < cli->command_count; i++)
		(void)fprintf(to, "  %-10s %s\n", cli->commands[i]->name,
			      cli->commands[i]->summary);
	(void)fputs("\noptions of every command:\n", to);
	options_print(rows, COUNT_OF(rows), to);
	(void)fputs(
		"\nexit status: 0 done; 1 wrong usage, not found or refused; 2 cannot connect;\n"
		"3 a deadline passed; 4 events were missed (tap --strict)\n"
		"\n`weir COMMAND --help` explains a command and shows examples.\n",
		to);
}

static bool choose_run(struct cli *cli)
{
	static char path[RUN_DIR_MAX + 2]; /* one byte more than allowed shows what is too long */
	const char *variable = getenv("WEIR_RUN_DIR");
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (values.run)
		(void)snprintf(path, sizeof path, "%s", values.run);
	else if (variable && *variable)
		(void)snprintf(path, sizeof path, "%s", variable);
	else
		(void)snprintf(path, sizeof path, "%s/weir-%u",
			       runtime && *runtime ? runtime : "/tmp", (unsigned)getuid());
	cli->run = path;
	if (strlen(path) <= RUN_DIR_MAX)
		return true;
	say("the run directory has more than %d bytes: %s...", RUN_DIR_MAX, path);
	return false;
}

static bool choose_format(struct cli *cli)
{
	static const char *const names[] = {
		[FORMAT_TEXT] = "text",
		[FORMAT_JSON] = "json",
		[FORMAT_JSONL] = "jsonl",
	};

	if (!values.output)
		return true;
	for (unsigned i = FORMAT_TEXT; i < COUNT_OF(names); i++)
		if (strcmp(names[i], values.output) == 0)
			cli->format = (enum format)i;
	if (cli->format != FORMAT_DEFAULT)
		return true;
	say("-o takes text, json or jsonl, not '%s'", values.output);
	return false;
}

static void look_at_terminal(struct cli *cli)
{
	const char *plain = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");
	struct winsize size;

	cli->width = WIDTH_DEFAULT;
	if (!isatty(STDOUT_FILENO))
		return;
	cli->colour = !(plain && *plain) && terminal && strcmp(terminal, "dumb") != 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= WIDTH_MIN)
		cli->width = size.ws_col;
}

static bool make_incarnation(struct cli *cli)
{
	while (cli->incarnation == 0) {
		ssize_t length = getrandom(&cli->incarnation, sizeof cli->incarnation, 0);

		if (length != (ssize_t)sizeof cli->incarnation && errno != EINTR) {
			say("no random numbers: %s", strerror(errno));
			return false;
		}
		cli->incarnation &= INCARNATION_MAX;
	}
	return true;
}

/* What --conf says of the bus.  Without it the run directory says it all. */
static bool choose_bus(struct cli *cli, const struct command *command, struct config *config,
		       struct keyring **keyring)
{
	const char *variable = getenv("WEIR_CONF");
	const char *file = values.conf ? values.conf : variable && *variable ? variable : NULL;
	const char *name = values.key ? values.key : KEY_DEFAULT;
	char error[CONFIG_ERROR_SIZE > KEYRING_ERROR_SIZE ? CONFIG_ERROR_SIZE
							  : KEYRING_ERROR_SIZE] = "out of memory";

	if (!file)
		return true;
	if (config_load(&(struct config_source){ .file = file, .environment = environ }, config,
			error) != 0) {
		say("%s", error);
		return false;
	}
	cli->config = config;
	if (command->offline || !bus_is_tcp(config))
		return true;
	if (keyring_open(config->bus_curve_dir, name, keyring, error) != 0) {
		say("%s", error);
		return false;
	}
	cli->keyring = *keyring;
	return true;
}

static int misuse(const struct command *command)
{
	return command && command->misuse ? command->misuse : EXIT_USAGE;
}

/* Runs a command whose options are read.  What it printed counts only once it has left. */
static int run_command(struct cli *cli, const struct command *command,
		       const struct option_words *words, struct config *config,
		       struct keyring **keyring)
{
	if (words->count < command->words_min || words->count > command->words_max) {
		say("usage: weir %s%s%s [OPTION...]; `weir %s --help` says more", command->name,
		    *command->words_usage ? " " : "", command->words_usage, command->name);
		return misuse(command);
	}
	if (!choose_run(cli) || !choose_format(cli) || !make_incarnation(cli) ||
	    !choose_bus(cli, command, config, keyring))
		return misuse(command);
	cli->timeout_ms = values.timeout_ms	? values.timeout_ms
			  : command->timeout_ms ? command->timeout_ms
						: TIMEOUT_DEFAULT_MS;
	look_at_terminal(cli);
	zsys_handler_set(NULL); /* czmq would take SIGINT and SIGTERM */
	int code = command->run(cli, words);

	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE)
		return EXIT_INTERRUPTED;
	say("cannot write: %s", strerror(errno));
	return misuse(command);
}

static int dispatch(struct cli *cli, char **arguments)
{
	struct option_words words = { 0 };
	char problem[PROBLEM_SIZE];
	struct option_parser parser = {
		.sets = { { rows, COUNT_OF(rows), &values } },
		.set_count = 1,
		.stop_at_word = true,
		.problem = problem,
		.problem_size = sizeof problem,
	};
	char **at = options_parse(&parser, arguments, &words);
	const struct command *command = at && *at ? command_find(cli, *at) : NULL;

	if (at && *at && !command) {
		say("there is no command '%s'; `weir help` lists them", *at);
		return EXIT_USAGE;
	}
	if (command) {
		parser.sets[1] = (struct option_set){ command->options, command->option_count,
						      command->values };
		parser.set_count = 2;
		parser.stop_at_word = false;
		at = options_parse(&parser, at + 1, &words);
	}
	if (!at) {
		say("%s; `weir %s%s--help` says more", problem, command ? command->name : "",
		    command ? " " : "");
		return misuse(command);
	}
	if (values.version) {
		(void)printf("weir %s (protocol %d)\n", WEIR_VERSION, STREAM_PROTOCOL_VERSION);
		return EXIT_DONE;
	}
	if (values.help || !command) {
		FILE *to = values.help ? stdout : stderr;

		if (command)
			command_usage(command, to);
		else
			program_usage(cli, to);
		return values.help ? EXIT_DONE : EXIT_USAGE;
	}

	struct config config = { 0 };
	struct keyring *keyring = NULL;
	int code = run_command(cli, command, &words, &config, &keyring);

	keyring_close(keyring);
	config_fini(&config);
	return code;
}

int main(int argc, char **argv)
{
	struct cli cli = {
		.signal_fd = -1,
		.commands = commands,
		.command_count = COUNT_OF(commands),
	};

	(void)argc;
	(void)signal(SIGPIPE, SIG_IGN);
	int code = dispatch(&cli, argv + 1);

	return code == EXIT_INTERRUPTED ? EXIT_DONE : code;
}
