/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_why.h"

#include <inttypes.h>

#include "actors/tap/tap_why_internal.h"
#include "actors/tap/tap_words.h"
#include "common/phase.h"

/* What the story tells of the stream ------------------------------------------------------- */

static void take_own(struct why_known *known, const struct stream_event *event)
{
	switch ((int)event->type) {
	case EVENT_STREAM_OPENED:
		known->opened = event;
		known->activity = event;
		break;
	case EVENT_STREAM_STATUS:
		known->activity = event;
		known->miss = NULL;
		if (!known->delivered)
			known->delivered = event; /* who talks about it has got it */
		break;
	case EVENT_STREAM_MOVED:
		if (event->stream_moved.missed > 0)
			known->miss = event;
		else
			known->activity = event;
		if (event->stream_moved.missed == 0)
			known->miss = NULL;
		if (event->stream_moved.start_delivered && !known->delivered)
			known->delivered = event;
		break;
	case EVENT_STREAM_CLOSED:
		known->closed = event;
		break;
	case EVENT_STREAM_TOLD:
		known->told = event;
		if (known->closed && known->told_count < WHY_TOLD_MAX)
			known->tolds[known->told_count++] = event;
		break;
	case EVENT_STREAM_STOP_SETTLED:
		known->stop = event;
		break;
	case EVENT_SNAPSHOT_STREAM:
		known->row = event;
		break;
	default:
		why_managed_take(known, event);
		break;
	}
}

/* Its user's surroundings, up to the end. */
static void take_other(struct why_known *known, const struct stream_event *event)
{
	if (known->closed) {
		/* A takeover opens the next stream in the same breath. */
		if (event->type == EVENT_STREAM_OPENED && !known->next)
			known->next = event;
		return;
	}
	switch ((int)event->type) {
	case EVENT_LINK_CHANGED:
		known->link = event;
		break;
	case EVENT_GLASSES_CHANGED:
		known->glasses = event;
		break;
	case EVENT_APP_CHANGED:
		if (known->opened &&
		    text_equal(event->app_changed.package, known->opened->stream_opened.package))
			known->app = event;
		break;
	default:
		break;
	}
}

static bool gather(struct why_known *known, const struct story *story, struct text stream_id)
{
	struct text user = TEXT("");
	bool found = false;

	*known = (struct why_known){ .story = story };
	for (size_t i = 0; i < story->count && !found; i++) {
		found = text_equal(story->events[i].stream_id, stream_id);
		user = story->events[i].user_id;
	}
	for (size_t i = 0; found && i < story->count; i++) {
		const struct stream_event *event = &story->events[i];

		if (!text_equal(event->user_id, user))
			continue;
		if (!text_equal(event->stream_id, stream_id)) {
			take_other(known, event);
			continue;
		}
		if (!known->first)
			known->first = event;
		take_own(known, event);
	}
	return found;
}

/* The event that `cause` names, if it is of the kind that this end has for its evidence. */
static const struct stream_event *cause_of(const struct why_known *known)
{
	static const enum stream_event_type kinds[END_CAUSE_COUNT] = {
		[END_APP_CLOSED] = EVENT_APP_CHANGED,
		[END_PHONE_LOST] = EVENT_LINK_CHANGED,
		[END_SESSION_ENDED] = EVENT_LINK_CHANGED,
		[END_GLASSES_LOST] = EVENT_GLASSES_CHANGED,
		[END_GATEWAY_LOST] = EVENT_GATEWAY_CHANGED,
		[END_DURATION_LIMIT] = EVENT_STREAM_OPENED,
		[END_RECORD_LOST] = EVENT_RECORD_REBUILT,
	};
	enum end_cause cause = (enum end_cause)known->closed->stream_closed.end_cause;
	const struct stream_event *event = story_find(known->story, known->closed->cause);

	if (!event || cause >= END_CAUSE_COUNT)
		return NULL;
	if (cause == END_ACKS_MISSED || cause == END_NEVER_STARTED || cause == END_STALLED)
		return text_equal(event->stream_id, known->closed->stream_id) ? event : NULL;
	/* A gateway that is forgotten has left the links that it took down. */
	if (cause == END_GATEWAY_LOST && event->type == EVENT_LINK_CHANGED)
		return event;
	return event->type == kinds[cause] ? event : NULL;
}

/* Without a `cause` that fits: the last word on it before the end, if that says the same. */
static const struct stream_event *last_word(const struct why_known *known)
{
	switch ((enum end_cause)known->closed->stream_closed.end_cause) {
	case END_PHONE_LOST:
	case END_SESSION_ENDED:
		return known->link && known->link->link_changed.state != LINK_UP ? known->link
										 : NULL;
	case END_GLASSES_LOST:
		return known->glasses && !known->glasses->glasses_changed.connected ? known->glasses
										    : NULL;
	case END_APP_CLOSED:
		return known->app && known->app->app_changed.state != APP_RUNNING ? known->app
										  : NULL;
	case END_ACKS_MISSED:
	case END_NEVER_STARTED:
	case END_STALLED:
		return known->activity;
	case END_DURATION_LIMIT:
		return known->opened;
	default:
		return NULL;
	}
}

/* Evidence --------------------------------------------------------------------------------- */

static void add_fact(struct why *why, const struct stream_event *event)
{
	struct phrase phrase;
	size_t place, max = why->kind == KIND_MANAGED ? WHY_MANAGED_EVIDENCE_MAX : WHY_EVIDENCE_MAX;

	if (!event || why->evidence_count == max)
		return;
	for (place = 0; place < why->evidence_count; place++)
		if (why->evidence[place].seq >= event->seq)
			break;
	if (place < why->evidence_count && why->evidence[place].seq == event->seq)
		return;
	memmove(&why->evidence[place + 1], &why->evidence[place],
		(why->evidence_count++ - place) * sizeof why->evidence[0]);
	struct why_fact *fact = &why->evidence[place];

	fact->seq = event->seq;
	fact->at_ms = event->sent_ms;
	fact->type = stream_event_name(event->type);
	phrase_begin(&phrase, fact->text, sizeof fact->text);
	event_words(&phrase, event);
}

/* The link was recorded, what it names is gone: that is a fact, too. */
static void add_pruned(struct why *why, uint64_t seq)
{
	struct why_fact *fact = &why->evidence[0];
	struct phrase phrase;

	memmove(fact + 1, fact, why->evidence_count++ * sizeof *fact);
	*fact = (struct why_fact){ .seq = seq, .type = "" };
	phrase_begin(&phrase, fact->text, sizeof fact->text);
	phrase_put(&phrase,
		   "the event that led to it is no longer kept: the history begins with #%" PRIu64,
		   why->oldest_seq);
}

static bool is_silence(enum end_cause cause)
{
	return cause == END_PHONE_LOST || cause == END_GLASSES_LOST || cause == END_ACKS_MISSED ||
	       cause == END_GATEWAY_LOST;
}

static void collect(struct why_known *known, struct why *why)
{
	const struct stream_event *closed = known->closed;

	known->cause = cause_of(known);
	if (!known->cause)
		known->cause = last_word(known);
	if (!known->cause && closed->cause != 0 && closed->cause < why->oldest_seq)
		add_pruned(why, closed->cause);
	add_fact(why, known->cause);
	if (why->end_cause == END_TAKEOVER) {
		add_fact(why, known->next);
		why->replaced_by = known->next ? known->next->stream_id : TEXT("");
	} else if (known->activity != known->opened) {
		add_fact(why, known->activity);
	}
	add_fact(why, closed);
	if (why->end_cause == END_APP_STOP)
		add_fact(why, known->managed.left);
	if (why->end_cause == END_PROVIDER_ERROR)
		add_fact(why, known->managed.ingest);
	if (is_silence(why->end_cause))
		add_fact(why, known->miss);
}

/* What was tried and what is owed ---------------------------------------------------------- */

static void begin_clause(struct phrase *phrase)
{
	if (phrase->used > 0)
		phrase_put(phrase, "; ");
}

static void say_start(struct phrase *phrase, const struct why_known *known)
{
	const struct stream_event *opened = known->opened, *delivered = known->delivered;

	if (delivered && opened) {
		phrase_put(phrase, "start delivered after ");
		phrase_put_span(phrase, delivered->sent_ms - opened->sent_ms);
	} else if (delivered || (known->row && known->row->snapshot_stream.start_delivered)) {
		phrase_put(phrase, "start delivered");
	} else if (opened || known->row) {
		phrase_put(phrase, "the start was never delivered");
	}
}

/* @age_ms: of the last sign of life, as measured from the end or from now; -1: not known. */
static void say_probes(struct phrase *phrase, uint64_t missed, int64_t age_ms)
{
	if (missed == 0)
		return;
	begin_clause(phrase);
	phrase_put(phrase, "%" PRIu64 " %s in a row unanswered", missed,
		   missed == 1 ? "probe" : "probes");
	if (age_ms < 0)
		return;
	phrase_put(phrase, ", silent for ");
	phrase_put_span(phrase, age_ms);
}

static void say_outcome(struct phrase *phrase, const struct why_known *known,
			const struct stream_event *event, uint32_t outcome)
{
	phrase_put(phrase, " %s after ", words_name(&outcome_words, outcome));
	phrase_put_span(phrase, event->sent_ms - known->closed->sent_ms);
}

static void say_stop(struct phrase *phrase, const struct why_known *known)
{
	begin_clause(phrase);
	if (known->stop) {
		phrase_put(phrase, "stop to the glasses");
		say_outcome(phrase, known, known->stop, known->stop->stream_stop_settled.outcome);
	} else {
		phrase_put(phrase, known->closed->stream_closed.stop_owed
					   ? "stop to the glasses not delivered"
					   : "no stop to the glasses was due");
	}
}

static const char *nobody_told(const struct why_known *known, const struct why *why)
{
	bool managed = why->kind == KIND_MANAGED;

	if (known->closed->stream_closed.told_owed)
		return managed ? "no viewer was told yet" : "the app was not told yet";
	if (managed && why->end_cause == END_PROVIDER_ERROR && !known->managed.provisioned)
		return "whoever asked for it was refused";
	return managed ? "no viewer was there to be told" : "the app could not be told";
}

static void say_told(struct phrase *phrase, const struct why_known *known, const struct why *why)
{
	begin_clause(phrase);
	if (known->told_count == 0)
		phrase_put(phrase, "%s", nobody_told(known, why));
	for (size_t i = 0; i < known->told_count; i++) {
		phrase_put(phrase, i == 0 ? "word to " : ", to ");
		phrase_put_text(phrase, known->tolds[i]->stream_told.package);
		say_outcome(phrase, known, known->tolds[i], known->tolds[i]->stream_told.outcome);
	}
}

static void owe(struct why *why, const char *what, struct text whom)
{
	struct phrase phrase;

	phrase_begin(&phrase, why->owed[why->owed_count++], WHY_TEXT_SIZE);
	phrase_put(&phrase, "%s", what);
	phrase_put_text(&phrase, whom);
}

/* Whom of its viewers, as far as that is known; at most one line of them. */
static void owe_words(const struct why_known *known, struct why *why)
{
	struct text package = why_managed_owes(known, 0);
	struct phrase phrase;

	if (why->kind != KIND_MANAGED) {
		owe(why, "word of the end to ", why->package);
		return;
	}
	if (package.length == 0) {
		if (known->told_count == 0 && !known->managed.row)
			owe(why, "word of the end to its viewers", TEXT(""));
		return;
	}
	phrase_begin(&phrase, why->owed[why->owed_count++], WHY_TEXT_SIZE);
	for (size_t i = 0; package.length > 0; package = why_managed_owes(known, ++i)) {
		phrase_put(&phrase, i == 0 ? "word of the end to " : ", ");
		phrase_put_text(&phrase, package);
	}
}

static void owe_input(const struct why_known *known, struct why *why)
{
	if (why_managed_owed(known))
		owe(why, "the deletion of its input", TEXT(""));
}

static void say_after(const struct why_known *known, struct why *why)
{
	const struct stream_event *closed = known->closed;
	struct phrase phrase;

	phrase_begin(&phrase, why->tried, sizeof why->tried);
	say_start(&phrase, known);
	say_probes(&phrase, closed->stream_closed.missed, closed->stream_closed.last_ack_age_ms);
	say_stop(&phrase, known);
	say_told(&phrase, known, why);
	if (closed->stream_closed.stop_owed && !known->stop)
		owe(why, "a stop to the glasses", TEXT(""));
	if (closed->stream_closed.told_owed && (why->kind == KIND_MANAGED || !known->told))
		owe_words(known, why);
	owe_input(known, why);
}

/* ------------------------------------------------------------------------------------------ */

static void describe(const struct why_known *known, struct why *why)
{
	const struct stream_event *opened = known->opened, *row = known->row;

	why->stream_id = known->first->stream_id;
	why->user_id = known->first->user_id;
	why->oldest_seq = known->story->oldest_seq;
	why->begins_late = !opened;
	if (opened) {
		why->package = opened->stream_opened.package;
		why->kind = (enum kind)opened->stream_opened.kind;
		why->opened_ms = opened->sent_ms;
	} else if (row) {
		why->package = row->snapshot_stream.package;
		why->kind = (enum kind)row->snapshot_stream.kind;
		why->opened_ms = row->snapshot_stream.created_ms;
	} else if (known->told) {
		why->package = known->told->stream_told.package;
	}
}

/* All that is left of its end is the record of what it owes. */
static void explain_record(const struct why_known *known, struct why *why)
{
	const struct stream_event *row = known->row;
	struct phrase phrase;

	why->ended = true;
	why->phase = PHASE_CLOSED;
	why->end_cause = (enum end_cause)row->snapshot_stream.end_cause;
	why->hop = (enum hop)row->snapshot_stream.hop;
	phrase_begin(&phrase, why->tried, sizeof why->tried);
	say_start(&phrase, known);
	if (row->snapshot_stream.stop_owed)
		owe(why, "a stop to the glasses", TEXT(""));
	if (row->snapshot_stream.told_owed)
		owe_words(known, why);
	owe_input(known, why);
}

static void explain_end(struct why_known *known, struct why *why)
{
	const struct stream_event *closed = known->closed;

	why->ended = true;
	why->phase = PHASE_CLOSED;
	why->end_cause = (enum end_cause)closed->stream_closed.end_cause;
	why->hop = (enum hop)closed->stream_closed.hop;
	why->ended_ms = why->reference_ms = closed->sent_ms;
	collect(known, why);
	say_after(known, why);
}

static void explain_life(const struct why_known *known, struct why *why)
{
	struct phrase phrase;

	why->phase = why_phase(known);
	add_fact(why, known->link);
	add_fact(why, known->glasses);
	add_fact(why, known->activity);
	add_fact(why, known->miss);
	phrase_begin(&phrase, why->tried, sizeof why->tried);
	say_start(&phrase, known);
	say_probes(&phrase, why_missed(known),
		   known->activity ? why->reference_ms - known->activity->sent_ms : -1);
}

bool why_explain(const struct story *story, struct text stream_id, int64_t now_ms, struct why *out)
{
	struct why_known known;

	if (stream_id.length == 0 || !gather(&known, story, stream_id))
		return false;
	*out = (struct why){ .reference_ms = now_ms };
	describe(&known, out);
	if (known.closed)
		explain_end(&known, out);
	else if (known.row && known.row->snapshot_stream.phase == PHASE_CLOSED)
		explain_record(&known, out);
	else if (!known.opened && !known.row && !known.activity && !known.miss)
		out->ended = true; /* only what came after its end is kept */
	else
		explain_life(&known, out);
	why_managed_line(&known, out);
	why_sentence(&known, out);
	return true;
}
