/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/escape.h"

#define CUT ",\"cut\":true" /* the marker of a record that lacks something */
#define TAIL_SIZE (sizeof CUT - 1 + 2) /* bytes kept free for the marker and "}\n" */
#define BODY_MAX (LOG_LINE_MAX - TAIL_SIZE)
#define NUMBER_SIZE 24 /* bytes of a 64-bit number */

struct line {
	char bytes[LOG_LINE_MAX];
	size_t used;
	bool cut;
};

/* How often one cause of one event was left out since its last line. */
struct cause {
	char event[LOG_EVENT_SIZE];
	char word[LOG_CAUSE_SIZE];
	enum log_level level;
	int64_t since_ms;
	uint64_t suppressed;
};

static struct {
	const char *actor;
	enum log_level level;
	int fd;
	enum { PREFIX_UNKNOWN, PREFIX_NO, PREFIX_YES } prefix;
	uint64_t lost; /* records that could not be written since the last one that could */
	int64_t (*clock_ms)(void);
	struct cause causes[LOG_CAUSES_MAX];
} log_state = { .actor = "unnamed", .level = LOG_LEVEL_INFO, .fd = STDERR_FILENO };

static const struct {
	const char *word;
	enum log_level level;
} levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warn", LOG_LEVEL_WARN },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
};

bool log_level_parse(const char *word, enum log_level *out)
{
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (strcmp(word, levels[i].word) == 0) {
			*out = levels[i].level;
			return true;
		}
	return false;
}

static const char *level_word(enum log_level level)
{
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (levels[i].level == level)
			return levels[i].word;
	return "unknown";
}

/* systemd names the stream it connected to the journal: see systemd.exec(5), $JOURNAL_STREAM. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat status;

	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
	       fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

static bool wants_prefix(void)
{
	if (log_state.prefix == PREFIX_UNKNOWN) {
		const char *forced = getenv("WEIR_LOG_PREFIX");
		bool yes = forced && *forced ? strcmp(forced, "1") == 0 : is_journal(log_state.fd);

		log_state.prefix = yes ? PREFIX_YES : PREFIX_NO;
	}
	return log_state.prefix == PREFIX_YES;
}

void log_init(const char *actor, enum log_level level)
{
	log_state.actor = actor;
	log_state.level = level;
	log_state.prefix = PREFIX_UNKNOWN;
}

void log_set_fd(int fd)
{
	log_state.fd = fd;
	log_state.prefix = PREFIX_UNKNOWN;
}

void log_set_clock(int64_t (*clock_ms)(void))
{
	log_state.clock_ms = clock_ms;
}

bool log_enabled(enum log_level level)
{
	return level <= log_state.level;
}

/* All or nothing. */
static bool put(struct line *line, const char *bytes, size_t length)
{
	if (length > BODY_MAX - line->used) {
		line->cut = true;
		return false;
	}
	memcpy(line->bytes + line->used, bytes, length);
	line->used += length;
	return true;
}

static bool put_string(struct line *line, const char *string)
{
	return put(line, string, strlen(string));
}

/* The text in quotes; one that is too long is cut and ends in "...". */
static bool put_quoted(struct line *line, const char *string)
{
	struct text text = text_of(string);
	size_t start = line->used, fits = 0;

	if (!put_string(line, "\""))
		return false;
	while (text.length > 0) {
		char out[ESCAPE_SIZE];
		size_t length, taken = escape_next(text, out, &length);

		if (line->used + length + 4 <= BODY_MAX)
			fits = line->used + length;
		if (!put(line, out, length))
			break;
		text.bytes += taken;
		text.length -= (uint32_t)taken;
	}
	if (text.length == 0 && put_string(line, "\""))
		return true;
	line->cut = true;
	if (fits == 0) {
		line->used = start;
		return false;
	}
	line->used = fits;
	return put_string(line, "...\"");
}

static bool put_value(struct line *line, const struct log_field *field)
{
	char number[NUMBER_SIZE];

	switch (field->kind) {
	case LOG_STR:
		return put_quoted(line, field->str ? field->str : "");
	case LOG_I64:
		(void)snprintf(number, sizeof number, "%" PRId64, field->i64);
		return put_string(line, number);
	case LOG_U64:
		(void)snprintf(number, sizeof number, "%" PRIu64, field->u64);
		return put_string(line, number);
	case LOG_BOOL:
		return put_string(line, field->flag ? "true" : "false");
	}
	return false;
}

/* A field that does not fit leaves no trace but the marker. */
static void put_field(struct line *line, const struct log_field *field)
{
	size_t start = line->used;

	if (!(put_string(line, start > 0 && line->bytes[start - 1] != '{' ? "," : "") &&
	      put_quoted(line, field->name) && put_string(line, ":") && put_value(line, field)))
		line->used = start;
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t monotonic_ms(void)
{
	struct timespec now;

	if (log_state.clock_ms)
		return log_state.clock_ms();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void line_begin(struct line *line, enum log_level level, const char *event)
{
	char prefix[] = "<0>";

	line->used = 0;
	line->cut = false;
	prefix[1] = (char)('0' + (int)level);
	if (wants_prefix())
		(void)put_string(line, prefix);
	(void)put_string(line, "{");
	put_field(line, &log_i64("time_ms", wall_ms()));
	put_field(line, &log_str("level", level_word(level)));
	put_field(line, &log_str("event", event));
	put_field(line, &log_str("actor", log_state.actor));
	if (log_state.lost > 0)
		put_field(line, &log_u64("lost", log_state.lost));
}

/* One write: a short or failed one is not repeated, for a second one could land in the middle of
 * another process's line.  A reader that is too slow must not stop us either.
 */
static void line_end(struct line *line)
{
	ssize_t written;

	if (line->cut) {
		memcpy(line->bytes + line->used, CUT, sizeof CUT - 1);
		line->used += sizeof CUT - 1;
	}
	memcpy(line->bytes + line->used, "}\n", 2);
	line->used += 2;
	do
		written = write(log_state.fd, line->bytes, line->used);
	while (written < 0 && errno == EINTR);
	log_state.lost = written == (ssize_t)line->used ? 0 : log_state.lost + 1;
}

struct record {
	enum log_level level;
	const char *event;
	const char *cause; /* "" if it has none */
	uint64_t suppressed;
};

static void write_record(const struct record *record, const struct log_field *fields, size_t count)
{
	int saved_errno = errno;
	struct line line;

	line_begin(&line, record->level, record->event);
	if (*record->cause)
		put_field(&line, &log_str("cause", record->cause));
	if (record->suppressed > 0)
		put_field(&line, &log_u64("suppressed", record->suppressed));
	for (size_t i = 0; i < count; i++)
		put_field(&line, &fields[i]);
	line_end(&line);
	errno = saved_errno;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count)
{
	const struct record record = { .level = level, .event = event, .cause = "" };

	if (log_enabled(level))
		write_record(&record, fields, count);
}

/* ---- what others can cause as often as they like ---- */

static void tell_suppressed(struct cause *cause)
{
	const struct record record = { .level = cause->level,
				       .event = cause->event,
				       .cause = cause->word,
				       .suppressed = cause->suppressed };

	if (cause->suppressed > 0)
		write_record(&record, NULL, 0);
	cause->suppressed = 0;
}

static bool is_quiet(const struct cause *cause, int64_t now_ms)
{
	return now_ms - cause->since_ms < LOG_LIMIT_MS;
}

/* Where a cause is, or may be put: none of them has to be there. */
struct places {
	struct cause *same, *others; /* of this event */
	struct cause *over; /* one of this event whose minute is over */
	struct cause *empty, *oldest;
	size_t count; /* causes of this event */
};

static void look_at(struct places *places, struct cause *cause, const struct cause *wanted,
		    int64_t now_ms)
{
	if (!*cause->event) {
		places->empty = places->empty ? places->empty : cause;
		return;
	}
	if (!places->oldest || cause->since_ms < places->oldest->since_ms)
		places->oldest = cause;
	if (strcmp(cause->event, wanted->event) != 0)
		return;
	if (strcmp(cause->word, wanted->word) == 0)
		places->same = cause;
	if (strcmp(cause->word, LOG_CAUSE_OTHERS) == 0) {
		places->others = cause;
		return;
	}
	places->count++;
	if (!is_quiet(cause, now_ms))
		places->over = cause;
}

/* The place of @wanted, cleared if another had it.  An event with too many causes counts the rest
 * as LOG_CAUSE_OTHERS, so that who invents causes silences nobody but itself.
 */
static struct cause *find_cause(struct cause *wanted, int64_t now_ms)
{
	struct places places = { 0 };
	struct cause *place;

	for (size_t i = 0; i < LOG_CAUSES_MAX; i++)
		look_at(&places, &log_state.causes[i], wanted, now_ms);
	if (places.same)
		return places.same;
	if (places.count >= LOG_EVENT_CAUSES_MAX && !places.over) {
		(void)text_put(text_of(LOG_CAUSE_OTHERS), wanted->word, sizeof wanted->word);
		if (places.others)
			return places.others;
	}
	place = places.count >= LOG_EVENT_CAUSES_MAX && places.over ? places.over
		: places.empty					    ? places.empty
								    : places.oldest;
	tell_suppressed(place);
	*place = (struct cause){ 0 };
	return place;
}

void log_write_limited(enum log_level level, const char *event, const char *cause,
		       const struct log_field *fields, size_t count)
{
	struct cause wanted = { .level = level, .since_ms = monotonic_ms() };

	if (!log_enabled(level))
		return;
	(void)text_put(text_of(event), wanted.event, sizeof wanted.event);
	(void)text_put(text_of(cause), wanted.word, sizeof wanted.word);

	struct cause *place = find_cause(&wanted, wanted.since_ms);

	if (*place->event && is_quiet(place, wanted.since_ms)) {
		place->suppressed++;
		return;
	}
	const struct record record = { .level = level,
				       .event = event,
				       .cause = wanted.word,
				       .suppressed = place->suppressed };

	*place = wanted;
	write_record(&record, fields, count);
}

void log_tell_limited(void)
{
	int64_t now_ms = monotonic_ms();

	for (size_t i = 0; i < LOG_CAUSES_MAX; i++) {
		struct cause *cause = &log_state.causes[i];

		if (cause->suppressed == 0 || is_quiet(cause, now_ms))
			continue;
		tell_suppressed(cause);
		cause->since_ms = now_ms; /* that was the line of this minute */
	}
}

void log_flush_limited(void)
{
	for (size_t i = 0; i < LOG_CAUSES_MAX; i++) {
		tell_suppressed(&log_state.causes[i]);
		log_state.causes[i] = (struct cause){ 0 };
	}
}
