/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_past.h"

#include <inttypes.h>
#include <string.h>

#include "actors/tap/tap_call.h"
#include "actors/tap/tap_filter.h"
#include "actors/tap/tap_recording.h"
#include "proto/escape.h"

static enum call_verdict take_all(void *context, const struct stream_event *event)
{
	if (event_is_published(event->type))
		story_keep(context, event);
	return CALL_MORE;
}

static enum call_verdict take_one(void *context, const struct stream_event *event)
{
	story_keep(context, event);
	return CALL_DONE;
}

static int fetch_user(const struct cli *cli, struct story *story, const char *user)
{
	return history_fetch(cli, &(struct history){ .upto_seq = UINT64_MAX,
						     .user = user,
						     .take = take_all,
						     .context = story,
						     .oldest_seq = &story->oldest_seq });
}

/* Records of the registry: what is left where the history does not reach back. */
struct rows {
	const char *word;
	struct story *story;
	bool known; /* some row is about that user, or that stream */
};

static enum call_verdict take_row(void *context, const struct stream_event *event)
{
	struct rows *rows = context;

	if (event->type == EVENT_SNAPSHOT_END)
		return CALL_DONE;
	if (!text_is(event->stream_id, rows->word) && !text_is(event->user_id, rows->word))
		return CALL_MORE;
	rows->known = true;
	if (story_is_row(event))
		story_keep(rows->story, event);
	return CALL_MORE;
}

static int fetch_rows(const struct cli *cli, struct rows *rows)
{
	struct stream_event get = { .type = EVENT_SNAPSHOT_GET, .user_id = text_of(rows->word) };

	if (get.user_id.length <= STREAM_ID_MAX)
		get.stream_id = get.user_id;
	return call_server(cli, &(struct call){ .server = &registry_snapshot,
						.question = get,
						.take = take_row,
						.context = rows });
}

/* The user of the stream @word, from the first event about it or from its record; "" if it is none.
 */
static int find_user(const struct cli *cli, struct rows *rows, char user[static USER_ID_MAX + 1])
{
	struct story *story = rows->story;
	const char *word = rows->word;
	int r = EXIT_DONE;

	*user = '\0';
	if (strlen(word) > STREAM_ID_MAX)
		return EXIT_DONE;
	r = history_fetch(cli, &(struct history){ .upto_seq = UINT64_MAX,
						  .stream = word,
						  .take = take_one,
						  .context = story,
						  .oldest_seq = &story->oldest_seq });
	if (r == EXIT_DONE && story->count == 0)
		r = fetch_rows(cli, rows);
	for (size_t i = 0; i < story->count; i++)
		if (text_is(story->events[i].stream_id, word))
			(void)text_put(story->events[i].user_id, user, USER_ID_MAX + 1);
	return r;
}

static const struct stream_event *find_type(const struct story *story, struct text stream,
					    enum stream_event_type type)
{
	for (size_t i = 0; i < story->count; i++)
		if (story->events[i].type == type && text_equal(story->events[i].stream_id, stream))
			return &story->events[i];
	return NULL;
}

static struct text choose(const struct story *story, const char *word)
{
	for (size_t i = 0; i < story->count; i++)
		if (text_is(story->events[i].stream_id, word))
			return story->events[i].stream_id;
	return story_newest(story, text_of(word));
}

/* What the end points to may be of nobody's: a gateway's. */
static int fetch_cause(const struct cli *cli, struct story *story, struct text stream)
{
	const struct stream_event *closed = find_type(story, stream, EVENT_STREAM_CLOSED);

	if (!closed || closed->cause == 0 || closed->cause < story->oldest_seq ||
	    closed->cause >= closed->seq || story_find(story, closed->cause))
		return EXIT_DONE;
	return history_fetch(cli, &(struct history){ .from_seq = closed->cause,
						     .upto_seq = closed->cause + 1,
						     .count_max = 1,
						     .take = take_one,
						     .context = story });
}

/* Its viewers were owed word of the end, and fewer have been told than watched it: of the others
 * the record knows who is still owed it.
 */
static bool owes_words(const struct story *story, struct text stream)
{
	const struct stream_event *closed = find_type(story, stream, EVENT_STREAM_CLOSED);
	size_t watching = 1, told = 0;

	if (!closed || !closed->stream_closed.told_owed)
		return false;
	for (size_t i = 0; i < story->count; i++) {
		const struct stream_event *event = &story->events[i];

		if (!text_equal(event->stream_id, stream))
			continue;
		watching += event->type == EVENT_STREAM_JOINED;
		told += event->type == EVENT_STREAM_TOLD && event->seq > closed->seq;
	}
	return told < watching;
}

static bool tells_of_user(const struct story *story, const char *user)
{
	for (size_t i = 0; i < story->count; i++)
		if (text_is(story->events[i].user_id, user))
			return true;
	return false;
}

static int unknown(const char *word, const struct story *story, bool known)
{
	char clean[ESCAPED_SIZE(USER_ID_MAX)];

	(void)escape_put(text_of(word), clean, sizeof clean);
	if (known || tells_of_user(story, word))
		say("user %s is known, but no stream of theirs is kept; `weir show %s` says more",
		    clean, clean);
	else
		say("nothing is kept about a stream or user %s; `weir ls --all` lists the streams",
		    clean);
	if (story->oldest_seq > 1)
		say("the history begins with #%" PRIu64 ": what was before is not kept",
		    story->oldest_seq);
	return EXIT_USAGE;
}

static int ask(const struct cli *cli, struct rows *rows, struct text *stream)
{
	struct story *story = rows->story;
	char user[USER_ID_MAX + 1];
	int r = find_user(cli, rows, user);

	if (r == EXIT_DONE)
		r = fetch_user(cli, story, *user ? user : rows->word);
	*stream = choose(story, rows->word);
	/* Over without an end, or without a beginning, or to the end of it all: the record may know
	 * more.
	 */
	if (r == EXIT_DONE &&
	    (!find_type(story, *stream, EVENT_STREAM_OPENED) || owes_words(story, *stream)))
		r = fetch_rows(cli, rows);
	*stream = choose(story, rows->word);
	if (r == EXIT_DONE)
		r = fetch_cause(cli, story, *stream);
	return r;
}

int past_replay(const char *path, struct story *story)
{
	struct recording recording;
	struct stream_event event;
	struct record record;
	enum recorded found;
	uint64_t unreadable = 0;
	FILE *from = recording_open(path);

	if (!from)
		return EXIT_USAGE;
	recording_init(&recording, from);
	while ((found = recording_next(&recording, &event, &record)) != RECORDED_END) {
		if (found == RECORDED_EVENT && event_is_story(event.type))
			story_keep(story, &event);
		unreadable += found == RECORDED_UNREADABLE;
	}
	recording_fini(&recording);
	if (from != stdin)
		(void)fclose(from);
	if (unreadable > 0)
		say("%" PRIu64 " lines could not be read", unreadable);
	story->oldest_seq = story->count > 0 ? story->events[0].seq : 0;
	return EXIT_DONE;
}

int past_fetch(const struct cli *cli, const struct past *past, struct story *story,
	       struct text *stream)
{
	struct rows rows = { .word = past->word, .story = story };
	int r = past->replay ? past_replay(past->replay, story) : ask(cli, &rows, stream);

	if (r != EXIT_DONE)
		return r;
	*stream = choose(story, past->word);
	return stream->length > 0 ? EXIT_DONE : unknown(past->word, story, rows.known);
}
