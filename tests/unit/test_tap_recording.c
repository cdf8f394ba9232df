/* SPDX-License-Identifier: MIT */
/* Goal: what a tap has written is read back as it was, whatever else stands in the file; and the
 * replay of a story shows the streams of a moment.  Method: every published event, with all its
 * fields set, through print_event() and back; mutilated lines; a story by hand.
 */
#include <criterion/criterion.h>

#include "actors/tap/tap_at.h"
#include "actors/tap/tap_filter.h"
#include "actors/tap/tap_recording.h"
#include "proto/stream_event_table.h"
#include "tests/lib/story.h"

static char lines[2 * PRINT_LINE_MAX + 2];

static enum recorded read_back(const char *text, struct recording *recording,
			       struct stream_event *event, struct record *record)
{
	recording_init(recording, fmemopen((char *)text, strlen(text), "r"));
	cr_assert(recording->from);
	return recording_next(recording, event, record);
}

static void done(struct recording *recording)
{
	(void)fclose(recording->from);
	recording_fini(recording);
}

/* Every field says something, but for secrets: those are never printed whole. */
static void fill(struct stream_event *event)
{
	const struct schema *schema = stream_event_schema(event->type);

	for (size_t i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		void *slot = (char *)event + field->offset;

		if (field->kind == FIELD_STR || field->kind == FIELD_JSON)
			*(struct text *)slot = field->secret ? TEXT("") : TEXT("{\"a\":\"\\n\"}");
		else if (field->kind == FIELD_LIST)
			*(struct text *)slot = list_of("one two");
		else if (field->kind == FIELD_ENUM)
			*(uint32_t *)slot = 1;
		else if (field->kind == FIELD_U64)
			*(uint64_t *)slot = UINT64_MAX - i;
		else if (field->kind == FIELD_I64)
			*(int64_t *)slot = -(int64_t)i;
		else
			*(bool *)slot = true;
	}
}

Test(recording, every_published_event_comes_back_as_it_was)
{
	const struct print_style style = { .json = true };
	unsigned types = 0;

	for (unsigned type = 1; type <= STREAM_EVENT_TYPE_MAX; type++) {
		static char again[PRINT_LINE_MAX];
		struct stream_event event = { .type = type }, read;
		struct recording recording;
		struct record record;

		if (!event_is_published(type))
			continue;
		fill(&event);
		size_t length = print_event(&style, &event, lines);

		lines[length] = '\0';
		cr_assert_eq(read_back(lines, &recording, &read, &record), RECORDED_EVENT, "%s",
			     lines);
		cr_expect_eq(print_event(&style, &read, again), length);
		cr_expect_eq(memcmp(lines, again, length), 0, "%s", lines);
		cr_expect_eq(recording_next(&recording, &read, &record), RECORDED_END);
		done(&recording);
		types++;
	}
	cr_assert_gt(types, 15);
}

Test(recording, lists_of_lists)
{
	static const char line[] =
		"{\"type\":\"actor.metrics\",\"counters\":[[\"a\",1],[\"b\",2]]}\n";
	const struct print_style style = { .json = true };
	struct recording recording;
	struct stream_event event;
	struct record record;

	cr_assert_eq(read_back(line, &recording, &event, &record), RECORDED_EVENT);
	lines[print_event(&style, &event, lines)] = '\0';
	cr_assert(strstr(lines, "[[\"a\",1],[\"b\",2]]"), "%s", lines);
	done(&recording);
}

Test(recording, records_of_a_tap)
{
	const struct record gap = { .type = RECORD_GAP,
				    .source = "registry",
				    .topic = "story",
				    .incarnation = 42,
				    .from_seq = 7,
				    .count = 5,
				    .sent_ms = 1764000000000 };
	const struct print_style style = { .json = true };
	struct recording recording;
	struct stream_event event;
	struct record read;

	lines[print_record(&style, &gap, lines)] = '\0';
	cr_assert_eq(read_back(lines, &recording, &event, &read), RECORDED_RECORD);
	cr_assert_eq(read.type, RECORD_GAP);
	cr_assert_str_eq(read.source, "registry");
	cr_assert_str_eq(read.topic, "story");
	cr_assert_eq(read.incarnation, 42);
	cr_assert_eq(read.from_seq, 7);
	cr_assert_eq(read.count, 5);
	cr_assert_eq(read.sent_ms, 1764000000000);
	done(&recording);
}

Test(recording, what_cannot_be_read)
{
	static const char *const wrong[] = {
		"x\n",
		"[]\n",
		"{}\n",
		"{\"type\":\"stream.opened\"\n",
		"{\"type\":\"stream.opened\",\"seq\":-1}\n",
		"{\"type\":\"stream.opened\",\"seq\":1.5}\n",
		"{\"type\":\"stream.opened\",\"user_id\":7}\n",
		"{\"type\":\"stream.opened\",\"kind\":7}\n",
		"{\"type\":\"stream.moved\",\"start_delivered\":1}\n",
		"{\"type\":\"app.subscribed\",\"types\":{}}\n",
		"{\"type\":\"app.subscribed\",\"types\":[null]}\n",
		"{\"type\":\"app.subscribed\",\"types\":[[true]]}\n",
		"{\"type\":\"stream.nothing\"}\n",
	};
	struct recording recording;
	struct stream_event event;
	struct record record;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		cr_expect_eq(read_back(wrong[i], &recording, &event, &record), RECORDED_UNREADABLE,
			     "%s", wrong[i]);
		done(&recording);
	}
}

/* A user id of one byte more than the schema allows, and a line of one byte more than any has. */
Test(recording, one_past_the_limits)
{
	char id[USER_ID_MAX + 2];
	struct recording recording;
	struct stream_event event;
	struct record record;

	memset(id, 'a', sizeof id);
	for (int more = 0; more <= 1; more++) {
		(void)snprintf(lines, sizeof lines,
			       "{\"type\":\"session.ready\",\"user_id\":\"%.*s\"}",
			       USER_ID_MAX + more, id);
		cr_expect_eq(read_back(lines, &recording, &event, &record),
			     more ? RECORDED_UNREADABLE : RECORDED_EVENT);
		done(&recording);
	}
	for (int more = 0; more <= 1; more++) {
		int length = snprintf(lines, sizeof lines, "{\"type\":\"session.ready\"}");

		memset(lines + length, ' ', sizeof lines - (size_t)length);
		lines[PRINT_LINE_MAX + more] = '\0';
		cr_expect_eq(read_back(lines, &recording, &event, &record),
			     more ? RECORDED_UNREADABLE : RECORDED_EVENT);
		done(&recording);
	}
}

/* The state of a moment --------------------------------------------------------------------- */

Test(recording, a_replay_stops_at_its_moment)
{
	struct stream_event events[] = {
		story_session("alice", EVENT_SESSION_OPENED),
		story_opened("alice", "s-1", 1, "pa"),
		story_closed("alice", "s-1", 1, false, true),
		story_opened("alice", "s-2", 2, "pa"),
	};
	static const size_t streams[] = { 0, 0, 1, 1, 2, 2 };
	struct story story = { 0 };

	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		events[i].seq = i + 1;
		events[i].stream_seq = i;
		events[i].sent_ms = 1000 * (int64_t)(i + 1);
		story_keep(&story, &events[i]);
	}
	for (uint64_t seq = 0; seq <= 5; seq++) {
		const struct when by_seq = { .kind = WHEN_SEQ, .seq = seq };
		const struct when by_time = { .kind = WHEN_TIME,
					      .at_ms = 1000 * (int64_t)seq + 999 };
		struct mirror mirror;
		int64_t now_ms;

		mirror_init(&mirror);
		cr_expect_eq(at_replay(&story, &by_seq, &mirror, &now_ms), seq < 5 ? seq : 4);
		cr_expect_eq(mirror.stream_count, streams[seq], "seq %d", (int)seq);
		cr_expect_eq(at_replay(&story, &by_time, &mirror, &now_ms), seq < 5 ? seq : 4);
		cr_expect_eq(mirror.stream_count, streams[seq]);
		cr_expect_eq(now_ms, by_time.at_ms);
		mirror_fini(&mirror);
	}
	story_fini(&story);
}
