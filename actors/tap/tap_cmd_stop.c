/* SPDX-License-Identifier: MIT */
/* tap_cmd_stop.c - `weir stop`: ask the registry to end a stream. */

#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "actors/tap/tap_call.h"
#include "actors/tap/tap_clock.h"
#include "proto/escape.h"

struct values {
	const char *user;
};

static struct values values;

static const struct option_row rows[] = {
	{ .name = "user",
	  .kind = OPTION_TEXT,
	  .value = "USER",
	  .offset = offsetof(struct values, user),
	  .min = 1,
	  .max = USER_ID_MAX,
	  .meaning = "the stream of this user; with STREAM: only if it is theirs" },
};

static const char *const examples[] = {
	"weir stop s-4k2j9x1qa",
	"weir stop --user alice@example.com",
	NULL,
};

struct stop {
	const char *stream, *user; /* NULL: not given */
	enum result result;
	char reason[REASON_MAX + 1];
	char stream_id[STREAM_ID_MAX + 1]; /* that the registry names */
};

static enum call_verdict take_result(void *context, const struct stream_event *event)
{
	struct stop *stop = context;

	if (event->type != EVENT_OPERATOR_RESULT || event->request != 1)
		return CALL_MORE;
	stop->result = (enum result)event->operator_result.result;
	(void)text_put(event->operator_result.reason, stop->reason, sizeof stop->reason);
	(void)text_put(event->stream_id, stop->stream_id, sizeof stop->stream_id);
	return CALL_DONE;
}

/* "operator:alice"; the number of a user without a name. */
static void name_operator(char by[static PACKAGE_MAX + 1])
{
	const struct passwd *user = getpwuid(getuid());

	if (user && *user->pw_name)
		(void)snprintf(by, PACKAGE_MAX + 1, "operator:%s", user->pw_name);
	else
		(void)snprintf(by, PACKAGE_MAX + 1, "operator:%u", (unsigned)getuid());
}

static void print_json(const struct stop *stop)
{
	struct json_rows list;

	json_rows_begin(&list, stdout, FORMAT_JSONL);
	struct json_out *json = json_row_open(&list);

	json_out_word(json, "result", words_name(&result_words, stop->result));
	json_out_word(json, "stream_id",
		      *stop->stream_id ? stop->stream_id
		      : stop->stream   ? stop->stream
				       : "");
	json_out_word(json, "user_id", stop->user ? stop->user : "");
	json_out_word(json, "reason", stop->reason);
	json_row_close(&list);
	json_rows_end(&list);
}

/* Says what came of it: on stdout if it was done, else on stderr.  Returns an exit code. */
static int tell(const struct stop *stop)
{
	const char *what = stop->stream ? "stream" : "user";
	const char *named = stop->stream ? stop->stream : stop->user;
	char name[ESCAPED_SIZE(USER_ID_MAX)], reason[ESCAPED_SIZE(REASON_MAX)];

	(void)escape_put(text_of(stop->reason), reason, sizeof reason);
	if (stop->result == RESULT_OK && *stop->stream_id)
		named = stop->stream_id;
	(void)escape_put(text_of(named), name, sizeof name);
	switch (stop->result) {
	case RESULT_OK:
		(void)printf("stopped %s\n", name);
		return EXIT_DONE;
	case RESULT_NOT_FOUND:
		say("%s %s: %s", what, name,
		    *reason ? reason : "there is no live stream; `weir ls` lists them");
		return EXIT_USAGE;
	case RESULT_EXPIRED:
		say("the registry was too late to stop %s; try again, or with a longer --timeout",
		    name);
		return EXIT_LATE;
	default:
		say("the registry did not stop %s %s (%s)%s%s", what, name,
		    words_name(&result_words, stop->result), *reason ? ": " : "", reason);
		return EXIT_USAGE;
	}
}

static int run(const struct cli *cli, const struct option_words *words)
{
	struct stop stop = {
		.stream = words->count > 0 ? words->items[0] : NULL,
		.user = values.user,
	};
	char by[PACKAGE_MAX + 1];

	if (!stop.stream && !stop.user) {
		say("stop what? give a STREAM, or --user USER; `weir ls` lists them");
		return EXIT_USAGE;
	}
	if (stop.stream && (*stop.stream == '\0' || strlen(stop.stream) > STREAM_ID_MAX)) {
		say("a stream id has 1 to %d bytes; `weir ls` lists them", STREAM_ID_MAX);
		return EXIT_USAGE;
	}
	name_operator(by);
	const struct call call = {
		.server = &registry_inbox,
		.question = { .type = EVENT_OPERATOR_STOP,
			      .origin = cli->incarnation,
			      .request = 1,
			      .expires_ms = clock_now_ms() + cli->timeout_ms,
			      .user_id = stop.user ? text_of(stop.user) : TEXT(""),
			      .stream_id = stop.stream ? text_of(stop.stream) : TEXT(""),
			      .operator_stop.by = text_of(by) },
		.numbered = true,
		.take = take_result,
		.context = &stop,
	};
	int r = call_server(cli, &call);

	if (r == EXIT_LATE)
		say("whether it was stopped is not known; see `weir ls`");
	if (r != EXIT_DONE)
		return r;
	if (cli->format != FORMAT_JSON && cli->format != FORMAT_JSONL)
		return tell(&stop);
	print_json(&stop);
	return stop.result == RESULT_OK	       ? EXIT_DONE
	       : stop.result == RESULT_EXPIRED ? EXIT_LATE
					       : EXIT_USAGE;
}

const struct command command_stop = {
	.name = "stop",
	.words_usage = "[STREAM]",
	.summary = "end a stream",
	.about =
		"Asks the registry to end a stream, named by its id or by its user.  The app is "
		"told\n"
		"and the glasses are sent a stop, now or when they come back.  A stream that does\n"
		"not exist or is over already is an error (status 1).\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.words_max = 1,
	.run = run,
};
