/* SPDX-License-Identifier: MIT */
/* message.h - look into the protocol's JSON by searching for what is known to stand there.
 *
 * No parser: names and values that the tools look for hold no escapes, and weir as well as they
 * write no space between a name and its value.  Pure.
 */
#pragma once

#include "proto/text.h"

/* message_field() - the string that follows @mark, which is `"name":"`; empty if there is none.
 *
 * The first one wins, so of a nested object only what is not named outside is found.
 */
struct text message_field(struct text json, struct text mark);

/* message_type() - the value of "type", which stands first in every message. */
struct text message_type(struct text json);

/* message_user() - the number in a user id `u<number>@...`; UINT32_MAX if it is none. */
uint32_t message_user(struct text user_id);

#define FIELD(name) TEXT("\"" name "\":\"")
