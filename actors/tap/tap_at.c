/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_at.h"

#include <inttypes.h>
#include <stdlib.h>

#include "actors/tap/tap_call.h"
#include "actors/tap/tap_filter.h"
#include "actors/tap/tap_past.h"
#include "actors/tap/tap_stream.h"
#include "common/state.h"

#define TEXT_BYTES_MIN (UINT32_C(2) << 20) /* what a pool needs at least */

/* Not one event more than that moment has seen. */
static bool is_later(const struct when *when, const struct stream_event *event)
{
	return when->kind == WHEN_SEQ ? event->seq > when->seq : event->sent_ms > when->at_ms;
}

/* No story makes more users, apps or streams than it has events, nor more text than it holds; the
 * pool's blocks are powers of two.
 */
static struct state *make_state(const struct story *story, void **memory)
{
	const struct state_options options = {
		.users_max = (uint32_t)story->count + 1,
		.apps_max = (uint32_t)story->count + 1,
		.streams_max = (uint32_t)story->count + 1,
		.text_bytes = TEXT_BYTES_MIN + 4 * story->text_bytes,
	};
	struct state *state = memory_grow(NULL, 1, sizeof *state);

	*memory = memory_grow(NULL, 1, state_bytes(&options));
	memset(*memory, 0, state_bytes(&options));
	state_init(state, &options, *memory);
	return state;
}

static void show_rows(const struct state *state, struct mirror *mirror)
{
	struct stream_event event = { .type = EVENT_SNAPSHOT_BEGIN };
	uint64_t cursor = 0, rows = 0;
	bool complete;

	(void)mirror_apply(mirror, &event, &complete);
	for (; state_row(state, &cursor, &event); rows++)
		(void)mirror_apply(mirror, &event, &complete);
	event = (struct stream_event){ .type = EVENT_SNAPSHOT_END, .snapshot_end.rows = rows };
	(void)mirror_apply(mirror, &event, &complete);
}

size_t at_replay(const struct story *story, const struct when *when, struct mirror *mirror,
		 int64_t *now_ms)
{
	void *memory;
	struct state *state = make_state(story, &memory);
	size_t count = 0;

	for (size_t i = 0; i < story->count && !is_later(when, &story->events[i]); i++, count++) {
		(void)state_apply(state, &story->events[i]);
		state_settle(state);
		*now_ms = story->events[i].sent_ms;
	}
	if (when->kind == WHEN_TIME)
		*now_ms = when->at_ms;
	show_rows(state, mirror);
	free(state);
	free(memory);
	return count;
}

static enum call_verdict take(void *context, const struct stream_event *event)
{
	if (event_is_story(event->type))
		story_keep(context, event);
	return CALL_MORE;
}

static int load(const struct cli *cli, const struct at *at, struct story *story)
{
	if (at->replay)
		return past_replay(at->replay, story);
	return history_fetch(cli, &(struct history){ .upto_seq = at->when.kind == WHEN_SEQ
									 ? at->when.seq + 1
									 : UINT64_MAX,
						     .take = take,
						     .context = story,
						     .oldest_seq = &story->oldest_seq });
}

static void say_beginning(const struct story *story, const char *what)
{
	char time[TEXT_TIME_SIZE];

	if (story->count == 0)
		say("no history is kept");
	else
		say("the history begins with #%" PRIu64 " at %s: %s", story->events[0].seq,
		    text_time(story->events[0].sent_ms, time), what);
}

static bool is_wanted(void *context, const struct mirror_stream *stream)
{
	const struct at *at = context;

	return (!at->user || text_is(stream->user->id, at->user)) &&
	       (!at->stream || text_is(stream->id, at->stream));
}

int at_print(const struct cli *cli, const struct at *at)
{
	struct story story = { 0 };
	struct mirror mirror;
	int64_t now_ms = 0;
	struct at wanted = *at;

	mirror_init(&mirror);
	int r = load(cli, at, &story);

	if (r == EXIT_DONE && at_replay(&story, &at->when, &mirror, &now_ms) == 0) {
		say_beginning(&story, "nothing of that moment is kept");
		r = EXIT_USAGE;
	} else if (r == EXIT_DONE) {
		if (story.events[0].seq > 1)
			say_beginning(&story, "whoever was there before and told nothing new since "
					      "is missing");
		streams_print(cli, &mirror, now_ms,
			      &(struct stream_choice){ is_wanted, "no streams", &wanted });
	}
	mirror_fini(&mirror);
	story_fini(&story);
	return r;
}
