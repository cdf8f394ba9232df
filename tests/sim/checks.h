/* SPDX-License-Identifier: MIT */
/* checks.h - what the people tell the checks: what devices and apps really heard, said and lacked.
 *
 * The other half of what the checks know is the committed story (struct sim_observer).
 */
#pragma once

#include <stdbool.h>

#include "proto/text.h"

struct client_app;
struct edge_message;
struct person;

/* The phone's newest socket has its connection_ack; it has none, or a newer one without. */
void checks_phone_up(const struct person *person);
void checks_phone_down(const struct person *person);
/* Bluetooth is back. */
void checks_phone_reaches(const struct person *person);

/* A start, or a stop while it ran @running (empty: nothing), reached the device. */
void checks_device_start(const struct person *person, struct text stream_id);
void checks_device_address(const struct person *person, const struct edge_message *start);
void checks_device_stop(const struct person *person, struct text running);

/* It streams and would go on; or something on its side keeps it from that. */
void checks_device_runs(const struct person *person, bool runs);

/* It said into an open socket that its stream is over. */
void checks_device_ended(const struct person *person);

/* It said something that shows that @stream_id lives, into an open socket. */
void checks_device_sign(const struct person *person, struct text stream_id);

/* It failed to say what it should have: a loss that weir may hold against it. */
void checks_device_guilty(const struct person *person);

/* How an app may be answered. */
enum answer {
	ANSWER_NONE, /* a stop: nothing is said if all is well */
	ANSWER_STATUS,
	ANSWER_MANAGED,
	ANSWER_CHECK,
	ANSWER_ERROR,
	ANSWER_CLOSE,
};

struct telling {
	uint64_t socket;
	struct text stream_id, word;
};

void checks_app_accepted(const struct client_app *app);
void checks_app_lost(const struct client_app *app); /* it has no newest socket any more */
void checks_app_asked(const struct client_app *app, enum answer expected);
void checks_app_answered(const struct client_app *app, enum answer answer);
void checks_app_told(const struct client_app *app, const struct telling *telling);

/* The same of managed streams: it wants to watch, or no more, or it is told. */
void checks_app_watches(const struct client_app *app, bool on);
void checks_app_shown(const struct client_app *app, const struct telling *telling);
