/* SPDX-License-Identifier: MIT */
/* state_audit.h - what must hold of a state between any two events. */
#pragma once

#include "common/state.h"

/* state_audit() - NULL, or what is wrong with @state: a list, a counter, an index, a leaked text.
 *
 * @owner: of the registry itself, whose users all have a session, a stream or remembered apps; a
 * follower may know pieces of a user before the rest arrives.
 */
const char *state_audit(const struct state *state, bool owner);
