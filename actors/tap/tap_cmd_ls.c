/* SPDX-License-Identifier: MIT */
/* tap_cmd_ls.c - `weir ls`: the streams, as the registry's snapshot tells them. */

#include "actors/tap/tap_ages.h"
#include "actors/tap/tap_call.h"
#include "actors/tap/tap_clock.h"
#include "actors/tap/tap_stream.h"
#include "actors/tap/tap_stuck.h"

struct values {
	const char *user, *kind, *app, *phase;
	bool all, stuck;
	struct stuck_bounds bounds;
};

static struct values values = { .bounds = STUCK_BOUNDS_DEFAULT };

#define ROW(name_, kind_, value_, member, max_, meaning_) \
	{ \
		.name = name_, .kind = kind_, .value = value_, .min = 1, .max = max_, \
		.offset = offsetof(struct values, member), .meaning = meaning_ \
	}

static const struct option_row rows[] = {
	ROW("user", OPTION_TEXT, "USER", user, USER_ID_MAX, "only streams of this user"),
	ROW("kind", OPTION_TEXT, "KIND", kind, 16, "only unmanaged or managed ones"),
	ROW("app", OPTION_TEXT, "PACKAGE", app, PACKAGE_MAX, "only streams that this app owns"),
	ROW("phase", OPTION_TEXT, "PHASE", phase, 16, "only streams in this phase, e.g. live"),
	ROW("all", OPTION_FLAG, NULL, all, 0, "also streams that are over but still owe something"),
	ROW("stuck", OPTION_FLAG, NULL, stuck, 0, "only stuck ones; status 1 if there are any"),
	STUCK_ROWS(struct values),
};

static const char *const examples[] = {
	"weir ls",
	"weir ls --phase suspect",
	"weir ls --stuck || echo somebody should look",
	"weir ls --all -o json | jq '.[] | select(.stop_owed)'",
	NULL,
};

static bool check_word(const struct words *words, const char *option, const char *word)
{
	if (!word || words_find(words, text_of(word), 0) != 0)
		return true;
	(void)fprintf(stderr, "weir: --%s takes one of:", option);
	for (uint32_t i = 1; i < words->count; i++)
		(void)fprintf(stderr, " %s", words_name(words, i));
	(void)fputc('\n', stderr);
	return false;
}

static bool wanted(void *context, const struct mirror_stream *stream)
{
	/* Whoever asks for closed ones means them. */
	bool closed = values.all || (values.phase && strcmp(values.phase, "closed") == 0);

	(void)context;
	if (values.stuck && !stream->stuck)
		return false;
	return (closed || values.stuck || stream->phase != PHASE_CLOSED) &&
	       (!values.user || text_is(stream->user->id, values.user)) &&
	       (!values.app || text_is(stream->package, values.app)) &&
	       (!values.kind || strcmp(values.kind, words_name(&kind_words, stream->kind)) == 0) &&
	       (!values.phase ||
		strcmp(values.phase, words_name(&phase_words, stream->phase)) == 0);
}

/* Marks what is stuck and what of it is asked for; returns how many those are. */
static size_t find_stuck(struct mirror *mirror, int64_t now_ms)
{
	size_t count = 0;

	(void)stuck_mark(mirror, &values.bounds, now_ms);
	for (size_t i = 0; i < mirror->stream_count; i++)
		count += wanted(NULL, &mirror->streams[i]);
	return count;
}

static int run(const struct cli *cli, const struct option_words *words)
{
	const struct stream_choice choice = { wanted,
					      values.stuck ? "no stuck streams" : "no streams",
					      NULL };
	int64_t now_ms = clock_wall_ms();
	struct mirror mirror;
	size_t stuck = 0;

	(void)words;
	if (!check_word(&kind_words, "kind", values.kind) ||
	    !check_word(&phase_words, "phase", values.phase))
		return EXIT_USAGE;
	mirror_init(&mirror);
	int r = snapshot_fetch(cli, &mirror);

	if (r == EXIT_DONE && values.stuck)
		r = ages_of_cut_off(cli, &mirror);
	if (r == EXIT_DONE && values.stuck)
		stuck = find_stuck(&mirror, now_ms);
	if (r == EXIT_DONE)
		streams_print(cli, &mirror, now_ms, &choice);
	mirror_fini(&mirror);
	return r == EXIT_DONE && stuck > 0 ? EXIT_USAGE : r;
}

const struct command command_ls = {
	.name = "ls",
	.words_usage = "",
	.summary = "list the streams",
	.about = "Lists the streams, the oldest first.  SEEN is the time since the last sign of "
		 "life,\n"
		 "LINK the socket of the user's phone, MISSED the probes unanswered in a row.  "
		 "Streams\n"
		 "that are over but still owe something (a stop to the device, the end to the app) "
		 "are\n"
		 "shown with --all.  Tables fit the terminal, or 100 columns; -o json cuts nothing "
		 "off.\n"
		 "\n" STUCK_RULE "\n"
		 "exit status: 0 done, with --stuck also: none is; 1 with --stuck: some are; wrong "
		 "usage;\n"
		 "2 cannot connect; 3 no answer\n",
	.examples = examples,
	.options = rows,
	.option_count = COUNT_OF(rows),
	.values = &values,
	.run = run,
};
