/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_gaps.h"

bool gap_see(struct gap_track *track, const struct frame_head *head, bool lasting,
	     struct gap_report *out)
{
	struct gap_report report = { .first = !track->known };

	if (head->first_seq == 0 || head->first_seq > UINT64_MAX - head->count)
		return false;
	report.restarted = track->known && track->incarnation != head->incarnation;
	if (report.restarted)
		report.previous = track->incarnation;

	uint64_t end_seq = head->first_seq + head->count;
	uint64_t expected = track->next_seq;

	if (report.restarted && lasting && head->first_seq < expected)
		expected = 1; /* its store is new: the story began again */
	if (track->known && (!report.restarted || lasting) && head->first_seq > expected) {
		report.from_seq = expected;
		report.missed = head->first_seq - expected;
	}
	if (track->known && !report.restarted && head->first_seq < expected) {
		uint64_t seen = expected - head->first_seq;

		report.skip = seen < head->count ? (unsigned)seen : head->count;
		if (end_seq < expected)
			end_seq = expected;
	}
	*track = (struct gap_track){ true, head->incarnation, end_seq };
	*out = report;
	return true;
}
