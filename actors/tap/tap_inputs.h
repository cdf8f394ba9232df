/* SPDX-License-Identifier: MIT */
/* tap_inputs.h - the provider's inputs as the managed-adapter compares them with the records.
 *
 * Memory is the list's own.
 */
#pragma once

#include "actors/tap/tap_arena.h"
#include "actors/tap/tap_command.h"
#include "proto/stream_event.h"

struct inputs_row {
	struct text input_id, mark, stream_id, user_id, detail;
	enum input_state input; /* what its record says; INPUT_NONE: there is no record */
	bool listed, leak, deleted;
	uint64_t age_s, tries; /* 0: not known; attempts to delete it */
	int64_t next_ms; /* until the next attempt */
};

struct inputs {
	struct arena arena;
	struct inputs_row *rows; /* in the order they came */
	size_t count, room;
	struct stream_event report; /* provider.report; EVENT_NONE: it has not come */
};

/* inputs_take() - take an answer; twice the same row, after a reconnect, counts once.
 *
 * @event is borrowed for the call.  Return: true once the report has come.
 */
bool inputs_take(struct inputs *inputs, const struct stream_event *event);

/* inputs_fetch() - ask the managed-adapter; @inputs is initialised with zeroes, release it with
 * inputs_fini(), whatever the result.
 *
 * @reconcile: it shall compare now, and delete what is leaked unless @dry_run.
 *
 * Return: enum exit_code; EXIT_DONE once the report is there, whatever it says.
 */
int inputs_fetch(const struct cli *cli, struct inputs *inputs, bool reconcile, bool dry_run);
void inputs_fini(struct inputs *inputs);

/* inputs_judge() - EXIT_DONE, or EXIT_USAGE, which was said, if the report says that the adapter
 * cannot tell, or if rows were lost.
 */
int inputs_judge(const struct inputs *inputs);

/* inputs_word() - what an input is: the state of its record, "leak", "foreign" or "unclaimed". */
const char *inputs_word(const struct inputs *inputs, const struct inputs_row *row);
