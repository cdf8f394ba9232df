/* SPDX-License-Identifier: MIT */
/* local_children.h - one ffmpeg for each copy of a stream to another server, begun by weir-copy
 * (copy_main.c), which judges where it goes.
 *
 * A child dies with this process, is in a group of its own, and gets the destination's key through
 * a pipe, as a preset file: nobody can read it in the list of arguments.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>

#include "actors/managed-adapter/local_text.h"

#define LOCAL_STOP_MS 3000 /* from SIGTERM to SIGKILL */

struct local_children_options {
	struct ev_loop *loop;
	const char *own_ports; /* "1935,8005": no destination may be one of them; borrowed */
	bool private_ok; /* destinations may be in our networks */
	void (*moved)(void *context, uint64_t serial); /* more has left for the destination */
	/* It is over; @error: why, in words without any key; NULL: its source has ended. */
	void (*ended)(void *context, uint64_t serial, const char *error);
	void *context;
};

struct local_children;

/* local_children_open() - Return: 0 or -errno. */
int local_children_open(const struct local_children_options *options, struct local_children **out);

/* local_children_close() - all of them die at once, untold. */
void local_children_close(struct local_children *children);

/* local_children_start() - copy @source to @destination under @serial; both are borrowed for the
 * call.
 *
 * Return: 0 or -errno: it did not begin, ended() will not be called.
 */
int local_children_start(struct local_children *children, uint64_t serial, const char *source,
			 const struct local_destination *destination);

/* local_children_stop() - SIGTERM, then SIGKILL; ended() follows. */
void local_children_stop(struct local_children *children, uint64_t serial);
