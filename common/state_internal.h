/* SPDX-License-Identifier: MIT */
/* state_internal.h - shared by the files of state; nobody else includes it. */
#pragma once

#include "common/state.h"

void state_reset_slots(struct state *self);
uint32_t state_user_slot(const struct state *self, struct text id);
uint32_t state_stream_slot(const struct state *self, struct text id);
struct state_user *state_user_need(struct state *self, struct text id);
void state_user_release(struct state *self, uint32_t slot);
/* The user who has been away longest, and the apps remembered for it. */
void state_forget_oldest(struct state *self);

/* state_apply_stream() - the part of state_apply() that is about streams. */
int state_apply_stream(struct state *self, const struct stream_event *event);

/* Of a stream, whichever half an event is about. */
void state_stream_stamp(struct state_stream *stream, const struct stream_event *event);
/* The event is one that apps are told of. */
void state_stream_visible(struct state_stream *stream, const struct stream_event *event);
/* A closed stream that owes nothing any more is forgotten. */
void state_stream_release(struct state *self, struct state_stream *stream);
/* What only explains is kept if there is room: the story has it anyway. */
void state_keep_or_drop(struct state *self, struct text text, struct pooled *kept);

/* The managed half: state_managed.c, its rows: state_managed_row.c */
void state_managed_init(struct state *self, const struct state_stream *stream);
void state_managed_free(struct state *self, const struct state_stream *stream);
bool state_managed_open(struct state *self, const struct state_stream *stream,
			const struct stream_event *event);
/* Also closes the stream itself. */
void state_managed_close(struct state *self, struct state_stream *stream,
			 const struct stream_event *event);
/* One viewer, output or fact of the input more or less; @stream may be forgotten afterwards. */
int state_apply_managed(struct state *self, struct state_stream *stream,
			const struct stream_event *event);
int state_apply_managed_row(struct state *self, struct state_stream *stream,
			    const struct stream_event *event);
/* What follows from its parts for the stream as a whole. */
void state_managed_sum_up(struct state *self, struct state_stream *stream);
void state_managed_drop_viewers(struct state *self, struct state_managed *managed);
void state_managed_drop_outputs(struct state *self, struct state_outputs *outputs);
/* Row @step, from 0, of the managed half; false: there are no more. */
bool state_managed_row(const struct state *self, const struct state_stream *stream, unsigned step,
		       struct stream_event *out);
