/* SPDX-License-Identifier: MIT */
/* cloudflare_internal.h - between the files of the Cloudflare core. */
#pragma once

#include "actors/managed-adapter/cloudflare_core.h"

/* What a step is given: one input, and what it leads to. */
struct cloudflare_turn {
	struct cloudflare *self;
	struct cloudflare_job *job;
	const struct cloudflare_answer *answer; /* NULL at the beginning of a call */
	struct cloudflare_verdict *verdict; /* of @answer */
	int64_t now_ms;
	struct cloudflare_effects *fx;
};

/* ---- cloudflare_core.c ---- */

/* cloudflare_ask() - send job->request as @step, or say that it may not be sent now. */
void cloudflare_ask(const struct cloudflare_turn *turn, enum cloudflare_step step);

/* cloudflare_say() - the call is over; the answer, to be completed. */
struct stream_event *cloudflare_say(const struct cloudflare_turn *turn, enum call_outcome outcome,
				    const char *detail);

/* cloudflare_fail() - the call is over as the verdict says. */
void cloudflare_fail(const struct cloudflare_turn *turn);

/* cloudflare_low() - more than half of the budget is spent. */
bool cloudflare_low(const struct cloudflare *self, int64_t now_ms);

/* ---- cloudflare_notes.c ---- */

/* cloudflare_note() - of @input; what was remembered of another one in its place is forgotten. */
struct cloudflare_note *cloudflare_note(struct cloudflare *self, const char *input);

/* cloudflare_wait() - for the recording of @input, from now or from when it was first asked. */
struct cloudflare_wait *cloudflare_wait(struct cloudflare *self, const char *input, int64_t now_ms);
void cloudflare_wait_over(struct cloudflare *self, const char *input);

/* cloudflare_later() - whether time @a is later than @b; both RFC 3339, with fractions or none. */
bool cloudflare_later(const char *a, const char *b);

/* cloudflare_learn() - where viewers are served, from what an answer says. */
void cloudflare_learn(struct cloudflare *self, const struct cloudflare_input *input);

/* cloudflare_put_addresses() - what viewers open, into provider.done. */
void cloudflare_put_addresses(const struct cloudflare_turn *turn, struct stream_event *event);

/* ---- cloudflare_steps.c, cloudflare_delete.c, cloudflare_list.c: what answers mean ---- */

void cloudflare_on_create(const struct cloudflare_turn *turn);
void cloudflare_begin_describe(const struct cloudflare_turn *turn);
void cloudflare_on_lifecycle(const struct cloudflare_turn *turn);
void cloudflare_on_input(const struct cloudflare_turn *turn);
void cloudflare_on_outputs(const struct cloudflare_turn *turn);
void cloudflare_begin_output_add(const struct cloudflare_turn *turn);
void cloudflare_on_output_look(const struct cloudflare_turn *turn);
void cloudflare_on_output_add(const struct cloudflare_turn *turn);
void cloudflare_begin_output_remove(const struct cloudflare_turn *turn);
void cloudflare_on_output_find(const struct cloudflare_turn *turn);
void cloudflare_on_output_remove(const struct cloudflare_turn *turn);
void cloudflare_on_quota(const struct cloudflare_turn *turn);

void cloudflare_on_disabled(const struct cloudflare_turn *turn);
void cloudflare_on_videos(const struct cloudflare_turn *turn);
void cloudflare_on_video_deleted(const struct cloudflare_turn *turn);
void cloudflare_on_deleted(const struct cloudflare_turn *turn);

void cloudflare_begin_list(const struct cloudflare_turn *turn, uint64_t page);
void cloudflare_on_list(const struct cloudflare_turn *turn);
