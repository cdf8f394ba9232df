/* SPDX-License-Identifier: MIT */
/* tap_words_managed.h - the part of tap_words.h that is about managed streams.  Pure. */
#pragma once

#include "actors/tap/tap_phrase.h"
#include "proto/stream_event.h"

/* managed_words() - as event_words(); of any other event its name. */
void managed_words(struct phrase *phrase, const struct stream_event *event);
