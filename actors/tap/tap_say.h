/* SPDX-License-Identifier: MIT */
/* tap_say.h - what went wrong, and what to do about it, on stderr. */
#pragma once

/* say() - one line behind "weir: ".  What came over the wire is escaped by the caller. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
