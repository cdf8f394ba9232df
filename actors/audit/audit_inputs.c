/* SPDX-License-Identifier: MIT */
/* audit_inputs.c - I10, I11, L3: what is made at the provider, and what becomes of it. */
#include "actors/audit/audit_internal.h"

#include "proto/list.h"

static struct audit_input *input_of(struct audit *audit, struct text id)
{
	struct audit_input *input = audit_index_find(&audit->inputs, id);

	if (!input) {
		input = audit_index_add(&audit->inputs, id, sizeof *input);
		input->settled_ms = NEVER;
	}
	return input;
}

/* The story ------------------------------------------------------------------------------------ */

static void look_at_made(struct audit *audit, const struct audit_stream *stream,
			 const struct stream_event *event)
{
	struct text id = event->stream_provisioned.input_id;
	struct audit_input *input = input_of(audit, id);

	audit_judge(audit, RULE_I11, !*stream->input_id || text_is(id, stream->input_id), stream,
		    stream->phase_seq, "a second input, %.*s after %s", (int)id.length, id.bytes,
		    stream->input_id);
	audit_judge(audit, RULE_I11, !*input->stream || strcmp(input->stream, stream->id) == 0,
		    stream, stream->phase_seq, "its input %s is that of %s", input->id,
		    input->stream);
	text_put(text_of(stream->id), input->stream, sizeof input->stream);
}

/* How long the input of @stream is owed, counted from when nothing kept it; -1: something does. */
static int64_t owed_ms(const struct audit *audit, const struct audit_stream *stream)
{
	int64_t since_ms = audit_calm(audit);

	if (stream->closed_ms > since_ms)
		since_ms = stream->closed_ms;
	if (audit->failed_ms > since_ms)
		since_ms = audit->failed_ms;
	return since_ms == INT64_MAX ? -1 : audit->now_ms - since_ms;
}

static void look_at_settled(struct audit *audit, const struct audit_stream *stream,
			    const struct stream_event *event)
{
	struct text id = event->stream_input_settled.input_id;

	if (stream->phase != PHASE_NONE)
		audit_judge(audit, RULE_I10, stream->phase == PHASE_CLOSED, stream,
			    stream->phase_seq, "its input is gone while it is %s",
			    words_name(&phase_words, stream->phase));
	if (stream->input_owed && (audit->seen & NEED_CALLS))
		audit_judge(audit, RULE_L3,
			    owed_ms(audit, stream) <= audit->options.input_deadline_ms + SLACK_MS,
			    stream, stream->closed_seq, "its input was owed for %lld ms",
			    (long long)(event->sent_ms - stream->closed_ms));
	if (*stream->input_id)
		audit_judge(audit, RULE_I10, text_is(id, stream->input_id), stream,
			    stream->phase_seq, "its input was %s, '%.*s' is gone", stream->input_id,
			    (int)id.length, id.bytes);
	if (id.length > 0)
		input_of(audit, id)->settled_ms = event->sent_ms;
}

void audit_inputs(struct audit *audit, const struct stream_event *event)
{
	const struct audit_stream *stream;

	if (event->stream_id.length == 0)
		return;
	stream = audit_stream(audit, event);
	if (event->type == EVENT_STREAM_PROVISIONED)
		look_at_made(audit, stream, event);
	else if (event->type == EVENT_STREAM_INPUT_SETTLED)
		look_at_settled(audit, stream, event);
	else if (event->type == EVENT_STREAM_CLOSED && *stream->input_id)
		audit_judge(audit, RULE_I10, event->stream_closed.input_owed, stream,
			    stream->phase_seq, "it ends, and its input %s is owed by nobody",
			    stream->input_id);
}

/* Calls ---------------------------------------------------------------------------------------- */

static void look_at_create(struct audit *audit, const struct stream_event *event)
{
	const struct audit_stream *stream = audit_stream_find(audit, event->stream_id);
	const struct audit_user *user = audit_index_find(&audit->users, event->user_id);

	/* One that was opened before the recording begins is not known. */
	if (stream || (user && user->whole && user->era == audit->era))
		audit_judge(audit, RULE_I10, stream != NULL, stream, 0,
			    "an input is asked for, and no stream of that name was opened");
	if (*audit->mark)
		audit_judge(audit, RULE_I10, text_is(event->provider_create.mark, audit->mark),
			    stream, 0,
			    "an input is marked '%.*s', the mark of this deployment is '%s'",
			    (int)event->provider_create.mark.length,
			    event->provider_create.mark.bytes, audit->mark);
}

static void look_at_delete(struct audit *audit, const struct stream_event *event)
{
	struct text id = event->provider_delete.input_id;
	const struct audit_input *input = audit_index_find(&audit->inputs, id);
	const struct audit_stream *stream =
		input ? audit_stream_find(audit, text_of(input->stream)) : NULL;

	audit_judge(audit, RULE_I10, !input || !input->foreign, stream, 0,
		    "%.*s is deleted, and it does not have our mark", (int)id.length, id.bytes);
	if (stream && stream->era == audit->era && stream->phase != PHASE_NONE)
		audit_judge(audit, RULE_I10, stream->phase == PHASE_CLOSED, stream,
			    stream->phase_seq, "its input %s is deleted while it is %s", input->id,
			    words_name(&phase_words, stream->phase));
}

static void look_at_done(struct audit *audit, const struct stream_event *event)
{
	enum call_outcome outcome = (enum call_outcome)event->provider_done.outcome;
	struct audit_stream *stream = audit_stream_find(audit, event->stream_id);
	struct text id = event->provider_done.input_id;

	if (outcome != CALL_OK && outcome != CALL_GONE) {
		audit->failed_ms = event->sent_ms;
		return;
	}
	if (!stream || id.length == 0 || outcome != CALL_OK)
		return;
	if (*stream->made_id && stream->made_era == audit->call_era)
		audit_judge(audit, RULE_I11, text_is(id, stream->made_id), stream, 0,
			    "the provider has made %s for it, and now %.*s", stream->made_id,
			    (int)id.length, id.bytes);
	stream->made_era = audit->call_era;
	text_put(id, stream->made_id, sizeof stream->made_id);
}

/* What is gone is in no list that was asked for afterwards. */
static void look_at_listed(struct audit *audit, const struct audit_input *input)
{
	if (input->settled_ms == NEVER || audit->list_ms == NEVER)
		return;
	audit_judge(audit, RULE_I10, audit->list_ms - input->settled_ms <= SLACK_MS,
		    audit_stream_find(audit, text_of(input->stream)), 0,
		    "%s was said to be gone, and is in the provider's list %lld ms later",
		    input->id, (long long)(audit->list_ms - input->settled_ms));
}

/* Each member is [input_id, mark, stream_id, age_s]. */
static void learn_page(struct audit *audit, const struct stream_event *event)
{
	uint32_t count, members;
	struct text id, mark, stream_id;
	uint64_t age_s;
	struct wire wire;

	if (!*audit->mark || !list_read(event->provider_page.inputs, &wire, &count))
		return;
	while (count-- > 0) {
		if (!wire_array(&wire, &members) || members != 4 || !wire_text(&wire, &id) ||
		    !wire_text(&wire, &mark) || !wire_text(&wire, &stream_id) ||
		    !wire_u64(&wire, &age_s))
			return;
		if (id.length == 0 || id.length > INPUT_ID_MAX)
			continue;
		struct audit_input *input = input_of(audit, id);

		input->foreign = !text_is(mark, audit->mark);
		look_at_listed(audit, input);
	}
}

void audit_calls(struct audit *audit, const struct stream_event *event)
{
	if (event->type < EVENT_PROVIDER_CREATE || event->type > EVENT_PROVIDER_LEAK)
		return;
	audit->seen |= NEED_CALLS;
	if (event->type == EVENT_PROVIDER_CREATE)
		look_at_create(audit, event);
	else if (event->type == EVENT_PROVIDER_DELETE)
		look_at_delete(audit, event);
	else if (event->type == EVENT_PROVIDER_DONE)
		look_at_done(audit, event);
	else if (event->type == EVENT_PROVIDER_LIST)
		audit->list_ms = event->sent_ms;
	else if (event->type == EVENT_PROVIDER_PAGE)
		learn_page(audit, event);
	else if (event->type == EVENT_PROVIDER_LEAK && event->provider_leak.deleted && *audit->mark)
		audit_judge(audit, RULE_I10, text_is(event->provider_leak.mark, audit->mark), NULL,
			    0, "%.*s is deleted as ours, its mark is '%.*s'",
			    (int)event->provider_leak.input_id.length,
			    event->provider_leak.input_id.bytes,
			    (int)event->provider_leak.mark.length, event->provider_leak.mark.bytes);
}

void audit_inputs_end(struct audit *audit)
{
	for (size_t i = 0; i < audit->streams.count; i++) {
		const struct audit_stream *stream = audit->streams.things[i];

		if (stream->era != audit->era || !stream->input_owed || !(audit->seen & NEED_CALLS))
			continue;
		audit_stuck(audit, RULE_L3,
			    owed_ms(audit, stream) > audit->options.input_deadline_ms + SLACK_MS,
			    stream, "stuck: its input '%s' is still owed, %lld ms after its end",
			    stream->input_id, (long long)(audit->now_ms - stream->closed_ms));
	}
}
