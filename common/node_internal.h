/* SPDX-License-Identifier: MIT */
/* node_internal.h - shared by the files of node; nobody else includes it. */
#pragma once

#include "common/node.h"

/* node_effects.c */

/* node_input() - an input from the bus: watched, fed, followed up. */
void node_input(struct node *self, const struct input *input);

/* node_settle() - time stands still from here to the end of node_announce(), which follows: what
 * is due is done now, so that afterwards nothing is due but announcements.
 */
void node_settle(struct node *self);
void node_announce(struct node *self, const struct input *input);

int64_t node_core_deadline(const struct node *self);

/* node_clock() - the time as the wires see it, which never stands still. */
static inline int64_t node_clock(const struct node *self)
{
	return self->options.port.now_ms(self->options.port.context);
}
