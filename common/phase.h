/* SPDX-License-Identifier: MIT */
/* phase.h - the life of a stream as tables: phases, what a device's words do, how ends are told.
 *
 * The registry decides by them, the adapters speak by them, the tests walk them, and
 * docs/cloud-architecture/phases.md is checked against them.  Not written means refused.
 */
#pragma once

#include <stdbool.h>

#include "proto/words.h"

enum phase_trigger {
	TRIGGER_NONE = 0,
	TRIGGER_START_DELIVERED, /* the start was written to the device's socket */
	TRIGGER_PROVISIONED, /* managed: the provider's input exists */
	TRIGGER_DEVICE_STARTING,
	TRIGGER_DEVICE_LIVE,
	TRIGGER_DEVICE_STOPPING,
	TRIGGER_MISSED, /* a probe was not answered in its time */
	TRIGGER_RECOVERED, /* an ack or a sign of life after a miss */
	TRIGGER_CLOSE,
	TRIGGER_COUNT,
};

/* phase_next() - the phase after @trigger; PHASE_NONE if it is refused in @phase. */
enum phase phase_next(enum kind kind, enum phase phase, enum phase_trigger trigger);

/* What a device status means for a stream of a kind. */
struct status_rule {
	enum phase_trigger trigger; /* TRIGGER_NONE: activity only; TRIGGER_CLOSE: see cause */
	enum end_cause cause;
};

struct status_rule phase_status_rule(enum kind kind, enum device_status status);

/* How the end of a stream is told (protocol.md 5.3, 5.4; section 11: D2, D4, D5, D7). */
struct end_rule {
	const char *word; /* app-facing status, and "message" of managed streams */
	enum hop hop;
	bool stop_if_up; /* stop_rtmp_stream now, the device's socket being open */
	bool stop_if_down; /* stop_rtmp_stream when the device comes back (D2) */
};

const struct end_rule *phase_end_rule(enum kind kind, enum end_cause cause);

/* phase_app_word() - what the owner of an unmanaged stream reads while it is not closed. */
const char *phase_app_word(enum phase phase);

/* phase_active() - holds the user's one slot: requested to stopping. */
bool phase_active(enum phase phase);
