/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_range.h"

#include <string.h>

#include "actors/tap/tap_call.h"
#include "actors/tap/tap_filter.h"

static bool parse(const char *option, const char *written, int64_t now_ms, struct when *out)
{
	if (when_parse(written, now_ms, out))
		return true;
	say("--%s takes a moment (%s), not '%s'", option, WHEN_FORMS, written);
	return false;
}

bool range_parse(struct range *range, const char *from, const char *until, int64_t now_ms)
{
	*range = (struct range){ 0 };
	if (!parse("from", from, now_ms, &range->from) ||
	    !parse("until", until, now_ms, &range->until))
		return false;
	if (range->from.kind == WHEN_TIME && range->from.at_ms > now_ms) {
		say("--from %s is in the future", from);
		return false;
	}
	if (range->from.kind == range->until.kind && range->from.kind != WHEN_NONE &&
	    (range->from.seq > range->until.seq || range->from.at_ms > range->until.at_ms)) {
		say("--from %s is behind --until %s", from, until);
		return false;
	}
	range->from_seq = range->from.seq;
	return true;
}

bool range_is_given(const struct range *range)
{
	return range->from.kind != WHEN_NONE || range->until.kind != WHEN_NONE;
}

/* The first kept event from some number on. */
struct probe {
	bool found;
	uint64_t seq, oldest_seq;
	int64_t at_ms;
};

static enum call_verdict take_probe(void *context, const struct stream_event *event)
{
	struct probe *probe = context;

	if (probe->found)
		return CALL_MORE;
	probe->found = true;
	probe->seq = event->seq;
	probe->at_ms = event->sent_ms;
	return CALL_MORE;
}

static int look(const struct cli *cli, uint64_t from_seq, struct probe *probe)
{
	*probe = (struct probe){ 0 };
	return history_fetch(cli, &(struct history){ .from_seq = from_seq,
						     .upto_seq = UINT64_MAX,
						     .count_max = 1,
						     .once = true,
						     .take = take_probe,
						     .context = probe,
						     .oldest_seq = &probe->oldest_seq });
}

/* The first event that is not older than @at_ms; it lies behind @before, which is older.  Steps
 * double until one is past it, then halve: 2 * 17 questions for 100,000 events.
 */
static int seek(const struct cli *cli, uint64_t before, int64_t at_ms, uint64_t *out)
{
	uint64_t low = before, high = 0, step = 1;
	struct probe probe;
	int r = EXIT_DONE;

	while (r == EXIT_DONE && (high == 0 || low + 1 < high)) {
		uint64_t middle = high == 0 ? low + step : low + (high - low) / 2;

		r = look(cli, middle, &probe);
		step *= 2;
		if (!probe.found || probe.at_ms >= at_ms)
			high = middle;
		else
			low = probe.seq;
	}
	*out = high;
	return r;
}

/* Whether everything up to --until has happened. */
static int resolve_until(const struct cli *cli, struct range *range, int64_t now_ms)
{
	struct probe probe;
	int r;

	if (range->until.kind != WHEN_SEQ) {
		range->past = range->until.kind == WHEN_TIME && range->until.at_ms <= now_ms;
		return EXIT_DONE;
	}
	r = look(cli, range->until.seq, &probe);
	range->past = probe.found;
	return r;
}

static uint64_t missing_before(const struct range *range)
{
	uint64_t end = range->oldest_seq;

	if (range->until.kind == WHEN_SEQ && range->until.seq + 1 < end)
		end = range->until.seq + 1;
	return range->from_seq > 0 && range->from_seq < end ? end - range->from_seq : 0;
}

int range_resolve(const struct cli *cli, struct range *range, int64_t now_ms)
{
	struct probe oldest;
	int r = look(cli, 0, &oldest);

	if (r == EXIT_DONE)
		r = resolve_until(cli, range, now_ms);
	if (r != EXIT_DONE || !oldest.found)
		return r;
	range->oldest_seq = oldest.seq;
	range->oldest_ms = oldest.at_ms;
	if (range->from.kind == WHEN_SEQ)
		range->missing = missing_before(range);
	if (range->from.kind != WHEN_TIME)
		return EXIT_DONE;
	if (oldest.at_ms < range->from.at_ms)
		return seek(cli, oldest.seq, range->from.at_ms, &range->from_seq);
	range->begins_late = oldest.seq > 1;
	return EXIT_DONE;
}

enum range_place range_place(const struct range *range, const struct stream_event *event)
{
	const struct when *from = &range->from, *until = &range->until;
	bool story = event_is_story(event->type);

	if ((from->kind == WHEN_SEQ && story && event->seq < from->seq) ||
	    (from->kind == WHEN_TIME && event->sent_ms < from->at_ms))
		return RANGE_BEFORE;
	if ((until->kind == WHEN_SEQ && story && event->seq > until->seq) ||
	    (until->kind == WHEN_TIME && story && event->sent_ms > until->at_ms))
		return RANGE_BEHIND;
	return RANGE_INSIDE;
}
