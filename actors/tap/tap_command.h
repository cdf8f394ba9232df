/* SPDX-License-Identifier: MIT */
/* tap_command.h - what a command of `weir` is, and what every command gets.
 *
 * A further command is a file that defines a struct command and a row in tap_main.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "actors/tap/tap_options.h"
#include "actors/tap/tap_say.h"
#include "actors/tap/tap_text.h"

/* Exit codes; scripts rely on them.  Functions that return one have said why on stderr. */
enum exit_code {
	EXIT_INTERRUPTED = -1, /* a signal, or nobody reads stdout any more: exit 0, say nothing */
	EXIT_DONE = 0,
	EXIT_USAGE = 1, /* also: not found, refused */
	EXIT_AWAY = 2, /* cannot connect */
	EXIT_LATE = 3, /* a deadline passed */
	EXIT_GAP = 4, /* events were missed under --strict */
};

#define RUN_DIR_MAX 80 /* bytes; a socket's path has 107, the rest is for its name */
#define PROBLEM_SIZE 256 /* bytes of a message about wrong usage, terminated */

struct command;
struct config;
struct keyring;

/* What all commands share. */
struct cli {
	const char *run; /* run directory with the sockets */
	const struct config *config; /* of --conf; NULL: there was none */
	const struct keyring *keyring; /* on tcp; NULL: ipc, or the command connects to nobody */
	enum format format;
	int64_t timeout_ms; /* without an answer for so long a command gives up */
	uint64_t incarnation; /* of this process: random, never 0 */
	int signal_fd; /* readable when the process is asked to end; -1: signals kill it */
	bool colour;
	unsigned width; /* columns of a table */
	const struct command *const *commands;
	size_t command_count;
};

struct command {
	const char *name;
	const char *words_usage; /* e.g. "STREAM|USER"; "" if it takes none */
	const char *summary; /* one line */
	const char *about; /* paragraphs for --help, with line ends */
	const char *const *examples; /* NULL behind the last */
	const struct option_row *options;
	size_t option_count;
	void *values; /* where the options' values go; zeroed at start */
	size_t words_min, words_max;
	int64_t timeout_ms; /* if --timeout is not given; 0: as most */
	int misuse; /* exit code of wrong usage; 0: EXIT_USAGE */
	bool offline; /* it connects to nobody, so it needs no key */

	/* Return: enum exit_code.  @words are the words behind the command's name. */
	int (*run)(const struct cli *cli, const struct option_words *words);
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

extern const struct command command_audit, command_check, command_gateways, command_help,
	command_keys, command_ls, command_provider, command_show, command_stop, command_tap,
	command_timeline, command_why;

/* command_find() - the command of that name, or NULL. */
const struct command *command_find(const struct cli *cli, const char *name);

/* command_usage() - what `weir NAME --help` prints. */
void command_usage(const struct command *command, FILE *to);

/* program_usage() - what `weir --help` prints. */
void program_usage(const struct cli *cli, FILE *to);
