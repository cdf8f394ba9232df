/* SPDX-License-Identifier: MIT */
/* why_stage.h - a user's story, made event by event, and what `weir why` says of it, compared with
 * tests/golden/why/NAME.txt.  With WEIR_GOLDEN_WRITE=1 a file that differs is written anew, and the
 * test fails all the same: look at the difference, then run it again.
 */
#pragma once

#include <criterion/criterion.h>

#include <stdlib.h>
#include <time.h>

#include "actors/tap/tap_why_print.h"
#include "common/phase.h"
#include "tests/lib/story.h"

#define U "alice@example.com"
#define ID "s-4k2j9x1qa"
#define NEXT "s-4k2j9x1qb"
#define APP "com.example.cam"
#define OTHER "com.example.second"
#define START_MS INT64_C(1764000000000) /* 2025-11-24 16:00:00 UTC */
#define GOLDEN_SIZE 16384

static struct story story;
static uint64_t seq;
static enum kind stream_kind = KIND_UNMANAGED;

static inline void setup(void)
{
	cr_assert_eq(setenv("TZ", "UTC", 1), 0);
	tzset();
	story = (struct story){ .oldest_seq = 1 };
	seq = 0;
}

static inline void teardown(void)
{
	story_fini(&story);
}

/* The story goes on at @ms after START_MS; returns the seq. */
static inline uint64_t at(int64_t ms, struct stream_event event)
{
	event.seq = ++seq;
	event.sent_ms = START_MS + ms;
	story_keep(&story, &event);
	return seq;
}

static inline struct stream_event of_stream(enum stream_event_type type)
{
	return story_stream(U, ID, 7, type);
}

static inline struct stream_event status(enum device_status word, const char *detail)
{
	struct stream_event event = of_stream(EVENT_STREAM_STATUS);

	event.stream_status.status = word;
	event.stream_status.phase = word == DEVICE_STREAMING ? PHASE_LIVE : PHASE_STARTING;
	event.stream_status.detail = text_of(detail);
	return event;
}

static inline struct stream_event moved(enum phase phase, uint64_t missed)
{
	struct stream_event event = of_stream(EVENT_STREAM_MOVED);

	event.stream_moved.phase = phase;
	event.stream_moved.missed = missed;
	event.stream_moved.start_delivered = true;
	return event;
}

static inline struct stream_event told_to(const char *package, enum outcome outcome)
{
	struct stream_event event = of_stream(EVENT_STREAM_TOLD);

	event.stream_told.package = text_of(package);
	event.stream_told.outcome = outcome;
	return event;
}

static inline struct stream_event told(enum outcome outcome)
{
	return told_to(APP, outcome);
}

static inline struct stream_event stop_settled(enum outcome outcome)
{
	struct stream_event event = of_stream(EVENT_STREAM_STOP_SETTLED);

	event.stream_stop_settled.outcome = outcome;
	return event;
}

static inline struct stream_event app(enum app_state state, const char *reason)
{
	struct stream_event event = story_app(U, APP, state);

	event.app_changed.reason = text_of(reason);
	return event;
}

static inline struct stream_event link_down(uint64_t code)
{
	struct stream_event event = story_link(U, 40, 12, LINK_DOWN);

	event.link_changed.code = code;
	return event;
}

/* As the registry fills it in, by the tables of common/phase.h. */
static inline struct stream_event closed(enum end_cause cause, uint64_t evidence)
{
	const struct end_rule *rule = phase_end_rule(stream_kind, cause);
	struct stream_event event = of_stream(EVENT_STREAM_CLOSED);

	event.cause = evidence;
	event.stream_closed.end_cause = cause;
	event.stream_closed.hop = rule->hop;
	event.stream_closed.link_state = LINK_UP;
	event.stream_closed.stop_owed = rule->stop_if_up;
	event.stream_closed.told_owed = true;
	event.stream_closed.last_ack_age_ms = -1;
	return event;
}

static inline struct stream_event silent(enum end_cause cause, uint64_t evidence,
					 enum link_state state)
{
	struct stream_event event = closed(cause, evidence);

	event.stream_closed.missed = 3;
	event.stream_closed.last_ack_age_ms = 55000;
	event.stream_closed.link_state = state;
	event.stream_closed.stop_owed = state != LINK_UP;
	return event;
}

static inline struct stream_event asked(enum end_cause cause, const char *by)
{
	struct stream_event event = closed(cause, 0);

	event.stream_closed.by = text_of(by);
	return event;
}

/* A phone with glasses, an app, and the request; returns the seq of stream.opened. */
static inline uint64_t request(void)
{
	at(-60000, story_link(U, 40, 12, LINK_UP));
	at(-59000, story_glasses(U, "Mentra Live", true, WIFI_ON));
	at(-30000, app(APP_RUNNING, "init"));
	return at(0, story_opened(U, ID, 7, APP));
}

/* ... until it streams; returns the seq of the last sign of life. */
static inline uint64_t go_live(void)
{
	(void)request();
	at(80, moved(PHASE_STARTING, 0));
	at(300, status(DEVICE_INITIALIZING, ""));
	return at(1500, status(DEVICE_STREAMING, ""));
}

static inline void miss_twice(int64_t first_ms)
{
	at(first_ms, moved(PHASE_SUSPECT, 1));
	at(first_ms + 15000, moved(PHASE_SUSPECT, 2));
}

/* The app is told at once. */
static inline void end(int64_t ms, struct stream_event event)
{
	at(ms, event);
	at(ms + 20, told(OUTCOME_SENT));
}

static inline void end_and_stop(int64_t ms, struct stream_event event)
{
	at(ms, event);
	at(ms + 10, stop_settled(OUTCOME_SENT));
	at(ms + 20, told(OUTCOME_SENT));
}

static inline const char *explain(int64_t now_ms)
{
	static char text[GOLDEN_SIZE];
	FILE *to = fmemopen(text, sizeof text, "w");
	struct why why;

	cr_assert(to);
	cr_assert(why_explain(&story, TEXT(ID), START_MS + now_ms, &why));
	why_print(&why, to, false);
	cr_assert_eq(fclose(to), 0);
	return text;
}

static inline const char *read_golden(const char *path)
{
	static char text[GOLDEN_SIZE];
	FILE *from = fopen(path, "r");

	*text = '\0';
	if (!from)
		return text;
	text[fread(text, 1, sizeof text - 1, from)] = '\0';
	(void)fclose(from);
	return text;
}

static inline unsigned lines_of(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static inline void compare(const char *name, int64_t now_ms)
{
	const char *got = explain(now_ms), *root = getenv("WEIR_SOURCE_ROOT");
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/tests/golden/why/%s.txt", root ? root : ".", name);
	const char *golden = read_golden(path);

	if (strcmp(golden, got) != 0 && getenv("WEIR_GOLDEN_WRITE")) {
		FILE *to = fopen(path, "w");

		cr_assert(to && fputs(got, to) >= 0 && fclose(to) == 0);
	}
	cr_assert_str_eq(got, golden, "%s\n%s", path, got);
	cr_assert_geq(lines_of(got), 3);
	cr_assert_leq(lines_of(got), 8);
}
