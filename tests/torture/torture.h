/* SPDX-License-Identifier: MIT */
/* torture.h - scenes in which memory runs out at every place where we ask for it.
 *
 * A scene is played once to count what it allocates, then once for each allocation with that one
 * failing, then once for each with it and all behind it failing.  It says what came of it, and
 * gives back all that it got: in the sanitizer build a leak is a failure, as is a crash in any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Played once; Return: 0, or what was refused: -errno or an outcome > 0.  Whatever is asked of it
 * behind torture_calm() has to work.
 */
typedef int torture_scene(void);

struct torture {
	const char *name;
	torture_scene *scene;
	bool refuses; /* a first allocation that fails must be refused, not coped with */
	bool allocates; /* false: it must not, anywhere */
};

/* torture_calm() - no allocation fails from here on, for the rest of this play. */
void torture_calm(void);

extern const struct torture tortures[];
extern const size_t torture_count;

/* torture_story.c */
torture_scene scene_inbox, scene_outbox, scene_uplink, scene_node, scene_record, scene_store_memory;
/* torture_files.c */
torture_scene scene_apps, scene_config, scene_ini, scene_store_sqlite, scene_edge;
/* torture_sockets.c */
torture_scene scene_gateway_open, scene_gateway_talk, scene_callbacks;
