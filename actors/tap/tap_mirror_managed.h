/* SPDX-License-Identifier: MIT */
/* tap_mirror_managed.h - the part of tap_mirror.h that is about managed streams, for tap_mirror.c
 * alone.
 */
#pragma once

#include "actors/tap/tap_mirror.h"

/* mirror_managed_made() - the managed half of the stream @id, made if there was none. */
struct mirror_managed *mirror_managed_made(struct mirror *mirror, struct text id);

/* mirror_managed_row(), mirror_outputs_row() - a row of a snapshot; the stream's own may come
 * before or after it.
 */
void mirror_managed_row(struct mirror *mirror, const struct stream_event *event);
void mirror_outputs_row(struct mirror *mirror, const struct stream_event *event);

/* mirror_output_told() - stream.output of the history, in the order of the story. */
void mirror_output_told(struct mirror *mirror, const struct stream_event *event);
