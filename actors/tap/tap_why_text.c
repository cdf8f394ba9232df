/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "actors/tap/tap_phrase.h"
#include "actors/tap/tap_why_internal.h"

enum phase why_phase(const struct why_known *known)
{
	const struct stream_event *last = known->miss ? known->miss : known->activity;

	if (last && last->type == EVENT_STREAM_STATUS)
		return (enum phase)last->stream_status.phase;
	if (last && last->type == EVENT_STREAM_MOVED)
		return (enum phase)last->stream_moved.phase;
	if (last && last->type == EVENT_STREAM_PROVISIONED)
		return (enum phase)last->stream_provisioned.phase;
	return known->row ? (enum phase)known->row->snapshot_stream.phase : PHASE_REQUESTED;
}

uint64_t why_missed(const struct why_known *known)
{
	if (known->miss)
		return known->miss->stream_moved.missed;
	return known->row && !known->activity ? known->row->snapshot_stream.missed : 0;
}

static void put_who(struct phrase *phrase, struct text who, const char *otherwise)
{
	if (who.length > 0)
		phrase_put_text(phrase, who);
	else
		phrase_put(phrase, "%s", otherwise);
}

static void put_detail(struct phrase *phrase, const struct stream_event *closed)
{
	if (closed->stream_closed.detail.length == 0)
		return;
	phrase_put(phrase, ": ");
	phrase_put_text(phrase, closed->stream_closed.detail);
}

static void put_probes(struct phrase *phrase, const struct stream_event *closed)
{
	uint64_t missed = closed->stream_closed.missed;

	if (missed > 0)
		phrase_put(phrase, ", and %" PRIu64 " %s in a row stayed unanswered", missed,
			   missed == 1 ? "probe" : "probes");
}

/* How long the phase that ran out had stood. */
static void put_wait(struct phrase *phrase, const struct why_known *known)
{
	if (!known->cause)
		return;
	phrase_put(phrase, " within ");
	phrase_put_span(phrase, known->closed->sent_ms - known->cause->sent_ms);
}

static void say_request(const struct why_known *known, const struct why *why, struct phrase *phrase)
{
	struct text by = known->closed->stream_closed.by;

	switch (why->end_cause) {
	case END_APP_STOP:
		put_who(phrase, by, "its app");
		phrase_put(phrase, known->managed.left ? ", the last that watched, left"
						       : " asked for the stop");
		break;
	case END_TAKEOVER:
		put_who(phrase, by, "an app");
		if (why->kind == KIND_MANAGED)
			phrase_put(phrase, " started an unmanaged stream, and a user has one");
		else
			phrase_put(phrase,
				   text_equal(by, why->package)
					   ? ", its own app, started another stream"
					   : ", another app, started a stream, and a user has one");
		if (why->replaced_by.length > 0) {
			phrase_put(phrase, "; replaced by ");
			phrase_put_text(phrase, why->replaced_by);
		}
		break;
	default:
		phrase_put(phrase, "operator ");
		put_who(phrase, by, "(no name given)");
		phrase_put(phrase, " asked for the stop");
		break;
	}
}

static void say_app_closed(const struct why_known *known, const struct why *why,
			   struct phrase *phrase)
{
	const struct stream_event *app = known->cause;

	/* Of several that watched it was the last. */
	phrase_put(phrase, "its app ");
	put_who(phrase, app ? app->app_changed.package : why->package, "(not kept)");
	phrase_put(phrase, " was ended");
	if (!app || app->app_changed.reason.length == 0)
		return;
	phrase_put(phrase, ": ");
	phrase_put_text(phrase, app->app_changed.reason);
}

static void say_device(const struct why_known *known, const struct why *why, struct phrase *phrase)
{
	const struct stream_event *closed = known->closed;

	switch (why->end_cause) {
	case END_DEVICE_STOPPED:
		phrase_put(phrase, "the glasses said that it is over (%s)",
			   words_name(&device_status_words, closed->stream_closed.status));
		break;
	case END_DEVICE_ERROR:
		phrase_put(phrase, "the glasses reported an error");
		break;
	case END_RECONNECT_FAILED:
		phrase_put(phrase, "the glasses lost the way to the stream's destination and gave "
				   "up reconnecting");
		break;
	default:
		phrase_put(phrase, "the glasses reported a timeout of their own");
		break;
	}
	put_detail(phrase, closed);
}

static void say_silence(const struct why_known *known, const struct why *why, struct phrase *phrase)
{
	switch (why->end_cause) {
	case END_PHONE_LOST:
		phrase_put(phrase, "the phone's connection was gone");
		break;
	case END_GLASSES_LOST:
		phrase_put(phrase, "the phone was connected, but the glasses were not connected "
				   "to it");
		break;
	case END_ACKS_MISSED:
		phrase_put(phrase, "phone and glasses were connected");
		break;
	default:
		if (known->cause && known->cause->type == EVENT_GATEWAY_CHANGED) {
			phrase_put_text(phrase, known->cause->gateway_changed.name);
			phrase_put(phrase, ", which held the phone's connection, was gone");
		} else {
			phrase_put(phrase, "the gateway that held the phone's connection was gone");
		}
		break;
	}
	put_probes(phrase, known->closed);
}

static void say_bound(const struct why_known *known, const struct why *why, struct phrase *phrase)
{
	switch (why->end_cause) {
	case END_NEVER_STARTED:
		phrase_put(phrase, known->delivered
					   ? "the glasses got the start and never reported a stream"
					   : "the start never reached the glasses");
		put_wait(phrase, known);
		break;
	case END_STALLED:
		phrase_put(phrase, "it did not get on: nothing new was heard from the glasses");
		put_wait(phrase, known);
		break;
	case END_SESSION_ENDED:
		phrase_put(phrase, "the phone did not come back");
		put_wait(phrase, known);
		break;
	default:
		phrase_put(phrase, "the time it had been given was over: it had to end");
		put_wait(phrase, known);
		break;
	}
}

static void say_end(const struct why_known *known, const struct why *why, struct phrase *phrase)
{
	switch (why->end_cause) {
	case END_APP_STOP:
	case END_TAKEOVER:
	case END_OPERATOR_STOP:
		say_request(known, why, phrase);
		break;
	case END_APP_CLOSED:
		say_app_closed(known, why, phrase);
		break;
	case END_DEVICE_STOPPED:
	case END_DEVICE_ERROR:
	case END_RECONNECT_FAILED:
	case END_DEVICE_TIMEOUT:
		say_device(known, why, phrase);
		break;
	case END_PHONE_LOST:
	case END_GLASSES_LOST:
	case END_ACKS_MISSED:
	case END_GATEWAY_LOST:
		say_silence(known, why, phrase);
		break;
	case END_NEVER_STARTED:
	case END_STALLED:
	case END_SESSION_ENDED:
	case END_DURATION_LIMIT:
		say_bound(known, why, phrase);
		break;
	case END_PROVIDER_ERROR:
		phrase_put(phrase, why->kind == KIND_MANAGED && !known->managed.provisioned
					   ? "no input was got from the provider"
					   : "the provider could not go on");
		put_detail(phrase, known->closed);
		break;
	case END_RECORD_LOST:
		phrase_put(phrase, "its record in the registry's store was damaged; it was "
				   "ended from the history");
		break;
	case END_NONE:
		phrase_put(phrase, "no cause was recorded");
		break;
	}
}

/* The worst that is known of a live stream, the worst first; HOP_NONE if nothing is. */
static enum hop worst(const struct why_known *known, const struct why *why, struct phrase *phrase)
{
	const struct stream_event *link = known->link, *glasses = known->glasses;
	uint64_t missed = why_missed(known);

	if (link && link->link_changed.state != LINK_UP) {
		phrase_put(phrase, "the phone is not connected");
		return HOP_PHONE_LINK;
	}
	if (glasses && !glasses->glasses_changed.connected) {
		phrase_put(phrase, "the glasses are not connected to the phone");
		return HOP_GLASSES;
	}
	if (missed > 0) {
		phrase_put(phrase, "%" PRIu64 " %s in a row unanswered", missed,
			   missed == 1 ? "probe" : "probes");
		return HOP_GLASSES;
	}
	if (known->app && known->app->app_changed.state != APP_RUNNING) {
		phrase_put(phrase, "its app is %s",
			   words_name(&app_state_words, known->app->app_changed.state));
		return HOP_APP;
	}
	if (why->phase == PHASE_REQUESTED && why->kind == KIND_MANAGED) {
		phrase_put(phrase, "the provider has to make its input");
		return HOP_PROVIDER;
	}
	if (why->phase == PHASE_REQUESTED || why->phase == PHASE_PROVISIONING) {
		phrase_put(phrase, "the start has not reached the phone yet");
		return HOP_PHONE_LINK;
	}
	if (why->phase == PHASE_STARTING || why->phase == PHASE_STOPPING) {
		phrase_put(phrase, "the glasses have to answer");
		return HOP_GLASSES;
	}
	enum hop hop = why_managed_worst(known, phrase);

	if (hop == HOP_NONE)
		phrase_put(phrase, "nothing is wrong");
	return hop;
}

static void say_life(const struct why_known *known, struct why *why, struct phrase *phrase)
{
	const struct stream_event *since = known->miss ? known->miss : known->activity;

	phrase_put(phrase, "phase %s, ", words_name(&phase_words, why->phase));
	if (since) {
		phrase_put(phrase, "the last event ");
		phrase_put_span(phrase, why->reference_ms - since->sent_ms);
		phrase_put(phrase, " ago; ");
	}
	why->hop = worst(known, why, phrase);
}

void why_sentence(const struct why_known *known, struct why *out)
{
	struct phrase phrase;

	phrase_begin(&phrase, out->sentence, sizeof out->sentence);
	if (known->closed)
		say_end(known, out, &phrase);
	else if (!out->ended)
		say_life(known, out, &phrase);
	else if (out->end_cause != END_NONE)
		phrase_put(&phrase, "only the record is left, which says %s",
			   words_name(&end_cause_words, out->end_cause));
	else
		phrase_put(&phrase, "it is over; what ended it is no longer kept");
}
