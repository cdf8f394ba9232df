/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_when.h"

#include <string.h>
#include <time.h>

#define DIGITS_MAX 18 /* fit an int64_t */

/* @least to @most digits; moves @at behind them. */
static bool number(const char **at, unsigned least, unsigned most, int64_t *out)
{
	const char *from = *at;

	*out = 0;
	while (**at >= '0' && **at <= '9' && (unsigned)(*at - from) < most)
		*out = *out * 10 + (*(*at)++ - '0');
	return (unsigned)(*at - from) >= least;
}

/* ".345", if there is one, to ms; more than three digits are cut off. */
static bool fraction(const char **at, int64_t *out_ms)
{
	int64_t scale = 100;

	*out_ms = 0;
	if (**at != '.')
		return true;
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, scale /= 10)
		*out_ms += (**at - '0') * scale;
	return scale < 100;
}

static bool duration(const char *at, int64_t *out_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	int64_t whole, part;

	if (!number(&at, 1, 9, &whole) || !fraction(&at, &part))
		return false;
	if (at[0] == '\0' || at[1] != '\0')
		return false;
	for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++)
		if (units[i].unit == *at) {
			*out_ms = whole * units[i].ms + part * (units[i].ms / 1000);
			return true;
		}
	return false;
}

/* "10:11", "10:11:12", "10:11:12.345" */
static bool clock_of(const char **at, struct tm *local, int64_t *out_ms)
{
	int64_t hour, minute, second = 0;

	*out_ms = 0;
	if (!number(at, 1, 2, &hour) || *(*at)++ != ':' || !number(at, 2, 2, &minute))
		return false;
	if (**at == ':') {
		(*at)++;
		if (!number(at, 2, 2, &second) || !fraction(at, out_ms))
			return false;
	}
	local->tm_hour = (int)hour;
	local->tm_min = (int)minute;
	local->tm_sec = (int)second;
	return hour < 24 && minute < 60 && second < 60;
}

static bool date_of(const char **at, struct tm *local)
{
	int64_t year, month, day;

	if (!number(at, 4, 4, &year) || *(*at)++ != '-' || !number(at, 2, 2, &month) ||
	    *(*at)++ != '-' || !number(at, 2, 2, &day))
		return false;
	*local = (struct tm){ .tm_year = (int)year - 1900,
			      .tm_mon = (int)month - 1,
			      .tm_mday = (int)day };
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool calendar(const char *at, int64_t now_ms, int64_t *out_ms)
{
	time_t now = now_ms / 1000;
	struct tm local;
	int64_t part = 0;

	if (strlen(at) > 4 && at[4] == '-') {
		if (!date_of(&at, &local))
			return false;
		if ((*at == 'T' || *at == ' ') && (at++, !clock_of(&at, &local, &part)))
			return false;
	} else if (!localtime_r(&now, &local) || !clock_of(&at, &local, &part)) {
		return false;
	}
	bool utc = *at == 'Z';

	if (at[utc] != '\0')
		return false;
	local.tm_isdst = -1;
	*out_ms = (int64_t)(utc ? timegm(&local) : mktime(&local)) * 1000 + part;
	return true;
}

static bool unix_time(const char *at, int64_t *out_ms)
{
	int64_t whole, part;

	if (!number(&at, 1, 12, &whole) || !fraction(&at, &part) || *at != '\0')
		return false;
	*out_ms = whole * 1000 + part;
	return true;
}

bool when_parse(const char *written, int64_t now_ms, struct when *out)
{
	const char *at = written;
	int64_t whole, ms;

	*out = (struct when){ .kind = WHEN_NONE };
	if (!written)
		return true;
	if (strlen(written) > WHEN_TEXT_MAX)
		return false;
	if (number(&at, 1, DIGITS_MAX, &whole) && *at == '\0') {
		*out = (struct when){ .kind = WHEN_SEQ, .seq = (uint64_t)whole };
		return true;
	}
	bool relative = *written == '-' || *written == '+';

	if (!(relative		? duration(written + 1, &ms)
	      : *written == '@' ? unix_time(written + 1, &ms)
				: calendar(written, now_ms, &ms)))
		return false;
	*out = (struct when){ .kind = WHEN_TIME,
			      .at_ms = !relative	 ? ms
				       : *written == '-' ? now_ms - ms
							 : now_ms + ms };
	return true;
}
