/* SPDX-License-Identifier: MIT */
/* daemon_args.c - what every daemon's main() does: arguments, configuration, run directory. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bus.h"
#include "common/confine.h"
#include "common/daemon_private.h"
#include "common/error.h"
#include "common/log.h"
#include "common/machine.h"

#define SETS_MAX 256
#define EXIT_USAGE 2
#define INCARNATION_BITS 53 /* so that it is exact in JSON, whatever reads it */

enum argument {
	OPTION_CONF = 1,
	OPTION_RUN,
	OPTION_NAME,
	OPTION_SET,
	OPTION_NOTIFY_FD,
	OPTION_CHECK,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option_row {
	const char *name, *value, *meaning;
	enum argument argument;
} option_rows[] = {
	{ "conf", "FILE", "configuration; without it every key has its default", OPTION_CONF },
	{ "run", "DIR",
	  "run directory, ours, mode 0700 (default: run.dir, $WEIR_RUN_DIR, or\n"
	  "                            ${XDG_RUNTIME_DIR:-/tmp}/weir-$UID)",
	  OPTION_RUN },
	{ "name", "NAME", "name of this process (default: that of its role)", OPTION_NAME },
	{ "set", "section.key=value", "override one setting; may be repeated", OPTION_SET },
	{ "notify-fd", "N", "write a line there once ready (s6)", OPTION_NOTIFY_FD },
	{ "check", NULL, "check the configuration and exit", OPTION_CHECK },
	{ "help", NULL, "this text", OPTION_HELP },
	{ "version", NULL, "the version", OPTION_VERSION },
};

#define OPTION_ROWS (sizeof option_rows / sizeof option_rows[0])

struct arguments {
	const char *conf, *run, *name;
	const char *sets[SETS_MAX + 1];
	size_t set_count;
	int notify_fd;
	bool check;
};

static void print_help(const struct daemon_program *program)
{
	printf("usage: %s [OPTION...]\n\n%s\n\n", program->binary, program->summary);
	for (size_t i = 0; i < OPTION_ROWS; i++) {
		const struct option_row *row = &option_rows[i];
		int width = printf("  --%s%s%s", row->name, row->value ? " " : "",
				   row->value ? row->value : "");

		printf("%*s%s\n", width < 28 ? 28 - width : 1, "", row->meaning);
	}
	printf("\nSignals: SIGTERM, SIGINT stop; SIGHUP reload; SIGUSR1 drain.\n"
	       "Exit: 0 stopped, 1 failed, 2 wrong usage, 78 wrong configuration.\n");
}

static int usage(const struct daemon_program *program, const char *fault, const char *value)
{
	fprintf(stderr, "%s: %s%s%s; see --help\n", program->binary, fault, value ? " " : "",
		value ? value : "");
	return EXIT_USAGE;
}

static bool parse_fd(const char *text, int *out)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0 || value > INT_MAX)
		return false;
	*out = (int)value;
	return true;
}

/* The name becomes part of paths and is printed. */
static bool is_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return length > 0 && length <= NAME_MAX_BYTES && name[length] == '\0';
}

/* Take one option.  Return: -1 to go on, else the exit code. */
static int take(const struct daemon_program *program, int option, const char *value,
		struct arguments *out)
{
	switch (option) {
	case OPTION_CONF:
		out->conf = value;
		return -1;
	case OPTION_RUN:
		out->run = value;
		return -1;
	case OPTION_NAME:
		if (!is_name(value))
			return usage(program, "--name wants 1 to 32 of a-z, 0-9, -, not", value);
		out->name = value;
		return -1;
	case OPTION_SET:
		if (out->set_count == SETS_MAX)
			return usage(program, "too many --set", NULL);
		out->sets[out->set_count++] = value;
		return -1;
	case OPTION_NOTIFY_FD:
		if (!parse_fd(value, &out->notify_fd))
			return usage(program, "--notify-fd wants a descriptor, not", value);
		return -1;
	case OPTION_CHECK:
		out->check = true;
		return -1;
	case OPTION_HELP:
		print_help(program);
		return 0;
	case OPTION_VERSION:
		printf("%s %s\n", program->binary, WEIR_VERSION);
		return 0;
	default:
		return usage(program, "unknown option, or a value is missing", NULL);
	}
}

static int parse(int argc, char **argv, const struct daemon_program *program, struct arguments *out)
{
	struct option options[OPTION_ROWS + 1] = { 0 };
	int option;

	*out = (struct arguments){ .name = words_name(&role_words, program->role),
				   .notify_fd = -1 };
	for (size_t i = 0; i < OPTION_ROWS; i++)
		options[i] = (struct option){ .name = option_rows[i].name,
					      .has_arg = option_rows[i].value ? required_argument
									      : no_argument,
					      .val = option_rows[i].argument };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int r = take(program, option, optarg, out);

		if (r >= 0)
			return r;
	}
	if (optind < argc)
		return usage(program, "unexpected argument", argv[optind]);
	return -1;
}

/* --run, else the configured one (which $WEIR_RUN_DIR overrides), else the default. */
static const char *choose_run_dir(const struct arguments *arguments, const struct config *config,
				  char *buffer, size_t size)
{
	const char *base = getenv("XDG_RUNTIME_DIR");

	if (arguments->run)
		return arguments->run;
	if (*config->run_dir)
		return config->run_dir;
	snprintf(buffer, size, "%s/weir-%ld", base && *base ? base : "/tmp", (long)geteuid());
	return buffer;
}

static int check_run_dir(const struct daemon_program *program, const char *run_dir)
{
	int r = transport_check_run_dir(run_dir);

	if (r == 0)
		return 0;
	if (r == -EPERM)
		fprintf(stderr, "%s: run directory %s: must be ours alone: chown it, chmod 700\n",
			program->binary, run_dir);
	else
		fprintf(stderr, "%s: run directory %s: %s; mkdir -m 700 it, or give --run\n",
			program->binary, run_dir, strerror(-r));
	return r;
}

static uint64_t new_incarnation(void)
{
	uint64_t value = 0;

	while (value == 0) {
		if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
			continue;
		value >>= 64 - INCARNATION_BITS;
	}
	return value;
}

int daemon_exit_code(int r)
{
	if (r == -EUCLEAN)
		return DAEMON_EXIT_CONFIG;
	return r < 0 ? DAEMON_EXIT_FAILED : r;
}

/* On tcp: our address and our keys.  Return: 0, or what is wrong has been said. */
static int open_keyring(const struct daemon_program *program, const char *name,
			const struct config *config, struct keyring **out)
{
	char error[KEYRING_ERROR_SIZE] = "out of memory", endpoint[BUS_ENDPOINT_SIZE];

	if (!bus_is_tcp(config))
		return 0;
	if (bus_role(name) != program->role || !bus_endpoint(config, name, "inbox", endpoint)) {
		fprintf(stderr, "%s: %s: has no address in [bus] of the configuration\n",
			program->binary, name);
		return DAEMON_EXIT_CONFIG;
	}
	if (keyring_open(config->bus_curve_dir, name, out, error) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", program->binary, error);
	return DAEMON_EXIT_CONFIG;
}

static int run(const struct daemon_program *program, const struct arguments *arguments,
	       const struct config *config)
{
	char buffer[PATH_MAX];
	struct daemon_options options = {
		.role = program->role,
		.name = arguments->name,
		.config = config,
		.incarnation = new_incarnation(),
		.clock = machine_clock(),
		.notify_fd = arguments->notify_fd,
		.run_dir = choose_run_dir(arguments, config, buffer, sizeof buffer),
	};
	enum log_level level = LOG_LEVEL_INFO;
	int r;

	/* Before any secret is read. */
	if (config->run_confine && (r = confine_memory()) < 0)
		return daemon_exit_code(err_pass(r));
	r = open_keyring(program, arguments->name, config, &options.keyring);
	if (r != 0 || arguments->check)
		goto out;
	r = DAEMON_EXIT_CONFIG;
	if (check_run_dir(program, options.run_dir) < 0)
		goto out;
	(void)log_level_parse(config->log_level, &level);
	log_init(arguments->name, level);
	/* Sockets and locks are for us alone, whatever becomes of the directory's mode. */
	(void)umask(077);
	r = daemon_exit_code(program->run(&options));
out:
	keyring_close(options.keyring);
	return r;
}

int daemon_main(int argc, char **argv, const struct daemon_program *program)
{
	char error[CONFIG_ERROR_SIZE] = "";
	struct arguments arguments;
	struct config config;
	int r = parse(argc, argv, program, &arguments);

	if (r >= 0)
		return r;
	log_init(arguments.name, LOG_LEVEL_INFO);
	r = config_load(&(struct config_source){ .file = arguments.conf,
						 .sets = arguments.sets,
						 .environment = environ },
			&config, error);
	if (r == CONFIG_E_INVALID) {
		fprintf(stderr, "%s: %s\n", program->binary, error);
		return DAEMON_EXIT_CONFIG;
	}
	if (r < 0) {
		fprintf(stderr, "%s: configuration: %s\n", program->binary, strerror(-r));
		return DAEMON_EXIT_CONFIG;
	}
	r = run(program, &arguments, &config);
	config_fini(&config);
	return r;
}
