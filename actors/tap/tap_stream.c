/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_stream.h"

#include <stdio.h>

void stream_json(const struct mirror *mirror, const struct mirror_stream *stream,
		 struct json_out *json)
{
	json_out_text(json, "stream_id", stream->id);
	json_out_text(json, "user_id", stream->user->id);
	json_out_word(json, "kind", words_name(&kind_words, stream->kind));
	json_out_word(json, "phase", words_name(&phase_words, stream->phase));
	json_out_text(json, "app", stream->package);
	json_out_u64(json, "epoch", stream->epoch);
	/* An unmanaged stream has its owner and nobody else. */
	json_out_u64(json, "viewers", stream->kind == KIND_UNMANAGED);
	json_out_i64(json, "created_ms", stream->created_ms);
	json_out_i64(json, "activity_ms", stream->activity_ms);
	json_out_u64(json, "missed", stream->missed);
	json_out_word(json, "link_state", words_name(&link_words, stream->user->link_state));
	json_out_text(json, "gateway", mirror_gateway_name(mirror, stream->user->gateway));
	json_out_bool(json, "start_delivered", stream->start_delivered);
	json_out_bool(json, "stop_owed", stream->stop_owed);
	json_out_bool(json, "told_owed", stream->told_owed);
	json_out_word(json, "end_cause", words_name(&end_cause_words, stream->end_cause));
	json_out_word(json, "hop", words_name(&hop_words, stream->hop));
}

static void append(char note[static STREAM_NOTE_SIZE], const char *text)
{
	size_t used = strlen(note);

	(void)snprintf(note + used, STREAM_NOTE_SIZE - used, "%s%s", used ? ", " : "", text);
}

const char *stream_note(const struct mirror_stream *stream, char note[static STREAM_NOTE_SIZE])
{
	*note = '\0';
	if (stream->stop_owed)
		append(note, "stop owed");
	if (stream->told_owed)
		append(note, "app not told");
	if (stream->phase == PHASE_REQUESTED && !stream->start_delivered)
		append(note, "start owed");
	/* Last: a narrow table cuts off the end. */
	if (stream->end_cause != END_NONE)
		append(note, words_name(&end_cause_words, stream->end_cause));
	return note;
}

enum colour stream_phase_colour(enum phase phase)
{
	switch (phase) {
	case PHASE_LIVE:
		return COLOUR_GREEN;
	case PHASE_SUSPECT:
		return COLOUR_RED;
	case PHASE_REQUESTED:
	case PHASE_PROVISIONING:
	case PHASE_STARTING:
	case PHASE_STOPPING:
		return COLOUR_YELLOW;
	case PHASE_CLOSED:
		return COLOUR_DIM;
	case PHASE_NONE:
		break;
	}
	return COLOUR_NONE;
}
