/* SPDX-License-Identifier: MIT */
/* tap_output.h - lines to a descriptor whose reader may be slow, stopped or gone.
 *
 * While the reader is slow the process waits, but never longer than until a signal or the
 * deadline: no write is begun that could block.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define OUTPUT_SIZE (4 * 65536) /* bytes */

enum output_end {
	OUTPUT_OPEN,
	OUTPUT_CLOSED, /* nobody reads any more */
	OUTPUT_SIGNAL, /* signal_fd became readable during a wait */
	OUTPUT_LATE, /* the deadline passed during a wait */
	OUTPUT_FAILED, /* see error */
};

struct output {
	int fd, signal_fd;
	int opened; /* fd, if it is our own; else -1 */
	int64_t deadline_ms; /* CLOCK_MONOTONIC; INT64_MAX: none */
	enum output_end state; /* whatever is written after OUTPUT_OPEN is discarded */
	int error; /* errno of OUTPUT_FAILED */
	size_t chunk; /* bytes that a write may take without blocking, once fd is writable */
	size_t used;
	char bytes[OUTPUT_SIZE];
};

/* output_init() - lines go to @fd, which stays the caller's; -1 as @signal_fd: none to mind. */
void output_init(struct output *output, int fd, int signal_fd);

/* output_fini() - flush and let go. */
void output_fini(struct output *output);

/* output_room() - where at least @size bytes (at most OUTPUT_SIZE) may be written; flushes if it
 * must. */
char *output_room(struct output *output, size_t size);

/* output_take() - @length bytes were written to the room. */
void output_take(struct output *output, size_t length);

/* output_flush() - hand everything to the descriptor, or discard it if that is not possible. */
void output_flush(struct output *output);
