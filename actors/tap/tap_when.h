/* SPDX-License-Identifier: MIT */
/* tap_when.h - moments of the story as people write them.  Pure but for the time zone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WHEN_TEXT_MAX 40 /* bytes of one moment as written */
#define WHEN_FORMS "N, -5m, 10:11:12, 2026-11-23T10:11:12, @UNIXTIME"

enum when_kind {
	WHEN_NONE, /* none was given */
	WHEN_SEQ, /* a number of the story */
	WHEN_TIME,
};

struct when {
	enum when_kind kind;
	uint64_t seq;
	int64_t at_ms; /* Unix time */
};

/* when_parse() - "4711" (a seq); "-90s", "-5m", "-2h", "-1d" and "+..." from @now_ms on;
 * "10:11[:12[.345]]" of today; "2026-11-23[T10:11[:12[.345]]]", local or with a Z in UTC;
 * "@1764000000[.345]" as Unix time.
 *
 * @written may be NULL: WHEN_NONE.
 *
 * Return: false if it is none of these.
 */
bool when_parse(const char *written, int64_t now_ms, struct when *out);
