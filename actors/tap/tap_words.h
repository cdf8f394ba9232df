/* SPDX-License-Identifier: MIT */
/* tap_words.h - what an event of the story says, in words for people.  Pure. */
#pragma once

#include "actors/tap/tap_phrase.h"
#include "proto/stream_event.h"

/* event_words() - append one clause, e.g. "the phone's connection closed with 1006".
 *
 * The user and the stream are not named: whoever prints it has them elsewhere.
 */
void event_words(struct phrase *phrase, const struct stream_event *event);
