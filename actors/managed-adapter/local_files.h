/* SPDX-License-Identifier: MIT */
/* local_files.h - what the media server writes for viewers, and what of it must not stay. */
#pragma once

#include <stdbool.h>

#define LOCAL_LEFTOVER_S 60 /* the media server clears up by itself after twice 12 s */

/* local_files_playable() - there is something to watch at the HLS and the DASH address of @id. */
bool local_files_playable(const char *media_dir, const char *id);

/* local_files_end() - tell players of @id that no more is coming; the media server never does. */
void local_files_end(const char *media_dir, const char *id);

/* local_files_sweep() - remove what is LOCAL_LEFTOVER_S old, unless @is_known knows its name. */
void local_files_sweep(const char *media_dir, bool (*is_known)(void *context, const char *id),
		       void *context);
