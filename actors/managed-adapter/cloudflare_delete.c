/* SPDX-License-Identifier: MIT */
/* cloudflare_delete.c - disable, look for recordings, delete them, delete the input: in this order.
 *
 * Recordings survive their input and are then hard to find, so an input is kept until its last
 * recording is there.  A failure anywhere ends the call; the next one begins anew.
 */
#include <stdio.h>

#include "actors/managed-adapter/cloudflare_internal.h"

static void say_over(const struct cloudflare_turn *turn, enum call_outcome outcome)
{
	cloudflare_wait_over(turn->self, turn->job->input);
	(void)cloudflare_say(turn, outcome, "");
}

static void ask_delete(const struct cloudflare_turn *turn)
{
	cloudflare_ask_delete(&turn->job->request, turn->job->input);
	cloudflare_ask(turn, CLOUDFLARE_DELETE_INPUT);
}

static void ask_videos(const struct cloudflare_turn *turn)
{
	cloudflare_ask_videos(&turn->job->request, turn->job->input);
	cloudflare_ask(turn, CLOUDFLARE_DELETE_VIDEOS);
}

static void next_video(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;

	if (job->video_count > 0) {
		cloudflare_ask_video_delete(&job->request, job->videos[job->video_count - 1]);
		cloudflare_ask(turn, CLOUDFLARE_DELETE_VIDEO);
	} else if (job->videos_left) {
		ask_videos(turn);
	} else {
		ask_delete(turn);
	}
}

void cloudflare_on_disabled(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;

	if (turn->verdict->outcome == CALL_GONE) {
		say_over(turn, CALL_GONE);
	} else if (turn->verdict->outcome != CALL_OK) {
		cloudflare_fail(turn);
	} else {
		/* Without a readable answer, take it that there was one: that only costs time. */
		job->broadcast = !cloudflare_read_input(&turn->verdict->result, &job->seen) ||
				 job->seen.broadcast;
		ask_videos(turn);
	}
}

static void say_keep(const struct cloudflare_turn *turn, int64_t retry_ms, const char *why)
{
	cloudflare_say(turn, CALL_RETRY, why)->provider_done.retry_ms = retry_ms;
}

/* Those to be deleted; false if one is still being made. */
static bool read_videos(const struct cloudflare_turn *turn, struct json_walk *walk)
{
	struct cloudflare_job *job = turn->job;
	struct cloudflare_video video;
	bool live = false;

	job->video_count = 0;
	job->videos_left = false;
	while (cloudflare_next_video(walk, &video)) {
		live |= video.live;
		if (job->video_count < CLOUDFLARE_VIDEOS_MAX)
			memcpy(job->videos[job->video_count++], video.id, sizeof video.id);
		else
			job->videos_left = true;
	}
	return !live;
}

void cloudflare_on_videos(const struct cloudflare_turn *turn)
{
	struct cloudflare_job *job = turn->job;
	struct cloudflare_wait *wait;
	struct json_walk walk;
	int64_t left_ms;

	if (turn->verdict->outcome == CALL_GONE) { /* the operation is not offered, or it is gone */
		ask_delete(turn);
		return;
	}
	if (turn->verdict->outcome != CALL_OK || !cloudflare_items(&turn->verdict->result, &walk)) {
		if (turn->verdict->outcome == CALL_OK)
			turn->verdict->outcome = CALL_RETRY;
		cloudflare_fail(turn);
		return;
	}
	if (!read_videos(turn, &walk)) {
		say_keep(turn, CLOUDFLARE_RECORDING_PAUSE_MS, "its recording is still being made");
		return;
	}
	if (job->broadcast || job->video_count > 0) {
		wait = cloudflare_wait(turn->self, job->input, turn->now_ms);
		wait->found |= job->video_count > 0;
		left_ms = wait->since_ms + turn->self->options.recording_wait_ms - turn->now_ms;
		if (!wait->found && left_ms > 0) {
			say_keep(turn,
				 left_ms < CLOUDFLARE_RECORDING_PAUSE_MS
					 ? left_ms
					 : CLOUDFLARE_RECORDING_PAUSE_MS,
				 "its recording is not listed yet");
			return;
		}
	}
	if (!turn->self->options.delete_recordings) {
		job->video_count = 0;
		job->videos_left = false;
	}
	next_video(turn);
}

void cloudflare_on_video_deleted(const struct cloudflare_turn *turn)
{
	enum call_outcome outcome = turn->verdict->outcome;

	if (outcome != CALL_OK && outcome != CALL_GONE) {
		cloudflare_fail(turn);
		return;
	}
	turn->job->video_count--;
	next_video(turn);
}

void cloudflare_on_deleted(const struct cloudflare_turn *turn)
{
	enum call_outcome outcome = turn->verdict->outcome;

	if (outcome == CALL_OK || outcome == CALL_GONE)
		say_over(turn, outcome);
	else
		cloudflare_fail(turn);
}
