/* SPDX-License-Identifier: MIT */
/* The comparison of ledger and provider: what is listed is looked up in the records, what is in the
 * records is looked for in the lists.  Only what carries our mark and has no record is ever deleted
 * here, and that is managed_leaks.c.
 */
#include <inttypes.h>
#include <stdio.h>

#include "actors/managed-adapter/managed_internal.h"
#include "proto/list.h"

#define LIST_PAUSE_MS 1000 /* before a page is asked for once more; doubles */

void managed_sweep_soon(struct managed *self, int64_t due_ms)
{
	struct managed_sweep *sweep = &self->sweep;

	if (sweep->step != SWEEP_IDLE)
		sweep->wanted = true; /* this one may have passed what it is wanted for */
	else if (due_ms < sweep->due_ms)
		sweep->due_ms = due_ms;
}

static int64_t interval_after(const struct managed *self)
{
	return self->now_ms + self->options.reconcile_interval_ms;
}

/* ---- operators ---- */

struct stream_event *managed_row(struct managed *self, struct text input_id)
{
	struct managed_asker *asker = &self->sweep.asker;

	if (!asker->waits)
		return NULL;
	struct stream_event *row =
		effects_add(self->fx, EFFECT_SEND, asker->peer, EVENT_PROVIDER_ROW);

	row->origin = asker->origin;
	row->request = asker->request;
	row->provider_row.input_id = input_id;
	self->sweep.rows++;
	return row;
}

static struct stream_event *report(struct managed *self, const struct managed_asker *asker,
				   enum result result, struct text reason)
{
	struct stream_event *event =
		effects_add(self->fx, EFFECT_SEND, asker->peer, EVENT_PROVIDER_REPORT);

	event->origin = asker->origin;
	event->request = asker->request;
	event->provider_report.result = result;
	event->provider_report.reason =
		(struct text){ reason.bytes,
			       reason.length < REASON_MAX ? reason.length : REASON_MAX };
	event->provider_report.provider = self->options.provider;
	event->provider_report.mark = text_of(self->state.mark);
	event->provider_report.used = self->stats.quota_used;
	event->provider_report.limit = self->stats.quota_limit;
	event->provider_report.reconciled_age_ms =
		self->sweep.done_ms < 0 ? -1 : self->now_ms - self->sweep.done_ms;
	return event;
}

static struct text held_words(struct managed *self, int64_t retry_ms)
{
	char words[REASON_MAX + 1];
	int length =
		snprintf(words, sizeof words,
			 "no budget at the provider: calls are held back, again in %" PRId64 " s",
			 (retry_ms + 999) / 1000);

	return effects_keep(self->fx, (struct text){ words, (uint32_t)length });
}

/* How long a comparison that is under way waits before its next call; 0: not so long that whoever
 * asks now could not wait for it.
 */
static int64_t held_ms(const struct managed *self)
{
	const struct managed_sweep *sweep = &self->sweep;
	bool held = sweep->step != SWEEP_IDLE && sweep->call == 0 && sweep->due_ms != INT64_MAX &&
		    sweep->due_ms - self->now_ms > MANAGED_HELD_MS;

	return held ? sweep->due_ms - self->now_ms : 0;
}

static void report_held(struct managed *self, const struct managed_asker *asker, int64_t retry_ms)
{
	struct stream_event *event = report(self, asker, RESULT_FAILED, held_words(self, retry_ms));

	if (event)
		event->provider_report.retry_ms = retry_ms;
}

void managed_on_ask(struct managed *self, const struct input *input)
{
	const struct stream_event *event = input->event;
	const struct managed_asker asker = { .waits = true,
					     .dry_run = event->provider_ask.dry_run ||
							!event->provider_ask.reconcile,
					     .peer = input->peer,
					     .origin = event->origin,
					     .request = event->request };
	struct managed_asker *next = &self->sweep.next, *now = &self->sweep.asker;
	bool same =
		(next->waits && next->origin == asker.origin && next->request == asker.request) ||
		(now->waits && now->origin == asker.origin && now->request == asker.request);

	if (same)
		return; /* asked again while we are at it */
	if (self->options.provider == PROVIDER_NONE) {
		(void)report(self, &asker, RESULT_REFUSED,
			     TEXT("managed.provider is none: there is nothing to compare with"));
	} else if (!self->asks.synced) {
		(void)report(self, &asker, RESULT_REFUSED,
			     TEXT("the registry is not there: try again when it is"));
	} else if (next->waits) {
		(void)report(self, &asker, RESULT_REFUSED,
			     TEXT("somebody else compares just now: try again in a minute"));
	} else if (held_ms(self) > 0) {
		report_held(self, &asker, held_ms(self));
	} else {
		*next = asker;
		managed_sweep_soon(self, self->now_ms);
	}
}

/* ---- beginning and end ---- */

static void begin(struct managed *self)
{
	struct managed_sweep *sweep = &self->sweep;

	sweep->asker = sweep->next;
	sweep->next = (struct managed_asker){ 0 };
	sweep->dry_run = sweep->asker.waits && sweep->asker.dry_run;
	sweep->wanted = false;
	sweep->step = SWEEP_QUOTA;
	sweep->call = sweep->page = sweep->tries = sweep->at = 0;
	sweep->rows = sweep->in_use = sweep->owed = 0;
	sweep->leaks = sweep->foreign = sweep->deleted = 0;
	sweep->round++;
	sweep->held_ms = 0;
	sweep->began_ms = sweep->due_ms = self->now_ms;
}

static void end(struct managed *self, enum result result, struct text reason)
{
	struct managed_sweep *sweep = &self->sweep;

	if (result == RESULT_OK) {
		self->stats.reconciled++;
		self->stats.leaks = sweep->leaks - sweep->deleted;
		self->stats.foreign = sweep->foreign;
		sweep->done_ms = self->now_ms;
	}
	if (sweep->asker.waits) {
		struct stream_event *event = report(self, &sweep->asker, result, reason);

		event->provider_report.rows = sweep->rows;
		event->provider_report.in_use = sweep->in_use;
		event->provider_report.owed = sweep->owed;
		event->provider_report.leaks = sweep->leaks;
		event->provider_report.foreign = sweep->foreign;
		event->provider_report.deleted = sweep->deleted;
		event->provider_report.retry_ms = sweep->held_ms;
	}
	sweep->asker = (struct managed_asker){ 0 };
	sweep->step = SWEEP_IDLE;
	sweep->due_ms = sweep->wanted ? self->now_ms : interval_after(self);
}

void managed_sweep_stop(struct managed *self)
{
	if (self->sweep.step == SWEEP_IDLE)
		self->sweep.due_ms = INT64_MAX;
	else
		end(self, RESULT_FAILED, TEXT("the registry's story began anew: try again"));
	self->sweep.due_ms = INT64_MAX; /* until the snapshot is there */
	self->sweep.call = 0;
}

/* ---- pages ---- */

struct listed {
	struct text input_id, mark, stream_id;
	uint64_t age_s;
};

static bool read_listed(struct wire *wire, struct listed *out)
{
	uint32_t fields;

	return wire_array(wire, &fields) && fields == 4 && wire_text(wire, &out->input_id) &&
	       wire_text(wire, &out->mark) && wire_text(wire, &out->stream_id) &&
	       wire_u64(wire, &out->age_s);
}

static bool is_ours(const struct managed *self, struct text mark)
{
	return mark.length > 0 && text_is(mark, self->state.mark);
}

static void row_of(struct managed *self, const struct listed *listed, enum input_state input)
{
	struct stream_event *row = managed_row(self, listed->input_id);

	if (!row)
		return;
	row->stream_id = is_ours(self, listed->mark) ? listed->stream_id : (struct text){ 0 };
	row->provider_row.mark = listed->mark;
	row->provider_row.input = input;
	row->provider_row.listed = true;
	row->provider_row.age_s = listed->age_s;
}

/* A create that was given up has made it after all: now it is known what to delete. */
static void found(struct managed *self, struct managed_work *work,
		  const struct state_stream *stream, struct text input_id)
{
	struct stream_event *event = managed_command(self, stream, EVENT_INPUT_MADE);

	event->input_made.input_id = input_id;
	managed_work_enter(self, work, STAGE_SEARCH, INT64_MAX);
}

/* False: no record knows it. */
static bool in_ledger(struct managed *self, const struct listed *listed)
{
	const struct state_stream *stream = state_stream_find(&self->state, listed->stream_id);
	uint32_t slot = table_find(&self->inputs, listed->input_id);
	struct managed_work *work = slot != TABLE_NONE ? &self->works[slot] : NULL;

	if (work)
		stream = managed_stream_of(self, work);
	if (!stream || !managed_serves(self, stream))
		return false;
	const struct state_managed *managed = state_managed_of(&self->state, stream);

	if (!work) {
		work = managed_work_of(self, stream);
		if (managed->input_id.length > 0 || work->input_id.length > 0)
			return false; /* it has another one: this is a second of the same stream */
		if (managed->input == INPUT_GONE)
			return false; /* settled, and yet there */
		if (managed->input == INPUT_OWED && work->call == 0 && !self->sweep.dry_run)
			found(self, work, stream, listed->input_id);
	}
	work->round = self->sweep.round;
	row_of(self, listed, (enum input_state)managed->input);
	return true;
}

static void on_listed(struct managed *self, const struct listed *listed)
{
	if (!is_ours(self, listed->mark)) {
		self->sweep.foreign++;
		row_of(self, listed, INPUT_NONE);
	} else if (!in_ledger(self, listed)) {
		managed_leak_listed(self, listed->input_id, listed->age_s);
	}
}

/* The provider takes no calls of ours for so long: operators hear that instead of nothing. */
static void end_held(struct managed *self, int64_t retry_ms)
{
	self->sweep.held_ms = retry_ms;
	end(self, RESULT_FAILED, held_words(self, retry_ms));
	/* Records may wait for what this one was to find. */
	if (self->sweep.due_ms > self->now_ms + retry_ms)
		self->sweep.due_ms = self->now_ms + retry_ms;
}

static void give_up(struct managed *self, const struct stream_event *answer)
{
	if (answer->provider_page.outcome == CALL_RETRY && answer->provider_page.retry_ms > 0)
		end_held(self, answer->provider_page.retry_ms);
	else
		end(self, RESULT_FAILED, answer->provider_page.detail);
}

static bool try_again(struct managed *self, int64_t retry_ms)
{
	struct managed_sweep *sweep = &self->sweep;

	if (++sweep->tries >= MANAGED_LIST_TRIES ||
	    (sweep->asker.waits && retry_ms > MANAGED_HELD_MS))
		return false;
	sweep->due_ms = self->now_ms + managed_backoff_ms(LIST_PAUSE_MS, sweep->tries, retry_ms);
	return true;
}

static void on_page(struct managed *self, const struct stream_event *answer)
{
	struct managed_sweep *sweep = &self->sweep;
	struct listed listed;
	struct wire wire;
	uint32_t count;

	if (answer->provider_page.outcome != CALL_OK) {
		if (!try_again(self, answer->provider_page.retry_ms))
			give_up(self, answer);
		return;
	}
	if (!list_read(answer->provider_page.inputs, &wire, &count) ||
	    count > INPUTS_PER_PAGE_MAX) {
		end(self, RESULT_FAILED, TEXT("a page that cannot be read"));
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!read_listed(&wire, &listed) || listed.input_id.length == 0 ||
		    listed.input_id.length > INPUT_ID_MAX) {
			end(self, RESULT_FAILED, TEXT("a page that cannot be read"));
			return;
		}
		on_listed(self, &listed);
	}
	sweep->tries = 0;
	sweep->page = answer->provider_page.next_page;
	sweep->due_ms = self->now_ms;
	if (sweep->page == 0)
		sweep->step = SWEEP_RECORDS;
}

/* ---- records ---- */

/* Two lists without it, some time apart, and it was never made; what the provider keeps by itself
 * one list has whole.
 */
static void absent(struct managed *self, struct managed_work *work)
{
	int64_t wait_ms = self->options.create_timeout_ms + MANAGED_SEARCH_MARGIN_MS;
	bool sure = self->options.provider == PROVIDER_LOCAL;

	if (self->sweep.began_ms - work->since_ms < wait_ms)
		return; /* the list may be older than what it should show */
	if (work->absent > 0 && self->sweep.began_ms - work->absent_ms < MANAGED_SEARCH_GAP_MS)
		return;
	work->absent++;
	work->absent_ms = self->now_ms;
	if (sure || work->absent >= 2) {
		managed_tell_gone(self, work, TEXT("never made"));
		return;
	}
	work->due_ms = self->now_ms + MANAGED_SEARCH_GAP_MS;
	managed_work_arm(self, work);
}

static void owed_row(struct managed *self, const struct state_stream *stream,
		     const struct managed_work *work)
{
	const struct state_managed *managed = state_managed_of(&self->state, stream);
	struct stream_event *row =
		work->round == self->sweep.round
			? NULL
			: managed_row(self, managed_text(self, managed->input_id));

	if (!row)
		return;
	row->user_id = managed_text(self, state_user_of(&self->state, stream->user)->id);
	row->stream_id = managed_text(self, stream->id);
	row->provider_row.mark = text_of(self->state.mark);
	row->provider_row.input = managed->input;
	row->provider_row.tries = work->tries;
	row->provider_row.next_ms =
		work->call == 0 && work->due_ms != INT64_MAX ? work->due_ms - self->now_ms : 0;
	row->provider_row.detail = pool_text(&self->texts, work->detail);
}

static void compare(struct managed *self, const struct state_stream *stream)
{
	struct managed_work *work = managed_work_of(self, stream);
	enum input_state input = (enum input_state)state_managed_of(&self->state, stream)->input;
	bool listed = work->round == self->sweep.round;

	if (input == INPUT_GONE)
		return;
	self->sweep.owed += input == INPUT_OWED;
	self->sweep.in_use += input == INPUT_READY;
	owed_row(self, stream, work);
	if (self->sweep.dry_run || listed)
		return;
	if (work->stage == STAGE_SEARCH) {
		absent(self, work);
	} else if ((work->stage == STAGE_START || work->stage == STAGE_LIVE) &&
		   work->since_ms < self->sweep.began_ms) {
		work->suspect = true;
		work->due_ms = self->now_ms;
		managed_work_arm(self, work);
	}
}

static void records_step(struct managed *self)
{
	struct managed_sweep *sweep = &self->sweep;

	for (unsigned looked = 0; looked < MANAGED_SLOTS_PER_CALL; looked++) {
		if (sweep->at >= self->state.streams_fresh) {
			sweep->step = SWEEP_LEAKS;
			sweep->at = 0;
			return;
		}
		if (effects_room(self->fx) < MANAGED_WORK_ROOM)
			return;
		const struct state_stream *stream = state_stream_at(&self->state, sweep->at++);

		if (stream && managed_serves(self, stream))
			compare(self, stream);
	}
}

/* ---- the steps ---- */

static void call(struct managed *self, enum stream_event_type type)
{
	struct managed_sweep *sweep = &self->sweep;
	struct stream_event *event = managed_call(self, type, STATE_NONE, 0, &sweep->call);

	if (!event) {
		sweep->due_ms = self->now_ms + MANAGED_RETRY_MS;
		return;
	}
	sweep->due_ms = INT64_MAX;
	if (type == EVENT_PROVIDER_QUOTA) {
		event->provider_quota.call = sweep->call;
		return;
	}
	event->provider_list.call = sweep->call;
	event->provider_list.page = sweep->page;
}

void managed_sweep_step(struct managed *self)
{
	if (effects_room(self->fx) < MANAGED_WORK_ROOM)
		return;
	switch ((enum managed_sweep_step)self->sweep.step) {
	case SWEEP_IDLE:
		begin(self);
		call(self, EVENT_PROVIDER_QUOTA);
		return;
	case SWEEP_QUOTA:
		call(self, EVENT_PROVIDER_QUOTA);
		return;
	case SWEEP_LIST:
		call(self, EVENT_PROVIDER_LIST);
		return;
	case SWEEP_RECORDS:
		records_step(self);
		return;
	case SWEEP_LEAKS:
		if (managed_leaks_step(self))
			end(self, RESULT_OK, (struct text){ 0 });
		return;
	}
}

static void on_quota(struct managed *self, const struct stream_event *answer)
{
	if (answer->provider_done.outcome == CALL_OK) {
		self->stats.quota_used = answer->provider_done.used;
		self->stats.quota_limit = answer->provider_done.limit;
	}
	/* Nothing depends on it. */
	self->sweep.step = SWEEP_LIST;
	self->sweep.due_ms = self->now_ms;
}

void managed_sweep_answer(struct managed *self, const struct managed_call *call,
			  const struct stream_event *answer)
{
	if (self->sweep.call != call->number) {
		self->stats.answers_late++;
		return;
	}
	self->sweep.call = 0;
	if (call->type == EVENT_PROVIDER_QUOTA)
		on_quota(self, answer);
	else if (call->type == EVENT_PROVIDER_LIST && answer->type == EVENT_PROVIDER_PAGE)
		on_page(self, answer);
	else if (call->type == EVENT_PROVIDER_LIST)
		end(self, RESULT_FAILED, answer->provider_done.detail);
	else
		managed_leak_answer(self, answer);
}
