/* SPDX-License-Identifier: MIT */
/* tap_why_internal.h - shared by the files of `why`; nobody else includes it. */
#pragma once

#include "actors/tap/tap_phrase.h"
#include "actors/tap/tap_why.h"

#define WHY_TOLD_MAX (2 * VIEWERS_MAX) /* some may have joined twice */

/* The events of a story that matter to a managed stream; each may be NULL. */
struct why_managed {
	const struct stream_event *provisioned, *settled, *row;
	const struct stream_event *left; /* the last viewer that left */
	const struct stream_event
		*live; /* the first that says that the picture is at the provider */
	const struct stream_event *ingest; /* the last that says anything of it */
	const struct stream_event
		*playback; /* the first that says that it can be watched, else the last */
	const struct stream_event *output; /* an output that failed and did not recover */
};

/* The events of a story that matter to one stream; each may be NULL. */
struct why_known {
	const struct story *story;
	const struct stream_event *first; /* the first that names the stream */
	const struct stream_event *opened, *closed, *row;
	const struct stream_event *delivered; /* shows that the device has got the start */
	const struct stream_event *activity; /* the last sign of life */
	const struct stream_event *miss; /* the last probe unanswered since then */
	const struct stream_event *told, *stop; /* what became of them after the end */
	const struct stream_event *tolds[WHY_TOLD_MAX]; /* all apps that were told of the end */
	size_t told_count;
	const struct stream_event *next; /* the stream that was opened first after it */
	const struct stream_event *link, *glasses, *app; /* the last of each before the end */
	const struct stream_event *cause; /* the evidence */
	struct why_managed managed;
};

/* why_managed_take() - @event of the stream, in the order of the story. */
void why_managed_take(struct why_known *known, const struct stream_event *event);

/* why_managed_line() - write out->managed: who watched, what the provider saw, what is left there.
 */
void why_managed_line(const struct why_known *known, struct why *out);

/* why_managed_owed() - its input must still be deleted, as far as the story goes. */
bool why_managed_owed(const struct why_known *known);

/* why_managed_owes() - the viewer @index that its record still owes word of the end; "" if there
 * are not so many, or if there is no record.
 */
struct text why_managed_owes(const struct why_known *known, size_t index);

/* why_managed_worst() - the worst that its provider says of a live one; HOP_NONE if nothing is. */
enum hop why_managed_worst(const struct why_known *known, struct phrase *phrase);

/* why_phase() - of a stream that has not ended. */
enum phase why_phase(const struct why_known *known);

/* why_missed() - its probes unanswered in a row, likewise. */
uint64_t why_missed(const struct why_known *known);

/* why_sentence() - write out->sentence, and the hop of a live stream's worst fact. */
void why_sentence(const struct why_known *known, struct why *out);
