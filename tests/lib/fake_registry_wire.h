/* SPDX-License-Identifier: MIT */
/* fake_registry_wire.h - what fake_registry.c says and hears is made of: sockets, events out of
 * JSON, answers.
 */
#pragma once

#include <jansson.h>

#include "proto/frame.h"
#include "proto/stream_event.h"

#define PEER_SIZE 256

/* die() - say what failed, and errno, and end the process. */
void die(const char *what);

/* bind_socket() - RUN/NAME.SUFFIX, held to the limits that every weir socket has. */
void *bind_socket(void *context, int type, const char *run, const char *name, const char *suffix);

/* events_begin() - forget the lists of the events made before. */
void events_begin(void);

/* event_from_json() - the event that @object describes; borrows its texts from it. */
struct stream_event event_from_json(json_t *object);

/* One peer's answer under construction: a frame that is sent when it is full, or told to. */
struct answer {
	void *socket;
	const char *source; /* who answers */
	uint64_t incarnation;
	uint8_t peer[PEER_SIZE];
	size_t peer_length;
	struct frame_writer frame;
	uint8_t bytes[16384];
};

void answer_begin(struct answer *answer);
void answer_send(struct answer *answer);
void answer_add(struct answer *answer, struct stream_event event);

/* answer_garbage() - what no peer may take for an answer. */
void answer_garbage(struct answer *answer);

/* answer_too_much() - more than the peer takes: its side closes the connection. */
void answer_too_much(struct answer *answer);
