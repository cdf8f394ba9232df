/* SPDX-License-Identifier: MIT */
/* models.h - what the models of glasses can do. */
#pragma once

#include <stdbool.h>

#include "proto/text.h"

struct model {
	const char *name;
	bool has_camera;
	bool has_wifi; /* streams only while its WiFi is connected */
	bool simulated; /* counts as connected without saying so */
	struct text capabilities; /* JSON object, as apps get it */
};

/* model_find() - the model of that name, or NULL if this build does not know it. */
const struct model *model_find(struct text name);

/* model_capabilities() - for the capabilities of tpa_connection_ack and capabilities_update; empty,
 * which is written as null, if the model is not known.
 */
struct text model_capabilities(struct text name);
