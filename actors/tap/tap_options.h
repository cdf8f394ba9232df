/* SPDX-License-Identifier: MIT */
/* tap_options.h - command lines as tables: parsing and --help derive from the same rows.
 *
 * Pure: values point into the arguments, which live as long as the process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTION_LIST_MAX 16 /* how often a repeatable option may be given */
#define OPTION_WORDS_MAX 8 /* words that are no options */

enum option_kind {
	OPTION_FLAG, /* bool */
	OPTION_TEXT, /* const char *; NULL: not given */
	OPTION_LIST, /* struct option_list; may be repeated */
	OPTION_NUMBER, /* int64_t */
	OPTION_SECONDS, /* int64_t in ms; decimals allowed */
};

struct option_list {
	const char *items[OPTION_LIST_MAX];
	size_t count;
};

struct option_row {
	const char *name; /* without the dashes */
	char letter; /* 0: none */
	enum option_kind kind;
	const char *value; /* what --help calls the value */
	size_t offset; /* of the value in the command's struct */
	int64_t min, max; /* OPTION_NUMBER; OPTION_SECONDS in ms; OPTION_TEXT and _LIST: bytes */
	const char *meaning;
};

/* Rows and the struct that their values go to. */
struct option_set {
	const struct option_row *rows;
	size_t count;
	void *values;
};

struct option_words {
	const char *items[OPTION_WORDS_MAX];
	size_t count;
};

struct option_parser {
	struct option_set sets[2];
	size_t set_count;
	bool stop_at_word; /* leave the first word and all behind it alone */
	char *problem; /* what is wrong with the arguments, terminated */
	size_t problem_size;
};

/* options_parse() - read @arguments (NULL behind the last) into the sets' values and @words.
 *
 * Accepts --name value, --name=value, -l value, -lvalue; "--" ends the options.
 *
 * Return: the argument it stopped at, which is the NULL at the end unless @stop_at_word; NULL,
 * with @problem written, if the arguments are wrong.
 */
char **options_parse(const struct option_parser *parser, char **arguments,
		     struct option_words *words);

/* options_print() - the rows as --help shows them. */
void options_print(const struct option_row *rows, size_t count, FILE *to);
