/* SPDX-License-Identifier: MIT */
/* Goal: every record is one line of JSON, whatever is in it and however long it is, written at
 * once; nothing from outside can break a line, move a cursor or flood the log.  Method: log into a
 * pipe, parse with jansson.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>

#include "common/log.h"

_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "longer writes to a pipe may mix");

static int pipe_fds[2];
static char bytes[65536];
static int64_t now_ms;

static int64_t test_clock(void)
{
	return now_ms;
}

static void setup(void)
{
	(void)unsetenv("JOURNAL_STREAM");
	(void)unsetenv("WEIR_LOG_PREFIX");
	cr_assert_eq(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
	log_init("tester", LOG_LEVEL_INFO);
	log_set_fd(pipe_fds[1]);
	log_set_clock(test_clock);
}

TestSuite(log, .init = setup);

/* What has been written since the last call. */
static size_t taken(void)
{
	ssize_t length = read(pipe_fds[0], bytes, sizeof bytes - 1);

	if (length < 0)
		length = 0;
	bytes[length] = '\0';
	return (size_t)length;
}

/* The only record written since the last call. */
static json_t *record(void)
{
	json_error_t error;
	size_t length = taken();

	cr_assert_gt(length, 0, "nothing was written");
	cr_assert_eq(strchr(bytes, '\n'), bytes + length - 1, "not one line: %s", bytes);
	json_t *root = json_loads(bytes, JSON_REJECT_DUPLICATES, &error);

	cr_assert(root, "%s: %s", error.text, bytes);
	return root;
}

static const char *string(json_t *root, const char *name)
{
	const char *value = json_string_value(json_object_get(root, name));

	return value ? value : "(none)";
}

Test(log, a_record_has_its_fields)
{
	errno = ENOENT;
	log_warn("message.dropped", log_str("source", "gateway-1"), log_u64("dropped", UINT64_MAX),
		 log_i64("late_ms", INT64_MIN), log_bool("known", false), log_str("none", NULL));
	cr_assert_eq(errno, ENOENT);
	cr_assert_gt(taken(), 0);
	char *at = strstr(bytes, ",\"level\"");

	cr_assert(at);
	cr_assert_str_eq(at,
			 ",\"level\":\"warn\",\"event\":\"message.dropped\",\"actor\":\"tester\","
			 "\"source\":\"gateway-1\",\"dropped\":18446744073709551615,"
			 "\"late_ms\":-9223372036854775808,\"known\":false,\"none\":\"\"}\n");
	cr_assert_eq(strncmp(bytes, "{\"time_ms\":", 11), 0);
}

Test(log, a_record_needs_no_fields)
{
	log_info("actor.ready");
	json_t *root = record();

	cr_assert_str_eq(string(root, "event"), "actor.ready");
	cr_assert_gt(json_integer_value(json_object_get(root, "time_ms")), 1500000000000);
	json_decref(root);
}

struct level_row {
	char word[8];
	int level; /* 0: none */
};

ParameterizedTestParameters(log, levels)
{
	static struct level_row rows[] = {
		{ "error", 3 }, { "warn", 4 }, { "info", 6 },  { "debug", 7 },
		{ "", 0 },	{ "INFO", 0 }, { "infos", 0 }, { "6", 0 },
	};

	return cr_make_param_array(struct level_row, rows, sizeof rows / sizeof rows[0]);
}

ParameterizedTest(struct level_row *row, log, levels)
{
	enum log_level level = LOG_LEVEL_ERROR;

	cr_assert_eq(log_level_parse(row->word, &level), row->level != 0);
	if (row->level == 0)
		return;
	cr_assert_eq((int)level, row->level);
	log_init("tester", level);
	log_error("e");
	cr_assert_gt(taken(), 0);
	log_warn("w");
	cr_assert_eq(taken() > 0, row->level >= 4);
	log_info("i");
	cr_assert_eq(taken() > 0, row->level >= 6);
	log_debug("d");
	cr_assert_eq(taken() > 0, row->level >= 7);
	cr_assert_eq(log_enabled(LOG_LEVEL_INFO), row->level >= 6);
}

Test(log, harmful_text_is_escaped)
{
	log_info("x", log_str("text", "a\"b\\c\nd\x1b[2J\x7f"
				      "\xc2\x9b"
				      "e\xe2\x80\xae"
				      "f\xff"
				      "g\xed\xa0\x80"
				      "h\xc3\xa9"));
	json_t *root = record();

	cr_assert(strstr(bytes, "a\\\"b\\\\c\\u000ad\\u001b[2J\\u007f\\u009be\\u202ef\\ufffdg"
				"\\ufffd\\ufffd\\ufffdh\xc3\xa9\""),
		  "%s", bytes);
	json_decref(root);
}

static char *filled(size_t length)
{
	char *text = malloc(length + 1);

	memset(text, 'x', length);
	text[length] = '\0';
	return text;
}

/* Around the limit every length is tried: a line is whole, or cut and marked. */
Test(log, long_text_is_cut_and_marked)
{
	bool was_cut = false;

	for (size_t length = LOG_LINE_MAX - 200; length < LOG_LINE_MAX + 200; length++) {
		char *text = filled(length);

		log_info("x", log_str("text", text));
		json_t *root = record();
		const char *kept = string(root, "text");
		bool cut = json_is_true(json_object_get(root, "cut"));

		cr_assert_leq(strlen(bytes), LOG_LINE_MAX);
		cr_assert_eq(cut, strcmp(kept, text) != 0);
		cr_assert(!cut || strcmp(kept + strlen(kept) - 3, "...") == 0);
		cr_assert(cut || !was_cut);
		was_cut = cut;
		json_decref(root);
		free(text);
	}
	cr_assert(was_cut);
}

Test(log, text_is_cut_between_characters)
{
	for (size_t length = LOG_LINE_MAX - 200; length < LOG_LINE_MAX; length++) {
		char *text = filled(length + 40);

		for (size_t i = 0; i < 20; i++)
			memcpy(text + length + 2 * i, i % 2 ? "\xc3\xa9" : "\n\"", 2);
		log_info("x", log_str("text", text), log_u64("after", 1));
		json_decref(record());
		free(text);
	}
}

Test(log, fields_that_do_not_fit_leave_nothing_but_the_marker)
{
	for (size_t length = LOG_LINE_MAX - 220; length < LOG_LINE_MAX - 60; length++) {
		char *text = filled(length), *name = filled(300);

		log_info("x", log_str("text", text), log_str(name, "y"), log_u64("number", 7),
			 log_str("last", "z"));
		json_t *root = record();

		cr_assert_eq(json_object_get(root, name), NULL);
		cr_assert(json_is_true(json_object_get(root, "cut")));
		json_decref(root);
		free(text);
		free(name);
	}
}

Test(log, one_record_is_one_write)
{
	int packets[2];

	/* In packet mode every read returns one write. */
	cr_assert_eq(pipe2(packets, O_DIRECT | O_CLOEXEC), 0);
	log_set_fd(packets[1]);
	char *text = filled(10000);

	log_info("x", log_str("text", text));
	log_info("y");
	ssize_t length = read(packets[0], bytes, sizeof bytes);

	cr_assert_gt(length, LOG_LINE_MAX - 10);
	cr_assert_leq(length, LOG_LINE_MAX);
	cr_assert_eq(bytes[length - 1], '\n');
	free(text);
}

Test(log, a_full_pipe_does_not_stop_us_and_is_counted)
{
	char *text = filled(4000);
	size_t written = 0;

	cr_assert_neq(fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096), -1);
	for (size_t i = 0; i < 5; i++)
		log_info("x", log_str("text", text));
	written += taken();
	cr_assert_gt(written, 0);
	log_info("y");
	json_t *root = record();

	cr_assert_eq(json_integer_value(json_object_get(root, "lost")), 4);
	json_decref(root);
	log_info("z");
	root = record();
	cr_assert_eq(json_object_get(root, "lost"), NULL);
	json_decref(root);
	free(text);
}

Test(log, prefix_on_demand)
{
	(void)setenv("WEIR_LOG_PREFIX", "1", 1);
	log_init("tester", LOG_LEVEL_DEBUG);
	log_error("e");
	log_debug("d");
	(void)taken();
	cr_assert_eq(strncmp(bytes, "<3>{", 4), 0, "%s", bytes);
	cr_assert(strstr(bytes, "\n<7>{"), "%s", bytes);
	(void)setenv("WEIR_LOG_PREFIX", "0", 1);
	log_init("tester", LOG_LEVEL_DEBUG);
	log_error("e");
	(void)taken();
	cr_assert_eq(*bytes, '{');
}

Test(log, prefix_for_the_journal)
{
	struct stat status;
	char stream[64];

	cr_assert_eq(fstat(pipe_fds[1], &status), 0);
	(void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev,
		       (uintmax_t)status.st_ino);
	(void)setenv("JOURNAL_STREAM", stream, 1);
	log_init("tester", LOG_LEVEL_INFO);
	log_warn("w");
	(void)taken();
	cr_assert_eq(strncmp(bytes, "<4>{", 4), 0, "%s", bytes);
	(void)setenv("JOURNAL_STREAM", "1:1", 1);
	log_init("tester", LOG_LEVEL_INFO);
	log_warn("w");
	(void)taken();
	cr_assert_eq(*bytes, '{', "stderr was sent elsewhere");
}

Test(log, a_cause_is_written_once_a_minute)
{
	for (int i = 0; i < 1000; i++)
		log_limited("message.dropped", log_u64("i", (uint64_t)i));
	json_t *root = record();

	cr_assert_str_eq(string(root, "level"), "warn");
	cr_assert_eq(json_object_get(root, "suppressed"), NULL);
	json_decref(root);
	now_ms = LOG_LIMIT_MS - 1;
	log_limited("message.dropped", log_u64("i", 1));
	cr_assert_eq(taken(), 0);
	now_ms = LOG_LIMIT_MS;
	log_limited("message.dropped", log_u64("i", 1000));
	root = record();
	cr_assert_eq(json_integer_value(json_object_get(root, "suppressed")), 1000);
	cr_assert_eq(json_integer_value(json_object_get(root, "i")), 1000);
	json_decref(root);
	now_ms = 2 * LOG_LIMIT_MS;
	log_limited("message.dropped", log_u64("i", 1));
	root = record();
	cr_assert_eq(json_object_get(root, "suppressed"), NULL);
	json_decref(root);
}

Test(log, causes_do_not_hide_each_other)
{
	log_limited("a.a");
	cr_assert_gt(taken(), 0);
	log_limited("a.b");
	cr_assert_gt(taken(), 0);
	log_limited("a.a");
	cr_assert_eq(taken(), 0);
	log_warn("a.a");
	cr_assert_gt(taken(), 0, "what is not limited is always written");
}

/* With more causes than places the oldest goes, and says what it had counted. */
Test(log, a_full_table_forgets_the_oldest)
{
	char name[32];

	for (int i = 0; i < LOG_CAUSES_MAX; i++, now_ms++) {
		(void)snprintf(name, sizeof name, "cause.%d", i);
		log_limited(name);
	}
	while (taken() > 0)
		;
	log_limited("cause.0");
	cr_assert_eq(taken(), 0);
	log_limited("one.more");
	(void)taken();
	cr_assert(strstr(bytes, "\"event\":\"cause.0\",\"actor\":\"tester\",\"suppressed\":1}"),
		  "%s", bytes);
	cr_assert(strstr(bytes, "\"event\":\"one.more\""), "%s", bytes);
	log_limited("cause.1");
	cr_assert_eq(taken(), 0, "cause.0 was the oldest, not cause.1: %s", bytes);
}

Test(log, two_causes_of_an_event_do_not_hide_each_other)
{
	for (int i = 0; i < 3; i++)
		log_limited_by("inbox.malformed", "gateway-1: not an event", log_str("peer", "g"));
	json_t *root = record();

	cr_assert_str_eq(string(root, "cause"), "gateway-1: not an event");
	cr_assert_str_eq(string(root, "peer"), "g");
	json_decref(root);
	log_limited_by("inbox.malformed", "gateway-2: not an event");
	root = record();
	cr_assert_str_eq(string(root, "cause"), "gateway-2: not an event");
	json_decref(root);
	now_ms = LOG_LIMIT_MS;
	log_limited_by("inbox.malformed", "gateway-1: not an event");
	root = record();
	cr_assert_eq(json_integer_value(json_object_get(root, "suppressed")), 2);
	json_decref(root);
}

/* A peer that invents causes silences only the event that it causes, and not for long. */
Test(log, an_event_with_too_many_causes_counts_the_rest_as_others)
{
	char cause[32];

	for (int i = 0; i < LOG_EVENT_CAUSES_MAX + 10; i++) {
		(void)snprintf(cause, sizeof cause, "name-%d", i);
		log_limited_by("audit.impostor", cause);
	}
	int length = taken(), lines = 0;

	for (int i = 0; i < length; i++)
		lines += bytes[i] == '\n';
	cr_assert_eq(lines, LOG_EVENT_CAUSES_MAX + 1, "%s", bytes);
	cr_assert(strstr(bytes, "\"cause\":\"" LOG_CAUSE_OTHERS "\"}"), "%s", bytes);
	cr_assert(!strstr(bytes, "name-16"), "%s", bytes);
	log_limited_by("audit.violation", "gateway-1: x");
	cr_assert_gt(taken(), 0, "another event has places of its own");
	log_limited_by("audit.impostor", "name-0");
	cr_assert_eq(taken(), 0);

	/* A minute later there is room again, and what was counted is told. */
	now_ms = LOG_LIMIT_MS;
	log_tell_limited();
	(void)taken();
	cr_assert(strstr(bytes, "\"cause\":\"" LOG_CAUSE_OTHERS "\",\"suppressed\":9}"), "%s",
		  bytes);
	cr_assert(strstr(bytes, "\"cause\":\"name-0\",\"suppressed\":1}"), "%s", bytes);
	log_limited_by("audit.impostor", "name-16");
	json_t *root = record();

	cr_assert_str_eq(string(root, "cause"), "name-16");
	json_decref(root);
}

/* What differs only beyond what is kept is one cause: longer ones are cut, not lost. */
Test(log, long_causes_are_cut)
{
	char cause[LOG_CAUSE_SIZE + 2];

	memset(cause, 'x', sizeof cause);
	cause[sizeof cause - 1] = '\0';
	log_limited_by("a.a", cause);
	json_t *root = record();

	cr_assert_eq(strlen(string(root, "cause")), LOG_CAUSE_SIZE - 1);
	json_decref(root);
	cause[sizeof cause - 2] = 'y';
	log_limited_by("a.a", cause);
	cr_assert_eq(taken(), 0);
	cause[0] = 'y';
	log_limited_by("a.a", cause);
	cr_assert_gt(taken(), 0);
}

/* The line that ends the silence comes also if the mistakes have ended, and counts as the line of
 * its minute.
 */
Test(log, what_was_suppressed_is_told_when_its_minute_is_over)
{
	for (int i = 0; i < 5; i++)
		log_limited_by("a.a", "b");
	cr_assert_gt(taken(), 0);
	now_ms = LOG_LIMIT_MS - 1;
	log_tell_limited();
	cr_assert_eq(taken(), 0);
	now_ms = LOG_LIMIT_MS;
	log_tell_limited();
	json_t *root = record();

	cr_assert_str_eq(string(root, "event"), "a.a");
	cr_assert_str_eq(string(root, "cause"), "b");
	cr_assert_eq(json_integer_value(json_object_get(root, "suppressed")), 4);
	json_decref(root);
	log_limited_by("a.a", "b");
	log_tell_limited();
	cr_assert_eq(taken(), 0);
	now_ms = 2 * LOG_LIMIT_MS;
	log_limited_by("a.a", "b");
	root = record();
	cr_assert_eq(json_integer_value(json_object_get(root, "suppressed")), 1);
	json_decref(root);
}

Test(log, what_was_suppressed_is_told_at_the_end)
{
	log_limited("a.a");
	log_limited("a.a");
	log_limited("a.b");
	cr_assert_gt(taken(), 0);
	log_flush_limited();
	json_t *root = record();

	cr_assert_str_eq(string(root, "event"), "a.a");
	cr_assert_eq(json_integer_value(json_object_get(root, "suppressed")), 1);
	json_decref(root);
	log_flush_limited();
	cr_assert_eq(taken(), 0);
}

Test(log, limited_records_have_a_level_too)
{
	log_init("tester", LOG_LEVEL_ERROR);
	log_limited("a.a");
	cr_assert_eq(taken(), 0);
}
