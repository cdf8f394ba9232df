/* SPDX-License-Identifier: MIT */
/* Goal: a command line either sets exactly what it says, or is refused with words that help.
 * Method: every form of every kind of option, each limit and one past it.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_options.h"

struct values {
	bool all;
	const char *user;
	struct option_list types;
	int64_t count, for_ms;
};

static const struct option_row rows[] = {
	{ .name = "all",
	  .letter = 'a',
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct values, all) },
	{ .name = "user",
	  .letter = 'u',
	  .kind = OPTION_TEXT,
	  .value = "USER",
	  .offset = offsetof(struct values, user),
	  .min = 1,
	  .max = 5 },
	{ .name = "type",
	  .kind = OPTION_LIST,
	  .value = "PATTERN",
	  .offset = offsetof(struct values, types),
	  .min = 1,
	  .max = 8 },
	{ .name = "count",
	  .letter = 'n',
	  .kind = OPTION_NUMBER,
	  .value = "N",
	  .offset = offsetof(struct values, count),
	  .min = 1,
	  .max = 100,
	  .meaning = "so many" },
	{ .name = "for",
	  .kind = OPTION_SECONDS,
	  .value = "SECONDS",
	  .offset = offsetof(struct values, for_ms),
	  .min = 1,
	  .max = 60000 },
};

static struct values values;
static struct option_words words;
static char problem[128];

static char **parse(char **arguments, bool stop_at_word)
{
	const struct option_parser parser = {
		.sets = { { rows, sizeof rows / sizeof rows[0], &values } },
		.set_count = 1,
		.stop_at_word = stop_at_word,
		.problem = problem,
		.problem_size = sizeof problem,
	};

	values = (struct values){ 0 };
	words = (struct option_words){ 0 };
	*problem = '\0';
	return options_parse(&parser, arguments, &words);
}

#define PARSE(...) parse((char *[]){ __VA_ARGS__ __VA_OPT__(, ) NULL }, false)

Test(options, every_form)
{
	cr_assert_not_null(PARSE());
	cr_assert_not_null(
		PARSE("--all", "--user", "bob", "--count=7", "--for", "1.5", "--type=a"));
	cr_assert(values.all);
	cr_assert_str_eq(values.user, "bob");
	cr_assert_eq(values.count, 7);
	cr_assert_eq(values.for_ms, 1500);
	cr_assert_eq(values.types.count, 1);
	cr_assert_not_null(PARSE("-ubob", "-n", "8", "-a"));
	cr_assert_str_eq(values.user, "bob");
	cr_assert_eq(values.count, 8);
	cr_assert(values.all);
	cr_assert_eq(words.count, 0);
}

Test(options, words_between_and_behind)
{
	cr_assert_not_null(PARSE("one", "-a", "two", "--", "--user", "-a", "-"));
	cr_assert_eq(words.count, 5);
	cr_assert_str_eq(words.items[0], "one");
	cr_assert_str_eq(words.items[2], "--user");
	cr_assert_str_eq(words.items[4], "-");
	cr_assert_null(values.user);
	cr_assert_not_null(PARSE("1", "2", "3", "4", "5", "6", "7", "8"));
	cr_assert_null(PARSE("1", "2", "3", "4", "5", "6", "7", "8", "nine"));
	cr_assert_str_eq(problem, "too many words, from 'nine' on");
}

Test(options, stops_at_the_command)
{
	char *arguments[] = { "-a", "--user", "bob", "ls", "--user", "eve", NULL };
	char **at = parse(arguments, true);

	cr_assert_eq(at, arguments + 3);
	cr_assert_str_eq(values.user, "bob");
	cr_assert_eq(words.count, 0);
}

Test(options, refusals_say_what_is_wrong)
{
	cr_assert_null(PARSE("--usr", "x"));
	cr_assert_str_eq(problem, "unknown option --usr");
	cr_assert_null(PARSE("--use=x"));
	cr_assert_str_eq(problem, "unknown option --use");
	cr_assert_null(PARSE("-x"));
	cr_assert_str_eq(problem, "unknown option -x");
	cr_assert_null(PARSE("--all=yes"));
	cr_assert_str_eq(problem, "--all takes no value");
	cr_assert_null(PARSE("--user"));
	cr_assert_str_eq(problem, "--user needs a value: USER");
	cr_assert_null(PARSE("-n"));
	cr_assert_str_eq(problem, "-n needs a value: N");
}

Test(options, limits_of_texts)
{
	cr_assert_not_null(PARSE("--user", "12345"));
	cr_assert_null(PARSE("--user", "123456"));
	cr_assert_str_eq(problem, "--user takes 1 to 5 bytes, these are 6");
	cr_assert_null(PARSE("--user="));
	cr_assert_str_eq(problem, "--user takes 1 to 5 bytes, these are 0");
}

Test(options, limits_of_lists)
{
	char *arguments[2 * (OPTION_LIST_MAX + 1) + 1] = { 0 };

	for (int i = 0; i < OPTION_LIST_MAX; i++) {
		arguments[2 * i] = "--type";
		arguments[2 * i + 1] = "a";
	}
	cr_assert_not_null(parse(arguments, false));
	cr_assert_eq(values.types.count, OPTION_LIST_MAX);
	arguments[2 * OPTION_LIST_MAX] = "--type=b";
	cr_assert_null(parse(arguments, false));
	cr_assert_str_eq(problem, "--type may be given at most 16 times");
}

Test(options, limits_of_numbers)
{
	static char *const bad[] = { "0",  "101", "-1", "+1",
				     "1x", "0x1", "",	"99999999999999999999",
				     " 1" };

	cr_assert_not_null(PARSE("--count", "1"));
	cr_assert_not_null(PARSE("--count", "100"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cr_assert_null(PARSE("--count", bad[i]), "%s", bad[i]);
		cr_assert_eq(values.count, 0);
	}
	cr_assert_null(PARSE("--count", "zero"));
	cr_assert_str_eq(problem, "--count takes a number from 1 to 100, not 'zero'");
}

Test(options, seconds)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = { { "1", 1000 },   { "0.001", 1 }, { "0.0019", 1 },
		     { "60", 60000 }, { "5.", 5000 }, { "0.25", 250 } };
	static char *const bad[] = { "0",  "0.0004", "60.001", ".5",	"1e3",
				     "-1", "1s",     "",       "1.2.3", "99999999999999999999" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		cr_assert_not_null(PARSE("--for", (char *)good[i].text), "%s", good[i].text);
		cr_assert_eq(values.for_ms, good[i].ms, "%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_null(PARSE("--for", bad[i]), "%s", bad[i]);
	cr_assert_null(PARSE("--for", "61"));
	cr_assert_str_eq(problem, "--for takes a number from 0.001 to 60, not '61'");
}

Test(options, help_derives_from_the_rows)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	options_print(rows + 3, 1, to);
	(void)fclose(to);
	cr_assert_str_eq(text, "  -n, --count N               so many\n");
	free(text);
}
