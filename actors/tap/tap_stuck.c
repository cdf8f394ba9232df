/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_stuck.h"

#include "actors/tap/tap_phrase.h"

#define REASON_SIZE 64

/* The older of the two facts that cut a live stream off; 0: nothing does, or its age is unknown. */
static int64_t cut_off_ms(const struct mirror_user *user, const char **what)
{
	bool phone = user->has_link && user->link_state != LINK_UP && user->link_at_ms != 0;
	bool glasses = user->has_glasses && !user->connected && user->glasses_at_ms != 0;

	if (phone && (!glasses || user->link_at_ms <= user->glasses_at_ms)) {
		*what = "phone away";
		return user->link_at_ms;
	}
	*what = "glasses away";
	return glasses ? user->glasses_at_ms : 0;
}

/* Of all that a closed one owes, what has the tighter bound. */
static int64_t owes_since(const struct mirror_stream *stream, const struct stuck_bounds *bounds,
			  int64_t *bound_ms, const char **what)
{
	bool word = stream->stop_owed || stream->told_owed, input = mirror_input_owed(stream);

	if (!word && !input)
		return 0;
	if (input && (!word || bounds->input_ms < bounds->owed_ms)) {
		*bound_ms = bounds->input_ms;
		*what = "input owed";
	} else {
		*bound_ms = bounds->owed_ms;
		*what = stream->stop_owed ? "stop owed" : "word owed";
	}
	return stream->activity_ms;
}

/* Since when @stream waits, for longer than *@bound_ms of which it would be stuck; 0: it does not.
 */
static int64_t waits_since(const struct mirror_stream *stream, const struct stuck_bounds *bounds,
			   int64_t *bound_ms, const char **what)
{
	*what = words_name(&phase_words, stream->phase);
	switch (stream->phase) {
	case PHASE_REQUESTED:
	case PHASE_PROVISIONING:
	case PHASE_STARTING:
		*bound_ms = bounds->start_ms;
		return stream->activity_ms;
	case PHASE_STOPPING:
		*bound_ms = bounds->stop_ms;
		return stream->activity_ms;
	case PHASE_SUSPECT:
		*bound_ms = bounds->silent_ms;
		return stream->activity_ms;
	case PHASE_LIVE:
		*bound_ms = bounds->silent_ms;
		return cut_off_ms(stream->user, what);
	case PHASE_CLOSED:
		return owes_since(stream, bounds, bound_ms, what);
	case PHASE_NONE:
		break;
	}
	return 0;
}

size_t stuck_mark(struct mirror *mirror, const struct stuck_bounds *bounds, int64_t now_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < mirror->stream_count; i++) {
		struct mirror_stream *stream = &mirror->streams[i];
		char reason[REASON_SIZE];
		struct phrase phrase;
		int64_t bound_ms = 0;
		const char *what;
		int64_t since_ms = waits_since(stream, bounds, &bound_ms, &what);

		stream->stuck = NULL;
		if (since_ms == 0 || now_ms - since_ms <= bound_ms)
			continue;
		phrase_begin(&phrase, reason, sizeof reason);
		phrase_put(&phrase, "stuck: %s for ", what);
		phrase_put_span(&phrase, now_ms - since_ms);
		stream->stuck = arena_keep(&mirror->arena, text_of(reason)).bytes;
		count++;
	}
	return count;
}
