/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_words_managed.h"

#include <inttypes.h>

static const char *const ingest_said[INGEST_COUNT] = {
	[INGEST_UNKNOWN] = "what reaches the provider is not known",
	[INGEST_IDLE] = "no picture has reached the provider yet",
	[INGEST_LIVE] = "the picture reaches the provider",
	[INGEST_LOST] = "the provider gets no picture any more",
	[INGEST_ENDED] = "the picture ended at the provider",
	[INGEST_FAILED] = "the provider could not take the picture",
};

static const char *const playback_said[PLAYBACK_COUNT] = {
	[PLAYBACK_UNKNOWN] = "whether anybody could watch is not known",
	[PLAYBACK_DETAILS] = "the addresses for viewers are complete",
	[PLAYBACK_LIVE] = "viewers can watch it",
	[PLAYBACK_OVERDUE] = "the time is over in which viewers should have been able to watch it",
};

static const char *const output_said[OUTPUT_STATE_COUNT] = {
	[OUTPUT_NONE] = "changed",
	[OUTPUT_NEW] = "is to be added",
	[OUTPUT_IDLE] = "waits for the picture",
	[OUTPUT_ACTIVE] = "gets the picture",
	[OUTPUT_ERROR] = "failed",
	[OUTPUT_REFUSED] = "was refused",
	[OUTPUT_REMOVING] = "is to be removed",
	[OUTPUT_REMOVED] = "was removed",
};

static const char *said(const char *const *table, uint32_t count, uint32_t value)
{
	return value < count ? table[value] : "changed to something this build does not know";
}

static void provisioned_words(struct phrase *phrase, const struct stream_event *event)
{
	phrase_put(phrase, "its input ");
	phrase_put_text(phrase, event->stream_provisioned.input_id);
	if (event->stream_provisioned.phase == PHASE_CLOSED)
		phrase_put(phrase, " was made too late: it must be deleted");
	else
		phrase_put(phrase, " was made: %s",
			   words_name(&phase_words, event->stream_provisioned.phase));
}

static void output_words(struct phrase *phrase, const struct stream_event *event)
{
	phrase_put(phrase, "output %" PRIu64, event->stream_output.output);
	phrase_put_also(phrase, event->stream_output.name);
	if (event->stream_output.package.length > 0) {
		phrase_put(phrase, " of ");
		phrase_put_text(phrase, event->stream_output.package);
	}
	phrase_put(phrase, " %s",
		   said(output_said, OUTPUT_STATE_COUNT, event->stream_output.state));
	phrase_put_reason(phrase, event->stream_output.error);
}

static void settled_words(struct phrase *phrase, const struct stream_event *event)
{
	struct text id = event->stream_input_settled.input_id;

	phrase_put(phrase, id.length > 0 ? "its input " : "it has no input");
	phrase_put_text(phrase, id);
	phrase_put(phrase, id.length > 0 ? " is gone" : "");
	phrase_put_reason(phrase, event->stream_input_settled.detail);
}

void managed_words(struct phrase *phrase, const struct stream_event *event)
{
	switch ((int)event->type) {
	case EVENT_DEPLOYMENT_MARKED:
		phrase_put(phrase, "what this deployment provisions is marked ");
		phrase_put_text(phrase, event->deployment_marked.mark);
		break;
	case EVENT_STREAM_JOINED:
		phrase_put_text(phrase, event->stream_joined.package);
		phrase_put(phrase, " watches it");
		break;
	case EVENT_STREAM_LEFT:
		phrase_put_text(phrase, event->stream_left.package);
		phrase_put(phrase, " watches it no more");
		break;
	case EVENT_STREAM_PROVISIONED:
		provisioned_words(phrase, event);
		break;
	case EVENT_STREAM_INGEST:
		phrase_put(phrase, "%s",
			   said(ingest_said, INGEST_COUNT, event->stream_ingest.ingest));
		phrase_put_reason(phrase, event->stream_ingest.detail);
		break;
	case EVENT_STREAM_PLAYBACK:
		phrase_put(phrase, "%s",
			   said(playback_said, PLAYBACK_COUNT, event->stream_playback.playback));
		break;
	case EVENT_STREAM_OUTPUT:
		output_words(phrase, event);
		break;
	case EVENT_STREAM_INPUT_SETTLED:
		settled_words(phrase, event);
		break;
	default:
		phrase_put(phrase, "%s", stream_event_name(event->type));
		break;
	}
}
