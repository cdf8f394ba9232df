/* SPDX-License-Identifier: MIT */
/* tap_why_print.h - an explanation as lines for people, and as JSON. */
#pragma once

#include <stdio.h>

#include "actors/tap/tap_text.h"
#include "actors/tap/tap_why.h"

/* why_print() - 3 to 8 lines. */
void why_print(const struct why *why, FILE *to, bool colour);

/* why_json() - the members of one object. */
void why_json(const struct why *why, struct json_out *json);
