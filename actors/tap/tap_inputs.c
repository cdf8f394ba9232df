/* SPDX-License-Identifier: MIT */
#include "actors/tap/tap_inputs.h"

#include <stdlib.h>

#include "actors/tap/tap_call.h"
#include "actors/tap/tap_clock.h"
#include "proto/escape.h"

void inputs_fini(struct inputs *inputs)
{
	free(inputs->rows);
	arena_fini(&inputs->arena);
	*inputs = (struct inputs){ 0 };
}

/* An input that is owed and was never found has no id: its stream names it. */
static struct inputs_row *make_row(struct inputs *inputs, const struct stream_event *event)
{
	for (size_t i = 0; i < inputs->count; i++)
		if (text_equal(inputs->rows[i].input_id, event->provider_row.input_id) &&
		    text_equal(inputs->rows[i].stream_id, event->stream_id))
			return &inputs->rows[i];
	if (inputs->count == inputs->room) {
		inputs->room = inputs->room ? inputs->room * 2 : 64;
		inputs->rows = memory_grow(inputs->rows, inputs->room, sizeof *inputs->rows);
	}
	return &inputs->rows[inputs->count++];
}

static void take_row(struct inputs *inputs, const struct stream_event *event)
{
	struct inputs_row *row = make_row(inputs, event);
	struct arena *arena = &inputs->arena;

	*row = (struct inputs_row){
		.input_id = arena_keep(arena, event->provider_row.input_id),
		.mark = arena_keep(arena, event->provider_row.mark),
		.stream_id = arena_keep(arena, event->stream_id),
		.user_id = arena_keep(arena, event->user_id),
		.detail = arena_keep(arena, event->provider_row.detail),
		.input = (enum input_state)event->provider_row.input,
		.listed = event->provider_row.listed,
		.leak = event->provider_row.leak,
		.deleted = event->provider_row.deleted,
		.age_s = event->provider_row.age_s,
		.tries = event->provider_row.tries,
		.next_ms = event->provider_row.next_ms,
	};
}

bool inputs_take(struct inputs *inputs, const struct stream_event *event)
{
	if (event->type == EVENT_PROVIDER_ROW)
		take_row(inputs, event);
	if (event->type != EVENT_PROVIDER_REPORT)
		return false;
	inputs->report = *event;
	inputs->report.provider_report.reason =
		arena_keep(&inputs->arena, event->provider_report.reason);
	inputs->report.provider_report.mark =
		arena_keep(&inputs->arena, event->provider_report.mark);
	return true;
}

struct asking {
	const struct cli *cli;
	struct inputs *inputs;
};

static enum call_verdict take(void *context, const struct stream_event *event)
{
	const struct asking *asking = context;

	if (event->origin != asking->cli->incarnation || event->request != 1)
		return CALL_MORE;
	return inputs_take(asking->inputs, event) ? CALL_DONE : CALL_MORE;
}

int inputs_fetch(const struct cli *cli, struct inputs *inputs, bool reconcile, bool dry_run)
{
	struct asking asking = { cli, inputs };
	const struct call call = {
		.server = &managed_inbox,
		.question = { .type = EVENT_PROVIDER_ASK,
			      .origin = cli->incarnation,
			      .request = 1,
			      .expires_ms = clock_now_ms() + cli->timeout_ms,
			      .provider_ask.reconcile = reconcile,
			      .provider_ask.dry_run = dry_run },
		.numbered = true,
		.take = take,
		.context = &asking,
	};
	return call_server(cli, &call);
}

int inputs_judge(const struct inputs *inputs)
{
	const struct stream_event *report = &inputs->report;
	char reason[ESCAPED_SIZE(REASON_MAX)];

	if (report->provider_report.result != RESULT_OK) {
		(void)escape_put(report->provider_report.reason, reason, sizeof reason);
		say("the managed-adapter cannot tell (%s)%s%s",
		    words_name(&result_words, report->provider_report.result), *reason ? ": " : "",
		    reason);
		return EXIT_USAGE;
	}
	if (report->provider_report.rows != inputs->count) {
		say("rows are missing or could not be read; try again");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

const char *inputs_word(const struct inputs *inputs, const struct inputs_row *row)
{
	if (row->input != INPUT_NONE)
		return words_name(&input_state_words, row->input);
	if (!text_equal(row->mark, inputs->report.provider_report.mark))
		return "foreign";
	return row->leak ? "leak" : "unclaimed";
}
