/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_words.h"

#include <inttypes.h>

#include "actors/tap/tap_words_managed.h"
#include "proto/list.h"

static void gateway_words(struct phrase *phrase, const struct stream_event *event)
{
	static const char *const said[LINK_COUNT] = { [LINK_NONE] = "changed",
						      [LINK_UP] = "is up",
						      [LINK_DOWN] = "is gone",
						      [LINK_LOST] = "was lost" };
	uint32_t state = event->gateway_changed.state;

	phrase_put_text(phrase, event->gateway_changed.name);
	phrase_put(phrase, " %s", state < LINK_COUNT ? said[state] : "changed");
	phrase_put_reason(phrase, event->gateway_changed.reason);
}

static void link_words_of(struct phrase *phrase, const struct stream_event *event)
{
	uint64_t code = event->link_changed.code;

	if (event->link_changed.state == LINK_UP)
		phrase_put(phrase, "the phone connected");
	else if (code != 0)
		phrase_put(phrase, "the phone's connection closed with %" PRIu64, code);
	else
		phrase_put(phrase, "the phone's connection went down with its gateway");
}

static void glasses_words(struct phrase *phrase, const struct stream_event *event)
{
	phrase_put(phrase, event->glasses_changed.connected
				   ? "the glasses are connected to the phone"
				   : "the glasses are not connected to the phone");
	phrase_put_also(phrase, event->glasses_changed.model);
	if (event->glasses_changed.wifi != WIFI_UNKNOWN)
		phrase_put(phrase, ", wifi %s",
			   words_name(&wifi_words, event->glasses_changed.wifi));
}

static void subscribed_words(struct phrase *phrase, const struct stream_event *event)
{
	struct wire wire;
	uint32_t count = 0;

	(void)list_read(event->app_subscribed.types, &wire, &count);
	phrase_put_text(phrase, event->app_subscribed.package);
	phrase_put(phrase, " is subscribed to %" PRIu32 " types", count);
}

static void moved_words(struct phrase *phrase, const struct stream_event *event)
{
	const char *phase = words_name(&phase_words, event->stream_moved.phase);
	uint64_t missed = event->stream_moved.missed;

	if (missed > 0)
		phrase_put(phrase, "%" PRIu64 " %s in a row unanswered: %s", missed,
			   missed == 1 ? "probe" : "probes", phase);
	else if (event->stream_moved.phase == PHASE_STARTING)
		phrase_put(phrase, "the start was delivered to the phone: %s", phase);
	else if (event->stream_moved.phase == PHASE_LIVE)
		phrase_put(phrase, "probes are answered again: %s", phase);
	else
		phrase_put(phrase, "%s", phase);
}

static void closed_words(struct phrase *phrase, const struct stream_event *event)
{
	phrase_put(phrase, "ended: %s",
		   words_name(&end_cause_words, event->stream_closed.end_cause));
	if (event->stream_closed.status != DEVICE_NONE)
		phrase_put(phrase, ", the glasses said %s",
			   words_name(&device_status_words, event->stream_closed.status));
	phrase_put_reason(phrase, event->stream_closed.detail);
	if (event->stream_closed.by.length > 0) {
		phrase_put(phrase, ", asked by ");
		phrase_put_text(phrase, event->stream_closed.by);
	}
	phrase_put(phrase, ", phone link %s",
		   words_name(&link_words, event->stream_closed.link_state));
	if (event->stream_closed.input_owed)
		phrase_put(phrase, ", its input must be deleted");
}

static void app_words(struct phrase *phrase, const struct stream_event *event)
{
	phrase_put_text(phrase, event->app_changed.package);
	phrase_put(phrase, ": %s", words_name(&app_state_words, event->app_changed.state));
	phrase_put_reason(phrase, event->app_changed.reason);
}

static void told_words(struct phrase *phrase, const struct stream_event *event)
{
	phrase_put(phrase, "word of the end to ");
	phrase_put_text(phrase, event->stream_told.package);
	phrase_put(phrase, ": %s", words_name(&outcome_words, event->stream_told.outcome));
}

static void stream_words(struct phrase *phrase, const struct stream_event *event)
{
	switch ((int)event->type) {
	case EVENT_STREAM_OPENED:
		phrase_put(phrase, "opened by ");
		phrase_put_text(phrase, event->stream_opened.package);
		if (event->stream_opened.provider != PROVIDER_NONE)
			phrase_put(phrase, ", at provider %s",
				   words_name(&provider_words, event->stream_opened.provider));
		break;
	case EVENT_STREAM_STATUS:
		phrase_put(phrase, "the glasses said %s: %s",
			   words_name(&device_status_words, event->stream_status.status),
			   words_name(&phase_words, event->stream_status.phase));
		phrase_put_reason(phrase, event->stream_status.detail);
		break;
	case EVENT_STREAM_MOVED:
		moved_words(phrase, event);
		break;
	case EVENT_STREAM_CLOSED:
		closed_words(phrase, event);
		break;
	case EVENT_STREAM_TOLD:
		told_words(phrase, event);
		break;
	case EVENT_STREAM_STOP_SETTLED:
		phrase_put(phrase, "stop to the glasses: %s",
			   words_name(&outcome_words, event->stream_stop_settled.outcome));
		break;
	default:
		managed_words(phrase, event);
		break;
	}
}

void event_words(struct phrase *phrase, const struct stream_event *event)
{
	switch ((int)event->type) {
	case EVENT_GATEWAY_CHANGED:
		gateway_words(phrase, event);
		break;
	case EVENT_RECORD_QUARANTINED:
		phrase_put(phrase, "a damaged record of the store was put into quarantine: %s, %s",
			   words_name(&bucket_words, event->record_quarantined.bucket),
			   words_name(&damage_words, event->record_quarantined.reason));
		break;
	case EVENT_RECORD_REBUILT:
		phrase_put(phrase, "the user's record was damaged, and rebuilt from the history");
		break;
	case EVENT_SESSION_OPENED:
		phrase_put(phrase, "the session opened");
		break;
	case EVENT_SESSION_READY:
		phrase_put(phrase, "the session is ready");
		break;
	case EVENT_SESSION_ENDING:
		phrase_put(phrase, "the session's grace is over");
		break;
	case EVENT_SESSION_CLOSED:
		phrase_put(phrase, "the session closed");
		phrase_put_reason(phrase, event->session_closed.reason);
		break;
	case EVENT_LINK_CHANGED:
		link_words_of(phrase, event);
		break;
	case EVENT_GLASSES_CHANGED:
		glasses_words(phrase, event);
		break;
	case EVENT_APP_CHANGED:
		app_words(phrase, event);
		break;
	case EVENT_APP_SUBSCRIBED:
		subscribed_words(phrase, event);
		break;
	default:
		stream_words(phrase, event);
		break;
	}
}
