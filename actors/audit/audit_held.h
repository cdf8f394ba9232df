/* SPDX-License-Identifier: MIT */
/* audit_held.h - what was read and is not judged yet: a heap by time. */
#pragma once

#include "actors/audit/audit_internal.h"

struct audit_held {
	int64_t due_ms;
	uint64_t serial;
	char *texts; /* that event or line point into; owned by whoever has taken it */
	struct stream_event event;
	struct client_line line; /* user empty: it is an event */
};

void held_event(struct audit *audit, int64_t due_ms, const struct stream_event *event);
void held_client(struct audit *audit, int64_t due_ms, const struct client_line *line);

/* held_take() - the earliest one that is due by @until_ms; false if there is none. */
bool held_take(struct audit *audit, int64_t until_ms, struct audit_held *out);

void held_fini(struct audit *audit);
