/* SPDX-License-Identifier: MIT */
/* log.h - structured records on stderr: one JSON object per line, typed fields only.
 *
 * The first argument is a stable event name ("stream.expired"), never a sentence built
 * with printf; everything that varies is a field.  Cores do not log: shells do.
 *
 * A record is one write() of at most LOG_LINE_MAX bytes, so that lines of several processes do
 * not mix.  What does not fit is left out field by field, a long text is cut, and the record then
 * has "cut":true.  Text is escaped as proto/escape.h says.
 *
 * A line begins with the <N> that tells journald its level if stderr is the journal, or if
 * WEIR_LOG_PREFIX=1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 4096 /* bytes, with the newline: writes up to PIPE_BUF do not mix */
#define LOG_CAUSES_MAX 256 /* causes, of all events, that are limited at one time */
#define LOG_EVENT_CAUSES_MAX 16 /* causes of one event; the rest share one more place */
#define LOG_CAUSE_OTHERS "others" /* the name of that place */
#define LOG_EVENT_SIZE 64 /* bytes, with the NUL; what is longer is cut */
#define LOG_CAUSE_SIZE 96
#define LOG_LIMIT_MS 60000

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

struct log_field {
	const char *name;
	enum { LOG_STR, LOG_I64, LOG_U64, LOG_BOOL } kind;
	union {
		const char *str; /* borrowed for the call */
		int64_t i64;
		uint64_t u64;
		bool flag;
	};
};

#define log_str(n, v) ((struct log_field){ .name = (n), .kind = LOG_STR, .str = (v) })
#define log_i64(n, v) ((struct log_field){ .name = (n), .kind = LOG_I64, .i64 = (v) })
#define log_u64(n, v) ((struct log_field){ .name = (n), .kind = LOG_U64, .u64 = (v) })
#define log_bool(n, v) ((struct log_field){ .name = (n), .kind = LOG_BOOL, .flag = (v) })

#define log_fields(...) \
	(const struct log_field[]){ __VA_ARGS__ }, \
		sizeof((struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field)
#define log_at(level, event, ...) log_write((level), (event), log_fields(__VA_ARGS__))
#define log_error(event, ...) log_at(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_at(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_at(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_at(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* log_limited() - a warning that others can cause as often as they like: written once per
 * @event and LOG_LIMIT_MS.  The next line of that event tells in "suppressed" how many were left
 * out; where no next one comes, log_tell_limited() does.
 *
 * log_limited_by() - the same once per @event and @cause, which becomes the field "cause": what is
 * wrong, or with whom, so that one mistake does not hide another.  The first LOG_EVENT_CAUSES_MAX
 * causes of a minute have a line of their own, the rest one in common.
 */
#define log_limited(event, ...) log_limited_by(event, "", __VA_ARGS__)
#define log_limited_by(event, cause, ...) \
	log_write_limited(LOG_LEVEL_WARN, (event), (cause), log_fields(__VA_ARGS__))

/* log_init() - name every record's "actor" and drop levels above @level.
 *
 * @actor is borrowed for good.
 */
void log_init(const char *actor, enum log_level level);

/* log_set_fd() - write to @fd instead of stderr.  log_set_clock() - take the time of log_limited()
 * from @clock_ms instead of CLOCK_MONOTONIC.  For tests.
 */
void log_set_fd(int fd);
void log_set_clock(int64_t (*clock_ms)(void));

/* log_level_parse() - "error", "warn", "info" or "debug"; false if @word is none of them. */
bool log_level_parse(const char *word, enum log_level *out);

/* log_enabled() - whether records of @level are written: for fields that cost something. */
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count);
void log_write_limited(enum log_level level, const char *event, const char *cause,
		       const struct log_field *fields, size_t count);

/* log_tell_limited() - write what was suppressed in minutes that are over; to be called now and
 * then, for an attack that has ended is not heard of again.
 */
void log_tell_limited(void);

/* log_flush_limited() - write what is still counted as suppressed; for the end of a process. */
void log_flush_limited(void);
