/* SPDX-License-Identifier: MIT */
/* tap_why_internal.h - shared by the files of `why`; nobody else includes it. */
#pragma once

#include "actors/tap/tap_why.h"

/* The events of a story that matter to one stream; each may be NULL. */
struct why_known {
	const struct story *story;
	const struct stream_event *first; /* the first that names the stream */
	const struct stream_event *opened, *closed, *row;
	const struct stream_event *delivered; /* shows that the device has got the start */
	const struct stream_event *activity; /* the last sign of life */
	const struct stream_event *miss; /* the last probe unanswered since then */
	const struct stream_event *told, *stop; /* what became of them after the end */
	const struct stream_event *next; /* the stream that was opened first after it */
	const struct stream_event *link, *glasses, *app; /* the last of each before the end */
	const struct stream_event *cause; /* the evidence */
};

/* why_phase() - of a stream that has not ended. */
enum phase why_phase(const struct why_known *known);

/* why_missed() - its probes unanswered in a row, likewise. */
uint64_t why_missed(const struct why_known *known);

/* why_sentence() - write out->sentence, and the hop of a live stream's worst fact. */
void why_sentence(const struct why_known *known, struct why *out);
