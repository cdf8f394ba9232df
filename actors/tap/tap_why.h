/* SPDX-License-Identifier: MIT */
/* tap_why.h - why a stream ended, or how a live one does, out of the events of its user.
 *
 * Pure.  Everything said is a recorded fact or the event that `cause` names; what the history no
 * longer has is said to be missing, never made up.
 */
#pragma once

#include "actors/tap/tap_story.h"

#define WHY_EVIDENCE_MAX 4 /* with the four lines around it a `why` has at most 8 */
#define WHY_MANAGED_EVIDENCE_MAX 3 /* a managed stream has a line more */
#define WHY_OWED_MAX 3
#define WHY_TEXT_SIZE 1024 /* bytes of a sentence, terminated; what is longer is cut off */

struct why_fact {
	uint64_t seq; /* 0: of no event */
	int64_t at_ms; /* Unix time; 0: not known */
	const char *type; /* of the event; "" if it is not kept any more */
	char text[WHY_TEXT_SIZE];
};

struct why {
	struct text stream_id, user_id, package; /* borrowed from the story */
	enum kind kind;
	enum phase phase;
	bool ended;
	bool begins_late; /* its first events are not kept any more */
	uint64_t oldest_seq; /* where the history begins; 0: not known */
	enum end_cause end_cause;
	enum hop hop; /* of a live one: where the worst fact is, or none */
	int64_t opened_ms, ended_ms; /* Unix time; 0: not known */
	int64_t reference_ms; /* the end, or now: what relative times count from */
	char sentence[WHY_TEXT_SIZE];
	struct why_fact evidence[WHY_EVIDENCE_MAX]; /* in their order */
	size_t evidence_count;
	char managed[WHY_TEXT_SIZE]; /* its provider, input, viewers, outputs; "" if it has none */
	char tried[WHY_TEXT_SIZE]; /* maybe "" */
	char owed[WHY_OWED_MAX][WHY_TEXT_SIZE];
	size_t owed_count;
	struct text replaced_by; /* the stream that took its place, if one did */
};

/* why_explain() - explain the stream @stream_id from what @story tells of it and its user.
 *
 * @now_ms: Unix time, for a live stream.
 *
 * Return: false, with @out undefined, if @story does not tell of it.
 */
bool why_explain(const struct story *story, struct text stream_id, int64_t now_ms, struct why *out);
